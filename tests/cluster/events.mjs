// Subscriptions to server events: where nothing may be sent, and what a cluster keeps of them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import http from "node:http";
import https from "node:https";
import { run, test } from "../sdk/lib/harness.mjs";
import { Receiver, willing } from "../sdk/lib/receiver.mjs";
import { admin } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { World, participant, threadPath, until } from "./lib/world.mjs";

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

const allowed = { flags: ["--events-allow-private", "on"] };

/** Types and messages of one thread as a receiver got them. */
const eventsOf = (receiver, thread) =>
    receiver.got.filter(({ headers }) => headers["aeg-event-type"] === "Notification").flatMap(({ json }) => json).filter(({ data }) => data.threadId === thread);
const shortOf = ({ eventType, data }) => `${eventType.replace("Microsoft.Communication.Chat", "")} ${data.messageBody ?? ""}`.trim();

async function subscribe(world, name, receiver, rest = {}) {
    const made = await admin(world, "PUT", pathOf(name), { endpoint: receiver.url(), ...rest });
    assert.equal(made.status, 201, made.text);
}

/** Subscriptions take a moment to be known to who leads a thread. */
async function watched(world, receiver, user) {
    await until("events come", async () => {
        const probe = await world.newThread([user]);
        return until("of a new thread", () => eventsOf(receiver, probe).length > 0, 2000).catch(() => false);
    });
}

test("what happens in a thread is told to who subscribed, in order and once", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann, bob] = await world.newUsers(2);
    await subscribe(world, "all", receiver);
    await watched(world, receiver, ann);
    const thread = await world.newThread([ann, bob]);
    const { id: first } = await world.newMessage(ann, thread, "one");
    await world.newMessage(bob, thread, "two");
    await world.expect(ann, "PATCH", `${threadPath(thread)}/messages/${first}`, { body: { content: "one more" } });
    await world.expect(ann, "DELETE", `${threadPath(thread)}/messages/${first}`);
    await world.expect(ann, "PATCH", threadPath(thread), { body: { topic: "another" } });
    await world.expect(ann, "POST", `${threadPath(thread)}/participants/:remove`, { body: participant(bob).communicationIdentifier });
    await world.expect(ann, "DELETE", threadPath(thread));
    const last = await until("the deletion is told", () => eventsOf(receiver, thread).find(({ eventType }) => eventType.endsWith("ThreadDeleted")));
    assert.equal(last.data.deletedByCommunicationIdentifier.rawId, ann.id);
    const expected = [
        "ThreadCreated", "ThreadCreatedWithUser",
        "MessageReceivedInThread one", "MessageReceived one", "MessageReceivedInThread two", "MessageReceived two",
        "MessageEditedInThread one more", "MessageEdited one more", "MessageDeletedInThread", "MessageDeleted",
        "ThreadPropertiesUpdated", "ThreadPropertiesUpdatedPerUser",
        "ThreadParticipantRemoved", "ParticipantRemovedFromThreadWithUser", "ThreadDeleted",
    ];
    assert.deepEqual(eventsOf(receiver, thread).map(shortOf), expected);
    assert.equal(new Set(receiver.got.flatMap(({ json }) => json.map(({ id }) => id))).size, receiver.got.length);
    receiver.close();
    await world.end();
});

test("only what a subscription chooses is told, and nothing from before it", async () => {
    const world = await (await World.make()).start(allowed);
    const [every, some] = [await Receiver.open(), await Receiver.open()];
    const [ann, bob] = await world.newUsers(2);
    await subscribe(world, "every", every);
    await watched(world, every, ann);
    const thread = await world.newThread([ann, bob]);
    await world.newMessage(ann, thread, "before");
    await every.next(({ json }) => json?.[0]?.data?.messageBody === "before");
    const filter = { includedEventTypes: ["ChatMessageReceivedInThread"], advancedFilters: [{ key: "data.messageBody", operatorType: "StringNotContains", values: ["secret"] }] };
    await subscribe(world, "some", some, { filter });
    // So that it is known: the subscription, like the first one, is taken up within a moment.
    await watched(world, every, ann);
    for (const content of ["one", "a secret", "two"]) await world.newMessage(bob, thread, content);
    await some.next(({ json }) => json?.[0]?.data?.messageBody === "two");
    assert.deepEqual(eventsOf(some, thread).map(shortOf), ["MessageReceivedInThread one", "MessageReceivedInThread two"]);
    every.close();
    some.close();
    await world.end();
});

