/*
 * The read store: keeps plate reads and finds them by plate and by place.
 *
 * One process writes to a store at a time (a second one gets PB_E_BUSY); any
 * number may have it open for reading. Within a process every call is safe from
 * any thread; a cursor or a loader lane belongs to one thread at a time.
 * Asking never waits for a merge: a cursor holds the version that it began with.
 *
 * An append that returned PB_OK is on disk. A failed sync is final: every later
 * append returns PB_E_POISONED until the store is opened again.
 *
 * Errors: `error` may be NULL; otherwise it is filled beside any status that is
 * neither PB_OK, PB_END nor PB_NOT_FOUND.
 */
#ifndef PLATEBASE_STORE_H
#define PLATEBASE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pb_env;       /* memory, clock, files, randomness */
struct pb_store;     /* opaque */
struct pb_cursor;    /* opaque */
struct pb_loader;    /* opaque */
struct pb_lane;      /* opaque: one thread's share of a loader */
struct pb_geo_area;  /* platebase/geo.h: circle, rectangle or polygon */

/* The operating system's memory, clock, files and randomness. Never NULL. */
const struct pb_env *pb_env_system(void);

/* Goes on being called during long work, never twice at once.
 * phase is a static word ("load", "merge", ...); total is 0 where unknown.
 * Returning false asks the work to stop soon; what is done stays done. */
struct pb_progress {
    bool (*report)(void *context, const char *phase, uint64_t done, uint64_t total);
    void *context;
};

/* Why reads are gone from disk. */
enum pb_removal {
    PB_REMOVED_EXPIRED = 0,
    PB_REMOVED_ERASED = 1,
};
/* Reads of one reader, captured on one day, that are gone from disk for one reason. */
struct pb_removed {
    struct pb_str reader; /* valid during the call; empty where a damaged block did not tell */
    int32_t day;          /* of capture in UTC, days since 1970-01-01 */
    enum pb_removal why;  /* what was erased and is expired, too, counts as either */
    uint64_t reads;       /* rows, history included */
};
/*
 * Told of all reads that go from disk, whatever removes them: a purge, a merge (also one in the
 * background), a restamp, a flush. Called once the removal is durable, once for each reader, day
 * and reason in a segment; never twice at once; with locks of the store held: it must not call the
 * store. A crash between the removal and the call loses the word of one segment at most.
 */
typedef void pb_removed_fn(void *context, const struct pb_removed *removed);

struct pb_store_options {
    bool is_read_only;       /* needs no lock; sees what was on disk at opening */
    bool skips_damaged;       /* read only: leaves out segments that do not open, or cannot tell
                               * what they have of the log's reads, instead of refusing;
                               * questions with on_damage are told of them */
    bool merge_in_background; /* a thread of the store keeps segments few */
    uint64_t memory_bytes;   /* budget for buffer, loading and merging; 0: 1 GiB */
    pb_removed_fn *on_removed; /* may be NULL */
    void *removed_context;
};

/* Makes an empty store in directory path, which must not exist or be empty. */
PB_MUST_CHECK enum pb_status pb_store_create(const struct pb_env *env, const char *path,
                                             struct pb_error *error);

/* Opens a store. options may be NULL for the defaults. ret_store is set on PB_OK only. */
PB_MUST_CHECK enum pb_status pb_store_open(const struct pb_env *env, const char *path,
                                           const struct pb_store_options *options,
                                           struct pb_store **ret_store, struct pb_error *error);

/* Closes the store; NULL is fine. All its cursors and loaders must be freed before. */
void pb_store_close(struct pb_store *store);

/* ---- writing ---- */

/*
 * Appends count reads as one commit; blocks until they are on disk.
 * Concurrent callers share one sync.
 *
 * reads         borrowed for the call
 * ret_statuses  count elements, set on PB_OK only: PB_OK stored, PB_DUPLICATE,
 *               PB_CONFLICT or PB_EXPIRED (not stored), PB_BAD_INPUT (a field out of range)
 *
 * PB_OVER_LIMIT  too many reads, or bytes, in one append; or 4,194,304 revisions wait to be applied
 *                to reads in segments: merge or purge first. None is stored
 */
