// Real time with the official chat clients 1.6.0 and 1.5.4, as a browser has them (contract 10, real-time protocol). Run
// with `node --conditions=browser`.

import "./lib/node-browser-globals.mjs";
import assert from "node:assert/strict";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatClient as Chat16 } from "@azure/communication-chat";
import { ChatClient as Chat15 } from "./node_modules/.weft/chat-1-5-browser.mjs";
import { canShift, goToLast } from "./lib/clock.mjs";
import { run, test } from "./lib/harness.mjs";
import { Proxy } from "./lib/proxy.mjs";
import {
    Inbox, chatCall, identifier, identityCall, isCluster, newMessage, newThread, newToken, newUsers, nextEndpoint, nextPort, node, nodeAt, participant, threadPath, until,
} from "./lib/world.mjs";

const EVENTS = [
    "chatMessageReceived", "chatMessageEdited", "chatMessageDeleted", "typingIndicatorReceived", "readReceiptReceived", "chatThreadCreated",
    "chatThreadDeleted", "chatThreadPropertiesUpdated", "participantsAdded", "participantsRemoved",
];
const kindOf = (user) => ({ kind: "communicationUser", communicationUserId: user.id });
const acs = (user) => ({ communicationUserId: user.id });
const NASTY = "100%41 %u00e9 %25 Zoë 日本 🧵 \"q\" \\ </b>";

const open = new Set();

/** A connected client whose events arrive in `inbox` as `{event, ...payload}`. */
async function listen(user, { Client = Chat16, at = nextEndpoint(), credential = new AzureCommunicationTokenCredential(user.token) } = {}) {
    const client = new Client(at, credential);
    const inbox = new Inbox(`an event for ${user.name ?? user.id}`);
    const link = new Inbox("connected or disconnected");
    const listener = {
        user, client, inbox, link, at,
        next: (event, fits = () => true) => inbox.take((item) => item.event === event && fits(item), event),
        stop: async () => {
            open.delete(listener);
            await client.stopRealtimeNotifications();
        },
    };
    open.add(listener);
    await client.startRealtimeNotifications();
    for (const event of EVENTS) client.on(event, (payload) => inbox.push({ event, ...payload }));
    client.on("realTimeNotificationConnected", () => link.push("connected"));
    client.on("realTimeNotificationDisconnected", () => link.push("disconnected"));
    await link.take((state) => state === "connected", "realTimeNotificationConnected");
    return listener;
}

/** A case with a clean-up of its clients. */
const realtime = (name, body, options) =>
    test(name, async () => {
        try {
            await body();
        } finally {
            await Promise.all([...open].map((listener) => listener.stop().catch(() => {})));
        }
    }, { deadlineMs: 120000, ...options });

const send = (user, method, path, body) =>
    chatCall(method, path, { token: user.token, body }).then((answer) => {
        assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
        return answer.json;
    });
const stored = async (user, threadId, messageId) => (await chatCall("GET", `${threadPath(threadId)}/messages/${messageId}`, { token: user.token })).json;
const near = (date, what) => {
    assert.ok(date instanceof Date && !Number.isNaN(date.getTime()), `${what}: ${date}`);
    assert.ok(Math.abs(date.getTime() - Date.now()) < 3600000, `${what}: ${date.toISOString()}`);
};
const decimal = (text, what) => assert.match(text, /^\d{13,}$/, what);

/** That nothing else arrives: an event made later and certainly delivered is the next one for every listener. */
async function nothingBefore(listeners, sender, threadId, what) {
    const content = `marker after ${what}`;
    await newMessage(sender, threadId, content);
    for (const listener of [listeners].flat()) {
        const { message, event, ...rest } = await listener.inbox.take();
        assert.deepEqual({ event, message }, { event: "chatMessageReceived", message: content }, `${what}: ${JSON.stringify(rest)}`);
    }
}

