#include <sodium.h>

#include "proto/check.h"
#include "proto/join.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void requests(struct bytes input, const struct join_keys *keys) {
    struct join_request request;
    struct join_request again;
    uint8_t challenge[JOIN_CHALLENGE_BYTES];
    struct buffer encoded;
    join_challenge_decode(input, challenge);
    if (join_request_decode(input, &request) != STATUS_OK || request.kind != JOIN_QUESTION)
        return;
    check(!join_question_is_proven(&request, keys));
    buffer_init(&encoded);
    join_question_encode(&request, &encoded);
    check(join_request_decode(buffer_bytes(&encoded), &again) == STATUS_OK);
    check(memcmp(&request, &again, sizeof(request)) == 0);
    buffer_close(&encoded);
}

static void facts_survive(struct bytes input, struct arena *arena) {
    struct join_facts facts;
    struct buffer first;
    struct buffer second;
    if (join_facts_decode(input, arena, &facts) != STATUS_OK)
        return;
    check(facts.cluster_name.size > 0 && facts.etcd_endpoints.size > 0 && facts.peer_address.size > 0);
    check(facts.etcd_password.size <= JOIN_TEXT_BYTES_MAX && facts.etcd_key.size <= JOIN_FILE_BYTES_MAX);
    buffer_init(&first);
    buffer_init(&second);
    join_facts_encode(&facts, &first);
    check(join_facts_decode(buffer_bytes(&first), arena, &facts) == STATUS_OK);
    join_facts_encode(&facts, &second);
    check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_close(&first);
    buffer_close(&second);
}

/* Nothing that comes from elsewhere is proven or opens; what decodes can be written again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct join_keys keys = {.proof = {1}, .seal = {2}};
    static const uint8_t secret_key[JOIN_KEY_BYTES] = {3};
    struct bytes input = bytes_of(data, size);
    struct join_request question;
    struct join_facts facts;
    struct arena arena;
    check(sodium_init() >= 0);
    arena_init(&arena);
    requests(input, &keys);
    facts_survive(input, &arena);
    join_question_make(&keys, (const uint8_t[JOIN_CHALLENGE_BYTES]){4}, secret_key, &question);
    check(join_answer_open(input, &question, &keys, secret_key, &arena, &facts) != STATUS_OK);
    arena_close(&arena);
    return 0;
}
