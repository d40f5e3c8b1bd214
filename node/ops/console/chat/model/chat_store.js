// Everything the signed-in user sees: her threads, kept true by REST once and by real time from then on. Views read it,
// call its verbs, and draw again when it says 'change'. Other events: 'connection', 'session', 'cast', 'notice' (a
// sentence), 'arrived' (a message), 'withdrawn' (what was said before is not to be said again).

import { ChatClient, participant, rawId } from '../net/chat_client.js';
import { IdentityClient } from '../net/identity_client.js';
import { RealtimeClient } from '../net/realtime_client.js';
import { compareIds, isFromUser } from './message.js';
import { Thread } from './thread.js';

const PAGE_SIZE = 50;
const THREADS_LOADED_MAX = 60; // at sign-in; the others when they are opened
const LOADS_AT_ONCE = 3;
const ANNOTATE_OFFSETS_MAX = 500; // older pages learn their offsets by a resume no longer than this
const TYPING_EVERY_MS = 4000;
const RENEW_EVERY_MS = 60000;

export class ChatStore extends EventTarget {
    constructor(session) {
        super();
        this.session = session;
        this.me = session.user.id;
        this.threads = new Map();
        this.connection = { state: 'idle', retryAt: 0, hasBeenOpen: false };
        this.typedAt = new Map();
        this.renewedAt = -Infinity;
        this.isListed = false;
        this.chat = new ChatClient(() => this.session.user.token);
        this.realtime = new RealtimeClient({
            token: () => this.session.user.token,
            positions: () => this.#positions(),
            onState: (state, retryAt) => this.#connectionChanged(state, retryAt),
            onFrame: (frame) => this.#received(frame),
        });
    }

    start() {
        this.realtime.start();
    }

    stop() {
        this.realtime.stop();
    }

    get list() {
        return [...this.threads.values()]
            .filter((thread) => thread.standing !== 'deleted')
            .sort((a, b) => b.activityAt - a.activityAt);
    }

    get unread() {
        return this.list.reduce((sum, thread) => sum + thread.unread, 0);
    }

    // People met anywhere, for picking: id → name.
    get acquaintances() {
        const known = new Map((this.session.cast ?? []).map(({ id, name }) => [id, name]));
        for (const thread of this.threads.values()) {
            for (const [id, name] of thread.people) if (name || !known.has(id)) known.set(id, name);
        }
        known.delete(this.me);
        return known;
    }

    get canMakeUsers() {
        return Boolean(this.session.accessKey);
    }

    // ---- verbs: messages

    send(thread, text, type) {
        const id = crypto.randomUUID();
        thread.addOutgoing(id, text, type, Date.now());
        this.typedAt.delete(thread.id);
        this.#deliver(thread, thread.outgoing.get(id));
        this.#changed();
    }

    retry(thread, clientId) {
        const own = thread.outgoing.get(clientId);
        own.failure = '';
        this.#deliver(thread, own);
        this.#changed();
    }

    discard(thread, clientId) {
        thread.outgoing.delete(clientId);
        this.#changed();
    }

