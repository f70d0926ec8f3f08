/*
 * Merge: plates of all inputs side by side, then each plate's rows by time.
 *
 * An input is read once, forwards: its block of rows is decoded as a whole, and pages that
 * were passed leave memory, so that a merge of any size needs little of it.
 */
#include "store/local/merge.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "plate/plate_code.h"
#include "store/local/extras.h"
#include "store/local/run.h"

#define PROGRESS_ROWS (1u << 16)
#define FORGET_BLOCKS 4096u
#define PLACES_SAMPLED 65536u /* block keys, from which the order by place is laid out */

struct input {
    const struct pb_segment *segment;
    struct pb_plate_iterator plates; /* owned */
    struct pb_plate_rows plate;      /* the next one */
    bool is_at_end;
    uint64_t row;                    /* next row of the plate that is being merged */
    bool has_plate;                  /* takes part in it */

    uint32_t block_number;           /* UINT32_MAX: none is decoded */
    int64_t values[PB_READS_COLUMNS][PB_BLOCK_ROWS_MAX];
    uint8_t *blob;                   /* owned */
    size_t blob_room, blob_bytes;
    uint32_t extras_row;             /* extras of rows before this lie before extras_at */
    size_t extras_at;

    struct pb_context_move *moves;   /* owned */
    uint32_t *vehicles;              /* owned */
    uint32_t *commits;               /* owned */
    bool has_marks;
};

struct merge {
    const struct pb_env *env;
    const struct pb_merge_options *options;
    struct input *inputs; /* owned */
    uint32_t count;
    struct pb_names names; /* owned */
    struct pb_segment_writer *writer; /* owned */
    bool concerns_hidden;
    uint64_t left_out_next;     /* of the rows left out */
    struct pb_plate_text plate; /* being merged */
    uint64_t rows_done;
    struct pb_error *error;
};

/* ---- set-up ---- */

static enum pb_status
init_input(struct merge *merge, struct input *input, const struct pb_segment *segment)
{
    const struct pb_names *names = &segment->names;

    input->segment = segment;
    input->block_number = UINT32_MAX;
    input->has_marks = pb_hidden_has_marks(merge->options->hidden, segment->entry.number);
    merge->concerns_hidden = merge->concerns_hidden
                             || pb_hidden_concerns(merge->options->hidden, segment->entry.number);
    pb_plate_iterator_init(&input->plates, segment, PB_TABLE_PLATES);
    input->moves = pb_calloc(merge->env, names->context_count + 1u, sizeof(*input->moves));
    input->vehicles = pb_calloc(merge->env, names->vehicle_count + 1u, sizeof(*input->vehicles));
    input->commits = pb_calloc(merge->env, (size_t)segment->tables[PB_TABLE_COMMITS].rows + 1,
                               sizeof(*input->commits));
    if (input->moves == NULL || input->vehicles == NULL || input->commits == NULL)
        return PB_E_NOMEM;
    return pb_names_announce(&merge->names, names, NULL);
}

static void
done_input(const struct pb_env *env, struct input *input)
{
    if (input->segment == NULL)
        return;
    pb_plate_iterator_done(&input->plates);
    pb_free(env, input->moves);
    pb_free(env, input->vehicles);
    pb_free(env, input->commits);
    pb_free(env, input->blob);
    pb_segment_forget(input->segment);
}

static enum pb_status
sort_contexts(struct merge *merge)
{
    uint32_t *numbers = pb_calloc(merge->env, merge->names.context_count + 1u, sizeof(*numbers));
    enum pb_status status = numbers == NULL ? PB_E_NOMEM
                                            : pb_names_sort_contexts(&merge->names, numbers);

    if (status != PB_OK)
        goto out;
    for (uint32_t i = 0; i < merge->count; i++) {
        struct input *input = &merge->inputs[i];

        for (uint32_t c = 0; c < input->segment->names.context_count; c++)
            input->moves[c].context = numbers[input->moves[c].context];
    }

out:
    pb_free(merge->env, numbers);
    return status;
}

