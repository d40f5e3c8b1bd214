// Bots: what they are told, how they answer, and the two that come as examples, with a language model of our own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";
import { fileURLToPath } from "node:url";
import { Assistant } from "../../cluster-config/bots/assistant.mjs";
import { Bot, isSigned } from "../../cluster-config/bots/bot.mjs";
import { Cluster } from "../../cluster-config/bots/cluster.mjs";
import { Completions } from "../../cluster-config/bots/completions.mjs";
import { run, test } from "../sdk/lib/harness.mjs";
import { Receiver } from "../sdk/lib/receiver.mjs";
import { admin } from "./lib/admin.mjs";
import { isInstalled } from "./lib/etcd.mjs";
import { ThreeNodes } from "./lib/three.mjs";
import { World, participant, threadPath, until } from "./lib/world.mjs";

const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";
const allowed = { flags: ["--events-allow-private", "on"] };
const SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const pathOf = (thread, activity = "") => `/v3/conversations/${encodeURIComponent(thread)}/activities${activity && `/${activity}`}`;
const told = (receiver, thread) => receiver.got.filter(({ json }) => json?.conversation?.id === thread);
const typesOf = (receiver, thread) => told(receiver, thread).map(({ json }) => json.type);

async function botOf(world, name, receiver, rest = {}) {
    const user = await world.newUser();
    const made = await admin(world, "PUT", `/admin/bots/${name}`, { endpoint: receiver.url(), userId: user.id, displayName: "Bot", secret: SECRET, ...rest });
    assert.equal(made.status, 201, made.text);
    return user;
}

/** Bots take a moment to be known to who leads a thread. */
async function known(world, receiver, people) {
    await until("the bot is told", async () => {
        const probe = await world.newThread(people);
        return until("of a new thread", () => told(receiver, probe).length > 0, 2000).catch(() => false);
    });
}

const texts = async (world, user, thread) => (await world.allMessages(user, thread)).filter(({ type, deletedOn }) => type === "text" && !deletedOn).map(({ content }) => content.message).reverse();

const call = (world, user, method, path, body) => world.exchange(method, path, { headers: { Authorization: `Bearer ${user.token}` }, body });

const loginOf = (world, name, secret) => world.exchange("POST", "/botframework.com/oauth2/v2.0/token", { headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ grant_type: "client_credentials", client_id: name, client_secret: secret }).toString() });

const clusterOf = (...worlds) => new Cluster({ endpoints: worlds.map(({ node }) => `https://127.0.0.1:${node.port}`), ca: Buffer.concat(worlds.map(({ ca }) => ca)), adminToken: worlds[0].node.adminToken });

test("a bot is told what happens from the answer on, at the node that made it", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    receiver.answer = () => ({});
    const [ann, bob] = await world.newUsers(2);
    const thread = await world.newThread([ann, bob]);
    await botOf(world, "prompt", receiver, { userId: bob.id });
    await world.newMessage(ann, thread, "now");
    await until("it is told", () => told(receiver, thread).some(({ json }) => json.text === "now"));
    receiver.close();
    await world.end();
});

