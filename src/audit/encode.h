/*
 * Text forms of bytes and numbers in notes, proofs and leaves: hexadecimal, decimal, lines.
 * Each value has one spelling; any other is refused.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_AUDIT_ENCODE_H
#define PB_AUDIT_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_text_out;

void pb_put_hex(struct pb_text_out *out, const uint8_t *bytes, size_t count); /* lower case */
/* Exactly 2 * count lower-case digits. */
PB_MUST_CHECK enum pb_status pb_hex_decode(struct pb_str text, uint8_t *ret_bytes, size_t count);

/* "0", or digits that do not begin with 0; at most INT64_MAX. */
PB_MUST_CHECK enum pb_status pb_decimal_decode(struct pb_str text, uint64_t *ret_value);

/* Takes what stands before the next line feed out of rest; PB_NOT_FOUND where there is none. */
PB_MUST_CHECK enum pb_status pb_next_line(struct pb_str *rest, struct pb_str *ret_line);

#endif
