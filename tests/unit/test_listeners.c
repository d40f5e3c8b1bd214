/* What this node's sessions listen to, as the core counts it: what it asks of the node that leads, and what it tells
 * the workers. How changes find their way between nodes stands in test_interest.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/node_core.h"
#include "proto/change.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "proto/told_change.h"

#define SELF 1
#define LEADER 2
#define OUR_START 7
#define THEIR_START 9
#define SETTLE_TICKS 80 /* longer than a node waits for an earlier life of its own */

/* What one step asked for, but for heartbeats and the disk. */
struct asked {
    size_t listens; /* LISTEN packets to the leader, with one subject each */
    struct packet_listener listener;
    uint64_t listening;
    size_t in_force, looks;
    size_t fan_outs;
    uint64_t offset, from_offset;
    unsigned copies;
    size_t typing;   /* users of what was fanned out last */
    size_t requests; /* REQUEST packets to the leader */
    size_t replies;  /* REPLY packets to it */
    size_t changes;  /* told to it */
    int rc;
};

static struct node_core *core;
static struct action_list actions;
static struct asked asked;
static int64_t mono_ms;
static uint64_t link_sequence;
static struct batch *lent;
static struct range_record wanted; /* of the coordinator, who agrees */
static uint64_t wanted_version;    /* 0: nothing is wanted */
static struct buffer request_body; /* of the newest REQUEST */
static size_t receipts_told;       /* here */

static const struct id_hash THREAD = {{1, 2, 3}};
static const struct id_hash USER = {{9, 8, 7}};

static void action_take(const struct action *action) {
    switch (action->kind) {
    case ACTION_SEND:
        if (action->packet->kind == PACKET_REQUEST && action->packet->parts > 0) {
            asked.requests++;
            request_body.size = 0;
            buffer_append_bytes(&request_body, action->packet->body);
        }
        asked.changes += action->packet->kind == PACKET_CHANGES ? action->packet->changes_count : 0;
        if (action->packet->kind == PACKET_REPLY && action->packet->parts > 0) {
            asked.replies++;
            asked.rc = (int)action->packet->rc;
        }
        if (action->packet->kind != PACKET_LISTEN)
            break;
        assert_int_equal(action->to, LEADER);
        assert_int_equal(action->packet->asker_start, OUR_START);
        assert_int_equal(action->packet->listeners_count, 1);
        asked.listens++;
        asked.listener = action->packet->listeners[0];
        asked.listening = action->packet->listening;
        break;
    case ACTION_LISTENING:
        assert_true(id_hash_equal(&action->subject, &THREAD));
        asked.in_force++;
        break;
    case ACTION_LOOK_AGAIN:
        assert_true(id_hash_equal(&action->subject, &USER));
        asked.looks++;
        break;
    case ACTION_FAN_OUT:
        asked.fan_outs++;
        asked.offset = action->change->offset;
        asked.from_offset = action->from_offset;
        asked.copies = action->copies;
        asked.typing = action->change->typing_count;
        receipts_told += action->change->receipts_count;
        break;
    case ACTION_WRITE:
        lent = action->batch;
        break;
    case ACTION_SWAP:
        wanted = action->record;
        wanted_version = action->version + 1;
        break;
    default:
        break;
    }
}

static struct asked step(struct event event) {
    asked = (struct asked){0};
    event.now_ms = event.mono_ms = mono_ms += 10;
    actions.count = 0;
    node_core_step(core, &event, &actions);
    for (size_t i = 0; i < actions.count; i++)
        action_take(&actions.items[i]);
    node_core_done(core);
    return asked;
}

/* Every command that is applied is a receipt. */
static void batch_perform(struct batch *batch) {
    static struct receipt receipt = {.user_id = BYTES_LITERAL("u"), .message_id = 1, .read_ms = 1};
    static struct outcome_change told;
    told.change = (struct change){.kind = CHANGE_RECEIPTS,
                                  .subject = THREAD,
                                  .thread_id = BYTES_LITERAL("19:t"),
                                  .receipts = &receipt,
                                  .receipts_count = 1};
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].is_apply)
            batch->items[i].entry->outcome.changes = &told;
}

