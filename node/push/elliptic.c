#include "node/push/elliptic.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <sodium.h>

#include "proto/check.h"

#define CURVE "prime256v1"
#define DER_SIGNATURE_BYTES_MAX 80

static EVP_PKEY *key_load(OSSL_PARAM_BLD *parts, int selection) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY *loaded = NULL;
    check(context != NULL && parameters != NULL && EVP_PKEY_fromdata_init(context) == 1);
    if (EVP_PKEY_fromdata(context, &loaded, selection, parameters) != 1)
        loaded = NULL;
    OSSL_PARAM_free(parameters);
    EVP_PKEY_CTX_free(context);
    return loaded;
}

static OSSL_PARAM_BLD *parts_new(struct bytes point) {
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    check(parts != NULL);
    check(OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) == 1);
    check(OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.size) == 1);
    return parts;
}

/* NULL: not on the curve. */
static EVP_PKEY *public_load(struct bytes point) {
    if (point.size != PUSH_PUBLIC_KEY_BYTES || point.data[0] != POINT_CONVERSION_UNCOMPRESSED)
        return NULL;
    OSSL_PARAM_BLD *parts = parts_new(point);
    EVP_PKEY *loaded = key_load(parts, EVP_PKEY_PUBLIC_KEY);
    OSSL_PARAM_BLD_free(parts);
    return loaded;
}

static EVP_PKEY *pair_load(const struct elliptic_key *key) {
    OSSL_PARAM_BLD *parts = parts_new(bytes_of(key->point, sizeof(key->point)));
    BIGNUM *secret = BN_bin2bn(key->secret, sizeof(key->secret), NULL);
    check(secret != NULL);
    BN_set_flags(secret, BN_FLG_CONSTTIME);
    check(OSSL_PARAM_BLD_push_BN_pad(parts, OSSL_PKEY_PARAM_PRIV_KEY, secret, ELLIPTIC_SECRET_BYTES) == 1);
    EVP_PKEY *loaded = key_load(parts, EVP_PKEY_KEYPAIR);
    check(loaded != NULL);
    OSSL_PARAM_BLD_free(parts);
    BN_clear_free(secret);
    return loaded;
}

/* ---- making ---- */

bool elliptic_from_secret(const uint8_t secret[ELLIPTIC_SECRET_BYTES], struct elliptic_key *key) {
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *number = BN_bin2bn(secret, ELLIPTIC_SECRET_BYTES, NULL);
    EC_POINT *point = group == NULL ? NULL : EC_POINT_new(group);
    check(point != NULL && number != NULL);
    bool is_valid = !BN_is_zero(number) && BN_cmp(number, EC_GROUP_get0_order(group)) < 0;
    if (is_valid) {
        memcpy(key->secret, secret, ELLIPTIC_SECRET_BYTES);
        check(EC_POINT_mul(group, point, number, NULL, NULL, NULL) == 1);
        check(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, key->point, sizeof(key->point), NULL) ==
              sizeof(key->point));
    }
    EC_POINT_free(point);
    BN_clear_free(number);
    EC_GROUP_free(group);
    return is_valid;
}

void elliptic_make(struct elliptic_key *key) {
    uint8_t secret[ELLIPTIC_SECRET_BYTES];
    do {
        randombytes_buf(secret, sizeof(secret));
    } while (!elliptic_from_secret(secret, key));
    sodium_memzero(secret, sizeof(secret));
}

static bool secret_of(const EVP_PKEY *loaded, uint8_t secret[ELLIPTIC_SECRET_BYTES]) {
    char group[64];
    size_t size;
    BIGNUM *number = NULL;
    bool is_found = EVP_PKEY_is_a(loaded, "EC") == 1 &&
                    EVP_PKEY_get_group_name(loaded, group, sizeof(group), &size) == 1 && strcmp(group, CURVE) == 0 &&
                    EVP_PKEY_get_bn_param(loaded, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1 &&
                    BN_bn2binpad(number, secret, ELLIPTIC_SECRET_BYTES) == ELLIPTIC_SECRET_BYTES;
    BN_clear_free(number);
    return is_found;
}

bool elliptic_from_pem(struct bytes pem, struct elliptic_key *key) {
    uint8_t secret[ELLIPTIC_SECRET_BYTES];
    BIO *source = BIO_new_mem_buf(pem.data, (int)pem.size);
    check(source != NULL);
    EVP_PKEY *loaded = PEM_read_bio_PrivateKey(source, NULL, NULL, NULL);
    BIO_free(source);
    bool is_taken = loaded != NULL && secret_of(loaded, secret) && elliptic_from_secret(secret, key);
    EVP_PKEY_free(loaded);
    sodium_memzero(secret, sizeof(secret));
    return is_taken;
}

bool elliptic_point_is_valid(struct bytes point) {
    EVP_PKEY *loaded = public_load(point);
    EVP_PKEY_free(loaded);
    return loaded != NULL;
}

/* ---- using ---- */

bool elliptic_agree(const struct elliptic_key *key, struct bytes point, uint8_t shared[ELLIPTIC_SECRET_BYTES]) {
    EVP_PKEY *theirs = public_load(point);
    size_t size = ELLIPTIC_SECRET_BYTES;
    if (theirs == NULL)
        return false;
    EVP_PKEY *ours = pair_load(key);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(ours, NULL);
    check(context != NULL && EVP_PKEY_derive_init(context) == 1);
    bool is_agreed = EVP_PKEY_derive_set_peer(context, theirs) == 1 && EVP_PKEY_derive(context, shared, &size) == 1 &&
                     size == ELLIPTIC_SECRET_BYTES;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    return is_agreed;
}

/* DER: two numbers without leading zeros. */
static void raw_of(const uint8_t *der, size_t size, uint8_t signature[ELLIPTIC_SIGNATURE_BYTES]) {
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &der, (long)size);
    check(parsed != NULL);
    check(BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, ELLIPTIC_SECRET_BYTES) == ELLIPTIC_SECRET_BYTES);
    check(BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + ELLIPTIC_SECRET_BYTES, ELLIPTIC_SECRET_BYTES) ==
          ELLIPTIC_SECRET_BYTES);
    ECDSA_SIG_free(parsed);
}

void elliptic_sign(const struct elliptic_key *key, struct bytes message, uint8_t signature[ELLIPTIC_SIGNATURE_BYTES]) {
    uint8_t der[DER_SIGNATURE_BYTES_MAX];
    size_t size = sizeof(der);
    EVP_PKEY *loaded = pair_load(key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check(context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, loaded) == 1);
    check(EVP_DigestSign(context, der, &size, message.data, message.size) == 1);
    raw_of(der, size, signature);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(loaded);
}
