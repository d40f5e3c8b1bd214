/* The core of a node that leads ranges with one backup: the disk does what it is asked at once, the backup answers
 * when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/node_core.h"
#include "proto/check.h"
#include "proto/status.h"

#define RANGES 2
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
static struct range_record wanted[RANGES]; /* epoch 0: none */
static struct acknowledgement acknowledgements[RANGES];
static bool is_backup_silent;
static bool is_silent_after_follow_up;
static int disk_rc;
static struct outcome_follow_up *follow_ups; /* what the next command that is applied leads to */
static size_t answers;
static int answered_rc;
static size_t told; /* follow-ups that were proposed */

static void append_take(const struct packet *packet) {
    if (packet->kind == PACKET_APPEND)
        acknowledgements[packet->range] =
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
        wanted[action->record.range] = action->record;
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

static void acknowledge(uint32_t range) {
    struct packet packet = {.kind = PACKET_APPENDED,
                            .version = 3, /* the newest there is */
                            .range = range,
                            .epoch = acknowledgements[range].epoch,
                            .durable = acknowledgements[range].durable,
                            .promise = acknowledgements[range].durable,
                            .lease = acknowledgements[range].lease};
    acknowledgements[range] = (struct acknowledgement){0};
    step((struct event){.kind = EVENT_PACKET, .from = BACKUP, .packet = &packet});
}

static uint32_t owed_find(void) {
    uint32_t range = 0;
    while (range < RANGES && acknowledgements[range].epoch == 0)
        range++;
    return is_backup_silent ? RANGES : range;
}

static void settle(void) {
    while (written != NULL || owed_find() < RANGES) {
        if (written != NULL)
            batch_done();
        else
            acknowledge(owed_find());
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
    struct node_core_options options = {
        .range_count = RANGES, .start = 1, .self = SELF, .replication_factor = 2, .queue_max = 100};
    struct start_range ranges[RANGES] = {{.base_index = 0}};
    uint64_t nodes[] = {SELF, BACKUP};
    mono_ms = 1000;
    memset(wanted, 0, sizeof(wanted));
    memset(acknowledgements, 0, sizeof(acknowledgements));
    is_backup_silent = false;
    is_silent_after_follow_up = false;
    disk_rc = STATUS_OK;
    follow_ups = NULL;
    answers = 0;
    told = 0;
    options.min_in_sync = *state == NULL ? 2 : 1;
    core = node_core_new(&options);
    step((struct event){.kind = EVENT_START, .ranges = ranges});
    step((struct event){.kind = EVENT_NODES, .nodes = nodes, .nodes_count = 2});
    for (uint32_t i = 0; i < RANGES; i++) {
        struct range_record record = {
            .range = i, .epoch = 1, .primary = SELF, .in_sync = {SELF, BACKUP}, .in_sync_count = 2};
        step((struct event){.kind = EVENT_RECORD, .record = &record, .version = 1});
    }
    pass(REPLICATION_TAKEOVER_MS + CORE_TICK_MS);
    for (uint32_t i = 0; i < RANGES; i++) {
        struct range_record record = wanted[i];
        assert_int_equal(record.epoch, 2); /* it has just started, so it takes an epoch of its own */
        step((struct event){.kind = EVENT_SWAPPED, .range = i, .record = &record, .version = 2});
    }
    settle();
    pass(CORE_TICK_MS);
    for (uint32_t i = 0; i < RANGES; i++)
        assert_true(node_core_lead(core, i).lease_until_ms > mono_ms);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    node_core_free(core);
    action_list_close(&actions);
    return 0;
}

static void propose_in(uint32_t range) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->command.kind = COMMAND_USER_CREATE;
    memset(&entry->command.subject, range == 0 ? 0 : 0xff, sizeof(entry->command.subject));
    step((struct event){.kind = EVENT_PROPOSE, .entry = entry});
}

static void propose(void) {
    propose_in(0);
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
    assert_int_equal(wanted[0].epoch, 3);
    assert_int_equal(answers, 2);
    assert_int_equal(answered_rc, STATUS_OK);
}

/* The disk of a node with two ranges refuses to apply an entry of one of them, so for a while nothing is applied; then
 * the other range loses its backup. */
static void who_commits_alone_applies_nothing_before_what_waits_to_be_applied(void **state) {
    struct range_record alone = {
        .epoch = 2, .primary = SELF, .in_sync = {SELF}, .in_sync_count = 1, .learners = {BACKUP}, .learners_count = 1};
    (void)state;
    propose_in(1);
    batch_done(); /* appended */
    acknowledge(1);
    disk_rc = STATUS_STORAGE_FAILED;
    batch_done();
    disk_rc = STATUS_OK;
    propose_in(0);
    batch_done();
    acknowledge(0);
    assert_null(written);
    step((struct event){.kind = EVENT_RECORD, .record = &alone, .version = 3});
    propose_in(0);
    assert_non_null(written);
    for (size_t i = 0; i < written->count; i++)
        assert_false(written->items[i].is_apply);
    pass(REPLICATION_LEASE_MS);
    assert_true(answers >= 2);
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
    static bool is_small = true; /* a cluster that may do with one copy */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(who_commits_alone_applies_nothing_before_what_waits_to_be_applied,
                                                 set_up, tear_down, &is_small),
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
