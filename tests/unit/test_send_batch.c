/* Batches on real sockets, with io_uring and without: each result is what a plain send() gives. Where the kernel of the
 * machine does not let this process use io_uring, what needs it is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node/gateway/send_batch.h"

#define DEADLINE_S 20
#define TEXT_BYTES 64
#define LARGE_BYTES 300000
#define ROUNDS 300

struct pair {
    int ours;
    int theirs;
};

struct scene {
    struct send_batch *batch;
    bool is_together;
    struct pair pairs[SEND_BATCH_MAX];
    size_t pairs_count;
    char texts[SEND_BATCH_MAX][TEXT_BYTES];
};

static const uint8_t large[LARGE_BYTES];
static volatile sig_atomic_t broken_pipes;

/* ---- The machine ---- */

static bool can_use_io_uring(void) {
    struct io_uring ring;
    unsigned flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    if (io_uring_queue_init(1, &ring, flags) != 0)
        return false;
    io_uring_queue_exit(&ring);
    return true;
}

static size_t rings_of_process(void) {
    DIR *folder = opendir("/proc/self/fd");
    size_t rings = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[64] = "";
        if (readlinkat(dirfd(folder), entry->d_name, path, sizeof(path) - 1) > 0)
            rings += strcmp(path, "anon_inode:[io_uring]") == 0;
    }
    closedir(folder);
    return rings;
}

static void on_broken_pipe(int number) {
    (void)number;
    broken_pipes = 1;
}

/* ---- Sockets ---- */

