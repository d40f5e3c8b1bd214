#include "bench/stalls.h"

#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

static void *zeroed(size_t count, size_t size) {
    void *memory = calloc(count == 0 ? 1 : count, size);
    check(memory != NULL);
    return memory;
}

static void keep_longest(struct stall *kept, const struct stall *stall) {
    if (stall->duration_ns > kept->duration_ns)
        *kept = *stall;
}

struct search {
    struct stalls *stalls;
    const struct options *options;
    const struct movements *movements;
    const uint64_t *positions;
    int64_t start_ns;
};

static bool overlaps(const struct hand_over *hand_over, const struct stall *stall) {
    double end_s = stall->at_s + (double)stall->duration_ns / 1e9;
    return end_s >= hand_over->after_s - STALLS_MARGIN_S && stall->at_s <= hand_over->until_s;
}

static bool may_be_in_range(const struct search *search, uint32_t thread, const struct hand_over *hand_over) {
    return search->positions == NULL ||
           (search->positions[thread] >= hand_over->first && search->positions[thread] <= hand_over->last);
}

/* Hand-overs come in the order of time, and most messages are short. */
static void note_hand_overs(struct search *search, const struct stall *stall) {
    const struct movements *movements = search->movements;
    for (size_t i = 0; i < movements->hand_overs_count; i++)
        if (stall->duration_ns > search->stalls->hand_overs[i].duration_ns &&
            overlaps(&movements->hand_overs[i], stall) &&
            may_be_in_range(search, stall->thread, &movements->hand_overs[i]))
            search->stalls->hand_overs[i] = *stall;
}

static void note_message(struct search *search, uint32_t thread, const struct tally_message *message, uint32_t number) {
    if (message->state != TALLY_ACKNOWLEDGED)
        return;
    uint32_t participant = number % options_participants(search->options, thread);
    struct stall stall = {
        .duration_ns = message->acknowledged_ns - message->started_ns,
        .at_s = (double)(message->started_ns - search->start_ns) / 1e9,
        .thread = thread,
        .participant = participant,
        .is_repeated = message->is_repeated,
    };
    keep_longest(&search->stalls->threads[thread], &stall);
    keep_longest(&search->stalls->senders[options_first_user(search->options, thread) + participant], &stall);
    /* What a sender waited for that had to connect again is not the hand-over's. */
    if (!message->is_repeated)
        note_hand_overs(search, &stall);
}

static void add_all(struct histogram *histogram, const struct stall *stalls, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (stalls[i].duration_ns > 0)
            histogram_add(histogram, stalls[i].duration_ns);
}

void stalls_find(struct stalls *stalls, const struct tally *tallies, const struct options *options, int64_t start_ns,
                 const struct movements *movements, const uint64_t *positions) {
    struct search search = {stalls, options, movements, positions, start_ns};
    *stalls = (struct stalls){
        .threads_count = options_threads(options),
        .senders_count = options_users(options),
        .hand_overs_count = movements->hand_overs_count,
    };
    stalls->threads = zeroed(stalls->threads_count, sizeof *stalls->threads);
    stalls->senders = zeroed(stalls->senders_count, sizeof *stalls->senders);
    stalls->hand_overs = zeroed(stalls->hand_overs_count, sizeof *stalls->hand_overs);
    for (uint32_t thread = 0; thread < stalls->threads_count; thread++)
        for (uint32_t number = 0; number < tallies[thread].messages_count; number++)
            note_message(&search, thread, &tallies[thread].messages[number], number);
    add_all(&stalls->of_threads, stalls->threads, stalls->threads_count);
    add_all(&stalls->of_senders, stalls->senders, stalls->senders_count);
    add_all(&stalls->of_hand_overs, stalls->hand_overs, stalls->hand_overs_count);
}

void stalls_close(struct stalls *stalls) {
    free(stalls->threads);
    free(stalls->senders);
    free(stalls->hand_overs);
    *stalls = (struct stalls){0};
}

size_t stalls_longest(const struct stall *stalls, size_t count, const struct stall **longest, size_t wanted) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = found;
        while (at > 0 && stalls[i].duration_ns > longest[at - 1]->duration_ns)
            at--;
        if (at == wanted || stalls[i].duration_ns == 0)
            continue;
        size_t moved = (found < wanted ? found : wanted - 1) - at;
        memmove(&longest[at + 1], &longest[at], moved * sizeof *longest);
        longest[at] = &stalls[i];
        found += found < wanted;
    }
    return found;
}
