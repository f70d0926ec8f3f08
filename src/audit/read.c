/*
 * Read: leaves and their openings, from files or from what is pending, each checked.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "audit/audit_private.h"

#define ATTEMPTS_MAX 3

/* ---- runs of leaves ---- */

void
pb_audit_run_done(struct pb_audit_run *run, const struct pb_env *env)
{
    pb_free(env, run->bytes);
    pb_free(env, run->sealed_bytes);
    memset(run, 0, sizeof(*run));
}

/* Copies pending leaves, which may be dropped as soon as tails is given back. */
static enum pb_status
copy_pending(struct pb_audit *audit, struct pb_audit_log *log, struct pb_audit_run *run)
{
    const struct pb_pending *items = log->pending + (run->first - log->kept_size);
    size_t bytes = 0;
    uint8_t *at;

    for (uint32_t i = 0; i < run->count; i++)
        bytes += items[i].leaf.bytes + items[i].sealed.count;
    run->bytes = pb_alloc(audit->env, bytes);
    if (run->bytes == NULL)
        return PB_E_NOMEM;
    at = run->bytes;
    for (uint32_t i = 0; i < run->count; i++) {
        memcpy(at, items[i].leaf.text, items[i].leaf.bytes);
        run->leaves[i] = (struct pb_str){ (const char *)at, items[i].leaf.bytes };
        at += items[i].leaf.bytes;
        if (items[i].sealed.count > 0)
            memcpy(at, items[i].sealed.bytes, items[i].sealed.count);
        run->sealed[i] = (struct pb_sealed){ items[i].sealed.term, at, items[i].sealed.count };
        at += items[i].sealed.count;
    }
    return PB_OK;
}

/* Hashes of the leaves must be those of the tile beside them. */
static enum pb_status
check_against_tile(struct pb_audit_log *log, struct pb_audit_run *run, unsigned width,
                   const struct pb_str *entries, struct pb_error *error)
{
    struct pb_tile tile = { .level = 0, .index = run->first / PB_TILE_WIDTH, .width = width };
    struct pb_hash hashes[PB_TILE_WIDTH];
    enum pb_status status = pb_nodes_read_tile(&log->public_place, &tile, hashes, error);

    for (unsigned i = 0; i < width && status == PB_OK; i++) {
        struct pb_hash hash;

        pb_tree_hash_leaf(entries[i].text, entries[i].bytes, &hash);
        if (!pb_hash_equal(&hash, &hashes[i]))
            status = pb_fail(error, PB_E_CORRUPT, "%s: leaf %llu does not have its hash",
                             log->public_place.path,
                             (unsigned long long)(tile.index * PB_TILE_WIDTH + i));
    }
    return status;
}

static enum pb_status
read_bundle(struct pb_audit_log *log, struct pb_audit_run *run, unsigned width,
            struct pb_error *error)
{
    unsigned skipped = (unsigned)(run->first % PB_TILE_WIDTH);
    struct pb_str entries[PB_TILE_WIDTH], rest;
    size_t count = 0;
    enum pb_status status;

    status = pb_nodes_read_bundle(&log->public_place, run->first / PB_TILE_WIDTH, width,
                                  &run->bytes, &count, error);
    if (status != PB_OK)
        return status;
    rest = (struct pb_str){ (const char *)run->bytes, (uint32_t)count };
    for (unsigned i = 0; i < width; i++)
        status = pb_bundle_next(&rest, &entries[i]);
    assert(status == PB_OK); /* it was counted when it was read */
    memcpy(run->leaves, entries + skipped, run->count * sizeof(run->leaves[0]));
    return check_against_tile(log, run, width, entries, error);
}

