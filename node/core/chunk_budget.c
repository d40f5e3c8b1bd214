#include "node/core/chunk_budget.h"

/* What was not used for a while is not made up for by a burst longer than this. */
#define BURST_MS 100

void chunk_budget_init(struct chunk_budget *budget, uint64_t bytes_per_s) {
    *budget = (struct chunk_budget){.bytes_per_s = bytes_per_s};
}

uint32_t chunk_budget_begin_round(struct chunk_budget *budget) {
    uint32_t first = budget->is_waited_for ? budget->first_waiting : 0;
    budget->is_waited_for = false;
    return first;
}

static void fill(struct chunk_budget *budget, int64_t mono_ms) {
    int64_t per_s = (int64_t)budget->bytes_per_s;
    int64_t most = per_s * BURST_MS / 1000 + 1;
    int64_t passed_ms = mono_ms - budget->filled_ms;
    int64_t needed_ms = (most - budget->left) * 1000 / per_s + 1;
    if (passed_ms >= needed_ms)
        budget->left = most;
    else if (passed_ms * per_s < 1000)
        return; /* less than a byte: it is not to be forgotten */
    else
        budget->left += passed_ms * per_s / 1000;
    budget->filled_ms = mono_ms;
}

void chunk_budget_rest(struct chunk_budget *budget, int64_t mono_ms) {
    if (mono_ms >= budget->rests_until_ms + CHUNK_WORK_MS)
        budget->rests_since_ms = mono_ms;
    if (mono_ms - budget->rests_since_ms < CHUNK_RESTS_MS_MAX)
        budget->rests_until_ms = mono_ms + CHUNK_REST_MS;
}

bool chunk_budget_rests(const struct chunk_budget *budget, int64_t mono_ms) {
    return mono_ms < budget->rests_until_ms;
}

static bool has_left(struct chunk_budget *budget, int64_t mono_ms) {
    if (budget->bytes_per_s == 0)
        return true;
    fill(budget, mono_ms);
    return budget->left > 0 && !budget->is_waited_for;
}

bool chunk_budget_allows(struct chunk_budget *budget, uint32_t range, int64_t mono_ms) {
    if (has_left(budget, mono_ms) && !chunk_budget_rests(budget, mono_ms))
        return true;
    if (!budget->is_waited_for)
        budget->first_waiting = range;
    budget->is_waited_for = true;
    return false;
}

void chunk_budget_spend(struct chunk_budget *budget, size_t bytes) {
    if (budget->bytes_per_s != 0)
        budget->left -= (int64_t)bytes;
}
