// One HTTP exchange with the node: JSON in and out, errors as sentences, refusals that name a time tried again.

const ATTEMPTS_MAX = 4;
const RETRY_AFTER_MAX_S = 20;

export class ApiError extends Error {
    constructor(status, code, message) {
        super(message);
        this.status = status; // 0: no answer at all
        this.code = code;
    }
}

// `headers` is called for each attempt, since signatures carry the time. The same request id goes with every attempt, so
// a repeated send is recognised by the server.
export async function exchange(url, { method = 'GET', body, headers = async () => ({}) } = {}) {
    const requestId = crypto.randomUUID();
    const text = body === undefined ? undefined : JSON.stringify(body);
    for (let attempt = 1; ; attempt++) {
        const own = await headers(text ?? '');
        let response;
        try {
            response = await fetch(url, {
                method,
                body: text,
                headers: {
                    accept: 'application/json',
                    'x-ms-client-request-id': requestId,
                    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
                    ...own,
                },
                cache: 'no-store',
            });
        } catch {
            throw new ApiError(0, 'Unreachable', 'The server cannot be reached.');
        }
        if (response.ok) return readBody(response);
        const error = await readError(response);
        const wait = Number(response.headers.get('retry-after'));
        const isWorthWaiting = (response.status === 429 || response.status === 503) && wait <= RETRY_AFTER_MAX_S;
        if (!isWorthWaiting || attempt === ATTEMPTS_MAX) throw error;
        await new Promise((done) => setTimeout(done, Math.max(wait, 0.2) * 1000));
    }
}

async function readBody(response) {
    const text = await response.text();
    return text === '' ? undefined : JSON.parse(text);
}

async function readError(response) {
    try {
        const { error } = JSON.parse(await response.text());
        return new ApiError(response.status, error.code, error.message);
    } catch {
        return new ApiError(response.status, 'Unknown', `The server answered ${response.status}.`);
    }
}
