// A client of /realtime in one of its two formats (proto/README.md).

import { decode, encode } from "./msgpack.mjs";
import { WebSocketClient } from "./websocket.mjs";

export class Realtime {
    #asked = new Map();

    /** Connected and signed in. `onFrame` sees every frame from the first on. */
    static async connect(target, format, token, { resume, onFrame } = {}) {
        const socket = await WebSocketClient.open(target, "/realtime", { protocol: `weft.v1.${format}` });
        const session = new Realtime(socket, format, onFrame);
        session.send({ type: "connect", token, ...(resume ? { resume } : {}) });
        await session.connected;
        return session;
    }

    constructor(socket, format, onFrame = () => {}) {
        this.socket = socket;
        this.format = format;
        this.onFrame = onFrame;
        this.closed = socket.closed;
        this.connected = new Promise((resolve, reject) => {
            this.onConnected = resolve;
            socket.closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason} before connected`)));
        });
        this.connected.catch(() => {});
        socket.onMessage = (data) => this.#take(format === "json" ? JSON.parse(data.toString()) : decode(data));
        socket.closed.then(() => {
            for (const { reject } of this.#asked.values()) reject(new Error("closed before the answer"));
            this.#asked.clear();
        });
    }

    #take(frame) {
        if (frame.type === "connected") this.onConnected(frame);
        this.onFrame(frame);
        const asked = frame.type === "ack" || frame.type === "error" || frame.type === "pong" ? this.#asked.get(frame.id) : undefined;
        if (!asked) return;
        this.#asked.delete(frame.id);
        if (frame.type === "error") asked.reject(Object.assign(new Error(`${frame.code}: ${frame.message}`), frame));
        else asked.resolve(frame);
    }

    send(frame) {
        if (this.format === "json") this.socket.sendText(JSON.stringify(frame));
        else this.socket.sendBinary(encode(frame));
    }
    /** The `ack` or `pong` to a frame with an id; an `error` for it is thrown. */
    ask(frame) {
        return new Promise((resolve, reject) => {
            if (this.socket.isClosed) return reject(new Error("closed"));
            this.#asked.set(frame.id, { resolve, reject });
            this.send(frame);
        });
    }
    close() {
        this.socket.terminate();
    }
}
