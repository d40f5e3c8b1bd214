// The operator's console, before a cluster that is only its admin REST.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { endpoint } from "../sdk/lib/world.mjs";
import { openWindow, PHONE } from "./lib/browser.mjs";
import { until, webTest } from "./lib/chat.mjs";
import { faint, fitsWidth, nameless } from "./lib/looks.mjs";
import { StandInCluster, TOKEN } from "./lib/stand_in_cluster.mjs";

const DESK = { width: 1280, height: 800 };
const SESSION = "weft.admin-token";

/** A window at the console before `cluster`, signed in unless told otherwise. */
async function open(cluster, { token = TOKEN, silent, allow, ...options } = {}) {
    const window = await openWindow({ address: "", viewport: DESK, ...options });
    if (allow) window.allow(allow);
    await cluster.serve(window.page, { silent });
    if (token) await window.page.addInitScript(([name, value]) => sessionStorage.setItem(name, value), [SESSION, token]);
    await window.page.goto(`${endpoint}/console`);
    return window;
}

const segments = ({ page }) => page.getByRole("option");
const nodeRow = ({ page }, name) => page.getByRole("table", { name: "Nodes" }).getByRole("row").filter({ has: page.getByText(name, { exact: true }) });
const chip = ({ page }) => page.locator(".chip");
const activity = ({ page }) => page.getByRole("log", { name: "Activity" });

webTest("everything comes from this server, under a policy without inline script and style", async () => {
    const cluster = new StandInCluster();
    const window = await openWindow({ address: "" });
    const requests = [];
    window.page.on("request", (request) => requests.push(request.url()));
    await cluster.serve(window.page);
    const answer = await window.page.goto(`${endpoint}/console`);
    const policy = answer.headers()["content-security-policy"];
    assert.match(policy, /default-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    await window.page.getByRole("textbox", { name: "Admin token" }).waitFor();
    assert.ok(requests.length > 15);
    for (const url of requests) assert.ok(url.startsWith(`${endpoint}/`), url);
});

webTest("one signs in by the admin token, which stays in the tab's session", async () => {
    const window = await open(new StandInCluster(), { token: null });
    const { page } = window;
    await page.getByRole("textbox", { name: "Admin token" }).fill(` ${TOKEN} `);
    await page.keyboard.press("Enter");
    await until("all ranges are there", async () => (await segments(window).count()) === 64);
    assert.equal(page.url(), `${endpoint}/console`);
    const kept = await page.evaluate((name) => [sessionStorage.getItem(name), Object.values(localStorage).join()], SESSION);
    assert.equal(kept[0], TOKEN);
    assert.ok(!kept[1].includes(TOKEN));
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("textbox", { name: "Admin token" }).waitFor();
    assert.equal(await page.evaluate((name) => sessionStorage.getItem(name), SESSION), null);
});

webTest("a wrong token says so, at sign-in and later", async () => {
    const cluster = new StandInCluster();
    const window = await open(cluster, { token: null });
    window.allow(/status of 401/);
    const { page } = window;
    await page.getByRole("textbox", { name: "Admin token" }).fill("nonsense");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "refused this admin token" }).waitFor();
    assert.equal(await page.evaluate((name) => sessionStorage.getItem(name), SESSION), null);
    await page.getByRole("textbox", { name: "Admin token" }).fill(TOKEN);
    await page.getByRole("button", { name: "Sign in" }).click();
    await segments(window).first().waitFor();
    cluster.token = "another";
    await page.getByRole("alert").filter({ hasText: "refused this admin token" }).waitFor();
});

webTest("a node's refusal is said with its reason", async () => {
    const cluster = new StandInCluster();
    cluster.answer = () => ({ status: 500, json: { error: { code: "Unwell", message: "The store is on fire." } } });
    const window = await open(cluster, { allow: /status of 500/ });
    await window.page.getByRole("alert").filter({ hasText: "The store is on fire." }).waitFor();
});

