// Days that pass in a moment, for nodes and this process alike (lib/shift_clock.c). What a node makes when it is first
// started, as its certificate, is dated by its clock, so that each case begins today.

import { spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const folder = mkdtempSync(path.join(tmpdir(), "weft-days."));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const library = path.join(folder, "shift_clock.so");
const shift = path.join(folder, "shift");
const source = fileURLToPath(new URL("../../lib/shift_clock.c", import.meta.url));
const built = spawnSync(process.env.CC ?? "cc", ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"]);

/** Why days cannot pass here, or false. */
export const cannotPass = built.status === 0 ? false : "no C compiler for lib/shift_clock.c";

const RealDate = Date;
let aheadS = 0;

class ShiftedDate extends RealDate {
    constructor(...given) {
        if (given.length === 0) super(RealDate.now() + aheadS * 1000);
        else super(...given);
    }
    static now() {
        return RealDate.now() + aheadS * 1000;
    }
}
globalThis.Date = ShiftedDate;

function goTo(seconds) {
    aheadS = seconds;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    // In place: the nodes have it mapped.
    const opened = openSync(shift, existsSync(shift) ? "r+" : "w");
    writeSync(opened, bytes, 0, 8, 0);
    closeSync(opened);
}
goTo(0);

/** No node that has seen other days may run. */
export const beginToday = () => goTo(0);

export const pass = (days, seconds = 0) => goTo(aheadS + Math.round(days * 86400) + seconds);

/** The node, when it is started, lives by that clock. */
export function livesByDays(world) {
    writeFileSync(path.join(world.node.dir, "environment"), `LD_PRELOAD=${library}\nCLOCK_SHIFT_FILE=${shift}\n`);
}
