// A session that has been welcomed hears what anybody sends from that moment on, wherever the thread lives: messages,
// and what is of the moment only, typing and receipts. The nodes are far from each other here, so that a node that
// welcomed too early would miss what happens at the other end meanwhile.
// WEFT_WELCOME_ROUNDS: how many sessions of each kind on each node (1).

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin, clusterAt } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { Trouter } from "./lib/trouter.mjs";
import { participant, threadPath, until } from "./lib/world.mjs";

const ROUNDS = Number(process.env.WEFT_WELCOME_ROUNDS ?? 1);
const KINDS = ["json", "msgpack", "trouter"];
const THREADS = 4;
const FAR_MS = 50; // one way between two nodes
const LATER_MESSAGES = 5;
const EVENT = { message: 200, typing: 245, receipt: 246, added: 260 }; // of the official SDK
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

/** Connects, and keeps what it is told as lines `kind thread who-or-what`, in order. */
async function listen(node, kind, user) {
    const told = [];
    const onFrame = (frame) => {
        if (frame.type === "message") told.push(`message ${frame.thread} ${frame.message.content.message}`);
        if (frame.type === "participantsAdded") told.push(`added ${frame.thread}`);
        for (const item of frame.type === "typing" ? frame.users : []) told.push(`typing ${frame.thread} ${item.user}`);
        for (const item of frame.type === "receipts" ? frame.receipts : []) told.push(`receipt ${frame.thread} ${item.user}`);
    };
    const onPush = (push) => {
        if (push.eventId === EVENT.message) told.push(`message ${push.groupId} ${push.messageBody}`);
        if (push.eventId === EVENT.added) told.push(`added ${push.threadId}`);
        if (push.eventId === EVENT.typing) told.push(`typing ${push.groupId} ${push.senderId}`);
        if (push.eventId === EVENT.receipt) told.push(`receipt ${push.groupId} ${push.senderId}`);
    };
    const session = kind === "trouter" ? await Trouter.connect(node, user, { onPush }) : await Realtime.connect(node.target, kind, user.token, { onFrame });
    return { name: `${kind} on ${node.name}`, session, told };
}

async function hears(listener, wanted) {
    await until("it hears everything", () => wanted.every((line) => listener.told.includes(line)), 15000).catch(() => {});
    assert.deepEqual(wanted.filter((line) => !listener.told.includes(line)), [], `${listener.name} did not hear`);
    const messages = listener.told.filter((line) => line.startsWith("message"));
    assert.equal(new Set(messages).size, messages.length, `${listener.name} hears each message once`);
}

async function withFarNodes(body, options = {}) {
    const cluster = await ThreeNodes.start(3, options);
    try {
        await cluster.whole();
        for (const { fromPeers } of cluster.nodes) fromPeers.delayMs = FAR_MS;
        await body(cluster);
    } catch (error) {
        for (const { name, node } of cluster.nodes) error.stack += `\n--- log of ${name}:\n${node.log.slice(-1500)}`;
        throw error;
    } finally {
        for (const { fromPeers } of cluster.nodes) fromPeers.delayMs = 0;
        await cluster.stop();
    }
}

