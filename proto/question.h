#pragma once
/* What the gateway of one node asks the gateway of the node that leads a range: to serve a call, or what is known there
 * of users or threads. The answer to a call is a forwarded_reply, the others are answered by facts in the order of the
 * subjects. MessagePack. */
#include "proto/forwarded_call.h"
#include "proto/ids.h"
#include "proto/msgpack_codec.h"

enum question_kind {
    QUESTION_CALL = 1,        /* `call` */
    QUESTION_USERS = 2,       /* which of these users exist, and since when their tokens are valid */
    QUESTION_THREADS = 3,     /* what a list of threads shows of these */
    QUESTION_VIEWS = 4,       /* in which of these threads `user_id` takes part, and how far they are */
    QUESTION_MEMBERSHIPS = 5, /* which threads the one subject, a user, has joined */
    QUESTION_MISSED = 6,      /* what `user_id` missed of the one subject, a thread, from `from_offset` on */
    /* Of endpoints of the official SDK; the one subject is the user. What is said in `call` is the gateway's
     * (endpoint_message.h). */
    QUESTION_ENDPOINT = 7, /* the asker holds the endpoint now: who did before? */
    QUESTION_HANDOVER = 8, /* of the node that held it: what its client has not answered, and where its threads are */
    QUESTION_PUSHES = 9,   /* to the node that holds it: here is what its client has not answered on its old socket */
    /* Whether the first subject, a user, has the second, a thread, in her list, or had it when it was deleted; answered
     * by one fact. */
    QUESTION_MEMBERSHIP = 10,
    /* Of the one subject, a thread; `call` has a trace_request (trace.h), and the answer is its part of it. */
    QUESTION_TRACE_SUBJECT = 11, /* to the node that leads it */
    QUESTION_TRACE_MEMORY = 12,  /* to any node */
    QUESTION_PUSH = 13 /* a change (`call`, encoded) concerns these users: those who are absent have it sent to their
                          devices; the answer is empty */
};

#define QUESTION_SUBJECTS_MAX 500 /* of one question; who has more to ask asks twice */

struct question_subject {
    struct id_hash hash;
};

struct question {
    enum question_kind kind;
    uint32_t left_ms;  /* how long the asker still waits */
    struct bytes call; /* and what is said of an endpoint */
    struct bytes user_id;
    uint64_t from_offset;
    struct question_subject *subjects; /* all of one range */
    size_t subjects_count;
};

void question_encode(const struct question *question, struct buffer *out);
/* The question whether another node serves this call. */
void question_of_call_encode(const struct forwarded_call *call, uint32_t left_ms, struct buffer *out);
/* STATUS_MALFORMED. Everything is borrowed from `encoded` and `arena`. */
int question_decode(struct bytes encoded, struct arena *arena, struct question *question);

struct fact {
    bool is_there;           /* false: nothing is known of it, or it was deleted; views: the user takes no part */
    int64_t valid_from_s;    /* users: tokens issued earlier (unix seconds) are void */
    struct bytes topic;      /* threads */
    int64_t last_message_ms; /* threads */
    uint64_t offset;         /* views: of the newest change */
};

struct fact_list {
    struct fact *items;
    size_t count;
};

void facts_encode(const struct fact_list *facts, struct buffer *out);
/* As question_decode. */
int facts_decode(struct bytes encoded, struct arena *arena, struct fact_list *facts);

struct joined_thread {
    struct id_hash thread;
    uint64_t offset; /* of the joining */
};

struct joined_threads {
    bool is_there;        /* the user exists */
    int64_t valid_from_s; /* as in a fact */
    struct bytes items;   /* of joined_thread_add */
};

#define JOINED_THREAD_BYTES (sizeof(struct id_hash) + sizeof(uint64_t)) /* one item */
void joined_thread_add(struct buffer *items, const struct joined_thread *joined);
/* How many there are, and one of them. */
size_t joined_threads_count(const struct joined_threads *joined);
struct joined_thread joined_threads_at(const struct joined_threads *joined, size_t index);
void joined_threads_encode(const struct joined_threads *joined, struct buffer *out);
/* As question_decode. */
int joined_threads_decode(struct bytes encoded, struct arena *arena, struct joined_threads *joined);
