#pragma once
/* What operators keep of threads: the hold on a thread, and what can be undeleted. For holders of the admin token, at
 * any node; the one that leads the thread answers.
 *
 *   GET /admin/threads/{id}/hold           {"threadId","isHeld","isDeleted"}, and held {"reason","since"}, and deleted
 *                                          {"deletedOn"} and while its rows are kept {"keptUntil"}; times as in
 * admin_json.h PUT /admin/threads/{id}/hold           {"reason"}: nothing of the thread is removed from now on, deleted
 * or not DELETE /admin/threads/{id}/hold        ends that; what was deleted meanwhile is shredded soon POST
 * /admin/threads/{id}/undelete      a deleted thread that is kept is there again
 *
 * All answer with what GET says then. */
#include "node/gateway/router.h"

extern const struct http_route_table keeping_routes;
