#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "bench/moved.h"
#include "bench/plot.h"
#include "bench/report_parts.h"
#include "bench/report_plots.h"
#include "proto/status.h"

/* Tiles */

static void latency_tile(struct buffer *out, const char *title, const struct histogram *histogram) {
    char value[32], note[64], p50[32];
    snprintf(note, sizeof note, "median %s ms", plot_number((double)histogram_quantile(histogram, 0.5) / 1e6, p50));
    report_tile(out, title, plot_number((double)histogram_quantile(histogram, 0.99) / 1e6, value), "ms", note);
}

static void cost_tile(struct buffer *out, const struct result *result) {
    char value[32], note[96] = "user and system time";
    double ratio = result_ratio(result, &result->baseline_send);
    if (!result->has_server)
        return;
    if (ratio > 0)
        snprintf(note, sizeof note, "%.2f × a bare epoll writer", ratio);
    report_tile(out, "CPU a delivery", plot_number(result->server_us_per_delivery, value), "µs", note);
}

static void memory_tile(struct buffer *out, const struct result *result) {
    char value[32], note[64], number[32];
    if (!result->has_server)
        return;
    snprintf(note, sizeof note, "resident, %s connections", plot_number((double)result->connections, number));
    report_tile(out, "RSS a connection", plot_number(result_bytes_per_connection(result) / 1024, value), "KB", note);
}

static void fanout_tiles(struct buffer *out, const struct result *result) {
    char value[32], note[64], number[32], title[RESULT_NAME_BYTES + 8], name[RESULT_NAME_BYTES];
    double window_s = result->window_s > 0 ? result->window_s : 1;
    snprintf(note, sizeof note, "of %s asked for", plot_number(options_deliveries_per_second(result->options), number));
    report_tile(out, "deliveries a second", plot_number((double)result->window_deliveries / window_s, value), "", note);
    latency_tile(out, "delivery, p99", &result->delivery);
    result_last_name(result->options, name);
    snprintf(title, sizeof title, "%s, p99", name);
    latency_tile(out, title, &result->last);
    latency_tile(out, "acknowledged, p99", &result->acknowledgement);
    cost_tile(out, result);
}

/* Tables */

static void book_table(struct buffer *out, const struct result *result) {
    buffer_append_text(out,
                       "<section><h2>The book</h2><p>every message and every delivery, warm-up included</p><table>\n");
    report_row_count(out, "messages sent", result->sent, false);
    report_row_count(out, "acknowledged", result->acknowledged, false);
    for (size_t i = 0; i < result->durabilities.count; i++) {
        char name[RESULT_NAME_BYTES + 32];
        snprintf(name, sizeof name, "… with durability “%s”", result->durabilities.items[i].name);
        report_row_count(out, name, result->durabilities.items[i].count, false);
    }
    report_row_count(out, "deliveries expected", result->expected, false);
    report_row_count(out, "lost", result->lost, true);
    report_row_count(out, "duplicated", result->duplicates, true);
    report_row_count(out, "out of order", result->disorders, true);
    report_row_count(out, "damaged or strange", result->strange, true);
    report_row_count(out, "refused or unanswered", result->failed, true);
    report_row_count(out, "connections closed by the server", result->closed, true);
    for (size_t i = 0; i < result->errors.count; i++) {
        char value[32];
        snprintf(value, sizeof value, "%" PRIu64, result->errors.items[i].count);
        report_row(out, result->errors.items[i].name, value);
    }
    buffer_append_text(out, "</table></section>\n");
}

static void nodes_row(struct buffer *out, const struct options *options) {
    buffer_append_text(out, "<tr><th>nodes</th><td>");
    for (size_t i = 0; i < options->nodes_count; i++) {
        plot_escape(out, options->nodes[i].origin);
        buffer_append_text(out, i + 1 < options->nodes_count ? "<br>" : "");
    }
    buffer_append_text(out, "</td></tr>\n");
}