/* The disk and the coordinator do what they are asked to. */
static void settle(void) {
    for (unsigned i = 0; i < SETTLE_TICKS; i++) {
        struct event event = {.kind = EVENT_TICK};
        if (lent != NULL)
            batch_perform(lent);
        if (lent != NULL)
            event = (struct event){.kind = EVENT_BATCH_DONE, .batch = lent};
        else if (wanted_version != 0)
            event = (struct event){.kind = EVENT_SWAPPED, .record = &wanted, .version = wanted_version};
        if (event.kind == EVENT_BATCH_DONE)
            lent = NULL;
        if (event.kind == EVENT_SWAPPED)
            wanted_version = 0;
        mono_ms += CORE_TICK_MS;
        step(event);
    }
}

static struct start_entry logged; /* is in the log already, if there */

static struct asked listen_to(const struct id_hash *subject, uint64_t offset) {
    return step((struct event){.kind = EVENT_LISTEN, .subject = subject, .offset = offset});
}

/* The one range is led by that node; by this one as soon as it has begun an epoch. */
static void core_open(uint64_t leader) {
    struct node_core_options options = {.range_count = 1,
                                        .start = OUR_START,
                                        .self = SELF,
                                        .is_alone = leader == 0,
                                        .replication_factor = 1,
                                        .min_in_sync = 1,
                                        .queue_max = 100,
                                        .link_bytes_max = LIMIT_LINK_UNSEEN_BYTES_MAX};
    struct start_range range = {.base_index = 0, .entries = &logged, .entries_count = logged.command.size > 0};
    struct range_record record = {.range = 0, .epoch = 1, .primary = leader, .in_sync = {leader}, .in_sync_count = 1};
    if (logged.command.size > 0)
        record.in_sync[record.in_sync_count++] = SELF;
    mono_ms = 1000;
    receipts_told = 0;
    link_sequence = 0;
    lent = NULL;
    wanted_version = 0;
    core = node_core_new(&options);
    step((struct event){.kind = EVENT_START, .ranges = &range});
    if (logged.command.size > 0)
        listen_to(&THREAD, 5);
    if (leader != 0)
        step((struct event){.kind = EVENT_RECORD, .range = 0, .record = &record, .version = 1});
    settle();
}

static int open_led_elsewhere(void **state) {
    (void)state;
    core_open(LEADER);
    return 0;
}

static int open_led_here(void **state) {
    (void)state;
    core_open(SELF);
    return 0;
}

static int open_alone(void **state) {
    (void)state;
    core_open(0);
    return 0;
}

static int close_core(void **state) {
    (void)state;
    node_core_free(core);
    action_list_close(&actions);
    actions = (struct action_list){0};
    buffer_close(&request_body);
    buffer_init(&request_body);
    return 0;
}

static struct asked unlisten(const struct id_hash *subject) {
    return step((struct event){.kind = EVENT_UNLISTEN, .subject = subject});
}

/* The leader has taken notice of that LISTEN. */
static struct asked confirm(const struct id_hash *subject, uint64_t listening) {
    struct packet_listener listener = {.thread = *subject, .born = 1};
    struct packet packet = {.kind = PACKET_CHANGES,
                            .asker_start = OUR_START,
                            .answerer_start = THEIR_START,
                            .listening = listening,
                            .listeners = &listener,
                            .listeners_count = 1};
    return step((struct event){.kind = EVENT_PACKET, .from = LEADER, .packet = &packet});
}

/* The leader tells of one change. */
static struct asked change_comes(const struct change *change, uint64_t from_offset, uint64_t next_offset) {
    struct told_change told = {
        .subject = change->subject, .from_offset = from_offset, .next_offset = next_offset, .copies = 2};
    struct buffer inner, outer;
    buffer_init(&inner);
    buffer_init(&outer);
    change_encode(change, &inner);
    told.change = buffer_bytes(&inner);
    told_change_encode(&told, &outer);
    struct packet_change carried = {.change = buffer_bytes(&outer)};
    struct packet packet = {.kind = PACKET_CHANGES,
                            .asker_start = OUR_START,
                            .answerer_start = THEIR_START,
                            .link_sequence = ++link_sequence,
                            .link = 1,
                            .changes = &carried,
                            .changes_count = 1};
    struct asked result = step((struct event){.kind = EVENT_PACKET, .from = LEADER, .packet = &packet});
    buffer_close(&inner);
    buffer_close(&outer);
    return result;
}

static struct change message(uint64_t offset) {
    return (struct change){.kind = CHANGE_MESSAGE_RECEIVED,
                           .subject = THREAD,
                           .offset = offset,
                           .thread_id = BYTES_LITERAL("19:t"),
                           .message = {.id = 1, .type = MESSAGE_TEXT, .content = BYTES_LITERAL("hello")}};
}

