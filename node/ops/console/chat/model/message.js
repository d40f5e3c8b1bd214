// A message as the page holds it: from a REST body, a frame, or an acknowledgement of our own words.

import { rawId } from '../net/chat_client.js';

export function messageFrom(body, place = {}) {
    const content = body.content ?? {};
    return {
        id: body.id,
        sequence: Number(body.sequenceId),
        version: Number(body.version),
        type: body.type,
        text: content.message ?? '',
        topic: content.topic ?? '',
        people: (content.participants ?? []).map(personFrom),
        sender: rawId(body.senderCommunicationIdentifier),
        senderName: body.senderDisplayName ?? '',
        initiator: rawId(content.initiatorCommunicationIdentifier),
        createdAt: Date.parse(body.createdOn),
        editedAt: body.editedOn ? Date.parse(body.editedOn) : 0,
        deletedAt: body.deletedOn ? Date.parse(body.deletedOn) : 0,
        offset: place.offset,
        durability: place.durability,
    };
}

export function personFrom(participant) {
    return { id: rawId(participant.communicationIdentifier), name: participant.displayName ?? '' };
}

export function isFromUser(message) {
    return message.type === 'text' || message.type === 'html';
}

// Ids are decimal strings of milliseconds: longer is later.
export function compareIds(a, b) {
    return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
