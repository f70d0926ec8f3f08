/*
 * Segment writer: rows come in plate order and leave as blocks at once; the other orders are
 * sorted at the end. Memory does not grow with the rows.
 *
 * Where there is a crew, blocks of reads and places are encoded by it: they wait in a ring, and
 * are written in the order in which they were filled, when the ring is full and at the end. So
 * a file's bytes do not depend on who was faster.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "geo/geo.h"
#include "plate/plate_code.h"
#include "store/local/extras.h"
#include "store/local/places.h"
#include "store/local/segment_format.h"
#include "store/local/segment_write_private.h"
#include "store/local/sorter.h"

#define OUT_BYTES (1u << 20)
#define BLOB_FIRST_BYTES (64u << 10)
#define RING_BLOCKS 32u
#define INDEX_CHUNK_BYTES 8192u
#define INDEX_SHARE 16u /* of the memory; what does not fit waits in a file */
#define OWN_ROWS 4u /* of a plate, whose vehicles are looked at before the names' table is */

/* The texts of alternates without a plate code travel through the sorter of alternates: pairs of
 * the same key right before a posting, each with some bytes of the text. */
#define TEXT_PAIR (UINT64_C(1) << 63)       /* no posting has these bits */
#define TEXT_PAIR_FIRST (UINT64_C(1) << 62) /* bits 48 to 55: bytes of the text */
#define TEXT_PAIR_BYTES 6u

const struct pb_table_format pb_table_formats[PB_TABLE_COUNT] = {
    [PB_TABLE_READS] = { 256, PB_READS_COLUMNS, true,
                         { [PB_READS_TIME] = PB_HINT_TIME | PB_HINT_CYCLE,
                           [PB_READS_CONTEXT] = PB_HINT_DICT | PB_HINT_NEAR,
                           [PB_READS_CONFIDENCE] = PB_HINT_DECIMAL | PB_HINT_DICT,
                           [PB_READS_SPEED] = PB_HINT_DECIMAL | PB_HINT_SPARSE,
                           [PB_READS_VEHICLE] = PB_HINT_REPEAT | PB_HINT_DICT,
                           [PB_READS_HEADING] = PB_HINT_DECIMAL | PB_HINT_SPARSE,
                           [PB_READS_LAT] = PB_HINT_DECIMAL | PB_HINT_SPARSE | PB_HINT_ALSO,
                           [PB_READS_LON] = PB_HINT_DECIMAL | PB_HINT_SPARSE | PB_HINT_ALSO,
                           [PB_READS_KEEP] = PB_HINT_TIME | PB_HINT_DICT,
                           [PB_READS_FLAGS] = PB_HINT_DICT,
                           [PB_READS_COMMIT] = PB_HINT_DICT,
                           [PB_READS_REVISION] = PB_HINT_SPARSE } },
    [PB_TABLE_PLATES] = { 64, PB_PLATES_COLUMNS, true,
                          { PB_HINT_CODE | PB_HINT_SORTED, PB_HINT_DICT | PB_HINT_REPEAT,
                            PB_HINT_SORTED } },
    [PB_TABLE_LONG] = { 64, PB_PLATES_COLUMNS, false,
                        { 0, PB_HINT_DICT | PB_HINT_REPEAT, PB_HINT_SORTED } },
    [PB_TABLE_PLACES] = { 128, 1, true, { PB_HINT_SORTED } },
    [PB_TABLE_EVENTS] = { 128, 2, true, { PB_HINT_SORTED, 0 } },
    [PB_TABLE_ALTERNATES] = { 64, PB_PLATES_COLUMNS, true,
                              { PB_HINT_CODE | PB_HINT_SORTED, PB_HINT_DICT | PB_HINT_REPEAT,
                                PB_HINT_SORTED } },
    [PB_TABLE_POSTINGS] = { 128, 2, false, { 0, PB_HINT_DICT } },
    [PB_TABLE_COMMITS] = { 256, 2, false, { PB_HINT_SORTED, PB_HINT_TIME } },
};

uint64_t
pb_table_index_bytes(enum pb_table table, uint32_t blocks)
{
    uint64_t groups = ((uint64_t)blocks + PB_INDEX_GROUP - 1) / PB_INDEX_GROUP;

    return groups * 8 + (uint64_t)blocks * (pb_table_formats[table].has_keys ? 12 : 4);
}

uint64_t
pb_alternate_key(struct pb_str plate)
{
    uint64_t code = pb_plate_code(plate);

    return code != 0 ? code : pb_hash_bytes(plate.text, plate.bytes) | PB_ALTERNATE_HASH_BIT;
}

uint64_t
pb_place_key(uint32_t cell, int64_t captured_us)
{
    /* PB_TIME_MAX_US needs 53 bits, of which PB_PLACE_TIME_SHIFT are dropped. */
    return (uint64_t)cell << 32 | ((uint64_t)captured_us >> PB_PLACE_TIME_SHIFT & UINT32_MAX);
}

void
pb_segment_path(char *ret_path, size_t room, const char *directory, uint64_t number)
{
    (void)snprintf(ret_path, room, "%s/segments/%08llu.seg", directory,
                   (unsigned long long)number);
}

/* out is not empty. */
static enum pb_status
flush_out(struct pb_segment_writer *writer, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    assert(writer->out_bytes != 0);
    status = writer->env->files->write(writer->env->file_context, writer->file, writer->offset,
                                       writer->out, writer->out_bytes, error);
    if (status == PB_OK) {
        writer->offset += writer->out_bytes;
        writer->out_bytes = 0;
    }
    return status;
}

