/*
 * Publish: what was appended gets its tiles and a signed checkpoint, within a second.
 *
 * Order, for all logs that have grown: tiles and bundles; then the heads, synced, so that a log
 * which is put back from a copy cannot sign what it has signed before; then the checkpoints; then
 * their copies outside.
 *
 * Publishing syncs little, since the journal could bring everything back. Keeping is the
 * other half: everything pending is written so that it is there for good, `state` says so, and
 * the journal so far is dropped.
 *
 * Where there are witnesses, a checkpoint is signed for their eyes first, and published when enough
 * of them have signed it, too (cosign.c). Keeping does not wait for that.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "audit/audit_private.h"

#define KEEP_LEAVES 4096u
#define KEEP_BYTES ((size_t)4 << 20)
#define KEEP_LEAVES_AT_CLOSE 256u
#define KEEP_FILES_AT_CLOSE 16u
#define CHECKPOINT "checkpoint"

/* ---- pending leaves ---- */

void
pb_pending_copy(struct pb_audit *audit, struct pb_audit_log *log, uint64_t first, uint32_t count,
                struct pb_pending *ret_items)
{
    (void)pthread_mutex_lock(&audit->tails);
    assert(first >= log->kept_size && first + count <= log->size);
    memcpy(ret_items, log->pending + (first - log->kept_size), count * sizeof(*ret_items));
    (void)pthread_mutex_unlock(&audit->tails);
}

bool
pb_publish_should_keep(struct pb_audit *audit)
{
    bool answer;

    (void)pthread_mutex_lock(&audit->tails);
    answer = audit->pending_count >= KEEP_LEAVES || audit->pending_bytes >= KEEP_BYTES;
    (void)pthread_mutex_unlock(&audit->tails);
    return answer;
}

bool
pb_publish_should_keep_at_close(const struct pb_audit *audit)
{
    return audit->pending_count >= KEEP_LEAVES_AT_CLOSE ||
           audit->journal_end.number >= audit->journal_first + KEEP_FILES_AT_CLOSE - 1;
}

/* ---- checkpoints ---- */

