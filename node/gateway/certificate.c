#include "node/gateway/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "proto/buffer.h"
#include "proto/check.h"
#include "proto/status.h"

#define DAY_S 86400
#define CA_DAYS 3650
#define LEAF_DAYS 397 /* the longest that browsers accept */
#define RENEW_DAYS 30
#define BACKDATED_S 3600 /* clients' clocks may be a little slow */
#define HOST_NAME_MAX_BYTES 256

struct maker {
    const struct certificate_options *options;
    struct certificate_files *files;
    char ca_key[CERTIFICATE_PATH_MAX];
    char *names; /* as an extension value: "DNS:localhost,IP:127.0.0.1,…" */
    char *error;
    size_t error_size;
};

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

static void identity_close(struct identity *identity) {
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    *identity = (struct identity){NULL, NULL};
}

static int fail(struct maker *maker, const char *what, const char *file, const char *why) {
    snprintf(maker->error, maker->error_size, "cannot %s %s: %s", what, file, why);
    ERR_clear_error();
    return STATUS_INTERNAL_ERROR;
}

/* ---- Names ---- */

static bool is_address(const char *name) {
    unsigned char parsed[16];
    return uv_inet_pton(AF_INET, name, parsed) == 0 || uv_inet_pton(AF_INET6, name, parsed) == 0;
}

static bool is_name(const char *name) {
    size_t size = strlen(name);
    if (size == 0 || size > 253)
        return false;
    return is_address(name) ||
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*") == size;
}

static bool has_entry(const struct buffer *names, const char *entry) {
    struct bytes text = buffer_bytes(names);
    size_t size = strlen(entry);
    for (size_t at = 0; at + size <= text.size; at++) {
        bool starts = at == 0 || text.data[at - 1] == ',';
        bool ends = at + size == text.size || text.data[at + size] == ',';
        if (starts && ends && memcmp(text.data + at, entry, size) == 0)
            return true;
    }
    return false;
}

static void add_name(struct buffer *names, const char *name) {
    char entry[260];
    snprintf(entry, sizeof(entry), "%s:%s", is_address(name) ? "IP" : "DNS", name);
    if (has_entry(names, entry))
        return;
    buffer_append_text(names, names->size == 0 ? "" : ",");
    buffer_append_text(names, entry);
}

static int gather_names(struct maker *maker) {
    char host[HOST_NAME_MAX_BYTES] = "";
    struct buffer names;
    buffer_init(&names);
    add_name(&names, "localhost");
    add_name(&names, "127.0.0.1");
    add_name(&names, "::1");
    if (gethostname(host, sizeof(host) - 1) == 0 && is_name(host))
        add_name(&names, host);
    for (size_t i = 0; i < maker->options->names_count; i++) {
        if (!is_name(maker->options->names[i])) {
            buffer_close(&names);
            return fail(maker, "make a certificate for", maker->options->names[i],
                        "it is neither a host name nor an address");
        }
        add_name(&names, maker->options->names[i]);
    }
    buffer_append(&names, "", 1);
    size_t size;
    maker->names = (char *)buffer_take(&names, &size);
    return 0;
}

/* ---- Making ---- */

static int set_serial(X509 *certificate) {
    uint8_t bytes[16];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return -1;
    bytes[0] &= 0x7F; /* a serial number is positive */
    bytes[0] |= 0x40;
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool is_set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set ? 0 : -1;
}

static int set_validity(X509 *certificate, int64_t now_s, int days) {
    bool is_set = ASN1_TIME_set(X509_getm_notBefore(certificate), now_s - BACKDATED_S) != NULL &&
                  ASN1_TIME_set(X509_getm_notAfter(certificate), now_s + (int64_t)days * DAY_S) != NULL;
    return is_set ? 0 : -1;
}

static int set_subject(X509 *certificate, const char *common_name) {
    X509_NAME *name = X509_get_subject_name(certificate);
    bool is_set = X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)"Weft", -1, -1, 0) == 1 &&
                  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) == 1;
    return is_set ? 0 : -1;
}

static int add_extension(X509 *certificate, X509 *issuer, int id, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added ? 0 : -1;
}

static int add_ca_extensions(X509 *certificate) {
    if (add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") != 0 ||
        add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") != 0 ||
        add_extension(certificate, certificate, NID_subject_key_identifier, "hash") != 0)
        return -1;
    return add_extension(certificate, certificate, NID_authority_key_identifier, "keyid:always");
}

