// What the browser build of the chat client expects of its surroundings and Node 20 lacks: self, location, XMLHttpRequest
// and WebSocket. Only what it uses. Import this before the client.

import https from "node:https";

// The browser entry of `ws` only throws, and with --conditions=browser a plain import would find that one.
import WebSocket from "../node_modules/ws/wrapper.mjs";

class Request {
    readyState = 0;
    status = 0;
    statusText = "";
    responseText = "";
    timeout = 0;
    withCredentials = false;
    #headers = {};
    #answered = {};
    #exchange = null;

    get response() {
        return this.responseText;
    }
    open(method, url) {
        this.method = method;
        this.url = new URL(url);
        this.#move(1);
    }
    setRequestHeader(name, value) {
        this.#headers[name] = value;
    }
    getResponseHeader(name) {
        return this.#answered[name.toLowerCase()] ?? null;
    }
    getAllResponseHeaders() {
        return Object.entries(this.#answered).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    }
    send(body) {
        if (body) this.#headers["Content-Length"] = Buffer.byteLength(body);
        else if (this.method === "POST") this.#headers["Content-Length"] = 0;
        this.#exchange = https.request(this.url, { method: this.method, headers: this.#headers }, (response) => {
            this.status = response.statusCode;
            this.statusText = response.statusMessage;
            this.#answered = response.headers;
            this.#move(2);
            response.setEncoding("utf8");
            response.on("data", (text) => (this.responseText += text));
            response.on("end", () => this.#end("load"));
            response.on("error", () => this.#fail());
        });
        if (this.timeout) this.#exchange.setTimeout(this.timeout, () => (this.#end("timeout"), this.#exchange.destroy()));
        this.#exchange.on("error", () => this.#fail());
        this.#exchange.end(body || undefined);
    }
    abort() {
        this.#exchange?.destroy();
    }
    addEventListener(name, listener) {
        this[`on${name}`] = listener;
    }
    #fail() {
        this.status = 0;
        this.#end("error");
    }
    #end(event) {
        if (this.readyState === 4) return;
        this.#move(4);
        this[`on${event}`]?.({ type: event, target: this });
        this.onloadend?.({ type: "loadend", target: this });
    }
    #move(state) {
        this.readyState = state;
        this.onreadystatechange?.({ type: "readystatechange", target: this });
    }
}

globalThis.self ??= globalThis;
globalThis.location ??= new URL("https://page.example.org/");
globalThis.XMLHttpRequest ??= Request;
globalThis.WebSocket ??= WebSocket;
