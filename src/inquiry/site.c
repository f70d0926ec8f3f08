/*
 * Site: making, opening and closing a data directory.
 *
 * SITE is written last when a directory is made, so that one that was left half made is
 * not taken for a site. Parts are opened in the order store, catalog, rules, audit and closed the
 * other way round: the audit log's lock is the one that a second process waits for.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define SITE_FILE "SITE"
#define SITE_WORD "platebase-site "
#define SITE_TEXT SITE_WORD "1\n"
/* Beside it lie keys named after agencies, whose ids begin with a letter or a digit. */
#define KEY_FILE "_site.key"

/* ---- making ---- */

static bool
note_any(void *context, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    *(bool *)context = true;
    return false;
}

static enum pb_status
make_folder(const struct pb_env *env, const char *path, const char *name, struct pb_error *error)
{
    char folder[PB_PATH_BYTES_MAX];
    int written = snprintf(folder, sizeof(folder), "%s/%s", path, name);

    if (written < 0 || (size_t)written >= sizeof(folder))
        return pb_fail(error, PB_OVER_LIMIT, "the path of the data directory is too long");
    return env->files->mkdir(env->file_context, folder, error);
}

static enum pb_status
make_root(const struct pb_env *env, const char *path, struct pb_error *error)
{
    bool has_any = false;
    enum pb_status status = env->files->list(env->file_context, path, note_any, &has_any, error);

    if (status == PB_NOT_FOUND)
        status = env->files->mkdir(env->file_context, path, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_IO, "%s: its parent directory does not exist", path);
    if (status == PB_OK && has_any)
        return pb_fail(error, PB_E_NOT_STORE,
                       "%s: the directory is not empty; name a new or empty one", path);
    return status;
}

static enum pb_status
make_key(const struct pb_env *env, const char *path, struct pb_error *error)
{
    char keys[PB_PATH_BYTES_MAX];
    uint8_t key[PB_SITE_KEY_BYTES];
    enum pb_status status = env->random(env->random_context, key, sizeof(key));

    if (status != PB_OK)
        return pb_fail(error, status, "the system gives no random bytes");
    (void)snprintf(keys, sizeof(keys), "%s/keys", path);
    status = pb_site_write_file(env, keys, KEY_FILE, key, sizeof(key), error);
    sodium_memzero(key, sizeof(key));
    return status;
}

/* The audit directory with the operator's log. */
static enum pb_status
make_audit(const struct pb_env *env, const char *path, struct pb_error *error)
{
    char audit_path[PB_PATH_BYTES_MAX];
    char keys_path[PB_PATH_BYTES_MAX];
    struct pb_audit_options options = { 0 };
    struct pb_audit *audit = NULL;
    enum pb_status closed = PB_OK;
    enum pb_status status = PB_OK;

    (void)snprintf(audit_path, sizeof(audit_path), "%s/audit", path);
    (void)snprintf(keys_path, sizeof(keys_path), "%s/keys", path);
    status = pb_audit_create(env, audit_path, keys_path, error);
    if (status == PB_OK)
        status = pb_audit_open(env, audit_path, keys_path, &options, &audit, error);
    if (status != PB_OK)
        return status;
    status = pb_audit_log_add(audit, PB_AUDIT_OPERATOR, NULL, error);
    closed = pb_audit_close(audit, status == PB_OK ? error : NULL);
    return status == PB_OK ? closed : status;
}

enum pb_status
pb_site_create(const struct pb_env *env, const char *path, struct pb_error *error)
{
    static const char *const folders[] = { "rules", "rejects" };
    char part[PB_PATH_BYTES_MAX];
    enum pb_status status = PB_OK;

    if (sodium_init() < 0)
        return pb_fail(error, PB_E_IO, "libsodium finds no source of randomness");
    if (strlen(path) >= PB_PATH_BYTES_MAX - 256)
        return pb_fail(error, PB_OVER_LIMIT, "the path of the data directory is too long");
    status = make_root(env, path, error);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && status == PB_OK; i++)
        status = make_folder(env, path, folders[i], error);
    (void)snprintf(part, sizeof(part), "%s/reads", path);
    if (status == PB_OK)
        status = pb_store_create(env, part, error);
    (void)snprintf(part, sizeof(part), "%s/catalog.db", path);
    if (status == PB_OK)
        status = pb_catalog_create(env, part, error);
    if (status == PB_OK)
        status = make_audit(env, path, error); /* with keys/ */
    if (status == PB_OK)
        status = make_key(env, path, error);
    if (status == PB_OK)
        status = pb_activity_create(env, path, error);
    if (status == PB_OK)
        status = pb_received_create(env, path, error);
    if (status == PB_OK)
        status = pb_site_write_file(env, path, SITE_FILE, SITE_TEXT, strlen(SITE_TEXT), error);
    return status;
}

