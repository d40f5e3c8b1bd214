#include <sodium.h>

#include "proto/check.h"
#include "proto/status.h"
#include "proto/trouter.h"

/* What is sealed, big-endian:
 *   form 1 | issued 8 | expires 8 | token expires 8 | token issued 8 | nonce 16 | user size 4 | user | endpoint | mac
 * 32 */
#define TICKET_FORM 1
#define NONCE_BYTES 16
#define MAC_BYTES 32
#define HEAD_BYTES (1 + 4 * 8 + NONCE_BYTES + 4)
#define TEXT_BYTES_MAX 4096 /* a ticket of the longest ids has below 1000 */
#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

_Static_assert(sizeof(((struct trouter_ticket *)0)->nonce) == NONCE_BYTES, "the nonce is sealed whole");

static void append_integer(struct buffer *out, uint64_t value, size_t size) {
    uint8_t text[8];
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    buffer_append(out, text, size);
}

static uint64_t take_integer(struct bytes *rest, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | rest->data[i];
    *rest = bytes_of(rest->data + size, rest->size - size);
    return value;
}

static struct bytes take_bytes(struct bytes *rest, size_t size) {
    struct bytes taken = bytes_of(rest->data, size);
    *rest = bytes_of(rest->data + size, rest->size - size);
    return taken;
}

/* The NUL behind the purpose keeps purpose and payload apart. */
static void mac_compute(const uint8_t key[TROUTER_TICKET_KEY_BYTES], const char *purpose, struct bytes payload,
                        uint8_t mac[MAC_BYTES]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, TROUTER_TICKET_KEY_BYTES, MAC_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
    crypto_generichash_update(&state, payload.data, payload.size);
    crypto_generichash_final(&state, mac, MAC_BYTES);
}

static struct bytes base64_text(struct arena *arena, struct bytes value) {
    size_t size = sodium_base64_encoded_len(value.size, BASE64);
    char *text = arena_alloc(arena, size);
    sodium_bin2base64(text, size, value.data, value.size, BASE64);
    return bytes_of(text, size - 1);
}

struct bytes trouter_ticket_seal(struct arena *arena, const uint8_t key[TROUTER_TICKET_KEY_BYTES], const char *purpose,
                                 const struct trouter_ticket *ticket) {
    struct buffer out;
    uint8_t mac[MAC_BYTES];
    check(ticket->user_id.size <= UINT32_MAX);
    buffer_init(&out);
    append_integer(&out, TICKET_FORM, 1);
    append_integer(&out, (uint64_t)ticket->issued_ms, 8);
    append_integer(&out, (uint64_t)ticket->expires_ms, 8);
    append_integer(&out, (uint64_t)ticket->token_expires_ms, 8);
    append_integer(&out, (uint64_t)ticket->token_issued_ms, 8);
    buffer_append(&out, ticket->nonce, NONCE_BYTES);
    append_integer(&out, ticket->user_id.size, 4);
    buffer_append_bytes(&out, ticket->user_id);
    buffer_append_bytes(&out, ticket->endpoint_id);
    mac_compute(key, purpose, buffer_bytes(&out), mac);
    buffer_append(&out, mac, MAC_BYTES);
    struct bytes text = base64_text(arena, buffer_bytes(&out));
    buffer_close(&out);
    return text;
}

/* False: not base64url, or too short to hold a ticket. */
static bool ticket_decode_text(struct arena *arena, struct bytes text, struct bytes *sealed) {
    size_t size;
    if (text.size == 0 || text.size > TEXT_BYTES_MAX)
        return false;
    uint8_t *data = arena_alloc(arena, text.size);
    if (sodium_base642bin(data, text.size, (const char *)text.data, text.size, NULL, &size, NULL, BASE64) != 0)
        return false;
    *sealed = bytes_of(data, size);
    return size >= HEAD_BYTES + MAC_BYTES;
}

static int payload_read(struct bytes rest, struct trouter_ticket *ticket) {
    if (take_integer(&rest, 1) != TICKET_FORM)
        return STATUS_UNAUTHORIZED;
    ticket->issued_ms = (int64_t)take_integer(&rest, 8);
    ticket->expires_ms = (int64_t)take_integer(&rest, 8);
    ticket->token_expires_ms = (int64_t)take_integer(&rest, 8);
    ticket->token_issued_ms = (int64_t)take_integer(&rest, 8);
    memcpy(ticket->nonce, take_bytes(&rest, NONCE_BYTES).data, NONCE_BYTES);
    uint64_t user_size = take_integer(&rest, 4);
    if (user_size > rest.size)
        return STATUS_UNAUTHORIZED;
    ticket->user_id = take_bytes(&rest, user_size);
    ticket->endpoint_id = rest;
    return 0;
}

int trouter_ticket_open(struct arena *arena, const uint8_t key[TROUTER_TICKET_KEY_BYTES], const char *purpose,
                        struct bytes text, int64_t now_ms, struct trouter_ticket *ticket) {
    struct bytes sealed;
    uint8_t mac[MAC_BYTES];
    *ticket = (struct trouter_ticket){0};
    if (!ticket_decode_text(arena, text, &sealed))
        return STATUS_UNAUTHORIZED;
    struct bytes payload = bytes_of(sealed.data, sealed.size - MAC_BYTES);
    mac_compute(key, purpose, payload, mac);
    if (sodium_memcmp(mac, sealed.data + payload.size, MAC_BYTES) != 0)
        return STATUS_UNAUTHORIZED;
    int rc = payload_read(payload, ticket);
    if (rc != 0)
        return rc;
    return now_ms >= ticket->expires_ms ? STATUS_TOKEN_EXPIRED : 0;
}
