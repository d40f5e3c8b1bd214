#pragma once
/* The bytes of RFC 6455 that a server writes, and what it checks in a handshake. Pure. */
#include "proto/bytes.h"

enum websocket_opcode {
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

#define WEBSOCKET_HEADER_BYTES_MAX 10
#define WEBSOCKET_CONTROL_BYTES_MAX 125
#define WEBSOCKET_ACCEPT_BYTES 28

/* The header of an unmasked, unfragmented frame; returns its size. */
size_t websocket_frame_header(uint8_t out[WEBSOCKET_HEADER_BYTES_MAX], enum websocket_opcode opcode,
                              size_t payload_size);

/* The payload of a close frame; the reason is cut at a character boundary. Returns its size. Code 1005 gives none. */
size_t websocket_close_payload(uint8_t out[WEBSOCKET_CONTROL_BYTES_MAX], uint16_t code, const char *reason);

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 4.2.2). STATUS_BAD_REQUEST: the key is not base64 of 16 bytes.
 */
int websocket_accept_key(struct bytes key, char out[WEBSOCKET_ACCEPT_BYTES]);

/* True if the comma-separated list has this member (case-sensitive), as subprotocols compare. */
bool websocket_list_has(struct bytes list, struct bytes member);
