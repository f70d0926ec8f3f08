/*
 * Cases: one file, its facts, and each case against the rules.
 *
 * A case asks an inquiry, or how long something is kept. What is not said in a case is taken from
 * the file's `inquiry`.
 */
#include "policy/cases.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/case_facts.h"
#include "policy/policy_private.h"

#define ARENA_BYTES ((size_t)4 << 10)
#define PROBLEM_BYTES_MAX 600u

/* What a case asks, as it stands in the file. */
struct question {
    struct pb_policy_request request;
    uint32_t given; /* bits in the order of question_members */
    struct pb_str jurisdiction;
};

#define ASKS(key, kind, field, list)                                         \
    {                                                                        \
        key, PB_MEMBER_##kind, offsetof(struct question, field), false, list \
    }

static const struct pb_member question_members[] = {
    ASKS("kind", WORD_OF, request.kind, pb_kind_names),
    ASKS("person", ANY_TEXT, request.person, NULL),
    ASKS("on_behalf_of", ANY_TEXT, request.on_behalf_of, NULL),
    ASKS("purpose", ANY_TEXT, request.purpose, NULL),
    ASKS("offence", ANY_TEXT, request.offence, NULL),
    ASKS("case", ANY_TEXT, request.case_number, NULL),
    ASKS("why", ANY_TEXT, request.justification, NULL),
    ASKS("relation", WORD_OF, request.relation, pb_relation_names),
    ASKS("plate", ANY_TEXT, request.plate, NULL),
    ASKS("jurisdiction", ANY_TEXT, jurisdiction, NULL),
    ASKS("edits", UNSIGNED, request.edits, NULL),
    ASKS("from", TIME, request.from_us, NULL),
    ASKS("to", TIME, request.to_us, NULL),
    ASKS("area_km2", NUMBER, request.area_m2, NULL),
    ASKS("places", UNSIGNED, request.place_count, NULL),
    ASKS("exposure_km2_hours", NUMBER, request.exposure_km2_hours, NULL),
    ASKS("identity", ANY_TEXT, request.identity, NULL),
    ASKS("stepped_up", BOOL, request.has_stepped_up, NULL),
    ASKS("break_glass", BOOL, request.is_break_glass, NULL),
    ASKS("export", BOOL, request.is_export, NULL),
    ASKS("export_recipient", ANY_TEXT, request.export_recipient, NULL),
    ASKS("export_agreement", ANY_TEXT, request.export_agreement, NULL),
    ASKS("approver", ANY_TEXT, request.approver, NULL),
    ASKS("confirmed", BOOL, request.has_confirmed, NULL),
    ASKS("found", COUNT, request.found_count, NULL),
};
#define QUESTION_MEMBERS (sizeof(question_members) / sizeof(question_members[0]))

/* What a case expects. */
struct expectation {
    uint32_t given;
    struct pb_str name, retention_of, correction_of;
    uint32_t verdict;
    struct pb_words speaks, silent, admits;
    uint16_t hold_in;
    struct pb_span keeps, log_kept;
    int64_t now_us, from_us;
    uint64_t rows_max;
    bool notifies;
};

/* In the order of enum pb_policy_verdict. */
static const char *const verdicts[] = { "allow", "confirm", "second_person", "deny", NULL };

enum {
    EXPECTS_VERDICT = 1u << 1,
    EXPECTS_ADMITS = 1u << 4,
    EXPECTS_RETENTION = 1u << 5,
    EXPECTS_HOLD = 1u << 6,
    EXPECTS_KEEPS = 1u << 7,
    EXPECTS_LOG = 1u << 8,
    EXPECTS_NOW = 1u << 9,
    EXPECTS_FROM = 1u << 10,
    EXPECTS_ROWS = 1u << 11,
    EXPECTS_NOTICE = 1u << 12,
    EXPECTS_CORRECTION = 1u << 13,
    /* A name, a moment or what is asked about is no expectation. */
    EXPECTS_SOMETHING =
        (1u << 14) - 1 - 1 - EXPECTS_RETENTION - EXPECTS_HOLD - EXPECTS_NOW - EXPECTS_CORRECTION,
};

