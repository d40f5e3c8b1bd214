// Clients that send without a pause, and demand that every send succeeds.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { threadPath, until } from "./world.mjs";

const API = "api-version=2025-03-15";

/** Sends one message after the other through whichever nodes are not stopping; every answer must be 201. */
export class Senders {
    constructor(cluster, users, threads) {
        Object.assign(this, { cluster, users, threads, sent: [], problems: [], isEnding: false, slowestMs: 0 });
        this.working = users.map((user, number) => this.#work(user, number));
    }

    async #work(user, number) {
        for (let count = 0; !this.isEnding; count++) {
            const steady = this.cluster.nodes.filter(({ isDisturbed }) => !isDisturbed);
            const node = steady[count % steady.length];
            const thread = this.threads[(number + count) % this.threads.length];
            const content = `sender ${number} message ${count}`;
            const headers = { Authorization: `Bearer ${user.token}`, "x-ms-client-request-id": randomUUID() };
            const began = performance.now();
            const answer = await node.exchange("POST", `${threadPath(thread)}/messages?${API}`, { headers, body: { content } })
                .catch((error) => ({ status: 0, text: error.message }));
            const ms = performance.now() - began;
            this.slowestMs = Math.max(this.slowestMs, ms);
            if (answer.status === 201) this.sent.push({ thread, content, id: answer.json.id });
            else this.problems.push(`a send through ${node.name}: ${answer.status} ${answer.text} after ${ms.toFixed(0)} ms`);
        }
    }

    async everyThreadGrows() {
        const before = this.sent.length;
        await until("every thread grows", () => this.threads.every((thread) => this.sent.slice(before).filter((item) => item.thread === thread).length > 3), 60000);
    }

    async end() {
        this.isEnding = true;
        await Promise.all(this.working);
    }

    /** Every node tells of every thread what was sent there, each message once. */
    async everythingIsThere() {
        for (const thread of this.threads) {
            for (const node of this.cluster.nodes) {
                const told = (await node.allMessages(this.users[0], thread)).filter(({ type }) => type === "text");
                const sent = this.sent.filter((item) => item.thread === thread);
                assert.deepEqual(told.map(({ id }) => id).sort(), sent.map(({ id }) => id).sort(), `what ${node.name} has`);
            }
        }
    }
}
