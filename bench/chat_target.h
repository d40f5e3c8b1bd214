#pragma once
/* Targets of the REST interfaces with thread ids in them, as the SDKs write them. */
#include "proto/buffer.h"

#define CHAT_TARGET_API_VERSION "api-version=2025-03-15"
#define CHAT_TARGET_THREADS "/chat/threads?" CHAT_TARGET_API_VERSION

/* Appends the target at the admin interface of where a thread is on the ring, and a NUL. */
void chat_target_position(struct bytes thread_id, struct buffer *out);
/* Appends the target of a thread's messages, and a NUL. */
void chat_target_messages(struct bytes thread_id, struct buffer *out);
