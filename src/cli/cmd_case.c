/*
 * case: the catalog's cases: the investigations that inquiries name.
 */
#include "cli/records.h"

int
pb_cmd_case(struct pb_cli *cli, int argc, char **argv)
{
    return pb_cli_records(cli, "case", argc, argv);
}
