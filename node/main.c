/* weft-node: reads the configuration and does what was asked. */
#include <stdio.h>
#include <stdlib.h>

#include "node/data_folder.h"
#include "node/server.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "storage/fsck.h"

#ifndef WEFT_VERSION
#define WEFT_VERSION "0.2.0"
#endif

#define EXIT_USAGE 2
#define EXIT_CORRUPT 3

extern char **environ;

static void print_buffer(FILE *file, const struct buffer *buffer) {
    fwrite(buffer_bytes(buffer).data, 1, buffer->size, file);
}

static int run(const struct config *config) {
    struct server *server = NULL;
    int rc = server_open(config, &server);
    if (rc == STATUS_OK)
        rc = server_run(server);
    if (rc == STATUS_OK)
        server_close(server);
    return rc == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_connection_string(const struct config *config) {
    struct buffer out;
    const char *reason = "";
    buffer_init(&out);
    int rc = server_connection_string(config, &out, &reason);
    if (rc == STATUS_OK)
        printf("%.*s\n", BYTES_ARG(buffer_bytes(&out)));
    else
        fprintf(stderr, "weft-node: %s: %s\n", config->data, reason);
    buffer_close(&out);
    return rc == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void fsck_print(const struct fsck_report *report) {
    printf("records: %llu state, %llu log, %llu outbox, %llu meta\n", (unsigned long long)report->records[STORE_STATE],
           (unsigned long long)report->records[STORE_LOG], (unsigned long long)report->records[STORE_OUTBOX],
           (unsigned long long)report->records[STORE_META]);
    printf("shredded log entries: %llu\n", (unsigned long long)report->shredded);
    printf("rows still to be purged: %llu\n", (unsigned long long)report->leftovers);
    printf("corrupt: %llu\n", (unsigned long long)report->corrupt);
    printf("index rows that name nothing: %llu\n", (unsigned long long)report->misindexed);
}

static int fsck(const struct config *config) {
    struct data_folder folder;
    struct fsck_report report;
    struct buffer lines;
    const char *reason = "";
    seal_init();
    int rc = data_folder_open_existing(config, &folder, &reason);
    if (rc != STATUS_OK) {
        fprintf(stderr, "weft-node fsck: %s: %s\n", config->data, reason);
        return EXIT_FAILURE;
    }
    buffer_init(&lines);
    rc = store_fsck(folder.store, &folder.master, folder.settings.range_count == 0 ? 0 : LIMIT_RANGES_MAX,
                    folder.settings.range_count, &report, &lines);
    print_buffer(stdout, &lines);
    if (rc == STATUS_OK)
        fsck_print(&report);
    else
        fprintf(stderr, "weft-node fsck: %s\n", status_sentence(rc));
    buffer_close(&lines);
    data_folder_close(&folder);
    if (rc != STATUS_OK)
        return EXIT_FAILURE;
    return report.corrupt + report.misindexed == 0 ? EXIT_SUCCESS : EXIT_CORRUPT;
}

static int perform(const struct config *config, enum config_verb verb) {
    struct buffer out;
    buffer_init(&out);
    int exit_code = EXIT_SUCCESS;
    switch (verb) {
    case CONFIG_RUN:
        exit_code = run(config);
        break;
    case CONFIG_HELP:
        config_help(&out);
        break;
    case CONFIG_VERSION:
        buffer_append_text(&out, "weft-node " WEFT_VERSION "\n");
        break;
    case CONFIG_CHECK:
        buffer_append_text(&out, "the configuration is valid\n");
        break;
    case CONFIG_PRINT:
        config_print(config, &out);
        break;
    case CONFIG_PRINT_CONNECTION_STRING:
        exit_code = print_connection_string(config);
        break;
    case CONFIG_FSCK:
        exit_code = fsck(config);
        break;
    }
    print_buffer(stdout, &out);
    buffer_close(&out);
    return exit_code;
}

int main(int argc, char **argv) {
    struct config config;
    enum config_verb verb = CONFIG_RUN;
    struct buffer problems;
    (void)argc;
    buffer_init(&problems);
    int rc = config_load(&config, &verb, argv, environ, &problems);
    if (rc != STATUS_OK)
        print_buffer(stderr, &problems);
    buffer_close(&problems);
    return rc == STATUS_OK ? perform(&config, verb) : EXIT_USAGE;
}