/* Makes room for count more bytes in out: at most what a block takes, which is less than all. */
static enum pb_status
reserve_out(struct pb_segment_writer *writer, size_t count, struct pb_error *error)
{
    assert(count <= OUT_BYTES);
    return writer->out_bytes + count <= OUT_BYTES ? PB_OK : flush_out(writer, error);
}

/* Any number of bytes. */
static enum pb_status
put_out(struct pb_segment_writer *writer, const uint8_t *bytes, size_t count,
        struct pb_error *error)
{
    for (;;) {
        size_t room = OUT_BYTES - writer->out_bytes;
        size_t piece = count < room ? count : room;
        enum pb_status status = PB_OK;

        memcpy(writer->out + writer->out_bytes, bytes, piece);
        writer->out_bytes += piece;
        bytes += piece;
        count -= piece;
        if (count == 0)
            return PB_OK;
        status = flush_out(writer, error);
        if (status != PB_OK)
            return status;
    }
}

/* ---- tables ---- */

/* Puts a number of some bytes at the end of a part of an index. */
static enum pb_status
put_index(struct pb_segment_writer *writer, struct pb_bin *bin, uint64_t number, uint32_t bytes,
          struct pb_error *error)
{
    uint8_t *at = NULL;
    enum pb_status status =
        pb_bin_add(&writer->index, bin, bytes, INDEX_CHUNK_BYTES, true, &at, error);

    if (status == PB_OK && bytes == 4)
        pb_put_le32(at, (uint32_t)number);
    else if (status == PB_OK)
        pb_put_le64(at, number);
    return status;
}

/* The number of what the rows of a plate agree on; most often one of them says it all. */
static enum pb_status
number_of_vehicle(struct pb_segment_writer *writer, uint32_t first, uint32_t end,
                  const struct pb_vehicle *vehicle, uint32_t *ret_number)
{
    const int64_t *numbers = writer->tables[PB_TABLE_READS].columns[PB_READS_VEHICLE];

    for (uint32_t i = first; i < end && i < first + OWN_ROWS; i++) {
        if (pb_vehicle_is_equal(&writer->names->vehicles[numbers[i]], vehicle)) {
            *ret_number = (uint32_t)numbers[i];
            return PB_OK;
        }
    }
    return pb_names_vehicle(writer->names, vehicle, ret_number);
}

/* Gives the rows of one plate, [first, end) of the block being filled, one vehicle as far as they
 * agree: what none of them contradicts, each reporting only some of it. */
static enum pb_status
unify_vehicles(struct pb_segment_writer *writer, uint32_t first, uint32_t end,
               uint32_t *vehicle_before)
{
    struct pb_names *names = writer->names;
    int64_t *numbers = writer->tables[PB_TABLE_READS].columns[PB_READS_VEHICLE];
    const int64_t *contexts = writer->tables[PB_TABLE_READS].columns[PB_READS_CONTEXT];
    struct pb_vehicle all = { 0 };
    uint8_t own[PB_BLOCK_ROWS_MAX];
    uint8_t reports = 0;
    uint32_t number = 0;
    enum pb_status status = PB_OK;

    for (uint32_t i = first; i < end; i++) {
        own[i] = names->contexts[contexts[i]].reports;
        if (own[i] & ~reports) {
            struct pb_vehicle vehicle = pb_vehicle_masked(&names->vehicles[numbers[i]], own[i]);

            pb_vehicle_fill(&all, &vehicle);
        }
        reports |= own[i];
    }
    if (reports != 0)
        status = number_of_vehicle(writer, first, end, &all, &number);
    if (status != PB_OK)
        return status;
    for (uint32_t i = first; i < end; i++) {
        struct pb_vehicle vehicle = all;

        if (own[i] != 0 && numbers[i] == number) {
            *vehicle_before = number;
        } else if (own[i] != 0) {
            pb_vehicle_overwrite(&vehicle, &names->vehicles[numbers[i]], own[i]);
            if (pb_vehicle_is_equal(&vehicle, &all)) {
                *vehicle_before = number;
            } else {
                /* One that disagrees stands for itself. */
                vehicle = pb_vehicle_masked(&vehicle, own[i]);
                status = pb_names_vehicle(names, &vehicle, vehicle_before);
                if (status != PB_OK)
                    return status;
            }
        }
        numbers[i] = *vehicle_before;
    }
    return PB_OK;
}

static enum pb_status
unify_block(struct pb_segment_writer *writer)
{
    uint32_t rows = writer->tables[PB_TABLE_READS].filled;
    uint32_t before = 0;
    uint32_t first = 0;

    for (uint32_t i = 1; i <= rows; i++) {
        if (i == rows || writer->begins_plate[i]) {
            enum pb_status status = unify_vehicles(writer, first, i, &before);

            if (status != PB_OK)
                return status;
            first = i;
        }
    }
    return PB_OK;
}

/* Sorts up to 128 row numbers: nearly always short and unordered, so a simple radix of two
 * passes would not pay; insertion into a sorted array by halves does. */
static void
sort_rows(int64_t *rows, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (uint32_t i = gap; i < count; i++) {
            int64_t row = rows[i];
            uint32_t j = i;

            for (; j >= gap && rows[j - gap] > row; j -= gap)
                rows[j] = rows[j - gap];
            rows[j] = row;
        }
    }
}

/* Notes that the next block of a table, `used` bytes at the end of out, begins with key. */
static enum pb_status
note_block(struct pb_segment_writer *writer, struct table_builder *table, uint64_t key, size_t used,
           struct pb_error *error)
{
    uint64_t offset = writer->offset + writer->out_bytes;
    enum pb_status status = PB_OK;

