// Subscriptions to server events: where nothing may be sent, and what a cluster keeps of them.

import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import { run, test } from "../sdk/lib/harness.mjs";
import { Receiver } from "../sdk/lib/receiver.mjs";
import { admin } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { World } from "./lib/world.mjs";

const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";
const pathOf = (name) => `/admin/events/subscriptions/${name}`;

/** Counts who connects. */
async function trap(make) {
    const server = make();
    let connections = 0;
    server.on("connection", (socket) => {
        connections++;
        socket.destroy();
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { port: server.address().port, end: () => (server.close(), connections) };
}

test("nothing is sent to this machine unless that is allowed", async () => {
    const world = await (await World.make()).start();
    const { port, end } = await trap(() => https.createServer());
    const named = await admin(world, "PUT", pathOf("named"), { endpoint: `https://localhost:${port}/` });
    assert.equal(named.status, 400, named.text);
    assert.match(named.json.error.message, /its host is at (127\.0\.0\.1|::1), a loopback address; that needs events_allow_private/);
    for (const host of ["127.0.0.1", "[::1]", "0x7f.1", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"]) {
        const refused = await admin(world, "PUT", pathOf("literal"), { endpoint: `https://${host}:${port}/` });
        assert.equal(refused.status, 400, host);
        assert.equal(refused.json.error.target, "endpoint");
    }
    const plain = await admin(world, "PUT", pathOf("plain"), { endpoint: `http://example.org:${port}/` });
    assert.match(plain.json.error.message, /https/);
    assert.deepEqual((await admin(world, "GET", "/admin/events/subscriptions")).json, { value: [] });
    assert.equal(end(), 0);
    await world.end();
});

test("a certificate that nobody vouches for is refused", async () => {
    const world = await (await World.make()).start({ flags: ["--events-allow-private", "on"] });
    const own = await admin(world, "PUT", pathOf("own"), { endpoint: `https://127.0.0.1:${world.node.port}/` });
    assert.equal(own.status, 400, own.text);
    assert.match(own.json.error.message, /certificate/);
    await world.end();
});

test("a redirect is not followed", async () => {
    const world = await (await World.make()).start({ flags: ["--events-allow-private", "on"] });
    const { port, end } = await trap(() => http.createServer());
    const receiver = await Receiver.open();
    receiver.answer = () => ({ status: 307, headers: { Location: `http://127.0.0.1:${port}/` } });
    const refused = await admin(world, "PUT", pathOf("elsewhere"), { endpoint: receiver.url() });
    assert.match(refused.json.error.message, /it answers 307/);
    assert.equal(end(), 0);
    receiver.close();
    await world.end();
});

test("a node that ends does not wait for a receiver", async () => {
    const world = await (await World.make()).start({ flags: ["--events-allow-private", "on"] });
    const receiver = await Receiver.open();
    receiver.answer = () => new Promise(() => {});
    const asked = admin(world, "PUT", pathOf("silent"), { endpoint: receiver.url() }).catch((error) => error);
    await receiver.next(() => true);
    await world.end();
    await asked;
    receiver.close();
});

test("a subscription outlives its node, and what it was before does not come back", async () => {
    const world = await (await World.make()).start({ flags: ["--events-allow-private", "on"] });
    const receiver = await Receiver.open();
    const made = await admin(world, "PUT", pathOf("kept"), { endpoint: receiver.url() });
    assert.equal(made.status, 201, made.text);
    await world.end();
    await world.start({ flags: ["--events-allow-private", "on"] });
    const shown = await admin(world, "GET", pathOf("kept"));
    assert.equal(shown.json.createdOn, made.json.createdOn);
    assert.ok((await admin(world, "POST", `${pathOf("kept")}/test`)).json.isDelivered);
    assert.equal((await admin(world, "DELETE", pathOf("kept"))).status, 204);
    await world.end();
    await world.start({ flags: ["--events-allow-private", "on"] });
    assert.equal((await admin(world, "GET", pathOf("kept"))).status, 404);
    receiver.close();
    await world.end();
});

test("what one node is told every node knows, and etcd holds it sealed", async () => {
    const cluster = await ThreeNodes.start(3, { prepare: (world) => world.flags.push("--events-allow-private", "on") });
    const [first, second, third] = cluster.nodes;
    const receiver = await Receiver.open();
    const made = await admin(first, "PUT", pathOf("shared"), { endpoint: receiver.url("/a-path-of-my-own") });
    assert.equal(made.status, 201, made.text);
    assert.ok((await admin(second, "POST", `${pathOf("shared")}/test`)).json.isDelivered);
    assert.equal((await admin(third, "PUT", pathOf("shared"), { endpoint: receiver.url("/a-path-of-my-own") })).status, 200);
    const stored = await cluster.etcd.list("weft/subscriptions/");
    assert.equal(stored.length, 1);
    assert.ok(!Buffer.from(stored[0].value).includes("a-path-of-my-own"));
    receiver.close();
    await cluster.stop();
}, { skip, deadlineMs: 180000 });

await run("events");
