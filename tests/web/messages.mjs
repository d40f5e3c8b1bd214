// Messages: sent, told, read, edited, deleted, made safe, paged.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { chatCall, newMessage } from "../sdk/lib/world.mjs";
import { actOn, composer, confirm, line, people, place, row, signIn, texts, threadOf, threadPath, until, webTest, write } from "./lib/chat.mjs";

async function pair(topic) {
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob], topic);
    return { alice, bob, thread, hers: await signIn(alice, thread), his: await signIn(bob, thread) };
}

webTest("messages go both ways, with the same place in both windows", async () => {
    const { hers, his } = await pair();
    const words = ["one", "zwei", "שלוש", "četiri 🧵"];
    for (const [at, text] of words.entries()) await write(at % 2 ? his : hers, text);
    let before = 2;
    for (const text of words) {
        const here = await place(hers, text);
        assert.deepEqual(await place(his, text), here);
        assert.equal(here.durability, "disk");
        assert.equal(here.offset, ++before);
    }
    assert.deepEqual(await texts(hers), words);
    assert.deepEqual(await texts(his), words);
    assert.match(await line(hers, "one").getAttribute("class"), /\bown\b/);
    assert.match(await line(his, "one").getAttribute("class"), /\bother\b/);
});

webTest("a message says what holds it only when it is held", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob]);
    const held = { ack: [], message: [] };
    const window = await signIn(alice);
    const { page } = window;
    await page.routeWebSocket(/\/realtime$/, (socket) => {
        const server = socket.connectToServer();
        server.onMessage((frame) => {
            const queue = held[JSON.parse(frame).type];
            if (queue) queue.push(() => socket.send(frame));
            else socket.send(frame);
        });
    });
    await page.reload();
    await row(window, "Looms").click();
    await write(window, "held");
    await line(window, "held").locator(".pending").waitFor();
    assert.match(await line(window, "held").innerText(), /Sending/);
    await until("both answers are there", () => held.ack.length === 1 && held.message.length === 1);
    held.message[0]();
    assert.equal((await place(window, "held")).durability, "disk");
    assert.equal(await line(window, "held").count(), 1, "told before it is acknowledged, it stands there once");
    held.ack[0]();
    await write(window, "next");
    await until("the next answers are there", () => held.ack.length === 2 && held.message.length === 2);
    held.ack[1]();
    await place(window, "next");
    held.message[1]();
    assert.deepEqual(await texts(window), ["held", "next"]);
});

webTest("typing is seen, and ends with the message", async () => {
    const { hers, his } = await pair();
    await composer(hers).pressSequentially("Let me think");
    await his.page.locator(".typing-line", { hasText: "Alice is typing" }).waitFor();
    assert.equal(await hers.page.locator(".typing-line").innerText(), "");
    await hers.page.keyboard.press("Enter");
    await place(his, "Let me think");
    await his.page.locator(".typing-line:empty").waitFor({ state: "attached" });
});

webTest("who has read is shown where the reading ended", async () => {
    const { hers, his } = await pair();
    await write(hers, "first");
    await line(hers, "first").getByText("Seen by Bob").waitFor({ state: "attached" });
    await write(hers, "second");
    await line(hers, "second").getByText("Seen by Bob").waitFor({ state: "attached" });
    assert.equal(await line(hers, "first").getByText("Seen by").count(), 0);
    await write(his, "answer");
    await line(his, "answer").getByText("Seen by Alice").waitFor({ state: "attached" });
});

webTest("an edit is told to both and moves the message to a new offset", async () => {
    const { hers, his } = await pair();
    await write(hers, "draft");
    await write(his, "between");
    const before = await place(his, "draft");
    await place(hers, "between");
    await actOn(hers, "draft", "Edit");
    assert.equal(await composer(hers).inputValue(), "draft");
    await write(hers, "final");
    for (const window of [hers, his]) {
        await line(window, "final").getByText("edited", { exact: true }).waitFor();
        assert.equal((await place(window, "final")).offset, before.offset + 2);
        assert.deepEqual(await texts(window), ["final", "between"]);
    }
});

webTest("the arrow key edits one's last message and Escape leaves it", async () => {
    const { hers } = await pair();
    await write(hers, "mine");
    await place(hers, "mine");
    await composer(hers).press("ArrowUp");
    await hers.page.getByText("Editing your message").waitFor();
    assert.equal(await composer(hers).inputValue(), "mine");
    await composer(hers).press("Escape");
    assert.equal(await hers.page.getByText("Editing your message").isVisible(), false);
    assert.equal(await composer(hers).inputValue(), "");
});

