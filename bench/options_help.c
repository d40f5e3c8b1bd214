#include <stdio.h>

#include "bench/options.h"

static const char fanout_text[] =
    "usage: weft-bench fanout [option...]\n"
    "\n"
    "Creates users and threads on a Weft cluster, connects every participant, sends on a fixed schedule, and counts "
    "and\n"
    "times every delivery. Ends with 0 only if nothing was lost, doubled, out of order or refused.\n"
    "\n";

static const char rebalance_text[] =
    "usage: weft-bench rebalance [option...] --at WHEN 'COMMAND' [--at WHEN 'COMMAND'...]\n"
    "\n"
    "The same load while nodes come and go: the commands do that at their times. A client whose connection ends or is\n"
    "told to go connects to another node, resumes, and repeats what was not answered. Tells how latency went over the\n"
    "moves, how long writes stood still at each hand-over, and how many bytes were moved.\n"
    "\n";

static const char churn_text[] =
    "usage: weft-bench churn [option...] --every S 'COMMAND' ['COMMAND'...]\n"
    "\n"
    "As rebalance, but the commands are chosen by chance, one at a random moment of each S seconds; the same --seed\n"
    "makes the same choices.\n"
    "\n";

static const char where_text[] =
    "where\n"
    "  --nodes URL[,URL...]       nodes to use, in turn         (default: WEFT_PLAIN_ENDPOINTS, else WEFT_ENDPOINTS,\n"
    "                             separated by spaces)\n"
    "  --connection-string TEXT   endpoint=...;accesskey=...    (default: WEFT_CONNECTION_STRING)\n"
    "  --ca FILE                  who signed the certificates   (default: WEFT_CA, else the system's authorities)\n"
    "  --tls                      use https:// addresses only. Without it http:// addresses (a node's plain listener\n"
    "                             on loopback) are used if there are any, and https:// ones otherwise\n";

static const char moving_where_text[] =
    "  --admin-token TEXT         for GET /admin/cluster and /metrics (default: WEFT_ADMIN_TOKEN)\n"
    "  --endpoints-file FILE      what cluster-config/run/env says; read again whenever it changes, so that clients\n"
    "                             find nodes that joined\n";

static const char what_text[] =
    "what\n"
    "  --threads N                chat threads                  (default: 4)\n"
    "  --participants N           in each thread, 1..250        (default: 250)\n"
    "  --connections-per-user N   sockets per participant       (default: 1)\n"
    "  --rate R                   messages per second in EACH thread, on a fixed schedule; the threads take turns\n"
    "                             (default: 20)\n"
    "  --payload BYTES            of each message's content, 55..28672 (default: 200)\n"
    "  --duration S               measured seconds              (default: 30)\n"
    "  --warmup S                 seconds before, not measured, but counted for losses (default: 3)\n"
    "  --drain S                  longest wait for the last arrivals (default: 15)\n"
    "  --seed N                   of ids, masks and choices     (default: random, printed)\n";

static const char fanout_what_text[] =
    "  --wire json|msgpack|sdk    Weft's own real time in either format, or the official SDK's protocol with sends\n"
    "                             by REST (default: json)\n"
    "  --idle N                   instead: open N idle connections and say what each costs in resident memory\n";

static const char moving_what_text[] =
    "  --wire json|msgpack        the format of Weft's own real time (default: json)\n"
    "  --small-threads N          and so many threads of 5      (default: 0)\n"
    "  --fill-mb N                megabytes of messages stored before it begins (default: 0)\n";

static const char rebalance_what_text[] =
    "  --at WHEN 'COMMAND'        run by the shell so many seconds after the first message, or, with \"balanced\", "
    "when\n"
    "                             the command before has ended and no range moves any more\n"
    "  --until-balanced           end when all commands have ended and no range moves; --duration is the longest\n";

static const char churn_what_text[] = "  --every S                  one command in each S seconds  (default: 20)\n";

static const char measure_text[] =
    "measure\n"
    "  --server-pid PID[,PID...]  processes whose CPU time and memory are measured (fan-out's default: WEFT_PIDS)\n"
    "  --json FILE|-              the result for machines\n"
    "  --report FILE.html         the result for people: one file, no outside parts\n";

static const char fanout_measure_text[] =
    "  --baseline                 before and after also run weft-bench-baseline, a bare epoll writer, with the same\n"
    "                             load, one send per subscriber and merging, and print the ratios\n"
    "  --beside FILE              what an earlier run with the same load wrote by --json: print what this one adds,\n"
    "                             as three nodes to one\n";

static const char exit_text[] =
    "\n"
    "exit status: 0 all well; 1 something was lost, doubled, out of order or refused, or a command failed; 2 wrong\n"
    "arguments; 3 the run could not be set up\n";

void options_help_print(enum mode mode) {
    static const char *const heads[] = {fanout_text, rebalance_text, churn_text};
    bool is_fanout = mode == MODE_FANOUT;
    fputs(heads[mode], stdout);
    fputs(where_text, stdout);
    fputs(is_fanout ? "" : moving_where_text, stdout);
    fputs(what_text, stdout);
    fputs(is_fanout ? fanout_what_text : moving_what_text, stdout);
    fputs(mode == MODE_REBALANCE ? rebalance_what_text : mode == MODE_CHURN ? churn_what_text : "", stdout);
    fputs(measure_text, stdout);
    fputs(is_fanout ? fanout_measure_text : "", stdout);
    fputs(exit_text, stdout);
}
