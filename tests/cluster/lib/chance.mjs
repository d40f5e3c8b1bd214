// Chance that can be repeated: the same seed gives the same numbers.

export function chanceFrom(seed = String(1 + Math.floor(Math.random() * 2 ** 31))) {
    let state = (Number(seed) >>> 0) || 1;
    // xorshift32
    const next = () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) / 2 ** 32;
    };
    for (let round = 0; round < 10; round++) next();
    const below = (end) => Math.floor(next() * end);
    const pick = (items) => items[below(items.length)];
    const bytes = (size) => Buffer.from(Array.from({ length: size }, () => below(256)));
    return { seed, below, pick, bytes, isOneIn: (count) => below(count) === 0 };
}
