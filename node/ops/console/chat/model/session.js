// Who is signed in here. A session lives in this tab only (sessionStorage), so two tabs can be two people. Secrets arrive
// in the address's fragment, which never goes to a server, and leave the address bar at once.

import { base64ToBytes } from '../net/access_key.js';

const KEY = 'weft.session';

// {user: {id, token, name}, cast: [{id, token, name}], accessKey?} or null
export function loadSession() {
    try {
        return JSON.parse(sessionStorage.getItem(KEY));
    } catch {
        return null;
    }
}

export function saveSession(session) {
    sessionStorage.setItem(KEY, JSON.stringify(session));
}

export function forgetSession() {
    sessionStorage.removeItem(KEY);
}

// The user id inside an access token; throws a sentence when there is none.
export function userIdOf(token) {
    try {
        const payload = token.trim().split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
        const { skypeid } = JSON.parse(new TextDecoder().decode(base64ToBytes(payload)));
        if (skypeid) return `8:${skypeid}`;
    } catch {
        // Said below.
    }
    throw new Error('This is not an access token: three parts with dots between them are expected.');
}

export function linkAs(user, threadId) {
    const parts = new URLSearchParams({ token: user.token, name: user.name, ...(threadId ? { thread: threadId } : {}) });
    return `${location.origin}${location.pathname}#${parts}`;
}

// What the fragment brought: {connectionString} or {user, threadId} or {threadId}; secrets are taken out of the address.
export function takeFragment() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const threadId = parts.get('thread') ?? undefined;
    if (!parts.has('cs') && !parts.has('token')) return { threadId };
    history.replaceState(null, '', location.pathname + (threadId ? `#${threadFragment(threadId)}` : ''));
    if (parts.has('cs')) return { connectionString: parts.get('cs') };
    try {
        const token = parts.get('token');
        return { user: { id: userIdOf(token), token, name: parts.get('name') || 'Guest' }, threadId };
    } catch (error) {
        return { error: error.message };
    }
}

export function threadFragment(threadId) {
    return new URLSearchParams({ thread: threadId }).toString();
}
