/*
 * Fuzz target: the file that says on which days readers were up. Whatever it holds, it is taken or
 * refused, and days that are noted afterwards are kept.
 */
#include <stdint.h>
#include <stdlib.h>

#include "inquiry/inquiry_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_activity *activity = pb_activity_new(pb_env_system());
    struct pb_activity_day days[] = { { pb_str_from("k1"), 20000 }, { pb_str_from("k2"), 1 } };

    if (activity == NULL)
        abort();
    if (size < (1u << 20)) {
        enum pb_status status =
            pb_activity_parse(activity, (struct pb_str){ (const char *)data, (uint32_t)size });

        if (status != PB_OK && status != PB_BAD_INPUT)
            abort();
        pb_activity_note(activity, days, 2);
    }
    pb_activity_free(activity);
    return 0;
}
