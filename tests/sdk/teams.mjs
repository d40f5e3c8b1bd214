// Teams interoperability with the official chat client 1.6.0 (contract 4, the concepts' limits): identifiers of every
// kind, threads with users of Teams, and a bridge that acts for them. Run with `node --conditions=browser`.

import "./lib/node-browser-globals.mjs";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { AzureCommunicationTokenCredential, createIdentifierFromRawId, getIdentifierRawId } from "@azure/communication-common";
import { ChatClient } from "@azure/communication-chat";
import { Bridge, admin } from "./lib/bridge.mjs";
import { run, test } from "./lib/harness.mjs";
import { signature } from "./lib/http.mjs";
import { Inbox, accessKey, chatCall, collect, identifier, isCluster, newMessage, newThread, newUser, newUsers, nextEndpoint, node, nodes, threadPath, until, uuid } from "./lib/world.mjs";

const skip = node === null ? "needs the admin token of the node" : false;
const THREADS = 4; // so that a node that is killed leads some of them
const endpoints = nodes.map(({ endpoint }) => endpoint);
const clientOf = (user, at = nextEndpoint()) => new ChatClient(at, new AzureCommunicationTokenCredential(user.token));
const threadOf = (user, threadId) => clientOf(user).getChatThreadClient(threadId);
const newTeamsUser = (kind = "8:orgid:") => `${kind}${uuid()}`;

const open = new Set();

/** Events of a connected client of the SDK. */
async function listen(user, at) {
    const client = clientOf(user, at);
    const inbox = new Inbox(`an event for ${user.id}`);
    open.add(client);
    await client.startRealtimeNotifications();
    for (const event of ["chatMessageReceived", "chatMessageEdited", "chatMessageDeleted", "typingIndicatorReceived", "readReceiptReceived", "participantsAdded", "participantsRemoved"])
        client.on(event, (payload) => inbox.push({ event, ...payload }));
    await new Promise((resolve) => client.on("realTimeNotificationConnected", resolve));
    return { client, next: (event, threadId, fits = () => true) => inbox.take((item) => item.event === event && item.threadId === threadId && fits(item), event, 60000), inbox };
}

/** A case with a clean-up. */
const teams = (name, body, options) =>
    test(name, async () => {
        const bridges = [];
        try {
            await body(async (identities, probe) => {
                const bridge = await Bridge.open(identities, probe, endpoints);
                bridges.push(bridge);
                return bridge;
            });
        } finally {
            await Promise.all([...open].map((client) => client.stopRealtimeNotifications().catch(() => {})));
            open.clear();
            for (const bridge of bridges) await bridge.close();
        }
    }, { skip, deadlineMs: 120000, ...options });

const added = (user, displayName) => ({ id: createIdentifierFromRawId(user), displayName });
const rawIdOf = ({ id }) => getIdentifierRawId(id);

/** A thread of which events come. */
async function watchedThread(bridge, ann, user) {
    const threadId = await newThread(ann, [{ id: user }]);
    await until("events of it come", async () => {
        await newMessage(ann, threadId, "probe");
        return bridge.told.some(({ data }) => data.threadId === threadId);
    }, 60000);
    return threadId;
}

teams("an identifier of every kind goes round", async () => {
    const [ann, bob] = await newUsers(2);
    const ids = [
        bob.id, "8:orgid:u", "8:dod:u", "8:gcch:u", "8:teamsvisitor:u", "4:+15550100", "4:+15550100_asserted", "4:anonymous",
        `8:acs:${uuid()}_${uuid()}_${uuid()}`, "48:something",
    ];
    const client = clientOf(ann);
    const { chatThread, invalidParticipants } = await client.createChatThread({ topic: "kinds" }, { participants: ids.slice(0, 5).map((id) => added(id, `name of ${id}`)) });
    assert.equal(invalidParticipants, undefined);
    const thread = client.getChatThreadClient(chatThread.id);
    await thread.addParticipants({ participants: ids.slice(5).map((id) => added(id)) });
    const listed = await collect(thread.listParticipants());
    assert.deepEqual(listed.map(rawIdOf), [ann.id, ...ids]);
    // The service also says the cloud of visitors, which their raw ids do not.
    for (const { id: { rawId, ...rest } } of listed) assert.deepEqual({ ...rest, ...createIdentifierFromRawId(rawId ?? getIdentifierRawId(rest)) }, rest);
    for (const id of ids.slice(1)) await thread.removeParticipant(createIdentifierFromRawId(id));
    assert.deepEqual((await collect(thread.listParticipants())).map(rawIdOf), [ann.id, bob.id]);
    const removed = (await collect(thread.listMessages())).filter(({ type }) => type === "participantRemoved");
    assert.deepEqual(removed.flatMap(({ content }) => content.participants).map(rawIdOf).reverse(), ids.slice(1));
});

