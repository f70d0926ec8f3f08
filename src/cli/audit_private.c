/*
 * Audit, private side: what an agency's own auditors may open. Every look goes through
 * src/inquiry/review.h, which leaves an entry before anything is shown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "cli/at_site.h"
#include "cli/audit.h"
#include "cli/entry.h"
#include "cli/options.h"
#include "cli/sheet.h"
#include "cli/table.h"
#include "inquiry/review.h"

#define LIMIT_DEFAULT 100u

struct look_args {
    const char *data, *person, *log;
    bool is_json;
};

static void
add_look_options(struct pb_cli_usage *usage, struct look_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "person",
          .placeholder = "ID",
          .help = "who looks: somebody who may audit, at the log of their own agency; nobody: the "
                  "operator of the machine, at the operator's log; or set PLATEBASE_PERSON",
          .environment = "PLATEBASE_PERSON",
          .text = &args->person },
        { .name = "log",
          .placeholder = "ID",
          .help = "the log that is meant; nothing is shown of another one",
          .text = &args->log },
    };

    pb_cli_usage_add_data(usage, &args->data);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

/* Opens the site to look as somebody. false, after saying so, where --log names a log that is not
 * theirs: better than to leave an entry of a look that was not meant. */
static bool
open_site(struct pb_cli *cli, const struct look_args *args, struct pb_site **ret_site)
{
    const struct pb_site_options options = { .mode = PB_SITE_ASK };
    const struct pb_catalog_view *view = NULL;
    struct pb_str log = pb_str_from(PB_AUDIT_OPERATOR);
    struct pb_error error = { "" };
    uint32_t person;
    bool is_theirs;

    if (pb_cli_open_site(cli, args->data, &options, ret_site) != PB_OK)
        return false;
    if (args->log == NULL)
        return true;
    if (pb_catalog_view_take(pb_site_catalog(*ret_site), &view, &error) != PB_OK) {
        (void)pb_cli_failure(cli, PB_E_IO, &error);
        return false;
    }
    person = pb_view_person(view, pb_str_from(args->person));
    if (args->person != NULL)
        log = person != PB_NO_INDEX ? view->agencies[view->people[person].agency].id
                                    : (struct pb_str){ 0 };
    is_theirs = pb_str_equal(log, pb_str_from(args->log));
    if (!is_theirs)
        pb_cli_say(cli,
                   "%s may not look at log %s: auditors see the log of their own agency, and "
                   "the operator of the machine the operator's",
                   args->person != NULL ? args->person : "the operator", args->log);
    pb_catalog_view_drop(view);
    return is_theirs;
}

/* ---- entries: open, search, export ---- */

enum entry_form { FORM_TEXT, FORM_JSON, FORM_CSV };

struct entries {
    struct pb_cli_out *out;
    enum entry_form form;
    uint64_t count, limit; /* limit 0: none */
    bool has_more;
};

static bool
put_entry(void *context, const struct pb_audit_entry *entry)
{
    struct entries *entries = context;

    if (entries->limit > 0 && entries->count == entries->limit) {
        entries->has_more = true;
        return false;
    }
    entries->count++;
    switch (entries->form) {
    case FORM_TEXT:
        pb_cli_put_entry(entries->out, entry);
        break;
    case FORM_JSON:
        pb_cli_put_entry_json(entries->out, entry);
        break;
    case FORM_CSV:
        pb_cli_put_entry_csv(entries->out, entry);
        break;
    }
    return pb_cli_out_is_open(entries->out);
}

/* PB_OK, or a failure that was said. */
static int
read_entries(struct pb_cli *cli, const struct look_args *args,
             const struct pb_review_filter *filter, struct entries *entries)
{
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    int exit_code = PB_CLI_EXIT_FAILURE;
    enum pb_status status;

    if (open_site(cli, args, &site)) {
        status =
            pb_review_read(site, pb_str_from(args->person), filter, put_entry, entries, &error);
        exit_code = status == PB_OK ? PB_CLI_EXIT_OK : pb_cli_failure(cli, status, &error);
    }
    return pb_cli_close_site(cli, site, exit_code);
}

