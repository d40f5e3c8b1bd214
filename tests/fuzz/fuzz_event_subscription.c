#include "node/events/event_subscription.h"
#include "proto/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an operator may have said is stored, and read back as the same. */
static void said(struct bytes input, struct arena *arena) {
    struct event_subscription subscription, again;
    struct problem problem = {0};
    if (event_subscription_parse(input, true, arena, &subscription, &problem) != STATUS_OK) {
        check(problem.rc != STATUS_OK && problem.message.size > 0);
        return;
    }
    subscription.name = BYTES_LITERAL("fuzz");
    if (subscription.secrets_count == 0) /* then one is made */
        event_secret_make(&subscription.secrets[subscription.secrets_count++]);
    struct bytes stored = event_subscription_encode(&subscription, arena);
    check(event_subscription_decode(stored, arena, &again) == STATUS_OK);
    check(bytes_equal(event_subscription_encode(&again, arena), stored));
}

/* The first half of the bytes filters an event made of the second. */
static void filtered(struct bytes input, struct arena *arena) {
    struct event_subscription subscription;
    struct problem problem = {0};
    struct server_event event = {.subject = BYTES_LITERAL("thread/T/sender/A")};
    json_error_t error;
    size_t half = input.size / 2;
    if (event_subscription_parse(bytes_of(input.data, half), true, arena, &subscription, &problem) != STATUS_OK)
        return;
    json_t *envelope = json_loadb((const char *)input.data + half, input.size - half, 0, &error);
    event_choice_wants(&subscription.choice, &event, envelope);
    json_decref(envelope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes input = bytes_of(data, size);
    struct event_subscription subscription;
    struct arena arena;
    arena_init(&arena);
    said(input, &arena);
    filtered(input, &arena);
    event_subscription_decode(input, &arena, &subscription);
    arena_close(&arena);
    return 0;
}
