#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "bench/happenings.h"

/* Real commands of a real shell, on a loop that runs until they are over. */

#define DEADLINE_NS 20000000000LL

static struct options options;
static struct loop loop;
static struct happenings happenings;
static struct moved *moved;
static bool is_balanced;

static int open_all(void **state) {
    (void)state;
    options = (struct options){.mode = MODE_REBALANCE, .seed = 7, .every_s = 1};
    loop_init(&loop);
    moved = moved_new();
    is_balanced = false;
    return 0;
}

static int close_all(void **state) {
    (void)state;
    happenings_close(&happenings);
    loop_close(&loop);
    moved_free(moved);
    return 0;
}

static bool is_balanced_since(void *context, int64_t since_ns) {
    (void)context;
    return is_balanced && loop_now_ns() >= since_ns;
}

static void plan(const char *command, double at_s, bool is_when_balanced) {
    options.planned[options.planned_count++] =
        (struct planned_command){.command = command, .at_s = at_s, .is_when_balanced = is_when_balanced};
}

static void start(void) {
    int64_t now_ns = loop_now_ns();
    happenings_start(&happenings, &options, &loop, moved, now_ns, now_ns + DEADLINE_NS, is_balanced_since, NULL);
}

static void run_until_ended(size_t count) {
    int64_t deadline_ns = loop_now_ns() + DEADLINE_NS;
    while ((moved->happenings_count < count || !moved->happenings[count - 1].has_ended) && loop_now_ns() < deadline_ns)
        loop_turn(&loop, deadline_ns);
    assert_true(moved->happenings_count >= count && moved->happenings[count - 1].has_ended);
}

static bool has_output(size_t index, const char *text) {
    return bytes_equal_text(buffer_bytes(&moved->happenings[index].output), text);
}

static void output_and_exit_status_are_kept(void **state) {
    (void)state;
    plan("echo one; echo two >&2; exit 3", 0, false);
    plan("kill -9 $$", 0, false);
    start();
    assert_false(happenings_are_over(&happenings));
    run_until_ended(1);
    run_until_ended(2);
    assert_true(has_output(0, "one\ntwo\n"));
    assert_int_equal(moved->happenings[0].exit_status, 3);
    assert_int_equal(moved->happenings[1].exit_status, 128 + 9);
    assert_true(happenings_are_over(&happenings));
    assert_false(moved_is_clean(moved));
}

static void what_stays_in_the_background_is_not_waited_for(void **state) {
    (void)state;
    plan("sleep 60 & echo $!", 0, false);
    start();
    run_until_ended(1);
    int pid = 0;
    assert_int_equal(sscanf((const char *)moved->happenings[0].output.data, "%d", &pid), 1);
    assert_int_equal(moved->happenings[0].exit_status, 0);
    char end[64];
    snprintf(end, sizeof end, "kill %d", pid);
    plan(end, 0, false);
    run_until_ended(2);
    assert_int_equal(moved->happenings[1].exit_status, 0);
}

static void a_long_output_is_cut_and_does_not_block(void **state) {
    (void)state;
    plan("head -c 1000000 /dev/zero | tr '\\0' x", 0, false);
    start();
    run_until_ended(1);
    assert_int_equal(moved->happenings[0].output.size, SHELL_OUTPUT_BYTES_MAX);
    assert_int_equal(moved->happenings[0].exit_status, 0);
}

static void balanced_waits_for_the_one_before_and_for_balance(void **state) {
    (void)state;
    plan("true", 0, false);
    plan("echo second", 0, true);
    start();
    run_until_ended(1);
    int64_t until_ns = loop_now_ns() + 200000000;
    while (loop_now_ns() < until_ns)
        loop_turn(&loop, until_ns);
    assert_int_equal(moved->happenings_count, 1);
    assert_false(happenings_are_over(&happenings));
    is_balanced = true;
    run_until_ended(2);
    assert_true(has_output(1, "second\n"));
}

static void what_still_runs_at_the_end_is_ended(void **state) {
    (void)state;
    plan("sleep 60", 0, false);
    start();
    while (happenings.running == 0)
        loop_turn(&loop, loop_now_ns() + 100000000);
    happenings_close(&happenings);
    assert_int_equal(moved->happenings[0].exit_status, 128 + 9);
    assert_true(moved->happenings[0].has_ended);
}

/* The first choices of a seed, as digits. */
static void choices_of(uint64_t seed, char choices[4]) {
    close_all(NULL);
    open_all(NULL);
    options.mode = MODE_CHURN;
    options.seed = seed;
    plan("echo 0", 0, false);
    plan("echo 1", 0, false);
    plan("echo 2", 0, false);
    start();
    run_until_ended(3);
    for (size_t i = 0; i < 3; i++)
        choices[i] = (char)moved->happenings[i].output.data[0];
    choices[3] = 0;
}

static void the_same_seed_makes_the_same_choices(void **state) {
    (void)state;
    char first[4], again[4];
    choices_of(11, first);
    choices_of(11, again);
    assert_string_equal(first, again);
    for (uint64_t seed = 12; strcmp(first, again) == 0; seed++) {
        assert_true(seed < 16);
        choices_of(seed, again);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(output_and_exit_status_are_kept),         TEST(what_stays_in_the_background_is_not_waited_for),
        TEST(a_long_output_is_cut_and_does_not_block), TEST(balanced_waits_for_the_one_before_and_for_balance),
        TEST(what_still_runs_at_the_end_is_ended),     TEST(the_same_seed_makes_the_same_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
