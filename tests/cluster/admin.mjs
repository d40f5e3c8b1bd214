// The admin interface: what any node tells of its cluster, and what an operator may wish.

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { World, until } from "./lib/world.mjs";

const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";
const RING_END = "ffffffffffffffff";

function assertIsRing(ranges) {
    assert.equal(ranges[0].first, "0".repeat(16));
    assert.equal(ranges.at(-1).last, RING_END);
    for (const [index, { first }] of ranges.entries())
        if (index > 0) assert.equal(BigInt(`0x${first}`), BigInt(`0x${ranges[index - 1].last}`) + 1n);
}

test("a node alone tells of itself", async () => {
    const world = await (await World.make()).start();
    const users = await world.newUsers(3);
    const thread = await world.newThread(users);
    for (let number = 0; number < 20; number++) await world.newMessage(users[0], thread, `message ${number}`);
    const told = await until("it has measured what it stores", async () => {
        const { json } = await admin(world, "GET", "/admin/cluster");
        return json.nodes[0].load.storedBytes > 0 && json;
    });
    assert.equal(told.nodes.length, 1);
    assert.equal(told.ranges.length, told.rangeCount);
    assertIsRing(told.ranges);
    assert.deepEqual(told.moves, []);
    const [node] = told.nodes;
    assert.ok(node.isAlive && node.isThisNode && !node.isDraining);
    assert.deepEqual(node.ranges, { primary: told.rangeCount, inSync: told.rangeCount, learning: 0 });
    assert.equal(told.ranges.reduce((sum, { storedBytes }) => sum + storedBytes, 0), node.load.storedBytes);
    await world.end();
});

test("whoever has no admin token learns nothing", async () => {
    const world = await (await World.make()).start();
    const [user] = await world.newUsers(1);
    for (const Authorization of [undefined, "Bearer ", "Bearer wrong", `Bearer ${world.node.adminToken}x`, `Bearer ${user.token}`]) {
        const answer = await world.exchange("GET", "/admin/cluster", { headers: Authorization ? { Authorization } : {} });
        assert.equal(answer.status, 401, Authorization);
        assert.equal(answer.json.error.code, "Unauthorized");
    }
    await world.end();
});

test("three nodes tell the same of each other", async () => {
    const cluster = await ThreeNodes.start();
    try {
        await cluster.whole();
        for (const world of cluster.nodes) {
            const told = await until(`${world.name} has heard of the load of all`, async () => {
                const { json } = await admin(world, "GET", "/admin/cluster");
                return json.nodes.length === 3 && json.nodes.every(({ isAlive, ranges, load }) => isAlive && ranges.inSync === json.rangeCount && load.databaseBytes > 0) && json;
            });
            assert.deepEqual(told.nodes.filter(({ isThisNode }) => isThisNode).map(({ name }) => name), [world.name]);
            assert.deepEqual(told.nodes.map(({ name }) => name).sort(), ["node-1", "node-2", "node-3"]);
            assert.equal(told.nodes.reduce((sum, { ranges }) => sum + ranges.primary, 0), told.rangeCount);
            assert.ok(Math.abs(told.nodes.reduce((sum, { load }) => sum + load.share, 0) - 1) < 0.001);
            assertIsRing(told.ranges);
            for (const { primary, inSync } of told.ranges) assert.ok(inSync.includes(primary) && inSync.length === 3);
        }
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 120000 });

await run("admin");
