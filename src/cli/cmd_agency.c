/*
 * agency: the catalog's agencies: who gives reads and who asks.
 */
#include "cli/records.h"

int
pb_cmd_agency(struct pb_cli *cli, int argc, char **argv)
{
    return pb_cli_records(cli, "agency", argc, argv);
}
