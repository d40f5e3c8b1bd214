// The hash ring in numbers: angles from the top, clockwise, in turns (0 to 1); points around (0, 0), as SVG counts.

const POSITION_BITS = 64n;
const GAP_UNITS = 2.4;
const GAP_SHARE_MAX = 0.16;

// "first" and "last" are positions of 64 bits in hexadecimal, both inside the range. Without them ranges are of one size.
export function turnsOf({ range, first, last }, count) {
    if (!isPosition(first) || !isPosition(last)) return { from: range / count, to: (range + 1) / count };
    return { from: turn(BigInt(`0x${first}`)), to: turn(BigInt(`0x${last}`) + 1n) };
}

const isPosition = (text) => /^[0-9a-f]{1,16}$/i.test(text ?? '');
const turn = (position) => Number(position) / Number(1n << POSITION_BITS);

export function pointAt(turns, radius) {
    const angle = turns * 2 * Math.PI;
    return { x: radius * Math.sin(angle), y: -radius * Math.cos(angle) };
}

// A piece of a ring as an SVG path, a little shorter than from…to, so that neighbours stay apart.
export function bandPath({ from, to }, inner, outer) {
    const gap = Math.min(GAP_UNITS / (2 * Math.PI * outer), (to - from) * GAP_SHARE_MAX) / 2;
    // A full circle has no start and end of its own, so it is drawn almost full.
    const [a, b] = to - from >= 1 ? [from, from + 0.99999] : [from + gap, to - gap];
    const isLong = b - a > 0.5 ? 1 : 0;
    const corners = [pointAt(a, outer), pointAt(b, outer), pointAt(b, inner), pointAt(a, inner)].map(text);
    return (
        `M${corners[0]}A${outer} ${outer} 0 ${isLong} 1 ${corners[1]}` +
        `L${corners[2]}A${inner} ${inner} 0 ${isLong} 0 ${corners[3]}Z`
    );
}

// Where nodes stand inside the ring: evenly, the first at the top; a lone node in the middle.
export function nodePoints(count, radius) {
    if (count === 1) return [{ x: 0, y: 0 }];
    return Array.from({ length: count }, (_, at) => pointAt(at / count, radius));
}

// A move's way: from one node to the other by way of the range that moves, as three points of a quadratic curve.
export function moveCurve(from, to, way) {
    const control = { x: 2 * way.x - (from.x + to.x) / 2, y: 2 * way.y - (from.y + to.y) / 2 };
    return { from, control, to };
}

export const curvePath = ({ from, control, to }) => `M${text(from)}Q${text(control)} ${text(to)}`;

export function pointOnCurve({ from, control, to }, share) {
    const rest = 1 - share;
    const mix = (axis) => rest * rest * from[axis] + 2 * rest * share * control[axis] + share * share * to[axis];
    return { x: mix('x'), y: mix('y') };
}

const text = ({ x, y }) => `${x.toFixed(2)} ${y.toFixed(2)}`;
