// Sentences that come by and go, and those said to screen readers only.

import { element, words } from './dom.js';

const SHOWN_MS = 6000;

const shelf = element('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' });
const voice = element('div', { class: 'unseen', 'aria-live': 'polite', 'data-part': 'voice' });

export function placeToasts(parent) {
    parent.append(shelf, voice);
}

export function toast(sentence) {
    const note = words('p', sentence, { class: 'toast' });
    shelf.append(note);
    setTimeout(() => note.remove(), SHOWN_MS);
}

export function announce(sentence) {
    voice.replaceChildren(words('p', sentence));
}

// Runs what a click asked for; what goes wrong is said, never thrown away.
export async function attempt(work) {
    try {
        return await work();
    } catch (error) {
        toast(error.message);
        return undefined;
    }
}
