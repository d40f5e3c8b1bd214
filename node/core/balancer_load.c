#include "node/core/balancer_parts.h"

/* Below these, what ranges do differs by chance and costs nothing worth a move. So empty ranges count all the same. */
#define BASE_BYTES (4.0 * 1024 * 1024)
#define BASE_WRITES_PER_S 0.5
#define BASE_DELIVERIES_PER_S 0.5

/* More than that is a mistake, and must not make all others weigh nothing. */
#define BYTES_MAX 1e15
#define PER_S_MAX 1e9

/* Of all ranges together. Whole numbers, so that sums do not depend on the order of adding; so small that products of
 * two sums, with RANGE_REPLICAS_MAX copies of everything, fit 64 bits. */
#define WHOLE (1 << 26)

struct parts {
    double bytes, writes, deliveries;
};

/* Not a number is nothing, too. */
static double bounded(double value, double most) {
    if (!(value > 0))
        return 0;
    return value < most ? value : most;
}

static struct parts parts_of(const struct balancer_range *range) {
    return (struct parts){.bytes = BASE_BYTES + bounded((double)range->bytes, BYTES_MAX),
                          .writes = BASE_WRITES_PER_S + bounded(range->writes_per_s, PER_S_MAX),
                          .deliveries = BASE_DELIVERIES_PER_S + bounded(range->deliveries_per_s, PER_S_MAX)};
}

/* Every copy stores and writes. Who leads passes writes on, and delivers, which costs most. Leading everything weighs
 * as much as holding all copies of everything. */
void load_weigh(struct draft *draft) {
    struct parts sum = {0};
    for (size_t i = 0; i < draft->ranges_count; i++) {
        struct parts parts = parts_of(draft->ranges[i].given);
        sum.bytes += parts.bytes;
        sum.writes += parts.writes;
        sum.deliveries += parts.deliveries;
    }
    for (size_t i = 0; i < draft->ranges_count; i++) {
        struct draft_range *range = &draft->ranges[i];
        struct parts parts = parts_of(range->given);
        double held = (parts.bytes / sum.bytes + parts.writes / sum.writes) / 2;
        double led = (parts.writes / sum.writes + 2 * parts.deliveries / sum.deliveries) / 3;
        range->copy = 1 + (int64_t)(held * WHOLE);
        range->lead = (1 + (int64_t)(led * WHOLE)) * (int64_t)draft->settings.factor;
    }
}
