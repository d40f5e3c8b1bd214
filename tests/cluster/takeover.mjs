// Three nodes and etcd in bad times, while clients send by REST through all nodes under request ids of their own: nodes
// are killed, etcd stands still, the node that leads stands still. Nothing acknowledged is lost, doubled or out of order, and
// a client of a healthy node sees delays and 503 with Retry-After, nothing else.
// WEFT_TAKEOVER_ROUNDS: how many kills (2). WEFT_SEED: of the moments and the nodes.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { run, test } from "../sdk/lib/harness.mjs";
import { chanceFrom } from "./lib/chance.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { threadPath, until } from "./lib/world.mjs";

const ROUNDS = Number(process.env.WEFT_TAKEOVER_ROUNDS ?? 2);
const THREADS = 6;
const SENDERS = 6;
const ACKS_PER_ROUND = 10; // in every thread, before the next kill may come
const ETCD_STOPPED_MS = 10000;
const PRIMARY_STOPPED_MS = 6000;
const ALONE_MS = 500;
const READS_WAITING = 8; // for the stopped primary, of every thread
const ASK_MS = 15000; // a little longer than a node tries to find who leads
const API = "api-version=2025-03-15";
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

/** Clients, what they were told, and what they should not have been told. */
class Traffic {
    constructor(cluster) {
        Object.assign(this, { cluster, acknowledged: [], refused: [], problems: [], isEnding: false, working: [], slowestMs: 0 });
    }

    static async start(cluster) {
        const traffic = new Traffic(cluster);
        traffic.users = await cluster.nodes[0].newUsers(SENDERS);
        traffic.threads = [];
        for (let number = 0; number < THREADS; number++) traffic.threads.push(await cluster.nodes[number % cluster.nodes.length].newThread(traffic.users, `thread ${number}`));
        traffic.working = traffic.users.map((user, number) => traffic.#work(user, number));
        return traffic;
    }

    complain(text) {
        if (this.problems.length < 30) this.problems.push(text);
    }

    /** One try through one node: the answer when it is 201, or null. */
    async #try(node, user, thread, content, requestId) {
        const headers = { Authorization: `Bearer ${user.token}`, "x-ms-client-request-id": requestId };
        const began = performance.now();
        const wasDisturbed = node.isDisturbed;
        const what = `a send through ${node.name}`;
        let answer;
        try {
            const asked = node.exchange("POST", `${threadPath(thread)}/messages?${API}`, { headers, body: { content }, deadlineMs: ASK_MS });
            // Who waits for a node that stands still asks another; the first may serve it, too, when it goes on.
            answer = await Promise.race([asked, node.standsStill]);
        } catch (error) {
            if (!wasDisturbed && !node.isDisturbed) this.complain(`${what} broke: ${error.message}`);
            return null;
        }
        const ms = performance.now() - began;
        if (answer.status === 201) {
            if (!wasDisturbed && !node.isDisturbed) this.slowestMs = Math.max(this.slowestMs, ms);
            return answer;
        }
        this.refused.push({ node, status: answer.status, code: answer.json?.error?.code, ms });
        if (answer.status !== 503) this.complain(`${what}: ${answer.status} ${answer.text}`);
        else if (!(Number(answer.headers["retry-after"]) > 0)) this.complain(`${what}: 503 without Retry-After`);
        return null;
    }

