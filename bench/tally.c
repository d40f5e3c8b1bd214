#include "bench/tally.h"

#include <stdlib.h>

#include "proto/check.h"

static void *zeroed(size_t count, size_t size) {
    void *memory = calloc(count == 0 ? 1 : count, size);
    check(memory != NULL);
    return memory;
}

void tally_init(struct tally *tally, uint32_t messages_count, uint32_t readers_count) {
    *tally = (struct tally){.messages_count = messages_count, .readers_count = readers_count};
    tally->messages = zeroed(messages_count, sizeof *tally->messages);
}

void tally_close(struct tally *tally) {
    free(tally->messages);
    *tally = (struct tally){0};
}

void tally_reader_init(struct tally_reader *reader, const struct tally *tally) {
    *reader = (struct tally_reader){.seen = zeroed(tally->messages_count / 64 + 1, sizeof *reader->seen)};
}

void tally_reader_close(struct tally_reader *reader) {
    free(reader->seen);
    *reader = (struct tally_reader){0};
}

void tally_sent(struct tally *tally, uint32_t number, int64_t intended_ns, int64_t now_ns) {
    check(number < tally->messages_count && tally->messages[number].state == TALLY_UNSENT);
    tally->messages[number].state = TALLY_SENT;
    tally->messages[number].intended_ns = intended_ns;
    tally->messages[number].started_ns = now_ns;
    tally->sent++;
}

static struct tally_message *unanswered_message(struct tally *tally, uint32_t number) {
    if (number >= tally->messages_count || tally->messages[number].state != TALLY_SENT)
        return NULL;
    return &tally->messages[number];
}

bool tally_acknowledged(struct tally *tally, uint32_t number, int64_t now_ns) {
    struct tally_message *message = unanswered_message(tally, number);
    if (message == NULL)
        return false;
    message->state = TALLY_ACKNOWLEDGED;
    message->acknowledged_ns = now_ns;
    tally->acknowledged++;
    tally->arrivals_awaited += tally->readers_count - message->arrivals;
    return true;
}

bool tally_failed(struct tally *tally, uint32_t number) {
    struct tally_message *message = unanswered_message(tally, number);
    if (message == NULL)
        return false;
    message->state = TALLY_FAILED;
    tally->failed++;
    return true;
}

static bool is_in_order(const struct tally_message *message, const struct tally_reader *reader, uint64_t position,
                        bool is_contiguous) {
    if (message->position != 0 && message->position != position)
        return false;
    if (reader->last_position == 0)
        return true;
    return is_contiguous ? position == reader->last_position + 1 : position > reader->last_position;
}

enum tally_verdict tally_arrived(struct tally *tally, struct tally_reader *reader, uint32_t number, uint64_t position,
                                 bool is_contiguous, int64_t now_ns) {
    if (number >= tally->messages_count || tally->messages[number].state == TALLY_UNSENT)
        return TALLY_STRANGE;
    struct tally_message *message = &tally->messages[number];
    uint64_t bit = (uint64_t)1 << (number % 64);
    if (reader->seen[number / 64] & bit) {
        tally->duplicates++;
        return TALLY_DUPLICATE;
    }
    reader->seen[number / 64] |= bit;
    if (!is_in_order(message, reader, position, is_contiguous))
        tally->disorders++;
    if (message->position == 0)
        message->position = position;
    reader->last_position = position;
    message->last_ns = now_ns;
    message->arrivals++;
    tally->arrivals++;
    if (message->state == TALLY_ACKNOWLEDGED)
        tally->arrivals_awaited--;
    return message->arrivals == tally->readers_count ? TALLY_COMPLETE : TALLY_COUNTED;
}

bool tally_has_seen(const struct tally *tally, const struct tally_reader *reader, uint32_t number) {
    return number < tally->messages_count && (reader->seen[number / 64] >> (number % 64) & 1) != 0;
}

static bool is_answered(const struct tally_message *message) {
    return message->state == TALLY_ACKNOWLEDGED || message->state == TALLY_FAILED;
}

uint32_t tally_next_unanswered(struct tally *tally, uint32_t from) {
    while (tally->answered < tally->messages_count && is_answered(&tally->messages[tally->answered]))
        tally->answered++;
    uint32_t number = from > tally->answered ? from : tally->answered;
    while (number < tally->messages_count && is_answered(&tally->messages[number]))
        number++;
    bool is_there = number < tally->messages_count && tally->messages[number].state == TALLY_SENT;
    return is_there ? number : tally->messages_count;
}

uint64_t tally_missing(const struct tally *tally) {
    return tally->arrivals_awaited;
}

uint64_t tally_overdue(struct tally *tally, int64_t before_ns) {
    uint64_t sum = 0;
    for (uint32_t i = tally->settled; i < tally->messages_count; i++) {
        const struct tally_message *message = &tally->messages[i];
        if (message->state == TALLY_UNSENT || message->intended_ns >= before_ns)
            break;
        bool is_settled = message->state == TALLY_FAILED || message->arrivals == tally->readers_count;
        if (is_settled && i == tally->settled)
            tally->settled++;
        else if (message->state == TALLY_ACKNOWLEDGED)
            sum += tally->readers_count - message->arrivals;
    }
    return sum;
}

uint32_t tally_unanswered(const struct tally *tally) {
    return tally->sent - tally->acknowledged - tally->failed;
}
