/*
 * Outside: who else has a say in the audit logs of a site, and where their checkpoints are copied.
 *
 *   DIR/witnesses          a trust policy (c2sp.org/tlog-policy): src/audit/witness.h
 *   DIR/checkpoint-copies  one line: the absolute path of a directory that exists
 *
 * Neither needs to be there. One that is there and cannot be obeyed keeps the site from being
 * opened for asking: else whoever removes a mount or spoils a file would be rid of the guard.
 */
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define WITNESSES "witnesses"
#define COPIES "checkpoint-copies"

/* ---- reading ---- */

/* PB_NOT_FOUND: there is none. */
static enum pb_status
read_setting(const struct pb_env *env, const char *site_path, const char *name, size_t bytes_max,
             char **ret_text, size_t *ret_bytes, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    int written = snprintf(path, sizeof(path), "%s/%s", site_path, name);

    if (written < 0 || (size_t)written >= sizeof(path))
        return pb_fail(error, PB_OVER_LIMIT, "the path of the data directory is too long");
    return pb_load_file(env, path, bytes_max, ret_text, ret_bytes, error);
}

enum pb_status
pb_outside_read_witnesses(const struct pb_env *env, const char *site_path,
                          struct pb_witness_policy *ret_policy, struct pb_error *error)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status =
        read_setting(env, site_path, WITNESSES, PB_POLICY_BYTES_MAX, &text, &bytes, error);

    if (status != PB_OK)
        return status;
    status = pb_witness_policy_parse((struct pb_str){ text, (uint32_t)bytes }, ret_policy, error);
    pb_free(env, text);
    return status == PB_BAD_INPUT ? PB_E_CORRUPT : status;
}

static bool
note_nothing(void *context, const char *name, bool is_directory)
{
    (void)context;
    (void)name;
    (void)is_directory;
    return false;
}

static enum pb_status
check_copies(const struct pb_env *env, const char *path, struct pb_error *error)
{
    enum pb_status status;

    if (path[0] != '/' || strlen(path) >= PB_PATH_BYTES_MAX - 128 ||
        !pb_text_is_plain(pb_str_from(path)))
        return pb_fail(error, PB_BAD_INPUT,
                       "checkpoints are copied to a directory that is named by its absolute path");
    status = env->files->list(env->file_context, path, note_nothing, NULL, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_IO,
                       "'%.300s', where checkpoints are copied, is not there: mount it, or say "
                       "that there are no copies (platebase audit copies --none)",
                       path);
    return status;
}

static enum pb_status
read_copies(const struct pb_env *env, const char *site_path, char ret_path[PB_PATH_BYTES_MAX],
            struct pb_error *error)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status =
        read_setting(env, site_path, COPIES, PB_PATH_BYTES_MAX - 1, &text, &bytes, error);

    if (status != PB_OK)
        return status;
    if (bytes > 0 && text[bytes - 1] == '\n')
        text[--bytes] = '\0';
    memcpy(ret_path, text, bytes + 1);
    pb_free(env, text);
    return PB_OK;
}

enum pb_status
pb_outside_load(const struct pb_env *env, const char *site_path, bool checks,
                struct pb_outside **ret_outside, struct pb_error *error)
{
    struct pb_outside *outside = pb_calloc(env, 1, sizeof(*outside));
    enum pb_status status;

