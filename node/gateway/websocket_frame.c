#include "node/gateway/websocket_frame.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "proto/check.h"
#include "proto/status.h"

#define KEY_TEXT_BYTES 24
#define FINAL_FRAGMENT 0x80

static void put_big_endian(uint8_t *out, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

size_t websocket_frame_header(uint8_t out[WEBSOCKET_HEADER_BYTES_MAX], enum websocket_opcode opcode,
                              size_t payload_size) {
    out[0] = (uint8_t)(FINAL_FRAGMENT | opcode);
    if (payload_size < 126) {
        out[1] = (uint8_t)payload_size;
        return 2;
    }
    if (payload_size <= UINT16_MAX) {
        out[1] = 126;
        put_big_endian(out + 2, payload_size, 2);
        return 4;
    }
    out[1] = 127;
    put_big_endian(out + 2, payload_size, 8);
    return 10;
}

static size_t cut_at_character(const char *text, size_t size_max) {
    size_t size = strlen(text);
    if (size <= size_max)
        return size;
    size = size_max;
    while (size > 0 && ((uint8_t)text[size] & 0xC0) == 0x80)
        size--;
    return size;
}

size_t websocket_close_payload(uint8_t out[WEBSOCKET_CONTROL_BYTES_MAX], uint16_t code, const char *reason) {
    /* 1005 says "no code was given" and never goes on the wire (RFC 6455, 7.4.1). */
    if (code == 1005)
        return 0;
    put_big_endian(out, code, 2);
    size_t size = reason == NULL ? 0 : cut_at_character(reason, WEBSOCKET_CONTROL_BYTES_MAX - 2);
    if (size > 0)
        memcpy(out + 2, reason, size);
    return 2 + size;
}

static bool is_key(struct bytes key) {
    if (key.size != KEY_TEXT_BYTES)
        return false;
    uint8_t decoded[KEY_TEXT_BYTES];
    int size = EVP_DecodeBlock(decoded, key.data, KEY_TEXT_BYTES);
    /* EVP_DecodeBlock counts the padding as bytes: 16 bytes and "==" give 18. */
    return size == 18 && key.data[22] == '=' && key.data[23] == '=' && key.data[21] != '=';
}

int websocket_accept_key(struct bytes key, char out[WEBSOCKET_ACCEPT_BYTES]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    if (!is_key(key))
        return STATUS_BAD_REQUEST;
    uint8_t text[KEY_TEXT_BYTES + sizeof(guid) - 1];
    memcpy(text, key.data, KEY_TEXT_BYTES);
    memcpy(text + KEY_TEXT_BYTES, guid, sizeof(guid) - 1);
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA1(text, sizeof(text), digest);
    uint8_t encoded[WEBSOCKET_ACCEPT_BYTES + 1];
    check(EVP_EncodeBlock(encoded, digest, sizeof(digest)) == WEBSOCKET_ACCEPT_BYTES);
    memcpy(out, encoded, WEBSOCKET_ACCEPT_BYTES);
    return 0;
}

static struct bytes trim(struct bytes text) {
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

bool websocket_list_has(struct bytes list, struct bytes member) {
    while (list.size > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.size);
        size_t size = comma == NULL ? list.size : (size_t)(comma - list.data);
        if (bytes_equal(trim(bytes_of(list.data, size)), member))
            return true;
        if (comma == NULL)
            return false;
        list = bytes_of(list.data + size + 1, list.size - size - 1);
    }
    return false;
}
