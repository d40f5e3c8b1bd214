// Dumps of weftctl, and conversations that have everything a dump can hold.

import { readFileSync } from "node:fs";
import { threadPath } from "../../cluster/lib/world.mjs";

/** A dump taken apart: `{header, people, threads, deleted, end}`, each thread with its `messages`. */
export function lines(file) {
    const all = readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
    const threads = [];
    for (const line of all) {
        if (line.kind === "thread") threads.push({ ...line, summary: line.messages, messages: [] });
        if (line.kind === "message") threads.at(-1).messages.push(line);
    }
    const of = (kind) => all.filter((line) => line.kind === kind);
    return { header: all[0], people: of("user"), threads, deleted: of("deletedThread"), end: all.at(-1) };
}

/** Three users in a thread of messages, html, edits, deletions, a removal, a new topic, metadata and receipts. */
export async function talk(world, count = 6) {
    const users = await world.newUsers(3);
    const thread = await world.newThread(users, "how it was");
    const path = threadPath(thread), ids = [];
    for (let number = 0; number < count; number++) ids.push((await world.newMessage(users[number % 3], thread, `message ${number}`)).id);
    await world.expect(users[0], "POST", `${path}/messages`, { body: { content: "<b>bold</b>", type: "html", senderDisplayName: "Ann", metadata: { a: "1" } } });
    await world.expect(users[0], "PATCH", `${path}/messages/${ids[0]}`, { body: { content: "edited \u{1F600} \"quoted\"\n" } });
    await world.expect(users[1], "DELETE", `${path}/messages/${ids[1]}`);
    await world.expect(users[0], "PATCH", path, { body: { topic: "a new topic", metadata: { key: "value" } } });
    await world.expect(users[0], "POST", `${path}/participants/:remove`, { body: { rawId: users[2].id } });
    await world.expect(users[1], "POST", `${path}/readReceipts`, { body: { chatMessageId: ids[3] } });
    await world.newMessage(users[1], thread, "the last one");
    return { users, thread };
}
