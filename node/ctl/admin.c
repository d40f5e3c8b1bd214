#include "node/ctl/admin.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/ctl/answer_body.h"
#include "node/ctl/exit_status.h"
#include "node/ctl/fields.h"
#include "node/ctl/terminal.h"
#include "proto/check.h"

#define CONNECT_TIMEOUT_S 5L
#define CALL_TIMEOUT_S 45L /* receivers of events have 30 s to answer a node */
#define URL_BYTES_MAX (ACCESS_ENDPOINT_BYTES_MAX + 3 * ADMIN_PATH_BYTES_MAX) /* a path has up to two segments */

void admin_init(struct admin *admin, struct access *access) {
    *admin = (struct admin){.access = access};
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    admin->easy = curl_easy_init();
    check(admin->easy != NULL);
}

void admin_close(struct admin *admin) {
    curl_easy_cleanup(admin->easy);
    curl_global_cleanup();
}

char *admin_segment(const char *text, char out[static ADMIN_PATH_BYTES_MAX]) {
    size_t used = 0;
    for (; *text != 0 && used + 4 < ADMIN_PATH_BYTES_MAX; text++) {
        unsigned char sign = (unsigned char)*text;
        bool is_plain = sign < 0x80 && (isalnum(sign) || strchr("-._~:", sign) != NULL);
        used += (size_t)snprintf(out + used, 4, is_plain ? "%c" : "%%%02X", sign);
    }
    out[used] = 0;
    return out;
}

