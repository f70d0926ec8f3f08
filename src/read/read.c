/*
 * One read: unknown values, validity, identity, equality and copies.
 *
 * pb_read_validate runs on every imported row, so its texts are checked eight bytes
 * at a time as long as they are ASCII; other text takes the slow and exact path.
 */
#include "read/read.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "geo/geo.h"

#define UTC_OFFSET_MAX_MIN 1439
#define HEADING_END_CDEG 36000u
#define UNIT_MAX_E6 UINT32_C(1000000)
#define PERCENT_MAX_E6 UINT32_C(100000000)
#define YEAR_MIN 1885u
#define YEAR_MAX 2100u

/* First byte of what is hashed: keeps the two kinds of identity apart. */
#define IDENTITY_BY_EVENT 1u
#define IDENTITY_BY_TIME 2u

static_assert(PB_EVENT_ID_BYTES_MAX >= 8 + PB_PLATE_BYTES_MAX, "either tail of an identity fits");

void
pb_read_init(struct pb_read *read)
{
    static const struct pb_read unknown = {
        .utc_offset_min = PB_NO_UTC_OFFSET,
        .delete_after_us = PB_NEVER,
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
        .heading_cdeg = PB_NO_HEADING,
        .speed_ckmh = PB_NO_SPEED,
        .confidence_scale = PB_SCALE_NONE,
        .confidence_e6 = PB_NO_CONFIDENCE,
    };

    assert(read != NULL);
    *read = unknown;
}

/* Rounds down, so that what is called at least 900 is at least 900. */
int
pb_read_confidence_permille(const struct pb_read *read)
{
    if (read->confidence_e6 == PB_NO_CONFIDENCE)
        return -1;
    if (read->confidence_scale == PB_SCALE_UNIT)
        return (int)(read->confidence_e6 / (UNIT_MAX_E6 / 1000));
    if (read->confidence_scale == PB_SCALE_PERCENT)
        return (int)(read->confidence_e6 / (PERCENT_MAX_E6 / 1000));
    return -1;
}

/* ---- validity ---- */

/* true where all eight bytes are U+0020 to U+007E. The additions only carry into a neighbour
 * from a byte that is itself outside, so no outside byte hides another. */
static bool
are_printable_ascii(uint64_t eight)
{
    uint64_t outside =
        eight | (eight + UINT64_C(0x0101010101010101)) | (eight - UINT64_C(0x2020202020202020));

    return (outside & UINT64_C(0x8080808080808080)) == 0;
}

/* A text of less than eight bytes as eight: its bytes, some of them twice, then spaces. */
static uint64_t
short_text_as_eight(const char *text, uint32_t bytes)
{
    if (bytes >= 4) {
        uint32_t first, last;

        memcpy(&first, text, sizeof(first));
        memcpy(&last, text + bytes - sizeof(last), sizeof(last));
        return (uint64_t)first << 32 | last;
    }
    return UINT64_C(0x2020202020000000) | (uint64_t)(unsigned char)text[0] |
           (uint64_t)(unsigned char)text[bytes / 2] << 8 |
           (uint64_t)(unsigned char)text[bytes - 1] << 16;
}

static inline bool
is_printable_ascii(const char *text, uint32_t bytes)
{
    uint64_t eight;

    if (bytes < sizeof(eight))
        return are_printable_ascii(short_text_as_eight(text, bytes));
    for (uint32_t at = 0; at + sizeof(eight) <= bytes; at += (uint32_t)sizeof(eight)) {
        memcpy(&eight, text + at, sizeof(eight));
        if (!are_printable_ascii(eight))
            return false;
    }
    memcpy(&eight, text + bytes - sizeof(eight), sizeof(eight));
    return are_printable_ascii(eight);
}

/* Returns what is wrong, or NULL. */
static const char *
text_fault(struct pb_str text)
{
    size_t at = 0;

    if (is_printable_ascii(text.text, text.bytes))
        return NULL;
    while (at < text.bytes) {
        uint32_t code_point = 0;
        size_t length = pb_utf8_next(text.text + at, text.bytes - at, &code_point);

        if (length == 0)
            return "is not UTF-8";
        if (code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F))
            return "has a control character";
        at += length;
    }
    return NULL;
}

struct text_rule {
    size_t offset; /* of the field in struct pb_read */
    uint32_t bytes_max;
    bool is_needed;
    const char *field;
};

