#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "bench/result.h"
#include "proto/status.h"

static struct options options;
static struct result result;
static char file[] = "/tmp/weft-earlier-XXXXXX";
static char reason[300];

static int write_result(void **state) {
    (void)state;
    options = (struct options){.threads = 2, .participants = 3, .connections_per_user = 1, .rate = 4, .nodes_count = 2};
    options.payload_bytes = 200;
    result_init(&result, &options);
    for (int64_t ms = 1; ms <= 100; ms++) {
        histogram_add(&result.delivery, ms * 1000000);
        histogram_add(&result.last, ms * 2000000);
        histogram_add(&result.acknowledgement, ms * 3000000);
    }
    result.has_server = true;
    result.server_us_per_delivery = 9.5;
    int descriptor = mkstemp(file);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(result_json_write(&result, file), STATUS_OK);
    return 0;
}

static int remove_result(void **state) {
    (void)state;
    unlink(file);
    result_close(&result);
    return 0;
}

static void what_a_run_wrote_is_read_as_it_was(void **state) {
    (void)state;
    struct earlier earlier;
    double quantiles[EARLIER_QUANTILES];
    assert_int_equal(earlier_read(file, &options, &earlier, reason, sizeof reason), STATUS_OK);
    assert_int_equal(earlier.nodes, 2);
    assert_float_equal(earlier.server_us_per_delivery, 9.5, 1e-4);
    result_quantiles_ms(&result.delivery, quantiles);
    for (size_t i = 0; i < EARLIER_QUANTILES; i++)
        assert_float_equal(earlier.delivery_ms[i], quantiles[i], 1e-3);
    result_quantiles_ms(&result.last, quantiles);
    assert_float_equal(earlier.last_ms[EARLIER_QUANTILES - 1], quantiles[EARLIER_QUANTILES - 1], 1e-3);
    result_quantiles_ms(&result.acknowledgement, quantiles);
    assert_float_equal(earlier.acknowledgement_ms[0], quantiles[0], 1e-3);
}

static void another_load_is_refused_by_its_field(void **state) {
    (void)state;
    struct earlier earlier;
    struct options other = options;
    other.participants = 250;
    assert_int_equal(earlier_read(file, &other, &earlier, reason, sizeof reason), STATUS_VALIDATION_ERROR);
    assert_non_null(strstr(reason, "config.participants is 3 there and 250 here"));
    other = options;
    other.wire = WIRE_SDK;
    assert_int_equal(earlier_read(file, &other, &earlier, reason, sizeof reason), STATUS_VALIDATION_ERROR);
    assert_non_null(strstr(reason, "config.wire"));
    other = options;
    other.nodes[0].is_tls = true;
    assert_int_equal(earlier_read(file, &other, &earlier, reason, sizeof reason), STATUS_VALIDATION_ERROR);
    assert_non_null(strstr(reason, "TLS"));
}

static void files_that_are_no_results_are_refused_by_name(void **state) {
    (void)state;
    struct earlier earlier;
    assert_int_equal(earlier_read("/nowhere/at/all", &options, &earlier, reason, sizeof reason),
                     STATUS_VALIDATION_ERROR);
    assert_non_null(strstr(reason, "/nowhere/at/all"));
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs("{\"config\": []}", out);
    fclose(out);
    assert_int_equal(earlier_read(file, &options, &earlier, reason, sizeof reason), STATUS_VALIDATION_ERROR);
    assert_non_null(strstr(reason, "config.threads"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_run_wrote_is_read_as_it_was),
        cmocka_unit_test(another_load_is_refused_by_its_field),
        cmocka_unit_test(files_that_are_no_results_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, write_result, remove_result);
}
