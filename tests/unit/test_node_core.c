/* The core over a real store, with a disk that does what it is told when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/follow_up.h"
#include "node/core/node_core.h"
#include "node/core/outbox_read.h"
#include "proto/limits.h"
#include "storage/keys.h"
#include "storage/thread_store.h"
#include "storage/user_store.h"
#include "tests/lib/store_fixture.h"

#define RANGES 4
#define QUEUE_MAX 5000
#define RETRY_MS 1000

struct answer {
    uintptr_t who;
    struct command_result result;
    unsigned worker;
};

struct told {
    enum change_kind kind;
    struct id_hash subject;
    uint64_t offset;
    size_t typing_count;
    size_t receipts_count;
};

static struct fixture fixture;
static struct node_core *core;
static struct action_list actions;
static struct batch *lent;
static size_t batches;
static uint64_t next_number;
static struct answer *answers;
static size_t answers_count;
static struct told *tellings;
static size_t tellings_count;
static struct id_hash eventful; /* the last one */
static size_t eventful_count;

/* ---- the world around the core ---- */

static void *grown(void *items, size_t count, size_t size) {
    void *more = (count & (count - 1)) == 0 ? realloc(items, (count == 0 ? 1 : count * 2) * size) : items;
    check(more != NULL);
    return more;
}

static void action_perform(const struct action *action) {
    switch (action->kind) {
    case ACTION_WRITE:
        check(lent == NULL);
        lent = action->batch;
        batches++;
        break;
    case ACTION_ANSWER:
        answers = grown(answers, answers_count, sizeof(*answers));
        answers[answers_count++] = (struct answer){(uintptr_t)action->reply_to, action->result, action->worker};
        break;
    case ACTION_FAN_OUT:
        tellings = grown(tellings, tellings_count, sizeof(*tellings));
        tellings[tellings_count++] =
            (struct told){action->change->kind, action->change->subject, action->change->offset,
                          action->change->typing_count, action->change->receipts_count};
        break;
    case ACTION_SERVE:
    case ACTION_REPLY:
    case ACTION_SEND:
    case ACTION_SWAP:
    case ACTION_READ_OUTBOX:
    case ACTION_READ_CHUNK:
    case ACTION_REPEAT:
    case ACTION_LOOK_AGAIN:
    case ACTION_LISTENING:
        check(false); /* the node is alone */
        break;
    case ACTION_EVENTS:
        check(action->subjects_count == 1);
        eventful = action->subjects[0];
        eventful_count++;
        break;
    }
}

static void step(struct event event) {
    event.now_ms = fixture.now_ms;
    node_core_step(core, &event, &actions);
    for (size_t i = 0; i < actions.count; i++)
        action_perform(&actions.items[i]);
    actions.count = 0;
    node_core_done(core);
}

static void tick(int64_t after_ms) {
    fixture.now_ms += after_ms;
    step((struct event){.kind = EVENT_TICK});
}

/* As the disk worker: append, apply, marks, all in one transaction. */
static void batch_store(struct batch *batch) {
    struct store_transaction *transaction = NULL;
    struct apply_context context = {.arena = &batch->arena, .master = &fixture.master, .hash_key = fixture.hash_key};
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    context.transaction = transaction;
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = batch->items[i].entry;
        struct range_marks_of marks = {
            .range = entry->place.range, .epoch = entry->place.epoch, .applied = entry->place.index};
        struct buffer encoded;
        size_t bytes;
        buffer_init(&encoded);
        command_encode(&entry->command, &encoded);
        check(batch->items[i].is_append && batch->items[i].is_apply);
        check(range_log_append(transaction, &fixture.master, next_number++, &entry->place, &entry->command.subject,
                               entry->command.wrapped_key, buffer_bytes(&encoded), &bytes) == STATUS_OK);
        buffer_close(&encoded);
        check(command_apply(&context, &entry->command, &entry->outcome) == STATUS_OK);
        check(range_log_append_marks(transaction, &fixture.master, &next_number, &marks, 1, &bytes) == STATUS_OK);
    }
    check(store_commit(transaction) == STATUS_OK);
}

static void batch_done(int rc) {
    struct batch *batch = lent;
    assert_non_null(batch);
    lent = NULL;
    batch->rc = rc;
    if (rc == STATUS_OK)
        batch_store(batch);
    step((struct event){.kind = EVENT_BATCH_DONE, .batch = batch});
}

static void settle(void) {
    while (lent != NULL)
        batch_done(STATUS_OK);
}

static void outbox_load(struct event *event) {
    const struct bounds all = bounds_of_all();
    struct store_transaction *transaction = fixture_read(&fixture);
    check(outbox_read(transaction, &fixture.master, &all, &fixture.arena, event) == STATUS_OK);
    store_abort(transaction);
}

static size_t outbox_count(void) {
    struct event event = {0};
    outbox_load(&event);
    return event.outbox_count;
}

