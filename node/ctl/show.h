#pragma once
/* The cluster shown once. */
#include "node/ctl/ctl.h"
#include "node/ctl/overview.h"

typedef void show_print(const struct terminal *terminal, const struct overview *overview);

/* Asks for the overview and prints it, or with --json the server's own words. */
int show_overview(struct ctl *ctl, show_print *print);
