// weft-bench while a node is stopped in order and comes back: its load counts nothing failed, lost, doubled or out of order,
// and it sees what moved.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { freePort, nodeProgram } from "../lib/node.mjs";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";

const SECONDS = Number(process.env.WEFT_BENCH_SECONDS ?? 10);
const program = path.join(path.dirname(nodeProgram()), "weft-bench");
const withoutProgram = existsSync(program) ? false : `there is no ${program}`;
const skip = isInstalled() ? withoutProgram : "etcd is not installed (Debian: etcd-server)";

/** Runs weft-bench; its result, and what it printed for people on standard error. */
async function bench(args) {
    const child = spawn(program, [...args, "--json", "-"], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let told = "";
    child.stdout.on("data", (data) => (out += data));
    child.stderr.on("data", (data) => (told += data));
    const status = await new Promise((resolve) => child.on("close", resolve));
    return { status, told, result: out ? JSON.parse(out) : null };
}

test("a load that churns the cluster fails and loses nothing", async () => {
    // Without TLS, as each node has a certificate authority of its own here.
    const ports = [await freePort(), await freePort(), await freePort()];
    const prepare = (world, index) => world.flags.push("--plain-listen", `127.0.0.1:${ports[index]}`);
    const cluster = await ThreeNodes.start(3, { prepare });
    try {
        await cluster.whole();
        // The one that leads most, so that ranges change hands; it is there again before chance could choose it once more.
        const leader = await cluster.leader();
        const coming = leader.node.waitEnd(120000).then((end) => (assert.equal(end.status, 0), leader.start({ flags: leader.flags })));
        coming.catch(() => {}); // it is awaited when the bench has said what it thinks
        const urls = ports.map((port) => `http://127.0.0.1:${port}`).join(",");
        const { connectionString, adminToken } = cluster.nodes[0].node;
        const { status, told, result } = await bench([
            "churn", "--nodes", urls, "--connection-string", connectionString, "--admin-token", adminToken,
            "--threads", "1", "--participants", "30", "--small-threads", "10", "--rate", "4", "--warmup", "0", "--drain", "60",
            "--duration", String(SECONDS), "--seed", "3", "--fill-mb", "1", "--every", String(SECONDS), `kill -TERM $(cat ${leader.node.dir}/pid)`,
        ]);
        assert.ok(result, `it has a result: ${told}`);
        const { book, moved } = result;
        const what = JSON.stringify({ book, clients: moved.clients, happenings: moved.happenings });
        assert.equal(status, 0, `${told}\n${what}`);
        assert.equal(book.failed + book.lost + book.duplicates + book.disorders, 0, what);
        assert.equal(book.acknowledged, book.sent, what);
        assert.equal(book.sent, SECONDS * 4 * 11);
        assert.equal(moved.happenings.length, 1, "one command was run");
        await coming;
        assert.ok(moved.clients.toldToGo > 0 && moved.clients.reconnects >= moved.clients.toldToGo, what);
        assert.ok(moved.handOvers.length > 0, "ranges were seen to change hands");
        assert.ok(moved.handOvers.every(({ from }) => from === leader.name), JSON.stringify(moved.handOvers[0]));
        assert.ok(moved.peerBytes > 0 && moved.filledBytes >= 1e6, what);
        const { p50, max } = moved.longestWrites.ofHandOversMs;
        console.log(`# ${book.sent} sends, ${moved.clients.reconnects} clients came back, ${moved.handOvers.length} hand-overs: longest write p50 ${p50.toFixed(0)}, max ${max.toFixed(0)} ms`);
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 240000 });

await run("bench_churn");