webTest("the ring has a segment per range in the colour of its primary, and a band per copy", async () => {
    const cluster = new StandInCluster({ nodes: 5, ranges: 64 });
    const window = await open(cluster);
    await until("all ranges are there", async () => (await segments(window).count()) === 64);
    const drawn = await window.page.evaluate(() =>
        [...document.querySelectorAll(".ring-range")].map((row) => [row.firstElementChild.style.getPropertyValue("--paint"), row.querySelectorAll(".ring-copy").length]),
    );
    for (const [range, [paint, copies]] of drawn.entries()) {
        assert.equal(paint, `var(--node-${range % 5})`);
        assert.equal(copies, 2);
    }
    assert.equal(await window.page.locator(".ring-node").count(), 5);
    for (const { name } of cluster.nodes) await nodeRow(window, name).waitFor();
});

webTest("moves are drawn from source to target as far as they have come, and end", async () => {
    const cluster = new StandInCluster({ nodes: 4 });
    cluster.copy(8, "node-4", 0.25);
    cluster.handOver(30, "node-2");
    const window = await open(cluster);
    const { page } = window;
    const thread = page.locator(".ring-move[data-range='8']:not(.is-over)");
    await thread.waitFor({ state: "attached" });
    const done = () => thread.locator(".move-done").evaluate((path) => Number(path.style.strokeDashoffset));
    assert.equal(await done(), 0.75);
    assert.equal(await page.locator(".ring-move[data-kind='primary']").count(), 1);
    const bar = page.getByRole("progressbar", { name: "Range 8" });
    assert.equal(await bar.getAttribute("aria-valuenow"), "25");
    const row = page.getByRole("list", { name: "Moves under way" }).getByRole("listitem").filter({ hasText: "Copy of range 8" });
    assert.match(await row.innerText(), /node-1[\s\S]*node-4[\s\S]*learning · 3\.95 MB of 15\.8 MB · 12\.0 MB\/s · 1 s left/);
    await chip(window).getByText("2 moves under way").waitFor();
    cluster.copy(8, "node-4", 0.75);
    await until("it went on", async () => (await done()) === 0.25);
    cluster.finish(8, { leads: true });
    await row.waitFor({ state: "detached" });
    await thread.waitFor({ state: "detached" });
    await activity(window).getByText("node-4 leads range 8", { exact: true }).waitFor();
    await until("its colour is the new primary's", () => page.locator("[data-range='8'] .ring-primary").evaluate((path) => path.style.getPropertyValue("--paint") === "var(--node-3)"));
});

webTest("rebalancing is paused and resumed at once", async () => {
    const cluster = new StandInCluster();
    const window = await open(cluster);
    const { page } = window;
    await chip(window).getByText("Balanced").waitFor();
    await page.getByRole("button", { name: "Pause rebalancing" }).click();
    await chip(window).getByText("Paused").waitFor();
    await page.getByRole("button", { name: "Resume rebalancing" }).click();
    await chip(window).getByText("Balanced").waitFor();
    assert.deepEqual(cluster.calls, ["POST /admin/rebalance/pause", "POST /admin/rebalance/resume"]);
});

webTest("draining says what will happen first, and can be taken back", async () => {
    const cluster = new StandInCluster({ nodes: 4 });
    const window = await open(cluster);
    const { page } = window;
    await page.getByRole("button", { name: "Drain node-2" }).click();
    const dialog = page.getByRole("dialog", { name: "Drain node-2?" });
    const words = await dialog.innerText();
    for (const part of ["lead of 16 ranges", "48 copies, 870 MB, move to node-1, node-3 and node-4", "1,220 client connections", "exits"]) {
        assert.ok(words.includes(part), `${part}: ${words}`);
    }
    assert.doesNotMatch(words, /would remain/);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.deepEqual(cluster.calls, []);
    await page.getByRole("button", { name: "Drain node-2" }).click();
    await dialog.getByRole("button", { name: "Drain", exact: true }).click();
    await nodeRow(window, "node-2").getByText("draining").waitFor();
    await activity(window).getByText("node-2 is being drained").waitFor();
    await page.getByRole("button", { name: "Keep node-2" }).click();
    await page.getByRole("button", { name: "Drain node-2" }).waitFor();
    const path = `/admin/nodes/${cluster.node("node-2").id}/drain`;
    assert.deepEqual(cluster.calls, [`POST ${path}`, `DELETE ${path}`]);
});

