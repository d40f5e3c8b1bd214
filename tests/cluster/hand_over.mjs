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

await run("hand_over");
