/*
 * Cursor: results of one question, newest first.
 *
 * A question becomes sources, each of which gives rows in descending time:
 *   - a span: the rows of one plate in one segment;
 *   - a list: rows that were found one by one (buffer, alternates), sorted here;
 *   - a place block: up to 128 rows near one another, known to be no newer than a bound; it
 *     is opened, and its rows become a list, when its bound comes up.
 * A heap holds the sources by the time of their next row, or by their bound.
 *
 * Rows of one moment are taken together, ordered by identity and revision, and given one by one:
 * that order does not depend on where rows lie, so a token stays good when segments
 * merge. Reads that have both in common are looked at once more, for their ties.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/text.h"
#include "geo/geo.h"
#include "store/local/local.h"
#include "store/local/skips.h"
#include "store/local/token.h"
#include "store/local/walk.h"

#define BUFFER_SEGMENT UINT32_MAX /* in place of a segment's index */
#define SOURCES_FIRST 16u
#define CANDIDATES_FIRST 16u
#define PLACES_AHEAD 3u /* rows of a place block whose blocks are fetched ahead */

/* How a row was found. */
struct how {
    uint8_t match, edits, alternate;
};

struct item {
    int64_t captured_us;
    uint64_t row;
    uint32_t segment; /* index in the version, or BUFFER_SEGMENT */
    struct how how;
};

enum source_kind { SOURCE_SPAN, SOURCE_LIST, SOURCE_PLACES };

struct source {
    int64_t captured_us; /* of the next row, or an upper bound; the heap's order */
    enum source_kind kind;
    struct how how;
    uint32_t segment;
    uint64_t first, next; /* SPAN: rows [first, next) are left, the last one is next - 1;
                             LIST: items [first, next) are left, first one first;
                             PLACES: next is the block */
};

struct candidate {
    struct item item;
    struct pb_position position;
};

struct pb_cursor {
    const struct pb_env *env;
    struct pb_store *store;     /* borrowed */
    struct pb_version *version; /* owned reference */
    uint32_t buffer_count;      /* rows of its buffer that there were at the beginning */
    struct pb_pattern *pattern; /* owned; NULL: any plate */
    const struct pb_geo_area *area; /* borrowed */
    struct pb_arena arena;      /* texts of the question */
    struct pb_query query;      /* its texts in arena */
    uint64_t question;          /* hash of the question, for tokens */
    bool has_resume;
    struct pb_position resume;  /* results up to and with this were given before */

    struct source *sources;     /* owned: a heap */
    uint32_t source_count, source_room;
    struct item *items;         /* owned: of all lists */
    uint64_t item_count, item_room;

    struct candidate *candidates; /* owned: rows of one moment, in order */
    uint32_t candidate_count, candidate_next, candidate_room;
    bool has_given;
    struct pb_position given;

    struct pb_skips skips;       /* owned; failures are left in its error */
    struct pb_reads_block reads; /* owned */
    struct pb_record_room room;
    struct pb_read read;        /* the row that was decoded last */
    uint64_t decoded;           /* rows so far */
    struct pb_plate_text plate; /* of the row decoded last */
    uint32_t plate_segment;     /* index; UINT32_MAX: none */
    uint32_t list_count;        /* sources of kind LIST */
};

/* ---- sources ---- */

static enum pb_status
grow(const struct pb_env *env, void **array, size_t element_bytes, uint64_t room)
{
    void *larger = pb_realloc(env, *array, (size_t)room * element_bytes);

    if (larger == NULL)
        return PB_E_NOMEM;
    *array = larger;
    return PB_OK;
}

static void
sift_down(struct pb_cursor *cursor, uint32_t at)
{
    struct source *sources = cursor->sources;

    for (;;) {
        uint32_t newest = at;
        struct source swap = sources[at];

        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < cursor->source_count;
             child++) {
            if (sources[child].captured_us > sources[newest].captured_us)
                newest = child;
        }
        if (newest == at)
            return;
        sources[at] = sources[newest];
        sources[newest] = swap;
        at = newest;
    }
}

