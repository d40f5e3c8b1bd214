// The whole page of somebody who is signed in: list on one side, conversation on the other; on a phone one of them.

import { linkAs, threadFragment } from '../model/session.js';
import { canNotify, PushClient } from '../net/push_client.js';
import { appearanceButton } from './appearance.js';
import { avatar } from './avatar.js';
import { ConversationView } from './conversation_view.js';
import { field, showForm } from './dialog.js';
import { button, element, words } from './dom.js';
import { icon } from './icons.js';
import { opensMenu } from './menu.js';
import { newThreadDialog } from './thread_dialogs.js';
import { ThreadListView } from './thread_list_view.js';
import { announce, attempt, toast } from './toast.js';
import { plainText, threadTitle } from './wording.js';

const CONNECTION_WORDS = { idle: 'Offline', connecting: 'Connecting', open: 'Live', waiting: 'Reconnecting', refused: 'Signed out' };
const TICK_MS = 1000; // typing ends, waiting counts down

export class ChatView {
    constructor(store, { signOut }) {
        this.store = store;
        this.push = new PushClient(store.chat);
        this.signOut = signOut;
        this.list = new ThreadListView(store, (thread) => this.choose(thread.id));
        this.conversation = new ConversationView(store, { callout: (thread) => this.#callout(thread), close: () => this.choose() });
        this.connection = element('p', { class: 'connection', role: 'status' });
        this.banner = element('div', { class: 'banner', role: 'status', hidden: true });
        this.blank = this.#blankPane();
        this.node = element('div', { class: 'chat' }, this.#side(), element('main', { class: 'pane' }, this.banner, this.blank, this.conversation.node));
        store.addEventListener('change', () => this.#soon());
        store.addEventListener('connection', () => this.#soon());
        store.addEventListener('notice', (event) => toast(event.detail));
        store.addEventListener('arrived', (event) => this.#arrived(event.detail));
        store.addEventListener('withdrawn', (event) => announce(event.detail));
        document.addEventListener('visibilitychange', () => this.#soon());
        addEventListener('popstate', () => this.#follow());
        this.timer = setInterval(() => this.#draw(), TICK_MS);
        this.#draw();
    }

    // ---- which conversation

    choose(threadId) {
        const address = threadId ? `#${threadFragment(threadId)}` : location.pathname;
        if (threadId !== this.wanted) history.pushState(null, '', address);
        this.#want(threadId);
        if (threadId && matchMedia('(hover: hover)').matches) this.conversation.composer.focus();
    }

    // The thread may not be known yet: it is opened when it is.
    start(threadId) {
        this.#want(threadId);
    }

    #follow() {
        this.#want(new URLSearchParams(location.hash.slice(1)).get('thread') ?? undefined);
    }

    #want(threadId) {
        this.wanted = threadId;
        this.#draw();
    }

    get selected() {
        const thread = this.store.threads.get(this.wanted);
        return thread?.standing === 'deleted' ? undefined : thread;
    }

    // ---- drawing

    #soon() {
        this.frame ??= requestAnimationFrame(() => {
            this.frame = undefined;
            this.#draw();
        });
        // A page in the background gets no animation frames; its timer draws.
    }

    #draw() {
        const now = Date.now();
        const { selected } = this;
        if (selected !== this.opened) {
            this.opened = selected;
            if (selected) this.conversation.open(selected);
            else this.conversation.clear();
        }
        this.node.dataset.pane = selected ? 'conversation' : 'list';
        this.blank.hidden = Boolean(selected);
        this.conversation.node.hidden = !selected;
        if (selected) this.conversation.draw(now);
        this.list.draw(selected, now);
        this.#drawConnection(now);
        this.#drawTitle();
    }

    #drawConnection(now) {
        const { state, retryAt, hasBeenOpen } = this.store.connection;
        if (this.connection.textContent !== CONNECTION_WORDS[state]) this.connection.textContent = CONNECTION_WORDS[state];
        this.connection.dataset.state = state;
        const isShown = state === 'refused' || state === 'waiting' || (state === 'connecting' && hasBeenOpen);
        this.banner.hidden = !isShown;
        const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000));
        const signature = `${state}${seconds}`;
        if (!isShown || this.banner.weftSignature === signature) return;
        if (this.banner.weftSignature?.startsWith(state) && state === 'waiting') {
            this.banner.firstElementChild.textContent = waitingSentence(seconds);
        } else this.banner.replaceChildren(...this.#bannerParts(state, seconds));
        this.banner.weftSignature = signature;
    }

    #bannerParts(state, seconds) {
        if (state === 'refused') {
            return [element('span', { text: 'Your access token is no longer valid.' }), button('Give a new one', { kind: 'quiet' }, () => this.#newToken())];
        }
        const sentence = element('span', { text: state === 'waiting' ? waitingSentence(seconds) : 'Connecting again…' });
        return state === 'waiting' ? [sentence, button('Try now', { kind: 'quiet' }, () => this.store.realtime.hurry())] : [sentence];
    }

    #newToken() {
        const token = field('Access token', { tag: 'textarea', rows: 5, required: true, dir: 'ltr', class: 'mono' });
        showForm('New access token', [token.node], 'Use it', () => this.store.renewToken(token.input.value.trim()));
    }

    #drawTitle() {
        const { unread } = this.store;
        const name = this.selected ? threadTitle(this.selected) : this.store.session.user.name;
        document.title = `${unread ? `(${unread}) ` : ''}${name} · Weft`;
    }

    #arrived({ thread, message }) {
        const who = thread.nameOf(message.sender, message.senderName);
        const where = thread === this.selected ? '' : ` in ${threadTitle(thread)}`;
        announce(`${who}${where}: ${plainText(message).slice(0, 300)}`);
    }

    // ---- the side

    #side() {
        const { user } = this.store.session;
        const menu = button('Your menu', { icon: icon('more'), isIconOnly: true });
        opensMenu(menu, () => this.#menu());
        const head = element('header', { class: 'side-head' }, [
            element('img', { src: '/app/favicon.svg', alt: 'Weft', width: 30, height: 30 }),
            element('span', { class: 'side-title', text: 'Conversations' }),
            button('New conversation', { icon: icon('plus'), isIconOnly: true, kind: 'primary' }, () =>
                newThreadDialog(this.store, (thread) => this.choose(thread.id)),
            ),
        ]);
        const me = element('footer', { class: 'side-foot' }, [
            avatar(user.id, user.name),
            element('div', { class: 'me' }, words('span', user.name, { class: 'my-name' }), this.connection),
            appearanceButton(),
            menu,
        ]);
        return element('aside', { class: 'side' }, head, this.list.node, me);
    }

    #menu() {
        const { user, cast } = this.store.session;
        return [
            ...cast.map((other) => ({ label: `Open a window as ${other.name}`, icon: icon('window'), href: linkAs(other, this.wanted) })),
            { label: 'Copy my user id', icon: icon('copy'), click: () => this.#copy(user.id) },
            canNotify() && { label: this.push.isOn ? 'Stop notifying this browser' : 'Notify me when I am away', icon: icon('window'), click: () => this.#notify() },
            { label: 'Sign out', icon: icon('leave'), click: () => this.#leave() },
        ];
    }

    async #notify() {
        const { isOn } = this.push;
        try {
            await (isOn ? this.push.stop() : this.push.start());
        } catch (error) {
            return toast(error.message);
        }
        return toast(isOn ? 'This browser is not told any more.' : 'This browser is told while you are away.');
    }

    // Who signs in here next is somebody else.
    async #leave() {
        if (this.push.isOn) await this.push.stop().catch(() => {});
        this.signOut();
    }

    async #copy(text) {
        await attempt(() => navigator.clipboard.writeText(text));
        toast('Copied.');
    }

    // The people made on the first screen, each a click away.
    #callout(thread) {
        const others = this.store.session.cast.filter(({ id }) => thread.people.has(id));
        if (others.length === 0) return undefined;
        const links = others.map((other) =>
            element('a', { class: 'button primary', href: linkAs(other, thread.id), target: '_blank', rel: 'noopener' }, icon('window'), words('span', `Open a window as ${other.name}`)),
        );
        return element('div', { class: 'callout' }, element('p', { text: `You are ${this.store.session.user.name} here. Be somebody else in a second window, side by side:` }), element('div', { class: 'callout-links' }, links));
    }

    #blankPane() {
        return element('div', { class: 'blank' }, element('img', { src: '/app/favicon.svg', alt: '', width: 64, height: 64 }), element('p', { text: 'Choose a conversation, or start one.' }));
    }
}

function waitingSentence(seconds) {
    return `The connection is lost. Trying again ${seconds > 0 ? `in ${seconds} s` : 'now'}.`;
}
