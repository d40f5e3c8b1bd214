// Every api-version by hand, and every line of the official chat client that still can reach an endpoint of one's own
// (contract 1.1): the same server serves them all alike.

import assert from "node:assert/strict";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatClient as Chat11 } from "chat-1-1";
import { ChatClient as Chat13 } from "chat-1-3";
import { ChatClient as Chat14 } from "chat-1-4";
import { ChatClient as Chat15 } from "chat-1-5";
import { ChatClient as Chat16 } from "@azure/communication-chat";
import { run, test } from "./lib/harness.mjs";
import { chatCall, collect, identifier, newThread, newMessage, newUser, newUsers, nextEndpoint, participant, sdkVersion, threadPath } from "./lib/world.mjs";

const VERSIONS = ["2021-03-07", "2021-09-07", "2023-11-07", "2024-03-07", "2025-03-15"];

for (const version of VERSIONS) {
    test(`api-version ${version}: all sixteen operations`, async () => {
        const [creator, other] = await newUsers(2);
        const call = async (status, method, path, body) => {
            const answer = await chatCall(method, path, { token: creator.token, version, body });
            assert.equal(answer.status, status, `${method} ${path}: ${answer.status} ${answer.text}`);
            if ((status === 204 || path.endsWith("typing")) && answer.text !== "") assert.fail(`${method} ${path} has a body`);
            return answer.json;
        };
        const created = await call(201, "POST", "/chat/threads", { topic: version, participants: [participant(other.id)] });
        const path = threadPath(created.chatThread.id);
        assert.equal((await call(200, "GET", "/chat/threads")).value.length, 1);
        assert.equal((await call(200, "GET", path)).topic, version);
        await call(204, "PATCH", path, { topic: "changed" });
        const { id } = await call(201, "POST", `${path}/messages`, { content: "x" });
        assert.equal((await call(200, "GET", `${path}/messages`)).value.length, 4);
        assert.equal((await call(200, "GET", `${path}/messages/${id}`)).content.message, "x");
        await call(204, "PATCH", `${path}/messages/${id}`, { content: "y" });
        assert.equal((await call(200, "GET", `${path}/participants`)).value.length, 2);
        assert.deepEqual(await call(201, "POST", `${path}/participants/:add`, { participants: [participant(other.id)] }), {});
        await call(200, "POST", `${path}/typing`, {});
        await call(200, "POST", `${path}/readReceipts`, { chatMessageId: id });
        assert.equal((await call(200, "GET", `${path}/readReceipts`)).value.length, 1);
        await call(204, "DELETE", `${path}/messages/${id}`);
        await call(204, "POST", `${path}/participants/:remove`, identifier(other.id));
        await call(204, "DELETE", path);
    });
}

test("a missing or unknown api-version is refused with 400 on every path", async () => {
    const user = await newUser();
    const id = await newThread(user);
    for (const version of ["", "2020-01-01", "2025-03-16", "nonsense", "2025-03-15%00"]) {
        for (const [method, path] of [["GET", "/chat/threads"], ["GET", threadPath(id)], ["GET", `${threadPath(id)}/messages`]]) {
            const answer = await chatCall(method, path, { token: user.token, version });
            assert.equal(answer.status, 400, `"${version}" ${method} ${path}: ${answer.status}`);
            assert.ok(answer.json.error.code && answer.json.error.message);
        }
    }
    assert.equal((await chatCall("GET", threadPath(id), { token: user.token, query: "foo=bar&maxPageSize=3" })).status, 200, "unknown parameters");
});

const lines = [["chat-1-1", Chat11], ["chat-1-3", Chat13], ["chat-1-4", Chat14], ["chat-1-5", Chat15], ["@azure/communication-chat", Chat16]];

for (const [name, ChatClient] of lines) {
    test(`the client ${sdkVersion(name)} does every operation`, async () => {
        const [creator, other, third] = await newUsers(3);
        const clientOf = (user) => new ChatClient(nextEndpoint(), new AzureCommunicationTokenCredential(user.token));
        const client = clientOf(creator);
        const userId = (user) => ({ communicationUserId: user.id });
        const { chatThread } = await client.createChatThread({ topic: "a topic" }, { participants: [{ id: userId(other), displayName: "Other" }] });
        const thread = client.getChatThreadClient(chatThread.id);
        assert.equal((await thread.getProperties()).topic, "a topic");
        await thread.updateTopic("changed");
        const { id } = await thread.sendMessage({ content: "one" }, { senderDisplayName: "Creator" });
        for (const content of ["two", "three"]) await thread.sendMessage({ content });
        await thread.updateMessage(id, { content: "one, edited" });
        const message = await thread.getMessage(id);
        assert.equal(message.content.message, "one, edited");
        assert.equal(message.sender.communicationUserId, creator.id);
        assert.ok(message.editedOn instanceof Date);
        const messages = await collect(thread.listMessages({ maxPageSize: 2 }));
        assert.deepEqual(messages.map((found) => found.content.message ?? found.type), ["one, edited", "three", "two", "topicUpdated", "topicUpdated", "participantAdded"]);
        await thread.addParticipants({ participants: [{ id: userId(third), displayName: "Third" }] });
        const members = await collect(thread.listParticipants());
        assert.deepEqual(members.map((member) => member.id.communicationUserId), [creator.id, other.id, third.id]);
        await thread.removeParticipant(userId(third));
        await thread.sendTypingNotification();
        const otherThread = clientOf(other).getChatThreadClient(chatThread.id);
        await otherThread.sendReadReceipt({ chatMessageId: id });
        const receipts = await collect(thread.listReadReceipts());
        assert.equal(receipts[0].sender.communicationUserId, other.id);
        assert.equal(receipts[0].chatMessageId, id);
        await thread.deleteMessage(id);
        assert.ok((await thread.getMessage(id)).deletedOn instanceof Date);
        const items = await collect(client.listChatThreads());
        assert.deepEqual(items.map((item) => item.topic), ["changed"]);
        await client.deleteChatThread(chatThread.id);
        assert.ok((await collect(client.listChatThreads()))[0].deletedOn instanceof Date);
    });
}

await run("versions");
