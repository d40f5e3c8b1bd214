// Asks for the cluster each second and tells what came: events 'view' ({view, changes}), 'trouble' (an AdminError).

import { changesBetween } from './diff.js';
import { viewOf } from './view.js';

const PERIOD_MS = 1000;

export class Feed extends EventTarget {
    #client;
    #timer;
    #asked = 0;
    #isStopped = false;
    view;

    constructor(client) {
        super();
        this.#client = client;
    }

    start() {
        this.refresh();
    }

    stop() {
        this.#isStopped = true;
        clearTimeout(this.#timer);
    }

    // Now, not at the end of the second.
    async refresh() {
        const asked = ++this.#asked;
        clearTimeout(this.#timer);
        const outcome = await this.#client.cluster().then(
            (body) => () => this.#take(body),
            (error) => () => this.dispatchEvent(new CustomEvent('trouble', { detail: error })),
        );
        // Only the last question goes on, so that there is one clock.
        if (this.#isStopped || asked !== this.#asked) return;
        this.#timer = setTimeout(() => this.refresh(), PERIOD_MS);
        outcome();
    }

    #take(body) {
        const view = viewOf(body, Date.now());
        const changes = changesBetween(this.view, view);
        this.view = view;
        this.#client.know(view.nodes.filter((node) => node.isAlive).map((node) => node.publicUrl));
        this.dispatchEvent(new CustomEvent('view', { detail: { view, changes } }));
    }
}
