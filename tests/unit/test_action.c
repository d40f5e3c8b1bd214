/* The list of actions of one step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/action.h"

static void actions_keep_their_order_however_many_there_are(void **state) {
    struct action_list list = {0};
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct action *action = action_add(&list, i % 2 == 0 ? ACTION_ANSWER : ACTION_FAN_OUT);
        assert_null(action->reply_to);
        assert_null(action->change);
        assert_int_equal(action->result.rc, 0);
        action->worker = i;
    }
    assert_int_equal(list.count, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(list.items[i].worker, i);
        assert_int_equal(list.items[i].kind, i % 2 == 0 ? ACTION_ANSWER : ACTION_FAN_OUT);
    }
    action_list_close(&list);
}

static void a_list_that_is_used_again_gives_empty_actions(void **state) {
    struct action_list list = {0};
    (void)state;
    action_add(&list, ACTION_ANSWER)->copies = 7;
    list.count = 0;
    assert_int_equal(action_add(&list, ACTION_ANSWER)->copies, 0);
    action_list_close(&list);
    assert_int_equal(list.count, 0);
    assert_null(list.items);
    action_list_close(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_keep_their_order_however_many_there_are),
        cmocka_unit_test(a_list_that_is_used_again_gives_empty_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
