// What devices of absent users are told: Web Push to a local push service, opened by an independent implementation of
// its encryption.

import assert from "node:assert/strict";
import ece from "http_ece";
import { run, test } from "./lib/harness.mjs";
import { exchange } from "./lib/http.mjs";
import { PushService } from "./lib/push-service.mjs";
import { connect } from "./lib/weft.mjs";
import { identityCall, newMessage, newThread, newToken, newUser, newUsers, nextEndpoint, until } from "./lib/world.mjs";

const call = (user, method, path, body, at = nextEndpoint()) =>
    exchange(at, method, path, { headers: { Authorization: `Bearer ${user.token}` }, body });

async function keyFor(user) {
    const answer = await until("the key is there", async () => {
        const got = await call(user, "GET", "/push/key");
        return got.status === 503 ? null : got;
    });
    assert.equal(answer.status, 200, answer.text);
    return answer.json.publicKey;
}

/** A browser of the user, registered. */
async function browserOf(user, service) {
    const browser = service.subscribe(await keyFor(user));
    const made = await call(user, "PUT", "/push/registrations", browser.subscription);
    assert.equal(made.status, 200, made.text);
    browser.id = made.json.id;
    return browser;
}

/** What the browser's page is given. */
function opened(item) {
    const { keys, auth } = item.browser;
    return JSON.parse(ece.decrypt(item.body, { version: "aes128gcm", privateKey: keys, authSecret: auth.toString("base64url") }));
}

const listed = async (user) => (await call(user, "GET", "/push/registrations")).json.value;

test("every node tells the same key", async () => {
    const user = await newUser();
    const key = await keyFor(user);
    assert.equal(Buffer.from(key, "base64url").length, 65);
    for (let i = 0; i < 6; i++) assert.equal(await keyFor(user), key);
});

test("a message comes to the browser of who is absent, and to nobody else", async () => {
    const service = await PushService.open();
    const [ann, bob, cyd, dan] = await newUsers(4);
    const browsers = { ann: await browserOf(ann, service), bob: await browserOf(bob, service), cyd: await browserOf(cyd, service), dan: await browserOf(dan, service) };
    const session = await connect("json", cyd.token);
    const thread = await newThread(ann, [bob, cyd]);
    const id = await newMessage(ann, thread, "Zoë says hello ✓", { senderDisplayName: "Ann" });
    await session.next("message", (frame) => JSON.stringify(frame).includes(id));
    const item = await service.next(browsers.bob);
    assert.equal(service.check(item).sub, "mailto:operator@example.org");
    const told = opened(item);
    assert.equal(told.eventId, 200);
    assert.equal(told.groupId, thread);
    assert.equal(told.messageId, id);
    assert.equal(told.messageBody, "Zoë says hello ✓");
    assert.equal(told.senderDisplayName, "Ann");
    assert.equal(told.recipientMri, bob.id);
    // Bob's second message comes behind everything that the first might have led to.
    await newMessage(ann, thread, "again");
    const second = await service.next(browsers.bob, 2);
    assert.equal(opened(second).messageBody, "again");
    assert.equal(second.headers.topic, item.headers.topic);
    for (const name of ["ann", "cyd", "dan"]) assert.equal(service.of(browsers[name]).length, 0, name);
    session.close();
    service.close();
});

test("who was connected is told when she has gone", async () => {
    const service = await PushService.open();
    const [ann, bob] = await newUsers(2);
    const browser = await browserOf(bob, service);
    const thread = await newThread(ann, [bob]);
    const session = await connect("json", bob.token);
    await newMessage(ann, thread, "seen");
    session.close();
    let count = 0;
    await until("a push comes", async () => {
        await newMessage(ann, thread, `missed ${++count}`);
        // The one before too, if it is looked at only when the session has gone.
        return service.of(browser).some((item) => opened(item).messageBody.startsWith("missed"));
    });
    service.close();
});

