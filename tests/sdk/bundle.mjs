// The line 1.5 of the chat client has its real time in files that only bundlers for browsers select (the "browser" field
// of its package.json). This bundles it as an application would; the package itself stays as it is.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";

await build({
    stdin: { contents: 'export { ChatClient } from "chat-1-5";', resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "js" },
    bundle: true,
    platform: "browser",
    format: "esm",
    mainFields: ["browser", "module", "main"],
    define: { global: "globalThis", "process.env.NODE_ENV": '"production"' },
    outfile: new URL("./node_modules/.weft/chat-1-5-browser.mjs", import.meta.url).pathname,
    logLevel: "error",
});
