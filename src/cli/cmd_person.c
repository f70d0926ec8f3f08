/*
 * person: the catalog's people: who may do what, for which agency.
 */
#include "cli/records.h"

int
pb_cmd_person(struct pb_cli *cli, int argc, char **argv)
{
    return pb_cli_records(cli, "person", argc, argv);
}
