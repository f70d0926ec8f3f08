/*
 * Corrections: a person's word that a read is wrong.
 *
 * The reader's own text is never lost: a correction is a revision that carries it along. It may be
 * made by people of the agency that owns the reader, and of agencies that agreement and law let ask
 * over it, judged as the policy judges an inquiry of that read; the owner's log tells of it in
 * either case. The leaves stand before the store is even asked for the read; what is refused is a
 * leaf, too.
 */
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "inquiry/inquiry_private.h"
#include "read/read.h"

struct correcting {
    struct pb_site *site;
    const struct pb_correction *correction;
    const struct pb_facts *facts;
    const struct pb_person *person;
    uint32_t reader, owner;
    int64_t now_us;
    struct pb_arena arena;
    char wrong[PB_PLATE_BYTES_MAX], right[PB_PLATE_BYTES_MAX]; /* folded */
    struct pb_str wrong_plate, right_plate;
};

/* ---- which words? ---- */

static enum pb_status
fold(struct pb_str text, char room[PB_PLATE_BYTES_MAX], struct pb_str *ret_plate, const char *field,
     struct pb_error *error)
{
    ret_plate->text = room;
    if (pb_plate_fold(text, room, &ret_plate->bytes) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "%s: not a plate", field);
    return PB_OK;
}

static enum pb_status
check_words(struct correcting *correcting, struct pb_error *error)
{
    const struct pb_correction *correction = correcting->correction;
    enum pb_status status = PB_OK;

    if (correction->why.bytes == 0 || correction->why.bytes > PB_JUSTIFICATION_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "why: say what is wrong, in at most %u bytes",
                       PB_JUSTIFICATION_BYTES_MAX);
    if (correction->captured_at_us < PB_TIME_MIN_US || correction->captured_at_us >= PB_TIME_MAX_US)
        return pb_fail(error, PB_BAD_INPUT, "captured_at: no time of a read");
    status = fold(correction->wrong_plate, correcting->wrong, &correcting->wrong_plate,
                  "wrong_plate", error);
    if (status != PB_OK)
        return status;
    correcting->right_plate = pb_str_from(PB_PLATE_UNREADABLE);
    return correction->plate.bytes == 0 ? PB_OK
                                        : fold(correction->plate, correcting->right,
                                               &correcting->right_plate, "plate", error);
}

/* ---- the leaves ---- */

static void
correction_leaf(const struct correcting *correcting, const char *log, const char *event,
                struct pb_draft *leaf)
{
    const struct pb_catalog_view *view = correcting->facts->view;
    const struct pb_correction *correction = correcting->correction;

    pb_draft_init(leaf, log, event, PB_KEEP_OPENINGS_US);
    pb_draft_text(leaf, "asker", view->agencies[correcting->person->agency].id);
    pb_draft_secret(leaf, "person", correction->person);
    pb_draft_secret(leaf, "case", correction->case_number);
    pb_draft_secret(leaf, "plate", correcting->wrong_plate);
    pb_draft_secret(leaf, "after", correcting->right_plate);
    pb_draft_secret(leaf, "reader", correction->reader);
    pb_draft_secret(leaf, "reason", correction->why);
}

static enum pb_status
record(struct correcting *correcting, struct pb_error *error)
{
    const struct pb_catalog_view *view = correcting->facts->view;
    bool is_own = correcting->owner == correcting->person->agency;
    char logs[2][PB_CATALOG_ID_BYTES_MAX + 1];
    struct pb_draft leaves[2];
    uint64_t indices[2];

    pb_site_id_text(view->agencies[correcting->person->agency].id, logs[0]);
    pb_site_id_text(view->agencies[correcting->owner].id, logs[1]);
    correction_leaf(correcting, logs[0], "correct", &leaves[0]);
    if (!is_own)
        correction_leaf(correcting, logs[1], "corrected", &leaves[1]);
    return pb_drafts_append(correcting->site, leaves, is_own ? 1 : 2, indices, error);
}

