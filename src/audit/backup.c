/*
 * Backup: a copy of the logs and of the sealed openings, without any key.
 *
 * Everything pending is kept first, so that the copy needs no journal; nothing is published while
 * files are copied. The copy can be opened with the keys that lie elsewhere, and only while
 * the heads among them do not say that more was given out since.
 */
#include <assert.h>
#include <string.h>

#include "audit/audit_private.h"
#include "base/arena.h"

#define DEPTH_MAX 16u
#define ARENA_BYTES 4096u

struct entry {
    struct entry *next;
    bool is_directory;
    char name[]; /* NUL-terminated */
};

struct listing {
    struct pb_arena *arena;
    struct entry *first;
    bool is_out_of_memory;
};

struct copying {
    const struct pb_place *from, *to;
    struct pb_arena arena;
};

static bool
add_entry(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    size_t bytes = strlen(name) + 1;
    struct entry *entry = pb_arena_alloc(listing->arena, sizeof(*entry) + bytes);

    listing->is_out_of_memory = entry == NULL;
    if (entry == NULL)
        return false;
    entry->next = listing->first;
    entry->is_directory = is_directory;
    memcpy(entry->name, name, bytes);
    listing->first = entry;
    return true;
}

static enum pb_status
list_entries(struct copying *copying, struct pb_str directory, struct entry **ret_first,
             struct pb_error *error)
{
    const struct pb_env *env = copying->from->env;
    struct listing listing = { .arena = &copying->arena };
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    pb_place_path(copying->from, directory, path);
    status = env->files->list(env->file_context, path, add_entry, &listing, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_CORRUPT, "'%s' is missing", path);
    if (status == PB_OK && listing.is_out_of_memory)
        return pb_fail(error, PB_E_NOMEM, "no memory for names of files");
    *ret_first = listing.first;
    return status;
}

static enum pb_status
copy_file(struct copying *copying, struct pb_str name, struct pb_error *error)
{
    const struct pb_env *env = copying->from->env;
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status;

    status = pb_place_read(copying->from, name, PB_STATE_BYTES_MAX, &bytes, &count, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_CORRUPT, "%s: '%.*s' was there and is gone", copying->from->path,
                       (int)name.bytes, name.text);
    if (status == PB_OK)
        status = pb_place_write(copying->to, name, PB_PLACE_SYNCED, bytes, count, error);
    pb_free(env, bytes);
    return status;
}

/* Copies a directory and what is in it, then syncs it. */
static enum pb_status
copy_directory(struct copying *copying, struct pb_str directory, unsigned depth,
               struct pb_error *error)
{
    char name[PB_PLACE_NAME_BYTES_MAX];
    struct entry *entry = NULL;
    enum pb_status status;

    if (depth == DEPTH_MAX)
        return pb_fail(error, PB_E_CORRUPT, "%s: directories within directories without end",
                       copying->from->path);
    status = pb_place_mkdir(copying->to, directory, error);
    if (status == PB_OK)
        status = list_entries(copying, directory, &entry, error);
    for (; entry != NULL && status == PB_OK; entry = entry->next) {
        struct pb_text_out out = pb_text_out(name, sizeof(name));
        struct pb_str child;

        pb_put_str(&out, directory);
        pb_put_char(&out, '/');
        pb_put_text(&out, entry->name);
        if (out.is_cut)
            return pb_fail(error, PB_OVER_LIMIT, "the path of a file is too long");
        child = (struct pb_str){ name, (uint32_t)(out.at - name) };
        status = entry->is_directory ? copy_directory(copying, child, depth + 1, error)
                                     : copy_file(copying, child, error);
    }
    if (status == PB_OK) {
        struct pb_text_out out = pb_text_out(name, sizeof(name));

        pb_put_str(&out, directory);
        pb_put_text(&out, "/x");
        status = pb_place_sync_up(copying->to, (struct pb_str){ name, (uint32_t)(out.at - name) },
                                  error);
    }
    return status;
}

/* `state` last: without it there are no audit logs. */
static enum pb_status
copy_all(struct copying *copying, struct pb_error *error)
{
    enum pb_status status;

    status = pb_place_mkdir(copying->to, pb_str_from("journal"), error);
    if (status == PB_OK)
        status = pb_place_mkdir(copying->to, pb_str_from("journal/log"), error);
    if (status == PB_OK)
        status = copy_directory(copying, pb_str_from("public"), 0, error);
    if (status == PB_OK)
        status = copy_directory(copying, pb_str_from("private"), 0, error);
    if (status == PB_OK)
        status = copy_file(copying, pb_str_from("lock"), error);
    if (status == PB_OK)
        status = copy_file(copying, pb_str_from("state"), error);
    if (status == PB_OK)
        status = pb_place_sync_up(copying->to, pb_str_from("journal/x"), error);
    return status;
}

enum pb_status
pb_audit_backup(struct pb_audit *audit, const char *target_path, struct pb_error *error)
{
    const struct pb_env *env = audit->env;
    struct copying copying = { .from = &audit->place };
    struct pb_place target;
    enum pb_status status;

    if (audit->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", audit->place.path);
    status = pb_place_init(&target, env, target_path, error);
    if (status != PB_OK)
        return status;
    copying.to = &target;
    pb_arena_init(&copying.arena, env, ARENA_BYTES);
    status = env->files->mkdir(env->file_context, target_path, error);
    (void)pthread_mutex_lock(&audit->integrating);
    if (status == PB_OK)
        status = pb_publish_locked(audit, NULL, true, error);
    if (status == PB_OK)
        status = copy_all(&copying, error);
    (void)pthread_mutex_unlock(&audit->integrating);
    pb_arena_clear(&copying.arena);
    pb_place_done(&target);
    return status;
}
