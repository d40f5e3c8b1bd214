/* What a machine would serve, compared with what was acknowledged. */
#include "proto/check.h"
#include "proto/status.h"
#include "storage/thread_store.h"
#include "storage/user_store.h"
#include "tests/sim/model.h"

#define READ_MESSAGES 4

struct view {
    struct world *world;
    struct model *model;
    struct machine *machine;
    const struct thread_model *thread;
    struct store_transaction *transaction;
    struct arena arena;
    struct thread_store store;
    int rc; /* of opening the thread */
};

static void view_open(struct view *view, struct world *world, struct model *model, struct machine *machine,
                      unsigned thread) {
    *view = (struct view){.world = world, .model = model, .machine = machine, .thread = &model->threads[thread]};
    arena_init(&view->arena);
    check(store_begin_read(machine->store, &view->transaction) == STATUS_OK);
    view->rc = thread_store_open(&view->store, view->transaction, &view->arena, &world->master, &view->thread->hash);
}

static void view_close(struct view *view) {
    store_abort(view->transaction);
    arena_close(&view->arena);
}

_Noreturn static void view_fail(const struct view *view, const char *what, const struct message_model *message) {
    world_fail(view->world, "node %llu serves thread %u of client %u, and %s (message %u.%llu, id %llu)",
               (unsigned long long)view->machine->id, (unsigned)(view->thread - view->model->threads),
               view->thread->owner, what, message == NULL ? 0 : message->author,
               message == NULL ? 0 : (unsigned long long)message->number,
               message == NULL ? 0 : (unsigned long long)message->id);
}

/* Which edit the contents are of. */
static unsigned edit_of(const struct view *view, const struct message_model *message, struct bytes contents) {
    unsigned author = 0, edit = 0;
    unsigned long long number = 0;
    char text[64] = "";
    memcpy(text, contents.data, contents.size < sizeof(text) - 1 ? contents.size : sizeof(text) - 1);
    if (sscanf(text, "%u.%llu/%u", &author, &number, &edit) != 3 || author != message->author ||
        number != message->number)
        view_fail(view, "a message says what another does", message);
    return edit;
}

static void contents_check(const struct view *view, const struct message_model *message, const struct message *found) {
    if (found->deleted_ms != 0) {
        if (!message->is_deletion_tried)
            view_fail(view, "a message is deleted that nobody deleted", message);
        return;
    }
    if (message->is_deleted)
        view_fail(view, "a deleted message is back", message);
    unsigned edit = edit_of(view, message, found->content);
    bool is_late = edit < EDITS_MAX && (message->edits_unsure >> edit & 1) != 0;
    if (edit > message->edits_tried || (edit < message->edits_done && !is_late))
        view_fail(view, "an acknowledged edit is lost", message);
}

static void message_check(struct view *view, const struct message_model *message) {
    struct message found;
    if (!message->is_sent || &view->model->threads[message->thread] != view->thread)
        return;
    int rc = thread_message_find(&view->store, message->id, &found);
    if (rc != STATUS_OK)
        view_fail(view, "an acknowledged message is lost", message);
    if (found.created_offset != message->offset)
        view_fail(view, "an acknowledged message has another place", message);
    contents_check(view, message, &found);
}

/* False: there is nothing more to compare. */
static bool thread_check(const struct view *view) {
    const struct thread_model *thread = view->thread;
    if (view->rc == STATUS_OK && thread->is_deleted)
        view_fail(view, "it was deleted", NULL);
    if (view->rc != STATUS_OK &&
        (view->rc != STATUS_THREAD_NOT_FOUND || (thread->is_created && !thread->is_deletion_tried)))
        view_fail(view, "it is lost", NULL);
    return view->rc == STATUS_OK;
}

void model_read(struct world *world, struct model *model, struct machine *machine, unsigned thread) {
    struct view view;
    view_open(&view, world, model, machine, thread);
    bool is_there = thread_check(&view);
    for (int i = 0; is_there && i < READ_MESSAGES && model->messages_count > 0; i++) {
        size_t newest = model->messages_count < 60 ? model->messages_count : 60;
        message_check(&view, &model->messages[model->messages_count - 1 - chance_below(&world->chance, newest)]);
    }
    world->statistics.reads++;
    view_close(&view);
}

/* ---- the end ---- */

struct counting {
    const struct view *view;
    uint8_t *is_seen; /* by sequence */
    uint64_t sequences;
    uint64_t count;
    uint64_t offset;
    struct id_hash *contents; /* author, number */
};

static bool row_count(void *context, uint64_t offset, const struct change_row *row) {
    struct counting *counting = context;
    if (offset <= counting->offset)
        view_fail(counting->view, "its offsets do not rise", NULL);
    counting->offset = offset;
    if (row->is_properties_change)
        return true;
    uint64_t sequence = row->message.sequence;
    if (sequence == 0 || sequence > counting->sequences || counting->is_seen[sequence]++ != 0)
        view_fail(counting->view, "a sequence id is there twice, or too large", NULL);
    counting->count++;
    return true;
}

