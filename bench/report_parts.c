#include "bench/report_parts.h"

#include <stdarg.h>
#include <stdio.h>

#include "bench/plot.h"

const char report_style_sheet[] =
    ":root{color-scheme:light dark;--page:#f6f5f1;--card:#fffefb;--ink:#1d2329;--soft:#66707a;--rule:#e4e1d8;"
    "--first:#2563c9;--second:#d0662b;--third:#138a72;--fourth:#8a4fbf;--fifth:#b58a00;--sixth:#c23b78;--floor:#8d8577;"
    "--faint:#c9c3b6;--good:#13795b;--bad:#b3261e;"
    "--goodbg:#e2f3ea;--badbg:#fbe4e1}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14171b;--card:#1c2026;--ink:#e8eaed;--soft:#99a2ad;"
    "--rule:#2c323a;--first:#6ea4ff;--second:#f39a61;--third:#4cc9a8;--fourth:#c495f2;--fifth:#e3c04f;--sixth:#f28ab8;-"
    "-floor:#8d8b86;--faint:#4a4f57;--good:#6fd8b1;"
    "--bad:#ff8f86;--goodbg:#173228;--badbg:#3a1c1a}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif;"
    "font-variant-numeric:tabular-nums}\n"
    "main{max-width:1060px;margin:0 auto;padding:40px 20px 60px}\n"
    "header{display:flex;gap:18px;align-items:center;flex-wrap:wrap;margin-bottom:26px}\n"
    "header svg{width:52px;height:52px;flex:none}header div{flex:1;min-width:260px}\n"
    "h1{font-size:23px;line-height:1.2;margin:0;font-weight:650;letter-spacing:-.01em}\n"
    "h2{font-size:16px;margin:0 0 2px;font-weight:650}p{margin:0;color:var(--soft)}\n"
    ".verdict{padding:8px 16px;border-radius:999px;font-weight:600}\n"
    ".good{background:var(--goodbg);color:var(--good)}.bad{background:var(--badbg);color:var(--bad)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin-bottom:14px}\n"
    "@media(min-width:760px){.tiles.eight{grid-template-columns:repeat(4,1fr)}}\n"
    ".tile,section{background:var(--card);border:1px solid var(--rule);border-radius:12px}\n"
    ".tile{padding:14px 16px}.tile span{display:block;color:var(--soft);font-size:13px}\n"
    ".tile b{font-size:27px;font-weight:650;letter-spacing:-.02em}.tile b small{font-size:14px;font-weight:500;"
    "color:var(--soft);letter-spacing:0}\n"
    "section{padding:20px 22px;margin-top:14px}section>svg{display:block;width:100%;height:auto;margin-top:14px}\n"
    ".two{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:14px}\n"
    "table{border-collapse:collapse;width:100%;margin-top:10px}td,th{padding:5px 0;border-top:1px solid var(--rule);"
    "text-align:left;font-weight:400;vertical-align:top}td:last-child{text-align:right}th{color:var(--soft)}\n"
    "tr:first-child>*{border-top:0}.latency td,.latency th{text-align:right}.latency td:first-child,"
    ".latency th:first-child{text-align:left}.hot{color:var(--bad);font-weight:650}\n"
    "svg text{fill:var(--ink);font-size:14px}.tick{fill:var(--soft)!important;font-size:12.5px!important}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}.grid{stroke:var(--rule);stroke-width:1}\n"
    ".shade{fill:var(--soft);opacity:.09}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}\n"
    ".first{--c:var(--first)}.second{--c:var(--second)}.third{--c:var(--third)}.floor{--c:var(--floor)}\n"
    ".faint{--c:var(--faint)}.line{stroke:var(--c)}.area{fill:var(--c);opacity:.13}.bar{fill:var(--c)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:12px 0 -6px;font-size:14px}.legend i{display:inline-block;"
    "width:18px;height:3px;border-radius:2px;background:var(--c);margin-right:8px;vertical-align:4px}\n"
    ".label{fill:var(--c)!important;font-weight:600}.value{font-weight:600}.wanted{stroke:var(--soft);"
    "stroke-width:1.2;stroke-dasharray:5 5}\n"
    ".reach{fill:transparent}.dot{fill:var(--c);stroke:var(--card);stroke-width:2;opacity:0}"
    ".spot:hover .dot{opacity:1}\n"
    ".fourth{--c:var(--fourth)}.fifth{--c:var(--fifth)}.sixth{--c:var(--sixth)}\n"
    ".event{stroke:var(--ink);stroke-width:1;stroke-dasharray:2 3;opacity:.6}.flag{fill:var(--ink)}"
    ".flag-text{fill:var(--card)!important;font-size:12px!important;font-weight:650;text-anchor:middle}"
    ".doing{fill:var(--second);opacity:.12}.moving{fill:var(--first);opacity:.10}.lane{fill:var(--c);opacity:.85}"
    ".limit{stroke:var(--bad);stroke-width:1;stroke-dasharray:5 5}.point{fill:var(--c);opacity:.75}\n"
    ".done td,.done th{padding-right:14px}.done td:last-child{padding-right:0}.done "
    "td:nth-child(-n+3){white-space:nowrap}.done code{font-size:13px;"
    "overflow-wrap:anywhere}details{margin-top:2px}summary{color:var(--soft);font-size:13px;cursor:pointer}"
    "pre{font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0;max-height:220px;overflow:auto}\n"
    ".meter{display:inline-block;width:150px;height:9px;border-radius:5px;background:var(--rule);overflow:hidden;"
    "vertical-align:middle;margin-right:10px}.meter i{display:block;height:100%;background:var(--c)}\n"
    "footer{color:var(--soft);font-size:13px;margin-top:22px}\n";