static void core_start(void) {
    struct node_core_options options = {
        .range_count = RANGES, .self = 1, .is_alone = true, .min_in_sync = 1, .queue_max = QUEUE_MAX};
    struct range_marks marks[RANGES];
    struct start_range ranges[RANGES] = {{.marks = {0}}};
    struct event event = {.kind = EVENT_START, .ranges = ranges};
    struct store_transaction *transaction = fixture_read(&fixture);
    check(range_marks_load(transaction, &fixture.master, marks, RANGES) == STATUS_OK);
    check(range_log_next_number(transaction, &next_number) == STATUS_OK);
    store_abort(transaction);
    outbox_load(&event);
    core = node_core_new(&options);
    for (size_t i = 0; i < RANGES; i++)
        ranges[i] =
            (struct start_range){.marks = marks[i], .base_index = marks[i].applied, .base_epoch = marks[i].epoch};
    step(event);
}

static void forget_told(void) {
    answers_count = 0;
    eventful_count = 0;
    tellings_count = 0;
}

/* The process is killed: what was on its way to the disk is lost. */
static void crash_and_restart(void) {
    node_core_free(core);
    lent = NULL;
    forget_told();
    core_start();
}

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    batches = 0;
    forget_told();
    core_start();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    node_core_free(core);
    lent = NULL;
    free(answers);
    free(tellings);
    answers = NULL;
    tellings = NULL;
    action_list_close(&actions);
    fixture_close(&fixture);
    return 0;
}

/* ---- what clients ask for ---- */

static struct bytes text(const char *format, unsigned number) {
    char line[64];
    snprintf(line, sizeof(line), format, number);
    return arena_copy(&fixture.arena, bytes_of_text(line));
}

static struct bytes user_id(unsigned number) {
    return text("8:acs:r_%u", number);
}

static struct bytes thread_id(unsigned number) {
    return text("19:thread%u@thread.v2", number);
}

static struct entry *entry_of(uintptr_t who, enum command_kind kind, struct bytes subject) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->reply_to = (void *)who;
    entry->worker = (unsigned)who % 7;
    entry->command.kind = kind;
    entry->command.subject = fixture_hash(&fixture, subject);
    return entry;
}

static void propose(struct entry *entry) {
    step((struct event){.kind = EVENT_PROPOSE, .entry = entry});
}

static void user_create(uintptr_t who, unsigned user) {
    struct entry *entry = entry_of(who, COMMAND_USER_CREATE, user_id(user));
    entry->command.user_id = user_id(user);
    entry->command.wrapped_key = fixture_key(&fixture, &entry->command.subject);
    propose(entry);
}

/* By user 0, with the users 0 … count - 1. */
static struct entry *thread_create_entry(uintptr_t who, unsigned thread, unsigned count) {
    struct entry *entry = entry_of(who, COMMAND_THREAD_CREATE, thread_id(thread));
    entry->command.actor_id = user_id(0);
    entry->command.properties.id = thread_id(thread);
    entry->command.properties.topic = BYTES_LITERAL("topic");
    entry->command.wrapped_key = fixture_key(&fixture, &entry->command.subject);
    entry->command.participants.items = ARENA_NEW_ARRAY(&entry->arena, struct participant, count);
    entry->command.participants.count = count;
    for (unsigned i = 0; i < count; i++)
        entry->command.participants.items[i].user_id = user_id(i);
    return entry;
}

static struct entry *act_entry(uintptr_t who, enum command_kind kind, unsigned thread, unsigned user) {
    struct entry *entry = entry_of(who, kind, thread_id(thread));
    entry->command.actor_id = user_id(user);
    entry->command.message_type = MESSAGE_TEXT;
    entry->command.content = BYTES_LITERAL("hello");
    return entry;
}

static void message_send(uintptr_t who, unsigned thread, unsigned user) {
    propose(act_entry(who, COMMAND_MESSAGE_SEND, thread, user));
}

/* Users 0 … users - 1 and threads 0 … threads - 1 with all of them. */
static void people_make(unsigned users, unsigned threads) {
    for (unsigned i = 0; i < users; i++)
        user_create(0, i);
    for (unsigned i = 0; i < threads; i++)
        propose(thread_create_entry(0, i, users));
    settle();
    assert_int_equal(outbox_count(), 0);
    forget_told();
}

/* ---- what is asked of the answers ---- */

static const struct answer *answer_find(uintptr_t who) {
    const struct answer *found = NULL;
    for (size_t i = 0; i < answers_count; i++)
        if (answers[i].who == who) {
            assert_null(found); /* nobody is answered twice */
            found = &answers[i];
        }
    return found;
}

static void expect_answer(uintptr_t who, int rc) {
    const struct answer *found = answer_find(who);
    assert_non_null(found);
    assert_int_equal(found->result.rc, rc);
    assert_int_equal(found->worker, who % 7);
}

static size_t told_count(enum change_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < tellings_count; i++)
        count += tellings[i].kind == kind;
    return count;
}

