/*
 * The record of one read. Format: docs/formats/read-v1.md.
 *
 * A read has exactly one record: a field is stored where and only where it is known,
 * and decoding refuses the "unknown" value where a flag says that there is one. So
 * equal reads have equal bytes, and decoding what was encoded loses nothing.
 */
#include "read/read.h"

#include <assert.h>
#include <string.h>

#define FLAG_DELETE_AFTER (1u << 0)
#define FLAG_POSITION (1u << 1)
#define SCALE_SHIFT 2
#define SCALE_MASK 3u
#define FLAG_REVISION (1u << 4)
#define FLAG_JURISDICTION (1u << 5)
#define FLAG_UTC_OFFSET (1u << 6)
#define FLAG_HEADING (1u << 7)
#define FLAG_SPEED (1u << 8)
#define FLAG_YEAR (1u << 9)
#define FLAG_YEAR_LAST (1u << 10)
#define FLAG_LANE (1u << 11)
#define FLAG_ALTERNATES (1u << 12)
#define FLAG_IMAGES (1u << 13)
#define FLAG_IS_REVISABLE (1u << 14)
#define FLAG_IS_CORRECTION (1u << 15)
#define FLAG_PLATE_RAW (1u << 16)
#define FLAG_MAKE (1u << 17)
#define FLAG_MODEL (1u << 18)
#define FLAG_COLOR (1u << 19)
#define FLAG_BODY (1u << 20)
#define FLAG_EVENT_ID (1u << 21)
#define FLAG_IDENTITY_PLATE (1u << 22)
#define FLAGS_KNOWN ((1u << 23) - 1)

#define FLAGS_OPTIONAL_TEXT (FLAGS_KNOWN & ~(FLAG_PLATE_RAW - 1))

/* flags, captured_at and every optional number. */
#define FIXED_BYTES_MAX (4u + 8u + 8u + 8u + 4u + 4u + 6u * 2u + 3u)
/* Every text at its longest, with its byte of length. */
#define TEXT_BYTES_MAX                                                             \
    (9u + 2u * PB_PLATE_BYTES_MAX + PB_PLATE_RAW_BYTES_MAX + PB_READER_BYTES_MAX + \
     4u * PB_VEHICLE_TEXT_BYTES_MAX + PB_EVENT_ID_BYTES_MAX)
#define LIST_BYTES_MAX                                    \
    (PB_ALTERNATES_MAX * (1u + PB_PLATE_BYTES_MAX + 4u) + \
     PB_IMAGES_MAX * (2u + PB_IMAGE_REF_BYTES_MAX))

static_assert(FIXED_BYTES_MAX + TEXT_BYTES_MAX + LIST_BYTES_MAX <= PB_RECORD_BYTES_MAX,
              "the longest valid read fits");
static_assert(PB_EVENT_ID_BYTES_MAX <= UINT8_MAX && PB_IMAGE_REF_BYTES_MAX <= UINT8_MAX + 1u,
              "lengths are stored in one byte");

/* ---- numbers ---- */

static uint8_t *
put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *
put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)(value >> 16);
    at[3] = (uint8_t)(value >> 24);
    return at + 4;
}

static uint8_t *
put_u64(uint8_t *at, uint64_t value)
{
    (void)put_u32(at, (uint32_t)value);
    (void)put_u32(at + 4, (uint32_t)(value >> 32));
    return at + 8;
}

