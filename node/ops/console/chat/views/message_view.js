// One message, one note of the system, one day: the lines of a conversation.

import { isFromUser } from '../model/message.js';
import { avatar } from './avatar.js';
import { button, element, words } from './dom.js';
import { icon } from './icons.js';
import { opensMenu } from './menu.js';
import { safeHtml } from './safe_html.js';
import { clockTime, dayName, fullTime, nameList, systemSentence, waitingText, withLinks } from './wording.js';

export function dayLine(at, now) {
    const name = dayName(at, now);
    const build = () => element('li', { class: 'day' }, element('span', { text: name }));
    return { key: `day ${new Date(at).toDateString()}`, signature: name, build };
}

export function unreadLine() {
    const build = () => element('li', { class: 'new-line' }, element('span', { text: 'New' }));
    return { key: 'new', signature: '', build };
}

// `hooks`: {edit, remove, details, retry, discard} called with the message.
export function messageLine(thread, message, { isFirst, isLast, readers, hooks }) {
    return isFromUser(message)
        ? bubbleLine(thread, message, { isFirst, isLast, readers, hooks })
        : systemLine(thread, message, readers, hooks);
}

function systemLine(thread, message, readers, hooks) {
    const sentence = systemSentence(thread, message);
    const place = placeText(message);
    const seen = readers.map((id) => thread.nameOf(id));
    const build = () =>
        element('li', { class: 'system', 'data-id': message.id }, [
            element('div', { class: 'system-line' }, [
                words('span', sentence),
                element('button', {
                    type: 'button',
                    class: 'place',
                    text: `${clockTime(message.createdAt)}${place && ` · ${place}`}`,
                    title: 'Details',
                    'data-part': 'details',
                    on: { click: () => hooks.details(message) },
                }),
            ]),
            seenMarks(readers, seen),
        ]);
    return { key: message.id, signature: JSON.stringify([sentence, place, seen]), build };
}

// Where the message lies and what holds it.
export function placeText({ offset, durability }) {
    return [offset && `#${offset}`, durability].filter(Boolean).join(' · ');
}

function bubbleLine(thread, message, { isFirst, isLast, readers, hooks }) {
    const isOwn = message.sender === thread.me;
    const name = thread.nameOf(message.sender, message.senderName);
    const seen = readers.map((id) => thread.nameOf(id));
    const shown = [message.version, placeText(message), isFirst, isLast, isOwn, name, seen, thread.standing];
    const build = () => {
        const kind = `message ${isOwn ? 'own' : 'other'} ${isFirst ? 'first' : ''} ${isLast ? 'last' : ''}`;
        const face = !isOwn && element('span', { class: 'face' }, isLast && avatar(message.sender, name));
        const who = !isOwn && isFirst && words('p', name, { class: 'sender' });
        const bubble = element('div', { class: `bubble ${message.deletedAt ? 'deleted' : ''}` }, [
            element('span', { class: 'unseen', text: `${isOwn ? 'You' : name} said: ` }),
            messageBody(message),
            footnote(message),
        ]);
        const actions = message.deletedAt ? deletedActions(message, hooks) : liveActions(thread, message, isOwn, hooks);
        const row = element('div', { class: 'bubble-row' }, bubble, actions);
        return element('li', { class: kind, 'data-id': message.id }, [who, face, row, seenMarks(readers, seen)]);
    };
    return { key: message.id, signature: JSON.stringify(shown), build };
}

function messageBody(message) {
    if (message.deletedAt) return element('p', { class: 'body', text: 'Message deleted' });
    if (message.type === 'html') return element('div', { class: 'body html', dir: 'auto' }, safeHtml(message.text));
    return element('p', { class: 'body', dir: 'auto' }, withLinks(message.text));
}

function footnote(message) {
    const edited = message.editedAt && element('span', { text: 'edited', title: fullTime(message.editedAt) });
    const place = placeText(message);
    return element('p', { class: 'footnote' }, [
        element('time', {
            text: clockTime(message.createdAt),
            title: fullTime(message.createdAt),
            dateTime: new Date(message.createdAt).toISOString(),
        }),
        edited || undefined,
        place && element('span', { class: 'place', title: `Offset ${message.offset}, held by: ${message.durability}`, text: place }),
    ]);
}

function liveActions(thread, message, isOwn, hooks) {
    const canChange = isOwn && thread.standing === 'member';
    return actionsButton(() => [
        canChange && { label: 'Edit', icon: icon('pencil'), click: () => hooks.edit(message) },
        { label: 'Copy text', icon: icon('copy'), click: () => hooks.copy(message) },
        { label: 'Details', icon: icon('info'), click: () => hooks.details(message) },
        canChange && { label: 'Delete', icon: icon('trash'), isDanger: true, click: () => hooks.remove(message) },
    ]);
}

function deletedActions(message, hooks) {
    return actionsButton(() => [{ label: 'Details', icon: icon('info'), click: () => hooks.details(message) }]);
}

function actionsButton(items) {
    const more = button('Message actions', { icon: icon('more'), isIconOnly: true, kind: 'actions', 'data-part': 'more' });
    opensMenu(more, items);
    return more;
}

function seenMarks(readers, names) {
    if (readers.length === 0) return undefined;
    const sentence = `Seen by ${nameList(names, 8)}`;
    return element('p', { class: 'seen', title: sentence }, [
        element('span', { class: 'unseen', text: sentence }),
        element('span', { class: 'faces', 'aria-hidden': 'true' }, readers.slice(0, 8).map((id, at) => avatar(id, names[at], 'tiny'))),
        readers.length > 8 && element('span', { text: `+${readers.length - 8}`, 'aria-hidden': 'true' }),
    ]);
}

// ---- on its way

export function waitingLine(own, isOnline, hooks) {
    const text = own.failure ? 'Not sent' : isOnline ? 'Sending' : 'Waiting for the connection';
    const build = () => {
        const bubble = element('div', { class: `bubble ${own.failure ? 'failed' : 'pending'}` }, [
            messageBody({ type: 'text', text: waitingText(own) }),
            element('p', { class: 'footnote' }, [icon(own.failure ? 'alert' : 'clock'), element('span', { text })]),
        ]);
        const remedy = own.failure && element('p', { class: 'remedy' }, [
                words('span', own.failure),
                button('Retry', { icon: icon('retry'), kind: 'quiet' }, () => hooks.retry(own)),
                button('Discard', { kind: 'quiet' }, () => hooks.discard(own)),
            ]);
        return element('li', { class: 'message own first last' }, element('div', { class: 'bubble-row' }, bubble), remedy);
    };
    return { key: `waiting ${own.id}`, signature: text + own.failure, build };
}
