/* The door between the log and state: every kind of command, and the same state from the same log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "storage/thread_store.h"
#include "tests/lib/store_fixture.h"

#define USERS 6
#define THREADS 3

static struct fixture fixture;
static uint64_t chance_state;
static unsigned first_thread; /* deleted threads never come back, so others follow */

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    chance_state = 4711;
    first_thread = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static unsigned chance(unsigned below) {
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance_state >> 33) % below;
}

static struct bytes name(const char *format, unsigned number) {
    char text[64];
    snprintf(text, sizeof(text), format, number);
    return arena_copy(&fixture.arena, bytes_of_text(text));
}

static struct bytes user_id(unsigned number) {
    return name("8:acs:r_%u", number);
}

static struct bytes thread_id(unsigned number) {
    return name("19:t%u@thread.v2", number);
}

static struct command thread_command(enum command_kind kind, unsigned thread, unsigned user) {
    return (struct command){
        .kind = kind, .subject = fixture_hash(&fixture, thread_id(thread)), .actor_id = user_id(user)};
}

static void participants_take(struct command *command, unsigned count) {
    command->participants.items = ARENA_NEW_ARRAY(&fixture.arena, struct participant, count);
    command->participants.count = count;
    for (unsigned i = 0; i < count; i++)
        command->participants.items[i].user_id = user_id(chance(USERS));
}

static void cursors_take(struct command *command, unsigned count) {
    command->cursors = ARENA_NEW_ARRAY(&fixture.arena, struct event_cursor, count);
    command->cursors_count = count;
    for (unsigned i = 0; i < count; i++)
        command->cursors[i] = (struct event_cursor){.consumer = {{(uint8_t)(1 + i)}}, .offset = chance(40)};
}

static uint64_t message_ids[64];

static unsigned first_user;

/* Anything that a client might ask for, sensible or not. Who is deleted does not come again, so others must come. */
static struct command any_command(void) {
    static const enum command_kind kinds[] = {
        COMMAND_THREAD_CREATE,    COMMAND_THREAD_UPDATE,      COMMAND_THREAD_DELETE, COMMAND_MESSAGE_SEND,
        COMMAND_MESSAGE_SEND,     COMMAND_MESSAGE_SEND,       COMMAND_MESSAGE_EDIT,  COMMAND_MESSAGE_DELETE,
        COMMAND_PARTICIPANTS_ADD, COMMAND_PARTICIPANT_REMOVE, COMMAND_RECEIPT_SEND,  COMMAND_USER_CREATE,
        COMMAND_USER_REVOKE,      COMMAND_USER_DELETE,        COMMAND_USER_THREAD,   COMMAND_THREAD_PURGE,
        COMMAND_OUTBOX_DONE,      COMMAND_EVENTS_DONE,        COMMAND_EVENTS_EXPIRE, COMMAND_USER_FORGET,
        COMMAND_THREAD_HOLD,      COMMAND_THREAD_UNDELETE,    COMMAND_THREAD_SHRED,  COMMAND_USER_PUSH_SET,
        COMMAND_USER_PUSH_REMOVE};
    enum command_kind kind = kinds[chance(sizeof(kinds) / sizeof(kinds[0]))];
    unsigned thread = first_thread + chance(THREADS);
    if ((kind == COMMAND_THREAD_DELETE || kind == COMMAND_USER_DELETE) && chance(8) != 0)
        kind = COMMAND_MESSAGE_SEND;
    first_thread += kind == COMMAND_THREAD_DELETE ? 1 : 0;
    first_user += kind == COMMAND_USER_DELETE ? 1 : 0;
    struct command command = thread_command(kind, thread, chance(USERS));
    if (kind >= COMMAND_USER_CREATE) {
        command.user_id = user_id(first_user + chance(USERS));
        command.subject = fixture_hash(&fixture, command.user_id);
        command.actor_id = BYTES_ABSENT;
    } else if (kind >= COMMAND_OUTBOX_DONE) {
        command.actor_id = BYTES_ABSENT;
    } else {
        participants_take(&command, 1 + chance(4));
        command.user_id = user_id(chance(USERS));
    }
    if (kind == COMMAND_THREAD_CREATE || kind == COMMAND_USER_CREATE)
        command.wrapped_key = fixture_key(&fixture, &command.subject);
    command.properties.id = kind == COMMAND_THREAD_CREATE ? thread_id(thread) : BYTES_ABSENT;
    command.properties.topic = name("topic %u", chance(3));
    command.message_id = message_ids[chance(64)];
    command.message_type = MESSAGE_TEXT;
    command.content = name("content %u", chance(1000));
    command.display_name = BYTES_LITERAL("");
    command.idempotency = (enum idempotency_kind)chance(3);
    command.idempotency_id = name("id %u", chance(20));
    command.body_hash = BYTES_LITERAL("0123456789abcdef");
    command.number = chance(20);
    command.thread_id = thread_id(thread);
    command.thread_hash = fixture_hash(&fixture, command.thread_id);
    command.membership = (enum membership)(1 + chance(3));
    command.offset = chance(30);
    command.valid_from_s = chance(100);
    command.reason = chance(2) == 0 ? BYTES_ABSENT : name("reason %u", chance(3));
    command.keep_ms = chance(3);
    command.is_watched = kind < COMMAND_OUTBOX_DONE && chance(4) != 0;
    command.registration = (struct push_registration){.id = name("device %u", chance(30)),
                                                      .transport = PUSH_APNS,
                                                      .address = BYTES_LITERAL("token"),
                                                      .created_ms = chance(100),
                                                      .expires_ms = chance(3) == 0 ? chance(1000) : 0};
    cursors_take(&command, kind == COMMAND_EVENTS_DONE ? 1 + chance(3) : 0);
    return command;
}

