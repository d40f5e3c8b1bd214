#pragma once
/* Which users a resource is to be asked as: those of --user and of a file, one id a line. */
#include "node/ctl/ctl.h"
#include "node/ctl/source.h"

/* EXIT_DONE, or EXIT_USAGE after saying what is wrong. None at all is no error here. */
int people_read(const struct arguments *arguments, struct source *source);
