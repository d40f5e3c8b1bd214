#pragma once
/* Everything a user can do to a thread, whoever carries it here: the REST API, and Weft's own real time for send,
 * typing and receipt. Each checks the token's scope (contract 2.4) and the thread's rules on a read transaction, so
 * that what is refused never reaches the log, and then proposes. */
#include "node/gateway/authentication.h"
#include "proto/chat_json.h"

/* Users of whom other nodes know whether they exist. */
struct known_users {
    const struct id_hash *hashes;
    const struct fact *facts; /* one for each hash */
    size_t count;
};

/* Who asks and where the answer goes. Everything is borrowed until return, but `reply`, which is needed until its
 * on_answer. */
struct chat_call {
    struct gateway_worker *worker;
    struct arena *arena; /* for what is found and for the problem */
    const struct caller *caller;
    struct reply *reply; /* its on_answer is set by the caller */
    struct problem *problem;
    struct bytes operation_id; /* of a change: its name in every attempt, if there may be several; else absent */
    struct known_users known;  /* for creating and adding; who is not among them is looked up here */
};

/* Those of the given participants about whom another node has to be asked. In the arena. */
size_t chat_users_elsewhere(const struct gateway *gateway, struct arena *arena, const struct participants *given,
                            struct id_hash **hashes);

/* All return
 *   0                   the answer comes to the reply's on_answer, where result.rc may still refuse;
 *   CHAT_CALL_SETTLED   nothing is left to do, reply->result is filled and on_answer is not called;
 *   a negative status   refused, `problem` says why, on_answer is not called.
 * STATUS_FORBIDDEN for a missing scope and for strangers, STATUS_THREAD_NOT_FOUND, STATUS_BAD_REQUEST for a malformed
 * thread id, and what the rules say. Requests come as proto/chat_json.h or proto/realtime.h parsed them. */
#define CHAT_CALL_SETTLED 1

/* Which of the given participants can take part (contract 6.1). In the arena. */
struct resolved_participants {
    struct participants valid;
    struct invalid_participant *invalid;
    size_t invalid_count;
};

struct created_thread {
    struct thread_properties properties; /* created_ms is the answer's result.time_ms, unless settled */
    struct resolved_participants participants;
};
/* The id for a new thread: one that depends on caller and `repeatability_id`, or a random one if that is absent. */
struct bytes chat_thread_id_choose(const struct gateway_worker *worker, struct arena *arena,
                                   const struct caller *caller, struct bytes repeatability_id);
/* A caller who has made a thread with this id gets it again, settled, as it is now. */
int chat_thread_create(const struct chat_call *call, struct bytes thread_id,
                       const struct create_thread_request *request, struct created_thread *created);
int chat_thread_update(const struct chat_call *call, struct bytes thread_id,
                       const struct update_thread_request *request);
int chat_thread_delete(const struct chat_call *call, struct bytes thread_id);

/* How a repeated send is recognised. */
struct send_identity {
    enum idempotency_kind kind;
    struct bytes id;
    struct bytes body; /* as it arrived; its hash tells reuse of a request id from a retry. IDEMPOTENCY_REQUEST_ID */
};
/* Html is sanitised here. A duplicate is settled with the ids of the first one. */
int chat_message_send(const struct chat_call *call, struct bytes thread_id, const struct send_message_request *request,
                      const struct send_identity *identity);
int chat_message_edit(const struct chat_call *call, struct bytes thread_id, uint64_t message_id,
                      const struct update_message_request *request);
int chat_message_delete(const struct chat_call *call, struct bytes thread_id, uint64_t message_id);

int chat_participants_add(const struct chat_call *call, struct bytes thread_id, const struct participants *given,
                          struct resolved_participants *resolved);
int chat_participant_remove(const struct chat_call *call, struct bytes thread_id, struct bytes user_id);

/* Always settled or refused. In a thread above the configured size it has no effect (contract 8.5). */
int chat_typing_send(const struct chat_call *call, struct bytes thread_id, struct bytes display_name);
/* Likewise, and where there are users of Teams. */
int chat_receipt_send(const struct chat_call *call, struct bytes thread_id, uint64_t message_id);
