// Conversations and who is in them.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { chatCall, newMessage, participant } from "../sdk/lib/world.mjs";
import { openWindow } from "./lib/browser.mjs";
import { composer, confirm, conversationMenu, people, place, row, signIn, threadOf, threadPath, webTest, withConnectionString, write } from "./lib/chat.mjs";

const note = ({ page }, sentence) => page.locator("li.system", { hasText: sentence });

async function three() {
    const [alice, bob, carol] = await people("Alice", "Bob", "Carol");
    const thread = await threadOf(alice, [bob], "Looms");
    return { alice, bob, carol, thread, hers: await signIn(alice, thread), his: await signIn(bob, thread) };
}

async function addById({ page }, id, name) {
    await page.getByRole("button", { name: "Add people" }).click();
    const form = page.getByRole("dialog", { name: "Add people" });
    await form.getByText("Add by user id").click();
    await form.getByRole("textbox", { name: "By user id" }).fill(id);
    await form.getByRole("textbox", { name: "Their name" }).fill(name);
    await form.getByRole("button", { name: "Add", exact: true }).click();
    await form.waitFor({ state: "detached" });
}

webTest("the beginning is told as the system noted it, with its place", async () => {
    const { hers, his } = await three();
    await note(hers, "You added Bob").waitFor();
    await note(his, "Alice added you").waitFor();
    await note(hers, "You named this conversation “Looms”").waitFor();
    await note(hers, "You added Bob").filter({ hasText: "#1 · disk" }).waitFor();
    await note(his, "Alice named this").filter({ hasText: "#2 · disk" }).waitFor();
});

webTest("a new name is told to everybody", async () => {
    const { hers, his } = await three();
    await conversationMenu(hers, "Rename");
    await hers.page.getByRole("textbox", { name: "Name" }).fill("Spindles & <wheels>");
    await confirm(hers, "Rename");
    for (const { page } of [hers, his]) await page.getByRole("heading", { level: 1, name: "Spindles & <wheels>" }).waitFor();
    await note(his, "Alice named this conversation “Spindles & <wheels>”").waitFor();
    await row(his, "Spindles & <wheels>").waitFor();
});

webTest("somebody is added, is told, and takes part", async () => {
    const { hers, his, carol } = await three();
    const third = await signIn(carol);
    await hers.page.getByRole("button", { name: "People" }).click();
    await addById(hers, carol.id, "Carol");
    await hers.page.getByRole("dialog", { name: "People" }).getByText("Carol").waitFor();
    await hers.page.keyboard.press("Escape");
    await note(his, "Alice added Carol").waitFor();
    await row(third, "Looms").click();
    await write(third, "Carol is here");
    await place(hers, "Carol is here");
    await place(his, "Carol is here");
});

webTest("a user of Teams is added and removed, and a bot is refused with its reason", async () => {
    const { hers, his } = await three();
    await hers.page.getByRole("button", { name: "People" }).click();
    await addById(hers, "8:orgid:2f6a41c0", "Tea");
    await hers.page.getByRole("dialog", { name: "People" }).getByText("Tea").waitFor();
    await addById(hers, "28:orgid:2f6a41c0", "Botty");
    await hers.page.getByText("28:orgid:2f6a41c0: Bots (28:...) cannot take part in threads.").waitFor();
    await hers.page.getByRole("button", { name: "Remove Tea" }).click();
    await hers.page.keyboard.press("Escape");
    await note(his, "Alice added Tea").waitFor();
    await note(his, "Alice removed Tea").waitFor();
});

webTest("a malformed user id is refused with the server's reason", async () => {
    const { hers } = await three();
    hers.allow(/status of 400/);
    await hers.page.getByRole("button", { name: "People" }).click();
    await hers.page.getByRole("button", { name: "Add people" }).click();
    const form = hers.page.getByRole("dialog", { name: "Add people" });
    await form.getByText("Add by user id").click();
    await form.getByRole("textbox", { name: "By user id" }).fill("8:acs:nonsense");
    await form.getByRole("button", { name: "Add", exact: true }).click();
    await form.getByRole("alert").filter({ hasText: "8:acs:nonsense" }).waitFor();
});

