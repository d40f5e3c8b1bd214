#include "node/ctl/commands.h"

#include <stdio.h>
#include <string.h>

/* Lines of help are at most 80 columns wide. */
static const struct command commands[] = {
    {"status", "[--json]", "how the cluster is: nodes, load, balance, what is amiss",
     "Whether every node is alive and every range has its copies, what the cluster\n"
     "does, and which moves are under way.\n",
     OPTION_JSON | OPTION_WIDE, 1, 1, status_run},
    {"nodes", "[--names] [--json]", "nodes with ranges, load, connections, latency",
     "  --names   only the names, one a line\n"
     "\n"
     "SHARE        the node's part of the cluster's load: bytes, writes, deliveries\n"
     "PRIMARY      ranges that it leads\n"
     "COPIES       ranges that it has in sync\n"
     "LEARNS       ranges that it is copying\n"
     "SLOW         clients that do not read as fast as they are told\n"
     "COMMIT       from a write to its commit: half, and 99 of 100, take no longer\n",
     OPTION_JSON | OPTION_WIDE | OPTION_NAMES, 1, 1, nodes_run},
    {"ranges", "[--node NODE] [--json]", "who leads each range, who has copies, where it goes",
     "  --node NODE   only ranges that this node leads, has, learns, or is to have\n",
     OPTION_JSON | OPTION_WIDE | OPTION_NODE, 1, 1, ranges_run},
    {"plan", "[--json]", "what balancing would do from here: moves, bytes, time",
     "A dry run: nothing is changed. It ends where the cluster is balanced, with the\n"
     "load that is now.\n",
     OPTION_JSON | OPTION_WIDE, 1, 1, plan_run},
    {"rebalance", "[--watch [--interval S]] [--cancel] [--json]",
     "whether the cluster is balanced, and what is under way",
     "A cluster balances itself; this shows it.\n"
     "\n"
     "  --watch        until it is balanced. On a terminal with bars, rates and the\n"
     "                 time left, until q; otherwise a line for each move that begins\n"
     "                 or ends. Ends with 1 if balancing is paused and nothing moves\n"
     "  --interval S   how often to look, in seconds (default: 1)\n"
     "  --cancel       gives up the moves under way: ranges stay where they are in\n"
     "                 sync. Without weftctl pause others may begin at once\n",
     OPTION_JSON | OPTION_WATCH | OPTION_CANCEL | OPTION_INTERVAL, 1, 1, rebalance_run},
    {"drain", "NODE [--watch [--interval S]] [--cancel] [--json]", "empty a node, which then ends",
     "Its ranges go to the others, then its clients do, and it ends with status 0.\n"
     "Nothing fails meanwhile.\n"
     "\n"
     "  --watch        until it has ended\n"
     "  --interval S   how often to look, in seconds (default: 1)\n"
     "  --cancel       it is to stay: it takes ranges again\n",
     OPTION_JSON | OPTION_WATCH | OPTION_CANCEL | OPTION_INTERVAL, 2, 2, drain_run},
    {"move", "RANGE --from NODE --to NODE | RANGE --primary NODE", "move a range's copy, or have another node lead it",
     "  --from, --to     the copy that one node has goes to the other, which has none\n"
     "  --primary NODE   this node, which has a copy, is to lead the range\n"
     "\n"
     "The balancer keeps such a wish until it has come true; after that it may move\n"
     "the range again.\n",
     OPTION_JSON | OPTION_FROM | OPTION_TO | OPTION_PRIMARY, 2, 2, move_run},
    {"split", "N [--watch [--interval S]] [--json]", "halve ranges until there are so many",
     "Online, without a pause and without a copy: each split is one change of the\n"
     "range's record. N is twice as many as the cluster began with, or twice that,\n"
     "and so on; ranges are not merged again.\n"
     "\n"
     "  --watch        until there are so many\n"
     "  --interval S   how often to look, in seconds (default: 1)\n",
     OPTION_JSON | OPTION_WATCH | OPTION_INTERVAL, 2, 2, split_run},
    {"pause", "[--json]", "begin no more moves",
     "Those under way end. It holds for drains and for nodes that died, too.\n", OPTION_JSON, 1, 1, pause_run},
    {"resume", "[--json]", "balance again", "Undoes weftctl pause.\n", OPTION_JSON, 1, 1, resume_run},
    {"tokens", "create [option...] | revoke ID", "make or revoke users' tokens",
     "  create            prints a user's token\n"
     "  --user ID         of this user, 8:acs:... (default: a new one)\n"
     "  --scope SCOPE     chat or voip, may be repeated (default: chat)\n"
     "  --expires-in M    minutes, 60 to 1440 (default: 1440)\n"
     "  revoke ID         no token of this user made until now is accepted any more\n",
     OPTION_JSON | OPTION_USER | OPTION_SCOPE | OPTION_MINUTES, 2, 3, tokens_run},
    {"events", "VERB [NAME] [option...]", "server events: who gets them, samples, replay",
     "  list              the subscriptions: who gets events\n"
     "  show NAME         all of one\n"
     "  create NAME       makes one, or makes it another one. Its receiver has to show\n"
     "                    that it wants events: by its answer, or within 10 minutes by\n"
     "                    calling the address that it is sent\n"
     "  --url URL         where events are sent\n"
     "  --schema SCHEMA   eventgrid or cloudevents (default: eventgrid)\n"
     "  --type TYPE       only events of this type, may be repeated (default: all)\n"
     "  --file FILE       all of a subscription, as show --json prints it\n"
     "  validate NAME     asks its receiver again\n"
     "  test NAME         sends it a sample, and shows what it answers\n"
     "  --type TYPE       of this type (default: ChatMessageReceivedInThread)\n"
     "  replay NAME       it gets again what has happened, as far as that is kept\n"
     "  --from TIME       since then, as 2026-01-31T12:00:00Z\n"
     "  dead-letters NAME what was given up, the newest 100 of each node\n"
     "  delete NAME       it gets no more events\n"
     "\n"
     "Ends with 1 if a sample was not accepted, or a node was not heard.\n",
     OPTION_JSON | OPTION_WIDE | OPTION_URL | OPTION_SCHEMA | OPTION_TYPE | OPTION_FILE | OPTION_FROM, 2, 3,
     events_run},
    {"bots", "VERB [NAME] [option...]", "bots: programs that take part in threads",
     "  list              the bots\n"
     "  show NAME         all of one\n"
     "  create NAME       makes or changes one; its user joins threads as others do\n"
     "  --url URL         where it is told what happens in them\n"
     "  --user ID         whom it is, 8:acs:... (default: a new user)\n"
     "  --file FILE       all of a bot, as show prints it\n"
     "  token NAME        a token of its user, for a day\n"
     "  delete NAME       it is told nothing more\n",
     OPTION_JSON | OPTION_WIDE | OPTION_URL | OPTION_USER | OPTION_FILE, 2, 3, bots_run},
    {"bridges", "VERB [NAME] [option...]", "who may act for users of Teams",
     "  list              the bridges, and for whom each may act\n"
     "  show NAME         all of one\n"
     "  create NAME       makes one, or makes it another one\n"
     "  --identity ID     it may act for this user: 8:orgid:..., 8:dod:..., 8:gcch:...\n"
     "                    or 8:teamsvisitor:...; for all whose ids begin so if it ends\n"
     "                    in *. May be repeated\n"
     "  --url URL         also sends there, as event subscription NAME, what happens\n"
     "                    in threads with them\n"
     "  delete NAME       it acts for nobody any more; its subscription stays\n",
     OPTION_JSON | OPTION_WIDE | OPTION_IDENTITY | OPTION_URL, 2, 3, bridges_run},
    {"trace", "THREAD MESSAGE [--json]", "the way of a message: owner, log, each recipient",
     "Who leads the thread, when the message was received, was on the disks, was\n"
     "committed, came to each node, and was put on each recipient's connection; its\n"
     "edits and its deletion likewise. MESSAGE is its id, or @N for the change at\n"
     "offset N. Nodes remember the last trace_events of what they did, in memory:\n"
     "what is older is said to be forgotten.\n"
     "\n"
     "RECEIVED     by the node that leads, from the client's call\n"
     "ON DISK      durable there\n"
     "COMMITTED    all replicas in sync have it\n"
     "APPLIED      readable there\n"
     "ARRIVED      there for those who are connected there\n"
     "DELIVERED    put on the connection\n"
     "ANSWERED     the client has said so (trouter: the official SDK)\n"
     "\n"
     "Ends with 1 if a node did not answer, which is then named.\n",
     OPTION_JSON | OPTION_WIDE, 3, 3, trace_run},
    {"hold", "set THREAD REASON | show THREAD | clear THREAD [--json]", "keep everything of a thread, deleted or not",
     "Under a hold nothing of a thread is removed: no retention policy deletes it, and\n"
     "who deletes it only hides it. When the hold ends, what was deleted meanwhile is\n"
     "shredded.\n"
     "\n"
     "  set THREAD REASON   from now on; said again, the reason is another one\n"
     "  show THREAD         whether it is held, why and since when, and whether it\n"
     "                      was deleted\n"
     "  clear THREAD        the hold ends\n",
     OPTION_JSON, 3, 4, hold_run},
    {"undelete", "THREAD [--json]", "bring a deleted thread back",
     "As long as what was in it is kept: for undelete_hours after its deletion, or\n"
     "while it is held. Its participants are told of it as of a new thread. A policy\n"
     "that would delete it at once is reset to none.\n",
     OPTION_JSON, 2, 2, undelete_run},
    {"top", "[--interval S]", "nodes and what they do, refreshed until q",
     "  --interval S   how often to look, in seconds (default: 1)\n"
     "\n"
     "Without a terminal it is printed once.\n",
     OPTION_INTERVAL, 1, 1, top_run},
    {"export", "FILE [option...]", "a resource's threads as JSON Lines, by its REST interface",
     "Reads an ACS resource, or another Weft, through the official REST interface: as\n"
     "its users, for whom tokens are made by the access key. Users who are named by\n"
     "what they see are asked, too. Where the resource says to wait (429), it waits.\n"
     "\n"
     "  --connection-string S   endpoint=https://host/;accesskey=... (default:\n"
     "                          WEFT_CONNECTION_STRING)\n"
     "  --users FILE            users to begin with, an id a line\n"
     "  --user ID               one user to begin with\n"
     "  --beside N              so many calls at a time, 1 to 32 (default: 4)\n"
     "\n"
     "FILE grows as FILE.partial. After an end of any kind the same command goes on\n"
     "where it was. What REST shows to nobody is not in it: threads of users who are\n"
     "not named, what is older than what any participant shares, earlier texts of\n"
     "edited messages, deleted ones, receipts of threads with more than 20\n"
     "participants. How many messages are lacking in the midst of threads is said.\n",
     OPTION_CONNECTION | OPTION_USERS | OPTION_USER | OPTION_BESIDE, 2, 2, export_run},
    {"import", "FILE [option...] | verify FILE [option...]", "take over what was exported, and compare it",
     "Users, threads and messages of a dump become this cluster's, with their ids,\n"
     "sequence, versions, times, authors, edits, deletions, participants and what\n"
     "they share of the history. Nobody is told: it is no news. What is there already\n"
     "stays as it is, so that an import may be ended and gone on with.\n"
     "\n"
     "  --from-connection-string S   exports from there into FILE before; takes\n"
     "                               --users, --user, --beside as weftctl export\n"
     "\n"
     "verify reads this cluster through the official REST interface, as those users,\n"
     "and compares counts, authors, times and texts with the dump. It ends with 1 if\n"
     "anything differs.\n"
     "\n"
     "  --connection-string S        of this cluster (default:\n"
     "                               WEFT_CONNECTION_STRING)\n"
     "  --beside N                   so many calls at a time, 1 to 32 (default: 4)\n",
     OPTION_CONNECTION | OPTION_FROM_CONNECTION | OPTION_USERS | OPTION_USER | OPTION_BESIDE, 2, 3, import_run},
};
#define COMMANDS_COUNT (sizeof commands / sizeof *commands)

