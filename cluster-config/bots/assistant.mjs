// Answers with what a language model says, while it says it. Of each message that comes in it lets the model judge the mood,
// and notes in the thread's metadata how urgent the conversation is; when the conversation ends it sends a summary to a webhook.

import { request } from "./cluster.mjs";

const TRANSCRIPT_MAX = 100; // messages of a conversation that the model is told

const ASSIST = "You are a helpful assistant in a chat of several people. Answer the last message briefly.";
const JUDGE = "Say of the last message in one word whether its mood is positive, neutral or negative.";
const SUMMARISE = "Summarise this conversation in three sentences at most: what was wanted, and what came of it.";

const plain = (activity) => (activity.textFormat === "xml" ? activity.text.replace(/<[^>]*>/g, "") : activity.text);

export class Assistant {
    #conversations = new Map();

    constructor({ completions, summaryUrl }) {
        Object.assign(this, { completions, summaryUrl });
    }

    onActivity = async (activity, conversation) => {
        if (activity.type === "message") await this.#answer(activity, conversation);
        const hasLeft = activity.membersRemoved?.some(({ id }) => id === activity.recipient.id);
        if (activity.type === "endOfConversation" || hasLeft) await this.#end(activity);
    };

    #of(id) {
        if (!this.#conversations.has(id)) this.#conversations.set(id, { priority: "normal", transcript: [] });
        return this.#conversations.get(id);
    }

    #note(known, role, content) {
        known.transcript.push({ role, content });
        if (known.transcript.length > TRANSCRIPT_MAX) known.transcript.shift();
    }

    async #answer(activity, conversation) {
        const known = this.#of(conversation.id);
        this.#note(known, "user", `${activity.from.name ?? "somebody"}: ${plain(activity)}`);
        await this.#judge(known, conversation);
        const stream = conversation.stream();
        const text = await this.completions
            .complete([{ role: "system", content: ASSIST }, ...known.transcript], (sofar) => stream.write(sofar))
            .catch((error) => (console.error(`assistant: ${error.message}`), ""));
        await stream.end(text || "I cannot answer just now.");
        if (text) this.#note(known, "assistant", text);
    }

    /** A conversation that once was urgent stays so. */
    async #judge(known, conversation) {
        const said = await this.completions.complete([{ role: "system", content: JUDGE }, known.transcript.at(-1)]).catch(() => "");
        const sentiment = /positive|negative/i.exec(said)?.[0].toLowerCase() ?? "neutral";
        if (sentiment === "negative") known.priority = "high";
        await conversation.chat("PATCH", "", { metadata: { sentiment, priority: known.priority } }).catch((error) => console.error(`assistant: ${error.message}`));
    }

    async #end(activity) {
        const { id } = activity.conversation;
        const known = this.#conversations.get(id);
        this.#conversations.delete(id);
        if (!known || !this.summaryUrl) return;
        const said = known.transcript.map(({ role, content }) => (role === "user" ? content : `assistant: ${content}`)).join("\n");
        const summary = await this.completions.complete([{ role: "system", content: SUMMARISE }, { role: "user", content: said }]);
        const body = JSON.stringify({ conversationId: id, priority: known.priority, messages: known.transcript.length, summary });
        const { status } = await request(this.summaryUrl, { method: "POST", body });
        if (status < 200 || status > 299) throw new Error(`the summary's receiver answers ${status}`);
    }
}
