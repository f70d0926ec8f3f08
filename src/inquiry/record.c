/*
 * What is recorded of a question: the leaf that says what is asked, and the leaves that say what
 * was answered, the owners' among them.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "inquiry/inquiry_private.h"

#define FILTERS_BYTES_MAX 512u

/* Names of secrets where an inquiry has several places: each has its own commitment. */
static const char *const area_names[PB_PLACES_MAX] = {
    "area",  "area2",  "area3",  "area4",  "area5",  "area6",  "area7",  "area8",
    "area9", "area10", "area11", "area12", "area13", "area14", "area15", "area16",
};
static const char *const relation_names[] = { "",        "subject",   "victim",
                                              "witness", "associate", "other" };

void
pb_site_id_text(struct pb_str id, char ret_text[PB_CATALOG_ID_BYTES_MAX + 1])
{
    uint32_t bytes = id.bytes <= PB_CATALOG_ID_BYTES_MAX ? id.bytes : PB_CATALOG_ID_BYTES_MAX;

    if (bytes > 0)
        memcpy(ret_text, id.text, bytes);
    ret_text[bytes] = '\0';
}

/* ---- texts ---- */

struct pb_str
pb_decision_rule_ids(const struct pb_decision *decision, char room[PB_RULE_IDS_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(room, PB_RULE_IDS_BYTES_MAX);

    for (uint32_t i = 0; i < decision->rule_count; i++) {
        if (out.at + decision->rules[i].id.bytes + 1 > out.end)
            break;
        if (i > 0)
            pb_put_char(&out, ',');
        pb_put_str(&out, decision->rules[i].id);
    }
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static void
put_window(struct pb_text_out *out, int64_t from_us, int64_t to_us)
{
    char text[PB_TIME_BYTES_MAX];

    pb_put_bytes(out, text, pb_time_format(from_us, 0, text));
    pb_put_char(out, '/');
    pb_put_bytes(out, text, pb_time_format(to_us, 0, text));
}

/* These are false without memory: a leaf that does not say all is none. */
static bool
window_text(struct pb_arena *arena, int64_t from_us, int64_t to_us, struct pb_str *ret_text)
{
    char *room = pb_arena_alloc(arena, 2 * PB_TIME_BYTES_MAX);
    struct pb_text_out out;

    if (room == NULL)
        return false;
    out = pb_text_out(room, 2 * PB_TIME_BYTES_MAX);
    put_window(&out, from_us, to_us);
    *ret_text = (struct pb_str){ room, (uint32_t)(out.at - room) };
    return true;
}

/* A place with its own window: "circle 39.1,-94.6 500 m 2026-.../2026-..." */
static bool
place_text(struct pb_arena *arena, const struct pb_place *place, struct pb_str *ret_text)
{
    size_t bytes = place->area_text.bytes + 1u + 2 * PB_TIME_BYTES_MAX;
    char *room = NULL;
    struct pb_text_out out;

    *ret_text = place->area_text;
    if (place->from_us == 0 && place->to_us == 0)
        return true;
    room = pb_arena_alloc(arena, bytes);
    if (room == NULL)
        return false;
    out = pb_text_out(room, bytes);
    pb_put_str(&out, place->area_text);
    pb_put_char(&out, ' ');
    put_window(&out, place->from_us, place->to_us);
    *ret_text = (struct pb_str){ room, (uint32_t)(out.at - room) };
    return true;
}

static void
put_filter(struct pb_text_out *out, const char *start, const char *name, struct pb_str value)
{
    if (value.bytes == 0)
        return;
    if (out->at != start)
        pb_put_char(out, ';');
    pb_put_text(out, name);
    pb_put_char(out, '=');
    pb_put_str(out, value);
}

static bool
filter_text(struct pb_arena *arena, const struct pb_query *query, struct pb_str *ret_text)
{
    char *room = pb_arena_alloc(arena, FILTERS_BYTES_MAX);
    struct pb_text_out out;

    if (room == NULL)
        return false;
    out = pb_text_out(room, FILTERS_BYTES_MAX);
    put_filter(&out, room, "reader", query->reader);
    put_filter(&out, room, "make", query->make);
    put_filter(&out, room, "model", query->model);
    put_filter(&out, room, "color", query->color);
    put_filter(&out, room, "body", query->body);
    *ret_text = (struct pb_str){ room, (uint32_t)(out.at - room) };
    return true;
}

/* ---- the question ---- */

static bool
add_secrets(struct pb_draft *leaf, struct pb_question *question)
{
    const struct pb_inquiry *inquiry = question->inquiry;
    const struct pb_policy_request *request = &question->request;
    struct pb_arena *arena = &question->answer->arena;
    struct pb_str window, area, filters;

    if (!window_text(arena, request->from_us, request->to_us, &window) ||
        !filter_text(arena, &inquiry->query, &filters))
        return false;
    pb_draft_secret(leaf, "person", inquiry->person);
    pb_draft_secret(leaf, "beneficiary", inquiry->on_behalf_of);
    pb_draft_secret(leaf, "approver", request->approver);
    pb_draft_secret(leaf, "case", inquiry->case_number);
    pb_draft_secret(leaf, "reason", inquiry->justification);
    pb_draft_secret(leaf, "offence", inquiry->offence);
    pb_draft_secret(leaf, "plate", question->plate);
    pb_draft_secret(leaf, "jurisdiction",
                    pb_str_from(inquiry->query.jurisdiction != 0
                                    ? pb_jurisdiction_name(inquiry->query.jurisdiction)
                                : inquiry->is_jurisdiction_unknown ? "unknown"
                                                                   : ""));
    pb_draft_secret(leaf, "window", window);
    for (uint32_t i = 0; i < inquiry->place_count; i++) {
        if (!place_text(arena, &inquiry->places[i], &area))
            return false;
        pb_draft_secret(leaf, area_names[i], area);
    }
    pb_draft_secret(leaf, "filters", filters);
    pb_draft_secret(leaf, "relation", pb_str_from(relation_names[inquiry->relation]));
    pb_draft_secret(leaf, "identity", inquiry->identity);
    pb_draft_secret(leaf, "client", inquiry->client);
    return true;
}

static int64_t
keep_us(const struct pb_question *question)
{
    int64_t wanted = question->answer->decision.log_retention_us;

    return wanted > 0 ? wanted : PB_KEEP_OPENINGS_US;
}

/* How many states' reads could be in the answer. */
static uint32_t
states_in_scope(const struct pb_question *question)
{
    const struct pb_catalog_view *view = question->facts->view;
    const struct pb_decision *decision = &question->answer->decision;
    uint64_t seen[(UINT16_MAX + 1) / 64] = { 0 };
    uint32_t count = 0;

    for (uint32_t i = 0; i < view->origin_count; i++) {
        uint16_t capture_state = view->origins[i].capture_state;
        uint64_t bit = UINT64_C(1) << capture_state % 64;

        if (!decision->admits_origin[i] || (seen[capture_state / 64] & bit) != 0)
            continue;
        seen[capture_state / 64] |= bit;
        count++;
    }
    return count;
}

enum pb_status
pb_question_leaf(struct pb_question *question, const char *event, struct pb_draft *leaf)
{
    const struct pb_inquiry *inquiry = question->inquiry;
    const struct pb_policy_request *request = &question->request;
    const struct pb_decision *decision = &question->answer->decision;
    char *rules = pb_arena_alloc(&question->answer->arena, PB_RULE_IDS_BYTES_MAX);

    if (rules == NULL)
        return PB_E_NOMEM;
    pb_draft_init(leaf, question->answer->log, event, keep_us(question));
    pb_draft_text(leaf, "kind", pb_str_from(pb_inquiry_kind_name(inquiry->kind)));
    /* A purpose that no pack knows is whatever the person typed: not for the open. */
    if (decision->verdict != PB_POLICY_DENY)
        pb_draft_text(leaf, "purpose", inquiry->purpose);
    else
        pb_draft_secret(leaf, "purpose", inquiry->purpose);
    pb_draft_text(leaf, "verdict", pb_str_from(pb_policy_verdict_name(decision->verdict)));
    pb_draft_text(leaf, "rules", pb_decision_rule_ids(decision, rules));
    if (question->person != NULL)
        pb_draft_text(leaf, "role", question->person->role);
    pb_draft_hash(leaf, "policy", question->facts->policy);
    pb_draft_number(leaf, "days", (request->to_us - request->from_us + PB_DAY_US - 1) / PB_DAY_US);
    if (inquiry->place_count > 0) {
        pb_draft_number(leaf, "places", inquiry->place_count);
        pb_draft_number(leaf, "m2", (int64_t)request->area_m2);
    }
    if (request->found_case != NULL && request->found_case->is_verified)
        pb_draft_number(leaf, "verified", 1);
    pb_draft_number(leaf, "states", states_in_scope(question));
    if (inquiry->query.edits > 0)
        pb_draft_number(leaf, "edits", inquiry->query.edits);
    if (inquiry->is_break_glass)
        pb_draft_number(leaf, "break_glass", 1);
    if (inquiry->is_export)
        pb_draft_number(leaf, "export", 1);
    return add_secrets(leaf, question) ? PB_OK : PB_E_NOMEM;
}

/* ---- the result ---- */

#define ROW_BYTES_MAX (32u + PB_READER_BYTES_MAX + 2 * PB_PLATE_BYTES_MAX + PB_EVENT_ID_BYTES_MAX)

static void
put_number(struct pb_text_out *out, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        pb_put_char(out, (char)(number >> shift & 255));
}

static void
put_short(struct pb_text_out *out, struct pb_str text)
{
    pb_put_char(out, (char)text.bytes);
    pb_put_str(out, text);
}

/* Which rows: SHA-256 over captured time, reader, plate and event id of each; of a plate over plate
 * and number of reads. It is committed to, not shown: who knows the rest could try plates. */
static void
digest_rows(const struct pb_answer *answer, uint8_t ret_digest[PB_DIGEST_BYTES])
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (uint64_t i = 0; i < answer->row_count; i++) {
        const struct pb_row *row = &answer->rows[i];
        const struct pb_read *read = &row->result.read;
        char bytes[ROW_BYTES_MAX];
        struct pb_text_out out = pb_text_out(bytes, sizeof(bytes));

        if (row->plate.bytes > 0) {
            put_number(&out, row->reads);
            put_short(&out, row->plate);
        } else {
            put_number(&out, (uint64_t)read->captured_at_us);
            put_short(&out, read->reader);
            put_short(&out, read->plate);
            put_short(&out, read->event_id);
        }
        assert(!out.is_cut);
        (void)crypto_hash_sha256_update(&state, (const unsigned char *)bytes,
                                        (size_t)(out.at - bytes));
    }
    (void)crypto_hash_sha256_final(&state, ret_digest);
}

static const char *
result_status(enum pb_policy_verdict verdict)
{
    switch (verdict) {
    case PB_POLICY_ALLOW:
        return "ok";
    case PB_POLICY_NEEDS_CONFIRMATION:
        return "confirm";
    case PB_POLICY_NEEDS_SECOND_PERSON:
        return "second-person";
    case PB_POLICY_DENY:
        return "denied";
    }
    return "denied";
}

/* Agencies whose reads could have been in the answer; 0 without memory to tell. */
static uint32_t
agencies_in_scope(const struct pb_question *question)
{
    const struct pb_catalog_view *view = question->facts->view;
    const struct pb_decision *decision = &question->answer->decision;
    bool *is_in = pb_arena_alloc(&question->answer->arena, view->agency_count * sizeof(*is_in));
    uint32_t count = 0;

    if (is_in == NULL)
        return 0;
    memset(is_in, 0, view->agency_count * sizeof(*is_in));
    for (uint32_t i = 0; i < view->origin_count; i++) {
        uint32_t agency = view->origins[i].agency;

        count += decision->admits_origin[i] && !is_in[agency];
        is_in[agency] = is_in[agency] || decision->admits_origin[i];
    }
    return count;
}

static void
result_leaf(const struct pb_question *question, const uint8_t digest[PB_DIGEST_BYTES],
            struct pb_draft *leaf)
{
    const struct pb_answer *answer = question->answer;
    const struct pb_decision *decision = &answer->decision;
    int64_t spent_ns = pb_monotonic_ns(question->site->env) - question->started_ns;
    int64_t from_us = 0;
    int64_t to_us = 0;

    pb_draft_init(leaf, answer->log, question->is_page ? "page" : "result", keep_us(question));
    pb_draft_number(leaf, "of", (int64_t)answer->receipt.query_index);
    pb_draft_text(leaf, "status", pb_str_from(result_status(decision->verdict)));
    pb_draft_number(leaf, "n", (int64_t)answer->row_count);
    pb_draft_number(leaf, "count", (int64_t)answer->count);
    if (question->is_page)
        pb_draft_number(leaf, "from", (int64_t)question->page.given);
    if (answer->is_truncated)
        pb_draft_number(leaf, "truncated", 1);
    pb_draft_number(leaf, "agencies", agencies_in_scope(question));
    pb_draft_number(leaf, "readers", answer->coverage.readers_in_scope);
    if (pb_question_window(question, NULL, &from_us, &to_us))
        pb_draft_number(leaf, "days", (to_us - from_us + PB_DAY_US - 1) / PB_DAY_US);
    pb_draft_number(leaf, "ms", spent_ns / 1000000);
    pb_draft_hash(leaf, "policy", question->facts->policy);
    pb_draft_secret(leaf, "ids", (struct pb_str){ (const char *)digest, PB_DIGEST_BYTES });
}

/* ---- the owners ---- */

static uint32_t
count_owners(const struct pb_question *question)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < question->facts->view->agency_count; i++)
        count += question->reads_by_agency[i] > 0 && i != question->agency_index;
    return count;
}