/* ---- may they? ---- */

static enum pb_status
check_person(struct correcting *correcting, struct pb_error *error)
{
    const struct pb_catalog_view *view = correcting->facts->view;
    uint32_t index = pb_view_person(view, correcting->correction->person);

    if (!pb_view_may(view, index, PB_MAY_CORRECT, correcting->now_us))
        return pb_fail(error, PB_DENIED, "person: may not correct reads");
    correcting->person = &view->people[index];
    correcting->reader = pb_view_reader(view, correcting->correction->reader);
    if (correcting->reader == PB_NO_INDEX)
        return pb_fail(error, PB_BAD_INPUT, "reader: not in the catalog");
    correcting->owner = view->readers[correcting->reader].agency;
    return PB_OK;
}

/* Of an agency that is not the owner's: what no rule lets them ask they do not correct either. */
static enum pb_status
refuse(struct correcting *correcting, const struct pb_decision *decision, struct pb_error *error)
{
    const struct pb_spoken_rule *rule = decision->rule_count > 0 ? &decision->rules[0] : NULL;
    char log[PB_CATALOG_ID_BYTES_MAX + 1], rules[PB_RULE_IDS_BYTES_MAX];
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status;

    pb_site_id_text(correcting->facts->view->agencies[correcting->person->agency].id, log);
    correction_leaf(correcting, log, "denied", &leaf);
    pb_draft_text(&leaf, "kind", pb_str_from("correction"));
    pb_draft_text(&leaf, "verdict", pb_str_from(pb_policy_verdict_name(decision->verdict)));
    pb_draft_text(&leaf, "rules", pb_decision_rule_ids(decision, rules));
    pb_draft_hash(&leaf, "policy", correcting->facts->policy);
    status = pb_drafts_append(correcting->site, &leaf, 1, &index, error);
    if (status != PB_OK)
        return status;
    if (rule == NULL)
        return pb_fail(error, PB_DENIED, "reader: its reads are not yours to correct");
    return pb_fail(error, PB_DENIED, "%s: %.*s: %.*s",
                   rule->field[0] != '\0' && strcmp(rule->field, "person") != 0 ? rule->field
                                                                                : "reader",
                   (int)rule->id.bytes, rule->id.text, (int)rule->text.bytes, rule->text.text);
}

static enum pb_status
judge(struct correcting *correcting, struct pb_error *error)
{
    const struct pb_correction *correction = correcting->correction;
    const struct pb_policy_request request = {
        .person = correction->person,
        .case_number = correction->case_number,
        .justification = correction->why,
        .plate = correction->plate,
        .from_us = correction->captured_at_us,
        .to_us = correction->captured_at_us + 1,
    };
    struct pb_decision decision;
    enum pb_status status = pb_policy_may_correct(correcting->facts->rules, correcting->facts->view,
                                                  &request, correcting->reader, correcting->now_us,
                                                  &correcting->arena, &decision);

    if (status != PB_OK)
        return pb_fail(error, status, "no memory for the decision");
    return decision.verdict == PB_POLICY_ALLOW ? PB_OK : refuse(correcting, &decision, error);
}

/* ---- the read ---- */

/* Of those by that reader at that moment, which the store is asked for. */
static bool
is_meant(const struct correcting *correcting, const struct pb_read *read)
{
    const struct pb_correction *correction = correcting->correction;

    return correction->event_id.bytes == 0 || pb_str_equal(read->event_id, correction->event_id);
}

/* Has its date come by today's rules, or was it made in a zone? A read that nobody may see is not
 * there to be corrected. */
static bool
is_over(const struct correcting *correcting, const struct pb_read *read)
{
    const struct pb_facts *facts = correcting->facts;
    uint32_t origin = facts->view->readers[correcting->reader].origin;
    int64_t keep_us = facts->retention_us[origin];

    return pb_facts_in_zone(facts, origin, correcting->reader, read->lat_e7, read->lon_e7) ||
           (keep_us != PB_NEVER && correcting->now_us - read->captured_at_us >= keep_us);
}

