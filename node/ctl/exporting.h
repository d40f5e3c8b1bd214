#pragma once
/* A resource read through its REST interface and written down as a dump: weftctl export, and the first half of an
 * import from a connection string. The dump grows under the name FILE.partial, which is all that a later run needs to
 * go on from: what is whole in it stays. */
#include "node/ctl/ctl.h"
#include "node/ctl/signing.h"

/* --connection-string or --from-connection-string, else WEFT_CONNECTION_STRING. EXIT_USAGE after saying what is wrong.
 */
int export_connection_choose(const char *option, const char *given, struct connection *connection);

/* Until FILE is whole; a FILE that is there already is refused. */
int export_to(struct ctl *ctl, const struct connection *connection, const char *file);
