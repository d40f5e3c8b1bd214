#pragma once
/* The request limits of contract 8.7 and 3: so many of an operation per 10 s and per minute, by user, by thread, or by
 * user and thread. Off unless configured; a multiplier scales all of them. One table for all workers. */
#include "node/config.h"
#include "proto/ids.h"

enum rate_operation {
    RATE_THREAD_CREATE,
    RATE_THREAD_DELETE,
    RATE_THREAD_UPDATE,
    RATE_PARTICIPANTS_CHANGE,
    RATE_THREAD_READ,
    RATE_MESSAGE_READ,
    RATE_MESSAGES_LIST,
    RATE_RECEIPTS_LIST,
    RATE_PARTICIPANTS_LIST,
    RATE_MESSAGE_WRITE,
    RATE_RECEIPT_SEND,
    RATE_TYPING_SEND,
    RATE_IDENTITY_CREATE,
    RATE_IDENTITY_CREATE_WITH_TOKEN,
    RATE_IDENTITY_DELETE,
    RATE_TOKEN_ISSUE,
    RATE_TOKEN_REVOKE,
    RATE_OPERATIONS
};

struct rate_limiter;

/* NULL when rate limits are off; every function takes NULL. */
struct rate_limiter *rate_limiter_new(const struct config *config);
void rate_limiter_free(struct rate_limiter *limiter);

/* True: go ahead, it has been counted. False: *retry_after_s says when to come again. `user` and `thread` may be NULL
 * where the operation has none. Any thread. */
bool rate_limiter_admit(struct rate_limiter *limiter, enum rate_operation operation, const struct id_hash *user,
                        const struct id_hash *thread, int64_t now_ms, uint32_t *retry_after_s);
