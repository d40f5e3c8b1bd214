#include "proto/check.h"
#include "proto/load_record.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever decodes keeps its promises, and can be written again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct load_record record;
    struct load_record again;
    arena_init(&arena);
    if (load_record_decode(bytes_of(data, size), &arena, &record) == STATUS_OK) {
        struct buffer encoded;
        buffer_init(&encoded);
        check(record.node != 0);
        for (size_t i = 1; i < record.ranges_count; i++)
            check(record.ranges[i - 1].range < record.ranges[i].range);
        load_record_encode(&record, &encoded);
        check(load_record_decode(buffer_bytes(&encoded), &arena, &again) == STATUS_OK);
        check(again.ranges_count == record.ranges_count && again.learners_count == record.learners_count);
        buffer_close(&encoded);
    }
    arena_close(&arena);
    return 0;
}
