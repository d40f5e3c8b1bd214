// Clients of a cluster, each at a node of its own or at all in turn: senders and readers by REST, listeners that also send
// by /realtime.
// They keep what they were told and when, so that it can be checked; what no client may ever see is a problem.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Realtime } from "./realtime.mjs";
import { threadPath, until } from "./world.mjs";

const THREADS = 9;
const SENDERS_PER_NODE = 2;
const SENDERS_AT_ALL = 3;
const PAUSE_MS = 20;
const LIVE_MS = 100; // between two sends by /realtime
const TOPIC_MS = 500; // between two changes of a topic
const READ_MS = 100; // between two reads at a node, also when the first has no answer yet
const READS_MAX = 30; // of a node without an answer
const PAGE = 50;
const ASK_MS = 20000; // a node answers within 10 s; a machine may be slow
const API = "api-version=2025-03-15";

/** Listens at one node, and does with a jump what the protocol asks for. */
class Listener {
    constructor(load, node, user) {
        Object.assign(this, { load, node, user, connections: 0, jumps: 0 });
        this.last = new Map(load.threads.map((thread) => [thread, 0]));
        this.heard = new Map(load.threads.map((thread) => [thread, new Map()])); // offset → message id
    }

    #take(frame) {
        const { type, thread, offset } = frame;
        if (type === "gap") this.load.complain(`the listener at ${this.node.name} was told of a gap: ${frame.from} to ${frame.to}`);
        if (type === "complete") {
            this.resuming.delete(thread);
            this.last.set(thread, Math.max(this.last.get(thread), offset));
        }
        if (type === "complete" || type === "ack" || offset === undefined || !this.last.has(thread)) return;
        const last = this.last.get(thread);
        if (offset <= last) return;
        if (offset !== last + 1 && !this.resuming.has(thread)) {
            this.jumps++;
            this.resuming.add(thread);
            return this.session?.send({ type: "resume", threads: { [thread]: last } });
        }
        this.last.set(thread, offset);
        this.heard.get(thread).set(offset, frame.message?.id);
    }

    async work() {
        while (!this.load.isOver) {
            this.resuming = new Set(this.last.keys());
            const options = { resume: Object.fromEntries(this.last), onFrame: (frame) => this.#take(frame) };
            this.session = await Realtime.connect(this.node.target, "json", this.user.token, options).catch(() => null);
            if (!this.session) {
                await pause(PAUSE_MS);
                continue;
            }
            this.connections++;
            await this.session.closed;
        }
    }
}

export class Load {
    static async start(cluster) {
        const load = Object.assign(new Load(), { cluster, sent: [], refused: [], problems: [], reads: 0, isEnding: false, isOver: false });
        const senders = [...cluster.nodes.flatMap((node) => Array(SENDERS_PER_NODE).fill([node])), ...Array(SENDERS_AT_ALL).fill(cluster.nodes)];
        load.senders = senders.length + cluster.nodes.length;
        load.users = await cluster.nodes[0].newUsers(load.senders);
        load.threads = [];
        for (let number = 0; number < THREADS; number++) load.threads.push(await cluster.nodes[number % cluster.nodes.length].newThread(load.users, `thread ${number}`));
        load.last = new Map(); // of each thread, what was acknowledged last
        load.offsets = new Map(load.threads.map((thread) => [thread, new Map()])); // message id → offset
        load.listeners = cluster.nodes.map((node, index) => new Listener(load, node, load.users[senders.length + index]));
        load.listening = load.listeners.map((listener) => listener.work());
        load.topics = new Map(); // of the threads that have one changed, what was acknowledged last
        load.working = senders.map((nodes, number) => load.#send(number, nodes));
        for (const [index, node] of cluster.nodes.entries())
            load.working.push(load.#read(node), load.#rename(node, load.threads[index]), load.#sendLive(load.listeners[index], senders.length + index));
        return load;
    }

    complain(text) {
        if (this.problems.length < 30) this.problems.push(text);
    }

    /** The answer with that status, or null. */
    async #ask(what, node, user, method, path, status, options) {
        const began = performance.now();
        const headers = { Authorization: `Bearer ${user.token}`, ...options.headers };
        const answer = await node.exchange(method, path, { ...options, headers, deadlineMs: ASK_MS }).catch((error) => {
            this.complain(`a ${what} through ${node.name} broke: ${error.message}`);
            return null;
        });
        if (!answer || answer.status === status) return answer;
        const code = answer.json?.error?.code;
        this.refused.push({ what, node, code, began, ended: performance.now() });
        if (answer.status !== 503 || !code) this.complain(`a ${what} through ${node.name}: ${answer.status} ${answer.text}`);
        else if (!(Number(answer.headers["retry-after"]) > 0)) this.complain(`a ${what} through ${node.name}: 503 without Retry-After`);
        return null;
    }

    /** Sends one after the other, to the threads in turn; what was not acknowledged again, through the next of `nodes`. */
    async #send(number, nodes) {
        for (let count = 0; !this.isEnding; count++) {
            const thread = this.threads[(number + count) % THREADS];
            const content = `sender ${number} message ${count}`;
            const options = { headers: { "x-ms-client-request-id": randomUUID() }, body: { content } };
            for (let attempt = 0; ; attempt++) {
                const node = nodes[(count + attempt) % nodes.length];
                const began = performance.now();
                const answer = await this.#ask("send", node, this.users[number], "POST", `${threadPath(thread)}/messages?${API}`, 201, options);
                if (answer) {
                    this.#acknowledged({ thread, node, content, id: answer.json.id, offset: Number(answer.headers["x-weft-offset"]), began, ended: performance.now() });
                    break;
                }
                await pause(PAUSE_MS);
            }
            await pause(PAUSE_MS);
        }
    }

