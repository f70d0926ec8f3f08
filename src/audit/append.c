/*
 * Append: leaves become part of their logs here.
 *
 * Each caller makes its leaves' bytes and seals their openings itself. Then one of those who wait
 * (the leader) gives all of them places and times in their logs, and writes and syncs them
 * together. What was synced is pending until it is on disk elsewhere (publish.c).
 *
 * Invariants:
 *   (1) a leaf has its index, and its log its size, only once it is synced.
 *   (2) times in a log never go back, whatever the clock does.
 *   (3) after a failed sync nothing more is taken. Where only room was lacking, the next append
 *       goes on in a fresh journal file.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "audit/audit_private.h"

#define GROUP_BYTES_MAX (8u << 20)
#define PENDING_BYTES_MAX ((size_t)64 << 20)

/* One leaf of a request, all but its place and time. */
struct draft {
    struct pb_audit_log *log;
    uint64_t index; /* given by the leader */
    uint32_t term;
    char *tail; /* into the request's scratch */
    uint32_t tail_bytes;
    uint8_t *sealed; /* likewise */
    uint32_t sealed_bytes;
};

struct pb_append_request {
    struct draft *drafts; /* owned; with the scratch behind them */
    uint32_t count;
    struct pb_batch *batch; /* owned until it is pending */
    size_t batch_room;
    struct pb_append_request *next;
    enum pb_status status;
    struct pb_error error;
    bool is_done; /* guarded by queue_lock */
};

/* ---- pending leaves ---- */

enum pb_status
pb_pending_reserve(struct pb_audit *audit, struct pb_audit_log *log, uint32_t count)
{
    uint32_t needed = log->pending_count + count, room = log->pending_room;
    struct pb_pending *larger;

    if (needed <= room)
        return PB_OK;
    room = room * 2 < needed ? needed : room * 2;
    room = room < 16 ? 16 : room;
    larger = pb_realloc(audit->env, log->pending, room * sizeof(*larger));
    if (larger == NULL)
        return PB_E_NOMEM;
    log->pending = larger;
    log->pending_room = room;
    return PB_OK;
}

/* There is room for it. */
static void
add_pending(struct pb_audit *audit, struct pb_audit_log *log, struct pb_batch *batch,
            const struct pb_record_leaf *leaf)
{
    assert(log->pending_count < log->pending_room && leaf->index == log->size);
    log->pending[log->pending_count++] = (struct pb_pending){
        .batch = batch,
        .leaf = leaf->leaf,
        .sealed = { leaf->term, leaf->sealed_bytes > 0 ? leaf->sealed : NULL, leaf->sealed_bytes },
    };
    batch->references++;
    log->size++;
    audit->pending_count++;
    audit->pending_bytes += leaf->leaf.bytes + leaf->sealed_bytes;
}

void
pb_pending_drop(struct pb_audit *audit, struct pb_audit_log *log, uint64_t size)
{
    uint32_t count = (uint32_t)(size - log->kept_size);

    assert(count <= log->pending_count);
    for (uint32_t i = 0; i < count; i++) {
        struct pb_pending *item = &log->pending[i];

        audit->pending_count--;
        audit->pending_bytes -= item->leaf.bytes + item->sealed.count;
        if (--item->batch->references == 0)
            pb_free(audit->env, item->batch);
    }
    log->kept_size = size;
    log->pending_count -= count;
    if (count > 0)
        memmove(log->pending, log->pending + count, log->pending_count * sizeof(log->pending[0]));
    if (log->pending_count + log->reserved == 0) {
        pb_free(audit->env, log->pending);
        log->pending = NULL;
        log->pending_room = 0;
    }
}

/* ---- what a caller makes for itself ---- */

static size_t
sealed_bytes_of(const struct pb_audit_leaf *leaf)
{
    return leaf->secret_count == 0 ? 0 : pb_openings_bytes(leaf) + PB_SEAL_EXTRA_BYTES;
}

/* Sizes that later sums are made of must be possible before they are added up. */
static enum pb_status
check_sizes(const struct pb_audit_leaf *leaves, uint32_t count, size_t *ret_scratch_bytes,
            struct pb_error *error)
{
    size_t bytes = 0;

    if (count > PB_AUDIT_LEAVES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "at most %u leaves in one append",
                       PB_AUDIT_LEAVES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (leaves[i].secret_count > PB_AUDIT_FIELDS_MAX)
            return pb_fail(error, PB_OVER_LIMIT, "a leaf has at most %u secrets",
                           PB_AUDIT_FIELDS_MAX);
        bytes += PB_AUDIT_LEAF_BYTES_MAX + sealed_bytes_of(&leaves[i]);
    }
    *ret_scratch_bytes = bytes;
    return PB_OK;
}

