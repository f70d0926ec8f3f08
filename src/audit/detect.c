/*
 * Detect: entries are gathered, then sorted anew for each detector, so that what belongs together
 * lies together.
 */
#include "audit/detect.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"

#define ARENA_BYTES 65536u
#define WHAT_BYTES 160u
#define LATE_US (15 * PB_DAY_US)
#define VERY_LATE_US (45 * PB_DAY_US)

struct pb_detector {
    const struct pb_env *env; /* borrowed */
    struct pb_detect_limits limits;
    struct pb_arena arena;                /* texts */
    struct pb_detect_entry *entries;      /* owned */
    const struct pb_detect_entry **order; /* owned: count elements while running */
    uint64_t *indices;                    /* owned: count elements while running */
    uint32_t count, room;

    pb_finding_fn *each;
    void *context;
    bool is_stopped;
};

const char *
pb_detect_kind_name(enum pb_detect_kind kind)
{
    static const char *const names[PB_DETECT_KINDS] = {
        "repeat-plate", "plate-cluster", "reason-reuse", "weak-reason",
        "wide-scope",   "volume",        "odd-hours",
    };

    assert((unsigned)kind < PB_DETECT_KINDS);
    return names[kind];
}

const struct pb_detect_limits *
pb_detect_defaults(void)
{
    static const struct pb_detect_limits defaults = {
        .repeat_count = 5,
        .repeat_off_shift_count = 3,
        .repeat_window_us = 30 * PB_DAY_US,
        .cluster_plates = 20,
        .reason_per_day = 10,
        .reason_characters_min = 15,
        .scope_states = 3,
        .scope_area_m2 = 25e6,
        .volume_deviations = 3,
        .volume_peers_min = 4,
        .volume_count_min = 20,
        .odd_hours_count = 3,
        .shift_first_hour = 6,
        .shift_end_hour = 22,
        .utc_offset_min = 0,
        .entries_max = PB_DETECT_ENTRIES_MAX,
    };

    return &defaults;
}

/* ---- gathering ---- */

enum pb_status
pb_detector_new(const struct pb_env *env, const struct pb_detect_limits *limits,
                struct pb_detector **ret_detector, struct pb_error *error)
{
    struct pb_detector *detector = pb_calloc(env, 1, sizeof(*detector));

    if (detector == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for detectors");
    detector->env = env;
    detector->limits = limits != NULL ? *limits : *pb_detect_defaults();
    pb_arena_init(&detector->arena, env, ARENA_BYTES);
    *ret_detector = detector;
    return PB_OK;
}

void
pb_detector_free(struct pb_detector *detector)
{
    if (detector == NULL)
        return;
    pb_arena_clear(&detector->arena);
    pb_free(detector->env, detector->entries);
    pb_free(detector->env, detector);
}

static enum pb_status
make_room(struct pb_detector *detector)
{
    uint32_t room = detector->room == 0 ? 256 : detector->room * 2;
    struct pb_detect_entry *larger;

    if (detector->count < detector->room)
        return PB_OK;
    larger = pb_realloc(detector->env, detector->entries, room * sizeof(*larger));
    if (larger == NULL)
        return PB_E_NOMEM;
    detector->entries = larger;
    detector->room = room;
    return PB_OK;
}

enum pb_status
pb_detector_add(struct pb_detector *detector, const struct pb_detect_entry *entry,
                struct pb_error *error)
{
    struct pb_detect_entry copy = *entry;
    enum pb_status status;

