#include "node/balancing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/coordinator/background.h"
#include "node/log.h"
#include "node/stuck_learners.h"
#include "node/wish_writing.h"
#include "proto/check.h"
#include "proto/status.h"

#define ELECTION_TTL_S 5
#define BLIND_MS 10000 /* after its start a node waits so long for the loads of others */
#define LOAD_SILENT_MS 10000
#define SENDING_LOOK_MS 250
#define SENDING_MS_PER_RANGE 2
#define WISH_TRIES 5
#define WISH_RETRY_MS 200

struct balancing {
    struct balancing_options options;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wakeup;
    bool is_stopping;
    struct balancing_wish *wishes; /* in the order of asking */
    struct balancing_wish **wishes_end;
    /* The thread's own. */
    int64_t began_ms;
    int64_t step_due_ms;
    bool is_emptied;
    bool is_elected;
    struct stuck_learners *stuck;
    int64_t load_began_ms; /* monotonic: after the last measurement */
    int64_t load_due_ms;
    struct buffer load_told; /* without the time */
    int64_t load_told_ms;
    uint64_t load_version;
    bool is_load_failing;
};

/* ---- this node's load ---- */

/* Another life of this node has left a record. */
static int load_version_find(struct balancing *self, const char *name) {
    struct arena arena;
    struct bytes value;
    arena_init(&arena);
    int rc = coordinator_get(self->options.coordinator, name, &arena, &value, &self->load_version);
    if (rc == STATUS_STORE_MISSING) {
        self->load_version = 0;
        rc = STATUS_OK;
    }
    arena_close(&arena);
    return rc;
}

/* Every record stays in etcd's history for a while, so a node with nothing to do says so only now and then. */
static bool load_has_news(struct balancing *self, const struct load_record *record) {
    struct load_record timeless = *record;
    struct buffer encoded;
    timeless.at_ms = 0;
    buffer_init(&encoded);
    load_record_encode(&timeless, &encoded);
    bool has_news = !bytes_equal(buffer_bytes(&encoded), buffer_bytes(&self->load_told));
    buffer_close(&self->load_told);
    self->load_told = encoded;
    return has_news || cluster_view_clock_ms() - self->load_told_ms >= LOAD_SILENT_MS;
}

static void load_announce(struct balancing *self, const struct load_record *record) {
    char name[NODE_PATH_BYTES];
    struct buffer encoded;
    node_path_format("loads", self->options.node, name);
    buffer_init(&encoded);
    load_record_encode(record, &encoded);
    self->load_told_ms = cluster_view_clock_ms();
    int rc = coordinator_swap(self->options.coordinator, name, self->load_version, buffer_bytes(&encoded),
                              &self->load_version);
    if (rc == STATUS_CONFLICT) {
        rc = load_version_find(self, name);
        if (rc == STATUS_OK)
            rc = coordinator_swap(self->options.coordinator, name, self->load_version, buffer_bytes(&encoded),
                                  &self->load_version);
    }
    buffer_close(&encoded);
    if (rc != STATUS_OK && !self->is_load_failing)
        log_warning("the load of this node cannot be announced: %s", status_sentence(rc));
    self->is_load_failing = rc != STATUS_OK;
}

int64_t balancing_load_ms(bool is_sending, size_t ranges_count) {
    int64_t ms = (int64_t)ranges_count * SENDING_MS_PER_RANGE;
    if (!is_sending || ms > BALANCING_LOAD_MS)
        return BALANCING_LOAD_MS;
    return ms > SENDING_LOOK_MS ? ms : SENDING_LOOK_MS;
}

static void load_tell(struct balancing *self) {
    struct arena arena;
    struct load_record record = {0};
    arena_init(&arena);
    self->options.measure(self->options.context, &arena, &record);
    record.node = self->options.node;
    if (self->options.coordinator == NULL)
        cluster_view_take_load(self->options.view, &record);
    else if (load_has_news(self, &record))
        load_announce(self, &record);
    arena_close(&arena);
}

/* ---- wishes ---- */

/* What the view has may be a moment old: a conflict is looked at again when it has caught up. */
static int wish_try(struct balancing *self, struct operator_wish *wish) {
    struct cluster_facts facts;
    struct arena arena;
    arena_init(&arena);
    cluster_view_facts(self->options.view, &arena, cluster_view_clock_ms(), &facts);
    int rc = operator_wish_check(&facts, &self->options.moves.settings, wish);
    if (rc == STATUS_OK)
        rc = operator_wish_perform(self->options.coordinator, &facts, wish);
    arena_close(&arena);
    return rc;
}

