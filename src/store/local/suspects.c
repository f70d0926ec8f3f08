/*
 * Suspects: identities sorted, beside the events of segments.
 */
#include "store/local/suspects.h"

#include <assert.h>
#include <string.h>

#include "base/env.h"
#include "store/local/filter.h"
#include "store/local/sorter.h"

#define KEY_SHIFT 16u /* from an identity to the key of table events */
#define KEYS_FIRST 64u
#define FILTER_SHARE 16u /* an identity for so much memory: in a filter it takes 1.6 bytes */
#define HELD_SHARE 4u    /* one identity of so many is held back, at most, but rarely */

struct pb_suspects {
    const struct pb_env *env; /* borrowed */
    uint64_t filter_count;    /* identities that the filter is made for */
    struct pb_filter *sifted; /* owned: of all; NULL where they are not sifted, or are found */
    struct pb_filter *seen;   /* owned: of those that seem to be there twice; likewise */
    struct pb_sorter *sorter; /* owned; NULL once the suspects are found */
    struct pb_filter *filter; /* owned: of the suspects; NULL as long as there is none */
    struct pb_filter *held;   /* owned: of those that are held back; likewise */
    uint64_t *common;         /* owned: keys, ascending */
    uint64_t common_count, common_room;
};

/* ---- the events of a segment ---- */

/* Decodes the next block; the walk is at its first key. */
static enum pb_status
read_block(struct pb_event_walk *walk, struct pb_error *error)
{
    struct pb_block block;
    struct pb_column column;
    enum pb_status status =
        pb_segment_block(walk->segment, PB_TABLE_EVENTS, walk->next_block, &block, error);

    if (status == PB_OK)
        status = pb_segment_column(walk->segment, &block, 0, &column, error);
    if (status == PB_OK)
        status = pb_segment_column(walk->segment, &block, 1, &walk->rows, error);
    if (status != PB_OK)
        return status;
    pb_column_all(&column, walk->keys);
    walk->at = 0;
    walk->count = block.rows;
    walk->next_block++;
    return PB_OK;
}

enum pb_status
pb_event_walk_to(struct pb_event_walk *walk, uint64_t identity, bool *ret_is_there,
                 struct pb_error *error)
{
    const struct pb_table_view *table = &walk->segment->tables[PB_TABLE_EVENTS];
    uint64_t key = identity >> KEY_SHIFT;

    *ret_is_there = false;
    for (;;) {
        struct pb_block_keys keys;
        uint32_t block_of_key = 0;
        enum pb_status status = PB_OK;

        while (walk->at < walk->count && (uint64_t)walk->keys[walk->at] < key)
            walk->at++;
        *ret_is_there = walk->at < walk->count && (uint64_t)walk->keys[walk->at] == key;
        if (walk->at < walk->count || walk->next_block == table->blocks)
            return PB_OK;
        status = pb_segment_keys(walk->segment, PB_TABLE_EVENTS, &keys, error);
        if (status != PB_OK)
            return status;
        block_of_key = pb_block_keys_find(&keys, key - (key != 0));
        if (block_of_key > walk->next_block)
            walk->next_block = block_of_key;
        status = read_block(walk, error);
        if (status != PB_OK)
            return status;
    }
}

enum pb_status
pb_event_walk_take(struct pb_event_walk *walk, uint64_t *ret_row, struct pb_error *error)
{
    uint64_t row = (uint64_t)pb_column_get(&walk->rows, walk->at);

    if (row >= walk->segment->entry.rows)
        return pb_fail(error, PB_E_CORRUPT, "%s: an event's row is out of range",
                       pb_segment_name(walk->segment));
    *ret_row = row;
    walk->at++;
    return PB_OK;
}

enum pb_status
pb_event_walk_next(struct pb_event_walk *walk, uint64_t *ret_key, struct pb_error *error)
{
    if (walk->at == walk->count) {
        enum pb_status status = PB_END;

        if (walk->next_block < walk->segment->tables[PB_TABLE_EVENTS].blocks)
            status = read_block(walk, error);
        if (status != PB_OK)
            return status;
    }
    *ret_key = (uint64_t)walk->keys[walk->at++];
    return PB_OK;
}

/* ---- suspects ---- */

enum pb_status
pb_suspects_new(const struct pb_env *env, const char *spill_path, size_t memory_bytes,
                uint64_t count, struct pb_suspects **ret_suspects)
{
    struct pb_suspects *suspects = pb_calloc(env, 1, sizeof(*suspects));
    enum pb_status status = PB_OK;

    if (suspects == NULL)
        return PB_E_NOMEM;
    suspects->env = env;
    /* A filter that is too small takes more for suspects. */
    suspects->filter_count =
        count < memory_bytes / FILTER_SHARE ? count : memory_bytes / FILTER_SHARE;
    status = pb_sorter_new(env, spill_path, memory_bytes, &suspects->sorter);
    if (status != PB_OK) {
        pb_suspects_free(suspects);
        return status;
    }
    *ret_suspects = suspects;
    return PB_OK;
}

