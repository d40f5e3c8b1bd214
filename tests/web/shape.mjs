// The page's shape: phone and desk, keyboard and screen reader, light and dark.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { newMessage } from "../sdk/lib/world.mjs";
import { openWindow, PHONE } from "./lib/browser.mjs";
import { composer, line, people, place, row, signIn, texts, threadOf, until, webTest, withConnectionString, write } from "./lib/chat.mjs";

const phone = { viewport: PHONE, isTouch: true };

const fitsWidth = async ({ page }) => {
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(widths[0] <= widths[1], `as wide as the window: ${widths}`);
};

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

// What a screen reader would have to call "button" or "edit" and no more.
const nameless = ({ page }) =>
    page.evaluate(() =>
        [...document.querySelectorAll("button, a[href], input, textarea, dialog, [role=menu], [role=log], nav, img")]
            .filter((node) => node.checkVisibility() && node.getAttribute("role") !== "menu")
            .filter((node) => {
                const labels = [...(node.labels ?? [])].map((label) => label.textContent).join("");
                const by = node.getAttribute("aria-labelledby");
                const named = node.getAttribute("aria-label") || labels || (by && document.getElementById(by)?.textContent) || node.getAttribute("alt");
                return !named && !node.hasAttribute("alt") && !node.textContent.trim();
            })
            .map((node) => node.outerHTML.slice(0, 120)),
    );

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

// The contrast of every text with what lies under it (WCAG 2, 1.4.3).
const faint = ({ page }) =>
    page.evaluate(() => {
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const parse = (color) => {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
            return { r, g, b, a: a / 255 };
        };
        const under = (node) => {
            for (let at = node; at; at = at.parentElement) {
                const color = parse(getComputedStyle(at).backgroundColor);
                if (color.a > 0.99) return color;
            }
            return parse("canvas");
        };
        const light = ({ r, g, b }) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
        const texts = [...document.querySelectorAll("#root *")].filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
        return texts
            .filter((node) => node.checkVisibility() && !node.closest(":disabled, .unseen, [aria-hidden=true]"))
            .map((node) => {
                const [a, b] = [light(parse(getComputedStyle(node).color)), light(under(node))].sort((x, y) => y - x);
                return { ratio: (a + 0.05) / (b + 0.05), node: `${node.className}: ${node.textContent.slice(0, 30)}` };
            })
            .filter(({ ratio }) => ratio < 4.5)
            .map(({ ratio, node }) => `${ratio.toFixed(2)} ${node}`);
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
