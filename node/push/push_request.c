#include "node/push/push_request.h"

#include <inttypes.h>
#include <sodium.h>

#include "node/push/json_web_token.h"
#include "node/push/push_mobile.h"
#include "node/push/vapid.h"
#include "proto/check.h"

#define TTL_S_MAX (28 * 24 * 3600) /* what push services keep at most */
#define WAIT_MS 1000
#define WAITS_DOUBLED_MAX 6
#define WAIT_MS_MAX (10 * 60 * 1000)

void push_chance_take(struct push_chance *chance) {
    elliptic_make(&chance->key);
    randombytes_buf(chance->salt, sizeof(chance->salt));
}

struct bytes push_topic(const struct id_hash *thread, struct arena *arena) {
    return base64url_encode(bytes_of(thread->bytes, sizeof(thread->bytes)), arena);
}

int64_t push_ttl_s(const struct push_sender *sender, const struct push_job *job, int64_t now_ms) {
    int64_t left_s = (job->happened_ms + sender->ttl_ms - now_ms) / 1000;
    return left_s < 0 ? 0 : left_s > TTL_S_MAX ? TTL_S_MAX : left_s;
}

struct bytes push_service(const struct push_account *account, const struct push_registration *device) {
    if (device->transport == PUSH_WEB)
        return vapid_origin(device->address);
    return device->transport == PUSH_FCM ? account->fcm_url : account->apns_url;
}

static bool is_of_host(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static bool is_port(struct bytes text) {
    for (size_t i = 1; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size == 0 || text.data[0] == ':';
}

struct bytes push_endpoint_host(struct bytes endpoint) {
    struct bytes origin = vapid_origin(endpoint);
    size_t begin = bytes_starts_with(origin, "https://") ? 8 : bytes_starts_with(origin, "http://") ? 7 : 0;
    size_t end = begin;
    if (begin == 0)
        return BYTES_ABSENT;
    while (end < origin.size && is_of_host(origin.data[end]))
        end++;
    bool is_plain =
        end > begin && origin.data[end - 1] != '.' && is_port(bytes_of(origin.data + end, origin.size - end));
    return is_plain ? bytes_of(origin.data + begin, end - begin) : BYTES_ABSENT;
}

struct bytes push_service_limited(const struct push_account *account, const struct push_registration *device) {
    struct bytes host = push_endpoint_host(device->address);
    size_t begin = host.size, dots = 0;
    if (device->transport != PUSH_WEB || !bytes_is_present(host))
        return push_service(account, device);
    while (begin > 0 && (dots += host.data[begin - 1] == '.') < 2)
        begin--;
    return bytes_of(host.data + begin, host.size - begin);
}

static bool web_make(const struct push_sender *sender, const struct push_job *job, const struct push_chance *chance,
                     int64_t now_ms, struct arena *arena, struct webhook_request *request) {
    struct bytes endpoint = job->device->address;
    *request = (struct webhook_request){.method = "POST", .url = endpoint};
    request->body = web_push_encrypt(job->device, &chance->key, chance->salt, job->json, arena);
    if (!bytes_is_present(request->body))
        return false;
    webhook_header_add(request, "content-type", BYTES_LITERAL("application/octet-stream"));
    webhook_header_add(request, "content-encoding", BYTES_LITERAL("aes128gcm"));
    webhook_header_add(request, "ttl", arena_printf(arena, "%" PRId64, push_ttl_s(sender, job, now_ms)));
    webhook_header_add(request, "urgency", BYTES_LITERAL("high"));
    webhook_header_add(request, "topic", push_topic(&job->thread, arena));
    webhook_header_add(request, "authorization",
                       vapid_authorization(sender->vapid, endpoint, sender->contact, now_ms / 1000, arena));
    return true;
}

bool push_request_make(const struct push_sender *sender, const struct push_job *job, const struct push_chance *chance,
                       int64_t now_ms, struct arena *arena, struct webhook_request *request) {
    if (job->device->transport == PUSH_WEB)
        return web_make(sender, job, chance, now_ms, arena, request);
    (job->device->transport == PUSH_FCM ? push_fcm_make : push_apns_make)(sender, job, chance, now_ms, arena, request);
    return true;
}

/* ---- what is answered ---- */

enum push_outcome push_outcome_of(enum push_transport transport, const struct webhook_answer *answer) {
    if (transport != PUSH_WEB)
        return (transport == PUSH_FCM ? push_fcm_outcome : push_apns_outcome)(answer);
    if (answer->status >= 200 && answer->status < 300)
        return PUSH_SENT;
    if (answer->status == 404 || answer->status == 410)
        return PUSH_GONE;
    bool is_for_now = answer->status == 0 || answer->status == 408 || answer->status == 429 || answer->status >= 500;
    return is_for_now ? PUSH_AGAIN : PUSH_REFUSED;
}

int64_t push_wait_ms(const struct webhook_answer *answer, unsigned attempts, uint32_t chance) {
    unsigned doubled = attempts > 1 ? attempts - 1 : 0;
    int64_t wait_ms = (int64_t)WAIT_MS << (doubled < WAITS_DOUBLED_MAX ? doubled : WAITS_DOUBLED_MAX);
    int64_t asked_s = answer->retry_after_s < WAIT_MS_MAX / 1000 ? answer->retry_after_s : WAIT_MS_MAX / 1000;
    if (asked_s > wait_ms / 1000)
        wait_ms = asked_s * 1000;
    return wait_ms + wait_ms * (int64_t)(chance % 256) / 1024; /* up to a quarter more, so that not all come at once */
}
