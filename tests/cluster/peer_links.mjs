// The links between nodes, without the nodes: two processes send each other numbered packets until each is acknowledged,
// over a network and with peers at their worst. Everything arrives in the end, once and in order; what nobody sent never.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { run, test } from "../sdk/lib/harness.mjs";
import { freePort, until } from "../lib/node.mjs";

const program = process.env.WEFT_PEER_LINKS_DRIVER;
const rounds = Number(process.env.WEFT_LINK_KILLS ?? 60);
const running = new Set();

/** A process of drivers/peer_links_driver.c; `state` is what it said last. */
class Program {
    constructor(kind, options) {
        const words = Object.entries(options).map(([name, value]) => `${name}=${value}`);
        this.child = spawn(program, [kind, ...words], { stdio: ["ignore", "pipe", "pipe"] });
        this.state = {};
        this.text = "";
        this.child.stderr.on("data", (chunk) => (this.text = (this.text + chunk).slice(-4000)));
        readline.createInterface({ input: this.child.stdout }).on("line", (line) => {
            try {
                this.state = JSON.parse(line);
            } catch {
                // The last line of a process that was killed.
            }
        });
        this.ended = new Promise((resolve) => this.child.on("close", (code, signal) => resolve(signal ?? code)));
        this.ended.then((how) => ((this.how = how), running.delete(this)));
        running.add(this);
    }

    signal(name) {
        this.child.kill(name);
        return this.ended;
    }

    get descriptors() {
        return readdirSync(`/proc/${this.child.pid}/fd`).length;
    }

    /** Resident memory in MB. */
    get megabytes() {
        return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, "utf8"))[1]) / 1024;
    }

    assertRuns() {
        assert.equal(this.how, undefined, `a process ended with ${this.how}: ${JSON.stringify(this.state)} ${this.text}`);
    }
}

class Pair {
    static async make(options) {
        const pair = new Pair();
        pair.folder = mkdtempSync(path.join(os.tmpdir(), "weft-links-"));
        pair.ports = [await freePort(), await freePort()];
        pair.dials = [pair.ports[1], pair.ports[0]];
        pair.options = options;
        pair.ends = [];
        return pair;
    }

    start(which) {
        this.ends[which] = new Program("peer", {
            self: which + 1, peer: 2 - which, listen: this.ports[which], dial: this.dials[which],
            state: path.join(this.folder, `state-${which}`), ...this.options,
        });
        return this.ends[which];
    }

    startBoth() {
        return [this.start(0), this.start(1)];
    }

    async everythingArrives(deadlineMs = 60000) {
        const { count } = this.options;
        await until(`${count} packets each way`, () => {
            for (const end of this.ends) end.assertRuns();
            return this.ends.every(({ state }) => state.received === count && state.acknowledged === count);
        }, deadlineMs);
    }

    async end() {
        for (const end of this.ends) {
            end.assertRuns();
            assert.equal(await end.signal("SIGTERM"), 0, end.text);
        }
        rmSync(this.folder, { recursive: true });
    }
}

/** A case that leaves no process behind. */
const linkTest = (name, body, options) =>
    test(name, async () => {
        try {
            await body();
        } finally {
            await Promise.all([...running].map((each) => each.signal("SIGKILL")));
        }
    }, { skip: program ? false : "WEFT_PEER_LINKS_DRIVER is not set", deadlineMs: 180000, ...options });

linkTest("200,000 packets arrive, many to a message", async () => {
    const pair = await Pair.make({ count: 100000, bytes: 400, window: 2000 });
    pair.startBoth();
    await pair.everythingArrives();
    for (const { state } of pair.ends) {
        assert.ok(state.messagesSent < state.packetsSent / 20, JSON.stringify(state));
        assert.equal(state.forged + state.replayed + state.malformed + state.packetsMalformed + state.strangers, 0);
    }
    await pair.end();
});

linkTest("a network that loses, repeats, reorders, changes, cuts, forges and replays costs time only", async () => {
    const pair = await Pair.make({ count: 100000, bytes: 200, window: 60 });
    const middlePorts = [await freePort(), await freePort()];
    pair.dials = middlePorts;
    const chance = Number(process.env.WEFT_SEED ?? 4711);
    new Program("middle", {
        listen: middlePorts[0], dial: pair.ports[1], listen_back: middlePorts[1], dial_back: pair.ports[0], seed: chance,
    });
    pair.startBoth();
    await pair.everythingArrives(150000);
    for (const { state } of pair.ends)
        for (const kind of ["forged", "replayed", "resends"])
            assert.ok(state[kind] > 0, `${kind}, seed ${chance}: ${JSON.stringify(state)}`);
    await pair.end();
});

