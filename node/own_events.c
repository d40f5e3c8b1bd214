/* Threads that have events for those outside: the core tells of them, and they stay in the feed while their ranges are
 * led here. */
#include "node/events/delivery.h"
#include "node/ops/metrics.h"
#include "node/server_parts.h"

#define LOOKS_PER_TICK 16

void own_events_take(struct server *server, const struct action *action) {
    struct delivery *delivery = server->delivery;
    feed_add(server->feed, action->subjects, action->subjects_count);
    if (delivery != NULL)
        delivery_wake(delivery);
}

void own_events_notice(struct server *server, const struct change *change) {
    struct delivery *delivery = server->delivery;
    if (delivery != NULL && atomic_load(&server->is_watched))
        delivery_notice(delivery, change);
}

static void metrics_update(struct server *server) {
    struct delivery_fact *facts;
    struct arena arena;
    size_t count;
    arena_init(&arena);
    if (server->delivery != NULL && delivery_consumers(server->delivery, &arena, &facts, &count))
        metrics_events_update(facts, count, worker_wall_ms());
    arena_close(&arena);
}

/* Who is to lead a range knows its threads from the outbox; while nobody does it may yet be this node. */
void own_events_tick(struct server *server) {
    struct id_hash thread;
    uint64_t serial;
    for (int i = 0; server->leads != NULL && i < LOOKS_PER_TICK && feed_next_to_tidy(server->feed, &thread, &serial);
         i++)
        if (routing_place(server, &thread) == GATEWAY_ELSEWHERE)
            feed_drop(server->feed, &thread, serial);
    metrics_update(server);
}
