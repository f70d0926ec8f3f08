/*
 * Bins: many sequences of records that grow side by side, in memory as long as a budget allows and
 * then in a file.
 *
 * Records lie in chunks of a bin; when memory is used up a full chunk is written to the file as an
 * extent, and filled again. A record is never cut in two. The file is read by the process that
 * wrote it and by no other, and deleted when it is done.
 *
 * Threads: one at a time for each set of bins; sets may share a budget.
 */
#ifndef PB_STORE_LOCAL_BINS_H
#define PB_STORE_LOCAL_BINS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#include "base/env.h"

struct pb_bins_budget {
    size_t bytes_max;
    _Atomic size_t used_bytes;
    _Atomic bool is_exceeded; /* something had to be given beyond it */
};

struct pb_bins {
    const struct pb_env *env;      /* borrowed */
    struct pb_bins_budget *budget; /* borrowed */
    char *path;                    /* owned: of the file, which is made when memory does not do */
    struct pb_bins_slab *slabs;    /* owned */
    uint8_t *slab_at, *slab_end;
    struct pb_file *file; /* owned; NULL as long as memory does */
    uint64_t file_bytes;
};

/* path is copied. */
PB_MUST_CHECK enum pb_status pb_bins_init(struct pb_bins *bins, const struct pb_env *env,
                                          struct pb_bins_budget *budget, const char *path);
void pb_bins_done(struct pb_bins *bins); /* also of zeroed memory */

/* One sequence; zeroed memory is an empty one. */
struct pb_bin {
    uint8_t *at, *end;                  /* of what is left of the last chunk */
    struct pb_bins_chunk *first, *last; /* memory of the bins */
    struct pb_bins_extent *extents;     /* owned */
    uint32_t extent_count, extent_room;
    uint64_t spilled_bytes;
};
void pb_bin_done(struct pb_bin *bin, const struct pb_env *env);

#define PB_BINS_CHUNK_BYTES_MIN 4096u
#define PB_BINS_CHUNK_BYTES_MAX 32768u
#define PB_BINS_RECORD_BYTES_MAX (PB_BINS_CHUNK_BYTES_MIN - 32u)

/* Gives the bin a chunk with room for any record. chunk_bytes: a power of two. may_spill: or else
 * memory is given beyond the budget. */
PB_MUST_CHECK enum pb_status pb_bin_next_chunk(struct pb_bins *bins, struct pb_bin *bin,
                                               uint32_t chunk_bytes, bool may_spill,
                                               struct pb_error *error);

/* Makes room for a record at the end of a bin, to be filled by the caller; bytes is a multiple of
 * 4. The rest as above. */
PB_MUST_CHECK static inline enum pb_status
pb_bin_add(struct pb_bins *bins, struct pb_bin *bin, uint32_t bytes, uint32_t chunk_bytes,
           bool may_spill, uint8_t **ret_at, struct pb_error *error)
{
    if (bytes > (size_t)(bin->end - bin->at)) {
        enum pb_status status = pb_bin_next_chunk(bins, bin, chunk_bytes, may_spill, error);

        if (status != PB_OK)
            return status;
    }
    *ret_at = bin->at;
    bin->at += bytes;
    return PB_OK;
}

/* Reads what the file has of a bin into memory of its spilled_bytes. */
PB_MUST_CHECK enum pb_status pb_bin_read(const struct pb_bins *bins, const struct pb_bin *bin,
                                         uint8_t *ret_bytes, struct pb_error *error);

/* Gives the records of a bin in order of arrival, stretch by stretch; what the file has goes
 * through memory of one chunk. Ends where each is not PB_OK, and returns that. */
typedef enum pb_status pb_bin_fn(void *context, const uint8_t *bytes, size_t count);
PB_MUST_CHECK enum pb_status pb_bin_each(const struct pb_bins *bins, const struct pb_bin *bin,
                                         pb_bin_fn *each, void *context, struct pb_error *error);

/* Walks the stretches of records of a bin, in order of arrival: of spilled ones those that were
 * read into `spilled`. */
struct pb_bin_walk {
    const struct pb_bin *bin;
    const struct pb_bins_chunk *chunk;
    const uint8_t *spilled; /* NULL once it was given */
};
void pb_bin_walk_init(struct pb_bin_walk *walk, const struct pb_bin *bin, const uint8_t *spilled);
/* false at the end. */
bool pb_bin_walk_next(struct pb_bin_walk *walk, const uint8_t **ret_at, const uint8_t **ret_end);

#endif
