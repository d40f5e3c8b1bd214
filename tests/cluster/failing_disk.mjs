// Disks of a cluster's nodes that refuse, or are smaller than the others': who cannot write leads nothing, and who has no
// room never gets behind those who have.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { threadPath, until } from "./lib/world.mjs";

const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

/** From now on no file of the process can be written beyond so many bytes: to its database that is a disk that refuses. */
function boundFiles(world, bytes) {
    const { status, stderr } = spawnSync("prlimit", ["--pid", String(world.node.pid), `--fsize=${bytes}:`], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
}

const send = (world, user, thread, content) => world.call(user, "POST", `${threadPath(thread)}/messages`, { body: { content } });
const readiness = (world) => world.exchange("GET", "/health/ready");

async function checkMessages(world, user, thread, acknowledged) {
    const found = (await world.allMessages(user, thread)).filter(({ type }) => type === "text").map(({ content }) => content.message);
    for (const content of acknowledged) assert.equal(found.filter((text) => text === content).length, 1, `${content.slice(0, 20)} is there once`);
}

async function finish(cluster) {
    const nodes = [...cluster.nodes];
    await cluster.stop();
    for (const world of nodes) {
        const fsck = world.fsck();
        assert.ok(fsck.isClean, `${world.name}: ${fsck.text}`);
    }
}

test("a node whose disk refuses gives away what it leads, says so, and takes part again when the disk works", async () => {
    const cluster = await ThreeNodes.start(3, { isLedByFirst: true });
    const [first, second, third] = cluster.nodes;
    try {
        await cluster.whole();
        const users = await second.newUsers(2);
        const thread = await second.newThread(users);
        const acknowledged = [];
        for (let number = 0; number < 10; number++) acknowledged.push((await second.newMessage(users[0], thread, `before ${number}`), `before ${number}`));
        assert.equal((await cluster.leads())[0], 64);
        boundFiles(first, 4096);
        let refused = 0;
        const began = performance.now();
        for (let number = 0; acknowledged.length < 60; number++) {
            const world = [second, third][number % 2];
            const content = `meanwhile ${number}`;
            const answer = await send(world, users[number % 2], thread, content);
            if (answer.status === 201) acknowledged.push(content);
            else assert.match(answer.json?.error?.code, /^(StorageFull|StorageFailed|ServiceUnavailable|TooFewReplicas)$/, answer.text), refused++;
            assert.ok(performance.now() - began < 60000, "somebody else leads");
        }
        await until("the node leads nothing", async () => (await cluster.leads())[0] === 0, 60000);
        const answer = await readiness(first);
        assert.equal(answer.status, 503);
        assert.match(answer.json?.error?.code, /^Storage(Full|Failed)$/, answer.text);
        assert.equal(await first.metric("weft_disk_refuses"), 1);
        assert.match(first.node.log, /the disk of this node refuses writes/);
        const inSync = (await cluster.ranges()).filter((range) => range.inSync.includes(first)).length;
        await checkMessages(first, users[1], thread, acknowledged); // through the others
        console.log(`# ${refused} sends refused by name, ${inSync} ranges still count on the node`);
        boundFiles(first, "unlimited");
        await until("the disk is said to work", async () => (await readiness(first)).status === 200, 60000);
        await cluster.whole();
        assert.equal(await first.metric("weft_disk_refuses"), 0);
        for (let number = 0; number < 10; number++) acknowledged.push((await first.newMessage(users[0], thread, `after ${number}`), `after ${number}`));
        await checkMessages(first, users[1], thread, acknowledged);
    } finally {
        await finish(cluster);
    }
}, { skip, deadlineMs: 240000 });

test("a node with less room than the others holds what they hold; clients are refused by name, and may remove", async () => {
    const text = (number) => `${number} ${"x".repeat(20000)}`;
    const prepare = (world) => world.flags.push("--storage-map-initial-mb", "16", "--storage-max-mb", world.name === "node-2" ? "40" : "200");
    const cluster = await ThreeNodes.start(3, { isLedByFirst: true, prepare });
    const [first, small, third] = cluster.nodes;
    try {
        await cluster.whole();
        const users = await first.newUsers(2);
        const [full, kept] = [await first.newThread(users), await first.newThread(users)];
        const before = (await cluster.ranges()).map(({ epoch }) => epoch);
        const acknowledged = [];
        let refused = 0;
        for (let number = 0; refused < 20; number++) {
            const world = cluster.nodes[number % 3];
            const content = text(number);
            const answer = await send(world, users[0], full, content);
            assert.ok(number < 10000, "the store gets full");
            if (answer.status === 201) {
                acknowledged.push(content);
                continue;
            }
            refused++;
            assert.equal(answer.status, 503, answer.text);
            assert.equal(answer.json?.error?.code, "StorageFull", answer.text);
            assert.ok(Number(answer.headers["retry-after"]) >= 1, "Retry-After");
        }
        assert.match(small.node.log, /the store of this node is full/);
        const ranges = await cluster.ranges();
        assert.ok(ranges.every(({ inSync }) => inSync.length === 3), "the small one is in sync");
        assert.deepEqual(ranges.map(({ epoch }) => epoch), before, "and nothing changed hands");
        assert.equal((await readiness(small)).status, 200);
        await checkMessages(third, users[1], full, acknowledged);
        const answer = await first.call(users[0], "DELETE", threadPath(full));
        assert.equal(answer.status, 204, answer.text);
        const deadline = performance.now() + 60000;
        for (let sent = 0; sent < 20; ) {
            if ((await send(third, users[0], kept, text(sent))).status === 201) sent++;
            assert.ok(performance.now() < deadline, "there is room within the deadline");
        }
        assert.deepEqual((await cluster.ranges()).map(({ epoch }) => epoch), before, "all the time");
        console.log(`# ${acknowledged.length} messages of 20 kB until the small store was full`);
    } finally {
        await finish(cluster);
    }
}, { skip, deadlineMs: 240000 });

await run("failing_disk");
