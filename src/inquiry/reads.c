/*
 * Reads as rows: kinds plate, pattern and place.
 */
#include <string.h>

#include "inquiry/inquiry_private.h"
#include "read/read.h"

struct find {
    struct pb_question *question;
    struct pb_cursor *cursor; /* owned */
    uint8_t *readers_seen;    /* owned: one per reader; only where coverage can be told */
};

static enum pb_status
start(struct find *find, struct pb_error *error)
{
    struct pb_question *question = find->question;
    const struct pb_inquiry *inquiry = question->inquiry;
    const struct pb_place *place = inquiry->place_count > 0 ? inquiry->places : NULL;
    struct pb_query query = inquiry->query;

    if (!pb_question_window(question, place, &query.from_us, &query.to_us))
        return PB_END;
    if (place != NULL)
        query.area = place->area;
    if (question->is_page)
        query.resume = question->page.position;
    return pb_store_search(question->site->store, &query, &find->cursor, error);
}

/* Keeps a row of the answer. */
static enum pb_status
keep(struct find *find, const struct pb_result *result, uint32_t reader)
{
    struct pb_question *question = find->question;
    struct pb_answer *answer = question->answer;
    const struct pb_catalog_view *view = question->facts->view;
    uint32_t owner = view->readers[reader].agency;
    struct pb_row *row = pb_answer_add(answer);
    enum pb_status status = PB_OK;

    if (row == NULL)
        return PB_E_NOMEM;
    row->result = *result;
    row->owner = view->agencies[owner].id;
    status = pb_read_copy(&answer->arena, &result->read, &row->result.read);
    /* Where a next page would begin; without it there is none. */
    if (status == PB_OK && answer->row_count == question->keep_max)
        status = pb_cursor_token(find->cursor, question->position);
    question->reads_by_agency[owner]++;
    return status;
}

/* Takes rows until enough are counted; PB_END where there are no more. */
static enum pb_status
take(struct find *find, struct pb_error *error)
{
    struct pb_question *question = find->question;
    struct pb_answer *answer = question->answer;
    enum pb_status status = PB_OK;

    while (status == PB_OK && answer->count < question->count_max) {
        struct pb_result result;
        uint32_t reader = 0;

        status = pb_cursor_next(find->cursor, &result, error);
        if (status != PB_OK || !pb_sieve_admits(&question->sieve, &result.read, &reader))
            continue;
        answer->count++;
        if (find->readers_seen != NULL)
            find->readers_seen[reader] = 1;
        if (answer->row_count < question->keep_max)
            status = keep(find, &result, reader);
        /* A page needs no count: that was made with the first one. */
        if (question->is_page && answer->row_count == question->keep_max)
            return PB_OK;
    }
    return status;
}

/* Only a question for all that passed a place tells whether its readers were up. */
static bool
tells_coverage(const struct pb_question *question)
{
    const struct pb_query *query = &question->inquiry->query;

    return question->inquiry->kind == PB_INQUIRY_PLACE && !question->is_page &&
           query->plate.bytes == 0 && query->jurisdiction == 0 && query->make.bytes == 0 &&
           query->model.bytes == 0 && query->color.bytes == 0 && query->body.bytes == 0 &&
           query->confidence_min_permille == 0;
}

static void
count_readers(struct find *find)
{
    struct pb_coverage *coverage = &find->question->answer->coverage;

    for (uint32_t i = 0; i < find->question->facts->view->reader_count; i++)
        coverage->readers_up += find->readers_seen[i];
    coverage->is_up_known = true;
}

enum pb_status
pb_question_reads(struct pb_question *question, struct pb_error *error)
{
    const struct pb_env *env = question->site->env;
    struct find find = { .question = question };
    enum pb_status status = PB_OK;

    if (tells_coverage(question)) {
        find.readers_seen = pb_calloc(env, question->facts->view->reader_count + 1u, 1);
        if (find.readers_seen == NULL)
            return PB_E_NOMEM;
    }
    status = start(&find, error);
    if (status == PB_OK)
        status = take(&find, error);
    if (status == PB_END) {
        if (find.readers_seen != NULL)
            count_readers(&find);
        status = PB_OK;
    }
    pb_cursor_free(find.cursor);
    pb_free(env, find.readers_seen);
    return status;
}
