// Serves the page on this machine. PORT (8091); SERVICE_URL: the trusted service (http://127.0.0.1:8090); BUNDLE: what
// bundle.mjs has written, otherwise the page is bundled now.

import { readFileSync } from "node:fs";
import http from "node:http";

const { PORT = "8091", SERVICE_URL = "http://127.0.0.1:8090", BUNDLE } = process.env;
const script = BUNDLE ? readFileSync(BUNDLE) : await (await import("./bundle.mjs")).bundle();
const page = readFileSync(new URL("index.html", import.meta.url), "utf8").replace("SERVICE_URL", SERVICE_URL);
const files = { "/": ["text/html; charset=utf-8", page], "/page.js": ["text/javascript; charset=utf-8", script] };

const server = http.createServer((request, response) => {
    const [type, content] = files[new URL(request.url, "http://127.0.0.1").pathname] ?? [];
    if (!type) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store" }).end(content);
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));
