/* Whatever goes in, the result must follow a small grammar that this file reads without any html parser (allowed tags
 * only, properly nested; allowed attributes only, with allowed URLs), must be stable, and must not grow beyond its
 * bound. */
#include <stdlib.h>

#include "proto/sanitize.h"

#define HTML_BYTES_MAX (28 * 1024)
#define GROWTH_MAX 5
#define DEPTH_MAX 100

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

/* Pieces that chance alone would rarely spell. */
static const char *const pieces[] = {"<a href=\"https://a\">",
                                     "<a href='javascript:x'>",
                                     "<a href=\"java\tscript:x\">",
                                     "<a href=&#106;avascript:x>",
                                     "<a href=\" https://a\">",
                                     "<a href=mailto:a>",
                                     "</a>",
                                     "<p>",
                                     "</p>",
                                     "<p onclick=x>",
                                     "<br>",
                                     "</br>",
                                     "<b>",
                                     "</b>",
                                     "<b a=1>",
                                     "<i>",
                                     "</i>",
                                     "<u>",
                                     "</u>",
                                     "<em>",
                                     "<strong>",
                                     "</strong>",
                                     "<ul>",
                                     "<ol>",
                                     "<li>",
                                     "</ul>",
                                     "</li>",
                                     "<table>",
                                     "</table>",
                                     "<tbody>",
                                     "<thead>",
                                     "<tfoot>",
                                     "<tr>",
                                     "<td>",
                                     "<th>",
                                     "</td>",
                                     "</tr>",
                                     "<caption>",
                                     "</caption>",
                                     "<colgroup>",
                                     "<col>",
                                     "<pre>",
                                     "<pre>\n\n",
                                     "</pre>",
                                     "<code>",
                                     "<blockquote>",
                                     "<div>",
                                     "</div>",
                                     "<span style=x>",
                                     "</span>",
                                     "<h1>",
                                     "</h1>",
                                     "<h6>",
                                     "<hr>",
                                     "<sub>",
                                     "</sub>",
                                     "<sup>",
                                     "<img src=https://a onerror=x>",
                                     "<img src=data:x>",
                                     "<img src=http://a alt='\"><script>' width=10 height=1e9>",
                                     "<script>",
                                     "</script>",
                                     "<style>",
                                     "</style>",
                                     "<template>",
                                     "</template>",
                                     "<svg>",
                                     "</svg>",
                                     "<math>",
                                     "</math>",
                                     "<mi>",
                                     "<mtext>",
                                     "<mglyph>",
                                     "<annotation-xml encoding=text/html>",
                                     "<foreignObject>",
                                     "<desc>",
                                     "<title>",
                                     "</title>",
                                     "<textarea>",
                                     "</textarea>",
                                     "<iframe>",
                                     "</iframe>",
                                     "<object>",
                                     "</object>",
                                     "<noscript>",
                                     "</noscript>",
                                     "<xmp>",
                                     "</xmp>",
                                     "<plaintext>",
                                     "<select>",
                                     "<option>",
                                     "</select>",
                                     "<button>",
                                     "</button>",
                                     "<form>",
                                     "</form>",
                                     "<input>",
                                     "<isindex>",
                                     "<marquee>",
                                     "</marquee>",
                                     "<nobr>",
                                     "<font color=x>",
                                     "</font>",
                                     "<center>",
                                     "<dl>",
                                     "<dt>",
                                     "<dd>",
                                     "<ruby>",
                                     "<rt>",
                                     "<html a=b>",
                                     "<head>",
                                     "<body onload=x>",
                                     "</body>",
                                     "</html>",
                                     "<frameset>",
                                     "<frame>",
                                     "<applet>",
                                     "<embed>",
                                     "<base href=https://a>",
                                     "<meta>",
                                     "<link>",
                                     "<!--",
                                     "-->",
                                     "<!",
                                     "<![CDATA[",
                                     "]]>",
                                     "<?",
                                     "&lt;",
                                     "&amp;",
                                     "&#0;",
                                     "&#13;",
                                     "&#60;script&#62;",
                                     "&nbsp;",
                                     "&",
                                     "\"",
                                     "'",
                                     "`",
                                     ">",
                                     "<",
                                     "</",
                                     "/>",
                                     "=",
                                     "\n",
                                     "\r\n",
                                     "\t",
                                     "\f",
                                     " ",
                                     "x",
                                     "\xc3\xa9",
                                     "\xef\xbb\xbf",
                                     "\xef\xbf\xbe",
                                     "\xc2\x85"};
#define PIECES_COUNT (sizeof(pieces) / sizeof(pieces[0]))

static const char *const kept_tags[] = {
    "p",     "b",          "strong", "i",     "em",    "u",   "s",  "del", "ins", "a",  "ul", "ol",
    "li",    "blockquote", "code",   "pre",   "span",  "div", "h1", "h2",  "h3",  "h4", "h5", "h6",
    "table", "caption",    "thead",  "tbody", "tfoot", "tr",  "td", "th",  "sub", "sup"};
static const char *const void_tags[] = {"br", "hr", "img"};

struct reader {
    struct bytes rest;
    struct bytes open[DEPTH_MAX];
    size_t depth;
};

