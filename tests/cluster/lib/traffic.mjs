// Clients of a cluster that do everything a client may, through all of its nodes in turn, and remember what they were told:
// they send, edit, delete and read, come and go, make and end threads, and listen. What a node that is well answers must be
// success, or 503 with Retry-After; what was acknowledged must be there in the next read, on every node at the end, and
// once with everybody who listens.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Realtime } from "./realtime.mjs";
import { participant, threadPath, until } from "./world.mjs";

const THREADS = 6;
const WRITERS = 6;
const WINDOW = 4; // sends that a real-time sender has under way
const ASK_MS = 15000; // a little longer than a node tries to find who leads
const EVENTUALLY_MS = 60000;
const BREATH_MS = 10; // between two requests of a client: nodes and clients share the machine
const API = "api-version=2025-03-15";

/** One user who asks one thing after the other, through the nodes in turn. */
class Client {
    constructor(traffic, user, number) {
        Object.assign(this, { traffic, user, number, turn: number });
    }

    async run() {
        try {
            while (!this.traffic.isEnding) await this.work();
        } catch (error) {
            if (!this.traffic.isOver) this.traffic.complain(`${this.constructor.name} ${this.number}: ${error.stack}`);
        }
    }

    /** Until a node answers with one of `success`, or of `repeated` when an earlier attempt may have done it: `{answer, began, ended}`. */
    async #until(what, exchange, success, repeated) {
        const began = performance.now();
        for (let isUnsure = false; ; ) {
            const node = this.traffic.cluster.nodes[this.turn++ % this.traffic.cluster.nodes.length];
            const { answer, mayBeDone } = await this.traffic.attempt(what, node, exchange, isUnsure ? [...success, ...repeated] : success);
            if (answer) return { answer, began, ended: performance.now() };
            isUnsure ||= mayBeDone;
            if (this.traffic.isOver) throw new Error("the test is over");
            await pause(50);
        }
    }

    async ask(method, path, { body, headers = {}, query = "", user = this.user, success = [200, 201, 204], repeated = [] } = {}) {
        await pause(BREATH_MS);
        const type = method === "PATCH" ? { "Content-Type": "application/merge-patch+json" } : {};
        const options = { headers: { Authorization: `Bearer ${user.token}`, ...type, ...headers }, body, deadlineMs: ASK_MS };
        return this.#until(`${method} ${path}`, (node) => node.exchange(method, `${path}?${query}${query && "&"}${API}`, options), success, repeated);
    }

    async askAsService(method, path, body, success, repeated = []) {
        await pause(BREATH_MS);
        return this.#until(`${method} ${path}`, (node) => node.identityCall(method, path, body), success, repeated);
    }

    complain(text) {
        this.traffic.complain(`${this.constructor.name} ${this.number}: ${text}`);
    }
}

/** Sends, edits, deletes, marks as read, and reads what it wrote and what others were told. */
class Writer extends Client {
    count = 0;
    mine = [];

    async work() {
        const { threads } = this.traffic;
        const count = this.count++;
        const thread = threads[(this.number + count) % threads.length];
        await this.#send(thread, count);
        const earlier = this.mine[Math.max(0, this.mine.length - 1 - (count % 7))];
        if (count % 4 === 1) await this.#edit(earlier, count);
        if (count % 6 === 3) await this.#delete(earlier);
        if (count % 5 === 2) await this.#read(earlier);
        if (count % 5 === 4) await this.#list(thread);
        if (count % 8 === 5) await this.#receipt(this.mine.at(-1));
    }

