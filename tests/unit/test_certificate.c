#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/gateway/certificate.h"
#include "node/gateway/tls.h"
#include "proto/status.h"

#define NOW_S 1767323045 /* 2026-01-02 */
#define DAY_S 86400

struct scene {
    char root[64];
    char folder[96];
    struct certificate_files files;
    char error[512];
};

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    strcpy(scene->root, "/tmp/weft-certificate-XXXXXX");
    assert_non_null(mkdtemp(scene->root));
    snprintf(scene->folder, sizeof(scene->folder), "%s/tls", scene->root);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    const char *const names[] = {"ca.pem", "ca-key.pem", "cert.pem", "key.pem"};
    char path[160];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", scene->folder, names[i]);
        unlink(path);
    }
    rmdir(scene->folder);
    rmdir(scene->root);
    free(scene);
    return 0;
}

static int prepare(struct scene *scene, const char *name, int64_t now_s) {
    const struct certificate_options options = {
        .folder = scene->folder, .names = &name, .names_count = name == NULL ? 0 : 1, .now_s = now_s};
    return certificate_prepare(&options, &scene->files, scene->error, sizeof(scene->error));
}

static X509 *read_certificate(const char *path) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(certificate);
    return certificate;
}

/* The serial number tells one certificate from another. */
static void serial_of(const char *path, char out[64]) {
    X509 *certificate = read_certificate(path);
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = BN_bn2hex(number);
    snprintf(out, 64, "%s", text);
    OPENSSL_free(text);
    BN_free(number);
    X509_free(certificate);
}

static void first_start_makes_authority_and_certificate(void **state) {
    struct scene *scene = *state;
    assert_int_equal(prepare(scene, "chat.example.org", NOW_S), 0);
    X509 *ca = read_certificate(scene->files.ca);
    X509 *leaf = read_certificate(scene->files.certificate);
    assert_int_equal(X509_check_ca(ca), 1);
    assert_int_equal(X509_check_ca(leaf), 0);
    assert_int_equal(X509_verify(leaf, X509_get0_pubkey(ca)), 1);
    assert_int_equal(X509_check_issued(ca, leaf), X509_V_OK);
    assert_int_equal(X509_check_host(leaf, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "chat.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "other.example.org", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 1);
    assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
    assert_non_null(X509_get0_subject_key_id(ca));
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf), X509_get0_subject_key_id(ca)), 0);
    X509_free(ca);
    X509_free(leaf);
}

