// Starts the page: with what the address brought, else with whoever is signed in here, else at the first screen.

import { ChatStore } from './model/chat_store.js';
import { forgetSession, loadSession, saveSession, takeFragment } from './model/session.js';
import { applyAppearance } from './views/appearance.js';
import { ChatView } from './views/chat_view.js';
import { element } from './views/dom.js';
import { startView } from './views/start_view.js';
import { placeToasts } from './views/toast.js';

const root = document.getElementById('root');

function showStart(given) {
    document.title = 'Weft';
    root.replaceChildren(startView(given, begin));
}

function begin(session, threadId) {
    saveSession(session);
    showChat(session, threadId);
}

function showChat(session, threadId) {
    const store = new ChatStore(session);
    const view = new ChatView(store, { signOut });
    store.addEventListener('session', () => saveSession(session));
    store.addEventListener('cast', (event) => {
        session.cast.push(event.detail);
        saveSession(session);
    });
    root.replaceChildren(view.node);
    if (threadId) history.replaceState(null, '', `#${new URLSearchParams({ thread: threadId })}`);
    view.start(threadId);
    store.start();
}

// A fresh page is the surest way to leave nothing of a session behind.
function signOut() {
    forgetSession();
    location.replace(location.pathname);
}

function start() {
    const { connectionString, user, threadId, error } = takeFragment();
    if (user) return begin({ user, cast: [] }, threadId);
    const session = loadSession();
    if (session && !connectionString && !error) return showChat(session, threadId);
    return showStart({ connectionString, error });
}

// Secrets given to a page that is already open.
addEventListener('hashchange', () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (parts.has('cs') || parts.has('token')) location.reload();
});

applyAppearance();
placeToasts(document.body.appendChild(element('div')));
start();
