// How far a thread is known. Live offsets are contiguous; a jump means that something was missed. While the server
// repeats what was missed, offsets may skip, and `complete` says how far that reached.

export class Offsets {
    constructor() {
        this.known = null; // null: nothing is known yet
        this.ahead = new Set();
        this.isResuming = false;
    }

    // True when the offset is news: beyond what is known. `isGap` afterwards says whether something before it is missing.
    note(offset) {
        if (this.known !== null && offset <= this.known) return false;
        this.ahead.add(offset);
        this.#advance();
        return this.known !== null;
    }

    get isGap() {
        return this.known !== null && this.ahead.size > 0 && !this.isResuming;
    }

    resume() {
        this.isResuming = true;
    }

    // A new socket knows nothing of what the old one was asked.
    lost() {
        this.isResuming = false;
    }

    complete(offset) {
        this.isResuming = false;
        this.known = Math.max(this.known ?? 0, offset);
        for (const seen of this.ahead) if (seen <= this.known) this.ahead.delete(seen);
        this.#advance();
    }

    #advance() {
        if (this.known === null) return;
        while (this.ahead.delete(this.known + 1)) this.known++;
    }
}
