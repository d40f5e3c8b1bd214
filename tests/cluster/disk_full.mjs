// A full disk: refused by name, nothing acknowledged lost, reads go on, and writes again when there is room.
// WEFT_SMALL_DISK: a folder on a file system of 64 MB that is ours alone.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { World, threadPath } from "./lib/world.mjs";

const smallDisk = process.env.WEFT_SMALL_DISK;
const noSmallDisk = smallDisk ? false : "mounting a small file system is not permitted here";
const text = (number) => `${number} ${"x".repeat(20000)}`;
const CONFIG = "storage_map_initial_mb = 16\n";

/** Sends until refused, then some more; what was acknowledged is added to `acknowledged`. The refusals are checked. */
async function fill(world, user, thread, acknowledged) {
    let refused = 0;
    for (let number = acknowledged.length; refused < 20; number++) {
        assert.ok(number < 10000, "the disk gets full");
        const content = text(number);
        const answer = await world.call(user, "POST", `${threadPath(thread)}/messages`, { body: { content } });
        if (answer.status === 201) {
            acknowledged.push({ id: answer.json.id, content });
            continue;
        }
        refused++;
        assert.equal(answer.status, 503, answer.text);
        assert.equal(answer.json?.error?.code, "StorageFull", answer.text);
        assert.ok(Number(answer.headers["retry-after"]) >= 1, "Retry-After");
    }
}

async function checkReads(world, users, thread, acknowledged) {
    const found = new Map((await world.allMessages(users[1], thread)).map((message) => [message.id, message.content?.message]));
    for (const { id, content } of acknowledged) assert.equal(found.get(id), content, `message ${id}`);
    assert.equal([...found.values()].filter((content) => content?.endsWith("xxx")).length, acknowledged.length, "nothing that was refused is there");
    const { status } = await world.call(users[1], "GET", `${threadPath(thread)}/messages/${acknowledged[0].id}`);
    assert.equal(status, 200);
    assert.equal((await world.call(users[0], "GET", "/chat/threads")).status, 200);
}

/** Everything else that writes is refused by the same name, over both interfaces; perhaps not at once, because what one
 * write was refused may leave room for a smaller one. What was acknowledged is noted. */
async function checkOtherWrites(world, users, thread, acknowledged) {
    let answer = { status: 204 };
    for (let number = 0; number < 50 && answer.status === 204; number++) {
        const content = text(`edited ${number}`);
        answer = await world.call(users[0], "PATCH", `${threadPath(thread)}/messages/${acknowledged[0].id}`, { body: { content } });
        if (answer.status === 204) acknowledged[0].content = content;
    }
    assert.equal(answer.status, 503, answer.text);
    assert.equal(answer.json?.error?.code, "StorageFull");
    const session = await Realtime.connect(world.target, "json", users[0].token);
    let refusal = null;
    for (let number = 0; number < 50 && refusal === null; number++) {
        const content = text(`sent ${number}`);
        await session.ask({ type: "send", id: `send ${number}`, thread, content }).then(
            (ack) => acknowledged.push({ id: ack.messageId, content }),
            (error) => (refusal = error),
        );
    }
    assert.equal(refusal?.code, "StorageFull");
    assert.ok(refusal.retryAfterMs > 0);
    session.close();
}

async function finish(world) {
    assert.deepEqual(await world.node.stop(), { status: 0, signal: null });
    const fsck = world.fsck();
    assert.ok(fsck.isClean, fsck.text);
}

test("a full disk is refused by name, loses nothing, and is over when there is room", async () => {
    const ballast = path.join(smallDisk, "ballast");
    writeFileSync(ballast, Buffer.alloc(32 << 20));
    const world = await (await World.make({ parent: smallDisk })).start({ config: CONFIG });
    const users = await world.newUsers(2);
    const thread = await world.newThread(users);
    const acknowledged = [];
    await fill(world, users[0], thread, acknowledged);
    await checkReads(world, users, thread, acknowledged);
    await checkOtherWrites(world, users, thread, acknowledged);
    rmSync(ballast);
    const before = acknowledged.length;
    for (let number = before; number < before + 50; number++) {
        const { id } = await world.newMessage(users[0], thread, text(number));
        acknowledged.push({ id, content: text(number) });
    }
    await checkReads(world, users, thread, acknowledged);
    await finish(world);
    await world.start();
    await checkReads(world, users, thread, acknowledged);
    await finish(world);
    world.node.remove();
}, { skip: noSmallDisk, deadlineMs: 120000 });

test("a node that is killed on a full disk has everything it acknowledged, and starts", async () => {
    const ballast = path.join(smallDisk, "ballast");
    writeFileSync(ballast, Buffer.alloc(32 << 20));
    const world = await (await World.make({ parent: smallDisk })).start({ config: CONFIG });
    const users = await world.newUsers(2);
    const thread = await world.newThread(users);
    const acknowledged = [];
    await fill(world, users[0], thread, acknowledged);
    await world.node.kill();
    const fsck = world.fsck();
    assert.ok(fsck.isClean, fsck.text);
    await world.start();
    await checkReads(world, users, thread, acknowledged);
    rmSync(ballast);
    await world.newMessage(users[0], thread, "there is room");
    await finish(world);
    world.node.remove();
}, { skip: noSmallDisk, deadlineMs: 120000 });

test("storage_max_mb is a full disk too, and a larger value after a restart ends it", async () => {
    const world = await (await World.make({ parent: smallDisk })).start({ config: `${CONFIG}storage_max_mb = 40\n` });
    const users = await world.newUsers(2);
    const thread = await world.newThread(users);
    const acknowledged = [];
    await fill(world, users[0], thread, acknowledged);
    await checkReads(world, users, thread, acknowledged);
    await checkOtherWrites(world, users, thread, acknowledged);
    await finish(world);
    await world.start({ config: `${CONFIG}storage_max_mb = 80\n` });
    await checkReads(world, users, thread, acknowledged);
    await world.newMessage(users[0], thread, "there is room");
    await finish(world);
    world.node.remove();
}, { deadlineMs: 120000 });

test("a full database can be made smaller: threads can be deleted, and then there is room", async () => {
    const world = await (await World.make({ parent: smallDisk })).start({ config: `${CONFIG}storage_max_mb = 40\n` });
    const users = await world.newUsers(2);
    const [full, kept] = [await world.newThread(users), await world.newThread(users)];
    const acknowledged = [];
    await fill(world, users[0], full, acknowledged);
    const answer = await world.call(users[0], "DELETE", threadPath(full));
    assert.equal(answer.status, 204, answer.text);
    const deadline = performance.now() + 30000;
    for (let sent = 0; sent < 20; ) {
        const { status } = await world.call(users[0], "POST", `${threadPath(kept)}/messages`, { body: { content: text(sent) } });
        if (status === 201) sent++;
        assert.ok(performance.now() < deadline, "there is room within the deadline");
    }
    await finish(world);
    world.node.remove();
}, { deadlineMs: 120000 });

await run("disk_full");
