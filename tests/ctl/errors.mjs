// What can go wrong between weftctl and a cluster: each has its exit status, and a message that says what to do.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { freePort } from "../lib/node.mjs";
import { run, test } from "../sdk/lib/harness.mjs";
import { balanced } from "./lib/clusters.mjs";
import { FakeNode, refusal } from "./lib/fake-node.mjs";
import { weftctl, weftctlAt } from "./lib/weftctl.mjs";

const whole = () => ({ "GET /admin/cluster": balanced() });

async function withNodes(answers, body) {
    const nodes = await Promise.all(answers.map((answer) => FakeNode.start(answer)));
    try {
        await body(...nodes);
    } finally {
        await Promise.all(nodes.map((node) => node.stop()));
    }
}

async function withFolder(body) {
    const folder = mkdtempSync(path.join(os.tmpdir(), "weft-ctl."));
    try {
        await body(folder);
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/** Somebody at a port who does `greet` to whoever comes. */
async function withStranger(greet, body) {
    const sockets = new Set();
    const server = net.createServer((socket) => (sockets.add(socket.on("error", () => {})), greet(socket)));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
        await body(`http://127.0.0.1:${server.address().port}`);
    } finally {
        for (const socket of sockets) socket.destroy();
        server.close();
    }
}

function ends({ status, err, out }, wanted, pattern) {
    assert.equal(status, wanted, err);
    assert.match(err, pattern);
    assert.equal(out, "");
}

test("without an endpoint it says how to give one", async () => {
    ends(await weftctl(["status"]), 2, /no endpoint: give --endpoint .* or set WEFT_ENDPOINTS/);
});

test("without an endpoint it points at the cluster of this machine, if there is one", () =>
    withFolder(async (folder) => {
        const runDir = path.join(folder, "cluster-config", "run");
        mkdirSync(runDir, { recursive: true });
        writeFileSync(path.join(runDir, "env"), "");
        ends(await weftctl(["status"], { WEFT_RUN_DIR: "" }, { cwd: folder }), 2, /\n {4}\. \.\/cluster-config\/run\/env\n/);
        ends(await weftctl(["status"], { WEFT_RUN_DIR: runDir }), 2, new RegExp(`\n    \\. ${runDir}/env\n`));
    }));

test("without an admin token it says where one is", async () => {
    ends(await weftctl(["status", "--endpoint", "https://localhost:8443"]), 4, /no admin token: .*admin-token/);
});

test("a wrong admin token ends with status 4", () =>
    withNodes([whole()], async (node) => {
        ends(await weftctlAt([node], ["status", "--token", "wrong"]), 4, /does not accept the admin token.*missing or wrong/);
    }));

test("the admin token is read from a file", () =>
    withFolder((folder) =>
        withNodes([whole()], async ({ endpoint }) => {
            const file = path.join(folder, "admin-token");
            writeFileSync(file, `${FakeNode.TOKEN}\n`);
            assert.equal((await weftctl(["status", "--endpoint", endpoint, "--token-file", file])).status, 0);
            writeFileSync(file, "two\nlines\n");
            ends(await weftctl(["status", "--endpoint", endpoint, "--token-file", file]), 2, /one line/);
            writeFileSync(file, "x".repeat(5000));
            ends(await weftctl(["status", "--endpoint", endpoint, "--token-file", file]), 2, /longer than 1023 bytes/);
            ends(await weftctl(["status", "--endpoint", endpoint, "--token-file", folder]), 2, /one line|cannot read/);
            ends(await weftctl(["status", "--endpoint", endpoint, "--token-file", `${file}-none`]), 2, /cannot read .*No such file/);
        }),
    ));

test("endpoints that are none are named, and the token is sent without TLS to loopback only", async () => {
    for (const [endpoint, pattern] of [
        ["localhost:8443", /not of the form/], ["ftp://localhost", /not of the form/], ["https://host/path", /not of the form/],
        ["https://", /not of the form/], ["http://node-1.example", /only loopback/], ["http://10.1.2.3:80", /only loopback/],
        [`https://${"x".repeat(400)}`, /too long|not of the form/],
    ])
        ends(await weftctl(["status", "--endpoint", endpoint, "--token", "x"]), 2, pattern);
    const many = Array.from({ length: 70 }, (_, number) => `https://localhost:${number + 1}`).join(",");
    ends(await weftctl(["status", "--endpoint", many, "--token", "x"]), 2, /more than 64 endpoints/);
});

test("a file of authorities that is not there is named", async () => {
    ends(await weftctl(["status", "--endpoint", "https://localhost:1", "--token", "x", "--ca", "/none"]), 2, /--ca: cannot read \/none/);
});

test("when no node answers every endpoint is named with the reason", async () => {
    const [a, b] = [await freePort(), await freePort()];
    const result = await weftctlAt([`http://127.0.0.1:${a}`, `http://127.0.0.1:${b}`], ["status"]);
    ends(result, 3, new RegExp(`127.0.0.1:${a}: Could not connect[^]*127.0.0.1:${b}: Could not connect|127.0.0.1:${a}: Couldn't connect[^]*127.0.0.1:${b}: Couldn't connect`));
});

test("the first node that answers is enough", () =>
    withNodes([whole()], async (node) => {
        const silent = `http://127.0.0.1:${await freePort()}`;
        assert.equal((await weftctlAt([silent, node], ["status"])).status, 0);
        assert.equal((await weftctl(["status", "--endpoint", silent, "--endpoint", node.endpoint, "--token", FakeNode.TOKEN])).status, 0);
    }));

test("a node that refuses for now is passed over, and named if there is no other", () =>
    withNodes([{ "GET /admin/cluster": refusal(503, "ServiceUnavailable", "The node is shutting down.") }, whole()], async (ending, node) => {
        assert.equal((await weftctlAt([ending, node], ["status"])).status, 0);
        ends(await weftctlAt([ending], ["status"]), 3, /The node is shutting down\./);
    }));

test("a call that may have been carried out is not sent to another node", () =>
    withStranger((socket) => socket.once("data", () => socket.destroy()), (endpoint) =>
        withNodes([{ "POST /admin/rebalance/pause": { status: 202, body: {} } }], async (node) => {
            const result = await weftctl(["pause"], { WEFT_ENDPOINTS: `${endpoint} ${node.endpoint}`, WEFT_ADMIN_TOKEN: FakeNode.TOKEN });
            ends(result, 3, /may have been done all the same/);
            assert.deepEqual(node.requests, []);
        })));

test("who speaks no HTTP, or TLS where there is none, is not reachable", () =>
    withStranger((socket) => socket.end("SSH-2.0-OpenSSH\r\n"), async (endpoint) => {
        ends(await weftctlAt([endpoint], ["status"]), 3, /no node could answer/);
        ends(await weftctlAt([endpoint.replace("http:", "https:")], ["status"]), 3, /no node could answer/);
    }));

test("a node without an admin interface is named", () =>
    withNodes([{}], async (node) => {
        ends(await weftctlAt([node], ["status"]), 1, /\/admin\/cluster: there is no such thing\. Is it a node of Weft/);
    }));

test("answers that are none are refused, whatever they are", async () => {
    const answers = [
        "", "{", "[]", "7", "null", "<html>", "{}", '{"nodes":7,"ranges":{}}', '{"nodes":[],"ranges":null}', "\u0000", "[".repeat(5000),
        '{"nodes":[{"id":"\\ud800"}],"ranges":[]}',
    ];
    for (const raw of answers)
        await withNodes([{ "GET /admin/cluster": { status: 200, raw } }], async (node) => {
            ends(await weftctlAt([node], ["status"]), 1, /something else than a JSON object|does not describe a cluster/);
        });
});

test("members of the wrong type count as absent", async () => {
    const wrongs = [null, 7, -1e300, "text", [], {}, true, [null], [7], [{}], [[]]];
    for (const wrong of wrongs) {
        const cluster = balanced();
        for (const object of [cluster, cluster.nodes[0], cluster.nodes[0].load, cluster.ranges[0], cluster.balancer])
            for (const name of Object.keys(object)) if (!["nodes", "ranges"].includes(name)) object[name] = structuredClone(wrong);
        cluster.nodes.push(structuredClone(wrong));
        cluster.ranges.push(structuredClone(wrong));
        cluster.moves = [structuredClone(wrong), { range: wrong, kind: wrong, from: wrong, bytesTotal: wrong }];
        await withNodes([{ "GET /admin/cluster": cluster, "GET /admin/plan": { moves: wrong, bytes: wrong, before: wrong, after: { x: wrong } } }], async (node) => {
            for (const command of ["status", "nodes", "ranges", "plan", "top", "rebalance"]) {
                const { status, err } = await weftctlAt([node], [command]);
                assert.equal(status, 0, `${command} with ${JSON.stringify(wrong)}: ${err}`);
            }
        });
    }
});

test("an answer that goes on for ever is cut off", () =>
    withStranger(
        (socket) => {
            const more = () => { while (!socket.destroyed && socket.write(" ".repeat(1 << 20))); };
            socket.on("drain", more);
            socket.once("data", () => (socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), more()));
        },
        async (endpoint) => ends(await weftctlAt([endpoint], ["status"]), 3, /no node could answer/),
    ));

await run("errors");
