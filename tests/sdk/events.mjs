// Server events as receivers see them: the official deserialiser of Event Grid, and an independent implementation of
// Standard Webhooks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { EventGridDeserializer, isSystemEvent } from "@azure/eventgrid";
import { Webhook } from "standardwebhooks";
import { run, test } from "./lib/harness.mjs";
import { exchange } from "./lib/http.mjs";
import { Receiver, validationOf, willing } from "./lib/receiver.mjs";
import { endpoint, nextEndpoint, node, uuid } from "./lib/world.mjs";

const skip = node === null ? "needs the admin token of the node" : false;
const types = JSON.parse(readFileSync(path.join(import.meta.dirname, "lib/event-types.json")));
const PREFIX = "Microsoft.Communication.";
const SUBSCRIPTIONS = "/admin/events/subscriptions";

const admin = (method, target, body, at = nextEndpoint()) =>
    exchange(at, method, target, { headers: { Authorization: `Bearer ${node.adminToken}` }, body, deadlineMs: 60000 });
const newName = () => `s-${uuid()}`;

/** An active subscription of a receiver, with the secret it was given. */
async function subscribe(receiver, rest = {}) {
    const name = newName();
    const made = await admin("PUT", `${SUBSCRIPTIONS}/${name}`, { endpoint: receiver.url(), ...rest });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.json.state, "active", made.text);
    return { name, path: `${SUBSCRIPTIONS}/${name}`, secret: made.json.secrets[0], shown: made.json };
}

async function sample(receiver, subscription, eventType) {
    const sent = await admin("POST", `${subscription.path}/test`, eventType && { eventType });
    assert.equal(sent.status, 200, sent.text);
    assert.ok(sent.json.isDelivered, sent.text);
    return receiver.next(({ text }) => text.includes(sent.json.event.id));
}

function assertIsSigned(secret, item) {
    assert.deepEqual(new Webhook(secret).verify(item.text, item.headers), item.json);
    const forged = { ...item.headers, "webhook-id": uuid() };
    assert.throws(() => new Webhook(secret).verify(item.text, forged));
}

const kinds = {
    string: (value) => typeof value === "string",
    integer: Number.isSafeInteger,
    texts: (value) => typeof value === "object" && Object.values(value).every((text) => typeof text === "string"),
    object: (value) => typeof value === "object",
    identifier: (value) => value.rawId === value.communicationUser?.id || value.rawId === `28:orgid:${value.microsoftTeamsApp?.appId}`,
    participant: (value) => typeof value.displayName === "string" && kinds.identifier(value.participantCommunicationIdentifier),
    participants: (value) => Array.isArray(value) && value.every(kinds.participant),
};

/** What the schema asks for, and nothing that it does not know but the legacy members. */
function assertFits(type, { subject, data }) {
    const form = types[type];
    assert.match(subject, new RegExp(`^${form.subject.replaceAll("{}", "[^/]+")}$`));
    for (const [member, kind] of Object.entries(form.data)) {
        const where = `${type}.${member}: ${JSON.stringify(data[member])}`;
        assert.ok(data[member] !== undefined, where);
        assert.ok(kinds[kind.replace("?", "")](data[member]), where);
    }
    for (const member of form.legacy ?? []) assert.ok(data[member] !== undefined, `${type}.${member}`);
    const known = [...Object.keys(form.data), ...(form.legacy ?? []), "reason"];
    assert.deepEqual(Object.keys(data).filter((member) => !known.includes(member)), [], type);
    for (const [member, value] of Object.entries(data)) if (/Time$|^time$/.test(member)) assert.ok(!Number.isNaN(Date.parse(value)), member);
}

/** The deserialiser gives undefined for what a mapper knows and the event lacks. */
function assertIsDeserialized(type, event) {
    assert.ok(isSystemEvent(`${PREFIX}${type}`, event), type);
    for (const [member, kind] of Object.entries(types[type].data)) {
        assert.ok(event.data[member] !== undefined, `${type}.${member}`);
        if (kind === "identifier") assert.equal(typeof event.data[member].rawId, "string");
    }
}

