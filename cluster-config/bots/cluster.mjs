// Requests to a Weft cluster: at the first of its addresses that answers.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { setTimeout as pause } from "node:timers/promises";

/** `{status, text, json}`; rejects when there is no answer. */
export function request(url, { method = "GET", headers = {}, body, ca, deadlineMs = 20000 } = {}) {
    const { protocol } = new URL(url);
    const given = body === undefined ? headers : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body), ...headers };
    return new Promise((resolve, reject) => {
        const asked = (protocol === "http:" ? http : https).request(url, { method, headers: given, ca, timeout: deadlineMs }, (answer) => {
            const chunks = [];
            answer.on("data", (chunk) => chunks.push(chunk));
            answer.on("error", reject);
            answer.on("end", () => {
                const text = Buffer.concat(chunks).toString();
                let json;
                try {
                    json = JSON.parse(text);
                } catch {
                    json = undefined;
                }
                resolve({ status: answer.statusCode, text, json });
            });
        });
        asked.on("timeout", () => asked.destroy(new Error(`no answer of ${url} in ${deadlineMs} ms`)));
        asked.on("error", reject);
        asked.end(body);
    });
}

export class Cluster {
    constructor({ endpoints, ca, adminToken }) {
        Object.assign(this, { endpoints, ca, adminToken });
    }

    /** As the environment says: WEFT_ENDPOINTS, WEFT_CA, WEFT_ADMIN_TOKEN or WEFT_ADMIN_TOKEN_FILE. */
    static ofEnvironment(env = process.env) {
        const file = env.WEFT_ADMIN_TOKEN_FILE;
        const adminToken = env.WEFT_ADMIN_TOKEN ?? (file && readFileSync(file, "utf8").trim());
        if (!env.WEFT_ENDPOINTS || !adminToken) throw new Error("WEFT_ENDPOINTS, and WEFT_ADMIN_TOKEN or WEFT_ADMIN_TOKEN_FILE, say which cluster");
        return new Cluster({ endpoints: env.WEFT_ENDPOINTS.split(/[\s,]+/).filter(Boolean), ca: env.WEFT_CA && readFileSync(env.WEFT_CA), adminToken });
    }

    /** What is not there now may be in a moment, at this node or at another one: asked again for half a minute. */
    async call(method, path, { first, body, headers } = {}) {
        const addresses = [...new Set([first, ...this.endpoints].filter(Boolean))];
        const end = Date.now() + 30000;
        for (let attempt = 0; ; attempt++) {
            const url = new URL(path, addresses[attempt % addresses.length]).href;
            const answer = await request(url, { method, body, headers, ca: this.ca }).catch((error) => ({ status: 0, text: error.message }));
            if (answer.status >= 200 && answer.status < 300) return answer;
            const isPassing = answer.status === 0 || answer.status === 429 || answer.status >= 500;
            if (!isPassing || Date.now() > end) throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${answer.text}`), { answer });
            await pause(Math.min(100 * 2 ** attempt, 2000));
        }
    }

    admin(method, path, body) {
        const headers = { Authorization: `Bearer ${this.adminToken}` };
        return this.call(method, path, { headers, body: body === undefined ? undefined : JSON.stringify(body) });
    }
}
