#include "proto/status.h"

const char *status_name(int rc) {
    switch (rc) {
    case STATUS_OK:
        return "OK";
#define STATUS_NAME(code, number, name, http, sentence)                                                                \
    case number:                                                                                                       \
        return name;
        STATUS_TABLE(STATUS_NAME)
#undef STATUS_NAME
    default:
        return "Unknown";
    }
}

const char *status_sentence(int rc) {
    switch (rc) {
    case STATUS_OK:
        return "Done.";
#define STATUS_SENTENCE(code, number, name, http, sentence)                                                            \
    case number:                                                                                                       \
        return sentence;
        STATUS_TABLE(STATUS_SENTENCE)
#undef STATUS_SENTENCE
    default:
        return "An unknown condition.";
    }
}

int status_http(int rc) {
    switch (rc) {
    case STATUS_OK:
        return 200;
#define STATUS_HTTP(code, number, name, http, sentence)                                                                \
    case number:                                                                                                       \
        return http;
        STATUS_TABLE(STATUS_HTTP)
#undef STATUS_HTTP
    default:
        return 500;
    }
}

bool status_is_temporary(int rc) {
    int http = status_http(rc);
    return http == 429 || http == 503;
}
