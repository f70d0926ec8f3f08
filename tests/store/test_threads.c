/*
 * Threads: appends, loads, flushes, merges, purges and erasures at once, and searches beside them.
 *
 * A search sees each commit whole or not at all, and each that was answered for before it began;
 * what a plate's history once showed it goes on showing. Groups of eight numbers are sent in one
 * of four ways, which their number tells. Also run under ThreadSanitizer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <platebase/store.h>

#include "geo/geo.h"
#include "store/local/local.h"
#include "store/numbered_read.h"

#define APPENDERS 3u
#define SEARCHERS 3u
#define LANES 2u
#define GROUP 8u
#define APPEND_GROUPS 400u             /* by all appenders together */
#define LOAD_GROUPS 1150u              /* by the loader alone; then what appenders send, too */
#define GROUPS (APPEND_GROUPS + LOAD_GROUPS)
#define NUMBERS (GROUPS * GROUP)
#define SEARCHES_MIN 12u
#define FLUSH_ROWS 1500u               /* so that rows are flushed behind a few times */
#define ERASED_PLATE 0u /* of which nothing is promised */

/* How the reads of a group are sent. */
enum group_way {
    WAY_WHOLE, /* in one append */
    WAY_SPLIT, /* a revision comes in a second append */
    WAY_BOTH,  /* in one append, and by the loader */
    WAY_LOAD,
};

enum group_state {
    GROUP_SENT = 1,
    GROUP_HALF = 2, /* the first append of a split one was answered for */
    GROUP_WHOLE = 3,
};

struct town {
    struct pb_store *store;
    atomic_uchar states[GROUPS];
    atomic_uint next_group;
    atomic_uint appenders_left;
    atomic_uint failures;
    atomic_ullong searches, results;
    char failure[256]; /* of the thread that came first */
};

struct worker {
    struct town *town;
    pthread_t thread;
    uint64_t seed;
    struct pb_lane *lane;
    unsigned index;
};

static uint32_t
below(uint64_t *seed, uint32_t end)
{
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ z >> 31) % end);
}

static enum group_way
way_of(uint32_t group)
{
    if (group >= APPEND_GROUPS)
        return WAY_LOAD;
    if (group % 8 == 3)
        return WAY_BOTH;
    return group % 4 == 1 ? WAY_SPLIT : WAY_WHOLE;
}

