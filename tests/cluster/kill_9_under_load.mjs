// A node is killed again and again while clients send over both interfaces. Everybody goes on as a client should: what was
// not acknowledged is sent again under its id, and receivers resume from the last offset they have. Threads are made, left
// and deleted meanwhile.
// WEFT_KILL_ROUNDS: how often (5). WEFT_SEED: of the moments.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { run, test } from "../sdk/lib/harness.mjs";
import { chanceFrom } from "./lib/chance.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { World, participant, threadPath, until } from "./lib/world.mjs";

const ROUNDS = Number(process.env.WEFT_KILL_ROUNDS ?? 5);
const ACKS_PER_ROUND = 12; // of every sender and of the maker of threads, before the next kill may come
const WINDOW = 8; // sends that a real-time sender has under way
const CREATION_OFFSET = 2; // the two system messages of a new thread are told as one change
const PATIENCE_MS = 30000 + ROUNDS * 10000;

const isEnded = { value: false };
const problems = [];
const complain = (text) => problems.length < 50 && problems.push(text);

/** Opens a connection, again and again until there is one; null when the test is over. */
async function connectPatiently(open) {
    while (!isEnded.value) {
        try {
            return await open();
        } catch {
            await pause(20);
        }
    }
    return null;
}

/** Sends over /realtime, several at a time; after a lost connection the unacknowledged ones go again, in their order. */
class RealtimeSender {
    constructor(world, user, format, threads) {
        Object.assign(this, { world, user, format, threads, acknowledged: [], underWay: [], count: 0, isStopping: false });
    }

