/*
 * Plates, counted: for answers that are about plates and not about single reads.
 *
 * Only what the sieve admits is counted, so that no number tells of a row that is not the asker's.
 */
#include <string.h>

#include "inquiry/inquiry_private.h"

#define SLOTS_FIRST 1024u /* a power of two */

void
pb_tally_init(struct pb_tally *tally, const struct pb_env *env)
{
    *tally = (struct pb_tally){ .env = env };
}

void
pb_tally_done(struct pb_tally *tally)
{
    pb_free(tally->env, tally->plates);
    pb_free(tally->env, tally->slots);
    pb_free(tally->env, tally->hits);
    *tally = (struct pb_tally){ .env = tally->env };
}

static uint64_t
hash_plate(struct pb_str plate, uint16_t jurisdiction)
{
    return pb_hash_bytes(plate.text, plate.bytes) + jurisdiction * UINT64_C(0x9E3779B97F4A7C15);
}

static struct pb_str
plate_text(const struct pb_tally_plate *plate)
{
    return (struct pb_str){ plate->text, plate->bytes };
}

int
pb_tally_compare_plates(const struct pb_tally_plate *a, const struct pb_tally_plate *b)
{
    int order = pb_str_compare(plate_text(a), plate_text(b));

    return order != 0 ? order
                      : (a->jurisdiction > b->jurisdiction) - (a->jurisdiction < b->jurisdiction);
}

static uint32_t *
find_slot(const struct pb_tally *tally, struct pb_str plate, uint16_t jurisdiction)
{
    uint32_t mask = tally->slot_count - 1;
    uint32_t at = (uint32_t)(hash_plate(plate, jurisdiction) >> 20) & mask;

    for (;; at = (at + 1) & mask) {
        const struct pb_tally_plate *found = NULL;

        if (tally->slots[at] == 0)
            return &tally->slots[at];
        found = &tally->plates[tally->slots[at] - 1];
        if (found->jurisdiction == jurisdiction && pb_str_equal(plate_text(found), plate))
            return &tally->slots[at];
    }
}

static enum pb_status
grow_slots(struct pb_tally *tally)
{
    uint32_t count = tally->slot_count == 0 ? SLOTS_FIRST : tally->slot_count * 2;
    uint32_t *slots = pb_calloc(tally->env, count, sizeof(*slots));

    if (slots == NULL)
        return PB_E_NOMEM;
    pb_free(tally->env, tally->slots);
    tally->slots = slots;
    tally->slot_count = count;
    for (uint32_t i = 0; i < tally->plate_count; i++)
        *find_slot(tally, plate_text(&tally->plates[i]), tally->plates[i].jurisdiction) = i + 1;
    return PB_OK;
}

static enum pb_status
grow(const struct pb_env *env, void **array, size_t element_bytes, uint64_t room)
{
    void *larger = pb_realloc(env, *array, (size_t)room * element_bytes);

    if (larger == NULL)
        return PB_E_NOMEM;
    *array = larger;
    return PB_OK;
}

static enum pb_status
make_room(struct pb_tally *tally)
{
    enum pb_status status = PB_OK;

    if (tally->plate_count * 2 >= tally->slot_count)
        status = grow_slots(tally);
    if (status == PB_OK && tally->plate_count == tally->plate_room) {
        uint32_t room = tally->plate_room * 2 + 256;

        status = grow(tally->env, (void **)&tally->plates, sizeof(*tally->plates), room);
        if (status == PB_OK)
            tally->plate_room = room;
    }
    if (status == PB_OK && tally->hit_count == tally->hit_room) {
        uint64_t room = tally->hit_room * 2 + 1024;

        status = grow(tally->env, (void **)&tally->hits, sizeof(*tally->hits), room);
        if (status == PB_OK)
            tally->hit_room = room;
    }
    return status;
}

static uint32_t
new_plate(struct pb_tally *tally, const struct pb_read *read)
{
    struct pb_tally_plate *plate = &tally->plates[tally->plate_count];

    memset(plate, 0, sizeof(*plate));
    memcpy(plate->text, read->plate.text, read->plate.bytes);
    plate->bytes = (uint8_t)read->plate.bytes;
    plate->jurisdiction = read->jurisdiction;
    plate->first_us = read->captured_at_us;
    plate->last_us = read->captured_at_us;
    return tally->plate_count++;
}

