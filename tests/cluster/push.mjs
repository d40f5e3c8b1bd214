// Mobile devices of absent users: local servers that speak the contracts of FCM (HTTP v1) and APNs (HTTP/2), and devices
// that open what they get as the official SDKs do.

import assert from "node:assert/strict";
import { createDecipheriv, createECDH, createHash, createHmac, generateKeyPairSync, randomBytes, randomUUID, verify } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin } from "./lib/admin.mjs";
import { World, until } from "./lib/world.mjs";

const listening = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)));
const bodyOf = async (stream) => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
};

/** The claims of a token that is signed by the key. */
function claimsOf(token, key, algorithm) {
    const [head, claims, signature] = token.split(".");
    const signed = Buffer.from(`${head}.${claims}`);
    const how = algorithm === "ES256" ? { key, dsaEncoding: "ieee-p1363" } : key;
    assert.ok(verify("sha256", signed, how, Buffer.from(signature, "base64url")), `signed with ${algorithm}`);
    const header = JSON.parse(Buffer.from(head, "base64url"));
    assert.equal(header.alg, algorithm);
    return { ...JSON.parse(Buffer.from(claims, "base64url")), kid: header.kid };
}

/** Google's token service and FCM in one. */
class Fcm {
    got = [];
    granted = 0;
    unregistered = new Set();
    /** Tokens given out before this one are spent. */
    oldest = 1;

    static async open() {
        const fcm = new Fcm();
        const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
        fcm.key = publicKey;
        fcm.server = http.createServer((request, response) => fcm.#take(request, response));
        fcm.url = await listening(fcm.server);
        fcm.account = {
            type: "service_account", project_id: "weft-test", private_key_id: "key-1", client_email: "push@weft-test.iam.example",
            private_key: privateKey.export({ type: "pkcs8", format: "pem" }), token_uri: `${fcm.url}/token`,
        };
        return fcm;
    }
    async #take(request, response) {
        const text = await bodyOf(request);
        const answer = (status, body) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
        if (request.url === "/token") return this.#grant(new URLSearchParams(text), answer);
        assert.equal(request.url, "/v1/projects/weft-test/messages:send");
        const number = Number(/^Bearer token-(\d+)$/.exec(request.headers.authorization)?.[1]);
        if (!(number >= this.oldest)) return answer(401, { error: { code: 401, status: "UNAUTHENTICATED" } });
        const { message } = JSON.parse(text);
        this.got.push(message);
        if (this.unregistered.has(message.token)) return answer(404, { error: { code: 404, status: "NOT_FOUND", details: [{ errorCode: "UNREGISTERED" }] } });
        answer(200, { name: `projects/weft-test/messages/${randomUUID()}` });
    }
    #grant(form, answer) {
        assert.equal(form.get("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
        const claims = claimsOf(form.get("assertion"), this.key, "RS256");
        assert.equal(claims.iss, this.account.client_email);
        assert.equal(claims.aud, this.account.token_uri);
        assert.equal(claims.kid, "key-1");
        assert.match(claims.scope, /firebase\.messaging/);
        answer(200, { access_token: `token-${++this.granted}`, expires_in: 3600, token_type: "Bearer" });
    }
    of = (token) => this.got.filter((message) => message.token === token);
    close() {
        this.server.closeAllConnections();
        this.server.close();
    }
}

class Apns {
    got = [];
    answers = new Map();
    sessions = new Set();

