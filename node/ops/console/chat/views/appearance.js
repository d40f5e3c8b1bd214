// Light, dark, or as the system says; remembered in this browser.

import { button } from './dom.js';
import { icon } from './icons.js';

const KEY = 'weft.appearance';
const CHOICES = ['system', 'light', 'dark'];
const ICONS = { system: 'half', light: 'sun', dark: 'moon' };

function current() {
    const kept = localStorage.getItem(KEY);
    return CHOICES.includes(kept) ? kept : 'system';
}

export function applyAppearance() {
    document.documentElement.dataset.appearance = current();
}

export function appearanceButton() {
    const turn = () => {
        localStorage.setItem(KEY, CHOICES[(CHOICES.indexOf(current()) + 1) % CHOICES.length]);
        applyAppearance();
        label();
    };
    const node = button('Appearance', { icon: icon('half'), isIconOnly: true }, turn);
    const label = () => {
        node.replaceChildren(icon(ICONS[current()]));
        node.title = `Appearance: ${current()}`;
        node.setAttribute('aria-label', node.title);
    };
    label();
    return node;
}
