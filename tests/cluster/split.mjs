// A cluster whose ranges are split while clients send: each split is one swap at etcd, nothing is copied, and nobody sees it.
// WEFT_SPLIT_RANGES (32): how many ranges there are in the end, of a quarter of them.

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin, clusterAt } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { Senders } from "./lib/senders.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { until } from "./lib/world.mjs";

const RANGES = Number(process.env.WEFT_SPLIT_RANGES ?? 32);
const THREADS = 24;
const SENDERS = 4;
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

function assertIsRing(ranges) {
    const sorted = [...ranges].sort((a, b) => (a.first < b.first ? -1 : 1));
    assert.equal(sorted[0].first, "0".repeat(16));
    assert.equal(sorted.at(-1).last, "f".repeat(16));
    for (const [index, { first }] of sorted.entries())
        if (index > 0) assert.equal(BigInt(`0x${first}`), BigInt(`0x${sorted[index - 1].last}`) + 1n);
}

async function wishesAreChecked(node) {
    const wishes = [[RANGES / 8, 409], [RANGES - 1, 400], [0, 400], [4097, 400], ["many", 400], [undefined, 400]];
    for (const [ranges, expected] of wishes) {
        const { status, json } = await admin(node, "POST", "/admin/split", { ranges });
        assert.equal(status, expected, `${ranges} ranges`);
        assert.equal(json.error.target, "ranges");
    }
}

test("ranges are split while clients send: no send fails, and nothing is lost", async () => {
    const cluster = await ThreeNodes.start(3, { prepare: (world) => world.flags.push("--range-count", String(RANGES / 4)) });
    try {
        await cluster.whole();
        const users = await cluster.nodes[0].newUsers(SENDERS);
        const threads = [];
        for (let number = 0; number < THREADS; number++) threads.push(await cluster.nodes[number % 3].newThread(users, `thread ${number}`));
        const senders = new Senders(cluster, users, threads);
        await senders.everyThreadGrows();
        await wishesAreChecked(cluster.nodes[1]);
        senders.slowestMs = 0;
        const { status } = await admin(cluster.nodes[2], "POST", "/admin/split", { ranges: RANGES });
        assert.equal(status, 202);
        await until("all ranges are split", async () => (await cluster.ranges()).length === RANGES, 90000);
        await cluster.whole();
        await senders.everyThreadGrows();
        await senders.end();
        assert.deepEqual(senders.problems, []);
        for (const node of cluster.nodes) assertIsRing(await until("it knows all ranges", async () => {
            const { ranges } = await clusterAt(node);
            return ranges.length === RANGES && ranges;
        }));
        await senders.everythingIsThere();
        console.log(`# ${RANGES / 4} ranges became ${RANGES}; ${senders.sent.length} sends, the slowest ${senders.slowestMs.toFixed(0)} ms`);
        for (const node of cluster.nodes) {
            node.node.signal("SIGKILL");
            await node.node.waitEnd(30000);
        }
        await Promise.all(cluster.nodes.map((node) => node.start({ flags: node.flags })));
        await cluster.whole();
        await senders.everythingIsThere();
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 300000 });

await run("split");
