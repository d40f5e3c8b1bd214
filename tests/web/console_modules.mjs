// The console's modules that need no page, in the browser that runs them.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { endpoint } from "../sdk/lib/world.mjs";
import { openWindow } from "./lib/browser.mjs";
import { webTest } from "./lib/chat.mjs";
import { StandInCluster } from "./lib/stand_in_cluster.mjs";

const inPage = async (body, given) => (await openWindow({ address: `${endpoint}/console` })).page.evaluate(body, given);

webTest("the ring is covered once by ranges of any size, and by even ones where bounds are unknown", async () => {
    const { even, halves, bad } = await inPage(async () => {
        const { turnsOf } = await import("/console/model/ring.js");
        const half = { range: 1, first: "8000000000000000", last: "ffffffffffffffff" };
        return {
            even: [0, 1, 2, 3].map((range) => turnsOf({ range }, 4)),
            halves: [turnsOf({ range: 0, first: "0000000000000000", last: "7fffffffffffffff" }, 9), turnsOf(half, 9)],
            bad: turnsOf({ range: 1, first: "nonsense", last: half.last }, 2),
        };
    });
    assert.deepEqual(even, [0, 1, 2, 3].map((at) => ({ from: at / 4, to: (at + 1) / 4 })));
    assert.deepEqual(halves, [{ from: 0, to: 0.5 }, { from: 0.5, to: 1 }]);
    assert.deepEqual(bad, { from: 0.5, to: 1 });
});

webTest("angles go clockwise from the top, and a move's way passes its range", async () => {
    const { quarter, lone, ends, middle, full } = await inPage(async () => {
        const { bandPath, moveCurve, nodePoints, pointAt, pointOnCurve } = await import("/console/model/ring.js");
        const curve = moveCurve({ x: 0, y: -10 }, { x: 10, y: 0 }, { x: 40, y: -40 });
        return {
            quarter: pointAt(0.25, 10),
            lone: nodePoints(1, 50),
            ends: [pointOnCurve(curve, 0), pointOnCurve(curve, 1)],
            middle: pointOnCurve(curve, 0.5),
            full: bandPath({ from: 0, to: 1 }, 10, 20),
        };
    });
    assert.ok(Math.abs(quarter.x - 10) < 1e-9 && Math.abs(quarter.y) < 1e-9, JSON.stringify(quarter));
    assert.deepEqual(lone, [{ x: 0, y: 0 }]);
    assert.deepEqual(ends, [{ x: 0, y: -10 }, { x: 10, y: 0 }]);
    assert.deepEqual(middle, { x: 40, y: -40 });
    assert.match(full, /^M[\d.-]+ [\d.-]+A20 20 0 1 1 /);
});

webTest("numbers are written for people, and what is unknown is a dash", async () => {
    const written = await inPage(async () => {
        const f = await import("/console/model/format.js");
        return [
            [f.bytes(0), f.bytes(999), f.bytes(1000), f.bytes(999600), f.bytes(12345678), f.bytes(1e15), f.bytes(NaN)],
            [f.count(1234), f.count(99951), f.count(1500000), f.rate(0.14), f.rate(0), f.rate(1234.5), f.rate(undefined)],
            [f.milliseconds(0), f.milliseconds(0.8), f.milliseconds(9.996), f.milliseconds(250), f.milliseconds(12000)],
            [f.duration(0.2), f.duration(59.5), f.duration(61), f.duration(3725), f.duration(Infinity)],
            [f.plural(1, "copy", "copies"), f.plural(2, "copy", "copies"), f.nameList(["a", "b", "c"]), f.nameList(["a"]), f.nameList([])],
        ];
    });
    assert.deepEqual(written, [
        ["0 B", "999 B", "1.00 kB", "1.00 MB", "12.3 MB", "1.00 PB", "–"],
        ["1,234", "100 k", "1.50 M", "0.1", "0", "1,235", "–"],
        ["–", "0.80 ms", "10.0 ms", "250 ms", "12.0 s"],
        ["1 s", "1 min 00 s", "1 min 01 s", "1 h 02 min", "–"],
        ["1 copy", "2 copies", "a, b and c", "a", ""],
    ]);
});