static enum pb_status
seal_openings(struct pb_audit *audit, const struct pb_audit_leaf *leaf,
              const uint8_t (*salts)[PB_SALT_BYTES], const uint8_t *nonce, struct draft *draft,
              struct pb_error *error)
{
    size_t plain_bytes = pb_openings_bytes(leaf);
    uint8_t key[PB_TERM_KEY_BYTES];
    uint8_t *plain = NULL;
    enum pb_status status;

    status = pb_keys_term(audit->keys, draft->term, true, key, error);
    if (status != PB_OK)
        return status;
    plain = pb_alloc(audit->env, plain_bytes);
    if (plain == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for openings");
        goto out;
    }
    pb_openings_encode(leaf, salts, plain);
    pb_seal(key, pb_str_from(draft->log->id), draft->term, nonce, plain, plain_bytes,
            draft->sealed);
    draft->sealed_bytes = (uint32_t)(plain_bytes + PB_SEAL_EXTRA_BYTES);
    sodium_memzero(plain, plain_bytes);

out:
    pb_free(audit->env, plain);
    sodium_memzero(key, sizeof(key));
    return status;
}

static int64_t
expiry_of(int64_t now_us, int64_t keep_us)
{
    if (keep_us < 0)
        keep_us = 0;
    return keep_us > INT64_MAX - now_us ? PB_NEVER : now_us + keep_us;
}

/* Salts and nonce are random each time: equal values must not look equal. */
static enum pb_status
make_draft(struct pb_audit *audit, const struct pb_audit_leaf *leaf, struct draft *draft,
           struct pb_error *error)
{
    uint8_t random[PB_AUDIT_FIELDS_MAX * PB_SALT_BYTES + PB_SEAL_NONCE_BYTES];
    uint8_t salts[PB_AUDIT_FIELDS_MAX][PB_SALT_BYTES];
    size_t salt_bytes = (size_t)leaf->secret_count * PB_SALT_BYTES;
    struct pb_text_out out =
        pb_text_out(draft->tail, PB_AUDIT_LEAF_BYTES_MAX - PB_LEAF_HEAD_BYTES_MAX);
    enum pb_status status;

    if (audit->env->random(audit->env->random_context, random, salt_bytes + PB_SEAL_NONCE_BYTES) !=
        PB_OK)
        return pb_fail(error, PB_E_IO, "no random bytes for salts");
    memcpy(salts, random, salt_bytes);
    status = pb_leaf_put_tail(&out, leaf, (const uint8_t(*)[PB_SALT_BYTES])salts, error);
    if (status == PB_OK && out.is_cut)
        status =
            pb_fail(error, PB_OVER_LIMIT, "a leaf has more than %u bytes", PB_AUDIT_LEAF_BYTES_MAX);
    draft->tail_bytes = (uint32_t)(out.at - draft->tail);
    if (status == PB_OK && leaf->secret_count > 0) {
        draft->term = pb_term_of(expiry_of(pb_now_us(audit->env), leaf->keep_openings_us));
        status = seal_openings(audit, leaf, (const uint8_t(*)[PB_SALT_BYTES])salts,
                               random + salt_bytes, draft, error);
    }
    sodium_memzero(salts, sizeof(salts));
    sodium_memzero(random, sizeof(random));
    return status;
}

static enum pb_status
make_drafts(struct pb_audit *audit, const struct pb_audit_leaf *leaves,
            struct pb_append_request *request, uint8_t *scratch, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < request->count && status == PB_OK; i++) {
        struct draft *draft = &request->drafts[i];

        draft->log = pb_audit_find(audit, pb_str_from(leaves[i].log));
        if (draft->log == NULL)
            return pb_fail(error, PB_NOT_FOUND, "there is no audit log '%.64s'", leaves[i].log);
        draft->tail = (char *)scratch;
        draft->sealed = scratch + PB_AUDIT_LEAF_BYTES_MAX;
        scratch = draft->sealed + sealed_bytes_of(&leaves[i]);
        status = make_draft(audit, &leaves[i], draft, error);
        request->batch_room += PB_RECORD_LEAF_HEADER_BYTES + PB_LOG_ID_BYTES_MAX +
                               PB_LEAF_HEAD_BYTES_MAX + draft->tail_bytes + draft->sealed_bytes;
    }
    if (status == PB_OK && request->batch_room > PB_BLOCK_BYTES_MAX)
        status =
            pb_fail(error, PB_OVER_LIMIT, "at most %u bytes in one append", PB_BLOCK_BYTES_MAX);
    return status;
}

