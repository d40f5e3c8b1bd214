#include "node/ctl/people_file.h"

#include <errno.h>
#include <string.h>

#define ID_BYTES_MAX 256 /* as a node takes them */

static int person_add(struct source *source, const char *from, const char *id) {
    if (strlen(id) > ID_BYTES_MAX || strchr(id, ':') == NULL)
        return usage_wrong("%s: \"%.60s\" is no user's id, as 8:acs:...", from, id);
    source_user_add(source, id);
    return EXIT_DONE;
}

static int file_read(const char *path, struct source *source) {
    char line[ID_BYTES_MAX + 16];
    FILE *file = fopen(path, "r");
    int rc = EXIT_DONE;
    if (file == NULL)
        return usage_wrong("--users: cannot read %s: %s", path, strerror(errno));
    while (rc == EXIT_DONE && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] != 0 && line[0] != '#')
            rc = person_add(source, path, line);
    }
    fclose(file);
    return rc;
}

int people_read(const struct arguments *arguments, struct source *source) {
    int rc = EXIT_DONE;
    if (arguments->user != NULL)
        rc = person_add(source, "--user", arguments->user);
    if (rc == EXIT_DONE && arguments->users_file != NULL)
        rc = file_read(arguments->users_file, source);
    return rc;
}
