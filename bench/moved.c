#include "bench/moved.h"

#include <stdlib.h>
#include <string.h>

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
    free(moved->peer_bytes_seconds);
    movements_close(&moved->movements);
    stalls_close(&moved->stalls);
    free(moved);
}

uint64_t moved_copied_bytes(const struct moved *moved) {
    uint64_t sum = 0;
    for (size_t i = 0; i < moved->movements.moves_count; i++)
        if (strcmp(moved->movements.moves[i].kind, "copy") == 0)
            sum += moved->movements.moves[i].bytes;
    return sum;
}

bool moved_is_clean(const struct moved *moved) {
    for (size_t i = 0; i < moved->happenings_count; i++)
        if (moved->happenings[i].exit_status != 0)
            return false;
    return moved->gaps == 0 && moved->never_begun == 0;
}
