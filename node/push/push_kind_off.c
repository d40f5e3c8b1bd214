#include <stdlib.h>

#include "node/push/push_kind.h"
#include "node/push/push_since.h"
#include "proto/check.h"
#include "proto/status.h"

struct push_kind_off {
    struct consumer_kind kind;
    struct coordinator *coordinator;
    bool is_told;
};

/* Once only: others may be switched on while this node runs. */
static int load(const struct consumer_kind *kind, const uint8_t *hash_key, struct consumers *into) {
    struct push_kind_off *self = (struct push_kind_off *)(uintptr_t)kind;
    (void)hash_key, (void)into;
    int rc = self->is_told ? STATUS_OK : push_since_forget(self->coordinator);
    self->is_told = rc == STATUS_OK;
    return rc;
}

static void kind_free(struct consumer_kind *kind) {
    free(kind);
}

struct consumer_kind *push_kind_new_off(struct coordinator *coordinator) {
    struct push_kind_off *self = calloc(1, sizeof(*self));
    check(self != NULL);
    *self = (struct push_kind_off){.kind = {.load = load, .free = kind_free}, .coordinator = coordinator};
    return &self->kind;
}
