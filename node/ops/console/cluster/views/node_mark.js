// A node's colour and tag, wherever the node is named.

import { element } from '/app/views/dom.js';
import { COLORS, colorOf } from '../model/palette.js';

export function applyPalette() {
    COLORS.forEach(({ light, dark }, slot) => {
        document.documentElement.style.setProperty(`--node-${slot}`, `light-dark(${light}, ${dark})`);
    });
}

export function nodeMark(slots, id) {
    const mark = element('span', { class: 'node-mark', text: slots.tagOf(id), 'aria-hidden': 'true' });
    mark.style.setProperty('--mark', colorOf(slots.of(id)));
    return mark;
}

// With its name.
export function nodeName(slots, view, id) {
    const name = view.nodeById.get(id)?.name ?? (id || 'nobody');
    return element('span', { class: 'node-name' }, nodeMark(slots, id), element('span', { dir: 'auto', text: name }));
}
