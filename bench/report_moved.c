#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "bench/moved.h"
#include "bench/plot.h"
#include "bench/report_moved_plots.h"
#include "bench/report_parts.h"

#define LONGEST_SHOWN 8

/* Tiles */

static void stall_tile(struct buffer *out, const struct histogram *histogram) {
    char value[32], note[64], max[32];
    snprintf(note, sizeof note, "longest %s ms, of %" PRIu64, plot_number((double)histogram->max_ns / 1e6, max),
             histogram->count);
    report_tile(out, "write at a hand-over, p99", plot_number((double)histogram_quantile(histogram, 0.99) / 1e6, value),
                "ms", note);
}

static void latency_tile(struct buffer *out, const char *title, const struct histogram *histogram) {
    char value[32], note[64], max[32];
    snprintf(note, sizeof note, "longest %s ms", plot_number((double)histogram->max_ns / 1e6, max));
    report_tile(out, title, plot_number((double)histogram_quantile(histogram, 0.99) / 1e6, value), "ms", note);
}

/* How far the node with most or least is from an even share, in percent of that. */
static bool unevenness(const struct movements *movements, double *percent) {
    size_t count = 0;
    double sum = 0, worst = 0;
    for (size_t i = 0; i < movements->nodes_count; i++) {
        if (!movements->nodes[i].is_there_after)
            continue;
        count++;
        sum += movements->nodes[i].share_after;
    }
    if (count == 0 || sum <= 0)
        return false;
    for (size_t i = 0; i < movements->nodes_count; i++)
        if (movements->nodes[i].is_there_after)
            worst = fmax(worst, fabs(movements->nodes[i].share_after * (double)count / sum - 1));
    *percent = worst * 100;
    return true;
}

void moved_tiles(struct buffer *out, const struct result *result) {
    const struct moved *moved = result->moved;
    char value[32], note[96], number[32];
    double percent;
    snprintf(note, sizeof note, "of %s sends", plot_number((double)result->sent, number));
    report_tile(out, "failed requests", plot_number((double)result->failed, value), "", note);
    stall_tile(out, &moved->stalls.of_hand_overs);
    latency_tile(out, "acknowledged, p99", &result->acknowledgement);
    latency_tile(out, "delivery, p99", &result->delivery);
    snprintf(note, sizeof note, "%s moves seen", plot_number((double)moved->movements.moves_count, number));
    report_tile(out, "hand-overs", plot_number((double)moved->movements.hand_overs_count, value), "", note);
    snprintf(note, sizeof note, "%" PRIu64 " sends waited or repeated", moved->repeats);
    report_tile(out, "clients came back", plot_number((double)moved->reconnects, value), "", note);
    if (moved->transfers[TRANSFERS_ALL].is_known) {
        snprintf(note, sizeof note, "%s MB of them copies",
                 plot_number(moved->transfers[TRANSFERS_COPIES].bytes / 1e6, number));
        report_tile(out, "between nodes", plot_number(moved->transfers[TRANSFERS_ALL].bytes / 1e6, value), "MB", note);
    }
    if (unevenness(&moved->movements, &percent))
        report_tile(out, "from an even load", plot_number(percent, value), "%",
                    "the node farthest from it, at the end");
}

/* What was done */

static void happening_row(struct buffer *out, size_t number, const struct movements *movements,
                          const struct happening *happening) {
    const struct share_sample *before = movements_shares_before(movements, happening->at_s);
    char uneven[32] = "";
    if (before != NULL)
        snprintf(uneven, sizeof uneven, "%.1f %%", share_sample_furthest(before) * 100);
    buffer_printf(out, "<tr><td>%zu</td><td>%.1f s</td><td>%.1f s</td><td><code>", number, happening->at_s,
                  happening->until_s - happening->at_s);
    plot_escape(out, happening->command);
    buffer_append_text(out, "</code>");
    if (happening->output.size > 0) {
        struct buffer text;
        buffer_init(&text);
        buffer_append_bytes(&text, buffer_bytes(&happening->output));
        buffer_append(&text, "", 1);
        buffer_append_text(out, "<details><summary>what it said</summary><pre>");
        plot_escape(out, (const char *)text.data);
        buffer_append_text(out, "</pre></details>");
        buffer_close(&text);
    }
    buffer_printf(out, "</td><td>%s</td>", uneven);
    buffer_printf(out, "<td%s>%d</td></tr>\n", happening->exit_status == 0 ? "" : " class=\"hot\"",
                  happening->exit_status);
}

