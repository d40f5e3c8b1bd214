#include <locale.h>
#include <stdint.h>
#include <stdlib.h>

#include "node/ctl/health.h"
#include "node/ctl/moves.h"
#include "node/ctl/nodes.h"
#include "proto/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is drawn of an overview keeps to the width, and has nothing that a terminal would obey. */
static void draw(const struct overview *overview) {
    struct terminal terminal = {.is_terminal = true, .has_unicode = true, .width = 80};
    struct health health;
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    check(out != NULL);
    nodes_print(&terminal, overview, NODES_AT_WORK, out);
    moves_print(&terminal, overview, out);
    health_look(overview, &health);
    health_print(&terminal, overview, &health, "", out);
    check(fclose(out) == 0);
    for (size_t i = 0; i < text_bytes; i++)
        check((unsigned char)text[i] >= ' ' || text[i] == '\n');
    free(text);
}

/* Whatever a node answers becomes an overview or a complaint. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct admin admin;
    struct overview overview;
    json_error_t error;
    setlocale(LC_CTYPE, "C.UTF-8");
    json_t *root = json_loadb((const char *)data, size, 0, &error);
    if (overview_take(&admin, root, &overview) == 0) {
        draw(&overview);
        for (size_t i = 0; i < overview.nodes_count; i++)
            overview_find(&admin, &overview, overview.nodes[i].name);
        overview_find(&admin, &overview, "node-1");
    }
    overview_close(&overview);
    return 0;
}
