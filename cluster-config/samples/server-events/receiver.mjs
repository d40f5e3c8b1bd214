// Receives server events, with nothing but Node: shows that it wants them, believes only what is signed with the secret,
// and takes each event once.
//   SECRET=whsec_… node receiver.mjs        PORT (8092)

import { createHmac, timingSafeEqual } from "node:crypto";
import http from "node:http";

const { SECRET = "", PORT = "8092" } = process.env;
const key = Buffer.from(SECRET.replace(/^whsec_/, ""), "base64");
if (key.length < 24) {
    console.error('SECRET is not set; make one: echo "whsec_$(openssl rand -base64 32)"');
    process.exit(2);
}
const OLDEST_S = 300;

/** Standard Webhooks: "v1,<base64>" of id.time.body, perhaps several, apart by spaces. */
function isSigned(headers, body) {
    const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures = "" } = headers;
    if (!(Math.abs(Date.now() / 1000 - Number(time)) <= OLDEST_S)) return false;
    const expected = createHmac("sha256", key).update(`${id}.${time}.`).update(body).digest();
    return signatures.split(" ").some((signature) => {
        const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
        return given.length === expected.length && timingSafeEqual(given, expected);
    });
}

// At least once: after a failure or a takeover events come again, with the same id. Yours keeps ids in its database.
const seen = new Set();

function take(event) {
    if (seen.has(event.id)) return;
    seen.add(event.id);
    console.log(event.eventType.replace("Microsoft.Communication.", ""), event.data.threadId, event.data.messageBody ?? "");
}

function answer(request, body) {
    if (!isSigned(request.headers, body)) return [401, { error: "not signed with the secret" }];
    const events = JSON.parse(body);
    if (request.headers["aeg-event-type"] === "SubscriptionValidation") return [200, { validationResponse: events[0].data.validationCode }];
    events.forEach(take);
    return [200, {}];
}

const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const [status, said] = answer(request, Buffer.concat(chunks));
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(said));
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/`));
