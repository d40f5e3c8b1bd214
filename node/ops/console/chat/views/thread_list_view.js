// The list of conversations with what was said last, and how much of it is unread.

import { avatar } from './avatar.js';
import { element, reconcile, words } from './dom.js';
import { previewSentence, shortTime, threadTitle, typingSentence } from './wording.js';

export class ThreadListView {
    constructor(store, choose) {
        this.store = store;
        this.choose = choose;
        this.rows = element('ul', { class: 'thread-rows', 'aria-label': 'Conversations' });
        this.empty = element('p', { class: 'list-empty', hidden: true });
        this.node = element('nav', { class: 'thread-list', 'aria-label': 'Conversations' }, this.rows, this.empty);
    }

    draw(selected, now) {
        const threads = this.store.list;
        reconcile(
            this.rows,
            threads.map((thread) => this.#row(thread, thread === selected, now)),
        );
        this.empty.hidden = threads.length > 0;
        this.empty.textContent = this.store.isListed ? 'No conversations yet. Start one with +.' : 'Loading…';
    }

    #row(thread, isSelected, now) {
        const title = threadTitle(thread);
        const typing = typingSentence(thread.typists(now));
        const shown = {
            title,
            isSelected,
            preview: typing ? `${typing}…` : previewSentence(thread).slice(0, 160),
            isTyping: Boolean(typing),
            at: shortTime(thread.activityAt, now),
            unread: isSelected && !document.hidden ? 0 : thread.unread,
            hasMore: thread.hasOlder && thread.unread === thread.shown.length,
            standing: thread.standing,
            faces: faces(thread),
        };
        const build = () => this.#build(thread, shown);
        return { key: thread.id, signature: JSON.stringify(shown), build };
    }

    #build(thread, { title, isSelected, preview, isTyping, at, unread, hasMore, standing, faces: people }) {
        const badge = unread > 0 && element('span', { class: 'badge', text: `${unread}${hasMore ? '+' : ''}` });
        if (badge) badge.append(element('span', { class: 'unseen', text: ' unread' }));
        const row = element(
            'button',
            {
                type: 'button',
                class: `thread-row ${isSelected ? 'selected' : ''} ${unread ? 'unread' : ''} ${standing}`.trim(),
                'data-part': 'open',
                'aria-current': isSelected ? 'true' : false,
                on: { click: () => this.choose(thread) },
            },
            stack(people),
            element('span', { class: 'thread-words' }, [
                words('span', title, { class: 'thread-title' }),
                words('span', standing === 'left' ? 'No longer a participant' : preview, {
                    class: `thread-preview ${isTyping ? 'typing' : ''}`.trim(),
                }),
            ]),
            element('span', { class: 'thread-side' }, element('time', { text: at }), badge),
        );
        return element('li', {}, row);
    }
}

function faces(thread) {
    const others = thread.others.slice(0, 2).map((id) => [id, thread.nameOf(id)]);
    return others.length > 0 ? others : [[thread.id, threadTitle(thread)]];
}

export function stack(people) {
    const kind = people.length > 1 ? 'stacked' : '';
    return element('span', { class: `faces ${kind}`.trim() }, people.map(([id, name]) => avatar(id, name)));
}
