// Walks authorization.txt: one case per line, one request per column. What is refused must also have changed nothing,
// and what is allowed gets a thread of its own, so that no cell depends on another.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { run, test } from "./lib/harness.mjs";
import { exchange } from "./lib/http.mjs";
import { canShift, goAhead } from "./lib/clock.mjs";
import {
    allMessages, chatCall, identifier, identityCall, newMessage, newThread, newToken, newUser, nextEndpoint, participant, threadPath, uuid,
} from "./lib/world.mjs";

const SCOPES = ["chat", "chat.join", "chat.join.limited", "voip"];
const COLUMNS = [...SCOPES, "none", "invalid", "expired", "revoked"];
const RELATIONS = ["creator", "participant", "removed", "stranger"];

const rows = readFileSync(new URL("./authorization.txt", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => {
        const [operation, relation, message, ...statuses] = line.trim().split(/ +/);
        assert.equal(statuses.length, COLUMNS.length, line);
        return { operation, relation, message, expected: Object.fromEntries(COLUMNS.map((column, index) => [column, Number(statuses[index])])) };
    });

/** Two people of each relation: one whose tokens are good, and one whose token was revoked afterwards. */
async function person() {
    const user = await newUser();
    const tokens = { none: undefined, chat: user.token, expired: null };
    if (canShift) tokens.expired = await newToken(user.id, ["chat"], 60);
    for (const scope of SCOPES) tokens[scope] = await newToken(user.id, [scope]);
    const [head, payload, signed] = tokens.chat.split(".");
    tokens.invalid = `${head}.${payload}.${signed.slice(0, -8)}${signed.endsWith("AAAAAAAA") ? "BBBBBBBB" : "AAAAAAAA"}`;
    return { id: user.id, token: tokens.chat, tokens };
}

const cast = {};
const spare = {};
let shared;

/** A thread where everybody has the relation that the cast says; `own[relation]` is the id of that one's message. */
async function stage(people) {
    const { creator, participant: member, removed } = people;
    const id = await newThread(creator, [member, removed, spare.bystander]);
    const own = {};
    for (const [relation, user] of [["creator", creator], ["participant", member], ["removed", removed]]) own[relation] = await newMessage(user, id, relation);
    const taken = await chatCall("POST", `${threadPath(id)}/participants/:remove`, { token: creator.token, body: identifier(removed.id) });
    assert.equal(taken.status, 204);
    const system = (await allMessages(creator, id)).find((message) => message.type === "topicUpdated").id;
    return { id, own, system, path: threadPath(id) };
}

async function state(thread) {
    const [properties, participants] = await Promise.all([
        chatCall("GET", thread.path, { token: cast.creator.token }),
        chatCall("GET", `${thread.path}/participants`, { token: cast.creator.token }),
    ]);
    return { properties: properties.json, participants: participants.json, messages: await allMessages(cast.creator, thread.id) };
}

const prepared = (async () => {
    for (const relation of [...RELATIONS, "anyone"]) cast[relation] = await person();
    spare.bystander = await newUser();
    spare.newcomer = await newUser();
    if (canShift) goAhead(3601);
    shared = await stage(cast);
    // A revoked token per relation, of a second cast with a thread of its own, so that the first cast's tokens stay good.
    spare.revoked = {};
    for (const relation of [...RELATIONS, "anyone"]) spare.revoked[relation] = await newUser();
    spare.revokedThread = await stage(spare.revoked);
    for (const user of Object.values(spare.revoked)) {
        const answer = await identityCall("POST", `/identities/${encodeURIComponent(user.id)}/:revokeAccessTokens`);
        assert.equal(answer.status, 204);
    }
    spare.before = await state(shared);
})();
prepared.catch(() => {});

const MUTATING = new Set(["createThread", "updateThread", "deleteThread", "addParticipants", "removeParticipant", "removeCreator", "leave", "sendMessage",
    "updateMessage", "deleteMessage", "sendReadReceipt"]);

/** The request of an operation: `[method, path, body]`. */
function request(operation, thread, caller, messageId) {
    const { path } = thread;
    switch (operation) {
        case "createThread": return ["POST", "/chat/threads", { topic: "made" }];
        case "listThreads": return ["GET", "/chat/threads"];
        case "getThread": return ["GET", path];
        case "updateThread": return ["PATCH", path, { topic: "changed", metadata: { changed: "yes" } }];
        case "deleteThread": return ["DELETE", path];
        case "listParticipants": return ["GET", `${path}/participants`];
        case "addParticipants": return ["POST", `${path}/participants/:add`, { participants: [participant(spare.newcomer.id)] }];
        case "removeParticipant": return ["POST", `${path}/participants/:remove`, identifier(spare.bystander.id)];
        case "removeCreator": return ["POST", `${path}/participants/:remove`, identifier(cast.creator.id)];
        case "leave": return ["POST", `${path}/participants/:remove`, identifier(caller.id)];
        case "rejoin": return ["POST", `${path}/participants/:add`, { participants: [participant(caller.id)] }];
        case "sendMessage": return ["POST", `${path}/messages`, { content: "sent" }];
        case "listMessages": return ["GET", `${path}/messages`];
        case "getMessage": return ["GET", `${path}/messages/${messageId}`];
        case "updateMessage": return ["PATCH", `${path}/messages/${messageId}`, { content: "changed" }];
        case "deleteMessage": return ["DELETE", `${path}/messages/${messageId}`];
        case "sendTyping": return ["POST", `${path}/typing`, {}];
        case "sendReadReceipt": return ["POST", `${path}/readReceipts`, { chatMessageId: thread.own.creator }];
        case "listReadReceipts": return ["GET", `${path}/readReceipts`];
        case "realtimeConfig": return ["GET", "/chat/config/realTimeNotifications"];
        default: throw new Error(`no such operation: ${operation}`);
    }
}

/** The steps of real time, which carry the token in a header of their own. */
function step(operation, token) {
    const headers = token === undefined ? {} : { "X-Skypetoken": token };
    const endpointId = uuid();
    switch (operation) {
        case "allocate":
            return exchange(nextEndpoint(), "POST", `/v4/a?cor_id=${uuid()}&con_num=${Date.now()}_1&epid=${endpointId}`, { headers: { ...headers, "Content-Type": "text/plain" }, body: "" });
        case "register":
            return exchange(nextEndpoint(), "POST", "/v3/registrations", {
                headers,
                body: {
                    clientDescription: { appId: "AcsWeb", aesKey: "", languageId: "en-US", platform: "SPOOL", templateKey: "AcsWeb_Chat_2.1", platformUIVersion: "0.0.0" },
                    registrationId: endpointId, nodeId: "", transports: { TROUTER: [{ context: "", path: `${nextEndpoint()}/v4/f/x/`, ttl: 7200 }] },
                },
            });
        case "unregister":
            return exchange(nextEndpoint(), "DELETE", `/v3/registrations/${endpointId}`, { headers });
        default:
            return null;
    }
}

const messageOf = (thread, relation, message) => {
    if (message === "own") return thread.own[relation];
    if (message === "system") return thread.system;
    return relation === "creator" ? thread.own.participant : thread.own.creator;
};

for (const { operation, relation, message, expected } of rows) {
    test([operation, `by ${relation}`, ...(message === "-" ? [] : [`on ${message} message`])].join(" "), async () => {
        await prepared;
        const wrong = [];
        for (const column of COLUMNS) {
            const isAllowed = expected[column] < 300;
            let caller = cast[relation];
            let token = caller.tokens[column];
            let thread = shared;
            if (column === "revoked") {
                caller = spare.revoked[relation];
                token = caller.token;
                thread = spare.revokedThread;
            } else if (column === "expired" && token === null) {
                continue;
            } else if (isAllowed && MUTATING.has(operation) && operation !== "createThread") {
                thread = await stage(cast);
            }
            const answer = await (step(operation, token) ?? send(operation, thread, caller, relation, message, token));
            if (answer.status !== expected[column]) wrong.push(`${column}: ${answer.status} instead of ${expected[column]} ${answer.text.slice(0, 200)}`);
            else if (!isAllowed && (!answer.json?.error?.code || !answer.json.error.message)) wrong.push(`${column}: no error body: ${answer.text.slice(0, 200)}`);
        }
        assert.deepEqual(wrong, []);
    });
}

function send(operation, thread, caller, relation, message, token) {
    const [method, path, body] = request(operation, thread, caller, messageOf(thread, relation, message));
    const version = operation === "realtimeConfig" ? "2024-09-01" : undefined;
    return chatCall(method, path, { token, body, ...(version ? { version } : {}) });
}

test("nothing that was refused has changed the thread", async () => {
    await prepared;
    assert.deepEqual(await state(shared), spare.before);
});

test("a token of a deleted identity opens nothing", async () => {
    const gone = await newUser();
    const threadId = await newThread(gone, [spare.bystander]);
    assert.equal((await identityCall("DELETE", `/identities/${encodeURIComponent(gone.id)}`)).status, 204);
    for (const [method, path, body] of [["GET", threadPath(threadId)], ["GET", "/chat/threads"], ["POST", "/chat/threads", { topic: "x" }], ["POST", `${threadPath(threadId)}/messages`, { content: "x" }]]) {
        assert.equal((await chatCall(method, path, { token: gone.token, body })).status, 401, `${method} ${path}`);
    }
    assert.equal((await step("allocate", gone.token)).status, 401);
});

await run("authorization");