static const char common_text[] = "of every command\n"
                                  "  --endpoint URL      https://host:port of any node; may be repeated. The first\n"
                                  "                      that answers is asked (default: WEFT_ENDPOINTS, several\n"
                                  "                      apart by spaces)\n"
                                  "  --token-file FILE   has the admin token: admin-token in a node's data folder\n"
                                  "  --token TOKEN       the admin token itself, for other users of this machine to\n"
                                  "                      see (default: WEFT_ADMIN_TOKEN)\n"
                                  "  --ca FILE           who signed the nodes' certificates (default: WEFT_CA, else\n"
                                  "                      the system's authorities)\n"
                                  "of those that show something\n"
                                  "  --json              the server's JSON, for programs\n"
                                  "  --wide              tables with every column, however narrow the terminal\n"
                                  "\n"
                                  "NODE is a name or an id, or the beginning of either if no other's begins so.\n"
                                  "\n"
                                  "exit status: 0 done, 1 refused by the cluster, 2 wrong arguments, 3 no node\n"
                                  "could answer, 4 admin token not accepted\n";

const struct command *command_find(const char *name) {
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void list_print(void) {
    puts("usage: weftctl COMMAND [option...]\n\n"
         "Shows and changes what a Weft cluster does, through the admin interface of any\nof its nodes.\n");
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\nweftctl COMMAND --help says more about each; so does weftctl(1).\n\n%s", common_text);
}

void command_help_print(const struct command *command) {
    if (command == NULL) {
        list_print();
        return;
    }
    printf("usage: weftctl %s %s\n\n%s\n", command->name, command->words, command->help);
    if (command->options & OPTION_WIDE)
        puts("  --wide    every column, however narrow the terminal");
    if (command->options & OPTION_JSON)
        puts("  --json    the server's JSON, for programs");
    puts("\n--endpoint, --token-file, --token and --ca are explained by weftctl --help.");
}