/* What an owner is told of what was given out of theirs: all but where the asker sat. */
static void
owner_leaf(struct pb_question *question, const char *log, const char *event, uint32_t reads,
           struct pb_draft *leaf)
{
    const struct pb_inquiry *inquiry = question->inquiry;

    pb_draft_init(leaf, log, event, keep_us(question));
    pb_draft_text(leaf, "asker", question->agency->id);
    pb_draft_number(leaf, "of", (int64_t)question->answer->receipt.query_index);
    pb_draft_text(leaf, "kind", pb_str_from(pb_inquiry_kind_name(inquiry->kind)));
    pb_draft_text(leaf, "purpose", inquiry->purpose);
    pb_draft_number(leaf, "n", reads);
    if (inquiry->is_export)
        pb_draft_number(leaf, "export", 1);
    add_secrets(leaf, question);
}

/* ---- exports, and glass that was broken ---- */

static void
export_leaf(const struct pb_question *question, const uint8_t digest[PB_DIGEST_BYTES],
            struct pb_draft *leaf)
{
    const struct pb_inquiry *inquiry = question->inquiry;

    pb_draft_init(leaf, question->answer->log, "export", keep_us(question));
    pb_draft_number(leaf, "of", (int64_t)question->answer->receipt.query_index);
    pb_draft_text(leaf, "watermark", pb_str_from(question->answer->watermark));
    pb_draft_number(leaf, "n", (int64_t)question->answer->row_count);
    pb_draft_text(leaf, "format", inquiry->export_format);
    pb_draft_secret(leaf, "person", inquiry->person);
    pb_draft_secret(leaf, "recipient", inquiry->export_recipient);
    pb_draft_secret(leaf, "agreement", inquiry->export_agreement);
    pb_draft_secret(leaf, "ids", (struct pb_str){ (const char *)digest, PB_DIGEST_BYTES });
}

