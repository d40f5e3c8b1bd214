#pragma once
/* Line and bar drawings as inline SVG: scales, axes with round ticks, curves with tooltips. Colours and fonts are
 * classes; the page's style sheet says what they look like, so one drawing serves light and dark. */
#include <stdbool.h>
#include <stddef.h>

#include "proto/buffer.h"

#define PLOT_WIDTH 960.0 /* of a whole drawing, in SVG units */

struct plot_scale {
    double from;
    double to;
    bool is_log;
};

struct plot {
    struct buffer *out;
    double left, top, width, height; /* of the area inside the axes, in SVG units */
    struct plot_scale x;
    struct plot_scale y;
};

struct plot_point {
    double x, y;
};

/* Begins a drawing; "</svg>" ends it. */
void plot_open(struct buffer *out, double height, const char *title);

/* A logarithmic scale from and to a 1, 2 or 5 times a power of ten around [low, high]; both above 0. */
struct plot_scale plot_scale_log(double low, double high);
/* A linear scale from 0 to a round number at or above `high`. */
struct plot_scale plot_scale_from_zero(double high);

double plot_x(const struct plot *plot, double value);
double plot_y(const struct plot *plot, double value);

/* Horizontal lines with numbers, and the unit above them. */
void plot_y_axis(const struct plot *plot, const char *unit);
/* A vertical line with a text below it. */
void plot_x_tick(const struct plot *plot, double value, const char *text);
/* The same at the 1, 2, 5 steps of a logarithmic scale, with the unit behind the last. */
void plot_x_axis_log(const struct plot *plot, const char *unit);

/* Round numbers of seconds along a linear scale from 0. */
void plot_x_axis_seconds(const struct plot *plot);
/* Over the whole height, from one value of x to another. */
void plot_band(const struct plot *plot, double from, double to, const char *style);

/* `style` is a class. A point outside the scale is drawn at its edge. */
void plot_line(const struct plot *plot, const char *style, const struct plot_point *points, size_t count);
void plot_area(const struct plot *plot, const char *style, const struct plot_point *points, size_t count);
/* An invisible spot that shows `text` when pointed at, and a dot that appears with it. */
void plot_spot(const struct plot *plot, const char *style, struct plot_point point, const char *text);
void plot_text(const struct plot *plot, double x, double y, const char *style, const char *text);

/* "1,234,567" and the like: whole above 100, with up to three digits otherwise. `text` needs 32 bytes. */
const char *plot_number(double value, char text[32]);
/* Text fit for HTML and attributes. */
void plot_escape(struct buffer *out, const char *text);