static struct pb_str
copy_name(const struct pb_audit_log *log, char room[PB_LOG_ID_BYTES_MAX + 16])
{
    struct pb_text_out out = pb_text_out(room, PB_LOG_ID_BYTES_MAX + 16);

    pb_put_text(&out, log->id);
    pb_put_text(&out, ".checkpoint");
    assert(!out.is_cut);
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

/* Where the checkpoint is seen, and its copy outside. */
static enum pb_status
put_checkpoint(struct pb_audit *audit, struct pb_audit_log *log, const char *text, size_t count,
               bool is_synced, struct pb_error *error)
{
    char room[PB_LOG_ID_BYTES_MAX + 16];
    enum pb_status status;

    status = pb_place_write(&log->public_place, pb_str_from(CHECKPOINT),
                            is_synced ? PB_PLACE_SYNCED : PB_PLACE_SEEN, text, count, error);
    if (status == PB_OK && audit->copies.path != NULL)
        status = pb_place_write(&audit->copies, copy_name(log, room), PB_PLACE_SYNCED, text, count,
                                error);
    return status;
}

/* The text of a checkpoint, signed. The same size and root have the same text. */
static enum pb_status
sign(struct pb_audit *audit, struct pb_audit_log *log, uint64_t size, const struct pb_hash *root,
     struct pb_text_out *out, struct pb_error *error)
{
    struct pb_checkpoint checkpoint = { .origin = pb_str_from(log->key.name),
                                        .size = size,
                                        .root = *root };
    const char *begin = out->at;
    struct pb_str text;
    uint8_t secret[64];
    enum pb_status status = pb_keys_signer(audit->keys, log->id, &log->key, secret, error);

    if (status != PB_OK)
        return status;
    pb_checkpoint_put(out, &checkpoint);
    text = (struct pb_str){ begin, (uint32_t)(out->at - begin) };
    pb_put_char(out, '\n');
    pb_note_put_signature(out, text, &log->key, secret);
    sodium_memzero(secret, sizeof(secret));
    assert(!out->is_cut);
    return PB_OK;
}

/* The checkpoint on disk, if it is this one with cosignatures under it; else NULL. The caller frees
 * it. */
static enum pb_status
find_longer(struct pb_audit *audit, struct pb_audit_log *log, struct pb_str text, char **ret_longer,
            size_t *ret_bytes, struct pb_error *error)
{
    uint8_t *old = NULL;
    enum pb_status status;

    status = pb_place_read(&log->public_place, pb_str_from(CHECKPOINT), PB_NOTE_BYTES_MAX, &old,
                           ret_bytes, NULL);
    if (status != PB_OK && status != PB_NOT_FOUND && status != PB_E_CORRUPT)
        return pb_fail(error, status, "%s: the checkpoint cannot be read", log->public_place.path);
    if (status == PB_OK && *ret_bytes > text.bytes && memcmp(old, text.text, text.bytes) == 0) {
        *ret_longer = (char *)old;
        return PB_OK;
    }
    pb_free(audit->env, old);
    return PB_OK;
}

static enum pb_status
write_checkpoint(struct pb_audit *audit, struct pb_audit_log *log, bool is_synced,
                 struct pb_error *error)
{
    char text[2 * PB_CHECKPOINT_TEXT_BYTES_MAX];
    struct pb_text_out out = pb_text_out(text, sizeof(text));
    char *longer = NULL;
    size_t count = 0;
    enum pb_status status = sign(audit, log, log->target_size, &log->target_root, &out, error);

    if (status == PB_OK)
        status = find_longer(audit, log, (struct pb_str){ text, (uint32_t)(out.at - text) },
                             &longer, &count, error);
    if (status != PB_OK)
        return status;
    status = longer != NULL
                 ? put_checkpoint(audit, log, longer, count, is_synced, error)
                 : put_checkpoint(audit, log, text, (size_t)(out.at - text), is_synced, error);
    pb_free(audit->env, longer);
    return status;
}

enum pb_status
pb_publish_read(struct pb_audit *audit, struct pb_audit_log *log, char **ret_text,
                size_t *ret_count, struct pb_checkpoint *ret_checkpoint, struct pb_error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status;

    status = pb_place_read(&log->public_place, pb_str_from(CHECKPOINT), PB_NOTE_BYTES_MAX, &bytes,
                           &count, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_CORRUPT, "%s: there is no checkpoint", log->public_place.path);
    if (status != PB_OK)
        return status;
    status = pb_checkpoint_open((struct pb_str){ (char *)bytes, (uint32_t)count }, &log->key,
                                ret_checkpoint, NULL, error);
    if (status != PB_OK) {
        pb_free(audit->env, bytes);
        return PB_E_CORRUPT;
    }
    *ret_text = (char *)bytes;
    *ret_count = count;
    return PB_OK;
}

uint64_t
pb_publish_size(struct pb_audit *audit, struct pb_audit_log *log)
{
    struct pb_checkpoint checkpoint = { .size = 0 };
    char *text = NULL;
    size_t count = 0;

    if (log->is_published)
        return log->published_size;
    /* One that a power cut damaged is as good as none: it is made again. */
    if (pb_publish_read(audit, log, &text, &count, &checkpoint, NULL) != PB_OK)
        return 0;
    pb_free(audit->env, text);
    return checkpoint.size;
}

/* ---- publishing ---- */

/* Which logs take part, and up to where. */
static uint32_t
choose_targets(struct pb_audit *audit, struct pb_audit_log *only, bool keeps)
{
    uint32_t count = 0;

    (void)pthread_mutex_lock(&audit->tails);
    for (uint32_t i = 0; i < audit->log_count; i++) {
        struct pb_audit_log *log = audit->logs[i];
        bool has_news = log->size > (log->is_published ? log->published_size : log->kept_size);

        log->target_size = log->size;
        log->target_time_ms = log->time_ms;
        log->is_target =
            keeps ? log->size > log->kept_size : has_news && (only == NULL || only == log);
        /* A stopped log can still be kept, without a word about it. */
        if (log->is_stopped && !keeps)
            log->is_target = false;
        count += log->is_target;
    }
    (void)pthread_mutex_unlock(&audit->tails);
    return count;
}

/* Tiles up to the target. */
static enum pb_status
grow(struct pb_audit *audit, struct pb_audit_log *log, bool is_synced, struct pb_error *error)
{
    enum pb_status status = pb_growth_integrate(audit, log, log->target_size, error);

    if (status == PB_OK)
        status = pb_growth_write(audit, log, is_synced, error);
    if (status == PB_OK)
        pb_tree_edge_root(&log->growth.edge, &log->target_root);
    return status;
}

static enum pb_status
set_head(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    struct pb_head head = { .size = log->target_size, .root = log->target_root };

    memcpy(head.log, log->id, sizeof(head.log));
    return pb_keys_set_head(audit->keys, &head, error);
}

/* Whether a target gets its checkpoint along with its tiles. */
static bool
is_signed_at_once(const struct pb_audit *audit, const struct pb_audit_log *log)
{
    return !log->is_stopped && audit->witnesses == NULL;
}

static enum pb_status
publish_empty(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    enum pb_status status;

    log->target_size = 0;
    pb_tree_hash_empty(&log->target_root);
    status = set_head(audit, log, error);
    if (status == PB_OK)
        status = pb_keys_sync_heads(audit->keys, error);
    return status == PB_OK ? write_checkpoint(audit, log, true, error) : status;
}

/* Its directories, and a checkpoint of no leaves. */
enum pb_status
pb_publish_begin_log(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    enum pb_status status;

    status = pb_place_mkdir(&log->public_place, (struct pb_str){ NULL, 0 }, error);
    if (status == PB_OK)
        status = pb_place_mkdir(&log->private_place, (struct pb_str){ NULL, 0 }, error);
    if (status == PB_OK)
        status = publish_empty(audit, log, error);
    if (status == PB_OK)
        status = pb_place_sync_up(&log->public_place, pb_str_from("x"), error);
    if (status == PB_OK)
        status = pb_place_sync_up(&audit->place, pb_str_from("public/x"), error);
    if (status == PB_OK)
        status = pb_place_sync_up(&audit->place, pb_str_from("private/x"), error);
    return status;
}

static enum pb_status
publish_targets(struct pb_audit *audit, bool is_synced, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < audit->log_count && status == PB_OK; i++) {
        struct pb_audit_log *log = audit->logs[i];

        if (log->is_target)
            status = grow(audit, log, is_synced, error);
        if (log->is_target && status == PB_OK && is_signed_at_once(audit, log))
            status = set_head(audit, log, error);
    }
    if (status == PB_OK)
        status = pb_keys_sync_heads(audit->keys, error);
    for (uint32_t i = 0; i < audit->log_count && status == PB_OK; i++) {
        struct pb_audit_log *log = audit->logs[i];

        if (!log->is_target || !is_signed_at_once(audit, log))
            continue;
        status = write_checkpoint(audit, log, is_synced, error);
        if (status == PB_OK) {
            log->published_size = log->target_size;
            log->is_published = true;
        }
    }
    return status;
}

