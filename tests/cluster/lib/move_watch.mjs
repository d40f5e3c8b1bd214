// The steps of one move of a range as they happen, seen from outside: in etcd as soon as they are there, on the way there
// before they are, and in what a node counts.

import { clusterAt } from "./admin.mjs";
import { base64 } from "./etcd.mjs";
import { decode } from "./msgpack.mjs";
import { until } from "./world.mjs";

// Ids as the decoder gives them: numbers.
const idOf = (hexadecimal) => Number(BigInt(`0x${hexadecimal}`));
const idsOf = (members = []) => members.map((member) => member[1]);
const recordOf = (value) => ({ range: value[1] ?? 0, primary: value[3], inSync: idsOf(value[4]), learners: idsOf(value[5]) });
const wishOf = (value) => ({ range: value[1] ?? 0, holders: idsOf(value[2]) });
const names = ({ inSync, learners }, id) => inSync.includes(id) || learners.includes(id);

const isLearning = (move) => (record) => record.learners.includes(move.to);
const isInSync = (move) => (record) => record.inSync.includes(move.to);
const isLed = (move) => (record) => record.primary === move.to;
const isGivenUp = (move) => (record) => !names(record, move.from);

/** In their order: each resolves when it has come, with what is to be told of it. A step that is asked for is held until `release`. */
export const STEPS = {
    "wish written": (move) => move.wished(),
    "learner added": (move) => move.recorded(isLearning(move)),
    "first chunk": (move) => move.sent(() => 1),
    "half the rows": (move) => move.sent((bytes) => bytes / 2),
    "rows and tail there": (move) => move.asked(isInSync(move)),
    "in sync": (move) => move.recorded(isInSync(move)),
    "hand-over asked": (move) => move.asked(isLed(move)),
    "handed over": (move) => move.recorded(isLed(move)),
    "copy given up": (move) => move.recorded(isGivenUp(move)),
    "copy being wiped": (move) => move.heard(isGivenUp(move)),
};

export class MoveWatch {
    #waiting = [];
    #isOver = false;

    /**
     * Of a move that has not begun: `{range, from, to, source, bytes}`, `from` and `to` ids as people see them, `source` the
     * world that sends it.
     */
    static async open(cluster, move) {
        const watch = await MoveWatch.#listen(cluster);
        await watch.#follow(move);
        return watch;
    }

    /** Of the first one of `moves` that is wished. */
    static async openFirst(cluster, moves) {
        const watch = await MoveWatch.#listen(cluster);
        watch.moves = moves;
        return watch;
    }

    static async #listen(cluster) {
        const watch = new MoveWatch();
        const folders = { "weft/placements/": wishOf, "weft/ranges/": recordOf };
        watch.ends = await Promise.all(Object.entries(folders).map(([folder, read]) => cluster.etcd.watch(folder, ({ value }) => watch.#take(folder, read(decode(value))))));
        return watch;
    }

    async #follow({ range, from, to, source, bytes }) {
        Object.assign(this, { range, from: idOf(from), to: idOf(to), source, bytes });
        this.sentBefore = await this.#sentBytes();
    }

    #take(folder, value) {
        if (this.range === undefined) {
            const isIt = ({ range, from, to }) => range === value.range && value.holders?.includes(idOf(to)) && !value.holders.includes(idOf(from));
            const move = this.moves?.find(isIt);
            if (move) this.#follow(move).catch(() => {}); // who dies at once cannot be asked
        }
        if (value.range !== this.range) return;
        for (const item of this.#waiting.filter((each) => each.folder === folder && each.condition(value))) item.resolve("");
    }

    #when(folder, condition) {
        return new Promise((resolve) => this.#waiting.push({ folder, condition, resolve }));
    }

    #sentBytes() {
        return this.source.metric("weft_snapshot_sent_bytes_total");
    }

    wished() {
        return this.#when("weft/placements/", ({ holders }) => holders.includes(this.to));
    }
    recorded(condition) {
        return this.#when("weft/ranges/", condition);
    }

    /** The source has sent so much of the rows. */
    async sent(least) {
        await this.recorded(isLearning(this));
        return until("rows are sent", async () => {
            const sent = (await this.#sentBytes()) - this.sentBefore;
            return sent >= least(this.bytes) && `${Math.round(sent / 1024)} of ${Math.round(this.bytes / 1024)} kB`;
        });
    }

    /** The source asks etcd for such a record, and the question is held on its way. */
    asked(condition) {
        const key = base64(`weft/ranges/${String(this.range).padStart(5, "0")}`);
        const isIt = (data) => {
            const text = data.toString("latin1");
            if (!text.includes(key)) return false;
            const values = [...text.matchAll(/"value": ?"([^"]+)"/g)].map(([, value]) => recordOf(decode(Buffer.from(value, "base64"))));
            return values.some((record) => record.range === this.range && condition(record));
        };
        return new Promise((resolve) => {
            for (const passage of this.source.toEtcd)
                passage.stallsAt = (data) => {
                    if (this.#isOver || !isIt(data)) return false;
                    passage.stallsAt = () => false;
                    resolve("");
                    return true;
                };
        });
    }

    /** The source has heard that there is such a record. */
    async heard(condition) {
        await this.recorded(condition);
        await until("the source has heard of it", async () => {
            const { primary, inSync, learners } = (await clusterAt(this.source)).ranges[this.range];
            return condition({ primary: idOf(primary), inSync: inSync.map(idOf), learners: learners.map(idOf) });
        });
        return "";
    }

    end() {
        this.#isOver = true;
        for (const end of this.ends) end();
    }

    /** What was held goes on, or, when who asked is dead, is lost. */
    release(isLost) {
        for (const passage of this.source?.toEtcd ?? []) {
            passage.stallsAt = () => false;
            if (isLost) passage.cut();
            passage.open();
        }
    }
}
