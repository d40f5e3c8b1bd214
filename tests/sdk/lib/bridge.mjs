// The vendor's side of Teams interoperability, as far as a test can play it: a bridge that acts for users of Teams, and
// keeps what it is told of their threads.

import assert from "node:assert/strict";
import { exchange, signature } from "./http.mjs";
import { Receiver } from "./receiver.mjs";
import { CHAT_VERSION, accessKey, nextEndpoint, node, threadPath, until, uuid } from "./world.mjs";

const PREFIX = "Microsoft.Communication.";
const RETRY_MS = 60000;

export const admin = (method, target, body, at = nextEndpoint()) =>
    exchange(at, method, target, { headers: { Authorization: `Bearer ${node.adminToken}` }, body, deadlineMs: 60000 });

export class Bridge {
    /** Named at the cluster and subscribed to what happens where its users are; known to every node. `identities` may end in "*". */
    static async open(identities, probe, endpoints) {
        const bridge = new Bridge();
        bridge.name = `bridge-${uuid()}`;
        bridge.receiver = await Receiver.open();
        const values = identities.map((identity) => `/recipient/${identity.replace(/\*$/, "")}`);
        const filter = { advancedFilters: [{ operatorType: "StringContains", key: "subject", values }] };
        const made = await admin("PUT", `/admin/bridges/${bridge.name}`, { identities });
        assert.equal(made.status, 201, made.text);
        const subscribed = await admin("PUT", `/admin/events/subscriptions/${bridge.name}`, { endpoint: bridge.receiver.url(), filter });
        assert.equal(subscribed.status, 201, subscribed.text);
        for (const at of endpoints)
            await until("every node knows the bridge", async () => (await bridge.ask(probe, "GET", "/chat/threads/19:none@thread.v2", { at })).status === 404);
        return bridge;
    }

    /** A call of the chat API on behalf of a user of Teams, whatever comes of it. */
    ask(user, method, path, { body, at = nextEndpoint(), headers = {}, requestId = uuid() } = {}) {
        const target = `${path}?api-version=${CHAT_VERSION}`;
        const text = body === undefined ? "" : JSON.stringify(body);
        const acting = { "x-weft-bridge": this.name, "x-weft-acting-as": user };
        const signed = signature(accessKey, method, target, new URL(at).host, text, undefined, acting);
        return exchange(at, method, target, { headers: { ...signed, "x-ms-client-request-id": requestId, ...headers }, body: body === undefined ? undefined : text });
    }

    /** The same until it is done; a node that was killed meanwhile is no reason to give up. */
    async act(user, method, path, body) {
        const requestId = uuid();
        const answer = await until(`${method} ${path}`, async () => {
            const given = await this.ask(user, method, path, { body, requestId }).catch(() => null);
            return given && given.status < 500 && given.status !== 429 ? given : null;
        }, RETRY_MS);
        assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
        return answer.json;
    }

    send(user, threadId, content, rest = {}) {
        return this.act(user, "POST", `${threadPath(threadId)}/messages`, { content, ...rest });
    }

    /** What it was told, each once: events may come again. */
    get told() {
        const events = this.receiver.got.flatMap(({ json }) => (Array.isArray(json) ? json : [])).filter(({ eventType }) => eventType.startsWith(PREFIX));
        return [...new Map(events.map((event) => [event.id, event])).values()];
    }
    /** The first event of a type in a thread of which `fits` is true. */
    next(type, threadId, fits = () => true) {
        const isIt = ({ eventType, data }) => eventType === `${PREFIX}${type}` && data.threadId === threadId && fits(data);
        return until(`the bridge is told of ${type}`, () => this.told.find(isIt), RETRY_MS);
    }

    async close() {
        await admin("DELETE", `/admin/bridges/${this.name}`).catch(() => {});
        await admin("DELETE", `/admin/events/subscriptions/${this.name}`).catch(() => {});
        this.receiver.close();
    }
}
