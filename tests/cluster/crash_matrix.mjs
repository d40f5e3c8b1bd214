// Every step of a move of a range, and at each of them somebody is killed who has a part in it: the node that gives the
// range, the one that gets it, the one that balances, etcd. It is started again, and then the move comes to its end, all
// ranges have all their copies where they should be, every holder tells everything that was acknowledged, once and in
// order, and clients (lib/traffic.mjs) saw delays and 503 with Retry-After, nothing else.
// WEFT_CRASH_MATRIX: "all" is every cell, also of the balancer's own moves and of the leader of three members of etcd; "in
// sync" those of one step, "in sync/target" one; not given: a few.

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin, clusterAt } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { Ledger } from "./lib/ledger.mjs";
import { MoveWatch, STEPS } from "./lib/move_watch.mjs";
import { settled } from "./lib/settled.mjs";
import { withTraffic } from "./lib/with_traffic.mjs";
import { until } from "./lib/world.mjs";

const RANGES = 4; // of which each node holds all but one
const MESSAGES = 2000; // of a range to be moved: more rows than are wiped at once, more bytes than a log in memory has
const MESSAGE_BYTES = 2400;
const STEP_MS = 60000;
const SETTLED_MS = 90000;
const FLAGS = ["--range-count", String(RANGES), "--moves-max", "1", "--move-rate-mb", "3", "--replace-after-s", "60"];
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

const prepare = ({ flags }) => flags.push(...FLAGS);

/** Four nodes, a ledger in each range, clients. */
async function withLedgers(options, body) {
    let ledgers;
    const isReady = async (cluster) => {
        const condition = ({ nodes }) => nodes.length === 4 && nodes.every(({ ranges }) => ranges.inSync === RANGES - 1);
        ledgers = await Ledger.ofEveryRange(cluster.nodes, await settled(cluster, "four nodes", { condition }));
        for (const ledger of ledgers) await ledger.fill(cluster.nodes[0], MESSAGES, MESSAGE_BYTES);
        await until("what is stored is measured", async () => {
            const { ranges } = await clusterAt(cluster.nodes[0]);
            return ranges.every(({ storedBytes }) => storedBytes > MESSAGES * MESSAGE_BYTES);
        });
    };
    await withTraffic({ count: 4, balances: true, prepare, isReady, ...options }, (cluster, traffic) => body(cluster, traffic, ledgers));
}

/** One who is killed, and how it comes back. `isMissed`: clients cannot go on without. */
const nodeVictim = (node) => ({
    name: node.name,
    node,
    isMissed: false,
    kill() {
        node.isDisturbed = true;
        return node.node.kill();
    },
    /** What it left on its disk must be whole as it is. */
    look() {
        const { isClean, text } = node.fsck();
        assert.ok(isClean, `${node.name}: ${text}`);
        return `${/\d+ state/.exec(text)[0]} rows left`;
    },
    async revive() {
        await node.start({ flags: node.flags });
        node.isDisturbed = false;
    },
});
const memberVictim = (etcd, member) => ({
    name: member.name,
    isMissed: etcd.members.length === 1, // who asks it to hand over cannot know whether it has before it answers
    kill: () => etcd.kill(member),
    look: () => "",
    async revive() {
        etcd.run(member);
        await etcd.ready();
    },
});

const VICTIMS = {
    source: ({ source }) => nodeVictim(source),
    target: ({ target }) => nodeVictim(target),
    balancer: ({ balancer }) => nodeVictim(balancer),
    etcd: ({ cluster, leader }) => memberVictim(cluster.etcd, leader),
};

const worldOf = (cluster, { nodes }, id) => cluster.nodes.find(({ name }) => nodes.find((node) => node.id === id).name === name);

/** Every move there could be, from a node that holds a range to one that does not; `source` sends it. */
function movesOf(cluster, state) {
    const moves = [];
    for (const { range, epoch, primary, inSync, storedBytes: bytes } of state.ranges) {
        const source = worldOf(cluster, state, primary);
        const others = state.nodes.map(({ id }) => id).filter((id) => !inSync.includes(id));
        for (const from of inSync) for (const to of others) moves.push({ cluster, range, epoch, from, to, bytes, source, target: worldOf(cluster, state, to) });
    }
    return moves;
}

