/*
 * Restart: a log that cannot go on, since leaves of it are lost or a witness knows another history,
 * begins again under a new origin. What is left of it stays beside it, as <log>~<number>, and
 * the first leaf of the new one says what was last given out of the old one.
 *
 * Each step can be repeated: whoever was interrupted calls again.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit_private.h"
#include "audit/encode.h"

#define NUMBER_MAX 1000u

/* Where a log lies, or (number > 0) what was set aside of it. */
static void
path_of(const struct pb_audit *audit, const char *room, const char *log, unsigned number,
        char ret_path[PB_PATH_BYTES_MAX])
{
    char name[PB_PLACE_NAME_BYTES_MAX];

    (void)snprintf(name, sizeof(name), number == 0 ? "%s/%s" : "%s/%s~%u", room, log, number);
    pb_place_path(&audit->place, pb_str_from(name), ret_path);
}

static bool
is_there(const struct pb_audit *audit, const char *room, const char *log, unsigned number)
{
    char path[PB_PATH_BYTES_MAX];

    path_of(audit, room, log, number, path);
    return audit->env->files->sync_directory(audit->env->file_context, path, NULL) == PB_OK;
}

/* The first number under which nothing is set aside yet. */
static enum pb_status
find_number(struct pb_audit *audit, const char *log, unsigned *ret_number, struct pb_error *error)
{
    for (unsigned number = 1; number < NUMBER_MAX; number++) {
        if (!is_there(audit, "public", log, number) && !is_there(audit, "private", log, number)) {
            *ret_number = number;
            return PB_OK;
        }
    }
    return pb_fail(error, PB_OVER_LIMIT, "audit log '%s' has begun again too often", log);
}

static enum pb_status
set_aside(struct pb_audit *audit, const char *room, const char *log, unsigned number,
          struct pb_error *error)
{
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];

    if (!is_there(audit, room, log, 0))
        return PB_OK;
    path_of(audit, room, log, 0, from);
    path_of(audit, room, log, number, to);
    return audit->env->files->rename(audit->env->file_context, from, to, error);
}

/* "logs.example/agency/a42" becomes "logs.example/agency/a42/2", that becomes ".../3". */
static enum pb_status
next_origin(const char *origin, char ret_origin[PB_NOTE_NAME_BYTES_MAX + 1], struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_origin, PB_NOTE_NAME_BYTES_MAX + 1);
    const char *last = strrchr(origin, '/');
    size_t kept = strlen(origin);
    uint64_t number = 1;

    if (last != NULL && pb_decimal_decode(pb_str_from(last + 1), &number) == PB_OK && number >= 2)
        kept = (size_t)(last - origin);
    else
        number = 1;
    pb_put_bytes(&out, origin, kept);
    pb_put_char(&out, '/');
    pb_put_u64(&out, number + 1);
    pb_put_char(&out, '\0');
    if (out.is_cut)
        return pb_fail(error, PB_OVER_LIMIT, "the origin '%s' has no room for a number", origin);
    return PB_OK;
}

static enum pb_status
append_first_leaf(struct pb_audit *audit, const char *log, const char *origin,
                  const struct pb_head *head, uint64_t found, struct pb_error *error)
{
    struct pb_audit_field fields[] = {
        { .name = "before", .kind = PB_AUDIT_FIELD_TEXT, .text = pb_str_from(origin) },
        { .name = "size", .kind = PB_AUDIT_FIELD_NUMBER, .number = (int64_t)head->size },
        { .name = "root",
          .kind = PB_AUDIT_FIELD_HASH,
          .text = { (const char *)head->root.bytes, PB_HASH_BYTES } },
        { .name = "found", .kind = PB_AUDIT_FIELD_NUMBER, .number = (int64_t)found },
    };
    struct pb_audit_leaf leaf = {
        .log = log, .event = "restart", .fields = fields, .field_count = 4
    };
    uint64_t index = 0;

    return pb_audit_append(audit, &leaf, 1, &index, error);
}

