#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "node/ops/assets.h"
#include "proto/buffer.h"

static void read_whole_file(const char *path, struct buffer *out) {
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size;
    while ((size = fread(buffer_reserve(out, 4096), 1, 4096, file)) > 0) {
        buffer_added(out, size);
    }
    fclose(file);
}

static void every_asset_is_found_and_has_the_bytes_of_its_file(void **state) {
    (void)state;
    size_t count = 0;
    for (const struct asset *asset = asset_table; asset->path != NULL; asset++, count++) {
        char path[1024];
        struct buffer file;
        buffer_init(&file);
        snprintf(path, sizeof path, "%s/node/ops/console/%s", SOURCE_DIR, asset->path);
        read_whole_file(path, &file);
        assert_true(bytes_equal(asset->body, buffer_bytes(&file)));
        assert_ptr_equal(asset_find(bytes_of_text(asset->path)), asset);
        assert_true(strlen(asset->content_type) > 0);
        buffer_close(&file);
    }
    assert_true(count > 0);
}

static void tags_are_quoted_and_differ_where_bytes_differ(void **state) {
    (void)state;
    for (const struct asset *a = asset_table; a->path != NULL; a++) {
        assert_true(a->etag[0] == '"' && a->etag[strlen(a->etag) - 1] == '"');
        for (const struct asset *b = asset_table; b != a; b++) {
            assert_int_equal(strcmp(a->etag, b->etag) == 0, bytes_equal(a->body, b->body));
        }
    }
}

static void what_is_not_there_is_not_found(void **state) {
    (void)state;
    assert_null(asset_find(BYTES_ABSENT));
    assert_null(asset_find(BYTES_LITERAL("")));
    assert_null(asset_find(BYTES_LITERAL("nothing.html")));
    assert_null(asset_find(BYTES_LITERAL("../ops/assets.c")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_asset_is_found_and_has_the_bytes_of_its_file),
        cmocka_unit_test(tags_are_quoted_and_differ_where_bytes_differ),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
