// Text from any server that speaks OpenAI's chat completions, token by token.

import { readFileSync } from "node:fs";

export class Completions {
    constructor({ baseUrl, model, key }) {
        Object.assign(this, { baseUrl: baseUrl.replace(/\/$/, ""), model, key });
    }

    /** OPENAI_BASE_URL, OPENAI_MODEL, OPENAI_API_KEY_FILE or OPENAI_API_KEY. */
    static ofEnvironment(env = process.env) {
        if (!env.OPENAI_BASE_URL) throw new Error("OPENAI_BASE_URL says where chat completions are, as http://127.0.0.1:11434/v1");
        const key = env.OPENAI_API_KEY_FILE ? readFileSync(env.OPENAI_API_KEY_FILE, "utf8").trim() : env.OPENAI_API_KEY;
        return new Completions({ baseUrl: env.OPENAI_BASE_URL, model: env.OPENAI_MODEL ?? "gpt-4o-mini", key });
    }

    /** All of the text; `onText` is called with what there is of it, whenever there is more. */
    async complete(messages, onText = () => {}) {
        const headers = { "Content-Type": "application/json", Accept: "text/event-stream", ...(this.key ? { Authorization: `Bearer ${this.key}` } : {}) };
        const body = JSON.stringify({ model: this.model, messages, stream: true });
        const answer = await fetch(`${this.baseUrl}/chat/completions`, { method: "POST", headers, body, signal: AbortSignal.timeout(120000) });
        if (!answer.ok) throw new Error(`${this.baseUrl} answers ${answer.status}: ${(await answer.text()).slice(0, 200)}`);
        let text = "";
        for await (const data of eventsOf(answer.body)) {
            if (data === "[DONE]") break;
            const more = JSON.parse(data).choices?.[0]?.delta?.content;
            if (!more) continue;
            text += more;
            onText(text);
        }
        return text;
    }
}

/** The data of server-sent events. */
async function* eventsOf(stream) {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
        rest = lines.pop();
        for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
    }
}
