// Starts one of the bots, and makes it known to the cluster.

import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { Assistant } from "./assistant.mjs";
import { Bot } from "./bot.mjs";
import { Cluster } from "./cluster.mjs";
import { Completions } from "./completions.mjs";
import { echo } from "./echo.mjs";

const kinds = {
    echo: () => echo,
    assistant: () => ({ onActivity: new Assistant({ completions: Completions.ofEnvironment(), summaryUrl: process.env.ASSISTANT_SUMMARY_URL }).onActivity }),
};

function usage(why) {
    console.error(`${why}\nrun echo|assistant [--name NAME] [--listen HOST:PORT] [--url URL]`);
    process.exit(2);
}

async function start() {
    const options = { name: { type: "string" }, listen: { type: "string", default: "127.0.0.1:0" }, url: { type: "string" } };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const kind = kinds[positionals[0]];
    if (!kind || positionals.length > 1) usage("Which bot?");
    const [, host, port] = /^(.*):(\d+)$/.exec(values.listen) ?? usage("--listen is HOST:PORT");
    const name = values.name ?? positionals[0];
    const cluster = Cluster.ofEnvironment();
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    const bot = new Bot({ name, cluster, secret, ...kind() });
    const listens = `http://${host}:${await bot.listen(Number(port), host)}/api/messages`;
    const url = values.url ?? listens; // where a proxy in front of it is reached
    const { userId } = await bot.register(url);
    console.log(`${name} listens at ${url}; add ${userId} to a thread`);
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
}

start().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