static const struct text_rule text_rules[] = {
    { offsetof(struct pb_read, plate), PB_PLATE_BYTES_MAX, true, "plate" },
    { offsetof(struct pb_read, plate_raw), PB_PLATE_RAW_BYTES_MAX, false, "plate_raw" },
    { offsetof(struct pb_read, reader), PB_READER_BYTES_MAX, true, "reader" },
    { offsetof(struct pb_read, make), PB_VEHICLE_TEXT_BYTES_MAX, false, "make" },
    { offsetof(struct pb_read, model), PB_VEHICLE_TEXT_BYTES_MAX, false, "model" },
    { offsetof(struct pb_read, color), PB_VEHICLE_TEXT_BYTES_MAX, false, "color" },
    { offsetof(struct pb_read, body), PB_VEHICLE_TEXT_BYTES_MAX, false, "body" },
    { offsetof(struct pb_read, event_id), PB_EVENT_ID_BYTES_MAX, false, "event_id" },
    { offsetof(struct pb_read, identity_plate), PB_PLATE_BYTES_MAX, false, "identity_plate" },
};

#define TEXT_RULE_COUNT (sizeof(text_rules) / sizeof(text_rules[0]))

static const char *
texts_fault(const struct pb_read *read, const char **ret_field)
{
    for (size_t i = 0; i < TEXT_RULE_COUNT; i++) {
        const struct text_rule *rule = &text_rules[i];
        const char *fault = NULL;
        struct pb_str text;

        memcpy(&text, (const char *)read + rule->offset, sizeof(text));
        if (text.bytes == 0) {
            if (!rule->is_needed)
                continue;
            fault = "is empty";
        } else if (text.bytes > rule->bytes_max) {
            fault = "is too long";
        } else {
            fault = text_fault(text);
        }
        if (fault != NULL) {
            *ret_field = rule->field;
            return fault;
        }
    }
    return NULL;
}

/* A plate of which no character was read is no plate; a person may say so. */
static const char *
unread_fault(const struct pb_read *read)
{
    static const struct pb_str unreadable = { PB_PLATE_UNREADABLE,
                                              sizeof(PB_PLATE_UNREADABLE) - 1 };
    uint32_t at = 0;

    if (read->is_correction && pb_str_equal(read->plate, unreadable))
        return NULL;
    while (at < read->plate.bytes && read->plate.text[at] == '#')
        at++;
    return at == read->plate.bytes ? "has no character that was read" : NULL;
}

static bool
have_valid_lengths(const struct pb_read *read)
{
    return read->plate.bytes - 1 < PB_PLATE_BYTES_MAX &&
           read->plate_raw.bytes <= PB_PLATE_RAW_BYTES_MAX &&
           read->reader.bytes - 1 < PB_READER_BYTES_MAX &&
           read->make.bytes <= PB_VEHICLE_TEXT_BYTES_MAX &&
           read->model.bytes <= PB_VEHICLE_TEXT_BYTES_MAX &&
           read->color.bytes <= PB_VEHICLE_TEXT_BYTES_MAX &&
           read->body.bytes <= PB_VEHICLE_TEXT_BYTES_MAX &&
           read->event_id.bytes <= PB_EVENT_ID_BYTES_MAX && read->identity_plate.bytes == 0;
}

static inline bool
is_plain(struct pb_str text)
{
    return text.bytes == 0 || is_printable_ascii(text.text, text.bytes);
}

/* What nearly all reads have: no fault, and nothing that texts_fault() would need to look at. */
static bool
have_plain_texts(const struct pb_read *read)
{
    return have_valid_lengths(read) && is_plain(read->plate) && is_plain(read->reader) &&
           is_plain(read->plate_raw) && is_plain(read->make) && is_plain(read->model) &&
           is_plain(read->color) && is_plain(read->body) && is_plain(read->event_id);
}

static const char *
times_fault(const struct pb_read *read, const char **ret_field)
{
    if (read->captured_at_us < PB_TIME_MIN_US || read->captured_at_us >= PB_TIME_MAX_US) {
        *ret_field = "captured_at";
        return "is not from 1970 to 2199";
    }
    if (read->utc_offset_min != PB_NO_UTC_OFFSET &&
        (read->utc_offset_min < -UTC_OFFSET_MAX_MIN || read->utc_offset_min > UTC_OFFSET_MAX_MIN)) {
        *ret_field = "captured_at";
        return "has a zone of a day or more";
    }
    if (read->delete_after_us != PB_NEVER &&
        (read->delete_after_us < PB_TIME_MIN_US || read->delete_after_us >= PB_TIME_MAX_US)) {
        *ret_field = "delete_after";
        return "is not from 1970 to 2199";
    }
    return NULL;
}