PB_MUST_CHECK enum pb_status pb_store_append(struct pb_store *store, const struct pb_read *reads,
                                             size_t count, enum pb_status *ret_statuses,
                                             struct pb_error *error);

struct pb_load_counts {
    uint64_t stored, duplicate, conflict, rejected; /* rejected: bad input, expired or erased */
};

/*
 * Bulk loading: reads are gathered, sorted and written straight into segments, without
 * the log; a loader is one commit. A lane is one thread's share; what a lane took is on disk when
 * pb_lane_finish returned, not before. A crash loses at most what was not yet
 * flushed, and loading the same input again completes it without duplicates. A read without event
 * id that is gone from disk while a correction of it is not is taken for a new one.
 *
 * on_reject may be NULL; it is called, never twice at once, with each read that is
 * not stored and why (PB_CONFLICT, PB_EXPIRED or PB_BAD_INPUT); the read is borrowed for the call.
 */
typedef void pb_reject_fn(void *context, const struct pb_read *read, enum pb_status why,
                          const char *reason);
PB_MUST_CHECK enum pb_status pb_loader_new(struct pb_store *store, unsigned lane_count,
                                           pb_reject_fn *on_reject, void *context,
                                           struct pb_loader **ret_loader, struct pb_error *error);
/* Borrowed from the loader; index is 0 to lane_count - 1. */
struct pb_lane *pb_loader_lane(struct pb_loader *loader, unsigned index);
PB_MUST_CHECK enum pb_status pb_lane_add(struct pb_lane *lane, const struct pb_read *reads,
                                         size_t count, struct pb_error *error);
/* The same for reads that are known to be valid, as those of Platebase's own parsers are: it saves
 * checking them twice. What is not valid must not be given. */
PB_MUST_CHECK enum pb_status pb_lane_add_valid(struct pb_lane *lane, const struct pb_read *reads,
                                               size_t count, struct pb_error *error);
/* Writes what the lane took, and with it what others have taken by now. */
PB_MUST_CHECK enum pb_status pb_lane_finish(struct pb_lane *lane, struct pb_error *error);
/* The same for all lanes, at the end and while no thread is using one: they become as few segments
 * as can be, which finishing them one by one would not. */
PB_MUST_CHECK enum pb_status pb_loader_finish(struct pb_loader *loader, struct pb_error *error);
/* Sums over all lanes; call when all have finished. */
void pb_loader_counts(const struct pb_loader *loader, struct pb_load_counts *ret_counts);
/* Frees a loader, finished or not; what was not finished is dropped. NULL is fine. */
void pb_loader_free(struct pb_loader *loader);

/*
 * Erases what matches, at once for every later question and for good at the next merge or purge.
 * plate empty: any plate; reader empty: any reader; captured in [from_us, to_us). What was erased
 * is refused when it is sent again (PB_EXPIRED), by the newest 10,000 erasures at least.
 *
 * PB_OVER_LIMIT  100,000 erasures wait to be applied for good: purge first
 */
struct pb_erasure {
    struct pb_str plate; /* folded */
    uint16_t jurisdiction; /* 0: any */
    struct pb_str reader;
    int64_t from_us, to_us;
};
PB_MUST_CHECK enum pb_status pb_store_erase(struct pb_store *store,
                                            const struct pb_erasure *erasure,
                                            struct pb_error *error);

/* Writes what is only in the log into segments. */
PB_MUST_CHECK enum pb_status pb_store_flush(struct pb_store *store, struct pb_error *error);

/* Merges until no two segments of a partition are worth merging (all: until each
 * partition is as few segments as the size limit allows). Where more than 2,097,152 revisions wait
 * to be applied to reads in segments, applies them first. progress may be NULL. */
PB_MUST_CHECK enum pb_status pb_store_merge(struct pb_store *store, bool all,
                                            const struct pb_progress *progress,
                                            struct pb_error *error);

struct pb_purge_counts {
    uint64_t reads_removed;    /* expired or erased reads now gone from disk */
    uint64_t segments_dropped; /* files deleted without rewriting */
    uint64_t segments_rewritten;
    uint64_t bytes_freed;
};
/*
 * Removes from disk every read that has expired by now or was erased. The store's on_removed is
 * told of as many reads as ret_counts->reads_removed says. A segment that is damaged keeps its
 * reads until all of it has expired and does not keep others from going: the others go first, then
 * PB_E_CORRUPT is returned.
 */
