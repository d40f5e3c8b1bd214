// The page with all it needs as one script. `node bundle.mjs FILE` writes it, for servers that are to have no packages.

import { writeFileSync } from "node:fs";
import { build } from "esbuild";

export async function bundle() {
    const { outputFiles } = await build({
        entryPoints: [new URL("page.jsx", import.meta.url).pathname],
        bundle: true,
        minify: true,
        write: false,
        format: "esm",
        jsx: "automatic",
        define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
        logLevel: "error",
    });
    return outputFiles[0].contents;
}

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(process.argv[2], await bundle());