static bool pause_for(struct balancing *self, int64_t ms);

static void wish_perform(struct balancing *self, struct balancing_wish *item) {
    for (int i = 0; i < WISH_TRIES; i++) {
        item->rc = wish_try(self, &item->wish);
        bool was_late = item->rc == STATUS_CONFLICT && item->wish.reason == NULL;
        if (!was_late || !pause_for(self, WISH_RETRY_MS))
            break;
    }
}

static void wish_do(struct balancing *self, struct balancing_wish *item) {
    if (item->compute != NULL)
        item->compute(item);
    else
        wish_perform(self, item);
    item->on_done(item);
}

/* ---- what an elected node does ---- */

/* Before, who has not told its load yet would look like one that has none. */
static bool is_seen_whole(const struct balancing *self, const struct cluster_facts *facts) {
    if (facts->mono_ms - self->began_ms > BLIND_MS)
        return true;
    for (size_t i = 0; i < facts->nodes_count; i++)
        if (facts->nodes[i].is_alive && facts->nodes[i].has_record && facts->nodes[i].total.node == 0)
            return false;
    return true;
}

static void balance(struct balancing *self, const struct cluster_facts *facts, struct arena *arena) {
    struct balancer_decision decision;
    struct balancer_input input;
    struct cluster_moves_options options = self->options.moves;
    options.stuck = self->stuck;
    stuck_learners_look(self->stuck, facts);
    cluster_moves_input(facts, &options, arena, &input);
    balancer_next(&input, arena, &decision);
    for (size_t i = 0; i < decision.placements_count; i++) {
        const struct placement *wish = &decision.placements[i];
        int rc = placement_write(self->options.coordinator, wish, facts->ranges[wish->range].placement_version);
        if (rc == STATUS_OK)
            log_debug("range %u should be elsewhere", (unsigned)wish->range);
        else if (rc != STATUS_CONFLICT) /* then the view is behind, and the next step sees it */
            return;
    }
}

/* A node that was to be emptied, is, and has ended leaves nothing behind. */
static void node_forget(struct balancing *self, const struct cluster_facts *facts, const struct cluster_node *node) {
    static const char *const folders[] = {"loads", "nodes", "drains"};
    if (!node->is_draining || node->is_alive || !cluster_facts_holds_nothing(facts, node->id))
        return;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char path[NODE_PATH_BYTES];
        node_path_format(folders[i], node->id, path);
        if (name_remove(self->options.coordinator, path) != STATUS_OK)
            return;
    }
    log_info("node %016llx (%s) has left", (unsigned long long)node->id, node->name);
}

static void election_note(struct balancing *self, const struct cluster_facts *facts) {
    bool is_elected = facts->balancer == self->options.node;
    if (is_elected != self->is_elected)
        log_info(is_elected ? "this node balances the cluster" : "another node balances the cluster");
    self->is_elected = is_elected;
}

static void step(struct balancing *self) {
    struct cluster_facts facts;
    struct arena arena;
    arena_init(&arena);
    cluster_view_facts(self->options.view, &arena, cluster_view_clock_ms(), &facts);
    election_note(self, &facts);
    for (size_t i = 0; i < facts.nodes_count && self->is_elected; i++)
        node_forget(self, &facts, &facts.nodes[i]);
    if (self->is_elected && !facts.is_paused && is_seen_whole(self, &facts))
        balance(self, &facts, &arena);
    const struct cluster_node *own = cluster_facts_node(&facts, self->options.node);
    if (!self->is_emptied && own != NULL && own->is_draining && cluster_facts_holds_nothing(&facts, own->id)) {
        self->is_emptied = true;
        self->options.on_emptied(self->options.context);
    }
    arena_close(&arena);
}

/* ---- the thread ---- */

/* Until something is due, asked for, or it is to end. */
static void wait_until(struct balancing *self, int64_t until_ms, bool is_for_wishes) {
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    while (!self->is_stopping && (!is_for_wishes || self->wishes == NULL) && cluster_view_clock_ms() < until_ms)
        pthread_cond_timedwait(&self->wakeup, &self->mutex, &until);
}

