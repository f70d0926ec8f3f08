/*
 * Base64, as RFC 4648 has it. Each value has one spelling; any other is refused.
 *
 * Threads: everything here is pure. Not of libplatebase, which needs no libsodium.
 */
#ifndef PB_BASE_BASE64_H
#define PB_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_text_out;

/* Section 4, padded. What does not fit sets out->is_cut. */
void pb_put_base64(struct pb_text_out *out, const void *bytes, size_t count);
/* At most room bytes are written to ret_bytes. PB_BAD_INPUT: another spelling, or too long. */
PB_MUST_CHECK enum pb_status pb_base64_decode(struct pb_str text, uint8_t *ret_bytes, size_t room,
                                              size_t *ret_count);
/* Exactly count bytes. */
PB_MUST_CHECK enum pb_status pb_base64_decode_exact(struct pb_str text, uint8_t *ret_bytes,
                                                    size_t count);
/* Section 5, without padding, of 1 to room bytes. */
PB_MUST_CHECK enum pb_status pb_base64url_decode(struct pb_str text, uint8_t *ret_bytes,
                                                 size_t room, size_t *ret_count);

#endif
