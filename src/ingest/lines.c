/*
 * Lines: counted and found quickly.
 */
#include <string.h>

#include "ingest/ingest_private.h"

uint64_t
pb_count_lines(const uint8_t *bytes, size_t count)
{
    uint64_t lines = 0;
    size_t at = 0;

    /* In blocks of a fixed size that compilers turn into vector compares; the sum of a
     * block fits in a byte. */
    for (; count - at >= 128; at += 128) {
        uint8_t in_block = 0;

        for (size_t i = 0; i < 128; i++)
            in_block = (uint8_t)(in_block + (bytes[at + i] == '\n'));
        lines += in_block;
    }
    for (; at < count; at++)
        lines += bytes[at] == '\n';
    return lines;
}

size_t
pb_line_end(const uint8_t *bytes, size_t count, size_t at)
{
    const uint8_t *end = at < count ? memchr(bytes + at, '\n', count - at) : NULL;

    return end == NULL ? count : (size_t)(end - bytes) + 1;
}

size_t
pb_last_line_end(const uint8_t *bytes, size_t count)
{
    const uint8_t *end = count == 0 ? NULL : memrchr(bytes, '\n', count);

    return end == NULL ? 0 : (size_t)(end - bytes) + 1;
}
