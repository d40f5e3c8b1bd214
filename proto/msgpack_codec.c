#include "proto/msgpack_codec.h"

#include <string.h>

#include "proto/check.h"
#include "proto/ids.h"
#include "proto/limits.h"
#include "proto/msgpack_check.h"
#include "proto/status.h"

static const struct codec_field PARTICIPANT_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct participant, user_id),
    CODEC_MEMBER(2, CODEC_BYTES, struct participant, display_name),
    CODEC_MEMBER(3, CODEC_I64, struct participant, share_history_ms),
    CODEC_MEMBER(4, CODEC_METADATA, struct participant, metadata),
};
const struct codec_table PARTICIPANT_TABLE = CODEC_TABLE(struct participant, PARTICIPANT_FIELDS);

static const struct codec_field RETENTION_FIELDS[] = {
    CODEC_MEMBER_ENUM(1, struct retention, kind, RETENTION_THREAD_CREATION_DATE),
    CODEC_MEMBER(2, CODEC_U32, struct retention, days),
};
const struct codec_table RETENTION_TABLE = CODEC_TABLE(struct retention, RETENTION_FIELDS);

static const struct codec_field MESSAGE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct message, id),
    CODEC_MEMBER(2, CODEC_U64, struct message, sequence),
    CODEC_MEMBER(3, CODEC_U64, struct message, version),
    CODEC_MEMBER(4, CODEC_U64, struct message, offset),
    CODEC_MEMBER(5, CODEC_U64, struct message, created_offset),
    CODEC_MEMBER_ENUM(6, struct message, type, MESSAGE_PARTICIPANT_REMOVED),
    CODEC_MEMBER(7, CODEC_I64, struct message, created_ms),
    CODEC_MEMBER(8, CODEC_I64, struct message, edited_ms),
    CODEC_MEMBER(9, CODEC_I64, struct message, deleted_ms),
    CODEC_MEMBER(10, CODEC_BYTES, struct message, actor_id),
    CODEC_MEMBER(11, CODEC_BYTES, struct message, display_name),
    CODEC_MEMBER(12, CODEC_BYTES, struct message, content),
    CODEC_MEMBER(13, CODEC_BYTES, struct message, topic),
    CODEC_MEMBER_LIST(14, struct message, participants.items, participants.count, &PARTICIPANT_TABLE),
    CODEC_MEMBER(15, CODEC_METADATA, struct message, metadata),
};
const struct codec_table MESSAGE_TABLE = CODEC_TABLE(struct message, MESSAGE_FIELDS);

static const struct codec_field THREAD_PROPERTIES_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct thread_properties, id),
    CODEC_MEMBER(2, CODEC_BYTES, struct thread_properties, topic),
    CODEC_MEMBER(3, CODEC_I64, struct thread_properties, created_ms),
    CODEC_MEMBER(4, CODEC_BYTES, struct thread_properties, creator_id),
    CODEC_MEMBER(5, CODEC_I64, struct thread_properties, deleted_ms),
    CODEC_MEMBER(6, CODEC_METADATA, struct thread_properties, metadata),
    CODEC_MEMBER_RECORD(7, struct thread_properties, retention, &RETENTION_TABLE),
};
const struct codec_table THREAD_PROPERTIES_TABLE = CODEC_TABLE(struct thread_properties, THREAD_PROPERTIES_FIELDS);

static const struct codec_field RECEIPT_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct receipt, user_id),
    CODEC_MEMBER(2, CODEC_U64, struct receipt, message_id),
    CODEC_MEMBER(3, CODEC_I64, struct receipt, read_ms),
};
const struct codec_table RECEIPT_TABLE = CODEC_TABLE(struct receipt, RECEIPT_FIELDS);

/* Packing */

static int buffer_write(void *data, const char *bytes, size_t size) {
    buffer_append(data, bytes, size);
    return 0;
}

void codec_packer_init(msgpack_packer *packer, struct buffer *out) {
    msgpack_packer_init(packer, out, buffer_write);
}

