#include "proto/sanitize.h"

#include <gumbo.h>
#include <setjmp.h>

#include "proto/arena.h"
#include "proto/check.h"

#define DEPTH_MAX 100 /* elements nested in the result; beyond it their text stays */
#define GROWTH_MAX 5  /* what escaping alone can cost: "&" becomes "&amp;" */
#define PASSES_MAX 8  /* honest html is stable after the second */
#define NUMBER_DIGITS_MAX 4
/* What the parser may allocate. Formatting elements left open make it clone them in every paragraph, without end; the
 * densest honest markup was measured at 100 bytes for each of its own. */
#define PARSE_BYTES_PER_BYTE 256
#define PARSE_BYTES_MIN (64 * 1024)

enum element_rule {
    ELEMENT_UNWRAPPED, /* dropped, its children stay */
    ELEMENT_KEPT,
    ELEMENT_KEPT_VOID, /* kept, has neither children nor end tag */
    ELEMENT_REMOVED    /* dropped with everything in it */
};

static enum element_rule element_rule_of(const GumboNode *node) {
    if (node->type == GUMBO_NODE_TEMPLATE || node->v.element.tag_namespace != GUMBO_NAMESPACE_HTML)
        return ELEMENT_REMOVED;
    switch ((int)node->v.element.tag) {
    case GUMBO_TAG_P:
    case GUMBO_TAG_B:
    case GUMBO_TAG_STRONG:
    case GUMBO_TAG_I:
    case GUMBO_TAG_EM:
    case GUMBO_TAG_U:
    case GUMBO_TAG_S:
    case GUMBO_TAG_DEL:
    case GUMBO_TAG_INS:
    case GUMBO_TAG_A:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_CODE:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_SPAN:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_THEAD:
    case GUMBO_TAG_TBODY:
    case GUMBO_TAG_TFOOT:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
    case GUMBO_TAG_SUB:
    case GUMBO_TAG_SUP:
        return ELEMENT_KEPT;
    case GUMBO_TAG_BR:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_IMG:
        return ELEMENT_KEPT_VOID;
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_MATH:
        return ELEMENT_REMOVED;
    default:
        return ELEMENT_UNWRAPPED;
    }
}

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f;
}

enum escape_place { IN_TEXT, IN_ATTRIBUTE };

/* Control characters other than tab and newline are left out: they show nothing, and a carriage return would come back
 * from the next parser as a newline. */
static void append_escaped(struct buffer *out, struct bytes text, enum escape_place place) {
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (c == '&')
            buffer_append_text(out, "&amp;");
        else if (c == '<')
            buffer_append_text(out, "&lt;");
        else if (c == '>')
            buffer_append_text(out, "&gt;");
        else if (c == '"' && place == IN_ATTRIBUTE)
            buffer_append_text(out, "&quot;");
        else if (!is_control(c) || c == '\t' || c == '\n')
            buffer_append(out, &c, 1);
    }
}

static bool starts_with_in_any_case(const char *text, const char *prefix) {
    for (; *prefix != '\0'; text++, prefix++)
        if ((*text >= 'A' && *text <= 'Z' ? *text + ('a' - 'A') : *text) != *prefix)
            return false;
    return true;
}

/* An absolute URL of one of the `schemes`. Browsers skip blanks in front and control characters anywhere, so a URL that
 * has them is not what it seems. */
static bool url_is_allowed(const char *url, const char *const *schemes) {
    for (const char *c = url; *c != '\0'; c++)
        if (is_control(*c))
            return false;
    for (; *schemes != NULL; schemes++)
        if (starts_with_in_any_case(url, *schemes))
            return true;
    return false;
}

static bool link_is_allowed(const char *value) {
    static const char *const schemes[] = {"https://", "http://", "mailto:", "tel:", NULL};
    return url_is_allowed(value, schemes);
}

static bool image_is_allowed(const char *value) {
    static const char *const schemes[] = {"https://", "http://", NULL};
    return url_is_allowed(value, schemes);
}

static bool number_is_allowed(const char *value) {
    size_t digits = strspn(value, "0123456789");
    return digits > 0 && digits <= NUMBER_DIGITS_MAX && value[digits] == '\0';
}

static bool text_is_allowed(const char *value) {
    (void)value;
    return true;
}

