// Hosts as network namespaces, each on a line of its own to a router, which is the namespace of this process: clients are
// here, too. What one host sends another comes through the router, where rules drop it without a word, per direction.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";

const PREFERENCE = "100"; // of the rules that drop, before those that find a way

function ip(...words) {
    const { status, stderr, error } = spawnSync("ip", words, { encoding: "utf8" });
    if (status !== 0) throw new Error(`ip ${words.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

class Host {
    constructor(number) {
        Object.assign(this, { name: `host-${number}`, device: `line-${number}`, address: `10.77.${number}.1`, router: `10.77.${number}.254` });
        /** Words before a program that make it run on this host. */
        this.enter = ["nsenter", `--net=/run/netns/${this.name}`, "--"];
        ip("netns", "add", this.name);
        ip("link", "add", this.device, "type", "veth", "peer", "name", "eth0", "netns", this.name);
        ip("address", "add", `${this.router}/24`, "dev", this.device);
        ip("link", "set", this.device, "up");
        ip("-n", this.name, "link", "set", "lo", "up");
        ip("-n", this.name, "address", "add", `${this.address}/24`, "dev", "eth0");
        ip("-n", this.name, "link", "set", "eth0", "up");
        ip("-n", this.name, "route", "add", "default", "via", this.router);
    }
}

export class Hosts {
    #dropping = [];

    /** Why there can be none, or false. Whoever starts this process gives it namespaces of its own (tests/cluster/run). */
    static get areImpossible() {
        return process.env.WEFT_OWN_NETWORK ? false : "network namespaces are not permitted here, or iproute2 is not installed";
    }

    constructor(count) {
        ip("link", "set", "lo", "up");
        writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
        this.all = Array.from({ length: count }, (_, index) => new Host(index + 1));
    }

    /** From now on nothing that one of `{from, to, ports}` is about arrives; `ports`: only what is from or to these. */
    drop(ways) {
        for (const { from, to, ports } of ways) {
            const what = ["iif", from.device, "to", to.address];
            const narrowed = ports ? ports.flatMap((port) => ["sport", "dport"].map((end) => [...what, "ipproto", "tcp", end, String(port)])) : [what];
            for (const words of narrowed) {
                ip("rule", "add", "pref", PREFERENCE, ...words, "blackhole");
                this.#dropping.push(words);
            }
        }
    }

    /** Everything arrives again. */
    heal() {
        for (const words of this.#dropping.splice(0)) ip("rule", "delete", "pref", PREFERENCE, ...words);
    }
}
