// Clients that use too much, and clients that all change the same thing at once.
// WEFT_RACE_SECONDS: how long the race runs (6).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { run, test } from "../sdk/lib/harness.mjs";
import { chanceFrom } from "./lib/chance.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { Trouter } from "./lib/trouter.mjs";
import { WebSocketClient, dial } from "./lib/websocket.mjs";
import { World, participant, threadPath, until } from "./lib/world.mjs";

const RACE_MS = Number(process.env.WEFT_RACE_SECONDS ?? 6) * 1000;
const chance = chanceFrom(process.env.WEFT_SEED);
console.log(`# seed ${chance.seed}`);

test("who reads nothing may not pile up resumes, and is told so", async () => {
    const world = await (await World.make({ plain: true })).start({ config: "workers = 1\n" });
    const [user, other] = await world.newUsers(2);
    const thread = await world.newThread([user]);
    for (let sent = 0; sent < 400; sent += 10) await Promise.all(Array.from({ length: 10 }, () => world.newMessage(user, thread, "x".repeat(28000))));
    const frames = [];
    const hostile = await Realtime.connect(world.target, "json", user.token, { onFrame: (frame) => frames.push(frame) });
    hostile.socket.stopReading();
    hostile.send({ type: "resume", threads: { [thread]: 0 } });
    for (let number = 0; number < 10; number++) {
        const names = Array.from({ length: 3000 }, () => `19:acsV1_${randomBytes(32).toString("base64url")}1@thread.v2`);
        hostile.send({ type: "resume", threads: Object.fromEntries(names.map((name) => [name, 1])) });
    }
    // One worker: once it answers the other, it has taken what the first one sent before.
    const witness = await Realtime.connect(world.target, "json", other.token);
    await witness.ask({ type: "ping", id: "still served" });
    hostile.socket.goOnReading();
    const refusal = await until("it is told", () => frames.find((frame) => frame.type === "error" && frame.code === "Overloaded"), 20000);
    assert.ok(refusal.retryAfterMs > 0);
    hostile.close();
    await world.end();
}, { deadlineMs: 90000 });

test("one user's connections are bounded, and refused by name", async () => {
    const world = await (await World.make({ plain: true })).start({ config: "workers = 1\n" });
    const [user, other] = await world.newUsers(2);
    const opened = [];
    let refused;
    while (!refused && opened.length < 1000) {
        const frames = [];
        const socket = await WebSocketClient.open(world.target, "/realtime", { protocol: "weft.v1.json" });
        const session = new Realtime(socket, "json", (frame) => frames.push(frame));
        session.send({ type: "connect", token: user.token });
        const isConnected = await session.connected.then(() => true, () => false);
        if (isConnected) opened.push(session);
        else refused = { ...(await session.closed), error: frames.find(({ type }) => type === "error") };
    }
    assert.equal(refused?.code, 4429);
    assert.equal(refused.error.code, "TooManyRequests");
    assert.ok(opened.length >= 50, `${opened.length} connections are fewer than a user may need`);
    // At the allocation, not at the socket: a socket refused makes the official client start over without a pause.
    await assert.rejects(Trouter.connect(world, user), /^Error: allocate: 429 .*TooManyRequests/);
    await (await Realtime.connect(world.target, "json", other.token)).ask({ type: "ping", id: "others are not concerned" });
    opened.pop().close();
    await until("there is a place again", () => Realtime.connect(world.target, "msgpack", user.token).then(() => true, () => false), 10000);
    await world.end();
}, { deadlineMs: 60000 });

test("connections_max bounds all workers together, and places become free again", async () => {
    const world = await (await World.make({ plain: true })).start({ config: "workers = 2\nconnections_max = 40\n" });
    world.agent.destroy();
    await until("nobody is connected", async () => (await world.metric("weft_connections")) <= 1, 10000);
    world.agent.destroy();
    for (let round = 0; round < 2; round++) {
        const sockets = await Promise.all(Array.from({ length: 80 }, () => dial(world.target)));
        const open = new Set(sockets);
        for (const socket of sockets) socket.on("error", () => {}).on("close", () => open.delete(socket)).resume();
        await until("those beyond the bound are closed", () => open.size <= 40, 10000);
        assert.ok(open.size >= 38, `${open.size} of 40 places are given`);
        for (const socket of sockets) socket.destroy();
        await until("places are free again", async () => (await world.exchange("GET", "/health/live").catch(() => null))?.status === 200, 10000);
        world.agent.destroy();
    }
    await world.end();
}, { deadlineMs: 60000 });

