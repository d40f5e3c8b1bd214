// One conversation as this user knows it: its messages in order, what is on its way, who is in it, who read how far, who
// types. No network and no page: frames and REST bodies go in, lists for the views come out.

import { compareIds, isFromUser, messageFrom, personFrom } from './message.js';
import { Offsets } from './offsets.js';

const TYPING_MS = 8000;
const CREATION_MESSAGES = 2;

export class Thread {
    constructor(id, me) {
        this.id = id;
        this.me = me;
        this.topic = '';
        this.standing = 'member'; // or 'left', 'deleted'
        this.activityAt = 0;
        this.people = new Map(); // user id → name
        this.names = new Map(); // also of those who left
        this.messages = new Map(); // message id → message
        this.outgoing = new Map(); // client message id → {id, text, type, at, failure, messageId}
        this.receipts = new Map(); // user id → {messageId, readAt}
        this.typing = new Map(); // user id → {name, until}
        this.readUpTo = '0';
        this.receiptDue = undefined; // a message id that the server has not been told yet
        this.next = undefined; // link to older messages; null: there are none
        this.isLoaded = false;
        this.offsets = new Offsets();
        this.structureAt = 0; // offset of the newest change of people or topic
        this.sorted = null;
        this.creation = undefined; // {offset, durability}
    }

    // ---- messages

    mergeMessage(body, place) {
        const message = messageFrom(body, place);
        const before = this.messages.get(message.id);
        if (before && before.version > message.version) return before;
        if (before?.version === message.version) {
            message.offset ??= before.offset;
            message.durability ??= before.durability;
        }
        this.messages.set(message.id, message);
        this.sorted = null;
        this.#placeAtCreation(message);
        for (const { id, name } of message.people) this.#learnName(id, name);
        if (message.sender) this.#learnName(message.sender, message.senderName);
        if (message.sender) this.typing.delete(message.sender);
        this.activityAt = Math.max(this.activityAt, message.createdAt);
        if (!before && message.sender === this.me) this.#recogniseOwn(message);
        return message;
    }

    // A creation is told as one change, and writes two messages (contract 8.2): they lie at its offset and the one before.
    noteCreation({ offset, durability }) {
        this.creation = { offset, durability };
        for (const message of this.messages.values()) this.#placeAtCreation(message);
    }

