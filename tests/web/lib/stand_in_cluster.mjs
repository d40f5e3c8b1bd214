// A cluster that is only its admin REST: says what a test tells it to, lets moves go on, and remembers what was ordered.

export const TOKEN = "admin-token-of-the-stand-in";

const hex = (position) => position.toString(16).padStart(16, "0");

// Ranges held as a placement by turns gives: primary, then the next nodes.
export class StandInCluster {
    calls = [];
    token = TOKEN;
    isSilent = false;
    cluster = "weft";
    balancer = { isPaused: false, isBalanced: true, movesMax: 4 };
    moves = [];

    constructor({ nodes = 3, ranges = 64, factor = 3 } = {}) {
        this.factor = factor;
        this.nodes = Array.from({ length: nodes }, (_, at) => this.#node(at + 1));
        const step = (1n << 64n) / BigInt(ranges || 1);
        this.ranges = Array.from({ length: ranges }, (_, range) => ({
            range,
            epoch: 7,
            first: hex(BigInt(range) * step),
            last: hex(BigInt(range + 1) * step - 1n),
            primary: this.nodes[range % nodes].id,
            inSync: Array.from({ length: Math.min(factor, nodes) }, (_, copy) => this.nodes[(range + copy) % nodes].id),
            learners: [],
            storedBytes: 15e6 + range * 1e5,
            writesPerSecond: 3.5,
            deliveriesPerSecond: 120,
        }));
    }

    #node(number) {
        const load = { storedBytes: 1e9, connections: 1200 + 10 * number, sessions: 1190, slowClients: 0 };
        const rates = { deliveriesPerSecond: 2500 + 40 * number, writesPerSecond: 75, commitMsP50: 0.8, commitMsP99: 2.4 };
        return {
            id: number.toString(16).padStart(16, "a"),
            name: `node-${number}`,
            zone: "",
            publicUrl: `https://node-${number}.stand-in.test:8443`,
            peerAddress: `10.0.0.${number}:8600`,
            isAlive: true,
            isDraining: false,
            isThisNode: number === 1,
            load: { ...load, ...rates },
        };
    }

    node(name) {
        return this.nodes.find((node) => node.name === name);
    }

    join() {
        this.nodes.push(this.#node(this.nodes.length + 1));
        this.balancer.isBalanced = false;
    }

    // A copy of a range on its way, `share` of it done.
    copy(range, to, share, from = this.ranges[range].primary) {
        const { id } = this.node(to);
        const row = this.ranges[range];
        row.learners = [id];
        row.target = { holders: [row.primary, id], primary: row.primary };
        this.balancer.isBalanced = false;
        const bytesTotal = row.storedBytes;
        const progress = { bytesDone: Math.round(bytesTotal * share), bytesTotal, bytesPerSecond: 12e6, startedAt: Date.now() };
        this.moves = this.moves.filter((move) => move.range !== range);
        this.moves.push({ range, kind: "copy", from, to: id, state: share < 1 ? "learning" : "catching up", ...progress });
    }

    handOver(range, to) {
        const progress = { bytesDone: 0, bytesTotal: 0, bytesPerSecond: 0, startedAt: Date.now() };
        this.moves.push({ range, kind: "primary", from: this.ranges[range].primary, to: this.node(to).id, state: "handing over", ...progress });
    }

    // The copy is in sync, takes the place of the last one, and leads if asked to.
    finish(range, { leads = false } = {}) {
        const row = this.ranges[range];
        const [id] = row.learners;
        row.inSync = [...row.inSync.slice(0, -1), id];
        row.learners = [];
        delete row.target;
        if (leads) row.primary = id;
        row.epoch++;
        this.moves = this.moves.filter((move) => move.range !== range);
        this.balancer.isBalanced = this.moves.length === 0;
    }

    body() {
        const alive = this.nodes.filter((node) => node.isAlive).length || 1;
        const counted = (node) => ({
            primary: this.ranges.filter((range) => range.primary === node.id).length,
            inSync: this.ranges.filter((range) => range.inSync.includes(node.id)).length,
            learning: this.ranges.filter((range) => range.learners.includes(node.id)).length,
        });
        const share = (node) => (node.isAlive ? (counted(node).primary + counted(node).inSync) / (this.ranges.length * (1 + Math.min(this.factor, alive)) || 1) : 0);
        return {
            cluster: this.cluster,
            rangeCount: this.ranges.length,
            replicationFactor: this.factor,
            minInSync: Math.min(2, this.factor),
            balancer: { node: this.nodes[0]?.id ?? "", ...this.balancer },
            nodes: this.nodes.map((node) => ({ ...node, ranges: counted(node), load: { ...node.load, share: share(node) } })),
            ranges: this.ranges,
            moves: this.moves,
        };
    }

    // What a node would answer; undefined when it does not.
    answer(method, path, authorization) {
        if (authorization !== `Bearer ${this.token}`) {
            return { status: 401, json: { error: { code: "Unauthorized", message: "The admin token is wrong." } } };
        }
        if (method === "GET" && path === "/admin/cluster") return { status: 200, json: this.body() };
        this.calls.push(`${method} ${path}`);
        const name = /^\/admin\/nodes\/([^/]+)\/drain$/.exec(path)?.[1];
        if (path === "/admin/rebalance/pause") this.balancer.isPaused = true;
        else if (path === "/admin/rebalance/resume") this.balancer.isPaused = false;
        else if (path === "/admin/rebalance/cancel") this.moves = [];
        else if (name) this.nodes.find(({ id }) => id === name).isDraining = method === "POST";
        else return { status: 404, json: { error: { code: "NotFound", message: "There is nothing here." } } };
        return { status: 202, json: {} };
    }

    // Stands between the page and /admin of every node. `silent`: hosts that do not answer.
    async serve(page, { silent = () => false } = {}) {
        const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "authorization", "access-control-allow-methods": "*" };
        await page.route("**/admin/**", async (route) => {
            const request = route.request();
            const { host, pathname } = new URL(request.url());
            if (this.isSilent || silent(host)) return route.abort("connectionrefused");
            if (request.method() === "OPTIONS") return route.fulfill({ status: 204, headers: cors });
            const { status, json } = this.answer(request.method(), pathname, request.headers().authorization);
            this.asked = host;
            return route.fulfill({ status, json, headers: cors });
        });
    }
}
