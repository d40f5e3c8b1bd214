// The chat REST API through the official client, and by hand where the client hides what goes over the wire
// (contract 1 and 4 to 9).

import assert from "node:assert/strict";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatClient } from "@azure/communication-chat";
import { exchange } from "./lib/http.mjs";
import { run, test } from "./lib/harness.mjs";
import {
    CHAT_VERSION, allMessages, chatCall, collect, identifier, identityCall, newMessage, newThread, newToken, newUser,
    newUsers, nextEndpoint, participant, threadPath, uuid,
} from "./lib/world.mjs";

const EPOCH = "1970-01-01T00:00:00Z";
const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const THREAD_ID = /^19:acsV1_[A-Za-z0-9_-]{43}1@thread\.v2$/;
const clientOf = (user, options) => new ChatClient(nextEndpoint(), new AzureCommunicationTokenCredential(user.token), options);
const acs = (user) => ({ communicationUserId: user.id });
const kindOf = (user) => ({ kind: "communicationUser", communicationUserId: user.id });
const rejects = (promise, statusCode, code) =>
    assert.rejects(promise, (error) => {
        assert.equal(error.statusCode, statusCode, `${error.statusCode} ${error.code} ${error.message}`);
        if (code) assert.equal(error.code, code);
        return true;
    });
const refused = (answer, status, code) => {
    assert.equal(answer.status, status, `${answer.status} ${answer.text}`);
    assert.deepEqual(Object.keys(answer.json ?? {}).filter((key) => key === "error"), ["error"], answer.text);
    assert.equal(typeof answer.json.error.message, "string");
    if (code) assert.equal(answer.json.error.code, code);
    else assert.equal(typeof answer.json.error.code, "string");
};

/** A thread of the SDK: `{creator, others, client, thread, id}`. */
async function aThread(othersCount = 1, options = {}) {
    const [creator, ...others] = await newUsers(1 + othersCount);
    const client = clientOf(creator);
    const { chatThread } = await client.createChatThread(
        { topic: options.topic ?? "a thread" },
        { participants: others.map((user) => ({ id: acs(user), displayName: `user ${others.indexOf(user)}` })), ...options.create },
    );
    return { creator, others, client, id: chatThread.id, thread: client.getChatThreadClient(chatThread.id) };
}

/** `list` is given the options of a list operation. */
async function pagesOf(list, maxPageSize) {
    const pages = [];
    for await (const page of list({ maxPageSize }).byPage()) pages.push(page);
    return pages;
}

// Threads

test("createChatThread gives the thread with the creator as its first participant", async () => {
    const [creator, other] = await newUsers(2);
    const client = clientOf(creator);
    const result = await client.createChatThread({ topic: "Hello" }, { participants: [{ id: acs(other), displayName: "Other" }] });
    assert.equal(result.invalidParticipants, undefined);
    const { chatThread } = result;
    assert.match(chatThread.id, THREAD_ID);
    assert.equal(chatThread.topic, "Hello");
    assert.deepEqual(chatThread.createdBy, kindOf(creator));
    assert.ok(chatThread.createdOn instanceof Date);
    assert.equal(chatThread.deletedOn, undefined);
    assert.equal(chatThread.metadata, undefined);
    const members = await collect(client.getChatThreadClient(chatThread.id).listParticipants());
    assert.deepEqual(members.map((member) => member.id), [kindOf(creator), kindOf(other)]);
    assert.equal(members[1].displayName, "Other");
    assert.equal(members[0].displayName, undefined);
});

test("the body of a creation is exactly the documented one", async () => {
    const [creator, other] = await newUsers(2);
    const body = {
        topic: "Hello",
        participants: [participant(creator.id, { displayName: "Bob" }), participant(other.id)],
        metadata: { k: "v" },
        retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 90 },
    };
    const answer = await chatCall("POST", "/chat/threads", { token: creator.token, body });
    assert.equal(answer.status, 201, answer.text);
    const { id, createdOn, ...rest } = answer.json.chatThread;
    assert.match(id, THREAD_ID);
    assert.match(createdOn, SECONDS);
    assert.deepEqual(rest, {
        topic: "Hello",
        createdByCommunicationIdentifier: identifier(creator.id),
        metadata: { k: "v" },
        retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 90 },
    });
    assert.deepEqual(Object.keys(answer.json), ["chatThread"]);
    assert.equal(new URL(answer.headers.location).pathname, `/chat/threads/${id.replace(":", "%3A")}`);
});

test("a creation with all 250 participants in one call works", async () => {
    const creator = await newUser();
    const others = await newUsers(249);
    const body = { topic: "full", participants: others.map((user) => participant(user.id, { displayName: "somebody" })) };
    const answer = await chatCall("POST", "/chat/threads", { token: creator.token, body });
    assert.equal(answer.status, 201, answer.text.slice(0, 300));
    assert.equal(answer.json.invalidParticipants, undefined);
    const thread = clientOf(creator).getChatThreadClient(answer.json.chatThread.id);
    assert.equal((await collect(thread.listParticipants())).length, 250);
    const pages = await pagesOf((options) => thread.listParticipants(options), 100);
    assert.deepEqual(pages.map((page) => page.length), [100, 100, 50]);
    const oneMore = await newUser();
    const tooMany = await chatCall("POST", `${threadPath(answer.json.chatThread.id)}/participants/:add`, {
        token: creator.token,
        body: { participants: [participant(oneMore.id)] },
    });
    refused(tooMany, 400);
    const last = await chatCall("GET", threadPath(answer.json.chatThread.id), { token: others[248].token });
    assert.equal(last.status, 200);
    const tooBig = { topic: "too full", participants: [...others, ...(await newUsers(2))].map((user) => participant(user.id)) };
    refused(await chatCall("POST", "/chat/threads", { token: creator.token, body: tooBig }), 400);
});

test("the same repeatability id gives the same thread, another user's or another id a new one", async () => {
    const [creator, other] = await newUsers(2);
    const client = clientOf(creator);
    const idempotencyToken = uuid();
    const first = await client.createChatThread({ topic: "once" }, { idempotencyToken, participants: [{ id: acs(other) }] });
    const again = await client.createChatThread({ topic: "once" }, { idempotencyToken, participants: [{ id: acs(other) }] });
    assert.equal(again.chatThread.id, first.chatThread.id);
    assert.deepEqual(again.chatThread, first.chatThread);
    const foreign = await clientOf(other).createChatThread({ topic: "once" }, { idempotencyToken });
    assert.notEqual(foreign.chatThread.id, first.chatThread.id);
    const fresh = await client.createChatThread({ topic: "once" });
    assert.notEqual(fresh.chatThread.id, first.chatThread.id);
    const messages = await allMessages(creator, first.chatThread.id);
    assert.equal(messages.length, 2, "no second pair of system messages");
    assert.equal((await collect(client.listChatThreads())).length, 2);
});

test("participants that do not exist or are foreign are reported and skipped", async () => {
    const creator = await newUser();
    const resource = creator.id.split("_")[0];
    const unknown = `${resource}_${uuid()}`;
    const foreign = `8:acs:${uuid()}_${uuid()}`;
    const other = await newUser();
    const client = clientOf(creator);
    const result = await client.createChatThread(
        { topic: "partly" },
        { participants: [unknown, foreign, other.id].map((id) => ({ id: { communicationUserId: id } })) },
    );
    const reported = Object.fromEntries(result.invalidParticipants.map((error) => [error.target, error]));
    assert.deepEqual(Object.keys(reported).sort(), [unknown, foreign].sort());
    for (const error of Object.values(reported)) {
        assert.ok(["403", "404"].includes(error.code));
        assert.equal(error.message, error.code === "403" ? "Permissions check failed" : "Not found");
    }
    const thread = client.getChatThreadClient(result.chatThread.id);
    assert.deepEqual((await collect(thread.listParticipants())).map((member) => member.id.communicationUserId), [creator.id, other.id]);
    const added = await thread.addParticipants({ participants: [{ id: { communicationUserId: unknown } }] });
    assert.equal(added.invalidParticipants[0].target, unknown);
    assert.equal((await allMessages(creator, result.chatThread.id)).length, 2, "adding nobody writes nothing");
});

