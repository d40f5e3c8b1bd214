// Line icons on a 20 × 20 grid, drawn for this page.

const PATHS = {
    send: 'M3.5 10 16.5 4l-4 13-3.2-5.2z M9.3 11.8 16.5 4',
    back: 'M12.5 4.5 7 10l5.5 5.5',
    people: 'M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6z M2.5 16.5c0-2.8 2.2-4.7 5-4.7s5 1.9 5 4.7 M13 9.3a2.6 2.6 0 1 0-.6-5.1 M14.4 11.9c1.9.4 3.1 2 3.1 4.2',
    more: 'M4.5 10h.01 M10 10h.01 M15.5 10h.01',
    pencil: 'M4 16l.8-3.4L13.2 4.2a1.4 1.4 0 0 1 2 0l.6.6a1.4 1.4 0 0 1 0 2L7.4 15.2z',
    trash: 'M4 5.5h12 M8 5.5V3.8h4v1.7 M5.5 5.5l.7 10.7h7.6l.7-10.7',
    plus: 'M10 4v12 M4 10h12',
    copy: 'M7 7V4h9v9h-3 M4 7h9v9H4z',
    clock: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14z M10 6.2V10l2.6 1.8',
    window: 'M8.5 4H4v12h12v-4.5 M11.5 4H16v4.5 M16 4l-6.5 6.5',
    close: 'M5 5l10 10 M15 5 5 15',
    down: 'M10 4v12 M5 11l5 5 5-5',
    info: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14z M10 9.3v4 M10 6.6h.01',
    leave: 'M8 4H4v12h4 M8.5 10H17 M13.5 6.5 17 10l-3.5 3.5',
    code: 'M7 6l-4 4 4 4 M13 6l4 4-4 4',
    alert: 'M10 3.2 17.5 16h-15z M10 8v4 M10 14h.01',
    sun: 'M10 13.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4z M10 2.5v1.6 M10 15.9v1.6 M2.5 10h1.6 M15.9 10h1.6 M4.7 4.7l1.1 1.1 M14.2 14.2l1.1 1.1 M15.3 4.7l-1.1 1.1 M5.8 14.2l-1.1 1.1',
    moon: 'M16 12.2A6.6 6.6 0 0 1 7.8 4a6.6 6.6 0 1 0 8.2 8.2z',
    half: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14z M10 3v14 M10 6h5.7 M10 10h7 M10 14h5.7',
    check: 'M4.5 10.5 8.5 14.5 15.5 6',
    retry: 'M16 10a6 6 0 1 1-1.9-4.4 M16.2 3v3.4h-3.4',
};

const SVG = 'http://www.w3.org/2000/svg';

export function icon(name) {
    const drawing = document.createElementNS(SVG, 'svg');
    drawing.setAttribute('viewBox', '0 0 20 20');
    drawing.setAttribute('aria-hidden', 'true');
    drawing.setAttribute('class', `icon icon-${name}`);
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', PATHS[name]);
    drawing.append(path);
    return drawing;
}
