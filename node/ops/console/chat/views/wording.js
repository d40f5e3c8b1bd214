// How the page says things: times, lists of names, what the system noted.

import { isFromUser } from '../model/message.js';
import { link, textOfHtml } from './safe_html.js';

const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const dateFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'medium' });
const listFormat = new Intl.ListFormat('en', { type: 'conjunction' });

export function clockTime(at) {
    return timeFormat.format(at);
}

export function fullTime(at) {
    return fullFormat.format(at);
}

export function dayOf(at) {
    return new Date(at).toDateString();
}

export function dayName(at, now = Date.now()) {
    if (dayOf(at) === dayOf(now)) return 'Today';
    if (dayOf(at) === dayOf(now - 86400000)) return 'Yesterday';
    return dayFormat.format(at);
}

export function shortTime(at, now = Date.now()) {
    if (!at) return '';
    return dayOf(at) === dayOf(now) ? timeFormat.format(at) : dateFormat.format(at);
}

export function nameList(names, most = 4) {
    if (names.length <= most) return listFormat.format(names);
    return listFormat.format([...names.slice(0, most - 1), `${names.length - most + 1} others`]);
}

export function typingSentence(names) {
    if (names.length === 0) return '';
    return `${nameList(names, 3)} ${names.length === 1 ? 'is' : 'are'} typing`;
}

export function systemSentence(thread, message) {
    const who = message.initiator === thread.me ? 'You' : thread.nameOf(message.initiator);
    const others = message.people.filter(({ id }) => id !== message.initiator);
    const people = others.map(({ id, name }) => (id === thread.me ? 'you' : name || thread.nameOf(id)));
    const isSelf = others.length === 0;
    switch (message.type) {
        case 'topicUpdated':
            return message.topic ? `${who} named this conversation “${message.topic}”` : `${who} removed the name`;
        case 'participantAdded':
            return isSelf ? `${who} joined` : `${who} added ${nameList(people, 6)}`;
        case 'participantRemoved':
            return isSelf ? `${who} left` : `${who} removed ${nameList(people, 6)}`;
        default:
            return `${message.type}`;
    }
}

export function plainText(message) {
    return message.type === 'html' ? textOfHtml(message.text) : message.text;
}

// Html of our own that the server has not made safe yet is never built, only its words are shown.
export function waitingText(own) {
    return own.type === 'html' ? own.text.replace(/<[^>]*>/g, ' ').trim() : own.text;
}

export function previewSentence(thread) {
    const waiting = thread.waiting.at(-1);
    if (waiting) return `You: ${waitingText(waiting)}`;
    const message = thread.last;
    if (!message) return '';
    if (!isFromUser(message)) return systemSentence(thread, message);
    if (message.deletedAt) return 'Message deleted';
    const isPair = thread.people.size <= 2;
    const who = message.sender === thread.me ? 'You: ' : isPair ? '' : `${thread.nameOf(message.sender, message.senderName)}: `;
    return who + plainText(message);
}

export function threadTitle(thread) {
    return thread.topic || nameList(thread.others.map((id) => thread.nameOf(id)), 3) || 'Just you';
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

// Text with its web addresses as links.
export function withLinks(text) {
    const fragment = document.createDocumentFragment();
    let end = 0;
    for (const match of text.matchAll(ADDRESS)) {
        const anchor = link(match[0]);
        anchor.textContent = match[0];
        fragment.append(text.slice(end, match.index), anchor);
        end = match.index + match[0].length;
    }
    fragment.append(text.slice(end));
    return fragment;
}
