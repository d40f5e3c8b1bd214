#pragma once
/* Html in, safe html out, through gumbo's HTML5 parser and an allow-list of elements, attributes and URL schemes
 * (contract 6.2; open question 29: conservative). What is not allowed is dropped, its text kept, except the content of
 * script, style, template, iframe, object, svg and math. Never fails: any bytes give well-formed html. Bounded depth.
 */
#include "proto/buffer.h"

/* `html` is valid UTF-8; the caller bounds its size. The result is appended to `out`: well-formed, safe to put into a
 * page's element as inner html, and at most five times as long as `html`. Sanitising it again gives the same bytes.
 * Html made to exhaust the parser, or that does not settle, comes out as its own source, escaped. */
void sanitize_html(struct bytes html, struct buffer *out);
