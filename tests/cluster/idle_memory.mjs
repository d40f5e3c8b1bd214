// What an idle connection costs: resident memory of the node with thousands of signed-in /realtime clients without TLS.
// WEFT_IDLE_CONNECTIONS: how many (4000).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { run, test } from "../sdk/lib/harness.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { World, until } from "./lib/world.mjs";

const CONNECTIONS = Number(process.env.WEFT_IDLE_CONNECTIONS ?? 4000);
const CONNECTIONS_PER_USER = 20;
const KB_PER_CONNECTION_MAX = 12;
const AT_ONCE = 50;

const openFilesMax = Number(execFileSync("bash", ["-c", "ulimit -n"], { encoding: "utf8" })) || Infinity;
const tooFewFiles = openFilesMax < CONNECTIONS + 200 ? `ulimit -n is ${openFilesMax}` : false;

const residentKb = (pid) => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);

async function openMany(world, users, count) {
    const sessions = [];
    while (sessions.length < count) {
        const batch = Math.min(AT_ONCE, count - sessions.length);
        const opening = Array.from({ length: batch }, (_, index) => Realtime.connect(world.target, "json", users[(sessions.length + index) % users.length].token));
        sessions.push(...(await Promise.all(opening)));
    }
    return sessions;
}

test(`an idle /realtime connection costs at most ${KB_PER_CONNECTION_MAX} KB at ${CONNECTIONS} connections`, async () => {
    const world = await (await World.make({ plain: true })).start();
    const users = await world.newUsers(Math.ceil(CONNECTIONS / CONNECTIONS_PER_USER));
    const thread = await world.newThread(users.slice(0, 250));
    // Caches and pools that come with the first clients are not what one more client costs.
    for (const session of await openMany(world, users, 200)) session.close();
    await until("they are gone", async () => (await world.metric("weft_websockets")) === 0, 20000);
    const before = residentKb(world.node.pid);
    const sessions = await openMany(world, users, CONNECTIONS);
    assert.equal(await world.metric("weft_websockets"), CONNECTIONS);
    const idle = residentKb(world.node.pid);
    let told = 0;
    for (const session of sessions) session.onFrame = (frame) => frame.type === "message" && told++;
    await world.newMessage(users[0], thread, "a message for all");
    await until("everybody is told", () => told === CONNECTIONS, 30000);
    const afterwards = residentKb(world.node.pid);
    const each = (kb) => ((kb - before) / CONNECTIONS).toFixed(2);
    console.log(`# ${CONNECTIONS} connections: ${each(idle)} KB each, ${each(afterwards)} KB each after a message to all; ${before} KB without them`);
    assert.ok((idle - before) / CONNECTIONS <= KB_PER_CONNECTION_MAX, `${each(idle)} KB each`);
    assert.ok((afterwards - before) / CONNECTIONS <= KB_PER_CONNECTION_MAX, `${each(afterwards)} KB each after a message`);
    assert.ok(sessions.every((session) => !session.socket.isClosed), "all are still connected");
    for (const session of sessions) session.close();
    await until("they are gone", async () => (await world.metric("weft_websockets")) === 0, 20000);
    await world.end();
}, { skip: tooFewFiles, deadlineMs: 180000 });

await run("idle_memory");
