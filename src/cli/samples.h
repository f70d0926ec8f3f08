/*
 * Samples: the files of samples/ that the program carries, so that the demonstration works
 * wherever it is installed.
 */
#ifndef PB_CLI_SAMPLES_H
#define PB_CLI_SAMPLES_H

#include <stddef.h>

#include <platebase/read.h>

struct pb_cli_sample {
    struct pb_str text; /* with a NUL behind it */
    const char *name;   /* of the file */
};
/* All of them, by name. Made by scripts/embed. */
const struct pb_cli_sample *pb_cli_samples(size_t *ret_count);

#endif
