// Ranges go where the nodes are, by themselves, while clients do everything a client may (lib/traffic.mjs): nodes join,
// also at once, and take their share, are emptied and leave, others die with their disks and are replaced. Nothing acknowledged is lost,
// doubled or out of order, and no request through a node that is well fails.
// WEFT_REBALANCE_ROUNDS: how often a node joins and leaves (1). WEFT_REBALANCE_CRASHES: how often a cluster that moves is
// disturbed (0). WEFT_REBALANCE_SETTLED_MS: how long it may take to settle (60000).

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin, clusterAt } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { FACTOR, nodeOf, settled } from "./lib/settled.mjs";
import { ACKS_PER_ROUND, withTraffic } from "./lib/with_traffic.mjs";
import { until } from "./lib/world.mjs";

const ROUNDS = Number(process.env.WEFT_REBALANCE_ROUNDS ?? 1);
const CRASHES = Number(process.env.WEFT_REBALANCE_CRASHES ?? 0);
const SETTLED_MS = Number(process.env.WEFT_REBALANCE_SETTLED_MS ?? 60000);
const FLAGS = ["--range-count", "32", "--moves-max", "8", "--replace-after-s", "6"];
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

const prepare = (world) => world.flags.push(...FLAGS);
const withBalancedTraffic = (body) => withTraffic({ balances: true, prepare }, body);
const comesToRest = (cluster, what, condition) => settled(cluster, what, { condition, deadlineMs: SETTLED_MS });

async function join(cluster, traffic) {
    const world = await cluster.add(prepare);
    const told = await comesToRest(cluster, `${world.name} has joined`, (state) => nodeOf(state, world)?.ranges.inSync > 0);
    const even = (told.rangeCount * FACTOR) / told.nodes.length;
    for (const { name, ranges } of told.nodes) assert.ok(ranges.inSync < 2 * even, `${name} holds ${ranges.inSync} ranges`);
    assert.ok(nodeOf(told, world).ranges.primary > 0, "it leads some");
    await traffic.everyThreadGrows(ACKS_PER_ROUND);
    return world;
}

async function leave(cluster, traffic, world) {
    const { id } = nodeOf(await clusterAt(cluster.nodes[0]), world);
    assert.equal((await admin(cluster.nodes[0], "POST", `/admin/nodes/${world.name}/drain`)).status, 202);
    await until(`${world.name} holds nothing`, async () => {
        const state = await clusterAt(cluster.nodes[0]);
        return !state.ranges.some(({ inSync, learners }) => [...inSync, ...learners].includes(id));
    }, SETTLED_MS);
    world.isDisturbed = true; // its clients are told to move away
    const { status, signal } = await world.node.waitEnd(30000);
    assert.equal(status, 0, `${world.name} ended with ${signal ?? status}:\n${world.node.log.slice(-3000)}`);
    cluster.nodes.splice(cluster.nodes.indexOf(world), 1);
    await comesToRest(cluster, `${world.name} has left`, ({ nodes }) => !nodes.some((node) => node.id === id));
    for (const folder of ["nodes", "loads", "drains", "alive"]) assert.deepEqual(await cluster.etcd.list(`weft/${folder}/${id}`), []);
    await traffic.everyThreadGrows(ACKS_PER_ROUND);
}

test("a node that joins takes its share, and one that is to leave gives all away and ends: no request fails", async () => {
    await withBalancedTraffic(async (cluster, traffic) => {
        for (let round = 0; round < ROUNDS; round++) await leave(cluster, traffic, await join(cluster, traffic));
    });
}, { skip, deadlineMs: 120000 + ROUNDS * 4 * SETTLED_MS });

test("two nodes join at once, and one joins while another gives all away: no request fails", async () => {
    await withBalancedTraffic(async (cluster, traffic) => {
        const [first, second] = await Promise.all([cluster.add(prepare), cluster.add(prepare)]);
        const haveShares = (worlds) => (state) => worlds.every((world) => nodeOf(state, world)?.ranges.inSync > 0);
        await comesToRest(cluster, "two have joined at once", haveShares([first, second]));
        const joining = async () => {
            await until("ranges move away from the one that leaves", async () => (await clusterAt(cluster.nodes[0])).moves.length > 0);
            return cluster.add(prepare);
        };
        const [third] = await Promise.all([joining(), leave(cluster, traffic, first)]);
        await comesToRest(cluster, `${third.name} has joined while ${first.name} left`, haveShares([second, third]));
        await traffic.everyThreadGrows(ACKS_PER_ROUND);
    });
}, { skip, deadlineMs: 120000 + 5 * SETTLED_MS });

/** Not a file of it is left. */
async function killWithDisk(world) {
    world.isDisturbed = true;
    await world.node.kill();
    rmSync(path.join(world.node.dir, "data"), { recursive: true });
}

