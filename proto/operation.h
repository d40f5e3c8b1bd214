#pragma once
/* What a client of Weft's own real time asks to be done to a thread, on its way from the node that it is connected to,
 * to the one that leads the thread, and what became of it. MessagePack. */
#include "proto/msgpack_codec.h"
#include "proto/realtime.h"

/* REALTIME_SEND, REALTIME_TYPING and REALTIME_RECEIPT travel. */
void operation_encode(const struct realtime_request *request, struct buffer *out);
/* STATUS_MALFORMED. Everything is borrowed from `encoded` and `arena`. */
int operation_decode(struct bytes encoded, struct arena *arena, struct realtime_request *request);

struct operation_result {
    struct command_result result; /* rc 0, or why it was refused */
    unsigned copies;              /* how many other nodes hold it durably too */
    struct bytes message;         /* of a refusal, as in struct problem */
    struct bytes target;
};

void operation_result_encode(const struct operation_result *result, struct buffer *out);
/* As operation_decode; also for an rc above 0. */
int operation_result_decode(struct bytes encoded, struct arena *arena, struct operation_result *result);