static const char *
place_fault(const struct pb_read *read, const char **ret_field)
{
    bool has_lat = read->lat_e7 != PB_NO_POSITION;
    bool has_lon = read->lon_e7 != PB_NO_POSITION;

    if (has_lat != has_lon) {
        *ret_field = has_lat ? "lon" : "lat";
        return "is missing beside the other coordinate";
    }
    if (has_lat && !pb_geo_is_position(read->lat_e7, 0)) {
        *ret_field = "lat";
        return "is not from -90 to 90 degrees";
    }
    if (has_lon && !pb_geo_is_position(0, read->lon_e7)) {
        *ret_field = "lon";
        return "is not from -180 to 180 degrees";
    }
    if (read->heading_cdeg != PB_NO_HEADING && read->heading_cdeg >= HEADING_END_CDEG) {
        *ret_field = "heading_deg";
        return "is not below 360 degrees";
    }
    return NULL;
}

static const char *
years_fault(const struct pb_read *read)
{
    if (read->year == 0)
        return read->year_last == 0 ? NULL : "has a last year without a first";
    if (read->year < YEAR_MIN || read->year > YEAR_MAX)
        return "is not from 1885 to 2100";
    if (read->year_last == 0)
        return NULL;
    if (read->year_last <= read->year)
        return "has a last year that is not after the first";
    return read->year_last > YEAR_MAX ? "is not from 1885 to 2100" : NULL;
}

/* ret_max is the highest value that the read's scale takes; 0 where it has no scale. */
static const char *
confidence_fault(const struct pb_read *read, uint32_t *ret_max)
{
    switch (read->confidence_scale) {
    case PB_SCALE_NONE:
        *ret_max = 0;
        return read->confidence_e6 == PB_NO_CONFIDENCE ? NULL : "has no scale";
    case PB_SCALE_UNIT:
        *ret_max = UNIT_MAX_E6;
        return read->confidence_e6 <= UNIT_MAX_E6 ? NULL : "is not from 0 to 1";
    case PB_SCALE_PERCENT:
        *ret_max = PERCENT_MAX_E6;
        return read->confidence_e6 <= PERCENT_MAX_E6 ? NULL : "is not from 0 to 100";
    }
    return "has an unknown scale";
}

static const char *
alternates_fault(const struct pb_read *read, uint32_t confidence_max_e6)
{
    if (read->alternate_count > PB_ALTERNATES_MAX)
        return "are more than 8";
    assert(read->alternate_count == 0 || read->alternates != NULL);
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        const struct pb_alternate *alternate = &read->alternates[i];
        const char *fault;

        if (alternate->plate.bytes == 0 || alternate->plate.bytes > PB_PLATE_BYTES_MAX)
            return "have a plate that is empty or too long";
        fault = text_fault(alternate->plate);
        if (fault != NULL)
            return "have a plate that is not UTF-8 or has a control character";
        if (alternate->confidence_e6 == PB_NO_CONFIDENCE)
            continue;
        if (read->confidence_scale == PB_SCALE_NONE)
            return "have a confidence where the read has none";
        if (alternate->confidence_e6 > confidence_max_e6)
            return "have a confidence outside the read's scale";
    }
    return NULL;
}

static const char *
images_fault(const struct pb_read *read)
{
    if (read->image_count > PB_IMAGES_MAX)
        return "are more than 4";
    assert(read->image_count == 0 || read->images != NULL);
    for (uint32_t i = 0; i < read->image_count; i++) {
        const struct pb_image_ref *image = &read->images[i];

        switch (image->kind) {
        case PB_IMAGE_OTHER:
        case PB_IMAGE_PLATE:
        case PB_IMAGE_VEHICLE:
        case PB_IMAGE_SCENE:
            break;
        default:
            return "have an unknown kind";
        }
        if (image->ref.bytes == 0 || image->ref.bytes > PB_IMAGE_REF_BYTES_MAX)
            return "have a reference that is empty or too long";
        if (text_fault(image->ref) != NULL)
            return "have a reference that is not UTF-8 or has a control character";
    }
    return NULL;
}

