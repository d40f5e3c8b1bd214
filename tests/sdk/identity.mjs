// Identities and their tokens: the official identity client, and signed requests by hand (contract 2 and 3).

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { AzureKeyCredential } from "@azure/core-auth";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { CommunicationIdentityClient as OldestIdentityClient } from "identity-1-0";
import { CommunicationIdentityClient as OlderIdentityClient } from "identity-1-2";
import { exchange, signature } from "./lib/http.mjs";
import { canShift, goAhead } from "./lib/clock.mjs";
import { run, test } from "./lib/harness.mjs";
import {
    IDENTITY_VERSION, accessKey, chatCall, identityCall, newThread, newUser, nextConnectionString, nextEndpoint, threadPath, uuid,
} from "./lib/world.mjs";

const client = () => new CommunicationIdentityClient(nextConnectionString());
const USER_ID = /^8:acs:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString("utf8"));
const headOf = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url").toString("utf8"));
const rejects = (promise, statusCode, code) =>
    assert.rejects(promise, (error) => {
        assert.equal(error.statusCode, statusCode, `${error.statusCode} ${error.message}`);
        if (code) assert.equal(error.code, code);
        assert.ok(error.message.length > 0);
        return true;
    });
const tokenWorks = async (token) => (await chatCall("GET", "/chat/threads", { token })).status;
const resourceOf = (userId) => userId.split(":")[2].split("_")[0];
const stranger = (userId) => `8:acs:${resourceOf(userId)}_${uuid()}`;
const pathOf = (userId, action = "") => `/identities/${encodeURIComponent(userId)}${action}`;

test("createUser gives an id of the documented form, another one each time", async () => {
    const one = await client().createUser();
    const two = await client().createUser();
    assert.match(one.communicationUserId, USER_ID);
    assert.match(two.communicationUserId, USER_ID);
    assert.notEqual(one.communicationUserId, two.communicationUserId);
});

test("createUserAndToken gives a token that opens the chat", async () => {
    const { user, token, expiresOn } = await client().createUserAndToken(["chat"]);
    assert.match(user.communicationUserId, USER_ID);
    assert.ok(expiresOn instanceof Date && !Number.isNaN(expiresOn.getTime()));
    assert.equal(await tokenWorks(token), 200);
});

