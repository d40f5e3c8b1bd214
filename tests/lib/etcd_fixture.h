#pragma once
/* One etcd member of its own in a temporary folder on free ports of 127.0.0.1: for unit tests. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/coordinator/etcd.h"
#include "proto/check.h"
#include "proto/status.h"

struct etcd_fixture {
    char folder[64];
    char endpoint[64];
    char peer[64];
    pid_t pid;
};

static inline bool etcd_fixture_is_possible(void) {
    return system("command -v etcd >/dev/null 2>&1") == 0;
}

/* A port that nobody has; somebody may take it before etcd does, and then the test fails and says so. */
static inline unsigned etcd_fixture_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
    check(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline void etcd_fixture_exec(const struct etcd_fixture *fixture) {
    char log[96];
    char cluster[96];
    snprintf(log, sizeof(log), "%s/log", fixture->folder);
    snprintf(cluster, sizeof(cluster), "default=%s", fixture->peer);
    int fd = open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("etcd", "etcd", "--data-dir", fixture->folder, "--listen-client-urls", fixture->endpoint,
           "--advertise-client-urls", fixture->endpoint, "--listen-peer-urls", fixture->peer,
           "--initial-advertise-peer-urls", fixture->peer, "--initial-cluster", cluster, (char *)NULL);
    _exit(127);
}

static inline struct coordinator *etcd_fixture_coordinator(const struct etcd_fixture *fixture, const char *prefix) {
    struct etcd_options options = {.endpoints = fixture->endpoint,
                                   .prefix = prefix,
                                   .user = "",
                                   .password = "",
                                   .ca_file = "",
                                   .cert_file = "",
                                   .key_file = ""};
    return coordinator_etcd_new(&options);
}

/* Returns when it answers. */
static inline void etcd_fixture_open(struct etcd_fixture *fixture) {
    snprintf(fixture->folder, sizeof(fixture->folder), "%s/weft-etcd-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(fixture->folder) != NULL);
    snprintf(fixture->endpoint, sizeof(fixture->endpoint), "http://127.0.0.1:%u", etcd_fixture_port());
    snprintf(fixture->peer, sizeof(fixture->peer), "http://127.0.0.1:%u", etcd_fixture_port());
    fixture->pid = fork();
    check(fixture->pid >= 0);
    if (fixture->pid == 0)
        etcd_fixture_exec(fixture);
    struct coordinator *coordinator = etcd_fixture_coordinator(fixture, "ready");
    struct arena arena;
    struct bytes value;
    uint64_t version;
    int rc = STATUS_SERVICE_UNAVAILABLE;
    arena_init(&arena);
    for (int attempt = 0; attempt < 10 && rc == STATUS_SERVICE_UNAVAILABLE; attempt++)
        rc = coordinator_get(coordinator, "", &arena, &value, &version);
    check(rc == STATUS_STORE_MISSING);
    arena_close(&arena);
    coordinator_close(coordinator);
}

static inline void etcd_fixture_close(struct etcd_fixture *fixture) {
    char command[96];
    kill(fixture->pid, SIGKILL);
    waitpid(fixture->pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", fixture->folder);
    check(system(command) == 0);
}
