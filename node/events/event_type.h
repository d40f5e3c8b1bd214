#pragma once
/* The types of server events (contract section 11): their names, and whether there is one for a change or one for each
 * person who is told of it. */
#include "proto/bytes.h"

#define EVENT_TYPE_PREFIX "Microsoft.Communication."

/*      type, name without the prefix, level */
#define EVENT_TYPE_TABLE(X)                                                                                            \
    X(MESSAGE_RECEIVED, "ChatMessageReceived", USER)                                                                   \
    X(MESSAGE_EDITED, "ChatMessageEdited", USER)                                                                       \
    X(MESSAGE_DELETED, "ChatMessageDeleted", USER)                                                                     \
    X(THREAD_CREATED_WITH_USER, "ChatThreadCreatedWithUser", USER)                                                     \
    X(THREAD_WITH_USER_DELETED, "ChatThreadWithUserDeleted", USER)                                                     \
    X(THREAD_PROPERTIES_UPDATED_PER_USER, "ChatThreadPropertiesUpdatedPerUser", USER)                                  \
    X(PARTICIPANT_ADDED_TO_THREAD_WITH_USER, "ChatParticipantAddedToThreadWithUser", USER)                             \
    X(PARTICIPANT_REMOVED_FROM_THREAD_WITH_USER, "ChatParticipantRemovedFromThreadWithUser", USER)                     \
    X(MESSAGE_RECEIVED_IN_THREAD, "ChatMessageReceivedInThread", THREAD)                                               \
    X(MESSAGE_EDITED_IN_THREAD, "ChatMessageEditedInThread", THREAD)                                                   \
    X(MESSAGE_DELETED_IN_THREAD, "ChatMessageDeletedInThread", THREAD)                                                 \
    X(THREAD_CREATED, "ChatThreadCreated", THREAD)                                                                     \
    X(THREAD_DELETED, "ChatThreadDeleted", THREAD)                                                                     \
    X(THREAD_PROPERTIES_UPDATED, "ChatThreadPropertiesUpdated", THREAD)                                                \
    X(THREAD_PARTICIPANT_ADDED, "ChatThreadParticipantAdded", THREAD)                                                  \
    X(THREAD_PARTICIPANT_REMOVED, "ChatThreadParticipantRemoved", THREAD)                                              \
    X(TYPING_INDICATOR_RECEIVED_IN_THREAD, "ChatTypingIndicatorReceivedInThread", THREAD)                              \
    X(AZURE_BOT_COMMAND_RECEIVED_IN_THREAD, "ChatAzureBotCommandReceivedInThread", THREAD)

enum event_type {
#define EVENT_TYPE_ENUM(type, name, level) EVENT_TYPE_##type,
    EVENT_TYPE_TABLE(EVENT_TYPE_ENUM)
#undef EVENT_TYPE_ENUM
        EVENT_TYPES
};

/* "Microsoft.Communication.ChatMessageReceived" */
const char *event_type_name(enum event_type type);
/* True: one event for each recipient. */
bool event_type_is_per_user(enum event_type type);
/* By its name, with or without the prefix, in any case, as the vendor's filters compare. False: there is none. */
bool event_type_find(struct bytes name, enum event_type *type);
