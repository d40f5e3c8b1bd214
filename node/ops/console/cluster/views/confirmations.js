// Asks before something large is started, and says what will happen.

import { confirmDialog, showForm } from '/app/views/dialog.js';
import { element, words } from '/app/views/dom.js';
import { bytes, nameList, plural } from '../model/format.js';
import { drainOutlook } from '../model/view.js';

export function confirmDrain(view, id, work) {
    const name = view.nodeById.get(id).name;
    const outlook = drainOutlook(view, id);
    const steps = drainSteps(outlook).map((sentence) => words('li', sentence));
    const warning = drainWarning(view, outlook);
    const body = [
        words('p', `What will happen to ${name}:`),
        element('ol', { class: 'steps' }, steps),
        warning && words('p', warning, { class: 'form-error' }),
        words('p', 'Until then it can be kept after all. Clients see a stall of milliseconds, no error.', { class: 'hint' }),
    ];
    return showForm(`Drain ${name}?`, body, 'Drain', work, { isDanger: true });
}

function drainSteps({ copies, primaries, bytes: size, clients, others }) {
    const where = others.length > 4 ? `${others.length} other nodes` : nameList(others);
    return [
        `The lead of ${plural(primaries, 'range')} goes to other nodes.`,
        copies > 0 && `Its ${plural(copies, 'copy', 'copies')}, ${bytes(size)}, ${others.length > 0 ? `move to ${where}` : 'have nowhere to go'}.`,
        `Its ${plural(clients, 'client connection')} are told to reconnect elsewhere, spread over time.`,
        'When it holds nothing it exits, and is gone from the cluster.',
    ].filter(Boolean);
}

function drainWarning({ factor }, { others, isTooFew, isLast }) {
    if (isLast) return 'No other node is alive: nothing can move, so this will not end.';
    if (!isTooFew) return undefined;
    return `${plural(others.length, 'node')} would remain for ${factor} copies of each range. Start another node first, or this waits.`;
}

export function confirmCancel(view, work) {
    const sentence =
        `${plural(view.moves.length, 'move')} under way will be taken back: ranges stay where they are in sync now, and what was ` +
        'copied so far is dropped. Unless rebalancing is paused, the balancer may begin again.';
    return confirmDialog('Cancel all moves?', sentence, 'Cancel the moves', work);
}
