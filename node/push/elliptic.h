#pragma once
/* Keys of P-256 as raw bytes, and what Web Push, VAPID and APNs do with them, by OpenSSL. Pure but for elliptic_make.
 */
#include "proto/arena.h"
#include "proto/push_registration.h"

#define ELLIPTIC_SECRET_BYTES 32
#define ELLIPTIC_SIGNATURE_BYTES 64 /* r | s, as in JWT */

struct elliptic_key {
    uint8_t secret[ELLIPTIC_SECRET_BYTES];
    uint8_t point[PUSH_PUBLIC_KEY_BYTES]; /* uncompressed */
};

/* Of chance. */
void elliptic_make(struct elliptic_key *key);
/* False: no secret of the curve. */
bool elliptic_from_secret(const uint8_t secret[ELLIPTIC_SECRET_BYTES], struct elliptic_key *key);
/* The private key of a PEM text (PKCS #8 or SEC 1). False: not one of P-256. */
bool elliptic_from_pem(struct bytes pem, struct elliptic_key *key);

/* Whether it is on the curve. */
bool elliptic_point_is_valid(struct bytes point);

/* Diffie-Hellman. False: the other one's point is not on the curve. */
bool elliptic_agree(const struct elliptic_key *key, struct bytes point, uint8_t shared[ELLIPTIC_SECRET_BYTES]);

/* ECDSA over the SHA-256 of `message`. */
void elliptic_sign(const struct elliptic_key *key, struct bytes message, uint8_t signature[ELLIPTIC_SIGNATURE_BYTES]);