static enum pb_status
make_request(struct pb_audit *audit, const struct pb_audit_leaf *leaves, uint32_t count,
             struct pb_append_request *request, struct pb_error *error)
{
    size_t scratch_bytes = 0;
    enum pb_status status;

    request->count = count;
    status = check_sizes(leaves, count, &scratch_bytes, error);
    if (status != PB_OK)
        return status;
    request->drafts = pb_alloc(audit->env, count * sizeof(struct draft) + scratch_bytes);
    if (request->drafts == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for leaves");
    memset(request->drafts, 0, count * sizeof(struct draft));
    status = make_drafts(audit, leaves, request, (uint8_t *)(request->drafts + count), error);
    if (status != PB_OK)
        return status;
    request->batch = pb_alloc(audit->env, sizeof(*request->batch) + request->batch_room);
    if (request->batch == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for leaves");
    request->batch->references = 0;
    request->batch->count = 0;
    return PB_OK;
}

/* ---- what the leader does for all ---- */

enum pb_status
pb_journal_need(struct pb_audit *audit, struct pb_error *error)
{
    uint64_t number = audit->journal_end.number + 1;
    enum pb_status status;

    if (audit->journal != NULL)
        return PB_OK;
    if (audit->journal_end.number == 0) {
        number = audit->journal_start;
        audit->journal_end.commit = audit->commit;
    }
    status = pb_log_create(audit->env, audit->journal_path, audit->audit_id, number,
                           &audit->journal_end, &audit->journal, error);
    if (status == PB_OK)
        pb_log_end_of(audit->journal, &audit->journal_end);
    return status;
}

/* Gives a draft its place and time, and writes it behind the batch's bytes. */
static void
place_draft(struct draft *draft, int64_t now_ms, struct pb_batch *batch)
{
    struct pb_audit_log *log = draft->log;
    struct pb_record_leaf leaf = { .log = pb_str_from(log->id),
                                   .index = log->size + log->ahead++,
                                   .term = draft->term,
                                   .sealed_bytes = draft->sealed_bytes };
    char head[PB_LEAF_HEAD_BYTES_MAX];
    struct pb_text_out out = pb_text_out(head, sizeof(head));
    uint8_t *at = batch->bytes + batch->count;

    if (now_ms > log->ahead_time_ms)
        log->ahead_time_ms = now_ms;
    pb_put_text(&out, PB_LEAF_HEAD);
    pb_put_i64(&out, log->ahead_time_ms);
    assert(!out.is_cut);
    leaf.leaf.bytes = (uint32_t)(out.at - head) + draft->tail_bytes;
    at = pb_record_leaf_begin(&leaf, at);
    memcpy(at, head, (size_t)(out.at - head));
    at += out.at - head;
    memcpy(at, draft->tail, draft->tail_bytes);
    at += draft->tail_bytes;
    if (draft->sealed_bytes > 0)
        memcpy(at, draft->sealed, draft->sealed_bytes);
    batch->count = (size_t)(at - batch->bytes) + draft->sealed_bytes;
    draft->index = leaf.index;
}

/* Forgets, or makes true, what a group would have added to its logs. */
static void
settle_logs(struct pb_append_request *requests, bool is_true)
{
    for (struct pb_append_request *request = requests; request != NULL; request = request->next) {
        for (uint32_t i = 0; i < request->count; i++) {
            struct pb_audit_log *log = request->drafts[i].log;

            if (is_true)
                log->time_ms = log->ahead_time_ms;
            log->ahead_time_ms = log->time_ms;
            log->ahead = 0;
            log->reserved = 0;
        }
    }
}

/* Everything that may lack memory is done before the sync. */
static enum pb_status
reserve(struct pb_audit *audit, struct pb_append_request *requests, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&audit->tails);
    for (struct pb_append_request *request = requests; request != NULL; request = request->next) {
        for (uint32_t i = 0; i < request->count && status == PB_OK; i++) {
            struct pb_audit_log *log = request->drafts[i].log;

            status = pb_pending_reserve(audit, log, log->ahead);
            log->reserved = log->ahead; /* keeping must not take it away during the sync */
        }
    }
    if (status == PB_OK && audit->pending_bytes > PENDING_BYTES_MAX)
        status = pb_fail(error, PB_E_FULL,
                         "%s: what was appended cannot be published, and nothing "
                         "more is taken until it is; see that the disk has room",
                         audit->place.path);
    (void)pthread_mutex_unlock(&audit->tails);
    return status == PB_E_NOMEM ? pb_fail(error, status, "no memory for leaves") : status;
}

static void
add_batch(struct pb_audit *audit, struct pb_batch *batch)
{
    const uint8_t *at = batch->bytes, *end = batch->bytes + batch->count;
    struct pb_record_leaf leaf;

    while (pb_record_leaf_next(&at, end, &leaf) == PB_OK)
        add_pending(audit, pb_audit_find_locked(audit, leaf.log), batch, &leaf);
    assert(at == end);
}

/* What a failed write leaves behind. A full disk is nobody's loss: the end of what was synced is
 * known, and the next file states it. Any other failure is final. */
static void
note_failure(struct pb_audit *audit, enum pb_status status, const struct pb_error *error)
{
    if (status == PB_E_NOMEM)
        return;
    if (status == PB_E_FULL) {
        pb_log_close(audit->journal);
        audit->journal = NULL;
        return;
    }
    audit->is_poisoned = true;
    audit->poison = *error;
}

static enum pb_status
write_group(struct pb_audit *audit, struct pb_append_request *requests, uint32_t count,
            struct pb_error *error)
{
    uint32_t index = 0;
    enum pb_status status;

