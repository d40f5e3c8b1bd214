#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <cmocka.h>

#include "node/public_address.h"

static void it_is_told_only_where_it_leads_to_the_node(void **state) {
    static const struct {
        const char *public_url;
        const char *listen;
        const char *peer_listen;
        const char *peer_address;
        const char *told;
    } nodes[] = {
        {"https://chat.example.org", "0.0.0.0", "10.0.0.1", "", "https://chat.example.org"},
        {"", "10.0.0.1", "10.0.0.1", "", "https://10.0.0.1:8444"},
        {"", "fd00::1", "fd00::1", "", "https://[fd00::1]:8444"},
        {"", "0.0.0.0", "10.0.0.1", "", ""},
        {"", "::", "10.0.0.1", "", ""},
        {"", "127.0.0.1", "127.0.0.1", "", "https://127.0.0.1:8444"},
        {"", "::1", "0.0.0.0", "[::1]:8600", "https://[::1]:8444"},
        {"", "127.0.0.1", "10.0.0.1", "", ""},
        {"", "localhost", "127.0.0.1", "weft-1.example.org:8600", ""},
    };
    char told[NODE_ADDRESS_BYTES_MAX + 1];
    struct config config;
    (void)state;
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        config_defaults(&config);
        snprintf(config.public_url, sizeof(config.public_url), "%s", nodes[i].public_url);
        snprintf(config.listen.host, sizeof(config.listen.host), "%s", nodes[i].listen);
        snprintf(config.peer_listen.host, sizeof(config.peer_listen.host), "%s", nodes[i].peer_listen);
        snprintf(config.peer_address, sizeof(config.peer_address), "%s", nodes[i].peer_address);
        public_address_make(&config, 8444, told);
        assert_string_equal(told, nodes[i].told);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_only_where_it_leads_to_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
