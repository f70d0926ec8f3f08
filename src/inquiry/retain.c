/*
 * Retention at rest: bringing stored dates in line with rules and holds, purging what has expired,
 * and the receipts of what is gone.
 *
 * The store tells of every removal, whichever work removes it (a purge, a merge, a restamp); the
 * numbers are gathered here by agency and day and become leaves with the next purge or at closing.
 */
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define UNKNOWN_AGENCY "unknown"
#define LINES_A_LEAF 24u

/* ---- what is gone ---- */

enum why { WHY_EXPIRED, WHY_ERASED, WHY_ZONE };
static const char *const why_words[] = { "expired", "erased", "zone" };
static const char *const why_names[] = { "day", "erased", "zone" }; /* in a leaf, before the day */

struct gone {
    char reader[PB_READER_BYTES_MAX];
    uint32_t reader_bytes;
    int32_t day;
    enum why why;
    uint64_t reads;
};

struct pb_removals {
    const struct pb_env *env;
    pthread_mutex_t lock;
    struct gone *lines; /* owned */
    uint32_t count, room;
    uint64_t lost_reads; /* that there was no memory to keep apart */
};

struct pb_removals *
pb_removals_new(const struct pb_env *env)
{
    struct pb_removals *removals = pb_calloc(env, 1, sizeof(*removals));

    if (removals == NULL)
        return NULL;
    removals->env = env;
    (void)pthread_mutex_init(&removals->lock, NULL);
    return removals;
}

void
pb_removals_free(struct pb_removals *removals)
{
    if (removals == NULL)
        return;
    (void)pthread_mutex_destroy(&removals->lock);
    pb_free(removals->env, removals->lines);
    pb_free(removals->env, removals);
}

static struct gone *
add_line(struct pb_removals *removals)
{
    if (removals->count == removals->room) {
        uint32_t room = removals->room * 2 + 64;
        struct gone *larger = pb_realloc(removals->env, removals->lines, room * sizeof(*larger));

        if (larger == NULL)
            return NULL;
        removals->lines = larger;
        removals->room = room;
    }
    memset(&removals->lines[removals->count], 0, sizeof(*removals->lines));
    return &removals->lines[removals->count++];
}

/* Called by the store with its locks held: only notes. */
void
pb_removals_note(void *context, const struct pb_removed *removed)
{
    struct pb_removals *removals = context;
    struct gone *line = NULL;

    (void)pthread_mutex_lock(&removals->lock);
    line = add_line(removals);
    if (line == NULL) {
        removals->lost_reads += removed->reads;
    } else {
        line->reader_bytes = removed->reader.bytes <= PB_READER_BYTES_MAX ? removed->reader.bytes
                                                                          : PB_READER_BYTES_MAX;
        if (line->reader_bytes > 0)
            memcpy(line->reader, removed->reader.text, line->reader_bytes);
        line->day = removed->day;
        line->why = removed->why == PB_REMOVED_ERASED ? WHY_ERASED : WHY_EXPIRED;
        line->reads = removed->reads;
    }
    (void)pthread_mutex_unlock(&removals->lock);
}

/* ---- what is gone because of a zone ---- */

/* Reads whose date has come because they were made in one. The store removes them as it does what
 * has expired. */
struct zoned {
    uint32_t reader; /* of a view */
    int32_t day;
    uint64_t reads;
};

struct zoned_list {
    const struct pb_env *env;
    struct zoned *items; /* owned: by reader, then by day */
    uint32_t count, room;
    bool is_incomplete; /* there was no memory for all */
};

/* The place of a reader's day, or where it belongs. */
static uint32_t
find_zoned(const struct zoned_list *list, uint32_t reader, int32_t day)
{
    uint32_t first = 0, end = list->count;

    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        const struct zoned *item = &list->items[middle];

        if (item->reader < reader || (item->reader == reader && item->day < day))
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static void
note_zoned(struct zoned_list *list, uint32_t reader, int32_t day)
{
    uint32_t at = find_zoned(list, reader, day);

    if (at == list->count || list->items[at].reader != reader || list->items[at].day != day) {
        if (list->count == list->room) {
            uint32_t room = list->room * 2 + 64;
            struct zoned *larger = pb_realloc(list->env, list->items, room * sizeof(*larger));

            if (larger == NULL) {
                list->is_incomplete = true;
                return;
            }
            list->items = larger;
            list->room = room;
        }
        memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof(*list->items));
        list->items[at] = (struct zoned){ .reader = reader, .day = day };
        list->count++;
    }
    list->items[at].reads++;
}

