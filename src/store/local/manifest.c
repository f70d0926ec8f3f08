/*
 * Manifest: one encoder, one strict decoder, one way to replace the file.
 *
 * What may stand in a manifest is checked by one function for each kind of entry, used before
 * writing and after reading: nothing is written that could not be read again.
 */
#include "store/local/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "read/read.h"

#define VERSION 2u
#define VERSION_FIRST 1u /* whose marks have no names */
#define MAGIC_BYTES 8u
#define FIXED_BYTES 88u
#define SEGMENT_BYTES 80u
#define ERASURE_BYTES_MIN 30u
#define ERASURE_BYTES_MAX (ERASURE_BYTES_MIN + PB_PLATE_BYTES_MAX + PB_READER_BYTES_MAX)
#define MARK_BYTES_MIN 22u
#define MARK_BYTES_MAX (MARK_BYTES_MIN + PB_IDENTITY_BYTES_MAX)
#define MARK_BYTES_FIRST 20u /* of version 1 */
#define CHECKSUM_BYTES 8u
#define FILE_BYTES_MAX                                         \
    (FIXED_BYTES + (uint64_t)PB_SEGMENTS_MAX * SEGMENT_BYTES + \
     (uint64_t)PB_ERASURES_MAX * ERASURE_BYTES_MAX +           \
     (uint64_t)PB_MANIFEST_MARKS_MAX * MARK_BYTES_MAX + CHECKSUM_BYTES)

static const uint8_t magic[MAGIC_BYTES] = { 'P', 'B', 'M', 'A', 'N', '\r', '\n', 0x1a };

void
pb_manifest_init(struct pb_manifest *manifest, const struct pb_env *env)
{
    assert(manifest != NULL && env != NULL);
    *manifest = (struct pb_manifest){ .generation = 0 };
    pb_arena_init(&manifest->arena, env, 4096);
}

void
pb_manifest_done(struct pb_manifest *manifest)
{
    pb_arena_clear(&manifest->arena);
    pb_manifest_init(manifest, manifest->arena.env);
}

/* All names lie in one block. */
enum pb_status
pb_marks_own(struct pb_mark_entry *marks, uint32_t count, struct pb_arena *arena)
{
    size_t bytes = 0;
    char *at = NULL;

    for (uint32_t i = 0; i < count; i++)
        bytes += marks[i].name.bytes;
    if (bytes != 0)
        at = pb_arena_alloc(arena, bytes);
    if (bytes != 0 && at == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        if (marks[i].name.bytes == 0)
            continue;
        memcpy(at, marks[i].name.text, marks[i].name.bytes);
        marks[i].name.text = at;
        at += marks[i].name.bytes;
    }
    return PB_OK;
}

/* ---- what may stand in it; NULL or a static reason ---- */

static const char *
fixed_fault(const struct pb_manifest *manifest)
{
    if (manifest->generation == 0)
        return "the generation is 0";
    if (manifest->next_segment == 0)
        return "the next segment's number is 0";
    if (manifest->log_first == 0)
        return "the first log's number is 0";
    return NULL;
}

static const char *
count_fault(const struct pb_manifest *manifest)
{
    if (manifest->segment_count > PB_SEGMENTS_MAX)
        return "there are too many segments";
    if (manifest->erasure_count > PB_ERASURES_MAX)
        return "there are too many erasures";
    if (manifest->mark_count > PB_MANIFEST_MARKS_MAX)
        return "there are too many marks";
    return NULL;
}

static const char *
segment_fault(const struct pb_manifest *manifest, const struct pb_segment_entry *segment,
              uint64_t number_before)
{
    if (segment->number <= number_before)
        return "the segments are not in order";
    if (segment->number >= manifest->next_segment)
        return "a segment's number is not below the next one's";
    if (segment->bytes == 0)
        return "a segment is empty";
    if (segment->rows == 0 || segment->rows > PB_SEGMENT_ROWS_MAX)
        return "a segment's number of rows is impossible";
    if (segment->month > PB_MANIFEST_MONTH_MAX)
        return "a segment's month is impossible";
    if (segment->captured_min_us > segment->captured_max_us ||
        segment->delete_after_min_us > segment->delete_after_max_us)
        return "a segment's times are not in order";
    return NULL;
}

