#include <jansson.h>

#include "proto/check.h"
#include "proto/import_json.h"
#include "proto/limits.h"

#define MESSAGE_BYTES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken goes into a command, which reads as the same. */
static void check_command(struct arena *arena, const struct command *command) {
    struct buffer encoded;
    struct command decoded;
    buffer_init(&encoded);
    command_encode(command, &encoded);
    check(command_decode(buffer_bytes(&encoded), arena, &decoded) == 0);
    check(decoded.members_count == command->members_count && decoded.receipts_count == command->receipts_count &&
          decoded.messages_count == command->messages_count);
    buffer_close(&encoded);
}

static int parse_thread(struct arena *arena, struct bytes body, struct problem *problem) {
    struct import_thread_request request;
    int rc = import_thread_request_parse(arena, body, &request, problem);
    if (rc != 0)
        return rc;
    check(request.properties.id.size > 0 && request.sequence >= request.messages);
    check(request.members_count <= LIMIT_LIST_ITEMS_MAX && request.receipts_count <= LIMIT_LIST_ITEMS_MAX);
    check_command(arena, &(struct command){.kind = COMMAND_THREAD_IMPORT,
                                           .properties = request.properties,
                                           .members = request.members,
                                           .members_count = request.members_count,
                                           .receipts = request.receipts,
                                           .receipts_count = request.receipts_count});
    return 0;
}

static int parse_messages(struct arena *arena, struct bytes body, struct problem *problem) {
    struct import_messages messages;
    int rc = import_messages_request_parse(arena, body, MESSAGE_BYTES_MAX, &messages, problem);
    if (rc != 0)
        return rc;
    check(messages.count >= 1 && messages.count <= LIMIT_IMPORT_MESSAGES_MAX);
    for (size_t i = 0; i < messages.count; i++)
        check(messages.items[i].type >= MESSAGE_TEXT && messages.items[i].content.size <= MESSAGE_BYTES_MAX &&
              messages.items[i].created_ms >= 0);
    check_command(arena, &(struct command){.kind = COMMAND_MESSAGES_IMPORT,
                                           .messages = messages.items,
                                           .messages_count = messages.count});
    return 0;
}

/* The first byte chooses the body's kind. Every refusal is one that can be sent to the operator. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct problem problem = {0};
    if (size == 0)
        return 0;
    arena_init(&arena);
    struct bytes body = bytes_of(data + 1, size - 1);
    int rc = data[0] % 2 == 0 ? parse_thread(&arena, body, &problem) : parse_messages(&arena, body, &problem);
    if (rc != 0) {
        struct bytes text = problem_body(&arena, &problem);
        json_t *tree = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
        check(tree != NULL && problem.rc == rc && status_http(rc) >= 400 && status_http(rc) < 500);
        json_decref(tree);
    }
    arena_close(&arena);
    return 0;
}
