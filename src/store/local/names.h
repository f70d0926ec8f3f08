/*
 * Names: the texts and combinations that many rows share, each stored once per segment.
 *
 * A text is a reader's id or a word about a vehicle. A context is what a reader says alike of
 * many reads: who, where, heading, lane, zone, scale. A vehicle is make, model, colour, body
 * and years. Rows hold their numbers.
 *
 * Format: docs/formats/segment-v1.md, "Names". Threads: one at a time; once built, any number
 * may look.
 */
#ifndef PB_STORE_LOCAL_NAMES_H
#define PB_STORE_LOCAL_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "base/arena.h"

#define PB_NO_NAME 0u /* text number of the empty text */
#define PB_NAMES_BYTES_MAX (256u << 20)

/* Headings and speeds are kept as hundredths plus this, 0 for none: whole numbers stay whole. */
#define PB_CODE_SHIFT 100u

/* Position and heading of a row are the context's plus the row's own (both without wrap-around):
 * a fixed reader's rows add nothing, a mobile reader's all. */
struct pb_context {
    uint32_t reader;         /* text number */
    int32_t lat_e7, lon_e7;  /* PB_NO_POSITION where the row has none */
    uint16_t heading_code;   /* heading_cdeg + PB_CODE_SHIFT; 0: none, or in the row */
    int16_t utc_offset_min;
    uint8_t lane;
    uint8_t scale;           /* enum pb_confidence_scale */
    uint8_t is_mobile;       /* rows carry their own position and heading */
    uint8_t reports;         /* enum pb_vehicle_field: what its rows say of vehicles */
};

/* Of a row's vehicle only the fields that its context reports are the row's own; others may be
 * what other reads said of the same vehicle, so that the number repeats. */
enum pb_vehicle_field {
    PB_REPORTS_MAKE = 1,
    PB_REPORTS_MODEL = 2,
    PB_REPORTS_COLOR = 4,
    PB_REPORTS_BODY = 8,
    PB_REPORTS_YEAR = 16,
    PB_REPORTS_YEAR_LAST = 32,
};

struct pb_vehicle {
    uint32_t make, model, color, body; /* text numbers */
    uint16_t year, year_last;
};

/* Open-addressed table: high half of the hash, number + 1; 0 is free. */
struct pb_name_table {
    uint64_t *slots; /* owned: slot_count of them */
    uint32_t slot_count;
};

struct pb_names {
    const struct pb_env *env; /* borrowed */
    struct pb_arena arena;    /* the texts */
    struct pb_str *texts;     /* owned; texts[0] is empty */
    uint64_t *text_hashes;    /* owned; only while building */
    uint32_t text_count, text_room;
    struct pb_context *contexts; /* owned */
    uint32_t context_count, context_room;
    struct pb_vehicle *vehicles; /* owned; vehicles[0] is all unknown */
    uint32_t vehicle_count, vehicle_room;
    struct pb_name_table text_table, context_table, vehicle_table;
    /* By text number of a reader: how many fixed contexts it has, and its mobile context + 1. */
    uint32_t *fixed_counts;    /* owned; text_room of them */
    uint32_t *mobile_contexts; /* owned; likewise */
};

/* A reader that is seen at more places than this is kept as a mobile one. */
#define PB_FIXED_CONTEXTS_MAX 48u

PB_MUST_CHECK enum pb_status pb_names_init(struct pb_names *names, const struct pb_env *env);
void pb_names_done(struct pb_names *names); /* also of zeroed memory */
size_t pb_names_memory(const struct pb_names *names);

/* Numbers of a text, vehicle or context, new or known. Only PB_OK, PB_E_NOMEM, or PB_OVER_LIMIT
 * where there would be more than 2^31. */
PB_MUST_CHECK enum pb_status pb_names_text(struct pb_names *names, struct pb_str text,
                                           uint32_t *ret_text);
PB_MUST_CHECK enum pb_status pb_names_vehicle(struct pb_names *names,
                                              const struct pb_vehicle *vehicle,
                                              uint32_t *ret_vehicle);
PB_MUST_CHECK enum pb_status pb_names_context(struct pb_names *names,
                                              const struct pb_context *context,
                                              uint32_t *ret_context);

/* What a read adds to its context. */
struct pb_context_rest {
    int32_t lat, lon;    /* to add to the context's */
    uint16_t heading_code;
};
/* The context of a read, of which some is left to the row. */
PB_MUST_CHECK enum pb_status pb_names_read_context(struct pb_names *names,
                                                   const struct pb_read *read,
                                                   uint32_t *ret_context,
                                                   struct pb_context_rest *ret_rest);