static struct asked message_comes(uint64_t offset) {
    struct change change = message(offset);
    return change_comes(&change, offset, offset + 1);
}

/* ---- threads ---- */

static void a_thread_is_listened_to_from_an_offset_and_workers_learn_when_that_is_in_force(void **state) {
    (void)state;
    struct asked first = listen_to(&THREAD, 5);
    assert_int_equal(first.listens, 1);
    assert_int_equal(first.listener.next_offset, 5);
    assert_true(first.listener.is_anew);
    assert_int_equal(first.in_force, 0);
    assert_int_equal(confirm(&USER, first.listening).in_force, 0);
    assert_int_equal(confirm(&THREAD, first.listening).in_force, 1);
    assert_int_equal(confirm(&THREAD, first.listening).in_force, 0);
}

static void who_comes_later_and_needs_no_more_costs_nothing(void **state) {
    (void)state;
    uint64_t listening = listen_to(&THREAD, 5).listening;
    struct asked before = listen_to(&THREAD, 6);
    assert_int_equal(before.listens, 0);
    assert_int_equal(before.in_force, 0);
    assert_int_equal(confirm(&THREAD, listening).in_force, 1);
    struct asked after = listen_to(&THREAD, 7);
    assert_int_equal(after.listens, 0);
    assert_int_equal(after.in_force, 1);
}

static void who_begins_further_back_has_it_told_again(void **state) {
    (void)state;
    confirm(&THREAD, listen_to(&THREAD, 5).listening);
    assert_int_equal(message_comes(5).fan_outs, 1);
    struct asked again = listen_to(&THREAD, 5); /* what would do without the message */
    assert_int_equal(again.listens, 1);
    assert_int_equal(again.listener.next_offset, 5);
    assert_true(again.listener.is_anew);
    assert_int_equal(again.in_force, 0);
    assert_int_equal(confirm(&THREAD, again.listening).in_force, 1);
    assert_int_equal(message_comes(5).fan_outs, 1);
}

static void a_thread_is_left_when_nobody_listens_any_more(void **state) {
    (void)state;
    confirm(&THREAD, listen_to(&THREAD, 5).listening);
    listen_to(&THREAD, 5);
    assert_int_equal(unlisten(&THREAD).listens, 0);
    struct asked last = unlisten(&THREAD);
    assert_int_equal(last.listens, 1);
    assert_int_equal(last.listener.next_offset, 0);
    assert_int_equal(message_comes(5).fan_outs, 0);
    assert_int_equal(unlisten(&THREAD).listens, 0); /* nobody does */
}

static void changes_go_to_the_workers_with_what_they_overtake_and_how_durable_they_are(void **state) {
    (void)state;
    struct change change = message(9);
    confirm(&THREAD, listen_to(&THREAD, 5).listening);
    struct asked told = change_comes(&change, 5, 10);
    assert_int_equal(told.fan_outs, 1);
    assert_int_equal(told.offset, 9);
    assert_int_equal(told.from_offset, 5);
    assert_int_equal(told.copies, 2);
}

static void what_is_of_the_moment_is_handed_on_and_moves_nothing(void **state) {
    struct typing_notice typing = {.user_id = BYTES_LITERAL("u"), .time_ms = 1};
    struct change notice = {.kind = CHANGE_TYPING,
                            .subject = THREAD,
                            .thread_id = BYTES_LITERAL("19:t"),
                            .typing = &typing,
                            .typing_count = 1};
    (void)state;
    confirm(&THREAD, listen_to(&THREAD, 5).listening);
    assert_int_equal(change_comes(&notice, 0, 0).fan_outs, 1);
    assert_int_equal(listen_to(&THREAD, 5).listens, 0);
}

/* ---- users ---- */

static void sessions_of_a_user_look_when_she_is_listened_to_and_each_that_comes_later_does(void **state) {
    (void)state;
    struct asked first = listen_to(&USER, 0);
    assert_int_equal(first.listens, 1);
    assert_true(first.listener.is_user);
    assert_int_equal(first.looks, 0);
    assert_int_equal(listen_to(&USER, 0).looks, 0); /* together with the first */
    assert_int_equal(confirm(&USER, first.listening).looks, 1);
    struct asked later = listen_to(&USER, 0);
    assert_int_equal(later.looks, 1);
    assert_int_equal(later.listens, 0);
}