/* Takes reads of a line of what has expired, as many as it has; where there is no memory for a line
 * of their own they stay in it. */
static uint64_t
name_line(struct pb_removals *removals, uint32_t at, uint64_t reads)
{
    struct gone *rest;

    if (removals->lines[at].reads > reads) {
        rest = add_line(removals);
        if (rest == NULL)
            return 0;
        *rest = removals->lines[at];
        rest->reads -= reads;
        removals->lines[at].reads = reads;
    }
    removals->lines[at].why = WHY_ZONE;
    return removals->lines[at].reads;
}

/* Of what was removed since there were so many lines. */
static void
name_zoned(struct pb_removals *removals, uint32_t from, const struct zoned_list *list,
           const struct pb_catalog_view *view)
{
    (void)pthread_mutex_lock(&removals->lock);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct zoned *item = &list->items[i];
        uint64_t left = item->reads;

        for (uint32_t at = from; at < removals->count && left > 0; at++) {
            const struct gone *line = &removals->lines[at];

            if (line->why == WHY_EXPIRED && line->day == item->day &&
                pb_str_equal((struct pb_str){ line->reader, line->reader_bytes },
                             view->readers[item->reader].id))
                left -= name_line(removals, at, left);
        }
    }
    (void)pthread_mutex_unlock(&removals->lock);
}

static uint32_t
count_gone(struct pb_removals *removals)
{
    uint32_t count;

    (void)pthread_mutex_lock(&removals->lock);
    count = removals->count;
    (void)pthread_mutex_unlock(&removals->lock);
    return count;
}

/* ---- receipts ---- */

struct line {
    uint32_t agency; /* of the view; PB_NO_INDEX: not known */
    int32_t day;
    enum why why;
    uint64_t reads;
};

static int
compare_lines(const struct line *a, const struct line *b)
{
    if (a->agency != b->agency)
        return a->agency < b->agency ? -1 : 1;
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    return (int)a->why - (int)b->why;
}

/* Sorts in shrinking steps: lines are some thousands at most. */
static void
sort_lines(struct line *lines, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0;
         gap = gap == 2 ? 1 : (uint32_t)((uint64_t)gap * 5 / 11)) {
        for (uint32_t i = gap; i < count; i++) {
            struct line line = lines[i];
            uint32_t j = i;

            for (; j >= gap && compare_lines(&lines[j - gap], &line) > 0; j -= gap)
                lines[j] = lines[j - gap];
            lines[j] = line;
        }
    }
}

static uint32_t
merge_lines(struct line *lines, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && compare_lines(&lines[kept - 1], &lines[i]) == 0)
            lines[kept - 1].reads += lines[i].reads;
        else
            lines[kept++] = lines[i];
    }
    return kept;
}

/* Takes what was gathered, by agency, day and reason. The caller frees ret_lines. */
static enum pb_status
take_lines(struct pb_site *site, const struct pb_catalog_view *view, struct line **ret_lines,
           uint32_t *ret_count)
{
    struct pb_removals *removals = site->removals;
    struct line *lines = NULL;
    uint32_t count = 0;

    (void)pthread_mutex_lock(&removals->lock);
    lines = pb_calloc(site->env, removals->count + 1u, sizeof(*lines));
    for (uint32_t i = 0; lines != NULL && i < removals->count; i++) {
        const struct gone *gone = &removals->lines[i];
        uint32_t reader = pb_view_reader(view, (struct pb_str){ gone->reader, gone->reader_bytes });

        lines[count++] = (struct line){
            .agency = reader == PB_NO_INDEX ? PB_NO_INDEX : view->readers[reader].agency,
            .day = gone->day,
            .why = gone->why,
            .reads = gone->reads,
        };
    }
    if (lines != NULL && removals->lost_reads > 0)
        lines[count++] = (struct line){ .agency = PB_NO_INDEX, .reads = removals->lost_reads };
    if (lines != NULL) {
        removals->count = 0;
        removals->lost_reads = 0;
    }
    (void)pthread_mutex_unlock(&removals->lock);
    if (lines == NULL)
        return PB_E_NOMEM;
    sort_lines(lines, count);
    *ret_count = merge_lines(lines, count);
    *ret_lines = lines;
    return PB_OK;
}

