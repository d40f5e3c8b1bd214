// Starts the console: with the token of this tab's session, else at the sign-in.

import { applyAppearance } from '/app/views/appearance.js';
import { element } from '/app/views/dom.js';
import { placeToasts } from '/app/views/toast.js';
import { Feed } from './model/feed.js';
import { AdminClient } from './net/admin_client.js';
import { ConsoleView } from './views/console_view.js';
import { applyPalette } from './views/node_mark.js';
import { signInView } from './views/sign_in_view.js';

const TOKEN_KEY = 'weft.admin-token';

const root = document.getElementById('root');

function showSignIn(failure = '') {
    root.replaceChildren(
        signInView(failure, async (token) => {
            await new AdminClient(token, location.origin).cluster();
            sessionStorage.setItem(TOKEN_KEY, token);
            showConsole(token);
        }),
    );
}

function showConsole(token) {
    const client = new AdminClient(token, location.origin);
    const feed = new Feed(client);
    const leave = (failure) => {
        feed.stop();
        sessionStorage.removeItem(TOKEN_KEY);
        showSignIn(failure);
    };
    const view = new ConsoleView(client, feed, { signOut: () => leave('') });
    feed.addEventListener('view', ({ detail }) => {
        document.title = `${detail.view.cluster} · Weft console`;
        view.update(detail.view, detail.changes);
    });
    feed.addEventListener('trouble', ({ detail: error }) => (error.kind === 'token' ? leave(error.message) : view.stale(error)));
    root.replaceChildren(view.node);
    feed.start();
}

applyAppearance();
applyPalette();
placeToasts(document.body.appendChild(element('div')));
const token = sessionStorage.getItem(TOKEN_KEY);
if (token) showConsole(token);
else showSignIn();
