// Elements made without strings of html: text stays text.

// attributes: `class`, `on: {event: handler}`, `text`, properties of the element, or attributes (names with '-' or ':').
export function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) set(node, name, value);
    node.append(...children.flat(Infinity).filter((child) => child instanceof Node || (typeof child === 'string' && child !== '')));
    return node;
}

function set(node, name, value) {
    if (value === undefined || value === false) return;
    if (name === 'class') node.className = value;
    else if (name === 'text') node.textContent = value;
    else if (name === 'on') for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name in node && !name.includes('-') && name !== 'list') node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
}

// Text by whomever, in whatever script.
export function words(tag, text, attributes = {}) {
    return element(tag, { dir: 'auto', ...attributes, text });
}

export function button(label, { icon, kind = '', ...attributes }, click) {
    const shown = icon ? [icon, attributes.isIconOnly ? undefined : element('span', { text: label })] : [label];
    const { isIconOnly, ...rest } = attributes;
    const names = { class: `button ${kind} ${isIconOnly ? 'icon-only' : ''}`.trim(), type: 'button' };
    if (isIconOnly) Object.assign(names, { 'aria-label': label, title: label });
    return element('button', { ...names, ...rest, on: { click } }, shown);
}

// Makes the children of `parent` be `items` ({key, signature, build}), touching only what differs, so that focus, scroll
// and selection survive.
export function reconcile(parent, items) {
    const old = new Map([...parent.children].map((node) => [node.weftKey, node]));
    let place = parent.firstElementChild;
    for (const item of items) {
        let node = old.get(item.key);
        old.delete(item.key);
        if (node && node.weftSignature !== item.signature) {
            if (node === place) place = node.nextElementSibling;
            node = replaced(node, item);
        }
        node ??= built(item);
        if (node === place) place = place.nextElementSibling;
        else parent.insertBefore(node, place);
    }
    for (const node of old.values()) node.remove();
}

function built(item) {
    return Object.assign(item.build(), { weftKey: item.key, weftSignature: item.signature });
}

function replaced(node, item) {
    const focused = node.contains(document.activeElement) ? document.activeElement.dataset.part : undefined;
    const fresh = built(item);
    node.replaceWith(fresh);
    if (focused) fresh.querySelector(`[data-part="${focused}"]`)?.focus();
    return fresh;
}
