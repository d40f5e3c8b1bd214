#pragma once
/* What comes from elsewhere, by the admin interface: users, threads, their messages, as lines of a dump have them
 * (node/ctl/dump.h, proto/import_json.h). Each call may be repeated: what is there already is answered with
 * {"isNew": false}; what contradicts it is refused by name with 409 and changes nothing.
 *
 *   PUT /admin/import/users/{id}          an identity of this resource, with its old id
 *   PUT /admin/import/threads/{id}        a thread, whose lists its participants get, and room for its messages
 *   POST /admin/import/threads/{id}/messages   some of these, in the order of their offsets */
#include "node/gateway/router.h"

extern const struct http_route_table import_routes;
