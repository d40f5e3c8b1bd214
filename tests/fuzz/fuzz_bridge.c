#include "node/bridges/bridge.h"
#include "proto/check.h"
#include "proto/ids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const struct bridge *a, const struct bridge *b) {
    bool is_same =
        bytes_equal(a->name, b->name) && a->identities_count == b->identities_count && a->created_ms == b->created_ms;
    for (size_t i = 0; is_same && i < a->identities_count; i++)
        is_same = bytes_equal(a->identities[i], b->identities[i]);
    return is_same;
}

/* What an operator may have said is stored, and read back as the same. */
static void said(struct bytes input, struct arena *arena) {
    struct bridge bridge, again;
    struct problem problem = {0};
    if (bridge_parse(input, arena, &bridge, &problem) != STATUS_OK) {
        check(problem.rc != STATUS_OK && problem.message.size > 0);
        return;
    }
    bridge.name = BYTES_LITERAL("fuzz");
    check(bridge_decode(json_text_take(arena, bridge_to_json(&bridge)), arena, &again) == STATUS_OK);
    check(is_same(&bridge, &again));
}

/* Whatever a record says, it is about users of Teams. */
static void asked(struct bytes input, struct arena *arena) {
    struct bridge bridge;
    if (bridge_decode(input, arena, &bridge) != STATUS_OK)
        return;
    for (size_t i = 0; i < bridge.identities_count; i++)
        check(!bridge_may_act_for(&bridge, bridge.identities[i]) || identifier_is_teams_user(bridge.identities[i]));
    check(!bridge_may_act_for(&bridge, input) || identifier_is_teams_user(input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena);
    said(bytes_of(data, size), &arena);
    asked(bytes_of(data, size), &arena);
    arena_close(&arena);
    return 0;
}
