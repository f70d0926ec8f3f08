/*
 * Place: files of the audit room by name, read whole and replaced whole.
 *
 * A place is a directory. Names inside are relative to it. A file is replaced by writing another
 * (`temporary`, of the same file system) and renaming it, so that nobody sees
 * half of it.
 *
 * A place's own path leaves room for every name within it, so that once a place is there a path
 * within it can always be made.
 *
 * Threads: one writer at a time for a place; any number of readers.
 */
#ifndef PB_AUDIT_PLACE_H
#define PB_AUDIT_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "base/limits.h"

struct pb_env;

#define PB_PLACE_NAME_BYTES_MAX 256u /* of a name within a place */
#define PB_PLACE_PATH_BYTES_MAX (PB_PATH_BYTES_MAX - PB_PLACE_NAME_BYTES_MAX - 2u)

struct pb_place {
    const struct pb_env *env; /* borrowed */
    char *path;               /* owned */
    const char *root; /* path of the place in which `temporary` lies: this, or an outer one */
};

/* On failure there is nothing to be done away with. PB_OVER_LIMIT: the path is too long. */
PB_MUST_CHECK enum pb_status pb_place_init(struct pb_place *place, const struct pb_env *env,
                                           const char *path, struct pb_error *error);
/* The directory `name` of an outer place, which must live longer. */
PB_MUST_CHECK enum pb_status pb_place_init_within(struct pb_place *place,
                                                  const struct pb_place *outer, struct pb_str name,
                                                  struct pb_error *error);
void pb_place_done(struct pb_place *place); /* all zero is fine */

/* <place>/<name>, or the place itself where name is empty; NUL-terminated. */
void pb_place_path(const struct pb_place *place, struct pb_str name,
                   char ret_path[PB_PATH_BYTES_MAX]);
/* The whole file in memory of the environment, NUL behind it. PB_NOT_FOUND; PB_E_CORRUPT where it
 * is longer than bytes_max. */
PB_MUST_CHECK enum pb_status pb_place_read(const struct pb_place *place, struct pb_str name,
                                           size_t bytes_max, uint8_t **ret_bytes, size_t *ret_count,
                                           struct pb_error *error);

enum pb_place_write {
    PB_PLACE_SEEN = 0,         /* others see it; a power cut may undo it */
    PB_PLACE_SYNCED = 1 << 0,  /* its content is on disk; its name is once its directory is */
    PB_PLACE_PRIVATE = 1 << 1, /* nobody but the owner may read it */
};
/* Missing directories on the way are made. */
PB_MUST_CHECK enum pb_status pb_place_write(const struct pb_place *place, struct pb_str name,
                                            unsigned flags, const void *bytes, size_t count,
                                            struct pb_error *error);
/* Syncs the directory of name, and those above up to the place itself. */
PB_MUST_CHECK enum pb_status pb_place_sync_up(const struct pb_place *place, struct pb_str name,
                                              struct pb_error *error);
/* Makes the directory; that it exists is fine. */
PB_MUST_CHECK enum pb_status pb_place_mkdir(const struct pb_place *place, struct pb_str name,
                                            struct pb_error *error);
/* Not being there is fine. */
PB_MUST_CHECK enum pb_status pb_place_unlink(const struct pb_place *place, struct pb_str name,
                                             struct pb_error *error);

#endif
