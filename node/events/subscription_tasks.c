#include "node/events/subscription_tasks.h"

#include <sodium.h>
#include <time.h>

#include "node/events/event_sample.h"
#include "node/events/handshake.h"
#include "node/log.h"

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void refuse(struct subscription_task *task, int rc) {
    if (rc == STATUS_STORE_MISSING)
        problem_set(&task->problem, task->arena, STATUS_NOT_FOUND, "name", "There is no subscription \"%.*s\".",
                    BYTES_ARG(task->name));
    else if (rc == STATUS_CONFLICT)
        problem_set(&task->problem, task->arena, rc, "name",
                    "The subscription \"%.*s\" was changed by somebody else meanwhile; look at it, and try again.",
                    BYTES_ARG(task->name));
    else
        problem_set(&task->problem, task->arena, rc, NULL, "%s", status_sentence(rc));
}

/* Takes `json`. */
static void reply(struct subscription_task *task, int status, json_t *json) {
    task->status = status;
    task->answer = json_text_take(task->arena, json);
}

/* ---- shown ---- */

static void list_do(const struct subscription_tasks *self, struct subscription_task *task) {
    struct event_subscription *subscriptions;
    size_t count;
    int rc = subscription_store_list(&self->store, task->arena, &subscriptions, &count);
    if (rc != STATUS_OK) {
        refuse(task, rc);
        return;
    }
    json_t *object = json_object_new();
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, event_subscription_to_json(&subscriptions[i], SHOW_NO_SECRETS));
    json_member_set(object, "value", array);
    reply(task, 200, object);
}

static void show_do(const struct subscription_tasks *self, struct subscription_task *task) {
    struct event_subscription subscription;
    uint64_t version;
    int rc = subscription_store_get(&self->store, task->name, task->arena, &subscription, &version);
    if (rc == STATUS_OK)
        reply(task, 200, event_subscription_to_json(&subscription, SHOW_NO_SECRETS));
    else
        refuse(task, rc);
}

static void remove_do(const struct subscription_tasks *self, struct subscription_task *task) {
    struct event_subscription subscription;
    uint64_t version;
    int rc = subscription_store_get(&self->store, task->name, task->arena, &subscription, &version);
    if (rc == STATUS_OK || rc == STATUS_RECORD_CORRUPT)
        rc = subscription_store_remove(&self->store, task->name, version);
    task->status = 204;
    if (rc == STATUS_OK)
        log_info("the event subscription %.*s is removed", BYTES_ARG(task->name));
    else
        refuse(task, rc);
}

/* ---- shaking hands ---- */

static void code_renew(struct event_subscription *subscription, struct arena *arena) {
    uint8_t chance[16];
    char code[37];
    randombytes_buf(chance, sizeof(chance));
    uuid_format(chance, code);
    subscription->is_validated = false;
    subscription->validation_code = arena_copy(arena, bytes_of_text(code));
    subscription->validation_until_ms = wall_ms() + SUBSCRIPTION_VALIDATION_MS;
}

static enum handshake_outcome hands_shake(const struct subscription_tasks *self, struct subscription_task *task,
                                          const struct event_subscription *subscription, struct bytes *reason) {
    struct handshake handshake = {
        .subscription = subscription, .topic = self->topic, .origin = task->origin, .now_ms = wall_ms()};
    struct webhook_request request;
    struct webhook_answer answer;
    handshake_request(&handshake, task->arena, &request);
    webhook_send(&self->webhooks, &request, task->arena, &answer);
    return handshake_judge(&handshake, &answer, task->arena, reason);
}

/* The receiver may have called back while it was asked: then it is active already. */
static int activate(const struct subscription_tasks *self, struct subscription_task *task,
                    struct event_subscription *subscription, uint64_t *version) {
    struct event_subscription now;
    subscription->is_validated = true;
    int rc = subscription_store_put(&self->store, subscription, task->arena, version);
    if (rc != STATUS_CONFLICT ||
        subscription_store_get(&self->store, task->name, task->arena, &now, version) != STATUS_OK)
        return rc;
    return now.is_validated && bytes_equal(now.validation_code, subscription->validation_code) ? STATUS_OK : rc;
}