static void happenings_section(struct buffer *out, const struct moved *moved) {
    buffer_append_text(
        out,
        "<section><h2>What was done to the cluster</h2><p>commands, as numbered in the drawing; before each, how far "
        "the node furthest from it was from an even load</p>"
        "<table "
        "class=\"done\"><tr><th></th><th>at</th><th>took</th><th>command</th><th>uneven</th><th>exit</th></tr>\n");
    for (size_t i = 0; i < moved->happenings_count; i++)
        happening_row(out, i + 1, &moved->movements, &moved->happenings[i]);
    buffer_append_text(out, "</table>");
    if (moved->never_begun > 0)
        buffer_printf(out, "<p class=\"hot\">%zu more did not come to their turn.</p>", moved->never_begun);
    buffer_append_text(out, "</section>\n");
}

/* Writes */

static void longest_table(struct buffer *out, const struct result *result) {
    const struct stalls *stalls = &result->moved->stalls;
    const struct stall *longest[LONGEST_SHOWN];
    size_t count = stalls_longest(stalls->senders, stalls->senders_count, longest, LONGEST_SHOWN);
    buffer_append_text(out, "<table class=\"latency\"><tr><th>the longest of all</th><th>ms</th><th>at</th></tr>\n");
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "<tr><td>thread %u of %u, sender %u%s</td><td>%.1f</td><td>%.1f s</td></tr>\n",
                      longest[i]->thread, options_participants(result->options, longest[i]->thread),
                      longest[i]->participant, longest[i]->is_repeated ? ", who connected again meanwhile" : "",
                      (double)longest[i]->duration_ns / 1e6, longest[i]->at_s);
    buffer_append_text(out, "</table>\n");
}

static void hold_row(struct buffer *out, const char *name, const struct hold *hold) {
    static const double parts[] = {0.5, 0.9, 0.99, 0.999, 1};
    buffer_printf(out, "<tr><td>%s</td>", name);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        buffer_printf(out, "<td>%.0f</td>", hold_quantile_ms(hold, parts[i]));
    buffer_append_text(out, "</tr>\n");
}

static void holds_table(struct buffer *out, const struct moved *moved) {
    if (moved->holds[HOLDS_GIVEN].seconds.bounds_count == 0)
        return;
    report_latency_head(out, "for its hand-over a range waited, as nodes say, ms at most");
    hold_row(out, "where it was led", &moved->holds[HOLDS_GIVEN]);
    hold_row(out, "where it is led then", &moved->holds[HOLDS_TAKEN]);
    hold_row(out, "both together", &moved->holds[HOLDS_TOGETHER]);
    buffer_append_text(out, "</table>\n");
}

static void writes_section(struct buffer *out, const struct result *result) {
    const struct moved *moved = result->moved;
    const struct stalls *stalls = &moved->stalls;
    buffer_printf(out,
                  "<section><h2>How long writes stood still</h2><p>longest time from a send to its acknowledgement; "
                  "at a hand-over that of %s under way around that time: an upper bound, without senders who had to "
                  "connect again</p>\n",
                  moved->are_hand_overs_told_apart ? "the writes to its range" : "any write");
    report_latency_head(out, "milliseconds");
    report_latency_row(out, "of each hand-over", &stalls->of_hand_overs);
    report_latency_row(out, "of each thread", &stalls->of_threads);
    report_latency_row(out, "of each sender", &stalls->of_senders);
    report_latency_row(out, "clients away, connecting again", &moved->away);
    buffer_append_text(out, "</table>\n");
    holds_table(out, moved);
    longest_table(out, result);
    buffer_append_text(out, "</section>\n");
}