/* The disclosure register: who was given what, without saying which plates. */
static enum pb_status
register_export(struct pb_question *question, struct pb_error *error)
{
    const struct pb_inquiry *inquiry = question->inquiry;
    struct pb_answer *answer = question->answer;
    char key[PB_CATALOG_ID_BYTES_MAX + 48];
    char value[PB_CATALOG_TEXT_BYTES_MAX + 512];
    uint8_t random[16];
    int length = 0;
    enum pb_status status =
        question->site->env->random(question->site->env->random_context, random, sizeof(random));

    if (status != PB_OK)
        return pb_fail(error, status, "the system gives no random bytes");
    (void)sodium_bin2hex(answer->watermark, sizeof(answer->watermark), random, sizeof(random));
    (void)snprintf(key, sizeof(key), "%s/%s", answer->log, answer->watermark);
    length = snprintf(value, sizeof(value),
                      "at=%lld\nperson=%.*s\nrecipient=%.*s\nagreement=%.*s\nformat=%.*s\n"
                      "rows=%llu\nquery=%llu\n",
                      (long long)question->now_us, (int)inquiry->person.bytes, inquiry->person.text,
                      (int)inquiry->export_recipient.bytes, inquiry->export_recipient.text,
                      (int)inquiry->export_agreement.bytes, inquiry->export_agreement.text,
                      (int)inquiry->export_format.bytes, inquiry->export_format.text,
                      (unsigned long long)answer->row_count,
                      (unsigned long long)answer->receipt.query_index);
    return pb_catalog_note_put(question->site->catalog, "disclosure", key,
                               (struct pb_str){ value, (uint32_t)length }, error);
}

