#include "node/events/handshake.h"

#include <strings.h>

#include "proto/rfc3339.h"

static struct bytes callback_make(const struct handshake *handshake, struct arena *arena) {
    const struct event_subscription *subscription = handshake->subscription;
    return arena_printf(arena, "%.*s" HANDSHAKE_PATH "/%.*s/%.*s", BYTES_ARG(handshake->origin),
                        BYTES_ARG(subscription->name), BYTES_ARG(subscription->validation_code));
}

/* Our name as an origin: a host without scheme and port. */
static struct bytes origin_host(const struct handshake *handshake) {
    struct bytes host = handshake->origin;
    for (size_t i = 0; i + 2 < host.size; i++) {
        if (memcmp(host.data + i, "://", 3) != 0)
            continue;
        host = bytes_of(host.data + i + 3, host.size - i - 3);
        break;
    }
    size_t size = 0;
    bool is_bracketed = host.size > 0 && host.data[0] == '[';
    while (size < host.size && (is_bracketed ? size == 0 || host.data[size - 1] != ']' : host.data[size] != ':'))
        size++;
    return bytes_of(host.data, size);
}

static json_t *validation_event(const struct handshake *handshake, struct arena *arena) {
    char now[RFC3339_TEXT_BYTES];
    json_t *event = json_object_new();
    json_t *data = json_object_new();
    rfc3339_format_ms(handshake->now_ms, now);
    json_text_set(data, "validationCode", handshake->subscription->validation_code);
    json_text_set(data, "validationUrl", callback_make(handshake, arena));
    json_text_set(event, "id", handshake->subscription->validation_code);
    json_text_set(event, "topic", handshake->topic);
    json_text_set(event, "subject", BYTES_LITERAL(""));
    json_member_set(event, "data", data);
    json_text_set(event, "eventType", BYTES_LITERAL("Microsoft.EventGrid.SubscriptionValidationEvent"));
    json_text_set(event, "eventTime", bytes_of_text(now));
    json_text_set(event, "metadataVersion", BYTES_LITERAL("1"));
    json_text_set(event, "dataVersion", BYTES_LITERAL("1"));
    return event;
}

static void options_request(const struct handshake *handshake, struct arena *arena, struct webhook_request *request) {
    const struct event_subscription *subscription = handshake->subscription;
    *request = (struct webhook_request){.method = "OPTIONS", .url = subscription->endpoint};
    webhook_header_add(request, "WebHook-Request-Origin", origin_host(handshake));
    webhook_header_add(request, "WebHook-Request-Callback", callback_make(handshake, arena));
    for (size_t i = 0; i < subscription->headers_count; i++)
        request->headers[request->headers_count++] =
            (struct webhook_header){subscription->headers[i].name, subscription->headers[i].value};
}

void handshake_request(const struct handshake *handshake, struct arena *arena, struct webhook_request *request) {
    if (handshake->subscription->schema == EVENT_SCHEMA_CLOUD_EVENTS) {
        options_request(handshake, arena, request);
        return;
    }
    json_t *envelopes = json_array_new();
    json_item_add(envelopes, validation_event(handshake, arena));
    struct event_post post = {.subscription = handshake->subscription,
                              .kind = EVENT_POST_VALIDATION,
                              .id = handshake->subscription->validation_code,
                              .time_s = handshake->now_ms / 1000,
                              .envelopes = envelopes};
    event_post_make(&post, arena, request);
    json_decref(envelopes);
}

/* ---- what it answers ---- */

static bool echoes_code(const struct handshake *handshake, struct bytes body) {
    json_error_t error;
    json_t *root = json_loadb((const char *)body.data, body.size, 0, &error);
    const json_t *code = json_object_get(root, "validationResponse");
    bool is_right = json_is_string(code) && bytes_equal(bytes_of(json_string_value(code), json_string_length(code)),
                                                        handshake->subscription->validation_code);
    json_decref(root);
    return is_right;
}

static bool allows_origin(const struct handshake *handshake, struct bytes allowed) {
    struct bytes host = origin_host(handshake);
    return bytes_equal_text(allowed, "*") ||
           (allowed.size == host.size && host.size > 0 &&
            strncasecmp((const char *)allowed.data, (const char *)host.data, host.size) == 0);
}

enum handshake_outcome handshake_judge(const struct handshake *handshake, const struct webhook_answer *answer,
                                       struct arena *arena, struct bytes *reason) {
    bool is_cloud = handshake->subscription->schema == EVENT_SCHEMA_CLOUD_EVENTS;
    *reason = BYTES_ABSENT;
    if (answer->status == 0) {
        *reason = arena_printf(arena, "it does not answer: %.*s", BYTES_ARG(answer->failure));
        return HANDSHAKE_FAILED;
    }
    if (answer->status < 200 || answer->status > 299) {
        *reason = arena_printf(arena, "it answers %ld, not 200", answer->status);
        return HANDSHAKE_FAILED;
    }
    if (answer->status == 200 &&
        (is_cloud ? allows_origin(handshake, answer->allowed_origin) : echoes_code(handshake, answer->body)))
        return HANDSHAKE_PASSED;
    *reason = is_cloud ? arena_printf(arena,
                                      "it answers %ld without WebHook-Allowed-Origin: %.*s; it may still call the "
                                      "WebHook-Request-Callback",
                                      answer->status, BYTES_ARG(origin_host(handshake)))
                       : arena_printf(arena,
                                      "it answers %ld without {\"validationResponse\": its validationCode}; somebody "
                                      "may still call the validationUrl",
                                      answer->status);
    return HANDSHAKE_AWAITS;
}
