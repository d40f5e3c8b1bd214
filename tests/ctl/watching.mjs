// rebalance --watch, drain --watch and top: without a terminal what happens, on one how things are.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { until } from "../lib/node.mjs";
import { run, test } from "../sdk/lib/harness.mjs";
import { ailing, balanced, ids, joining, nothingToDo, plan } from "./lib/clusters.mjs";
import { accepted, FakeNode, refusal } from "./lib/fake-node.mjs";
import { onTerminal, plain, weftctlAt } from "./lib/weftctl.mjs";

const hasTerminals = spawnSync("script", ["--quiet", "--return", "--command", "true", "/dev/null"]).status === 0;
const ON_TERMINAL = { skip: !hasTerminals && "there are no pseudo-terminals here" };
const QUICK = ["--watch", "--interval", "0.1"];
const CLEAR_SCREEN = "\x1b[?1049h", PUT_BACK = "\x1b[?1049l";

/** Answers one after the other; the last one for ever. */
const inTurn = (...answers) => {
    const rest = [...answers];
    return () => (rest.length > 1 ? rest.shift() : rest[0]);
};

const withMoves = (cluster, ...numbers) => ({ ...cluster, moves: cluster.moves.filter((_, index) => numbers.includes(index)) });
const draining = (held) => {
    const cluster = balanced();
    Object.assign(cluster.nodes[0], { isDraining: true, ranges: { primary: 0, inSync: held, learning: 0 } });
    return cluster;
};
const withoutNode3 = () => {
    const cluster = balanced();
    cluster.nodes = cluster.nodes.filter(({ name }) => name !== "node-3");
    return cluster;
};

async function withNode(answers, body) {
    const node = await FakeNode.start({ "GET /admin/plan": plan(), [`POST /admin/nodes/${ids["node-3"]}/drain`]: accepted, ...answers });
    try {
        await body(node);
    } finally {
        await node.stop();
    }
}

test("a watched rebalancing tells what begins and ends, and ends when all is even", () =>
    withNode({ "GET /admin/cluster": inTurn(withMoves(joining(), 0), withMoves(joining(), 0, 1), withMoves(joining(), 1), balanced()) }, async (node) => {
        const { status, out, err } = await weftctlAt([node], ["rebalance", ...QUICK]);
        assert.equal(err, "");
        assert.deepEqual(out.split("\n"), [
            "under way: copy of range 3 from node-1 to node-4, 4.9 MB", "under way: copy of range 6 from node-1 to node-4, 8.6 MB",
            "ended: copy of range 3 from node-1 to node-4", "ended: copy of range 6 from node-1 to node-4", "balanced", "",
        ]);
        assert.equal(status, 0);
    }));

test("a watched rebalancing gives one line of JSON for each look", () =>
    withNode({ "GET /admin/cluster": inTurn(joining(), joining(), balanced()) }, async (node) => {
        const { status, out } = await weftctlAt([node], ["rebalance", "--json", ...QUICK]);
        assert.deepEqual(out.trimEnd().split("\n").map((line) => JSON.parse(line).moves.length), [3, 3, 0]);
        assert.equal(status, 0);
    }));

test("a watched rebalancing that is paused lets what is under way end, and then ends with status 1", () =>
    withNode({ "GET /admin/cluster": inTurn({ ...ailing(), moves: withMoves(joining(), 0).moves }, ailing()) }, async (node) => {
        const { status, out, err } = await weftctlAt([node], ["rebalance", ...QUICK]);
        assert.match(out, /^under way: .*\nended: .*\n$/);
        assert.match(err, /paused until weftctl resume/);
        assert.equal(status, 1);
    }));

test("a watched drain counts ranges down and ends when the node is gone", () =>
    withNode({ "GET /admin/cluster": inTurn(balanced(), draining(8), draining(8), draining(3), draining(0), withoutNode3()) }, async (node) => {
        const { status, out, err } = await weftctlAt([node], ["drain", "node-3", ...QUICK]);
        assert.equal(err, "");
        assert.equal(out, "node-3 is being drained\nnode-3: 8 ranges left\nnode-3: 3 ranges left\nnode-3: 0 ranges left\nnode-3 holds nothing any more and has ended\n");
        assert.equal(status, 0);
    }));

test("a watched drain that somebody cancels ends with status 1", () =>
    withNode({ "GET /admin/cluster": inTurn(balanced(), draining(8), balanced()) }, async (node) => {
        const { status, err } = await weftctlAt([node], ["drain", "node-3", ...QUICK]);
        assert.match(err, /node-3 is not draining any more/);
        assert.equal(status, 1);
    }));

/** The same cluster with so many ranges, of which nobody leads the last ones. */
const withRanges = (count, leaderless = 0) => {
    const cluster = balanced();
    cluster.ranges = Array.from({ length: count }, (_, range) => ({ ...cluster.ranges[range % 8], range, ...(range >= count - leaderless ? { primary: "" } : {}) }));
    return cluster;
};

test("a watched split counts ranges up and ends when there are so many", () =>
    withNode({ "POST /admin/split": accepted, "GET /admin/cluster": inTurn(withRanges(8), withRanges(8), withRanges(13), withRanges(16)) }, async (node) => {
        const { status, out, err } = await weftctlAt([node], ["split", "16", ...QUICK]);
        assert.equal(err, "");
        assert.equal(out, "ranges are halved until there are 16\n8 of 16 ranges\n13 of 16 ranges\n16 of 16 ranges\n");
        assert.equal(status, 0);
        assert.ok(node.requests.includes('POST /admin/split {"ranges":16}'));
    }));