    if (outside == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to open '%s'", site_path);
    outside->witnesses.post = pb_witness_post_http;
    status = pb_outside_read_witnesses(env, site_path, &outside->witnesses.policy, error);
    outside->has_witnesses = status == PB_OK;
    if (status == PB_OK || status == PB_NOT_FOUND)
        status = read_copies(env, site_path, outside->copies, error);
    if (status == PB_OK && checks)
        status = check_copies(env, outside->copies, error);
    if (status != PB_OK && status != PB_NOT_FOUND) {
        pb_free(env, outside);
        return status;
    }
    *ret_outside = outside;
    return PB_OK;
}

void
pb_outside_options(const struct pb_outside *outside, struct pb_audit_options *options)
{
    options->checkpoint_copies = outside->copies[0] != '\0' ? outside->copies : NULL;
    options->witnesses = outside->has_witnesses ? &outside->witnesses : NULL;
}

const struct pb_witnesses *
pb_site_witnesses(const struct pb_site *site)
{
    return site->outside != NULL && site->outside->has_witnesses ? &site->outside->witnesses : NULL;
}

const char *
pb_site_copies(const struct pb_site *site)
{
    return site->outside != NULL && site->outside->copies[0] != '\0' ? site->outside->copies : NULL;
}

/* ---- changing ---- */

/* The leaf, then the file; an empty text removes it. */
static enum pb_status
put_setting(struct pb_site *site, const char *name, struct pb_str text, struct pb_error *error)
{
    const struct pb_env *env = site->env;
    uint8_t digest[PB_DIGEST_BYTES];
    char path[PB_PATH_BYTES_MAX];
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = pb_site_path(site, name, path, error);

    if (status != PB_OK)
        return status;
    (void)crypto_hash_sha256(digest, (const unsigned char *)text.text, text.bytes);
    pb_draft_init(&leaf, PB_AUDIT_OPERATOR, "change", PB_KEEP_OPENINGS_US);
    pb_draft_text(&leaf, "entity", pb_str_from("outside"));
    pb_draft_text(&leaf, "id", pb_str_from(name));
    if (text.bytes > 0)
        pb_draft_hash(&leaf, "after", digest);
    (void)pthread_mutex_lock(&site->change_lock);
    status = pb_drafts_append(site, &leaf, 1, &index, error);
    if (status == PB_OK && text.bytes > 0)
        status = pb_site_write_file(env, site->path, name, text.text, text.bytes, error);
    else if (status == PB_OK)
        status = env->files->unlink(env->file_context, path, error);
    (void)pthread_mutex_unlock(&site->change_lock);
    return status == PB_NOT_FOUND ? PB_OK : status;
}

enum pb_status
pb_site_put_witnesses(struct pb_site *site, struct pb_str text, struct pb_error *error)
{
    struct pb_witness_policy *policy;
    enum pb_status status = PB_OK;

    if (text.bytes > 0) {
        policy = pb_alloc(site->env, sizeof(*policy));
        if (policy == NULL)
            return pb_fail(error, PB_E_NOMEM, "no memory for a policy");
        status = pb_witness_policy_parse(text, policy, error);
        pb_free(site->env, policy);
    }
    return status == PB_OK ? put_setting(site, WITNESSES, text, error) : status;
}

enum pb_status
pb_site_put_copies(struct pb_site *site, const char *path, struct pb_error *error)
{
    char line[PB_PATH_BYTES_MAX];
    int written;
    enum pb_status status;

    if (path == NULL)
        return put_setting(site, COPIES, (struct pb_str){ "", 0 }, error);
    status = check_copies(site->env, path, error);
    if (status != PB_OK)
        return status;
    written = snprintf(line, sizeof(line), "%s\n", path);
    return put_setting(site, COPIES, (struct pb_str){ line, (uint32_t)written }, error);
}

enum pb_status
pb_site_restart_log(const struct pb_env *env, const char *path, const char *log,
                    struct pb_error *error)
{
    char audit_path[PB_PATH_BYTES_MAX], keys_path[PB_PATH_BYTES_MAX];
    struct pb_audit_options options = { 0 };
    struct pb_outside *outside = NULL;
    enum pb_status status;

    if (strlen(path) >= PB_PATH_BYTES_MAX - 256)
        return pb_fail(error, PB_OVER_LIMIT, "the path of the data directory is too long");
    (void)snprintf(audit_path, sizeof(audit_path), "%s/audit", path);
    (void)snprintf(keys_path, sizeof(keys_path), "%s/keys", path);
    status = pb_outside_load(env, path, true, &outside, error);
    if (status != PB_OK)
        return status;
    pb_outside_options(outside, &options);
    status = pb_audit_restart(env, audit_path, keys_path, &options, log, error);
    pb_free(env, outside);
    return status;
}
