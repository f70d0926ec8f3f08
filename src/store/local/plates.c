/*
 * Distinct plates: the walks of all segments and the buffer's plates, side by side in order.
 */
#include <string.h>

#include "base/text.h"
#include "plate/plate_code.h"
#include "store/local/local.h"
#include "store/local/walk.h"

/* One input: a segment's walk, or the sorted plates of the buffer. */
struct input {
    const struct pb_segment *segment; /* NULL: the buffer */
    struct pb_walk *walk;             /* owned */
    uint32_t at;                      /* of the buffer's rows */
    bool is_at_end;
    struct pb_plate_rows rows;
    struct pb_pattern_match match;
    char text[PB_PLATE_BYTES_MAX];
    struct pb_str plate; /* in text */
    uint16_t jurisdiction;
};

struct plates {
    const struct pb_env *env;
    struct pb_version *version;
    struct pb_pattern *pattern;
    uint16_t jurisdiction;
    int64_t now_us;
    struct input *inputs;  /* owned: segments, then the buffer */
    uint32_t input_count;
    uint32_t *buffered;    /* owned: rows of the buffer that fit, by plate and jurisdiction */
    uint32_t buffered_count;
    struct pb_reads_block reads;
    struct pb_skips skips; /* failures are left in its error */
};

/* ---- the buffer ---- */

static int
compare_names(struct pb_str a, uint16_t a_jurisdiction, struct pb_str b, uint16_t b_jurisdiction)
{
    bool a_is_long = pb_plate_code(a) == 0;
    bool b_is_long = pb_plate_code(b) == 0;
    int order = 0;

    if (a_is_long != b_is_long)
        return a_is_long ? 1 : -1;
    order = pb_str_compare(a, b);
    if (order != 0)
        return order;
    return (a_jurisdiction > b_jurisdiction) - (a_jurisdiction < b_jurisdiction);
}

static int
compare_buffered(const struct plates *plates, uint32_t a_row, uint32_t b_row)
{
    const struct pb_read *a = pb_buffer_read(plates->version->buffer, a_row);
    const struct pb_read *b = pb_buffer_read(plates->version->buffer, b_row);

    return compare_names(a->plate, a->jurisdiction, b->plate, b->jurisdiction);
}

static void
sort_buffered(struct plates *plates)
{
    uint32_t *rows = plates->buffered;

    for (uint32_t gap = plates->buffered_count / 2; gap > 0;
         gap = gap == 2 ? 1 : (uint32_t)((uint64_t)gap * 5 / 11)) {
        for (uint32_t i = gap; i < plates->buffered_count; i++) {
            uint32_t row = rows[i];
            uint32_t j = i;

            for (; j >= gap && compare_buffered(plates, rows[j - gap], row) > 0; j -= gap)
                rows[j] = rows[j - gap];
            rows[j] = row;
        }
    }
}

/* Whether a row is neither expired nor history by its own word. */
static bool
is_current(const struct plates *plates, const struct pb_read *read)
{
    return read->delete_after_us > plates->now_us && !read->is_superseded;
}

/* Whether a row, decoded in full, counts: neither expired, history nor erased. */
static bool
counts(const struct plates *plates, const struct pb_read *read, uint64_t segment)
{
    const struct pb_hidden *hidden = plates->version->hidden;

    return is_current(plates, read) && !pb_hidden_is_erased(hidden, read, segment)
           && (segment == PB_SEGMENT_NONE || !pb_hidden_is_history(hidden, read, segment));
}

static enum pb_status
find_buffered(struct plates *plates)
{
    const struct pb_buffer *buffer = plates->version->buffer;
    uint32_t count = pb_buffer_count(buffer);

    plates->buffered = pb_calloc(plates->env, count + 1u, sizeof(*plates->buffered));
    if (plates->buffered == NULL)
        return PB_E_NOMEM;
    for (uint32_t row = 0; row < count; row++) {
        struct pb_read read = *pb_buffer_read(buffer, row);
        struct pb_pattern_match match;

        read.is_superseded = pb_buffer_is_superseded_at(buffer, row, count);
        if ((plates->jurisdiction == 0 || plates->jurisdiction == read.jurisdiction)
            && counts(plates, &read, PB_SEGMENT_NONE)
            && pb_pattern_matches(plates->pattern, read.plate, &match))
            plates->buffered[plates->buffered_count++] = row;
    }
    sort_buffered(plates);
    return PB_OK;
}

