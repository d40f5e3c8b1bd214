#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/events/dead_letters.h"
#include "proto/status.h"

#include <sys/stat.h>
#include <unistd.h>

#define NAME BYTES_LITERAL("orders")

struct place {
    char parent[64];
    char folder[96];
    struct dead_letters letters;
};

static int open_place(void **state) {
    struct place *place = calloc(1, sizeof(*place));
    snprintf(place->parent, sizeof(place->parent), "/tmp/weft-dead-letters.XXXXXX");
    assert_non_null(mkdtemp(place->parent));
    snprintf(place->folder, sizeof(place->folder), "%s/letters", place->parent);
    place->letters = (struct dead_letters){.folder = place->folder, .file_bytes_max = 2000};
    *state = place;
    return 0;
}

static int close_place(void **state) {
    struct place *place = *state;
    dead_letters_remove(&place->letters, NAME);
    rmdir(place->folder);
    int rc = rmdir(place->parent);
    free(place);
    return rc;
}

static void add(const struct place *place, int number) {
    json_t *envelope = json_pack("{s:i}", "id", number);
    struct dead_letter letter = {.envelope = envelope,
                                 .reason = "TimeToLiveExceeded",
                                 .outcome = "Busy",
                                 .attempts = 7,
                                 .happened_ms = 1767323049123,
                                 .last_attempt_ms = 1767323060456};
    assert_int_equal(dead_letters_add(&place->letters, NAME, &letter, 1), STATUS_OK);
    json_decref(envelope);
}

/* The ids of what is read, apart by spaces. */
static void assert_ids(const struct place *place, size_t count_max, const char *expected) {
    char ids[1024] = "";
    json_t *letters;
    assert_int_equal(dead_letters_read(&place->letters, NAME, count_max, &letters), STATUS_OK);
    for (size_t i = 0; i < json_array_size(letters); i++) {
        size_t used = strlen(ids);
        snprintf(ids + used, sizeof(ids) - used, "%s%lld", i == 0 ? "" : " ",
                 (long long)json_integer_value(json_object_get(json_array_get(letters, i), "id")));
    }
    json_decref(letters);
    assert_string_equal(ids, expected);
}

static void a_letter_has_the_members_of_the_contract(void **state) {
    json_t *letters;
    add(*state, 1);
    assert_int_equal(dead_letters_read(&((struct place *)*state)->letters, NAME, 10, &letters), STATUS_OK);
    char *text = json_dumps(letters, JSON_COMPACT);
    assert_string_equal(text, "[{\"id\":1,\"deadLetterReason\":\"TimeToLiveExceeded\",\"deliveryAttempts\":7,"
                              "\"lastDeliveryOutcome\":\"Busy\",\"publishTime\":\"2026-01-02T03:04:09.123Z\","
                              "\"lastDeliveryAttemptTime\":\"2026-01-02T03:04:20.456Z\"}]");
    free(text);
    json_decref(letters);
}

static void the_newest_are_read_in_order(void **state) {
    assert_ids(*state, 10, "");
    for (int i = 1; i <= 5; i++)
        add(*state, i);
    assert_ids(*state, 0, "");
    assert_ids(*state, 1, "5");
    assert_ids(*state, 3, "3 4 5");
    assert_ids(*state, 5, "1 2 3 4 5");
    assert_ids(*state, 100, "1 2 3 4 5");
}

static void the_oldest_go_when_there_are_many(void **state) {
    const struct place *place = *state;
    struct stat facts;
    char path[256];
    for (int i = 1; i <= 60; i++)
        add(place, i);
    assert_ids(place, 3, "58 59 60");
    snprintf(path, sizeof(path), "%s/orders.jsonl", place->folder);
    assert_int_equal(stat(path, &facts), 0);
    assert_true(facts.st_size <= 2000);
    assert_int_equal(facts.st_mode & 0777, 0600);
    json_t *letters;
    assert_int_equal(dead_letters_read(&place->letters, NAME, 100, &letters), STATUS_OK);
    assert_in_range(json_array_size(letters), 10, 30);
    json_decref(letters);
}

static void a_line_that_was_cut_is_left_out(void **state) {
    const struct place *place = *state;
    char path[256];
    add(place, 1);
    snprintf(path, sizeof(path), "%s/orders.jsonl", place->folder);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs("{\"id\":2,\"dead", file);
    fclose(file);
    add(place, 3);
    assert_ids(place, 10, "1 3");
}

static void what_cannot_be_written_is_said(void **state) {
    struct place *place = *state;
    json_t *envelope = json_object();
    struct dead_letter letter = {.envelope = envelope, .reason = "", .outcome = ""};
    struct dead_letters nowhere = {.folder = "/proc/no-such-folder", .file_bytes_max = 1};
    assert_int_equal(dead_letters_add(&nowhere, NAME, &letter, 1), STATUS_STORAGE_FAILED);
    (void)place;
    json_decref(envelope);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_letter_has_the_members_of_the_contract), TEST(the_newest_are_read_in_order),
        TEST(the_oldest_go_when_there_are_many),        TEST(a_line_that_was_cut_is_left_out),
        TEST(what_cannot_be_written_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