/* Reads an input's commits in order. */
struct commit_reader {
    const struct pb_segment *segment;
    uint64_t next;
    int64_t commits[PB_BLOCK_ROWS_MAX], received[PB_BLOCK_ROWS_MAX];
};

static enum pb_status
load_commits(struct commit_reader *reader, struct pb_error *error)
{
    uint32_t rows_per_block = reader->segment->tables[PB_TABLE_COMMITS].rows_per_block;
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = PB_OK;

    if (reader->next == reader->segment->tables[PB_TABLE_COMMITS].rows
        || reader->next % rows_per_block != 0)
        return PB_OK;
    status = pb_segment_block(reader->segment, PB_TABLE_COMMITS,
                              (uint32_t)(reader->next / rows_per_block), &block, error);
    if (status == PB_OK)
        status = pb_segment_column(reader->segment, &block, 0, &column, error);
    if (status == PB_OK) {
        pb_column_all(&column, reader->commits);
        status = pb_segment_column(reader->segment, &block, 1, &column, error);
    }
    if (status == PB_OK)
        pb_column_all(&column, reader->received);
    return status;
}

/* Writes the union of all inputs' commits and notes where each one went. */
static enum pb_status
merge_commits(struct merge *merge)
{
    struct commit_reader *readers = pb_calloc(merge->env, merge->count, sizeof(*readers));
    uint32_t written = 0;
    enum pb_status status = PB_OK;

    if (readers == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < merge->count; i++) {
        readers[i].segment = merge->inputs[i].segment;
        status = load_commits(&readers[i], merge->error);
        if (status != PB_OK)
            goto out;
    }
    while (status == PB_OK) {
        int64_t least = INT64_MAX;
        int64_t received_us = 0;

        for (uint32_t i = 0; i < merge->count; i++) {
            const struct commit_reader *reader = &readers[i];
            uint32_t at = (uint32_t)(reader->next % 256);

            if (reader->next < reader->segment->tables[PB_TABLE_COMMITS].rows
                && reader->commits[at] < least) {
                least = reader->commits[at];
                received_us = reader->received[at];
            }
        }
        if (least == INT64_MAX)
            break;
        status = pb_segment_writer_commit(merge->writer, (uint64_t)least, received_us,
                                          merge->error);
        for (uint32_t i = 0; i < merge->count && status == PB_OK; i++) {
            struct commit_reader *reader = &readers[i];

            if (reader->next < reader->segment->tables[PB_TABLE_COMMITS].rows
                && reader->commits[reader->next % 256] == least) {
                merge->inputs[i].commits[reader->next++] = written;
                status = load_commits(reader, merge->error);
            }
        }
        written++;
    }

out:
    pb_free(merge->env, readers);
    return status;
}

/* ---- rows ---- */

/* Pages of blocks that lie well behind are not needed again. */
static void
forget_passed(const struct input *input, const struct pb_block *block)
{
    uint64_t offset = (uint64_t)(block->bytes - input->segment->bytes);

    if (block->number % FORGET_BLOCKS == 0)
        input->segment->env->files->forget(input->segment->env->file_context,
                                           input->segment->bytes, offset);
}

static enum pb_status
load_rows(struct merge *merge, struct input *input, uint32_t block_number)
{
    struct pb_block block;
    struct pb_column column;
    const char *what = NULL;
    enum pb_status status = pb_segment_block(input->segment, PB_TABLE_READS, block_number, &block,
                                             merge->error);

    for (uint32_t c = 0; c < PB_READS_COLUMNS && status == PB_OK; c++) {
        status = pb_segment_column(input->segment, &block, c, &column, merge->error);
        if (status == PB_OK)
            pb_column_all(&column, input->values[c]);
    }
    if (status != PB_OK)
        return status;
    input->blob_bytes = block.blob_raw;
    if (block.blob_raw > input->blob_room) {
        uint8_t *larger = pb_realloc(merge->env, input->blob, block.blob_raw);

        if (larger == NULL)
            return PB_E_NOMEM;
        input->blob = larger;
        input->blob_room = block.blob_raw;
    }
    if (pb_block_blob(&block, input->blob, &what) != PB_OK)
        return pb_fail(merge->error, PB_E_CORRUPT, "%s: offset %llu: %s", input->segment->path,
                       (unsigned long long)(block.bytes - input->segment->bytes), what);
    input->extras_row = 0;
    input->extras_at = 0;
    input->block_number = block_number;
    forget_passed(input, &block);
    return PB_OK;
}

