// Subscriptions to server events: where nothing may be sent, what a cluster keeps of them, and that everything comes.
// WEFT_EVENTS_LOAD: how many events come through a receiver that is hard to deliver to (400), while nodes are killed
// WEFT_EVENTS_KILLS times (1).

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import http from "node:http";
import https from "node:https";
import { run, test } from "../sdk/lib/harness.mjs";
import { Receiver, willing } from "../sdk/lib/receiver.mjs";
import { admin } from "./lib/admin.mjs";
import { chanceFrom } from "./lib/chance.mjs";
import { beginToday, cannotPass, livesByDays, pass } from "./lib/days.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { HardReceiver } from "./lib/hard_receiver.mjs";
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

/** Likewise, with CloudEvents too. */
async function watchedBatches(world, receiver, user) {
    const probe = await world.newThread([user]);
    await until("events come", async () => {
        await world.newMessage(user, probe, "probe");
        return receiver.got.some(({ method, json }) => method === "POST" && json[0]?.data?.threadId === probe);
    });
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

const messagesOnly = { includedEventTypes: ["ChatMessageReceivedInThread", "ChatThreadCreated"] };
const deadLetters = async (world, name) => (await admin(world, "GET", `${pathOf(name)}/dead-letters`)).json.value;

test("who subscribes later, and who wants it again, gets what happened since a time, also of threads that rest", async () => {
    const world = await (await World.make()).start(allowed);
    const [first, second] = [await Receiver.open(), await Receiver.open()];
    const [ann] = await world.newUsers(1);
    await subscribe(world, "first", first, { filter: messagesOnly });
    await watched(world, first, ann);
    const [early, late] = [await world.newThread([ann]), await world.newThread([ann])];
    await world.newMessage(ann, early, "one");
    await first.next(({ json }) => json?.[0]?.data?.messageBody === "one");
    await until("nothing waits", async () => (await world.metric("weft_events_threads")) === 0);
    const from = new Date().toISOString();
    await world.newMessage(ann, late, "two");
    await first.next(({ json }) => json?.[0]?.data?.messageBody === "two");
    await until("nothing waits", async () => (await world.metric("weft_events_threads")) === 0);
    await subscribe(world, "second", second, { filter: messagesOnly });
    const replay = (name, from) => admin(world, "POST", `${pathOf(name)}/replay`, { from });
    for (const wrong of ["yesterday", "2100-01-01T00:00:00Z"]) {
        const refused = await replay("second", wrong);
        assert.deepEqual([refused.status, refused.json.error.target], [400, "from"], refused.text);
    }
    assert.equal((await replay("nobody", from)).status, 404);
    const taken = await replay("second", from);
    assert.equal(taken.status, 202, taken.text);
    assert.equal(taken.json.replayedFrom, from);
    await second.next(({ json }) => json?.[0]?.data?.messageBody === "two");
    assert.deepEqual(eventsOf(second, early), []);
    assert.deepEqual(eventsOf(second, late).map(shortOf), ["MessageReceivedInThread two"]);
    const ids = eventsOf(first, early).map(({ id }) => id);
    first.got.length = 0;
    await replay("first", "2020-01-01T00:00:00Z");
    await until("all come again", () => ids.every((id) => eventsOf(first, early).some((event) => event.id === id)));
    assert.deepEqual([...new Set(eventsOf(first, early).map(({ id }) => id))], ids);
    first.close();
    second.close();
    await world.end();
});

/** Of a subscription that is new a node tells nothing for a moment. */
const counted = (world, name) => world.metric(name).catch(() => undefined);

test("typing is told to who wants it, and not kept for who does not take it", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann, bob] = await world.newUsers(2);
    await subscribe(world, "typing", receiver, { filter: { includedEventTypes: ["ChatTypingIndicatorReceivedInThread", "ChatThreadCreated"] } });
    await watched(world, receiver, ann);
    const thread = await world.newThread([ann, bob]);
    const type = (user, senderDisplayName) => world.expect(user, "POST", `${threadPath(thread)}/typing`, { body: { senderDisplayName } });
    await type(ann, "Ann");
    const typing = (name) => ({ json }) => json?.[0]?.data?.senderDisplayName === name;
    const [event] = (await receiver.next(typing("Ann"))).json;
    assert.equal(event.subject, `thread/${thread}/sender/${ann.id}/recipient/${bob.id}`);
    receiver.answer = () => ({ status: 400 });
    await type(bob, "Bob");
    await receiver.next(typing("Bob"));
    await until("it is counted", async () => (await counted(world, 'weft_events_failed_total{subscription="typing"}')) === 1);
    assert.deepEqual(await deadLetters(world, "typing"), []);
    assert.equal(receiver.got.filter(typing("Bob")).length, 1);
    receiver.close();
    await world.end();
});

