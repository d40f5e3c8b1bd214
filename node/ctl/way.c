#include "node/ctl/way.h"

#include <stdlib.h>

#include "node/ctl/fields.h"
#include "proto/check.h"

const char *way_user(const json_t *identifier) {
    return field_text(identifier, "rawId");
}

double way_delivered_us(const struct way_delivery *delivery) {
    return delivery->told_us > 0 ? delivery->told_us : delivery->repeated_us;
}

double way_first_us(const struct way_delivery *delivery) {
    const double times[] = {delivery->told_us, delivery->repeated_us, delivery->kept_us, delivery->dropped_us,
                            delivery->answered_us};
    double first = 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        first = times[i] > 0 && (first == 0 || times[i] < first) ? times[i] : first;
    return first;
}

static struct way_node node_take(const json_t *object) {
    return (struct way_node){.id = field_text(object, "node"),
                             .received_us = field_number(object, "receivedUs"),
                             .written_us = field_number(object, "writtenUs"),
                             .committed_us = field_number(object, "committedUs"),
                             .applied_us = field_number(object, "appliedUs"),
                             .arrived_us = field_number(object, "arrivedUs")};
}

static struct way_delivery delivery_take(const json_t *object) {
    return (struct way_delivery){.node = field_text(object, "node"),
                                 .recipient = way_user(field_object(object, "recipient")),
                                 .protocol = field_text(object, "protocol"),
                                 .connection = field_number(object, "connection"),
                                 .told_us = field_number(object, "toldUs"),
                                 .repeated_us = field_number(object, "repeatedUs"),
                                 .kept_us = field_number(object, "keptUs"),
                                 .dropped_us = field_number(object, "droppedUs"),
                                 .answered_us = field_number(object, "answeredUs")};
}

static int by_time(const void *a, const void *b) {
    double left = way_first_us(a), right = way_first_us(b);
    return left < right ? -1 : left > right;
}

static void began_look(struct way *way, double time_us) {
    if (time_us > 0 && (way->began_us == 0 || time_us < way->began_us))
        way->began_us = time_us;
}

static void began_find(struct way *way) {
    for (size_t i = 0; i < way->nodes_count; i++)
        began_look(way, way->nodes[i].received_us);
    bool is_known = way->began_us > 0;
    for (size_t i = 0; !is_known && i < way->nodes_count; i++) {
        const struct way_node *node = &way->nodes[i];
        const double times[] = {node->written_us, node->committed_us, node->applied_us, node->arrived_us};
        for (size_t j = 0; j < sizeof times / sizeof *times; j++)
            began_look(way, times[j]);
    }
    for (size_t i = 0; !is_known && i < way->deliveries_count; i++)
        began_look(way, way_first_us(&way->deliveries[i]));
}

static void *rows_new(const json_t *array, size_t row_bytes, size_t *count) {
    *count = json_array_size(array);
    void *rows = calloc(*count > 0 ? *count : 1, row_bytes);
    check(rows != NULL);
    return rows;
}

void way_take(const json_t *object, struct way *way) {
    const json_t *nodes = field_array(object, "nodes"), *deliveries = field_array(object, "deliveries");
    *way = (struct way){.kind = field_text(object, "kind"),
                        .offset = field_number(object, "offset"),
                        .untold = field_array(object, "untold")};
    way->nodes = rows_new(nodes, sizeof *way->nodes, &way->nodes_count);
    for (size_t i = 0; i < way->nodes_count; i++)
        way->nodes[i] = node_take(json_array_get(nodes, i));
    way->deliveries = rows_new(deliveries, sizeof *way->deliveries, &way->deliveries_count);
    for (size_t i = 0; i < way->deliveries_count; i++)
        way->deliveries[i] = delivery_take(json_array_get(deliveries, i));
    qsort(way->deliveries, way->deliveries_count, sizeof *way->deliveries, by_time);
    began_find(way);
}

void way_close(struct way *way) {
    free(way->nodes);
    free(way->deliveries);
    *way = (struct way){0};
}
