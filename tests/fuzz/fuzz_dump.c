#define _GNU_SOURCE
#include "node/ctl/dump.h"
#include "node/ctl/exit_status.h"
#include "proto/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is in a file becomes lines in their places or a refusal that is safe to show; and it can be gone on with
 * from wherever a thread was whole. */
static void read_all(FILE *file) {
    struct dump dump;
    enum dump_kind kind = DUMP_HEADER;
    json_t *line = NULL;
    uint64_t whole = 0;
    struct dump_counts counts = {0};
    dump_open(&dump, file);
    while (dump_read(&dump, &kind, &line) == EXIT_DONE && kind != DUMP_NOTHING) {
        check(json_is_object(line) && dump.has_header && dump.messages_seen <= dump.messages_expected);
        check(kind != DUMP_MESSAGE || dump.thread != NULL);
        json_decref(line);
        whole = dump_is_between(&dump) ? dump.next_position : whole;
        counts = dump_is_between(&dump) ? dump.counts : counts;
    }
    for (const char *sign = dump.reason; *sign != 0; sign++)
        check((unsigned char)*sign >= ' ');
    dump_close(&dump);
    if (whole > 0) {
        dump_open(&dump, file);
        check(dump_go_on(&dump, whole, &counts) == EXIT_DONE);
        dump_read(&dump, &kind, &line);
        json_decref(line);
        dump_close(&dump);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    FILE *file = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (file == NULL)
        return 0;
    read_all(file);
    fclose(file);
    return 0;
}