static const char *
erasure_fault(const struct pb_manifest *manifest, const struct pb_erasure_entry *erasure)
{
    if (erasure->plate.bytes > PB_PLATE_BYTES_MAX)
        return "an erasure's plate is too long";
    if (erasure->reader.bytes > PB_READER_BYTES_MAX)
        return "an erasure's reader is too long";
    if (erasure->from_us > erasure->to_us)
        return "an erasure ends before it begins";
    if (erasure->segment_limit > manifest->next_segment)
        return "an erasure's segment limit is above the next segment's number";
    return NULL;
}

static const char *
mark_fault(const struct pb_manifest *manifest, const struct pb_mark_entry *mark,
           uint64_t identity_before)
{
    if (mark->identity == 0)
        return "a mark's identity is 0";
    if (mark->identity < identity_before)
        return "the marks are not in order";
    if (mark->segment == 0 || mark->segment >= manifest->next_segment)
        return "a mark's segment is impossible";
    if (mark->name.bytes > PB_IDENTITY_BYTES_MAX)
        return "a mark's name is too long";
    if (mark->name.bytes != 0 && pb_identity_of_bytes(mark->name) != mark->identity)
        return "a mark's name is of another identity";
    return NULL;
}

/* ---- reading ---- */

/* The place in the bytes; never beyond end, where the checksum begins. */
struct input {
    const uint8_t *bytes; /* borrowed */
    size_t at, end;
};

/* The next count bytes, or NULL where there are not that many. */
static const uint8_t *
take(struct input *input, size_t count)
{
    const uint8_t *taken = input->bytes + input->at;

    if (count > input->end - input->at)
        return NULL;
    input->at += count;
    return taken;
}

static enum pb_status
damaged(struct pb_error *error, size_t offset, const char *reason)
{
    return pb_fail(error, PB_E_CORRUPT, "manifest: byte %zu: %s", offset, reason);
}

static enum pb_status
check_whole(const uint8_t *bytes, size_t count, struct pb_error *error)
{
    if (count == 0)
        return damaged(error, 0, "the file is empty");
    if (memcmp(bytes, magic, count < MAGIC_BYTES ? count : MAGIC_BYTES) != 0)
        return pb_fail(error, PB_E_NOT_STORE, "the file 'manifest' is not a Platebase manifest");
    if (count < FIXED_BYTES + CHECKSUM_BYTES || pb_get_le64(bytes + 16) != count)
        return damaged(error, 16, "the file is cut short, or longer than it says");
    if (pb_get_le64(bytes + count - CHECKSUM_BYTES) !=
        pb_hash_bytes(bytes, count - CHECKSUM_BYTES))
        return damaged(error, count - CHECKSUM_BYTES, "the file fails its checksum");
    if (pb_get_le32(bytes + 8) < VERSION_FIRST || pb_get_le32(bytes + 8) > VERSION)
        return pb_fail(error, PB_E_VERSION,
                       "the manifest has version %" PRIu32 ", and this "
                       "program knows versions %u to %u",
                       pb_get_le32(bytes + 8), VERSION_FIRST, VERSION);
    return PB_OK;
}

static enum pb_status
read_fixed(struct pb_manifest *manifest, const uint8_t *at, struct pb_error *error)
{
    const char *fault;

    memcpy(manifest->store_id, at + 24, PB_STORE_ID_BYTES);
    manifest->generation = pb_get_le64(at + 40);
    manifest->next_segment = pb_get_le64(at + 48);
    manifest->log_first = pb_get_le64(at + 56);
    manifest->commit = pb_get_le64(at + 64);
    manifest->segment_count = pb_get_le32(at + 72);
    manifest->erasure_count = pb_get_le32(at + 76);
    manifest->mark_count = pb_get_le32(at + 80);
    if (pb_get_le32(at + 12) != 0 || pb_get_le32(at + 84) != 0)
        return damaged(error, 12, "reserved bytes are used");
    fault = fixed_fault(manifest);
    if (fault == NULL)
        fault = count_fault(manifest);
    return fault == NULL ? PB_OK : damaged(error, 40, fault);
}