webTest("a drain that leaves too few nodes is warned of, and a refused one says why", async () => {
    const cluster = new StandInCluster();
    const window = await open(cluster);
    window.allow(/status of 409/);
    await window.page.getByRole("button", { name: "Drain node-3" }).click();
    const dialog = window.page.getByRole("dialog");
    await dialog.getByText("2 nodes would remain for 3 copies").waitFor();
    const answer = cluster.answer.bind(cluster);
    cluster.answer = (method, ...rest) => (method === "POST" ? { status: 409, json: { error: { code: "Conflict", message: "Not now." } } } : answer(method, ...rest));
    await dialog.getByRole("button", { name: "Drain", exact: true }).click();
    await dialog.getByRole("alert").filter({ hasText: "Not now." }).waitFor();
});

webTest("all moves are cancelled only when confirmed", async () => {
    const cluster = new StandInCluster({ nodes: 4 });
    cluster.copy(0, "node-4", 0.5);
    const window = await open(cluster);
    await window.page.getByRole("button", { name: "Cancel all" }).click();
    await window.page.getByRole("dialog").getByText("1 move under way will be taken back").waitFor();
    await window.page.getByRole("button", { name: "Cancel the moves" }).click();
    await window.page.getByRole("button", { name: "Cancel all" }).waitFor({ state: "hidden" });
    assert.deepEqual(cluster.calls, ["POST /admin/rebalance/cancel"]);
});

webTest("when its node is silent the console goes on with another, and says when none is left", async () => {
    const cluster = new StandInCluster();
    const own = new URL(endpoint).host;
    let isOwnSilent = false;
    const window = await open(cluster, { silent: (host) => isOwnSilent && (host === own || host.startsWith("node-1.")) });
    window.allow(/ERR_CONNECTION_REFUSED/);
    await segments(window).first().waitFor();
    isOwnSilent = true;
    await until("another node is asked", () => cluster.asked === "node-2.stand-in.test:8443");
    cluster.node("node-1").isAlive = false;
    await window.page.getByRole("alert").getByText("node-1 silent").waitFor();
    cluster.isSilent = true;
    await window.page.getByRole("alert").filter({ hasText: "None of 4 nodes answers" }).filter({ hasText: "Asking again each second" }).waitFor();
    assert.equal(await segments(window).count(), 64, "what was known stays in view");
    cluster.isSilent = false;
    await window.page.getByRole("alert").getByText("node-1 silent", { exact: true }).waitFor();
});

webTest("without an answer at the start it says which node is silent, and goes on asking", async () => {
    const cluster = new StandInCluster();
    cluster.isSilent = true;
    const window = await open(cluster, { allow: /ERR_CONNECTION_REFUSED/ });
    await window.page.getByRole("alert").filter({ hasText: `${new URL(endpoint).host} does not answer` }).waitFor();
    cluster.isSilent = false;
    await segments(window).first().waitFor();
});

webTest("an empty cluster and a single node are explained", async () => {
    const cluster = new StandInCluster({ nodes: 0, ranges: 0 });
    const window = await open(cluster);
    await window.page.getByRole("alert").filter({ hasText: "The cluster is empty" }).waitFor();
    assert.equal(await segments(window).count(), 0);
    const lone = new StandInCluster({ nodes: 1, factor: 1 });
    Object.assign(cluster, { nodes: lone.nodes, ranges: lone.ranges, factor: 1 });
    await chip(window).getByText("Single node").waitFor();
    await window.page.getByText("Start another with --join").waitFor();
    assert.equal(await segments(window).count(), 64);
    assert.equal(await window.page.locator(".banner").count(), 0);
});

