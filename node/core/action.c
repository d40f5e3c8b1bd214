#include "node/core/action.h"

#include <stdlib.h>

#include "proto/check.h"

struct action *action_add(struct action_list *list, enum action_kind kind) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        list->items = realloc(list->items, list->capacity * sizeof(*list->items));
        check(list->items != NULL);
    }
    list->items[list->count] = (struct action){.kind = kind};
    return &list->items[list->count++];
}

void action_list_close(struct action_list *list) {
    free(list->items);
    *list = (struct action_list){0};
}
