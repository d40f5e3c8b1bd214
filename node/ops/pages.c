#include "node/ops/pages.h"

#include "node/gateway/gateway.h"
#include "node/gateway/trouter_api.h"
#include "node/ops/assets.h"
#include "proto/status.h"

/* The pages load nothing from anywhere else and run no inline script; the console goes on with another node when this
 * one is silent. */
#define PAGE_POLICY                                                                                                    \
    "default-src 'self'; connect-src 'self' wss: https:; style-src 'self'; img-src 'self' data: https:; "              \
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

static void asset_reply(struct http_call *call, const char *folder, struct bytes name) {
    struct bytes path = arena_printf(&call->arena, "%s%.*s", folder, BYTES_ARG(name));
    const struct asset *asset = asset_find(path);
    if (asset == NULL) {
        http_call_refuse_status(call, STATUS_NOT_FOUND);
        return;
    }
    http_call_set_header(call, "etag", bytes_of_text(asset->etag));
    http_call_set_header(call, "cache-control", BYTES_LITERAL("no-cache"));
    http_call_set_header(call, "content-security-policy", BYTES_LITERAL(PAGE_POLICY));
    http_call_set_header(call, "x-content-type-options", BYTES_LITERAL("nosniff"));
    http_call_set_header(call, "referrer-policy", BYTES_LITERAL("no-referrer"));
    if (bytes_equal_text(http_call_find_header(call, "if-none-match"), asset->etag))
        http_call_reply(call, 304, BYTES_ABSENT);
    else
        http_call_reply_static(call, 200, asset->content_type, asset->body);
}

static void page_get(struct worker *worker, struct http_call *call) {
    (void)worker;
    if (!trouter_probe(call))
        asset_reply(call, "chat/", BYTES_LITERAL("index.html"));
}

static void page_file_get(struct worker *worker, struct http_call *call) {
    (void)worker;
    asset_reply(call, "chat/", call->captures[0]);
}

static void page_module_get(struct worker *worker, struct http_call *call) {
    (void)worker;
    asset_reply(call, "chat/",
                arena_printf(&call->arena, "%.*s/%.*s", BYTES_ARG(call->captures[0]), BYTES_ARG(call->captures[1])));
}

static void console_get(struct worker *worker, struct http_call *call) {
    (void)worker;
    asset_reply(call, "cluster/", BYTES_LITERAL("index.html"));
}

static void console_file_get(struct worker *worker, struct http_call *call) {
    (void)worker;
    asset_reply(call, "cluster/", call->captures[0]);
}

static void console_module_get(struct worker *worker, struct http_call *call) {
    (void)worker;
    asset_reply(call, "cluster/",
                arena_printf(&call->arena, "%.*s/%.*s", BYTES_ARG(call->captures[0]), BYTES_ARG(call->captures[1])));
}

static void page_icon_get(struct worker *worker, struct http_call *call) {
    (void)worker;
    asset_reply(call, "chat/", BYTES_LITERAL("favicon.svg"));
}

static void live_get(struct worker *worker, struct http_call *call) {
    (void)worker;
    http_call_reply(call, 200, BYTES_LITERAL("{\"status\":\"live\"}"));
}

static void ready_get(struct worker *worker, struct http_call *call) {
    const struct gateway *gateway = gateway_worker_of(worker)->gateway;
    int rc = gateway->readiness == NULL ? STATUS_OK : gateway->readiness(gateway->core);
    if (atomic_load(&gateway->is_draining))
        rc = STATUS_SHUTTING_DOWN;
    if (rc != STATUS_OK)
        http_call_refuse_status(call, rc);
    else
        http_call_reply(call, 200, BYTES_LITERAL("{\"status\":\"ready\"}"));
}

static const struct http_route routes[] = {
    {"GET", "/", page_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/app/{}", page_file_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/app/{}/{}", page_module_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/console", console_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/console/{}", console_file_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/console/{}/{}", console_module_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/favicon.ico", page_icon_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/health/live", live_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/health/ready", ready_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
};
const struct http_route_table page_routes = HTTP_ROUTE_TABLE(routes);