/* ---- inputs ---- */

static enum pb_status
advance_buffer(struct plates *plates, struct input *input)
{
    const struct pb_read *read = NULL;

    /* Past all rows of the plate that was given. */
    while (input->at < plates->buffered_count && input->plate.bytes != 0
           && compare_buffered(plates, plates->buffered[input->at],
                               plates->buffered[input->rows.first]) == 0)
        input->at++;
    input->is_at_end = input->at == plates->buffered_count;
    if (input->is_at_end)
        return PB_OK;
    read = pb_buffer_read(plates->version->buffer, plates->buffered[input->at]);
    input->rows.first = input->at;
    input->plate = read->plate;
    input->jurisdiction = read->jurisdiction;
    (void)pb_pattern_matches(plates->pattern, read->plate, &input->match);
    return PB_OK;
}

static enum pb_status
advance(struct plates *plates, struct input *input)
{
    enum pb_status status = PB_OK;

    if (input->segment == NULL)
        return advance_buffer(plates, input);
    status = pb_walk_next(input->walk, &input->rows, &input->match);
    input->is_at_end = status == PB_END;
    if (status != PB_OK)
        return status == PB_END ? PB_OK : status;
    input->plate.text = input->text;
    input->plate.bytes = input->rows.text.bytes;
    if (input->rows.code != 0)
        input->plate.bytes = pb_plate_code_text(input->rows.code, input->text);
    else
        memcpy(input->text, input->rows.text.text, input->rows.text.bytes);
    input->jurisdiction = input->rows.jurisdiction;
    return PB_OK;
}

static enum pb_status
start(struct plates *plates)
{
    const struct pb_version *version = plates->version;
    enum pb_status status = PB_OK;

    plates->inputs = pb_calloc(plates->env, version->segment_count + 1u, sizeof(*plates->inputs));
    if (plates->inputs == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < version->segment_count && status == PB_OK; i++) {
        struct input *input = &plates->inputs[plates->input_count];

        input->walk = pb_alloc(plates->env, sizeof(*input->walk));
        if (input->walk == NULL)
            return PB_E_NOMEM;
        input->segment = version->segments[i]->segment;
        status = pb_walk_init(input->walk, input->segment, PB_TABLE_PLATES, plates->pattern,
                              plates->jurisdiction, &plates->skips);
        plates->input_count++;
        if (status == PB_OK)
            status = advance(plates, input);
    }
    if (status == PB_OK)
        status = find_buffered(plates);
    if (status == PB_OK)
        status = advance(plates, &plates->inputs[plates->input_count++]);
    return status;
}

/* ---- counting ---- */

static void
count_row(struct pb_plate_count *count, int64_t captured_us)
{
    if (count->reads == 0 || captured_us < count->first_us)
        count->first_us = captured_us;
    if (count->reads == 0 || captured_us > count->last_us)
        count->last_us = captured_us;
    count->reads++;
}

static void
count_buffered(const struct plates *plates, const struct input *input,
               struct pb_plate_count *count)
{
    for (uint32_t i = input->at; i < plates->buffered_count
         && compare_buffered(plates, plates->buffered[i], plates->buffered[input->at]) == 0;
         i++) {
        count_row(count,
                  pb_buffer_read(plates->version->buffer, plates->buffered[i])->captured_at_us);
    }
}

/* Counts one row where it is to be counted. Most segments hide nothing: then two columns tell. */
static enum pb_status
count_stored(struct plates *plates, const struct pb_segment *segment, uint64_t row,
             bool is_concerned, struct pb_plate_count *count)
{
    struct pb_error *error = pb_skips_error(&plates->skips);
    struct pb_record_room room;
    struct pb_read read;
    enum pb_status status = PB_OK;

    if (is_concerned) {
        status = pb_reads_block_decode(&plates->reads, row, &room, &read, error);
    } else {
        pb_read_init(&read);
        pb_reads_block_lifetime(&plates->reads, row, &read);
    }
    read.plate = count->plate;
    read.jurisdiction = count->jurisdiction;
    if (status == PB_OK
        && (is_concerned ? counts(plates, &read, segment->entry.number)
                         : is_current(plates, &read)))
        count_row(count, read.captured_at_us);
    return pb_skips_pass(&plates->skips, segment, status);
}