test("a bot is told what happens in its threads, signed, but not what it says itself", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann, bob] = await world.newUsers(2);
    const bot = await botOf(world, "listener", receiver, { wantsTyping: true });
    receiver.answer = () => ({});
    await known(world, receiver, [ann, bot]);
    const foreign = await world.newThread([ann, bob]);
    await world.newMessage(ann, foreign, "none of its business");
    const thread = await world.newThread([ann, bot]);
    const { id } = await world.newMessage(ann, thread, "hello");
    await until("typing is told", async () => {
        await world.expect(ann, "POST", `${threadPath(thread)}/typing`, { body: { senderDisplayName: "Ann" } });
        return until("once", () => typesOf(receiver, thread).includes("typing"), 2000).catch(() => false);
    });
    await call(world, bot, "POST", pathOf(thread), { type: "typing" });
    const said = await call(world, bot, "POST", pathOf(thread), { type: "message", text: "from the bot" });
    assert.equal(said.status, 201, said.text);
    await world.expect(ann, "PATCH", `${threadPath(thread)}/messages/${id}`, { body: { content: "hello again" } });
    await world.expect(ann, "DELETE", `${threadPath(thread)}/messages/${id}`);
    await world.expect(ann, "POST", `${threadPath(thread)}/participants/:add`, { body: { participants: [participant(bob)] } });
    await world.expect(ann, "DELETE", threadPath(thread));
    await until("the end is told", () => typesOf(receiver, thread).includes("endOfConversation"));
    assert.deepEqual(new Set(told(receiver, thread).filter(({ json }) => json.type === "typing").map(({ json }) => json.from.id)), new Set([ann.id]));
    assert.deepEqual(typesOf(receiver, thread).filter((type) => type !== "typing"), ["conversationUpdate", "message", "messageUpdate", "messageDelete", "conversationUpdate", "endOfConversation"]);
    assert.equal(told(receiver, foreign).length, 0);
    const { json, headers, text } = told(receiver, thread).find(({ json: { type } }) => type === "message");
    assert.deepEqual([json.id, json.text, json.from.id, json.recipient.id, json.deliveryMode], [id, "hello", ann.id, bot.id, "normal"]);
    assert.equal(json.serviceUrl, `https://127.0.0.1:${world.node.port}`);
    assert.ok(isSigned(SECRET, headers, text));
    assert.ok(!isSigned(`whsec_${Buffer.alloc(24, 8).toString("base64")}`, headers, text));
    receiver.close();
    await world.end();
});

test("what a bot answers is said once, also when it is told again after a kill", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann] = await world.newUsers(1);
    const bot = await botOf(world, "answering", receiver, { deliveryMode: "expectReplies" });
    let answers = 0, secondIsSent, isKilled = false;
    const second = new Promise((resolve) => (secondIsSent = resolve));
    const answer = (text) => ({ body: { activities: [{ type: "typing" }, { type: "message", text: `answer ${++answers}` }, { type: "bad" }, { type: "message", text: `more on ${text}` }] } });
    // The first one is taken when there is a second one already, which is not: so the log is not told of either when the node dies.
    receiver.answer = async ({ json }) => {
        if (json.type !== "message") return {};
        if (json.text === "one") await second;
        return json.text === "two" && !isKilled ? new Promise(() => {}) : answer(json.text);
    };
    await known(world, receiver, [ann, bot]);
    const thread = await world.newThread([ann, bot]);
    await world.newMessage(ann, thread, "one");
    await receiver.next(({ json }) => json.text === "one");
    await world.newMessage(ann, thread, "two");
    secondIsSent();
    await receiver.next(({ json }) => json.text === "two");
    assert.deepEqual(await texts(world, ann, thread), ["one", "two", "answer 1", "more on one"]);
    world.node.signal("SIGKILL");
    await world.node.waitEnd(30000);
    isKilled = true;
    await world.start(allowed);
    await until("the second answer is said", async () => (await texts(world, ann, thread)).includes("more on two"));
    assert.equal(told(receiver, thread).filter(({ json }) => json.text === "one").length, 2);
    assert.deepEqual(await texts(world, ann, thread), ["one", "two", "answer 1", "more on one", "answer 3", "more on two"]);
    receiver.close();
    await world.end();
});

