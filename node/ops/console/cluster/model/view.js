// What a node says of its cluster, made safe to draw: every list is a list, every number a number, ids are looked up once.

import { byName } from './palette.js';

const numbers = (given, names) => Object.fromEntries(names.map((name) => [name, finite(given?.[name])]));
const finite = (value) => (Number.isFinite(value) ? value : 0);
const list = (value) => (Array.isArray(value) ? value : []);

const LOAD = [
    'storedBytes',
    'connections',
    'sessions',
    'deliveriesPerSecond',
    'writesPerSecond',
    'commitMsP50',
    'commitMsP99',
    'slowClients',
    'share',
];

// `given` is the body of GET /admin/cluster; `at` the time it came, in ms.
export function viewOf(given, at) {
    const nodes = list(given.nodes).map(nodeOf).sort(byName);
    const ranges = list(given.ranges).map(rangeOf).sort((a, b) => a.range - b.range);
    const view = {
        at,
        cluster: String(given.cluster || 'weft'),
        factor: finite(given.replicationFactor) || 1,
        minInSync: finite(given.minInSync) || 1,
        balancer: { node: given.balancer?.node ?? '', ...flags(given.balancer), movesMax: finite(given.balancer?.movesMax) },
        nodes,
        ranges,
        moves: list(given.moves).map(moveOf),
        nodeById: new Map(nodes.map((node) => [node.id, node])),
        rangeByNumber: new Map(ranges.map((range) => [range.range, range])),
    };
    return { ...view, totals: totalsOf(view) };
}

const flags = (balancer) => ({ isPaused: balancer?.isPaused === true, isBalanced: balancer?.isBalanced === true });

function nodeOf(node) {
    return {
        id: String(node.id),
        name: String(node.name || node.id),
        zone: String(node.zone || ''),
        publicUrl: String(node.publicUrl || ''),
        isAlive: node.isAlive !== false,
        isDraining: node.isDraining === true,
        isThisNode: node.isThisNode === true,
        ranges: numbers(node.ranges, ['primary', 'inSync', 'learning']),
        load: numbers(node.load, LOAD),
    };
}

function rangeOf(range) {
    return {
        range: finite(range.range),
        epoch: finite(range.epoch),
        first: range.first,
        last: range.last,
        primary: range.primary || '',
        inSync: list(range.inSync),
        learners: list(range.learners),
        ...numbers(range, ['storedBytes', 'writesPerSecond', 'deliveriesPerSecond']),
        target: range.target && { holders: list(range.target.holders), primary: range.target.primary || '' },
    };
}

function moveOf(move) {
    return {
        key: `${move.range} ${move.kind} ${move.from} ${move.to}`,
        range: finite(move.range),
        kind: String(move.kind),
        from: move.from || '',
        to: move.to || '',
        state: String(move.state || ''),
        ...numbers(move, ['bytesDone', 'bytesTotal', 'bytesPerSecond', 'startedAt']),
    };
}

function totalsOf({ nodes, ranges }) {
    const alive = nodes.filter((node) => node.isAlive);
    const sum = (name) => alive.reduce((total, { load }) => total + load[name], 0);
    return {
        alive: alive.length,
        connections: sum('connections'),
        deliveriesPerSecond: sum('deliveriesPerSecond'),
        writesPerSecond: ranges.reduce((total, range) => total + range.writesPerSecond, 0),
        slowClients: sum('slowClients'),
        storedBytes: sum('storedBytes'),
        commitMsP99: Math.max(0, ...alive.map(({ load }) => load.commitMsP99)),
    };
}

// What an operator must know, worst first: {level: 'bad' | 'warn', text}.
export function troubles(view) {
    const few = (level, count, text) => (count > 0 ? [{ level, text }] : []);
    const dead = view.nodes.filter((node) => !node.isAlive);
    const held = (range) => range.inSync.filter((id) => view.nodeById.get(id)?.isAlive).length;
    const stuck = view.ranges.filter((range) => held(range) < view.minInSync).length;
    const headless = view.ranges.filter((range) => !view.nodeById.get(range.primary)?.isAlive).length;
    // A cluster of fewer nodes than copies cannot have them, and says so once.
    const wanted = Math.min(view.factor, view.totals.alive);
    const thin = view.ranges.filter((range) => held(range) >= view.minInSync && held(range) < wanted).length;
    return [
        ...few('bad', stuck, `${ranges(stuck)} below ${view.minInSync} live copies: no writes there`),
        ...few('bad', headless, `${ranges(headless)} without a live primary`),
        ...few('bad', dead.length, `${dead.map((node) => node.name).join(', ')} silent`),
        ...few('warn', thin, `${ranges(thin)} below ${wanted} copies in sync`),
        ...few('warn', view.totals.alive > 1 && view.totals.alive < view.factor, `${view.totals.alive} nodes for ${view.factor} copies`),
    ];
}

const ranges = (count) => `${count} ${count === 1 ? 'range' : 'ranges'}`;

// 0 to 1. A hand-over has no bytes: it is under way, or it is done and gone.
export function progressOf(move) {
    if (move.bytesTotal <= 0) return move.kind === 'copy' ? 0 : 0.5;
    return Math.min(1, Math.max(0, move.bytesDone / move.bytesTotal));
}

// The end of a move that is silent, so that nothing goes on until it is back: the node, or undefined. Only a hand-over
// needs who gives: a copy comes from whoever leads the range, also where it replaces that of a node that is gone.
export function waitsFor(view, move) {
    const ends = move.kind === 'primary' ? [move.to, move.from] : [move.to];
    return ends.map((id) => view.nodeById.get(id)).find((node) => node && !node.isAlive);
}

// Seconds, or NaN while there is no rate.
export function timeLeft(move) {
    if (move.bytesTotal <= 0 || move.bytesPerSecond <= 0) return NaN;
    return Math.max(0, move.bytesTotal - move.bytesDone) / move.bytesPerSecond;
}

// What draining a node would do: {copies, primaries, bytes, clients, others: names, remaining, isTooFew}.
export function drainOutlook(view, id) {
    const holds = (range) => range.inSync.includes(id);
    const others = view.nodes.filter((node) => node.id !== id && node.isAlive && !node.isDraining);
    const node = view.nodeById.get(id);
    return {
        copies: view.ranges.filter(holds).length,
        primaries: view.ranges.filter((range) => range.primary === id).length,
        bytes: view.ranges.filter(holds).reduce((sum, range) => sum + range.storedBytes, 0),
        clients: node?.load.connections ?? 0,
        others: others.map((other) => other.name),
        isTooFew: others.length < view.factor,
        isLast: others.length === 0,
    };
}