static enum pb_status
read_sealed(struct pb_audit_log *log, struct pb_audit_run *run, struct pb_error *error)
{
    uint64_t index = run->first / PB_TILE_WIDTH;
    unsigned skipped = (unsigned)(run->first % PB_TILE_WIDTH);
    struct pb_tile tile = { .level = PB_TILE_ENTRIES, .index = index, .width = PB_TILE_WIDTH };
    struct pb_sealed items[PB_TILE_WIDTH];
    char path[PB_TILE_PATH_BYTES_MAX];
    struct pb_text_out out = pb_text_out(path, sizeof(path));
    size_t byte_count = 0;
    uint32_t count = 0;
    enum pb_status status;

    pb_tile_put_path(&out, &tile);
    status = pb_place_read(&log->private_place, (struct pb_str){ path, (uint32_t)(out.at - path) },
                           PB_SEALED_FILE_BYTES_MAX, &run->sealed_bytes, &byte_count, error);
    if (status == PB_OK)
        status = pb_sealed_file_decode(run->sealed_bytes, byte_count, index * PB_TILE_WIDTH, items,
                                       &count);
    if (status == PB_NOT_FOUND || status == PB_E_CORRUPT ||
        (status == PB_OK && count < skipped + run->count))
        return pb_fail(error, PB_E_CORRUPT, "%s: the openings '%.*s' are missing or damaged",
                       log->private_place.path, (int)(out.at - path), path);
    if (status == PB_OK)
        memcpy(run->sealed, items + skipped, run->count * sizeof(run->sealed[0]));
    return status;
}

/* Where a run lies: from `first` to the end of its bundle, of what is kept, or of the log. */
static enum pb_status
plan_run(struct pb_audit *audit, struct pb_audit_log *log, uint64_t first, struct pb_audit_run *run,
         unsigned *ret_width)
{
    uint64_t bundle = first / PB_TILE_WIDTH * PB_TILE_WIDTH;
    uint64_t end = bundle + PB_TILE_WIDTH;
    enum pb_status status = PB_OK;

    memset(run, 0, sizeof(*run));
    run->first = first;
    (void)pthread_mutex_lock(&audit->tails);
    if (first >= log->size) {
        status = PB_END;
    } else if (first >= log->kept_size) {
        end = end < log->size ? end : log->size;
        run->count = (uint32_t)(end - first);
        *ret_width = 0;
        status = copy_pending(audit, log, run);
    } else {
        end = end < log->kept_size ? end : log->kept_size;
        run->count = (uint32_t)(end - first);
        *ret_width = (unsigned)(end - bundle);
    }
    (void)pthread_mutex_unlock(&audit->tails);
    return status;
}

enum pb_status
pb_audit_run_read(struct pb_audit *audit, struct pb_audit_log *log, uint64_t first,
                  bool with_sealed, struct pb_audit_run *run, struct pb_error *error)
{
    unsigned width = 0;
    enum pb_status status = PB_OK;

    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        status = plan_run(audit, log, first, run, &width);
        if (status == PB_E_NOMEM)
            return pb_fail(error, status, "no memory for leaves");
        if (status != PB_OK || width == 0)
            return status;
        status = read_bundle(log, run, width, error);
        if (status == PB_OK && with_sealed)
            status = read_sealed(log, run, error);
        if (status == PB_OK)
            return status;
        pb_audit_run_done(run, audit->env);
        /* The publishing thread may have put the full bundle in its place meanwhile. */
        if (status != PB_E_CORRUPT)
            return status;
    }
    return status;
}

enum pb_status
pb_audit_run_open(struct pb_audit *audit, struct pb_audit_log *log, const struct pb_sealed *sealed,
                  const struct pb_leaf *leaf, uint8_t *plain, struct pb_openings *ret_openings,
                  bool *ret_is_gone, struct pb_error *error)
{
    uint8_t key[PB_TERM_KEY_BYTES];
    enum pb_status status = PB_NOT_FOUND;

    ret_openings->count = 0;
    *ret_is_gone = false;
    if (sealed->count == 0 && leaf->commitment_count == 0)
        return PB_OK;
    if (sealed->count < PB_SEAL_EXTRA_BYTES)
        return pb_fail(error, PB_E_CORRUPT, "%s: openings are missing", log->private_place.path);
    if (audit->keys != NULL)
        status = pb_keys_term(audit->keys, sealed->term, false, key, error);
    if (status == PB_OK) {
        status =
            pb_unseal(key, pb_str_from(log->id), sealed->term, sealed->bytes, sealed->count, plain);
        sodium_memzero(key, sizeof(key));
        if (status == PB_E_CORRUPT ||
            (status == PB_OK && (pb_openings_parse(plain, sealed->count - PB_SEAL_EXTRA_BYTES,
                                                   ret_openings) != PB_OK ||
                                 pb_openings_check(ret_openings, leaf, NULL) != PB_OK)))
            return pb_fail(error, PB_E_CORRUPT,
                           "%s: openings do not fit what their leaf commits to",
                           log->private_place.path);
    }
    *ret_is_gone = status == PB_NOT_FOUND;
    return status == PB_NOT_FOUND ? PB_OK : status;
}

