/* weftctl hold, weftctl undelete: what operators keep of threads. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "node/ctl/ctl.h"
#include "node/ctl/fields.h"

#define TIME_BYTES 32

static char *path_of(const char *thread, const char *what, char path[static ADMIN_PATH_BYTES_MAX + 32]) {
    char segment[ADMIN_PATH_BYTES_MAX];
    snprintf(path, ADMIN_PATH_BYTES_MAX + 32, "/admin/threads/%s/%s", admin_segment(thread, segment), what);
    return path;
}

static const char *time_text(const json_t *answer, const char *name, char text[static TIME_BYTES]) {
    time_t seconds = (time_t)(field_number(answer, name) / 1000);
    struct tm parts;
    text[0] = 0;
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(text, TIME_BYTES, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

static void print_hold(const json_t *answer) {
    char text[2048], moment[TIME_BYTES];
    terminal_clean(field_text(answer, "reason"), text, sizeof text);
    printf("held since %s: %s\n", time_text(answer, "since", moment), text);
}

static void kept_print(const json_t *answer) {
    char moment[TIME_BYTES];
    if (field_is(answer, "isHeld"))
        print_hold(answer);
    else
        puts("not held");
    if (field_is(answer, "isDeleted"))
        printf("deleted at %s\n", time_text(answer, "deletedOn", moment));
    if (json_object_get(answer, "keptUntil") != NULL)
        printf("can be undeleted%s%s\n", field_is(answer, "isHeld") ? "" : " until ",
               field_is(answer, "isHeld") ? "" : time_text(answer, "keptUntil", moment));
}

int hold_run(struct ctl *ctl) {
    const struct list *words = &ctl->arguments->words;
    char path[ADMIN_PATH_BYTES_MAX + 32];
    if (strcmp(words->items[1], "show") == 0 && words->count == 3)
        return ctl_ask_shown(ctl, "GET", path_of(words->items[2], "hold", path), NULL, kept_print);
    if (strcmp(words->items[1], "clear") == 0 && words->count == 3)
        return ctl_ask_shown(ctl, "DELETE", path_of(words->items[2], "hold", path), NULL, kept_print);
    if (strcmp(words->items[1], "set") != 0 || words->count != 4)
        return usage_wrong("hold: either set THREAD REASON, show THREAD, or clear THREAD");
    json_t *body = json_pack("{s:s}", "reason", words->items[3]);
    if (body == NULL)
        return usage_wrong("hold: the reason is not UTF-8");
    int rc = ctl_ask_shown(ctl, "PUT", path_of(words->items[2], "hold", path), body, kept_print);
    json_decref(body);
    return rc;
}

int undelete_run(struct ctl *ctl) {
    char path[ADMIN_PATH_BYTES_MAX + 32];
    const char *thread = ctl->arguments->words.items[1];
    return ctl_ask(ctl, "POST", path_of(thread, "undelete", path), NULL, "%s is there again", thread);
}
