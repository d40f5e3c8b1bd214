// Which colour a node has. Any two of the twelve differ clearly for people with full sight and for those who do not see
// red or green; tests measure it. Each is given for light and dark, and a node also carries its tag everywhere.

export const COLORS = [
    { light: '#2276d3', dark: '#0663bf' },
    { light: '#c1882e', dark: '#e0ca60' },
    { light: '#a72545', dark: '#aa4141' },
    { light: '#06d4e2', dark: '#4ceede' },
    { light: '#9cd06f', dark: '#7ca751' },
    { light: '#783a90', dark: '#ae7fcc' },
    { light: '#3c8170', dark: '#1f9371' },
    { light: '#f2aeac', dark: '#fdc19c' },
    { light: '#456200', dark: '#806901' },
    { light: '#8e7aa5', dark: '#fe90a9' },
    { light: '#1ab8fc', dark: '#97d4fe' },
    { light: '#9d9666', dark: '#44678c' },
];

// Keeps each node's slot for as long as the page is open, so that nobody changes colour when another joins or leaves.
export class Slots {
    #byId = new Map();
    #tags = new Map();

    // Gives the nodes that are new a slot, by name; those that left give theirs back only when it is needed.
    update(nodes) {
        const present = new Set(nodes.map((node) => node.id));
        const fresh = nodes.filter((node) => !this.#byId.has(node.id));
        for (const node of fresh.sort(byName)) this.#byId.set(node.id, this.#free(present, numberIn(node.name) - 1));
        this.#tags = this.#tagsOf(nodes);
    }

    // From 0; -1 for a node never seen.
    of(id) {
        return this.#byId.get(id) ?? -1;
    }

    // A few characters that stand for the node.
    tagOf(id) {
        return this.#tags.get(id) ?? '?';
    }

    // "node-5" has the fifth colour on every screen when nobody else has it.
    #free(present, wanted) {
        const taken = new Set(this.#byId.values());
        if (wanted >= 0 && wanted < COLORS.length && !taken.has(wanted)) return wanted;
        for (let slot = 0; slot < COLORS.length; slot++) if (!taken.has(slot)) return slot;
        for (const [id, slot] of this.#byId) {
            if (present.has(id)) continue;
            this.#byId.delete(id);
            return slot;
        }
        return Math.max(...taken) + 1;
    }

    #tagsOf(nodes) {
        const numbers = nodes.map((node) => numberIn(node.name));
        const areDistinct = numbers.every(Number.isInteger) && new Set(numbers).size === nodes.length;
        return new Map(nodes.map(({ id }, at) => [id, String(areDistinct ? numbers[at] : this.of(id) + 1)]));
    }
}

// The number that a name ends with; NaN when it has none, or is an id.
function numberIn(name) {
    const found = /^[0-9a-f]{16}$/.test(name) ? undefined : /(\d{1,3})$/.exec(name);
    return found ? Number(found[1]) : NaN;
}

export const byName = (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }) || (a.id < b.id ? -1 : 1);

// The custom property that a slot's colour is in.
export const colorOf = (slot) => (slot < 0 ? 'var(--ink-soft)' : `var(--node-${slot % COLORS.length})`);
