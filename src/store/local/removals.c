#include "store/local/removals.h"

#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "store/local/segment.h"

#define FIRST_ENTRIES 64u

void
pb_removals_init(struct pb_removals *removals, const struct pb_env *env)
{
    memset(removals, 0, sizeof(*removals));
    removals->env = env;
    pb_arena_init(&removals->arena, env, 4096);
}

void
pb_removals_done(struct pb_removals *removals)
{
    if (removals->env == NULL)
        return;
    pb_free(removals->env, removals->entries);
    pb_free(removals->env, removals->slots);
    pb_arena_clear(&removals->arena);
    memset(removals, 0, sizeof(*removals));
}

static uint32_t
hash_of(struct pb_str reader, int32_t day, enum pb_removal why)
{
    uint64_t hash = pb_hash_bytes(reader.text, reader.bytes) ^
                    ((uint64_t)(uint32_t)day << 1 | (uint64_t)why) * UINT64_C(0x9E3779B97F4A7C15);

    return (uint32_t)(hash ^ hash >> 32);
}

/* The slot of an entry, or the free one where it would stand. */
static uint32_t *
slot_of(const struct pb_removals *removals, struct pb_str reader, int32_t day, enum pb_removal why)
{
    uint32_t at = hash_of(reader, day, why) & (removals->slot_count - 1);

    for (;; at = (at + 1) & (removals->slot_count - 1)) {
        const struct pb_removed *entry = NULL;

        if (removals->slots[at] == 0)
            return &removals->slots[at];
        entry = &removals->entries[removals->slots[at] - 1];
        if (entry->day == day && entry->why == why && pb_str_equal(entry->reader, reader))
            return &removals->slots[at];
    }
}

static enum pb_status
grow(struct pb_removals *removals)
{
    uint32_t room = removals->room == 0 ? FIRST_ENTRIES : removals->room * 2;
    struct pb_removed *entries =
        pb_realloc(removals->env, removals->entries, room * sizeof(*entries));
    uint32_t *slots = NULL;

    if (entries == NULL)
        return PB_E_NOMEM;
    removals->entries = entries;
    slots = pb_calloc(removals->env, 2 * (size_t)room, sizeof(*slots));
    if (slots == NULL)
        return PB_E_NOMEM;
    pb_free(removals->env, removals->slots);
    removals->slots = slots;
    removals->slot_count = 2 * room;
    removals->room = room;
    for (uint32_t i = 0; i < removals->count; i++)
        *slot_of(removals, entries[i].reader, entries[i].day, entries[i].why) = i + 1;
    return PB_OK;
}

enum pb_status
pb_removals_add(struct pb_removals *removals, struct pb_str reader, int64_t captured_us,
                enum pb_removal why, uint64_t reads)
{
    /* Captured times are not negative. */
    int32_t day = (int32_t)(captured_us / PB_DAY_US);
    struct pb_removed entry = { .day = day, .why = why };
    uint32_t *slot = NULL;
    enum pb_status status = removals->count == removals->room ? grow(removals) : PB_OK;

    if (status != PB_OK)
        return status;
    slot = slot_of(removals, reader, day, why);
    if (*slot == 0) {
        status = pb_arena_copy(&removals->arena, reader, &entry.reader);
        if (status != PB_OK)
            return status;
        removals->entries[removals->count++] = entry;
        *slot = removals->count;
    }
    removals->entries[*slot - 1].reads += reads;
    return PB_OK;
}

void
pb_removals_tell(const struct pb_removals *removals, pb_removed_fn *on_removed, void *context)
{
    for (uint32_t i = 0; i < removals->count; i++)
        on_removed(context, &removals->entries[i]);
}

/* ---- whole segments ---- */

static enum pb_status
add_block(struct pb_removals *removals, const struct pb_segment *segment, uint32_t number)
{
    const struct pb_names *names = &segment->names;
    int64_t times[PB_BLOCK_ROWS_MAX];
    int64_t contexts[PB_BLOCK_ROWS_MAX];
    struct pb_block block;
    struct pb_column column;
    enum pb_status status = pb_segment_block(segment, PB_TABLE_READS, number, &block, NULL);

    if (status == PB_OK)
        status = pb_segment_column(segment, &block, PB_READS_TIME, &column, NULL);
    if (status == PB_OK) {
        pb_column_all(&column, times);
        status = pb_segment_column(segment, &block, PB_READS_CONTEXT, &column, NULL);
    }
    if (status != PB_OK)
        return status;
    pb_column_all(&column, contexts);
    for (uint32_t i = 0; i < block.rows; i++) {
        if ((uint64_t)contexts[i] >= names->context_count || times[i] < 0 ||
            times[i] >= PB_TIME_MAX_US)
            return PB_E_CORRUPT;
    }
    for (uint32_t i = 0; i < block.rows && status == PB_OK; i++)
        status = pb_removals_add(removals, names->texts[names->contexts[contexts[i]].reader],
                                 times[i], PB_REMOVED_EXPIRED, 1);
    return status;
}

enum pb_status
pb_removals_add_segment(struct pb_removals *removals, const struct pb_segment *segment)
{
    const struct pb_table_view *table = &segment->tables[PB_TABLE_READS];
    struct pb_str nobody = { NULL, 0 };
    enum pb_status status = PB_OK;

    for (uint32_t b = 0; b < table->blocks && status == PB_OK; b++) {
        uint64_t left = table->rows - (uint64_t)b * table->rows_per_block;
        uint64_t rows = left < table->rows_per_block ? left : table->rows_per_block;

        status = add_block(removals, segment, b);
        if (status == PB_E_CORRUPT)
            status = pb_removals_add(removals, nobody, segment->entry.captured_min_us,
                                     PB_REMOVED_EXPIRED, rows);
    }
    return status;
}