struct attribute_rule {
    GumboTag tag;
    const char *name;
    bool (*is_allowed)(const char *value);
};

/* In the order of the result. */
static const struct attribute_rule attribute_rules[] = {
    {GUMBO_TAG_A, "href", link_is_allowed},       {GUMBO_TAG_IMG, "src", image_is_allowed},
    {GUMBO_TAG_IMG, "alt", text_is_allowed},      {GUMBO_TAG_IMG, "width", number_is_allowed},
    {GUMBO_TAG_IMG, "height", number_is_allowed},
};
#define ATTRIBUTE_RULES_COUNT (sizeof(attribute_rules) / sizeof(attribute_rules[0]))

/* NULL: missing or not allowed. */
static const char *attribute_find(const GumboElement *element, const struct attribute_rule *rule) {
    const GumboAttribute *attribute = gumbo_get_attribute(&element->attributes, rule->name);
    return attribute != NULL && rule->is_allowed(attribute->value) ? attribute->value : NULL;
}

static void append_attributes(struct buffer *out, const GumboElement *element) {
    for (size_t i = 0; i < ATTRIBUTE_RULES_COUNT; i++) {
        const char *value =
            attribute_rules[i].tag == element->tag ? attribute_find(element, &attribute_rules[i]) : NULL;
        if (value == NULL)
            continue;
        buffer_printf(out, " %s=\"", attribute_rules[i].name);
        append_escaped(out, bytes_of_text(value), IN_ATTRIBUTE);
        buffer_append_text(out, "\"");
        if (element->tag == GUMBO_TAG_A)
            buffer_append_text(out, " rel=\"noopener noreferrer\"");
    }
}

/* An image without a source shows nothing. */
static bool image_has_source(const GumboElement *element) {
    const GumboAttribute *source = gumbo_get_attribute(&element->attributes, "src");
    return source != NULL && image_is_allowed(source->value);
}

/* A parser skips a newline at the start of a pre, so one that belongs to the text needs another before it. */
static bool pre_starts_with_newline(const GumboElement *element) {
    if (element->tag != GUMBO_TAG_PRE || element->children.length == 0)
        return false;
    const GumboNode *first = element->children.data[0];
    return (first->type == GUMBO_NODE_TEXT || first->type == GUMBO_NODE_WHITESPACE) && first->v.text.text[0] == '\n';
}

static void append_start_tag(struct buffer *out, const GumboElement *element) {
    buffer_printf(out, "<%s", gumbo_normalized_tagname(element->tag));
    append_attributes(out, element);
    buffer_append_text(out, pre_starts_with_newline(element) ? ">\n" : ">");
}

/* An element whose children are being written. */
struct open_element {
    const GumboElement *element;
    unsigned next_child;
    bool is_kept;
};

/* The way from the root to where the writer is. A tree may be as deep as the html has tags, so the way is kept on the
 * heap and not in calls. */
struct writer {
    struct buffer *out;
    struct buffer path; /* of open_element */
    unsigned depth;     /* kept elements on the path */
};

static struct open_element *writer_innermost(const struct writer *writer) {
    return (struct open_element *)(void *)(writer->path.data + writer->path.size) - 1;
}

static void writer_enter(struct writer *writer, const GumboElement *element, bool is_kept) {
    struct open_element open = {element, 0, is_kept};
    buffer_append(&writer->path, &open, sizeof(open));
    writer->depth += is_kept;
}

static void writer_leave(struct writer *writer) {
    const struct open_element *open = writer_innermost(writer);
    if (open->is_kept)
        buffer_printf(writer->out, "</%s>", gumbo_normalized_tagname(open->element->tag));
    writer->depth -= open->is_kept;
    writer->path.size -= sizeof(*open);
}

static void write_element(struct writer *writer, const GumboNode *node) {
    const GumboElement *element = &node->v.element;
    enum element_rule rule = element_rule_of(node);
    if (rule == ELEMENT_REMOVED || (element->tag == GUMBO_TAG_IMG && !image_has_source(element)))
        return;
    bool is_kept = rule != ELEMENT_UNWRAPPED && writer->depth < DEPTH_MAX;
    if (is_kept)
        append_start_tag(writer->out, element);
    if (rule != ELEMENT_KEPT_VOID)
        writer_enter(writer, element, is_kept);
}

