// What can be asked about a conversation: who is in it, its name, its end, and the details of a message.

import { avatar } from './avatar.js';
import { confirmDialog, field, showDialog, showForm } from './dialog.js';
import { button, element, words } from './dom.js';
import { icon } from './icons.js';
import { placeText } from './message_view.js';
import { attempt } from './toast.js';
import { fullTime, threadTitle } from './wording.js';

export function renameDialog(store, thread) {
    const topic = field('Name', { value: thread.topic, required: true, maxLength: 250 });
    showForm('Rename conversation', [topic.node], 'Rename', () => store.rename(thread, topic.input.value.trim()));
    topic.input.select();
}

export function leaveDialog(store, thread) {
    const sentence = 'You keep what was said until now; nothing later reaches you unless somebody adds you again.';
    confirmDialog(`Leave “${threadTitle(thread)}”?`, sentence, 'Leave', () => store.leave(thread));
}

export function deleteThreadDialog(store, thread, done) {
    const sentence = 'The conversation and every message in it are deleted for everybody. This cannot be undone.';
    confirmDialog(`Delete “${threadTitle(thread)}”?`, sentence, 'Delete', async () => {
        await store.deleteThread(thread);
        done();
    });
}

export function deleteMessageDialog(store, thread, message) {
    const sentence = 'Everybody will see that a message was deleted, and nothing of what it said.';
    confirmDialog('Delete this message?', sentence, 'Delete', () => store.deleteMessage(thread, message.id));
}

export function messageDetails(thread, message) {
    const rows = [
        ['Place', placeText(message) || 'not told yet'],
        ['Sequence', String(message.sequence)],
        ['Message id', message.id],
        ['Version', String(message.version)],
        ['Kind', message.type],
        ['From', thread.nameOf(message.sender ?? message.initiator, message.senderName)],
        ['Created', fullTime(message.createdAt)],
        message.editedAt && ['Edited', fullTime(message.editedAt)],
        message.deletedAt && ['Deleted', fullTime(message.deletedAt)],
    ];
    const list = element('dl', { class: 'details' });
    for (const [name, value] of rows.filter(Boolean)) list.append(element('dt', { text: name }), words('dd', value));
    const hint = element('p', {
        class: 'hint',
        text:
            'The place is the message’s offset in the thread’s one order of changes, the same for everybody, and what held ' +
            'it when it was told: this node’s disk, and how many other nodes’. An edit or a delete moves it to a new offset.',
    });
    showDialog('Message', [list, hint]);
}

// ---- new conversations

export function newThreadDialog(store, done) {
    const topic = field('Name', { required: true, maxLength: 250, placeholder: 'What is it about?' });
    const picker = peoplePicker(store, []);
    showForm('New conversation', [topic.node, ...picker.nodes], 'Create', async () => {
        done(await store.createThread(topic.input.value.trim(), await picker.chosen()));
    });
}

// Known people to tick, somebody by id, and, with the access key at hand, somebody new.
function peoplePicker(store, absent) {
    const known = [...store.acquaintances].filter(([id]) => !absent.includes(id));
    const boxes = known.map(([id, name]) => ({ id, name, input: element('input', { type: 'checkbox' }) }));
    const ticks = boxes.map(({ id, name, input }) =>
        element('label', { class: 'tick' }, input, avatar(id, name || '?'), words('span', name || id)),
    );
    const list = ticks.length > 0 && element('fieldset', { class: 'field' }, element('legend', { text: 'People you know' }), element('div', { class: 'ticks' }, ticks));
    const fresh = store.canMakeUsers && field('Somebody new', { maxLength: 250, placeholder: 'Name', hint: 'Makes a user; open a window as them from your menu.' });
    const byId = field('By user id', { dir: 'ltr', class: 'mono', placeholder: '8:acs:…' });
    const idName = field('Their name', { maxLength: 250 });
    const other = element('details', { class: 'more-fields' }, element('summary', { text: 'Add by user id' }), byId.node, idName.node);
    const chosen = async () => {
        const people = boxes.filter(({ input }) => input.checked).map(({ id, name }) => ({ id, name }));
        if (byId.input.value.trim()) people.push({ id: byId.input.value.trim(), name: idName.input.value.trim() });
        if (fresh && fresh.input.value.trim()) people.push(await store.makeUser(fresh.input.value.trim()));
        return people;
    };
    return { nodes: [list, fresh && fresh.node, other].filter(Boolean), chosen };
}

// ---- people

export function peopleDialog(store, thread) {
    const rows = element('ul', { class: 'people' });
    const draw = () => rows.replaceChildren(...[...thread.people.keys()].map((id) => personRow(store, thread, id)));
    const add = button('Add people', { icon: icon('plus'), kind: 'primary wide', disabled: thread.standing !== 'member' }, () =>
        addPeopleDialog(store, thread),
    );
    draw();
    const dialog = showDialog('People', [rows, add], { kind: 'sheet' });
    store.addEventListener('change', draw);
    dialog.addEventListener('close', () => store.removeEventListener('change', draw));
}

function personRow(store, thread, id) {
    const name = thread.nameOf(id);
    const isMe = id === thread.me;
    const remove = button(`Remove ${name}`, { icon: icon('close'), isIconOnly: true }, () =>
        attempt(() => store.removePerson(thread, id)),
    );
    const canRemove = !isMe && thread.standing === 'member';
    return element('li', {}, avatar(id, name), element('div', { class: 'person' }, [
        words('span', isMe ? `${name} (you)` : name),
        element('code', { class: 'hint', text: id, title: id }),
    ]), canRemove && remove);
}

function addPeopleDialog(store, thread) {
    const picker = peoplePicker(store, [...thread.people.keys()]);
    showForm('Add people', picker.nodes, 'Add', async () => {
        const people = await picker.chosen();
        if (people.length === 0) throw new Error('Nobody is chosen yet.');
        await store.addPeople(thread, people);
    });
}
