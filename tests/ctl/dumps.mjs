// weftctl export: what a resource's users see, read through the official REST interface and written down as JSON Lines.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { threadPath, until, World } from "../cluster/lib/world.mjs";
import { lines, talk } from "./lib/dumps.mjs";
import { environment, program, weftctl } from "./lib/weftctl.mjs";

/** A node with a folder for dumps; `ctl` runs weftctl with its connection string. */
async function withWorld(config, body) {
    const world = await (await World.make()).start({ config });
    const folder = mkdtempSync(path.join(world.node.dir, "dumps."));
    const env = { WEFT_CA: world.node.caFile, WEFT_CONNECTION_STRING: world.node.connectionString };
    try {
        await body(world, (...words) => weftctl(words, env), (name) => path.join(folder, name), env);
        assert.deepEqual(await world.node.stop(), { status: 0, signal: null });
    } finally {
        rmSync(folder, { recursive: true });
    }
}

test("a thread is exported as its participants see it, from one user on", () =>
    withWorld("", async (world, ctl, file) => {
        const { users, thread } = await talk(world);
        const done = await ctl("export", file("dump"), "--user", users[0].id);
        assert.equal(done.status, 0, done.err);
        const { header, threads, people, end } = lines(file("dump"));
        assert.equal(header.format, "weft-chat-dump");
        assert.equal(header.endpoint, world.node.endpoint);
        assert.deepEqual(people.map(({ id }) => id).sort(), users.map(({ id }) => id).sort());

        const [dumped] = threads;
        const listed = await world.allMessages(users[0], thread);
        assert.deepEqual(dumped.messages.map(({ kind, thread: of, offset, ...message }) => message), listed.toReversed());
        assert.deepEqual(dumped.messages.map(({ offset }) => offset), listed.map((_, index) => index + 1));
        const properties = (await world.expect(users[0], "GET", threadPath(thread))).json;
        for (const [name, value] of Object.entries(properties)) assert.deepEqual(dumped[name], value, name);
        const participants = (await world.expect(users[0], "GET", `${threadPath(thread)}/participants`)).json.value;
        assert.deepEqual(dumped.participants.map(({ joinedOffset, ...participant }) => participant), participants);
        const receipts = (await world.expect(users[0], "GET", `${threadPath(thread)}/readReceipts`)).json.value;
        assert.ok(receipts.length > 0);
        assert.deepEqual(dumped.receipts, receipts);

        const [former] = dumped.formerParticipants;
        assert.equal(former.communicationIdentifier.rawId, users[2].id);
        assert.equal(dumped.messages[former.removedOffset - 1].type, "participantRemoved");
        assert.equal(dumped.messages[former.joinedOffset - 1].type, "participantAdded");
        assert.equal(dumped.messages.length, dumped.summary);
        assert.deepEqual([end.users, end.threads, end.messages], [users.length, 1, listed.length]);
        assert.equal(dumped.unseen, undefined);
    }));

test("what one participant may not see is taken from others, and what nobody may is counted", () =>
    withWorld("", async (world, ctl, file) => {
        const [first, late] = await world.newUsers(2);
        const thread = await world.newThread([first], "history");
        for (let count = 0; count < 5; count++) await world.newMessage(first, thread, `old ${count}`);
        const shareHistoryTime = new Date(Date.now() + 1000).toISOString();
        const body = { participants: [{ communicationIdentifier: { rawId: late.id }, shareHistoryTime }] };
        await world.expect(late === first ? late : first, "POST", `${threadPath(thread)}/participants/:add`, { body });
        await until("the shared history has begun", () => Date.now() > Date.parse(shareHistoryTime) + 1000);
        await world.expect(first, "POST", `${threadPath(thread)}/participants/:remove`, { body: { rawId: first.id } });
        await world.newMessage(late, thread, "alone");

        assert.equal((await ctl("export", file("both"), "--user", late.id)).status, 0);
        const both = lines(file("both")).threads[0];
        const sequences = both.messages.map(({ sequenceId }) => Number(sequenceId));
        assert.deepEqual(sequences, Array.from({ length: 10 }, (_, index) => index + 1), "the removed one saw the beginning");

        assert.equal((await world.identityCall("DELETE", `/identities/${first.id}`)).status, 204);
        const alone = await ctl("export", file("one"), "--user", late.id);
        assert.equal(alone.status, 0, alone.err);
        assert.match(alone.out, /8 messages are shown to nobody who was asked/);
        const { threads: [one], people } = lines(file("one"));
        assert.deepEqual(one.messages.map(({ sequenceId }) => Number(sequenceId)), [9, 10]);
        assert.equal(one.unseen, 8);
        assert.equal(people.find(({ id }) => id === first.id).isGone, true);
    }));