static void config_table(struct buffer *out, const struct result *result) {
    const struct options *options = result->options;
    buffer_append_text(out, "<section><h2>The run</h2><p>what was asked for</p><table>\n");
    nodes_row(out, options);
    report_row_printf(out, "wire", "%s, %s", wire_name(options->wire), options->nodes[0].is_tls ? "TLS" : "plain");
    if (options->idle_connections == 0) {
        report_row_printf(out, "threads × participants", "%u × %u", options->threads, options->participants);
        if (options->small_threads > 0)
            report_row_printf(out, "", "%u × %d", options->small_threads, OPTIONS_SMALL_PARTICIPANTS);
        report_row_printf(out, "connections per participant", "%u", options->connections_per_user);
        report_row_printf(out, "messages per second and thread", "%g", options->rate);
        report_row_printf(out, "content", "%u bytes", options->payload_bytes);
        report_row_printf(out, "a delivery on the wire", "%.0f bytes", result->frame_bytes);
        report_row_printf(out, "warm-up, measured", "%u s, %.1f s", options->warmup_s, result->window_s);
    }
    report_row_printf(out, "users made in", "%.1f s (%zu)", result->users_s, result->users);
    report_row_printf(out, "connected in", "%.1f s (%zu)", result->connections_s, result->connections);
    if (result->has_server)
        report_row_printf(out, "server's resident memory", "%.1f → %.1f MB",
                          (double)result->server_before.resident_bytes / 1048576,
                          (double)result->server_connected.resident_bytes / 1048576);
    report_row_printf(out, "server's, generator's cores", "%.2f, %.2f", result->server_cores, result->generator_cores);
    report_row_printf(out, "generator's latest send", "%.2f ms", result->latest_send_ms);
    report_row_printf(out, "seed", "%" PRIu64, options->seed);
    buffer_append_text(out, "</table></section>\n");
}

static void added_row(struct buffer *out, const char *name, const struct histogram *histogram,
                      const double earlier_ms[EARLIER_QUANTILES]) {
    double values[EARLIER_QUANTILES];
    result_quantiles_ms(histogram, values);
    buffer_printf(out, "<tr><td>%s</td>", name);
    for (size_t i = 0; i < EARLIER_QUANTILES; i++)
        buffer_printf(out, "<td>%+.3f</td>", values[i] - earlier_ms[i]);
    buffer_append_text(out, "</tr>\n");
}

static void latency_table(struct buffer *out, const struct result *result) {
    char name[RESULT_NAME_BYTES];
    result_last_name(result->options, name);
    report_latency_head(out, "milliseconds");
    report_latency_row(out, "one delivery", &result->delivery);
    report_latency_row(out, name, &result->last);
    report_latency_row(out, "acknowledgement", &result->acknowledgement);
    buffer_append_text(out, "</table>\n");
}

static void beside_section(struct buffer *out, const struct result *result) {
    const struct earlier *earlier = &result->earlier;
    if (earlier->nodes == 0)
        return;
    buffer_printf(
        out, "<section><h2>Beside an earlier run</h2><p>nodes: %zu there, %zu here; milliseconds that were added%s",
        earlier->nodes, result->options->nodes_count,
        result->has_server && earlier->server_us_per_delivery > 0 ? "" : "</p>\n");
    if (result->has_server && earlier->server_us_per_delivery > 0)
        buffer_printf(out, "; CPU time %.2f µs a delivery there, %.2f here: %.2f times that</p>\n",
                      earlier->server_us_per_delivery, result->server_us_per_delivery,
                      result->server_us_per_delivery / earlier->server_us_per_delivery);
    report_latency_head(out, "added");
    added_row(out, "one delivery", &result->delivery, earlier->delivery_ms);
    added_row(out, "last of all", &result->last, earlier->last_ms);
    added_row(out, "acknowledgement", &result->acknowledgement, earlier->acknowledgement_ms);
    buffer_append_text(out, "</table></section>\n");
}

/* Page */

static void threads_head(struct buffer *out, const struct options *options) {
    buffer_printf(out, "%u thread%s of %u", options->threads, options->threads == 1 ? "" : "s", options->participants);
    if (options->small_threads > 0)
        buffer_printf(out, " and %u of %d", options->small_threads, OPTIONS_SMALL_PARTICIPANTS);
    buffer_printf(out, ", %g message%s a second each", options->rate, options->rate == 1.0 ? "" : "s");
}

static void verdict_append(struct buffer *out, const struct result *result) {
    uint64_t errors = 0;
    for (size_t i = 0; i < result->errors.count; i++)
        errors += result->errors.items[i].count;
    buffer_printf(out, "%" PRIu64 " lost · %" PRIu64 " duplicated · %" PRIu64 " out of order", result->lost,
                  result->duplicates, result->disorders);
    if (!result_is_clean(result) || result->moved != NULL)
        buffer_printf(out, " · %" PRIu64 " failed", result->failed);
    if (errors > result->failed)
        buffer_printf(out, " · %" PRIu64 " errors", errors);
    if (result->moved != NULL && !moved_is_clean(result->moved))
        buffer_append_text(out, " · a command failed, or a gap");
}

