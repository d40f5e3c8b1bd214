// Connections lost and found: nothing missing, nothing twice.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { newMessage, newToken, node } from "../sdk/lib/world.mjs";
import { openWindow } from "./lib/browser.mjs";
import { composer, isLive, line, people, place, row, signIn, texts, threadOf, until, webTest, withConnectionString, write } from "./lib/chat.mjs";

// The browser reports every connection that a test takes away.
const LOST = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_CONNECTION_CLOSED|WebSocket connection|status of 503/;

/** A window whose real-time frames go through the test: `wire.toPage` and `wire.toServer` may drop or change them. */
async function wired(user, threadId) {
    const window = await signIn(user, threadId);
    const wire = { toPage: (frame) => frame, toServer: (frame) => frame, sent: [], sockets: [] };
    await window.page.routeWebSocket(/\/realtime$/, (socket) => {
        const server = socket.connectToServer();
        wire.sockets.push(socket);
        wire.cut = () => {
            socket.close({ code: 1012 });
            server.close();
        };
        wire.inject = (frame) => socket.send(JSON.stringify(frame));
        socket.onMessage((text) => {
            const frame = wire.toServer(JSON.parse(text));
            wire.sent.push(JSON.parse(text));
            if (frame) server.send(JSON.stringify(frame));
        });
        server.onMessage((text) => {
            const frame = wire.toPage(JSON.parse(text));
            if (frame) socket.send(JSON.stringify(frame));
        });
    });
    await window.page.reload();
    await isLive(window);
    if (threadId) await composer(window).waitFor();
    return { window, wire };
}

async function pair() {
    const [alice, bob] = await people("Alice", "Bob");
    return { alice, bob, thread: await threadOf(alice, [bob]) };
}

webTest("after a lost connection everything missed is told, once and in order", async () => {
    const { alice, bob, thread } = await pair();
    const { window, wire } = await wired(bob, thread);
    await newMessage(alice, thread, "before");
    await place(window, "before");
    const cuts = wire.sockets.length;
    let isDeaf = true;
    wire.toPage = (frame) => (isDeaf && frame.type === "message" ? undefined : frame);
    for (const text of ["missed one", "missed two", "missed three"]) await newMessage(alice, thread, text);
    isDeaf = false;
    wire.cut();
    await until("it connects again", () => wire.sockets.length > cuts);
    await place(window, "missed three");
    await newMessage(alice, thread, "after");
    await place(window, "after");
    assert.deepEqual(await texts(window), ["before", "missed one", "missed two", "missed three", "after"]);
    const again = wire.sent.filter((frame) => frame.type === "connect").at(-1);
    assert.ok(again.resume[thread] >= 3, "it resumes where it was");
});

webTest("a jump in the offsets is noticed and filled", async () => {
    const { alice, bob, thread } = await pair();
    const { window, wire } = await wired(bob, thread);
    await newMessage(alice, thread, "one");
    await place(window, "one");
    wire.toPage = (frame) => (frame.message?.content.message === "lost" ? undefined : frame);
    await newMessage(alice, thread, "lost");
    wire.toPage = (frame) => (frame.message?.content.message === "lost" && !wire.sent.some((sent) => sent.type === "resume" && sent.threads[thread] === 3) ? undefined : frame);
    await newMessage(alice, thread, "three");
    await place(window, "lost");
    assert.deepEqual(await texts(window), ["one", "lost", "three"]);
});

webTest("a gap that is not repeated is read again by REST", async () => {
    const { alice, bob, thread } = await pair();
    const { window, wire } = await wired(bob, thread);
    await newMessage(alice, thread, "one");
    await place(window, "one");
    wire.toPage = (frame) => (frame.type === "message" ? undefined : frame);
    for (const text of ["two", "three"]) await newMessage(alice, thread, text);
    wire.toPage = (frame) => frame;
    wire.inject({ type: "gap", thread, from: 3, to: 5 });
    await place(window, "three");
    await newMessage(alice, thread, "four");
    await place(window, "four");
    assert.deepEqual(await texts(window), ["one", "two", "three", "four"]);
});

webTest("a send whose answer was lost is repeated and stays one message", async () => {
    const { alice, bob, thread } = await pair();
    const his = await signIn(bob, thread);
    const { window, wire } = await wired(alice, thread);
    const sends = () => wire.sent.filter((frame) => frame.type === "send");
    wire.toPage = (frame) => {
        const isAnswer = frame.type === "ack" || frame.type === "message"; // the message itself answers, too
        if (!isAnswer || sends().length > 1) return frame;
        if (frame.type === "ack") setTimeout(wire.cut);
        return undefined;
    };
    await write(window, "exactly once");
    await until("it was sent twice", () => sends().length > 1);
    await place(window, "exactly once");
    const [first, second, third] = sends();
    assert.equal(third, undefined);
    assert.equal(first.id, second.id);
    await write(window, "and on");
    await place(his, "and on");
    await place(window, "and on");
    assert.deepEqual(await texts(his), ["exactly once", "and on"]);
    assert.deepEqual(await texts(window), ["exactly once", "and on"]);
});