#define EXPECTS(key, kind, field, is_needed, list)                                  \
    {                                                                               \
        key, PB_MEMBER_##kind, offsetof(struct expectation, field), is_needed, list \
    }

/* In the order of the bits above. */
static const struct pb_member expectation_members[] = {
    EXPECTS("name", TEXT, name, true, NULL),
    EXPECTS("expect", WORD_OF, verdict, false, verdicts),
    EXPECTS("speaks", WORDS, speaks, false, NULL),
    EXPECTS("silent", WORDS, silent, false, NULL),
    EXPECTS("admits", WORDS_OR_NONE, admits, false, NULL),
    EXPECTS("retention_of", TEXT, retention_of, false, NULL),
    EXPECTS("hold_in", STATE, hold_in, false, NULL),
    EXPECTS("keeps", SPAN, keeps, false, NULL),
    EXPECTS("log_kept", SPAN, log_kept, false, NULL),
    EXPECTS("now", TIME, now_us, false, NULL),
    EXPECTS("window_from", TIME, from_us, false, NULL),
    EXPECTS("rows_at_most", COUNT, rows_max, false, NULL),
    EXPECTS("notifies_owners", BOOL, notifies, false, NULL),
    EXPECTS("correction_of", TEXT, correction_of, false, NULL),
};
#define EXPECTATION_MEMBERS (sizeof(expectation_members) / sizeof(expectation_members[0]))

/* One file being run. */
struct run {
    const struct pb_env *env;
    const struct pb_rules *rules;
    struct pb_arena arena; /* of the file */
    struct pb_arena once;  /* of one case */
    struct pb_pack_reader reader;
    struct pb_case_facts facts;
    const struct pb_yaml *defaults; /* NULL: none */
    int64_t now_us;
    char problem_text[PROBLEM_BYTES_MAX];
    struct pb_text_out problem;
};

/* ---- the question ---- */

static unsigned
count_known(struct pb_str plate)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < plate.bytes; i++)
        count += plate.text[i] != '?' && plate.text[i] != '*';
    return count;
}

static enum pb_status
take_jurisdiction(const struct run *run, const struct pb_yaml *map, struct question *question)
{
    struct pb_str text = question->jurisdiction;
    static const struct pb_member member = { .name = "jurisdiction", .type = PB_MEMBER_STATE };
    const struct pb_yaml *value = map == NULL ? NULL : pb_yaml_get(map, "jurisdiction");

    if (text.bytes == 0)
        return PB_OK;
    question->request.is_jurisdiction_unknown = pb_str_equal(text, pb_str_from("unknown"));
    if (question->request.is_jurisdiction_unknown)
        return PB_OK;
    if (value == NULL)
        value = pb_yaml_get(run->defaults, "jurisdiction");
    return pb_member_read(&run->reader, &member, value, &question->request.jurisdiction);
}

static const struct pb_case *
find_case(const struct run *run, const struct pb_policy_request *request)
{
    uint32_t person = pb_view_person(&run->facts.view, request->person);
    struct pb_str agency;

    if (person == PB_NO_INDEX || request->case_number.bytes == 0)
        return NULL;
    agency = run->facts.view.agencies[run->facts.view.people[person].agency].id;
    for (uint32_t i = 0; i < run->facts.case_count; i++) {
        struct pb_str id = run->facts.cases[i].number;

        if (id.bytes == agency.bytes + 1 + request->case_number.bytes &&
            memcmp(id.text, agency.text, agency.bytes) == 0 && id.text[agency.bytes] == ':' &&
            memcmp(id.text + agency.bytes + 1, request->case_number.text,
                   request->case_number.bytes) == 0)
            return &run->facts.cases[i];
    }
    return NULL;
}