for (const [version, Client] of [["1.6.0", Chat16], ["1.5.4", Chat15]]) {
    realtime(`${version}: all ten events with all their fields`, async () => {
        const [creator, other, third] = await newUsers(3);
        const sender = await listen(creator, { Client });
        const reader = await listen(other, { Client });
        const both = [[sender, creator], [reader, other]];
        const is16 = version === "1.6.0";

        const created = await send(creator, "POST", "/chat/threads", {
            topic: NASTY,
            participants: [participant(creator.id, { displayName: "Creator" }), participant(other.id, { displayName: NASTY, metadata: { role: NASTY } })],
            metadata: { "key %41": NASTY },
            retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 40 },
        });
        const threadId = created.chatThread.id;
        const path = threadPath(threadId);
        for (const [listener] of both) {
            const event = await listener.next("chatThreadCreated");
            assert.equal(event.threadId, threadId);
            near(event.createdOn, "createdOn");
            decimal(event.version, "version");
            assert.equal(event.properties.topic, NASTY);
            assert.deepEqual(event.createdBy.id, kindOf(creator));
            assert.equal(event.createdBy.displayName, "Creator");
            const members = Object.fromEntries(event.participants.map((member) => [member.id.communicationUserId, member]));
            assert.equal(event.participants.length, 2);
            assert.equal(members[creator.id].displayName, "Creator");
            assert.equal(members[other.id].displayName, NASTY);
            if (is16) {
                assert.deepEqual(event.properties.metadata, { "key %41": NASTY });
                assert.deepEqual(event.retentionPolicy, { kind: "threadCreationDate", deleteThreadAfterDays: 40 });
                assert.deepEqual(members[other.id].metadata, { role: NASTY });
            }
        }

        const { id } = await send(creator, "POST", `${path}/messages`, { content: NASTY, senderDisplayName: NASTY, metadata: { tag: NASTY, empty: "" } });
        const message = await stored(creator, threadId, id);
        for (const [listener, user] of both) {
            const event = await listener.next("chatMessageReceived");
            assert.equal(event.threadId, threadId);
            assert.deepEqual(event.sender, kindOf(creator));
            assert.deepEqual(event.recipient, kindOf(user));
            assert.equal(event.senderDisplayName, NASTY);
            assert.equal(event.id, id);
            assert.equal(event.version, message.version);
            assert.equal(event.type, "Text");
            assert.equal(event.message, NASTY);
            assert.deepEqual(event.metadata, { tag: NASTY, empty: "" });
            assert.deepEqual(event.attachments ?? [], []);
            assert.equal(Math.floor(event.createdOn.getTime() / 1000), Date.parse(message.createdOn) / 1000);
        }

        const html = await send(other, "POST", `${path}/messages`, { content: "<b>bold %41</b><script>alert(1)</script>", type: "html" });
        for (const [listener] of both) {
            const event = await listener.next("chatMessageReceived", (item) => item.id === html.id);
            assert.equal(event.type, "RichText/Html");
            assert.equal(event.message, (await stored(other, threadId, html.id)).content.message);
            assert.equal(event.senderDisplayName, "");
            assert.deepEqual(event.metadata, {});
        }

        await send(creator, "PATCH", `${path}/messages/${id}`, { content: "edited %41", metadata: { tag: "b", empty: "" } });
        const edited = await stored(creator, threadId, id);
        for (const [listener, user] of both) {
            const event = await listener.next("chatMessageEdited");
            assert.equal(event.threadId, threadId);
            assert.deepEqual(event.sender, kindOf(creator));
            assert.deepEqual(event.recipient, kindOf(user));
            assert.equal(event.senderDisplayName, NASTY);
            assert.equal(event.id, id);
            assert.equal(event.version, edited.version);
            assert.equal(event.message, "edited %41");
            assert.deepEqual(event.metadata, { tag: "b" });
            assert.equal(event.type, "Text");
            near(event.createdOn, "createdOn");
            assert.equal(Math.floor(event.editedOn.getTime() / 1000), Date.parse(edited.editedOn) / 1000);
        }

        await send(creator, "DELETE", `${path}/messages/${id}`);
        const deleted = await stored(creator, threadId, id);
        for (const [listener, user] of both) {
            const event = await listener.next("chatMessageDeleted");
            assert.equal(event.threadId, threadId);
            assert.deepEqual(event.sender, kindOf(creator));
            assert.deepEqual(event.recipient, kindOf(user));
            assert.equal(event.senderDisplayName, NASTY);
            assert.equal(event.id, id);
            assert.equal(event.version, deleted.version);
            assert.equal(event.type, "Text");
            near(event.createdOn, "createdOn");
            assert.equal(Math.floor(event.deletedOn.getTime() / 1000), Date.parse(deleted.deletedOn) / 1000);
        }

        await send(creator, "POST", `${path}/typing`, { senderDisplayName: NASTY });
        for (const [listener, user] of both) {
            const event = await listener.next("typingIndicatorReceived");
            assert.equal(event.threadId, threadId);
            assert.deepEqual(event.sender, kindOf(creator));
            assert.deepEqual(event.recipient, kindOf(user));
            assert.equal(event.senderDisplayName, NASTY);
            decimal(event.version, "version");
            near(event.receivedOn, "receivedOn");
        }

        await send(other, "POST", `${path}/readReceipts`, { chatMessageId: html.id });
        const receipt = await sender.next("readReceiptReceived");
        assert.equal(receipt.threadId, threadId);
        assert.deepEqual(receipt.sender, kindOf(other));
        assert.deepEqual(receipt.recipient, kindOf(creator));
        assert.equal(receipt.chatMessageId, html.id);
        near(receipt.readOn, "readOn");

        await send(other, "PATCH", path, { topic: `new ${NASTY}`, metadata: { "key %41": "", second: "2" }, retentionPolicy: null });
        for (const [listener] of both) {
            const event = await listener.next("chatThreadPropertiesUpdated");
            assert.equal(event.threadId, threadId);
            decimal(event.version, "version");
            assert.equal(event.properties.topic, `new ${NASTY}`);
            near(event.updatedOn, "updatedOn");
            assert.deepEqual(event.updatedBy.id, kindOf(other));
            assert.equal(event.updatedBy.displayName, NASTY);
            if (is16) {
                assert.deepEqual(event.properties.metadata, { second: "2" });
                assert.deepEqual(event.retentionPolicy, { kind: "none" });
            }
        }

        const shareHistoryTime = "2026-01-02T03:04:05Z";
        const late = await listen(third, { Client });
        await send(other, "POST", `${path}/participants/:add`, { participants: [participant(third.id, { displayName: NASTY, shareHistoryTime, metadata: { m: NASTY } })] });
        for (const listener of [sender, reader, late]) {
            const event = await listener.next("participantsAdded");
            assert.equal(event.threadId, threadId);
            decimal(event.version, "version");
            near(event.addedOn, "addedOn");
            assert.deepEqual(event.addedBy.id, kindOf(other));
            assert.equal(event.participantsAdded.length, 1);
            const [added] = event.participantsAdded;
            assert.deepEqual(added.id, kindOf(third));
            assert.equal(added.displayName, NASTY);
            assert.equal(added.shareHistoryTime.toISOString(), "2026-01-02T03:04:05.000Z");
            if (is16) assert.deepEqual(added.metadata, { m: NASTY });
        }

        await send(creator, "POST", `${path}/participants/:remove`, identifier(third.id));
        for (const listener of [sender, reader, late]) {
            const event = await listener.next("participantsRemoved");
            assert.equal(event.threadId, threadId);
            decimal(event.version, "version");
            near(event.removedOn, "removedOn");
            assert.deepEqual(event.removedBy.id, kindOf(creator));
            assert.equal(event.removedBy.displayName, "Creator");
            assert.deepEqual(event.participantsRemoved.map((member) => member.id), [kindOf(third)]);
            assert.equal(event.participantsRemoved[0].displayName, NASTY);
        }

        await send(creator, "DELETE", path);
        for (const [listener] of both) {
            const event = await listener.next("chatThreadDeleted");
            assert.equal(event.threadId, threadId);
            decimal(event.version, "version");
            near(event.deletedOn, "deletedOn");
            assert.deepEqual(event.deletedBy.id, kindOf(creator));
            if (is16) assert.equal(event.reason, "deletedByUser");
        }
        const unexpected = [...sender.inbox.items, ...reader.inbox.items, ...late.inbox.items].filter((item) => item.event !== "readReceiptReceived");
        assert.deepEqual(unexpected, [], "no event comes twice");
    });

    realtime(`${version}: messages arrive once and in order`, async () => {
        const [creator, other] = await newUsers(2);
        const threadId = await newThread(creator, [other]);
        const listener = await listen(other, { Client });
        const ids = [];
        for (let index = 0; index < 50; index++) ids.push(await newMessage(creator, threadId, `message ${index}`));
        const events = await listener.inbox.takeMany(50, (item) => item.event === "chatMessageReceived");
        assert.deepEqual(events.map((event) => event.id), ids);
        await nothingBefore(listener, creator, threadId, "fifty messages");
    });
}

