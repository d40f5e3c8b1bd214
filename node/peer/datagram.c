#include "node/peer/datagram.h"

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/check.h"
#include "proto/status.h"

#define RECONNECT_MS_MIN 50  /* nng's pause after a connection is lost or refused */
#define RECONNECT_MS_MAX 500 /* likewise, after many times */
#define URL_BYTES_MAX (DATAGRAM_ADDRESS_BYTES_MAX + sizeof("tcp://"))

struct datagram_inlet {
    nng_socket socket;
    int descriptor;
    int port;
};

/* nng's threads touch `pipes` only. */
struct datagram_outlet {
    nng_socket socket;
    nng_dialer dialer;
    bool has_dialer;
    atomic_int pipes; /* connections that are up */
};

bool datagram_address_is_sound(const char *address) {
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || strlen(address) >= DATAGRAM_ADDRESS_BYTES_MAX)
        return false;
    char *end;
    long port = strtol(colon + 1, &end, 10);
    return colon[1] >= '0' && colon[1] <= '9' && *end == '\0' && port <= UINT16_MAX &&
           strpbrk(address, "/ @?#") == NULL;
}

static void url_make(char url[URL_BYTES_MAX], const char *address) {
    check(datagram_address_is_sound(address));
    snprintf(url, URL_BYTES_MAX, "tcp://%s", address);
}

/* ---- closing ---- */

#define CLOSE_S 1

/* Shared by who closes and who waits for it; the last one frees it. */
struct closing {
    nng_socket socket;
    pthread_mutex_t mutex;
    pthread_cond_t has_ended;
    bool is_ended;
    bool is_left;
};

static void closing_free(struct closing *closing) {
    pthread_cond_destroy(&closing->has_ended);
    pthread_mutex_destroy(&closing->mutex);
    free(closing);
}

static void *closing_run(void *context) {
    struct closing *closing = context;
    nng_close(closing->socket);
    pthread_mutex_lock(&closing->mutex);
    closing->is_ended = true;
    bool is_left = closing->is_left;
    pthread_cond_signal(&closing->has_ended);
    pthread_mutex_unlock(&closing->mutex);
    if (is_left)
        closing_free(closing);
    return NULL;
}

static bool closing_await(struct closing *closing) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_S;
    pthread_mutex_lock(&closing->mutex);
    for (int rc = 0; !closing->is_ended && rc == 0;)
        rc = pthread_cond_timedwait(&closing->has_ended, &closing->mutex, &until);
    bool is_ended = closing->is_ended;
    closing->is_left = !is_ended;
    pthread_mutex_unlock(&closing->mutex);
    if (is_ended)
        closing_free(closing);
    return is_ended;
}

/* nng's reaper and its tasks now and then wait for each other when connections end on both sides at once, and nng_close
 * never returns. False: that may be so; the socket is left to the end of the process, which is near. */
static bool socket_close(nng_socket socket) {
    struct closing *closing = calloc(1, sizeof(*closing));
    pthread_t thread;
    check(closing != NULL);
    closing->socket = socket;
    check(pthread_mutex_init(&closing->mutex, NULL) == 0 && pthread_cond_init(&closing->has_ended, NULL) == 0);
    if (pthread_create(&thread, NULL, closing_run, closing) != 0) {
        closing_free(closing);
        return false;
    }
    check(pthread_detach(thread) == 0);
    return closing_await(closing);
}

/* ---- messages: a datagram is an nng_msg by another name ---- */

static nng_msg *message_of(struct datagram *datagram) {
    return (nng_msg *)datagram;
}

struct datagram *datagram_new(size_t size) {
    nng_msg *message;
    check(nng_msg_alloc(&message, size) == 0);
    return (struct datagram *)message;
}

uint8_t *datagram_body(struct datagram *datagram) {
    return nng_msg_body(message_of(datagram));
}

struct bytes datagram_bytes(struct datagram *datagram) {
    return bytes_of(nng_msg_body(message_of(datagram)), nng_msg_len(message_of(datagram)));
}

void datagram_free(struct datagram *datagram) {
    nng_msg_free(message_of(datagram));
}

/* ---- the inlet ---- */

static int listen_failed(int rc, const char **reason) {
    switch (rc) {
    case NNG_EADDRINUSE:
        *reason = "the address for other nodes is in use";
        return STATUS_CONFLICT;
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
        *reason = "the address for other nodes is not one of this machine";
        return STATUS_CONFLICT;
    default:
        *reason = nng_strerror(rc);
        return STATUS_INTERNAL_ERROR;
    }
}

