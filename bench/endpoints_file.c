#define _GNU_SOURCE
#include "bench/endpoints_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WORD_BYTES_MAX 400

static bool is_known(const struct options *options, const struct address *address) {
    for (size_t i = 0; i < options->nodes_count; i++)
        if (strcmp(options->nodes[i].origin, address->origin) == 0)
            return true;
    return false;
}

static size_t word_take(const char *word, struct options *options) {
    struct address address;
    const char *reason;
    if (options->nodes_count == OPTIONS_NODES_MAX || !address_parse(bytes_of_text(word), &address, &reason) ||
        address.is_tls != options->nodes[0].is_tls || is_known(options, &address) || address_resolve(&address) != NULL)
        return 0;
    options->nodes[options->nodes_count++] = address;
    return 1;
}

/* Words are apart by blanks; the shell's quotes and backslashes are no part of them. */
static size_t words_take(const char *text, struct options *options) {
    char word[WORD_BYTES_MAX];
    size_t size = 0, added = 0;
    for (;; text++) {
        bool is_end = *text == 0 || *text == '\n';
        if (is_end || *text == ' ') {
            word[size] = 0;
            added += size > 0 ? word_take(word, options) : 0;
            size = 0;
        } else if (strchr("\\'\"", *text) == NULL && size + 1 < sizeof word) {
            word[size++] = *text;
        }
        if (is_end)
            return added;
    }
}

size_t endpoints_line_take(const char *line, struct options *options) {
    static const char *const names[] = {"WEFT_ENDPOINTS=", "WEFT_PLAIN_ENDPOINTS="};
    for (size_t i = 0; i < 2; i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return words_take(line + strlen(names[i]), options);
    return 0;
}

void endpoints_file_follow(struct endpoints_file *followed, struct options *options) {
    struct stat status;
    if (options->endpoints_file == NULL || stat(options->endpoints_file, &status) != 0 ||
        (status.st_mtim.tv_sec == followed->changed.tv_sec && status.st_mtim.tv_nsec == followed->changed.tv_nsec))
        return;
    FILE *file = fopen(options->endpoints_file, "r");
    if (file == NULL)
        return;
    followed->changed = status.st_mtim;
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0)
        endpoints_line_take(line, options);
    free(line);
    fclose(file);
}
