/*
 * Record: a record of the catalog from names and values.
 *
 * Threads: any.
 */
#ifndef PB_CLI_RECORD_H
#define PB_CLI_RECORD_H

#include <stddef.h>

#include "inquiry/site.h"

struct pb_cli_value {
    const char *field; /* as in YAML */
    const char *text;  /* NULL: left at its default */
};
/* Adds a record in the name of the operator of the machine. PB_BAD_INPUT, also where there is no
 * such field, PB_CONFLICT where it exists, or a failure, with error filled. */
PB_MUST_CHECK enum pb_status pb_cli_put_record(struct pb_site *site, const char *entity,
                                               const struct pb_cli_value *values, size_t count,
                                               struct pb_error *error);

#endif