static void keys_are_readable_by_their_owner_only(void **state) {
    struct scene *scene = *state;
    char path[160];
    struct stat status;
    assert_int_equal(prepare(scene, NULL, NOW_S), 0);
    assert_int_equal(stat(scene->files.key, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    snprintf(path, sizeof(path), "%s/ca-key.pem", scene->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_certificate_is_kept_while_it_is_good(void **state) {
    const struct {
        const char *name;
        int64_t after_s;
        bool is_kept;
    } rows[] = {
        {"chat.example.org", 0, true},
        {"chat.example.org", 300LL * DAY_S, true},
        {"chat.example.org", 368LL * DAY_S, false}, /* fewer than 30 days are left */
        {"new.example.org", 0, false},
        {NULL, 0, false},
        {"192.0.2.7", 0, false},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char ca_before[64], ca_after[64], before[64], after[64];
        assert_int_equal(prepare(scene, "other.example.org", NOW_S), 0);
        assert_int_equal(prepare(scene, "chat.example.org", NOW_S), 0);
        serial_of(scene->files.ca, ca_before);
        serial_of(scene->files.certificate, before);
        assert_int_equal(prepare(scene, rows[i].name, NOW_S + rows[i].after_s), 0);
        serial_of(scene->files.ca, ca_after);
        serial_of(scene->files.certificate, after);
        assert_string_equal(ca_before, ca_after);
        assert_int_equal(strcmp(before, after) == 0, rows[i].is_kept);
    }
}

static void a_lost_key_gives_a_new_certificate_and_the_authority_stays(void **state) {
    struct scene *scene = *state;
    char before[64], after[64];
    assert_int_equal(prepare(scene, NULL, NOW_S), 0);
    serial_of(scene->files.ca, before);
    assert_int_equal(truncate(scene->files.key, 0), 0);
    assert_int_equal(prepare(scene, NULL, NOW_S), 0);
    serial_of(scene->files.ca, after);
    assert_string_equal(before, after);
}

static void a_broken_authority_is_named_and_not_replaced(void **state) {
    struct scene *scene = *state;
    assert_int_equal(prepare(scene, NULL, NOW_S), 0);
    assert_int_equal(truncate(scene->files.ca, 10), 0);
    assert_int_equal(prepare(scene, NULL, NOW_S), STATUS_INTERNAL_ERROR);
    assert_non_null(strstr(scene->error, scene->files.ca));
}

static void a_name_that_is_none_is_refused_by_name(void **state) {
    struct scene *scene = *state;
    const char *const rows[] = {"", "a b", "x,DNS:evil.example.org", "https://chat.example.org", "a\nb"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(prepare(scene, rows[i], NOW_S), STATUS_INTERNAL_ERROR);
        assert_non_null(strstr(scene->error, rows[i]));
    }
}

static void a_folder_that_cannot_be_made_is_named(void **state) {
    struct scene *scene = *state;
    snprintf(scene->folder, sizeof(scene->folder), "%s/missing/tls", scene->root);
    assert_int_equal(prepare(scene, NULL, NOW_S), STATUS_INTERNAL_ERROR);
    assert_non_null(strstr(scene->error, scene->folder));
}

static void given_files_are_used_as_they_are(void **state) {
    struct scene *scene = *state;
    struct certificate_options options = {
        .folder = scene->folder, .certificate_file = "/given/cert.pem", .key_file = "/given/key.pem", .now_s = NOW_S};
    assert_int_equal(certificate_prepare(&options, &scene->files, scene->error, sizeof(scene->error)), 0);
    assert_string_equal(scene->files.certificate, "/given/cert.pem");
    assert_string_equal(scene->files.key, "/given/key.pem");
    assert_string_equal(scene->files.ca, "");
    assert_int_equal(access(scene->folder, F_OK), -1);
    options.key_file = NULL;
    assert_int_equal(certificate_prepare(&options, &scene->files, scene->error, sizeof(scene->error)),
                     STATUS_INTERNAL_ERROR);
}

static void a_tls_context_takes_what_was_made(void **state) {
    struct scene *scene = *state;
    SSL_CTX *context;
    assert_int_equal(prepare(scene, NULL, NOW_S), 0);
    assert_int_equal(
        tls_context_new(scene->files.certificate, scene->files.key, &context, scene->error, sizeof(scene->error)), 0);
    assert_int_equal(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
    SSL_CTX_free(context);
}

static void tls_files_that_do_not_fit_are_named(void **state) {
    struct scene *scene = *state;
    SSL_CTX *context;
    assert_int_equal(prepare(scene, NULL, NOW_S), 0);
    char ca_key[160];
    snprintf(ca_key, sizeof(ca_key), "%s/ca-key.pem", scene->folder);
    const struct {
        const char *certificate;
        const char *key;
        const char *named;
    } rows[] = {
        {"/no/such/cert.pem", scene->files.key, "/no/such/cert.pem"},
        {scene->files.certificate, "/no/such/key.pem", "/no/such/key.pem"},
        {scene->files.certificate, ca_key, ca_key},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            tls_context_new(rows[i].certificate, rows[i].key, &context, scene->error, sizeof(scene->error)),
            STATUS_INTERNAL_ERROR);
        assert_non_null(strstr(scene->error, rows[i].named));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(first_start_makes_authority_and_certificate),
        TEST(keys_are_readable_by_their_owner_only),
        TEST(a_certificate_is_kept_while_it_is_good),
        TEST(a_lost_key_gives_a_new_certificate_and_the_authority_stays),
        TEST(a_broken_authority_is_named_and_not_replaced),
        TEST(a_name_that_is_none_is_refused_by_name),
        TEST(a_folder_that_cannot_be_made_is_named),
        TEST(given_files_are_used_as_they_are),
        TEST(a_tls_context_takes_what_was_made),
        TEST(tls_files_that_do_not_fit_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