/* Appends and applies as the disk worker does. */
static int log_and_apply(struct command *command, uint64_t number) {
    struct store_transaction *transaction = NULL;
    struct log_place place = {.range = 0, .epoch = 1, .index = number};
    struct buffer encoded;
    size_t bytes;
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    struct apply_context context = fixture_context(&fixture, transaction);
    buffer_init(&encoded);
    command->time_ms = fixture.now_ms += chance(3);
    command_encode(command, &encoded);
    check(range_log_append(transaction, &fixture.master, number, &place, &command->subject, command->wrapped_key,
                           buffer_bytes(&encoded), &bytes) == STATUS_OK);
    buffer_close(&encoded);
    int rc = command_apply(&context, command, &fixture.outcome);
    check(rc == STATUS_OK && store_commit(transaction) == STATUS_OK);
    return fixture.outcome.result.rc;
}

/* Every row of state and outbox with its plain contents, so that two stores can be compared: nonces differ. */
static struct buffer state_dump(struct fixture *of) {
    struct store_transaction *transaction = fixture_read(of);
    struct buffer dump;
    struct bytes key;
    struct bytes value;
    buffer_init(&dump);
    for (int table = 0; table < 2; table++) {
        enum store_table tables[] = {STORE_STATE, STORE_OUTBOX};
        struct store_cursor *cursor = NULL;
        check(store_cursor_open(transaction, tables[table], &cursor) == STATUS_OK);
        for (int rc = store_cursor_seek(cursor, BYTES_LITERAL("\0"), &key, &value); rc == STATUS_OK;
             rc = store_cursor_next(cursor, &key, &value)) {
            struct seal_key data_key;
            struct bytes plain = value;
            struct id_hash subject = key_subject(key);
            bool is_under_master = tables[table] == STORE_OUTBOX || row_kind_is_under_master(key_row_kind(key));
            bool has_key = subject_key_get(transaction, &of->master, &subject, &data_key) == STATUS_OK;
            if (is_under_master || (has_key && key_row_kind(key) != ROW_KEY))
                check(seal_open(is_under_master ? &of->master : &data_key, tables[table], key, value, &of->arena,
                                &plain) == STATUS_OK);
            else if (!has_key)
                plain = BYTES_LITERAL("left over");
            buffer_append_bytes(&dump, key);
            buffer_append_bytes(&dump, plain);
        }
        store_cursor_close(cursor);
    }
    store_abort(transaction);
    return dump;
}

