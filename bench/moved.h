#pragma once
/* What a run with changes of the cluster found out beyond a plain one: what was done to the cluster, what moved, how
 * clients came through it, and how long writes stood still. Filled by moving.c and its parts; shown by moved_text.c,
 * moved_json.c and report_moved.c. */
#include <jansson.h>

#include "bench/counters.h"
#include "bench/movements.h"
#include "bench/result.h"
#include "bench/stalls.h"
#include "proto/buffer.h"

/* A command that was run. */
struct happening {
    const char *command;
    double at_s; /* from the first message */
    double until_s;
    bool has_ended; /* by itself or, when the run was over, by force */
    int exit_status;
    struct buffer output;
};

/* What went between nodes: all of it, and of that the ranges copied to nodes that are to hold them. */
enum { TRANSFERS_ALL, TRANSFERS_COPIES, TRANSFERS };

struct transfers {
    bool is_known;
    double bytes;
    double *seconds; /* bytes in each second of the run */
    size_t seconds_count;
};

/* What nodes say of how long writes waited for hand-overs: where the range was, and where it came. */
enum { HOLDS_GIVEN, HOLDS_TAKEN, HOLDS_TOGETHER, HOLDS };

struct hold {
    struct counter_histogram seconds;
    double longest_s; /* since the node that says so started */
};

struct moved {
    struct happening *happenings;
    size_t happenings_count, happenings_capacity;
    size_t never_begun; /* commands whose time had not come when the run was over */
    struct movements movements;
    /* clients */
    uint64_t reconnects;
    uint64_t goaways;    /* told to go */
    uint64_t repeats;    /* sends of clients that were away: held, or repeated on the new connection */
    uint64_t jumps;      /* live events that came too early and were asked for */
    uint64_t gaps;       /* explicit ones */
    uint64_t told_again; /* deliveries that a client has to ignore */
    struct histogram away;
    struct name_counts breaks;
    struct name_counts refused_connections;
    /* stored before it began */
    uint64_t fill_messages;
    double fill_bytes;
    double fill_s;
    struct transfers transfers[TRANSFERS];
    struct hold holds[HOLDS];
    /* writes */
    struct stalls stalls;
    bool are_hand_overs_told_apart; /* by which threads are in their ranges */
    char watch_problem[200];        /* why the cluster could not be watched; "": it was */
    bool is_balanced_at_end;
};

struct moved *moved_new(void);
void moved_free(struct moved *moved);
/* Bytes that were sent at this time. */
void transfers_add(struct transfers *transfers, double at_s, double bytes);
/* At most so many milliseconds took `part` (0..1) of them. */
double hold_quantile_ms(const struct hold *hold, double part);
/* No client was told of a gap, and every command was run and ended with 0. */
bool moved_is_clean(const struct moved *moved);

json_t *moved_json(const struct result *result);
/* Shown to people on standard output. */
void moved_text_print(const struct result *result);
/* A part of the page. */
void moved_tiles(struct buffer *out, const struct result *result);
void moved_sections(struct buffer *out, const struct result *result);
