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
static size_t outbox_reads;
static size_t eventful;
static bool is_full; /* only the reserve of the store is left */
static bool is_backup_full;
static struct packet answer;                 /* the last APPENDED */
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
        if (action->packet->kind == PACKET_APPENDED)
            answer = *action->packet;
        break;
    case ACTION_READ_OUTBOX:
        outbox_reads += action->range == 0;
        break;
    case ACTION_EVENTS:
        eventful += action->subjects_count;
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
    batch->used_reserve = is_full;
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
                            .lease = acknowledgements[range].lease,
                            .is_full = is_backup_full};
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
    is_full = false;
    is_backup_full = false;
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

static void an_outbox_that_cannot_be_read_is_asked_for_again(void **state) {
    (void)state;
    outbox_reads = 0;
    step((struct event){.kind = EVENT_OUTBOX, .rc = STATUS_STORAGE_FAILED});
    pass(1000 - CORE_TICK_MS);
    assert_int_equal(outbox_reads, 0);
    pass(2 * CORE_TICK_MS);
    assert_int_equal(outbox_reads, 1);
    pass(5000);
    assert_int_equal(outbox_reads, 1);
    step((struct event){.kind = EVENT_OUTBOX, .rc = STATUS_STORAGE_FAILED});
    step((struct event){.kind = EVENT_OUTBOX}); /* the answer to another question */
    disk_rc = STATUS_STORAGE_FAILED;
    propose(); /* who leads no more has nothing to tell */
    pass(5000);
    assert_int_equal(outbox_reads, 1);
}

static void marks_found(void) {
    const struct start_outbox_row rows[] = {{.subject = {{0}}, .number = OUTBOX_EVENTS_NUMBER},
                                            {.subject = {{0, 1}}, .number = OUTBOX_EVENTS_NUMBER}};
    step((struct event){.kind = EVENT_OUTBOX, .outbox = rows, .outbox_count = 2});
}

static void threads_with_events_are_told_of_by_who_leads_them_and_nobody_else(void **state) {
    (void)state;
    eventful = 0;
    marks_found();
    settle();
    assert_int_equal(eventful, 2);
    assert_int_equal(node_core_statistics(core).follow_ups, 0);
    disk_rc = STATUS_STORAGE_FAILED;
    propose();
    marks_found(); /* asked for while it led */
    assert_int_equal(eventful, 2);
}

/* ---- a disk that refuses ---- */

/* Until the disk is asked again. */
#define PROBE_MS (1000 + CORE_TICK_MS)

static void swapped(uint32_t range, uint64_t version) {
    struct range_record record = wanted[range];
    wanted[range] = (struct range_record){0};
    step((struct event){.kind = EVENT_SWAPPED, .range = range, .record = &record, .version = version});
}

static void assert_given_to_the_backup(uint32_t range) {
    assert_int_equal(wanted[range].epoch, 3);
    assert_int_equal(wanted[range].primary, BACKUP);
    assert_true(wanted[range].is_handed_over); /* nothing is read here from now on */
    assert_int_equal(wanted[range].in_sync_count, 1);
    assert_int_equal(wanted[range].in_sync[0], BACKUP);
    assert_true(range_record_has_learner(&wanted[range], SELF));
    assert_int_equal(node_core_lead(core, range).lease_until_ms, 0);
}

static void who_cannot_append_gives_all_its_ranges_to_who_can(void **state) {
    (void)state;
    wanted[0] = wanted[1] = (struct range_record){0};
    disk_rc = STATUS_STORAGE_FAILED;
    propose();
    assert_int_equal(answered_rc, STATUS_STORAGE_FAILED);
    assert_given_to_the_backup(0);
    assert_int_equal(node_core_statistics(core).disk, NODE_CORE_DISK_REFUSES);
    pass(CORE_TICK_MS);
    assert_given_to_the_backup(1);
    swapped(0, 3);
    is_backup_silent = true; /* it takes some time to begin */
    pass(REPLICATION_TAKEOVER_MS + REPLICATION_TAKEOVER_STAGGER_MS * 2);
    assert_int_equal(wanted[0].epoch, 0);
}

static void who_cannot_apply_gives_its_ranges_to_who_can(void **state) {
    (void)state;
    propose_in(0);
    batch_done(); /* appended */
    acknowledge(0);
    disk_rc = STATUS_STORAGE_FAILED;
    batch_done();
    assert_int_equal(answers, 1);
    assert_int_equal(answered_rc, STATUS_NOT_PRIMARY); /* it is committed: the next primary has it */
    assert_given_to_the_backup(0);
}

