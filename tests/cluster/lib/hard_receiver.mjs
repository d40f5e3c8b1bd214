// A receiver of server events that is hard to deliver to: it refuses, stalls, redirects elsewhere, breaks connections,
// and is gone for a while. What it has got it remembers all the same, also when it does not say so.

import http from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { textOf, validationOf } from "../../sdk/lib/receiver.mjs";

export class HardReceiver {
    requests = 0;
    redirected = 0; // requests that followed where they must not
    mischief = { failed: 0, stalled: 0, sent: 0, broken: 0, died: 0 };
    #isEnded = false;

    /**
     * `trouble`: of a thousand requests; `statuses`: of its refusals; `stallMs`: how long one of them waits; `take(event)`: each
     * event that it is sent.
     */
    static async open({ chance, trouble, statuses, stallMs, take }) {
        const receiver = Object.assign(new HardReceiver(), { chance, trouble, statuses, stallMs, take });
        receiver.elsewhere = http.createServer((request, response) => {
            receiver.redirected++;
            response.end();
        });
        await new Promise((resolve) => receiver.elsewhere.listen(0, "127.0.0.1", resolve));
        await receiver.#listen(0);
        return receiver;
    }

    #listen(port) {
        this.server = http.createServer((request, response) => this.#take(request, response));
        return new Promise((resolve, reject) => {
            this.server.once("error", reject);
            this.server.listen(port, "127.0.0.1", () => {
                this.port = this.server.address().port;
                resolve();
            });
        });
    }

    async #take(request, response) {
        const text = await textOf(request);
        if (text === undefined) return undefined;
        const json = JSON.parse(text);
        const validation = validationOf({ headers: request.headers, json });
        if (validation !== undefined) return response.end(JSON.stringify({ validationResponse: validation.validationCode }));
        this.requests++;
        const kind = this.chance.below(1000) < this.trouble ? this.chance.below(4) : -1;
        if (kind === 0) return this.#answer("failed", response, this.chance.pick(this.statuses));
        if (kind === 1) return this.#answer("sent", response, 307, { Location: `http://127.0.0.1:${this.elsewhere.address().port}/` });
        if (kind === 2) {
            this.mischief.broken++;
            return request.socket.destroy();
        }
        for (const event of json) this.take(event);
        if (kind === 3) {
            this.mischief.stalled++;
            await pause(this.stallMs);
            if (this.#isEnded) return undefined;
        }
        return response.end();
    }

    #answer(what, response, status, headers = {}) {
        this.mischief[what]++;
        response.writeHead(status, headers);
        response.end();
    }

    /** Nobody listens there for a while. */
    async die(ms) {
        this.mischief.died++;
        this.server.closeAllConnections();
        await new Promise((resolve) => this.server.close(resolve));
        await pause(ms);
        await this.#listen(this.port);
    }

    url() {
        return `http://127.0.0.1:${this.port}/hook`;
    }
    close() {
        this.#isEnded = true;
        for (const server of [this.server, this.elsewhere]) {
            server.closeAllConnections();
            server.close();
        }
    }
}
