// The frames of the official client's real time, where the client itself would hide them (real-time protocol 5 to 8).

import assert from "node:assert/strict";
import { exchange } from "./lib/http.mjs";
import { run, test } from "./lib/harness.mjs";
import { TrouterSocket, allocate, connect, connectQuery, handshake } from "./lib/trouter.mjs";
import { chatCall, newMessage, newThread, newUser, newUsers, nextEndpoint, node, nodeAt, threadPath, uuid } from "./lib/world.mjs";

const config = (token, headers = {}) => chatCall("GET", "/chat/config/realTimeNotifications", { token, version: "2024-09-01", headers });
const registration = (endpointId) => ({
    clientDescription: { appId: "AcsWeb", aesKey: "", languageId: "en-US", platform: "SPOOL", templateKey: "AcsWeb_Chat_2.1", platformUIVersion: "0.0.0" },
    registrationId: endpointId, nodeId: "", transports: { TROUTER: [{ context: "", path: `${nextEndpoint()}/v4/f/x/`, ttl: 7200 }] },
});

test("the configuration names this server, without a slash at the end", async () => {
    const { token } = await newUser();
    const answer = await config(token);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json, { trouterServiceUrl: answer.origin, registrarServiceUrl: answer.json.registrarServiceUrl, cloudType: "Public" });
    assert.match(answer.json.registrarServiceUrl, new RegExp(`^${answer.origin}(/registrar)?$`));
    const elsewhere = await config(token, { Host: "chat.example.org:8443" });
    assert.equal(elsewhere.json.trouterServiceUrl, "https://chat.example.org:8443", "absolute addresses follow the Host header");
});

test("the configuration answers behind two slashes", async () => {
    const { token } = await newUser();
    const answer = await chatCall("GET", "//chat/config/realTimeNotifications", { token, version: "2024-09-01" });
    assert.equal(answer.status, 200);
});

test("an allocation has every member the client needs, in values it can carry", async () => {
    const { token } = await newUser();
    const answer = await allocate(token);
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers["content-type"], /^application\/json(;|$)/);
    const { socketio, url, surl, ttl, connectparams } = answer.json;
    assert.equal(socketio, `${answer.origin}/`);
    for (const address of [url, surl]) assert.match(address, /^https:\/\/[^/]+\/.*\/$/);
    assert.ok(Number(ttl) > 0);
    for (const [name, value] of Object.entries(connectparams)) {
        assert.match(name, /^[A-Za-z0-9._-]+$/);
        assert.match(String(value), /^[A-Za-z0-9._-]+$/, name);
    }
    assert.equal(connectparams.scae, undefined);
    if (connectparams.se !== undefined) assert.ok(Number(connectparams.se) > Date.now() + 3600000, "used again at a reconnect");
});

test("an allocation takes the query of a reconnect, however old its parameters", async () => {
    const { token } = await newUser();
    for (const extra of ["&sr=old&issuer=x&sp=connect&se=1&st=1&sig=nonsense&v=v4", "&unknown=1", `&long=${"x".repeat(2000)}`]) {
        assert.equal((await allocate(token, uuid(), extra)).status, 200, extra.slice(0, 30));
    }
});

test("the handshake gives a session, two time-outs, and websocket only", async () => {
    const { token } = await newUser();
    const endpointId = uuid();
    const allocation = await allocate(token, endpointId);
    const answer = await handshake(token, connectQuery(allocation.json.connectparams, endpointId));
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers["content-type"], /^text\/plain/);
    const [, sid, heartbeat, close] = /^([^:]+):(\d+):(\d+):websocket$/.exec(answer.text) ?? assert.fail(answer.text);
    assert.match(sid, /^[A-Za-z0-9._~-]+$/);
    assert.ok(Number(heartbeat) >= 5 && Number(close) >= 5);
});

