/*
 * init: a data directory that is ready to use: one agency, one person, and what they may do.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/record.h"
#include "cli/shell.h"

struct init_args {
    const char *directory;
    const char *agency, *name, *jurisdiction, *packs, *person, *person_name, *training;
    int class;
    uint64_t retention_days; /* UINT64_MAX: no limit */
    bool has_jurisdiction, is_bare, is_quiet;
};

/* As the catalog's field "class" names them. */
static const char *const classes[] = { "local", "state", "federal", "private", NULL };
#define CLASS_PRIVATE 3

/* What the one owner of a gate needs, and the first administrator of a police department. */
#define ALL_PERMISSIONS "plate,pattern,place,common,associates,export,correct,audit,administer"

static enum pb_status
put_agency(struct pb_site *site, const struct init_args *args, struct pb_error *error)
{
    char days[24] = "";
    const struct pb_cli_value values[] = {
        { "id", args->agency },
        { "name", args->name },
        { "class", classes[args->class] },
        { "jurisdiction", args->jurisdiction },
        { "contributes", "yes" },
        { "retention_days", args->retention_days != UINT64_MAX ? days : NULL },
        { "packs", args->packs },
    };

    (void)snprintf(days, sizeof(days), "%" PRIu64, args->retention_days);
    return pb_cli_put_record(site, "agency", values, sizeof(values) / sizeof(values[0]), error);
}

static enum pb_status
put_person(struct pb_site *site, const struct init_args *args, struct pb_error *error)
{
    const struct pb_cli_value values[] = {
        { "id", args->person },
        { "agency", args->agency },
        { "name", args->person_name },
        { "role", "administrator" },
        { "status", "active" },
        { "permissions", ALL_PERMISSIONS },
        { "training_valid_until", args->training },
    };

    return pb_cli_put_record(site, "person", values, sizeof(values) / sizeof(values[0]), error);
}

static enum pb_status
fill_site(const struct pb_cli *cli, const struct init_args *args, struct pb_error *error)
{
    const struct pb_site_options options = { .mode = PB_SITE_WRITE };
    struct pb_site *site = NULL;
    enum pb_status status, close_status;

    status = pb_site_open(cli->env, args->directory, &options, &site, error);
    if (status != PB_OK)
        return status;
    status = put_agency(site, args, error);
    if (status == PB_OK)
        status = put_person(site, args, error);
    close_status = pb_site_close(site, status == PB_OK ? error : NULL);
    return status == PB_OK ? close_status : status;
}

/* ---- what is said ---- */

static void
say_next(const struct pb_cli *cli, const struct init_args *args, const char *directory)
{
    if (args->is_bare) {
        pb_cli_say(cli, "nobody is in it yet; name them, or import a catalog:");
        pb_cli_say(cli, "  platebase agency add --help");
        pb_cli_say(cli, "  platebase catalog import --data %s catalog.yaml", directory);
        return;
    }
    pb_cli_say(cli, "next:");
    if (args->class != CLASS_PRIVATE && args->training == NULL)
        pb_cli_say(cli,
                   "  platebase person change --data %s %s --training-valid-until DATE   (before "
                   "they may ask)",
                   directory, args->person);
    if (args->class != CLASS_PRIVATE)
        pb_cli_say(cli, "  platebase rules show --data %s platebase-base   (purposes)", directory);
    pb_cli_say(cli, "  platebase import --data %s reads.csv", directory);
    pb_cli_say(cli,
               "  platebase search --data %s --person %s --purpose %s --why 'TEXT' "
               "--plate AB123CD --from 2026-01-01 --to 2027-01-01",
               directory, args->person, args->class == CLASS_PRIVATE ? "site-security" : "CODE");
}

static void
say_agency(const struct pb_cli *cli, const struct init_args *args, const char *directory)
{
    const char *packs = args->packs != NULL ? args->packs : "platebase-base";

    pb_cli_say(cli,
               "agency %s (%s, %s), rules: %s; person %s may ask, export, correct, audit and "
               "administer",
               args->agency, classes[args->class], args->jurisdiction, packs, args->person);
    if (args->retention_days == UINT64_MAX)
        pb_cli_say(cli,
                   "reads are kept as long as the rules allow; a shorter limit: platebase agency "
                   "change --data %s %s --retention-days N",
                   directory, args->agency);
    else
        pb_cli_say(cli,
                   "reads are kept %" PRIu64 " days at most; to change it: platebase agency change "
                   "--data %s %s --retention-days N",
                   args->retention_days, directory, args->agency);
    if (!args->has_jurisdiction)
        pb_cli_say(cli, "no state was given, so no state's law is applied: --jurisdiction US-KS "
                        "names one");
}

