/*
 * One read: is it valid, which read is it, is it the same, and its bytes.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_READ_READ_H
#define PB_READ_READ_H

#include <stddef.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "base/arena.h"

/*
 * Checks every field against its range and every text against its limit and for being UTF-8
 * without control characters. PB_OK, or PB_BAD_INPUT with ret_field a static field name
 * ("captured_at", "plate", ...) and ret_reason a static reason.
 * `plate` must be folded already (not empty).
 */
PB_MUST_CHECK enum pb_status pb_read_validate(const struct pb_read *read, const char **ret_field,
                                              const char **ret_reason);

/* The same at once for what most reads are, where it is known that every text is printable ASCII.
 * false: only pb_read_validate can tell. */
bool pb_read_is_plainly_valid(const struct pb_read *read);

/* Which read this is: a 64-bit hash of (reader, event id), or where there is no event id of
 * (reader, captured time, identity_plate or plate). Never 0. Stable for good: it is on disk.
 * Source: docs/formats/read-v1.md */
uint64_t pb_read_identity(const struct pb_read *read);

/* What the identity is the hash of. Two reads are one exactly if these bytes are the same. */
#define PB_IDENTITY_BYTES_MAX (2u + PB_READER_BYTES_MAX + PB_EVENT_ID_BYTES_MAX)
/* Returns how many there are. */
size_t pb_read_identity_bytes(const struct pb_read *read, char ret_bytes[PB_IDENTITY_BYTES_MAX]);
/* The identity of the read that has such bytes. */
uint64_t pb_identity_of_bytes(struct pb_str bytes);

/* The parts of the identity compared in full, for when the hashes agree. */
bool pb_read_same_identity(const struct pb_read *a, const struct pb_read *b);

/* Equal in all that the reader said (received time, commit, delete_after and is_superseded
 * do not count). */
bool pb_read_same_content(const struct pb_read *a, const struct pb_read *b);

/* ---- record codec: docs/formats/read-v1.md. Used by the log and the binary form. ---- */

/* Upper bound of the bytes of any valid read's record. */
#define PB_RECORD_BYTES_MAX 4096u

/* Writes one record (self-delimiting); returns its length, at most PB_RECORD_BYTES_MAX.
 * Takes only valid reads. received_at_us and commit are not written. */
size_t pb_record_encode(const struct pb_read *read, uint8_t ret_bytes[PB_RECORD_BYTES_MAX]);

/* Room for the arrays of a decoded read. */
struct pb_record_room {
    struct pb_alternate alternates[PB_ALTERNATES_MAX];
    struct pb_image_ref images[PB_IMAGES_MAX];
};
/*
 * Reads one record from hostile bytes. ret_read's texts point into bytes, its arrays into room.
 * PB_OK with ret_used set, or PB_BAD_INPUT (cut short, a length or number out of range, unknown
 * flag). Does not validate text: call pb_read_validate on what is from outside.
 */
PB_MUST_CHECK enum pb_status pb_record_decode(const uint8_t *bytes, size_t count,
                                              struct pb_record_room *room, struct pb_read *ret_read,
                                              size_t *ret_used);

/* Whether every text of the read that was decoded from a record is printable ASCII; false also
 * where that is not quickly seen, as of long texts or lists. */
bool pb_record_is_ascii(const uint8_t *record, size_t bytes, const struct pb_read *read);

/* Copies a read with all its texts and arrays into arena. */
PB_MUST_CHECK enum pb_status pb_read_copy(struct pb_arena *arena, const struct pb_read *read,
                                          struct pb_read *ret_copy);

#endif
