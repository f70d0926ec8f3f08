/*
 * Segment reader: a mapped file, checked where it is looked at.
 *
 * Footer and names are checked when the segment is opened, an index before it is believed
 * (segment_index.h), each block when it is read, every time. What fails a check is named by file
 * and offset and never used.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "plate/plate_code.h"
#include "store/local/extras.h"
#include "store/local/segment_format.h"
#include "store/local/segment_index.h"

#define OFFSET_WORD ": offset "
#define FETCH_BYTES 1024u
/* Of a filter of events: appends, which wait for it, each put so many blocks into it; and what has
 * more events than so many has half of the memory for each, which is 107 MB at most. */
#define FILTER_BLOCKS_AT_ONCE 64u
#define FILTER_WHOLE_EVENTS (UINT64_C(1) << 23)
/* Plates before that of a row, from the beginning of the block of plates that its index names: of
 * that block, and those of the row's own. */
#define PLATES_PASSED_MAX (2u * PB_BLOCK_ROWS_MAX)
#define DECODES_BEFORE_WHOLE 4u /* rows of a block that are decoded one by one */

enum pb_status
pb_segment_fail(const struct pb_segment *segment, uint64_t offset, const char *what,
                struct pb_error *error)
{
    return pb_fail(error, PB_E_CORRUPT, "%s" OFFSET_WORD "%llu: %s; restore it from a backup",
                   pb_segment_name(segment), (unsigned long long)offset, what);
}

const char *
pb_segment_damage(const struct pb_error *error, uint64_t *ret_offset)
{
    const char *at = error->message;

    *ret_offset = 0;
    /* The path before it may hold the same word. */
    for (const char *next = strstr(at, OFFSET_WORD); next != NULL; next = strstr(at, OFFSET_WORD))
        at = next + sizeof(OFFSET_WORD) - 1;
    if (at == error->message)
        return at;
    for (; *at >= '0' && *at <= '9'; at++)
        *ret_offset = *ret_offset * 10 + (uint64_t)(*at - '0');
    return at[0] == ':' && at[1] == ' ' ? at + 2 : error->message;
}

/* ---- opening ---- */

/* An open segment is looked at here and there: that brings no more than is needed. */
static void
fetch(const struct pb_segment *segment, const uint8_t *bytes, uint64_t size)
{
    segment->env->files->fetch(segment->env->file_context, bytes, size);
}

static enum pb_status
open_names(struct pb_segment *segment, const uint8_t *footer, struct pb_error *error)
{
    uint64_t offset = pb_get_le64(footer);
    uint64_t stored = pb_get_le64(footer + 8);
    enum pb_status status = PB_OK;

    if (offset > segment->size || stored > segment->size - offset)
        return pb_segment_fail(segment, offset, "the names are out of range", error);
    fetch(segment, segment->bytes + offset, stored);
    if (XXH3_64bits_withSeed(segment->bytes + offset, (size_t)stored, segment->seed)
        != pb_get_le64(footer + 24))
        return pb_segment_fail(segment, offset, "the checksum of the names does not fit", error);
    status = pb_names_decode(&segment->names, segment->env, segment->bytes + offset,
                             (size_t)stored, (size_t)pb_get_le64(footer + 16));
    if (status == PB_E_CORRUPT)
        return pb_segment_fail(segment, offset, "the names do not decode", error);
    segment->names_bytes = pb_get_le64(footer + 16);
    segment->blocks_end = offset;
    return status;
}

enum pb_status
pb_segment_parse(struct pb_segment *segment, const uint8_t *bytes, uint64_t size,
                 const uint8_t store_id[PB_STORE_ID_BYTES], struct pb_error *error)
{
    const uint8_t *trailer = NULL;
    const uint8_t *footer = NULL;
    enum pb_status status = PB_OK;

    segment->bytes = bytes;
    segment->size = size;
    if (size < PB_SEGMENT_HEAD_BYTES + PB_FOOTER_BYTES + PB_SEGMENT_TRAILER_BYTES)
        return pb_segment_fail(segment, size, "the file is cut short", error);
    trailer = bytes + size - PB_SEGMENT_TRAILER_BYTES;
    footer = trailer - PB_FOOTER_BYTES;
    fetch(segment, bytes, PB_SEGMENT_HEAD_BYTES);
    fetch(segment, footer, PB_FOOTER_BYTES + PB_SEGMENT_TRAILER_BYTES);
    if (memcmp(bytes, PB_SEGMENT_MAGIC, PB_SEGMENT_MAGIC_BYTES) != 0)
        return pb_segment_fail(segment, 0, "the file does not begin as a segment", error);
    for (uint32_t i = PB_SEGMENT_MAGIC_BYTES; i < PB_SEGMENT_HEAD_BYTES; i++) {
        if (bytes[i] != 0)
            return pb_segment_fail(segment, i, "the file does not begin as a segment", error);
    }
    if (memcmp(trailer + 24, PB_SEGMENT_MAGIC, PB_SEGMENT_MAGIC_BYTES) != 0
        || pb_get_le64(trailer) != size - PB_SEGMENT_TRAILER_BYTES - PB_FOOTER_BYTES
        || pb_get_le64(trailer + 8) != PB_FOOTER_BYTES) {
        return pb_segment_fail(segment, size - PB_SEGMENT_TRAILER_BYTES,
                               "the file does not end as a segment", error);
    }
    if (XXH3_64bits(footer, PB_FOOTER_BYTES) != pb_get_le64(trailer + 16))
        return pb_segment_fail(segment, (uint64_t)(footer - bytes),
                               "the footer's checksum does not fit", error);
    if (memcmp(footer, PB_SEGMENT_MAGIC, PB_SEGMENT_MAGIC_BYTES) != 0
        || pb_get_le32(footer + 8) != PB_SEGMENT_VERSION)
        return pb_fail(error, PB_E_VERSION, "%s: segment format %u, this program knows %u",
                       pb_segment_name(segment), pb_get_le32(footer + 8), PB_SEGMENT_VERSION);
    if (memcmp(footer + 12, store_id, PB_STORE_ID_BYTES) != 0)
        return pb_segment_fail(segment, (uint64_t)(footer - bytes) + 12,
                               "the segment belongs to another store", error);
    segment->entry = (struct pb_segment_entry){
        .number = pb_get_le64(footer + 28),
        .bytes = size,
        .month = pb_get_le32(footer + 36),
        .retention_days = pb_get_le32(footer + 40),
        .rows = pb_get_le64(footer + 44),
        .captured_min_us = (int64_t)pb_get_le64(footer + 52),
        .captured_max_us = (int64_t)pb_get_le64(footer + 60),
        .delete_after_min_us = (int64_t)pb_get_le64(footer + 68),
        .delete_after_max_us = (int64_t)pb_get_le64(footer + 76),
        .checksum = pb_get_le64(trailer + 16),
    };
    segment->seed = pb_get_le64(footer + 84);
    status = open_names(segment, footer + PB_FOOTER_FIXED_BYTES, error);
    if (status == PB_OK)
        status = pb_indexes_open(segment, footer, error);
    if (status == PB_OK && segment->tables[PB_TABLE_READS].rows != segment->entry.rows)
        status = pb_segment_fail(segment, (uint64_t)(footer - bytes),
                                 "the footer contradicts itself", error);
    return status;
}

