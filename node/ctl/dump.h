#pragma once
/* A dump of a resource's threads: JSON Lines, one object a line, told apart by "kind". Written by export, read by
 * import and verify; anybody may write one.
 *
 *   header         format "weft-chat-dump", version 1, exportedOn, endpoint
 *   user           id; isGone or isForeign if the resource gives no token for it
 *   thread         id and the other members of ChatThreadProperties; participants, receipts as the REST interface has
 *                  them; formerParticipants; and what the messages behind it come to: messages, sequenceId, version,
 *                  lastMessageReceivedOn; unseen: how many messages nobody who was asked may see
 *   message        thread, offset and the members of ChatMessage: behind its thread, offsets 1 to `messages`, in the
 *                  order of versions
 *   deletedThread  id, topic, deletedOn: all that its former participants still see of it
 *   end            users, threads, messages, deletedThreads: how many lines of each; without it the dump is not whole
 *
 * A participant may have joinedOffset, a former one has joinedOffset and removedOffset: the offsets of the messages
 * that say so; and topic and lastMessageReceivedOn as they were then. Times are as REST bodies have them. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DUMP_FORMAT "weft-chat-dump"
#define DUMP_VERSION 1
#define DUMP_REASON_BYTES_MAX 400
#define DUMP_LINE_BYTES_MAX                                                                                            \
    (16U * 1024 * 1024) /* a thread of 250 participants and all who ever were in it has less                           \
                         */

enum dump_kind {
    DUMP_NOTHING, /* the file ends here, maybe within a line */
    DUMP_HEADER,
    DUMP_USER,
    DUMP_THREAD,
    DUMP_MESSAGE,
    DUMP_DELETED_THREAD,
    DUMP_END
};

struct dump_counts {
    uint64_t users, threads, messages, deleted_threads;
};

struct dump {
    FILE *file; /* kept */
    char *line;
    size_t line_capacity;
    size_t line_bytes;    /* of the last line read */
    uint64_t line_number; /* likewise; 1 is the first */
    uint64_t position;    /* where the last line begins */
    uint64_t next_position;
    struct dump_counts counts;
    char *thread; /* whose messages come */
    uint64_t messages_expected, messages_seen, version_seen;
    bool has_header, has_end;
    char reason[DUMP_REASON_BYTES_MAX]; /* why the last call failed, with the line's number; safe to show */
};

/* From where the file stands. */
void dump_open(struct dump *dump, FILE *file);
void dump_close(struct dump *dump); /* not the file */

/* The next line, checked for its place among the others. EXIT_DONE with the kind and, but for DUMP_NOTHING, the object,
 * the caller's; EXIT_REFUSED with `reason`. After DUMP_NOTHING `has_end` says whether the dump is whole. */
int dump_read(struct dump *dump, enum dump_kind *kind, json_t **object);

/* Goes on behind whole threads: `position` is a next_position at which no message was expected, the counts those of
 * then. */
int dump_go_on(struct dump *dump, uint64_t position, const struct dump_counts *counts);

/* Whether a thread, its messages too, has been read to its end, so that `next_position` lies between two of them. */
static inline bool dump_is_between(const struct dump *dump) {
    return dump->messages_seen == dump->messages_expected;
}
