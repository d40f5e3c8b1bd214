#pragma once
/* What every command of weftctl works with. */
#include "node/ctl/admin.h"
#include "node/ctl/arguments.h"
#include "node/ctl/exit_status.h"
#include "node/ctl/terminal.h"

struct ctl {
    const struct arguments *arguments;
    struct access access;
    struct admin admin; /* its complaint, if a command ends with another status than EXIT_DONE, is printed by main */
    struct terminal terminal;
};

/* Each gives an exit status. The words of the command line were counted before. */
int status_run(struct ctl *ctl);
int nodes_run(struct ctl *ctl);
int ranges_run(struct ctl *ctl);
int plan_run(struct ctl *ctl);
int rebalance_run(struct ctl *ctl);
int drain_run(struct ctl *ctl);
int move_run(struct ctl *ctl);
int split_run(struct ctl *ctl);
int pause_run(struct ctl *ctl);
int resume_run(struct ctl *ctl);
int tokens_run(struct ctl *ctl);
int events_run(struct ctl *ctl);
int bots_run(struct ctl *ctl);
int bridges_run(struct ctl *ctl);
int trace_run(struct ctl *ctl);
int hold_run(struct ctl *ctl);
int undelete_run(struct ctl *ctl);
int top_run(struct ctl *ctl);
int export_run(struct ctl *ctl);
int import_run(struct ctl *ctl);

/* Sets the complaint; returns `rc`. */
__attribute__((format(printf, 3, 4))) int ctl_complain(struct ctl *ctl, int rc, const char *format, ...);

/* The server's JSON on standard output: over several lines, or in one if it is one of many (--watch). */
void ctl_print_json(const json_t *json, bool is_one_of_many);

/* A call whose answer says nothing but that it was accepted: with --json it is printed, otherwise `format` is. */
__attribute__((format(printf, 5, 6))) int ctl_ask(struct ctl *ctl, const char *method, const char *path,
                                                  const json_t *body, const char *format, ...);

/* A call whose answer is shown: with --json as it is, otherwise by `print`. */
int ctl_ask_shown(struct ctl *ctl, const char *method, const char *path, const json_t *body,
                  void (*print)(const json_t *answer));