/* Of files that are equally long. */
static bool
same_entry(const struct pb_segment_entry *a, const struct pb_segment_entry *b)
{
    assert(a->bytes == b->bytes);
    return a->number == b->number && a->rows == b->rows && a->month == b->month
           && a->retention_days == b->retention_days && a->checksum == b->checksum;
}

enum pb_status
pb_segment_open(const struct pb_env *env, const char *directory,
                const uint8_t store_id[PB_STORE_ID_BYTES], const struct pb_segment_entry *entry,
                struct pb_segment **ret_segment, struct pb_error *error)
{
    struct pb_segment *segment = pb_calloc(env, 1, sizeof(*segment));
    char path[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;
    const void *bytes = NULL;
    uint64_t size = 0;
    size_t path_bytes = 0;
    enum pb_status status = PB_E_NOMEM;

    if (segment == NULL)
        return PB_E_NOMEM;
    segment->env = env;
    pb_segment_path(path, sizeof(path), directory, entry->number);
    path_bytes = strlen(path) + 1;
    segment->path = pb_alloc(env, path_bytes);
    if (segment->path == NULL)
        goto out;
    memcpy(segment->path, path, path_bytes);

    status = env->files->open(env->file_context, path, PB_OPEN_READ, &file, error);
    if (status == PB_NOT_FOUND) {
        status = pb_fail(error, PB_E_CORRUPT, "%s: the file is missing; restore it from a backup",
                         path);
    }
    if (status != PB_OK)
        goto out;
    status = env->files->size(env->file_context, file, &size, error);
    if (status != PB_OK)
        goto out;
    if (size != entry->bytes) {
        status = pb_segment_fail(segment, size < entry->bytes ? size : entry->bytes,
                                 "the file has another length than the manifest says", error);
        goto out;
    }
    status = env->files->map(env->file_context, file, size, &bytes, error);
    if (status != PB_OK)
        goto out;
    status = pb_segment_parse(segment, bytes, size, store_id, error);
    if (status != PB_OK) {
        segment->bytes = bytes; /* to be unmapped */
        goto out;
    }
    if (!same_entry(&segment->entry, entry)) {
        status = pb_segment_fail(segment, size - PB_SEGMENT_TRAILER_BYTES,
                                 "the file is not the one that the manifest means", error);
        goto out;
    }
    *ret_segment = segment;
    segment = NULL;

out:
    env->files->close(env->file_context, file);
    pb_segment_close(segment);
    return status;
}

void
pb_segment_close(struct pb_segment *segment)
{
    if (segment == NULL)
        return;
    segment->env->files->unmap(segment->env->file_context, segment->bytes, segment->size);
    pb_segment_done(segment);
    pb_free(segment->env, segment->path);
    pb_free(segment->env, segment);
}

void
pb_segment_done(struct pb_segment *segment)
{
    pb_names_done(&segment->names);
    pb_filter_free(segment->events);
    pb_free(segment->env, segment->indexes);
}

void
pb_segment_forget(const struct pb_segment *segment)
{
    segment->env->files->forget(segment->env->file_context, segment->bytes, segment->size);
}

size_t
pb_segment_memory(const struct pb_segment *segment)
{
    return sizeof(*segment) + pb_names_memory(&segment->names)
           + atomic_load_explicit(&segment->filter_bytes, memory_order_relaxed);
}

/* ---- blocks ---- */

enum pb_status
pb_segment_block(const struct pb_segment *segment, enum pb_table number, uint32_t block,
                 struct pb_block *ret_block, struct pb_error *error)
{
    const struct pb_table_view *table = &segment->tables[number];
    const char *what = NULL;
    uint64_t offset = 0;
    uint64_t rows = 0;
    enum pb_status status = PB_OK;

    assert(block < table->blocks);
    offset = pb_index_block_offset(segment, number, block);
    if (offset < PB_SEGMENT_HEAD_BYTES || offset >= segment->blocks_end)
        return pb_index_blame(segment, number, offset, "an index points outside the blocks",
                              error);
    status = pb_block_open(segment->bytes + offset, (size_t)(segment->blocks_end - offset),
                           (uint8_t)number, block, segment->seed, ret_block, &what);
    if (status != PB_OK)
        return pb_index_blame(segment, number, offset, what, error);
    rows = table->rows - (uint64_t)block * table->rows_per_block;
    if (ret_block->rows != (rows < table->rows_per_block ? rows : table->rows_per_block))
        return pb_segment_fail(segment, offset, "a block has the wrong number of rows", error);
    return PB_OK;
}

static enum pb_status
open_column(const struct pb_segment *segment, const struct pb_block *block, uint32_t column,
            struct pb_column *ret_column, struct pb_error *error)
{
    enum pb_status status = pb_block_column(block, column, ret_column);

