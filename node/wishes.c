/* What operators wish at the admin interface, on its way from a worker to balancing and back; and that this node was to
 * be emptied and is. */
#include <stdlib.h>

#include "node/log.h"
#include "node/server_parts.h"
#include "proto/check.h"

struct wishing {
    struct balancing_wish item;
    struct server *server;
    struct gateway_wish *asked;
};

static void on_wish_delivered(void *receiver, struct parcel *parcel) {
    struct gateway_wish *asked = (struct gateway_wish *)parcel;
    asked->on_answer(gateway_worker_of(receiver), asked);
}

/* On the thread of balancing. */
static void on_wish_done(struct balancing_wish *item) {
    struct wishing *wishing = (struct wishing *)item;
    struct gateway_wish *asked = wishing->asked;
    asked->wish = item->wish;
    asked->rc = item->rc;
    asked->parcel.deliver = on_wish_delivered;
    if (worker_post(&wishing->server->workers[asked->worker], &asked->parcel) != STATUS_OK)
        gateway_wish_free(asked); /* its worker has stopped, and answered its client already */
    free(wishing);
}

static void on_compute(struct balancing_wish *item) {
    struct gateway_wish *asked = ((struct wishing *)item)->asked;
    asked->compute(asked);
}

int wishes_ask(void *context, struct gateway_wish *asked) {
    struct server *server = context;
    struct wishing *wishing = calloc(1, sizeof(*wishing));
    check(wishing != NULL);
    wishing->server = server;
    wishing->asked = asked;
    wishing->item.wish = asked->wish;
    wishing->item.compute = asked->compute == NULL ? NULL : on_compute;
    wishing->item.on_done = on_wish_done;
    int rc = balancing_wish(server->balancing, &wishing->item);
    if (rc != STATUS_OK)
        free(wishing);
    return rc;
}

static void on_emptied_delivered(void *receiver, struct parcel *parcel) {
    struct server *server = receiver;
    free(parcel);
    log_info("this node holds nothing any more, and leaves");
    data_folder_note_left(&server->config);
    shutdown_begin(server);
}

void wishes_on_emptied(void *context) {
    struct server *server = context;
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    check(parcel != NULL);
    parcel->deliver = on_emptied_delivered;
    if (mailbox_post(&server->mailbox, parcel) != STATUS_OK)
        free(parcel);
}
