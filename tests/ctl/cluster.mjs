// weftctl and a cluster: what it shows is what the coordinator has, and what it asks for happens.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "../cluster/lib/etcd.mjs";
import { ThreeNodes } from "../cluster/lib/three.mjs";
import { until } from "../cluster/lib/world.mjs";
import { weftctl } from "./lib/weftctl.mjs";

const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

/** weftctl as the operator of this cluster, each node of which has made an authority of its own. */
function operator(cluster, more = {}) {
    const { node } = cluster.nodes[0];
    const caFile = path.join(node.dir, "authorities.pem");
    writeFileSync(caFile, cluster.nodes.map(({ ca }) => ca).join("\n"));
    const endpoints = cluster.nodes.map((world) => world.node.endpoint).join(" ");
    const env = { WEFT_ENDPOINTS: endpoints, WEFT_CA: caFile, WEFT_ADMIN_TOKEN: node.adminToken, ...more };
    return async (...words) => {
        const result = await weftctl(words, env);
        return { ...result, get json() { return JSON.parse(result.out); } };
    };
}

async function withCluster(count, body) {
    const cluster = await ThreeNodes.start(count);
    try {
        await body(cluster, operator(cluster));
    } finally {
        await cluster.stop();
    }
}

test("what it shows of three nodes is what the coordinator has, also when one is killed", () =>
    withCluster(3, async (cluster, ctl) => {
        await cluster.whole();
        await until("nodes and ranges are as at the coordinator", async () => {
            const ranges = await cluster.ranges();
            const names = new Map((await ctl("nodes", "--json")).json.map(({ id, name }) => [id, name]));
            const told = (await ctl("ranges", "--json")).json.map(({ range, primary, inSync }) => [range, names.get(primary), inSync.map((id) => names.get(id)).sort()]);
            const wanted = ranges.map(({ range = 0, primary, inSync }) => [range, primary.name, inSync.map(({ name }) => name).sort()]);
            return JSON.stringify(told) === JSON.stringify(wanted);
        });
        const { status, out, err } = await ctl("status");
        assert.equal(status, 0, err);
        assert.match(out, /^cluster +weft: 3 nodes, 3 alive\nranges +64, 3 copies of each, writes need 2\n/);
        assert.match(out, /health +good\n/);
        assert.deepEqual((await ctl("nodes", "--names")).out, "node-1\nnode-2\nnode-3\n");

        assert.equal((await operator(cluster, { WEFT_ADMIN_TOKEN: "wrong" })("status")).status, 4);
        const unknown = await operator(cluster, { WEFT_CA: "" })("status");
        assert.equal(unknown.status, 3);
        assert.match(unknown.err, /tls\/ca\.pem in its data folder: --ca/);

        await cluster.nodes[0].node.kill();
        const after = await until("the killed node is known to be silent", async () => {
            const { out: text } = await ctl("status");
            return /node-1 is silent/.test(text) && text;
        }, 60000);
        assert.match(after, /3 nodes, 2 alive/);
    }), { skip, deadlineMs: 240000 });

await run("cluster");
