#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/sanitize.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MESSAGE_BYTES_MAX (28 * 1024)
#define REL " rel=\"noopener noreferrer\""

struct row {
    const char *html;
    const char *expected;
};

static void assert_sanitized(const struct row *row) {
    struct buffer once;
    struct buffer twice;
    buffer_init(&once);
    buffer_init(&twice);
    sanitize_html(bytes_of_text(row->html), &once);
    buffer_append(&once, "", 1);
    assert_string_equal((const char *)once.data, row->expected);
    sanitize_html(bytes_of_text(row->expected), &twice);
    buffer_append(&twice, "", 1);
    assert_string_equal((const char *)twice.data, row->expected);
    buffer_close(&once);
    buffer_close(&twice);
}

static void assert_all_sanitized(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_sanitized(&rows[i]);
}

static void allowed_html_stays_as_it_is(void **state) {
    (void)state;
    const char *texts[] = {
        "",
        "plain \"text\" isn't changed",
        "<p>Hello <b>big</b> <i>wide</i> <em>x</em><strong>y</strong><u>z</u><s>s</s></p>",
        "line<br>line<hr>",
        "<ul><li>a</li><li>b</li></ul><ol><li>c</li></ol>",
        "<h1>1</h1><h2>2</h2><h3>3</h3><h4>4</h4><h5>5</h5><h6>6</h6>",
        "<blockquote><pre><code>a &lt; b &amp;&amp; c &gt; d</code></pre></blockquote>",
        "<div><span>H<sub>2</sub>O, m<sup>2</sup>, <del>x</del><ins>y</ins></span></div>",
        "<table><caption>c</caption><thead><tr><th>h</th></tr></thead><tbody><tr><td>d</td></tr></tbody><tfoot><tr>"
        "<td>f</td></tr></tfoot></table>",
        "<a href=\"https://example.org/?a=1&amp;b=2\"" REL ">link</a>",
        "<a href=\"mailto:a@example.org\"" REL ">m</a><a href=\"tel:+15550100\"" REL ">t</a>",
        "<img src=\"https://example.org/a.png\" alt=\"a &quot;b&quot;\" width=\"10\" height=\"20\">",
        "caf\xc3\xa9 \xf0\x9f\x98\x80",
        "<pre>\n\nkept newline</pre>",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_sanitized(&(struct row){texts[i], texts[i]});
}

static void what_is_not_allowed_goes_and_its_text_stays(void **state) {
    (void)state;
    const struct row rows[] = {
        {"<font color=red>red</font>", "red"},
        {"<center><marquee>x</marquee></center>", "x"},
        {"<button>a<b>b</b></button>", "a<b>b</b>"},
        {"<form action=x><input value=y>z</form>", "z"},
        {"<custom-element>x</custom-element>", "x"},
        {"<html><head><title>t</title></head><body onload=x>b</body></html>", "tb"},
        {"<textarea><b>x</b></textarea>", "&lt;b&gt;x&lt;/b&gt;"},
        {"<xmp><script>alert(1)</script></xmp>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"a<!-- comment -->b<!DOCTYPE html>c<?php x ?>d", "abcd"},
        {"<video src=x>v</video><audio>a</audio><embed src=x>", "va"},
        {"<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<p></p>"},
    };
    assert_all_sanitized(rows, COUNT(rows));
}

static void active_elements_go_with_all_they_hold(void **state) {
    (void)state;
    const struct row rows[] = {
        {"a<script>alert(1)</script>b", "ab"},
        {"a<SCRIPT SRC=//x></SCRIPT >b", "ab"},
        {"a<style>p{}</style>b", "ab"},
        {"a<template><b>x</b></template>b", "ab"},
        {"a<iframe src=javascript:alert(1)>x</iframe>b", "ab"},
        {"a<object data=x><b>x</b></object>b", "ab"},
        {"a<svg><script>alert(1)</script><text>x</text></svg>b", "ab"},
        {"a<math><mtext><b>x</b></mtext></math>b", "ab"},
        {"<svg><style><img src=x onerror=alert(1)></style></svg>", ""},
        {"<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", ""},
        {"a<script>never closed <b>x</b>", "a"},
    };
    assert_all_sanitized(rows, COUNT(rows));
}

static void attributes_that_are_not_named_are_dropped(void **state) {
    (void)state;
    const struct row rows[] = {
        {"<p onclick=alert(1) ONMOUSEOVER='x' style=\"color:red\" class=c id=i data-x=1 title=t>p</p>", "<p>p</p>"},
        {"<a href=https://a target=_blank ping=x rel=opener>x</a>", "<a href=\"https://a\"" REL ">x</a>"},
        {"<img src=https://a srcset=x onerror=alert(1) alt=\"><script>alert(1)</script>\">",
         "<img src=\"https://a\" alt=\"&gt;&lt;script&gt;alert(1)&lt;/script&gt;\">"},
        {"<img src=https://a width=100% height=12345 alt>", "<img src=\"https://a\" alt=\"\">"},
        {"<img src=https://a width=1e3 height=\"\">", "<img src=\"https://a\">"},
        {"<b/onclick=alert(1)>x</b>", "<b>x</b>"},
        {"<a href=\"https://a\" href=\"javascript:x\">x</a>", "<a href=\"https://a\"" REL ">x</a>"},
        {"<p src=https://a href=https://a>x</p>", "<p>x</p>"},
    };
    assert_all_sanitized(rows, COUNT(rows));
}

static void links_to_other_schemes_lose_their_target(void **state) {
    (void)state;
    const char *urls[] = {
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "java\nscript:alert(1)",
        "java&#10;script:alert(1)",
        "java&Tab;script:alert(1)",
        "&#106;avascript&colon;alert(1)",
        "&#1;javascript:alert(1)",
        "vbscript:x",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.org",
        "/relative",
        "relative",
        "#fragment",
        "https:example.org",
        "https:\\\\example.org",
        " https://example.org",
        "https\t://example.org",
        "https://exa\nmple.org",
        "https://exa&#1;mple.org",
        "blob:https://example.org/x",
        "",
    };
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct buffer html;
        buffer_init(&html);
        buffer_printf(&html, "<a href=\"%s\">x</a><img src=\"%s\">", urls[i], urls[i]);
        buffer_append(&html, "", 1);
        assert_sanitized(&(struct row){(const char *)html.data, "<a>x</a>"});
        buffer_close(&html);
    }
}

static void images_come_from_http_only(void **state) {
    (void)state;
    const struct row rows[] = {
        {"<img src=HTTP://a/b>", "<img src=\"HTTP://a/b\">"},
        {"a<img>b<img alt=x>c", "abc"},
        {"<img src=mailto:a><img src=data:image/png;base64,AAAA>", ""},
        {"<image src=https://a>", "<img src=\"https://a\">"},
    };
    assert_all_sanitized(rows, COUNT(rows));
}

static void broken_html_comes_out_well_formed(void **state) {
    (void)state;
    const struct row rows[] = {
        {"<b>never closed", "<b>never closed</b>"},
        {"closed</b> twice</b></p>", "closed twice<p></p>"},
        {"<b><i>crossed</b></i>", "<b><i>crossed</i></b>"},
        {"<p>a<p>b", "<p>a</p><p>b</p>"},
        {"1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2"},
        {"<", "&lt;"},
        {"<a href=\"https://a", ""},
        {"<table><td>x", "<table><tbody><tr><td>x</td></tr></tbody></table>"},
        {"<table>x</table>", "x<table></table>"},
        {"&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"&#60;b&#62; &quot;&nbsp;", "&lt;b&gt; \"\xc2\xa0"},
        {"a&#13;b&#7;c\r\nd\x1b", "abc\nd\xef\xbf\xbd"},
    };
    assert_all_sanitized(rows, COUNT(rows));
}

/* Each of these parses differently after something was dropped. */
static void the_result_is_stable_where_dropping_joins_elements(void **state) {
    (void)state;
    const struct row rows[] = {
        {"<p>a<button><p>b</button>c", "<p>a</p><p>b</p>c<p></p>"},
        {"<a href=https://a>x<marquee><a href=https://b>y</a></marquee>z</a>",
         "<a href=\"https://a\"" REL ">x</a><a href=\"https://b\"" REL ">y</a>z"},
        {"<table><colgroup><col></colgroup><tr><td>x</td></tr></table>",
         "<table><tbody><tr><td>x</td></tr></tbody></table>"},
    };
    assert_all_sanitized(rows, COUNT(rows));
}

static void nesting_is_cut_and_text_below_stays(void **state) {
    (void)state;
    struct buffer html;
    struct buffer expected;
    buffer_init(&html);
    buffer_init(&expected);
    for (size_t i = 0; i < 3000; i++)
        buffer_append_text(&html, "<div>");
    buffer_append(&html, "deep", sizeof("deep"));
    for (size_t i = 0; i < 100; i++)
        buffer_append_text(&expected, "<div>");
    buffer_append_text(&expected, "deep");
    for (size_t i = 0; i < 100; i++)
        buffer_append_text(&expected, "</div>");
    buffer_append(&expected, "", 1);
    assert_sanitized(&(struct row){(const char *)html.data, (const char *)expected.data});
    buffer_close(&html);
    buffer_close(&expected);
}

/* Many different elements left open, each of which the parser opens anew in every paragraph. What is kept of them is
 * little or much: it is their number that exhausts. */
static void html_made_to_exhaust_the_parser_comes_out_as_source(void **state) {
    (void)state;
    const char *tags[] = {"b", "font"};
    for (size_t tag = 0; tag < COUNT(tags); tag++) {
        struct buffer html;
        struct buffer out;
        buffer_init(&html);
        buffer_init(&out);
        buffer_append_text(&html, "<p>");
        for (unsigned i = 0; i < 50; i++)
            buffer_printf(&html, "<%s a=%u>", tags[tag], i);
        buffer_append_text(&html, "</p>");
        while (html.size < MESSAGE_BYTES_MAX - 8)
            buffer_append_text(&html, "<p>x</p>");
        sanitize_html(buffer_bytes(&html), &out);
        assert_true(bytes_starts_with(buffer_bytes(&out), "&lt;p&gt;&lt;"));
        assert_true(out.size <= 5 * html.size);
        buffer_close(&html);
        buffer_close(&out);
    }
}

static void the_result_is_appended(void **state) {
    (void)state;
    struct buffer out;
    buffer_init(&out);
    buffer_append_text(&out, "before ");
    sanitize_html(BYTES_LITERAL("<b>x"), &out);
    sanitize_html(BYTES_ABSENT, &out);
    assert_true(bytes_equal_text(buffer_bytes(&out), "before <b>x</b>"));
    buffer_close(&out);
}

static void bytes_that_are_no_utf8_become_replacement_characters(void **state) {
    (void)state;
    const struct row rows[] = {
        {"a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"<b>\xc3</b>", "<b>\xef\xbf\xbd</b>"},
    };
    assert_all_sanitized(rows, COUNT(rows));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowed_html_stays_as_it_is),
        cmocka_unit_test(what_is_not_allowed_goes_and_its_text_stays),
        cmocka_unit_test(active_elements_go_with_all_they_hold),
        cmocka_unit_test(attributes_that_are_not_named_are_dropped),
        cmocka_unit_test(links_to_other_schemes_lose_their_target),
        cmocka_unit_test(images_come_from_http_only),
        cmocka_unit_test(broken_html_comes_out_well_formed),
        cmocka_unit_test(the_result_is_stable_where_dropping_joins_elements),
        cmocka_unit_test(nesting_is_cut_and_text_below_stays),
        cmocka_unit_test(html_made_to_exhaust_the_parser_comes_out_as_source),
        cmocka_unit_test(the_result_is_appended),
        cmocka_unit_test(bytes_that_are_no_utf8_become_replacement_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
