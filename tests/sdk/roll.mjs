// A rolling restart: every node of a cluster is restarted in order while the official chat clients, as a browser has them,
// and clients of Weft's own real time send and listen. Run with `node --conditions=browser`.

import "./lib/node-browser-globals.mjs";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatClient } from "@azure/communication-chat";
import { Realtime } from "../cluster/lib/realtime.mjs";
import { Balancer } from "./lib/balancer.mjs";
import { exchange } from "./lib/http.mjs";
import { run, test } from "./lib/harness.mjs";
import { isCluster, newThread, newUsers, node, nodes, until } from "./lib/world.mjs";

const PER_NODE = Number(process.env.WEFT_ROLL_CLIENTS ?? 3);
const ROUNDS = Number(process.env.WEFT_ROLL_ROUNDS ?? 1);
const SEND_MS = 400; // between two sends of a client
const RETRY_MS = 500; // before a client of Weft's own real time tries again, twice as much each time
const RETRY_MS_MAX = 4000;
const ATTEMPTS_MAX = 20; // of a client at real time for each restart of a node, in vain or not; a hammering one makes 150 a second
const BACK_MS = 60000; // real time is back sooner than that however slow the machine is; what it takes is printed
const skip = node && isCluster ? false : "needs several nodes of its own";

/** What any client keeps: what it sent, what it was told of and when, and what it did to the nodes. */
class Client {
    constructor(name, user, front, thread) {
        Object.assign(this, { name, user, front, thread, sent: [], failed: [], told: [], attempts: [], attemptsPerRestart: [], away: [], problems: [] });
    }
    async sendOn(isOver) {
        for (let count = 0; !isOver(); count++) {
            const content = `${this.name} ${count}`;
            const began = performance.now();
            await this.send(content).then(
                (id) => this.sent.push({ id, content, at: performance.now(), ms: performance.now() - began }),
                (error) => this.failed.push(`${content} at ${began.toFixed(0)}: ${error.statusCode ?? ""} ${error.message} ${error.cause?.cause ?? ""}`),
            );
            await pause(SEND_MS);
        }
    }
    take(id, offset) {
        this.told.push({ id, offset, at: performance.now() });
    }
    disconnected() {
        this.awaySince ??= performance.now();
    }
    connected() {
        const at = this.awaySince;
        if (at !== undefined) this.away.push({ at, ms: performance.now() - at });
        this.awaySince = undefined;
    }
}

class OfficialClient extends Client {
    static kind = "the SDK's clients";
    async start() {
        this.chat = new ChatClient(this.front.endpoint, new AzureCommunicationTokenCredential(this.user.token));
        await this.chat.startRealtimeNotifications();
        this.chat.on("chatMessageReceived", ({ id }) => this.take(id));
        this.chat.on("realTimeNotificationDisconnected", () => this.disconnected());
        const first = new Promise((resolve) => this.chat.on("realTimeNotificationConnected", () => (this.connected(), resolve())));
        await first;
    }
    async send(content) {
        return (await this.chat.getChatThreadClient(this.thread).sendMessage({ content })).id;
    }
    stop() {
        return this.chat.stopRealtimeNotifications();
    }
}

/** Weft's own: on goaway it connects again before it leaves, and goes on from what it was told last. */
class WeftClient extends Client {
    static kind = "Weft's own";
    async start() {
        this.last = 0;
        await this.#connect();
    }
    #take(frame) {
        if (frame.type === "goaway") this.#connect();
        if (frame.type === "gap") this.problems.push("gap");
        if (frame.type === "complete") this.last = Math.max(this.last, frame.offset);
        if (frame.type === "ack" || frame.type === "complete" || !(frame.offset > this.last)) return;
        this.last = frame.offset;
        if (frame.type === "message") this.take(frame.message.id, frame.offset);
    }
    /** One at a time, waiting longer after each refusal. */
    async #connect() {
        if (this.isConnecting) return;
        this.isConnecting = true;
        const target = { host: "127.0.0.1", port: this.front.port, ca: readFileSync(process.env.WEFT_CA) };
        for (let wait = RETRY_MS; !this.isStopped; wait = Math.min(2 * wait, RETRY_MS_MAX)) {
            this.attempts.push(performance.now());
            const options = { resume: { [this.thread]: this.last }, onFrame: (frame) => this.#take(frame) };
            const session = await Realtime.connect(target, "json", this.user.token, options).catch(() => null);
            if (session) {
                this.#use(session);
                break;
            }
            await pause(wait);
        }
        this.isConnecting = false;
    }
    #use(session) {
        const old = this.session;
        this.session = session;
        this.connected();
        session.closed.then(() => this.#lost(session));
        Promise.resolve(this.underWay).then(() => old?.socket.close(1000)); // not before its last send is answered
    }
    #lost(session) {
        if (this.isStopped || session !== this.session) return;
        this.disconnected();
        this.#connect();
    }
    async send(content) {
        const asked = this.session.ask({ type: "send", id: content, thread: this.thread, content });
        this.underWay = asked.catch(() => {});
        return (await asked).messageId;
    }
    stop() {
        this.isStopped = true;
        this.session?.close();
    }
}

/** Notes when a client asks for a place for its socket, with which the SDK begins every attempt, by the port of its front. */
function watchAttempts(clients) {
    const { fetch } = globalThis;
    globalThis.fetch = (resource, options) => {
        const { pathname, port } = new URL(resource.url ?? resource);
        if (pathname === "/v4/a") clients.find(({ front }) => front.port === Number(port))?.attempts.push(performance.now());
        return fetch(resource, options);
    };
    return () => (globalThis.fetch = fetch);
}

