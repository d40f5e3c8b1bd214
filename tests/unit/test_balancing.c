#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/balancing.h"

static void a_node_that_sends_tells_it_more_often_unless_its_record_is_large(void **state) {
    static const struct {
        bool is_sending;
        size_t ranges_count;
        int64_t ms;
    } nodes[] = {{false, 1, 2000}, {false, 64, 2000},  {true, 1, 250},      {true, 64, 250},
                 {true, 256, 512}, {true, 1000, 2000}, {true, 65536, 2000}, {false, 65536, 2000}};
    (void)state;
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        assert_int_equal(balancing_load_ms(nodes[i].is_sending, nodes[i].ranges_count), nodes[i].ms);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_sends_tells_it_more_often_unless_its_record_is_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
