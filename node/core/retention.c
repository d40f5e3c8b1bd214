#include "node/core/retention.h"

#define DAY_MS (24LL * 60 * 60 * 1000)

bool retention_is_over(const struct thread_properties *properties, int64_t now_ms) {
    const struct retention *policy = &properties->retention;
    return policy->kind == RETENTION_THREAD_CREATION_DATE && now_ms - properties->created_ms >= policy->days * DAY_MS;
}
