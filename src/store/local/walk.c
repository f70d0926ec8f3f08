#include "store/local/walk.h"

#include <string.h>

#include "base/text.h"

/* Goes to where the one plate of an exact pattern would stand. */
static enum pb_status
seek_exact(struct pb_walk *walk, struct pb_error *error)
{
    uint64_t code = pb_plate_code(walk->exact);

    if (walk->table == PB_TABLE_ALTERNATES)
        return pb_plate_iterator_seek(&walk->plates, pb_alternate_key(walk->exact), error);
    if (code != 0)
        return pb_plate_iterator_seek(&walk->plates, code, error);
    return pb_plate_iterator_seek_text(&walk->plates, walk->exact, error);
}

enum pb_status
pb_walk_init(struct pb_walk *walk, const struct pb_segment *segment, enum pb_table table,
             const struct pb_pattern *pattern, uint16_t jurisdiction, struct pb_skips *skips)
{
    enum pb_status status = PB_OK;

    walk->segment = segment;
    walk->pattern = pattern;
    walk->table = table;
    walk->jurisdiction = jurisdiction;
    walk->skips = skips;
    walk->keys = (struct pb_block_keys){ NULL, 0 };
    walk->is_exact = pb_pattern_is_exact(pattern, &walk->exact);
    walk->has_given = false;
    walk->is_long = false;
    walk->block_number = UINT32_MAX;
    walk->rows = 0;
    walk->at = 0;
    walk->maybe = 0;
    walk->next_code = 1;
    walk->matched_code = 0;
    memset(&walk->match, 0, sizeof(walk->match));
    pb_pattern_scan_init(&walk->scan, pattern);
    pb_plate_iterator_init(&walk->plates, segment, table);
    status = pb_segment_keys(segment, table, &walk->keys, pb_skips_error(skips));
    if (status == PB_OK && walk->is_exact)
        status = seek_exact(walk, pb_skips_error(skips));
    if (status == PB_OK)
        return PB_OK;
    /* A look at every block that can be read finds it in any other. */
    walk->is_exact = false;
    return pb_skips_pass(skips, segment, status);
}

void
pb_walk_done(struct pb_walk *walk)
{
    pb_plate_iterator_done(&walk->plates);
}

static bool
is_wanted(const struct pb_walk *walk, uint16_t jurisdiction)
{
    return walk->jurisdiction == 0 || walk->jurisdiction == jurisdiction;
}

static enum pb_status
next_exact(struct pb_walk *walk, struct pb_plate_rows *ret_plate)
{
    uint64_t code = walk->table == PB_TABLE_ALTERNATES ? pb_alternate_key(walk->exact)
                                                       : pb_plate_code(walk->exact);
    enum pb_status status = PB_OK;

    do {
        status = pb_plate_iterator_next(&walk->plates, ret_plate, pb_skips_error(walk->skips));
        if (status != PB_OK)
            return status;
        if (ret_plate->code != code || (code == 0 && !pb_str_equal(ret_plate->text, walk->exact)))
            return PB_END;
    } while (!is_wanted(walk, ret_plate->jurisdiction));
    walk->has_given = true;
    return PB_OK;
}

/* A block of a forged file may hold what is no plate's code, which matching does not take. */
static bool
are_codes(const uint64_t *codes, uint32_t count)
{
    uint64_t wrong = 0;

    for (uint32_t i = 0; i < count; i++)
        wrong |= codes[i] >> PB_PLATE_CODE_BITS | (codes[i] == 0);
    return wrong == 0;
}