test("a resource that says to wait is given the time, and nothing is lacking", () =>
    withWorld("rate_limits = acs\n", async (world, ctl, file) => {
        const users = await world.newUsers(3);
        for (let count = 0; count < 8; count++) await world.newThread([users[count % 2]], `thread ${count}`);
        writeFileSync(file("users"), `# to begin with\n${users.map(({ id }) => id).join("\n")}\n`);
        // Threads may be listed and asked for fifty times in ten seconds by a user.
        for (let count = 0; count < 46; count++) await world.call(users[0], "GET", "/chat/threads");
        const done = await ctl("export", file("dump"), "--users", file("users"), "--beside", "8");
        assert.equal(done.status, 0, done.err);
        assert.match(done.out, /the resource said [1-9]\d* times to wait/);
        assert.equal(lines(file("dump")).threads.length, 8);
    }), { deadlineMs: 120000 });

test("an export that is killed goes on where it was", () =>
    withWorld("", async (world, ctl, file, env) => {
        const users = await world.newUsers(2);
        const threads = [];
        for (let count = 0; count < 40; count++) threads.push(await world.newThread(users, `thread ${count}`));
        const words = ["export", file("dump"), "--user", users[0].id, "--beside", "1"];
        for (let kill = 0; kill < 3; kill++) {
            const before = existsSync(file("dump.partial")) ? readFileSync(file("dump.partial")).length : 0;
            const child = spawn(program, words, { env: environment(env), stdio: "ignore" });
            const ended = new Promise((resolve) => child.on("exit", resolve));
            await until("something more is written", () => existsSync(file("dump.partial")) && readFileSync(file("dump.partial")).length > before + 500);
            child.kill("SIGKILL");
            await ended;
        }
        // As if the machine had stopped within a line.
        writeFileSync(file("dump.partial"), `${readFileSync(file("dump.partial"), "utf8")}{"kind":"thread","id":"19:`);
        const done = await ctl(...words);
        assert.equal(done.status, 0, done.err);
        assert.match(done.err, /going on with/);
        const whole = lines(file("dump"));
        assert.deepEqual(whole.threads.map(({ id }) => id).sort(), [...threads].sort());
        assert.equal(existsSync(file("dump.partial")), false);
        const again = await ctl(...words);
        assert.equal(again.status, 2, "a dump that is there is not overwritten");
    }));

test("wrong connection strings and users are refused by name", () =>
    withWorld("", async (world, ctl, file) => {
        const [user] = await world.newUsers(1);
        const wrong = async (status, pattern, ...words) => {
            const done = await ctl("export", file("dump"), ...words);
            assert.equal(done.status, status, done.err);
            assert.match(done.err, pattern);
        };
        await wrong(2, /which users/);
        await wrong(2, /is no user's id/, "--user", "bob");
        await wrong(2, /is not of the form endpoint=/, "--user", user.id, "--connection-string", "https://x");
        await wrong(2, /not base64/, "--user", user.id, "--connection-string", "endpoint=https://x/;accesskey=?");
        await wrong(2, /only loopback/, "--user", user.id, "--connection-string", "endpoint=http://example.org/;accesskey=aaaa");
        await wrong(4, /gives no token/, "--user", user.id, "--connection-string", `endpoint=${world.node.endpoint}/;accesskey=${Buffer.alloc(32).toString("base64")}`);
        await wrong(2, /--beside is a number/, "--user", user.id, "--beside", "0");
    }));

await run("dumps");