void
pb_suspects_free(struct pb_suspects *suspects)
{
    if (suspects == NULL)
        return;
    pb_filter_free(suspects->sifted);
    pb_filter_free(suspects->seen);
    pb_sorter_free(suspects->sorter);
    pb_filter_free(suspects->filter);
    pb_filter_free(suspects->held);
    pb_free(suspects->env, suspects->common);
    pb_free(suspects->env, suspects);
}

enum pb_status
pb_suspects_sift(struct pb_suspects *suspects, uint64_t identity)
{
    uint64_t key = identity >> KEY_SHIFT;
    enum pb_status status = PB_OK;

    if (suspects->seen == NULL)
        status = pb_filter_new(suspects->env, suspects->filter_count, &suspects->seen);
    if (status == PB_OK && suspects->sifted == NULL)
        status = pb_filter_new(suspects->env, suspects->filter_count, &suspects->sifted);
    if (status != PB_OK)
        return status;
    if (pb_filter_may_have(suspects->sifted, key))
        pb_filter_add(suspects->seen, key);
    else
        pb_filter_add(suspects->sifted, key);
    return PB_OK;
}

enum pb_status
pb_suspects_add(struct pb_suspects *suspects, uint64_t identity, struct pb_error *error)
{
    if (suspects->seen != NULL && !pb_filter_may_have(suspects->seen, identity >> KEY_SHIFT))
        return PB_OK;
    return pb_sorter_add(suspects->sorter, identity, 0, error);
}

/* Adds an identity to a filter, which is made for the first one. */
static enum pb_status
add_to(const struct pb_suspects *suspects, uint64_t count, struct pb_filter **filter,
       uint64_t identity)
{
    enum pb_status status = PB_OK;

    if (*filter == NULL)
        status = pb_filter_new(suspects->env, count, filter);
    if (status == PB_OK)
        pb_filter_add(*filter, identity >> KEY_SHIFT);
    return status;
}

static bool
may_be_in(const struct pb_filter *filter, uint64_t identity)
{
    return filter != NULL && pb_filter_may_have(filter, identity >> KEY_SHIFT);
}

/* Whether one of the walks has the identity; each goes on to it. */
static enum pb_status
is_stored(struct pb_event_walk *walks, uint32_t count, uint64_t identity, bool *ret_is,
          struct pb_error *error)
{
    enum pb_status status = PB_OK;

    *ret_is = false;
    for (uint32_t i = 0; i < count && status == PB_OK && !*ret_is; i++)
        status = pb_event_walk_to(&walks[i], identity, ret_is, error);
    return status;
}

/* Takes the identities in order. */
static enum pb_status
find_among(struct pb_suspects *suspects, struct pb_event_walk *walks, uint32_t count,
           struct pb_error *error)
{
    uint64_t before = 0; /* no identity is 0 */
    bool is_known = false;
    enum pb_status status = pb_sorter_finish(suspects->sorter, error);

    while (status == PB_OK) {
        struct pb_pair pair;

        status = pb_sorter_next(suspects->sorter, &pair, error);
        if (status != PB_OK || (pair.key == before && is_known))
            continue;
        is_known = pair.key == before;
        before = pair.key;
        if (!is_known)
            status = is_stored(walks, count, pair.key, &is_known, error);
        if (status == PB_OK && is_known)
            status = add_to(suspects, suspects->filter_count, &suspects->filter, pair.key);
    }
    return status == PB_END ? PB_OK : status;
}

enum pb_status
pb_suspects_find(struct pb_suspects *suspects, struct pb_segment *const *segments, uint32_t count,
                 struct pb_error *error)
{
    struct pb_event_walk *walks = pb_calloc(suspects->env, count + 1u, sizeof(*walks));
    uint32_t walk_count = 0;
    enum pb_status status = PB_OK;

    if (walks == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        if (segments[i]->tables[PB_TABLE_EVENTS].rows != 0)
            walks[walk_count++].segment = segments[i];
    }
    assert(walk_count == 0 || suspects->seen == NULL);
    status = find_among(suspects, walks, walk_count, error);
    for (uint32_t i = 0; i < walk_count; i++)
        pb_segment_forget(walks[i].segment);
    pb_sorter_free(suspects->sorter);
    pb_filter_free(suspects->sifted);
    pb_filter_free(suspects->seen);
    suspects->sorter = NULL;
    suspects->sifted = NULL;
    suspects->seen = NULL;
    pb_free(suspects->env, walks);
    return status;
}

