#include "proto/check.h"
#include "proto/placement.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever decodes keeps its promises, and can be written again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct placement placement;
    struct placement again;
    if (placement_decode(bytes_of(data, size), &placement) == STATUS_OK) {
        struct buffer encoded;
        buffer_init(&encoded);
        check(placement.holders_count > 0 && placement.holders_count <= RANGE_REPLICAS_MAX);
        check(placement.primary == 0 || placement_has(&placement, placement.primary));
        placement_encode(&placement, &encoded);
        check(placement_decode(buffer_bytes(&encoded), &again) == STATUS_OK);
        check(placement_equal(&placement, &again));
        buffer_close(&encoded);
    }
    return 0;
}
