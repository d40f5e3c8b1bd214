#include <jansson.h>

#include "proto/chat_json.h"
#include "proto/check.h"
#include "proto/limits.h"

#define MESSAGE_BYTES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_participants(const struct participants *participants, size_t count_max) {
    check(participants->count <= count_max);
    for (size_t i = 0; i < participants->count; i++)
        check(participants->items[i].user_id.size > 0 && participants->items[i].share_history_ms >= 0);
}

static int parse_create(struct arena *arena, struct bytes body, struct problem *problem) {
    struct create_thread_request request;
    int rc = create_thread_request_parse(arena, body, &request, problem);
    if (rc == 0) {
        check(request.topic.size > 0 && request.topic.size <= LIMIT_TOPIC_BYTES_MAX);
        check_participants(&request.participants, LIMIT_PARTICIPANTS_PER_CREATE_MAX);
    }
    return rc;
}

static int parse_send(struct arena *arena, struct bytes body, struct problem *problem) {
    struct send_message_request request;
    int rc = send_message_request_parse(arena, body, MESSAGE_BYTES_MAX, &request, problem);
    if (rc == 0) {
        check(bytes_is_present(request.content) && request.content.size <= MESSAGE_BYTES_MAX);
        check(bytes_is_present(request.display_name));
        check(request.type == MESSAGE_TEXT || request.type == MESSAGE_HTML);
    }
    return rc;
}

static int parse_add(struct arena *arena, struct bytes body, struct problem *problem) {
    struct participants participants;
    int rc = add_participants_request_parse(arena, body, &participants, problem);
    if (rc == 0)
        check_participants(&participants, LIMIT_PARTICIPANTS_PER_ADD_MAX);
    return rc;
}

static int parse(struct arena *arena, uint8_t kind, struct bytes body, struct problem *problem) {
    struct update_thread_request update;
    struct update_message_request edit;
    struct bytes text;
    uint64_t id;
    switch (kind % 8) {
    case 0:
        return parse_create(arena, body, problem);
    case 1:
        return update_thread_request_parse(arena, body, &update, problem);
    case 2:
        return parse_send(arena, body, problem);
    case 3:
        return update_message_request_parse(arena, body, MESSAGE_BYTES_MAX, &edit, problem);
    case 4:
        return parse_add(arena, body, problem);
    case 5:
        return remove_participant_request_parse(arena, body, &text, problem);
    case 6:
        return typing_request_parse(arena, body, &text, problem);
    default:
        return read_receipt_request_parse(arena, body, &id, problem);
    }
}

/* The first byte chooses the body's kind. Every refusal is one that can be sent to the client. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct problem problem = {0};
    if (size == 0)
        return 0;
    arena_init(&arena);
    int rc = parse(&arena, data[0], bytes_of(data + 1, size - 1), &problem);
    if (rc != 0) {
        struct bytes body = problem_body(&arena, &problem);
        json_t *tree = json_loadb((const char *)body.data, body.size, JSON_ALLOW_NUL, NULL);
        check(tree != NULL && problem.rc == rc && status_http(rc) >= 400 && status_http(rc) < 500);
        json_decref(tree);
    }
    arena_close(&arena);
    return 0;
}