    if (detector->count == detector->limits.entries_max)
        return pb_fail(error, PB_OVER_LIMIT, "more than %u entries: look at a shorter period",
                       detector->limits.entries_max);
    status = make_room(detector);
    if (status == PB_OK)
        status = pb_arena_copy(&detector->arena, entry->person, &copy.person);
    if (status == PB_OK)
        status = pb_arena_copy(&detector->arena, entry->role, &copy.role);
    if (status == PB_OK)
        status = pb_arena_copy(&detector->arena, entry->plate, &copy.plate);
    if (status == PB_OK)
        status = pb_arena_copy(&detector->arena, entry->case_number, &copy.case_number);
    if (status == PB_OK)
        status = pb_arena_copy(&detector->arena, entry->reason, &copy.reason);
    if (status == PB_OK)
        status = pb_arena_copy(&detector->arena, entry->offence, &copy.offence);
    if (status != PB_OK)
        return pb_fail(error, status, "no memory for entries");
    detector->entries[detector->count++] = copy;
    return PB_OK;
}

/* ---- time of day ---- */

/* Days since 1970 in local time; floor also before that. */
static int64_t
local_day(const struct pb_detector *detector, int64_t at_us)
{
    int64_t local_us = at_us + detector->limits.utc_offset_min * PB_MINUTE_US;

    return local_us >= 0 ? local_us / PB_DAY_US : -((-local_us + PB_DAY_US - 1) / PB_DAY_US);
}

static uint32_t
local_hour(const struct pb_detector *detector, int64_t at_us)
{
    int64_t local_us = at_us + detector->limits.utc_offset_min * PB_MINUTE_US;

    return (uint32_t)((local_us - local_day(detector, at_us) * PB_DAY_US) / PB_HOUR_US);
}

static bool
is_off_shift(const struct pb_detector *detector, int64_t at_us)
{
    uint32_t hour = local_hour(detector, at_us);

    return hour < detector->limits.shift_first_hour || hour >= detector->limits.shift_end_hour;
}

/* A night belongs to the day on which it begins. */
static int64_t
night_of(const struct pb_detector *detector, int64_t at_us)
{
    return local_day(detector, at_us) -
           (local_hour(detector, at_us) < detector->limits.shift_first_hour ? 1 : 0);
}

/* ---- order ---- */

static int
compare_times(const struct pb_detect_entry *a, const struct pb_detect_entry *b)
{
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int
by_person_and_plate(const void *a, const void *b)
{
    const struct pb_detect_entry *x = *(const struct pb_detect_entry *const *)a;
    const struct pb_detect_entry *y = *(const struct pb_detect_entry *const *)b;
    int order = pb_str_compare(x->person, y->person);

    if (order == 0)
        order = pb_str_compare(x->plate, y->plate);
    return order != 0 ? order : compare_times(x, y);
}

static int
by_case_and_plate(const void *a, const void *b)
{
    const struct pb_detect_entry *x = *(const struct pb_detect_entry *const *)a;
    const struct pb_detect_entry *y = *(const struct pb_detect_entry *const *)b;
    int order = pb_str_compare(x->case_number, y->case_number);

    if (order == 0)
        order = pb_str_compare(x->plate, y->plate);
    return order != 0 ? order : compare_times(x, y);
}

static int
by_reason(const void *a, const void *b)
{
    const struct pb_detect_entry *x = *(const struct pb_detect_entry *const *)a;
    const struct pb_detect_entry *y = *(const struct pb_detect_entry *const *)b;
    int order = pb_str_compare(x->reason, y->reason);

    return order != 0 ? order : compare_times(x, y);
}

static int
by_role_and_person(const void *a, const void *b)
{
    const struct pb_detect_entry *x = *(const struct pb_detect_entry *const *)a;
    const struct pb_detect_entry *y = *(const struct pb_detect_entry *const *)b;
    int order = pb_str_compare(x->role, y->role);

    if (order == 0)
        order = pb_str_compare(x->person, y->person);
    return order != 0 ? order : compare_times(x, y);
}

static int
by_person(const void *a, const void *b)
{
    const struct pb_detect_entry *x = *(const struct pb_detect_entry *const *)a;
    const struct pb_detect_entry *y = *(const struct pb_detect_entry *const *)b;
    int order = pb_str_compare(x->person, y->person);

    return order != 0 ? order : compare_times(x, y);
}

static int
by_time(const void *a, const void *b)
{
    return compare_times(*(const struct pb_detect_entry *const *)a,
                         *(const struct pb_detect_entry *const *)b);
}

static int
by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void
sort(struct pb_detector *detector, int (*compare)(const void *, const void *))
{
    for (uint32_t i = 0; i < detector->count; i++)
        detector->order[i] = &detector->entries[i];
    if (detector->count > 1)
        qsort(detector->order, detector->count, sizeof(const struct pb_detect_entry *), compare);
}

/* ---- findings ---- */

/* The first `count` of detector->indices show it. */
static void
tell(struct pb_detector *detector, enum pb_detect_kind kind, struct pb_str person, uint32_t count,
     const char *what)
{
    struct pb_finding finding = { .kind = kind,
                                  .person = person,
                                  .indices = detector->indices,
                                  .index_count = count,
                                  .what = what };

    qsort(detector->indices, count, sizeof(detector->indices[0]), by_value);
    detector->is_stopped = !detector->each(detector->context, &finding);
}

/* ---- one detector each ---- */

typedef bool counts_fn(const struct pb_detector *detector, const struct pb_detect_entry *entry);

static bool
counts_unverified(const struct pb_detector *detector, const struct pb_detect_entry *entry)
{
    (void)detector;
    return !entry->is_case_verified;
}

static bool
counts_off_shift(const struct pb_detector *detector, const struct pb_detect_entry *entry)
{
    return is_off_shift(detector, entry->at_us);
}

/* Of the entries [first, end), by time, those that count and lie within less than a window of one
 * another: each finding takes as many as there are, the next begins behind it. */
static void
find_repeats(struct pb_detector *detector, uint32_t first, uint32_t end, uint32_t wanted,
             counts_fn *counts, const char *how)
{
    char what[WHAT_BYTES];

    while (first < end && !detector->is_stopped) {
        int64_t begin_us = detector->order[first]->at_us;
        uint32_t count = 0, next = first;

        for (; next < end; next++) {
            const struct pb_detect_entry *entry = detector->order[next];

            if (entry->at_us - begin_us >= detector->limits.repeat_window_us)
                break;
            if (counts(detector, entry))
                detector->indices[count++] = entry->index;
        }
        if (count >= wanted) {
            (void)snprintf(what, sizeof(what), "the same plate %u times in %lld days%s", count,
                           (long long)(detector->limits.repeat_window_us / PB_DAY_US), how);
            tell(detector, PB_DETECT_REPEAT_PLATE, detector->order[first]->person, count, what);
            first = next;
        } else {
            first++;
        }
    }
}

static void
detect_repeat_plate(struct pb_detector *detector)
{
    uint32_t first = 0, end;

    sort(detector, by_person_and_plate);
    for (; first < detector->count && !detector->is_stopped; first = end) {
        const struct pb_detect_entry *entry = detector->order[first];

        for (end = first + 1;
             end < detector->count && pb_str_equal(entry->person, detector->order[end]->person) &&
             pb_str_equal(entry->plate, detector->order[end]->plate);
             end++)
            ;
        if (entry->plate.bytes == 0)
            continue;
        find_repeats(detector, first, end, detector->limits.repeat_count, counts_unverified,
                     " in cases that nobody has verified");
        find_repeats(detector, first, end, detector->limits.repeat_off_shift_count,
                     counts_off_shift, " off shift");
    }
}

static void
detect_plate_cluster(struct pb_detector *detector)
{
    uint32_t first = 0, end;
    char what[WHAT_BYTES];

    sort(detector, by_case_and_plate);
    for (; first < detector->count && !detector->is_stopped; first = end) {
        const struct pb_detect_entry *entry = detector->order[first];
        struct pb_str plate = { NULL, 0 };
        uint32_t plates = 0;

        for (end = first; end < detector->count &&
                          pb_str_equal(entry->case_number, detector->order[end]->case_number);
             end++) {
            if (pb_str_equal(plate, detector->order[end]->plate))
                continue; /* seen, or none */
            plate = detector->order[end]->plate;
            detector->indices[plates++] = detector->order[end]->index;
        }
        if (entry->case_number.bytes == 0 || plates <= detector->limits.cluster_plates)
            continue;
        (void)snprintf(what, sizeof(what), "one case number for %u plates", plates);
        tell(detector, PB_DETECT_PLATE_CLUSTER, (struct pb_str){ NULL, 0 }, plates, what);
    }
}

static void
detect_reason_reuse(struct pb_detector *detector)
{
    uint32_t first = 0, end;
    char what[WHAT_BYTES];

    sort(detector, by_reason);
    for (; first < detector->count && !detector->is_stopped; first = end) {
        const struct pb_detect_entry *entry = detector->order[first];
        int64_t day = local_day(detector, entry->at_us);

        for (end = first;
             end < detector->count && pb_str_equal(entry->reason, detector->order[end]->reason) &&
             local_day(detector, detector->order[end]->at_us) == day;
             end++)
            detector->indices[end - first] = detector->order[end]->index;
        if (entry->reason.bytes == 0 || end - first <= detector->limits.reason_per_day)
            continue;
        (void)snprintf(what, sizeof(what), "the same reason, word for word, %u times on one day",
                       end - first);
        tell(detector, PB_DETECT_REASON_REUSE, (struct pb_str){ NULL, 0 }, end - first, what);
    }
}

static bool
is_filler(struct pb_str word)
{
    static const char *const fillers[] = {
        "a",
        "an",
        "and",
        "as",
        "asap",
        "business",
        "case",
        "check",
        "for",
        "in",
        "info",
        "inquiry",
        "investigation",
        "law",
        "enforcement",
        "lookup",
        "misc",
        "na",
        "none",
        "of",
        "official",
        "on",
        "other",
        "per",
        "plate",
        "police",
        "query",
        "reason",
        "request",
        "requested",
        "routine",
        "search",
        "see",
        "test",
        "the",
        "to",
        "use",
        "vehicle",
        "work",
    };
    char lower[16];

    if (word.bytes >= sizeof(lower))
        return false;
    for (uint32_t i = 0; i < word.bytes; i++) {
        char at = word.text[i];

        lower[i] = at >= 'A' && at <= 'Z' ? (char)(at - 'A' + 'a') : at;
    }
    for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
        if (strlen(fillers[i]) == word.bytes && memcmp(fillers[i], lower, word.bytes) == 0)
            return true;
    }
    return false;
}

static bool
is_word_part(char at)
{
    return (at >= 'a' && at <= 'z') || (at >= 'A' && at <= 'Z') || (at >= '0' && at <= '9') ||
           (uint8_t)at >= 0x80;
}

/* Whether a reason has a word that is no filler. */
static bool
says_something(struct pb_str reason)
{
    uint32_t at = 0;

    while (at < reason.bytes) {
        struct pb_str word = { reason.text + at, 0 };

        while (at < reason.bytes && is_word_part(reason.text[at]))
            at++;
        word.bytes = (uint32_t)(reason.text + at - word.text);
        if (word.bytes > 1 && !is_filler(word))
            return true;
        at++;
    }
    return false;
}

static uint32_t
count_characters(struct pb_str text)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < text.bytes; i++)
        count += ((uint8_t)text.text[i] & 0xc0u) != 0x80u;
    return count;
}

