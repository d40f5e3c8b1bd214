// The open conversation: its head, its lines, and where one writes.

import { ComposerView } from './composer_view.js';
import { button, element, words } from './dom.js';
import { icon } from './icons.js';
import { opensMenu } from './menu.js';
import { MessageListView } from './message_list_view.js';
import { deleteMessageDialog, deleteThreadDialog, leaveDialog, messageDetails, peopleDialog, renameDialog } from './thread_dialogs.js';
import { stack } from './thread_list_view.js';
import { attempt, toast } from './toast.js';
import { nameList, plainText, threadTitle } from './wording.js';

export class ConversationView {
    // `callout()` gives a node for the top of a conversation, or undefined; `close()` goes back to the list.
    constructor(store, { callout, close }) {
        this.store = store;
        this.callout = callout;
        this.close = close;
        this.head = element('header', { class: 'conversation-head' });
        this.lines = new MessageListView(this.#lineHooks());
        this.composer = new ComposerView(this.#composerHooks());
        this.node = element('section', { class: 'conversation', 'aria-label': 'Conversation' }, this.head, this.lines.node, this.composer.node);
    }

    #lineHooks() {
        return {
            older: () => this.thread && attempt(() => this.store.loadOlder(this.thread)),
            read: () => this.#read(),
            edit: (message) => this.composer.edit(message),
            remove: (message) => deleteMessageDialog(this.store, this.thread, message),
            details: (message) => messageDetails(this.thread, message),
            copy: (message) => this.#copy(plainText(message)),
            retry: (own) => this.store.retry(this.thread, own.id),
            discard: (own) => this.store.discard(this.thread, own.id),
        };
    }

    #composerHooks() {
        return {
            send: (text, type) => {
                this.lines.toEnd();
                this.store.send(this.thread, text, type);
            },
            edit: (message, text) => attempt(() => this.store.editMessage(this.thread, message.id, text)),
            typing: () => this.store.noteTyping(this.thread),
            editLast: () => {
                const own = this.thread.lastOwn;
                if (own) this.composer.edit(own);
                return Boolean(own);
            },
        };
    }

    open(thread) {
        this.thread = thread;
        this.lines.reset(thread);
        this.composer.open(thread);
        this.headSignature = undefined;
        attempt(() => this.store.open(thread)).then(() => thread === this.thread && this.#read());
    }

    // Nothing of a conversation that is out of sight stays in the page.
    clear() {
        this.thread = undefined;
        this.lines.clear();
    }

    draw(now) {
        const { thread } = this;
        this.#drawHead();
        const isOnline = this.store.connection.state === 'open';
        this.lines.draw(thread, { isOnline, now, callout: this.callout(thread) });
        this.composer.draw(thread);
        this.#read();
    }

    // Read is what was in sight: the page in front, the end of the conversation on it.
    #read() {
        if (this.thread && !document.hidden && this.lines.isAtEnd && this.thread.isLoaded) this.store.markRead(this.thread);
    }

    #drawHead() {
        const { thread } = this;
        const names = thread.others.map((id) => thread.nameOf(id));
        const people = thread.standing === 'left' ? 'No longer a participant' : names.length > 0 ? nameList(['You', ...names], 5) : 'Only you';
        const signature = JSON.stringify([thread.id, threadTitle(thread), people, thread.standing]);
        if (signature === this.headSignature) return;
        this.headSignature = signature;
        const faces = thread.others.slice(0, 2).map((id) => [id, thread.nameOf(id)]);
        const isMember = thread.standing === 'member';
        const peopleButton = button('People', { icon: icon('people'), isIconOnly: true, disabled: !isMember }, () => peopleDialog(this.store, thread));
        const more = button('Conversation menu', { icon: icon('more'), isIconOnly: true, disabled: !isMember });
        opensMenu(more, () => this.#menu(thread));
        this.head.replaceChildren(
            button('Back to conversations', { icon: icon('back'), isIconOnly: true, kind: 'back' }, () => this.close()),
            stack(faces.length > 0 ? faces : [[thread.id, threadTitle(thread)]]),
            element('div', { class: 'conversation-names' }, words('h1', threadTitle(thread)), words('p', people)),
            peopleButton,
            more,
        );
    }

    #menu(thread) {
        return [
            { label: 'Rename', icon: icon('pencil'), click: () => renameDialog(this.store, thread) },
            { label: 'Copy thread id', icon: icon('copy'), click: () => this.#copy(thread.id) },
            { label: 'Leave', icon: icon('leave'), click: () => leaveDialog(this.store, thread) },
            { label: 'Delete', icon: icon('trash'), isDanger: true, click: () => deleteThreadDialog(this.store, thread, () => this.close()) },
        ];
    }

    async #copy(text) {
        await attempt(() => navigator.clipboard.writeText(text));
        toast('Copied.');
    }
}