test("events come together as a subscription says, in order, and are signed together", async () => {
    const world = await (await World.make()).start(allowed);
    for (const [schema, type] of [["EventGridSchema", "application/json"], ["CloudEventSchemaV1_0", "application/cloudevents-batch+json"]]) {
        const receiver = await Receiver.open();
        const [ann] = await world.newUsers(1);
        const name = `batched-${schema.slice(0, 5)}`;
        await subscribe(world, name, receiver, { schema, maxEventsPerBatch: 4, filter: messagesOnly });
        await watchedBatches(world, receiver, ann);
        const thread = await world.newThread([ann]);
        receiver.answer = () => new Promise((resolve) => setTimeout(resolve, 100));
        for (let number = 1; number <= 20; number++) await world.newMessage(ann, thread, `message ${number}`);
        const batches = () => receiver.got.filter(({ method, json }) => method === "POST" && json[0].data.threadId === thread);
        const bodies = () => batches().flatMap(({ json }) => json).map(({ data }) => data.messageBody).filter(Boolean);
        await until("all have come", () => bodies().length >= 20);
        assert.deepEqual(bodies(), Array.from({ length: 20 }, (_, number) => `message ${number + 1}`));
        assert.ok(batches().every(({ json, headers }) => json.length <= 4 && headers["content-type"].startsWith(type)));
        assert.ok(batches().some(({ json }) => json.length > 1), "some come together");
        assert.equal(new Set(batches().map(({ headers }) => headers["webhook-id"])).size, batches().length);
        assert.equal((await admin(world, "DELETE", pathOf(name))).status, 204);
        receiver.close();
    }
    await world.end();
});

test("an event is tried as often as a subscription says, and then is a dead letter for everyone to see", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann] = await world.newUsers(1);
    const wrong = await admin(world, "PUT", pathOf("once"), { endpoint: receiver.url(), retryPolicy: { maxDeliveryAttempts: 31 } });
    assert.deepEqual([wrong.status, wrong.json.error.target], [400, "maxDeliveryAttempts"], wrong.text);
    await subscribe(world, "once", receiver, { retryPolicy: { maxDeliveryAttempts: 1 }, filter: messagesOnly });
    await watched(world, receiver, ann);
    receiver.answer = ({ json }) => ({ status: json[0].data.messageBody === "bad" ? 500 : 200 });
    const thread = await world.newThread([ann]);
    for (const content of ["bad", "good"]) await world.newMessage(ann, thread, content);
    await receiver.next(({ json }) => json?.[0]?.data?.messageBody === "good");
    const [letter, ...others] = await deadLetters(world, "once");
    assert.deepEqual(others, []);
    assert.deepEqual([letter.data.messageBody, letter.deadLetterReason, letter.lastDeliveryOutcome, letter.deliveryAttempts], ["bad", "MaxDeliveryAttemptsExceeded", "GenericError", 1]);
    await until("it is counted", async () => (await counted(world, 'weft_events_dead_lettered_total{subscription="once"}')) === 1);
    assert.equal(await world.metric('weft_events_failed_total{subscription="once"}'), 1);
    assert.ok((await world.metric('weft_events_delivered_total{subscription="once"}')) >= 2);
    assert.equal((await admin(world, "GET", `${pathOf("once")}/dead-letters?count=0`)).json.error.target, "count");
    receiver.close();
    await world.end();
});

