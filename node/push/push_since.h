#pragma once
/* Since when the cluster tells devices: `push/since` at the coordinator, made by the first node whose `push` is on, and
 * gone with the first that is started with `push` off, so that whoever switches it on again is not told what happened
 * in between. */
#include "node/coordinator/coordinator.h"

/* Take as long as the coordinator does, and give its codes. `now_ms`: when it is made, if it is. */
int push_since_get(struct coordinator *coordinator, int64_t now_ms, int64_t *since_ms);
int push_since_forget(struct coordinator *coordinator);