    /** Sends one after the other, to the threads in turn and through the nodes in turn; what was not acknowledged again. */
    async #work(user, number) {
        for (let count = 0; !this.isEnding; count++) {
            const thread = this.threads[(number + count) % this.threads.length];
            const content = `sender ${number} message ${count}`;
            const requestId = randomUUID();
            const began = performance.now();
            for (let attempt = 0; ; attempt++) {
                const node = this.cluster.nodes[(number + count + attempt) % this.cluster.nodes.length];
                const answer = await this.#try(node, user, thread, content, requestId);
                if (answer) {
                    this.acknowledged.push({ thread, number, count, content, id: answer.json.id, offset: Number(answer.headers["x-weft-offset"]), began, ended: performance.now() });
                    break;
                }
                await pause(50);
            }
        }
    }

    /** Waits until there is an acknowledgement in every thread of sends begun from now on; the time that took in the last. */
    async everyThreadGoesOn(what, deadlineMs = 60000) {
        const now = performance.now();
        const from = this.acknowledged.length;
        const ends = () => this.threads.map((thread) => this.acknowledged.slice(from).find((item) => item.thread === thread && item.began >= now)?.ended);
        await until(what, () => ends().every((ended) => ended !== undefined), deadlineMs).catch((error) => {
            const refused = this.refused.slice(-5).map(({ node, status, code, ms }) => `${node.name} ${status} ${code} after ${ms.toFixed(0)} ms`);
            throw new Error(`${error.message}; refused last: ${refused.join("; ")}`);
        });
        return Math.max(...ends()) - now;
    }

    async everyThreadGrows(count) {
        const before = this.threads.map((thread) => this.acknowledged.filter((item) => item.thread === thread).length);
        await until("every thread grows", () => this.threads.every((thread, index) => this.acknowledged.filter((item) => item.thread === thread).length >= before[index] + count), 60000);
    }

    /** Lets what is under way be acknowledged. */
    async end() {
        this.isEnding = true;
        await Promise.all(this.working);
    }

    /** Every node tells the same, and that is what was acknowledged, once, in the order of sending. */
    async check() {
        for (const thread of this.threads) {
            const acknowledged = this.acknowledged.filter((item) => item.thread === thread);
            const tellings = [];
            for (const node of this.cluster.nodes) tellings.push((await node.allMessages(this.users[0], thread)).filter(({ type }) => type === "text").reverse());
            for (const [index, telling] of tellings.entries()) this.#compare(this.cluster.nodes[index].name, telling, acknowledged);
            for (const telling of tellings.slice(1)) assert.deepEqual(telling.map(({ id }) => id), tellings[0].map(({ id }) => id), "every node tells the same");
        }
        assert.deepEqual(this.problems, []);
    }

    #compare(name, telling, acknowledged) {
        const contents = telling.map(({ content }) => content.message);
        const doubled = contents.filter((content, index) => contents.indexOf(content) !== index);
        assert.deepEqual(doubled, [], `doubled, says ${name}`);
        const byId = new Map(telling.map((message) => [message.id, message.content.message]));
        assert.deepEqual(acknowledged.filter(({ id, content }) => byId.get(id) !== content), [], `lost, says ${name}`);
        assert.equal(telling.length, acknowledged.length, `messages that ${name} has`);
        for (let number = 0; number < SENDERS; number++) {
            const counts = contents.map((content) => content.split(" ")).filter(([, sender]) => Number(sender) === number).map((words) => Number(words[3]));
            assert.deepEqual(counts, [...counts].sort((a, b) => a - b), `order of sender ${number}, says ${name}`);
        }
        const offsets = acknowledged.map(({ offset }) => offset);
        assert.equal(new Set(offsets).size, offsets.length, "no offset twice");
    }

    get summary() {
        const codes = {};
        for (const { code } of this.refused) codes[code] = (codes[code] ?? 0) + 1;
        return `${this.acknowledged.length} acknowledged, refused ${JSON.stringify(codes)}, slowest through a healthy node ${this.slowestMs.toFixed(0)} ms`;
    }
}

/** Runs `body` with three nodes and traffic, checks what it left, and ends everything. */
async function withTraffic(body) {
    const cluster = await ThreeNodes.start();
    let traffic;
    try {
        await until("every range has all replicas", () => cluster.isWhole(), 60000);
        traffic = await Traffic.start(cluster);
        await traffic.everyThreadGrows(ACKS_PER_ROUND);
        await body(cluster, traffic);
        await traffic.end();
        console.log(`# ${traffic.summary}`);
        await traffic.check();
    } catch (error) {
        if (traffic) error.stack += `\n--- ${traffic.summary}\n${traffic.problems.join("\n")}`;
        for (const { name, node } of cluster.nodes) error.stack += `\n--- log of ${name}:\n${node.log.slice(-1500)}`;
        throw error;
    } finally {
        if (traffic) traffic.isEnding = true;
        await cluster.stop();
    }
}

async function leader(cluster) {
    const leads = await cluster.leads();
    return cluster.nodes[leads.indexOf(Math.max(...leads))];
}

