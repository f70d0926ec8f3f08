/*
 * Owner: what an import has to know of who owns the reads that it brings.
 *
 * Threads: any.
 */
#ifndef PB_CLI_OWNER_H
#define PB_CLI_OWNER_H

#include <stdbool.h>

#include "inquiry/site.h"

struct pb_cli_owner {
    uint16_t capture_state; /* of readers that are not known; 0: not known either */
    /* false: some of the reads that may come may not be written to disk at all, so that a record
     * which could not be read must not be either. */
    bool keeps_records;
};
/*
 * agency: owner of readers that the catalog does not know, or NULL: the only one that contributes.
 * capture_state: what was said of them, or 0: then the owner's own state or country.
 */
PB_MUST_CHECK enum pb_status pb_cli_owner_of(struct pb_site *site, const char *agency,
                                             uint16_t capture_state, int64_t now_us,
                                             struct pb_cli_owner *ret_owner,
                                             struct pb_error *error);

#endif
