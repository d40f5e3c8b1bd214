#define _GNU_SOURCE
#include "node/ctl/access.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/ctl/exit_status.h"

#define PATH_BYTES_MAX 4096

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

static bool host_is_loopback(const char *host) {
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
}

const char *access_endpoint_read(const char *text, char *out, size_t out_bytes) {
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL;
    const char *wrong = "it is not of the form https://host[:port]";
    if (url == NULL || strstr(text, "://") == NULL || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK || strcmp(path, "/") != 0)
        goto end;
    bool has_port = curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK;
    bool is_plain = strcmp(scheme, "http") == 0;
    if (!is_plain && strcmp(scheme, "https") != 0)
        goto end;
    wrong = "without TLS only loopback is allowed, or tokens would cross the network for all to see";
    if (is_plain && !host_is_loopback(host))
        goto end;
    wrong = "it is too long";
    int size = snprintf(out, out_bytes, "%s://%s%s%s", scheme, host, has_port ? ":" : "", has_port ? port : "");
    wrong = size > 0 && (size_t)size < out_bytes ? NULL : wrong;
end:
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(url);
    return wrong;
}

static bool endpoint_is_known(const struct access *access, const char *endpoint) {
    for (size_t i = 0; i < access->endpoints_count; i++)
        if (strcmp(access->endpoints[i], endpoint) == 0)
            return true;
    return false;
}

static int endpoint_add(struct access *access, const char *source, const char *text) {
    char endpoint[ACCESS_ENDPOINT_BYTES_MAX];
    const char *wrong = access_endpoint_read(text, endpoint, sizeof endpoint);
    if (wrong != NULL)
        return usage_wrong("%s: \"%s\": %s", source, text, wrong);
    if (endpoint_is_known(access, endpoint))
        return EXIT_DONE;
    if (access->endpoints_count == ACCESS_ENDPOINTS_MAX)
        return usage_wrong("%s: more than %d endpoints", source, ACCESS_ENDPOINTS_MAX);
    strcpy(access->endpoints[access->endpoints_count++], endpoint);
    return EXIT_DONE;
}

void access_learn(struct access *access, const char *text) {
    char endpoint[ACCESS_ENDPOINT_BYTES_MAX];
    if (access->endpoints_count == ACCESS_ENDPOINTS_MAX ||
        access_endpoint_read(text, endpoint, sizeof endpoint) != NULL || endpoint_is_known(access, endpoint))
        return;
    strcpy(access->endpoints[access->endpoints_count++], endpoint);
}

/* Endpoints in a row, apart by spaces or commas. */
static int endpoints_add(struct access *access, const char *source, const char *text) {
    char *copy = strdup(text), *rest = NULL;
    int rc = copy == NULL ? usage_wrong("out of memory") : EXIT_DONE;
    for (char *item = copy == NULL ? NULL : strtok_r(copy, ", \t", &rest); rc == EXIT_DONE && item != NULL;
         item = strtok_r(NULL, ", \t", &rest))
        rc = endpoint_add(access, source, item);
    free(copy);
    return rc;
}

/* What cluster-config/up wrote for a cluster on this machine: below this folder, or beside this program's build. */
static bool find_env_file(char out[static PATH_BYTES_MAX]) {
    char program[PATH_BYTES_MAX / 2];
    const char *run_dir = environment("WEFT_RUN_DIR");
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size > 0 ? size : 0] = 0;
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = 0;
    snprintf(out, PATH_BYTES_MAX, "%s/env", run_dir != NULL ? run_dir : "cluster-config/run");
    if (access(out, R_OK) == 0 || run_dir != NULL)
        return access(out, R_OK) == 0;
    snprintf(out, PATH_BYTES_MAX, "%s/../../cluster-config/run/env", program);
    char *real = realpath(out, NULL);
    if (real != NULL)
        snprintf(out, PATH_BYTES_MAX, "%s", real);
    free(real);
    return real != NULL;
}

static void hint_env_file(void) {
    char file[PATH_BYTES_MAX];
    if (find_env_file(file))
        fprintf(stderr,
                "weftctl: a cluster of this machine is described by %s; read it into this shell with\n    . %s%s\n",
                file, file[0] == '/' ? "" : "./", file);
}

static int endpoints_choose(const struct arguments *arguments, struct access *out) {
    const char *variable = environment("WEFT_ENDPOINTS");
    int rc = EXIT_DONE;
    for (size_t i = 0; rc == EXIT_DONE && i < arguments->endpoints.count; i++)
        rc = endpoints_add(out, "--endpoint", arguments->endpoints.items[i]);
    if (rc == EXIT_DONE && arguments->endpoints.count == 0 && variable != NULL)
        rc = endpoints_add(out, "WEFT_ENDPOINTS", variable);
    if (rc != EXIT_DONE || out->endpoints_count > 0)
        return rc;
    usage_wrong("no endpoint: give --endpoint https://host:port of any node, or set WEFT_ENDPOINTS");
    hint_env_file();
    return EXIT_USAGE;
}

static int token_take(const char *source, const char *text, char out[static ACCESS_TOKEN_BYTES_MAX]) {
    size_t size = strcspn(text, "\r\n");
    if (size >= ACCESS_TOKEN_BYTES_MAX)
        return usage_wrong("%s: the admin token is longer than %d bytes", source, ACCESS_TOKEN_BYTES_MAX - 1);
    if (size == 0 || text[size + strspn(text + size, "\r\n")] != 0)
        return usage_wrong("%s: an admin token is one line of text", source);
    memcpy(out, text, size);
    out[size] = 0;
    return EXIT_DONE;
}

static int token_read(const char *path, char out[static ACCESS_TOKEN_BYTES_MAX]) {
    char text[ACCESS_TOKEN_BYTES_MAX + 8] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return usage_wrong("--token-file: cannot read %s: %s", path, strerror(errno));
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    return token_take(path, text, out);
}

static int token_choose(const struct arguments *arguments, struct access *out) {
    if (arguments->token != NULL)
        return token_take("--token", arguments->token, out->token);
    if (arguments->token_file != NULL)
        return token_read(arguments->token_file, out->token);
    if (environment("WEFT_ADMIN_TOKEN") != NULL)
        return token_take("WEFT_ADMIN_TOKEN", environment("WEFT_ADMIN_TOKEN"), out->token);
    usage_wrong("no admin token: give --token-file FILE (a node keeps its token in admin-token in its data folder), or "
                "set WEFT_ADMIN_TOKEN");
    hint_env_file();
    return EXIT_NOT_ADMITTED;
}

int access_choose_authorities(const struct arguments *arguments, struct access *out) {
    *out = (struct access){.ca_file = arguments->ca_file != NULL ? arguments->ca_file : environment("WEFT_CA")};
    if (out->ca_file == NULL || access(out->ca_file, R_OK) == 0)
        return EXIT_DONE;
    return usage_wrong("%s: cannot read %s: %s", arguments->ca_file != NULL ? "--ca" : "WEFT_CA", out->ca_file,
                       strerror(errno));
}

int access_choose(const struct arguments *arguments, struct access *out) {
    struct access authorities;
    *out = (struct access){.endpoints_count = 0};
    int rc = endpoints_choose(arguments, out);
    if (rc == EXIT_DONE)
        rc = token_choose(arguments, out);
    if (rc == EXIT_DONE)
        rc = access_choose_authorities(arguments, &authorities);
    out->ca_file = rc == EXIT_DONE ? authorities.ca_file : NULL;
    return rc;
}
