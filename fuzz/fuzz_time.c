/* Fuzz: whatever parses is a time that we take, and survives being written and parsed again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_true)
{
    if (!is_true)
        abort();
}

static void
check_round_trip(int64_t us, int16_t offset_min)
{
    char text[PB_TIME_BYTES_MAX];
    size_t bytes = pb_time_format(us, offset_min, text);
    struct pb_str view = { .text = text, .bytes = (uint32_t)bytes };
    int64_t again_us = -1;
    int16_t again_offset_min = -1;

    require(bytes < sizeof(text) && text[bytes] == '\0');
    require(pb_time_parse(view, &again_us, &again_offset_min) == PB_OK);
    require(again_us == us);
    require(again_offset_min == (offset_min == PB_NO_UTC_OFFSET ? 0 : offset_min));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str text = { .text = (const char *)data, .bytes = (uint32_t)size };
    int64_t us = -1, lenient_us = -1;
    int16_t offset_min = -1, lenient_offset_min = -1;
    enum pb_status strict = pb_time_parse(text, &us, &offset_min);
    enum pb_status lenient = pb_time_parse_utc(text, &lenient_us, &lenient_offset_min);

    require(strict == PB_OK || strict == PB_BAD_INPUT);
    require(lenient == PB_OK || lenient == PB_BAD_INPUT);
    if (strict == PB_OK) {
        require(lenient == PB_OK && lenient_us == us && lenient_offset_min == offset_min);
        require(us >= PB_TIME_MIN_US && us < PB_TIME_MAX_US);
        require(pb_time_month_start_us(pb_time_month(us)) <= us);
        require(pb_time_month_start_us(pb_time_month(us) + 1) > us);
        check_round_trip(us, offset_min);
    } else {
        require(us == -1 && offset_min == -1);
    }
    if (lenient == PB_OK)
        check_round_trip(lenient_us, lenient_offset_min);
    /* Any number whatever can be written. */
    if (size >= sizeof(us)) {
        char written[PB_TIME_BYTES_MAX];

        for (size_t i = 0; i < sizeof(us); i++)
            us = (int64_t)((uint64_t)us << 8 | data[i]);
        require(pb_time_format(us, (int16_t)(us & 0x7FF), written) < sizeof(written));
    }
    return 0;
}
