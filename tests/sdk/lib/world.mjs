// What the suites share: the server under test, users, threads, and waiting.

import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { WeftNode, until } from "../../lib/node.mjs";
import { exchange, signature } from "./http.mjs";

export { until };

const connection = /^endpoint=(.*?)\/?;accesskey=(.*)$/i.exec(process.env.WEFT_CONNECTION_STRING ?? "");
if (!connection) throw new Error("WEFT_CONNECTION_STRING is not set; use tests/sdk/run");

export const endpoints = process.env.WEFT_ENDPOINTS?.split(" ") ?? [connection[1]];
let turn = 0;
let seed = Number(process.env.WEFT_SEED ?? 1);

export const connectionString = process.env.WEFT_CONNECTION_STRING;
export const endpoint = endpoints[0];
export const isCluster = endpoints.length > 1;
/** Where a new client goes: to another node than the one before it, where there are several. In no fixed rhythm, so that
 * a case of so many steps does not meet the same node with each of them. */
export function nextEndpoint() {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    turn += 1 + (seed >>> 16) % Math.max(endpoints.length - 1, 1);
    return endpoints[turn % endpoints.length];
}
export const nextPort = () => new URL(nextEndpoint()).port;
export const accessKey = connection[2];
export const nextConnectionString = () => `endpoint=${nextEndpoint()}/;accesskey=${accessKey}`;
export const CHAT_VERSION = "2025-03-15";
export const IDENTITY_VERSION = "2023-10-01";

/** Those under test when this run started them. */
export const nodes = process.env.WEFT_NODE_DIR ? process.env.WEFT_NODE_DIR.split(":").map((dir) => WeftNode.at(dir)) : [];

/** The node under test when this run started it, so that a test may stop and start it; null for a running server. */
export const node = nodes[0] ?? null;
/** That of an endpoint. */
export const nodeAt = (at) => nodes[endpoints.indexOf(at)] ?? null;

/** A request signed with the access key. `change` sees the headers before they are sent. */
export function identityCall(method, path, { body, version = IDENTITY_VERSION, key = accessKey, date, change, at = nextEndpoint() } = {}) {
    const target = version ? `${path}?api-version=${version}` : path;
    const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
    const headers = signature(key, method, target, new URL(at).host, text, date);
    change?.(headers);
    return exchange(at, method, target, { headers, body: body === undefined ? undefined : text });
}

/** A request to the chat API as the holder of `token`; `query` without the api-version. */
export function chatCall(method, path, { token, body, query = "", version = CHAT_VERSION, headers = {}, deadlineMs, at = nextEndpoint() } = {}) {
    const parts = [query, version ? `api-version=${version}` : ""].filter((part) => part !== "");
    const target = parts.length ? `${path}?${parts.join("&")}` : path;
    const authorization = token ? { Authorization: `Bearer ${token}` } : {};
    return exchange(at, method, target, { headers: { ...authorization, ...headers }, body, deadlineMs });
}

/** `{id, token}` of a new user. */
export async function newUser(scopes = ["chat"]) {
    const answer = await identityCall("POST", "/identities", { body: { createTokenWithScopes: scopes } });
    if (answer.status !== 201) throw new Error(`no user: ${answer.status} ${answer.text}`);
    return { id: answer.json.identity.id, token: answer.json.accessToken.token };
}

export const newUsers = (count) => Promise.all(Array.from({ length: count }, () => newUser()));

export async function newToken(userId, scopes = ["chat"], expiresInMinutes = 1440) {
    const answer = await identityCall("POST", `/identities/${encodeURIComponent(userId)}/:issueAccessToken`, { body: { scopes, expiresInMinutes } });
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.text}`);
    return answer.json.token;
}

export const identifier = (userId) => ({ rawId: userId, communicationUser: { id: userId } });
export const participant = (userId, rest = {}) => ({ communicationIdentifier: identifier(userId), ...rest });
export const threadPath = (threadId) => `/chat/threads/${encodeURIComponent(threadId)}`;

/** The id of a new thread made by `creator` with `others` in it. */
export async function newThread(creator, others = [], topic = "a thread") {
    const body = { topic, participants: others.map((user) => participant(user.id)) };
    const answer = await chatCall("POST", "/chat/threads", { token: creator.token, body });
    if (answer.status !== 201) throw new Error(`no thread: ${answer.status} ${answer.text}`);
    return answer.json.chatThread.id;
}

/** The id of a new message. */
export async function newMessage(sender, threadId, content = "a message", rest = {}) {
    const answer = await chatCall("POST", `${threadPath(threadId)}/messages`, { token: sender.token, body: { content, ...rest } });
    if (answer.status !== 201) throw new Error(`no message: ${answer.status} ${answer.text}`);
    return answer.json.id;
}

/** Every message of the thread as `reader` sees it, following nextLink. */
export async function allMessages(reader, threadId) {
    const found = [];
    let answer = await chatCall("GET", `${threadPath(threadId)}/messages`, { token: reader.token, query: "maxPageSize=200" });
    for (;;) {
        if (answer.status !== 200) throw new Error(`no list: ${answer.status} ${answer.text}`);
        found.push(...answer.json.value);
        if (!answer.json.nextLink) return found;
        const next = new URL(answer.json.nextLink);
        answer = await exchange(next.origin, "GET", next.pathname + next.search, { headers: { Authorization: `Bearer ${reader.token}` } });
    }
}

export async function collect(iterable) {
    const items = [];
    for await (const item of iterable) items.push(item);
    return items;
}

/** Things that arrive, in order, to be waited for. */
export class Inbox {
    constructor(what) {
        this.what = what;
        this.items = [];
        this.waiting = new Set();
    }
    push(item) {
        this.items.push(item);
        for (const look of [...this.waiting]) look();
    }
    /** The first item that fits (any by default), taken out. */
    take(fits = () => true, what = this.what, deadlineMs = 20000) {
        return new Promise((resolve, reject) => {
            let timer;
            const look = () => {
                const index = this.items.findIndex(fits);
                if (index < 0) return false;
                clearTimeout(timer);
                this.waiting.delete(look);
                resolve(this.items.splice(index, 1)[0]);
                return true;
            };
            if (look()) return;
            this.waiting.add(look);
            timer = setTimeout(() => {
                this.waiting.delete(look);
                const seen = this.items.slice(-8).map((item) => JSON.stringify(item)?.slice(0, 300)).join("\n  ");
                reject(new Error(`did not arrive within ${deadlineMs} ms: ${what}; there were ${this.items.length}, the last:\n  ${seen}`));
            }, deadlineMs);
        });
    }
    async takeMany(count, fits, what, deadlineMs) {
        const taken = [];
        while (taken.length < count) taken.push(await this.take(fits, what, deadlineMs));
        return taken;
    }
}

export const uuid = randomUUID;
export const sdkVersion = (name) =>
    JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
