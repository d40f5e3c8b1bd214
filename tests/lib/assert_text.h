#pragma once
/* Bytes that should be a text; both are shown when they are not. Behind cmocka.h. */
#include "proto/bytes.h"

static void assert_text(struct bytes actual, const char *expected) {
    if (!bytes_equal_text(actual, expected))
        fail_msg("\n  expected %s\n  got      %.*s", expected, BYTES_ARG(actual));
}
