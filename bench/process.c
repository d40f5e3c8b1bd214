#include "bench/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static bool cpu_read(int pid, int64_t *cpu_ns) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    /* The name in parentheses may hold anything; the fields count from behind its end. */
    const char *fields = strrchr(text, ')');
    uint64_t user, system;
    if (fields == NULL ||
        sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user, &system) != 2)
        return false;
    *cpu_ns += (int64_t)(user + system) * (1000000000 / sysconf(_SC_CLK_TCK));
    return true;
}

static bool memory_read(int pid, struct process_usage *usage) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    int found = 0;
    int64_t kilobytes;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmRSS: %" SCNd64 " kB", &kilobytes) == 1) {
            usage->resident_bytes += kilobytes * 1024;
            found++;
        } else if (sscanf(line, "RssAnon: %" SCNd64 " kB", &kilobytes) == 1) {
            usage->anonymous_bytes += kilobytes * 1024;
            found++;
        }
    }
    fclose(file);
    return found == 2;
}

bool process_usage_read(const int *pids, size_t count, struct process_usage *usage) {
    *usage = (struct process_usage){0};
    for (size_t i = 0; i < count; i++)
        if (!cpu_read(pids[i], &usage->cpu_ns) || !memory_read(pids[i], usage))
            return false;
    return count > 0;
}

int64_t process_own_cpu_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
           ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}
