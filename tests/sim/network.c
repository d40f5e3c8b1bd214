/* Packets between machines: encoded, delayed, lost, doubled, overtaken. */
#include <stdlib.h>

#include "proto/check.h"
#include "tests/sim/world.h"

#define LATE_US_MAX 1500000

static int64_t delay_choose(struct world *world) {
    struct network *network = &world->network;
    if (chance_per_mille(&world->chance, network->late_per_mille)) {
        world->statistics.faults[FAULT_PACKET_LATE]++;
        return chance_between(&world->chance, 1, LATE_US_MAX);
    }
    return chance_between(&world->chance, 50, network->delay_us_max);
}

static void fly(struct world *world, const struct machine *from, const struct machine *to, struct bytes encoded) {
    uint8_t *copy = malloc(encoded.size);
    check(copy != NULL);
    memcpy(copy, encoded.data, encoded.size);
    world_plan(
        world, delay_choose(world),
        &(struct happening){
            .kind = HAPPEN_PACKET, .machine = to->number, .number = from->id, .data = copy, .size = encoded.size});
}

void network_send(struct world *world, const struct machine *from, uint64_t to_id, const struct packet *packet) {
    struct network *network = &world->network;
    const struct machine *to = world_machine(world, to_id);
    struct buffer encoded;
    if (to == NULL || network->is_cut[from->number][to->number])
        return;
    buffer_init(&encoded);
    packet_encode(packet, &encoded);
    world_mix(world, hash_of_bytes(buffer_bytes(&encoded)));
    bool is_doubled = chance_per_mille(&world->chance, network->double_per_mille);
    world->statistics.faults[FAULT_PACKET_DOUBLED] += is_doubled;
    for (int i = 0; i <= is_doubled; i++) {
        if (chance_per_mille(&world->chance, network->loss_per_mille))
            world->statistics.faults[FAULT_PACKET_LOST]++;
        else
            fly(world, from, to, buffer_bytes(&encoded));
    }
    buffer_close(&encoded);
}