    if (status != PB_OK)
        return pb_segment_fail(segment, (uint64_t)(block->bytes - segment->bytes),
                               "a column does not decode", error);
    return PB_OK;
}

enum pb_status
pb_segment_column(const struct pb_segment *segment, const struct pb_block *block, uint32_t column,
                  struct pb_column *ret_column, struct pb_error *error)
{
    return open_column(segment, block, column, ret_column, error);
}

/* ---- plates ---- */

void
pb_plate_iterator_init(struct pb_plate_iterator *iterator, const struct pb_segment *segment,
                       enum pb_table table)
{
    /* The columns are large and need no clearing. */
    iterator->segment = segment;
    iterator->table = table;
    iterator->block = 0;
    iterator->row = 0;
    iterator->rows = 0;
    iterator->is_past = false;
    iterator->blob = NULL;
    iterator->blob_room = 0;
}

void
pb_plate_iterator_done(struct pb_plate_iterator *iterator)
{
    pb_free(iterator->segment->env, iterator->blob);
    iterator->blob = NULL;
}

/* Rows that the plates of a table lead to: reads, or postings. */
static uint64_t
target_rows(const struct pb_segment *segment, enum pb_table table)
{
    return segment->tables[table == PB_TABLE_ALTERNATES ? PB_TABLE_POSTINGS : PB_TABLE_READS].rows;
}

/* The first row of the first plate of a block, or where rows end. */
static enum pb_status
first_row_of_block(const struct pb_segment *segment, enum pb_table table, uint32_t block_number,
                   uint64_t *ret_row, struct pb_error *error)
{
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = PB_OK;

    if (block_number == segment->tables[table].blocks) {
        if (table != PB_TABLE_PLATES || segment->tables[PB_TABLE_LONG].blocks == 0) {
            *ret_row = target_rows(segment, table);
            return PB_OK;
        }
        table = PB_TABLE_LONG;
        block_number = 0;
    }
    status = pb_segment_block(segment, table, block_number, &block, error);
    if (status == PB_OK)
        status = open_column(segment, &block, PB_PLATES_FIRST, &column, error);
    if (status == PB_OK)
        *ret_row = (uint64_t)pb_column_get(&column, 0);
    return status;
}

enum pb_status
pb_segment_plates_end(const struct pb_segment *segment, enum pb_table table, uint32_t block,
                      uint64_t *ret_row, struct pb_error *error)
{
    return first_row_of_block(segment, table, block + 1, ret_row, error);
}

/* Lays out the texts of a block of long plates, whose lengths are a column. */
static enum pb_status
place_plate_texts(struct pb_plate_iterator *iterator, uint32_t blob_bytes, const char **ret_what)
{
    uint64_t at = 0;

    for (uint32_t i = 0; i < iterator->rows; i++) {
        uint64_t bytes = (uint64_t)iterator->columns[PB_PLATES_CODE][i];

        *ret_what = "a plate's length is out of range";
        if (bytes == 0 || bytes > PB_PLATE_BYTES_MAX)
            return PB_E_CORRUPT;
        iterator->texts[i] = (uint32_t)at;
        at += bytes;
    }
    iterator->texts[iterator->rows] = (uint32_t)at;
    *ret_what = "plate texts do not add up";
    return at == blob_bytes ? PB_OK : PB_E_CORRUPT;
}

/* The same of alternates: those without a code have one, each text behind its length. */
static enum pb_status
place_alternate_texts(struct pb_plate_iterator *iterator, uint32_t blob_bytes,
                      const char **ret_what)
{
    uint32_t at = 0;

    *ret_what = "an alternate's text is out of range";
    for (uint32_t i = 0; i < iterator->rows; i++) {
        uint32_t bytes = 0;

        if (((uint64_t)iterator->columns[PB_PLATES_CODE][i] & PB_ALTERNATE_HASH_BIT) == 0)
            continue;
        if (at == blob_bytes)
            return PB_E_CORRUPT;
        bytes = iterator->blob[at];
        if (bytes == 0 || bytes > PB_PLATE_BYTES_MAX || bytes > blob_bytes - at - 1)
            return PB_E_CORRUPT;
        iterator->texts[i] = at;
        at += 1 + bytes;
    }
    return at == blob_bytes ? PB_OK : PB_E_CORRUPT;
}

static enum pb_status
load_texts(struct pb_plate_iterator *iterator, const struct pb_block *block,
           struct pb_error *error)
{
    const struct pb_segment *segment = iterator->segment;
    uint64_t offset = (uint64_t)(block->bytes - segment->bytes);
    const char *what = NULL;
    enum pb_status status = PB_OK;

    if (block->blob_raw > iterator->blob_room) {
        uint8_t *larger = pb_realloc(segment->env, iterator->blob, block->blob_raw);

        if (larger == NULL)
            return PB_E_NOMEM;
        iterator->blob = larger;
        iterator->blob_room = block->blob_raw;
    }
    status = pb_block_blob(block, iterator->blob, &what);
    if (status == PB_OK)
        status = iterator->table == PB_TABLE_LONG
                     ? place_plate_texts(iterator, block->blob_raw, &what)
                     : place_alternate_texts(iterator, block->blob_raw, &what);
    return status == PB_OK ? PB_OK : pb_segment_fail(segment, offset, what, error);
}

/* Alternates without a code stand last, but in a forged block anywhere. */
static bool
has_texts(const struct pb_plate_iterator *iterator)
{
    uint64_t bits = 0;

    if (iterator->table != PB_TABLE_ALTERNATES)
        return iterator->table == PB_TABLE_LONG;
    for (uint32_t i = 0; i < iterator->rows; i++)
        bits |= (uint64_t)iterator->columns[PB_PLATES_CODE][i];
    return (bits & PB_ALTERNATE_HASH_BIT) != 0;
}

static enum pb_status
load_plates(struct pb_plate_iterator *iterator, uint32_t block_number, struct pb_error *error)
{
    const struct pb_segment *segment = iterator->segment;
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = pb_segment_block(segment, iterator->table, block_number, &block, error);

    for (uint32_t c = 0; c < PB_PLATES_COLUMNS && status == PB_OK; c++) {
        status = open_column(segment, &block, c, &column, error);
        if (status == PB_OK)
            pb_column_all(&column, iterator->columns[c]);
    }
    iterator->block = block_number;
    iterator->row = 0;
    iterator->rows = status == PB_OK ? block.rows : 0;
    if (status == PB_OK && has_texts(iterator))
        status = load_texts(iterator, &block, error);
    iterator->is_past = status != PB_OK;
    if (status != PB_OK)
        iterator->rows = 0;
    return status;
}

/* Where the rows of plate `at` of the block end. Only of the last one another block tells. */
static enum pb_status
end_of_plate(const struct pb_plate_iterator *iterator, uint32_t at, uint64_t *ret_end,
             struct pb_error *error)
{
    if (at + 1 < iterator->rows) {
        *ret_end = (uint64_t)iterator->columns[PB_PLATES_FIRST][at + 1];
        return PB_OK;
    }
    return first_row_of_block(iterator->segment, iterator->table, iterator->block + 1, ret_end,
                              error);
}

/* Goes to a block that has a row left; PB_END where there is none. */
static enum pb_status
need_row(struct pb_plate_iterator *iterator, struct pb_error *error)
{
    const struct pb_segment *segment = iterator->segment;
    enum pb_status status = PB_OK;

    while (iterator->row == iterator->rows && status == PB_OK) {
        uint32_t next = iterator->rows == 0 && !iterator->is_past ? iterator->block
                                                                   : iterator->block + 1;

        if (next < segment->tables[iterator->table].blocks) {
            status = load_plates(iterator, next, error);
        } else if (iterator->table == PB_TABLE_PLATES) {
            iterator->table = PB_TABLE_LONG;
            iterator->block = 0;
            iterator->row = 0;
            iterator->rows = 0;
            iterator->is_past = false;
        } else {
            return PB_END;
        }
    }
    return status;
}

enum pb_status
pb_plate_iterator_next(struct pb_plate_iterator *iterator, struct pb_plate_rows *ret_plate,
                       struct pb_error *error)
{
    const struct pb_segment *segment = iterator->segment;
    uint32_t at = 0;
    enum pb_status status = need_row(iterator, error);

