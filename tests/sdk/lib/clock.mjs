// Time travel: the nodes under test (through lib/shift_clock.c) and this process go ahead together, so that what the
// official packages and the nodes think of a token stays in step. Only forwards, as in life.

import { existsSync, openSync, closeSync, writeSync } from "node:fs";

const file = process.env.WEFT_CLOCK_SHIFT ?? null;

/** False when the nodes were not started with a clock that can be moved. */
export const canShift = file !== null && existsSync(file);

const RealDate = Date;
let ahead = 0;

class ShiftedDate extends RealDate {
    constructor(...given) {
        if (given.length === 0) super(RealDate.now() + ahead * 1000);
        else super(...given);
    }
    static now() {
        return RealDate.now() + ahead * 1000;
    }
}

export function goAhead(seconds) {
    if (!canShift) throw new Error("this node's clock cannot be moved");
    ahead += seconds;
    globalThis.Date = ShiftedDate;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ahead));
    const opened = openSync(file, "r+");
    writeSync(opened, bytes, 0, 8, 0);
    closeSync(opened);
}

/** Tokens made with `expiresInMinutes: 60` a moment ago have about `seconds` left after this. */
export const goToLast = (seconds) => goAhead(3600 - seconds);
