// Requests signed with the resource's access key (contract 2.1), in the browser's own cryptography. The key never leaves
// the page: only signatures do.

const encoder = new TextEncoder();

export function bytesToBase64(bytes) {
    let binary = '';
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return btoa(binary);
}

export function base64ToBytes(text) {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// `endpoint=https://host/;accesskey=<base64>`, names in any case, in any order. Throws a sentence for the user.
export function parseConnectionString(text) {
    const parts = new Map();
    for (const part of text.trim().split(';')) {
        const equals = part.indexOf('=');
        if (equals > 0) parts.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim());
    }
    const endpoint = parts.get('endpoint');
    const accessKey = parts.get('accesskey');
    if (!endpoint || !accessKey) {
        throw new Error('A connection string looks like endpoint=https://host/;accesskey=…');
    }
    if (!URL.canParse(endpoint)) throw new Error(`The endpoint “${endpoint}” is not an address.`);
    try {
        base64ToBytes(accessKey);
    } catch {
        throw new Error('The access key is not base64; part of it may be missing.');
    }
    return { endpoint: new URL(endpoint).origin, accessKey };
}

export async function contentHash(body) {
    return bytesToBase64(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(body))));
}

// `target` is the path and query exactly as they go on the wire; `date` is RFC 1123 text.
export async function signature({ accessKey, method, target, host, date, hash }) {
    const algorithm = { name: 'HMAC', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('raw', base64ToBytes(accessKey), algorithm, false, ['sign']);
    const words = `${method}\n${target}\n${date};${host};${hash}`;
    return bytesToBase64(new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(words))));
}

export async function signedHeaders({ accessKey, method, target, host, body, date = new Date().toUTCString() }) {
    const hash = await contentHash(body);
    const signed = await signature({ accessKey, method, target, host, date, hash });
    return {
        'x-ms-date': date,
        'x-ms-content-sha256': hash,
        authorization: `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signed}`,
    };
}
