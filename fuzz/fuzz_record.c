/*
 * The record codec meets any bytes: decoding refuses them or they are the one record of
 * the read that it returns. What also validates can be hashed, copied and written as text.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "read/read.h"
#include "read/read_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool is_true)
{
    if (!is_true)
        abort(); /* also where assertions are off */
}

static void
use_valid_read(const struct pb_read *read)
{
    char text[PB_READ_TEXT_BYTES_MAX];
    struct pb_arena arena;
    struct pb_read copy;

    expect(pb_read_identity(read) != 0);
    expect(pb_read_same_identity(read, read));
    expect(pb_read_same_content(read, read));
    expect(pb_read_to_csv(read, true, text) <= sizeof(text));
    expect(pb_read_to_json(read, NULL, text) <= sizeof(text));
    pb_arena_init(&arena, pb_env_system(), 4096);
    if (pb_read_copy(&arena, read, &copy) == PB_OK)
        expect(pb_read_same_content(read, &copy));
    pb_arena_clear(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[PB_RECORD_BYTES_MAX];
    struct pb_record_room room;
    struct pb_read read;
    const char *field, *reason;
    size_t used = 0;

    while (size > 0 && pb_record_decode(data, size, &room, &read, &used) == PB_OK) {
        expect(used >= 16 && used <= size);
        expect(pb_record_encode(&read, bytes) == used);
        expect(memcmp(bytes, data, used) == 0);
        if (pb_read_validate(&read, &field, &reason) == PB_OK)
            use_valid_read(&read);
        data += used;
        size -= used;
    }
    return 0;
}