static size_t users_with_thread(unsigned users, unsigned thread, enum membership membership) {
    struct store_transaction *transaction = fixture_read(&fixture);
    struct id_hash thread_hash = fixture_hash(&fixture, thread_id(thread));
    size_t count = 0;
    for (unsigned i = 0; i < users; i++) {
        struct user_store store;
        struct membership_row row = {0};
        struct id_hash user = fixture_hash(&fixture, user_id(i));
        if (user_store_open(&store, transaction, &fixture.arena, &fixture.master, &user) == STATUS_OK &&
            user_membership_get(&store, &thread_hash, &row) == STATUS_OK)
            count += row.membership == membership;
    }
    store_abort(transaction);
    return count;
}

static size_t lent_count(enum command_kind kind) {
    size_t count = 0;
    for (size_t i = 0; lent != NULL && i < lent->count; i++)
        count += lent->items[i].entry->command.kind == kind;
    return count;
}

/* ---- order, batches, answers ---- */

static void the_first_proposal_is_written_at_once_and_the_next_batch_gathers_meanwhile(void **state) {
    (void)state;
    user_create(1, 1);
    assert_int_equal(batches, 1);
    assert_int_equal(lent->count, 1);
    for (unsigned i = 2; i <= 50; i++)
        user_create(i, i);
    assert_int_equal(batches, 1);
    assert_int_equal(answers_count, 0);
    assert_int_equal(node_core_statistics(core).waiting, 49);
    batch_done(STATUS_OK);
    assert_int_equal(answers_count, 1);
    assert_int_equal(batches, 2);
    assert_int_equal(lent->count, 49);
    batch_done(STATUS_OK);
    assert_null(lent);
    for (unsigned i = 1; i <= 50; i++) {
        expect_answer(i, STATUS_OK);
        assert_int_equal(answers[i - 1].who, i);
    }
    assert_int_equal(node_core_statistics(core).applied, 50);
    assert_int_equal(node_core_statistics(core).batches, 2);
}

static void a_batch_is_bounded(void **state) {
    (void)state;
    user_create(1, 0);
    for (unsigned i = 0; i < LIMIT_DISK_BATCH_MAX + 10; i++)
        message_send(0, 0, 0);
    batch_done(STATUS_OK);
    assert_int_equal(lent->count, LIMIT_DISK_BATCH_MAX);
    batch_done(STATUS_OK);
    assert_int_equal(lent->count, 10);
    settle();
}

/* Places are contiguous in each range and times never fall, though the clock does. */
static void entries_get_contiguous_places_and_rising_times_in_their_range(void **state) {
    uint64_t index[RANGES] = {0};
    int64_t time_ms[RANGES] = {0};
    (void)state;
    user_create(0, 0);
    for (unsigned i = 1; i <= 200; i++) {
        fixture.now_ms += i % 3 == 0 ? -500 : 100;
        user_create(i, i);
        if (i % 10 != 0)
            continue;
        for (size_t j = 0; j < lent->count; j++) {
            const struct entry *entry = lent->items[j].entry;
            uint32_t range = entry->place.range;
            assert_int_equal(entry->place.index, ++index[range]);
            assert_int_equal(entry->place.epoch, 1);
            assert_true(entry->command.time_ms >= time_ms[range]);
            time_ms[range] = entry->command.time_ms;
        }
        batch_done(STATUS_OK);
    }
    for (size_t i = 0; i < RANGES; i++)
        assert_true(index[i] > 10);
    settle();
}

static void places_go_on_after_a_restart(void **state) {
    (void)state;
    people_make(1, 1);
    message_send(1, 0, 0);
    uint64_t index = lent->items[0].entry->place.index;
    settle();
    crash_and_restart();
    message_send(2, 0, 0);
    assert_int_equal(lent->items[0].entry->place.index, index + 1);
    settle();
    expect_answer(2, STATUS_OK);
}

static void a_refusal_by_the_rules_is_the_authors_answer_and_nothing_more(void **state) {
    (void)state;
    people_make(2, 1);
    message_send(1, 9, 0);
    message_send(2, 0, 7);
    settle();
    expect_answer(1, STATUS_THREAD_NOT_FOUND);
    expect_answer(2, STATUS_FORBIDDEN);
    assert_int_equal(tellings_count, 0);
    assert_int_equal(node_core_statistics(core).follow_ups, 0);
}

static void what_is_too_much_is_refused_and_the_rest_goes_through(void **state) {
    (void)state;
    people_make(1, 1);
    for (unsigned i = 1; i <= QUEUE_MAX + 20; i++)
        message_send(i, 0, 0);
    assert_int_equal(answers_count, 20);
    for (unsigned i = QUEUE_MAX + 1; i <= QUEUE_MAX + 20; i++)
        expect_answer(i, STATUS_OVERLOADED);
    settle();
    assert_int_equal(answers_count, QUEUE_MAX + 20);
    message_send(QUEUE_MAX + 21, 0, 0);
    settle();
    expect_answer(QUEUE_MAX + 21, STATUS_OK);
    assert_int_equal(told_count(CHANGE_MESSAGE_RECEIVED), QUEUE_MAX + 1);
}

