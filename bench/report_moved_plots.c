#include "bench/report_moved_plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/moved.h"
#include "bench/plot.h"
#include "proto/check.h"

#define LEFT 72.0
#define WIDTH (PLOT_WIDTH - LEFT - 24)
#define FLAGS_HEIGHT 34.0
#define PANEL_GAP 58.0
#define LANE_HEIGHT 9.0
#define LANES_MAX 16
#define STALL_P99_MS 50.0 /* what a hand-over may take, drawn as lines */
#define STALL_MAX_MS 250.0

const char *plot_node_style(size_t node) {
    static const char *const styles[] = {"first", "second", "third", "fourth", "fifth", "sixth", "floor"};
    return styles[node % (sizeof styles / sizeof styles[0])];
}

static double milliseconds(uint64_t duration_ns) {
    return (double)duration_ns / 1e6;
}

/* What the panels have in common. */
struct board {
    struct buffer *out;
    const struct result *result;
    const struct moved *moved;
    struct plot_point *points; /* one per second, at least */
    double seconds;
    double top; /* of the next panel */
};

static struct plot panel_begin(struct board *board, double height) {
    struct plot plot = {board->out, LEFT, board->top, WIDTH, height, {0, board->seconds, false}, {0, 1, false}};
    board->top += height + PANEL_GAP;
    return plot;
}

/* Times at which ranges moved, behind the curves. */
static void moves_shade(const struct plot *plot, const struct movements *movements) {
    double until_s = -1;
    for (size_t i = 0; i < movements->moves_count; i++) {
        const struct move *move = &movements->moves[i];
        double from_s = fmax(move->from_s, until_s);
        if (move->until_s > from_s)
            plot_band(plot, from_s, move->until_s, "moving");
        until_s = fmax(until_s, move->until_s);
    }
}

static void panel_ground(const struct board *board, const struct plot *plot) {
    for (size_t i = 0; i < board->moved->happenings_count; i++)
        plot_band(plot, board->moved->happenings[i].at_s, board->moved->happenings[i].until_s, "doing");
    moves_shade(plot, &board->moved->movements);
    plot_x_axis_seconds(plot);
}

/* Latency */

struct curve {
    const char *style;
    const char *label;
    double (*value)(const struct second *second);
};

static double p50_of(const struct second *second) {
    return milliseconds(second->p50_ns);
}
static double p99_of(const struct second *second) {
    return milliseconds(second->p99_ns);
}
static double max_of(const struct second *second) {
    return milliseconds(second->max_ns);
}
static double acknowledgement_of(const struct second *second) {
    return milliseconds(second->acknowledgement_max_ns);
}

static const struct curve curves[] = {{"first", "p50", p50_of},
                                      {"second", "p99", p99_of},
                                      {"floor", "max", max_of},
                                      {"third", "ack max", acknowledgement_of}};
#define CURVES (sizeof curves / sizeof curves[0])

static void curve_draw(const struct board *board, const struct plot *plot, const struct curve *curve) {
    size_t count = 0;
    for (size_t i = 0; i < board->result->seconds_count; i++)
        if (curve->value(&board->result->seconds[i]) > 0)
            board->points[count++] = (struct plot_point){(double)i + 0.5, curve->value(&board->result->seconds[i])};
    plot_line(plot, curve->style, board->points, count);
    for (size_t i = 0; i < count; i++) {
        char text[96];
        snprintf(text, sizeof text, "second %.0f: %s %.3f ms", board->points[i].x + 0.5, curve->label,
                 board->points[i].y);
        plot_spot(plot, curve->style, board->points[i], text);
    }
}

static void latency_panel(struct board *board) {
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < board->result->seconds_count; i++) {
        for (size_t j = 0; j < CURVES; j++) {
            double value = curves[j].value(&board->result->seconds[i]);
            low = value > 0 ? fmin(low, value) : low;
            high = fmax(high, value);
        }
    }
    struct plot plot = panel_begin(board, 210);
    plot.y = plot_scale_log(isinf(low) ? 1 : low, fmax(high, 1));
    panel_ground(board, &plot);
    plot_y_axis(&plot, "latency of deliveries, longest acknowledgement; ms");
    for (size_t j = CURVES; j > 0; j--)
        curve_draw(board, &plot, &curves[j - 1]);
}

static void curves_legend(struct buffer *out) {
    buffer_append_text(out, "<div class=\"legend\">");
    for (size_t j = 0; j < CURVES; j++)
        buffer_printf(out, "<span class=\"%s\"><i></i>%s</span>", curves[j].style, curves[j].label);
    buffer_append_text(out, "</div>\n");
}

