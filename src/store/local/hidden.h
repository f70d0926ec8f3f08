/*
 * Hidden: which rows of segments must not be seen though they are still on disk: erased ones, and
 * ones that a newer revision elsewhere made history.
 *
 * Threads: immutable once built; any number may look.
 */
#ifndef PB_STORE_LOCAL_HIDDEN_H
#define PB_STORE_LOCAL_HIDDEN_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "store/local/manifest.h"

struct pb_hidden; /* opaque */

/* Copies what it needs of manifest. */
PB_MUST_CHECK enum pb_status pb_hidden_new(const struct pb_env *env,
                                           const struct pb_manifest *manifest,
                                           struct pb_hidden **ret_hidden);
void pb_hidden_free(struct pb_hidden *hidden); /* NULL is fine */

/* Number of a row that is not in a segment yet: every erasure counts. */
#define PB_SEGMENT_NONE 0u

/* Whether a read that stands in a segment (or PB_SEGMENT_NONE) was erased. */
bool pb_hidden_is_erased(const struct pb_hidden *hidden, const struct pb_read *read,
                         uint64_t segment);
/* Whether anything of a segment may be hidden: false spares the questions. */
bool pb_hidden_concerns(const struct pb_hidden *hidden, uint64_t segment);
/* Whether marks make some row of a segment history. */
bool pb_hidden_has_marks(const struct pb_hidden *hidden, uint64_t segment);
/* Whether an erasure, or another that says the same, was known when this was built; and a mark. */
bool pb_hidden_knows_erasure(const struct pb_hidden *hidden,
                             const struct pb_erasure_entry *erasure);
bool pb_hidden_knows(const struct pb_hidden *hidden, const struct pb_mark_entry *mark);
/* Whether a mark makes a row of a segment history. */
bool pb_hidden_is_history(const struct pb_hidden *hidden, const struct pb_read *read,
                          uint64_t segment);

#endif