static enum pb_status
load_row(struct merge *merge, struct input *input)
{
    uint32_t number = (uint32_t)(input->row / PB_BLOCK_ROWS_MAX);

    return input->block_number == number ? PB_OK : load_rows(merge, input, number);
}

/* The extras of the row at `at`, which is not before the one asked last. */
static enum pb_status
take_extras(struct merge *merge, struct input *input, uint32_t at, struct pb_row *row)
{
    for (;; input->extras_row++) {
        size_t bytes = 0;

        if ((input->values[PB_READS_FLAGS][input->extras_row] & PB_ROW_EXTRAS) == 0)
            continue;
        if (input->blob_bytes - input->extras_at >= 2)
            bytes = 2u + pb_get_le16(input->blob + input->extras_at);
        if (bytes < 3 || input->blob_bytes - input->extras_at < bytes)
            return pb_fail(merge->error, PB_E_CORRUPT, "%s: extras are cut short",
                           input->segment->path);
        if (input->extras_row == at) {
            row->extras = input->blob + input->extras_at + 2;
            row->extras_bytes = (uint32_t)bytes - 2;
            return PB_OK;
        }
        input->extras_at += bytes;
    }
}

static enum pb_status
row_of(struct merge *merge, struct input *input, struct pb_row *ret_row)
{
    uint32_t at = (uint32_t)(input->row % PB_BLOCK_ROWS_MAX);
    const struct pb_names *names = &input->segment->names;
    uint64_t context = (uint64_t)input->values[PB_READS_CONTEXT][at];
    uint64_t vehicle = (uint64_t)input->values[PB_READS_VEHICLE][at];
    uint64_t commit = (uint64_t)input->values[PB_READS_COMMIT][at];
    uint8_t flags = (uint8_t)input->values[PB_READS_FLAGS][at];
    const struct pb_context_move *move = NULL;

    if (context >= names->context_count || vehicle >= names->vehicle_count
        || commit >= input->segment->tables[PB_TABLE_COMMITS].rows)
        return pb_fail(merge->error, PB_E_CORRUPT, "%s: a row's number is out of range",
                       input->segment->path);
    move = &input->moves[context];
    *ret_row = (struct pb_row){
        .captured_us = input->values[PB_READS_TIME][at],
        .keep_us = input->values[PB_READS_KEEP][at],
        .context = move->context,
        .vehicle = input->vehicles[vehicle],
        .confidence_code = (uint32_t)-input->values[PB_READS_CONFIDENCE][at],
        .lat = (int32_t)((uint32_t)input->values[PB_READS_LAT][at] + (uint32_t)move->rest.lat),
        .lon = (int32_t)((uint32_t)input->values[PB_READS_LON][at] + (uint32_t)move->rest.lon),
        .heading_code = (uint16_t)(input->values[PB_READS_HEADING][at] + move->rest.heading_code),
        .speed_code = (uint32_t)input->values[PB_READS_SPEED][at],
        .commit_row = input->commits[commit],
        .revision = (uint32_t)input->values[PB_READS_REVISION][at],
        .flags = flags,
    };
    return flags & PB_ROW_EXTRAS ? take_extras(merge, input, at, ret_row) : PB_OK;
}

/* What becomes of a row. */
enum fate { FATE_STAYS, FATE_EXPIRED, FATE_ERASED, FATE_ELSEWHERE };

/* Tells whether a row goes, and makes it history where a mark says so. */
static enum pb_status
judge(const struct merge *merge, const struct input *input, struct pb_row *row,
      enum fate *ret_fate)
{
    const struct pb_names *names = &merge->names;
    uint64_t segment = input->segment->entry.number;
    struct pb_record_room room;
    struct pb_read read;