/* Gives back what no leaf could be left for. */
static void
return_lines(struct pb_site *site, const struct line *lines, uint32_t count)
{
    (void)pthread_mutex_lock(&site->removals->lock);
    for (uint32_t i = 0; i < count; i++)
        site->removals->lost_reads += lines[i].reads;
    (void)pthread_mutex_unlock(&site->removals->lock);
}

static void
put_day(char ret_text[11], int32_t day)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format((int64_t)day * PB_DAY_US, 0, text);
    memcpy(ret_text, text, 10);
    ret_text[10] = '\0';
}

struct receipt {
    char log[PB_CATALOG_ID_BYTES_MAX + 1];
    char names[LINES_A_LEAF][24]; /* "day-2026-03-08", "erased-2026-03-08", "zone-2026-03-08" */
};

/* A leaf of one agency's lines, as many as fit: a number for each day. */
static uint32_t
receipt_leaf(const struct line *lines, uint32_t count, struct receipt *receipt, const char *agency,
             struct pb_draft *leaf)
{
    uint64_t reads = 0;
    uint32_t taken = 0;

    while (taken < count && taken < LINES_A_LEAF && lines[taken].agency == lines[0].agency) {
        reads += lines[taken].reads;
        taken++;
    }
    pb_draft_init(leaf, receipt->log, "purge", PB_KEEP_OPENINGS_US);
    pb_draft_text(leaf, "agency", pb_str_from(agency));
    pb_draft_number(leaf, "n", (int64_t)reads);
    for (uint32_t i = 0; i < taken; i++) {
        char day[11];

        put_day(day, lines[i].day);
        (void)snprintf(receipt->names[i], sizeof(receipt->names[i]), "%s-%s",
                       why_names[lines[i].why], day);
        pb_draft_number(leaf, receipt->names[i], (int64_t)lines[i].reads);
    }
    return taken;
}

/* Leaves of one agency in its log and in the operator's, until its lines are told. */
static enum pb_status
leave_receipts(struct pb_site *site, const struct pb_catalog_view *view, const struct line *lines,
               uint32_t count, uint32_t *ret_taken, struct pb_error *error)
{
    bool is_known = lines[0].agency != PB_NO_INDEX;
    struct receipt receipts[2];
    struct pb_draft leaves[2];
    uint64_t indices[2];
    char agency[PB_CATALOG_ID_BYTES_MAX + 1];

    pb_site_id_text(is_known ? view->agencies[lines[0].agency].id : pb_str_from(UNKNOWN_AGENCY),
                    agency);
    pb_site_id_text(pb_str_from(PB_AUDIT_OPERATOR), receipts[0].log);
    pb_site_id_text(pb_str_from(agency), receipts[1].log);
    *ret_taken = receipt_leaf(lines, count, &receipts[0], agency, &leaves[0]);
    if (is_known)
        *ret_taken = receipt_leaf(lines, count, &receipts[1], agency, &leaves[1]);
    return pb_drafts_append(site, leaves, is_known ? 2 : 1, indices, error);
}

static void
tell_lines(const struct pb_catalog_view *view, const struct line *lines, uint32_t count,
           pb_purge_receipt_fn *each, void *context)
{
    for (uint32_t i = 0; each != NULL && i < count; i++) {
        struct pb_purge_receipt_line line = {
            .agency = lines[i].agency == PB_NO_INDEX ? pb_str_from(UNKNOWN_AGENCY)
                                                     : view->agencies[lines[i].agency].id,
            .day = lines[i].day,
            .why = why_words[lines[i].why],
            .reads = lines[i].reads,
        };

        if (!each(context, &line))
            return;
    }
}

enum pb_status
pb_site_leave_receipts(struct pb_site *site, pb_purge_receipt_fn *each, void *context,
                       uint64_t *ret_reads, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    struct line *lines = NULL;
    uint32_t count = 0;
    uint32_t at = 0;
    enum pb_status status = pb_catalog_view_take(site->catalog, &view, error);

    if (status == PB_OK)
        status = take_lines(site, view, &lines, &count);
    while (status == PB_OK && at < count) {
        uint32_t taken = 0;

        status = leave_receipts(site, view, lines + at, count - at, &taken, error);
        if (status == PB_OK)
            at += taken;
    }
    *ret_reads = 0;
    for (uint32_t i = 0; i < at; i++)
        *ret_reads += lines[i].reads;
    if (status == PB_OK)
        tell_lines(view, lines, count, each, context);
    else if (lines != NULL)
        return_lines(site, lines + at, count - at);
    pb_free(site->env, lines);
    pb_catalog_view_drop(view);
    return status;
}

