#pragma once
/* How fast a node sends rows of its ranges to those that learn them, all together, so that a move does not disturb
 * clients. Chunks are asked for one at a time for each learner; who has to wait asks again in the next round, and who
 * waited first comes first. Only numbers: the core begins a round with each tick. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_REST_MS 50
#define CHUNK_RESTS_MS_MAX 500 /* for that long rests may follow each other … */
#define CHUNK_WORK_MS 250      /* … and then there is none for so long */

struct chunk_budget {
    uint64_t bytes_per_s; /* 0: no bound */
    int64_t left;         /* bytes; below 0: so much has gone ahead of its time */
    int64_t filled_ms;
    int64_t rests_since_ms;
    int64_t rests_until_ms;
    bool is_waited_for;
    uint32_t first_waiting; /* range */
};

void chunk_budget_init(struct chunk_budget *budget, uint64_t bytes_per_s);
/* The range to begin with; after it the others in their order, and then those before it. */
uint32_t chunk_budget_begin_round(struct chunk_budget *budget);
bool chunk_budget_allows(struct chunk_budget *budget, uint32_t range, int64_t mono_ms);
/* A hand-over begins, or is heard of: no chunk for CHUNK_REST_MS, whatever the rate, as writes wait for it. Many in a
 * row, as when a node leaves, do not hold chunks up for ever. */
void chunk_budget_rest(struct chunk_budget *budget, int64_t mono_ms);
bool chunk_budget_rests(const struct chunk_budget *budget, int64_t mono_ms);
/* A chunk of that size has gone out. */
void chunk_budget_spend(struct chunk_budget *budget, size_t bytes);