test("identifiers that contradict themselves or have no form are refused with 400", async () => {
    const [creator, other] = await newUsers(2);
    const wrong = [
        { rawId: "8:acs:invalidUserId" },
        { communicationUser: { id: "8:acs:invalidUserId" } },
        { rawId: other.id, communicationUser: { id: creator.id } },
        { rawId: other.id, communicationUser: { id: other.id }, phoneNumber: { value: "+1555" } },
        {},
        "text",
        { rawId: 7 },
        { communicationUser: {} },
    ];
    for (const communicationIdentifier of wrong) {
        const body = { topic: "wrong", participants: [{ communicationIdentifier }] };
        refused(await chatCall("POST", "/chat/threads", { token: creator.token, body }), 400);
    }
    const right = [{ rawId: other.id }, { communicationUser: { id: other.id } }, { kind: "communicationUser", ...identifier(other.id) },
        { ...identifier(other.id), phoneNumber: null, microsoftTeamsUser: null }];
    for (const communicationIdentifier of right) {
        const body = { topic: "right", participants: [{ communicationIdentifier }] };
        const answer = await chatCall("POST", "/chat/threads", { token: creator.token, body });
        assert.equal(answer.status, 201, JSON.stringify(communicationIdentifier) + answer.text);
        assert.equal(answer.json.invalidParticipants, undefined);
    }
});

test("participants of other kinds are taken in a form the client reads, or reported, never confused", async () => {
    const creator = await newUser();
    const user = uuid();
    const given = [
        [{ phoneNumber: { value: "+15551234567" } }, "4:+15551234567", { kind: "phoneNumber", phoneNumber: "+15551234567" }],
        [{ kind: "microsoftTeamsUser", rawId: `8:orgid:${user}`, microsoftTeamsUser: { userId: user, isAnonymous: false, cloud: "public" } }, `8:orgid:${user}`,
            { kind: "microsoftTeamsUser", microsoftTeamsUserId: user, isAnonymous: false, cloud: "public" }],
        [{ microsoftTeamsUser: { userId: user, isAnonymous: true } }, `8:teamsvisitor:${user}`, { kind: "microsoftTeamsUser", microsoftTeamsUserId: user, isAnonymous: true }],
        [{ rawId: `8:gcch:${user}` }, `8:gcch:${user}`, { kind: "microsoftTeamsUser", microsoftTeamsUserId: user, cloud: "gcch" }],
        [{ rawId: `28:orgid:${user}` }, `28:orgid:${user}`, { kind: "microsoftTeamsApp", teamsAppId: user, cloud: "public" }],
    ];
    for (const [communicationIdentifier, rawId, expected] of given) {
        const body = { topic: "x", participants: [{ communicationIdentifier, displayName: "other" }] };
        const answer = await chatCall("POST", "/chat/threads", { token: creator.token, body });
        assert.equal(answer.status, 201, `${rawId}: ${answer.text}`);
        const members = await collect(clientOf(creator).getChatThreadClient(answer.json.chatThread.id).listParticipants());
        const [reported] = answer.json.invalidParticipants ?? [];
        if (reported) {
            assert.equal(reported.target, rawId);
            assert.ok(["403", "404"].includes(reported.code));
            assert.equal(members.length, 1);
        } else {
            const { id } = members.find((member) => member.displayName === "other");
            for (const [name, value] of Object.entries(expected)) assert.equal(id[name], value, `${rawId}: ${name}`);
            assert.equal(id.rawId, rawId);
        }
    }
    for (const rawId of ["foo", "8:acs:a_b_c_d", "", "8:", ":", "x".repeat(300)]) {
        const body = { topic: "x", participants: [{ communicationIdentifier: { rawId } }] };
        refused(await chatCall("POST", "/chat/threads", { token: creator.token, body }), 400);
    }
});

test("who is named twice is one participant", async () => {
    const [creator, other] = await newUsers(2);
    const participants = [participant(other.id, { displayName: "first" }), participant(other.id, { displayName: "last" }), participant(creator.id, { displayName: "me" })];
    const answer = await chatCall("POST", "/chat/threads", { token: creator.token, body: { topic: "x", participants } });
    assert.equal(answer.status, 201, answer.text);
    const list = await chatCall("GET", `${threadPath(answer.json.chatThread.id)}/participants`, { token: creator.token });
    const names = Object.fromEntries(list.json.value.map((member) => [member.communicationIdentifier.rawId, member.displayName]));
    assert.equal(list.json.value.length, 2);
    assert.equal(names[creator.id], "me");
    assert.equal(names[other.id], "last");
});

test("creations with the same repeatability id at the same time make one thread", async () => {
    const creator = await newUser();
    const headers = { "repeatability-request-id": uuid() };
    const answers = await Promise.all(Array.from({ length: 6 }, () => chatCall("POST", "/chat/threads", { token: creator.token, body: { topic: "once" }, headers })));
    assert.deepEqual(answers.map((answer) => answer.status), Array(6).fill(201));
    assert.equal(new Set(answers.map((answer) => answer.json.chatThread.id)).size, 1);
    assert.equal((await allMessages(creator, answers[0].json.chatThread.id)).length, 2);
});

test("adding at the same time never exceeds 250 participants", async () => {
    const creator = await newUser();
    const id = await newThread(creator, await newUsers(199));
    const late = await newUsers(100);
    const answers = await Promise.all([0, 25, 50, 75].map((from) =>
        chatCall("POST", `${threadPath(id)}/participants/:add`, { token: creator.token, body: { participants: late.slice(from, from + 25).map((user) => participant(user.id)) } })));
    assert.deepEqual(answers.map((answer) => answer.status).sort(), [201, 201, 400, 400]);
    assert.equal((await collect(clientOf(creator).getChatThreadClient(id).listParticipants())).length, 250);
});

test("getProperties, updateTopic and updateProperties go round", async () => {
    const { thread, creator } = await aThread(1);
    let properties = await thread.getProperties();
    assert.equal(properties.topic, "a thread");
    assert.deepEqual(properties.createdBy, kindOf(creator));
    assert.equal(properties.metadata, undefined);
    await thread.updateTopic("another topic");
    await thread.updateProperties({ metadata: { a: "1", b: "2" } });
    properties = await thread.getProperties();
    assert.equal(properties.topic, "another topic");
    assert.deepEqual(properties.metadata, { a: "1", b: "2" });
    await thread.updateProperties({ metadata: { b: "", c: "3" } });
    assert.deepEqual((await thread.getProperties()).metadata, { a: "1", c: "3" });
});

test("a metadata patch merges: null and the empty text remove a key, null as a whole clears", async () => {
    const { creator, id } = await aThread(0);
    const patch = async (body) => {
        const answer = await chatCall("PATCH", threadPath(id), { token: creator.token, body });
        assert.equal(answer.status, 204, answer.text);
        assert.equal(answer.text, "");
        return (await chatCall("GET", threadPath(id), { token: creator.token })).json.metadata;
    };
    assert.deepEqual(await patch({ metadata: { a: "1", b: "2", c: "3" } }), { a: "1", b: "2", c: "3" });
    assert.deepEqual(await patch({ metadata: { a: null, b: "" } }), { c: "3" });
    assert.deepEqual(await patch({}), { c: "3" });
    assert.ok([undefined, "{}"].includes(JSON.stringify(await patch({ metadata: null }))));
    refused(await chatCall("PATCH", threadPath(id), { token: creator.token, body: { metadata: { big: "x".repeat(1025) } } }), 400);
    refused(await chatCall("PATCH", threadPath(id), { token: creator.token, body: { metadata: { n: 1 } } }), 400);
    refused(await chatCall("PATCH", threadPath(id), { token: creator.token, body: { metadata: [] } }), 400);
});

