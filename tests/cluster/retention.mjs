// Threads whose retention is over are deleted by the node that leads them, told like any other deletion, listed for a
// while and then forgotten; on one node, and by whoever leads after a kill. What operators hold is kept, and what was
// deleted can be undeleted for a while.
// WEFT_RETENTION_THREADS: how many expire in a cluster (40).

import assert from "node:assert/strict";
import { beginToday, cannotPass, livesByDays, pass } from "./lib/days.mjs";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { Trouter } from "./lib/trouter.mjs";
import { World, participant, threadPath, until } from "./lib/world.mjs";

const THREADS = Number(process.env.WEFT_RETENTION_THREADS ?? 40);
const FLAGS = ["--retention-sweep-s", "1", "--deleted-thread-keep-days", "7"];
const DEADLINE_MS = 60000;
const days = (count) => ({ kind: "threadCreationDate", deleteThreadAfterDays: count });

async function make(world, users, retentionPolicy) {
    const body = { topic: "a thread", participants: users.map(participant), retentionPolicy };
    return (await world.expect(users[0], "POST", "/chat/threads", { body })).json.chatThread.id;
}

/** Tokens do not last as long as threads. */
async function renewTokens(world, users) {
    for (const user of users) {
        const answer = await world.identityCall("POST", `/identities/${encodeURIComponent(user.id)}/:issueAccessToken`, { scopes: ["chat"] });
        user.token = answer.json.token;
    }
}

const keeping = (world, method, thread, what, body) => admin(world, method, `/admin/threads/${encodeURIComponent(thread)}/${what}`, body);
const statusOf = async (world, user, thread) => (await world.call(user, "GET", threadPath(thread))).status;
const listed = async (world, user) =>
    new Map((await world.expect(user, "GET", "/chat/threads", { query: "maxPageSize=200" })).json.value.map((item) => [item.id, item]));

test("a thread goes when its policy says so and no other does, and its users are told and see it in their lists for a while", async () => {
    beginToday();
    const world = await World.make();
    livesByDays(world);
    await world.start({ flags: [...FLAGS, "--retention-days", "40"] });
    const users = await world.newUsers(2);
    const [alice, bob] = users;
    const short = await make(world, users, days(30));
    const kept = await make(world, users, { kind: "none" });
    const usual = await make(world, users);
    const reset = await make(world, users, days(30));
    await world.expect(alice, "PATCH", threadPath(reset), { body: { retentionPolicy: null } });
    const longer = await make(world, users, days(30));
    await world.expect(alice, "PATCH", threadPath(longer), { body: { retentionPolicy: days(90) } });
    const policyOf = async (thread) => (await world.expect(alice, "GET", threadPath(thread))).json.retentionPolicy;
    assert.deepEqual(await policyOf(usual), days(40), "what the operator wants");
    assert.deepEqual(await policyOf(reset), { kind: "none" });
    assert.deepEqual(await policyOf(longer), days(90));

    pass(30, -600);
    await renewTokens(world, users);
    const frames = [];
    const pushes = [];
    const sessions = [
        await Realtime.connect(world.tlsTarget, "json", bob.token, { onFrame: (frame) => frames.push(frame) }),
        await Trouter.connect(world, bob, { onPush: (push) => pushes.push(push) }),
    ];
    await world.newMessage(alice, short, "the last one");
    await until("messages arrive", () => frames.some(({ type }) => type === "message") && pushes.length > 0, DEADLINE_MS);
    pass(0, 1200);
    await until("the thread is gone", async () => (await statusOf(world, alice, short)) === 404, DEADLINE_MS);
    const told = await until("it is told", () => frames.find(({ type }) => type === "threadDeleted"), DEADLINE_MS);
    assert.equal(told.thread, short);
    assert.equal(told.reason, "deletedByPolicy");
    assert.equal(told.by, undefined);
    const pushed = await until("it is pushed", () => pushes.find((push) => push.deleteTime !== undefined && push.messageId === undefined), DEADLINE_MS);
    assert.equal(pushed.threadId, short);
    assert.equal(pushed.reason, "deletedByPolicy");
    for (const session of sessions) session.close();
    const soon = await listed(world, bob);
    assert.ok(soon.get(short).deletedOn, "listed as deleted");
    for (const thread of [kept, usual, reset, longer]) assert.equal(soon.get(thread)?.deletedOn, undefined);

    pass(10.5);
    await renewTokens(world, users);
    await until("the operator's default takes effect", async () => (await statusOf(world, alice, usual)) === 404, DEADLINE_MS);
    await until("lists forget", async () => !(await listed(world, alice)).has(short) && !(await listed(world, bob)).has(short), DEADLINE_MS);
    const late = await listed(world, bob);
    assert.ok(late.get(usual).deletedOn);
    for (const thread of [kept, reset, longer]) assert.equal(await statusOf(world, bob, thread), 200);
    await world.end();
    const { isClean, text } = world.fsck();
    assert.ok(isClean, text);
}, { skip: cannotPass, deadlineMs: 240000 });