static enum pb_status
find_read(struct correcting *correcting, struct pb_read *ret_read, struct pb_error *error)
{
    struct pb_query query = {
        .plate = correcting->wrong_plate,
        .reader = correcting->correction->reader,
        .without_alternates = true,
        .from_us = correcting->correction->captured_at_us,
        .to_us = correcting->correction->captured_at_us + 1,
    };
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    bool is_found = false;
    enum pb_status status = pb_store_search(correcting->site->store, &query, &cursor, error);

    while (status == PB_OK && !is_found) {
        status = pb_cursor_next(cursor, &result, error);
        if (status == PB_OK && is_meant(correcting, &result.read) &&
            !is_over(correcting, &result.read)) {
            status = pb_read_copy(&correcting->arena, &result.read, ret_read);
            is_found = status == PB_OK;
        }
    }
    pb_cursor_free(cursor);
    return status == PB_END
               ? pb_fail(error, PB_NOT_FOUND, "no read of that plate by that reader at that moment")
               : status;
}

/* A revision that says all that the read said, but for its plate; the reader's text goes along. */
static void
make_revision(const struct correcting *correcting, struct pb_read *read)
{
    struct pb_str as_read = read->plate_raw.bytes != 0 ? read->plate_raw : read->plate;

    if (read->event_id.bytes == 0 && read->identity_plate.bytes == 0)
        read->identity_plate = read->plate;
    read->plate = correcting->right_plate;
    read->plate_raw = as_read;
    read->jurisdiction =
        correcting->correction->jurisdiction != 0 || correcting->correction->plate.bytes == 0
            ? correcting->correction->jurisdiction
            : read->jurisdiction;
    read->is_correction = true;
    read->is_superseded = false;
    read->revision++;
    /* The reader's other guesses were for the plate that was wrong. */
    read->alternates = NULL;
    read->alternate_count = 0;
}

static enum pb_status
append(struct correcting *correcting, struct pb_read *read, struct pb_error *error)
{
    enum pb_status answer = PB_OK;
    enum pb_status status = PB_OK;

    if (read->revision == UINT32_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "the read has no room for another revision");
    make_revision(correcting, read);
    status = pb_store_append(correcting->site->store, read, 1, &answer, error);
    if (status != PB_OK || answer == PB_OK || answer == PB_DUPLICATE)
        return status;
    return pb_fail(error, PB_CONFLICT, "the store does not take the correction: %s",
                   pb_status_name(answer));
}

static enum pb_status
correct(struct correcting *correcting, struct pb_error *error)
{
    struct pb_read read;
    enum pb_status status = check_words(correcting, error);

    if (status == PB_OK)
        status = check_person(correcting, error);
    if (status == PB_OK)
        status = judge(correcting, error);
    if (status == PB_OK)
        status = record(correcting, error);
    if (status == PB_OK)
        status = find_read(correcting, &read, error);
    return status == PB_OK ? append(correcting, &read, error) : status;
}

enum pb_status
pb_inquiry_correct(struct pb_site *site, const struct pb_correction *correction,
                   struct pb_error *error)
{
    struct correcting correcting = { .site = site,
                                     .correction = correction,
                                     .now_us = pb_now_us(site->env) };
    struct pb_facts *facts = NULL;
    enum pb_status status = PB_OK;

    if (site->mode != PB_SITE_WRITE)
        return pb_fail(error, PB_BAD_INPUT, "the data directory is not open for writing");
    status = pb_site_facts(site, correcting.now_us, &facts, error);
    if (status != PB_OK)
        return status;
    correcting.facts = facts;
    pb_arena_init(&correcting.arena, site->env, 4096);
    status = correct(&correcting, error);
    pb_arena_clear(&correcting.arena);
    pb_facts_drop(facts);
    return status;
}
