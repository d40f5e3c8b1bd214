// A client that stops reading is told to resume and loses nothing, and nobody else notices it.
// WEFT_LONG=1: also what takes over a minute.

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { clusterAt } from "./lib/admin.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { Trouter } from "./lib/trouter.mjs";
import { World, until } from "./lib/world.mjs";

// More than kernel buffers and the queue of a session hold.
const MESSAGES = 260;
const content = (number) => `${number} ${"z".repeat(27000)}`;
const WINDOW = 4; // twice this, to the sender too, stays below the queue of a session

/** A reader that keeps offsets and numbers of the messages it has seen. */
async function reader(target, format, user, resume, numbers = []) {
    let last = resume ? Object.values(resume)[0] : 0;
    const problems = [];
    const onFrame = (frame) => {
        if (frame.type === "gap") problems.push(`gap from ${frame.from} to ${frame.to}`);
        if (frame.type !== "message" || frame.offset <= last) return;
        if (last !== 0 && frame.offset !== last + 1) problems.push(`${frame.offset} after ${last}`);
        last = frame.offset;
        numbers.push(parseInt(frame.message.content.message, 10));
    };
    const session = await Realtime.connect(target, format, user.token, { resume, onFrame });
    return { session, numbers, problems, get last() { return last; } };
}

/** No faster than those who do read can take it: `lists` are what they have got. */
async function sendAll(session, thread, lists) {
    const waits = [];
    for (let number = 0; number < MESSAGES; number++) {
        waits.push(session.ask({ type: "send", id: `n${number}`, thread, content: content(number) }));
        if (number < WINDOW || number % WINDOW > 0) continue;
        await waits[number - WINDOW];
        const isUpToDate = () => lists.every((list) => list.length > number - WINDOW);
        if (!isUpToDate()) await until(`message ${number - WINDOW} has come to all who read`, isUpToDate, 10000);
    }
    await Promise.all(waits);
}

const everything = Array.from({ length: MESSAGES }, (_, number) => number);

for (const { name, format, isTls } of [
    { name: "without TLS, JSON", format: "json", isTls: false },
    { name: "with TLS, MessagePack", format: "msgpack", isTls: true },
])
    test(`a reader that stops changes nothing for the others, and catches up after 4413 (${name})`, async () => {
        const world = await (await World.make({ plain: true })).start({ config: "session_queue_bytes_max = 262144\n" });
        const target = isTls ? world.tlsTarget : world.target;
        const users = await world.newUsers(4);
        const thread = await world.newThread(users);
        const sender = await Realtime.connect(target, "json", users[0].token);
        const quick = [await reader(target, "json", users[1]), await reader(target, "msgpack", users[2])];
        const slow = await reader(target, format, users[3]);
        await slow.session.ask({ type: "ping", id: "settled" });
        slow.session.socket.stopReading();
        await sendAll(sender, thread, quick.map(({ numbers }) => numbers));
        await until("the quick readers have everything", () => quick.every(({ numbers }) => numbers.length >= MESSAGES), 30000);
        for (const { numbers, problems } of quick) {
            assert.deepEqual(problems, []);
            assert.deepEqual(numbers, everything);
        }
        await until("the slow reader is counted", async () => (await world.metric("weft_websocket_slow_readers_total")) >= 1, 10000);
        await until("the operator sees it", async () => (await clusterAt(world)).nodes[0].load.slowClients >= 1, 10000);

        slow.session.socket.goOnReading();
        const { code } = await slow.session.closed;
        assert.equal(code, 4413);
        assert.ok(slow.numbers.length < MESSAGES, "it was behind");
        assert.deepEqual(slow.problems, []);
        const caughtUp = await reader(target, format, users[3], { [thread]: slow.last }, slow.numbers);
        await until("the slow reader has everything", () => slow.numbers.length >= MESSAGES, 30000);
        assert.deepEqual(slow.numbers, everything);
        assert.deepEqual(caughtUp.problems, []);
        // What it gets from now on comes live.
        await sender.ask({ type: "send", id: "after", thread, content: `${MESSAGES}` });
        await until("it listens again", () => slow.numbers.at(-1) === MESSAGES, 10000);
        await world.end();
    }, { deadlineMs: 120000 });

test("a reader that never reads again does not keep its connection", async () => {
    const world = await (await World.make({ plain: true })).start({ config: "session_queue_bytes_max = 262144\n" });
    const users = await world.newUsers(2);
    const thread = await world.newThread(users);
    const sender = await Realtime.connect(world.target, "json", users[0].token);
    const stopped = await reader(world.target, "json", users[1]);
    stopped.session.socket.stopReading();
    await until("two websockets are counted", async () => (await world.metric("weft_websockets")) === 2, 10000);
    await sendAll(sender, thread, []);
    await until("only the sender's is left", async () => (await world.metric("weft_websockets")) === 1, 90000);
    await world.end();
}, { deadlineMs: 150000, skip: process.env.WEFT_LONG ? false : "takes over a minute; WEFT_LONG=1" });

test("an official client that stops reading changes nothing for the others", async () => {
    const world = await (await World.make({ plain: true })).start({ config: "session_queue_bytes_max = 262144\n" });
    const users = await world.newUsers(3);
    const thread = await world.newThread(users);
    const sender = await Realtime.connect(world.target, "json", users[0].token);
    const quick = [];
    await Trouter.connect(world, users[1], { onPush: (push) => push.messageBody && quick.push(parseInt(push.messageBody, 10)) });
    const slow = await Trouter.connect(world, users[2]);
    slow.socket.stopReading();
    await sendAll(sender, thread, [quick]);
    await until("the quick one has everything", () => quick.length >= MESSAGES, 30000);
    assert.deepEqual(quick, everything);
    await world.end();
}, { deadlineMs: 120000 });

await run("slow_reader");
