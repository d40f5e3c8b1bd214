// The coordinator over a real etcd in bad times: leaders killed, members stopped, ways cut, history compacted, leases
// lost, passwords and certificates.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { freePort, until } from "../lib/node.mjs";
import { Driver, Etcd, PASSWORD, Passage, base64, isInstalled, makeCertificates, switchAuthOn } from "./lib/etcd.mjs";
import { World } from "./lib/world.mjs";

const CALL_MS_MAX = 6000; // COORDINATOR_CALL_MS_MAX
const SWAPPERS = 8;
const KILLS = Number(process.env.WEFT_ETCD_KILLS ?? 3);
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";
const options = { skip, deadlineMs: 120000 };

/** Runs `body` with an etcd, and ends everything. */
async function withEtcd(count, body, etcdOptions) {
    const etcd = await Etcd.start(count, etcdOptions);
    const drivers = [];
    try {
        await body(etcd, (...rest) => {
            const driver = new Driver(rest[0] ?? etcd.endpoints, rest[1] ?? "test", ...rest.slice(2));
            drivers.push(driver);
            return driver;
        });
    } catch (error) {
        for (const driver of drivers) error.stack += `\n--- log of a driver:\n${driver.log.slice(-1500)}`;
        throw error;
    } finally {
        for (const driver of drivers) driver.child.kill("SIGKILL");
        await etcd.stop();
    }
}

const isOk = (answer) => assert.equal(answer.status, "OK", JSON.stringify(answer));
const rotated = (etcd, by) => {
    const endpoints = etcd.endpoints.split(" ");
    return [...endpoints.slice(by % endpoints.length), ...endpoints.slice(0, by % endpoints.length)].join(" ");
};
/** Waits until the watch's events add up to `expected`. */
const awaitState = (driver, expected, what) =>
    until(what, () => JSON.stringify(Object.entries(driver.state).sort()) === JSON.stringify(Object.entries(expected).sort())).catch((error) => {
        throw new Error(`${error.message}; it has ${JSON.stringify(driver.state)}`);
    });
/** Every name's versions rise. */
function assertInOrder(events) {
    const versions = {};
    for (const { name, version } of events) {
        assert.ok(!(version <= versions[name]), `${name} was told at ${version} after ${versions[name]}`);
        versions[name] = version;
    }
}

/** Counts a counter up again and again; remembers what it was told about each try. */
async function swapUntil(driver, tag, isOver) {
    const wins = [];
    const unknown = [];
    let slowestMs = 0;
    for (let number = 0; !isOver(); number++) {
        const got = await driver.ask("get", "counter");
        slowestMs = Math.max(slowestMs, got.ms);
        assert.ok(["OK", "NotFound", "ServiceUnavailable"].includes(got.status), got.status);
        if (got.status === "ServiceUnavailable") continue;
        const { version = 0, value = "0" } = got.items[0] ?? {};
        const next = `${parseInt(value, 10) + 1}.${tag}.${number}`;
        const swapped = await driver.ask("swap", "counter", version, next);
        slowestMs = Math.max(slowestMs, swapped.ms);
        assert.ok(["OK", "Conflict", "ServiceUnavailable"].includes(swapped.status), swapped.status);
        if (swapped.status === "OK") wins.push({ value: next, version: swapped.revision });
        if (swapped.status === "ServiceUnavailable") unknown.push(next);
    }
    return { wins, unknown, slowestMs };
}

test(`leaders are killed (${KILLS} of them) while ${SWAPPERS} swap: one wins each time, and watches miss and double nothing`, async () => {
    await withEtcd(3, async (etcd, drive) => {
        const watchers = [0, 1, 2].map((by) => drive(rotated(etcd, by)));
        for (const watcher of watchers) isOk(await watcher.ask("watch", "", 0));
        let isOver = false;
        const swappers = Array.from({ length: SWAPPERS }, (_, number) => swapUntil(drive(rotated(etcd, number)), `s${number}`, () => isOver));
        const progress = async (what) => {
            const before = watchers[0].events.length;
            await until(what, () => watchers[0].events.length > before + 20);
        };
        await progress("swaps go on");
        for (let kill = 0; kill < KILLS; kill++) {
            const leader = await etcd.leader();
            await etcd.kill(leader);
            await progress(`swaps go on after kill ${kill + 1}`);
            etcd.run(leader);
            await etcd.ready();
            await progress(`swaps go on with all members after kill ${kill + 1}`);
        }
        isOver = true;
        const outcomes = await Promise.all(swappers);
        const [{ value: last }] = (await drive().ask("get", "counter")).items;
        for (const watcher of watchers) {
            await until("the watch tells the end", () => watcher.events.at(-1).value === last);
            const values = watcher.events.map(({ value }) => value);
            assert.deepEqual(values.map((value) => parseInt(value, 10)), values.map((_, index) => index + 1), "every step once, in order");
            assertInOrder(watcher.events);
        }
        const told = new Map(watchers[0].events.map(({ value, version }) => [value, version]));
        const wins = outcomes.flatMap((outcome) => outcome.wins);
        const unknown = new Set(outcomes.flatMap((outcome) => outcome.unknown));
        for (const { value, version } of wins) assert.equal(told.get(value), version, `${value} was acknowledged and is not there`);
        const acknowledged = new Set(wins.map(({ value }) => value));
        for (const value of told.keys()) assert.ok(acknowledged.has(value) || unknown.has(value), `${value} happened, and whoever asked was told that it had not`);
        for (const { slowestMs } of outcomes) assert.ok(slowestMs <= CALL_MS_MAX + 1000, `a call took ${slowestMs} ms`);
        console.log(`# ${told.size} steps, ${unknown.size} outcomes unknown, slowest call ${Math.max(...outcomes.map(({ slowestMs }) => slowestMs))} ms`);
    });
}, options);