static void what_concerns_a_user_is_handed_on(void **state) {
    struct change joined = {
        .kind = CHANGE_USER_JOINED, .subject = USER, .offset = 3, .thread_id = BYTES_LITERAL("19:t")};
    (void)state;
    confirm(&USER, listen_to(&USER, 0).listening);
    assert_int_equal(change_comes(&joined, 0, 0).fan_outs, 1);
    unlisten(&USER);
    assert_int_equal(change_comes(&joined, 0, 0).fan_outs, 0);
}

/* ---- led here ---- */

static struct asked notice_of(const char *user) {
    struct typing_notice typing = {.user_id = bytes_of_text(user), .time_ms = mono_ms};
    struct change change = {.kind = CHANGE_TYPING,
                            .subject = THREAD,
                            .thread_id = BYTES_LITERAL("19:t"),
                            .typing = &typing,
                            .typing_count = 1};
    return step((struct event){.kind = EVENT_NOTICE, .notice = &change});
}

static struct asked notice(void) {
    return notice_of("u");
}

static void what_is_led_here_is_in_force_at_once_and_sends_nothing(void **state) {
    (void)state;
    struct asked first = listen_to(&THREAD, 5);
    assert_int_equal(first.listens, 0);
    assert_int_equal(first.in_force, 1);
    assert_int_equal(listen_to(&USER, 0).looks, 1);
    assert_int_equal(notice().fan_outs, 1);
    unlisten(&THREAD);
    assert_int_equal(notice().fan_outs, 0);
}

static struct asked leader_is(uint64_t leader, uint64_t epoch) {
    struct range_record record = {
        .range = 0, .epoch = epoch, .primary = leader, .in_sync = {leader}, .in_sync_count = 1, .is_handed_over = true};
    return step((struct event){.kind = EVENT_RECORD, .range = 0, .record = &record, .version = 100 + epoch});
}

static void what_was_gathered_is_told_before_another_node_leads(void **state) {
    (void)state;
    listen_to(&THREAD, 5);
    assert_int_equal(notice().fan_outs, 1);
    assert_int_equal(notice_of("v").fan_outs, 0);
    assert_int_equal(notice_of("w").fan_outs, 0);
    struct asked lost = leader_is(LEADER, 100);
    assert_int_equal(lost.fan_outs, 1);
    assert_int_equal(lost.typing, 2);
    mono_ms += LIMIT_COALESCE_TICK_MS;
    assert_int_equal(step((struct event){.kind = EVENT_TICK}).fan_outs, 0);
}

static void a_notice_that_was_accepted_before_goes_to_the_node_that_leads_now(void **state) {
    (void)state;
    listen_to(&THREAD, 5);
    leader_is(LEADER, 100);
    struct asked carried = notice();
    assert_int_equal(carried.fan_outs, 0);
    assert_int_equal(carried.requests, 1);
    assert_int_equal(request_body.data[0], 'N');
}

/* Another node has accepted it, and asks this one to tell it. */
static struct asked notice_comes(uint64_t request, const struct change *change) {
    struct buffer body;
    buffer_init(&body);
    buffer_append(&body, "N", 1);
    if (change != NULL)
        change_encode(change, &body);
    struct packet packet = {.kind = PACKET_REQUEST,
                            .request = request,
                            .asker_start = THEIR_START,
                            .attempt = 1,
                            .deadline_ms = 5000,
                            .subject = THREAD,
                            .oldest_request = 1,
                            .parts = 1,
                            .body = buffer_bytes(&body)};
    struct asked result = step((struct event){.kind = EVENT_PACKET, .from = LEADER, .packet = &packet});
    buffer_close(&body);
    return result;
}

static void a_notice_that_another_node_accepted_is_told_here(void **state) {
    struct typing_notice typing[2] = {{.user_id = BYTES_LITERAL("u"), .time_ms = 1}};
    struct change change = {.kind = CHANGE_TYPING, .subject = THREAD, .typing = typing, .typing_count = 1};
    (void)state;
    listen_to(&THREAD, 5);
    struct asked told = notice_comes(1, &change);
    assert_int_equal(told.fan_outs, 1);
    assert_int_equal(told.replies, 1);
    assert_int_equal(told.rc, STATUS_OK);
    assert_int_equal(notice_comes(1, &change).fan_outs, 0); /* once, however often it comes */
    leader_is(LEADER, 100);
    struct asked refused = notice_comes(2, &change);
    assert_int_equal(refused.fan_outs, 0);
    assert_int_equal(refused.rc, STATUS_NOT_PRIMARY);
}