/* One notice to the auditors of an agency. */
static enum pb_status
put_notice(struct pb_question *question, struct pb_str agency, uint32_t reads,
           struct pb_error *error)
{
    char key[2 * PB_CATALOG_ID_BYTES_MAX + 64];
    char value[512];
    int length = 0;

    (void)snprintf(key, sizeof(key), "%.*s/%020lld-%s-%llu", (int)agency.bytes, agency.text,
                   (long long)question->now_us, question->answer->log,
                   (unsigned long long)question->answer->receipt.query_index);
    length = snprintf(value, sizeof(value),
                      "what=break-glass\nasker=%s\nkind=%s\nquery=%llu\nreads=%u\n",
                      question->answer->log, pb_inquiry_kind_name(question->inquiry->kind),
                      (unsigned long long)question->answer->receipt.query_index, reads);
    return pb_catalog_note_put(question->site->catalog, "notice", key,
                               (struct pb_str){ value, (uint32_t)length }, error);
}

static enum pb_status
put_notices(struct pb_question *question, struct pb_error *error)
{
    const struct pb_catalog_view *view = question->facts->view;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < view->agency_count && status == PB_OK; i++) {
        if (question->reads_by_agency[i] > 0 || i == question->agency_index)
            status =
                put_notice(question, view->agencies[i].id, question->reads_by_agency[i], error);
    }
    return status;
}

