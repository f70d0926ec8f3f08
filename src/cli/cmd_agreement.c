/*
 * agreement: the catalog's agreements: which agency may ask over whose reads.
 */
#include "cli/records.h"

int
pb_cmd_agreement(struct pb_cli *cli, int argc, char **argv)
{
    return pb_cli_records(cli, "agreement", argc, argv);
}
