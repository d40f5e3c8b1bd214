#include "bench/earlier.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/status.h"

struct reader {
    const char *file;
    char *reason;
    size_t reason_size;
};

__attribute__((format(printf, 2, 3))) static int complain(const struct reader *reader, const char *format, ...) {
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(reader->reason, reader->reason_size, "%s: %s", reader->file, text);
    return STATUS_VALIDATION_ERROR;
}

static int load_check_text(const struct reader *reader, const json_t *config, const char *field, const char *wanted) {
    const char *found = json_string_value(json_object_get(config, field));
    if (found != NULL && strcmp(found, wanted) == 0)
        return STATUS_OK;
    return complain(reader, "config.%s is \"%s\" there and \"%s\" here", field, found == NULL ? "" : found, wanted);
}

static int load_check_number(const struct reader *reader, const json_t *config, const char *field, double wanted) {
    const json_t *found = json_object_get(config, field);
    if (json_is_number(found) && json_number_value(found) == wanted)
        return STATUS_OK;
    return complain(reader, "config.%s is %g there and %g here: the loads cannot be compared", field,
                    json_number_value(found), wanted);
}

static int load_check(const struct reader *reader, const json_t *config, const struct options *options) {
    const struct {
        const char *field;
        double wanted;
    } numbers[] = {
        {"threads", options->threads},
        {"participants", options->participants},
        {"connectionsPerUser", options->connections_per_user},
        {"ratePerThread", options->rate},
        {"payloadBytes", options->payload_bytes},
        {"idleConnections", options->idle_connections},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int rc = load_check_number(reader, config, numbers[i].field, numbers[i].wanted);
        if (rc != STATUS_OK)
            return rc;
    }
    if (json_is_true(json_object_get(config, "tls")) != options->nodes[0].is_tls)
        return complain(reader, "one of the runs is with TLS, the other without");
    return load_check_text(reader, config, "wire", wire_name(options->wire));
}

static int quantiles_read(const struct reader *reader, const json_t *measured, const char *field,
                          double values[EARLIER_QUANTILES]) {
    static const char *const names[EARLIER_QUANTILES] = {"p50", "p90", "p99", "p999", "max"};
    const json_t *object = json_object_get(measured, field);
    for (size_t i = 0; i < EARLIER_QUANTILES; i++) {
        const json_t *value = json_object_get(object, names[i]);
        if (!json_is_number(value))
            return complain(reader, "measured.%s.%s is missing", field, names[i]);
        values[i] = json_number_value(value);
    }
    return STATUS_OK;
}

static int result_read(const struct reader *reader, const json_t *root, const struct options *options,
                       struct earlier *earlier) {
    const json_t *config = json_object_get(root, "config"), *measured = json_object_get(root, "measured");
    int rc = load_check(reader, config, options);
    if (rc == STATUS_OK)
        rc = quantiles_read(reader, measured, "deliveryMs", earlier->delivery_ms);
    if (rc == STATUS_OK)
        rc = quantiles_read(reader, measured, "lastOfAllMs", earlier->last_ms);
    if (rc == STATUS_OK)
        rc = quantiles_read(reader, measured, "acknowledgementMs", earlier->acknowledgement_ms);
    earlier->nodes = json_array_size(json_object_get(config, "nodes"));
    earlier->server_us_per_delivery =
        json_number_value(json_object_get(json_object_get(root, "costs"), "serverMicrosecondsPerDelivery"));
    return rc;
}

int earlier_read(const char *file, const struct options *options, struct earlier *earlier, char *reason,
                 size_t reason_size) {
    const struct reader reader = {file, reason, reason_size};
    json_error_t error;
    *earlier = (struct earlier){0};
    json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return complain(&reader, "not a result of --json: %s", error.text);
    int rc = result_read(&reader, root, options, earlier);
    json_decref(root);
    return rc;
}
