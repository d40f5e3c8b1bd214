// Whatever arrives, the answer is a named refusal or a closed socket, and the node, built with sanitizers, lives and is clean.
// WEFT_MALFORMED: how many requests and frames in all (10000). WEFT_SEED: repeats a run.

import assert from "node:assert/strict";
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { run, test } from "../sdk/lib/harness.mjs";
import { chanceFrom } from "./lib/chance.mjs";
import { encode } from "./lib/msgpack.mjs";
import { mutateBytes, mutateTree, nastyText } from "./lib/mutate.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { allocate } from "./lib/trouter.mjs";
import { OPCODE, WebSocketClient, dial, frame } from "./lib/websocket.mjs";
import { World, participant, threadPath } from "./lib/world.mjs";

const TOTAL = Number(process.env.WEFT_MALFORMED ?? 10000);
const LANES = 16;
const LOOK_EVERY = 500;
const CONFIG = "request_timeout_ms = 1000\nheartbeat_ms = 5000\nlog_level = warning\nfeature_participants_max = 250\n";
const chance = chanceFrom(process.env.WEFT_SEED);
console.log(`# seed ${chance.seed}, ${TOTAL} requests and frames`);

const seen = new Map(); // what was answered, how often
const note = (what) => seen.set(what, (seen.get(what) ?? 0) + 1);

