/*
 * Reads in: parsed, checked against the token's scope, stamped, stored, and then answered.
 *
 * A body is taken in batches, each one commit; the answer is written when the last is on disk.
 * Where a later batch fails, what earlier ones stored stays, and the client, who was told of a
 * failure, sends again: that is harmless.
 */
#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "api/api_private.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "ingest/ingest.h"
#include "inquiry/site.h"
#include "net/head.h"
#include "read/read.h"

#define BATCH_READS 16384u /* of one commit: bounds the memory of one request */
#define BATCH_READS_MIN 16u
#define REJECTIONS_MAX 100u

/* Stands for "the reader is not said"; nobody's reader may be called so. */
static const char no_reader[] = "platebase.no-reader";

/* How a body is laid out, which a parser is made for. */
enum layout {
    LAYOUT_LINES, /* one object, or one a line */
    LAYOUT_ARRAY,
    LAYOUT_OTHER, /* one object over several lines */
};
static_assert(LAYOUT_OTHER == PB_API_TAKER_LISTS, "parsers of the others are kept");

/* How long a taker goes on with the catalog and rules that it began with. */
#define FRESH_NS INT64_C(1000000000)

/*
 * What takes a body: a parser, and for one agency a stamper. It is kept for the next body, for to
 * make one costs more than to take a few reads, and all threads would ask the catalog at once.
 */
struct pb_api_taker {
    struct pb_api_taker *next;
    struct pb_input_head *head; /* owned */
    struct pb_parser *parser;   /* owned */

    char agency[PB_CATALOG_ID_BYTES_MAX + 1];
    const struct pb_catalog_view *view; /* owned reference; NULL: none yet */
    uint32_t agency_index;              /* in the view */
    struct pb_stamper *stamper;         /* owned */
    int64_t made_ns;                    /* view and stamper */
};

/* Status of one read in an answer. */
enum outcome {
    OUTCOME_STORED,
    OUTCOME_DUPLICATE,
    OUTCOME_CONFLICT,
    OUTCOME_EXPIRED,
    OUTCOME_NOT_KEPT,
    OUTCOME_REFUSED,
    OUTCOME_COUNT,
};
static const char *const outcome_names[OUTCOME_COUNT] = { "stored",  "duplicate", "conflict",
                                                          "expired", "not_kept",  "refused" };

struct rejection {
    uint64_t line;
    const char *field, *reason; /* static */
};

/* One body on its way. */
struct taking {
    struct pb_api_commit commit; /* of the last batch */
    struct pb_api *api;
    struct pb_reply *reply; /* borrowed: where the answer goes */
    const struct pb_api_token *token;
    struct pb_api_taker *taker; /* owned while it works */

    struct pb_arena arena;        /* texts of the batch */
    struct pb_read *batch;        /* owned: batch_capacity elements */
    uint32_t *batch_index;        /* owned: of each its place in outcomes */
    enum pb_status *batch_status; /* owned */
    uint32_t batch_count, batch_capacity;
    bool has_new_readers; /* some of the batch are of readers that the view does not know */
    bool must_not_wait, would_wait; /* for the catalog */

    uint8_t *outcomes; /* owned: enum outcome of each read so far */
    size_t outcome_count, outcome_capacity;
    uint64_t counts[OUTCOME_COUNT], rejected;
    struct rejection rejections[REJECTIONS_MAX]; /* the first */
    struct pb_error error;
};

/* ---- takers ---- */

static void
drop_stamper(struct pb_api_taker *taker)
{
    pb_stamper_free(taker->stamper);
    pb_catalog_view_drop(taker->view);
    taker->stamper = NULL;
    taker->view = NULL;
}

static void
free_taker(const struct pb_env *env, struct pb_api_taker *taker)
{
    if (taker == NULL)
        return;
    drop_stamper(taker);
    pb_parser_free(taker->parser);
    pb_input_head_free(env, taker->head);
    pb_free(env, taker);
}

