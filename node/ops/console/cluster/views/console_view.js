// The page of an operator who is signed in: puts what the feed tells into the parts of the page, and what is clicked to the
// client.

import { button, element, words } from '/app/views/dom.js';
import { attempt } from '/app/views/toast.js';
import { History } from '../model/history.js';
import { Slots } from '../model/palette.js';
import { troubles } from '../model/view.js';
import { ActivityView } from './activity_view.js';
import { confirmCancel, confirmDrain } from './confirmations.js';
import { HeadView } from './head_view.js';
import { MoveListView } from './move_list_view.js';
import { NodeListView } from './node_list_view.js';
import { RangeDetailsView } from './range_details_view.js';
import { RingView } from './ring_view.js';

export class ConsoleView {
    #client;
    #feed;
    #view;
    #slots = new Slots();
    #history = new History();
    #pointed;
    #marked;
    #parts;
    #banners = element('div', { class: 'banners', role: 'alert' });
    #source = words('p', 'Asking …', { class: 'source' });
    node;

    constructor(client, feed, { signOut }) {
        this.#client = client;
        this.#feed = feed;
        const slots = this.#slots;
        const pointNode = (id) => this.#parts.ring.emphasize(id);
        this.#parts = {
            head: new HeadView({ pause: () => this.#order(client.pause), resume: () => this.#order(client.resume), signOut }),
            ring: new RingView({ slots, pointNode, point: (range) => this.#point(range?.range), pick: ({ range }) => this.#pick(range) }),
            details: new RangeDetailsView({ slots, release: () => this.#pick(undefined) }),
            nodes: new NodeListView({ slots, pointNode, drain: (id) => this.#drain(id), keep: (id) => this.#order(() => client.keep(id)) }),
            moves: new MoveListView({ slots, pointRange: (number) => this.#point(number) }),
            activity: new ActivityView(),
            cancel: button('Cancel all', { kind: 'small', hidden: true }, () => this.#cancel()),
        };
        this.node = this.#layout();
        this.node.addEventListener('keydown', (event) => event.key === 'Escape' && this.#pick(undefined));
    }

    update(view, changes) {
        this.#view = view;
        this.#slots.update(view.nodes);
        this.#history.add(view);
        this.#parts.head.update(view);
        this.#parts.ring.update(view, changes);
        this.#parts.nodes.update(view, this.#history);
        this.#parts.moves.update(view);
        this.#parts.activity.add(changes, view.at);
        this.#parts.cancel.hidden = view.moves.length === 0;
        this.#describe();
        this.node.dataset.state = view.ranges.length === 0 ? 'empty' : 'live';
        this.#warn(view.ranges.length === 0 ? [{ level: 'warn', text: emptiness(view) }] : troubles(view));
        this.#source.textContent = `Told by ${this.#teller()} each second`;
    }

    // Nothing new comes: what is shown is old, and looks so.
    stale(error) {
        this.node.dataset.state = 'stale';
        const since = this.#view ? ` What you see is from ${new Date(this.#view.at).toLocaleTimeString('en-GB')}.` : '';
        this.#warn([{ level: 'bad', text: `${error.message}${since} Asking again each second.` }]);
        this.#source.textContent = 'No answer';
    }

    #layout() {
        const { head, ring, details, nodes, moves, activity, cancel } = this.#parts;
        const section = (title, body, ...tools) =>
            element('section', { class: 'panel', 'aria-label': title }, element('header', {}, element('h2', { text: title }), tools), body.node);
        return element(
            'div',
            { class: 'console' },
            head.node,
            this.#banners,
            element(
                'main',
                { class: 'board' },
                element('div', { class: 'ring-column' }, ring.node, details.node, this.#source),
                element('div', { class: 'lists' }, section('Nodes', nodes), section('Moves', moves, cancel), section('Activity', activity)),
            ),
        );
    }

    #teller() {
        const node = this.#view.nodes.find(({ isThisNode }) => isThisNode);
        return node ? node.name : new URL(this.#client.endpoint).host;
    }

    #point(number) {
        this.#pointed = number;
        this.#describe();
    }

    #pick(number) {
        this.#marked = number === this.#marked ? undefined : number;
        this.#parts.ring.mark(this.#marked);
        this.#describe();
    }

    #describe() {
        if (!this.#view) return;
        this.#parts.details.update(this.#view, this.#pointed ?? this.#marked, this.#pointed === undefined || this.#pointed === this.#marked);
    }

    #warn(warnings) {
        const now = JSON.stringify(warnings);
        if (this.#banners.dataset.shown === now) return;
        this.#banners.dataset.shown = now;
        this.#banners.replaceChildren(...warnings.map(({ level, text }) => words('p', text, { class: `banner is-${level}` })));
    }

    #drain(id) {
        confirmDrain(this.#view, id, async () => {
            await this.#client.drain(id);
            this.#feed.refresh();
        });
    }

    #cancel() {
        confirmCancel(this.#view, async () => {
            await this.#client.cancel();
            this.#feed.refresh();
        });
    }

    #order(work) {
        return attempt(async () => {
            await work();
            await this.#feed.refresh();
        });
    }
}

const emptiness = ({ nodes }) =>
    nodes.length === 0
        ? 'The cluster is empty: no node has told its numbers yet.'
        : 'There are no ranges yet: they are made when the first node has started.';