    status = pb_journal_need(audit, error);
    if (status == PB_E_POISONED)
        note_failure(audit, status, error);
    if (status != PB_OK)
        return status;
    for (struct pb_append_request *request = requests; request != NULL; request = request->next) {
        audit->records[index] = (struct pb_log_record){
            .commit = audit->commit + 1 + index,
            .received_at_us = pb_now_us(audit->env),
            .payload = request->batch->bytes,
            .payload_bytes = request->batch->count,
            .count = request->count,
        };
        index++;
    }
    status = pb_log_append(audit->journal, audit->records, count, error);
    if (status == PB_OK)
        pb_log_end_of(audit->journal, &audit->journal_end);
    else
        note_failure(audit, status, error);
    return status;
}

/* The caller holds writing. */
static enum pb_status
commit_group(struct pb_audit *audit, struct pb_append_request *requests, uint32_t count,
             struct pb_error *error)
{
    int64_t now_ms = pb_now_us(audit->env) / 1000;
    struct pb_error cause = { .message = "" };
    enum pb_status status;

    if (audit->is_poisoned)
        return pb_fail(error, PB_E_POISONED,
                       "%s: an earlier write failed (%.300s); open the audit "
                       "logs again",
                       audit->place.path, audit->poison.message);
    for (struct pb_append_request *request = requests; request != NULL; request = request->next) {
        for (uint32_t i = 0; i < request->count; i++)
            place_draft(&request->drafts[i], now_ms, request->batch);
    }
    status = reserve(audit, requests, &cause);
    if (status == PB_OK)
        status = write_group(audit, requests, count, &cause);
    (void)pthread_mutex_lock(&audit->tails);
    settle_logs(requests, status == PB_OK);
    for (struct pb_append_request *request = requests; request != NULL && status == PB_OK;
         request = request->next) {
        add_batch(audit, request->batch);
        request->batch = NULL; /* moved */
        audit->commit++;
    }
    (void)pthread_mutex_unlock(&audit->tails);
    if (status != PB_OK)
        *error = cause;
    return status;
}

/* Takes as many waiting requests as one group may hold. The caller holds queue_lock. */
static struct pb_append_request *
take_requests(struct pb_audit *audit, uint32_t *ret_count)
{
    struct pb_append_request *first = audit->queue_first;
    struct pb_append_request *last = first;
    size_t bytes = first->batch_room;
    uint32_t count = 1;

    while (last->next != NULL && count < PB_AUDIT_GROUP_REQUESTS_MAX &&
           bytes + last->next->batch_room <= GROUP_BYTES_MAX) {
        last = last->next;
        bytes += last->batch_room;
        count++;
    }
    audit->queue_first = last->next;
    if (audit->queue_first == NULL)
        audit->queue_last = NULL;
    last->next = NULL;
    *ret_count = count;
    return first;
}

static void
lead(struct pb_audit *audit)
{
    struct pb_append_request *requests;
    struct pb_error error = { .message = "" };
    uint32_t count = 0;
    enum pb_status status;

    audit->has_leader = true;
    requests = take_requests(audit, &count);
    (void)pthread_mutex_unlock(&audit->queue_lock);

    (void)pthread_mutex_lock(&audit->writing);
    status = commit_group(audit, requests, count, &error);
    (void)pthread_mutex_unlock(&audit->writing);

    (void)pthread_mutex_lock(&audit->queue_lock);
    while (requests != NULL) {
        struct pb_append_request *next = requests->next;

        requests->status = status;
        requests->error = error;
        requests->is_done = true;
        requests = next;
    }
    audit->has_leader = false;
    (void)pthread_cond_broadcast(&audit->queue_moved);
}

static enum pb_status
enqueue(struct pb_audit *audit, struct pb_append_request *request)
{
    (void)pthread_mutex_lock(&audit->queue_lock);
    if (audit->queue_last == NULL)
        audit->queue_first = request;
    else
        audit->queue_last->next = request;
    audit->queue_last = request;
    while (!request->is_done) {
        if (audit->has_leader)
            (void)pthread_cond_wait(&audit->queue_moved, &audit->queue_lock);
        else
            lead(audit);
    }
    (void)pthread_mutex_unlock(&audit->queue_lock);
    return request->status;
}

enum pb_status
pb_audit_append(struct pb_audit *audit, const struct pb_audit_leaf *leaves, uint32_t count,
                uint64_t *ret_indices, struct pb_error *error)
{
    struct pb_append_request request = { .count = 0 };
    enum pb_status status;

    assert(audit != NULL && leaves != NULL && ret_indices != NULL);
    if (audit->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", audit->place.path);
    if (count == 0)
        return PB_OK;
    status = make_request(audit, leaves, count, &request, error);
    if (status == PB_OK) {
        status = enqueue(audit, &request);
        if (status != PB_OK && error != NULL)
            *error = request.error;
        for (uint32_t i = 0; i < count && status == PB_OK; i++)
            ret_indices[i] = request.drafts[i].index;
    }
    pb_free(audit->env, request.batch);
    pb_free(audit->env, request.drafts);
    if (status == PB_OK)
        pb_workers_notify(audit, pb_publish_should_keep(audit));
    return status;
}

/* ---- after a start ---- */

static enum pb_status
recover_leaf(struct pb_audit *audit, struct pb_batch *batch, const struct pb_record_leaf *record,
             struct pb_error *error)
{
    struct pb_audit_log *log = pb_audit_find(audit, record->log);
    struct pb_leaf leaf;
    enum pb_status status;

    if (log == NULL || record->index != log->size)
        return pb_fail(error, PB_E_CORRUPT,
                       "%s: the journal has leaf %llu of log '%.*s', which "
                       "does not follow what is there",
                       audit->place.path, (unsigned long long)record->index, (int)record->log.bytes,
                       record->log.text);
    if (pb_leaf_parse(record->leaf, &leaf, NULL) != PB_OK)
        return pb_fail(error, PB_E_CORRUPT, "%s: the journal's leaf %llu of log '%s' is no leaf",
                       audit->place.path, (unsigned long long)record->index, log->id);
    status = pb_pending_reserve(audit, log, 1);
    if (status != PB_OK)
        return pb_fail(error, status, "no memory for leaves");
    add_pending(audit, log, batch, record);
    log->time_ms = leaf.time_ms > log->time_ms ? leaf.time_ms : log->time_ms;
    log->ahead_time_ms = log->time_ms;
    return PB_OK;
}

static enum pb_status
recover_record(void *context, const struct pb_log_record *record, struct pb_error *error)
{
    struct pb_audit *audit = context;
    struct pb_batch *batch = pb_alloc(audit->env, sizeof(*batch) + record->payload_bytes);
    struct pb_record_leaf leaf;
    const uint8_t *at, *end;
    enum pb_status status;

    if (batch == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the journal");
    memcpy(batch->bytes, record->payload, record->payload_bytes);
    batch->count = record->payload_bytes;
    batch->references = 1; /* this function's */
    at = batch->bytes;
    end = batch->bytes + batch->count;
    do {
        status = pb_record_leaf_next(&at, end, &leaf);
        if (status == PB_BAD_INPUT)
            status = pb_fail(error, PB_E_CORRUPT, "%s: a record of the journal is malformed",
                             audit->place.path);
        else if (status == PB_OK)
            status = recover_leaf(audit, batch, &leaf, error);
    } while (status == PB_OK);
    if (--batch->references == 0)
        pb_free(audit->env, batch);
    return status == PB_END ? PB_OK : status;
}

enum pb_status
pb_journal_recover(struct pb_audit *audit, struct pb_error *error)
{
    enum pb_status status =
        pb_log_replay(audit->env, audit->journal_path, audit->audit_id, audit->journal_first,
                      recover_record, audit, &audit->journal_end, error);

    if (status == PB_OK && audit->journal_end.number != 0)
        audit->commit = audit->journal_end.commit;
    return status;
}