void
pb_api_free_takers(struct pb_api *api)
{
    for (unsigned i = 0; i < PB_API_TAKER_LISTS; i++) {
        while (api->takers[i] != NULL) {
            struct pb_api_taker *next = api->takers[i]->next;

            free_taker(api->env, api->takers[i]);
            api->takers[i] = next;
        }
    }
}

/* Bytes before the first that says something: white space, and a mark of byte order. */
static uint32_t
lead_bytes(struct pb_str body)
{
    uint32_t at = body.bytes >= 3 && memcmp(body.text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

    while (at < body.bytes && memchr(" \t\r\n", body.text[at], 4) != NULL)
        at++;
    return at;
}

static enum layout
layout_of(struct pb_str body, bool is_lines)
{
    uint32_t lead = lead_bytes(body);
    const char *line_end;

    if (lead == body.bytes)
        return LAYOUT_LINES;
    if (body.text[lead] == '[')
        return LAYOUT_ARRAY;
    line_end = memchr(body.text + lead, '\n', body.bytes - lead);
    return is_lines || line_end == NULL ? LAYOUT_LINES : LAYOUT_OTHER;
}

/* What a parser of that layout has to see of a body, to be told apart. */
static struct pb_str
sample_of(enum layout layout, struct pb_str body)
{
    return layout == LAYOUT_OTHER ? body : pb_str_from(layout == LAYOUT_ARRAY ? "[" : "");
}

static enum pb_status
make_taker(const struct pb_env *env, struct pb_str sample, struct pb_api_taker **ret_taker,
           struct pb_error *error)
{
    const struct pb_ingest_defaults defaults = {
        .reader = pb_str_from(no_reader),
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
        .country = "US",
        .delete_after_us = PB_NEVER,
        .retention_days = -1,
    };
    struct pb_api_taker *taker = pb_calloc(env, 1, sizeof(*taker));
    size_t head_bytes = 0;
    enum pb_status status;

    if (taker == NULL)
        return PB_E_NOMEM;
    status = pb_input_head_new(env, PB_FORMAT_NDJSON, (const uint8_t *)sample.text, sample.bytes,
                               &defaults, &taker->head, &head_bytes, error);
    if (status == PB_OK)
        status = pb_parser_new(env, taker->head, &taker->parser, error);
    if (status != PB_OK) {
        free_taker(env, taker);
        return status;
    }
    *ret_taker = taker;
    return PB_OK;
}

static bool
is_fresh(const struct pb_env *env, const struct pb_api_taker *taker, struct pb_str agency)
{
    return taker->stamper != NULL && pb_str_equal(agency, pb_str_from(taker->agency)) &&
           pb_monotonic_ns(env) - taker->made_ns < FRESH_NS;
}

/* Takes one at rest from a list, rather one that has served this agency. */
static struct pb_api_taker *
pick_taker(struct pb_api_taker **list, const struct pb_env *env, struct pb_str agency,
           bool must_be_fresh)
{
    struct pb_api_taker **place = list, *taker;

    while (*place != NULL && !pb_str_equal(agency, pb_str_from((*place)->agency)))
        place = &(*place)->next;
    if (must_be_fresh && (*place == NULL || !is_fresh(env, *place, agency)))
        return NULL;
    if (*place == NULL)
        place = list;
    taker = *place;
    if (taker != NULL)
        *place = taker->next;
    return taker;
}

/* Makes view and stamper of the agency anew where they are another's, or not of this second. */
static enum pb_status
refresh(struct pb_api *api, struct pb_api_taker *taker, struct pb_str agency,
        struct pb_error *error)
{
    struct pb_site *site = api->options.site;
    int64_t now_ns = pb_monotonic_ns(api->env);
    enum pb_status status;

    if (is_fresh(api->env, taker, agency))
        return PB_OK;
    drop_stamper(taker);
    memcpy(taker->agency, agency.text, agency.bytes);
    taker->agency[agency.bytes] = '\0';
    taker->made_ns = now_ns;
    status = pb_catalog_view_take(pb_site_catalog(site), &taker->view, error);
    if (status != PB_OK)
        return status;
    taker->agency_index = pb_view_agency(taker->view, agency);
    if (taker->agency_index == PB_NO_INDEX)
        return PB_E_CORRUPT; /* an agency is closed, never removed */
    return pb_stamper_new(site, taker->agency,
                          taker->view->agencies[taker->agency_index].jurisdiction, &taker->stamper,
                          error);
}

/* PB_NOT_FOUND: there is none at hand, and must_not_wait. */
static enum pb_status
take_taker(struct pb_api *api, enum layout layout, struct pb_str body, struct pb_str agency,
           bool must_not_wait, struct pb_api_taker **ret_taker, struct pb_error *error)
{
    struct pb_api_taker *taker = NULL;
    enum pb_status status = PB_OK;

    if (layout != LAYOUT_OTHER) {
        (void)pthread_mutex_lock(&api->takers_lock);
        taker = pick_taker(&api->takers[layout], api->env, agency, must_not_wait);
        (void)pthread_mutex_unlock(&api->takers_lock);
    }
    if (taker == NULL && must_not_wait)
        return PB_NOT_FOUND;
    if (taker == NULL)
        status = make_taker(api->env, sample_of(layout, body), &taker, error);
    if (status == PB_OK)
        status = refresh(api, taker, agency, error);
    if (status != PB_OK)
        free_taker(api->env, taker);
    else
        *ret_taker = taker;
    return status;
}

/* One that failed is not used again. */
static void
give_taker_back(struct pb_api *api, enum layout layout, struct pb_api_taker *taker, bool is_good)
{
    if (layout == LAYOUT_OTHER || !is_good) {
        free_taker(api->env, taker);
        return;
    }
    (void)pthread_mutex_lock(&api->takers_lock);
    taker->next = api->takers[layout];
    api->takers[layout] = taker;
    (void)pthread_mutex_unlock(&api->takers_lock);
}

/* ---- one read ---- */

static enum pb_status
add_outcome(struct taking *taking, enum outcome outcome)
{
    if (taking->outcome_count == taking->outcome_capacity) {
        size_t capacity = taking->outcome_capacity == 0 ? 64 : taking->outcome_capacity * 2;
        uint8_t *larger = pb_realloc(taking->api->env, taking->outcomes, capacity);

        if (larger == NULL)
            return PB_E_NOMEM;
        taking->outcomes = larger;
        taking->outcome_capacity = capacity;
    }
    taking->outcomes[taking->outcome_count++] = (uint8_t)outcome;
    return PB_OK;
}

/* Room for one read more. */
static enum pb_status
make_room(struct taking *taking)
{
    const struct pb_env *env = taking->api->env;
    uint32_t capacity = taking->batch_capacity == 0 ? BATCH_READS_MIN : taking->batch_capacity * 2;
    struct pb_read *batch;
    uint32_t *indices;
    enum pb_status *statuses;

    if (taking->batch_count < taking->batch_capacity)
        return PB_OK;
    batch = pb_realloc(env, taking->batch, capacity * sizeof(*batch));
    taking->batch = batch != NULL ? batch : taking->batch;
    indices = pb_realloc(env, taking->batch_index, capacity * sizeof(*indices));
    taking->batch_index = indices != NULL ? indices : taking->batch_index;
    statuses = pb_realloc(env, taking->batch_status, capacity * sizeof(*statuses));
    taking->batch_status = statuses != NULL ? statuses : taking->batch_status;
    if (batch == NULL || indices == NULL || statuses == NULL)
        return PB_E_NOMEM;
    taking->batch_capacity = capacity;
    return PB_OK;
}

static bool
is_in_list(const struct pb_api_token *token, struct pb_str reader)
{
    for (uint32_t i = 0; i < token->reader_count; i++) {
        if (pb_str_equal(token->readers[i], reader))
            return true;
    }
    return token->reader_count == 0;
}

/* May the token send for this reader? One that nobody knows yet becomes the agency's. */
static bool
is_in_scope(struct taking *taking, struct pb_read *read)
{
    const struct pb_api_token *token = taking->token;
    const struct pb_catalog_view *view = taking->taker->view;
    uint32_t reader;

    if (pb_str_equal(read->reader, pb_str_from(no_reader))) {
        if (token->reader_count != 1)
            return false;
        read->reader = token->readers[0];
    }
    if (!is_in_list(token, read->reader))
        return false;
    reader = pb_view_reader(view, read->reader);
    taking->has_new_readers |= reader == PB_NO_INDEX;
    return reader == PB_NO_INDEX || view->readers[reader].agency == taking->taker->agency_index;
}

static enum outcome
outcome_of(enum pb_status status, const char *reason)
{
    if (status == PB_EXPIRED)
        return reason == pb_stamp_never_stored || reason == pb_stamp_in_zone ? OUTCOME_NOT_KEPT
                                                                             : OUTCOME_EXPIRED;
    return OUTCOME_REFUSED;
}

static enum pb_status
take_read(struct taking *taking, struct pb_read *read)
{
    const char *reason = "";
    enum pb_status status;

    if (!is_in_scope(taking, read))
        return add_outcome(taking, OUTCOME_REFUSED);
    if (taking->must_not_wait && taking->has_new_readers) {
        taking->would_wait = true;
        return PB_E_BUSY;
    }
    status = pb_stamper_stamp(taking->taker->stamper, read, &reason, &taking->error);
    if (status < 0)
        return status;
    if (status != PB_OK)
        return add_outcome(taking, outcome_of(status, reason));
    /* What a parser gives is gone when it goes on. */
    status = make_room(taking);
    if (status == PB_OK)
        status = pb_read_copy(&taking->arena, read, &taking->batch[taking->batch_count]);
    if (status == PB_OK) {
        taking->batch_index[taking->batch_count] = (uint32_t)taking->outcome_count;
        status = add_outcome(taking, OUTCOME_STORED);
    }
    taking->batch_count += status == PB_OK;
    return status;
}

/* ---- one batch ---- */

/*
 * Readers that were new have been added, or somebody else was quicker: whose they are now is asked
 * again. Reads of another agency's reader leave the batch.
 */
static enum pb_status
check_new_readers(struct taking *taking)
{
    const struct pb_catalog_view *view = NULL;
    enum pb_status status =
        pb_catalog_view_take(pb_site_catalog(taking->api->options.site), &view, &taking->error);
    uint32_t kept = 0, agency;

    if (status != PB_OK)
        return status;
    agency = pb_view_agency(view, taking->token->agency);
    for (uint32_t i = 0; i < taking->batch_count; i++) {
        uint32_t reader = pb_view_reader(view, taking->batch[i].reader);

        if (reader == PB_NO_INDEX || view->readers[reader].agency != agency) {
            taking->outcomes[taking->batch_index[i]] = OUTCOME_REFUSED;
            continue;
        }
        taking->batch[kept] = taking->batch[i];
        taking->batch_index[kept++] = taking->batch_index[i];
    }
    taking->batch_count = kept;
    pb_catalog_view_drop(view);
    taking->has_new_readers = false;
    taking->taker->made_ns -= FRESH_NS; /* its view does not know them */
    return PB_OK;
}

/* What became of each read of the batch. */
static void
note_statuses(struct taking *taking)
{
    static const enum outcome outcomes[] = {
        [PB_OK] = OUTCOME_STORED,           [PB_NOT_FOUND] = OUTCOME_REFUSED,
        [PB_DUPLICATE] = OUTCOME_DUPLICATE, [PB_BAD_INPUT] = OUTCOME_REFUSED,
        [PB_OVER_LIMIT] = OUTCOME_REFUSED,  [PB_CONFLICT] = OUTCOME_CONFLICT,
        [PB_END] = OUTCOME_REFUSED,         [PB_EXPIRED] = OUTCOME_EXPIRED,
        [PB_DENIED] = OUTCOME_REFUSED,
    };

    for (uint32_t i = 0; i < taking->batch_count; i++)
        taking->outcomes[taking->batch_index[i]] = (uint8_t)outcomes[taking->batch_status[i]];
}

/* The batch is the agency's, and can be appended. */
static enum pb_status
close_batch(struct taking *taking)
{
    enum pb_status status;

    /* There are none then, and what else the stamper has to tell has time. */
    if (taking->must_not_wait)
        return PB_OK;
    /* New readers are in the catalog before reads of theirs are said to be stored. */
    status = pb_stamper_flush(taking->taker->stamper, &taking->error);

    return status == PB_OK && taking->has_new_readers ? check_new_readers(taking) : status;
}

/* One that is not the last: at once. */
static enum pb_status
store_batch(struct taking *taking)
{
    enum pb_status status = close_batch(taking);

    if (status == PB_OK && taking->batch_count > 0)
        status = pb_store_append(pb_site_store(taking->api->options.site), taking->batch,
                                 taking->batch_count, taking->batch_status, &taking->error);
    if (status == PB_OK)
        note_statuses(taking);
    taking->batch_count = 0;
    pb_arena_reset(&taking->arena);
    return status;
}

static enum pb_status
on_reads(void *context, struct pb_read *reads, size_t count)
{
    struct taking *taking = context;
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < count && status == PB_OK; i++) {
        if (taking->batch_count == BATCH_READS)
            status = store_batch(taking);
        if (status == PB_OK)
            status = take_read(taking, &reads[i]);
    }
    return status;
}

