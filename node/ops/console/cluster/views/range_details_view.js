// One range in words; without one, how to read the ring.

import { button, element } from '/app/views/dom.js';
import { icon } from '/app/views/icons.js';
import { bytes, percent, rate } from '../model/format.js';
import { progressOf } from '../model/view.js';
import { nodeName } from './node_mark.js';

export class RangeDetailsView {
    #slots;
    #release;
    #shown = '';
    node = element('section', { class: 'details-panel', 'aria-label': 'Range' });

    // `release()` when the range that stays open is closed.
    constructor({ slots, release }) {
        this.#slots = slots;
        this.#release = release;
    }

    update(view, number, isMarked) {
        const range = view.rangeByNumber.get(number);
        const moves = view.moves.filter((move) => move.range === number);
        const shown = JSON.stringify([range, moves, isMarked, view.nodes.length]);
        if (shown === this.#shown) return;
        this.#shown = shown;
        const hadFocus = this.node.contains(document.activeElement);
        this.node.replaceChildren(...(range ? this.#describe(view, range, moves, isMarked) : [legend(view)]));
        if (hadFocus) this.node.querySelector('button')?.focus();
    }

    #describe(view, range, moves, isMarked) {
        const names = (ids) => (ids.length > 0 ? ids.map((id) => nodeName(this.#slots, view, id)) : ['none']);
        const learners = range.learners.map((id) => {
            const move = moves.find(({ to }) => to === id);
            return element('span', { class: 'learner' }, nodeName(this.#slots, view, id), move ? ` ${percent(progressOf(move))}` : '');
        });
        const rows = [
            ['Primary', names(range.primary ? [range.primary] : [])],
            ['In sync', names(range.inSync)],
            ['Being copied', learners.length > 0 ? learners : ['none']],
            range.target && ['Wish', names(range.target.holders)],
            ['Holds', `${bytes(range.storedBytes)} · ${rate(range.writesPerSecond)} writes/s · ${rate(range.deliveriesPerSecond)} deliveries/s`],
            range.first && ['Positions', element('code', { text: `${range.first}–${range.last}` })],
        ];
        const shut = button('Close range', { icon: icon('close'), isIconOnly: true, kind: 'small' }, this.#release);
        const title = element('h2', {}, `Range ${range.range}`, element('span', { class: 'epoch', text: `epoch ${range.epoch}` }));
        const terms = rows.filter(Boolean).map(([term, value]) => [element('dt', { text: term }), element('dd', {}, value)]);
        return [element('header', {}, title, isMarked && shut), element('dl', {}, terms)];
    }
}

function legend(view) {
    const copies = view.factor > 1 ? 'Thin bands: their copies, a pale one being filled.' : 'There are no copies.';
    return element(
        'div',
        { class: 'legend' },
        element('p', { text: `Outer band: ranges, coloured by the node that leads them. ${copies} Threads: moves under way.` }),
        element('p', { class: 'hint', text: 'Choose a range, by arrow keys too, to see who holds it.' }),
    );
}