let started;
async function start() {
    const world = await World.make({ plain: true });
    await world.start({ config: CONFIG, env: { ASAN_OPTIONS: "detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS: "print_stacktrace=1" } });
    // One user may not have very many connections, and those that broke are kept a moment.
    const users = await world.newUsers(3);
    const many = await world.newUsers(TOTAL / 50);
    const thread = await world.newThread([...users, ...many.slice(0, 240)]);
    const { id } = await world.newMessage(users[0], thread, "a message");
    return { world, users, many, thread, message: id };
}

async function isAlive(world) {
    const answer = await world.exchange("GET", "/health/live", { deadlineMs: 20000 });
    assert.equal(answer.status, 200);
    assert.ok(world.node.isRunning, world.node.log.slice(-3000));
}

/** Runs `one(number)` `count` times in lanes; looks now and then whether the node lives. */
async function inLanes(world, count, one) {
    let next = 0;
    const lane = async () => {
        while (next < count) {
            const number = next++;
            await one(number);
            if (number % LOOK_EVERY === LOOK_EVERY - 1) await isAlive(world);
        }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await isAlive(world);
}

/** Writes the pieces, ends its half, and gives everything that came until the node closed. */
function converse(target, pieces, { deadlineMs = 15000, staysOpen = false } = {}) {
    return new Promise((resolve, reject) => {
        const socket = net.connect(target.port, "127.0.0.1");
        const chunks = [];
        const timer = setTimeout(() => {
            socket.destroy();
            reject(new Error(`neither answered nor closed within ${deadlineMs} ms: ${JSON.stringify(Buffer.concat(pieces).toString("latin1").slice(0, 300))}`));
        }, deadlineMs);
        socket.on("data", (chunk) => chunks.push(chunk));
        socket.on("error", () => {});
        socket.on("close", () => {
            clearTimeout(timer);
            resolve(Buffer.concat(chunks));
        });
        socket.on("connect", async () => {
            for (const [index, piece] of pieces.entries()) {
                if (index > 0) await pause(5);
                if (!socket.destroyed) socket.write(piece);
            }
            if (!staysOpen && !socket.destroyed) socket.end();
        });
    });
}

/** The answers in what came over one connection; the bytes after a 101 are left out. */
function answersIn(bytes) {
    const answers = [];
    let at = 0;
    while (at < bytes.length) {
        const end = bytes.indexOf("\r\n\r\n", at);
        assert.ok(end >= 0, `an answer is cut off: ${bytes.subarray(at, at + 200).toString("latin1")}`);
        const [first, ...lines] = bytes.subarray(at, end).toString("latin1").split("\r\n");
        const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
        assert.match(first, /^HTTP\/1\.[01] \d{3} /, "a status line");
        const status = Number(first.split(" ")[1]);
        // After HEAD there is a length but no body.
        const hasBody = status !== 204 && status !== 304 && status !== 101 && !bytes.subarray(end + 4, end + 11).equals(Buffer.from("HTTP/1."));
        const size = !hasBody ? 0 : headers.has("content-length") ? Number(headers.get("content-length")) : bytes.length - end - 4;
        answers.push({ status, headers, body: bytes.subarray(end + 4, end + 4 + size).toString() });
        at = status === 101 ? bytes.length : end + 4 + size;
    }
    return answers;
}

function checkAnswer({ status, headers, body }, isHead) {
    note(status);
    assert.ok(!headers.has("x-injected"), "no header of the client's making");
    assert.ok(status < 500 || status === 501 || status === 503, `${status} ${body}`);
    if (status < 400 || isHead) return;
    const isJson = headers.get("content-type")?.startsWith("application/json");
    // What is no HTTP at all h2o refuses by itself, in plain text.
    if (!isJson && status === 400) return;
    const { error } = JSON.parse(body);
    assert.match(error.code, /^[A-Z][A-Za-z0-9]+$/, body);
    assert.equal(typeof error.message, "string");
}

// ---- requests ----

const METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "CONNECT", "FOO", "get", "P\u00d6ST", "A".repeat(300)];

/** Right requests of every kind, as {method, target, headers, body}. */
function rightRequests({ world, users, thread, message }) {
    const version = "api-version=2025-03-15";
    const bearer = { Authorization: `Bearer ${users[0].token}` };
    const chat = (method, path, body) => ({
        method, target: `${path}${path.includes("?") ? "&" : "?"}${version}`, body,
        headers: { ...bearer, ...(body ? { "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json" } : {}) },
    });
    const identity = (method, path, body) => {
        const target = `${path}?api-version=2023-10-01`;
        return { method, target, body, headers: world.signed(method, target, body ? JSON.stringify(body) : "") };
    };
    const path = threadPath(thread);
    const trouter = { "X-Skypetoken": users[0].token };
    return [
        chat("POST", "/chat/threads", { topic: "t", participants: [participant(users[1])], metadata: { a: "b" }, retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 40 } }),
        chat("GET", "/chat/threads?maxPageSize=5&startTime=2020-01-01T00:00:00Z"), chat("GET", path), chat("PATCH", path, { topic: "new", metadata: { a: "" } }),
        chat("POST", `${path}/messages`, { content: "hello", type: "text", senderDisplayName: "Z", metadata: { k: "v" } }),
        chat("POST", `${path}/messages`, { content: "<b>hi<i>there</b></i><a href='https://x'>l</a>", type: "html" }),
        chat("GET", `${path}/messages?maxPageSize=2&syncState=3`), chat("GET", `${path}/messages/${message}`), chat("PATCH", `${path}/messages/${message}`, { content: "edit" }),
        chat("GET", `${path}/participants?skip=1`), chat("POST", `${path}/participants/:add`, { participants: [participant(users[1])] }),
        chat("POST", `${path}/participants/:remove`, { rawId: "8:acs:x", communicationUser: { id: "8:acs:x" } }),
        chat("POST", `${path}/typing`, { senderDisplayName: "x" }), chat("POST", `${path}/readReceipts`, { chatMessageId: message }), chat("GET", `${path}/readReceipts`),
        identity("POST", "/identities", { createTokenWithScopes: ["chat"], expiresInMinutes: 60 }),
        identity("POST", `/identities/${encodeURIComponent(users[2].id)}/:issueAccessToken`, { scopes: ["chat"] }),
        identity("POST", "/teamsUser/:exchangeAccessToken", { token: "x", appId: "y", userId: "z" }),
        { method: "POST", target: "/v4/a?epid=e", headers: trouter, body: "" }, { method: "GET", target: "/socket.io/1/?epid=e&sr=abc&v=v4", headers: trouter },
        { method: "POST", target: "/v3/registrations", headers: trouter, body: { registrationId: "1", nodeId: "", clientDescription: {}, transports: {} } },
        { method: "GET", target: "/chat/config/realTimeNotifications", headers: bearer }, { method: "GET", target: "/", headers: {} },
        { method: "GET", target: "/app/main.js", headers: {} }, { method: "GET", target: "/metrics", headers: {} },
    ];
}

function bytesOf({ method, target, headers, body }, port) {
    const payload = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
    const given = { Host: `127.0.0.1:${port}`, ...headers, ...(payload && !headers["Transfer-Encoding"] ? { "Content-Length": headers["Content-Length"] ?? payload.length } : {}) };
    const head = `${method} ${target} HTTP/1.1\r\n${Object.entries(given).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
    return Buffer.concat([Buffer.from(head, "latin1"), payload ?? Buffer.alloc(0)]);
}

function chunked(body) {
    const size = chance.pick([body.length.toString(16), "0", "-1", "ffffffffffffffff", "fffffffffffffffff", "zz", "", `${body.length.toString(16)};ext="\x00"`, "7fffffff"]);
    return Buffer.concat([Buffer.from(`${size}\r\n`), body, Buffer.from(chance.pick(["\r\n0\r\n\r\n", "", "\r\n0\r\nX-Trailer: 1\r\n\r\n", "\r\n-5\r\n"]))]);
}

const WRONG_HEADERS = [
    ["Content-Length", "-1"], ["Content-Length", "99999999999999999999"], ["Content-Length", "5, 6"], ["Content-Length", "18446744073709551615"], ["Content-Length", "3"], ["Content-Length", "1048577"],
    ["Content-Length", "0x10"], ["Transfer-Encoding", "chunked"], ["Transfer-Encoding", "gzip, chunked"], ["Transfer-Encoding", "identity"], ["Expect", "100-continue"], ["Expect", "nonsense"],
    ["Host", ""], ["Host", "a b"], ["Host", "x".repeat(300)], ["Host", "evil.example/%0d%0a"], ["Authorization", "Bearer"], ["Authorization", "Bearer a.b.c"], ["Authorization", `Bearer ${"x".repeat(6000)}`],
    ["Authorization", "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=AAAA"], ["X-Skypetoken", "ey.ey.ey"], ["x-ms-date", "yesterday"], ["x-ms-content-sha256", "?"],
    ["Connection", "Upgrade"], ["Upgrade", "websocket"], ["Upgrade", "h2c"], ["HTTP2-Settings", "AAAA"], ["Range", "bytes=0-"], ["Accept-Encoding", "gzip;q=\u00ff"], ["Origin", "null\t\u0001"],
    ["x-ms-client-request-id", "x".repeat(1000)], ["Repeatability-Request-Id", "\u00ff".repeat(20)], ["Access-Control-Request-Headers", "a".repeat(3000)], ["X-Big", "b".repeat(20000)], ["", "empty"], ["a b", "c"],
];

function wrongRequest(right, port) {
    const request = { ...chance.pick(right), isWhole: true };
    request.headers = { ...request.headers };
    switch (chance.below(9)) {
        // The thread itself stays, or everything else would only hear that it is gone.
        case 0: request.method = chance.pick(METHODS.filter((method) => method !== "DELETE" || request.target.includes("/messages"))); break;
        case 1: request.target = mutateBytes(chance, Buffer.from(request.target)).toString("latin1").replace(/[\r\n ]/g, "%0a"); break;
        case 2: request.target += `&${chance.pick(["maxPageSize", "skip", "startTime", "syncState", "api-version"])}=${encodeURIComponent(nastyText(chance).toWellFormed())}`; break;
        case 3: if (request.body) request.body = mutateTree(chance, request.body); break;
        case 4: if (request.body) request.body = mutateBytes(chance, Buffer.from(JSON.stringify(request.body))); break;
        case 5: for (let count = 1 + chance.below(3); count > 0; count--) { const [name, value] = chance.pick(WRONG_HEADERS); request.headers[name] = value; } break;
        case 6:
            request.headers["Transfer-Encoding"] = "chunked";
            request.body = chunked(Buffer.from(JSON.stringify(request.body ?? {})));
            break;
        case 7: return { bytes: mutateBytes(chance, bytesOf(request, port)), isHead: false };
        case 8: request.target = chance.pick(["*", "//", "/%2e%2e/%2e%2e/etc/passwd", "/app/..%2f..%2fx", "/app/%00", "http://other.example/chat/threads", "chat", "?", "/".repeat(2000), `/${"a".repeat(9000)}`, "/chat/threads/%", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z"]); break;
    }
    return { bytes: bytesOf(request, port), isHead: request.method === "HEAD" };
}

async function requests(context, count) {
    const { world } = context;
    const right = rightRequests(context);
    await inLanes(world, count, async () => {
        const made = Array.from({ length: chance.isOneIn(10) ? 2 + chance.below(6) : 1 }, () => wrongRequest(right, world.target.port));
        let pieces = made.map(({ bytes }) => bytes);
        if (chance.isOneIn(25) && pieces[0].length > 10) {
            const cut = 1 + chance.below(pieces[0].length - 1);
            pieces = [pieces[0].subarray(0, cut), pieces[0].subarray(cut), ...pieces.slice(1)];
        }
        const answers = answersIn(await converse(world.target, made.length > 1 && pieces.length === made.length ? [Buffer.concat(pieces)] : pieces));
        if (answers.length === 0) note("closed");
        for (const answer of answers) checkAnswer(answer, made.some(({ isHead }) => isHead));
    });
}

// ---- frames ----

/** What may look like the beginning of a frame is followed by more than such a frame can have. */
const garbage = () => Buffer.concat([chance.bytes(1 + chance.below(60)), Buffer.alloc(70000)]);

const wrongFrames = [
    () => frame(3 + chance.below(5), chance.bytes(5)), () => frame(11 + chance.below(5), Buffer.alloc(0)), () => frame(OPCODE.text, Buffer.from("x"), { reserved: 1 + chance.below(7) }),
    () => frame(OPCODE.text, Buffer.from("{}"), { isMasked: false }), () => frame(OPCODE.text, chance.bytes(3), { length: chance.pick([2 ** 31, 2 ** 32, 2 ** 53, 300000, -1]), lengthBytes: 8 }),
    () => frame(OPCODE.text, Buffer.from("ab"), { lengthBytes: 8 }), () => frame(OPCODE.text, Buffer.from("ab"), { lengthBytes: 2 }), () => frame(OPCODE.ping, Buffer.alloc(200)),
    () => frame(OPCODE.ping, Buffer.from("x"), { isFinal: false }), () => frame(OPCODE.close, Buffer.from([3])), () => frame(OPCODE.close, Buffer.from([0x03, 0xed, 0xff])), () => frame(OPCODE.close, Buffer.from([0, 1])),
    () => frame(OPCODE.continuation, Buffer.from("nothing before")), () => frame(OPCODE.text, Buffer.from([0xc3, 0x28])), () => frame(OPCODE.text, Buffer.from([0xed, 0xa0, 0x80])),
    () => Buffer.concat([frame(OPCODE.text, Buffer.from("a"), { isFinal: false }), frame(OPCODE.text, Buffer.from("b"))]),
    () => Buffer.concat([frame(OPCODE.text, Buffer.from("{\"type\":"), { isFinal: false }), frame(OPCODE.ping, Buffer.from("between")), frame(OPCODE.continuation, Buffer.from("\"ping\"}"))]),
    () => Buffer.concat(Array.from({ length: 200 }, (_, index) => frame(index ? OPCODE.continuation : OPCODE.text, Buffer.from("["), { isFinal: index === 199 }))),
    () => frame(OPCODE.text, Buffer.alloc(262145, 0x20)), garbage, () => frame(OPCODE.binary, chance.bytes(chance.below(300))), () => frame(OPCODE.text, chance.bytes(chance.below(300))),
];

const rightFrames = ({ users, thread, message }) => [
    { type: "connect", token: users[0].token, resume: { [thread]: 1 } }, { type: "send", id: "i", thread, content: "c", contentType: "html", senderDisplayName: "n", metadata: { a: "b" } },
    { type: "typing", thread, senderDisplayName: "n", id: "t" }, { type: "receipt", thread, messageId: message, id: "r" }, { type: "resume", threads: { [thread]: 0 } },
    { type: "token", token: users[0].token }, { type: "ping", id: "p" },
];

function checkRealtimeFrame(given) {
    if (given.type !== "error") return;
    note(`error ${given.code}`);
    assert.match(given.code, /^[A-Z][A-Za-z0-9]+$/);
    assert.doesNotMatch(given.code, /Internal/);
}

/** What came first: the answer to what was sent behind the wrong frame, or the end of the connection. */
async function outcome(socket, answered) {
    const late = pause(15000, "silent", { ref: false });
    const result = await Promise.race([answered.then(() => "answered", () => socket.closed), socket.closed, late]);
    assert.notEqual(result, "silent", "neither answered nor closed");
    return typeof result === "string" ? result : `closed ${result.code}`;
}

/** Each lane keeps its session as long as the node does. */
async function realtimeFrames(context, count) {
    const { world, many } = context;
    const right = rightFrames(context);
    const idle = [];
    const open = async () => {
        const format = chance.pick(["json", "msgpack"]);
        if (!chance.isOneIn(4)) return Realtime.connect(world.target, format, chance.pick(many).token, { onFrame: checkRealtimeFrame });
        return new Realtime(await WebSocketClient.open(world.target, "/realtime", { protocol: `weft.v1.${format}` }), format, checkRealtimeFrame);
    };
    const wrong = (format) => {
        const tree = chance.pick(right);
        const write = format === "json" ? (value) => Buffer.from(JSON.stringify(value)) : encode;
        return frame(format === "json" ? OPCODE.text : OPCODE.binary, chance.isOneIn(4) ? mutateBytes(chance, write(tree)) : write(mutateTree(chance, tree)));
    };
    await inLanes(world, count, async (number) => {
        const session = idle.pop() ?? (await open());
        session.socket.sendRaw(chance.isOneIn(12) ? chance.pick(wrongFrames)() : wrong(session.format));
        const result = await outcome(session.socket, session.ask({ type: "ping", id: `after ${number}` }));
        note(`realtime ${result}`);
        if (result === "answered") idle.push(session);
        else session.close();
    });
    for (const session of idle) session.close();
}

const PACKETS = [
    "2::", "1::", "0::", "5:1+::{\"name\":\"user.activity\",\"args\":[{\"state\":\"active\",\"cv\":\"x.1\"}]}", "3:::{\"id\":1,\"status\":200,\"headers\":{},\"body\":\"\"}",
    "5:::{\"name\":\"trouter.x\",\"args\":[]}", "6:::1+[]", "7:::", "8::", "4:::{}",
];

/** A changed ticket opens nothing and breaks nothing. */
async function wrongTicket(world, user) {
    const { sid, query } = await allocate(world, user);
    const target = mutateBytes(chance, Buffer.from(`/socket.io/1/websocket/${sid}?${query}`)).toString("latin1").replace(/[\r\n ]/g, "");
    const refused = await WebSocketClient.open(world.target, target.startsWith("/") ? target : `/${target}`).then((socket) => socket.terminate(), (error) => error);
    note(`trouter upgrade ${refused?.status ?? "closed"}`);
    assert.ok(!(refused?.status >= 500 && refused.status !== 503), String(refused));
}

async function trouterPackets({ world, many }, count) {
    const idle = [];
    const open = async (user) => {
        const { sid, query } = await allocate(world, user);
        const socket = await WebSocketClient.open(world.target, `/socket.io/1/websocket/${sid}?${query}`);
        socket.onMessage = (data) => socket.onAck?.(data.toString());
        return socket;
    };
    await inLanes(world, count, async (number) => {
        if (chance.isOneIn(20)) await wrongTicket(world, many[number % many.length]);
        const socket = idle.pop() ?? (await open(many[number % many.length]));
        const answered = new Promise((resolve) => (socket.onAck = (text) => text.startsWith(`6:::${number + 1000}+`) && resolve()));
        socket.sendRaw(chance.isOneIn(12) ? chance.pick(wrongFrames)() : frame(OPCODE.text, mutateBytes(chance, Buffer.from(chance.pick(PACKETS)))));
        socket.sendText(`5:${number + 1000}+::{"name":"user.activity","args":[]}`);
        const result = await outcome(socket, answered);
        note(`trouter ${result}`);
        if (result === "answered") idle.push(socket);
        else socket.terminate();
    });
    for (const socket of idle) socket.terminate();
}

// ---- TLS ----

async function tlsGarbage({ world }, count) {
    const hello = Buffer.from("16030100c8010000c40303", "hex");
    await inLanes(world, count, async () => {
        const start = chance.pick([Buffer.alloc(0), hello, Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.from("80620103", "hex"), Buffer.from("1503030002", "hex"), Buffer.from("16030140ff", "hex")]);
        await converse(world.tlsTarget, [Buffer.concat([start, chance.bytes(chance.below(400))])]);
        note("TLS closed");
    });
    // Right up to the handshake, then nothing right.
    for (let number = 0; number < 20; number++) {
        const socket = await dial(world.tlsTarget);
        socket.on("error", () => {});
        socket.write(chance.bytes(200));
        if (number % 2) socket.end();
        await new Promise((resolve) => socket.on("close", resolve).resume());
    }
}

const parts = [
    ["requests", 0.5, requests], ["frames of Weft's real time", 0.3, realtimeFrames], ["packets of the official real time", 0.15, trouterPackets], ["TLS", 0.05, tlsGarbage],
];
for (const [name, share, body] of parts)
    test(`${name}: a named refusal or a closed socket, and the node lives`, async () => body(await (started ??= start()), Math.round(TOTAL * share)), { deadlineMs: 60000 + TOTAL * 30 });

test("after all of it the node still serves, ends with 0, leaks nothing, and no sanitizer has anything to say", async () => {
    const { world, users, thread } = await (started ??= start());
    await world.newMessage(users[0], thread, "still here");
    const { status, signal } = await world.node.stop(60000);
    console.log(`# ${[...seen].sort(([a], [b]) => String(a).localeCompare(String(b))).map(([what, count]) => `${what}: ${count}`).join(", ")}`);
    assert.doesNotMatch(world.node.log, /Sanitizer|runtime error:/);
    assert.deepEqual({ status, signal }, { status: 0, signal: null }, world.node.log.slice(-3000));
    const fsck = world.fsck();
    assert.ok(fsck.isClean, fsck.text);
}, { deadlineMs: 90000 });

await run("malformed_input");