/* The same without what the read reports of its vehicle: the context's `reports` are 0. */
PB_MUST_CHECK enum pb_status pb_names_read_place(struct pb_names *names,
                                                 const struct pb_read *read,
                                                 uint32_t *ret_context,
                                                 struct pb_context_rest *ret_rest);
/* What a read with a position adds to a mobile context. */
struct pb_context_rest pb_context_rest_of(const struct pb_context *context,
                                          const struct pb_read *read);
/* What a read, and a vehicle, reports. */
uint8_t pb_read_reports(const struct pb_read *read);
uint8_t pb_vehicle_reports(const struct pb_vehicle *vehicle);
/* The vehicle of a read; 0 where nothing is known of it. */
PB_MUST_CHECK enum pb_status pb_names_read_vehicle(struct pb_names *names,
                                                   const struct pb_read *read,
                                                   uint32_t *ret_vehicle);

/* Where the rows of one context go when names are joined. */
struct pb_context_move {
    uint32_t context;            /* number in the target */
    struct pb_context_rest rest; /* to add to each row's own */
};
/* Moves a row: its context, and what it adds to that. */
static inline void
pb_context_move_row(const struct pb_context_move *move, uint32_t *context, int32_t *lat,
                    int32_t *lon, uint16_t *heading_code)
{
    *context = move->context;
    *lat = (int32_t)((uint32_t)*lat + (uint32_t)move->rest.lat);
    *lon = (int32_t)((uint32_t)*lon + (uint32_t)move->rest.lon);
    *heading_code = (uint16_t)(*heading_code + move->rest.heading_code);
}
/*
 * Adds all names of source to target, and says by number where they went: moves and vehicles have
 * room for source's contexts and vehicles. Fixed contexts of a reader that source or target
 * knows as mobile join its mobile one. Give every source to pb_names_announce first; wanted
 * is not 0 for those contexts that will be joined, or NULL: all.
 */
PB_MUST_CHECK enum pb_status pb_names_announce(struct pb_names *target,
                                               const struct pb_names *source,
                                               const uint64_t *wanted);
PB_MUST_CHECK enum pb_status pb_names_join(struct pb_names *target, const struct pb_names *source,
                                           struct pb_context_move *ret_moves,
                                           uint32_t *ret_vehicles);
/* Its parts: of one context (of source, or like one of it), and of one vehicle of source. */
PB_MUST_CHECK enum pb_status pb_names_join_context(struct pb_names *target,
                                                   const struct pb_names *source,
                                                   const struct pb_context *from,
                                                   struct pb_context_move *ret_move);
PB_MUST_CHECK enum pb_status pb_names_join_vehicle(struct pb_names *target,
                                                   const struct pb_names *source,
                                                   uint32_t vehicle, uint32_t *ret_vehicle);

/* Numbers contexts anew by place, so that those of one town lie near one another; ret_numbers has
 * room for all and gets each old number's new one. After that no context can be added. */
PB_MUST_CHECK enum pb_status pb_names_sort_contexts(struct pb_names *names,
                                                    uint32_t *ret_numbers);

/* What several rows say of one vehicle, taken together. */
struct pb_vehicle pb_vehicle_masked(const struct pb_vehicle *vehicle, uint8_t reports);
/* Fills what `into` does not know yet. */
void pb_vehicle_fill(struct pb_vehicle *into, const struct pb_vehicle *from);
/* Takes over the fields of reports. */
void pb_vehicle_overwrite(struct pb_vehicle *into, const struct pb_vehicle *from,
                          uint8_t reports);
bool pb_vehicle_is_equal(const struct pb_vehicle *a, const struct pb_vehicle *b);

/* Writes all names, compressed, into fresh memory that the caller frees with pb_free. */
PB_MUST_CHECK enum pb_status pb_names_encode(const struct pb_names *names, uint8_t **ret_bytes,
                                             size_t *ret_stored, size_t *ret_raw);
/* Reads what pb_names_encode wrote (hostile bytes are safe); names must be zeroed memory, to be
 * given to pb_names_done in any case. No more names can be added. */
PB_MUST_CHECK enum pb_status pb_names_decode(struct pb_names *names, const struct pb_env *env,
                                             const uint8_t *bytes, size_t stored, size_t raw);

#endif