async function isWhole() {
    const views = await Promise.all(nodes.map((which) =>
        exchange(which.endpoint, "GET", "/admin/cluster", { headers: { Authorization: `Bearer ${which.adminToken}` } }).catch(() => null)));
    return views.every((view) => view?.status === 200 && view.json.ranges.every(({ inSync }) => inSync.length === nodes.length));
}

const most = (numbers) => Math.max(0, ...numbers).toFixed(0);

/** How long those were without real time whose socket was cut since then, by kind. */
function awayOf(clients, began = 0) {
    const said = [OfficialClient, WeftClient].map((Kind) => {
        const gone = clients.filter((client) => client instanceof Kind).flatMap(({ away }) => away.filter(({ at }) => at >= began));
        return `${gone.length} of ${Kind.kind} were cut off, for at most ${most(gone.map(({ ms }) => ms))} ms`;
    });
    return said.join(", ");
}

async function restart(which, clients) {
    const began = performance.now();
    which.signal("SIGTERM");
    await which.waitEnd(60000);
    const ended = performance.now();
    await which.start();
    await which.waitReady(60000);
    const ready = performance.now();
    await until("every range has all replicas again", isWhole, 90000);
    await until("every client has real time", () => clients.every(({ awaySince }) => awaySince === undefined), BACK_MS);
    const now = performance.now();
    const since = (times) => times.filter((at) => at >= began).length;
    for (const client of clients) client.attemptsPerRestart.push(since(client.attempts));
    const slowest = most(clients.flatMap(({ sent }) => sent.filter(({ at }) => at >= began).map(({ ms }) => ms)));
    console.log(`# ended after ${most([ended - began])} ms, ready ${most([ready - ended])} ms later, all well ${most([now - ready])} ms later; ` +
        `${awayOf(clients, began)}; a client made at most ${most(clients.map(({ attempts }) => since(attempts)))} attempts at real time ` +
        `and ${most(clients.map(({ front }) => since(front.connections)))} connections; slowest send ${slowest} ms`);
}

/** What everybody sent is told to each of these, once. */
async function assertTold(clients, sent) {
    const isTold = () => clients.every((client) => missing(client, sent).length === 0);
    await until("everybody is told everything", isTold, 30000).catch(() => {});
    const lacks = clients.map((client) => missing(client, sent).length);
    console.log(`# told of ${sent.length}: at most ${most(lacks)} missing and ${most(clients.map(doubled))} doubled at a client`);
    for (const client of clients) {
        assert.deepEqual(missing(client, sent).map(({ content }) => content), [], `${client.name} is told everything`);
        assert.equal(doubled(client), 0, `${client.name} is told nothing twice`);
    }
}

const missing = (client, sent) => {
    const ids = new Set(client.told.map(({ id }) => id));
    return sent.filter(({ id }) => !ids.has(id));
};
const doubled = ({ told }) => told.length - new Set(told.map(({ id }) => id)).size;

/** As many clients as `fronts`, the first `weft` of them of Weft's own real time, all in one thread. */
async function makeClients(fronts, weft) {
    const users = await newUsers(fronts.length);
    const thread = await newThread(users[0], users.slice(1));
    return fronts.map((front, number) =>
        number < weft ? new WeftClient(`weft client ${number}`, users[number], front, thread)
            : new OfficialClient(`official client ${number}`, users[number], front, thread));
}

/** Restarts `restarted` one after the other. `frontOf(balancer, number)`: where client `number` connects. `check` sees the clients at the end. */
async function roll(restarted, frontOf, check) {
    const balancer = new Balancer(nodes);
    const fronts = await Promise.all(Array.from({ length: nodes.length * (PER_NODE + 1) }, (_, number) => frontOf(balancer, number)));
    const clients = await makeClients(fronts, nodes.length);
    const unwatch = watchAttempts(clients);
    let isOver = false;
    try {
        await until("every range has all replicas", isWhole, 60000);
        await Promise.all(clients.map((client) => client.start()));
        const sending = clients.map((client) => client.sendOn(() => isOver));
        for (const which of restarted) await restart(which, clients);
        isOver = true;
        await Promise.all(sending);
        console.log(`# ${clients.flatMap(({ sent }) => sent).length} sends, ${clients.flatMap(({ failed }) => failed).length} failed; ${awayOf(clients)}`);
        await check(clients);
    } finally {
        isOver = true;
        await Promise.all(clients.map((client) => client.stop()?.catch(() => {})));
        unwatch();
        await balancer.close();
    }
}

const allRounds = Array(ROUNDS).fill(nodes).flat();

/** A client of the SDK that has not moved when its node ends at last, on a machine that is too slow, has to list what it missed. */
async function assertWell(clients) {
    const sent = clients.flatMap((client) => client.sent);
    const weft = clients.filter((client) => client instanceof WeftClient);
    for (const { attemptsPerRestart, name } of clients) assert.ok(Math.max(...attemptsPerRestart) <= ATTEMPTS_MAX, `${name}: ${attemptsPerRestart} attempts`);
    for (const { problems, name } of weft) assert.deepEqual(problems, [], name);
    await assertTold(clients.filter((client) => weft.includes(client) || client.away.length === 0), sent);
}

test("behind one address no send fails, nobody hammers, and everybody has real time again", async () => {
    await roll(allRounds, (balancer) => balancer.front(), async (clients) => {
        for (const { failed, name } of clients) assert.deepEqual(failed, [], name);
        await assertWell(clients);
    });
}, { skip, deadlineMs: 300000 * ROUNDS });

test("who knows one node's address only comes back to it by herself and hammers at nothing", async () => {
    const restarted = process.env.WEFT_ROLL_ROUNDS ? allRounds : nodes.slice(0, 1);
    await roll(restarted, (balancer, number) => balancer.front(nodes[number % nodes.length]), assertWell);
}, { skip, deadlineMs: 300000 * ROUNDS });

await run("roll");
