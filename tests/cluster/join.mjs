// A node joins three others that have etcd with TLS, a user and a password: it is told an address and the secret only.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { run, test } from "../sdk/lib/harness.mjs";
import { freePort } from "../lib/node.mjs";
import { Etcd, PASSWORD, isInstalled, makeCertificates, switchAuthOn } from "./lib/etcd.mjs";
import { World, until } from "./lib/world.mjs";

const NAME = "far"; // not the default, so that it has to be told
const SECRET = randomBytes(32).toString("hex");
const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";
const options = { skip, deadlineMs: 180000 };

const folder = mkdtempSync(path.join(tmpdir(), "weft-join."));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

async function newWorld(secret = SECRET) {
    const world = await World.make();
    world.secretFile = path.join(world.node.dir, "secret");
    writeFileSync(world.secretFile, `${secret}\n`, { mode: 0o600 });
    return world;
}

/** Three nodes that know everything; the same for every case. */
let started;
const cluster = () => (started ??= (async () => {
    const tls = makeCertificates(folder);
    const etcd = await Etcd.start(1, { tls });
    await switchAuthOn(etcd, NAME);
    const nodes = await Promise.all([1, 2, 3].map(() => newWorld()));
    const etcdFlags = ["--etcd-endpoints", etcd.endpoints, "--etcd-user", "weft", "--etcd-password", PASSWORD, "--etcd-ca-file", tls.ca, "--etcd-cert-file", tls.cert, "--etcd-key-file", tls.key];
    await Promise.all(nodes.map(async (world, index) => world.start({
        flags: ["--node-name", `node-${index + 1}`, "--cluster-name", NAME, "--cluster-secret-file", world.secretFile, "--peer-listen", `127.0.0.1:${await freePort()}`, ...etcdFlags],
    })));
    return { nodes, tls };
})());

const addressOf = (world) => `127.0.0.1:${world.node.port}`;
/** What a node that joins is told, and nothing else. */
const joinFlags = (world, address) => ["--join", address, "--cluster-secret-file", world.secretFile];
const startJoining = (world, address) => world.start({ flags: joinFlags(world, address), isPlaced: false });

/** The log of a node that ends by itself, without having become ready. */
async function refusal(world, flags) {
    await world.node.start({ flags, isPlaced: false });
    const { status } = await world.node.waitEnd(60000);
    assert.equal(status, 1, world.node.log);
    return world.node.log;
}

/** As clients do it: again until it works, as nobody may lead for a moment. */
const retried = (what, act) => until(what, () => act().catch(() => null), 60000);

async function serves(world, others, users, thread) {
    const content = `through ${world.node.port} ${randomBytes(4).toString("hex")}`;
    const requestId = randomUUID(); // sent again it is the same message
    await retried("a message is sent through it", () => world.newMessage(users[0], thread, content, requestId));
    const wrote = await retried("it is read through it", () => world.allMessages(users[1], thread));
    assert.equal(wrote[0].content.message, content);
    for (const other of others) assert.deepEqual(await retried("others tell the same", () => other.allMessages(users[1], thread)), wrote);
}

const data = (world, name) => path.join(world.node.dir, "data", name);

test("another secret is refused by name, on both sides, and nothing is told", async () => {
    const { nodes: [first] } = await cluster();
    const world = await newWorld(randomBytes(32).toString("hex"));
    const log = await refusal(world, joinFlags(world, addressOf(first)));
    assert.match(log, /join 127\.0\.0\.1:\d+: the cluster secret of this node \(cluster_secret_file\) is not the one of the cluster there/);
    await until("the other side says it, too", () => /asks to join with another secret/.test(first.node.log));
    assert.ok(!existsSync(data(world, "")), "and no folder was made");
}, options);

test("a node alone, and an address where no node is, say so", async () => {
    const alone = await (await newWorld()).start();
    const world = await newWorld();
    await world.node.start({ flags: joinFlags(world, addressOf(alone)), isPlaced: false });
    await until("it says why", () => /this node is alone, so there is no cluster to join/.test(world.node.log));
    await world.node.kill();
    await alone.end();
    await world.node.start({ flags: joinFlags(world, addressOf(alone)), isPlaced: false });
    await until("it says that nobody is there", () => /nobody answers there/.test(world.node.log));
    // Somebody else's server.
    const page = https.createServer({ cert: readFileSync((await cluster()).tls.cert), key: readFileSync((await cluster()).tls.key) }, (_, response) => response.writeHead(404).end());
    await world.node.kill();
    await new Promise((resolve) => page.listen(0, "127.0.0.1", resolve));
    assert.match(await refusal(world, joinFlags(world, `127.0.0.1:${page.address().port}`)), /nobody there knows how to join/);
    page.close();
}, options);

