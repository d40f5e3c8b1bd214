#include "bench/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TICKS_WANTED 4

static const double steps[] = {1, 2, 5};

struct plot_scale plot_scale_log(double low, double high) {
    struct plot_scale scale = {low, high, true};
    double decade = pow(10, floor(log10(low)));
    for (size_t i = 0; i < 3; i++)
        if (decade * steps[i] <= low * 1.0001)
            scale.from = decade * steps[i];
    decade = pow(10, floor(log10(high)));
    scale.to = decade * 10;
    for (size_t i = 3; i > 0; i--)
        if (decade * steps[i - 1] >= high * 0.9999)
            scale.to = decade * steps[i - 1];
    if (scale.to <= scale.from)
        scale.to = scale.from * 10;
    return scale;
}

/* The smallest 1, 2, 5 step that needs at most TICKS_WANTED of them. */
static double linear_step(double range) {
    double decade = pow(10, floor(log10(range / TICKS_WANTED)));
    for (size_t i = 0; i < 3; i++)
        if (decade * steps[i] * TICKS_WANTED >= range * 0.9999)
            return decade * steps[i];
    return decade * 10;
}

struct plot_scale plot_scale_from_zero(double high) {
    if (high <= 0)
        high = 1;
    double step = linear_step(high);
    return (struct plot_scale){0, ceil(high / step - 0.0001) * step, false};
}

static double share(const struct plot_scale *scale, double value) {
    double position = scale->is_log ? log(fmax(value, scale->from) / scale->from) / log(scale->to / scale->from)
                                    : (value - scale->from) / (scale->to - scale->from);
    return fmin(fmax(position, 0), 1);
}

double plot_x(const struct plot *plot, double value) {
    return plot->left + plot->width * share(&plot->x, value);
}

double plot_y(const struct plot *plot, double value) {
    return plot->top + plot->height * (1 - share(&plot->y, value));
}

void plot_open(struct buffer *out, double height, const char *title) {
    buffer_printf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", PLOT_WIDTH, height, title);
}

void plot_escape(struct buffer *out, const char *text) {
    for (; *text != 0; text++) {
        switch (*text) {
        case '<':
            buffer_append_text(out, "&lt;");
            break;
        case '>':
            buffer_append_text(out, "&gt;");
            break;
        case '&':
            buffer_append_text(out, "&amp;");
            break;
        case '"':
            buffer_append_text(out, "&quot;");
            break;
        default:
            buffer_append(out, text, 1);
        }
    }
}

void plot_text(const struct plot *plot, double x, double y, const char *style, const char *text) {
    buffer_printf(plot->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, style);
    plot_escape(plot->out, text);
    buffer_append_text(plot->out, "</text>\n");
}

const char *plot_number(double value, char text[32]) {
    if (fabs(value) < 100) {
        snprintf(text, 32, "%.3g", value);
        return text;
    }
    char digits[32];
    int size = snprintf(digits, sizeof digits, "%.0f", fmin(value, 1e15));
    size_t at = 0;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
    return text;
}

static void y_tick(const struct plot *plot, double value) {
    char text[32];
    double y = plot_y(plot, value);
    buffer_printf(plot->out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", plot->left,
                  plot->left + plot->width, y, y);
    plot_text(plot, plot->left - 8, y + 4, "tick end", plot_number(value, text));
}

/* Calls at every 1, 2, 5 step of a logarithmic scale, or at its decades only when it is long. */
static void each_log_step(const struct plot_scale *scale, void (*call)(const struct plot *, double),
                          const struct plot *plot) {
    bool is_long = log10(scale->to / scale->from) > 3.5;
    for (double decade = pow(10, floor(log10(scale->from) + 0.0001)); decade <= scale->to * 1.0001; decade *= 10)
        for (size_t i = 0; i < (is_long ? 1 : 3); i++)
            if (decade * steps[i] >= scale->from * 0.9999 && decade * steps[i] <= scale->to * 1.0001)
                call(plot, decade * steps[i]);
}

void plot_y_axis(const struct plot *plot, const char *unit) {
    if (plot->y.is_log) {
        each_log_step(&plot->y, y_tick, plot);
    } else {
        double step = linear_step(plot->y.to);
        for (double value = 0; value <= plot->y.to * 1.0001; value += step)
            y_tick(plot, value);
    }
    plot_text(plot, plot->left, plot->top - 12, "tick", unit);
}

void plot_x_tick(const struct plot *plot, double value, const char *text) {
    double x = plot_x(plot, value), bottom = plot->top + plot->height;
    buffer_printf(plot->out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", x, x,
                  plot->top, bottom);
    plot_text(plot, x, bottom + 18, "tick middle", text);
}

static void x_log_tick(const struct plot *plot, double value) {
    char text[32];
    plot_x_tick(plot, value, plot_number(value, text));
}

void plot_x_axis_log(const struct plot *plot, const char *unit) {
    each_log_step(&plot->x, x_log_tick, plot);
    plot_text(plot, plot->left + plot->width + 20, plot->top + plot->height + 18, "tick", unit);
}

void plot_x_axis_seconds(const struct plot *plot) {
    static const double candidates[] = {1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400};
    size_t i = 0;
    while (plot->x.to / candidates[i] > 12 && i + 1 < sizeof candidates / sizeof candidates[0])
        i++;
    for (double value = 0; value <= plot->x.to; value += candidates[i]) {
        char text[32];
        snprintf(text, sizeof text, "%.0f s", value);
        plot_x_tick(plot, value, text);
    }
}

void plot_band(const struct plot *plot, double from, double to, const char *style) {
    double left = plot_x(plot, from);
    buffer_printf(plot->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"/>\n", left,
                  plot->top, plot_x(plot, to) - left, plot->height, style);
}

static void points_append(const struct plot *plot, const struct plot_point *points, size_t count) {
    for (size_t i = 0; i < count; i++)
        buffer_printf(plot->out, "%s%.1f %.1f", i == 0 ? "M" : "L", plot_x(plot, points[i].x),
                      plot_y(plot, points[i].y));
}

void plot_line(const struct plot *plot, const char *style, const struct plot_point *points, size_t count) {
    buffer_printf(plot->out, "<path class=\"line %s\" d=\"", style);
    points_append(plot, points, count);
    buffer_append_text(plot->out, "\"/>\n");
}

void plot_area(const struct plot *plot, const char *style, const struct plot_point *points, size_t count) {
    if (count == 0)
        return;
    double bottom = plot->top + plot->height;
    buffer_printf(plot->out, "<path class=\"area %s\" d=\"", style);
    points_append(plot, points, count);
    buffer_printf(plot->out, "L%.1f %.1fL%.1f %.1fZ\"/>\n", plot_x(plot, points[count - 1].x), bottom,
                  plot_x(plot, points[0].x), bottom);
}

void plot_spot(const struct plot *plot, const char *style, struct plot_point point, const char *text) {
    double x = plot_x(plot, point.x), y = plot_y(plot, point.y);
    buffer_printf(plot->out,
                  "<g class=\"spot %s\"><circle cx=\"%.1f\" cy=\"%.1f\" r=\"11\" class=\"reach\"/>"
                  "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"dot\"/><title>",
                  style, x, y, x, y);
    plot_escape(plot->out, text);
    buffer_append_text(plot->out, "</title></g>\n");
}
