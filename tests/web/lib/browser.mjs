// A headless browser that trusts the node under test, and windows in it that remember every complaint of the page.

import { createHash, X509Certificate } from "node:crypto";
import { mkdirSync } from "node:fs";
import tls from "node:tls";
import { chromium } from "playwright-core";
import { endpoint, endpoints } from "../../sdk/lib/world.mjs";

const FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Nothing leaves this machine, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

export const DESKTOP = { width: 1180, height: 780 };
export const PHONE = { width: 375, height: 720 };

// The hash of the public key of a node's certificate: the keys for which the browser lets an unknown authority pass.
function keyHash(at) {
    const { hostname, port } = new URL(at);
    return new Promise((resolve, reject) => {
        const socket = tls.connect({ host: hostname, port }, () => {
            const { raw } = socket.getPeerCertificate();
            socket.end();
            const key = new X509Certificate(raw).publicKey.export({ type: "spki", format: "der" });
            resolve(createHash("sha256").update(key).digest("base64"));
        });
        socket.on("error", reject);
    });
}

let browser;

export async function openBrowser() {
    browser ??= await chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: [...FLAGS, `--ignore-certificate-errors-spki-list=${await Promise.all(endpoints.map(keyHash))}`],
    });
    return browser;
}

const windows = new Set();

/** A window with storage of its own. `window.page`, `window.allow(pattern)` for complaints that a test provokes. */
export async function openWindow({ address = endpoint, viewport = DESKTOP, isTouch = false, ...options } = {}) {
    const context = await (await openBrowser()).newContext({ viewport, hasTouch: isTouch, isMobile: isTouch, ...options });
    context.setDefaultTimeout(15000);
    const window = adopt(await context.newPage());
    await window.prepare?.();
    if (address) await window.page.goto(address);
    return window;
}

/** Watches a page that the page under test opened. */
export function adopt(page) {
    const complaints = [];
    const allowed = [];
    page.on("console", (message) => {
        const text = `${message.text()} ${message.location().url}`;
        if (message.type() === "error" && !allowed.some((pattern) => pattern.test(text))) complaints.push(text);
    });
    page.on("pageerror", (error) => complaints.push(error.stack ?? String(error)));
    page.on("dialog", (dialog) => {
        complaints.push(`a dialog: ${dialog.message()}`);
        dialog.dismiss();
    });
    const window = { page, complaints, allow: (pattern) => allowed.push(pattern) };
    windows.add(window);
    return window;
}

/** Ends a test: closes its windows and fails when any of them complained. */
export async function closeWindows(name) {
    const complaints = [...windows].flatMap((window) => window.complaints);
    let at = 0;
    for (const window of windows) {
        await keepPicture(window.page, `${name} ${++at}`);
        await window.page.context().close();
    }
    windows.clear();
    if (complaints.length > 0) throw new Error(`the page complained:\n${complaints.join("\n")}`);
}

async function keepPicture(page, name) {
    const folder = process.env.WEFT_SHOTS;
    if (!folder || page.isClosed()) return;
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: `${folder}/${name.replace(/[^\w]+/g, "-")}.png` });
}