static json_t *with_reason(json_t *shown, struct bytes reason) {
    if (bytes_is_present(reason))
        json_text_set(shown, "message", reason);
    return shown;
}

static void refuse_handshake(struct subscription_task *task, struct bytes reason) {
    problem_set(&task->problem, task->arena, STATUS_VALIDATION_ERROR, "endpoint",
                "The endpoint does not pass the handshake: %.*s.", BYTES_ARG(reason));
}

/* ---- made and changed ---- */

struct putting {
    struct event_subscription wanted;
    struct event_subscription before;
    uint64_t version;
    bool is_new;
    bool is_secret_made;
};

/* What the operator did not say stays as it was. */
static void put_complete(struct putting *put, struct subscription_task *task) {
    struct event_subscription *wanted = &put->wanted;
    wanted->name = task->name;
    wanted->created_ms = put->is_new ? wall_ms() : put->before.created_ms;
    wanted->serial = put->is_new ? (uint64_t)wanted->created_ms : put->before.serial;
    wanted->from_ms = put->is_new ? wanted->created_ms : put->before.from_ms;
    if (wanted->secrets_count > 0)
        return;
    put->is_secret_made = put->is_new;
    wanted->secrets_count = put->is_new ? 1 : put->before.secrets_count;
    if (put->is_new)
        event_secret_make(&wanted->secrets[0]);
    else
        memcpy(wanted->secrets, put->before.secrets, sizeof(wanted->secrets));
}

static bool has_same_receiver(const struct putting *put) {
    return !put->is_new && put->before.is_validated && put->before.schema == put->wanted.schema &&
           bytes_equal(put->before.endpoint, put->wanted.endpoint);
}

static void put_reply(struct putting *put, struct subscription_task *task, struct bytes reason) {
    enum event_subscription_showing showing = put->is_secret_made ? SHOW_SECRETS : SHOW_NO_SECRETS;
    log_info("the event subscription %.*s is %s, %s", BYTES_ARG(task->name), put->is_new ? "made" : "changed",
             put->wanted.is_validated ? "active" : "not validated yet");
    reply(task, put->is_new ? 201 : 200, with_reason(event_subscription_to_json(&put->wanted, showing), reason));
}

/* As it was before. Whoever changed it meanwhile has the last word. */
static void put_undo(const struct subscription_tasks *self, struct subscription_task *task, struct putting *put) {
    int rc = put->is_new ? subscription_store_remove(&self->store, task->name, put->version)
                         : subscription_store_put(&self->store, &put->before, task->arena, &put->version);
    if (rc != STATUS_OK)
        log_warning("the event subscription %.*s did not become what it was: %s", BYTES_ARG(task->name),
                    status_sentence(rc));
}

/* It is stored before the receiver is asked, as that one may call back before it answers. */
static void put_validate(const struct subscription_tasks *self, struct subscription_task *task, struct putting *put) {
    struct bytes reason;
    code_renew(&put->wanted, task->arena);
    int rc = subscription_store_put(&self->store, &put->wanted, task->arena, &put->version);
    if (rc != STATUS_OK) {
        refuse(task, rc);
        return;
    }
    enum handshake_outcome outcome = hands_shake(self, task, &put->wanted, &reason);
    if (outcome == HANDSHAKE_FAILED) {
        put_undo(self, task, put);
        refuse_handshake(task, reason);
        return;
    }
    rc = outcome == HANDSHAKE_PASSED ? activate(self, task, &put->wanted, &put->version) : STATUS_OK;
    if (rc == STATUS_OK)
        put_reply(put, task, reason);
    else
        refuse(task, rc);
}

static int room_check(const struct subscription_tasks *self, struct subscription_task *task) {
    struct event_subscription *subscriptions;
    size_t count;
    int rc = subscription_store_list(&self->store, task->arena, &subscriptions, &count);
    if (rc != STATUS_OK)
        refuse(task, rc);
    else if (count >= SUBSCRIPTIONS_MAX)
        rc = problem_set(&task->problem, task->arena, STATUS_CONFLICT, "name",
                         "There are %zu subscriptions already, and no more than %d can be.", count, SUBSCRIPTIONS_MAX);
    return rc;
}