enum pb_status
pb_tally_add(struct pb_tally *tally, const struct pb_read *read, uint32_t agency,
             uint32_t *ret_plate, struct pb_error *error)
{
    struct pb_tally_plate *plate = NULL;
    uint32_t *slot = NULL;
    enum pb_status status = PB_OK;

    if (tally->hit_count == PB_QUESTION_READS_MAX)
        return pb_fail(error, PB_OVER_LIMIT,
                       "more than %u reads would have to be counted; narrow the question",
                       PB_QUESTION_READS_MAX);
    status = make_room(tally);
    if (status != PB_OK)
        return pb_fail(error, status, "no memory to count plates");
    slot = find_slot(tally, read->plate, read->jurisdiction);
    if (*slot == 0)
        *slot = new_plate(tally, read) + 1;
    plate = &tally->plates[*slot - 1];
    plate->reads++;
    if (read->captured_at_us < plate->first_us)
        plate->first_us = read->captured_at_us;
    if (read->captured_at_us > plate->last_us)
        plate->last_us = read->captured_at_us;
    tally->hits[tally->hit_count++] = (uint64_t)(*slot - 1) << 32 | agency;
    *ret_plate = *slot - 1;
    return PB_OK;
}

/* ---- order ---- */

static void
sift_down(const struct pb_tally *tally, pb_tally_compare_fn *compare, uint32_t *order, uint32_t at,
          uint32_t count)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        uint32_t swap = order[at];

        if (child >= count)
            return;
        if (child + 1 < count &&
            compare(&tally->plates[order[child + 1]], &tally->plates[order[child]]) > 0)
            child++;
        if (compare(&tally->plates[order[child]], &tally->plates[order[at]]) <= 0)
            return;
        order[at] = order[child];
        order[child] = swap;
        at = child;
    }
}

/* Heap sort: in place, no worst case. */
static void
sort(const struct pb_tally *tally, pb_tally_compare_fn *compare, uint32_t *order, uint32_t count)
{
    for (uint32_t at = count / 2; at-- > 0;)
        sift_down(tally, compare, order, at, count);
    for (uint32_t end = count; end > 1; end--) {
        uint32_t last = order[end - 1];

        order[end - 1] = order[0];
        order[0] = last;
        sift_down(tally, compare, order, 0, end - 1);
    }
}

enum pb_status
pb_tally_order(const struct pb_tally *tally, pb_tally_wanted_fn *wanted,
               pb_tally_compare_fn *compare, uint32_t **ret_order, uint32_t *ret_count)
{
    uint32_t *order = pb_calloc(tally->env, tally->plate_count + 1u, sizeof(*order));
    uint32_t count = 0;

    if (order == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < tally->plate_count; i++) {
        if (wanted == NULL || wanted(&tally->plates[i]))
            order[count++] = i;
    }
    sort(tally, compare, order, count);
    *ret_order = order;
    *ret_count = count;
    return PB_OK;
}

/* ---- giving plates ---- */

static uint32_t
count_bits(uint32_t bits)
{
    uint32_t count = 0;

    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

static enum pb_status
give(struct pb_question *question, struct pb_tally_plate *plate)
{
    struct pb_row *row = pb_answer_add(question->answer);
    enum pb_status status = PB_OK;

    if (row == NULL)
        return PB_E_NOMEM;
    status = pb_arena_copy(&question->answer->arena, plate_text(plate), &row->plate);
    row->jurisdiction = plate->jurisdiction;
    row->reads = plate->reads;
    row->first_us = plate->first_us;
    row->last_us = plate->last_us;
    row->places = count_bits(plate->places);
    row->together = plate->together;
    row->expected = plate->expected;
    row->score = plate->score;
    plate->is_given = true;
    return status;
}

enum pb_status
pb_question_give_plates(struct pb_question *question, struct pb_tally *tally, const uint32_t *order,
                        uint32_t count, struct pb_error *error)
{
    struct pb_answer *answer = question->answer;
    uint64_t first = question->is_page ? question->page.given : 0;
    enum pb_status status = PB_OK;

    answer->count = count;
    for (uint64_t i = first; i < count && answer->row_count < question->keep_max && status == PB_OK;
         i++)
        status = give(question, &tally->plates[order[i]]);
    for (uint64_t i = 0; i < tally->hit_count; i++) {
        if (tally->plates[tally->hits[i] >> 32].is_given)
            question->reads_by_agency[tally->hits[i] & UINT32_MAX]++;
    }
    return status == PB_OK ? status : pb_fail(error, status, "no memory for the answer");
}
