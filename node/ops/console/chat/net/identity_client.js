// Identities and their tokens, asked for with the access key (contract 3).

import { signedHeaders } from './access_key.js';
import { exchange } from './http.js';

const API_VERSION = '2023-10-01';
const SCOPES = ['chat'];

export class IdentityClient {
    constructor(accessKey, origin = location.origin) {
        this.accessKey = accessKey;
        this.origin = origin;
    }

    async createUser() {
        const { identity, accessToken } = await this.#post('/identities', { createTokenWithScopes: SCOPES });
        return { id: identity.id, token: accessToken.token };
    }

    async issueToken(userId) {
        const path = `/identities/${encodeURIComponent(userId)}/:issueAccessToken`;
        return (await this.#post(path, { scopes: SCOPES })).token;
    }

    #post(path, body) {
        const target = `${path}?api-version=${API_VERSION}`;
        const url = new URL(target, this.origin);
        const headers = (text) =>
            signedHeaders({ accessKey: this.accessKey, method: 'POST', target, host: url.host, body: text });
        return exchange(url, { method: 'POST', body, headers });
    }
}
