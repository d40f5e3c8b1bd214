// The chat REST operations (contract 6) with a user's token.

import { exchange } from './http.js';

const API_VERSION = '2025-03-15';

export class ChatClient {
    // `token` is a function, since tokens are renewed.
    constructor(token, origin = location.origin) {
        this.token = token;
        this.origin = origin;
    }

    listThreads(next) {
        return this.#page('/chat/threads', { maxPageSize: 100 }, next);
    }

    getThread(threadId) {
        return this.#ask('GET', threadPath(threadId));
    }

    // The same `repeatabilityId` gives the same thread, however often it is asked.
    async createThread(topic, participants, repeatabilityId) {
        const headers = { 'repeatability-request-id': repeatabilityId };
        return this.#ask('POST', '/chat/threads', { body: { topic, participants }, headers });
    }

    updateTopic(threadId, topic) {
        return this.#ask('PATCH', threadPath(threadId), { body: { topic } });
    }

    deleteThread(threadId) {
        return this.#ask('DELETE', threadPath(threadId));
    }

    listMessages(threadId, pageSize, next) {
        return this.#page(`${threadPath(threadId)}/messages`, { maxPageSize: pageSize }, next);
    }

    getMessage(threadId, messageId) {
        return this.#ask('GET', `${threadPath(threadId)}/messages/${messageId}`);
    }

    editMessage(threadId, messageId, content) {
        return this.#ask('PATCH', `${threadPath(threadId)}/messages/${messageId}`, { body: { content } });
    }

    deleteMessage(threadId, messageId) {
        return this.#ask('DELETE', `${threadPath(threadId)}/messages/${messageId}`);
    }

    async listParticipants(threadId) {
        const all = [];
        let next;
        do {
            const page = await this.#page(`${threadPath(threadId)}/participants`, { maxPageSize: 200 }, next);
            all.push(...page.value);
            next = page.nextLink;
        } while (next);
        return all;
    }

    addParticipants(threadId, participants) {
        return this.#ask('POST', `${threadPath(threadId)}/participants/:add`, { body: { participants } });
    }

    removeParticipant(threadId, userId) {
        return this.#ask('POST', `${threadPath(threadId)}/participants/:remove`, { body: identifier(userId) });
    }

    pushKey() {
        return this.#ask('GET', '/push/key');
    }

    registerPush(subscription) {
        return this.#ask('PUT', '/push/registrations', { body: subscription });
    }

    unregisterPush(id) {
        return this.#ask('DELETE', `/push/registrations/${id}`);
    }

    // A next link is followed on our own origin only: the token goes nowhere else.
    #page(path, query, next) {
        if (!next) return this.#ask('GET', path, { query });
        const link = new URL(next, this.origin);
        return this.#fetch('GET', new URL(link.pathname + link.search, this.origin));
    }

    #ask(method, path, { query = {}, ...rest } = {}) {
        const url = new URL(path, this.origin);
        url.search = new URLSearchParams({ 'api-version': API_VERSION, ...query });
        return this.#fetch(method, url, rest);
    }

    #fetch(method, url, { body, headers = {} } = {}) {
        return exchange(url, {
            method,
            body,
            headers: async () => ({ ...headers, authorization: `Bearer ${this.token()}` }),
        });
    }
}

function threadPath(threadId) {
    return `/chat/threads/${encodeURIComponent(threadId)}`;
}

export function identifier(userId) {
    return { rawId: userId };
}

export function participant(userId, displayName) {
    return { communicationIdentifier: identifier(userId), ...(displayName ? { displayName } : {}) };
}

// Frames name a user by raw id, REST bodies by identifier.
export function rawId(user) {
    return typeof user === 'string' ? user : (user?.rawId ?? user?.communicationUser?.id);
}
