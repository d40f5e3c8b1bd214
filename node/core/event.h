#pragma once
/* Everything that can happen to a node. `now_ms` is unix time and comes with every event; the core never asks for it.
 */
#include "node/core/batch.h"

enum event_kind {
    EVENT_START,      /* marks and outbox as found on disk; first of all */
    EVENT_PROPOSE,    /* somebody wants a command in the log */
    EVENT_NOTICE,     /* something to tell that is never stored: typing */
    EVENT_BATCH_DONE, /* the disk worker hands a batch back */
    EVENT_TICK        /* time passes; every CORE_TICK_MS */
};

#define CORE_TICK_MS 50

struct start_outbox_row {
    struct id_hash subject;
    uint64_t number;
    struct outbox_row row;
};

struct event {
    enum event_kind kind;
    int64_t now_ms;
    struct entry *entry;                   /* PROPOSE: taken */
    const struct change *notice;           /* NOTICE: borrowed */
    struct batch *batch;                   /* BATCH_DONE: the one lent by ACTION_WRITE */
    const struct range_marks *marks;       /* START: one per range, borrowed */
    const struct start_outbox_row *outbox; /* START: borrowed */
    size_t outbox_count;
};
