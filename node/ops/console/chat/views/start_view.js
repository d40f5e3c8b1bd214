// The first screen: make people with the resource's connection string and open a conversation for them, or sign in with a
// token somebody gave you.

import { parseConnectionString } from '../net/access_key.js';
import { ChatClient, participant } from '../net/chat_client.js';
import { IdentityClient } from '../net/identity_client.js';
import { userIdOf } from '../model/session.js';
import { appearanceButton } from './appearance.js';
import { avatar } from './avatar.js';
import { field } from './dialog.js';
import { button, element, words } from './dom.js';
import { icon } from './icons.js';
import { nameList } from './wording.js';

const NAMES = ['Alice', 'Bob', 'Carol', 'Dave', 'Erin', 'Frank', 'Grace', 'Heidi'];
const PEOPLE_MAX = 8;

// `begin(session, threadId)` is called when somebody is signed in.
export function startView({ connectionString = '', error = '' }, begin) {
    const panels = [castPanel(connectionString, begin), tokenPanel(begin)];
    return element(
        'main',
        { class: 'start' },
        element('div', { class: 'start-corner' }, appearanceButton()),
        element('div', { class: 'start-sheet' }, pitch(), element('div', { class: 'start-card' }, tabs(panels, error))),
    );
}

function pitch() {
    return element(
        'header',
        { class: 'pitch' },
        element('img', { src: '/app/favicon.svg', alt: '', width: 72, height: 72 }),
        element('h1', { text: 'Weft' }),
        element('p', { class: 'lead', text: 'Conversations that hold.' }),
        element('p', {
            text:
                'Every message here says where it stands: its place in the thread’s one order, and what holds it. ' +
                'Pull the plug on the server in mid-sentence: what was acknowledged is still there.',
        }),
        element('p', { class: 'sample', 'aria-hidden': 'true' }, element('span', { text: '#12 · disk' })),
    );
}

function tabs(panels, error) {
    const names = panels.map((panel, at) =>
        element('button', {
            type: 'button',
            role: 'tab',
            id: `tab-${at}`,
            text: panel.title,
            'aria-controls': `panel-${at}`,
            on: { click: () => choose(at), keydown: (event) => turn(event, at) },
        }),
    );
    const bodies = panels.map((panel, at) =>
        element('div', { role: 'tabpanel', id: `panel-${at}`, 'aria-labelledby': `tab-${at}` }, panel.node),
    );
    const choose = (chosen) => {
        names.forEach((name, at) => {
            name.setAttribute('aria-selected', String(at === chosen));
            name.tabIndex = at === chosen ? 0 : -1;
            bodies[at].hidden = at !== chosen;
        });
    };
    const turn = (event, at) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
        choose(1 - at);
        names[1 - at].focus();
    };
    choose(0);
    const complaint = error && element('p', { class: 'form-error', role: 'alert', text: error });
    return [element('div', { class: 'tabs', role: 'tablist', 'aria-label': 'How to begin' }, names), complaint, bodies];
}

function form(action, fields, work) {
    const failure = element('p', { class: 'form-error', role: 'alert', hidden: true });
    const submit = element('button', { class: 'button primary wide', type: 'submit', text: action });
    const node = element('form', { class: 'start-form' }, fields, failure, submit);
    node.addEventListener('submit', async (event) => {
        event.preventDefault();
        submit.disabled = true;
        failure.hidden = true;
        try {
            await work();
        } catch (error) {
            failure.textContent = error.message;
            failure.hidden = false;
            submit.disabled = false;
        }
    });
    return node;
}

// ---- people made here

function castPanel(connectionString, begin) {
    const secret = field('Connection string', {
        tag: 'textarea',
        rows: 4,
        value: connectionString,
        required: true,
        dir: 'ltr',
        spellcheck: false,
        class: 'mono',
        placeholder: 'endpoint=https://…/;accesskey=…',
        hint: 'Starting the node printed it. The key stays in this tab; requests are signed here.',
    });
    const rows = element('div', { class: 'cast' });
    const more = button('Add a person', { icon: icon('plus'), kind: 'quiet' }, () => addRow(rows, more));
    addRow(rows, more);
    addRow(rows, more);
    const people = element('fieldset', { class: 'field' }, element('legend', { text: 'People' }), rows, more);
    const topic = field('Conversation', { value: 'First thread', required: true, maxLength: 250 });
    const work = async () => {
        const names = [...rows.querySelectorAll('input')].map((input) => input.value.trim()).filter(Boolean);
        begin(...(await makeCast(secret.input.value, names, topic.input.value.trim())));
    };
    return { title: 'Try it out', node: form('Create and open', [secret.node, people, topic.node], work) };
}

function addRow(rows, more) {
    const at = rows.children.length;
    const input = element('input', { value: NAMES[at], dir: 'auto', maxLength: 250, autocomplete: 'off' });
    const face = element('span', { class: 'face' });
    const label = () => {
        face.replaceChildren(avatar(`person ${at}`, input.value || '?'));
        remove.setAttribute('aria-label', `Remove ${input.value}`);
    };
    input.setAttribute('aria-label', `Name of person ${at + 1}`);
    input.addEventListener('input', () => label());
    const drop = () => {
        row.remove();
        more.hidden = false;
    };
    const remove = button('Remove', { icon: icon('close'), isIconOnly: true }, drop);
    const row = element('div', { class: 'cast-row' }, face, input, remove);
    label();
    rows.append(row);
    more.hidden = rows.children.length >= PEOPLE_MAX;
}

async function makeCast(connectionString, names, topic) {
    const { endpoint, accessKey } = parseConnectionString(connectionString);
    if (names.length === 0) throw new Error('At least one person is needed.');
    const identities = new IdentityClient(accessKey);
    const cast = await explained(endpoint, () =>
        Promise.all(names.map(async (name) => ({ ...(await identities.createUser()), name }))),
    );
    const [user, ...others] = cast;
    const chat = new ChatClient(() => user.token);
    const participants = cast.map(({ id, name }) => participant(id, name));
    const { chatThread } = await chat.createThread(topic || nameList(names), participants, crypto.randomUUID());
    return [{ user, cast: others, accessKey }, chatThread.id];
}

// The page talks to the node it came from, whatever the connection string names; a refusal may come from that.
async function explained(endpoint, work) {
    try {
        return await work();
    } catch (error) {
        const isElsewhere = error.status === 401 && endpoint !== location.origin;
        if (error.status !== 401) throw error;
        const where = isElsewhere ? ` It names ${endpoint}, this page talks to ${location.origin}.` : '';
        throw new Error(`The access key was refused, or the clocks differ by more than 15 minutes.${where}`);
    }
}

// ---- a token from elsewhere

function tokenPanel(begin) {
    const token = field('Access token', {
        tag: 'textarea',
        rows: 5,
        required: true,
        dir: 'ltr',
        spellcheck: false,
        class: 'mono',
        placeholder: 'eyJhbGciOi…',
        hint: 'With scope chat, from your own service or the identity API.',
    });
    const name = field('Your name', { value: '', required: true, maxLength: 250, placeholder: 'How others see you' });
    const work = async () => {
        const text = token.input.value.trim();
        const user = { id: userIdOf(text), token: text, name: name.input.value.trim() };
        await new ChatClient(() => text).listThreads();
        begin({ user, cast: [] });
    };
    return { title: 'I have a token', node: form('Sign in', [token.node, name.node], work) };
}
