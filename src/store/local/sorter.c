/*
 * Sorter: radix sort in memory, runs on disk when there is more, a small heap to merge them.
 */
#include "store/local/sorter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11u
#define DIGITS ((64u + DIGIT_BITS - 1) / DIGIT_BITS)
#define BUCKETS (1u << DIGIT_BITS)
#define RUN_PAIRS_MIN 4096u
#define FIRST_PAIRS 4096u
#define READ_PAIRS 4096u

void
pb_pairs_sort(struct pb_pair *pairs, struct pb_pair *scratch, size_t count)
{
    size_t starts[DIGITS][BUCKETS];
    struct pb_pair *from = pairs;
    struct pb_pair *to = scratch;

    if (count < 2)
        return;
    memset(starts, 0, sizeof(starts));
    for (size_t i = 0; i < count; i++) {
        for (unsigned d = 0; d < DIGITS; d++)
            starts[d][pairs[i].key >> (d * DIGIT_BITS) & (BUCKETS - 1)]++;
    }
    for (unsigned d = 0; d < DIGITS; d++) {
        size_t sum = 0;
        struct pb_pair *swap = from;

        /* A digit that all keys share needs no pass. */
        if (starts[d][from[0].key >> (d * DIGIT_BITS) & (BUCKETS - 1)] == count)
            continue;
        for (unsigned b = 0; b < BUCKETS; b++) {
            size_t here = starts[d][b];

            starts[d][b] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            to[starts[d][from[i].key >> (d * DIGIT_BITS) & (BUCKETS - 1)]++] = from[i];
        from = to;
        to = swap;
    }
    if (from != pairs)
        memcpy(pairs, from, count * sizeof(*pairs));
}

/* One sorted run in the spill file, being read back. */
struct run {
    uint64_t offset, left; /* of pairs not yet read into window */
    struct pb_pair *window; /* owned: READ_PAIRS */
    uint32_t at, count;
};

struct pb_sorter {
    const struct pb_env *env;
    char *spill_path;       /* owned */
    struct pb_pair *pairs;  /* owned: `room` of them */
    struct pb_pair *scratch; /* owned: likewise; only while sorting */
    size_t count, room, room_max;
    size_t next;            /* without runs: the next pair to give */
    struct pb_file *spill;  /* owned; NULL while memory does */
    uint64_t spill_bytes;
    struct run *runs;       /* owned */
    uint32_t run_count;
    uint32_t *heap;         /* owned: run numbers, least pair first */
    uint32_t heap_count;
};

enum pb_status
pb_sorter_new(const struct pb_env *env, const char *spill_path, size_t memory_bytes,
              struct pb_sorter **ret_sorter)
{
    struct pb_sorter *sorter = pb_calloc(env, 1, sizeof(*sorter));
    size_t path_bytes = strlen(spill_path) + 1;

    if (sorter == NULL)
        return PB_E_NOMEM;
    sorter->env = env;
    sorter->room_max = memory_bytes / (2 * sizeof(struct pb_pair));
    if (sorter->room_max < RUN_PAIRS_MIN)
        sorter->room_max = RUN_PAIRS_MIN;
    sorter->spill_path = pb_alloc(env, path_bytes);
    if (sorter->spill_path == NULL) {
        pb_sorter_free(sorter);
        return PB_E_NOMEM;
    }
    memcpy(sorter->spill_path, spill_path, path_bytes);
    *ret_sorter = sorter;
    return PB_OK;
}

void
pb_sorter_free(struct pb_sorter *sorter)
{
    const struct pb_env *env = NULL;

    if (sorter == NULL)
        return;
    env = sorter->env;
    if (sorter->spill != NULL) {
        env->files->close(env->file_context, sorter->spill);
        /* What is left behind is deleted when the store is opened next. */
        (void)!env->files->unlink(env->file_context, sorter->spill_path, NULL);
    }
    for (uint32_t i = 0; i < sorter->run_count; i++)
        pb_free(env, sorter->runs[i].window);
    pb_free(env, sorter->runs);
    pb_free(env, sorter->heap);
    pb_free(env, sorter->pairs);
    pb_free(env, sorter->scratch);
    pb_free(env, sorter->spill_path);
    pb_free(env, sorter);
}

/* Sorts what is in memory. The scratch room is held only while it is needed. */
static enum pb_status
sort_memory(struct pb_sorter *sorter)
{
    sorter->scratch = pb_alloc(sorter->env, (sorter->count + 1) * sizeof(*sorter->scratch));
    if (sorter->scratch == NULL)
        return PB_E_NOMEM;
    pb_pairs_sort(sorter->pairs, sorter->scratch, sorter->count);
    pb_free(sorter->env, sorter->scratch);
    sorter->scratch = NULL;
    return PB_OK;
}

static enum pb_status
spill_run(struct pb_sorter *sorter, struct pb_error *error)
{
    const struct pb_file_ops *files = sorter->env->files;
    void *context = sorter->env->file_context;
    struct run *runs = NULL;
    enum pb_status status = sort_memory(sorter);

    if (status != PB_OK)
        return status;
    runs = pb_realloc(sorter->env, sorter->runs, (sorter->run_count + 1) * sizeof(*runs));
    if (runs == NULL)
        return PB_E_NOMEM;
    sorter->runs = runs;
    if (sorter->spill == NULL) {
        status = files->open(context, sorter->spill_path, PB_OPEN_CREATE, &sorter->spill, error);
        if (status != PB_OK)
            return status;
    }
    status = files->write(context, sorter->spill, sorter->spill_bytes, sorter->pairs,
                          sorter->count * sizeof(*sorter->pairs), error);
    if (status != PB_OK)
        return status;
    runs[sorter->run_count++]
        = (struct run){ .offset = sorter->spill_bytes, .left = sorter->count };
    sorter->spill_bytes += sorter->count * sizeof(*sorter->pairs);
    sorter->count = 0;
    return PB_OK;
}

enum pb_status
pb_sorter_add(struct pb_sorter *sorter, uint64_t key, uint64_t value, struct pb_error *error)
{
    if (sorter->count == sorter->room && sorter->room == sorter->room_max) {
        enum pb_status status = spill_run(sorter, error);

        if (status != PB_OK)
            return status;
    }
    if (sorter->count == sorter->room) {
        size_t room = sorter->room == 0 ? FIRST_PAIRS : sorter->room * 2;
        struct pb_pair *larger = NULL;

        if (room > sorter->room_max)
            room = sorter->room_max;
        larger = pb_realloc(sorter->env, sorter->pairs, room * sizeof(*larger));
        if (larger == NULL)
            return PB_E_NOMEM;
        sorter->pairs = larger;
        sorter->room = room;
    }
    sorter->pairs[sorter->count++] = (struct pb_pair){ key, value };
    return PB_OK;
}

/* Reads the next pairs of a run; at end its window is empty. */
static enum pb_status
refill(struct pb_sorter *sorter, struct run *run, struct pb_error *error)
{
    uint32_t count = run->left < READ_PAIRS ? (uint32_t)run->left : READ_PAIRS;
    enum pb_status status = PB_OK;

    run->at = 0;
    run->count = 0;
    if (count == 0)
        return PB_OK;
    status = sorter->env->files->read(sorter->env->file_context, sorter->spill, run->offset,
                                      run->window, count * sizeof(*run->window), error);
    if (status != PB_OK)
        return status;
    run->count = count;
    run->offset += count * sizeof(*run->window);
    run->left -= count;
    return PB_OK;
}

/* Runs were filled in order, so among equal keys the earlier run goes first. */
static bool
run_goes_before(const struct pb_sorter *sorter, uint32_t a, uint32_t b)
{
    const struct pb_pair *pair_a = &sorter->runs[a].window[sorter->runs[a].at];
    const struct pb_pair *pair_b = &sorter->runs[b].window[sorter->runs[b].at];

    return pair_a->key != pair_b->key ? pair_a->key < pair_b->key : a < b;
}

static void
sift_down(struct pb_sorter *sorter, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        uint32_t swap = sorter->heap[at];

        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < sorter->heap_count;
             child++) {
            if (run_goes_before(sorter, sorter->heap[child], sorter->heap[least]))
                least = child;
        }
        if (least == at)
            return;
        sorter->heap[at] = sorter->heap[least];
        sorter->heap[least] = swap;
        at = least;
    }
}

