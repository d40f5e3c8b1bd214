#include "node/ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>

int ctl_complain(struct ctl *ctl, int rc, const char *format, ...) {
    char raw[COMPLAINT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    terminal_clean(raw, ctl->admin.complaint, sizeof ctl->admin.complaint);
    return rc;
}

void ctl_print_json(const json_t *json, bool is_one_of_many) {
    size_t layout = is_one_of_many ? JSON_COMPACT : JSON_INDENT(2);
    json_dumpf(json, stdout, layout | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    fputc('\n', stdout);
}

int ctl_ask(struct ctl *ctl, const char *method, const char *path, const json_t *body, const char *format, ...) {
    json_t *answer;
    int rc = admin_call(&ctl->admin, method, path, body, &answer);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON)) {
        ctl_print_json(answer, false);
    } else {
        char raw[COMPLAINT_BYTES_MAX], text[COMPLAINT_BYTES_MAX];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(raw, sizeof raw, format, arguments);
        va_end(arguments);
        terminal_clean(raw, text, sizeof text);
        puts(text);
    }
    json_decref(answer);
    return EXIT_DONE;
}

int ctl_ask_shown(struct ctl *ctl, const char *method, const char *path, const json_t *body,
                  void (*print)(const json_t *answer)) {
    json_t *answer;
    int rc = admin_call(&ctl->admin, method, path, body, &answer);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(answer, false);
    else
        print(answer);
    json_decref(answer);
    return EXIT_DONE;
}