webTest("a refused send says why and can be discarded", async () => {
    const { alice, thread } = await pair();
    const { window, wire } = await wired(alice, thread);
    wire.toServer = (frame) => {
        if (frame.type !== "send") return frame;
        wire.inject({ type: "error", id: frame.id, thread, code: "Forbidden", message: "You may not write here." });
        return undefined;
    };
    await write(window, "refused");
    await window.page.getByText("You may not write here.").waitFor();
    wire.toServer = (frame) => frame;
    await window.page.getByRole("button", { name: "Retry" }).click();
    await place(window, "refused");
    wire.toServer = (frame) => (frame.type === "send" ? (wire.inject({ type: "error", id: frame.id, code: "Forbidden", message: "Not that either." }), undefined) : frame);
    await write(window, "second");
    await window.page.getByRole("button", { name: "Discard" }).click();
    assert.deepEqual(await texts(window), ["refused"]);
});

webTest("a token about to end is said", async () => {
    const { alice, thread } = await pair();
    const { window, wire } = await wired(alice, thread);
    wire.inject({ type: "tokenExpiring", expiresOn: new Date(Date.now() + 300000).toISOString() });
    await window.page.getByText(/Your access token ends at/).waitFor();
    assert.equal(wire.sent.filter((frame) => frame.type === "token").length, 0);
});

webTest("with the access key at hand a token is renewed in the open connection", async () => {
    const window = await openWindow({ address: "" });
    const { page } = window;
    const sent = [];
    const told = [];
    let inject;
    await page.routeWebSocket(/\/realtime$/, (socket) => {
        const server = socket.connectToServer();
        inject = (frame) => socket.send(JSON.stringify(frame));
        socket.onMessage((text) => (sent.push(JSON.parse(text)), server.send(text)));
        server.onMessage((text) => (told.push(JSON.parse(text)), socket.send(text)));
    });
    await page.goto(withConnectionString);
    await page.getByRole("button", { name: "Create and open" }).click();
    await composer(window).waitFor();
    await isLive(window);
    inject({ type: "tokenExpiring", expiresOn: new Date(Date.now() + 300000).toISOString() });
    await until("the new token is accepted", () => told.some((frame) => frame.type === "tokenAccepted"));
    await write(window, "goes on");
    await place(window, "goes on");
});

webTest("a token that is no longer valid asks for another", async () => {
    const { alice, thread } = await pair();
    const { window, wire } = await wired(alice, thread);
    wire.sockets.at(-1).close({ code: 4401 });
    await window.page.getByRole("button", { name: "Give a new one" }).click();
    await window.page.getByRole("textbox", { name: "Access token" }).fill(await newToken(alice.id));
    await window.page.getByRole("button", { name: "Use it" }).click();
    await isLive(window);
    await write(window, "with the new one");
    await place(window, "with the new one");
});

webTest("a node that goes away is left in time", async () => {
    const { alice, thread } = await pair();
    const { window, wire } = await wired(alice, thread);
    const before = wire.sockets.length;
    wire.inject({ type: "goaway", afterMs: 200, reason: "draining" });
    await until("it connects elsewhere", () => wire.sockets.length > before);
    await isLive(window);
    await write(window, "moved");
    await place(window, "moved");
});

webTest("the server stops and starts again: what was written meanwhile arrives once", async () => {
    const { alice, bob, thread } = await pair();
    const hers = await signIn(alice, thread);
    const his = await signIn(bob, thread);
    hers.allow(LOST);
    his.allow(LOST);
    await write(hers, "before");
    await place(his, "before");
    await node.stop();
    await hers.page.locator(".banner", { hasText: "connection is lost" }).waitFor();
    for (const text of ["written in the dark", "and another"]) await write(hers, text);
    await line(hers, "and another").getByText("Waiting for the connection").waitFor();
    await node.start();
    await node.waitReady();
    for (const window of [hers, his]) await window.page.locator(".connection[data-state=open]").waitFor({ timeout: 40000 });
    await write(his, "after");
    for (const window of [hers, his]) {
        for (const text of ["before", "written in the dark", "and another", "after"]) await place(window, text);
        assert.deepEqual((await texts(window)).sort(), ["after", "and another", "before", "written in the dark"]);
        assert.equal(await window.page.locator(".banner").isVisible(), false);
    }
    assert.deepEqual(await texts(hers), await texts(his));
}, { skip: !node && "needs a node of its own" });

webTest("the server is killed: acknowledged messages are still there", async () => {
    const { alice, bob, thread } = await pair();
    const hers = await signIn(alice, thread);
    hers.allow(LOST);
    for (let number = 0; number < 20; number++) await write(hers, `number ${number}.`);
    await place(hers, "number 19.");
    await node.kill();
    await node.start();
    await node.waitReady();
    await hers.page.locator(".connection[data-state=open]").waitFor({ timeout: 40000 });
    const his = await signIn(bob, thread);
    await place(his, "number 19.");
    const expected = Array.from({ length: 20 }, (_, number) => `number ${number}.`);
    assert.deepEqual(await texts(his), expected);
    assert.deepEqual(await texts(hers), expected);
}, { skip: !node && "needs a node of its own" });

webTest("a connection that went silent is replaced", async () => {
    const { alice, thread } = await pair();
    const window = await signIn(alice, undefined);
    await window.page.clock.install();
    const wire = { isSilent: false, count: 0 };
    await window.page.routeWebSocket(/\/realtime$/, (socket) => {
        const server = socket.connectToServer();
        wire.count++;
        server.onMessage((text) => wire.isSilent || socket.send(text));
    });
    await window.page.reload();
    await isLive(window);
    wire.isSilent = true;
    await window.page.clock.runFor(40000);
    await until("another connection", () => wire.count > 1);
    wire.isSilent = false;
    await window.page.clock.runFor(60000);
    await isLive(window);
    await row(window, "Looms").click();
    await write(window, "heard again");
    await place(window, "heard again");
    assert.ok(thread);
});

await run("connection");
