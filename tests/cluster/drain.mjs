// SIGTERM: clients are told, what is under way is answered, the process ends with 0, and after the restart nobody lacks anything.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { run, test } from "../sdk/lib/harness.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { Trouter } from "./lib/trouter.mjs";
import { World, threadPath, until } from "./lib/world.mjs";

const DRAIN_DEADLINE_MS = 25000; // 10 s for the clients, then some for the workers

/** A well-behaved client: on goaway it stays until nothing of its own is under way, then leaves; later it resumes. */
class Client {
    constructor(world, user, format, thread) {
        Object.assign(this, { world, user, format, thread, last: 0, offsets: [], acknowledged: [], refused: [], goaway: null, problems: [] });
    }
    async connect(resume) {
        this.session = await Realtime.connect(this.world.target, this.format, this.user.token, { resume, onFrame: (frame) => this.#take(frame) });
    }
    #take(frame) {
        if (frame.type === "goaway") this.goaway = frame;
        if (frame.type === "gap") this.problems.push("gap");
        if (frame.type === "ack" || frame.type === "complete" || !(frame.offset > this.last)) return;
        if (this.last !== 0 && frame.offset !== this.last + 1) this.problems.push(`${frame.offset} after ${this.last}`);
        this.last = frame.offset;
        this.offsets.push(frame.offset);
    }
    /** Sends until the connection is over; answers are awaited to the end. */
    async sendOn() {
        for (let number = 0; !this.goaway && !this.session.socket.isClosed; number++) {
            const id = `${this.format}-${number}`;
            await this.session.ask({ type: "send", id, thread: this.thread, content: id }).then(
                (ack) => this.acknowledged.push(ack),
                (error) => this.refused.push(error),
            );
        }
        const last = { type: "send", id: "after goaway", thread: this.thread, content: "after goaway" };
        await this.session.ask(last).then((ack) => this.acknowledged.push(ack), (error) => this.refused.push(error));
        this.session.socket.close(1000);
    }
}

test("on SIGTERM clients are told to go, sends under way are answered, and the node ends with 0", async () => {
    const world = await (await World.make({ plain: true })).start();
    const users = await world.newUsers(12);
    const thread = await world.newThread(users);
    const clients = users.slice(0, 8).map((user, index) => new Client(world, user, index % 2 ? "msgpack" : "json", thread));
    for (const client of clients) await client.connect({ [thread]: 0 });
    const packets = [];
    const official = await Promise.all(users.slice(8).map((user, index) => Trouter.connect(world, user, { onPacket: (text) => packets.push([index, text]) })));
    const sending = clients.slice(0, 4).map((client) => client.sendOn());
    await until("all send", () => clients.slice(0, 4).every(({ acknowledged }) => acknowledged.length > 5), 20000);
    world.node.signal("SIGTERM");
    const ending = world.node.waitEnd(DRAIN_DEADLINE_MS);
    await Promise.all(sending);
    for (const client of clients) await until("goaway", () => client.goaway, 10000);
    for (const { goaway } of clients) {
        assert.ok(goaway.afterMs >= 0 && goaway.afterMs <= 60000, JSON.stringify(goaway));
        assert.equal(typeof goaway.reason, "string");
    }
    await until("official clients are told", () => official.every((_, index) => packets.some(([from, text]) => from === index && text.includes("trouter.reconnect"))), 10000);
    for (const client of clients.slice(4)) client.session.socket.close(1000);
    for (const client of official) client.close();
    assert.deepEqual(await ending, { status: 0, signal: null });
    for (const { refused } of clients) assert.deepEqual(refused.map(({ message }) => message), [], "every send got its acknowledgement");
    const fsck = world.fsck();
    assert.ok(fsck.isClean, fsck.text);

    await world.start();
    await world.newMessage(users[0], thread, "after the restart");
    for (const client of clients) await client.connect({ [thread]: client.last });
    const acknowledged = clients.flatMap((client) => client.acknowledged.map(({ offset }) => offset));
    const end = Math.max(...acknowledged) + 1;
    for (const client of clients) {
        await until("everything came", () => client.last >= end, 20000);
        assert.deepEqual(client.problems, []);
        const seen = new Set(client.offsets);
        for (const offset of acknowledged) assert.ok(seen.has(offset), `offset ${offset} came`);
    }
    await world.node.stop();
}, { deadlineMs: 90000 });

test("clients that do not go do not keep the node from ending", async () => {
    const world = await (await World.make({ plain: true })).start();
    const users = await world.newUsers(3);
    const thread = await world.newThread(users);
    const staying = await Realtime.connect(world.target, "json", users[0].token);
    const silent = await Realtime.connect(world.target, "msgpack", users[1].token);
    silent.socket.stopReading();
    await Trouter.connect(world, users[2]);
    // Half a request, that never goes on.
    const { dial } = await import("./lib/websocket.mjs");
    const half = await dial(world.target);
    half.on("error", () => {});
    half.write("POST /chat/threads?api-version=2025-03-15 HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{");
    world.node.signal("SIGTERM");
    let answered = 0;
    let isClosed = false;
    const closed = staying.closed.then((end) => ((isClosed = true), end));
    while (!isClosed) {
        await staying.ask({ type: "send", id: `late ${answered}`, thread, content: "late" }).then(() => answered++, () => {});
        await pause(20);
    }
    assert.equal((await closed).code, 1001);
    assert.ok(answered > 0, "while it is there it is served");
    assert.deepEqual(await world.node.waitEnd(DRAIN_DEADLINE_MS), { status: 0, signal: null });
    half.destroy();
    silent.close();
    await world.start();
    const found = (await world.allMessages(users[1], thread)).filter(({ type }) => type === "text");
    assert.ok(found.length >= answered, "what was acknowledged while draining is there");
    await world.node.stop();
}, { deadlineMs: 90000 });

test("more SIGTERMs end the node at once, with 0 and nothing lost", async () => {
    const world = await (await World.make({ plain: true })).start();
    const users = await world.newUsers(2);
    const thread = await world.newThread(users);
    const session = await Realtime.connect(world.target, "json", users[0].token);
    const acknowledged = [];
    const sending = Array.from({ length: 50 }, (_, number) =>
        session.ask({ type: "send", id: `${number}`, thread, content: `${number}` }).then((ack) => acknowledged.push(ack.messageId), () => {}));
    await until("some are acknowledged", () => acknowledged.length > 0, 10000);
    const ending = world.node.waitEnd(DRAIN_DEADLINE_MS);
    const insisting = setInterval(() => world.node.isRunning && world.node.signal("SIGTERM"), 5);
    assert.deepEqual(await ending.finally(() => clearInterval(insisting)), { status: 0, signal: null });
    await Promise.all(sending);
    await world.start();
    const found = new Set((await world.allMessages(users[1], thread)).map(({ id }) => id));
    for (const id of acknowledged) assert.ok(found.has(id), id);
    await world.node.stop();
}, { deadlineMs: 60000 });

test("requests that are answered while draining end their connections, and health says so", async () => {
    const world = await (await World.make({ plain: true })).start();
    const [user] = await world.newUsers(1);
    const thread = await world.newThread([user]);
    const session = await Realtime.connect(world.target, "json", user.token);
    const goaway = new Promise((resolve) => (session.onFrame = (frame) => frame.type === "goaway" && resolve(frame)));
    const kept = new (await import("node:http")).default.Agent({ keepAlive: true, maxSockets: 1 });
    world.agent = kept;
    await world.call(user, "GET", threadPath(thread));
    world.node.signal("SIGTERM");
    await goaway;
    const health = await world.exchange("GET", "/health/ready");
    assert.equal(health.status, 503);
    assert.equal(health.json.error.code, "ShuttingDown");
    assert.ok(health.headers["retry-after"]);
    const answered = await world.call(user, "GET", threadPath(thread));
    assert.equal(answered.status, 200);
    assert.equal(answered.headers.connection, "close");
    session.socket.close(1000);
    assert.deepEqual(await world.node.waitEnd(DRAIN_DEADLINE_MS), { status: 0, signal: null });
}, { deadlineMs: 60000 });

await run("drain");
