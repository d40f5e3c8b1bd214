// Where messages are written: new ones, and one's own again.

import { button, element, words } from './dom.js';
import { icon } from './icons.js';
import { toast } from './toast.js';

const BYTES_MAX = 28 * 1024; // as the server has it
const BYTES_LEFT_SHOWN = 4 * 1024;
const HEIGHT_MAX_PX = 200;

export class ComposerView {
    // `hooks`: {send(text, type), edit(message, text), typing(), editLast()}
    constructor(hooks) {
        this.hooks = hooks;
        this.drafts = new Map(); // thread id → {text, isHtml}
        this.editing = undefined;
        this.input = element('textarea', {
            rows: 1,
            dir: 'auto',
            'aria-label': 'Message',
            placeholder: 'Write a message',
            on: { input: () => this.#typed(), keydown: (event) => this.#key(event) },
        });
        this.send = element('button', { type: 'submit', class: 'button primary round', 'aria-label': 'Send', title: 'Send (Enter)' }, icon('send'));
        this.html = button('Send as HTML', { icon: icon('code'), isIconOnly: true, kind: 'toggle', 'aria-pressed': 'false' }, () => this.#toggleHtml());
        this.count = element('span', { class: 'count', role: 'status', hidden: true });
        this.strip = element('div', { class: 'edit-strip', hidden: true });
        const box = element('div', { class: 'box' }, this.html, this.input, this.count, this.send);
        this.form = element('form', { class: 'composer', on: { submit: (event) => this.#submit(event) } }, this.strip, box);
        this.notice = element('p', { class: 'composer-notice', hidden: true });
        this.node = element('footer', { class: 'composer-area' }, this.form, this.notice);
    }

    // Another conversation: its draft.
    open(thread) {
        if (this.thread) this.drafts.set(this.thread.id, { text: this.editing ? '' : this.input.value, isHtml: this.isHtml });
        this.thread = thread;
        const draft = this.drafts.get(thread.id);
        this.#stopEditing();
        this.#setText(draft?.text ?? '');
        this.#setHtml(draft?.isHtml ?? false);
    }

    draw(thread) {
        const sentence = { left: 'You are no longer in this conversation. What was said until then stays readable.' }[thread.standing];
        this.form.hidden = Boolean(sentence);
        this.notice.hidden = !sentence;
        this.notice.textContent = sentence ?? '';
        if (this.editing && (thread.messages.get(this.editing.id)?.deletedAt ?? 0) > 0) this.#stopEditing(true);
    }

    focus() {
        this.input.focus();
    }

    edit(message) {
        this.editing = message;
        const cancel = button('Stop editing', { icon: icon('close'), isIconOnly: true }, () => this.#stopEditing(true));
        this.strip.replaceChildren(icon('pencil'), words('span', 'Editing your message'), cancel);
        this.strip.hidden = false;
        this.#setHtml(message.type === 'html');
        this.html.hidden = true;
        this.#setText(message.text);
        this.focus();
    }

    #stopEditing(isClearing = false) {
        if (isClearing) {
            this.#setText('');
            this.#setHtml(false);
        }
        this.editing = undefined;
        this.strip.hidden = true;
        this.html.hidden = false;
    }

    #submit(event) {
        event.preventDefault();
        const text = this.input.value.trim();
        if (!text) return;
        if (byteLength(text) > BYTES_MAX) {
            toast(`A message may have ${BYTES_MAX} bytes; this one has ${byteLength(text)}.`);
            return;
        }
        const { editing } = this;
        this.#stopEditing();
        this.#setText('');
        if (!editing) this.hooks.send(text, this.isHtml ? 'html' : 'text');
        else if (text !== editing.text) this.hooks.edit(editing, text);
        if (editing) this.#setHtml(false);
    }

    // Enter sends where there is a keyboard; while a script is being composed, Enter belongs to the input method.
    #key(event) {
        if (event.key === 'Escape' && this.editing) this.#stopEditing(true);
        if (event.key === 'ArrowUp' && !this.input.value && this.hooks.editLast()) event.preventDefault();
        const isTouch = matchMedia('(hover: none) and (pointer: coarse)').matches;
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing || isTouch) return;
        event.preventDefault();
        this.form.requestSubmit();
    }

    #typed() {
        this.#fit();
        if (this.input.value && !this.editing) this.hooks.typing();
    }

    #setText(text) {
        this.input.value = text;
        this.#fit();
    }

    #fit() {
        this.input.style.height = 'auto';
        this.input.style.height = `${Math.min(this.input.scrollHeight, HEIGHT_MAX_PX)}px`;
        const left = BYTES_MAX - byteLength(this.input.value);
        this.count.hidden = left > BYTES_LEFT_SHOWN;
        this.count.textContent = `${left}`;
        this.count.classList.toggle('over', left < 0);
        this.send.disabled = !this.input.value.trim();
    }

    #toggleHtml() {
        this.#setHtml(!this.isHtml);
        this.focus();
    }

    #setHtml(isHtml) {
        this.isHtml = isHtml;
        this.html.setAttribute('aria-pressed', String(isHtml));
        this.input.placeholder = isHtml ? 'Write <b>HTML</b>' : 'Write a message';
        this.input.classList.toggle('mono', isHtml);
    }
}

function byteLength(text) {
    return new TextEncoder().encode(text).length;
}
