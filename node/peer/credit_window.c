#include "node/peer/credit_window.h"

#include "proto/check.h"

void credit_window_clear(struct credit_window *window) {
    *window = (struct credit_window){0};
}

bool credit_window_has_room(const struct credit_window *window, size_t size) {
    if (window->count == 0)
        return true;
    return window->count < CREDIT_WINDOW_MESSAGES && window->bytes < CREDIT_WINDOW_BYTES &&
           size <= CREDIT_WINDOW_BYTES - window->bytes;
}

void credit_window_sent(struct credit_window *window, uint64_t counter, size_t size) {
    check(window->count < CREDIT_WINDOW_MESSAGES);
    size_t place = (window->first + window->count) % CREDIT_WINDOW_MESSAGES;
    window->sent[place].counter = counter;
    window->sent[place].size = size;
    window->count++;
    window->bytes += size;
}

bool credit_window_taken(struct credit_window *window, uint64_t counter) {
    bool is_news = false;
    while (window->count > 0 && window->sent[window->first].counter <= counter) {
        window->bytes -= window->sent[window->first].size;
        window->first = (window->first + 1) % CREDIT_WINDOW_MESSAGES;
        window->count--;
        is_news = true;
    }
    return is_news;
}
