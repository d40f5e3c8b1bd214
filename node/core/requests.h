#pragma once
/* Calls that the primary of a thread or user has to answer, from any node, over a network that loses, doubles and
 * reorders. Both sides in one table.
 *
 *  asking   requests_ask finds the primary in the map, asks it again and again until it replies or the deadline has
 *           come, and turns to another one only if nothing was done (STATUS_NOT_PRIMARY) or if the map names another.
 *           Then the first may have done it after all: what must not happen twice has a name, the same in every
 *           attempt, by which the range's state knows it, wherever it comes again.
 *  serving  each request is given to the server once per life of this node, however often it comes; its reply is kept
 *           until the asker has it. One for a range that this node may be about to lead is held until the map says so:
 *           whoever asks may have heard of that first.
 *
 * A question may also be for one node alone, whatever it leads. If this node itself is the primary by now, the request
 * is served here in the same way. Time is monotonic milliseconds. Hooks must not call back. */
#include "node/core/transfer.h"
#include "proto/ids.h"

#define REQUESTS_BACKOFF_MS 50 /* after "not the primary": doubled each time … */
#define REQUESTS_BACKOFF_MS_MAX 500
#define REQUESTS_TICK_MS 50  /* requests_tick is called at least so often */
#define REQUESTS_HELD_MS 250 /* so long a request waits for the map to say that this node leads */

/* Something to serve. Answered by requests_served, always, even if it takes too long. */
struct requests_call {
    uint64_t token;
    struct id_hash subject;
    struct bytes body; /* until requests_served */
    int64_t deadline_ms;
};

/* What came of a question. STATUS_SERVICE_UNAVAILABLE: no reply before the deadline, it may have been done or not. */
struct requests_answer {
    void *reply_to;
    unsigned worker;
    int rc;
    struct bytes body; /* until requests_done */
};

struct requests_hooks {
    void *context;
    /* Who leads the subject's range by the map as it is now; 0: nobody known. May be this node. */
    uint64_t (*primary_of)(void *context, const struct id_hash *subject);
    /* The packet itself is borrowed; what it points to lasts until requests_done. */
    void (*send)(void *context, uint64_t to, const struct packet *packet);
    void (*serve)(void *context, const struct requests_call *call);
    void (*answer)(void *context, const struct requests_answer *answer);
    /* This node does not lead the subject's range, but it may be about to. */
    bool (*may_lead_soon)(void *context, const struct id_hash *subject);
};

struct requests_question {
    struct id_hash subject;
    uint64_t node;     /* 0: whoever leads the subject's range; otherwise this one and no other */
    struct bytes body; /* copied */
    void *reply_to;
    unsigned worker;
    int64_t deadline_ms; /* at most LIMIT_FORWARD_DEADLINE_MS_MAX from now counts */
};

struct requests_statistics {
    size_t asked;   /* waiting for their answer */
    size_t serving; /* with the server, or not yet complete */
    size_t kept;    /* served, and known when they are repeated */
    size_t bytes;   /* of bodies */
};

struct requests;

/* `start` is another one for each life of the node. */
struct requests *requests_new(uint64_t node, uint64_t start, const struct requests_hooks *hooks);
void requests_free(struct requests *requests);

/* 0: `answer` is called exactly once. STATUS_OVERLOADED, STATUS_REQUEST_ENTITY_TOO_LARGE: it is not. */
int requests_ask(struct requests *requests, const struct requests_question *question, int64_t mono_ms);

/* PACKET_REQUEST and PACKET_REPLY from another node. */
void requests_on_packet(struct requests *requests, uint64_t from, const struct packet *packet, int64_t mono_ms);

/* `rc` STATUS_NOT_PRIMARY: another node has to be asked; this one did nothing, or what it did is recognised there by
 * the client's own request id. The body is copied. Unknown tokens are ignored. */
void requests_served(struct requests *requests, uint64_t token, int rc, struct bytes body, int64_t mono_ms);

/* The map, or what this node leads, has changed. */
void requests_map_changed(struct requests *requests, int64_t mono_ms);
void requests_tick(struct requests *requests, int64_t mono_ms);

/* What the hooks were given has been used. */
void requests_done(struct requests *requests);

struct requests_statistics requests_statistics(const struct requests *requests);