enum pb_status
pb_sorter_finish(struct pb_sorter *sorter, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    if (sorter->run_count == 0)
        return sort_memory(sorter);
    assert(sorter->count > 0); /* what made the last run be written came after it */
    status = spill_run(sorter, error);
    if (status != PB_OK)
        return status;
    pb_free(sorter->env, sorter->pairs);
    sorter->pairs = NULL;
    sorter->room = 0;
    sorter->heap = pb_calloc(sorter->env, sorter->run_count, sizeof(*sorter->heap));
    if (sorter->heap == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < sorter->run_count; i++) {
        sorter->runs[i].window = pb_calloc(sorter->env, READ_PAIRS, sizeof(struct pb_pair));
        if (sorter->runs[i].window == NULL)
            return PB_E_NOMEM;
        status = refill(sorter, &sorter->runs[i], error);
        if (status != PB_OK)
            return status;
        sorter->heap[sorter->heap_count++] = i;
    }
    for (uint32_t i = sorter->heap_count; i-- > 0;)
        sift_down(sorter, i);
    return PB_OK;
}

enum pb_status
pb_sorter_next(struct pb_sorter *sorter, struct pb_pair *ret_pair, struct pb_error *error)
{
    struct run *run = NULL;
    enum pb_status status = PB_OK;

    if (sorter->run_count == 0) {
        if (sorter->next == sorter->count)
            return PB_END;
        *ret_pair = sorter->pairs[sorter->next++];
        return PB_OK;
    }
    if (sorter->heap_count == 0)
        return PB_END;
    run = &sorter->runs[sorter->heap[0]];
    *ret_pair = run->window[run->at++];
    if (run->at == run->count) {
        status = refill(sorter, run, error);
        if (status != PB_OK)
            return status;
        if (run->count == 0)
            sorter->heap[0] = sorter->heap[--sorter->heap_count];
    }
    sift_down(sorter, 0);
    return PB_OK;
}