static struct pair pair_of_tcp(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    struct pair pair = {.theirs = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(connect(pair.theirs, (struct sockaddr *)&address, size), 0);
    pair.ours = accept(listener, NULL, NULL);
    assert_true(pair.ours >= 0);
    close(listener);
    return pair;
}

static struct pair pair_of_unix(void) {
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    return (struct pair){.ours = ends[0], .theirs = ends[1]};
}

static struct pair *pair_take(struct scene *scene, struct pair pair) {
    struct timeval deadline = {.tv_sec = DEADLINE_S};
    setsockopt(pair.theirs, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    scene->pairs[scene->pairs_count] = pair;
    return &scene->pairs[scene->pairs_count++];
}

/* Half of them TCP. */
static void pairs_make(struct scene *scene, size_t count) {
    for (size_t i = 0; i < count; i++)
        pair_take(scene, i % 2 == 0 ? pair_of_tcp() : pair_of_unix());
}

static ssize_t send_plainly(int descriptor, const void *data, size_t size) {
    ssize_t sent = send(descriptor, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

static void fill(int descriptor) {
    ssize_t sent;
    do
        sent = send_plainly(descriptor, large, sizeof(large));
    while (sent > 0);
    assert_int_equal(sent, -EAGAIN);
}

/* Until the peer takes no more either: an acknowledgement that is still on its way would make room again. */
static void fill_tcp(int descriptor) {
    const time_t deadline = time(NULL) + DEADLINE_S;
    int queued = 1;
    int unsent = 0;
    while (queued != unsent) {
        assert_true(time(NULL) < deadline);
        fill(descriptor);
        poll(NULL, 0, 1);
        assert_int_equal(ioctl(descriptor, SIOCOUTQ, &queued), 0);
        assert_int_equal(ioctl(descriptor, SIOCOUTQNSD, &unsent), 0);
    }
    fill(descriptor);
}

static void expect_text(int descriptor, const char *text) {
    char received[TEXT_BYTES];
    size_t size = strlen(text);
    assert_int_equal(recv(descriptor, received, size, MSG_WAITALL), size);
    assert_memory_equal(received, text, size);
}

/* Everything there was has been read, and the other end has closed. */
static void expect_end(int descriptor) {
    char byte;
    assert_int_equal(recv(descriptor, &byte, 1, 0), 0);
}

/* ---- Scenes ---- */

static struct scene *scene_new(bool is_together) {
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    scene->is_together = is_together;
    scene->batch = send_batch_new(is_together);
    return scene;
}

static int set_up_together(void **state) {
    *state = scene_new(true);
    return 0;
}

static int set_up_one_by_one(void **state) {
    *state = scene_new(false);
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    send_batch_free(scene->batch);
    for (size_t i = 0; i < scene->pairs_count; i++) {
        close(scene->pairs[i].ours);
        close(scene->pairs[i].theirs);
    }
    free(scene);
    return rings_of_process() == 0 ? 0 : -1;
}

static void skip_if_impossible(const struct scene *scene) {
    if (scene->is_together && !can_use_io_uring())
        skip();
}

static void add(struct scene *scene, int descriptor, const void *data, size_t size) {
    send_batch_add(scene->batch, descriptor, data, size, NULL);
}

/* To all pairs; each gets a text that nobody else and no other round gets. */
static void add_texts(struct scene *scene, int round) {
    for (size_t i = 0; i < scene->pairs_count; i++) {
        snprintf(scene->texts[i], TEXT_BYTES, "round %d, to %zu", round, i);
        send_batch_add(scene->batch, scene->pairs[i].ours, scene->texts[i], strlen(scene->texts[i]), &scene->pairs[i]);
    }
}

static bool are_texts_sent(struct scene *scene) {
    size_t count;
    const struct send_batch_item *items = send_batch_perform(scene->batch, &count);
    bool are_sent = count == scene->pairs_count;
    for (size_t i = 0; are_sent && i < count; i++)
        are_sent = items[i].user == &scene->pairs[i] && items[i].result == (int)strlen(scene->texts[i]);
    return are_sent;
}

static void expect_texts(struct scene *scene) {
    for (size_t i = 0; i < scene->pairs_count; i++)
        expect_text(scene->pairs[i].theirs, scene->texts[i]);
}

static void expect_nothing_more(struct scene *scene) {
    for (size_t i = 0; i < scene->pairs_count; i++)
        shutdown(scene->pairs[i].ours, SHUT_WR);
    for (size_t i = 0; i < scene->pairs_count; i++)
        expect_end(scene->pairs[i].theirs);
}

/* ---- What arrives ---- */

static void all_that_is_taken_arrives_once_and_the_results_keep_the_order(void **state) {
    struct scene *scene = *state;
    skip_if_impossible(scene);
    pairs_make(scene, 20);
    add_texts(scene, 0);
    assert_true(are_texts_sent(scene));
    assert_int_equal(rings_of_process(), scene->is_together);
    expect_texts(scene);
    expect_nothing_more(scene);
}

static void a_full_batch_is_sent(void **state) {
    struct scene *scene = *state;
    skip_if_impossible(scene);
    pairs_make(scene, SEND_BATCH_MAX);
    for (int round = 0; round < 3; round++) {
        assert_false(send_batch_is_full(scene->batch));
        add_texts(scene, round);
        assert_true(send_batch_is_full(scene->batch));
        assert_true(are_texts_sent(scene));
        expect_texts(scene);
    }
    expect_nothing_more(scene);
}

static void batches_of_every_small_size_are_sent(void **state) {
    struct scene *scene = *state;
    skip_if_impossible(scene);
    for (size_t count = 0; count < 9; count++) {
        add_texts(scene, (int)count);
        assert_true(are_texts_sent(scene));
        expect_texts(scene);
        assert_int_equal(rings_of_process(), scene->is_together && count >= 4);
        pairs_make(scene, 1);
    }
    expect_nothing_more(scene);
}

static void many_batches_one_after_the_other_do_not_meet(void **state) {
    struct scene *scene = *state;
    skip_if_impossible(scene);
    pairs_make(scene, 7);
    for (int round = 0; round < ROUNDS; round++) {
        add_texts(scene, round);
        assert_true(are_texts_sent(scene));
        expect_texts(scene);
    }
    expect_nothing_more(scene);
}

/* ---- Results ---- */

/* A fresh end of a connection in a state, its peer kept by the scene. */
typedef int state_maker(struct scene *scene);

static int idle_unix(struct scene *scene) {
    return pair_take(scene, pair_of_unix())->ours;
}

static int idle_tcp(struct scene *scene) {
    return pair_take(scene, pair_of_tcp())->ours;
}

static int small_unix(struct scene *scene) {
    int descriptor = idle_unix(scene);
    int size = 16384;
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return descriptor;
}

static int full_unix(struct scene *scene) {
    int descriptor = small_unix(scene);
    fill(descriptor);
    return descriptor;
}

static int full_tcp(struct scene *scene) {
    int descriptor = idle_tcp(scene);
    fill_tcp(descriptor);
    return descriptor;
}

static int left_unix(struct scene *scene) {
    struct pair *pair = pair_take(scene, pair_of_unix());
    close(pair->theirs);
    pair->theirs = -1;
    return pair->ours;
}

static int finished_tcp(struct scene *scene) {
    int descriptor = idle_tcp(scene);
    shutdown(descriptor, SHUT_WR);
    return descriptor;
}

/* The peer has closed with something unread, and the reset that this makes has come. */
static int reset_tcp(struct scene *scene) {
    struct pair *pair = pair_take(scene, pair_of_tcp());
    assert_int_equal(send_plainly(pair->ours, "unread", 6), 6);
    char byte;
    assert_int_equal(recv(pair->theirs, &byte, 1, MSG_PEEK), 1);
    close(pair->theirs);
    pair->theirs = -1;
    assert_int_equal(recv(pair->ours, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    return pair->ours;
}

static int no_descriptor(struct scene *scene) {
    (void)scene;
    return -1;
}

static int no_socket(struct scene *scene) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    return pair_take(scene, (struct pair){.ours = ends[1], .theirs = ends[0]})->ours;
}

static void every_result_is_that_of_a_plain_send(void **state) {
    static const struct {
        state_maker *make;
        size_t size;
        int expected;
    } rows[] = {
        {idle_unix, 100, 100},      {idle_tcp, 100, 100},      {idle_unix, 0, 0},           {full_unix, 100, -EAGAIN},
        {full_tcp, 100, -EAGAIN},   {left_unix, 100, -EPIPE},  {finished_tcp, 100, -EPIPE}, {reset_tcp, 100, -EPIPE},
        {no_descriptor, 1, -EBADF}, {no_socket, 1, -ENOTSOCK},
    };
    enum { ROWS = sizeof(rows) / sizeof(*rows) };
    struct scene *scene = *state;
    skip_if_impossible(scene);
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(send_plainly(rows[i].make(scene), large, rows[i].size), rows[i].expected);
        add(scene, rows[i].make(scene), large, rows[i].size);
    }
    size_t count;
    const struct send_batch_item *items = send_batch_perform(scene->batch, &count);
    assert_int_equal(count, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(items[i].result, rows[i].expected);
    assert_int_equal(broken_pipes, 0);
    assert_int_equal(rings_of_process(), scene->is_together);
}

static void a_socket_with_too_little_room_takes_the_same_part(void **state) {
    struct scene *scene = *state;
    skip_if_impossible(scene);
    ssize_t expected = send_plainly(small_unix(scene), large, sizeof(large));
    assert_true(expected > 0 && expected < LARGE_BYTES);
    for (int i = 0; i < 8; i++)
        add(scene, small_unix(scene), large, sizeof(large));
    size_t count;
    const struct send_batch_item *items = send_batch_perform(scene->batch, &count);
    assert_int_equal(count, 8);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(items[i].result, expected);
}

static size_t receive_until_end(int descriptor) {
    static uint8_t bytes[65536];
    size_t received = 0;
    ssize_t size;
    while ((size = recv(descriptor, bytes, sizeof(bytes), 0)) > 0)
        received += (size_t)size;
    assert_int_equal(size, 0);
    return received;
}

static void what_many_rounds_to_slow_readers_count_as_taken_is_what_arrives(void **state) {
    struct scene *scene = *state;
    skip_if_impossible(scene);
    pairs_make(scene, 6);
    size_t taken[6] = {0};
    size_t refused = 0;
    for (int round = 0; round < 60; round++) {
        for (size_t i = 0; i < 6; i++)
            add(scene, scene->pairs[i].ours, large, sizeof(large));
        size_t count;
        const struct send_batch_item *items = send_batch_perform(scene->batch, &count);
        for (size_t i = 0; i < count; i++) {
            assert_true(items[i].result > 0 || items[i].result == -EAGAIN);
            taken[i] += items[i].result > 0 ? (size_t)items[i].result : 0;
            refused += items[i].result == -EAGAIN;
        }
    }
    assert_true(refused > 0);
    for (size_t i = 0; i < 6; i++) {
        shutdown(scene->pairs[i].ours, SHUT_WR);
        assert_int_equal(receive_until_end(scene->pairs[i].theirs), taken[i]);
    }
}

/* ---- A kernel that refuses ---- */

static bool refuse_system_call(long number) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(steps) / sizeof(*steps), .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum refused_outcome { CHILD_IS_RIGHT, CHILD_CANNOT_FILTER, CHILD_SENT_WRONGLY, CHILD_HAS_WRONG_RINGS };

struct refusal {
    long number;
    int allowed_rounds; /* before the refusal begins */
};

static enum refused_outcome send_despite(struct scene *scene, const struct refusal *refusal) {
    for (int round = 0; round < 3; round++) {
        if (round == refusal->allowed_rounds && !refuse_system_call(refusal->number))
            return CHILD_CANNOT_FILTER;
        add_texts(scene, round);
        if (!are_texts_sent(scene))
            return CHILD_SENT_WRONGLY;
        if (rings_of_process() != (round < refusal->allowed_rounds))
            return CHILD_HAS_WRONG_RINGS;
    }
    return CHILD_IS_RIGHT;
}

/* In a process of its own, since a filter stays. What that sends is read here. */
static void expect_all_despite(struct scene *scene, const struct refusal *refusal) {
    skip_if_impossible(scene);
    pairs_make(scene, 40);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit((int)send_despite(scene, refusal));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_CANNOT_FILTER)
        skip();
    assert_int_equal(WEXITSTATUS(status), CHILD_IS_RIGHT);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < scene->pairs_count; i++) {
            snprintf(scene->texts[i], TEXT_BYTES, "round %d, to %zu", round, i);
            expect_text(scene->pairs[i].theirs, scene->texts[i]);
        }
    }
    expect_nothing_more(scene);
}

static void all_is_sent_once_if_the_kernel_gives_no_ring(void **state) {
    expect_all_despite(*state, &(struct refusal){.number = SYS_io_uring_setup, .allowed_rounds = 0});
}

static void all_is_sent_once_if_the_kernel_never_takes_a_submission(void **state) {
    expect_all_despite(*state, &(struct refusal){.number = SYS_io_uring_enter, .allowed_rounds = 0});
}

static void all_is_sent_once_if_the_kernel_takes_no_submissions_any_more(void **state) {
    expect_all_despite(*state, &(struct refusal){.number = SYS_io_uring_enter, .allowed_rounds = 1});
}

static int prepare_process(void **state) {
    (void)state;
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    return sigaction(SIGPIPE, &(struct sigaction){.sa_handler = on_broken_pipe}, NULL);
}

#define TOGETHER(name) cmocka_unit_test_setup_teardown(name, set_up_together, tear_down)
#define BOTH_WAYS(name)                                                                                                \
    {#name " (io_uring)", name, set_up_together, tear_down, NULL}, {                                                   \
#name " (one by one)", name, set_up_one_by_one, tear_down, NULL                                                \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(all_that_is_taken_arrives_once_and_the_results_keep_the_order),
        BOTH_WAYS(a_full_batch_is_sent),
        BOTH_WAYS(batches_of_every_small_size_are_sent),
        BOTH_WAYS(many_batches_one_after_the_other_do_not_meet),
        BOTH_WAYS(every_result_is_that_of_a_plain_send),
        BOTH_WAYS(a_socket_with_too_little_room_takes_the_same_part),
        BOTH_WAYS(what_many_rounds_to_slow_readers_count_as_taken_is_what_arrives),
        TOGETHER(all_is_sent_once_if_the_kernel_gives_no_ring),
        TOGETHER(all_is_sent_once_if_the_kernel_never_takes_a_submission),
        TOGETHER(all_is_sent_once_if_the_kernel_takes_no_submissions_any_more),
    };
    return cmocka_run_group_tests(tests, prepare_process, NULL);
}
