/*
 * Records: one implementation of five verbs for eight commands.
 *
 * Changes go through src/inquiry, which leaves an audit leaf for each.
 */
#include "cli/records.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/order.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "cli/control.h"
#include "cli/options.h"
#include "cli/sub.h"
#include "cli/table.h"
#include "inquiry/site.h"

#define LIST_COLUMNS_MAX 9u
#define NAME_BYTES_MAX 40u
#define HELP_BYTES_MAX 400u
#define DATE_BYTES 10u /* of "2026-03-08T12:34:56.789Z" */

/* What the verbs share: the entity, and options made from its fields. */
struct records {
    struct pb_cli *cli;
    const struct pb_entity *entity;
    const char *data;
    struct pb_actor actor;
    const char *cleared; /* names of fields, comma separated */
    bool is_json, is_quiet;
    struct pb_record given;
    char names[PB_ENTITY_FIELDS_MAX][NAME_BYTES_MAX];
    char helps[PB_ENTITY_FIELDS_MAX][HELP_BYTES_MAX];
    struct pb_cli_usage usage;

    struct pb_cli_table table; /* list */
    unsigned columns[LIST_COLUMNS_MAX];
    struct pb_cli_column titles[LIST_COLUMNS_MAX];
    char title_texts[LIST_COLUMNS_MAX][NAME_BYTES_MAX];
    unsigned column_count;
    uint64_t count;
    enum pb_status status;
};

/* "reader list" is the name of a running command. */
static void
begin(struct records *records, struct pb_cli *cli)
{
    char name[NAME_BYTES_MAX];
    size_t bytes = strcspn(cli->command, " ");

    memset(records, 0, sizeof(*records));
    assert(bytes < sizeof(name));
    memcpy(name, cli->command, bytes);
    name[bytes] = '\0';
    records->cli = cli;
    records->entity = pb_catalog_entity(name);
    records->given.entity = records->entity;
}

/* ---- options from fields ---- */

static const char *
placeholder_of(const struct pb_field *field)
{
    switch (field->kind) {
    case PB_FIELD_TEXT:
        return "TEXT";
    case PB_FIELD_ID:
    case PB_FIELD_NAME:
        return "ID";
    case PB_FIELD_CHOICE:
        return "WORD";
    case PB_FIELD_CHOICES:
    case PB_FIELD_LIST:
        return "LIST";
    case PB_FIELD_BOOL:
        return "YES|NO";
    case PB_FIELD_NUMBER:
    case PB_FIELD_NUMBER_OR_NONE:
        return "N";
    case PB_FIELD_TIME:
        return "TIME";
    case PB_FIELD_JURISDICTION:
        return "STATE";
    case PB_FIELD_DEGREES:
        return "DEGREES";
    case PB_FIELD_PLATE:
        return "PLATE";
    case PB_FIELD_SHA256:
        return "HASH";
    }
    return "VALUE";
}

static const char *
example_of(const struct pb_field *field)
{
    if (field->choices != NULL)
        return field->choices[0];
    switch (field->kind) {
    case PB_FIELD_TIME:
        return "2027-06-30";
    case PB_FIELD_JURISDICTION:
        return "US-KS";
    case PB_FIELD_NUMBER_OR_NONE:
        return "5";
    case PB_FIELD_TEXT:
        return "'some words'";
    default:
        return "example-1";
    }
}

/* Copies words with one character for another; what does not fit is a mistake of ours. */
static void
copy_with(char *target, size_t room, const char *words, char from, char to)
{
    size_t bytes = strlen(words);

    assert(bytes < room);
    (void)room;
    for (size_t i = 0; i <= bytes; i++)
        target[i] = words[i] == from ? to : words[i];
}

static void
write_help(char *help, size_t room, const struct pb_field *field)
{
    struct pb_text_out out = pb_text_out(help, room - 1);

    pb_put_text(&out, field->help);
    for (const char *const *choice = field->choices; choice != NULL && *choice != NULL; choice++) {
        pb_put_text(&out, choice == field->choices ? ": " : ", ");
        pb_put_text(&out, *choice);
    }
    if (field->fallback != NULL) {
        pb_put_text(&out, "; ");
        pb_put_text(&out, field->fallback);
        pb_put_text(&out, " by default");
    }
    assert(!out.is_cut);
    *out.at = '\0';
    if (help[0] >= 'A' && help[0] <= 'Z')
        help[0] = (char)(help[0] | 0x20);
}