    if (status != PB_OK)
        return status;
    at = iterator->row++;
    ret_plate->jurisdiction
        = pb_jurisdiction_of_code(iterator->columns[PB_PLATES_JURISDICTION][at]);
    ret_plate->first = (uint64_t)iterator->columns[PB_PLATES_FIRST][at];
    status = end_of_plate(iterator, at, &ret_plate->end, error);
    if (status != PB_OK)
        return status;
    ret_plate->code = 0;
    ret_plate->text = (struct pb_str){ NULL, 0 };
    if (iterator->table == PB_TABLE_LONG) {
        ret_plate->text.text = (const char *)iterator->blob + iterator->texts[at];
        ret_plate->text.bytes = iterator->texts[at + 1] - iterator->texts[at];
    } else {
        ret_plate->code = (uint64_t)iterator->columns[PB_PLATES_CODE][at];
        if (iterator->table == PB_TABLE_PLATES && !pb_plate_code_has_text(ret_plate->code))
            return pb_segment_fail(segment, segment->blocks_end, "a plate is none", error);
    }
    if (ret_plate->code & PB_ALTERNATE_HASH_BIT) { /* no plate's code has it: see above */
        const uint8_t *text = iterator->blob + iterator->texts[at];

        ret_plate->text = (struct pb_str){ (const char *)text + 1, text[0] };
    }
    if (ret_plate->first >= ret_plate->end
        || ret_plate->end > target_rows(segment, iterator->table))
        return pb_segment_fail(segment, segment->blocks_end, "rows of a plate are out of range",
                               error);
    return PB_OK;
}

enum pb_status
pb_plate_iterator_seek(struct pb_plate_iterator *iterator, uint64_t code, struct pb_error *error)
{
    const struct pb_table_view *table = &iterator->segment->tables[iterator->table];
    struct pb_block_keys keys;
    uint32_t block = 0;
    uint32_t first = 0;
    uint32_t end = 0;
    enum pb_status status = PB_OK;

    if (iterator->table == PB_TABLE_LONG || table->blocks == 0)
        return PB_OK;
    status = pb_segment_keys(iterator->segment, iterator->table, &keys, error);
    if (status != PB_OK)
        return status;
    if (iterator->rows == 0
        || (uint64_t)iterator->columns[PB_PLATES_CODE][iterator->rows - 1] < code) {
        /* Equal codes of several jurisdictions may begin at the end of the block before. */
        block = iterator->block;
        if (iterator->rows != 0 && block + 2 < keys.count && pb_block_key(&keys, block + 2) >= code
            && pb_block_key(&keys, block + 1) < code)
            block++; /* the neighbour: seeking in order is mostly that */
        else
            block = pb_block_keys_find(&keys, code - (code != 0));
        if (iterator->rows == 0 || block != iterator->block)
            status = load_plates(iterator, block, error);
        if (status != PB_OK)
            return status;
    }
    first = iterator->row;
    end = iterator->rows;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;

        if ((uint64_t)iterator->columns[PB_PLATES_CODE][middle] < code)
            first = middle + 1;
        else
            end = middle;
    }
    iterator->row = first;
    return PB_OK;
}

enum pb_status
pb_plate_iterator_seek_text(struct pb_plate_iterator *iterator, struct pb_str text,
                            struct pb_error *error)
{
    struct pb_plate_rows plate;
    uint32_t first = 0;
    uint32_t end = 0;
    enum pb_status status = PB_OK;

    iterator->table = PB_TABLE_LONG;
    iterator->block = 0;
    iterator->row = 0;
    iterator->rows = 0;
    iterator->is_past = false;
    end = iterator->segment->tables[PB_TABLE_LONG].blocks;
    /* The last block whose first plate is below text holds it, or the one after does. */
    while (end - first > 1) {
        uint32_t middle = first + (end - first) / 2;

        status = load_plates(iterator, middle, error);
        if (status == PB_OK)
            status = pb_plate_iterator_next(iterator, &plate, error);
        if (status != PB_OK)
            return status;
        if (pb_str_compare(plate.text, text) < 0)
            first = middle;
        else
            end = middle;
    }
    if (end == 0)
        return PB_OK;
    status = load_plates(iterator, first, error);
    while (status == PB_OK) {
        uint32_t row = iterator->row;

        if (row == iterator->rows
            && iterator->block + 1 < iterator->segment->tables[PB_TABLE_LONG].blocks) {
            status = load_plates(iterator, iterator->block + 1, error);
            continue;
        }
        status = pb_plate_iterator_next(iterator, &plate, error);
        if (status == PB_END)
            return PB_OK;
        if (status == PB_OK && pb_str_compare(plate.text, text) >= 0) {
            iterator->row = row;
            return PB_OK;
        }
    }
    return status;
}

static enum pb_status
has_no_plate(const struct pb_segment *segment, struct pb_error *error)
{
    return pb_index_blame(segment, PB_TABLE_READS, segment->blocks_end, "a row has no plate",
                          error);
}

