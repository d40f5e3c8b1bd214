#pragma once
/* The two halves of weftctl import. */
#include "node/ctl/ctl.h"

/* Everything in the dump becomes the cluster's. FILE.imported says how far it has come, for a later run. */
int import_dump(struct ctl *ctl, const char *file);

/* Compares the dump with what the users of the cluster see. */
int verify_dump(struct ctl *ctl, const char *file);