/* ---- opening ---- */

/* What the file SITE says. Another number is of a later version: there was none before 1. */
static enum pb_status
check_format(const struct pb_site *site, const char *text, size_t bytes, struct pb_error *error)
{
    size_t at = strlen(SITE_WORD), digits = 0;

    if (bytes == strlen(SITE_TEXT) && memcmp(text, SITE_TEXT, bytes) == 0)
        return PB_OK;
    if (bytes < at || memcmp(text, SITE_WORD, at) != 0)
        return pb_fail(error, PB_E_NOT_STORE,
                       "'%s' is no Platebase data directory: its file SITE says something else",
                       site->path);
    while (at + digits < bytes && text[at + digits] >= '0' && text[at + digits] <= '9')
        digits++;
    return pb_fail(error, PB_E_VERSION,
                   "'%s' was made by a later version of Platebase: format %.*s, and this one "
                   "knows 1",
                   site->path, (int)(digits < 10 ? digits : 10), text + at);
}

static enum pb_status
check_site(const struct pb_site *site, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = pb_site_path(site, SITE_FILE, path, error);

    if (status == PB_OK)
        status = pb_load_file(site->env, path, 1024, &text, &bytes, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_NOT_STORE,
                       "'%s' is no Platebase data directory; make one with platebase init",
                       site->path);
    if (status != PB_OK)
        return status;
    status = check_format(site, text, bytes, error);
    pb_free(site->env, text);
    return status;
}

static enum pb_status
load_key(struct pb_site *site, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = pb_site_path(site, "keys/" KEY_FILE, path, error);

    if (status == PB_OK)
        status = pb_load_file(site->env, path, 1024, &text, &bytes, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_NOT_STORE,
                       "'%s' is missing: put back the directory keys/, which no backup holds",
                       path);
    if (status != PB_OK)
        return status;
    if (bytes == PB_SITE_KEY_BYTES)
        memcpy(site->key, text, PB_SITE_KEY_BYTES);
    else
        status = pb_fail(error, PB_E_CORRUPT, "'%s' is no key of this site", path);
    sodium_memzero(text, bytes);
    pb_free(site->env, text);
    return status;
}

void
pb_site_subkey(const struct pb_site *site, const char *purpose, uint8_t ret_key[32])
{
    static_assert(PB_SITE_KEY_BYTES >= crypto_generichash_KEYBYTES_MIN, "a key for the hash");
    assert(site->mode != PB_SITE_LOOK);
    (void)crypto_generichash(ret_key, 32, (const unsigned char *)purpose, strlen(purpose),
                             site->key, PB_SITE_KEY_BYTES);
}

static enum pb_status
open_store(struct pb_site *site, const struct pb_site_options *options, struct pb_error *error)
{
    struct pb_store_options store_options = {
        .is_read_only = options->mode != PB_SITE_WRITE,
        .skips_damaged = options->skips_damaged,
        .memory_bytes = options->memory_bytes,
        .merge_in_background = options->merges_in_background,
        .on_removed = pb_removals_note,
        .removed_context = site->removals,
    };
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = pb_site_path(site, "reads", path, error);

    return status == PB_OK ? pb_store_open(site->env, path, &store_options, &site->store, error)
                           : status;
}

static enum pb_status
open_catalog(struct pb_site *site, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = pb_site_path(site, "catalog.db", path, error);

    return status == PB_OK
               ? pb_catalog_open(site->env, path, site->mode == PB_SITE_LOOK, &site->catalog, error)
               : status;
}

/* Who only looks signs nothing. */
static enum pb_status
load_outside(struct pb_site *site, const struct pb_site_options *options, struct pb_error *error)
{
    enum pb_status status;

    if (site->mode == PB_SITE_LOOK)
        return PB_OK;
    status =
        pb_outside_load(site->env, site->path, !options->without_copies, &site->outside, error);
    if (status != PB_OK)
        return status;
    site->outside->witnesses.waits = options->waits;
    site->outside->witnesses.waits_context = options->waits_context;
    return PB_OK;
}

