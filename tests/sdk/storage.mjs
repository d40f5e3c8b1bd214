// A full disk, here the bound of the database (`storage.conf`): writes are refused by name, nothing that was acknowledged
// is lost, reading goes on, and writing too as soon as there is room.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { run, test } from "./lib/harness.mjs";
import { connect } from "./lib/weft.mjs";
import { allMessages, chatCall, isCluster, newThread, newUsers, node, threadPath } from "./lib/world.mjs";

test("a full disk refuses writes with 503 StorageFull, keeps what is there, and goes on when there is room", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const post = (content) => chatCall("POST", `${threadPath(threadId)}/messages`, { token: creator.token, body: { content } });
    const content = "x".repeat(27 * 1024);
    const stored = [];
    let refused = null;
    for (let index = 0; index < 3000 && refused === null; index++) {
        const answer = await post(`${index} ${content}`);
        if (answer.status === 201) stored.push(answer.json.id);
        else refused = answer;
    }
    assert.ok(refused !== null, `${stored.length} messages fitted into 24 MB`);
    assert.ok(stored.length > 50, `only ${stored.length} messages fitted`);
    assert.equal(refused.status, 503, refused.text);
    assert.equal(refused.json.error.code, "StorageFull");
    assert.match(refused.headers["retry-after"], /^[1-9]\d*$/);

    /* A refusal may leave room for a few smaller writes. */
    const session = await connect("json", creator.token);
    let error = null;
    for (let index = 0; index < 50 && error === null; index++) {
        try {
            stored.push((await session.ask({ type: "send", id: `x${index}`, thread: threadId, content })).messageId);
        } catch (refusal) {
            error = refusal;
        }
    }
    assert.equal(error?.code, "StorageFull");
    assert.ok(error.retryAfterMs > 0);
    session.close();
    const listed = async () => (await allMessages(other, threadId)).filter((message) => message.type === "text").map((message) => message.id).reverse();
    assert.deepEqual(await listed(), stored, "exactly what was acknowledged");

    await node.stop();
    writeFileSync(path.join(node.dir, "node.conf"), "storage_map_initial_mb = 16\nstorage_max_mb = 64\n");
    await node.start();
    await node.waitReady();
    assert.deepEqual(await listed(), stored);
    const again = await post("there is room");
    assert.equal(again.status, 201, again.text);
    assert.deepEqual(await listed(), [...stored, again.json.id]);
}, {
    skip: !node ? "needs a node of its own" : isCluster ? "the bound of one node's database; a full replica leaves its ranges' in-sync sets instead" : false,
    deadlineMs: 240000,
});

await run("storage");