static const char *
read_fault(const struct pb_read *read, const char **ret_field)
{
    uint32_t confidence_max_e6 = 0;
    const char *fault = have_plain_texts(read) ? NULL : texts_fault(read, ret_field);

    if (fault != NULL)
        return fault;
    *ret_field = "plate";
    fault = unread_fault(read);
    if (fault == NULL)
        fault = times_fault(read, ret_field);
    if (fault == NULL)
        fault = place_fault(read, ret_field);
    if (fault != NULL)
        return fault;

    *ret_field = "confidence";
    fault = confidence_fault(read, &confidence_max_e6);
    if (fault != NULL)
        return fault;
    *ret_field = "year";
    fault = years_fault(read);
    if (fault != NULL)
        return fault;
    *ret_field = "alternates";
    fault = alternates_fault(read, confidence_max_e6);
    if (fault != NULL)
        return fault;
    *ret_field = "images";
    fault = images_fault(read);
    if (fault != NULL)
        return fault;
    *ret_field = "identity_plate";
    if (read->identity_plate.bytes != 0 && (!read->is_correction || read->event_id.bytes != 0))
        return "is only for a correction without an event id";
    if (read->identity_plate.bytes == 0 && read->is_correction && read->event_id.bytes == 0)
        return "is needed for a correction without an event id";
    return NULL;
}

enum pb_status
pb_read_validate(const struct pb_read *read, const char **ret_field, const char **ret_reason)
{
    const char *field = "";
    const char *fault;

    assert(read != NULL && ret_field != NULL && ret_reason != NULL);
    fault = read_fault(read, &field);
    if (fault == NULL)
        return PB_OK;
    *ret_field = field;
    *ret_reason = fault;
    return PB_BAD_INPUT;
}

bool
pb_read_is_plainly_valid(const struct pb_read *read)
{
    const char *field;
    uint32_t confidence_max_e6;

    return have_valid_lengths(read) && times_fault(read, &field) == NULL &&
           place_fault(read, &field) == NULL &&
           confidence_fault(read, &confidence_max_e6) == NULL && years_fault(read) == NULL &&
           read->alternate_count == 0 && read->image_count == 0 && !read->is_correction &&
           read->plate.text[0] != '#';
}

/* ---- identity ---- */

static struct pb_str
plate_of_identity(const struct pb_read *read)
{
    return read->identity_plate.bytes != 0 ? read->identity_plate : read->plate;
}

