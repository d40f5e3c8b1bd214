#pragma once
/* How often and how long a subscription is tried, and how many events come at once (contract section 12): the part of
 * its record with the vendor's retry policy and batching. */
#include "proto/json_tree.h"

#define DELIVERY_BATCH_EVENTS_MAX 5000
#define DELIVERY_BATCH_KILOBYTES_MAX 1024
#define DELIVERY_BATCH_KILOBYTES 64 /* when only the number of events is said */

struct delivery_terms {
    unsigned attempts_max;    /* retryPolicy.maxDeliveryAttempts */
    unsigned lives_minutes;   /* retryPolicy.eventTimeToLiveInMinutes */
    unsigned batch_events;    /* maxEventsPerBatch; 0: no batches */
    unsigned batch_kilobytes; /* preferredBatchSizeInKilobytes; an event that is larger comes alone */
};

/* What is not said is the vendor's default. Refuses with STATUS_VALIDATION_ERROR and the member. */
int delivery_terms_read(const struct json_reader *reader, const json_t *subscription, struct delivery_terms *terms);
void delivery_terms_set(json_t *subscription, const struct delivery_terms *terms);
