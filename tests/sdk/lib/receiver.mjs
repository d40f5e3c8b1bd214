// A receiver of server events: an HTTP server that remembers what it got, and answers as it is told.

import http from "node:http";
import { until } from "../../lib/node.mjs";

export class Receiver {
    got = [];
    /** (request) => {status, headers, body}; by default it shows that it wants events, and takes them. */
    answer = willing;

    static async open() {
        const receiver = new Receiver();
        receiver.server = http.createServer((request, response) => receiver.#take(request, response));
        await new Promise((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
        receiver.port = receiver.server.address().port;
        return receiver;
    }

    async #take(request, response) {
        const text = await textOf(request);
        if (text === undefined) return;
        const item = { method: request.method, path: request.url, headers: request.headers, text, json: text === "" ? undefined : JSON.parse(text) };
        this.got.push(item);
        const { status = 200, headers = {}, body } = (await this.answer(item)) ?? {};
        response.writeHead(status, { "Content-Type": "application/json", ...headers });
        response.end(body === undefined ? "" : JSON.stringify(body));
    }

    url(path = "/hook") {
        return `http://127.0.0.1:${this.port}${path}`;
    }
    get last() {
        return this.got.at(-1);
    }
    /** The next request of which `fits` is true, from now on or before. */
    async next(fits) {
        return until("the receiver got it", () => this.got.find(fits));
    }
    close() {
        this.server.closeAllConnections();
        this.server.close();
    }
}

/** The whole of it; undefined: who sent it has gone meanwhile. */
export async function textOf(request) {
    const chunks = [];
    try {
        for await (const chunk of request) chunks.push(chunk);
    } catch {
        return undefined;
    }
    return Buffer.concat(chunks).toString();
}

export const validationOf = (item) =>
    item.headers["aeg-event-type"] === "SubscriptionValidation" ? item.json[0].data : undefined;

export function willing(item) {
    if (item.method === "OPTIONS") return { headers: { "WebHook-Allowed-Origin": item.headers["webhook-request-origin"] } };
    const validation = validationOf(item);
    return validation === undefined ? {} : { body: { validationResponse: validation.validationCode } };
}
