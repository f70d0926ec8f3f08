/*
 * Buffer: the reads since the last flush, in memory, searchable at once.
 *
 * Rows are only added, never moved or changed (but for a row's superseded mark), so readers
 * need no lock: they look at the first `published` rows and at nothing else. Indexes are
 * fixed hash tables of chains from newest to oldest row.
 *
 * Threads: one writer; any number of readers while it writes. Freed by the last reference.
 */
#ifndef PB_STORE_LOCAL_BUFFER_H
#define PB_STORE_LOCAL_BUFFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "base/arena.h"

struct pb_buffer; /* opaque, reference counted */

PB_MUST_CHECK enum pb_status pb_buffer_new(const struct pb_env *env, uint32_t rows_max,
                                           struct pb_buffer **ret_buffer);
struct pb_buffer *pb_buffer_ref(struct pb_buffer *buffer);
struct pb_buffer *pb_buffer_unref(struct pb_buffer *buffer); /* NULL is fine; returns NULL */

/* ---- the writer ---- */

/* Copies a read in, not yet published. PB_OVER_LIMIT when rows_max rows are in. */
PB_MUST_CHECK enum pb_status pb_buffer_add(struct pb_buffer *buffer, const struct pb_read *read,
                                           uint32_t *ret_row);
/* Makes all added rows visible to readers. */
void pb_buffer_publish(struct pb_buffer *buffer);
/* Takes back the rows that were added and not published (after a failed sync). Their places are
 * not used again, since a reader may stand on one: later adds return PB_OVER_LIMIT. */
void pb_buffer_retract(struct pb_buffer *buffer);
/* Marks a row as history: a newer revision was added and is published next. */
void pb_buffer_supersede(struct pb_buffer *buffer, uint32_t row);

/* ---- readers (and the writer, who also sees unpublished rows where it says so) ---- */

uint32_t pb_buffer_count(const struct pb_buffer *buffer);     /* published rows */
uint32_t pb_buffer_count_all(const struct pb_buffer *buffer); /* writer only */
size_t pb_buffer_bytes(const struct pb_buffer *buffer);       /* memory held */
/* The row as it was added: its is_superseded stays as it was then, ask
 * pb_buffer_is_superseded. row < count. Borrowed until the last unref. */
const struct pb_read *pb_buffer_read(const struct pb_buffer *buffer, uint32_t row);
bool pb_buffer_is_superseded(const struct pb_buffer *buffer, uint32_t row);
/* The same to a reader who goes by the first count rows: a row that was superseded by a later one
 * is still current to it, or it would see neither. */
bool pb_buffer_is_superseded_at(const struct pb_buffer *buffer, uint32_t row, uint32_t count);

#define PB_BUFFER_NO_ROW UINT32_MAX
/* Chains: first returns the newest row, next an older one, PB_BUFFER_NO_ROW at the end. Rows
 * may be unpublished (>= the caller's count: skip them). Hash collisions are resolved inside. */
uint32_t pb_buffer_first_of_identity(const struct pb_buffer *buffer, uint64_t identity);
uint32_t pb_buffer_next_of_identity(const struct pb_buffer *buffer, uint32_t row);
uint32_t pb_buffer_first_of_plate(const struct pb_buffer *buffer, struct pb_str plate);
uint32_t pb_buffer_next_of_plate(const struct pb_buffer *buffer, uint32_t row);
/* Rows of one geo cell (pb_geo_cell); none for PB_GEO_CELL_NONE. */
uint32_t pb_buffer_first_of_cell(const struct pb_buffer *buffer, uint32_t cell);
uint32_t pb_buffer_next_of_cell(const struct pb_buffer *buffer, uint32_t row);
/* Alternates: entries of rows that have an alternate plate equal to `plate`; entry numbers, not
 * rows: ask row and rank (from 1) of each. */
uint32_t pb_buffer_first_of_alternate(const struct pb_buffer *buffer, struct pb_str plate);
uint32_t pb_buffer_next_of_alternate(const struct pb_buffer *buffer, uint32_t entry);
void pb_buffer_alternate(const struct pb_buffer *buffer, uint32_t entry, uint32_t *ret_row,
                         uint32_t *ret_rank);

#endif