    *ret_fate = FATE_STAYS;
    if ((row->flags & PB_ROW_NEVER) == 0
        && pb_row_delete_after(row->captured_us, row->keep_us) <= merge->options->now_us)
        *ret_fate = FATE_EXPIRED;
    if (*ret_fate != FATE_STAYS || !merge->concerns_hidden)
        return PB_OK;
    pb_read_init(&read);
    if (row->extras_bytes != 0
        && pb_extras_decode(row->extras, row->extras_bytes, &room, &read) != PB_OK)
        return pb_fail(merge->error, PB_E_CORRUPT, "%s: extras do not decode",
                       input->segment->path);
    read.plate = (struct pb_str){ merge->plate.text, merge->plate.bytes };
    read.jurisdiction = merge->plate.jurisdiction;
    read.reader = names->texts[names->contexts[row->context].reader];
    read.captured_at_us = row->captured_us;
    read.revision = row->revision;
    if (pb_hidden_is_erased(merge->options->hidden, &read, segment))
        *ret_fate = FATE_ERASED;
    if (input->has_marks && pb_hidden_is_history(merge->options->hidden, &read, segment))
        row->flags |= PB_ROW_SUPERSEDED;
    return PB_OK;
}

/* Gives a row that stays its new date. */
static enum fate
restamp(const struct merge *merge, struct pb_row *row)
{
    struct pb_restamp *restamp = merge->options->restamp;
    const struct pb_context *context = &merge->names.contexts[row->context];
    int64_t date_us = 0;
    struct pb_read read;

    pb_read_init(&read);
    read.plate = (struct pb_str){ merge->plate.text, merge->plate.bytes };
    read.jurisdiction = merge->plate.jurisdiction;
    read.reader = merge->names.texts[context->reader];
    read.captured_at_us = row->captured_us;
    if ((row->flags & PB_ROW_NEVER) == 0)
        read.delete_after_us = pb_row_delete_after(row->captured_us, row->keep_us);
    if (context->lat_e7 != PB_NO_POSITION) {
        read.lat_e7 = (int32_t)((uint32_t)context->lat_e7 + (uint32_t)row->lat);
        read.lon_e7 = (int32_t)((uint32_t)context->lon_e7 + (uint32_t)row->lon);
    }
    date_us = pb_restamp_date(restamp->fn, restamp->context, &read);
    if (date_us <= merge->options->now_us)
        return FATE_EXPIRED;
    if (pb_retention_class(row->captured_us, date_us) != restamp->retention_days) {
        restamp->rows_elsewhere++;
        return FATE_ELSEWHERE;
    }
    row->flags = (uint8_t)((row->flags & ~PB_ROW_NEVER) | (date_us == PB_NEVER ? PB_ROW_NEVER : 0));
    row->keep_us = date_us == PB_NEVER ? 0 : date_us - row->captured_us;
    return FATE_STAYS;
}

static enum pb_status
note_removed(const struct merge *merge, const struct pb_row *row, enum fate fate)
{
    const struct pb_names *names = &merge->names;

    if (merge->options->removals == NULL || fate == FATE_ELSEWHERE)
        return PB_OK;
    return pb_removals_add(merge->options->removals,
                           names->texts[names->contexts[row->context].reader], row->captured_us,
                           fate == FATE_ERASED ? PB_REMOVED_ERASED : PB_REMOVED_EXPIRED, 1);
}

static enum pb_status
report(struct merge *merge)
{
    const struct pb_progress *progress = merge->options->progress;

    if (++merge->rows_done % PROGRESS_ROWS != 0 || progress == NULL)
        return PB_OK;
    return progress->report(progress->context, "merge",
                            merge->options->progress_done + merge->rows_done,
                            merge->options->progress_total)
               ? PB_OK
               : PB_END;
}

/* Whether the next row of an input is one of those that the caller leaves out. */
static bool
is_left_out(struct merge *merge, const struct input *input)
{
    const struct pb_merge_options *options = merge->options;

    if (input != &merge->inputs[0] || merge->left_out_next == options->left_out_count
        || options->left_out[merge->left_out_next] != input->row)
        return false;
    merge->left_out_next++;
    return true;
}

