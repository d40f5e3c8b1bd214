// What bash offers after the beginning of a command line.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { run, test } from "../sdk/lib/harness.mjs";
import { joining } from "./lib/clusters.mjs";
import { FakeNode } from "./lib/fake-node.mjs";
import { program } from "./lib/weftctl.mjs";

const file = fileURLToPath(new URL("../../node/ctl/weftctl-completion.bash", import.meta.url));
const script = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weftctl; printf '%s\\n' "\${COMPREPLY[@]}"`;

/** The words offered for the last one of these. */
async function offered(words, env = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("WEFT_"));
    const child = spawn("bash", ["--norc", "-c", script, "-", file, program, ...words], {
        env: { ...Object.fromEntries(inherited), ...env }, stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    await new Promise((resolve) => child.on("close", resolve));
    return out.split("\n").filter((line) => line !== "");
}

test("commands, options and sub-commands are completed", async () => {
    assert.deepEqual(await offered(["st"]), ["status"]);
    assert.deepEqual(await offered(["--ca", "x", "re"]), ["rebalance", "resume"]);
    assert.deepEqual(await offered(["drain", "--w"]), ["--watch"]);
    assert.deepEqual(await offered(["drain", "node-1", "--c"]), ["--ca", "--cancel"]);
    assert.deepEqual(await offered(["split", "256", "--"]), ["--endpoint", "--token", "--token-file", "--ca", "--help", "--json", "--watch", "--interval"]);
    assert.deepEqual(await offered(["tokens", ""]), ["create", "revoke"]);
    assert.deepEqual(await offered(["events", "sh"]), ["show"]);
    assert.deepEqual(await offered(["bots", "to"]), ["token"]);
    assert.deepEqual(await offered(["events", "create", "x", "--schema", ""]), ["eventgrid", "cloudevents"]);
    assert.deepEqual(await offered(["hold", ""]), ["set", "show", "clear"]);
    assert.deepEqual(await offered(["status", ""]), []);
});

test("files are completed where a file is wanted", async () => {
    const folder = path.dirname(file);
    assert.deepEqual(await offered(["status", "--ca", `${folder}/weftctl-comp`]), [file]);
});

test("nodes are completed by name, with what the line says about the cluster", async () => {
    const node = await FakeNode.start({ "GET /admin/cluster": joining() });
    try {
        const given = ["--endpoint", node.endpoint, "--token", FakeNode.TOKEN];
        const env = { WEFT_ENDPOINTS: node.endpoint, WEFT_ADMIN_TOKEN: FakeNode.TOKEN };
        assert.deepEqual(await offered(["drain", ""], env), ["node-1", "node-2", "node-3", "node-4"]);
        assert.deepEqual(await offered([...given, "move", "3", "--from", "node-1", "--to", "node-4"]), ["node-4"]);
        assert.deepEqual(await offered(["drain", "n"]), [], "no cluster is known");
    } finally {
        await node.stop();
    }
});

await run("completion");