static uint16_t
get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t
get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t
get_u64(const uint8_t *at)
{
    return (uint64_t)get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

/* ---- encoding ---- */

static uint32_t
flag_if(bool is_set, uint32_t flag)
{
    return is_set ? flag : 0;
}

static uint32_t
flags_of(const struct pb_read *read)
{
    return flag_if(read->delete_after_us != PB_NEVER, FLAG_DELETE_AFTER) |
           flag_if(read->lat_e7 != PB_NO_POSITION, FLAG_POSITION) |
           (uint32_t)read->confidence_scale << SCALE_SHIFT |
           flag_if(read->revision != 0, FLAG_REVISION) |
           flag_if(read->jurisdiction != 0, FLAG_JURISDICTION) |
           flag_if(read->utc_offset_min != PB_NO_UTC_OFFSET, FLAG_UTC_OFFSET) |
           flag_if(read->heading_cdeg != PB_NO_HEADING, FLAG_HEADING) |
           flag_if(read->speed_ckmh != PB_NO_SPEED, FLAG_SPEED) |
           flag_if(read->year != 0, FLAG_YEAR) | flag_if(read->year_last != 0, FLAG_YEAR_LAST) |
           flag_if(read->lane != 0, FLAG_LANE) |
           flag_if(read->alternate_count != 0, FLAG_ALTERNATES) |
           flag_if(read->image_count != 0, FLAG_IMAGES) |
           flag_if(read->is_revisable, FLAG_IS_REVISABLE) |
           flag_if(read->is_correction, FLAG_IS_CORRECTION) |
           flag_if(read->plate_raw.bytes != 0, FLAG_PLATE_RAW) |
           flag_if(read->make.bytes != 0, FLAG_MAKE) | flag_if(read->model.bytes != 0, FLAG_MODEL) |
           flag_if(read->color.bytes != 0, FLAG_COLOR) | flag_if(read->body.bytes != 0, FLAG_BODY) |
           flag_if(read->event_id.bytes != 0, FLAG_EVENT_ID) |
           flag_if(read->identity_plate.bytes != 0, FLAG_IDENTITY_PLATE);
}

static uint8_t *
put_fixed(uint8_t *at, uint32_t flags, const struct pb_read *read)
{
    at = put_u32(at, flags);
    at = put_u64(at, (uint64_t)read->captured_at_us);
    if ((flags & FLAG_DELETE_AFTER) != 0)
        at = put_u64(at, (uint64_t)read->delete_after_us);
    if ((flags & FLAG_POSITION) != 0) {
        at = put_u32(at, (uint32_t)read->lat_e7);
        at = put_u32(at, (uint32_t)read->lon_e7);
    }
    if (read->confidence_scale != PB_SCALE_NONE)
        at = put_u32(at, read->confidence_e6);
    if ((flags & FLAG_REVISION) != 0)
        at = put_u32(at, read->revision);
    if ((flags & FLAG_JURISDICTION) != 0)
        at = put_u16(at, read->jurisdiction);
    if ((flags & FLAG_UTC_OFFSET) != 0)
        at = put_u16(at, (uint16_t)read->utc_offset_min);
    if ((flags & FLAG_HEADING) != 0)
        at = put_u16(at, read->heading_cdeg);
    if ((flags & FLAG_SPEED) != 0)
        at = put_u16(at, read->speed_ckmh);
    if ((flags & FLAG_YEAR) != 0)
        at = put_u16(at, read->year);
    if ((flags & FLAG_YEAR_LAST) != 0)
        at = put_u16(at, read->year_last);
    if ((flags & FLAG_LANE) != 0)
        *at++ = read->lane;
    if ((flags & FLAG_ALTERNATES) != 0)
        *at++ = (uint8_t)read->alternate_count;
    if ((flags & FLAG_IMAGES) != 0)
        *at++ = (uint8_t)read->image_count;
    return at;
}

static uint8_t *
put_text(uint8_t *at, struct pb_str text, uint32_t bytes_max)
{
    assert(text.bytes >= 1 && text.bytes <= bytes_max);
    (void)bytes_max;
    *at++ = (uint8_t)text.bytes;
    memcpy(at, text.text, text.bytes);
    return at + text.bytes;
}

static uint8_t *
put_optional_texts(uint8_t *at, uint32_t flags, const struct pb_read *read)
{
    if ((flags & FLAG_PLATE_RAW) != 0)
        at = put_text(at, read->plate_raw, PB_PLATE_RAW_BYTES_MAX);
    if ((flags & FLAG_MAKE) != 0)
        at = put_text(at, read->make, PB_VEHICLE_TEXT_BYTES_MAX);
    if ((flags & FLAG_MODEL) != 0)
        at = put_text(at, read->model, PB_VEHICLE_TEXT_BYTES_MAX);
    if ((flags & FLAG_COLOR) != 0)
        at = put_text(at, read->color, PB_VEHICLE_TEXT_BYTES_MAX);
    if ((flags & FLAG_BODY) != 0)
        at = put_text(at, read->body, PB_VEHICLE_TEXT_BYTES_MAX);
    if ((flags & FLAG_EVENT_ID) != 0)
        at = put_text(at, read->event_id, PB_EVENT_ID_BYTES_MAX);
    if ((flags & FLAG_IDENTITY_PLATE) != 0)
        at = put_text(at, read->identity_plate, PB_PLATE_BYTES_MAX);
    return at;
}

static uint8_t *
put_lists(uint8_t *at, const struct pb_read *read)
{
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        at = put_text(at, read->alternates[i].plate, PB_PLATE_BYTES_MAX);
        at = put_u32(at, read->alternates[i].confidence_e6);
    }
    for (uint32_t i = 0; i < read->image_count; i++) {
        struct pb_str ref = read->images[i].ref;

        assert(ref.bytes >= 1 && ref.bytes <= PB_IMAGE_REF_BYTES_MAX);
        *at++ = (uint8_t)read->images[i].kind;
        *at++ = (uint8_t)(ref.bytes - 1);
        memcpy(at, ref.text, ref.bytes);
        at += ref.bytes;
    }
    return at;
}

