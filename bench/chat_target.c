#include "bench/chat_target.h"

/* Ids have ":" and "@", which the SDKs escape in paths. */
static void escaped_append(struct buffer *out, struct bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == ':' || c == '@')
            buffer_printf(out, "%%%02X", c);
        else
            buffer_append(out, &c, 1);
    }
}

void chat_target_position(struct bytes thread_id, struct buffer *out) {
    buffer_append_text(out, "/admin/positions/");
    escaped_append(out, thread_id);
    buffer_append(out, "", 1);
}

void chat_target_messages(struct bytes thread_id, struct buffer *out) {
    buffer_append_text(out, "/chat/threads/");
    escaped_append(out, thread_id);
    buffer_append(out, "/messages?" CHAT_TARGET_API_VERSION, sizeof "/messages?" CHAT_TARGET_API_VERSION);
}
