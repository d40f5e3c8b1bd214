#pragma once
/* The identifiers of the system and their forms on the wire (contract sections 4 and 8.1). Pure: randomness comes in.
 */
#include "proto/arena.h"
#include "proto/bytes.h"

/* What a thread or a user is called inside: SipHash-2-4 with 128 bits of output, keyed by the cluster, of its raw id.
 * The first eight bytes, big-endian, are its position on the hash ring, so a range of positions is a run of keys. */
struct id_hash {
    uint8_t bytes[16];
};

#define ID_HASH_KEY_BYTES 16

struct id_hash id_hash_make(const uint8_t key[ID_HASH_KEY_BYTES], struct bytes raw_id);
bool id_hash_equal(const struct id_hash *a, const struct id_hash *b);
uint64_t id_hash_position(const struct id_hash *hash);

/* "19:<[A-Za-z0-9_-]+>@thread.v2" (contract 8.1). */
bool thread_id_is_valid(struct bytes raw_id);

/* "19:acsV1_<43 base64url characters>1@thread.v2" from 32 bytes of chance (or of a keyed hash). */
#define THREAD_ID_ENTROPY_BYTES 32
struct bytes thread_id_make(struct arena *arena, const uint8_t entropy[THREAD_ID_ENTROPY_BYTES]);

/* "8:acs:<resource>_<8hex-4hex-4hex-4hex-12hex>" from 16 bytes of chance (contract 3). */
#define USER_ID_ENTROPY_BYTES 16
struct bytes user_id_make(struct arena *arena, struct bytes resource_id, const uint8_t entropy[USER_ID_ENTROPY_BYTES]);

/* True when the id is "8:acs:<this resource>_<letters, digits and dashes>". */
bool user_id_is_of_resource(struct bytes raw_id, struct bytes resource_id);

/* A lower-case UUID, version 4, from 16 bytes of chance. `text` gets 36 characters and a NUL. */
void uuid_format(const uint8_t entropy[16], char text[37]);
/* Any case, with dashes. */
bool uuid_is_valid(struct bytes text);

/* Message ids, sequence ids and versions are decimal strings of at most 19 digits without sign. */
bool decimal_parse(struct bytes text, uint64_t *value);

/* Kinds of CommunicationIdentifier by the prefix of the raw id (contract section 4). */
enum identifier_kind {
    IDENTIFIER_UNKNOWN,
    IDENTIFIER_COMMUNICATION_USER,
    IDENTIFIER_PHONE_NUMBER,
    IDENTIFIER_TEAMS_USER,
    IDENTIFIER_TEAMS_APP,
    IDENTIFIER_TEAMS_EXTENSION_USER
};

struct identifier {
    enum identifier_kind kind;
    struct bytes raw_id;
    struct bytes value;       /* user id, app id, or phone number; borrowed from raw_id */
    struct bytes tenant_id;   /* Teams extension user only */
    struct bytes resource_id; /* Teams extension user only */
    struct bytes asserted_id; /* phone numbers that have one, which is the end of `value` */
    const char *cloud;        /* "public", "dod", "gcch"; Teams kinds only */
    bool is_anonymous;        /* Teams visitors, anonymous phone numbers */
};

/* Never fails: what fits no form is IDENTIFIER_UNKNOWN. Everything is borrowed from raw_id. */
struct identifier identifier_parse(struct bytes raw_id);

bool identifier_is_teams_user(struct bytes raw_id);
/* "28:…", in the vendor's cloud or anywhere else. */
bool identifier_is_bot(struct bytes raw_id);
