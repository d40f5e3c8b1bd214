// Runs weftctl, with or without a terminal.

import { spawn } from "node:child_process";
import { FakeNode } from "./fake-node.mjs";

/** The program under test; tests/ctl/run sets it. */
export const program = process.env.WEFT_CTL;

export function environment(more) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(WEFT_|NO_COLOR$|COLUMNS$|LINES$|LC_|LANG)/.test(name));
    return { ...Object.fromEntries(inherited), LC_ALL: "C.UTF-8", TZ: "UTC", TERM: "xterm", WEFT_RUN_DIR: "/nowhere", ...more };
}

function finish(child) {
    let out = "", err = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr?.on("data", (chunk) => (err += chunk));
    return new Promise((resolve) => child.on("close", (status, signal) => resolve({ status, signal, out, err })));
}

/** `{status, out, err}` of weftctl with these words and variables. */
export function weftctl(words, env = {}, { cwd } = {}) {
    return finish(spawn(program, words, { env: environment(env), cwd, stdio: ["ignore", "pipe", "pipe"] }));
}

/** Likewise, with variables that lead to these nodes. */
export const weftctlAt = (nodes, words, env = {}) =>
    weftctl(words, { WEFT_ENDPOINTS: nodes.map((node) => node.endpoint ?? node).join(" "), WEFT_ADMIN_TOKEN: FakeNode.TOKEN, ...env });

const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

/** On a terminal of this size: `{ended, written(), type()}`; `written()` is everything so far, `type()` presses keys. */
export function onTerminal(node, words, { columns = 80, rows = 24, env = {} } = {}) {
    const command = `stty columns ${columns} rows ${rows}; exec ${[program, ...words].map(quoted).join(" ")}`;
    const child = spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
        env: environment({ WEFT_ENDPOINTS: node.endpoint, WEFT_ADMIN_TOKEN: FakeNode.TOKEN, ...env }),
        stdio: ["pipe", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    const ended = new Promise((resolve) => child.on("close", (status) => resolve(status)));
    return { ended, written: () => out, type: (keys) => child.stdin.write(keys) };
}

/** Everything written without control sequences; a drawing in the place of another one comes below it. */
export const plain = (text) => text.replace(/\x1b\[\d*A/g, "\n").replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "").replaceAll("\r", "");