bool
pb_suspects_has(const struct pb_suspects *suspects, uint64_t identity)
{
    return may_be_in(suspects->filter, identity);
}

enum pb_status
pb_suspects_hold_back(struct pb_suspects *suspects, uint64_t identity)
{
    return add_to(suspects, suspects->filter_count / HELD_SHARE, &suspects->held, identity);
}

/* ---- what came meanwhile ---- */

/* Where the key is among the common ones, or would be. */
static uint64_t
common_place(const struct pb_suspects *suspects, uint64_t key)
{
    uint64_t first = 0, end = suspects->common_count;

    while (first < end) {
        uint64_t middle = first + (end - first) / 2;

        if (suspects->common[middle] < key)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static bool
is_common(const struct pb_suspects *suspects, uint64_t key)
{
    uint64_t place = common_place(suspects, key);

    return place < suspects->common_count && suspects->common[place] == key;
}

bool
pb_suspects_is(const struct pb_suspects *suspects, uint64_t identity)
{
    return (may_be_in(suspects->held, identity) && pb_suspects_has(suspects, identity)) ||
           is_common(suspects, identity >> KEY_SHIFT);
}

static enum pb_status
add_key(struct pb_suspects *suspects, uint64_t key)
{
    uint64_t place = common_place(suspects, key);

    if (suspects->common_count == suspects->common_room) {
        uint64_t room = suspects->common_room == 0 ? KEYS_FIRST : suspects->common_room * 2;
        uint64_t *larger =
            pb_realloc(suspects->env, suspects->common, (size_t)room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        suspects->common = larger;
        suspects->common_room = room;
    }
    /* Keys of one segment ascend, so that mostly nothing is moved. */
    memmove(suspects->common + place + 1, suspects->common + place,
            (size_t)(suspects->common_count - place) * sizeof(*suspects->common));
    suspects->common[place] = key;
    suspects->common_count++;
    return PB_OK;
}

/* Rows of a segment, gathered. */
struct row_list {
    const struct pb_env *env;
    struct pb_pair *rows; /* owned: the key is the row */
    size_t count, room;
    bool has_failed;
};

static bool
gather_row(void *context, uint64_t row)
{
    struct row_list *list = context;

    if (list->count == list->room) {
        size_t room = list->room == 0 ? KEYS_FIRST : list->room * 2;
        struct pb_pair *larger = pb_realloc(list->env, list->rows, room * sizeof(*larger));

        list->has_failed = larger == NULL;
        if (list->has_failed)
            return false;
        list->rows = larger;
        list->room = room;
    }
    list->rows[list->count++] = (struct pb_pair){ row, 0 };
    return true;
}

static enum pb_status
take_rows(struct row_list *list, uint64_t **ret_rows, uint64_t *ret_count)
{
    struct pb_pair *scratch = pb_alloc(list->env, (list->count + 1) * sizeof(*scratch));
    uint64_t *rows = pb_alloc(list->env, (list->count + 1) * sizeof(*rows));

    if (scratch == NULL || rows == NULL) {
        pb_free(list->env, scratch);
        pb_free(list->env, rows);
        return PB_E_NOMEM;
    }
    pb_pairs_sort(list->rows, scratch, list->count);
    for (size_t i = 0; i < list->count; i++)
        rows[i] = list->rows[i].key;
    pb_free(list->env, scratch);
    *ret_rows = rows;
    *ret_count = list->count;
    return PB_OK;
}

enum pb_status
pb_suspects_add_common(struct pb_suspects *suspects, const struct pb_segment *segment,
                       const struct pb_segment *other, uint64_t **ret_rows, uint64_t *ret_count,
                       struct pb_error *error)
{
    struct pb_event_walk walk = { .segment = segment };
    struct pb_event_walk other_walk = { .segment = other };
    struct row_list list = { .env = suspects->env };
    uint64_t key = UINT64_MAX; /* which none is */
    enum pb_status status = PB_OK;

    while (status == PB_OK) {
        uint64_t before = key;
        bool is_there = false;

        status = pb_event_walk_next(&walk, &key, error);
        if (status != PB_OK || key == before)
            continue;
        status = pb_event_walk_to(&other_walk, key << KEY_SHIFT, &is_there, error);
        if (status != PB_OK || !is_there)
            continue;
        status = pb_segment_find_event(segment, key << KEY_SHIFT, gather_row, &list, error);
        if (status == PB_OK && list.has_failed)
            status = PB_E_NOMEM;
        if (status == PB_OK && !is_common(suspects, key))
            status = add_key(suspects, key);
    }
    if (status == PB_END)
        status = take_rows(&list, ret_rows, ret_count);
    pb_free(suspects->env, list.rows);
    return status;
}