static void write_node(struct writer *writer, const GumboNode *node) {
    switch (node->type) {
    case GUMBO_NODE_ELEMENT:
    case GUMBO_NODE_TEMPLATE:
        write_element(writer, node);
        break;
    case GUMBO_NODE_TEXT:
    case GUMBO_NODE_WHITESPACE:
        append_escaped(writer->out, bytes_of_text(node->v.text.text), IN_TEXT);
        break;
    default: /* comments, doctypes, CDATA of foreign content */
        break;
    }
}

/* False as soon as the result is longer than `size_max`. */
static bool write_tree(const GumboNode *root, size_t size_max, struct buffer *out) {
    struct writer writer = {.out = out};
    buffer_init(&writer.path);
    writer_enter(&writer, &root->v.element, false);
    while (writer.path.size > 0 && out->size <= size_max) {
        struct open_element *open = writer_innermost(&writer);
        if (open->next_child < open->element->children.length)
            write_node(&writer, open->element->children.data[open->next_child++]);
        else
            writer_leave(&writer);
    }
    buffer_close(&writer.path);
    return out->size <= size_max;
}

/* The memory of one parse, given back at once: the parser's own release recurses as deep as the tree. */
struct parse_memory {
    struct arena arena;
    size_t left;
    jmp_buf is_used_up;
};

/* The parser knows no failure of its allocator, so the way out is past it; all it holds is in the arena. */
static void *parse_allocate(void *userdata, size_t size) {
    struct parse_memory *memory = userdata;
    if (size > memory->left)
        longjmp(memory->is_used_up, 1);
    memory->left -= size;
    return arena_alloc(&memory->arena, size);
}

static void parse_release(void *userdata, void *allocated) {
    (void)userdata;
    (void)allocated;
}

/* NULL: it needed more than its memory. */
static const GumboNode *parse(struct parse_memory *memory, struct bytes html) {
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = parse_allocate;
    options.deallocator = parse_release;
    options.userdata = memory;
    options.max_errors = 0;
    options.fragment_context = GUMBO_TAG_DIV;
    if (setjmp(memory->is_used_up) != 0)
        return NULL;
    return gumbo_parse_with_options(&options, (const char *)html.data, html.size)->root;
}

/* One time through the parser. False: the html takes more memory, or its result more room, than honest html does. */
static bool sanitize_once(struct bytes html, size_t size_max, struct buffer *out) {
    struct parse_memory memory = {.left = PARSE_BYTES_MIN + html.size * PARSE_BYTES_PER_BYTE};
    arena_init(&memory.arena);
    out->size = 0;
    const GumboNode *root = parse(&memory, html);
    bool is_done = root != NULL && write_tree(root, size_max, out);
    arena_close(&memory.arena);
    return is_done;
}

/* What is left after dropping may parse differently: two paragraphs that a dropped button kept apart, a caption's text
 * that now stands in a table. So passes follow until one changes nothing; that is what makes the result stable. */
static bool sanitize_until_stable(struct bytes html, struct buffer *result) {
    size_t size_max = html.size * GROWTH_MAX;
    struct buffer next;
    struct bytes current = html;
    bool is_stable = false;
    bool is_honest = true;
    buffer_init(&next);
    for (unsigned pass = 0; pass < PASSES_MAX && is_honest && !is_stable; pass++) {
        is_honest = sanitize_once(current, size_max, &next);
        is_stable = is_honest && bytes_equal(buffer_bytes(&next), current);
        struct buffer previous = *result;
        *result = next;
        next = previous;
        current = buffer_bytes(result);
    }
    buffer_close(&next);
    return is_stable;
}

/* The source itself as text. The pass through the parser replaces what is not UTF-8. */
static void show_source(struct bytes html, struct buffer *result) {
    struct buffer escaped;
    buffer_init(&escaped);
    append_escaped(&escaped, html, IN_TEXT);
    check(sanitize_once(buffer_bytes(&escaped), SIZE_MAX, result));
    buffer_close(&escaped);
}

void sanitize_html(struct bytes html, struct buffer *out) {
    struct buffer result;
    buffer_init(&result);
    if (html.size > 0 && !sanitize_until_stable(html, &result))
        show_source(html, &result);
    buffer_append_bytes(out, buffer_bytes(&result));
    buffer_close(&result);
}
