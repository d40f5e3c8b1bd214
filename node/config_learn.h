#pragma once
/* What a node that has joined a cluster keeps in its data folder, lines of `key = value`: what it was told, and where
 * it listens since. Both count more than defaults and less than everything that the operator has given. */
#include "node/config.h"

#define CONFIG_JOINED_FILE "joined.conf"
#define CONFIG_ADDRESSES_FILE "addresses.conf"

/* Takes lines for keys that are not given. Values are taken as they are, spaces included; the name of a file is one in
 * the data folder. Each mistake is a line in `problems` that begins with `name`, the file of the lines. */
void config_learn(struct config *config, const char *name, struct bytes lines, struct buffer *problems);

/* The same from both files, as far as they are there. */
void config_learn_kept(struct config *config, struct buffer *problems);