/* Moves the row of one input that comes first. */
static enum pb_status
move_row(struct merge *merge, struct input *input)
{
    struct pb_row row;
    enum fate fate = is_left_out(merge, input) ? FATE_ELSEWHERE : FATE_STAYS;
    enum pb_status status = row_of(merge, input, &row);

    if (status == PB_OK && fate == FATE_STAYS)
        status = judge(merge, input, &row, &fate);
    if (status == PB_OK && fate == FATE_STAYS && merge->options->restamp != NULL)
        fate = restamp(merge, &row);
    if (status == PB_OK && fate == FATE_STAYS)
        status = pb_segment_writer_row(merge->writer, &row, merge->error);
    else if (status == PB_OK)
        status = note_removed(merge, &row, fate);
    if (status == PB_OK)
        status = report(merge);
    input->row++;
    return status;
}

/* Merges the rows of the inputs that have the plate. */
static enum pb_status
merge_rows(struct merge *merge, uint32_t sharing)
{
    enum pb_status status = PB_OK;

    for (;;) {
        struct input *first = NULL;
        int64_t first_us = 0;

        for (uint32_t i = 0; i < merge->count; i++) {
            struct input *input = &merge->inputs[i];

            if (!input->has_plate || input->row == input->plate.end)
                continue;
            status = load_row(merge, input);
            if (status != PB_OK)
                return status;
            if (sharing == 1) {
                first = input;
                break;
            }
            if (first == NULL
                || input->values[PB_READS_TIME][input->row % PB_BLOCK_ROWS_MAX] < first_us) {
                first = input;
                first_us = input->values[PB_READS_TIME][input->row % PB_BLOCK_ROWS_MAX];
            }
        }
        if (first == NULL)
            return PB_OK;
        do {
            status = load_row(merge, first);
            if (status == PB_OK)
                status = move_row(merge, first);
        } while (sharing == 1 && status == PB_OK && first->row < first->plate.end);
        if (status != PB_OK)
            return status;
    }
}

/* ---- plates ---- */

static int
compare_plates(const struct pb_plate_rows *a, const struct pb_plate_rows *b)
{
    if (a->code != b->code) {
        /* Long plates, of code 0, come last. */
        return a->code - 1 < b->code - 1 ? -1 : 1;
    }
    if (a->code == 0) {
        int order = pb_str_compare(a->text, b->text);

        if (order != 0)
            return order;
    }
    return (a->jurisdiction > b->jurisdiction) - (a->jurisdiction < b->jurisdiction);
}

static enum pb_status
advance(struct merge *merge, struct input *input)
{
    enum pb_status status = pb_plate_iterator_next(&input->plates, &input->plate, merge->error);

    input->is_at_end = status == PB_END;
    input->row = input->plate.first;
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
merge_plates(struct merge *merge)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < merge->count; i++) {
        status = advance(merge, &merge->inputs[i]);
        if (status != PB_OK)
            return status;
    }
    while (status == PB_OK) {
        const struct pb_plate_rows *least = NULL;
        uint32_t sharing = 0;

        for (uint32_t i = 0; i < merge->count; i++) {
            const struct input *input = &merge->inputs[i];

            if (!input->is_at_end
                && (least == NULL || compare_plates(&input->plate, least) < 0))
                least = &input->plate;
        }
        if (least == NULL)
            return PB_OK;
        for (uint32_t i = 0; i < merge->count; i++) {
            struct input *input = &merge->inputs[i];

            input->has_plate
                = !input->is_at_end
                  && (&input->plate == least || compare_plates(&input->plate, least) == 0);
            sharing += input->has_plate;
        }
        merge->plate.jurisdiction = least->jurisdiction;
        merge->plate.bytes = least->text.bytes;
        if (least->code != 0 && (merge->concerns_hidden || merge->options->restamp != NULL))
            merge->plate.bytes = pb_plate_code_text(least->code, merge->plate.text);
        else if (least->code == 0)
            memcpy(merge->plate.text, least->text.text, least->text.bytes);
        pb_segment_writer_plate(merge->writer, least->code, least->text, least->jurisdiction);
        status = merge_rows(merge, sharing);
        for (uint32_t i = 0; i < merge->count && status == PB_OK; i++) {
            if (merge->inputs[i].has_plate)
                status = advance(merge, &merge->inputs[i]);
        }
    }
    return status;
}