test("every type in the Event Grid schema is what the official deserialiser knows", async () => {
    const receiver = await Receiver.open();
    const subscription = await subscribe(receiver);
    assert.equal(Object.keys(types).length, 18);
    for (const type of Object.keys(types)) {
        const item = await sample(receiver, subscription, type);
        assert.match(item.headers["content-type"], /^application\/json/);
        assert.equal(item.headers["aeg-event-type"], "Notification");
        assert.equal(item.headers["aeg-subscription-name"], subscription.name);
        assert.equal(item.headers["aeg-delivery-count"], "0");
        assertIsSigned(subscription.secret, item);
        const [raw] = item.json;
        assert.deepEqual([raw.eventType, raw.dataVersion, raw.metadataVersion], [`${PREFIX}${type}`, "1.0", "1"]);
        assert.match(raw.topic, /\/providers\/Microsoft.Communication\/communicationServices\//);
        assertFits(type, raw);
        const [event] = await new EventGridDeserializer().deserializeEventGridEvents(item.text);
        assert.ok(event.eventTime instanceof Date);
        assertIsDeserialized(type, event);
    }
    receiver.close();
}, { skip, deadlineMs: 120000 });

test("every type as a CloudEvent is what the official deserialiser knows", async () => {
    const receiver = await Receiver.open();
    const subscription = await subscribe(receiver, { schema: "CloudEventSchemaV1_0" });
    const asked = receiver.got[0];
    assert.equal(asked.method, "OPTIONS");
    assert.equal(asked.headers["webhook-request-origin"], new URL(endpoint).hostname);
    for (const type of Object.keys(types)) {
        const item = await sample(receiver, subscription, type);
        assert.match(item.headers["content-type"], /^application\/cloudevents\+json/);
        assertIsSigned(subscription.secret, item);
        assert.equal(item.json.specversion, "1.0");
        assertFits(type, item.json);
        const [event] = await new EventGridDeserializer().deserializeCloudEvents(item.text);
        assertIsDeserialized(type, event);
    }
    receiver.close();
}, { skip, deadlineMs: 120000 });

test("a receiver that does not answer with the code may have its address called", async () => {
    const receiver = await Receiver.open();
    receiver.answer = () => ({ status: 200 });
    const name = newName();
    const made = await admin("PUT", `${SUBSCRIPTIONS}/${name}`, { endpoint: receiver.url() });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.json.state, "awaitingValidation");
    assert.match(made.json.message, /validationUrl/);
    const { validationUrl } = validationOf(receiver.last);
    assert.equal((await admin("POST", `${SUBSCRIPTIONS}/${name}/test`)).status, 409);
    const { origin, pathname } = new URL(validationUrl);
    const wrong = await exchange(origin, "GET", pathname.replace(/[^/]+$/, uuid()));
    assert.equal(wrong.status, 404);
    assert.equal((await exchange(origin, "GET", pathname)).status, 200);
    assert.equal((await admin("GET", `${SUBSCRIPTIONS}/${name}`)).json.state, "active");
    receiver.close();
}, { skip });

test("a receiver may call back before it answers", async () => {
    for (const schema of ["EventGridSchema", "CloudEventSchemaV1_0"]) {
        const receiver = await Receiver.open();
        receiver.answer = async (item) => {
            const url = new URL(item.headers["webhook-request-callback"] ?? validationOf(item).validationUrl);
            assert.equal((await exchange(url.origin, "GET", url.pathname)).status, 200);
            return willing(item);
        };
        await subscribe(receiver, { schema });
        receiver.close();
    }
}, { skip });

test("who does not pass the handshake gets nothing, and who had passed keeps what it has", async () => {
    const receiver = await Receiver.open();
    const subscription = await subscribe(receiver);
    const other = await Receiver.open();
    const refusals = [
        [() => ({ status: 500 }), /it answers 500/],
        [() => ({ status: 302, headers: { Location: receiver.url() } }), /it answers 302/],
        [() => ({ status: 404 }), /it answers 404/],
    ];
    for (const [answer, reason] of refusals) {
        other.answer = answer;
        const name = newName();
        const refused = await admin("PUT", `${SUBSCRIPTIONS}/${name}`, { endpoint: other.url() });
        assert.equal(refused.status, 400, refused.text);
        assert.match(refused.json.error.message, reason);
        assert.equal((await admin("GET", `${SUBSCRIPTIONS}/${name}`)).status, 404);
        assert.equal((await admin("PUT", subscription.path, { endpoint: other.url() })).status, 400);
    }
    other.close();
    const silent = await admin("PUT", subscription.path, { endpoint: other.url() });
    assert.match(silent.json.error.message, /it does not answer/);
    assert.equal((await admin("GET", subscription.path)).json.endpoint, receiver.url());
    assertIsSigned(subscription.secret, await sample(receiver, subscription));
    receiver.close();
}, { skip });

