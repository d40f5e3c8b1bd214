// Moves under way: a thread from the source by way of the range's segment to the target, bright as far as it has come.

import { colorOf } from '../model/palette.js';
import { curvePath, moveCurve, pointAt, pointOnCurve, turnsOf } from '../model/ring.js';
import { progressOf, waitsFor } from '../model/view.js';
import { setAttributes, svg } from './svg.js';

const WAY_RADIUS = 366;
const FADE_MS = 700;
const BRIEF_MS = 1100;
// More at once than this nobody can follow.
const BRIEF_MAX = 24;

export class MovesLayer {
    #slots;
    #byKey = new Map();
    #lastNumber = 0;

    constructor({ slots }) {
        this.#slots = slots;
        this.node = svg('g', { class: 'ring-moves', 'aria-hidden': 'true' });
    }

    // `changes` since the last view: what has already ended is shown in passing.
    update(view, places, changes) {
        const drawn = new Set([...this.#byKey.values()].map(({ dataset }) => dataset.range));
        for (const move of briefMoves(changes).slice(0, BRIEF_MAX)) {
            if (!drawn.has(String(move.range))) this.#pass(move, view, places);
        }
        const present = new Set();
        for (const move of view.moves) {
            const range = view.rangeByNumber.get(move.range);
            if (!range) continue;
            present.add(move.key);
            if (!this.#byKey.has(move.key)) this.#byKey.set(move.key, this.#build());
            this.#draw(this.#byKey.get(move.key), move, range, view, places);
        }
        for (const [key, group] of this.#byKey) if (!present.has(key)) this.#end(key, group);
    }

    #build() {
        const id = `thread-${++this.#lastNumber}`;
        const gradient = svg('linearGradient', { id, gradientUnits: 'userSpaceOnUse' }, svg('stop', { offset: 0 }), svg('stop', { offset: 1 }));
        const stroke = { stroke: `url(#${id})`, pathLength: 1 };
        const group = svg(
            'g',
            { class: 'ring-move' },
            gradient,
            svg('path', { class: 'move-way', ...stroke }),
            svg('path', { class: 'move-done', ...stroke }),
            svg('path', { class: 'move-flow', pathLength: 1 }),
            svg('circle', { class: 'move-pip', r: 7 }),
            svg('circle', { class: 'move-head', r: 9 }),
        );
        this.node.append(group);
        return group;
    }

    #draw(group, move, range, view, places) {
        const [gradient, way, done, flow, pip, head] = group.children;
        const { from, to } = turnsOf(range, view.ranges.length);
        const segment = pointAt((from + to) / 2, WAY_RADIUS);
        // Who is not among the nodes, as when a copy is only dropped, is stood for by the segment.
        const curve = moveCurve(places.get(move.from) ?? segment, places.get(move.to) ?? segment, segment);
        const share = progressOf(move);
        const at = pointOnCurve(curve, share);
        group.setAttribute('data-kind', move.kind);
        group.setAttribute('data-range', move.range);
        group.classList.toggle('is-waiting', waitsFor(view, move) !== undefined);
        for (const path of [way, done, flow]) setAttributes(path, { d: curvePath(curve) });
        setAttributes(gradient, { x1: curve.from.x, y1: curve.from.y, x2: curve.to.x + 0.01, y2: curve.to.y });
        gradient.children[0].style.stopColor = colorOf(this.#slots.of(move.from || move.to));
        gradient.children[1].style.stopColor = colorOf(this.#slots.of(move.to || move.from));
        done.style.strokeDashoffset = 1 - share;
        setAttributes(pip, { cx: segment.x.toFixed(1), cy: segment.y.toFixed(1) });
        head.style.transform = `translate(${at.x.toFixed(1)}px, ${at.y.toFixed(1)}px)`;
        head.style.fill = colorOf(this.#slots.of(move.to || move.from));
    }

    #pass(move, view, places) {
        const range = view.rangeByNumber.get(move.range);
        if (!range) return;
        const group = this.#build();
        this.#draw(group, move, range, view, places);
        group.classList.add('is-brief');
        group.children[2].animate([{ strokeDashoffset: 1 }, { strokeDashoffset: 0 }], { duration: BRIEF_MS, easing: 'ease-in-out' });
        setTimeout(() => this.#end('', group), BRIEF_MS);
    }

    #end(key, group) {
        this.#byKey.delete(key);
        group.classList.add('is-over');
        setTimeout(() => group.remove(), FADE_MS);
    }
}

// A copy counts, and then the hand-over of the same range to the same node does not.
function briefMoves(changes) {
    const moves = new Map();
    for (const { kind, node, ranges, froms } of changes) {
        if (kind !== 'primary' && kind !== 'inSync') continue;
        ranges.forEach((range, at) => {
            const move = { range, kind: kind === 'inSync' ? 'copy' : kind, from: froms[at], to: node, bytesDone: 1, bytesTotal: 1 };
            if (kind === 'inSync' || !moves.has(range)) moves.set(range, move);
        });
    }
    return [...moves.values()].filter(({ from, to }) => from && from !== to);
}
