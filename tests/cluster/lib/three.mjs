// Three nodes and etcd: what `cluster-config/up --nodes 3` starts, for tests that kill, stop and start its parts.

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { freePort } from "../../lib/node.mjs";
import { Etcd, Passage } from "./etcd.mjs";
import { decode } from "./msgpack.mjs";
import { World } from "./world.mjs";

function expectToRun(world) {
    world.standsStill = new Promise((_, reject) => (world.giveUp = () => reject(new Error("the node stands still"))));
    world.standsStill.catch(() => {});
}

export class ThreeNodes {
    /**
     * All started, and ready; behind ways to etcd and to each node that can be cut. `hosts`: of lib/hosts, then each of them
     * has a node and a member of etcd, and what can be cut is between them. `prepare` sees each node before it is started,
     * with the flags that make it one of these.
     */
    static async start(count = 3, { hosts, prepare = () => {} } = {}) {
        const cluster = new ThreeNodes();
        cluster.secret = randomBytes(32).toString("hex");
        cluster.etcd = await Etcd.start(hosts?.length ?? 1, { hosts });
        cluster.nodes = [];
        for (let number = 1; number <= count; number++) cluster.nodes.push(await cluster.#node(number, hosts?.[number - 1]));
        cluster.nodes.forEach(prepare);
        await Promise.all(cluster.nodes.map((world) => world.start({ flags: world.flags })));
        return cluster;
    }

    async #node(number, host) {
        const world = await World.make({ host });
        const secret = path.join(world.node.dir, "secret");
        writeFileSync(secret, `${this.secret}\n`, { mode: 0o600 });
        world.name = `node-${number}`;
        world.isDisturbed = false; // killed, stopped, or not ready again since
        expectToRun(world);
        const peerPort = await freePort();
        world.flags = ["--node-name", world.name, "--peer-listen", `${world.node.host}:${peerPort}`, "--cluster-secret-file", secret];
        if (host) {
            world.host = host;
            world.flags.push("--etcd-endpoints", this.etcd.endpoints);
        } else {
            world.toEtcd = await Passage.to(this.etcd.members[0].port);
            world.fromPeers = await Passage.to(peerPort);
            world.flags.push("--etcd-endpoints", `http://127.0.0.1:${world.toEtcd.port}`, "--peer-address", `127.0.0.1:${world.fromPeers.port}`);
        }
        return world;
    }

    async #decoded(prefix) {
        return (await this.etcd.list(`weft/${prefix}`)).map(({ value }) => decode(value));
    }

    /** Makes `{range, epoch, primary, inSync, learners}`, where nodes are worlds, of a record of a range. */
    async #reader() {
        const names = new Map((await this.#decoded("nodes/")).map((record) => [String(record[1]), String(record[2])]));
        const world = (id) => this.nodes.find(({ name }) => name === names.get(String(id)));
        return (record) => ({
            range: record[1], epoch: record[2], primary: world(record[3]),
            inSync: record[4].map((member) => world(member[1])), learners: (record[5] ?? []).map((member) => world(member[1])),
        });
    }

    /** Every range as it is now. */
    async ranges() {
        const read = await this.#reader();
        return (await this.#decoded("ranges/")).map(read);
    }

    /** Every record of every range that there ever was, from the first on. */
    async rangesEver() {
        const read = await this.#reader();
        return (await this.etcd.history("weft/ranges/")).map(({ value }) => read(decode(value)));
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
        for (const world of this.nodes) for (const passage of [world.toEtcd, world.fromPeers]) passage?.close();
        await this.etcd.stop();
    }
}