/* The option of a field. Where the record is being added, required fields must be given. */
static void
add_field_option(struct records *records, unsigned index, bool is_adding)
{
    const struct pb_field *field = &records->entity->fields[index];
    struct pb_cli_option option = {
        .name = records->names[index],
        .placeholder = placeholder_of(field),
        .help = records->helps[index],
        .is_required = is_adding && field->is_required,
        .example = example_of(field),
        .text = &records->given.values[index],
    };

    copy_with(records->names[index], NAME_BYTES_MAX, field->name, '_', '-');
    write_help(records->helps[index], HELP_BYTES_MAX, field);
    pb_cli_usage_add(&records->usage, &option, 1);
}

static void
add_person_option(struct records *records)
{
    const struct pb_cli_option option = {
        .name = "person",
        .placeholder = "ID",
        .help = "who does it, for the record; the operator of the machine by default",
        .text = &records->actor.person,
    };
    const struct pb_cli_option quiet = { .name = "quiet",
                                         .help = "say nothing",
                                         .flag = &records->is_quiet };

    pb_cli_usage_add(&records->usage, &option, 1);
    pb_cli_usage_add(&records->usage, &quiet, 1);
}

static void
add_json_option(struct records *records)
{
    const struct pb_cli_option option = { .name = "json",
                                          .help = "one JSON object a line",
                                          .flag = &records->is_json };

    pb_cli_usage_add(&records->usage, &option, 1);
}

static enum pb_cli_parsed
parse(struct records *records, int argc, char **argv, int *ret_first)
{
    return pb_cli_parse(records->cli, &records->usage, argc, argv, ret_first);
}

/* ---- the site ---- */

static enum pb_status
open_site(const struct records *records, enum pb_site_mode mode, struct pb_site **ret_site)
{
    const struct pb_site_options options = { .mode = mode };

    return pb_cli_open_site(records->cli, records->data, &options, ret_site);
}

static int
failure(const struct records *records, enum pb_status status, const struct pb_error *error)
{
    int exit_code = pb_cli_failure(records->cli, status, error);

    return status == PB_BAD_INPUT || status == PB_OVER_LIMIT ? PB_CLI_EXIT_USAGE : exit_code;
}

/* ---- one record, as JSON or for people ---- */

static void
put_json_list(struct pb_cli_out *out, const char *text)
{
    const char *before = "[";

    for (;;) {
        size_t bytes = strcspn(text, ",");

        pb_cli_put_text(out, before);
        pb_cli_put_json(out, text, bytes);
        if (text[bytes] == '\0')
            break;
        text += bytes + 1;
        before = ",";
    }
    pb_cli_put_text(out, "]");
}

static void
put_json_value(struct pb_cli_out *out, const struct pb_field *field, const char *text)
{
    switch (field->kind) {
    case PB_FIELD_BOOL:
        pb_cli_put_text(out, strcmp(text, "yes") == 0 ? "true" : "false");
        break;
    case PB_FIELD_NUMBER:
    case PB_FIELD_DEGREES:
        pb_cli_put_text(out, text);
        break;
    case PB_FIELD_LIST:
    case PB_FIELD_CHOICES:
        put_json_list(out, text);
        break;
    case PB_FIELD_NUMBER_OR_NONE:
        if (strcmp(text, "none") != 0) {
            pb_cli_put_text(out, text);
            break;
        }
        /* fall through */
    default:
        pb_cli_put_json_text(out, text);
    }
}

static void
put_json(struct pb_cli_out *out, const struct pb_record *record)
{
    const char *before = "{";

    for (unsigned i = 0; i < record->entity->field_count; i++) {
        if (record->values[i] == NULL)
            continue;
        pb_cli_put_text(out, before);
        pb_cli_put_json_text(out, record->entity->fields[i].name);
        pb_cli_put_text(out, ":");
        put_json_value(out, &record->entity->fields[i], record->values[i]);
        before = ",";
    }
    pb_cli_put_text(out, "}\n");
}

static void
put_lines(struct pb_cli_out *out, const struct pb_record *record)
{
    char safe[4096];
    int width = 0;

    for (unsigned i = 0; i < record->entity->field_count; i++) {
        int length = (int)strlen(record->entity->fields[i].name);

        width = length > width ? length : width;
    }
    for (unsigned i = 0; i < record->entity->field_count; i++) {
        const char *text = record->values[i];
        size_t bytes;

        if (text == NULL)
            continue;
        bytes = pb_cli_safe_text(text, strlen(text), safe, sizeof(safe), NULL);
        pb_cli_put_format(out, "%-*s  ", width, record->entity->fields[i].name);
        pb_cli_put_bytes(out, safe, bytes);
        pb_cli_put_text(out, "\n");
    }
}

/* ---- list ---- */

