/* Requests of which many are on their way; the resolver is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <time.h>
#include <cmocka.h>

#include "node/events/webhooks.h"

#define DEADLINE_S 3 /* for a test that hangs */

static sem_t is_asked, may_answer, has_answered;
static atomic_bool was_hurried;

static bool await(sem_t *semaphore) {
    struct timespec until;
    int rc;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    do
        rc = sem_timedwait(semaphore, &until);
    while (rc != 0 && errno == EINTR);
    return rc == 0;
}

/* Takes the place of the system's. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    (void)name, (void)service, (void)hints;
    *result = NULL;
    sem_post(&is_asked);
    atomic_store(&was_hurried, await(&may_answer));
    sem_post(&has_answered);
    return EAI_AGAIN;
}

static void on_done(void *context, const struct webhook_answer *answer) {
    (void)context, (void)answer;
    fail();
}

static void a_request_is_broken_off_without_waiting_for_the_resolver(void **state) {
    struct webhook_options options = {.ca_file = ""};
    struct webhook_request request = {.method = "POST", .url = BYTES_LITERAL("https://resolves.slowly.example/")};
    (void)state;
    sem_init(&is_asked, 0, 0);
    sem_init(&may_answer, 0, 0);
    sem_init(&has_answered, 0, 0);
    struct webhooks *webhooks = webhooks_new();
    struct sent_webhook *sent = webhooks_begin(webhooks, &options, &request, on_done, NULL);
    webhooks_turn(webhooks, 0);
    assert_true(await(&is_asked));
    webhooks_cancel(webhooks, sent);
    webhooks_free(webhooks);
    sem_post(&may_answer);
    assert_true(await(&has_answered));
    assert_true(atomic_load(&was_hurried));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_broken_off_without_waiting_for_the_resolver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