webTest("a range tells about itself when pointed at, and stays when chosen", async () => {
    const cluster = new StandInCluster({ nodes: 4 });
    cluster.copy(20, "node-4", 0.3);
    const window = await open(cluster);
    const { page } = window;
    const details = page.getByRole("region", { name: "Range" });
    const segment = page.locator(".ring-range[data-range='20'] .ring-primary");
    await segment.hover();
    await details.getByRole("heading", { name: "Range 20" }).waitFor();
    await page.mouse.move(5, 5);
    await details.getByRole("heading").waitFor({ state: "detached" });
    await segment.click();
    await page.mouse.move(5, 5);
    const words = await details.innerText();
    for (const part of ["Range 20", "epoch 7", "node-1", "node-2", "node-3", "node-4", "30 %", "17.0 MB", "5000000000000000–53ffffffffffffff"]) {
        assert.ok(words.includes(part), `${part}: ${words}`);
    }
    await page.getByRole("button", { name: "Close range" }).click();
    await details.getByRole("heading").waitFor({ state: "detached" });
});

webTest("ranges are gone through by keys, as one stop", async () => {
    const window = await open(new StandInCluster());
    const { page } = window;
    await segments(window).first().waitFor();
    const focused = () => page.evaluate(() => document.activeElement.dataset.range);
    await until("the ring is reached", async () => {
        await page.keyboard.press("Tab");
        return (await focused()) === "0";
    });
    const details = page.getByRole("region", { name: "Range" });
    for (const [key, range] of [["ArrowRight", "1"], ["ArrowRight", "2"], ["ArrowLeft", "1"], ["End", "63"], ["ArrowRight", "0"], ["ArrowLeft", "63"], ["Home", "0"]]) {
        await page.keyboard.press(key);
        assert.equal(await focused(), range, key);
    }
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("[data-range='1']").first().getAttribute("aria-selected"), "true");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), undefined, "one stop, not 64");
    await details.getByRole("heading", { name: "Range 1" }).waitFor();
    await page.keyboard.press("Escape");
    await details.getByRole("heading").waitFor({ state: "detached" });
});

webTest("moves that end between two looks are drawn in passing", async () => {
    const cluster = new StandInCluster({ nodes: 4 });
    const window = await open(cluster);
    await segments(window).first().waitFor();
    await window.page.evaluate(() => {
        globalThis.passed = [];
        const note = ({ target }) => target.classList.contains("is-brief") && globalThis.passed.push(`${target.dataset.kind} ${target.dataset.range}`);
        const each = (records) => records.forEach(note);
        new MutationObserver(each).observe(document.querySelector(".ring-moves"), { subtree: true, attributeFilter: ["class"] });
    });
    cluster.copy(8, "node-4", 1);
    cluster.finish(8, { leads: true });
    cluster.ranges[20].primary = cluster.node("node-2").id;
    await activity(window).getByText("node-4 leads range 8", { exact: true }).waitFor();
    await until("both have passed", () => window.page.evaluate(() => new Set(globalThis.passed).size === 2));
    assert.deepEqual([...new Set(await window.page.evaluate(() => globalThis.passed))].sort(), ["copy 8", "primary 20"]);
    await window.page.locator(".ring-move").first().waitFor({ state: "detached" });
});

webTest("a move to a silent node waits, and says for whom", async () => {
    const cluster = new StandInCluster({ nodes: 4 });
    cluster.copy(8, "node-4", 0.25);
    const window = await open(cluster);
    await window.page.locator(".ring-move .move-flow").waitFor();
    cluster.node("node-4").isAlive = false;
    await window.page.getByText("waits for node-4").waitFor();
    await window.page.locator(".ring-move .move-flow").waitFor({ state: "hidden" });
});

webTest("what replaces the copy of a silent node goes on, and without a move it says what is silent", async () => {
    const cluster = new StandInCluster({ nodes: 4 });
    cluster.copy(8, "node-4", 0.25, cluster.node("node-2").id);
    cluster.node("node-2").isAlive = false;
    const window = await open(cluster);
    await window.page.locator(".ring-move .move-flow").waitFor();
    assert.match(await window.page.locator(".move-note").textContent(), /^learning/);
    cluster.moves = [];
    await window.page.getByText("Nothing is moving; what node-2 should hold waits").waitFor();
});