realtime("connected and disconnected are told, and after stop nothing more", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const listener = await listen(other);
    await newMessage(creator, threadId, "heard");
    await listener.next("chatMessageReceived");
    await listener.stop();
    const again = await listen(other);
    await newMessage(creator, threadId, "heard by the second only");
    await again.next("chatMessageReceived");
    assert.deepEqual(listener.inbox.items, []);
});

realtime("an endpoint with a slash at its end has real time too", async () => {
    const [creator, other] = await newUsers(2);
    const listener = await listen(other, { at: `${nextEndpoint()}/` });
    const threadId = await newThread(creator, [other]);
    assert.equal((await listener.next("chatThreadCreated")).threadId, threadId);
});

realtime("a change of metadata or retention alone is told too", async () => {
    const [creator] = await newUsers(1);
    const threadId = await newThread(creator);
    const listener = await listen(creator);
    await send(creator, "PATCH", threadPath(threadId), { metadata: { a: "1" } });
    assert.deepEqual((await listener.next("chatThreadPropertiesUpdated")).properties, { topic: "a thread", metadata: { a: "1" } });
    await send(creator, "PATCH", threadPath(threadId), { retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 30 } });
    assert.deepEqual((await listener.next("chatThreadPropertiesUpdated")).retentionPolicy, { kind: "threadCreationDate", deleteThreadAfterDays: 30 });
});