/* ---- dates ---- */

/* What dates depend on: rules in force, owners' own limits, readers' origins, holds and zones. */
static void
hash_number(crypto_hash_sha256_state *state, int64_t number)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
    (void)crypto_hash_sha256_update(state, bytes, sizeof(bytes));
}

static void
hash_text(crypto_hash_sha256_state *state, struct pb_str text)
{
    hash_number(state, text.bytes);
    if (text.bytes > 0)
        (void)crypto_hash_sha256_update(state, (const unsigned char *)text.text, text.bytes);
}

static void
hash_hold(crypto_hash_sha256_state *state, const struct pb_catalog_view *view,
          const struct pb_hold *hold, int64_t now_us)
{
    hash_text(state, hold->id);
    hash_text(state, hold->plate);
    hash_text(state,
              hold->owner == PB_NO_INDEX ? (struct pb_str){ 0 } : view->agencies[hold->owner].id);
    for (uint32_t i = 0; i < hold->reader_count; i++)
        hash_text(state, view->readers[hold->readers[i]].id);
    hash_number(state, hold->from_us);
    hash_number(state, hold->to_us);
    hash_number(state, hold->expires_at_us);
    hash_number(state, !hold->is_released && now_us < hold->expires_at_us);
}

/* Zones, where a law makes any of them matter: those of the origins' owners, and where readers
 * stand, for reads that do not say where they were made. */
static void
hash_zones(crypto_hash_sha256_state *state, const struct pb_facts *facts)
{
    const struct pb_catalog_view *view = facts->view;

    for (uint32_t i = 0; i < view->origin_count; i++) {
        const struct pb_agency *owner = &view->agencies[view->origins[i].agency];

        hash_number(state, facts->no_capture[i]);
        for (uint32_t j = 0; facts->no_capture[i] != 0 && j < owner->zone_count; j++) {
            hash_number(state, owner->zones[j].kind);
            hash_number(state, owner->zones[j].lat_e7);
            hash_number(state, owner->zones[j].lon_e7);
            hash_number(state, owner->zones[j].radius_m);
        }
    }
    for (uint32_t i = 0; i < view->reader_count; i++) {
        hash_number(state, view->readers[i].lat_e7);
        hash_number(state, view->readers[i].lon_e7);
    }
}

/* A reader that was added changes this too, although its reads were stamped on their way in: then a
 * restamp reads the stored dates once more and changes none. */
static void
digest_dates(const struct pb_facts *facts, int64_t now_us, struct pb_str changed, char ret_hex[65])
{
    const struct pb_catalog_view *view = facts->view;
    crypto_hash_sha256_state state;
    uint8_t digest[PB_DIGEST_BYTES];

    (void)crypto_hash_sha256_init(&state);
    hash_text(&state, changed);
    for (uint32_t i = 0; i < view->origin_count; i++) {
        hash_text(&state, view->agencies[view->origins[i].agency].id);
        hash_number(&state, view->origins[i].capture_state);
        hash_number(&state, facts->retention_us[i]);
    }
    for (uint32_t i = 0; i < view->reader_count; i++) {
        hash_text(&state, view->readers[i].id);
        hash_number(&state, view->readers[i].origin);
    }
    for (uint32_t i = 0; i < view->hold_count; i++)
        hash_hold(&state, view, &view->holds[i], now_us);
    if (facts->has_zones)
        hash_zones(&state, facts);
    (void)crypto_hash_sha256_final(&state, digest);
    (void)sodium_bin2hex(ret_hex, 65, digest, sizeof(digest));
}

struct restamp {
    const struct pb_facts *facts;
    int64_t now_us;
    bool heeds_zones;        /* else what they would end is counted */
    bool has_zoned;          /* some read has another date because of a zone */
    struct zoned_list zoned; /* those that go */
};

static int64_t
date_of_holds(const struct restamp *restamp, const struct pb_read *read, uint32_t reader,
              int64_t until_us)
{
    const struct pb_catalog_view *view = restamp->facts->view;

    for (uint32_t i = 0; i < view->hold_count; i++) {
        const struct pb_hold *hold = &view->holds[i];

        if (hold->expires_at_us > until_us &&
            pb_hold_covers(hold, read, reader, view->readers[reader].agency, restamp->now_us))
            until_us = hold->expires_at_us;
    }
    return until_us;
}

