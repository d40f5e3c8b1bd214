// The last minutes of every node's numbers, for the sparklines.

const KEPT_MS = 180000;
const SAMPLES_MAX = 400;
// Longer without an answer is a gap in the line.
const GAP_MS = 15000;

export class History {
    #byNode = new Map();

    add(view) {
        for (const node of view.nodes) {
            const samples = this.of(node.id);
            // A node that is silent has no numbers: the line ends there and goes on later.
            samples.push({ at: view.at, ...(node.isAlive ? node.load : {}) });
            while (samples.length > SAMPLES_MAX || samples[0].at < view.at - KEPT_MS) samples.shift();
        }
        for (const id of this.#byNode.keys()) if (!view.nodeById.has(id)) this.#byNode.delete(id);
    }

    of(id) {
        if (!this.#byNode.has(id)) this.#byNode.set(id, []);
        return this.#byNode.get(id);
    }
}

// The line of one number as an SVG path in a box, the newest at the right edge, `windowMs` wide; `top` is the value at the
// upper edge. Gaps in time or numbers are gaps in the line.
export function sparkPath(samples, name, box) {
    return pieces(samples, name, box)
        .map((points) => `M${points.map(({ x, y }) => `${x} ${y}`).join('L')}`)
        .join('');
}

// What is under that line.
export function sparkArea(samples, name, box) {
    const under = (points) => `M${points[0].x} ${box.height}L${points.map(({ x, y }) => `${x} ${y}`).join('L')}V${box.height}Z`;
    return pieces(samples, name, box).map(under).join('');
}

function pieces(samples, name, { width, height, windowMs, top, now }) {
    const found = [];
    let previous;
    for (const { at, [name]: value } of samples) {
        const isThere = Number.isFinite(value) && at >= now - windowMs;
        if (isThere) {
            if (previous === undefined || at - previous >= GAP_MS) found.push([]);
            const x = width - ((now - at) / windowMs) * width;
            const y = height - Math.min(1, top > 0 ? value / top : 0) * height;
            found.at(-1).push({ x: x.toFixed(1), y: y.toFixed(1) });
        }
        previous = isThere ? at : undefined;
    }
    return found;
}

export const highest = (lists, name) => Math.max(0, ...lists.flat().map((sample) => sample[name] ?? 0));
