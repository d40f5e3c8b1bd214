#include "bench/report_plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/plot.h"
#include "proto/check.h"

struct series {
    const struct histogram *histogram;
    const char *style; /* class with the colour */
    char label[RESULT_NAME_BYTES];
};

static double milliseconds(uint64_t duration_ns) {
    return (double)duration_ns / 1e6;
}

static size_t series_make(const struct result *result, struct series series[3]) {
    series[0] = (struct series){&result->delivery, "first", "one delivery"};
    series[1] = (struct series){&result->last, "second", ""};
    series[2] = (struct series){&result->acknowledgement, "third", "acknowledgement"};
    result_last_name(result->options, series[1].label);
    return 3;
}

/* Below a tenth of a microsecond a logarithmic axis has nothing to show. */
static double at_least_visible(double value_ms) {
    return fmax(value_ms, 1e-4);
}

static struct plot_scale latency_scale(const struct series *series, size_t count, double quantile_low) {
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < count; i++) {
        if (series[i].histogram->count == 0)
            continue;
        low = fmin(low, milliseconds(histogram_quantile(series[i].histogram, quantile_low)));
        high = fmax(high, milliseconds(series[i].histogram->max_ns));
    }
    return plot_scale_log(at_least_visible(isinf(low) ? 1 : low), at_least_visible(high));
}

/* Percentiles: x is the number of nines, -log10(1 - quantile) */

#define NINES_STEP 0.05
#define NINES_MAX 6.0

static const struct {
    double nines;
    const char *text;
} nines_ticks[] = {{0, "0 %"},    {0.30103, "50 %"}, {1, "90 %"},     {2, "99 %"},
                   {3, "99.9 %"}, {4, "99.99 %"},    {5, "99.999 %"}, {6, "99.9999 %"}};

static double quantile_of_nines(double nines) {
    return 1 - pow(10, -nines);
}

static double nines_of_count(uint64_t count) {
    return fmin(fmax(log10((double)count), 1), NINES_MAX);
}

/* The curves may end in the same place, so their names stand above them. */
static void legend(struct buffer *out, const struct series *series, size_t count) {
    buffer_append_text(out, "<div class=\"legend\">");
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "<span class=\"%s\"><i></i>%s</span>", series[i].style, series[i].label);
    buffer_append_text(out, "</div>\n");
}

static void percentile_spots(const struct plot *plot, const struct series *series) {
    for (size_t i = 1; i < sizeof nines_ticks / sizeof nines_ticks[0]; i++) {
        if (nines_ticks[i].nines > nines_of_count(series->histogram->count) + 0.01)
            break;
        double value = milliseconds(histogram_quantile(series->histogram, quantile_of_nines(nines_ticks[i].nines)));
        char text[128];
        snprintf(text, sizeof text, "%s, %s: %.3f ms", series->label, nines_ticks[i].text, value);
        plot_spot(plot, series->style, (struct plot_point){nines_ticks[i].nines, value}, text);
    }
}

static void percentile_line(const struct plot *plot, const struct series *series) {
    struct plot_point points[(size_t)(NINES_MAX / NINES_STEP) + 2];
    double end = nines_of_count(series->histogram->count);
    size_t count = 0;
    for (double nines = 0; nines < end; nines += NINES_STEP)
        points[count++] =
            (struct plot_point){nines, milliseconds(histogram_quantile(series->histogram, quantile_of_nines(nines)))};
    points[count++] = (struct plot_point){end, milliseconds(series->histogram->max_ns)};
    plot_line(plot, series->style, points, count);
    percentile_spots(plot, series);
}

void plot_percentiles(struct buffer *out, const struct result *result) {
    struct series series[3];
    size_t count = series_make(result, series);
    double nines = 1;
    for (size_t i = 0; i < count; i++)
        nines = fmax(nines, nines_of_count(series[i].histogram->count));
    struct plot plot = {out, 64, 36, PLOT_WIDTH - 64 - 40, 300, {0, nines, false}, latency_scale(series, count, 0)};
    legend(out, series, count);
    plot_open(out, 372, "Latency by percentile");
    plot_y_axis(&plot, "ms");
    for (size_t i = 0; i < sizeof nines_ticks / sizeof nines_ticks[0] && nines_ticks[i].nines <= nines + 0.01; i++)
        plot_x_tick(&plot, nines_ticks[i].nines, nines_ticks[i].text);
    for (size_t i = 0; i < count; i++)
        if (series[i].histogram->count > 0)
            percentile_line(&plot, &series[i]);
    buffer_append_text(out, "</svg>\n");
}

