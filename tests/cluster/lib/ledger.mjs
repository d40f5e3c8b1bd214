// A thread whose range is known, with more in it than a log in memory has, so that a copy of its range comes in chunks.
// Messages are only added, one after the other, so what a node tells of it can be compared while others go on.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { threadPath, until } from "./world.mjs";

const FILLERS = 8;
const PROBES = 30; // more than is applied beside them for other reasons
const ASK_MS = 15000; // a little longer than a node tries to find who leads
const BREATH_MS = 20;
const API = "api-version=2025-03-15";

export class Ledger {
    acknowledged = [];

    /**
     * One for each range, by its number. Every range must be held by all nodes but one, every time another one, and nobody
     * else may send: whoever does not apply a message says which range it is in.
     */
    static async ofEveryRange(nodes, { nodes: told, ranges }) {
        const user = await nodes[0].newUser();
        const ledgers = [];
        const ids = nodes.map(({ name }) => told.find((node) => node.name === name).id);
        const applied = () => Promise.all(nodes.map((node) => node.metric("weft_commands_applied_total")));
        while (ledgers.filter(Boolean).length < ranges.length) {
            const ledger = Object.assign(new Ledger(), { user, thread: await nodes[0].newThread([user]) });
            const before = await applied();
            await ledger.fill(nodes[0], PROBES, 1);
            await until("all holders have applied the messages", async () => {
                const grown = (await applied()).map((count, index) => count - before[index]);
                const idle = ids.filter((_, index) => grown[index] < PROBES);
                ledger.range = ranges.find(({ inSync }) => idle.length === 1 && !inSync.includes(idle[0]))?.range;
                return ledger.range !== undefined;
            });
            ledgers[ledger.range] ??= ledger;
        }
        return ledgers;
    }

    async #add(node, content) {
        const { id, offset } = await node.newMessage(this.user, this.thread, content);
        this.acknowledged.push({ id, offset, content });
    }

    /** With so many messages of that size. */
    async fill(node, count, bytes) {
        const text = "z".repeat(bytes);
        const work = async (number) => {
            for (; number < count; number += FILLERS) await this.#add(node, `${number} ${text}`);
        };
        await Promise.all(Array.from({ length: FILLERS }, (_, number) => work(number)));
    }

    /** Sends through all nodes in turn until `end`, each message until it is acknowledged. */
    begin(traffic) {
        this.isEnding = false;
        this.working = this.#work(traffic);
    }

    async #work(traffic) {
        for (let turn = 0; !this.isEnding && !traffic.isOver; await pause(BREATH_MS)) {
            const content = `message ${this.acknowledged.length}`;
            const headers = { Authorization: `Bearer ${this.user.token}`, "x-ms-client-request-id": randomUUID() };
            const send = (node) => node.exchange("POST", `${threadPath(this.thread)}/messages?${API}`, { headers, body: { content }, deadlineMs: ASK_MS });
            for (let isDone = false; !isDone && !traffic.isOver; ) {
                const { nodes } = traffic.cluster;
                const { answer } = await traffic.attempt("a send to a ledger", nodes[turn++ % nodes.length], send, [201]);
                isDone = answer !== undefined;
                if (isDone) this.acknowledged.push({ id: answer.json.id, offset: Number(answer.headers["x-weft-offset"]), content });
                else await pause(50);
            }
        }
    }

    async end() {
        this.isEnding = true;
        await this.working;
    }

    /** The node tells all that was acknowledged, once, in its order, and nothing else. */
    async check(node) {
        const told = (await node.allMessages(this.user, this.thread)).filter(({ type }) => type === "text").reverse();
        const expected = [...this.acknowledged].sort((a, b) => a.offset - b.offset);
        assert.deepEqual(told.map(({ id }) => id), expected.map(({ id }) => id), `what ${node.name} tells of range ${this.range}`);
        const isSame = ({ content }, index) => content.message === expected[index].content;
        assert.ok(told.every(isSame), `${node.name} tells other text of range ${this.range} than was sent`);
    }
}
