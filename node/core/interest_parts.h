#pragma once
/* What the files of interest share. */
#include "node/core/interest.h"
#include "proto/check.h"
#include "proto/told_change.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

/*          interest_listen                 confirmed
 *  ─────────────────────────▶ FRESH ─▶ ASKED ───────▶ SETTLED
 *                               ▲        │ 500 ms        │ 10 s, another primary, or something is missing
 *                               └────────┴───────────────┘
 */
enum heard_state { HEARD_FRESH, HEARD_ASKED, HEARD_SETTLED, HEARD_STATES };

/* A thread or user this node listens to. */
struct heard {
    UT_hash_handle hh;
    struct heard *next, *previous; /* of its state; those that are due first come first */
    struct id_hash subject;
    enum heard_state state;
    int64_t due_ms;
    bool is_user;
    bool is_leaving;
    bool is_anew;   /* something may be missing: the primary is to begin at next_offset */
    bool has_moved; /* the owner before this one was to tell it, and this one has not confirmed yet that it will */
    bool is_announced;
    uint64_t next_offset;
    uint64_t handed_offset; /* one above what was handed on last; 0: not known */
    uint64_t owner;         /* told so last; 0: nobody */
    uint64_t epoch;         /* of that owner */
    uint64_t listening;     /* by this LISTEN; 0: none that counts */
    uint64_t born_start;    /* what the owner has confirmed last; 0: nothing */
    uint64_t born;
};

/* Bytes that several links refer to. */
struct blob {
    size_t references;
    size_t size;
    uint8_t data[];
};

struct link_packet {
    struct link_packet *next;
    uint64_t sequence;
    int64_t sent_ms;
    size_t bytes;
    struct blob **blobs;
    size_t count;
    size_t capacity;
};

/*                everything told              offset skipped, or the link is full
 *  registered ─────────────────────▶ LIVE ──────────────────────────────────┐
 *      │            ▲                                                       ▼
 *      │            └── complete ── REPEATING ◀── when the link has room ─ BEHIND
 *      └────────────────────────────────── something to tell ───────────────▲
 */
enum registration_state { REGISTRATION_LIVE, REGISTRATION_BEHIND, REGISTRATION_REPEATING };

/* One node that listens to one thread or user of ours. */
struct registration {
    struct registration *next, *previous;                   /* of the peer; renewed longest ago first */
    struct registration *next_watching, *previous_watching; /* of the subject */
    struct registration *next_behind, *previous_behind;     /* BEHIND: of the peer */
    struct peer *peer;
    struct watched *watched;
    enum registration_state state;
    bool is_user;
    uint64_t next_offset; /* all below was told, or is known there */
    uint64_t born;
    uint64_t repeat; /* REPEATING: the number of the call */
    int64_t expires_ms;
};

struct watched {
    UT_hash_handle hh;
    struct id_hash subject;
    struct registration *registrations;
    uint64_t epoch;       /* in which we led it last */
    uint64_t next_offset; /* one above what was published last; 0: not known */
};

/* Of one thread, what had no offset while we were new to lead it. */
struct passed {
    UT_hash_handle hh;
    struct id_hash thread;
    struct blob **blobs;
    size_t count;
    size_t bytes;
};

/* Came before one that is missing. */
struct early_packet {
    struct early_packet *next; /* sequence rises */
    struct arena arena;
    uint64_t sequence;
    size_t bytes;
    struct packet_change *changes;
    size_t count;
};

/* Of a LISTEN: what this node does not lead, or does not know that it leads. Replaced by what the listener says next.
 */
struct kept_listen {
    struct kept_listen *next;
    uint64_t listening;
    int64_t expires_ms; /* then it is asked for again */
    size_t count;
    struct packet_listener listeners[];
};

/* Another node; or this one, to which nothing is sent. */
struct peer {
    UT_hash_handle hh;
    uint64_t node;

    /* It tells us. */
    uint64_t their_start;
    uint64_t expected; /* link sequence */
    struct early_packet *early;
    size_t early_bytes;
    bool is_owed_seen;
    struct packet_listener *listeners; /* of the LISTEN being gathered; in the arena */
    size_t listeners_count;
    uint64_t listening;

