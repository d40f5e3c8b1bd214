// The page lets a browser be told of messages while it is closed. There is no push service here: where the browser would
// subscribe is the test's, and what a service would bring comes by the browser's own tools.

import assert from "node:assert/strict";
import { createECDH, randomBytes } from "node:crypto";
import { run } from "../sdk/lib/harness.mjs";
import { chatCall } from "../sdk/lib/world.mjs";
import { people, signIn, threadOf, until, webTest } from "./lib/chat.mjs";

const devicesOf = async (user) => (await chatCall("GET", "/push/registrations", { token: user.token, version: "" })).json.value;

function subscription() {
    const p256dh = createECDH("prime256v1").generateKeys("base64url");
    return { endpoint: "https://push.example/send/1", expirationTime: null, keys: { p256dh, auth: randomBytes(16).toString("base64url") } };
}

async function choose(page, entry) {
    await page.getByRole("button", { name: "Your menu" }).click();
    await page.getByRole("menuitem", { name: entry }).click();
}

webTest("a browser is told while its page is away, until that is ended", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob]);
    const { page } = await signIn(alice, thread, { permissions: ["notifications"] });
    await page.evaluate((given) => {
        PushManager.prototype.subscribe = async (options) => {
            globalThis.askedWith = options;
            return { toJSON: () => given };
        };
    }, subscription());
    await choose(page, "Notify me when I am away");
    await until("the device is known", async () => (await devicesOf(alice)).length === 1);
    const { userVisibleOnly, applicationServerKey } = await page.evaluate(() => globalThis.askedWith);
    assert.ok(userVisibleOnly);
    assert.equal(Buffer.from(applicationServerKey, "base64url").length, 65);
    assert.equal((await devicesOf(alice))[0].host, "push.example");

    const tools = await page.context().newCDPSession(page);
    let registrationId;
    tools.on("ServiceWorker.workerVersionUpdated", ({ versions }) => {
        for (const version of versions) if (version.status === "activated") registrationId = version.registrationId;
    });
    await tools.send("ServiceWorker.enable");
    await until("the worker is there", () => registrationId);
    const told = { eventId: 200, groupId: thread, senderDisplayName: "Bob", messageType: "RichText/Html", messageBody: "<b>back</b> soon?" };
    const { origin } = new URL(page.url());
    await page.goto("about:blank");
    await tools.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data: JSON.stringify(told) });
    await page.goto(`${origin}/`);
    const shown = await until("it is shown", async () => {
        const notes = await page.evaluate(async () => (await (await navigator.serviceWorker.getRegistration("/app/")).getNotifications()).map(({ title, body, tag }) => ({ title, body, tag })));
        return notes.length > 0 ? notes : null;
    }, 8000);
    assert.deepEqual(shown, [{ title: "Bob", body: "back soon?", tag: thread }]);

    await choose(page, "Stop notifying this browser");
    await until("the device is forgotten", async () => (await devicesOf(alice)).length === 0);
});

await run("push");
