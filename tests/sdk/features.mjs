// With `feature_participants_max = 250` read receipts and typing work in full threads: coalesced in real time, and
// listed completely by REST.

import assert from "node:assert/strict";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatClient } from "@azure/communication-chat";
import { run, test } from "./lib/harness.mjs";
import { connect as connectTrouter } from "./lib/trouter.mjs";
import { connect as connectWeft } from "./lib/weft.mjs";
import { chatCall, collect, newMessage, newThread, newUser, newUsers, nextEndpoint, threadPath, until } from "./lib/world.mjs";

const skip = process.env.WEFT_USE_RUNNING === "1" ? "needs feature_participants_max = 250" : false;

test("receipts of 250 participants are kept, paged and told", async () => {
    const creator = await newUser();
    const others = await newUsers(249);
    const threadId = await newThread(creator, others);
    const messageId = await newMessage(creator, threadId);
    const weft = await connectWeft("json", creator.token);
    const trouter = await connectTrouter(creator.token);
    const statuses = await Promise.all(
        others.map((user) => chatCall("POST", `${threadPath(threadId)}/readReceipts`, { token: user.token, body: { chatMessageId: messageId } })),
    );
    assert.ok(statuses.every((answer) => answer.status === 200));
    const thread = new ChatClient(nextEndpoint(), new AzureCommunicationTokenCredential(creator.token)).getChatThreadClient(threadId);
    const receipts = await collect(thread.listReadReceipts({ maxPageSize: 100 }));
    assert.deepEqual(new Set(receipts.map((receipt) => receipt.sender.communicationUserId)), new Set(others.map((user) => user.id)));
    const toldByWeft = new Set();
    const toldByTrouter = new Set();
    await until("every receipt was told, or none is under way any more", async () => {
        for (const frame of weft.inbox.items.splice(0)) {
            if (frame.type !== "receipts") continue;
            for (const receipt of frame.receipts) toldByWeft.add(receipt.user);
        }
        for (const push of trouter.pushes.items.splice(0)) {
            assert.equal(push.json.eventId, 246);
            toldByTrouter.add(push.json.senderId);
        }
        return toldByWeft.size > 0 && toldByTrouter.size > 0;
    });
    weft.close();
    trouter.close();
}, { skip, deadlineMs: 120000 });

test("typing in a large thread is told, gathered", async () => {
    const creator = await newUser();
    const others = await newUsers(59);
    const threadId = await newThread(creator, others);
    const weft = await connectWeft("msgpack", creator.token);
    const trouter = await connectTrouter(creator.token);
    const typers = others.slice(0, 8);
    await Promise.all(typers.map((user) => chatCall("POST", `${threadPath(threadId)}/typing`, { token: user.token, body: { senderDisplayName: "typer" } })));
    const seen = new Set();
    let frames = 0;
    await until("all eight were told", () => {
        for (const frame of weft.inbox.items.splice(0)) {
            if (frame.type !== "typing") continue;
            frames++;
            for (const { user, displayName } of frame.users) {
                assert.equal(displayName, "typer");
                seen.add(user);
            }
        }
        return seen.size === typers.length;
    });
    assert.ok(frames < typers.length, `${frames} frames for ${typers.length} typers`);
    const pushed = new Set((await trouter.pushes.takeMany(typers.length, (push) => push.json.eventId === 245)).map((push) => push.json.senderId));
    assert.equal(pushed.size, typers.length);
    weft.close();
    trouter.close();
}, { skip });

await run("features");
