#pragma once
/* What a client of Weft's own real time asks for, frame by frame (proto/README.md, "Client to server"). */
#include "node/gateway/realtime_session.h"

/* Does what the request says; the client is answered now or later. The request is borrowed until return. */
void realtime_request_perform(struct realtime_session *self, struct arena *arena,
                              const struct realtime_request *request);
