#pragma once
/* Weft's own real time: frames in both formats, as README.md of this folder describes them. Bytes only. */
#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/change.h"
#include "proto/command.h"
#include "proto/problem.h"

enum realtime_format { REALTIME_JSON = 0, REALTIME_MSGPACK = 1 };
#define REALTIME_FORMATS 2

enum realtime_request_type {
    REALTIME_CONNECT = 1,
    REALTIME_SEND = 2,
    REALTIME_TYPING = 3,
    REALTIME_RECEIPT = 4,
    REALTIME_RESUME = 5,
    REALTIME_TOKEN = 6,
    REALTIME_PING = 7
};

struct realtime_position {
    struct bytes thread_id;
    uint64_t offset;
};

struct realtime_request {
    enum realtime_request_type type;
    struct bytes id; /* absent: not given */
    struct bytes token;
    struct bytes thread_id;
    struct bytes content;
    enum message_type message_type;
    struct bytes display_name; /* "" when not given */
    struct metadata metadata;
    uint64_t message_id;
    struct realtime_position *positions; /* connect, resume */
    size_t positions_count;
};

/* STATUS_MALFORMED: the frame is no object at all, which ends the session (close code 4400); any other refusal is of
 * this request only. Refuses with a problem naming field, limit and value; `out->type` and `out->id` are set as far as
 * they were read, so that the error can name the request. Claimed sizes of MessagePack are checked before they are
 * believed. */
int realtime_request_parse(struct arena *arena, enum realtime_format format, struct bytes frame,
                           size_t message_bytes_max, struct realtime_request *out, struct problem *problem);

/* Frames out: payloads without WebSocket framing, appended to `out`. */

/* Appends nothing for CHANGE_USER_*, which concern the server only. `durability` NULL: the member is left out. */
void realtime_change_encode(enum realtime_format format, const struct change *change, const char *durability,
                            struct buffer *out);
void realtime_connected_encode(enum realtime_format format, struct bytes user_id, int64_t expires_ms,
                               uint32_t heartbeat_ms, struct bytes node, struct buffer *out);
/* Members that the result does not have (0) are left out: a receipt has no sequence. */
void realtime_ack_encode(enum realtime_format format, struct bytes id, struct bytes thread_id,
                         const struct command_result *result, const char *durability, struct buffer *out);
/* `id`, `thread_id` may be absent. `retry_after_ms` 0: none. */
void realtime_error_encode(enum realtime_format format, struct bytes id, struct bytes thread_id,
                           const struct problem *problem, uint32_t retry_after_ms, struct buffer *out);
void realtime_complete_encode(enum realtime_format format, struct bytes thread_id, uint64_t offset, struct buffer *out);
void realtime_gap_encode(enum realtime_format format, struct bytes thread_id, uint64_t from, uint64_t to,
                         struct buffer *out);
void realtime_goaway_encode(enum realtime_format format, uint32_t after_ms, const char *reason, struct buffer *out);
void realtime_pong_encode(enum realtime_format format, struct bytes id, struct buffer *out);
void realtime_token_accepted_encode(enum realtime_format format, int64_t expires_ms, struct buffer *out);
void realtime_token_expiring_encode(enum realtime_format format, int64_t expires_ms, struct buffer *out);

/* For the bench tool and tests: requests as a client sends them. */
/* `positions_count` 0: without `resume`. */
void realtime_connect_request_encode(enum realtime_format format, struct bytes token,
                                     const struct realtime_position *positions, size_t positions_count,
                                     struct buffer *out);
void realtime_resume_request_encode(enum realtime_format format, const struct realtime_position *positions,
                                    size_t positions_count, struct buffer *out);
void realtime_send_request_encode(enum realtime_format format, struct bytes id, struct bytes thread_id,
                                  struct bytes content, struct buffer *out);
