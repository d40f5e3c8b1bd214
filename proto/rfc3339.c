#include "proto/rfc3339.h"

#include <stdio.h>

#define MS_PER_SECOND 1000
#define SECONDS_PER_DAY 86400
/* The years that four digits can say. */
#define TIME_MS_MIN (-62167219200000LL) /* 0000-01-01T00:00:00.000Z */
#define TIME_MS_MAX (253402300799999LL) /* 9999-12-31T23:59:59.999Z */

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekday_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* A moment in UTC, in the proleptic Gregorian calendar. */
struct civil {
    unsigned year, month, day; /* month and day from 1 */
    unsigned hour, minute, second, millisecond;
    unsigned weekday; /* 0: Sunday */
};

static bool year_is_leap(unsigned year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in_month(unsigned year, unsigned month) {
    static const unsigned days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && year_is_leap(year) ? 1 : 0);
}

/* Days from 0000-01-01 to the first of January of `year`. */
static int64_t days_before_year(unsigned year) {
    if (year == 0)
        return 0;
    unsigned past = year - 1;
    return 365 * (int64_t)year + past / 4 - past / 100 + past / 400 + 1;
}

/* Days from 1970-01-01; the day exists. */
static int64_t days_since_epoch(unsigned year, unsigned month, unsigned day) {
    int64_t days = days_before_year(year) - days_before_year(1970) + (int64_t)day - 1;
    for (unsigned earlier = 1; earlier < month; earlier++)
        days += days_in_month(year, earlier);
    return days;
}

static void civil_set_date(struct civil *civil, int64_t days) {
    int64_t days_of_era = days + days_before_year(1970);
    civil->weekday = (unsigned)((days_of_era + 6) % 7); /* 0000-01-01 was a Saturday */
    civil->year = (unsigned)(days_of_era / 366);        /* at most the right one; a year has no more days */
    while (days_before_year(civil->year + 1) <= days_of_era)
        civil->year++;
    unsigned day = (unsigned)(days_of_era - days_before_year(civil->year));
    civil->month = 1;
    while (day >= days_in_month(civil->year, civil->month))
        day -= days_in_month(civil->year, civil->month++);
    civil->day = day + 1;
}

static struct civil civil_of(int64_t time_ms) {
    if (time_ms < TIME_MS_MIN)
        time_ms = TIME_MS_MIN;
    if (time_ms > TIME_MS_MAX)
        time_ms = TIME_MS_MAX;
    int64_t since_era = time_ms - TIME_MS_MIN;
    unsigned second_of_day = (unsigned)(since_era / MS_PER_SECOND % SECONDS_PER_DAY);
    struct civil civil = {.hour = second_of_day / 3600,
                          .minute = second_of_day / 60 % 60,
                          .second = second_of_day % 60,
                          .millisecond = (unsigned)(since_era % MS_PER_SECOND)};
    civil_set_date(&civil, since_era / MS_PER_SECOND / SECONDS_PER_DAY - days_before_year(1970));
    return civil;
}

static int64_t civil_to_ms(const struct civil *civil) {
    int64_t seconds = days_since_epoch(civil->year, civil->month, civil->day) * SECONDS_PER_DAY;
    seconds += civil->hour * 3600 + civil->minute * 60 + civil->second;
    return seconds * MS_PER_SECOND + civil->millisecond;
}

static bool civil_is_possible(const struct civil *civil) {
    return civil->month >= 1 && civil->month <= 12 && civil->day >= 1 &&
           civil->day <= days_in_month(civil->year, civil->month) && civil->hour < 24 && civil->minute < 60 &&
           civil->second < 60;
}

void rfc3339_format_seconds(int64_t time_ms, char text[RFC3339_TEXT_BYTES]) {
    struct civil c = civil_of(time_ms);
    snprintf(text, RFC3339_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ", c.year % 10000, c.month % 100, c.day % 100,
             c.hour % 100, c.minute % 100, c.second % 100);
}

void rfc3339_format_ms(int64_t time_ms, char text[RFC3339_TEXT_BYTES]) {
    struct civil c = civil_of(time_ms);
    rfc3339_format_seconds(time_ms, text);
    snprintf(text + strlen("2025-06-10T22:20:18"), 6, ".%03uZ", c.millisecond % 1000);
}

void rfc3339_format_identity(int64_t time_ms, char text[RFC3339_TEXT_BYTES]) {
    struct civil c = civil_of(time_ms);
    rfc3339_format_seconds(time_ms, text);
    snprintf(text + strlen("2025-06-10T22:20:18"), 16, ".%03u0000+00:00", c.millisecond % 1000);
}

