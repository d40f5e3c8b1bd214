#pragma once
/* What nodes say to each other about an endpoint of the official SDK (proto/question.h): one form for all of it, and
 * each question and answer uses what it needs. MessagePack. */
#include "node/gateway/endpoint_registry.h"
#include "proto/arena.h"
#include "proto/buffer.h"

struct endpoint_message_push {
    struct bytes before; /* a push as endpoint_buffer.h keeps it */
    struct bytes after;
    struct id_hash thread; /* which change it tells; offset 0: not known */
    uint64_t offset;
};

struct endpoint_message {
    struct id_hash endpoint;
    /* Who held it; session 0: nobody; to hand over: whoever of that node does. As the answer to a renewal: who holds
     * it. As a hand-over that is not found: who has got it instead. */
    struct endpoint_holder giver;
    struct endpoint_holder taker; /* who holds it now */
    uint64_t turn;                /* of the taker's claim; in answers that name another holder: of that one's */
    bool is_renewal;
    bool is_unsure;                       /* as an answer: some node may have a holder that has not said so yet */
    bool is_search;                       /* to hand over: nobody has said that the giver held it */
    bool is_found;                        /* the giver was still there, and knew its threads */
    struct endpoint_message_push *pushes; /* oldest first, at most LIMIT_SESSION_UNANSWERED_MAX */
    size_t pushes_count;
    struct bytes positions; /* of threads and the offsets that come next there, as joined_thread_add writes them */
};

void endpoint_message_encode(const struct endpoint_message *message, struct buffer *out);
/* STATUS_MALFORMED. Everything is borrowed from `encoded` and the arena. */
int endpoint_message_decode(struct bytes encoded, struct arena *arena, struct endpoint_message *message);
