/*
 * At a site: what most commands do around their own work. They parse, open the data directory,
 * say what failed, and close.
 *
 * Threads: the main thread.
 */
#ifndef PB_CLI_AT_SITE_H
#define PB_CLI_AT_SITE_H

#include "cli/cli.h"
#include "cli/options.h"

/* The work itself. arguments are those that are no options; context is the command's. */
typedef enum pb_status pb_cli_act_fn(struct pb_cli *cli, struct pb_site *site, char **arguments,
                                     void *context, struct pb_error *error);

/* usage->data is the directory: pb_cli_usage_add_data(usage, &usage->data). Returns an exit code,
 * also where the work was not reached. PB_END of the work: it did not work, and has been said. */
int pb_cli_at_site(struct pb_cli *cli, const struct pb_cli_usage *usage,
                   const struct pb_site_options *options, int argc, char **argv, pb_cli_act_fn *act,
                   void *context);

/* The same for who has parsed already: data is the directory. */
int pb_cli_at_parsed_site(struct pb_cli *cli, const char *data,
                          const struct pb_site_options *options, char **arguments,
                          pb_cli_act_fn *act, void *context);

#endif
