// A cluster whose nodes are stopped in order and started again, one after the other, as an upgrade does it: each hands over
// what it leads before it ends, and those who send through the others see nothing of it.

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { Senders } from "./lib/senders.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { until } from "./lib/world.mjs";

const THREADS = 6;
const SENDERS = 4;
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

test("nodes stopped in order one after the other hand over what they lead: no send fails", async () => {
    const cluster = await ThreeNodes.start();
    try {
        await until("every range has all replicas", () => cluster.isWhole(), 60000);
        const users = await cluster.nodes[0].newUsers(SENDERS);
        const threads = [];
        for (let number = 0; number < THREADS; number++) threads.push(await cluster.nodes[number % 3].newThread(users, `thread ${number}`));
        const senders = new Senders(cluster, users, threads);
        for (const node of cluster.nodes) {
            const leads = await cluster.leads();
            const epochs = new Map((await cluster.ranges()).map(({ range, epoch }) => [range, epoch]));
            node.isDisturbed = true;
            senders.slowestMs = 0;
            node.node.signal("SIGTERM");
            const { status } = await node.node.waitEnd(30000);
            assert.equal(status, 0);
            const after = await cluster.ranges();
            assert.deepEqual(after.filter(({ primary }) => primary === node), [], "it leads nothing when it has ended");
            assert.deepEqual(after.filter(({ inSync }) => inSync.includes(node)), [], "and nobody waits for it");
            assert.ok(after.every(({ range, epoch }) => epoch - epochs.get(range) <= 1), "each range changed hands at most once");
            await senders.everyThreadGrows();
            console.log(`# ${node.name}, which led ${leads[cluster.nodes.indexOf(node)]} ranges, ended; slowest send ${senders.slowestMs.toFixed(0)} ms`);
            await node.start({ flags: node.flags });
            node.isDisturbed = false;
            await until("every range has all replicas again", () => cluster.isWhole(), 60000);
        }
        await senders.end();
        assert.deepEqual(senders.problems, []);
        await senders.everythingIsThere();
        console.log(`# ${senders.sent.length} sends`);
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 180000 });

test("a node that is stopped while it cannot reach etcd does not wait for it, and the others go on", async () => {
    const cluster = await ThreeNodes.start(3, { isLedByFirst: true });
    const [first, second, third] = cluster.nodes;
    try {
        await cluster.whole();
        const users = await second.newUsers(2);
        const thread = await second.newThread(users);
        const acknowledged = [];
        for (let number = 0; number < 20; number++) acknowledged.push((await second.newMessage(users[0], thread, `before ${number}`)).id);
        for (const passage of first.passages) if (passage !== first.fromPeers) passage.stall();
        await until("the node knows that etcd is silent", () => /no member of etcd answers/.test(first.node.log), 60000);
        const began = performance.now();
        first.node.signal("SIGTERM");
        const { status } = await first.node.waitEnd(60000);
        const tookMs = performance.now() - began;
        assert.equal(status, 0);
        assert.match(first.node.log, /ends without having handed over what it leads/);
        for (let number = 0; number < 20; number++) acknowledged.push((await third.newMessage(users[1], thread, `after ${number}`)).id);
        await until("the others lead all that it led", async () => (await cluster.leads())[0] === 0, 60000);
        const found = new Set((await second.allMessages(users[0], thread)).map(({ id }) => id));
        assert.deepEqual(acknowledged.filter((id) => !found.has(id)), []);
        console.log(`# it ended after ${tookMs.toFixed(0)} ms`);
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 180000 });

await run("hand_over");
