// What newcomers copy, run as the guides say, on three nodes.

import assert from "node:assert/strict";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { run, test } from "../sdk/lib/harness.mjs";
import { exchange } from "../sdk/lib/http.mjs";
import { allMessages, chatCall, endpoints, newMessage, newThread, newUser, nodes, threadPath, until } from "../sdk/lib/world.mjs";
import { openWindow } from "../web/lib/browser.mjs";
import { webTest } from "../web/lib/chat.mjs";
import { ask, startSample, stopSample, trustedService } from "./lib.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

test("the trusted service lets users into a room, renews their tokens, and takes them out", async () => {
    const service = await trustedService();
    const joined = await Promise.all(["Ann", "Bob"].map((name) => ask(service, "/join", { room: "Weaving", name })));
    const [ann, bob] = joined.map(({ json }) => json);
    const { threadId } = ann;
    assert.equal(bob.threadId, threadId);
    assert.deepEqual(new Set([ann.endpoint, bob.endpoint]), new Set(endpoints.slice(0, 2)));
    await newMessage(ann, threadId, "hello");
    const { status, json: renewed } = await ask(service, "/token", {}, bob.session);
    assert.equal(status, 200);
    assert.ok((await allMessages(renewed, threadId)).some(({ content }) => content?.message === "hello"));
    assert.equal((await ask(service, "/leave", { room: "Weaving" }, bob.session)).status, 200);
    assert.equal((await chatCall("POST", `${threadPath(threadId)}/messages`, { token: bob.token, body: { content: "?" } })).status, 403);
    assert.equal((await ask(service, "/token", {}, randomUUID())).status, 401);
    assert.equal((await ask(service, "/join", { room: "Weaving" })).status, 400);
    await stopSample(service);
    const again = await trustedService();
    assert.equal((await ask(again, "/join", { room: "Weaving", name: "Carol" })).json.threadId, threadId);
    await stopSample(again);
}, { deadlineMs: 120000 });

test("the receiver of server events takes what is signed, each event once, and nothing else", async () => {
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    const receiver = await startSample("server-events/receiver.mjs", { SECRET: secret });
    const admin = (method, target, body) => exchange(endpoints[0], method, target, { headers: { Authorization: `Bearer ${nodes[0].adminToken}` }, body });
    const made = await admin("PUT", "/admin/events/subscriptions/archive", { endpoint: `${receiver.url}/`, secrets: [secret] });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.json.state, "active", made.text);
    // A subscription takes a moment to be known to who leads a thread.
    const user = await newUser();
    await until("a message is told", async () => {
        const thread = await newThread(user);
        await newMessage(user, thread, "hello");
        return until("it", () => receiver.printed.includes(`ChatMessageReceivedInThread ${thread} hello\n`), 2000).catch(() => false);
    });
    const event = { id: randomUUID(), eventType: "Microsoft.Communication.ChatThreadDeleted", data: { threadId: "mine" } };
    const send = (time, key) => {
        const [id, body] = [randomUUID(), JSON.stringify([event])];
        const signature = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest("base64");
        return fetch(receiver.url, { method: "POST", body, headers: { "webhook-id": id, "webhook-timestamp": String(time), "webhook-signature": `v1,${signature}` } });
    };
    const [now, key] = [Math.floor(Date.now() / 1000), Buffer.from(secret.slice(6), "base64")];
    for (const [time, by, status] of [[now, key, 200], [now, key, 200], [now - 3600, key, 401], [now, randomBytes(32), 401]])
        assert.equal((await send(time, by)).status, status);
    assert.equal(receiver.printed.split("ChatThreadDeleted mine").length, 2);
    assert.equal((await admin("DELETE", "/admin/events/subscriptions/archive")).status, 204);
    await stopSample(receiver);
}, { deadlineMs: 120000 });

const sendBox = ({ page }) => page.getByRole("textbox", { name: "Enter a message" });
const message = ({ page }, text) => page.locator("[data-testid=chat-composite-message]", { hasText: text });

const noted = ({ page }, sentence) => page.getByRole("status", { name: sentence }).waitFor();

async function say(window, text) {
    await sendBox(window).fill(text);
    await window.page.getByRole("button", { name: "Send message" }).click();
}

// One's own message may come by real time before the answer to the request does; until then the UI shows both. Once its
// receipt is shown it has come, and once there is one of it so has the answer.
async function choose(window, text, entry) {
    await window.page.getByLabel("Message seen by others").first().waitFor();
    await until("the message is there once", async () => (await message(window, text).count()) === 1);
    await message(window, text).hover();
    await window.page.getByRole("button", { name: "More Options" }).click();
    await window.page.getByRole("menuitem", { name: entry }).click();
}

webTest("the official ChatComposite: two users chat, see typing, receipts, an edit, a deletion, who comes and who leaves", async () => {
    const service = await trustedService({ ALLOW_ORIGIN: "*" });
    const ui = await startSample("web-ui/main.mjs", { SERVICE_URL: service.url });
    const enter = async (name) => {
        const window = await openWindow({ address: `${ui.url}/?room=Looms&name=${name}` });
        window.page.setDefaultTimeout(60000);
        window.allow(/segoeui/); // the vendor's fonts are elsewhere, and may be lacking
        await sendBox(window).waitFor();
        return window;
    };
    const [ann, bob] = [await enter("Ann"), await enter("Bob")];
    await noted(ann, "Bob joined the chat.");

    await sendBox(bob).pressSequentially("Hello");
    await ann.page.getByText("Bob is typing").waitFor();
    await say(bob, "Hello Ann");
    await message(ann, "Hello Ann").waitFor();
    await bob.page.getByLabel("Message seen by others").waitFor();
    await say(ann, "Hello Bob");
    await message(bob, "Hello Bob").waitFor();

    await choose(ann, "Hello Bob", "Edit");
    await ann.page.getByRole("textbox", { name: "Edit your message" }).fill("Good morning, Bob");
    await ann.page.getByTestId("chat-message-edit-box-submit-button").click();
    await message(bob, "Good morning, Bob").filter({ hasText: "Edited" }).waitFor();
    await message(bob, "Hello Bob").waitFor({ state: "detached" });
    await choose(bob, "Hello Ann", "Delete");
    await message(ann, "Hello Ann").waitFor({ state: "detached" });

    const { json: carol } = await ask(service, "/join", { room: "Looms", name: "Carol" });
    for (const window of [ann, bob]) await noted(window, "Carol joined the chat.");
    await newMessage(carol, carol.threadId, "It is Carol", { senderDisplayName: "Carol" });
    for (const window of [ann, bob]) await message(window, "It is Carol").waitFor();
    await ask(service, "/leave", { room: "Looms" }, carol.session);
    for (const window of [ann, bob]) await noted(window, "Carol left the chat.");
    await stopSample(ui);
    await stopSample(service);
}, { deadlineMs: 180000, skip: existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM}` });

await run("samples");
