#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "node/gateway/websocket_parts.h"
#include "proto/check.h"
#include "proto/limits.h"

/* wslay's context holds over 8 KB, so it exists only while input is being parsed; and one of them is kept for the next.
 */
struct websocket_parser {
    wslay_event_context_ptr context;
    struct websocket *websocket;
    const uint8_t *input;
    size_t input_size;
    uint64_t fed;      /* bytes given to wslay */
    uint64_t expected; /* bytes of the frames that have begun; equal to `fed` exactly between frames */
    bool is_message_open;
    struct buffer output; /* what wslay answers by itself: pongs, close frames */
};

static ssize_t give_input(wslay_event_context_ptr context, uint8_t *out, size_t size, int flags, void *user) {
    (void)flags;
    struct websocket_parser *parser = user;
    if (parser->input_size == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t given = size < parser->input_size ? size : parser->input_size;
    memcpy(out, parser->input, given);
    parser->input += given;
    parser->input_size -= given;
    parser->fed += given;
    return (ssize_t)given;
}

static ssize_t take_output(wslay_event_context_ptr context, const uint8_t *data, size_t size, int flags, void *user) {
    (void)context;
    (void)flags;
    struct websocket_parser *parser = user;
    buffer_append(&parser->output, data, size);
    return (ssize_t)size;
}

static void on_frame_start(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *frame,
                           void *user) {
    (void)context;
    struct websocket_parser *parser = user;
    /* Clients' frames are masked: two bytes, the longer length if there is one, four bytes of mask, the payload. */
    size_t header = 2 + 4 + (frame->payload_length > UINT16_MAX ? 8U : frame->payload_length > 125 ? 2U : 0U);
    parser->expected += header + frame->payload_length;
    if (!wslay_is_ctrl_frame(frame->opcode))
        parser->is_message_open = frame->fin == 0;
}

static void on_whole_message(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message,
                             void *user) {
    (void)context;
    struct websocket *websocket = ((struct websocket_parser *)user)->websocket;
    if (websocket->state != WEBSOCKET_OPEN)
        return;
    if (message->opcode != WSLAY_TEXT_FRAME && message->opcode != WSLAY_BINARY_FRAME)
        return;
    websocket->group->totals.messages_in++;
    struct bytes payload = bytes_of(message->msg == NULL ? (const void *)"" : message->msg, message->msg_length);
    websocket->callbacks->on_message(websocket, message->opcode == WSLAY_TEXT_FRAME, payload);
}

static struct websocket_parser *parser_new(void) {
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = give_input,
        .send_callback = take_output,
        .on_frame_recv_start_callback = on_frame_start,
        .on_msg_recv_callback = on_whole_message,
    };
    struct websocket_parser *parser = calloc(1, sizeof(*parser));
    check(parser != NULL);
    check(wslay_event_context_server_init(&parser->context, &callbacks, parser) == 0);
    wslay_event_config_set_max_recv_msg_length(parser->context, LIMIT_FRAME_BYTES_MAX);
    return parser;
}

void websocket_parser_free(struct websocket_parser *parser) {
    if (parser == NULL)
        return;
    wslay_event_context_free(parser->context);
    buffer_close(&parser->output);
    free(parser);
}

static struct websocket_parser *take_parser(struct websocket *websocket) {
    struct websocket_group *group = websocket->group;
    if (websocket->parser == NULL) {
        websocket->parser = group->spare != NULL ? group->spare : parser_new();
        group->spare = NULL;
        websocket->parser->websocket = websocket;
    }
    return websocket->parser;
}

static void drop_parser(struct websocket *websocket) {
    websocket_parser_free(websocket->parser);
    websocket->parser = NULL;
}

/* Only a parser that stands exactly between two messages is as good as a new one. */
static void give_parser_back(struct websocket *websocket) {
    struct websocket_parser *parser = websocket->parser;
    if (parser->fed != parser->expected || parser->is_message_open)
        return;
    websocket->parser = NULL;
    if (websocket->group->spare != NULL) {
        websocket_parser_free(parser);
        return;
    }
    parser->fed = 0;
    parser->expected = 0;
    parser->websocket = NULL;
    websocket->group->spare = parser;
}

/* Pongs and close frames that wslay made. */
static void send_answers(struct websocket *websocket, struct websocket_parser *parser) {
    struct bytes answers = buffer_bytes(&parser->output);
    if (answers.size == 0 || websocket->is_close_queued) {
        buffer_close(&parser->output);
        return;
    }
    struct shared_bytes *shared = shared_bytes_take(&parser->output);
    struct bytes view = shared_bytes_view(shared);
    struct websocket_segment segment = {.owner = shared, .data = view.data, .size = view.size};
    /* A peer that pings but does not read what it is answered is not worth keeping. */
    if (websocket_queue(websocket, &segment, 1, WEBSOCKET_NEEDED) == STATUS_OVERLOADED)
        websocket_end(websocket);
    shared_bytes_release(shared);
}

static void note_closing(struct websocket *websocket, struct websocket_parser *parser) {
    if (wslay_event_get_close_received(parser->context)) {
        websocket->is_close_received = true;
        uint16_t code = wslay_event_get_status_code_received(parser->context);
        websocket->closed_code = code == 0 ? WEBSOCKET_CODE_NONE : code;
    }
    if (wslay_event_get_close_sent(parser->context))
        websocket->is_close_queued = true;
    bool is_broken = !wslay_event_get_read_enabled(parser->context);
    if ((websocket->is_close_received || is_broken) && websocket->state < WEBSOCKET_ENDING)
        websocket_set_state(websocket, WEBSOCKET_ENDING);
}

/* A header that is no header: wslay would close without saying why. */
static void refuse_frame(struct websocket *websocket) {
    if (!websocket->is_close_queued)
        websocket_queue_close_frame(websocket, WEBSOCKET_CODE_PROTOCOL_ERROR, "The frame is malformed.");
    websocket_set_state(websocket, WEBSOCKET_ENDING);
}

static void parse(struct websocket *websocket, struct bytes input) {
    struct websocket_parser *parser = take_parser(websocket);
    parser->input = input.data;
    parser->input_size = input.size;
    if (wslay_event_recv(parser->context) != 0) {
        refuse_frame(websocket);
    } else {
        while (wslay_event_want_write(parser->context))
            check(wslay_event_send(parser->context) == 0);
        send_answers(websocket, parser);
        note_closing(websocket, parser);
    }
    if (websocket->state >= WEBSOCKET_ENDING)
        drop_parser(websocket);
    else
        give_parser_back(websocket);
}

void websocket_consume_input(struct websocket *websocket) {
    h2o_socket_t *socket = websocket->socket;
    size_t size = socket->input->size;
    if (size > 0) {
        websocket->last_input_ms = uv_now(websocket->group->loop);
        websocket->group->totals.bytes_in += size;
        if (websocket->state == WEBSOCKET_OPEN || websocket->state == WEBSOCKET_CLOSING)
            parse(websocket, bytes_of(socket->input->bytes, size));
        h2o_buffer_consume(&socket->input, size);
    } else if (socket->input->bytes != NULL) {
        /* h2o reserves before it reads; if nothing came, an idle connection would keep the empty buffer. */
        h2o_buffer_dispose(&socket->input);
        h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
    }
}

void websocket_on_read(h2o_socket_t *socket, const char *error) {
    struct websocket *websocket = socket->data;
    if (error == NULL)
        websocket_consume_input(websocket);
    else
        websocket_end(websocket);
}
