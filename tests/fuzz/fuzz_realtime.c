#include <jansson.h>

#include "proto/check.h"
#include "proto/limits.h"
#include "proto/realtime.h"

#define MESSAGE_BYTES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const struct realtime_request *request) {
    check(request->type != 0);
    check(!bytes_is_present(request->id) ||
          (request->id.size > 0 && request->id.size <= LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX));
    check(request->positions_count <= LIMIT_RESUME_THREADS_MAX);
    if (request->type == REALTIME_SEND)
        check(bytes_is_present(request->id) && request->content.size <= MESSAGE_BYTES_MAX);
}

/* The first byte chooses the format. Every refusal is one that can be sent to the client. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct buffer out;
    struct realtime_request request;
    struct problem problem = {0};
    if (size == 0)
        return 0;
    arena_init(&arena);
    buffer_init(&out);
    enum realtime_format format = data[0] % 2 == 0 ? REALTIME_JSON : REALTIME_MSGPACK;
    struct bytes frame = bytes_of(data + 1, size - 1);
    int rc = realtime_request_parse(&arena, format, frame, MESSAGE_BYTES_MAX, &request, &problem);
    if (rc == 0) {
        check_request(&request);
    } else {
        check(problem.rc == rc);
        realtime_error_encode(REALTIME_JSON, request.id, request.thread_id, &problem, 0, &out);
        json_t *tree = json_loadb((const char *)out.data, out.size, JSON_ALLOW_NUL, NULL);
        check(tree != NULL);
        json_decref(tree);
    }
    buffer_close(&out);
    arena_close(&arena);
    return 0;
}