/* cmocka's assertions belong to the main thread: others note what went wrong. */
static void PB_PRINTF(2, 3)
wrong(struct town *town, const char *format, ...)
{
    va_list arguments;

    if (atomic_fetch_add(&town->failures, 1) != 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(town->failure, sizeof(town->failure), format, arguments);
    va_end(arguments);
}

static bool
is_over(struct town *town)
{
    return atomic_load(&town->appenders_left) == 0 || atomic_load(&town->failures) != 0;
}

static bool
is_promised(uint32_t group)
{
    return numbered_plate_index(group * GROUP) != ERASED_PLATE;
}

/* ---- writing ---- */

static bool
append(struct town *town, uint32_t first, uint32_t count)
{
    struct numbered_read made[GROUP];
    struct pb_read reads[GROUP] = { 0 };
    enum pb_status answers[GROUP];
    struct pb_error error = { .message = "" };

    for (uint32_t i = 0; i < count; i++) {
        numbered_read_make(&made[i], first + i, PB_NEVER);
        reads[i] = made[i].read;
    }
    if (pb_store_append(town->store, reads, count, answers, &error) != PB_OK) {
        wrong(town, "append: %s", error.message);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool may_be_there = way_of(first / GROUP) == WAY_BOTH;
        bool may_be_erased = !is_promised(first / GROUP);

        if (answers[i] != PB_OK && !(may_be_there && answers[i] == PB_DUPLICATE)
            && !(may_be_erased && answers[i] == PB_EXPIRED))
            wrong(town, "append of read %u: %s", first + i, pb_status_name(answers[i]));
    }
    return true;
}

static void *
append_groups(void *context)
{
    struct worker *worker = context;
    struct town *town = worker->town;

    while (atomic_load(&town->failures) == 0) {
        uint32_t group = atomic_fetch_add(&town->next_group, 1);
        uint32_t first = group * GROUP;
        bool is_good = false;

        if (group >= APPEND_GROUPS)
            break;
        atomic_store(&town->states[group], GROUP_SENT);
        if (way_of(group) == WAY_SPLIT) {
            is_good = append(town, first, 5);
            if (is_good)
                atomic_store(&town->states[group], GROUP_HALF);
            is_good = is_good && append(town, first + 5, 3);
        } else {
            is_good = append(town, first, GROUP);
        }
        if (!is_good)
            break;
        atomic_store(&town->states[group], GROUP_WHOLE);
    }
    (void)atomic_fetch_sub(&town->appenders_left, 1);
    return NULL;
}

/* The first lane gets enough for segments of its own, the second goes the way of appends. */
static unsigned
lane_of(uint32_t group)
{
    return group % 16 == 15;
}

static void *
fill_lane(void *context)
{
    struct worker *worker = context;
    struct town *town = worker->town;
    struct pb_error error = { .message = "" };
    enum pb_status status = PB_OK;

    for (uint32_t group = 0; group < GROUPS && status == PB_OK; group++) {
        if (lane_of(group) != worker->index
            || (way_of(group) != WAY_LOAD && way_of(group) != WAY_BOTH))
            continue;
        if (way_of(group) == WAY_LOAD)
            atomic_store(&town->states[group], GROUP_SENT);
        for (uint32_t i = 0; i < GROUP && status == PB_OK; i++) {
            struct numbered_read made;

            numbered_read_make(&made, group * GROUP + i, PB_NEVER);
            status = pb_lane_add(worker->lane, &made.read, 1, &error);
        }
    }
    if (status == PB_OK)
        status = pb_lane_finish(worker->lane, &error);
    if (status != PB_OK)
        wrong(town, "load: %s: %s", pb_status_name(status), error.message);
    for (uint32_t group = 0; group < GROUPS && status == PB_OK; group++) {
        if (lane_of(group) == worker->index && way_of(group) == WAY_LOAD)
            atomic_store(&town->states[group], GROUP_WHOLE);
    }
    return NULL;
}

static void *
load_again_and_again(void *context)
{
    struct worker *worker = context;
    struct town *town = worker->town;

    do {
        struct worker lanes[LANES];
        struct pb_loader *loader = NULL;
        struct pb_load_counts counts;
        struct pb_error error = { .message = "" };
        unsigned started = 0;

        if (pb_loader_new(town->store, LANES, NULL, NULL, &loader, &error) != PB_OK) {
            wrong(town, "loader: %s", error.message);
            break;
        }
        for (; started < LANES; started++) {
            lanes[started] = (struct worker){ .town = town,
                                              .lane = pb_loader_lane(loader, started),
                                              .index = started };
            if (pthread_create(&lanes[started].thread, NULL, fill_lane, &lanes[started]) != 0)
                break;
        }
        for (unsigned i = 0; i < started; i++)
            (void)pthread_join(lanes[i].thread, NULL);
        pb_loader_counts(loader, &counts);
        if (counts.conflict != 0)
            wrong(town, "load: %llu conflicts", (unsigned long long)counts.conflict);
        pb_loader_free(loader);
    } while (!is_over(town));
    return NULL;
}

static void *
care(void *context)
{
    struct worker *worker = context;
    struct town *town = worker->town;

    do {
        struct pb_purge_counts counts;
        struct pb_error error = { .message = "" };
        struct pb_store_stats stats;
        char room[PB_PLATE_BYTES_MAX];
        struct pb_erasure erasure = { .plate = numbered_plate(ERASED_PLATE, room) };
        uint32_t what = below(&worker->seed, 6);
        enum pb_status status = PB_OK;

        if (what < 2) {
            status = pb_store_flush(town->store, &error);
        } else if (what == 2) {
            status = pb_store_merge(town->store, below(&worker->seed, 2) == 0, NULL, &error);
        } else if (what == 3) {
            status = pb_store_purge(town->store, NULL, &counts, &error);
        } else if (what == 4) {
            erasure.from_us = numbered_captured_us(below(&worker->seed, NUMBERS));
            erasure.to_us = erasure.from_us + 40 * NUMBERED_STEP_US;
            status = pb_store_erase(town->store, &erasure, &error);
        } else {
            status = pb_store_stats(town->store, &stats, &error);
        }
        if (status != PB_OK)
            wrong(town, "care %u: %s: %s", what, pb_status_name(status), error.message);
    } while (!is_over(town));
    return NULL;
}

/* ---- asking ---- */

/* What one thread knows. */
struct view {
    uint8_t before[GROUPS]; /* states when the search began */
    uint8_t seen[NUMBERS];
    uint8_t shown[NUMBERS]; /* by an earlier search of this thread */
};

enum question { ASK_HISTORY, ASK_PATTERN, ASK_PLACE, ASK_CURRENT, ASK_PAGES, ASK_KINDS };

static bool
concerns(enum question question, uint32_t plate, uint32_t number)
{
    if (question == ASK_PLACE)
        return numbered_has_position(number);
    if (question == ASK_HISTORY || question == ASK_PAGES)
        return numbered_plate_index(number) == plate;
    return true;
}

/* Takes results until the end, or limit of them; returns whether all went well. */
static bool
take(struct town *town, struct pb_cursor *cursor, struct view *view, uint32_t limit,
     int64_t *newest_us, bool *ret_is_end)
{
    struct pb_error error = { .message = "" };

    *ret_is_end = false;
    for (uint32_t taken = 0; taken < limit; taken++) {
        struct pb_result result;
        uint32_t number = 0;
        enum pb_status status = pb_cursor_next(cursor, &result, &error);

        if (status == PB_END) {
            *ret_is_end = true;
            return true;
        }
        if (status != PB_OK) {
            wrong(town, "search: %s: %s", pb_status_name(status), error.message);
            return false;
        }
        if (!numbered_read_check(&result.read, PB_NEVER, &number) || number >= NUMBERS)
            wrong(town, "found a read that is none of ours, near %u", number);
        else if (atomic_load(&town->states[number / GROUP]) == 0
                 && way_of(number / GROUP) != WAY_BOTH)
            wrong(town, "found read %u, which was not sent", number);
        else if (view->seen[number] != 0)
            wrong(town, "found read %u twice", number);
        else if (result.read.captured_at_us > *newest_us)
            wrong(town, "read %u comes after an older one", number);
        else
            view->seen[number] = result.read.is_superseded ? 2 : 1;
        *newest_us = result.read.captured_at_us;
        (void)atomic_fetch_add(&town->results, 1);
    }
    return true;
}

static bool
ask(struct town *town, struct pb_query *query, struct view *view, bool in_pages)
{
    int64_t newest_us = INT64_MAX;
    char token[PB_TOKEN_BYTES_MAX];
    bool is_end = false;

    while (!is_end) {
        struct pb_cursor *cursor = NULL;
        struct pb_error error = { .message = "" };
        enum pb_status status = pb_store_search(town->store, query, &cursor, &error);
        bool is_good = status == PB_OK;

        if (!is_good)
            wrong(town, "search: %s: %s", pb_status_name(status), error.message);
        is_good = is_good
                  && take(town, cursor, view, in_pages ? 7 : UINT32_MAX, &newest_us, &is_end);
        if (is_good && !is_end) {
            if (pb_cursor_token(cursor, token) != PB_OK)
                wrong(town, "a cursor that gave results has no token");
            query->resume = pb_str_from(token);
        }
        pb_cursor_free(cursor);
        if (!is_good)
            return false;
    }
    return true;
}

static void
check_group(struct town *town, const struct view *view, enum question question, uint32_t plate,
            uint32_t group)
{
    const uint8_t *seen = &view->seen[(size_t)group * GROUP];
    uint8_t before = view->before[group];
    uint32_t there = 0;
    uint32_t expected = 0;

    for (uint32_t i = 0; i < GROUP; i++) {
        bool is_asked = concerns(question, plate, group * GROUP + i);

        /* Of a read and its revision the newer one is current. */
        expected += is_asked && !(question == ASK_CURRENT && i == 4);
        there += seen[i] != 0 && !(question == ASK_CURRENT && i == 4);
    }
    if (expected == 0)
        return;
    if (before == GROUP_WHOLE && there != expected)
        wrong(town, "question %d: group %u was answered for; %u of its %u reads are seen",
              (int)question, group, there, expected);
    /* Pages are several searches, and the loader's reads become visible lane by lane. */
    if (way_of(group) == WAY_WHOLE && question != ASK_PAGES && there != 0 && there != expected)
        wrong(town, "question %d: %u of the %u reads of group %u are seen", (int)question, there,
              expected, group);
    if (before == GROUP_HALF && question == ASK_CURRENT && seen[4] == 0 && seen[5] == 0)
        wrong(town, "neither read %u nor its revision is seen", group * GROUP + 4);
    if (before == GROUP_HALF && concerns(question, plate, group * GROUP) && seen[0] == 0)
        wrong(town, "question %d: read %u was answered for and is not seen", (int)question,
              group * GROUP);
}

static bool
sum_plate(void *context, const struct pb_plate_count *plate)
{
    *(uint64_t *)context += plate->reads;
    return true;
}

static void
search_once(struct worker *worker, struct view *view, const struct pb_geo_area *area)
{
    struct town *town = worker->town;
    /* Those that look at everything are rare, or they would be all there is. */
    uint32_t draw = below(&worker->seed, 3 * ASK_KINDS);
    enum question question = draw < ASK_KINDS ? (enum question)draw
                             : draw % 2 == 0  ? ASK_HISTORY
                                              : ASK_PAGES;
    uint32_t plate = 1 + below(&worker->seed, NUMBERED_PLATES - 1);
    char room[PB_PLATE_BYTES_MAX];
    struct pb_query query = { .from_us = PB_TIME_MIN_US,
                              .to_us = PB_TIME_MAX_US,
                              .without_alternates = true,
                              .with_superseded = question != ASK_CURRENT };
    uint64_t counted = 0;

    for (uint32_t group = 0; group < GROUPS; group++)
        view->before[group] = atomic_load(&town->states[group]);
    memset(view->seen, 0, sizeof(view->seen));
    if (question == ASK_PLACE)
        query.area = area;
    else if (question == ASK_HISTORY || question == ASK_PAGES)
        query.plate = numbered_plate(plate, room);
    else
        query.plate = pb_str_from("*");
    if (!ask(town, &query, view, question == ASK_PAGES))
        return;
    for (uint32_t group = 0; group < GROUPS; group++) {
        if (is_promised(group))
            check_group(town, view, question, plate, group);
    }
    for (uint32_t number = 0; number < NUMBERS; number++) {
        if (is_promised(number / GROUP) && question != ASK_CURRENT
            && concerns(question, plate, number) && view->shown[number] != 0
            && view->seen[number] == 0)
            wrong(town, "question %d: read %u was seen before and is not any more", (int)question,
                  number);
        if (view->seen[number] != 0)
            view->shown[number] = 1;
    }
    if (question == ASK_HISTORY
        && pb_store_plates(town->store, numbered_plate(plate, room), 0, false, 0, sum_plate, NULL,
                           &counted, NULL) != PB_OK)
        wrong(town, "plates failed");
    (void)atomic_fetch_add(&town->searches, 1);
}

static void *
search_again_and_again(void *context)
{
    struct worker *worker = context;
    struct pb_geo_area *area = NULL;
    struct view *view = calloc(1, sizeof(*view));

    if (view == NULL
        || pb_geo_area_from_circle(pb_env_system(), 377749000, -1224194000, 90000, &area, NULL)
               != PB_OK)
        wrong(worker->town, "a searcher could not begin");
    for (uint32_t i = 0; atomic_load(&worker->town->failures) == 0
                         && (i < SEARCHES_MIN || !is_over(worker->town)); i++)
        search_once(worker, view, area);
    pb_geo_area_free(pb_env_system(), area);
    free(view);
    return NULL;
}

/* ---- the test ---- */

static int
remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static void
check_end(struct town *town)
{
    struct worker worker = { .town = town };
    struct pb_geo_area *area = NULL;
    struct view *view = calloc(1, sizeof(*view));

    assert_non_null(view);
    assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), 377749000, -1224194000,
                                                    90000, &area, NULL));
    for (uint32_t group = 0; group < GROUPS; group++)
        assert_int_equal(GROUP_WHOLE, atomic_load(&town->states[group]));
    for (uint32_t i = 0; i < 2 * SEARCHES_MIN && atomic_load(&town->failures) == 0; i++)
        search_once(&worker, view, area);
    pb_geo_area_free(pb_env_system(), area);
    free(view);
    if (atomic_load(&town->failures) != 0)
        fail_msg("at the end: %s", town->failure);
}

