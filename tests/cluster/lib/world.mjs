// A node of its own with users and threads: what every case starts from.

import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { WeftNode, freePort, nodeProgram, until } from "../../lib/node.mjs";
import { signature } from "../../sdk/lib/http.mjs";

export { until };

const CHAT_VERSION = "2025-03-15";
const IDENTITY_VERSION = "2023-10-01";

export const threadPath = (threadId) => `/chat/threads/${encodeURIComponent(threadId)}`;
export const participant = (user) => ({ communicationIdentifier: { rawId: user.id, communicationUser: { id: user.id } } });

/** A folder that goes away with this process. */
export function temporaryFolder(parent = tmpdir()) {
    return mkdtempSync(path.join(parent, "weft-cluster."));
}

const folders = [];
const nodes = new Set();
process.on("exit", () => {
    for (const node of nodes) if (node.isRunning) node.signal("SIGKILL");
    for (const folder of folders) spawnSync("rm", ["-rf", folder]);
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

export class World {
    /** Nothing runs yet. `plain`: also listen without TLS, and talk to that. `host`: where, as in lib/hosts. */
    static async make({ parent, plain = false, host } = {}) {
        const world = new World();
        const folder = temporaryFolder(parent);
        folders.push(folder);
        world.node = new WeftNode(folder, { host: host?.address, enter: host?.enter });
        nodes.add(world.node);
        world.plainPort = plain ? await freePort() : 0;
        world.agent = new (plain ? http : https).Agent({ keepAlive: true, maxSockets: 64 });
        return world;
    }

    async start({ flags = [], ...rest } = {}) {
        await this.node.start({ flags: [...(this.plainPort ? ["--plain-listen", `127.0.0.1:${this.plainPort}`] : []), ...flags], ...rest });
        await this.node.waitReady(60000);
        this.ca = readFileSync(this.node.caFile);
        this.accessKey = /accesskey=(.*)$/.exec(this.node.connectionString)[1];
        return this;
    }

    /** Ends the node at once, which is what a second SIGTERM asks for; anything but status 0 is thrown, where it is known. */
    async end() {
        this.node.signal("SIGTERM");
        await pause(50);
        if (this.node.isRunning) this.node.signal("SIGTERM");
        const { status, signal } = await this.node.waitEnd(30000);
        if (signal || status) throw new Error(`weft-node ended with ${signal ?? status}:\n${this.node.log.slice(-3000)}`);
    }

    get tlsTarget() {
        return { host: this.node.host, port: this.node.port, ca: this.ca };
    }
    get target() {
        return this.plainPort ? { host: this.node.host, port: this.plainPort } : this.tlsTarget;
    }

    /** `{status, headers, text, json}`; rejects when the connection breaks. */
    async exchange(method, target, options = {}) {
        try {
            return await this.#exchangeOnce(method, target, options);
        } catch (error) {
            // The node may end a kept connection just when it is used again.
            if (error.code === "ECONNRESET" && error.isReused) return this.#exchangeOnce(method, target, { ...options, agent: false });
            throw error;
        }
    }

    #exchangeOnce(method, target, { headers = {}, body, deadlineMs = 30000, agent = this.agent }) {
        const payload = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
        const given = { ...headers };
        if (payload !== undefined) given["Content-Length"] = Buffer.byteLength(payload);
        if (payload !== undefined && !given["Content-Type"]) given["Content-Type"] = "application/json";
        const { host, port, ca } = this.target;
        return new Promise((resolve, reject) => {
            const options = { agent, method, host, port, path: target, headers: given, timeout: deadlineMs, ca, servername: "" };
            const request = (ca ? https : http).request(options, (response) => {
                const chunks = [];
                response.on("data", (chunk) => chunks.push(chunk));
                response.on("error", reject);
                response.on("end", () => {
                    const text = Buffer.concat(chunks).toString();
                    let json;
                    try {
                        json = JSON.parse(text);
                    } catch {
                        json = undefined;
                    }
                    resolve({ status: response.statusCode, headers: response.headers, text, json });
                });
            });
            request.on("timeout", () => request.destroy(new Error(`no answer to ${method} ${target} in ${deadlineMs} ms`)));
            request.on("error", (error) => reject(Object.assign(error, { isReused: request.reusedSocket })));
            request.end(payload);
        });
    }

    /** The headers of a request signed with the access key. */
    signed(method, target, body = "") {
        return signature(this.accessKey, method, target, `${this.node.host}:${this.target.port}`, body);
    }

    identityCall(method, path, body) {
        const target = `${path}?api-version=${IDENTITY_VERSION}`;
        const text = body === undefined ? "" : JSON.stringify(body);
        return this.exchange(method, target, { headers: this.signed(method, target, text), body: body === undefined ? undefined : text });
    }

    /** A request to the chat API as `user`. */
    call(user, method, path, { body, headers = {}, query = "" } = {}) {
        const target = `${path}?${query}${query ? "&" : ""}api-version=${CHAT_VERSION}`;
        const given = { Authorization: `Bearer ${user.token}`, ...headers };
        if (method === "PATCH") given["Content-Type"] = "application/merge-patch+json";
        return this.exchange(method, target, { headers: given, body });
    }

    /** The same; anything but success is thrown. */
    async expect(user, method, path, options) {
        const answer = await this.call(user, method, path, options);
        if (answer.status >= 300) throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${answer.text}`), { answer });
        return answer;
    }

    async newUser(scopes = ["chat"]) {
        const answer = await this.identityCall("POST", "/identities", { createTokenWithScopes: scopes });
        if (answer.status !== 201) throw new Error(`no user: ${answer.status} ${answer.text}`);
        return { id: answer.json.identity.id, token: answer.json.accessToken.token };
    }
    newUsers(count) {
        return Promise.all(Array.from({ length: count }, () => this.newUser()));
    }

    /** The id of a new thread made by the first of `users` with all of them in it. */
    async newThread(users, topic = "a thread") {
        const body = { topic, participants: users.map(participant) };
        return (await this.expect(users[0], "POST", "/chat/threads", { body })).json.chatThread.id;
    }

    /** `{id, offset}` of a new message; `requestId` makes it repeatable. */
    async newMessage(user, threadId, content, requestId = randomUUID()) {
        const headers = { "x-ms-client-request-id": requestId };
        const answer = await this.expect(user, "POST", `${threadPath(threadId)}/messages`, { body: { content }, headers });
        return { id: answer.json.id, offset: Number(answer.headers["x-weft-offset"]) };
    }

    /** Every message of the thread as `user` sees it, newest change first. */
    async allMessages(user, threadId) {
        const found = [];
        let path = `${threadPath(threadId)}/messages?maxPageSize=200&api-version=${CHAT_VERSION}`;
        while (path) {
            const answer = await this.exchange("GET", path, { headers: { Authorization: `Bearer ${user.token}` } });
            if (answer.status !== 200) throw new Error(`no list: ${answer.status} ${answer.text}`);
            found.push(...answer.json.value);
            const next = answer.json.nextLink ? new URL(answer.json.nextLink) : null;
            path = next ? next.pathname + next.search : null;
        }
        return found;
    }

    /** A number of /metrics. */
    async metric(name) {
        const answer = await this.exchange("GET", "/metrics", { headers: { Authorization: `Bearer ${this.node.adminToken}` } });
        const line = answer.text.split("\n").find((text) => text.startsWith(`${name} `));
        if (!line) throw new Error(`no metric ${name}:\n${answer.text.slice(-2000)}`);
        return Number(line.slice(name.length + 1));
    }

    /** What `weft-node fsck` says of the stopped node: `{isClean, text}`. */
    fsck() {
        const checked = spawnSync(nodeProgram(), ["fsck", "--config", path.join(this.node.dir, "node.conf"), "--data", path.join(this.node.dir, "data")], {
            encoding: "utf8", timeout: 120000, env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WEFT_"))),
        });
        return { isClean: checked.status === 0, text: `${checked.stdout}${checked.stderr}`.trim() };
    }
}