static int add_leaf_extensions(X509 *certificate, X509 *issuer, const char *names) {
    if (add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") != 0 ||
        add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") != 0 ||
        add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth") != 0 ||
        add_extension(certificate, issuer, NID_subject_key_identifier, "hash") != 0 ||
        add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") != 0)
        return -1;
    return add_extension(certificate, issuer, NID_subject_alt_name, names);
}

/* `issuer` NULL: a certificate authority that signs itself. */
static int make_certificate(const struct maker *maker, const struct identity *issuer, struct identity *out) {
    struct identity made = {.certificate = X509_new(), .key = EVP_EC_gen("P-256")};
    const struct identity *signer = issuer == NULL ? &made : issuer;
    int64_t now_s = maker->options->now_s;
    if (made.certificate == NULL || made.key == NULL || X509_set_version(made.certificate, X509_VERSION_3) != 1 ||
        set_serial(made.certificate) != 0 ||
        set_validity(made.certificate, now_s, issuer == NULL ? CA_DAYS : LEAF_DAYS) != 0 ||
        X509_set_pubkey(made.certificate, made.key) != 1 ||
        set_subject(made.certificate, issuer == NULL ? "Weft certificate authority" : "Weft node") != 0 ||
        X509_set_issuer_name(made.certificate, X509_get_subject_name(signer->certificate)) != 1)
        goto fail;
    int rc = issuer == NULL ? add_ca_extensions(made.certificate)
                            : add_leaf_extensions(made.certificate, issuer->certificate, maker->names);
    if (rc != 0 || X509_sign(made.certificate, signer->key, EVP_sha256()) == 0)
        goto fail;
    *out = made;
    return 0;
fail:
    identity_close(&made);
    return -1;
}

/* ---- Files ---- */

static int read_identity(const char *certificate_file, const char *key_file, struct identity *out) {
    struct identity read = {NULL, NULL};
    FILE *file = fopen(certificate_file, "re");
    if (file != NULL) {
        read.certificate = PEM_read_X509(file, NULL, NULL, NULL);
        fclose(file);
    }
    file = fopen(key_file, "re");
    if (file != NULL) {
        read.key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        fclose(file);
    }
    if (read.certificate == NULL || read.key == NULL || X509_check_private_key(read.certificate, read.key) != 1) {
        identity_close(&read);
        ERR_clear_error();
        return -1;
    }
    *out = read;
    return 0;
}

/* Written beside and renamed, so that a crash leaves the old file or the new one. */
static int write_pem(struct maker *maker, const char *path, mode_t mode, const struct identity *identity, bool is_key) {
    char temporary[CERTIFICATE_PATH_MAX + 8];
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        int rc = fail(maker, "write", temporary, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    int written = is_key ? PEM_write_PKCS8PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL)
                         : PEM_write_X509(file, identity->certificate);
    bool is_safe = written == 1 && fflush(file) == 0 && fsync(fd) == 0;
    bool is_closed = fclose(file) == 0;
    if (!is_safe || !is_closed || rename(temporary, path) != 0)
        return fail(maker, "write", path, strerror(errno));
    return 0;
}

static int write_identity(struct maker *maker, const char *certificate_file, const char *key_file,
                          const struct identity *identity) {
    int rc = write_pem(maker, key_file, 0600, identity, true);
    return rc != 0 ? rc : write_pem(maker, certificate_file, 0644, identity, false);
}

/* ---- Deciding ---- */

static bool expires_within(const X509 *certificate, int64_t now_s, int days) {
    time_t limit = now_s + (int64_t)days * DAY_S;
    return X509_cmp_time(X509_get0_notAfter(certificate), &limit) <= 0;
}

static char *names_of(X509 *certificate) {
    X509_EXTENSION *extension = X509_get_ext(certificate, X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1));
    if (extension == NULL)
        return NULL;
    unsigned char *encoded = NULL;
    int size = i2d_ASN1_OCTET_STRING(X509_EXTENSION_get_data(extension), &encoded);
    if (size <= 0)
        return NULL;
    char *text = OPENSSL_buf2hexstr(encoded, size);
    OPENSSL_free(encoded);
    return text;
}

