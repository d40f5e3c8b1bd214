#include "proto/packet.h"

#include "proto/check.h"
#include "proto/limits.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

_Static_assert(PACKET_ENTRIES_MAX <= LIMIT_LIST_ITEMS_MAX && PACKET_LISTENERS_MAX <= LIMIT_LIST_ITEMS_MAX &&
                   PACKET_CHANGES_MAX <= LIMIT_LIST_ITEMS_MAX,
               "what is encoded is read again");

static const struct codec_field ENTRY_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct packet_entry, epoch),
    CODEC_MEMBER(2, CODEC_BYTES, struct packet_entry, command),
};
static const struct codec_table ENTRY_TABLE = CODEC_TABLE(struct packet_entry, ENTRY_FIELDS);

static const struct codec_field LISTENER_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_ID_HASH, struct packet_listener, thread),
    CODEC_MEMBER(2, CODEC_U64, struct packet_listener, next_offset),
    CODEC_MEMBER(3, CODEC_BOOL, struct packet_listener, is_anew),
    CODEC_MEMBER(4, CODEC_U64, struct packet_listener, born),
    CODEC_MEMBER(5, CODEC_BOOL, struct packet_listener, is_user),
    CODEC_MEMBER(6, CODEC_BOOL, struct packet_listener, has_moved),
};
static const struct codec_table LISTENER_TABLE = CODEC_TABLE(struct packet_listener, LISTENER_FIELDS);

static const struct codec_field CHANGE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct packet_change, change),
};
static const struct codec_table CHANGE_TABLE = CODEC_TABLE(struct packet_change, CHANGE_FIELDS);

static const struct codec_field PACKET_FIELDS[] = {
    CODEC_MEMBER_ENUM(1, struct packet, kind, PACKET_CHANGES_SEEN),
    CODEC_MEMBER(2, CODEC_U32, struct packet, range),
    CODEC_MEMBER(3, CODEC_U64, struct packet, epoch),
    CODEC_MEMBER(4, CODEC_U64, struct packet, previous_index),
    CODEC_MEMBER(5, CODEC_U64, struct packet, previous_epoch),
    CODEC_MEMBER(6, CODEC_U64, struct packet, committed),
    CODEC_MEMBER(7, CODEC_U64, struct packet, lease),
    CODEC_MEMBER_LIST(8, struct packet, entries, entries_count, &ENTRY_TABLE),
    CODEC_MEMBER(9, CODEC_U64, struct packet, durable),
    CODEC_MEMBER(10, CODEC_BOOL, struct packet, is_refused),
    CODEC_MEMBER(11, CODEC_U64, struct packet, snapshot),
    CODEC_MEMBER(12, CODEC_U64, struct packet, chunk),
    CODEC_MEMBER(13, CODEC_BOOL, struct packet, is_last_chunk),
    CODEC_MEMBER(14, CODEC_U64, struct packet, index),
    CODEC_MEMBER(15, CODEC_U64, struct packet, index_epoch),
    CODEC_MEMBER(16, CODEC_BYTES, struct packet, rows),
    CODEC_MEMBER(17, CODEC_U64, struct packet, request),
    CODEC_MEMBER(18, CODEC_U64, struct packet, asker_start),
    CODEC_MEMBER(19, CODEC_U32, struct packet, deadline_ms),
    CODEC_MEMBER(20, CODEC_ID_HASH, struct packet, subject),
    CODEC_MEMBER(21, CODEC_I64, struct packet, rc),
    CODEC_MEMBER(22, CODEC_BYTES, struct packet, body),
    CODEC_MEMBER_LIST(23, struct packet, listeners, listeners_count, &LISTENER_TABLE),
    CODEC_MEMBER(24, CODEC_U64, struct packet, link_sequence),
    CODEC_MEMBER_LIST(25, struct packet, changes, changes_count, &CHANGE_TABLE),
    CODEC_MEMBER(26, CODEC_U64, struct packet, answerer_start),
    CODEC_MEMBER(27, CODEC_U32, struct packet, attempt),
    CODEC_MEMBER(28, CODEC_U32, struct packet, part),
    CODEC_MEMBER(29, CODEC_U32, struct packet, parts),
    CODEC_MEMBER(30, CODEC_U64, struct packet, parts_seen),
    CODEC_MEMBER(31, CODEC_U64, struct packet, oldest_request),
    CODEC_MEMBER(32, CODEC_U64, struct packet, link),
    CODEC_MEMBER(33, CODEC_U64, struct packet, listening),
    CODEC_MEMBER(40, CODEC_BOOL, struct packet, needs_rows),
    CODEC_MEMBER(41, CODEC_U64, struct packet, promise),
    CODEC_MEMBER(42, CODEC_BOOL, struct packet, is_leaving),
    CODEC_MEMBER(43, CODEC_U32, struct packet, unheard_ms),
    CODEC_MEMBER(44, CODEC_U64, struct packet, matched),
    CODEC_MEMBER(45, CODEC_U64, struct packet, version),
    CODEC_MEMBER(46, CODEC_BOOL, struct packet, is_full),
    CODEC_MEMBER(47, CODEC_BYTES, struct packet, record),
    CODEC_MEMBER(48, CODEC_U32, struct packet, held_ms),
};
static const struct codec_table PACKET_TABLE = CODEC_TABLE(struct packet, PACKET_FIELDS);

static bool kind_is_known(enum packet_kind kind) {
    return (kind >= PACKET_APPEND && kind <= PACKET_RECORD) || kind == PACKET_REQUEST || kind == PACKET_REPLY ||
           (kind >= PACKET_LISTEN && kind <= PACKET_CHANGES_SEEN);
}

/* Indices of the entries must not run over. */
static bool is_consistent(const struct packet *packet) {
    return packet->previous_index < UINT64_MAX - PACKET_ENTRIES_MAX && packet->entries_count <= PACKET_ENTRIES_MAX &&
           packet->listeners_count <= PACKET_LISTENERS_MAX && packet->changes_count <= PACKET_CHANGES_MAX;
}

void packet_encode(const struct packet *packet, struct buffer *out) {
    check(kind_is_known(packet->kind) && is_consistent(packet));
    codec_encode(&PACKET_TABLE, packet, out);
}

int packet_decode(struct bytes encoded, struct arena *arena, struct packet *packet) {
    int rc = codec_decode(&PACKET_TABLE, encoded, arena, packet);
    if (rc != STATUS_OK)
        return rc;
    return kind_is_known(packet->kind) && is_consistent(packet) ? STATUS_OK : STATUS_MALFORMED;
}
