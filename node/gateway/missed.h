#pragma once
/* What a user missed of a thread, as the node that leads the thread reads it for a session elsewhere: some changes at a
 * time, and where the thread is. MessagePack. */
#include "node/gateway/gateway.h"
#include "proto/question.h"

struct missed_change {
    struct bytes encoded; /* change.h */
};

struct missed {
    int64_t rc; /* not 0: the user may not know, or there is no such thread; nothing else counts */
    struct bytes thread_id;
    struct missed_change *changes; /* oldest first */
    size_t changes_count;
    bool is_complete; /* there are no more */
    uint64_t newest;  /* offset; for a removed user that of the removal */
    bool is_active;   /* the user takes part, and is to hear what comes above `newest` */
    bool is_deleted;  /* the thread is gone, and the one change says so; whether the user may know is to be found */
    uint32_t copies;  /* how many other nodes hold the changes durably */
    struct bytes receipts; /* a change; absent: none */
};

/* On the node that leads the thread; STATUS_NOT_PRIMARY: on another one. */
int missed_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
                struct missed *missed);

void missed_encode(const struct missed *missed, struct buffer *out);
/* As question_decode. */
int missed_decode(struct bytes encoded, struct arena *arena, struct missed *missed);