realtime("both endpoints of a user hear everything, each once", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const endpoints = [await listen(other), await listen(other), await listen(creator)];
    const id = await newMessage(creator, threadId, "for all");
    for (const listener of endpoints) assert.equal((await listener.next("chatMessageReceived")).id, id);
    await endpoints[0].stop();
    const second = await newMessage(creator, threadId, "for those who stayed");
    for (const listener of endpoints.slice(1)) assert.equal((await listener.next("chatMessageReceived")).id, second);
    await nothingBefore(endpoints.slice(1), creator, threadId, "two endpoints");
    assert.deepEqual(endpoints[0].inbox.items, []);
});

realtime("strangers hear nothing, newcomers from their arrival on", async () => {
    const [creator, stranger] = await newUsers(2);
    const threadId = await newThread(creator);
    const listener = await listen(stranger);
    await newMessage(creator, threadId, "not for strangers");
    await send(creator, "POST", `${threadPath(threadId)}/participants/:add`, { participants: [participant(stranger.id)] });
    assert.equal((await listener.inbox.take()).event, "participantsAdded");
    await nothingBefore(listener, creator, threadId, "being added");
});

realtime("a removed user is told so, and then nothing", async () => {
    const [creator, removed] = await newUsers(2);
    const threadId = await newThread(creator, [removed]);
    const elsewhere = await newThread(creator, [removed]);
    const listener = await listen(removed);
    await send(creator, "POST", `${threadPath(threadId)}/participants/:remove`, identifier(removed.id));
    const event = await listener.inbox.take();
    assert.equal(event.event, "participantsRemoved");
    assert.deepEqual(event.participantsRemoved.map((member) => member.id), [kindOf(removed)]);
    await newMessage(creator, threadId, "after the removal");
    await send(creator, "PATCH", threadPath(threadId), { topic: "after the removal" });
    await send(creator, "POST", `${threadPath(threadId)}/typing`, {});
    await send(creator, "DELETE", threadPath(threadId));
    await nothingBefore(listener, creator, elsewhere, "the removal");
});

