/*
 * policy: what the rules say, without asking anything.
 */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/decision.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/query.h"
#include "cli/sub.h"
#include "policy/cases.h"

/* ---- explain ---- */

struct explain_args {
    struct pb_cli_ask_args ask;
    struct pb_cli_query_args query;
    struct pb_cli_texts places;
    int kind; /* 0: by what is given; else enum pb_inquiry_kind + 1 */
    bool is_export;
};

static void
add_options(struct pb_cli_usage *usage, struct explain_args *args)
{
    /* As enum pb_inquiry_kind, behind "auto". */
    static const char *const kinds[] = { "auto",   "plate",      "pattern", "place",
                                         "common", "associates", NULL };
    const struct pb_cli_option options[] = {
        { .name = "kind",
          .placeholder = "KIND",
          .help = "plate, pattern, place, common or associates; by default what the rest means",
          .choice = &args->kind,
          .choices = kinds },
        { .name = "place",
          .placeholder = "PLACE",
          .help = "LAT,LON,RADIUS_M,FROM,TO: a circle and a span of time; may be given again",
          .texts = &args->places },
        { .name = "export", .help = "the answer is exported", .flag = &args->is_export },
        { .name = "recipient",
          .placeholder = "TEXT",
          .help = "of an export: who gets it",
          .text = &args->ask.recipient },
        { .name = "agreement",
          .placeholder = "ID",
          .help = "of an export: the agreement under which the recipient gets it",
          .text = &args->ask.agreement },
        { .name = "json", .help = "one JSON object", .flag = &args->ask.is_json },
    };

    pb_cli_ask_args_add_who(usage, &args->ask);
    pb_cli_query_args_add_plate(usage, &args->query, false);
    pb_cli_query_args_add_window(usage, &args->query);
    /* What is missing is for the rules to say. */
    for (unsigned i = 0; i < usage->option_count; i++)
        usage->options[i].is_required = strcmp(usage->options[i].name, "data") == 0;
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

static bool
load_places(const struct pb_cli *cli, const struct explain_args *args, struct pb_cli_places *places)
{
    struct pb_error error = { "" };

    for (unsigned i = 0; i < args->places.count; i++) {
        if (pb_cli_places_add(cli->env, places, args->places.items[i], &error) != PB_OK) {
            (void)pb_cli_usage_error(cli, "--place: %s", error.message);
            return false;
        }
    }
    return true;
}

static enum pb_inquiry_kind
kind_of(const struct explain_args *args, const struct pb_cli_places *places)
{
    if (args->kind > 0)
        return (enum pb_inquiry_kind)(args->kind - 1);
    if (places->count > 0)
        return places->count == 1 ? PB_INQUIRY_PLACE : PB_INQUIRY_COMMON;
    return pb_cli_query_kind(&args->query);
}

static bool
fill_inquiry(struct pb_cli *cli, struct explain_args *args, const struct pb_cli_places *places,
             struct pb_inquiry *inquiry)
{
    if (places->count > 0 && args->query.from_us == 0 && args->query.to_us == 0) {
        args->query.from_us = places->views[0].from_us;
        args->query.to_us = places->views[0].to_us;
    }
    if (args->is_export)
        args->ask.export_file = "-"; /* never written: only whether there is one counts */
    if (!pb_cli_ask_fill(cli, &args->ask, inquiry))
        return false;
    if (args->query.from_us == 0 && args->query.to_us == 0)
        inquiry->query.plate = pb_str_from(args->query.plate);
    else if (!pb_cli_query_fill(cli, &args->query, inquiry))
        return false;
    inquiry->kind = kind_of(args, places);
    inquiry->places = places->views;
    inquiry->place_count = places->count;
    return true;
}

static void
put_limits_json(struct pb_cli_out *out, const struct pb_decision *decision)
{
    pb_cli_put_format(out, ",\"origins_admitted\":%" PRIu32 ",\"origins_excluded\":%" PRIu32,
                      decision->origins_admitted, decision->origins_excluded);
    if (decision->from_us < decision->to_us) {
        pb_cli_put_text(out, ",\"from\":");
        pb_cli_put_json_time(out, decision->from_us);
        pb_cli_put_text(out, ",\"to\":");
        pb_cli_put_json_time(out, decision->to_us);
    }
    if (decision->confirm_at_rows != UINT64_MAX)
        pb_cli_put_format(out, ",\"confirm_at_rows\":%" PRIu64, decision->confirm_at_rows);
    if (decision->rows_max != UINT64_MAX)
        pb_cli_put_format(out, ",\"rows_max\":%" PRIu64, decision->rows_max);
    pb_cli_put_format(out, ",\"notifies_owners\":%s}\n",
                      decision->notifies_owners ? "true" : "false");
}

static void
put_rule_text(struct pb_cli_out *out, const struct pb_spoken_rule *rule)
{
    const char *option = pb_cli_option_of(rule->field);

    pb_cli_put_format(out, "  %.*s: %s", (int)rule->id.bytes, rule->id.text,
                      pb_policy_verdict_name(rule->verdict));
    if (rule->origins_excluded > 0)
        pb_cli_put_format(out, ", leaves out %" PRIu32 " group%s of readers",
                          rule->origins_excluded, rule->origins_excluded == 1 ? "" : "s");
    pb_cli_put_format(out, "\n      %.*s\n      source: %.*s%s\n", (int)rule->text.bytes,
                      rule->text.text, (int)rule->source.bytes, rule->source.text,
                      rule->is_verified ? "" : " (not verified: read to the strict side)");
    if (option != NULL && rule->verdict == PB_POLICY_DENY)
        pb_cli_put_format(out, "      it looks at %s\n", option);
}

static void
put_limits_text(struct pb_cli_out *out, const struct pb_decision *decision)
{
    char from[PB_TIME_BYTES_MAX], to[PB_TIME_BYTES_MAX];

    if (decision->verdict == PB_POLICY_DENY)
        return;
    (void)pb_time_format(decision->from_us, PB_NO_UTC_OFFSET, from);
    (void)pb_time_format(decision->to_us, PB_NO_UTC_OFFSET, to);
    pb_cli_put_format(out, "window  %s to %s\n", from, to);
    pb_cli_put_format(out, "readers %" PRIu32 " of %" PRIu32 " groups (owner and state)\n",
                      decision->origins_admitted,
                      decision->origins_admitted + decision->origins_excluded);
    if (decision->confirm_at_rows != UINT64_MAX)
        pb_cli_put_format(out,
                          "rows    from %" PRIu64 " on they must be confirmed, and the "
                          "%" PRIu64 " newest are given\n",
                          decision->confirm_at_rows, decision->rows_max);
    if (decision->notifies_owners)
        pb_cli_put_text(out, "notice  to the owners of the reads and to the auditor\n");
}

static void
put_decision(struct pb_cli_out *out, const struct pb_decision *decision, bool is_json)
{
    if (is_json) {
        pb_cli_put_text(out, "{");
        pb_cli_put_decision(out, decision);
        put_limits_json(out, decision);
        return;
    }
    pb_cli_put_format(out, "%s\n", pb_policy_verdict_name(decision->verdict));
    for (uint32_t i = 0; i < decision->rule_count; i++)
        put_rule_text(out, &decision->rules[i]);
    put_limits_text(out, decision);
}

static int
explain(struct pb_cli *cli, const struct explain_args *args, const struct pb_inquiry *inquiry)
{
    const struct pb_site_options options = { .mode = PB_SITE_ASK };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    struct pb_decision decision;
    struct pb_arena arena;
    enum pb_status status;
    int exit_code;

    if (pb_cli_open_site(cli, args->ask.data, &options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    pb_arena_init(&arena, cli->env, 16384);
    status = pb_inquiry_explain(site, inquiry, &arena, &decision, &error);
    if (status == PB_OK) {
        put_decision(cli->out, &decision, args->ask.is_json);
        exit_code = pb_cli_verdict_exit(decision.verdict);
    } else {
        exit_code = pb_cli_failure(cli, status, &error);
    }
    pb_arena_clear(&arena);
    return pb_cli_close_site(cli, site, exit_code);
}

static int
run_explain(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_cli_places places = { .count = 0 };
    struct explain_args args = { .kind = 0 };
    struct pb_inquiry inquiry = { .kind = PB_INQUIRY_PLATE };
    int first, exit_code = PB_CLI_EXIT_USAGE;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;

    pb_cli_ask_args_init(&args.ask);
    pb_cli_usage_init(&usage, "", 0, 0,
                      "Says whether somebody may ask something, which rules speak, what they "
                      "demand and where that is written, without asking it: takes the options of "
                      "search. What is not given, the rules miss. Leaves with 0 where it is "
                      "allowed, 3 where it is denied, 4 where somebody must confirm or approve it; "
                      "that it was explained is on record.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (load_places(cli, &args, &places) && fill_inquiry(cli, &args, &places, &inquiry))
        exit_code = explain(cli, &args, &inquiry);
    pb_cli_places_done(cli->env, &places);
    return exit_code;
}

/* ---- test ---- */

struct testing {
    struct pb_cli *cli;
    const char *file;
    bool is_json, is_quiet;
};

static void
put_case_json(struct pb_cli_out *out, const char *file, const struct pb_policy_case *result)
{
    pb_cli_put_text(out, "{\"file\":");
    pb_cli_put_json_text(out, file);
    pb_cli_put_format(out, ",\"line\":%" PRIu32 ",\"name\":", result->line);
    pb_cli_put_json(out, result->name.text, result->name.bytes);
    pb_cli_put_format(out, ",\"passed\":%s", result->is_passed ? "true" : "false");
    if (!result->is_passed) {
        pb_cli_put_text(out, ",\"problem\":");
        pb_cli_put_json(out, result->problem.text, result->problem.bytes);
    }
    if (result->decision != NULL) {
        pb_cli_put_text(out, ",");
        pb_cli_put_decision(out, result->decision);
    }
    pb_cli_put_text(out, "}\n");
}

static bool
tell_case(void *context, const struct pb_policy_case *result)
{
    const struct testing *testing = context;

    if (testing->is_json)
        put_case_json(testing->cli->out, testing->file, result);
    else if (!result->is_passed)
        pb_cli_say(testing->cli, "%s:%" PRIu32 ": %.*s: %.*s", testing->file, result->line,
                   (int)result->name.bytes, result->name.text, (int)result->problem.bytes,
                   result->problem.text);
    return true;
}

static enum pb_status
run_file(struct testing *testing, const struct pb_rules *rules,
         struct pb_policy_case_counts *counts, struct pb_error *error)
{
    struct pb_policy_case_counts of_file = { 0 };
    const struct pb_env *env = testing->cli->env;
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status =
        pb_cli_load(env, testing->file, PB_CASES_BYTES_MAX, &text, &bytes, error);

    if (status == PB_OK) {
        const struct pb_str view = { .text = text, .bytes = (uint32_t)bytes };

        status = pb_policy_run_cases(env, rules, testing->file, view, tell_case, testing, &of_file,
                                     error);
    }
    pb_free(env, text);
    counts->passed += of_file.passed;
    counts->failed += of_file.failed;
    return status;
}

static int
run_files(struct testing *testing, const struct pb_rules *rules, char **files)
{
    struct pb_policy_case_counts counts = { 0 };
    struct pb_error error = { "" };
    enum pb_status status = PB_OK;

    for (; *files != NULL && status == PB_OK; files++) {
        testing->file = *files;
        status = run_file(testing, rules, &counts, &error);
    }
    if (status != PB_OK)
        return pb_cli_failure(testing->cli, status, &error);
    if (!testing->is_json && !testing->is_quiet)
        pb_cli_put_format(testing->cli->out, "%" PRIu32 " passed, %" PRIu32 " failed\n",
                          counts.passed, counts.failed);
    return counts.failed == 0 ? PB_CLI_EXIT_OK : PB_CLI_EXIT_FAILURE;
}

/* The rules of the data directory, or the shipped ones where there is none. */
static enum pb_status
load_rules(struct pb_cli *cli, const char *data, struct pb_rules **ret_rules)
{
    const struct pb_site_options options = { .mode = PB_SITE_LOOK };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    enum pb_status status;
    size_t count = 0;

    if (data == NULL) {
        const struct pb_pack_source *shipped = pb_rules_shipped(&count);

        status = pb_rules_compile(cli->env, shipped, count, ret_rules, &error);
        if (status != PB_OK)
            (void)pb_cli_failure(cli, status, &error);
        return status;
    }
    status = pb_cli_open_site(cli, data, &options, &site);
    if (status == PB_OK)
        *ret_rules = pb_site_rules(site);
    return pb_cli_close_site(cli, site, PB_CLI_EXIT_OK) == PB_CLI_EXIT_OK ? status : PB_E_IO;
}

static int
run_test(struct pb_cli *cli, int argc, char **argv)
{
    struct testing testing = { .cli = cli };
    struct pb_rules *rules = NULL;
    const char *data = NULL;
    const struct pb_cli_option options[] = {
        { .name = "data",
          .placeholder = "DIR",
          .help = "try the rules of this data directory; the shipped ones by default",
          .text = &data },
        { .name = "json", .help = "one JSON object a case", .flag = &testing.is_json },
        { .name = "quiet", .help = "say only what fails", .flag = &testing.is_quiet },
    };
    int first, exit_code = PB_CLI_EXIT_FAILURE;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;

    pb_cli_usage_init(&usage, "FILE...", 1, UINT32_MAX,
                      "Tries rules on tables of cases: who asks what, on which facts, and which "
                      "answer is expected. A case that comes out otherwise is named by file, line "
                      "and name. Leaves with 1 where any does.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (load_rules(cli, data, &rules) == PB_OK)
        exit_code = run_files(&testing, rules, argv + first);
    pb_rules_unref(rules);
    return exit_code;
}

int
pb_cmd_policy(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "policy explain", "may somebody ask something, and why not?", run_explain },
        { "policy test", "try the rules on tables of cases", run_test },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text = "Looks at the rules without asking anything.",
        .example = "platebase policy explain --person operator --purpose site-security "
                   "--plate AB123CD --from 2026-01-01 --to 2027-01-01",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}