size_t
pb_record_encode(const struct pb_read *read, uint8_t ret_bytes[PB_RECORD_BYTES_MAX])
{
    uint32_t flags;
    uint8_t *at;

    assert(read != NULL && ret_bytes != NULL);
    assert((read->lat_e7 == PB_NO_POSITION) == (read->lon_e7 == PB_NO_POSITION));
    assert((read->confidence_scale == PB_SCALE_NONE) == (read->confidence_e6 == PB_NO_CONFIDENCE));
    assert(read->confidence_scale <= PB_SCALE_PERCENT);
    assert(read->alternate_count <= PB_ALTERNATES_MAX && read->image_count <= PB_IMAGES_MAX);

    flags = flags_of(read);
    at = put_fixed(ret_bytes, flags, read);
    at = put_text(at, read->plate, PB_PLATE_BYTES_MAX);
    at = put_text(at, read->reader, PB_READER_BYTES_MAX);
    if ((flags & FLAGS_OPTIONAL_TEXT) != 0)
        at = put_optional_texts(at, flags, read);
    if ((flags & (FLAG_ALTERNATES | FLAG_IMAGES)) != 0)
        at = put_lists(at, read);
    return (size_t)(at - ret_bytes);
}

/* ---- decoding ---- */

/* What is left to read. Once something did not fit, is_bad stays set and nothing moves. */
struct source {
    const uint8_t *at;
    const uint8_t *end;
    bool is_bad;
};

static uint32_t
bit(uint32_t flags, unsigned index)
{
    return flags >> index & 1u;
}

/* Bytes of the fixed part, by the sizes of the flagged fields. */
static size_t
fixed_bytes(uint32_t flags)
{
    uint32_t scale = flags >> SCALE_SHIFT & SCALE_MASK;

    return 4 + 8 + 8 * (size_t)(bit(flags, 0) + bit(flags, 1)) +
           4 * (size_t)((scale != 0) + bit(flags, 4)) +
           2 * (size_t)(bit(flags, 5) + bit(flags, 6) + bit(flags, 7) + bit(flags, 8) +
                        bit(flags, 9) + bit(flags, 10)) +
           (size_t)(bit(flags, 11) + bit(flags, 12) + bit(flags, 13));
}

/* at holds fixed_bytes(flags) bytes, the flags themselves included. Returns whether every flagged
 * number is known: then the flags that the values ask for are those that are set. Texts come
 * later, and their lengths are never 0. */
