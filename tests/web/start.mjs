// The first screen.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { endpoint } from "../sdk/lib/world.mjs";
import { adopt, openWindow } from "./lib/browser.mjs";
import { composer, line, people, place, ready, row, threadOf, webTest, withConnectionString, write } from "./lib/chat.mjs";

const secretField = (page) => page.getByRole("textbox", { name: "Connection string" });

webTest("the connection string is taken from the address and out of it", async () => {
    const { page } = await openWindow({ address: withConnectionString });
    assert.match(await secretField(page).inputValue(), /^endpoint=https:.*accesskey=.+/i);
    assert.equal(page.url(), `${endpoint}/`);
});

webTest("everything comes from this server", async () => {
    const window = await openWindow({ address: "" });
    const requests = [];
    window.page.on("request", (request) => requests.push(request.url()));
    await window.page.goto(withConnectionString);
    await secretField(window.page).waitFor();
    assert.ok(requests.length > 10);
    for (const url of requests) assert.ok(url.startsWith(`${endpoint}/`), url);
});

webTest("a wrong connection string and a wrong key are explained", async () => {
    const window = await openWindow();
    window.allow(/status of 401/);
    const { page } = window;
    await secretField(page).fill("hello");
    await page.getByRole("button", { name: "Create and open" }).click();
    await page.getByRole("alert").filter({ hasText: "looks like" }).waitFor();
    await secretField(page).fill("endpoint=https://elsewhere.example/;accesskey=d3Jvbmc=");
    await page.getByRole("button", { name: "Create and open" }).click();
    await page.getByRole("alert").filter({ hasText: "refused" }).filter({ hasText: "elsewhere.example" }).waitFor();
});

webTest("two people are made and talk in two windows", async () => {
    const alice = await openWindow({ address: withConnectionString });
    await alice.page.getByRole("textbox", { name: "Name of person 2" }).fill("Боб");
    await alice.page.getByRole("textbox", { name: "Conversation" }).fill("Ткань");
    await alice.page.getByRole("button", { name: "Create and open" }).click();
    const link = alice.page.getByRole("link", { name: "Open a window as Боб" });
    const [opened] = await Promise.all([alice.page.context().waitForEvent("page"), link.click()]);
    const bob = await ready(adopt(opened), "any");
    assert.doesNotMatch(opened.url(), /token/);
    assert.equal(await opened.locator(".my-name").innerText(), "Боб");
    assert.equal(await opened.getByRole("heading", { level: 1 }).innerText(), "Ткань");
    await write(alice, "from the first");
    await write(bob, "from the second");
    await place(bob, "from the first");
    await place(alice, "from the second");
    assert.equal(await line(alice, "from the second").locator(".sender").innerText(), "Боб");
});

webTest("more people can be made, and unmade, before the start", async () => {
    const { page } = await openWindow({ address: withConnectionString });
    for (let count = 0; count < 2; count++) await page.getByRole("button", { name: "Add a person" }).click();
    await page.getByRole("button", { name: "Remove Dave" }).click();
    await page.getByRole("button", { name: "Create and open" }).click();
    await page.getByRole("link", { name: "Open a window as Carol" }).waitFor();
    assert.equal(await page.locator(".conversation-names p").innerText(), "You, Bob, and Carol");
});

webTest("a token signs in; what is no token is explained", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    await threadOf(alice, [bob], "By token");
    const window = await openWindow();
    window.allow(/status of 401/);
    const { page } = window;
    await page.getByRole("tab", { name: "I have a token" }).click();
    await page.getByRole("textbox", { name: "Access token" }).fill("nonsense");
    await page.getByRole("textbox", { name: "Your name" }).fill("Bob");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "not an access token" }).waitFor();
    await page.getByRole("textbox", { name: "Access token" }).fill(`${bob.token.split(".").slice(0, 2).join(".")}.AAAA`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: /not authorized|token/i }).waitFor();
    await page.getByRole("textbox", { name: "Access token" }).fill(bob.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await row(window, "By token").click();
    await composer(window).waitFor();
});

webTest("a reload stays signed in and in the conversation; signing out forgets", async () => {
    const window = await openWindow({ address: withConnectionString });
    const { page } = window;
    await page.getByRole("button", { name: "Create and open" }).click();
    await composer(window).waitFor();
    await write(window, "before the reload");
    await place(window, "before the reload");
    await page.reload();
    await place(window, "before the reload");
    await page.getByRole("button", { name: "Your menu" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await secretField(page).waitFor();
    assert.equal(await secretField(page).inputValue(), "");
    await page.reload();
    await secretField(page).waitFor();
});

await run("start");
