#include "node/peer/send_queue.h"

#include <stdlib.h>

#include "proto/check.h"

struct queued_packet {
    struct queued_packet *next, *previous;
    struct queued_packet *next_large, *previous_large;
    size_t size;
    uint8_t bytes[];
};

void send_queue_init(struct send_queue *queue) {
    *queue = (struct send_queue){0};
}

void send_queue_close(struct send_queue *queue) {
    send_queue_trim(queue, 0);
}

static size_t cost(const struct queued_packet *packet) {
    return packet->size + SEND_QUEUE_OVERHEAD_BYTES;
}

static bool is_large(const struct queued_packet *packet) {
    return packet->size > SEND_QUEUE_SMALL_BYTES;
}

static void link_last(struct send_queue *queue, struct queued_packet *packet) {
    packet->previous = queue->last;
    *(queue->last == NULL ? &queue->first : &queue->last->next) = packet;
    queue->last = packet;
    if (!is_large(packet))
        return;
    packet->previous_large = queue->last_large;
    *(queue->last_large == NULL ? &queue->first_large : &queue->last_large->next_large) = packet;
    queue->last_large = packet;
}

static void take_out(struct send_queue *queue, struct queued_packet *packet) {
    *(packet->previous == NULL ? &queue->first : &packet->previous->next) = packet->next;
    *(packet->next == NULL ? &queue->last : &packet->next->previous) = packet->previous;
    if (is_large(packet)) {
        *(packet->previous_large == NULL ? &queue->first_large : &packet->previous_large->next_large) =
            packet->next_large;
        *(packet->next_large == NULL ? &queue->last_large : &packet->next_large->previous_large) =
            packet->previous_large;
    }
    queue->bytes -= cost(packet);
    queue->count--;
    free(packet);
}

size_t send_queue_push(struct send_queue *queue, struct bytes packet, size_t bytes_max) {
    struct queued_packet *queued = calloc(1, sizeof(*queued) + packet.size);
    check(queued != NULL);
    queued->size = packet.size;
    if (packet.size > 0)
        memcpy(queued->bytes, packet.data, packet.size);
    link_last(queue, queued);
    queue->bytes += cost(queued);
    queue->count++;
    return send_queue_trim(queue, bytes_max);
}

size_t send_queue_trim(struct send_queue *queue, size_t bytes_max) {
    size_t dropped = 0;
    for (; queue->bytes > bytes_max; dropped++)
        take_out(queue, queue->first_large != NULL ? queue->first_large : queue->first);
    return dropped;
}

bool send_queue_peek(const struct send_queue *queue, struct bytes *packet) {
    if (queue->first == NULL)
        return false;
    *packet = bytes_of(queue->first->bytes, queue->first->size);
    return true;
}

void send_queue_pop(struct send_queue *queue) {
    take_out(queue, queue->first);
}
