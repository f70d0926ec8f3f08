/*
 * Reads for tests: an ordinary one, one with every field at its longest, and random valid
 * ones. All plates are invented.
 */
#ifndef PB_TESTS_READ_MAKER_H
#define PB_TESTS_READ_MAKER_H

#include <string.h>

#include "base/text.h"
#include "read/read.h"

/* SplitMix64: the same numbers on every machine. */
static inline uint64_t
maker_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static inline uint32_t
maker_below(uint64_t *state, uint32_t end)
{
    return (uint32_t)(maker_random(state) % end);
}

static inline struct pb_read
maker_ordinary(void)
{
    struct pb_read read;

    pb_read_init(&read);
    read.plate = pb_str_from("AB12");
    read.reader = pb_str_from("g");
    read.captured_at_us = INT64_C(1795413608125000); /* 2026-11-23T06:00:08.125Z */
    read.lat_e7 = 377749000;
    read.lon_e7 = -1224194000;
    read.confidence_scale = PB_SCALE_PERCENT;
    read.confidence_e6 = 91500000;
    return read;
}

/* Memory behind a made read. */
struct maker_room {
    struct pb_alternate alternates[PB_ALTERNATES_MAX];
    struct pb_image_ref images[PB_IMAGES_MAX];
    char text[4096];
    size_t used;
};

static inline struct pb_str
maker_text(struct maker_room *room, uint64_t *state, uint32_t bytes)
{
    static const char letters[] = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789-_ \"\\,:/";
    struct pb_str text = { .text = room->text + room->used, .bytes = bytes };

    for (uint32_t i = 0; i < bytes; i++)
        room->text[room->used++] = letters[maker_below(state, sizeof(letters) - 1)];
    return text;
}

/* A text of 1 to bytes_max bytes, now and then of exactly bytes_max, or where it may be
 * empty, often empty. */
static inline struct pb_str
maker_any_text(struct maker_room *room, uint64_t *state, uint32_t bytes_max, bool may_be_empty)
{
    uint32_t kind = maker_below(state, 8);

    if (may_be_empty && kind < 4)
        return (struct pb_str){ .text = NULL, .bytes = 0 };
    return maker_text(room, state, kind == 7 ? bytes_max : 1 + maker_below(state, bytes_max));
}

static inline bool
maker_coin(uint64_t *state)
{
    return (maker_random(state) & 1) != 0;
}

static inline void
maker_add_lists(struct maker_room *room, uint64_t *state, struct pb_read *read,
                uint32_t confidence_max)
{
    read->alternate_count = maker_coin(state) ? maker_below(state, PB_ALTERNATES_MAX + 1) : 0;
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        room->alternates[i].plate = maker_any_text(room, state, PB_PLATE_BYTES_MAX, false);
        room->alternates[i].confidence_e6 = PB_NO_CONFIDENCE;
        if (read->confidence_scale != PB_SCALE_NONE && maker_coin(state))
            room->alternates[i].confidence_e6 = maker_below(state, confidence_max + 1);
    }
    read->alternates = read->alternate_count != 0 ? room->alternates : NULL;

    read->image_count = maker_coin(state) ? maker_below(state, PB_IMAGES_MAX + 1) : 0;
    for (uint32_t i = 0; i < read->image_count; i++) {
        room->images[i].kind = (enum pb_image_kind)maker_below(state, 4);
        room->images[i].ref = maker_any_text(room, state, PB_IMAGE_REF_BYTES_MAX, false);
    }
    read->images = read->image_count != 0 ? room->images : NULL;
}

/* Any valid read. */
static inline struct pb_read
maker_random_read(struct maker_room *room, uint64_t *state)
{
    uint32_t confidence_max = 0;
    struct pb_read read;

    room->used = 0;
    pb_read_init(&read);
    read.plate = maker_any_text(room, state, PB_PLATE_BYTES_MAX, false);
    read.plate_raw = maker_any_text(room, state, PB_PLATE_RAW_BYTES_MAX, true);
    read.reader = maker_any_text(room, state, PB_READER_BYTES_MAX, false);
    read.make = maker_any_text(room, state, PB_VEHICLE_TEXT_BYTES_MAX, true);
    read.model = maker_any_text(room, state, PB_VEHICLE_TEXT_BYTES_MAX, true);
    read.color = maker_any_text(room, state, PB_VEHICLE_TEXT_BYTES_MAX, true);
    read.body = maker_any_text(room, state, PB_VEHICLE_TEXT_BYTES_MAX, true);
    read.event_id = maker_any_text(room, state, PB_EVENT_ID_BYTES_MAX, true);
    read.captured_at_us = (int64_t)(maker_random(state) % (uint64_t)PB_TIME_MAX_US);
    if (maker_coin(state))
        read.delete_after_us = (int64_t)(maker_random(state) % (uint64_t)PB_TIME_MAX_US);
    if (maker_coin(state))
        read.utc_offset_min = (int16_t)((int)maker_below(state, 2879) - 1439);
    if (maker_coin(state)) {
        read.lat_e7 = (int32_t)((int64_t)(maker_random(state) % 1800000001u) - 900000000);
        read.lon_e7 = (int32_t)((int64_t)(maker_random(state) % 3600000001u) - 1800000000);
    }
    if (maker_coin(state))
        read.heading_cdeg = (uint16_t)maker_below(state, 36000);
    if (maker_coin(state))
        read.speed_ckmh = (uint16_t)maker_below(state, 65535);
    if (maker_coin(state))
        read.lane = (uint8_t)maker_random(state);
    if (maker_coin(state))
        read.jurisdiction = (uint16_t)maker_below(state, 100);
    if (maker_coin(state)) {
        read.confidence_scale = maker_coin(state) ? PB_SCALE_UNIT : PB_SCALE_PERCENT;
        confidence_max = read.confidence_scale == PB_SCALE_UNIT ? 1000000 : 100000000;
        read.confidence_e6 = maker_below(state, confidence_max + 1);
    }
    if (maker_coin(state)) {
        read.year = (uint16_t)(1885 + maker_below(state, 200));
        read.year_last = maker_coin(state) ? (uint16_t)(read.year + 1) : 0;
    }
    read.revision = maker_coin(state) ? (uint32_t)maker_random(state) : 0;
    read.is_revisable = maker_coin(state);
    read.is_correction = maker_coin(state);
    if (read.is_correction && read.event_id.bytes == 0)
        read.identity_plate = maker_any_text(room, state, PB_PLATE_BYTES_MAX, false);
    maker_add_lists(room, state, &read, confidence_max);
    return read;
}

#endif
