#pragma once
/* Times as text: RFC 3339 and RFC 1123 (x-ms-date), in and out. Milliseconds since the epoch inside. Contract 1.4. What
 * lies outside the years 0000 to 9999 is written as the nearest moment inside. */
#include "proto/bytes.h"

#define RFC3339_TEXT_BYTES 40

/* "2025-06-10T22:20:18Z": whole seconds, cut not rounded; the form of chat bodies. */
void rfc3339_format_seconds(int64_t time_ms, char text[RFC3339_TEXT_BYTES]);
/* "2025-06-10T22:20:18.123Z": the form of real-time events. */
void rfc3339_format_ms(int64_t time_ms, char text[RFC3339_TEXT_BYTES]);
/* "2025-06-05T03:57:20.0580000+00:00": the form of identity's expiresOn. */
void rfc3339_format_identity(int64_t time_ms, char text[RFC3339_TEXT_BYTES]);
/* "Fri, 02 Jan 2026 03:04:05 GMT" (RFC 1123). */
void rfc1123_format(int64_t time_ms, char text[RFC3339_TEXT_BYTES]);
/* 0 to 9 fraction digits, "Z" or "±hh:mm", "T" or "t". Refuses impossible dates. False: not such a time. */
bool rfc3339_parse(struct bytes text, int64_t *time_ms);
/* The same form as rfc1123_format; the weekday must be the right one. */
bool rfc1123_parse(struct bytes text, int64_t *time_ms);
