/*
 * platebase: the table of commands, and the way from argv to one of them.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/version.h"

static const struct pb_cli_command commands[] = {
    { "init", "make a data directory", pb_cmd_init },
    { "demo", "make one to try everything with", pb_cmd_demo },
    { "import", "store reads from files", pb_cmd_import },
    { "search", "find the reads of a plate", pb_cmd_search },
    { "near", "find the reads at a place", pb_cmd_near },
    { "plates", "list distinct plates that fit a pattern", pb_cmd_plates },
    { "common", "find plates that were at several places", pb_cmd_common },
    { "associates", "find plates that travel with a plate", pb_cmd_associates },
    { "approve", "approve somebody else's inquiry", pb_cmd_approve },
    { "correct", "say that a read is wrong", pb_cmd_correct },
    { "catalog", "all records at once, as YAML", pb_cmd_catalog },
    { "agency", "agencies: list, show, add, change, remove", pb_cmd_agency },
    { "person", "people, likewise", pb_cmd_person },
    { "reader", "readers, likewise", pb_cmd_reader },
    { "offence", "offences, likewise", pb_cmd_offence },
    { "case", "cases, likewise", pb_cmd_case },
    { "agreement", "agreements between agencies, likewise", pb_cmd_agreement },
    { "declaration", "signed declarations, likewise", pb_cmd_declaration },
    { "hold", "legal holds, likewise", pb_cmd_hold },
    { "policy", "say what the rules would decide", pb_cmd_policy },
    { "rules", "list, show and add rule packs", pb_cmd_rules },
    { "audit", "check, prove, search and review the audit logs", pb_cmd_audit },
    { "stats", "say how much there is", pb_cmd_stats },
    { "verify", "check every byte", pb_cmd_verify },
    { "purge", "remove expired and erased reads from disk", pb_cmd_purge },
    { "merge", "merge segments", pb_cmd_merge },
    { "erase", "erase reads for good", pb_cmd_erase },
    { "backup", "copy a data directory while it is searched", pb_cmd_backup },
    { "restore", "make a data directory from a backup", pb_cmd_restore },
    { "convert", "turn reads of one format into another", pb_cmd_convert },
    { "generate", "make synthetic reads", pb_cmd_generate },
    { "bench", "measure", pb_cmd_bench },
    { "serve", "serve a data directory over HTTP", pb_cmd_serve },
    { "account", "who may sign in to the service", pb_cmd_account },
    { "subject-access", "what is held of somebody's plate, and who was given it",
      pb_cmd_subject_access },
    { "token", "make, list and revoke tokens of programs", pb_cmd_token },
    { "transparency", "figures of an agency, by month", pb_cmd_transparency },
    { "config", "check a configuration of the service", pb_cmd_config },
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void
print_help(struct pb_cli_out *out)
{
    pb_cli_put_text(out,
                    "Usage: platebase COMMAND [OPTION...] [ARGUMENT...]\n\n"
                    "Platebase keeps licence plate reads, and finds them again for those who may "
                    "ask.\n\n"
                    "Commands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        pb_cli_put_format(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
    pb_cli_put_text(out,
                    "\n"
                    "  platebase help COMMAND   options of one command\n"
                    "  platebase --version      version\n\n"
                    "First steps:\n"
                    "  platebase init DIR\n"
                    "  platebase import --data DIR reads.csv\n"
                    "  platebase search --data DIR --person operator --purpose site-security \\\n"
                    "      --why 'TEXT' --plate AB123CD --from 2026-01-01 --to 2027-01-01\n");
}

static const struct pb_cli_command *
find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int
refuse_command(const struct pb_cli *cli, const char *name)
{
    const char *nearest = NULL;
    unsigned distance = 3;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        unsigned steps = pb_cli_word_distance(name, commands[i].name, 2);

        if (steps < distance) {
            distance = steps;
            nearest = commands[i].name;
        }
    }
    if (nearest != NULL)
        return pb_cli_usage_error(cli, "unknown command '%s': did you mean '%s'?", name, nearest);
    return pb_cli_usage_error(cli, "unknown command '%s'", name);
}

static int
run_command(struct pb_cli *cli, const char *name, int argc, char **argv)
{
    const struct pb_cli_command *command = find_command(name);

    if (command == NULL)
        return refuse_command(cli, name);
    cli->command = command->name;
    return command->run(cli, argc, argv);
}

static int
dispatch(struct pb_cli *cli, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (argc < 2)
        return pb_cli_usage_error(cli, "no command given");
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        pb_cli_put_text(cli->out, "platebase " PB_VERSION "\n");
        return PB_CLI_EXIT_OK;
    }
    if (strcmp(name, "help") == 0 && argc > 2) {
        char help[] = "--help";
        char *help_argv[] = { argv[2], help, NULL };

        return run_command(cli, argv[2], 2, help_argv);
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(cli->out);
        return PB_CLI_EXIT_OK;
    }
    return run_command(cli, name, argc - 1, argv + 1);
}

int
main(int argc, char **argv)
{
    struct pb_cli_out out;
    struct pb_cli cli = {
        .env = pb_env_system(),
        .out = &out,
        .argc = argc,
        .argv = argv,
    };
    struct pb_error error;
    enum pb_status status;
    int exit_code;

    /* A reader that leaves early then shows as EPIPE, so that we end in order. */
    (void)signal(SIGPIPE, SIG_IGN);
    pb_cli_out_init(&out, STDOUT_FILENO);

    exit_code = dispatch(&cli, argc, argv);

    status = pb_cli_out_flush(&out, "standard output", &error);
    if (status != PB_OK && exit_code == PB_CLI_EXIT_OK)
        exit_code = pb_cli_failure(&cli, status, &error);
    return exit_code;
}
