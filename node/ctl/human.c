#include "node/ctl/human.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* Beyond it, numbers are nonsense and only their width matters. */
#define LARGEST 9e17

static double sane(double value) {
    return value > 0 ? fmin(value, LARGEST) : 0;
}

/* One digit behind the point below ten, none from there on. */
static double rounded(double value) {
    return value < 9.95 ? round(value * 10) / 10 : round(value);
}

/* Takes the unit in which the rounded number has at most three digits before the point. */
static char *with_unit(double value, const char *const *units, size_t units_count, char *out) {
    size_t unit = 0;
    while (rounded(value) >= 1000 && unit + 1 < units_count) {
        value /= 1000;
        unit++;
    }
    double shown = rounded(value);
    bool has_decimal = shown < 10 && unit > 0;
    snprintf(out, HUMAN_BYTES_MAX, "%.*f%s", has_decimal ? 1 : 0, shown, units[unit]);
    return out;
}

char *human_bytes(double bytes, char out[static HUMAN_BYTES_MAX]) {
    static const char *const units[] = {" B", " kB", " MB", " GB", " TB", " PB"};
    return with_unit(round(sane(bytes)), units, sizeof units / sizeof *units, out);
}

char *human_count(double count, char out[static HUMAN_BYTES_MAX]) {
    static const char *const units[] = {"", " k", " M", " G", " T"};
    count = sane(count);
    bool is_fraction = count < 9.95 && fabs(count - round(count)) >= 0.05;
    if (!is_fraction)
        return with_unit(round(count), units, sizeof units / sizeof *units, out);
    snprintf(out, HUMAN_BYTES_MAX, "%.1f", count);
    return out;
}

char *human_seconds(double seconds, char out[static HUMAN_BYTES_MAX]) {
    long long whole = (long long)round(sane(seconds));
    long long minutes = whole / 60, hours = whole / 3600, days = whole / 86400;
    if (days > 0)
        snprintf(out, HUMAN_BYTES_MAX, "%lld d %lld h", days, hours % 24);
    else if (hours > 0)
        snprintf(out, HUMAN_BYTES_MAX, "%lld h %lld min", hours, minutes % 60);
    else if (minutes > 0)
        snprintf(out, HUMAN_BYTES_MAX, "%lld min %lld s", minutes, whole % 60);
    else
        snprintf(out, HUMAN_BYTES_MAX, "%lld s", whole);
    return out;
}

char *human_ms(double ms, char out[static HUMAN_BYTES_MAX]) {
    ms = sane(ms);
    int decimals = ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0;
    snprintf(out, HUMAN_BYTES_MAX, "%.*f", decimals, ms);
    return out;
}

char *human_percent(double fraction, char out[static HUMAN_BYTES_MAX]) {
    snprintf(out, HUMAN_BYTES_MAX, "%.1f %%", sane(fraction) * 100);
    return out;
}

char *human_time(double epoch_ms, char out[static HUMAN_BYTES_MAX]) {
    time_t seconds = (time_t)(fmin(sane(epoch_ms), 4e12) / 1000);
    struct tm local;
    out[0] = 0;
    if (localtime_r(&seconds, &local) != NULL)
        strftime(out, HUMAN_BYTES_MAX, "%Y-%m-%d %H:%M:%S", &local);
    return out;
}
