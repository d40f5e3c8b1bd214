// A client of Weft's own real time, as proto/README.md describes it, in both formats.

import { decode, encode } from "@msgpack/msgpack";
import { Inbox, nextEndpoint } from "./world.mjs";
import WebSocket from "../node_modules/ws/wrapper.mjs";

export const FORMATS = ["json", "msgpack"];

export class Session {
    constructor(format, { at = nextEndpoint(), protocol = `weft.v1.${format}` } = {}) {
        this.format = format;
        this.at = at;
        this.inbox = new Inbox("a frame");
        this.all = [];
        this.socket = new WebSocket(`${at.replace("https", "wss")}/realtime`, protocol === null ? [] : [protocol], { maxPayload: 1 << 24 });
        this.opened = new Promise((resolve, reject) => {
            this.socket.on("open", resolve);
            this.socket.on("error", reject);
            this.socket.on("unexpected-response", (request, response) => {
                response.resume();
                reject(Object.assign(new Error(`upgrade answered ${response.statusCode}`), { status: response.statusCode }));
            });
        });
        this.opened.catch(() => {});
        this.closed = new Promise((resolve) => this.socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })));
        this.socket.on("message", (data, isBinary) => {
            const isExpected = isBinary === (format === "msgpack");
            const frame = !isExpected ? { type: "frame of the wrong kind" } : isBinary ? decode(data) : JSON.parse(data.toString());
            this.all.push(frame);
            this.inbox.push(frame);
        });
    }

    sendRaw(data, options) {
        this.socket.send(data, options);
    }
    send(frame) {
        this.sendRaw(this.format === "json" ? JSON.stringify(frame) : encode(frame));
    }
    next(type, fits = () => true, deadlineMs = undefined) {
        return this.inbox.take((frame) => frame.type === type && fits(frame), type, deadlineMs);
    }
    /** Sends and waits for the acknowledgement; an error frame for it is thrown. */
    async ask(frame) {
        this.send(frame);
        const answer = await this.inbox.take((item) => (item.type === "ack" || item.type === "error") && item.id === frame.id, `answer to ${frame.id}`);
        if (answer.type === "error") throw Object.assign(new Error(`${answer.code}: ${answer.message}`), answer);
        return answer;
    }
    close() {
        this.socket.terminate();
    }
}

/** A session that has said connect and was answered connected. */
export async function connect(format, token, { resume, at } = {}) {
    const session = new Session(format, { at });
    await session.opened;
    session.send({ type: "connect", token, ...(resume ? { resume } : {}) });
    session.connected = await session.inbox.take((frame) => frame.type === "connected" || frame.type === "error", "connected");
    if (session.connected.type !== "connected") throw new Error(`not connected: ${JSON.stringify(session.connected)}`);
    return session;
}