static enum pb_status
load_block(struct pb_walk *walk, uint32_t number, struct pb_error *error)
{
    struct pb_column column;
    enum pb_status status = pb_segment_block(walk->segment, walk->table, number, &walk->block,
                                             error);

    walk->tried_block = number;
    if (status == PB_OK)
        status = pb_segment_column(walk->segment, &walk->block, PB_PLATES_CODE, &column, error);
    if (status != PB_OK)
        return status;
    pb_column_all(&column, (int64_t *)walk->codes);
    walk->block_number = number;
    walk->rows = walk->block.rows;
    walk->at = 0;
    /* Hashes stand behind all codes and say nothing of their texts. */
    while (walk->rows > 0 && (walk->codes[walk->rows - 1] & PB_ALTERNATE_HASH_BIT))
        walk->rows--;
    if (walk->rows == 0)
        return PB_END;
    if (!are_codes(walk->codes, walk->rows))
        return pb_fail(error, PB_E_CORRUPT, "%s: a plate's code is out of range",
                       pb_segment_name(walk->segment));
    walk->maybe = pb_pattern_prefilter(walk->pattern, walk->codes, walk->rows);
    /* Where none of a block can match, its last code tells how far none can. */
    if (walk->maybe == 0 && walk->next_code <= walk->codes[walk->rows - 1]) {
        struct pb_pattern_match match;

        (void)pb_pattern_scan_code(&walk->scan, walk->codes[walk->rows - 1], &match,
                                   &walk->next_code);
    }
    return PB_OK;
}

/* Goes to the block where next_code may stand; PB_END behind the last one. */
static enum pb_status
next_block(struct pb_walk *walk, struct pb_error *error)
{
    uint32_t number = walk->block_number + 1; /* UINT32_MAX + 1 is 0 */

    if (number >= walk->segment->tables[walk->table].blocks || walk->next_code == UINT64_MAX)
        return PB_END;
    /* Most jumps are short or none: look at the neighbour before searching all. */
    if (number + 1 < walk->keys.count
        && pb_block_key(&walk->keys, number + 1) < walk->next_code) {
        uint32_t found = pb_block_keys_find(&walk->keys, walk->next_code - 1);

        number = found > number ? found : number;
    }
    return load_block(walk, number, error);
}

static enum pb_status
take(struct pb_walk *walk, uint32_t at, struct pb_plate_rows *ret_plate, struct pb_error *error)
{
    const struct pb_segment *segment = walk->segment;
    struct pb_column column;
    enum pb_status status = pb_segment_column(segment, &walk->block, PB_PLATES_JURISDICTION,
                                              &column, error);

    if (status != PB_OK)
        return status;
    ret_plate->code = walk->codes[at];
    ret_plate->text = (struct pb_str){ NULL, 0 };
    ret_plate->jurisdiction = pb_jurisdiction_of_code(pb_column_get(&column, at));
    status = pb_segment_column(segment, &walk->block, PB_PLATES_FIRST, &column, error);
    if (status != PB_OK)
        return status;
    ret_plate->first = (uint64_t)pb_column_get(&column, at);
    if (at + 1 < walk->block.rows)
        ret_plate->end = (uint64_t)pb_column_get(&column, at + 1);
    else
        status = pb_segment_plates_end(segment, walk->table, walk->block_number,
                                       &ret_plate->end, error);
    if (status == PB_OK
        && (ret_plate->first >= ret_plate->end
            || ret_plate->end > segment->tables[walk->table == PB_TABLE_ALTERNATES
                                                    ? PB_TABLE_POSTINGS
                                                    : PB_TABLE_READS].rows))
        status = pb_fail(error, PB_E_CORRUPT, "%s: rows of a plate are out of range",
                         pb_segment_name(segment));
    return status;
}

/* Loads the block where the walk goes on; PB_END behind the last one. */
static enum pb_status
go_on(struct pb_walk *walk)
{
    uint32_t blocks = walk->segment->tables[walk->table].blocks;
    struct pb_error *error = pb_skips_error(walk->skips);
    enum pb_status status = PB_OK;

    /* A code that matched may go on in the next block, under another jurisdiction. No code is 0,
     * which none has matched as yet. */
    if (walk->rows != 0 && walk->codes[walk->rows - 1] == walk->matched_code
        && walk->block_number + 1 < blocks)
        status = load_block(walk, walk->block_number + 1, error);
    else
        status = next_block(walk, error);
    if (status == PB_OK || status == PB_END)
        return status;
    walk->block_number = walk->tried_block;
    walk->rows = 0;
    walk->at = 0;
    return pb_skips_pass(walk->skips, walk->segment, status);
}

