#pragma once
/* A command on its way through a range: proposed, given its place in the log, appended, committed, applied, answered.
 * Made by whoever proposes; from node_core_step on it is the core's, which lends it to the disk worker for one batch
 * and frees it when everything about it is done. */
#include "node/core/outcome.h"
#include "storage/range_log.h"

enum entry_origin {
    ENTRY_OF_CLIENT,    /* has an author who waits: `reply_to` */
    ENTRY_OF_FOLLOW_UP, /* tells a user's range of a thread's change */
    ENTRY_OF_OUTBOX,    /* takes a finished follow-up off the outbox */
    ENTRY_OF_PURGE,     /* removes rows of what was deleted */
    ENTRY_OF_PEER,      /* another node waits for it: `token` */
    ENTRY_OF_LOG        /* came from the primary, or was found on disk at start: nobody here waits for it */
};

struct follow_up;

struct entry {
    struct entry *next; /* whose list it is in says where it is on its way */
    struct arena arena; /* what the command borrows */
    struct command command;
    struct bytes encoded; /* the command as it goes into the log; absent: to be encoded. A replica writes what came, as
                             an older version would lose what it does not know. */
    enum entry_origin origin;
    void *reply_to;  /* the adapter's; comes back with the answer */
    unsigned worker; /* the adapter's worker that waits */
    struct follow_up *follow_up;
    struct log_place place;
    struct entry *next_in_range, *previous_in_range;
    uint64_t token;         /* ENTRY_OF_PEER: of its request */
    bool is_malformed;      /* ENTRY_OF_PEER: it is to be refused */
    bool is_let_go;         /* ENTRY_OF_CLIENT: its author waits no more, and asks again; or never did */
    bool is_lent;           /* to the disk worker */
    bool is_dropped;        /* its place in the log is gone, while it is lent */
    struct outcome outcome; /* filled by the disk worker; in the batch's arena */
};

struct entry *entry_new(enum entry_origin origin);
/* Of a command that this node proposes by itself, which is copied: nobody waits for its answer. */
struct entry *entry_new_own(const struct command *command);
/* A deep copy, into the entry's arena. */
void entry_command_copy(struct entry *entry, const struct command *command);
void entry_free(struct entry *entry);