static void a_notice_of_another_node_that_makes_no_sense_is_refused(void **state) {
    struct typing_notice typing[2] = {{.user_id = BYTES_LITERAL("u"), .time_ms = 1}};
    struct change changes[] = {
        {.kind = CHANGE_TYPING, .subject = USER, .typing = typing, .typing_count = 1},
        {.kind = CHANGE_TYPING, .subject = THREAD, .typing = typing, .typing_count = 2},
        {.kind = CHANGE_MESSAGE_DELETED, .subject = THREAD, .offset = 1},
    };
    (void)state;
    listen_to(&THREAD, 5);
    for (uint64_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct asked refused = notice_comes(1 + i, &changes[i]);
        assert_int_equal(refused.fan_outs, 0);
        assert_int_equal(refused.rc, STATUS_MALFORMED);
    }
    assert_int_equal(notice_comes(9, NULL).rc, STATUS_MALFORMED);
}

/* A listener at another node says so after the notice. */
static void a_notice_is_kept_while_this_node_is_new_to_lead(void **state) {
    struct packet_listener listener = {.thread = THREAD, .next_offset = 5, .is_anew = true, .has_moved = true};
    struct packet packet = {.kind = PACKET_LISTEN,
                            .asker_start = THEIR_START,
                            .listening = 1,
                            .listeners = &listener,
                            .listeners_count = 1};
    (void)state;
    leader_is(LEADER, 100);
    leader_is(SELF, 101);
    notice();
    assert_int_equal(step((struct event){.kind = EVENT_PACKET, .from = LEADER, .packet = &packet}).changes, 1);
    mono_ms += INTEREST_MOVING_MS;
    step((struct event){.kind = EVENT_TICK});
    packet.asker_start++; /* its next life */
    packet.listening++;
    assert_int_equal(step((struct event){.kind = EVENT_PACKET, .from = LEADER, .packet = &packet}).changes, 0);
}

/* Its author was not told that it was, and repeats it, which changes nothing any more. */
static void a_receipt_that_the_last_primary_left_behind_is_told(void **state) {
    struct command command = {.kind = COMMAND_RECEIPT_SEND, .subject = THREAD, .time_ms = 1};
    struct buffer encoded;
    (void)state;
    buffer_init(&encoded);
    command_encode(&command, &encoded);
    logged = (struct start_entry){.epoch = 1, .command = buffer_bytes(&encoded)};
    core_open(LEADER);
    assert_int_equal(receipts_told, 1);
    close_core(NULL);
    logged = (struct start_entry){0};
    buffer_close(&encoded);
}

static void a_node_alone_hands_on_everything(void **state) {
    (void)state;
    assert_int_equal(notice().fan_outs, 1);
}

int main(void) {
#define LED_ELSEWHERE(test) cmocka_unit_test_setup_teardown(test, open_led_elsewhere, close_core)
#define LED_HERE(test) cmocka_unit_test_setup_teardown(test, open_led_here, close_core)
    const struct CMUnitTest tests[] = {
        LED_ELSEWHERE(a_thread_is_listened_to_from_an_offset_and_workers_learn_when_that_is_in_force),
        LED_ELSEWHERE(who_comes_later_and_needs_no_more_costs_nothing),
        LED_ELSEWHERE(who_begins_further_back_has_it_told_again),
        LED_ELSEWHERE(a_thread_is_left_when_nobody_listens_any_more),
        LED_ELSEWHERE(changes_go_to_the_workers_with_what_they_overtake_and_how_durable_they_are),
        LED_ELSEWHERE(what_is_of_the_moment_is_handed_on_and_moves_nothing),
        LED_ELSEWHERE(sessions_of_a_user_look_when_she_is_listened_to_and_each_that_comes_later_does),
        LED_ELSEWHERE(what_concerns_a_user_is_handed_on),
        LED_HERE(what_is_led_here_is_in_force_at_once_and_sends_nothing),
        LED_HERE(what_was_gathered_is_told_before_another_node_leads),
        LED_HERE(a_notice_that_was_accepted_before_goes_to_the_node_that_leads_now),
        LED_HERE(a_notice_that_another_node_accepted_is_told_here),
        LED_HERE(a_notice_of_another_node_that_makes_no_sense_is_refused),
        LED_HERE(a_notice_is_kept_while_this_node_is_new_to_lead),
        cmocka_unit_test(a_receipt_that_the_last_primary_left_behind_is_told),
        cmocka_unit_test_setup_teardown(a_node_alone_hands_on_everything, open_alone, close_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
