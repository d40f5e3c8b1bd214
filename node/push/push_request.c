#include "node/push/push_request.h"

#include <inttypes.h>
#include <sodium.h>

#include "node/push/json_web_token.h"
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

/* RFC 8030, section 5.4: at most 32 characters of base64url. The thread's keyed hash tells the push service nothing. */
static struct bytes topic_of(const struct id_hash *thread, struct arena *arena) {
    return base64url_encode(bytes_of(thread->bytes, sizeof(thread->bytes)), arena);
}

static struct bytes ttl_of(const struct push_sender *sender, const struct push_job *job, int64_t now_ms,
                           struct arena *arena) {
    int64_t left_s = (job->happened_ms + sender->ttl_ms - now_ms) / 1000;
    left_s = left_s < 0 ? 0 : left_s > TTL_S_MAX ? TTL_S_MAX : left_s;
    return arena_printf(arena, "%" PRId64, left_s);
}

bool push_request_make(const struct push_sender *sender, const struct push_job *job, const struct push_chance *chance,
                       int64_t now_ms, struct arena *arena, struct webhook_request *request) {
    struct bytes endpoint = job->device->address;
    *request = (struct webhook_request){.method = "POST", .url = endpoint};
    request->body = web_push_encrypt(job->device, &chance->key, chance->salt, job->json, arena);
    if (!bytes_is_present(request->body))
        return false;
    webhook_header_add(request, "content-type", BYTES_LITERAL("application/octet-stream"));
    webhook_header_add(request, "content-encoding", BYTES_LITERAL("aes128gcm"));
    webhook_header_add(request, "ttl", ttl_of(sender, job, now_ms, arena));
    webhook_header_add(request, "urgency", BYTES_LITERAL("high"));
    webhook_header_add(request, "topic", topic_of(&job->thread, arena));
    webhook_header_add(request, "authorization",
                       vapid_authorization(sender->vapid, endpoint, sender->contact, now_ms / 1000, arena));
    return true;
}

/* ---- what is answered ---- */

enum push_outcome push_outcome_of(const struct webhook_answer *answer) {
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
    if (answer->retry_after_s * 1000 > wait_ms)
        wait_ms = answer->retry_after_s * 1000;
    wait_ms = wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX;
    return wait_ms + wait_ms * (int64_t)(chance % 256) / 1024; /* up to a quarter more, so that not all come at once */
}
