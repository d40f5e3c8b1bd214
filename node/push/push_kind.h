#pragma once
/* The consumer of events that tells devices: asks those who lead the users whom a change concerns to see to it, for all
 * users of a range in one question, and is done when all have taken it over. */
#include "node/coordinator/coordinator.h"
#include "node/events/consumers.h"
#include "node/gateway/gateway.h"

struct push_kind_options {
    const struct gateway *gateway; /* borrowed, as everything here; and its master key */
    struct coordinator *coordinator;
    int64_t ttl_ms;              /* what is older is not told any more */
    void (*wake)(void *context); /* delivery_wake, from any thread */
    void *context;
};

struct consumer_kind *push_kind_new(const struct push_kind_options *options);
/* Of a node that sends nothing to devices: nobody's events are for it, but the cluster is told once (push_since.h). */
struct consumer_kind *push_kind_new_off(struct coordinator *coordinator);
