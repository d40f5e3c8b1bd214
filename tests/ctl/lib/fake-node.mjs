// A node that has nothing but an admin interface, and answers what the test wants: what weftctl speaks to in most cases.

import http from "node:http";

/** `answers`: {"GET /admin/cluster": value}, a value being the body of a 200, `{status, body}`, or a function of the request's body that gives either. */
export class FakeNode {
    static TOKEN = "the-admin-token";
    requests = [];

    static async start(answers) {
        const node = new FakeNode();
        node.answers = answers;
        node.server = http.createServer((request, response) => node.#take(request, response));
        await new Promise((resolve) => node.server.listen(0, "127.0.0.1", resolve));
        node.endpoint = `http://127.0.0.1:${node.server.address().port}`;
        return node;
    }

    #take(request, response) {
        let text = "";
        request.on("data", (chunk) => (text += chunk));
        request.on("end", () => {
            const body = text === "" ? undefined : JSON.parse(text);
            const call = `${request.method} ${request.url}`;
            this.requests.push(body === undefined ? call : `${call} ${text}`);
            const { status, body: answer, raw } = this.#answer(request, call, body);
            response.writeHead(status, { "Content-Type": "application/json" });
            response.end(raw ?? JSON.stringify(answer));
        });
    }

    #answer(request, call, body) {
        if (request.headers.authorization !== `Bearer ${FakeNode.TOKEN}`) return refusal(401, "Unauthorized", "The admin token is missing or wrong.");
        if (!(call in this.answers)) return { status: 404, raw: "" };
        const wanted = this.answers[call];
        const given = typeof wanted === "function" ? wanted(body) : wanted;
        return "status" in given ? given : { status: 200, body: given };
    }

    stop() {
        this.server.closeAllConnections();
        return new Promise((resolve) => this.server.close(resolve));
    }
}

export const refusal = (status, code, message) => ({ status, body: { error: { code, message } } });
export const accepted = { status: 202, body: {} };