/* Adds an input's rows of the plate to count. */
static enum pb_status
count_rows(struct plates *plates, const struct input *input, struct pb_plate_count *count)
{
    const struct pb_segment *segment = input->segment;
    uint32_t rows_per_block = segment->tables[PB_TABLE_READS].rows_per_block;
    bool is_concerned = pb_hidden_concerns(plates->version->hidden, segment->entry.number);
    enum pb_status status = PB_OK;

    for (uint64_t row = input->rows.first; row < input->rows.end && status == PB_OK; row++) {
        status = pb_reads_block_load(&plates->reads, segment, row,
                                     pb_skips_error(&plates->skips));
        if (status == PB_OK) {
            status = count_stored(plates, segment, row, is_concerned, count);
        } else {
            row += rows_per_block - 1 - row % rows_per_block;
            status = pb_skips_pass(&plates->skips, segment, status);
        }
    }
    return status;
}

static enum pb_status
give_next(struct plates *plates, pb_plate_fn *each, void *context, bool *ret_goes_on)
{
    struct pb_plate_count count = { 0 };
    char text[PB_PLATE_BYTES_MAX];
    const struct input *least = NULL;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < plates->input_count; i++) {
        const struct input *input = &plates->inputs[i];

        if (!input->is_at_end
            && (least == NULL
                || compare_names(input->plate, input->jurisdiction, least->plate,
                                 least->jurisdiction) < 0))
            least = input;
    }
    *ret_goes_on = least != NULL;
    if (least == NULL)
        return PB_OK;
    memcpy(text, least->plate.text, least->plate.bytes);
    count.plate = (struct pb_str){ text, least->plate.bytes };
    count.jurisdiction = least->jurisdiction;
    count.edits = least->match.edits;
    if (least->match.edits > 0)
        count.match = PB_MATCH_EDITS;
    else if (least->match.has_lookalike)
        count.match = PB_MATCH_LOOKALIKE;
    else
        count.match = least->match.has_wildcard ? PB_MATCH_PATTERN : PB_MATCH_EXACT;
    for (uint32_t i = 0; i < plates->input_count && status == PB_OK; i++) {
        struct input *input = &plates->inputs[i];

        if (input->is_at_end
            || compare_names(input->plate, input->jurisdiction, count.plate, count.jurisdiction)
                   != 0)
            continue;
        if (input->segment == NULL)
            count_buffered(plates, input, &count);
        else
            status = count_rows(plates, input, &count);
        if (status == PB_OK)
            status = advance(plates, input);
    }
    if (status == PB_OK && count.reads != 0)
        *ret_goes_on = each(context, &count);
    return status;
}

enum pb_status
pb_store_plates(struct pb_store *store, struct pb_str pattern, unsigned edits,
                bool with_lookalikes, uint16_t jurisdiction, pb_plate_fn *each,
                pb_damage_fn *on_damage, void *context, struct pb_error *error)
{
    struct plates plates = { .env = store->env,
                             .jurisdiction = jurisdiction,
                             .now_us = pb_now_us(store->env),
                             .skips = { .env = store->env,
                                        .on_damage = on_damage,
                                        .context = context } };
    bool goes_on = true;
    enum pb_status status = pb_pattern_compile(store->env, pattern, edits, with_lookalikes,
                                               &plates.pattern, error);

    if (status != PB_OK)
        return status;
    pb_reads_block_init(&plates.reads);
    plates.version = pb_store_version(store);
    pb_store_tell_missing(store, PB_TIME_MIN_US, PB_TIME_MAX_US, on_damage, context);
    status = start(&plates);
    while (status == PB_OK && goes_on)
        status = give_next(&plates, each, context, &goes_on);

    for (uint32_t i = 0; i < plates.input_count; i++) {
        if (plates.inputs[i].walk != NULL)
            pb_walk_done(plates.inputs[i].walk);
        pb_free(store->env, plates.inputs[i].walk);
    }
    pb_free(store->env, plates.inputs);
    pb_free(store->env, plates.buffered);
    if (status < 0 && error != NULL)
        *error = plates.skips.error;
    pb_skips_done(&plates.skips);
    pb_reads_block_done(&plates.reads, store->env);
    pb_version_drop(plates.version);
    pb_pattern_free(store->env, plates.pattern);
    return status;
}
