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

static int row_load(struct coordinator *coordinator, struct arena *arena, struct settings_row *row, uint64_t *version) {
    struct bytes stored;
    int rc = coordinator_get(coordinator, SETTINGS_NAME, arena, &stored, version);
    if (rc != STATUS_OK)
        return rc;
    return codec_decode(&SETTINGS_TABLE, stored, arena, row) == STATUS_OK ? STATUS_OK : STATUS_RECORD_CORRUPT;
}

int settings_load(struct coordinator *coordinator, const struct settings_wishes *wishes, struct arena *arena,
                  struct settings *settings, const char **reason) {
    struct settings_row row = {0};
    uint64_t version = 0;
    int rc = row_load(coordinator, arena, &row, &version);
    bool is_new = rc == STATUS_STORE_MISSING;
    *reason = rc == STATUS_RECORD_CORRUPT
                  ? "master.key is not the one of this database, or the stored settings are damaged"
                  : "the stored settings cannot be read";
    if (is_new)
        row_make(wishes, arena, &row);
    else if (rc != STATUS_OK)
        return rc;
    if (wishes->resource_id[0] != '\0' && !bytes_equal_text(row.resource_id, wishes->resource_id)) {
        *reason = "resource_id is not the one this data folder was made with";
        return STATUS_CONFLICT;
    }
    bool is_changed = key_replace(arena, wishes->access_key_primary, &row.primary_key);
    is_changed = key_replace(arena, wishes->access_key_secondary, &row.secondary_key) || is_changed;
    if (is_new || is_changed) {
        struct buffer encoded;
        buffer_init(&encoded);
        codec_encode(&SETTINGS_TABLE, &row, &encoded);
        rc = coordinator_swap(coordinator, SETTINGS_NAME, version, buffer_bytes(&encoded), NULL);
        buffer_close(&encoded);
        *reason = "the settings cannot be stored";
        if (rc != STATUS_OK)
            return rc;
    }
    return settings_fill(settings, &row);
}

uint32_t settings_range_count(struct coordinator *coordinator) {
    struct settings_row row;
    struct arena arena;
    uint64_t version;
    arena_init(&arena);
    uint32_t count = row_load(coordinator, &arena, &row, &version) == STATUS_OK ? row.range_count : 0;
    arena_close(&arena);
    return count;
}
