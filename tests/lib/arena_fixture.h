#pragma once
/* An arena of each test's own: cmocka_unit_test_setup_teardown(test, open_arena, close_arena). It is *state as well. */
#include "proto/arena.h"

static struct arena test_arena;

static int open_arena(void **state) {
    arena_init(&test_arena);
    *state = &test_arena;
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    arena_close(&test_arena);
    return 0;
}
