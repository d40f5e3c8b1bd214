// Clusters as GET /admin/cluster tells of them.

const RANGES = 8;
export const ids = { "node-1": "0a1b2c3d4e5f6071", "node-2": "0a1b9999aaaabbbb", "node-3": "77778888ffff0001", "node-4": "c0ffee00c0ffee00" };

const position = (value) => value.toString(16).padStart(16, "0");

function range(number, primary, inSync, more = {}) {
    const size = 2n ** 64n / BigInt(RANGES);
    return {
        range: number, epoch: 7 + number, first: position(BigInt(number) * size), last: position(BigInt(number + 1) * size - 1n),
        primary: ids[primary], inSync: inSync.map((name) => ids[name]), learners: [],
        storedBytes: 1234567 * (number + 1), writesPerSecond: 12.5 * number, deliveriesPerSecond: 1250.25 * number, ...more,
    };
}

function node(name, ranges, more = {}, load = {}) {
    return {
        id: ids[name], name, zone: "", publicUrl: `https://${name}.example:8443`, peerAddress: `${name}.example:8600`,
        isAlive: true, isDraining: false, isThisNode: name === "node-1", ranges: { primary: 0, inSync: 0, learning: 0, ...ranges },
        load: {
            storedBytes: 44444412, connections: 1203, sessions: 1190, deliveriesPerSecond: 11669, writesPerSecond: 116.7,
            commitMsP50: 0.834, commitMsP99: 12.41, slowClients: 0, share: 0.3333, ...load,
        }, ...more,
    };
}

const leaders = ["node-1", "node-2", "node-3"];
const all = (primary) => [primary, ...leaders.filter((name) => name !== primary)];

/** Three nodes with everything where it should be. */
export function balanced() {
    return {
        cluster: "weft", rangeCount: RANGES, replicationFactor: 3, minInSync: 2,
        balancer: { node: ids["node-2"], isPaused: false, movesMax: 4, isBalanced: true },
        nodes: [
            node("node-3", { primary: 2, inSync: 8 }, {}, { share: 0.312, slowClients: 2 }),
            node("node-1", { primary: 3, inSync: 8 }),
            node("node-2", { primary: 3, inSync: 8 }, {}, { share: 0.3547 }),
        ],
        ranges: Array.from({ length: RANGES }, (_, number) => range(number, leaders[number % 3], all(leaders[number % 3]))),
        moves: [],
    };
}

/** A fourth one has joined; ranges are on their way to it. */
export function joining() {
    const cluster = balanced();
    cluster.balancer.isBalanced = false;
    cluster.nodes.push(node("node-4", { learning: 2 }, { zone: "b" }, { share: 0, connections: 0, sessions: 0, deliveriesPerSecond: 0.4, storedBytes: 0 }));
    const target = { holders: [ids["node-4"], ids["node-2"], ids["node-3"]], primary: ids["node-4"] };
    Object.assign(cluster.ranges[3], { learners: [ids["node-4"]], target });
    Object.assign(cluster.ranges[6], { learners: [ids["node-4"]], target: { ...target, primary: ids["node-2"] } });
    cluster.moves = [
        { range: 3, kind: "copy", from: ids["node-1"], to: ids["node-4"], state: "learning", bytesDone: 2345678, bytesTotal: 4938268, bytesPerSecond: 1048576, startedAt: 1764000000000 },
        { range: 6, kind: "copy", from: ids["node-1"], to: ids["node-4"], state: "catching up", bytesDone: 8641969, bytesTotal: 8641969, bytesPerSecond: 0, startedAt: 1764000000000 },
        { range: 1, kind: "primary", from: ids["node-2"], to: ids["node-3"], state: "handing over", bytesDone: 0, bytesTotal: 0, bytesPerSecond: 0, startedAt: 1764000000000 },
    ];
    return cluster;
}

/** One node is silent, one drains, and some ranges suffer from it. */
export function ailing() {
    const cluster = joining();
    cluster.balancer = { node: "0000000000000000", isPaused: true, movesMax: 4, isBalanced: false };
    cluster.moves = [];
    Object.assign(cluster.nodes[0], { isAlive: false }); // it was learning a range then, and is still named
    cluster.nodes[0].ranges.learning = 1;
    Object.assign(cluster.nodes[1], { isDraining: true });
    Object.assign(cluster.ranges[2], { primary: "", inSync: [ids["node-3"]] });
    Object.assign(cluster.ranges[5], { inSync: [ids["node-1"], ids["node-2"]] });
    return cluster;
}

/** Names that would do something to a terminal, or to a table. */
export function hostile() {
    const cluster = balanced();
    cluster.cluster = "\u001b]0;gotcha\u0007weft";
    cluster.nodes[1].name = "\u001b[2Jnode\n-\u00e9\u754c-with-a-name-that-is-much-too-long-for-any-table-in-the-world";
    cluster.nodes[2].zone = "\u009b31m";
    return cluster;
}

export const plan = () => ({
    moves: [
        { range: 3, kind: "copy", from: ids["node-1"], to: ids["node-4"], bytes: 4938268 },
        { range: 6, kind: "copy", from: ids["node-1"], to: ids["node-4"], bytes: 8641969 },
        { range: 3, kind: "primary", from: ids["node-1"], to: ids["node-4"], bytes: 0 },
    ],
    bytes: 13580237, seconds: 12.9,
    before: { [ids["node-1"]]: 0.35, [ids["node-2"]]: 0.34, [ids["node-3"]]: 0.31, [ids["node-4"]]: 0 },
    after: { [ids["node-1"]]: 0.25, [ids["node-2"]]: 0.26, [ids["node-3"]]: 0.25, [ids["node-4"]]: 0.24 },
});
export const nothingToDo = () => ({ moves: [], bytes: 0, seconds: 0, before: { [ids["node-1"]]: 0.33 }, after: { [ids["node-1"]]: 0.33 } });