test("retentionPolicy: null resets to none, absence leaves it, and its range is 30 to 90 days", async () => {
    const { thread, creator, id } = await aThread(0, { create: { retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 30 } } });
    assert.deepEqual((await thread.getProperties()).retentionPolicy, { kind: "threadCreationDate", deleteThreadAfterDays: 30 });
    await thread.updateProperties({ topic: "still there" });
    assert.deepEqual((await thread.getProperties()).retentionPolicy, { kind: "threadCreationDate", deleteThreadAfterDays: 30 });
    await thread.updateProperties({ retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 90 } });
    assert.deepEqual((await thread.getProperties()).retentionPolicy, { kind: "threadCreationDate", deleteThreadAfterDays: 90 });
    await thread.updateProperties({ retentionPolicy: null });
    assert.ok([undefined, "none"].includes((await thread.getProperties()).retentionPolicy?.kind));
    await thread.updateProperties({ retentionPolicy: { kind: "none" } });
    for (const policy of [{ kind: "threadCreationDate", deleteThreadAfterDays: 29 }, { kind: "threadCreationDate", deleteThreadAfterDays: 91 },
        { kind: "threadCreationDate" }, { kind: "nonsense" }, {}, 5]) {
        refused(await chatCall("PATCH", threadPath(id), { token: creator.token, body: { retentionPolicy: policy } }), 400);
    }
});

test("only a topic change writes a system message", async () => {
    const { thread, creator, id } = await aThread(0);
    await thread.updateProperties({ metadata: { a: "1" } });
    await thread.updateProperties({ retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 40 } });
    await thread.sendTypingNotification();
    assert.equal((await allMessages(creator, id)).length, 2);
    await thread.updateProperties({ topic: "changed" });
    const messages = await allMessages(creator, id);
    assert.equal(messages.length, 3);
    assert.equal(messages[0].type, "topicUpdated");
    assert.equal(messages[0].content.topic, "changed");
});

test("a deleted thread is gone for everybody but stays in the lists with deletedOn", async () => {
    const { client, creator, others, id } = await aThread(1);
    const messageId = await newMessage(creator, id);
    await client.deleteChatThread(id);
    for (const user of [creator, others[0]]) {
        for (const [method, path, body] of [
            ["GET", "", undefined], ["PATCH", "", { topic: "x" }], ["DELETE", "", undefined], ["GET", "/messages", undefined],
            ["GET", `/messages/${messageId}`, undefined], ["POST", "/messages", { content: "x" }], ["GET", "/participants", undefined],
            ["POST", "/typing", {}], ["GET", "/readReceipts", undefined], ["POST", "/readReceipts", { chatMessageId: messageId }],
            ["POST", "/participants/:add", { participants: [participant(creator.id)] }], ["POST", "/participants/:remove", identifier(creator.id)],
            ["PATCH", `/messages/${messageId}`, { content: "x" }], ["DELETE", `/messages/${messageId}`, undefined],
        ]) {
            const answer = await chatCall(method, threadPath(id) + path, { token: user.token, body });
            refused(answer, 404, "NotFound");
        }
        const items = await collect(clientOf(user).listChatThreads());
        assert.equal(items.length, 1);
        assert.equal(items[0].id, id);
        assert.equal(items[0].topic, "a thread");
        assert.ok(items[0].deletedOn instanceof Date);
    }
});

test("listChatThreads shows joined, left and deleted threads, latest activity first", async () => {
    const [user, other] = await newUsers(2);
    const first = await newThread(user, [other], "first");
    const second = await newThread(user, [other], "second");
    const third = await newThread(other, [user], "third");
    const removedFrom = await newThread(other, [user], "removed from");
    await clientOf(other).getChatThreadClient(removedFrom).removeParticipant(acs(user));
    await newMessage(other, first, "the latest");
    const items = await collect(clientOf(user).listChatThreads());
    const ids = items.map((item) => item.id);
    assert.deepEqual(new Set(ids), new Set([first, second, third, removedFrom]));
    assert.equal(ids[0], first, "the thread with the latest message comes first");
    for (const item of items) {
        assert.ok(item.topic.length > 0);
        assert.ok(item.lastMessageReceivedOn instanceof Date);
        assert.equal(item.deletedOn, undefined);
    }
});

test("thread lists are paged without an empty last page, in the order of the unpaged list", async () => {
    const user = await newUser();
    for (let index = 0; index < 7; index++) await newThread(user, [], `thread ${index}`);
    const client = clientOf(user);
    const all = (await collect(client.listChatThreads())).map((item) => item.id);
    assert.equal(all.length, 7);
    for (const [size, pages] of [[1, 7], [3, 3], [7, 1], [10, 1]]) {
        const found = await pagesOf((options) => client.listChatThreads(options), size);
        assert.equal(found.length, pages, `pages of ${size}`);
        assert.deepEqual(found.flat().map((item) => item.id), all);
    }
});

test("listChatThreads takes a startTime", async () => {
    const user = await newUser();
    await newThread(user);
    const client = clientOf(user);
    assert.equal((await collect(client.listChatThreads({ startTime: new Date(Date.now() - 60000) }))).length, 1);
    assert.equal((await collect(client.listChatThreads({ startTime: new Date(Date.now() + 60000) }))).length, 0);
    for (const query of ["startTime=yesterday", "maxPageSize=0", "maxPageSize=-1", "maxPageSize=x"]) {
        refused(await chatCall("GET", "/chat/threads", { token: user.token, query }), 400);
    }
    assert.equal((await chatCall("GET", "/chat/threads", { token: user.token, query: "maxPageSize=100000" })).status, 200);
});

// System messages

test("a new thread begins with participantAdded and topicUpdated", async () => {
    const { creator, others, id } = await aThread(2, { topic: "begin" });
    const answer = await chatCall("GET", `${threadPath(id)}/messages`, { token: creator.token });
    const [topic, added] = answer.json.value;
    const { id: topicId, version: topicVersion, createdOn: topicOn, ...topicRest } = topic;
    assert.deepEqual(topicRest, {
        type: "topicUpdated",
        sequenceId: "2",
        content: { topic: "begin", initiatorCommunicationIdentifier: identifier(creator.id) },
    });
    assert.equal(topicVersion, topicId);
    assert.match(topicOn, SECONDS);
    const { id: addedId, version: addedVersion, createdOn: addedOn, ...addedRest } = added;
    assert.deepEqual(addedRest, {
        type: "participantAdded",
        sequenceId: "1",
        content: {
            participants: [
                { communicationIdentifier: identifier(creator.id), shareHistoryTime: EPOCH },
                { communicationIdentifier: identifier(others[0].id), displayName: "user 0", shareHistoryTime: EPOCH },
                { communicationIdentifier: identifier(others[1].id), displayName: "user 1", shareHistoryTime: EPOCH },
            ],
            initiatorCommunicationIdentifier: identifier(creator.id),
        },
    });
    assert.equal(addedVersion, addedId);
    assert.match(addedOn, SECONDS);
    assert.ok(BigInt(topicId) > BigInt(addedId));
    assert.ok(Math.abs(Number(addedId) - Date.now()) < 3600000, "an id is the time in milliseconds");
});

test("every add and remove writes one system message with the whole batch", async () => {
    const { thread, creator, id } = await aThread(0);
    const [one, two] = await newUsers(2);
    await thread.addParticipants({ participants: [{ id: acs(one), displayName: "One" }, { id: acs(two), displayName: "Two" }] });
    await thread.addParticipants({ participants: [{ id: acs(one), displayName: "One again" }] });
    await thread.removeParticipant(acs(two));
    await thread.removeParticipant(acs(two));
    const [removed, added, ...rest] = await collect(thread.listMessages());
    assert.equal(rest.length, 2, "adding a member again and removing a stranger write nothing");
    assert.equal(removed.type, "participantRemoved");
    assert.deepEqual(removed.content.participants.map((member) => member.id), [kindOf(two)]);
    assert.equal(removed.content.participants[0].displayName, "Two");
    assert.deepEqual(removed.content.initiator, kindOf(creator));
    assert.equal(removed.sequenceId, "4");
    assert.equal(added.type, "participantAdded");
    assert.deepEqual(added.content.participants.map((member) => [member.id, member.displayName]), [[kindOf(one), "One"], [kindOf(two), "Two"]]);
    assert.deepEqual(added.content.initiator, kindOf(creator));
    assert.equal(added.sender, undefined);
    const members = await collect(thread.listParticipants());
    assert.deepEqual(members.map((member) => member.displayName), [undefined, "One again"]);
});

