// weftctl as the operator of a cluster.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { weftctl } from "./weftctl.mjs";

/** Runs weftctl with its words; each node of the cluster has made an authority of its own. `more`: other variables. */
export function operator(cluster, more = {}) {
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