static enum pb_status
on_reject(void *context, const struct pb_rejection *rejection)
{
    struct taking *taking = context;

    if (taking->rejected < REJECTIONS_MAX)
        taking->rejections[taking->rejected] =
            (struct rejection){ rejection->line, rejection->field, rejection->reason };
    taking->rejected++;
    return PB_OK;
}

/* ---- one body ---- */

static void
free_taking(struct taking *taking)
{
    const struct pb_env *env = taking->api->env;

    pb_arena_clear(&taking->arena);
    pb_free(env, taking->batch);
    pb_free(env, taking->batch_index);
    pb_free(env, taking->batch_status);
    pb_free(env, taking->outcomes);
    pb_free(env, taking);
}

static enum pb_status
take_body(struct taking *taking, struct pb_str body, bool is_lines)
{
    const struct pb_ingest_sink sink = { on_reads, on_reject, taking };
    enum layout layout = layout_of(body, is_lines);
    /* An array's elements begin behind its bracket. */
    uint32_t start = layout == LAYOUT_ARRAY ? lead_bytes(body) + 1 : 0;
    enum pb_status status = take_taker(taking->api, layout, body, taking->token->agency,
                                       taking->must_not_wait, &taking->taker, &taking->error);

    taking->would_wait = status == PB_NOT_FOUND;
    if (status != PB_OK)
        return status;
    status = pb_parser_chunk(taking->taker->parser, (const uint8_t *)body.text + start,
                             body.bytes - start, 1, true, &sink, &taking->error);
    if (status > PB_OK) { /* the body as a whole is none that a parser knows */
        const struct pb_rejection rejection = { .field = "", .reason = "this is no JSON" };

        status = on_reject(taking, &rejection);
    }
    if (status == PB_OK)
        status = close_batch(taking);
    give_taker_back(taking->api, layout, taking->taker, status == PB_OK);
    return status;
}