// Messages

test("sendMessage, getMessage and listMessages go round", async () => {
    const { thread, creator, id } = await aThread(1);
    const { id: textId } = await thread.sendMessage({ content: "plain <b>text</b> & more" });
    const { id: fullId } = await thread.sendMessage(
        { content: "with all" },
        { senderDisplayName: "Bob", type: "text", metadata: { tag: "a", empty: "" } },
    );
    const text = await thread.getMessage(textId);
    assert.equal(text.type, "text");
    assert.equal(text.sequenceId, "3");
    assert.equal(text.version, textId);
    assert.deepEqual(text.content, { message: "plain <b>text</b> & more", attachments: [] });
    assert.equal(text.senderDisplayName, "");
    assert.deepEqual(text.sender, kindOf(creator));
    assert.equal(text.metadata, undefined);
    assert.equal(text.editedOn, undefined);
    assert.equal(text.deletedOn, undefined);
    const full = await thread.getMessage(fullId);
    assert.equal(full.senderDisplayName, "Bob");
    assert.deepEqual(full.metadata, { tag: "a", empty: "" });
    assert.equal(full.sequenceId, "4");
    const raw = await chatCall("GET", `${threadPath(id)}/messages/${fullId}`, { token: creator.token });
    const { createdOn, ...rest } = raw.json;
    assert.match(createdOn, SECONDS);
    assert.deepEqual(rest, {
        id: fullId, type: "text", sequenceId: "4", version: fullId, content: { message: "with all", attachments: [] },
        senderDisplayName: "Bob", senderCommunicationIdentifier: identifier(creator.id), metadata: { tag: "a", empty: "" },
    });
    assert.deepEqual((await collect(thread.listMessages())).map((message) => message.id).slice(0, 2), [fullId, textId]);
});

test("send answers with Location and only the id", async () => {
    const { creator, id } = await aThread(0);
    const answer = await chatCall("POST", `${threadPath(id)}/messages`, { token: creator.token, body: { content: "x" } });
    assert.equal(answer.status, 201);
    assert.deepEqual(Object.keys(answer.json), ["id"]);
    assert.match(answer.json.id, /^\d{13,}$/);
    assert.equal(new URL(answer.headers.location).pathname, `/chat/threads/${id.replace(":", "%3A")}/messages/${answer.json.id}`);
});

test("text of every script comes back unchanged", async () => {
    const { thread } = await aThread(0, { topic: "Тема 主题 🧵 100%41 \"quoted\" \\ / \u0007" });
    assert.equal((await thread.getProperties()).topic, "Тема 主题 🧵 100%41 \"quoted\" \\ / \u0007");
    for (const content of ["", " ", "héllo wörld", "日本語 العربية हिन्दी", "👩‍👩‍👧‍👦🏳️‍🌈", "line\nline\ttab\r\n", "\\\"'`${}", "%41%u00e9 100%", "\u2028\u2029\ufeff"]) {
        const { id } = await thread.sendMessage({ content }, { senderDisplayName: content, metadata: { key: content } });
        const message = await thread.getMessage(id);
        assert.equal(message.content.message, content);
        assert.equal(message.senderDisplayName, content);
        assert.deepEqual(message.metadata, { key: content });
    }
});

test("a NUL in a text is refused or kept, never cut off", async () => {
    const { creator, id } = await aThread(0);
    const answer = await chatCall("POST", `${threadPath(id)}/messages`, { token: creator.token, body: { content: "a\u0000b" } });
    if (answer.status === 201) assert.equal((await allMessages(creator, id))[0].content.message, "a\u0000b");
    else refused(answer, 400);
});

test("updateMessage keeps id, sequence and creation, and moves version and place", async () => {
    const { thread } = await aThread(0);
    const { id } = await thread.sendMessage({ content: "first" }, { metadata: { a: "1", b: "2" } });
    const { id: laterId } = await thread.sendMessage({ content: "second" });
    const before = await thread.getMessage(id);
    await thread.updateMessage(id, { content: "edited", metadata: { b: "", c: "3" } });
    const after = await thread.getMessage(id);
    assert.equal(after.content.message, "edited");
    assert.deepEqual(after.metadata, { a: "1", c: "3" });
    assert.equal(after.id, id);
    assert.equal(after.sequenceId, before.sequenceId);
    assert.deepEqual(after.createdOn, before.createdOn);
    assert.ok(after.editedOn instanceof Date);
    assert.ok(BigInt(after.version) > BigInt(before.version));
    const list = (await collect(thread.listMessages())).map((message) => message.id);
    assert.deepEqual(list.slice(0, 2), [id, laterId], "the newest change comes first");
    await thread.updateMessage(laterId, { metadata: { only: "metadata" } });
    const metadataOnly = await thread.getMessage(laterId);
    assert.equal(metadataOnly.content.message, "second");
    assert.deepEqual(metadataOnly.metadata, { only: "metadata" });
    assert.ok(metadataOnly.editedOn instanceof Date);
});

test("deleteMessage leaves a mark without content, and twice is once", async () => {
    const { thread, creator, id: threadId } = await aThread(0);
    const { id } = await thread.sendMessage({ content: "secret" }, { metadata: { a: "1" }, senderDisplayName: "Bob" });
    await thread.updateMessage(id, { content: "secret still" });
    const version = (await thread.getMessage(id)).version;
    await thread.deleteMessage(id);
    const raw = (await chatCall("GET", `${threadPath(threadId)}/messages/${id}`, { token: creator.token })).json;
    assert.deepEqual(raw.content, { message: "", attachments: [] });
    assert.match(raw.deletedOn, SECONDS);
    assert.equal(raw.editedOn, undefined);
    assert.equal(raw.metadata, undefined);
    assert.equal(raw.sequenceId, "3");
    assert.ok(BigInt(raw.version) > BigInt(version));
    await thread.deleteMessage(id);
    const again = (await chatCall("GET", `${threadPath(threadId)}/messages/${id}`, { token: creator.token })).json;
    assert.deepEqual(again, raw, "the second deletion changes nothing");
    await rejects(thread.updateMessage(id, { content: "back?" }), 404, "NotFound");
    assert.equal((await collect(thread.listMessages())).filter((message) => message.id === id).length, 1);
});

test("messages are listed by version, newest change first, whatever the page size", async () => {
    const { thread, creator, id } = await aThread(0);
    const ids = [];
    for (let index = 0; index < 10; index++) ids.push((await thread.sendMessage({ content: `message ${index}` })).id);
    await thread.updateMessage(ids[2], { content: "edited" });
    await thread.deleteMessage(ids[5]);
    const all = await collect(thread.listMessages());
    assert.equal(all.length, 12);
    assert.deepEqual(all.map((message) => message.id).slice(0, 3), [ids[5], ids[2], ids[9]]);
    for (let index = 1; index < all.length; index++) assert.ok(BigInt(all[index - 1].version) > BigInt(all[index].version));
    assert.deepEqual(all.map((message) => Number(message.sequenceId)).sort((a, b) => a - b), Array.from({ length: 12 }, (_, n) => n + 1));
    for (const [size, pages] of [[1, 12], [5, 3], [6, 2], [12, 1], [13, 1], [200, 1]]) {
        const found = await pagesOf((options) => thread.listMessages(options), size);
        assert.equal(found.length, pages, `pages of ${size}`);
        assert.deepEqual(found.flat().map((message) => message.id), all.map((message) => message.id), `pages of ${size}`);
    }
    assert.equal((await allMessages(creator, id)).length, 12);
});