static int inlet_listen(struct datagram_inlet *inlet, const char *address, size_t size_max, const char **reason) {
    char url[URL_BYTES_MAX];
    nng_listener listener;
    url_make(url, address);
    int rc = nng_listener_create(&listener, inlet->socket, url);
    if (rc == 0)
        rc = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ, size_max);
    if (rc == 0)
        rc = nng_listener_start(listener, 0);
    if (rc == 0)
        rc = nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &inlet->port);
    if (rc == 0)
        rc = nng_socket_get_int(inlet->socket, NNG_OPT_RECVFD, &inlet->descriptor);
    return rc == 0 ? STATUS_OK : listen_failed(rc, reason);
}

int datagram_inlet_open(const char *address, size_t size_max, int messages_max, struct datagram_inlet **opened,
                        const char **reason) {
    if (!datagram_address_is_sound(address)) {
        *reason = "the address for other nodes is not host:port";
        return STATUS_BAD_REQUEST;
    }
    struct datagram_inlet *inlet = calloc(1, sizeof(*inlet));
    check(inlet != NULL);
    int rc = STATUS_INTERNAL_ERROR;
    if (nng_sub0_open(&inlet->socket) != 0) {
        *reason = "no socket for other nodes can be opened";
        goto free_inlet;
    }
    check(nng_socket_set_int(inlet->socket, NNG_OPT_RECVBUF, messages_max) == 0);
    check(nng_socket_set(inlet->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0) == 0);
    rc = inlet_listen(inlet, address, size_max, reason);
    if (rc != STATUS_OK)
        goto close_socket;
    *opened = inlet;
    return STATUS_OK;

close_socket:
    nng_close(inlet->socket);
free_inlet:
    free(inlet);
    return rc;
}

void datagram_inlet_close(struct datagram_inlet *inlet) {
    if (socket_close(inlet->socket))
        free(inlet);
}

int datagram_inlet_descriptor(const struct datagram_inlet *inlet) {
    return inlet->descriptor;
}

uint16_t datagram_inlet_port(const struct datagram_inlet *inlet) {
    return (uint16_t)inlet->port;
}

struct datagram *datagram_inlet_receive(struct datagram_inlet *inlet) {
    nng_msg *message;
    return nng_recvmsg(inlet->socket, &message, NNG_FLAG_NONBLOCK) == 0 ? (struct datagram *)message : NULL;
}

/* ---- outlets ---- */

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *argument) {
    struct datagram_outlet *outlet = argument;
    (void)pipe;
    atomic_fetch_add(&outlet->pipes, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
}

struct datagram_outlet *datagram_outlet_new(int messages_max) {
    struct datagram_outlet *outlet = calloc(1, sizeof(*outlet));
    check(outlet != NULL);
    if (nng_pub0_open(&outlet->socket) != 0) {
        free(outlet);
        return NULL;
    }
    check(nng_socket_set_int(outlet->socket, NNG_OPT_SENDBUF, messages_max) == 0);
    check(nng_socket_set_ms(outlet->socket, NNG_OPT_RECONNMINT, RECONNECT_MS_MIN) == 0);
    check(nng_socket_set_ms(outlet->socket, NNG_OPT_RECONNMAXT, RECONNECT_MS_MAX) == 0);
    check(nng_pipe_notify(outlet->socket, NNG_PIPE_EV_ADD_POST, on_pipe, outlet) == 0);
    check(nng_pipe_notify(outlet->socket, NNG_PIPE_EV_REM_POST, on_pipe, outlet) == 0);
    return outlet;
}

void datagram_outlet_free(struct datagram_outlet *outlet) {
    if (socket_close(outlet->socket))
        free(outlet);
}

void datagram_outlet_hang_up(struct datagram_outlet *outlet) {
    if (outlet->has_dialer)
        nng_dialer_close(outlet->dialer);
    outlet->has_dialer = false;
}

int datagram_outlet_dial(struct datagram_outlet *outlet, const char *address) {
    char url[URL_BYTES_MAX];
    datagram_outlet_hang_up(outlet);
    url_make(url, address);
    int rc = nng_dialer_create(&outlet->dialer, outlet->socket, url);
    if (rc != 0)
        return rc == NNG_ENOMEM ? STATUS_INTERNAL_ERROR : STATUS_BAD_REQUEST;
    outlet->has_dialer = true;
    return nng_dialer_start(outlet->dialer, NNG_FLAG_NONBLOCK) == 0 ? STATUS_OK : STATUS_INTERNAL_ERROR;
}

bool datagram_outlet_is_connected(const struct datagram_outlet *outlet) {
    return atomic_load(&outlet->pipes) > 0;
}

void datagram_outlet_send(struct datagram_outlet *outlet, struct datagram *datagram) {
    if (nng_sendmsg(outlet->socket, message_of(datagram), NNG_FLAG_NONBLOCK) != 0)
        datagram_free(datagram);
}
