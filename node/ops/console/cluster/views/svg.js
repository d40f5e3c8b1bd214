// Elements of drawings. Attributes only: styles that change are set as properties, which the page's policy allows.

const SVG = 'http://www.w3.org/2000/svg';

export function svg(tag, attributes = {}, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name === 'on') for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
        else if (value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
}

// Only what differs, as every touched path is drawn anew.
export function setAttributes(node, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
        if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
    }
}

// `children` of a group made so many.
export function resize(group, count, build) {
    while (group.children.length > count) group.lastElementChild.remove();
    while (group.children.length < count) group.append(build(group.children.length));
}
