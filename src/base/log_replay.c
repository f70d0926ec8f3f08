/*
 * Log, the reading side: replaying and verifying the chain of files.
 *
 * Both walk the files in the same way. Replaying stops at the first damage;
 * verifying reports it, looks for the next good record and goes on.
 *
 * The order of reading matters where another process appends meanwhile: first the mark, then the
 * list of files, then their headers, then each file as it then is. So what the mark or a
 * header says is never newer than the bytes that it is held against.
 */
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log_format.h"

#define NAME_BYTES 48u

struct reader {
    const struct pb_env *env; /* borrowed */
    const char *directory;    /* borrowed */
    const uint8_t *store_id;  /* borrowed */
    pb_log_fn *each;          /* NULL: records are only checked */
    void *each_context;
    struct pb_verify_counts *counts; /* NULL: stop at the first damage */
    pb_damage_fn *on_damage;         /* may be NULL */
    void *damage_context;
    struct pb_error *error;
};

/* One file of the chain, as its header says. */
struct chain_file {
    uint64_t number;
    struct pb_log_header header;
    bool has_header; /* false only while verifying */
};

struct chain {
    struct chain_file *files; /* owned; ascending number */
    size_t count;
    struct pb_log_mark mark;
    bool has_mark;
};

/* ---- damage ---- */

/* What is reported has a place and a sentence; PB_OK goes on (verifying). */
static enum pb_status
damage(struct reader *reader, const char *file, uint64_t offset, const char *what)
{
    if (reader->counts == NULL)
        return pb_fail(reader->error, PB_E_CORRUPT, "%s: byte %" PRIu64 ": %s", file, offset,
                       what);
    reader->counts->damaged++;
    if (reader->on_damage != NULL)
        reader->on_damage(reader->damage_context, file, offset, what);
    return PB_OK;
}

static enum pb_status
damage_in_log(struct reader *reader, uint64_t number, uint64_t offset, const char *what)
{
    char name[NAME_BYTES];

    (void)snprintf(name, sizeof(name), "log/%" PRIu64 ".log", number);
    return damage(reader, name, offset, what);
}

/* ---- one file ---- */

/* The walk through one file's records. Everything but the result is set before. */
struct walk {
    struct reader *reader;
    struct pb_log_owner owner;
    const uint8_t *bytes; /* borrowed; size bytes */
    uint64_t size;
    const struct pb_log_header *header;
    const struct pb_log_header *next; /* of the next log; NULL for the newest */
    const struct pb_log_mark *mark;   /* NULL: none, or of another log */

    struct pb_log_end end; /* result: of the good records so far */
    bool has_met_mark;
    bool is_damaged;
    bool is_over; /* nothing good follows */
};

/* Up to where something says that the file was acknowledged, and what does. */
static uint64_t
acknowledged_end(const struct walk *walk, const char **ret_witness)
{
    uint64_t end = walk->header->synced_bytes;

    *ret_witness = "its header";
    if (walk->mark != NULL && walk->mark->bytes > end) {
        end = walk->mark->bytes;
        *ret_witness = "the mark";
    }
    if (walk->next != NULL && walk->next->previous_bytes > end) {
        end = walk->next->previous_bytes;
        *ret_witness = "the next log";
    }
    return end;
}

/* Whether a record written later, in [from, size), says that the file was synced past
 * limit. */
static bool
find_later_witness(const struct walk *walk, uint64_t from, uint64_t limit, uint64_t *ret_offset)
{
    size_t size = (size_t)walk->size;
    size_t at = pb_log_record_candidate(walk->bytes, size, (size_t)from);

    while (at < size) {
        uint64_t durable;

        if (pb_log_record_is_sealed(walk->bytes + at, size - at, walk->owner, &durable) &&
            durable > limit) {
            *ret_offset = at;
            return true;
        }
        at = pb_log_record_candidate(walk->bytes, size, at + 1);
    }
    return false;
}

/* The next good record behind a damaged place, or size. */
static uint64_t
find_good_record(const struct walk *walk, uint64_t from, uint64_t size)
{
    size_t at = pb_log_record_candidate(walk->bytes, (size_t)size, (size_t)from);

    while (at < size) {
        struct pb_log_record record;
        uint64_t durable;
        const char *reason;

        if (pb_log_record_decode(walk->bytes + at, (size_t)size - at, walk->owner, &record,
                                 &durable, &reason) == PB_OK)
            break;
        at = pb_log_record_candidate(walk->bytes, (size_t)size, at + 1);
    }
    return at;
}

