#include "node/config_learn.h"

#include <errno.h>
#include <stdio.h>

#include "node/config_keys.h"

#define LINE_BYTES_MAX (2 * CONFIG_TEXT_MAX)
#define FILE_BYTES_MAX (32 * CONFIG_TEXT_MAX)

static bool is_file_key(const struct config_key *key) {
    size_t size = strlen(key->name);
    return size > 5 && strcmp(key->name + size - 5, "_file") == 0;
}

static void value_take(struct config *config, const struct config_key *key, const char *value,
                       struct buffer *complaint) {
    char path[CONFIG_TEXT_MAX + LINE_BYTES_MAX];
    snprintf(path, sizeof(path), "%s/%s", config->data, value);
    config_key_set(key, config, is_file_key(key) && value[0] != '\0' ? path : value, complaint);
}

static void line_take(struct config *config, char *line, struct buffer *complaint) {
    char *equals = strstr(line, " = ");
    if (line[0] == '#' || line[0] == '\0')
        return;
    if (equals != NULL)
        *equals = '\0';
    const struct config_key *key = equals == NULL ? NULL : config_key_find(line);
    if (key == NULL)
        buffer_printf(complaint, "'%.40s' is no key of the configuration with its value", line);
    else if (!config_is_given(config, key->name))
        value_take(config, key, equals + 3, complaint);
}

void config_learn(struct config *config, const char *name, struct bytes lines, struct buffer *problems) {
    char line[LINE_BYTES_MAX];
    struct buffer complaint;
    size_t at = 0;
    buffer_init(&complaint);
    for (int number = 1; at < lines.size; number++) {
        const uint8_t *end = memchr(lines.data + at, '\n', lines.size - at);
        size_t size = end == NULL ? lines.size - at : (size_t)(end - (lines.data + at));
        snprintf(line, sizeof(line), "%.*s", (int)(size < sizeof(line) ? size : sizeof(line)), lines.data + at);
        complaint.size = 0;
        line_take(config, line, &complaint);
        if (complaint.size > 0)
            buffer_printf(problems, "%s:%d: %.*s\n", name, number, BYTES_ARG(buffer_bytes(&complaint)));
        at += size + 1;
    }
    buffer_close(&complaint);
    if (strcmp(name, CONFIG_JOINED_FILE) == 0)
        config->has_joined = true;
}

static void file_take(struct config *config, const char *name, struct buffer *problems) {
    char path[CONFIG_TEXT_MAX + 32];
    char text[FILE_BYTES_MAX];
    snprintf(path, sizeof(path), "%s/%s", config->data, name);
    FILE *file = fopen(path, "re");
    if (file == NULL && (errno == ENOENT || errno == ENOTDIR))
        return;
    if (file == NULL) {
        buffer_printf(problems, "%s: cannot be opened: %s\n", path, strerror(errno));
        return;
    }
    size_t size = fread(text, 1, sizeof(text), file);
    if (ferror(file) || size == sizeof(text))
        buffer_printf(problems, "%s: %s\n", path, ferror(file) ? "cannot be read" : "is too long");
    else
        config_learn(config, name, bytes_of(text, size), problems);
    fclose(file);
}

void config_learn_kept(struct config *config, struct buffer *problems) {
    file_take(config, CONFIG_JOINED_FILE, problems);
    file_take(config, CONFIG_ADDRESSES_FILE, problems);
}
