// The line at the top: which cluster, how it is, its numbers, and what can be done with it as a whole.

import { appearanceButton } from '/app/views/appearance.js';
import { button, element, words } from '/app/views/dom.js';
import { icon } from '/app/views/icons.js';
import { bytes, count, milliseconds, plural, rate } from '../model/format.js';

const TILES = [
    ['Nodes', ({ totals, nodes }) => (totals.alive === nodes.length ? count(nodes.length) : `${totals.alive} of ${nodes.length}`)],
    ['Connections', ({ totals }) => count(totals.connections)],
    ['Deliveries/s', ({ totals }) => rate(totals.deliveriesPerSecond)],
    ['Writes/s', ({ totals }) => rate(totals.writesPerSecond)],
    ['Commit p99', ({ totals }) => milliseconds(totals.commitMsP99)],
    ['Slow', ({ totals }) => count(totals.slowClients)],
    ['Stored', ({ totals }) => bytes(totals.storedBytes)],
];

export class HeadView {
    #name = words('h1', '');
    #shape = element('p', { class: 'shape' });
    #state = element('span', { class: 'chip', role: 'status' });
    #turn;
    #tiles = TILES.map(([label]) => ({ label, value: element('dd') }));
    #isPaused = false;

    // `pause()`, `resume()`, `signOut()`.
    constructor({ pause, resume, signOut }) {
        this.#turn = button('Pause rebalancing', { kind: 'turn' }, () => (this.#isPaused ? resume() : pause()));
        const names = element('div', { class: 'head-names' }, this.#name, this.#shape);
        const tiles = this.#tiles.map(({ label, value }) => element('div', { class: 'tile' }, element('dt', { text: label }), value));
        this.node = element(
            'header',
            { class: 'head' },
            element('img', { src: '/app/favicon.svg', alt: '', width: 40, height: 40 }),
            names,
            element('dl', { class: 'tiles' }, tiles),
            this.#state,
            this.#turn,
            element(
                'div',
                { class: 'head-tools' },
                appearanceButton(),
                button('Sign out', { icon: icon('leave'), isIconOnly: true }, signOut),
            ),
        );
    }

    update(view) {
        this.#isPaused = view.balancer.isPaused;
        say(this.#name, view.cluster);
        say(this.#shape, `${plural(view.ranges.length, 'range')} · ${plural(view.factor, 'copy', 'copies')}`);
        this.#tiles.forEach(({ value }, at) => say(value, TILES[at][1](view)));
        const { state, text } = stateOf(view);
        this.#state.dataset.state = state;
        say(this.#state, text);
        say(this.#turn, this.#isPaused ? 'Resume rebalancing' : 'Pause rebalancing');
        this.#turn.classList.toggle('primary', this.#isPaused);
    }
}

function say(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

function stateOf({ balancer, moves, nodes }) {
    if (balancer.isPaused) return { state: 'paused', text: moves.length > 0 ? `Paused, ${plural(moves.length, 'move')}` : 'Paused' };
    if (moves.length > 0) return { state: 'moving', text: `${plural(moves.length, 'move')} under way` };
    if (nodes.length === 0) return { state: 'still', text: 'Empty' };
    if (nodes.length === 1) return { state: 'still', text: 'Single node' };
    return balancer.isBalanced ? { state: 'balanced', text: 'Balanced' } : { state: 'moving', text: 'Rebalancing' };
}