int
pb_cli_audit_open(struct pb_cli *cli, int argc, char **argv)
{
    struct entries entries = { .out = cli->out };
    struct pb_review_filter filter = { .first = 0 };
    struct look_args args = { .data = NULL };
    uint64_t index = 0;
    const struct pb_cli_option options[] = {
        { .name = "index",
          .placeholder = "N",
          .help = "number of the entry, as search and the others print it",
          .is_required = true,
          .example = "12",
          .number = &index,
          .number_max = UINT64_MAX - 1 },
        { .name = "json", .help = "one JSON object", .flag = &args.is_json },
    };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first, exit_code;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Shows one entry with all that it hides from others: who, which plate, which "
                      "case, why. That it was opened, and by whom, is an entry, too.");
    add_look_options(&usage, &args);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    filter.first = index;
    filter.last = index;
    entries.form = args.is_json ? FORM_JSON : FORM_TEXT;
    entries.limit = 1;
    exit_code = read_entries(cli, &args, &filter, &entries);
    if (exit_code == PB_CLI_EXIT_OK && entries.count == 0) {
        pb_cli_say(cli, "there is no entry %" PRIu64, index);
        exit_code = PB_CLI_EXIT_FAILURE;
    }
    return exit_code;
}

struct search_args {
    struct look_args look;
    const char *asker, *plate, *case_number, *kind, *event;
    int64_t from_us, to_us;
    uint64_t limit;
};

static void
add_filter_options(struct pb_cli_usage *usage, struct search_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "asker",
          .placeholder = "ID",
          .help = "only entries of this person's doing",
          .text = &args->asker },
        { .name = "plate",
          .placeholder = "TEXT",
          .help = "only where it was asked for this plate, or this very pattern",
          .text = &args->plate },
        { .name = "case",
          .placeholder = "NUMBER",
          .help = "only of this case",
          .text = &args->case_number },
        { .name = "kind",
          .placeholder = "KIND",
          .help = "only inquiries of this kind: plate, pattern, place, common, associates",
          .text = &args->kind },
        { .name = "event",
          .placeholder = "EVENT",
          .help = "only such entries: query, result, denied, disclosed, change, purge, audit-read "
                  "...",
          .text = &args->event },
        { .name = "from",
          .placeholder = "TIME",
          .help = "recorded at this time or later",
          .time_us = &args->from_us },
        { .name = "to",
          .placeholder = "TIME",
          .help = "recorded before this time",
          .time_us = &args->to_us },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

static struct pb_review_filter
filter_of(const struct search_args *args)
{
    return (struct pb_review_filter){
        .from_us = args->from_us,
        /* Both or none: an end alone begins with the log. */
        .to_us = args->to_us == 0 && args->from_us != 0 ? PB_TIME_MAX_US : args->to_us,
        .event = args->event,
        .kind = pb_str_from(args->kind),
        .person = pb_str_from(args->asker),
        .plate = pb_str_from(args->plate),
        .case_number = pb_str_from(args->case_number),
    };
}

int
pb_cli_audit_search(struct pb_cli *cli, int argc, char **argv)
{
    struct search_args args = { .limit = LIMIT_DEFAULT };
    struct entries entries = { .out = cli->out };
    struct pb_review_filter filter;
    bool is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "limit",
          .placeholder = "N",
          .help = "at most N entries; 100 by default, 0 for all",
          .number = &args.limit,
          .number_max = UINT64_MAX },
        { .name = "json", .help = "one JSON object a line", .flag = &args.look.is_json },
        { .name = "quiet", .help = "no summary", .flag = &is_quiet },
    };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first, exit_code;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Finds entries of a log by who asked, plate, case, date, kind of inquiry and "
                      "event; all that is given must fit. Shows what they hide from others. That "
                      "it was searched, for what and by whom, is an entry, too.");
    add_look_options(&usage, &args.look);
    add_filter_options(&usage, &args);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    filter = filter_of(&args);
    entries.form = args.look.is_json ? FORM_JSON : FORM_TEXT;
    entries.limit = args.limit;
    exit_code = read_entries(cli, &args.look, &filter, &entries);
    if (exit_code == PB_CLI_EXIT_OK && !is_quiet)
        pb_cli_say(cli, "%" PRIu64 " entr%s%s", entries.count, entries.count == 1 ? "y" : "ies",
                   entries.has_more ? "; there are more: raise --limit" : "");
    return exit_code;
}

