/*
 * Records: list, show, add, change and remove, for any entity of the catalog.
 *
 * Options, columns and JSON members come from the tables that describe the entities.
 *
 * Threads: the main thread.
 */
#ifndef PB_CLI_RECORDS_H
#define PB_CLI_RECORDS_H

#include "cli/cli.h"

/* The whole of a command such as "platebase reader ..."; returns its exit code. */
int pb_cli_records(struct pb_cli *cli, const char *entity, int argc, char **argv);

#endif
