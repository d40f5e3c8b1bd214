// MessagePack as far as /realtime and the records of a cluster use it: nil, booleans, numbers, text, bytes, arrays, maps.

const number = (prefix, bytes, write) => {
    const out = Buffer.alloc(1 + bytes);
    out[0] = prefix;
    write(out);
    return out;
};

const head = (size, fix, fixMax, prefix16, prefix32) => {
    if (size <= fixMax) return Buffer.from([fix | size]);
    return size < 65536
        ? number(prefix16, 2, (out) => out.writeUInt16BE(size, 1))
        : number(prefix32, 4, (out) => out.writeUInt32BE(size, 1));
};

export function encode(value) {
    if (value === null || value === undefined) return Buffer.from([0xc0]);
    if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
    if (typeof value === "number") {
        if (Number.isInteger(value) && value >= 0 && value < 128) return Buffer.from([value]);
        if (Number.isSafeInteger(value)) return number(0xd3, 8, (out) => out.writeBigInt64BE(BigInt(value), 1));
        return number(0xcb, 8, (out) => out.writeDoubleBE(value, 1));
    }
    if (typeof value === "string") {
        const bytes = Buffer.from(value);
        return Buffer.concat([head(bytes.length, 0xa0, 31, 0xda, 0xdb), bytes]);
    }
    if (Array.isArray(value)) return Buffer.concat([head(value.length, 0x90, 15, 0xdc, 0xdd), ...value.map(encode)]);
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return Buffer.concat([head(members.length, 0x80, 15, 0xde, 0xdf), ...members.flatMap(([name, member]) => [encode(name), encode(member)])]);
}

export function decode(bytes) {
    let at = 0;
    const take = (size) => bytes.subarray(at, (at += size));
    const unsigned = (size) => Number(BigInt(`0x${take(size).toString("hex")}`));
    const text = (size) => take(size).toString("utf8");
    const array = (size) => Array.from({ length: size }, value);
    const map = (size) => Object.fromEntries(Array.from({ length: size }, () => [value(), value()]));
    function value() {
        const tag = take(1)[0];
        if (tag < 0x80) return tag;
        if (tag < 0x90) return map(tag & 15);
        if (tag < 0xa0) return array(tag & 15);
        if (tag < 0xc0) return text(tag & 31);
        if (tag >= 0xe0) return tag - 256;
        switch (tag) {
            case 0xc0: return null;
            case 0xc2: return false;
            case 0xc3: return true;
            case 0xc4: case 0xc5: case 0xc6: return take(unsigned(1 << (tag - 0xc4)));
            case 0xca: return take(4).readFloatBE();
            case 0xcb: return take(8).readDoubleBE();
            case 0xcc: case 0xcd: case 0xce: case 0xcf: return unsigned(1 << (tag - 0xcc));
            case 0xd0: return take(1).readInt8();
            case 0xd1: return take(2).readInt16BE();
            case 0xd2: return take(4).readInt32BE();
            case 0xd3: return Number(take(8).readBigInt64BE());
            case 0xd9: case 0xda: case 0xdb: return text(unsigned(1 << (tag - 0xd9)));
            case 0xdc: case 0xdd: return array(unsigned(tag === 0xdc ? 2 : 4));
            case 0xde: case 0xdf: return map(unsigned(tag === 0xde ? 2 : 4));
            default: throw new Error(`MessagePack tag ${tag.toString(16)}`);
        }
    }
    return value();
}