static void
detect_weak_reason(struct pb_detector *detector)
{
    sort(detector, by_time);
    for (uint32_t i = 0; i < detector->count && !detector->is_stopped; i++) {
        const struct pb_detect_entry *entry = detector->order[i];
        const char *what;

        if (count_characters(entry->reason) < detector->limits.reason_characters_min)
            what = "a reason of a few characters";
        else if (!says_something(entry->reason))
            what = "a reason of filler words alone";
        else
            continue;
        /* Where an offence is named, few words may be enough. */
        if (entry->offence.bytes > 0 && says_something(entry->reason))
            continue;
        detector->indices[0] = entry->index;
        tell(detector, PB_DETECT_WEAK_REASON, entry->person, 1, what);
    }
}

static void
detect_wide_scope(struct pb_detector *detector)
{
    char what[WHAT_BYTES];

    sort(detector, by_time);
    for (uint32_t i = 0; i < detector->count && !detector->is_stopped; i++) {
        const struct pb_detect_entry *entry = detector->order[i];

        if (entry->states > detector->limits.scope_states)
            (void)snprintf(what, sizeof(what), "asked over %u states", entry->states);
        else if (entry->area_m2 > detector->limits.scope_area_m2)
            (void)snprintf(what, sizeof(what), "asked over %.1f square kilometres",
                           entry->area_m2 / 1e6);
        else
            continue;
        detector->indices[0] = entry->index;
        tell(detector, PB_DETECT_WIDE_SCOPE, entry->person, 1, what);
    }
}

