#include "node/push/push_mobile.h"

#include <inttypes.h>

#include "node/push/push_account.h"
#include "node/push/push_payload.h"
#include "proto/json_tree.h"

_Static_assert(WEB_PUSH_SALT_BYTES == PUSH_INITIAL_BYTES, "one chance is of use to both");

static bool is_sealed(const struct push_job *job) {
    return bytes_is_present(job->device->aes_key);
}

/* What the app is given: sealed as "e", or as it is. */
static void payload_set(json_t *object, const struct push_job *job, const struct push_chance *chance,
                        struct arena *arena) {
    if (is_sealed(job))
        json_text_set(object, "e", push_payload_seal(job->device, chance->salt, job->json, arena));
    else
        json_text_set(object, "payload", job->json);
}

static json_t *alert_new(const struct push_job *job) {
    json_t *alert = json_object_new();
    /* Where the text is sealed, the app puts it in place of this. */
    json_text_set(alert, "title", is_sealed(job) ? BYTES_LITERAL("New message") : job->title);
    if (!is_sealed(job))
        json_text_set(alert, "body", job->text);
    return alert;
}

/* ---- FCM ---- */

static json_t *android_new(const struct push_sender *sender, const struct push_job *job, int64_t now_ms,
                           struct arena *arena) {
    json_t *android = json_object_new();
    json_text_set(android, "collapse_key", push_topic(&job->thread, arena));
    json_text_set(android, "priority", BYTES_LITERAL("HIGH"));
    json_text_set(android, "ttl", arena_printf(arena, "%" PRId64 "s", push_ttl_s(sender, job, now_ms)));
    return android;
}

static struct bytes fcm_body(const struct push_sender *sender, const struct push_job *job,
                             const struct push_chance *chance, int64_t now_ms, struct arena *arena) {
    json_t *root = json_object_new(), *message = json_object_new(), *data = json_object_new();
    json_member_set(root, "message", message);
    json_text_set(message, "token", job->device->address);
    json_text_set(data, "eventId", arena_printf(arena, "%d", job->event_id));
    payload_set(data, job, chance, arena);
    json_member_set(message, "data", data);
    if (!is_sealed(job))
        json_member_set(message, "notification", alert_new(job));
    json_member_set(message, "android", android_new(sender, job, now_ms, arena));
    return json_text_take(arena, root);
}

void push_fcm_make(const struct push_sender *sender, const struct push_job *job, const struct push_chance *chance,
                   int64_t now_ms, struct arena *arena, struct webhook_request *request) {
    const struct push_account *account = sender->account;
    *request = (struct webhook_request){.method = "POST",
                                        .url = arena_printf(arena, "%.*s/v1/projects/%.*s/messages:send",
                                                            BYTES_ARG(account->fcm_url), BYTES_ARG(account->project)),
                                        .body = fcm_body(sender, job, chance, now_ms, arena)};
    webhook_header_add(request, "content-type", BYTES_LITERAL("application/json; charset=utf-8"));
    webhook_header_add(request, "authorization", arena_printf(arena, "Bearer %.*s", BYTES_ARG(sender->fcm_token)));
}

static bool contains(struct bytes text, const char *word) {
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= text.size; i++)
        if (memcmp(text.data + i, word, size) == 0)
            return true;
    return false;
}

static bool is_for_now(long status) {
    return status == 0 || status == 408 || status == 429 || status >= 500;
}

enum push_outcome push_fcm_outcome(const struct webhook_answer *answer) {
    if (answer->status >= 200 && answer->status < 300)
        return PUSH_SENT;
    /* Without the word the project is wrong, not the device. */
    if (answer->status == 404 && contains(answer->body, "UNREGISTERED"))
        return PUSH_GONE;
    if (answer->status == 401)
        return PUSH_TOKEN_SPENT;
    return is_for_now(answer->status) ? PUSH_AGAIN : PUSH_REFUSED;
}

/* ---- APNs ---- */

static struct bytes apns_body(const struct push_job *job, const struct push_chance *chance, struct arena *arena) {
    json_t *root = json_object_new(), *aps = json_object_new();
    json_member_set(aps, "alert", alert_new(job));
    json_text_set(aps, "thread-id", push_topic(&job->thread, arena));
    json_member_set(aps, "mutable-content", json_integer(1));
    json_member_set(root, "aps", aps);
    json_member_set(root, "eventId", json_integer(job->event_id));
    payload_set(root, job, chance, arena);
    return json_text_take(arena, root);
}

void push_apns_make(const struct push_sender *sender, const struct push_job *job, const struct push_chance *chance,
                    int64_t now_ms, struct arena *arena, struct webhook_request *request) {
    const struct push_account *account = sender->account;
    int64_t ends_s = now_ms / 1000 + push_ttl_s(sender, job, now_ms);
    *request = (struct webhook_request){
        .method = "POST",
        .is_http2 = true,
        .url = arena_printf(arena, "%.*s/3/device/%.*s", BYTES_ARG(account->apns_url), BYTES_ARG(job->device->address)),
        .body = apns_body(job, chance, arena)};
    webhook_header_add(request, "content-type", BYTES_LITERAL("application/json"));
    webhook_header_add(request, "authorization", arena_printf(arena, "bearer %.*s", BYTES_ARG(sender->apns_token)));
    webhook_header_add(request, "apns-topic", account->apns_topic);
    webhook_header_add(request, "apns-push-type", BYTES_LITERAL("alert"));
    webhook_header_add(request, "apns-priority", BYTES_LITERAL("10"));
    webhook_header_add(request, "apns-expiration", arena_printf(arena, "%" PRId64, ends_s));
    webhook_header_add(request, "apns-collapse-id", push_topic(&job->thread, arena));
}

enum push_outcome push_apns_outcome(const struct webhook_answer *answer) {
    if (answer->status >= 200 && answer->status < 300)
        return PUSH_SENT;
    if (answer->status == 410 || (answer->status == 400 && contains(answer->body, "BadDeviceToken")))
        return PUSH_GONE;
    if (answer->status == 403 && contains(answer->body, "ExpiredProviderToken"))
        return PUSH_TOKEN_SPENT;
    return is_for_now(answer->status) ? PUSH_AGAIN : PUSH_REFUSED;
}
