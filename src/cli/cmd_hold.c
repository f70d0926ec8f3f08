/*
 * hold: the catalog's legal holds: reads that are kept past their date.
 */
#include "cli/records.h"

int
pb_cmd_hold(struct pb_cli *cli, int argc, char **argv)
{
    return pb_cli_records(cli, "hold", argc, argv);
}
