// weftctl import: what one Weft has, read through its public interface, becomes another one's.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { admin } from "../cluster/lib/admin.mjs";
import { isInstalled } from "../cluster/lib/etcd.mjs";
import { ThreeNodes } from "../cluster/lib/three.mjs";
import { threadPath, until, World } from "../cluster/lib/world.mjs";
import { lines, talk } from "./lib/dumps.mjs";
import { operator } from "./lib/operator.mjs";
import { environment, program, weftctl } from "./lib/weftctl.mjs";

const THREADS = Number(process.env.WEFT_IMPORT_THREADS ?? 12);
const MESSAGES = Number(process.env.WEFT_IMPORT_MESSAGES ?? 400);

/** Two nodes: one to read from, and a new one that has its resource id. */
async function withTwo(body) {
    const source = await (await World.make()).start({ config: "" });
    const resource = /^8:acs:([^_]+)_/.exec((await source.newUser()).id)[1];
    const target = await (await World.make()).start({ config: `resource_id = ${resource}\n` });
    const folder = mkdtempSync(path.join(target.node.dir, "dumps."));
    const of = (world) => ({ WEFT_CA: world.node.caFile, WEFT_CONNECTION_STRING: world.node.connectionString, WEFT_ENDPOINTS: world.node.endpoint, WEFT_ADMIN_TOKEN: world.node.adminToken });
    const from = (...words) => weftctl(words, of(source)), to = (...words) => weftctl(words, of(target));
    try {
        await body({ source, target, from, to, file: (name) => path.join(folder, name), env: of(target) });
        for (const world of [source, target]) {
            assert.deepEqual(await world.node.stop(), { status: 0, signal: null });
            const fsck = world.fsck();
            assert.ok(fsck.isClean, fsck.text);
        }
    } finally {
        rmSync(folder, { recursive: true });
    }
}

/** The same user at the other node. */
async function tokenOf(world, user) {
    const answer = await world.identityCall("POST", `/identities/${user.id}/:issueAccessToken`, { scopes: ["chat"] });
    assert.equal(answer.status, 200, answer.text);
    return { id: user.id, token: answer.json.token };
}

test("a thread is there as it was, for everybody who is or was in it, and goes on", () =>
    withTwo(async ({ source, target, from, to, file }) => {
        const { users, thread } = await talk(source);
        assert.equal((await from("export", file("dump"), "--user", users[0].id)).status, 0);
        const imported = await to("import", file("dump"));
        assert.equal(imported.status, 0, imported.err);
        assert.match(imported.out, /new in this run: 3 users, 1 threads, \d+ messages/);
        const verified = await to("import", "verify", file("dump"));
        assert.equal(verified.status, 0, verified.out + verified.err);
        assert.match(verified.out, /no difference/);

        const here = await Promise.all(users.map((user) => tokenOf(target, user)));
        for (let index = 0; index < 3; index++) {
            const was = await source.allMessages(users[index], thread);
            assert.deepEqual(await target.allMessages(here[index], thread), was);
            const items = [[source, users], [target, here]].map(async ([world, those]) => (await world.expect(those[index], "GET", "/chat/threads")).json.value);
            assert.deepEqual(await items[1], await items[0], "the same list, for who was removed as she left it");
        }
        assert.equal((await target.call(here[2], "POST", `${threadPath(thread)}/messages`, { body: { content: "x" } })).status, 403);

        const last = (await source.allMessages(users[0], thread))[0];
        const sent = await target.newMessage(here[0], thread, "and on");
        assert.ok(BigInt(sent.id) > BigInt(last.id), "ids go on above");
        const [newest] = await target.allMessages(here[1], thread);
        assert.equal(Number(newest.sequenceId), Math.max(...(await source.allMessages(users[0], thread)).map(({ sequenceId }) => Number(sequenceId))) + 1);
        await target.expect(here[0], "PATCH", `${threadPath(thread)}/messages/${lines(file("dump")).threads[0].messages.find(({ content }) => content.message === "message 3")?.id ?? sent.id}`, { body: { content: "edited here" } });

        const again = await to("import", file("dump"));
        assert.equal(again.status, 0, again.err);
        rmSync(file("dump.imported"));
        const anew = await to("import", file("dump"));
        assert.match(anew.out, /new in this run: 0 users, 0 threads, 0 messages/);
        assert.equal((await target.allMessages(here[1], thread))[0].id, (await target.allMessages(here[0], thread))[0].id);
        const changed = await to("import", "verify", file("dump"));
        assert.equal(changed.status, 1);
        assert.match(changed.out, /is not in the dump/, "what was sent here since is told");
    }), { deadlineMs: 120000 });