static void nodes_legend(struct buffer *out, const struct movements *movements) {
    buffer_append_text(out, "<div class=\"legend\">");
    for (size_t i = 0; i < movements->nodes_count; i++) {
        buffer_printf(out, "<span class=\"%s\"><i></i>", plot_node_style(i));
        plot_escape(out, movements_node_name(movements, i));
        buffer_append_text(out, "</span>");
    }
    buffer_append_text(out, "</div>\n");
}

/* Hand-overs */

static void hand_overs_panel(struct board *board) {
    const struct movements *movements = &board->moved->movements;
    const struct stalls *stalls = &board->moved->stalls;
    if (movements->hand_overs_count == 0)
        return;
    struct plot plot = panel_begin(board, 120);
    plot.y = plot_scale_log(1, fmax(milliseconds(stalls->of_hand_overs.max_ns), STALL_MAX_MS));
    panel_ground(board, &plot);
    plot_y_axis(&plot,
                "longest write at each hand-over, ms (dashed: 50 and 250); coloured by the node that leads then");
    for (int i = 0; i < 2; i++) {
        double limit = i == 0 ? STALL_P99_MS : STALL_MAX_MS;
        struct plot_point line[2] = {{0, limit}, {board->seconds, limit}};
        plot_line(&plot, "limit", line, 2);
    }
    for (size_t i = 0; i < movements->hand_overs_count; i++) {
        const struct hand_over *hand_over = &movements->hand_overs[i];
        double ms = (double)stalls->hand_overs[i].duration_ns / 1e6;
        buffer_printf(board->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"point %s\"><title>",
                      plot_x(&plot, hand_over->until_s), plot_y(&plot, ms), plot_node_style(hand_over->to));
        char text[256];
        snprintf(text, sizeof text, "range %u from %s to %s at %.1f s: %.1f ms", hand_over->range,
                 movements_node_name(movements, hand_over->from), movements_node_name(movements, hand_over->to),
                 hand_over->until_s, ms);
        plot_escape(board->out, text);
        buffer_append_text(board->out, "</title></circle>\n");
    }
}

/* Moves: each a bar in the first lane that is free then */

static size_t lanes_assign(const struct movements *movements, unsigned *lanes) {
    double free_s[LANES_MAX];
    size_t used = 0;
    for (size_t i = 0; i < LANES_MAX; i++)
        free_s[i] = -1e9;
    for (size_t i = 0; i < movements->moves_count; i++) {
        unsigned lane = 0;
        while (lane + 1 < LANES_MAX && free_s[lane] > movements->moves[i].from_s)
            lane++;
        free_s[lane] = fmax(free_s[lane], movements->moves[i].until_s);
        lanes[i] = lane;
        used = lane + 1 > used ? lane + 1 : used;
    }
    return used;
}

static void move_draw(const struct plot *plot, const struct movements *movements, const struct move *move,
                      unsigned lane) {
    double left = plot_x(plot, move->from_s), width = fmax(plot_x(plot, move->until_s) - left - 1, 2);
    char text[256];
    snprintf(text, sizeof text, "range %u, %s: %s → %s, %.1f to %.1f s, %.1f MB", move->range, move->kind,
             movements_node_name(movements, move->from), movements_node_name(movements, move->to), move->from_s,
             move->until_s, (double)move->bytes / 1e6);
    buffer_printf(plot->out,
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" class=\"lane %s\"><title>", left,
                  plot->top + lane * LANE_HEIGHT + 1, width, LANE_HEIGHT - 2, plot_node_style(move->to));
    plot_escape(plot->out, text);
    buffer_append_text(plot->out, "</title></rect>\n");
}

static void moves_panel(struct board *board) {
    const struct movements *movements = &board->moved->movements;
    if (movements->moves_count == 0)
        return;
    unsigned *lanes = calloc(movements->moves_count, sizeof *lanes);
    check(lanes != NULL);
    size_t used = lanes_assign(movements, lanes);
    struct plot plot = panel_begin(board, (double)used * LANE_HEIGHT);
    panel_ground(board, &plot);
    plot_text(&plot, plot.left, plot.top - 12, "tick", "moves under way, coloured by where to");
    for (size_t i = 0; i < movements->moves_count; i++)
        move_draw(&plot, movements, &movements->moves[i], lanes[i]);
    free(lanes);
}

/* Shares */

static void share_line(struct board *board, const struct plot *plot, size_t node) {
    const struct movements *movements = &board->moved->movements;
    size_t count = 0;
    for (size_t i = 0; i <= movements->samples_count; i++) {
        bool is_there = i < movements->samples_count && movements->samples[i].shares[node] >= 0;
        if (is_there) {
            board->points[count++] =
                (struct plot_point){movements->samples[i].at_s, movements->samples[i].shares[node] * 100};
        } else if (count > 0) {
            plot_line(plot, plot_node_style(node), board->points, count);
            count = 0;
        }
    }
}