test("nextLink is absolute, keeps the api-version and stays stable while messages arrive", async () => {
    const { creator, id } = await aThread(0);
    for (let index = 0; index < 6; index++) await newMessage(creator, id, `message ${index}`);
    const first = await chatCall("GET", `${threadPath(id)}/messages`, { token: creator.token, query: "maxPageSize=3" });
    assert.equal(first.json.value.length, 3);
    const next = new URL(first.json.nextLink);
    assert.equal(next.origin, first.origin);
    assert.equal(next.searchParams.get("api-version"), CHAT_VERSION);
    assert.equal(next.searchParams.get("maxPageSize"), "3");
    await newMessage(creator, id, "while paging");
    const second = await exchange(nextEndpoint(), "GET", next.pathname + next.search, { headers: { Authorization: `Bearer ${creator.token}` } });
    assert.equal(second.status, 200, second.text);
    const contents = [...first.json.value, ...second.json.value].map((message) => message.content.message);
    assert.deepEqual(contents, ["message 5", "message 4", "message 3", "message 2", "message 1", "message 0"]);
    const stranger = await newUser();
    const foreign = await exchange(nextEndpoint(), "GET", next.pathname + next.search, { headers: { Authorization: `Bearer ${stranger.token}` } });
    assert.equal(foreign.status, 403);
    for (const cursor of ["nonsense", "%00", "x".repeat(5000), "-1", "ffffffffffffffffffffffff"]) {
        const broken = await chatCall("GET", `${threadPath(id)}/messages`, { token: creator.token, query: `syncState=${cursor}` });
        assert.ok([200, 400, 414].includes(broken.status), `${cursor.slice(0, 20)}: ${broken.status}`);
    }
});

test("listMessages takes startTime, inclusive, and refuses bad parameters", async () => {
    const { thread, creator, id } = await aThread(0);
    const { id: early } = await thread.sendMessage({ content: "early" });
    const { id: late } = await thread.sendMessage({ content: "late" });
    const from = (ms) => collect(thread.listMessages({ startTime: new Date(ms) })).then((all) => all.map((message) => message.id));
    assert.deepEqual(await from(Number(late)), [late]);
    assert.deepEqual(await from(Number(early)), [late, early]);
    assert.deepEqual(await from(Number(late) + 3600000), []);
    for (const startTime of ["2020-09-13T12:26:40Z", "2020-09-13T12:26:40.1234567Z", "2020-09-13T14:26:40.5+02:00"]) {
        const answer = await chatCall("GET", `${threadPath(id)}/messages`, { token: creator.token, query: `startTime=${encodeURIComponent(startTime)}` });
        assert.equal(answer.status, 200, startTime);
        assert.equal(answer.json.value.length, 4);
    }
    for (const query of ["startTime=yesterday", "startTime=2020-13-45T00%3A00%3A00Z", "maxPageSize=0", "maxPageSize=-5", "maxPageSize=many", "maxPageSize=99999999999999999999"]) {
        const answer = await chatCall("GET", `${threadPath(id)}/messages`, { token: creator.token, query });
        if (query.includes("999")) assert.ok([200, 400].includes(answer.status));
        else refused(answer, 400);
    }
});

test("html is sanitised before it is stored", async () => {
    const { thread } = await aThread(0);
    const send = async (content) => (await thread.getMessage((await thread.sendMessage({ content }, { type: "html" })).id)).content.message;
    assert.match(await send("<p>Hello <b>bold</b> <i>it</i></p>"), /<b>bold<\/b>/);
    assert.match(await send('<a href="https://example.org/">link</a>'), /href="https:\/\/example\.org\/"/);
    const dangerous = [
        "<script>alert(1)</script>kept", "<img src=x onerror=alert(1)>kept", '<a href="javascript:alert(1)">kept</a>', "<style>*{}</style>kept",
        '<p onclick="alert(1)">kept</p>', '<iframe src="https://example.org"></iframe>kept', '<svg onload="alert(1)"></svg>kept',
        '<a href="jAvAsCrIpT:alert(1)">kept</a>', '<a href="&#106;avascript:alert(1)">kept</a>', "<scr<script>ipt>alert(1)</script>kept",
        '<a href="data:text/html,<script>alert(1)</script>">kept</a>', "<p>kept<script>alert(1)", '<math><mtext><script>alert(1)</script></mtext></math>kept',
        '<form action="https://example.org"><input name="x">kept</form>', '<base href="https://example.org">kept', "<!-- <script>alert(1)</script> -->kept",
    ];
    for (const html of dangerous) {
        const stored = await send(html);
        assert.ok(stored.includes("kept"), `${html} became ${stored}`);
        assert.doesNotMatch(stored, /<(script|style|iframe|svg|math|form|input|base|object)|\son\w+\s*=|javascript:|data:/i, `${html} became ${stored}`);
    }
    const plain = "<script>alert(1)</script>";
    assert.equal((await thread.getMessage((await thread.sendMessage({ content: plain }, { type: "text" })).id)).content.message, plain, "text is not html");
    const { id } = await thread.sendMessage({ content: "<b>x</b>" }, { type: "html" });
    await thread.updateMessage(id, { content: "<b>y</b><script>alert(1)</script>" });
    const edited = await thread.getMessage(id);
    assert.equal(edited.type, "html");
    assert.doesNotMatch(edited.content.message, /script/);
});

test("a message may have 28 KB of content, in UTF-8 bytes, and not one more", async () => {
    const { creator, id } = await aThread(0);
    const limit = 28 * 1024;
    const send = (content) => chatCall("POST", `${threadPath(id)}/messages`, { token: creator.token, body: { content } });
    const full = await send("x".repeat(limit));
    assert.equal(full.status, 201);
    refused(await send("x".repeat(limit + 1)), 413, "RequestEntityTooLarge");
    assert.equal((await send("é".repeat(limit / 2))).status, 201);
    refused(await send("é".repeat(limit / 2 + 1)), 413, "RequestEntityTooLarge");
    const back = await chatCall("GET", `${threadPath(id)}/messages/${full.json.id}`, { token: creator.token });
    assert.equal(back.json.content.message.length, limit);
    const edit = await chatCall("PATCH", `${threadPath(id)}/messages/${full.json.id}`, { token: creator.token, body: { content: "x".repeat(limit + 1) } });
    refused(edit, 413, "RequestEntityTooLarge");
    const huge = await send("x".repeat(3 * 1024 * 1024)).catch((error) => error);
    if (huge instanceof Error) assert.match(huge.code ?? huge.message, /ECONNRESET|EPIPE|socket hang up/);
    else refused(huge, 413);
    assert.equal((await allMessages(creator, id)).length, 4);
});