test(`nodes are killed (${ROUNDS} of them) and started again: nothing acknowledged is lost, doubled or out of order`, async () => {
    const chance = chanceFrom(process.env.WEFT_SEED);
    console.log(`# seed ${chance.seed}`);
    await withTraffic(async (cluster, traffic) => {
        for (let round = 0; round < ROUNDS; round++) {
            await pause(chance.below(500));
            const leads = await cluster.leads();
            // The first is one whose end must be noticed.
            const node = round === 0 ? await leader(cluster) : chance.pick(cluster.nodes);
            node.isDisturbed = true;
            await node.node.kill();
            const ms = await traffic.everyThreadGoesOn(`sends succeed again after kill ${round + 1}`);
            console.log(`# round ${round + 1}: ${node.name}, which led ${leads[cluster.nodes.indexOf(node)]} ranges, killed; sends succeed again after ${ms.toFixed(0)} ms`);
            await node.start({ flags: node.flags });
            node.isDisturbed = false;
            await traffic.everyThreadGrows(ACKS_PER_ROUND);
            await until(`every range has all replicas again after kill ${round + 1}`, () => cluster.isWhole(), 60000);
        }
    });
}, { skip, deadlineMs: 90000 + ROUNDS * 60000 });

test(`etcd stands still for ${ETCD_STOPPED_MS / 1000} s: no request fails`, async () => {
    await withTraffic(async (cluster, traffic) => {
        const [member] = cluster.etcd.members;
        const before = await cluster.leads();
        traffic.refused.length = 0;
        traffic.slowestMs = 0;
        member.child.kill("SIGSTOP");
        await pause(ETCD_STOPPED_MS);
        member.child.kill("SIGCONT");
        await cluster.etcd.ready();
        // Also what etcd says after it lost that time must not disturb anybody.
        await traffic.everyThreadGrows(ACKS_PER_ROUND * 3);
        assert.deepEqual(traffic.refused.map(({ node, status, code }) => `${node.name} ${status} ${code}`), []);
        assert.deepEqual(await cluster.leads(), before, "nobody was taken for dead");
    });
}, { skip, deadlineMs: 120000 });

test(`the node that leads stands still for ${PRIMARY_STOPPED_MS / 1000} s: it tells nothing old when it goes on`, async () => {
    await withTraffic(async (cluster, traffic) => {
        const node = await leader(cluster);
        const others = cluster.nodes.filter((other) => other !== node);
        const [user] = traffic.users;
        const ask = (thread) =>
            node.exchange("GET", `${threadPath(thread)}/messages?${API}`, { headers: { Authorization: `Bearer ${user.token}` }, deadlineMs: ASK_MS })
                .catch((error) => ({ status: 0, text: error.message }));
        const askAll = () => traffic.threads.flatMap((thread) => Array.from({ length: READS_WAITING }, async () => ({ thread, answer: await ask(thread) })));
        await Promise.all(askAll()); // connections, which are kept
        const stopped = performance.now();
        cluster.hold(node);
        for (const passage of [node.toEtcd, node.fromPeers]) passage.stall();
        await until("the others lead", async () => (await cluster.ranges()).every(({ primary }) => others.includes(primary)), 30000);
        const ms = await traffic.everyThreadGoesOn("sends succeed through the others");
        console.log(`# ${node.name} stopped; sends succeed again ${(performance.now() - stopped).toFixed(0)} ms after that, ${ms.toFixed(0)} ms after the last range was taken over`);
        await pause(Math.max(0, PRIMARY_STOPPED_MS - (performance.now() - stopped)));
        // Nobody tells it what happened meanwhile, and the questions are there before it goes on.
        const known = new Map(traffic.threads.map((thread) => [thread, traffic.acknowledged.filter((item) => item.thread === thread).at(-1)]));
        const asked = askAll();
        await pause(200);
        cluster.letGo(node);
        await pause(ALONE_MS);
        for (const passage of [node.toEtcd, node.fromPeers]) {
            passage.cut();
            passage.open();
        }
        const statuses = {};
        for (const { thread, answer } of await Promise.all(asked)) {
            statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
            if (answer.status !== 200) continue;
            assert.ok(answer.json.value.some(({ id }) => id === known.get(thread).id), `a read of ${thread} right after tells what was then`);
        }
        console.log(`# reads that waited for it were answered ${JSON.stringify(statuses)}`);
        assert.ok(Object.keys(statuses).every((status) => status === "200" || status === "503"), JSON.stringify(statuses));
        await node.node.waitReady(60000);
        node.isDisturbed = false;
        await traffic.everyThreadGrows(ACKS_PER_ROUND);
        await until("every range has all replicas again", () => cluster.isWhole(), 60000);
    });
}, { skip, deadlineMs: 150000 });

await run("takeover");
