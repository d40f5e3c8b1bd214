/* What the server gives to bridges. */
#include "node/bridges/bridge_table.h"
#include "node/log.h"
#include "node/server_parts.h"

static int bridge_check(void *context, struct bytes bridge, struct bytes user_id) {
    struct server *server = context;
    return bridge_table_check(server->gateway.bridges, bridge, user_id);
}

int bridges_open(struct server *server) {
    server->gateway.bridges = bridge_table_new(server->folder.coordinator);
    server->gateway.bridge_check = bridge_check;
    if (server->gateway.bridges != NULL)
        return STATUS_OK;
    log_error("it is not known who may act for users of Teams: the coordinator cannot be watched");
    return STATUS_SERVICE_UNAVAILABLE;
}

void bridges_free(struct server *server) {
    if (server->gateway.bridges != NULL)
        bridge_table_free(server->gateway.bridges);
    server->gateway.bridges = NULL;
}
