// A WebSocket client (RFC 6455) that can also do what a client must not: send any frame and any bytes, and stop reading.

import { createHash, randomBytes } from "node:crypto";
import net from "node:net";
import tls from "node:tls";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** A frame as bytes. `length` claims another length than the payload's, `lengthBytes` (0, 2, 8) another form of it. */
export function frame(opcode, payload, { isFinal = true, reserved = 0, isMasked = true, length = payload.length, lengthBytes } = {}) {
    const form = lengthBytes ?? (length < 126 ? 0 : length < 65536 ? 2 : 8);
    const head = Buffer.alloc(2 + form);
    head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
    head[1] = (isMasked ? 0x80 : 0) | (form === 0 ? length & 127 : form === 2 ? 126 : 127);
    if (form === 2) head.writeUInt16BE(length & 0xffff, 2);
    if (form === 8) head.writeBigUInt64BE(BigInt.asUintN(64, BigInt(length)), 2);
    if (!isMasked) return Buffer.concat([head, payload]);
    const mask = randomBytes(4);
    const masked = Buffer.from(payload);
    for (let index = 0; index < masked.length; index++) masked[index] ^= mask[index & 3];
    return Buffer.concat([head, mask, masked]);
}

/** A connected socket; `target` is {port} for plain TCP or {port, ca} for TLS, and perhaps a host. */
export function dial(target) {
    const host = target.host ?? "127.0.0.1";
    return new Promise((resolve, reject) => {
        const socket = target.ca
            ? tls.connect({ host, port: target.port, ca: target.ca, servername: "" }, () => resolve(socket))
            : net.connect({ host, port: target.port }, () => resolve(socket));
        socket.setNoDelay(true);
        socket.once("error", reject);
    });
}

export class WebSocketClient {
    #input = Buffer.alloc(0);
    #fragments = [];
    #isText = false;
    #ended = false;
    #early = [];
    #onMessage = null;

    /** Resolves after the 101; otherwise rejects with an error that has the `status`. */
    static async open(target, path, { protocol, headers = {} } = {}) {
        const socket = await dial(target);
        const client = new WebSocketClient(socket);
        try {
            await client.#shakeHands(target, path, protocol, headers);
        } catch (error) {
            socket.destroy();
            throw error;
        }
        return client;
    }

    constructor(socket) {
        this.socket = socket;
        this.closed = new Promise((resolve) => (this.resolveClosed = resolve));
        this.code = 1006;
        this.reason = "";
        socket.on("error", () => this.#end());
        socket.on("close", () => this.#end());
        socket.on("end", () => socket.end());
    }

    #shakeHands(target, path, protocol, headers) {
        const key = randomBytes(16).toString("base64");
        const lines = [
            `GET ${path} HTTP/1.1`, `Host: ${target.host ?? "127.0.0.1"}:${target.port}`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            `Sec-WebSocket-Key: ${key}`, ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
            ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
        ];
        this.socket.write(`${lines.join("\r\n")}\r\n\r\n`);
        return new Promise((resolve, reject) => {
            let text = Buffer.alloc(0);
            this.closed.then(() => reject(new Error("closed during the handshake")));
            const onData = (data) => {
                text = Buffer.concat([text, data]);
                const end = text.indexOf("\r\n\r\n");
                if (end < 0) return;
                this.socket.off("data", onData);
                const head = text.subarray(0, end).toString("latin1");
                const status = Number(head.split(" ")[1]);
                const wanted = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
                if (status !== 101 || !head.includes(wanted)) return reject(Object.assign(new Error(`upgrade answered ${head}`), { status }));
                this.socket.on("data", (more) => this.#take(more));
                if (text.length > end + 4) queueMicrotask(() => this.#take(text.subarray(end + 4)));
                resolve();
            };
            this.socket.on("data", onData);
        });
    }

    /** What came before somebody listened comes first. */
    set onMessage(listener) {
        this.#onMessage = listener;
        for (const message of this.#early.splice(0)) listener(...message);
    }
    #tell(data, isText) {
        if (this.#onMessage) this.#onMessage(data, isText);
        else this.#early.push([data, isText]);
    }

    #end() {
        if (this.#ended) return;
        this.#ended = true;
        this.resolveClosed({ code: this.code, reason: this.reason });
    }
    get isClosed() {
        return this.#ended;
    }

    #take(data) {
        this.#input = this.#input.length === 0 ? data : Buffer.concat([this.#input, data]);
        for (;;) {
            const input = this.#input;
            if (input.length < 2) return;
            let length = input[1] & 127;
            let start = 2;
            if (length === 126) {
                if (input.length < 4) return;
                length = input.readUInt16BE(2);
                start = 4;
            } else if (length === 127) {
                if (input.length < 10) return;
                length = Number(input.readBigUInt64BE(2));
                start = 10;
            }
            if (input.length < start + length) return;
            this.#input = input.subarray(start + length);
            this.#takeFrame(input[0] & 15, (input[0] & 0x80) !== 0, input.subarray(start, start + length));
        }
    }

    #takeFrame(opcode, isFinal, payload) {
        if (opcode === OPCODE.ping) return this.sendFrame(OPCODE.pong, payload);
        if (opcode === OPCODE.pong) return;
        if (opcode === OPCODE.close) {
            this.code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
            this.reason = payload.subarray(2).toString();
            this.sendFrame(OPCODE.close, payload.subarray(0, 2));
            this.socket.end();
            return;
        }
        if (opcode !== OPCODE.continuation) this.#isText = opcode === OPCODE.text;
        this.#fragments.push(payload);
        if (!isFinal) return;
        const whole = this.#fragments.length === 1 ? payload : Buffer.concat(this.#fragments);
        this.#fragments = [];
        this.#tell(whole, this.#isText);
    }

    sendRaw(bytes) {
        if (!this.socket.destroyed && this.socket.writable) this.socket.write(bytes);
    }
    sendFrame(opcode, payload, options) {
        this.sendRaw(frame(opcode, payload, options));
    }
    sendText(text) {
        this.sendFrame(OPCODE.text, Buffer.from(text));
    }
    sendBinary(bytes) {
        this.sendFrame(OPCODE.binary, bytes);
    }
    stopReading() {
        this.socket.pause();
    }
    goOnReading() {
        this.socket.resume();
    }
    close(code = 1000) {
        const payload = Buffer.alloc(2);
        payload.writeUInt16BE(code);
        this.sendFrame(OPCODE.close, payload);
    }
    terminate() {
        this.socket.destroy();
    }
}