/* One more line. What nodes and libraries say is made safe to show. */
__attribute__((format(printf, 2, 3))) static void complain(struct admin *admin, const char *format, ...) {
    char raw[COMPLAINT_BYTES_MAX / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    size_t used = strlen(admin->complaint);
    if (used > 0 && used + 6 < COMPLAINT_BYTES_MAX)
        used = (size_t)(stpcpy(admin->complaint + used, "\n    ") - admin->complaint);
    terminal_clean(raw, admin->complaint + used, COMPLAINT_BYTES_MAX - used);
}

static struct curl_slist *headers_of(const struct admin *admin, bool has_body) {
    char authorization[ACCESS_TOKEN_BYTES_MAX + 32];
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", admin->access->token);
    struct curl_slist *headers = curl_slist_append(NULL, authorization);
    headers = curl_slist_append(headers, "Accept: application/json");
    return has_body ? curl_slist_append(headers, "Content-Type: application/json") : headers;
}

static CURLcode exchange(struct admin *admin, const char *method, const char *url, const char *text,
                         struct answer_body *body) {
    struct curl_slist *headers = headers_of(admin, text != NULL);
    CURL *easy = admin->easy;
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, CALL_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "weftctl");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_body_take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (admin->access->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, admin->access->ca_file);
    if (strcmp(method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, text != NULL ? text : "");
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
    CURLcode code = curl_easy_perform(easy);
    curl_slist_free_all(headers);
    return code;
}

/* Once, however many nodes it is about. */
static void hint_authorities(struct admin *admin) {
    static const char hint[] = "a node that made its own certificate has its CA file at tls/ca.pem in its data folder";
    const char *ca_file = admin->access->ca_file;
    if (strstr(admin->complaint, hint) == NULL)
        complain(admin, "(%s%s; %s: --ca)",
                 ca_file != NULL ? "it was checked against " : "it was checked against the system's authorities",
                 ca_file != NULL ? ca_file : "", hint);
}

static void complain_of_silence(struct admin *admin, const char *endpoint, CURLcode code) {
    complain(admin, "%s: %s", endpoint, curl_easy_strerror(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        hint_authorities(admin);
}

/* The call was certainly not carried out, so that another node may be asked to. */
static bool was_not_sent(CURLcode code) {
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_PEER_FAILED_VERIFICATION;
}

static int judge_refusal(struct admin *admin, const char *endpoint, const char *path, long status,
                         const json_t *answer) {
    const json_t *error = field_object(answer, "error");
    const char *message = field_text(error, "message"), *code = field_text(error, "code");
    if (status == 401 || status == 403) {
        complain(admin, "%s does not accept the admin token: %s", endpoint,
                 message[0] != 0 ? message : "(no reason given)");
        complain(admin, "A node keeps the token in admin-token in its data folder: --token-file, or WEFT_ADMIN_TOKEN.");
        return EXIT_NOT_ADMITTED;
    }
    const char *before = code[0] != 0 ? " (" : "", *after = code[0] != 0 ? ")" : "";
    if (status == 404)
        complain(admin, "%s%s: %s%s%s%s", endpoint, path,
                 message[0] != 0 ? message : "there is no such thing. Is it a node of Weft, and of the same version?",
                 before, code, after);
    else if (message[0] == 0)
        complain(admin, "%s refuses with status %ld and does not say why; its log does", endpoint, status);
    else
        complain(admin, "%s%s%s%s", message, before, code, after);
    return EXIT_REFUSED;
}

/* A node that starts, ends or has lost the others: another one may know more. */
static int judge_unavailable(struct admin *admin, const char *endpoint, const json_t *answer) {
    const char *message = field_text(field_object(answer, "error"), "message");
    complain(admin, "%s: %s", endpoint, message[0] != 0 ? message : "it refuses for now (503)");
    return EXIT_UNREACHABLE;
}

static int judge_answer(struct admin *admin, const char *endpoint, const char *path, const struct answer_body *body,
                        json_t **answer) {
    long status = 0;
    json_error_t error;
    curl_easy_getinfo(admin->easy, CURLINFO_RESPONSE_CODE, &status);
    json_t *root = body->size == 0 ? json_object() : json_loadb(body->data, body->size, 0, &error);
    int rc = EXIT_DONE;
    if (status != 503)
        admin->complaint[0] = 0;
    if (status == 503) {
        rc = judge_unavailable(admin, endpoint, root);
    } else if (status < 200 || status > 299) {
        rc = judge_refusal(admin, endpoint, path, status, root);
    } else if (!json_is_object(root)) {
        complain(admin, "%s answers something else than a JSON object. Is it a node of Weft?", endpoint);
        rc = EXIT_REFUSED;
    }
    *answer = rc == EXIT_DONE ? root : NULL;
    if (rc != EXIT_DONE)
        json_decref(root);
    return rc;
}

/* EXIT_UNREACHABLE: another node may be asked if `*may_go_on`. */
static int call_one(struct admin *admin, size_t index, const char *method, const char *path, const char *text,
                    json_t **answer, bool *may_go_on) {
    const char *endpoint = admin->access->endpoints[index];
    char url[URL_BYTES_MAX];
    struct answer_body body = {0};
    snprintf(url, sizeof url, "%s%s", endpoint, path);
    CURLcode code = exchange(admin, method, url, text, &body);
    int rc = EXIT_UNREACHABLE;
    *may_go_on = code != CURLE_OK && (strcmp(method, "GET") == 0 || was_not_sent(code));
    if (code == CURLE_OK) {
        rc = judge_answer(admin, endpoint, path, &body, answer);
        admin->current = rc != EXIT_UNREACHABLE ? index : admin->current;
        *may_go_on = rc == EXIT_UNREACHABLE;
    } else {
        complain_of_silence(admin, endpoint, code);
        if (!*may_go_on)
            complain(admin, "It may have been done all the same: weftctl status shows it.");
    }
    free(body.data);
    return rc;
}

int admin_call(struct admin *admin, const char *method, const char *path, const json_t *body, json_t **answer) {
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    size_t count = admin->access->endpoints_count, first = admin->current;
    int rc = EXIT_UNREACHABLE;
    bool may_go_on = true;
    check(body == NULL || text != NULL);
    *answer = NULL;
    admin->complaint[0] = 0;
    complain(admin, "no node could answer:");
    for (size_t i = 0; i < count && may_go_on; i++)
        rc = call_one(admin, (first + i) % count, method, path, text, answer, &may_go_on);
    free(text);
    return rc;
}