/** On every node somebody is welcomed, and hears what is then said on the others; `ROUNDS` times. */
async function allAreHeard(cluster) {
    const speakers = await cluster.nodes[0].newUsers(cluster.nodes.length);
    // One on each node: often one of them is where the thread lives, from where nothing has far to go.
    const voices = await Promise.all(speakers.map((speaker, at) => Realtime.connect(cluster.nodes[at].target, "json", speaker.token)));
    for (let round = 0; round < ROUNDS; round++)
        for (const node of cluster.nodes)
            await Promise.all(KINDS.map(async (kind) => {
                const [user] = await node.newUsers(1);
                // Nobody of the listener's own node, which would listen to the thread already.
                const others = speakers.map((_, at) => at).filter((at) => cluster.nodes[at] !== node);
                const threads = await Promise.all(Array.from({ length: THREADS }, () => node.newThread([...others.map((at) => speakers[at]), user])));
                const firsts = await Promise.all(threads.map((thread) => node.newMessage(user, thread, "read me")));
                const listener = await listen(node, kind, user);
                const wanted = [];
                for (const [at, thread] of threads.entries())
                    for (const who of others) {
                        const voice = voices[who];
                        const content = `${kind} ${who}`;
                        voice.send({ type: "typing", thread });
                        voice.send({ type: "receipt", thread, messageId: firsts[at].id });
                        voice.send({ type: "send", id: `${round} ${node.name} ${kind}`, thread, content });
                        wanted.push(`typing ${thread} ${speakers[who].id}`, `receipt ${thread} ${speakers[who].id}`, `message ${thread} ${content}`);
                    }
                await hears(listener, wanted);
                listener.session.close();
            }));
    for (const voice of voices) voice.close();
}

test("what is sent right after a welcome is heard: messages, typing, receipts", async () => {
    await withFarNodes(allAreHeard);
}, { skip, deadlineMs: 60000 + ROUNDS * 30000 });

/** Ranges change hands, one after the other and again, until told to end. */
class Mover {
    #isOver = false;

    constructor(node) {
        this.node = node;
        this.moved = 0;
        this.done = this.#moveAll();
    }

    async #moveAll() {
        while (!this.#isOver) {
            const { nodes, ranges } = await clusterAt(this.node);
            const ids = nodes.map(({ id }) => id);
            for (const { range, primary, target } of ranges) {
                if (target || this.#isOver) continue; // on its way
                const next = ids[(ids.indexOf(primary) + 1) % ids.length];
                const { status } = await admin(this.node, "POST", `/admin/ranges/${range}/move`, { primary: next });
                if (status === 202) this.moved++;
            }
        }
    }

    async end() {
        this.#isOver = true;
        await this.done;
    }
}

test("also while the ranges change hands all the time", async () => {
    // Few ranges, so that each of them moves again and again.
    const prepare = ({ flags }) => flags.push("--range-count", "8");
    await withFarNodes(async (cluster) => {
        const mover = new Mover(cluster.nodes[0]);
        try {
            await allAreHeard(cluster);
        } finally {
            await mover.end();
        }
        const changes = (await cluster.rangesEver()).filter(({ epoch }) => epoch > 1).length;
        console.log(`# ${mover.moved} times it was wished that a range be led by another node, ${changes} new records`);
        assert.ok(mover.moved > 0);
    }, { prepare, balances: true });
}, { skip, deadlineMs: 60000 + ROUNDS * 60000 });

test("who is added to a thread hears of it on any node, and then what is said there, in order", async () => {
    await withFarNodes(async (cluster) => {
        const [speaker, user] = await cluster.nodes[0].newUsers(2);
        const listeners = await Promise.all(cluster.nodes.flatMap((node) => KINDS.map((kind) => listen(node, kind, user))));
        for (let number = 0; number < THREADS; number++) {
            const node = cluster.nodes[number % cluster.nodes.length];
            const thread = await node.newThread([speaker]);
            await node.newMessage(speaker, thread, "before");
            await node.expect(speaker, "POST", `${threadPath(thread)}/participants/:add`, { body: { participants: [participant(user)] } });
            const wanted = [`added ${thread}`];
            for (let count = 0; count < LATER_MESSAGES; count++) {
                await cluster.nodes[count % cluster.nodes.length].newMessage(speaker, thread, `after ${count}`);
                wanted.push(`message ${thread} after ${count}`);
            }
            for (const listener of listeners) {
                await hears(listener, wanted);
                assert.deepEqual(listener.told.filter((line) => line.split(" ")[1] === thread), wanted, listener.name);
            }
        }
    });
}, { skip, deadlineMs: 120000 });

await run("welcome");