/* A good record in itself must also fit to those before it. */
static const char *
order_fault(const struct walk *walk, const struct pb_log_record *record, uint64_t durable)
{
    if (record->commit <= walk->end.commit)
        return "the record's commit is not newer than the one before";
    if (walk->is_damaged)
        return NULL; /* what was before is not known */
    if (durable != walk->end.bytes && durable != walk->end.durable_bytes)
        return "the record states an impossible synced length";
    return NULL;
}

static enum pb_status
report(struct walk *walk, uint64_t offset, const char *what)
{
    walk->is_damaged = true;
    return damage_in_log(walk->reader, walk->owner.number, offset, what);
}

/* At a border between records: what is known to be synced up to here, and is the mark right? */
static enum pb_status
note_border(struct walk *walk)
{
    const struct pb_log_mark *mark = walk->mark;
    struct pb_log_end *end = &walk->end;
    bool is_at_mark = mark != NULL && mark->bytes == end->bytes;

    if (is_at_mark)
        walk->has_met_mark = true;
    if (is_at_mark && mark->commit != end->commit && !walk->is_damaged)
        return report(walk, end->bytes, "the mark names another commit than ends here");
    if (is_at_mark || end->bytes == walk->header->synced_bytes) {
        end->durable_bytes = end->bytes;
        end->durable_commit = end->commit;
    }
    return PB_OK;
}

/* Takes one good record. */
static enum pb_status
take_record(struct walk *walk, const struct pb_log_record *record, uint64_t durable)
{
    struct reader *reader = walk->reader;
    struct pb_log_end *end = &walk->end;
    enum pb_status status = PB_OK;

    if (durable == end->bytes) {
        end->durable_bytes = end->bytes;
        end->durable_commit = end->commit;
    }
    if (reader->counts != NULL) {
        reader->counts->blocks++;
        reader->counts->reads += record->count;
    }
    if (reader->each != NULL)
        status = reader->each(reader->each_context, record, reader->error);
    if (status != PB_OK)
        return status;
    end->bytes += PB_LOG_RECORD_HEADER_BYTES + record->payload_bytes;
    end->commit = record->commit;
    return note_border(walk);
}

/* A record in the torn tail may still be the only one to say that all before the tail was synced:
 * one of an append whose first record is lost. */
static void
note_torn_tail(struct walk *walk)
{
    struct pb_log_end *end = &walk->end;
    uint64_t offset;

    walk->is_over = true;
    if (find_later_witness(walk, end->bytes, end->durable_bytes, &offset)) {
        end->durable_bytes = end->bytes;
        end->durable_commit = end->commit;
    }
}

/* What is at end.bytes is no good record: either the torn tail begins, or it is reported and
 * end.bytes moves to where verifying goes on. */
static enum pb_status
judge(struct walk *walk, uint64_t limit, enum pb_status found, const char *reason)
{
    uint64_t offset = walk->end.bytes;
    const char *witness = NULL;
    uint64_t acknowledged = acknowledged_end(walk, &witness);
    uint64_t witness_offset = 0;
    enum pb_status status;
    char what[256];

    if (found == PB_E_CORRUPT) {
        (void)snprintf(what, sizeof(what), "%s", reason);
    } else if (offset < acknowledged) {
        (void)snprintf(what, sizeof(what), "%s, but %s says that the log was synced up to byte %"
                       PRIu64, reason, witness, acknowledged);
    } else if (find_later_witness(walk, offset, offset, &witness_offset)) {
        (void)snprintf(what, sizeof(what), "%s, but the record at byte %" PRIu64
                       " says that the log was synced past here", reason, witness_offset);
    } else {
        note_torn_tail(walk);
        return PB_OK;
    }
    status = report(walk, offset, what);
    if (status != PB_OK)
        return status;
    if (offset < limit)
        walk->end.bytes = find_good_record(walk, offset + 1, limit);
    walk->is_over = walk->end.bytes >= limit;
    return PB_OK;
}