static void
put_le64(uint8_t *bytes, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

size_t
pb_read_identity_bytes(const struct pb_read *read, char ret_bytes[PB_IDENTITY_BYTES_MAX])
{
    bool has_event = read->event_id.bytes != 0;
    struct pb_str tail = has_event ? read->event_id : plate_of_identity(read);
    size_t count = 2;

    assert(read->reader.bytes >= 1 && read->reader.bytes <= PB_READER_BYTES_MAX);
    assert(tail.bytes >= 1);
    assert(tail.bytes <= (has_event ? PB_EVENT_ID_BYTES_MAX : PB_PLATE_BYTES_MAX));
    ret_bytes[0] = has_event ? IDENTITY_BY_EVENT : IDENTITY_BY_TIME;
    ret_bytes[1] = (char)read->reader.bytes;
    memcpy(ret_bytes + count, read->reader.text, read->reader.bytes);
    count += read->reader.bytes;
    if (!has_event) {
        put_le64((uint8_t *)ret_bytes + count, (uint64_t)read->captured_at_us);
        count += 8;
    }
    memcpy(ret_bytes + count, tail.text, tail.bytes);
    return count + tail.bytes;
}

uint64_t
pb_identity_of_bytes(struct pb_str bytes)
{
    uint64_t hash = pb_hash_bytes(bytes.text, bytes.bytes);

    return hash != 0 ? hash : 1;
}

uint64_t
pb_read_identity(const struct pb_read *read)
{
    char bytes[PB_IDENTITY_BYTES_MAX];
    uint32_t count = (uint32_t)pb_read_identity_bytes(read, bytes);

    return pb_identity_of_bytes((struct pb_str){ bytes, count });
}

bool
pb_read_same_identity(const struct pb_read *a, const struct pb_read *b)
{
    if (!pb_str_equal(a->reader, b->reader) || !pb_str_equal(a->event_id, b->event_id))
        return false;
    if (a->event_id.bytes != 0)
        return true;
    return a->captured_at_us == b->captured_at_us &&
           pb_str_equal(plate_of_identity(a), plate_of_identity(b));
}

/* ---- content ---- */

static bool
are_same_alternates(const struct pb_read *a, const struct pb_read *b)
{
    if (a->alternate_count != b->alternate_count)
        return false;
    for (uint32_t i = 0; i < a->alternate_count; i++) {
        if (a->alternates[i].confidence_e6 != b->alternates[i].confidence_e6 ||
            !pb_str_equal(a->alternates[i].plate, b->alternates[i].plate))
            return false;
    }
    return true;
}

static bool
are_same_images(const struct pb_read *a, const struct pb_read *b)
{
    if (a->image_count != b->image_count)
        return false;
    for (uint32_t i = 0; i < a->image_count; i++) {
        if (a->images[i].kind != b->images[i].kind ||
            !pb_str_equal(a->images[i].ref, b->images[i].ref))
            return false;
    }
    return true;
}

/* An empty plate_raw and one that equals the plate say the same. */
static struct pb_str
plate_as_sent(const struct pb_read *read)
{
    return read->plate_raw.bytes != 0 ? read->plate_raw : read->plate;
}

bool
pb_read_same_content(const struct pb_read *a, const struct pb_read *b)
{
    return a->captured_at_us == b->captured_at_us && a->utc_offset_min == b->utc_offset_min &&
           a->jurisdiction == b->jurisdiction && a->lat_e7 == b->lat_e7 && a->lon_e7 == b->lon_e7 &&
           a->heading_cdeg == b->heading_cdeg && a->speed_ckmh == b->speed_ckmh &&
           a->lane == b->lane && a->confidence_scale == b->confidence_scale &&
           a->confidence_e6 == b->confidence_e6 && a->year == b->year &&
           a->year_last == b->year_last && a->revision == b->revision &&
           a->is_revisable == b->is_revisable && a->is_correction == b->is_correction &&
           pb_str_equal(a->plate, b->plate) && pb_str_equal(plate_as_sent(a), plate_as_sent(b)) &&
           pb_str_equal(a->reader, b->reader) && pb_str_equal(a->make, b->make) &&
           pb_str_equal(a->model, b->model) && pb_str_equal(a->color, b->color) &&
           pb_str_equal(a->body, b->body) && pb_str_equal(a->event_id, b->event_id) &&
           pb_str_equal(a->identity_plate, b->identity_plate) && are_same_alternates(a, b) &&
           are_same_images(a, b);
}

/* ---- copy ---- */

/* Moves a text into the block at *at. */
static void
keep_text(struct pb_str *text, char **at)
{
    if (text->bytes == 0) {
        text->text = NULL;
        return;
    }
    memcpy(*at, text->text, text->bytes);
    text->text = *at;
    *at += text->bytes;
}

static size_t
text_bytes_of(const struct pb_read *read)
{
    size_t total = (size_t)read->plate.bytes + read->plate_raw.bytes + read->reader.bytes +
                   read->make.bytes + read->model.bytes + read->color.bytes + read->body.bytes +
                   read->event_id.bytes + read->identity_plate.bytes;

    for (uint32_t i = 0; i < read->alternate_count; i++)
        total += read->alternates[i].plate.bytes;
    for (uint32_t i = 0; i < read->image_count; i++)
        total += read->images[i].ref.bytes;
    return total;
}

/* One block holds it all: first the arrays, which need alignment, then the texts. */
enum pb_status
pb_read_copy(struct pb_arena *arena, const struct pb_read *read, struct pb_read *ret_copy)
{
    size_t alternate_bytes = read->alternate_count * sizeof(struct pb_alternate);
    size_t image_bytes = read->image_count * sizeof(struct pb_image_ref);
    size_t text_bytes = text_bytes_of(read);
    struct pb_alternate *alternates = NULL;
    struct pb_image_ref *images = NULL;
    struct pb_read copy = *read;
    unsigned char *block;
    char *at;

    assert(arena != NULL && ret_copy != NULL);
    static_assert(sizeof(struct pb_alternate) % _Alignof(struct pb_image_ref) == 0,
                  "images may follow alternates");
    block = pb_arena_alloc(arena, alternate_bytes + image_bytes + text_bytes);
    if (block == NULL)
        return PB_E_NOMEM;
    at = (char *)block + alternate_bytes + image_bytes;

    if (alternate_bytes != 0) {
        alternates = (struct pb_alternate *)(void *)block;
        memcpy(alternates, read->alternates, alternate_bytes);
    }
    if (image_bytes != 0) {
        images = (struct pb_image_ref *)(void *)(block + alternate_bytes);
        memcpy(images, read->images, image_bytes);
    }
    keep_text(&copy.plate, &at);
    keep_text(&copy.plate_raw, &at);
    keep_text(&copy.reader, &at);
    keep_text(&copy.make, &at);
    keep_text(&copy.model, &at);
    keep_text(&copy.color, &at);
    keep_text(&copy.body, &at);
    keep_text(&copy.event_id, &at);
    keep_text(&copy.identity_plate, &at);
    for (uint32_t i = 0; i < read->alternate_count; i++)
        keep_text(&alternates[i].plate, &at);
    for (uint32_t i = 0; i < read->image_count; i++)
        keep_text(&images[i].ref, &at);
    copy.alternates = alternates;
    copy.images = images;
    *ret_copy = copy;
    return PB_OK;
}
