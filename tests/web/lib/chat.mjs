// What a person does with the page, by the names a screen reader gives to things.

import assert from "node:assert/strict";
import { test } from "../../sdk/lib/harness.mjs";
import { connectionString, endpoint, newThread, newUser, participant, chatCall, threadPath, until } from "../../sdk/lib/world.mjs";
import { closeWindows, openWindow } from "./browser.mjs";

/** A test whose windows are closed at its end, and in which no page may have complained. */
export function webTest(name, body, options) {
    test(
        name,
        async () => {
            let failure;
            try {
                await body();
            } catch (error) {
                failure = error;
            }
            await closeWindows(name).catch((error) => (failure ??= error));
            if (failure) throw failure;
        },
        { deadlineMs: 90000, ...options },
    );
}

export const withConnectionString = `${endpoint}/#cs=${encodeURIComponent(connectionString)}`;

/** `{id, token, name}` of new users. */
export const people = (...names) => Promise.all(names.map(async (name) => ({ ...(await newUser()), name })));

/** A thread of people with their names. */
export async function threadOf(creator, others, topic = "Looms") {
    const body = { topic, participants: [creator, ...others].map(({ id, name }) => participant(id, { displayName: name })) };
    const answer = await chatCall("POST", "/chat/threads", { token: creator.token, body });
    assert.equal(answer.status, 201, answer.text);
    return answer.json.chatThread.id;
}

export function addressOf(user, threadId) {
    const parts = new URLSearchParams({ token: user.token, name: user.name, ...(threadId ? { thread: threadId } : {}) });
    return `${endpoint}/#${parts}`;
}

/** A window of a signed-in user, its connection open; with a thread, that conversation in view. */
export async function signIn(user, threadId, options) {
    const window = await openWindow({ address: addressOf(user, threadId), ...options });
    return ready(window, threadId);
}

export async function ready(window, threadId) {
    if (threadId) await window.page.getByRole("log", { name: "Messages" }).waitFor();
    await isLive(window);
    return window;
}

export const isLive = ({ page }) => page.locator(".connection[data-state=open]").waitFor({ state: "attached" });

export const composer = ({ page }) => page.getByRole("textbox", { name: "Message", exact: true });

export async function write(window, text) {
    await composer(window).fill(text);
    await window.page.getByRole("button", { name: "Send", exact: true }).click();
}

/** The line of the message that says `text`. */
export const line = ({ page }, text) => page.locator("li.message").filter({ has: page.locator(".body", { hasText: text }) });

/** Waits until the message is there with its place; gives `{offset, durability}`. */
export async function place(window, text) {
    const label = line(window, text).locator(".place");
    await label.waitFor();
    const found = /#(\d+) · (\S+)/.exec(await label.innerText());
    assert.ok(found, `a place: ${await label.innerText()}`);
    return { offset: Number(found[1]), durability: found[2] };
}

export async function choose({ page }, opener, entry) {
    await opener.click();
    await page.getByRole("menuitem", { name: entry }).click();
}

export async function actOn(window, text, entry) {
    const row = line(window, text);
    await row.hover();
    await choose(window, row.getByRole("button", { name: "Message actions" }), entry);
}

export const conversationMenu = (window, entry) => choose(window, window.page.getByRole("button", { name: "Conversation menu" }), entry);

export const confirm = ({ page }, name) => page.getByRole("dialog").getByRole("button", { name, exact: true }).click();

/** The texts of all messages in view, oldest first. */
export const texts = ({ page }) => page.locator("li.message .body").allInnerTexts();

export const row = ({ page }, title) => page.getByRole("navigation", { name: "Conversations" }).getByRole("button", { name: title });

export { threadPath, until, newThread };
