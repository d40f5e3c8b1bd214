// The official SDK's real time as far as the cases need it: allocate, handshake, socket, pushes answered.

import { randomUUID } from "node:crypto";
import { WebSocketClient } from "./websocket.mjs";

/** The query of handshake and socket. */
export function connectQuery(connectparams, endpointId) {
    const given = Object.entries(connectparams).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return [...given, "v=v4", "timeout=40", "auth=true", `epid=${endpointId}`, "ccid=x", "dom=page.example.org"].join("&");
}

/** `{sid, query}` of a signed ticket. */
export async function allocate(world, user, endpointId = randomUUID()) {
    const headers = { "X-Skypetoken": user.token };
    const allocation = await world.exchange("POST", `/v4/a?cor_id=${randomUUID()}&con_num=1_1&epid=${endpointId}`, { headers, body: "" });
    if (allocation.status !== 200) throw new Error(`allocate: ${allocation.status} ${allocation.text}`);
    const query = connectQuery(allocation.json.connectparams, endpointId);
    const shaken = await world.exchange("GET", `/socket.io/1/?${query}&t=1`, { headers });
    if (shaken.status !== 200) throw new Error(`handshake: ${shaken.status} ${shaken.text}`);
    return { sid: shaken.text.split(":")[0], query };
}

export class Trouter {
    /** Connected, as the SDK sees it. `onPush(json)` sees the body of every push, `onPacket(text)` everything else. */
    static async connect(world, user, { onPush = () => {}, onPacket = () => {} } = {}) {
        const { sid, query } = await allocate(world, user);
        const socket = await WebSocketClient.open(world.target, `/socket.io/1/websocket/${sid}?${query}`);
        const session = new Trouter(socket, onPush, onPacket);
        await session.connected;
        return session;
    }

    constructor(socket, onPush, onPacket) {
        this.socket = socket;
        this.closed = socket.closed;
        let onConnected;
        this.connected = new Promise((resolve, reject) => {
            onConnected = resolve;
            socket.closed.then(({ code }) => reject(new Error(`closed with ${code} before trouter.connected`)));
        });
        this.connected.catch(() => {});
        socket.onMessage = (data) => {
            const text = data.toString();
            if (text.includes("trouter.connected")) onConnected();
            if (!text.startsWith("3:::")) return onPacket(text);
            const push = JSON.parse(text.slice(4));
            socket.sendText(`3:::${JSON.stringify({ id: push.id, status: 200, headers: {}, body: "" })}`);
            onPush(JSON.parse(push.body));
        };
    }
    close() {
        this.socket.terminate();
    }
}
