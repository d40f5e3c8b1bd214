// The nodes inside the ring: as large as their share of the load, with their state.

import { colorOf } from '../model/palette.js';
import { resize, setAttributes, svg } from './svg.js';

const RADIUS_MIN = 27;
const RADIUS_MORE = 17;
const NAME_LETTERS_MAX = 11;

export class NodesLayer {
    #slots;
    #pointNode;

    constructor({ slots, pointNode }) {
        this.#slots = slots;
        this.#pointNode = pointNode;
        this.node = svg('g', { class: 'ring-nodes', 'aria-hidden': 'true' });
    }

    update(view, places) {
        resize(this.node, view.nodes.length, () => this.#build());
        view.nodes.forEach((node, at) => this.#draw(this.node.children[at], node, places.get(node.id), view));
    }

    emphasize(id) {
        for (const group of this.node.children) group.classList.toggle('is-bright', group.weftId === id);
    }

    #build() {
        const group = svg(
            'g',
            { class: 'ring-node', on: { pointerenter: () => this.#pointNode(group.weftId), pointerleave: () => this.#pointNode(undefined) } },
            svg('circle', { class: 'ring-node-halo' }),
            svg('circle', { class: 'ring-node-disc' }),
            svg('text', { class: 'ring-node-tag', y: 9 }),
            svg('text', { class: 'ring-node-name' }),
        );
        return group;
    }

    #draw(group, node, { x, y }, view) {
        const [halo, disc, tag, name] = group.children;
        const even = 1 / Math.max(1, view.totals.alive);
        const radius = RADIUS_MIN + RADIUS_MORE * Math.min(1, node.load.share / (2 * even));
        group.weftId = node.id;
        group.style.setProperty('--paint', colorOf(this.#slots.of(node.id)));
        group.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
        group.setAttribute('data-state', !node.isAlive ? 'silent' : node.isDraining ? 'draining' : 'alive');
        group.classList.toggle('is-busy', node.isAlive && node.load.deliveriesPerSecond >= 1);
        setAttributes(halo, { r: (radius + 9).toFixed(1) });
        setAttributes(disc, { r: radius.toFixed(1) });
        setAttributes(name, { y: (radius + 30).toFixed(1) });
        tag.textContent = node.isAlive ? this.#slots.tagOf(node.id) : '✕';
        name.textContent = shortened(node.name);
    }
}

const shortened = (name) => (name.length > NAME_LETTERS_MAX ? `${name.slice(0, NAME_LETTERS_MAX - 1)}…` : name);