PB_MUST_CHECK enum pb_status pb_store_purge(struct pb_store *store,
                                            const struct pb_progress *progress,
                                            struct pb_purge_counts *ret_counts,
                                            struct pb_error *error);

/*
 * The time after which a read is to be deleted, or PB_NEVER; what is outside the times that a store
 * takes is brought to the nearest that it takes. Of read are set: plate, jurisdiction, reader,
 * captured_at_us, delete_after_us (as it is now), lat_e7 and lon_e7; all else is unknown. To the
 * same read it must give the same answer throughout a call of pb_store_restamp.
 */
typedef int64_t pb_restamp_fn(void *context, const struct pb_read *read);

struct pb_restamp_counts {
    uint64_t reads_asked;   /* of fn; reads not expired when the call began */
    uint64_t reads_later;   /* date moved to later */
    uint64_t reads_earlier; /* to earlier */
    uint64_t reads_removed; /* from disk with segments that were rewritten: expired, or erased */
    uint64_t segments_rewritten;
};
/*
 * Gives every stored read the date that fn says, later or earlier: for when a rule is shortened, a
 * legal hold begins, or one ends.
 *
 * A read that had expired when the call began keeps its date: it never comes back. One whose date
 * passes meanwhile gets the new one. Reads that are appended or loaded meanwhile keep the date that
 * they came with: stamp them by the new rules first, then restamp.
 *
 * Durable on PB_OK. Segments are replaced one at a time, each as a whole: after a failure, a crash
 * or a stop some have new dates and the others old ones, and another call completes it. Segments
 * in which nothing changes are read (only the columns of the fields above) and not written.
 * Questions go on meanwhile; merges and purges wait. Needs room on disk for the largest segment.
 *
 * progress  may be NULL
 *
 * PB_BAD_INPUT  opened for reading only, or fn does not give the same answers; told to stop
 * PB_E_CORRUPT  some segment is damaged and keeps its dates; all others have their new ones
 */
PB_MUST_CHECK enum pb_status pb_store_restamp(struct pb_store *store, pb_restamp_fn *fn,
                                              void *context, const struct pb_progress *progress,
                                              struct pb_restamp_counts *ret_counts,
                                              struct pb_error *error);

/* One damaged place. offset is in bytes from the start of file. */
typedef void pb_damage_fn(void *context, const char *file, uint64_t offset, const char *what);

/* ---- asking ---- */

enum pb_match {
    PB_MATCH_EXACT = 0,     /* the folded plate is what was asked */
    PB_MATCH_PATTERN = 1,   /* it fits the wildcards */
    PB_MATCH_LOOKALIKE = 2, /* equal but for look-alike characters */
    PB_MATCH_EDITS = 3,     /* within the edit distance */
};

struct pb_query {
    /* Plate: empty means any (then an area is needed). Folded plate text, or a
     * pattern of platebase/plate.h: `?` one, `*` any, `[AB]` one of. */
    struct pb_str plate;
    unsigned edits;            /* 0 to 2: edit distance, insertions and deletions included */
    bool with_lookalikes;      /* 0OQD, 1I, 8B, 5S, 2Z count as equal */
    bool without_alternates;   /* do not search the readers' other candidates */
    bool with_superseded;      /* also return older revisions */

    const struct pb_geo_area *area; /* borrowed for the cursor's life; NULL: anywhere */

    int64_t from_us, to_us;    /* captured in [from_us, to_us); both needed */
    uint16_t jurisdiction;     /* 0: any; reads of unknown jurisdiction do not match a given one */
    struct pb_str reader;      /* empty: any */
    struct pb_str make, model, color, body; /* empty: any; compared without case */
    int confidence_min_permille; /* 0: any */

    struct pb_str resume;      /* token of pb_cursor_token(), or empty */

