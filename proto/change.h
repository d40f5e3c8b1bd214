#pragma once
/* A change: what a thread's participants are told. Made by an apply (or, for typing, by the core), handed to gateway
 * workers and later to other nodes, turned into frames by trouter.c and realtime.c. Encoded as MessagePack. */
#include "proto/buffer.h"
#include "proto/chat.h"
#include "proto/ids.h"

enum change_kind {
    CHANGE_MESSAGE_RECEIVED = 1,
    CHANGE_MESSAGE_EDITED = 2,
    CHANGE_MESSAGE_DELETED = 3,
    CHANGE_THREAD_CREATED = 4,
    CHANGE_THREAD_UPDATED = 5,
    CHANGE_THREAD_DELETED = 6,
    CHANGE_PARTICIPANTS_ADDED = 7,
    CHANGE_PARTICIPANTS_REMOVED = 8,
    CHANGE_TYPING = 9,       /* has no offset; `typing` holds one or, coalesced, several users */
    CHANGE_RECEIPTS = 10,    /* has no offset; `receipts` likewise */
    CHANGE_USER_JOINED = 11, /* told to one user's sessions: listen to this thread from `offset` on */
    CHANGE_USER_REVOKED = 12 /* told to one user's sessions: tokens issued before `time_ms` are void */
};

struct typing_notice {
    struct bytes user_id;
    struct bytes display_name;
    int64_t time_ms;
};

struct change {
    enum change_kind kind;
    struct id_hash subject; /* the thread; for USER_* the user */
    struct bytes thread_id; /* raw id */
    uint64_t offset;        /* 0: none */
    uint64_t version;       /* epoch ms */
    int64_t time_ms;
    struct bytes actor_id; /* who did it; absent when the system did */
    struct bytes actor_display_name;
    int64_t actor_share_history_ms;
    struct message message; /* MESSAGE_*, and the system message of PARTICIPANTS_* and topic updates (type 0: none) */
    struct thread_properties properties; /* THREAD_CREATED, THREAD_UPDATED */
    struct participants participants;    /* THREAD_CREATED: all; PARTICIPANTS_*: those concerned */
    struct typing_notice *typing;
    size_t typing_count;
    struct receipt *receipts;
    size_t receipts_count;
    struct bytes reason; /* THREAD_DELETED: "deletedByUser" or "deletedByPolicy" */
};

void change_encode(const struct change *change, struct buffer *out);
/* STATUS_MALFORMED. Everything is borrowed from `encoded` and `arena`. */
int change_decode(struct bytes encoded, struct arena *arena, struct change *change);