static void who_has_no_heir_leads_on_refuses_by_name_and_asks_the_disk_again(void **state) {
    struct range_record alone = {
        .epoch = 2, .primary = SELF, .in_sync = {SELF}, .in_sync_count = 1, .learners = {BACKUP}, .learners_count = 1};
    (void)state;
    step((struct event){.kind = EVENT_RECORD, .record = &alone, .version = 3});
    wanted[0] = (struct range_record){0};
    is_backup_silent = true;
    disk_rc = STATUS_STORAGE_FAILED;
    propose();
    assert_int_equal(answered_rc, STATUS_STORAGE_FAILED);
    assert_int_equal(wanted[0].epoch, 3); /* the backup may have what was refused */
    assert_int_equal(wanted[0].primary, SELF);
    swapped(0, 4);
    for (int i = 0; i < 5; i++) { /* and no further epoch for each that is refused */
        pass(PROBE_MS);
        propose();
        assert_int_equal(answered_rc, STATUS_STORAGE_FAILED);
        assert_int_equal(wanted[0].epoch, 0);
    }
    assert_int_equal(answers, 6);
    disk_rc = STATUS_OK;
    propose();
    assert_int_equal(answered_rc, STATUS_STORAGE_FAILED); /* nobody has asked the disk yet */
    pass(PROBE_MS);
    assert_int_equal(node_core_statistics(core).disk, NODE_CORE_DISK_WORKS);
    propose();
    assert_int_equal(answers, 8);
    assert_int_equal(answered_rc, STATUS_OK);
}

/* ---- a store that is full ---- */

static void propose_kind(enum command_kind kind) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->command.kind = kind;
    step((struct event){.kind = EVENT_PROPOSE, .entry = entry});
    settle();
}

static void in_a_full_store_what_is_in_the_log_finds_room_and_nothing_is_proposed_but_what_removes(void **state) {
    (void)state;
    wanted[0] = (struct range_record){0};
    is_full = true;
    propose();
    assert_int_equal(answered_rc, STATUS_OK); /* it was in the log when the store turned out to be full */
    for (int i = 0; i < 5; i++) {
        propose();
        assert_int_equal(answered_rc, STATUS_STORAGE_FULL);
        propose_kind(COMMAND_USER_DELETE);
        assert_int_equal(answered_rc, STATUS_OK);
        pass(PROBE_MS);
    }
    assert_int_equal(wanted[0].epoch, 0); /* and it leads all the time */
    is_full = false;
    pass(PROBE_MS);
    propose();
    assert_int_equal(answered_rc, STATUS_OK);
}

static void what_a_backup_has_no_room_for_is_not_proposed(void **state) {
    (void)state;
    is_backup_full = true;
    pass(REPLICATION_HEARTBEAT_MS * 2);
    propose();
    assert_int_equal(answered_rc, STATUS_STORAGE_FULL);
    propose_kind(COMMAND_USER_DELETE);
    assert_int_equal(answered_rc, STATUS_OK);
    is_backup_full = false;
    pass(REPLICATION_HEARTBEAT_MS * 2);
    propose();
    assert_int_equal(answered_rc, STATUS_OK);
}

static void a_full_backup_uses_its_reserve_and_says_so(void **state) {
    struct range_record record = {.epoch = 5, .primary = BACKUP, .in_sync = {SELF, BACKUP}, .in_sync_count = 2};
    struct command command = {.kind = COMMAND_USER_CREATE};
    struct packet_entry entry = {.epoch = 5};
    struct packet packet = {.kind = PACKET_APPEND, .epoch = 5, .entries = &entry, .entries_count = 1};
    struct buffer encoded;
    (void)state;
    buffer_init(&encoded);
    command_encode(&command, &encoded);
    entry.command = buffer_bytes(&encoded);
    step((struct event){.kind = EVENT_RECORD, .record = &record, .version = 3});
    is_full = true;
    step((struct event){.kind = EVENT_PACKET, .from = BACKUP, .packet = &packet});
    assert_true(written->may_use_reserve);
    batch_done();
    assert_int_equal(answer.durable, 1);
    packet.entries_count = 0;
    step((struct event){.kind = EVENT_PACKET, .from = BACKUP, .packet = &packet}); /* a heartbeat */
    assert_true(answer.is_full);
    assert_false(answer.is_leaving);
    record.in_sync_count = 1;
    record.in_sync[0] = BACKUP;
    record.learners[record.learners_count++] = SELF;
    step((struct event){.kind = EVENT_RECORD, .record = &record, .version = 4});
    packet.entries_count = 1;
    packet.previous_index = 1;
    packet.previous_epoch = 5;
    step((struct event){.kind = EVENT_PACKET, .from = BACKUP, .packet = &packet});
    assert_null(written); /* nobody waits for who only learns, and others need the room */
    buffer_close(&encoded);
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
        cmocka_unit_test_prestate_setup_teardown(who_has_no_heir_leads_on_refuses_by_name_and_asks_the_disk_again,
                                                 set_up, tear_down, &is_small),
        cmocka_unit_test_setup_teardown(an_outbox_that_cannot_be_read_is_asked_for_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_with_events_are_told_of_by_who_leads_them_and_nobody_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_cannot_append_gives_all_its_ranges_to_who_can, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_cannot_apply_gives_its_ranges_to_who_can, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            in_a_full_store_what_is_in_the_log_finds_room_and_nothing_is_proposed_but_what_removes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_backup_has_no_room_for_is_not_proposed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_backup_uses_its_reserve_and_says_so, set_up, tear_down),
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