test("a long message is cut to what push services take", async () => {
    const service = await PushService.open();
    const [ann, bob] = await newUsers(2);
    const browser = await browserOf(bob, service);
    const thread = await newThread(ann, [bob]);
    await newMessage(ann, thread, "ä\"".repeat(9000));
    const item = await service.next(browser);
    service.check(item);
    assert.match(opened(item).messageBody, /^(ä")+ä?$/);
    service.close();
});

test("a device that the push service does not know any more is forgotten", async () => {
    const service = await PushService.open();
    const [ann, bob] = await newUsers(2);
    const gone = await browserOf(bob, service);
    const stays = await browserOf(bob, service);
    service.answer = (browser) => ({ status: browser === gone ? 410 : 201 });
    const thread = await newThread(ann, [bob]);
    await newMessage(ann, thread, "one");
    await service.next(stays);
    await until("one device is left", async () => (await listed(bob)).length === 1);
    assert.deepEqual((await listed(bob)).map(({ id }) => id), [stays.id]);
    await newMessage(ann, thread, "two");
    await service.next(stays, 2);
    assert.equal(service.of(gone).length, 1);
    service.close();
});

test("what is not taken now comes again, as late as the push service says", async () => {
    const service = await PushService.open();
    const [ann, bob] = await newUsers(2);
    const browser = await browserOf(bob, service);
    const answers = [{ status: 429, headers: { "Retry-After": "2" } }, { status: 503 }, { status: 201 }];
    service.answer = () => answers.shift() ?? { status: 201 };
    const thread = await newThread(ann, [bob]);
    await newMessage(ann, thread, "at last");
    const third = await service.next(browser, 3);
    assert.equal(opened(third).messageBody, "at last");
    const [first, second] = service.of(browser);
    assert.ok(second.at - first.at >= 1900, `${second.at - first.at} ms after the first`);
    assert.notDeepEqual(first.body, second.body);
    service.close();
});

test("a user sees her devices, without what is secret, and takes them back", async () => {
    const service = await PushService.open();
    const [ann, bob] = await newUsers(2);
    const browser = await browserOf(bob, service);
    assert.equal((await call(bob, "PUT", "/push/registrations", { ...browser.subscription, displayName: "at home" })).json.id, browser.id);
    const [shown, ...others] = await listed(bob);
    assert.deepEqual(others, []);
    assert.equal(shown.displayName, "at home");
    assert.equal(shown.transport, "web");
    assert.ok(!JSON.stringify(shown).includes(browser.path) && !JSON.stringify(shown).includes(browser.subscription.keys.auth));
    assert.deepEqual(await listed(ann), []);
    assert.equal((await call(ann, "DELETE", `/push/registrations/${browser.id}`)).status, 204);
    assert.equal((await listed(bob)).length, 1);
    assert.equal((await call(bob, "DELETE", `/push/registrations/${browser.id}`)).status, 204);
    assert.deepEqual(await listed(bob), []);
    service.close();
});

test("devices go with the tokens of their user", async () => {
    const service = await PushService.open();
    const [ann, bob] = await newUsers(2);
    const browser = await browserOf(bob, service);
    const other = await browserOf(await newUser(), service);
    const revoked = await identityCall("POST", `/identities/${encodeURIComponent(bob.id)}/:revokeAccessTokens`);
    assert.equal(revoked.status, 204, revoked.text);
    const again = { id: bob.id, token: await newToken(bob.id) };
    await until("the new token counts", async () => (await call(again, "GET", "/push/registrations")).status === 200);
    assert.deepEqual(await listed(again), []);
    await newMessage(ann, await newThread(ann, [bob]), "not for that browser");
    assert.equal(service.of(browser).length + service.of(other).length, 0);
    service.close();
});

test("what waits for a device goes with it", async () => {
    const service = await PushService.open();
    const [ann, bob, cyd] = await newUsers(3);
    const [bobs, cyds] = [await browserOf(bob, service), await browserOf(cyd, service)];
    let revoked;
    const isRevoked = new Promise((resolve) => (revoked = resolve));
    service.answer = async (browser) => {
        if (browser === bobs) await isRevoked;
        return service.of(cyds).length > 1 ? { status: 201 } : { status: 503, headers: { "Retry-After": browser === bobs ? "1" : "2" } };
    };
    await newMessage(ann, await newThread(ann, [bob]), "not any more");
    await service.next(bobs);
    assert.equal((await identityCall("POST", `/identities/${encodeURIComponent(bob.id)}/:revokeAccessTokens`)).status, 204);
    const again = { id: bob.id, token: await newToken(bob.id) };
    await until("the new token counts", async () => (await call(again, "GET", "/push/registrations")).status === 200);
    revoked();
    // What is tried again for Cyd comes later than what would be for Bob.
    await newMessage(ann, await newThread(ann, [cyd]), "comes again");
    await service.next(cyds, 2);
    assert.equal(service.of(bobs).length, 1);
    service.close();
});

test("what is no subscription is refused by name", async () => {
    const service = await PushService.open();
    const user = await newUser();
    const { subscription } = service.subscribe(await keyFor(user));
    const offCurve = Buffer.from(subscription.keys.p256dh, "base64url");
    offCurve[40] ^= 1;
    const wrong = [
        [{}, "endpoint"], [{ ...subscription, endpoint: "ftp://push.example/x" }, "endpoint"], [{ ...subscription, endpoint: "https://a:b@push.example/x" }, "endpoint"],
        [{ ...subscription, keys: undefined }, "keys"], [{ ...subscription, keys: { ...subscription.keys, auth: "AA" } }, "auth"],
        [{ ...subscription, keys: { ...subscription.keys, p256dh: offCurve.toString("base64url") } }, "p256dh"], [{ ...subscription, expirationTime: 1 }, "expirationTime"],
    ];
    for (const [body, target] of wrong) {
        const refused = await call(user, "PUT", "/push/registrations", body);
        assert.equal(refused.status, 400, refused.text);
        assert.equal(refused.json.error.target, target, refused.text);
    }
    const voip = await newUser(["voip"]);
    assert.equal((await call(voip, "PUT", "/push/registrations", subscription)).status, 403);
    assert.equal((await exchange(nextEndpoint(), "GET", "/push/key", {})).status, 401);
    service.close();
});

await run("push");
