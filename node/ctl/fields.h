#pragma once
/* Members of a JSON object by name. What is absent or of another type counts as "", 0, false or nothing, so that nodes
 * of a newer or older version can be asked, too. */
#include <jansson.h>
#include <stdbool.h>

const char *field_text(const json_t *object, const char *name);
double field_number(const json_t *object, const char *name);
bool field_is(const json_t *object, const char *name);
/* NULL: there is none. Borrowed. */
const json_t *field_array(const json_t *object, const char *name);
const json_t *field_object(const json_t *object, const char *name);