/* ---- candidates ---- */

/* Signed, and with the cosignatures that it has on disk. */
static enum pb_status
fill_candidate(struct pb_audit *audit, struct pb_audit_log *log, uint64_t size,
               const struct pb_hash *root, struct pb_candidate *candidate, struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(candidate->text, sizeof(candidate->text));
    enum pb_status status = sign(audit, log, size, root, &out, error);
    struct pb_str text = { candidate->text, (uint32_t)(out.at - candidate->text) };
    char *longer = NULL;
    size_t bytes = 0;

    if (status == PB_OK)
        status = find_longer(audit, log, text, &longer, &bytes, error);
    if (status != PB_OK)
        return status;
    candidate->bytes = text.bytes;
    if (longer != NULL && pb_checkpoint_open((struct pb_str){ longer, (uint32_t)bytes }, &log->key,
                                             &candidate->checkpoint, NULL, NULL) == PB_OK) {
        memcpy(candidate->text, longer, bytes);
        candidate->bytes = bytes;
    }
    pb_free(audit->env, longer);
    text.bytes = (uint32_t)candidate->bytes;
    return pb_checkpoint_open(text, &log->key, &candidate->checkpoint, &candidate->note, error);
}

enum pb_status
pb_publish_prepare(struct pb_audit *audit, struct pb_audit_log *log, bool is_old,
                   struct pb_candidate *ret_candidate, struct pb_error *error)
{
    struct pb_head head = { .size = 0 };
    enum pb_status status;

