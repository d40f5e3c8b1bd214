#pragma once
/* The node's log: one line per event on standard error, RFC 3339 time, level, text. Any thread. Its level is the one
 * global of the program. */
#include "node/config.h"

void log_level_set(enum config_log_level level);
void log_write(enum config_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(CONFIG_LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(CONFIG_LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write(CONFIG_LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(CONFIG_LOG_DEBUG, __VA_ARGS__)
