/* When a policy deletes a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/retention.h"

#define DAY_MS (24LL * 60 * 60 * 1000)
#define CREATED_MS 1700000000000

struct moment {
    struct retention policy;
    int64_t now_ms;
    bool is_over;
};

static void a_thread_is_over_so_many_days_after_its_creation_and_only_by_a_policy_that_says_so(void **state) {
    static const struct moment moments[] = {
        {{RETENTION_THREAD_CREATION_DATE, 30}, CREATED_MS, false},
        {{RETENTION_THREAD_CREATION_DATE, 30}, CREATED_MS + 30 * DAY_MS - 1, false},
        {{RETENTION_THREAD_CREATION_DATE, 30}, CREATED_MS + 30 * DAY_MS, true},
        {{RETENTION_THREAD_CREATION_DATE, 90}, CREATED_MS + 90 * DAY_MS - 1, false},
        {{RETENTION_THREAD_CREATION_DATE, 90}, CREATED_MS + 90 * DAY_MS, true},
        {{RETENTION_THREAD_CREATION_DATE, 3650}, CREATED_MS + 3650 * DAY_MS - 1, false},
        {{RETENTION_THREAD_CREATION_DATE, UINT32_MAX}, CREATED_MS + 3650 * DAY_MS, false},
        {{RETENTION_THREAD_CREATION_DATE, 30}, CREATED_MS - 365 * DAY_MS, false}, /* a clock that was set back */
        {{RETENTION_NONE, 0}, CREATED_MS + 3650 * DAY_MS, false},
        {{RETENTION_NOT_GIVEN, 0}, CREATED_MS + 3650 * DAY_MS, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        struct thread_properties properties = {.created_ms = CREATED_MS, .retention = moments[i].policy};
        print_message("# policy %d of %u days\n", moments[i].policy.kind, moments[i].policy.days);
        assert_int_equal(retention_is_over(&properties, moments[i].now_ms), moments[i].is_over);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_is_over_so_many_days_after_its_creation_and_only_by_a_policy_that_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