static void page_head(struct buffer *out, const struct result *result) {
    const struct options *options = result->options;
    char started[64];
    time_t time = (time_t)result->started_s;
    struct tm parts;
    strftime(started, sizeof started, "%Y-%m-%d %H:%M UTC", gmtime_r(&time, &parts));
    buffer_append_text(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>weft-bench</title><style>\n");
    buffer_append_text(out, report_style_sheet);
    buffer_printf(out, "</style></head><body><main>\n<header>%s<div><h1>", report_mark);
    if (options->idle_connections > 0)
        buffer_printf(out, "%u idle connections", options->idle_connections);
    else
        threads_head(out, options);
    buffer_printf(out, "</h1><p>weft-bench %s, %s over %s, %s</p></div><div class=\"verdict %s\" style=\"flex:none\">",
                  mode_name(options->mode), wire_name(options->wire), options->nodes[0].is_tls ? "TLS" : "plain TCP",
                  started, result_is_clean(result) ? "good" : "bad");
    verdict_append(out, result);
    buffer_append_text(out, "</div></header>\n");
}

static void percentiles_section(struct buffer *out, const struct result *result) {
    buffer_append_text(out, "<section><h2>Latency by percentile</h2><p>from the moment a message was due to go, so a "
                            "stall counts for everything that waited behind it; both axes logarithmic</p>\n");
    plot_percentiles(out, result);
    latency_table(out, result);
    buffer_append_text(out, "</section>\n");
}

static void fanout_sections(struct buffer *out, const struct result *result) {
    percentiles_section(out, result);
    buffer_append_text(out, "<section><h2>Spread</h2><p>one delivery, and the last participant to get each "
                            "message</p>\n");
    plot_spread(out, result);
    buffer_append_text(
        out, "</section>\n<section><h2>Second by second</h2><p>deliveries (dashed: asked for) and their latency</p>\n");
    plot_seconds(out, result);
    buffer_append_text(out,
                       "</section>\n<section><h2>CPU time a delivery</h2><p>user and system time; the bare writers had "
                       "the same load on the same machine in the same run, without TLS, storage or JSON</p>\n");
    plot_costs(out, result);
    buffer_append_text(out, "</section>\n");
    beside_section(out, result);
}

static void moving_sections(struct buffer *out, const struct result *result) {
    moved_sections(out, result);
    percentiles_section(out, result);
    buffer_append_text(out, "<section><h2>Deliveries</h2><p>a second (dashed: asked for), and their latency</p>\n");
    plot_seconds(out, result);
    buffer_append_text(out, "</section>\n");
}

static void page_body(struct buffer *out, const struct result *result) {
    bool is_fanout = result->options->idle_connections == 0;
    buffer_append_text(out, result->moved != NULL ? "<div class=\"tiles eight\">\n" : "<div class=\"tiles\">\n");
    if (result->moved != NULL)
        moved_tiles(out, result);
    else if (is_fanout)
        fanout_tiles(out, result);
    memory_tile(out, result);
    buffer_append_text(out, "</div>\n");
    if (result_generator_was_busy(result))
        buffer_append_text(
            out, "<section class=\"bad\">The load generator was busy more than 85 % of the time: latencies are "
                 "partly its own.</section>\n");
    if (result->moved != NULL)
        moving_sections(out, result);
    else if (is_fanout)
        fanout_sections(out, result);
    buffer_append_text(out, "<div class=\"two\">\n");
    if (is_fanout)
        book_table(out, result);
    config_table(out, result);
    buffer_append_text(
        out, "</div>\n<footer>One file, nothing loaded from elsewhere. Point at a curve for its values.</footer>\n"
             "</main></body></html>\n");
}

int report_write(const struct result *result, const char *file) {
    FILE *out = fopen(file, "w");
    if (out == NULL)
        return STATUS_SERVICE_UNAVAILABLE;
    struct buffer page;
    buffer_init(&page);
    page_head(&page, result);
    page_body(&page, result);
    bool is_written = fwrite(page.data, 1, page.size, out) == page.size;
    buffer_close(&page);
    if (fclose(out) != 0)
        is_written = false;
    return is_written ? STATUS_OK : STATUS_SERVICE_UNAVAILABLE;
}
