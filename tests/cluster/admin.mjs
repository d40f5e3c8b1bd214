// The admin interface: what any node tells of its cluster, and what an operator may wish.

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin, clusterAt } from "./lib/admin.mjs";
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

test("it is told where a thread is on the ring", async () => {
    const world = await (await World.make()).start();
    const thread = await world.newThread(await world.newUsers(1));
    const { status, json } = await admin(world, "GET", `/admin/positions/${encodeURIComponent(thread)}`);
    assert.equal(status, 200);
    assert.match(json.position, /^[0-9a-f]{16}$/);
    const { ranges } = await clusterAt(world);
    const position = BigInt(`0x${json.position}`);
    assert.equal(ranges.filter(({ first, last }) => position >= BigInt(`0x${first}`) && position <= BigInt(`0x${last}`)).length, 1);
    const other = await admin(world, "GET", `/admin/positions/${encodeURIComponent(await world.newThread(await world.newUsers(1)))}`);
    assert.notEqual(other.json.position, json.position);
    assert.equal((await world.exchange("GET", `/admin/positions/${encodeURIComponent(thread)}`)).status, 401);
    await world.end();
});

test("of a node alone nothing can be wished, and it says so", async () => {
    const world = await (await World.make()).start();
    const { nodes: [{ id }] } = await clusterAt(world);
    const wishes = [
        ["POST", "/admin/rebalance/pause"], ["POST", "/admin/rebalance/resume"], ["POST", "/admin/rebalance/cancel"],
        ["POST", "/admin/ranges/3/move", { primary: id }], ["POST", `/admin/nodes/${id}/drain`], ["DELETE", `/admin/nodes/${id}/drain`],
    ];
    for (const [method, path, body] of wishes) {
        const { status, json } = await admin(world, method, path, body);
        assert.equal(status, 409, path);
        assert.equal(json.error.code, "NotInCluster");
    }
    const { status, json } = await admin(world, "GET", "/admin/plan");
    assert.equal(status, 200);
    assert.deepEqual([json.moves, json.bytes], [[], 0]);
    await world.end();
});

/** Tokens made at `first` and revoked at `second`, used at both. */
async function tokensWork(first, second) {
    const made = await admin(first, "POST", "/admin/tokens", { scopes: ["chat"], expiresInMinutes: 60 });
    assert.equal(made.status, 201, made.text);
    const { userId, token, expiresOn } = made.json;
    assert.ok(Math.abs(Date.parse(expiresOn) - Date.now() - 3600e3) < 120e3, expiresOn);
    const again = await admin(second, "POST", "/admin/tokens", { userId, scopes: ["chat"] });
    assert.equal(again.status, 200, again.text);
    assert.equal(again.json.userId, userId);
    const user = { id: userId, token };
    const thread = await first.newThread([user]);
    await second.newMessage({ id: userId, token: again.json.token }, thread, "by the second token");
    assert.equal((await admin(second, "DELETE", `/admin/tokens/${encodeURIComponent(userId)}`)).status, 204);
    for (const world of [first, second]) assert.equal((await world.call(user, "GET", "/chat/threads")).status, 401);
}

