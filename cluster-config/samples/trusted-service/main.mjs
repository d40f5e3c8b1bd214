// The trusted service over HTTP, on this machine only:
//   POST /join  {room, name}    all that a client needs, and a session
//   POST /token                 a new token, for the session in Authorization: Bearer
//   POST /leave {room}          out of the room again
// Whoever asks is let in by any name: put your own sign-in here, and TLS in front.
//
// WEFT_CONNECTION_STRING; WEFT_ENDPOINTS: where clients are sent (default: as in the connection string); PORT (8090);
// ALLOW_ORIGIN: pages from there may ask (http://127.0.0.1:8091); MEMORY: the file it remembers in (memory.json)

import http from "node:http";
import { parseConnectionString } from "@azure/communication-common";
import { Memory } from "./memory.mjs";
import { TrustedService } from "./service.mjs";

const { WEFT_CONNECTION_STRING, WEFT_ENDPOINTS, PORT = "8090", ALLOW_ORIGIN = "http://127.0.0.1:8091", MEMORY = "memory.json" } = process.env;
if (!WEFT_CONNECTION_STRING) {
    console.error("WEFT_CONNECTION_STRING is not set; cluster-config/up prints it");
    process.exit(2);
}
const endpoints = WEFT_ENDPOINTS?.split(" ") ?? [parseConnectionString(WEFT_CONNECTION_STRING).endpoint];
const service = new TrustedService(WEFT_CONNECTION_STRING, endpoints, new Memory(MEMORY));

const routes = {
    "/join": ({ body }) => service.join(text(body.room, "room"), text(body.name, "name")),
    "/token": ({ session }) => service.renew(session),
    "/leave": async ({ body, session }) => (await service.leave(text(body.room, "room"), session)) ?? {},
};

function text(value, field) {
    if (typeof value === "string" && value !== "" && value.length <= 100) return value;
    throw Object.assign(new Error(`${field} is a text of 1 to 100 characters`), { status: 400 });
}

async function read(request) {
    let body = "";
    for await (const chunk of request) {
        body += chunk;
        if (body.length > 10000) throw Object.assign(new Error("the body is too long"), { status: 413 });
    }
    return body === "" ? {} : JSON.parse(body);
}

async function answer(request) {
    const route = request.method === "POST" ? routes[request.url] : undefined;
    if (!route) return [404, { error: "there is nothing here" }];
    try {
        const session = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
        return [200, await route({ body: await read(request), session })];
    } catch (error) {
        console.error(request.url, error.message);
        return [error.status ?? 500, { error: error.status ? error.message : "that did not work; the log of the service says why" }];
    }
}

const server = http.createServer(async (request, response) => {
    response.setHeader("Access-Control-Allow-Origin", ALLOW_ORIGIN);
    response.setHeader("Access-Control-Allow-Headers", "authorization, content-type");
    if (request.method === "OPTIONS") return response.writeHead(204).end();
    const [status, body] = await answer(request);
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));