/* The block of plates where the first plate of a row's block should stand: the plates that are
 * found there tell whether it does. */
static enum pb_status
find_plates(const struct pb_segment *segment, uint64_t row, enum pb_table *ret_table,
            uint32_t *ret_block, struct pb_error *error)
{
    const struct pb_table_view *reads = &segment->tables[PB_TABLE_READS];
    const struct pb_table_view *table = &segment->tables[PB_TABLE_PLATES];
    uint64_t ordinal = pb_index_plate_ordinal(segment, (uint32_t)(row / reads->rows_per_block));

    *ret_table = PB_TABLE_PLATES;
    if (ordinal >= table->rows) {
        ordinal -= table->rows;
        *ret_table = PB_TABLE_LONG;
        table = &segment->tables[PB_TABLE_LONG];
    }
    if (ordinal >= table->rows)
        return has_no_plate(segment, error);
    *ret_block = (uint32_t)(ordinal / table->rows_per_block);
    return PB_OK;
}

enum pb_status
pb_plate_iterator_seek_row(struct pb_plate_iterator *iterator, uint64_t row,
                           struct pb_error *error)
{
    enum pb_table table = PB_TABLE_PLATES;
    uint32_t block = 0;
    enum pb_status status = pb_index_check(iterator->segment, PB_TABLE_READS, error);

    /* Nobody looks whether it went too far. */
    if (status == PB_OK)
        status = find_plates(iterator->segment, row, &table, &block, error);
    if (status != PB_OK || table < iterator->table ||
        (table == iterator->table && block <= iterator->block))
        return status;
    iterator->table = table;
    iterator->block = block;
    iterator->row = 0;
    iterator->rows = 0;
    iterator->is_past = false;
    return PB_OK;
}

/* ---- rows ---- */

enum pb_status
pb_segment_time(const struct pb_segment *segment, uint64_t row, int64_t *ret_captured_us,
                struct pb_error *error)
{
    struct pb_block block;
    struct pb_column column;
    uint32_t rows_per_block = segment->tables[PB_TABLE_READS].rows_per_block;
    enum pb_status status = pb_segment_block(segment, PB_TABLE_READS,
                                             (uint32_t)(row / rows_per_block), &block, error);

    if (status == PB_OK)
        status = open_column(segment, &block, PB_READS_TIME, &column, error);
    if (status == PB_OK)
        *ret_captured_us = pb_column_get(&column, (uint32_t)(row % rows_per_block));
    return status;
}

enum pb_status
pb_segment_lower_bound(const struct pb_segment *segment, uint64_t first, uint64_t end,
                       int64_t captured_us, uint64_t *ret_row, struct pb_error *error)
{
    while (first < end) {
        uint64_t middle = first + (end - first) / 2;
        int64_t captured = 0;
        enum pb_status status = pb_segment_time(segment, middle, &captured, error);

        if (status != PB_OK)
            return status;
        if (captured < captured_us)
            first = middle + 1;
        else
            end = middle;
    }
    *ret_row = first;
    return PB_OK;
}

/* Looks for the last plate of a table that begins at or before row, from block `block` on. A block
 * that is damaged is passed: the plate may stand in the next one. */
static enum pb_status
find_plate(const struct pb_segment *segment, enum pb_table table, uint32_t block, uint64_t row,
           struct pb_plate_text *ret_plate, struct pb_error *error)
{
    struct pb_plate_iterator iterator;
    struct pb_plate_rows plate;
    uint32_t passed = 0;
    bool has_passed = false;
    enum pb_status status = PB_OK;

    pb_plate_iterator_init(&iterator, segment, table);
    status = load_plates(&iterator, block, error);
    while (status == PB_E_CORRUPT && block + 1 < segment->tables[table].blocks) {
        has_passed = true;
        status = load_plates(&iterator, ++block, error);
    }
    while (status == PB_OK) {
        status = pb_plate_iterator_next(&iterator, &plate, error);
        if (status == PB_OK && plate.end > row)
            break;
        if (status == PB_OK && ++passed > PLATES_PASSED_MAX)
            status = PB_END;
    }
    /* It stands in a block that was passed; error tells of that. */
    if (status == PB_OK && plate.first > row)
        status = has_passed ? PB_E_CORRUPT : PB_END;
    if (status == PB_OK) {
        ret_plate->jurisdiction = plate.jurisdiction;
        ret_plate->first = plate.first;
        ret_plate->end = plate.end;
        ret_plate->bytes = plate.text.bytes;
        if (plate.code != 0)
            ret_plate->bytes = pb_plate_code_text(plate.code, ret_plate->text);
        else
            memcpy(ret_plate->text, plate.text.text, plate.text.bytes);
    }
    pb_plate_iterator_done(&iterator);
    return status == PB_END ? has_no_plate(segment, error) : status;
}

enum pb_status
pb_segment_plate_of_row(const struct pb_segment *segment, uint64_t row,
                        struct pb_plate_text *ret_plate, struct pb_error *error)
{
    enum pb_table table = PB_TABLE_PLATES;
    uint32_t block = 0;
    enum pb_status status = find_plates(segment, row, &table, &block, error);

    /* Rows of the block may lead on into later plates' blocks, and into the long ones. */
    return status == PB_OK ? find_plate(segment, table, block, row, ret_plate, error) : status;
}

void
pb_reads_block_init(struct pb_reads_block *reads)
{
    reads->segment = NULL;
    reads->block_number = UINT32_MAX;
    reads->values = NULL;
    reads->blob = NULL;
    reads->blob_room = 0;
    reads->has_blob = false;
    reads->commit_row = UINT64_MAX;
}

void
pb_reads_block_done(struct pb_reads_block *reads, const struct pb_env *env)
{
    pb_free(env, reads->values);
    pb_free(env, reads->blob);
    pb_reads_block_init(reads);
}

