// weftctl and a cluster: what it shows is what the coordinator has, and what it asks for happens.

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "../cluster/lib/etcd.mjs";
import { ThreeNodes } from "../cluster/lib/three.mjs";
import { threadPath, until, World } from "../cluster/lib/world.mjs";
import { operator } from "./lib/operator.mjs";

const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

async function withCluster(count, body) {
    const cluster = await ThreeNodes.start(count, { balances: true });
    try {
        await body(cluster, operator(cluster));
    } finally {
        await cluster.stop();
    }
}

test("what it shows of three nodes is what the coordinator has, also when one is killed", () =>
    withCluster(3, async (cluster, ctl) => {
        const watched = await ctl("rebalance", "--watch");
        assert.equal(watched.status, 0, watched.err);
        await until("nodes and ranges are as at the coordinator", async () => {
            const ranges = await cluster.ranges();
            const names = new Map((await ctl("nodes", "--json")).json.map(({ id, name }) => [id, name]));
            const told = (await ctl("ranges", "--json")).json.map(({ range, primary, inSync }) => [range, names.get(primary), inSync.map((id) => names.get(id)).sort()]);
            const wanted = ranges.map(({ range = 0, primary, inSync }) => [range, primary.name, inSync.map(({ name }) => name).sort()]);
            return JSON.stringify(told) === JSON.stringify(wanted);
        });
        const out = await until("all is well", async () => {
            const { status, out: text, err } = await ctl("status");
            assert.equal(status, 0, err);
            return /health +good\n/.test(text) && text;
        });
        assert.match(out, /^cluster +weft: 3 nodes, 3 alive\nranges +64, 3 copies of each, writes need 2\n/);
        assert.deepEqual((await ctl("nodes", "--names")).out, "node-1\nnode-2\nnode-3\n");

        assert.equal((await operator(cluster, { WEFT_ADMIN_TOKEN: "wrong" })("status")).status, 4);
        const unknown = await operator(cluster, { WEFT_CA: "" })("status");
        assert.equal(unknown.status, 3);
        assert.match(unknown.err, /tls\/ca\.pem in its data folder: --ca/);

        await cluster.nodes[0].node.kill();
        const after = await until("the killed node is known to be silent, and its copies to be lacking", async () => {
            const { out: text } = await ctl("status");
            return /node-1 is silent/.test(text) && /64 ranges lack copies/.test(text) && text;
        }, 60000);
        assert.match(after, /3 nodes, 2 alive/);
        assert.match(after, /, 0 moves under way/, "what waits for it does not move");
    }), { skip, deadlineMs: 240000 });

/** A thread with messages of a user, so that there is something to move. */
async function talk(cluster) {
    const users = await cluster.nodes[0].newUsers(2);
    const thread = await cluster.nodes[0].newThread(users, "what moves");
    for (let count = 0; count < 20; count++) {
        const headers = { Authorization: `Bearer ${users[0].token}` };
        const answer = await cluster.nodes[count % 3].exchange("POST", `${threadPath(thread)}/messages?api-version=2025-03-15`, { headers, body: { content: `message ${count}` } });
        assert.equal(answer.status, 201, answer.text);
    }
    return { users, thread };
}