static void put_do(const struct subscription_tasks *self, struct subscription_task *task) {
    struct putting put = {0};
    if (event_subscription_parse(task->body, self->webhooks.may_be_private, task->arena, &put.wanted, &task->problem) !=
        STATUS_OK)
        return;
    int rc = subscription_store_get(&self->store, task->name, task->arena, &put.before, &put.version);
    put.is_new = rc == STATUS_STORE_MISSING;
    if (put.is_new)
        put.version = 0;
    else if (rc != STATUS_OK) {
        refuse(task, rc);
        return;
    }
    if (put.is_new && room_check(self, task) != STATUS_OK)
        return;
    put_complete(&put, task);
    if (!has_same_receiver(&put)) {
        put_validate(self, task, &put);
        return;
    }
    put.wanted.is_validated = true;
    rc = subscription_store_put(&self->store, &put.wanted, task->arena, &put.version);
    if (rc == STATUS_OK)
        put_reply(&put, task, BYTES_ABSENT);
    else
        refuse(task, rc);
}

/* ---- asked again, and calling back ---- */

/* One that is active stays so whatever comes of it. */
static void validate_do(const struct subscription_tasks *self, struct subscription_task *task) {
    struct event_subscription subscription;
    uint64_t version;
    struct bytes reason;
    int rc = subscription_store_get(&self->store, task->name, task->arena, &subscription, &version);
    bool was_active = rc == STATUS_OK && subscription.is_validated;
    if (rc == STATUS_OK)
        code_renew(&subscription, task->arena);
    if (rc == STATUS_OK && !was_active)
        rc = subscription_store_put(&self->store, &subscription, task->arena, &version);
    if (rc != STATUS_OK) {
        refuse(task, rc);
        return;
    }
    enum handshake_outcome outcome = hands_shake(self, task, &subscription, &reason);
    if (outcome == HANDSHAKE_FAILED || (was_active && outcome == HANDSHAKE_AWAITS)) {
        refuse_handshake(task, reason);
        return;
    }
    if (outcome == HANDSHAKE_PASSED && !was_active)
        rc = activate(self, task, &subscription, &version);
    subscription.is_validated = outcome == HANDSHAKE_PASSED;
    if (rc == STATUS_OK)
        reply(task, 200, with_reason(event_subscription_to_json(&subscription, SHOW_NO_SECRETS), reason));
    else
        refuse(task, rc);
}

static bool is_code(const struct event_subscription *subscription, struct bytes code) {
    struct bytes right = subscription->validation_code;
    return right.size > 0 && code.size == right.size && sodium_memcmp(code.data, right.data, right.size) == 0;
}

/* Whoever knows the code was told it by the receiver. It learns nothing else, not even which names there are. */
static void confirm_do(const struct subscription_tasks *self, struct subscription_task *task) {
    struct event_subscription subscription;
    uint64_t version;
    int rc = subscription_store_get(&self->store, task->name, task->arena, &subscription, &version);
    bool is_right = rc == STATUS_OK && is_code(&subscription, task->code);
    if (is_right && !subscription.is_validated && wall_ms() > subscription.validation_until_ms)
        is_right = false;
    if ((rc == STATUS_OK || rc == STATUS_STORE_MISSING) && !is_right) {
        problem_set(&task->problem, task->arena, STATUS_NOT_FOUND, NULL,
                    "This address is of no subscription that awaits its validation; it holds for 10 minutes.");
        return;
    }
    if (rc == STATUS_OK && !subscription.is_validated)
        rc = activate(self, task, &subscription, &version);
    if (rc == STATUS_OK)
        reply(task, 200, json_pack("{s:s}", "state", "active"));
    else
        refuse(task, rc);
}

/* ---- samples ---- */