// A view before and after what `change` does to a stand-in of three nodes.
async function changesOf(change, shape = {}) {
    const cluster = new StandInCluster(shape);
    const before = structuredClone(cluster.body());
    change(cluster);
    return inPage(
        async ([before, after]) => {
            const { viewOf } = await import("/console/model/view.js");
            const { changesBetween } = await import("/console/model/diff.js");
            return changesBetween(viewOf(before, 1000), viewOf(after, 2000)).map(({ kind, text }) => [kind, text]);
        },
        [before, structuredClone(cluster.body())],
    );
}

webTest("two views become what happened between them", async () => {
    assert.deepEqual(await changesOf(() => {}), []);
    assert.deepEqual(await changesOf((cluster) => cluster.join()), [["joined", "node-4 joined"]]);
    assert.deepEqual(await changesOf((cluster) => (cluster.node("node-2").isAlive = false)), [["died", "node-2 is silent"]]);
    assert.deepEqual(await changesOf((cluster) => (cluster.balancer.isPaused = true)), [["paused", "Rebalancing paused"]]);
    assert.deepEqual(await changesOf((cluster) => (cluster.node("node-2").isDraining = true)), [["draining", "node-2 is being drained"]]);
    const copied = (cluster) => {
        cluster.copy(0, "node-4", 1);
        cluster.finish(0, { leads: true });
    };
    assert.deepEqual(await changesOf(copied, { nodes: 4 }), [
        ["primary", "node-4 leads range 0"],
        ["inSync", "node-4 has range 0 in sync"],
        ["dropped", "node-3 no longer holds range 0"],
    ]);
    assert.deepEqual(await changesOf((cluster) => cluster.copy(0, "node-4", 0), { nodes: 4 }), [["learning", "node-4 begins to copy range 0"]]);
    const many = (cluster) => cluster.ranges.forEach((range) => (range.primary = cluster.nodes[0].id));
    assert.deepEqual(await changesOf(many), [["primary", "node-1 leads 42 ranges"]]);
    const split = (cluster) => (cluster.ranges = new StandInCluster({ ranges: 256 }).ranges);
    assert.deepEqual(await changesOf(split), [["split", "256 ranges now, 64 before"]]);
});

const troublesOf = (cluster) =>
    inPage(async (body) => {
        const { troubles, viewOf } = await import("/console/model/view.js");
        return troubles(viewOf(body, 0)).map(({ text }) => text);
    }, structuredClone(cluster.body()));

webTest("what an operator must know is said, worst first", async () => {
    assert.deepEqual(await troublesOf(new StandInCluster()), []);
    const silent = new StandInCluster();
    silent.node("node-2").isAlive = false;
    assert.deepEqual(await troublesOf(silent), ["21 ranges without a live primary", "node-2 silent", "2 nodes for 3 copies"]);
    silent.node("node-3").isAlive = false;
    assert.equal((await troublesOf(silent))[0], "64 ranges below 2 live copies: no writes there");
    const thin = new StandInCluster({ nodes: 4 });
    thin.ranges[3].inSync.pop();
    assert.deepEqual(await troublesOf(thin), ["1 range below 3 copies in sync"]);
});

webTest("what a node says is made safe to draw, however little it says", async () => {
    const view = await inPage(async () => {
        const { drainOutlook, progressOf, timeLeft, troubles, viewOf } = await import("/console/model/view.js");
        const view = viewOf({ nodes: [{ id: "a" }, {}], ranges: [{ range: 1 }, { range: 0, inSync: "no" }], moves: [{ range: 9 }] }, 5);
        const [move] = view.moves;
        return { numbers: view.ranges.map(({ range }) => range), load: view.nodes[0].load.share, troubles: troubles(view).length, left: timeLeft(move), progress: progressOf(move), outlook: drainOutlook(view, "a").copies, empty: viewOf({}, 0).totals.alive };
    });
    assert.deepEqual(view, { numbers: [0, 1], load: 0, troubles: 2, left: NaN, progress: 0.5, outlook: 0, empty: 0 });
});