    async #send(thread, count) {
        const content = `writer ${this.number} message ${count}`;
        const headers = { "x-ms-client-request-id": randomUUID() };
        const { answer, began, ended } = await this.ask("POST", `${threadPath(thread)}/messages`, { body: { content }, headers });
        const item = { thread, sender: `writer ${this.number}`, count, content, id: answer.json.id, offset: Number(answer.headers["x-weft-offset"]), began, ended };
        item.newest = item.offset;
        this.mine.push(item);
        this.traffic.acknowledged.push(item);
    }

    #path(item) {
        return `${threadPath(item.thread)}/messages/${item.id}`;
    }

    #touched(item, answer) {
        item.isTouched = true;
        // A repetition after an answer that never came may tell nothing of where the change lies.
        item.newest = Math.max(item.newest, Number(answer.headers["x-weft-offset"] ?? 0));
    }

    async #edit(item, count) {
        if (item.isDeleted) return;
        const content = `writer ${this.number} message ${item.count} edited at ${count}`;
        item.isTouched = true;
        const { answer } = await this.ask("PATCH", this.#path(item), { body: { content } });
        item.content = content;
        this.#touched(item, answer);
        this.traffic.done.edits++;
    }

    async #delete(item) {
        item.isTouched = true;
        const { answer } = await this.ask("DELETE", this.#path(item));
        item.isDeleted = true;
        this.#touched(item, answer);
        this.traffic.done.deletes++;
    }

    async #read(item) {
        const { answer } = await this.ask("GET", this.#path(item));
        const { content, deletedOn } = answer.json;
        const isRight = item.isDeleted ? deletedOn !== undefined : content.message === item.content;
        if (!isRight) this.complain(`reads ${answer.text} where it wrote ${item.isDeleted ? "a deletion" : item.content}`);
        this.traffic.done.reads++;
    }

    async #list(thread) {
        const known = this.traffic.newestOf(thread);
        const { answer } = await this.ask("GET", `${threadPath(thread)}/messages`, { query: "maxPageSize=200" });
        const isThere = answer.json.value.some(({ id }) => id === known.id);
        if (!isThere && answer.json.value.length < 200) this.complain(`a list does not have ${known.id}, which was acknowledged before`);
        this.traffic.done.reads++;
    }

    async #receipt(item) {
        const path = `${threadPath(item.thread)}/readReceipts`;
        await this.ask("POST", path, { body: { chatMessageId: item.id } });
        const { answer } = await this.ask("GET", path, { query: "maxPageSize=100" });
        const mine = answer.json.value.find(({ senderCommunicationIdentifier }) => senderCommunicationIdentifier.rawId === this.user.id);
        if (!(Number(mine?.chatMessageId) >= Number(item.id))) this.complain(`its receipt of ${item.id} is ${mine?.chatMessageId}`);
        this.traffic.done.receipts++;
    }
}

/** Makes an identity, takes it into a thread, and lets it leave or be taken out; then the identity goes. */
class Host extends Client {
    count = 0;