test("users of Teams and what they said come along", () =>
    withTwo(async ({ source, target, from, to, file }) => {
        const ids = ["8:orgid:2f6a", "8:dod:2f6a", "8:teamsvisitor:2f6a", "4:+15550100"];
        const ann = await source.newUser();
        const thread = await source.newThread([ann, ...ids.map((id) => ({ id }))]);
        const acting = { Authorization: `Bearer ${source.node.adminToken}`, "x-weft-bridge": "vendor", "x-weft-acting-as": ids[0] };
        assert.equal((await admin(source, "PUT", "/admin/bridges/vendor", { identities: [ids[0]] })).status, 201);
        await until("the bridge acts", async () => (await source.call(ann, "POST", `${threadPath(thread)}/messages`, { body: { content: "from Teams" }, headers: acting })).status === 201);
        await source.expect(ann, "POST", `${threadPath(thread)}/participants/:remove`, { body: { rawId: ids[1] } });
        assert.equal((await from("export", file("dump"), "--user", ann.id)).status, 0);
        assert.equal((await to("import", file("dump"))).status, 0);
        const verified = await to("import", "verify", file("dump"));
        assert.equal(verified.status, 0, verified.out + verified.err);
        const here = await tokenOf(target, ann);
        assert.deepEqual(await target.allMessages(here, thread), await source.allMessages(ann, thread));
        const people = [[source, ann], [target, here]].map(async ([world, user]) => (await world.expect(user, "GET", `${threadPath(thread)}/participants`)).json.value);
        assert.deepEqual(await people[1], await people[0]);
        const [{ id }] = await target.allMessages(here, thread);
        await target.expect(here, "POST", `${threadPath(thread)}/readReceipts`, { body: { chatMessageId: id } });
        assert.deepEqual((await target.expect(here, "GET", `${threadPath(thread)}/readReceipts`)).json.value, [], "beside users of Teams there are none");
    }), { deadlineMs: 120000 });

test("what contradicts is refused by name and changes nothing, and the rest is taken", () =>
    withTwo(async ({ source, target, from, to, file }) => {
        const { users, thread } = await talk(source);
        const other = await source.newThread(users.slice(0, 2), "another one");
        assert.equal((await from("export", file("dump"), "--user", users[0].id)).status, 0);
        assert.equal((await to("import", file("dump"))).status, 0);
        const [viewer] = await Promise.all([tokenOf(target, users[0])]);
        const before = await target.allMessages(viewer, thread);

        // Another creator, another author, and a deletion since.
        const text = readFileSync(file("dump"), "utf8");
        const forged = text.split("\n").map((line) => {
            const parsed = line === "" ? null : JSON.parse(line);
            if (parsed?.kind === "header") parsed.exportedOn = "2020-01-01T00:00:00Z";
            if (parsed?.kind === "message" && parsed.thread === thread && parsed.content.message === "the last one") parsed.senderCommunicationIdentifier = { rawId: users[0].id };
            return parsed === null ? line : JSON.stringify(parsed);
        });
        writeFileSync(file("forged"), forged.join("\n"));
        await target.expect(viewer, "DELETE", threadPath(other));
        assert.equal((await target.identityCall("DELETE", `/identities/${encodeURIComponent(users[1].id)}`)).status, 204);
        const refused = await to("import", file("forged"));
        assert.equal(refused.status, 1, refused.out);
        assert.match(refused.err, /ImportMessageDiffers/);
        assert.match(refused.err, /ImportThreadDeleted/);
        assert.match(refused.err, /ImportUserDeleted/);
        assert.deepEqual(await target.allMessages(viewer, thread), before);
        assert.equal((await target.call(viewer, "GET", threadPath(other))).status, 404, "what was deleted here stays so");

        const cut = text.split("\n").slice(0, -2).join("\n") + "\n";
        writeFileSync(file("cut"), cut);
        assert.match((await to("import", file("cut"))).err, /the dump is not whole/);
        appendFileSync(file("cut"), "{}\n");
        assert.match((await to("import", file("cut"))).err, /there is no kind/);
        const stranger = await weftctl(["import", file("dump")], { WEFT_CA: source.node.caFile, WEFT_ENDPOINTS: source.node.endpoint, WEFT_ADMIN_TOKEN: "wrong" });
        assert.equal(stranger.status, 4);
    }), { deadlineMs: 120000 });

