// Push services as nodes see them, and browsers that have subscribed at one: an HTTP server that checks who writes, by
// RFC 8030 and 8292, and remembers what it got.

import assert from "node:assert/strict";
import { createECDH, createPublicKey, randomBytes, randomUUID, verify } from "node:crypto";
import http from "node:http";
import { until } from "../../lib/node.mjs";

const fromBase64 = (text) => Buffer.from(text, "base64url");

/** The claims of a VAPID header, when it is signed by the key that it names. */
function vapidOf(header, applicationServerKey) {
    const [, token, key] = /^vapid t=([^,]+), k=(.+)$/.exec(header);
    assert.equal(key, applicationServerKey);
    const point = fromBase64(key);
    const [head, claims, signature] = token.split(".");
    const jwk = { kty: "EC", crv: "P-256", x: point.subarray(1, 33).toString("base64url"), y: point.subarray(33).toString("base64url") };
    const isSigned = verify("sha256", Buffer.from(`${head}.${claims}`), { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" }, fromBase64(signature));
    assert.ok(isSigned, "the token is signed by the key beside it");
    assert.deepEqual(JSON.parse(fromBase64(head)), { typ: "JWT", alg: "ES256" });
    return JSON.parse(fromBase64(claims));
}

export class PushService {
    got = [];
    browsers = new Map();
    /** (browser, item) => {status, headers}; by default everything is taken. */
    answer = () => ({ status: 201 });

    static async open() {
        const service = new PushService();
        service.server = http.createServer((request, response) => service.#take(request, response));
        await new Promise((resolve) => service.server.listen(0, "127.0.0.1", resolve));
        service.origin = `http://127.0.0.1:${service.server.address().port}`;
        return service;
    }

    async #take(request, response) {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const browser = this.browsers.get(request.url);
        const item = { method: request.method, path: request.url, headers: request.headers, body: Buffer.concat(chunks), browser, at: Date.now() };
        this.got.push(item);
        const { status, headers = {} } = browser === undefined ? { status: 404 } : await this.answer(browser, item);
        response.writeHead(status, headers);
        response.end();
    }

    /** A browser that has subscribed with the key; `subscription` is what its page sends on. */
    subscribe(applicationServerKey) {
        const keys = createECDH("prime256v1");
        keys.generateKeys();
        const path = `/send/${randomUUID()}`;
        const auth = randomBytes(16);
        const browser = { keys, auth, path, applicationServerKey };
        browser.subscription = {
            endpoint: `${this.origin}${path}`, expirationTime: null,
            keys: { p256dh: keys.getPublicKey("base64url"), auth: auth.toString("base64url") },
        };
        this.browsers.set(path, browser);
        return browser;
    }

    of(browser) {
        return this.got.filter((item) => item.browser === browser);
    }
    async next(browser, count = 1) {
        return until(`push ${count} comes`, () => this.of(browser)[count - 1]);
    }

    /** That it is as the RFCs want it. */
    check(item) {
        assert.equal(item.method, "POST");
        assert.equal(item.headers["content-encoding"], "aes128gcm");
        assert.match(item.headers.ttl, /^\d+$/);
        assert.match(item.headers.topic, /^[A-Za-z0-9_-]{1,32}$/);
        assert.ok(item.body.length <= 4096, "no larger than every push service takes");
        const claims = vapidOf(item.headers.authorization, item.browser.applicationServerKey);
        assert.equal(claims.aud, this.origin);
        const lasts = claims.exp - Date.now() / 1000;
        assert.ok(lasts > 0 && lasts <= 24 * 3600, `the token is valid for ${lasts} s`);
        return claims;
    }

    close() {
        this.server.closeAllConnections();
        this.server.close();
    }
}