static void
searches_see_whole_commits_while_everything_goes_on(void **state)
{
    static void *(*const works[])(void *) = {
        append_groups,          append_groups,          append_groups,          care,
        search_again_and_again, search_again_and_again, search_again_and_again,
        load_again_and_again,
    };
    struct pb_store_options options = { .merge_in_background = true,
                                        .memory_bytes = UINT64_C(64) << 20 };
    struct worker workers[sizeof(works) / sizeof(works[0])];
    const char *temporary = getenv("TMPDIR");
    struct town *town = calloc(1, sizeof(*town));
    struct pb_verify_counts counts;
    struct pb_error error = { .message = "" };
    char directory[512];
    char path[600];

    (void)state;
    assert_non_null(town);
    (void)snprintf(directory, sizeof(directory), "%s/platebase-threads-XXXXXX",
                   temporary != NULL ? temporary : "/tmp");
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/store", directory);
    assert_int_equal(PB_OK, pb_store_create(pb_env_system(), path, &error));
    assert_int_equal(PB_OK, pb_store_open(pb_env_system(), path, &options, &town->store, &error));
    town->store->flush_rows = FLUSH_ROWS;
    atomic_store(&town->appenders_left, APPENDERS);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        workers[i] = (struct worker){ .town = town, .seed = i + 1 };
        assert_int_equal(0, pthread_create(&workers[i].thread, NULL, works[i], &workers[i]));
    }
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        (void)pthread_join(workers[i].thread, NULL);
    if (atomic_load(&town->failures) != 0)
        fail_msg("%u failures; first: %s", atomic_load(&town->failures), town->failure);
    check_end(town);
    pb_store_close(town->store);

    assert_int_equal(PB_OK, pb_store_open(pb_env_system(), path, NULL, &town->store, &error));
    check_end(town);
    pb_store_close(town->store);
    assert_int_equal(PB_OK, pb_store_verify(pb_env_system(), path, NULL, NULL, NULL, &counts,
                                            &error));
    assert_int_equal(0, counts.damaged);
    print_message("# %llu searches with %llu results beside %u groups appended\n",
                  (unsigned long long)atomic_load(&town->searches),
                  (unsigned long long)atomic_load(&town->results), APPEND_GROUPS);
    (void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(town);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_see_whole_commits_while_everything_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
