// A cluster under traffic, for as long as a test looks at it.

import { ThreeNodes } from "./three.mjs";
import { Traffic } from "./traffic.mjs";

export const ACKS_PER_ROUND = 10; // in every thread, between two events

/**
 * Runs `body(cluster, traffic)` with three nodes, or `count`, checks what it left, and ends everything. `options` are those
 * of ThreeNodes.start; `isReady(cluster)` resolves when the traffic may begin.
 */
export async function withTraffic({ count = 3, isReady = (cluster) => cluster.whole(), ...options }, body) {
    const cluster = await ThreeNodes.start(count, options);
    let traffic;
    try {
        await isReady(cluster);
        traffic = await Traffic.start(cluster);
        await traffic.everyThreadGrows(ACKS_PER_ROUND);
        await body(cluster, traffic);
        await traffic.end();
        console.log(`# ${traffic.summary}`);
        await traffic.check();
    } catch (error) {
        if (traffic) error.stack += `\n--- ${traffic.summary}\n${traffic.problems.join("\n")}`;
        for (const { name, node } of cluster.nodes) error.stack += `\n--- log of ${name}:\n${node.log.slice(-1500)}`;
        throw error;
    } finally {
        await traffic?.stop();
        await cluster.stop();
    }
}
