// A cluster whose nodes are stopped in order and started again, one after the other, as an upgrade does it: each hands over
// what it leads before it ends, and those who send through the others see nothing of it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { threadPath, until } from "./lib/world.mjs";

const THREADS = 6;
const SENDERS = 4;
const API = "api-version=2025-03-15";
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

/** Sends one message after the other through whichever nodes are not stopping; every answer must be 201. */
class Senders {
    constructor(cluster, users, threads) {
        Object.assign(this, { cluster, users, threads, sent: [], problems: [], isEnding: false, slowestMs: 0 });
        this.working = users.map((user, number) => this.#work(user, number));
    }

    async #work(user, number) {
        for (let count = 0; !this.isEnding; count++) {
            const steady = this.cluster.nodes.filter(({ isDisturbed }) => !isDisturbed);
            const node = steady[count % steady.length];
            const thread = this.threads[(number + count) % this.threads.length];
            const content = `sender ${number} message ${count}`;
            const headers = { Authorization: `Bearer ${user.token}`, "x-ms-client-request-id": randomUUID() };
            const began = performance.now();
            const answer = await node.exchange("POST", `${threadPath(thread)}/messages?${API}`, { headers, body: { content } })
                .catch((error) => ({ status: 0, text: error.message }));
            const ms = performance.now() - began;
            this.slowestMs = Math.max(this.slowestMs, ms);
            if (answer.status === 201) this.sent.push({ thread, content, id: answer.json.id });
            else this.problems.push(`a send through ${node.name}: ${answer.status} ${answer.text} after ${ms.toFixed(0)} ms`);
        }
    }

    async everyThreadGrows() {
        const before = this.sent.length;
        await until("every thread grows", () => this.threads.every((thread) => this.sent.slice(before).filter((item) => item.thread === thread).length > 3), 60000);
    }

    async end() {
        this.isEnding = true;
        await Promise.all(this.working);
    }
}

test("nodes stopped in order one after the other hand over what they lead: no send fails", async () => {
    const cluster = await ThreeNodes.start();
    try {
        await until("every range has all replicas", () => cluster.isWhole(), 60000);
        const users = await cluster.nodes[0].newUsers(SENDERS);
        const threads = [];
        for (let number = 0; number < THREADS; number++) threads.push(await cluster.nodes[number % 3].newThread(users, `thread ${number}`));
        const senders = new Senders(cluster, users, threads);
        for (const node of cluster.nodes) {
            const leads = await cluster.leads();
            const epochs = new Map((await cluster.ranges()).map(({ range, epoch }) => [range, epoch]));
            node.isDisturbed = true;
            senders.slowestMs = 0;
            node.node.signal("SIGTERM");
            const { status } = await node.node.waitEnd(30000);
            assert.equal(status, 0);
            const after = await cluster.ranges();
            assert.deepEqual(after.filter(({ primary }) => primary === node), [], "it leads nothing when it has ended");
            assert.deepEqual(after.filter(({ inSync }) => inSync.includes(node)), [], "and nobody waits for it");
            assert.ok(after.every(({ range, epoch }) => epoch - epochs.get(range) <= 1), "each range changed hands at most once");
            await senders.everyThreadGrows();
            console.log(`# ${node.name}, which led ${leads[cluster.nodes.indexOf(node)]} ranges, ended; slowest send ${senders.slowestMs.toFixed(0)} ms`);
            await node.start({ flags: node.flags });
            node.isDisturbed = false;
            await until("every range has all replicas again", () => cluster.isWhole(), 60000);
        }
        await senders.end();
        assert.deepEqual(senders.problems, []);
        for (const thread of threads) {
            for (const node of cluster.nodes) {
                const told = (await node.allMessages(users[0], thread)).filter(({ type }) => type === "text");
                const sent = senders.sent.filter((item) => item.thread === thread);
                assert.deepEqual(told.map(({ id }) => id).sort(), sent.map(({ id }) => id).sort(), `what ${node.name} has`);
            }
        }
        console.log(`# ${senders.sent.length} sends`);
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 180000 });

await run("hand_over");
