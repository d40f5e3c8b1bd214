// Starts, awaits and stops weft-node processes for tests written in JavaScript. The directory of a node has the same
// files as with node.sh, so a node started by one can be stopped and started again by the other.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, rmSync, statSync, writeFileSync, readdirSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The program under test: $WEFT_NODE, or the newest weft-node in a build folder of this tree. */
export function nodeProgram() {
    if (process.env.WEFT_NODE) return process.env.WEFT_NODE;
    const found = [];
    const look = (folder, depth) => {
        for (const entry of readdirSync(folder, { withFileTypes: true })) {
            const full = path.join(folder, entry.name);
            if (entry.isDirectory() && depth > 0) look(full, depth - 1);
            else if (entry.isFile() && entry.name === "weft-node" && statSync(full).mode & 0o100) found.push(full);
        }
    };
    for (const entry of readdirSync(root)) if (entry.startsWith("build")) look(path.join(root, entry), 2);
    found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
    if (found.length === 0) throw new Error("no weft-node found: build it or set WEFT_NODE");
    return found[0];
}

const listening = (port) =>
    new Promise((resolve) => {
        const socket = net.connect(port, "127.0.0.1");
        socket.on("connect", () => (socket.destroy(), resolve(true)));
        socket.on("error", () => resolve(false));
    });

const givenPorts = new Set();

/** A port where nobody listens, below the range from which outgoing connections take theirs; never the same twice. */
export async function freePort() {
    for (let attempt = 0; attempt < 200; attempt++) {
        const port = 20000 + Math.floor(Math.random() * 12000);
        if (givenPorts.has(port) || (await listening(port))) continue;
        givenPorts.add(port);
        return port;
    }
    throw new Error("no free port found");
}

/** Waits until `condition()` is true (or gives a value); throws at the deadline, naming what did not happen. */
export async function until(what, condition, deadlineMs = 30000) {
    const end = performance.now() + deadlineMs;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
        await pause(20);
    }
}

const isAlive = (pid) => {
    try {
        process.kill(pid, 0);
        // A process that ended but that its parent has not waited for still takes signals. As long as a worker of it is
        // still ending, so are its locks.
        const isEnded = /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
        return !isEnded || readdirSync(`/proc/${pid}/task`).length > 1;
    } catch {
        return false;
    }
};

/** A node and its directory. `dir` is kept; remove it with `remove()`. */
export class WeftNode {
    /** `host`: the address it listens at; `enter`: words before its program that make it run there. */
    constructor(dir, { host = "127.0.0.1", enter = [] } = {}) {
        Object.assign(this, { dir, host, enter, child: null });
    }

    /** A node that is already there in `dir`, running or stopped. */
    static at(dir) {
        return new WeftNode(dir);
    }

    #file(name) {
        return path.join(this.dir, name);
    }
    #text(name) {
        return readFileSync(this.#file(name), "utf8").trim();
    }

    /** The one it was told, or has chosen. */
    get port() {
        return Number(existsSync(this.#file("port")) ? this.#text("port") : /endpoint=https:\/\/[^;]*:(\d+)\//.exec(this.connectionString)[1]);
    }
    get pid() {
        return existsSync(this.#file("pid")) ? Number(this.#text("pid")) : 0;
    }
    get endpoint() {
        return `https://${this.host}:${this.port}`;
    }
    get caFile() {
        return this.#file("data/tls/ca.pem");
    }
    get connectionString() {
        return this.#text("data/connection-string");
    }
    get adminToken() {
        return this.#text("data/admin-token");
    }
    get log() {
        return existsSync(this.#file("node.log")) ? this.#text("node.log") : "";
    }
    get isRunning() {
        return this.pid !== 0 && isAlive(this.pid);
    }

    /**
     * Starts the process; `config` is the text of node.conf (kept when not given), `flags` go on the command line. Unless it
     * `isPlaced` it is not told where to listen.
     */
    async start({ config, flags = [], env = {}, isPlaced = true } = {}) {
        mkdirSync(this.dir, { recursive: true });
        if (config !== undefined || !existsSync(this.#file("node.conf"))) writeFileSync(this.#file("node.conf"), config ?? "");
        if (isPlaced && !existsSync(this.#file("port"))) writeFileSync(this.#file("port"), `${await freePort()}\n`);
        const log = openSync(this.#file("node.log"), "a");
        const given = ["--config", this.#file("node.conf"), "--data", this.#file("data"), ...(isPlaced ? ["--listen", `${this.host}:${this.port}`] : [])];
        // WEFT_* variables are configuration to a node; those of this process speak of something else.
        const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("WEFT_"));
        const lines = existsSync(this.#file("environment")) ? this.#text("environment").split("\n").filter((line) => line.includes("=")) : [];
        const kept = lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
        const [program, ...words] = [...this.enter, nodeProgram(), ...given, ...flags];
        this.child = spawn(program, words, {
            stdio: ["ignore", log, log],
            env: { ...Object.fromEntries([...inherited, ...kept]), ...env },
        });
        closeSync(log);
        this.ended = new Promise((resolve) => this.child.on("exit", (status, signal) => resolve({ status, signal })));
        writeFileSync(this.#file("pid"), `${this.child.pid}\n`);
        return this;
    }

    #isReady() {
        if (!existsSync(this.caFile) || !existsSync(this.#file("data/connection-string"))) return false;
        return new Promise((resolve) => {
            const request = https.get(
                `${this.endpoint}/health/ready`,
                { ca: readFileSync(this.caFile), agent: false, timeout: 5000 },
                (response) => (response.resume(), resolve(response.statusCode === 200)),
            );
            request.on("timeout", () => request.destroy());
            request.on("error", () => resolve(false));
        });
    }

    async waitReady(deadlineMs = 30000) {
        await until("weft-node is ready", async () => {
            if (!this.isRunning) throw new Error(`weft-node ended before it was ready:\n${this.log.slice(-2000)}`);
            return this.#isReady();
        }, deadlineMs);
        return this;
    }

    signal(name) {
        if (this.pid) process.kill(this.pid, name);
    }

    /** Waits for the end of the process; `{status, signal}`, nulls when it was started by somebody else. */
    async waitEnd(deadlineMs = 30000) {
        const { pid } = this;
        if (pid) await until(`weft-node ${pid} ends`, () => !isAlive(pid), deadlineMs);
        rmSync(this.#file("pid"), { force: true });
        return this.child ? this.ended : { status: null, signal: null };
    }

    /** SIGTERM; SIGKILL and an error at the deadline. */
    async stop(deadlineMs = 30000) {
        if (!this.isRunning) return { status: null, signal: null };
        this.signal("SIGTERM");
        try {
            return await this.waitEnd(deadlineMs);
        } catch (error) {
            this.signal("SIGKILL");
            await this.waitEnd();
            throw error;
        }
    }

    /** SIGKILL, as a crash. */
    async kill() {
        if (this.isRunning) this.signal("SIGKILL");
        await this.waitEnd();
    }

    remove() {
        rmSync(this.dir, { recursive: true, force: true });
    }
}

/** Starts a node in `dir` and waits until it is ready. */
export async function startNode(dir, options) {
    const node = new WeftNode(dir);
    await node.start(options);
    return node.waitReady();
}

export const stopNode = (node, deadlineMs) => node.stop(deadlineMs);
