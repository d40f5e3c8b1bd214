#include "node/coordinator/etcd_told.h"

#include <stdlib.h>

#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

struct told_name {
    UT_hash_handle hh;
    uint64_t version;
    bool is_listed; /* while comparing */
    size_t size;
    uint8_t name[];
};

struct etcd_told {
    struct told_name *names;
};

struct etcd_told *etcd_told_new(void) {
    struct etcd_told *told = calloc(1, sizeof(*told));
    check(told != NULL);
    return told;
}

static void name_forget(struct etcd_told *told, struct told_name *name) {
    HASH_DELETE(hh, told->names, name);
    free(name);
}

void etcd_told_free(struct etcd_told *told) {
    while (told->names != NULL)
        name_forget(told, told->names);
    free(told);
}

static struct told_name *name_find(const struct etcd_told *told, struct bytes name) {
    struct told_name *found = NULL;
    HASH_FIND(hh, told->names, name.data, name.size, found);
    return found;
}

static void name_remember(struct etcd_told *told, struct bytes name, uint64_t version) {
    struct told_name *added = calloc(1, sizeof(*added) + name.size);
    check(added != NULL);
    if (name.size > 0)
        memcpy(added->name, name.data, name.size);
    added->size = name.size;
    added->version = version;
    HASH_ADD(hh, told->names, name, added->size, added);
}

void etcd_told_set(struct etcd_told *told, const struct coordinator_item *items, size_t count) {
    while (told->names != NULL)
        name_forget(told, told->names);
    for (size_t i = 0; i < count; i++)
        name_remember(told, items[i].name, items[i].version);
}

bool etcd_told_take(struct etcd_told *told, const struct coordinator_item *change) {
    struct told_name *known = name_find(told, change->name);
    bool is_removal = !bytes_is_present(change->value);
    if (known == NULL && is_removal)
        return false;
    if (known == NULL)
        name_remember(told, change->name, change->version);
    else if (known->version >= change->version)
        return false;
    else if (is_removal)
        name_forget(told, known);
    else
        known->version = change->version;
    return true;
}

static int compare_versions(const void *a, const void *b) {
    const struct coordinator_item *left = a;
    const struct coordinator_item *right = b;
    return (left->version > right->version) - (left->version < right->version);
}

size_t etcd_told_compare(struct etcd_told *told, const struct coordinator_item *items, size_t count, uint64_t revision,
                         struct arena *arena, struct coordinator_item **changes) {
    size_t known_count = HASH_COUNT(told->names);
    struct coordinator_item *found = ARENA_NEW_ARRAY(arena, struct coordinator_item, known_count + count);
    struct coordinator_item *fresh = ARENA_NEW_ARRAY(arena, struct coordinator_item, count);
    size_t removed_count = 0;
    size_t fresh_count = 0;
    for (struct told_name *name = told->names; name != NULL; name = name->hh.next)
        name->is_listed = false;
    for (size_t i = 0; i < count; i++) {
        struct told_name *known = name_find(told, items[i].name);
        if (known != NULL)
            known->is_listed = true;
        if (known == NULL || known->version != items[i].version)
            fresh[fresh_count++] = items[i];
    }
    for (const struct told_name *name = told->names; name != NULL; name = name->hh.next)
        if (!name->is_listed)
            found[removed_count++] = (struct coordinator_item){
                .name = arena_copy(arena, bytes_of(name->name, name->size)), .version = revision};
    if (fresh_count > 0) {
        qsort(fresh, fresh_count, sizeof(*fresh), compare_versions);
        memcpy(found + removed_count, fresh, fresh_count * sizeof(*fresh));
    }
    *changes = found;
    return removed_count + fresh_count;
}
