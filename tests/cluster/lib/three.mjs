// Three nodes and etcd: what `cluster-config/up --nodes 3` starts, for tests that kill, stop and start its parts.

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { freePort } from "../../lib/node.mjs";
import { Etcd, Passage } from "./etcd.mjs";
import { decode } from "./msgpack.mjs";
import { World, until } from "./world.mjs";

const RANGES = 64; // of a new cluster, if nothing else is configured

function expectToRun(world) {
    world.standsStill = new Promise((_, reject) => (world.giveUp = () => reject(new Error("the node stands still"))));
    world.standsStill.catch(() => {});
}

export class ThreeNodes {
    #made = 0;

    /**
     * All started, and ready; behind ways to etcd and to each node that can be cut. `hosts`: of lib/hosts, then each of them
     * has a node and a member of etcd, and what can be cut is between them. `prepare` sees each node before it is started,
     * with the flags that make it one of these. `isLedByFirst`: the first leads every range, because it comes before the others.
     * `balances`: ranges move by themselves, which those that look at something else do without.
     */
    static async start(count = 3, { hosts, etcdMembers = hosts?.length ?? 1, isLedByFirst = false, balances = false, prepare = () => {} } = {}) {
        const cluster = new ThreeNodes();
        cluster.balances = balances;
        cluster.secret = randomBytes(32).toString("hex");
        cluster.etcd = await Etcd.start(etcdMembers, { hosts });
        cluster.nodes = [];
        for (let number = 0; number < count; number++) cluster.nodes.push(await cluster.#node(hosts?.[number]));
        cluster.nodes.forEach(prepare);
        const starting = [];
        for (const world of cluster.nodes) {
            starting.push(world.start({ flags: world.flags }));
            if (isLedByFirst && starting.length === 1) await until("the first node leads", async () => (await cluster.leads())[0] === RANGES);
        }
        await Promise.all(starting);
        return cluster;
    }

    /** One node more, started and ready; `prepare` as of start. None has the name of one that was there before. */
    async add(prepare = () => {}) {
        const world = await this.#node();
        prepare(world);
        await world.start({ flags: world.flags });
        this.nodes.push(world);
        return world;
    }

    async #node(host) {
        const number = ++this.#made;
        const world = await World.make({ host });
        const secret = path.join(world.node.dir, "secret");
        writeFileSync(secret, `${this.secret}\n`, { mode: 0o600 });
        world.name = `node-${number}`;
        world.isDisturbed = false; // killed, stopped, or not ready again since
        expectToRun(world);
        const peerPort = await freePort();
        world.flags = ["--balance", this.balances ? "on" : "off", "--node-name", world.name, "--peer-listen", `${world.node.host}:${peerPort}`, "--cluster-secret-file", secret];
        if (host) {
            world.host = host;
            world.flags.push("--etcd-endpoints", this.etcd.endpoints);
        } else {
            const toEtcd = await Promise.all(this.etcd.members.map(({ port }) => Passage.to(port)));
            const fromPeers = await Passage.to(peerPort);
            world.fromPeers = fromPeers;
            world.toEtcd = toEtcd;
            world.passages = [...toEtcd, fromPeers]; // the ways on which it learns of the others
            world.flags.push("--etcd-endpoints", toEtcd.map(({ port }) => `http://127.0.0.1:${port}`).join(" "), "--peer-address", `127.0.0.1:${fromPeers.port}`);
        }
        return world;
    }

    async #decoded(prefix) {
        // Members that have just lost their leader refuse for a moment.
        const items = await until("etcd says who leads", () => this.etcd.list(`weft/${prefix}`).catch(() => null));
        return items.map(({ value }) => decode(value));
    }

    /** Makes `{range, epoch, primary, inSync, learners}`, where nodes are worlds, of a record of a range. */
    async #reader() {
        const names = new Map((await this.#decoded("nodes/")).map((record) => [String(record[1]), String(record[2])]));
        const world = (id) => this.nodes.find(({ name }) => name === names.get(String(id)));
        return (record) => ({
            range: record[1] ?? 0, epoch: record[2], primary: world(record[3]),
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

    /** How many bytes of rows of each range a node has, as it says itself every few seconds: a map of maps, by node and range. */
    async stored() {
        const names = new Map((await this.#decoded("nodes/")).map((record) => [record[1], String(record[2])]));
        const bytes = (record) => new Map((record[12] ?? []).flatMap((page) => page[1]).map((range) => [range[1] ?? 0, range[2] ?? 0]));
        return new Map((await this.#decoded("loads/")).map((record) => [this.nodes.find(({ name }) => name === names.get(record[1])), bytes(record)]));
    }

    /** The node that leads most ranges. */
    async leader() {
        const leads = await this.leads();
        return this.nodes[leads.indexOf(Math.max(...leads))];
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

    /** Waits until every range is held by every node. */
    async whole(deadlineMs = 90000) {
        await until("every range has all replicas", () => this.isWhole(), deadlineMs).catch(async (error) => {
            const missing = (await this.ranges()).filter(({ inSync }) => inSync.length < this.nodes.length);
            const names = (nodes) => nodes.map((node) => node?.name).join(" ");
            const lines = missing.map(({ range, epoch, primary, inSync, learners }) => `range ${range} epoch ${epoch}: ${primary?.name} leads, in sync ${names(inSync)}, learning ${names(learners)}`);
            throw new Error(`${error.message}\n${lines.join("\n")}`);
        });
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
        for (const world of this.nodes) for (const passage of world.passages ?? []) passage.close();
        await this.etcd.stop();
    }
}