webTest("somebody removed keeps what was said and hears nothing more", async () => {
    const { hers, his, thread } = await three();
    await write(his, "Bob was here");
    await place(hers, "Bob was here");
    await hers.page.getByRole("button", { name: "People" }).click();
    await hers.page.getByRole("button", { name: "Remove Bob" }).click();
    await hers.page.getByRole("dialog").getByText("Bob").waitFor({ state: "detached" });
    await hers.page.keyboard.press("Escape");
    await note(hers, "You removed Bob").waitFor();
    await his.page.getByText("You are no longer in this conversation.").waitFor();
    assert.equal(await composer(his).isVisible(), false);
    await his.page.getByText("You were removed from “Looms”.").waitFor();
    await write(hers, "after Bob");
    await place(hers, "after Bob");
    his.allow(/status of 403/);
    await his.page.reload();
    await his.page.getByText("You are no longer in this conversation.").waitFor();
    await his.page.getByText("Bob was here").first().waitFor();
    assert.equal(await his.page.getByText("after Bob").count(), 0);
    assert.ok(thread);
});

webTest("somebody removed who is added again goes on", async () => {
    const { alice, bob, hers, his, thread } = await three();
    await chatCall("POST", `${threadPath(thread)}/participants/:remove`, { token: alice.token, body: { rawId: bob.id } });
    await his.page.getByText("You are no longer in this conversation.").waitFor();
    await newMessage(alice, thread, "meanwhile");
    await chatCall("POST", `${threadPath(thread)}/participants/:add`, { token: alice.token, body: { participants: [participant(bob.id, { displayName: "Bob" })] } });
    await composer(his).waitFor();
    await write(his, "back again");
    await place(hers, "back again");
    await place(his, "meanwhile");
});

webTest("leaving is told, and ends writing", async () => {
    const { hers, his } = await three();
    await conversationMenu(his, "Leave");
    await confirm(his, "Leave");
    await his.page.getByText("You are no longer in this conversation.").waitFor();
    await note(hers, "Bob left").waitFor();
    assert.equal(await hers.page.locator(".conversation-names p").innerText(), "Only you");
});

webTest("a deleted conversation disappears for everybody", async () => {
    const { hers, his } = await three();
    await write(hers, "soon gone");
    await place(his, "soon gone");
    await conversationMenu(hers, "Delete");
    await confirm(hers, "Delete");
    for (const window of [hers, his]) {
        await window.page.getByText("No conversations yet.").waitFor();
        assert.equal(await window.page.getByText("soon gone").count(), 0);
    }
    await his.page.getByText("Alice deleted “Looms”.").waitFor();
    await his.page.reload();
    await his.page.getByText("No conversations yet.").waitFor();
});

webTest("a conversation is started with people known and somebody new", async () => {
    const alice = await openWindow({ address: withConnectionString });
    const { page } = alice;
    await page.getByRole("button", { name: "Create and open" }).click();
    await composer(alice).waitFor();
    await page.getByRole("button", { name: "New conversation" }).click();
    const form = page.getByRole("dialog", { name: "New conversation" });
    await form.getByRole("textbox", { name: "Name", exact: true }).fill("Second thread");
    await form.getByRole("checkbox", { name: "Bob" }).check();
    await form.getByRole("textbox", { name: "Somebody new" }).fill("Zoë");
    await form.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { level: 1, name: "Second thread" }).waitFor();
    assert.equal(await page.locator(".conversation-names p").innerText(), "You, Bob, and Zoë");
    await page.getByRole("button", { name: "Your menu" }).click();
    const entries = await page.getByRole("menuitem").allInnerTexts();
    assert.ok(entries.includes("Open a window as Bob") && entries.includes("Open a window as Zoë"), entries.join());
});

webTest("a conversation begun by others appears by itself", async () => {
    const [alice, bob] = await people("Alice", "Bob");
    const window = await signIn(bob);
    await window.page.getByText("No conversations yet.").waitFor();
    const thread = await threadOf(alice, [bob], "Appears");
    await row(window, "Appears").waitFor();
    await newMessage(alice, thread, "hello there");
    await row(window, "Appears").getByText("hello there").waitFor();
    await row(window, "Appears").click();
    await place(window, "hello there");
});

await run("people");
