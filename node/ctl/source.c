#include "node/ctl/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/ctl/admin.h"
#include "node/ctl/exit_status.h"
#include "node/ctl/fields.h"
#include "proto/check.h"

#define CHAT_VERSION "2025-03-15"
#define IDENTITY_VERSION "2023-10-01"
#define TOKEN_MINUTES 1440
#define TOKEN_SPARE_S 600 /* a token is renewed before its end: clocks differ, and a call may wait for its turn */
#define PAGES_MAX 1000000 /* of one list; more are a list without end */

void source_init(struct source *source, const struct connection *connection, const char *ca_file) {
    *source = (struct source){.rest = {.connection = connection, .ca_file = ca_file},
                              .users_by_id = json_object(),
                              .threads_by_id = json_object()};
    pthread_mutex_init(&source->mutex, NULL);
}

void source_close(struct source *source) {
    for (size_t i = 0; i < source->users_count; i++) {
        free(source->users[i].id);
        free(source->users[i].token);
    }
    for (size_t i = 0; i < source->threads_count; i++) {
        free(source->threads[i].id);
        free(source->threads[i].viewers);
        json_decref(source->threads[i].item);
    }
    free(source->users);
    free(source->threads);
    json_decref(source->users_by_id);
    json_decref(source->threads_by_id);
    pthread_mutex_destroy(&source->mutex);
}

int source_fail(struct source *source, int rc, const char *format, ...) {
    char reason[SOURCE_REASON_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&source->mutex);
    if (source->reason[0] == 0)
        memcpy(source->reason, reason, sizeof reason);
    pthread_mutex_unlock(&source->mutex);
    return rc;
}

/* Room for one item more: capacities are powers of two. */
static void *grown(void *items, size_t count, size_t item_bytes) {
    bool is_full = (count & (count - 1)) == 0;
    void *larger = is_full ? realloc(items, (count == 0 ? 1 : count * 2) * item_bytes) : items;
    check(larger != NULL);
    return larger;
}

