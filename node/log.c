#include "node/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "proto/rfc3339.h"

#define LINE_BYTES_MAX 2048

static atomic_int current_level = CONFIG_LOG_INFO;

void log_level_set(enum config_log_level level) {
    atomic_store(&current_level, (int)level);
}

/* One write per line, so that lines of different threads do not mix. */
void log_write(enum config_log_level level, const char *format, ...) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char time_text[RFC3339_TEXT_BYTES];
    char line[LINE_BYTES_MAX];
    struct timespec now;
    va_list arguments;
    if ((int)level > atomic_load(&current_level))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    rfc3339_format_ms((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, time_text);
    int prefix = snprintf(line, sizeof(line), "%s %s ", time_text, names[level]);
    va_start(arguments, format);
    vsnprintf(line + prefix, sizeof(line) - (size_t)prefix, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s\n", line);
}
