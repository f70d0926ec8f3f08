/*
 * Places: ranges of keys are chosen from a sample; a bin's keys are found by halving.
 *
 * A pair takes 12 bytes: the key, and the row.
 */
#include "store/local/places.h"

#include <assert.h>
#include <string.h>

#include "store/local/bins.h"
#include "base/bytes.h"

#define BINS_MIN 256u /* powers of two */
#define BINS_MAX 2048u
#define SAMPLE_PAIRS 16384u /* of the first rows, where there is no better sample */
#define PAIR_BYTES 12u
#define PARTS_MAX 3u /* sorted at one time */
/* Of a pair while its bin is sorted: as it was spilled, as it is given, and scratch. */
#define SORTED_BYTES (PAIR_BYTES + 2 * sizeof(struct pb_pair))

/* A bin that is being sorted. */
struct part {
    struct pb_crew_job job; /* the first, so that the one is the other */
    const struct pb_bin *bin;
    uint8_t *spilled;        /* owned: NULL where no bin is; room for any of them, as the others */
    struct pb_pair *pairs;   /* owned */
    struct pb_pair *scratch; /* owned */
    size_t count;
};

struct pb_places {
    const struct pb_env *env; /* borrowed */
    struct pb_crew *crew;     /* borrowed */
    size_t memory_bytes;
    struct pb_bins_budget budget;
    struct pb_bins bins;
    uint32_t bin_count, chunk_bytes;
    struct pb_bin sample; /* until keys are chosen */
    uint64_t sample_pairs;
    bool has_keys;
    uint64_t keys[BINS_MAX]; /* ascending: the least of each bin but the first */
    struct pb_bin bin[BINS_MAX];
    uint64_t counts[BINS_MAX];

    bool is_over;
    uint64_t count_most, spilled_most; /* of any bin: pairs, and bytes in the file */
    uint32_t next_bin;                 /* to be sorted next */
    struct part parts[PARTS_MAX];
    uint32_t parts_max, part_first, part_count;
};

void
pb_place_sample_add(struct pb_place_sample *sample, uint64_t key)
{
    if (sample->stride == 0)
        sample->stride = 1;
    if (sample->count == PB_PLACE_SAMPLE_KEYS) {
        for (uint32_t i = 0; i < PB_PLACE_SAMPLE_KEYS / 2; i++)
            sample->keys[i] = sample->keys[2 * i];
        sample->count = PB_PLACE_SAMPLE_KEYS / 2;
        sample->stride *= 2;
    }
    sample->keys[sample->count++] = key;
    sample->skip = sample->stride - 1;
}

/* Draws the borders of bins from some pairs, at least one, which it sorts. */
static void
choose_keys(struct pb_places *places, struct pb_pair *pairs, struct pb_pair *scratch, size_t count)
{
    assert(count > 0);
    pb_pairs_sort(pairs, scratch, count);
    for (uint32_t i = 1; i < places->bin_count; i++)
        places->keys[i] = pairs[i * count / places->bin_count].key;
    places->has_keys = true;
}

static enum pb_status
choose_from_sample(struct pb_places *places, const uint64_t *sample, size_t count)
{
    struct pb_pair *pairs = pb_alloc(places->env, 2 * count * sizeof(*pairs));

    if (pairs == NULL)
        return PB_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct pb_pair){ .key = sample[i] };
    choose_keys(places, pairs, pairs + count, count);
    pb_free(places->env, pairs);
    return PB_OK;
}

/* So many bins that one of them can be sorted in little memory, and each has a chunk. */
static void
lay_out(struct pb_places *places, uint64_t count)
{
    places->budget.bytes_max = places->memory_bytes / 4 * 3;
    places->bin_count = BINS_MIN;
    while (places->bin_count < BINS_MAX &&
           count / places->bin_count * SORTED_BYTES > places->memory_bytes / 8 &&
           (size_t)places->bin_count * 2 * PB_BINS_CHUNK_BYTES_MIN <= places->budget.bytes_max)
        places->bin_count *= 2;
    places->chunk_bytes = PB_BINS_CHUNK_BYTES_MIN;
    while (places->chunk_bytes < PB_BINS_CHUNK_BYTES_MAX &&
           (size_t)places->chunk_bytes * 16 * places->bin_count <= places->memory_bytes)
        places->chunk_bytes *= 2;
}