test("bodies that are not what they should be are refused with 400", async () => {
    const { creator, others, id } = await aThread(1);
    const messageId = await newMessage(creator, id);
    const path = threadPath(id);
    const wrong = [
        ["POST", "/chat/threads", ["", "{", "[]", "null", "1", "{}", '{"topic":5}', '{"topic":null}', '{"topic":"x","participants":{}}', '{"topic":"x","participants":[5]}', '{"topic":"x","metadata":"y"}', '{"topic":"x","metadata":{"a":1}}', '{"topic":"x","retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":10}}', `{"topic":"x","participants":${"[".repeat(2000)}`, '{"topic":"\\ud800"}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])]],
        ["POST", `${path}/messages`, ["", "{", "[]", "{}", '{"content":5}', '{"content":null}', '{"content":"x","type":"participantAdded"}', '{"content":"x","type":"topicUpdated"}', '{"content":"x","type":"nonsense"}', '{"content":"x","metadata":[]}', '{"content":"x","senderDisplayName":5}']],
        ["PATCH", `${path}/messages/${messageId}`, ["{", "[]", '{"content":5}', '{"metadata":5}']],
        ["PATCH", path, ["{", "[]", '{"topic":5}', '{"metadata":5}']],
        ["POST", `${path}/participants/:add`, ["", "{", "{}", '{"participants":{}}', '{"participants":[{}]}', '{"participants":[{"communicationIdentifier":{"rawId":"8:acs:nonsense"}}]}', JSON.stringify({ participants: [participant(others[0].id, { shareHistoryTime: "yesterday" })] }), JSON.stringify({ participants: [participant(others[0].id, { displayName: 5 })] })]],
        ["POST", `${path}/participants/:remove`, ["", "{", "{}", "[]", '{"rawId":5}', '{"rawId":"8:acs:nonsense"}']],
        ["POST", `${path}/readReceipts`, ["", "{", "{}", '{"chatMessageId":5}', '{"chatMessageId":"x"}', '{"chatMessageId":"-1"}', '{"chatMessageId":"99999999999999999999999"}']],
        ["POST", `${path}/typing`, ["{", "[]", '{"senderDisplayName":5}']],
    ];
    for (const [method, target, bodies] of wrong) {
        for (const body of bodies) {
            const answer = await chatCall(method, target, { token: creator.token, body });
            assert.equal(answer.status, 400, `${method} ${target.slice(0, 20)} ${String(body).slice(0, 80)}: ${answer.status} ${answer.text}`);
            assert.ok(answer.json?.error?.code && answer.json.error.message, answer.text);
        }
    }
});

test("null members of a request count as absent", async () => {
    const [creator, other] = await newUsers(2);
    const created = await chatCall("POST", "/chat/threads", {
        token: creator.token,
        body: { topic: "nulls", participants: [participant(other.id, { displayName: null, shareHistoryTime: null, metadata: null })], metadata: null, retentionPolicy: null },
    });
    assert.equal(created.status, 201, created.text);
    const id = created.json.chatThread.id;
    const sent = await chatCall("POST", `${threadPath(id)}/messages`, { token: creator.token, body: { content: "x", senderDisplayName: null, type: null, metadata: null } });
    assert.equal(sent.status, 201, sent.text);
    const message = (await chatCall("GET", `${threadPath(id)}/messages/${sent.json.id}`, { token: creator.token })).json;
    assert.equal(message.type, "text");
    assert.equal(message.senderDisplayName, "");
    assert.equal((await chatCall("POST", `${threadPath(id)}/typing`, { token: creator.token, body: { senderDisplayName: null } })).status, 200);
    assert.equal((await chatCall("PATCH", threadPath(id), { token: creator.token, body: { topic: null } })).status, 204);
    assert.equal((await chatCall("GET", threadPath(id), { token: creator.token })).json.topic, "nulls");
    const nothing = await chatCall("POST", "/chat/threads", { token: creator.token, body: { topic: "nobody", participants: null } });
    assert.equal(nothing.status, 201, nothing.text);
    assert.ok(!/:null/.test(created.text + message.text), "no null goes out");
});

test("ids that have no valid form are 400, well-formed unknown ones 404", async () => {
    const { creator, id } = await aThread(0);
    const { token } = creator;
    for (const bad of ["x", "19:x", "19%3Aacs%20x%40thread.v2", "20:abc@thread.v2", "19:@thread.v2", "19:abc@thread.skype", `19:${"a".repeat(5000)}@thread.v2`]) {
        const answer = await chatCall("GET", `/chat/threads/${bad}`, { token });
        assert.ok([400, 414, ...(bad.length > 1000 ? [404] : [])].includes(answer.status), `${bad.slice(0, 40)}: ${answer.status}`);
        assert.ok(answer.json?.error?.code, answer.text);
    }
    const unknown = `19:acsV1_${"A".repeat(43)}1@thread.v2`;
    refused(await chatCall("GET", threadPath(unknown), { token }), 404, "NotFound");
    refused(await chatCall("GET", threadPath("19:0123456789abcdef0123456789abcdef@thread.v2"), { token }), 404, "NotFound");
    refused(await chatCall("POST", `${threadPath(unknown)}/messages`, { token, body: { content: "x" } }), 404, "NotFound");
    for (const bad of ["x", "-1", "1.5", "1e3", "123456789012345678901234567890", "%20"]) {
        refused(await chatCall("GET", `${threadPath(id)}/messages/${bad}`, { token }), 400);
    }
    for (const method of ["GET", "PATCH", "DELETE"]) {
        const body = method === "PATCH" ? { content: "x" } : undefined;
        refused(await chatCall(method, `${threadPath(id)}/messages/1234567890123`, { token, body }), 404, "NotFound");
    }
});

test("ids in paths may be percent-encoded or raw, and the path may begin with two slashes", async () => {
    const { creator, id } = await aThread(0);
    const messageId = await newMessage(creator, id);
    const forms = [id, encodeURIComponent(id), id.replace(":", "%3A"), id.replace(":", "%3a").replace("@", "%40")];
    for (const form of forms) {
        for (const slash of ["/", "//", "///"]) {
            const answer = await chatCall("GET", `${slash}chat/threads/${form}/messages/${messageId}`, { token: creator.token });
            assert.equal(answer.status, 200, `${slash} ${form}: ${answer.text}`);
        }
    }
    const other = await newUser();
    const added = await chatCall("POST", `/chat/threads/${id}/participants/%3Aadd`, { token: creator.token, body: { participants: [participant(other.id)] } });
    assert.equal(added.status, 201, added.text);
    const removed = await chatCall("POST", `/chat/threads/${id}/participants/%3Aremove`, { token: creator.token, body: { rawId: other.id } });
    assert.equal(removed.status, 204, removed.text);
    const client = new ChatClient(`${nextEndpoint()}/`, new AzureCommunicationTokenCredential(creator.token));
    assert.equal((await client.getChatThreadClient(id).getProperties()).id, id);
});

test("a repeated send with the same request id and body makes one message", async () => {
    const { creator, others, id } = await aThread(1);
    const path = `${threadPath(id)}/messages`;
    const send = (user, requestId, body, thread = path) =>
        chatCall("POST", thread, { token: user.token, body, headers: requestId ? { "x-ms-client-request-id": requestId } : {} });
    const requestId = uuid();
    const first = await send(creator, requestId, { content: "once", metadata: { a: "1" } });
    const again = await send(creator, requestId, { content: "once", metadata: { a: "1" } });
    assert.equal(first.status, 201);
    assert.equal(again.status, 201);
    assert.equal(again.json.id, first.json.id);
    const parallel = uuid();
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(creator, parallel, { content: "at once" })));
    assert.equal(new Set(answers.map((answer) => answer.json.id)).size, 1, "also when they come at the same time");
    const otherBody = await send(creator, requestId, { content: "another body" });
    assert.notEqual(otherBody.json.id, first.json.id, "a client that reuses the id is not harmed");
    const otherUser = await send(others[0], requestId, { content: "once", metadata: { a: "1" } });
    assert.notEqual(otherUser.json.id, first.json.id);
    const secondThread = await newThread(creator);
    const otherThread = await send(creator, requestId, { content: "once", metadata: { a: "1" } }, `${threadPath(secondThread)}/messages`);
    assert.equal(otherThread.status, 201);
    const without = [await send(creator, undefined, { content: "no id" }), await send(creator, undefined, { content: "no id" })];
    assert.notEqual(without[0].json.id, without[1].json.id);
    const contents = (await allMessages(creator, id)).filter((message) => message.type === "text").map((message) => message.content.message);
    assert.deepEqual(contents.sort(), ["another body", "at once", "no id", "no id", "once", "once"]);
    assert.equal((await allMessages(creator, secondThread)).length, 3);
});

test("many messages at once get rising ids and contiguous sequence numbers", async () => {
    const { creator, others, id } = await aThread(3);
    const senders = [creator, ...others];
    await Promise.all(Array.from({ length: 80 }, (_, index) => newMessage(senders[index % 4], id, `message ${index}`)));
    const messages = await allMessages(creator, id);
    assert.equal(messages.length, 82);
    const bySequence = [...messages].sort((a, b) => Number(a.sequenceId) - Number(b.sequenceId));
    bySequence.forEach((message, index) => assert.equal(message.sequenceId, String(index + 1)));
    for (let index = 1; index < bySequence.length; index++) assert.ok(BigInt(bySequence[index].id) > BigInt(bySequence[index - 1].id));
    assert.equal(new Set(messages.filter((message) => message.type === "text").map((message) => message.content.message)).size, 80);
});

// Participants

