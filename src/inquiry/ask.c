/*
 * Asking: the one way from a question to rows.
 *
 *   decide -> query leaf synced -> store asked -> rows sieved and counted -> result leaf synced
 *   (and the owners' leaves, in the same commit) -> answer
 *
 * What fails on the way ends in no rows. docs/internals/inquiry.md has the table of failures.
 */
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define TOKEN_LIFE_US PB_DAY_US
#define PAGE_LIFE_US (4 * PB_HOUR_US)
#define STEP_FIRST_US INT64_C(8000)

/* ---- answers ---- */

static struct pb_answer *
answer_new(const struct pb_env *env)
{
    struct pb_answer *answer = pb_calloc(env, 1, sizeof(*answer));

    if (answer == NULL)
        return NULL;
    answer->env = env;
    answer->receipt.result_index = UINT64_MAX;
    pb_arena_init(&answer->arena, env, 4096);
    return answer;
}

void
pb_answer_free(struct pb_answer *answer)
{
    if (answer == NULL)
        return;
    pb_free(answer->env, answer->rows);
    pb_facts_drop(answer->facts);
    pb_arena_clear(&answer->arena);
    pb_free(answer->env, answer);
}

struct pb_row *
pb_answer_add(struct pb_answer *answer)
{
    if (answer->row_count == answer->row_room) {
        uint64_t room = answer->row_room == 0 ? 16 : answer->row_room * 2;
        struct pb_row *larger =
            pb_realloc(answer->env, answer->rows, (size_t)room * sizeof(*larger));

        if (larger == NULL)
            return NULL;
        answer->rows = larger;
        answer->row_room = room;
    }
    memset(&answer->rows[answer->row_count], 0, sizeof(*answer->rows));
    return &answer->rows[answer->row_count++];
}

const struct pb_decision *
pb_answer_decision(const struct pb_answer *answer)
{
    return &answer->decision;
}

struct pb_receipt
pb_answer_receipt(const struct pb_answer *answer)
{
    struct pb_receipt receipt = answer->receipt;

    receipt.log = answer->log;
    return receipt;
}

uint64_t
pb_answer_count(const struct pb_answer *answer)
{
    return answer->count;
}

bool
pb_answer_is_truncated(const struct pb_answer *answer)
{
    return answer->is_truncated;
}

const char *
pb_answer_token(const struct pb_answer *answer)
{
    return answer->token;
}

const char *
pb_answer_page(const struct pb_answer *answer)
{
    return answer->page;
}

const char *
pb_answer_watermark(const struct pb_answer *answer)
{
    return answer->watermark;
}

const struct pb_disclosures *
pb_answer_disclosures(const struct pb_answer *answer)
{
    return answer->disclosures;
}

uint64_t
pb_answer_rows(const struct pb_answer *answer)
{
    return answer->row_count;
}

const struct pb_row *
pb_answer_row(const struct pb_answer *answer, uint64_t index)
{
    return index < answer->row_count ? &answer->rows[index] : NULL;
}

struct pb_coverage
pb_answer_coverage(const struct pb_answer *answer)
{
    struct pb_coverage coverage = answer->coverage;

    /* What the rows themselves told is known to the moment; the rest by days. */
    if (!coverage.is_up_known && answer->activity != NULL)
        coverage.is_up_known = pb_activity_count(answer->activity, answer, &coverage.readers_up);
    return coverage;
}

/* ---- deciding ---- */

static enum pb_status
decide(struct pb_question *question, struct pb_error *error)
{
    enum pb_status status =
        pb_policy_decide(question->facts->rules, question->facts->view, &question->request,
                         question->now_us, &question->answer->arena, &question->answer->decision);

    return status == PB_OK ? status : pb_fail(error, status, "no memory for the decision");
}

/* Gives the token for a second person or a confirmation. */
static void
seal(struct pb_question *question, enum pb_token_kind kind)
{
    struct pb_inquiry_token token = {
        .kind = kind,
        .person = question->inquiry->person,
        .beneficiary = question->inquiry->on_behalf_of,
        .approver = question->request.approver,
        .index = question->answer->receipt.query_index,
        .expires_at_us = question->now_us + TOKEN_LIFE_US,
    };

    memcpy(token.digest, question->digest, PB_DIGEST_BYTES);
    pb_inquiry_token_seal(question->site, &token, question->answer->token);
}