/* A read that was made in a zone, and its dates with and without that. */
static int64_t
date_of_zoned(struct restamp *restamp, const struct pb_read *read, uint32_t reader,
              int64_t until_us)
{
    int64_t zoned_us = date_of_holds(restamp, read, reader, restamp->now_us);

    if (restamp->heeds_zones)
        return zoned_us;
    until_us = date_of_holds(restamp, read, reader, until_us);
    restamp->has_zoned |= zoned_us != until_us;
    if (zoned_us == restamp->now_us)
        note_zoned(&restamp->zoned, reader, (int32_t)(read->captured_at_us / PB_DAY_US));
    return until_us;
}

/* The date that a read has by today's rules: a rule that became longer does not lengthen what is
 * stored, a hold does, and one that ended no longer does. The date of one that was made in a zone
 * has come, but for a hold, which keeps it without that anybody sees it. A read whose reader nobody
 * knows keeps its own. */
static int64_t
date_of(void *context, const struct pb_read *read)
{
    struct restamp *restamp = context;
    const struct pb_facts *facts = restamp->facts;
    uint32_t reader = pb_view_reader(facts->view, read->reader);
    uint32_t origin = 0;
    int64_t until_us = PB_NEVER;

    if (reader == PB_NO_INDEX)
        return read->delete_after_us;
    origin = facts->view->readers[reader].origin;
    if (facts->retention_us[origin] != PB_NEVER)
        until_us = read->captured_at_us + facts->retention_us[origin];
    if (read->delete_after_us < until_us)
        until_us = read->delete_after_us;
    if (facts->has_zones && restamp->now_us < until_us &&
        pb_facts_in_zone(facts, origin, reader, read->lat_e7, read->lon_e7))
        return date_of_zoned(restamp, read, reader, until_us);
    return date_of_holds(restamp, read, reader, until_us);
}

static enum pb_status
run_restamp(struct pb_site *site, struct restamp *restamp, const struct pb_progress *progress,
            struct pb_restamp_counts *counts, struct pb_error *error)
{
    struct pb_restamp_counts these;
    enum pb_status status;

    restamp->has_zoned = false;
    if (!restamp->heeds_zones)
        restamp->zoned.count = 0;
    status = pb_store_restamp(site->store, date_of, restamp, progress, &these, error);
    if (status != PB_OK)
        return status;
    if (restamp->zoned.is_incomplete)
        return pb_fail(error, PB_E_NOMEM, "no memory to tell what goes because of zones");
    counts->reads_asked = these.reads_asked;
    counts->reads_earlier += these.reads_earlier;
    counts->reads_later += these.reads_later;
    counts->reads_removed += these.reads_removed;
    counts->segments_rewritten += these.segments_rewritten;
    return PB_OK;
}

/* By rules and holds, then by zones, so that the receipt tells one from the other. While nothing is
 * written each read is asked of once, and only then the count of those in zones is theirs. */
static enum pb_status
restamp_store(struct pb_site *site, struct restamp *restamp, const struct pb_progress *progress,
              struct pb_restamp_counts *ret_counts, struct pb_error *error)
{
    uint32_t gone;
    enum pb_status status = run_restamp(site, restamp, progress, ret_counts, error);

    if (status == PB_OK && restamp->has_zoned && ret_counts->segments_rewritten > 0)
        status = run_restamp(site, restamp, progress, ret_counts, error);
    if (status != PB_OK || !restamp->has_zoned)
        return status;
    gone = count_gone(site->removals);
    restamp->heeds_zones = true;
    status = run_restamp(site, restamp, progress, ret_counts, error);
    /* Also of what went before something else went wrong. */
    name_zoned(site->removals, gone, &restamp->zoned, restamp->facts->view);
    return status;
}

/* What is noted of dates. */
struct found_notes {
    char stamped[65];                           /* digest_dates, when it was last restamped */
    char changed[PB_CATALOG_ID_BYTES_MAX + 24]; /* which leaf told of the newest change */
};

static bool
take_note(void *context, const char *key, struct pb_str value)
{
    struct found_notes *notes = context;
    bool is_stamped = strcmp(key, "stamped") == 0;
    char *room = is_stamped ? notes->stamped : notes->changed;
    size_t room_bytes = is_stamped ? sizeof(notes->stamped) : sizeof(notes->changed);

    if (value.bytes < room_bytes) {
        memcpy(room, value.text, value.bytes);
        room[value.bytes] = '\0';
    }
    return true;
}