/* Nodes */

static void side_cells(struct buffer *out, const char *style, bool is_there, double share, uint64_t primaries,
                       uint64_t stored) {
    if (is_there)
        buffer_printf(out,
                      "<td><span class=\"meter %s\"><i style=\"width:%.1f%%\"></i></span>%.1f %%</td><td>%" PRIu64
                      "</td><td>%.1f</td>",
                      style, fmin(share * 100, 100), share * 100, primaries, (double)stored / 1e6);
    else
        buffer_append_text(out, "<td>–</td><td></td><td></td>");
}

static void nodes_section(struct buffer *out, const struct moved *moved) {
    const struct movements *movements = &moved->movements;
    buffer_append_text(out, "<section><h2>Nodes before and after</h2>");
    if (moved->watch_problem[0] != 0) {
        buffer_append_text(out, "<p>the cluster could not be watched: ");
        plot_escape(out, moved->watch_problem);
        buffer_append_text(out, "</p></section>\n");
        return;
    }
    buffer_printf(out, "<p>share of the load, ranges led, MB stored; at the end the cluster was %s</p>",
                  moved->is_balanced_at_end ? "balanced" : "not balanced");
    buffer_append_text(out, "<table class=\"latency\"><tr><th>node</th><th>before</th><th>leads</th><th>MB</th>"
                            "<th>after</th><th>leads</th><th>MB</th></tr>\n");
    for (size_t i = 0; i < movements->nodes_count; i++) {
        const struct node_track *node = &movements->nodes[i];
        buffer_append_text(out, "<tr><td>");
        plot_escape(out, movements_node_name(movements, i));
        buffer_append_text(out, "</td>");
        side_cells(out, plot_node_style(i), node->was_there_before, node->share_before, node->primaries_before,
                   node->stored_before);
        side_cells(out, plot_node_style(i), node->is_there_after, node->share_after, node->primaries_after,
                   node->stored_after);
        buffer_append_text(out, "</tr>\n");
    }
    buffer_append_text(out, "</table></section>\n");
}

/* Clients */

static void names_rows(struct buffer *out, const char *what, const struct name_counts *counts) {
    for (size_t i = 0; i < counts->count; i++) {
        char name[RESULT_NAME_BYTES + 32];
        snprintf(name, sizeof name, "%s: %s", what, counts->items[i].name);
        report_row_count(out, name, counts->items[i].count, false);
    }
}

static void clients_section(struct buffer *out, const struct moved *moved) {
    buffer_append_text(out, "<section><h2>Clients</h2><p>they come back as well-behaved ones do: another node, resume, "
                            "the same message id</p><table>\n");
    report_row_count(out, "connected again", moved->reconnects, false);
    report_row_count(out, "… told to go by the server", moved->goaways, false);
    report_row_count(out, "sends that waited meanwhile or were repeated", moved->repeats, false);
    report_row_count(out, "deliveries told again, and ignored", moved->told_again, false);
    report_row_count(out, "jumps, and asked for what was missing", moved->jumps, false);
    report_row_count(out, "gaps that the server named", moved->gaps, true);
    names_rows(out, "broken", &moved->breaks);
    names_rows(out, "not connected", &moved->refused_connections);
    buffer_append_text(out, "</table></section>\n");
}

void moved_sections(struct buffer *out, const struct result *result) {
    const struct moved *moved = result->moved;
    buffer_append_text(out, "<section><h2>Over time</h2><p>numbers: what was done; orange: while that ran; blue: while "
                            "ranges moved. Point at anything for its values.</p>\n");
    plot_moved(out, result);
    buffer_append_text(out, "</section>\n");
    happenings_section(out, moved);
    writes_section(out, result);
    nodes_section(out, moved);
    clients_section(out, moved);
}
