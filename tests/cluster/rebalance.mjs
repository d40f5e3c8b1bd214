// Ranges go where the nodes are, by themselves, while clients do everything a client may (lib/traffic.mjs): a node joins
// and takes its share, is emptied and leaves, another one dies with its disk and is replaced. Nothing acknowledged is lost,
// doubled or out of order, and no request through a node that is well fails.
// WEFT_REBALANCE_ROUNDS: how often a node joins and leaves (1). WEFT_REBALANCE_CRASHES: how often a cluster that moves is
// disturbed (0). WEFT_REBALANCE_SETTLED_MS: how long it may take to settle (60000).

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin, clusterAt } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { Traffic } from "./lib/traffic.mjs";
import { until } from "./lib/world.mjs";

const ROUNDS = Number(process.env.WEFT_REBALANCE_ROUNDS ?? 1);
const CRASHES = Number(process.env.WEFT_REBALANCE_CRASHES ?? 0);
const SETTLED_MS = Number(process.env.WEFT_REBALANCE_SETTLED_MS ?? 60000);
const ACKS = 10; // in every thread, between two events
const FACTOR = 3;
const FLAGS = ["--range-count", "32", "--moves-max", "8", "--replace-after-s", "6"];
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

const prepare = (world) => world.flags.push(...FLAGS);
const describe = ({ nodes, moves, balancer }) =>
    `${nodes.map(({ name, isAlive, isDraining, ranges, load }) => `${name}${isAlive ? "" : " dead"}${isDraining ? " leaving" : ""} ${ranges.primary}/${ranges.inSync}/${ranges.learning} ${(load.share * 100).toFixed(0)} %`).join(", ")}; ${moves.length} moves; ${JSON.stringify(balancer)}`;

async function withTraffic(body) {
    const cluster = await ThreeNodes.start(3, { balances: true, prepare });
    let traffic;
    try {
        await cluster.whole();
        traffic = await Traffic.start(cluster);
        await traffic.everyThreadGrows(ACKS);
        await body(cluster, traffic);
        await traffic.end();
        console.log(`# ${traffic.summary}`);
        await traffic.check();
    } catch (error) {
        if (traffic) error.stack += `\n--- ${traffic.summary}\n${traffic.problems.join("\n")}`;
        for (const { name, node } of cluster.nodes) error.stack += `\n--- log of ${name}:\n${node.log.slice(-1500)}`;
        throw error;
    } finally {
        await traffic?.stop();
        await cluster.stop();
    }
}

/** Waits until nothing moves any more, every range has its copies on nodes that are alive, and `condition` is met. */
async function settled(cluster, what, condition = () => true) {
    let last;
    const began = performance.now();
    await until(`the cluster has settled: ${what}`, async () => {
        last = await clusterAt(cluster.nodes[0]);
        const alive = new Set(last.nodes.filter(({ isAlive, isDraining }) => isAlive && !isDraining).map(({ id }) => id));
        const isWhole = last.ranges.every(({ inSync }) => inSync.length === Math.min(FACTOR, alive.size) && inSync.every((id) => alive.has(id)));
        return isWhole && last.balancer.isBalanced && last.moves.length === 0 && condition(last);
    }, SETTLED_MS).catch((error) => {
        throw new Error(`${error.message}; it is ${describe(last)}`);
    });
    console.log(`# ${what}, after ${((performance.now() - began) / 1000).toFixed(1)} s: ${describe(last)}`);
    return last;
}

const nodeOf = ({ nodes }, world) => nodes.find(({ name, isAlive }) => name === world.name && isAlive);

async function join(cluster, traffic) {
    const world = await cluster.add(prepare);
    const told = await settled(cluster, `${world.name} has joined`, (state) => nodeOf(state, world)?.ranges.inSync > 0);
    const even = (told.rangeCount * FACTOR) / told.nodes.length;
    for (const { name, ranges } of told.nodes) assert.ok(ranges.inSync < 2 * even, `${name} holds ${ranges.inSync} ranges`);
    assert.ok(nodeOf(told, world).ranges.primary > 0, "it leads some");
    await traffic.everyThreadGrows(ACKS);
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
    await settled(cluster, `${world.name} has left`, ({ nodes }) => !nodes.some((node) => node.id === id));
    for (const folder of ["nodes", "loads", "drains", "alive"]) assert.deepEqual(await cluster.etcd.list(`weft/${folder}/${id}`), []);
    await traffic.everyThreadGrows(ACKS);
}

test("a node that joins takes its share, and one that is to leave gives all away and ends: no request fails", async () => {
    await withTraffic(async (cluster, traffic) => {
        for (let round = 0; round < ROUNDS; round++) await leave(cluster, traffic, await join(cluster, traffic));
    });
}, { skip, deadlineMs: 120000 + ROUNDS * 4 * SETTLED_MS });

test("a node that dies with its disk is replaced: every range has all its copies again", async () => {
    await withTraffic(async (cluster, traffic) => {
        const spare = await cluster.add(prepare);
        await settled(cluster, "a fourth node is there");
        const [victim] = cluster.nodes.splice(1, 1);
        const { id } = nodeOf(await clusterAt(cluster.nodes[0]), victim);
        victim.isDisturbed = true;
        await victim.node.kill();
        rmSync(path.join(victim.node.dir, "data"), { recursive: true });
        await settled(cluster, `${victim.name} is dead`, ({ ranges }) => !ranges.some(({ inSync }) => inSync.includes(id)));
        await traffic.everyThreadGrows(ACKS);
        await victim.start({ flags: victim.flags });
        victim.isDisturbed = false;
        cluster.nodes.push(victim);
        await settled(cluster, `${victim.name} is back with nothing`, (state) => nodeOf(state, victim)?.ranges.inSync > 0);
        assert.notEqual(nodeOf(await clusterAt(cluster.nodes[0]), victim).id, id);
        assert.equal((await clusterAt(spare)).nodes.find((node) => node.id === id)?.isAlive, false, "it is shown as dead");
        assert.equal((await admin(spare, "POST", `/admin/nodes/${id}/drain`)).status, 202);
        await until("what was left of the dead one is gone", async () => !(await clusterAt(cluster.nodes[0])).nodes.some((node) => node.id === id));
        assert.deepEqual((await cluster.etcd.list("weft/")).map(({ key }) => key).filter((key) => key.includes(id)), []);
    });
}, { skip, deadlineMs: 120000 + 4 * SETTLED_MS });

/** Kills the node, waits until the others go on, and starts it again. */
async function killAndRevive(traffic, world) {
    world.isDisturbed = true;
    await world.node.kill();
    await traffic.everyThreadGrows(ACKS);
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
    await withTraffic(async (cluster, traffic) => {
        for (let crash = 0; crash < CRASHES; crash++) {
            const [what, disturb] = Object.entries(disturbances)[crash % Object.keys(disturbances).length];
            const world = await cluster.add(prepare);
            await until("ranges move", async () => (await clusterAt(cluster.nodes[0])).moves.length > 0);
            await disturb(cluster, traffic);
            await settled(cluster, what);
            await traffic.everyThreadGrows(ACKS);
            while (cluster.nodes.length > 3) await leave(cluster, traffic, cluster.nodes.at(-1));
            assert.ok(!cluster.nodes.includes(world));
        }
    });
}, { skip: skip || (CRASHES === 0 && "WEFT_REBALANCE_CRASHES is 0"), deadlineMs: 120000 + CRASHES * 6 * SETTLED_MS });

await run("rebalance");