/* The log in memory and in `state` becomes one without leaves. */
static enum pb_status
begin_again(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    char origin[PB_NOTE_NAME_BYTES_MAX + 1];
    struct pb_vkey key;
    enum pb_status status = next_origin(log->key.name, origin, error);

    if (status == PB_OK)
        status = pb_keys_make_signer(audit->keys, log->id, pb_str_from(origin), &key, error);
    if (status != PB_OK)
        return status;
    log->key = key;
    pb_growth_unload(audit, log);
    (void)pthread_mutex_lock(&audit->tails);
    pb_pending_drop(audit, log, log->size);
    log->size = 0;
    log->kept_size = 0;
    (void)pthread_mutex_unlock(&audit->tails);
    log->previous_size = 0;
    log->published_size = 0;
    log->is_published = false;
    log->needs_repair = false;
    log->is_known = false;
    pb_tree_hash_empty(&log->kept_root);
    return pb_publish_begin_log(audit, log, error);
}

static enum pb_status
set_all_aside(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    unsigned number = 0;
    enum pb_status status = find_number(audit, log->id, &number, error);

    if (status == PB_OK)
        status = set_aside(audit, "public", log->id, number, error);
    if (status == PB_OK)
        status = set_aside(audit, "private", log->id, number, error);
    if (status == PB_OK)
        status = pb_keys_retire_signer(audit->keys, log->id, number, error);
    return status;
}

/* The caller holds integrating. */
static enum pb_status
restart(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    struct pb_state_change change = { .keeps = false };
    enum pb_status status;

    /* The journal is empty then, and what was left of the log is in its files. */
    status = pb_publish_keep(audit, error);
    if (status == PB_OK)
        status = set_all_aside(audit, log, error);
    if (status == PB_OK)
        status = begin_again(audit, log, error);
    change.journal_first = audit->journal_first;
    change.commit = audit->kept_commit;
    if (status == PB_OK)
        status = pb_audit_write_state(audit, &change, error);
    if (status == PB_OK)
        status = pb_keys_unstop(audit->keys, log->id, error);
    if (status == PB_OK)
        log->is_stopped = false;
    return status;
}

static enum pb_status
restart_open(struct pb_audit *audit, const char *id, struct pb_error *error)
{
    struct pb_audit_log *log = pb_audit_find(audit, pb_str_from(id));
    char before[PB_NOTE_NAME_BYTES_MAX + 1];
    struct pb_head head = { .size = 0 };
    uint64_t size;
    enum pb_status status;

    if (log == NULL)
        return pb_fail(error, PB_NOT_FOUND, "there is no audit log '%.64s'", id);
    if (pb_keys_head(audit->keys, id) != NULL)
        head = *pb_keys_head(audit->keys, id);
    memcpy(before, log->key.name, sizeof(before));
    size = log->size;
    (void)pthread_mutex_lock(&audit->integrating);
    status = restart(audit, log, error);
    (void)pthread_mutex_unlock(&audit->integrating);
    return status == PB_OK ? append_first_leaf(audit, id, before, &head, size, error) : status;
}

enum pb_status
pb_audit_restart(const struct pb_env *env, const char *path, const char *keys_path,
                 const struct pb_audit_options *options, const char *log, struct pb_error *error)
{
    struct pb_audit_options by_hand = { .publishes_by_hand = true };
    struct pb_audit *audit = NULL;
    enum pb_status status, closed;

    assert(env != NULL && path != NULL && keys_path != NULL && log != NULL);
    if (options != NULL)
        by_hand = *options;
    by_hand.publishes_by_hand = true;
    status = pb_audit_open_restarting(env, path, keys_path, &by_hand, log, &audit, error);
    if (status != PB_OK)
        return status;
    status = restart_open(audit, log, error);
    closed = pb_audit_close(audit, status == PB_OK ? error : NULL);
    return status == PB_OK ? closed : status;
}