test("a held thread outlives its policy and who deletes it, and a deleted one can be undeleted for a while", async () => {
    beginToday();
    const world = await World.make();
    livesByDays(world);
    await world.start({ flags: [...FLAGS, "--undelete-hours", "48"] });
    const users = await world.newUsers(2);
    const [alice, bob] = users;
    const held = await make(world, users, days(30));
    const deleted = await make(world, users, days(30));
    await world.newMessage(alice, deleted, "still there");
    assert.equal((await keeping(world, "PUT", held, "hold", {})).status, 400);
    const answer = await keeping(world, "PUT", held, "hold", { reason: "case 7" });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.isHeld, true);
    assert.equal(answer.json.reason, "case 7");
    assert.equal((await keeping(world, "PUT", "19:acsV1_nobody@thread.v2", "hold", { reason: "x" })).status, 404);

    await world.expect(alice, "DELETE", threadPath(deleted));
    assert.equal(await statusOf(world, bob, deleted), 404);
    const frames = [];
    const session = await Realtime.connect(world.tlsTarget, "json", bob.token, { onFrame: (frame) => frames.push(frame) });
    const back = await keeping(world, "POST", deleted, "undelete");
    assert.equal(back.status, 200, back.text);
    assert.equal(back.json.isDeleted, false);
    await until("it is told", () => frames.find(({ type, thread }) => type === "threadCreated" && thread === deleted), DEADLINE_MS);
    session.close();
    assert.ok((await world.allMessages(bob, deleted)).some(({ content }) => content.message === "still there"));
    assert.equal((await listed(world, bob)).get(deleted).deletedOn, undefined);
    await world.newMessage(bob, deleted, "and goes on");

    pass(31);
    await renewTokens(world, users);
    await until("the policy takes effect", async () => (await statusOf(world, alice, deleted)) === 404, DEADLINE_MS);
    assert.equal(await statusOf(world, alice, held), 200);
    assert.ok((await keeping(world, "GET", deleted, "hold")).json.keptUntil);
    await world.expect(alice, "DELETE", threadPath(held));
    assert.equal(await statusOf(world, alice, held), 404);
    pass(3);
    await renewTokens(world, users);
    await until("it is kept no longer", async () => !("keptUntil" in (await keeping(world, "GET", deleted, "hold")).json), DEADLINE_MS);
    assert.equal((await keeping(world, "POST", deleted, "undelete")).status, 404);
    const hidden = (await keeping(world, "GET", held, "hold")).json;
    assert.ok(hidden.isHeld && hidden.isDeleted && hidden.keptUntil);
    await world.end();
    assert.ok(world.fsck().isClean, world.fsck().text);
    await world.start({ flags: [...FLAGS, "--undelete-hours", "48"] });
    assert.equal((await keeping(world, "DELETE", held, "hold")).json.isHeld, false);
    await until("it is kept no longer", async () => !("keptUntil" in (await keeping(world, "GET", held, "hold")).json), DEADLINE_MS);
    await world.end();
    const { isClean, text } = world.fsck();
    assert.ok(isClean, text);
}, { skip: cannotPass, deadlineMs: 240000 });

test("whoever leads after a kill deletes what is due, everything of it, and nothing else, and keeps what is to be kept", async () => {
    beginToday();
    const cluster = await ThreeNodes.start(3, {
        prepare: (world) => {
            livesByDays(world);
            world.flags.push(...FLAGS, "--undelete-hours", "2000");
        },
    });
    await cluster.whole();
    const [first] = cluster.nodes;
    const users = await first.newUsers(3);
    const due = [];
    const kept = [];
    for (let i = 0; i < THREADS; i++) {
        due.push(await make(first, users, days(30)));
        kept.push(await make(first, users, i % 2 ? days(60) : undefined));
    }
    const held = await make(first, users, days(30));
    assert.equal((await keeping(first, "PUT", held, "hold", { reason: "case 7" })).status, 200);
    const back = await make(first, users);
    await first.expect(users[0], "DELETE", threadPath(back));
    const leader = await cluster.leader();
    const others = cluster.nodes.filter((world) => world !== leader);
    pass(30, 1);
    await leader.node.kill();
    await renewTokens(others[0], users);
    await until("every one is gone", async () => {
        const lists = await Promise.all(users.map((user) => listed(others[0], user).catch(() => new Map())));
        return lists.every((list) => due.every((thread) => list.get(thread)?.deletedOn));
    }, DEADLINE_MS);
    for (const world of others) for (const thread of due) assert.equal(await statusOf(world, users[1], thread), 404);
    assert.equal((await keeping(others[0], "GET", held, "hold")).json.reason, "case 7");
    assert.equal((await keeping(others[1], "POST", back, "undelete")).status, 200);
    kept.push(held, back);
    for (const world of others) for (const thread of kept) assert.equal(await statusOf(world, users[1], thread), 200);
    await leader.start({ flags: leader.flags });
    await cluster.whole();
    for (const thread of kept) assert.equal(await statusOf(leader, users[2], thread), 200);
    pass(8);
    await renewTokens(leader, users);
    await until("lists forget", async () => {
        const lists = await Promise.all(users.map((user) => listed(leader, user)));
        return lists.every((list) => list.size === kept.length);
    }, DEADLINE_MS);
    await cluster.stop();
    for (const world of cluster.nodes) {
        const { isClean, text } = world.fsck();
        assert.ok(isClean, text);
    }
}, { skip: cannotPass || (isInstalled() ? false : "etcd is not installed (Debian: etcd-server)"), deadlineMs: 300000 });

await run("retention");
