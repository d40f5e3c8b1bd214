// Real time over a network that loses: three nodes whose links drop messages all the time, since next to nothing may
// wait there. Meanwhile links are cut and a node that leads is killed. Whoever stays connected is told every
// acknowledged message of her threads once and in order, on any node and in any format; whoever was on the killed node
// gets elsewhere exactly what she missed.
// WEFT_FANOUT_MESSAGES: how many in each bad time (200).

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { Trouter } from "./lib/trouter.mjs";
import { threadPath, until } from "./lib/world.mjs";

const MESSAGES = Number(process.env.WEFT_FANOUT_MESSAGES ?? 200);
const THREADS = 5;
const SENDERS = 8;
const PER_NODE = ["json", "json", "json", "msgpack", "msgpack", "msgpack", "trouter", "trouter"];
const BUFFERS = ["--peer-send-buffer-messages", "1", "--peer-receive-buffer-messages", "1"];
const CUT_MS = 300;
const DEAF_MS = 3000;
const PATIENCE_MS = 60000;
const EVENT_MESSAGE = 200; // of the official SDK
const CREATION_OFFSET = 2; // the two system messages of a new thread are told as one change
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

/** What one session was told of each thread: offsets and contents, in the order in which it came. */
class Told {
    constructor(name, threads, from) {
        Object.assign(this, { name, problems: [], last: new Map(), contents: new Map(threads.map((thread) => [thread, []])) });
        for (const [thread, offset] of Object.entries(from ?? {})) this.last.set(thread, offset);
    }

    onFrame(frame) {
        if (frame.type === "gap") this.problems.push(`gap in ${frame.thread} from ${frame.from} to ${frame.to}`);
        if (frame.type === "error") this.problems.push(`error ${frame.code} ${frame.message}`);
        if (frame.type === "complete" || frame.offset === undefined || !this.contents.has(frame.thread)) return;
        const last = this.last.get(frame.thread);
        if (last !== undefined && frame.offset !== last + 1) this.problems.push(`${frame.thread}: ${frame.offset} after ${last}`);
        this.last.set(frame.thread, frame.offset);
        if (frame.type === "message") this.contents.get(frame.thread).push(frame.message.content.message);
    }

    onPush(push) {
        if (push.eventId === EVENT_MESSAGE) this.contents.get(push.groupId)?.push(push.messageBody);
    }
}

async function open(cluster, node, kind, user, threads, resume) {
    const told = new Told(`${kind} on ${node.name}`, threads, resume);
    const session =
        kind === "trouter"
            ? await Trouter.connect(node, user, { onPush: (push) => told.onPush(push) })
            : await Realtime.connect(node.target, kind, user.token, { resume, onFrame: (frame) => told.onFrame(frame) });
    return { node, kind, user, told, session };
}

/** Sends through all nodes that run; what is not acknowledged is sent again under its request id, through another. */
class Traffic {
    constructor(cluster, users, threads) {
        Object.assign(this, { cluster, users, threads, count: 0, retries: 0, acknowledged: new Map(threads.map((thread) => [thread, []])) });
    }

    async #send(number) {
        const thread = this.threads[number % this.threads.length];
        const user = this.users[number % this.users.length];
        const content = `message ${number} ${"x".repeat((number * 97) % 2000)}`;
        const headers = { "x-ms-client-request-id": randomUUID() };
        for (let attempt = 0; ; attempt++) {
            const running = this.cluster.nodes.filter((node) => node.node.isRunning && !node.isDisturbed);
            if (running.length === 0) throw new Error("no node runs");
            const node = running[(number + attempt) % running.length];
            const answer = await node.call(user, "POST", `${threadPath(thread)}/messages`, { body: { content }, headers, deadlineMs: 15000 }).catch((error) => ({ status: 0, text: error.message }));
            if (answer.status === 201) return this.acknowledged.get(thread).push({ offset: Number(answer.headers["x-weft-offset"]), content });
            this.retries++;
            if (attempt > 100) throw new Error(`never acknowledged, last ${answer.status} ${answer.text}`);
            await pause(50);
        }
    }

    /** `count` more messages, several at a time; all are acknowledged then. */
    async run(count) {
        const end = this.count + count;
        await Promise.all(Array.from({ length: SENDERS }, async () => {
            while (this.count < end) await this.#send(this.count++);
        }));
    }

    /** The contents of a thread above an offset, in its order. */
    contents(thread, above) {
        return this.acknowledged.get(thread).filter(({ offset }) => offset > above).sort((a, b) => a.offset - b.offset).map(({ content }) => content);
    }
    newest(thread) {
        return Math.max(CREATION_OFFSET, ...this.acknowledged.get(thread).map(({ offset }) => offset));
    }
    get positions() {
        return Object.fromEntries(this.threads.map((thread) => [thread, this.newest(thread)]));
    }
}