/* The records that count end at `last`; behind that only left-overs may lie. */
static enum pb_status
check_end(struct walk *walk)
{
    uint64_t offset = 0;
    enum pb_status status = PB_OK;

    if (walk->mark != NULL && !walk->has_met_mark && !walk->is_damaged)
        status = report(walk, walk->mark->bytes, "the mark names this byte, but no record that "
                                                 "counts ends here");
    if (status != PB_OK || walk->next == NULL)
        return status;
    if (walk->header->synced_bytes > walk->next->previous_bytes)
        status = report(walk, walk->next->previous_bytes,
                        "the next log states that this one ends here, but it was synced further");
    if (status == PB_OK && !walk->is_damaged && walk->end.commit != walk->next->commit)
        status = report(walk, walk->end.bytes, "the next log names another newest commit");
    if (status != PB_OK || walk->size <= walk->next->previous_bytes)
        return status;
    if (find_later_witness(walk, walk->next->previous_bytes, walk->next->previous_bytes, &offset))
        status = report(walk, offset, "a record that was synced lies behind the end that the next "
                                      "log states");
    return status;
}

static enum pb_status
walk_records(struct walk *walk)
{
    const char *witness;
    uint64_t last = walk->next != NULL ? walk->next->previous_bytes
                                       : acknowledged_end(walk, &witness);
    uint64_t limit; /* of bytes that are there and count */
    enum pb_status status;

    if (walk->next == NULL && last < walk->size)
        last = walk->size;
    limit = walk->size < last ? walk->size : last;

    walk->end = (struct pb_log_end){
        .number = walk->owner.number,
        .bytes = PB_LOG_HEADER_BYTES,
        .commit = walk->header->commit,
        .durable_bytes = PB_LOG_HEADER_BYTES,
        .durable_commit = walk->header->commit,
    };
    status = note_border(walk);
    while (status == PB_OK && !walk->is_over && walk->end.bytes < last) {
        uint64_t offset = walk->end.bytes;
        struct pb_log_record record;
        uint64_t durable = 0;
        const char *reason = NULL;
        enum pb_status found = PB_NOT_FOUND;

        if (offset >= limit)
            reason = "the file ends here";
        else
            found = pb_log_record_decode(walk->bytes + offset, (size_t)(limit - offset),
                                         walk->owner, &record, &durable, &reason);
        if (found == PB_OK) {
            reason = order_fault(walk, &record, durable);
            found = reason == NULL ? PB_OK : PB_E_CORRUPT;
        }
        status = found == PB_OK ? take_record(walk, &record, durable)
                                : judge(walk, limit, found, reason);
    }
    return status == PB_OK ? check_end(walk) : status;
}

/* ---- the chain ---- */

static enum pb_status
read_mark(struct reader *reader, struct chain *chain)
{
    const struct pb_file_ops *files = reader->env->files;
    void *context = reader->env->file_context;
    struct pb_file *file = NULL;
    uint8_t bytes[PB_LOG_MARK_BYTES];
    char path[PB_PATH_BYTES_MAX];
    const char *reason = "the mark has a wrong length";
    enum pb_status status;
    uint64_t size = 0;

    status = pb_log_path(reader->directory, PB_LOG_MARK_NAME, path, reader->error);
    if (status != PB_OK)
        return status;
    status = files->open(context, path, PB_OPEN_READ, &file, reader->error);
    if (status == PB_NOT_FOUND)
        return PB_OK;
    if (status != PB_OK)
        return status;
    status = files->size(context, file, &size, reader->error);
    if (status == PB_OK && size <= sizeof(bytes))
        status = files->read(context, file, 0, bytes, (size_t)size, reader->error);
    files->close(context, file);
    if (status != PB_OK)
        return status;

    if (reader->counts != NULL)
        reader->counts->files++;
    status = PB_E_CORRUPT;
    if (size <= sizeof(bytes))
        status = pb_log_mark_decode(bytes, (size_t)size, reader->store_id, &chain->mark, &reason);
    chain->has_mark = status == PB_OK;
    /* A power cut may tear the mark, so that a bad one must not keep the store shut. */
    if (status == PB_E_CORRUPT && reader->counts != NULL)
        return damage(reader, PB_LOG_MARK_NAME, 0, reason);
    return PB_OK;
}