/* ---- entries ---- */

struct reading {
    struct pb_audit *audit;
    struct pb_audit_log *log;
    const struct pb_audit_filter *filter;
    pb_audit_entry_fn *each;
    void *context;
    uint8_t *plain; /* owned: PB_OPENINGS_BYTES_MAX */
    bool is_stopped;
};

static bool
is_wanted(const struct pb_audit_filter *filter, const struct pb_leaf *leaf)
{
    int64_t at_us = leaf->time_ms * 1000;

    if ((filter->from_us != 0 || filter->to_us != 0) &&
        (at_us < filter->from_us || at_us >= filter->to_us))
        return false;
    return filter->event == NULL || pb_str_equal(leaf->event, pb_str_from(filter->event));
}

static bool
has_wanted_secret(const struct pb_audit_filter *filter, const struct pb_audit_entry *entry)
{
    if (filter->secret_name == NULL)
        return true;
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        const struct pb_audit_opened *secret = &entry->secrets[i];

        if (strcmp(secret->name, filter->secret_name) == 0)
            return !secret->is_destroyed && pb_str_equal(secret->value, filter->secret_value);
    }
    return false;
}

/* Gives one leaf that is wanted so far to the caller. */
static void
give(struct reading *reading, uint64_t index, struct pb_str bytes, const struct pb_leaf *leaf,
     const struct pb_openings *openings, bool is_gone)
{
    struct pb_audit_opened secrets[PB_AUDIT_FIELDS_MAX];
    char names[PB_AUDIT_FIELDS_MAX][PB_LEAF_NAME_BYTES_MAX + 1];
    char event[PB_LEAF_NAME_BYTES_MAX + 1];
    struct pb_audit_entry entry = { .log = reading->log->id,
                                    .index = index,
                                    .at_us = leaf->time_ms * 1000,
                                    .event = event,
                                    .leaf = bytes,
                                    .secrets = secrets,
                                    .secret_count = leaf->commitment_count };

    memcpy(event, leaf->event.text, leaf->event.bytes);
    event[leaf->event.bytes] = '\0';
    for (uint32_t i = 0; i < leaf->commitment_count; i++) {
        struct pb_str name = leaf->commitments[i].name;

        memcpy(names[i], name.text, name.bytes);
        names[i][name.bytes] = '\0';
        secrets[i] = (struct pb_audit_opened){ .name = names[i], .is_destroyed = is_gone };
        if (!is_gone)
            secrets[i].value = openings->openings[i].value;
    }
    if (has_wanted_secret(reading->filter, &entry))
        reading->is_stopped = !reading->each(reading->context, &entry);
}

static enum pb_status
read_one(struct reading *reading, struct pb_audit_run *run, uint32_t at, struct pb_error *error)
{
    struct pb_openings openings;
    struct pb_leaf leaf;
    bool is_gone = false;
    enum pb_status status;

    if (pb_leaf_parse(run->leaves[at], &leaf, error) != PB_OK)
        return PB_E_CORRUPT;
    if (!is_wanted(reading->filter, &leaf))
        return PB_OK;
    if (reading->filter->is_closed) {
        leaf.commitment_count = 0;
        give(reading, run->first + at, run->leaves[at], &leaf, NULL, true);
        return PB_OK;
    }
    status = pb_audit_run_open(reading->audit, reading->log, &run->sealed[at], &leaf,
                               reading->plain, &openings, &is_gone, error);
    if (status == PB_OK)
        give(reading, run->first + at, run->leaves[at], &leaf, &openings, is_gone);
    return status;
}

