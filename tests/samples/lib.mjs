// Samples as programs that run while a case does, and what they print.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { connectionString, endpoints, until } from "../sdk/lib/world.mjs";
import { freePort } from "../lib/node.mjs";

const samples = path.join(import.meta.dirname, "../../cluster-config/samples");
const folder = mkdtempSync(path.join(tmpdir(), "weft-samples."));
const running = new Set();
process.on("exit", () => {
    for (const { child } of running) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
});

/** Started, and serving at `url`; `printed` is all that it said. */
export async function startSample(program, environment = {}) {
    const port = environment.PORT ?? String(await freePort());
    const sample = { printed: "" };
    sample.child = spawn(process.execPath, [path.join(samples, program)], { cwd: folder, env: { ...process.env, PORT: port, ...environment } });
    running.add(sample);
    for (const stream of [sample.child.stdout, sample.child.stderr]) stream.setEncoding("utf8").on("data", (text) => (sample.printed += text));
    sample.ended = new Promise((resolve) => sample.child.on("exit", resolve));
    sample.url = await until(`${program} serves`, () => {
        if (sample.child.exitCode !== null) throw new Error(`${program} ended: ${sample.printed}`);
        return /^(http:\/\/\S+?)\/?$/m.exec(sample.printed)?.[1];
    }, 60000);
    return sample;
}

export async function stopSample(sample) {
    sample.child.kill();
    await sample.ended;
    running.delete(sample);
}

export const trustedService = (environment) =>
    startSample("trusted-service/main.mjs", { WEFT_CONNECTION_STRING: connectionString, WEFT_ENDPOINTS: endpoints.join(" "), ...environment });

/** `{status, json}` of a request to the trusted service. */
export async function ask(service, route, body = {}, session) {
    const headers = { "Content-Type": "application/json", ...(session ? { Authorization: `Bearer ${session}` } : {}) };
    const answer = await fetch(service.url + route, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, json: await answer.json() };
}