/* Memory for count entries, but only where the input is long enough to hold so many. */
static enum pb_status
make_room(struct pb_manifest *manifest, const struct input *input, uint32_t count,
          size_t least_bytes, size_t entry_bytes, void **ret_entries, struct pb_error *error)
{
    if (count > (input->end - input->at) / least_bytes)
        return damaged(error, input->at, "the file is shorter than its counts say");
    if (count == 0)
        return PB_OK;
    *ret_entries = pb_arena_alloc(&manifest->arena, count * entry_bytes);
    if (*ret_entries == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the manifest");
    return PB_OK;
}

static enum pb_status
read_segments(struct pb_manifest *manifest, struct input *input, struct pb_error *error)
{
    uint64_t number_before = 0;
    enum pb_status status;
    void *room = NULL;

    status = make_room(manifest, input, manifest->segment_count, SEGMENT_BYTES,
                       sizeof(*manifest->segments), &room, error);
    if (status != PB_OK)
        return status;
    manifest->segments = room;
    for (uint32_t i = 0; i < manifest->segment_count; i++) {
        struct pb_segment_entry *segment = &manifest->segments[i];
        size_t offset = input->at;
        const uint8_t *at = take(input, SEGMENT_BYTES);
        const char *fault;

        assert(at != NULL); /* make_room() saw that all are there */
        *segment = (struct pb_segment_entry){
            .number = pb_get_le64(at),
            .bytes = pb_get_le64(at + 8),
            .rows = pb_get_le64(at + 16),
            .month = pb_get_le32(at + 24),
            .retention_days = pb_get_le32(at + 28),
            .captured_min_us = (int64_t)pb_get_le64(at + 32),
            .captured_max_us = (int64_t)pb_get_le64(at + 40),
            .delete_after_min_us = (int64_t)pb_get_le64(at + 48),
            .delete_after_max_us = (int64_t)pb_get_le64(at + 56),
            .checksum = pb_get_le64(at + 64),
        };
        fault = pb_get_le64(at + 72) != 0 ? "reserved bytes are used"
                                          : segment_fault(manifest, segment, number_before);
        if (fault != NULL)
            return damaged(error, offset, fault);
        number_before = segment->number;
    }
    return PB_OK;
}

static enum pb_status
read_erasures(struct pb_manifest *manifest, struct input *input, struct pb_error *error)
{
    enum pb_status status;
    void *room = NULL;

    status = make_room(manifest, input, manifest->erasure_count, ERASURE_BYTES_MIN,
                       sizeof(*manifest->erasures), &room, error);
    if (status != PB_OK)
        return status;
    manifest->erasures = room;
    for (uint32_t i = 0; i < manifest->erasure_count; i++) {
        struct pb_erasure_entry *erasure = &manifest->erasures[i];
        size_t offset = input->at;
        const uint8_t *at = take(input, ERASURE_BYTES_MIN);
        struct pb_str both;
        const char *fault;

        if (at == NULL)
            return damaged(error, offset, "an erasure is cut short");
        *erasure = (struct pb_erasure_entry){
            .from_us = (int64_t)pb_get_le64(at),
            .to_us = (int64_t)pb_get_le64(at + 8),
            .segment_limit = pb_get_le64(at + 16),
            .jurisdiction = pb_get_le16(at + 24),
            .plate.bytes = pb_get_le16(at + 26),
            .reader.bytes = pb_get_le16(at + 28),
        };
        fault = erasure_fault(manifest, erasure);
        if (fault != NULL)
            return damaged(error, offset, fault);
        both.bytes = erasure->plate.bytes + erasure->reader.bytes;
        both.text = (const char *)take(input, both.bytes);
        if (both.text == NULL)
            return damaged(error, offset, "an erasure is cut short");
        status = pb_arena_copy(&manifest->arena, both, &both);
        if (status != PB_OK)
            return pb_fail(error, status, "no memory for the manifest");
        erasure->plate.text = both.text;
        erasure->reader.text = both.text + erasure->plate.bytes;
    }
    return PB_OK;
}

/* The next mark, whose name is in the input; NULL, or a static reason. */
static const char *
read_mark(struct input *input, bool has_name, struct pb_mark_entry *ret_mark)
{
    const uint8_t *at = take(input, has_name ? MARK_BYTES_MIN : MARK_BYTES_FIRST);

    if (at == NULL)
        return "a mark is cut short";
    *ret_mark = (struct pb_mark_entry){
        .identity = pb_get_le64(at),
        .segment = pb_get_le64(at + 8),
        .revision = pb_get_le32(at + 16),
        .name.bytes = has_name ? pb_get_le16(at + 20) : 0,
    };
    if (ret_mark->name.bytes != 0)
        ret_mark->name.text = (const char *)take(input, ret_mark->name.bytes);
    return ret_mark->name.bytes != 0 && ret_mark->name.text == NULL ? "a mark is cut short" : NULL;
}

static enum pb_status
read_marks(struct pb_manifest *manifest, struct input *input, bool have_names,
           struct pb_error *error)
{
    uint64_t identity_before = 0;
    enum pb_status status;
    void *room = NULL;

    status = make_room(manifest, input, manifest->mark_count,
                       have_names ? MARK_BYTES_MIN : MARK_BYTES_FIRST, sizeof(*manifest->marks),
                       &room, error);
    if (status != PB_OK)
        return status;
    manifest->marks = room;
    for (uint32_t i = 0; i < manifest->mark_count; i++) {
        struct pb_mark_entry *mark = &manifest->marks[i];
        size_t offset = input->at;
        const char *fault = read_mark(input, have_names, mark);

        if (fault == NULL)
            fault = mark_fault(manifest, mark, identity_before);
        if (fault != NULL)
            return damaged(error, offset, fault);
        identity_before = mark->identity;
    }
    status = pb_marks_own(manifest->marks, manifest->mark_count, &manifest->arena);
    return status == PB_OK ? PB_OK : pb_fail(error, status, "no memory for the manifest");
}

static enum pb_status
parse(struct pb_manifest *manifest, const uint8_t *bytes, size_t count, struct pb_error *error)
{
    struct input input = { .bytes = bytes, .at = FIXED_BYTES };
    enum pb_status status;

    status = check_whole(bytes, count, error);
    if (status != PB_OK)
        return status;
    input.end = count - CHECKSUM_BYTES;
    status = read_fixed(manifest, bytes, error);
    if (status != PB_OK)
        return status;
    status = read_segments(manifest, &input, error);
    if (status != PB_OK)
        return status;
    status = read_erasures(manifest, &input, error);
    if (status != PB_OK)
        return status;
    status = read_marks(manifest, &input, pb_get_le32(bytes + 8) != VERSION_FIRST, error);
    if (status != PB_OK)
        return status;
    if (input.at != input.end)
        return damaged(error, input.at, "bytes are left over");
    return PB_OK;
}

enum pb_status
pb_manifest_parse(struct pb_manifest *manifest, const uint8_t *bytes, size_t count,
                  struct pb_error *error)
{
    enum pb_status status;

    pb_manifest_done(manifest);
    status = parse(manifest, bytes, count, error);
    if (status != PB_OK)
        pb_manifest_done(manifest); /* no half of one */
    return status;
}

static enum pb_status
make_path(const char *directory, const char *name, char ret_path[PB_PATH_BYTES_MAX],
          struct pb_error *error)
{
    int length = snprintf(ret_path, PB_PATH_BYTES_MAX, "%s/%s", directory, name);

    if ((size_t)length >= PB_PATH_BYTES_MAX) /* a failure, below 0, is large, too */
        return pb_fail(error, PB_OVER_LIMIT, "the path '%s' is too long", directory);
    return PB_OK;
}

enum pb_status
pb_manifest_read(struct pb_manifest *manifest, const char *directory, struct pb_error *error)
{
    const struct pb_env *env = manifest->arena.env;
    char path[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;
    uint8_t *bytes = NULL;
    enum pb_status status;
    uint64_t size = 0;

    pb_manifest_done(manifest);
    status = make_path(directory, "manifest", path, error);
    if (status != PB_OK)
        return status;
    status = env->files->open(env->file_context, path, PB_OPEN_READ, &file, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_NOT_STORE, "'%s' is not a Platebase store: it has no manifest",
                       directory);
    if (status != PB_OK)
        return status;
    status = env->files->size(env->file_context, file, &size, error);
    if (status != PB_OK)
        goto out;
    if (size > FILE_BYTES_MAX) {
        status = damaged(error, 0, "the file is longer than any manifest");
        goto out;
    }
    bytes = pb_alloc(env, (size_t)size);
    if (bytes == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for the manifest");
        goto out;
    }
    status = env->files->read(env->file_context, file, 0, bytes, (size_t)size, error);
    if (status == PB_OK)
        status = pb_manifest_parse(manifest, bytes, (size_t)size, error);

out:
    pb_free(env, bytes);
    env->files->close(env->file_context, file);
    return status;
}

/* ---- writing ---- */

static enum pb_status
check_entries(const struct pb_manifest *manifest, struct pb_error *error)
{
    const char *fault = count_fault(manifest);

    if (fault != NULL)
        return pb_fail(error, PB_OVER_LIMIT, "the manifest: %s", fault);
    fault = fixed_fault(manifest);
    for (uint32_t i = 0; fault == NULL && i < manifest->segment_count; i++)
        fault = segment_fault(manifest, &manifest->segments[i],
                              i == 0 ? 0 : manifest->segments[i - 1].number);
    for (uint32_t i = 0; fault == NULL && i < manifest->erasure_count; i++)
        fault = erasure_fault(manifest, &manifest->erasures[i]);
    for (uint32_t i = 0; fault == NULL && i < manifest->mark_count; i++)
        fault = mark_fault(manifest, &manifest->marks[i],
                           i == 0 ? 0 : manifest->marks[i - 1].identity);
    if (fault != NULL)
        return pb_fail(error, PB_BAD_INPUT, "the manifest: %s", fault);
    return PB_OK;
}

static size_t
encoded_bytes(const struct pb_manifest *manifest)
{
    size_t bytes = FIXED_BYTES + (size_t)manifest->segment_count * SEGMENT_BYTES +
                   (size_t)manifest->mark_count * MARK_BYTES_MIN + CHECKSUM_BYTES;

    for (uint32_t i = 0; i < manifest->erasure_count; i++)
        bytes += ERASURE_BYTES_MIN + manifest->erasures[i].plate.bytes +
                 manifest->erasures[i].reader.bytes;
    for (uint32_t i = 0; i < manifest->mark_count; i++)
        bytes += manifest->marks[i].name.bytes;
    return bytes;
}

static uint8_t *
put_segment(uint8_t *at, const struct pb_segment_entry *segment)
{
    pb_put_le64(at, segment->number);
    pb_put_le64(at + 8, segment->bytes);
    pb_put_le64(at + 16, segment->rows);
    pb_put_le32(at + 24, segment->month);
    pb_put_le32(at + 28, segment->retention_days);
    pb_put_le64(at + 32, (uint64_t)segment->captured_min_us);
    pb_put_le64(at + 40, (uint64_t)segment->captured_max_us);
    pb_put_le64(at + 48, (uint64_t)segment->delete_after_min_us);
    pb_put_le64(at + 56, (uint64_t)segment->delete_after_max_us);
    pb_put_le64(at + 64, segment->checksum);
    pb_put_le64(at + 72, 0);
    return at + SEGMENT_BYTES;
}

static uint8_t *
put_text(uint8_t *at, struct pb_str text)
{
    if (text.bytes > 0)
        memcpy(at, text.text, text.bytes);
    return at + text.bytes;
}

static uint8_t *
put_erasure(uint8_t *at, const struct pb_erasure_entry *erasure)
{
    pb_put_le64(at, (uint64_t)erasure->from_us);
    pb_put_le64(at + 8, (uint64_t)erasure->to_us);
    pb_put_le64(at + 16, erasure->segment_limit);
    pb_put_le16(at + 24, erasure->jurisdiction);
    pb_put_le16(at + 26, (uint16_t)erasure->plate.bytes);
    pb_put_le16(at + 28, (uint16_t)erasure->reader.bytes);
    at = put_text(at + ERASURE_BYTES_MIN, erasure->plate);
    return put_text(at, erasure->reader);
}

static uint8_t *
put_mark(uint8_t *at, const struct pb_mark_entry *mark)
{
    pb_put_le64(at, mark->identity);
    pb_put_le64(at + 8, mark->segment);
    pb_put_le32(at + 16, mark->revision);
    pb_put_le16(at + 20, (uint16_t)mark->name.bytes);
    return put_text(at + MARK_BYTES_MIN, mark->name);
}

/* bytes has room for encoded_bytes(manifest) = count. */
static void
encode(const struct pb_manifest *manifest, uint8_t *bytes, size_t count)
{
    uint8_t *at = bytes + FIXED_BYTES;

    memset(bytes, 0, FIXED_BYTES);
    memcpy(bytes, magic, MAGIC_BYTES);
    pb_put_le32(bytes + 8, VERSION);
    pb_put_le64(bytes + 16, count);
    memcpy(bytes + 24, manifest->store_id, PB_STORE_ID_BYTES);
    pb_put_le64(bytes + 40, manifest->generation);
    pb_put_le64(bytes + 48, manifest->next_segment);
    pb_put_le64(bytes + 56, manifest->log_first);
    pb_put_le64(bytes + 64, manifest->commit);
    pb_put_le32(bytes + 72, manifest->segment_count);
    pb_put_le32(bytes + 76, manifest->erasure_count);
    pb_put_le32(bytes + 80, manifest->mark_count);
    for (uint32_t i = 0; i < manifest->segment_count; i++)
        at = put_segment(at, &manifest->segments[i]);
    for (uint32_t i = 0; i < manifest->erasure_count; i++)
        at = put_erasure(at, &manifest->erasures[i]);
    for (uint32_t i = 0; i < manifest->mark_count; i++)
        at = put_mark(at, &manifest->marks[i]);
    assert(at == bytes + count - CHECKSUM_BYTES);
    pb_put_le64(at, pb_hash_bytes(bytes, count - CHECKSUM_BYTES));
}

/* Makes path anew with these bytes, synced. */
static enum pb_status
write_file(const struct pb_env *env, const char *path, const uint8_t *bytes, size_t count,
           struct pb_error *error)
{
    struct pb_file *file = NULL;
    enum pb_status status;

    status = env->files->unlink(env->file_context, path, error);
    if (status != PB_OK && status != PB_NOT_FOUND)
        return status;
    status = env->files->open(env->file_context, path, PB_OPEN_CREATE, &file, error);
    if (status != PB_OK)
        return status;
    status = env->files->write(env->file_context, file, 0, bytes, count, error);
    if (status == PB_OK)
        status = env->files->sync(env->file_context, file, error);
    env->files->close(env->file_context, file);
    return status;
}

enum pb_status
pb_manifest_write(const struct pb_manifest *manifest, const char *directory, bool *ret_is_unknown,
                  struct pb_error *error)
{
    const struct pb_env *env = manifest->arena.env;
    char path[PB_PATH_BYTES_MAX], temporary_path[PB_PATH_BYTES_MAX];
    bool is_unknown = false;
    uint8_t *bytes = NULL;
    enum pb_status status;
    size_t count;

    status = make_path(directory, "manifest", path, error);
    if (status != PB_OK)
        goto out;
    status = make_path(directory, "manifest.tmp", temporary_path, error);
    if (status != PB_OK)
        goto out;
    status = check_entries(manifest, error);
    if (status != PB_OK)
        goto out;
    count = encoded_bytes(manifest);
    bytes = pb_alloc(env, count);
    if (bytes == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for the manifest");
        goto out;
    }
    encode(manifest, bytes, count);
    status = write_file(env, temporary_path, bytes, count, error);
    if (status != PB_OK)
        goto out;
    status = env->files->rename(env->file_context, temporary_path, path, error);
    if (status != PB_OK)
        goto out;
    status = env->files->sync_directory(env->file_context, directory, error);
    is_unknown = status != PB_OK;

out:
    pb_free(env, bytes);
    if (status != PB_OK)
        *ret_is_unknown = is_unknown;
    return status;
}