static enum pb_status
read_from(struct reading *reading, uint64_t *at, struct pb_audit_run *run, struct pb_error *error)
{
    enum pb_status status = pb_audit_run_read(reading->audit, reading->log, *at,
                                              !reading->filter->is_closed, run, error);

    for (uint32_t i = 0; status == PB_OK && i < run->count; i++) {
        if (run->first + i > reading->filter->last || reading->is_stopped)
            return PB_END;
        status = read_one(reading, run, i, error);
    }
    *at += run->count;
    return status;
}

enum pb_status
pb_audit_read(struct pb_audit *audit, const struct pb_audit_filter *filter, pb_audit_entry_fn *each,
              void *context, struct pb_error *error)
{
    struct reading reading = { .audit = audit, .filter = filter, .each = each, .context = context };
    struct pb_audit_run *run = NULL;
    uint64_t at = filter->first;
    enum pb_status status = PB_OK;

    assert(audit != NULL && filter->log != NULL && each != NULL);
    reading.log = pb_audit_find(audit, pb_str_from(filter->log));
    if (reading.log == NULL)
        return pb_fail(error, PB_NOT_FOUND, "there is no audit log '%.64s'", filter->log);
    reading.plain = pb_alloc(audit->env, PB_OPENINGS_BYTES_MAX);
    run = pb_calloc(audit->env, 1, sizeof(*run));
    if (reading.plain == NULL || run == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for reading a log");
        goto out;
    }
    while (status == PB_OK && !reading.is_stopped && at <= filter->last) {
        status = read_from(&reading, &at, run, error);
        pb_audit_run_done(run, audit->env);
    }
    if (status == PB_END)
        status = PB_OK;

out:
    if (reading.plain != NULL)
        sodium_memzero(reading.plain, PB_OPENINGS_BYTES_MAX);
    pb_free(audit->env, reading.plain);
    pb_free(audit->env, run);
    return status;
}

/* ---- what is said of all logs ---- */

static enum pb_status
tell_log(struct pb_audit *audit, struct pb_audit_log *log, pb_audit_log_fn *each, void *context,
         bool *ret_goes_on, struct pb_error *error)
{
    struct pb_audit_log_info info = { .id = log->id,
                                      .origin = log->key.name,
                                      .path = log->public_place.path };
    struct pb_checkpoint checkpoint;
    char vkey[PB_VKEY_BYTES_MAX];
    char *text = NULL;
    size_t count = 0;
    enum pb_status status = pb_publish_read(audit, log, &text, &count, &checkpoint, error);

    if (status != PB_OK)
        return status;
    pb_vkey_format(&log->key, vkey);
    info.vkey = vkey;
    info.published_count = checkpoint.size;
    memcpy(info.root, checkpoint.root.bytes, PB_HASH_BYTES);
    (void)pthread_mutex_lock(&audit->tails);
    info.leaf_count = log->size;
    (void)pthread_mutex_unlock(&audit->tails);
    *ret_goes_on = each(context, &info);
    pb_free(audit->env, text);
    return PB_OK;
}

enum pb_status
pb_audit_each_log(struct pb_audit *audit, pb_audit_log_fn *each, void *context,
                  struct pb_error *error)
{
    bool goes_on = true;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; status == PB_OK && goes_on; i++) {
        struct pb_audit_log *log;

        (void)pthread_mutex_lock(&audit->tails);
        log = i < audit->log_count ? audit->logs[i] : NULL;
        (void)pthread_mutex_unlock(&audit->tails);
        if (log == NULL)
            break;
        status = tell_log(audit, log, each, context, &goes_on, error);
    }
    return status;
}

enum pb_status
pb_audit_destroy_expired(struct pb_audit *audit, int64_t now_us, uint64_t *ret_terms,
                         struct pb_error *error)
{
    *ret_terms = 0;
    if (audit->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", audit->place.path);
    return pb_keys_destroy_over(audit->keys, now_us, ret_terms, error);
}