/* A restored backup has no keys: it can be looked at without them. */
static enum pb_status
open_audit(struct pb_site *site, const struct pb_site_options *site_options, struct pb_error *error)
{
    const struct pb_env *env = site->env;
    struct pb_audit_options options = { .is_read_only = site->mode == PB_SITE_LOOK,
                                        .publishes_by_hand = site_options->publishes_by_hand,
                                        .holder = site_options->holder,
                                        .on_busy = site_options->on_busy,
                                        .busy_context = site_options->busy_context,
                                        .fails_to_publish = site_options->fails_to_publish,
                                        .fails_context = site_options->fails_context };
    char path[PB_PATH_BYTES_MAX];
    char keys_path[PB_PATH_BYTES_MAX];
    bool has_keys = false;
    enum pb_status status = pb_site_path(site, "audit", path, error);

    if (status == PB_OK)
        status = pb_site_path(site, "keys", keys_path, error);
    if (status == PB_OK && options.is_read_only)
        status = env->files->list(env->file_context, keys_path, note_any, &has_keys, error);
    if (status != PB_OK && status != PB_NOT_FOUND)
        return status;
    if (site->outside != NULL)
        pb_outside_options(site->outside, &options);
    if (site_options->without_copies)
        options.checkpoint_copies = NULL;
    return pb_audit_open(env, path, has_keys || !options.is_read_only ? keys_path : NULL, &options,
                         &site->audit, error);
}

static enum pb_status
open_parts(struct pb_site *site, const struct pb_site_options *options, struct pb_error *error)
{
    enum pb_status status = check_site(site, error);

    if (status == PB_OK && site->mode != PB_SITE_LOOK)
        status = load_key(site, error);
    if (status == PB_OK)
        status = open_store(site, options, error);
    if (status == PB_OK)
        status = open_catalog(site, error);
    if (status == PB_OK)
        status = pb_activity_load(site, error);
    if (status == PB_OK)
        status = pb_received_load(site, error);
    if (status == PB_OK)
        status = pb_site_load_rules(site, error);
    if (status == PB_OK)
        status = load_outside(site, options, error);
    if (status == PB_OK)
        status = open_audit(site, options, error);
    if (status == PB_OK && site->mode != PB_SITE_LOOK)
        status = pb_site_add_logs(site, error);
    if (status == PB_OK && site->mode == PB_SITE_WRITE)
        status = pb_site_mark(site, "start", error);
    return status;
}

/* Closes what is open. */
static enum pb_status
close_parts(struct pb_site *site, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    pb_facts_drop(site->facts);
    if (site->audit != NULL)
        status = pb_audit_close(site->audit, error);
    pb_free(site->env, site->outside);
    pb_rules_unref(site->rules);
    pb_catalog_close(site->catalog);
    pb_store_close(site->store);
    pb_removals_free(site->removals);
    pb_activity_free(site->activity);
    pb_received_free(site->received);
    (void)pthread_mutex_destroy(&site->facts_lock);
    (void)pthread_mutex_destroy(&site->change_lock);
    sodium_memzero(site->key, sizeof(site->key));
    pb_free(site->env, site);
    return status;
}

enum pb_status
pb_site_open(const struct pb_env *env, const char *path, const struct pb_site_options *options,
             struct pb_site **ret_site, struct pb_error *error)
{
    struct pb_site *site = NULL;
    enum pb_status status = PB_OK;

