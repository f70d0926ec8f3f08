/*
 * Distinct plates that fit a pattern, with their counts: kind pattern with counts_plates.
 *
 * The store could count plates far faster by itself, but it counts what the asker may not see.
 */
#include "inquiry/inquiry_private.h"

static enum pb_status
count_all(struct pb_question *question, struct pb_tally *tally, struct pb_error *error)
{
    struct pb_query query = question->inquiry->query;
    struct pb_cursor *cursor = NULL;
    enum pb_status status = PB_OK;

    if (!pb_question_window(question, NULL, &query.from_us, &query.to_us))
        return PB_OK;
    /* What a reader took for something else is no read of the plate. */
    query.without_alternates = true;
    status = pb_store_search(question->site->store, &query, &cursor, error);
    while (status == PB_OK) {
        struct pb_result result;
        uint32_t reader = 0;
        uint32_t plate = 0;

        status = pb_cursor_next(cursor, &result, error);
        if (status == PB_OK && pb_sieve_admits(&question->sieve, &result.read, &reader))
            status = pb_tally_add(tally, &result.read,
                                  question->facts->view->readers[reader].agency, &plate, error);
    }
    pb_cursor_free(cursor);
    return status == PB_END ? PB_OK : status;
}

enum pb_status
pb_question_plates(struct pb_question *question, struct pb_error *error)
{
    struct pb_tally tally;
    uint32_t *order = NULL;
    uint32_t count = 0;
    enum pb_status status = PB_OK;

    pb_tally_init(&tally, question->site->env);
    status = count_all(question, &tally, error);
    if (status == PB_OK)
        status = pb_tally_order(&tally, NULL, pb_tally_compare_plates, &order, &count);
    if (status == PB_OK)
        status = pb_question_give_plates(question, &tally, order, count, error);
    pb_free(question->site->env, order);
    pb_tally_done(&tally);
    return status;
}