    pb_tree_hash_empty(&head.root);
    if (pb_keys_head(audit->keys, log->id) != NULL)
        head = *pb_keys_head(audit->keys, log->id);

    (void)pthread_mutex_lock(&audit->tails);
    log->target_size = log->size;
    (void)pthread_mutex_unlock(&audit->tails);
    status = grow(audit, log, false, error);
    if (status == PB_OK && !is_old)
        status = set_head(audit, log, error);
    if (status == PB_OK && !is_old)
        status = pb_keys_sync_heads(audit->keys, error);
    ret_candidate->tree_size = log->target_size;
    if (status == PB_OK)
        status = is_old ? fill_candidate(audit, log, head.size, &head.root, ret_candidate, error)
                        : fill_candidate(audit, log, log->target_size, &log->target_root,
                                         ret_candidate, error);
    return status;
}

enum pb_status
pb_publish_candidate(struct pb_audit *audit, struct pb_audit_log *log,
                     const struct pb_candidate *candidate, struct pb_error *error)
{
    enum pb_status status;

    if (pb_publish_size(audit, log) > candidate->checkpoint.size)
        return PB_OK;
    status = put_checkpoint(audit, log, candidate->text, candidate->bytes, true, error);
    if (status == PB_OK) {
        log->published_size = candidate->checkpoint.size;
        log->is_published = true;
    }
    return status;
}

/* ---- keeping ---- */

/* Writes the openings of the pending leaves that lie in one file, with those already in it. */
static enum pb_status
keep_openings_of(struct pb_audit *audit, struct pb_audit_log *log, uint64_t first, uint64_t end,
                 struct pb_error *error)
{
    uint64_t file_first = first / PB_TILE_WIDTH * PB_TILE_WIDTH;
    struct pb_tile tile = { .level = PB_TILE_ENTRIES,
                            .index = first / PB_TILE_WIDTH,
                            .width = PB_TILE_WIDTH };
    struct pb_sealed items[PB_TILE_WIDTH];
    struct pb_pending pending[PB_TILE_WIDTH];
    char path[PB_TILE_PATH_BYTES_MAX];
    struct pb_text_out out = pb_text_out(path, sizeof(path));
    uint8_t *old = NULL, *bytes = NULL;
    uint32_t count = 0;
    size_t byte_count = 0;
    struct pb_str name;
    enum pb_status status = PB_OK;

    pb_tile_put_path(&out, &tile);
    name = (struct pb_str){ path, (uint32_t)(out.at - path) };
    if (first > file_first) {
        status = pb_place_read(&log->private_place, name, PB_SEALED_FILE_BYTES_MAX, &old,
                               &byte_count, error);
        if (status == PB_OK)
            status = pb_sealed_file_decode(old, byte_count, file_first, items, &count);
        if (status == PB_NOT_FOUND || status == PB_E_CORRUPT ||
            (status == PB_OK && count < first - file_first))
            status = pb_fail(error, PB_E_CORRUPT, "%s: '%.*s' is missing or damaged",
                             log->private_place.path, (int)name.bytes, name.text);
        if (status != PB_OK)
            goto out;
    }
    count = (uint32_t)(first - file_first);
    pb_pending_copy(audit, log, first, (uint32_t)(end - first), pending);
    for (uint64_t i = first; i < end; i++)
        items[count++] = pending[i - first].sealed;
    byte_count = pb_sealed_file_bytes(items, count);
    bytes = pb_alloc(audit->env, byte_count);
    if (bytes == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for openings");
        goto out;
    }
    pb_sealed_file_encode(file_first, items, count, bytes);
    status = pb_place_write(&log->private_place, name, PB_PLACE_SYNCED, bytes, byte_count, error);

out:
    pb_free(audit->env, old);
    pb_free(audit->env, bytes);
    return status;
}

