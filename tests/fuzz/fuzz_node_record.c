#include "proto/check.h"
#include "proto/node_record.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever decodes keeps its promises, and can be written again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t key[NODE_ADMISSION_KEY_BYTES] = {1};
    struct arena arena;
    struct buffer first;
    struct buffer second;
    struct node_record record;
    uint64_t id;
    arena_init(&arena);
    buffer_init(&first);
    buffer_init(&second);
    if (node_id_parse(bytes_of(data, size), &id) == STATUS_OK) {
        char text[NODE_ID_TEXT_BYTES];
        node_id_format(id, text);
        check(bytes_equal_text(bytes_of(data, size), text));
    }
    if (node_record_decode(bytes_of(data, size), &arena, &record) == STATUS_OK) {
        check(record.id != 0 && record.protocol_oldest <= record.protocol_newest);
        check(record.peer_address.size > 0 && record.peer_address.size <= NODE_ADDRESS_BYTES_MAX);
        check(!node_record_is_admitted(&record, key));
        node_record_encode(&record, &first);
        check(node_record_decode(buffer_bytes(&first), &arena, &record) == STATUS_OK);
        node_record_encode(&record, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
    arena_close(&arena);
    return 0;
}