test("on a terminal a watched split draws a bar, the time left, and what holds it up", () =>
    withNode({ "POST /admin/split": accepted, "GET /admin/cluster": inTurn(withRanges(8), withRanges(10, 2), withRanges(16)) }, async (node) => {
        const { ended, written } = onTerminal(node, ["split", "16", ...QUICK]);
        assert.equal(await ended, 0);
        const text = plain(written());
        assert.match(text, /splitting +░+ +0 % +8 of 16 ranges/);
        assert.match(text, /splitting +█+[▏▎▍▌▋▊▉]?░+ +25 % +10 of 16 ranges, about \d+ s left\n2 ranges have nobody to halve them\n/);
        assert.match(text, /split +█+ 100 % +16 of 16 ranges\n/);
    }), ON_TERMINAL);

test("a watched drain ends with status 1 when balancing is paused", () => {
    const paused = draining(8);
    paused.balancer.isPaused = true;
    return withNode({ "GET /admin/cluster": inTurn(balanced(), paused) }, async (node) => {
        const { status, err } = await weftctlAt([node], ["drain", "node-3", ...QUICK]);
        assert.match(err, /balancing is paused until weftctl resume/);
        assert.equal(status, 1);
    });
});

test("a watch ends with status 1 when for long no node decides what is to move", () => {
    const undecided = draining(8);
    Object.assign(undecided.balancer, { node: "", isBalanced: false });
    return withNode({ "GET /admin/cluster": undecided }, async (node) => {
        for (const words of [["rebalance"], ["drain", "node-3"]]) {
            const { status, err } = await weftctlAt([node], [...words, ...QUICK]);
            assert.match(err, /no node decides what is to move/);
            assert.equal(status, 1);
        }
    });
});

test("a watch outlives a node that refuses for a while, and asks the others of which the cluster told", () =>
    withNode({ "GET /admin/cluster": balanced() }, async (other) => {
        const first = joining();
        first.nodes[0].publicUrl = other.endpoint;
        const busy = refusal(503, "ServiceUnavailable", "Later.");
        await withNode({ "GET /admin/cluster": inTurn(first, busy) }, async (node) => {
            const { status, out } = await weftctlAt([node], ["rebalance", ...QUICK]);
            assert.match(out, /\nbalanced\n$/);
            assert.equal(status, 0);
        });
        assert.ok(other.requests.length > 0);
        await withNode({ "GET /admin/cluster": inTurn(joining(), busy, busy, balanced()) }, async (node) => {
            assert.equal((await weftctlAt([node], ["rebalance", ...QUICK])).status, 0);
        });
    }));

test("on a terminal a watched rebalancing draws bars, fits the window, and q ends it", () =>
    withNode({ "GET /admin/cluster": joining() }, async (node) => {
        const { ended, written, type } = onTerminal(node, ["rebalance", ...QUICK], { columns: 80 });
        await until("two drawings", () => plain(written()).match(/balancing/g)?.length > 1);
        type("q");
        assert.equal(await ended, 0);
        const text = plain(written());
        assert.match(text, /balancing +[█░]+ +\d+ %\n/);
        assert.match(text, /\n3 moves under way, 3 to come; 16 MB to copy at 1\.0 MB\/s, about \d+ s left\n/);
        assert.match(text, /3 +copy +node-1 +node-4 +█+[▏▎▍▌▋▊▉]?░+ +47\.5 % +1\.0 MB\/s +2 s\n/);
        for (const line of text.split("\n")) assert.ok([...line].length <= 80, line);
    }), ON_TERMINAL);

test("on a terminal top takes the whole of it, shows colours, and puts it back when q is pressed", () =>
    withNode({ "GET /admin/cluster": ailing() }, async (node) => {
        const { ended, written, type } = onTerminal(node, ["top", "--interval", "0.1"], { columns: 140, rows: 40 });
        await until("two drawings", () => written().match(/q quits/g)?.length > 1);
        type("q");
        assert.equal(await ended, 0);
        const text = written();
        assert.ok(text.indexOf(CLEAR_SCREEN) >= 0 && text.lastIndexOf(PUT_BACK) > text.lastIndexOf("q quits"));
        assert.ok(text.includes("\x1b[31msilent"), "what is amiss is red");
        for (const line of plain(text).split("\n")) assert.ok([...line].length <= 140, line);
    }), ON_TERMINAL);

test("a signal puts the terminal back, too", () =>
    withNode({ "GET /admin/cluster": balanced() }, async (node) => {
        const { ended, written, type } = onTerminal(node, ["top", "--interval", "0.1"]);
        await until("a drawing", () => written().includes("q quits"));
        type("\x03");
        assert.equal(await ended, 130);
        assert.ok(written().lastIndexOf(PUT_BACK) > written().lastIndexOf("q quits"));
    }), ON_TERMINAL);

test("in a low window only what fits is drawn", () =>
    withNode({ "GET /admin/cluster": joining() }, async (node) => {
        const { ended, written, type } = onTerminal(node, ["top", "--interval", "0.1"], { rows: 6 });
        await until("two drawings", () => written().match(/node-2/g)?.length > 1);
        type("q");
        assert.equal(await ended, 0);
        assert.ok(!written().includes("node-3") && !written().includes("q quits"));
    }), ON_TERMINAL);

test("NO_COLOR and a dumb terminal mean no colours", () =>
    withNode({ "GET /admin/cluster": ailing(), "GET /admin/plan": nothingToDo() }, async (node) => {
        for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
            const { ended, written } = onTerminal(node, ["status"], { env });
            assert.equal(await ended, 0);
            assert.ok(!/\x1b\[\d*m/.test(written()));
        }
    }), ON_TERMINAL);

await run("watching");
