/*
 * A manifest of format version 1, as programs before version 2 wrote it: made of one of version 2,
 * whose marks lose their names (docs/formats/manifest-v2.md).
 */
#ifndef PB_TESTS_STORE_OLD_MANIFEST_H
#define PB_TESTS_STORE_OLD_MANIFEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

/* Puts length and checksum of a manifest right. */
static inline void
old_manifest_seal(uint8_t *bytes, size_t count)
{
    pb_put_le64(bytes + 16, count);
    pb_put_le64(bytes + count - 8, pb_hash_bytes(bytes, count - 8));
}

/* Changes a whole manifest in its place; returns how many bytes it has then. */
static inline size_t
old_manifest_make(uint8_t *bytes)
{
    const uint8_t *from = bytes + 88 + 80 * (size_t)pb_get_le32(bytes + 72);
    uint8_t *to = NULL;

    for (uint32_t i = 0; i < pb_get_le32(bytes + 76); i++)
        from += 30 + pb_get_le16(from + 26) + pb_get_le16(from + 28);
    to = bytes + (from - bytes);
    for (uint32_t i = 0; i < pb_get_le32(bytes + 80); i++) {
        size_t name_bytes = pb_get_le16(from + 20);

        memmove(to, from, 20);
        to += 20;
        from += 22 + name_bytes;
    }
    pb_put_le32(bytes + 8, 1);
    old_manifest_seal(bytes, (size_t)(to - bytes) + 8);
    return (size_t)(to - bytes) + 8;
}

#endif