    /* NULL: damage that the question touches fails it (PB_E_CORRUPT). Else the reads that cannot be
     * found or read because of it are left out, and each damaged place is told, once, from within
     * pb_store_search and pb_cursor_next: whoever shows the results must show that, too. */
    pb_damage_fn *on_damage;
    void *damage_context;
};

struct pb_result {
    struct pb_read read;  /* views, valid until the next call on the cursor */
    enum pb_match match;
    unsigned edits;       /* distance found, 0 to 2 */
    unsigned alternate;   /* 0: the plate itself; n: the reader's n-th alternate matched */
};

/* Starts a question. Newest first. query is borrowed for the call but for `area`. */
PB_MUST_CHECK enum pb_status pb_store_search(struct pb_store *store, const struct pb_query *query,
                                             struct pb_cursor **ret_cursor,
                                             struct pb_error *error);
/* The next result: PB_OK, PB_END, or a failure. */
PB_MUST_CHECK enum pb_status pb_cursor_next(struct pb_cursor *cursor, struct pb_result *ret_result,
                                            struct pb_error *error);

#define PB_TOKEN_BYTES_MAX 128
/* An opaque token that resumes after the last result given, also in another process and
 * after merges. NUL-terminated, printable. PB_NOT_FOUND before the first result. */
PB_MUST_CHECK enum pb_status pb_cursor_token(const struct pb_cursor *cursor,
                                             char ret_token[PB_TOKEN_BYTES_MAX]);
void pb_cursor_free(struct pb_cursor *cursor);

struct pb_plate_count {
    struct pb_str plate;     /* valid during the call */
    uint16_t jurisdiction;
    uint64_t reads;          /* reads not expired, superseded or erased */
    int64_t first_us, last_us;
    enum pb_match match;
    unsigned edits;
};
/* Distinct plates that fit pattern, edits and look-alikes, in plate order, with their
 * counts. Return false from each to stop. on_damage as in struct pb_query, with the same context
 * as each. */
typedef bool pb_plate_fn(void *context, const struct pb_plate_count *plate);
PB_MUST_CHECK enum pb_status pb_store_plates(struct pb_store *store, struct pb_str pattern,
                                             unsigned edits, bool with_lookalikes,
                                             uint16_t jurisdiction, pb_plate_fn *each,
                                             pb_damage_fn *on_damage, void *context,
                                             struct pb_error *error);

struct pb_store_stats {
    uint64_t reads;         /* rows on disk and in the buffer, history included */
    uint64_t plates;        /* distinct plates, summed over segments (an upper bound) */
    uint64_t bytes;         /* all files of the store */
    uint64_t segments, partitions;
    uint64_t buffered_reads;
    uint64_t erasures;      /* not yet applied for good */
    int64_t oldest_us, newest_us; /* captured; oldest > newest where the store is empty */
    uint64_t commit;        /* newest commit */
    uint64_t memory_bytes;  /* held by this process for this store */
};
PB_MUST_CHECK enum pb_status pb_store_stats(struct pb_store *store,
                                            struct pb_store_stats *ret_stats,
                                            struct pb_error *error);

/* ---- care ---- */

struct pb_verify_counts {
    uint64_t files, blocks, reads, damaged;
};
/* Reads every byte of every file and checks it. PB_OK also where damage was found: see
 * ret_counts->damaged. Works on a directory that pb_store_open refuses. */
PB_MUST_CHECK enum pb_status pb_store_verify(const struct pb_env *env, const char *path,
                                             pb_damage_fn *on_damage, void *context,
                                             const struct pb_progress *progress,
                                             struct pb_verify_counts *ret_counts,
                                             struct pb_error *error);

/* A consistent copy of an open store in a new directory, by hard links where the file
 * system allows, else by copying. Writing goes on meanwhile. */
PB_MUST_CHECK enum pb_status pb_store_backup(struct pb_store *store, const char *target_path,
                                             const struct pb_progress *progress,
                                             struct pb_error *error);
/* Checks a backup and makes a store of it at target_path (new or empty). */
PB_MUST_CHECK enum pb_status pb_store_restore(const struct pb_env *env, const char *backup_path,
                                              const char *target_path,
                                              const struct pb_progress *progress,
                                              struct pb_error *error);

#ifdef __cplusplus
}
#endif
#endif