static bool
is_filter(const struct pb_field *field)
{
    switch (field->kind) {
    case PB_FIELD_ID:
    case PB_FIELD_NAME:
    case PB_FIELD_CHOICE:
    case PB_FIELD_CHOICES:
    case PB_FIELD_LIST:
    case PB_FIELD_BOOL:
    case PB_FIELD_JURISDICTION:
        return strcmp(field->name, "id") != 0;
    default:
        return false;
    }
}

static bool
is_in_list(const char *list, const char *item)
{
    size_t item_bytes = strlen(item);

    for (;;) {
        size_t bytes = strcspn(list, ",");

        if (bytes == item_bytes && memcmp(list, item, bytes) == 0)
            return true;
        if (list[bytes] == '\0')
            return false;
        list += bytes + 1;
    }
}

static bool
fits(const struct records *records, const struct pb_record *record)
{
    for (unsigned i = 0; i < record->entity->field_count; i++) {
        const char *wanted = records->given.values[i], *text = record->values[i];

        if (wanted != NULL && (text == NULL || !is_in_list(text, wanted)))
            return false;
    }
    return true;
}

/* The first fields, but none that is only a digest. */
static void
choose_columns(struct records *records)
{
    for (unsigned i = 0;
         i < records->entity->field_count && records->column_count < LIST_COLUMNS_MAX; i++) {
        const struct pb_field *field = &records->entity->fields[i];
        unsigned column = records->column_count;
        char *title = records->title_texts[column];

        if (field->kind == PB_FIELD_SHA256)
            continue;
        copy_with(title, NAME_BYTES_MAX, field->name, '_', ' ');
        for (; *title != '\0'; title++) {
            if (*title >= 'a' && *title <= 'z')
                *title = (char)(*title - 'a' + 'A');
        }
        records->titles[column] = (struct pb_cli_column){
            .title = records->title_texts[column],
            .is_right = field->kind == PB_FIELD_NUMBER || field->kind == PB_FIELD_DEGREES ||
                        field->kind == PB_FIELD_NUMBER_OR_NONE,
        };
        records->columns[records->column_count++] = i;
    }
}

static bool
put_row(void *context, const struct pb_record *record)
{
    struct records *records = context;

    if (!fits(records, record))
        return true;
    records->count++;
    if (records->is_json) {
        put_json(records->cli->out, record);
        return pb_cli_out_is_open(records->cli->out);
    }
    for (unsigned i = 0; i < records->column_count && records->status == PB_OK; i++) {
        const char *text = record->values[records->columns[i]];
        size_t bytes = text == NULL ? 0 : strlen(text);

        if (record->entity->fields[records->columns[i]].kind == PB_FIELD_TIME && bytes > DATE_BYTES)
            bytes = DATE_BYTES; /* show and --json have the time of day */
        records->status = pb_cli_table_cell(&records->table, text == NULL ? "" : text, bytes);
    }
    return records->status == PB_OK && pb_cli_out_is_open(records->cli->out);
}

static int
list_all(struct records *records, struct pb_site *site)
{
    struct pb_error error = { "" };
    enum pb_status status;

    if (!records->is_json) {
        choose_columns(records);
        status = pb_cli_table_init(&records->table, records->cli->env, records->cli->out,
                                   records->titles, records->column_count);
        if (status != PB_OK)
            return failure(records, status, NULL);
    }
    status = pb_catalog_list(pb_site_catalog(site), records->entity, put_row, records, &error);
    if (status == PB_OK)
        status = records->status;
    pb_cli_table_done(&records->table);
    if (status != PB_OK)
        return failure(records, status, &error);
    if (records->count == 0 && !records->is_json)
        pb_cli_say(records->cli, "no %s", records->entity->plural);
    return PB_CLI_EXIT_OK;
}

