#include "proto/node_record.h"

#include <sodium.h>
#include <stdio.h>

#include "proto/check.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

/* The record as it is written. */
struct wire {
    uint64_t id;
    struct bytes name;
    struct bytes zone;
    struct bytes peer_address;
    struct bytes public_url;
    uint32_t protocol_oldest;
    uint32_t protocol_newest;
    struct bytes public_key;
    struct bytes admission;
};

static const struct codec_field WIRE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct wire, id),
    CODEC_MEMBER(2, CODEC_BYTES, struct wire, name),
    CODEC_MEMBER(3, CODEC_BYTES, struct wire, zone),
    CODEC_MEMBER(4, CODEC_BYTES, struct wire, peer_address),
    CODEC_MEMBER(5, CODEC_BYTES, struct wire, public_url),
    CODEC_MEMBER(6, CODEC_U32, struct wire, protocol_oldest),
    CODEC_MEMBER(7, CODEC_U32, struct wire, protocol_newest),
    CODEC_MEMBER(8, CODEC_BYTES, struct wire, public_key),
    CODEC_MEMBER(9, CODEC_BYTES, struct wire, admission),
};
static const struct codec_table WIRE_TABLE = CODEC_TABLE(struct wire, WIRE_FIELDS);

_Static_assert(NODE_PUBLIC_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "a public key is one of Ed25519");

static void proof_make(const struct node_record *record, const uint8_t key[NODE_ADMISSION_KEY_BYTES],
                       uint8_t proof[NODE_ADMISSION_BYTES]) {
    uint8_t message[8 + NODE_PUBLIC_KEY_BYTES];
    for (size_t i = 0; i < 8; i++)
        message[i] = (uint8_t)(record->id >> (56 - 8 * i));
    memcpy(message + 8, record->public_key, NODE_PUBLIC_KEY_BYTES);
    check(crypto_generichash(proof, NODE_ADMISSION_BYTES, message, sizeof(message), key, NODE_ADMISSION_KEY_BYTES) ==
          0);
}

void node_record_admit(struct node_record *record, const uint8_t key[NODE_ADMISSION_KEY_BYTES]) {
    proof_make(record, key, record->admission);
}

bool node_record_is_admitted(const struct node_record *record, const uint8_t key[NODE_ADMISSION_KEY_BYTES]) {
    uint8_t proof[NODE_ADMISSION_BYTES];
    proof_make(record, key, proof);
    return sodium_memcmp(proof, record->admission, sizeof(proof)) == 0;
}

void node_record_encode(const struct node_record *record, struct buffer *out) {
    struct wire wire = {.id = record->id,
                        .name = record->name,
                        .zone = record->zone,
                        .peer_address = record->peer_address,
                        .public_url = record->public_url,
                        .protocol_oldest = record->protocol_oldest,
                        .protocol_newest = record->protocol_newest,
                        .public_key = bytes_of(record->public_key, sizeof(record->public_key)),
                        .admission = bytes_of(record->admission, sizeof(record->admission))};
    codec_encode(&WIRE_TABLE, &wire, out);
}

static bool text_take(struct bytes from, size_t bytes_max, struct bytes *text) {
    *text = bytes_is_present(from) ? from : BYTES_LITERAL("");
    return text->size <= bytes_max && (text->size == 0 || memchr(text->data, '\0', text->size) == NULL);
}

int node_record_decode(struct bytes encoded, struct arena *arena, struct node_record *record) {
    struct wire wire;
    *record = (struct node_record){0};
    if (codec_decode(&WIRE_TABLE, encoded, arena, &wire) != STATUS_OK)
        return STATUS_MALFORMED;
    record->id = wire.id;
    record->protocol_oldest = wire.protocol_oldest;
    record->protocol_newest = wire.protocol_newest;
    bool has_texts = text_take(wire.name, NODE_NAME_BYTES_MAX, &record->name) &&
                     text_take(wire.zone, NODE_NAME_BYTES_MAX, &record->zone) &&
                     text_take(wire.peer_address, NODE_ADDRESS_BYTES_MAX, &record->peer_address) &&
                     text_take(wire.public_url, NODE_ADDRESS_BYTES_MAX, &record->public_url);
    if (!has_texts || record->peer_address.size == 0 || record->id == 0 || record->protocol_oldest == 0 ||
        record->protocol_oldest > record->protocol_newest)
        return STATUS_MALFORMED;
    if (wire.public_key.size != sizeof(record->public_key) || wire.admission.size != sizeof(record->admission))
        return STATUS_MALFORMED;
    memcpy(record->public_key, wire.public_key.data, sizeof(record->public_key));
    memcpy(record->admission, wire.admission.data, sizeof(record->admission));
    return STATUS_OK;
}

void node_id_format(uint64_t id, char text[NODE_ID_TEXT_BYTES]) {
    snprintf(text, NODE_ID_TEXT_BYTES, "%016llx", (unsigned long long)id);
}

int node_id_parse(struct bytes text, uint64_t *id) {
    *id = 0;
    if (text.size != NODE_ID_TEXT_BYTES - 1)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t character = text.data[i];
        bool is_digit = character >= '0' && character <= '9';
        if (!is_digit && (character < 'a' || character > 'f'))
            return STATUS_MALFORMED;
        *id = *id << 4 | (uint64_t)(is_digit ? character - '0' : character - 'a' + 10);
    }
    return *id == 0 ? STATUS_MALFORMED : STATUS_OK;
}