test("what was not taken is sent again, in order, also by a node that was killed meanwhile", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann] = await world.newUsers(1);
    const filter = { includedEventTypes: ["ChatMessageReceivedInThread", "ChatThreadCreated"] };
    await subscribe(world, "late", receiver, { filter });
    await watched(world, receiver, ann);
    const thread = await world.newThread([ann]);
    await world.newMessage(ann, thread, "zero");
    await receiver.next(({ json }) => json?.[0]?.data?.messageBody === "zero");
    receiver.answer = () => ({ status: 500 });
    for (let number = 1; number <= 5; number++) await world.newMessage(ann, thread, `message ${number}`);
    const tried = await receiver.next(({ json }) => json?.[0]?.data?.messageBody === "message 1");
    world.node.signal("SIGKILL");
    await world.node.waitEnd(30000);
    receiver.got.length = 0;
    receiver.answer = willing;
    await world.start(allowed);
    await receiver.next(({ json }) => json?.[0]?.data?.messageBody === "message 5");
    const bodies = eventsOf(receiver, thread).map(({ data }) => data.messageBody).filter((body) => body?.startsWith("message"));
    assert.deepEqual(bodies, [1, 2, 3, 4, 5].map((number) => `message ${number}`));
    assert.equal(eventsOf(receiver, thread).find(({ data }) => data.messageBody === "message 1").id, tried.json[0].id);
    receiver.close();
    await world.end();
});

test("what a receiver refuses for good is kept as a dead letter, and what follows comes", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann] = await world.newUsers(1);
    await subscribe(world, "refusing", receiver, { filter: { includedEventTypes: ["ChatMessageReceivedInThread", "ChatThreadCreated"] } });
    await watched(world, receiver, ann);
    receiver.answer = ({ json }) => ({ status: json[0].data.messageBody === "bad" ? 400 : 200 });
    const thread = await world.newThread([ann]);
    for (const content of ["bad", "good"]) await world.newMessage(ann, thread, content);
    await receiver.next(({ json }) => json?.[0]?.data?.messageBody === "good");
    assert.equal(receiver.got.filter(({ json }) => json[0].data.messageBody === "bad").length, 1);
    const [line, ...others] = readFileSync(path.join(world.node.dir, "data/dead-letters/refusing.jsonl"), "utf8").trim().split("\n");
    assert.deepEqual(others, []);
    const letter = JSON.parse(line);
    assert.deepEqual([letter.data.messageBody, letter.deadLetterReason, letter.lastDeliveryOutcome, letter.deliveryAttempts], ["bad", "Undeliverable", "BadRequest", 1]);
    receiver.close();
    await world.end();
});

test("a receiver that does not answer holds up nobody else", async () => {
    const world = await (await World.make()).start(allowed);
    const [silent, quick] = [await Receiver.open(), await Receiver.open()];
    const users = await world.newUsers(4);
    const filter = { includedEventTypes: ["ChatMessageReceivedInThread", "ChatThreadCreated"] };
    await subscribe(world, "silent", silent, { filter });
    await subscribe(world, "quick", quick, { filter });
    silent.answer = () => new Promise(() => {});
    await watched(world, quick, users[0]);
    const threads = await Promise.all(users.map((user) => world.newThread([user])));
    const count = Number(process.env.WEFT_EVENTS_MESSAGES ?? 50);
    for (let number = 0; number < count; number++)
        await Promise.all(threads.map((thread, index) => world.newMessage(users[index], thread, `message ${number}`)));
    const bodies = (thread) => eventsOf(quick, thread).map(({ data }) => data.messageBody).filter(Boolean);
    await until("all have come", () => threads.every((thread) => bodies(thread).length >= count));
    for (const thread of threads) assert.deepEqual(bodies(thread), Array.from({ length: count }, (_, number) => `message ${number}`));
    silent.close();
    quick.close();
    await world.end();
});

test("events of a cluster come from whoever leads, and go on when a node is killed", async () => {
    const cluster = await ThreeNodes.start(3, { prepare: (world) => world.flags.push("--events-allow-private", "on") });
    const [first, second] = cluster.nodes;
    const receiver = await Receiver.open();
    const [ann] = await second.newUsers(1);
    await subscribe(second, "all", receiver, { filter: { includedEventTypes: ["ChatMessageReceivedInThread", "ChatThreadCreated"] } });
    const threads = [];
    for (let number = 0; number < 12; number++) await watched(second, receiver, ann);
    for (let number = 0; number < 12; number++) threads.push(await second.newThread([ann]));
    const send = async (content) => {
        for (const thread of threads) await until("it is sent", () => second.newMessage(ann, thread, content).catch(() => false), 60000);
    };
    const come = (content) => until(`${content} is told of each thread`, () => threads.every((thread) => eventsOf(receiver, thread).some(({ data }) => data.messageBody === content)), 60000);
    await send("before");
    await come("before");
    first.isDisturbed = true;
    first.node.signal("SIGKILL");
    await send("after");
    await come("after");
    receiver.close();
    await cluster.stop();
}, { skip, deadlineMs: 240000 });

await run("events");
