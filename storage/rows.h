#pragma once
/* What the sealed rows hold beyond the nouns of chat.h, as structs with their MessagePack tables. */
#include "proto/bounds.h"
#include "proto/chat.h"
#include "proto/command.h"
#include "proto/msgpack_codec.h"
#include "proto/push_registration.h"

/* ROW_COUNTERS: rewritten with every change of a thread, therefore small. */
struct thread_counters {
    uint64_t offset;   /* of the newest change; offsets start at 1 */
    uint64_t sequence; /* of the newest message */
    uint64_t version;  /* of the newest change, epoch ms; rises strictly */
    int64_t last_message_ms;
    uint32_t participants;      /* active ones */
    uint32_t teams_users;       /* of these, those of Teams (participant_row.is_counted_of_teams) */
    uint64_t joins;             /* how often anybody joined: gives join order */
    uint64_t properties_offset; /* where the mark of the last change without message lies; 0: none */
};

/* ROW_PARTICIPANT: kept after a removal, for the right to read history up to it. */
struct participant_row {
    struct participant participant;
    uint64_t join_number;
    uint64_t joined_offset;
    uint64_t removed_offset;        /* 0: active */
    struct bytes topic;             /* the thread's when she was removed: she learns no later one */
    uint64_t earlier_joined_offset; /* of the time before this one; 0: there was none */
    uint64_t earlier_removed_offset;
    bool is_counted_of_teams; /* in the counters; who joined before they were counted is not, nor who has left */
};

/* ROW_CLIENT_ID, ROW_REQUEST_ID: what the first request made or changed. */
struct sent_row {
    uint64_t message_id;
    uint64_t sequence;
    uint64_t offset;
    int64_t time_ms;
    struct bytes body_hash;
};

/* ROW_MESSAGE: a message, or the mark of a stored change that made none (properties changed without a new topic). */
struct change_row {
    struct message message;
    bool is_properties_change;
    uint64_t version;      /* properties change only */
    struct bytes actor_id; /* properties change only */
    bool is_undeletion;    /* properties change only: the thread is there again */
};

/* ROW_IMPORT: below or at which an imported message lies, so that it never meets what was written here. */
struct import_row {
    uint64_t offset;
    uint64_t sequence;
    uint64_t version;
};

/* ROW_USER */
struct user_row {
    struct bytes user_id;
    int64_t created_ms;
    int64_t valid_from_s;    /* tokens issued earlier (unix seconds) are void */
    struct bytes revocation; /* which operation has last made them so; may be absent */
};

/* ROW_MEMBERSHIP */
struct membership_row {
    struct bytes thread_id;
    enum membership membership;
    uint64_t offset;         /* the thread's offset of that change; an older one never overwrites */
    struct bytes topic;      /* left and deleted only */
    int64_t deleted_ms;      /* deleted only */
    int64_t last_message_ms; /* left and deleted only */
};

/* ROW_TOMBSTONE: what can still be told of a deleted thread, and that it must not come back. Of a deleted user only
 * when, and the operation. */
struct tombstone_row {
    int64_t deleted_ms;
    uint64_t offset; /* of the deletion */
    struct bytes thread_id;
    struct bytes actor_id; /* absent: the system */
    struct bytes actor_display_name;
    struct bytes reason;
    struct bytes operation;   /* hash of who asked under which name (IDEMPOTENCY_OPERATION); may be absent */
    struct bytes wrapped_key; /* present: the rows are kept, and this opens them; else they are shredded */
    int64_t kept_until_ms;    /* with wrapped_key: so long at least; a hold keeps them longer */
};

/* ROW_HOLD */
struct hold_row {
    struct bytes reason;
    int64_t since_ms;
};

/* A row of STORE_OUTBOX: what still has to reach users' ranges. */
struct outbox_user {
    struct id_hash hash;
};
struct outbox_row {
    bool is_purge; /* rows of the deleted subject still have to be removed */
    struct bytes thread_id;
    enum membership membership;
    uint64_t offset;
    int64_t time_ms;
    struct bytes topic;
    int64_t last_message_ms;
    struct outbox_user *users;
    size_t users_count;
};

/* ROW_EVENT */
struct event_row {
    int64_t time_ms; /* of the command that made it */
    int64_t thread_created_ms;
    struct bytes change; /* encoded */
};

/* ROW_EVENT_CURSORS */
struct event_cursors_row {
    struct event_cursor *cursors;
    size_t cursors_count;
};

struct range_marks {
    uint64_t epoch;     /* of the last applied entry */
    uint64_t applied;   /* its index */
    bool is_incomplete; /* being wiped or taken over from another node: nothing that is here of the range counts */
};

struct range_marks_of {
    uint32_t range;
    uint64_t epoch;
    uint64_t applied;
    bool is_incomplete;
};

/* Marks in the log: of the ranges of which a batch applied something. */
struct marks_record {
    struct range_marks_of *marks;
    size_t marks_count;
};

/* The data key that came with a creation, until that is applied (range_log.h). */
struct waiting_key_row {
    uint64_t index;       /* of the creation, in its range */
    struct bytes wrapped; /* by the master key, as in ROW_KEY */
};

extern const struct codec_table THREAD_COUNTERS_TABLE;
extern const struct codec_table PARTICIPANT_ROW_TABLE;
extern const struct codec_table SENT_ROW_TABLE;
extern const struct codec_table CHANGE_ROW_TABLE;
extern const struct codec_table IMPORT_ROW_TABLE;
extern const struct codec_table USER_ROW_TABLE;
extern const struct codec_table MEMBERSHIP_ROW_TABLE;
extern const struct codec_table TOMBSTONE_ROW_TABLE;
extern const struct codec_table HOLD_ROW_TABLE;
extern const struct codec_table OUTBOX_ROW_TABLE;
extern const struct codec_table EVENT_ROW_TABLE;
extern const struct codec_table EVENT_CURSORS_TABLE;
extern const struct codec_table RANGE_MARKS_TABLE;
extern const struct codec_table MARKS_RECORD_TABLE;
extern const struct codec_table BOUNDS_TABLE; /* struct bounds: which positions a range has on this node */
extern const struct codec_table WAITING_KEY_TABLE;

/* Was she in the thread when it changed at `offset`, or told then that she is not any more? Known of the last two times
 * that she was in. */
bool participant_row_was_in(const struct participant_row *row, uint64_t offset);