/* Every so many block's first key of the inputs' orders by place. */
static enum pb_status
sample_places(const struct merge *merge, uint64_t **ret_keys, size_t *ret_count)
{
    uint64_t blocks = 0, step = 0, at = 0;
    size_t count = 0;
    uint64_t *keys = NULL;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < merge->count; i++)
        blocks += merge->inputs[i].segment->tables[PB_TABLE_PLACES].blocks;
    step = blocks / PLACES_SAMPLED + 1;
    keys = pb_alloc(merge->env, (blocks / step + 1) * sizeof(*keys));
    if (keys == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < merge->count && status == PB_OK; i++) {
        struct pb_block_keys block_keys = { NULL, 0 };

        status = pb_segment_keys(merge->inputs[i].segment, PB_TABLE_PLACES, &block_keys,
                                 merge->error);
        for (; at < block_keys.count; at += step)
            keys[count++] = pb_block_key(&block_keys, (uint32_t)at);
        at -= block_keys.count;
    }
    if (status != PB_OK) {
        pb_free(merge->env, keys);
        return status;
    }
    *ret_keys = keys;
    *ret_count = count;
    return PB_OK;
}

enum pb_status
pb_merge(const struct pb_env *env, const struct pb_merge_options *options,
         struct pb_segment *const *segments, uint32_t count, struct pb_segment_entry *ret_entry,
         struct pb_error *error)
{
    struct merge merge = { .env = env, .options = options, .count = count, .error = error };
    struct pb_segment_options segment_options = {
        .directory = options->directory,
        .store_id = options->store_id,
        .number = options->number,
        .month = segments[0]->entry.month,
        .retention_days = options->restamp != NULL ? options->restamp->retention_days
                                                   : segments[0]->entry.retention_days,
        .names = &merge.names,
        .memory_bytes = options->memory_bytes,
        .crew = options->crew,
    };
    uint64_t *place_keys = NULL;
    enum pb_status status = pb_names_init(&merge.names, env);

    if (status != PB_OK)
        return status;
    merge.inputs = pb_calloc(env, count, sizeof(*merge.inputs));
    if (merge.inputs == NULL)
        status = PB_E_NOMEM;
    for (uint32_t i = 0; i < count && status == PB_OK; i++)
        status = init_input(&merge, &merge.inputs[i], segments[i]);
    for (uint32_t i = 0; i < count; i++)
        segment_options.rows += segments[i]->entry.rows;
    for (uint32_t i = 0; i < count && status == PB_OK; i++) {
        status = pb_names_join(&merge.names, &segments[i]->names, merge.inputs[i].moves,
                               merge.inputs[i].vehicles);
    }
    if (status == PB_OK)
        status = sort_contexts(&merge);
    if (status == PB_OK)
        status = sample_places(&merge, &place_keys, &segment_options.place_sample_count);
    segment_options.place_sample = place_keys;
    if (status == PB_OK)
        status = pb_segment_writer_new(env, &segment_options, &merge.writer, error);
    pb_free(env, place_keys);
    if (status == PB_OK)
        status = merge_commits(&merge);
    if (status == PB_OK)
        status = merge_plates(&merge);
    if (status == PB_OK) {
        memset(ret_entry, 0, sizeof(*ret_entry));
        if (pb_segment_writer_rows(merge.writer) != 0)
            status = pb_segment_writer_finish(merge.writer, ret_entry, error);
    }

    pb_segment_writer_free(merge.writer);
    for (uint32_t i = 0; i < count && merge.inputs != NULL; i++)
        done_input(env, &merge.inputs[i]);
    pb_free(env, merge.inputs);
    pb_names_done(&merge.names);
    return status;
}
