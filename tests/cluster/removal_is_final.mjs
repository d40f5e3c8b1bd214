// After a removal is acknowledged nothing later reaches the removed user, after a deletion nobody, whatever is under way.
// WEFT_REMOVAL_ROUNDS: how often each race is run (15).

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { run, test } from "../sdk/lib/harness.mjs";
import { chanceFrom } from "./lib/chance.mjs";
import { Realtime } from "./lib/realtime.mjs";
import { Trouter } from "./lib/trouter.mjs";
import { World, participant, threadPath, until } from "./lib/world.mjs";

const ROUNDS = Number(process.env.WEFT_REMOVAL_ROUNDS ?? 15);
const chance = chanceFrom(process.env.WEFT_SEED);
console.log(`# seed ${chance.seed}`);

/** Everything that reaches a user: over both of Weft's formats and the official protocol. */
async function listenEverywhere(world, user) {
    const heard = { frames: [], pushes: [] };
    heard.sessions = await Promise.all([
        Realtime.connect(world.tlsTarget, "json", user.token, { onFrame: (frame) => heard.frames.push(frame) }),
        Realtime.connect(world.target, "msgpack", user.token, { onFrame: (frame) => heard.frames.push(frame) }),
        Trouter.connect(world, user, { onPush: (push) => heard.pushes.push(push) }),
    ]);
    heard.close = () => heard.sessions.forEach((session) => session.close());
    return heard;
}

/** Sends without end over /realtime and REST; `contents` maps each text to its offset once acknowledged. */
function startSending(world, user, session, thread) {
    const sending = { offsets: new Map(), isStopping: false };
    const overRealtime = async (lane) => {
        for (let number = 0; !sending.isStopping; number++) {
            const content = `lane ${lane} ${number}`;
            const ack = await session.ask({ type: "send", id: `${thread}/${lane}/${number}`, thread, content }).catch(() => null);
            if (!ack) return;
            sending.offsets.set(content, ack.offset);
        }
    };
    const overRest = async () => {
        for (let number = 0; !sending.isStopping; number++) {
            const content = `rest ${number}`;
            const sent = await world.newMessage(user, thread, content).catch(() => null);
            if (!sent) return;
            sending.offsets.set(content, sent.offset);
            await world.call(user, "POST", `${threadPath(thread)}/typing`, { body: {} });
        }
    };
    sending.ended = Promise.all([overRealtime(1), overRealtime(2), overRealtime(3), overRest()]);
    return sending;
}

const textOf = (item) => item.message?.content?.message ?? item.messageBody;

const races = [
    {
        name: "removed by another",
        act: (world, [creator, , victim], thread) => world.expect(creator, "POST", `${threadPath(thread)}/participants/:remove`, { body: participant(victim).communicationIdentifier }),
    },
    {
        name: "gone by itself",
        act: (world, [, , victim], thread) => world.expect(victim, "POST", `${threadPath(thread)}/participants/:remove`, { body: participant(victim).communicationIdentifier }),
    },
    { name: "thread deleted", act: (world, [creator], thread) => world.expect(creator, "DELETE", threadPath(thread)), isDeletion: true },
];

for (const { name, act, isDeletion } of races)
    test(`nothing later reaches a participant: ${name}`, async () => {
        const world = await (await World.make({ plain: true })).start();
        const users = await world.newUsers(4);
        const [creator, sender, victim, witness] = users;
        const session = await Realtime.connect(world.target, "json", sender.token);
        for (let round = 0; round < ROUNDS; round++) {
            const thread = await world.newThread(users, `round ${round}`);
            const heard = await listenEverywhere(world, victim);
            const witnessed = await listenEverywhere(world, witness);
            const sending = startSending(world, sender, session, thread);
            await until("messages arrive", () => heard.frames.some((frame) => frame.type === "message") && heard.pushes.length > 0, 20000);
            await pause(chance.below(60));
            const answer = await act(world, users, thread);
            const end = Number(answer.headers["x-weft-offset"]);
            assert.ok(end > 0, "the answer says where the change stands");
            const heardAtAnswer = { frames: heard.frames.length, pushes: heard.pushes.length };
            if (isDeletion) await sending.ended;
            else await until("more was sent", () => [...sending.offsets.values()].filter((offset) => offset > end).length > 20, 20000);
            sending.isStopping = true;
            await sending.ended;
            // What was on its way to the victim would have arrived before the answer to a ping.
            await Promise.all(heard.sessions.slice(0, 2).map((opened) => opened.ask({ type: "ping", id: "fence" })));
            const last = Math.max(...sending.offsets.values());
            if (!isDeletion) await until("the others hear on", () => witnessed.frames.some((frame) => frame.thread === thread && frame.offset >= last), 20000);
            for (const frame of heard.frames) if (frame.thread === thread && frame.offset !== undefined) assert.ok(frame.offset <= end, `offset ${frame.offset} came, ${name} at ${end}`);
            for (const item of [...heard.frames, ...heard.pushes]) {
                const offset = sending.offsets.get(textOf(item));
                assert.ok(offset === undefined || item.thread !== thread && item.groupId !== thread || offset <= end, `${textOf(item)} at ${offset} came, ${name} at ${end}`);
            }
            const lateTyping = heard.frames.slice(heardAtAnswer.frames).filter((frame) => frame.type === "typing" && frame.thread === thread);
            assert.ok(lateTyping.length === 0 || isDeletion, "no typing after the answer");

            const again = [];
            const resumed = await Realtime.connect(world.target, "json", victim.token, { resume: { [thread]: 0 }, onFrame: (frame) => again.push(frame) });
            await resumed.ask({ type: "ping", id: "fence" });
            for (const frame of again) if (frame.thread === thread && frame.offset !== undefined) assert.ok(frame.offset <= end, `a resume told offset ${frame.offset}: ${frame.type}`);
            await assert.rejects(resumed.ask({ type: "send", id: "late", thread, content: "late" }));
            await assert.rejects(resumed.ask({ type: "receipt", id: "late receipt", thread, messageId: "1" }));
            const listed = await world.call(victim, "GET", `${threadPath(thread)}/messages`);
            for (const message of listed.json.value ?? []) assert.ok(!(sending.offsets.get(message.content?.message) > end), "nor does a list");
            resumed.close();
            heard.close();
            witnessed.close();
        }
        await world.end();
    }, { deadlineMs: 180000 });

await run("removal_is_final");