enum pb_status
pb_reads_block_load_columns(struct pb_reads_block *reads, const struct pb_segment *segment,
                            uint64_t row, unsigned columns, struct pb_error *error)
{
    uint32_t number = (uint32_t)(row / segment->tables[PB_TABLE_READS].rows_per_block);
    unsigned missing = 0;
    enum pb_status status = PB_OK;

    if (reads->segment != segment || reads->block_number != number) {
        reads->block_number = UINT32_MAX;
        reads->has_blob = false;
        reads->extras_row = 0;
        reads->extras_at = 0;
        reads->opened = 0;
        reads->decoded = 0;
        reads->decodes = 0;
        if (reads->segment != segment)
            reads->commit_row = UINT64_MAX;
        status = pb_segment_block(segment, PB_TABLE_READS, number, &reads->block, error);
        if (status != PB_OK)
            return status;
        reads->segment = segment;
        reads->block_number = number;
    }
    for (missing = columns & ~(unsigned)reads->opened; missing != 0; missing &= missing - 1) {
        uint32_t c = (uint32_t)__builtin_ctz(missing);

        status = open_column(segment, &reads->block, c, &reads->columns[c], error);
        if (status != PB_OK) {
            reads->block_number = UINT32_MAX;
            return status;
        }
        reads->opened = (uint16_t)(reads->opened | 1u << c);
    }
    return PB_OK;
}

enum pb_status
pb_reads_block_load(struct pb_reads_block *reads, const struct pb_segment *segment, uint64_t row,
                    struct pb_error *error)
{
    return pb_reads_block_load_columns(reads, segment, row, (1u << PB_READS_COLUMNS) - 1, error);
}

void
pb_reads_block_fetch(const struct pb_segment *segment, uint64_t row)
{
    uint32_t block = (uint32_t)(row / segment->tables[PB_TABLE_READS].rows_per_block);
    uint64_t offset = pb_index_block_offset(segment, PB_TABLE_READS, block);
    const uint8_t *at = NULL;

    if (offset >= segment->blocks_end)
        return; /* whoever loads it is told */
    at = segment->bytes + offset;
    /* The checksum goes over all of it; the processor fetches on by itself once it has begun. */
    for (size_t i = 0; i < FETCH_BYTES; i += 64)
        __builtin_prefetch(at + i);
    __asm__ volatile("" ::: "memory");
}

/* Where several rows of a block are decoded, columns in which one value takes a walk over those
 * before it are decoded as a whole. Without memory for it they are not. */
static void
decode_columns(struct pb_reads_block *reads)
{
    if (reads->values == NULL)
        reads->values = pb_alloc(reads->segment->env, PB_READS_COLUMNS * sizeof(*reads->values));
    for (uint32_t c = 0; c < PB_READS_COLUMNS && reads->values != NULL; c++) {
        if (!pb_column_is_slow(&reads->columns[c]))
            continue;
        pb_column_all(&reads->columns[c], reads->values[c]);
        reads->decoded = (uint16_t)(reads->decoded | 1u << c);
    }
}

static inline int64_t
value_of(const struct pb_reads_block *reads, uint32_t column, uint32_t at)
{
    return (reads->decoded & 1u << column) != 0 ? reads->values[column][at]
                                                : pb_column_get(&reads->columns[column], at);
}

static uint32_t
row_in_block(const struct pb_reads_block *reads, uint64_t row)
{
    return (uint32_t)(row % reads->segment->tables[PB_TABLE_READS].rows_per_block);
}

int64_t
pb_reads_block_time(const struct pb_reads_block *reads, uint64_t row)
{
    return value_of(reads, PB_READS_TIME, row_in_block(reads, row));
}

void
pb_reads_block_lifetime(const struct pb_reads_block *reads, uint64_t row,
                        struct pb_read *ret_read)
{
    uint32_t at = row_in_block(reads, row);
    uint64_t flags = (uint64_t)value_of(reads, PB_READS_FLAGS, at);

    ret_read->captured_at_us = value_of(reads, PB_READS_TIME, at);
    ret_read->is_superseded = (flags & PB_ROW_SUPERSEDED) != 0;
    ret_read->delete_after_us
        = flags & PB_ROW_NEVER
              ? PB_NEVER
              : pb_row_delete_after(ret_read->captured_at_us,
                                    value_of(reads, PB_READS_KEEP, at));
}

/* The context of a row; NULL where its number is forged. */
static const struct pb_context *
context_of(const struct pb_reads_block *reads, uint32_t at)
{
    const struct pb_names *names = &reads->segment->names;
    uint64_t number = (uint64_t)value_of(reads, PB_READS_CONTEXT, at);

    return number < names->context_count ? &names->contexts[number] : NULL;
}

void
pb_reads_block_position(const struct pb_reads_block *reads, uint64_t row, int32_t *ret_lat_e7,
                        int32_t *ret_lon_e7)
{
    uint32_t at = row_in_block(reads, row);
    const struct pb_context *context = context_of(reads, at);

    *ret_lat_e7 = PB_NO_POSITION;
    *ret_lon_e7 = PB_NO_POSITION;
    if (context == NULL || context->lat_e7 == PB_NO_POSITION)
        return;
    *ret_lat_e7 = (int32_t)((uint32_t)context->lat_e7
                            + (uint32_t)value_of(reads, PB_READS_LAT, at));
    *ret_lon_e7 = (int32_t)((uint32_t)context->lon_e7
                            + (uint32_t)value_of(reads, PB_READS_LON, at));
}

static enum pb_status
load_blob(struct pb_reads_block *reads, struct pb_error *error)
{
    const struct pb_segment *segment = reads->segment;
    const char *what = NULL;

    if (reads->has_blob)
        return PB_OK;
    if (reads->block.blob_raw > reads->blob_room) {
        uint8_t *larger = pb_realloc(segment->env, reads->blob, reads->block.blob_raw);

        if (larger == NULL)
            return PB_E_NOMEM;
        reads->blob = larger;
        reads->blob_room = reads->block.blob_raw;
    }
    if (pb_block_blob(&reads->block, reads->blob, &what) != PB_OK)
        return pb_segment_fail(segment, (uint64_t)(reads->block.bytes - segment->bytes), what,
                               error);
    reads->has_blob = true;
    return PB_OK;
}

/* Bytes of the extras of a row that has some: fields follow one another to where the next row's
 * begin, and each row's begin with its length. Rows that are asked in order go on from the one
 * before. */
