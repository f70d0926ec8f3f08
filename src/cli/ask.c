/*
 * Ask: options to an inquiry, and the way from its answer to what is printed.
 */
#include "cli/ask.h"

#include <inttypes.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/decision.h"
#include "cli/sheet.h"
#include "cli/shell.h"

#define LIMIT_DEFAULT 100u

/* ---- options ---- */

void
pb_cli_ask_args_init(struct pb_cli_ask_args *args)
{
    *args = (struct pb_cli_ask_args){ .limit = LIMIT_DEFAULT };
}

void
pb_cli_ask_args_add_who(struct pb_cli_usage *usage, struct pb_cli_ask_args *args)
{
    /* As enum pb_relation. */
    static const char *const relations[] = { "unstated",  "subject", "victim", "witness",
                                             "associate", "other",   NULL };
    const struct pb_cli_option options[] = {
        { .name = "person",
          .placeholder = "ID",
          .help = "who asks: a person of the catalog; or set PLATEBASE_PERSON",
          .is_required = true,
          .example = "operator",
          .environment = "PLATEBASE_PERSON",
          .text = &args->person },
        { .name = "purpose",
          .placeholder = "CODE",
          .help = "for what purpose, as the rules name it",
          .is_required = true,
          .example = "site-security",
          .text = &args->purpose },
        { .name = "why",
          .placeholder = "TEXT",
          .help = "why, in words that a reviewer understands",
          .is_required = true,
          .example = "'bicycle taken from the north gate on Monday'",
          .text = &args->why },
        { .name = "case",
          .placeholder = "NUMBER",
          .help = "number of the case that it is for",
          .text = &args->case_number },
        { .name = "for",
          .placeholder = "PERSON",
          .help = "on behalf of this person; without it the one who asks",
          .text = &args->on_behalf_of },
        { .name = "offence",
          .placeholder = "CODE",
          .help = "the offence that is looked into",
          .text = &args->offence },
        { .name = "relation",
          .placeholder = "WORD",
          .help = "how whose plate it is relates to the case: subject, victim, witness, associate "
                  "or other",
          .choice = &args->relation,
          .choices = relations },
        { .name = "jurisdiction",
          .placeholder = "CODE",
          .help = "where the plate was issued, such as US-CA or DE; or the word unknown",
          .text = &args->jurisdiction },
        { .name = "step-up",
          .help = "who asks has just proved again who they are",
          .flag = &args->has_stepped_up },
        { .name = "break-glass",
          .help = "life is in danger: the owner of the reads and the auditor are told",
          .flag = &args->is_break_glass },
        { .name = "approval",
          .placeholder = "TOKEN",
          .help = "what a second person has approved",
          .text = &args->approval },
        { .name = "confirm",
          .placeholder = "TOKEN",
          .help = "confirm what an earlier answer asked to confirm",
          .text = &args->confirmation },
    };

    pb_cli_usage_add_data(usage, &args->data);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

void
pb_cli_ask_args_add_answer(struct pb_cli_usage *usage, struct pb_cli_ask_args *args)
{
    static const char *const formats[] = { "table", "json", "csv", NULL };
    const struct pb_cli_option options[] = {
        { .name = "limit",
          .placeholder = "N",
          .help = "at most N rows; 100 by default, 0 for all that may be given",
          .number = &args->limit,
          .number_max = UINT64_MAX },
        { .name = "page",
          .placeholder = "TOKEN",
          .help = "the next page of an earlier answer, within its audit record",
          .text = &args->page },
        { .name = "format",
          .placeholder = "FORMAT",
          .help = "how to print: table (the default), json (one object a line) or csv",
          .choice = &args->format,
          .choices = formats },
        { .name = "json", .help = "same as --format json", .flag = &args->is_json },
        { .name = "exact-csv",
          .help = "csv for importing again: without the apostrophe that keeps a spreadsheet from "
                  "running a cell",
          .flag = &args->is_exact_csv },
        { .name = "export",
          .placeholder = "FILE",
          .help = "write the rows into this new file (csv, or json with --json), and record it as "
                  "an export",
          .text = &args->export_file },
        { .name = "recipient",
          .placeholder = "TEXT",
          .help = "of an export: who gets it",
          .text = &args->recipient },
        { .name = "agreement",
          .placeholder = "ID",
          .help = "of an export: the agreement under which the recipient gets it",
          .text = &args->agreement },
        { .name = "receipt",
          .placeholder = "FILE",
          .help = "write decision, coverage and place in the audit log as one JSON object; - puts "
                  "it behind the rows",
          .text = &args->receipt },
        { .name = "skip-damaged",
          .help = "leave out what is damaged instead of refusing, and say what that is",
          .flag = &args->skips_damaged },
        { .name = "quiet", .help = "no summary", .flag = &args->is_quiet },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

static enum pb_cli_answer_format
format_of(const struct pb_cli_ask_args *args)
{
    if (args->is_json)
        return PB_CLI_ANSWER_JSON;
    if (args->export_file != NULL && args->format == PB_CLI_ANSWER_TABLE)
        return PB_CLI_ANSWER_CSV;
    return (enum pb_cli_answer_format)args->format;
}

bool
pb_cli_ask_fill(struct pb_cli *cli, const struct pb_cli_ask_args *args, struct pb_inquiry *inquiry)
{
    bool is_unknown = args->jurisdiction != NULL && strcmp(args->jurisdiction, "unknown") == 0;

    if (!pb_cli_jurisdiction(cli, "jurisdiction", is_unknown ? NULL : args->jurisdiction,
                             &inquiry->query.jurisdiction))
        return false;
    if (args->export_file == NULL && (args->recipient != NULL || args->agreement != NULL)) {
        (void)pb_cli_usage_error(cli, "--recipient and --agreement belong to --export FILE");
        return false;
    }
    inquiry->person = pb_str_from(args->person);
    inquiry->on_behalf_of = pb_str_from(args->on_behalf_of);
    inquiry->purpose = pb_str_from(args->purpose);
    inquiry->offence = pb_str_from(args->offence);
    inquiry->case_number = pb_str_from(args->case_number);
    inquiry->justification = pb_str_from(args->why);
    inquiry->relation = (enum pb_relation)args->relation;
    inquiry->is_break_glass = args->is_break_glass;
    inquiry->has_stepped_up = args->has_stepped_up;
    inquiry->approval = pb_str_from(args->approval);
    inquiry->confirmation = pb_str_from(args->confirmation);
    inquiry->client = pb_str_from("cli");
    inquiry->is_jurisdiction_unknown = is_unknown;
    if (args->skips_damaged) {
        inquiry->query.on_damage = pb_cli_tell_damage;
        inquiry->query.damage_context = cli;
    }
    inquiry->rows_wanted = args->limit;
    inquiry->page = pb_str_from(args->page);
    inquiry->is_export = args->export_file != NULL;
    inquiry->export_recipient = pb_str_from(args->recipient);
    inquiry->export_agreement = pb_str_from(args->agreement);
    if (inquiry->is_export)
        inquiry->export_format =
            pb_str_from(format_of(args) == PB_CLI_ANSWER_JSON ? "json" : "csv");
    return true;
}

/* ---- what is said ---- */

struct ask {
    struct pb_cli *cli;
    const struct pb_cli_ask_args *args;
    const struct pb_inquiry *inquiry;
    struct pb_answer *answer; /* owned */
    struct pb_cli_sheet export;
    double seconds;
};

static void
put_index(struct pb_cli_out *out, const char *key, uint64_t index)
{
    if (index == UINT64_MAX)
        pb_cli_put_format(out, ",\"%s\":null", key);
    else
        pb_cli_put_format(out, ",\"%s\":%" PRIu64, key, index);
}

/* {"receipt":{...}} */
static void
put_receipt(struct pb_cli_out *out, const struct pb_answer *answer)
{
    const struct pb_decision *decision = pb_answer_decision(answer);
    const struct pb_coverage coverage = pb_answer_coverage(answer);
    const struct pb_receipt receipt = pb_answer_receipt(answer);

    pb_cli_put_text(out, "{\"receipt\":{\"log\":");
    pb_cli_put_json_text(out, receipt.log);
    put_index(out, "query_index", receipt.query_index);
    put_index(out, "result_index", receipt.result_index);
    pb_cli_put_text(out, ",");
    pb_cli_put_decision(out, decision);
    pb_cli_put_format(out,
                      ",\"count\":%" PRIu64 ",\"rows\":%" PRIu64
                      ",\"truncated\":%s,\"readers_in_scope\":%" PRIu32
                      ",\"origins_excluded\":%" PRIu32,
                      pb_answer_count(answer), pb_answer_rows(answer),
                      pb_answer_is_truncated(answer) ? "true" : "false", coverage.readers_in_scope,
                      coverage.origins_excluded);
    if (coverage.is_up_known)
        pb_cli_put_format(out, ",\"readers_up\":%" PRIu32 ",\"known_by\":\"reads\"",
                          coverage.readers_up);
    if (pb_answer_watermark(answer)[0] != '\0') {
        pb_cli_put_text(out, ",\"watermark\":");
        pb_cli_put_json_text(out, pb_answer_watermark(answer));
    }
    if (pb_answer_page(answer)[0] != '\0') {
        pb_cli_put_text(out, ",\"page\":");
        pb_cli_put_json_text(out, pb_answer_page(answer));
    }
    pb_cli_put_text(out, "}}\n");
}

static enum pb_status
write_receipt(const struct ask *ask, struct pb_error *error)
{
    const struct pb_env *env = ask->cli->env;
    struct pb_cli_sheet sheet = { .out = NULL };
    enum pb_status status;

    if (ask->args->receipt == NULL)
        return PB_OK;
    if (strcmp(ask->args->receipt, "-") == 0) {
        put_receipt(ask->cli->out, ask->answer);
        return PB_OK;
    }
    status = pb_cli_sheet_open(env, &sheet, ask->args->receipt, error);
    if (status == PB_OK) {
        put_receipt(sheet.out, ask->answer);
        status = pb_cli_sheet_close(env, &sheet, false, error);
    }
    return status;
}

static void
say_record(const struct ask *ask)
{
    const struct pb_receipt receipt = pb_answer_receipt(ask->answer);

    if (receipt.log[0] == '\0')
        return;
    if (receipt.result_index == UINT64_MAX)
        pb_cli_say(ask->cli, "on record in log %s: entry %" PRIu64, receipt.log,
                   receipt.query_index);
    else
        pb_cli_say(ask->cli, "on record in log %s: question %" PRIu64 ", answer %" PRIu64,
                   receipt.log, receipt.query_index, receipt.result_index);
}

/* "3 reads (4.2 ms)"; "10 of 2000 plates" */
static void
say_count(const struct ask *ask)
{
    const char *noun = pb_row_shape_of(ask->inquiry) == PB_ROWS_READS ? "read" : "plate";
    uint64_t rows = pb_answer_rows(ask->answer), count = pb_answer_count(ask->answer);

    if (rows == 0)
        pb_cli_say(ask->cli, "no %ss (%.1f ms)", noun, ask->seconds * 1e3);
    else if (rows < count)
        pb_cli_say(ask->cli, "%" PRIu64 " of %" PRIu64 " %ss (%.1f ms)", rows, count, noun,
                   ask->seconds * 1e3);
    else
        pb_cli_say(ask->cli, "%" PRIu64 " %s%s (%.1f ms)", rows, noun, rows == 1 ? "" : "s",
                   ask->seconds * 1e3);
    if (pb_answer_is_truncated(ask->answer))
        pb_cli_say(ask->cli, "these are the newest: there are older ones, and no rule lets them "
                             "out at once");
    if (ask->args->export_file != NULL)
        pb_cli_say(ask->cli, "exported to %s, marked %s", ask->args->export_file,
                   pb_answer_watermark(ask->answer));
}

/* Beside the rows of an allowed answer, for a person. */
static void
say_summary(const struct ask *ask)
{
    const struct pb_coverage coverage = pb_answer_coverage(ask->answer);
    const struct pb_cli *cli = ask->cli;

    if (ask->args->is_quiet || !pb_cli_out_is_open(cli->out))
        return;
    say_count(ask);
    if (coverage.is_up_known)
        pb_cli_say(cli,
                   "readers: %" PRIu32 " in scope, %" PRIu32 " gave reads in that time (known by "
                   "reads only)",
                   coverage.readers_in_scope, coverage.readers_up);
    else
        pb_cli_say(cli, "readers: %" PRIu32 " in scope", coverage.readers_in_scope);
    pb_cli_say_left_out(cli, pb_answer_decision(ask->answer));
    say_record(ask);
    if (pb_answer_page(ask->answer)[0] != '\0')
        pb_cli_say(cli, "there are more: --page %s", pb_answer_page(ask->answer));
}

/* Not allowed, or not yet: to a person on standard error, to a program on standard output. */
static void
say_refusal(const struct ask *ask)
{
    const struct pb_decision *decision = pb_answer_decision(ask->answer);
    const char *token = pb_answer_token(ask->answer);
    const struct pb_cli *cli = ask->cli;

    if (format_of(ask->args) == PB_CLI_ANSWER_JSON) {
        const struct pb_receipt receipt = pb_answer_receipt(ask->answer);

        pb_cli_put_text(cli->out, "{");
        pb_cli_put_decision(cli->out, decision);
        if (token[0] != '\0') {
            pb_cli_put_text(cli->out, ",\"token\":");
            pb_cli_put_json_text(cli->out, token);
            pb_cli_put_format(cli->out, ",\"count\":%" PRIu64, pb_answer_count(ask->answer));
        }
        pb_cli_put_text(cli->out, ",\"log\":");
        pb_cli_put_json_text(cli->out, receipt.log);
        put_index(cli->out, "query_index", receipt.query_index);
        put_index(cli->out, "result_index", receipt.result_index);
        pb_cli_put_text(cli->out, "}\n");
    }
    pb_cli_say_decision(cli, decision);
    say_record(ask);
    if (decision->verdict == PB_POLICY_NEEDS_CONFIRMATION) {
        pb_cli_say_again(cli, "to confirm it, type", "--confirm", token);
    } else if (decision->verdict == PB_POLICY_NEEDS_SECOND_PERSON) {
        pb_cli_say(cli,
                   "the second person types: platebase approve --data %s --person THEIR-ID "
                   "--why TEXT %s",
                   ask->args->data, token);
        pb_cli_say_again(cli, "then you type", "--approval", token);
    }
}

/* ---- asking ---- */

static void
put_disclosure(struct pb_cli_out *out, const struct pb_disclosure *disclosure, bool is_json)
{
    char at[PB_TIME_BYTES_MAX];

    if (is_json) {
        pb_cli_put_text(out, "{\"disclosure\":{\"at\":");
        pb_cli_put_json_time(out, disclosure->at_us);
        pb_cli_put_text(out, ",\"agency\":");
        pb_cli_put_json(out, disclosure->agency.text, disclosure->agency.bytes);
        pb_cli_put_text(out, ",\"purpose\":");
        pb_cli_put_json(out, disclosure->purpose.text, disclosure->purpose.bytes);
        pb_cli_put_text(out, ",\"kind\":");
        pb_cli_put_json(out, disclosure->kind.text, disclosure->kind.bytes);
        pb_cli_put_format(out, ",\"reads\":%" PRIu64 ",\"case_open\":%s}}\n", disclosure->reads,
                          disclosure->is_case_open ? "true" : "false");
        return;
    }
    (void)pb_time_format(disclosure->at_us, PB_NO_UTC_OFFSET, at);
    pb_cli_put_format(out, "%s  %.*s  %.*s  %.*s  %" PRIu64 " reads%s\n", at,
                      (int)disclosure->agency.bytes, disclosure->agency.text,
                      (int)disclosure->purpose.bytes, disclosure->purpose.text,
                      (int)disclosure->kind.bytes, disclosure->kind.text, disclosure->reads,
                      disclosure->is_case_open ? "  (its case is open)" : "");
}

/* Behind the rows: who looked for the plate, and was given what. */
static void
put_disclosures(struct pb_cli_out *out, const struct pb_disclosures *disclosures,
                enum pb_cli_answer_format format)
{
    if (format == PB_CLI_ANSWER_CSV)
        return; /* its rows are reads, all of one shape */
    if (format == PB_CLI_ANSWER_TABLE)
        pb_cli_put_format(out, "\nGIVEN OR LOOKED FOR: %" PRIu32 "%s\n", disclosures->count,
                          disclosures->is_cut ? " of more" : "");
    for (uint32_t i = 0; i < disclosures->count; i++)
        put_disclosure(out, &disclosures->items[i], format == PB_CLI_ANSWER_JSON);
    if (format == PB_CLI_ANSWER_TABLE)
        pb_cli_put_format(out,
                          "and %" PRIu64 " answers by place or by part of a plate, which may "
                          "hold it\n",
                          disclosures->unnamed);
    else
        pb_cli_put_format(out, "{\"unnamed\":%" PRIu64 "}\n", disclosures->unnamed);
}

static enum pb_status
put_rows(const struct ask *ask, struct pb_error *error)
{
    struct pb_cli_out *out = ask->export.out != NULL ? ask->export.out : ask->cli->out;
    enum pb_status status =
        pb_cli_answer_put(ask->cli->env, out, ask->answer, pb_row_shape_of(ask->inquiry),
                          format_of(ask->args), ask->args->is_exact_csv);

    if (status != PB_OK)
        return pb_fail(error, status, "no memory to print what was found");
    if (pb_answer_disclosures(ask->answer) != NULL)
        put_disclosures(ask->cli->out, pb_answer_disclosures(ask->answer), format_of(ask->args));
    return status;
}

/* From an answer to an exit code. */
static int
tell(struct ask *ask)
{
    enum pb_policy_verdict verdict = pb_answer_decision(ask->answer)->verdict;
    struct pb_error error = { "" };
    enum pb_status status = PB_OK;

    if (verdict == PB_POLICY_ALLOW)
        status = put_rows(ask, &error);
    if (status == PB_OK)
        status =
            pb_cli_sheet_close(ask->cli->env, &ask->export, verdict != PB_POLICY_ALLOW, &error);
    if (status == PB_OK)
        status = write_receipt(ask, &error);
    if (status == PB_OK)
        status = pb_cli_out_flush(ask->cli->out, "standard output", &error);
    if (status != PB_OK)
        return pb_cli_failure(ask->cli, status, &error);
    if (verdict == PB_POLICY_ALLOW)
        say_summary(ask);
    else
        say_refusal(ask);
    return pb_cli_verdict_exit(verdict);
}

int
pb_cli_ask_run(struct pb_cli *cli, const struct pb_cli_ask_args *args,
               const struct pb_inquiry *inquiry)
{
    const struct pb_site_options options = {
        .mode = PB_SITE_ASK,
        .skips_damaged = args->skips_damaged,
    };
    struct ask ask = { .cli = cli, .args = args, .inquiry = inquiry };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    int exit_code = PB_CLI_EXIT_FAILURE;
    enum pb_status status;
    int64_t started_ns;

    if (pb_cli_open_site(cli, args->data, &options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    /* Before the question is asked and recorded: a file that cannot be made asks nothing. */
    if (args->export_file != NULL) {
        status = pb_cli_sheet_open(cli->env, &ask.export, args->export_file, &error);
        if (status != PB_OK) {
            exit_code = pb_cli_failure(cli, status, &error);
            goto out;
        }
    }
    started_ns = pb_monotonic_ns(cli->env);
    status = pb_inquiry_ask(site, inquiry, &ask.answer, &error);
    ask.seconds = (double)(pb_monotonic_ns(cli->env) - started_ns) / 1e9;
    if (status == PB_OK) {
        exit_code = tell(&ask);
    } else {
        exit_code = pb_cli_failure(cli, status, &error);
        /* What the store refuses to be asked was asked wrongly. */
        if (status == PB_BAD_INPUT || status == PB_OVER_LIMIT)
            exit_code = PB_CLI_EXIT_USAGE;
    }

out:
    if (pb_cli_sheet_close(cli->env, &ask.export, true, &error) != PB_OK)
        exit_code = pb_cli_failure(cli, PB_E_IO, &error);
    pb_answer_free(ask.answer);
    return pb_cli_close_site(cli, site, exit_code);
}
