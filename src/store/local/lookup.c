#include "store/local/lookup.h"

#include <string.h>

#include "base/text.h"
#include "plate/plate_code.h"

struct lookup {
    const struct pb_segment *segment;
    const struct pb_read *read;
    struct pb_known *known;
    struct pb_reads_block reads; /* owned */
    struct pb_error *error;
    enum pb_status status;
};

/* Compares one row, whose plate is known already or is looked up. */
static enum pb_status
compare(struct lookup *lookup, uint64_t row, const struct pb_plate_text *plate)
{
    struct pb_plate_text found;
    struct pb_record_room room;
    struct pb_read stored;
    enum pb_status status = pb_reads_block_load(&lookup->reads, lookup->segment, row,
                                                lookup->error);

    if (status == PB_OK)
        status = pb_reads_block_decode(&lookup->reads, row, &room, &stored, lookup->error);
    if (status == PB_OK && plate == NULL) {
        status = pb_segment_plate_of_row(lookup->segment, row, &found, lookup->error);
        plate = &found;
    }
    if (status != PB_OK)
        return status;
    stored.plate = (struct pb_str){ plate->text, plate->bytes };
    stored.jurisdiction = plate->jurisdiction;
    if (pb_read_same_identity(&stored, lookup->read))
        pb_known_add(lookup->known, lookup->read, &stored);
    return PB_OK;
}

static bool
compare_event(void *context, uint64_t row)
{
    struct lookup *lookup = context;

    lookup->status = compare(lookup, row, NULL);
    return lookup->status == PB_OK;
}

/* Rows of one plate and jurisdiction that were captured at the read's moment. */
static enum pb_status
compare_moment(struct lookup *lookup, const struct pb_plate_rows *rows,
               const struct pb_plate_text *plate)
{
    uint64_t row = 0;
    int64_t captured_us = lookup->read->captured_at_us;
    enum pb_status status = pb_segment_lower_bound(lookup->segment, rows->first, rows->end,
                                                   captured_us, &row, lookup->error);

    for (; row < rows->end && status == PB_OK; row++) {
        status = pb_reads_block_load(&lookup->reads, lookup->segment, row, lookup->error);
        if (status != PB_OK || pb_reads_block_time(&lookup->reads, row) != captured_us)
            break;
        status = compare(lookup, row, plate);
    }
    return status;
}

static enum pb_status
find_by_plate(struct lookup *lookup)
{
    const struct pb_read *read = lookup->read;
    struct pb_str plate = read->identity_plate.bytes != 0 ? read->identity_plate : read->plate;
    uint64_t code = pb_plate_code(plate);
    struct pb_plate_iterator iterator;
    struct pb_plate_rows rows;
    struct pb_plate_text text;
    enum pb_status status = PB_OK;

    pb_plate_iterator_init(&iterator, lookup->segment,
                           code != 0 ? PB_TABLE_PLATES : PB_TABLE_LONG);
    status = code != 0 ? pb_plate_iterator_seek(&iterator, code, lookup->error)
                       : pb_plate_iterator_seek_text(&iterator, plate, lookup->error);
    text.bytes = plate.bytes;
    memcpy(text.text, plate.text, plate.bytes);
    while (status == PB_OK) {
        status = pb_plate_iterator_next(&iterator, &rows, lookup->error);
        if (status != PB_OK || rows.code != code
            || (code == 0 && !pb_str_equal(rows.text, plate)))
            break;
        text.jurisdiction = rows.jurisdiction;
        status = compare_moment(lookup, &rows, &text);
    }
    pb_plate_iterator_done(&iterator);
    return status == PB_END ? PB_OK : status;
}

enum pb_status
pb_segment_find_identity(const struct pb_segment *segment, const struct pb_read *read,
                         uint64_t identity, struct pb_known *known, struct pb_error *error)
{
    struct lookup lookup; /* is large and needs no clearing */
    enum pb_status status = PB_OK;

    lookup.segment = segment;
    lookup.read = read;
    lookup.known = known;
    lookup.error = error;
    lookup.status = PB_OK;
    pb_reads_block_init(&lookup.reads);
    /* A correction of a read without event id is an event; what it corrects is not. */
    if (segment->tables[PB_TABLE_EVENTS].rows != 0)
        status = pb_segment_find_event(segment, identity, compare_event, &lookup, error);
    if (status == PB_OK)
        status = lookup.status;
    if (status == PB_OK && read->event_id.bytes == 0
        && read->captured_at_us >= segment->entry.captured_min_us
        && read->captured_at_us <= segment->entry.captured_max_us)
        status = find_by_plate(&lookup);
    pb_reads_block_done(&lookup.reads, segment->env);
    return status;
}