test("what expires while its receiver is left alone is a dead letter, and nothing is lost without a word", async () => {
    beginToday();
    const world = await World.make();
    livesByDays(world);
    const flags = [...allowed.flags, "--retention-sweep-s", "1"];
    await world.start({ flags });
    const receiver = await Receiver.open();
    const [ann] = await world.newUsers(1);
    await subscribe(world, "gone", receiver, { filter: messagesOnly });
    await watched(world, receiver, ann);
    receiver.answer = () => ({ status: 500 });
    const threads = await Promise.all(Array.from({ length: 20 }, () => world.newThread([ann])));
    for (const thread of threads) await world.newMessage(ann, thread, "too late");
    await until("it is left alone", async () => (await counted(world, 'weft_events_failed_total{subscription="gone"}')) >= 3);
    await until("what waits is counted", async () => (await counted(world, 'weft_events_pending{subscription="gone"}')) >= 20);
    await world.end();
    pass(2);
    await world.start({ flags });
    const letters = await until("all are given up", async () => {
        const found = (await deadLetters(world, "gone")).filter(({ data }) => data.messageBody === "too late");
        return found.length >= threads.length && found;
    }, 60000);
    assert.deepEqual(new Set(letters.map(({ data }) => data.threadId)), new Set(threads));
    assert.ok(letters.every(({ deadLetterReason }) => deadLetterReason === "TimeToLiveExceeded"), JSON.stringify(letters[0]));
    await until("nothing waits", async () => (await world.metric("weft_events_threads")) === 0);
    receiver.close();
    await world.end();
    beginToday();
}, { skip: cannotPass, deadlineMs: 180000 });

/** The changes of one thread as a receiver got them for the first time: rising, and none missing. */
class Told {
    threads = new Map();
    doubles = 0;
    take({ id, data }) {
        const told = this.threads.get(data.threadId) ?? this.threads.set(data.threadId, { ids: new Set(), messages: new Set(), newest: 0, wrong: [] }).get(data.threadId);
        if (told.ids.has(id)) return void this.doubles++;
        told.ids.add(id);
        const message = Number(data.messageId);
        if (message < told.newest) told.wrong.push(`${data.messageBody} after ${told.newest}`);
        told.newest = Math.max(told.newest, message);
        told.messages.add(data.messageId);
    }
}

