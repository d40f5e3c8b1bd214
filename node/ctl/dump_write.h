#pragma once
/* The lines of a dump (dump.h), as export writes them. A failing disk shows at the end: ferror, fflush. */
#include "node/ctl/dump.h"
#include "node/ctl/reading.h"

void dump_write_header(FILE *file, const char *endpoint);
void dump_write_user(FILE *file, const char *id, enum source_user_state state);
/* `item`: as a list of threads has it. */
void dump_write_deleted_thread(FILE *file, const json_t *item);
void dump_write_end(FILE *file, const struct dump_counts *counts);

/* The line of a thread that was read, and whom it names; the caller's. What its messages say of participants is added:
 * when they joined, and who was in it before. `on_user` gets each participant's and author's raw id. */
typedef void dump_on_user(void *context, const char *id);
json_t *dump_thread_of(const struct reading *reading, dump_on_user *on_user, void *context);
/* That line and its messages. */
void dump_write_thread(FILE *file, const json_t *thread, const struct reading *reading);