/* ---- all of it in one commit ---- */

struct result {
    struct pb_draft *leaves;                   /* owned */
    uint64_t *indices;                         /* owned */
    char (*logs)[PB_CATALOG_ID_BYTES_MAX + 1]; /* owned */
    uint32_t count;
};

static void
add_owner_leaves(struct pb_question *question, struct result *result)
{
    const struct pb_catalog_view *view = question->facts->view;
    uint32_t owner = 0;

    for (uint32_t i = 0; i < view->agency_count; i++) {
        uint32_t reads = question->reads_by_agency[i];

        if (reads == 0 || i == question->agency_index)
            continue;
        pb_site_id_text(view->agencies[i].id, result->logs[owner]);
        owner_leaf(question, result->logs[owner], "disclosed", reads,
                   &result->leaves[result->count++]);
        if (question->answer->decision.notifies_owners)
            owner_leaf(question, result->logs[owner], "break-glass", reads,
                       &result->leaves[result->count++]);
        owner++;
    }
}

/* Notes first and leaves last: rows are out if and only if the result leaf stands. */
static enum pb_status
put_notes(struct pb_question *question, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    if (question->answer->decision.verdict != PB_POLICY_ALLOW)
        return PB_OK;
    if (question->inquiry->is_export)
        status = register_export(question, error);
    if (status == PB_OK && question->answer->decision.notifies_owners)
        status = put_notices(question, error);
    return status;
}