linkTest("a reader that stands still for three seconds costs its sender a bounded queue", async () => {
    const pair = await Pair.make({ count: 200000, bytes: 1000, window: 60000 });
    const [sender, reader] = pair.startBoth();
    await until("the first packets", () => sender.state.acknowledged > 1000 && reader.state.acknowledged > 1000);
    reader.child.kill("SIGSTOP");
    let megabytes = 0, queueBytes = 0;
    const begun = performance.now();
    await until("three seconds", () => {
        megabytes = Math.max(megabytes, sender.megabytes);
        queueBytes = Math.max(queueBytes, sender.state.queueBytes);
        return performance.now() - begun > 3000;
    });
    reader.child.kill("SIGCONT");
    await pair.everythingArrives();
    assert.ok(queueBytes > 100000 && queueBytes <= 8 * 1024 * 1024, `${queueBytes} bytes waited`);
    assert.ok(megabytes < 64, `${megabytes} MB`);
    assert.ok(sender.state.dropped > 0 && sender.state.downs > 0, JSON.stringify(sender.state));
    await pair.end();
});

linkTest("tiny buffers of nng drop what they like and lose nothing", async () => {
    const pair = await Pair.make({ count: 8000, bytes: 20000, window: 500, send_buffer: 1, receive_buffer: 1 });
    pair.startBoth();
    await pair.everythingArrives(150000);
    assert.ok(pair.ends.some(({ state }) => state.resends > 0), JSON.stringify(pair.ends[0].state));
    await pair.end();
});

linkTest(`a peer that is killed and started ${rounds} times costs its peer neither descriptors nor memory`, async () => {
    const pair = await Pair.make({ count: 10000000, bytes: 200, window: 1000 });
    const survivor = pair.start(0);
    let descriptors, megabytes;
    for (let round = 0; round <= rounds; round++) {
        const victim = pair.start(1);
        await until(`round ${round}: packets both ways`, () => {
            survivor.assertRuns();
            victim.assertRuns();
            return victim.state.isUp && victim.state.acknowledged > 0 && victim.state.packetsReceived > 500;
        });
        if (round === 10) [descriptors, megabytes] = [survivor.descriptors, survivor.megabytes];
        if (round < rounds) await victim.signal("SIGKILL");
    }
    if (descriptors !== undefined) {
        assert.ok(survivor.descriptors <= descriptors + 3, `${descriptors} descriptors, then ${survivor.descriptors}`);
        assert.ok(survivor.megabytes < megabytes + 16, `${megabytes} MB, then ${survivor.megabytes}`);
    }
    await until("the survivor has heard of all lives", () => survivor.state.sessions > rounds);
    assert.equal(survivor.state.forged + survivor.state.replayed + survivor.state.malformed, 0);
    await pair.end();
}, { deadlineMs: 600000 });

linkTest("a network that hangs without breaking is dialled anew and comes back", async () => {
    const pair = await Pair.make({ count: 10000000, bytes: 200, window: 1000 });
    const middlePorts = [await freePort(), await freePort()];
    pair.dials = middlePorts;
    const options = { listen: middlePorts[0], dial: pair.ports[1], listen_back: middlePorts[1], dial_back: pair.ports[0] };
    const middle = new Program("middle", { ...options, seed: 1 });
    const [first, second] = pair.startBoth();
    await until("the first packets", () => first.state.acknowledged > 0 && second.state.acknowledged > 0);
    const descriptors = first.descriptors;
    middle.child.kill("SIGSTOP");
    await until("both have given up", () => pair.ends.every(({ state }) => !state.isUp && state.redials >= 2));
    const { acknowledged } = first.state;
    middle.child.kill("SIGCONT");
    await until("packets go on", () => first.state.isUp && first.state.acknowledged > acknowledged + 1000);
    await until("old connections are gone", () => first.descriptors <= descriptors + 3);
    await pair.end();
});

await run("peer_links");
