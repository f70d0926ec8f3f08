/*
 * Sub-commands: finding the one that is meant.
 */
#include "cli/sub.h"

#include <string.h>

#include "cli/options.h"

/* "verify" of "audit verify" */
static const char *
last_word(const char *name)
{
    const char *space = strrchr(name, ' ');

    return space != NULL ? space + 1 : name;
}

static void
print_help(const struct pb_cli *cli, const struct pb_cli_sub *sub)
{
    size_t width = 0;

    for (size_t i = 0; i < sub->count; i++) {
        size_t length = strlen(last_word(sub->commands[i].name));

        width = length > width ? length : width;
    }
    pb_cli_put_format(cli->out,
                      "Usage: platebase %s COMMAND [OPTION...] [ARGUMENT...]\n\n%s\n\n"
                      "Commands:\n",
                      cli->command, sub->text);
    for (size_t i = 0; i < sub->count; i++)
        pb_cli_put_format(cli->out, "  %-*s  %s\n", (int)width, last_word(sub->commands[i].name),
                          sub->commands[i].summary);
    pb_cli_put_format(cli->out,
                      "\n  platebase %s COMMAND --help   options of one\n\nFor example:\n"
                      "  %s\n\nOptions:\n  --help                  print this text\n",
                      cli->command, sub->example);
}

static int
refuse(const struct pb_cli *cli, const struct pb_cli_sub *sub, const char *name)
{
    const char *nearest = NULL;
    unsigned distance = 3;

    for (size_t i = 0; i < sub->count; i++) {
        const char *word = last_word(sub->commands[i].name);
        unsigned steps = pb_cli_word_distance(name, word, 2);

        if (steps < distance) {
            distance = steps;
            nearest = word;
        }
    }
    if (nearest != NULL)
        return pb_cli_usage_error(cli, "%s: unknown command '%s': did you mean '%s'?", cli->command,
                                  name, nearest);
    return pb_cli_usage_error(cli, "%s: unknown command '%s'", cli->command, name);
}

int
pb_cli_sub_run(struct pb_cli *cli, const struct pb_cli_sub *sub, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (argc < 2)
        return pb_cli_usage_error(cli, "%s: say which of its commands", cli->command);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(cli, sub);
        return PB_CLI_EXIT_OK;
    }
    for (size_t i = 0; i < sub->count; i++) {
        if (strcmp(name, last_word(sub->commands[i].name)) != 0)
            continue;
        cli->command = sub->commands[i].name;
        return sub->commands[i].run(cli, argc - 1, argv + 1);
    }
    return refuse(cli, sub, name);
}