test("nodes that come and go: rebalancing and draining are watched to their end, ranges are moved by hand", () =>
    withCluster(4, async (cluster, ctl) => {
        const { users, thread } = await talk(cluster);
        const watched = await ctl("rebalance", "--watch");
        assert.equal(watched.status, 0, watched.err);
        assert.match(watched.out, /(^|\n)balanced\n$/);
        assert.match((await ctl("plan")).out, /^nothing to move\n/);

        assert.equal((await ctl("pause")).status, 0);
        await until("everybody knows of the pause", async () => /paused/.test((await ctl("rebalance")).out));
        const [range] = await cluster.ranges();
        const number = "0", backup = range.inSync.find((world) => world !== range.primary);
        const outside = cluster.nodes.find((world) => !range.inSync.includes(world));
        const lead = await ctl("move", number, "--primary", backup.name);
        assert.equal(lead.status, 0, lead.err);
        await until("the range is led by whom it should be", async () => (await cluster.ranges())[0].primary === backup);
        const refused = await ctl("move", number, "--from", outside.name, "--to", backup.name);
        assert.equal(refused.status, 1);
        assert.match(refused.err, /has no copy of the range/);
        const copy = await ctl("move", number, "--from", range.primary.name, "--to", outside.name);
        assert.equal(copy.status, 0, copy.err);
        await until("the copy has moved", async () => {
            const { inSync } = (await cluster.ranges())[0];
            return inSync.includes(outside) && !inSync.includes(range.primary);
        }, 60000);
        const tooFew = await ctl("split", "32");
        assert.equal(tooFew.status, 1);
        assert.match(tooFew.err, /more ranges than that already/);
        const uneven = await ctl("split", "100");
        assert.equal(uneven.status, 1);
        assert.match(uneven.err, /Ranges are halved/);
        const halved = await ctl("split", "128", "--watch");
        assert.equal(halved.status, 0, halved.err);
        assert.match(halved.out, /\n128 of 128 ranges\n$/);
        assert.equal((await cluster.ranges()).length, 128);
        assert.equal((await ctl("resume")).status, 0);
        await until("everybody knows that it goes on", async () => !/paused/.test((await ctl("rebalance")).out));

        const last = cluster.nodes[3];
        const drained = await ctl("drain", last.name, "--watch");
        assert.equal(drained.status, 0, `${drained.out}${drained.err}`);
        assert.match(drained.out, /node-4 is being drained\n[^]*node-4 holds nothing any more and has ended\n$/);
        assert.equal((await last.node.waitEnd(60000)).status, 0);
        assert.ok((await cluster.ranges()).every(({ inSync }) => !inSync.includes(last)));
        assert.equal((await ctl("drain", "node-9")).status, 1);
        assert.equal((await cluster.nodes[0].allMessages(users[0], thread)).filter(({ type }) => type === "text").length, 20);
    }), { skip, deadlineMs: 300000 });

test("a node alone is shown, makes and revokes tokens, and says that there is nothing to balance", async () => {
    const world = await (await World.make()).start();
    const ctl = operator({ nodes: [world] });
    try {
        const status = await ctl("status");
        assert.equal(status.status, 0, status.err);
        assert.match(status.out, /1 node, 1 alive\nranges +64, 1 copy of each \(3 with more nodes\), writes need 1\n[^]*health +good\n/);
        const pause = await ctl("pause");
        assert.equal(pause.status, 1);
        assert.match(pause.err, /This node is alone/);
        assert.equal((await ctl("rebalance")).out, "balanced, 0 moves under way\n");
        assert.match((await ctl("status")).out, /\nbalance +even, /);
        assert.match((await ctl("split", "128")).err, /This node is alone/);
        const made = await ctl("tokens", "create", "--expires-in", "60", "--json");
        assert.equal(made.status, 0, made.err);
        const { userId, token } = made.json;
        const threads = () => world.exchange("GET", "/chat/threads?api-version=2025-03-15", { headers: { Authorization: `Bearer ${token}` } });
        assert.equal((await threads()).status, 200);
        const again = await ctl("tokens", "create", "--user", userId);
        assert.match(again.out, new RegExp(`^user +${userId}\nexpires +\\S+\ntoken +\\S+\n$`));
        const revoked = await ctl("tokens", "revoke", userId);
        assert.equal(revoked.status, 0, revoked.err);
        await until("the token is refused", async () => (await threads()).status === 401);
        assert.equal((await ctl("tokens", "create", "--user", "nobody")).status, 1);
    } finally {
        await world.end();
    }
}, { deadlineMs: 120000 });

await run("cluster");
