// The segments of the ring: outer band the primary, then a band per copy in sync, then what is being copied.

import { progressOf } from '../model/view.js';
import { colorOf } from '../model/palette.js';
import { bandPath, turnsOf } from '../model/ring.js';
import { resize, setAttributes, svg } from './svg.js';

const OUTER = 486;
const PRIMARY_INNER = 432;
const COPY_THICK = 13;
const COPY_GAP = 4;
const COPIES_SHOWN_MAX = 5;

export class RangesLayer {
    node;
    #slots;
    #handlers;
    #rows = [];
    #focused = 0;
    #marked;
    #emphasized;

    constructor({ slots, point, pick }) {
        this.#slots = slots;
        this.#handlers = { point, pick };
        this.node = svg('g', {
            class: 'ring-ranges',
            role: 'listbox',
            'aria-label': 'Ranges',
            'aria-orientation': 'horizontal',
            on: { keydown: (event) => this.#turn(event) },
        });
    }

    update(view, changes) {
        resize(this.node, view.ranges.length, () => this.#build());
        this.#rows = [...this.node.children];
        this.#focused = Math.min(this.#focused, Math.max(0, this.#rows.length - 1));
        view.ranges.forEach((range, at) => this.#draw(this.#rows[at], range, view, at));
        for (const change of changes) if (change.kind === 'primary' || change.kind === 'inSync') this.#flash(change);
        this.emphasize(this.#emphasized);
    }

    emphasize(id) {
        this.#emphasized = id;
        for (const row of this.#rows) row.classList.toggle('is-bright', id !== undefined && row.weftRange.inSync.includes(id));
    }

    mark(number) {
        this.#marked = number;
        for (const row of this.#rows) row.setAttribute('aria-selected', String(row.weftRange.range === number));
    }

    #build() {
        const row = svg(
            'g',
            {
                class: 'ring-range',
                role: 'option',
                tabindex: -1,
                on: {
                    pointerenter: () => this.#handlers.point(row.weftRange),
                    focus: () => this.#enter(row),
                    blur: () => this.#handlers.point(undefined),
                    click: () => this.#handlers.pick(row.weftRange),
                },
            },
            svg('path', { class: 'ring-primary' }),
            svg('g', { class: 'ring-copies' }),
        );
        return row;
    }

    #draw(row, range, view, at) {
        row.weftRange = range;
        const turns = turnsOf(range, view.ranges.length);
        const [primary, copies] = row.children;
        const bands = this.#bandsOf(range, view);
        setAttributes(row, {
            'data-range': range.range,
            'aria-label': sentenceOf(range, view),
            'aria-selected': range.range === this.#marked,
            tabindex: at === this.#focused ? 0 : -1,
        });
        row.classList.toggle('is-thin', bands.length < Math.min(view.factor, view.totals.alive) - 1);
        setAttributes(primary, { d: bandPath(turns, PRIMARY_INNER, OUTER) });
        paint(primary, this.#slots.of(range.primary));
        primary.classList.toggle('is-silent', isSilent(view, range.primary));
        resize(copies, bands.length, () => svg('path'));
        bands.forEach((band, place) => this.#drawCopy(copies.children[place], band, place, turns, isSilent(view, band.id)));
    }

    // Copies in the order of their colours, so that neighbouring ranges of the same nodes make one band.
    #bandsOf(range, view) {
        const bySlot = (a, b) => this.#slots.of(a) - this.#slots.of(b);
        const inSync = range.inSync.filter((id) => id !== range.primary).sort(bySlot);
        const learners = [...range.learners].sort(bySlot);
        const share = (id) => {
            const move = view.moves.find(({ range: number, to }) => number === range.range && to === id);
            return move ? progressOf(move) : 0;
        };
        return [...inSync.map((id) => ({ id })), ...learners.map((id) => ({ id, share: share(id) }))].slice(0, COPIES_SHOWN_MAX);
    }

    // Of a learner that much is solid as it has.
    #drawCopy(path, { id, share }, place, turns, isLost) {
        const outer = PRIMARY_INNER - COPY_GAP - place * (COPY_THICK + COPY_GAP);
        setAttributes(path, {
            d: bandPath(turns, outer - COPY_THICK, outer),
            class: `ring-copy ${share === undefined ? '' : 'is-learning'} ${isLost ? 'is-silent' : ''}`,
        });
        path.style.setProperty('--learned', share ?? 1);
        paint(path, this.#slots.of(id));
    }

    #flash({ kind, ranges }) {
        for (const row of this.#rows.filter(({ weftRange }) => ranges.includes(weftRange.range))) {
            const target = kind === 'primary' ? row.firstElementChild : row.lastElementChild;
            target.animate([{ opacity: 0.15 }, { opacity: 1 }], { duration: isCalm() ? 0 : 700, easing: 'ease-out' });
        }
    }

    #enter(row) {
        this.#rows[this.#focused]?.setAttribute('tabindex', -1);
        this.#focused = this.#rows.indexOf(row);
        row.setAttribute('tabindex', 0);
        this.#handlers.point(row.weftRange);
    }

    #turn(event) {
        const count = this.#rows.length;
        const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: count - 1, ArrowUp: count - 1, Home: count - this.#focused };
        const step = event.key === 'End' ? count - 1 - this.#focused : steps[event.key];
        if (event.key === 'Enter' || event.key === ' ') this.#handlers.pick(this.#rows[this.#focused].weftRange);
        else if (step !== undefined) this.#rows[(this.#focused + step) % count].focus();
        else return;
        event.preventDefault();
    }
}

const isCalm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

const isSilent = (view, id) => !view.nodeById.get(id)?.isAlive;

const paint = (node, slot) => node.style.setProperty('--paint', colorOf(slot));

function sentenceOf(range, view) {
    const name = (id) => view.nodeById.get(id)?.name ?? 'nobody';
    const learning = range.learners.length > 0 ? `, copied to ${range.learners.map(name).join(', ')}` : '';
    return `Range ${range.range}, led by ${name(range.primary)}, in sync on ${range.inSync.map(name).join(', ')}${learning}`;
}
