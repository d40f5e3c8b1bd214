#pragma once
/* Moves under way, or planned, as people read them. */
#include <stdio.h>

#include "node/ctl/overview.h"
#include "node/ctl/terminal.h"

/* A table; nothing if there are none. */
void moves_print(const struct terminal *terminal, const struct overview *overview, FILE *out);
/* The same of moves that have not begun, as a plan has them. */
void moves_planned_print(const struct terminal *terminal, const struct overview *overview, const struct move *moves,
                         size_t count, FILE *out);

/* "copy of range 3 from node-1 to node-4", cut to 200 bytes. */
#define MOVE_WORDS_BYTES_MAX 200
char *move_words(const struct overview *overview, const struct move *move, char out[static MOVE_WORDS_BYTES_MAX]);

/* Whether both are about the same step of the same range. */
bool move_is_same(const struct move *a, const struct move *b);