    /** With the certificate of a node that was started before. */
    static async open(folder) {
        const apns = new Apns();
        const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        apns.key = publicKey;
        apns.pem = privateKey.export({ type: "pkcs8", format: "pem" });
        apns.caFile = path.join(folder, "ca.pem");
        apns.server = http2.createSecureServer({ cert: readFileSync(path.join(folder, "cert.pem")), key: readFileSync(path.join(folder, "key.pem")) });
        apns.server.on("session", (session) => apns.sessions.add(session));
        apns.server.on("stream", (stream, headers) => apns.#take(stream, headers));
        apns.url = (await listening(apns.server)).replace("http:", "https:");
        return apns;
    }
    async #take(stream, headers) {
        const claims = claimsOf(/^bearer (.+)$/.exec(headers.authorization)[1], this.key, "ES256");
        const token = headers[":path"].replace("/3/device/", "");
        const item = { token, headers, claims, body: JSON.parse(await bodyOf(stream)) };
        this.got.push(item);
        const [status, reason] = this.answers.get(token)?.shift() ?? [200];
        stream.respond({ ":status": status, "apns-id": randomUUID() });
        stream.end(reason ? JSON.stringify({ reason }) : "");
    }
    of = (token) => this.got.filter((item) => item.token === token);
    close() {
        for (const session of this.sessions) session.destroy();
        this.server.close();
    }
}

/** As the official SDKs open it (contract 13). */
function opened(e, { aesKey, authKey }) {
    const sealed = Buffer.from(e, "base64");
    const signed = sealed.subarray(0, -32);
    const mac = createHmac("sha256", createHash("sha256").update(authKey).digest()).update(signed).digest();
    assert.deepEqual(sealed.subarray(-32), mac);
    assert.equal(signed[0], 0x70);
    const cipher = createDecipheriv("aes-256-cbc", aesKey, signed.subarray(1, 17));
    return JSON.parse(Buffer.concat([cipher.update(signed.subarray(17)), cipher.final()]));
}

async function started() {
    const world = await (await World.make()).start();
    await world.end();
    const [fcm, apns] = [await Fcm.open(), await Apns.open(path.join(world.node.dir, "data/tls"))];
    const accountFile = path.join(world.node.dir, "account.json");
    const keyFile = path.join(world.node.dir, "key.p8");
    writeFileSync(accountFile, JSON.stringify(fcm.account));
    writeFileSync(keyFile, apns.pem);
    const flags = [
        "--push", "on", "--push-allow-private", "on", "--push-fcm-account-file", accountFile, "--push-fcm-url", fcm.url, "--push-ca-file", apns.caFile,
        "--push-apns-key-file", keyFile, "--push-apns-url", apns.url, "--push-apns-key-id", "KEY1", "--push-apns-team-id", "TEAM1", "--push-apns-topic", "org.example.chat",
    ];
    await world.start({ flags });
    return { world, fcm, apns, flags };
}

/** Registers a device as the official SDK does; with keys it is told in secret. */
async function register(world, user, transport, { keys, token = randomBytes(32).toString("hex") } = {}) {
    const id = randomUUID();
    const client = keys && { cryptoMethod: "0x70", aesKey: keys.aesKey.toString("base64"), authKey: keys.authKey.toString("base64") };
    const body = {
        clientDescription: { appId: transport === "FCM" ? "AcsAndroid" : "AcsIos", platform: transport, ...client }, registrationId: id,
        transports: { [transport]: [{ ttl: 2700, path: token, context: "" }] },
    };
    const made = await world.exchange("POST", "/v2/registrations", { headers: { "X-Skypetoken": user.token }, body });
    assert.equal(made.status, 202, made.text);
    return { id, token, keys };
}
const someKeys = () => ({ aesKey: randomBytes(32), authKey: randomBytes(32) });
const listed = async (world, user) => (await world.call(user, "GET", "/push/registrations")).json.value.map(({ id }) => id);

test("Android and iOS devices are told, sealed for those that ask for it", async () => {
    const { world, fcm, apns } = await started();
    const [ann, bob] = await world.newUsers(2);
    const android = await register(world, bob, "FCM", { keys: someKeys() });
    const iphone = await register(world, bob, "APNS", { keys: someKeys() });
    const plain = await register(world, bob, "APNS");
    const thread = await world.newThread([ann, bob]);
    const { id } = await world.newMessage(ann, thread, "hello <there> ✓");
    const message = await until("FCM gets it", () => fcm.of(android.token)[0]);
    assert.equal(message.data.eventId, "200");
    assert.equal(message.notification, undefined);
    assert.ok(!JSON.stringify(message).includes("hello"));
    assert.equal(message.android.priority, "HIGH");
    assert.match(message.android.ttl, /^\d+s$/);
    assert.deepEqual([opened(message.data.e, android.keys)].map(({ eventId, messageId, groupId, messageBody }) => [eventId, messageId, groupId, messageBody]), [[200, id, thread, "hello <there> ✓"]]);
    const sealed = await until("APNs gets it", () => apns.of(iphone.token)[0]);
    assert.equal(sealed.body.eventId, 200);
    assert.ok(!JSON.stringify(sealed.body).includes("hello"));
    assert.equal(opened(sealed.body.e, iphone.keys).messageBody, "hello <there> ✓");
    assert.equal(sealed.claims.iss, "TEAM1");
    assert.equal(sealed.claims.kid, "KEY1");
    assert.equal(sealed.headers["apns-topic"], "org.example.chat");
    assert.equal(sealed.headers["apns-push-type"], "alert");
    const open = await until("APNs gets the other", () => apns.of(plain.token)[0]);
    assert.equal(open.body.aps.alert.body, "hello <there> ✓");
    assert.equal(open.headers["apns-collapse-id"], sealed.headers["apns-collapse-id"]);
    assert.equal(message.android.collapse_key, sealed.headers["apns-collapse-id"]);
    await until("all are counted", async () => (await world.metric("weft_pushes_sent_total")) === 3);
    fcm.close();
    apns.close();
    await world.end();
});

test("tokens are made anew when they are spent, and devices that are gone are forgotten", async () => {
    const { world, fcm, apns } = await started();
    const [ann, bob] = await world.newUsers(2);
    const android = await register(world, bob, "FCM", { keys: someKeys() });
    const lost = await register(world, bob, "FCM", { keys: someKeys() });
    const iphone = await register(world, bob, "APNS");
    const sold = await register(world, bob, "APNS");
    const wiped = await register(world, bob, "APNS");
    await until("there is a token", () => fcm.granted > 0);
    fcm.oldest = fcm.granted + 1;
    fcm.unregistered.add(lost.token);
    apns.answers.set(iphone.token, [[503, "ServiceUnavailable"]]);
    apns.answers.set(sold.token, [[400, "BadDeviceToken"]]);
    apns.answers.set(wiped.token, [[410, "Unregistered"]]);
    const thread = await world.newThread([ann, bob]);
    await world.newMessage(ann, thread, "one");
    await until("FCM gets it", () => fcm.of(android.token).length === 1 && fcm.of(lost.token).length === 1);
    assert.ok(fcm.granted >= 2);
    await until("APNs gets it again", () => apns.of(iphone.token).length === 2);
    await until("two are left", async () => (await listed(world, bob)).length === 2);
    assert.deepEqual((await listed(world, bob)).sort(), [android.id, iphone.id].sort());
    assert.equal((await world.exchange("DELETE", `/v2/registrations/${iphone.id}`, { headers: { "X-Skypetoken": bob.token } })).status, 202);
    assert.deepEqual(await listed(world, bob), [android.id]);
    assert.doesNotMatch(world.node.log, new RegExp(`${lost.token}|${sold.token}|token-\\d|BEGIN`));
    fcm.close();
    apns.close();
    await world.end();
});

test("what happened while push was off is told to nobody later", async () => {
    const { world, fcm, apns, flags } = await started();
    const [ann, bob] = await world.newUsers(2);
    const android = await register(world, bob, "FCM", { keys: someKeys() });
    const thread = await world.newThread([ann, bob]);
    const bodies = () => fcm.of(android.token).map((message) => opened(message.data.e, android.keys).messageBody);
    await world.newMessage(ann, thread, "before");
    await until("FCM gets it", () => bodies().includes("before"));
    await world.end();
    await world.start({ flags: ["--events-allow-private", "on"] });
    const made = await admin(world, "PUT", "/admin/bots/other", { endpoint: "https://127.0.0.1:9/", userId: bob.id }); // it lacks what it is not told
    assert.equal(made.status, 201, made.text);
    await world.newMessage(ann, thread, "meanwhile");
    await world.end();
    await world.start({ flags });
    await world.newMessage(ann, thread, "after");
    await until("FCM gets the next one", () => bodies().includes("after")); // of a thread they come in order
    assert.deepEqual(bodies().filter((body) => body !== "before"), ["after"]);
    fcm.close();
    apns.close();
    await world.end();
});

test("a device of a push service without an account is refused, and a browser inside", async () => {
    const world = await (await World.make()).start({ flags: ["--push", "on"] });
    const user = await world.newUser();
    const body = { registrationId: "r", transports: { FCM: [{ path: "t" }] } };
    const refused = await world.exchange("POST", "/v2/registrations", { headers: { "X-Skypetoken": user.token }, body });
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.json.error.message, /push_fcm_account_file/);
    const p256dh = createECDH("prime256v1").generateKeys("base64url");
    const inside = await world.call(user, "PUT", "/push/registrations", { body: { endpoint: "https://127.0.0.1/x", keys: { p256dh, auth: randomBytes(16).toString("base64url") } } });
    assert.equal(inside.status, 400, inside.text);
    assert.match(inside.json.error.message, /push_allow_private/);
    await world.end();
});

await run("push");