/* ---- a disk that refuses ---- */

static void a_full_disk_answers_by_name_tells_nobody_and_takes_the_places_back(void **state) {
    (void)state;
    people_make(2, 2);
    message_send(1, 0, 0);
    message_send(2, 1, 0);
    message_send(3, 0, 1);
    struct log_place first = lent->items[0].entry->place;
    batch_done(STATUS_STORAGE_FULL);
    expect_answer(1, STATUS_STORAGE_FULL);
    struct log_place places[2] = {lent->items[0].entry->place, lent->items[1].entry->place};
    batch_done(STATUS_STORAGE_FAILED);
    expect_answer(2, STATUS_STORAGE_FAILED);
    expect_answer(3, STATUS_STORAGE_FAILED);
    assert_int_equal(tellings_count, 0);
    assert_null(lent);
    message_send(4, 0, 0);
    assert_int_equal(lent->items[0].entry->place.range, first.range);
    assert_int_equal(lent->items[0].entry->place.index, first.index);
    message_send(5, 1, 0);
    message_send(6, 0, 1);
    batch_done(STATUS_OK);
    assert_int_equal(lent->items[0].entry->place.index, places[0].index);
    assert_int_equal(lent->items[1].entry->place.index, places[1].index + (places[1].range == first.range ? 1 : 0));
    settle();
    expect_answer(4, STATUS_OK);
    expect_answer(6, STATUS_OK);
    assert_int_equal(told_count(CHANGE_MESSAGE_RECEIVED), 3);
}

static void in_a_full_store_removals_go_alone_until_others_find_room_again(void **state) {
    (void)state;
    people_make(2, 2);
    message_send(1, 0, 0);
    assert_false(lent->is_removal);
    batch_done(STATUS_STORAGE_FULL);
    message_send(2, 0, 0); /* tried all the same: nobody else tells whether there is room */
    assert_false(lent->is_removal);
    message_send(3, 1, 0);
    propose(act_entry(4, COMMAND_THREAD_DELETE, 0, 0));
    batch_done(STATUS_STORAGE_FULL);
    assert_true(lent->is_removal);
    assert_int_equal(lent->count, 1);
    assert_int_equal(lent->items[0].entry->command.kind, COMMAND_THREAD_DELETE);
    batch_done(STATUS_OK);
    assert_false(lent->is_removal);
    batch_done(STATUS_OK); /* with the message that waited */
    message_send(5, 1, 0);
    assert_false(lent->is_removal);
    settle();
    expect_answer(1, STATUS_STORAGE_FULL);
    expect_answer(2, STATUS_STORAGE_FULL);
    expect_answer(3, STATUS_OK);
    expect_answer(4, STATUS_OK);
    expect_answer(5, STATUS_OK);
}

/* ---- follow-ups ---- */

static void the_author_of_a_thread_waits_until_everyone_has_it_in_her_list(void **state) {
    (void)state;
    people_make(5, 0);
    propose(thread_create_entry(1, 0, 5));
    batch_done(STATUS_OK);
    assert_int_equal(told_count(CHANGE_THREAD_CREATED), 1);
    assert_null(answer_find(1));
    assert_int_equal(lent_count(COMMAND_USER_THREAD), 5);
    assert_int_equal(outbox_count(), 1);
    batch_done(STATUS_OK);
    expect_answer(1, STATUS_OK);
    assert_int_equal(answer_find(1)->result.offset, 2);
    assert_int_equal(told_count(CHANGE_USER_JOINED), 5);
    assert_int_equal(users_with_thread(5, 0, MEMBERSHIP_JOINED), 5);
    assert_int_equal(lent_count(COMMAND_OUTBOX_DONE), 1);
    batch_done(STATUS_OK);
    assert_null(lent);
    assert_int_equal(outbox_count(), 0);
    assert_int_equal(node_core_statistics(core).follow_ups, 0);
}

static void follow_ups_to_users_that_do_not_exist_hold_nobody_up(void **state) {
    (void)state;
    people_make(2, 0);
    propose(thread_create_entry(1, 0, 6));
    settle();
    expect_answer(1, STATUS_OK);
    assert_int_equal(users_with_thread(6, 0, MEMBERSHIP_JOINED), 2);
    assert_int_equal(outbox_count(), 0);
}

