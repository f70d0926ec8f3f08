/*
 * Manifest: what the store consists of, as one small file that is replaced as a whole
 * (write, sync, rename, sync of the directory).
 *
 * Format: docs/formats/manifest-v2.md. Threads: plain data, one at a time.
 */
#ifndef PB_STORE_LOCAL_MANIFEST_H
#define PB_STORE_LOCAL_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#include "base/arena.h"
#include "base/log.h"

#define PB_MANIFEST_MARKS_MAX (1u << 22)
#define PB_MANIFEST_MONTH_MAX 2759u /* 2199-12, the last that a store takes */

/* One live segment file: segments/<number>.seg */
struct pb_segment_entry {
    uint64_t number;
    uint64_t bytes;
    uint64_t rows;
    uint32_t month;           /* months since 1970-01 */
    uint32_t retention_days;  /* retention class; UINT32_MAX: never deleted */
    int64_t captured_min_us, captured_max_us;
    int64_t delete_after_min_us, delete_after_max_us;
    uint64_t checksum;        /* of the segment's footer: ties the file to this entry */
};

/* An erasure (platebase/store.h). Segments numbered below segment_limit still hold such reads. */
struct pb_erasure_entry {
    struct pb_str plate;  /* owned by the manifest's arena */
    struct pb_str reader; /* likewise */
    uint16_t jurisdiction;
    int64_t from_us, to_us;
    uint64_t segment_limit;
};

/* A row of segment `segment` of this read, whose revision is below `revision`, is history:
 * a newer revision lies elsewhere. Applied for good when that segment is merged. */
struct pb_mark_entry {
    uint64_t identity; /* finds it */
    uint64_t segment;
    uint32_t revision;
    struct pb_str name; /* says which read: pb_read_identity_bytes(); owned by the manifest's arena.
                           Empty in a mark of format version 1: every read of that identity */
};

struct pb_manifest {
    uint8_t store_id[PB_STORE_ID_BYTES];
    uint64_t generation;    /* counts replacements, from 1 */
    uint64_t next_segment;  /* number of the next segment file */
    uint64_t log_first;     /* logs below this are in segments */
    uint64_t commit;        /* newest commit that is in segments, or 0 */

    struct pb_segment_entry *segments; /* owned by arena; ascending number */
    uint32_t segment_count;
    struct pb_erasure_entry *erasures; /* owned by arena */
    uint32_t erasure_count;
    struct pb_mark_entry *marks;       /* owned by arena; ascending identity */
    uint32_t mark_count;
    struct pb_arena arena;
};

/* An empty manifest; done frees what it owns. */
void pb_manifest_init(struct pb_manifest *manifest, const struct pb_env *env);
void pb_manifest_done(struct pb_manifest *manifest);

/* Gives marks that name what belongs to somebody else names of the arena. */
PB_MUST_CHECK enum pb_status pb_marks_own(struct pb_mark_entry *marks, uint32_t count,
                                          struct pb_arena *arena);

/* Reads <directory>/manifest into an initialised manifest; what it held is freed, and on failure
 * it is empty. PB_E_NOT_STORE where it is missing or of another program, PB_E_VERSION where made
 * by a later version, PB_E_CORRUPT names the offset. */
PB_MUST_CHECK enum pb_status pb_manifest_read(struct pb_manifest *manifest, const char *directory,
                                              struct pb_error *error);
/*
 * Replaces <directory>/manifest; durable on PB_OK. generation is written as it stands.
 *
 * ret_is_unknown  set on failure only: true where the last directory sync failed, so that after a
 *                 power cut either manifest may be the one that counts; false where it is
 *                 the old one
 *
 * PB_OVER_LIMIT   too many entries; nothing was written
 * PB_BAD_INPUT    a value that the format does not take, so that it could not be read again;
 *                 nothing was written
 */
PB_MUST_CHECK enum pb_status pb_manifest_write(const struct pb_manifest *manifest,
                                               const char *directory, bool *ret_is_unknown,
                                               struct pb_error *error);
/* Parses the bytes of a manifest file (also the fuzz target's entry); as pb_manifest_read. */
PB_MUST_CHECK enum pb_status pb_manifest_parse(struct pb_manifest *manifest, const uint8_t *bytes,
                                               size_t count, struct pb_error *error);

#endif