static bool take(struct reader *reader, const char *text) {
    if (!bytes_starts_with(reader->rest, text))
        return false;
    reader->rest = bytes_of(reader->rest.data + strlen(text), reader->rest.size - strlen(text));
    return true;
}

static struct bytes take_until(struct reader *reader, const char *ends) {
    size_t size = 0;
    while (size < reader->rest.size && strchr(ends, reader->rest.data[size]) == NULL)
        size++;
    struct bytes taken = bytes_of(reader->rest.data, size);
    reader->rest = bytes_of(reader->rest.data + size, reader->rest.size - size);
    return taken;
}

static bool is_one_of(struct bytes name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes_equal_text(name, names[i]))
            return true;
    return false;
}

static void expect_escaped(struct bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        struct bytes rest = bytes_of(text.data + i, text.size - i);
        EXPECT(text.data[i] >= 0x20 || text.data[i] == '\t' || text.data[i] == '\n');
        EXPECT(text.data[i] != '<' && text.data[i] != '>' && text.data[i] != 0x7f);
        if (text.data[i] == '&')
            EXPECT(bytes_starts_with(rest, "&amp;") || bytes_starts_with(rest, "&lt;") ||
                   bytes_starts_with(rest, "&gt;") || bytes_starts_with(rest, "&quot;"));
    }
}

static void expect_url(struct bytes url, bool is_link) {
    struct bytes lower = url;
    uint8_t start[8] = {0};
    for (size_t i = 0; i < sizeof(start) && i < url.size; i++)
        start[i] = (uint8_t)(url.data[i] >= 'A' && url.data[i] <= 'Z' ? url.data[i] + 32 : url.data[i]);
    lower = bytes_of(start, url.size < sizeof(start) ? url.size : sizeof(start));
    EXPECT(bytes_starts_with(lower, "https://") || bytes_starts_with(lower, "http://") ||
           (is_link && (bytes_starts_with(lower, "mailto:") || bytes_starts_with(lower, "tel:"))));
    EXPECT(memchr(url.data, '\n', url.size) == NULL && memchr(url.data, '\t', url.size) == NULL);
}

static void expect_number(struct bytes text) {
    EXPECT(text.size >= 1 && text.size <= 4);
    for (size_t i = 0; i < text.size; i++)
        EXPECT(text.data[i] >= '0' && text.data[i] <= '9');
}

static void expect_attribute(struct reader *reader, struct bytes tag) {
    struct bytes name = take_until(reader, "=");
    EXPECT(take(reader, "=\""));
    struct bytes value = take_until(reader, "\"");
    EXPECT(take(reader, "\""));
    expect_escaped(value);
    if (bytes_equal_text(tag, "a") && bytes_equal_text(name, "href"))
        expect_url(value, true);
    else if (bytes_equal_text(tag, "a") && bytes_equal_text(name, "rel"))
        EXPECT(bytes_equal_text(value, "noopener noreferrer"));
    else if (bytes_equal_text(tag, "img") && bytes_equal_text(name, "src"))
        expect_url(value, false);
    else if (bytes_equal_text(tag, "img") && (bytes_equal_text(name, "width") || bytes_equal_text(name, "height")))
        expect_number(value);
    else
        EXPECT(bytes_equal_text(tag, "img") && bytes_equal_text(name, "alt"));
}

static void expect_tag(struct reader *reader) {
    if (take(reader, "/")) {
        EXPECT(reader->depth > 0);
        EXPECT(bytes_equal(take_until(reader, ">"), reader->open[--reader->depth]));
    } else {
        struct bytes tag = take_until(reader, " >");
        bool is_kept = is_one_of(tag, kept_tags, sizeof(kept_tags) / sizeof(kept_tags[0]));
        EXPECT(is_kept || is_one_of(tag, void_tags, sizeof(void_tags) / sizeof(void_tags[0])));
        while (take(reader, " "))
            expect_attribute(reader, tag);
        if (is_kept) {
            EXPECT(reader->depth < DEPTH_MAX);
            reader->open[reader->depth++] = tag;
        }
    }
    EXPECT(take(reader, ">"));
}

static void expect_safe(struct bytes html) {
    struct reader reader = {.rest = html};
    while (reader.rest.size > 0) {
        expect_escaped(take_until(&reader, "<"));
        if (take(&reader, "<"))
            expect_tag(&reader);
    }
    EXPECT(reader.depth == 0);
}

static void expect_all(struct bytes html) {
    struct buffer once;
    struct buffer twice;
    buffer_init(&once);
    buffer_init(&twice);
    sanitize_html(html, &once);
    EXPECT(once.size <= html.size * GROWTH_MAX);
    expect_safe(buffer_bytes(&once));
    sanitize_html(buffer_bytes(&once), &twice);
    EXPECT(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    buffer_close(&twice);
    buffer_close(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer html;
    buffer_init(&html);
    if (size > 0 && data[0] == 0)
        buffer_append(&html, data + 1, size - 1);
    else
        for (size_t i = 0; i < size; i++)
            buffer_append_text(&html, pieces[data[i] % PIECES_COUNT]);
    if (html.size > HTML_BYTES_MAX)
        html.size = HTML_BYTES_MAX;
    expect_all(buffer_bytes(&html));
    buffer_close(&html);
    return 0;
}