test("a watch that was cut off tells everything it missed, in order", async () => {
    await withEtcd(1, async (etcd, drive) => {
        const passage = await Passage.to(etcd.members[0].port);
        const watcher = drive(`http://127.0.0.1:${passage.port}`);
        isOk(await watcher.ask("watch", "r/", 0));
        await etcd.put("test/r/a", "1");
        await awaitState(watcher, { "r/a": "1" }, "the watch works");
        for (const cutOff of ["cut", "stall"]) {
            watcher.events.length = 0;
            passage[cutOff]();
            for (const value of ["2", "3"]) await etcd.put("test/r/a", value);
            await etcd.put("test/r/b", "1");
            await etcd.remove("test/r/b");
            await etcd.put("test/r/b", "2");
            passage.open();
            await until("the watch goes on", () => watcher.events.length >= 5);
            assert.deepEqual(watcher.events.map(({ name, value }) => `${name}=${value}`), ["r/a=2", "r/a=3", "r/b=1", "r/b=undefined", "r/b=2"]);
            await etcd.remove("test/r/b");
            await until("and on", () => watcher.events.length === 6);
        }
        passage.close();
    });
}, options);

test("a watch that was cut off while history was compacted tells exactly the difference", async () => {
    await withEtcd(1, async (etcd, drive) => {
        const passage = await Passage.to(etcd.members[0].port);
        const watcher = drive(`http://127.0.0.1:${passage.port}`);
        await etcd.put("test/r/stays", "1");
        await etcd.put("test/r/goes", "1");
        await etcd.put("test/r/changes", "1");
        const { revision, items } = await watcher.ask("list", "r/");
        assert.equal(items.length, 3);
        isOk(await watcher.ask("watch", "r/", revision));
        await etcd.put("test/r/seen", "1");
        await awaitState(watcher, { "r/seen": "1" }, "the watch works");
        for (const cutOff of ["cut", "stall"]) {
            watcher.events.length = 0;
            passage[cutOff]();
            await etcd.put("test/r/changes", `${cutOff}-2`);
            await etcd.put("test/r/changes", `${cutOff}-3`);
            await etcd.remove("test/r/goes");
            await etcd.put("test/r/new", cutOff);
            await etcd.put("test/r/short", "1");
            await etcd.remove("test/r/short");
            await etcd.compact(await etcd.put("elsewhere", "1"));
            passage.cut();
            passage.open();
            await until("the watch goes on", () => watcher.events.length >= 3);
            await etcd.put("test/r/after", cutOff);
            await until("and on", () => watcher.events.at(-1).name === "r/after");
            const told = watcher.events.map(({ name, value }) => `${name}=${value}`);
            assert.deepEqual(told, ["r/goes=undefined", `r/changes=${cutOff}-3`, `r/new=${cutOff}`, `r/after=${cutOff}`]);
            await etcd.put("test/r/goes", "again");
            await until("and on", () => watcher.events.at(-1).name === "r/goes");
        }
        passage.close();
    });
}, options);

test("a watch whose beginning was compacted says so, instead of leaving out what went", async () => {
    await withEtcd(1, async (etcd, drive) => {
        const driver = drive();
        await etcd.put("test/r/a", "1");
        const { revision } = await driver.ask("list", "r/");
        await etcd.remove("test/r/a");
        await etcd.compact(await etcd.put("test/r/b", "1"));
        assert.equal((await driver.ask("watch", "r/", revision)).status, "Conflict");
        isOk(await driver.ask("watch", "r/", (await driver.ask("list", "r/")).revision));
        await etcd.put("test/r/c", "1");
        await awaitState(driver, { "r/c": "1" }, "the second watch works");
    });
}, options);