test("every event comes at least once and in order to a receiver that fails, stalls, redirects and dies, while nodes are killed", async () => {
    const load = Number(process.env.WEFT_EVENTS_LOAD ?? 400), kills = Number(process.env.WEFT_EVENTS_KILLS ?? 1);
    const isLarge = load > 10000;
    const chance = chanceFrom(process.env.WEFT_SEED);
    const told = new Told();
    const cluster = await ThreeNodes.start(3, { prepare: (world) => world.flags.push("--events-allow-private", "on") });
    const hard = await HardReceiver.open({ chance, trouble: isLarge ? 10 : 5, statuses: isLarge ? [500, 503, 429, 404] : [500, 429, 404], stallMs: isLarge ? 40000 : 200, take: (event) => told.take(event) });
    const strict = await Receiver.open();
    strict.answer = ({ json, headers }) => (headers["aeg-event-type"] === "SubscriptionValidation" ? willing({ headers, json }) : { status: json[0].data.messageBody.startsWith("poison") ? 400 : 200 });
    const client = cluster.nodes[0];
    const began = performance.now();
    const users = await client.newUsers(2);
    // Two events of each message: of the thread, and of the other one in it.
    const types = { includedEventTypes: ["ChatMessageReceivedInThread", "ChatMessageReceived"] };
    await subscribe(client, "hard", hard, { filter: types, ...(isLarge ? { maxEventsPerBatch: 20 } : {}) });
    await subscribe(client, "strict", strict, { filter: { includedEventTypes: ["ChatMessageReceivedInThread"], advancedFilters: [{ key: "data.messageBody", operatorType: "StringContains", values: ["poison", "sweet"] }] } });
    const probe = await client.newThread(users);
    await until("it is known at every node", async () => {
        for (const world of cluster.nodes) {
            const answer = await world.exchange("GET", "/metrics", { headers: { Authorization: `Bearer ${world.node.adminToken}` } });
            if (!/weft_events_pending\{subscription="hard"\}/.test(answer.text) || !/weft_events_pending\{subscription="strict"\}/.test(answer.text)) return false;
        }
        return true;
    });
    await client.newMessage(users[0], probe, "probe");
    const threads = await Promise.all(Array.from({ length: isLarge ? 100 : 10 }, () => client.newThread(users)));
    const perThread = Math.ceil(load / 2 / threads.length);
    const sent = new Map(threads.map((thread) => [thread, new Set()]));
    const poison = new Set();
    let count = 0;
    const sendAll = async (thread) => {
        for (let number = 0; number < perThread; number++) {
            const content = number === 1 ? `poison ${thread}` : number === 2 ? `sweet ${thread}` : `message ${number}`;
            const requestId = randomUUID();
            const { id } = await until("it is sent", () => client.newMessage(users[0], thread, content, requestId).catch(() => false), 120000);
            sent.get(thread).add(id);
            if (number === 1) poison.add(`${thread} ${id}`);
            count++;
        }
    };
    const sending = Promise.all(threads.map(sendAll));
    const dying = (async () => {
        for (let number = 0; number < kills; number++) {
            await until("some have been sent", () => count >= (threads.length * perThread * (number + 0.5)) / kills, 3600000);
            const victim = await cluster.leader();
            victim.isDisturbed = true;
            victim.node.signal("SIGKILL");
            await victim.node.waitEnd(60000);
            await hard.die(isLarge ? 5000 : 500);
            await victim.start({ flags: victim.flags });
            await cluster.whole(300000);
        }
    })();
    await Promise.all([sending, dying]);
    const sentMs = performance.now() - began;
    const missing = () => threads.reduce((sum, thread) => sum + [...sent.get(thread)].filter((id) => !told.threads.get(thread)?.messages.has(id)).length, 0);
    await until("every message has been told", () => missing() === 0, isLarge ? 3600000 : 300000).catch((error) => { throw new Error(`${error.message}; ${missing()} are missing`); });
    const toldMs = performance.now() - began;
    for (const thread of threads) {
        assert.deepEqual(told.threads.get(thread).wrong, [], `in order, seed ${chance.seed}`);
        await until("both events of each", () => told.threads.get(thread).ids.size >= 2 * perThread, 600000);
        assert.equal(told.threads.get(thread).ids.size, 2 * perThread, "and no other");
    }
    assert.equal(hard.redirected, 0);
    const letters = async () => new Set((await Promise.all(cluster.nodes.map((world) => admin(world, "GET", `${pathOf("strict")}/dead-letters?count=1000`)))).flatMap(({ json }) => json.value).map(({ data }) => `${data.threadId} ${data.messageId}`));
    await until("what is refused for good is a dead letter", async () => (await letters()).size >= poison.size, 300000);
    assert.deepEqual(await letters(), poison);
    await until("the others came", () => new Set(strict.got.flatMap(({ json }) => json).map(({ data }) => data.messageBody)).size >= 2 * threads.length, 300000);
    assert.equal((await Promise.all(cluster.nodes.map((world) => admin(world, "GET", `${pathOf("hard")}/dead-letters`)))).flatMap(({ json }) => json.value).length, 0);
    if (isLarge)
        console.log(`# ${2 * count} events in ${threads.length} threads, ${kills} kills: sent in ${Math.round(sentMs / 1000)} s, all told after ${Math.round(toldMs / 1000)} s, ${hard.requests} requests, ${told.doubles} doubles, ${poison.size} dead letters, ${JSON.stringify(hard.mischief)}`);
    hard.close();
    strict.close();
    await cluster.stop();
}, { skip, deadlineMs: process.env.WEFT_EVENTS_LOAD ? 7200000 : 600000 });

await run("events");
