/* What this node's disk can still do, as its batches end; and what follows from that. In a full store what is in a log
 * already uses the reserve, because every replica must come as far as the others whatever its room is; so nobody takes
 * more into the log, until a probe finds room elsewhere. Who cannot write at all leads nothing, if others can. */
#include "node/core/node_core_parts.h"
#include "proto/check.h"
#include "proto/status.h"

#define PROBE_PAUSE_MS 1000

bool disk_state_is_removal(const struct entry *entry) {
    switch (entry->command.kind) {
    case COMMAND_THREAD_DELETE:
    case COMMAND_MESSAGE_DELETE:
    case COMMAND_THREAD_PURGE:
    case COMMAND_THREAD_SHRED:
    case COMMAND_OUTBOX_DONE:
    case COMMAND_EVENTS_EXPIRE:
    case COMMAND_USER_DELETE:
    case COMMAND_USER_FORGET:
    case COMMAND_USER_PUSH_REMOVE:
        return true;
    default:
        return false;
    }
}

void disk_state_tell(const struct node_core *core, struct range *range) {
    bool is_alone = core->options.is_alone;
    range->replication.is_full = !is_alone && core->disk == NODE_CORE_DISK_IS_FULL;
    range->replication.is_refusing = !is_alone && core->disk == NODE_CORE_DISK_REFUSES;
}

static void state_set(struct node_core *core, enum node_core_disk disk) {
    if (core->disk == disk)
        return;
    core->disk = disk;
    for (uint32_t i = 0; i < core->options.range_count; i++)
        disk_state_tell(core, &core->ranges[i]);
}

/* The others might take over what one range only has asked too much for, but nobody here can tell. */
static void on_batch_in_cluster(struct node_core *core, const struct step *step, const struct batch *batch) {
    if (batch->rc == STATUS_OK && !batch->used_reserve && !batch->is_probe)
        return; /* it may have been a small one */
    core->probe_ms = step->mono_ms + PROBE_PAUSE_MS;
    if (batch->rc != STATUS_OK) {
        core->disk_rc = batch->rc;
        state_set(core, NODE_CORE_DISK_REFUSES);
    } else if (batch->is_probe || core->disk == NODE_CORE_DISK_WORKS) {
        state_set(core, batch->used_reserve ? NODE_CORE_DISK_IS_FULL : NODE_CORE_DISK_WORKS);
    }
}

void disk_state_on_batch(struct node_core *core, const struct step *step, const struct batch *batch) {
    if (!core->options.is_alone)
        on_batch_in_cluster(core, step, batch);
    else if (batch->rc == STATUS_STORAGE_FULL)
        state_set(core, NODE_CORE_DISK_IS_FULL);
    else if (batch->rc == STATUS_OK && !batch->is_removal)
        state_set(core, NODE_CORE_DISK_WORKS);
}

void disk_state_tick(struct node_core *core, const struct step *step) {
    for (uint32_t i = 0; disk_state_is_closed(core) && core->lent == NULL && i < core->options.range_count; i++) {
        struct range *range = &core->ranges[i];
        if (!range->replication.is_swap_wanted && replication_heir(&range->replication, i, step->mono_ms) != 0)
            pipeline_range_refused(core, step, range, core->disk_rc);
    }
}

int disk_state_refusal(const struct node_core *core, const struct range *range, const struct entry *entry) {
    if (disk_state_is_closed(core))
        return core->disk_rc;
    return replication_is_full(&range->replication) && !disk_state_is_removal(entry) ? STATUS_STORAGE_FULL : STATUS_OK;
}

bool disk_state_is_closed(const struct node_core *core) {
    return !core->options.is_alone && core->disk == NODE_CORE_DISK_REFUSES;
}

bool disk_state_wants_probe(const struct node_core *core, const struct step *step) {
    return !core->options.is_alone && core->disk != NODE_CORE_DISK_WORKS && step->mono_ms >= core->probe_ms;
}

bool disk_state_spares(const struct range *range) {
    const struct replication *replication = &range->replication;
    return replication->is_full && !range_record_has_in_sync(&replication->record, replication->self);
}