static void
say_made(const struct pb_cli *cli, const struct init_args *args)
{
    char directory[1024];
    struct pb_text_out out = pb_text_out(directory, sizeof(directory) - 1);

    pb_cli_put_shell(&out, args->directory);
    *out.at = '\0';
    pb_cli_say(cli, "made %s", args->directory);
    if (out.is_cut)
        return;
    if (!args->is_bare)
        say_agency(cli, args, directory);
    say_next(cli, args, directory);
}

/* ---- options ---- */

static void
add_options(struct pb_cli_usage *usage, struct init_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "agency",
          .placeholder = "ID",
          .help = "short name of who owns the reads; site by default",
          .text = &args->agency },
        { .name = "name", .placeholder = "TEXT", .help = "their full name", .text = &args->name },
        { .name = "class",
          .placeholder = "CLASS",
          .help = "what they are: local, state, federal or private (the default)",
          .choice = &args->class,
          .choices = classes },
        { .name = "jurisdiction",
          .placeholder = "CODE",
          .help =
              "where they are, such as US-KS: its law governs what they keep and who may ask; US "
              "by default",
          .text = &args->jurisdiction },
        { .name = "packs",
          .placeholder = "IDS",
          .help = "rule packs that bind their people; private-site by default where the class is "
                  "private",
          .text = &args->packs },
        { .name = "person",
          .placeholder = "ID",
          .help = "short name of the first person; operator by default",
          .text = &args->person },
        { .name = "person-name",
          .placeholder = "TEXT",
          .help = "their full name",
          .text = &args->person_name },
        { .name = "training-valid-until",
          .placeholder = "DATE",
          .help = "until when their training counts; people of public agencies need it to ask",
          .text = &args->training },
        { .name = "retention-days",
          .placeholder = "N",
          .help = "keep reads at most so long; no limit by default, but for those of the law",
          .number = &args->retention_days,
          .number_min = 1,
          .number_max = 36500 },
        { .name = "bare",
          .help = "no agency and no person: for a catalog that is imported",
          .flag = &args->is_bare },
        { .name = "quiet", .help = "say nothing", .flag = &args->is_quiet },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

static void
fill_defaults(struct init_args *args)
{
    if (args->agency == NULL)
        args->agency = "site";
    if (args->name == NULL)
        args->name = args->agency;
    if (args->person == NULL)
        args->person = "operator";
    if (args->person_name == NULL)
        args->person_name = args->person;
    args->has_jurisdiction = args->jurisdiction != NULL;
    if (!args->has_jurisdiction)
        args->jurisdiction = "US";
    if (args->packs == NULL && args->class == CLASS_PRIVATE)
        args->packs = "private-site";
}

int
pb_cmd_init(struct pb_cli *cli, int argc, char **argv)
{
    struct init_args args = { .class = CLASS_PRIVATE, .retention_days = UINT64_MAX };
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first;

    pb_cli_usage_init(&usage, "DIR", 1, 1,
                      "Makes a data directory in DIR, which must be empty or not exist yet, with "
                      "one agency that owns reads and one person who may ask: without options, "
                      "those of a gate or a home. What it holds is sensitive: only its owner and "
                      "group may look into it, and only its owner into its keys.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (args.is_bare && (args.agency != NULL || args.person != NULL || args.name != NULL ||
                         args.person_name != NULL || args.packs != NULL))
        return pb_cli_usage_error(cli, "--bare makes no agency and no person: leave their options "
                                       "out");
    args.directory = argv[first];
    fill_defaults(&args);

    status = pb_site_create(cli->env, args.directory, &error);
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);
    if (!args.is_bare)
        status = fill_site(cli, &args, &error);
    if (status != PB_OK) {
        (void)pb_cli_failure(cli, status, &error);
        pb_cli_say(cli, "%s was made, but is not ready: remove it and do it again", argv[first]);
        return PB_CLI_EXIT_FAILURE;
    }
    if (!args.is_quiet)
        say_made(cli, &args);
    return PB_CLI_EXIT_OK;
}
