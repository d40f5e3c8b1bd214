// The admin REST of a cluster: asks one node, and goes on with the next one it knows when that is silent or shutting down.
// The token goes only to the page's own origin and, by https, to addresses that the cluster named itself.

const DEADLINE_MS = 4000;

export class AdminError extends Error {
    // kind: 'token' (refused), 'silent' (no node answers), 'refused' (a node said no, with its reason).
    constructor(kind, message) {
        super(message);
        this.kind = kind;
    }
}

export class AdminClient {
    #token;
    #endpoints;
    #at = 0;

    constructor(token, origin) {
        this.#token = token;
        this.#endpoints = [origin];
    }

    // Of the node that answered last.
    get endpoint() {
        return this.#endpoints[this.#at];
    }

    // Public addresses of the nodes, to go on with.
    know(urls) {
        for (const url of urls) {
            const origin = originOf(url);
            if (origin?.startsWith('https:') && !this.#endpoints.includes(origin)) this.#endpoints.push(origin);
        }
    }

    cluster = () => this.#call('GET', '/admin/cluster');
    pause = () => this.#call('POST', '/admin/rebalance/pause');
    resume = () => this.#call('POST', '/admin/rebalance/resume');
    cancel = () => this.#call('POST', '/admin/rebalance/cancel');
    drain = (id) => this.#call('POST', `/admin/nodes/${encodeURIComponent(id)}/drain`);
    keep = (id) => this.#call('DELETE', `/admin/nodes/${encodeURIComponent(id)}/drain`);

    async #call(method, path) {
        for (let tried = 0; tried < this.#endpoints.length; tried++) {
            const at = (this.#at + tried) % this.#endpoints.length;
            const answer = await this.#ask(this.#endpoints[at], method, path);
            if (!answer || answer.status === 503) continue;
            this.#at = at;
            return read(answer);
        }
        throw new AdminError('silent', this.#silence());
    }

    #silence() {
        const names = this.#endpoints.map((endpoint) => new URL(endpoint).host);
        return names.length === 1
            ? `${names[0]} does not answer, and no other node’s public_url is known.`
            : `None of ${names.length} nodes answers: ${names.join(', ')}.`;
    }

    async #ask(endpoint, method, path) {
        try {
            return await fetch(endpoint + path, {
                method,
                headers: { authorization: `Bearer ${this.#token}` },
                cache: 'no-store',
                credentials: 'omit',
                signal: AbortSignal.timeout(DEADLINE_MS),
            });
        } catch {
            return undefined;
        }
    }
}

async function read(answer) {
    const body = await answer.json().catch(() => undefined);
    if (answer.status === 401 || answer.status === 403) throw new AdminError('token', 'The node refused this admin token.');
    const reason = body?.error?.message;
    if (!answer.ok) throw new AdminError('refused', reason || `The node answered ${answer.status}.`);
    if (body === undefined && answer.status === 200) throw new AdminError('refused', 'The node’s answer is not JSON.');
    return body;
}

function originOf(url) {
    try {
        return new URL(url).origin;
    } catch {
        return undefined;
    }
}
