/*
 * Audit review: samples and what detectors found, looked at one by one and closed with a finding.
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/at_site.h"
#include "cli/audit.h"
#include "cli/options.h"
#include "cli/sub.h"
#include "cli/table.h"
#include "inquiry/review.h"

struct review_args {
    const char *person, *finding;
    int64_t from_us, to_us;
    uint64_t count;
    bool is_json, with_closed, is_misuse, is_quiet;
};

static const struct pb_site_options at_work = { .mode = PB_SITE_ASK };

/* The usage of a command of these: --data and --person, before options of its own. */
static void
begin_usage(struct pb_cli_usage *usage, struct review_args *args, const char *text)
{
    const struct pb_cli_option person = {
        .name = "person",
        .placeholder = "ID",
        .help = "who reviews: somebody who may audit, of the agency reviewed; or set "
                "PLATEBASE_PERSON",
        .is_required = true,
        .example = "police.auditor",
        .environment = "PLATEBASE_PERSON",
        .text = &args->person,
    };

    pb_cli_usage_init(usage, "", 0, 0, text);
    pb_cli_usage_add_data(usage, &usage->data);
    pb_cli_usage_add(usage, &person, 1);
}

/* The window of a sample and of detectors. */
static void
add_window(struct pb_cli_usage *usage, struct review_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "from",
          .placeholder = "TIME",
          .help = "of inquiries asked at this time or later",
          .is_required = true,
          .example = "2026-03-01",
          .time_us = &args->from_us },
        { .name = "to",
          .placeholder = "TIME",
          .help = "and before this time",
          .is_required = true,
          .example = "2026-03-08",
          .time_us = &args->to_us },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

/* ---- sample ---- */

static enum pb_status
sample(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
       struct pb_error *error)
{
    const struct review_args *args = context;
    uint32_t drawn = 0;
    enum pb_status status = pb_review_sample(site, pb_str_from(args->person), args->from_us,
                                             args->to_us, (uint32_t)args->count, &drawn, error);

    (void)arguments;
    if (status == PB_OK && args->is_json)
        pb_cli_put_format(cli->out, "{\"drawn\":%" PRIu32 "}\n", drawn);
    else if (status == PB_OK)
        pb_cli_put_format(cli->out,
                          "%" PRIu32 " inquiries drawn; see 'platebase audit review "
                          "list'\n",
                          drawn);
    return status;
}

static int
run_sample(struct pb_cli *cli, int argc, char **argv)
{
    struct review_args args = { .count = 20 };
    const struct pb_cli_option options[] = {
        { .name = "count",
          .placeholder = "N",
          .help = "how many to draw; 20 by default",
          .number = &args.count,
          .number_min = 1,
          .number_max = 10000 },
        { .name = "json", .help = "one JSON object", .flag = &args.is_json },
    };
    struct pb_cli_usage usage;

    begin_usage(&usage, &args,
                "Draws inquiries of a span of time at random, each as likely as any other, and "
                "makes each an item that waits for a finding.");
    add_window(&usage, &args);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    return pb_cli_at_site(cli, &usage, &at_work, argc, argv, sample, &args);
}

/* ---- detect ---- */

struct found {
    struct pb_cli *cli;
    bool is_json;
};

static bool
put_finding(void *context, const struct pb_finding *finding)
{
    const struct found *found = context;
    struct pb_cli_out *out = found->cli->out;

    if (!found->is_json) {
        pb_cli_put_format(out, "%s: %.*s: %s\n", pb_detect_kind_name(finding->kind),
                          (int)finding->person.bytes, finding->person.text, finding->what);
        return pb_cli_out_is_open(out);
    }
    pb_cli_put_format(out, "{\"finding\":\"%s\",\"person\":", pb_detect_kind_name(finding->kind));
    pb_cli_put_json(out, finding->person.text, finding->person.bytes);
    pb_cli_put_text(out, ",\"what\":");
    pb_cli_put_json_text(out, finding->what);
    pb_cli_put_text(out, ",\"entries\":[");
    for (uint32_t i = 0; i < finding->index_count; i++)
        pb_cli_put_format(out, "%s%" PRIu64, i == 0 ? "" : ",", finding->indices[i]);
    pb_cli_put_text(out, "]}\n");
    return pb_cli_out_is_open(out);
}