    #placeAtCreation(message) {
        if (!this.creation || message.sequence > CREATION_MESSAGES) return;
        message.offset = this.creation.offset - CREATION_MESSAGES + message.sequence;
        message.durability = this.creation.durability;
    }

    // Our own message may be told before it is acknowledged; it must not stand there twice meanwhile.
    #recogniseOwn(message) {
        for (const waiting of this.outgoing.values()) {
            const looksSame = waiting.type === message.type && (waiting.type === 'html' || waiting.text === message.text);
            if (!waiting.messageId && looksSame) {
                waiting.messageId = message.id;
                return;
            }
        }
    }

    addOutgoing(id, text, type, at) {
        this.outgoing.set(id, { id, text, type, at, failure: '' });
        this.activityAt = Math.max(this.activityAt, at);
    }

    // True when the message is not known by that, since the server knows it differently: a repeated one may have been
    // edited, html was made safe.
    acknowledge(ack, senderName) {
        const waiting = this.outgoing.get(ack.id);
        this.outgoing.delete(ack.id);
        const told = this.messages.get(ack.messageId);
        if (told?.version === Number(ack.version)) Object.assign(told, { offset: ack.offset, durability: ack.durability });
        if (told || !waiting) return false;
        if (ack.duplicate || waiting.type === 'html') return true;
        const body = {
            id: ack.messageId,
            sequenceId: ack.sequenceId,
            version: ack.version,
            createdOn: ack.createdOn,
            type: waiting.type,
            content: { message: waiting.text },
            senderDisplayName: senderName,
            senderCommunicationIdentifier: this.me,
        };
        this.mergeMessage(body, ack);
        return false;
    }

    // Lists come newest change first, so an old message edited today arrives long before its neighbours. Shown is the
    // unbroken run of sequence numbers up to the newest; the rest waits until paging reaches it.
    get shown() {
        if (this.sorted) return this.sorted;
        const all = [...this.messages.values()].sort((a, b) => a.sequence - b.sequence);
        let first = this.next ? all.length - 1 : 0;
        while (first > 0 && all[first - 1].sequence === all[first].sequence - 1) first--;
        this.sorted = all.slice(Math.max(first, 0));
        return this.sorted;
    }

    get hasOlder() {
        return Boolean(this.next);
    }

    setOlder(nextLink) {
        this.next = nextLink ?? null;
        this.sorted = null;
    }

    // After a gap nothing held here is certain; what is on its way stays.
    forgetMessages() {
        this.messages.clear();
        this.sorted = null;
        this.next = undefined;
    }

    get waiting() {
        return [...this.outgoing.values()].filter((own) => !this.messages.has(own.messageId));
    }

    get last() {
        return this.shown.at(-1);
    }

    get lastOwn() {
        return this.shown.findLast((message) => message.sender === this.me && isFromUser(message) && !message.deletedAt);
    }

    // ---- reading

    #isUnread(message) {
        const isOthers = isFromUser(message) && message.sender !== this.me && !message.deletedAt;
        return isOthers && compareIds(message.id, this.readUpTo) > 0;
    }

    get unread() {
        return this.shown.reduce((count, message) => count + (this.#isUnread(message) ? 1 : 0), 0);
    }

    get firstUnread() {
        return this.shown.find((message) => this.#isUnread(message));
    }

    // The id to send a receipt for, if reading everything now is news.
    readAll() {
        const latest = this.shown.findLast((message) => this.#isUnread(message));
        if (!latest) return undefined;
        this.readUpTo = latest.id;
        return latest.id;
    }

    mergeReceipt(userId, messageId, readAt) {
        const before = this.receipts.get(userId);
        if (before && compareIds(before.messageId, messageId) > 0) return;
        this.receipts.set(userId, { messageId, readAt });
        if (userId === this.me && compareIds(messageId, this.readUpTo) > 0) this.readUpTo = messageId;
    }

    // message id → users whose reading ended there. A receipt for a message that is not shown counts for the one before.
    get readers() {
        const at = new Map();
        for (const [userId, { messageId }] of this.receipts) {
            if (userId === this.me || !this.people.has(userId)) continue;
            const reached = this.shown.findLast((message) => compareIds(message.id, messageId) <= 0);
            if (reached) at.set(reached.id, [...(at.get(reached.id) ?? []), userId]);
        }
        return at;
    }

    // ---- people

    setPeople(participants) {
        this.people.clear();
        this.addPeople(participants);
        this.standing = this.people.has(this.me) ? 'member' : 'left';
    }

    addPeople(participants) {
        for (const { id, name } of participants.map(personFrom)) {
            this.people.set(id, name);
            this.#learnName(id, name);
        }
        if (this.people.has(this.me)) this.standing = 'member';
    }

    removePeople(participants) {
        for (const { id } of participants.map(personFrom)) {
            this.people.delete(id);
            this.typing.delete(id);
            if (id === this.me) this.standing = 'left';
        }
    }

    nameOf(userId, fallback = '') {
        return this.people.get(userId) || fallback || this.names.get(userId) || shortId(userId);
    }

    #learnName(id, name) {
        if (name) this.names.set(id, name);
    }

    get others() {
        return [...this.people.keys()].filter((id) => id !== this.me);
    }

    // ---- typing

    noteTyping(userId, name, now) {
        if (userId !== this.me) this.typing.set(userId, { name, until: now + TYPING_MS });
    }

    typists(now) {
        return [...this.typing].filter(([, { until }]) => until > now).map(([id, { name }]) => this.nameOf(id, name));
    }

    setProperties(properties) {
        if (properties.topic !== undefined) this.topic = properties.topic;
        if (properties.createdOn) this.activityAt = Math.max(this.activityAt, Date.parse(properties.createdOn));
    }
}

export function shortId(userId = '') {
    return userId ? `User ${userId.slice(-4)}` : 'Someone';
}