static enum pb_status
keep_openings(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    uint64_t first = log->kept_size;
    enum pb_status status = PB_OK;

    while (first < log->target_size && status == PB_OK) {
        uint64_t end = (first / PB_TILE_WIDTH + 1) * PB_TILE_WIDTH;

        if (end > log->target_size)
            end = log->target_size;
        status = keep_openings_of(audit, log, first, end, error);
        first = end;
    }
    return status;
}

/* Syncs the directories in which files of one kind got new names: those between `from` and `to`
 * leaves. */
static enum pb_status
sync_names(const struct pb_place *place, int level, uint64_t from, uint64_t to, bool has_partial,
           struct pb_error *error)
{
    unsigned tile_level = level == PB_TILE_ENTRIES ? 0 : (unsigned)level;
    unsigned width = pb_tile_partial_width(to, tile_level);
    uint64_t first = pb_tile_full_count(from, tile_level);
    uint64_t last = pb_tile_full_count(to, tile_level);
    enum pb_status status = PB_OK;

    for (uint64_t index = first; index <= last && status == PB_OK; index++) {
        struct pb_tile tile = { .level = level, .index = index, .width = PB_TILE_WIDTH };
        char path[PB_TILE_PATH_BYTES_MAX];
        struct pb_text_out out = pb_text_out(path, sizeof(path));

        if (index == last && width == 0)
            break;
        /* A directory holds a thousand names: one of them is enough. */
        if (index != first && index + 1 < last && index % 1000 != 0)
            continue;
        if (index == last && has_partial)
            tile.width = width;
        pb_tile_put_path(&out, &tile);
        status = pb_place_sync_up(place, (struct pb_str){ path, (uint32_t)(out.at - path) }, error);
    }
    return status;
}

static enum pb_status
keep_log(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    uint64_t from = log->kept_size, to = log->target_size;
    enum pb_status status = keep_openings(audit, log, error);

    if (status == PB_OK)
        status = sync_names(&log->private_place, PB_TILE_ENTRIES, from, to, false, error);
    for (int level = PB_TILE_ENTRIES; level < (int)PB_TILE_LEVELS && status == PB_OK; level++)
        status = sync_names(&log->public_place, level, from, to, true, error);
    return status;
}

/* What the logs become, once the state is written. */
static void
drop_kept(struct pb_audit *audit)
{
    for (uint32_t i = 0; i < audit->log_count; i++) {
        struct pb_audit_log *log = audit->logs[i];

        if (!log->is_target)
            continue;
        log->previous_size = log->kept_size;
        log->kept_root = log->target_root;
        log->kept_time_ms = log->target_time_ms;
        (void)pthread_mutex_lock(&audit->tails);
        pb_pending_drop(audit, log, log->target_size);
        (void)pthread_mutex_unlock(&audit->tails);
        pb_growth_unload(audit, log);
        pb_growth_clean(audit, log, log->previous_size, log->kept_size);
    }
}

/* Closes the journal file, so that all before it may be dropped later, and chooses the targets. */
static uint32_t
turn_journal(struct pb_audit *audit, struct pb_state_change *change)
{
    uint32_t count;

    (void)pthread_mutex_lock(&audit->writing);
    pb_log_close(audit->journal);
    audit->journal = NULL;
    change->journal_first =
        audit->journal_end.number == 0 ? audit->journal_first : audit->journal_end.number + 1;
    change->commit = audit->commit;
    count = choose_targets(audit, NULL, true);
    (void)pthread_mutex_unlock(&audit->writing);
    return count;
}

enum pb_status
pb_publish_keep(struct pb_audit *audit, struct pb_error *error)
{
    struct pb_state_change change = { .keeps = true };
    enum pb_status status;

    if (turn_journal(audit, &change) == 0)
        return PB_OK;
    status = publish_targets(audit, true, error);
    for (uint32_t i = 0; i < audit->log_count && status == PB_OK; i++) {
        if (audit->logs[i]->is_target)
            status = keep_log(audit, audit->logs[i], error);
    }
    if (status == PB_OK)
        status = pb_audit_write_state(audit, &change, error);
    if (status != PB_OK)
        return status;
    drop_kept(audit);
    pb_log_delete_below(audit->env, audit->journal_path, change.journal_first);
    return PB_OK;
}