enum pb_status
pb_question_record_result(struct pb_question *question, struct pb_error *error)
{
    const struct pb_env *env = question->site->env;
    uint32_t owners = count_owners(question);
    uint8_t digest[PB_DIGEST_BYTES];
    struct result result = { 0 };
    enum pb_status status = put_notes(question, error);

    if (status != PB_OK)
        return status;
    result.leaves = pb_calloc(env, 2 + 2 * (size_t)owners, sizeof(*result.leaves));
    result.indices = pb_calloc(env, 2 + 2 * (size_t)owners, sizeof(*result.indices));
    result.logs = pb_calloc(env, owners + 1u, sizeof(*result.logs));
    if (result.leaves == NULL || result.indices == NULL || result.logs == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for the audit record");
        goto out;
    }
    digest_rows(question->answer, digest);
    result_leaf(question, digest, &result.leaves[result.count++]);
    if (question->inquiry->is_export && question->answer->decision.verdict == PB_POLICY_ALLOW)
        export_leaf(question, digest, &result.leaves[result.count++]);
    add_owner_leaves(question, &result);
    status = pb_drafts_append(question->site, result.leaves, result.count, result.indices, error);
    if (status == PB_OK)
        question->answer->receipt.result_index = result.indices[0];

out:
    pb_free(env, result.logs);
    pb_free(env, result.indices);
    pb_free(env, result.leaves);
    return status;
}

/* ---- decisions that outlive their question ---- */

static enum pb_status
copy_flags(struct pb_arena *arena, const bool *flags, uint32_t count, const bool **ret_flags)
{
    bool *copy = NULL;

    if (flags == NULL)
        return PB_OK;
    copy = pb_arena_alloc(arena, count * sizeof(*copy));
    if (copy == NULL)
        return PB_E_NOMEM;
    memcpy(copy, flags, count * sizeof(*copy));
    *ret_flags = copy;
    return PB_OK;
}

enum pb_status
pb_decision_copy(struct pb_arena *arena, const struct pb_catalog_view *view,
                 const struct pb_decision *decision, struct pb_decision *ret_copy)
{
    struct pb_decision copy = *decision;
    struct pb_spoken_rule *rules = pb_arena_alloc(arena, decision->rule_count * sizeof(*rules));
    enum pb_status status = rules == NULL ? PB_E_NOMEM : PB_OK;

    for (uint32_t i = 0; i < decision->rule_count && status == PB_OK; i++) {
        rules[i] = decision->rules[i];
        status = pb_arena_copy(arena, decision->rules[i].id, &rules[i].id);
        if (status == PB_OK)
            status = pb_arena_copy(arena, decision->rules[i].text, &rules[i].text);
        if (status == PB_OK)
            status = pb_arena_copy(arena, decision->rules[i].source, &rules[i].source);
    }
    copy.rules = rules;
    if (status == PB_OK)
        status =
            copy_flags(arena, decision->admits_origin, view->origin_count, &copy.admits_origin);
    if (status == PB_OK)
        status =
            copy_flags(arena, decision->admits_reader, view->reader_count, &copy.admits_reader);
    if (status == PB_OK)
        *ret_copy = copy;
    return status;
}