    async #deliver(thread, own) {
        const frame = {
            type: 'send',
            id: own.id,
            thread: thread.id,
            content: own.text,
            contentType: own.type,
            senderDisplayName: this.session.user.name,
        };
        try {
            const ack = await this.realtime.request(frame);
            thread.offsets.note(ack.offset);
            const isLacking = thread.acknowledge(ack, this.session.user.name);
            if (isLacking) await this.#refreshMessage(thread, ack.messageId, ack);
        } catch (error) {
            own.failure = error.message;
        }
        this.#changed();
    }

    async editMessage(thread, messageId, text) {
        await this.chat.editMessage(thread.id, messageId, text);
        if (!this.realtime.isOpen) await this.#refreshMessage(thread, messageId);
    }

    async deleteMessage(thread, messageId) {
        await this.chat.deleteMessage(thread.id, messageId);
        if (!this.realtime.isOpen) await this.#refreshMessage(thread, messageId);
    }

    async #refreshMessage(thread, messageId, place) {
        thread.mergeMessage(await this.chat.getMessage(thread.id, messageId), place);
        this.#changed();
    }

    noteTyping(thread) {
        const now = Date.now();
        if (now - (this.typedAt.get(thread.id) ?? 0) < TYPING_EVERY_MS) return;
        const frame = { type: 'typing', thread: thread.id, senderDisplayName: this.session.user.name };
        if (this.realtime.tell(frame)) this.typedAt.set(thread.id, now);
    }

    markRead(thread) {
        const messageId = thread.readAll();
        if (!messageId) return;
        rememberRead(this.me, thread.id, messageId);
        thread.receiptDue = messageId;
        this.#sendReceipt(thread);
        this.#changed();
    }

    #sendReceipt(thread) {
        if (!thread.receiptDue || thread.standing !== 'member') return;
        const frame = { type: 'receipt', thread: thread.id, messageId: thread.receiptDue };
        if (this.realtime.tell(frame)) thread.receiptDue = undefined;
    }

    // ---- verbs: threads and people

    async createThread(topic, people) {
        const participants = [{ id: this.me, name: this.session.user.name }, ...people];
        const bodies = participants.map(({ id, name }) => participant(id, name));
        const { chatThread, invalidParticipants } = await this.chat.createThread(topic, bodies, crypto.randomUUID());
        const thread = this.#ensure(chatThread.id);
        thread.setProperties(chatThread);
        this.#reportInvalid(invalidParticipants);
        await this.load(thread);
        return thread;
    }

    rename(thread, topic) {
        return this.chat.updateTopic(thread.id, topic);
    }

    async addPeople(thread, people) {
        const bodies = people.map(({ id, name }) => participant(id, name));
        const answer = await this.chat.addParticipants(thread.id, bodies);
        this.#reportInvalid(answer?.invalidParticipants);
    }

    removePerson(thread, userId) {
        return this.chat.removeParticipant(thread.id, userId);
    }

    async leave(thread) {
        await this.chat.removeParticipant(thread.id, this.me);
        thread.standing = 'left';
        this.#changed();
    }

    async deleteThread(thread) {
        await this.chat.deleteThread(thread.id);
        this.#dropThread(thread);
    }

    async makeUser(name) {
        const user = await new IdentityClient(this.session.accessKey).createUser();
        this.dispatchEvent(new CustomEvent('cast', { detail: { ...user, name } }));
        return { id: user.id, name };
    }

    async renewToken(token) {
        this.session.user.token = token ?? (await new IdentityClient(this.session.accessKey).issueToken(this.me));
        this.dispatchEvent(new CustomEvent('session'));
        if (!this.realtime.tell({ type: 'token', token: this.session.user.token })) this.realtime.start();
    }

    // ---- loading by REST

    // Everything a view of this thread needs; again and again is fine.
    async open(thread) {
        if (!thread.isLoaded) await this.load(thread);
    }

    async load(thread) {
        thread.loading ??= this.#load(thread).finally(() => (thread.loading = undefined));
        return thread.loading;
    }

    async #load(thread) {
        await this.#loadPeople(thread);
        if (thread.standing !== 'deleted') await this.#loadNewest(thread);
        thread.isLoaded = true;
        this.#changed();
    }

    async #loadPeople(thread) {
        try {
            thread.setPeople(await this.chat.listParticipants(thread.id));
        } catch (error) {
            if (error.status === 403) thread.standing = 'left';
            else if (error.status === 404) this.#dropThread(thread);
            else throw error;
        }
    }

    async #loadNewest(thread) {
        await this.loadOlder(thread);
        thread.readUpTo = laterId(thread.readUpTo, recallRead(this.me, thread.id));
    }

    // One page further back; more when a page held only changes of messages that lie further back still.
    async loadOlder(thread) {
        if (thread.next === null || thread.isPaging) return;
        thread.isPaging = true;
        try {
            await this.#page(thread);
        } finally {
            thread.isPaging = false;
        }
        this.#annotate(thread);
        this.#changed();
    }

    async #page(thread) {
        const before = thread.shown.length;
        do {
            const page = await this.chat.listMessages(thread.id, PAGE_SIZE, thread.next);
            for (const body of page.value) thread.mergeMessage(body);
            thread.setOlder(page.nextLink);
        } while (thread.hasOlder && thread.shown.length < before + PAGE_SIZE / 2);
    }

    // REST bodies have no offsets; a resume tells each message with its own. A message's offset is never below its
    // sequence number, so resuming from the oldest shown covers all that are shown.
    #annotate(thread) {
        const lacking = thread.shown.find((message) => message.offset === undefined);
        const from = (lacking?.sequence ?? 1) - 1;
        if (thread.standing !== 'member') return;
        const isFirst = thread.offsets.known === null;
        if (isFirst) this.#resume(thread, from);
        else if (lacking && thread.offsets.known - from <= ANNOTATE_OFFSETS_MAX) this.#resume(thread, from);
    }

    #resume(thread, from) {
        if (this.realtime.tell({ type: 'resume', threads: { [thread.id]: from } })) thread.offsets.resume();
    }

    #positions() {
        const positions = {};
        for (const thread of this.threads.values()) {
            if (thread.offsets.known === null || thread.standing !== 'member') continue;
            thread.offsets.resume();
            positions[thread.id] = thread.offsets.known;
        }
        return positions;
    }

    // The list of threads, after every connect: threads made or left meanwhile are in no resume.
    async #sync() {
        let next;
        do {
            const page = await this.chat.listThreads(next);
            for (const item of page.value) this.#mergeItem(item);
            next = page.nextLink;
        } while (next);
        this.isListed = true;
        this.#changed();
        for (const thread of this.threads.values()) this.#catchUp(thread);
        const isWanted = (thread) => !thread.isLoaded || thread.standing === 'left';
        const wanted = this.list.filter(isWanted).slice(0, THREADS_LOADED_MAX);
        const loadNext = async () => {
            for (let thread = wanted.shift(); thread; thread = wanted.shift()) await this.load(thread);
        };
        await Promise.all(Array.from({ length: LOADS_AT_ONCE }, loadNext));
    }

    // What could not be asked or said while there was no connection.
    #catchUp(thread) {
        this.#sendReceipt(thread);
        if (thread.isLoaded && thread.offsets.known === null) this.#annotate(thread);
    }

    #mergeItem(item) {
        const known = this.threads.get(item.id);
        if (item.deletedOn) return known && this.#dropThread(known);
        const thread = this.#ensure(item.id);
        thread.topic = item.topic;
        const at = item.lastMessageReceivedOn ? Date.parse(item.lastMessageReceivedOn) : 0;
        thread.activityAt = Math.max(thread.activityAt, at);
    }

    // ---- frames

    #received(frame) {
        const handle = {
            connected: () => this.#attempt(this.#sync()),
            message: () => this.#messageTold(frame),
            messageEdited: () => this.#messageTold(frame),
            messageDeleted: () => this.#messageTold(frame),
            threadCreated: () => this.#threadCreated(frame),
            threadUpdated: () => this.#structureTold(frame, (thread) => this.#topicTold(thread, frame)),
            threadDeleted: () => this.#threadDeleted(frame),
            participantsAdded: () => this.#structureTold(frame, (thread) => thread.addPeople(frame.participants)),
            participantsRemoved: () => this.#structureTold(frame, (thread) => this.#peopleRemoved(thread, frame)),
            typing: () => this.#typingTold(frame),
            receipts: () => this.#receiptsTold(frame),
            complete: () => this.#completed(frame),
            gap: () => this.#gapTold(frame),
            tokenExpiring: () => this.#tokenExpiring(frame),
            error: () => this.#errorTold(frame),
        }[frame.type];
        handle?.();
        this.#changed();
    }

    #messageTold(frame) {
        const thread = this.#adopt(frame.thread);
        const isNew = !thread.messages.has(frame.message.id);
        const isNews = this.#noteOffset(thread, frame.offset);
        const message = thread.mergeMessage(frame.message, frame);
        if (!isNews || message.sender === this.me) return;
        if (isNew && frame.type === 'message') this.#arrived(thread, message);
        if (frame.type === 'messageDeleted') this.#withdrawn(`${thread.nameOf(message.sender)} deleted a message.`);
    }

    // Repeated frames may be older than what is known of people and topic: only what lies further on counts.
    #structureTold(frame, apply) {
        const thread = this.#adopt(frame.thread);
        this.#noteOffset(thread, frame.offset);
        if (frame.message) thread.mergeMessage(frame.message, frame);
        if (frame.offset <= thread.structureAt) return;
        thread.structureAt = frame.offset;
        apply(thread);
    }

    #topicTold(thread, frame) {
        thread.setProperties(frame.properties ?? { topic: frame.message.content.topic });
    }

    #peopleRemoved(thread, frame) {
        const wasMember = thread.standing === 'member';
        thread.removePeople(frame.participants);
        const isNews = wasMember && thread.standing === 'left' && !thread.offsets.isResuming;
        if (isNews && rawId(frame.by) !== this.me) this.#notice(`You were removed from “${thread.topic}”.`);
    }

    #threadCreated(frame) {
        const thread = this.#ensure(frame.thread);
        thread.noteCreation(frame);
        this.#structureTold(frame, () => {
            thread.setProperties(frame.properties);
            thread.setPeople(frame.participants);
        });
        if (!thread.isLoaded) this.#attempt(this.load(thread));
    }

    #threadDeleted(frame) {
        const thread = this.threads.get(frame.thread);
        if (thread && thread.standing !== 'deleted') this.#dropThread(thread, rawId(frame.by));
    }

    #dropThread(thread, by) {
        if (by && by !== this.me) this.#notice(`${thread.nameOf(by)} deleted “${thread.topic}”.`);
        thread.standing = 'deleted';
        thread.forgetMessages();
        thread.outgoing.clear();
        this.#withdrawn('');
        this.#changed();
    }

    #typingTold(frame) {
        const thread = this.threads.get(frame.thread);
        if (!thread) return;
        for (const { user, displayName } of frame.users) thread.noteTyping(rawId(user), displayName, Date.now());
    }

    #receiptsTold(frame) {
        const thread = this.threads.get(frame.thread);
        for (const { user, messageId, readOn } of thread ? frame.receipts : []) {
            thread.mergeReceipt(rawId(user), messageId, Date.parse(readOn));
        }
    }

    #completed(frame) {
        const thread = this.threads.get(frame.thread);
        if (!thread) return;
        thread.offsets.complete(frame.offset);
        this.#fillGap(thread);
    }

    #gapTold(frame) {
        const thread = this.threads.get(frame.thread);
        if (!thread) return;
        thread.offsets.complete(frame.to);
        if (!thread.isLoaded || thread.loading) return;
        thread.forgetMessages();
        this.#attempt(this.load(thread));
    }

    async #tokenExpiring(frame) {
        if (this.canMakeUsers) return this.#attempt(this.renewToken());
        const at = new Date(frame.expiresOn).toLocaleTimeString([], { timeStyle: 'short' });
        this.#notice(`Your access token ends at ${at}. Sign in with a new one before then.`);
    }

    #errorTold(frame) {
        const thread = this.threads.get(frame.thread);
        if (!thread) return this.#notice(frame.message);
        if (frame.retryAfterMs) return;
        thread.offsets.lost();
        this.#attempt(this.#loadPeople(thread));
    }

    #noteOffset(thread, offset) {
        const isNews = thread.offsets.note(offset);
        this.#fillGap(thread);
        return isNews;
    }

    #fillGap(thread) {
        if (thread.offsets.isGap) this.#resume(thread, thread.offsets.known);
    }

    #ensure(threadId) {
        if (!this.threads.has(threadId)) this.threads.set(threadId, new Thread(threadId, this.me));
        return this.threads.get(threadId);
    }

    // A thread heard of for the first time: we were added to it.
    #adopt(threadId) {
        const isNew = !this.threads.has(threadId);
        const thread = this.#ensure(threadId);
        if (isNew) this.#attempt(this.#introduce(thread));
        return thread;
    }

    async #introduce(thread) {
        thread.setProperties(await this.chat.getThread(thread.id));
        await this.load(thread);
    }

    // ---- telling the views

    #connectionChanged(state, retryAt) {
        const hasBeenOpen = this.connection.hasBeenOpen || state === 'open';
        if (state !== 'open') for (const thread of this.threads.values()) thread.offsets.lost();
        this.connection = { state, retryAt, hasBeenOpen };
        this.dispatchEvent(new CustomEvent('connection'));
        if (state === 'refused' && this.canMakeUsers) this.#renewNowAndThen();
    }

    // A new token that is refused as well is no reason to ask for the next one at once.
    #renewNowAndThen() {
        const now = performance.now();
        if (now - this.renewedAt < RENEW_EVERY_MS) return;
        this.renewedAt = now;
        this.#attempt(this.renewToken());
    }

    #arrived(thread, message) {
        if (isFromUser(message)) this.dispatchEvent(new CustomEvent('arrived', { detail: { thread, message } }));
    }

    #withdrawn(sentence) {
        this.dispatchEvent(new CustomEvent('withdrawn', { detail: sentence }));
    }

    #reportInvalid(invalid) {
        for (const { target, message, innererror } of invalid ?? []) this.#notice(`${target}: ${innererror?.message ?? message}`);
    }

    async #attempt(work) {
        try {
            await work;
        } catch (error) {
            if (error.status !== 0) this.#notice(error.message); // status 0: the connection banner says it already
        }
    }

    #notice(text) {
        this.dispatchEvent(new CustomEvent('notice', { detail: text }));
    }

    #changed() {
        this.dispatchEvent(new CustomEvent('change'));
    }
}

// Threads too large for receipts still remember, in this browser, how far they were read.
const READ_KEY = 'weft.read';

function rememberRead(me, threadId, messageId) {
    localStorage.setItem(`${READ_KEY}|${me}|${threadId}`, messageId);
}

function recallRead(me, threadId) {
    return localStorage.getItem(`${READ_KEY}|${me}|${threadId}`) ?? '0';
}

function laterId(a, b) {
    return compareIds(a, b) >= 0 ? a : b;
}
