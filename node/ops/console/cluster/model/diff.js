// Two views of a cluster, and what happened between them: a list of {kind, …}, each with a sentence for the operator and
// enough for the ring to show it.

import { nameList, plural } from './format.js';

// One sentence for many ranges at once, above this many.
const SAME_KIND_MAX = 3;

export function changesBetween(before, after) {
    if (!before) return [];
    return [...nodeChanges(before, after), ...balancerChanges(before, after), ...rangeChanges(before, after)];
}

function nodeChanges(before, after) {
    const changes = [];
    for (const node of after.nodes) {
        const old = before.nodeById.get(node.id);
        const note = (kind, text) => changes.push({ kind, node: node.id, text: `${node.name} ${text}` });
        if (!old) note('joined', 'joined');
        else if (old.isAlive && !node.isAlive) note('died', 'is silent');
        else if (!old.isAlive && node.isAlive) note('returned', 'is back');
        if (old && !old.isDraining && node.isDraining) note('draining', 'is being drained');
        if (old?.isDraining && !node.isDraining) note('kept', 'is no longer being drained');
    }
    for (const node of before.nodes) {
        if (!after.nodeById.has(node.id)) changes.push({ kind: 'left', node: node.id, text: `${node.name} left` });
    }
    return changes;
}

function balancerChanges({ balancer: old }, { balancer, nodeById }) {
    const changes = [];
    if (!old.isPaused && balancer.isPaused) changes.push({ kind: 'paused', text: 'Rebalancing paused' });
    if (old.isPaused && !balancer.isPaused) changes.push({ kind: 'resumed', text: 'Rebalancing resumed' });
    const elected = nodeById.get(balancer.node);
    if (old.node !== balancer.node && elected) {
        changes.push({ kind: 'elected', node: elected.id, text: `${elected.name} balances now` });
    }
    return changes;
}

function rangeChanges(before, after) {
    if (before.ranges.length !== after.ranges.length) {
        return [{ kind: 'split', text: `${plural(after.ranges.length, 'range')} now, ${before.ranges.length} before` }];
    }
    const changes = after.ranges.flatMap((range) => oneRange(before.rangeByNumber.get(range.range), range));
    return gathered(changes, (id) => after.nodeById.get(id)?.name ?? before.nodeById.get(id)?.name ?? 'an unknown node');
}

function oneRange(old, range) {
    if (!old) return [];
    const now = new Set(range.inSync);
    const then = new Set(old.inSync);
    const changes = [];
    const note = (kind, node, from) => changes.push({ kind, range: range.range, node, from });
    if (old.primary !== range.primary && range.primary) note('primary', range.primary, old.primary);
    for (const id of range.learners) if (!old.learners.includes(id) && !then.has(id)) note('learning', id);
    for (const id of now) if (!then.has(id)) note('inSync', id, old.primary || range.primary);
    for (const id of then) if (!now.has(id)) note('dropped', id);
    return changes;
}

const SENTENCES = {
    primary: (ranges, node) => `${node} leads ${ranges}`,
    learning: (ranges, node) => `${node} begins to copy ${ranges}`,
    inSync: (ranges, node) => `${node} has ${ranges} in sync`,
    dropped: (ranges, node) => `${node} no longer holds ${ranges}`,
};

// The same thing of one node in one sentence; `froms` has for each of `ranges` the node it came from.
function gathered(changes, nameOf) {
    const groups = new Map();
    for (const change of changes) {
        const key = `${change.kind} ${change.node}`;
        if (!groups.has(key)) groups.set(key, { kind: change.kind, node: change.node, ranges: [], froms: [] });
        groups.get(key).ranges.push(change.range);
        groups.get(key).froms.push(change.from);
    }
    return [...groups.values()].map((group) => ({ ...group, text: SENTENCES[group.kind](these(group.ranges), nameOf(group.node)) }));
}

function these(ranges) {
    if (ranges.length > SAME_KIND_MAX) return plural(ranges.length, 'range');
    return `${ranges.length === 1 ? 'range' : 'ranges'} ${nameList(ranges.map(String))}`;
}
