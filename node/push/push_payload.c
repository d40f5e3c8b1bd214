#include "node/push/push_payload.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>

#include "node/push/web_push_encrypt.h"
#include "proto/check.h"
#include "proto/trouter.h"

#define MODE 0x70 /* AES-256-CBC with HMAC-SHA256 */
#define BLOCK_BYTES 16
#define SEALED_BYTES_MAX 2600  /* base64 makes 3,600 of them */
#define ESCAPED_BYTES_MAX 1500 /* half of them may become two */

/* ---- what is said ---- */

struct bytes push_payload_cut(struct bytes text, size_t bytes_max) {
    if (text.size <= bytes_max)
        return text;
    while (bytes_max > 0 && (text.data[bytes_max] & 0xc0) == 0x80)
        bytes_max--;
    return bytes_of(text.data, bytes_max);
}

static struct push_payload encode(const struct change *change, struct bytes recipient_id, struct arena *arena) {
    struct push_payload payload;
    char cv[48];
    snprintf(cv, sizeof(cv), "%016llx.%llu", (unsigned long long)id_hash_position(&change->subject),
             (unsigned long long)change->offset);
    payload.json = trouter_body_encode(arena, change, recipient_id, cv, &payload.event_id);
    return payload;
}

struct push_payload push_payload_make(const struct change *change, struct bytes recipient_id, size_t bytes_max,
                                      struct arena *arena) {
    struct change shorter = *change;
    struct push_payload payload = encode(&shorter, recipient_id, arena);
    if (payload.json.size > bytes_max) {
        shorter.message.metadata = (struct metadata){0};
        payload = encode(&shorter, recipient_id, arena);
    }
    if (payload.json.size > bytes_max) {
        /* Escaped, what is cut is as long at least. */
        size_t over = payload.json.size - bytes_max, size = shorter.message.content.size;
        shorter.message.content = push_payload_cut(shorter.message.content, over < size ? size - over : 0);
        payload = encode(&shorter, recipient_id, arena);
    }
    return payload.json.size <= bytes_max ? payload : (struct push_payload){.event_id = 0, .json = BYTES_ABSENT};
}

size_t push_payload_bytes_max(const struct push_registration *device) {
    if (device->transport == PUSH_WEB)
        return WEB_PUSH_PLAIN_BYTES_MAX;
    return bytes_is_present(device->aes_key) ? SEALED_BYTES_MAX : ESCAPED_BYTES_MAX;
}

bool push_payload_is_for(const struct push_registration *device, const struct change *change) {
    if (change->kind == CHANGE_MESSAGE_RECEIVED)
        return !message_type_is_system(change->message.type);
    return device->transport == PUSH_FCM && bytes_is_present(device->aes_key) && change->offset != 0;
}

/* ---- for whom it is sealed ---- */

static size_t encrypt(const uint8_t *key, const uint8_t *initial, struct bytes plain, uint8_t *out) {
    int size = 0, last = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    check(context != NULL && EVP_EncryptInit_ex(context, EVP_aes_256_cbc(), NULL, key, initial) == 1);
    check(EVP_EncryptUpdate(context, out, &size, plain.data, (int)plain.size) == 1);
    check(EVP_EncryptFinal_ex(context, out + size, &last) == 1);
    EVP_CIPHER_CTX_free(context);
    return (size_t)size + (size_t)last;
}

struct bytes push_payload_seal(const struct push_registration *device, const uint8_t initial[PUSH_INITIAL_BYTES],
                               struct bytes plain, struct arena *arena) {
    uint8_t key[crypto_hash_sha256_BYTES];
    crypto_auth_hmacsha256_state state;
    uint8_t *sealed = arena_alloc(arena, 1 + PUSH_INITIAL_BYTES + plain.size + BLOCK_BYTES + sizeof(key));
    size_t size = 1 + PUSH_INITIAL_BYTES;
    sealed[0] = MODE;
    memcpy(sealed + 1, initial, PUSH_INITIAL_BYTES);
    size += encrypt(device->aes_key.data, initial, plain, sealed + size);
    crypto_hash_sha256(key, device->auth_key.data, device->auth_key.size);
    crypto_auth_hmacsha256_init(&state, key, sizeof(key));
    crypto_auth_hmacsha256_update(&state, sealed, size);
    crypto_auth_hmacsha256_final(&state, sealed + size);
    size += crypto_auth_hmacsha256_BYTES;
    size_t text_size = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);
    char *text = arena_alloc(arena, text_size);
    sodium_bin2base64(text, text_size, sealed, size, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(key, sizeof(key));
    return bytes_of(text, text_size - 1);
}

/* ---- what people read ---- */

struct bytes push_payload_text(const struct message *message, size_t bytes_max, struct arena *arena) {
    struct bytes from = message->content;
    uint8_t *text = arena_alloc(arena, from.size);
    size_t size = 0;
    bool is_html = message->type == MESSAGE_HTML, is_in_tag = false;
    for (size_t i = 0; i < from.size; i++) {
        uint8_t byte = from.data[i];
        if (is_html && (byte == '<' || byte == '>'))
            is_in_tag = byte == '<';
        else if (!is_in_tag)
            text[size++] = byte < 0x20 ? ' ' : byte;
    }
    return push_payload_cut(bytes_of(text, size), bytes_max);
}