    #next() {
        const number = this.count++;
        const id = `${this.user.name}-${number}`;
        return { id, thread: this.threads[number % this.threads.length], content: `${id} ${"x".repeat(number % 700)}` };
    }

    #transmit(item) {
        this.session.send({ type: "send", ...item });
    }

    #take(frame) {
        if (frame.type !== "ack" && frame.type !== "error") return;
        const item = this.underWay.find(({ id }) => id === frame.id);
        if (frame.type === "error") complain(`${frame.id} was refused: ${frame.code} ${frame.message}`);
        // A client may hear twice of what it sent twice; both must name the same message.
        if (!item) return this.#compareWithFirst(frame);
        this.underWay.splice(this.underWay.indexOf(item), 1);
        if (frame.type === "ack") this.acknowledged.push({ ...item, messageId: frame.messageId, offset: frame.offset, sender: this.user.name });
        while (!this.isStopping && this.underWay.length < WINDOW) {
            this.underWay.push(this.#next());
            this.#transmit(this.underWay.at(-1));
        }
    }

    #compareWithFirst(frame) {
        const first = this.acknowledged.find(({ id }) => id === frame.id);
        if (!first || first.messageId !== frame.messageId) complain(`${frame.id} was acknowledged as ${first?.messageId} and as ${frame.messageId}`);
    }

    async work() {
        for (let number = 0; number < WINDOW; number++) this.underWay.push(this.#next());
        while (!isEnded.value && !(this.isStopping && this.underWay.length === 0)) {
            this.session = await connectPatiently(() => Realtime.connect(this.world.target, this.format, this.user.token, { onFrame: (frame) => this.#take(frame) }));
            if (!this.session) return;
            for (const item of [...this.underWay]) this.#transmit(item);
            await Promise.race([this.session.closed, until("the rest is acknowledged", () => isEnded.value || (this.isStopping && this.underWay.length === 0), PATIENCE_MS)]);
        }
        this.session.close();
    }
}

/** Sends by REST, one at a time, each with a request id that is kept until it is answered; now and then edits or deletes. */
class RestSender {
    constructor(world, user, threads, { edits = false } = {}) {
        Object.assign(this, { world, user, threads, edits, acknowledged: [], count: 0, isStopping: false });
    }

    /** Repeats until answered. */
    async #ask(method, path, options, success) {
        while (!isEnded.value) {
            const answer = await this.world.call(this.user, method, path, { ...options, deadlineMs: 10000 }).catch(() => null);
            if (answer?.status === success) return answer;
            if (answer && answer.status !== 503) complain(`${method} ${path}: ${answer.status} ${answer.text}`);
            await pause(20);
        }
        return null;
    }

    async #change(item) {
        const path = `${threadPath(item.thread)}/messages/${item.messageId}`;
        if (this.count % 3 === 0) {
            const content = `${item.content} edited`;
            const answer = await this.#ask("PATCH", path, { body: { content } }, 204);
            if (answer) Object.assign(item, { content, offset: Number(answer.headers["x-weft-offset"]) });
        } else if (this.count % 7 === 1) {
            if (await this.#ask("DELETE", path, {}, 204)) item.isDeleted = true;
        }
    }

    async work() {
        while (!isEnded.value && !this.isStopping) {
            const number = this.count++;
            const id = `${this.user.name}-${number}`;
            const item = { id, thread: this.threads[number % this.threads.length], content: `${id} ${"y".repeat(number % 900)}`, sender: this.user.name };
            const headers = { "x-ms-client-request-id": randomUUID() };
            const answer = await this.#ask("POST", `${threadPath(item.thread)}/messages`, { body: { content: item.content }, headers }, 201);
            if (!answer) return;
            this.acknowledged.push(Object.assign(item, { messageId: answer.json.id, offset: Number(answer.headers["x-weft-offset"]) }));
            if (this.edits) await this.#change(item);
        }
    }
}

/** Makes threads, takes somebody out of each, and deletes every other; everything is repeated until it is answered. */
class ThreadMaker {
    constructor(world, users) {
        Object.assign(this, { world, users, acknowledged: [], count: 0, isStopping: false });
    }

    /** Repeats until answered with one of the statuses; after a repetition the first try may have had its effect already. */
    async #ask(method, path, options, statuses, statusesOfRepetition = []) {
        for (let attempt = 0; !isEnded.value; attempt++) {
            const answer = await this.world.call(this.users[0], method, path, { ...options, deadlineMs: 10000 }).catch(() => null);
            if (statuses.includes(answer?.status) || (attempt > 0 && statusesOfRepetition.includes(answer?.status))) return answer;
            if (answer && answer.status !== 503) complain(`${method} ${path}: ${answer.status} ${answer.text}`);
            await pause(20);
        }
        return null;
    }

    async work() {
        while (!isEnded.value && !this.isStopping) {
            const number = this.count++;
            const headers = { "Repeatability-Request-Id": randomUUID(), "Repeatability-First-Sent": new Date().toUTCString() };
            const made = await this.#ask("POST", "/chat/threads", { body: { topic: `made ${number}`, participants: this.users.map(participant) }, headers }, [201]);
            if (!made) return;
            const thread = made.json.chatThread.id;
            const gone = this.users[1 + (number % (this.users.length - 1))];
            if (!(await this.#ask("POST", `${threadPath(thread)}/participants/:remove`, { body: participant(gone).communicationIdentifier }, [204], [404]))) return;
            const isDeleted = number % 2 === 1;
            if (isDeleted && !(await this.#ask("DELETE", threadPath(thread), {}, [204], [404]))) return;
            this.acknowledged.push({ id: `thread ${number}`, thread, topic: `made ${number}`, gone, isDeleted });
        }
    }

    /** What every user's list and every thread show of it. */
    async check() {
        for (const user of this.users) {
            const listed = new Map();
            let query = "maxPageSize=100";
            while (query) {
                const { json } = await this.world.expect(user, "GET", "/chat/threads", { query });
                for (const item of json.value) {
                    if (listed.has(item.id)) complain(`${user.name} has ${item.topic} twice`);
                    listed.set(item.id, item);
                }
                query = json.nextLink ? new URL(json.nextLink).search.slice(1).replace(/&?api-version=[^&]*/, "") : null;
            }
            // Also who was taken out keeps it in the list, and may not see who is still in it.
            for (const { thread, topic, gone, isDeleted } of this.acknowledged) {
                const isThere = listed.has(thread) && !listed.get(thread).deletedOn;
                if (isThere === isDeleted) complain(`${user.name} ${isThere ? "has" : "has not"} ${topic}, ${isDeleted ? "deleted" : "kept"}`);
                if (user !== gone || isDeleted) continue;
                const { status } = await this.world.call(user, "GET", `${threadPath(thread)}/participants`);
                if (status !== 403) complain(`${user.name}, taken out of ${topic}, is answered ${status}`);
            }
            const topics = [...listed.values()].filter(({ deletedOn }) => !deletedOn).map(({ topic }) => topic);
            if (new Set(topics).size !== topics.length) complain(`a thread of ${user.name} was made twice`);
        }
        for (const { thread, topic, isDeleted } of this.acknowledged) {
            const { status } = await this.world.call(this.users[0], "GET", threadPath(thread));
            if (status !== (isDeleted ? 404 : 200)) complain(`${topic} is answered ${status}`);
        }
    }
}

/** Listens over /realtime and resumes from the last offset of each thread. */
class Receiver {
    constructor(world, user, format, threads) {
        Object.assign(this, { world, user, format, connections: 0, gaps: 0 });
        this.last = new Map(threads.map((thread) => [thread, 0]));
        this.seen = new Map(threads.map((thread) => [thread, new Map()])); // offset → change
        this.resuming = new Set();
    }

    #take(frame) {
        const { type, thread, offset } = frame;
        if (type === "gap") complain(`${this.user.name} was told of a gap in ${thread}: ${frame.from} to ${frame.to}`);
        if (type === "complete") {
            this.resuming.delete(thread);
            if (offset > this.last.get(thread)) this.last.set(thread, offset);
        }
        if (type === "complete" || type === "ack" || offset === undefined || !this.last.has(thread)) return;
        const last = this.last.get(thread);
        if (offset <= last) return;
        // An edit moves a message, so what is repeated may skip; what is told as it happens may not.
        if (offset !== last + 1 && !this.resuming.has(thread)) complain(`${this.user.name} saw ${offset} after ${last} in ${thread}`);
        this.last.set(thread, offset);
        this.seen.get(thread).set(offset, { type, id: frame.message?.id, content: frame.message?.content?.message });
    }

    async work() {
        while (!isEnded.value) {
            this.session = await connectPatiently(() => {
                this.resuming = new Set(this.last.keys());
                const resume = Object.fromEntries(this.last);
                return Realtime.connect(this.world.target, this.format, this.user.token, { resume, onFrame: (frame) => this.#take(frame) });
            });
            if (!this.session) return;
            this.connections++;
            await this.session.closed;
        }
    }
}

/** Kills and starts the node; what fsck said in between. */
async function crash(world) {
    await world.node.kill();
    const fsck = world.fsck();
    await world.start();
    return fsck;
}

async function play() {
    const chance = chanceFrom(process.env.WEFT_SEED);
    console.log(`# seed ${chance.seed}, ${ROUNDS} kills`);
    const world = await (await World.make()).start();
    const users = await world.newUsers(8);
    users.forEach((user, index) => (user.name = `user${index}`));
    const plain = [await world.newThread(users, "sends"), await world.newThread(users, "more sends")];
    const edited = await world.newThread(users, "edits");
    const threads = [...plain, edited];
    const senders = [
        new RealtimeSender(world, users[0], "json", threads),
        new RealtimeSender(world, users[1], "msgpack", plain),
        new RealtimeSender(world, users[2], "json", [plain[0]]),
        new RestSender(world, users[3], threads),
        new RestSender(world, users[4], [edited], { edits: true }),
        new ThreadMaker(world, users.slice(3)),
    ];
    const receivers = [new Receiver(world, users[5], "json", threads), new Receiver(world, users[6], "msgpack", threads), new Receiver(world, users[0], "json", threads)];
    const working = [...senders, ...receivers].map((client) => client.work());
    const fscks = [];
    for (let round = 0; round < ROUNDS; round++) {
        const before = senders.map((sender) => sender.acknowledged.length);
        await until("every sender is acknowledged", () => senders.every((sender, index) => sender.acknowledged.length >= before[index] + ACKS_PER_ROUND), 60000);
        await pause(chance.below(300));
        fscks.push(await crash(world));
    }
    for (const sender of senders) sender.isStopping = true;
    await Promise.all(working.slice(0, senders.length));
    const ends = new Map();
    for (const thread of threads) ends.set(thread, (await world.newMessage(users[7], thread, "the last")).offset);
    await until("every receiver has everything", () => receivers.every((receiver) => threads.every((thread) => receiver.last.get(thread) >= ends.get(thread))), 60000);
    const stored = new Map();
    for (const thread of threads) stored.set(thread, (await world.allMessages(users[7], thread)).reverse());
    await senders.at(-1).check();
    isEnded.value = true;
    for (const receiver of receivers) receiver.session.close();
    await Promise.all(working);
    await world.end();
    fscks.push(world.fsck());
    const acknowledged = senders.slice(0, -1).flatMap((sender) => sender.acknowledged);
    console.log(`# ${acknowledged.length} acknowledged; receivers connected ${receivers.map(({ connections }) => connections).join(", ")} times`);
    return { threads, plain, senders, receivers, fscks, ends, stored, acknowledged };
}

let played;
const afterwards = (name, body) => test(name, async () => body(await (played ??= play())), { deadlineMs: PATIENCE_MS * 3 });

afterwards("every acknowledged message is there exactly once, as it was acknowledged", ({ stored, acknowledged, threads }) => {
    const found = new Map();
    for (const thread of threads)
        for (const message of stored.get(thread)) {
            assert.ok(!found.has(`${thread} ${message.id}`), `message id ${message.id} twice`);
            found.set(`${thread} ${message.id}`, message);
        }
    for (const item of acknowledged) {
        const message = found.get(`${item.thread} ${item.messageId}`);
        assert.ok(message, `${item.id} acknowledged as ${item.messageId}`);
        if (item.isDeleted) assert.ok(message.deletedOn, `${item.id} is deleted`);
        else assert.equal(message.content.message, item.content);
    }
    const texts = [...found.values()].map((message) => message.content?.message?.split(" ")[0]).filter((text) => /-/.test(text ?? ""));
    assert.equal(new Set(texts).size, texts.length, "no message was made twice");
});

afterwards("every sender's messages are in the order in which they were sent", ({ stored, senders, plain }) => {
    for (const thread of plain)
        for (const { user } of senders.slice(0, -1)) {
            const numbers = stored.get(thread).map((message) => message.content?.message?.split(" ")[0]).filter((text) => text?.startsWith(`${user.name}-`)).map((text) => Number(text.split("-")[1]));
            for (let index = 1; index < numbers.length; index++) assert.ok(numbers[index] > numbers[index - 1], `${user.name} ${numbers[index - 1]} before ${numbers[index]}`);
        }
});

afterwards("threads that were made, left or deleted are so in every list", () => {
    assert.deepEqual(problems, []);
});

afterwards("every receiver saw every change, in order, with contiguous offsets, and no gap", ({ receivers, threads, plain, ends, stored, acknowledged }) => {
    assert.deepEqual(problems, []);
    for (const receiver of receivers)
        for (const thread of threads) {
            const seen = receiver.seen.get(thread);
            if (plain.includes(thread)) for (let offset = CREATION_OFFSET; offset <= ends.get(thread); offset++) assert.ok(seen.has(offset), `${receiver.user.name} has offset ${offset}`);
            const latest = new Map([...seen.values()].filter(({ id }) => id).map((change) => [change.id, change]));
            for (const message of stored.get(thread).filter(({ type }) => type === "text")) {
                const change = latest.get(message.id);
                assert.ok(change, `${receiver.user.name} saw message ${message.id}`);
                if (message.deletedOn) assert.equal(change.type, "messageDeleted");
                else if (change.content !== undefined) assert.equal(change.content, message.content.message, "in its last form");
            }
        }
    for (const item of acknowledged.filter(({ isDeleted }) => !isDeleted))
        for (const receiver of receivers) assert.equal(receiver.seen.get(item.thread).get(item.offset)?.id, item.messageId, `${receiver.user.name} saw ${item.id} at its offset ${item.offset}`);
});

afterwards("fsck finds nothing after any of the kills", ({ fscks }) => {
    for (const fsck of fscks) assert.ok(fsck.isClean, fsck.text);
});

await run("kill_9_under_load");