enum pb_status
pb_publish_stop_log(struct pb_audit *audit, struct pb_audit_log *log, const char *reason,
                    struct pb_error *error)
{
    log->is_stopped = true; /* also where the note of it cannot be written */
    return pb_keys_stop(audit->keys, log->id, reason, error);
}

/* A log that is stopped; NULL: none. */
static struct pb_audit_log *
find_stopped(struct pb_audit *audit, struct pb_audit_log *only)
{
    struct pb_audit_log *found = NULL;

    for (uint32_t i = 0; i < audit->log_count; i++) {
        struct pb_audit_log *log = audit->logs[i];

        if (log->is_stopped && (only == NULL || only == log))
            found = log;
    }
    return found;
}

enum pb_status
pb_publish_locked(struct pb_audit *audit, struct pb_audit_log *only, bool keeps,
                  struct pb_error *error)
{
    /* While one log is restarted, what is wrong with others is told when it is their turn. */
    struct pb_audit_log *stopped = audit->restarted == NULL ? find_stopped(audit, only) : NULL;
    enum pb_status status = PB_OK;

    if (keeps)
        status = pb_publish_keep(audit, error);
    else if (audit->witnesses == NULL && choose_targets(audit, only, false) > 0)
        status = publish_targets(audit, false, error);
    if (status == PB_OK && stopped != NULL)
        status = pb_fail(error, PB_E_CORRUPT,
                         "%s: audit log '%s' is stopped, since a witness "
                         "contradicts it: see '%s.stopped' in the directory of keys",
                         audit->place.path, stopped->id, stopped->id);
    return status;
}

enum pb_status
pb_publish(struct pb_audit *audit, struct pb_audit_log *only, bool keeps, struct pb_error *error)
{
    enum pb_status cosigned = PB_OK, status;

    if (audit->witnesses != NULL)
        cosigned = pb_cosign_news(audit, only, NULL, error);
    (void)pthread_mutex_lock(&audit->integrating);
    status = pb_publish_locked(audit, only, keeps, cosigned == PB_OK ? error : NULL);
    (void)pthread_mutex_unlock(&audit->integrating);
    return cosigned == PB_OK ? status : cosigned;
}

