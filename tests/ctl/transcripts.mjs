// Every command as people see it, against a node that always says the same. What is expected is in transcripts/; --rewrite
// as the first word renews it.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { run, test } from "../sdk/lib/harness.mjs";
import { ailing, balanced, hostile, joining, nothingToDo, plan } from "./lib/clusters.mjs";
import { accepted, FakeNode, refusal } from "./lib/fake-node.mjs";
import { traced, tracedInPart, tracePath } from "./lib/traces.mjs";
import { weftctlAt } from "./lib/weftctl.mjs";

const isRewriting = process.argv[2] === "--rewrite";
if (isRewriting) process.argv.splice(2, 1);

const calls = {
    "POST /admin/rebalance/pause": accepted, "POST /admin/rebalance/resume": accepted, "POST /admin/rebalance/cancel": accepted,
    "POST /admin/nodes/77778888ffff0001/drain": accepted, "DELETE /admin/nodes/77778888ffff0001/drain": accepted,
    "POST /admin/nodes/0a1b2c3d4e5f6071/drain": refusal(409, "DrainImpossible", "Two nodes are needed for writes, and no other is left."),
    "POST /admin/ranges/3/move": accepted, "POST /admin/ranges/4/move": refusal(409, "MoveImpossible", "node-2 has a copy of range 4."),
    "POST /admin/tokens": { userId: "8:acs:r_u", token: "aaa.bbb.ccc", expiresOn: "2026-11-23T18:00:00Z" },
    "DELETE /admin/tokens/8:acs:r_u%2F%20x": accepted,
    "GET /admin/threads/19:t%40thread.v2/hold": { threadId: "19:t@thread.v2", isHeld: true, reason: "case\u001b[31m 7", since: 1794000000000, isDeleted: true, deletedOn: 1795000000000, keptUntil: 1795086400000 },
    "PUT /admin/threads/19:t%40thread.v2/hold": ({ reason }) => ({ threadId: "19:t@thread.v2", isHeld: true, isDeleted: false, reason, since: 1795000000000 }),
    "DELETE /admin/threads/19:t%40thread.v2/hold": { threadId: "19:t@thread.v2", isHeld: false, isDeleted: false },
    "POST /admin/threads/19:t%40thread.v2/undelete": { threadId: "19:t@thread.v2", isHeld: false, isDeleted: false },
    "GET /admin/threads/19:d%40thread.v2/hold": { threadId: "19:d@thread.v2", isHeld: false, isDeleted: true, deletedOn: 1795000000000, keptUntil: 1795086400000 },
    "POST /admin/threads/19:gone%40thread.v2/undelete": refusal(404, "NotFound", "The specified thread id was not found."),
    [`GET ${tracePath(traced.message.id)}`]: traced, [`GET ${tracePath("%405")}`]: traced, [`GET ${tracePath("4")}`]: tracedInPart(),
    [`GET ${tracePath("6")}`]: refusal(404, "NotFound", "The thread has no message with this id, and none is remembered."),
};
const subscription = (name, more = {}) => ({ name, endpoint: `https://${name}.example.org/hook`, schema: "EventGridSchema", state: "active", createdOn: "2026-11-23T18:00:00.000Z", filter: { includedEventTypes: ["Microsoft.Communication.ChatMessageReceived"] }, headers: [], ...more });
const awaiting = { state: "awaitingValidation", validateUntil: "2026-11-23T18:10:00.000Z", message: "it answers 200 without the code" };
const bot = (name, rest = {}) => ({ name, endpoint: `https://${name}.example.org/api/messages`, userId: `8:acs:r_${name}`, displayName: name, deliveryMode: "normal", createdOn: "2026-01-02T03:04:05.000Z", ...rest });
const bots = {
    "GET /admin/bots": { value: [bot("echo", { deliveryMode: "expectReplies" }), bot("assistant")] },
    "GET /admin/bots/echo": bot("echo"),
    "PUT /admin/bots/echo": ({ endpoint }) => bot("echo", { endpoint }),
    "PUT /admin/bots/fresh": ({ userId }) => bot("fresh", { userId, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }),
    "PUT /admin/bots/wrong": refusal(400, "ValidationError", 'The userId must be that of a communication user of this resource, not "8:acs:x".'),
    "POST /admin/tokens": ({ userId = "8:acs:r_new" }) => ({ userId, token: "a.b.c", expiresOn: "2026-01-03T03:04:05Z" }),
    "DELETE /admin/bots/echo": accepted, "DELETE /admin/bots/x%2F": refusal(404, "NotFound", 'There is no bot "x/".'),
};
const subscriptions = {
    "GET /admin/events/subscriptions": { value: [subscription("billing"), subscription("audit", { ...awaiting, schema: "CloudEventSchemaV1_0" })] },
    "GET /admin/events/subscriptions/billing": subscription("billing"),
    "PUT /admin/events/subscriptions/billing": subscription("billing", { secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] }),
    "PUT /admin/events/subscriptions/audit": subscription("audit", awaiting),
    "PUT /admin/events/subscriptions/wrong": refusal(400, "ValidationError", "The endpoint does not pass the handshake: it answers 500, not 200."),
    "POST /admin/events/subscriptions/billing/validate": subscription("billing"),
    "POST /admin/events/subscriptions/billing/test": { isDelivered: true, isWanted: false, statusCode: 200, tookMs: 12, event: { id: "0c62a0a0-0000-4000-8000-000000000001" } },
    "POST /admin/events/subscriptions/audit/test": { isDelivered: false, isWanted: true, failure: "Connection refused\u001b[31m", tookMs: 3, event: { id: "0c62a0a0-0000-4000-8000-000000000002" } },
    "POST /admin/events/subscriptions/billing/replay": ({ from }) => subscription("billing", { replayedFrom: from, message: "events are kept for 24 hours, and what is older is gone" }),
    "GET /admin/events/subscriptions/billing/dead-letters": { value: [{ id: "0c62a0a0-0000-4000-8000-000000000003", eventType: "Microsoft.Communication.ChatMessageReceived", deadLetterReason: "TimeToLiveExceeded", deliveryAttempts: 7, lastDeliveryOutcome: "Busy", publishTime: "2026-11-23T18:00:00.000Z" }] },
    "GET /admin/events/subscriptions/audit/dead-letters": { value: [] },
    "DELETE /admin/events/subscriptions/billing": accepted, "DELETE /admin/events/subscriptions/x%2F": refusal(404, "NotFound", 'There is no subscription "x/".'),
};
const bridges = {
    "GET /admin/bridges": { value: [{ name: "contoso", identities: ["8:orgid:2f*", "8:teamsvisitor:*"], createdOn: "2026-11-23T18:00:00.000Z" }, { name: "fabrikam", identities: ["8:dod:\u001b[31m"], createdOn: "2026-11-23T18:00:00.000Z" }] },
    "GET /admin/bridges/contoso": { name: "contoso", identities: ["8:orgid:2f*"], createdOn: "2026-11-23T18:00:00.000Z" },
    "PUT /admin/bridges/contoso": ({ identities }) => ({ name: "contoso", identities, createdOn: "2026-11-23T18:00:00.000Z" }),
    "PUT /admin/bridges/wrong": refusal(400, "ValidationError", '"8:acs:x" names no users of Teams'),
    "PUT /admin/events/subscriptions/contoso": ({ filter }) => subscription("contoso", { filter, message: JSON.stringify(filter) }),
    "DELETE /admin/bridges/contoso": accepted, "DELETE /admin/bridges/none": refusal(404, "NotFound", 'There is no bridge "none".'),
};
const node = (cluster, planned = plan) => ({ "GET /admin/cluster": cluster(), "GET /admin/plan": planned(), ...calls });