test("a member that stops without ending is left, by calls and by watches", async () => {
    await withEtcd(3, async (etcd, drive) => {
        const watcher = drive();
        const caller = drive();
        isOk(await watcher.ask("watch", "r/", 0));
        isOk(await caller.ask("swap", "r/1", 0, "before"));
        await awaitState(watcher, { "r/1": "before" }, "the watch works");
        for (const member of etcd.members) {
            member.child.kill("SIGSTOP");
            await until("a swap works without the stopped member", async () => {
                const { items } = await caller.ask("get", "r/1");
                const answer = await caller.ask("swap", "r/1", items[0]?.version ?? 0, `without-${member.name}`);
                assert.ok(answer.ms <= CALL_MS_MAX + 1000, `a call took ${answer.ms} ms`);
                return answer.status === "OK";
            });
            await awaitState(watcher, { "r/1": `without-${member.name}` }, "the watch goes on without the stopped member");
            member.child.kill("SIGCONT");
            await etcd.ready();
        }
        assertInOrder(watcher.events);
    });
}, options);

test("without a majority calls end in time and by name, and everything goes on when it is back", async () => {
    await withEtcd(3, async (etcd, drive) => {
        const driver = drive();
        isOk(await driver.ask("watch", "", 0));
        isOk(await driver.ask("swap", "a", 0, "1"));
        await etcd.kill(etcd.members[0]);
        await etcd.kill(etcd.members[1]);
        for (const words of [["get", "a"], ["swap", "a", 1, "lost"], ["list", ""], ["watch", "", 1]]) {
            const answer = await driver.ask(...words);
            assert.equal(answer.status, "ServiceUnavailable", words.join(" "));
            assert.ok(answer.ms <= CALL_MS_MAX + 1000, `${words[0]} took ${answer.ms} ms`);
        }
        etcd.run(etcd.members[0]);
        etcd.run(etcd.members[1]);
        await etcd.ready();
        const { items: [{ value, version }] } = await driver.ask("get", "a");
        assert.equal(value, "1", "what was refused did not happen");
        isOk(await driver.ask("swap", "a", version, "2"));
        await awaitState(driver, { a: "2" }, "the watch goes on");
        const { status, ms } = await driver.close();
        assert.equal(status, 0);
        assert.ok(ms < 3000, `closing took ${ms} ms`);
    });
}, options);

test("closing ends watches and announcements promptly, even when etcd is gone", async () => {
    await withEtcd(1, async (etcd, drive) => {
        const driver = drive();
        isOk(await driver.ask("watch", "", 0));
        isOk(await driver.ask("announce", "alive/1", "x", 60));
        await awaitState(driver, { "alive/1": "x" }, "the announcement is there");
        await etcd.kill(etcd.members[0]);
        const { status, ms } = await driver.close();
        assert.equal(status, 0);
        assert.ok(ms < 4000, `closing took ${ms} ms`);
    });
}, options);

test("an announcement goes with its process, comes back after its lease was lost, and is taken back by closing", async () => {
    await withEtcd(3, async (etcd, drive) => {
        const watcher = drive();
        isOk(await watcher.ask("watch", "alive/", 0));
        const stopped = drive();
        const killed = drive();
        const closed = drive();
        isOk(await stopped.ask("announce", "alive/stopped", "x", 2));
        isOk(await killed.ask("announce", "alive/killed", "", 2));
        isOk(await closed.ask("announce", "alive/closed", "y", 3600));
        await awaitState(watcher, { "alive/stopped": "x", "alive/killed": "", "alive/closed": "y" }, "all three are there");
        killed.child.kill("SIGKILL");
        await awaitState(watcher, { "alive/stopped": "x", "alive/closed": "y" }, "the killed one goes");
        stopped.child.kill("SIGSTOP");
        await awaitState(watcher, { "alive/closed": "y" }, "the stopped one goes");
        stopped.child.kill("SIGCONT");
        await awaitState(watcher, { "alive/stopped": "x", "alive/closed": "y" }, "it comes back");
        await closed.close();
        await awaitState(watcher, { "alive/stopped": "x" }, "the closed one is taken back at once");
        // It outlives members, too: more than its time to live passes without the leader.
        await etcd.kill(await etcd.leader());
        await until("the lease is renewed twice", () => stopped.child.exitCode === null && watcher.events.length > 0, 1000);
        isOk(await until("etcd answers", async () => {
            const answer = await watcher.ask("get", "alive/stopped");
            return answer.status === "OK" ? answer : null;
        }));
        assertInOrder(watcher.events);
    });
}, options);