static enum pb_status
next_packed(struct pb_walk *walk, struct pb_plate_rows *ret_plate)
{
    enum pb_status status = PB_OK;

    for (;;) {
        while (walk->at < walk->rows) {
            uint64_t left = walk->maybe >> walk->at;
            uint64_t code = 0;
            uint32_t at = 0;

            if (left == 0)
                break;
            at = walk->at + (uint32_t)__builtin_ctzll(left);
            code = walk->codes[at];
            walk->at = at + 1;
            /* One code may stand several times, once a jurisdiction. */
            if (code != walk->matched_code) {
                if (code < walk->next_code)
                    continue;
                if (!pb_pattern_scan_code(&walk->scan, code, &walk->match, &walk->next_code)) {
                    if (walk->next_code > walk->codes[walk->rows - 1])
                        break;
                    continue;
                }
                walk->matched_code = code;
            }
            status = take(walk, at, ret_plate, pb_skips_error(walk->skips));
            if (status == PB_OK && is_wanted(walk, ret_plate->jurisdiction))
                return PB_OK;
            if (status != PB_OK)
                status = pb_skips_pass(walk->skips, walk->segment, status);
            if (status != PB_OK)
                return status;
        }
        status = go_on(walk);
        if (status != PB_OK)
            return status;
    }
}

/* Begins with what has no code: it stands behind what has one. */
static enum pb_status
begin_long(struct pb_walk *walk)
{
    bool is_plates = walk->table == PB_TABLE_PLATES;
    enum pb_status status = PB_OK;

    walk->is_long = true;
    pb_plate_iterator_done(&walk->plates);
    pb_plate_iterator_init(&walk->plates, walk->segment,
                           is_plates ? PB_TABLE_LONG : PB_TABLE_ALTERNATES);
    if (!is_plates)
        status = pb_plate_iterator_seek(&walk->plates, PB_ALTERNATE_HASH_BIT,
                                        pb_skips_error(walk->skips));
    return pb_skips_pass(walk->skips, walk->segment, status);
}

static enum pb_status
next_long(struct pb_walk *walk, struct pb_plate_rows *ret_plate,
          struct pb_pattern_match *ret_match)
{
    for (;;) {
        enum pb_status status = pb_plate_iterator_next(&walk->plates, ret_plate,
                                                       pb_skips_error(walk->skips));

        if (status == PB_OK && ret_plate->text.bytes != 0
            && is_wanted(walk, ret_plate->jurisdiction)
            && pb_pattern_matches(walk->pattern, ret_plate->text, ret_match))
            return PB_OK;
        status = pb_skips_pass(walk->skips, walk->segment, status);
        if (status != PB_OK)
            return status;
    }
}

enum pb_status
pb_walk_next(struct pb_walk *walk, struct pb_plate_rows *ret_plate,
             struct pb_pattern_match *ret_match)
{
    enum pb_status status = PB_END;

    if (walk->is_exact) {
        memset(ret_match, 0, sizeof(*ret_match));
        status = next_exact(walk, ret_plate);
        if (status == PB_OK || status == PB_END)
            return status;
        status = pb_skips_pass(walk->skips, walk->segment, status);
        if (status != PB_OK || walk->has_given)
            return status == PB_OK ? PB_END : status;
        walk->is_exact = false;
    }
    if (!walk->is_long) {
        status = next_packed(walk, ret_plate);
        *ret_match = walk->match;
        if (status != PB_END)
            return status;
        status = begin_long(walk);
        if (status != PB_OK)
            return status;
    }
    return next_long(walk, ret_plate, ret_match);
}
