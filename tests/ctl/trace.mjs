// weftctl trace: the way of a message through a cluster, to clients on every node.

import assert from "node:assert/strict";
import { run, test } from "../sdk/lib/harness.mjs";
import { isInstalled } from "../cluster/lib/etcd.mjs";
import { Realtime } from "../cluster/lib/realtime.mjs";
import { ThreeNodes } from "../cluster/lib/three.mjs";
import { Trouter } from "../cluster/lib/trouter.mjs";
import { threadPath, until, World } from "../cluster/lib/world.mjs";
import { operator } from "./lib/operator.mjs";

const skip = isInstalled() ? false : "etcd is not installed (Debian: etcd-server)";

/** Connects, and counts the messages that it is told, edits and deletions, too. */
async function listen(world, kind, user) {
    const heard = { count: 0 };
    const onFrame = ({ type }) => (heard.count += /^message/.test(type));
    const onPush = ({ eventId }) => (heard.count += [200, 247, 248].includes(eventId));
    heard.session = kind === "trouter" ? await Trouter.connect(world, user, { onPush }) : await Realtime.connect(world.target, kind, user.token, { onFrame });
    return heard;
}

/** A thread of four, three of whom listen, each at another node and in another way. */
async function conversation(cluster) {
    const kinds = ["json", "trouter", "msgpack"];
    const users = await cluster.nodes[0].newUsers(4);
    const thread = await cluster.nodes[0].newThread(users, "whose way is asked for");
    const listeners = await Promise.all(kinds.map((kind, at) => listen(cluster.nodes[at], kind, users[at])));
    const heard = (count) => until("all listeners hear it", () => listeners.every((listener) => listener.count >= count));
    return { users, thread, heard, close: () => listeners.forEach(({ session }) => session.close()) };
}

const named = (told, id) => told.nodes.find((node) => node.id === id).name;
const rising = (...times) => times.every((time, at) => Number.isInteger(time) && (at === 0 || time >= times[at - 1]));

/** What is told of a change must have been seen everywhere by the time the last replica has applied it. */
const isWhole = ({ nodes, deliveries }) =>
    nodes.length === 3 && nodes.every(({ writtenUs, appliedUs, arrivedUs }) => writtenUs && appliedUs && arrivedUs) &&
    deliveries.length === 3 && deliveries.every(({ protocol, answeredUs }) => protocol === "realtime" || answeredUs);

