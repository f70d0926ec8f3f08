/*
 * CBOR: reading the little of it that passkeys are made of, item by item, without memory.
 *
 * Of definite length only, whole numbers, texts, bytes, lists, maps and the simple values: what
 * CTAP2 allows. Every length is compared with what is left before it is believed.
 *
 * Threads: everything here is pure.
 * Limits:  PB_CBOR_DEPTH_MAX.
 * Source:  RFC 8949; CTAP2 canonical form, FIDO CTAP 2.1, section 8.
 */
#ifndef PB_API_CBOR_H
#define PB_API_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>

#define PB_CBOR_DEPTH_MAX 8u

/* What is left to read. Once something was not as wanted, is_bad stays, and nothing more is read:
 * take everything, then look once. */
struct pb_cbor {
    const uint8_t *at, *end;
    bool is_bad;
};

struct pb_cbor pb_cbor(const void *bytes, size_t count);

/* Each takes one item of its kind; where another is there, is_bad, and the answer is 0 or empty. */
uint32_t pb_cbor_map(struct pb_cbor *cbor);        /* pairs: keys and values follow in turn */
uint32_t pb_cbor_list(struct pb_cbor *cbor);       /* items follow */
struct pb_str pb_cbor_text(struct pb_cbor *cbor);  /* a view; not known to be UTF-8 */
struct pb_str pb_cbor_bytes(struct pb_cbor *cbor); /* a view */
int64_t pb_cbor_number(struct pb_cbor *cbor);
/* Any item, with all that is in it; a view of its encoding. */
struct pb_str pb_cbor_any(struct pb_cbor *cbor);

/* Read to the end, and nothing was bad. */
bool pb_cbor_is_done(const struct pb_cbor *cbor);

#endif
