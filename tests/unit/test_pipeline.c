/* The core of a node that leads a range with one backup: the disk does what it is asked at once, the backup answers
 * when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/node_core.h"
#include "proto/check.h"
#include "proto/status.h"

#define SELF 1
#define BACKUP 2
#define LAPSE_MS (REPLICATION_LEASE_MS + REPLICATION_LET_GO_MS)

/* As ACTION_SEND: what is sent lasts as long as the step only. */
struct acknowledgement {
    uint64_t epoch, durable, lease;
};

static struct node_core *core;
static struct action_list actions;
static int64_t mono_ms;
static struct batch *written;
static struct range_record wanted; /* epoch 0: none */
static struct acknowledgement acknowledgement;
static bool is_backup_silent;
static bool is_silent_after_follow_up;
static int disk_rc;
static struct outcome_follow_up *follow_ups; /* what the next command that is applied leads to */
static size_t answers;
static int answered_rc;
static size_t told; /* follow-ups that were proposed */

static void append_take(const struct packet *packet) {
    if (packet->kind == PACKET_APPEND)
        acknowledgement =
            (struct acknowledgement){packet->epoch, packet->previous_index + packet->entries_count, packet->lease};
}

static void action_perform(const struct action *action) {
    switch (action->kind) {
    case ACTION_WRITE:
        written = action->batch;
        break;
    case ACTION_ANSWER:
        answers++;
        answered_rc = action->result.rc;
        break;
    case ACTION_SEND:
        append_take(action->packet);
        break;
    case ACTION_SWAP:
        wanted = action->record;
        break;
    default:
        break;
    }
}

static void step(struct event event) {
    event.now_ms = mono_ms;
    event.mono_ms = mono_ms;
    node_core_step(core, &event, &actions);
    for (size_t i = 0; i < actions.count; i++)
        action_perform(&actions.items[i]);
    actions.count = 0;
    node_core_done(core);
}

static void batch_done(void) {
    struct batch *batch = written;
    written = NULL;
    batch->rc = disk_rc;
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = batch->items[i].entry;
        if (batch->items[i].is_append && entry->origin == ENTRY_OF_FOLLOW_UP) {
            told++;
            is_backup_silent = is_silent_after_follow_up;
        }
        if (batch->items[i].is_apply && entry->origin == ENTRY_OF_CLIENT)
            entry->outcome.follow_ups = follow_ups;
    }
    step((struct event){.kind = EVENT_BATCH_DONE, .batch = batch});
}

static void acknowledge(void) {
    struct packet packet = {.kind = PACKET_APPENDED,
                            .epoch = acknowledgement.epoch,
                            .durable = acknowledgement.durable,
                            .promise = acknowledgement.durable,
                            .lease = acknowledgement.lease};
    acknowledgement = (struct acknowledgement){0};
    step((struct event){.kind = EVENT_PACKET, .from = BACKUP, .packet = &packet});
}

static void settle(void) {
    while (written != NULL || (acknowledgement.epoch != 0 && !is_backup_silent)) {
        if (written != NULL)
            batch_done();
        else
            acknowledge();
    }
}

static void pass(int64_t ms) {
    for (int64_t end_ms = mono_ms + ms; mono_ms < end_ms;) {
        mono_ms += CORE_TICK_MS;
        step((struct event){.kind = EVENT_TICK});
        settle();
    }
}

static int set_up(void **state) {
    (void)state;
    struct node_core_options options = {
        .range_count = 1, .start = 1, .self = SELF, .replication_factor = 2, .min_in_sync = 2, .queue_max = 100};
    struct start_range range = {.base_index = 0};
    struct range_record record = {.epoch = 1, .primary = SELF, .in_sync = {SELF, BACKUP}, .in_sync_count = 2};
    uint64_t nodes[] = {SELF, BACKUP};
    mono_ms = 1000;
    wanted = (struct range_record){0};
    acknowledgement = (struct acknowledgement){0};
    is_backup_silent = false;
    is_silent_after_follow_up = false;
    disk_rc = STATUS_OK;
    follow_ups = NULL;
    answers = 0;
    told = 0;
    core = node_core_new(&options);
    step((struct event){.kind = EVENT_START, .ranges = &range});
    step((struct event){.kind = EVENT_NODES, .nodes = nodes, .nodes_count = 2});
    step((struct event){.kind = EVENT_RECORD, .record = &record, .version = 1});
    pass(REPLICATION_TAKEOVER_MS + CORE_TICK_MS);
    assert_int_equal(wanted.epoch, 2); /* it has just started, so it takes an epoch of its own */
    record = wanted;
    step((struct event){.kind = EVENT_SWAPPED, .record = &record, .version = 2});
    settle();
    pass(CORE_TICK_MS);
    assert_true(node_core_lead(core, 0).lease_until_ms > mono_ms);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    node_core_free(core);
    action_list_close(&actions);
    return 0;
}