test("a token is a JWT with the claims that clients read", async () => {
    const { user, token, expiresOn } = await client().createUserAndToken(["chat", "voip"]);
    assert.equal(token.split(".").length, 3);
    assert.match(token, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
    const head = headOf(token);
    assert.equal(head.typ, "JWT");
    assert.equal(head.alg, "EdDSA");
    assert.ok(head.kid);
    const claims = claimsOf(token);
    assert.equal(`8:${claims.skypeid}`, user.communicationUserId);
    assert.equal(claims.acsScope, "chat,voip");
    assert.equal(claims.resourceId, resourceOf(user.communicationUserId));
    assert.equal(claims.exp, Math.floor(expiresOn.getTime() / 1000));
    assert.equal(claims.exp - claims.iat, 1440 * 60);
    assert.equal(claims.scp, 1792);
    assert.equal(claims.csi, String(claims.iat));
    assert.equal(typeof claims.resourceLocation, "string");
});

test("the lifetime of a token is what was asked for, from 60 to 1440 minutes", async () => {
    const user = await client().createUser();
    for (const minutes of [60, 61, 1440]) {
        const { token } = await client().getToken(user, ["chat"], { tokenExpiresInMinutes: minutes });
        const claims = claimsOf(token);
        assert.equal(claims.exp - claims.iat, minutes * 60);
    }
    for (const minutes of [-1, 0, 59, 1441, 100000]) {
        await rejects(client().getToken(user, ["chat"], { tokenExpiresInMinutes: minutes }), 400);
        await rejects(client().createUserAndToken(["chat"], { tokenExpiresInMinutes: minutes }), 400);
    }
});

test("a token is void from its expiry on", async () => {
    const { user, token } = await client().createUserAndToken(["chat"], { tokenExpiresInMinutes: 60 });
    goAhead(3590);
    assert.equal(await tokenWorks(token), 200);
    goAhead(11);
    const answer = await chatCall("GET", "/chat/threads", { token });
    assert.equal(answer.status, 401);
    assert.ok(answer.json.error.code);
    assert.equal(await tokenWorks((await client().getToken(user, ["chat"])).token), 200);
}, { skip: canShift ? false : "needs a node whose clock can be moved" });

test("getToken issues further tokens for every scope", async () => {
    const user = await client().createUser();
    for (const scope of ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"]) {
        const { token, expiresOn } = await client().getToken(user, [scope]);
        assert.equal(claimsOf(token).acsScope, scope);
        assert.ok(expiresOn instanceof Date);
    }
});

test("revokeTokens voids earlier tokens at once and none issued later", async () => {
    const { user, token } = await client().createUserAndToken(["chat"]);
    const second = (await client().getToken(user, ["chat"])).token;
    assert.equal(await tokenWorks(token), 200);
    await client().revokeTokens(user);
    assert.equal(await tokenWorks(token), 401);
    assert.equal(await tokenWorks(second), 401);
    const later = (await client().getToken(user, ["chat"])).token;
    assert.equal(await tokenWorks(later), 200);
    assert.equal(await tokenWorks(token), 401);
});

test("a token issued between two revocations is void as well", async () => {
    const { user } = await client().createUserAndToken(["chat"]);
    for (let round = 0; round < 3; round++) {
        const { token } = await client().getToken(user, ["chat"]);
        assert.equal(await tokenWorks(token), 200);
        await client().revokeTokens(user);
        assert.equal(await tokenWorks(token), 401, `round ${round}`);
    }
    assert.equal(await tokenWorks((await client().getToken(user, ["chat"])).token), 200);
});

test("deleteUser voids tokens, ends the identity, and keeps its messages", async () => {
    const { user, token } = await client().createUserAndToken(["chat"]);
    const other = await newUser();
    const threadId = await newThread({ token }, [other]);
    const sent = await chatCall("POST", `${threadPath(threadId)}/messages`, { token, body: { content: "stays" } });
    assert.equal(sent.status, 201);
    await client().deleteUser(user);
    assert.equal(await tokenWorks(token), 401);
    await rejects(client().getToken(user, ["chat"]), 401, "IdentityNotOwned");
    await rejects(client().revokeTokens(user), 401, "IdentityNotOwned");
    const kept = await chatCall("GET", `${threadPath(threadId)}/messages/${sent.json.id}`, { token: other.token });
    assert.equal(kept.status, 200);
    assert.equal(kept.json.content.message, "stays");
    assert.equal(kept.json.senderCommunicationIdentifier.rawId, user.communicationUserId);
});

test("an unknown or foreign identity is refused with IdentityNotOwned, not 404", async () => {
    const known = (await client().createUser()).communicationUserId;
    for (const id of [stranger(known), `8:acs:${uuid()}_${uuid()}`]) {
        const user = { communicationUserId: id };
        await rejects(client().getToken(user, ["chat"]), 401, "IdentityNotOwned");
        await rejects(client().revokeTokens(user), 401, "IdentityNotOwned");
        await rejects(client().deleteUser(user), 401, "IdentityNotOwned");
        const answer = await identityCall("DELETE", pathOf(id));
        assert.equal(answer.status, 401);
        assert.deepEqual(answer.json, {
            error: { code: "IdentityNotOwned", message: "Provided identity doesn't belong to the resource." },
        });
    }
});

test("a malformed identity id is refused with 400", async () => {
    for (const id of ["nonsense", "8:acs:", "8:acs:x", "8:orgid:x"]) {
        const answer = await identityCall("POST", pathOf(id, "/:issueAccessToken"), { body: { scopes: ["chat"] } });
        assert.ok([400, 401].includes(answer.status), `${id}: ${answer.status}`);
        assert.ok(answer.json.error.code);
    }
});

test("empty or unknown scopes are refused with ValidationError naming the field", async () => {
    const user = await client().createUser();
    const answer = await identityCall("POST", pathOf(user.communicationUserId, "/:issueAccessToken"), { body: { scopes: [] } });
    assert.equal(answer.status, 400);
    assert.equal(answer.json.error.code, "ValidationError");
    assert.equal(answer.json.error.target, "scopes");
    await rejects(client().getToken(user, ["chat", "nonsense"]), 400);
    await rejects(client().getToken(user, []), 400, "ValidationError");
    for (const body of [{}, { scopes: null }, { scopes: "chat" }, { scopes: [1] }, [], "[", "nonsense", 1]) {
        const refused = await identityCall("POST", pathOf(user.communicationUserId, "/:issueAccessToken"), { body });
        assert.equal(refused.status, 400, JSON.stringify(body));
        assert.ok(refused.json.error.code && refused.json.error.message);
    }
});

test("a creation may come without a body, with {}, or with null members", async () => {
    for (const body of [undefined, "", {}, { createTokenWithScopes: null, expiresInMinutes: null }]) {
        const answer = await identityCall("POST", "/identities", { body });
        assert.equal(answer.status, 201, answer.text);
        assert.deepEqual(Object.keys(answer.json), ["identity"]);
    }
    const answer = await identityCall("POST", "/identities", { body: { createTokenWithScopes: ["chat"], expiresInMinutes: null } });
    assert.equal(answer.status, 201);
    assert.ok(answer.json.accessToken.token);
    for (const body of ["[", "[]", "1", '{"createTokenWithScopes":"chat"}', '{"createTokenWithScopes":[],"expiresInMinutes":"x"}']) {
        const refused = await identityCall("POST", "/identities", { body });
        assert.equal(refused.status, 400, body);
    }
});

test("revoking may come without a body or with {}", async () => {
    const user = await client().createUser();
    for (const body of [undefined, "", {}]) {
        const answer = await identityCall("POST", pathOf(user.communicationUserId, "/:revokeAccessTokens"), { body });
        assert.equal(answer.status, 204);
        assert.equal(answer.text, "");
        assert.equal(answer.headers["content-type"], undefined);
    }
});

test("ids and actions may be percent-encoded or raw in paths", async () => {
    const id = (await client().createUser()).communicationUserId;
    for (const path of [`/identities/${id}/:issueAccessToken`, `/identities/${encodeURIComponent(id)}/%3AissueAccessToken`, `//identities/${id}/:issueAccessToken`]) {
        const answer = await identityCall("POST", path, { body: { scopes: ["chat"] } });
        assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    }
    assert.equal((await identityCall("DELETE", `/identities/${id}`)).status, 204);
});

test("expiresOn has seven fractional digits and an offset, or at least parses", async () => {
    const answer = await identityCall("POST", "/identities", { body: { createTokenWithScopes: ["chat"] } });
    assert.match(answer.json.accessToken.expiresOn, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/);
});

test("answers carry api-supported-versions, MS-CV and the request id", async () => {
    const seen = {};
    const answer = await identityCall("POST", "/identities", { change: (headers) => Object.assign(seen, headers) });
    assert.match(answer.headers["api-supported-versions"], /2023-10-01/);
    assert.match(answer.headers["ms-cv"], /^[A-Za-z0-9+/]{22}\.0$/);
    assert.equal(answer.headers["x-ms-client-request-id"], seen["x-ms-client-request-id"]);
    assert.match(answer.headers["content-type"], /^application\/json; ?charset=utf-8$/i);
});

test("every listed api-version is accepted; a missing or unknown one is refused", async () => {
    for (const version of ["2021-03-07", "2022-06-01", "2022-10-01", "2023-10-01", "2025-06-30"]) {
        const answer = await identityCall("POST", "/identities", { version });
        assert.equal(answer.status, 201, version);
    }
    for (const version of ["", "2019-01-01", "nonsense", "2025-03-15x"]) {
        const answer = await identityCall("POST", "/identities", { version });
        assert.equal(answer.status, 400, `"${version}": ${answer.status}`);
        assert.ok(answer.json.error.code && answer.json.error.message);
    }
});

test("older identity clients work as well", async () => {
    for (const Client of [OldestIdentityClient, OlderIdentityClient]) {
        const older = new Client(nextConnectionString());
        const user = await older.createUser();
        assert.match(user.communicationUserId, USER_ID);
        const { token } = await older.getToken(user, ["chat"]);
        assert.equal(await tokenWorks(token), 200);
        const both = await older.createUserAndToken(["chat"]);
        assert.equal(await tokenWorks(both.token), 200);
        await older.revokeTokens(user);
        assert.equal(await tokenWorks(token), 401);
        await older.deleteUser(user);
        await assert.rejects(older.getToken(user, ["chat"]));
    }
});

test("the endpoint may be given with and without a slash at its end", async () => {
    for (const url of [nextEndpoint(), `${nextEndpoint()}/`]) {
        const other = new CommunicationIdentityClient(url, new AzureKeyCredential(accessKey));
        assert.match((await other.createUser()).communicationUserId, USER_ID);
    }
});

test("a request that is not signed, or signed wrongly, is refused with 401", async () => {
    const endpoint = nextEndpoint();
    const { host } = new URL(endpoint);
    const target = `/identities?api-version=${IDENTITY_VERSION}`;
    const sign = (key = accessKey, method = "POST", path = target, name = host, body = "", date = undefined) =>
        signature(key, method, path, name, body, date);
    const without = (name) => {
        const headers = sign();
        delete headers[name];
        return headers;
    };
    const wrong = {
        "no headers at all": {},
        "no Authorization": without("Authorization"),
        "no x-ms-date": without("x-ms-date"),
        "no x-ms-content-sha256": without("x-ms-content-sha256"),
        "another key": sign(Buffer.from("another key").toString("base64")),
        "another method": sign(accessKey, "DELETE"),
        "another path": sign(accessKey, "POST", `/identities/x?api-version=${IDENTITY_VERSION}`),
        "another host": sign(accessKey, "POST", target, "example.org"),
        "another body": sign(accessKey, "POST", target, host, "{}"),
        "an old date": sign(accessKey, "POST", target, host, "", new Date(Date.now() - 20 * 60000).toUTCString()),
        "a date to come": sign(accessKey, "POST", target, host, "", new Date(Date.now() + 20 * 60000).toUTCString()),
        "a date that is none": sign(accessKey, "POST", target, host, "", "yesterday"),
        "a date changed afterwards": { ...sign(), "x-ms-date": new Date(Date.now() - 60000).toUTCString() },
        "a signature that is no base64": { ...sign(), Authorization: "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=***" },
        "an empty signature": { ...sign(), Authorization: "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=" },
        "no SignedHeaders": { ...sign(), Authorization: sign().Authorization.replace(/SignedHeaders=[^&]*&/, "") },
        "another scheme": { ...sign(), Authorization: sign().Authorization.replace("HMAC-SHA256", "HMAC-SHA1") },
        "a bearer that is nothing": { Authorization: "Bearer nonsense" },
    };
    for (const [what, headers] of Object.entries(wrong)) {
        const answer = await exchange(endpoint, "POST", target, { headers, body: "" });
        assert.equal(answer.status, 401, `${what}: ${answer.status} ${answer.text}`);
        assert.ok(answer.json?.error?.code && answer.json.error.message, what);
    }
    const right = await exchange(endpoint, "POST", target, { headers: sign(), body: "" });
    assert.equal(right.status, 201);
});

test("a signature that covers fewer headers is refused", async () => {
    const endpoint = nextEndpoint();
    const { host } = new URL(endpoint);
    const target = `/identities?api-version=${IDENTITY_VERSION}`;
    const full = signature(accessKey, "POST", target, host, "");
    const partial = (names) => {
        const values = { "x-ms-date": full["x-ms-date"], host, "x-ms-content-sha256": full["x-ms-content-sha256"] };
        const text = `POST\n${target}\n${names.map((name) => values[name]).join(";")}`;
        const signed = createHmac("sha256", Buffer.from(accessKey, "base64")).update(text).digest("base64");
        return { ...full, Authorization: `HMAC-SHA256 SignedHeaders=${names.join(";")}&Signature=${signed}` };
    };
    for (const names of [["x-ms-date"], ["x-ms-date", "host"], ["host", "x-ms-content-sha256"]]) {
        const answer = await exchange(endpoint, "POST", target, { headers: partial(names), body: "" });
        assert.equal(answer.status, 401, names.join(";"));
    }
    const reordered = await exchange(endpoint, "POST", target, { headers: partial(["host", "x-ms-date", "x-ms-content-sha256"]), body: "" });
    assert.equal(reordered.status, 201, "another order of the same headers");
});

test("a body other than the hashed one is refused", async () => {
    const endpoint = nextEndpoint();
    const { host } = new URL(endpoint);
    const target = `/identities?api-version=${IDENTITY_VERSION}`;
    const headers = signature(accessKey, "POST", target, host, '{"createTokenWithScopes":["chat"]}');
    const answer = await exchange(endpoint, "POST", target, { headers, body: '{"createTokenWithScopes":["voip"]}' });
    assert.equal(answer.status, 401);
    const emptyHash = createHash("sha256").update("").digest("base64");
    assert.equal(emptyHash, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
});

test("what only the vendor's cloud can do is refused by name", async () => {
    const exchanged = await identityCall("POST", "/teamsUser/:exchangeAccessToken", { body: { token: "t", appId: "a", userId: "u" } });
    assert.ok([400, 401, 501].includes(exchanged.status), String(exchanged.status));
    assert.ok(exchanged.json.error.code);
    await assert.rejects(client().getTokenForTeamsUser({ teamsUserAadToken: "t", clientId: "a", userObjectId: "u" }));
});

test("an unknown path is 404 and a wrong method is refused, with an error body", async () => {
    const nowhere = await identityCall("GET", "/nowhere");
    assert.equal(nowhere.status, 404);
    assert.ok(nowhere.json.error.code);
    const wrong = await identityCall("PATCH", "/identities", { body: {} });
    assert.ok([404, 405].includes(wrong.status), String(wrong.status));
    assert.ok(wrong.json.error.code);
});

await run("identity");
