#pragma once
/* A resource as its users see it: which users are known, tokens for them, which threads each lists. REST shows a thread
 * to who is or was in it, never to the resource's owner as such, so everything here is asked as some user. Used by
 * several threads of weftctl at a time; what is in it is guarded by its mutex. */
#include <pthread.h>
#include <time.h>

#include "node/ctl/rest.h"

#define SOURCE_REASON_BYTES_MAX REST_REASON_BYTES_MAX

enum source_user_state {
    SOURCE_USER_KNOWN,  /* not asked yet */
    SOURCE_USER_LISTED, /* her threads are known */
    SOURCE_USER_GONE,   /* the resource has no such identity, any more */
    SOURCE_USER_FOREIGN /* no identity of a resource: a Teams user, a phone number, a bot */
};

struct source_user {
    char *id;
    enum source_user_state state;
    char *token; /* NULL: none yet */
    time_t token_until;
};

struct source_thread {
    char *id;
    json_t *item;    /* as the first user's list has it */
    size_t *viewers; /* numbers of users who list it */
    size_t viewers_count;
    bool is_done; /* the caller's */
};

struct source {
    struct rest rest;
    pthread_mutex_t mutex;
    struct source_user *users;
    size_t users_count;
    json_t *users_by_id;
    struct source_thread *threads;
    size_t threads_count;
    json_t *threads_by_id;
    char reason[SOURCE_REASON_BYTES_MAX]; /* of the first failure */
};

void source_init(struct source *source, const struct connection *connection, const char *ca_file);
void source_close(struct source *source);

/* The user's or thread's number; new ones are added. */
size_t source_user_add(struct source *source, const char *id);
size_t source_thread_add(struct source *source, const char *id);

/* This user is among those to ask for the thread. */
void source_viewer_add(struct source *source, size_t thread, size_t user);

/* Asks as this user and follows no link. EXIT_DONE with the answer, which says that the user is gone by status 401 and
 * the code IdentityNotOwned; or another exit status with the source's reason set. */
int source_ask(struct source *source, CURL *line, size_t user, const char *target, struct rest_answer *answer);

/* All pages from `target` on: `on_value` gets each of their values, borrowed. If the first page was refused, *refusal
 * is its status (401: the user is gone) and nothing was given; otherwise it is 0. */
typedef void source_on_value(void *context, json_t *value);
int source_ask_pages(struct source *source, CURL *line, size_t user, const char *target, long *refusal,
                     source_on_value *on_value, void *context);

/* Takes down which threads the user lists; an identity that is gone or foreign lists none. */
int source_list_threads(struct source *source, CURL *line, size_t user);

/* Keeps the first one; returns `rc`. Any thread. */
__attribute__((format(printf, 3, 4))) int source_fail(struct source *source, int rc, const char *format, ...);

/* The raw id of a CommunicationIdentifier; "" if it has none. */
const char *source_raw_id(const json_t *identifier);
