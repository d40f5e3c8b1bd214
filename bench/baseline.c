/* weft-bench-baseline: what the same fan-out costs a server that does nothing but epoll and send. Starts that server as
 * its own process, connects subscribers over loopback, sends on the same fixed schedule as weft-bench, and prints the
 * server's CPU time per delivery. */
#define _GNU_SOURCE
#include "bench/baseline_arguments.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/loop.h"
#include "bench/process.h"
#include "proto/check.h"

#define SECOND_NS 1000000000LL
#define DRAIN_NS 10000000000LL
#define READ_BYTES ((size_t)256 * 1024)

struct subscriber {
    struct generator *generator;
    int fd;
    size_t received; /* bytes of the frame that is coming in */
};

struct generator {
    const struct baseline_arguments *arguments;
    struct loop loop;
    struct loop_timer timer;
    struct subscriber *subscribers;
    size_t subscribers_count;
    int control_fd;
    uint8_t *request;
    uint8_t *read_buffer;
    uint64_t planned;
    uint64_t sent;
    uint64_t delivered;
    int64_t start_ns;
    struct histogram latency;
};

static void pin(uint32_t core_after) {
    if (core_after == 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core_after - 1, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fprintf(stderr, "weft-bench-baseline: cannot run on core %u: %s\n", core_after - 1, strerror(errno));
}

/* Server process */

static int listen_open(struct sockaddr_in *address) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    check(fd >= 0 && bind(fd, (struct sockaddr *)address, size) == 0 && listen(fd, 4096) == 0);
    check(getsockname(fd, (struct sockaddr *)address, &size) == 0);
    return fd;
}

/* Returns the server's process id; in the server itself it does not return. */
static pid_t server_start(const struct baseline_arguments *arguments, int *control_fd, struct sockaddr_in *address) {
    int control[2], listen_fd = listen_open(address);
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, control) == 0);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        close(control[0]);
        pin(arguments->pin_server);
        baseline_server_run(listen_fd, control[1], &arguments->load);
    }
    close(control[1]);
    close(listen_fd);
    *control_fd = control[0];
    return pid;
}

static int64_t server_cpu_ns(const struct generator *generator) {
    int64_t cpu_ns = 0;
    check(write(generator->control_fd, "m", 1) == 1);
    check(read(generator->control_fd, &cpu_ns, sizeof cpu_ns) == (ssize_t)sizeof cpu_ns);
    return cpu_ns;
}

/* Generator */

static int64_t intended_time(const struct generator *generator, uint64_t sequence) {
    double per_second = generator->arguments->rate * (double)generator->arguments->load.threads;
    return generator->start_ns + (int64_t)((double)sequence / per_second * 1e9);
}

static void send_one(struct generator *generator, uint64_t sequence, int64_t intended_ns) {
    const struct baseline_load *load = &generator->arguments->load;
    uint32_t thread = (uint32_t)(sequence % load->threads);
    uint64_t author = thread * load->participants + sequence / load->threads % load->participants;
    struct baseline_head head = {{0x82, 0, 0, 0}, thread, intended_ns};
    memcpy(generator->request, &head, sizeof head);
    ssize_t sent = send(generator->subscribers[author].fd, generator->request, load->request_bytes, MSG_NOSIGNAL);
    /* A few hundred bytes into a socket nobody else writes to: only a dead server refuses them. */
    check(sent == (ssize_t)load->request_bytes);
}

static void on_send_time(void *context, int64_t now_ns) {
    struct generator *generator = context;
    int64_t intended_ns = 0;
    while (generator->sent < generator->planned && (intended_ns = intended_time(generator, generator->sent)) <= now_ns)
        send_one(generator, generator->sent++, intended_ns);
    if (generator->sent < generator->planned)
        generator->timer.at_ns = intended_ns;
}

static void frames_count(struct subscriber *subscriber, const uint8_t *data, size_t size, int64_t now_ns) {
    struct generator *generator = subscriber->generator;
    size_t frame_bytes = generator->arguments->load.frame_bytes;
    while (size > 0) {
        size_t rest = frame_bytes - subscriber->received;
        size_t step = size < rest ? size : rest;
        if (subscriber->received == 0 && size >= sizeof(struct baseline_head)) {
            struct baseline_head head;
            memcpy(&head, data, sizeof head);
            histogram_add(&generator->latency, now_ns - head.intended_ns);
        }
        subscriber->received = (subscriber->received + step) % frame_bytes;
        generator->delivered += subscriber->received == 0;
        data += step;
        size -= step;
    }
}

static void on_readable(void *context, uint32_t events) {
    struct subscriber *subscriber = context;
    (void)events;
    ssize_t size = recv(subscriber->fd, subscriber->generator->read_buffer, READ_BYTES, 0);
    check(size > 0 || (size < 0 && errno == EAGAIN));
    if (size > 0)
        frames_count(subscriber, subscriber->generator->read_buffer, (size_t)size, loop_now_ns());
}

