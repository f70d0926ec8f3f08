/*
 * Fixed-width little-endian fields of files.
 *
 * Every integer on disk goes through these functions: no structure is ever written as it lies in
 * memory, so the files mean the same on every machine. `at` needs no alignment; the caller has
 * checked that the bytes are there. Signed fields are two's complement: cast to and from the
 * unsigned type of the same width. (pb_put_u64 and the like of base/text.h write digits.)
 *
 * They are spelled so that gcc and clang make one load or store of each.
 */
#ifndef PB_BASE_BYTES_H
#define PB_BASE_BYTES_H

#include <stdint.h>

static inline void
pb_put_le16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value & 0xffu);
    at[1] = (uint8_t)(value >> 8);
}

static inline void
pb_put_le32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value & 0xffu);
    at[1] = (uint8_t)((value >> 8) & 0xffu);
    at[2] = (uint8_t)((value >> 16) & 0xffu);
    at[3] = (uint8_t)(value >> 24);
}

static inline void
pb_put_le64(uint8_t *at, uint64_t value)
{
    pb_put_le32(at, (uint32_t)(value & 0xffffffffu));
    pb_put_le32(at + 4, (uint32_t)(value >> 32));
}

static inline uint16_t
pb_get_le16(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] | (unsigned)at[1] << 8);
}

static inline uint32_t
pb_get_le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t
pb_get_le64(const uint8_t *at)
{
    return (uint64_t)pb_get_le32(at) | (uint64_t)pb_get_le32(at + 4) << 32;
}

#endif