/* What policy does not let through is a leaf as well. */
static enum pb_status
refuse(struct pb_question *question, struct pb_error *error)
{
    struct pb_answer *answer = question->answer;
    bool is_held = answer->decision.verdict == PB_POLICY_NEEDS_SECOND_PERSON;
    struct pb_draft leaf;
    enum pb_status status = pb_question_leaf(question, is_held ? "held" : "denied", &leaf);

    if (status == PB_OK)
        status = pb_drafts_append(question->site, &leaf, 1, &answer->receipt.query_index, error);
    if (status == PB_OK && is_held)
        seal(question, PB_TOKEN_APPROVAL);
    return status;
}

/* ---- the query leaf ---- */

/* With it, in the same commit: that a large answer was confirmed, that glass was broken. */
static enum pb_status
record_query(struct pb_question *question, struct pb_error *error)
{
    struct pb_draft leaves[3];
    uint64_t indices[3];
    uint32_t count = 1;
    enum pb_status status = pb_question_leaf(question, "query", &leaves[0]);

    if (status != PB_OK)
        return status;
    if (question->has_confirmed) {
        pb_draft_init(&leaves[count], leaves[0].log, "confirm", leaves[0].keep_openings_us);
        pb_draft_number(&leaves[count], "of", (int64_t)question->confirmation.index);
        pb_draft_secret(&leaves[count], "person", question->inquiry->person);
        count++;
    }
    if (question->answer->decision.notifies_owners) {
        pb_draft_init(&leaves[count], leaves[0].log, "break-glass", leaves[0].keep_openings_us);
        pb_draft_secret(&leaves[count], "person", question->inquiry->person);
        pb_draft_secret(&leaves[count], "case", question->inquiry->case_number);
        count++;
    }
    status = pb_drafts_append(question->site, leaves, count, indices, error);
    if (status == PB_OK)
        question->answer->receipt.query_index = indices[0];
    return status;
}

/* ---- bounds ---- */

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void
set_bounds(struct pb_question *question)
{
    const struct pb_decision *decision = &question->answer->decision;
    uint64_t wanted = question->inquiry->rows_wanted;
    bool has_brake = decision->confirm_at_rows != UINT64_MAX && !question->has_confirmed;

    question->total_max = least(decision->rows_max, PB_ANSWER_ROWS_MAX);
    if (has_brake) {
        /* Below the brake all rows are given; from it on none before it is confirmed. */
        question->total_max = least(decision->confirm_at_rows, PB_ANSWER_ROWS_MAX);
        question->count_max = decision->confirm_at_rows;
    } else {
        question->count_max = question->total_max + 1;
    }
    if (question->is_page) {
        uint64_t total = question->page.total;
        uint64_t left = total > question->page.given ? total - question->page.given : 0;

        question->count_max = left;
        question->total_max = left;
    }
    question->keep_max = wanted == 0 ? question->total_max : least(wanted, question->total_max);
}

/* ---- asking the store ---- */

