#include "proto/check.h"
#include "proto/problem.h"
#include "proto/trouter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t KEY[TROUTER_TICKET_KEY_BYTES] = {7};

static void open_ticket(struct arena *arena, struct bytes text) {
    struct trouter_ticket ticket;
    check(trouter_ticket_open(arena, KEY, "socket", text, 0, &ticket) == STATUS_UNAUTHORIZED);
}

/* Ids of any bytes come back as they were sealed. */
static void seal_and_open_ticket(struct arena *arena, struct bytes text) {
    struct trouter_ticket sealed = {.expires_ms = 1}, opened;
    size_t half = text.size / 2;
    if (text.size > 1000)
        return;
    sealed.user_id = bytes_of(text.data, half);
    sealed.endpoint_id = bytes_of(text.data + half, text.size - half);
    struct bytes ticket = trouter_ticket_seal(arena, KEY, "socket", &sealed);
    check(trouter_ticket_open(arena, KEY, "socket", ticket, 0, &opened) == 0);
    check(bytes_equal(opened.user_id, sealed.user_id) && bytes_equal(opened.endpoint_id, sealed.endpoint_id));
}

/* The first byte chooses what the rest is taken for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct trouter_packet packet;
    struct bytes registration_id;
    struct problem problem;
    if (size == 0)
        return 0;
    struct bytes text = bytes_of(data + 1, size - 1);
    arena_init(&arena);
    switch (data[0] % 4) {
    case 0:
        if (trouter_packet_parse(&arena, text, &packet) == 0)
            check(packet.type <= TROUTER_NOOP && packet.push_status >= 0);
        break;
    case 1:
        if (trouter_registration_parse(&arena, text, &registration_id, &problem) == 0)
            check(bytes_is_present(registration_id));
        break;
    case 2:
        open_ticket(&arena, text);
        break;
    default:
        seal_and_open_ticket(&arena, text);
        break;
    }
    arena_close(&arena);
    return 0;
}
