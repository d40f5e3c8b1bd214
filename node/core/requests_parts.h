#pragma once
/* What the files of requests share. */
#include "node/core/requests.h"
#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

/*             we ask it                     a reply
 *  WAITING ───────────────────────▶ ASKED ───────────────────────▶ answered
 *   │ ▲  ▲         not the primary   │ │                              ▲
 *   │ │  └───────────────────────────┘ │ the map names another:       │
 *   │ │                                └─ asked there, or served here │
 *   │ └── not the primary ──┐                                         │
 *   └── we are the primary ─▶ SERVED_HERE ────────────────────────────┘
 *                               │ deadline, or another's reply: answered
 *                               └─▶ ABANDONED until the server is done with it
 */
enum asked_state {
    ASKED_WAITING, /* until retry_ms, or the map changes */
    ASKED_ELSEWHERE,
    ASKED_SERVED_HERE,
    ASKED_ABANDONED
};

struct asked {
    UT_hash_handle hh;
    struct asked *next, *previous; /* ids rise */
    uint64_t id;
    enum asked_state state;
    uint32_t attempt;
    uint64_t map_turn; /* when that was begun */
    uint64_t at;       /* ELSEWHERE: the node */
    uint8_t *body;
    size_t body_size;
    struct id_hash subject;
    uint64_t node; /* 0: whoever leads the subject's range */
    void *reply_to;
    unsigned worker;
    int64_t deadline_ms;
    int64_t retry_ms;
    int64_t backoff_ms; /* 0: nobody has refused yet */
    struct transfer_out out;
    struct transfer_in in; /* the reply, from this node and life: */
    uint64_t replier;
    uint64_t replier_start;
};

enum served_state {
    SERVED_RECEIVING, /* parts are missing */
    SERVED_HELD,      /* this node may be about to lead: until the map has changed, or `held_until_ms` */
    SERVED_RUNNING,   /* with the server */
    SERVED_DONE       /* to be repeated as often as it is asked, until the asker has it or it is over */
};

struct served_key {
    uint64_t asker;
    uint64_t asker_start;
    uint64_t request;
};

struct served {
    UT_hash_handle hh;
    UT_hash_handle hh_token; /* RUNNING */
    struct served_key key;
    struct served *next, *previous; /* of the asker's life, in the order of arrival */
    struct asker *asker;
    enum served_state state;
    uint32_t attempt;
    uint64_t token;
    int64_t deadline_ms;
    int64_t held_until_ms;
    struct id_hash subject;
    struct transfer_in in;
    bool is_over; /* the asker does not wait any more */
    int rc;
    uint8_t *reply;
    size_t reply_size;
    struct transfer_out out;
};

struct asker_key {
    uint64_t node;
    uint64_t start;
};

/* One life of another node. */
struct asker {
    UT_hash_handle hh;
    struct asker_key key;
    struct served *first;
    uint64_t oldest_request; /* all below are over */
    int64_t heard_ms;
};

struct requests {
    uint64_t node;
    uint64_t start;
    struct requests_hooks hooks;

    struct asked *asked_table;
    struct asked *asked_first;
    size_t asked_open; /* without the abandoned ones */
    uint64_t next_request;
    uint64_t map_turn; /* how often the map has changed */

    struct served *served_table;
    struct served *served_by_token;
    struct asker *askers;
    size_t served_open;
    size_t served_held;
    uint64_t next_token;

    size_t asked_bytes;
    size_t served_bytes;
    void **released; /* memory that actions of this step may point to */
    size_t released_count;
    size_t released_capacity;
};

/* Freed by requests_done. */
void requests_release(struct requests *requests, void *memory);
uint8_t *requests_copy(struct bytes body);
/* The token of a request of our own that is served here is its id, with this bit. */
#define TOKEN_OF_OURS ((uint64_t)1 << 63)

void asking_on_reply(struct requests *requests, uint64_t from, const struct packet *packet, int64_t mono_ms);
void asking_served(struct requests *requests, uint64_t id, int rc, struct bytes body, int64_t mono_ms);
void asking_map_changed(struct requests *requests, int64_t mono_ms);
void asking_tick(struct requests *requests, int64_t mono_ms);
void asking_free(struct requests *requests);

void serving_on_request(struct requests *requests, uint64_t from, const struct packet *packet, int64_t mono_ms);
void serving_served(struct requests *requests, uint64_t token, int rc, struct bytes body, int64_t mono_ms);
void serving_map_changed(struct requests *requests);
void serving_tick(struct requests *requests, int64_t mono_ms);
void serving_free(struct requests *requests);