static enum pb_status
read_header(struct reader *reader, struct chain_file *of)
{
    const struct pb_file_ops *files = reader->env->files;
    void *context = reader->env->file_context;
    struct pb_log_owner owner = { reader->store_id, of->number };
    struct pb_file *file = NULL;
    /* Of version 1 nothing is longer; a later version's is told apart by the whole header. */
    uint8_t bytes[4096];
    char path[PB_PATH_BYTES_MAX];
    const char *reason = NULL;
    enum pb_status status;
    uint64_t size = 0;

    status = pb_log_file_path(reader->directory, of->number, ".log", path, reader->error);
    if (status != PB_OK)
        return status;
    status = files->open(context, path, PB_OPEN_READ, &file, reader->error);
    if (status == PB_NOT_FOUND)
        return pb_fail(reader->error, PB_E_IO, "%s was there and is gone", path);
    if (status != PB_OK)
        return status;
    status = files->size(context, file, &size, reader->error);
    if (size > sizeof(bytes))
        size = sizeof(bytes);
    if (status == PB_OK)
        status = files->read(context, file, 0, bytes, (size_t)size, reader->error);
    files->close(context, file);
    if (status != PB_OK)
        return status;

    status = pb_log_header_decode(bytes, (size_t)size, owner, &of->header, &reason);
    if (status == PB_E_VERSION && reader->counts == NULL)
        return pb_fail(reader->error, PB_E_VERSION, "%s: %s", path, reason);
    of->has_header = status == PB_OK;
    if (!of->has_header)
        return damage_in_log(reader, of->number, 0, reason);
    return PB_OK;
}

/* Each log names the one before it, so that a missing one is noticed. */
static enum pb_status
check_links(struct reader *reader, const struct chain *chain, uint64_t first)
{
    enum pb_status status = PB_OK;
    bool is_mark_there = !chain->has_mark || chain->mark.number < first;
    char what[160];

    for (size_t i = 0; status == PB_OK && i < chain->count; i++) {
        const struct chain_file *file = &chain->files[i];
        uint64_t previous = file->header.previous_number;

        is_mark_there = is_mark_there || chain->mark.number == file->number;
        if (!file->has_header)
            continue;
        if (i == 0 ? previous < first : previous == chain->files[i - 1].number)
            continue;
        if (i > 0 && previous < chain->files[i - 1].number) {
            (void)snprintf(what, sizeof(what), "the header names log %" PRIu64 " as the one "
                           "before, which is log %" PRIu64, previous, chain->files[i - 1].number);
            status = damage_in_log(reader, file->number, 0, what);
        } else {
            (void)snprintf(what, sizeof(what), "the log is missing; log %" PRIu64 " follows it",
                           file->number);
            status = damage_in_log(reader, previous, 0, what);
        }
    }
    if (status == PB_OK && !is_mark_there) {
        (void)snprintf(what, sizeof(what), "the log is missing; the mark says that it was synced "
                       "up to byte %" PRIu64 ", commit %" PRIu64, chain->mark.bytes,
                       chain->mark.commit);
        status = damage_in_log(reader, chain->mark.number, 0, what);
    }
    return status;
}

static enum pb_status
read_chain(struct reader *reader, uint64_t first, struct chain *chain)
{
    uint64_t *numbers = NULL;
    size_t count = 0, skipped = 0;
    enum pb_status status;

    status = read_mark(reader, chain);
    if (status != PB_OK)
        return status;
    status = pb_log_list(reader->env, reader->directory, ".log", &numbers, &count, reader->error);
    if (status != PB_OK)
        return status;
    while (skipped < count && numbers[skipped] < first)
        skipped++;
    if (count > skipped) {
        chain->files = pb_calloc(reader->env, count - skipped, sizeof(*chain->files));
        if (chain->files == NULL) {
            status = pb_fail(reader->error, PB_E_NOMEM, "no memory for %zu logs", count);
            goto out;
        }
    }
    chain->count = count - skipped;
    for (size_t i = 0; status == PB_OK && i < chain->count; i++) {
        chain->files[i].number = numbers[skipped + i];
        status = read_header(reader, &chain->files[i]);
    }
    if (status == PB_OK)
        status = check_links(reader, chain, first);

out:
    pb_free(reader->env, numbers);
    return status;
}

static enum pb_status
walk_file(struct reader *reader, const struct chain *chain, size_t index,
          struct pb_log_end *ret_end)
{
    const struct pb_file_ops *files = reader->env->files;
    void *context = reader->env->file_context;
    const struct chain_file *of = &chain->files[index];
    const struct chain_file *after = index + 1 < chain->count ? of + 1 : NULL;
    /* Where the header is damaged its records can still be checked. */
    struct pb_log_header header = { .number = of->number, .commit = ret_end->commit,
                                    .synced_bytes = PB_LOG_HEADER_BYTES };
    struct walk walk = {
        .reader = reader,
        .owner = { reader->store_id, of->number },
        .header = of->has_header ? &of->header : &header,
        .is_damaged = !of->has_header,
    };
    struct pb_file *file = NULL;
    const void *bytes = NULL;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    if (after != NULL && after->has_header && after->header.previous_number == of->number)
        walk.next = &after->header;
    if (chain->has_mark && chain->mark.number == of->number)
        walk.mark = &chain->mark;

