// Makes wrong input out of right input, by chance that can be repeated.

const NASTY_NUMBERS = [0, -1, 1, 127, 128, 255, 256, 65535, 65536, 2147483647, 2147483648, 4294967295, 4294967296, 9007199254740993, 1e308, -1e308, 0.5];
const NASTY_TEXTS = [
    "", "\u0000", "a\u0000b", "\ud800", "\udc00\ud800", "﷽".repeat(50), "../../etc/passwd", "%00", "%", "' or 1=1 --", "<script>alert(1)</script>",
    "\r\nX-Injected: 1", "🧵".repeat(100), "x".repeat(5000), "x".repeat(40000), "null", "-1", "18446744073709551615", "18446744073709551616", "99999999999999999999999",
    "1e5", "0x10", " 5", "5 ", "+5", "19:acsV1_x@thread.v2", "8:acs:", "28:orgid:1", "2026-13-45T99:99:99Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
];

/** One to four bytes or pieces of `bytes` changed, taken out, doubled or put in. */
export function mutateBytes(chance, bytes) {
    let out = Buffer.from(bytes);
    for (let change = 1 + chance.below(4); change > 0; change--) {
        const at = chance.below(out.length + 1);
        const size = 1 + chance.below(chance.isOneIn(4) ? 40 : 4);
        switch (chance.below(6)) {
            case 0: if (at < out.length) out[at] ^= 1 << chance.below(8); break;
            case 1: if (at < out.length) out[at] = chance.pick([0, 1, 0x7f, 0x80, 0xff, 0x22, 0x5c, 0x7b, 0x5d, 0x0d, 0x0a]); break;
            case 2: out = Buffer.concat([out.subarray(0, at), out.subarray(at + size)]); break;
            case 3: out = Buffer.concat([out.subarray(0, at), chance.bytes(size), out.subarray(at)]); break;
            case 4: out = Buffer.concat([out.subarray(0, at + size), out.subarray(at)]); break;
            case 5: out = out.subarray(0, at); break;
        }
    }
    return out;
}

function nastyValue(chance) {
    switch (chance.below(7)) {
        case 0: return chance.pick(NASTY_NUMBERS);
        case 1: return chance.pick([null, true, false]);
        case 2: return [];
        case 3: return {};
        case 4: return Array.from({ length: chance.below(300) }, () => chance.pick(NASTY_TEXTS.slice(0, 5)));
        case 5: {
            let deep = "deep";
            for (let level = chance.below(200); level > 0; level--) deep = chance.isOneIn(2) ? [deep] : { a: deep };
            return deep;
        }
        default: return chance.pick(NASTY_TEXTS);
    }
}

/** The same tree with one or two values replaced, taken out or put in. */
export function mutateTree(chance, tree) {
    const out = structuredClone(tree);
    const places = [];
    const walk = (value) => {
        if (value === null || typeof value !== "object") return;
        for (const name of Object.keys(value)) {
            places.push([value, name]);
            walk(value[name]);
        }
    };
    walk(out);
    if (places.length === 0) return nastyValue(chance);
    for (let change = 1 + chance.below(2); change > 0; change--) {
        const [holder, name] = chance.pick(places);
        switch (chance.below(4)) {
            case 0: delete holder[name]; break;
            case 1: holder[chance.pick(["id", "type", "thread", "content", "participants", "metadata", "__proto__x", "", "\u0000"])] = nastyValue(chance); break;
            default: holder[name] = nastyValue(chance);
        }
    }
    return out;
}

export const nastyText = (chance) => chance.pick(NASTY_TEXTS);
