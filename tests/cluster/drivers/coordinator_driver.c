/* The coordinator of a cluster as a program, for tests that stop and kill what is around it.
 *   coordinator-driver ENDPOINTS PREFIX [USER PASSWORD [CA [CERT KEY]]]      "" for what is not given
 * Reads commands, one a line, words separated by a space ("" is written as -):
 *   get NAME    swap NAME VERSION VALUE    list PREFIX    watch PREFIX REVISION    announce NAME VALUE TTL
 *   stand NAME VALUE TTL    remove NAME VERSION    close
 * Writes one line of JSON for each, in order, and {"event":{…}} for what a watch tells. Values hold no quotes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/coordinator/etcd.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define WORDS_MAX 5
#define LINE_BYTES_MAX 4096

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void item_print(const struct coordinator_item *item) {
    printf("{\"name\":\"%.*s\",\"version\":%" PRIu64, BYTES_ARG(item->name), item->version);
    if (bytes_is_present(item->value))
        printf(",\"value\":\"%.*s\"", BYTES_ARG(item->value));
    printf("}");
}

static void on_change(void *context, const struct coordinator_item *change) {
    (void)context;
    flockfile(stdout);
    printf("{\"event\":");
    item_print(change);
    printf("}\n");
    fflush(stdout);
    funlockfile(stdout);
}

static void answer_print(int rc, int64_t began_ms, const struct coordinator_item *items, size_t count,
                         uint64_t revision) {
    flockfile(stdout);
    printf("{\"status\":\"%s\",\"ms\":%" PRId64 ",\"revision\":%" PRIu64 ",\"items\":[", status_name(rc),
           now_ms() - began_ms, revision);
    for (size_t i = 0; i < count; i++) {
        printf("%s", i == 0 ? "" : ",");
        item_print(&items[i]);
    }
    printf("]}\n");
    fflush(stdout);
    funlockfile(stdout);
}

static size_t words_split(char *line, char *words[WORDS_MAX]) {
    size_t count = 0;
    char *rest = NULL;
    line[strcspn(line, "\n")] = '\0';
    for (char *word = strtok_r(line, " ", &rest); word != NULL && count < WORDS_MAX; word = strtok_r(NULL, " ", &rest))
        words[count++] = strcmp(word, "-") == 0 ? "" : word;
    return count;
}

static void perform(struct coordinator *coordinator, char *const *words) {
    struct arena arena;
    struct coordinator_item item = {.name = bytes_of_text(words[1])};
    struct coordinator_item *items = &item;
    size_t count = 0;
    uint64_t revision = 0;
    int64_t began_ms = now_ms();
    int rc = STATUS_BAD_REQUEST;
    arena_init(&arena);
    if (strcmp(words[0], "get") == 0) {
        rc = coordinator_get(coordinator, words[1], &arena, &item.value, &item.version);
        count = rc == STATUS_OK ? 1 : 0;
    } else if (strcmp(words[0], "swap") == 0) {
        rc = coordinator_swap(coordinator, words[1], strtoull(words[2], NULL, 10), bytes_of_text(words[3]), &revision);
    } else if (strcmp(words[0], "list") == 0) {
        rc = coordinator_list(coordinator, words[1], &arena, &items, &count, &revision);
        count = rc == STATUS_OK ? count : 0;
    } else if (strcmp(words[0], "watch") == 0) {
        rc = coordinator_watch(coordinator, words[1], strtoull(words[2], NULL, 10), on_change, NULL);
    } else if (strcmp(words[0], "announce") == 0) {
        rc = coordinator_announce(coordinator, words[1], bytes_of_text(words[2]), (unsigned)atoi(words[3]));
    } else if (strcmp(words[0], "stand") == 0) {
        rc = coordinator_stand(coordinator, words[1], bytes_of_text(words[2]), (unsigned)atoi(words[3]));
    } else if (strcmp(words[0], "remove") == 0) {
        rc = coordinator_remove(coordinator, words[1], strtoull(words[2], NULL, 10));
    }
    answer_print(rc, began_ms, items, count, revision);
    arena_close(&arena);
}

static const char *argument(int argc, char **argv, int at) {
    return at < argc ? argv[at] : "";
}

int main(int argc, char **argv) {
    char line[LINE_BYTES_MAX];
    char *words[WORDS_MAX] = {0};
    if (argc < 3)
        return EXIT_FAILURE;
    struct etcd_options options = {.endpoints = argv[1],
                                   .prefix = argv[2],
                                   .user = argument(argc, argv, 3),
                                   .password = argument(argc, argv, 4),
                                   .ca_file = argument(argc, argv, 5),
                                   .cert_file = argument(argc, argv, 6),
                                   .key_file = argument(argc, argv, 7)};
    log_level_set(CONFIG_LOG_DEBUG);
    struct coordinator *coordinator = coordinator_etcd_new(&options);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t count = words_split(line, words);
        if (count == 0 || strcmp(words[0], "close") == 0)
            break;
        for (size_t i = count; i < WORDS_MAX; i++)
            words[i] = "";
        perform(coordinator, words);
    }
    int64_t began_ms = now_ms();
    coordinator_close(coordinator);
    answer_print(STATUS_OK, began_ms, NULL, 0, 0);
    return EXIT_SUCCESS;
}