const char report_mark[] =
    "<svg viewBox=\"0 0 52 52\" aria-hidden=\"true\"><g fill=\"none\" stroke-width=\"6\" stroke-linecap=\"round\">"
    "<path stroke=\"var(--faint)\" d=\"M12 5v42M26 5v42M40 5v42\"/>"
    "<path stroke=\"var(--first)\" d=\"M5 16h13M34 16h13M5 36h13M34 36h13M20 26h12\"/>"
    "<path stroke=\"var(--second)\" d=\"M5 26h1M46 26h1M25 16h2M25 36h2\"/></g></svg>";

void report_tile(struct buffer *out, const char *title, const char *value, const char *unit, const char *note) {
    buffer_printf(out, "<div class=\"tile\"><span>%s</span><b>%s <small>%s</small></b><span>%s</span></div>\n", title,
                  value, unit, note);
}

void report_row(struct buffer *out, const char *name, const char *value) {
    buffer_append_text(out, "<tr><th>");
    plot_escape(out, name);
    buffer_append_text(out, "</th><td>");
    plot_escape(out, value);
    buffer_append_text(out, "</td></tr>\n");
}

void report_row_count(struct buffer *out, const char *name, uint64_t value, bool is_bad) {
    char number[32];
    buffer_append_text(out, "<tr><th>");
    plot_escape(out, name);
    buffer_printf(out, "</th><td%s>%s</td></tr>\n", is_bad && value > 0 ? " class=\"hot\"" : "",
                  plot_number((double)value, number));
}

void report_row_printf(struct buffer *out, const char *name, const char *format, ...) {
    char value[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    report_row(out, name, value);
}

void report_latency_head(struct buffer *out, const char *corner) {
    buffer_printf(out,
                  "<table class=\"latency\"><tr><th>%s</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th>"
                  "<th>max</th></tr>\n",
                  corner);
}

void report_latency_row(struct buffer *out, const char *name, const struct histogram *histogram) {
    double values[EARLIER_QUANTILES];
    result_quantiles_ms(histogram, values);
    buffer_printf(out, "<tr><td>%s</td>", name);
    for (size_t i = 0; i < EARLIER_QUANTILES; i++)
        buffer_printf(out, "<td>%.3f</td>", values[i]);
    buffer_append_text(out, "</tr>\n");
}
