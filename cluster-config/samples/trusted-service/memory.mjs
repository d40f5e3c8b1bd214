// What the service has to remember; yours has a database.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

export class Memory {
    house = null;
    rooms = {};
    sessions = {};
    #file;

    constructor(file) {
        this.#file = file;
        if (existsSync(file)) Object.assign(this, JSON.parse(readFileSync(file, "utf8")));
    }

    save() {
        writeFileSync(`${this.#file}.new`, JSON.stringify(this), { mode: 0o600 });
        renameSync(`${this.#file}.new`, this.#file);
    }
}