// Few nodes, of which every number is as long as it gets.
function giants() {
    const cluster = new StandInCluster({ nodes: 6, ranges: 256 });
    for (const node of cluster.nodes) {
        node.zone = "a-zone-with-a-long-name";
        Object.assign(node.load, { connections: 9876543, deliveriesPerSecond: 99949, writesPerSecond: 99949, commitMsP99: 99.9, slowClients: 99949, storedBytes: 9.99e14 });
    }
    for (const range of cluster.ranges) range.learners = [cluster.nodes[range.range % 6].id];
    cluster.node("node-2").isDraining = true;
    return cluster;
}

function crowd() {
    const cluster = new StandInCluster({ nodes: 12, ranges: 256 });
    for (const [at, share] of [0.1, 0.4, 0.6, 0.9].entries()) cluster.copy(30 + 60 * at, `node-${((5 + at * 3) % 12) + 1}`, share);
    cluster.node("node-7").isAlive = false;
    cluster.node("node-9").isDraining = true;
    cluster.node("node-3").load.slowClients = 17;
    cluster.node("node-4").name = "a-node-with-quite-a-long-name-that-nobody-can-remember";
    return cluster;
}

// Elements of the board that stick out of it sideways; what scrolls or is cut on purpose does not.
const overflowing = ({ page }) =>
    page.evaluate(() =>
        [...document.querySelectorAll(".head > *, .panel, .panel td, .panel th, .ring-figure, .details-panel, .banner")]
            .filter((node) => node.checkVisibility())
            .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5 || node.scrollWidth > node.clientWidth + 1)
            .map((node) => `${node.tagName} ${node.className}: ${node.textContent.slice(0, 40)}`),
    );

const SHAPES = { desk: {}, phone: { viewport: PHONE, isTouch: true } };

for (const [shape, options] of Object.entries(SHAPES)) {
    webTest(`256 ranges of 12 nodes fit on a ${shape}`, async () => {
        const window = await open(crowd(), options);
        await until("all ranges are there", async () => (await segments(window).count()) === 256);
        assert.equal(await window.page.locator(".ring-node").count(), 12);
        await fitsWidth(window);
        assert.deepEqual(await overflowing(window), []);
        await nodeRow(window, "node-12").scrollIntoViewIfNeeded();
        await nodeRow(window, "node-12").getByRole("button", { name: "Drain node-12" }).click();
        await window.page.getByRole("dialog").waitFor();
        await fitsWidth(window);
    });

    webTest(`the longest numbers fit on a ${shape}`, async () => {
        const window = await open(giants(), options);
        await nodeRow(window, "node-6").waitFor();
        await fitsWidth(window);
        assert.deepEqual(await overflowing(window), []);
    });
}

for (const colorScheme of ["light", "dark"]) {
    webTest(`words can be read in the ${colorScheme}, and everything to act on has a name`, async () => {
        const outside = await open(new StandInCluster(), { token: null, colorScheme });
        await outside.page.getByRole("textbox", { name: "Admin token" }).waitFor();
        assert.deepEqual(await faint(outside), []);
        const window = await open(crowd(), { colorScheme });
        await segments(window).nth(30).focus();
        assert.deepEqual(await faint(window), []);
        assert.deepEqual(await nameless(window), []);
    });
}

webTest("what one works with stays while numbers change", async () => {
    const cluster = new StandInCluster();
    const window = await open(cluster);
    const drain = window.page.getByRole("button", { name: "Drain node-2" });
    await drain.focus();
    cluster.join();
    cluster.node("node-1").load.connections = 7;
    await nodeRow(window, "node-4").waitFor();
    await nodeRow(window, "node-1").getByText("7", { exact: true }).waitFor();
    assert.ok(await drain.evaluate((node) => node === document.activeElement));
});

await run("console");