struct replay {
    struct fixture *replica;
    size_t count;
};

static bool entry_replay(void *context, const struct log_entry *entry, size_t stored_bytes) {
    struct replay *replay = context;
    struct store_transaction *transaction = NULL;
    struct command command;
    struct outcome outcome;
    (void)stored_bytes;
    check(store_begin_write(replay->replica->store, &transaction) == STATUS_OK);
    struct apply_context apply = fixture_context(replay->replica, transaction);
    check(bytes_is_present(entry->command));
    check(command_decode(entry->command, &replay->replica->arena, &command) == STATUS_OK);
    check(command_apply(&apply, &command, &outcome) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
    replay->count++;
    return true;
}

/* Nothing of the time of applying, of chance or of memory may get into state: only the log. Batch by batch, because a
 * deletion shreds the log of its thread. */
static void a_replica_that_applies_the_log_has_the_same_state(void **state) {
    struct fixture replica;
    struct replay replay = {.replica = &replica};
    unsigned accepted = 0;
    struct command purge = {.kind = COMMAND_MESSAGE_SEND};
    (void)state;
    fixture_open(&replica);
    for (uint64_t number = 1; number <= 3000; number++) {
        struct command command = purge.kind == COMMAND_THREAD_PURGE ? purge : any_command();
        if (number <= USERS) {
            command.kind = COMMAND_USER_CREATE;
            command.user_id = user_id((unsigned)number % USERS);
            command.subject = fixture_hash(&fixture, command.user_id);
            command.wrapped_key = fixture_key(&fixture, &command.subject);
        }
        accepted += log_and_apply(&command, number) == STATUS_OK;
        if (command.kind == COMMAND_MESSAGE_SEND && fixture.outcome.result.rc == STATUS_OK)
            message_ids[number % 64] = fixture.outcome.result.message_id;
        purge.kind = command.kind == COMMAND_USER_DELETE ? COMMAND_THREAD_PURGE : COMMAND_MESSAGE_SEND;
        purge.subject = command.subject;
        if (command.kind == COMMAND_THREAD_DELETE || command.kind == COMMAND_USER_DELETE) {
            /* Its own entry is shredded with it: a replica has it from the primary, not from this log. */
            struct outcome outcome;
            struct store_transaction *transaction = NULL;
            check(store_begin_write(replica.store, &transaction) == STATUS_OK);
            struct apply_context apply = fixture_context(&replica, transaction);
            check(command_apply(&apply, &command, &outcome) == STATUS_OK);
            check(store_commit(transaction) == STATUS_OK);
            assert_int_equal(outcome.result.rc, fixture.outcome.result.rc);
        } else {
            struct store_transaction *transaction = fixture_read(&fixture);
            struct log_entry entry;
            struct bytes stored;
            struct key key = key_of_log(number);
            check(store_get(transaction, STORE_LOG, key_bytes(&key), &stored) == STATUS_OK);
            check(range_log_open(transaction, &fixture.master, &fixture.arena, key_bytes(&key), stored, &entry) ==
                  STATUS_OK);
            store_abort(transaction);
            if (bytes_is_present(entry.command))
                entry_replay(&replay, &entry, 0);
            else
                assert_true(command.kind == COMMAND_THREAD_CREATE || command.kind == COMMAND_USER_CREATE); /* refused */
        }
        if (number % 250 != 0)
            continue;
        struct buffer ours = state_dump(&fixture);
        struct buffer theirs = state_dump(&replica);
        assert_true(bytes_equal(buffer_bytes(&ours), buffer_bytes(&theirs)));
        buffer_close(&ours);
        buffer_close(&theirs);
    }
    assert_true(accepted > 1000);
    assert_true(replay.count > 2000);
    fixture_close(&replica);
}

static uint64_t rows_of(enum store_table table) {
    return fixture_rows(&fixture, table);
}

static void an_unknown_kind_of_command_is_refused_and_changes_nothing(void **state) {
    struct command command = {.kind = (enum command_kind)99};
    (void)state;
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_MALFORMED);
    assert_int_equal(rows_of(STORE_STATE), 0);
}