static int
run_list(struct pb_cli *cli, int argc, char **argv)
{
    struct records records;
    struct pb_site *site = NULL;
    enum pb_cli_parsed parsed;
    char text[256];
    int first;

    begin(&records, cli);
    (void)snprintf(text, sizeof(text),
                   "Lists the %s of the catalog by id. Options that name a field leave out those "
                   "with another value of it.",
                   records.entity->plural);
    pb_cli_usage_init(&records.usage, "", 0, 0, text);
    pb_cli_usage_add_data(&records.usage, &records.data);
    for (unsigned i = 0; i < records.entity->field_count; i++) {
        if (is_filter(&records.entity->fields[i]))
            add_field_option(&records, i, false);
    }
    add_json_option(&records);
    parsed = parse(&records, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (open_site(&records, PB_SITE_LOOK, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    return pb_cli_close_site(cli, site, list_all(&records, site));
}

/* ---- show ---- */

static bool
put_shown(void *context, const struct pb_record *record)
{
    struct records *records = context;

    if (records->is_json)
        put_json(records->cli->out, record);
    else
        put_lines(records->cli->out, record);
    return true;
}

static int
show_one(struct records *records, struct pb_site *site, const char *id)
{
    struct pb_error error = { "" };
    enum pb_status status =
        pb_catalog_show(pb_site_catalog(site), records->entity, id, put_shown, records, &error);

    if (status == PB_NOT_FOUND)
        return pb_cli_failure(records->cli,
                              pb_fail(&error, status, "there is no %s '%s'", records->entity->name,
                                      id),
                              &error);
    return status == PB_OK ? PB_CLI_EXIT_OK : failure(records, status, &error);
}

static int
run_show(struct pb_cli *cli, int argc, char **argv)
{
    struct records records;
    struct pb_site *site = NULL;
    enum pb_cli_parsed parsed;
    char text[128];
    int first;

    begin(&records, cli);
    (void)snprintf(text, sizeof(text), "Shows every field of one %s that is set.",
                   records.entity->name);
    pb_cli_usage_init(&records.usage, "ID", 1, 1, text);
    pb_cli_usage_add_data(&records.usage, &records.data);
    add_json_option(&records);
    parsed = parse(&records, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (open_site(&records, PB_SITE_LOOK, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    return pb_cli_close_site(cli, site, show_one(&records, site, argv[first]));
}

/* ---- add and change ---- */

/* Names as options or as fields: capture-state, capture_state. */
static bool
is_field_name(const struct pb_field *field, const char *word, size_t bytes)
{
    if (strlen(field->name) != bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (field->name[i] != (word[i] == '-' ? '_' : word[i]))
            return false;
    }
    return true;
}

static bool
clear_field(struct records *records, const char *word, size_t bytes)
{
    for (unsigned i = 1; i < records->entity->field_count; i++) {
        if (!is_field_name(&records->entity->fields[i], word, bytes))
            continue;
        if (records->given.values[i] != NULL) {
            (void)pb_cli_usage_error(records->cli, "--clear: --%s is given, too",
                                     records->names[i]);
            return false;
        }
        records->given.values[i] = "";
        return true;
    }
    (void)pb_cli_usage_error(records->cli, "--clear: there is no field '%.*s'", (int)bytes, word);
    return false;
}

static bool
clear_fields(struct records *records)
{
    const char *word = records->cleared;

    while (word != NULL) {
        size_t bytes = strcspn(word, ",");

        if (!clear_field(records, word, bytes))
            return false;
        word = word[bytes] == ',' ? word + bytes + 1 : NULL;
    }
    return true;
}

static bool
has_changes(const struct records *records)
{
    for (unsigned i = 1; i < records->entity->field_count; i++) {
        if (records->given.values[i] != NULL)
            return true;
    }
    return false;
}

/* What came of a put, for people. */
static int
tell_put(const struct records *records, enum pb_put_mode mode, enum pb_status status,
         const struct pb_error *error)
{
    if (status != PB_OK)
        return failure(records, status, error);
    if (!records->is_quiet)
        pb_cli_say(records->cli, "%s %s %s", records->entity->name, records->given.values[0],
                   mode == PB_PUT_ADD ? "added" : "changed");
    return PB_CLI_EXIT_OK;
}

/* Has a change of a person done by the service, where one runs: what the catalog says of people
 * keeps them out of it, and only it can be the writer then. PB_NOT_FOUND: none runs. */
static enum pb_status
change_beside(const struct records *records, struct pb_api_ordered *ret_ordered,
              struct pb_error *error)
{
    struct pb_api_order order = {
        .verb = PB_ORDER_CHANGE,
        .by = pb_str_from(records->actor.person),
        .person = pb_str_from(records->given.values[0]),
    };

    for (unsigned i = 1; i < records->entity->field_count; i++) {
        if (records->given.values[i] != NULL)
            order.sets[order.set_count++] = (struct pb_api_order_set){
                .field = pb_str_from(records->entity->fields[i].name),
                .value = pb_str_from(records->given.values[i]),
            };
    }
    return pb_cli_control_ask(records->data, &order, ret_ordered, error);
}

static int
put(struct records *records, enum pb_put_mode mode)
{
    struct pb_error error = { "" };
    struct pb_api_ordered ordered;
    struct pb_site *site = NULL;
    enum pb_status status = PB_NOT_FOUND;

    if (mode == PB_PUT_CHANGE && strcmp(records->entity->name, "person") == 0)
        status = change_beside(records, &ordered, &error);
    if (status == PB_OK)
        return tell_put(records, mode, ordered.status, &ordered.error);
    if (status != PB_NOT_FOUND)
        return failure(records, status, &error);
    if (open_site(records, PB_SITE_ASK, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    status = pb_site_put(site, &records->actor, &records->given, mode, &error);
    return pb_cli_close_site(records->cli, site, tell_put(records, mode, status, &error));
}

static int
run_add(struct pb_cli *cli, int argc, char **argv)
{
    struct records records;
    enum pb_cli_parsed parsed;
    char text[160];
    int first;

    begin(&records, cli);
    (void)snprintf(text, sizeof(text), "Adds a record. %s.", records.entity->help);
    pb_cli_usage_init(&records.usage, "ID", 1, 1, text);
    pb_cli_usage_add_data(&records.usage, &records.data);
    for (unsigned i = 1; i < records.entity->field_count; i++)
        add_field_option(&records, i, true);
    add_person_option(&records);
    parsed = parse(&records, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    records.given.values[0] = argv[first];
    return put(&records, PB_PUT_ADD);
}

static int
run_change(struct pb_cli *cli, int argc, char **argv)
{
    struct records records;
    const struct pb_cli_option clear = {
        .name = "clear",
        .placeholder = "LIST",
        .help = "put these fields back to their defaults",
        .text = &records.cleared,
    };
    enum pb_cli_parsed parsed;
    char text[160];
    int first;

    begin(&records, cli);
    (void)snprintf(text, sizeof(text),
                   "Changes the fields that are given of one %s; the others stay as they are.",
                   records.entity->name);
    pb_cli_usage_init(&records.usage, "ID", 1, 1, text);
    pb_cli_usage_add_data(&records.usage, &records.data);
    for (unsigned i = 1; i < records.entity->field_count; i++) {
        if (!records.entity->fields[i].is_fixed)
            add_field_option(&records, i, false);
    }
    pb_cli_usage_add(&records.usage, &clear, 1);
    add_person_option(&records);
    parsed = parse(&records, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!clear_fields(&records))
        return PB_CLI_EXIT_USAGE;
    if (!has_changes(&records))
        return pb_cli_usage_error(cli, "nothing to change is given: name a field, or --clear");
    records.given.values[0] = argv[first];
    return put(&records, PB_PUT_CHANGE);
}

/* ---- remove ---- */

static int
run_remove(struct pb_cli *cli, int argc, char **argv)
{
    struct records records;
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first, exit_code = PB_CLI_EXIT_OK;

    begin(&records, cli);
    pb_cli_usage_init(&records.usage, "ID", 1, 1,
                      "Removes a record that nothing refers to. Agencies, readers and people who "
                      "were ever active stay, so that audit records keep their meaning: change "
                      "their status to closed.");
    pb_cli_usage_add_data(&records.usage, &records.data);
    add_person_option(&records);
    parsed = parse(&records, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (open_site(&records, PB_SITE_ASK, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    status = pb_site_remove(site, &records.actor, records.entity, argv[first], &error);
    if (status != PB_OK)
        exit_code = failure(&records, status, &error);
    else if (!records.is_quiet)
        pb_cli_say(cli, "%s %s removed", records.entity->name, argv[first]);
    return pb_cli_close_site(cli, site, exit_code);
}

/* ---- the command ---- */

#define VERBS 5u

int
pb_cli_records(struct pb_cli *cli, const char *entity_name, int argc, char **argv)
{
    static const struct {
        const char *verb, *summary;
        int (*run)(struct pb_cli *cli, int argc, char **argv);
    } verbs[VERBS] = {
        { "list", "all of them, or those with a value", run_list },
        { "show", "every field of one", run_show },
        { "add", "add one", run_add },
        { "change", "change fields of one", run_change },
        { "remove", "remove one that nothing refers to", run_remove },
    };
    const struct pb_entity *entity = pb_catalog_entity(entity_name);
    struct pb_cli_command commands[VERBS];
    char names[VERBS][NAME_BYTES_MAX], example[64];
    const struct pb_cli_sub sub = {
        .commands = commands,
        .count = VERBS,
        .text = entity->help,
        .example = example,
    };
    int exit_code;

    for (unsigned i = 0; i < VERBS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s %s", entity->name, verbs[i].verb);
        commands[i] = (struct pb_cli_command){ .name = names[i],
                                               .summary = verbs[i].summary,
                                               .run = verbs[i].run };
    }
    (void)snprintf(example, sizeof(example), "platebase %s list --data DIR", entity->name);
    exit_code = pb_cli_sub_run(cli, &sub, argc, argv);
    cli->command = entity->name; /* names are gone with this function */
    return exit_code;
}