static enum pb_status
read_question(struct run *run, const struct pb_yaml *map, struct question *question)
{
    enum pb_status status = PB_OK;

    *question = (struct question){ .request.found_count = PB_COUNT_UNKNOWN };
    if (run->defaults != NULL)
        status = pb_members_read(&run->reader, question_members, QUESTION_MEMBERS, run->defaults,
                                 question, &question->given);
    if (status == PB_OK && map != NULL)
        status = pb_keys_check(&run->reader, map, NULL, question_members, QUESTION_MEMBERS);
    if (status == PB_OK && map != NULL)
        status = pb_members_read(&run->reader, question_members, QUESTION_MEMBERS, map, question,
                                 &question->given);
    if (status == PB_OK)
        status = take_jurisdiction(run, map, question);
    question->request.area_m2 *= 1e6;
    question->request.known_characters = count_known(question->request.plate);
    question->request.is_plate_exact = question->request.kind != PB_INQUIRY_PATTERN;
    question->request.found_case = find_case(run, &question->request);
    return status;
}

/* ---- comparing ---- */

static void
complain(struct run *run, const char *what, struct pb_str name)
{
    if (run->problem.at != run->problem_text)
        pb_put_text(&run->problem, "; ");
    pb_put_text(&run->problem, what);
    pb_put_str(&run->problem, name);
}

static const struct pb_spoken_rule *
find_spoken(const struct pb_decision *decision, struct pb_str id)
{
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        if (pb_str_equal(decision->rules[i].id, id))
            return &decision->rules[i];
    }
    return NULL;
}

static void
compare_rules(struct run *run, const struct expectation *expected,
              const struct pb_decision *decision)
{
    for (uint32_t i = 0; i < expected->speaks.count; i++) {
        if (find_spoken(decision, expected->speaks.at[i]) == NULL)
            complain(run, "silent: ", expected->speaks.at[i]);
    }
    for (uint32_t i = 0; i < expected->silent.count; i++) {
        if (find_spoken(decision, expected->silent.at[i]) != NULL)
            complain(run, "spoke: ", expected->silent.at[i]);
    }
}

static void
compare_verdict(struct run *run, const struct expectation *expected,
                const struct pb_decision *decision)
{
    if ((expected->given & EXPECTS_VERDICT) == 0 ||
        (uint32_t)decision->verdict == expected->verdict)
        return;
    complain(run, "the verdict is ", pb_str_from(verdicts[decision->verdict]));
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        if (decision->rules[i].verdict != PB_POLICY_ALLOW)
            complain(run, "by ", decision->rules[i].id);
    }
}

static bool
admits(const struct run *run, const struct pb_decision *decision, uint32_t reader)
{
    if (!decision->admits_origin[run->facts.view.readers[reader].origin])
        return false;
    return decision->admits_reader == NULL || decision->admits_reader[reader];
}

static void
compare_readers(struct run *run, const struct expectation *expected,
                const struct pb_decision *decision)
{
    if ((expected->given & EXPECTS_ADMITS) == 0)
        return;
    for (uint32_t i = 0; i < run->facts.view.reader_count; i++) {
        struct pb_str id = run->facts.view.readers[i].id;
        bool is_wanted = false;

        for (uint32_t j = 0; j < expected->admits.count; j++)
            is_wanted |= pb_str_equal(expected->admits.at[j], id);
        if (is_wanted != admits(run, decision, i))
            complain(run, is_wanted ? "left out: " : "admitted: ", id);
    }
}

static void
compare_rest(struct run *run, const struct expectation *expected,
             const struct pb_decision *decision)
{
    struct pb_str nothing = { .text = "", .bytes = 0 };

    if ((expected->given & EXPECTS_LOG) != 0 &&
        decision->log_retention_us != expected->log_kept.longest_us)
        complain(run, "the log is kept for another time", nothing);
    if ((expected->given & EXPECTS_FROM) != 0 && decision->from_us != expected->from_us)
        complain(run, "the window begins at another time", nothing);
    if ((expected->given & EXPECTS_ROWS) != 0 && decision->rows_max != expected->rows_max)
        complain(run, "another number of rows", nothing);
    if ((expected->given & EXPECTS_NOTICE) != 0 && decision->notifies_owners != expected->notifies)
        complain(run, decision->notifies_owners ? "owners are told" : "owners are not told",
                 nothing);
}

/* ---- one case ---- */

static enum pb_status
ask(struct run *run, const struct pb_yaml *map, const struct expectation *expected,
    struct pb_decision *decision)
{
    struct question question;
    enum pb_status status = read_question(run, pb_yaml_get(map, "inquiry"), &question);