/* Spread */

#define SPREAD_BINS 80

static double bin_share(const struct plot *plot, const struct histogram *histogram, size_t bin) {
    double ratio = pow(plot->x.to / plot->x.from, 1.0 / SPREAD_BINS);
    double from_ms = plot->x.from * pow(ratio, (double)bin);
    uint64_t count =
        histogram_between(histogram, (uint64_t)llround(from_ms * 1e6), (uint64_t)llround(from_ms * ratio * 1e6));
    return 100.0 * (double)count / (double)histogram->count;
}

static void spread_area(const struct plot *plot, const struct series *series) {
    struct plot_point points[SPREAD_BINS];
    double ratio = pow(plot->x.to / plot->x.from, 1.0 / SPREAD_BINS);
    for (size_t i = 0; i < SPREAD_BINS; i++)
        points[i] =
            (struct plot_point){plot->x.from * pow(ratio, (double)i + 0.5), bin_share(plot, series->histogram, i)};
    plot_area(plot, series->style, points, SPREAD_BINS);
    plot_line(plot, series->style, points, SPREAD_BINS);
    double median = milliseconds(histogram_quantile(series->histogram, 0.5));
    char text[128];
    snprintf(text, sizeof text, "%s, median: %.3f ms", series->label, median);
    size_t bin = (size_t)fmin(fmax(log(median / plot->x.from) / log(ratio), 0), SPREAD_BINS - 1);
    plot_spot(plot, series->style, points[bin], text);
}

void plot_spread(struct buffer *out, const struct result *result) {
    struct series series[3];
    series_make(result, series);
    if (result->delivery.count == 0 || result->last.count == 0)
        return;
    struct plot plot = {out, 64, 36, PLOT_WIDTH - 64 - 40, 170, latency_scale(series, 2, 0.0001), {0, 1, false}};
    double high = 0;
    for (size_t i = 0; i < 2; i++)
        for (size_t bin = 0; bin < SPREAD_BINS; bin++)
            high = fmax(high, bin_share(&plot, series[i].histogram, bin));
    plot.y = plot_scale_from_zero(high);
    legend(out, series, 2);
    plot_open(out, 236, "Spread of latencies");
    plot_y_axis(&plot, "%");
    plot_x_axis_log(&plot, "ms");
    spread_area(&plot, &series[0]);
    spread_area(&plot, &series[1]);
    buffer_append_text(out, "</svg>\n");
}

/* Seconds */

static void warmup_shade(const struct plot *plot, const struct options *options) {
    if (options->warmup_s == 0)
        return;
    plot_band(plot, 0, options->warmup_s, "shade");
    plot_text(plot, plot->left + 4, plot->top + 14, "tick", "warm-up");
}

static void deliveries_panel(struct plot *plot, const struct result *result, struct plot_point *points) {
    double expected = options_deliveries_per_second(result->options), high = expected;
    for (size_t i = 0; i < result->seconds_count; i++) {
        points[i] = (struct plot_point){(double)i + 0.5, (double)result->seconds[i].deliveries};
        high = fmax(high, points[i].y);
    }
    plot->y = plot_scale_from_zero(high * 1.05);
    plot_y_axis(plot, "deliveries/s");
    warmup_shade(plot, result->options);
    plot_area(plot, "first", points, result->seconds_count);
    plot_line(plot, "first", points, result->seconds_count);
    struct plot_point wanted[2] = {{0, expected}, {plot->x.to, expected}};
    plot_line(plot, "wanted", wanted, 2);
    for (size_t i = 0; i < result->seconds_count; i++) {
        char text[128], number[32];
        snprintf(text, sizeof text, "second %zu: %s deliveries", i + 1, plot_number(points[i].y, number));
        plot_spot(plot, "first", points[i], text);
    }
}

