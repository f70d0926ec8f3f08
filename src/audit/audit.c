/*
 * Audit: creating, opening and closing a directory of logs; the logs themselves.
 *
 *   state       which logs there are, and how much of each is on disk for good
 *   lock        held by who writes
 *   temporary   what is about to be renamed to its place
 *   journal/    leaves that are not yet on disk elsewhere (docs/formats/log-v1.md)
 *   public/     one directory a log: what anybody may fetch
 *   private/    one directory a log: sealed openings
 */
#include "audit/audit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "audit/audit_private.h"
#include "audit/encode.h"

#define STATE "state"
#define LOCK "lock"
#define LOCK_ATTEMPTS 500
#define LOCK_PAUSE_US 20000
#define READ_ATTEMPTS 8

/* ---- logs ---- */

/* Where a log of that id is, or would be. The caller holds tails, or is alone. */
static uint32_t
place_of(const struct pb_audit *audit, struct pb_str id, bool *ret_is_there)
{
    uint32_t low = 0, high = audit->log_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = pb_str_compare(pb_str_from(audit->logs[middle]->id), id);

        if (order == 0) {
            *ret_is_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_is_there = false;
    return low;
}

struct pb_audit_log *
pb_audit_find_locked(struct pb_audit *audit, struct pb_str id)
{
    bool is_there = false;
    uint32_t place = place_of(audit, id, &is_there);

    return is_there ? audit->logs[place] : NULL;
}

struct pb_audit_log *
pb_audit_find(struct pb_audit *audit, struct pb_str id)
{
    struct pb_audit_log *log;

    (void)pthread_mutex_lock(&audit->tails);
    log = pb_audit_find_locked(audit, id);
    (void)pthread_mutex_unlock(&audit->tails);
    return log;
}

static void
log_free(struct pb_audit *audit, struct pb_audit_log *log)
{
    if (log == NULL)
        return;
    pb_growth_unload(audit, log);
    pb_pending_drop(audit, log, log->size);
    pb_place_done(&log->public_place);
    pb_place_done(&log->private_place);
    pb_free(audit->env, log);
}

/* Of what belongs to one log. */
static enum pb_status
init_place(const struct pb_audit *audit, const char *room, const char *id,
           struct pb_place *ret_place, struct pb_error *error)
{
    char name[PB_PLACE_NAME_BYTES_MAX];
    struct pb_text_out out = pb_text_out(name, sizeof(name));

    pb_put_text(&out, room);
    pb_put_char(&out, '/');
    pb_put_text(&out, id);
    return pb_place_init_within(ret_place, &audit->place,
                                (struct pb_str){ name, (uint32_t)(out.at - name) }, error);
}

static enum pb_status
log_new(struct pb_audit *audit, const struct pb_state_log *state, struct pb_audit_log **ret_log,
        struct pb_error *error)
{
    struct pb_audit_log *log = pb_calloc(audit->env, 1, sizeof(*log));
    enum pb_status status;

    if (log == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a log");
    memcpy(log->id, state->id, sizeof(log->id));
    log->key = state->key;
    log->size = state->size;
    log->kept_size = state->size;
    log->previous_size = state->previous_size;
    log->kept_root = state->root;
    log->kept_time_ms = state->time_ms;
    log->time_ms = state->time_ms;
    log->ahead_time_ms = state->time_ms;
    status = init_place(audit, "public", log->id, &log->public_place, error);
    if (status == PB_OK)
        status = init_place(audit, "private", log->id, &log->private_place, error);
    if (status == PB_OK) {
        *ret_log = log;
        log = NULL;
    }
    log_free(audit, log);
    return status;
}

/* Makes room for one more. */
static enum pb_status
reserve_log(struct pb_audit *audit, struct pb_error *error)
{
    uint32_t room = audit->log_room * 2 + 8;
    struct pb_audit_log **larger;

    if (audit->log_count < audit->log_room)
        return PB_OK;
    larger = pb_alloc(audit->env, room * sizeof(struct pb_audit_log *));
    if (larger == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for logs");
    if (audit->log_count > 0)
        memcpy(larger, audit->logs, audit->log_count * sizeof(struct pb_audit_log *));
    (void)pthread_mutex_lock(&audit->tails);
    pb_free(audit->env, audit->logs);
    audit->logs = larger;
    audit->log_room = room;
    (void)pthread_mutex_unlock(&audit->tails);
    return PB_OK;
}

/* Takes a log in, for which there is room. */
static void
insert_log(struct pb_audit *audit, struct pb_audit_log *log)
{
    bool is_there = false;
    uint32_t place;

    (void)pthread_mutex_lock(&audit->tails);
    place = place_of(audit, pb_str_from(log->id), &is_there);
    assert(!is_there && audit->log_count < audit->log_room);
    memmove(&audit->logs[place + 1], &audit->logs[place],
            (audit->log_count - place) * sizeof(struct pb_audit_log *));
    audit->logs[place] = log;
    audit->log_count++;
    (void)pthread_mutex_unlock(&audit->tails);
}

/* ---- state ---- */

static enum pb_status
write_state(const struct pb_place *place, const struct pb_state *state, struct pb_error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status = pb_state_encode(state, place->env, &bytes, &count);

    if (status != PB_OK)
        return pb_fail(error, status, "no memory for the state of the audit logs");
    status = pb_place_write(place, pb_str_from(STATE), PB_PLACE_SYNCED, bytes, count, error);
    if (status == PB_OK)
        status = pb_place_sync_up(place, pb_str_from(STATE), error);
    pb_free(place->env, bytes);
    return status;
}

static void
describe_log(const struct pb_audit_log *log, bool keeps, struct pb_state_log *ret_log)
{
    memset(ret_log, 0, sizeof(*ret_log));
    memcpy(ret_log->id, log->id, sizeof(ret_log->id));
    ret_log->key = log->key;
    ret_log->size = log->kept_size;
    ret_log->previous_size = log->previous_size;
    ret_log->root = log->kept_root;
    ret_log->time_ms = log->kept_time_ms;
    if (!keeps || !log->is_target)
        return;
    ret_log->previous_size = log->kept_size;
    ret_log->size = log->target_size;
    ret_log->root = log->target_root;
    ret_log->time_ms = log->target_time_ms;
}

static void
describe_logs(const struct pb_audit *audit, const struct pb_state_change *change,
              struct pb_state *state)
{
    const struct pb_audit_log *added = change->added;

    for (uint32_t i = 0; i < audit->log_count; i++) {
        if (added != NULL && strcmp(added->id, audit->logs[i]->id) < 0) {
            describe_log(added, false, &state->logs[state->log_count++]);
            added = NULL;
        }
        describe_log(audit->logs[i], change->keeps, &state->logs[state->log_count++]);
    }
    if (added != NULL)
        describe_log(added, false, &state->logs[state->log_count++]);
}

enum pb_status
pb_audit_write_state(struct pb_audit *audit, const struct pb_state_change *change,
                     struct pb_error *error)
{
    struct pb_state state = { .journal_first = change->journal_first, .commit = change->commit };
    enum pb_status status;

    memcpy(state.audit_id, audit->audit_id, PB_AUDIT_ID_BYTES);
    state.logs = pb_calloc(audit->env, (size_t)audit->log_count + 1, sizeof(*state.logs));
    if (state.logs == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the state of the audit logs");
    describe_logs(audit, change, &state);
    /* Also where the writing fails: nobody may take the next state for this one. */
    state.generation = ++audit->generation;
    status = write_state(&audit->place, &state, error);
    pb_state_done(&state, audit->env);
    if (status != PB_OK)
        return status;
    audit->journal_first = change->journal_first;
    audit->kept_commit = change->commit;
    return PB_OK;
}

static enum pb_status
read_state(struct pb_audit *audit, struct pb_state *ret_state, struct pb_error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status;

    status =
        pb_place_read(&audit->place, pb_str_from(STATE), PB_STATE_BYTES_MAX, &bytes, &count, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_NOT_STORE, "'%s' holds no audit logs", audit->place.path);
    if (status != PB_OK)
        return status;
    status = pb_state_decode(audit->env, bytes, count, ret_state, error);
    pb_free(audit->env, bytes);
    return status;
}

/* ---- creating ---- */

static enum pb_status
make_directories(const struct pb_place *place, struct pb_error *error)
{
    static const char *const names[] = { "journal", "journal/log", "public", "private" };
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && status == PB_OK; i++)
        status = pb_place_mkdir(place, pb_str_from(names[i]), error);
    if (status == PB_OK)
        status = pb_place_sync_up(place, pb_str_from("journal/x"), error);
    return status;
}

/* Makes the entry of path in its parent directory durable. */
static enum pb_status
sync_parent(const struct pb_env *env, const char *path, struct pb_error *error)
{
    char parent[PB_PATH_BYTES_MAX];
    size_t bytes = strlen(path);

    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    while (bytes > 0 && path[bytes - 1] != '/')
        bytes--;
    assert(bytes < sizeof(parent)); /* files were made in it */
    memcpy(parent, bytes > 0 ? path : ".", bytes > 0 ? bytes : 1);
    parent[bytes > 0 ? bytes : 1] = '\0';
    return env->files->sync_directory(env->file_context, parent, error);
}

enum pb_status
pb_audit_create(const struct pb_env *env, const char *path, const char *keys_path,
                struct pb_error *error)
{
    struct pb_state state = { .generation = 1, .journal_first = 1 };
    struct pb_place place;
    enum pb_status status;

    assert(env != NULL && path != NULL && keys_path != NULL);
    pb_seal_ready();
    if (env->random(env->random_context, state.audit_id, PB_AUDIT_ID_BYTES) != PB_OK)
        return pb_fail(error, PB_E_IO, "no random bytes for audit logs");
    status = pb_place_init(&place, env, path, error);
    if (status != PB_OK)
        return status;
    status = env->files->mkdir(env->file_context, path, error);
    if (status == PB_OK)
        status = make_directories(&place, error);
    if (status == PB_OK)
        status = pb_keys_create(env, keys_path, state.audit_id, error);
    if (status == PB_OK)
        status = sync_parent(env, keys_path, error);
    if (status == PB_OK)
        status = pb_place_write(&place, pb_str_from(LOCK), PB_PLACE_SYNCED, "", 0, error);
    if (status == PB_OK) /* last: without it there are no audit logs here */
        status = write_state(&place, &state, error);
    if (status == PB_OK)
        status = sync_parent(env, path, error);
    pb_place_done(&place);
    return status;
}

/* ---- opening ---- */

/* What stands in the lock file, as far as it is such a text. */
static void
read_holder(const struct pb_env *env, struct pb_file *file, char ret_holder[PB_AUDIT_HOLDER_BYTES])
{
    uint64_t bytes = 0;

    if (env->files->size(env->file_context, file, &bytes, NULL) != PB_OK ||
        bytes >= PB_AUDIT_HOLDER_BYTES ||
        env->files->read(env->file_context, file, 0, ret_holder, (size_t)bytes, NULL) != PB_OK ||
        !pb_text_is_plain((struct pb_str){ ret_holder, (uint32_t)bytes }))
        bytes = 0;
    ret_holder[bytes] = '\0';
}

void
pb_audit_holder(const struct pb_env *env, const char *path, char ret_holder[PB_AUDIT_HOLDER_BYTES])
{
    char lock_path[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;
    int length = snprintf(lock_path, sizeof(lock_path), "%s/" LOCK, path);

    ret_holder[0] = '\0';
    if ((size_t)length >= sizeof(lock_path) ||
        env->files->open(env->file_context, lock_path, PB_OPEN_READ, &file, NULL) != PB_OK)
        return;
    read_holder(env, file, ret_holder);
    env->files->close(env->file_context, file);
}

/* For who comes next. That it cannot be written is no reason to fail. */
static void
write_holder(const struct pb_audit *audit, const char *holder)
{
    const struct pb_file_ops *files = audit->env->files;
    size_t bytes = holder == NULL ? 0 : strlen(holder);
    enum pb_status status;

    if (bytes == 0 || bytes >= PB_AUDIT_HOLDER_BYTES)
        return;
    status = files->truncate(audit->env->file_context, audit->lock, 0, NULL);
    if (status == PB_OK)
        status = files->write(audit->env->file_context, audit->lock, 0, holder, bytes, NULL);
    (void)status;
}

/* Another process holds the lock for as long as one command takes, or for good. */
static bool
may_wait(const struct pb_audit *audit, const struct pb_audit_options *options)
{
    char holder[PB_AUDIT_HOLDER_BYTES];

    if (options == NULL || options->on_busy == NULL)
        return true;
    read_holder(audit->env, audit->lock, holder);
    return options->on_busy(options->busy_context, holder);
}

static enum pb_status
take_lock(struct pb_audit *audit, const struct pb_audit_options *options, struct pb_error *error)
{
    const struct pb_file_ops *files = audit->env->files;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    pb_place_path(&audit->place, pb_str_from(LOCK), path);
    status = files->open(audit->env->file_context, path, PB_OPEN_WRITE, &audit->lock, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_NOT_STORE, "'%s' holds no audit logs", audit->place.path);
    if (status != PB_OK)
        return status;
    for (int attempt = 1;; attempt++) {
        status = files->lock(audit->env->file_context, audit->lock, error);
        if (status != PB_E_BUSY || attempt == LOCK_ATTEMPTS ||
            (attempt == 1 && !may_wait(audit, options)))
            break;
        pb_pause_us(audit->env, LOCK_PAUSE_US);
    }
    if (status == PB_E_BUSY)
        return pb_fail(error, status,
                       "%s: another process writes to these audit logs; wait for it "
                       "or stop it",
                       audit->place.path);
    if (status == PB_OK)
        write_holder(audit, options != NULL ? options->holder : NULL);
    return status;
}

static void
drop_logs(struct pb_audit *audit)
{
    for (uint32_t i = 0; i < audit->log_count; i++)
        log_free(audit, audit->logs[i]);
    pb_free(audit->env, audit->logs);
    audit->logs = NULL;
    audit->log_count = 0;
    audit->log_room = 0;
}

static enum pb_status
load_logs(struct pb_audit *audit, const struct pb_state *state, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    memcpy(audit->audit_id, state->audit_id, PB_AUDIT_ID_BYTES);
    audit->generation = state->generation;
    audit->journal_first = state->journal_first;
    audit->journal_start = state->journal_first;
    audit->commit = state->commit;
    audit->kept_commit = state->commit;
    for (uint32_t i = 0; i < state->log_count && status == PB_OK; i++) {
        struct pb_audit_log *log = NULL;

        status = reserve_log(audit, error);
        if (status == PB_OK)
            status = log_new(audit, &state->logs[i], &log, error);
        if (status == PB_OK)
            insert_log(audit, log);
    }
    return status;
}

/* State, then journal. */
static enum pb_status
load(struct pb_audit *audit, struct pb_error *error)
{
    struct pb_state state = { .logs = NULL };
    enum pb_status status = read_state(audit, &state, error);

    if (status == PB_OK)
        status = load_logs(audit, &state, error);
    if (status == PB_OK)
        status = pb_journal_recover(audit, error);
    pb_state_done(&state, audit->env);
    return status;
}

/* Loads beside a process that may write: what was read is whole if the state is still the same. */
static enum pb_status
load_beside_writer(struct pb_audit *audit, struct pb_error *error)
{
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        struct pb_state now = { .logs = NULL };
        enum pb_status status = load(audit, error);
        enum pb_status again = status == PB_E_NOT_STORE ? status : read_state(audit, &now, error);
        bool is_same = again == PB_OK && now.generation == audit->generation;

        pb_state_done(&now, audit->env);
        if (again != PB_OK)
            return again;
        if (is_same || status == PB_E_NOMEM)
            return status;
        drop_logs(audit);
    }
    return pb_fail(error, PB_E_BUSY, "%s: another process changes these audit logs all the time",
                   audit->place.path);
}

/* What only a writer does: the rule at the start comes before anything is written. */
static enum pb_status
begin_writing(struct pb_audit *audit, struct pb_error *error)
{
    enum pb_status status = pb_publish_check_heads(audit, error);

    for (uint32_t i = 0; i < audit->log_count && status == PB_OK; i++) {
        bool is_stopped = false;

        status = pb_keys_is_stopped(audit->keys, audit->logs[i]->id, &is_stopped, error);
        audit->logs[i]->is_stopped = audit->logs[i]->is_stopped || is_stopped;
    }
    if (status != PB_OK)
        return status;
    if (audit->restarted != NULL && pb_audit_find(audit, pb_str_from(audit->restarted)) != NULL)
        pb_audit_find(audit, pb_str_from(audit->restarted))->is_stopped = true;
    /* What was written and perhaps not synced must be so before it is published. */
    if (audit->journal_end.durable_bytes < audit->journal_end.bytes) {
        (void)pthread_mutex_lock(&audit->writing);
        status = pb_journal_need(audit, error);
        (void)pthread_mutex_unlock(&audit->writing);
    }
    for (uint32_t i = 0; i < audit->log_count; i++) {
        struct pb_audit_log *log = audit->logs[i];

        log->needs_repair = log->pending_count > 0;
        pb_growth_clean(audit, log, log->previous_size, log->kept_size);
    }
    return status;
}

static enum pb_status
init_audit(struct pb_audit *audit, const struct pb_env *env, const char *path,
           const struct pb_audit_options *options, struct pb_error *error)
{
    char journal[PB_PATH_BYTES_MAX];
    enum pb_status status;

    audit->env = env;
    audit->is_read_only = options != NULL && options->is_read_only;
    audit->witnesses = options != NULL ? options->witnesses : NULL;
    audit->fails_to_publish = options != NULL ? options->fails_to_publish : NULL;
    audit->fails_context = options != NULL ? options->fails_context : NULL;
    audit->wants_background =
        !audit->is_read_only && !(options != NULL && options->publishes_by_hand);
    /* With such attributes these cannot fail on Linux. */
    (void)pthread_mutex_init(&audit->cosigning, NULL);
    (void)pthread_mutex_init(&audit->integrating, NULL);
    (void)pthread_mutex_init(&audit->writing, NULL);
    (void)pthread_mutex_init(&audit->tails, NULL);
    (void)pthread_mutex_init(&audit->queue_lock, NULL);
    (void)pthread_cond_init(&audit->queue_moved, NULL);
    pb_workers_init(audit);

    status = pb_place_init(&audit->place, env, path, error);
    if (status != PB_OK)
        return status;
    pb_place_path(&audit->place, pb_str_from("journal"), journal);
    audit->journal_path = pb_alloc(env, strlen(journal) + 1);
    if (audit->journal_path == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a path");
    memcpy(audit->journal_path, journal, strlen(journal) + 1);
    if (options != NULL && options->checkpoint_copies != NULL)
        status = pb_place_init(&audit->copies, env, options->checkpoint_copies, error);
    return status;
}

static void
audit_free(struct pb_audit *audit)
{
    pb_log_close(audit->journal);
    drop_logs(audit);
    pb_keys_close(audit->keys);
    audit->env->files->close(audit->env->file_context, audit->lock);
    pb_place_done(&audit->place);
    pb_place_done(&audit->copies);
    pb_free(audit->env, audit->journal_path);
    (void)pthread_mutex_destroy(&audit->cosigning);
    (void)pthread_mutex_destroy(&audit->integrating);
    (void)pthread_mutex_destroy(&audit->writing);
    (void)pthread_mutex_destroy(&audit->tails);
    (void)pthread_mutex_destroy(&audit->queue_lock);
    (void)pthread_cond_destroy(&audit->queue_moved);
    pb_workers_done(audit);
    pb_free(audit->env, audit);
}

enum pb_status
pb_audit_open_restarting(const struct pb_env *env, const char *path, const char *keys_path,
                         const struct pb_audit_options *options, const char *log,
                         struct pb_audit **ret_audit, struct pb_error *error)
{
    struct pb_audit *audit;
    enum pb_status status;

    assert(env != NULL && path != NULL && ret_audit != NULL);
    pb_seal_ready();
    audit = pb_calloc(env, 1, sizeof(*audit));
    if (audit == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for audit logs");
    audit->restarted = log;
    status = init_audit(audit, env, path, options, error);
    if (status == PB_OK && !audit->is_read_only && keys_path == NULL)
        status = pb_fail(error, PB_BAD_INPUT, "writing needs the directory of keys");
    if (status == PB_OK && !audit->is_read_only)
        status = take_lock(audit, options, error);
    if (status == PB_OK)
        status = audit->is_read_only ? load_beside_writer(audit, error) : load(audit, error);
    if (status == PB_OK && keys_path != NULL)
        status =
            pb_keys_open(env, keys_path, audit->audit_id, audit->is_read_only, &audit->keys, error);
    if (status == PB_OK && !audit->is_read_only)
        status = begin_writing(audit, error);
    if (status != PB_OK) {
        audit_free(audit);
        return status;
    }
    *ret_audit = audit;
    return PB_OK;
}

enum pb_status
pb_audit_open(const struct pb_env *env, const char *path, const char *keys_path,
              const struct pb_audit_options *options, struct pb_audit **ret_audit,
              struct pb_error *error)
{
    return pb_audit_open_restarting(env, path, keys_path, options, NULL, ret_audit, error);
}

enum pb_status
pb_audit_close(struct pb_audit *audit, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    if (audit == NULL)
        return PB_OK;
    pb_workers_stop(audit);
    if (!audit->is_read_only)
        status = pb_publish(audit, NULL, pb_publish_should_keep_at_close(audit), error);
    audit_free(audit);
    return status;
}

/* ---- adding a log ---- */

static enum pb_status
make_origin(const struct pb_audit *audit, const char *id, const char *origin,
            char ret_origin[PB_NOTE_NAME_BYTES_MAX + 1], struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_origin, PB_NOTE_NAME_BYTES_MAX + 1);

    if (origin != NULL) {
        pb_put_text(&out, origin);
    } else {
        pb_put_text(&out, "platebase.invalid/");
        pb_put_hex(&out, audit->audit_id, 8);
        pb_put_text(&out, strcmp(id, PB_AUDIT_OPERATOR) == 0 ? "/" : "/agency/");
        pb_put_text(&out, id);
    }
    pb_put_char(&out, '\0');
    if (out.is_cut || !pb_note_name_is_valid(pb_str_from(ret_origin)))
        return pb_fail(error, PB_BAD_INPUT,
                       "the origin of log '%s' must be 1 to %u bytes without "
                       "spaces, controls and '+'",
                       id, PB_NOTE_NAME_BYTES_MAX);
    return PB_OK;
}

static enum pb_status
add_log_locked(struct pb_audit *audit, const char *id, const char *origin, struct pb_error *error)
{
    struct pb_state_log description = { .size = 0 };
    struct pb_state_change change = { .journal_first = audit->journal_first,
                                      .commit = audit->kept_commit };
    char origin_room[PB_NOTE_NAME_BYTES_MAX + 1];
    struct pb_audit_log *log = NULL;
    enum pb_status status;

    if (pb_audit_find(audit, pb_str_from(id)) != NULL)
        return pb_fail(error, PB_DUPLICATE, "there is an audit log '%s' already", id);
    if (audit->log_count == PB_LOGS_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "at most %u audit logs", PB_LOGS_MAX);
    memcpy(description.id, id, strlen(id));
    pb_tree_hash_empty(&description.root);
    status = make_origin(audit, id, origin, origin_room, error);
    if (status == PB_OK)
        status =
            pb_keys_make_signer(audit->keys, id, pb_str_from(origin_room), &description.key, error);
    if (status == PB_OK)
        status = log_new(audit, &description, &log, error);
    if (status != PB_OK)
        return status;
    change.added = log;
    status = pb_publish_begin_log(audit, log, error);
    if (status == PB_OK)
        status = reserve_log(audit, error);
    if (status == PB_OK) /* it counts from here on */
        status = pb_audit_write_state(audit, &change, error);
    if (status == PB_OK)
        insert_log(audit, log);
    else
        log_free(audit, log);
    return status;
}

enum pb_status
pb_audit_log_add(struct pb_audit *audit, const char *id, const char *origin, struct pb_error *error)
{
    enum pb_status status;

    assert(audit != NULL && id != NULL);
    if (audit->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", audit->place.path);
    if (!pb_log_id_is_valid(pb_str_from(id)))
        return pb_fail(error, PB_BAD_INPUT, "'%.80s' cannot name an audit log", id);
    (void)pthread_mutex_lock(&audit->integrating);
    status = add_log_locked(audit, id, origin, error);
    (void)pthread_mutex_unlock(&audit->integrating);
    return status;
}
