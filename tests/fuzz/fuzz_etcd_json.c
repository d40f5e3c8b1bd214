#include "node/coordinator/etcd_json.h"
#include "proto/check.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever a server sends in etcd's place, decoders give STATUS_MALFORMED or what the header promises. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes answer = bytes_of(data, size);
    struct bytes root = BYTES_LITERAL("w/");
    struct etcd_range range;
    struct etcd_watch_news news;
    struct etcd_error error;
    struct arena arena;
    uint64_t number;
    unsigned ttl_s;
    bool is_swapped;
    char *token;
    arena_init(&arena);
    if (etcd_range_decode(answer, root, &arena, &range) == STATUS_OK)
        for (size_t i = 0; i < range.count; i++)
            check(range.items[i].version > 0 && bytes_is_present(range.items[i].value));
    if (etcd_watch_decode(answer, root, &arena, &news) == STATUS_OK) {
        check(news.synced_revision == 0 || news.events_count == 0);
        for (size_t i = 0; i < news.events_count; i++)
            check(news.events[i].version > 0);
    }
    if (etcd_swap_decode(answer, &is_swapped, &number) == STATUS_OK)
        check(number > 0);
    if (etcd_lease_decode(answer, &number, &ttl_s) == STATUS_OK)
        check(ttl_s <= INT32_MAX);
    if (etcd_login_decode(answer, &arena, &token) == STATUS_OK)
        check(strlen(token) > 0 && strpbrk(token, "\r\n") == NULL);
    etcd_error_decode(answer, &arena, &error);
    arena_close(&arena);
    return 0;
}