// [file, what the node answers, command lines, variables]
const cases = [
    ["status", node(balanced), [["status"], ["status", "--json"]], {}],
    ["status-joining", node(joining), [["status"]], {}],
    ["status-ailing", node(ailing), [["status"]], {}],
    ["status-hostile", node(hostile), [["status"], ["nodes", "--names"]], { COLUMNS: "80" }],
    ["nodes", node(joining), [["nodes"], ["nodes", "--names"]], {}],
    ["nodes-narrow", node(joining), [["nodes"], ["nodes", "--wide"]], { COLUMNS: "80" }],
    ["nodes-140", node(joining), [["nodes"]], { COLUMNS: "140" }],
    ["ranges", node(joining), [["ranges"], ["ranges", "--node", "node-4"], ["ranges", "--node", "c0f", "--json"]], {}],
    ["ranges-narrow", node(ailing), [["ranges"]], { COLUMNS: "60" }],
    ["plan", node(joining), [["plan"], ["plan", "--json"]], {}],
    ["plan-blocked", node(ailing, () => ({ ...plan(), seconds: 0, isComplete: false, isBlocked: true })), [["plan"]], {}],
    ["plan-nothing", node(balanced, nothingToDo), [["plan"]], {}],
    ["rebalance", node(joining), [["rebalance"], ["rebalance", "--cancel"]], {}],
    ["rebalance-balanced", node(balanced), [["rebalance"], ["rebalance", "--watch"], ["rebalance", "--json", "--watch"]], {}],
    ["rebalance-paused", node(ailing), [["rebalance"], ["rebalance", "--watch"]], {}],
    ["drain", node(balanced), [["drain", "node-3"], ["drain", "77", "--cancel"], ["drain", "node-1"], ["drain", "node-1", "--json"], ["drain", "0a1b"], ["drain", "nobody"]], {}],
    ["move", node(joining), [["move", "3", "--from", "node-1", "--to", "c0ffee"], ["move", "3", "--primary", "node-2"], ["move", "4", "--from", "node-1", "--to", "node-2"], ["move", "8", "--primary", "node-2"], ["move", "x", "--primary", "node-2"], ["move", "3", "--from", "node-1"]], {}],
    ["split", { ...node(balanced), "POST /admin/split": ({ ranges }) => (ranges < 8 ? refusal(409, "Conflict", "There are more ranges than that already; they are not merged.") : accepted) }, [["split", "8"], ["split", "16", "--json"], ["split", "8", "--watch"], ["split", "4"], ["split", "x"], ["split", "1234567"], ["split", "16", "--cancel"]], {}],
    ["pause", node(balanced), [["pause"], ["resume"], ["resume", "--json"]], {}],
    ["tokens", node(balanced), [["tokens", "create"], ["tokens", "create", "--json", "--user", "8:acs:r_u", "--scope", "chat", "--scope", "voip", "--expires-in", "60"], ["tokens", "revoke", "8:acs:r_u/ x"], ["tokens", "revoke"], ["tokens", "create", "--expires-in", "5"]], {}],
    ["events", { ...node(balanced), ...subscriptions }, [["events", "list"], ["events", "list", "--json"], ["events", "show", "billing"], ["events", "create", "billing", "--url", "https://billing.example.org/hook", "--type", "ChatMessageReceived", "--type", "ChatThreadCreated", "--schema", "cloudevents"], ["events", "create", "audit", "--url", "https://audit.example.org/hook"], ["events", "create", "wrong", "--url", "https://x/"], ["events", "validate", "billing"], ["events", "test", "billing"], ["events", "test", "audit", "--type", "ChatThreadCreated"], ["events", "delete", "billing"], ["events", "delete", "x/"]], {}],
    ["events-usage", node(balanced), [["events"], ["events", "create", "a"], ["events", "create", "a", "--url", "https://x/", "--file", "y"], ["events", "create", "a", "--url", "https://x/", "--schema", "z"], ["events", "create", "a", "--file", "no-such-file"], ["events", "list", "--url", "https://x/"], ["events", "test", "a", "--type", "b", "--type", "c"], ["events", "remove", "a"]], {}],
    ["bots", { ...node(balanced), ...bots }, [["bots", "list"], ["bots", "list", "--json"], ["bots", "show", "echo"], ["bots", "create", "echo", "--url", "https://other.example.org/"], ["bots", "create", "fresh", "--url", "https://fresh.example.org/"], ["bots", "create", "wrong", "--url", "https://x/", "--user", "8:acs:x"], ["bots", "token", "echo"], ["bots", "delete", "echo"], ["bots", "delete", "x/"]], {}],
    ["bots-usage", node(balanced), [["bots"], ["bots", "create", "a"], ["bots", "create", "a", "--url", "https://x/", "--file", "y"], ["bots", "create", "a", "--file", "no-such-file"], ["bots", "list", "--url", "https://x/"], ["bots", "remove", "a"]], {}],
    ["bots-none", { ...node(balanced), "GET /admin/bots": { value: [] } }, [["bots", "list"]], {}],
    ["events-given-up", { ...subscriptions, "GET /admin/cluster": { nodes: [{ name: "node-1", isAlive: true, isThisNode: true }] } }, [["events", "dead-letters", "billing"], ["events", "dead-letters", "billing", "--json"], ["events", "dead-letters", "audit"], ["events", "dead-letters", "unknown"], ["events", "replay", "billing", "--from", "2026-11-22T00:00:00Z"], ["events", "replay", "billing"], ["events", "list", "--from", "x"]], {}],
    ["events-nobody", { ...node(balanced), "GET /admin/events/subscriptions": { value: [] } }, [["events", "list"]], {}],
    ["bridges", { ...node(balanced), ...bridges }, [["bridges", "list"], ["bridges", "list", "--json"], ["bridges", "show", "contoso"], ["bridges", "create", "contoso", "--identity", "8:orgid:2f*", "--identity", "8:teamsvisitor:v"], ["bridges", "create", "contoso", "--identity", "8:orgid:2f*", "--url", "https://contoso.example.org/hook"], ["bridges", "create", "wrong", "--identity", "8:acs:x"], ["bridges", "delete", "contoso"], ["bridges", "delete", "none"], ["bridges", "create", "contoso"], ["bridges", "list", "--identity", "8:orgid:x"], ["bridges", "remove", "contoso"]], {}],
    ["bridges-nobody", { ...node(balanced), "GET /admin/bridges": { value: [] } }, [["bridges", "list"]], {}],
    ["hold", node(balanced), [["hold", "show", "19:t@thread.v2"], ["hold", "show", "19:d@thread.v2"], ["hold", "set", "19:t@thread.v2", "case 7"], ["hold", "clear", "19:t@thread.v2"], ["hold", "set", "19:t@thread.v2", "case 7", "--json"], ["hold", "set", "19:t@thread.v2"], ["hold", "keep", "19:t@thread.v2"], ["undelete", "19:t@thread.v2"], ["undelete", "19:gone@thread.v2"]], {}],
    ["trace", node(balanced), [["trace", traced.thread, traced.message.id], ["trace", traced.thread, "@5", "--json"], ["trace", traced.thread, "6"], ["trace", traced.thread], ["trace", "x".repeat(301), "6"]], {}],
    ["trace-narrow", node(balanced), [["trace", traced.thread, traced.message.id], ["trace", traced.thread, traced.message.id, "--wide"]], { COLUMNS: "80" }],
    ["trace-lacking", node(balanced), [["trace", traced.thread, "4"]], {}],
    ["top", node(joining), [["top"]], {}],
    ["top-ascii", node(joining), [["top"]], { LC_ALL: "C", COLUMNS: "80" }],
    ["help", node(balanced), [["--help"], ["status", "--help"], ["nodes", "-h"], ["ranges", "--help"], ["plan", "--help"], ["rebalance", "--help"], ["drain", "--help"], ["move", "--help"], ["split", "--help"], ["pause", "--help"], ["resume", "--help"], ["tokens", "--help"], ["events", "--help"], ["bots", "--help"], ["bridges", "--help"], ["trace", "--help"], ["hold", "--help"], ["undelete", "--help"], ["top", "--help"]], {}],
    ["usage", node(balanced), [[], ["stats"], ["status", "--watch"], ["drain"], ["status", "--no-such"], ["nodes", "--node", ""], ["top", "--interval", "0"]], {}],
];

