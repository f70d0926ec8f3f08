#include "store/local/extras.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

enum extras_tag {
    TAG_RAW = 1,
    TAG_EVENT_ID = 2,
    TAG_IDENTITY_PLATE = 3,
    TAG_ALTERNATE = 4, /* u32 confidence, text; one field each, best first */
    TAG_IMAGE = 5,     /* u8 kind, text; one field each */
};
#define FIELD_HEAD_BYTES 3u

static uint8_t *
put_head(uint8_t *at, enum extras_tag tag, uint32_t bytes)
{
    at[0] = (uint8_t)tag;
    pb_put_le16(at + 1, (uint16_t)bytes);
    return at + FIELD_HEAD_BYTES;
}

/* text is not empty: what is empty in a valid read has no field. */
static uint8_t *
put_text(uint8_t *at, struct pb_str text)
{
    assert(text.bytes != 0);
    memcpy(at, text.text, text.bytes);
    return at + text.bytes;
}

static uint8_t *
put_field(uint8_t *at, enum extras_tag tag, struct pb_str text)
{
    return text.bytes == 0 ? at : put_text(put_head(at, tag, text.bytes), text);
}

size_t
pb_extras_encode(const struct pb_read *read, uint8_t ret_bytes[PB_EXTRAS_BYTES_MAX])
{
    uint8_t *at = ret_bytes;

    at = put_field(at, TAG_RAW, read->plate_raw);
    at = put_field(at, TAG_EVENT_ID, read->event_id);
    at = put_field(at, TAG_IDENTITY_PLATE, read->identity_plate);
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        at = put_head(at, TAG_ALTERNATE, 4 + read->alternates[i].plate.bytes);
        pb_put_le32(at, read->alternates[i].confidence_e6);
        at = put_text(at + 4, read->alternates[i].plate);
    }
    for (uint32_t i = 0; i < read->image_count; i++) {
        at = put_head(at, TAG_IMAGE, 1 + read->images[i].ref.bytes);
        *at = (uint8_t)read->images[i].kind;
        at = put_text(at + 1, read->images[i].ref);
    }
    assert((size_t)(at - ret_bytes) <= PB_EXTRAS_BYTES_MAX);
    return (size_t)(at - ret_bytes);
}

static enum pb_status
take_text(struct pb_str text, uint32_t bytes_max, struct pb_str *ret_text)
{
    if (text.bytes == 0 || text.bytes > bytes_max)
        return PB_E_CORRUPT;
    *ret_text = text;
    return PB_OK;
}

static enum pb_status
take_field(const uint8_t *at, uint32_t bytes, uint8_t tag, struct pb_record_room *room,
           struct pb_read *read)
{
    struct pb_str text = { (const char *)at, bytes };

    switch (tag) {
    case TAG_RAW:
        return take_text(text, PB_PLATE_RAW_BYTES_MAX, &read->plate_raw);
    case TAG_EVENT_ID:
        return take_text(text, PB_EVENT_ID_BYTES_MAX, &read->event_id);
    case TAG_IDENTITY_PLATE:
        return take_text(text, PB_PLATE_BYTES_MAX, &read->identity_plate);
    case TAG_ALTERNATE:
        if (bytes <= 4 || bytes > 4 + PB_PLATE_BYTES_MAX
            || read->alternate_count == PB_ALTERNATES_MAX)
            return PB_E_CORRUPT;
        room->alternates[read->alternate_count++] = (struct pb_alternate){
            .plate = { text.text + 4, bytes - 4 }, .confidence_e6 = pb_get_le32(at)
        };
        return PB_OK;
    case TAG_IMAGE:
        if (bytes <= 1 || bytes > 1 + PB_IMAGE_REF_BYTES_MAX || at[0] > PB_IMAGE_SCENE
            || read->image_count == PB_IMAGES_MAX)
            return PB_E_CORRUPT;
        room->images[read->image_count++] = (struct pb_image_ref){
            .kind = (enum pb_image_kind)at[0], .ref = { text.text + 1, bytes - 1 }
        };
        return PB_OK;
    default:
        return PB_E_CORRUPT;
    }
}

enum pb_status
pb_extras_decode(const uint8_t *bytes, size_t count, struct pb_record_room *room,
                 struct pb_read *read)
{
    const uint8_t *at = bytes;
    const uint8_t *end = bytes + count;

    read->alternates = room->alternates;
    read->images = room->images;
    read->alternate_count = 0;
    read->image_count = 0;
    if (count > PB_EXTRAS_BYTES_MAX)
        return PB_E_CORRUPT;
    while (at != end) {
        enum pb_status status = PB_OK;
        uint32_t field_bytes = 0;

        if (end - at < (ptrdiff_t)FIELD_HEAD_BYTES)
            return PB_E_CORRUPT;
        field_bytes = pb_get_le16(at + 1);
        if ((size_t)(end - at) - FIELD_HEAD_BYTES < field_bytes)
            return PB_E_CORRUPT;
        status = take_field(at + FIELD_HEAD_BYTES, field_bytes, at[0], room, read);
        if (status != PB_OK)
            return status;
        at += FIELD_HEAD_BYTES + field_bytes;
    }
    return PB_OK;
}