    #acknowledged(message) {
        this.sent.push(message);
        this.offsets.get(message.thread).set(message.id, message.offset);
        if (!(this.last.get(message.thread)?.offset > message.offset)) this.last.set(message.thread, message);
    }

    /** The acknowledgement of a real-time send, or null. */
    async #askLive({ node, session }, frame) {
        const began = performance.now();
        const late = new AbortController();
        const noAnswer = pause(ASK_MS, null, { signal: late.signal }).then(() => this.complain(`a live send through ${node.name} has no answer`), () => {});
        try {
            return await Promise.race([session.ask(frame), noAnswer]);
        } catch ({ code, retryAfterMs, message }) {
            if (code) this.refused.push({ what: "live send", node, code, began, ended: performance.now() });
            if (code ? !(retryAfterMs > 0) : message !== "closed before the answer" && message !== "closed") this.complain(`a live send through ${node.name}: ${message}`);
            return null;
        } finally {
            late.abort();
        }
    }

    /** As #send, at the listener's node. */
    async #sendLive(listener, number) {
        const { node } = listener;
        for (let count = 0; !this.isEnding; count++) {
            const thread = this.threads[(number + count) % THREADS];
            const content = `sender ${number} message ${count}`;
            for (;;) {
                const began = performance.now();
                const ack = listener.session && (await this.#askLive(listener, { type: "send", id: content, thread, content }));
                if (ack) {
                    this.#acknowledged({ thread, node, content, id: ack.messageId, offset: ack.offset, began, ended: performance.now() });
                    break;
                }
                await pause(PAUSE_MS);
            }
            await pause(LIVE_MS);
        }
    }

    /** Changes the thread's topic again and again, which everybody's list of threads has to show. */
    async #rename(node, thread) {
        for (let count = 0; !this.isEnding; count++) {
            const topic = `topic ${count} by ${node.name}`;
            const options = { headers: { "Content-Type": "application/merge-patch+json" }, body: { topic } };
            while (!(await this.#ask("change", node, this.users[0], "PATCH", `${threadPath(thread)}?${API}`, 204, options))) await pause(PAUSE_MS);
            this.topics.set(thread, topic);
            await pause(TOPIC_MS);
        }
    }

    /** Whatever was acknowledged before a read began is in its answer. */
    async #read(node) {
        const user = this.users.at(-1);
        const under = new Set();
        for (let count = 0; !this.isEnding; count++) {
            const thread = this.threads[count % THREADS];
            const known = this.last.get(thread);
            if (known && under.size < READS_MAX) {
                const asked = this.#ask("read", node, user, "GET", `${threadPath(thread)}/messages?maxPageSize=${PAGE}&${API}`, 200, {})
                    .then((answer) => answer && this.#compareRead(node, known, answer.json.value))
                    .finally(() => under.delete(asked));
                under.add(asked);
            }
            await pause(READ_MS);
        }
        await Promise.all(under);
    }

    #compareRead(node, known, page) {
        this.reads++;
        if (page.some(({ id }) => id === known.id)) return;
        const offsets = this.offsets.get(known.thread);
        if (page.length < PAGE || page.some(({ id }) => offsets.get(id) < known.offset))
            this.complain(`a read through ${node.name} does not tell ${known.content}, acknowledged ${(performance.now() - known.ended).toFixed(0)} ms before its end`);
    }

    /** Sends through the node that were begun after `moment`. */
    sentSince(moment, node) {
        return this.sent.filter((message) => message.node === node && message.began >= moment);
    }
    /** Sends through the node that were answered after `moment`. */
    refusedSince(moment, node) {
        return this.refused.filter((item) => item.node === node && item.what.endsWith("send") && item.ended >= moment);
    }

    /** Waits until a send through the node that began after `moment` is acknowledged in every thread: `moment` to the last. */
    async goesOn(moment, node, what, deadlineMs = 60000) {
        const ends = () => this.threads.map((thread) => this.sent.find((message) => message.thread === thread && message.node === node && message.began >= moment)?.ended);
        await until(`sends through ${node.name} in every thread ${what}`, () => ends().every(Boolean), deadlineMs);
        return Math.max(...ends()) - moment;
    }

    /** Lets what is under way be acknowledged, and every listener hear of it. */
    async end() {
        this.isEnding = true;
        await Promise.all(this.working);
        for (const { node, last } of this.listeners)
            await until(`the listener at ${node.name} hears everything`, () => this.threads.every((thread) => last.get(thread) >= this.last.get(thread).offset), 60000);
        this.close();
        await Promise.all(this.listening);
    }

    async #showsTopics(node, user) {
        const { json } = await node.expect(user, "GET", "/chat/threads", { query: "maxPageSize=100" });
        const listed = new Map(json.value.map(({ id, topic }) => [id, topic]));
        return [...this.topics].every(([thread, topic]) => listed.get(thread) === topic);
    }

    close() {
        this.isEnding = this.isOver = true;
        for (const { session } of this.listeners) session?.close();
    }

    /** Every node tells the same, and that is what was acknowledged, once, in the order of sending; as do the listeners. */
    async check() {
        for (const thread of this.threads) {
            const sent = this.sent.filter((message) => message.thread === thread);
            assert.equal(new Set(sent.map(({ offset }) => offset)).size, sent.length, "no offset twice");
            const tellings = [];
            for (const node of this.cluster.nodes) tellings.push((await node.allMessages(this.users[0], thread)).filter(({ type }) => type === "text").reverse());
            for (const [index, telling] of tellings.entries()) this.#compare(this.cluster.nodes[index].name, telling, sent);
            for (const telling of tellings.slice(1)) assert.deepEqual(telling.map(({ id }) => id), tellings[0].map(({ id }) => id), "every node tells the same");
            for (const { node, heard } of this.listeners) assert.deepEqual(sent.filter(({ id, offset }) => heard.get(thread).get(offset) !== id).map(({ content }) => content), [], `not heard at ${node.name}`);
        }
        for (const node of this.cluster.nodes)
            for (const user of this.users) await until(`${node.name} lists the threads of everybody as they are`, () => this.#showsTopics(node, user));
        assert.deepEqual(this.problems, []);
    }

    #compare(name, telling, sent) {
        const contents = telling.map(({ content }) => content.message);
        assert.equal(new Set(contents).size, contents.length, `doubled, says ${name}`);
        const byId = new Map(telling.map((message) => [message.id, message.content.message]));
        assert.deepEqual(sent.filter(({ id, content }) => byId.get(id) !== content).map(({ content }) => content), [], `lost, says ${name}`);
        assert.equal(telling.length, sent.length, `messages that ${name} has`);
        for (let number = 0; number < this.senders; number++) {
            const counts = contents.map((content) => content.split(" ")).filter(([, sender]) => Number(sender) === number).map((words) => Number(words[3]));
            assert.deepEqual(counts, [...counts].sort((a, b) => a - b), `order of sender ${number}, says ${name}`);
        }
    }

    get summary() {
        const codes = {};
        for (const { what, code } of this.refused) codes[`${what} ${code}`] = (codes[`${what} ${code}`] ?? 0) + 1;
        const listeners = this.listeners.map(({ connections, jumps }) => `${connections}/${jumps}`).join(", ");
        return `${this.sent.length} acknowledged, ${this.reads} reads, refused ${JSON.stringify(codes)}, connections/jumps of listeners ${listeners}`;
    }
}
