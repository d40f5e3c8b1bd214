// A test runner in one screen: named cases run one after the other, each has a deadline, and each gives one line of
// output: `ok name`, `not ok name` with the reason on `#` lines, or `skip name # why`.

const cases = [];

/** `name` is a sentence. `options.skip`: why it cannot run here, or false. */
export function test(name, body, options = {}) {
    cases.push({ name, body, ...options });
}

export class Skip extends Error {}

const withDeadline = async (promise, deadlineMs) => {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no end within ${deadlineMs} ms`)), deadlineMs);
    });
    try {
        await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
};

const describe = (error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return text
        .split("\n")
        .filter((line) => !/node:internal|node_modules/.test(line))
        .slice(0, 60)
        .map((line) => `#   ${line}`)
        .join("\n");
};

// What the packages leave behind after a lost connection must not end the whole suite, but it is worth a line.
process.on("unhandledRejection", (error) => console.log(`# unhandled rejection: ${error?.message ?? error}`));

/** Runs the cases whose full name ("suite: name") contains the first argument, or with --list names all; ends the process. */
export async function run(name) {
    const suite = `${name}${process.env.WEFT_SUITE_PLACE ?? ""}`;
    const wanted = process.argv[2] ?? "";
    if (wanted === "--list") {
        for (const { name } of cases) console.log(`${suite}: ${name}`);
        process.exit(0);
    }
    let failures = 0;
    for (const { name, body, skip, deadlineMs = 60000 } of cases) {
        const full = `${suite}: ${name}`;
        if (!full.includes(wanted)) continue;
        if (skip) {
            console.log(`skip ${full} # ${skip}`);
            continue;
        }
        try {
            await withDeadline(body(), deadlineMs);
            console.log(`ok ${full}`);
        } catch (error) {
            if (error instanceof Skip) {
                console.log(`skip ${full} # ${error.message}`);
                continue;
            }
            failures++;
            console.log(`not ok ${full}\n${describe(error)}`);
        }
    }
    process.exit(failures === 0 ? 0 : 1);
}
