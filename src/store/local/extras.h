/*
 * Extras: what only some reads have (raw text, event id, alternates, image references), as one
 * string of tagged fields per row.
 *
 * Format: docs/formats/segment-v1.md, "Extras". Threads: everything here is pure.
 */
#ifndef PB_STORE_LOCAL_EXTRAS_H
#define PB_STORE_LOCAL_EXTRAS_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "read/read.h"

/* Any valid read's extras fit. */
#define PB_EXTRAS_BYTES_MAX 2048u

/* Writes the extras of a valid read; returns their length, 0 where it has none. */
size_t pb_extras_encode(const struct pb_read *read, uint8_t ret_bytes[PB_EXTRAS_BYTES_MAX]);
/* Sets the fields that extras hold; texts point into bytes, arrays into room. Bytes may be
 * hostile: PB_E_CORRUPT. */
PB_MUST_CHECK enum pb_status pb_extras_decode(const uint8_t *bytes, size_t count,
                                              struct pb_record_room *room, struct pb_read *read);

#endif
