/*
 * Skips: what a question that goes on past damage left out, told to who asked.
 *
 * Threads: one at a time.
 */
#ifndef PB_STORE_LOCAL_SKIPS_H
#define PB_STORE_LOCAL_SKIPS_H

#include <stdint.h>

#include <platebase/store.h>

struct pb_segment;

struct pb_skips {
    const struct pb_env *env;
    pb_damage_fn *on_damage; /* NULL: nothing is skipped, damage is a failure */
    void *context;
    struct pb_error error;   /* of the call that may find damage */
    struct {
        const struct pb_segment *segment;
        uint64_t offset;
    } *told; /* owned */
    uint32_t count, room;
};

/* Zeroed memory with env, on_damage and context set is ready. */
void pb_skips_done(struct pb_skips *skips);
/*
 * Whether a failure of looking into a segment may be passed over: PB_OK where it is damage that is
 * skipped, and then it is told, once for each place; else status as it is.
 *
 * The failed call must have been given pb_skips_error().
 */
PB_MUST_CHECK enum pb_status pb_skips_pass(struct pb_skips *skips,
                                           const struct pb_segment *segment,
                                           enum pb_status status);
/* Where failures go: damage is told from it, also where nobody wants errors. */
static inline struct pb_error *
pb_skips_error(struct pb_skips *skips)
{
    return &skips->error;
}

#endif
