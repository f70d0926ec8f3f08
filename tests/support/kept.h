/*
 * Kept: a sink that keeps all that is written into it.
 */
#ifndef PB_SUPPORT_KEPT_H
#define PB_SUPPORT_KEPT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

struct kept {
    char text[8192]; /* NUL-terminated */
    size_t bytes;
    unsigned writes;
};

/* context: the struct kept. */
static inline void
keep(void *context, const char *bytes, size_t count)
{
    struct kept *kept = context;

    assert_true(kept->bytes + count < sizeof(kept->text));
    memcpy(kept->text + kept->bytes, bytes, count);
    kept->bytes += count;
    kept->text[kept->bytes] = '\0';
    kept->writes++;
}

#endif
