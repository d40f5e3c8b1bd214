#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "node/events/address_rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *refusal_of(const char *text) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_rules_refuse((const struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_rules_refuse((const struct sockaddr *)&in6);
}

/* The first and the last of each block, and their neighbours. */
static void addresses_that_are_not_everybodys_are_refused(void **state) {
    static const char *const refused[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
        "2002:c0a8:101::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++)
        if (refusal_of(refused[i]) == NULL)
            fail_msg("%s is let through", refused[i]);
}

static void everybodys_addresses_are_not(void **state) {
    static const char *const allowed[] = {
        "1.0.0.1",          "9.255.255.255", "11.0.0.0",      "100.63.255.255",  "100.128.0.0",     "126.255.255.255",
        "128.0.0.0",        "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",     "172.15.255.255",
        "172.32.0.0",       "192.0.1.0",     "192.0.3.0",     "192.167.255.255", "192.169.0.0",     "198.17.255.255",
        "198.20.0.0",       "198.51.99.255", "203.0.112.255", "203.0.114.0",     "223.255.255.255", "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8", "2001:200::1",   "2001:db7::1",   "2001:db9::1",     "2002:808:808::1", "2003::1",
        "2606:4700::1111",  "2a00::1",       "3ffe::1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(allowed); i++)
        if (refusal_of(allowed[i]) != NULL)
            fail_msg("%s is refused as %s", allowed[i], refusal_of(allowed[i]));
}

static void what_is_no_address_of_the_internet_is_refused(void **state) {
    const struct sockaddr local = {.sa_family = AF_UNIX};
    (void)state;
    assert_non_null(address_rules_refuse(&local));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_are_not_everybodys_are_refused),
        cmocka_unit_test(everybodys_addresses_are_not),
        cmocka_unit_test(what_is_no_address_of_the_internet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