enum pb_status
pb_site_note_dates(struct pb_site *site, const char *log, uint64_t index, struct pb_error *error)
{
    char text[sizeof(((struct found_notes *)NULL)->changed)];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    pb_put_text(&out, log);
    pb_put_char(&out, ' ');
    pb_put_u64(&out, index);
    return pb_catalog_note_put(site->catalog, "retention", "changed",
                               (struct pb_str){ text, (uint32_t)(out.at - text) }, error);
}

static enum pb_status
leave_restamp(struct pb_site *site, const struct pb_restamp_counts *counts,
              const struct pb_facts *facts, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;

    pb_draft_init(&leaf, PB_AUDIT_OPERATOR, "restamp", PB_KEEP_OPENINGS_US);
    pb_draft_hash(&leaf, "policy", facts->policy);
    pb_draft_number(&leaf, "asked", (int64_t)counts->reads_asked);
    pb_draft_number(&leaf, "earlier", (int64_t)counts->reads_earlier);
    pb_draft_number(&leaf, "later", (int64_t)counts->reads_later);
    pb_draft_number(&leaf, "removed", (int64_t)counts->reads_removed);
    return pb_drafts_append(site, &leaf, 1, &index, error);
}

static enum pb_status
restamp(struct pb_site *site, const struct pb_facts *facts, const struct found_notes *notes,
        const struct pb_progress *progress, struct pb_restamp_counts *ret_counts,
        struct pb_error *error)
{
    struct restamp context = { .facts = facts,
                               .now_us = pb_now_us(site->env),
                               .zoned = { .env = site->env } };
    char hex[65];
    enum pb_status status = PB_OK;

    digest_dates(facts, context.now_us, pb_str_from(notes->changed), hex);
    if (strcmp(hex, notes->stamped) == 0)
        return PB_OK;
    status = restamp_store(site, &context, progress, ret_counts, error);
    pb_free(site->env, context.zoned.items);
    if (status == PB_OK)
        status = leave_restamp(site, ret_counts, facts, error);
    return status == PB_OK
               ? pb_catalog_note_put(site->catalog, "retention", "stamped", pb_str_from(hex), error)
               : status;
}

/* The notes are read before the facts: what changes in between is seen by the next restamp. */
static enum pb_status
restamp_today(struct pb_site *site, const struct pb_progress *progress,
              struct pb_restamp_counts *ret_counts, struct pb_error *error)
{
    struct found_notes notes = { .stamped = "" };
    struct pb_facts *facts = NULL;
    enum pb_status status = PB_OK;

    memset(ret_counts, 0, sizeof(*ret_counts));
    status = pb_catalog_notes(site->catalog, "retention", "", take_note, &notes, error);
    if (status == PB_OK)
        status = pb_site_facts(site, pb_now_us(site->env), &facts, error);
    if (status != PB_OK)
        return status;
    status = restamp(site, facts, &notes, progress, ret_counts, error);
    pb_facts_drop(facts);
    return status;
}

enum pb_status
pb_site_restamp(struct pb_site *site, const struct pb_progress *progress, struct pb_error *error)
{
    struct pb_restamp_counts counts;

    /* Without the store for writing the next purge does it; until then rows are sieved anyway. */
    return site->mode == PB_SITE_WRITE ? restamp_today(site, progress, &counts, error) : PB_OK;
}

/* ---- purging ---- */

enum pb_status
pb_site_purge(struct pb_site *site, const struct pb_actor *actor,
              const struct pb_progress *progress, pb_purge_receipt_fn *each, void *context,
              struct pb_purge_counts *ret_counts, struct pb_error *error)
{
    struct pb_restamp_counts restamped;
    enum pb_status receipts = PB_OK;
    enum pb_status status = PB_OK;

    if (site->mode != PB_SITE_WRITE)
        return pb_fail(error, PB_BAD_INPUT, "the data directory is not open for writing");
    if (actor->person != NULL)
        return pb_fail(error, PB_DENIED, "only the operator of the site purges");
    memset(ret_counts, 0, sizeof(*ret_counts));
    status = restamp_today(site, progress, &restamped, error);
    if (status == PB_OK)
        status = pb_store_purge(site->store, progress, ret_counts, error);
    ret_counts->segments_rewritten += restamped.segments_rewritten;
    /* What is gone is told also where something else went wrong. Some of it went before, with a
     * merge or a flush: the number is that of the receipt. */
    receipts = pb_site_leave_receipts(site, each, context, &ret_counts->reads_removed,
                                      status == PB_OK ? error : NULL);
    return status == PB_OK ? receipts : status;
}
