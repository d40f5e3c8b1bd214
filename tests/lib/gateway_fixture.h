#pragma once
/* A gateway without sockets over a store in a temporary folder: commands are applied at once and what they lead to is
 * delivered to the one worker's sessions, as core and server do it. For unit tests of what lies between. */
#include "node/gateway/fanout.h"
#include "node/gateway/presence.h"
#include "node/gateway/session.h"
#include "tests/lib/store_fixture.h"

#define TOLD_MAX 512

/* A session that writes down what it is told. */
struct listener {
    struct session session;
    size_t told_count;
    struct {
        enum change_kind kind;
        uint64_t offset;
    } told[TOLD_MAX];
    size_t catch_ups;
    size_t skips;
    size_t token_changes;
    size_t drains;
};

struct gateway_fixture {
    struct fixture store;
    struct config config;
    struct settings settings;
    struct gateway gateway;
    struct worker worker;
    struct gateway_worker gateway_worker;
    struct entry *proposed; /* the newest; freed at the next */
    size_t notices;
    struct bytes typing_name; /* of the newest notice */
};

static inline void listener_tell(struct session *session, struct broadcast *broadcast) {
    struct listener *self = (struct listener *)session;
    check(self->told_count < TOLD_MAX);
    self->told[self->told_count].kind = broadcast_kind(broadcast);
    self->told[self->told_count++].offset = broadcast_offset(broadcast);
}

static inline void listener_skip(struct session *session, struct broadcast *broadcast) {
    (void)broadcast;
    ((struct listener *)session)->skips++;
}

static inline void listener_catch_up(struct session *session, const struct id_hash *thread, uint64_t offset) {
    (void)thread;
    (void)offset;
    ((struct listener *)session)->catch_ups++;
}

static inline void listener_token_changed(struct session *session) {
    ((struct listener *)session)->token_changes++;
}

static inline void listener_drain(struct session *session, uint32_t after_ms) {
    (void)after_ms;
    ((struct listener *)session)->drains++;
}

static inline void listener_free(struct session *session) {
    session_end(session);
    free(session);
}

static const struct session_kind listener_kind = {.tell = listener_tell,
                                                  .skip = listener_skip,
                                                  .catch_up = listener_catch_up,
                                                  .on_token_changed = listener_token_changed,
                                                  .on_drain = listener_drain,
                                                  .free = listener_free};

static inline int gateway_fixture_propose(void *core, struct entry *entry) {
    struct gateway_fixture *fixture = core;
    if (fixture->proposed != NULL)
        entry_free(fixture->proposed);
    fixture->proposed = entry;
    return STATUS_OK;
}

static inline int gateway_fixture_notice(void *core, const struct change *change) {
    struct gateway_fixture *fixture = core;
    fixture->notices++;
    fixture->typing_name = arena_copy(&fixture->store.arena, change->typing->display_name);
    return STATUS_OK;
}

/* The fixture must not move afterwards. */
static inline void gateway_fixture_open(struct gateway_fixture *fixture) {
    *fixture = (struct gateway_fixture){.settings = {.resource_id = "r"}};
    fixture_open(&fixture->store);
    config_defaults(&fixture->config);
    memcpy(fixture->settings.hash_key, fixture->store.hash_key, ID_HASH_KEY_BYTES);
    fixture->gateway = (struct gateway){.config = &fixture->config,
                                        .settings = &fixture->settings,
                                        .store = fixture->store.store,
                                        .master = &fixture->store.master,
                                        .workers = &fixture->gateway_worker,
                                        .workers_count = 1,
                                        .core = fixture,
                                        .propose = gateway_fixture_propose,
                                        .notice = gateway_fixture_notice,
                                        .presence = presence_new()};
    fixture->gateway_worker = (struct gateway_worker){
        .gateway = &fixture->gateway, .worker = &fixture->worker, .sessions = session_table_new()};
    fixture->worker.context = &fixture->gateway_worker;
}

static inline void gateway_fixture_close(struct gateway_fixture *fixture) {
    if (fixture->proposed != NULL)
        entry_free(fixture->proposed);
    session_table_free(fixture->gateway_worker.sessions);
    presence_free(fixture->gateway.presence);
    fixture_close(&fixture->store);
}

static inline void gateway_fixture_tell(struct gateway_fixture *fixture, const struct change *change) {
    struct broadcast *broadcast = broadcast_new(change, 0, 1);
    fanout_deliver(&fixture->gateway_worker, broadcast);
    broadcast_release(broadcast);
}

/* What the last command led to: told now, follow-ups applied and told after it. */
static inline void gateway_fixture_tell_outcome(struct gateway_fixture *fixture) {
    struct outcome outcome = fixture->store.outcome;
    for (struct outcome_change *each = outcome.changes; each != NULL; each = each->next)
        gateway_fixture_tell(fixture, &each->change);
    for (struct outcome_follow_up *each = outcome.follow_ups; each != NULL; each = each->next) {
        for (size_t i = 0; i < each->row.users_count && !each->row.is_purge; i++) {
            struct command command = {.kind = COMMAND_USER_THREAD,
                                      .subject = each->row.users[i].hash,
                                      .thread_hash = each->subject,
                                      .thread_id = each->row.thread_id,
                                      .membership = each->row.membership,
                                      .offset = each->row.offset};
            fixture_apply(&fixture->store, &command);
            for (struct outcome_change *told = fixture->store.outcome.changes; told != NULL; told = told->next)
                gateway_fixture_tell(fixture, &told->change);
        }
    }
    fixture->store.outcome = outcome;
}

/* Applies a command and tells what follows. */
static inline int gateway_fixture_do(struct gateway_fixture *fixture, struct command *command) {
    int rc = fixture_apply(&fixture->store, command);
    gateway_fixture_tell_outcome(fixture);
    return rc;
}

static inline void gateway_fixture_user(struct gateway_fixture *fixture, struct bytes user_id) {
    struct command command = {
        .kind = COMMAND_USER_CREATE, .subject = fixture_hash(&fixture->store, user_id), .user_id = user_id};
    command.wrapped_key = fixture_key(&fixture->store, &command.subject);
    check(fixture_apply(&fixture->store, &command) == STATUS_OK);
}

static inline struct caller gateway_fixture_caller(struct gateway_fixture *fixture, struct bytes user_id) {
    return (struct caller){.user_id = user_id,
                           .hash = fixture_hash(&fixture->store, user_id),
                           .scopes = TOKEN_SCOPE_CHAT,
                           .token_issued_s = 1000,
                           .token_expires_s = INT32_MAX};
}

/* In the table, not yet listening to anything. Freed with the fixture. */
static inline struct listener *gateway_fixture_listener(struct gateway_fixture *fixture, struct bytes user_id) {
    struct listener *self = calloc(1, sizeof(*self));
    check(self != NULL);
    struct caller caller = gateway_fixture_caller(fixture, user_id);
    session_begin(&self->session, &listener_kind, &fixture->gateway_worker, &caller);
    return self;
}