    status = pb_log_file_path(reader->directory, of->number, ".log", path, reader->error);
    assert(status == PB_OK); /* read_header() found it by this path */
    status = files->open(context, path, PB_OPEN_READ, &file, reader->error);
    if (status == PB_NOT_FOUND)
        return pb_fail(reader->error, PB_E_IO, "%s was there and is gone", path);
    if (status != PB_OK)
        return status;
    status = files->size(context, file, &walk.size, reader->error);
    if (status == PB_OK && walk.size > PB_LOG_FILE_BYTES_MAX)
        status = damage_in_log(reader, of->number, PB_LOG_FILE_BYTES_MAX, "the file goes on");
    if (status != PB_OK)
        goto out;
    if (walk.size > PB_LOG_FILE_BYTES_MAX)
        walk.size = PB_LOG_FILE_BYTES_MAX;
    if (walk.size > 0) {
        status = files->map(context, file, walk.size, &bytes, reader->error);
        if (status != PB_OK)
            goto out;
    }
    walk.bytes = bytes;
    if (reader->counts != NULL)
        reader->counts->files++;
    status = walk_records(&walk);
    *ret_end = walk.end;

out:
    files->unmap(context, bytes, walk.size);
    files->close(context, file);
    return status;
}

static enum pb_status
walk_chain(struct reader *reader, uint64_t first, struct pb_log_end *ret_end)
{
    struct chain chain = { .files = NULL };
    struct pb_log_end end = { .number = 0 };
    enum pb_status status;

    status = read_chain(reader, first, &chain);
    for (size_t i = 0; status == PB_OK && i < chain.count; i++)
        status = walk_file(reader, &chain, i, &end);
    pb_free(reader->env, chain.files);
    if (status == PB_OK)
        *ret_end = end;
    return status;
}

/* ---- public ---- */

enum pb_status
pb_log_replay(const struct pb_env *env, const char *directory,
              const uint8_t store_id[PB_STORE_ID_BYTES], uint64_t first, pb_log_fn *each,
              void *context, struct pb_log_end *ret_end, struct pb_error *error)
{
    struct reader reader = {
        .env = env,
        .directory = directory,
        .store_id = store_id,
        .each = each,
        .each_context = context,
        .error = error,
    };

    assert(env != NULL && directory != NULL && each != NULL && ret_end != NULL);
    return walk_chain(&reader, first, ret_end);
}

enum pb_status
pb_log_verify(const struct pb_env *env, const char *directory,
              const uint8_t store_id[PB_STORE_ID_BYTES], uint64_t first, pb_damage_fn *on_damage,
              void *context, struct pb_verify_counts *counts, struct pb_error *error)
{
    struct pb_log_end end = { .number = 0 };
    struct reader reader = {
        .env = env,
        .directory = directory,
        .store_id = store_id,
        .counts = counts,
        .on_damage = on_damage,
        .damage_context = context,
        .error = error,
    };

    assert(env != NULL && directory != NULL && counts != NULL);
    return walk_chain(&reader, first, &end);
}

enum pb_status
pb_log_parse(const uint8_t *bytes, size_t count, const uint8_t store_id[PB_STORE_ID_BYTES],
             pb_log_fn *each, void *context, struct pb_error *error)
{
    struct reader reader = {
        .store_id = store_id,
        .each = each,
        .each_context = context,
        .error = error,
    };
    struct pb_log_header header = { .number = 0 };
    struct walk walk = { .reader = &reader, .bytes = bytes, .size = count, .header = &header };
    const char *reason = NULL;
    enum pb_status status;

    status = pb_log_header_decode(bytes, count, (struct pb_log_owner){ store_id, 0 }, &header,
                                  &reason);
    if (status != PB_OK)
        return pb_fail(error, status, "the log: byte 0: %s", reason);
    if (count > PB_LOG_FILE_BYTES_MAX)
        return pb_fail(error, PB_E_CORRUPT, "the log is too long");
    walk.owner = (struct pb_log_owner){ store_id, header.number };
    return walk_records(&walk);
}
