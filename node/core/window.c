#include "node/core/window.h"

#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

#define CAPACITY_AT_FIRST 16

static struct window_entry *entry_at(const struct window *window, size_t position) {
    return &window->entries[(window->first + position) % window->capacity];
}

void window_init(struct window *window, uint64_t base_index, uint64_t base_epoch) {
    *window = (struct window){.base_index = base_index, .base_epoch = base_epoch};
}

void window_close(struct window *window) {
    for (size_t i = 0; i < window->count; i++)
        free(entry_at(window, i)->command);
    free(window->entries);
    *window = (struct window){.base_index = window->base_index, .base_epoch = window->base_epoch};
}

uint64_t window_last_index(const struct window *window) {
    return window->base_index + window->count;
}

uint64_t window_last_epoch(const struct window *window) {
    return window->count == 0 ? window->base_epoch : entry_at(window, window->count - 1)->epoch;
}

static void make_room(struct window *window) {
    if (window->count < window->capacity)
        return;
    size_t capacity = window->capacity == 0 ? CAPACITY_AT_FIRST : window->capacity * 2;
    struct window_entry *entries = calloc(capacity, sizeof(*entries));
    check(entries != NULL);
    for (size_t i = 0; i < window->count; i++)
        entries[i] = *entry_at(window, i);
    free(window->entries);
    window->entries = entries;
    window->capacity = capacity;
    window->first = 0;
}

void window_append(struct window *window, uint64_t epoch, struct bytes command) {
    check(epoch >= window_last_epoch(window));
    make_room(window);
    uint8_t *copy = malloc(command.size + 1);
    check(copy != NULL);
    if (command.size > 0)
        memcpy(copy, command.data, command.size);
    *entry_at(window, window->count++) = (struct window_entry){.epoch = epoch, .command = copy, .size = command.size};
    window->bytes += command.size;
}

const struct window_entry *window_find(const struct window *window, uint64_t index) {
    if (index <= window->base_index || index > window_last_index(window))
        return NULL;
    return entry_at(window, (size_t)(index - window->base_index - 1));
}

bool window_epoch_at(const struct window *window, uint64_t index, uint64_t *epoch) {
    const struct window_entry *entry = window_find(window, index);
    if (entry == NULL && index != window->base_index)
        return false;
    *epoch = entry == NULL ? window->base_epoch : entry->epoch;
    return true;
}

void window_truncate(struct window *window, uint64_t index) {
    check(index > window->base_index);
    while (window_last_index(window) >= index) {
        struct window_entry *last = entry_at(window, --window->count);
        window->bytes -= last->size;
        free(last->command);
    }
}

void window_trim(struct window *window, size_t bytes_max, uint64_t index_max) {
    while (window->bytes > bytes_max && window->base_index < index_max && window->count > 0) {
        struct window_entry *oldest = entry_at(window, 0);
        window->base_index++;
        window->base_epoch = oldest->epoch;
        window->bytes -= oldest->size;
        free(oldest->command);
        window->first = (window->first + 1) % window->capacity;
        window->count--;
    }
}
