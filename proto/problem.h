#pragma once
/* A refusal with its details, in the form every REST error body and real-time error has: which field, which limit,
 * which value. Filled by whoever refuses; turned into `{"error":{"code","message","target"}}` (contract 9.1) in one
 * place. */
#include "proto/arena.h"
#include "proto/status.h"

struct problem {
    int rc;
    struct bytes message; /* absent: status_sentence(rc) */
    struct bytes target;  /* the field; absent: none */
};

/* Sets all three and returns rc, so that `return problem_set(...)` reads well. `target` is static text or NULL. */
int problem_set(struct problem *problem, struct arena *arena, int rc, const char *target, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The whole JSON body, in the arena. */
struct bytes problem_body(struct arena *arena, const struct problem *problem);