    if (sodium_init() < 0)
        return pb_fail(error, PB_E_IO, "libsodium finds no source of randomness");
    if (strlen(path) >= PB_PATH_BYTES_MAX - 256)
        return pb_fail(error, PB_OVER_LIMIT, "the path of the data directory is too long");
    site = pb_calloc(env, 1, sizeof(*site));
    if (site == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to open '%s'", path);
    site->env = env;
    site->mode = options->mode;
    memcpy(site->path, path, strlen(path) + 1);
    (void)pthread_mutex_init(&site->facts_lock, NULL);
    (void)pthread_mutex_init(&site->change_lock, NULL);
    site->removals = pb_removals_new(env);
    site->activity = pb_activity_new(env);
    site->received = pb_received_new(env);
    if (site->removals == NULL || site->activity == NULL || site->received == NULL)
        status = pb_fail(error, PB_E_NOMEM, "no memory to open '%s'", path);
    if (status == PB_OK)
        status = open_parts(site, options, error);
    if (status != PB_OK) {
        enum pb_status closed = close_parts(site, NULL);

        (void)closed; /* the first failure is the one to tell */
        return status;
    }
    *ret_site = site;
    return PB_OK;
}

enum pb_status
pb_site_close(struct pb_site *site, struct pb_error *error)
{
    enum pb_status closed = PB_OK;
    enum pb_status status = PB_OK;
    uint64_t reads = 0;

    if (site == NULL)
        return PB_OK;
    if (site->mode == PB_SITE_WRITE)
        status = pb_activity_save(site, true, error);
    if (site->mode == PB_SITE_WRITE && status == PB_OK)
        status = pb_received_save(site, true, error);
    if (site->mode == PB_SITE_WRITE && status == PB_OK)
        status = pb_site_leave_receipts(site, NULL, NULL, &reads, error);
    if (site->mode == PB_SITE_WRITE && status == PB_OK)
        status = pb_site_mark(site, "stop", error);
    closed = close_parts(site, status == PB_OK ? error : NULL);
    return status == PB_OK ? closed : status;
}

/* ---- parts ---- */

struct pb_store *
pb_site_store(struct pb_site *site)
{
    return site->store;
}

struct pb_catalog *
pb_site_catalog(struct pb_site *site)
{
    return site->catalog;
}

struct pb_audit *
pb_site_audit(struct pb_site *site)
{
    return site->audit;
}

struct pb_rules *
pb_site_rules(struct pb_site *site)
{
    struct pb_rules *rules = NULL;

    (void)pthread_mutex_lock(&site->facts_lock);
    rules = pb_rules_ref(site->rules);
    (void)pthread_mutex_unlock(&site->facts_lock);
    return rules;
}

/* How far the store has come: what a recovery must not fall behind. */
enum pb_status
pb_site_mark(struct pb_site *site, const char *event, struct pb_error *error)
{
    struct pb_store_stats stats;
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = pb_store_stats(site->store, &stats, error);

    if (status != PB_OK)
        return status;
    pb_draft_init(&leaf, PB_AUDIT_OPERATOR, event, PB_KEEP_OPENINGS_US);
    pb_draft_number(&leaf, "commit", (int64_t)stats.commit);
    pb_draft_number(&leaf, "reads", (int64_t)stats.reads);
    return pb_drafts_append(site, &leaf, 1, &index, error);
}

/* ---- logs of agencies ---- */

static bool
has_log(const struct pb_str *ids, uint32_t count, struct pb_str id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pb_str_equal(ids[i], id))
            return true;
    }
    return false;
}

struct log_list {
    struct pb_arena *arena;
    struct pb_str *ids;
    uint32_t count, room;
    enum pb_status status;
};

static bool
note_log(void *context, const struct pb_audit_log_info *info)
{
    struct log_list *list = context;

    if (list->count == list->room) {
        uint32_t room = list->room * 2 + 64;
        struct pb_str *larger = pb_arena_alloc(list->arena, room * sizeof(*larger));

        if (larger == NULL) {
            list->status = PB_E_NOMEM;
            return false;
        }
        if (list->count > 0)
            memcpy(larger, list->ids, list->count * sizeof(*larger));
        list->ids = larger;
        list->room = room;
    }
    list->status = pb_arena_copy(list->arena, pb_str_from(info->id), &list->ids[list->count]);
    list->count += list->status == PB_OK;
    return list->status == PB_OK;
}

enum pb_status
pb_site_add_log(struct pb_site *site, struct pb_str agency, struct pb_error *error)
{
    char id[PB_CATALOG_ID_BYTES_MAX + 1];
    enum pb_status status = PB_OK;

    if (agency.bytes == 0 || agency.bytes > PB_CATALOG_ID_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "agency: its id is too long for a log");
    memcpy(id, agency.text, agency.bytes);
    id[agency.bytes] = '\0';
    if (strcmp(id, PB_AUDIT_OPERATOR) == 0)
        return pb_fail(error, PB_BAD_INPUT, "agency: \"%s\" is the operator's own log", id);
    status = pb_audit_log_add(site->audit, id, NULL, error);
    return status == PB_DUPLICATE ? PB_OK : status;
}

enum pb_status
pb_site_add_logs(struct pb_site *site, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    struct pb_arena arena;
    struct log_list list = { .arena = &arena };
    enum pb_status status = PB_OK;

    pb_arena_init(&arena, site->env, 4096);
    status = pb_audit_each_log(site->audit, note_log, &list, error);
    if (status == PB_OK)
        status = list.status;
    if (status == PB_OK)
        status = pb_catalog_view_take(site->catalog, &view, error);
    for (uint32_t i = 0; status == PB_OK && i < view->agency_count; i++) {
        if (!has_log(list.ids, list.count, view->agencies[i].id))
            status = pb_site_add_log(site, view->agencies[i].id, error);
    }
    pb_catalog_view_drop(view);
    pb_arena_clear(&arena);
    return status;
}
