/* What the server gives to pushes. */
#include "node/events/delivery.h"
#include "node/log.h"
#include "node/push/push.h"
#include "node/push/push_kind.h"
#include "node/push/push_serve.h"
#include "node/server_parts.h"
#include "storage/user_store.h"

static int64_t ttl_ms(const struct server *server) {
    return server->config.push_ttl_s * 1000;
}

static void delivery_wake_if_there(void *context) {
    struct server *server = context;
    struct delivery *delivery = server->delivery;
    if (delivery != NULL)
        delivery_wake(delivery);
}

struct consumer_kind *push_setup_kind(struct server *server) {
    struct push_kind_options options = {.gateway = &server->gateway,
                                        .coordinator = server->folder.coordinator,
                                        .ttl_ms = ttl_ms(server),
                                        .wake = delivery_wake_if_there,
                                        .context = server};
    return server->config.push ? push_kind_new(&options) : push_kind_new_off(server->folder.coordinator);
}

static int account_load(struct server *server, struct push_account *account) {
    const struct config *config = &server->config;
    struct push_account_files files = {.fcm_account_file = config->push_fcm_account_file,
                                       .fcm_url = config->push_fcm_url,
                                       .apns_key_file = config->push_apns_key_file,
                                       .apns_url = config->push_apns_url,
                                       .apns_key_id = config->push_apns_key_id,
                                       .apns_team_id = config->push_apns_team_id,
                                       .apns_topic = config->push_apns_topic};
    struct bytes reason;
    int rc = push_account_load(&files, &server->folder.arena, account, &reason);
    if (rc != STATUS_OK)
        log_error("nothing can be sent to devices: %.*s", BYTES_ARG(reason));
    return rc;
}

static int device_read(struct server *server, struct store_transaction *transaction, struct arena *arena,
                       const struct id_hash *user, struct bytes device_id) {
    struct id_hash hash = id_hash_make(server->folder.settings.hash_key, device_id);
    struct push_registration device;
    struct user_store store;
    int rc = user_store_open(&store, transaction, arena, &server->folder.master, user);
    return rc == STATUS_OK ? user_push_get(&store, &hash, &device) : rc;
}

static bool has_device(void *context, const struct id_hash *user, struct bytes device_id) {
    struct server *server = context;
    struct store_transaction *transaction;
    struct arena arena;
    if (store_begin_read(server->folder.store, &transaction) != STATUS_OK)
        return true;
    arena_init(&arena);
    int rc = device_read(server, transaction, &arena, user, device_id);
    arena_close(&arena);
    store_abort(transaction);
    return rc != STATUS_STORE_MISSING;
}

int push_setup_open(struct server *server) {
    struct push_options options = {.coordinator = server->folder.coordinator,
                                   .master = &server->folder.master,
                                   .contact = server->config.push_contact,
                                   .ca_file = server->config.push_ca_file,
                                   .may_be_private = server->config.push_allow_private,
                                   .ttl_ms = ttl_ms(server),
                                   .propose = core_loop_propose_own,
                                   .has_device = has_device,
                                   .context = server};
    if (!server->config.push)
        return STATUS_OK;
    int rc = account_load(server, &options.account);
    if (rc != STATUS_OK)
        return rc;
    server->gateway.pushes = push_start(&options);
    if (server->gateway.pushes == NULL) {
        log_error("nothing can be sent to devices: there is no room for the thread that does it");
        return STATUS_INTERNAL_ERROR;
    }
    server->gateway.push = push_serve;
    return STATUS_OK;
}

void push_setup_close(struct server *server) {
    if (server->gateway.pushes == NULL)
        return;
    push_stop(server->gateway.pushes);
    push_free(server->gateway.pushes);
    server->gateway.pushes = NULL;
}
