/*
 * rules: the rule packs of a data directory: those shipped, and those added to it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/at_site.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/sub.h"
#include "cli/table.h"
#include "inquiry/site.h"

/* ---- list ---- */

static const struct pb_cli_column columns[] = {
    { "PACK", false }, { "VERSION", true },    { "VALID FROM", false }, { "IN FORCE", false },
    { "RULES", true }, { "UNVERIFIED", true }, { "SHA-256", false },    { "TITLE", false },
};
#define COLUMN_COUNT ((unsigned)(sizeof(columns) / sizeof(columns[0])))

struct list {
    struct pb_cli *cli;
    struct pb_cli_table table;
    bool is_json;
    enum pb_status status;
};

static void
put_json(struct pb_cli_out *out, const struct pb_pack_info *pack)
{
    pb_cli_put_text(out, "{\"pack\":");
    pb_cli_put_json(out, pack->id.text, pack->id.bytes);
    pb_cli_put_format(out, ",\"version\":%" PRIu32 ",\"title\":", pack->version);
    pb_cli_put_json(out, pack->title.text, pack->title.bytes);
    pb_cli_put_text(out, ",\"valid_from\":");
    pb_cli_put_json_time(out, pack->valid_from_us);
    pb_cli_put_format(out,
                      ",\"in_force\":%s,\"rules\":%" PRIu32 ",\"unverified\":%" PRIu32
                      ",\"sha256\":",
                      pack->is_in_force ? "true" : "false", pack->rule_count,
                      pack->unverified_count);
    pb_cli_put_json(out, pack->text_sha256_hex.text, pack->text_sha256_hex.bytes);
    pb_cli_put_text(out, "}\n");
}

static enum pb_status
put_row(struct pb_cli_table *table, const struct pb_pack_info *pack)
{
    char texts[3][24], valid_from[PB_TIME_BYTES_MAX];
    const uint64_t numbers[] = { pack->version, pack->rule_count, pack->unverified_count };
    struct pb_str cells[COLUMN_COUNT];

    for (unsigned i = 0; i < 3; i++) {
        struct pb_text_out out = pb_text_out(texts[i], sizeof(texts[i]) - 1);

        pb_put_u64(&out, numbers[i]);
        *out.at = '\0';
    }
    (void)pb_time_format(pack->valid_from_us, PB_NO_UTC_OFFSET, valid_from);
    valid_from[10] = '\0';
    cells[0] = pack->id;
    cells[1] = pb_str_from(texts[0]);
    cells[2] = pb_str_from(valid_from);
    cells[3] = pb_str_from(pack->is_in_force ? "yes" : "no");
    cells[4] = pb_str_from(texts[1]);
    cells[5] = pb_str_from(texts[2]);
    cells[6] = pack->text_sha256_hex;
    if (cells[6].bytes > 12)
        cells[6].bytes = 12;
    cells[7] = pack->title;
    return pb_cli_table_row(table, cells);
}

static bool
put_pack(void *context, const struct pb_pack_info *pack)
{
    struct list *list = context;

    if (list->is_json)
        put_json(list->cli->out, pack);
    else
        list->status = put_row(&list->table, pack);
    return list->status == PB_OK;
}

static enum pb_status
list_packs(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
           struct pb_error *error)
{
    struct list *list = context;
    struct pb_rules *rules = pb_site_rules(site);

    (void)arguments;
    (void)error;
    if (!list->is_json)
        list->status = pb_cli_table_init(&list->table, cli->env, cli->out, columns, COLUMN_COUNT);
    if (list->status == PB_OK)
        pb_rules_each_pack(rules, pb_now_us(cli->env), put_pack, list);
    pb_cli_table_done(&list->table);
    pb_rules_unref(rules);
    return list->status;
}

static int
run_list(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct list list = { .cli = cli };
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a line",
                                        .flag = &list.is_json };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Lists the rule packs that are shipped or were added: version, since when, "
                      "whether it is in force now, how many rules it has, and how many of them "
                      "nobody has verified yet; those are read to the strict side.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, &json, 1);
    return pb_cli_at_site(cli, &usage, &site_options, argc, argv, list_packs, &list);
}

/* ---- show ---- */

/* Does the text have the line "pack: ID"? */
static bool
is_pack(struct pb_str text, const char *id)
{
    static const char key[] = "pack:";
    size_t id_bytes = strlen(id);
    const char *at = text.text, *end = text.text + text.bytes;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line_end != NULL ? line_end : end) - at);

        if (length > sizeof(key) && memcmp(at, key, sizeof(key) - 1) == 0) {
            const char *value = at + sizeof(key) - 1;

            while (*value == ' ')
                value++;
            return (size_t)(at + length - value) >= id_bytes && memcmp(value, id, id_bytes) == 0 &&
                   (value + id_bytes == at + length || value[id_bytes] == ' ' ||
                    value[id_bytes] == '\r');
        }
        at += length + 1;
    }
    return false;
}

struct show {
    struct pb_cli *cli;
    const char *directory, *id;
    unsigned count;
    enum pb_status status;
    struct pb_error *error;
};

