#pragma once
/* The bodies of the chat REST API (contract sections 4 to 6), both directions. Parsing checks form and limits and fills
 * a problem that names field, limit and value; rules that need stored state are not here. JSON null counts as absent,
 * except `retentionPolicy: null` and metadata values in patches. All results live in the arena. */
#include "proto/arena.h"
#include "proto/chat.h"
#include "proto/problem.h"

struct create_thread_request {
    struct bytes topic;
    struct participants
        participants; /* as given, at most LIMIT_PARTICIPANTS_PER_CREATE_MAX, no duplicates (last wins) */
    struct metadata metadata;
    struct retention retention;
};

struct update_thread_request {
    struct bytes topic;         /* absent: unchanged */
    struct metadata metadata;   /* patch, RFC 7396: null or "" removes */
    struct retention retention; /* RETENTION_NONE also for an explicit null */
};

struct send_message_request {
    struct bytes content;
    struct bytes display_name; /* "" when not given */
    enum message_type type;    /* MESSAGE_TEXT or MESSAGE_HTML */
    struct metadata metadata;
};

struct update_message_request {
    struct bytes content;     /* absent: unchanged */
    struct metadata metadata; /* patch */
};

int create_thread_request_parse(struct arena *arena, struct bytes body, struct create_thread_request *out,
                                struct problem *problem);
int update_thread_request_parse(struct arena *arena, struct bytes body, struct update_thread_request *out,
                                struct problem *problem);
/* `message_bytes_max` bounds content, and with LIMIT_METADATA_BYTES_MAX more content and metadata together; beyond it
 * STATUS_REQUEST_ENTITY_TOO_LARGE. */
int send_message_request_parse(struct arena *arena, struct bytes body, size_t message_bytes_max,
                               struct send_message_request *out, struct problem *problem);
int update_message_request_parse(struct arena *arena, struct bytes body, size_t message_bytes_max,
                                 struct update_message_request *out, struct problem *problem);
int add_participants_request_parse(struct arena *arena, struct bytes body, struct participants *out,
                                   struct problem *problem);
/* The bare CommunicationIdentifier of :remove; gives its raw id. */
int remove_participant_request_parse(struct arena *arena, struct bytes body, struct bytes *user_id,
                                     struct problem *problem);
/* Body optional, may be empty; display name "" when not given. */
int typing_request_parse(struct arena *arena, struct bytes body, struct bytes *display_name, struct problem *problem);
int read_receipt_request_parse(struct arena *arena, struct bytes body, uint64_t *message_id, struct problem *problem);

/* Why an identity cannot take part anywhere here, more exactly than the contract's codes: told as `innererror`. */
enum participant_refusal {
    REFUSAL_NONE,
    REFUSAL_BOT,              /* "BotUserNotSupported" */
    REFUSAL_PERSONAL_ACCOUNT, /* "PersonalAccountNotSupported": Skype, and Teams without an enterprise */
    REFUSAL_OTHER_RESOURCE    /* "IdentityNotOwned" */
};

struct invalid_participant {
    struct bytes user_id;
    int rc; /* STATUS_FORBIDDEN → code "403", "Permissions check failed"; STATUS_NOT_FOUND → "404", "Not found" */
    enum participant_refusal refusal;
};

/* Bodies out, each a complete JSON text in the arena. */
struct bytes create_thread_response_encode(struct arena *arena, const struct thread_properties *properties,
                                           const struct invalid_participant *invalid, size_t invalid_count);
struct bytes thread_properties_encode(struct arena *arena, const struct thread_properties *properties);
struct bytes add_participants_response_encode(struct arena *arena, const struct invalid_participant *invalid,
                                              size_t invalid_count);
struct bytes send_message_response_encode(struct arena *arena, uint64_t message_id);
struct bytes message_encode(struct arena *arena, const struct message *message);
/* `next_link` absent on the last page. */
struct bytes message_page_encode(struct arena *arena, const struct message *messages, size_t count,
                                 struct bytes next_link);
struct bytes thread_page_encode(struct arena *arena, const struct thread_item *items, size_t count,
                                struct bytes next_link);
struct bytes participant_page_encode(struct arena *arena, const struct participant *items, size_t count,
                                     struct bytes next_link);
struct bytes receipt_page_encode(struct arena *arena, const struct receipt *items, size_t count,
                                 struct bytes next_link);
struct bytes realtime_configuration_encode(struct arena *arena, struct bytes origin);

/* For realtime.c: the same ChatMessage, participant and properties objects as jansson values; the caller owns them.
 * REST bodies have times in whole seconds, real-time frames in milliseconds. */
enum json_times { JSON_TIMES_SECONDS, JSON_TIMES_MS };
struct json_t;
struct json_t *message_to_json(const struct message *message, enum json_times times);
struct json_t *participant_to_json(const struct participant *participant, enum json_times times);
struct json_t *thread_properties_to_json(const struct thread_properties *properties, enum json_times times);
/* `name` of `object` becomes `time_ms` as text. */
void json_time_set(struct json_t *object, const char *name, int64_t time_ms, enum json_times times);

/* For realtime.c, whose `send` has the members of the REST body: the rules for content, contentType or type, name and
 * metadata. `type_member` names the type's member. */
struct json_reader;
int send_message_read(const struct json_reader *reader, const struct json_t *object, const char *type_member,
                      size_t message_bytes_max, struct send_message_request *out);
/* For import_json.c, which reads the same objects as they came from elsewhere: a ChatParticipant, and the member
 * `retentionPolicy`, which may be absent. */
int participant_read(const struct json_reader *reader, const struct json_t *object, struct participant *participant);
int retention_read(const struct json_reader *reader, const struct json_t *object, struct retention *retention);
/* A required decimal message id. */
int message_id_read(const struct json_reader *reader, const struct json_t *object, const char *member, uint64_t *id);