test("tokens are to be had with the admin token, for a new user or one that is there, and are revoked", async () => {
    const world = await (await World.make()).start();
    await tokensWork(world, world);
    const refusals = [
        [{}, 400, "scopes"], [{ scopes: ["everything"] }, 400, "scopes"], [{ scopes: ["chat"], expiresInMinutes: 5 }, 400, "expiresInMinutes"],
        [{ scopes: ["chat"], userId: 7 }, 400, "userId"], [{ scopes: ["chat"], userId: "nobody" }, 400, "id"],
        [{ scopes: ["chat"], userId: "8:acs:00000000-0000-0000-0000-000000000000_00000000-0000-0000-0000-000000000000" }, 401, undefined],
    ];
    for (const [body, status, target] of refusals) {
        const answer = await admin(world, "POST", "/admin/tokens", body);
        assert.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.text}`);
        assert.equal(answer.json.error.target, target, answer.text);
    }
    assert.equal((await world.exchange("POST", "/admin/tokens", { body: { scopes: ["chat"] } })).status, 401);
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
            assert.deepEqual(told.nodes.map(({ publicUrl }) => publicUrl).sort(), cluster.nodes.map(({ node }) => node.endpoint).sort());
            assert.equal(told.nodes.reduce((sum, { ranges }) => sum + ranges.primary, 0), told.rangeCount);
            assert.ok(Math.abs(told.nodes.reduce((sum, { load }) => sum + load.share, 0) - 1) < 0.001);
            assertIsRing(told.ranges);
            for (const { primary, inSync } of told.ranges) assert.ok(inSync.includes(primary) && inSync.length === 3);
            const { ranges } = told.nodes.find(({ isThisNode }) => isThisNode);
            assert.deepEqual([await world.metric("weft_ranges_led"), await world.metric("weft_ranges_held"), await world.metric("weft_moves_under_way")], [ranges.primary, ranges.inSync, 0]);
        }
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 120000 });

/** Waits until the node sees the cluster so; what it sees then. */
const sees = (world, what, condition) =>
    until(`${world.name} sees: ${what}`, async () => {
        const state = await clusterAt(world);
        return condition(state) && state;
    });

test("an operator moves ranges, pauses, cancels and goes on, at any node", async () => {
    const cluster = await ThreeNodes.start(4, { balances: true, prepare: ({ flags }) => flags.push("--range-count", "16") });
    try {
        const [first, second] = cluster.nodes;
        const isSettled = ({ nodes, ranges, balancer, moves }) =>
            nodes.length === 4 && nodes.every(({ ranges: { inSync } }) => inSync > 0) && ranges.every(({ inSync }) => inSync.length === 3) && balancer.isBalanced && moves.length === 0;
        await sees(first, "all have their share", isSettled);
        assert.equal((await admin(second, "POST", "/admin/rebalance/pause")).status, 202);
        const paused = await sees(first, "it is paused", ({ balancer }) => balancer.isPaused);

        // By hand a copy moves while the balancer is paused.
        const names = new Map(paused.nodes.map(({ id, name }) => [id, name]));
        const { range, primary, inSync } = paused.ranges[5];
        const to = paused.nodes.map(({ id }) => id).find((id) => !inSync.includes(id));
        const from = inSync.find((id) => id !== primary);
        const moved = await admin(first, "POST", `/admin/ranges/${range}/move`, { from: names.get(from), to });
        assert.equal(moved.status, 202, moved.text);
        assert.deepEqual(moved.json.target.holders.toSorted(), [...inSync.filter((id) => id !== from), to].toSorted());
        const holds = (state) => state.ranges[range].inSync.toSorted();
        await sees(second, "the copy is there", (state) => holds(state).includes(to) && !holds(state).includes(from) && state.moves.length === 0);
        const led = await admin(second, "POST", `/admin/ranges/${range}/move`, { primary: to });
        assert.equal(led.status, 202, led.text);
        await sees(first, "it leads", (state) => state.ranges[range].primary === to && state.ranges[range].target === undefined);

        const refusals = [
            ["POST", `/admin/ranges/${range}/move`, { from, to: primary }, 409, "from"], ["POST", `/admin/ranges/${range}/move`, { from: primary, to }, 409, "to"],
            ["POST", `/admin/ranges/${range}/move`, { primary: from }, 409, "primary"], ["POST", `/admin/ranges/${range}/move`, {}, 400, "from"],
            ["POST", `/admin/ranges/${range}/move`, { from: primary }, 400, "to"], ["POST", `/admin/ranges/${range}/move`, { primary: "nobody" }, 404, "primary"],
            ["POST", "/admin/ranges/9999/move", { primary }, 404, "range"], ["POST", "/admin/ranges/x/move", { primary }, 404, "range"],
            ["POST", "/admin/nodes/nobody/drain", undefined, 404, "node"], ["POST", `/admin/ranges/${range}/move`, "no json", 400, undefined],
        ];
        for (const [method, path, body, status, target] of refusals) {
            const answer = await admin(first, method, path, body);
            assert.equal(answer.status, status, `${path} ${JSON.stringify(body)}: ${answer.text}`);
            assert.equal(answer.json.error.target, target, answer.text);
        }

        // A drain that is taken back before the balancer goes on changes nothing.
        assert.equal((await admin(first, "POST", `/admin/nodes/${second.name}/drain`)).status, 202);
        await sees(second, "it is to leave", ({ nodes }) => nodes.find(({ name }) => name === second.name).isDraining);
        const { json: plan } = await admin(first, "GET", "/admin/plan");
        assert.ok(plan.moves.length > 0 && plan.moves.every(({ kind }) => ["copy", "primary", "drop"].includes(kind)), JSON.stringify(plan));
        assert.equal((await admin(second, "DELETE", `/admin/nodes/${second.name}/drain`)).status, 202);
        await sees(first, "it stays", ({ nodes }) => !nodes.some(({ isDraining }) => isDraining));
        assert.equal((await admin(first, "POST", "/admin/rebalance/cancel")).status, 202);
        assert.equal((await admin(first, "POST", "/admin/rebalance/resume")).status, 202);
        await sees(second, "it goes on, and has nothing to do", (state) => !state.balancer.isPaused && isSettled(state));
        await tokensWork(first, second);
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 180000 });

test("while a copy is sent, every node tells how far it is", async () => {
    const prepare = ({ flags }) => flags.push("--range-count", "4", "--move-rate-mb", "1");
    const cluster = await ThreeNodes.start(3, { balances: true, prepare });
    try {
        const [first, second] = cluster.nodes;
        await cluster.whole();
        assert.equal((await admin(first, "POST", "/admin/rebalance/pause")).status, 202);
        const [user] = await first.newUsers(1);
        const thread = await first.newThread([user]);
        for (let number = 0; number < 180; number++) await first.newMessage(user, thread, `${number} ${"z".repeat(27000)}`); // more than the log that nodes keep in memory
        const fourth = await cluster.add(prepare);
        const state = await sees(second, "the fourth node and what is stored", ({ nodes, ranges, balancer }) =>
            balancer.isPaused && nodes.some(({ name, isAlive }) => isAlive && name === fourth.name) && ranges.some(({ storedBytes }) => storedBytes > 4.5e6));
        const { range, primary, inSync } = state.ranges.find(({ storedBytes }) => storedBytes > 4.5e6);
        const { id: to } = state.nodes.find(({ name }) => name === fourth.name);
        const moved = await admin(first, "POST", `/admin/ranges/${range}/move`, { from: inSync.find((id) => id !== primary), to });
        assert.equal(moved.status, 202, moved.text);
        const copied = await sees(second, "a part of it is copied", ({ moves }) =>
            moves.some((move) => move.kind === "copy" && move.bytesDone > 0 && move.bytesDone < move.bytesTotal));
        assert.equal(copied.moves[0].range, range);
        await sees(first, "all of it is there", ({ ranges, moves }) => ranges[range].inSync.includes(to) && moves.length === 0);
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 180000 });

await run("admin");
