#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "bench/plot.h"
#include "bench/report_plots.h"
#include "bench/result.h"
#include "proto/status.h"

static const char style_sheet[] =
    ":root{color-scheme:light dark;--page:#f6f5f1;--card:#fffefb;--ink:#1d2329;--soft:#66707a;--rule:#e4e1d8;"
    "--first:#2563c9;--second:#d0662b;--third:#138a72;--floor:#8d8577;--faint:#c9c3b6;--good:#13795b;--bad:#b3261e;"
    "--goodbg:#e2f3ea;--badbg:#fbe4e1}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14171b;--card:#1c2026;--ink:#e8eaed;--soft:#99a2ad;"
    "--rule:#2c323a;--first:#6ea4ff;--second:#f39a61;--third:#4cc9a8;--floor:#8d8b86;--faint:#4a4f57;--good:#6fd8b1;"
    "--bad:#ff8f86;--goodbg:#173228;--badbg:#3a1c1a}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif;"
    "font-variant-numeric:tabular-nums}\n"
    "main{max-width:1060px;margin:0 auto;padding:40px 20px 60px}\n"
    "header{display:flex;gap:18px;align-items:center;flex-wrap:wrap;margin-bottom:26px}\n"
    "header svg{width:52px;height:52px;flex:none}header div{flex:1;min-width:260px}\n"
    "h1{font-size:23px;line-height:1.2;margin:0;font-weight:650;letter-spacing:-.01em}\n"
    "h2{font-size:16px;margin:0 0 2px;font-weight:650}p{margin:0;color:var(--soft)}\n"
    ".verdict{padding:8px 16px;border-radius:999px;font-weight:600}\n"
    ".good{background:var(--goodbg);color:var(--good)}.bad{background:var(--badbg);color:var(--bad)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin-bottom:14px}\n"
    ".tile,section{background:var(--card);border:1px solid var(--rule);border-radius:12px}\n"
    ".tile{padding:14px 16px}.tile span{display:block;color:var(--soft);font-size:13px}\n"
    ".tile b{font-size:27px;font-weight:650;letter-spacing:-.02em}.tile b small{font-size:14px;font-weight:500;"
    "color:var(--soft);letter-spacing:0}\n"
    "section{padding:20px 22px;margin-top:14px}section>svg{display:block;width:100%;height:auto;margin-top:14px}\n"
    ".two{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:14px}\n"
    "table{border-collapse:collapse;width:100%;margin-top:10px}td,th{padding:5px 0;border-top:1px solid var(--rule);"
    "text-align:left;font-weight:400;vertical-align:top}td:last-child{text-align:right}th{color:var(--soft)}\n"
    "tr:first-child>*{border-top:0}.latency td,.latency th{text-align:right}.latency td:first-child,"
    ".latency th:first-child{text-align:left}.hot{color:var(--bad);font-weight:650}\n"
    "svg text{fill:var(--ink);font-size:14px}.tick{fill:var(--soft)!important;font-size:12.5px!important}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}.grid{stroke:var(--rule);stroke-width:1}\n"
    ".shade{fill:var(--soft);opacity:.09}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}\n"
    ".first{--c:var(--first)}.second{--c:var(--second)}.third{--c:var(--third)}.floor{--c:var(--floor)}\n"
    ".faint{--c:var(--faint)}.line{stroke:var(--c)}.area{fill:var(--c);opacity:.13}.bar{fill:var(--c)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:12px 0 -6px;font-size:14px}.legend i{display:inline-block;"
    "width:18px;height:3px;border-radius:2px;background:var(--c);margin-right:8px;vertical-align:4px}\n"
    ".label{fill:var(--c)!important;font-weight:600}.value{font-weight:600}.wanted{stroke:var(--soft);"
    "stroke-width:1.2;stroke-dasharray:5 5}\n"
    ".reach{fill:transparent}.dot{fill:var(--c);stroke:var(--card);stroke-width:2;opacity:0}"
    ".spot:hover .dot{opacity:1}\n"
    "footer{color:var(--soft);font-size:13px;margin-top:22px}\n";

