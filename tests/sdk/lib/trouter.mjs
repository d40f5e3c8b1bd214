// The official client's real time, frame by frame: allocate, handshake, socket.io 0.9 packets (real-time protocol 5-7).

import { exchange } from "./http.mjs";
import { Inbox, nextEndpoint, uuid } from "./world.mjs";
import WebSocket from "../node_modules/ws/wrapper.mjs";

// Behind one address each step may reach another node, so each goes to the next one.

export const allocate = (token, endpointId = uuid(), extra = "", at = nextEndpoint()) =>
    exchange(at, "POST", `/v4/a?cor_id=${uuid()}&con_num=${Date.now()}_1&epid=${endpointId}${extra}`, {
        headers: { "Content-Type": "text/plain", ...(token === undefined ? {} : { "X-Skypetoken": token }) },
        body: "",
    });

/** The query of the handshake and of the socket, with characters left raw as the client leaves them. */
export function connectQuery(connectparams, endpointId) {
    const given = Object.entries(connectparams).map(([name, value]) => `${name}=${value}`);
    const tc = encodeURI('{"cv":"2024.14.01.55","ua":"acs-chat-web","hr":"","v":"1.0.0"}');
    const activity = encodeURI('{"state":"active","cv":"AAAAAAAAAAAAAAAAAAAAAA.1"}');
    return [...given, "v=v4", `tc=${tc}`, "timeout=40", "auth=true", `epid=${endpointId}`, `userActivity=${activity}`, "ccid=x", "dom=page.example.org"].join("&");
}

export const handshake = (token, query) =>
    exchange(nextEndpoint(), "GET", `/socket.io/1/?${query}&t=${Date.now()}`, { headers: token === undefined ? {} : { "X-Skypetoken": token } });

export class TrouterSocket {
    constructor(sid, query, at = nextEndpoint()) {
        this.at = at;
        this.frames = new Inbox("a frame");
        this.pushes = new Inbox("a push");
        this.acks = new Inbox("an acknowledgement");
        this.answersPushes = true;
        this.all = [];
        this.socket = new WebSocket(`${at.replace("https", "wss")}/socket.io/1/websocket/${sid}?${query}`);
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
        this.socket.on("message", (data, isBinary) => this.#take(data.toString(), isBinary));
    }

    #take(text, isBinary) {
        this.all.push(text);
        if (isBinary) return this.frames.push({ binary: text });
        if (text.startsWith("3:::")) {
            const push = JSON.parse(text.slice(4));
            if (this.answersPushes) this.answer(push);
            return this.pushes.push({ ...push, json: JSON.parse(push.body) });
        }
        if (text.startsWith("6:::")) return this.acks.push(text);
        this.frames.push(text);
    }

    send(text) {
        this.socket.send(text);
    }
    answer(push, status = 200) {
        this.send(`3:::${JSON.stringify({ id: push.id, status, headers: { "trouter-client": '{"cd":1}' }, body: "" })}`);
    }
    close() {
        this.socket.terminate();
    }
}

/** A socket that has seen `1::` and trouter.connected. */
export async function connect(token, endpointId = uuid()) {
    const allocation = await allocate(token, endpointId);
    if (allocation.status !== 200) throw new Error(`allocate: ${allocation.status} ${allocation.text}`);
    const query = connectQuery(allocation.json.connectparams, endpointId);
    const shaken = await handshake(token, query);
    if (shaken.status !== 200) throw new Error(`handshake: ${shaken.status} ${shaken.text}`);
    const socket = new TrouterSocket(shaken.text.split(":")[0], query);
    socket.endpointId = endpointId;
    await socket.opened;
    socket.hello = [await socket.frames.take(), await socket.frames.take()];
    return socket;
}
