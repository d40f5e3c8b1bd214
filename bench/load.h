#pragma once
/* The load of a run: messages on a fixed schedule whatever happens to the ones before, and the exact book of what came
 * of them. What a connection's end means is decided by who runs it (fanout.c, moving.c). */
#include "bench/measure.h"
#include "bench/rig.h"

struct load {
    struct options *options;
    struct result *result;
    struct rig rig;
    struct tally *tallies; /* by thread */
    struct measure measure;
    uint32_t run;     /* number that marks this run's payloads */
    uint64_t planned; /* messages of all threads */
    uint64_t sent;
    bool is_over; /* what is closed now is closed by us */
    struct loop_timer send_timer;
    struct loop_timer second_timer;
    struct loop_timer window_start_timer;
    struct loop_timer window_end_timer;
    struct buffer content;
    void (*on_second)(struct load *load); /* a second of the run has ended; may be NULL */
    /* A message whose author is away waits for load_repeat. While the cluster changes, it may repeat a send by itself,
     * and then acknowledges it as a duplicate. */
    bool is_patient;
};

/* Makes users, threads and books. `load` is the events' context or begins it, and set to zero but for the members
 * above. On an error it is closed. */
int load_open(struct load *load, struct options *options, struct result *result, const struct session_events *events,
              char *reason, size_t reason_size);
void load_close(struct load *load);

/* Starts the clock: `measure.start_ns` is a moment from now. All are connected. */
void load_start(struct load *load);
/* Sends, until the window is over and the last arrivals have come or --drain has passed. */
void load_run(struct load *load);
/* Ends the window now. */
void load_end_early(struct load *load);
/* The book, into the result. */
void load_sum(struct load *load);

/* For the events of sessions: */
void load_take_delivery(struct load *load, struct session *session, bool is_whole, const struct payload *payload,
                        uint64_t position, int64_t now_ns);
void load_take_answer(struct load *load, const struct session_answer *answer, int64_t now_ns);

/* Whose turn it is to send this message. */
struct session *load_author(struct load *load, uint32_t thread, uint32_t number);
/* Sends all unanswered messages of this author once more, each under its old id. How many. */
uint32_t load_repeat(struct load *load, struct session *author);
bool load_has_unanswered(struct load *load, const struct session *author);