test("of those who stand for election one is elected; when it is killed, stands still or ends, another one follows", async () => {
    await withEtcd(3, async (etcd, drive) => {
        const watcher = drive();
        isOk(await watcher.ask("watch", "first", 0));
        const candidates = new Map();
        for (const name of ["a", "b", "c"]) {
            candidates.set(name, drive());
            isOk(await candidates.get(name).ask("stand", "first", name, 2));
        }
        const elected = () => until("somebody is elected", () => watcher.state.first);
        const away = [];
        for (const leave of [(driver) => driver.child.kill("SIGSTOP"), (driver) => driver.close()]) {
            const name = await elected();
            away.push(name);
            await leave(candidates.get(name));
            await until("somebody else follows", () => watcher.state.first && !away.includes(watcher.state.first));
        }
        // Who stood still has lost it, and gets it again only when it is free.
        const [stopped, , last] = [...away, await elected()];
        candidates.get(stopped).child.kill("SIGCONT");
        await etcd.kill(await etcd.leader());
        await until("etcd answers", async () => (await watcher.ask("get", "first")).status === "OK");
        candidates.get(last).child.kill("SIGKILL");
        await until("the first is elected again", () => watcher.state.first === stopped);
        assertInOrder(watcher.events);
    });
}, options);

test("etcd with TLS, client certificates, users and permissions", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "weft-tls."));
    try {
        const tls = makeCertificates(folder);
        await withEtcd(1, async (etcd, drive) => {
            await switchAuthOn(etcd, "test");
            const { endpoints } = etcd;
            const [user, files] = [["weft", PASSWORD], [tls.ca, tls.cert, tls.key]];
            const driver = drive(endpoints, "test", ...user, ...files);
            isOk(await driver.ask("swap", "a", 0, "1"));
            isOk(await driver.ask("watch", "", 0));
            isOk(await driver.ask("announce", "alive/1", "x", 2));
            await awaitState(driver, { a: "1", "alive/1": "x" }, "everything works");
            const refusals = [
                ["Forbidden", "test", "weft", "wrong", ...files],
                ["Forbidden", "test", "nobody", "wrong", ...files],
                ["Forbidden", "test", "", "", ...files],
                ["Forbidden", "other", ...user, ...files],
                ["ServiceUnavailable", "test", ...user, tls.stranger, tls.cert, tls.key],
                ["ServiceUnavailable", "test", ...user, "", tls.cert, tls.key],
                ["ServiceUnavailable", "test", ...user, tls.ca, "", ""],
            ];
            await Promise.all(refusals.map(async ([status, prefix, ...rest]) => {
                const stranger = drive(endpoints, prefix, ...rest);
                assert.equal((await stranger.ask("get", "a")).status, status, rest.join(" "));
                await until("the log says why", () => /etcd/.test(stranger.log));
                assert.ok(!stranger.log.includes("secret"), "and no password");
            }));
            // Tokens live in the member's memory: after its restart new ones are needed, and got.
            await etcd.kill(etcd.members[0]);
            etcd.run(etcd.members[0]);
            await etcd.ready();
            const { items: [{ version }] } = await driver.ask("get", "a");
            isOk(await driver.ask("swap", "a", version, "2"));
            await until("the watch goes on", () => driver.state.a === "2");
            await until("the announcement too", async () => (await driver.ask("get", "alive/1")).status === "OK");
            assertInOrder(driver.events.filter(({ name }) => name === "a"));
        }, { tls });
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}, options);

test("a node that was alone starts with etcd, and has everything it had", async () => {
    await withEtcd(1, async (etcd) => {
        const world = await (await World.make()).start();
        const secret = path.join(world.node.dir, "secret");
        writeFileSync(secret, `${"0123456789abcdef".repeat(2)}\n`, { mode: 0o600 });
        const users = await world.newUsers(2);
        const thread = await world.newThread(users);
        for (let number = 0; number < 5; number++) await world.newMessage(users[number % 2], thread, `message ${number}`);
        const before = [world.node.connectionString, await world.allMessages(users[0], thread)];
        await world.end();
        const peer = `127.0.0.1:${await freePort()}`;
        const flags = ["--etcd-endpoints", etcd.endpoints, "--cluster-secret-file", secret, "--peer-listen", peer, "--replication-factor", "1", "--min-in-sync", "1"];
        await world.start({ flags });
        assert.equal(world.node.connectionString, before[0]);
        assert.deepEqual(await until("it leads its ranges", () => world.allMessages(users[0], thread).catch(() => null)), before[1]);
        await until("it takes messages", () => world.newMessage(users[1], thread, "in the cluster").catch(() => null));
        await world.end();
    });
}, options);

await run("etcd");