    if (status == PB_OK)
        status = pb_policy_decide(run->rules, &run->facts.view, &question.request, expected->now_us,
                                  &run->once, decision);
    if (status != PB_OK)
        return status;
    compare_verdict(run, expected, decision);
    compare_rules(run, expected, decision);
    compare_readers(run, expected, decision);
    compare_rest(run, expected, decision);
    return PB_OK;
}

/* How long something is kept, and by which rule. */
static void
compare_keeping(struct run *run, const struct expectation *expected, int64_t us,
                const struct pb_spoken_rule *rule)
{
    struct pb_decision decision = { .rules = rule, .rule_count = 1 };

    if ((expected->given & EXPECTS_KEEPS) != 0 && us != expected->keeps.shortest_us) {
        complain(run, "kept for another time, in days: ", (struct pb_str){ "", 0 });
        pb_put_i64(&run->problem, us / INT64_C(86400000000));
    }
    compare_rules(run, expected, &decision);
}

static enum pb_status
find_reader(const struct run *run, const struct pb_yaml *map, struct pb_str id,
            uint32_t *ret_reader)
{
    const struct pb_catalog_view *view = &run->facts.view;

    for (uint32_t i = 0; i < view->reader_count; i++) {
        if (pb_str_equal(view->readers[i].id, id)) {
            *ret_reader = i;
            return PB_OK;
        }
    }
    return pb_pack_wrong(&run->reader, map->line, "there is no reader %.64s", id.text);
}

static enum pb_status
ask_retention(struct run *run, const struct pb_yaml *map, const struct expectation *expected)
{
    const struct pb_catalog_view *view = &run->facts.view;
    struct pb_spoken_rule rule;
    uint32_t reader = 0;
    enum pb_status status = find_reader(run, map, expected->retention_of, &reader);

    if (status == PB_OK)
        compare_keeping(run, expected,
                        pb_policy_retention_us(run->rules, view, view->readers[reader].origin,
                                               expected->now_us, &rule),
                        &rule);
    return status;
}

/* May the person correct reads of that reader? */
static enum pb_status
ask_correction(struct run *run, const struct pb_yaml *map, const struct expectation *expected,
               struct pb_decision *decision)
{
    struct question question;
    uint32_t reader = 0;
    enum pb_status status = find_reader(run, map, expected->correction_of, &reader);

    if (status == PB_OK)
        status = read_question(run, pb_yaml_get(map, "inquiry"), &question);
    if (status == PB_OK)
        status = pb_policy_may_correct(run->rules, &run->facts.view, &question.request, reader,
                                       expected->now_us, &run->once, decision);
    if (status != PB_OK)
        return status;
    compare_verdict(run, expected, decision);
    compare_rules(run, expected, decision);
    return PB_OK;
}

static void
ask_hold(struct run *run, const struct expectation *expected)
{
    struct pb_spoken_rule rule;
    int64_t us = pb_policy_hold_max_us(run->rules, expected->hold_in, expected->now_us, &rule);

    compare_keeping(run, expected, us, &rule);
}

static enum pb_status
run_case(struct run *run, const struct pb_yaml *map, struct pb_policy_case *ret_result)
{
    static const char *const words[] = { "inquiry", NULL };
    struct expectation expected = { .now_us = run->now_us };
    struct pb_decision *decision;
    enum pb_status status =
        pb_keys_check(&run->reader, map, words, expectation_members, EXPECTATION_MEMBERS);

    if (status == PB_OK)
        status = pb_members_read(&run->reader, expectation_members, EXPECTATION_MEMBERS, map,
                                 &expected, &expected.given);
    decision = pb_arena_alloc(&run->once, sizeof(*decision));
    if (status == PB_OK && decision == NULL)
        status = PB_E_NOMEM;
    if (status != PB_OK)
        return status;
    if ((expected.given & EXPECTS_SOMETHING) == 0)
        return pb_pack_wrong(&run->reader, map->line, "the case expects nothing");
    run->problem = pb_text_out(run->problem_text, sizeof(run->problem_text));
    *ret_result = (struct pb_policy_case){
        .name = expected.name,
        .line = map->line,
        .speaks = expected.speaks.at,
        .speaks_count = expected.speaks.count,
        .silent = expected.silent.at,
        .silent_count = expected.silent.count,
    };
    if ((expected.given & EXPECTS_RETENTION) != 0) {
        status = ask_retention(run, map, &expected);
    } else if ((expected.given & EXPECTS_HOLD) != 0) {
        ask_hold(run, &expected);
    } else if ((expected.given & EXPECTS_CORRECTION) != 0) {
        status = ask_correction(run, map, &expected, decision);
        ret_result->decision = decision;
    } else {
        status = ask(run, map, &expected, decision);
        ret_result->decision = decision;
    }
    ret_result->problem =
        (struct pb_str){ .text = run->problem_text,
                         .bytes = (uint32_t)(run->problem.at - run->problem_text) };
    ret_result->is_passed = ret_result->problem.bytes == 0;
    return status;
}