test("a refusal happens at allocation or handshake, with a forged or foreign ticket", async () => {
    const [user, other] = await newUsers(2);
    const endpointId = uuid();
    const { connectparams } = (await allocate(user.token, endpointId)).json;
    const good = (await handshake(user.token, connectQuery(connectparams, endpointId))).status;
    assert.equal(good, 200);
    // In the middle: the last character of base64 may carry bits that mean nothing.
    const flipped = (text) => `${text.slice(0, text.length >> 1)}${text[text.length >> 1] === "A" ? "B" : "A"}${text.slice((text.length >> 1) + 1)}`;
    const forged = Object.fromEntries(Object.entries(connectparams).map(([name, value]) => [name, name === "se" ? value : flipped(String(value))]));
    assert.notEqual((await handshake(user.token, connectQuery(forged, endpointId))).status, 200, "forged parameters");
    assert.notEqual((await handshake(user.token, connectQuery({}, endpointId))).status, 200, "no parameters");
    assert.notEqual((await handshake(user.token, connectQuery(connectparams, uuid()))).status, 200, "of another endpoint");
    assert.notEqual((await handshake(other.token, connectQuery(connectparams, endpointId))).status, 200, "of another user");
    assert.equal((await handshake(undefined, connectQuery(connectparams, endpointId))).status, 401, "without a token");
    assert.equal((await handshake("nonsense", connectQuery(connectparams, endpointId))).status, 401, "with a bad token");
});

test("a socket begins with 1:: and trouter.connected", async () => {
    const { token } = await newUser();
    const socket = await connect(token);
    assert.equal(socket.hello[0], "1::");
    const [, text] = /^5:\d*:?:(.*)$/.exec(socket.hello[1].replace(/^5:(\d*)::/, "5:$1:")) ?? [];
    const event = JSON.parse(text.slice(text.indexOf("{")));
    assert.equal(event.name, "trouter.connected");
    assert.ok(Number(event.args[0].ttl) > 0);
    socket.close();
});

test("a session id opens one socket, and a forged one none", async () => {
    const { token } = await newUser();
    const endpointId = uuid();
    const { connectparams } = (await allocate(token, endpointId)).json;
    const query = connectQuery(connectparams, endpointId);
    const sid = (await handshake(token, query)).text.split(":")[0];
    const first = new TrouterSocket(sid, query);
    await first.opened;
    await first.frames.take((frame) => frame === "1::");
    const second = new TrouterSocket(sid, query, first.at);
    await assert.rejects(second.opened, (error) => error.status >= 400);
    const forged = new TrouterSocket(`${sid.slice(0, -2)}xx`, query);
    await assert.rejects(forged.opened, (error) => error.status >= 400);
    first.close();
});

test("every event that wants an acknowledgement gets one, known or not", async () => {
    const { token } = await newUser();
    const socket = await connect(token);
    socket.send('5:1+::{"name":"user.activity","args":[{"state":"active","cv":"AAAAAAAAAAAAAAAAAAAAAA.0"}]}');
    socket.send('5:2+::{"name":"ping"}');
    socket.send('5:3+::{"name":"something.new","args":[]}');
    socket.send('5:4000000000+::{"name":"ping"}');
    for (const id of ["1", "2", "3", "4000000000"]) {
        const ack = await socket.acks.take();
        assert.ok([`6:::${id}+[]`, `6:::${id}`].includes(ack), ack);
    }
    socket.close();
});

test("heartbeats come by themselves", async () => {
    const { token } = await newUser();
    const socket = await connect(token);
    assert.equal(await socket.frames.take(() => true, "a heartbeat", 35000), "2::");
    socket.send("2::");
    socket.send('5:1+::{"name":"ping"}');
    await socket.acks.take();
    socket.close();
});

test("a fragmented frame and a websocket ping are understood", async () => {
    const { token } = await newUser();
    const socket = await connect(token);
    const pong = new Promise((resolve) => socket.socket.on("pong", (data) => resolve(data.toString())));
    socket.socket.ping("are you there");
    assert.equal(await pong, "are you there");
    socket.socket.send('5:7+::{"na', { fin: false });
    socket.socket.ping();
    socket.socket.send('me":"ping"}', { fin: true });
    assert.match(await socket.acks.take(), /^6:::7/);
    socket.close();
});

test("registrations are taken, repeated and dropped with 202", async () => {
    const { token } = await newUser();
    const endpointId = uuid();
    for (let round = 0; round < 2; round++) {
        const answer = await exchange(nextEndpoint(), "POST", "/v3/registrations", { headers: { "X-Skypetoken": token }, body: registration(endpointId) });
        assert.equal(answer.status, 202, answer.text);
    }
    for (let round = 0; round < 2; round++) {
        const answer = await exchange(nextEndpoint(), "DELETE", `/v3/registrations/${endpointId}`, { headers: { "X-Skypetoken": token } });
        assert.equal(answer.status, 202, answer.text);
    }
    for (const body of ["", "{", "[]", "{}", '{"registrationId":5}']) {
        const answer = await exchange(nextEndpoint(), "POST", "/v3/registrations", { headers: { "X-Skypetoken": token }, body });
        assert.equal(answer.status, 400, body);
    }
});