static void test_send(const struct subscription_tasks *self, struct subscription_task *task,
                      const struct event_subscription *subscription, const struct server_event *event,
                      json_t *envelope) {
    json_t *envelopes = json_array_new();
    json_item_add(envelopes, json_incref(envelope));
    struct event_post post = {.subscription = subscription,
                              .id = bytes_of_text(event->id),
                              .time_s = wall_ms() / 1000,
                              .envelopes = envelopes};
    struct webhook_request request;
    struct webhook_answer answer;
    event_post_make(&post, task->arena, &request);
    json_decref(envelopes);
    webhook_send(&self->webhooks, &request, task->arena, &answer);
    json_t *object = json_object_new();
    json_member_set(object, "isDelivered", json_boolean(event_post_is_delivered(&answer)));
    json_member_set(object, "isWanted", json_boolean(event_choice_wants(&subscription->choice, event, envelope)));
    if (answer.status != 0)
        json_member_set(object, "statusCode", json_integer(answer.status));
    json_text_set_present(object, "failure", answer.failure);
    json_member_set(object, "tookMs", json_integer(answer.took_ms));
    json_member_set(object, "event", json_incref(envelope));
    reply(task, 200, object);
}

static void test_do(const struct subscription_tasks *self, struct subscription_task *task) {
    struct event_subscription subscription;
    struct server_event event;
    uint64_t version;
    int rc = subscription_store_get(&self->store, task->name, task->arena, &subscription, &version);
    if (rc != STATUS_OK) {
        refuse(task, rc);
        return;
    }
    if (!subscription.is_validated) {
        problem_set(&task->problem, task->arena, STATUS_CONFLICT, "name",
                    "The receiver of \"%.*s\" has not shown yet that it wants events.", BYTES_ARG(task->name));
        return;
    }
    event_sample_make(task->type, self->resource_id, self->hash_key, wall_ms(), task->arena, &event);
    json_t *envelope = server_event_envelope(&event, subscription.schema, self->topic);
    test_send(self, task, &subscription, &event, envelope);
    json_decref(envelope);
    server_event_close(&event);
}

/* ---- again, and given up ---- */

/* What has happened since is found by whoever leads each thread, as for one that is new. */
static void replay_do(const struct subscription_tasks *self, struct subscription_task *task) {
    struct event_subscription subscription;
    uint64_t version;
    int64_t now_ms = wall_ms();
    if (task->from_ms < 1 || task->from_ms > now_ms) {
        problem_set(&task->problem, task->arena, STATUS_VALIDATION_ERROR, "from",
                    "from must be a time that has been; there is nothing to replay from later on.");
        return;
    }
    int rc = subscription_store_get(&self->store, task->name, task->arena, &subscription, &version);
    if (rc == STATUS_OK) {
        subscription.from_ms = task->from_ms;
        subscription.serial = (uint64_t)now_ms > subscription.serial ? (uint64_t)now_ms : subscription.serial + 1;
        rc = subscription_store_put(&self->store, &subscription, task->arena, &version);
    }
    if (rc != STATUS_OK) {
        refuse(task, rc);
        return;
    }
    log_info("the event subscription %.*s gets again what is kept", BYTES_ARG(task->name));
    json_t *shown = event_subscription_to_json(&subscription, SHOW_NO_SECRETS);
    if (task->from_ms < now_ms - self->keep_ms)
        json_text_set(shown, "message",
                      arena_printf(task->arena, "events are kept for %lld hours, and what is older is gone",
                                   (long long)(self->keep_ms / 3600000)));
    reply(task, 202, shown);
}

static void dead_letters_do(const struct subscription_tasks *self, struct subscription_task *task) {
    json_t *letters;
    int rc = dead_letters_read(&self->dead_letters, task->name, task->count_max, &letters);
    if (rc == STATUS_OK) {
        json_t *object = json_object_new();
        json_member_set(object, "value", letters);
        reply(task, 200, object);
        return;
    }
    json_decref(letters);
    refuse(task, rc);
}

void subscription_task_do(const struct subscription_tasks *self, struct subscription_task *task) {
    static void (*const doers[])(const struct subscription_tasks *, struct subscription_task *) = {
        [SUBSCRIPTION_LIST] = list_do,
        [SUBSCRIPTION_SHOW] = show_do,
        [SUBSCRIPTION_PUT] = put_do,
        [SUBSCRIPTION_REMOVE] = remove_do,
        [SUBSCRIPTION_VALIDATE] = validate_do,
        [SUBSCRIPTION_CONFIRM] = confirm_do,
        [SUBSCRIPTION_TEST] = test_do,
        [SUBSCRIPTION_REPLAY] = replay_do,
        [SUBSCRIPTION_DEAD_LETTERS] = dead_letters_do,
    };
    doers[task->kind](self, task);
}