/** Waits until the session has as many messages as there are above where it began, and compares them. */
async function check(what, { told }, traffic, begun) {
    const wanted = new Map(traffic.threads.map((thread) => [thread, traffic.contents(thread, begun[thread])]));
    const isThere = () => traffic.threads.every((thread) => told.contents.get(thread).length >= wanted.get(thread).length);
    await until(what, isThere, PATIENCE_MS).catch(() => {});
    for (const thread of traffic.threads) {
        const got = told.contents.get(thread);
        const lost = wanted.get(thread).filter((content) => !got.includes(content)).map((content) => content.slice(0, 12));
        assert.deepEqual(lost, [], `${what}: lost by ${told.name}; told ${got.length} of ${wanted.get(thread).length}`);
        assert.deepEqual(got.map((content) => content.slice(0, 12)), wanted.get(thread).map((content) => content.slice(0, 12)), `${what}: order and number of what ${told.name} was told`);
    }
    assert.deepEqual(told.problems, [], `${what}: ${told.name}`);
}

async function sum(nodes, metric) {
    const values = await Promise.all(nodes.map((node) => node.metric(metric)));
    return values.reduce((a, b) => a + b, 0);
}

test("links drop messages, are cut, and a node that leads is killed: every session is told everything once and in order", async () => {
    const cluster = await ThreeNodes.start(3, { prepare: ({ flags }) => flags.push(...BUFFERS) });
    try {
        await cluster.whole();
        const users = await cluster.nodes[0].newUsers(cluster.nodes.length * PER_NODE.length + 1);
        const threads = [];
        for (let number = 0; number < THREADS; number++) threads.push(await cluster.nodes[number % cluster.nodes.length].newThread(users, `thread ${number}`));
        const traffic = new Traffic(cluster, users, threads);
        const begun = traffic.positions;
        let sessions = await Promise.all(cluster.nodes.flatMap((node, at) => PER_NODE.map((kind, number) => open(cluster, node, kind, users[at * PER_NODE.length + number], threads))));
        const checkAll = async (what) => {
            for (const session of sessions) await check(what, session, traffic, begun);
        };

        await traffic.run(MESSAGES);
        await checkAll("while links drop");
        const missed = await sum(cluster.nodes, "weft_peer_messages_missed_total");
        const again = await sum(cluster.nodes, "weft_changes_sent_again_total");
        console.log(`# ${missed} messages between nodes were lost, ${again} packets of changes sent again; ${traffic.retries} sends repeated`);
        assert.ok(missed > 0, "messages were lost");
        assert.ok(again > 0, "changes among them");

        const whileCut = traffic.run(MESSAGES);
        for (const { fromPeers } of cluster.nodes) {
            fromPeers.cut();
            await pause(CUT_MS);
            fromPeers.open();
            await pause(CUT_MS);
        }
        // Long enough for it to be taken out of what others lead, and the others out of what it leads.
        const deaf = await cluster.leader();
        deaf.isDisturbed = true;
        deaf.fromPeers.cut();
        await pause(DEAF_MS);
        deaf.fromPeers.open();
        deaf.isDisturbed = false;
        await whileCut;
        await checkAll("after links were cut");

        const dead = await cluster.leader();
        const sending = traffic.run(MESSAGES);
        dead.isDisturbed = true;
        await dead.node.kill();
        const orphans = sessions.filter(({ node }) => node === dead);
        sessions = sessions.filter(({ node }) => node !== dead);
        // They go on elsewhere at once, while others lead its ranges only soon.
        const elsewhere = cluster.nodes.filter((node) => node !== dead);
        for (const [number, orphan] of orphans.entries()) {
            if (orphan.kind === "trouter") continue;
            const next = await open(cluster, elsewhere[number % 2], orphan.kind, orphan.user, threads, Object.fromEntries(orphan.told.last));
            next.told.name += ", after its node was killed";
            next.told.contents = orphan.told.contents;
            sessions.push(next);
        }
        await sending;
        await checkAll("after a kill");

        await dead.start({ flags: dead.flags });
        dead.isDisturbed = false;
        const lateBegun = traffic.positions;
        const late = await open(cluster, dead, "json", users.at(-1), threads);
        const fromTheStart = await open(cluster, dead, "msgpack", users.at(-1), threads, begun);
        await traffic.run(MESSAGES);
        await checkAll("after the node came back");
        await check("after it came late", late, traffic, lateBegun);
        await check("after it resumed everything", fromTheStart, traffic, begun);
        console.log(`# ${traffic.count} messages to ${sessions.length} sessions; ${traffic.retries} sends were repeated`);
    } catch (error) {
        for (const { name, node } of cluster.nodes) error.stack += `\n--- log of ${name}:\n${node.log.slice(-1500)}`;
        throw error;
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 180000 + MESSAGES * 200 });

await run("fanout_drops");
