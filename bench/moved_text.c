#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/moved.h"

#define LONGEST_SHOWN 3

static void happenings_print(const struct moved *moved) {
    printf("\nwhat was done to the cluster\n");
    for (size_t i = 0; i < moved->happenings_count; i++) {
        const struct happening *happening = &moved->happenings[i];
        printf("  %6.1f s, for %.1f s: %s → %d\n", happening->at_s, happening->until_s - happening->at_s,
               happening->command, happening->exit_status);
        if (happening->exit_status != 0)
            printf("%.*s\n", (int)happening->output.size, (const char *)happening->output.data);
    }
    if (moved->never_begun > 0)
        printf("  %zu more did not come to their turn\n", moved->never_begun);
}

static void clients_print(const struct moved *moved) {
    printf("\nclients\n");
    printf("  %-22s %" PRIu64 " times, %" PRIu64 " of them told to go\n", "connected again", moved->reconnects,
           moved->goaways);
    printf("  %-22s %" PRIu64 ", or were repeated\n", "sends that waited", moved->repeats);
    printf("  %-22s %" PRIu64 " told again, %" PRIu64 " jumps asked for, %" PRIu64 " gaps\n", "deliveries",
           moved->told_again, moved->jumps, moved->gaps);
    result_counts_print("broken", &moved->breaks);
    result_counts_print("not connected", &moved->refused_connections);
}

static void moves_print(const struct moved *moved) {
    const struct movements *movements = &moved->movements;
    printf("\nmoves\n");
    if (moved->watch_problem[0] != 0)
        printf("  %-22s %s\n", "the cluster was not watched:", moved->watch_problem);
    else
        printf("  %-22s %zu\n  %-22s %zu\n", "moves seen", movements->moves_count, "hand-overs",
               movements->hand_overs_count);
    if (moved->transfers[TRANSFERS_ALL].is_known)
        printf("  %-22s %.1f MB, of these copies of ranges %.1f MB\n", "between nodes",
               moved->transfers[TRANSFERS_ALL].bytes / 1e6, moved->transfers[TRANSFERS_COPIES].bytes / 1e6);
    for (size_t i = 0; i < movements->nodes_count; i++) {
        const struct node_track *node = &movements->nodes[i];
        printf("  %-22s ", movements_node_name(movements, i));
        if (node->was_there_before)
            printf("%.1f %% of the load, leads %" PRIu64, node->share_before * 100, node->primaries_before);
        else
            printf("not there");
        if (node->is_there_after)
            printf(" → %.1f %%, %" PRIu64 "\n", node->share_after * 100, node->primaries_after);
        else
            printf(" → not there\n");
    }
}

static void shares_row_print(const struct movements *movements, const struct share_sample *sample) {
    if (sample == NULL)
        return;
    printf("  %6.1f s", sample->at_s);
    for (size_t i = 0; i < movements->nodes_count; i++)
        if (sample->shares[i] >= 0)
            printf("  %s %.1f %%", movements_node_name(movements, i), sample->shares[i] * 100);
    printf("; %.1f %% from even at most\n", share_sample_furthest(sample) * 100);
}

static void shares_print(const struct moved *moved) {
    const struct movements *movements = &moved->movements;
    printf("\neach node's share of the load, before what was done, and at the end\n");
    for (size_t i = 0; i < moved->happenings_count; i++)
        shares_row_print(movements, movements_shares_before(movements, moved->happenings[i].at_s));
    shares_row_print(movements, movements_shares_before(movements, INFINITY));
}

static void longest_print(const struct stalls *stalls, const struct options *options) {
    const struct stall *longest[LONGEST_SHOWN];
    size_t count = stalls_longest(stalls->senders, stalls->senders_count, longest, LONGEST_SHOWN);
    for (size_t i = 0; i < count; i++)
        printf("  %-22s %.1f ms at %.1f s, thread %u (of %u), sender %u%s\n", i == 0 ? "longest" : "",
               (double)longest[i]->duration_ns / 1e6, longest[i]->at_s, longest[i]->thread,
               options_participants(options, longest[i]->thread), longest[i]->participant,
               longest[i]->is_repeated ? ", which connected again meanwhile" : "");
}

static void stalls_print(const struct result *result) {
    const struct moved *moved = result->moved;
    const struct stalls *stalls = &moved->stalls;
    printf("\nlongest time from send to acknowledgement\n");
    printf("  %-22s%10s%10s%10s%10s%10s\n", "ms", "p50", "p90", "p99", "p99.9", "max");
    result_percentiles_print(moved->are_hand_overs_told_apart ? "of each hand-over" : "around each hand-over",
                             &stalls->of_hand_overs);
    result_percentiles_print("of each thread", &stalls->of_threads);
    result_percentiles_print("of each sender", &stalls->of_senders);
    result_percentiles_print("away, connecting again", &moved->away);
    longest_print(stalls, result->options);
}

static void hold_print(const char *name, const struct hold *hold) {
    static const double parts[] = {0.5, 0.9, 0.99, 0.999};
    const struct counter_histogram *seconds = &hold->seconds;
    if (seconds->bounds_count == 0)
        return;
    printf("  %-22s", name);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        printf("%10.0f", hold_quantile_ms(hold, parts[i]));
    printf("%10.0f   of %.0f\n", hold->longest_s * 1e3, seconds->counts[seconds->bounds_count - 1]);
}

static void holds_print(const struct moved *moved) {
    if (moved->holds[HOLDS_GIVEN].seconds.bounds_count == 0)
        return;
    printf("\nhow long writes of a range waited for its hand-over, as nodes say\n");
    printf("  %-22s%10s%10s%10s%10s%10s\n", "ms, at most", "p50", "p90", "p99", "p99.9", "max");
    hold_print("where it was led", &moved->holds[HOLDS_GIVEN]);
    hold_print("where it is led then", &moved->holds[HOLDS_TAKEN]);
    hold_print("both together", &moved->holds[HOLDS_TOGETHER]);
}

void moved_text_print(const struct result *result) {
    const struct moved *moved = result->moved;
    if (moved->fill_messages > 0)
        printf("\nstored before\n  %-22s %" PRIu64 ", %.0f MB in %.1f s\n", "messages", moved->fill_messages,
               moved->fill_bytes / 1e6, moved->fill_s);
    happenings_print(moved);
    clients_print(moved);
    moves_print(moved);
    if (moved->movements.samples_count > 0)
        shares_print(moved);
    stalls_print(result);
    holds_print(moved);
}