/* Messages are as many as sequence ids were given, each once; every user's message has one place. */
static void order_check(struct view *view) {
    struct thread_counters counters;
    check(thread_counters_get(&view->store, &counters) == STATUS_OK);
    struct counting counting = {.view = view, .sequences = counters.sequence};
    counting.is_seen = arena_alloc(&view->arena, (size_t)counters.sequence + 1);
    check(thread_changes_ascend(&view->store, 0, row_count, &counting) == STATUS_OK);
    if (counting.count != counters.sequence)
        view_fail(view, "messages are missing", NULL);
    if (counting.offset > counters.offset)
        view_fail(view, "a change lies beyond the newest", NULL);
    if (counters.offset < view->thread->newest_offset)
        view_fail(view, "acknowledged changes are missing", NULL);
}

/* The same author and number twice: a client message id made two messages. */
struct doubling {
    const struct view *view;
    uint8_t *counts; /* by message of the model */
};

static bool row_is_once(void *context, uint64_t offset, const struct change_row *row) {
    struct doubling *doubling = context;
    const struct model *model = doubling->view->model;
    unsigned author = 0;
    unsigned long long number = 0;
    char text[64] = "";
    struct bytes content = row->message.content;
    (void)offset;
    if (row->is_properties_change || message_type_is_system(row->message.type) || row->message.deleted_ms != 0)
        return true;
    memcpy(text, content.data, content.size < sizeof(text) - 1 ? content.size : sizeof(text) - 1);
    if (sscanf(text, "%u.%llu/", &author, &number) != 2)
        view_fail(doubling->view, "a message says what nobody sent", NULL);
    for (size_t i = 0; i < model->messages_count; i++)
        if (model->messages[i].author == author && model->messages[i].number == number && doubling->counts[i]++ != 0)
            view_fail(doubling->view, "a message is there twice", &model->messages[i]);
    return true;
}

static void doubles_check(struct view *view) {
    struct doubling doubling = {.view = view, .counts = arena_alloc(&view->arena, view->model->messages_count + 1)};
    check(thread_changes_ascend(&view->store, 0, row_is_once, &doubling) == STATUS_OK);
}

static void members_check(struct view *view) {
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        const struct member_model *member = &view->thread->members[i];
        struct participant_row row;
        int rc = thread_participant_get(&view->store, &view->model->users[i].hash, &row);
        bool is_in = rc == STATUS_OK && row.removed_offset == 0;
        if (!member->is_unsure && is_in != member->is_in && view->thread->is_created)
            world_fail(view->world, "user %u should %s of thread %u", i, is_in ? "not be part" : "be part",
                       (unsigned)(view->thread - view->model->threads));
    }
}

void model_check_end(struct world *world, struct model *model, struct machine *machine, unsigned thread) {
    struct view view;
    view_open(&view, world, model, machine, thread);
    if (thread_check(&view)) {
        for (size_t i = 0; i < model->messages_count; i++)
            message_check(&view, &model->messages[i]);
        order_check(&view);
        doubles_check(&view);
        members_check(&view);
    }
    view_close(&view);
}

static void list_item_check(const struct view *view, unsigned user_number) {
    struct machine *machine = checker_reader(view->world, &view->model->users[user_number].hash);
    struct store_transaction *transaction = NULL;
    struct user_store user;
    struct membership_row listed = {0};
    struct participant_row row;
    struct arena arena;
    arena_init(&arena);
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    const struct user_model *model = &view->model->users[user_number];
    int has_list = user_store_open(&user, transaction, &arena, &view->world->master, &model->hash);
    int rc = has_list == STATUS_OK ? user_membership_get(&user, &view->thread->hash, &listed) : has_list;
    if (rc != STATUS_OK && rc != STATUS_STORE_MISSING)
        view_fail(view, "a user's list does not open", NULL);
    struct thread_store store = view->store;
    int in_thread = view->rc == STATUS_OK ? thread_participant_get(&store, &model->hash, &row) : STATUS_STORE_MISSING;
    enum membership expected = in_thread != STATUS_OK    ? (enum membership)0
                               : row.removed_offset == 0 ? MEMBERSHIP_JOINED
                                                         : MEMBERSHIP_LEFT;
    bool is_wrong = view->rc == STATUS_OK ? listed.membership != expected : listed.membership == MEMBERSHIP_JOINED;
    if (has_list == STATUS_OK && is_wrong)
        view_fail(view, "a user's list says something else", NULL);
    store_abort(transaction);
    arena_close(&arena);
}

void model_check_lists(struct world *world, struct model *model) {
    for (unsigned t = 0; t < model->threads_count; t++) {
        struct view view;
        view_open(&view, world, model, checker_reader(world, &model->threads[t].hash), t);
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
            list_item_check(&view, i);
        view_close(&view);
    }
}