/* Threads over and under: the mark of Weft. */
static const char mark[] =
    "<svg viewBox=\"0 0 52 52\" aria-hidden=\"true\"><g fill=\"none\" stroke-width=\"6\" stroke-linecap=\"round\">"
    "<path stroke=\"var(--faint)\" d=\"M12 5v42M26 5v42M40 5v42\"/>"
    "<path stroke=\"var(--first)\" d=\"M5 16h13M34 16h13M5 36h13M34 36h13M20 26h12\"/>"
    "<path stroke=\"var(--second)\" d=\"M5 26h1M46 26h1M25 16h2M25 36h2\"/></g></svg>";

static void text_append(struct buffer *out, const char *text) {
    buffer_append_text(out, text);
}

/* Tiles */

static void tile(struct buffer *out, const char *title, const char *value, const char *unit, const char *note) {
    buffer_printf(out, "<div class=\"tile\"><span>%s</span><b>%s <small>%s</small></b><span>%s</span></div>\n", title,
                  value, unit, note);
}

static void latency_tile(struct buffer *out, const char *title, const struct histogram *histogram) {
    char value[32], note[64], p50[32];
    snprintf(note, sizeof note, "median %s ms", plot_number((double)histogram_quantile(histogram, 0.5) / 1e6, p50));
    tile(out, title, plot_number((double)histogram_quantile(histogram, 0.99) / 1e6, value), "ms", note);
}

static void cost_tile(struct buffer *out, const struct result *result) {
    char value[32], note[96] = "user and system time";
    double ratio = result_ratio(result, &result->baseline_send);
    if (!result->has_server)
        return;
    if (ratio > 0)
        snprintf(note, sizeof note, "%.2f × a bare epoll writer", ratio);
    tile(out, "CPU a delivery", plot_number(result->server_us_per_delivery, value), "µs", note);
}

static void memory_tile(struct buffer *out, const struct result *result) {
    char value[32], note[64], number[32];
    if (!result->has_server)
        return;
    snprintf(note, sizeof note, "resident, %s connections", plot_number((double)result->connections, number));
    tile(out, "RSS a connection", plot_number(result_bytes_per_connection(result) / 1024, value), "KB", note);
}

static void fanout_tiles(struct buffer *out, const struct result *result) {
    char value[32], note[64], number[32], title[64];
    double window_s = result->window_s > 0 ? result->window_s : 1;
    snprintf(note, sizeof note, "of %s asked for", plot_number(options_deliveries_per_second(result->options), number));
    tile(out, "deliveries a second", plot_number((double)result->window_deliveries / window_s, value), "", note);
    latency_tile(out, "delivery, p99", &result->delivery);
    snprintf(title, sizeof title, "last of %u, p99",
             result->options->participants * result->options->connections_per_user);
    latency_tile(out, title, &result->last);
    latency_tile(out, "acknowledged, p99", &result->acknowledgement);
    cost_tile(out, result);
}

/* Tables */

static void row(struct buffer *out, const char *name, const char *value) {
    text_append(out, "<tr><th>");
    plot_escape(out, name);
    text_append(out, "</th><td>");
    plot_escape(out, value);
    text_append(out, "</td></tr>\n");
}

static void row_count(struct buffer *out, const char *name, uint64_t value, bool is_bad) {
    char number[32];
    text_append(out, "<tr><th>");
    plot_escape(out, name);
    buffer_printf(out, "</th><td%s>%s</td></tr>\n", is_bad && value > 0 ? " class=\"hot\"" : "",
                  plot_number((double)value, number));
}

