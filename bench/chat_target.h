#pragma once
/* Targets of the chat REST interface, as the SDKs write them. */
#include "proto/buffer.h"

#define CHAT_TARGET_API_VERSION "api-version=2025-03-15"
#define CHAT_TARGET_THREADS "/chat/threads?" CHAT_TARGET_API_VERSION

/* Appends the target of a thread's messages, and a NUL. */
void chat_target_messages(struct bytes thread_id, struct buffer *out);
