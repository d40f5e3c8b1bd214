#pragma once
/* Everything a node can ask for. Made by node_core_step, performed by the server loop in order. */
#include "node/core/batch.h"
#include "node/core/interest.h"
#include "proto/packet.h"
#include "proto/range_record.h"

enum action_kind {
    ACTION_WRITE,      /* lend `batch` to the disk worker; comes back as EVENT_BATCH_DONE */
    ACTION_ANSWER,     /* tell whoever proposed */
    ACTION_FAN_OUT,    /* hand `change` to the gateway workers */
    ACTION_SEND,       /* `packet` to the node `to`; may be lost */
    ACTION_SWAP,       /* ask the coordinator for `record` in place of `version`; comes back as EVENT_SWAPPED */
    ACTION_SERVE,      /* another node asks: give `body` to a gateway worker; comes back as EVENT_SERVED with `token` */
    ACTION_REPLY,      /* `body` and `rc` to whoever asked by EVENT_ASK */
    ACTION_REPEAT,     /* read changes of a thread for a node that lacks them; comes back as EVENT_REPEATED */
    ACTION_LOOK_AGAIN, /* what concerns the user `subject` comes from now on; look for what came before */
    ACTION_LISTENING, /* what happens in the thread `subject` comes from now on; once or more after each EVENT_LISTEN */
    ACTION_READ_OUTBOX, /* read the outbox rows of `range`, which we lead now; comes back as EVENT_OUTBOX */
    ACTION_READ_CHUNK,  /* read a chunk of a range's rows for the node `to`; comes back as EVENT_CHUNK_READ or _GONE */
    ACTION_EVENTS       /* the threads `subjects`, of ranges that we lead, have events that are to be delivered */
};

struct action {
    enum action_kind kind;
    struct batch *batch;
    void *reply_to; /* ANSWER, REPLY */
    unsigned worker;
    struct command_result result;
    unsigned copies;             /* ANSWER, FAN_OUT: how many other nodes hold it durably too */
    const struct change *change; /* FAN_OUT: borrowed until the actions have been performed */
    uint64_t from_offset;        /* FAN_OUT: from there on to the change everything is overtaken by it; 0: nothing is */
    struct interest_repeat repeat;  /* REPEAT */
    uint64_t token;                 /* SERVE */
    struct id_hash subject;         /* SERVE, LOOK_AGAIN, LISTENING */
    struct bytes body;              /* SERVE, REPLY: borrowed until the actions have been performed */
    int rc;                         /* REPLY */
    uint64_t to;                    /* SEND: a node id */
    const struct packet *packet;    /* SEND: borrowed until the actions have been performed */
    struct range_record record;     /* SWAP */
    struct range_record other;      /* SWAP: made together with it, or neither; epoch 0: none */
    uint64_t version;               /* SWAP */
    uint32_t range;                 /* READ_OUTBOX, READ_CHUNK */
    struct bounds bounds;           /* READ_OUTBOX, READ_CHUNK: of the range */
    uint64_t snapshot;              /* READ_CHUNK */
    uint64_t chunk;                 /* READ_CHUNK */
    const struct id_hash *subjects; /* EVENTS: perhaps some twice; borrowed until the actions have been performed */
    size_t subjects_count;          /* EVENTS */
};

/* Actions of one step, in order. */
struct action_list {
    struct action *items;
    size_t count;
    size_t capacity;
};

/* Adds an empty action of that kind; the pointer is valid until the next add. */
struct action *action_add(struct action_list *list, enum action_kind kind);
void action_list_close(struct action_list *list);