/* An empty body is no type's. */
static bool
says_lines(const struct pb_request *request)
{
    const struct pb_str *type = pb_request_header(request, "Content-Type");

    return type != NULL && pb_head_is_type(*type, "application/x-ndjson");
}

/* ---- the answer ---- */

static void
put_rejections(struct pb_reply *reply, const struct taking *taking)
{
    if (taking->rejected == 0)
        return;
    pb_reply_put_text(reply, ",\"rejections\":[");
    for (uint64_t i = 0; i < taking->rejected && i < REJECTIONS_MAX; i++) {
        pb_reply_put_text(reply, i > 0 ? ",{\"line\":" : "{\"line\":");
        pb_reply_put_number(reply, (int64_t)taking->rejections[i].line);
        pb_reply_put_text(reply, ",\"field\":");
        pb_reply_put_json(reply, pb_str_from(taking->rejections[i].field));
        pb_reply_put_text(reply, ",\"reason\":");
        pb_reply_put_json(reply, pb_str_from(taking->rejections[i].reason));
        pb_reply_put_text(reply, "}");
    }
    pb_reply_put_text(reply, "]");
}

static void
put_result(struct pb_reply *reply, struct taking *taking)
{
    for (size_t i = 0; i < taking->outcome_count; i++)
        taking->counts[taking->outcomes[i]]++;
    reply->content_type = "application/json";
    reply->status = taking->outcome_count == 0 ? 422 : 200;
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        pb_reply_put_text(reply, i == 0 ? "{\"" : ",\"");
        pb_reply_put_text(reply, outcome_names[i]);
        pb_reply_put_text(reply, "\":");
        pb_reply_put_number(reply, (int64_t)taking->counts[i]);
    }
    pb_reply_put_text(reply, ",\"rejected\":");
    pb_reply_put_number(reply, (int64_t)taking->rejected);
    pb_reply_put_text(reply, ",\"statuses\":[");
    for (size_t i = 0; i < taking->outcome_count; i++) {
        pb_reply_put_text(reply, i > 0 ? ",\"" : "\"");
        pb_reply_put_text(reply, outcome_names[taking->outcomes[i]]);
        pb_reply_put_text(reply, "\"");
    }
    pb_reply_put_text(reply, "]");
    put_rejections(reply, taking);
    pb_reply_put_text(reply, "}\n");
}