static enum pb_status
detect(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
       struct pb_error *error)
{
    const struct review_args *args = context;
    struct found found = { .cli = cli, .is_json = args->is_json };
    uint32_t count = 0;
    enum pb_status status = pb_review_detect(site, pb_str_from(args->person), args->from_us,
                                             args->to_us, NULL, put_finding, &found, &count, error);

    (void)arguments;
    if (status == PB_OK && !args->is_json)
        pb_cli_put_format(cli->out, "%" PRIu32 " found\n", count);
    return status;
}

static int
run_detect(struct pb_cli *cli, int argc, char **argv)
{
    struct review_args args = { .count = 0 };
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a finding",
                                        .flag = &args.is_json };
    struct pb_cli_usage usage;

    begin_usage(&usage, &args,
                "Looks through the inquiries of a span of time for patterns that misuse also has, "
                "and makes each an item that waits for a finding. A pattern is no misuse yet.");
    add_window(&usage, &args);
    pb_cli_usage_add(&usage, &json, 1);
    return pb_cli_at_site(cli, &usage, &at_work, argc, argv, detect, &args);
}

/* ---- list ---- */

static const struct pb_cli_column columns[] = {
    { "ITEM", false }, { "WHY", false }, { "ENTRY", true }, { "SINCE", false }, { "STATE", false },
};
#define COLUMN_COUNT ((unsigned)(sizeof(columns) / sizeof(columns[0])))

struct list {
    struct pb_cli *cli;
    struct pb_cli_table table;
    bool is_json;
    uint64_t count;
    enum pb_status status;
};

static const char *
state_name(enum pb_review_state state)
{
    switch (state) {
    case PB_REVIEW_OPEN:
        return "open";
    case PB_REVIEW_FINE:
        return "fine";
    case PB_REVIEW_MISUSE:
        break;
    }
    return "misuse";
}

static void
put_item_json(struct pb_cli_out *out, const struct pb_review_item *item)
{
    pb_cli_put_text(out, "{\"item\":");
    pb_cli_put_json_text(out, item->key);
    pb_cli_put_text(out, ",\"why\":");
    pb_cli_put_json(out, item->why.text, item->why.bytes);
    pb_cli_put_format(out, ",\"index\":%" PRIu64 ",\"since\":", item->index);
    pb_cli_put_json_time(out, item->at_us);
    pb_cli_put_format(out, ",\"state\":\"%s\"}\n", state_name(item->state));
}

static enum pb_status
put_item_row(struct pb_cli_table *table, const struct pb_review_item *item)
{
    char since[PB_TIME_BYTES_MAX], index[24];
    struct pb_text_out out = pb_text_out(index, sizeof(index) - 1);
    struct pb_str cells[COLUMN_COUNT];

    pb_put_u64(&out, item->index);
    *out.at = '\0';
    (void)pb_time_format(item->at_us, PB_NO_UTC_OFFSET, since);
    cells[0] = pb_str_from(item->key);
    cells[1] = item->why;
    cells[2] = pb_str_from(index);
    cells[3] = pb_str_from(since);
    cells[4] = pb_str_from(state_name(item->state));
    return pb_cli_table_row(table, cells);
}

static bool
put_item(void *context, const struct pb_review_item *item)
{
    struct list *list = context;

    list->count++;
    if (list->is_json)
        put_item_json(list->cli->out, item);
    else
        list->status = put_item_row(&list->table, item);
    return list->status == PB_OK;
}

static enum pb_status
list_items(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
           struct pb_error *error)
{
    const struct review_args *args = context;
    struct list list = { .cli = cli, .is_json = args->is_json };
    enum pb_status status = PB_OK;

