// A small menu under a button. Keys as in the ARIA menu button pattern.

import { element } from './dom.js';

// `items()` gives [{label, icon, click, isDanger, href}]; null entries are left out. Asked at each opening.
export function opensMenu(trigger, items) {
    trigger.setAttribute('aria-haspopup', 'menu');
    trigger.setAttribute('aria-expanded', 'false');
    trigger.addEventListener('click', (event) => {
        event.stopPropagation();
        open(trigger, items().filter(Boolean));
    });
}

function open(trigger, items) {
    const menu = element('div', { class: 'menu', role: 'menu', popover: 'auto' });
    menu.append(...items.map((item) => entry(menu, item)));
    menu.addEventListener('keydown', (event) => moveFocus(menu, event));
    menu.addEventListener('toggle', (event) => {
        trigger.setAttribute('aria-expanded', String(event.newState === 'open'));
        if (event.newState === 'closed') closed(menu, trigger);
    });
    document.body.append(menu);
    menu.showPopover();
    place(menu, trigger.getBoundingClientRect());
    menu.firstElementChild.focus();
}

function closed(menu, trigger) {
    const hadFocus = menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (hadFocus) trigger.focus();
}

function entry(menu, { label, icon, click, isDanger, href }) {
    const tag = href ? 'a' : 'button';
    const link = href ? { href, target: '_blank', rel: 'noopener' } : { type: 'button' };
    const choose = () => {
        menu.hidePopover();
        click?.();
    };
    const names = { class: `menu-item ${isDanger ? 'danger' : ''}`.trim(), role: 'menuitem', tabIndex: -1 };
    return element(tag, { ...names, ...link, on: { click: choose } }, icon, element('span', { dir: 'auto', text: label }));
}

function moveFocus(menu, event) {
    const entries = [...menu.children];
    const at = entries.indexOf(document.activeElement);
    const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === 'Tab') menu.hidePopover();
    if (target === undefined) return;
    event.preventDefault();
    entries.at(target % entries.length).focus();
}

function place(menu, anchor) {
    const margin = 8;
    const { width, height } = menu.getBoundingClientRect();
    const left = Math.min(Math.max(anchor.right - width, margin), innerWidth - width - margin);
    const hasRoomBelow = anchor.bottom + height + margin <= innerHeight;
    const top = hasRoomBelow ? anchor.bottom + 4 : Math.max(anchor.top - height - 4, margin);
    menu.style.left = `${left}px`;
    menu.style.top = `${top}px`;
}