/* False: it is to end. */
static bool pause_for(struct balancing *self, int64_t ms) {
    pthread_mutex_lock(&self->mutex);
    wait_until(self, cluster_view_clock_ms() + ms, false);
    bool goes_on = !self->is_stopping;
    pthread_mutex_unlock(&self->mutex);
    return goes_on;
}

static struct balancing_wish *wish_take(struct balancing *self) {
    struct balancing_wish *wish = self->wishes;
    if (wish == NULL)
        return NULL;
    self->wishes = wish->next;
    if (self->wishes == NULL)
        self->wishes_end = &self->wishes;
    return wish;
}

/* A node may begin to send at any time, so it looks more often than it tells. */
static int64_t load_next_ms(struct balancing *self) {
    size_t ranges_count;
    bool is_sending = cluster_view_is_sending(self->options.view, &ranges_count);
    self->load_due_ms = self->load_began_ms + balancing_load_ms(is_sending, ranges_count);
    int64_t look_ms = cluster_view_clock_ms() + SENDING_LOOK_MS;
    return self->load_due_ms < look_ms || self->options.coordinator == NULL ? self->load_due_ms : look_ms;
}

/* False: it is to end. */
static bool next_wait(struct balancing *self, struct balancing_wish **wish) {
    int64_t due_ms = load_next_ms(self);
    if (self->options.coordinator != NULL && self->step_due_ms < due_ms)
        due_ms = self->step_due_ms;
    pthread_mutex_lock(&self->mutex);
    wait_until(self, due_ms, true);
    bool goes_on = !self->is_stopping;
    *wish = goes_on ? wish_take(self) : NULL;
    pthread_mutex_unlock(&self->mutex);
    return goes_on;
}

static void *run(void *context) {
    struct balancing *self = context;
    struct balancing_wish *wish = NULL;
    do {
        if (wish != NULL)
            wish_do(self, wish);
        if (cluster_view_clock_ms() >= self->load_due_ms) {
            load_tell(self);
            self->load_began_ms = cluster_view_clock_ms();
        }
        if (self->options.coordinator != NULL && cluster_view_clock_ms() >= self->step_due_ms) {
            step(self);
            self->step_due_ms = cluster_view_clock_ms() + BALANCING_STEP_MS;
        }
    } while (next_wait(self, &wish));
    return NULL;
}

int balancing_wish(struct balancing *self, struct balancing_wish *wish) {
    int rc = STATUS_SHUTTING_DOWN;
    wish->next = NULL;
    pthread_mutex_lock(&self->mutex);
    if (!self->is_stopping) {
        *self->wishes_end = wish;
        self->wishes_end = &wish->next;
        pthread_cond_signal(&self->wakeup);
        rc = STATUS_OK;
    }
    pthread_mutex_unlock(&self->mutex);
    return rc;
}

/* The others follow when this node is gone. */
static void election_stand(const struct balancing_options *options) {
    char id[NODE_ID_TEXT_BYTES];
    if (options->coordinator == NULL || !options->may_be_elected)
        return;
    node_id_format(options->node, id);
    if (coordinator_stand(options->coordinator, "balancer", bytes_of_text(id), ELECTION_TTL_S) != STATUS_OK)
        log_warning("this node cannot stand for election as the balancer");
}

static void balancing_free(struct balancing *self) {
    buffer_close(&self->load_told);
    stuck_learners_free(self->stuck);
    pthread_cond_destroy(&self->wakeup);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

struct balancing *balancing_start(const struct balancing_options *options) {
    struct balancing *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->options = *options;
    self->wishes_end = &self->wishes;
    self->stuck = stuck_learners_new();
    self->began_ms = cluster_view_clock_ms();
    election_stand(options);
    buffer_init(&self->load_told);
    pthread_mutex_init(&self->mutex, NULL);
    background_cond_init(&self->wakeup);
    if (background_start(&self->thread, run, self))
        return self;
    balancing_free(self);
    return NULL;
}

void balancing_stop(struct balancing *self) {
    pthread_mutex_lock(&self->mutex);
    self->is_stopping = true;
    pthread_cond_signal(&self->wakeup);
    pthread_mutex_unlock(&self->mutex);
    check(pthread_join(self->thread, NULL) == 0);
    for (struct balancing_wish *wish = wish_take(self); wish != NULL; wish = wish_take(self)) {
        wish->rc = STATUS_SHUTTING_DOWN;
        wish->on_done(wish);
    }
    balancing_free(self);
}