realtime("who is added again hears the thread again", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const listener = await listen(other);
    await send(creator, "POST", `${threadPath(threadId)}/participants/:remove`, identifier(other.id));
    await listener.next("participantsRemoved");
    await newMessage(creator, threadId, "unheard");
    await send(creator, "POST", `${threadPath(threadId)}/participants/:add`, { participants: [participant(other.id)] });
    assert.equal((await listener.inbox.take()).event, "participantsAdded");
    await nothingBefore(listener, creator, threadId, "being added again");
});

realtime("the system message is stored before the event is told", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator);
    const listener = await listen(creator);
    await send(creator, "POST", `${threadPath(threadId)}/participants/:add`, { participants: [participant(other.id)] });
    await listener.next("participantsAdded");
    const query = `startTime=${encodeURIComponent(new Date(Date.now() - 10000).toISOString())}`;
    const list = await chatCall("GET", `${threadPath(threadId)}/messages`, { token: creator.token, query });
    assert.equal(list.json.value[0].type, "participantAdded");
    assert.equal(list.json.value[0].content.participants[0].communicationIdentifier.rawId, other.id);
});

realtime("after a cut connection the missed events come once, in order", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const proxy = await new Proxy(nextPort).listen();
    try {
        const listener = await listen(other, { at: proxy.endpoint });
        assert.ok(proxy.pairs.size > 0, "the real time goes through the proxy");
        const before = await newMessage(creator, threadId, "before");
        assert.equal((await listener.next("chatMessageReceived")).id, before);
        proxy.cut();
        await listener.link.take((state) => state === "disconnected");
        const ids = [];
        for (let index = 0; index < 5; index++) ids.push(await newMessage(creator, threadId, `missed ${index}`));
        await send(creator, "PATCH", `${threadPath(threadId)}/messages/${ids[0]}`, { content: "edited meanwhile" });
        const born = await newThread(creator, [other], "born meanwhile");
        proxy.mend();
        await listener.link.take((state) => state === "connected", "connected again", 60000);
        // The answer to the first push may have died with the connection; then that one comes again.
        const events = await listener.inbox.takeMany(7, (item) => item.id !== before, "the missed events");
        for (const item of listener.inbox.items.splice(0)) assert.equal(item.id, before);
        assert.deepEqual(events.filter((item) => item.event === "chatMessageReceived").map((item) => item.id), ids);
        assert.deepEqual(events.filter((item) => item.event === "chatMessageEdited").map((item) => item.id), [ids[0]]);
        assert.deepEqual(events.filter((item) => item.event === "chatThreadCreated").map((item) => item.threadId), [born]);
        await nothingBefore(listener, creator, threadId, "the reconnect");
    } finally {
        for (const listener of open) await listener.stop().catch(() => {});
        proxy.close();
    }
});

