// Three hosts, each a network namespace with a node and a member of etcd, and what is between them is cut in turn: a host
// from both others, one direction only, two hosts that a third still reaches, the ways of etcd only, ways that come and
// go. Clients reach every node all the time. Who is cut off refuses writes by name and tells nothing old, the others go
// on, there is never more than one primary of a range in an epoch, and after healing all have the same.
// WEFT_PARTITION_ROUNDS: how many partitions (3, one of each of the first kinds). WEFT_SEED: of the moments and the hosts.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { run, test } from "../sdk/lib/harness.mjs";
import { chanceFrom } from "./lib/chance.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { Hosts } from "./lib/hosts.mjs";
import { Load } from "./lib/load.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { until } from "./lib/world.mjs";

const ROUNDS = Number(process.env.WEFT_PARTITION_ROUNDS ?? 3);
const MOMENT_MS = 1000; // a partition comes, and goes, within that time after it might
const HELD_MS = 6000; // at least: beyond leases, elections, and connections that are given up
const REFUSALS = 3; // of sends by who is cut off, before healing
const CODES = ["ServiceUnavailable", "TooFewReplicas"];
const skip = isInstalled() ? Hosts.areImpossible : "etcd is not installed (Debian: etcd-server)";

const way = (from, to, ports) => ({ from: from.host, to: to.host, ports });
const both = (a, b, ports) => [way(a, b, ports), way(b, a, ports)];
const toEach = (from, others, ports) => others.map((other) => way(from, other, ports));
const fromEach = (others, to, ports) => others.map((other) => way(other, to, ports));

/** What is cut (and, where it changes, what is next), who is then alone, and through whom everything has to go on. */
const KINDS = {
    full: (cluster, chance) => {
        const [a, ...others] = shuffled(cluster, chance);
        return { text: `${a.name} is cut off`, ways: others.flatMap((other) => both(a, other)), alone: a, through: others };
    },
    "one-way": (cluster, chance) => {
        const [a, b, c] = shuffled(cluster, chance);
        return chance.pick([
            { text: `nobody hears ${a.name}`, ways: toEach(a, [b, c]), alone: a, through: [b, c] },
            { text: `${a.name} hears nobody`, ways: fromEach([b, c], a), alone: a, through: [b, c] },
            { text: `${b.name} does not hear ${a.name}`, ways: [way(a, b)], through: [c] },
        ]);
    },
    bridge: (cluster, chance) => {
        const [a, b, c] = shuffled(cluster, chance);
        return { text: `${a.name} and ${c.name} have only ${b.name} in common`, ways: both(a, c), through: [b] };
    },
    etcd: (cluster, chance) => {
        const [a, ...others] = shuffled(cluster, chance);
        const ports = cluster.etcd.members.flatMap(({ port, peerPort }) => [port, peerPort]);
        return chance.pick([
            { text: `nothing for etcd leaves ${a.name}`, ways: toEach(a, others, ports), through: cluster.nodes },
            { text: `nothing of etcd reaches ${a.name}`, ways: fromEach(others, a, ports), through: cluster.nodes },
        ]);
    },
    any: (cluster, chance) => {
        const every = cluster.nodes.flatMap((from) => cluster.nodes.filter((to) => to !== from).map((to) => way(from, to)));
        const some = () => every.filter(() => chance.isOneIn(3));
        return { text: "ways come and go", ways: some(), next: some, through: [] };
    },
};