static enum pb_status
add_source(struct pb_cursor *cursor, const struct source *source, struct pb_error *error)
{
    uint32_t at = cursor->source_count;

    if (cursor->source_count == cursor->source_room) {
        uint32_t room = cursor->source_room == 0 ? SOURCES_FIRST : cursor->source_room * 2;
        enum pb_status status = PB_OK;

        if (cursor->source_count >= cursor->store->plates_max)
            return pb_fail(error, PB_OVER_LIMIT,
                           "plate: more than %u plates or places fit; narrow the pattern, the "
                           "area or the time", cursor->store->plates_max);
        status = grow(cursor->env, (void **)&cursor->sources, sizeof(*source), room);
        if (status != PB_OK)
            return status;
        cursor->source_room = room;
    }
    cursor->sources[at] = *source;
    cursor->source_count++;
    while (at > 0 && cursor->sources[(at - 1) / 2].captured_us < cursor->sources[at].captured_us) {
        struct source swap = cursor->sources[at];

        cursor->sources[at] = cursor->sources[(at - 1) / 2];
        cursor->sources[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
    return PB_OK;
}

static enum pb_status
add_item(struct pb_cursor *cursor, const struct item *item)
{
    if (cursor->item_count == cursor->item_room) {
        uint64_t room = cursor->item_room == 0 ? SOURCES_FIRST : cursor->item_room * 2;
        enum pb_status status = grow(cursor->env, (void **)&cursor->items, sizeof(*item), room);

        if (status != PB_OK)
            return status;
        cursor->item_room = room;
    }
    cursor->items[cursor->item_count++] = *item;
    return PB_OK;
}

/* Heap sort, newest first: in place, no worst case. */
static void
sort_items(struct item *items, uint64_t count)
{
    uint64_t end = count;
    uint64_t start = count / 2;

    while (end > 1) {
        uint64_t at = 0;
        struct item item;

        if (start > 0) {
            item = items[--start];
            at = start;
        } else {
            item = items[--end];
            items[end] = items[0];
        }
        for (;;) {
            uint64_t child = 2 * at + 1;

            if (child >= end)
                break;
            if (child + 1 < end && items[child + 1].captured_us < items[child].captured_us)
                child++;
            if (items[child].captured_us >= item.captured_us)
                break;
            items[at] = items[child];
            at = child;
        }
        items[at] = item;
    }
}

/* Makes a source of the items from first on. */
static enum pb_status
add_list(struct pb_cursor *cursor, uint64_t first, struct pb_error *error)
{
    struct source source = { .kind = SOURCE_LIST, .first = first, .next = cursor->item_count };

    if (first == cursor->item_count)
        return PB_OK;
    sort_items(cursor->items + first, cursor->item_count - first);
    source.captured_us = cursor->items[first].captured_us;
    cursor->list_count++;
    return add_source(cursor, &source, error);
}

/* The last time that is asked for, plus one. */
static int64_t
end_us(const struct pb_cursor *cursor)
{
    if (cursor->has_resume && cursor->resume.captured_us < cursor->query.to_us)
        return cursor->resume.captured_us + 1;
    return cursor->query.to_us;
}

static bool
is_in_window(const struct pb_cursor *cursor, int64_t captured_us)
{
    return captured_us >= cursor->query.from_us && captured_us < end_us(cursor);
}

static struct how
how_of(const struct pb_pattern_match *match, uint32_t alternate)
{
    enum pb_match kind = PB_MATCH_EXACT;

    if (match->edits > 0)
        kind = PB_MATCH_EDITS;
    else if (match->has_lookalike)
        kind = PB_MATCH_LOOKALIKE;
    else if (match->has_wildcard)
        kind = PB_MATCH_PATTERN;
    return (struct how){ (uint8_t)kind, (uint8_t)match->edits, (uint8_t)alternate };
}

/* ---- by plate ---- */

static const struct pb_segment *
segment_of(const struct pb_cursor *cursor, uint32_t index)
{
    return cursor->version->segments[index]->segment;
}

/* Passes over damage that was found in a segment, where the question does that. */
static enum pb_status
pass(struct pb_cursor *cursor, uint32_t index, enum pb_status status)
{
    return pb_skips_pass(&cursor->skips, segment_of(cursor, index), status);
}

/* Sets the time of a span's next row. Rows of damaged blocks are left out: nothing may be left. */
static enum pb_status
settle_span(struct pb_cursor *cursor, struct source *span, struct pb_error *error)
{
    const struct pb_segment *segment = segment_of(cursor, span->segment);
    uint32_t rows_per_block = segment->tables[PB_TABLE_READS].rows_per_block;

    while (span->first < span->next) {
        uint64_t row = span->next - 1;
        enum pb_status status = pb_reads_block_load(&cursor->reads, segment, row, error);

        if (status == PB_OK) {
            span->captured_us = pb_reads_block_time(&cursor->reads, row);
            return PB_OK;
        }
        status = pass(cursor, span->segment, status);
        if (status != PB_OK)
            return status;
        row -= row % rows_per_block;
        span->next = row > span->first ? row : span->first;
    }
    return PB_OK;
}

static enum pb_status
find_bounds(struct pb_cursor *cursor, const struct pb_plate_rows *plate, struct source *span,
            struct pb_error *error)
{
    const struct pb_segment *segment = segment_of(cursor, span->segment);
    enum pb_status status = PB_OK;

    if (cursor->query.from_us > segment->entry.captured_min_us)
        status = pb_segment_lower_bound(segment, plate->first, plate->end, cursor->query.from_us,
                                        &span->first, error);
    if (status == PB_OK && end_us(cursor) <= segment->entry.captured_max_us)
        status = pb_segment_lower_bound(segment, span->first, plate->end, end_us(cursor),
                                        &span->next, error);
    return status;
}

static enum pb_status
add_span(struct pb_cursor *cursor, uint32_t index, const struct pb_plate_rows *plate,
         const struct pb_pattern_match *match, struct pb_error *error)
{
    struct source source = { .kind = SOURCE_SPAN,
                             .how = how_of(match, 0),
                             .segment = index,
                             .first = plate->first,
                             .next = plate->end };
    enum pb_status status = find_bounds(cursor, plate, &source, error);

    if (status != PB_OK) {
        /* Rows beside the damaged ones may lie in the window: each is looked at. */
        source.first = plate->first;
        source.next = plate->end;
        status = pass(cursor, index, status);
    }
    if (status == PB_OK)
        status = settle_span(cursor, &source, error);
    if (status != PB_OK || source.first == source.next)
        return status;
    return add_source(cursor, &source, error);
}

/* A block of postings. */
struct posting_block {
    uint32_t number; /* UINT32_MAX: none */
    struct pb_column rows, ranks;
};

static enum pb_status
load_postings(const struct pb_segment *segment, uint32_t number, struct posting_block *postings,
              struct pb_error *error)
{
    struct pb_block block;
    enum pb_status status = PB_OK;

    if (number == postings->number)
        return PB_OK;
    postings->number = UINT32_MAX;
    status = pb_segment_block(segment, PB_TABLE_POSTINGS, number, &block, error);
    if (status == PB_OK)
        status = pb_segment_column(segment, &block, 0, &postings->rows, error);
    if (status == PB_OK)
        status = pb_segment_column(segment, &block, 1, &postings->ranks, error);
    if (status == PB_OK)
        postings->number = number;
    return status;
}

/* Adds the rows that postings [first, end) point at as items. */
static enum pb_status
add_postings(struct pb_cursor *cursor, uint32_t index, const struct pb_plate_rows *plate,
             const struct pb_pattern_match *match, struct pb_error *error)
{
    const struct pb_segment *segment = segment_of(cursor, index);
    uint32_t per_block = segment->tables[PB_TABLE_POSTINGS].rows_per_block;
    struct posting_block postings = { .number = UINT32_MAX };
    enum pb_status status = PB_OK;

    for (uint64_t at = plate->first; at < plate->end && status == PB_OK; at++) {
        struct item item = { .segment = index };
        uint32_t in_block = (uint32_t)(at % per_block);

        status = load_postings(segment, (uint32_t)(at / per_block), &postings, error);
        if (status != PB_OK) {
            at += per_block - 1 - in_block;
            status = pass(cursor, index, status);
            continue;
        }
        item.row = (uint64_t)pb_column_get(&postings.rows, in_block);
        item.how = how_of(match, (uint32_t)pb_column_get(&postings.ranks, in_block));
        if (item.row < segment->entry.rows)
            status = pb_segment_time(segment, item.row, &item.captured_us, error);
        else
            status = pb_fail(error, PB_E_CORRUPT, "%s: a posting is out of range", segment->path);
        if (status == PB_OK && is_in_window(cursor, item.captured_us))
            status = add_item(cursor, &item);
        status = pass(cursor, index, status);
    }
    return status;
}

static enum pb_status
find_in_segment(struct pb_cursor *cursor, uint32_t index, struct pb_error *error)
{
    const struct pb_segment *segment = cursor->version->segments[index]->segment;
    struct pb_walk walk;
    struct pb_plate_rows plate;
    struct pb_pattern_match match = { 0 };
    enum pb_status status = pb_walk_init(&walk, segment, PB_TABLE_PLATES, cursor->pattern,
                                         cursor->query.jurisdiction, &cursor->skips);

    while (status == PB_OK) {
        status = pb_walk_next(&walk, &plate, &match);
        if (status == PB_OK)
            status = add_span(cursor, index, &plate, &match, error);
    }
    pb_walk_done(&walk);
    if (status != PB_END || cursor->query.without_alternates
        || segment->tables[PB_TABLE_ALTERNATES].rows == 0)
        return status == PB_END ? PB_OK : status;

    status = pb_walk_init(&walk, segment, PB_TABLE_ALTERNATES, cursor->pattern,
                          cursor->query.jurisdiction, &cursor->skips);
    while (status == PB_OK) {
        status = pb_walk_next(&walk, &plate, &match);
        if (status == PB_OK)
            status = add_postings(cursor, index, &plate, &match, error);
    }
    pb_walk_done(&walk);
    return status == PB_END ? PB_OK : status;
}

/* How well a row fits: by its plate, else by its first alternate that does. */
static bool
fits_pattern(const struct pb_cursor *cursor, const struct pb_read *read, struct how *ret_how)
{
    struct pb_pattern_match match = { 0 };

    if (pb_pattern_matches(cursor->pattern, read->plate, &match)) {
        *ret_how = how_of(&match, 0);
        return true;
    }
    for (uint32_t i = 0; i < read->alternate_count && !cursor->query.without_alternates; i++) {
        if (pb_pattern_matches(cursor->pattern, read->alternates[i].plate, &match)) {
            *ret_how = how_of(&match, i + 1);
            return true;
        }
    }
    return false;
}

static enum pb_status
add_buffered(struct pb_cursor *cursor, uint32_t row, struct how how)
{
    const struct pb_read *read = pb_buffer_read(cursor->version->buffer, row);
    struct item item = { .captured_us = read->captured_at_us,
                         .row = row,
                         .segment = BUFFER_SEGMENT,
                         .how = how };

    /* What came after the question began is not looked at. */
    if (row >= cursor->buffer_count || !is_in_window(cursor, item.captured_us))
        return PB_OK;
    return add_item(cursor, &item);
}

/* Buffered rows of one plate, by the buffer's own index. */
static enum pb_status
find_exact_in_buffer(struct pb_cursor *cursor, struct pb_str plate)
{
    const struct pb_buffer *buffer = cursor->version->buffer;

    for (uint32_t row = pb_buffer_first_of_plate(buffer, plate); row != PB_BUFFER_NO_ROW;
         row = pb_buffer_next_of_plate(buffer, row)) {
        enum pb_status status = add_buffered(cursor, row, (struct how){ 0 });

        if (status != PB_OK)
            return status;
    }
    if (cursor->query.without_alternates)
        return PB_OK;
    for (uint32_t entry = pb_buffer_first_of_alternate(buffer, plate); entry != PB_BUFFER_NO_ROW;
         entry = pb_buffer_next_of_alternate(buffer, entry)) {
        uint32_t row = 0;
        uint32_t rank = 0;
        enum pb_status status = PB_OK;

        pb_buffer_alternate(buffer, entry, &row, &rank);
        status = add_buffered(cursor, row, (struct how){ .alternate = (uint8_t)rank });
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

static enum pb_status
find_in_buffer(struct pb_cursor *cursor, struct pb_error *error)
{
    const struct pb_buffer *buffer = cursor->version->buffer;
    uint32_t count = cursor->buffer_count;
    uint64_t first = cursor->item_count;
    struct pb_str exact;
    enum pb_status status = PB_OK;

    if (cursor->pattern != NULL && pb_pattern_is_exact(cursor->pattern, &exact)) {
        status = find_exact_in_buffer(cursor, exact);
    } else {
        /* The buffer is small: every row is looked at. */
        for (uint32_t row = 0; row < count && status == PB_OK; row++) {
            struct how how = { 0 };

            if (cursor->pattern == NULL
                || fits_pattern(cursor, pb_buffer_read(buffer, row), &how))
                status = add_buffered(cursor, row, how);
        }
    }
    return status == PB_OK ? add_list(cursor, first, error) : status;
}

/* ---- by place ---- */

static int64_t
place_key_time(uint64_t key)
{
    return (int64_t)((key & UINT32_MAX) << PB_PLACE_TIME_SHIFT);
}

/* Adds the blocks of one range of cells that may hold rows of the window. */
static enum pb_status
add_place_blocks(struct pb_cursor *cursor, uint32_t index, const struct pb_block_keys *keys,
                 const struct pb_geo_range *range, uint32_t *next_block, struct pb_error *error)
{
    int64_t from_us = cursor->query.from_us;
    int64_t to_us = end_us(cursor) - 1;
    uint64_t last_key = pb_place_key(range->last, to_us);
    uint32_t block = pb_block_keys_find(keys, pb_place_key(range->first, from_us));
    enum pb_status status = PB_OK;

    if (block < *next_block)
        block = *next_block;
    while (status == PB_OK && block < keys->count && pb_block_key(keys, block) <= last_key) {
        uint64_t key = pb_block_key(keys, block);
        uint64_t end = block + 1 < keys->count ? pb_block_key(keys, block + 1) : UINT64_MAX;
        struct source source = { .kind = SOURCE_PLACES, .segment = index, .next = block,
                                 .captured_us = to_us };

        if (key >> 32 == end >> 32) {
            /* All rows lie in one cell, between these times: jump where the window is not. */
            uint32_t cell = (uint32_t)(key >> 32);
            int64_t newest_us = place_key_time(end) + ((INT64_C(1) << PB_PLACE_TIME_SHIFT) - 1);
            uint32_t jump = block + 1;

            if (newest_us < from_us)
                jump = pb_block_keys_find(keys, pb_place_key(cell, from_us));
            else if (place_key_time(key) > to_us)
                jump = pb_block_keys_find(keys, pb_place_key(cell + 1, from_us));
            if (newest_us < from_us || place_key_time(key) > to_us) {
                block = jump > block ? jump : block + 1;
                continue;
            }
            if (newest_us < source.captured_us)
                source.captured_us = newest_us;
        }
        status = add_source(cursor, &source, error);
        *next_block = ++block;
    }
    return status;
}

static enum pb_status
find_places_in_segment(struct pb_cursor *cursor, uint32_t index, struct pb_error *error)
{
    size_t count = 0;
    const struct pb_geo_range *ranges = pb_geo_area_cover(cursor->area, &count);
    struct pb_block_keys keys;
    uint32_t next_block = 0;
    enum pb_status status = PB_OK;

    if (segment_of(cursor, index)->tables[PB_TABLE_PLACES].rows == 0)
        return PB_OK;
    status = pb_segment_keys(segment_of(cursor, index), PB_TABLE_PLACES, &keys, error);
    if (status != PB_OK)
        return pass(cursor, index, status);
    for (size_t i = 0; i < count && status == PB_OK; i++)
        status = add_place_blocks(cursor, index, &keys, &ranges[i], &next_block, error);
    return status;
}

/* Tells whether a row of a segment lies in window and area, and when it was. */
static enum pb_status
place_row(struct pb_cursor *cursor, const struct pb_segment *segment, uint64_t row,
          bool *ret_fits, int64_t *ret_captured_us, struct pb_error *error)
{
    int32_t lat_e7 = 0;
    int32_t lon_e7 = 0;
    enum pb_status status = pb_reads_block_load_columns(&cursor->reads, segment, row,
                                                        PB_READS_OF_TIME, error);

    *ret_fits = false;
    if (status != PB_OK)
        return status;
    *ret_captured_us = pb_reads_block_time(&cursor->reads, row);
    if (!is_in_window(cursor, *ret_captured_us))
        return PB_OK;
    status = pb_reads_block_load_columns(&cursor->reads, segment, row, PB_READS_OF_PLACE, error);
    if (status != PB_OK)
        return status;
    pb_reads_block_position(&cursor->reads, row, &lat_e7, &lon_e7);
    *ret_fits = lat_e7 != PB_NO_POSITION && pb_geo_area_contains(cursor->area, lat_e7, lon_e7);
    return PB_OK;
}

/* Opens a place block: its rows that fit become a list. */
static enum pb_status
open_places(struct pb_cursor *cursor, const struct source *source, struct pb_error *error)
{
    const struct pb_segment *segment = cursor->version->segments[source->segment]->segment;
    int64_t rows[PB_BLOCK_ROWS_MAX];
    uint64_t first = cursor->item_count;
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = pb_segment_block(segment, PB_TABLE_PLACES, (uint32_t)source->next,
                                             &block, error);

    if (status == PB_OK)
        status = pb_segment_column(segment, &block, 0, &column, error);
    if (status != PB_OK)
        return pass(cursor, source->segment, status);
    pb_column_all(&column, rows);
    for (uint32_t i = 0; i < block.rows && status == PB_OK; i++) {
        struct item item = { .row = (uint64_t)rows[i], .segment = source->segment };
        bool fits = false;

        if (i + PLACES_AHEAD < block.rows
            && (uint64_t)rows[i + PLACES_AHEAD] < segment->entry.rows)
            pb_reads_block_fetch(segment, (uint64_t)rows[i + PLACES_AHEAD]);
        if (item.row < segment->entry.rows)
            status = place_row(cursor, segment, item.row, &fits, &item.captured_us, error);
        else
            status = pb_fail(error, PB_E_CORRUPT, "%s: a place's row is out of range",
                             segment->path);
        if (status == PB_OK && fits)
            status = add_item(cursor, &item);
        status = pass(cursor, source->segment, status);
    }
    return status == PB_OK ? add_list(cursor, first, error) : status;
}

/* ---- starting ---- */

static enum pb_status
copy_query(struct pb_cursor *cursor, const struct pb_query *query)
{
    struct pb_str *const texts[] = { &cursor->query.plate, &cursor->query.reader,
                                     &cursor->query.make,  &cursor->query.model,
                                     &cursor->query.color, &cursor->query.body };
    uint64_t hash = 0;
    uint64_t numbers[8] = { query->edits,
                            query->with_lookalikes,
                            query->without_alternates,
                            query->with_superseded,
                            query->jurisdiction,
                            (uint64_t)query->confidence_min_permille,
                            (uint64_t)query->from_us,
                            (uint64_t)query->to_us };
    enum pb_status status = PB_OK;

    cursor->query = *query;
    hash = pb_hash_bytes(numbers, sizeof(numbers));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && status == PB_OK; i++) {
        uint64_t both[2] = { hash, pb_hash_bytes(texts[i]->text, texts[i]->bytes) };

        hash = pb_hash_bytes(both, sizeof(both));
        status = pb_arena_copy(&cursor->arena, *texts[i], texts[i]);
    }
    if (query->area != NULL) {
        size_t count = 0;
        const struct pb_geo_range *ranges = pb_geo_area_cover(query->area, &count);
        uint64_t both[2] = { hash, pb_hash_bytes(ranges, count * sizeof(*ranges)) };

        hash = pb_hash_bytes(both, sizeof(both));
    }
    cursor->question = hash;
    return status;
}

static enum pb_status
check_query(const struct pb_query *query, struct pb_error *error)
{
    if (query->plate.bytes == 0 && query->area == NULL)
        return pb_fail(error, PB_BAD_INPUT, "plate: give a plate, a pattern or an area");
    if (query->from_us >= query->to_us)
        return pb_fail(error, PB_BAD_INPUT, "from, to: the window is empty; give from before to");
    if (query->edits > 2)
        return pb_fail(error, PB_BAD_INPUT, "edits: 0, 1 or 2");
    return PB_OK;
}

static enum pb_status
find_all(struct pb_cursor *cursor, struct pb_error *error)
{
    const struct pb_version *version = cursor->version;
    int64_t now_us = pb_now_us(cursor->env);
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < version->segment_count && status == PB_OK; i++) {
        const struct pb_segment_entry *entry = &version->segments[i]->segment->entry;

        if (entry->captured_max_us < cursor->query.from_us
            || entry->captured_min_us >= end_us(cursor) || entry->delete_after_max_us <= now_us)
            continue;
        if (cursor->area != NULL) {
            status = find_places_in_segment(cursor, i, error);
        } else {
            uint64_t first = cursor->item_count;

            status = find_in_segment(cursor, i, error);
            if (status == PB_OK)
                status = add_list(cursor, first, error);
        }
    }
    return status == PB_OK ? find_in_buffer(cursor, error) : status;
}

/* Hands an error on, where somebody wants it. */
static enum pb_status
hand_on(const struct pb_cursor *cursor, enum pb_status status, struct pb_error *error)
{
    if (error != NULL && status != PB_OK && status != PB_END)
        *error = cursor->skips.error;
    return status;
}

enum pb_status
pb_store_search(struct pb_store *store, const struct pb_query *query,
                struct pb_cursor **ret_cursor, struct pb_error *error)
{
    struct pb_cursor *cursor = NULL;
    enum pb_status status = check_query(query, error);

    if (status != PB_OK)
        return status;
    cursor = pb_calloc(store->env, 1, sizeof(*cursor));
    if (cursor == NULL)
        return PB_E_NOMEM;
    cursor->env = store->env;
    cursor->store = store;
    cursor->area = query->area;
    cursor->plate_segment = UINT32_MAX;
    cursor->skips.env = store->env;
    cursor->skips.on_damage = query->on_damage;
    cursor->skips.context = query->damage_context;
    pb_arena_init(&cursor->arena, store->env, 1024);
    pb_reads_block_init(&cursor->reads);
    status = copy_query(cursor, query);
    if (status == PB_OK && query->resume.bytes != 0) {
        status = pb_token_decode(query->resume, cursor->question, &cursor->resume);
        cursor->has_resume = status == PB_OK;
        if (status != PB_OK)
            (void)pb_fail(error, status, "resume: not a token of this question; ask it anew");
    }
    if (status == PB_OK && query->plate.bytes != 0)
        status = pb_pattern_compile(store->env, query->plate, query->edits,
                                    query->with_lookalikes, &cursor->pattern, error);
    if (status == PB_OK) {
        cursor->version = pb_store_version(store);
        cursor->buffer_count = pb_buffer_count(cursor->version->buffer);
        pb_store_tell_missing(store, query->from_us, query->to_us, query->on_damage,
                              query->damage_context);
        status = hand_on(cursor, find_all(cursor, pb_skips_error(&cursor->skips)), error);
    }
    if (status == PB_OK) {
        *ret_cursor = cursor;
        cursor = NULL;
    }
    pb_cursor_free(cursor);
    return status;
}

void
pb_cursor_free(struct pb_cursor *cursor)
{
    if (cursor == NULL)
        return;
    pb_reads_block_done(&cursor->reads, cursor->env);
    pb_skips_done(&cursor->skips);
    pb_pattern_free(cursor->env, cursor->pattern);
    pb_arena_clear(&cursor->arena);
    pb_free(cursor->env, cursor->sources);
    pb_free(cursor->env, cursor->items);
    pb_free(cursor->env, cursor->candidates);
    pb_version_drop(cursor->version);
    pb_free(cursor->env, cursor);
}

/* ---- giving results ---- */

/* Takes the newest row of all sources if it is not older than from_us; PB_END where there is none
 * such. */
static enum pb_status
take_item(struct pb_cursor *cursor, int64_t from_us, struct item *ret_item, struct pb_error *error)
{
    struct source *top = cursor->sources;
    enum pb_status status = PB_OK;

    /* A place block says only how new its rows are at most. */
    while (cursor->source_count > 0 && top->captured_us >= from_us
           && top->kind == SOURCE_PLACES) {
        struct source source = *top;

        *top = cursor->sources[--cursor->source_count];
        sift_down(cursor, 0);
        status = open_places(cursor, &source, error);
        if (status != PB_OK)
            return status;
        top = cursor->sources;
    }
    if (cursor->source_count == 0 || top->captured_us < from_us)
        return PB_END;
    if (top->kind == SOURCE_LIST) {
        *ret_item = cursor->items[top->first++];
        if (top->first < top->next)
            top->captured_us = cursor->items[top->first].captured_us;
    } else {
        *ret_item = (struct item){ .captured_us = top->captured_us,
                                   .row = --top->next,
                                   .segment = top->segment,
                                   .how = top->how };
        /* The rows of one plate lie together, so their block is nearly always open. */
        status = settle_span(cursor, top, error);
        if (status != PB_OK)
            return status;
    }
    if (top->first == top->next) {
        /* Items are of use while a list points at them. */
        if (top->kind == SOURCE_LIST && --cursor->list_count == 0)
            cursor->item_count = 0;
        *top = cursor->sources[--cursor->source_count];
    }
    sift_down(cursor, 0);
    return PB_OK;
}

static bool
is_buffered(const struct item *item)
{
    return item->segment == BUFFER_SEGMENT;
}

static enum pb_status
decode_item(struct pb_cursor *cursor, const struct item *item, struct pb_read *ret_read,
            struct pb_error *error)
{
    const struct pb_segment *segment = NULL;
    enum pb_status status = PB_OK;

    if (is_buffered(item)) {
        const struct pb_buffer *buffer = cursor->version->buffer;

        *ret_read = *pb_buffer_read(buffer, (uint32_t)item->row);
        ret_read->is_superseded = pb_buffer_is_superseded_at(buffer, (uint32_t)item->row,
                                                              cursor->buffer_count);
        return PB_OK;
    }
    segment = cursor->version->segments[item->segment]->segment;
    status = pb_reads_block_load(&cursor->reads, segment, item->row, error);
    if (status == PB_OK)
        status = pb_reads_block_decode(&cursor->reads, item->row, &cursor->room, ret_read, error);
    /* A history's rows have one plate. */
    if (status == PB_OK
        && (cursor->plate_segment != item->segment || item->row < cursor->plate.first
            || item->row >= cursor->plate.end)) {
        cursor->plate_segment = UINT32_MAX;
        status = pb_segment_plate_of_row(segment, item->row, &cursor->plate, error);
        cursor->plate_segment = item->segment;
    }
    if (status != PB_OK)
        return status;
    ret_read->plate = (struct pb_str){ cursor->plate.text, cursor->plate.bytes };
    ret_read->jurisdiction = cursor->plate.jurisdiction;
    return PB_OK;
}

static bool
is_word(struct pb_str wanted, struct pb_str found)
{
    return wanted.bytes == 0
           || (wanted.bytes == found.bytes
               && strncasecmp(wanted.text, found.text, wanted.bytes) == 0);
}

/* Whether a decoded read may be seen and is what was asked. Sets how where an area was asked
 * together with a plate. */
static bool
is_result(const struct pb_cursor *cursor, struct item *item, struct pb_read *read)
{
    const struct pb_query *query = &cursor->query;
    const struct pb_hidden *hidden = cursor->version->hidden;
    uint64_t segment = is_buffered(item)
                           ? PB_SEGMENT_NONE
                           : cursor->version->segments[item->segment]->segment->entry.number;

    if (!is_in_window(cursor, read->captured_at_us)
        || read->delete_after_us <= pb_now_us(cursor->env)
        || pb_hidden_is_erased(hidden, read, segment))
        return false;
    if (segment != PB_SEGMENT_NONE && pb_hidden_is_history(hidden, read, segment))
        read->is_superseded = true;
    if (read->is_superseded && !query->with_superseded)
        return false;
    if (cursor->area != NULL) {
        if (read->lat_e7 == PB_NO_POSITION
            || !pb_geo_area_contains(cursor->area, read->lat_e7, read->lon_e7))
            return false;
        if (cursor->pattern != NULL && !fits_pattern(cursor, read, &item->how))
            return false;
    }
    return (query->jurisdiction == 0 || query->jurisdiction == read->jurisdiction)
           && (query->reader.bytes == 0 || pb_str_equal(query->reader, read->reader))
           && is_word(query->make, read->make) && is_word(query->model, read->model)
           && is_word(query->color, read->color) && is_word(query->body, read->body)
           && (query->confidence_min_permille == 0
               || pb_read_confidence_permille(read) >= query->confidence_min_permille);
}

/* Whether a result was given before the question was resumed. */
static bool
was_given(const struct pb_cursor *cursor, const struct pb_position *position,
          const struct pb_read *read)
{
    const struct pb_position *resume = &cursor->resume;
    struct pb_position tied = *position;

    if (position->identity == resume->identity && resume->tie != 0)
        tied.tie = pb_tie_of(read, cursor->store->store_id);
    return pb_position_compare(&tied, resume) <= 0;
}

static enum pb_status
add_candidate(struct pb_cursor *cursor, const struct item *item, const struct pb_read *read)
{
    struct candidate candidate = { .item = *item,
                                   .position = { .captured_us = read->captured_at_us,
                                                 .identity = pb_read_identity(read),
                                                 .revision = read->revision } };
    uint32_t at = cursor->candidate_count;

    if (cursor->has_resume && was_given(cursor, &candidate.position, read))
        return PB_OK;
    if (cursor->candidate_count == cursor->candidate_room) {
        uint32_t room = cursor->candidate_room == 0 ? CANDIDATES_FIRST : cursor->candidate_room * 2;
        enum pb_status status = grow(cursor->env, (void **)&cursor->candidates,
                                     sizeof(candidate), room);

        if (status != PB_OK)
            return status;
        cursor->candidate_room = room;
    }
    cursor->candidates[at] = candidate;
    cursor->candidate_count++;
    return PB_OK;
}

/* By position; the same row found several ways: by its own plate first, then best alternate. */
static int
compare_candidates(const struct candidate *a, const struct candidate *b)
{
    int order = pb_position_compare(&a->position, &b->position);

    if (order != 0)
        return order;
    if (a->item.segment != b->item.segment)
        return a->item.segment < b->item.segment ? -1 : 1;
    if (a->item.row != b->item.row)
        return a->item.row < b->item.row ? -1 : 1;
    return (int)a->item.how.alternate - (int)b->item.how.alternate;
}

static void
sort_candidates(struct candidate *candidates, uint32_t count)
{
    /* Nearly always one or two; a moment shared by many is sorted in shrinking steps. */
    for (uint32_t gap = count / 2; gap > 0;
         gap = gap == 2 ? 1 : (uint32_t)((uint64_t)gap * 5 / 11)) {
        for (uint32_t i = gap; i < count; i++) {
            struct candidate candidate = candidates[i];
            uint32_t j = i;

            for (; j >= gap && compare_candidates(&candidates[j - gap], &candidate) > 0; j -= gap)
                candidates[j] = candidates[j - gap];
            candidates[j] = candidate;
        }
    }
}

static bool
is_same_row(const struct candidate *a, const struct candidate *b)
{
    return a->item.segment == b->item.segment && a->item.row == b->item.row;
}

/* Looks at candidates that have one position, and orders them by their ties. */
static enum pb_status
break_tie(struct pb_cursor *cursor, struct candidate *candidates, uint32_t count,
          struct pb_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        enum pb_status status = PB_OK;

        if (i == 0 || !is_same_row(&candidates[i - 1], &candidates[i]))
            status = decode_item(cursor, &candidates[i].item, &cursor->read, error);
        if (status != PB_OK)
            return status; /* no damage to pass over: it was decoded before */
        candidates[i].position.tie = pb_tie_of(&cursor->read, cursor->store->store_id);
    }
    sort_candidates(candidates, count);
    return PB_OK;
}

/* Orders the candidates: nearly always no two rows have one position. */
static enum pb_status
order_candidates(struct pb_cursor *cursor, struct pb_error *error)
{
    struct candidate *candidates = cursor->candidates;
    uint32_t count = cursor->candidate_count;
    enum pb_status status = PB_OK;

    sort_candidates(candidates, count);
    for (uint32_t first = 0; first < count && status == PB_OK;) {
        bool is_tie = false;
        uint32_t end = first + 1;

        for (; end < count &&
               pb_position_compare(&candidates[first].position, &candidates[end].position) == 0;
             end++)
            is_tie = is_tie || !is_same_row(&candidates[first], &candidates[end]);
        if (is_tie)
            status = break_tie(cursor, candidates + first, end - first, error);
        first = end;
    }
    return status;
}

/* Collects what is a result among the rows of the next moment that has any. */
static enum pb_status
collect_moment(struct pb_cursor *cursor, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    cursor->candidate_count = 0;
    cursor->candidate_next = 0;
    while (cursor->candidate_count == 0) {
        int64_t captured_us = 0;
        struct item item;

        status = take_item(cursor, INT64_MIN, &item, error);
        if (status != PB_OK)
            return status;
        captured_us = item.captured_us;
        while (status != PB_END) {
            status = decode_item(cursor, &item, &cursor->read, error);
            cursor->decoded++;
            if (status == PB_OK && is_result(cursor, &item, &cursor->read))
                status = add_candidate(cursor, &item, &cursor->read);
            if (status != PB_OK && !is_buffered(&item))
                status = pass(cursor, item.segment, status);
            if (status != PB_OK)
                return status;
            status = take_item(cursor, captured_us, &item, error);
            if (status < 0)
                return status;
        }
    }
    return order_candidates(cursor, error);
}

/* Makes cursor->read that of a candidate; PB_NOT_FOUND where it is no result any more. */
static enum pb_status
read_candidate(struct pb_cursor *cursor, struct candidate *candidate, struct pb_error *error)
{
    enum pb_status status = decode_item(cursor, &candidate->item, &cursor->read, error);

    if (status != PB_OK)
        return status;
    /* It may have expired since it was collected. */
    return is_result(cursor, &candidate->item, &cursor->read) ? PB_OK : PB_NOT_FOUND;
}

static enum pb_status
next_result(struct pb_cursor *cursor, struct pb_result *ret_result, struct pb_error *error)
{
    for (;;) {
        struct candidate *candidate = NULL;
        bool is_read = false;
        enum pb_status status = PB_OK;

        if (cursor->candidate_next == cursor->candidate_count) {
            uint64_t looked_at = cursor->decoded;

            status = collect_moment(cursor, error);
            if (status != PB_OK)
                return status;
            /* The only row of its moment was decoded a moment ago. */
            is_read = cursor->decoded == looked_at + 1;
        }
        candidate = &cursor->candidates[cursor->candidate_next++];
        if (cursor->candidate_next > 1 && is_same_row(candidate - 1, candidate))
            continue;
        if (!is_read)
            status = read_candidate(cursor, candidate, error);
        if (status == PB_NOT_FOUND)
            continue;
        if (status != PB_OK)
            return status; /* no damage to pass over: it was decoded before */
        ret_result->read = cursor->read;
        ret_result->match = (enum pb_match)candidate->item.how.match;
        ret_result->edits = candidate->item.how.edits;
        ret_result->alternate = candidate->item.how.alternate;
        cursor->given = candidate->position;
        cursor->has_given = true;
        return PB_OK;
    }
}

enum pb_status
pb_cursor_next(struct pb_cursor *cursor, struct pb_result *ret_result, struct pb_error *error)
{
    enum pb_status status = next_result(cursor, ret_result, pb_skips_error(&cursor->skips));

    return hand_on(cursor, status, error);
}

enum pb_status
pb_cursor_token(const struct pb_cursor *cursor, char ret_token[PB_TOKEN_BYTES_MAX])
{
    if (!cursor->has_given)
        return PB_NOT_FOUND;
    pb_token_encode(&cursor->given, cursor->question, ret_token);
    return PB_OK;
}