/* Compared as the extensions that they become, because text has many forms of one address. */
static bool has_wanted_names(struct maker *maker, X509 *certificate) {
    X509 *wanted = X509_new();
    check(wanted != NULL);
    char *wanted_names = NULL;
    if (add_extension(wanted, wanted, NID_subject_alt_name, maker->names) == 0)
        wanted_names = names_of(wanted);
    char *names = names_of(certificate);
    bool is_equal = wanted_names != NULL && names != NULL && strcmp(wanted_names, names) == 0;
    OPENSSL_free(names);
    OPENSSL_free(wanted_names);
    X509_free(wanted);
    return is_equal;
}

static int prepare_ca(struct maker *maker, struct identity *ca) {
    if (read_identity(maker->files->ca, maker->ca_key, ca) == 0) {
        if (!expires_within(ca->certificate, maker->options->now_s, RENEW_DAYS))
            return 0;
        identity_close(ca);
    } else if (access(maker->files->ca, F_OK) == 0) {
        /* Clients trust this one; making another in its place would lock them all out without a word. */
        return fail(maker, "use", maker->files->ca, "it cannot be read, or ca-key.pem does not belong to it");
    }
    if (make_certificate(maker, NULL, ca) != 0)
        return fail(maker, "make", maker->files->ca, "openssl failed");
    return write_identity(maker, maker->files->ca, maker->ca_key, ca);
}

static int prepare_leaf(struct maker *maker, const struct identity *ca) {
    struct identity leaf;
    if (read_identity(maker->files->certificate, maker->files->key, &leaf) == 0) {
        bool is_good = X509_verify(leaf.certificate, ca->key) == 1 &&
                       !expires_within(leaf.certificate, maker->options->now_s, RENEW_DAYS) &&
                       has_wanted_names(maker, leaf.certificate);
        ERR_clear_error();
        identity_close(&leaf);
        if (is_good)
            return 0;
    }
    if (make_certificate(maker, ca, &leaf) != 0)
        return fail(maker, "make", maker->files->certificate, "openssl failed");
    int rc = write_identity(maker, maker->files->certificate, maker->files->key, &leaf);
    identity_close(&leaf);
    return rc;
}

static int set_path(struct maker *maker, char path[CERTIFICATE_PATH_MAX], const char *folder, const char *file) {
    int size = snprintf(path, CERTIFICATE_PATH_MAX, "%s%s%s", folder, file[0] == '\0' ? "" : "/", file);
    return size < CERTIFICATE_PATH_MAX ? 0 : fail(maker, "use", folder, "the path is too long");
}

static int use_given(struct maker *maker) {
    const struct certificate_options *options = maker->options;
    if (options->certificate_file == NULL)
        return fail(maker, "use", options->key_file, "its certificate is not given");
    if (options->key_file == NULL)
        return fail(maker, "use", options->certificate_file, "its key is not given");
    maker->files->ca[0] = '\0';
    int rc = set_path(maker, maker->files->certificate, options->certificate_file, "");
    if (rc == 0)
        rc = set_path(maker, maker->files->key, options->key_file, "");
    return rc;
}

static int make_all(struct maker *maker) {
    const char *folder = maker->options->folder;
    int rc = set_path(maker, maker->files->ca, folder, "ca.pem");
    if (rc == 0)
        rc = set_path(maker, maker->ca_key, folder, "ca-key.pem");
    if (rc == 0)
        rc = set_path(maker, maker->files->certificate, folder, "cert.pem");
    if (rc == 0)
        rc = set_path(maker, maker->files->key, folder, "key.pem");
    if (rc == 0 && mkdir(folder, 0700) != 0 && errno != EEXIST)
        rc = fail(maker, "make the folder", folder, strerror(errno));
    if (rc == 0)
        rc = gather_names(maker);
    if (rc != 0)
        return rc;
    struct identity ca = {NULL, NULL};
    rc = prepare_ca(maker, &ca);
    if (rc == 0)
        rc = prepare_leaf(maker, &ca);
    identity_close(&ca);
    free(maker->names);
    return rc;
}

int certificate_prepare(const struct certificate_options *options, struct certificate_files *files, char *error,
                        size_t error_size) {
    struct maker maker = {.options = options, .files = files, .error = error, .error_size = error_size};
    if (options->certificate_file != NULL || options->key_file != NULL)
        return use_given(&maker);
    return make_all(&maker);
}
