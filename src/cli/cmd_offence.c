/*
 * offence: the catalog's offences: what is investigated, and for how long one may look back.
 */
#include "cli/records.h"

int
pb_cmd_offence(struct pb_cli *cli, int argc, char **argv)
{
    return pb_cli_records(cli, "offence", argc, argv);
}
