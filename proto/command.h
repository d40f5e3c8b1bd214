#pragma once
/* A command: what a range writes in its log, and the only way its state changes. It carries everything that must be
 * equal on all replicas (time, ids, wrapped keys), so that applying it needs neither clock nor chance. MessagePack. */
#include "proto/buffer.h"
#include "proto/chat.h"
#include "proto/ids.h"
#include "proto/push_registration.h"

enum command_kind {
    COMMAND_THREAD_CREATE = 1,
    COMMAND_THREAD_UPDATE = 2,
    COMMAND_THREAD_DELETE = 3,
    COMMAND_MESSAGE_SEND = 4,
    COMMAND_MESSAGE_EDIT = 5,
    COMMAND_MESSAGE_DELETE = 6,
    COMMAND_PARTICIPANTS_ADD = 7,
    COMMAND_PARTICIPANT_REMOVE = 8,
    COMMAND_RECEIPT_SEND = 9,
    COMMAND_OUTBOX_DONE = 10,     /* the follow-up `number` of this thread has reached every user's range */
    COMMAND_THREAD_PURGE = 11,    /* remove the next rows of a deleted thread */
    COMMAND_EVENTS_DONE = 12,     /* how far the consumers of this thread's events have come */
    COMMAND_EVENTS_EXPIRE = 13,   /* remove the oldest events of this thread, up to `offset`, some at a time */
    COMMAND_THREAD_HOLD = 14,     /* with a reason nothing of the thread is removed until this comes without one */
    COMMAND_THREAD_UNDELETE = 15, /* a deleted thread that is kept yet is there again */
    COMMAND_THREAD_SHRED = 16,    /* a deleted thread is kept no longer */
    COMMAND_USER_CREATE = 20,
    COMMAND_USER_DELETE = 21,
    COMMAND_USER_REVOKE = 22,
    COMMAND_USER_THREAD = 23,      /* a thread tells a user's range: joined, left or deleted at `offset` */
    COMMAND_USER_FORGET = 24,      /* the thread that was deleted at `offset` goes from the user's list */
    COMMAND_USER_PUSH_SET = 25,    /* a device registers, or renews what it said */
    COMMAND_USER_PUSH_REMOVE = 26, /* and goes: `registration.id`, if that was made at `created_ms`, or 0 */
    COMMAND_THREAD_IMPORT = 40,    /* a thread as it was elsewhere, with room for its messages */
    COMMAND_MESSAGES_IMPORT = 41   /* some of these messages */
};

enum membership {
    MEMBERSHIP_JOINED = 1,
    MEMBERSHIP_LEFT = 2,
    MEMBERSHIP_DELETED = 3 /* the thread is gone */
};

enum idempotency_kind {
    IDEMPOTENCY_NONE = 0,
    IDEMPOTENCY_REQUEST_ID = 1,        /* x-ms-client-request-id: kept for a window, counts only with an equal body */
    IDEMPOTENCY_CLIENT_MESSAGE_ID = 2, /* /realtime: kept as long as the thread */
    IDEMPOTENCY_OPERATION = 3 /* the name a node gave a call that it may ask of several primaries; as a request id,
                                 but with any body. Not for THREAD_CREATE and RECEIPT_SEND, which may come twice */
};

/* Up to where a consumer of events, by the hash of its name, has got those of a thread. */
struct event_cursor {
    struct id_hash consumer;
    uint64_t offset;
    uint64_t serial; /* the consumer's own: which of its beginnings this counts from */
};

struct codec_table;
extern const struct codec_table EVENT_CURSOR_TABLE; /* in commands and as stored */

#define WRAPPED_KEY_BYTES 72 /* nonce 24 + key 32 + tag 16 */

/* Who is or was in a thread that is imported. */
struct import_member {
    struct participant participant;
    uint64_t joined_offset;
    uint64_t removed_offset; /* 0: she is in it */
    struct bytes topic;      /* the thread's, when she was removed */
    int64_t last_message_ms; /* likewise */
};

struct command {
    enum command_kind kind;
    struct id_hash subject; /* the thread or user that changes */
    int64_t time_ms;        /* given by the proposer; rising within a range */
    struct bytes actor_id;  /* who asks; absent for follow-ups */

    struct bytes wrapped_key;            /* THREAD_CREATE, USER_CREATE */
    struct thread_properties properties; /* THREAD_CREATE: id, topic, metadata, retention; THREAD_UPDATE: patches */
    struct participants participants;    /* THREAD_CREATE, PARTICIPANTS_ADD */
    struct bytes user_id;                /* PARTICIPANT_REMOVE; USER_CREATE */
    struct bytes reason;                 /* THREAD_DELETE, THREAD_HOLD */

    uint64_t message_id; /* MESSAGE_EDIT, MESSAGE_DELETE, RECEIPT_SEND */
    enum message_type message_type;
    struct bytes content; /* absent in an edit: unchanged */
    struct bytes display_name;
    struct metadata metadata;

    enum idempotency_kind idempotency;
    struct bytes idempotency_id; /* borrowed; with the actor it identifies what is asked */
    struct bytes body_hash;      /* 16 bytes; IDEMPOTENCY_REQUEST_ID only */

    uint64_t number;            /* OUTBOX_DONE */
    struct id_hash thread_hash; /* USER_THREAD, USER_FORGET */
    struct bytes thread_id;     /* USER_THREAD */
    enum membership membership; /* USER_THREAD */
    uint64_t offset;            /* USER_THREAD, USER_FORGET: the thread's offset of that change; EVENTS_EXPIRE */
    struct bytes topic;         /* USER_THREAD, left or deleted: the last topic */
    int64_t last_message_ms;    /* USER_THREAD, left or deleted */
    struct push_registration registration; /* USER_PUSH_SET, USER_PUSH_REMOVE */
    int64_t valid_from_s;                  /* USER_REVOKE: tokens issued earlier are void */
    int64_t keep_ms;                       /* THREAD_DELETE: so long it can be undeleted; 0: it is shredded at once */

    bool is_watched;              /* of what changes a thread: its changes are wanted as events */
    struct event_cursor *cursors; /* EVENTS_DONE: of every consumer there is */
    size_t cursors_count;

    /* THREAD_IMPORT: messages will take offsets 1 to `offset`, none with a higher sequence than `sequence`, none with
     * an id or a version above `version`; `last_message_ms` is when the newest was made. Complete `properties`. */
    uint64_t sequence;
    uint64_t version;
    struct import_member *members;
    size_t members_count;
    struct receipt *receipts;
    size_t receipts_count;
    struct message *messages; /* MESSAGES_IMPORT: with their offsets */
    size_t messages_count;
};

/* It may change a thread in a way that those outside are told of. */
static inline bool command_changes_thread(enum command_kind kind) {
    return kind <= COMMAND_PARTICIPANT_REMOVE || kind == COMMAND_THREAD_UNDELETE;
}

/* What applying a command answers to whoever proposed it. */
struct command_result {
    int rc;
    uint64_t message_id;
    uint64_t offset;
    uint64_t sequence;
    uint64_t version;
    int64_t time_ms;
    bool is_duplicate; /* an earlier identical request already did it; the ids are the earlier ones */
};

void command_encode(const struct command *command, struct buffer *out);
/* STATUS_MALFORMED. Everything is borrowed from `encoded` and `arena`. */
int command_decode(struct bytes encoded, struct arena *arena, struct command *command);
