#pragma once
/* The bodies of an import: lines of a dump (node/ctl/dump.h), as the admin interface gets them. Members are those of
 * the REST interface, to which a dump adds places in the thread. Parsing checks form and limits; a refusal names the
 * field, and of which message. Results live in the arena. */
#include "proto/command.h"
#include "proto/problem.h"

struct import_thread_request {
    struct thread_properties properties; /* as they were; id as in the body */
    struct import_member *members;       /* nobody twice */
    size_t members_count;
    struct receipt *receipts;
    size_t receipts_count;
    uint64_t messages; /* how many will come */
    uint64_t sequence; /* the highest of theirs */
    uint64_t version;  /* the highest of their ids and versions */
    int64_t last_message_ms;
};

/* A thread's line. */
int import_thread_request_parse(struct arena *arena, struct bytes body, struct import_thread_request *out,
                                struct problem *problem);

struct import_messages {
    struct message *items; /* with their offsets */
    size_t count;          /* at least 1, at most LIMIT_IMPORT_MESSAGES_MAX */
};

/* {"messages": [lines of messages]}. `message_bytes_max` as of send_message_request_parse. Html comes as it was. */
int import_messages_request_parse(struct arena *arena, struct bytes body, size_t message_bytes_max,
                                  struct import_messages *out, struct problem *problem);

/* {"isNew": …}, in the arena. */
struct bytes import_response_encode(struct arena *arena, bool is_new);
