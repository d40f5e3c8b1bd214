#include "proto/trouter.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/ids.h"
#include "proto/json_tree.h"
#include "proto/limits.h"

#define SIGNATURE_BYTES 16 /* the ticket's own end, where its MAC lies; clients echo it, nobody reads it */
#define CCID_HEX_DIGITS 16
#define PUSH_STATUS_MAX 999

/* Allocation */

static void decimal_text_set(json_t *object, const char *name, int64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    json_text_set(object, name, bytes_of_text(text));
}

static json_t *connectparams_new(struct bytes sealed, const struct trouter_ticket *ticket) {
    json_t *parameters = json_object_new();
    size_t signature_size = sealed.size < SIGNATURE_BYTES ? sealed.size : SIGNATURE_BYTES;
    json_text_set(parameters, "sr", sealed);
    json_text_set(parameters, "issuer", BYTES_LITERAL("weft"));
    json_text_set(parameters, "sp", BYTES_LITERAL("connect"));
    decimal_text_set(parameters, "se", ticket->expires_ms);
    decimal_text_set(parameters, "st", ticket->issued_ms);
    json_text_set(parameters, "sig", bytes_of(sealed.data + sealed.size - signature_size, signature_size));
    return parameters;
}

static struct bytes ccid_make(struct arena *arena, const struct trouter_ticket *ticket) {
    struct buffer hex;
    buffer_init(&hex);
    for (size_t i = 0; i < CCID_HEX_DIGITS / 2; i++)
        buffer_printf(&hex, "%02x", ticket->nonce[i]);
    struct bytes ccid = arena_copy(arena, buffer_bytes(&hex));
    buffer_close(&hex);
    return ccid;
}

struct bytes trouter_allocation_encode(struct arena *arena, struct bytes origin, struct bytes sealed,
                                       const struct trouter_ticket *ticket, uint32_t ttl_s) {
    char connection_id[37];
    struct bytes push_url = arena_printf(arena, "%.*s%s", BYTES_ARG(origin), TROUTER_PUSH_PATH);
    uuid_format(ticket->nonce, connection_id);
    json_t *body = json_object_new();
    json_text_set(body, "socketio", arena_printf(arena, "%.*s/", BYTES_ARG(origin)));
    json_text_set(body, "url", push_url);
    json_text_set(body, "surl", push_url);
    decimal_text_set(body, "ttl", ttl_s);
    json_text_set(body, "id", bytes_of_text(connection_id));
    json_text_set(body, "ccid", ccid_make(arena, ticket));
    json_text_set(body, "curlb", origin);
    json_member_set(body, "connectparams", connectparams_new(sealed, ticket));
    return json_text_take(arena, body);
}

/* Packets in */

/* Everything up to the next colon; moves behind it. False: there is no colon. */
static bool take_part(struct bytes *rest, struct bytes *part) {
    const uint8_t *colon = rest->size == 0 ? NULL : memchr(rest->data, ':', rest->size);
    if (colon == NULL)
        return false;
    *part = bytes_of(rest->data, (size_t)(colon - rest->data));
    *rest = bytes_of(colon + 1, rest->size - part->size - 1);
    return true;
}

static bool type_is_known(uint64_t type) {
    return type <= TROUTER_NOOP && type != 4;
}

static bool packet_id_read(struct bytes text, struct trouter_packet *packet) {
    if (text.size == 0)
        return true;
    packet->wants_ack = text.data[text.size - 1] == '+';
    if (packet->wants_ack)
        text.size--;
    return decimal_parse(text, &packet->id);
}

static int event_read(const struct json_reader *reader, struct trouter_packet *packet) {
    json_t *event;
    if (json_body_load(reader, packet->data, &event) != 0)
        return STATUS_MALFORMED;
    int rc = json_text_require(reader, event, "name", LIMIT_RAW_ID_BYTES_MAX, &packet->event_name);
    json_decref(event);
    return rc == 0 ? 0 : STATUS_MALFORMED;
}

static bool small_integer_read(const json_t *object, const char *name, json_int_t max, json_int_t *value) {
    const json_t *member = json_object_get(object, name);
    *value = json_integer_value(member);
    return json_is_integer(member) && *value >= 0 && *value <= max;
}

static int push_answer_read(const struct json_reader *reader, struct trouter_packet *packet) {
    json_t *answer;
    json_int_t id, status;
    if (json_body_load(reader, packet->data, &answer) != 0)
        return STATUS_MALFORMED;
    bool is_complete = small_integer_read(answer, "id", INT64_MAX, &id) &&
                       small_integer_read(answer, "status", PUSH_STATUS_MAX, &status);
    json_decref(answer);
    if (!is_complete)
        return STATUS_MALFORMED;
    packet->push_id = (uint64_t)id;
    packet->push_status = (int)status;
    return 0;
}

int trouter_packet_parse(struct arena *arena, struct bytes text, struct trouter_packet *packet) {
    struct problem problem;
    const struct json_reader reader = {arena, &problem};
    struct bytes rest = text, type, id, endpoint;
    uint64_t number;
    *packet = (struct trouter_packet){0};
    if (!take_part(&rest, &type) || !take_part(&rest, &id) || !decimal_parse(type, &number) || !type_is_known(number) ||
        !packet_id_read(id, packet))
        return STATUS_MALFORMED;
    packet->type = (enum trouter_packet_type)number;
    /* Without the third colon all that is left is the endpoint, which is always empty here. */
    packet->data = take_part(&rest, &endpoint) ? rest : bytes_of(rest.data + rest.size, 0);
    if (packet->type == TROUTER_EVENT)
        return event_read(&reader, packet);
    if (packet->type == TROUTER_MESSAGE)
        return push_answer_read(&reader, packet);
    return 0;
}

/* Packets out */

static void event_encode(struct buffer *out, const char *name, const char *argument, const char *value) {
    json_t *event = json_object_new();
    json_t *arguments = json_array_new();
    json_t *object = json_object_new();
    json_text_set(object, argument, bytes_of_text(value));
    json_item_add(arguments, object);
    json_text_set(event, "name", bytes_of_text(name));
    json_member_set(event, "args", arguments);
    buffer_append_text(out, "5:::");
    json_append_take(out, event);
}

void trouter_connected_encode(struct buffer *out, uint32_t ttl_s) {
    char ttl[16];
    snprintf(ttl, sizeof(ttl), "%" PRIu32, ttl_s);
    event_encode(out, "trouter.connected", "ttl", ttl);
}

void trouter_reconnect_encode(struct buffer *out, const char *target) {
    event_encode(out, "trouter.reconnect", "target", target);
}

void trouter_ack_encode(struct buffer *out, uint64_t id) {
    buffer_printf(out, "6:::%" PRIu64 "+[]", id);
}

void trouter_disconnect_encode(struct buffer *out, const char *reason) {
    buffer_append_text(out, "0::");
    if (reason == NULL)
        return;
    json_t *object = json_object_new();
    json_text_set(object, "reason", bytes_of_text(reason));
    buffer_append_text(out, ":");
    json_append_take(out, object);
}

/* Registration */

int trouter_registration_parse(struct arena *arena, struct bytes body, struct bytes *registration_id,
                               struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *registration_id = BYTES_ABSENT;
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = json_text_require(&reader, root, "registrationId", LIMIT_RAW_ID_BYTES_MAX, registration_id);
    json_decref(root);
    return rc;
}
