#include "node/events/delivery_terms.h"

#include "node/events/retry_schedule.h"
#include "proto/status.h"

/* A missing member leaves the number as it is. */
static int number_read(const struct json_reader *reader, const json_t *object, const char *name, unsigned most,
                       unsigned *number) {
    const json_t *value = json_member_find(object, name);
    if (value == NULL)
        return STATUS_OK;
    if (!json_is_integer(value))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s must be a whole number from 1 to %u, not %s.", name, most, json_type_text(value));
    json_int_t given = json_integer_value(value);
    if (given < 1 || given > (json_int_t)most)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s must be from 1 to %u, not %" JSON_INTEGER_FORMAT ".", name, most, given);
    *number = (unsigned)given;
    return STATUS_OK;
}

static int retry_read(const struct json_reader *reader, const json_t *subscription, struct delivery_terms *terms) {
    static const char *const known[] = {"maxDeliveryAttempts", "eventTimeToLiveInMinutes"};
    json_t *policy = json_member_find(subscription, "retryPolicy");
    const char *name;
    json_t *value;
    if (policy != NULL && !json_is_object(policy))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "retryPolicy",
                           "retryPolicy must be an object, not %s.", json_type_text(policy));
    json_object_foreach(policy, name, value) {
        if (strcmp(name, known[0]) != 0 && strcmp(name, known[1]) != 0)
            return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "retryPolicy",
                               "A retryPolicy has no member \"%.100s\".", name);
    }
    int rc = number_read(reader, policy, known[0], RETRY_ATTEMPTS_MAX, &terms->attempts_max);
    return rc == STATUS_OK ? number_read(reader, policy, known[1], RETRY_LIVES_MINUTES_MAX, &terms->lives_minutes) : rc;
}

int delivery_terms_read(const struct json_reader *reader, const json_t *subscription, struct delivery_terms *terms) {
    *terms = (struct delivery_terms){.attempts_max = RETRY_ATTEMPTS_MAX, .lives_minutes = RETRY_LIVES_MINUTES_MAX};
    int rc = retry_read(reader, subscription, terms);
    if (rc == STATUS_OK)
        rc = number_read(reader, subscription, "maxEventsPerBatch", DELIVERY_BATCH_EVENTS_MAX, &terms->batch_events);
    if (rc == STATUS_OK)
        rc = number_read(reader, subscription, "preferredBatchSizeInKilobytes", DELIVERY_BATCH_KILOBYTES_MAX,
                         &terms->batch_kilobytes);
    if (terms->batch_kilobytes > 0 && terms->batch_events == 0)
        terms->batch_events = DELIVERY_BATCH_EVENTS_MAX;
    if (terms->batch_events > 0 && terms->batch_kilobytes == 0)
        terms->batch_kilobytes = DELIVERY_BATCH_KILOBYTES;
    return rc;
}

void delivery_terms_set(json_t *subscription, const struct delivery_terms *terms) {
    json_t *policy = json_object_new();
    json_member_set(policy, "maxDeliveryAttempts", json_integer(terms->attempts_max));
    json_member_set(policy, "eventTimeToLiveInMinutes", json_integer(terms->lives_minutes));
    json_member_set(subscription, "retryPolicy", policy);
    if (terms->batch_events == 0)
        return;
    json_member_set(subscription, "maxEventsPerBatch", json_integer(terms->batch_events));
    json_member_set(subscription, "preferredBatchSizeInKilobytes", json_integer(terms->batch_kilobytes));
}
