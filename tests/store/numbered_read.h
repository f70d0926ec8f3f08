/*
 * Numbered reads: read n is the same wherever it is made, and says its number when it is found
 * again. So a test's ledger of what was sent, answered and found is a few bits for each number.
 *
 * Of each eight numbers the sixth is a revision of the fifth; the others stand alone. Plates,
 * readers, months, positions, event ids and alternates come in every mixture. All are invented.
 */
#ifndef PB_TESTS_NUMBERED_READ_H
#define PB_TESTS_NUMBERED_READ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"
#include "read/read.h"

#define NUMBERED_FIRST_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define NUMBERED_STEP_US INT64_C(1000003)
#define NUMBERED_MONTH_US (INT64_C(31) * 86400 * 1000000)
#define NUMBERED_MONTHS 3u
#define NUMBERED_PLATES 23u
#define NUMBERED_ALTERNATES 7u
#define NUMBERED_LONG_ALTERNATE 6u /* longer than a plate code holds */
#define NUMBERED_MAX 2000000u /* so that numbers of one month do not run into the next */

struct numbered_read {
    struct pb_read read; /* points into this struct: it must not move */
    char plate[PB_PLATE_BYTES_MAX];
    char reader[16];
    char event_id[16];
    char alternate_plate[16];
    struct pb_alternate alternate;
};

static inline bool
numbered_is_revised(uint32_t number) /* by the next number */
{
    return number % 8 == 4;
}

static inline bool
numbered_is_revision(uint32_t number) /* of the number before */
{
    return number % 8 == 5;
}

static inline bool
numbered_may_expire(uint32_t number)
{
    return number / 8 % 6 == 5;
}

static inline bool
numbered_has_position(uint32_t number)
{
    return number / 8 % 7 != 3;
}

static inline uint32_t
numbered_plate_index(uint32_t number)
{
    return number / 8 * 5 % NUMBERED_PLATES;
}

/* 0 to NUMBERED_ALTERNATES - 1, or NUMBERED_ALTERNATES: it has none. */
static inline uint32_t
numbered_alternate_index(uint32_t number)
{
    return number % 3 == 0 ? number % NUMBERED_ALTERNATES : NUMBERED_ALTERNATES;
}

static inline uint32_t
numbered_month(uint32_t number)
{
    return number / 8 % NUMBERED_MONTHS;
}

static inline int64_t
numbered_captured_us(uint32_t number)
{
    return NUMBERED_FIRST_US + NUMBERED_MONTH_US * (int64_t)numbered_month(number)
           + NUMBERED_STEP_US * (int64_t)number;
}

static inline struct pb_str
numbered_text(char *room, size_t bytes, const char *format, uint32_t value)
{
    return (struct pb_str){ room, (uint32_t)snprintf(room, bytes, format, value) };
}

/* Each fourth plate is longer than a plate code holds. */
static inline struct pb_str
numbered_plate(uint32_t index, char room[PB_PLATE_BYTES_MAX])
{
    return numbered_text(room, PB_PLATE_BYTES_MAX,
                         index % 4 == 3 ? "VERYLONGPLATE%02uX" : "PL%02uX",
                         index);
}

static inline struct pb_str
numbered_alternate_plate(uint32_t index, char room[16])
{
    return numbered_text(room, 16, index == NUMBERED_LONG_ALTERNATE ? "ALTERNATE%uXX" : "ALT%uX",
                         index);
}

/* expires_us: of those that may expire; PB_NEVER for none. */
static inline void
numbered_read_make(struct numbered_read *made, uint32_t number, int64_t expires_us)
{
    struct pb_read *read = &made->read;
    uint32_t alternate = numbered_alternate_index(number);

    pb_read_init(read);
    read->plate = numbered_plate(numbered_plate_index(number), made->plate);
    read->jurisdiction = (uint16_t)(numbered_plate_index(number) % 3);
    read->reader = numbered_text(made->reader, sizeof(made->reader), "reader-%u", number / 8 % 5);
    read->captured_at_us = numbered_captured_us(number);
    read->delete_after_us = numbered_may_expire(number) ? expires_us : PB_NEVER;
    if (numbered_has_position(number)) {
        /* One of the readers drives about. */
        uint32_t place = number / 8 % 5 == 4 ? number % 1000 : number / 8 % 5;

        read->lat_e7 = 377749000 + 100 * (int32_t)place;
        read->lon_e7 = -1224194000 - 300 * (int32_t)place;
    }
    read->confidence_scale = number % 2 == 0 ? PB_SCALE_PERCENT : PB_SCALE_UNIT;
    read->confidence_e6 = number * 7919 % 1000000;
    read->lane = (uint8_t)(number % 4);
    if (numbered_is_revised(number) || numbered_is_revision(number)) {
        read->event_id = numbered_text(made->event_id, sizeof(made->event_id), "E%u",
                                       number / 8 * 8 + 4);
        read->is_revisable = true;
        read->revision = numbered_is_revision(number);
    } else if (number % 8 == 2) {
        read->event_id = numbered_text(made->event_id, sizeof(made->event_id), "X%u", number);
    }
    if (alternate != NUMBERED_ALTERNATES) {
        made->alternate.plate = numbered_alternate_plate(alternate, made->alternate_plate);
        made->alternate.confidence_e6 = PB_NO_CONFIDENCE;
        read->alternates = &made->alternate;
        read->alternate_count = 1;
    }
}

/* The number of a found read, and whether it is that read in every field. */
static inline bool
numbered_read_check(const struct pb_read *read, int64_t expires_us, uint32_t *ret_number)
{
    struct numbered_read made;
    int64_t since_us = (read->captured_at_us - NUMBERED_FIRST_US);

    for (uint32_t month = 0; month < NUMBERED_MONTHS; month++) {
        int64_t left_us = since_us - NUMBERED_MONTH_US * (int64_t)month;

        if (left_us < 0 || left_us % NUMBERED_STEP_US != 0
            || left_us / NUMBERED_STEP_US >= (int64_t)NUMBERED_MAX)
            continue;
        *ret_number = (uint32_t)(left_us / NUMBERED_STEP_US);
        if (numbered_month(*ret_number) != month)
            continue;
        numbered_read_make(&made, *ret_number, expires_us);
        return pb_read_same_content(&made.read, read)
               && made.read.delete_after_us == read->delete_after_us && read->commit != 0;
    }
    return false;
}

#endif