static void shares_panel(struct board *board) {
    const struct movements *movements = &board->moved->movements;
    double high = 0;
    for (size_t i = 0; i < movements->samples_count; i++)
        for (size_t node = 0; node < movements->nodes_count; node++)
            high = fmax(high, movements->samples[i].shares[node] * 100);
    if (high <= 0)
        return;
    struct plot plot = panel_begin(board, 130);
    plot.y = plot_scale_from_zero(high);
    panel_ground(board, &plot);
    plot_y_axis(&plot, "each node's share of the load, %");
    for (size_t node = 0; node < movements->nodes_count; node++)
        share_line(board, &plot, node);
}

/* Bytes */

static double megabytes_of(const struct transfers *transfers, size_t second) {
    return second < transfers->seconds_count ? transfers->seconds[second] / 1e6 : 0;
}

static void bytes_line(struct board *board, const struct plot *plot, const struct transfers *transfers,
                       const char *style) {
    for (size_t i = 0; i < board->result->seconds_count; i++)
        board->points[i] = (struct plot_point){(double)i + 0.5, megabytes_of(transfers, i)};
    plot_area(plot, style, board->points, board->result->seconds_count);
    plot_line(plot, style, board->points, board->result->seconds_count);
}

static void bytes_panel(struct board *board) {
    const struct transfers *transfers = board->moved->transfers;
    double high = 0;
    for (size_t i = 0; i < board->result->seconds_count; i++)
        high =
            fmax(high, fmax(megabytes_of(&transfers[TRANSFERS_ALL], i), megabytes_of(&transfers[TRANSFERS_COPIES], i)));
    if (!transfers[TRANSFERS_ALL].is_known)
        return;
    struct plot plot = panel_begin(board, 90);
    plot.y = plot_scale_from_zero(high);
    panel_ground(board, &plot);
    plot_y_axis(&plot, "between nodes, MB/s; yellow: copies of ranges");
    bytes_line(board, &plot, &transfers[TRANSFERS_ALL], "fourth");
    bytes_line(board, &plot, &transfers[TRANSFERS_COPIES], "fifth");
}

/* What was done, through all panels */

static void flags_draw(const struct board *board) {
    struct plot whole = {board->out,
                         LEFT,
                         FLAGS_HEIGHT - 8,
                         WIDTH,
                         board->top - PANEL_GAP - FLAGS_HEIGHT + 8,
                         {0, board->seconds, false},
                         {0, 1, false}};
    double free_x = 0;
    for (size_t i = 0; i < board->moved->happenings_count; i++) {
        double x = plot_x(&whole, board->moved->happenings[i].at_s);
        double flag_x = fmax(x, free_x);
        char text[24];
        snprintf(text, sizeof text, "%zu", i + 1);
        buffer_printf(board->out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"event\"/>\n", x, x,
                      whole.top, whole.top + whole.height);
        buffer_printf(board->out, "<g><circle cx=\"%.1f\" cy=\"14\" r=\"10\" class=\"flag\"/>", flag_x);
        plot_text(&whole, flag_x, 18, "flag-text", text);
        buffer_append_text(board->out, "<title>");
        plot_escape(board->out, board->moved->happenings[i].command);
        buffer_append_text(board->out, "</title></g>\n");
        free_x = flag_x + 22;
    }
}

static void panels_draw(struct board *board) {
    board->top = FLAGS_HEIGHT + 26;
    latency_panel(board);
    hand_overs_panel(board);
    moves_panel(board);
    shares_panel(board);
    bytes_panel(board);
    flags_draw(board);
}

void plot_moved(struct buffer *out, const struct result *result) {
    struct buffer drawing;
    size_t points = result->seconds_count + result->moved->movements.samples_count + 2;
    if (result->seconds_count == 0)
        return;
    buffer_init(&drawing);
    struct board board = {.out = &drawing,
                          .result = result,
                          .moved = result->moved,
                          .points = calloc(points, sizeof *board.points),
                          .seconds = (double)result->seconds_count};
    check(board.points != NULL);
    panels_draw(&board);
    curves_legend(out);
    nodes_legend(out, &result->moved->movements);
    /* How high it is only those who drew it know. */
    plot_open(out, board.top - PANEL_GAP + 30, "Latency, hand-overs, moves and shares over time");
    buffer_append_bytes(out, buffer_bytes(&drawing));
    buffer_append_text(out, "</svg>\n");
    buffer_close(&drawing);
    free(board.points);
}