/** A move of the range from the node that leads it to the one that does not have it. */
async function plan(cluster, range) {
    const condition = ({ ranges, balancer }) => balancer.node && !balancer.isPaused && ranges.every(({ learners, target }) => learners.length === 0 && !target);
    const state = await settled(cluster, `range ${range} may move`, { condition, deadlineMs: SETTLED_MS, isQuiet: true });
    const move = movesOf(cluster, state).find((each) => each.range === range && each.from === state.ranges[range].primary);
    return { ...move, balancer: worldOf(cluster, state, state.balancer.node), leader: await cluster.etcd.leader() };
}

/** The operator's wish was fulfilled at some moment, whatever the balancer has made of it since. */
const isDone = async ({ cluster, range, source, target, epoch }) =>
    (await cluster.rangesEver()).some((record) => record.range === range && record.epoch > epoch && record.primary === target && !record.inSync.includes(source));

const post = async (node, path, body) => assert.equal((await admin(node, "POST", path, body)).status, 202, path);

/** What the cluster is like once nothing moves any more, which is so while the balancer is paused. */
const stillState = (cluster) =>
    until("nothing moves", async () => {
        const state = await clusterAt(cluster.nodes[0]);
        return state.balancer.isPaused && state.balancer.node && state.moves.length === 0 && state;
    }, SETTLED_MS);

/** One holder after the other leads, and tells of the range what it has itself. Meanwhile nothing moves by itself. */
async function everyHolderTells(cluster, ledger) {
    const [first] = cluster.nodes;
    await post(first, "/admin/rebalance/pause");
    const state = await stillState(cluster);
    for (const id of state.ranges[ledger.range].inSync) {
        const holder = worldOf(cluster, state, id);
        const leads = async () => (await clusterAt(holder)).ranges[ledger.range].primary === id;
        if (!(await leads())) await post(first, `/admin/ranges/${ledger.range}/move`, { primary: id });
        await until(`${holder.name} leads range ${ledger.range}`, leads, SETTLED_MS);
        await ledger.check(holder);
    }
    await post(first, "/admin/rebalance/resume");
}

/** Resolves with what `seen` does, which must come in time, or with null when the balancer was quicker to wish something else. */
async function inTime(step, seen, asked) {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not within ${STEP_MS} ms: ${step}`)), STEP_MS)));
    const refused = asked.then(({ status }) => (status === 409 ? null : late));
    try {
        return await Promise.race([seen, refused, late]);
    } finally {
        clearTimeout(timer);
    }
}

/** The victim dies now, clients go on, it comes back, and all ends well. */
async function strike(cluster, traffic, victim, isOver) {
    const began = performance.now();
    const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
    if (victim.isMissed) await victim.revive();
    await traffic.everyThreadGoesOn("clients go on");
    const goesOn = seconds();
    const found = victim.look();
    if (!victim.isMissed) await victim.revive();
    await until("the move comes to its end", isOver, SETTLED_MS);
    const over = seconds();
    await settled(cluster, "all are in their places", { deadlineMs: SETTLED_MS, isQuiet: true });
    return [`clients go on ${goesOn}`, `move over ${over}`, `settled ${seconds()}`, found].filter(Boolean);
}

/**
 * Asks, kills the victim when the step has come, and looks how it ends; a line of the table is printed. False: what is asked
 * cannot be any more.
 */
async function cell(cluster, traffic, ledger, { step, who, victim, watch, ask, isOver }) {
    const refused = traffic.refused.length;
    const seen = STEPS[step](watch);
    const asked = ask(cluster.nodes.find((node) => node !== victim.node));
    ledger.begin(traffic);
    const told = await inTime(step, seen, asked).finally(() => watch.end());
    if (told === null) {
        watch.release(false);
        await ledger.end();
        return false;
    }
    await victim.kill();
    watch.release(victim.node === watch.source);
    const { status, text } = await asked;
    assert.ok(status === 202 || status === 503, text);
    const after = await strike(cluster, traffic, victim, isOver);
    await ledger.end();
    await everyHolderTells(cluster, ledger);
    assert.deepEqual(traffic.problems, []);
    console.log(`# ${[step.padEnd(19), who.padEnd(8), victim.name, `range ${watch.range}`, ...(told ? [told] : []), ...after, `${traffic.refused.length - refused} times 503`].join(" | ")}`);
    return true;
}

/** An operator wishes a move. */
async function operatorsCell(cluster, traffic, ledger, step, who) {
    const move = await plan(cluster, ledger.range);
    const ask = (through) => admin(through, "POST", `/admin/ranges/${move.range}/move`, { from: move.from, to: move.to });
    const watch = await MoveWatch.open(cluster, move);
    const isStruck = await cell(cluster, traffic, ledger, { step, who, victim: VICTIMS[who](move), watch, ask, isOver: () => isDone(move) });
    if (!isStruck) await operatorsCell(cluster, traffic, ledger, step, who);
}

