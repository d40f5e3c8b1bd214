/* A command on its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/entry.h"

static void a_new_entry_is_empty_and_keeps_what_its_command_borrows(void **state) {
    (void)state;
    struct entry *entry = entry_new(ENTRY_OF_PURGE);
    assert_int_equal(entry->origin, ENTRY_OF_PURGE);
    assert_null(entry->next);
    assert_null(entry->follow_up);
    assert_null(entry->reply_to);
    assert_int_equal(entry->command.kind, 0);
    entry->command.content = arena_copy(&entry->arena, BYTES_LITERAL("content"));
    assert_true(bytes_equal_text(entry->command.content, "content"));
    entry_free(entry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_entry_is_empty_and_keeps_what_its_command_borrows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
