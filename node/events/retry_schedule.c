#include "node/events/retry_schedule.h"

#include <stdbool.h>
#include <stddef.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define SPREAD_PERCENT 10

static const int64_t waits_ms[] = {10 * SECOND_MS, 30 * SECOND_MS, 1 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS,
                                   30 * MINUTE_MS, 1 * HOUR_MS,    3 * HOUR_MS,   6 * HOUR_MS,   12 * HOUR_MS};
#define WAITS_COUNT (sizeof(waits_ms) / sizeof(waits_ms[0]))

static const struct answer_row {
    long status;
    const char *name;
    int64_t least_ms; /* before the next attempt */
    bool is_final;    /* another attempt would end the same way */
} answers[] = {
    {0, "SocketError", 10 * SECOND_MS, false},
    {400, "BadRequest", 0, true},
    {401, "Unauthorized", 0, true},
    {403, "Forbidden", 0, true},
    {404, "NotFound", 10 * SECOND_MS, false},
    {408, "TimedOut", 2 * MINUTE_MS, false},
    {413, "PayloadTooLarge", 0, true},
    {503, "Busy", 30 * SECOND_MS, false},
};
static const struct answer_row any_other = {-1, "GenericError", 10 * SECOND_MS, false};

static const struct answer_row *answer_find(long status) {
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        if (answers[i].status == status)
            return &answers[i];
    return &any_other;
}

const char *retry_outcome_name(long status) {
    return answer_find(status)->name;
}

static int64_t wait_of(const struct retry_state *state, const struct answer_row *answer, uint32_t chance) {
    size_t number = state->attempts == 0 ? 0 : state->attempts - 1;
    int64_t wait_ms = waits_ms[number < WAITS_COUNT ? number : WAITS_COUNT - 1];
    if (wait_ms < answer->least_ms)
        wait_ms = answer->least_ms;
    return wait_ms + (int64_t)(chance % 1000) * wait_ms * SPREAD_PERCENT / 100 / 1000;
}

struct retry_decision retry_decide(const struct retry_policy *policy, const struct retry_state *state, long status,
                                   uint32_t chance) {
    const struct answer_row *answer = answer_find(status);
    struct retry_decision decision = {.wait_ms = wait_of(state, answer, chance)};
    if (answer->is_final)
        decision.reason = "Undeliverable";
    else if (state->attempts >= policy->attempts_max)
        decision.reason = "MaxDeliveryAttemptsExceeded";
    else if (state->now_ms + decision.wait_ms - state->happened_ms > policy->lives_ms)
        decision.reason = RETRY_TOO_OLD;
    return decision;
}