enum pb_status
pb_places_new(const struct pb_env *env, const char *spill_path, size_t memory_bytes, uint64_t count,
              struct pb_crew *crew, const uint64_t *sample, size_t sample_count,
              struct pb_places **ret_places)
{
    struct pb_places *places = pb_calloc(env, 1, sizeof(*places));
    enum pb_status status = PB_OK;

    if (places == NULL)
        return PB_E_NOMEM;
    places->env = env;
    places->crew = crew;
    places->memory_bytes = memory_bytes;
    lay_out(places, count);
    status = pb_bins_init(&places->bins, env, &places->budget, spill_path);
    if (status == PB_OK && sample_count >= places->bin_count)
        status = choose_from_sample(places, sample, sample_count);
    if (status != PB_OK) {
        pb_places_free(places);
        return status;
    }
    *ret_places = places;
    return PB_OK;
}

void
pb_places_free(struct pb_places *places)
{
    const struct pb_env *env = NULL;

    if (places == NULL)
        return;
    env = places->env;
    for (uint32_t i = 0; i < places->part_count; i++)
        pb_crew_wait(places->crew,
                     &places->parts[(places->part_first + i) % places->parts_max].job);
    for (uint32_t i = 0; i < PARTS_MAX; i++) {
        pb_free(env, places->parts[i].spilled);
        pb_free(env, places->parts[i].pairs);
        pb_free(env, places->parts[i].scratch);
    }
    for (uint32_t i = 0; i < places->bin_count; i++)
        pb_bin_done(&places->bin[i], env);
    pb_bin_done(&places->sample, env);
    pb_bins_done(&places->bins);
    pb_free(env, places);
}

/* ---- adding ---- */

static enum pb_status
put(struct pb_places *places, struct pb_bin *bin, uint64_t key, uint32_t row, bool may_spill,
    struct pb_error *error)
{
    uint8_t *at = NULL;
    enum pb_status status =
        pb_bin_add(&places->bins, bin, PAIR_BYTES, places->chunk_bytes, may_spill, &at, error);

    if (status != PB_OK)
        return status;
    pb_put_le64(at, key);
    pb_put_le32(at + 8, row);
    return PB_OK;
}

/* The last bin whose least key is at most key. */
static inline uint32_t
bin_of(const struct pb_places *places, uint64_t key)
{
    uint32_t bin = 0;

    for (uint32_t step = places->bin_count / 2; step > 0; step /= 2)
        bin += places->keys[bin + step] <= key ? step : 0;
    return bin;
}

/* Puts the pairs of a bin into memory, in order of arrival. */
static void
take_pairs(const struct pb_bin *bin, const uint8_t *spilled, struct pb_pair *ret_pairs)
{
    struct pb_bin_walk walk;
    const uint8_t *at = NULL;
    const uint8_t *end = NULL;

    pb_bin_walk_init(&walk, bin, spilled);
    while (pb_bin_walk_next(&walk, &at, &end)) {
        for (; at < end; at += PAIR_BYTES)
            *ret_pairs++ = (struct pb_pair){ pb_get_le64(at), pb_get_le32(at + 8) };
    }
}

/* Chooses the ranges of keys, and lays out what there is by them. */
static enum pb_status
spread(struct pb_places *places, struct pb_error *error)
{
    size_t count = (size_t)places->sample_pairs;
    struct pb_pair *pairs = pb_alloc(places->env, 2 * (count + 1) * sizeof(*pairs));
    enum pb_status status = PB_OK;

    if (pairs == NULL)
        return PB_E_NOMEM;
    take_pairs(&places->sample, NULL, pairs);
    choose_keys(places, pairs, pairs + count, count);
    take_pairs(&places->sample, NULL, pairs);
    for (size_t i = 0; i < count && status == PB_OK; i++) {
        uint32_t bin = bin_of(places, pairs[i].key);

        places->counts[bin]++;
        status =
            put(places, &places->bin[bin], pairs[i].key, (uint32_t)pairs[i].value, true, error);
    }
    pb_free(places->env, pairs);
    return status;
}

