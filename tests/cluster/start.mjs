// Start and stop: the same data again and again, one node per folder, and no node without its key.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { renameSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { freePort, nodeProgram } from "../lib/node.mjs";
import { base64, isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { World, until } from "./lib/world.mjs";

const data = (world, name = "") => path.join(world.node.dir, "data", name);

/** Starts a node that is expected to refuse; `{status, text}` of its end. */
async function refusedStart(world) {
    const port = await freePort();
    const child = spawn(nodeProgram(), ["--data", data(world), "--listen", `127.0.0.1:${port}`], {
        stdio: ["ignore", "pipe", "pipe"], timeout: 30000, killSignal: "SIGKILL",
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
    const status = await new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
    return { status, text };
}

async function filledWorld() {
    const world = await (await World.make()).start();
    const users = await world.newUsers(2);
    const thread = await world.newThread(users);
    for (let number = 0; number < 20; number++) await world.newMessage(users[number % 2], thread, `message ${number}`);
    return { world, users, thread, messages: await world.allMessages(users[0], thread) };
}

test("after a clean stop everything is there: data, keys, tokens and certificate", async () => {
    const { world, users, thread, messages } = await filledWorld();
    const before = [world.node.connectionString, world.node.adminToken, world.ca.toString()];
    assert.deepEqual(await world.node.stop(), { status: 0, signal: null });
    const fsck = world.fsck();
    assert.ok(fsck.isClean, fsck.text);
    await world.start();
    assert.deepEqual([world.node.connectionString, world.node.adminToken, world.ca.toString()], before);
    assert.deepEqual(await world.allMessages(users[1], thread), messages);
    const { offset } = await world.newMessage(users[1], thread, "one more");
    assert.equal((await world.allMessages(users[0], thread))[0].content.message, "one more");
    for (let start = 0; start < 3; start++) {
        await world.node.stop();
        await world.start();
        const next = await world.newMessage(users[0], thread, `start ${start}`);
        assert.equal(next.offset, offset + start + 1, "offsets go on without a hole");
    }
    await world.node.stop();
});

test("a second node on the same data folder refuses by name, and the first goes on", async () => {
    const { world, users, thread } = await filledWorld();
    const second = await refusedStart(world);
    assert.equal(second.status, 1, second.text);
    assert.match(second.text, /locked by another process/);
    assert.ok(second.text.includes(data(world)), `it names the folder: ${second.text}`);
    await world.newMessage(users[0], thread, "still here");
    const fsck = world.fsck();
    assert.ok(!fsck.isClean, "nor does fsck look at a folder in use");
    assert.match(fsck.text, /locked by another process/);
    await world.node.stop();
});

test("without its master key a node refuses by name, and makes no new one", async () => {
    const { world, users, thread, messages } = await filledWorld();
    await world.node.stop();
    renameSync(data(world, "master.key"), data(world, "kept"));
    for (let attempt = 0; attempt < 2; attempt++) {
        const refused = await refusedStart(world);
        assert.equal(refused.status, 1, refused.text);
        assert.match(refused.text, /no master\.key/);
    }
    renameSync(data(world, "kept"), data(world, "master.key"));
    await world.start();
    assert.deepEqual(await world.allMessages(users[0], thread), messages);
    await world.node.stop();
});

test("with another or a broken master key a node refuses by name", async () => {
    const { world, users, thread, messages } = await filledWorld();
    await world.node.stop();
    const key = readFileSync(data(world, "master.key"));
    const other = Buffer.from(key);
    other[0] ^= key[0] === 0x30 ? 1 : key[0] ^ 0x30;
    for (const wrong of [other, key.subarray(0, 5), Buffer.alloc(0), Buffer.concat([key, key])]) {
        writeFileSync(data(world, "master.key"), wrong);
        const refused = await refusedStart(world);
        assert.equal(refused.status, 1, refused.text);
        assert.match(refused.text, /master\.key|master key/);
    }
    writeFileSync(data(world, "master.key"), key);
    await world.start();
    assert.deepEqual(await world.allMessages(users[0], thread), messages);
    await world.node.stop();
});

/** The first write of a record of nodes is not answered until the node has given that call up. */
function stallFirstRecord(world) {
    const [way] = world.toEtcd;
    const name = base64("weft/nodes/").slice(0, 12); // whole groups of three bytes: the same whatever follows
    let hasStalled = false;
    way.stallsAt = (bytes) => {
        const stalls = !hasStalled && bytes.includes('"compare"') && bytes.includes(name);
        if (stalls) {
            hasStalled = true;
            world.opening = until("the node has noticed", () => world.node.log.includes("asks again")).then(() => way.open());
        }
        return stalls;
    };
}

test("a node that etcd does not answer in time, when it starts, asks again and starts", async () => {
    const cluster = await ThreeNodes.start(2, { prepare: (world) => world.name === "node-1" && stallFirstRecord(world) });
    try {
        const [world] = cluster.nodes;
        assert.ok(world.opening, "its record was held up");
        await world.opening;
        const users = await world.newUsers(1);
        await world.newMessage(users[0], await world.newThread(users), "it serves");
    } finally {
        await cluster.stop();
    }
}, { skip: isInstalled() ? false : "etcd is not installed (Debian: etcd-server)", deadlineMs: 120000 });

await run("start");
