#define _GNU_SOURCE
#include "node/ctl/overview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "node/ctl/exit_status.h"
#include "node/ctl/fields.h"
#include "node/ctl/terminal.h"
#include "proto/check.h"

static void *rows_new(const json_t *array, size_t row_bytes, size_t *count) {
    *count = json_array_size(array);
    void *rows = calloc(*count > 0 ? *count : 1, row_bytes);
    check(rows != NULL);
    return rows;
}

/* A node's id; "" for none, also where it is written as zeros. */
static const char *id_take(const json_t *object, const char *name) {
    const char *id = field_text(object, name);
    return id[strspn(id, "0")] != 0 ? id : "";
}

static struct load load_take(const json_t *object) {
    return (struct load){
        .stored_bytes = field_number(object, "storedBytes"),
        .connections = field_number(object, "connections"),
        .sessions = field_number(object, "sessions"),
        .slow_clients = field_number(object, "slowClients"),
        .deliveries_per_second = field_number(object, "deliveriesPerSecond"),
        .writes_per_second = field_number(object, "writesPerSecond"),
        .commit_ms_p50 = field_number(object, "commitMsP50"),
        .commit_ms_p99 = field_number(object, "commitMsP99"),
        .share = field_number(object, "share"),
    };
}

static struct node node_take(const json_t *object) {
    const json_t *ranges = field_object(object, "ranges");
    const char *id = field_text(object, "id"), *name = field_text(object, "name");
    return (struct node){
        .id = id,
        .name = name[0] != 0 ? name : id,
        .zone = field_text(object, "zone"),
        .public_url = field_text(object, "publicUrl"),
        .peer_address = field_text(object, "peerAddress"),
        .is_alive = field_is(object, "isAlive"),
        .is_draining = field_is(object, "isDraining"),
        .is_this_node = field_is(object, "isThisNode"),
        .primary = field_number(ranges, "primary"),
        .in_sync = field_number(ranges, "inSync"),
        .learning = field_number(ranges, "learning"),
        .load = load_take(field_object(object, "load")),
    };
}

#define RANGE_NUMBER_MAX 0xffffff /* more ranges than any cluster has */

/* Of a number that should be a range's. */
static unsigned range_number(const json_t *object) {
    double number = field_number(object, "range");
    return number >= 0 && number <= RANGE_NUMBER_MAX ? (unsigned)number : 0;
}

static struct range range_take(const json_t *object) {
    const json_t *target = field_object(object, "target");
    return (struct range){
        .number = range_number(object),
        .epoch = field_number(object, "epoch"),
        .first = field_text(object, "first"),
        .last = field_text(object, "last"),
        .primary = id_take(object, "primary"),
        .in_sync = field_array(object, "inSync"),
        .learners = field_array(object, "learners"),
        .target_holders = field_array(target, "holders"),
        .target_primary = id_take(target, "primary"),
        .stored_bytes = field_number(object, "storedBytes"),
        .writes_per_second = field_number(object, "writesPerSecond"),
        .deliveries_per_second = field_number(object, "deliveriesPerSecond"),
    };
}

static struct move move_take(const json_t *object) {
    /* A plan says "bytes" of what has not begun. */
    double total = field_number(object, "bytesTotal");
    return (struct move){
        .range = range_number(object),
        .kind = field_text(object, "kind"),
        .from = id_take(object, "from"),
        .to = id_take(object, "to"),
        .state = field_text(object, "state"),
        .bytes_done = field_number(object, "bytesDone"),
        .bytes_total = total > 0 ? total : field_number(object, "bytes"),
        .bytes_per_second = field_number(object, "bytesPerSecond"),
        .started_at = field_number(object, "startedAt"),
    };
}

struct move *moves_take(const json_t *array, size_t *count) {
    struct move *moves = rows_new(array, sizeof *moves, count);
    for (size_t i = 0; i < *count; i++)
        moves[i] = move_take(json_array_get(array, i));
    return moves;
}

static int by_name(const void *a, const void *b) {
    return strverscmp(((const struct node *)a)->name, ((const struct node *)b)->name);
}

static void rows_take(struct overview *overview) {
    const json_t *nodes = field_array(overview->root, "nodes"), *ranges = field_array(overview->root, "ranges");
    overview->nodes = rows_new(nodes, sizeof *overview->nodes, &overview->nodes_count);
    for (size_t i = 0; i < overview->nodes_count; i++)
        overview->nodes[i] = node_take(json_array_get(nodes, i));
    qsort(overview->nodes, overview->nodes_count, sizeof *overview->nodes, by_name);
    overview->ranges = rows_new(ranges, sizeof *overview->ranges, &overview->ranges_count);
    for (size_t i = 0; i < overview->ranges_count; i++)
        overview->ranges[i] = range_take(json_array_get(ranges, i));
    overview->moves = moves_take(field_array(overview->root, "moves"), &overview->moves_count);
}

