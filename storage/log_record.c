#include "storage/log_record.h"

#include "proto/status.h"

void log_header_encode(const struct log_header *header, struct buffer *stored) {
    uint8_t *bytes = buffer_reserve(stored, LOG_ENTRY_HEADER_BYTES);
    bytes[0] = (uint8_t)header->kind;
    number_encode(bytes + 1, header->place.range);
    number_encode(bytes + 9, header->place.epoch);
    number_encode(bytes + 17, header->place.index);
    memcpy(bytes + 25, header->subject.bytes, sizeof(header->subject.bytes));
    buffer_added(stored, LOG_ENTRY_HEADER_BYTES);
}

int log_header_decode(struct bytes stored, struct log_header *header) {
    if (stored.size < LOG_ENTRY_HEADER_BYTES + SEAL_OVERHEAD_BYTES || stored.data[0] > LOG_ENTRY_UNDER_MASTER)
        return STATUS_RECORD_CORRUPT;
    header->kind = (enum log_record_kind)stored.data[0];
    header->place.range = (uint32_t)number_decode(stored.data + 1);
    header->place.epoch = number_decode(stored.data + 9);
    header->place.index = number_decode(stored.data + 17);
    memcpy(header->subject.bytes, stored.data + 25, sizeof(header->subject.bytes));
    return STATUS_OK;
}

bool log_record_is_marks(struct bytes stored) {
    return stored.size > 0 && stored.data[0] == LOG_MARKS;
}

struct key log_record_place(uint64_t number, const uint8_t *header, size_t header_size) {
    struct key key = key_of_log(number);
    memcpy(key.data + key.size, header, header_size);
    key.size += header_size;
    return key;
}

int log_marks_open(const struct seal_key *master, struct arena *arena, struct bytes record_key, struct bytes stored,
                   struct marks_record *record) {
    struct bytes plain;
    if (record_key.size != 8 || stored.size < LOG_MARKS_HEADER_BYTES)
        return STATUS_RECORD_CORRUPT;
    struct key associated = log_record_place(number_decode(record_key.data), stored.data, LOG_MARKS_HEADER_BYTES);
    struct bytes sealed = bytes_of(stored.data + LOG_MARKS_HEADER_BYTES, stored.size - LOG_MARKS_HEADER_BYTES);
    int rc = seal_open(master, STORE_LOG, key_bytes(&associated), sealed, arena, &plain);
    if (rc != STATUS_OK)
        return rc;
    bool is_sound = codec_decode(&MARKS_RECORD_TABLE, plain, arena, record) == STATUS_OK && record->marks_count > 0;
    return is_sound ? STATUS_OK : STATUS_RECORD_CORRUPT;
}
