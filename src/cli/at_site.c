/*
 * At a site: the frame of a command.
 */
#include "cli/at_site.h"

int
pb_cli_at_parsed_site(struct pb_cli *cli, const char *data, const struct pb_site_options *options,
                      char **arguments, pb_cli_act_fn *act, void *context)
{
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    int exit_code = PB_CLI_EXIT_OK;
    enum pb_status status;

    if (pb_cli_open_site(cli, data, options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    status = act(cli, site, arguments, context, &error);
    if (status == PB_END)
        exit_code = PB_CLI_EXIT_FAILURE;
    else if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    return pb_cli_close_site(cli, site, exit_code);
}

int
pb_cli_at_site(struct pb_cli *cli, const struct pb_cli_usage *usage,
               const struct pb_site_options *options, int argc, char **argv, pb_cli_act_fn *act,
               void *context)
{
    int first;
    enum pb_cli_parsed parsed = pb_cli_parse(cli, usage, argc, argv, &first);

    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    return pb_cli_at_parsed_site(cli, usage->data, options, argv + first, act, context);
}