/* Sum and sum of squares of what each person of one role asked. */
struct role_sums {
    uint32_t people;
    double sum, squares;
};

/* The entries of one person from `first` on. */
static uint32_t
person_end(const struct pb_detector *detector, uint32_t first, uint32_t end)
{
    uint32_t at = first + 1;

    while (at < end && pb_str_equal(detector->order[first]->person, detector->order[at]->person))
        at++;
    return at;
}

static bool
is_volume_high(const struct pb_detector *detector, const struct role_sums *sums, double count)
{
    uint32_t peers = sums->people - 1;
    double mean, variance;

    if (peers < detector->limits.volume_peers_min || count < detector->limits.volume_count_min)
        return false;
    mean = (sums->sum - count) / peers;
    variance = (sums->squares - count * count) / peers - mean * mean;
    return count > mean + detector->limits.volume_deviations * sqrt(variance > 0 ? variance : 0);
}

static void
detect_volume_of_role(struct pb_detector *detector, uint32_t first, uint32_t end)
{
    struct role_sums sums = { 0 };
    char what[WHAT_BYTES];
    uint32_t next;

    for (uint32_t at = first; at < end; at = next) {
        next = person_end(detector, at, end);
        sums.people++;
        sums.sum += next - at;
        sums.squares += (double)(next - at) * (next - at);
    }
    for (uint32_t at = first; at < end && !detector->is_stopped; at = next) {
        uint32_t count = 0;

        next = person_end(detector, at, end);
        if (!is_volume_high(detector, &sums, next - at))
            continue;
        for (uint32_t i = at; i < next; i++)
            detector->indices[count++] = detector->order[i]->index;
        (void)snprintf(what, sizeof(what),
                       "%u inquiries, where %u others in this role have %.1f "
                       "on average",
                       count, sums.people - 1, (sums.sum - count) / (sums.people - 1));
        tell(detector, PB_DETECT_VOLUME, detector->order[at]->person, count, what);
    }
}

