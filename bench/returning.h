#pragma once
/* Clients that come back as well-behaved ones do: when a connection breaks, or the server asks them to go, they connect
 * to another node, resume from the last position they had, and repeat under its old id what was not answered. What
 * comes to them once more is ignored, and what came too early is asked for. Every such thing is counted. */
#include "bench/load.h"
#include "bench/moved.h"

struct returning_client {
    enum { CLIENT_STAYS = 0, CLIENT_LEAVES, CLIENT_AWAY, CLIENT_CONNECTS } state;
    bool is_catching_up; /* a resume is under way */
    uint32_t failures;   /* since it was last connected */
    int64_t due_ns;      /* leaves: may go from then on; away: opens */
    int64_t deadline_ns; /* leaves: goes then whatever is unanswered */
    int64_t away_ns;     /* since when it has no connection */
    int64_t ready_ns;    /* since when it has one again; 0: it never was away */
};

struct returning {
    struct load *load;
    struct moved *moved;
    struct returning_client *clients; /* by session */
    struct loop_timer timer;
};

/* After the population was made. `moved` is where things are counted. */
void returning_init(struct returning *returning, struct load *load, struct moved *moved);
void returning_close(struct returning *returning);

/* The sessions' events. False: the session is not one that returns, and it is somebody else's event. */
bool returning_on_ready(struct returning *returning, struct session *session);
bool returning_on_failed(struct returning *returning, struct session *session, const char *reason);
void returning_on_closed(struct returning *returning, struct session *session, const char *reason);
void returning_on_goaway(struct returning *returning, struct session *session, int64_t after_ms);
void returning_on_resumed(struct returning *returning, struct session *session, uint64_t offset, bool is_gap);
/* Whether a delivery is to be booked. */
bool returning_wants(struct returning *returning, struct session *session, const struct payload *payload,
                     uint64_t position);

/* Authors whose message has been unanswered for too long break their connections. Each second. */
void returning_lose_patience(struct returning *returning);
