// A node whose database was put back from an older copy: the others rely on what it does not have any more.

import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { until } from "./lib/world.mjs";

const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

const database = (world) => path.join(world.node.dir, "data", "data.mdb");

async function send(world, users, thread, count, acknowledged) {
    for (let number = 0; number < count; number++) acknowledged.push((await world.newMessage(users[number % 2], thread, `message ${acknowledged.length}`)).id);
}

async function checkMessages(world, user, thread, acknowledged) {
    const found = new Set((await world.allMessages(user, thread)).map(({ id }) => id));
    assert.deepEqual(acknowledged.filter((id) => !found.has(id)), [], "nothing acknowledged is missing");
}

/** Since now every node has told how far its log has come. */
async function allHaveTold(cluster) {
    const loads = () => cluster.etcd.list("weft/loads/");
    const before = new Map((await loads()).map(({ key, revision }) => [key, revision]));
    for (let round = 0; round < 2; round++) {
        await until("every node has told its load", async () => (await loads()).every(({ key, revision }) => revision > before.get(key)));
        for (const { key, revision } of await loads()) before.set(key, revision);
    }
}

test("a node with an older database refuses to go first, and learns anew what the others have", async () => {
    const cluster = await ThreeNodes.start();
    const [first, second, third] = cluster.nodes;
    try {
        await cluster.whole();
        const users = await first.newUsers(2);
        const thread = await first.newThread(users);
        const acknowledged = [];
        await send(first, users, thread, 20, acknowledged);
        assert.equal((await second.node.stop()).status, 0);
        copyFileSync(database(second), `${database(second)}.old`);
        await second.start({ flags: second.flags });
        await cluster.whole();
        await send(third, users, thread, 200, acknowledged);
        await allHaveTold(cluster);
        assert.ok(await cluster.isWhole(), "each counts on each");
        await Promise.all(cluster.nodes.map(({ node }) => node.kill()));
        copyFileSync(`${database(second)}.old`, database(second));
        await until("nobody is alive", async () => (await cluster.etcd.list("weft/alive/")).length === 0, 60000);
        await assert.rejects(second.start({ flags: second.flags }));
        assert.match(second.node.log, /the database is older than what this node has told the others/);
        assert.match(second.node.log, /nobody else is there who has range/);
        await Promise.all([first, third].map((world) => world.start({ flags: world.flags })));
        await checkMessages(third, users[0], thread, acknowledged);
        await second.start({ flags: second.flags });
        assert.match(second.node.log, /learns all of its ranges anew/);
        await checkMessages(second, users[1], thread, acknowledged);
        await send(second, users, thread, 20, acknowledged);
        await cluster.whole();
        await second.node.kill();
        await second.start({ flags: second.flags });
        assert.equal(second.node.log.split("\n").filter((line) => /learns all of its ranges anew/.test(line)).length, 1, "once is enough");
        await cluster.whole();
        for (const world of [first, third]) assert.equal((await world.node.stop()).status, 0);
        await until("the node leads every range", async () => (await cluster.leads())[1] === 64, 60000);
        await checkMessages(second, users[0], thread, acknowledged);
    } finally {
        await cluster.stop();
    }
    const fsck = second.fsck();
    assert.ok(fsck.isClean, fsck.text);
}, { skip, deadlineMs: 240000 });

await run("rolled_back");
