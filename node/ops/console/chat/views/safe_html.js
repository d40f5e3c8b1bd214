// Html by other people, built anew from an allow-list. The server sanitises too; this page does not rely on it. Pictures
// become links, so that a message cannot make the reader's browser call anywhere by itself.

const ALLOWED = new Set(
    (
        'a abbr b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li mark ol p pre q s samp small ' +
        'span strike strong sub sup table tbody td tfoot th thead tr tt u ul var'
    ).split(' '),
);
const DROPPED = new Set('script style template iframe object embed svg math noscript title head textarea select'.split(' '));
const LINK_SCHEMES = new Set(['http:', 'https:', 'mailto:']);
const DEPTH_MAX = 100;

export function safeHtml(html) {
    // The content of a template is inert: nothing in it runs or loads.
    const given = document.createElement('template');
    given.innerHTML = html;
    const fragment = document.createDocumentFragment();
    copyChildren(given.content, fragment, 0);
    return fragment;
}

const texts = new Map(); // html → text; what previews show is asked for at every drawing
const TEXTS_MAX = 500;

// What is read out and shown in previews.
export function textOfHtml(html) {
    if (texts.size > TEXTS_MAX) texts.clear();
    if (!texts.has(html)) texts.set(html, readText(html));
    return texts.get(html);
}

function readText(html) {
    const holder = document.createElement('div');
    holder.append(safeHtml(html));
    for (const block of holder.querySelectorAll('br, p, div, li, tr, h1, h2, h3, h4, h5, h6')) block.before(' ');
    return holder.textContent.replace(/\s+/g, ' ').trim();
}

function copyChildren(from, to, depth) {
    for (const child of from.childNodes) {
        if (child.nodeType === Node.TEXT_NODE) to.append(child.data);
        else if (child.nodeType === Node.ELEMENT_NODE && depth < DEPTH_MAX) copyElement(child, to, depth);
    }
}

function copyElement(from, to, depth) {
    const name = from.localName;
    if (DROPPED.has(name)) return;
    if (name === 'img') return copyPicture(from, to);
    if (!ALLOWED.has(name)) return copyChildren(from, to, depth + 1);
    const copy = name === 'a' ? link(from.getAttribute('href')) : document.createElement(name);
    if (name === 'td' || name === 'th') copySpans(from, copy);
    copyChildren(from, copy, depth + 1);
    to.append(copy);
}

function copySpans(from, copy) {
    copy.colSpan = Math.min(from.colSpan, 100);
    copy.rowSpan = Math.min(from.rowSpan, 100);
}

function copyPicture(from, to) {
    const picture = link(from.getAttribute('src'));
    picture.textContent = from.getAttribute('alt') || 'picture';
    to.append(picture);
}

export function link(address) {
    const anchor = document.createElement('a');
    if (!address || !URL.canParse(address) || !LINK_SCHEMES.has(new URL(address).protocol)) return anchor;
    anchor.href = address;
    anchor.target = '_blank';
    anchor.rel = 'noopener noreferrer';
    return anchor;
}
