#include "node/settings.h"

#include <sodium.h>
#include <stdio.h>

#include "proto/check.h"
#include "proto/limits.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

#define SETTINGS_NAME "settings"
#define ACCESS_KEY_BYTES 64 /* as the vendor's keys */

/* The stored form. */
struct settings_row {
    struct bytes resource_id;
    uint32_t range_count;
    struct bytes hash_key;
    struct bytes token_seed;
    struct bytes ticket_key;
    struct bytes thread_id_key;
    struct bytes primary_key;
    struct bytes secondary_key;
    struct bytes admin_token;
};

static const struct codec_field settings_fields[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct settings_row, resource_id),
    CODEC_MEMBER(2, CODEC_U32, struct settings_row, range_count),
    CODEC_MEMBER(3, CODEC_BYTES, struct settings_row, hash_key),
    CODEC_MEMBER(4, CODEC_BYTES, struct settings_row, token_seed),
    CODEC_MEMBER(5, CODEC_BYTES, struct settings_row, ticket_key),
    CODEC_MEMBER(6, CODEC_BYTES, struct settings_row, thread_id_key),
    CODEC_MEMBER(7, CODEC_BYTES, struct settings_row, primary_key),
    CODEC_MEMBER(8, CODEC_BYTES, struct settings_row, secondary_key),
    CODEC_MEMBER(9, CODEC_BYTES, struct settings_row, admin_token),
};
static const struct codec_table SETTINGS_TABLE = CODEC_TABLE(struct settings_row, settings_fields);

static struct bytes chance(struct arena *arena, size_t size) {
    uint8_t *bytes = arena_alloc(arena, size);
    randombytes_buf(bytes, size);
    return bytes_of(bytes, size);
}

