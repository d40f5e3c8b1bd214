// A number of one node over the last minutes.

import { element } from '/app/views/dom.js';
import { sparkArea, sparkPath } from '../model/history.js';
import { setAttributes, svg } from './svg.js';

const WIDTH = 96;
const HEIGHT = 26;
const WINDOW_MS = 180000;
const WINDOW_MIN_MS = 30000;

// As long as there is something to show, within bounds; the same for all nodes.
export function windowOf(lists, now) {
    const oldest = Math.min(now, ...lists.flat().map(({ at }) => at));
    return Math.min(WINDOW_MS, Math.max(WINDOW_MIN_MS, now - oldest));
}

export class Sparkline {
    #lines;
    #area = svg('path', { class: 'spark-area' });
    #label = element('span', { class: 'spark-label' });

    // `names`: of the numbers, the strongest line first.
    constructor(names) {
        this.names = names;
        this.#lines = names.map((name, at) => svg('path', { class: at === 0 ? 'spark-line' : 'spark-line is-faint' }));
        const box = { class: 'spark', viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' };
        this.node = element('div', { class: 'spark-cell' }, this.#label, svg('svg', box, this.#area, ...this.#lines));
    }

    // `top` is the same for all nodes, so that lines can be compared down the list.
    update(samples, { label, title, top, now, windowMs }) {
        if (this.#label.textContent !== label) this.#label.textContent = label;
        this.node.title = title;
        const box = { width: WIDTH, height: HEIGHT, windowMs, top, now };
        setAttributes(this.#area, { d: sparkArea(samples, this.names[0], box) || 'M0 0' });
        this.names.forEach((name, at) => {
            setAttributes(this.#lines[at], { d: sparkPath(samples, name, box) || 'M0 0' });
        });
    }
}
