/*
 * declaration: the catalog's declarations: signed promises that a state's law asks for.
 */
#include "cli/records.h"

int
pb_cmd_declaration(struct pb_cli *cli, int argc, char **argv)
{
    return pb_cli_records(cli, "declaration", argc, argv);
}