webTest("a node keeps its colour while others come and go", async () => {
    const slots = await inPage(async () => {
        const { Slots } = await import("/console/model/palette.js");
        const node = (name) => ({ id: `id of ${name}`, name });
        const slots = new Slots();
        const seen = [];
        const note = (...names) => {
            slots.update(names.map(node));
            seen.push(names.map((name) => `${slots.of(`id of ${name}`)}:${slots.tagOf(`id of ${name}`)}`).join(" "));
        };
        note("node-1", "node-2", "node-10");
        note("node-2", "node-10", "east");
        note("node-2");
        note(...Array.from({ length: 13 }, (_, at) => `node-${at + 1}`));
        note("00000000000000a1", "00000000000000b2");
        return [...seen, slots.of("nobody"), slots.tagOf("nobody")];
    });
    assert.deepEqual(slots.slice(0, 3), ["0:1 1:2 9:10", "1:2 9:10 2:3", "1:2"]);
    assert.equal(new Set(slots[3].split(" ").map((slot) => slot.split(":")[0])).size, 13);
    assert.equal(slots[4].split(" ").length, 2);
    assert.deepEqual(slots.slice(5), [-1, "?"]);
});

// How different two colours look, in CIELAB (CIE 15), to full sight and without the red or the green cones; the matrices are
// those of G. M. Machado et al., "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009.
function leastDifference(colors) {
    const linear = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, value, at) => sum + value * vector[at], 0));
    const toXyz = [[0.4124 / 0.95047, 0.3576 / 0.95047, 0.1805 / 0.95047], [0.2126, 0.7152, 0.0722], [0.0193 / 1.08883, 0.1192 / 1.08883, 0.9505 / 1.08883]];
    const sights = [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    ];
    const lab = (rgb) => {
        const [x, y, z] = times(toXyz, rgb).map((t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116));
        return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
    };
    const seen = sights.map((sight) => colors.map((hex) => lab(times(sight, linear(hex)).map((v) => Math.min(1, Math.max(0, v))))));
    let least = Infinity;
    for (const all of seen) all.forEach((a, i) => all.slice(0, i).forEach((b) => (least = Math.min(least, Math.hypot(...a.map((v, at) => v - b[at]))))));
    return least;
}

webTest("any two nodes' colours differ for everybody, by day and by night", async () => {
    const colors = await inPage(async () => (await import("/console/model/palette.js")).COLORS);
    assert.equal(colors.length, 12);
    for (const scheme of ["light", "dark"]) {
        const least = leastDifference(colors.map((color) => color[scheme]));
        assert.ok(least >= 18, `${scheme}: ${least}`);
    }
});

webTest("a sparkline ends where a node was silent, and begins anew", async () => {
    const { line, area, kept, forgotten } = await inPage(async () => {
        const { History, sparkArea, sparkPath } = await import("/console/model/history.js");
        const history = new History();
        const view = (at, isAlive) => ({ at, nodes: [{ id: "a", isAlive, load: { n: 5 } }], nodeById: new Map([["a", 1]]) });
        for (const [at, isAlive] of [[1000, true], [2000, true], [3000, false], [4000, true], [5000, true]]) history.add(view(at, isAlive));
        const box = { width: 100, height: 10, windowMs: 4000, top: 10, now: 5000 };
        const drawn = { line: sparkPath(history.of("a"), "n", box), area: sparkArea(history.of("a"), "n", box) };
        history.add(view(400000, true));
        const kept = history.of("a").length;
        history.add({ at: 400001, nodes: [], nodeById: new Map() });
        return { ...drawn, kept, forgotten: history.of("a").length };
    });
    assert.equal(line, "M0.0 5.0L25.0 5.0M75.0 5.0L100.0 5.0");
    assert.equal(area, "M0.0 10L0.0 5.0L25.0 5.0V10ZM75.0 10L75.0 5.0L100.0 5.0V10Z");
    assert.equal(kept, 1);
    assert.equal(forgotten, 0);
});

await run("console_modules");
