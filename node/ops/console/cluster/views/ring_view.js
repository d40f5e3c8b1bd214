// The ring: a segment per range coloured by its primary, thin bands for the copies, the nodes inside, and on top the moves.
// One stop for the keyboard; arrows go from range to range.

import { element } from '/app/views/dom.js';
import { rate } from '../model/format.js';
import { nodePoints } from '../model/ring.js';
import { MovesLayer } from './ring_moves.js';
import { NodesLayer } from './ring_nodes.js';
import { RangesLayer } from './ring_ranges.js';
import { svg } from './svg.js';

// Many nodes need a wider circle to stand apart.
const NODES_RADIUS = 226;
const NODES_RADIUS_WIDE = 264;
const WIDE_ABOVE = 8;
// The middle of the outer band: what is seen of a ring without ranges.
const TRACK_RADIUS = 459;

export class RingView {
    #ranges;
    #nodes;
    #moves;
    #total = svg('text', { class: 'ring-total', y: 4 });
    #unit = svg('text', { class: 'ring-unit', y: 36 });
    #drawing;

    // `point(range)` when a range is under the pointer or has the focus, undefined when none; `pick(range)` when chosen;
    // `pointNode(id)` the same for nodes.
    constructor({ slots, point, pick, pointNode }) {
        this.#ranges = new RangesLayer({ slots, point, pick });
        this.#nodes = new NodesLayer({ slots, pointNode });
        this.#moves = new MovesLayer({ slots });
        const middle = svg('g', { class: 'ring-middle', 'aria-hidden': 'true' }, this.#total, this.#unit);
        this.#drawing = svg(
            'svg',
            { class: 'ring', viewBox: '-500 -500 1000 1000', on: { pointerleave: () => point(undefined) } },
            svg('circle', { class: 'ring-track', r: TRACK_RADIUS }),
            this.#ranges.node,
            this.#moves.node,
            middle,
            this.#nodes.node,
        );
        this.node = element('figure', { class: 'ring-figure' }, this.#drawing);
    }

    update(view, changes) {
        const points = nodePoints(view.nodes.length, view.nodes.length > WIDE_ABOVE ? NODES_RADIUS_WIDE : NODES_RADIUS);
        const places = new Map(view.nodes.map((node, at) => [node.id, points[at]]));
        this.#ranges.update(view, changes);
        this.#nodes.update(view, places);
        this.#moves.update(view, places, changes);
        const isShown = view.nodes.length > 1;
        this.#total.textContent = isShown ? rate(view.totals.deliveriesPerSecond) : '';
        this.#unit.textContent = isShown ? 'deliveries/s' : '';
    }

    // Lets what a node holds stand out; undefined: nothing.
    emphasize(id) {
        this.#drawing.classList.toggle('is-emphasizing', id !== undefined);
        this.#ranges.emphasize(id);
        this.#nodes.emphasize(id);
    }

    // Marks the range whose details stay open; undefined: none.
    mark(number) {
        this.#ranges.mark(number);
    }
}