void bytes_pack(struct bytes value, msgpack_packer *packer) {
    if (!bytes_is_present(value)) {
        msgpack_pack_nil(packer);
        return;
    }
    msgpack_pack_bin(packer, value.size);
    if (value.size > 0)
        msgpack_pack_bin_body(packer, value.data, value.size);
}

void metadata_pack(const struct metadata *metadata, msgpack_packer *packer) {
    if (metadata->is_cleared) {
        msgpack_pack_false(packer);
        return;
    }
    if (!metadata->is_present) {
        msgpack_pack_nil(packer);
        return;
    }
    msgpack_pack_array(packer, metadata->count * 2);
    for (size_t i = 0; i < metadata->count; i++) {
        bytes_pack(metadata->pairs[i].key, packer);
        bytes_pack(metadata->pairs[i].value, packer);
    }
}

/* Members are read and written through copies, so that one routine serves pointers and enums of every type. */
static uint64_t load_u64(const void *member) {
    uint64_t value;
    memcpy(&value, member, sizeof(value));
    return value;
}

static unsigned load_unsigned(const void *member) {
    unsigned value;
    memcpy(&value, member, sizeof(value));
    return value;
}

static size_t load_count(const struct codec_field *field, const void *record) {
    size_t count;
    memcpy(&count, (const uint8_t *)record + field->count_offset, sizeof(count));
    return count;
}

static const uint8_t *load_items(const void *member) {
    const uint8_t *items;
    memcpy(&items, member, sizeof(items));
    return items;
}

