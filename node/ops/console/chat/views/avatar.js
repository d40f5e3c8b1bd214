// A coloured disc with initials: the same person, the same colour on this page.

import { element } from './dom.js';

const TINTS = 10;

export function avatar(id, name, kind = '') {
    const node = element('span', { class: `avatar tint-${tint(id)} ${kind}`.trim(), 'aria-hidden': 'true' });
    node.textContent = initials(name);
    return node;
}

const taken = new Map(); // id → tint

// The id decides; the next free colour is taken while there is one, since few people should not look alike.
function tint(id) {
    if (!taken.has(id)) taken.set(id, freeTint(id));
    return taken.get(id);
}

function freeTint(id) {
    let sum = 7;
    for (const character of id) sum = (sum * 31 + character.codePointAt(0)) >>> 0;
    const used = new Set(taken.values());
    const wishes = Array.from({ length: TINTS }, (_, at) => (sum + at) % TINTS);
    return wishes.find((wish) => !used.has(wish)) ?? wishes[0];
}

function initials(name) {
    const parts = name.trim().split(/\s+/u).filter(Boolean);
    const first = [...(parts[0] ?? '?')][0];
    const last = parts.length > 1 ? [...parts.at(-1)][0] : '';
    return (first + last).toLocaleUpperCase();
}