static void a_user_whose_key_is_damaged_holds_nobody_up(void **state) {
    struct store_transaction *transaction = NULL;
    struct id_hash user = fixture_hash(&fixture, user_id(1));
    struct key key = key_of_row(&user, ROW_KEY);
    (void)state;
    people_make(3, 0);
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    check(store_put(transaction, STORE_STATE, key_bytes(&key), BYTES_LITERAL("damaged")) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
    propose(thread_create_entry(1, 0, 3));
    settle();
    expect_answer(1, STATUS_OK);
    assert_int_equal(users_with_thread(3, 0, MEMBERSHIP_JOINED), 2);
    assert_int_equal(outbox_count(), 0);
}

static void a_crash_between_a_change_and_its_follow_ups_loses_none(void **state) {
    (void)state;
    people_make(4, 0);
    propose(thread_create_entry(1, 0, 4));
    batch_done(STATUS_OK);
    assert_int_equal(users_with_thread(4, 0, MEMBERSHIP_JOINED), 0);
    crash_and_restart();
    assert_int_equal(lent_count(COMMAND_USER_THREAD), 4);
    settle();
    assert_int_equal(users_with_thread(4, 0, MEMBERSHIP_JOINED), 4);
    assert_int_equal(told_count(CHANGE_USER_JOINED), 4);
    assert_int_equal(answers_count, 0);
    assert_int_equal(outbox_count(), 0);
    crash_and_restart();
    assert_null(lent);
}

static void follow_ups_repeated_after_a_crash_tell_nobody_twice(void **state) {
    (void)state;
    people_make(4, 0);
    propose(thread_create_entry(1, 0, 4));
    batch_done(STATUS_OK);
    batch_done(STATUS_OK);
    assert_int_equal(outbox_count(), 1); /* the lists are written, the row is still there */
    crash_and_restart();
    settle();
    assert_int_equal(users_with_thread(4, 0, MEMBERSHIP_JOINED), 4);
    assert_int_equal(told_count(CHANGE_USER_JOINED), 0);
    assert_int_equal(outbox_count(), 0);
}

static void an_old_follow_up_after_a_crash_does_not_undo_a_newer_one(void **state) {
    (void)state;
    people_make(3, 1);
    struct outbox_user users[1] = {{fixture_hash(&fixture, user_id(2))}};
    struct outbox_row joined = {
        .thread_id = thread_id(0), .membership = MEMBERSHIP_JOINED, .offset = 2, .users = users, .users_count = 1};
    struct id_hash subject = fixture_hash(&fixture, thread_id(0));
    struct store_transaction *transaction = NULL;
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    check(outbox_put(transaction, &fixture.master, &subject, 2, &joined) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
    struct entry *removal = act_entry(1, COMMAND_PARTICIPANT_REMOVE, 0, 0);
    removal->command.user_id = user_id(2);
    propose(removal);
    settle();
    expect_answer(1, STATUS_OK);
    assert_int_equal(users_with_thread(3, 0, MEMBERSHIP_LEFT), 1);
    crash_and_restart();
    settle();
    assert_int_equal(users_with_thread(3, 0, MEMBERSHIP_LEFT), 1);
    assert_int_equal(outbox_count(), 0);
}

static void follow_ups_that_meet_a_full_disk_are_tried_again_later(void **state) {
    (void)state;
    people_make(4, 0);
    propose(thread_create_entry(1, 0, 4));
    batch_done(STATUS_OK);
    batch_done(STATUS_STORAGE_FULL);
    expect_answer(1, STATUS_OK); /* the thread is there; only the lists lag behind */
    assert_null(lent);
    tick(RETRY_MS - 1);
    assert_null(lent);
    tick(1);
    assert_int_equal(lent_count(COMMAND_USER_THREAD), 4);
    batch_done(STATUS_STORAGE_FULL);
    tick(RETRY_MS);
    settle();
    assert_int_equal(users_with_thread(4, 0, MEMBERSHIP_JOINED), 4);
    assert_int_equal(outbox_count(), 0);
    assert_int_equal(node_core_statistics(core).follow_ups, 0);
    expect_answer(1, STATUS_OK);
    tick(RETRY_MS);
    assert_null(lent);
}

static void the_removal_from_the_outbox_is_tried_again_too(void **state) {
    (void)state;
    people_make(2, 0);
    propose(thread_create_entry(1, 0, 2));
    batch_done(STATUS_OK);
    batch_done(STATUS_OK);
    assert_int_equal(lent_count(COMMAND_OUTBOX_DONE), 1);
    batch_done(STATUS_STORAGE_FULL);
    tick(RETRY_MS);
    assert_int_equal(lent_count(COMMAND_OUTBOX_DONE), 1);
    settle();
    assert_int_equal(outbox_count(), 0);
}

static void a_retry_does_not_wait_for_a_clock_that_was_set_back(void **state) {
    (void)state;
    people_make(2, 0);
    propose(thread_create_entry(1, 0, 2));
    batch_done(STATUS_OK);
    batch_done(STATUS_STORAGE_FULL);
    tick(-3600 * 1000);
    assert_int_equal(lent_count(COMMAND_USER_THREAD), 2);
    settle();
    assert_int_equal(outbox_count(), 0);
}

/* More follow-ups than a batch holds: one batch is refused, the next is not, and what was refused is repeated only when
 * nothing of it is on its way. */
static void a_retry_waits_until_nothing_of_it_is_in_flight(void **state) {
    (void)state;
    people_make(240, 0);
    for (unsigned i = 0; i < 12; i++)
        propose(thread_create_entry(1 + i, i, 240));
    batch_done(STATUS_OK); /* the first thread */
    batch_done(STATUS_OK); /* the others, and her list rows */
    assert_int_equal(lent->count, LIMIT_DISK_BATCH_MAX);
    batch_done(STATUS_STORAGE_FULL);
    size_t second = lent_count(COMMAND_USER_THREAD);
    assert_in_range(second, 1, LIMIT_DISK_BATCH_MAX - 1);
    tick(RETRY_MS);
    assert_int_equal(lent_count(COMMAND_USER_THREAD), second); /* still the same batch */
    batch_done(STATUS_OK);
    settle();
    tick(RETRY_MS);
    settle();
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(users_with_thread(240, i, MEMBERSHIP_JOINED), 240);
        expect_answer(1 + i, STATUS_OK);
    }
    assert_int_equal(told_count(CHANGE_USER_JOINED), 12 * 240);
    assert_int_equal(outbox_count(), 0);
    assert_int_equal(node_core_statistics(core).follow_ups, 0);
}

static void a_storm_of_new_threads_does_not_hold_up_messages_and_the_other_way_round(void **state) {
    (void)state;
    people_make(250, 1);
    for (unsigned i = 1; i <= 40; i++)
        propose(thread_create_entry(1000 + i, i, 250));
    batch_done(STATUS_OK);
    batch_done(STATUS_OK);
    assert_true(node_core_statistics(core).waiting > QUEUE_MAX);
    message_send(1, 0, 0); /* is not refused, and is in the next batch */
    batch_done(STATUS_OK);
    assert_int_equal(lent_count(COMMAND_MESSAGE_SEND), 1);
    for (unsigned i = 0; i < 2 * LIMIT_DISK_BATCH_MAX; i++)
        message_send(0, 0, 0);
    batch_done(STATUS_OK);
    assert_int_equal(lent_count(COMMAND_MESSAGE_SEND), LIMIT_DISK_BATCH_MAX / 2);
    assert_int_equal(lent->count, LIMIT_DISK_BATCH_MAX);
    settle();
    expect_answer(1, STATUS_OK);
    for (unsigned i = 1; i <= 40; i++)
        expect_answer(1000 + i, STATUS_OK);
    assert_int_equal(outbox_count(), 0);
}

static uint64_t state_rows(void) {
    return fixture_rows(&fixture, STORE_STATE);
}

/* ---- events for those outside ---- */

static void watched(uintptr_t who, enum command_kind kind, unsigned thread) {
    struct entry *entry = act_entry(who, kind, thread, 0);
    entry->command.is_watched = true;
    propose(entry);
}

static void a_watched_change_makes_its_thread_one_with_events(void **state) {
    (void)state;
    people_make(1, 2);
    message_send(1, 0, 0);
    settle();
    assert_int_equal(eventful_count, 0);
    watched(2, COMMAND_MESSAGE_SEND, 1);
    settle();
    assert_int_equal(eventful_count, 1);
    struct id_hash expected = fixture_hash(&fixture, thread_id(1));
    assert_true(id_hash_equal(&eventful, &expected));
    watched(3, COMMAND_MESSAGE_EDIT, 1); /* refused: there is no such message */
    settle();
    assert_int_equal(eventful_count, 1);
}

static void a_thread_with_events_is_told_of_again_after_a_crash_until_these_are_done(void **state) {
    struct id_hash consumer = {{1}};
    (void)state;
    people_make(1, 1);
    watched(1, COMMAND_MESSAGE_SEND, 0);
    settle();
    for (int i = 0; i < 2; i++) {
        crash_and_restart();
        settle();
        assert_int_equal(eventful_count, 1);
        assert_int_equal(outbox_count(), 1); /* the mark */
        assert_int_equal(node_core_statistics(core).follow_ups, 0);
    }
    struct entry *done = entry_of(2, COMMAND_EVENTS_DONE, thread_id(0));
    struct event_cursor cursor = {.consumer = consumer, .offset = 3};
    done->command.cursors = ARENA_NEW(&done->arena, struct event_cursor);
    done->command.cursors[0] = cursor;
    done->command.cursors_count = 1;
    propose(done);
    settle();
    assert_int_equal(outbox_count(), 0);
    crash_and_restart();
    assert_int_equal(eventful_count, 0);
}

static void a_deleted_thread_is_purged_of_its_events_when_these_are_done(void **state) {
    (void)state;
    people_make(1, 1);
    uint64_t before = state_rows();
    watched(1, COMMAND_THREAD_DELETE, 0);
    settle();
    assert_int_equal(outbox_count(), 1);
    assert_int_equal(eventful_count, 1);
    assert_true(state_rows() < before);
    uint64_t with_events = state_rows();
    propose(entry_of(2, COMMAND_EVENTS_DONE, thread_id(0)));
    settle();
    expect_answer(2, STATUS_OK);
    assert_int_equal(state_rows(), with_events - 2); /* the event, the member */
    assert_int_equal(outbox_count(), 0);
    assert_int_equal(node_core_statistics(core).follow_ups, 0);
}

/* ---- deleting ---- */

static void thread_delete(uintptr_t who, unsigned thread) {
    struct entry *entry = act_entry(who, COMMAND_THREAD_DELETE, thread, 0);
    entry->command.content = BYTES_ABSENT;
    propose(entry);
}

static void a_purge_goes_on_until_nothing_is_left_and_nobody_waits_for_it(void **state) {
    (void)state;
    people_make(2, 0);
    uint64_t before = state_rows();
    propose(thread_create_entry(0, 0, 2));
    settle();
    for (unsigned i = 0; i < LIMIT_PURGE_ROWS_PER_COMMAND; i++)
        message_send(0, 0, 0);
    settle();
    forget_told();
    thread_delete(1, 0);
    batch_done(STATUS_OK);
    assert_int_equal(lent_count(COMMAND_THREAD_PURGE), 1);
    assert_int_equal(lent_count(COMMAND_USER_THREAD), 2);
    batch_done(STATUS_OK);
    expect_answer(1, STATUS_OK);
    assert_int_equal(lent_count(COMMAND_THREAD_PURGE), 1);
    settle();
    assert_int_equal(state_rows(), before + 3); /* a tombstone and two items of lists */
    assert_int_equal(users_with_thread(2, 0, MEMBERSHIP_DELETED), 2);
    assert_int_equal(outbox_count(), 0);
    assert_int_equal(node_core_statistics(core).follow_ups, 0);
}

static void threads_are_purged_one_after_the_other(void **state) {
    (void)state;
    people_make(2, 5);
    uint64_t before = state_rows();
    for (unsigned i = 0; i < 5; i++)
        thread_delete(1 + i, i);
    size_t purges = 0;
    while (lent != NULL) {
        assert_true(lent_count(COMMAND_THREAD_PURGE) <= 1);
        purges += lent_count(COMMAND_THREAD_PURGE);
        batch_done(purges == 2 ? STATUS_STORAGE_FULL : STATUS_OK);
        if (lent == NULL)
            tick(RETRY_MS);
    }
    assert_int_equal(purges, 6); /* one was refused */
    assert_true(state_rows() < before);
    assert_int_equal(outbox_count(), 0);
    assert_int_equal(node_core_statistics(core).follow_ups, 0);
}

static void a_purge_goes_on_after_a_crash(void **state) {
    (void)state;
    people_make(2, 1);
    thread_delete(1, 0);
    batch_done(STATUS_OK);
    assert_int_equal(outbox_count(), 2);
    crash_and_restart();
    settle();
    assert_int_equal(outbox_count(), 0);
    assert_int_equal(users_with_thread(2, 0, MEMBERSHIP_DELETED), 2);
}

static void a_deleted_user_is_purged_and_her_tokens_are_void(void **state) {
    (void)state;
    people_make(2, 1);
    propose(entry_of(1, COMMAND_USER_DELETE, user_id(1)));
    settle();
    expect_answer(1, STATUS_OK);
    assert_int_equal(told_count(CHANGE_USER_REVOKED), 1);
    assert_int_equal(users_with_thread(2, 0, MEMBERSHIP_JOINED), 1);
    assert_int_equal(outbox_count(), 0);
}

/* Everyone who ever was in a thread is told of its end; beyond a thousand that takes two follow-ups, which share
 * whoever waits. */
static void thousands_of_former_participants_are_told_before_the_author(void **state) {
    struct thread_store store;
    struct store_transaction *transaction = NULL;
    struct id_hash thread = fixture_hash(&fixture, thread_id(0));
    (void)state;
    people_make(2, 1);
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    check(thread_store_open(&store, transaction, &fixture.arena, &fixture.master, &thread) == STATUS_OK);
    for (unsigned i = 0; i < 1500; i++) {
        struct participant_row row = {.participant.user_id = user_id(100 + i), .removed_offset = 1};
        struct id_hash user = fixture_hash(&fixture, row.participant.user_id);
        check(thread_participant_put(&store, &user, &row) == STATUS_OK);
    }
    check(store_commit(transaction) == STATUS_OK);
    thread_delete(1, 0);
    batch_done(STATUS_OK);
    assert_int_equal(lent_count(COMMAND_USER_THREAD), 1502);
    assert_int_equal(outbox_count(), 3);
    assert_null(answer_find(1));
    batch_done(STATUS_OK);
    expect_answer(1, STATUS_OK);
    settle();
    assert_int_equal(outbox_count(), 0);
}

static void a_core_can_be_freed_with_everything_on_its_way(void **state) {
    struct thread_store store;
    struct store_transaction *transaction = NULL;
    struct id_hash thread = fixture_hash(&fixture, thread_id(0));
    (void)state;
    people_make(2, 1);
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    check(thread_store_open(&store, transaction, &fixture.arena, &fixture.master, &thread) == STATUS_OK);
    for (unsigned i = 0; i < 1500; i++) {
        struct participant_row row = {.participant.user_id = user_id(100 + i), .removed_offset = 1};
        struct id_hash user = fixture_hash(&fixture, row.participant.user_id);
        check(thread_participant_put(&store, &user, &row) == STATUS_OK);
    }
    check(store_commit(transaction) == STATUS_OK);
    thread_delete(1, 0);
    batch_done(STATUS_OK);
    message_send(2, 0, 0);
    assert_non_null(lent);
    assert_int_equal(node_core_statistics(core).follow_ups, 3);
    crash_and_restart();
    assert_int_equal(node_core_statistics(core).follow_ups, 3);
}

/* ---- what is not stored, or told together ---- */

static void typing_is_told_at_once_and_then_together(void **state) {
    struct typing_notice typing = {.user_id = user_id(1)};
    struct change notice = {.kind = CHANGE_TYPING, .subject = {{1}}, .typing = &typing, .typing_count = 1};
    (void)state;
    step((struct event){.kind = EVENT_NOTICE, .notice = &notice});
    assert_int_equal(tellings_count, 1);
    for (unsigned i = 2; i < 5; i++) {
        typing.user_id = user_id(i);
        step((struct event){.kind = EVENT_NOTICE, .notice = &notice});
    }
    assert_int_equal(tellings_count, 1);
    tick(LIMIT_COALESCE_TICK_MS);
    assert_int_equal(tellings_count, 2);
    assert_int_equal(tellings[1].typing_count, 3);
    assert_null(lent);
}

static void receipts_are_answered_each_and_told_together(void **state) {
    (void)state;
    people_make(20, 1);
    message_send(1, 0, 0);
    settle();
    uint64_t message_id = answer_find(1)->result.message_id;
    for (unsigned i = 0; i < 20; i++) {
        struct entry *entry = act_entry(100 + i, COMMAND_RECEIPT_SEND, 0, i);
        entry->command.message_id = message_id;
        propose(entry);
    }
    settle();
    for (unsigned i = 0; i < 20; i++)
        expect_answer(100 + i, STATUS_OK);
    assert_int_equal(told_count(CHANGE_RECEIPTS), 1);
    tick(LIMIT_COALESCE_TICK_MS);
    tick(LIMIT_COALESCE_TICK_MS);
    assert_int_equal(told_count(CHANGE_RECEIPTS), 3);
    assert_int_equal(tellings[tellings_count - 2].receipts_count, LIMIT_COALESCE_PER_TICK_MAX);
    assert_int_equal(tellings[tellings_count - 1].receipts_count, 19 - LIMIT_COALESCE_PER_TICK_MAX);
}

int main(void) {
#define CORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CORE(the_first_proposal_is_written_at_once_and_the_next_batch_gathers_meanwhile),
        CORE(a_batch_is_bounded),
        CORE(entries_get_contiguous_places_and_rising_times_in_their_range),
        CORE(places_go_on_after_a_restart),
        CORE(a_refusal_by_the_rules_is_the_authors_answer_and_nothing_more),
        CORE(what_is_too_much_is_refused_and_the_rest_goes_through),
        CORE(a_full_disk_answers_by_name_tells_nobody_and_takes_the_places_back),
        CORE(in_a_full_store_removals_go_alone_until_others_find_room_again),
        CORE(the_author_of_a_thread_waits_until_everyone_has_it_in_her_list),
        CORE(follow_ups_to_users_that_do_not_exist_hold_nobody_up),
        CORE(a_user_whose_key_is_damaged_holds_nobody_up),
        CORE(a_crash_between_a_change_and_its_follow_ups_loses_none),
        CORE(follow_ups_repeated_after_a_crash_tell_nobody_twice),
        CORE(an_old_follow_up_after_a_crash_does_not_undo_a_newer_one),
        CORE(follow_ups_that_meet_a_full_disk_are_tried_again_later),
        CORE(the_removal_from_the_outbox_is_tried_again_too),
        CORE(a_retry_does_not_wait_for_a_clock_that_was_set_back),
        CORE(a_retry_waits_until_nothing_of_it_is_in_flight),
        CORE(a_storm_of_new_threads_does_not_hold_up_messages_and_the_other_way_round),
        CORE(a_purge_goes_on_until_nothing_is_left_and_nobody_waits_for_it),
        CORE(threads_are_purged_one_after_the_other),
        CORE(a_purge_goes_on_after_a_crash),
        CORE(a_deleted_user_is_purged_and_her_tokens_are_void),
        CORE(a_watched_change_makes_its_thread_one_with_events),
        CORE(a_thread_with_events_is_told_of_again_after_a_crash_until_these_are_done),
        CORE(a_deleted_thread_is_purged_of_its_events_when_these_are_done),
        CORE(thousands_of_former_participants_are_told_before_the_author),
        CORE(a_core_can_be_freed_with_everything_on_its_way),
        CORE(typing_is_told_at_once_and_then_together),
        CORE(receipts_are_answered_each_and_told_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