static void latency_panel(struct plot *plot, const struct result *result, struct plot_point *points) {
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < result->seconds_count; i++) {
        if (result->seconds[i].deliveries == 0)
            continue;
        low = fmin(low, milliseconds(result->seconds[i].p50_ns));
        high = fmax(high, milliseconds(result->seconds[i].p99_ns));
    }
    plot->y = plot_scale_log(at_least_visible(isinf(low) ? 1 : low), at_least_visible(high));
    plot_y_axis(plot, "ms");
    warmup_shade(plot, result->options);
    plot_x_axis_seconds(plot);
    for (int is_tail = 0; is_tail < 2; is_tail++) {
        size_t count = 0;
        for (size_t i = 0; i < result->seconds_count; i++)
            if (result->seconds[i].deliveries > 0)
                points[count++] = (struct plot_point){
                    (double)i + 0.5, milliseconds(is_tail ? result->seconds[i].p99_ns : result->seconds[i].p50_ns)};
        plot_line(plot, is_tail ? "second" : "first", points, count);
        for (size_t i = 0; i < count; i++) {
            char text[128];
            snprintf(text, sizeof text, "second %.0f: %s %.3f ms", points[i].x + 0.5, is_tail ? "p99" : "p50",
                     points[i].y);
            plot_spot(plot, is_tail ? "second" : "first", points[i], text);
        }
        if (count > 0)
            plot_text(plot, plot_x(plot, points[count - 1].x) + 8, plot_y(plot, points[count - 1].y) + 4,
                      is_tail ? "label second" : "label first", is_tail ? "p99" : "p50");
    }
}

void plot_seconds(struct buffer *out, const struct result *result) {
    if (result->seconds_count == 0)
        return;
    struct plot_point *points = calloc(result->seconds_count, sizeof *points);
    check(points != NULL);
    struct plot_scale time = {0, (double)result->seconds_count, false};
    struct plot above = {out, 72, 36, PLOT_WIDTH - 72 - 60, 130, time, {0, 1, false}};
    struct plot below = {out, 72, 216, PLOT_WIDTH - 72 - 60, 150, time, {0, 1, false}};
    plot_open(out, 400, "Deliveries per second and latency over time");
    deliveries_panel(&above, result, points);
    latency_panel(&below, result, points);
    buffer_append_text(out, "</svg>\n");
    free(points);
}

/* Costs */

#define BAR_HEIGHT 30.0
#define BAR_GAP 16.0
#define BAR_LEFT 250.0

struct bar {
    const char *label;
    const char *style;
    double us;
    double ratio; /* of the server to this one; 0: not to be said */
};

static void bar_draw(struct buffer *out, const struct bar *bar, double top, double scale) {
    char text[32], ratio[48];
    double width = fmax(bar->us * scale, 2);
    struct plot plot = {.out = out};
    snprintf(text, sizeof text, "%.2f µs", bar->us);
    snprintf(ratio, sizeof ratio, "Weft costs %.2f × this", bar->ratio);
    plot_text(&plot, BAR_LEFT - 14, top + BAR_HEIGHT / 2 + 5, "name end", bar->label);
    buffer_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"4\" class=\"bar %s\"/>\n",
                  BAR_LEFT, top, width, BAR_HEIGHT, bar->style);
    plot_text(&plot, BAR_LEFT + width + 12, top + BAR_HEIGHT / 2 + 5, "value", text);
    if (bar->ratio > 0)
        plot_text(&plot, BAR_LEFT + width + 84, top + BAR_HEIGHT / 2 + 5, "name", ratio);
}

void plot_costs(struct buffer *out, const struct result *result) {
    struct bar bars[4];
    size_t count = 0;
    if (result->has_server)
        bars[count++] = (struct bar){"Weft", "first", result->server_us_per_delivery, 0};
    if (result->baseline_send.is_there)
        bars[count++] = (struct bar){"bare epoll, one send each", "floor", result->baseline_send.us_per_delivery,
                                     result_ratio(result, &result->baseline_send)};
    if (result->baseline_coalesce.is_there)
        bars[count++] = (struct bar){"bare epoll, merging", "floor", result->baseline_coalesce.us_per_delivery,
                                     result_ratio(result, &result->baseline_coalesce)};
    bars[count++] = (struct bar){"this load generator", "faint", result->generator_us_per_delivery, 0};
    double high = 0;
    for (size_t i = 0; i < count; i++)
        high = fmax(high, bars[i].us);
    double scale = high > 0 ? (PLOT_WIDTH - BAR_LEFT - 250) / high : 0;
    plot_open(out, (double)count * (BAR_HEIGHT + BAR_GAP), "CPU time per delivery");
    for (size_t i = 0; i < count; i++)
        bar_draw(out, &bars[i], BAR_GAP / 2 + (double)i * (BAR_HEIGHT + BAR_GAP), scale);
    buffer_append_text(out, "</svg>\n");
}
