#pragma once
/* CPU time and resident memory of processes, from /proc. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process_usage {
    int64_t cpu_ns; /* user and system time of all its workers, in steps of the kernel's clock tick */
    int64_t resident_bytes;
    int64_t anonymous_bytes; /* of these, not backed by a file */
};

/* The sum over `count` processes. False: one of them cannot be read. */
bool process_usage_read(const int *pids, size_t count, struct process_usage *usage);

/* User and system time of this process. */
int64_t process_own_cpu_ns(void);
