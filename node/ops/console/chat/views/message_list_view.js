// The lines of one conversation, oldest above. Stays at the end while the reader is there; stays where the reader is when
// she is not.

import { button, element, reconcile, words } from './dom.js';
import { icon } from './icons.js';
import { dayLine, messageLine, unreadLine, waitingLine } from './message_view.js';
import { isFromUser } from '../model/message.js';
import { dayOf, typingSentence } from './wording.js';

const GROUP_MS = 5 * 60 * 1000;
const NEAR_END_PX = 60;
const NEAR_TOP_PX = 120;

export class MessageListView {
    // `hooks` as in message_view, and `older()`, `read()`.
    constructor(hooks) {
        this.hooks = hooks;
        this.lines = element('ol', { class: 'lines' });
        this.older = button('Earlier messages', { kind: 'quiet' }, () => hooks.older());
        this.top = element('div', { class: 'history-top' });
        this.typing = element('p', { class: 'typing-line', 'aria-live': 'polite' });
        this.scroller = element(
            'div',
            { class: 'scroller', tabIndex: 0, role: 'log', 'aria-live': 'off', 'aria-label': 'Messages' },
            this.top,
            this.lines,
            this.typing,
        );
        this.jump = button('Newest messages', { icon: icon('down'), isIconOnly: true, kind: 'jump', hidden: true }, () => this.toEnd());
        this.node = element('div', { class: 'messages' }, this.scroller, this.jump);
        this.scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
        new ResizeObserver(() => this.isAtEnd && this.toEnd()).observe(this.scroller);
        this.isAtEnd = true;
    }

    // Another conversation: its end, and its line above what is new.
    reset(thread) {
        this.clear();
        this.isAtEnd = true;
        this.newFrom = thread.firstUnread?.id;
    }

    clear() {
        this.lines.replaceChildren();
    }

    draw(thread, { isOnline, now, callout }) {
        const anchor = this.isAtEnd ? undefined : this.#anchor();
        this.#drawTop(thread, callout);
        reconcile(this.lines, this.#items(thread, isOnline, now));
        this.#drawTyping(thread, now);
        if (this.isAtEnd) this.toEnd();
        else this.#restore(anchor);
        this.#showJump();
    }

    #drawTop(thread, callout) {
        const signature = `${thread.id}|${thread.hasOlder}|${thread.isLoaded}|${Boolean(callout)}`;
        if (this.top.weftSignature === signature) return;
        this.top.weftSignature = signature;
        if (!thread.isLoaded) this.top.replaceChildren(element('p', { class: 'hint', text: 'Loading…' }));
        else if (thread.hasOlder) this.top.replaceChildren(this.older);
        else this.top.replaceChildren(...[words('p', 'The beginning of this conversation', { class: 'hint' }), callout].filter(Boolean));
    }

    #items(thread, isOnline, now) {
        const items = [];
        const shown = thread.shown;
        const readers = thread.readers;
        shown.forEach((message, at) => {
            const before = shown[at - 1];
            if (!before || dayOf(before.createdAt) !== dayOf(message.createdAt)) items.push(dayLine(message.createdAt, now));
            const isNewFrom = message.id === this.newFrom;
            if (isNewFrom) items.push(unreadLine());
            const place = {
                isFirst: isNewFrom || !belongTogether(before, message),
                isLast: shown[at + 1]?.id === this.newFrom || !belongTogether(message, shown[at + 1]),
            };
            items.push(messageLine(thread, message, { ...place, readers: readers.get(message.id) ?? [], hooks: this.hooks }));
        });
        for (const own of thread.waiting) items.push(waitingLine(own, isOnline, this.hooks));
        return items;
    }

    #drawTyping(thread, now) {
        const sentence = typingSentence(thread.typists(now));
        if (this.typing.weftSignature === sentence) return;
        this.typing.weftSignature = sentence;
        const dots = element('span', { class: 'dots', 'aria-hidden': 'true' }, [1, 2, 3].map(() => element('i')));
        this.typing.replaceChildren(...(sentence ? [dots, words('span', sentence)] : []));
    }

    toEnd() {
        this.isAtEnd = true;
        this.scroller.scrollTop = this.scroller.scrollHeight;
    }

    #scrolled() {
        const { scrollTop, scrollHeight, clientHeight } = this.scroller;
        this.isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
        if (scrollTop < NEAR_TOP_PX && this.older.isConnected) this.hooks.older();
        if (this.isAtEnd) this.hooks.read();
        this.#showJump();
    }

    #showJump() {
        this.jump.hidden = this.isAtEnd;
    }

    // The first message in sight, and where it stands. (Lines between days move when older messages come.)
    #anchor() {
        const edge = this.scroller.getBoundingClientRect().top;
        const isInSight = (node) => node.dataset.id && node.getBoundingClientRect().bottom > edge;
        const line = [...this.lines.children].find(isInSight);
        return line && { key: line.weftKey, top: line.getBoundingClientRect().top };
    }

    #restore(anchor) {
        const line = anchor && [...this.lines.children].find((node) => node.weftKey === anchor.key);
        if (line) this.scroller.scrollTop += line.getBoundingClientRect().top - anchor.top;
    }
}

function belongTogether(a, b) {
    const areBoth = a && b && isFromUser(a) && isFromUser(b) && a.sender === b.sender;
    return Boolean(areBoth) && b.createdAt - a.createdAt < GROUP_MS && dayOf(a.createdAt) === dayOf(b.createdAt);
}
