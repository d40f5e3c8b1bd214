// What happened while the page was open, the newest first; said to screen readers as it comes.

import { element, words } from '/app/views/dom.js';

const KEPT_MAX = 60;
const LOUD = new Set(['died', 'left', 'joined', 'returned', 'paused', 'resumed', 'draining', 'split']);

export class ActivityView {
    #list = element('ol', { class: 'activity', role: 'log', 'aria-label': 'Activity', tabIndex: 0 });
    #none = words('p', 'Nothing has changed since this page was opened.', { class: 'none' });
    node = element('div', {}, this.#none, this.#list);

    add(changes, at) {
        const time = new Date(at);
        for (const { kind, text } of changes) {
            const clock = element('time', { dateTime: time.toISOString(), text: time.toLocaleTimeString('en-GB') });
            const className = LOUD.has(kind) ? `event is-loud is-${kind}` : 'event';
            this.#list.prepend(element('li', { class: className }, clock, words('span', text)));
        }
        while (this.#list.children.length > KEPT_MAX) this.#list.lastElementChild.remove();
        this.#none.hidden = this.#list.children.length > 0;
        this.#list.hidden = !this.#none.hidden;
    }
}
