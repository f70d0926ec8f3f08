/*
 * Base64, by libsodium, which refuses padding that is wrong and bits that nothing reads.
 */
#include "base/base64.h"

#include <stdbool.h>

#include <sodium.h>

#include "base/text.h"

void
pb_put_base64(struct pb_text_out *out, const void *bytes, size_t count)
{
    size_t text_bytes = (count + 2) / 3 * 4;
    char text[64 + 1]; /* of 48 bytes */

    if (text_bytes > (size_t)(out->end - out->at)) {
        out->is_cut = true;
        return;
    }
    for (size_t done = 0; done < count; done += 48) {
        size_t part = count - done < 48 ? count - done : 48;

        (void)sodium_bin2base64(text, sizeof(text), (const uint8_t *)bytes + done, part,
                                sodium_base64_VARIANT_ORIGINAL);
        pb_put_text(out, text);
    }
}

static enum pb_status
decode(struct pb_str text, uint8_t *ret_bytes, size_t room, size_t *ret_count, int variant)
{
    /* libsodium 1.0.18 takes some bytes past 0x7f for digits. */
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (((uint8_t)text.text[i] & 0x80u) != 0)
            return PB_BAD_INPUT;
    }
    return sodium_base642bin(ret_bytes, room, text.text, text.bytes, NULL, ret_count, NULL,
                             variant) == 0
               ? PB_OK
               : PB_BAD_INPUT;
}

enum pb_status
pb_base64_decode(struct pb_str text, uint8_t *ret_bytes, size_t room, size_t *ret_count)
{
    if (text.bytes == 0) {
        *ret_count = 0;
        return PB_OK;
    }
    return decode(text, ret_bytes, room, ret_count, sodium_base64_VARIANT_ORIGINAL);
}

enum pb_status
pb_base64_decode_exact(struct pb_str text, uint8_t *ret_bytes, size_t count)
{
    size_t decoded = 0;

    if (pb_base64_decode(text, ret_bytes, count, &decoded) != PB_OK || decoded != count)
        return PB_BAD_INPUT;
    return PB_OK;
}

enum pb_status
pb_base64url_decode(struct pb_str text, uint8_t *ret_bytes, size_t room, size_t *ret_count)
{
    return text.bytes == 0
               ? PB_BAD_INPUT
               : decode(text, ret_bytes, room, ret_count, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