enum pb_status
pb_audit_publish(struct pb_audit *audit, const char *log, struct pb_error *error)
{
    struct pb_audit_log *only = NULL;

    if (audit->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", audit->place.path);
    if (log != NULL) {
        only = pb_audit_find(audit, pb_str_from(log));
        if (only == NULL)
            return pb_fail(error, PB_NOT_FOUND, "there is no audit log '%.64s'", log);
    }
    return pb_publish(audit, only, only == NULL && pb_publish_should_keep(audit), error);
}

/* ---- the rule at the start ---- */

/* The root of the first size leaves, of which those from kept_size on are pending. */
static enum pb_status
root_at(struct pb_audit *audit, struct pb_audit_log *log, uint64_t size, struct pb_hash *ret_root,
        struct pb_error *error)
{
    struct pb_nodes nodes;
    struct pb_tree_edge edge;
    enum pb_status status;

    if (size == log->kept_size) {
        *ret_root = log->kept_root;
        return PB_OK;
    }
    pb_nodes_init(&nodes, &log->public_place, log->kept_size);
    if (size < log->kept_size)
        return pb_tree_root(size, pb_nodes_node, &nodes, ret_root, error);
    status = pb_tree_edge_load(log->kept_size, pb_nodes_node, &nodes, &edge, error);
    if (status != PB_OK)
        return status;
    for (uint64_t i = 0; i < size - log->kept_size; i++) {
        struct pb_hash hash;

        pb_tree_hash_leaf(log->pending[i].leaf.text, log->pending[i].leaf.bytes, &hash);
        pb_tree_edge_add(&edge, &hash);
    }
    (void)audit;
    pb_tree_edge_root(&edge, ret_root);
    return PB_OK;
}

static enum pb_status
check_head(struct pb_audit *audit, struct pb_audit_log *log, uint64_t size,
           const struct pb_hash *root, const char *whence, struct pb_error *error)
{
    struct pb_hash found;
    enum pb_status status;

    if (size > log->size)
        return pb_fail(
            error, PB_E_CORRUPT,
            "%s: audit log '%s' has %llu leaves, and %s says that "
            "%llu were given out: leaves are lost, as by putting back a backup. Put back "
            "the newest copy, or begin the log again under a new origin (platebase audit "
            "restart)",
            audit->place.path, log->id, (unsigned long long)log->size, whence,
            (unsigned long long)size);
    status = root_at(audit, log, size, &found, error);
    if (status != PB_OK)
        return status;
    if (!pb_hash_equal(&found, root))
        return pb_fail(error, PB_E_CORRUPT,
                       "%s: audit log '%s' is not the one of which %s has a "
                       "checkpoint of %llu leaves: it was changed. Put back the newest copy, or "
                       "begin the log again under a new origin (platebase audit restart)",
                       audit->place.path, log->id, whence, (unsigned long long)size);
    return PB_OK;
}

static enum pb_status
check_copy(struct pb_audit *audit, struct pb_audit_log *log, struct pb_error *error)
{
    char room[PB_LOG_ID_BYTES_MAX + 16];
    struct pb_str name = copy_name(log, room);
    struct pb_checkpoint checkpoint;
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status;

    status = pb_place_read(&audit->copies, name, PB_NOTE_BYTES_MAX, &bytes, &count, error);
    if (status == PB_NOT_FOUND)
        return PB_OK;
    if (status != PB_OK)
        return status;
    status = pb_checkpoint_open((struct pb_str){ (char *)bytes, (uint32_t)count }, &log->key,
                                &checkpoint, NULL, NULL);
    if (status == PB_OK)
        status = check_head(audit, log, checkpoint.size, &checkpoint.root,
                            "the copy of its checkpoint", error);
    else
        status = pb_fail(error, PB_E_CORRUPT,
                         "'%s/%.*s' is no checkpoint of this log; find out who "
                         "wrote it before you remove it",
                         audit->copies.path, (int)name.bytes, name.text);
    pb_free(audit->env, bytes);
    return status;
}

/* What one log's check came to. While some log is restarted the others need not be whole: what is
 * not is stopped until it is restarted itself, so that no word about it is signed. */
static enum pb_status
take_check(const struct pb_audit *audit, struct pb_audit_log *log, enum pb_status status)
{
    if (status != PB_E_CORRUPT || audit->restarted == NULL)
        return status;
    if (log != NULL)
        log->is_stopped = true;
    return PB_OK;
}

static enum pb_status
check_head_of(struct pb_audit *audit, struct pb_audit_log *log, const struct pb_head *head,
              struct pb_error *error)
{
    if (log != NULL)
        return check_head(audit, log, head->size, &head->root, "the directory of keys", error);
    if (head->size == 0)
        return PB_OK;
    return pb_fail(error, PB_E_CORRUPT,
                   "%s: audit log '%s' is missing, and the directory "
                   "of keys says that %llu leaves of it were given out",
                   audit->place.path, head->log, (unsigned long long)head->size);
}

enum pb_status
pb_publish_check_heads(struct pb_audit *audit, struct pb_error *error)
{
    uint32_t count = 0;
    const struct pb_head *heads = pb_keys_heads(audit->keys, &count);
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < count && status == PB_OK; i++) {
        struct pb_audit_log *log = pb_audit_find(audit, pb_str_from(heads[i].log));

        if (audit->restarted == NULL || strcmp(audit->restarted, heads[i].log) != 0)
            status = take_check(audit, log, check_head_of(audit, log, &heads[i], error));
    }
    for (uint32_t i = 0; i < audit->log_count && status == PB_OK && audit->copies.path != NULL; i++)
        if (audit->restarted == NULL || strcmp(audit->restarted, audit->logs[i]->id) != 0)
            status = take_check(audit, audit->logs[i], check_copy(audit, audit->logs[i], error));
    return status;
}