test("the limit of open files is raised to connections_max, or the log says that it cannot be", async () => {
    const world = await (await World.make()).start({ config: "connections_max = 30000\n" });
    const openFiles = Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${world.node.pid}/limits`, "utf8"))[1]);
    assert.ok(openFiles >= 30000 || /only \d+ open files/.test(world.node.log), `${openFiles} open files, and the log says nothing of it`);
    await world.end();
});

test("requests and handshakes that never come to an end are cut, and others are served meanwhile", async () => {
    const world = await (await World.make({ plain: true })).start({ config: "request_timeout_ms = 1000\n" });
    const started = [
        [world.target, "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: "], [world.target, "POST /chat/threads HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"],
        [{ port: world.node.port }, Buffer.from("1603010100010000fc0303", "hex")], [world.target, "POST /chat/threads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{"],
    ];
    const sockets = await Promise.all(Array.from({ length: 400 }, (_, index) => dial(started[index % started.length][0])));
    const open = new Set(sockets);
    sockets.forEach((socket, index) => socket.on("error", () => {}).on("close", () => open.delete(socket)).resume().write(started[index % started.length][1]));
    const [user] = await world.newUsers(1);
    const thread = await world.newThread([user]);
    while (open.size > 0) {
        await world.newMessage(user, thread, "served");
        for (const socket of open) socket.write("a");
        await pause(100);
    }
    await world.end();
}, { deadlineMs: 30000 });

test("creations, additions, removals, edits and deletions at once: named answers, one order, a clean store", async () => {
    const world = await (await World.make({ plain: true })).start();
    const users = await world.newUsers(6);
    const threads = [await world.newThread(users.slice(0, 3)), await world.newThread(users)];
    const ids = threads.map(() => []);
    const statuses = new Map();
    const watched = threads.map(() => []);
    const watchers = await Promise.all(["json", "msgpack"].map((format) => {
        const offsets = new Map();
        watched.push(offsets);
        return Realtime.connect(world.target, format, users[0].token, { onFrame: (frame) => {
            if (frame.offset === undefined || frame.type === "ack" || !threads.includes(frame.thread)) return;
            offsets.set(frame.thread, [...(offsets.get(frame.thread) ?? []), frame.offset]);
        } });
    }));
    const end = performance.now() + RACE_MS;
    const creations = new Map();
    async function act(user) {
        const index = chance.below(threads.length);
        const [path, known] = [threadPath(threads[index]), ids[index]];
        const someone = users[1 + chance.below(users.length - 1)];
        const message = known.length ? `${path}/messages/${chance.pick(known)}` : `${path}/messages/1`;
        switch (chance.below(9)) {
            case 0: return world.call(user, "POST", `${path}/participants/:add`, { body: { participants: [participant(someone)] } });
            case 1: return world.call(user, "POST", `${path}/participants/:remove`, { body: participant(someone).communicationIdentifier });
            case 2: return world.call(user, "PATCH", message, { body: { content: `edited ${chance.below(1000)}` } });
            case 3: return world.call(user, "DELETE", message);
            case 4: return world.call(user, "PATCH", path, { body: { topic: `topic ${chance.below(1000)}` } });
            case 5: return world.call(user, "POST", `${path}/readReceipts`, { body: { chatMessageId: known.length ? chance.pick(known) : "1" } });
            case 6: return createOnce(user);
            default: return world.call(user, "POST", `${path}/messages`, { body: { content: randomUUID() } }).then((answer) => (answer.status === 201 && known.push(answer.json.id), answer));
        }
    }
    /** The same creation twice at once makes one thread; then it goes again, twice at once. */
    async function createOnce(user) {
        const headers = { "Repeatability-Request-Id": randomUUID(), "Repeatability-First-Sent": new Date().toUTCString() };
        const make = () => world.call(user, "POST", "/chat/threads", { body: { topic: "short", participants: users.slice(0, 2).map(participant) }, headers });
        const [first, second] = await Promise.all([make(), make()]);
        assert.equal(first.status, 201, first.text);
        assert.equal(second.status, 201, second.text);
        assert.equal(first.json.chatThread.id, second.json.chatThread.id);
        const made = first.json.chatThread.id;
        const gone = await Promise.all([world.call(user, "DELETE", threadPath(made)), world.call(user, "DELETE", threadPath(made)), world.call(user, "POST", `${threadPath(made)}/messages`, { body: { content: "late" } })]);
        for (const { status, text } of gone) assert.ok([204, 201, 403, 404].includes(status), text);
        assert.equal((await world.call(user, "GET", threadPath(made))).status, 404);
        creations.set(made, user);
        return first;
    }
    async function lane(user) {
        while (performance.now() < end) {
            const answer = await act(user);
            statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
            assert.ok(answer.status < 500, answer.text);
            if (answer.status >= 400) assert.ok(answer.json.error.code, answer.text);
        }
    }
    await Promise.all([...users, users[0], users[0]].map(lane));
    console.log(`# ${[...statuses].map(([status, count]) => `${status}: ${count}`).join(", ")}; ${creations.size} threads made and deleted`);
    for (const thread of threads) {
        const { offset } = await world.newMessage(users[0], thread, "the last");
        for (const offsets of watched.slice(threads.length)) {
            await until("the last came", () => offsets.get(thread)?.at(-1) >= offset, 20000);
            offsets.get(thread).forEach((value, index, all) => assert.ok(index === 0 || value === all[index - 1] + 1, `${value} after ${all[index - 1]}`));
        }
        const listed = (await world.call(users[0], "GET", `${threadPath(thread)}/participants`)).json.value.map(({ communicationIdentifier }) => communicationIdentifier.rawId);
        assert.equal(new Set(listed).size, listed.length, "nobody takes part twice");
        for (const user of users) {
            const isListed = listed.includes(user.id);
            const { status } = await world.call(user, "GET", `${threadPath(thread)}/participants`);
            assert.equal(status, isListed ? 200 : 403, "who is listed may read, who is not may not");
            const threadsOfUser = (await world.call(user, "GET", "/chat/threads")).json.value;
            if (isListed) assert.ok(threadsOfUser.some(({ id }) => id === thread), "who takes part finds the thread in the own list");
        }
    }
    for (const watcher of watchers) watcher.close();
    await world.end();
    const fsck = world.fsck();
    assert.ok(fsck.isClean, fsck.text);
}, { deadlineMs: 60000 + RACE_MS });

await run("hostile_clients");
