// Ways of messages as GET /admin/trace tells of them.

import { ids } from "./clusters.mjs";

const BEGAN_US = 1764000000123456;
const user = (name) => `8:acs:6d9d7e00-bf28-4bf2-9ba1-d69b2bf2d0bc_40be94df-32fe-59f2-4f6d-00000000000${name}`;
const identifier = (name) => ({ rawId: user(name), communicationUser: { id: user(name) } });
const remembers = (name, aheadUs, uncertainUs) =>
    ({ id: ids[name], name, answer: "remembers", aheadUs, uncertainUs, isCut: false, logFromUs: BEGAN_US - 9e6, toldFromUs: BEGAN_US - 8e6 });
const after = (times) => Object.fromEntries(Object.entries(times).map(([name, ms]) => [`${name}Us`, BEGAN_US + ms * 1000]));

/** All that can become of a message: it has reached some, and is kept for one, lost for another until she resumes. */
export const traced = {
    thread: "19:acsV1_A81RtZ5dHHKM0WQmcNga0Vp80iM8LDgQ2jaxFYGXKJY1@thread.v2",
    message: { id: "1764000000123", type: "text", sequenceId: "3", offset: 5, createdOffset: 5, createdAt: 1764000000123, sender: identifier("a") },
    askedNode: ids["node-1"],
    owner: { range: 5, epoch: 12, primary: ids["node-2"], inSync: [ids["node-2"], ids["node-1"], ids["node-3"]], learners: [] },
    nodes: [remembers("node-1", 0, 0), remembers("node-2", -12345, 310), remembers("node-3", 45, 402)],
    changes: [{
        offset: 5, kind: "messageReceived",
        nodes: [
            { node: ids["node-1"], index: 7, ...after({ written: 1.95, applied: 52.1, arrived: 3.2 }) },
            { node: ids["node-2"], index: 7, ...after({ received: 0, written: 0.912, committed: 2.31, applied: 2.95, arrived: 2.96 }) },
            { node: ids["node-3"], index: 7, ...after({ written: 1.7, arrived: 3.4 }) },
        ],
        deliveries: [
            { node: ids["node-1"], recipient: identifier("a"), protocol: "realtime", connection: 3, ...after({ told: 3.31 }) },
            { node: ids["node-2"], recipient: identifier("b"), protocol: "trouter", connection: 1, ...after({ told: 3.05, answered: 18.7 }) },
            { node: ids["node-2"], recipient: identifier("c"), protocol: "trouter", connection: 9, ...after({ kept: 3.06 }) },
            { node: ids["node-3"], protocol: "realtime", connection: 2, ...after({ repeated: 1203.5 }) },
            { node: ids["node-3"], recipient: identifier("d"), protocol: "realtime", connection: 4, ...after({ dropped: 3.5 }) },
        ],
        untold: [identifier("e"), identifier("f")],
    }],
};

/** One node no longer remembers, one remembers nothing at all, one did not answer and one is dead. */
export function tracedInPart() {
    const { changes: [whole], nodes: [first], ...part } = traced;
    return {
        ...part, owner: { ...part.owner, primary: "", inSync: [ids["node-1"]], learners: [ids["node-4"]] },
        nodes: [
            { ...first, logFromUs: BEGAN_US + 1e6, toldFromUs: BEGAN_US + 2e6 }, { id: ids["node-2"], name: "node-2", answer: "off", aheadUs: 0, uncertainUs: 5 },
            { id: ids["node-3"], name: "node-3", answer: "none" }, { id: ids["node-4"], name: "node\u001b[31m-4", answer: "silent" },
        ],
        changes: [{ ...whole, kind: "", nodes: [], deliveries: [] }],
    };
}

export const tracePath = (message) => `/admin/trace/${encodeURIComponent(traced.thread).replaceAll("%3A", ":")}/${message}`;
