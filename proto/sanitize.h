#pragma once
/* Html in, safe html out, through gumbo's HTML5 parser and an allow-list of elements, attributes and URL schemes
 * (contract 6.2; open question 29: conservative). What is not allowed is dropped, its text kept, except the content of
 * script, style, template, iframe, object, svg and math. Never fails: any bytes give well-formed html. Bounded depth. */
#include "proto/buffer.h"

/* `html` is valid UTF-8. The result is well-formed and safe to put into a page's element as inner html. Sanitising the
 * result again gives the same bytes. */
void sanitize_html(struct bytes html, struct buffer *out);