enum pb_status
pb_places_add(struct pb_places *places, uint64_t key, uint32_t row, struct pb_error *error)
{
    enum pb_status status = PB_OK;
    uint32_t bin = 0;

    assert(!places->is_over);
    if (!places->has_keys && places->sample_pairs < SAMPLE_PAIRS) {
        places->sample_pairs++;
        return put(places, &places->sample, key, row, false, error);
    }
    if (!places->has_keys)
        status = spread(places, error);
    if (status != PB_OK)
        return status;
    bin = bin_of(places, key);
    places->counts[bin]++;
    return put(places, &places->bin[bin], key, row, true, error);
}

/* ---- sorting ---- */

static void
sort_part(struct pb_crew_job *job)
{
    struct part *part = (struct part *)(void *)job;

    take_pairs(part->bin, part->spilled, part->pairs);
    pb_pairs_sort(part->pairs, part->scratch, part->count);
}

/* Finds out how much any bin has, and so how many are sorted at one time: a quarter of the memory
 * is theirs, but for one bin, which is sorted whatever it takes. */
static void
measure_bins(struct pb_places *places)
{
    uint64_t parts;

    for (uint32_t i = 0; i < places->bin_count; i++) {
        if (places->counts[i] > places->count_most)
            places->count_most = places->counts[i];
        if (places->bin[i].spilled_bytes > places->spilled_most)
            places->spilled_most = places->bin[i].spilled_bytes;
    }
    parts = places->memory_bytes / 4 / (places->count_most * SORTED_BYTES + 1);
    places->parts_max = parts > PARTS_MAX ? PARTS_MAX : parts < 1 ? 1 : (uint32_t)parts;
}

/* Makes room in a part for any bin, once. */
static enum pb_status
reserve(const struct pb_places *places, struct part *part)
{
    size_t count = (size_t)places->count_most;

    if (part->pairs == NULL)
        part->pairs = pb_alloc(places->env, count * sizeof(*part->pairs));
    if (part->scratch == NULL)
        part->scratch = pb_alloc(places->env, count * sizeof(*part->scratch));
    if (part->spilled == NULL && places->spilled_most != 0)
        part->spilled = pb_alloc(places->env, (size_t)places->spilled_most);
    return part->pairs == NULL || part->scratch == NULL ||
                   (part->spilled == NULL && places->spilled_most != 0)
               ? PB_E_NOMEM
               : PB_OK;
}

static enum pb_status
begin_part(struct pb_places *places, struct pb_error *error)
{
    struct part *part =
        &places->parts[(places->part_first + places->part_count) % places->parts_max];
    const struct pb_bin *bin = &places->bin[places->next_bin];
    size_t count = (size_t)places->counts[places->next_bin];
    enum pb_status status = reserve(places, part);

    places->next_bin++;
    if (status == PB_OK)
        status = pb_bin_read(&places->bins, bin, part->spilled, error);
    if (status != PB_OK)
        return status;
    part->bin = bin;
    part->count = count;
    part->job.run = sort_part;
    places->part_count++;
    pb_crew_submit(places->crew, &part->job);
    return PB_OK;
}

enum pb_status
pb_places_next(struct pb_places *places, const struct pb_pair **ret_pairs, size_t *ret_count,
               struct pb_error *error)
{
    struct part *part = NULL;
    enum pb_status status = PB_OK;

    if (places->is_over) {
        /* The part that was given last is filled again only now. */
        assert(places->part_count > 0);
        places->part_first = (places->part_first + 1) % places->parts_max;
        places->part_count--;
    }
    if (!places->has_keys) {
        /* Few: one bin does. */
        places->bin[0] = places->sample;
        places->counts[0] = places->sample_pairs;
        places->sample = (struct pb_bin){ 0 };
        places->has_keys = true;
    }
    if (!places->is_over)
        measure_bins(places);
    places->is_over = true;
    while (status == PB_OK && places->part_count < places->parts_max &&
           places->next_bin < places->bin_count) {
        if (places->counts[places->next_bin] == 0)
            places->next_bin++;
        else
            status = begin_part(places, error);
    }
    if (status != PB_OK)
        return status;
    if (places->part_count == 0)
        return PB_END;
    part = &places->parts[places->part_first];
    pb_crew_wait(places->crew, &part->job);
    *ret_pairs = part->pairs;
    *ret_count = part->count;
    return PB_OK;
}
