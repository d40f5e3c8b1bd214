// An etcd cluster of its own on free ports of 127.0.0.1, with its data in a temporary folder; programs that use it
// through the coordinator; and a way to it that can be cut.

import { spawn, spawnSync } from "node:child_process";
import { openSync, closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { freePort, nodeProgram, until } from "../../lib/node.mjs";

export const isInstalled = () => spawnSync("etcd", ["--version"]).status === 0;

const children = new Set();
const folders = new Set();
process.on("exit", () => {
    for (const child of children) child.kill("SIGKILL");
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

const keep = (child) => {
    children.add(child);
    child.on("exit", () => children.delete(child));
    return child;
};

export const base64 = (text) => Buffer.from(text).toString("base64");

const item = ({ key, value, mod_revision }) => ({ key: Buffer.from(key, "base64").toString(), value: Buffer.from(value ?? "", "base64"), revision: Number(mod_revision) });
/** The first key behind those that begin with the prefix. */
const endOf = (prefix) => `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;

export class Etcd {
    /**
     * Started, and answering. `tls`: {ca, cert, key}, files, for clients; then they need a certificate. `hosts`: of
     * lib/hosts, one for each member.
     */
    static async start(count = 1, { tls, hosts = [] } = {}) {
        const etcd = new Etcd();
        etcd.folder = mkdtempSync(path.join(tmpdir(), "weft-etcd."));
        folders.add(etcd.folder);
        etcd.tls = tls;
        etcd.members = [];
        for (let number = 0; number < count; number++) {
            const [port, peerPort] = [await freePort(), await freePort()];
            const { address = "127.0.0.1", enter = [] } = hosts[number] ?? {};
            etcd.members.push({ name: `m${number}`, address, enter, port, peerPort, child: null });
        }
        for (const member of etcd.members) etcd.run(member);
        await etcd.ready();
        return etcd;
    }

    url(member) {
        return `${this.tls ? "https" : "http"}://${member.address}:${member.port}`;
    }
    /** For the configuration of a node. */
    get endpoints() {
        return this.members.map((member) => this.url(member)).join(" ");
    }

    run(member) {
        const peer = (at) => `http://${at.address}:${at.peerPort}`;
        const tls = this.tls
            ? ["--cert-file", this.tls.cert, "--key-file", this.tls.key, "--trusted-ca-file", this.tls.ca, "--client-cert-auth"]
            : [];
        const log = openSync(path.join(this.folder, `${member.name}.log`), "a");
        const flags = [
            "--name", member.name, "--data-dir", path.join(this.folder, member.name), "--logger", "zap",
            "--listen-client-urls", this.url(member), "--advertise-client-urls", this.url(member),
            "--listen-peer-urls", peer(member), "--initial-advertise-peer-urls", peer(member),
            "--initial-cluster", this.members.map((at) => `${at.name}=${peer(at)}`).join(","), ...tls,
        ];
        const [program, ...words] = [...member.enter, "etcd", ...flags];
        member.child = keep(spawn(program, words, { stdio: ["ignore", log, log] }));
        member.ended = new Promise((resolve) => member.child.on("exit", resolve));
        closeSync(log);
    }

    async kill(member) {
        member.child.kill("SIGKILL");
        await member.ended;
        member.child = null;
    }

    /** The gateway's answer; throws what is not 200. */
    post(member, route, body, token) {
        const text = JSON.stringify(body);
        const options = {
            method: "POST", agent: false, timeout: 5000, headers: { "content-type": "application/json", ...(token ? { authorization: token } : {}) },
            ...(this.tls ? { ca: readFileSync(this.tls.ca), cert: readFileSync(this.tls.cert), key: readFileSync(this.tls.key) } : {}),
        };
        return new Promise((resolve, reject) => {
            const request = (this.tls ? https : http).request(`${this.url(member)}${route}`, options, (response) => {
                let answer = "";
                response.on("data", (chunk) => (answer += chunk));
                response.on("end", () => (response.statusCode === 200 ? resolve(JSON.parse(answer)) : reject(new Error(`${route}: ${answer}`))));
            });
            request.on("timeout", () => request.destroy(new Error("no answer")));
            request.on("error", reject);
            request.end(text);
        });
    }

    get running() {
        return this.members.filter((member) => member.child);
    }

    /** The member that leads, once those that run agree on one. */
    leader() {
        return until("etcd has a leader", async () => {
            for (const member of this.running) {
                const status = await this.post(member, "/v3/maintenance/status", {}).catch(() => null);
                if (status?.leader && status.leader === status.header.member_id) return member;
            }
            return null;
        });
    }

    async ready() {
        let said = "";
        const answers = (member) =>
            this.post(member, "/v3/kv/range", { key: base64("x") }).catch((error) => {
                said = error.message;
                return /user name is empty|permission denied/.test(said);
            });
        await until("every member of etcd answers", async () => {
            for (const member of this.running) if (!(await answers(member))) return false;
            return true;
        }).catch((error) => {
            throw new Error(`${error.message}; the last one said ${said}`);
        });
    }

    /** `{key, value, revision}` of everything whose key begins so, as the first member says that knows. */
    async list(prefix) {
        const body = { key: base64(prefix), range_end: base64(endOf(prefix)) };
        for (const member of this.running) {
            const answer = await this.post(member, "/v3/kv/range", body).catch(() => null);
            if (answer) return (answer.kvs ?? []).map(item);
        }
        throw new Error(`no member of etcd lists ${prefix}`);
    }

    /** Likewise, every change since the first one; nothing has been compacted. */
    async history(prefix, deadlineMs = 30000) {
        const last = Math.max(...(await this.list(prefix)).map(({ revision }) => revision));
        const text = JSON.stringify({ create_request: { key: base64(prefix), range_end: base64(endOf(prefix)), start_revision: "1" } });
        const found = [];
        await new Promise((resolve, reject) => {
            const request = http.request(`${this.url(this.running[0])}/v3/watch`, { method: "POST", agent: false, timeout: deadlineMs }, (response) => {
                const lines = readline.createInterface({ input: response });
                lines.on("error", reject);
                lines.on("line", (line) => {
                    for (const { kv } of JSON.parse(line).result.events ?? []) found.push(item(kv));
                    if (found.at(-1)?.revision >= last) resolve(request.destroy());
                });
            });
            request.on("timeout", () => request.destroy(new Error(`no history of ${prefix}`)));
            request.on("error", reject);
            request.end(text);
        });
        return found;
    }

    /** Calls `onChange` with every change of what begins so, from now on; resolves to what ends that. A member that dies ends it, too. */
    watch(prefix, onChange) {
        const text = JSON.stringify({ create_request: { key: base64(prefix), range_end: base64(endOf(prefix)) } });
        return new Promise((resolve, reject) => {
            const request = http.request(`${this.url(this.running[0])}/v3/watch`, { method: "POST", agent: false }, (response) => {
                const lines = readline.createInterface({ input: response });
                lines.on("error", () => {});
                lines.on("line", (line) => {
                    const { created, events = [] } = JSON.parse(line).result;
                    if (created) resolve(() => request.destroy());
                    for (const { kv } of events) onChange(item(kv));
                });
            });
            request.on("error", reject);
            request.end(text);
        });
    }

    async put(key, value) {
        return Number((await this.post(this.running[0], "/v3/kv/put", { key: base64(key), value: base64(value) })).header.revision);
    }
    async remove(key) {
        return Number((await this.post(this.running[0], "/v3/kv/deleterange", { key: base64(key) })).header.revision);
    }
    async compact(revision) {
        await this.post(this.running[0], "/v3/kv/compaction", { revision: String(revision), physical: true });
    }

    async stop() {
        for (const member of this.running) {
            member.child.kill("SIGCONT");
            await this.kill(member);
        }
        rmSync(this.folder, { recursive: true, force: true });
        folders.delete(this.folder);
    }
}

export const PASSWORD = 'a "secret" \\ é';

/** {ca, cert, key} for 127.0.0.1, and a CA that signed nothing. */
export function makeCertificates(folder) {
    const file = (name) => path.join(folder, name);
    const openssl = (...words) => {
        const { status, stderr } = spawnSync("openssl", words, { encoding: "utf8" });
        if (status !== 0) throw new Error(stderr);
    };
    for (const name of ["ca", "stranger"]) {
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", `/CN=${name}`, "-keyout", file(`${name}.key`), "-out", file(`${name}.pem`));
    }
    writeFileSync(file("extensions"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=weft", "-keyout", file("member.key"), "-out", file("member.csr"));
    openssl("x509", "-req", "-in", file("member.csr"), "-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", file("extensions"), "-out", file("member.pem"));
    return { ca: file("ca.pem"), cert: file("member.pem"), key: file("member.key"), stranger: file("stranger.pem") };
}

/** From now on etcd asks who comes; the user weft may do anything with keys that begin with `prefix/`. */
export async function switchAuthOn(etcd, prefix) {
    const post = (route, body) => etcd.post(etcd.members[0], `/v3/auth/${route}`, body);
    await post("user/add", { name: "root", password: "root-secret" });
    await post("user/grant", { user: "root", role: "root" });
    await post("user/add", { name: "weft", password: PASSWORD });
    await post("role/add", { name: "weft" });
    await post("role/grant", { name: "weft", perm: { permType: "READWRITE", key: base64(`${prefix}/`), range_end: base64(`${prefix}0`) } });
    await post("user/grant", { user: "weft", role: "weft" });
    await post("enable", {});
}

/** A program that holds one coordinator. */
export class Driver {
    #waiting = [];

    static program() {
        return process.env.WEFT_COORDINATOR_DRIVER ?? path.join(path.dirname(nodeProgram()), "coordinator-driver");
    }

    constructor(endpoints, prefix, ...rest) {
        this.events = [];
        this.onEvent = () => {};
        this.log = "";
        this.child = keep(spawn(Driver.program(), [endpoints, prefix, ...rest], { stdio: ["pipe", "pipe", "pipe"] }));
        this.child.stderr.on("data", (chunk) => (this.log += chunk));
        this.child.stdin.on("error", () => {});
        this.ended = new Promise((resolve) => this.child.on("exit", (status, signal) => resolve({ status, signal })));
        readline.createInterface({ input: this.child.stdout }).on("line", (line) => this.#take(JSON.parse(line)));
        this.ended.then(() => this.#waiting.splice(0).forEach(({ reject }) => reject(new Error(`the driver ended:\n${this.log}`))));
    }

    #take(answer) {
        if (answer.event) {
            this.events.push(answer.event);
            this.onEvent(answer.event);
        } else {
            this.#waiting.shift().resolve(answer);
        }
    }

    /** `{status, ms, revision, items}` */
    ask(...words) {
        return new Promise((resolve, reject) => {
            this.#waiting.push({ resolve, reject });
            this.child.stdin.write(`${words.map((word) => (word === "" ? "-" : word)).join(" ")}\n`);
        });
    }

    /** What the events add up to: {name: value}. */
    get state() {
        const state = {};
        for (const { name, value } of this.events) {
            if (value === undefined) delete state[name];
            else state[name] = value;
        }
        return state;
    }

    async close() {
        const answer = await this.ask("close");
        return { ...(await this.ended), ms: answer.ms };
    }
}

/** A port that leads to another one, until it is cut or stalled. */
export class Passage {
    #sockets = new Set();
    #isCut = false;
    #isStalled = false;
    #held = [];
    /** How long everything takes to come through. */
    delayMs = 0;
    /** Whether the passage stalls with these bytes of somebody who came through it, which then wait, too. */
    stallsAt = () => false;

    static async to(port) {
        const passage = new Passage();
        passage.target = port;
        passage.server = net.createServer((socket) => passage.#pass(socket));
        await new Promise((resolve) => passage.server.listen(0, "127.0.0.1", resolve));
        passage.server.unref();
        passage.port = passage.server.address().port;
        return passage;
    }

    #pass(inner) {
        if (this.#isCut) return inner.destroy();
        const outer = net.connect(this.target, "127.0.0.1");
        for (const [from, to] of [[inner, outer], [outer, inner]]) {
            this.#sockets.add(from);
            const pass = (data) => (this.delayMs ? setTimeout(() => to.destroyed || to.write(data), this.delayMs) : to.write(data));
            from.on("data", (data) => (from === inner && this.#stallAt(data) ? this.#held.push(() => to.destroyed || pass(data)) : pass(data)));
            from.on("error", () => {});
            from.on("close", () => (this.#sockets.delete(from), to.destroy()));
            if (this.#isStalled) from.pause();
        }
    }

    #stallAt(data) {
        if (!this.stallsAt(data)) return false;
        this.stall();
        return true;
    }

    /** Connections break, and new ones are refused. */
    cut() {
        this.#isCut = true;
        for (const socket of this.#sockets) socket.destroy();
    }
    /** Connections stay, and nothing comes through. */
    stall() {
        this.#isStalled = true;
        for (const socket of this.#sockets) socket.pause();
    }
    open() {
        this.#isCut = false;
        this.#isStalled = false;
        for (const pass of this.#held.splice(0)) pass();
        for (const socket of this.#sockets) socket.resume();
    }
    close() {
        this.cut();
        this.server.close();
    }
}