    if (table->written % PB_INDEX_GROUP == 0) {
        table->base = offset;
        status = put_index(writer, &table->bases, offset, 8, error);
    }
    offset -= table->base;
    if (status == PB_OK && offset > UINT32_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "segment %llu: 64 blocks take more than 4 GiB",
                       (unsigned long long)writer->entry.number);
    if (status == PB_OK)
        status = put_index(writer, &table->nears, offset, 4, error);
    if (status == PB_OK && pb_table_formats[table->table].has_keys)
        status = put_index(writer, &table->keys, key, 8, error);
    if (status != PB_OK)
        return status;
    table->written++;
    writer->out_bytes += used;
    return PB_OK;
}

static void
describe_block(const struct pb_segment_writer *writer, const struct table_builder *table,
               struct pb_block_input *ret_input)
{
    const struct pb_table_format *format = &pb_table_formats[table->table];

    *ret_input = (struct pb_block_input){
        .table = (uint8_t)table->table,
        .number = table->blocks,
        .rows = table->filled,
        .columns = format->columns,
        .hints = format->hints,
        .blob = table->blob,
        .blob_bytes = table->blob_bytes,
        .seed = writer->seed,
    };
    for (uint32_t c = 0; c < format->columns; c++)
        ret_input->values[c] = table->columns[c];
}

static enum pb_status
write_block_now(struct pb_segment_writer *writer, struct table_builder *table,
                struct pb_error *error)
{
    struct pb_block_input input;
    size_t used = 0;
    enum pb_status status = reserve_out(
        writer, pb_block_bound(pb_table_formats[table->table].columns, table->blob_bytes), error);

    if (status != PB_OK)
        return status;
    describe_block(writer, table, &input);
    if (table->table == PB_TABLE_PLACES)
        sort_rows(table->columns[0], table->filled);
    used = pb_block_encode(&input, writer->out + writer->out_bytes);
    return used == 0 ? PB_E_NOMEM : note_block(writer, table, table->key, used, error);
}

/* ---- blocks that a crew encodes ---- */

static void
encode_pending(struct pb_crew_job *job)
{
    struct pending_block *block = (struct pending_block *)(void *)job;

    if (block->table == PB_TABLE_PLACES)
        sort_rows(block->columns[0], block->input.rows);
    block->used = pb_block_encode(&block->input, block->bytes);
}

/* Waits for the block that is the longest in the ring, and writes it. */
static enum pb_status
write_first_pending(struct pb_segment_writer *writer, struct pb_error *error)
{
    struct pending_block *block = &writer->ring[writer->ring_first];
    enum pb_status status = PB_OK;

    pb_crew_wait(writer->crew, &block->job);
    writer->ring_first = (writer->ring_first + 1) % RING_BLOCKS;
    writer->ring_count--;
    if (block->used == 0)
        return PB_E_NOMEM;
    status = reserve_out(writer, block->used, error);
    if (status != PB_OK)
        return status;
    memcpy(writer->out + writer->out_bytes, block->bytes, block->used);
    return note_block(writer, &writer->tables[block->table], block->key, block->used, error);
}