static struct bytes chance_text(struct arena *arena, size_t size) {
    struct bytes entropy = chance(arena, size);
    char *text = arena_alloc(arena, sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
    sodium_bin2base64(text, sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING), entropy.data,
                      size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return bytes_of_text(text);
}

static void row_make(const struct settings_wishes *wishes, struct arena *arena, struct settings_row *row) {
    char uuid[37];
    uuid_format(chance(arena, 16).data, uuid);
    bool has_wish = wishes->resource_id[0] != '\0';
    *row = (struct settings_row){.resource_id = arena_copy(arena, bytes_of_text(has_wish ? wishes->resource_id : uuid)),
                                 .range_count = wishes->range_count,
                                 .hash_key = chance(arena, ID_HASH_KEY_BYTES),
                                 .token_seed = chance(arena, TOKEN_SEED_BYTES),
                                 .ticket_key = chance(arena, TROUTER_TICKET_KEY_BYTES),
                                 .thread_id_key = chance(arena, 32),
                                 .primary_key = chance(arena, ACCESS_KEY_BYTES),
                                 .secondary_key = chance(arena, ACCESS_KEY_BYTES),
                                 .admin_token = chance_text(arena, 32)};
}

static int fixed_copy(uint8_t *to, size_t size, struct bytes from) {
    if (from.size != size)
        return STATUS_RECORD_CORRUPT;
    memcpy(to, from.data, size);
    return STATUS_OK;
}

static int settings_fill(struct settings *settings, const struct settings_row *row) {
    *settings = (struct settings){.range_count = row->range_count,
                                  .primary_key = row->primary_key,
                                  .secondary_key = row->secondary_key,
                                  .admin_token = row->admin_token};
    if (row->resource_id.size >= sizeof(settings->resource_id) || row->range_count == 0)
        return STATUS_RECORD_CORRUPT;
    snprintf(settings->resource_id, sizeof(settings->resource_id), "%.*s", BYTES_ARG(row->resource_id));
    int rc = fixed_copy(settings->hash_key, sizeof(settings->hash_key), row->hash_key);
    if (rc == STATUS_OK)
        rc = fixed_copy(settings->token_seed, sizeof(settings->token_seed), row->token_seed);
    if (rc == STATUS_OK)
        rc = fixed_copy(settings->ticket_key, sizeof(settings->ticket_key), row->ticket_key);
    if (rc == STATUS_OK)
        rc = fixed_copy(settings->thread_id_key, sizeof(settings->thread_id_key), row->thread_id_key);
    return rc;
}

/* True when a given key differs from the stored one and took its place. */
static bool key_replace(struct arena *arena, const char *wish, struct bytes *stored) {
    size_t capacity = strlen(wish);
    size_t size = 0;
    if (capacity == 0)
        return false;
    uint8_t *key = arena_alloc(arena, capacity);
    if (sodium_base642bin(key, capacity, wish, capacity, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    if (bytes_equal(*stored, bytes_of(key, size)))
        return false;
    *stored = bytes_of(key, size);
    return true;
}

static int row_load(const struct settings_place *place, struct arena *arena, struct settings_row *row,
                    uint64_t *version) {
    struct bytes stored;
    *version = 0;
    int rc = coordinator_get(place->coordinator, SETTINGS_NAME, arena, &stored, version);
    if (rc == STATUS_OK && place->seal != NULL)
        rc = seal_open(place->seal, STORE_META, BYTES_LITERAL(SETTINGS_NAME), stored, arena, &stored);
    if (rc != STATUS_OK)
        return rc;
    return codec_decode(&SETTINGS_TABLE, stored, arena, row) == STATUS_OK ? STATUS_OK : STATUS_RECORD_CORRUPT;
}

static int row_store(const struct settings_place *place, const struct settings_row *row, uint64_t version) {
    struct buffer encoded;
    struct buffer sealed;
    buffer_init(&encoded);
    buffer_init(&sealed);
    codec_encode(&SETTINGS_TABLE, row, &encoded);
    if (place->seal != NULL)
        seal_record(place->seal, STORE_META, BYTES_LITERAL(SETTINGS_NAME), buffer_bytes(&encoded), &sealed);
    int rc = coordinator_swap(place->coordinator, SETTINGS_NAME, version,
                              buffer_bytes(place->seal != NULL ? &sealed : &encoded), NULL);
    buffer_close(&sealed);
    buffer_close(&encoded);
    return rc;
}

/* STATUS_CONFLICT with a `reason` of NULL: somebody else stored settings meanwhile. */
static int row_load_or_make(const struct settings_place *place, const struct settings_wishes *wishes,
                            struct arena *arena, struct settings_row *row, const char **reason) {
    uint64_t version = 0;
    int rc = row_load(place, arena, row, &version);
    bool is_new = rc == STATUS_STORE_MISSING;
    *reason = rc == STATUS_RECORD_CORRUPT
                  ? "master.key is not the one of this database, or the stored settings are damaged"
                  : "the stored settings cannot be read";
    if (is_new)
        row_make(wishes, arena, row);
    else if (rc != STATUS_OK)
        return rc;
    if (wishes->resource_id[0] != '\0' && !bytes_equal_text(row->resource_id, wishes->resource_id)) {
        *reason = "resource_id is not the one this data folder was made with";
        return STATUS_CONFLICT;
    }
    bool is_changed = key_replace(arena, wishes->access_key_primary, &row->primary_key);
    is_changed = key_replace(arena, wishes->access_key_secondary, &row->secondary_key) || is_changed;
    if (!is_new && !is_changed)
        return STATUS_OK;
    rc = row_store(place, row, version);
    *reason = rc == STATUS_CONFLICT ? NULL : "the settings cannot be stored";
    return rc;
}

int settings_load(const struct settings_place *place, const struct settings_wishes *wishes, struct arena *arena,
                  struct settings *settings, const char **reason) {
    struct settings_row row = {0};
    int rc = STATUS_OK;
    /* Every conflict is another node's success. */
    do
        rc = row_load_or_make(place, wishes, arena, &row, reason);
    while (rc == STATUS_CONFLICT && *reason == NULL);
    return rc == STATUS_OK ? settings_fill(settings, &row) : rc;
}

uint32_t settings_range_count(const struct settings_place *place) {
    struct settings_row row;
    struct arena arena;
    uint64_t version;
    arena_init(&arena);
    uint32_t count = row_load(place, &arena, &row, &version) == STATUS_OK ? row.range_count : 0;
    arena_close(&arena);
    return count;
}

/* What stored data depends on. */
static bool rows_are_of_one_cluster(const struct settings_row *a, const struct settings_row *b) {
    return bytes_equal(a->resource_id, b->resource_id) && bytes_equal(a->hash_key, b->hash_key) &&
           a->range_count == b->range_count;
}

static bool rows_are_equal(const struct settings_row *a, const struct settings_row *b) {
    struct buffer left;
    struct buffer right;
    buffer_init(&left);
    buffer_init(&right);
    codec_encode(&SETTINGS_TABLE, a, &left);
    codec_encode(&SETTINGS_TABLE, b, &right);
    bool is_equal = bytes_equal(buffer_bytes(&left), buffer_bytes(&right));
    buffer_close(&left);
    buffer_close(&right);
    return is_equal;
}

enum copying { COPY_IF_NONE, COPY_IF_DIFFERENT };

/* Gives `to` the settings of `from`; nothing when `from` has none. */
static int row_copy(const struct settings_place *from, const struct settings_place *to, enum copying copying,
                    struct arena *arena, const char **reason) {
    struct settings_row row;
    struct settings_row there;
    uint64_t version = 0;
    *reason = "the stored settings cannot be read";
    int rc = row_load(from, arena, &row, &version);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
    rc = row_load(to, arena, &there, &version);
    bool is_there = rc == STATUS_OK;
    if (!is_there && rc != STATUS_STORE_MISSING)
        return rc;
    if (is_there && !rows_are_of_one_cluster(&row, &there)) {
        *reason = "the data folder holds the data of another cluster";
        return STATUS_CONFLICT;
    }
    *reason = "the settings cannot be stored";
    bool is_done = is_there && (copying == COPY_IF_NONE || rows_are_equal(&row, &there));
    return is_done ? STATUS_OK : row_store(to, &row, version);
}

int settings_publish(const struct settings_place *own, const struct settings_place *cluster, const char **reason) {
    struct arena arena;
    arena_init(&arena);
    int rc = row_copy(own, cluster, COPY_IF_NONE, &arena, reason);
    /* Another node was faster, and its settings may be those of another cluster. */
    if (rc == STATUS_CONFLICT)
        rc = row_copy(own, cluster, COPY_IF_NONE, &arena, reason);
    arena_close(&arena);
    return rc;
}

int settings_keep(const struct settings_place *cluster, const struct settings_place *own, const char **reason) {
    struct arena arena;
    arena_init(&arena);
    int rc = row_copy(cluster, own, COPY_IF_DIFFERENT, &arena, reason);
    arena_close(&arena);
    return rc;
}
