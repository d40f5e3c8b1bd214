/* What comes from the network under a peer's name, and what a peer may have sealed. The first byte says which:
 *   'r' the rest as it is, in the name of the peer     's' the rest, properly sealed, is a batch of packets
 *   'm' a sealed message, changed: pairs of place and what to turn there */
#include <sodium.h>

#include "node/peer/link_crypto.h"
#include "node/peer/packet_batch.h"
#include "proto/check.h"
#include "proto/packet.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *arguments_count, char ***arguments);

static struct link_crypto *ours, *theirs;
static struct buffer message, plain, answer;
static uint64_t now_ms = 1000;

static struct link_crypto *link_new(uint64_t self, const uint8_t *secret_key, const uint8_t *peer_public_key) {
    return link_crypto_new(&(struct link_options){.self = self,
                                                  .peer = 3 - self,
                                                  .secret_key = secret_key,
                                                  .peer_public_key = peer_public_key,
                                                  .oldest = 1,
                                                  .newest = 2,
                                                  .ciphers = link_ciphers_available()});
}

static enum link_result receive(struct link_crypto *link, struct bytes bytes, struct link_opened *opened) {
    answer.size = 0;
    return link_crypto_receive(link, bytes, ++now_ms, &plain, opened, &answer);
}

int LLVMFuzzerInitialize(int *arguments_count, char ***arguments) {
    uint8_t public_keys[2][LINK_PUBLIC_KEY_BYTES], secret_keys[2][LINK_SECRET_KEY_BYTES];
    struct link_opened opened;
    (void)arguments_count;
    (void)arguments;
    check(sodium_init() >= 0);
    for (size_t i = 0; i < 2; i++)
        crypto_sign_keypair(public_keys[i], secret_keys[i]);
    ours = link_new(1, secret_keys[0], public_keys[1]);
    theirs = link_new(2, secret_keys[1], public_keys[0]);
    link_crypto_tick(theirs, now_ms, &message);
    for (struct link_crypto *to = ours; message.size > 0; to = to == ours ? theirs : ours) {
        receive(to, buffer_bytes(&message), &opened);
        message.size = 0;
        buffer_append_bytes(&message, buffer_bytes(&answer));
    }
    check(link_crypto_session(ours) != 0 && link_crypto_session(ours) == link_crypto_session(theirs));
    return 0;
}

static void seal(struct bytes bytes) {
    uint64_t counter;
    message.size = 0;
    uint8_t *sealed = buffer_reserve(&message, bytes.size + LINK_SEALED_OVERHEAD_BYTES);
    check(link_crypto_seal(theirs, bytes, sealed, &counter) == STATUS_OK);
    buffer_added(&message, bytes.size + LINK_SEALED_OVERHEAD_BYTES);
}

static void try_raw(struct bytes input) {
    static const uint8_t name[] = {0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1};
    struct link_opened opened;
    message.size = 0;
    buffer_append_bytes(&message, input);
    check(receive(ours, input, &opened) != LINK_OPENED);
    if (message.size >= LINK_HEADER_BYTES) {
        memcpy(message.data, "WFT", 3);
        memcpy(message.data + 8, name, sizeof(name));
        enum link_result result = receive(ours, buffer_bytes(&message), &opened);
        check(result != LINK_OPENED && result != LINK_HEARD);
    }
}

static void try_sealed(struct bytes input) {
    struct link_opened opened;
    struct packet_batch batch;
    struct bytes encoded;
    struct arena arena;
    struct packet packet;
    seal(input);
    check(receive(ours, buffer_bytes(&message), &opened) == LINK_OPENED && bytes_equal(opened.plain, input));
    if (packet_batch_open(opened.plain, &batch) != STATUS_OK)
        return;
    size_t read = PACKET_BATCH_HEAD_BYTES;
    arena_init(&arena);
    while (packet_batch_next(&batch, &encoded)) {
        read += PACKET_BATCH_ITEM_BYTES + encoded.size;
        (void)packet_decode(encoded, &arena, &packet);
    }
    arena_close(&arena);
    check(read == input.size);
}

static void try_changed(struct bytes changes) {
    struct link_opened opened;
    seal(BYTES_LITERAL("what was really said"));
    struct buffer original = {0};
    buffer_append_bytes(&original, buffer_bytes(&message));
    for (size_t i = 0; i + 1 < changes.size; i += 2)
        message.data[changes.data[i] % message.size] ^= changes.data[i + 1];
    bool is_same = bytes_equal(buffer_bytes(&message), buffer_bytes(&original));
    check((receive(ours, buffer_bytes(&message), &opened) == LINK_OPENED) == is_same);
    buffer_close(&original);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct bytes rest = bytes_of(data + 1, size - 1);
    if (data[0] == 'r')
        try_raw(rest);
    else if (data[0] == 's')
        try_sealed(rest);
    else
        try_changed(rest);
    return 0;
}
