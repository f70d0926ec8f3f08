/*
 * The sieve: which rows an answer may hold. It is asked for each row that the store finds, before
 * anything is counted.
 */
#include <string.h>

#include "inquiry/inquiry_private.h"

static const struct pb_str unreadable = { PB_PLATE_UNREADABLE, sizeof(PB_PLATE_UNREADABLE) - 1 };

static bool
names_reader(const struct pb_hold *hold, uint32_t reader)
{
    if (hold->reader_count == 0)
        return true;
    for (uint32_t i = 0; i < hold->reader_count; i++) {
        if (hold->readers[i] == reader)
            return true;
    }
    return false;
}

bool
pb_hold_covers(const struct pb_hold *hold, const struct pb_read *read, uint32_t reader,
               uint32_t owner, int64_t now_us)
{
    return !hold->is_released && now_us < hold->expires_at_us &&
           read->captured_at_us >= hold->from_us && read->captured_at_us < hold->to_us &&
           (hold->owner == PB_NO_INDEX || hold->owner == owner) &&
           (hold->plate.bytes == 0 || pb_str_equal(hold->plate, read->plate)) &&
           names_reader(hold, reader);
}

/* Whether a date that many microseconds after another has come. */
static bool
has_passed(int64_t since_us, int64_t for_us, int64_t now_us)
{
    return for_us != PB_NEVER && now_us - since_us >= for_us;
}

static uint32_t
find_reader(struct pb_sieve *sieve, struct pb_str reader)
{
    const struct pb_catalog_view *view = sieve->facts->view;

    if (sieve->last_reader == PB_NO_INDEX ||
        !pb_str_equal(view->readers[sieve->last_reader].id, reader))
        sieve->last_reader = pb_view_reader(view, reader);
    return sieve->last_reader;
}

bool
pb_sieve_admits(struct pb_sieve *sieve, const struct pb_read *read, uint32_t *ret_reader)
{
    const struct pb_catalog_view *view = sieve->facts->view;
    const struct pb_decision *decision = sieve->decision;
    uint32_t reader = find_reader(sieve, read->reader);
    uint32_t origin = 0;
    int64_t now_us = 0;

    if (reader == PB_NO_INDEX)
        return false;
    origin = view->readers[reader].origin;
    if (!decision->admits_origin[origin] ||
        (decision->admits_reader != NULL && !decision->admits_reader[reader]))
        return false;
    /* A person said that no plate can be read here: there is nothing to find it by. */
    if (read->is_correction && pb_str_equal(read->plate, unreadable))
        return false;
    /* Not for a hold either: it keeps such a read from being destroyed, and no more. */
    if (sieve->facts->has_zones &&
        pb_facts_in_zone(sieve->facts, origin, reader, read->lat_e7, read->lon_e7))
        return false;
    now_us = pb_now_us(sieve->env);
    if (now_us < read->delete_after_us &&
        !has_passed(read->captured_at_us, sieve->facts->retention_us[origin], now_us)) {
        *ret_reader = reader;
        return true;
    }
    for (uint32_t i = 0; now_us < read->delete_after_us && i < sieve->hold_count; i++) {
        if (pb_hold_covers(sieve->holds[i], read, reader, view->readers[reader].agency, now_us)) {
            *ret_reader = reader;
            return true;
        }
    }
    return false;
}