int
pb_cli_audit_export(struct pb_cli *cli, int argc, char **argv)
{
    static const char *const formats[] = { "csv", "json", NULL };
    struct search_args args = { .limit = 0 };
    struct entries entries = { .out = NULL };
    struct pb_cli_sheet sheet = { .out = NULL };
    struct pb_error error = { "" };
    struct pb_review_filter filter;
    int first, format = 0, exit_code;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    bool is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "format",
          .placeholder = "FORMAT",
          .help = "csv (the default) or json (one object a line)",
          .choice = &format,
          .choices = formats },
        { .name = "quiet", .help = "say nothing", .flag = &is_quiet },
    };

    pb_cli_usage_init(&usage, "FILE", 1, 1,
                      "Writes entries of a log, with all that they hide from others, into a new "
                      "file that only its owner may read. In CSV, a cell that a spreadsheet would "
                      "run as a formula gets an apostrophe. The export is an entry of its own.");
    add_look_options(&usage, &args.look);
    add_filter_options(&usage, &args);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    status = pb_cli_sheet_open(cli->env, &sheet, argv[first], &error);
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);
    filter = filter_of(&args);
    entries.out = sheet.out;
    entries.form = format == 0 ? FORM_CSV : FORM_JSON;
    if (entries.form == FORM_CSV)
        pb_cli_put_text(sheet.out, pb_entry_csv_header);
    exit_code = read_entries(cli, &args.look, &filter, &entries);
    status = pb_cli_sheet_close(cli->env, &sheet, exit_code != PB_CLI_EXIT_OK, &error);
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);
    if (exit_code == PB_CLI_EXIT_OK && !is_quiet)
        pb_cli_say(cli, "%" PRIu64 " entries exported to %s", entries.count, argv[first]);
    return exit_code;
}

/* ---- prove ---- */

/* To the file, or to standard output where there is none. */
static enum pb_status
write_proof(struct pb_cli *cli, const char *path, const char *text, struct pb_error *error)
{
    struct pb_cli_sheet sheet = { .out = NULL };
    enum pb_status status;

    if (path == NULL) {
        pb_cli_put_text(cli->out, text);
        return PB_OK;
    }
    status = pb_cli_sheet_open(cli->env, &sheet, path, error);
    if (status != PB_OK)
        return status;
    pb_cli_put_text(sheet.out, text);
    return pb_cli_sheet_close(cli->env, &sheet, false, error);
}

struct prove_args {
    struct look_args look;
    const char *vkey, *out;
    uint64_t index;
    bool with_openings, is_quiet;
};

/* From the data directory, as somebody who may look; the look is recorded. */
static int
prove_of_site(struct pb_cli *cli, const struct prove_args *args, char **ret_text)
{
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    int exit_code = PB_CLI_EXIT_FAILURE;
    enum pb_status status;

    if (open_site(cli, &args->look, &site)) {
        status = pb_review_prove(site, pb_str_from(args->look.person), args->index,
                                 args->with_openings, ret_text, &error);
        exit_code = status == PB_OK ? PB_CLI_EXIT_OK : pb_cli_failure(cli, status, &error);
    }
    return pb_cli_close_site(cli, site, exit_code);
}

/* From copied public files, as anybody. */
static int
prove_of_copy(struct pb_cli *cli, const struct prove_args *args, const char *path, char **ret_text)
{
    struct pb_error error = { "" };
    enum pb_status status =
        pb_audit_prove_copied(cli->env, path, args->vkey, args->index, ret_text, &error);

    return status == PB_OK ? PB_CLI_EXIT_OK : pb_cli_failure(cli, status, &error);
}

static void
add_prove_options(struct pb_cli_usage *usage, struct prove_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "index",
          .placeholder = "N",
          .help = "number of the entry",
          .is_required = true,
          .example = "12",
          .number = &args->index,
          .number_max = UINT64_MAX - 1 },
        { .name = "openings",
          .help = "with what the entry hides, so that it can be shown to have said so",
          .flag = &args->with_openings },
        { .name = "vkey",
          .placeholder = "KEY",
          .help = "key of the log at PATH, as audit keys prints it",
          .text = &args->vkey },
        { .name = "out",
          .placeholder = "FILE",
          .help = "write to this new file; standard output by default",
          .text = &args->out },
        { .name = "quiet", .help = "say nothing", .flag = &args->is_quiet },
    };

    add_look_options(usage, &args->look);
    /* Copied files need no data directory. */
    usage->options[0].is_required = false;
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