test("the probe is answered with exactly the word Trouter", async () => {
    const answer = await exchange(nextEndpoint(), "GET", `/?check=${Date.now()}&cor_id=${uuid()}&epid=${uuid()}&tc=%7B%7D`, { headers: { Accept: "text/plain" } });
    assert.equal(answer.status, 200);
    assert.equal(answer.text, "Trouter");
});

test("a push has the documented form", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const socket = await connect(other.token);
    const id = await newMessage(creator, threadId, "a\"\\\n<b>100%41 é 🧵", { senderDisplayName: "Bob \"%41\"", metadata: { k: "v\"" } });
    const push = await socket.pushes.take();
    assert.equal(typeof push.id, "number");
    assert.equal(push.method, "POST");
    assert.match(push.url, /\/chatMessageReceived$/);
    assert.ok(push.headers && Object.values(push.headers).every((value) => typeof value === "string"));
    const stored = (await chatCall("GET", `${threadPath(threadId)}/messages/${id}`, { token: creator.token })).json;
    const { transactionId, clientMessageId, originalArrivalTime, collapseId, attachments, ...body } = push.json;
    assert.deepEqual(body, {
        eventId: 200, senderId: creator.id, recipientId: other.id.slice(2), recipientMri: other.id, groupId: threadId, messageId: id,
        messageType: "Text", messageBody: "a\"\\\n<b>100%41 é 🧵", senderDisplayName: "Bob \"%41\"", priority: "", version: stored.version,
        acsChatMessageMetadata: body.acsChatMessageMetadata,
    });
    assert.deepEqual(JSON.parse(body.acsChatMessageMetadata), { k: "v\"" });
    assert.equal(new Date(originalArrivalTime).getTime(), Number(id));
    assert.match(originalArrivalTime, /\.\d{3}Z$/);
    socket.close();
});

test("push ids of one socket never repeat", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const socket = await connect(other.token);
    await Promise.all(Array.from({ length: 30 }, () => newMessage(creator, threadId)));
    const pushes = await socket.pushes.takeMany(30);
    assert.equal(new Set(pushes.map((push) => push.id)).size, 30);
    socket.close();
});

test("pushes without an answer come again on the same endpoint's next socket, answered ones do not", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const socket = await connect(other.token);
    socket.answersPushes = false;
    const ids = [];
    for (let index = 0; index < 4; index++) ids.push(await newMessage(creator, threadId, `message ${index}`));
    const pushes = await socket.pushes.takeMany(4);
    socket.answer(pushes[0]);
    socket.answer(pushes[1], 404);
    socket.send('5:1+::{"name":"ping"}');
    await socket.acks.take();
    socket.close();
    ids.push(await newMessage(creator, threadId, "while away"));
    const next = await connect(other.token, socket.endpointId);
    const again = await next.pushes.takeMany(3);
    assert.deepEqual(again.map((push) => push.json.messageId), ids.slice(2));
    const stranger = await connect(other.token);
    const last = await newMessage(creator, threadId, "for both");
    assert.equal((await next.pushes.take()).json.messageId, last);
    assert.equal((await stranger.pushes.take()).json.messageId, last, "another endpoint hears nothing old");
    next.close();
    stranger.close();
});

test("of two sockets of one endpoint only the newer gets pushes", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const older = await connect(other.token);
    const newer = await connect(other.token, older.endpointId);
    const id = await newMessage(creator, threadId);
    assert.equal((await newer.pushes.take()).json.messageId, id);
    newer.send('5:1+::{"name":"ping"}');
    await newer.acks.take();
    assert.deepEqual(older.pushes.items, []);
    older.close();
    newer.close();
});