test("participants are listed in the order of joining, with all their members, and paged", async () => {
    const { creator, thread, id } = await aThread(0);
    const others = await newUsers(6);
    const shareHistoryTime = new Date(Math.floor(Date.now() / 1000) * 1000);
    await thread.addParticipants({ participants: [{ id: acs(others[0]), displayName: "Zoë %41", shareHistoryTime, metadata: { role: "x" } }] });
    await thread.addParticipants({ participants: others.slice(1).map((user) => ({ id: acs(user) })) });
    const all = await collect(thread.listParticipants());
    assert.deepEqual(all.map((member) => member.id.communicationUserId), [creator.id, ...others.map((user) => user.id)]);
    assert.deepEqual(all[1], { id: kindOf(others[0]), displayName: "Zoë %41", shareHistoryTime, metadata: { role: "x" } });
    assert.deepEqual(all[2].shareHistoryTime, new Date(0));
    for (const [size, pages] of [[1, 7], [2, 4], [7, 1], [8, 1]]) {
        const found = await pagesOf((options) => thread.listParticipants(options), size);
        assert.equal(found.length, pages);
        assert.deepEqual(found.flat(), all);
    }
    const skipped = await collect(thread.listParticipants({ skip: 5 }));
    assert.deepEqual(skipped, all.slice(5));
    assert.deepEqual(await collect(thread.listParticipants({ skip: 50 })), []);
    const raw = await chatCall("GET", `${threadPath(id)}/participants`, { token: creator.token, query: "maxPageSize=2&skip=1" });
    const next = new URL(raw.json.nextLink);
    assert.equal(next.origin, raw.origin);
    assert.equal(next.searchParams.get("skip"), "3");
    assert.deepEqual(raw.json.value[1], { communicationIdentifier: identifier(others[1].id), shareHistoryTime: EPOCH });
    for (const query of ["skip=-1", "skip=x", "maxPageSize=0"]) refused(await chatCall("GET", `${threadPath(id)}/participants`, { token: creator.token, query }), 400);
});

test("add answers {} or invalidParticipants, and at most 200 fit into one call", async () => {
    const { creator, id } = await aThread(0);
    const others = await newUsers(201);
    const path = `${threadPath(id)}/participants/:add`;
    const some = await chatCall("POST", path, { token: creator.token, body: { participants: [participant(others[0].id)] } });
    assert.equal(some.status, 201);
    assert.deepEqual(some.json, {});
    refused(await chatCall("POST", path, { token: creator.token, body: { participants: others.map((user) => participant(user.id)) } }), 400);
    const many = await chatCall("POST", path, { token: creator.token, body: { participants: others.slice(0, 200).map((user) => participant(user.id)) } });
    assert.equal(many.status, 201, many.text.slice(0, 200));
    const thread = clientOf(creator).getChatThreadClient(id);
    assert.equal((await collect(thread.listParticipants())).length, 201);
    const metadata = { participants: [participant(others[200].id, { metadata: { big: "x".repeat(1025) } })] };
    refused(await chatCall("POST", path, { token: creator.token, body: metadata }), 400);
});

test("a removed participant keeps the history up to the removal and nothing else", async () => {
    const { creator, others, thread, id } = await aThread(2);
    const [removed, remaining] = others;
    const before = await newMessage(creator, id, "before");
    const own = await newMessage(removed, id, "own");
    await thread.removeParticipant(acs(removed));
    const after = await newMessage(creator, id, "after");
    const { token } = removed;
    const path = threadPath(id);
    assert.equal((await chatCall("GET", `${path}/messages/${before}`, { token })).status, 200);
    const hidden = await chatCall("GET", `${path}/messages/${after}`, { token });
    assert.ok([403, 404].includes(hidden.status), `a message after the removal: ${hidden.status}`);
    const contents = (await allMessages(removed, id)).filter((message) => message.type === "text").map((message) => message.content.message);
    assert.deepEqual(contents, ["own", "before"]);
    for (const [method, target, body] of [
        ["POST", "/messages", { content: "x" }], ["GET", "/participants", undefined], ["POST", "/typing", {}],
        ["POST", "/readReceipts", { chatMessageId: before }], ["PATCH", "", { topic: "x" }], ["DELETE", "", undefined],
        ["POST", "/participants/:add", { participants: [participant(removed.id)] }], ["POST", "/participants/:remove", identifier(creator.id)],
        ["PATCH", `/messages/${own}`, { content: "x" }], ["DELETE", `/messages/${own}`, undefined],
    ]) {
        refused(await chatCall(method, path + target, { token, body }), 403, "Forbidden");
    }
    assert.equal((await collect(clientOf(removed).listChatThreads())).length, 1);
    await clientOf(remaining).getChatThreadClient(id).addParticipants({ participants: [{ id: acs(removed) }] });
    assert.equal((await chatCall("GET", `${path}/messages/${after}`, { token })).status, 200, "re-added with all the history");
    assert.equal((await chatCall("POST", `${path}/messages`, { token, body: { content: "back" } })).status, 201);
});

test("a participant may leave, and an empty thread goes on existing", async () => {
    const { creator, thread, id } = await aThread(0);
    await thread.removeParticipant(acs(creator));
    refused(await chatCall("POST", `${threadPath(id)}/messages`, { token: creator.token, body: { content: "x" } }), 403);
    assert.equal((await allMessages(creator, id)).length >= 2, true);
    assert.equal((await collect(clientOf(creator).listChatThreads()))[0].deletedOn, undefined);
});

test("shareHistoryTime hides earlier messages", async () => {
    const { creator, thread, id } = await aThread(0);
    const early = await newMessage(creator, id, "early");
    const late = await newMessage(creator, id, "late");
    const newcomer = await newUser();
    await thread.addParticipants({ participants: [{ id: acs(newcomer), shareHistoryTime: new Date(Number(late)) }] });
    const seen = (await allMessages(newcomer, id)).filter((message) => message.type === "text").map((message) => message.id);
    assert.deepEqual(seen, [late]);
    const hidden = await chatCall("GET", `${threadPath(id)}/messages/${early}`, { token: newcomer.token });
    assert.ok([403, 404].includes(hidden.status), String(hidden.status));
    const pages = await pagesOf((options) => clientOf(newcomer).getChatThreadClient(id).listMessages(options), 1);
    assert.ok(pages.every((page) => page.length === 1), "hidden messages leave no empty pages");
    await newMessage(creator, id, "later");
    await clientOf(creator).getChatThreadClient(id).updateMessage(early, { content: "early, edited" });
    const after = (await allMessages(newcomer, id)).map((message) => message.id);
    assert.ok(!after.includes(early), "an edit does not uncover it");
});

// Receipts and typing

test("read receipts: the latest of each user, latest first, never backwards", async () => {
    const { creator, others, id } = await aThread(2);
    const [one, two] = others;
    const first = await newMessage(creator, id, "1");
    const second = await newMessage(creator, id, "2");
    const threadOf = (user) => clientOf(user).getChatThreadClient(id);
    await threadOf(one).sendReadReceipt({ chatMessageId: first });
    await threadOf(one).sendReadReceipt({ chatMessageId: second });
    await threadOf(one).sendReadReceipt({ chatMessageId: first });
    await threadOf(two).sendReadReceipt({ chatMessageId: first });
    const receipts = await collect(threadOf(creator).listReadReceipts());
    const byUser = Object.fromEntries(receipts.map((receipt) => [receipt.sender.communicationUserId, receipt]));
    assert.equal(receipts.length, 2);
    assert.equal(byUser[one.id].chatMessageId, second);
    assert.equal(byUser[two.id].chatMessageId, first);
    assert.ok(byUser[one.id].readOn instanceof Date);
    const raw = await chatCall("GET", `${threadPath(id)}/readReceipts`, { token: creator.token });
    const { readOn, ...rest } = raw.json.value.find((receipt) => receipt.senderCommunicationIdentifier.rawId === two.id);
    assert.match(readOn, SECONDS);
    assert.deepEqual(rest, { senderCommunicationIdentifier: identifier(two.id), chatMessageId: first });
    const pages = await pagesOf((options) => threadOf(creator).listReadReceipts(options), 1);
    assert.equal(pages.length, 2);
    const sent = await chatCall("POST", `${threadPath(id)}/readReceipts`, { token: one.token, body: { chatMessageId: second } });
    assert.equal(sent.status, 200);
    assert.equal(sent.text, "");
    refused(await chatCall("POST", `${threadPath(id)}/readReceipts`, { token: one.token, body: { chatMessageId: "1234567890123" } }), 404);
});