static void
detect_volume(struct pb_detector *detector)
{
    uint32_t first = 0, end;

    sort(detector, by_role_and_person);
    for (; first < detector->count && !detector->is_stopped; first = end) {
        for (end = first + 1; end < detector->count && pb_str_equal(detector->order[first]->role,
                                                                    detector->order[end]->role);
             end++)
            ;
        detect_volume_of_role(detector, first, end);
    }
}

static void
detect_odd_hours(struct pb_detector *detector)
{
    uint32_t first = 0, end;
    char what[WHAT_BYTES];

    sort(detector, by_person);
    for (; first < detector->count && !detector->is_stopped; first = end) {
        const struct pb_detect_entry *entry = detector->order[first];
        int64_t night = night_of(detector, entry->at_us);
        uint32_t count = 0;

        for (end = first;
             end < detector->count && pb_str_equal(entry->person, detector->order[end]->person) &&
             night_of(detector, detector->order[end]->at_us) == night;
             end++) {
            if (is_off_shift(detector, detector->order[end]->at_us))
                detector->indices[count++] = detector->order[end]->index;
        }
        if (count < detector->limits.odd_hours_count)
            continue;
        (void)snprintf(what, sizeof(what), "%u inquiries in one night", count);
        tell(detector, PB_DETECT_ODD_HOURS, entry->person, count, what);
    }
}

