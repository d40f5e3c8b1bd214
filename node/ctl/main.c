/* weftctl: what an operator sees of a Weft cluster, and does with it. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "node/ctl/commands.h"

static int run(const struct command *command, const struct arguments *arguments) {
    static struct ctl ctl;
    ctl.arguments = arguments;
    terminal_look(&ctl.terminal);
    if (arguments_have(arguments, OPTION_WIDE))
        ctl.terminal.width = 0;
    /* Who takes a connection string speaks to a resource by it, and asks for an admin token only if one is needed. */
    bool is_of_admin = (command->options & OPTION_CONNECTION) == 0;
    int rc = !is_of_admin ? access_choose_authorities(arguments, &ctl.access) : access_choose(arguments, &ctl.access);
    if (rc != EXIT_DONE)
        return rc;
    admin_init(&ctl.admin, &ctl.access);
    rc = command->run(&ctl);
    if (rc != EXIT_DONE && ctl.admin.complaint[0] != 0)
        fprintf(stderr, "weftctl: %s\n", ctl.admin.complaint);
    admin_close(&ctl.admin);
    return rc;
}

static int words_check(const struct command *command, const struct arguments *arguments) {
    size_t count = arguments->words.count;
    if (count >= command->words_min && count <= command->words_max)
        return arguments_allow(arguments, command->name, command->options);
    return usage_wrong("usage: weftctl %s %s", command->name, command->words);
}

static int choose_and_run(const struct arguments *arguments) {
    const char *name = arguments->words.count > 0 ? arguments->words.items[0] : NULL;
    const struct command *command = name != NULL ? command_find(name) : NULL;
    if (arguments_have(arguments, OPTION_VERSION)) {
        puts("weftctl " WEFT_VERSION);
        return EXIT_DONE;
    }
    if (name != NULL && command == NULL)
        return usage_wrong("there is no command \"%s\"; weftctl --help lists them", name);
    if (arguments_have(arguments, OPTION_HELP)) {
        command_help_print(command);
        return EXIT_DONE;
    }
    if (command == NULL)
        return usage_wrong("which command? weftctl --help lists them");
    int rc = words_check(command, arguments);
    return rc == EXIT_DONE ? run(command, arguments) : rc;
}

int main(int argc, char **argv) {
    static struct arguments arguments;
    setlocale(LC_CTYPE, "");
    /* Whoever reads what we write may stop to: weftctl ranges | head. */
    signal(SIGPIPE, SIG_IGN);
    int rc = arguments_parse(argc, argv, &arguments);
    if (rc == EXIT_DONE)
        rc = choose_and_run(&arguments);
    bool was_ignored = fflush(stdout) != 0 && errno != EPIPE;
    if (was_ignored)
        fprintf(stderr, "weftctl: cannot write to standard output: %s\n", strerror(errno));
    return rc == EXIT_DONE && was_ignored ? EXIT_REFUSED : rc;
}