static void propose(void) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->command.kind = COMMAND_USER_CREATE;
    step((struct event){.kind = EVENT_PROPOSE, .entry = entry});
    settle();
}

static void an_author_is_answered_when_the_backup_has_it_too(void **state) {
    (void)state;
    propose();
    assert_int_equal(answers, 1);
    assert_int_equal(answered_rc, STATUS_OK);
}

static void an_author_does_not_wait_for_a_backup_longer_than_the_lease_and_some(void **state) {
    (void)state;
    is_backup_silent = true;
    propose();
    pass(REPLICATION_LEASE_MS);
    assert_int_equal(answers, 0);
    pass(LAPSE_MS - REPLICATION_LEASE_MS + CORE_TICK_MS);
    assert_int_equal(answers, 1);
    assert_int_equal(answered_rc, STATUS_NOT_PRIMARY);
    pass(LAPSE_MS);
    assert_int_equal(answers, 1);
}

static void what_its_author_does_not_wait_for_is_done_all_the_same(void **state) {
    struct outbox_user user = {.hash = {{1}}};
    struct outcome_follow_up follow_up = {.number = 1, .row = {.users = &user, .users_count = 1}};
    (void)state;
    follow_ups = &follow_up;
    is_backup_silent = true;
    propose();
    pass(LAPSE_MS + CORE_TICK_MS);
    assert_int_equal(told, 0);
    is_backup_silent = false;
    pass(LAPSE_MS);
    assert_int_equal(told, 1);
    assert_int_equal(answers, 1);
}

static void an_author_whose_change_is_done_does_not_wait_for_who_cannot_be_told(void **state) {
    struct outbox_user user = {.hash = {{1}}};
    struct outcome_follow_up follow_up = {.number = 1, .row = {.users = &user, .users_count = 1}};
    (void)state;
    follow_ups = &follow_up;
    is_silent_after_follow_up = true;
    propose();
    assert_int_equal(told, 1);
    assert_int_equal(answers, 0);
    pass(LAPSE_MS + CORE_TICK_MS);
    assert_int_equal(answers, 1);
    assert_int_equal(answered_rc, STATUS_OK);
    is_backup_silent = false;
    pass(LAPSE_MS);
    assert_int_equal(answers, 1);
}

static void an_author_does_not_wait_for_follow_ups_of_a_primary_whose_disk_refused(void **state) {
    struct outbox_user user = {.hash = {{1}}};
    struct outcome_follow_up follow_up = {.number = 1, .row = {.users = &user, .users_count = 1}};
    (void)state;
    follow_ups = &follow_up;
    is_silent_after_follow_up = true;
    propose();
    assert_int_equal(told, 1);
    assert_int_equal(answers, 0);
    disk_rc = STATUS_STORAGE_FAILED;
    propose();
    assert_int_equal(wanted.epoch, 3);
    assert_int_equal(answers, 2);
    assert_int_equal(answered_rc, STATUS_OK);
}

/* From a node of a newer version, say. It would be found again at every start. */
static void what_cannot_be_read_does_not_come_into_the_log(void **state) {
    struct range_record record = {.epoch = 5, .primary = BACKUP, .in_sync = {SELF, BACKUP}, .in_sync_count = 2};
    struct command command = {.kind = COMMAND_USER_CREATE};
    struct packet_entry entries[] = {{.epoch = 5, .command = BYTES_LITERAL("newer")}, {.epoch = 5}};
    struct packet packet = {.kind = PACKET_APPEND, .epoch = 5, .entries = entries, .entries_count = 1};
    struct event event = {.kind = EVENT_PACKET, .from = BACKUP, .packet = &packet};
    struct buffer encoded;
    (void)state;
    step((struct event){.kind = EVENT_RECORD, .record = &record, .version = 3});
    step(event);
    assert_null(written);
    packet.entries = &entries[1]; /* no command at all */
    step(event);
    assert_null(written);
    buffer_init(&encoded);
    command_encode(&command, &encoded);
    entries[0].command = buffer_bytes(&encoded);
    packet.entries = entries;
    step(event);
    assert_non_null(written);
    assert_int_equal(written->count, 1);
    settle();
    buffer_close(&encoded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_cannot_be_read_does_not_come_into_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_author_is_answered_when_the_backup_has_it_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_author_does_not_wait_for_a_backup_longer_than_the_lease_and_some, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_its_author_does_not_wait_for_is_done_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_author_whose_change_is_done_does_not_wait_for_who_cannot_be_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_author_does_not_wait_for_follow_ups_of_a_primary_whose_disk_refused, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
