#pragma once
/* What a browser alone can read: the aes128gcm content encoding (RFC 8188) with keys agreed as in RFC 8291. Pure: salt
 * and key come in, and are for one message only. */
#include "node/push/elliptic.h"

#define WEB_PUSH_SALT_BYTES 16
#define WEB_PUSH_RECORD_BYTES 4096 /* RFC 8291, section 4: what every push service takes */
/* Of that the header, the tag and the byte that ends the last record. */
#define WEB_PUSH_PLAIN_BYTES_MAX (WEB_PUSH_RECORD_BYTES - 16 - 4 - 1 - PUSH_PUBLIC_KEY_BYTES - 16 - 1)

/* The body, in the arena; absent: the browser's key is not on the curve. `plain` has WEB_PUSH_PLAIN_BYTES_MAX at most.
 */
struct bytes web_push_encrypt(const struct push_registration *browser, const struct elliptic_key *ours,
                              const uint8_t salt[WEB_PUSH_SALT_BYTES], struct bytes plain, struct arena *arena);
