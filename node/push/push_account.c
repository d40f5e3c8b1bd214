#include "node/push/push_account.h"

#include <stdio.h>

#include "node/push/json_web_token.h"
#include "proto/json_tree.h"
#include "proto/status.h"

#define FILE_BYTES_MAX (64 * 1024)
#define SCOPE "https://www.googleapis.com/auth/firebase.messaging"
#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="

/* Absent: it cannot be read, or is too long. */
static struct bytes file_read(const char *path, struct arena *arena) {
    char *text = arena_alloc(arena, FILE_BYTES_MAX);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return BYTES_ABSENT;
    size_t size = fread(text, 1, FILE_BYTES_MAX, file);
    bool is_whole = feof(file) && !ferror(file);
    fclose(file);
    return is_whole ? bytes_of(text, size) : BYTES_ABSENT;
}

static int refuse(struct bytes *reason, struct arena *arena, const char *path, const char *what) {
    *reason = arena_printf(arena, "%s %s", path, what);
    return STATUS_VALIDATION_ERROR;
}

/* ---- Google ---- */

static struct bytes member(const json_t *object, const char *name, struct arena *arena) {
    const json_t *value = json_member_find(object, name);
    return json_is_string(value) ? arena_copy(arena, bytes_of(json_string_value(value), json_string_length(value)))
                                 : BYTES_ABSENT;
}

static bool has_form_of_name(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:", text.data[i]) == NULL ||
            text.data[i] == '\0')
            return false;
    return text.size > 0;
}

static int fcm_load(const struct push_account_files *files, struct arena *arena, struct push_account *account,
                    struct bytes *reason) {
    struct bytes text = file_read(files->fcm_account_file, arena);
    if (!bytes_is_present(text))
        return refuse(reason, arena, files->fcm_account_file, "cannot be read");
    json_t *root = json_loadb((const char *)text.data, text.size, 0, NULL);
    account->project = member(root, "project_id", arena);
    account->email = member(root, "client_email", arena);
    account->key_id = member(root, "private_key_id", arena);
    account->key = member(root, "private_key", arena);
    account->token_url = member(root, "token_uri", arena);
    json_decref(root);
    if (!has_form_of_name(account->project) || !bytes_is_present(account->email) ||
        !bytes_is_present(account->token_url) || !bytes_is_present(account->key) ||
        !bytes_is_present(push_account_grant(account, 0, arena)))
        return refuse(reason, arena, files->fcm_account_file,
                      "is no key file of a Google service account: project_id, client_email, token_uri and a "
                      "private_key of RSA are needed");
    account->fcm_url = bytes_of_text(files->fcm_url);
    return STATUS_OK;
}

struct bytes push_account_grant(const struct push_account *account, int64_t now_s, struct arena *arena) {
    json_t *claims = json_object_new();
    json_text_set(claims, "iss", account->email);
    json_text_set(claims, "scope", BYTES_LITERAL(SCOPE));
    json_text_set(claims, "aud", account->token_url);
    json_member_set(claims, "iat", json_integer(now_s));
    json_member_set(claims, "exp", json_integer(now_s + PUSH_FCM_TOKEN_S));
    struct bytes assertion = json_web_token_rs256(account->key, account->key_id, claims, arena);
    return bytes_is_present(assertion) ? arena_printf(arena, "%s%.*s", GRANT, BYTES_ARG(assertion)) : BYTES_ABSENT;
}

static bool is_printable(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f)
            return false;
    return text.size > 0;
}

bool push_account_granted(struct bytes answer, struct arena *arena, struct bytes *token, int64_t *lasts_s) {
    json_t *root = json_loadb((const char *)answer.data, answer.size, 0, NULL);
    *token = member(root, "access_token", arena);
    *lasts_s = json_integer_value(json_member_find(root, "expires_in"));
    json_decref(root);
    if (*lasts_s <= 0 || *lasts_s > PUSH_FCM_TOKEN_S)
        *lasts_s = PUSH_FCM_TOKEN_S;
    return bytes_is_present(*token) && is_printable(*token);
}

/* ---- Apple ---- */

static int apns_load(const struct push_account_files *files, struct arena *arena, struct push_account *account,
                     struct bytes *reason) {
    struct bytes text = file_read(files->apns_key_file, arena);
    if (!bytes_is_present(text))
        return refuse(reason, arena, files->apns_key_file, "cannot be read");
    if (!elliptic_from_pem(text, &account->apns_key))
        return refuse(reason, arena, files->apns_key_file, "is no private key of P-256, as Apple gives them (.p8)");
    account->apns_key_id = bytes_of_text(files->apns_key_id);
    account->team_id = bytes_of_text(files->apns_team_id);
    account->apns_topic = bytes_of_text(files->apns_topic);
    if (account->apns_key_id.size == 0 || account->team_id.size == 0 || account->apns_topic.size == 0)
        return refuse(reason, arena, files->apns_key_file,
                      "needs push_apns_key_id, push_apns_team_id and push_apns_topic beside it");
    account->apns_url = bytes_of_text(files->apns_url);
    return STATUS_OK;
}

struct bytes push_account_apns_token(const struct push_account *account, int64_t now_s, struct arena *arena) {
    json_t *claims = json_object_new();
    json_text_set(claims, "iss", account->team_id);
    json_member_set(claims, "iat", json_integer(now_s));
    return json_web_token_es256(&account->apns_key, account->apns_key_id, claims, arena);
}

int push_account_load(const struct push_account_files *files, struct arena *arena, struct push_account *account,
                      struct bytes *reason) {
    int rc = STATUS_OK;
    *account = (struct push_account){.fcm_url = BYTES_ABSENT, .apns_url = BYTES_ABSENT};
    if (files->fcm_account_file[0] != '\0')
        rc = fcm_load(files, arena, account, reason);
    if (rc == STATUS_OK && files->apns_key_file[0] != '\0')
        rc = apns_load(files, arena, account, reason);
    return rc;
}
