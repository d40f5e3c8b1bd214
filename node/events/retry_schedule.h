#pragma once
/* When an event that was not taken is sent again, and when it is given up (contract section 12). Pure: chance and time
 * are given. */
#include <stdint.h>

#define RETRY_ATTEMPTS_MAX 30 /* most, and by default */
#define RETRY_LIVES_MINUTES_MAX 1440

#define RETRY_TOO_OLD "TimeToLiveExceeded"
#define RETRY_NOT_TRIED "Probation" /* its outcome, when the receiver was left alone as others had failed */

struct retry_policy {
    unsigned attempts_max; /* 1 to 30 */
    int64_t lives_ms;      /* from when it happened */
};

/* How far an event has come. */
struct retry_state {
    unsigned attempts; /* made, the last one included */
    int64_t happened_ms;
    int64_t now_ms;
};

struct retry_decision {
    int64_t wait_ms;    /* before the next attempt */
    const char *reason; /* NULL: there is one. Otherwise why not, in the words of the vendor's dead letters */
};

/* `status` is what the receiver answered, 0 for nothing, and none of those that mean that the event was taken. `chance`
 * spreads the attempts of many, so that they do not come at once. */
struct retry_decision retry_decide(const struct retry_policy *policy, const struct retry_state *state, long status,
                                   uint32_t chance);

/* What the receiver's answer is called there: "NotFound", "TimedOut". */
const char *retry_outcome_name(long status);