static enum pb_status
find_extras(struct pb_reads_block *reads, uint32_t at, const uint8_t **ret_bytes,
            uint32_t *ret_count, struct pb_error *error)
{
    enum pb_status status = load_blob(reads, error);

    if (status != PB_OK)
        return status;
    if (at < reads->extras_row) {
        reads->extras_row = 0;
        reads->extras_at = 0;
    }
    for (;; reads->extras_row++) {
        uint32_t left = reads->block.blob_raw - reads->extras_at;
        uint32_t count = 0;

        if ((value_of(reads, PB_READS_FLAGS, reads->extras_row) & PB_ROW_EXTRAS) == 0)
            continue;
        if (left >= 2)
            count = pb_get_le16(reads->blob + reads->extras_at);
        if (left < 2 || left - 2 < count)
            return pb_segment_fail(reads->segment,
                                   (uint64_t)(reads->block.bytes - reads->segment->bytes),
                                   "extras are cut short", error);
        if (reads->extras_row == at) {
            *ret_bytes = reads->blob + reads->extras_at + 2;
            *ret_count = count;
            return PB_OK;
        }
        reads->extras_at += 2 + count;
    }
}

/* Makes reads hold the commit of that number. */
static enum pb_status
find_commit(struct pb_reads_block *reads, uint64_t commit_row, struct pb_error *error)
{
    const struct pb_segment *segment = reads->segment;
    uint32_t per_block = segment->tables[PB_TABLE_COMMITS].rows_per_block;
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = PB_OK;

    if (commit_row == reads->commit_row)
        return PB_OK;
    reads->commit_row = UINT64_MAX;
    status = pb_segment_block(segment, PB_TABLE_COMMITS, (uint32_t)(commit_row / per_block),
                              &block, error);
    if (status == PB_OK)
        status = open_column(segment, &block, 0, &column, error);
    if (status != PB_OK)
        return status;
    reads->commit = (uint64_t)pb_column_get(&column, (uint32_t)(commit_row % per_block));
    status = open_column(segment, &block, 1, &column, error);
    if (status != PB_OK)
        return status;
    reads->received_us = pb_column_get(&column, (uint32_t)(commit_row % per_block));
    reads->commit_row = commit_row;
    return PB_OK;
}

enum pb_status
pb_reads_block_decode(struct pb_reads_block *reads, uint64_t row, struct pb_record_room *room,
                      struct pb_read *ret_read, struct pb_error *error)
{
    const struct pb_segment *segment = reads->segment;
    const struct pb_names *names = &segment->names;
    uint32_t at = row_in_block(reads, row);
    uint64_t flags = (uint64_t)value_of(reads, PB_READS_FLAGS, at);
    uint64_t vehicle_number = (uint64_t)value_of(reads, PB_READS_VEHICLE, at);
    uint64_t commit_row = (uint64_t)value_of(reads, PB_READS_COMMIT, at);
    uint64_t speed = (uint64_t)value_of(reads, PB_READS_SPEED, at);
    uint64_t heading = 0;
    const struct pb_context *context = context_of(reads, at);
    struct pb_vehicle vehicle = { 0 };
    enum pb_status status = PB_OK;

    if (++reads->decodes == DECODES_BEFORE_WHOLE)
        decode_columns(reads);
    pb_read_init(ret_read);
    if (context == NULL || vehicle_number >= names->vehicle_count
        || commit_row >= segment->tables[PB_TABLE_COMMITS].rows) {
        return pb_segment_fail(segment, (uint64_t)(reads->block.bytes - segment->bytes),
                               "a row's number is out of range", error);
    }
    ret_read->captured_at_us = value_of(reads, PB_READS_TIME, at);
    if (ret_read->captured_at_us < segment->entry.captured_min_us
        || ret_read->captured_at_us > segment->entry.captured_max_us) {
        return pb_segment_fail(segment, (uint64_t)(reads->block.bytes - segment->bytes),
                               "a row's time is not of this segment", error);
    }
    ret_read->reader = names->texts[context->reader];
    ret_read->utc_offset_min = context->utc_offset_min;
    ret_read->lane = context->lane;
    ret_read->confidence_scale = (enum pb_confidence_scale)context->scale;
    ret_read->confidence_e6
        = pb_confidence_of_code((uint32_t)-value_of(reads, PB_READS_CONFIDENCE, at),
                                ret_read->confidence_scale);
    pb_reads_block_position(reads, row, &ret_read->lat_e7, &ret_read->lon_e7);
    heading = context->heading_code + (uint64_t)value_of(reads, PB_READS_HEADING, at);
    ret_read->heading_cdeg = (uint16_t)(heading == 0 ? PB_NO_HEADING : heading - PB_CODE_SHIFT);
    ret_read->speed_ckmh = (uint16_t)(speed == 0 ? PB_NO_SPEED : speed - PB_CODE_SHIFT);
    vehicle = pb_vehicle_masked(&names->vehicles[vehicle_number], context->reports);
    ret_read->make = names->texts[vehicle.make];
    ret_read->model = names->texts[vehicle.model];
    ret_read->color = names->texts[vehicle.color];
    ret_read->body = names->texts[vehicle.body];
    ret_read->year = vehicle.year;
    ret_read->year_last = vehicle.year_last;
    if ((flags & PB_ROW_NEVER) == 0) {
        ret_read->delete_after_us = pb_row_delete_after(ret_read->captured_at_us,
                                                        value_of(reads, PB_READS_KEEP, at));
    }
    ret_read->revision = (uint32_t)value_of(reads, PB_READS_REVISION, at);
    ret_read->is_revisable = (flags & PB_ROW_REVISABLE) != 0;
    ret_read->is_correction = (flags & PB_ROW_CORRECTION) != 0;
    ret_read->is_superseded = (flags & PB_ROW_SUPERSEDED) != 0;
    status = find_commit(reads, commit_row, error);
    ret_read->commit = reads->commit;
    ret_read->received_at_us = reads->received_us;
    if (status == PB_OK && (flags & PB_ROW_EXTRAS) != 0) {
        const uint8_t *extras = NULL;
        uint32_t count = 0;

        status = find_extras(reads, at, &extras, &count, error);
        if (status == PB_OK && pb_extras_decode(extras, count, room, ret_read) != PB_OK)
            status = pb_segment_fail(segment, (uint64_t)(reads->block.bytes - segment->bytes),
                                     "extras do not decode", error);
    }
    return status;
}

/* ---- events ---- */