static bool
get_fixed(const uint8_t *at, uint32_t flags, struct pb_read *read)
{
    bool is_unknown = false;

    at += 4;
    read->captured_at_us = (int64_t)get_u64(at);
    at += 8;
    if ((flags & FLAG_DELETE_AFTER) != 0) {
        read->delete_after_us = (int64_t)get_u64(at);
        is_unknown |= read->delete_after_us == PB_NEVER;
        at += 8;
    }
    if ((flags & FLAG_POSITION) != 0) {
        read->lat_e7 = (int32_t)get_u32(at);
        read->lon_e7 = (int32_t)get_u32(at + 4);
        is_unknown |= read->lat_e7 == PB_NO_POSITION || read->lon_e7 == PB_NO_POSITION;
        at += 8;
    }
    read->confidence_scale = (enum pb_confidence_scale)(flags >> SCALE_SHIFT & SCALE_MASK);
    if (read->confidence_scale != PB_SCALE_NONE) {
        read->confidence_e6 = get_u32(at);
        is_unknown |= read->confidence_e6 == PB_NO_CONFIDENCE;
        at += 4;
    }
    if ((flags & FLAG_REVISION) != 0) {
        read->revision = get_u32(at);
        is_unknown |= read->revision == 0;
        at += 4;
    }
    if ((flags & FLAG_JURISDICTION) != 0) {
        read->jurisdiction = get_u16(at);
        is_unknown |= read->jurisdiction == 0;
        at += 2;
    }
    if ((flags & FLAG_UTC_OFFSET) != 0) {
        read->utc_offset_min = (int16_t)get_u16(at);
        is_unknown |= read->utc_offset_min == PB_NO_UTC_OFFSET;
        at += 2;
    }
    if ((flags & FLAG_HEADING) != 0) {
        read->heading_cdeg = get_u16(at);
        is_unknown |= read->heading_cdeg == PB_NO_HEADING;
        at += 2;
    }
    if ((flags & FLAG_SPEED) != 0) {
        read->speed_ckmh = get_u16(at);
        is_unknown |= read->speed_ckmh == PB_NO_SPEED;
        at += 2;
    }
    if ((flags & FLAG_YEAR) != 0) {
        read->year = get_u16(at);
        is_unknown |= read->year == 0;
        at += 2;
    }
    if ((flags & FLAG_YEAR_LAST) != 0) {
        read->year_last = get_u16(at);
        is_unknown |= read->year_last == 0;
        at += 2;
    }
    if ((flags & FLAG_LANE) != 0) {
        read->lane = *at++;
        is_unknown |= read->lane == 0;
    }
    if ((flags & FLAG_ALTERNATES) != 0) {
        read->alternate_count = *at++;
        is_unknown |= read->alternate_count == 0;
    }
    if ((flags & FLAG_IMAGES) != 0) {
        read->image_count = *at++;
        is_unknown |= read->image_count == 0;
    }
    read->is_revisable = (flags & FLAG_IS_REVISABLE) != 0;
    read->is_correction = (flags & FLAG_IS_CORRECTION) != 0;
    return !is_unknown;
}

static struct pb_str
get_bytes(struct source *source, uint32_t bytes)
{
    struct pb_str text = { .text = NULL, .bytes = 0 };

    if (source->is_bad || bytes > (size_t)(source->end - source->at)) {
        source->is_bad = true;
        return text;
    }
    text.text = (const char *)source->at;
    text.bytes = bytes;
    source->at += bytes;
    return text;
}

static struct pb_str
get_text(struct source *source, uint32_t bytes_max)
{
    uint32_t bytes;

    if (source->is_bad || source->at == source->end) {
        source->is_bad = true;
        return (struct pb_str){ .text = NULL, .bytes = 0 };
    }
    bytes = *source->at++;
    if (bytes == 0 || bytes > bytes_max)
        source->is_bad = true;
    return get_bytes(source, bytes);
}

static void
get_optional_texts(struct source *source, uint32_t flags, struct pb_read *read)
{
    if ((flags & FLAG_PLATE_RAW) != 0)
        read->plate_raw = get_text(source, PB_PLATE_RAW_BYTES_MAX);
    if ((flags & FLAG_MAKE) != 0)
        read->make = get_text(source, PB_VEHICLE_TEXT_BYTES_MAX);
    if ((flags & FLAG_MODEL) != 0)
        read->model = get_text(source, PB_VEHICLE_TEXT_BYTES_MAX);
    if ((flags & FLAG_COLOR) != 0)
        read->color = get_text(source, PB_VEHICLE_TEXT_BYTES_MAX);
    if ((flags & FLAG_BODY) != 0)
        read->body = get_text(source, PB_VEHICLE_TEXT_BYTES_MAX);
    if ((flags & FLAG_EVENT_ID) != 0)
        read->event_id = get_text(source, PB_EVENT_ID_BYTES_MAX);
    if ((flags & FLAG_IDENTITY_PLATE) != 0)
        read->identity_plate = get_text(source, PB_PLATE_BYTES_MAX);
}

static void
get_alternate(struct source *source, struct pb_alternate *alternate)
{
    alternate->plate = get_text(source, PB_PLATE_BYTES_MAX);
    alternate->confidence_e6 = PB_NO_CONFIDENCE;
    if (source->is_bad || source->end - source->at < 4) {
        source->is_bad = true;
        return;
    }
    alternate->confidence_e6 = get_u32(source->at);
    source->at += 4;
}

static void
get_image(struct source *source, struct pb_image_ref *image)
{
    uint32_t kind, bytes;

    *image = (struct pb_image_ref){ .kind = PB_IMAGE_OTHER };
    if (source->is_bad || source->end - source->at < 2) {
        source->is_bad = true;
        return;
    }
    kind = *source->at++;
    bytes = *source->at++ + 1u;
    if (kind > PB_IMAGE_SCENE) {
        source->is_bad = true;
        return;
    }
    image->kind = (enum pb_image_kind)kind;
    image->ref = get_bytes(source, bytes);
}

