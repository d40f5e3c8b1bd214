// Who has no token sees this. The token stays in this tab's session storage and never gets into an address.

import { appearanceButton } from '/app/views/appearance.js';
import { field } from '/app/views/dialog.js';
import { element } from '/app/views/dom.js';

// `signIn(token)` throws an Error with a sentence when the token is no good.
export function signInView(failure, signIn) {
    const token = field('Admin token', {
        type: 'password',
        class: 'mono',
        required: true,
        spellcheck: false,
        hint: 'In the file admin-token of a node’s data folder; after cluster-config/up also in cluster-config/run/env.',
    });
    const problem = element('p', { class: 'form-error', role: 'alert', text: failure, hidden: !failure });
    const submit = element('button', { class: 'button primary wide', type: 'submit', text: 'Sign in' });
    const form = element('form', { class: 'sign-in-card' }, element('h1', { text: 'Weft console' }), token.node, problem, submit);
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        problem.hidden = true;
        submit.disabled = true;
        try {
            await signIn(token.input.value.trim());
        } catch (error) {
            problem.textContent = error.message;
            problem.hidden = false;
            token.input.select();
        }
        submit.disabled = false;
    });
    queueMicrotask(() => token.input.focus());
    return element(
        'main',
        { class: 'sign-in' },
        element('div', { class: 'corner' }, appearanceButton()),
        element('img', { src: '/app/favicon.svg', alt: '', width: 64, height: 64 }),
        form,
    );
}