static void subscribe_all(struct generator *generator, const struct sockaddr_in *address) {
    for (size_t i = 0; i < generator->subscribers_count; i++) {
        struct subscriber *subscriber = &generator->subscribers[i];
        int on = 1;
        subscriber->generator = generator;
        subscriber->fd = socket(AF_INET, SOCK_STREAM, 0);
        check(subscriber->fd >= 0);
        check(connect(subscriber->fd, (const struct sockaddr *)address, sizeof *address) == 0);
        setsockopt(subscriber->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

/* Only when all are connected: a blocking connect keeps the order in which the server accepts. */
static void watch_all(struct generator *generator) {
    for (size_t i = 0; i < generator->subscribers_count; i++) {
        struct subscriber *subscriber = &generator->subscribers[i];
        loop_watch(&generator->loop, subscriber->fd, EPOLLIN, on_readable, subscriber);
    }
}

struct outcome {
    double server_us;
    double generator_us;
    uint64_t delivered;
    uint64_t expected;
};

static void run_until(struct generator *generator, int64_t until_ns) {
    while (loop_now_ns() < until_ns)
        loop_turn(&generator->loop, until_ns);
}

static struct outcome measure(struct generator *generator) {
    const struct baseline_arguments *arguments = generator->arguments;
    uint64_t per_thread = (uint64_t)((double)(arguments->warmup_s + arguments->duration_s) * arguments->rate);
    generator->planned = per_thread * arguments->load.threads;
    generator->start_ns = loop_now_ns() + SECOND_NS / 10;
    loop_timer_add(&generator->loop, &generator->timer, on_send_time, generator);
    generator->timer.at_ns = generator->start_ns;
    run_until(generator, generator->start_ns + arguments->warmup_s * SECOND_NS);
    uint64_t delivered = generator->delivered;
    int64_t server_ns = server_cpu_ns(generator), own_ns = process_own_cpu_ns();
    int64_t end_ns = generator->start_ns + (arguments->warmup_s + arguments->duration_s) * SECOND_NS;
    run_until(generator, end_ns);
    double count = (double)(generator->delivered - delivered);
    struct outcome outcome = {
        .server_us = (double)(server_cpu_ns(generator) - server_ns) / 1e3 / count,
        .generator_us = (double)(process_own_cpu_ns() - own_ns) / 1e3 / count,
        .expected = generator->planned * arguments->load.participants,
    };
    while (generator->delivered < outcome.expected && loop_now_ns() < end_ns + DRAIN_NS)
        loop_turn(&generator->loop, end_ns + DRAIN_NS);
    outcome.delivered = generator->delivered;
    return outcome;
}

static bool show(const struct generator *generator, const struct outcome *outcome) {
    const struct baseline_arguments *arguments = generator->arguments;
    const char *mode = baseline_mode_name(arguments->load.mode);
    double p50_ms = (double)histogram_quantile(&generator->latency, 0.5) / 1e6;
    double p99_ms = (double)histogram_quantile(&generator->latency, 0.99) / 1e6;
    if (arguments->json_file == NULL || strcmp(arguments->json_file, "-") != 0)
        printf("%s: %.2f µs of server CPU a delivery (generator %.2f), %" PRIu64 " of %" PRIu64
               " deliveries of %zu bytes, p50 %.3f ms, p99 %.3f ms\n",
               mode, outcome->server_us, outcome->generator_us, outcome->delivered, outcome->expected,
               arguments->load.frame_bytes, p50_ms, p99_ms);
    if (arguments->json_file == NULL)
        return true;
    FILE *out = strcmp(arguments->json_file, "-") == 0 ? stdout : fopen(arguments->json_file, "w");
    if (out == NULL) {
        fprintf(stderr, "weft-bench-baseline: cannot write %s: %s\n", arguments->json_file, strerror(errno));
        return false;
    }
    fprintf(out,
            "{\"mode\":\"%s\",\"serverMicrosecondsPerDelivery\":%.4f,\"generatorMicrosecondsPerDelivery\":%.4f,"
            "\"deliveries\":%" PRIu64 ",\"expectedDeliveries\":%" PRIu64
            ",\"frameBytes\":%zu,\"p50Ms\":%.4f,\"p99Ms\":%.4f}\n",
            mode, outcome->server_us, outcome->generator_us, outcome->delivered, outcome->expected,
            arguments->load.frame_bytes, p50_ms, p99_ms);
    return out == stdout ? fflush(out) == 0 : fclose(out) == 0;
}

static void descriptors_raise(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool run(const struct baseline_arguments *arguments) {
    static struct generator generator;
    struct sockaddr_in address;
    generator.arguments = arguments;
    generator.subscribers_count = (size_t)arguments->load.threads * arguments->load.participants;
    generator.subscribers = calloc(generator.subscribers_count, sizeof *generator.subscribers);
    generator.request = calloc(1, arguments->load.request_bytes);
    generator.read_buffer = malloc(READ_BYTES);
    check(generator.subscribers != NULL && generator.request != NULL && generator.read_buffer != NULL);
    pid_t pid = server_start(arguments, &generator.control_fd, &address);
    pin(arguments->pin_generator);
    loop_init(&generator.loop);
    subscribe_all(&generator, &address);
    watch_all(&generator);
    struct outcome outcome = measure(&generator);
    close(generator.control_fd);
    waitpid(pid, NULL, 0);
    bool is_shown = show(&generator, &outcome);
    for (size_t i = 0; i < generator.subscribers_count; i++)
        close(generator.subscribers[i].fd);
    loop_close(&generator.loop);
    free(generator.subscribers);
    free(generator.request);
    free(generator.read_buffer);
    return is_shown && outcome.delivered == outcome.expected;
}

int main(int argc, char **argv) {
    struct baseline_arguments arguments;
    switch (baseline_arguments_parse(argc, argv, &arguments)) {
    case OPTIONS_HELP:
        return 0;
    case OPTIONS_WRONG:
        return 2;
    case OPTIONS_RUN:
        break;
    }
    int rc = baseline_server_try(arguments.load.mode);
    if (rc != 0) {
        fprintf(stderr,
                "weft-bench-baseline: --mode %s needs io_uring of Linux 6.1 or later, and the kernel refuses: %s\n",
                baseline_mode_name(arguments.load.mode), strerror(-rc));
        return 3;
    }
    descriptors_raise();
    return run(&arguments) ? 0 : 1;
}