test("typing is 200 with, with an empty, and without a body", async () => {
    const { creator, others, thread, id } = await aThread(1);
    assert.equal(await thread.sendTypingNotification(), true);
    assert.equal(await clientOf(others[0]).getChatThreadClient(id).sendTypingNotification({ senderDisplayName: "Other" }), true);
    for (const body of [undefined, "", {}, { senderDisplayName: "Bob" }]) {
        const answer = await chatCall("POST", `${threadPath(id)}/typing`, { token: creator.token, body });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.text, "");
    }
});

test("above 20 participants receipts and typing are accepted without effect", async () => {
    const { creator, others, id } = await aThread(20);
    const messageId = await newMessage(creator, id);
    const thread = clientOf(others[0]).getChatThreadClient(id);
    await thread.sendReadReceipt({ chatMessageId: messageId });
    await thread.sendTypingNotification();
    assert.deepEqual((await chatCall("GET", `${threadPath(id)}/readReceipts`, { token: creator.token })).json, { value: [] });
    await clientOf(creator).getChatThreadClient(id).removeParticipant(acs(others[19]));
    await thread.sendReadReceipt({ chatMessageId: messageId });
    assert.equal((await collect(clientOf(creator).getChatThreadClient(id).listReadReceipts())).length, 1, "exactly 20 have receipts");
});

// Headers, methods, errors

test("browsers may call from any origin", async () => {
    const { creator, id } = await aThread(0);
    const origin = "https://page.example.org";
    const asked = "authorization,content-type,x-ms-client-request-id,x-ms-useragent,repeatability-request-id,x-skypetoken,x-something-new";
    for (const [method, path] of [["POST", "/chat/threads"], ["PATCH", threadPath(id)], ["DELETE", threadPath(id)], ["GET", `${threadPath(id)}/messages`],
        ["POST", "/identities"], ["GET", "/chat/config/realTimeNotifications"], ["POST", "/v4/a"], ["GET", "/socket.io/1/"], ["POST", "/v3/registrations"]]) {
        const answer = await exchange(nextEndpoint(), "OPTIONS", `${path}?api-version=${CHAT_VERSION}`, {
            headers: { Origin: origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked },
        });
        assert.ok([200, 204].includes(answer.status), `${path}: ${answer.status}`);
        assert.ok(["*", origin].includes(answer.headers["access-control-allow-origin"]), path);
        assert.match(answer.headers["access-control-allow-methods"], new RegExp(`\\b${method}\\b`));
        const allowed = answer.headers["access-control-allow-headers"].toLowerCase().split(/, */);
        for (const name of asked.split(",")) assert.ok(allowed.includes(name), `${path}: ${name}`);
        assert.ok(Number(answer.headers["access-control-max-age"]) > 0);
    }
    for (const token of [creator.token, "nonsense"]) {
        const answer = await chatCall("GET", threadPath(id), { token, headers: { Origin: origin } });
        assert.ok(["*", origin].includes(answer.headers["access-control-allow-origin"]), String(answer.status));
        assert.equal(answer.headers["access-control-expose-headers"], "*");
        if (answer.headers["access-control-allow-origin"] === origin) assert.match(answer.headers.vary ?? "", /origin/i);
    }
});

test("answers carry the documented headers", async () => {
    const { creator, id } = await aThread(0);
    const requestId = uuid();
    const answer = await chatCall("GET", threadPath(id), {
        token: creator.token,
        headers: { "x-ms-client-request-id": requestId, "x-ms-return-client-request-id": "true" },
    });
    assert.match(answer.headers["content-type"], /^application\/json; ?charset=utf-8$/i);
    assert.match(answer.headers["ms-cv"], /^[A-Za-z0-9+/]{22}\.0$/);
    assert.equal(answer.headers["x-ms-client-request-id"], requestId);
    const versions = answer.headers["api-supported-versions"].split(/, */);
    for (const version of ["2021-03-07", "2021-09-07", "2023-11-07", "2024-03-07", "2025-03-15"]) assert.ok(versions.includes(version), version);
    const empty = await chatCall("PATCH", threadPath(id), { token: creator.token, body: {} });
    assert.equal(empty.status, 204);
    assert.equal(empty.headers["content-type"], undefined);
});

test("errors have a code and a message that the client shows", async () => {
    const { id } = await aThread(0);
    const stranger = await newUser();
    const thread = clientOf(stranger).getChatThreadClient(id);
    await assert.rejects(thread.getProperties(), (error) => {
        assert.equal(error.statusCode, 403);
        assert.equal(error.code, "Forbidden");
        assert.match(error.message, /permission/);
        return true;
    });
    refused(await chatCall("GET", threadPath(id), {}), 401, "Unauthorized");
    refused(await chatCall("GET", threadPath(id), { token: "nonsense" }), 401, "Unauthorized");
    const noBearer = await chatCall("GET", threadPath(id), { headers: { Authorization: "Basic eDp5" } });
    refused(noBearer, 401);
    const head = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
    const [, middle, signed] = stranger.token.split(".");
    for (const forged of [`${head}.${middle}.`, `${head}.${middle}.${signed}`, stranger.token.slice(0, -3), `${stranger.token.slice(0, -6)}AAAAAA`]) {
        refused(await chatCall("GET", "/chat/threads", { token: forged }), 401, "Unauthorized");
    }
    const changed = JSON.parse(Buffer.from(middle, "base64url").toString("utf8"));
    changed.skypeid = "acs:somebody_else";
    const payload = Buffer.from(JSON.stringify(changed)).toString("base64url");
    refused(await chatCall("GET", "/chat/threads", { token: `${stranger.token.split(".")[0]}.${payload}.${signed}` }), 401, "Unauthorized");
});

test("unknown paths are 404 and unknown methods are refused", async () => {
    const user = await newUser();
    for (const path of ["/chat", "/chat/nothing", "/chat/threads/x/y/z/w", `${threadPath("19:abc@thread.v2")}/nothing`]) {
        const answer = await chatCall("GET", path, { token: user.token });
        assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
        assert.ok(answer.json?.error?.code, answer.text);
    }
    for (const [method, path] of [["PUT", "/chat/threads"], ["DELETE", "/chat/threads"], ["PUT", threadPath("19:abc@thread.v2")]]) {
        const answer = await chatCall(method, path, { token: user.token });
        assert.ok([404, 405].includes(answer.status), `${method} ${path}: ${answer.status}`);
        assert.ok(answer.json?.error?.code, answer.text);
    }
});

test("both content types are taken on both methods", async () => {
    const { creator, id } = await aThread(0);
    for (const type of ["application/json", "application/merge-patch+json", "application/json; charset=utf-8"]) {
        const patched = await chatCall("PATCH", threadPath(id), { token: creator.token, body: { topic: type }, headers: { "Content-Type": type } });
        assert.equal(patched.status, 204, type);
        const sent = await chatCall("POST", `${threadPath(id)}/messages`, { token: creator.token, body: { content: type }, headers: { "Content-Type": type } });
        assert.equal(sent.status, 201, type);
    }
});

test("the holder of a revoked token and of a deleted identity is out", async () => {
    const { creator, others, id } = await aThread(1);
    const spare = await newToken(others[0].id);
    await identityCall("POST", `/identities/${encodeURIComponent(others[0].id)}/:revokeAccessTokens`);
    refused(await chatCall("GET", threadPath(id), { token: others[0].token }), 401);
    refused(await chatCall("GET", threadPath(id), { token: spare }), 401);
    assert.equal((await chatCall("GET", threadPath(id), { token: await newToken(others[0].id) })).status, 200);
    await identityCall("DELETE", `/identities/${encodeURIComponent(creator.id)}`);
    refused(await chatCall("GET", threadPath(id), { token: creator.token }), 401);
    const members = await collect(clientOf({ token: await newToken(others[0].id) }).getChatThreadClient(id).listParticipants());
    assert.equal(members.length, 2, "the deleted user stays a participant");
});

await run("rest");
