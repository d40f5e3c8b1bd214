// Moves under way: from where to where, how far, how fast, how long still.

import { element, reconcile, words } from '/app/views/dom.js';
import { bytes, bytesPerSecond, duration } from '../model/format.js';
import { colorOf } from '../model/palette.js';
import { progressOf, timeLeft, waitsFor } from '../model/view.js';
import { nodeName } from './node_mark.js';

const KINDS = { copy: 'Copy', primary: 'Hand-over', drop: 'Drop' };

export class MoveListView {
    #slots;
    #list = element('ul', { class: 'moves', 'aria-label': 'Moves under way' });
    #none = words('p', '', { class: 'none' });

    constructor({ slots, pointRange }) {
        this.#slots = slots;
        this.pointRange = pointRange;
        this.node = element('div', {}, this.#none, this.#list);
    }

    update(view) {
        this.#none.hidden = view.moves.length > 0;
        this.#none.textContent = stillness(view);
        reconcile(this.#list, view.moves.map((move) => ({ key: move.key, signature: move.key, build: () => this.#build(move, view) })));
        view.moves.forEach((move, at) => draw(this.#list.children[at], move, waitsFor(view, move)));
    }

    #build(move, view) {
        const ends = [move.from, move.to].filter(Boolean).map((id) => nodeName(this.#slots, view, id));
        const note = element('span', { class: 'move-note' });
        const head = element(
            'div',
            { class: 'move-head-line' },
            element('span', { class: 'move-title', text: `${KINDS[move.kind] ?? move.kind} of range ${move.range}` }),
            ends[0],
            ends.length > 1 && element('span', { class: 'move-arrow', text: '→', 'aria-label': 'to' }),
            ends[1],
            note,
        );
        const fill = element('span', { class: 'progress-fill' });
        fill.style.setProperty('--mark', colorOf(this.#slots.of(move.to || move.from)));
        const bar = element('div', { class: 'progress', role: 'progressbar', 'aria-label': `Range ${move.range}`, 'aria-valuemin': 0, 'aria-valuemax': 100 }, fill);
        const node = element(
            'li',
            { class: 'move', on: { pointerenter: () => this.pointRange(move.range), pointerleave: () => this.pointRange(undefined) } },
            head,
            bar,
        );
        return Object.assign(node, { weftParts: { fill, bar, note } });
    }
}

function draw(node, move, waited) {
    const { fill, bar, note } = node.weftParts;
    const share = progressOf(move);
    fill.style.transform = `scaleX(${share})`;
    bar.classList.toggle('is-unknown', move.bytesTotal <= 0);
    if (move.bytesTotal > 0) bar.setAttribute('aria-valuenow', Math.round(share * 100));
    note.textContent = wordsOf(move, waited);
}

function wordsOf(move, waited) {
    const parts = [waited ? `waits for ${waited.name}` : move.state];
    if (move.bytesTotal > 0) {
        parts.push(`${bytes(move.bytesDone)} of ${bytes(move.bytesTotal)}`);
        if (move.bytesPerSecond > 0) parts.push(bytesPerSecond(move.bytesPerSecond), `${duration(timeLeft(move))} left`);
    }
    return parts.filter(Boolean).join(' · ');
}

function stillness({ balancer, nodes }) {
    if (nodes.length === 0) return 'Nothing is moving.';
    if (nodes.length === 1) return 'One node: there is nowhere to move to. Start another with --join, and ranges move to it by themselves.';
    if (balancer.isPaused) return 'Paused: nothing is moved until rebalancing is resumed.';
    const silent = nodes.filter((node) => !node.isAlive).map((node) => node.name);
    if (silent.length > 0) return `Nothing is moving; what ${silent.join(', ')} should hold waits, or is copied to others in time.`;
    return balancer.isBalanced ? 'Balanced: nothing has to move.' : 'None at this moment; those that end within a second are told under Activity.';
}