test("endpoints whose sockets come and go under load lose nothing, and get again only what they did not answer", async () => {
    const [creator, ...others] = await newUsers(9);
    const threadId = await newThread(creator, others);
    const total = 200; // below what is kept for an endpoint
    const ids = [];
    const started = [];
    const listening = others.map((_, index) => new Promise((resolve) => (started[index] = resolve)));
    const endpoints = others.map(async (user, index) => {
        const endpointId = uuid();
        const { connectparams } = (await allocate(user.token, endpointId)).json;
        const query = connectQuery(connectparams, endpointId);
        const open = async () => {
            const shaken = await handshake(user.token, query);
            const socket = new TrouterSocket(shaken.text.split(":")[0], query);
            socket.answersPushes = false;
            await socket.opened;
            return socket;
        };
        const ping = async (socket) => {
            socket.send('5:1+::{"name":"ping"}');
            await socket.acks.take();
        };
        const answered = [];
        let socket = await open();
        await socket.frames.take((frame) => frame.includes("trouter.connected"), "trouter.connected");
        started[index]();
        for (let round = 0; answered.length < total; round++) {
            // Answers some pushes, makes sure that the server has read the answers, and takes some more without answering.
            const wanted = Math.min(1 + ((round * 7 + index) % 23), total - answered.length);
            for (const push of await socket.pushes.takeMany(wanted)) {
                answered.push(push.json.messageId);
                socket.answer(push);
            }
            await ping(socket);
            const [old, overlaps] = [socket, (round + index) % 3 === 0];
            if (!overlaps) old.close();
            socket = await open();
            if (overlaps) {
                await ping(socket);
                old.close();
            }
        }
        await ping(socket);
        assert.equal(socket.pushes.items.length, 0, "nothing is left");
        socket.close();
        return answered;
    });
    await Promise.all(listening);
    for (let sent = 0; sent < total; sent += 10) ids.push(...(await Promise.all(Array.from({ length: 10 }, (_, index) => newMessage(creator, threadId, `message ${sent + index}`)))));
    ids.sort((a, b) => Number(BigInt(a) - BigInt(b)));
    for (const answered of await Promise.all(endpoints)) assert.deepEqual(answered, ids);
}, { deadlineMs: 120000 });

test("a client that says 0:: is let go", async () => {
    const { token } = await newUser();
    const socket = await connect(token);
    socket.send("0::");
    await socket.closed;
});

test("frames that are none do not hurt the others", async () => {
    const [creator, other] = await newUsers(2);
    const threadId = await newThread(creator, [other]);
    const healthy = await connect(other.token);
    const frames = ["", ":", "::", "nonsense", "9:::", "5:::", "5:::{", '5:::{"name":5}', "5:+::{}", "5:99999999999999999999999+::{\"name\":\"ping\"}", "3:::", "3:::{", '3:::{"id":"x"}',
        '3:::{"id":123456,"status":200}', "6:::x", "0:::{", "\ufffd5\ufffd1::", "2".repeat(1000), `5:::${"[".repeat(5000)}`, `5:::${"x".repeat(70000)}`, Buffer.from([0, 1, 2, 255])];
    for (const frame of frames) {
        const socket = await connect(creator.token);
        socket.socket.on("error", () => {});
        socket.send(frame);
        socket.send('5:1+::{"name":"ping"}');
        await Promise.race([socket.acks.take().catch(() => {}), socket.closed]);
        socket.close();
    }
    const id = await newMessage(creator, threadId);
    assert.equal((await healthy.pushes.take()).json.messageId, id);
    healthy.close();
});

test("when the node drains it says trouter.reconnect, then closes and ends well", async () => {
    const { token } = await newUser();
    const socket = await connect(token);
    const its = nodeAt(socket.at);
    await allocate(token, uuid(), "", socket.at);
    its.signal("SIGTERM");
    const frame = await socket.frames.take((text) => typeof text === "string" && text.includes("trouter.reconnect"), "trouter.reconnect", 30000);
    const event = JSON.parse(frame.slice(frame.indexOf("{")));
    assert.equal(event.name, "trouter.reconnect");
    assert.notEqual(event.args[0].target, "self", "go to any other node");
    // While it drains it sends newcomers to another node, or refuses them; they come in by a connection that was open before.
    const newcomer = await allocate(token, uuid(), "", socket.at).catch(() => null);
    if (newcomer?.status === 200) {
        const other = new URL(newcomer.json.socketio).origin;
        assert.ok(!new URL(socket.at).origin.endsWith(new URL(other).host), `${other} is the one that drains`);
    } else if (newcomer !== null) {
        assert.equal(newcomer.status, 503, newcomer.text);
        assert.ok(newcomer.headers["retry-after"]);
        assert.ok(newcomer.json.error.code);
    }
    await socket.closed;
    const { status } = await its.waitEnd(60000);
    assert.ok(status === 0 || status === null, `status ${status}`);
    await its.start();
    await its.waitReady();
    const again = await connect(token);
    again.close();
}, { skip: node ? false : "needs a node of its own", deadlineMs: 120000 });

await run("realtime-wire");
