#include "proto/json_msgpack.h"

#include "proto/check.h"
#include "proto/limits.h"
#include "proto/msgpack_check.h"
#include "proto/msgpack_codec.h"

static void text_pack(const char *text, size_t size, msgpack_packer *packer) {
    msgpack_pack_str(packer, size);
    if (size > 0)
        msgpack_pack_str_body(packer, text, size);
}

static void tree_pack(const json_t *tree, msgpack_packer *packer);

static void object_pack(const json_t *object, msgpack_packer *packer) {
    msgpack_pack_map(packer, json_object_size(object));
    /* jansson's iterators take no const, though they change nothing. */
    json_t *iterated = (json_t *)(uintptr_t)object;
    for (void *i = json_object_iter(iterated); i != NULL; i = json_object_iter_next(iterated, i)) {
        text_pack(json_object_iter_key(i), json_object_iter_key_len(i), packer);
        tree_pack(json_object_iter_value(i), packer);
    }
}

static void tree_pack(const json_t *tree, msgpack_packer *packer) {
    switch (json_typeof(tree)) {
    case JSON_OBJECT:
        object_pack(tree, packer);
        break;
    case JSON_ARRAY:
        msgpack_pack_array(packer, json_array_size(tree));
        for (size_t i = 0; i < json_array_size(tree); i++)
            tree_pack(json_array_get(tree, i), packer);
        break;
    case JSON_STRING:
        text_pack(json_string_value(tree), json_string_length(tree), packer);
        break;
    case JSON_INTEGER:
        msgpack_pack_int64(packer, json_integer_value(tree));
        break;
    case JSON_REAL:
        msgpack_pack_double(packer, json_real_value(tree));
        break;
    case JSON_TRUE:
        msgpack_pack_true(packer);
        break;
    case JSON_FALSE:
        msgpack_pack_false(packer);
        break;
    case JSON_NULL:
        msgpack_pack_nil(packer);
        break;
    }
}

void json_tree_to_msgpack(const json_t *tree, struct buffer *out) {
    msgpack_packer packer;
    codec_packer_init(&packer, out);
    tree_pack(tree, &packer);
}

static json_t *tree_from_object(const msgpack_object *object);

static json_t *array_from_object(const msgpack_object_array *from) {
    json_t *array = json_array_new();
    for (uint32_t i = 0; i < from->size; i++) {
        json_t *item = tree_from_object(&from->ptr[i]);
        if (item == NULL) {
            json_decref(array);
            return NULL;
        }
        json_item_add(array, item);
    }
    return array;
}

/* False: the key is no text that JSON can carry, or its value has no JSON form. */
static bool member_from_pair(json_t *object, const msgpack_object_kv *pair) {
    struct bytes key;
    if (pair->key.type != MSGPACK_OBJECT_STR || bytes_unpack(&pair->key, &key) != 0)
        return false;
    if (memchr(key.data, '\0', key.size) != NULL)
        return false;
    json_t *value = tree_from_object(&pair->val);
    /* jansson refuses NULL and keys that are not UTF-8. */
    return json_object_setn_new(object, (const char *)key.data, key.size, value) == 0;
}

static json_t *map_from_object(const msgpack_object_map *from) {
    json_t *object = json_object_new();
    for (uint32_t i = 0; i < from->size; i++) {
        if (!member_from_pair(object, &from->ptr[i])) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *text_from_object(const msgpack_object *object) {
    struct bytes text;
    if (bytes_unpack(object, &text) != 0)
        return NULL;
    return json_stringn((const char *)text.data, text.size);
}

static json_t *tree_from_object(const msgpack_object *object) {
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return json_null();
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return object->via.u64 > INT64_MAX ? NULL : json_integer((json_int_t)object->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return json_real(object->via.f64);
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN:
        return text_from_object(object);
    case MSGPACK_OBJECT_ARRAY:
        return array_from_object(&object->via.array);
    case MSGPACK_OBJECT_MAP:
        return map_from_object(&object->via.map);
    case MSGPACK_OBJECT_EXT:
        return NULL;
    }
    return NULL;
}

json_t *json_tree_from_msgpack(struct bytes encoded) {
    if (!msgpack_is_sound(encoded, LIMIT_MSGPACK_DEPTH_MAX))
        return NULL;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    json_t *tree = NULL;
    if (msgpack_unpack_next(&unpacked, (const char *)encoded.data, encoded.size, NULL) == MSGPACK_UNPACK_SUCCESS)
        tree = tree_from_object(&unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
    return tree;
}