teams("identities that cannot take part are named, and the others do", async () => {
    const [ann, bob] = await newUsers(2);
    const refused = {
        "28:orgid:a": "BotUserNotSupported", "28:bot": "BotUserNotSupported", "8:live:someone": "PersonalAccountNotSupported",
        "8:someone": "PersonalAccountNotSupported", [`8:acs:${uuid()}_${uuid()}`]: "IdentityNotOwned",
    };
    const { chatThread, invalidParticipants } = await clientOf(ann).createChatThread({ topic: "refused" }, { participants: [...Object.keys(refused), bob.id].map((id) => added(id)) });
    assert.deepEqual(Object.fromEntries(invalidParticipants.map(({ target, innerError }) => [target, innerError.code])), refused);
    for (const { code, message } of invalidParticipants) assert.deepEqual([code, message], ["403", "Permissions check failed"]);
    assert.deepEqual((await collect(threadOf(ann, chatThread.id).listParticipants())).map(rawIdOf), [ann.id, bob.id]);
});

teams("beside users of Teams there are no read receipts, and they do not count for typing", async () => {
    const ann = await newUser();
    const others = await newUsers(19);
    const user = newTeamsUser();
    const threadId = await newThread(ann, [...others, { id: user }, { id: newTeamsUser() }]);
    const thread = threadOf(ann, threadId);
    const { next, inbox } = await listen(others[0]);
    const { id } = await thread.sendMessage({ content: "read me" });
    await thread.sendReadReceipt({ chatMessageId: id });
    assert.deepEqual(await collect(thread.listReadReceipts()), []);
    await thread.sendTypingNotification({ senderDisplayName: "Ann" });
    assert.equal((await next("typingIndicatorReceived", threadId)).senderDisplayName, "Ann");
    for (const { id: gone } of (await collect(thread.listParticipants())).slice(20)) await thread.removeParticipant(gone);
    await thread.sendReadReceipt({ chatMessageId: id });
    assert.equal((await collect(thread.listReadReceipts())).length, 1);
    await next("readReceiptReceived", threadId, ({ chatMessageId }) => chatMessageId === id);
    assert.deepEqual(inbox.items.filter(({ event }) => event === "readReceiptReceived"), []);
});

