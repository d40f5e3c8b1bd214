#include "node/events/event_sample.h"

#include "proto/check.h"

#define SAMPLE_THREAD "19:acsV1_sample-thread-of-nobody-000000000000000000001@thread.v2"
#define MINUTE_MS 60000

/* The changes that give each type, in the order of trying. */
static const enum change_kind kinds[] = {CHANGE_MESSAGE_RECEIVED,   CHANGE_MESSAGE_EDITED,       CHANGE_MESSAGE_DELETED,
                                         CHANGE_THREAD_CREATED,     CHANGE_THREAD_UPDATED,       CHANGE_THREAD_DELETED,
                                         CHANGE_PARTICIPANTS_ADDED, CHANGE_PARTICIPANTS_REMOVED, CHANGE_TYPING};

static struct participant *people_make(struct bytes resource_id, struct arena *arena) {
    struct participant *people = ARENA_NEW_ARRAY(arena, struct participant, 3);
    people[0] = (struct participant){
        .user_id = arena_printf(arena, "8:acs:%.*s_00000000-0000-0000-0000-000000000001", BYTES_ARG(resource_id)),
        .display_name = BYTES_LITERAL("Sample Sender")};
    people[1] = (struct participant){
        .user_id = arena_printf(arena, "8:acs:%.*s_00000000-0000-0000-0000-000000000002", BYTES_ARG(resource_id)),
        .display_name = BYTES_LITERAL("Sample Recipient")};
    people[2] = (struct participant){.user_id = BYTES_LITERAL("28:orgid:00000000-0000-0000-0000-000000000003"),
                                     .display_name = BYTES_LITERAL("Sample Bot")};
    return people;
}

static struct metadata metadata_make(struct arena *arena) {
    struct metadata_pair *pair = ARENA_NEW(arena, struct metadata_pair);
    *pair = (struct metadata_pair){BYTES_LITERAL("sample"), BYTES_LITERAL("true")};
    return (struct metadata){.pairs = pair, .count = 1, .is_present = true};
}

static struct message message_make(enum change_kind kind, const struct participant *sender, int64_t now_ms,
                                   struct arena *arena) {
    bool is_deleted = kind == CHANGE_MESSAGE_DELETED;
    return (struct message){.id = (uint64_t)(now_ms - MINUTE_MS),
                            .sequence = 3,
                            .version = (uint64_t)now_ms,
                            .type = MESSAGE_TEXT,
                            .created_ms = now_ms - MINUTE_MS,
                            .edited_ms = kind == CHANGE_MESSAGE_EDITED ? now_ms : 0,
                            .deleted_ms = is_deleted ? now_ms : 0,
                            .actor_id = sender->user_id,
                            .display_name = sender->display_name,
                            .content = is_deleted ? BYTES_LITERAL("") : BYTES_LITERAL("This is a sample."),
                            .metadata = metadata_make(arena)};
}

static struct participants concerned_of(enum change_kind kind, struct participant *people) {
    if (kind == CHANGE_THREAD_CREATED)
        return (struct participants){people, 3};
    bool is_of_participants = kind == CHANGE_PARTICIPANTS_ADDED || kind == CHANGE_PARTICIPANTS_REMOVED;
    return is_of_participants ? (struct participants){people + 1, 1} : (struct participants){0};
}

static struct change *change_make(enum change_kind kind, struct participant *people, int64_t now_ms,
                                  struct arena *arena) {
    struct change *change = ARENA_NEW(arena, struct change);
    *change = (struct change){.kind = kind,
                              .thread_id = BYTES_LITERAL(SAMPLE_THREAD),
                              .offset = (uint64_t)now_ms,
                              .version = (uint64_t)now_ms,
                              .time_ms = now_ms,
                              .actor_id = people[0].user_id,
                              .actor_display_name = people[0].display_name,
                              .properties = {.topic = BYTES_LITERAL("Sample topic"),
                                             .created_ms = now_ms - 2 * MINUTE_MS,
                                             .metadata = metadata_make(arena)},
                              .participants = concerned_of(kind, people)};
    if (kind <= CHANGE_MESSAGE_DELETED)
        change->message = message_make(kind, &people[0], now_ms, arena);
    if (kind != CHANGE_TYPING)
        return change;
    change->typing = ARENA_NEW(arena, struct typing_notice);
    *change->typing = (struct typing_notice){people[0].user_id, people[0].display_name, now_ms};
    change->typing_count = 1;
    return change;
}

/* False: that change gives no such event. */
static bool sample_find(enum event_type type, const struct event_source *source, struct arena *arena,
                        struct server_event *event) {
    for (size_t i = 0; i < server_events_count(source); i++) {
        server_event_make(source, i, arena, event);
        if (event->type == type)
            return true;
        server_event_close(event);
    }
    return false;
}

void event_sample_make(enum event_type type, struct bytes resource_id, const uint8_t *key, int64_t now_ms,
                       struct arena *arena, struct server_event *event) {
    struct participant *people = people_make(resource_id, arena);
    bool is_found = false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !is_found; i++) {
        struct event_source source = {.change = change_make(kinds[i], people, now_ms, arena),
                                      .members = people,
                                      .members_count = 3,
                                      .thread_created_ms = now_ms - 2 * MINUTE_MS,
                                      .key = key};
        is_found = sample_find(type, &source, arena, event);
    }
    check(is_found);
}
