// The page's shape: phone and desk, keyboard and screen reader, light and dark.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { newMessage } from "../sdk/lib/world.mjs";
import { openWindow, PHONE } from "./lib/browser.mjs";
import { composer, line, people, place, row, signIn, texts, threadOf, until, webTest, withConnectionString, write } from "./lib/chat.mjs";
import { faint, fitsWidth, nameless } from "./lib/looks.mjs";

const phone = { viewport: PHONE, isTouch: true };

webTest("on a phone the first screen fits and works", async () => {
    const window = await openWindow({ address: withConnectionString, ...phone });
    await fitsWidth(window);
    await window.page.getByRole("button", { name: "Create and open" }).click();
    await composer(window).waitFor();
    await fitsWidth(window);
});

webTest("on a phone list and conversation take turns", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob], "A conversation with quite a long name that does not fit a phone");
    await newMessage(bob, thread, "w".repeat(200));
    const window = await signIn(alice, undefined, phone);
    const { page } = window;
    await row(window, "A conversation").waitFor();
    assert.equal(await page.getByRole("log").isVisible(), false);
    await fitsWidth(window);
    await row(window, "A conversation").tap();
    await write(window, "from the phone");
    await place(window, "from the phone");
    assert.equal(await row(window, "A conversation").isVisible(), false);
    await fitsWidth(window);
    const box = await composer(window).boundingBox();
    assert.ok(box.y + box.height <= PHONE.height, "the composer is in view");
    await page.getByRole("button", { name: "Back to conversations" }).tap();
    await row(window, "A conversation").waitFor();
    await row(window, "A conversation").tap();
    await composer(window).waitFor();
    await page.goBack();
    await row(window, "A conversation").waitFor();
});

webTest("on a phone a message's menu is a tap away", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const window = await signIn(alice, await threadOf(alice, [bob]), phone);
    await write(window, "tap me");
    await place(window, "tap me");
    await line(window, "tap me").getByRole("button", { name: "Message actions" }).tap();
    const box = await window.page.getByRole("menu").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= PHONE.width && box.y >= 0 && box.y + box.height <= PHONE.height);
    await window.page.getByRole("menuitem", { name: "Details" }).tap();
    await fitsWidth(window);
});

webTest("everything can be done by keyboard", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    await threadOf(alice, [bob], "By keys");
    const window = await signIn(alice);
    const { page } = window;
    const reach = async (locator) => {
        await until(`focus reaches ${locator}`, async () => {
            if (await locator.evaluate((node) => node === document.activeElement).catch(() => false)) return true;
            await page.keyboard.press("Tab");
            return false;
        });
    };
    await row(window, "By keys").waitFor();
    await reach(row(window, "By keys"));
    await page.keyboard.press("Enter");
    await composer(window).waitFor();
    await reach(composer(window));
    await page.keyboard.type("one line");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("another");
    await page.keyboard.press("Enter");
    await place(window, "another");
    assert.deepEqual(await texts(window), ["one line\nanother"]);
    const actions = line(window, "another").getByRole("button", { name: "Message actions" });
    await actions.focus();
    assert.equal(await actions.evaluate((node) => getComputedStyle(node).opacity > 0.5 || node.getAnimations().length > 0), true);
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: "Edit" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Message" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await actions.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("menu").waitFor();
    await page.keyboard.press("Escape");
    await until("focus is back", () => actions.evaluate((node) => node === document.activeElement));
});

webTest("everything to act on has a name", async () => {
    const start = await openWindow({ address: withConnectionString });
    assert.deepEqual(await nameless(start), []);
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob]);
    await newMessage(bob, thread, "<b>x</b>", { type: "html" });
    const window = await signIn(alice, thread);
    await place(window, "x");
    assert.deepEqual(await nameless(window), []);
    await window.page.getByRole("button", { name: "People" }).click();
    assert.deepEqual(await nameless(window), []);
    await window.page.getByRole("button", { name: "Add people" }).click();
    assert.deepEqual(await nameless(window), []);
});

webTest("what arrives is said to screen readers, what was there is not", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const thread = await threadOf(alice, [bob]);
    await newMessage(bob, thread, "was there");
    const window = await signIn(alice, thread);
    await place(window, "was there");
    await newMessage(bob, thread, "<b>has</b><p>arrived</p>", { type: "html" });
    const voice = window.page.locator("[aria-live][data-part=voice]");
    await until("it is said", async () => (await voice.innerText()) === "Bob: has arrived");
});

for (const colorScheme of ["light", "dark"]) {
    webTest(`words can be read in the ${colorScheme}`, async () => {
        const start = await openWindow({ address: withConnectionString, colorScheme });
        assert.deepEqual(await faint(start), []);
        const [alice, bob] = await people("Alice", "Bob");
        const thread = await threadOf(alice, [bob]);
        await newMessage(bob, thread, "https://example.org/ and words");
        const window = await signIn(alice, thread, { colorScheme });
        await write(window, "mine, with https://example.org/");
        await place(window, "mine, with");
        assert.deepEqual(await faint(window), []);
    });
}

webTest("light and dark can be chosen, and are remembered", async () => {
    const { page } = await openWindow({ colorScheme: "light" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Appearance: system" }).click();
    await page.getByRole("button", { name: "Appearance: light" }).click();
    await page.getByRole("button", { name: "Appearance: dark" }).waitFor();
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), dark);
});

await run("shape");