test("a subscription is changed without a handshake as long as its receiver is the same", async () => {
    const receiver = await Receiver.open();
    const subscription = await subscribe(receiver, { headers: [{ name: "X-Key", value: "secret value", isSecret: true }, { name: "X-Empty", value: "" }] });
    receiver.answer = (item) => (validationOf(item) === undefined ? {} : { status: 500 });
    const first = await sample(receiver, subscription);
    assert.deepEqual([first.headers["x-key"], first.headers["x-empty"]], ["secret value", ""]);
    const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    const changed = await admin("PUT", subscription.path, {
        endpoint: receiver.url(),
        filter: { includedEventTypes: ["ChatThreadCreated"] },
        secrets: [secret, subscription.secret],
    });
    assert.equal(changed.status, 200, changed.text);
    assert.equal(changed.json.secrets, undefined);
    const item = await sample(receiver, subscription);
    assert.equal(item.headers["x-key"], undefined);
    assertIsSigned(secret, item);
    assertIsSigned(subscription.secret, item);
    const sent = await admin("POST", `${subscription.path}/test`);
    assert.equal(sent.json.isWanted, false);
    const wanted = await admin("POST", `${subscription.path}/test`, { eventType: "ChatThreadCreated" });
    assert.equal(wanted.json.isWanted, true);
    const again = await admin("POST", `${subscription.path}/validate`);
    assert.equal(again.status, 400, again.text);
    assert.equal((await admin("GET", subscription.path)).json.state, "active");
    receiver.close();
}, { skip });

test("subscriptions are listed, shown without secrets, and go", async () => {
    const receiver = await Receiver.open();
    const subscription = await subscribe(receiver, { headers: [{ name: "X-Key", value: "not shown", isSecret: true }] });
    const listed = await admin("GET", SUBSCRIPTIONS);
    const found = listed.json.value.find(({ name }) => name === subscription.name);
    const shown = await admin("GET", subscription.path);
    assert.deepEqual(found, shown.json);
    assert.ok(!listed.text.includes("not shown") && !listed.text.includes("whsec_"));
    assert.equal(shown.json.filter.includedEventTypes.length, 18);
    const failing = await admin("POST", `${subscription.path}/test`, { eventType: "ChatNothing" });
    assert.equal(failing.json.error.target, "eventType");
    receiver.answer = () => ({ status: 503 });
    const refused = await admin("POST", `${subscription.path}/test`);
    assert.deepEqual([refused.json.isDelivered, refused.json.statusCode], [false, 503]);
    assert.equal((await admin("DELETE", subscription.path)).status, 204);
    assert.equal((await admin("DELETE", subscription.path)).status, 404);
    assert.equal((await admin("GET", subscription.path)).status, 404);
    assert.equal((await exchange(nextEndpoint(), "GET", SUBSCRIPTIONS)).status, 401);
    receiver.close();
}, { skip });

test("what cannot be a subscription is refused by the name of the field", async () => {
    const good = { endpoint: "http://127.0.0.1:1/" };
    const cases = [
        ["{", undefined, /JSON/],
        [{}, "endpoint", /endpoint/],
        [{ endpoint: "ftp://example.org/" }, "endpoint", /https/],
        [{ endpoint: "https://user:word@example.org/" }, "endpoint", /neither a user/],
        [{ endpoint: "https://" }, "endpoint", /address/],
        [{ endpoint: `https://example.org/${"x".repeat(2048)}` }, "endpoint", /2048/],
        [{ ...good, schema: "Custom" }, "schema", /Custom/],
        [{ ...good, fliter: {} }, undefined, /fliter/],
        [{ ...good, filter: { includedEventTypes: ["Chat"] } }, "filter.includedEventTypes", /Chat/],
        [{ ...good, headers: [{ name: "Host", value: "x" }] }, "headers", /Host/],
        [{ ...good, headers: [{ name: "webhook-id", value: "x" }] }, "headers", /webhook-id/],
        [{ ...good, headers: [{ name: "x y", value: "x" }] }, "headers", /x y/],
        [{ ...good, headers: [{ name: "x", value: "a\r\nb: c" }] }, "headers", /control/],
        [{ ...good, headers: Array(11).fill({ name: "x", value: "y" }) }, "headers", /10/],
        [{ ...good, secrets: ["whsec_AAAA"] }, "secrets", /24 to 64/],
        [{ ...good, secrets: [] }, "secrets", /1 or 2/],
    ];
    for (const [body, target, message] of cases) {
        const refused = await admin("PUT", `${SUBSCRIPTIONS}/wrong`, body);
        assert.equal(refused.status, 400, refused.text);
        assert.equal(refused.json.error.target, target, refused.text);
        assert.match(refused.json.error.message, message);
    }
    for (const name of ["ab", "a_b", "x".repeat(49)]) {
        assert.equal((await admin("PUT", `${SUBSCRIPTIONS}/${name}`, good)).json.error.target, "name");
    }
}, { skip });

await run("events");
