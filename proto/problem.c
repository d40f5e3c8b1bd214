#include "proto/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/buffer.h"
#include "proto/check.h"

int problem_set(struct problem *problem, struct arena *arena, int rc, const char *target, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    check(size >= 0);
    char *text = arena_alloc(arena, (size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    *problem = (struct problem){rc, bytes_of(text, (size_t)size), bytes_of_text(target)};
    return rc;
}

/* Bytes of the well-formed UTF-8 sequence at the start of `text` (RFC 3629); 0: there is none. */
static size_t utf8_sequence_size(struct bytes text) {
    static const struct {
        uint8_t lead_first, lead_last;
        uint8_t second_first, second_last;
        size_t size;
    } forms[] = {{0x00, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text.data[0] < forms[i].lead_first || text.data[0] > forms[i].lead_last)
            continue;
        if (forms[i].size > text.size)
            return 0;
        if (forms[i].size > 1 && (text.data[1] < forms[i].second_first || text.data[1] > forms[i].second_last))
            return 0;
        for (size_t j = 2; j < forms[i].size; j++)
            if ((text.data[j] & 0xc0) != 0x80)
                return 0;
        return forms[i].size;
    }
    return 0;
}

/* A message quotes what the client sent, perhaps cut in the middle of a character: what is not UTF-8 becomes U+FFFD, so
 * that the body stays JSON whatever was quoted. */
static void append_json_string(struct buffer *out, struct bytes text) {
    buffer_append_text(out, "\"");
    while (text.size > 0) {
        size_t size = utf8_sequence_size(text);
        uint8_t first = text.data[0];
        if (size == 0)
            buffer_append_text(out, "\xef\xbf\xbd");
        else if (first == '"' || first == '\\')
            buffer_printf(out, "\\%c", first);
        else if (first < 0x20 || first == 0x7f)
            buffer_printf(out, "\\u%04x", first);
        else
            buffer_append(out, text.data, size);
        text = bytes_of(text.data + (size == 0 ? 1 : size), text.size - (size == 0 ? 1 : size));
    }
    buffer_append_text(out, "\"");
}

struct bytes problem_body(struct arena *arena, const struct problem *problem) {
    struct buffer out;
    buffer_init(&out);
    buffer_append_text(&out, "{\"error\":{\"code\":");
    append_json_string(&out, bytes_of_text(status_name(problem->rc)));
    buffer_append_text(&out, ",\"message\":");
    append_json_string(&out, bytes_is_present(problem->message) ? problem->message
                                                                : bytes_of_text(status_sentence(problem->rc)));
    if (bytes_is_present(problem->target)) {
        buffer_append_text(&out, ",\"target\":");
        append_json_string(&out, problem->target);
    }
    buffer_append_text(&out, "}}");
    struct bytes body = arena_copy(arena, buffer_bytes(&out));
    buffer_close(&out);
    return body;
}