teams("a client and a user of Teams chat, by a bridge", async (newBridge) => {
    const [ann, bob] = await newUsers(2);
    const user = newTeamsUser();
    const bridge = await newBridge([user], user);
    const threadId = await watchedThread(bridge, ann, user);
    const { client, next } = await listen(ann);
    const thread = client.getChatThreadClient(threadId);

    const { id: question } = await thread.sendMessage({ content: "Who is there?" }, { senderDisplayName: "Ann" });
    const told = await bridge.next("ChatMessageReceived", threadId, ({ messageId }) => messageId === question);
    assert.deepEqual(told.data.recipientCommunicationIdentifier, { rawId: user, microsoftTeamsUser: { userId: user.slice(8), isAnonymous: false, cloud: "public" } });
    await bridge.act(user, "POST", `${threadPath(threadId)}/typing`, { senderDisplayName: "Tea" });
    const typing = await next("typingIndicatorReceived", threadId);
    assert.deepEqual([rawIdOf({ id: typing.sender }), typing.senderDisplayName], [user, ""]);

    await until("the bridge is told that she types", async () => {
        await thread.sendTypingNotification({ senderDisplayName: "Ann" }); // which is told once, and not kept
        return bridge.told.some(({ eventType, data }) => eventType.endsWith("TypingIndicatorReceivedInThread") && data.threadId === threadId && data.senderDisplayName === "Ann");
    }, 60000);

    const { id } = await bridge.send(user, threadId, "I am.", { senderDisplayName: "Tea" });
    const heard = await next("chatMessageReceived", threadId, (item) => item.id === id);
    assert.deepEqual([heard.message, heard.senderDisplayName, heard.sender.kind, heard.sender.rawId], ["I am.", "Tea", "microsoftTeamsUser", user]);
    await bridge.act(user, "PATCH", `${threadPath(threadId)}/messages/${id}`, { content: "I am!" });
    assert.equal((await next("chatMessageEdited", threadId)).message, "I am!");
    await bridge.act(user, "DELETE", `${threadPath(threadId)}/messages/${id}`);
    await next("chatMessageDeleted", threadId);
    await thread.updateMessage(question, { content: "Who was there?" });
    await bridge.next("ChatMessageEdited", threadId, ({ messageBody }) => messageBody === "Who was there?");
    await bridge.act(user, "POST", `${threadPath(threadId)}/readReceipts`, { chatMessageId: question });
    assert.deepEqual(await collect(thread.listReadReceipts()), []);

    await bridge.act(user, "POST", `${threadPath(threadId)}/participants/:add`, { participants: [{ communicationIdentifier: identifier(bob.id), displayName: "Bob" }] });
    const joined = await next("participantsAdded", threadId);
    assert.deepEqual([rawIdOf(joined.addedBy), joined.participantsAdded.map(rawIdOf)], [user, [bob.id]]);
    await threadOf(bob, threadId).removeParticipant({ communicationUserId: bob.id });
    await bridge.next("ChatParticipantRemovedFromThreadWithUser", threadId, ({ participantRemoved }) => participantRemoved.participantCommunicationIdentifier.rawId === bob.id);
    await bridge.act(user, "POST", `${threadPath(threadId)}/participants/:remove`, { rawId: user });
    await next("participantsRemoved", threadId, ({ participantsRemoved }) => participantsRemoved.some((one) => rawIdOf(one) === user));
    assert.equal((await bridge.ask(user, "POST", `${threadPath(threadId)}/messages`, { body: { content: "still?" } })).status, 403);
});

teams("a user of Teams may begin a thread", async (newBridge) => {
    const ann = await newUser();
    const user = newTeamsUser("8:dod:");
    const bridge = await newBridge(["8:dod:*"], user);
    const { chatThread } = await bridge.act(user, "POST", "/chat/threads", { topic: "from Teams", participants: [{ communicationIdentifier: identifier(ann.id) }] });
    assert.equal(chatThread.createdByCommunicationIdentifier.microsoftTeamsUser.cloud, "dod");
    await threadOf(ann, chatThread.id).sendMessage({ content: "hello" });
    const { json } = await bridge.ask(user, "GET", `${threadPath(chatThread.id)}/messages`);
    assert.equal(json.value[0].content.message, "hello");
    const listed = await bridge.ask(user, "GET", "/chat/threads");
    assert.equal(listed.status, 404);
    assert.match(listed.json.error.message, /no list of threads for a user of Teams/);
});