static void book_table(struct buffer *out, const struct result *result) {
    text_append(out, "<section><h2>The book</h2><p>every message and every delivery, warm-up included</p><table>\n");
    row_count(out, "messages sent", result->sent, false);
    row_count(out, "acknowledged", result->acknowledged, false);
    for (size_t i = 0; i < result->durabilities.count; i++) {
        char name[RESULT_NAME_BYTES + 32];
        snprintf(name, sizeof name, "… with durability “%s”", result->durabilities.items[i].name);
        row_count(out, name, result->durabilities.items[i].count, false);
    }
    row_count(out, "deliveries expected", result->expected, false);
    row_count(out, "lost", result->lost, true);
    row_count(out, "duplicated", result->duplicates, true);
    row_count(out, "out of order", result->disorders, true);
    row_count(out, "damaged or strange", result->strange, true);
    row_count(out, "refused or unanswered", result->failed, true);
    row_count(out, "connections closed by the server", result->closed, true);
    for (size_t i = 0; i < result->errors.count; i++) {
        char value[32];
        snprintf(value, sizeof value, "%" PRIu64, result->errors.items[i].count);
        row(out, result->errors.items[i].name, value);
    }
    text_append(out, "</table></section>\n");
}

static void nodes_row(struct buffer *out, const struct options *options) {
    text_append(out, "<tr><th>nodes</th><td>");
    for (size_t i = 0; i < options->nodes_count; i++) {
        plot_escape(out, options->nodes[i].origin);
        text_append(out, i + 1 < options->nodes_count ? "<br>" : "");
    }
    text_append(out, "</td></tr>\n");
}

