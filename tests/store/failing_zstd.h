/*
 * A compressor that fails, as it does for want of memory: its own does not come from the
 * environment. A program that includes this has its own ZSTD_compress.
 */
#ifndef PB_TESTS_STORE_FAILING_ZSTD_H
#define PB_TESTS_STORE_FAILING_ZSTD_H

#include <stdatomic.h>
#include <stdint.h>

#include <zstd.h>
#include <zstd_errors.h>

static struct {
    _Atomic uint64_t calls;
    uint64_t fail_at; /* 0: none fails; set while nobody compresses */
} failing_zstd;

size_t
ZSTD_compress(void *to, size_t room, const void *from, size_t bytes, int level)
{
    ZSTD_CCtx *context = NULL;
    size_t used = 0;

    if (++failing_zstd.calls == failing_zstd.fail_at)
        return (size_t)-ZSTD_error_memory_allocation;
    context = ZSTD_createCCtx();
    used = ZSTD_compressCCtx(context, to, room, from, bytes, level);
    (void)ZSTD_freeCCtx(context);
    return used;
}

#endif
