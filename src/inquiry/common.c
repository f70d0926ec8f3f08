/*
 * Common plates: those seen at two or more of the places, each in its own window.
 */
#include "inquiry/inquiry_private.h"

static enum pb_status
count_place(struct pb_question *question, uint32_t index, struct pb_tally *tally,
            struct pb_error *error)
{
    const struct pb_place *place = &question->inquiry->places[index];
    struct pb_query query = question->inquiry->query;
    struct pb_cursor *cursor = NULL;
    enum pb_status status = PB_OK;

    if (!pb_question_window(question, place, &query.from_us, &query.to_us))
        return PB_OK;
    query.area = place->area;
    status = pb_store_search(question->site->store, &query, &cursor, error);
    while (status == PB_OK) {
        struct pb_result result;
        uint32_t reader = 0;
        uint32_t plate = 0;

        status = pb_cursor_next(cursor, &result, error);
        if (status != PB_OK || !pb_sieve_admits(&question->sieve, &result.read, &reader))
            continue;
        status = pb_tally_add(tally, &result.read, question->facts->view->readers[reader].agency,
                              &plate, error);
        if (status == PB_OK)
            tally->plates[plate].places |= 1u << index;
    }
    pb_cursor_free(cursor);
    return status == PB_END ? PB_OK : status;
}

static bool
is_common(const struct pb_tally_plate *plate)
{
    return (plate->places & (plate->places - 1)) != 0;
}

static int
places_of(const struct pb_tally_plate *plate)
{
    int count = 0;

    for (uint32_t bits = plate->places; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

/* Seen at most places first; then the newest; then by plate. */
static int
compare_plates(const struct pb_tally_plate *a, const struct pb_tally_plate *b)
{
    int order = places_of(b) - places_of(a);

    if (order == 0)
        order = (a->last_us < b->last_us) - (a->last_us > b->last_us);
    return order != 0 ? order : pb_tally_compare_plates(a, b);
}

enum pb_status
pb_question_common(struct pb_question *question, struct pb_error *error)
{
    struct pb_tally tally;
    uint32_t *order = NULL;
    uint32_t count = 0;
    enum pb_status status = PB_OK;

    pb_tally_init(&tally, question->site->env);
    for (uint32_t i = 0; i < question->inquiry->place_count && status == PB_OK; i++)
        status = count_place(question, i, &tally, error);
    if (status == PB_OK)
        status = pb_tally_order(&tally, is_common, compare_plates, &order, &count);
    if (status == PB_OK)
        status = pb_question_give_plates(question, &tally, order, count, error);
    pb_free(question->site->env, order);
    pb_tally_done(&tally);
    return status;
}
