#pragma once
/* The exact book of one thread: which messages were sent and acknowledged, and which connection got which of them, how
 * often and in which order. Pure: times come in. */
#include "bench/histogram.h"
#include "proto/bytes.h"

enum tally_state { TALLY_UNSENT = 0, TALLY_SENT, TALLY_ACKNOWLEDGED, TALLY_FAILED };

struct tally_message {
    int64_t intended_ns;
    int64_t started_ns;      /* when it really was to go, however late that was */
    int64_t acknowledged_ns; /* 0: not */
    int64_t last_ns;         /* newest arrival */
    uint64_t position;       /* the thread's order as the first reader saw it: offset, or message id; 0: not seen */
    uint32_t arrivals;       /* first arrivals, one per connection */
    enum tally_state state;
    bool is_repeated; /* sent again, on another connection */
};

struct tally {
    struct tally_message *messages;
    uint32_t messages_count;
    uint32_t readers_count; /* connections that must get each message */
    uint32_t acknowledged;
    uint32_t failed;
    uint32_t sent;
    uint64_t arrivals;         /* without repetitions */
    uint64_t arrivals_awaited; /* acknowledged messages × readers, less what has come of them */
    uint64_t duplicates;
    uint64_t disorders;
    uint32_t settled;  /* all messages before this one are complete or refused */
    uint32_t answered; /* all messages before this one are acknowledged or refused */
};

/* What one connection has seen of its thread. */
struct tally_reader {
    uint64_t *seen; /* one bit per message */
    uint64_t last_position;
};

void tally_init(struct tally *tally, uint32_t messages_count, uint32_t readers_count);
void tally_close(struct tally *tally);
void tally_reader_init(struct tally_reader *reader, const struct tally *tally);
void tally_reader_close(struct tally_reader *reader);

void tally_sent(struct tally *tally, uint32_t number, int64_t intended_ns, int64_t now_ns);
/* False: it was acknowledged or refused before. */
bool tally_acknowledged(struct tally *tally, uint32_t number, int64_t now_ns);
bool tally_failed(struct tally *tally, uint32_t number);

enum tally_verdict {
    TALLY_COUNTED,   /* one more connection has it */
    TALLY_COMPLETE,  /* and it was the last one */
    TALLY_DUPLICATE, /* this connection had it before */
    TALLY_STRANGE    /* no such message was sent */
};

/* A message arrives at a reader. `position` is its place in the thread's order and must rise from message to message;
 * with `is_contiguous` by exactly one; and all readers must agree on it. Each breach is one disorder, and the message
 * counts as arrived all the same. */
enum tally_verdict tally_arrived(struct tally *tally, struct tally_reader *reader, uint32_t number, uint64_t position,
                                 bool is_contiguous, int64_t now_ns);

/* Whether this message has come to the reader. False for what was never sent. */
bool tally_has_seen(const struct tally *tally, const struct tally_reader *reader, uint32_t number);
/* The first unanswered message at or behind `from`; messages_count: there is none. */
uint32_t tally_next_unanswered(struct tally *tally, uint32_t from);

/* Arrivals that acknowledged messages still miss. When the run is over they are the lost ones. */
uint64_t tally_missing(const struct tally *tally);
/* The same, of messages meant to go before `before_ns` only. */
uint64_t tally_overdue(struct tally *tally, int64_t before_ns);
/* Sent and neither acknowledged nor refused. */
uint32_t tally_unanswered(const struct tally *tally);