webTest("a deleted message is gone for both, and keeps its line", async () => {
    const { hers, his } = await pair();
    await write(hers, "regretted");
    await place(his, "regretted");
    await actOn(hers, "regretted", "Delete");
    await confirm(hers, "Delete");
    for (const window of [hers, his]) {
        assert.equal((await place(window, "Message deleted")).offset, 4);
        assert.doesNotMatch(await window.page.locator("body").innerText(), /regretted/);
    }
});

webTest("nobody is offered to change what others wrote", async () => {
    const { hers, his } = await pair();
    await write(hers, "mine");
    await place(his, "mine");
    await line(his, "mine").hover();
    await line(his, "mine").getByRole("button", { name: "Message actions" }).click();
    assert.deepEqual(await his.page.getByRole("menuitem").allInnerTexts(), ["Copy text", "Details"]);
});

webTest("details tell everything about a message", async () => {
    const { hers } = await pair();
    await write(hers, "examined");
    await place(hers, "examined");
    await actOn(hers, "examined", "Details");
    const details = await hers.page.getByRole("dialog", { name: "Message" }).innerText();
    for (const word of ["#3 · disk", "Sequence", "Message id", "Version", "text", "Alice"]) assert.ok(details.includes(word), word);
});

webTest("html is shown as html, text as text", async () => {
    const { hers, his } = await pair();
    await write(hers, "<b>not bold</b>");
    await hers.page.getByRole("button", { name: "Send as HTML" }).click();
    await write(hers, "<b>bold</b> and <i>slanted</i>");
    await place(his, "slanted");
    assert.equal(await line(his, "slanted").locator(".body b").innerText(), "bold");
    await place(hers, "slanted");
    assert.equal(await line(hers, "slanted").locator(".body i").innerText(), "slanted");
    assert.equal(await line(his, "not bold").locator(".body").innerText(), "<b>not bold</b>");
});

const ATTACKS = [
    "<script>window.hurt=1;alert(1)</script>",
    '<img src=x onerror="window.hurt=1;alert(1)">',
    '"><svg onload=window.hurt=1>',
    '<a href="javascript:window.hurt=1">click</a>',
    '<iframe srcdoc="<script>parent.hurt=1</script>"></iframe>',
    '<style>*{display:none}</style><p style="position:fixed;inset:0">over</p>',
    "{{constructor.constructor('window.hurt=1')()}}",
];

webTest("payloads as text, html, topic and name do nothing", async () => {
    const [alice, mallory] = await people("Alice", ATTACKS[1]);
    const thread = await threadOf(alice, [mallory], ATTACKS[0]);
    for (const attack of ATTACKS) {
        for (const type of ["text", "html"]) await newMessage(mallory, thread, attack, { type, senderDisplayName: ATTACKS[2] });
    }
    const window = await signIn(alice, thread);
    const { page } = window;
    await until("all payloads are listed", async () => (await page.locator("li.message").count()) === 2 * ATTACKS.length);
    assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), ATTACKS[0]);
    assert.deepEqual((await texts(window)).filter((text) => ATTACKS.includes(text)), ATTACKS.flatMap((attack) => (attack.startsWith("{") ? [attack, attack] : [attack])));
    await page.getByText("click", { exact: true }).click();
    await page.getByRole("button", { name: "People" }).click();
    await page.getByRole("dialog").getByText(ATTACKS[1]).waitFor();
    await page.keyboard.press("Escape");
    const found = await page.evaluate(() => ({
        hurt: window.hurt,
        active: document.querySelectorAll("#root script, #root iframe, #root style, #root .lines [style], #root [onerror], #root [onload], #root .body img").length,
        sent: document.querySelectorAll("#root a[href^='javascript']").length,
    }));
    assert.deepEqual(found, { hurt: undefined, active: 0, sent: 0 });
});

webTest("long words and long texts stay inside their bubble", async () => {
    const { hers } = await pair();
    await write(hers, "w".repeat(3000));
    await place(hers, "www");
    const { wide, all } = await hers.page.getByRole("log").evaluate((node) => ({ wide: node.scrollWidth, all: node.clientWidth }));
    assert.ok(wide <= all);
});

