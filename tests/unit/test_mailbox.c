#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "node/mailbox.h"
#include "proto/status.h"

#define SENDERS 4
#define PARCELS_EACH 5000

struct note {
    struct parcel parcel;
    int sender;
    int number;
};

struct desk {
    uv_loop_t loop;
    struct mailbox mailbox;
    int next_of[SENDERS];
    int received;
    struct note *second;
};

static void open_desk(struct desk *desk) {
    *desk = (struct desk){.received = 0};
    assert_int_equal(uv_loop_init(&desk->loop), 0);
    assert_int_equal(mailbox_init(&desk->mailbox, &desk->loop, desk), 0);
}

static void close_desk(struct desk *desk) {
    uv_run(&desk->loop, UV_RUN_DEFAULT);
    mailbox_dispose(&desk->mailbox);
    assert_int_equal(uv_loop_close(&desk->loop), 0);
}

static void take_in_order(void *receiver, struct parcel *parcel) {
    struct desk *desk = receiver;
    struct note *note = (struct note *)parcel;
    assert_int_equal(note->number, desk->next_of[note->sender]);
    desk->next_of[note->sender]++;
    if (++desk->received == SENDERS * PARCELS_EACH)
        mailbox_close(&desk->mailbox, NULL);
}

struct sender {
    pthread_t thread;
    struct desk *desk;
    struct note *notes;
    int index;
};

static void *post_many(void *argument) {
    struct sender *sender = argument;
    for (int i = 0; i < PARCELS_EACH; i++) {
        struct note *note = &sender->notes[i];
        *note = (struct note){.parcel = {.deliver = take_in_order}, .sender = sender->index, .number = i};
        /* Cannot fail: the mailbox closes only after the last one. */
        (void)mailbox_post(&sender->desk->mailbox, &note->parcel);
    }
    return NULL;
}

static void parcels_of_many_threads_all_arrive_in_each_ones_order(void **state) {
    (void)state;
    struct desk desk;
    open_desk(&desk);
    struct sender senders[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.desk = &desk, .index = i, .notes = calloc(PARCELS_EACH, sizeof(struct note))};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, post_many, &senders[i]), 0);
    }
    uv_run(&desk.loop, UV_RUN_DEFAULT);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        free(senders[i].notes);
    }
    assert_int_equal(desk.received, SENDERS * PARCELS_EACH);
    close_desk(&desk);
}

static void count_it(void *receiver, struct parcel *parcel) {
    (void)parcel;
    ((struct desk *)receiver)->received++;
}

static void post_second(void *receiver, struct parcel *parcel) {
    (void)parcel;
    struct desk *desk = receiver;
    desk->received++;
    assert_int_equal(mailbox_post(&desk->mailbox, &desk->second->parcel), 0);
}

static void what_is_posted_during_a_delivery_waits_for_the_next_turn(void **state) {
    (void)state;
    struct desk desk;
    open_desk(&desk);
    struct note first = {.parcel = {.deliver = post_second}};
    struct note second = {.parcel = {.deliver = count_it}};
    desk.second = &second;
    assert_int_equal(mailbox_post(&desk.mailbox, &first.parcel), 0);
    uv_run(&desk.loop, UV_RUN_ONCE);
    assert_int_equal(desk.received, 1);
    uv_run(&desk.loop, UV_RUN_ONCE);
    assert_int_equal(desk.received, 2);
    mailbox_close(&desk.mailbox, NULL);
    close_desk(&desk);
}

static void closing_delivers_what_waits_and_refuses_what_comes_later(void **state) {
    (void)state;
    struct desk desk;
    open_desk(&desk);
    struct note waiting = {.parcel = {.deliver = count_it}};
    struct note late = {.parcel = {.deliver = count_it}};
    assert_int_equal(mailbox_post(&desk.mailbox, &waiting.parcel), 0);
    mailbox_close(&desk.mailbox, NULL);
    assert_int_equal(desk.received, 1);
    assert_int_equal(mailbox_post(&desk.mailbox, &late.parcel), STATUS_SHUTTING_DOWN);
    close_desk(&desk);
    assert_int_equal(desk.received, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parcels_of_many_threads_all_arrive_in_each_ones_order),
        cmocka_unit_test(what_is_posted_during_a_delivery_waits_for_the_next_turn),
        cmocka_unit_test(closing_delivers_what_waits_and_refuses_what_comes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