realtime("a connection that is cut again and again loses and repeats nothing", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const proxy = await new Proxy(nextPort).listen();
    try {
        const listener = await listen(other, { at: proxy.endpoint });
        const ids = [];
        for (let round = 0; round < 4; round++) {
            ids.push(await newMessage(creator, threadId, `before cut ${round}`));
            proxy.cut();
            await listener.link.take((state) => state === "disconnected");
            ids.push(await newMessage(creator, threadId, `during cut ${round}`));
            proxy.mend();
            await listener.link.take((state) => state === "connected", "connected again", 60000);
        }
        const events = await listener.inbox.takeMany(ids.length, (item) => item.event === "chatMessageReceived");
        // A push whose answer was lost with the connection may come again, so an id may come twice; none may be missing.
        const seen = new Set([...events, ...listener.inbox.items].map((item) => item.id));
        await until("every message has come", () => {
            for (const item of listener.inbox.items) seen.add(item.id);
            return ids.every((id) => seen.has(id));
        }, 20000);
    } finally {
        for (const listener of open) await listener.stop().catch(() => {});
        proxy.close();
    }
});

realtime("a token that runs out is refreshed without losing anything", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const short = await newToken(other.id, ["chat"], 60);
    goToLast(12);
    let refreshed = 0;
    const credential = new AzureCommunicationTokenCredential({ token: short, tokenRefresher: async () => (refreshed++, other.token) });
    const listener = await listen(other, { credential });
    const before = await newMessage(creator, threadId, "before");
    assert.equal((await listener.next("chatMessageReceived")).id, before);
    await listener.link.take((state) => state === "disconnected", "disconnected at expiry", 40000);
    await listener.link.take((state) => state === "connected", "connected with the new token", 40000);
    assert.ok(refreshed >= 1);
    const after = await newMessage(creator, threadId, "after");
    assert.equal((await listener.next("chatMessageReceived", (item) => item.id !== before)).id, after);
}, { skip: canShift ? false : "needs a node whose clock can be moved" });

realtime("a revoked token ends the real time", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const listener = await listen(other);
    assert.equal((await identityCall("POST", `/identities/${encodeURIComponent(other.id)}/:revokeAccessTokens`)).status, 204);
    await listener.link.take((state) => state === "disconnected", "disconnected after the revocation");
    await newMessage(creator, threadId, "not for the holder of a revoked token");
    assert.deepEqual(listener.inbox.items, []);
});

realtime("when the node drains and comes back, the client follows by itself", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const listener = await listen(other);
    const before = await newMessage(creator, threadId, "before");
    assert.equal((await listener.next("chatMessageReceived")).id, before);
    const its = nodeAt(listener.at);
    its.signal("SIGTERM");
    await its.waitEnd(60000);
    await its.start();
    await its.waitReady(60000);
    await listener.link.take((state) => state === "connected", "connected to the node that came back", 90000);
    const after = await newMessage(creator, threadId, "after");
    assert.equal((await listener.next("chatMessageReceived", (item) => item.id !== before)).id, after);
}, { skip: node ? false : "needs a node of its own", deadlineMs: 240000 });

realtime("when its node dies the client goes on at another one", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const [dying, living] = [nextEndpoint(), nextEndpoint()];
    let at = dying;
    const proxy = await new Proxy(() => new URL(at).port).listen();
    const post = async (content) => {
        const answer = await chatCall("POST", `${threadPath(threadId)}/messages`, { token: creator.token, body: { content }, at: living });
        assert.equal(answer.status, 201, answer.text);
        return answer.json.id;
    };
    try {
        const listener = await listen(other, { at: proxy.endpoint });
        const before = await post("before");
        assert.equal((await listener.next("chatMessageReceived")).id, before);
        at = living;
        await nodeAt(dying).kill();
        await listener.link.take((state) => state === "disconnected");
        await listener.link.take((state) => state === "connected", "connected to another node", 60000);
        const after = await post("after");
        assert.equal((await listener.next("chatMessageReceived", (item) => item.id !== before)).id, after);
        assert.deepEqual(listener.inbox.items, []);
    } finally {
        for (const listener of open) await listener.stop().catch(() => {});
        proxy.close();
        await nodeAt(dying).start();
        await nodeAt(dying).waitReady(60000);
    }
}, { skip: node && isCluster ? false : "needs several nodes of its own", deadlineMs: 240000 });

await run("realtime-sdk");