test("one of three comes back without its disk: every range has all its copies again", async () => {
    await withBalancedTraffic(async (cluster, traffic) => {
        const victim = cluster.nodes[2];
        const { id } = nodeOf(await clusterAt(cluster.nodes[0]), victim);
        await killWithDisk(victim);
        await victim.start({ flags: victim.flags });
        victim.isDisturbed = false;
        const told = await comesToRest(cluster, `${victim.name} has everything again`, (state) => nodeOf(state, victim)?.ranges.inSync === state.rangeCount);
        assert.ok(told.ranges.every(({ inSync }) => inSync.length === FACTOR && !inSync.includes(id)), "nothing counts on the lost disk");
        await traffic.everyThreadGrows(ACKS_PER_ROUND);
    });
}, { skip, deadlineMs: 120000 + 2 * SETTLED_MS });

test("a node that dies with its disk is replaced: every range has all its copies again", async () => {
    await withBalancedTraffic(async (cluster, traffic) => {
        const spare = await cluster.add(prepare);
        await comesToRest(cluster, "a fourth node is there");
        const [victim] = cluster.nodes.splice(1, 1);
        const { id } = nodeOf(await clusterAt(cluster.nodes[0]), victim);
        await killWithDisk(victim);
        await comesToRest(cluster, `${victim.name} is dead`, ({ ranges }) => !ranges.some(({ inSync }) => inSync.includes(id)));
        await traffic.everyThreadGrows(ACKS_PER_ROUND);
        await victim.start({ flags: victim.flags });
        victim.isDisturbed = false;
        cluster.nodes.push(victim);
        await comesToRest(cluster, `${victim.name} is back with nothing`, (state) => nodeOf(state, victim)?.ranges.inSync > 0);
        assert.notEqual(nodeOf(await clusterAt(cluster.nodes[0]), victim).id, id);
        assert.equal((await clusterAt(spare)).nodes.find((node) => node.id === id)?.isAlive, false, "it is shown as dead");
        assert.equal((await admin(spare, "POST", `/admin/nodes/${id}/drain`)).status, 202);
        await until("what was left of the dead one is gone", async () => !(await clusterAt(cluster.nodes[0])).nodes.some((node) => node.id === id));
        await until("nor does etcd keep anything of it", async () => !(await cluster.etcd.list("weft/")).some(({ key }) => key.includes(id)));
    });
}, { skip, deadlineMs: 120000 + 4 * SETTLED_MS });

/** Kills the node, waits until the others go on, and starts it again. */
async function killAndRevive(traffic, world) {
    world.isDisturbed = true;
    await world.node.kill();
    await traffic.everyThreadGrows(ACKS_PER_ROUND);
    await world.start({ flags: world.flags });
    world.isDisturbed = false;
}

const disturbances = {
    "the node that balances is killed": async (cluster, traffic) => {
        const { balancer, nodes } = await clusterAt(cluster.nodes[0]);
        const elected = nodes.find(({ id }) => id === balancer.node)?.name ?? cluster.nodes[0].name;
        await killAndRevive(traffic, cluster.nodes.find(({ name }) => name === elected));
    },
    "the node that joins is killed": (cluster, traffic) => killAndRevive(traffic, cluster.nodes.at(-1)),
    "a node that gives is killed": (cluster, traffic) => killAndRevive(traffic, cluster.nodes[1]),
    "etcd is killed": async ({ etcd }) => {
        await etcd.kill(etcd.members[0]);
        etcd.run(etcd.members[0]);
        await etcd.ready();
    },
    "another node joins": (cluster) => cluster.add(prepare),
};

test(`a cluster that moves is disturbed ${CRASHES} times: a node or etcd is killed, another node joins, one leaves meanwhile`, async () => {
    await withBalancedTraffic(async (cluster, traffic) => {
        for (let crash = 0; crash < CRASHES; crash++) {
            const [what, disturb] = Object.entries(disturbances)[crash % Object.keys(disturbances).length];
            const world = await cluster.add(prepare);
            await until("ranges move", async () => (await clusterAt(cluster.nodes[0])).moves.length > 0);
            await disturb(cluster, traffic);
            await comesToRest(cluster, what);
            await traffic.everyThreadGrows(ACKS_PER_ROUND);
            while (cluster.nodes.length > 3) await leave(cluster, traffic, cluster.nodes.at(-1));
            assert.ok(!cluster.nodes.includes(world));
        }
    });
}, { skip: skip || (CRASHES === 0 && "WEFT_REBALANCE_CRASHES is 0"), deadlineMs: 120000 + CRASHES * 6 * SETTLED_MS });

await run("rebalance");