/* ---- the file ---- */

static enum pb_status
read_now(struct run *run, const struct pb_yaml *root)
{
    static const struct pb_member now = {
        .name = "now", .type = PB_MEMBER_TIME, .offset = 0, .is_required = true
    };
    uint32_t given = 0;

    return pb_members_read(&run->reader, &now, 1, root, &run->now_us, &given);
}

static enum pb_status
read_file(struct run *run, const struct pb_yaml *root)
{
    static const char *const words[] = { "about", "now", "facts", "inquiry", "cases", NULL };
    enum pb_status status = pb_keys_check(&run->reader, root, words, NULL, 0);

    if (status == PB_OK)
        status = read_now(run, root);
    if (status == PB_OK)
        status =
            pb_case_facts_read(&run->reader, pb_yaml_get(root, "facts"), run->now_us, &run->facts);
    run->defaults = pb_yaml_get(root, "inquiry");
    if (status == PB_OK && run->defaults != NULL)
        status =
            pb_keys_check(&run->reader, run->defaults, NULL, question_members, QUESTION_MEMBERS);
    return status;
}

static enum pb_status
run_all(struct run *run, const struct pb_yaml *root, pb_policy_case_fn *each, void *context,
        struct pb_policy_case_counts *ret_counts)
{
    const struct pb_yaml *cases = pb_yaml_get(root, "cases");

    if (cases == NULL || cases->kind != PB_YAML_LIST)
        return pb_pack_wrong(&run->reader, root->line, "`cases` is a list");
    for (uint32_t i = 0; i < cases->count; i++) {
        struct pb_policy_case result;
        enum pb_status status;

        pb_arena_reset(&run->once);
        status = run_case(run, &cases->items[i], &result);
        if (status != PB_OK)
            return status;
        ret_counts->passed += result.is_passed;
        ret_counts->failed += !result.is_passed;
        if (each != NULL && !each(context, &result))
            break;
    }
    return PB_OK;
}

enum pb_status
pb_policy_run_cases(const struct pb_env *env, const struct pb_rules *rules, const char *file_name,
                    struct pb_str text, pb_policy_case_fn *each, void *context,
                    struct pb_policy_case_counts *ret_counts, struct pb_error *error)
{
    struct run run = { .env = env, .rules = rules };
    struct pb_error yaml_error = { { 0 } };
    const struct pb_yaml *root = NULL;
    enum pb_status status;

    *ret_counts = (struct pb_policy_case_counts){ 0, 0 };
    if (text.bytes > PB_CASES_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "%.64s: more than %u bytes", file_name,
                       PB_CASES_BYTES_MAX);
    pb_arena_init(&run.arena, env, ARENA_BYTES);
    pb_arena_init(&run.once, env, ARENA_BYTES);
    run.reader = (struct pb_pack_reader){
        .rules = rules, .arena = &run.arena, .error = error, .file_name = file_name
    };
    status = pb_yaml_parse(&run.arena, text, &root, &yaml_error);
    if (status != PB_OK) {
        status = pb_fail(error, status, "%.64s, %s", file_name, yaml_error.message);
        goto out;
    }
    status = read_file(&run, root);
    if (status == PB_OK)
        status = run_all(&run, root, each, context, ret_counts);

out:
    pb_arena_clear(&run.once);
    pb_arena_clear(&run.arena);
    return status;
}