enum pb_status
pb_detector_run(struct pb_detector *detector, pb_finding_fn *each, void *context,
                struct pb_error *error)
{
    static void (*const detectors[PB_DETECT_KINDS])(struct pb_detector *) = {
        detect_repeat_plate, detect_plate_cluster, detect_reason_reuse, detect_weak_reason,
        detect_wide_scope,   detect_volume,        detect_odd_hours,
    };
    enum pb_status status = PB_OK;

    detector->each = each;
    detector->context = context;
    detector->is_stopped = false;
    detector->order =
        pb_calloc(detector->env, (size_t)detector->count + 1, sizeof(*detector->order));
    detector->indices =
        pb_calloc(detector->env, (size_t)detector->count + 1, sizeof(*detector->indices));
    if (detector->order == NULL || detector->indices == NULL)
        status = pb_fail(error, PB_E_NOMEM, "no memory for detectors");
    for (uint32_t i = 0; i < PB_DETECT_KINDS && status == PB_OK && !detector->is_stopped; i++)
        detectors[i](detector);
    pb_free(detector->env, detector->order);
    pb_free(detector->env, detector->indices);
    detector->order = NULL;
    detector->indices = NULL;
    return status;
}

/* ---- reviews ---- */

enum pb_review_delay
pb_detect_review_delay(int64_t due_us, int64_t now_us)
{
    if (now_us <= due_us || now_us - due_us <= LATE_US)
        return PB_REVIEW_IN_TIME;
    return now_us - due_us <= VERY_LATE_US ? PB_REVIEW_LATE : PB_REVIEW_VERY_LATE;
}

struct lot {
    uint8_t hash[32];
    uint64_t index;
};

static int
by_lot(const void *a, const void *b)
{
    /* No two of them are equal: that would be a collision of SHA-256. */
    return memcmp(((const struct lot *)a)->hash, ((const struct lot *)b)->hash,
                  sizeof(((const struct lot *)a)->hash));
}

static void
cast_lot(const uint8_t seed[32], uint64_t index, struct lot *ret_lot)
{
    static const char prefix[] = "platebase/sample/v1"; /* its NUL is hashed */
    crypto_hash_sha256_state state;
    uint8_t number[8];

    for (unsigned i = 0; i < 8; i++)
        number[i] = (uint8_t)(index >> 8 * (7 - i));
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)prefix, sizeof(prefix));
    (void)crypto_hash_sha256_update(&state, seed, 32);
    (void)crypto_hash_sha256_update(&state, number, sizeof(number));
    (void)crypto_hash_sha256_final(&state, ret_lot->hash);
    ret_lot->index = index;
}

enum pb_status
pb_sample_draw(const struct pb_env *env, const uint8_t seed[32], const uint64_t *indices,
               uint32_t count, uint32_t wanted, uint64_t *ret_indices, uint32_t *ret_count,
               struct pb_error *error)
{
    struct lot *lots = pb_alloc(env, ((size_t)count + 1) * sizeof(*lots));

    if (lots == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a sample");
    for (uint32_t i = 0; i < count; i++)
        cast_lot(seed, indices[i], &lots[i]);
    if (count > 0)
        qsort(lots, count, sizeof(lots[0]), by_lot);
    if (wanted > count)
        wanted = count;
    for (uint32_t i = 0; i < wanted; i++)
        ret_indices[i] = lots[i].index;
    if (wanted > 0)
        qsort(ret_indices, wanted, sizeof(ret_indices[0]), by_value);
    *ret_count = wanted;
    pb_free(env, lots);
    return PB_OK;
}
