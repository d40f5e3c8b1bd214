#pragma once
/* Structs as MessagePack maps with small integer keys, described by tables: the same table packs and unpacks, so the
 * two cannot disagree. A member that is zero or absent costs nothing; a key nobody knows is skipped, so that an older
 * node reads what a newer one wrote. Log commands, changes and stored rows are all written this way. Keys are never
 * reused. */
#include <msgpack.h>

#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/chat.h"

enum codec_kind {
    CODEC_U64,
    CODEC_I64,
    CODEC_U32,
    CODEC_ENUM, /* 0 to `enum_max` */
    CODEC_BOOL,
    CODEC_BYTES,    /* struct bytes */
    CODEC_ID_HASH,  /* struct id_hash; all zero counts as absent */
    CODEC_METADATA, /* struct metadata */
    CODEC_RECORD,   /* a struct of its own, by `nested` */
    CODEC_LIST /* a pointer to structs by `nested`, and their count at `count_offset`; at most LIMIT_LIST_ITEMS_MAX */
};

struct codec_table;

struct codec_field {
    uint8_t key; /* 0 to 127: one byte */
    enum codec_kind kind;
    size_t offset;
    size_t count_offset;
    unsigned enum_max;
    const struct codec_table *nested;
};

struct codec_table {
    const struct codec_field *fields;
    size_t fields_count;
    size_t struct_size;
};

#define CODEC_MEMBER(key_, kind_, type, member)                                                                        \
    { .key = (key_), .kind = (kind_), .offset = offsetof(type, member) }
#define CODEC_MEMBER_ENUM(key_, type, member, max)                                                                     \
    { .key = (key_), .kind = CODEC_ENUM, .offset = offsetof(type, member), .enum_max = (max) }
#define CODEC_MEMBER_RECORD(key_, type, member, table)                                                                 \
    { .key = (key_), .kind = CODEC_RECORD, .offset = offsetof(type, member), .nested = (table) }
#define CODEC_MEMBER_LIST(key_, type, items, items_count, table)                                                       \
    {                                                                                                                  \
        .key = (key_), .kind = CODEC_LIST, .offset = offsetof(type, items),                                            \
        .count_offset = offsetof(type, items_count), .nested = (table)                                                 \
    }
#define CODEC_TABLE(type, fields_)                                                                                     \
    { .fields = (fields_), .fields_count = sizeof(fields_) / sizeof((fields_)[0]), .struct_size = sizeof(type) }

/* Whole values: a struct to bytes and back. Decoding zeroes the struct first; refuses what is not exactly one sound map
 * with members of the right types (STATUS_MALFORMED). Results borrow from `encoded` and the arena. */
void codec_encode(const struct codec_table *table, const void *record, struct buffer *out);
int codec_decode(const struct codec_table *table, struct bytes encoded, struct arena *arena, void *record);

/* The same inside something larger. `object` comes from a buffer that msgpack_is_sound has passed and that outlives the
 * result; the object itself may be freed at once. */
void codec_pack(const struct codec_table *table, const void *record, msgpack_packer *packer);
int codec_unpack(const struct codec_table *table, const msgpack_object *object, struct arena *arena, void *record);

/* A packer that writes into `out`. */
void codec_packer_init(msgpack_packer *packer, struct buffer *out);

/* Absent is written as nil. */
void bytes_pack(struct bytes value, msgpack_packer *packer);
/* STATUS_MALFORMED unless bin, str or nil. */
int bytes_unpack(const msgpack_object *object, struct bytes *value);

/* The nouns of chat.h. `is_cleared` implies `is_present`. */
extern const struct codec_table PARTICIPANT_TABLE;
extern const struct codec_table RETENTION_TABLE;
extern const struct codec_table MESSAGE_TABLE;
extern const struct codec_table THREAD_PROPERTIES_TABLE;
extern const struct codec_table RECEIPT_TABLE;

void metadata_pack(const struct metadata *metadata, msgpack_packer *packer);
int metadata_unpack(const msgpack_object *object, struct arena *arena, struct metadata *metadata);
void participant_pack(const struct participant *participant, msgpack_packer *packer);
int participant_unpack(const msgpack_object *object, struct arena *arena, struct participant *participant);
void message_pack(const struct message *message, msgpack_packer *packer);
int message_unpack(const msgpack_object *object, struct arena *arena, struct message *message);
void thread_properties_pack(const struct thread_properties *properties, msgpack_packer *packer);
int thread_properties_unpack(const msgpack_object *object, struct arena *arena, struct thread_properties *properties);
