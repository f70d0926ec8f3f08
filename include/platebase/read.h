/*
 * One plate read: one plate seen once by one reader.
 *
 * A pb_read is a view: its texts and arrays point into memory that somebody
 * else owns (the input that was parsed, the cursor that found it).
 */
#ifndef PLATEBASE_READ_H
#define PLATEBASE_READ_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of UTF-8 without a closing NUL. bytes is 0 where there is no text. */
struct pb_str {
    const char *text; /* borrowed; may be NULL where bytes is 0 */
    uint32_t bytes;
};

#define PB_PLATE_BYTES_MAX 32u     /* folded plate */
#define PB_PLATE_RAW_BYTES_MAX 64u /* as the reader sent it */
#define PB_READER_BYTES_MAX 64u
#define PB_EVENT_ID_BYTES_MAX 128u
#define PB_VEHICLE_TEXT_BYTES_MAX 48u /* make, model, colour, body, each */
#define PB_IMAGE_REF_BYTES_MAX 256u
#define PB_ALTERNATES_MAX 8u
#define PB_IMAGES_MAX 4u

#define PB_NO_POSITION INT32_MIN /* lat_e7 and lon_e7 together */
#define PB_NO_HEADING UINT16_MAX
#define PB_NO_SPEED UINT16_MAX
#define PB_NO_UTC_OFFSET INT16_MIN
#define PB_NO_CONFIDENCE UINT32_MAX
#define PB_NEVER INT64_MAX /* delete_after_us of a read that no rule expires */

/* Plate of a correction that says: no plate can be read there. No reader's plate is this one. */
#define PB_PLATE_UNREADABLE "#"

/* Captured times that a store takes: 1970-01-01 up to, not including, 2200-01-01. */
#define PB_TIME_MIN_US INT64_C(0)
#define PB_TIME_MAX_US INT64_C(7258118400000000)

/* The reader's own confidence scale. Values are never compared across readers. */
enum pb_confidence_scale {
    PB_SCALE_NONE = 0,    /* no confidence given */
    PB_SCALE_UNIT = 1,    /* 0 to 1 */
    PB_SCALE_PERCENT = 2, /* 0 to 100 */
};

enum pb_image_kind {
    PB_IMAGE_OTHER = 0,
    PB_IMAGE_PLATE = 1,
    PB_IMAGE_VEHICLE = 2,
    PB_IMAGE_SCENE = 3,
};

/* One of the reader's other candidates, best first. */
struct pb_alternate {
    struct pb_str plate;    /* folded; 1 to PB_PLATE_BYTES_MAX bytes */
    uint32_t confidence_e6; /* in the read's scale, times 10^6; or PB_NO_CONFIDENCE */
};

struct pb_image_ref {
    enum pb_image_kind kind;
    struct pb_str ref; /* file name, URL or content hash; 1 to PB_IMAGE_REF_BYTES_MAX bytes */
};

struct pb_read {
    struct pb_str plate;     /* folded by pb_plate_fold(); 1 to PB_PLATE_BYTES_MAX bytes */
    struct pb_str plate_raw; /* as the reader sent it; empty where equal to plate */
    uint16_t jurisdiction;   /* pb_jurisdiction number (ISO 3166-2), 0 if unknown */

    int64_t captured_at_us;       /* UTC, microseconds since 1970, by the reader's clock */
    int64_t received_at_us;       /* same scale, by our clock; set by the store */
    uint64_t commit;              /* which commit brought it, from 1; set by the store */
    int16_t utc_offset_min;       /* zone as sent, minutes east of UTC, or PB_NO_UTC_OFFSET */
    int64_t delete_after_us;      /* never returned at or after this time; PB_NEVER */

    struct pb_str reader; /* reader's id; 1 to PB_READER_BYTES_MAX bytes */
    int32_t lat_e7;       /* WGS 84, degrees times 10^7; PB_NO_POSITION if unknown */
    int32_t lon_e7;
    uint16_t heading_cdeg; /* direction of travel, 0 to 35999 hundredths of a degree, 0 = north */
    uint16_t speed_ckmh;   /* hundredths of km/h, 0 to 65534 */
    uint8_t lane;          /* from 1; 0 if unknown */

    enum pb_confidence_scale confidence_scale;
    uint32_t confidence_e6; /* native value times 10^6; PB_NO_CONFIDENCE where scale is NONE */

    struct pb_str make, model, color, body; /* lower case words as the reader gave them, or empty */
    uint16_t year;                          /* model year, or first of a range; 0 if unknown */
    uint16_t year_last;                     /* last of a range; 0 where not a range */

    struct pb_str event_id; /* the reader's own id of this read, or empty */
    uint32_t revision;      /* 0 for a first word; higher replaces lower of the same identity */
    bool is_revisable;      /* its format sends revisions: a later one replaces, not conflicts */
    bool is_correction;     /* a person's correction; the reader's text stays in plate_raw */
    bool is_superseded;     /* set by the store: a newer revision exists */
    /* Of a correction without event id: the plate that is part of the identity, as the reader's
     * first word had it; empty otherwise. */
    struct pb_str identity_plate;

    const struct pb_alternate *alternates; /* borrowed; alternate_count elements */
    uint32_t alternate_count;              /* 0 to PB_ALTERNATES_MAX */
    const struct pb_image_ref *images;     /* borrowed; image_count elements */
    uint32_t image_count;                  /* 0 to PB_IMAGES_MAX */
};

/* A read with nothing known: every field at its "unknown" value. */
void pb_read_init(struct pb_read *read);

/* Confidence on one scale, 0 to 1000, or -1 if none was given. Not a probability. */
int pb_read_confidence_permille(const struct pb_read *read);

#ifdef __cplusplus
}
#endif
#endif
