/* What the coordinator says of ranges: the records make the map, and tell each range who holds it; and who should. */
#include "node/core/node_core_parts.h"
#include "proto/status.h"

/* A range that has come by a split is not known before its record comes. */
static bool ranges_grow(struct node_core *core, const struct step *step, uint32_t range) {
    if (range >= core->options.ranges_max)
        return false;
    while (core->options.range_count <= range)
        core_range_start(core, step, core->options.range_count++, &(struct start_range){0});
    return true;
}

/* The new range of a split that we have asked for; epoch 0: this is none. */
static struct range_record expected_of(const struct replication *replication, const struct range_news *news) {
    bool is_ours = replication->is_swap_wanted && news->version > replication->version &&
                   range_record_equal(&news->record, &replication->wanted);
    return is_ours ? replication->wanted_other : (struct range_record){0};
}

/* All others are told what the coordinator has told us: writes wait until they know. */
static void pass_on(struct node_core *core, const struct step *step, const struct range *range) {
    const struct replication *replication = &range->replication;
    int64_t held_ms = range->held_since_ms == 0 ? 0 : step->mono_ms - range->held_since_ms;
    struct buffer encoded;
    buffer_init(&encoded);
    range_record_encode(&replication->record, &encoded);
    struct bytes kept = arena_copy(&core->step_arena, buffer_bytes(&encoded));
    buffer_close(&encoded);
    for (size_t i = 0; i < core->live_count; i++) {
        if (core->live[i] == core->options.self)
            continue;
        struct packet *packet = ARENA_NEW(&core->step_arena, struct packet);
        *packet = (struct packet){.kind = PACKET_RECORD,
                                  .range = replication->range,
                                  .epoch = replication->record.epoch,
                                  .record = kept,
                                  .version = replication->version,
                                  .held_ms = (uint32_t)held_ms};
        struct action *action = action_add(step->actions, ACTION_SEND);
        action->to = core->live[i];
        action->packet = packet;
    }
}

/* The map follows once it is said who leads: what the range had until now ends by the map that it had then. */
static void record_accept(struct node_core *core, const struct step *step, struct range *range,
                          const struct range_news *news) {
    struct replication *replication = &range->replication;
    struct replication_step replication_step = core_replication_step(core, step);
    struct range_record other = expected_of(replication, news);
    uint64_t known_version = replication->version;
    uint64_t known_epoch = replication->record.epoch;
    uint64_t led_epoch = replication->record.primary == core->options.self ? replication->record.epoch : 0;
    if (news->version > replication->version)
        splits_on_child(core, step, range, &news->record);
    bool has_changed =
        news->is_swap ? replication_on_swapped(replication, &replication_step, news->rc, &news->record, news->version)
                      : replication_on_record(replication, &replication_step, &news->record, news->version);
    bool is_given_away = led_epoch != 0 && replication->record.epoch > led_epoch &&
                         replication->record.is_handed_over && replication->record.primary != core->options.self;
    if (is_given_away)
        pass_on(core, step, range);
    if (replication->record.epoch > known_epoch)
        holdings_hear(core, step, &replication->record);
    if (news->is_number_taken)
        replication_on_number_taken(replication, news->version);
    core_touch(core, range);
    core->has_map_changed = core->has_map_changed || replication->version != known_version;
    if (has_changed)
        core_role_changed(core, step, range);
    if (replication->record.has_parent && replication->record.parent < core->options.range_count)
        core_touch(core, &core->ranges[replication->record.parent]);
    if (other.epoch != 0 && ranges_grow(core, step, other.range))
        replication_expect(&core->ranges[other.range].replication, &other);
    if (replication->record.epoch != 0)
        cluster_map_set(&core->map, replication->range, &replication->record.bounds);
}

/* News of two ranges of one split may come in either order: the new range waits until the other is known to have let
 * go. Whoever obeys the new record has then ended its part in the lease of the old one. */
static void record_take(struct node_core *core, const struct step *step, const struct range_news *news) {
    struct range *range = &core->ranges[news->record.range];
    bool is_known = !news->is_swap || news->rc == STATUS_OK || news->rc == STATUS_CONFLICT;
    bool is_newer = is_known && news->version > range->replication.version;
    if (!is_newer || cluster_map_may_set(&core->map, news->record.range, &news->record.bounds)) {
        record_accept(core, step, range, news);
        return;
    }
    if (range->early.version < news->version)
        range->early = *news;
}

/* Each that holds may make room for others. */
static void early_take(struct node_core *core, const struct step *step) {
    for (uint32_t i = 0; i < core->options.range_count; i++) {
        struct range_news early = core->ranges[i].early;
        if (early.version <= core->ranges[i].replication.version ||
            !cluster_map_may_set(&core->map, i, &early.record.bounds))
            continue;
        record_accept(core, step, &core->ranges[i], &early);
    }
}

void records_on_event(struct node_core *core, const struct step *step, const struct event *event) {
    struct range_news news = {.record = *event->record,
                              .version = event->version,
                              .rc = event->rc,
                              .is_swap = event->kind == EVENT_SWAPPED,
                              .is_number_taken = event->is_number_taken};
    if (!bounds_are_said(&news.record.bounds) && news.record.range < core->parts)
        news.record.bounds = bounds_of_part(news.record.range, core->parts);
    if (!bounds_are_said(&news.record.bounds) || !ranges_grow(core, step, news.record.range))
        return;
    uint64_t map_version = core->map.version;
    record_take(core, step, &news);
    if (event->other != NULL && ranges_grow(core, step, event->other->range))
        record_take(core, step, &(struct range_news){.record = *event->other, .version = event->version});
    while (core->map.version != map_version) {
        map_version = core->map.version;
        early_take(core, step);
    }
}

void records_on_packet(struct node_core *core, const struct step *step, const struct event *event) {
    const struct packet *packet = event->packet;
    const struct range_record *known = &core->ranges[packet->range].replication.record;
    struct range_record record;
    if (range_record_decode(packet->record, &record) != STATUS_OK || record.range != packet->range ||
        known->epoch == 0 || !bounds_equal(&record.bounds, &known->bounds))
        return;
    /* The coordinator may have been quicker. */
    bool is_known = packet->version == core->ranges[packet->range].replication.version;
    if (event->from != known->primary && !is_known)
        return;
    records_on_event(core, step, &(struct event){.kind = EVENT_RECORD, .record = &record, .version = packet->version});
    if (record.primary == core->options.self)
        holdings_held_elsewhere(core, &core->ranges[packet->range], record.epoch, packet->held_ms);
}

void records_on_placement(struct node_core *core, const struct step *step, const struct event *event) {
    uint32_t range = event->placement->range;
    if (ranges_grow(core, step, range))
        replication_on_placement(&core->ranges[range].replication, event->placement, event->version);
}