/* The last batch is on disk, or could not be put there. */
static void
on_committed(struct pb_api_commit *commit, enum pb_status status)
{
    /* The commit is the first member. */
    struct taking *taking = (struct taking *)commit;
    struct pb_reply *reply = taking->reply;

    if (status == PB_OK) {
        note_statuses(taking);
        put_result(reply, taking);
    }
    /* A failed sync is final: who decides where traffic goes has to know. */
    if (status == PB_E_IO || status == PB_E_POISONED)
        atomic_store(&taking->api->has_failed, true);
    free_taking(taking);
    pb_reply_finish(reply, status <= PB_OK ? status : PB_E_CORRUPT);
}

enum pb_status
pb_api_handle_reads_send(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct taking *taking;
    bool is_waiting;
    enum pb_status status;

    if (!api->options.takes_reads)
        return pb_api_problem(call, reply, 503, "this server was not started to take reads", NULL);
    taking = pb_calloc(api->env, 1, sizeof(*taking));
    if (taking == NULL)
        return PB_E_NOMEM;
    taking->api = api;
    taking->token = call->caller->token;
    taking->reply = reply;
    taking->must_not_wait = call->request->must_not_wait;
    pb_arena_init(&taking->arena, api->env, 4096);
    status = take_body(taking, call->request->body, says_lines(call->request));
    if (status == PB_OK && taking->batch_count > 0) {
        taking->token = NULL; /* it is gone when this function returns */
        taking->commit = (struct pb_api_commit){ .reads = taking->batch,
                                                 .count = taking->batch_count,
                                                 .statuses = taking->batch_status,
                                                 .done = on_committed };
        pb_api_committer_push(api->committer, &taking->commit);
        return PB_END;
    }
    if (status == PB_OK)
        put_result(reply, taking);
    is_waiting = taking->would_wait;
    free_taking(taking);
    if (is_waiting)
        return PB_NOT_FOUND;
    /* An answer that is none of a read's is a failure here. */
    return status <= PB_OK ? status : PB_E_CORRUPT;
}

/* The path holds the key: what is sent is the same. */
enum pb_status
pb_api_handle_reads_send_by_key(struct pb_api *api, const struct pb_api_call *call,
                                struct pb_reply *reply)
{
    return pb_api_handle_reads_send(api, call, reply);
}
