#pragma once
/* The nouns of a chat as plain structs: what REST bodies, real-time frames, log commands and stored records all speak
 * of. No behaviour. Every `bytes` is borrowed from whatever was decoded; absent (`data == NULL`) means "not given".
 * Times are milliseconds since the epoch. Contract section 5. */
#include "proto/bytes.h"

struct metadata_pair {
    struct bytes key;
    struct bytes value; /* absent in a patch: remove the key */
};

struct metadata {
    struct metadata_pair *pairs;
    size_t count;
    bool is_present; /* false: never set (or, in a patch, not mentioned) */
    bool is_cleared; /* patch only: `"metadata": null` */
};

enum retention_kind { RETENTION_NOT_GIVEN = 0, RETENTION_NONE = 1, RETENTION_THREAD_CREATION_DATE = 2 };

struct retention {
    enum retention_kind kind;
    uint32_t days; /* 30 to 90 with RETENTION_THREAD_CREATION_DATE */
};

struct participant {
    struct bytes user_id; /* raw id */
    struct bytes display_name;
    int64_t share_history_ms; /* 0: everything */
    struct metadata metadata;
};

struct participants {
    struct participant *items;
    size_t count;
};

enum message_type {
    MESSAGE_TEXT = 1,
    MESSAGE_HTML = 2,
    MESSAGE_TOPIC_UPDATED = 3,
    MESSAGE_PARTICIPANT_ADDED = 4,
    MESSAGE_PARTICIPANT_REMOVED = 5
};

/* Both what a user wrote and what the system noted. Id and version are epoch milliseconds (contract 8.1, 8.2). */
struct message {
    uint64_t id;
    uint64_t sequence;
    uint64_t version;
    uint64_t offset;         /* where it lies now in the thread's order of changes */
    uint64_t created_offset; /* where it lay first */
    enum message_type type;
    int64_t created_ms;
    int64_t edited_ms;                /* 0: never */
    int64_t deleted_ms;               /* 0: not */
    struct bytes actor_id;            /* sender, or initiator of a system message */
    struct bytes display_name;        /* senderDisplayName; absent for system messages */
    struct bytes content;             /* text or html */
    struct bytes topic;               /* topicUpdated */
    struct participants participants; /* participantAdded, participantRemoved */
    struct metadata metadata;
};

struct thread_properties {
    struct bytes id;
    struct bytes topic;
    int64_t created_ms;
    struct bytes creator_id;
    int64_t deleted_ms; /* 0: not */
    struct metadata metadata;
    struct retention retention;
};

/* A row of a user's list of threads. */
struct thread_item {
    struct bytes id;
    struct bytes topic;
    int64_t deleted_ms;      /* 0: not */
    int64_t last_message_ms; /* 0: none */
};

struct receipt {
    struct bytes user_id;
    uint64_t message_id;
    int64_t read_ms;
};

static inline bool message_type_is_system(enum message_type type) {
    return type >= MESSAGE_TOPIC_UPDATED;
}