teams("who is no bridge, or not for this user, is refused by name, and every act is in the log", async (newBridge) => {
    const [ann, bob] = await newUsers(2);
    const [user, other] = [newTeamsUser(), newTeamsUser()];
    const bridge = await newBridge([user, "8:dod:*"], user);
    const threadId = await newThread(ann, [{ id: user }, { id: other }]);
    const body = { content: "x" };
    const target = `${threadPath(threadId)}/messages`;
    const at = endpoints[0];
    const acting = (rest) => ({ "x-weft-bridge": bridge.name, "x-weft-acting-as": user, ...rest });
    const adminToken = { Authorization: `Bearer ${node.adminToken}` };
    const signed = (key, more) => signature(key, "POST", `${target}?api-version=2025-03-15`, new URL(at).host, JSON.stringify(body), undefined, more);
    const forged = signed(Buffer.alloc(32).toString("base64"), acting({}));
    const turned = { ...signed(accessKey, acting({ "x-weft-acting-as": "8:dod:somebody" })), "x-weft-acting-as": user };
    const rows = [
        [acting(adminToken), 201],
        [acting({}), 401, "A bridge shows the access key, by a signature, or the admin token: "],
        [acting({ Authorization: `Bearer ${ann.token}` }), 401, "A bridge shows the access key"],
        [forged, 401, "A bridge shows the access key"],
        [signed(accessKey, acting({})), 201],
        [turned, 401, "A bridge shows the access key, by a signature, or the admin token: The signature is not that of this request"],
        [acting(signed(accessKey)), 401, "A bridge shows the access key, by a signature, or the admin token: SignedHeaders must name x-ms-date, host, x-ms-content-sha256, x-weft-bridge and x-weft-acting-as"],
        [acting({ ...adminToken, "x-weft-bridge": "nobody" }), 403, 'There is no bridge "nobody".'],
        [acting({ ...adminToken, "x-weft-bridge": "../x" }), 403, 'There is no bridge "../x".'],
        [acting({ ...adminToken, "x-weft-acting-as": other }), 403, `The bridge "${bridge.name}" may not act for ${other}.`],
        [acting({ ...adminToken, "x-weft-acting-as": bob.id }), 403, `A bridge acts for users of Teams only, and "${bob.id}" is none.`],
        [acting({ ...adminToken, "x-weft-acting-as": "28:orgid:a" }), 403, 'A bridge acts for users of Teams only, and "28:orgid:a" is none.'],
        [acting({ ...adminToken, "x-weft-acting-as": "8:dod:a b" }), 403, 'A bridge acts for users of Teams only, and "8:dod:a?b" is none.'],
        [acting({ ...adminToken, "x-weft-acting-as": `8:dod:${"x".repeat(300)}` }), 403, "A bridge acts for users of Teams only"],
        [{ ...adminToken, "x-weft-bridge": bridge.name }, 400, "The header x-weft-acting-as is missing"],
        [{ ...adminToken, "x-weft-acting-as": user }, 400, "The header x-weft-bridge is missing"],
        [adminToken, 401, ""],
    ];
    for (const [headers, status, message = ""] of rows) {
        const answer = await chatCall("POST", target, { body, headers, at });
        assert.equal(answer.status, status, `${JSON.stringify(headers)}: ${answer.text}`);
        assert.ok(status === 201 || answer.json.error.message.startsWith(message), answer.text);
    }
    const log = readFileSync(path.join(node.dir, "node.log"), "utf8");
    const what = `POST /chat/threads/{}/messages of ${threadId}, from 127.0.0.1`;
    assert.ok(log.includes(`the bridge ${bridge.name} acts for ${user}: ${what}`));
    assert.ok(log.includes(`the bridge ${bridge.name} is refused to act for ${other}: ${what}`));
    const wrong = await admin("PUT", "/admin/bridges/wrong", { identities: ["8:acs:*"] });
    assert.deepEqual([wrong.status, wrong.json.error.target], [400, "identities"]);
    assert.equal((await admin("DELETE", `/admin/bridges/${bridge.name}`)).status, 204);
    await until("it acts for nobody any more", async () => (await chatCall("POST", target, { body, headers: acting(adminToken), at })).status === 403);
    assert.equal((await admin("GET", `/admin/bridges/${bridge.name}`)).status, 404);
});

teams("both go on chatting when a node is killed", async (newBridge) => {
    const ann = await newUser();
    const user = newTeamsUser();
    const bridge = await newBridge([user], user);
    const threads = [];
    for (let number = 0; number < THREADS; number++) threads.push(await watchedThread(bridge, ann, user));
    const { next } = await listen(ann, endpoints[0]);
    const killed = nodes.at(-1);
    const bothWays = async (what) => {
        for (const threadId of threads) {
            const content = `${what}, by the client`;
            await until("it is sent", () => chatCall("POST", `${threadPath(threadId)}/messages`, { token: ann.token, body: { content }, at: endpoints[0] }).then(({ status }) => status === 201, () => false), 60000);
            await bridge.act(user, "POST", `${threadPath(threadId)}/typing`, {});
            await bridge.send(user, threadId, `${what}, by the bridge`);
        }
        for (const threadId of threads) {
            await bridge.next("ChatMessageReceived", threadId, ({ messageBody }) => messageBody === `${what}, by the client`);
            await next("chatMessageReceived", threadId, ({ message }) => message === `${what}, by the bridge`);
            assert.equal((await next("typingIndicatorReceived", threadId)).senderDisplayName, "");
        }
    };
    await bothWays("before");
    killed.signal("SIGKILL");
    await killed.waitEnd(60000);
    await bothWays("without it");
    await killed.start();
    await killed.waitReady(60000);
    await bothWays("with it again");
}, { skip: isCluster ? skip : "needs several nodes", deadlineMs: 240000 });

await run("teams");