static void
put_text(struct show *show, const char *name, struct pb_str text)
{
    struct pb_cli_out *out = show->cli->out;

    if (show->count > 0)
        pb_cli_put_text(out, "\n");
    pb_cli_put_format(out, "# %s\n", name);
    pb_cli_put_bytes(out, text.text, text.bytes);
    show->count++;
}

static bool
show_file(void *context, const char *name, bool is_directory)
{
    struct show *show = context;
    char path[PB_PATH_BYTES_MAX];
    struct pb_text_out out = pb_text_out(path, sizeof(path) - 1);
    char *text = NULL;
    size_t bytes = 0, length = strlen(name);

    if (is_directory || length < 5 || strcmp(name + length - 5, ".yaml") != 0)
        return true;
    pb_put_text(&out, show->directory);
    pb_put_char(&out, '/');
    pb_put_text(&out, name);
    *out.at = '\0';
    show->status = pb_cli_load(show->cli->env, path, PB_PACK_BYTES_MAX, &text, &bytes, show->error);
    if (show->status == PB_OK) {
        struct pb_str view = { .text = text, .bytes = (uint32_t)bytes };

        if (is_pack(view, show->id))
            put_text(show, path, view);
    }
    pb_free(show->cli->env, text);
    return show->status == PB_OK;
}

static enum pb_status
show_added(struct show *show, const char *data, struct pb_error *error)
{
    const struct pb_env *env = show->cli->env;
    char directory[PB_PATH_BYTES_MAX];
    struct pb_text_out out = pb_text_out(directory, sizeof(directory) - 1);
    enum pb_status status;

    pb_put_text(&out, data);
    pb_put_text(&out, "/rules");
    *out.at = '\0';
    if (out.is_cut)
        return pb_fail(error, PB_OVER_LIMIT, "the path of the data directory is too long");
    show->directory = directory;
    show->error = error;
    status = env->files->list(env->file_context, directory, show_file, show, error);
    if (status == PB_OK)
        status = show->status;
    show->directory = NULL;
    return status == PB_NOT_FOUND ? PB_OK : status;
}

static int
run_show(struct pb_cli *cli, int argc, char **argv)
{
    struct show show = { .cli = cli };
    struct pb_error error = { "" };
    const struct pb_pack_source *shipped;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    const char *data = NULL;
    enum pb_status status;
    size_t count = 0;
    int first;

    pb_cli_usage_init(&usage, "PACK", 1, 1,
                      "Prints a rule pack as it is written, each of its versions: what it demands, "
                      "from when on, where that comes from, and which of its rules nobody has "
                      "verified yet (verified: false).");
    pb_cli_usage_add_data(&usage, &data);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_is_site(cli, data))
        return PB_CLI_EXIT_FAILURE;

    show.id = argv[first];
    shipped = pb_rules_shipped(&count);
    for (size_t i = 0; i < count; i++) {
        if (is_pack(shipped[i].text, show.id))
            put_text(&show, shipped[i].name, shipped[i].text);
    }
    status = show_added(&show, data, &error);
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);
    if (show.count == 0) {
        pb_cli_say(cli, "there is no pack '%s': see 'platebase rules list'", show.id);
        return PB_CLI_EXIT_FAILURE;
    }
    return PB_CLI_EXIT_OK;
}

/* ---- add ---- */

struct adding {
    struct pb_actor actor;
    bool is_quiet;
};

static enum pb_status
add_pack(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
         struct pb_error *error)
{
    const struct adding *adding = context;
    const char *path = arguments[0], *slash = strrchr(path, '/');
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = pb_cli_load(cli->env, path, PB_PACK_BYTES_MAX, &text, &bytes, error);

    if (status == PB_OK)
        status = pb_site_put_pack(site, &adding->actor, slash != NULL ? slash + 1 : path, text,
                                  bytes, error);
    pb_free(cli->env, text);
    if (status == PB_OK && !adding->is_quiet)
        pb_cli_say(cli, "added %s; see 'platebase rules list'", path);
    return status;
}

static int
run_add(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_WRITE };
    struct adding adding = { .is_quiet = false };
    const struct pb_cli_option options[] = {
        { .name = "person",
          .placeholder = "ID",
          .help = "who adds it, for the record; the operator of the machine by default",
          .text = &adding.actor.person },
        { .name = "quiet", .help = "say nothing", .flag = &adding.is_quiet },
    };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "FILE", 1, 1,
                      "Adds a rule pack (YAML), or a new version of one, under the file's name. It "
                      "is checked first, and holds from its valid_from on; what it shortens is "
                      "stamped anew at once. Versions that are there stay, so that old decisions "
                      "can be explained.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    return pb_cli_at_site(cli, &usage, &site_options, argc, argv, add_pack, &adding);
}

int
pb_cmd_rules(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "rules list", "the packs, and which are in force", run_list },
        { "rules show", "a pack as it is written", run_show },
        { "rules add", "add a pack, or a new version of one", run_add },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text = "Rule packs say who may ask what, and how long reads are kept.",
        .example = "platebase rules list --data DIR",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}
