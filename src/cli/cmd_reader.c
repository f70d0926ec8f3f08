/*
 * reader: the catalog's readers: cameras and units that make reads.
 */
#include "cli/records.h"

int
pb_cmd_reader(struct pb_cli *cli, int argc, char **argv)
{
    return pb_cli_records(cli, "reader", argc, argv);
}