static void
get_lists(struct source *source, struct pb_record_room *room, struct pb_read *read)
{
    for (uint32_t i = 0; i < read->alternate_count; i++)
        get_alternate(source, &room->alternates[i]);
    for (uint32_t i = 0; i < read->image_count; i++)
        get_image(source, &room->images[i]);
    if (read->alternate_count != 0)
        read->alternates = room->alternates;
    if (read->image_count != 0)
        read->images = room->images;
}

enum pb_status
pb_record_decode(const uint8_t *bytes, size_t count, struct pb_record_room *room,
                 struct pb_read *ret_read, size_t *ret_used)
{
    struct source source = { .end = bytes + count };
    uint32_t flags;

    assert(bytes != NULL && room != NULL && ret_read != NULL && ret_used != NULL);
    pb_read_init(ret_read);
    if (count < 4)
        return PB_BAD_INPUT;
    flags = get_u32(bytes);
    if ((flags & ~FLAGS_KNOWN) != 0 || (flags >> SCALE_SHIFT & SCALE_MASK) > PB_SCALE_PERCENT ||
        count < fixed_bytes(flags))
        return PB_BAD_INPUT;
    if (!get_fixed(bytes, flags, ret_read) || ret_read->alternate_count > PB_ALTERNATES_MAX ||
        ret_read->image_count > PB_IMAGES_MAX)
        return PB_BAD_INPUT;

    source.at = bytes + fixed_bytes(flags);
    ret_read->plate = get_text(&source, PB_PLATE_BYTES_MAX);
    ret_read->reader = get_text(&source, PB_READER_BYTES_MAX);
    if ((flags & FLAGS_OPTIONAL_TEXT) != 0)
        get_optional_texts(&source, flags, ret_read);
    if ((flags & (FLAG_ALTERNATES | FLAG_IMAGES)) != 0)
        get_lists(&source, room, ret_read);
    if (source.is_bad)
        return PB_BAD_INPUT;
    *ret_used = (size_t)(source.at - bytes);
    return PB_OK;
}

/* ---- texts of a record, all at once ---- */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define SPACE 0x20u
#define COUNTED_BYTES_MAX 1024u /* so that no count of a byte's place leaves its byte */

/* Whether all bytes, at least eight, are printable ASCII but for so many that are below a space. */
static bool
are_ascii_but(const uint8_t *at, size_t bytes, unsigned below_count)
{
    const uint8_t *end = at + bytes;
    uint64_t outside = 0;
    uint64_t below = 0; /* for each place in eight bytes, how many */
    uint64_t eight = get_u64(end - 8);

    /* The last ones first: those that come again below are spaces here. */
    if (bytes % 8 != 0)
        eight = eight >> (64 - 8 * (bytes % 8)) | EACH(SPACE) << 8 * (bytes % 8);
    else
        bytes -= 8;
    for (end = at + bytes / 8 * 8;; eight = get_u64(at), at += 8) {
        outside |= eight | (eight + EACH(1));
        below += ~((eight | EACH(0x80)) - EACH(SPACE)) >> 7 & EACH(1);
        if (at == end)
            break;
    }
    return (outside & EACH(0x80)) == 0 && below * EACH(1) >> 56 == below_count;
}

bool
pb_record_is_ascii(const uint8_t *record, size_t bytes, const struct pb_read *read)
{
    const uint8_t *texts = (const uint8_t *)read->plate.text - 1;
    size_t text_bytes = (size_t)(record + bytes - texts);
    uint32_t optional = get_u32(record) & FLAGS_OPTIONAL_TEXT;
    uint32_t lengths = read->plate.bytes | read->reader.bytes | read->plate_raw.bytes |
                       read->make.bytes | read->model.bytes | read->color.bytes | read->body.bytes |
                       read->event_id.bytes | read->identity_plate.bytes;

    if (lengths >= SPACE || (read->alternate_count | read->image_count) != 0 || text_bytes < 8)
        return false;
    assert(text_bytes <= COUNTED_BYTES_MAX); /* nine short texts and their lengths */
    /* The bytes of lengths, and only they, are below a space. */
    return are_ascii_but(texts, text_bytes, 2 + (unsigned)__builtin_popcount(optional));
}