/** Lines of a dump with a thread of these users, of so many messages. */
function written(users, number, count) {
    const start = Date.parse("2024-05-06T07:08:09Z") + number * 1000000, thread = `19:acsV1_written${number}@thread.v2`;
    const at = (ms) => new Date(ms).toISOString().replace(/\.\d+Z/, "Z");
    const person = (user) => ({ communicationIdentifier: { rawId: user.id }, shareHistoryTime: "1970-01-01T00:00:00Z", joinedOffset: 1 });
    const added = { type: "participantAdded", content: { participants: users.map(person), initiatorCommunicationIdentifier: { rawId: users[0].id } } };
    const messages = Array.from({ length: count }, (_, index) => {
        const author = { senderCommunicationIdentifier: { rawId: users[index % users.length].id }, senderDisplayName: "" };
        const said = index === 0 ? added : { type: "text", content: { message: `message ${index}` }, ...author };
        const id = String(start + index * 1500 + 7);
        return { kind: "message", thread, offset: index + 1, id, sequenceId: String(index + 1), version: id, createdOn: at(start + index * 1500), ...said };
    });
    const last = messages.at(-1);
    const properties = { kind: "thread", id: thread, topic: `written ${number}`, createdOn: at(start), createdByCommunicationIdentifier: { rawId: users[0].id } };
    return [{ ...properties, participants: users.map(person), messages: count, sequenceId: last.sequenceId, version: last.id, lastMessageReceivedOn: last.createdOn }, ...messages];
}

test("a dump written by hand is imported into a cluster, whichever nodes lead, and again while one of them ends", () => withCluster(async (cluster, ctl, file) => {
    const users = await cluster.nodes[0].newUsers(3);
    const body = Array.from({ length: 12 }, (_, number) => written(users, number, 30)).flat();
    const counts = { kind: "end", users: 3, threads: 12, messages: 360, deletedThreads: 0 };
    const header = { kind: "header", format: "weft-chat-dump", version: 1, exportedOn: "2024-06-01T00:00:00Z" };
    const all = [header, ...users.map(({ id }) => ({ kind: "user", id })), ...body, counts];
    writeFileSync(file("written"), all.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const done = await ctl("import", file("written"));
    assert.equal(done.status, 0, done.err);
    assert.match(done.out, /0 users, 12 threads, 360 messages/);
    for (const { node } of cluster.nodes) {
        const verified = await ctl("import", "verify", file("written"), "--connection-string", node.connectionString);
        assert.equal(verified.status, 0, verified.out + verified.err);
    }
    rmSync(file("written.imported"));
    const again = ctl("import", file("written"));
    await cluster.nodes[2].node.kill();
    const { status, out, err } = await again;
    assert.equal(status, 0, err);
    assert.match(out, /0 users, 0 threads, 0 messages/);
}), { skip: isInstalled() ? false : "etcd is not installed (Debian: etcd-server)", deadlineMs: 240000 });

async function withCluster(body) {
    const cluster = await ThreeNodes.start(3);
    const folder = mkdtempSync(path.join(cluster.nodes[0].node.dir, "dumps."));
    try {
        await body(cluster, operator(cluster), (name) => path.join(folder, name));
    } finally {
        rmSync(folder, { recursive: true });
        await cluster.stop();
    }
}

test("an import from a connection string is killed and gone on with, and nothing differs", () =>
    withTwo(async ({ source, target, to, file, env }) => {
        const users = await source.newUsers(4);
        for (let count = 0; count < THREADS; count++) {
            const thread = await source.newThread(users, `thread ${count}`);
            const each = Math.max(1, Math.ceil(MESSAGES / THREADS));
            for (let number = 0; number < each; number += 20)
                await Promise.all(Array.from({ length: Math.min(20, each - number) }, (_, index) => source.newMessage(users[index % 4], thread, `message ${number + index} of ${count}`)));
        }
        const words = ["import", file("dump"), "--from-connection-string", source.node.connectionString, "--user", users[0].id];
        writeFileSync(file("authorities"), Buffer.concat([source.ca, target.ca]));
        const both = { ...env, WEFT_CA: file("authorities") };
        const size = () => (existsSync(file("dump.imported")) ? JSON.parse(readFileSync(file("dump.imported"), "utf8")).threads : -1);
        for (let kill = 0; kill < 3; kill++) {
            const child = spawn(program, words, { env: environment(both), stdio: "ignore" });
            const ended = new Promise((resolve) => child.on("exit", resolve));
            const before = size();
            await until("it has come further", () => size() > before + THREADS / 6 || child.exitCode !== null, 600000);
            child.kill("SIGKILL");
            await ended;
        }
        const done = await weftctl(words, both);
        assert.equal(done.status, 0, done.err);
        const verified = await to("import", "verify", file("dump"), "--beside", "4");
        assert.equal(verified.status, 0, verified.out + verified.err);
        assert.match(verified.out, new RegExp(`${THREADS} threads with .* no difference`));
    }), { deadlineMs: 3600000 });

await run("imports");
