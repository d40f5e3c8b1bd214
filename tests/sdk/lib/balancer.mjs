// What stands before a cluster so that it has one address: a TCP balancer that asks each node whether it is ready and sends
// new connections to those that are, in turn. TLS goes through it. Every client has a port of its own, so that it is seen
// what each of them does.

import { readFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const ASK_MS = 500; // how often a node is asked, as balancers do it that are set to notice soon
const FALL = 2; // so many answers in a row that it is not ready take it out; one alone may come from a range changing hands

export class Balancer {
    /** `nodes`: of lib/node.mjs. */
    constructor(nodes) {
        this.backends = nodes.map((node) => ({ node, port: node.port, ca: readFileSync(node.caFile), failures: 0 }));
        this.fronts = [];
        this.turn = 0;
        this.isClosed = false;
        this.asking = this.backends.map((backend) => this.#ask(backend));
    }

    async #ask(backend) {
        while (!this.isClosed) {
            const isReady = await new Promise((resolve) => {
                const options = { host: "127.0.0.1", port: backend.port, path: "/health/ready", ca: backend.ca, servername: "", agent: false, timeout: 5000 };
                const request = https.get(options, (response) => (response.resume(), resolve(response.statusCode === 200)));
                request.on("timeout", () => request.destroy());
                request.on("error", () => resolve(false));
            });
            backend.failures = isReady ? 0 : backend.failures + 1;
            await pause(ASK_MS);
        }
    }

    /** A port with `{endpoint, connections}`: of the connections, when each was begun. `only`: the node it leads to, whether ready or not. */
    async front(only = null) {
        const front = { connections: [], sockets: new Set() };
        const choices = only ? [this.backends.find(({ node }) => node === only)] : null;
        front.server = net.createServer({ pauseOnConnect: true }, (client) => {
            front.connections.push(performance.now());
            this.#lead(front, client, choices ?? this.#ready());
        });
        await new Promise((resolve) => front.server.listen(0, "127.0.0.1", resolve));
        front.port = front.server.address().port;
        front.endpoint = `https://127.0.0.1:${front.port}`;
        this.fronts.push(front);
        return front;
    }

    #ready() {
        const found = this.backends.filter(({ failures }) => failures < FALL);
        const ready = found.length > 0 ? found : this.backends;
        const first = this.turn++ % ready.length;
        return [...ready.slice(first), ...ready.slice(0, first)];
    }

    /** To the first of them that takes the connection. */
    #lead(front, client, [backend, ...others]) {
        client.on("error", () => {});
        if (!backend) return client.resetAndDestroy();
        const upstream = net.connect(backend.port, "127.0.0.1");
        upstream.on("error", () => {});
        const refused = () => this.#lead(front, client, others);
        upstream.once("error", refused);
        upstream.once("connect", () => {
            upstream.off("error", refused);
            for (const [from, to] of [[client, upstream], [upstream, client]]) {
                front.sockets.add(from.setNoDelay(true));
                from.on("close", () => (front.sockets.delete(from), to.destroy()));
                from.pipe(to);
            }
        });
    }

    async close() {
        this.isClosed = true;
        for (const { server, sockets } of this.fronts) {
            server.close();
            for (const socket of sockets) socket.destroy();
        }
        await Promise.all(this.asking);
    }
}