void rfc1123_format(int64_t time_ms, char text[RFC3339_TEXT_BYTES]) {
    struct civil c = civil_of(time_ms);
    snprintf(text, RFC3339_TEXT_BYTES, "%s, %02u %s %04u %02u:%02u:%02u GMT", weekday_names[c.weekday], c.day % 100,
             month_names[c.month - 1], c.year % 10000, c.hour % 100, c.minute % 100, c.second % 100);
}

/* Each reader takes what it expects from the front of `text`, or leaves it alone and gives false. */
static bool take_number(struct bytes *text, size_t digits, unsigned *number) {
    if (text->size < digits)
        return false;
    unsigned sum = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
        sum = sum * 10 + (unsigned)(text->data[i] - '0');
    }
    *number = sum;
    *text = bytes_of(text->data + digits, text->size - digits);
    return true;
}

static bool take_any_of(struct bytes *text, const char *characters, uint8_t *taken) {
    if (text->size == 0 || text->data[0] == '\0' || strchr(characters, text->data[0]) == NULL)
        return false;
    *taken = text->data[0];
    *text = bytes_of(text->data + 1, text->size - 1);
    return true;
}

static bool take_text(struct bytes *text, const char *expected) {
    if (!bytes_starts_with(*text, expected))
        return false;
    *text = bytes_of(text->data + strlen(expected), text->size - strlen(expected));
    return true;
}

static bool take_name(struct bytes *text, const char (*names)[4], unsigned count, unsigned *index) {
    for (*index = 0; *index < count; (*index)++)
        if (take_text(text, names[*index]))
            return true;
    return false;
}

static bool take_time_of_day(struct bytes *text, struct civil *civil) {
    return take_number(text, 2, &civil->hour) && take_text(text, ":") && take_number(text, 2, &civil->minute) &&
           take_text(text, ":") && take_number(text, 2, &civil->second);
}

/* What is finer than a millisecond is cut. */
static bool take_fraction(struct bytes *text, unsigned *millisecond) {
    unsigned digit;
    unsigned weight = 100;
    size_t digits = 0;
    *millisecond = 0;
    if (!take_text(text, "."))
        return true;
    for (; digits < 9 && take_number(text, 1, &digit); digits++) {
        *millisecond += digit * weight;
        weight /= 10;
    }
    return digits > 0;
}

static bool take_offset(struct bytes *text, int64_t *offset_ms) {
    uint8_t sign;
    unsigned hours;
    unsigned minutes;
    *offset_ms = 0;
    if (take_any_of(text, "Zz", &sign))
        return true;
    if (!take_any_of(text, "+-", &sign) || !take_number(text, 2, &hours) || !take_text(text, ":") ||
        !take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    int64_t minutes_east = (int64_t)hours * 60 + minutes;
    *offset_ms = (sign == '-' ? -minutes_east : minutes_east) * 60 * MS_PER_SECOND;
    return true;
}

bool rfc3339_parse(struct bytes text, int64_t *time_ms) {
    struct civil civil = {0};
    int64_t offset_ms;
    uint8_t separator;
    bool has_form = take_number(&text, 4, &civil.year) && take_text(&text, "-") &&
                    take_number(&text, 2, &civil.month) && take_text(&text, "-") && take_number(&text, 2, &civil.day) &&
                    take_any_of(&text, "Tt", &separator) && take_time_of_day(&text, &civil) &&
                    take_fraction(&text, &civil.millisecond) && take_offset(&text, &offset_ms) && text.size == 0;
    if (!has_form || !civil_is_possible(&civil))
        return false;
    *time_ms = civil_to_ms(&civil) - offset_ms;
    return true;
}

bool rfc1123_parse(struct bytes text, int64_t *time_ms) {
    struct civil civil = {0};
    unsigned month;
    bool has_form = take_name(&text, weekday_names, 7, &civil.weekday) && take_text(&text, ", ") &&
                    take_number(&text, 2, &civil.day) && take_text(&text, " ") &&
                    take_name(&text, month_names, 12, &month) && take_text(&text, " ") &&
                    take_number(&text, 4, &civil.year) && take_text(&text, " ") && take_time_of_day(&text, &civil) &&
                    take_text(&text, " GMT") && text.size == 0;
    if (!has_form)
        return false;
    civil.month = month + 1;
    if (!civil_is_possible(&civil))
        return false;
    *time_ms = civil_to_ms(&civil);
    return civil_of(*time_ms).weekday == civil.weekday;
}