test("a bot says, changes and takes back by the connector's interface, and only in its threads", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann, eve] = await world.newUsers(2);
    const bot = await botOf(world, "speaking", receiver);
    await known(world, receiver, [ann, bot]);
    const thread = await world.newThread([ann, bot]);
    const login = (secret) => loginOf(world, "speaking", secret);
    assert.equal((await login(`${SECRET.slice(0, -4)}AAAA`)).status, 401);
    const token = (await login(SECRET)).json.access_token;
    const self = { token };
    const activity = { type: "message", id: "mine-1", text: "<b>bold</b>", textFormat: "xml", from: { name: "Botty" }, channelData: { metadata: { a: "b" } } };
    const first = await call(world, self, "POST", pathOf(thread, "123"), activity);
    assert.equal(first.status, 201, first.text);
    assert.equal((await call(world, self, "POST", pathOf(thread), activity)).json.id, first.json.id);
    const [message] = await world.allMessages(ann, thread);
    assert.deepEqual([message.type, message.content.message, message.senderDisplayName, message.metadata], ["html", "<b>bold</b>", "Botty", { a: "b" }]);
    assert.equal((await call(world, self, "PUT", pathOf(thread, first.json.id), { type: "message", text: "other" })).status, 200);
    assert.equal((await world.allMessages(ann, thread))[0].content.message, "other");
    assert.equal((await call(world, self, "POST", pathOf(thread), { type: "typing" })).status, 202);
    assert.equal((await call(world, self, "DELETE", pathOf(thread, first.json.id))).status, 200);
    assert.deepEqual(await texts(world, ann, thread), []);
    const refused = await call(world, self, "POST", pathOf(thread), { type: "message" });
    assert.deepEqual([refused.status, refused.json.error.target], [400, "text"]);
    assert.equal((await call(world, eve, "POST", pathOf(thread), { type: "message", text: "let me in" })).status, 403);
    assert.equal((await call(world, { token: "x" }, "POST", pathOf(thread), { type: "message", text: "let me in" })).status, 401);
    assert.equal((await admin(world, "PUT", "/admin/bots/speaking", { endpoint: "ftp://x" })).json.error.target, "endpoint");
    assert.equal((await admin(world, "GET", "/admin/bots/speaking")).json.secret, undefined);
    assert.equal((await admin(world, "DELETE", "/admin/bots/speaking")).status, 204);
    assert.deepEqual((await admin(world, "GET", "/admin/bots")).json, { value: [] });
    await until("the secret opens nothing any more", async () => (await login(SECRET)).status === 401);
    receiver.close();
    await world.end();
});

test("a bot answers nothing when its user is revoked or gone, and is no bot without a user", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann] = await world.newUsers(1);
    const bot = await botOf(world, "gone", receiver, { deliveryMode: "expectReplies" });
    const identity = (method, rest = "") => world.identityCall(method, `/identities/${encodeURIComponent(bot.id)}${rest}`);
    const put = (userId) => admin(world, "PUT", "/admin/bots/gone", { endpoint: receiver.url(), deliveryMode: "expectReplies", userId });
    const refusals = () => world.node.log.split(" is refused with 401: ").length - 1;
    let before = async () => {};
    receiver.answer = async ({ json }) => {
        if (json.type !== "message") return {};
        await before();
        return { body: { activities: [{ type: "message", text: `answer to ${json.text}` }] } };
    };
    await known(world, receiver, [ann, bot]);
    const thread = await world.newThread([ann, bot]);
    const answered = async (text) => {
        await world.newMessage(ann, thread, text);
        return until("it is answered", async () => (await texts(world, ann, thread)).includes(`answer to ${text}`), 2000).catch(() => false);
    };
    assert.ok(await answered("one"));
    const end = async (text, how) => {
        const seen = refusals();
        before = how;
        await world.newMessage(ann, thread, text);
        await until("its answer is refused", () => refusals() > seen);
        assert.ok(!(await texts(world, ann, thread)).includes(`answer to ${text}`));
        before = async () => {};
    };
    await end("two", async () => assert.equal((await identity("POST", "/:revokeAccessTokens")).status, 204));
    await until("an operator vouches for it again", async () => (await put(bot.id)).status === 200 && answered(`three ${Date.now()}`));
    await end("four", async () => assert.equal((await identity("DELETE")).status, 204));
    const refused = await put(bot.id);
    assert.deepEqual([refused.status, refused.json.error.target], [400, "userId"]);
    assert.match(refused.json.error.message, /There is no user/);
    receiver.close();
    await world.end();
});

