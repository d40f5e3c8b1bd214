#include "bench/moved.h"

#include <stdlib.h>

#include "proto/check.h"

struct moved *moved_new(void) {
    struct moved *moved = calloc(1, sizeof *moved);
    check(moved != NULL);
    return moved;
}

void moved_free(struct moved *moved) {
    if (moved == NULL)
        return;
    for (size_t i = 0; i < moved->happenings_count; i++)
        buffer_close(&moved->happenings[i].output);
    free(moved->happenings);
    for (size_t i = 0; i < TRANSFERS; i++)
        free(moved->transfers[i].seconds);
    movements_close(&moved->movements);
    stalls_close(&moved->stalls);
    free(moved);
}

void transfers_add(struct transfers *transfers, double at_s, double bytes) {
    size_t second = at_s < 0 ? 0 : (size_t)at_s;
    if (second >= transfers->seconds_count) {
        transfers->seconds = realloc(transfers->seconds, (second + 1) * sizeof *transfers->seconds);
        check(transfers->seconds != NULL);
        while (transfers->seconds_count <= second)
            transfers->seconds[transfers->seconds_count++] = 0;
    }
    transfers->seconds[second] += bytes;
    transfers->bytes += bytes;
}

double hold_quantile_ms(const struct hold *hold, double part) {
    double bound_s = counter_histogram_quantile(&hold->seconds, part);
    return (bound_s < hold->longest_s ? bound_s : hold->longest_s) * 1e3;
}

bool moved_is_clean(const struct moved *moved) {
    for (size_t i = 0; i < moved->happenings_count; i++)
        if (moved->happenings[i].exit_status != 0)
            return false;
    return moved->gaps == 0 && moved->never_begun == 0;
}