static enum pb_status
find_rows(struct pb_question *question, struct pb_error *error)
{
    const struct pb_catalog_view *view = question->facts->view;
    struct pb_answer *answer = question->answer;
    enum pb_status status = pb_question_sieve(question);

    question->reads_by_agency =
        pb_arena_alloc(&answer->arena, (view->agency_count + 1u) * sizeof(uint32_t));
    if (status != PB_OK || question->reads_by_agency == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the answer");
    memset(question->reads_by_agency, 0, (view->agency_count + 1u) * sizeof(uint32_t));
    switch (question->inquiry->kind) {
    case PB_INQUIRY_PLATE:
    case PB_INQUIRY_PLACE:
        return pb_question_reads(question, error);
    case PB_INQUIRY_PATTERN:
        return question->inquiry->counts_plates ? pb_question_plates(question, error)
                                                : pb_question_reads(question, error);
    case PB_INQUIRY_COMMON:
        return pb_question_common(question, error);
    case PB_INQUIRY_ASSOCIATES:
        return pb_question_associates(question, error);
    case PB_INQUIRY_SUBJECT:
        break;
    }
    return pb_question_subject(question, error);
}

/*
 * What rules and agreements leave out is read by the store all the same, and that takes time. So
 * that its length does not tell of it, an answer from which anything is left out is ready at one of
 * few moments after the store was asked, each twice as late as the one before. Whether anything is
 * left out the asker is told anyway; it does not depend on what was read.
 */
static void
wait_for_step(const struct pb_question *question, int64_t began_ns)
{
    const struct pb_env *env = question->site->env;
    const struct pb_decision *decision = &question->answer->decision;
    int64_t spent_us = (pb_monotonic_ns(env) - began_ns) / 1000;
    int64_t step_us = STEP_FIRST_US;

    if (decision->origins_excluded == 0 && decision->admits_reader == NULL)
        return;
    while (step_us <= spent_us)
        step_us *= 2;
    pb_pause_us(env, step_us - spent_us);
}

/* Takes back what was found, so that nothing but its number is left. */
static void
drop_rows(struct pb_question *question)
{
    struct pb_answer *answer = question->answer;

    answer->row_count = 0;
    answer->page[0] = '\0';
    answer->disclosures = NULL;
    memset(question->reads_by_agency, 0, question->facts->view->agency_count * sizeof(uint32_t));
}

/* Whether so many rows need a word of the person first. */
static enum pb_status
apply_brake(struct pb_question *question, struct pb_error *error)
{
    struct pb_answer *answer = question->answer;
    uint64_t confirm_at = answer->decision.confirm_at_rows;
    enum pb_status status = PB_OK;

    if (question->has_confirmed || answer->count < confirm_at)
        return PB_OK;
    question->request.found_count = answer->count;
    status = decide(question, error);
    drop_rows(question);
    if (status != PB_OK)
        return status;
    /* The count is what it is, whatever else the rules say of it. */
    if (answer->decision.verdict == PB_POLICY_ALLOW)
        answer->decision.verdict = PB_POLICY_NEEDS_CONFIRMATION;
    if (answer->decision.verdict == PB_POLICY_NEEDS_CONFIRMATION)
        seal(question, PB_TOKEN_CONFIRMATION);
    return PB_OK;
}

static void
seal_page(struct pb_question *question)
{
    struct pb_answer *answer = question->answer;
    uint64_t given = answer->row_count + (question->is_page ? question->page.given : 0);
    struct pb_inquiry_token token = {
        .kind = PB_TOKEN_PAGE,
        .person = question->inquiry->person,
        .beneficiary = question->inquiry->on_behalf_of,
        .approver = question->request.approver,
        .index = answer->receipt.query_index,
        .expires_at_us = question->now_us + PAGE_LIFE_US,
        .given = given,
        .total = answer->count,
        .position = pb_str_from(question->position),
    };

    if (given >= answer->count || answer->row_count == 0)
        return;
    memcpy(token.digest, question->digest, PB_DIGEST_BYTES);
    pb_inquiry_token_seal(question->site, &token, answer->page);
}

/* Counts are told as the policy lets them be known. */
static void
close_count(struct pb_question *question)
{
    struct pb_answer *answer = question->answer;

    if (question->is_page) {
        answer->count = question->page.total;
        return;
    }
    answer->is_truncated = answer->count > question->total_max;
    answer->count = least(answer->count, question->total_max);
}

/* ---- the result ---- */

/* Best effort: what it cannot say, the missing result leaf says. */
static void
record_failure(struct pb_question *question)
{
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    pb_draft_init(&leaf, question->answer->log, "result", PB_KEEP_OPENINGS_US);
    pb_draft_number(&leaf, "of", (int64_t)question->answer->receipt.query_index);
    pb_draft_text(&leaf, "status", pb_str_from("failed"));
    status = pb_drafts_append(question->site, &leaf, 1, &index, NULL);
    (void)status;
}

static enum pb_status
answer_allowed(struct pb_question *question, struct pb_error *error)
{
    struct pb_answer *answer = question->answer;
    int64_t began_ns = 0;
    enum pb_status status = PB_OK;

    set_bounds(question);
    began_ns = pb_monotonic_ns(question->site->env);
    status = find_rows(question, error);
    wait_for_step(question, began_ns);
    if (status == PB_OK)
        status = apply_brake(question, error);
    if (status != PB_OK)
        return status;
    if (answer->decision.verdict == PB_POLICY_ALLOW) {
        close_count(question);
        seal_page(question);
    }
    status = pb_question_scope(question);
    return status == PB_OK ? pb_question_record_result(question, error)
                           : pb_fail(error, status, "no memory for the answer");
}

static enum pb_status
ask(struct pb_question *question, struct pb_error *error)
{
    struct pb_answer *answer = question->answer;
    enum pb_status status = pb_question_begin(question, error);

    if (status != PB_OK)
        return status;
    pb_site_id_text(question->agency != NULL ? question->agency->id
                                             : pb_str_from(PB_AUDIT_OPERATOR),
                    answer->log);
    status = decide(question, error);
    if (status != PB_OK)
        return status;
    if (answer->decision.verdict == PB_POLICY_DENY ||
        answer->decision.verdict == PB_POLICY_NEEDS_SECOND_PERSON)
        return refuse(question, error);
    /* How many there are is not known yet; see apply_brake. */
    answer->decision.verdict = PB_POLICY_ALLOW;
    if (question->is_page) {
        answer->receipt.query_index = question->page.index;
    } else {
        status = pb_approval_use(question, error);
        if (status == PB_OK)
            status = record_query(question, error);
        if (status != PB_OK)
            return status;
    }
    status = answer_allowed(question, error);
    if (status != PB_OK)
        record_failure(question);
    return status;
}

enum pb_status
pb_inquiry_ask(struct pb_site *site, const struct pb_inquiry *inquiry,
               struct pb_answer **ret_answer, struct pb_error *error)
{
    struct pb_question *question = NULL;
    struct pb_answer *answer = NULL;
    enum pb_status status = PB_OK;

    if (site->mode == PB_SITE_LOOK)
        return pb_fail(error, PB_BAD_INPUT,
                       "the data directory is open to look only: nothing can be asked");
    question = pb_calloc(site->env, 1, sizeof(*question));
    answer = answer_new(site->env);
    if (question == NULL || answer == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for the inquiry");
        goto out;
    }
    question->site = site;
    question->inquiry = inquiry;
    question->answer = answer;
    status = ask(question, error);
    if (status == PB_OK) {
        *ret_answer = answer;
        answer = NULL;
    }

out:
    pb_answer_free(answer);
    pb_free(site->env, question);
    return status;
}

/* ---- explaining ---- */

enum pb_status
pb_inquiry_explain(struct pb_site *site, const struct pb_inquiry *inquiry, struct pb_arena *arena,
                   struct pb_decision *ret_decision, struct pb_error *error)
{
    struct pb_question *question = pb_calloc(site->env, 1, sizeof(*question));
    struct pb_answer *answer = answer_new(site->env);
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    if (question == NULL || answer == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for the inquiry");
        goto out;
    }
    question->site = site;
    question->inquiry = inquiry;
    question->answer = answer;
    status = pb_question_begin(question, error);
    if (status == PB_OK)
        status = decide(question, error);
    if (status != PB_OK)
        goto out;
    pb_site_id_text(question->agency != NULL ? question->agency->id
                                             : pb_str_from(PB_AUDIT_OPERATOR),
                    answer->log);
    status = pb_question_leaf(question, "explained", &leaf);
    if (status == PB_OK)
        status = pb_drafts_append(site, &leaf, 1, &index, error);
    if (status == PB_OK)
        status = pb_decision_copy(arena, question->facts->view, &answer->decision, ret_decision);

out:
    pb_answer_free(answer);
    pb_free(site->env, question);
    return status;
}
