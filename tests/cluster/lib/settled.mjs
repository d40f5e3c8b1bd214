// A cluster whose ranges move by themselves, and when it has come to rest.

import { clusterAt } from "./admin.mjs";
import { until } from "./world.mjs";

export const FACTOR = 3;

const describe = ({ nodes, moves, balancer }) =>
    `${nodes.map(({ name, isAlive, isDraining, ranges, load }) => `${name}${isAlive ? "" : " dead"}${isDraining ? " leaving" : ""} ${ranges.primary}/${ranges.inSync}/${ranges.learning} ${(load.share * 100).toFixed(0)} %`).join(", ")}; ${moves.length} moves; ${JSON.stringify(balancer)}`;

/** Every range has its copies on nodes that are alive and stay, and nothing moves or is to be moved. */
function isAtRest({ nodes, ranges, moves, balancer }) {
    const staying = new Set(nodes.filter(({ isAlive, isDraining }) => isAlive && !isDraining).map(({ id }) => id));
    const isWhole = ranges.every(({ inSync }) => inSync.length === Math.min(FACTOR, staying.size) && inSync.every((id) => staying.has(id)));
    return isWhole && balancer.isBalanced && moves.length === 0;
}

/** Waits until the cluster is at rest and `condition(state)` is met; that state, as the first node sees it. */
export async function settled(cluster, what, { condition = () => true, deadlineMs = 60000, isQuiet = false } = {}) {
    let last;
    const began = performance.now();
    await until(`the cluster has settled: ${what}`, async () => {
        last = await clusterAt(cluster.nodes[0]);
        return isAtRest(last) && condition(last);
    }, deadlineMs).catch((error) => {
        throw new Error(`${error.message}; it is ${last && describe(last)}`);
    });
    if (!isQuiet) console.log(`# ${what}, after ${((performance.now() - began) / 1000).toFixed(1)} s: ${describe(last)}`);
    return last;
}

/** What the state tells of a world that is alive. */
export const nodeOf = ({ nodes }, world) => nodes.find(({ name, isAlive }) => name === world.name && isAlive);
