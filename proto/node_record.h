#pragma once
/* What a node says of itself in the coordinator (`nodes/<id>`), for the others to find and to know it: where it is, its
 * public key, and that it was started by somebody who has the cluster's secret. MessagePack. */
#include "proto/arena.h"
#include "proto/buffer.h"

#define NODE_PUBLIC_KEY_BYTES 32    /* Ed25519 */
#define NODE_ADMISSION_BYTES 32     /* keyed BLAKE2b */
#define NODE_ADMISSION_KEY_BYTES 32 /* from the cluster's secret: cluster_keys.h */
#define NODE_NAME_BYTES_MAX 63      /* as node_name and zone in the configuration */
#define NODE_ADDRESS_BYTES_MAX 255  /* as peer_address and public_url there */

struct node_record {
    uint64_t id;               /* of chance, made once with the data folder; not 0 */
    struct bytes name;         /* for people */
    struct bytes zone;         /* failure domain; empty: none */
    struct bytes peer_address; /* host:port that other nodes dial */
    struct bytes public_url;   /* where clients reach it; empty: not said */
    uint32_t protocol_oldest;  /* versions of packets that it understands */
    uint32_t protocol_newest;
    uint8_t public_key[NODE_PUBLIC_KEY_BYTES];
    uint8_t admission[NODE_ADMISSION_BYTES];
};

/* Fills `admission`: the proof for this id and public key. */
void node_record_admit(struct node_record *record, const uint8_t key[NODE_ADMISSION_KEY_BYTES]);
/* False: whoever made the record does not have the secret, or made it for another id or key. In constant time. */
bool node_record_is_admitted(const struct node_record *record, const uint8_t key[NODE_ADMISSION_KEY_BYTES]);

void node_record_encode(const struct node_record *record, struct buffer *out);
/* STATUS_MALFORMED, also for a record without id or address, with a text that is too long, or with no version of the
 * protocol. Texts borrow from `encoded` and `arena`; an absent one is empty. Whether it is admitted is not looked at.
 */
int node_record_decode(struct bytes encoded, struct arena *arena, struct node_record *record);

/* The last part of a node's names in the coordinator: 16 lower-case hexadecimal digits. */
#define NODE_ID_TEXT_BYTES 17 /* with the NUL */
void node_id_format(uint64_t id, char text[NODE_ID_TEXT_BYTES]);
/* STATUS_MALFORMED, also for 0. */
int node_id_parse(struct bytes text, uint64_t *id);
