#pragma once
/* What is said of one subscription to server events, by who makes them. */
#include <jansson.h>

/* On standard output, a line each; with the secret, when there is one, which is shown once. */
void subscription_print(const json_t *subscription);
