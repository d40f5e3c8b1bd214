// HTTP as it goes over the wire: the target is sent byte for byte as given (no normalising of "//", ":" or "%"), the
// answer is whatever came. Also the signature of requests with the resource's access key.

import { createHash, createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import https from "node:https";

const ca = process.env.WEFT_CA ? readFileSync(process.env.WEFT_CA) : undefined;
const agent = new https.Agent({ keepAlive: true, maxSockets: 16, ca });

/** `{origin, status, headers, text, json}`. `origin` is "https://host:port"; `body`: undefined, text, bytes, or an object. */
export function exchange(origin, method, target, { headers = {}, body, deadlineMs = 30000 } = {}) {
    const url = new URL(origin);
    const payload = body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const given = { ...headers };
    if (payload !== undefined && !Object.keys(given).some((name) => name.toLowerCase() === "content-type"))
        given["Content-Type"] = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    if (payload !== undefined) given["Content-Length"] = Buffer.byteLength(payload);
    return new Promise((resolve, reject) => {
        const request = https.request(
            // The certificate is checked for where we connect to, whatever a Host header says.
            { agent, method, host: url.hostname, port: url.port, servername: "", path: target, headers: given, timeout: deadlineMs },
            (response) => {
                const chunks = [];
                response.on("data", (chunk) => chunks.push(chunk));
                response.on("error", reject);
                response.on("end", () => {
                    const text = Buffer.concat(chunks).toString("utf8");
                    let json;
                    try {
                        json = text === "" ? undefined : JSON.parse(text);
                    } catch {
                        json = undefined;
                    }
                    resolve({ origin, status: response.statusCode, headers: response.headers, rawHeaders: response.rawHeaders, text, json });
                });
            },
        );
        request.on("timeout", () => request.destroy(new Error(`no answer to ${method} ${target} in ${deadlineMs} ms`)));
        request.on("error", reject);
        request.end(payload);
    });
}

/** The headers of a signed request (contract 2.1), and those of `more`, which are signed, too. Any part can be replaced to make a wrong signature. */
export function signature(key, method, target, host, body = "", date = new Date().toUTCString(), more = {}) {
    const contentHash = createHash("sha256").update(body).digest("base64");
    const text = `${method}\n${target}\n${[date, host, contentHash, ...Object.values(more)].join(";")}`;
    const signed = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
    return {
        ...more,
        "x-ms-date": date,
        "x-ms-content-sha256": contentHash,
        Authorization: `HMAC-SHA256 SignedHeaders=${["x-ms-date", "host", "x-ms-content-sha256", ...Object.keys(more)].join(";")}&Signature=${signed}`,
        "x-ms-client-request-id": randomUUID(),
    };
}
