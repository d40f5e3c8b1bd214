#pragma once
/* The client's side of a WebSocket (RFC 6455), bytes only: the upgrade request and the check of its answer, frames out,
 * frames in. Made for reading a great many small frames cheaply: whole frames are handed out where they lie. */
#include "proto/buffer.h"

/* Control frames are at most 125 bytes; messages longer than this are refused. */
#define WEBSOCKET_MESSAGE_BYTES_MAX (1024 * 1024)

#define WEBSOCKET_KEY_BYTES 25 /* 24 characters of base64 and a NUL */

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

/* From 16 bytes of chance. */
void websocket_key_make(const uint8_t entropy[16], char key[WEBSOCKET_KEY_BYTES]);

/* `subprotocol` may be NULL. */
void websocket_upgrade_encode(const char *target, const char *authority, const char *key, const char *subprotocol,
                              struct buffer *out);

/* STATUS_OK: upgraded, `*head_size` bytes are to be skipped. 1: more bytes are needed. STATUS_MALFORMED: no upgrade, or
 * not the one asked for; `reason` (of `reason_size` bytes) says so. */
int websocket_upgrade_check(struct bytes received, const char *key, const char *subprotocol, size_t *head_size,
                            char *reason, size_t reason_size);

/* A whole frame, masked as clients must. `mask` is of chance. */
void websocket_frame_encode(enum websocket_opcode opcode, struct bytes payload, uint32_t mask, struct buffer *out);

struct websocket_frame {
    enum websocket_opcode opcode;
    bool is_final;
    struct bytes payload;
    size_t size; /* header and payload */
};

/* STATUS_OK: a whole frame at the start of `received`, borrowed from it. 1: more bytes are needed. STATUS_MALFORMED:
 * what no server may send: masked, reserved bits, bad control frame, too long. */
int websocket_frame_decode(struct bytes received, struct websocket_frame *frame);
