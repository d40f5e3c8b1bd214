// Runs a suite against three nodes and their etcd, started for it and stopped after it:
//   node on-three-nodes.mjs NAME CONFIG CLOCK [argument of node …] SUITE.mjs WORDS
// CONFIG: the nodes' configuration, a file; CLOCK: lib/shift_clock.c as a library, with which their clock can be moved;
// "" for neither. Fails when the suite does, when a node does not end well, or when sanitizers have something to say.

import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ThreeNodes } from "../../cluster/lib/three.mjs";
import { temporaryFolder, until } from "../../cluster/lib/world.mjs";

const [name, config, clock, ...suite] = process.argv.slice(2);
const folder = temporaryFolder();
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const shift = path.join(folder, "clock-shift");
const trusted = path.join(folder, "ca.pem");
let status = 0;

const fail = (what, details = "") => {
    console.log(`not ok ${name}: ${what}${details.split("\n").filter(Boolean).map((line) => `\n#   ${line}`).join("")}`);
    status = 1;
};

/** What a test needs to stop and start the node by itself is in the node's folder. */
function prepare({ node, flags }) {
    const lines = flags.flatMap((flag, index) => (index % 2 ? [] : [`${flag.slice(2).replaceAll("-", "_")} = ${flags[index + 1]}`]));
    writeFileSync(path.join(node.dir, "node.conf"), `${config ? readFileSync(config, "utf8") : ""}\n${lines.join("\n")}\n`);
    if (!clock) return;
    const options = process.env.ASAN_OPTIONS ? `${process.env.ASAN_OPTIONS}:` : "";
    const variables = [`LD_PRELOAD=${clock}`, `CLOCK_SHIFT_FILE=${shift}`, `ASAN_OPTIONS=${options}verify_asan_link_order=0`];
    writeFileSync(path.join(node.dir, "environment"), `${variables.join("\n")}\n`);
}

function environment(nodes) {
    writeFileSync(trusted, nodes.map(({ node }) => readFileSync(node.caFile, "utf8")).join(""));
    return {
        ...process.env, WEFT_SUITE_PLACE: " on three nodes", WEFT_CA: trusted, NODE_EXTRA_CA_CERTS: trusted, WEFT_CONNECTION_STRING: nodes[0].node.connectionString,
        WEFT_ENDPOINTS: nodes.map(({ node }) => node.endpoint).join(" "), WEFT_NODE_DIR: nodes.map(({ node }) => node.dir).join(":"),
        ...(clock ? { WEFT_CLOCK_SHIFT: shift } : {}),
    };
}

async function end(cluster) {
    // Of one that the suite has started again the end is not ours to know.
    for (const { node } of cluster.nodes) if (node.child.pid !== node.pid) node.child = null;
    try {
        await cluster.stop();
    } catch (error) {
        fail("the nodes stop when told", error.message);
    }
    for (const { node, name: which } of cluster.nodes) {
        const said = node.log.split("\n").filter((line) => /AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:/.test(line));
        if (said.length > 0) fail("the sanitizers are content", said.slice(0, 5).join("\n"));
        if (status !== 0 && process.env.WEFT_TEST_LOGS) writeFileSync(path.join(process.env.WEFT_TEST_LOGS, `sdk-${name.replaceAll(" ", "-")}-${which}.log`), node.log);
    }
}

writeFileSync(shift, Buffer.alloc(8));
try {
    const cluster = await ThreeNodes.start(3, { prepare });
    await until("every node holds every range", () => cluster.isWhole(), 60000);
    const running = spawn(process.execPath, suite, { stdio: "inherit", env: environment(cluster.nodes) });
    if ((await new Promise((resolve) => running.on("exit", resolve))) !== 0) status = 1;
    await end(cluster);
} catch (error) {
    fail("the nodes are ready", error.stack);
}
process.exit(status);
