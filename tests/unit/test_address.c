#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/address.h"

static void addresses_are_taken_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_tls;
        const char *host, *port, *authority, *origin;
    } rows[] = {
        {"https://chat.example.org", true, "chat.example.org", "443", "chat.example.org", "https://chat.example.org"},
        {"https://chat.example.org/", true, "chat.example.org", "443", "chat.example.org", "https://chat.example.org"},
        {"https://chat.example.org:443", true, "chat.example.org", "443", "chat.example.org",
         "https://chat.example.org"},
        {"https://127.0.0.1:8443", true, "127.0.0.1", "8443", "127.0.0.1:8443", "https://127.0.0.1:8443"},
        {"http://localhost:80/", false, "localhost", "80", "localhost", "http://localhost"},
        {"http://localhost:443", false, "localhost", "443", "localhost:443", "http://localhost:443"},
        {"https://[::1]:8443/", true, "::1", "8443", "[::1]:8443", "https://[::1]:8443"},
        {"http://[::1]", false, "::1", "80", "[::1]", "http://[::1]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address address;
        const char *reason;
        assert_true(address_parse(bytes_of_text(rows[i].text), &address, &reason));
        assert_int_equal(address.is_tls, rows[i].is_tls);
        assert_string_equal(address.host, rows[i].host);
        assert_string_equal(address.port, rows[i].port);
        assert_string_equal(address.authority, rows[i].authority);
        assert_string_equal(address.origin, rows[i].origin);
    }
}

static void what_is_no_address_is_refused_with_a_reason(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",           "localhost",  "ftp://x",        "https://",    "https:///",     "https://:8443",
        "http://x:",  "http://x:0", "http://x:65536", "http://x:-1", "http://x:8a",   "http://x:123456",
        "http://x/y", "http://x?y", "http://u@x",     "http://[::1", "http://[::1]8", "http://[]:1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct address address;
        const char *reason = NULL;
        assert_false(address_parse(bytes_of_text(texts[i]), &address, &reason));
        assert_non_null(reason);
    }
}

static void a_host_that_is_too_long_is_refused(void **state) {
    (void)state;
    char text[400] = "http://";
    memset(text + 7, 'a', 300);
    struct address address;
    const char *reason;
    assert_false(address_parse(bytes_of_text(text), &address, &reason));
}

static void an_ip_address_resolves_to_itself(void **state) {
    (void)state;
    struct address address;
    const char *reason;
    assert_true(address_parse(BYTES_LITERAL("http://127.0.0.1:8080"), &address, &reason));
    assert_null(address_resolve(&address));
    const struct sockaddr_in *socket = (const struct sockaddr_in *)&address.socket;
    assert_int_equal(socket->sin_family, AF_INET);
    assert_int_equal(ntohs(socket->sin_port), 8080);
    assert_int_equal(ntohl(socket->sin_addr.s_addr), INADDR_LOOPBACK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused_with_a_reason),
        cmocka_unit_test(a_host_that_is_too_long_is_refused),
        cmocka_unit_test(an_ip_address_resolves_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
