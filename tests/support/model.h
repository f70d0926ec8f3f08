/*
 * Model: what a read store should answer, in plain memory, with arrays and linear search.
 *
 * It knows nothing of files, segments or indexes. Every row that was ever stored stays
 * until model_forget, for what has expired or was erased may still be on a disk.
 *
 * Threads: one at a time.
 */
#ifndef PB_SUPPORT_MODEL_H
#define PB_SUPPORT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/store.h>

#include "base/arena.h"

struct model_row {
    struct pb_read read; /* owned by the model's arena */
    uint64_t identity;
    bool is_erased;
};

struct model {
    const struct pb_env *env;
    struct pb_arena arena;
    struct model_row *rows; /* owned */
    uint32_t row_count, row_room;
    struct pb_erasure *erasures; /* owned */
    uint32_t erasure_count, erasure_room;
};

/* Without memory the process is aborted: this is for tests. */
void model_init(struct model *model, const struct pb_env *env);
void model_done(struct model *model);

bool model_is_live(const struct model_row *row, int64_t now_us);

/*
 * What an append must answer. PB_END where that depends on what of the read's identity is
 * still on disk though it has expired or was erased: then a test had better not ask.
 */
enum pb_status model_judge(const struct model *model, const struct pb_read *read, int64_t now_us,
                           bool *ret_is_history);
/* Takes a read that model_judge answers with PB_OK. */
void model_store(struct model *model, const struct pb_read *read, int64_t now_us,
                 bool is_history);
void model_erase(struct model *model, const struct pb_erasure *erasure);
/* As pb_store_restamp. */
void model_restamp(struct model *model, pb_restamp_fn *fn, void *context, int64_t now_us);
/* Drops what has expired or was erased: a purge has removed it for good. */
void model_forget(struct model *model, int64_t now_us);

struct model_result {
    const struct model_row *row;
    enum pb_match match;
    unsigned edits, alternate;
};
/* All results in order, in fresh memory that model_free gives back. query->resume is not
 * looked at. */
uint32_t model_search(const struct model *model, const struct pb_query *query, int64_t now_us,
                      struct model_result **ret_results);

/* Distinct plates in order; plate texts point into the model. */
uint32_t model_plates(const struct model *model, struct pb_str pattern, unsigned edits,
                      bool with_lookalikes, uint16_t jurisdiction, int64_t now_us,
                      struct pb_plate_count **ret_plates);
void model_free(const struct model *model, void *memory);

/* What differs between a read that was stored and one that was found, or NULL. The commit is
 * not looked at, nor the received time where `with_received` is false. */
const char *model_difference(const struct pb_read *stored, const struct pb_read *found,
                             bool with_received);

#endif