    (void)arguments;
    if (!list.is_json)
        status = pb_cli_table_init(&list.table, cli->env, cli->out, columns, COLUMN_COUNT);
    if (status == PB_OK)
        status = pb_review_items(site, pb_str_from(args->person), args->with_closed, put_item,
                                 &list, error);
    if (status == PB_OK)
        status = list.status;
    pb_cli_table_done(&list.table);
    if (status == PB_OK && list.count == 0 && !list.is_json)
        pb_cli_say(cli, "nothing waits for a finding");
    return status;
}

static int
run_list(struct pb_cli *cli, int argc, char **argv)
{
    struct review_args args = { .count = 0 };
    const struct pb_cli_option options[] = {
        { .name = "all", .help = "closed ones, too", .flag = &args.with_closed },
        { .name = "json", .help = "one JSON object a line", .flag = &args.is_json },
    };
    struct pb_cli_usage usage;

    begin_usage(&usage, &args,
                "Lists what waits for a finding: inquiries that were drawn, and those that stand "
                "out (the same plate again and again, a reason used for many, a case with many "
                "plates ...). 'platebase audit open' shows an entry.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    return pb_cli_at_site(cli, &usage, &at_work, argc, argv, list_items, &args);
}

/* ---- close and finish ---- */

static enum pb_status
close_item(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
           struct pb_error *error)
{
    const struct review_args *args = context;
    enum pb_status status = pb_review_close(site, pb_str_from(args->person), arguments[0],
                                            args->is_misuse ? PB_REVIEW_MISUSE : PB_REVIEW_FINE,
                                            pb_str_from(args->finding), error);

    if (status == PB_OK && !args->is_quiet)
        pb_cli_say(cli, "closed");
    return status;
}

static int
run_close(struct pb_cli *cli, int argc, char **argv)
{
    struct review_args args = { .count = 0 };
    const struct pb_cli_option options[] = {
        { .name = "finding",
          .placeholder = "TEXT",
          .help = "what was found",
          .is_required = true,
          .example = "'fits the case file'",
          .text = &args.finding },
        { .name = "misuse",
          .help = "it was misuse; otherwise it was fine",
          .flag = &args.is_misuse },
        { .name = "quiet", .help = "say nothing", .flag = &args.is_quiet },
    };
    struct pb_cli_usage usage;

    begin_usage(&usage, &args,
                "Closes an item of the list with a finding, which becomes an entry of the log.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    usage.arguments = "ITEM";
    usage.arguments_min = usage.arguments_max = 1;
    return pb_cli_at_site(cli, &usage, &at_work, argc, argv, close_item, &args);
}

static enum pb_status
finish(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
       struct pb_error *error)
{
    const struct review_args *args = context;
    int64_t until_us = args->to_us != 0 ? args->to_us : pb_now_us(cli->env);
    enum pb_status status = pb_review_finish(site, pb_str_from(args->person), until_us, error);

    (void)arguments;
    if (status == PB_OK && !args->is_quiet)
        pb_cli_say(cli, "reviewed");
    return status;
}

static int
run_finish(struct pb_cli *cli, int argc, char **argv)
{
    struct review_args args = { .count = 0 };
    const struct pb_cli_option options[] = {
        { .name = "until",
          .placeholder = "TIME",
          .help = "all inquiries before this time have been reviewed; now by default",
          .time_us = &args.to_us },
        { .name = "quiet", .help = "say nothing", .flag = &args.is_quiet },
    };
    struct pb_cli_usage usage;

    begin_usage(&usage, &args,
                "Ends a review: what was asked before a moment counts as reviewed. An agency "
                "whose review is overdue may ask less and less, until it is done.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    return pb_cli_at_site(cli, &usage, &at_work, argc, argv, finish, &args);
}

/* ---- notices and disclosures ---- */

typedef enum pb_status read_notes_fn(struct pb_site *site, struct pb_str person,
                                     pb_review_notice_fn *each, void *context,
                                     struct pb_error *error);

struct notes {
    struct review_args args;
    read_notes_fn *read;
    const char *none; /* what to say where there are none */
    struct pb_cli_out *out;
    uint64_t count;
};

/* The value has one "name=value" a line. */
static void
put_note_member(struct notes *notes, const char *line, size_t bytes)
{
    const char *equals = memchr(line, '=', bytes);
    size_t name_bytes = equals != NULL ? (size_t)(equals - line) : bytes;
    const char *value = equals != NULL ? equals + 1 : "";
    size_t value_bytes = equals != NULL ? bytes - name_bytes - 1 : 0;
    char safe[3 * 512];

    if (notes->args.is_json) {
        pb_cli_put_text(notes->out, ",");
        pb_cli_put_json(notes->out, line, name_bytes);
        pb_cli_put_text(notes->out, ":");
        pb_cli_put_json(notes->out, value, value_bytes);
        return;
    }
    pb_cli_put_text(notes->out, "  ");
    pb_cli_put_bytes(notes->out, safe,
                     pb_cli_safe_text(line, bytes < 512 ? bytes : 512, safe, sizeof(safe), NULL));
    pb_cli_put_text(notes->out, "\n");
}

static bool
put_note(void *context, const char *key, struct pb_str value)
{
    struct notes *notes = context;

    notes->count++;
    if (notes->args.is_json) {
        pb_cli_put_text(notes->out, "{\"key\":");
        pb_cli_put_json_text(notes->out, key);
    } else {
        pb_cli_put_format(notes->out, "%s\n", key);
    }
    for (size_t at = 0; at < value.bytes;) {
        const char *line = value.text + at;
        const char *end = memchr(line, '\n', value.bytes - at);
        size_t bytes = end != NULL ? (size_t)(end - line) : value.bytes - at;

        if (bytes > 0)
            put_note_member(notes, line, bytes);
        at += bytes + 1;
    }
    if (notes->args.is_json)
        pb_cli_put_text(notes->out, "}\n");
    return true;
}

static enum pb_status
list_notes(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
           struct pb_error *error)
{
    struct notes *notes = context;
    enum pb_status status =
        notes->read(site, pb_str_from(notes->args.person), put_note, notes, error);

    (void)arguments;
    if (status == PB_OK && notes->count == 0 && !notes->args.is_json)
        pb_cli_say(cli, "%s", notes->none);
    return status;
}

static int
run_notes(struct pb_cli *cli, int argc, char **argv, const char *text, const char *none,
          read_notes_fn *read)
{
    struct notes notes = { .out = cli->out, .read = read, .none = none };
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a line",
                                        .flag = &notes.args.is_json };
    struct pb_cli_usage usage;

    begin_usage(&usage, &notes.args, text);
    pb_cli_usage_add(&usage, &json, 1);
    return pb_cli_at_site(cli, &usage, &at_work, argc, argv, list_notes, &notes);
}

static int
run_notices(struct pb_cli *cli, int argc, char **argv)
{
    return run_notes(cli, argc, argv,
                     "Shows what the auditors of an agency are to be told: that somebody broke the "
                     "glass, and the like.",
                     "no notices", pb_review_notices);
}

static int
run_disclosures(struct pb_cli *cli, int argc, char **argv)
{
    return run_notes(
        cli, argc, argv,
        "Shows the disclosure register: what was exported, by whom, to whom, and under "
        "which agreement.",
        "nothing was exported", pb_review_disclosures);
}

int
pb_cli_audit_review(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "audit review sample", "draw inquiries at random", run_sample },
        { "audit review detect", "find what stands out", run_detect },
        { "audit review list", "what waits for a finding", run_list },
        { "audit review close", "close an item with a finding", run_close },
        { "audit review finish", "end a review", run_finish },
        { "audit review notices", "what auditors are to be told", run_notices },
        { "audit review disclosures", "what was exported", run_disclosures },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text = "Auditors of an agency look at what its people asked. Every look is an entry of\n"
                "the log, too.",
        .example = "platebase audit review sample --data DIR --person police.auditor "
                   "--from 2026-03-01 --to 2026-03-08",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}
