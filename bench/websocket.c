#define _GNU_SOURCE
#include "bench/websocket.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <strings.h>

#include "proto/check.h"
#include "proto/status.h"

#define NEEDS_MORE 1
#define HEAD_BYTES_MAX 16384

void websocket_key_make(const uint8_t entropy[16], char key[WEBSOCKET_KEY_BYTES]) {
    EVP_EncodeBlock((unsigned char *)key, entropy, 16);
}

static void accept_of(const char *key, char accept[29]) {
    char text[WEBSOCKET_KEY_BYTES + 36];
    uint8_t digest[20];
    int size = snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    check(EVP_Digest(text, (size_t)size, digest, NULL, EVP_sha1(), NULL) == 1);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
}

void websocket_upgrade_encode(const char *target, const char *authority, const char *key, const char *subprotocol,
                              struct buffer *out) {
    buffer_printf(out,
                  "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
                  target, authority, key);
    if (subprotocol != NULL)
        buffer_printf(out, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
    buffer_append_text(out, "\r\n");
}

/* The trimmed value of a header in a response head; absent if there is none. */
static struct bytes header_find(struct bytes head, const char *name) {
    const char *at = (const char *)head.data, *end = at + head.size;
    size_t name_size = strlen(name);
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if ((size_t)(end - at) <= name_size || strncasecmp(at, name, name_size) != 0 || at[name_size] != ':')
            continue;
        const char *value = at + name_size + 1;
        const char *line_end = memchr(value, '\r', (size_t)(end - value));
        while (value < line_end && *value == ' ')
            value++;
        return bytes_of(value, (size_t)(line_end - value));
    }
    return BYTES_ABSENT;
}

int websocket_upgrade_check(struct bytes received, const char *key, const char *subprotocol, size_t *head_size,
                            char *reason, size_t reason_size) {
    const uint8_t *end = memmem(received.data, received.size, "\r\n\r\n", 4);
    if (end == NULL && received.size < HEAD_BYTES_MAX)
        return NEEDS_MORE;
    if (end == NULL || !bytes_starts_with(received, "HTTP/1.1 ")) {
        snprintf(reason, reason_size, "the answer to the upgrade is not HTTP/1.1");
        return STATUS_MALFORMED;
    }
    *head_size = (size_t)(end - received.data) + 4;
    struct bytes head = bytes_of(received.data, *head_size);
    if (!bytes_starts_with(head, "HTTP/1.1 101")) {
        const uint8_t *line_end = memchr(head.data, '\r', head.size);
        snprintf(reason, reason_size, "the upgrade was refused: %.*s", (int)(line_end - head.data), head.data);
        return STATUS_MALFORMED;
    }
    char accept[29];
    accept_of(key, accept);
    if (!bytes_equal_text(header_find(head, "Sec-WebSocket-Accept"), accept)) {
        snprintf(reason, reason_size, "the upgrade's Sec-WebSocket-Accept does not fit the key");
        return STATUS_MALFORMED;
    }
    if (subprotocol != NULL && !bytes_equal_text(header_find(head, "Sec-WebSocket-Protocol"), subprotocol)) {
        snprintf(reason, reason_size, "the server did not take the subprotocol %s", subprotocol);
        return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

void websocket_frame_encode(enum websocket_opcode opcode, struct bytes payload, uint32_t mask, struct buffer *out) {
    uint8_t *at = buffer_reserve(out, payload.size + 14), *start = at;
    *at++ = (uint8_t)(0x80 | (unsigned)opcode);
    if (payload.size < 126) {
        *at++ = (uint8_t)(0x80 | payload.size);
    } else if (payload.size < 65536) {
        *at++ = 0x80 | 126;
        *at++ = (uint8_t)(payload.size >> 8);
        *at++ = (uint8_t)payload.size;
    } else {
        *at++ = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            *at++ = (uint8_t)((uint64_t)payload.size >> shift);
    }
    uint8_t key[4];
    memcpy(key, &mask, 4);
    memcpy(at, key, 4);
    at += 4;
    for (size_t i = 0; i < payload.size; i++)
        *at++ = payload.data[i] ^ key[i % 4];
    buffer_added(out, (size_t)(at - start));
}

static bool opcode_is_known(unsigned opcode) {
    return opcode <= WEBSOCKET_BINARY || (opcode >= WEBSOCKET_CLOSE && opcode <= WEBSOCKET_PONG);
}

int websocket_frame_decode(struct bytes received, struct websocket_frame *frame) {
    if (received.size < 2)
        return NEEDS_MORE;
    const uint8_t *data = received.data;
    unsigned opcode = data[0] & 15U;
    uint64_t size = data[1];
    size_t head = size < 126 ? 2 : size == 126 ? 4 : 10;
    if ((data[0] & 0x70) != 0 || size > 127 || !opcode_is_known(opcode))
        return STATUS_MALFORMED;
    if (opcode >= WEBSOCKET_CLOSE && (size > 125 || (data[0] & 0x80) == 0))
        return STATUS_MALFORMED;
    if (received.size < head)
        return NEEDS_MORE;
    if (head > 2) {
        size = 0;
        for (size_t i = 2; i < head; i++)
            size = size << 8 | data[i];
    }
    if (size > WEBSOCKET_MESSAGE_BYTES_MAX)
        return STATUS_MALFORMED;
    if (received.size - head < size)
        return NEEDS_MORE;
    *frame = (struct websocket_frame){(enum websocket_opcode)opcode, (data[0] & 0x80) != 0,
                                      bytes_of(data + head, (size_t)size), head + (size_t)size};
    return STATUS_OK;
}