int overview_take(struct admin *admin, json_t *answer, struct overview *overview) {
    const json_t *balancer = field_object(answer, "balancer");
    *overview = (struct overview){
        .root = answer,
        .cluster = field_text(answer, "cluster"),
        .balancer = id_take(balancer, "node"),
        .is_paused = field_is(balancer, "isPaused"),
        .is_balanced = field_is(balancer, "isBalanced"),
        .moves_max = field_number(balancer, "movesMax"),
        .ranges_configured = field_number(answer, "rangeCount"),
        .replication_factor = field_number(answer, "replicationFactor"),
        .min_in_sync = field_number(answer, "minInSync"),
    };
    if (field_array(answer, "nodes") == NULL || field_array(answer, "ranges") == NULL) {
        snprintf(
            admin->complaint, sizeof admin->complaint,
            "the answer does not describe a cluster: it has no list of nodes and of ranges. Is it a node of Weft, and "
            "of the same version as weftctl?");
        json_decref(answer);
        *overview = (struct overview){0};
        return EXIT_REFUSED;
    }
    rows_take(overview);
    return EXIT_DONE;
}

int overview_get(struct admin *admin, struct overview *overview) {
    json_t *answer;
    *overview = (struct overview){0};
    int rc = admin_call(admin, "GET", "/admin/cluster", NULL, &answer);
    if (rc == EXIT_DONE)
        rc = overview_take(admin, answer, overview);
    for (size_t i = 0; i < overview->nodes_count; i++)
        access_learn(admin->access, overview->nodes[i].public_url);
    return rc;
}

void overview_close(struct overview *overview) {
    free(overview->nodes);
    free(overview->ranges);
    free(overview->moves);
    json_decref(overview->root);
    *overview = (struct overview){0};
}

const struct range *overview_range(const struct overview *overview, unsigned number) {
    for (size_t i = 0; i < overview->ranges_count; i++)
        if (overview->ranges[i].number == number)
            return &overview->ranges[i];
    return NULL;
}

const struct node *overview_node(const struct overview *overview, const char *id) {
    for (size_t i = 0; i < overview->nodes_count; i++)
        if (strcasecmp(overview->nodes[i].id, id) == 0)
            return &overview->nodes[i];
    return NULL;
}

const char *overview_name(const struct overview *overview, const char *id) {
    const struct node *node = id[0] != 0 ? overview_node(overview, id) : NULL;
    return node != NULL ? node->name : id;
}

enum fit { FIT_NOT, FIT_BEGINNING, FIT_WHOLE };

static enum fit node_fits(const struct node *node, const char *word) {
    size_t size = strlen(word);
    if (strcmp(node->name, word) == 0 || strcasecmp(node->id, word) == 0)
        return FIT_WHOLE;
    return strncmp(node->name, word, size) == 0 || strncasecmp(node->id, word, size) == 0 ? FIT_BEGINNING : FIT_NOT;
}

static const struct node *find_by(const struct overview *overview, const char *word, enum fit least, size_t *count) {
    const struct node *found = NULL;
    *count = 0;
    for (size_t i = 0; i < overview->nodes_count; i++) {
        if (node_fits(&overview->nodes[i], word) >= least) {
            found = &overview->nodes[i];
            ++*count;
        }
    }
    return found;
}

/* Which nodes there are, or which the word could mean. */
static void names_append(char *out, size_t out_bytes, const struct overview *overview, const char *word) {
    bool is_first = true;
    for (size_t i = 0; i < overview->nodes_count; i++) {
        const struct node *node = &overview->nodes[i];
        size_t used = strlen(out);
        if (word != NULL && node_fits(node, word) == FIT_NOT)
            continue;
        char name[128];
        terminal_clean(node->name, name, sizeof name);
        snprintf(out + used, out_bytes - used, "%s%s (%.16s)", is_first ? "" : ", ", name, node->id);
        is_first = false;
    }
}

const struct node *overview_find(struct admin *admin, const struct overview *overview, const char *word) {
    size_t count;
    const struct node *found = find_by(overview, word, FIT_WHOLE, &count);
    if (count == 0)
        found = find_by(overview, word, FIT_BEGINNING, &count);
    if (count == 1)
        return found;
    char *out = admin->complaint;
    if (count == 0)
        snprintf(out, COMPLAINT_BYTES_MAX, "the cluster has no node \"%s\"; its nodes are ", word);
    else
        snprintf(out, COMPLAINT_BYTES_MAX, "\"%s\" could be any of ", word);
    names_append(out, COMPLAINT_BYTES_MAX, overview, count == 0 ? NULL : word);
    return NULL;
}
