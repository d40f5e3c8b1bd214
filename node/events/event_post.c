#include "node/events/event_post.h"

#include <inttypes.h>

#include "proto/check.h"

static const char *const kind_names[] = {
    [EVENT_POST_NOTIFICATION] = "Notification", [EVENT_POST_VALIDATION] = "SubscriptionValidation"};

static json_t *shared(const json_t *json) {
    return json_incref((json_t *)(uintptr_t)json);
}

static bool is_lone_cloud_event(const struct event_subscription *subscription) {
    return subscription->schema == EVENT_SCHEMA_CLOUD_EVENTS && subscription->terms.batch_events == 0;
}

static struct bytes body_make(const struct event_post *post, struct arena *arena) {
    if (!is_lone_cloud_event(post->subscription))
        return json_text_take(arena, shared(post->envelopes));
    check(json_array_size(post->envelopes) == 1);
    return json_text_take(arena, shared(json_array_get(post->envelopes, 0)));
}

static struct bytes content_type(const struct event_subscription *subscription) {
    if (subscription->schema == EVENT_SCHEMA_EVENT_GRID)
        return BYTES_LITERAL("application/json; charset=utf-8");
    return is_lone_cloud_event(subscription) ? BYTES_LITERAL("application/cloudevents+json; charset=utf-8")
                                             : BYTES_LITERAL("application/cloudevents-batch+json; charset=utf-8");
}

static void signature_add(const struct event_post *post, struct arena *arena, struct webhook_request *request) {
    const struct event_subscription *subscription = post->subscription;
    webhook_header_add(request, "webhook-id", post->id);
    webhook_header_add(request, "webhook-timestamp", arena_printf(arena, "%" PRId64, post->time_s));
    webhook_header_add(request, "webhook-signature",
                       event_signature(subscription->secrets, subscription->secrets_count, post->id, post->time_s,
                                       request->body, arena));
}

void event_post_make(const struct event_post *post, struct arena *arena, struct webhook_request *request) {
    const struct event_subscription *subscription = post->subscription;
    bool is_cloud = subscription->schema == EVENT_SCHEMA_CLOUD_EVENTS;
    *request =
        (struct webhook_request){.method = "POST", .url = subscription->endpoint, .body = body_make(post, arena)};
    webhook_header_add(request, "content-type", content_type(subscription));
    webhook_header_add(request, "aeg-event-type", bytes_of_text(kind_names[post->kind]));
    webhook_header_add(request, "aeg-subscription-name", subscription->name);
    webhook_header_add(request, "aeg-delivery-count", arena_printf(arena, "%u", post->attempt));
    if (!is_cloud) {
        webhook_header_add(request, "aeg-data-version", BYTES_LITERAL("1.0"));
        webhook_header_add(request, "aeg-metadata-version", BYTES_LITERAL("1"));
    }
    signature_add(post, arena, request);
    for (size_t i = 0; i < subscription->headers_count; i++)
        request->headers[request->headers_count++] =
            (struct webhook_header){subscription->headers[i].name, subscription->headers[i].value};
    check(request->headers_count <= WEBHOOK_HEADERS_MAX);
}
