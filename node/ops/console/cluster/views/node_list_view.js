// The nodes as a table: state, load, connections, deliveries, commit latency, slow clients, and what one can do with each.

import { button, element, words } from '/app/views/dom.js';
import { bytes, count, milliseconds, percent, rate } from '../model/format.js';
import { highest } from '../model/history.js';
import { colorOf } from '../model/palette.js';
import { Sparkline, windowOf } from './sparkline_view.js';

const COLUMNS = ['Node', 'Load', 'Connections', 'Deliveries/s', 'Commit p99', 'Slow', ''];
const COMPACT_ABOVE = 6;
// Below these a line of noise would look like a mountain.
const DELIVERIES_TOP_MIN = 10;
const COMMIT_TOP_MIN_MS = 5;

export class NodeListView {
    #slots;
    #handlers;
    #rows = new Map();
    #body = element('tbody');

    // `drain(id)`, `keep(id)`, `pointNode(id)`.
    constructor({ slots, ...handlers }) {
        this.#slots = slots;
        this.#handlers = handlers;
        const heads = COLUMNS.map((name) =>
            name ? element('th', { scope: 'col', text: name }) : element('td', {}, element('span', { class: 'unseen', text: 'Actions' })),
        );
        this.node = element('table', { class: 'nodes', 'aria-label': 'Nodes' }, element('thead', {}, element('tr', {}, heads)), this.#body);
    }

    update(view, history) {
        this.node.classList.toggle('is-compact', view.nodes.length > COMPACT_ABOVE);
        const samples = view.nodes.map((node) => history.of(node.id));
        const scale = {
            now: view.at,
            windowMs: windowOf(samples, view.at),
            deliveries: Math.max(DELIVERIES_TOP_MIN, highest(samples, 'deliveriesPerSecond')),
            commit: Math.max(COMMIT_TOP_MIN_MS, highest(samples, 'commitMsP99')),
            even: 1 / Math.max(1, view.totals.alive),
        };
        for (const [id, row] of this.#rows) if (!view.nodeById.has(id)) this.#remove(id, row);
        view.nodes.forEach((node, at) => {
            if (!this.#rows.has(node.id)) this.#rows.set(node.id, this.#build(node.id));
            const row = this.#rows.get(node.id);
            if (this.#body.children[at] !== row.node) this.#body.insertBefore(row.node, this.#body.children[at] ?? null);
            this.#draw(row, node, samples[at], scale);
        });
    }

    #remove(id, row) {
        row.node.remove();
        this.#rows.delete(id);
    }

    #build(id) {
        const parts = {
            mark: element('span', { class: 'node-mark', 'aria-hidden': 'true' }),
            name: words('span', '', { class: 'node-title' }),
            state: element('span', { class: 'node-state' }),
            note: element('span', { class: 'node-note' }),
            bar: element('span', { class: 'load-fill' }),
            share: element('span', { class: 'load-label' }),
            clients: element('td', { class: 'number', 'data-label': 'Connections' }),
            deliveries: new Sparkline(['deliveriesPerSecond']),
            commit: new Sparkline(['commitMsP99', 'commitMsP50']),
            slow: element('td', { class: 'number', 'data-label': 'Slow' }),
            act: button('', { kind: 'small' }, () => parts.action()),
        };
        const names = element('div', { class: 'node-words' }, element('div', { class: 'node-line' }, parts.name, parts.state), parts.note);
        parts.node = element(
            'tr',
            { on: { pointerenter: () => this.#handlers.pointNode(id), pointerleave: () => this.#handlers.pointNode(undefined) } },
            element('th', { scope: 'row' }, element('div', { class: 'node-cell' }, parts.mark, names)),
            element('td', { class: 'load-cell', 'data-label': 'Load' }, parts.share, element('div', { class: 'load-bar' }, parts.bar)),
            parts.clients,
            element('td', { 'data-label': 'Deliveries/s' }, parts.deliveries.node),
            element('td', { 'data-label': 'Commit p99' }, parts.commit.node),
            parts.slow,
            element('td', { class: 'node-actions' }, parts.act),
        );
        return parts;
    }

    #draw(row, node, samples, scale) {
        const { load, ranges } = node;
        row.node.style.setProperty('--mark', colorOf(this.#slots.of(node.id)));
        row.node.dataset.state = !node.isAlive ? 'silent' : node.isDraining ? 'draining' : 'alive';
        say(row.mark, this.#slots.tagOf(node.id));
        say(row.name, node.name);
        row.name.title = [node.publicUrl, node.zone && `zone ${node.zone}`, node.id].filter(Boolean).join('\n');
        say(row.state, stateOf(node));
        say(row.note, noteOf(node));
        // Twice an even share fills the bar, so an even one is its middle.
        row.bar.style.transform = `scaleX(${Math.min(1, load.share / (2 * scale.even))})`;
        say(row.share, node.isAlive ? percent(load.share) : '–');
        say(row.clients, node.isAlive ? count(load.connections) : '–');
        say(row.slow, node.isAlive ? count(load.slowClients) : '–');
        row.slow.classList.toggle('is-warning', load.slowClients > 0);
        row.deliveries.update(samples, {
            label: node.isAlive ? rate(load.deliveriesPerSecond) : '–',
            title: `${rate(load.deliveriesPerSecond)} deliveries/s, ${rate(load.writesPerSecond)} writes/s`,
            top: scale.deliveries,
            ...scale,
        });
        row.commit.update(samples, {
            label: node.isAlive ? milliseconds(load.commitMsP99) : '–',
            title: `commit: half within ${milliseconds(load.commitMsP50)}, 99 % within ${milliseconds(load.commitMsP99)}`,
            top: scale.commit,
            ...scale,
        });
        this.#offer(row, node);
        row.node.title = `${ranges.primary} led, ${ranges.inSync} in sync, ${ranges.learning} being copied, ${bytes(load.storedBytes)} stored`;
    }

    #offer(row, { id, name, isAlive, isDraining }) {
        const label = isDraining ? 'Keep' : 'Drain';
        say(row.act, label);
        row.act.setAttribute('aria-label', `${label} ${name}`);
        // A silent node is replaced without being asked; there is nobody to drain.
        row.act.disabled = !isAlive;
        row.action = () => (isDraining ? this.#handlers.keep(id) : this.#handlers.drain(id));
    }
}

// Text is touched only when it differs, so that a selection survives.
function say(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

function stateOf(node) {
    if (!node.isAlive) return 'silent';
    if (node.isDraining) return 'draining';
    return node.isThisNode ? 'answers you' : '';
}

function noteOf({ ranges, load, zone, isAlive }) {
    const learning = isAlive && ranges.learning > 0 ? ` · +${ranges.learning}` : '';
    return `${ranges.primary} led · ${ranges.inSync} held${learning} · ${bytes(load.storedBytes)}${zone && ` · ${zone}`}`;
}