test("a message is traced from its receipt to each recipient on each node, and so are its edit and its deletion", async () => {
    const cluster = await ThreeNodes.start();
    try {
        await cluster.whole();
        const ctl = operator(cluster);
        const { users, thread, heard, close } = await conversation(cluster);
        const message = await cluster.nodes[1].newMessage(users[0], thread, "where am I?");
        await heard(1);
        const trace = () => ctl("trace", thread, message.id, "--json");
        const told = await until("every node tells all of it", async () => {
            const { status, json, err } = await trace();
            assert.equal(status, 0, err);
            return json.changes.every(isWhole) && json;
        });
        const range = (await cluster.ranges()).find(({ range: number = 0 }) => number === told.owner.range);
        const primary = range.primary.name;
        assert.equal(named(told, told.owner.primary), primary);
        assert.deepEqual(told.owner.inSync.map((id) => named(told, id)).sort(), ["node-1", "node-2", "node-3"]);
        assert.equal(told.message.sender.communicationUser.id, users[0].id);
        assert.deepEqual(told.changes.map(({ offset, kind }) => [offset, kind]), [[message.offset, "messageReceived"]]);
        const [change] = told.changes;
        const led = change.nodes.find(({ node }) => named(told, node) === primary);
        assert.ok(rising(led.receivedUs, led.writtenUs, led.committedUs, led.appliedUs, led.arrivedUs), JSON.stringify(led));
        assert.ok(change.nodes.every((node) => node === led || (!node.receivedUs && !node.committedUs)), "only the primary receives and commits");
        const deliveries = change.deliveries.map(({ node, recipient, protocol, toldUs }) => [named(told, node), recipient.rawId, protocol, toldUs > 0]);
        assert.deepEqual(deliveries.sort(), [["node-1", users[0].id, "realtime", true], ["node-2", users[1].id, "trouter", true], ["node-3", users[2].id, "realtime", true]]);
        assert.deepEqual(change.untold.map(({ rawId }) => rawId), [users[3].id], "who is not connected");

        const path = `${threadPath(thread)}/messages/${message.id}`;
        await cluster.nodes[2].expect(users[0], "PATCH", path, { body: { content: "here" } });
        await cluster.nodes[0].expect(users[0], "DELETE", path);
        await heard(3);
        await until("all three changes are told whole", async () => {
            const { changes } = (await trace()).json;
            return changes.map(({ kind }) => kind).join() === "messageReceived,messageEdited,messageDeleted" && changes.every(isWhole);
        });
        const [first] = (await ctl("trace", thread, `@${message.offset}`, "--json")).json.changes;
        assert.deepEqual([first.offset, first.kind, isWhole(first)], [message.offset, "messageReceived", true], "also when it has moved on");
        const shown = await ctl("trace", thread, message.id);
        assert.equal(shown.status, 0, shown.err);
        assert.match(shown.out, new RegExp(`owner +${primary} leads range ${told.owner.range}, `));
        assert.match(shown.out, /message received, offset \d+: milliseconds from [^]*message edited, [^]*message deleted, /);
        for (const user of users.slice(0, 3)) assert.equal(shown.out.split(`\n${user.id} `).length, 4, shown.out);
        assert.ok(shown.out.includes(`no connection of 1 user was told: ${users[3].id}\n`), shown.out);
        if (process.env.WEFT_SHOW) console.log(shown.out);

        for (const [words, sentence] of [
            [[thread, "1"], /The thread has no message with this id/],
            [[thread, "@100000"], /The thread has not come to this offset yet/],
            [["19:nobody@thread.v2", message.id], /There is no such thread/],
            [["nobody", message.id], /A thread's id is as 19:/],
            [[thread, "first"], /A message's id is a number/],
        ]) {
            const refused = await ctl("trace", ...words);
            assert.equal(refused.status, 1, refused.out);
            assert.match(refused.err, sentence);
        }

        const stopped = cluster.nodes.find((world) => world !== range.primary);
        stopped.node.signal("SIGSTOP");
        try {
            const lacking = await operator(cluster, { WEFT_ENDPOINTS: range.primary.node.endpoint })("trace", thread, message.id);
            assert.equal(lacking.status, 1, lacking.out);
            assert.match(lacking.err, new RegExp(`${stopped.name} (did not answer in time|is silent): what is known there is lacking`));
            assert.match(lacking.out, /message received, offset/);
        } finally {
            stopped.node.signal("SIGCONT");
        }
        close();
    } finally {
        await cluster.stop();
    }
}, { skip, deadlineMs: 300000 });

test("a node alone says what it no longer remembers, and that it remembers nothing", async () => {
    for (const events of [64, 0]) {
        const world = await (await World.make()).start({ flags: ["--trace-events", String(events)] });
        const ctl = operator({ nodes: [world] });
        try {
            const users = await world.newUsers(2);
            const thread = await world.newThread(users);
            const listener = await listen(world, "json", users[1]);
            const first = await world.newMessage(users[0], thread, "the first");
            for (let count = 1; count < 100; count++) await world.newMessage(users[0], thread, `message ${count}`);
            const last = await world.newMessage(users[0], thread, "the last");
            await until("the listener hears all", () => listener.count === 101);
            const [old, recent] = [await ctl("trace", thread, first.id), await ctl("trace", thread, last.id)];
            assert.deepEqual([old.status, recent.status], [0, 0], old.err + recent.err);
            assert.doesNotMatch(old.out, /no connection of/, "nobody knows");
            assert.match(old.out, /offset \d+: nothing of it is remembered any more\n/);
            if (events === 0) assert.match(recent.out, /node-1 remembers nothing: trace_events is 0 there\n/);
            else {
                assert.match(old.out, /node-1 no longer remembers the log: only from .*\nnode-1 no longer remembers whom it told: only from /);
                assert.match(recent.out, new RegExp(`\n${users[1].id} +node-1 +realtime +[^]*told 1 connection after `));
                assert.doesNotMatch(recent.out, /no longer remembers/);
            }
            if (process.env.WEFT_SHOW) console.log(old.out, recent.out);
            listener.session.close();
        } finally {
            await world.end();
        }
    }
}, { deadlineMs: 240000 });

await run("trace");