static char *copy_of(const char *text) {
    char *copy = strdup(text);
    check(copy != NULL);
    return copy;
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Two underscores are in the ids of Teams' extension users only. */
static bool id_is_of_a_resource(const char *id) {
    const char *underscore = strchr(id, '_');
    bool is_acs = starts_with(id, "8:acs:") || starts_with(id, "8:gcch-acs:") || starts_with(id, "8:dod-acs:");
    return is_acs && underscore != NULL && strchr(underscore + 1, '_') == NULL;
}

size_t source_user_add(struct source *source, const char *id) {
    pthread_mutex_lock(&source->mutex);
    const json_t *known = json_object_get(source->users_by_id, id);
    size_t number = known != NULL ? (size_t)json_integer_value(known) : source->users_count;
    if (known == NULL) {
        source->users = grown(source->users, source->users_count, sizeof *source->users);
        source->users[source->users_count++] = (struct source_user){
            .id = copy_of(id), .state = id_is_of_a_resource(id) ? SOURCE_USER_KNOWN : SOURCE_USER_FOREIGN};
        json_object_set_new(source->users_by_id, id, json_integer((json_int_t)number));
    }
    pthread_mutex_unlock(&source->mutex);
    return number;
}

static size_t thread_add_locked(struct source *source, const char *id) {
    const json_t *known = json_object_get(source->threads_by_id, id);
    if (known != NULL)
        return (size_t)json_integer_value(known);
    source->threads = grown(source->threads, source->threads_count, sizeof *source->threads);
    source->threads[source->threads_count] = (struct source_thread){.id = copy_of(id)};
    json_object_set_new(source->threads_by_id, id, json_integer((json_int_t)source->threads_count));
    return source->threads_count++;
}

size_t source_thread_add(struct source *source, const char *id) {
    pthread_mutex_lock(&source->mutex);
    size_t number = thread_add_locked(source, id);
    pthread_mutex_unlock(&source->mutex);
    return number;
}

static void viewer_add_locked(struct source_thread *thread, size_t user) {
    thread->viewers = grown(thread->viewers, thread->viewers_count, sizeof *thread->viewers);
    thread->viewers[thread->viewers_count++] = user;
}

void source_viewer_add(struct source *source, size_t thread, size_t user) {
    pthread_mutex_lock(&source->mutex);
    viewer_add_locked(&source->threads[thread], user);
    pthread_mutex_unlock(&source->mutex);
}

/* ---- tokens ---- */

/* The caller's; NULL: there is none that lasts. */
static char *token_find(struct source *source, size_t user) {
    pthread_mutex_lock(&source->mutex);
    const struct source_user *known = &source->users[user];
    bool is_good = known->token != NULL && time(NULL) + TOKEN_SPARE_S < known->token_until;
    char *token = is_good ? copy_of(known->token) : NULL;
    pthread_mutex_unlock(&source->mutex);
    return token;
}

static void token_keep(struct source *source, size_t user, const char *token) {
    pthread_mutex_lock(&source->mutex);
    struct source_user *known = &source->users[user];
    free(known->token);
    known->token = copy_of(token);
    known->token_until = time(NULL) + (time_t)TOKEN_MINUTES * 60;
    pthread_mutex_unlock(&source->mutex);
}

static int token_judge(struct source *source, const struct rest_answer *answer) {
    if (answer->status == 401 && strcmp(answer->code, "IdentityNotOwned") == 0)
        return EXIT_DONE;
    int rc = answer->status == 401 || answer->status == 403 ? EXIT_NOT_ADMITTED : EXIT_REFUSED;
    return source_fail(source, rc, "the resource gives no token for a user: %s", answer->reason);
}

/* EXIT_DONE with *token NULL: the resource has no such identity. */
static int token_get(struct source *source, CURL *line, size_t user, char **token, struct rest_answer *answer) {
    static const char body[] = "{\"scopes\":[\"chat\"],\"expiresInMinutes\":1440}";
    char segment[ADMIN_PATH_BYTES_MAX], target[ADMIN_PATH_BYTES_MAX + 80];
    *token = token_find(source, user);
    if (*token != NULL)
        return EXIT_DONE;
    pthread_mutex_lock(&source->mutex);
    admin_segment(source->users[user].id, segment);
    pthread_mutex_unlock(&source->mutex);
    snprintf(target, sizeof target, "/identities/%s/:issueAccessToken?api-version=" IDENTITY_VERSION, segment);
    struct rest_request request = {.method = "POST", .target = target, .body = body};
    if (rest_call(&source->rest, line, &request, answer) != EXIT_DONE)
        return source_fail(source, EXIT_UNREACHABLE, "%s", answer->reason);
    if (answer->json == NULL)
        return token_judge(source, answer);
    token_keep(source, user, field_text(answer->json, "token"));
    rest_answer_close(answer);
    *token = token_find(source, user);
    return EXIT_DONE;
}

/* ---- what a user sees ---- */

int source_ask(struct source *source, CURL *line, size_t user, const char *target, struct rest_answer *answer) {
    char *token = NULL;
    *answer = (struct rest_answer){0};
    int rc = token_get(source, line, user, &token, answer);
    if (rc != EXIT_DONE || token == NULL)
        return rc;
    struct rest_request request = {.method = "GET", .target = target, .token = token};
    if (rest_call(&source->rest, line, &request, answer) != EXIT_DONE)
        rc = source_fail(source, EXIT_UNREACHABLE, "%s", answer->reason);
    free(token);
    return rc;
}

static int page_take(struct source *source, const struct rest_answer *answer, source_on_value *on_value,
                     void *context) {
    const json_t *values = field_array(answer->json, "value");
    json_t *value;
    size_t i;
    if (values == NULL)
        return source_fail(source, EXIT_REFUSED, "%s: a page without \"value\"",
                           answer->reason[0] != 0 ? answer->reason : "the resource answers");
    json_array_foreach(values, i, value) on_value(context, value);
    return EXIT_DONE;
}

/* A token that is not accepted is no answer about the list. */
static int page_refused(struct source *source, const struct rest_answer *answer, bool is_first, long *refusal) {
    bool is_about_token = answer->status == 401 && strcmp(answer->code, "IdentityNotOwned") != 0;
    *refusal = answer->status;
    return is_first && !is_about_token ? EXIT_DONE : source_fail(source, EXIT_REFUSED, "%s", answer->reason);
}

int source_ask_pages(struct source *source, CURL *line, size_t user, const char *target, long *refusal,
                     source_on_value *on_value, void *context) {
    struct rest_answer answer = {0};
    char *next = copy_of(target);
    int rc = EXIT_DONE;
    *refusal = 0;
    for (size_t page = 0; rc == EXIT_DONE && next != NULL && page < PAGES_MAX; page++) {
        rc = source_ask(source, line, user, next, &answer);
        free(next);
        next = NULL;
        if (rc == EXIT_DONE && answer.json == NULL)
            rc = page_refused(source, &answer, page == 0, refusal);
        else if (rc == EXIT_DONE)
            rc = page_take(source, &answer, on_value, context);
        const char *link = answer.json != NULL ? rest_next_target(answer.json) : NULL;
        next = link != NULL ? copy_of(link) : NULL;
        rest_answer_close(&answer);
    }
    free(next);
    return rc;
}

struct listing {
    struct source *source;
    size_t user;
};

static void on_item(void *context, json_t *item) {
    const struct listing *listing = context;
    struct source *source = listing->source;
    const char *id = field_text(item, "id");
    if (id[0] == 0)
        return;
    pthread_mutex_lock(&source->mutex);
    size_t number = thread_add_locked(source, id); /* which may move the array */
    struct source_thread *thread = &source->threads[number];
    viewer_add_locked(thread, listing->user);
    if (thread->item == NULL)
        thread->item = json_incref(item);
    pthread_mutex_unlock(&source->mutex);
}

static void state_set(struct source *source, size_t user, enum source_user_state state) {
    pthread_mutex_lock(&source->mutex);
    source->users[user].state = state;
    pthread_mutex_unlock(&source->mutex);
}

int source_list_threads(struct source *source, CURL *line, size_t user) {
    struct listing listing = {source, user};
    long refusal;
    int rc = source_ask_pages(source, line, user, "/chat/threads?maxPageSize=100&api-version=" CHAT_VERSION, &refusal,
                              on_item, &listing);
    if (rc != EXIT_DONE)
        return rc;
    if (refusal != 0 && refusal != 401)
        return source_fail(source, EXIT_REFUSED, "the resource does not list a user's threads: status %ld", refusal);
    state_set(source, user, refusal == 401 ? SOURCE_USER_GONE : SOURCE_USER_LISTED);
    return EXIT_DONE;
}

const char *source_raw_id(const json_t *identifier) {
    const char *raw_id = field_text(identifier, "rawId");
    return raw_id[0] != 0 ? raw_id : field_text(field_object(identifier, "communicationUser"), "id");
}
