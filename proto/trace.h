#pragma once
/* What a node remembers of the way of a change of a thread, from the log to its readers, and how one node asks another
 * for it (question.h): first who leads the thread for the changes and users it is about, then every node for what it
 * remembers. MessagePack; the events are records of a fixed size in it. */
#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/chat.h"

enum trace_stage {
    TRACE_RECEIVED = 1,  /* the primary has it; `number` is the log's index */
    TRACE_WRITTEN = 2,   /* it is durable on this node; the log's index */
    TRACE_COMMITTED = 3, /* the primary knows that all in-sync replicas have it; the log's index */
    TRACE_APPLIED = 4,   /* `number` is the change's offset from here on; `about` is the log's index */
    TRACE_MESSAGE = 5,   /* at the same time; `about` is the message's id */
    TRACE_ARRIVED = 6,   /* handed to this node's workers, for those who listen */
    TRACE_TOLD = 7,      /* put on a connection; `about` says whose (trace_reader), here and in what follows */
    TRACE_REPEATED = 8,  /* told from the store, because the client goes on from earlier */
    TRACE_KEPT = 9,      /* kept for a client that is away */
    TRACE_DROPPED = 10,  /* the client reads too slowly: its connection is closed, and it resumes */
    TRACE_ANSWERED = 11  /* the client has said that it has it */
};
#define TRACE_STAGES 12

enum trace_protocol { TRACE_REALTIME = 1, TRACE_TROUTER = 2 };

struct trace_event {
    enum trace_stage stage;
    uint8_t detail;  /* APPLIED, MESSAGE, ARRIVED: enum change_kind; of readers: enum trace_protocol */
    int64_t time_us; /* unix time of the node that remembers it */
    uint64_t number; /* at most TRACE_NUMBER_MAX */
    uint64_t about;
};

#define TRACE_NUMBER_MAX ((1ULL << 56) - 1)
#define TRACE_EVENT_BYTES 24
#define TRACE_EVENTS_MAX 8192 /* that a node tells of one question */
#define TRACE_CHANGES_MAX 64  /* of one message that are looked for */

/* One connection of a user: the beginning of the user's hash, and a number of the connection. */
static inline uint64_t trace_reader(uint64_t user_position, uint16_t connection) {
    return (user_position & ~(uint64_t)UINT16_MAX) | connection;
}

struct trace_change {
    uint64_t offset;
    uint32_t kind; /* enum change_kind; 0: not known */
};

/* One of the three: a message, or the change at an offset, asked of who leads the thread; or changes, asked of any. */
struct trace_request {
    uint64_t message_id;
    uint64_t offset;
    struct trace_change *changes;
    size_t changes_count;
};

struct trace_user {
    struct bytes user_id;
    bool is_gone; /* was removed */
};

/* What who leads the thread says. */
struct trace_subject {
    bool has_thread;
    bool has_message; /* `message` is as it is now, without what it says */
    struct message message;
    uint64_t newest;              /* offset in the thread */
    struct trace_change *changes; /* rising; those of the message that are known, or the one that was asked for */
    size_t changes_count;
    struct trace_user *users; /* who is or was in the thread, as many as a list holds */
    size_t users_count;
};

/* What a node remembers. */
struct trace_memory {
    int64_t now_us;       /* its unix time when it answered */
    int64_t log_from_us;  /* nothing before that is remembered of the log … */
    int64_t told_from_us; /* … and of what readers were told */
    bool is_off;          /* it remembers nothing at all */
    bool is_cut;          /* there was more than TRACE_EVENTS_MAX */
    struct bytes events;  /* of trace_event_add */
};

void trace_event_add(struct buffer *events, const struct trace_event *event);
size_t trace_events_count(const struct trace_memory *memory);
struct trace_event trace_events_at(const struct trace_memory *memory, size_t index);

void trace_request_encode(const struct trace_request *request, struct buffer *out);
void trace_subject_encode(const struct trace_subject *subject, struct buffer *out);
void trace_memory_encode(const struct trace_memory *memory, struct buffer *out);
/* STATUS_MALFORMED. Everything is borrowed from `encoded` and `arena`. */
int trace_request_decode(struct bytes encoded, struct arena *arena, struct trace_request *request);
int trace_subject_decode(struct bytes encoded, struct arena *arena, struct trace_subject *subject);
int trace_memory_decode(struct bytes encoded, struct arena *arena, struct trace_memory *memory);
