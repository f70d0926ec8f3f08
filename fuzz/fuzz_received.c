/*
 * Fuzz target: the file that says how many reads came in. Whatever it holds, it is taken or
 * refused, and what is noted afterwards is counted.
 */
#include <stdint.h>
#include <stdlib.h>

#include "inquiry/inquiry_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_received *received = pb_received_new(pb_env_system());
    struct pb_str agency = pb_str_from("an agency of no file"); /* no id has a space */
    struct pb_received_day days[3];
    uint64_t total = 0;

    if (received == NULL)
        abort();
    if (size < (1u << 20)) {
        enum pb_status status =
            pb_received_parse(received, (struct pb_str){ (const char *)data, (uint32_t)size });
        uint64_t before;

        if (status != PB_OK && status != PB_BAD_INPUT && status != PB_OVER_LIMIT)
            abort();
        (void)pb_received_days(received, agency, 20000, 3, days, &before);
        pb_received_note(received, agency, 20001, 7);
        pb_received_note(received, agency, 19999, 1);
        (void)pb_received_days(received, agency, 20000, 3, days, &total);
        if (total != before + 8 || days[1].reads < 7)
            abort();
    }
    pb_received_free(received);
    return 0;
}
