#pragma once
/* JSON texts as jansson trees, in and out: what the files that know the contracts' bodies share. Members are read with
 * the contract's habit that null means absent, and a refusal names field, limit and value. Running out of memory ends
 * the process, as in the arena. */
#include <jansson.h>

#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/chat.h"
#include "proto/problem.h"

/* Where a reader puts what it copies, and what it fills when it refuses. */
struct json_reader {
    struct arena *arena;
    struct problem *problem;
};

/* Parses an object. Refuses with STATUS_BAD_REQUEST what is not UTF-8, not JSON, not an object or nested deeper than
 * LIMIT_JSON_DEPTH_MAX. The caller gives `*root` back with json_decref. */
int json_body_load(const struct json_reader *reader, struct bytes body, json_t **root);

/* NULL when the member is missing or null. Borrowed from `object`. */
json_t *json_member_find(const json_t *object, const char *name);

/* "a string", "an object" and so on, for refusals. */
const char *json_type_text(const json_t *value);

/* The reader's `bytes_max` bounds UTF-8 bytes; what is longer, or no string, is refused with STATUS_VALIDATION_ERROR.
 * An absent member gives an absent value. Texts are copied into the arena. */
int json_text_read(const struct json_reader *reader, const json_t *object, const char *name, size_t bytes_max,
                   struct bytes *out);
/* The same, refusing absence too. */
int json_text_require(const struct json_reader *reader, const json_t *object, const char *name, size_t bytes_max,
                      struct bytes *out);

/* A flat map of texts; keys and values together at most `bytes_max`. In a patch null and "" become an
 * absent value and `"metadata": null` clears; elsewhere nulls are skipped. */
enum metadata_use { METADATA_WHOLE, METADATA_PATCH };
int json_metadata_read(const struct json_reader *reader, const json_t *object, enum metadata_use use, size_t bytes_max,
                       struct metadata *out);
size_t metadata_bytes(const struct metadata *metadata);

/* A string value. Bytes that are not UTF-8 cannot be JSON: then every byte outside ASCII becomes U+FFFD. */
json_t *json_text_new(struct bytes text);
/* A decimal string: message ids, sequence ids, versions. */
json_t *json_decimal_new(uint64_t value);
json_t *json_metadata_new(const struct metadata *metadata);

/* Take `value`. */
void json_member_set(json_t *object, const char *name, json_t *value);
void json_item_add(json_t *array, json_t *value);
void json_text_set(json_t *object, const char *name, struct bytes text);
/* Nothing for an absent text. */
void json_text_set_present(json_t *object, const char *name, struct bytes text);

json_t *json_object_new(void);
json_t *json_array_new(void);

/* Compact JSON text, appended or in the arena. Both take `tree`. */
void json_append_take(struct buffer *out, json_t *tree);
struct bytes json_text_take(struct arena *arena, json_t *tree);
