// Numbers as people read them. What is unknown is a dash, never "NaN".

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(count) {
    if (!Number.isFinite(count)) return '–';
    let value = count;
    let unit = 0;
    while (value >= 999.5 && unit < UNITS.length - 1) {
        value /= 1000;
        unit++;
    }
    return `${unit === 0 ? Math.round(value) : significant(value)} ${UNITS[unit]}`;
}

// 1.23, 12.3, 123.
const significant = (value) => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);

export const bytesPerSecond = (rate) => (Number.isFinite(rate) ? `${bytes(rate)}/s` : '–');

export function count(number) {
    if (!Number.isFinite(number)) return '–';
    if (number >= 999500) return `${significant(number / 1e6)} M`;
    if (number >= 99950) return `${significant(number / 1e3)} k`;
    return Math.round(number).toLocaleString('en');
}

// A rate of events: small ones with a digit behind the point, so that one per ten seconds is not none.
export function rate(perSecond) {
    if (!Number.isFinite(perSecond)) return '–';
    return perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : count(perSecond);
}

// Nothing takes no time at all: 0 is what is told when nothing was measured.
export function milliseconds(value) {
    if (!Number.isFinite(value) || value === 0) return '–';
    if (value >= 9995) return `${significant(value / 1000)} s`;
    return value < 99.95 ? `${value.toFixed(value < 9.995 ? 2 : 1)} ms` : `${Math.round(value).toLocaleString('en')} ms`;
}

export const percent = (share) => (Number.isFinite(share) ? `${Math.round(share * 100)} %` : '–');

export function duration(seconds) {
    if (!Number.isFinite(seconds)) return '–';
    const whole = Math.max(0, Math.ceil(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
    return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function nameList(names) {
    if (names.length < 2) return names.join('');
    return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