test("who only guesses secrets takes no token from anybody", async () => {
    const world = await (await World.make()).start({ flags: [...allowed.flags, "--rate-limits", "acs"] });
    const receiver = await Receiver.open();
    await botOf(world, "quiet", receiver);
    await until("it is known", async () => (await loginOf(world, "quiet", SECRET)).status === 200);
    const wrong = `${SECRET.slice(0, -4)}AAAA`;
    const guesses = await Promise.all(Array.from({ length: 1001 }, () => loginOf(world, "quiet", wrong)));
    assert.deepEqual([...new Set(guesses.map(({ status }) => status))], [401]);
    assert.equal((await loginOf(world, "quiet", SECRET)).status, 200);
    receiver.close();
    await world.end();
});

test("a streamed reply becomes one message that is edited now and then, and ends as it should", async () => {
    const world = await (await World.make()).start(allowed);
    const receiver = await Receiver.open();
    const [ann] = await world.newUsers(1);
    const bot = await botOf(world, "streaming", receiver);
    const thread = await world.newThread([ann, bot]);
    const piece = (text, streamSequence, streamId) => ({ type: "typing", text, entities: [{ type: "streaminfo", streamType: "streaming", streamSequence, streamId }] });
    const { json: { id } } = await call(world, bot, "POST", pathOf(thread), piece("word 1", 1));
    const { offset: first } = await world.newMessage(ann, thread, "before");
    const begun = performance.now();
    const stranger = await world.newUser();
    assert.equal((await call(world, stranger, "PUT", pathOf(thread, id), piece("not hers", 1000, id))).status, 403);
    assert.equal((await call(world, stranger, "POST", pathOf(thread), piece("not hers", 1000, id))).status, 403);
    // At once, as from a bot that does not wait for answers: most are left out, the newest of those that wait is not.
    const pieces = Array.from({ length: 40 }, (_, index) => call(world, bot, "POST", pathOf(thread), piece(`word 1 to ${index + 2}`, index + 2, id)));
    const statuses = (await Promise.all(pieces)).map(({ status }) => status);
    assert.ok(statuses.every((status) => status === 200 || status === 202), String(statuses));
    const { offset: second } = await world.newMessage(ann, thread, "after");
    const most = 2 + (performance.now() - begun) / 500;
    assert.ok(second - first - 1 <= most, `${second - first - 1} edits, at most ${most}`);
    assert.ok((await texts(world, ann, thread)).includes("word 1 to 41"));
    const end = { type: "message", text: "all words", entities: [{ type: "streaminfo", streamType: "final", streamId: id }] };
    assert.equal((await call(world, bot, "POST", pathOf(thread), end)).status, 200);
    assert.equal((await call(world, bot, "POST", pathOf(thread), piece("late", 30, id))).status, 202);
    assert.deepEqual(await texts(world, ann, thread), ["before", "after", "all words"]);
    receiver.close();
    await world.end();
});

