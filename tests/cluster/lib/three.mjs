// Three nodes and etcd: what `cluster-config/up --nodes 3` starts, for tests that kill, stop and start its parts.

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { freePort } from "../../lib/node.mjs";
import { Etcd, Passage, base64 } from "./etcd.mjs";
import { decode } from "./msgpack.mjs";
import { World } from "./world.mjs";

function expectToRun(world) {
    world.standsStill = new Promise((_, reject) => (world.giveUp = () => reject(new Error("the node stands still"))));
    world.standsStill.catch(() => {});
}

export class ThreeNodes {
    /** All started, and ready. `prepare` sees each node before it is started, with the flags that make it one of these. */
    static async start(count = 3, { prepare = () => {} } = {}) {
        const cluster = new ThreeNodes();
        cluster.etcd = await Etcd.start(1);
        cluster.nodes = [];
        for (let number = 1; number <= count; number++) {
            const world = await World.make();
            const secret = path.join(world.node.dir, "secret");
            cluster.secret ??= randomBytes(32).toString("hex");
            writeFileSync(secret, `${cluster.secret}\n`, { mode: 0o600 });
            world.name = `node-${number}`;
            world.isDisturbed = false; // killed, stopped, or not ready again since
            expectToRun(world);
            world.toEtcd = await Passage.to(cluster.etcd.members[0].port);
            const peerPort = await freePort();
            world.fromPeers = await Passage.to(peerPort);
            world.flags = [
                "--node-name", world.name, "--peer-listen", `127.0.0.1:${peerPort}`, "--peer-address", `127.0.0.1:${world.fromPeers.port}`,
                "--etcd-endpoints", `http://127.0.0.1:${world.toEtcd.port}`, "--cluster-secret-file", secret,
            ];
            prepare(world);
            cluster.nodes.push(world);
        }
        await Promise.all(cluster.nodes.map((world) => world.start({ flags: world.flags })));
        return cluster;
    }

    async #decoded(prefix) {
        const key = `weft/${prefix}`;
        const end = `${key.slice(0, -1)}${String.fromCharCode(key.charCodeAt(key.length - 1) + 1)}`;
        const answer = await this.etcd.post(this.etcd.members[0], "/v3/kv/range", { key: base64(key), range_end: base64(end) });
        return (answer.kvs ?? []).map(({ value }) => decode(Buffer.from(value, "base64")));
    }

    /** Of every range: `{range, epoch, primary, inSync, learners}`, where nodes are worlds. */
    async ranges() {
        const names = new Map((await this.#decoded("nodes/")).map((record) => [String(record[1]), String(record[2])]));
        const world = (id) => this.nodes.find(({ name }) => name === names.get(String(id)));
        return (await this.#decoded("ranges/")).map((record) => ({
            range: record[1], epoch: record[2], primary: world(record[3]),
            inSync: record[4].map((member) => world(member[1])), learners: (record[5] ?? []).map((member) => world(member[1])),
        }));
    }

    /** How many ranges each node leads. */
    async leads() {
        const ranges = await this.ranges();
        return this.nodes.map((node) => ranges.filter(({ primary }) => primary === node).length);
    }

    /** Whether every range is held by every node. */
    async isWhole() {
        return (await this.ranges()).every(({ inSync }) => inSync.length === this.nodes.length);
    }

    /** The node stands still; who waits for it may stop waiting: `standsStill` is rejected. */
    hold(world) {
        world.isDisturbed = true;
        world.node.signal("SIGSTOP");
        world.giveUp();
    }

    letGo(world) {
        expectToRun(world);
        world.node.signal("SIGCONT");
    }

    async stop() {
        for (const world of this.nodes) if (world.node.isRunning) world.node.signal("SIGCONT");
        await Promise.all(this.nodes.filter(({ node }) => node.isRunning).map((world) => world.end()));
        for (const world of this.nodes) for (const passage of [world.toEtcd, world.fromPeers]) passage.close();
        await this.etcd.stop();
    }
}
