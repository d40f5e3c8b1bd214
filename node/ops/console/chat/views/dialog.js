// Modal dialogs on the element of that name: focus stays inside, Escape closes, the opener gets focus back.

import { button, element, words } from './dom.js';
import { icon } from './icons.js';

// Shows `body` (nodes) under a title. Gives the dialog; it removes itself when closed.
export function showDialog(title, body, { kind = '' } = {}) {
    const heading = words('h2', title, { id: `dialog-${crypto.randomUUID()}` });
    const shut = button('Close', { icon: icon('close'), isIconOnly: true }, () => dialog.close());
    const head = element('header', { class: 'dialog-head' }, heading, shut);
    const dialog = element('dialog', { class: `dialog ${kind}`.trim(), 'aria-labelledby': heading.id }, head, body);
    dialog.addEventListener('close', () => dialog.remove());
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}

// A form that stays open, and says why, until `work` has succeeded.
export function showForm(title, fields, action, work, { isDanger = false } = {}) {
    const failure = element('p', { class: 'form-error', role: 'alert', hidden: true });
    const submit = element('button', { class: `button ${isDanger ? 'danger' : 'primary'}`, type: 'submit', text: action });
    const cancel = button('Cancel', {}, () => dialog.close());
    const form = element('form', { class: 'dialog-form' }, fields, failure, element('div', { class: 'actions' }, cancel, submit));
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        submit.disabled = true;
        failure.hidden = true;
        try {
            await work();
            dialog.close();
        } catch (error) {
            failure.textContent = error.message;
            failure.hidden = false;
        }
        submit.disabled = false;
    });
    const dialog = showDialog(title, form);
    form.querySelector('input, textarea, select')?.focus();
    return dialog;
}

export function confirmDialog(title, sentence, action, work) {
    return showForm(title, [words('p', sentence)], action, work, { isDanger: true });
}

let lastFieldNumber = 0;

// A labelled input: `{label, hint, ...properties of the input}`.
export function field(label, { hint, tag = 'input', ...properties }) {
    const id = `field-${++lastFieldNumber}`;
    const input = element(tag, { id, dir: 'auto', autocomplete: 'off', ...properties });
    const note = hint && element('p', { class: 'hint', id: `${id}-hint`, text: hint });
    if (note) input.setAttribute('aria-describedby', note.id);
    const node = element('div', { class: 'field' }, element('label', { htmlFor: id, text: label }), input, note);
    return { node, input };
}
