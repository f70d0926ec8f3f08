/*
 * Folding, placeholder words, plate codes and jurisdictions, from any bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "plate/plate_code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool is_so)
{
    if (!is_so)
        abort();
}

static void
check_code(struct pb_str plate)
{
    char text[PB_PLATE_CODE_CHARS];
    uint64_t code = pb_plate_code(plate);

    if (code == 0)
        return;
    expect(code >> PB_PLATE_CODE_BITS == 0);
    expect(pb_plate_code_text(code, text) == plate.bytes);
    expect(memcmp(text, plate.text, plate.bytes) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str raw = { .text = (const char *)data, .bytes = (uint32_t)size };
    char once[PB_PLATE_BYTES_MAX], twice[PB_PLATE_BYTES_MAX];
    uint32_t bytes, bytes_again;
    uint16_t jurisdiction;

    if (size > 4096)
        return 0;
    jurisdiction = pb_jurisdiction_from_text(raw);
    expect((jurisdiction == 0) == (pb_jurisdiction_name(jurisdiction)[0] == '\0'));
    jurisdiction = pb_jurisdiction_within("US", raw);
    expect((jurisdiction == 0) == (pb_jurisdiction_name(jurisdiction)[0] == '\0'));

    check_code(raw);
    if (pb_plate_fold(raw, once, &bytes) != PB_OK)
        return 0;
    expect(bytes > 0 && bytes <= PB_PLATE_BYTES_MAX);
    expect(pb_utf8_is_valid(once, bytes));
    for (uint32_t i = 0; i < bytes; i++)
        expect(memchr("?*[]", once[i], 5) == NULL); /* NUL included */
    expect(pb_plate_fold((struct pb_str){ once, bytes }, twice, &bytes_again) == PB_OK);
    expect(bytes == bytes_again && memcmp(once, twice, bytes) == 0);
    (void)pb_plate_is_placeholder((struct pb_str){ once, bytes });
    check_code((struct pb_str){ once, bytes });
    return 0;
}
