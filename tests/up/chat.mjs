// chat.mjs write|read FILE ENDPOINT …: writes through the first endpoint and puts down in FILE what it wrote; both look
// then whether every endpoint tells exactly that. From the environment: WEFT_CONNECTION_STRING, WEFT_CA.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { exchange, signature } from "../sdk/lib/http.mjs";

const MESSAGES = 5;
const [doing, file, ...endpoints] = process.argv.slice(2);
const key = /accesskey=([^;]*)/i.exec(process.env.WEFT_CONNECTION_STRING)[1];

async function ask(origin, method, target, options) {
    const answer = await exchange(origin, method, target, options);
    if (answer.status >= 300) throw new Error(`${method} ${origin}${target}: ${answer.status} ${answer.text}`);
    return answer.json;
}

async function newUser(origin) {
    const target = "/identities?api-version=2023-10-01";
    const body = JSON.stringify({ createTokenWithScopes: ["chat"] });
    const made = await ask(origin, "POST", target, { body, headers: signature(key, "POST", target, new URL(origin).host, body) });
    return { id: made.identity.id, token: made.accessToken.token };
}

const asUser = (user, origin, method, path, body) =>
    ask(origin, method, `${path}?api-version=2025-03-15`, { body, headers: { Authorization: `Bearer ${user.token}`, "x-ms-client-request-id": randomUUID() } });

async function write(origin) {
    const users = [await newUser(origin), await newUser(origin)];
    const participants = users.map(({ id }) => ({ communicationIdentifier: { rawId: id, communicationUser: { id } } }));
    const made = await asUser(users[0], origin, "POST", "/chat/threads", { topic: "up", participants });
    const thread = `/chat/threads/${encodeURIComponent(made.chatThread.id)}`;
    const messages = [];
    for (let number = 0; number < MESSAGES; number++) {
        const content = `message ${number}`;
        const { id } = await asUser(users[number % 2], origin, "POST", `${thread}/messages`, { content });
        messages.push({ id, content });
    }
    writeFileSync(file, JSON.stringify({ users, thread, messages }));
}

async function read(origin) {
    const { users, thread, messages } = JSON.parse(readFileSync(file));
    for (const user of users) {
        const { value } = await asUser(user, origin, "GET", `${thread}/messages`);
        const found = value.filter(({ type }) => type === "text").map(({ id, content }) => ({ id, content: content.message }));
        assert.deepEqual(found.reverse(), messages, origin);
        const lists = await asUser(user, origin, "GET", "/chat/threads");
        assert.equal(lists.value.length, 1, origin);
    }
}

if (doing === "write") await write(endpoints[0]);
for (const endpoint of endpoints) await read(endpoint);
process.exit(0);
