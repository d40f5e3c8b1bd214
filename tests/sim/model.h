#pragma once
/* What clients have done and may rely on: the other half of clients.c, without any network in it. Updated when a node
 * answers, whether or not the answer reaches the client. */
#include "tests/sim/world.h"

#define THREADS_MAX 32
#define EDITS_MAX 60

enum operation_kind {
    OPERATION_USER,
    OPERATION_THREAD,
    OPERATION_SEND,
    OPERATION_EDIT,
    OPERATION_DELETE_MESSAGE,
    OPERATION_ADD,
    OPERATION_REMOVE,
    OPERATION_RECEIPT,
    OPERATION_DELETE_THREAD,
    OPERATION_POLICY
};

const char *operation_name(enum operation_kind kind);

/* What a client wants; repeated until it is answered for good. */
struct operation {
    enum operation_kind kind;
    unsigned client;
    unsigned thread;
    size_t message;
    unsigned user;         /* ADD, REMOVE */
    unsigned edit;         /* EDIT: which one */
    size_t padding;        /* of contents */
    uint64_t participants; /* THREAD: bits */
    uint32_t days;         /* THREAD, POLICY: until it is deleted; 0: never */
    unsigned attempts;
    uint64_t offset_before; /* the newest that was acknowledged of the thread before the first attempt */
    bool is_after_deletion; /* the thread's deletion had been acknowledged by then */
};

struct message_model {
    unsigned thread, author;
    uint64_t number; /* among the author's */
    bool is_sent;
    uint64_t id, offset;
    unsigned edits_tried, edits_done;
    uint64_t edits_unsure; /* bits: an attempt had no answer and may come late */
    bool is_deletion_tried, is_deleted;
};

/* A user in a thread. */
struct member_model {
    bool was_added, was_removed; /* tried, at least */
    bool is_unsure;              /* an attempt had no answer and may come late */
    bool is_in;
};

/* One change of a thread. */
struct told {
    enum change_kind kind; /* 0: none with this offset */
    uint64_t message_id;
    uint64_t content_hash;
    uint64_t hash; /* of all of it */
    bool is_watched;
};

struct thread_model {
    struct bytes id;
    struct id_hash hash;
    unsigned owner;
    bool is_created, is_deletion_tried, is_deleted;
    uint64_t newest_offset; /* acknowledged */
    struct member_model members[CLIENTS_MAX];
    struct told *changes; /* what was applied, by offset */
    size_t changes_capacity;
    uint64_t newest_change;              /* its offset */
    struct thread_properties properties; /* as of then: what the policy goes by */
};

struct user_model {
    struct bytes id;
    struct id_hash hash;
    bool is_created;
};

struct model {
    struct arena arena;
    struct user_model users[CLIENTS_MAX];
    struct thread_model threads[THREADS_MAX];
    unsigned threads_count;
    struct message_model *messages;
    size_t messages_count, messages_capacity;
};

void model_init(struct model *model, struct world *world);
void model_close(struct model *model);
unsigned model_thread_add(struct model *model, struct world *world, unsigned owner);
size_t model_message_add(struct model *model, unsigned thread, unsigned author, uint64_t number);
struct thread_model *model_thread_find(struct model *model, const struct id_hash *hash);

/* The contents of a message after so many edits, in the arena. */
struct bytes model_contents(struct arena *arena, const struct message_model *message, unsigned edit, size_t padding);

/* An attempt is about to be made. */
void model_on_attempt(struct model *model, const struct operation *operation);
/* A node has answered for good; fails the world when that cannot be true. */
void model_on_answered(struct world *world, struct model *model, const struct operation *operation,
                       const struct command_result *result);
/* A replica has applied it; all do the same. */
void model_on_applied(struct world *world, struct model *model, const struct change *change, bool is_watched);
/* Sessions at a node are told it. It may come from the state, as far as that still has it. */
void model_check_told(struct world *world, struct model *model, const struct change *change);
/* Whether a session that knows everything below `from` may be told `change` next. */
bool model_may_pass_over(const struct thread_model *thread, uint64_t from, const struct change *change);

/* Compares some of what was acknowledged of a thread with what this machine would serve. */
void model_read(struct world *world, struct model *model, struct machine *machine, unsigned thread);
/* Everything. */
void model_check_end(struct world *world, struct model *model, struct machine *machine, unsigned thread);
/* The users' lists say the same as the threads. */
void model_check_lists(struct world *world, struct model *model);