static enum pb_status
write_all_pending(struct pb_segment_writer *writer, struct pb_error *error)
{
    while (writer->ring_count > 0) {
        enum pb_status status = write_first_pending(writer, error);

        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

/* Makes room in a block of the ring for what the table holds, and for what becomes of it. */
static enum pb_status
reserve_pending(struct pb_segment_writer *writer, const struct table_builder *table,
                struct pending_block *block)
{
    size_t room = pb_block_bound(PB_READS_COLUMNS, table->blob_bytes);
    uint8_t *larger = NULL;

    if (block->columns == NULL) {
        block->columns = pb_calloc(writer->env, PB_READS_COLUMNS, sizeof(*block->columns));
        if (block->columns == NULL)
            return PB_E_NOMEM;
    }
    if (room <= block->room)
        return PB_OK;
    larger = pb_realloc(writer->env, block->bytes, room);
    if (larger == NULL)
        return PB_E_NOMEM;
    block->bytes = larger;
    block->room = room;
    return PB_OK;
}

/* Puts the table's block into the ring, and gives the table other memory to fill. */
static enum pb_status
submit_block(struct pb_segment_writer *writer, struct table_builder *table,
             struct pb_error *error)
{
    struct pending_block *block = NULL;
    int64_t (*columns)[PB_BLOCK_ROWS_MAX] = table->columns;
    uint8_t *blob = table->blob;
    size_t blob_room = table->blob_room;
    enum pb_status status = PB_OK;

    if (writer->ring_count == RING_BLOCKS)
        status = write_first_pending(writer, error);
    if (status != PB_OK)
        return status;
    block = &writer->ring[(writer->ring_first + writer->ring_count) % RING_BLOCKS];
    status = reserve_pending(writer, table, block);
    if (status != PB_OK)
        return status;
    block->table = table->table;
    block->key = table->key;
    block->job.run = encode_pending;
    block->job.is_short = true;
    describe_block(writer, table, &block->input);
    table->columns = block->columns;
    table->blob = block->blob;
    table->blob_room = block->blob_room;
    block->columns = columns;
    block->blob = blob;
    block->blob_room = blob_room;
    pb_crew_submit(writer->crew, &block->job);
    writer->ring_count++;
    return PB_OK;
}

static void
free_ring(struct pb_segment_writer *writer)
{
    if (writer->ring == NULL)
        return;
    for (uint32_t i = 0; i < writer->ring_count; i++)
        pb_crew_wait(writer->crew, &writer->ring[(writer->ring_first + i) % RING_BLOCKS].job);
    for (uint32_t i = 0; i < RING_BLOCKS; i++) {
        pb_free(writer->env, writer->ring[i].columns);
        pb_free(writer->env, writer->ring[i].blob);
        pb_free(writer->env, writer->ring[i].bytes);
    }
    pb_free(writer->env, writer->ring);
}

static enum pb_status
end_block(struct pb_segment_writer *writer, struct table_builder *table, struct pb_error *error)
{
    bool is_large = table->table == PB_TABLE_READS || table->table == PB_TABLE_PLACES;
    enum pb_status status = PB_OK;

    if (table->filled == 0)
        return PB_OK;
    if (table->table == PB_TABLE_READS)
        status = unify_block(writer);
    if (status != PB_OK)
        return status;
    status = writer->ring != NULL && is_large ? submit_block(writer, table, error)
                                              : write_block_now(writer, table, error);
    if (status != PB_OK)
        return status;
    table->blocks++;
    table->filled = 0;
    table->blob_bytes = 0;
    return PB_OK;
}

/* Ends the block if it is full, so that a row can be put at table->filled. Where this row begins
 * a block, key becomes the block's. */
static enum pb_status
begin_row(struct pb_segment_writer *writer, struct table_builder *table, uint64_t key,
          size_t blob_bytes, struct pb_error *error)
{
    const struct pb_table_format *format = &pb_table_formats[table->table];
    enum pb_status status = PB_OK;

    if (table->columns == NULL) {
        /* Memory of one table may come back as another's: see submit_block(). */
        table->columns = pb_calloc(writer->env,
                                   writer->ring != NULL ? PB_READS_COLUMNS : format->columns,
                                   sizeof(*table->columns));
        if (table->columns == NULL)
            return PB_E_NOMEM;
    }
    if (table->filled == format->rows_per_block) {
        status = end_block(writer, table, error);
        if (status != PB_OK)
            return status;
    }
    if (table->filled == 0)
        table->key = key;
    if (blob_bytes > table->blob_room - table->blob_bytes) {
        size_t room = 2 * (table->blob_room + blob_bytes) + BLOB_FIRST_BYTES;
        uint8_t *larger = pb_realloc(writer->env, table->blob, room);

        if (larger == NULL)
            return PB_E_NOMEM;
        table->blob = larger;
        table->blob_room = room;
    }
    table->rows++;
    return PB_OK;
}

static enum pb_status
put_row3(struct pb_segment_writer *writer, enum pb_table number, uint64_t key, int64_t first,
         int64_t second, int64_t third, struct pb_error *error)
{
    struct table_builder *table = &writer->tables[number];
    enum pb_status status = begin_row(writer, table, key, 0, error);
    const int64_t values[3] = { first, second, third };

    if (status != PB_OK)
        return status;
    for (uint32_t c = 0; c < pb_table_formats[number].columns; c++)
        table->columns[c][table->filled] = values[c];
    table->filled++;
    return PB_OK;
}

/* ---- building ---- */

enum pb_status
pb_segment_writer_new(const struct pb_env *env, const struct pb_segment_options *options,
                      struct pb_segment_writer **ret_writer, struct pb_error *error)
{
    static const uint8_t head[PB_SEGMENT_HEAD_BYTES] = PB_SEGMENT_MAGIC;
    struct pb_segment_writer *writer = pb_calloc(env, 1, sizeof(*writer));
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = PB_OK;

    if (writer == NULL)
        return PB_E_NOMEM;
    writer->env = env;
    writer->crew = options->crew;
    writer->names = options->names;
    writer->directory = options->directory;
    writer->memory_bytes = options->memory_bytes;
    memcpy(writer->store_id, options->store_id, PB_STORE_ID_BYTES);
    writer->entry = (struct pb_segment_entry){
        .number = options->number,
        .month = options->month,
        .retention_days = options->retention_days,
        .captured_min_us = INT64_MAX,
        .captured_max_us = INT64_MIN,
        .delete_after_min_us = INT64_MAX,
        .delete_after_max_us = INT64_MIN,
    };
    /* A block of one segment must not pass for one of another, even of the same number in
     * another store. */
    writer->seed = XXH3_64bits_withSeed(options->store_id, PB_STORE_ID_BYTES, options->number);
    for (int t = 0; t < PB_TABLE_COUNT; t++)
        writer->tables[t].table = (enum pb_table)t;

    writer->out = pb_alloc(env, OUT_BYTES);
    if (options->crew != NULL)
        writer->ring = pb_calloc(env, RING_BLOCKS, sizeof(*writer->ring));
    if (writer->out == NULL || (options->crew != NULL && writer->ring == NULL)) {
        status = PB_E_NOMEM;
        goto out;
    }
    (void)snprintf(path, sizeof(path), "%s/tmp/%08llu.index", options->directory,
                   (unsigned long long)options->number);
    writer->index_budget.bytes_max = options->memory_bytes / INDEX_SHARE;
    status = pb_bins_init(&writer->index, env, &writer->index_budget, path);
    if (status != PB_OK)
        goto out;
    (void)snprintf(path, sizeof(path), "%s/tmp/%08llu.places", options->directory,
                   (unsigned long long)options->number);
    status = pb_places_new(env, path, options->memory_bytes / 2, options->rows, options->crew,
                           options->place_sample, options->place_sample_count, &writer->places);
    if (status != PB_OK)
        goto out;
    pb_segment_path(path, sizeof(path), options->directory, options->number);
    status = env->files->open(env->file_context, path, PB_OPEN_CREATE, &writer->file, error);
    if (status != PB_OK)
        goto out;
    memcpy(writer->out, head, sizeof(head));
    writer->out_bytes = sizeof(head);
    *ret_writer = writer;
    writer = NULL;

out:
    pb_segment_writer_free(writer);
    return status;
}

void
pb_segment_writer_free(struct pb_segment_writer *writer)
{
    const struct pb_env *env = NULL;

    if (writer == NULL)
        return;
    env = writer->env;
    free_ring(writer);
    if (writer->file != NULL) {
        env->files->close(env->file_context, writer->file);
        if (!writer->is_finished) {
            char path[PB_PATH_BYTES_MAX];

            pb_segment_path(path, sizeof(path), writer->directory, writer->entry.number);
            /* What is left behind is deleted when the store is opened next. */
            (void)!env->files->unlink(env->file_context, path, NULL);
        }
    }
    for (int t = 0; t < PB_TABLE_COUNT; t++) {
        pb_free(env, writer->tables[t].columns);
        pb_bin_done(&writer->tables[t].bases, env);
        pb_bin_done(&writer->tables[t].nears, env);
        pb_bin_done(&writer->tables[t].keys, env);
        pb_free(env, writer->tables[t].blob);
    }
    pb_bins_done(&writer->index);
    pb_places_free(writer->places);
    pb_sorter_free(writer->events);
    pb_sorter_free(writer->alternates);
    pb_free(env, writer->out);
    pb_free(env, writer);
}

uint64_t
pb_segment_writer_rows(const struct pb_segment_writer *writer)
{
    return writer->entry.rows;
}

enum pb_status
pb_segment_writer_commit(struct pb_segment_writer *writer, uint64_t commit, int64_t received_us,
                         struct pb_error *error)
{
    return put_row3(writer, PB_TABLE_COMMITS, 0, (int64_t)commit, received_us, 0, error);
}

void
pb_segment_writer_plate(struct pb_segment_writer *writer, uint64_t code, struct pb_str text,
                        uint16_t jurisdiction)
{
    assert(code != 0 || (text.bytes >= 1 && text.bytes <= PB_PLATE_BYTES_MAX));
    writer->plate_code = code;
    writer->plate_bytes = 0;
    if (code == 0) {
        memcpy(writer->plate_text, text.text, text.bytes);
        writer->plate_bytes = text.bytes;
    }
    writer->plate_jurisdiction = jurisdiction;
    writer->has_plate_row = false;
}

/* Puts the open plate into its table. */
static enum pb_status
put_plate(struct pb_segment_writer *writer, struct pb_error *error)
{
    struct table_builder *table = &writer->tables[PB_TABLE_LONG];
    enum pb_status status = PB_OK;

    writer->has_plate_row = true;
    writer->plate_ordinal
        = writer->tables[PB_TABLE_PLATES].rows + writer->tables[PB_TABLE_LONG].rows;
    if (writer->plate_code != 0) {
        return put_row3(writer, PB_TABLE_PLATES, writer->plate_code, (int64_t)writer->plate_code,
                        pb_jurisdiction_code(writer->plate_jurisdiction),
                        (int64_t)writer->entry.rows, error);
    }
    status = begin_row(writer, table, 0, writer->plate_bytes, error);
    if (status != PB_OK)
        return status;
    table->columns[PB_PLATES_CODE][table->filled] = writer->plate_bytes;
    table->columns[PB_PLATES_JURISDICTION][table->filled]
        = pb_jurisdiction_code(writer->plate_jurisdiction);
    table->columns[PB_PLATES_FIRST][table->filled] = (int64_t)writer->entry.rows;
    table->filled++;
    memcpy(table->blob + table->blob_bytes, writer->plate_text, writer->plate_bytes);
    table->blob_bytes += writer->plate_bytes;
    return PB_OK;
}

/* A sorter that is made when it is first needed. */
static enum pb_status
need_sorter(struct pb_segment_writer *writer, const char *kind, struct pb_sorter **sorter)
{
    char path[PB_PATH_BYTES_MAX];

    if (*sorter != NULL)
        return PB_OK;
    (void)snprintf(path, sizeof(path), "%s/tmp/%08llu.%s", writer->directory,
                   (unsigned long long)writer->entry.number, kind);
    return pb_sorter_new(writer->env, path, writer->memory_bytes / 4, sorter);
}

/* Sends the text of an alternate after its key, unless that was done not long ago. */
static enum pb_status
sort_text(struct pb_segment_writer *writer, uint64_t key, struct pb_str text,
          struct pb_error *error)
{
    uint64_t *recent = &writer->recent_texts[key % TEXTS_RECENT];

    if (*recent == key)
        return PB_OK;
    for (uint32_t at = 0; at < text.bytes; at += TEXT_PAIR_BYTES) {
        enum pb_status status = PB_OK;
        uint64_t value = at == 0 ? TEXT_PAIR | TEXT_PAIR_FIRST | (uint64_t)text.bytes << 48
                                 : TEXT_PAIR;

        for (uint32_t i = 0; i < TEXT_PAIR_BYTES && at + i < text.bytes; i++)
            value |= (uint64_t)(unsigned char)text.text[at + i] << 8 * i;
        status = pb_sorter_add(writer->alternates, key, value, error);
        if (status != PB_OK)
            return status;
    }
    *recent = key;
    return PB_OK;
}

/* Notes what of a row's extras is searched: its identity, its alternates. */
static enum pb_status
index_extras(struct pb_segment_writer *writer, const struct pb_row *row, struct pb_error *error)
{
    struct pb_record_room room;
    struct pb_read read;
    char text[PB_PLATE_CODE_CHARS];
    enum pb_status status = PB_OK;

    pb_read_init(&read);
    status = pb_extras_decode(row->extras, row->extras_bytes, &room, &read);
    if (status != PB_OK)
        return pb_fail(error, status, "segment %llu: extras of a row do not decode",
                       (unsigned long long)writer->entry.number);
    if (read.event_id.bytes != 0 || read.identity_plate.bytes != 0) {
        read.reader = writer->names->texts[writer->names->contexts[row->context].reader];
        read.captured_at_us = row->captured_us;
        read.plate.text = text;
        read.plate.bytes = writer->plate_code == 0
                               ? writer->plate_bytes
                               : pb_plate_code_text(writer->plate_code, text);
        if (writer->plate_code == 0)
            read.plate.text = writer->plate_text;
        status = need_sorter(writer, "events", &writer->events);
        if (status == PB_OK)
            status = pb_sorter_add(writer->events, pb_read_identity(&read) >> 16,
                                   writer->entry.rows, error);
    }
    for (uint32_t i = 0; i < read.alternate_count && status == PB_OK; i++) {
        uint64_t key = pb_alternate_key(read.alternates[i].plate);

        status = need_sorter(writer, "alternates", &writer->alternates);
        if (status == PB_OK && key & PB_ALTERNATE_HASH_BIT)
            status = sort_text(writer, key, read.alternates[i].plate, error);
        /* Jurisdiction, rank and row in one number: sorted by key, then by these. */
        if (status == PB_OK) {
            status = pb_sorter_add(writer->alternates, key,
                                   (uint64_t)writer->plate_jurisdiction << 40
                                       | writer->entry.rows << 4 | (i + 1),
                                   error);
        }
    }
    return status;
}

static void
note_times(struct pb_segment_entry *entry, const struct pb_row *row)
{
    int64_t delete_after = row->flags & PB_ROW_NEVER
                               ? PB_NEVER
                               : pb_row_delete_after(row->captured_us, row->keep_us);

    if (row->captured_us < entry->captured_min_us)
        entry->captured_min_us = row->captured_us;
    if (row->captured_us > entry->captured_max_us)
        entry->captured_max_us = row->captured_us;
    if (delete_after < entry->delete_after_min_us)
        entry->delete_after_min_us = delete_after;
    if (delete_after > entry->delete_after_max_us)
        entry->delete_after_max_us = delete_after;
}

enum pb_status
pb_segment_writer_row(struct pb_segment_writer *writer, const struct pb_row *row,
                      struct pb_error *error)
{
    const struct pb_context *context = &writer->names->contexts[row->context];
    struct table_builder *table = &writer->tables[PB_TABLE_READS];
    bool begins_plate = !writer->has_plate_row;
    uint32_t at = 0;
    enum pb_status status = PB_OK;

    assert(((row->flags & PB_ROW_EXTRAS) != 0) == (row->extras_bytes != 0));
    if (writer->entry.rows == PB_SEGMENT_ROWS_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "segment %llu: too many rows",
                       (unsigned long long)writer->entry.number);
    if (!writer->has_plate_row) {
        status = put_plate(writer, error);
        if (status != PB_OK)
            return status;
    }
    /* 256 rows of PB_EXTRAS_BYTES_MAX stay below PB_BLOCK_BLOB_MAX. */
    status = begin_row(writer, table, writer->plate_ordinal,
                       row->extras_bytes == 0 ? 0 : row->extras_bytes + 2u, error);
    if (status != PB_OK)
        return status;
    at = table->filled;
    writer->begins_plate[at] = begins_plate;
    table->columns[PB_READS_TIME][at] = row->captured_us;
    table->columns[PB_READS_CONTEXT][at] = row->context;
    /* Negative: most confidences are near the top, and small differences take few bits. */
    table->columns[PB_READS_CONFIDENCE][at] = -(int64_t)row->confidence_code;
    table->columns[PB_READS_SPEED][at] = row->speed_code;
    table->columns[PB_READS_VEHICLE][at] = row->vehicle;
    table->columns[PB_READS_LAT][at] = row->lat;
    table->columns[PB_READS_LON][at] = row->lon;
    table->columns[PB_READS_HEADING][at] = row->heading_code;
    table->columns[PB_READS_KEEP][at] = row->keep_us;
    table->columns[PB_READS_FLAGS][at] = row->flags;
    table->columns[PB_READS_COMMIT][at] = row->commit_row;
    table->columns[PB_READS_REVISION][at] = row->revision;
    table->filled++;
    if (row->extras_bytes != 0) {
        pb_put_le16(table->blob + table->blob_bytes, (uint16_t)row->extras_bytes);
        memcpy(table->blob + table->blob_bytes + 2, row->extras, row->extras_bytes);
        table->blob_bytes += row->extras_bytes + 2u;
        status = index_extras(writer, row, error);
    }
    if (status == PB_OK && context->lat_e7 != PB_NO_POSITION) {
        uint32_t cell = pb_geo_cell((int32_t)((uint32_t)context->lat_e7 + (uint32_t)row->lat),
                                    (int32_t)((uint32_t)context->lon_e7 + (uint32_t)row->lon));

        status = pb_places_add(writer->places, pb_place_key(cell, row->captured_us),
                               (uint32_t)writer->entry.rows, error);
    }
    note_times(&writer->entry, row);
    writer->entry.rows++;
    return status;
}

/* ---- finishing ---- */

static enum pb_status
write_places(struct pb_segment_writer *writer, struct pb_error *error)
{
    struct table_builder *table = &writer->tables[PB_TABLE_PLACES];
    const struct pb_pair *pairs = NULL;
    size_t count = 0;
    enum pb_status status = PB_OK;

    while (status == PB_OK) {
        status = pb_places_next(writer->places, &pairs, &count, error);
        for (size_t i = 0; i < count && status == PB_OK; i++) {
            status = begin_row(writer, table, pairs[i].key, 0, error);
            if (status == PB_OK)
                table->columns[0][table->filled++] = (int64_t)pairs[i].value;
        }
    }
    if (status == PB_END)
        status = end_block(writer, table, error);
    pb_places_free(writer->places);
    writer->places = NULL;
    return status;
}

static enum pb_status
write_events(struct pb_segment_writer *writer, struct pb_error *error)
{
    struct pb_pair pair = { 0 };
    enum pb_status status = PB_OK;

    if (writer->events == NULL)
        return PB_OK;
    status = pb_sorter_finish(writer->events, error);
    while (status == PB_OK) {
        status = pb_sorter_next(writer->events, &pair, error);
        if (status == PB_OK) {
            status = put_row3(writer, PB_TABLE_EVENTS, pair.key, (int64_t)pair.key,
                              (int64_t)pair.value, 0, error);
        }
    }
    if (status == PB_END)
        status = end_block(writer, &writer->tables[PB_TABLE_EVENTS], error);
    pb_sorter_free(writer->events);
    writer->events = NULL;
    return status;
}

/* The text that goes with the key at hand. */
struct key_text {
    uint32_t bytes, at;
    uint8_t text[PB_PLATE_BYTES_MAX + TEXT_PAIR_BYTES];
};

static void
take_text(struct key_text *text, uint64_t value)
{
    if (value & TEXT_PAIR_FIRST) {
        text->bytes = (uint32_t)(value >> 48 & 0xFF);
        text->at = 0;
    }
    assert(text->bytes <= PB_PLATE_BYTES_MAX && text->at < text->bytes);
    for (uint32_t i = 0; i < TEXT_PAIR_BYTES; i++)
        text->text[text->at++] = (uint8_t)(value >> 8 * i);
}

/* Begins the postings of a key in one jurisdiction. */
static enum pb_status
put_alternate(struct pb_segment_writer *writer, uint64_t key, uint64_t jurisdiction,
              const struct key_text *text, struct pb_error *error)
{
    struct table_builder *table = &writer->tables[PB_TABLE_ALTERNATES];
    uint32_t bytes = key & PB_ALTERNATE_HASH_BIT ? 1 + text->bytes : 0;
    enum pb_status status = begin_row(writer, table, key, bytes, error);

    if (status != PB_OK)
        return status;
    table->columns[PB_PLATES_CODE][table->filled] = (int64_t)key;
    table->columns[PB_PLATES_JURISDICTION][table->filled]
        = pb_jurisdiction_code((uint16_t)jurisdiction);
    table->columns[PB_PLATES_FIRST][table->filled]
        = (int64_t)writer->tables[PB_TABLE_POSTINGS].rows;
    table->filled++;
    if (bytes != 0) {
        table->blob[table->blob_bytes] = (uint8_t)text->bytes;
        memcpy(table->blob + table->blob_bytes + 1, text->text, text->bytes);
        table->blob_bytes += bytes;
    }
    return PB_OK;
}

static enum pb_status
write_alternates(struct pb_segment_writer *writer, struct pb_error *error)
{
    struct pb_pair pair = { 0 };
    struct key_text text = { 0 };
    uint64_t key = 0; /* of no alternate */
    uint64_t jurisdiction = 0;
    enum pb_status status = PB_OK;

    if (writer->alternates == NULL)
        return PB_OK;
    status = pb_sorter_finish(writer->alternates, error);
    while (status == PB_OK) {
        status = pb_sorter_next(writer->alternates, &pair, error);
        if (status != PB_OK)
            break;
        if (pair.value & TEXT_PAIR) {
            take_text(&text, pair.value);
            continue;
        }
        if (pair.key != key || pair.value >> 40 != jurisdiction) {
            key = pair.key;
            jurisdiction = pair.value >> 40;
            status = put_alternate(writer, key, jurisdiction, &text, error);
        }
        if (status == PB_OK) {
            status = put_row3(writer, PB_TABLE_POSTINGS, 0,
                              (int64_t)(pair.value >> 4 & UINT32_MAX),
                              (int64_t)(pair.value & 15), 0, error);
        }
    }
    return status == PB_END ? PB_OK : status;
}

/* An index on its way into the file. */
struct index_out {
    struct pb_segment_writer *writer;
    struct pb_error *error;
    XXH3_state_t hash;
};

static enum pb_status
put_index_out(void *context, const uint8_t *bytes, size_t count)
{
    struct index_out *out = context;

    (void)XXH3_64bits_update(&out->hash, bytes, count);
    return put_out(out->writer, bytes, count, out->error);
}

/* Writes one table's index; returns through at what the footer says of it. */
static enum pb_status
write_index(struct pb_segment_writer *writer, struct table_builder *table, uint8_t *footer,
            struct pb_error *error)
{
    const struct pb_bin *parts[] = { &table->bases, &table->nears, &table->keys };
    struct index_out out = { .writer = writer, .error = error };
    uint64_t bytes = pb_table_index_bytes(table->table, table->blocks);
    uint64_t offset = writer->offset + writer->out_bytes;
    enum pb_status status = PB_OK;

    (void)XXH3_64bits_reset_withSeed(&out.hash, writer->seed);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == PB_OK; i++)
        status = pb_bin_each(&writer->index, parts[i], put_index_out, &out, error);
    if (status != PB_OK)
        return status;
    assert(writer->offset + writer->out_bytes - offset == bytes);
    pb_put_le64(footer, table->rows);
    pb_put_le32(footer + 8, table->blocks);
    pb_put_le32(footer + 12, pb_table_formats[table->table].rows_per_block);
    pb_put_le64(footer + 16, offset);
    pb_put_le64(footer + 24, bytes);
    pb_put_le64(footer + 32, XXH3_64bits_digest(&out.hash));
    return PB_OK;
}

static enum pb_status
write_names(struct pb_segment_writer *writer, uint8_t *footer, struct pb_error *error)
{
    uint8_t *bytes = NULL;
    size_t stored = 0;
    size_t raw = 0;
    enum pb_status status = pb_names_encode(writer->names, &bytes, &stored, &raw);

    if (status == PB_OVER_LIMIT)
        return pb_fail(error, status,
                       "segment %llu: the names of its readers and vehicles take more than %u MiB; "
                       "import less at once, with fewer threads",
                       (unsigned long long)writer->entry.number, PB_NAMES_BYTES_MAX >> 20);
    if (status != PB_OK)
        return pb_fail(error, status, "segment %llu: no memory for its names",
                       (unsigned long long)writer->entry.number);
    pb_put_le64(footer, writer->offset + writer->out_bytes);
    pb_put_le64(footer + 8, stored);
    pb_put_le64(footer + 16, raw);
    pb_put_le64(footer + 24, XXH3_64bits_withSeed(bytes, stored, writer->seed));
    status = put_out(writer, bytes, stored, error);
    pb_free(writer->env, bytes);
    return status;
}

static uint8_t *
put_le64_at(uint8_t *at, uint64_t value)
{
    pb_put_le64(at, value);
    return at + 8;
}

static enum pb_status
write_footer(struct pb_segment_writer *writer, struct pb_error *error)
{
    const struct pb_segment_entry *entry = &writer->entry;
    uint8_t footer[PB_FOOTER_BYTES + PB_SEGMENT_TRAILER_BYTES];
    uint8_t *at = footer;
    uint64_t offset = 0;
    enum pb_status status = PB_OK;

    memcpy(at, PB_SEGMENT_MAGIC, PB_SEGMENT_MAGIC_BYTES);
    pb_put_le32(at + 8, PB_SEGMENT_VERSION);
    memcpy(at + 12, writer->store_id, PB_STORE_ID_BYTES);
    at = put_le64_at(at + 28, entry->number);
    pb_put_le32(at, entry->month);
    pb_put_le32(at + 4, entry->retention_days);
    at = put_le64_at(at + 8, entry->rows);
    at = put_le64_at(at, (uint64_t)entry->captured_min_us);
    at = put_le64_at(at, (uint64_t)entry->captured_max_us);
    at = put_le64_at(at, (uint64_t)entry->delete_after_min_us);
    at = put_le64_at(at, (uint64_t)entry->delete_after_max_us);
    at = put_le64_at(at, writer->seed);
    assert(at == footer + PB_FOOTER_FIXED_BYTES);
    status = write_names(writer, at, error);
    at += PB_FOOTER_NAMES_BYTES;
    for (int t = 0; t < PB_TABLE_COUNT && status == PB_OK; t++, at += PB_FOOTER_TABLE_BYTES)
        status = write_index(writer, &writer->tables[t], at, error);
    if (status != PB_OK)
        return status;
    offset = writer->offset + writer->out_bytes;
    writer->entry.checksum = XXH3_64bits(footer, PB_FOOTER_BYTES);
    at = put_le64_at(at, offset);
    at = put_le64_at(at, PB_FOOTER_BYTES);
    at = put_le64_at(at, writer->entry.checksum);
    memcpy(at, PB_SEGMENT_MAGIC, PB_SEGMENT_MAGIC_BYTES);
    writer->entry.bytes = offset + sizeof(footer);
    return put_out(writer, footer, sizeof(footer), error);
}

enum pb_status
pb_segment_writer_finish(struct pb_segment_writer *writer, struct pb_segment_entry *ret_entry,
                         struct pb_error *error)
{
    static const enum pb_table streamed[] = { PB_TABLE_READS, PB_TABLE_PLATES, PB_TABLE_LONG,
                                              PB_TABLE_COMMITS };
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < sizeof(streamed) / sizeof(streamed[0]) && status == PB_OK; i++)
        status = end_block(writer, &writer->tables[streamed[i]], error);
    if (status == PB_OK)
        status = write_places(writer, error);
    if (status == PB_OK)
        status = write_events(writer, error);
    if (status == PB_OK)
        status = write_alternates(writer, error);
    if (status == PB_OK)
        status = end_block(writer, &writer->tables[PB_TABLE_ALTERNATES], error);
    if (status == PB_OK)
        status = end_block(writer, &writer->tables[PB_TABLE_POSTINGS], error);
    if (status == PB_OK)
        status = write_all_pending(writer, error);
    if (status == PB_OK)
        status = write_footer(writer, error);
    if (status == PB_OK)
        status = flush_out(writer, error);
    if (status == PB_OK)
        status = writer->env->files->sync(writer->env->file_context, writer->file, error);
    if (status == PB_OK) {
        writer->is_finished = true;
        *ret_entry = writer->entry;
    }
    return status;
}