webTest("a text above the limit is refused with its size and kept", async () => {
    const { hers } = await pair();
    await composer(hers).fill("x".repeat(28 * 1024 + 1));
    await hers.page.locator(".count.over").waitFor();
    await hers.page.getByRole("button", { name: "Send", exact: true }).click();
    await hers.page.getByText("A message may have 28672 bytes; this one has 28673.").waitFor();
    assert.equal((await composer(hers).inputValue()).length, 28 * 1024 + 1);
    await write(hers, "y".repeat(28 * 1024));
    await place(hers, "yyy");
});

webTest("history is paged upwards, complete and in order", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob]);
    const ids = [];
    for (let number = 0; number < 130; number++) ids.push(await newMessage(number % 3 ? alice : bob, thread, `number ${number}.`));
    // Newest changes come first in a list: an old message edited now must not stand beside the newest.
    await chatCall("PATCH", `${threadPath(thread)}/messages/${ids[2]}`, { token: alice.token, body: { content: "number 2, edited." } });
    const { page } = await signIn(alice, thread);
    const numbers = async () => (await page.locator("li.message .body").allInnerTexts()).map((text) => Number(/\d+/.exec(text)));
    const first = await numbers();
    assert.ok(first.length < 100, `only the newest at first: ${first.length}`);
    assert.deepEqual(first, Array.from({ length: first.length }, (_, at) => 130 - first.length + at));
    const log = page.getByRole("log");
    await until("everything is loaded", async () => {
        await log.evaluate((node) => (node.scrollTop = 0));
        return (await page.locator("li.message").count()) === 130;
    });
    assert.deepEqual(await numbers(), Array.from({ length: 130 }, (_, at) => at));
    await page.getByText("The beginning of this conversation").waitFor();
    await until("every message has its place", async () => (await page.locator("li.message .place").count()) === 130);
});

webTest("reading further up is not disturbed by what arrives", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob]);
    for (let number = 0; number < 40; number++) await newMessage(bob, thread, `number ${number}.`);
    const window = await signIn(alice, thread);
    await place(window, "number 39.");
    const log = window.page.getByRole("log");
    await log.evaluate((node) => (node.scrollTop = node.scrollHeight / 2));
    await window.page.getByRole("button", { name: "Newest messages" }).waitFor();
    const before = await log.evaluate((node) => node.scrollTop);
    await newMessage(bob, thread, "arrived below");
    await line(window, "arrived below").waitFor({ state: "attached" });
    assert.equal(await log.evaluate((node) => node.scrollTop), before);
    await window.page.getByRole("button", { name: "Newest messages" }).click();
    await until("the end is in view", () => log.evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight < 2));
});

webTest("what was not read is counted, and a line shows where it begins", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const busy = await threadOf(alice, [bob], "Busy");
    const quiet = await threadOf(alice, [bob], "Quiet");
    const window = await signIn(bob, quiet);
    for (const text of ["a", "b", "c"]) await newMessage(alice, busy, `word ${text}`);
    await row(window, "Busy").locator(".badge", { hasText: "3" }).waitFor();
    await until("the title counts", async () => (await window.page.title()).startsWith("(3)"));
    assert.match(await row(window, "Busy").innerText(), /word c/);
    await row(window, "Busy").click();
    await window.page.locator(".new-line").waitFor();
    await row(window, "Busy").locator(".badge").waitFor({ state: "detached" });
    await until("a receipt is stored", async () => (await chatCall("GET", `${threadPath(busy)}/readReceipts`, { token: alice.token })).json.value.length === 1);
    await window.page.reload();
    await place(window, "word c");
    await row(window, "Quiet").waitFor();
    assert.equal(await window.page.locator(".badge").count(), 0);
});

webTest("one user in two windows sees the same, and reads for both", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob], "Doubled");
    const other = await threadOf(alice, [bob], "Elsewhere");
    const first = await signIn(bob, thread);
    const second = await signIn(bob, other);
    await newMessage(alice, thread, "for Bob");
    await place(first, "for Bob");
    await row(second, "Doubled").locator(".thread-preview", { hasText: "for Bob" }).waitFor();
    await row(second, "Doubled").locator(".badge").waitFor({ state: "detached" });
    await write(first, "from the first window");
    await row(second, "Doubled").click();
    await place(second, "from the first window");
    assert.deepEqual(await texts(second), ["for Bob", "from the first window"]);
});

await run("messages");
