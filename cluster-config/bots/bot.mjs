// A bot: is told what happens in its conversations, and says something. Nothing of it is Weft's own but the signature: the
// activities are those of the Bot Framework, whose libraries do the same.

import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import http from "node:http";

const REMEMBERED = 10000; // activities, so that none is answered twice
const OLD_S = 5 * 60;

/** Standard Webhooks: who has the secret has sent this, and lately. */
export function isSigned(secret, headers, body, nowS = Date.now() / 1000) {
    const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures = "" } = headers;
    if (Math.abs(nowS - Number(time)) > OLD_S) return false;
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const expected = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest();
    return signatures.split(" ").some((signature) => {
        const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
        return given.length === expected.length && timingSafeEqual(given, expected);
    });
}

/** One conversation, as a bot answers in it. */
class Conversation {
    constructor(bot, activity) {
        this.bot = bot;
        this.id = activity.conversation.id;
        this.serviceUrl = activity.serviceUrl;
    }

    get #path() {
        return `/v3/conversations/${encodeURIComponent(this.id)}/activities`;
    }

    /** The id that makes it the same when it is sent again. */
    async #post(activity) {
        const body = JSON.stringify({ id: randomUUID(), from: { name: this.bot.name }, ...activity });
        return (await this.bot.call("POST", this.#path, { first: this.serviceUrl, body })).json.id;
    }

    say(text, channelData) {
        return this.#post({ type: "message", text, channelData });
    }
    type() {
        return this.#post({ type: "typing" });
    }

    /** A message that is written before everybody's eyes: `write` all of the text so far, `end` with all of it. */
    stream() {
        const piece = (fields) => [{ type: "streaminfo", ...fields }];
        let streamId, streamSequence = 0, written = Promise.resolve(), next, isOver = false;
        const send = async (text, isLast) => {
            const fields = { streamId, streamType: isLast ? "final" : "streaming", ...(isLast ? {} : { streamSequence: ++streamSequence }) };
            const id = await this.#post({ type: isLast ? "message" : "typing", text, entities: piece(fields) });
            streamId ??= id;
        };
        const pump = async () => {
            while (next !== undefined && !isOver) {
                const text = next;
                next = undefined;
                await send(text, false);
            }
        };
        return {
            /** What comes while the last piece is on its way is sent with the next one. */
            write(text) {
                const isIdle = next === undefined;
                next = text;
                if (isIdle) written = written.then(pump);
                written.catch(() => {});
            },
            async end(text) {
                isOver = true;
                await written.catch(() => {});
                await send(text, true);
                return streamId;
            },
        };
    }

    /** The chat's own interface, which a bot's token opens as a user's does. */
    chat(method, path = "", body) {
        const headers = method === "PATCH" ? { "Content-Type": "application/merge-patch+json" } : {};
        const target = `/chat/threads/${encodeURIComponent(this.id)}${path}?api-version=2025-03-15`;
        return this.bot.call(method, target, { first: this.serviceUrl, headers, body: body && JSON.stringify(body) });
    }
}

export class Bot {
    #seen = new Set();
    #turns = new Map(); // conversations, each with the end of what is done in it
    #token;

    /**
     * `onActivity(activity, conversation)` is called for one activity of a conversation at a time. What it returns, activities,
     * is said in the answer when the bot `expectsReplies`; other bots answer at once, and say what they have to say later.
     */
    constructor({ name, cluster, secret, expectsReplies = false, onActivity }) {
        Object.assign(this, { name, cluster, secret, expectsReplies, onActivity });
        this.server = http.createServer((request, response) => this.#take(request, response).catch((error) => this.#fail(error, response)));
    }

    /** Makes it known to the cluster, or known anew with this secret; its user is made with it. `{userId}` */
    async register(url) {
        const known = (await this.cluster.admin("GET", "/admin/bots")).json.value.find((bot) => bot.name === this.name);
        const userId = known?.userId ?? (await this.cluster.admin("POST", "/admin/tokens", { scopes: ["chat"] })).json.userId;
        const deliveryMode = this.expectsReplies ? "expectReplies" : "normal";
        const { json } = await this.cluster.admin("PUT", `/admin/bots/${this.name}`, { endpoint: url, displayName: this.name, userId, deliveryMode, secret: this.secret });
        return json;
    }

    /** That of an activity, for a bot that speaks later. */
    conversationOf(activity) {
        return new Conversation(this, activity);
    }

    async listen(port = 0, host = "127.0.0.1") {
        await new Promise((resolve, reject) => this.server.once("error", reject).listen(port, host, resolve));
        return this.server.address().port;
    }
    close() {
        this.server.closeAllConnections();
        this.server.close();
    }

    #fail(error, response) {
        console.error(`${this.name}: ${error.message}`);
        if (!response.headersSent) response.writeHead(500).end();
    }

    async #take(request, response) {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const body = Buffer.concat(chunks).toString();
        if (!isSigned(this.secret, request.headers, body)) return response.writeHead(401).end();
        const id = request.headers["webhook-id"];
        const isNew = !this.#seen.has(id);
        if (!this.expectsReplies) response.writeHead(202).end();
        else if (!isNew) return this.#answer(response, []);
        if (!isNew) return undefined;
        const replies = await this.#turn(JSON.parse(body));
        this.#remember(id);
        return this.expectsReplies ? this.#answer(response, replies ?? []) : undefined;
    }

    #answer(response, activities) {
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ activities }));
    }

    #remember(id) {
        this.#seen.add(id);
        if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value);
    }

    /** Behind what came before in the same conversation. */
    #turn(activity) {
        const conversation = this.conversationOf(activity);
        const before = this.#turns.get(conversation.id) ?? Promise.resolve();
        const now = before.catch(() => {}).then(() => this.onActivity(activity, conversation));
        this.#turns.set(conversation.id, now);
        const forget = () => this.#turns.get(conversation.id) === now && this.#turns.delete(conversation.id);
        now.then(forget, forget);
        return now;
    }

    /** A token for the secret, as from the Bot Framework's login; it is good for a day. */
    async #bearer(first) {
        if (this.#token?.until > Date.now()) return this.#token.text;
        const body = new URLSearchParams({ grant_type: "client_credentials", client_id: this.name, client_secret: this.secret, scope: "https://api.botframework.com/.default" }).toString();
        const headers = { "Content-Type": "application/x-www-form-urlencoded" };
        const { json } = await this.cluster.call("POST", "/botframework.com/oauth2/v2.0/token", { first, headers, body });
        this.#token = { text: json.access_token, until: Date.now() + json.expires_in * 500 };
        return this.#token.text;
    }

    async call(method, path, { first, headers, body }) {
        const Authorization = `Bearer ${await this.#bearer(first)}`;
        return this.cluster.call(method, path, { first, body, headers: { Authorization, ...headers } });
    }
}