/** First who leads more ranges than the others, more often than not: there is more to be taken over. */
function shuffled(cluster, chance) {
    const most = cluster.nodes[cluster.led.indexOf(Math.max(...cluster.led))];
    const first = chance.isOneIn(3) ? chance.pick(cluster.nodes) : most;
    const others = cluster.nodes.filter((node) => node !== first);
    return [first, ...(chance.isOneIn(2) ? others : others.reverse())];
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** Who is alone has acknowledged nothing that was begun after the cut, and has said why. */
async function refusesByName(load, node, cutAt) {
    await until(`${node.name}, which is alone, refuses`, () => load.refusedSince(cutAt, node).length >= REFUSALS, 60000);
    return () => {
        assert.deepEqual(load.sentSince(cutAt, node).map(({ content }) => content), [], `${node.name} acknowledges what it cannot keep`);
        for (const { code } of load.refusedSince(cutAt, node)) assert.ok(CODES.includes(code), code);
    };
}

/** The partition lasts, and may become another one all the time. */
async function hold(hosts, chance, cutAt, next) {
    const left = () => HELD_MS - (performance.now() - cutAt);
    while (next && left() > 0) {
        await pause(chance.below(MOMENT_MS));
        hosts.heal();
        hosts.drop(next());
    }
    await pause(Math.max(0, left()) + chance.below(MOMENT_MS));
}

async function playRound(cluster, load, hosts, chance, kind) {
    cluster.led = await cluster.leads();
    const { text, ways, next, alone, through } = KINDS[kind](cluster, chance);
    const goOn = (nodes, moment, when) => Promise.all(nodes.map((node) => load.goesOn(moment, node, `${when} ${text}`)));
    await pause(chance.below(MOMENT_MS));
    hosts.drop(ways);
    const cutAt = performance.now();
    const wentOn = await goOn(through, cutAt, "while");
    const checkAlone = alone ? await refusesByName(load, alone, cutAt) : () => {};
    await hold(hosts, chance, cutAt, next);
    await goOn(through, performance.now(), "still while");
    checkAlone();
    const refusals = load.refused.filter(({ what, ended }) => what.endsWith("send") && ended >= cutAt).length;
    hosts.heal();
    const healedAt = performance.now();
    const recovered = await goOn(cluster.nodes, healedAt, "after");
    await until(`every range has all replicas after ${text}`, () => cluster.isWhole(), 90000);
    console.log(`# ${kind}: ${text}; led ${cluster.led}; sends went on after ${wentOn.map(seconds).join(", ") || "-"}, ${refusals} refused; ` +
        `healed after ${seconds(healedAt - cutAt)}, everywhere after ${seconds(Math.max(...recovered))}, all in sync after ${seconds(performance.now() - healedAt)}`);
    return { wentOn, recovered };
}

/** A range's epochs rise, and an epoch has one primary. */
async function checkRecords(cluster) {
    const records = await cluster.rangesEver();
    const primaries = new Map();
    const epochs = new Map();
    for (const { range, epoch, primary, inSync } of records) {
        const name = `range ${range} epoch ${epoch}`;
        assert.ok(epoch >= (epochs.get(range) ?? 0), `${name} comes late`);
        assert.equal(primaries.get(name) ?? primary.name, primary.name, `the primary of ${name}`);
        assert.ok(inSync.includes(primary), `the primary of ${name} is in sync`);
        epochs.set(range, epoch);
        primaries.set(name, primary.name);
    }
    return `${records.length} records of ranges, ${primaries.size} epochs`;
}

function distribution(times) {
    const sorted = [...times].sort((a, b) => a - b);
    const at = (share) => seconds(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
    return `half within ${at(0.5)}, 9 of 10 within ${at(0.9)}, all within ${at(1)}`;
}

test(`hosts are cut off from each other (${ROUNDS} times) and find together again`, async () => {
    const chance = chanceFrom(process.env.WEFT_SEED);
    console.log(`# seed ${chance.seed}`);
    const hosts = new Hosts(3);
    const cluster = await ThreeNodes.start(3, { hosts: hosts.all });
    let load;
    try {
        await until("every range has all replicas", () => cluster.isWhole(), 60000);
        load = await Load.start(cluster);
        for (const node of cluster.nodes) await load.goesOn(performance.now(), node, "at first");
        const rounds = [];
        const kinds = Object.keys(KINDS);
        for (let round = 0; round < ROUNDS; round++) rounds.push(await playRound(cluster, load, hosts, chance, kinds[round % kinds.length]));
        await load.end();
        console.log(`# sends went on: ${distribution(rounds.flatMap(({ wentOn }) => wentOn))}; after healing: ${distribution(rounds.flatMap(({ recovered }) => recovered))}`);
        console.log(`# ${load.summary}\n# ${await checkRecords(cluster)}`);
        await load.check();
        for (const node of cluster.nodes) await node.end();
        for (const node of cluster.nodes) {
            const { isClean, text } = node.fsck();
            assert.ok(isClean, `${node.name}: ${text}`);
        }
    } catch (error) {
        if (load) error.stack += `\n--- ${load.summary}\n${load.problems.join("\n")}`;
        for (const { name, node } of cluster.nodes) error.stack += `\n--- log of ${name}:\n${node.log.slice(-1500)}`;
        throw error;
    } finally {
        hosts.heal();
        load?.close();
        await cluster.stop();
    }
}, { skip, deadlineMs: 120000 + ROUNDS * 120000 });

await run("partitions");