/** The command lines, what they print and ask the node for, and how they end. */
async function transcript(answers, lines, env) {
    const fake = await FakeNode.start(answers);
    let text = "";
    try {
        for (const words of lines) {
            fake.requests = [];
            const { status, out, err } = await weftctlAt([fake], words, env);
            text += `$ weftctl ${words.map((word) => (/^[\w:-]+$/.test(word) ? word : `'${word}'`)).join(" ")}\n${out}`;
            text += err.replace(/^(?=.)/gm, "! ");
            text += fake.requests.filter((request) => !request.startsWith("GET ")).map((request) => `# ${request}\n`).join("");
            text += `# exit status ${status}\n\n`;
        }
    } finally {
        await fake.stop();
    }
    return text.replaceAll(fake.endpoint, "http://NODE");
}

for (const [name, answers, lines, env] of cases) {
    test(`${name} prints what is expected`, async () => {
        const file = fileURLToPath(new URL(`transcripts/${name}.txt`, import.meta.url));
        const text = await transcript(answers, lines, env);
        if (isRewriting) writeFileSync(file, text);
        assert.ok(existsSync(file), `${file} is missing: tests/ctl/run --rewrite writes it`);
        assert.equal(text, readFileSync(file, "utf8"));
    });
}

await run("transcripts");