/** An operator takes two ranges from a node while the balancer is paused, which then has something to wish. */
async function makeUneven(cluster, ledger) {
    const { source } = await plan(cluster, ledger.range);
    await post(cluster.nodes[0], "/admin/rebalance/pause");
    const state = await stillState(cluster);
    for (const { range, from, to } of movesOf(cluster, state).filter((move) => worldOf(cluster, state, move.from) === source).slice(0, 2)) {
        await post(cluster.nodes[0], `/admin/ranges/${range}/move`, { from, to });
        await until(`range ${range} is moved`, async () => (await clusterAt(cluster.nodes[0])).ranges[range].inSync.includes(to), SETTLED_MS);
    }
    return stillState(cluster);
}

/** The balancer wishes a move by itself, and is killed. */
async function balancersCell(cluster, traffic, ledger, step) {
    const state = await makeUneven(cluster, ledger);
    const ask = (through) => admin(through, "POST", "/admin/rebalance/resume");
    const watch = await MoveWatch.openFirst(cluster, movesOf(cluster, state));
    const victim = nodeVictim(worldOf(cluster, state, state.balancer.node));
    assert.ok(await cell(cluster, traffic, ledger, { step, who: "balancer, who wished it", victim, watch, ask, isOver: () => true }));
}

/** Who holds a range says that it has rows of it, and nobody else does. */
async function nothingIsLeft(cluster) {
    const wrong = async () => {
        const stored = await cluster.stored();
        const has = (node, { range }) => stored.get(node)?.get(range) > 0;
        const isWrong = (node, record) => has(node, record) !== record.inSync.includes(node);
        return (await cluster.ranges()).flatMap((record) => cluster.nodes.filter((node) => isWrong(node, record)).map((node) => `${node.name} has ${has(node, record) ? "" : "no "}rows of range ${record.range}`));
    };
    let last;
    await until("nothing is left of copies that were given up", async () => (last = await wrong()).length === 0, SETTLED_MS).catch((error) => {
        throw new Error(`${error.message}: ${last.join(", ")}`);
    });
}

const EVERY_DAY = [["learner added", "balancer"], ["first chunk", "source"], ["half the rows", "target"], ["hand-over asked", "etcd"], ["copy being wiped", "source"]];
const BALANCERS = ["wish written", "learner added", "half the rows", "in sync", "copy given up"]; // which come in each of its moves
const ASKED = process.env.WEFT_CRASH_MATRIX;

const isAsked = ([step, who]) => ASKED === "all" || `${step}/${who}`.startsWith(ASKED);
const cellsOf = (steps, victims) => steps.flatMap((step) => victims.map((who) => [step, who])).filter(isAsked);

/** `cells`: functions of a cluster, traffic and a ledger. */
function testCells(name, cells, options = {}) {
    if (cells.length === 0) return;
    test(name, async () => {
        let worlds;
        await withLedgers(options, async (cluster, traffic, ledgers) => {
            worlds = cluster.nodes;
            for (const [index, each] of cells.entries()) await each(cluster, traffic, ledgers[index % ledgers.length]);
            await settled(cluster, "after all cells", { deadlineMs: SETTLED_MS });
            await nothingIsLeft(cluster);
        });
        for (const world of worlds) {
            const { isClean, text } = world.fsck();
            assert.ok(isClean, `${world.name}: ${text}`);
        }
    }, { skip, deadlineMs: 120000 + cells.length * (STEP_MS + 4 * SETTLED_MS) });
}

const byOperator = ([step, who]) => (...given) => operatorsCell(...given, step, who);
const byBalancer = ([step]) => (...given) => balancersCell(...given, step);

if (ASKED === undefined) {
    testCells("who has a part in a move is killed at a step of it: it comes to its end, and nothing is lost", EVERY_DAY.map(byOperator));
} else {
    for (const step of Object.keys(STEPS)) testCells(`who has a part in a move is killed at: ${step}`, cellsOf([step], Object.keys(VICTIMS)).map(byOperator));
    testCells("the node that balances is killed at a step of a move that it wished", cellsOf(BALANCERS, ["wisher"]).map(byBalancer));
    const leaders = cellsOf(Object.keys(STEPS), ["leader"]).map(([step]) => [step, "etcd"]);
    testCells("the member that leads etcd, of three, is killed at each step of a move", leaders.map(byOperator), { etcdMembers: 3 });
}

await run("crash_matrix");
