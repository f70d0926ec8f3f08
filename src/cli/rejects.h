/*
 * Rejects: what was not stored, why, and the record itself, so that it can be mended and
 * imported again.
 *
 * One JSON object a line: file, line, field, reason, record. file and line are null where only the
 * store knew (a conflict); record is null where a read may not be written to disk. The file is
 * made with the first reject. Some are also said.
 *
 * Threads: add may be called from any thread.
 */
#ifndef PB_CLI_REJECTS_H
#define PB_CLI_REJECTS_H

#include <pthread.h>

#include "cli/cli.h"
#include "ingest/ingest.h"

struct pb_cli_rejects {
    struct pb_cli *cli; /* borrowed */
    char *path;         /* owned: of the reject file; NULL: none is kept */
    char *directory;    /* owned: made where it is missing; NULL: nothing to make */
    bool is_quiet;      /* says nothing */
    bool hides_records; /* keeps where and why, but not what it was */

    pthread_mutex_t lock;
    /* Guarded by lock: */
    struct pb_cli_out *out; /* owned; NULL until the file is open */
    int descriptor;         /* owned; -1: not open */
    uint64_t count;
    uint64_t from_parser; /* of count: records that gave no read */
    enum pb_status status; /* first failure to keep a reject */
    struct pb_error error;
};

/* path: file to keep them in, or NULL: then <data>/rejects/<UTC time>.ndjson; where data is NULL
 * too, none is kept. */
PB_MUST_CHECK enum pb_status pb_cli_rejects_init(struct pb_cli_rejects *rejects,
                                                 struct pb_cli *cli, const char *path,
                                                 const char *data, bool is_quiet);
/* A record that gave no read. */
void pb_cli_rejects_add(struct pb_cli_rejects *rejects, const char *file,
                        const struct pb_rejection *rejection);
/* A read that the store did not take; of the type pb_reject_fn, context being the rejects. */
void pb_cli_rejects_add_read(void *context, const struct pb_read *read, enum pb_status why,
                             const char *reason);
/* Writes everything out, syncs and closes. Returns the first failure to keep a reject. */
PB_MUST_CHECK enum pb_status pb_cli_rejects_close(struct pb_cli_rejects *rejects,
                                                  struct pb_error *error);
void pb_cli_rejects_done(struct pb_cli_rejects *rejects);

#endif
