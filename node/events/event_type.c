#include "node/events/event_type.h"

#include <strings.h>

#include "proto/check.h"

enum event_level { LEVEL_USER, LEVEL_THREAD };

static const struct {
    const char *name;
    enum event_level level;
} rows[EVENT_TYPES] = {
#define EVENT_TYPE_ROW(type, name, level) {EVENT_TYPE_PREFIX name, LEVEL_##level},
    EVENT_TYPE_TABLE(EVENT_TYPE_ROW)
#undef EVENT_TYPE_ROW
};

const char *event_type_name(enum event_type type) {
    check(type < EVENT_TYPES);
    return rows[type].name;
}

bool event_type_is_per_user(enum event_type type) {
    check(type < EVENT_TYPES);
    return rows[type].level == LEVEL_USER;
}

static bool is_name(struct bytes given, const char *name) {
    return given.size == strlen(name) && strncasecmp((const char *)given.data, name, given.size) == 0;
}

bool event_type_find(struct bytes name, enum event_type *type) {
    for (unsigned i = 0; i < EVENT_TYPES; i++) {
        if (!is_name(name, rows[i].name) && !is_name(name, rows[i].name + strlen(EVENT_TYPE_PREFIX)))
            continue;
        *type = (enum event_type)i;
        return true;
    }
    return false;
}