static bool is_zero(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static size_t count_present_fields(const struct codec_table *table, const void *record);

static bool field_is_present(const struct codec_field *field, const void *record) {
    const void *member = (const uint8_t *)record + field->offset;
    const struct metadata *metadata = member;
    switch (field->kind) {
    case CODEC_U64:
    case CODEC_I64:
        return load_u64(member) != 0;
    case CODEC_U32:
    case CODEC_ENUM:
        return load_unsigned(member) != 0;
    case CODEC_BOOL:
        return *(const bool *)member;
    case CODEC_BYTES:
        return bytes_is_present(*(const struct bytes *)member);
    case CODEC_ID_HASH:
        return !is_zero(member, sizeof(struct id_hash));
    case CODEC_METADATA:
        return metadata->is_present || metadata->is_cleared;
    case CODEC_RECORD:
        return count_present_fields(field->nested, member) > 0;
    case CODEC_LIST:
        return load_count(field, record) > 0;
    }
    return false;
}

static size_t count_present_fields(const struct codec_table *table, const void *record) {
    size_t count = 0;
    for (size_t i = 0; i < table->fields_count; i++)
        count += field_is_present(&table->fields[i], record) ? 1 : 0;
    return count;
}

static void list_pack(const struct codec_table *table, const uint8_t *items, size_t count, msgpack_packer *packer) {
    check(count <= LIMIT_LIST_ITEMS_MAX);
    msgpack_pack_array(packer, count);
    for (size_t i = 0; i < count; i++)
        codec_pack(table, items + i * table->struct_size, packer);
}

static void field_pack(const struct codec_field *field, const void *record, msgpack_packer *packer) {
    const void *member = (const uint8_t *)record + field->offset;
    switch (field->kind) {
    case CODEC_U64:
        msgpack_pack_uint64(packer, load_u64(member));
        break;
    case CODEC_I64:
        msgpack_pack_int64(packer, (int64_t)load_u64(member));
        break;
    case CODEC_U32:
    case CODEC_ENUM:
        msgpack_pack_unsigned_int(packer, load_unsigned(member));
        break;
    case CODEC_BOOL:
        msgpack_pack_true(packer);
        break;
    case CODEC_BYTES:
        bytes_pack(*(const struct bytes *)member, packer);
        break;
    case CODEC_ID_HASH:
        bytes_pack(bytes_of(member, sizeof(struct id_hash)), packer);
        break;
    case CODEC_METADATA:
        metadata_pack(member, packer);
        break;
    case CODEC_RECORD:
        codec_pack(field->nested, member, packer);
        break;
    case CODEC_LIST:
        list_pack(field->nested, load_items(member), load_count(field, record), packer);
        break;
    }
}

void codec_pack(const struct codec_table *table, const void *record, msgpack_packer *packer) {
    msgpack_pack_map(packer, count_present_fields(table, record));
    for (size_t i = 0; i < table->fields_count; i++) {
        const struct codec_field *field = &table->fields[i];
        if (!field_is_present(field, record))
            continue;
        msgpack_pack_uint8(packer, field->key);
        field_pack(field, record, packer);
    }
}

void codec_encode(const struct codec_table *table, const void *record, struct buffer *out) {
    msgpack_packer packer;
    codec_packer_init(&packer, out);
    codec_pack(table, record, &packer);
}

/* Unpacking */

int bytes_unpack(const msgpack_object *object, struct bytes *value) {
    const char *data;
    size_t size;
    if (object->type == MSGPACK_OBJECT_NIL) {
        *value = BYTES_ABSENT;
        return 0;
    }
    if (object->type == MSGPACK_OBJECT_BIN) {
        data = object->via.bin.ptr;
        size = object->via.bin.size;
    } else if (object->type == MSGPACK_OBJECT_STR) {
        data = object->via.str.ptr;
        size = object->via.str.size;
    } else {
        return STATUS_MALFORMED;
    }
    /* msgpack-c leaves the pointer of an empty fixstr unset. */
    *value = size == 0 ? BYTES_LITERAL("") : bytes_of(data, size);
    return 0;
}

static int pair_unpack(const msgpack_object *key, const msgpack_object *value, struct metadata_pair *pair) {
    int rc = bytes_unpack(key, &pair->key);
    if (rc != 0)
        return rc;
    if (!bytes_is_present(pair->key))
        return STATUS_MALFORMED;
    return bytes_unpack(value, &pair->value);
}

int metadata_unpack(const msgpack_object *object, struct arena *arena, struct metadata *metadata) {
    *metadata = (struct metadata){0};
    if (object->type == MSGPACK_OBJECT_NIL)
        return 0;
    metadata->is_present = true;
    if (object->type == MSGPACK_OBJECT_BOOLEAN) {
        metadata->is_cleared = true;
        return object->via.boolean ? STATUS_MALFORMED : 0;
    }
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size % 2 != 0)
        return STATUS_MALFORMED;
    metadata->count = object->via.array.size / 2;
    metadata->pairs = ARENA_NEW_ARRAY(arena, struct metadata_pair, metadata->count);
    for (size_t i = 0; i < metadata->count; i++) {
        const msgpack_object *pair = &object->via.array.ptr[i * 2];
        int rc = pair_unpack(&pair[0], &pair[1], &metadata->pairs[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int unsigned_unpack(const msgpack_object *object, uint64_t max, uint64_t *value) {
    if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER || object->via.u64 > max)
        return STATUS_MALFORMED;
    *value = object->via.u64;
    return 0;
}

static int signed_unpack(const msgpack_object *object, int64_t *value) {
    if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        *value = object->via.i64;
        return 0;
    }
    uint64_t positive;
    int rc = unsigned_unpack(object, INT64_MAX, &positive);
    if (rc == 0)
        *value = (int64_t)positive;
    return rc;
}

static int id_hash_unpack(const msgpack_object *object, struct id_hash *hash) {
    struct bytes value;
    int rc = bytes_unpack(object, &value);
    if (rc != 0)
        return rc;
    if (value.size != sizeof(hash->bytes))
        return STATUS_MALFORMED;
    memcpy(hash->bytes, value.data, sizeof(hash->bytes));
    return 0;
}

static int list_unpack(const struct codec_field *field, const msgpack_object *object, struct arena *arena,
                       uint8_t *record) {
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size > LIMIT_LIST_ITEMS_MAX)
        return STATUS_MALFORMED;
    const struct codec_table *table = field->nested;
    size_t count = object->via.array.size;
    uint8_t *items = arena_alloc(arena, count * table->struct_size);
    for (size_t i = 0; i < count; i++) {
        int rc = codec_unpack(table, &object->via.array.ptr[i], arena, items + i * table->struct_size);
        if (rc != 0)
            return rc;
    }
    memcpy(record + field->offset, &items, sizeof(items));
    memcpy(record + field->count_offset, &count, sizeof(count));
    return 0;
}

static int small_unpack(const msgpack_object *object, uint64_t max, void *member) {
    uint64_t value;
    int rc = unsigned_unpack(object, max, &value);
    if (rc != 0)
        return rc;
    unsigned small = (unsigned)value;
    memcpy(member, &small, sizeof(small));
    return 0;
}

static int bool_unpack(const msgpack_object *object, bool *value) {
    if (object->type != MSGPACK_OBJECT_BOOLEAN)
        return STATUS_MALFORMED;
    *value = object->via.boolean;
    return 0;
}

static int field_unpack(const struct codec_field *field, const msgpack_object *object, struct arena *arena,
                        uint8_t *record) {
    void *member = record + field->offset;
    switch (field->kind) {
    case CODEC_U64:
        return unsigned_unpack(object, UINT64_MAX, member);
    case CODEC_I64:
        return signed_unpack(object, member);
    case CODEC_U32:
        return small_unpack(object, UINT32_MAX, member);
    case CODEC_ENUM:
        return small_unpack(object, field->enum_max, member);
    case CODEC_BOOL:
        return bool_unpack(object, member);
    case CODEC_BYTES:
        return bytes_unpack(object, member);
    case CODEC_ID_HASH:
        return id_hash_unpack(object, member);
    case CODEC_METADATA:
        return metadata_unpack(object, arena, member);
    case CODEC_RECORD:
        return codec_unpack(field->nested, object, arena, member);
    case CODEC_LIST:
        return list_unpack(field, object, arena, record);
    }
    return STATUS_MALFORMED;
}

static const struct codec_field *field_find(const struct codec_table *table, const msgpack_object *key) {
    if (key->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return NULL;
    for (size_t i = 0; i < table->fields_count; i++) {
        if (table->fields[i].key == key->via.u64)
            return &table->fields[i];
    }
    return NULL;
}

int codec_unpack(const struct codec_table *table, const msgpack_object *object, struct arena *arena, void *record) {
    memset(record, 0, table->struct_size);
    if (object->type != MSGPACK_OBJECT_MAP)
        return STATUS_MALFORMED;
    for (uint32_t i = 0; i < object->via.map.size; i++) {
        const msgpack_object_kv *pair = &object->via.map.ptr[i];
        const struct codec_field *field = field_find(table, &pair->key);
        if (field == NULL)
            continue;
        int rc = field_unpack(field, &pair->val, arena, record);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int codec_decode(const struct codec_table *table, struct bytes encoded, struct arena *arena, void *record) {
    if (!msgpack_is_sound(encoded, LIMIT_MSGPACK_DEPTH_MAX))
        return STATUS_MALFORMED;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    int rc = STATUS_MALFORMED;
    if (msgpack_unpack_next(&unpacked, (const char *)encoded.data, encoded.size, NULL) == MSGPACK_UNPACK_SUCCESS)
        rc = codec_unpack(table, &unpacked.data, arena, record);
    msgpack_unpacked_destroy(&unpacked);
    return rc;
}

void participant_pack(const struct participant *participant, msgpack_packer *packer) {
    codec_pack(&PARTICIPANT_TABLE, participant, packer);
}

int participant_unpack(const msgpack_object *object, struct arena *arena, struct participant *participant) {
    return codec_unpack(&PARTICIPANT_TABLE, object, arena, participant);
}

void message_pack(const struct message *message, msgpack_packer *packer) {
    codec_pack(&MESSAGE_TABLE, message, packer);
}

int message_unpack(const msgpack_object *object, struct arena *arena, struct message *message) {
    return codec_unpack(&MESSAGE_TABLE, object, arena, message);
}

void thread_properties_pack(const struct thread_properties *properties, msgpack_packer *packer) {
    codec_pack(&THREAD_PROPERTIES_TABLE, properties, packer);
}

int thread_properties_unpack(const msgpack_object *object, struct arena *arena, struct thread_properties *properties) {
    return codec_unpack(&THREAD_PROPERTIES_TABLE, object, arena, properties);
}
