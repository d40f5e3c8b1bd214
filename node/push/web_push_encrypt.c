#include "node/push/web_push_encrypt.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <sodium.h>

#include "proto/buffer.h"
#include "proto/check.h"

#define KEY_BYTES 16
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define HASH_BYTES 32
#define LAST_RECORD 2 /* RFC 8188, section 2: the delimiter of the last record */

static void hkdf(struct bytes salt, struct bytes key, struct bytes info, uint8_t *out, size_t size) {
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    check(context != NULL);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.data, salt.size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key.data, key.size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.data, info.size),
        OSSL_PARAM_construct_end()};
    check(EVP_KDF_derive(context, out, size, parameters) == 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

/* RFC 8291, section 3.4. */
static bool secret_make(const struct push_registration *browser, const struct elliptic_key *ours,
                        uint8_t secret[HASH_BYTES]) {
    uint8_t shared[ELLIPTIC_SECRET_BYTES];
    struct buffer info;
    if (!elliptic_agree(ours, browser->public_key, shared))
        return false;
    buffer_init(&info);
    buffer_append(&info, "WebPush: info", sizeof("WebPush: info")); /* with the NUL */
    buffer_append_bytes(&info, browser->public_key);
    buffer_append(&info, ours->point, sizeof(ours->point));
    hkdf(browser->auth, bytes_of(shared, sizeof(shared)), buffer_bytes(&info), secret, HASH_BYTES);
    buffer_close(&info);
    sodium_memzero(shared, sizeof(shared));
    return true;
}

static void header_write(const struct elliptic_key *ours, const uint8_t *salt, struct buffer *body) {
    static const uint8_t record_bytes[4] = {0, 0, WEB_PUSH_RECORD_BYTES >> 8, WEB_PUSH_RECORD_BYTES & 0xff};
    uint8_t id_bytes = PUSH_PUBLIC_KEY_BYTES;
    buffer_append(body, salt, WEB_PUSH_SALT_BYTES);
    buffer_append(body, record_bytes, sizeof(record_bytes));
    buffer_append(body, &id_bytes, 1);
    buffer_append(body, ours->point, sizeof(ours->point));
}

/* The one and last record. */
static void record_write(const uint8_t key[KEY_BYTES], const uint8_t nonce[NONCE_BYTES], struct bytes plain,
                         struct buffer *body) {
    static const uint8_t delimiter = LAST_RECORD;
    uint8_t *out = buffer_reserve(body, plain.size + 1 + TAG_BYTES);
    int size = 0, more = 0, last = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    check(context != NULL && EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, key, nonce) == 1);
    check(EVP_EncryptUpdate(context, out, &size, plain.data, (int)plain.size) == 1);
    check(EVP_EncryptUpdate(context, out + size, &more, &delimiter, 1) == 1);
    check(EVP_EncryptFinal_ex(context, out + size + more, &last) == 1);
    size += more + last;
    check(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + size) == 1);
    buffer_added(body, (size_t)size + TAG_BYTES);
    EVP_CIPHER_CTX_free(context);
}

struct bytes web_push_encrypt(const struct push_registration *browser, const struct elliptic_key *ours,
                              const uint8_t salt[WEB_PUSH_SALT_BYTES], struct bytes plain, struct arena *arena) {
    uint8_t secret[HASH_BYTES], key[KEY_BYTES], nonce[NONCE_BYTES];
    struct buffer body;
    check(plain.size <= WEB_PUSH_PLAIN_BYTES_MAX);
    if (!secret_make(browser, ours, secret))
        return BYTES_ABSENT;
    struct bytes salted = bytes_of(salt, WEB_PUSH_SALT_BYTES), of = bytes_of(secret, sizeof(secret));
    hkdf(salted, of, bytes_of("Content-Encoding: aes128gcm", sizeof("Content-Encoding: aes128gcm")), key, sizeof(key));
    hkdf(salted, of, bytes_of("Content-Encoding: nonce", sizeof("Content-Encoding: nonce")), nonce, sizeof(nonce));
    buffer_init(&body);
    header_write(ours, salt, &body);
    record_write(key, nonce, plain, &body);
    struct bytes copy = arena_copy(arena, buffer_bytes(&body));
    buffer_close(&body);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(key, sizeof(key));
    return copy;
}
