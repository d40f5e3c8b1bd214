#pragma once
/* The stored form of the log's records: what is said in the clear, and what is sealed behind it. For range_log.c and
 * range_progress.c. */
#include "storage/keys.h"
#include "storage/range_progress.h"

/* An entry: kind (1) | range (8) | epoch (8) | index (8) | subject (16) | sealed command. Marks: kind (1) | sealed. */
#define LOG_ENTRY_HEADER_BYTES 41
#define LOG_MARKS_HEADER_BYTES 1

/* Marks are several bits away from entries: a flipped bit must not make them an entry of a subject that has no key,
 * which looks like a shredded one. */
enum log_record_kind { LOG_ENTRY_UNDER_SUBJECT = 0, LOG_ENTRY_UNDER_MASTER = 1, LOG_MARKS = 'M' };

struct log_header {
    enum log_record_kind kind;
    struct log_place place;
    struct id_hash subject;
};

void log_header_encode(const struct log_header *header, struct buffer *stored);
/* STATUS_RECORD_CORRUPT: too short, or no entry. The header is not authenticated before its command has been opened. */
int log_header_decode(struct bytes stored, struct log_header *header);
bool log_record_is_marks(struct bytes stored);

/* The associated data of what is sealed: its number in the log and everything said in the clear. */
struct key log_record_place(uint64_t number, const uint8_t *header, size_t header_size);

/* STATUS_RECORD_CORRUPT. In the arena. */
int log_marks_open(const struct seal_key *master, struct arena *arena, struct bytes record_key, struct bytes stored,
                   struct marks_record *record);