__attribute__((format(printf, 3, 4))) static void row_printf(struct buffer *out, const char *name, const char *format,
                                                             ...) {
    char value[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    row(out, name, value);
}

static void config_table(struct buffer *out, const struct result *result) {
    const struct options *options = result->options;
    text_append(out, "<section><h2>The run</h2><p>what was asked for</p><table>\n");
    nodes_row(out, options);
    row_printf(out, "wire", "%s, %s", wire_name(options->wire), options->nodes[0].is_tls ? "TLS" : "plain");
    if (options->idle_connections == 0) {
        row_printf(out, "threads × participants", "%u × %u", options->threads, options->participants);
        row_printf(out, "connections per participant", "%u", options->connections_per_user);
        row_printf(out, "messages per second and thread", "%g", options->rate);
        row_printf(out, "content", "%u bytes", options->payload_bytes);
        row_printf(out, "a delivery on the wire", "%.0f bytes", result->frame_bytes);
        row_printf(out, "warm-up, measured", "%u s, %.1f s", options->warmup_s, result->window_s);
    }
    row_printf(out, "users made in", "%.1f s (%zu)", result->users_s, result->users);
    row_printf(out, "connected in", "%.1f s (%zu)", result->connections_s, result->connections);
    if (result->has_server)
        row_printf(out, "server's resident memory", "%.1f → %.1f MB",
                   (double)result->server_before.resident_bytes / 1048576,
                   (double)result->server_connected.resident_bytes / 1048576);
    row_printf(out, "server's, generator's cores", "%.2f, %.2f", result->server_cores, result->generator_cores);
    row_printf(out, "generator's latest send", "%.2f ms", result->latest_send_ms);
    row_printf(out, "seed", "%" PRIu64, options->seed);
    text_append(out, "</table></section>\n");
}

static void latency_row(struct buffer *out, const char *name, const struct histogram *histogram) {
    double values[EARLIER_QUANTILES];
    result_quantiles_ms(histogram, values);
    buffer_printf(out, "<tr><td>%s</td>", name);
    for (size_t i = 0; i < EARLIER_QUANTILES; i++)
        buffer_printf(out, "<td>%.3f</td>", values[i]);
    text_append(out, "</tr>\n");
}

static void added_row(struct buffer *out, const char *name, const struct histogram *histogram,
                      const double earlier_ms[EARLIER_QUANTILES]) {
    double values[EARLIER_QUANTILES];
    result_quantiles_ms(histogram, values);
    buffer_printf(out, "<tr><td>%s</td>", name);
    for (size_t i = 0; i < EARLIER_QUANTILES; i++)
        buffer_printf(out, "<td>%+.3f</td>", values[i] - earlier_ms[i]);
    text_append(out, "</tr>\n");
}

static void latency_table(struct buffer *out, const struct result *result) {
    char name[64];
    snprintf(name, sizeof name, "last of %u", result->options->participants * result->options->connections_per_user);
    text_append(out,
                "<table class=\"latency\"><tr><th>milliseconds</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th>"
                "<th>max</th></tr>\n");
    latency_row(out, "one delivery", &result->delivery);
    latency_row(out, name, &result->last);
    latency_row(out, "acknowledgement", &result->acknowledgement);
    text_append(out, "</table>\n");
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
    text_append(out, "<table class=\"latency\"><tr><th>added</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th>"
                     "<th>max</th></tr>\n");
    added_row(out, "one delivery", &result->delivery, earlier->delivery_ms);
    added_row(out, "last of all", &result->last, earlier->last_ms);
    added_row(out, "acknowledgement", &result->acknowledgement, earlier->acknowledgement_ms);
    text_append(out, "</table></section>\n");
}

/* Page */

static void page_head(struct buffer *out, const struct result *result) {
    const struct options *options = result->options;
    char started[64];
    time_t time = (time_t)result->started_s;
    struct tm parts;
    strftime(started, sizeof started, "%Y-%m-%d %H:%M UTC", gmtime_r(&time, &parts));
    text_append(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>weft-bench</title><style>\n");
    text_append(out, style_sheet);
    buffer_printf(out, "</style></head><body><main>\n<header>%s<div><h1>", mark);
    if (options->idle_connections > 0)
        buffer_printf(out, "%u idle connections", options->idle_connections);
    else
        buffer_printf(out, "%u thread%s of %u, %g message%s a second each", options->threads,
                      options->threads == 1 ? "" : "s", options->participants, options->rate,
                      options->rate == 1.0 ? "" : "s");
    buffer_printf(out,
                  "</h1><p>weft-bench fan-out, %s over %s, %s</p></div><div class=\"verdict %s\" style=\"flex:none\">",
                  wire_name(options->wire), options->nodes[0].is_tls ? "TLS" : "plain TCP", started,
                  result_is_clean(result) ? "good" : "bad");
    if (result_is_clean(result))
        text_append(out, "0 lost · 0 duplicated · 0 out of order");
    else
        buffer_printf(out, "%" PRIu64 " lost · %" PRIu64 " duplicated · %" PRIu64 " out of order · %" PRIu64 " failed",
                      result->lost, result->duplicates, result->disorders, result->failed);
    text_append(out, "</div></header>\n");
}

static void fanout_sections(struct buffer *out, const struct result *result) {
    text_append(out,
                "<section><h2>Latency by percentile</h2><p>from the moment a message was due to go, so a stall counts "
                "for everything that waited behind it; both axes logarithmic</p>\n");
    plot_percentiles(out, result);
    latency_table(out, result);
    text_append(out, "</section>\n<section><h2>Spread</h2><p>one delivery, and the last participant to get each "
                     "message</p>\n");
    plot_spread(out, result);
    text_append(
        out, "</section>\n<section><h2>Second by second</h2><p>deliveries (dashed: asked for) and their latency</p>\n");
    plot_seconds(out, result);
    text_append(out,
                "</section>\n<section><h2>CPU time a delivery</h2><p>user and system time; the bare writers had the "
                "same load on the same machine in the same run, without TLS, storage or JSON</p>\n");
    plot_costs(out, result);
    text_append(out, "</section>\n");
    beside_section(out, result);
}

static void page_body(struct buffer *out, const struct result *result) {
    bool is_fanout = result->options->idle_connections == 0;
    text_append(out, "<div class=\"tiles\">\n");
    if (is_fanout)
        fanout_tiles(out, result);
    memory_tile(out, result);
    text_append(out, "</div>\n");
    if (result_generator_was_busy(result))
        text_append(out, "<section class=\"bad\">The load generator was busy more than 85 % of the time: latencies are "
                         "partly its own.</section>\n");
    if (is_fanout)
        fanout_sections(out, result);
    text_append(out, "<div class=\"two\">\n");
    if (is_fanout)
        book_table(out, result);
    config_table(out, result);
    text_append(out,
                "</div>\n<footer>One file, nothing loaded from elsewhere. Point at a curve for its values.</footer>\n"
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