test("a node with data of its own is refused by name, and keeps them", async () => {
    const { nodes: [first] } = await cluster();
    const world = await (await newWorld()).start();
    const users = await world.newUsers(2);
    const thread = await world.newThread(users);
    await world.newMessage(users[0], thread, "mine");
    const before = await world.allMessages(users[0], thread);
    await world.end();
    assert.match(await refusal(world, joinFlags(world, addressOf(first))), /belongs to another cluster, or has data of a node alone/);
    assert.ok(!readdirSync(data(world, "")).some((name) => name.startsWith("joined")));
    await world.start();
    assert.deepEqual(await world.allMessages(users[0], thread), before);
    await world.end();
}, options);

test("who listens in between learns nothing, and what was recorded is good for nothing", async () => {
    const { nodes: [first], tls } = await cluster();
    const keep = { cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
    const recorded = [];
    const ask = async (body) => {
        const answer = await new Promise((resolve, reject) => {
            const request = https.request(`https://${addressOf(first)}/cluster/join`, { method: "POST", rejectUnauthorized: false, agent: false }, (response) => {
                const chunks = [];
                response.on("data", (chunk) => chunks.push(chunk)).on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(chunks) }));
            });
            request.on("error", reject);
            request.end(body);
        });
        return answer;
    };
    const gathered = async (request) => {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        return Buffer.concat(chunks);
    };
    const between = https.createServer(keep, async (request, response) => {
        const body = await gathered(request);
        const answer = await ask(body);
        recorded.push({ question: body, answer });
        response.writeHead(answer.status).end(answer.body);
    });
    await new Promise((resolve) => between.listen(0, "127.0.0.1", resolve));
    const world = await startJoining(await newWorld(), `127.0.0.1:${between.address().port}`);
    await world.end();
    between.close();
    assert.deepEqual(recorded.map(({ answer }) => answer.status), [200, 200]);
    for (const { question, answer } of recorded) {
        for (const word of [PASSWORD, SECRET, "PRIVATE KEY", "CERTIFICATE", NAME, "https://"]) {
            assert.ok(!question.includes(word) && !answer.body.includes(word), `"${word}" is to be seen`);
        }
    }
    assert.equal((await ask(recorded[1].question)).status, 409, "the question is answered once");
    // And the answers, to a node that asks later.
    let at = 0;
    const parrot = https.createServer(keep, async (request, response) => {
        await gathered(request);
        response.writeHead(200).end(recorded[at++ % 2].answer.body);
    });
    await new Promise((resolve) => parrot.listen(0, "127.0.0.1", resolve));
    const later = await newWorld();
    assert.match(await refusal(later, joinFlags(later, `127.0.0.1:${parrot.address().port}`)), /the answer is not one of a node that has this cluster secret/);
    parrot.close();
}, options);

test("two join at once through one node, and serve", async () => {
    const { nodes } = await cluster();
    const users = await nodes[0].newUsers(2);
    const thread = await nodes[0].newThread(users);
    const two = await Promise.all([newWorld(), newWorld()]);
    await Promise.all(two.map((world) => startJoining(world, addressOf(nodes[2]))));
    assert.notEqual(two[0].node.port, two[1].node.port);
    await serves(two[0], [...nodes, two[1]], users, thread);
    await serves(two[1], [...nodes, two[0]], users, thread);
    await Promise.all(two.map((world) => world.end()));
}, options);

test("a fourth node joins by an address and the secret, serves, and starts again without the node that it asked", async () => {
    const { nodes } = await cluster();
    const users = await nodes[0].newUsers(2);
    const thread = await nodes[0].newThread(users);
    for (let number = 0; number < 5; number++) await nodes[number % 3].newMessage(users[number % 2], thread, `message ${number}`);
    const fourth = await startJoining(await newWorld(), addressOf(nodes[1]));
    await serves(fourth, nodes, users, thread);
    assert.equal((await fourth.allMessages(users[0], thread)).filter(({ content }) => content?.message).length, 6);
    for (const name of ["joined.conf", "addresses.conf", "joined-etcd-ca.pem", "joined-etcd-cert.pem", "joined-etcd-key.pem", "tls/ca-key.pem", "master.key"]) {
        assert.equal(statSync(data(fourth, name)).mode & 0o777, 0o600, name);
    }
    assert.deepEqual(readFileSync(fourth.node.caFile), readFileSync(nodes[1].node.caFile), "who trusts the one trusts the other");
    assert.ok(!fourth.node.log.includes("secret\" "), "no password is logged");
    const { port } = fourth.node;
    await fourth.end();
    await nodes[1].node.kill();
    // With `join` still in its configuration, and without.
    for (const flags of [joinFlags(fourth, addressOf(nodes[1])), ["--cluster-secret-file", fourth.secretFile]]) {
        await fourth.start({ flags, isPlaced: false });
        assert.equal(fourth.node.port, port);
        await serves(fourth, [nodes[0], nodes[2]], users, thread);
        await fourth.end();
    }
    await Promise.all([nodes[0], nodes[2]].map((world) => world.end()));
}, options);

await run("join");