    async #isIn(thread, guest) {
        const { answer } = await this.ask("GET", `${threadPath(thread)}/participants`, { query: "maxPageSize=100" });
        return answer.json.value.some(({ communicationIdentifier }) => communicationIdentifier.rawId === guest.id);
    }

    async work() {
        const count = this.count++;
        const thread = this.traffic.threads[count % this.traffic.threads.length];
        const made = await this.askAsService("POST", "/identities", { createTokenWithScopes: ["chat"] }, [201]);
        const guest = { id: made.answer.json.identity.id, token: made.answer.json.accessToken.token };
        await this.ask("POST", `${threadPath(thread)}/participants/:add`, { body: { participants: [participant(guest)] } });
        if (!(await this.#isIn(thread, guest))) this.complain(`${guest.id} is not in the thread it was taken into`);
        await this.ask("GET", `${threadPath(thread)}/messages`, { user: guest });
        await until(`${guest.id} finds the thread in its list`, async () => {
            const { answer } = await this.ask("GET", "/chat/threads", { user: guest });
            return answer.json.value.some(({ id }) => id === thread) || this.traffic.isOver;
        }, EVENTUALLY_MS);
        const user = count % 2 === 0 ? guest : this.user;
        await this.ask("POST", `${threadPath(thread)}/participants/:remove`, { body: participant(guest).communicationIdentifier, user, repeated: [403] });
        if (await this.#isIn(thread, guest)) this.complain(`${guest.id} is in the thread it left`);
        await this.ask("GET", `${threadPath(thread)}/participants`, { user: guest, success: [403] });
        const path = `/identities/${encodeURIComponent(guest.id)}`;
        await this.askAsService("DELETE", path, undefined, [204], [401, 403, 404]);
        const { answer } = await this.askAsService("POST", `${path}/:issueAccessToken`, { scopes: ["chat"] }, [200, 401, 403, 404]);
        if (answer.status === 200) this.complain(`${guest.id}, deleted, is given a token`);
        this.traffic.done.guests++;
    }
}

/** Makes threads, changes their topic, and ends every other. */
class Founder extends Client {
    count = 0;

    async work() {
        const count = this.count++;
        const headers = { "Repeatability-Request-Id": randomUUID(), "Repeatability-First-Sent": new Date().toUTCString() };
        const body = { topic: `made ${count}`, participants: this.traffic.users.slice(0, 2).map(participant) };
        const { answer } = await this.ask("POST", "/chat/threads", { body, headers });
        const item = { thread: answer.json.chatThread.id, topic: `topic ${count}`, isDeleted: count % 2 === 1 };
        await this.ask("PATCH", threadPath(item.thread), { body: { topic: item.topic } });
        const read = await this.ask("GET", threadPath(item.thread));
        if (read.answer.json.topic !== item.topic) this.complain(`reads ${read.answer.json.topic} where it wrote ${item.topic}`);
        if (item.isDeleted) {
            await this.ask("DELETE", threadPath(item.thread), { repeated: [404] });
            await this.ask("GET", threadPath(item.thread), { success: [404] });
        }
        this.traffic.founded.push(item);
        this.traffic.done.threads++;
    }

    async #lists(node) {
        const found = new Map();
        let path = `/chat/threads?maxPageSize=100&${API}`;
        while (path) {
            const { json } = await node.exchange("GET", path, { headers: { Authorization: `Bearer ${this.user.token}` } });
            for (const item of json.value) found.set(item.id, item);
            const next = json.nextLink ? new URL(json.nextLink) : null;
            path = next ? next.pathname + next.search : null;
        }
        return found;
    }

    /** Lists follow their threads. */
    async check(node) {
        const isRight = (found) => this.traffic.founded.every(({ thread, topic, isDeleted }) => {
            const item = found.get(thread);
            return isDeleted ? !item || item.deletedOn !== undefined : item?.topic === topic;
        });
        await until(`the list of threads is right, says ${node.name}`, async () => isRight(await this.#lists(node)), EVENTUALLY_MS);
    }
}

/** A session over /realtime, made again whenever it is lost. One that is faithful waits for its node, others go to the next. */
class Session {
    constructor(traffic, user, number, { format, isFaithful = false }) {
        Object.assign(this, { traffic, user, number, format, isFaithful, node: number % traffic.cluster.nodes.length });
    }

    complain(text) {
        this.traffic.complain(`${this.constructor.name} ${this.number} at ${this.traffic.cluster.nodes[this.node].name}: ${text}`);
    }

    async run() {
        while (!this.traffic.isOver) {
            this.node %= this.traffic.cluster.nodes.length; // one may have left
            const node = this.traffic.cluster.nodes[this.node];
            const wasDisturbed = node.isDisturbed;
            try {
                const connecting = Realtime.connect(node.target, this.format, this.user.token, { resume: this.resume?.(), onFrame: (frame) => this.take(frame) });
                this.session = await Promise.race([connecting, ...(this.isFaithful ? [] : [node.standsStill])]);
                this.opened?.();
                const { code, reason } = await this.session.closed;
                if (!this.traffic.isOver && !node.isDisturbed) this.complain(`closed with ${code} ${reason}`);
            } catch (error) {
                if (!wasDisturbed && !node.isDisturbed && !this.traffic.isOver) this.complain(`cannot connect: ${error.message}`);
            }
            if (!this.isFaithful) this.node = (this.node + 1) % this.traffic.cluster.nodes.length;
            await pause(50);
        }
    }

    close() {
        this.session?.close();
    }
}

/** Sends several messages at a time; what was not acknowledged goes again when the connection is lost. */
class RealtimeSender extends Session {
    count = 0;
    underWay = [];

    opened() {
        for (const item of this.underWay) this.#transmit(item);
        this.#fill();
    }

    #fill() {
        while (!this.traffic.isEnding && this.underWay.length < WINDOW) {
            const count = this.count++;
            const thread = this.traffic.threads[count % this.traffic.threads.length];
            const sender = `realtime ${this.number}`;
            const item = { thread, sender, count, clientId: `${sender}-${count}`, content: `${sender} message ${count}`, began: performance.now() };
            this.underWay.push(item);
            this.#transmit(item);
        }
    }

    #transmit({ clientId, thread, content }) {
        this.session.send({ type: "send", id: clientId, thread, content });
    }

    async take(frame) {
        const item = this.underWay.find(({ clientId }) => clientId === frame.id);
        if (frame.type === "error") {
            this.traffic.refused.push({ name: this.traffic.cluster.nodes[this.node].name, code: `/realtime ${frame.code}`, ms: performance.now() - (item?.began ?? 0) });
            if (!(frame.retryAfterMs > 0)) this.complain(`was refused: ${JSON.stringify(frame)}`);
            if (item) item.wasRefused = true; // those that are under way behind it come before it now
            await pause(Math.min(frame.retryAfterMs ?? 1000, 1000));
            if (item && !this.session.socket.isClosed) this.#transmit(item);
        }
        if (frame.type !== "ack" || !item) return;
        this.underWay.splice(this.underWay.indexOf(item), 1);
        Object.assign(item, { id: frame.messageId, offset: frame.offset, newest: frame.offset, ended: performance.now() });
        this.traffic.acknowledged.push(item);
        await pause(BREATH_MS * 4);
        this.#fill();
    }
}

/** Sees everything that happens in the threads, in its order; after a lost connection from where it was. */
class Listener extends Session {
    constructor(...given) {
        super(...given);
        this.last = new Map(this.traffic.threads.map((thread) => [thread, 0]));
        this.seen = new Map(this.traffic.threads.map((thread) => [thread, []])); // {type, id, content} in the order of offsets
        this.resuming = new Set();
        this.toldAt = new Map(); // by message id
        this.repeated = 0;
    }

    resume() {
        this.resuming = new Set(this.last.keys());
        return Object.fromEntries(this.last);
    }

    take({ type, thread, offset, message, ...rest }) {
        if (type === "gap") this.complain(`is told of a gap: ${JSON.stringify(rest)}`);
        if (type === "ack" || offset === undefined || !this.last.has(thread)) return;
        const last = this.last.get(thread);
        if (type === "complete") this.resuming.delete(thread);
        if (offset <= last) {
            this.repeated += type === "complete" ? 0 : 1;
            return;
        }
        // An edit moves a message, so a resume may skip; otherwise `complete` says so before.
        if (type !== "complete" && offset !== last + 1 && !this.resuming.has(thread)) this.complain(`saw ${offset} after ${last} in ${thread}`);
        this.last.set(thread, offset);
        if (!this.toldAt.has(message?.id)) this.toldAt.set(message?.id, performance.now());
        if (message) this.seen.get(thread).push({ type, id: message.id, content: message.content?.message });
    }

    hasSeen(thread, offset) {
        return this.last.get(thread) >= offset;
    }

    /** The message that was told latest after its acknowledgement: `{ms, at}`, `at` since the traffic began. */
    get latest() {
        let latest = { ms: 0, at: 0 };
        for (const { id, ended } of this.traffic.acknowledged) {
            const ms = (this.toldAt.get(id) ?? 0) - ended;
            if (ms > latest.ms) latest = { ms, at: ended - this.traffic.began };
        }
        return latest;
    }

    /** Each acknowledged message was seen: as it was sent, once, or, if it changed while nobody listened, as it became. */
    check() {
        for (const thread of this.traffic.threads) {
            const byId = new Map();
            for (const event of this.seen.get(thread)) byId.set(event.id, [...(byId.get(event.id) ?? []), event]);
            for (const item of this.traffic.acknowledged.filter((each) => each.thread === thread)) {
                const events = byId.get(item.id) ?? [];
                const sent = events.filter(({ type }) => type === "message");
                const last = events.at(-1);
                // Of a change that a takeover kept from it a session may hear as of a new message, as it is now.
                const isOnce = item.isTouched ? new Set(sent.map(({ content }) => content)).size === sent.length : sent.length === 1;
                if (!isOnce) this.complain(`saw ${item.id} ${sent.length} times`);
                if (!last) this.complain(`never saw ${item.id}`);
                else if (item.isDeleted ? last.type !== "messageDeleted" : last.content !== item.content) this.complain(`saw ${item.id} last as ${JSON.stringify(last)}, not ${item.content}`);
            }
        }
    }
}

export class Traffic {
    constructor(cluster) {
        Object.assign(this, { cluster, acknowledged: [], founded: [], refused: [], problems: [], slowestMs: 0, began: performance.now(), isEnding: false, isOver: false });
        this.done = { edits: 0, deletes: 0, reads: 0, receipts: 0, guests: 0, threads: 0 };
    }

    static async start(cluster) {
        const traffic = new Traffic(cluster);
        const { nodes } = cluster;
        traffic.users = await nodes[0].newUsers(WRITERS);
        traffic.threads = [];
        for (let number = 0; number < THREADS; number++) traffic.threads.push(await nodes[number % nodes.length].newThread(traffic.users, `thread ${number}`));
        const user = (number) => traffic.users[number % traffic.users.length];
        const writers = traffic.users.map((each, number) => new Writer(traffic, each, number));
        traffic.founder = new Founder(traffic, user(0), 1);
        traffic.clients = [...writers, new Host(traffic, user(0), 0), traffic.founder];
        traffic.senders = nodes.map((_, number) => new RealtimeSender(traffic, user(number), number, { format: number % 2 ? "msgpack" : "json" }));
        traffic.listeners = [true, false].flatMap((isFaithful) =>
            nodes.map((_, number) => new Listener(traffic, user(number + 1), number, { format: number % 2 ? "json" : "msgpack", isFaithful })));
        traffic.working = traffic.clients.map((client) => client.run());
        traffic.listening = [...traffic.senders, ...traffic.listeners].map((session) => session.run());
        return traffic;
    }

    complain(text) {
        if (this.problems.length < 30) this.problems.push(text);
    }

    newestOf(thread) {
        return this.acknowledged.findLast((item) => item.thread === thread);
    }

    /** One request through one node: `{answer}` when it is success, else whether it may have been done. */
    async attempt(what, node, exchange, success) {
        const began = performance.now();
        const wasDisturbed = node.isDisturbed;
        const isWell = () => !wasDisturbed && !node.isDisturbed;
        let answer;
        try {
            // Who waits for a node that stands still asks another; the first may serve it, too, when it goes on.
            answer = await Promise.race([exchange(node), node.standsStill]);
        } catch (error) {
            if (isWell() && !this.isOver) this.complain(`${what} through ${node.name} broke: ${error.message}`);
            // A kept connection that breaks is tried again: only who was away before has certainly done nothing.
            return { mayBeDone: !wasDisturbed || error.code !== "ECONNREFUSED" };
        }
        const ms = performance.now() - began;
        if (success.includes(answer.status)) {
            if (isWell()) this.slowestMs = Math.max(this.slowestMs, ms);
            return { answer };
        }
        const code = answer.json?.error?.code;
        this.refused.push({ name: node.name, code: `${answer.status} ${code}`, ms });
        if (answer.status !== 503) this.complain(`${what} through ${node.name}: ${answer.status} ${answer.text}`);
        else if (!(Number(answer.headers["retry-after"]) > 0)) this.complain(`${what} through ${node.name}: 503 without Retry-After`);
        return { mayBeDone: true };
    }

    /** Waits until there is an acknowledgement in every thread of sends begun from now on; the time that took in the last. */
    async everyThreadGoesOn(what, deadlineMs = 60000) {
        const now = performance.now();
        const from = this.acknowledged.length;
        const ends = () => this.threads.map((thread) => this.acknowledged.slice(from).find((item) => item.thread === thread && item.began >= now)?.ended);
        await until(what, () => ends().every((ended) => ended !== undefined), deadlineMs).catch((error) => {
            const refused = this.refused.slice(-5).map(({ name, code, ms }) => `${name} ${code} after ${ms.toFixed(0)} ms`);
            throw new Error(`${error.message}; refused last: ${refused.join("; ")}`);
        });
        return Math.max(...ends()) - now;
    }

    /** Waits until so many more were acknowledged in every thread. */
    async everyThreadGrows(count) {
        const from = this.acknowledged.length;
        await until("every thread grows", () => this.threads.every((thread) => this.acknowledged.slice(from).filter((item) => item.thread === thread).length >= count), 60000);
    }

    /** Lets what is under way be acknowledged, and everybody who listens hear of it. */
    async end() {
        this.isEnding = true;
        await Promise.all(this.working);
        await until("the rest of what is sent in real time is acknowledged", () => this.senders.every(({ underWay }) => underWay.length === 0), EVENTUALLY_MS);
        const newest = new Map(this.threads.map((thread) => [thread, 0]));
        for (const { thread, newest: offset } of this.acknowledged) newest.set(thread, Math.max(newest.get(thread), offset));
        const isBehind = (listener) => this.threads.some((thread) => !listener.hasSeen(thread, newest.get(thread)));
        await until("everybody has heard of everything", () => !this.listeners.some(isBehind), EVENTUALLY_MS).catch(() => {
            for (const listener of this.listeners.filter(isBehind))
                for (const thread of this.threads) if (!listener.hasSeen(thread, newest.get(thread))) listener.complain(`has heard of ${thread} up to ${listener.last.get(thread)}, not ${newest.get(thread)}`);
        });
    }

    /** The clients stop, whatever they are at. */
    async stop() {
        this.isEnding = true;
        this.isOver = true;
        for (const session of [...this.senders, ...this.listeners]) session.close();
        await Promise.all([...this.working, ...this.listening]);
    }

    /** Every node tells the same, and that is what was acknowledged, once, in the order of sending. */
    async check() {
        for (const thread of this.threads) {
            const acknowledged = this.acknowledged.filter((item) => item.thread === thread);
            const tellings = [];
            for (const node of this.cluster.nodes) tellings.push((await node.allMessages(this.users[0], thread)).filter(({ type }) => type === "text"));
            for (const [index, telling] of tellings.entries()) this.#compare(this.cluster.nodes[index].name, telling, acknowledged);
            const shape = (telling) => telling.map(({ id, version, content, deletedOn }) => [id, version, content?.message, deletedOn]);
            for (const telling of tellings.slice(1)) assert.deepEqual(shape(telling), shape(tellings[0]), "every node tells the same");
        }
        for (const node of this.cluster.nodes) await this.founder.check(node);
        for (const listener of this.listeners) listener.check();
        assert.deepEqual(this.problems, []);
    }

    #compare(name, telling, acknowledged) {
        const byId = new Map(telling.map((message) => [message.id, message]));
        const isRight = ({ id, content, isDeleted }) => (isDeleted ? byId.get(id)?.deletedOn !== undefined : byId.get(id)?.content.message === content);
        assert.deepEqual(acknowledged.filter((item) => !isRight(item)), [], `lost or changed, says ${name}`);
        const known = new Map(acknowledged.map((item) => [item.id, item]));
        assert.deepEqual(telling.filter(({ id }) => !known.has(id)), [], `not acknowledged or doubled, says ${name}`);
        assert.equal(byId.size, telling.length, `no id twice, says ${name}`);
        const inOrder = [...telling].sort((a, b) => Number(a.id) - Number(b.id)).map(({ id }) => known.get(id));
        for (const sender of new Set(acknowledged.map((item) => item.sender))) {
            const counts = inOrder.filter((item) => item.sender === sender && !item.wasRefused).map(({ count }) => count);
            assert.deepEqual(counts, [...counts].sort((a, b) => a - b), `order of ${sender}, says ${name}`);
        }
        assert.equal(new Set(acknowledged.map(({ offset }) => offset)).size, acknowledged.length, "no offset twice");
    }

    get summary() {
        const codes = {};
        for (const { code } of this.refused) codes[code] = (codes[code] ?? 0) + 1;
        const done = Object.entries(this.done).map(([name, count]) => `${count} ${name}`).join(", ");
        const late = this.listeners.map(({ number, isFaithful, latest }) => ({ ...latest, name: `${isFaithful ? "faithful" : "roaming"} ${number}` })).reduce((a, b) => (a.ms > b.ms ? a : b));
        const repeated = this.listeners.reduce((sum, listener) => sum + listener.repeated, 0);
        const told = `told everybody up to ${late.ms.toFixed(0)} ms later (${late.name}, ${(late.at / 1000).toFixed(1)} s after the start), ${repeated} times twice`;
        return `${this.acknowledged.length} messages acknowledged, ${told}, ${done}, refused ${JSON.stringify(codes)}, slowest through a healthy node ${this.slowestMs.toFixed(0)} ms`;
    }
}
