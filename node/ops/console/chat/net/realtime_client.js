// Weft's own real time, `weft.v1.json`: one socket at a time, connected again when it is lost, with everything that was
// not acknowledged sent again under the same id. It knows frames, not what they mean to a conversation.
//
//   idle ──start──▶ connecting ──connected──▶ open ──lost──▶ waiting ──time──▶ connecting
//                        └─────────lost──────────────────────▲  └──4401──▶ refused ──start──▶ connecting

const SUBPROTOCOL = 'weft.v1.json';
const BACKOFF_MS_MIN = 400;
const BACKOFF_MS_MAX = 15000;
const CONNECT_MS_MAX = 10000;
const QUIET_MS_MAX = 15000; // then a ping
const PONG_MS_MAX = 8000;
const CLOSE_TOKEN_REFUSED = 4401;
const CLOSE_TOO_MANY = 4429;

export class RealtimeClient {
    // `positions()` gives `{threadId: offset}` to resume from; `onState(state, retryAt)`; `onFrame(frame)`.
    constructor({ token, positions, onState, onFrame, origin = location.origin }) {
        this.token = token;
        this.positions = positions;
        this.onState = onState;
        this.onFrame = onFrame;
        this.url = `${origin.replace(/^http/, 'ws')}/realtime`;
        this.state = 'idle';
        this.unanswered = new Map(); // request id → {frame, resolve, reject}
        this.failures = 0;
        addEventListener('online', () => this.hurry());
        document.addEventListener('visibilitychange', () => document.hidden || this.hurry());
    }

    get isOpen() {
        return this.state === 'open';
    }

    start() {
        this.failures = 0;
        this.#connect();
    }

    stop() {
        this.#drop();
        this.#enter('idle');
    }

    hurry() {
        if (this.state === 'waiting') this.#connect();
    }

    // Resolves with the acknowledgement, however many connections that takes; rejects when the server refuses.
    request(frame) {
        return new Promise((resolve, reject) => {
            this.unanswered.set(frame.id, { frame, resolve, reject });
            if (this.isOpen) this.#put(frame);
        });
    }

    // Said now or never.
    tell(frame) {
        if (this.isOpen) this.#put(frame);
        return this.isOpen;
    }

    #connect() {
        this.#drop();
        this.#enter('connecting');
        const socket = new WebSocket(this.url, SUBPROTOCOL);
        this.socket = socket;
        this.timer = setTimeout(() => this.#lost(), CONNECT_MS_MAX);
        socket.onopen = () => this.#put({ type: 'connect', token: this.token(), resume: this.positions() });
        socket.onmessage = (event) => this.#received(JSON.parse(event.data));
        socket.onclose = (event) => this.#lost(event.code);
    }

    #received(frame) {
        this.heardAt = performance.now();
        const handle = {
            connected: () => this.#connected(frame),
            ack: () => this.#answered(frame, 'resolve', frame),
            error: () => this.#refused(frame),
            goaway: () => this.#leaveWithin(frame.afterMs),
            pong: () => {},
        }[frame.type];
        if (handle) handle();
        else this.onFrame(frame);
    }

    #connected(frame) {
        clearTimeout(this.timer);
        this.failures = 0;
        this.#enter('open');
        this.onFrame(frame);
        for (const { frame: waiting } of this.unanswered.values()) this.#put(waiting);
        this.#watch();
    }

    #answered(frame, outcome, value) {
        const waiting = this.unanswered.get(frame.id);
        this.unanswered.delete(frame.id);
        waiting?.[outcome](value);
    }

    #refused(frame) {
        const waiting = this.unanswered.get(frame.id);
        if (!waiting) this.onFrame(frame);
        else if (frame.retryAfterMs) setTimeout(() => this.tell(waiting.frame), frame.retryAfterMs);
        else this.#answered(frame, 'reject', Object.assign(new Error(frame.message), { code: frame.code }));
    }

    // A node that drains names a time; going at a random moment inside it keeps the others from being stormed.
    #leaveWithin(afterMs) {
        clearTimeout(this.leaveTimer);
        this.leaveTimer = setTimeout(() => this.#connect(), Math.random() * afterMs * 0.5);
    }

    // Browsers hide WebSocket pings, so a dead path is found by asking.
    #watch() {
        clearTimeout(this.timer);
        const quiet = performance.now() - this.heardAt;
        if (quiet < QUIET_MS_MAX) {
            this.timer = setTimeout(() => this.#watch(), QUIET_MS_MAX - quiet + 50);
            return;
        }
        const askedAt = performance.now();
        this.#put({ type: 'ping' });
        this.timer = setTimeout(() => (this.heardAt >= askedAt ? this.#watch() : this.#lost()), PONG_MS_MAX);
    }

    #lost(code) {
        this.#drop();
        if (code === CLOSE_TOKEN_REFUSED) return this.#enter('refused');
        this.failures += code === CLOSE_TOO_MANY ? 3 : 1;
        const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (this.failures - 1));
        const wait = ceiling * (0.5 + Math.random() / 2);
        this.timer = setTimeout(() => this.#connect(), wait);
        this.#enter('waiting', Date.now() + wait);
    }

    #drop() {
        clearTimeout(this.timer);
        clearTimeout(this.leaveTimer);
        if (!this.socket) return;
        this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
        this.socket.close();
        this.socket = undefined;
    }

    #put(frame) {
        if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
    }

    #enter(state, retryAt) {
        this.state = state;
        this.onState(state, retryAt);
    }
}
