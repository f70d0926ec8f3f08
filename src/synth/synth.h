/*
 * Synthetic feed: plate reads of a country, or of one small town, that nobody ever made.
 *
 * Every plate, vehicle, reader and agency is invented. Shapes and shares (who is seen how
 * often, when, by how busy a reader, how wrongly) follow published figures; what is modelled,
 * from which source, is in docs/formats/synthetic-feed.md.
 *
 * Read number i depends on the options and on i alone, never on the batch or the thread that
 * asked for it, so that threads may fill disjoint ranges and the feed stays the same to the
 * byte. Only integer arithmetic is used: compilers and machines agree too.
 *
 * Reads come in nearly ascending captured time: no read is more than
 * PB_SYNTH_DISORDER_US_MAX older than one before it.
 *
 * Threads: a pb_synth never changes once made; fill and truth may run on any number of threads.
 */
#ifndef PB_SYNTH_SYNTH_H
#define PB_SYNTH_SYNTH_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_arena; /* base/arena.h */
struct pb_env;   /* base/env.h */
struct pb_synth; /* opaque, immutable */

#define PB_SYNTH_READS_MAX (UINT64_C(1) << 34)
#define PB_SYNTH_READERS_MAX 1000000u
#define PB_SYNTH_DAYS_MAX 3660u
#define PB_SYNTH_DISORDER_US_MAX INT64_C(65000000)

/* A number that is 0 stands for the default in brackets (country, town). */
struct pb_synth_options {
    uint64_t seed;
    uint64_t reads;   /* at most PB_SYNTH_READS_MAX (1,000,000; 20,000) */
    uint32_t readers; /* 8 to PB_SYNTH_READERS_MAX (by reads: 20,000 at 20 million; 24) */
    uint32_t days;    /* at most PB_SYNTH_DAYS_MAX (30; 14) */
    int64_t from_us;  /* captured time of the first read, UTC (2026-10-01) */
    bool with_alternates; /* two readers in three send other candidates */
    bool with_event_ids;  /* seven readers in ten send an id of their own */
    bool is_town;         /* one invented town instead of the country */
};

/*
 * Builds the immutable world: readers, roads, and how many vehicles live where.
 *
 * env  borrowed; must outlive the synth
 *
 * Returns  PB_OK         ret_synth set; the caller owns it
 *          PB_BAD_INPUT  an option is out of its range; error names it
 *          PB_E_NOMEM    nothing was built
 */
PB_MUST_CHECK enum pb_status pb_synth_new(const struct pb_env *env,
                                          const struct pb_synth_options *options,
                                          struct pb_synth **ret_synth, struct pb_error *error);
void pb_synth_free(struct pb_synth *synth); /* NULL is fine */

/* How many reads the feed has, and how many readers. */
uint64_t pb_synth_read_count(const struct pb_synth *synth);
uint32_t pb_synth_reader_count(const struct pb_synth *synth);

/* What is to be known of one reader; index below pb_synth_reader_count(). */
struct pb_synth_reader {
    struct pb_str id; /* borrowed from the synth, such as "tx-0123-cam07" */
    int32_t lat_e7;   /* of a mobile reader: where it mostly roams */
    int32_t lon_e7;
    bool is_mobile;
};
void pb_synth_reader_at(const struct pb_synth *synth, uint32_t index,
                        struct pb_synth_reader *ret_reader);

/*
 * Makes reads first to first + count - 1 of the feed. They all pass pb_read_validate(), and
 * their identities differ (in feeds denser than 20 million reads a month about one in ten
 * million repeats).
 *
 * first, count  within the feed
 * ret_reads     count elements; texts belong to the arena and to the synth
 * arena         the caller's; it grows by about 16 bytes a read, with alternates by about 250
 *
 * Returns  PB_OK, or PB_E_NOMEM with ret_reads undefined
 */
PB_MUST_CHECK enum pb_status pb_synth_fill(const struct pb_synth *synth, uint64_t first,
                                           uint64_t count, struct pb_read *ret_reads,
                                           struct pb_arena *arena);

enum pb_synth_class {
    PB_SYNTH_THROUGH,  /* passes once */
    PB_SYNTH_COMMUTER, /* one road, in the morning and back in the evening */
    PB_SYNTH_RESIDENT, /* lives there, now here, now there */
    PB_SYNTH_FLEET,    /* on the road all day */
    PB_SYNTH_YARD,     /* stands where a patrol car sets out */
};

/* What really passed, where the read may err: for measuring what a search finds. */
struct pb_synth_truth {
    char plate[PB_PLATE_BYTES_MAX];
    uint32_t plate_bytes;
    uint16_t jurisdiction;
    uint64_t vehicle; /* the same vehicle has the same number */
    enum pb_synth_class class_of;
    bool is_vanity;  /* does not follow its state's serial pattern */
    bool is_misread; /* the read's plate is not this one */
};
void pb_synth_truth_at(const struct pb_synth *synth, uint64_t index,
                       struct pb_synth_truth *ret_truth);

#endif