int
pb_cli_audit_prove(struct pb_cli *cli, int argc, char **argv)
{
    struct prove_args args = { .out = NULL };
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    char *text = NULL;
    int first, exit_code;

    pb_cli_usage_init(&usage, "[PATH]", 0, 1,
                      "Writes a proof that an entry stands in its log, which anybody can check "
                      "with the log's key and nothing else (audit verify-proof). With --openings "
                      "it also shows what the entry hides; that needs the data directory and "
                      "somebody who may look, and is an entry itself. PATH is a copy of a log's "
                      "public files: from it anybody makes a proof without openings.");
    add_prove_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (first < argc && (args.vkey == NULL || args.with_openings))
        return pb_cli_usage_error(cli, "a proof from copied files needs --vkey KEY, and has no "
                                       "openings");
    if (first == argc && args.look.data == NULL)
        return pb_cli_usage_error(cli, "say of what: --data DIR, or PATH and --vkey KEY");

    exit_code = first < argc ? prove_of_copy(cli, &args, argv[first], &text)
                             : prove_of_site(cli, &args, &text);
    if (exit_code == PB_CLI_EXIT_OK) {
        enum pb_status status = write_proof(cli, args.out, text, &error);

        if (status != PB_OK)
            exit_code = pb_cli_failure(cli, status, &error);
        else if (args.out != NULL && !args.is_quiet)
            pb_cli_say(cli, "proof written to %s; check it with 'platebase audit verify-proof'",
                       args.out);
    }
    pb_free(cli->env, text);
    return exit_code;
}

/* ---- restart ---- */

int
pb_cli_audit_restart(struct pb_cli *cli, int argc, char **argv)
{
    const char *data = NULL, *log = NULL;
    bool is_sure = false;
    const struct pb_cli_option options[] = {
        { .name = "log",
          .placeholder = "ID",
          .help = "the log that does not go on, as the refusal named it",
          .is_required = true,
          .example = "operator",
          .text = &log },
        { .name = "yes", .help = "do not ask", .flag = &is_sure },
    };
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Begins a log again under a new origin and a new key, where leaves that were "
                      "given out are lost, as by restoring a backup. What is left of the old log "
                      "stays beside it; the first entry of the new one says what was last given "
                      "out of the old. Everybody who checks the log must be told of the new key.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_is_site(cli, data))
        return PB_CLI_EXIT_FAILURE;
    if (!is_sure)
        return pb_cli_usage_error(cli, "a log that was restarted cannot go on under its old key: "
                                       "add --yes if its entries are lost for good");
    status = pb_site_restart_log(cli->env, data, log, &error);
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);
    pb_cli_say(cli,
               "log %s goes on under a new origin: give its new key (platebase audit keys) to "
               "everybody who checks it",
               log);
    return PB_CLI_EXIT_OK;
}

/* ---- destroy-expired ---- */

static enum pb_status
destroy(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
        struct pb_error *error)
{
    const bool *is_json = context;
    uint64_t terms = 0;
    enum pb_status status = pb_site_destroy_expired(site, &terms, error);

    (void)arguments;
    if (status == PB_OK && *is_json)
        pb_cli_put_format(cli->out, "{\"terms_destroyed\":%" PRIu64 "}\n", terms);
    else if (status == PB_OK)
        pb_cli_put_format(cli->out, "%" PRIu64 " term%s destroyed\n", terms, terms == 1 ? "" : "s");
    return status;
}

int
pb_cli_audit_destroy_expired(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };
    bool is_json = false;
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object",
                                        .flag = &is_json };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Destroys the keys of what may not be opened any longer, because the term "
                      "for which the rules keep it has ended. Entries stay, and stay provable; "
                      "nobody can tell any more what they hid. That it was done is an entry.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, &json, 1);
    return pb_cli_at_site(cli, &usage, &site_options, argc, argv, destroy, &is_json);
}
