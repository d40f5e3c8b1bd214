#include "proto/buffer.h"
#include "proto/check.h"
#include "proto/json_tree.h"
#include "proto/push_registration.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken can be stored, and is read back as the same. */
static void kept(const struct push_registration *registration, struct arena *arena) {
    struct push_registration again;
    struct buffer first, second;
    buffer_init(&first);
    buffer_init(&second);
    check(push_registration_check(registration) == STATUS_OK);
    codec_encode(&PUSH_REGISTRATION_TABLE, registration, &first);
    check(codec_decode(&PUSH_REGISTRATION_TABLE, buffer_bytes(&first), arena, &again) == STATUS_OK);
    codec_encode(&PUSH_REGISTRATION_TABLE, &again, &second);
    check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    json_decref(push_registration_json(registration));
    buffer_close(&first);
    buffer_close(&second);
}

static void stored(struct bytes input, struct arena *arena) {
    struct push_registration registration;
    if (codec_decode(&PUSH_REGISTRATION_TABLE, input, arena, &registration) == STATUS_OK &&
        push_registration_check(&registration) == STATUS_OK)
        kept(&registration, arena);
}

/* The first byte chooses who registers. Every refusal is one that can be sent to the client. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct push_registration registration;
    struct problem problem = {0};
    struct arena arena;
    if (size == 0)
        return 0;
    arena_init(&arena);
    struct bytes body = bytes_of(data + 1, size - 1);
    int rc = data[0] % 2 == 0 ? push_subscription_parse(&arena, body, 1000, &registration, &problem)
                              : push_device_parse(&arena, body, 1000, &registration, &problem);
    if (rc == STATUS_OK)
        kept(&registration, &arena);
    else
        check(problem.rc == rc && status_http(rc) >= 400 && status_http(rc) < 500);
    stored(body, &arena);
    arena_close(&arena);
    return 0;
}