test("the echo bot is run by one command", async () => {
    const world = await (await World.make()).start(allowed);
    const program = fileURLToPath(new URL("../../cluster-config/bots/run", import.meta.url));
    const env = { ...process.env, WEFT_ENDPOINTS: `https://127.0.0.1:${world.node.port}`, WEFT_CA: world.node.caFile, WEFT_ADMIN_TOKEN: world.node.adminToken };
    const child = spawn(program, ["echo", "--name", "parrot"], { env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    const [, id] = await until("it says who it is", () => /add (8:acs:\S+) to a thread/.exec(output));
    const [ann] = await world.newUsers(1);
    const answered = async () => {
        const thread = await world.newThread([ann, { id }]);
        await world.newMessage(ann, thread, "a word");
        const expected = ["Hello! I say again what you say.", "a word", "You said: a word"];
        return until("it answers", async () => JSON.stringify((await texts(world, ann, thread)).sort()) === JSON.stringify(expected.sort()), 3000).catch(() => false);
    };
    await until("it echoes", answered);
    child.kill("SIGTERM");
    await until("it ends", () => child.exitCode !== null || child.signalCode !== null);
    await world.end();
});

/** A language model: says what `script` makes of the last message, a word at a time. */
async function modelOf(script) {
    const server = http.createServer(async (request, response) => {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const { messages, stream, model } = JSON.parse(Buffer.concat(chunks).toString());
        if (request.url !== "/v1/chat/completions" || !stream || request.headers.authorization !== "Bearer a-key" || model !== "a-model") return response.writeHead(400).end();
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        const send = (delta) => response.write(`data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`);
        send({ role: "assistant", content: "" });
        for (const word of script(messages).split(/(?<= )/)) {
            send({ content: word });
            await new Promise((resolve) => setImmediate(resolve));
        }
        return response.end("data: [DONE]\n\n");
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { server, completions: new Completions({ baseUrl: `http://127.0.0.1:${server.address().port}/v1/`, model: "a-model", key: "a-key" }) };
}

const words = (count) => Array.from({ length: count }, (_, index) => `word${index}`).join(" ");

function script([{ content: task }, ...messages]) {
    const last = messages.at(-1).content;
    if (/mood/.test(task)) return /awful/.test(last) ? "Negative." : "neutral";
    if (/Summarise/.test(task)) return `summary of: ${last.split("\n")[0]}`;
    return words(60);
}

async function assistantOf(cluster, completions, summaryUrl) {
    const { onActivity } = new Assistant({ completions, summaryUrl });
    const bot = new Bot({ name: "assistant", cluster, secret: SECRET, onActivity });
    const port = await bot.listen();
    const { userId } = await bot.register(`http://127.0.0.1:${port}/api/messages`);
    return { bot, user: { id: userId } };
}

test("the assistant streams what a model says, notes what is urgent, and sums up in the end", async () => {
    const world = await (await World.make()).start(allowed);
    const { server, completions } = await modelOf(script);
    const summaries = await Receiver.open();
    summaries.answer = () => ({});
    const { bot, user } = await assistantOf(clusterOf(world), completions, summaries.url());
    const [ann] = await world.newUsers(1);
    const answered = async () => {
        const thread = await world.newThread([ann, user]);
        await world.newMessage(ann, thread, "this is awful");
        return until("it answers", async () => (await texts(world, ann, thread)).includes(words(60)) && thread, 5000).catch(() => false);
    };
    const thread = await until("the assistant answers", answered);
    assert.deepEqual(await texts(world, ann, thread), ["this is awful", words(60)]);
    const { json } = await world.expect(ann, "GET", threadPath(thread));
    assert.deepEqual(json.metadata, { sentiment: "negative", priority: "high" });
    await world.expect(ann, "DELETE", threadPath(thread));
    const sent = await summaries.next(({ json: summary }) => summary?.conversationId === thread);
    assert.deepEqual([sent.json.priority, sent.json.messages], ["high", 2]);
    assert.match(sent.json.summary, /^summary of: .*this is awful$/);
    bot.close();
    server.close();
    summaries.close();
    await world.end();
});

test("a reply goes on while the node that leads its thread is killed", async () => {
    const cluster = await ThreeNodes.start(3, { isLedByFirst: true, prepare: (world) => world.flags.push("--events-allow-private", "on") });
    const [first, second, third] = cluster.nodes;
    await cluster.whole();
    const receiver = await Receiver.open();
    receiver.answer = () => ({});
    const [ann] = await second.newUsers(1);
    const user = await botOf(second, "steadfast", receiver);
    await known(second, receiver, [ann, user]);
    const bot = new Bot({ name: "steadfast", cluster: clusterOf(second, third), secret: SECRET, onActivity: async () => {} });
    const thread = await second.newThread([ann, user]);
    const { json: activity } = await receiver.next(({ json }) => json?.conversation?.id === thread);
    const conversation = bot.conversationOf({ ...activity, serviceUrl: `https://127.0.0.1:${second.node.port}` });
    const stream = conversation.stream();
    stream.write("word0");
    await until("it is begun", async () => (await texts(second, ann, thread)).length === 1);
    first.isDisturbed = true;
    first.node.signal("SIGKILL");
    for (let count = 2; count < 20; count++) stream.write(words(count));
    await stream.end(words(20));
    assert.deepEqual(await texts(second, ann, thread), [words(20)]);
    await second.newMessage(ann, thread, "are you there?");
    await receiver.next(({ json }) => json?.text === "are you there?");
    receiver.close();
    await cluster.stop();
}, { skip, deadlineMs: 240000 });

await run("bots");