static int thread_create(void) {
    struct command command = thread_command(COMMAND_THREAD_CREATE, 1, 1);
    command.properties.id = thread_id(1);
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    return fixture_apply(&fixture, &command);
}

static void a_purge_never_touches_what_is_in_use(void **state) {
    struct command purge = {.kind = COMMAND_THREAD_PURGE};
    (void)state;
    assert_int_equal(thread_create(), STATUS_OK);
    uint64_t before = rows_of(STORE_STATE);
    purge.subject = fixture_hash(&fixture, thread_id(1));
    assert_int_equal(fixture_apply(&fixture, &purge), STATUS_OK);
    assert_true(fixture.outcome.is_purge_done);
    assert_int_equal(rows_of(STORE_STATE), before);
}

static void a_purge_takes_its_own_row_off_the_outbox_when_it_is_done(void **state) {
    struct command purge = {.kind = COMMAND_THREAD_PURGE};
    (void)state;
    assert_int_equal(thread_create(), STATUS_OK);
    struct command command = thread_command(COMMAND_THREAD_DELETE, 1, 1);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_int_equal(rows_of(STORE_OUTBOX), 3); /* joined, deleted, purge */
    purge.subject = command.subject;
    assert_int_equal(fixture_apply(&fixture, &purge), STATUS_OK);
    assert_int_equal(rows_of(STORE_OUTBOX), 2);
    assert_int_equal(fixture_apply(&fixture, &purge), STATUS_OK);
    assert_true(fixture.outcome.is_purge_done);
}

static void outbox_done_takes_off_one_row_and_may_be_repeated(void **state) {
    struct command done = {.kind = COMMAND_OUTBOX_DONE, .number = 2};
    (void)state;
    assert_int_equal(thread_create(), STATUS_OK);
    assert_int_equal(rows_of(STORE_OUTBOX), 1);
    done.subject = fixture_hash(&fixture, thread_id(2));
    assert_int_equal(fixture_apply(&fixture, &done), STATUS_OK);
    assert_int_equal(rows_of(STORE_OUTBOX), 1);
    done.subject = fixture_hash(&fixture, thread_id(1));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fixture_apply(&fixture, &done), STATUS_OK);
        assert_int_equal(rows_of(STORE_OUTBOX), 0);
    }
}

/* The log entry of a creation brings its key before the rules refuse it. */
static void a_refused_creation_leaves_no_key_behind(void **state) {
    (void)state;
    assert_int_equal(thread_create(), STATUS_OK);
    struct command command = thread_command(COMMAND_THREAD_DELETE, 1, 1);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    uint64_t before = rows_of(STORE_STATE);
    command = thread_command(COMMAND_THREAD_CREATE, 1, 1);
    command.properties.id = thread_id(1);
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    assert_int_equal(log_and_apply(&command, 1), STATUS_CONFLICT);
    assert_int_equal(rows_of(STORE_STATE), before);
}

int main(void) {
#define APPLIED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        APPLIED(a_replica_that_applies_the_log_has_the_same_state),
        APPLIED(an_unknown_kind_of_command_is_refused_and_changes_nothing),
        APPLIED(a_purge_never_touches_what_is_in_use),
        APPLIED(a_purge_takes_its_own_row_off_the_outbox_when_it_is_done),
        APPLIED(outbox_done_takes_off_one_row_and_may_be_repeated),
        APPLIED(a_refused_creation_leaves_no_key_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
