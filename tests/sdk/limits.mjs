// With `rate_limits = acs` the node counts as the vendor does (contract 8.7), and says so politely: 429, a named error
// and Retry-After, and nothing is stored.

import assert from "node:assert/strict";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatClient } from "@azure/communication-chat";
import { run, test } from "./lib/harness.mjs";
import { allMessages, chatCall, newThread, newUsers, nextEndpoint, threadPath } from "./lib/world.mjs";

const skip = process.env.WEFT_USE_RUNNING === "1" ? "needs rate_limits = acs" : false;

test("the eleventh message of a thread within ten seconds is 429 with Retry-After", async () => {
    const [user] = await newUsers(1);
    const threadId = await newThread(user);
    const answers = [];
    for (let index = 0; index < 14; index++) {
        answers.push(await chatCall("POST", `${threadPath(threadId)}/messages`, { token: user.token, body: { content: `message ${index}` } }));
    }
    const accepted = answers.filter((answer) => answer.status === 201);
    const limited = answers.filter((answer) => answer.status === 429);
    assert.equal(accepted.length + limited.length, answers.length);
    assert.equal(accepted.length, 10);
    for (const answer of limited) {
        assert.equal(answer.json.error.code, "TooManyRequests");
        assert.match(answer.headers["retry-after"], /^[1-9]\d*$/);
    }
    assert.equal((await allMessages(user, threadId)).length, 12);
    const elsewhere = await chatCall("POST", `${threadPath(await newThread(user))}/messages`, { token: user.token, body: { content: "x" } });
    assert.equal(elsewhere.status, 201, "another thread has a count of its own");
}, { skip });

test("the official client waits as long as Retry-After says, and then succeeds", async () => {
    const [user] = await newUsers(1);
    const threadId = await newThread(user);
    const thread = new ChatClient(nextEndpoint(), new AzureCommunicationTokenCredential(user.token)).getChatThreadClient(threadId);
    for (let index = 0; index < 11; index++) await thread.sendMessage({ content: `message ${index}` });
    const contents = (await allMessages(user, threadId)).filter((message) => message.type === "text").map((message) => message.content.message);
    assert.deepEqual(contents.reverse(), Array.from({ length: 11 }, (_, index) => `message ${index}`));
}, { skip });

test("creating more than ten threads within ten seconds is 429 for that user only", async () => {
    const [user, other] = await newUsers(2);
    const statuses = [];
    for (let index = 0; index < 12; index++) {
        statuses.push((await chatCall("POST", "/chat/threads", { token: user.token, body: { topic: "x" } })).status);
    }
    assert.deepEqual(statuses.slice(0, 10), Array(10).fill(201));
    assert.ok(statuses.slice(10).includes(429));
    await newThread(other);
}, { skip });

test("typing has a limit per user and thread", async () => {
    const [user, other] = await newUsers(2);
    const threadId = await newThread(user, [other]);
    const statuses = [];
    for (let index = 0; index < 7; index++) {
        statuses.push((await chatCall("POST", `${threadPath(threadId)}/typing`, { token: user.token, body: {} })).status);
    }
    assert.deepEqual(statuses.slice(0, 5), Array(5).fill(200));
    assert.ok(statuses.slice(5).every((status) => status === 429), statuses.join(" "));
    assert.equal((await chatCall("POST", `${threadPath(threadId)}/typing`, { token: other.token, body: {} })).status, 200);
}, { skip });

await run("limits");
