// A node joins from another machine: hosts are network namespaces, see lib/hosts.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { Etcd, isInstalled } from "./lib/etcd.mjs";
import { Hosts } from "./lib/hosts.mjs";
import { World, until } from "./lib/world.mjs";

const SECRET = randomBytes(32).toString("hex");
const skip = isInstalled() ? Hosts.areImpossible : "etcd is not installed (Debian: etcd-server)";

async function newWorld(host) {
    const world = await World.make({ host });
    const secret = path.join(world.node.dir, "secret");
    writeFileSync(secret, `${SECRET}\n`, { mode: 0o600 });
    world.flags = ["--cluster-secret-file", secret];
    return world;
}

const kept = (world) => path.join(world.node.dir, "data", "addresses.conf");
const lines = (world) => readFileSync(kept(world), "utf8").split("\n").filter((line) => line.includes(" = "));

test("a node of another machine listens where it reaches the others from, and is reached there", async () => {
    const [here, there] = new Hosts(2).all;
    const etcd = await Etcd.start(1, { hosts: [here] });
    const first = await newWorld(here);
    const firstFlags = ["--etcd-endpoints", etcd.endpoints, "--replication-factor", "1", "--min-in-sync", "1", ...first.flags];
    await first.start({ flags: ["--peer-listen", "127.0.0.1:8600", ...firstFlags] });
    const join = ["--join", `${here.address}:${first.node.port}`];

    const world = await newWorld(there);
    await world.node.start({ flags: [...join, ...world.flags], isPlaced: false });
    assert.equal((await world.node.waitEnd()).status, 1);
    assert.match(world.node.log, /is reached by others on its own machine only, at 127\.0\.0\.1:8600/);
    assert.ok(!existsSync(kept(world)), "nothing is kept of what is no use");
    await first.end();

    await first.start({ flags: ["--peer-listen", `${here.address}:8600`, ...firstFlags] });
    await world.start({ flags: [...join, ...world.flags], isPlaced: false });
    assert.deepEqual(lines(world), [`listen = ${there.address}:8443`, `peer_listen = ${there.address}:8600`]);
    const users = await first.newUsers(2);
    const thread = await until("a thread is made", () => first.newThread(users).catch(() => null));
    await until("a message is sent through it", () => world.newMessage(users[0], thread, "from there").catch(() => null));
    assert.equal((await first.allMessages(users[1], thread))[0].content.message, "from there");
    await world.end();

    // What is given counts; only what is missing is chosen.
    const other = await newWorld(there);
    await other.start({ flags: [...join, ...other.flags, "--peer-listen", "0.0.0.0:9000"], isPlaced: false });
    assert.deepEqual(lines(other), [`listen = ${there.address}:8443`, `peer_address = ${there.address}:9000`]);
    await until("it reads through the first", () => other.allMessages(users[1], thread).catch(() => null));
    await other.end();
    await other.start({ flags: [...other.flags, "--peer-listen", "0.0.0.0:9000"], isPlaced: false });
    await until("and after a start by itself", () => other.allMessages(users[1], thread).catch(() => null));
    await other.end();
    await first.end();
    await etcd.stop();
}, { skip, deadlineMs: 180000 });

await run("join_hosts");
