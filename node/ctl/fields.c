#include "node/ctl/fields.h"

const char *field_text(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

double field_number(const json_t *object, const char *name) {
    return json_number_value(json_object_get(object, name));
}

bool field_is(const json_t *object, const char *name) {
    return json_is_true(json_object_get(object, name));
}

const json_t *field_array(const json_t *object, const char *name) {
    const json_t *array = json_object_get(object, name);
    return json_is_array(array) ? array : NULL;
}

const json_t *field_object(const json_t *object, const char *name) {
    const json_t *member = json_object_get(object, name);
    return json_is_object(member) ? member : NULL;
}