    /* We tell it. */
    uint64_t listener_start;
    uint64_t listener_start_before;
    int64_t listener_heard_ms; /* when a LISTEN of that life came last */
    uint64_t listening_seen;   /* the newest LISTEN */
    struct kept_listen *kept;  /* oldest first */
    size_t kept_count;
    struct registration *registrations;
    struct registration *behind;
    size_t repeating;
    uint64_t link_sequence; /* of the newest packet */
    struct link_packet *unseen, *unseen_last;
    struct link_packet *unsent; /* the first of these that was never sent */
    struct link_packet *gathering;
    size_t unseen_bytes;
    int64_t seen_ms;       /* when it acknowledged anything last */
    int64_t registered_ms; /* when it was registered for anything last */
    int64_t resend_ms;
};

struct interest {
    uint64_t node;
    uint64_t start;
    size_t link_bytes_max;
    struct interest_hooks hooks;
    struct arena arena; /* what is handed out, until interest_done */
    struct blob **released;
    size_t released_count;
    size_t released_capacity;
    struct peer *peers;

    struct heard *heard;
    struct heard *heard_by_state[HEARD_STATES];
    uint64_t listening; /* the newest LISTEN */

    struct watched *watched;
    struct passed *passed; /* oldest thread first */
    size_t passed_bytes;
    uint64_t born;   /* the newest registration */
    uint64_t repeat; /* the newest call for a repeat */

    uint64_t sent_again; /* packets of changes */
};

struct peer *interest_peer(struct interest *interest, uint64_t node);

/* ---- listening ---- */

/* One change for this node: as told by its owner, or published here; then `change` needs no decoding. */
void listening_take(struct interest *interest, const struct told_change *told, const struct change *change);
/* Our own registration is gone; not at once, so that what fails does not fail again at once. */
void listening_later(struct interest *interest, const struct id_hash *subject, int64_t mono_ms);
void listening_on_changes(struct interest *interest, uint64_t from, const struct packet *packet, int64_t mono_ms);
void listening_map_changed(struct interest *interest);
void listening_flush(struct interest *interest, int64_t mono_ms);
void listening_free(struct interest *interest);
/* Packets that wait for an earlier one and will not be needed. */
void early_drop_below(struct peer *peer, uint64_t sequence);

/* ---- owning ---- */

/* Registers, or renews. False: not ours now. */
bool owning_register(struct interest *interest, struct peer *peer, const struct packet_listener *listener,
                     uint64_t *born, int64_t mono_ms);
void owning_drop(struct interest *interest, struct peer *peer, const struct id_hash *subject);
void owning_drop_all(struct interest *interest, struct peer *peer);
void owning_map_changed(struct interest *interest, int64_t mono_ms);
void owning_tick(struct interest *interest, int64_t mono_ms);
void owning_flush(struct interest *interest);
void owning_free(struct interest *interest);

/* ---- passing ---- */

/* A change without an offset, if some who listen may not be registered yet. */
void passing_keep(struct interest *interest, const struct change *change, unsigned copies);
/* Told to one that comes from the last primary. Who begins to listen has no part in what was of the moment before. */
void passing_tell_again(struct interest *interest, struct peer *peer, const struct id_hash *thread);
void passing_tick(struct interest *interest);
void passing_free(struct interest *interest);

/* ---- listens ---- */

void listens_on_packet(struct interest *interest, uint64_t from, const struct packet *packet, int64_t mono_ms);
/* Of what waits, what this node leads by now. */
void listens_take(struct interest *interest, struct peer *peer, int64_t mono_ms);
/* What has waited until `mono_ms`. */
void listens_drop(struct peer *peer, int64_t mono_ms);

/* ---- link ---- */

bool link_has_room(const struct interest *interest, const struct peer *peer);
bool link_has_room_for_repeats(const struct interest *interest, const struct peer *peer);
struct blob *blob_make(const struct told_change *told);
/* Nothing that it was told is missing there; or it has said nothing lately. */
bool link_is_settled(const struct peer *peer, int64_t mono_ms);
/* Freed when nobody refers to it, by interest_done. */
void blob_release(struct interest *interest, struct blob *blob);
void link_add(struct peer *peer, struct blob *blob);
void link_on_seen(struct interest *interest, uint64_t from, const struct packet *packet, int64_t mono_ms);
/* What has not come there will not come any more; it finds out by the sequence. */
void link_reset(struct interest *interest, struct peer *peer);
void link_flush(struct interest *interest, struct peer *peer, int64_t mono_ms);
void link_tick(struct interest *interest, struct peer *peer, int64_t mono_ms);
