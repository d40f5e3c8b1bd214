// The page's modules that need no page, in the browser that runs them.

import assert from "node:assert/strict";
import { run } from "../sdk/lib/harness.mjs";
import { openWindow } from "./lib/browser.mjs";
import { webTest } from "./lib/chat.mjs";

const inPage = async (body, given) => (await openWindow()).page.evaluate(body, given);

webTest("requests are signed as the contract's worked examples say", async () => {
    const key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const date = "Fri, 02 Jan 2026 03:04:05 GMT";
    const examples = [
        ["POST", "localhost:8443", "/identities?api-version=2023-10-01", '{"createTokenWithScopes":["chat"],"expiresInMinutes":60}', "kET9vD/6sAVRB6ISkrpOL44L0M1olvugZ/QYxlSQK9k=", "n/mbvYioAWgkFV2FIS1WbBLt0wF7sgkwSgj6ylS/FoA="],
        ["POST", "localhost:8443", "/identities?api-version=2023-10-01", "", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "3IJtwvcEurZOivyYxHXamTRKqXm3vqHzW31xN69y4Bo="],
        ["DELETE", "chat.example.org", "/identities/8%3Aacs%3A11111111-2222-3333-4444-555555555555_00000010-aaaa-bbbb-cccc-000000000001?api-version=2023-10-01", "", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "zA/U7GSGvd3rsWQny8/EA1oO9H2GodcZr9ZY7wMCF1E="],
    ];
    for (const [method, host, target, body, hash, signature] of examples) {
        const headers = await inPage(
            async (given) => (await import("/app/net/access_key.js")).signedHeaders(given),
            { accessKey: key, method, host, target, body, date },
        );
        assert.deepEqual(headers, {
            "x-ms-date": date,
            "x-ms-content-sha256": hash,
            authorization: `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
        });
    }
});

webTest("connection strings are read in any case and order, and refused with a sentence", async () => {
    const results = await inPage(async () => {
        const { parseConnectionString } = await import("/app/net/access_key.js");
        const given = ["Endpoint=https://h:1/;AccessKey=AAA=", "accesskey=AAA=; endpoint=https://h:1", "endpoint=https://h", "endpoint=nonsense;accesskey=AAA=", "endpoint=https://h;accesskey=%"];
        return given.map((text) => {
            try {
                return parseConnectionString(text);
            } catch (error) {
                return error.message;
            }
        });
    });
    assert.deepEqual(results.slice(0, 2), Array(2).fill({ endpoint: "https://h:1", accessKey: "AAA=" }));
    assert.match(results[2], /looks like/);
    assert.match(results[3], /not an address/);
    assert.match(results[4], /not base64/);
});

webTest("offsets know what is missing and what was repeated", async () => {
    const steps = await inPage(async () => {
        const { Offsets } = await import("/app/model/offsets.js");
        const offsets = new Offsets();
        const seen = [];
        const note = (offset) => seen.push([offsets.note(offset), offsets.known, offsets.isGap]);
        note(9); // before anything is known
        offsets.complete(8);
        seen.push([offsets.known, offsets.isGap]); // 9 was seen already
        note(10);
        note(10); // again
        note(12); // 11 is missing
        offsets.resume();
        seen.push([offsets.isGap]);
        note(11);
        seen.push([offsets.known]);
        offsets.complete(12);
        note(14);
        offsets.resume();
        offsets.lost();
        seen.push([offsets.known, offsets.isGap]);
        return seen;
    });
    assert.deepEqual(steps, [[false, null, false], [9, false], [true, 10, false], [false, 10, false], [true, 10, true], [false], [true, 12, false], [12], [true, 12, true], [12, true]]);
});

webTest("html keeps what the allow-list names and nothing that acts", async () => {
    const window = await openWindow();
    window.allow(/Content Security Policy/);
    const results = await window.page.evaluate(async () => {
        const { safeHtml, textOfHtml } = await import("/app/views/safe_html.js");
        const given = [
            '<b onclick="x()">bold</b> <script>bad()</script>text',
            '<a href="javascript:alert(1)">a</a><a href=" JaVaScRiPt:alert(1)">b</a><a href="https://x.example/">c</a>',
            '<img src="https://x.example/p.png" alt="loom" onerror="bad()">',
            "<svg><script>bad()</script></svg><math><mi>x</mi></math><style>*{}</style><iframe src=x></iframe>ok",
            '<form action="x"><input value="y">words</form>',
            `${"<i>".repeat(5000)}deep`,
        ];
        return given.map((html) => {
            const holder = document.createElement("div");
            holder.append(safeHtml(html));
            return [holder.innerHTML, textOfHtml(html)];
        });
    });
    const html = results.map(([markup]) => markup);
    assert.equal(html[0], "<b>bold</b> text");
    assert.equal(html[1], '<a>a</a><a>b</a><a href="https://x.example/" target="_blank" rel="noopener noreferrer">c</a>');
    assert.equal(html[2], '<a href="https://x.example/p.png" target="_blank" rel="noopener noreferrer">loom</a>');
    assert.equal(html[3], "ok");
    assert.equal(html[4], "words");
    assert.ok(html[5].length < 2000);
    assert.equal(results[0][1], "bold text");
});

await run("modules");