enum pb_status
pb_segment_find_event(const struct pb_segment *segment, uint64_t identity, pb_row_fn *each,
                      void *context, struct pb_error *error)
{
    uint64_t key = identity >> 16;
    struct pb_block_keys block_keys;
    int64_t keys[PB_BLOCK_ROWS_MAX];
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = pb_segment_keys(segment, PB_TABLE_EVENTS, &block_keys, error);

    if (status != PB_OK)
        return status;
    assert(block_keys.count != 0); /* pb_segment_may_have_event() */
    for (uint32_t b = pb_block_keys_find(&block_keys, key - (key != 0));
         b < block_keys.count && pb_block_key(&block_keys, b) <= key; b++) {
        status = pb_segment_block(segment, PB_TABLE_EVENTS, b, &block, error);
        if (status == PB_OK)
            status = open_column(segment, &block, 0, &column, error);
        if (status != PB_OK)
            return status;
        pb_column_all(&column, keys);
        status = open_column(segment, &block, 1, &column, error);
        if (status != PB_OK)
            return status;
        for (uint32_t i = 0; i < block.rows; i++) {
            uint64_t row = 0;

            if ((uint64_t)keys[i] != key)
                continue;
            row = (uint64_t)pb_column_get(&column, i);
            if (row >= segment->entry.rows)
                return pb_segment_fail(segment, (uint64_t)(block.bytes - segment->bytes),
                                       "an event's row is out of range", error);
            if (!each(context, row))
                return PB_OK;
        }
    }
    return PB_OK;
}

/* Fills a filter with the keys of one block of table events. */
static enum pb_status
filter_block(const struct pb_segment *segment, uint32_t number, struct pb_filter *filter)
{
    int64_t keys[PB_BLOCK_ROWS_MAX];
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = pb_segment_block(segment, PB_TABLE_EVENTS, number, &block, NULL);

    if (status == PB_OK)
        status = open_column(segment, &block, 0, &column, NULL);
    if (status != PB_OK)
        return status;
    pb_column_all(&column, keys);
    for (uint32_t i = 0; i < block.rows; i++)
        pb_filter_add(filter, (uint64_t)keys[i]);
    return PB_OK;
}

/* Begins a filter; none where there are no events, or no memory. */
static void
begin_filter(struct pb_segment *segment)
{
    uint64_t count = segment->tables[PB_TABLE_EVENTS].rows;

    segment->has_tried_events = true;
    if (count > FILTER_WHOLE_EVENTS)
        count = count / 2 > FILTER_WHOLE_EVENTS ? count / 2 : FILTER_WHOLE_EVENTS;
    if (count != 0 && pb_filter_new(segment->env, count, &segment->events) != PB_OK)
        segment->events = NULL;
    if (segment->events != NULL) {
        atomic_store_explicit(&segment->filter_bytes, (size_t)pb_filter_bytes(segment->events),
                              memory_order_relaxed);
    }
}

void
pb_segment_filter_events(struct pb_segment *segment)
{
    uint32_t end = segment->tables[PB_TABLE_EVENTS].blocks;

    if (!segment->has_tried_events)
        begin_filter(segment);
    if (segment->events == NULL)
        return;
    if (end - segment->filtered_blocks > FILTER_BLOCKS_AT_ONCE)
        end = segment->filtered_blocks + FILTER_BLOCKS_AT_ONCE;
    for (; segment->filtered_blocks < end; segment->filtered_blocks++) {
        if (filter_block(segment, segment->filtered_blocks, segment->events) != PB_OK) {
            /* Damage is found, and told, by who looks the table up. */
            atomic_store_explicit(&segment->filter_bytes, 0, memory_order_relaxed);
            pb_filter_free(segment->events);
            segment->events = NULL;
            return;
        }
    }
}

bool
pb_segment_may_have_event(const struct pb_segment *segment, uint64_t identity)
{
    const struct pb_table_view *table = &segment->tables[PB_TABLE_EVENTS];

    if (table->rows == 0)
        return false;
    return segment->events == NULL || segment->filtered_blocks < table->blocks ||
           pb_filter_may_have(segment->events, identity >> 16);
}

/* ---- verifying ---- */

static void
report(const struct pb_segment *segment, pb_damage_fn *on_damage, void *context,
       struct pb_verify_counts *counts, uint64_t offset, const char *what)
{
    counts->damaged++;
    if (on_damage != NULL)
        on_damage(context, pb_segment_name(segment), offset, what);
}

enum pb_status
pb_segment_verify(const struct pb_segment *segment, pb_damage_fn *on_damage, void *context,
                  struct pb_verify_counts *counts)
{
    int64_t values[PB_BLOCK_ROWS_MAX];
    uint8_t *blob = NULL;
    size_t blob_room = 0;
    enum pb_status status = PB_OK;

    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        const struct pb_table_view *table = &segment->tables[t];
        struct pb_error error;

        /* Where its blocks lie is not known then. */
        if (pb_index_check(segment, (enum pb_table)t, &error) != PB_OK) {
            uint64_t offset = 0;
            const char *what = pb_segment_damage(&error, &offset);

            report(segment, on_damage, context, counts, offset, what);
            continue;
        }
        for (uint32_t b = 0; b < table->blocks; b++) {
            uint64_t offset = pb_index_block_offset(segment, (enum pb_table)t, b);
            const char *what = "a column does not decode";
            struct pb_block block;
            struct pb_column column;

            if (pb_segment_block(segment, (enum pb_table)t, b, &block, NULL) != PB_OK) {
                report(segment, on_damage, context, counts, offset, "a block is damaged");
                continue;
            }
            counts->blocks++;
            for (uint32_t c = 0; c < pb_table_formats[t].columns; c++) {
                if (pb_block_column(&block, c, &column) != PB_OK)
                    report(segment, on_damage, context, counts, offset, what);
                else
                    pb_column_all(&column, values);
            }
            if (block.blob_raw > blob_room) {
                uint8_t *larger = pb_realloc(segment->env, blob, block.blob_raw);

                if (larger == NULL) {
                    status = PB_E_NOMEM;
                    goto out;
                }
                blob = larger;
                blob_room = block.blob_raw;
            }
            if (pb_block_blob(&block, blob, &what) != PB_OK)
                report(segment, on_damage, context, counts, offset, what);
            if (t == PB_TABLE_READS)
                counts->reads += block.rows;
        }
        /* Nobody needs these pages now that they were looked at. */
        pb_segment_forget(segment);
    }

out:
    pb_free(segment->env, blob);
    return status;
}
