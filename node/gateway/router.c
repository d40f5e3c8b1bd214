#include "node/gateway/router.h"

#include <string.h>

#include "proto/buffer.h"
#include "proto/check.h"

/* Patterns begin with "/"; each piece is matched with the decoded segment at the same place. */
static bool pattern_fits(const char *pattern, const struct target *target, struct bytes *captures, size_t *count) {
    *count = 0;
    check(pattern[0] == '/');
    const char *piece = pattern + 1;
    size_t index = 0;
    while (*piece != '\0') {
        size_t size = strcspn(piece, "/");
        if (index == target->segments_count)
            return false;
        struct bytes segment = target->segments[index++];
        if (bytes_equal(bytes_of(piece, size), BYTES_LITERAL("{}"))) {
            if (segment.size == 0)
                return false;
            check(*count < HTTP_CAPTURES_MAX);
            captures[(*count)++] = segment;
        } else if (!bytes_equal(bytes_of(piece, size), segment)) {
            return false;
        }
        piece += size;
        if (*piece == '/')
            piece++;
    }
    return index == target->segments_count;
}

static bool method_fits(struct bytes wanted, const char *offered) {
    if (bytes_equal_text(wanted, "HEAD") && strcmp(offered, "GET") == 0)
        return true;
    return bytes_equal_text(wanted, offered);
}

/* Tables are walked in order and the first fit wins, so a literal route stands before the "{}" route it would fit too.
 */
static const struct http_route *find_route(const struct http_route_table *tables, size_t tables_count,
                                           struct http_call *call, struct buffer *allowed) {
    for (size_t t = 0; t < tables_count; t++) {
        for (size_t r = 0; r < tables[t].count; r++) {
            const struct http_route *route = &tables[t].routes[r];
            if (!pattern_fits(route->pattern, &call->target, call->captures, &call->captures_count))
                continue;
            if (method_fits(call->method, route->method))
                return route;
            buffer_append_text(allowed, allowed->size == 0 ? "" : ", ");
            buffer_append_text(allowed, route->method);
        }
    }
    return NULL;
}

static void refuse(struct http_call *call, struct bytes allowed) {
    struct problem problem = {.rc = 0};
    if (allowed.size == 0) {
        problem_set(&problem, &call->arena, STATUS_NOT_FOUND, NULL, "There is no resource at this path.");
    } else {
        http_call_set_header(call, "Allow", allowed);
        problem_set(&problem, &call->arena, STATUS_METHOD_NOT_ALLOWED, NULL,
                    "The method is not allowed for this resource; allowed: %.*s.", BYTES_ARG(allowed));
    }
    http_call_refuse(call, &problem);
}

const struct http_route *router_find(const struct http_route_table *tables, size_t tables_count,
                                     struct http_call *call) {
    struct buffer allowed;
    buffer_init(&allowed);
    const struct http_route *route = find_route(tables, tables_count, call, &allowed);
    if (route == NULL)
        refuse(call, arena_copy(&call->arena, buffer_bytes(&allowed)));
    buffer_close(&allowed);
    return route;
}

void router_dispatch(const struct http_route_table *tables, size_t tables_count, struct worker *worker,
                     struct http_call *call) {
    const struct http_route *route = router_find(tables, tables_count, call);
    if (route != NULL)
        route->handle(worker, call);
}
