/*
 * Power cuts: whatever the store was doing, after the power has come back it opens, has every read
 * that it answered for and none that was not sent, finds no damage, and works on.
 *
 * A life is a random history of appends, loads, flushes, merges, erasures, purges, backups and
 * reopenings on a simulated disk. The power is cut within each mutating call of some lives and
 * within a random one of many others. PB_NIGHT=1 lives ten times as many.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <platebase/store.h>

#include "geo/geo.h"
#include "store/flush_behind.h"
#include "store/numbered_read.h"
#include "support/sim_fs.h"

#define NUMBERS_MAX 40000u
#define ERASURES_MAX 64u
#define REQUEST_READS_MAX 8u
#define LOAD_READS 8300u /* more than a loader would hand on to the log */
#define DAY_US (INT64_C(86400) * 1000000)
#define EXPIRES_US (NUMBERED_FIRST_US + 200 * DAY_US)
#define FAR_US (EXPIRES_US + 1000 * DAY_US) /* a date that is never reached */
#define NIGHT_FACTOR 10u

static const char parent[] = "data";
static const char path[] = "data/store";

enum read_state {
    READ_SENT = 1,   /* may be there */
    READ_ACKED = 2,  /* must be there */
    READ_ERASED = 4, /* must not be there */
    READ_MAYBE_ERASED = 8,
    READ_DATED = 16, /* there when dates were moved: its own is the ledger's */
};

struct erasure {
    uint32_t plate;
    int64_t from_us, to_us;
    bool is_acked;
};

/* What a life knows of the store: kept outside of it. */
struct ledger {
    uint8_t states[NUMBERS_MAX];
    uint32_t next; /* numbers below were sent */
    struct erasure erasures[ERASURES_MAX];
    uint32_t erasure_count;
    uint32_t pending[REQUEST_READS_MAX]; /* first sent in the request that got no answer */
    uint32_t pending_count;
    bool is_created;
    int64_t now_us;
    int64_t date_us;       /* PB_NEVER or FAR_US, of reads that do not expire */
    bool is_date_unknown;  /* dates were to be moved, and some may have been */
};

struct life {
    struct sim_fs *fs;
    struct pb_env base;
    struct fault_env fault; /* fails nothing: tells when a flush syncs */
    struct pb_env env;
    struct ledger *ledger;
    struct pb_store *store; /* NULL: closed */
    uint64_t seed;
    uint32_t backups;
    bool may_fail;          /* a sync was made to fail */
    bool has_log;           /* the step before was an append that wrote to a log */
    bool has_poison;        /* an append to a log failed since the store was opened */
};

/* What all tests of this file ran; printed at the end. */
struct totals {
    uint64_t cuts, cuts_in_recovery, lives, reads_found;
};

static uint32_t
below(uint64_t *seed, uint32_t end)
{
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ z >> 31) % end);
}

static uint32_t
night_factor(void)
{
    return getenv("PB_NIGHT") != NULL ? NIGHT_FACTOR : 1;
}

static int64_t
ledger_now_us(void *context)
{
    return ((const struct life *)context)->ledger->now_us;
}

static bool
is_expired(const struct ledger *ledger, uint32_t number)
{
    return numbered_may_expire(number) && ledger->now_us >= EXPIRES_US;
}

static bool
is_matched(const struct erasure *erasure, uint32_t number)
{
    int64_t captured_us = numbered_captured_us(number);

    return numbered_plate_index(number) == erasure->plate && captured_us >= erasure->from_us
           && captured_us < erasure->to_us;
}

/* ---- what the store says ---- */

struct found {
    uint8_t seen[NUMBERS_MAX]; /* 1: there; 2: there as history */
    uint64_t count, current_count, placed_count;
};

static void
fail_life(const struct life *life, const char *what, enum pb_status status,
          const struct pb_error *error)
{
    fail_msg("%s: %s: %s (now %lld)", what, pb_status_name(status), error->message,
             (long long)life->ledger->now_us);
}

/* Puts a date that a restamp gave back to what was sent, if it may be there. */
static void
check_date(const struct ledger *ledger, struct pb_read *read)
{
    int64_t date_us = read->delete_after_us;
    uint32_t number = 0;

    if (date_us != FAR_US && date_us != PB_NEVER)
        return;
    read->delete_after_us = PB_NEVER;
    if (!numbered_read_check(read, EXPIRES_US, &number) || number >= NUMBERS_MAX)
        return; /* it is told there */
    if ((ledger->states[number] & READ_DATED) != 0 && !ledger->is_date_unknown
        && date_us != ledger->date_us)
        fail_msg("read %u has a date of before a restamp", number);
}

/* Asks; each result must be a read that was sent, as it was sent, once. */
static uint64_t
ask(const struct life *life, const struct pb_query *query, const char *what, uint8_t *seen)
{
    struct pb_error error = { .message = "" };
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    uint64_t count = 0;
    enum pb_status status = pb_store_search(life->store, query, &cursor, &error);

    while (status == PB_OK) {
        uint32_t number = 0;

        status = pb_cursor_next(cursor, &result, &error);
        if (status != PB_OK)
            break;
        check_date(life->ledger, &result.read);
        if (!numbered_read_check(&result.read, EXPIRES_US, &number))
            fail_msg("%s: found a read that is none of ours, near %u", what, number);
        if (number >= life->ledger->next || (life->ledger->states[number] & READ_SENT) == 0)
            fail_msg("%s: found read %u, which was not sent", what, number);
        if (seen[number] != 0)
            fail_msg("%s: found read %u twice", what, number);
        seen[number] = result.read.is_superseded ? 2 : 1;
        count++;
    }
    pb_cursor_free(cursor);
    if (status != PB_END)
        fail_life(life, what, status, &error);
    return count;
}

static struct pb_query
any_time(void)
{
    return (struct pb_query){ .from_us = PB_TIME_MIN_US,
                              .to_us = PB_TIME_MAX_US,
                              .with_superseded = true };
}

static void
find_all(const struct life *life, struct found *found)
{
    struct pb_query query = any_time();

    memset(found, 0, sizeof(*found));
    query.plate = pb_str_from("*");
    query.without_alternates = true;
    found->count = ask(life, &query, "any plate", found->seen);
    for (uint32_t number = 0; number < life->ledger->next; number++) {
        found->current_count += found->seen[number] == 1;
        found->placed_count += found->seen[number] != 0 && numbered_has_position(number);
    }
}

/* The other ways to ask find the same. */
static void
check_other_ways(const struct life *life, const struct found *found, uint64_t *seed)
{
    static uint8_t seen[NUMBERS_MAX];
    struct pb_query query = any_time();
    struct pb_geo_area *area = NULL;
    char room[PB_PLATE_BYTES_MAX];
    uint32_t plate = below(seed, NUMBERED_PLATES);
    uint32_t alternate = below(seed, NUMBERED_ALTERNATES);
    uint64_t expected = 0;

    memset(seen, 0, sizeof(seen));
    query.plate = numbered_plate(plate, room);
    for (uint32_t number = 0; number < life->ledger->next; number++)
        expected += found->seen[number] != 0 && numbered_plate_index(number) == plate;
    assert_int_equal(expected, ask(life, &query, "one plate", seen));

    memset(seen, 0, sizeof(seen));
    query.plate = numbered_alternate_plate(alternate, room);
    expected = 0;
    for (uint32_t number = 0; number < life->ledger->next; number++)
        expected += found->seen[number] != 0 && numbered_alternate_index(number) == alternate;
    assert_int_equal(expected, ask(life, &query, "one alternate", seen));

    /* A pattern finds the short ones among the alternates. */
    memset(seen, 0, sizeof(seen));
    query.plate = pb_str_from("ALT?X");
    expected = 0;
    for (uint32_t number = 0; number < life->ledger->next; number++)
        expected += found->seen[number] != 0
                    && numbered_alternate_index(number) < NUMBERED_LONG_ALTERNATE;
    assert_int_equal(expected, ask(life, &query, "alternates", seen));
    query.plate = pb_str_from("Z?Z");
    assert_int_equal(0, ask(life, &query, "nothing", seen));

    memset(seen, 0, sizeof(seen));
    query.plate = (struct pb_str){ NULL, 0 };
    assert_int_equal(PB_OK, pb_geo_area_from_rectangle(&life->env, 370000000, -1230000000,
                                                       380000000, -1220000000, &area, NULL));
    query.area = area;
    assert_int_equal(found->placed_count, ask(life, &query, "a place", seen));
    pb_geo_area_free(&life->env, area);
}

static bool
add_plate(void *context, const struct pb_plate_count *plate)
{
    *(uint64_t *)context += plate->reads;
    return true;
}

/* An erasure that got no answer has happened as a whole or not at all; now it is known. */
static void
settle_erasures(struct ledger *ledger, const struct found *found)
{
    for (uint32_t i = 0; i < ledger->erasure_count; i++) {
        struct erasure *erasure = &ledger->erasures[i];
        bool has_any = false;

        if (erasure->is_acked)
            continue;
        for (uint32_t number = 0; number < ledger->next; number++) {
            if (is_matched(erasure, number) && found->seen[number] != 0)
                has_any = true;
        }
        for (uint32_t number = 0; number < ledger->next; number++) {
            uint8_t *state = &ledger->states[number];

            if (!is_matched(erasure, number))
                continue;
            if (has_any && (*state & (READ_ACKED | READ_ERASED)) == READ_ACKED
                && !is_expired(ledger, number) && found->seen[number] == 0)
                fail_msg("read %u is gone: its erasure happened in part", number);
            *state &= (uint8_t)~READ_MAYBE_ERASED;
            /* Where nothing is left to tell, the erasure may have happened: nothing of it may be
             * counted on, in either direction. */
            if (!has_any)
                *state = (uint8_t)(*state & ~READ_ACKED);
        }
        *erasure = ledger->erasures[--ledger->erasure_count];
        i--;
    }
}

static void
check_request_is_whole(struct ledger *ledger, const struct found *found)
{
    uint32_t there = 0;
    uint32_t expected = 0;

    for (uint32_t i = 0; i < ledger->pending_count; i++) {
        uint32_t number = ledger->pending[i];

        if (is_expired(ledger, number) || (ledger->states[number] & READ_ERASED) != 0)
            continue;
        expected++;
        there += found->seen[number] != 0;
    }
    ledger->pending_count = 0;
    if (there != 0 && there != expected)
        fail_msg("%u of the %u reads of one request are there", there, expected);
}

/* Everything that may be said of a store that was just opened or is still open. */
static uint64_t
check_store(struct life *life, bool has_been_cut)
{
    static struct found found;
    struct ledger *ledger = life->ledger;
    struct pb_error error = { .message = "" };
    uint64_t counted = 0;
    enum pb_status status = PB_OK;

    find_all(life, &found);
    if (has_been_cut) {
        settle_erasures(ledger, &found);
        check_request_is_whole(ledger, &found);
    }
    for (uint32_t number = 0; number < ledger->next; number++) {
        uint8_t state = ledger->states[number];
        bool must_be_gone = (state & READ_ERASED) != 0 || is_expired(ledger, number);

        if (found.seen[number] != 0 && must_be_gone)
            fail_msg("read %u is found after it was erased or expired", number);
        if (found.seen[number] == 0 && (state & (READ_ACKED | READ_MAYBE_ERASED)) == READ_ACKED
            && !must_be_gone)
            fail_msg("read %u was answered for and is lost", number);
        /* Where an erasure took one of the two, what the other is is not our question. */
        if (numbered_is_revised(number) && found.seen[number] != 0 && number + 1 < ledger->next
            && ((state | ledger->states[number + 1]) & (READ_ERASED | READ_MAYBE_ERASED)) == 0
            && (found.seen[number] == 2) != (found.seen[number + 1] != 0)
            && ((ledger->states[number + 1] & READ_ACKED) != 0 || found.seen[number + 1] != 0))
            fail_msg("read %u and its revision do not agree on which is newer", number);
    }
    check_other_ways(life, &found, &life->seed);
    status = pb_store_plates(life->store, pb_str_from("*"), 0, false, 0, add_plate, NULL, &counted,
                             &error);
    if (status != PB_OK)
        fail_life(life, "plates", status, &error);
    assert_int_equal(found.current_count, counted);
    return found.count;
}

static void
tell_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    (void)context;
    print_error("%s: offset %llu: %s\n", file, (unsigned long long)offset, what);
}

static void
check_verify(const struct life *life, const char *directory)
{
    struct pb_verify_counts counts = { 0 };
    struct pb_error error = { .message = "" };
    enum pb_status status = pb_store_verify(&life->env, directory, tell_damage, NULL, NULL,
                                            &counts, &error);

    if (status != PB_OK)
        fail_life(life, "verify", status, &error);
    assert_int_equal(0, counts.damaged);
}

/* ---- what a life does ---- */

/* Whether a step went well. Where it did not, the power must be off or a sync have failed. */
static bool
went_well(const struct life *life, enum pb_status status, const char *what,
          const struct pb_error *error)
{
    if (status == PB_OK)
        return true;
    if (!sim_fs_is_cut(life->fs) && !life->may_fail)
        fail_life(life, what, status, error);
    assert_true(status == PB_E_IO || status == PB_E_POISONED);
    return false;
}

static bool
open_store(struct life *life)
{
    struct pb_error error = { .message = "" };

    life->has_poison = false;
    life->has_log = false;
    return went_well(life, pb_store_open(&life->env, path, NULL, &life->store, &error), "open",
                     &error);
}

static void
close_store(struct life *life)
{
    pb_store_close(life->store);
    life->store = NULL;
}

static void
check_answer(struct ledger *ledger, uint32_t number, enum pb_status answer)
{
    uint8_t *state = &ledger->states[number];
    bool must_be_gone = (*state & READ_ERASED) != 0 || is_expired(ledger, number);

    for (uint32_t i = 0; i < ledger->erasure_count; i++) {
        if (ledger->erasures[i].is_acked && is_matched(&ledger->erasures[i], number))
            must_be_gone = true;
    }
    if (answer == PB_EXPIRED) {
        /* After a cut that left nothing to tell, an erasure may be there that nobody knows. */
        if ((*state & READ_ACKED) != 0 && !must_be_gone && (*state & READ_MAYBE_ERASED) == 0)
            fail_msg("read %u is there and is answered for as expired", number);
        *state = (uint8_t)((*state & ~READ_ACKED) | READ_ERASED);
        return;
    }
    if (must_be_gone)
        fail_msg("read %u was erased or has expired and is taken: %s", number,
                 pb_status_name(answer));
    if (answer != PB_DUPLICATE)
        assert_int_equal(PB_OK, answer);
    if (answer == PB_OK && (*state & (READ_ACKED | READ_MAYBE_ERASED)) == READ_ACKED)
        fail_msg("read %u is taken a second time", number);
    *state |= READ_ACKED;
}

/* Appends a few reads, most of them for the first time. */
static bool
append(struct life *life)
{
    struct ledger *ledger = life->ledger;
    struct numbered_read made[REQUEST_READS_MAX];
    struct pb_read reads[REQUEST_READS_MAX];
    uint32_t numbers[REQUEST_READS_MAX];
    enum pb_status answers[REQUEST_READS_MAX];
    struct pb_error error = { .message = "" };
    uint32_t count = 1 + below(&life->seed, REQUEST_READS_MAX);
    enum pb_status status = PB_OK;
    bool is_good = false;

    ledger->pending_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_again = ledger->next > 0 && below(&life->seed, 5) == 0;
        uint32_t number = is_again ? below(&life->seed, ledger->next) : ledger->next++;

        assert_true(number < NUMBERS_MAX);
        if (ledger->states[number] == 0)
            ledger->pending[ledger->pending_count++] = number;
        numbers[i] = number;
        ledger->states[number] |= READ_SENT;
        numbered_read_make(&made[i], number, EXPIRES_US);
        reads[i] = made[i].read;
    }
    status = pb_store_append(life->store, reads, count, answers, &error);
    is_good = went_well(life, status, "append", &error);
    /* Where there was no log yet, and none could be made, a later append may make it. */
    if (!is_good) {
        life->has_poison = life->has_poison || life->has_log || status == PB_E_POISONED;
        return false;
    }
    if (life->has_poison)
        fail_msg("an append is answered for after another one failed");
    for (uint32_t i = 0; i < count; i++) {
        check_answer(ledger, numbers[i], answers[i]);
        life->has_log = life->has_log || answers[i] == PB_OK;
    }
    ledger->pending_count = 0;
    return true;
}

static bool
load(struct life *life, uint32_t count)
{
    struct ledger *ledger = life->ledger;
    unsigned lanes = 1 + below(&life->seed, 2);
    uint32_t first = ledger->next;
    struct pb_load_counts counts;
    struct pb_error error = { .message = "" };
    struct pb_loader *loader = NULL;
    uint32_t gone = 0;
    bool is_good = went_well(life, pb_loader_new(life->store, lanes, NULL, NULL, &loader, &error),
                             "loader", &error);

    /* Some that are there already: a repeated load completes an interrupted one. */
    if (first > 20 && below(&life->seed, 2) == 0)
        first -= 20;
    ledger->next = first + count > ledger->next ? first + count : ledger->next;
    assert_true(ledger->next <= NUMBERS_MAX);
    for (uint32_t number = first; number < first + count && is_good; number++) {
        struct numbered_read made;

        ledger->states[number] |= READ_SENT;
        numbered_read_make(&made, number, EXPIRES_US);
        is_good = went_well(life,
                            pb_lane_add(pb_loader_lane(loader, number / 512 % lanes), &made.read,
                                        1, &error),
                            "load", &error);
    }
    for (unsigned lane = 0; lane < lanes && is_good; lane++)
        is_good = went_well(life, pb_lane_finish(pb_loader_lane(loader, lane), &error),
                            "finish", &error);
    if (is_good) {
        pb_loader_counts(loader, &counts);
        for (uint32_t number = first; number < first + count; number++) {
            uint8_t *state = &ledger->states[number];
            bool is_gone = (*state & READ_ERASED) != 0 || is_expired(ledger, number);

            for (uint32_t i = 0; i < ledger->erasure_count && !is_gone; i++)
                is_gone = is_matched(&ledger->erasures[i], number);
            gone += is_gone;
            if (!is_gone)
                *state |= READ_ACKED;
        }
        assert_int_equal(count, counts.stored + counts.duplicate + counts.rejected);
        assert_in_range(counts.rejected, 0, count);
        assert_true(counts.rejected <= gone || ledger->erasure_count < ERASURES_MAX);
        assert_int_equal(0, counts.conflict);
    }
    pb_loader_free(loader);
    return is_good;
}

static bool
erase(struct life *life)
{
    struct ledger *ledger = life->ledger;
    struct erasure erasure = { .plate = below(&life->seed, NUMBERED_PLATES) };
    struct pb_erasure told = { .jurisdiction = 0 };
    struct pb_error error = { .message = "" };
    char room[PB_PLATE_BYTES_MAX];
    uint32_t number = below(&life->seed, ledger->next + 1);

    if (ledger->erasure_count == ERASURES_MAX)
        return true;
    erasure.plate = numbered_plate_index(number);
    erasure.from_us = numbered_captured_us(number) - below(&life->seed, 30) * NUMBERED_STEP_US;
    erasure.to_us = numbered_captured_us(number) + 1;
    told.plate = numbered_plate(erasure.plate, room);
    told.from_us = erasure.from_us;
    told.to_us = erasure.to_us;
    erasure.is_acked = went_well(life, pb_store_erase(life->store, &told, &error), "erase",
                                 &error);
    for (uint32_t n = 0; n < NUMBERS_MAX && n < ledger->next + 1; n++) {
        if (is_matched(&erasure, n))
            ledger->states[n] |= erasure.is_acked ? READ_ERASED : READ_MAYBE_ERASED;
    }
    ledger->erasures[ledger->erasure_count++] = erasure;
    return erasure.is_acked;
}

static bool
purge(struct life *life)
{
    struct pb_purge_counts counts;
    struct pb_error error = { .message = "" };

    if (below(&life->seed, 3) == 0)
        life->ledger->now_us = EXPIRES_US + DAY_US;
    return went_well(life, pb_store_purge(life->store, NULL, &counts, &error), "purge", &error);
}

static int64_t
date_of(void *context, const struct pb_read *read)
{
    const struct ledger *ledger = context;

    return read->delete_after_us == EXPIRES_US ? EXPIRES_US : ledger->date_us;
}

/* Moves the dates of all reads that do not expire: some of a segment's go into another class. */
static bool
restamp(struct life *life)
{
    struct ledger *ledger = life->ledger;
    struct pb_restamp_counts counts;
    struct pb_error error = { .message = "" };
    bool is_good;

    ledger->date_us = below(&life->seed, 2) == 0 ? FAR_US : PB_NEVER;
    ledger->is_date_unknown = true;
    is_good = went_well(life, pb_store_restamp(life->store, date_of, ledger, NULL, &counts, &error),
                        "restamp", &error);
    for (uint32_t number = 0; number < ledger->next && is_good; number++) {
        if ((ledger->states[number] & READ_ACKED) != 0)
            ledger->states[number] |= READ_DATED;
    }
    if (is_good)
        ledger->is_date_unknown = false;
    return is_good;
}

static bool
back_up(struct life *life)
{
    char target[64];
    struct pb_error error = { .message = "" };

    (void)snprintf(target, sizeof(target), "%s/backup-%u", parent, life->backups);
    if (!went_well(life, pb_store_backup(life->store, target, NULL, &error), "backup", &error)) {
        if (!sim_fs_is_cut(life->fs))
            life->backups++; /* what is left of it is in the way */
        return false;
    }
    life->backups++;
    check_verify(life, target);
    return true;
}

static bool
reopen(struct life *life)
{
    close_store(life);
    return open_store(life);
}

static void
append_meanwhile(void *context)
{
    (void)append(context);
}

static bool
flush_some_behind(struct life *life)
{
    struct flush_behind flush = { .store = life->store,
                                  .fault = &life->fault,
                                  .operation = FAULT_SYNC,
                                  .meanwhile = append_meanwhile,
                                  .context = life };
    struct pb_error error = { .message = "" };
    enum pb_status status = flush_behind(&flush, &error);

    /* Busy: it would leave history behind whose newer revision has expired. */
    return status == PB_E_BUSY || went_well(life, status, "flush behind", &error);
}

/* One step; false: it failed, and the power is off. */
static bool
step(struct life *life)
{
    struct pb_error error = { .message = "" };
    uint32_t kind = below(&life->seed, 23);

    if (kind < 10)
        return append(life);
    life->has_log = false; /* what follows may flush */
    if (kind < 12)
        return load(life, 1 + below(&life->seed, 60));
    if (kind < 14)
        return went_well(life, pb_store_flush(life->store, &error), "flush", &error);
    if (kind < 16)
        return went_well(life, pb_store_merge(life->store, below(&life->seed, 2) == 0, NULL,
                                              &error), "merge", &error);
    if (kind == 16)
        return erase(life);
    if (kind == 17)
        return purge(life);
    if (kind == 18)
        return back_up(life);
    if (kind == 21)
        return flush_some_behind(life);
    return kind == 19 ? reopen(life) : restamp(life);
}

/* Creates a store and lives steps in it, until one fails; leaves it closed. */
static void
live(struct life *life, uint32_t steps, bool has_load)
{
    struct pb_error error = { .message = "" };
    bool is_good = went_well(life, pb_store_create(&life->env, path, &error), "create", &error);

    life->ledger->is_created = is_good;
    is_good = is_good && open_store(life);
    for (uint32_t i = 0; i < steps && is_good; i++) {
        is_good = has_load && i == steps / 2 ? load(life, LOAD_READS) : step(life);
    }
    close_store(life);
}

static void
begin(struct life *life, struct ledger *ledger, struct sim_fs *fs, uint64_t seed)
{
    memset(life, 0, sizeof(*life));
    life->fs = fs;
    life->ledger = ledger;
    life->seed = seed;
    life->base = sim_fs_env(fs);
    fault_env_init(&life->fault, &life->base);
    life->env = life->fault.env;
    life->env.now_us = ledger_now_us;
    life->env.clock_context = life;
}

static struct sim_fs *
new_disk(void)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_env env = sim_fs_env(fs);

    assert_int_equal(PB_OK, env.files->mkdir(env.file_context, parent, NULL));
    assert_int_equal(PB_OK, env.files->sync_directory(env.file_context, "/", NULL));
    return fs;
}

static void
begin_ledger(struct ledger *ledger)
{
    memset(ledger, 0, sizeof(*ledger));
    ledger->now_us = NUMBERED_FIRST_US + 150 * DAY_US;
    ledger->date_us = PB_NEVER;
}

/* ---- after the end ---- */

/* What a backup directory holds after a cut is a whole backup or no store at all. */
static void
check_backup(struct life *life)
{
    char target[64];
    struct pb_error error = { .message = "" };
    struct pb_store *store = NULL;
    struct pb_store_options options = { .is_read_only = true };
    struct pb_store_stats stats;
    enum pb_status status;

    (void)snprintf(target, sizeof(target), "%s/backup-%u", parent, life->backups);
    status = pb_store_open(&life->env, target, &options, &store, &error);
    if (status == PB_E_NOT_STORE)
        return;
    if (status != PB_OK)
        fail_life(life, "an interrupted backup", status, &error);
    assert_int_equal(PB_OK, pb_store_stats(store, &stats, NULL));
    pb_store_close(store);
    if (stats.commit == 0) {
        for (uint32_t number = 0; number < life->ledger->next; number++) {
            if (life->ledger->states[number] == (READ_SENT | READ_ACKED))
                fail_msg("an interrupted backup opens as an empty store");
        }
    }
}

/* Opens after a cut, perhaps cutting again meanwhile. false: there is no store, nor need be. */
static bool
recover(struct life *life, unsigned damage, struct totals *totals)
{
    struct pb_error error = { .message = "" };
    enum pb_status status;

    for (uint32_t again = below(&life->seed, 3); again > 0; again--) {
        sim_fs_cut_after(life->fs, 1 + below(&life->seed, 10));
        status = pb_store_open(&life->env, path, NULL, &life->store, &error);
        if (status == PB_E_CORRUPT || status == PB_E_VERSION)
            fail_life(life, "opening before a second cut", status, &error);
        close_store(life);
        sim_fs_set_damage(life->fs, damage);
        sim_fs_power_cut(life->fs, life->seed);
        totals->cuts_in_recovery++;
    }
    status = pb_store_open(&life->env, path, NULL, &life->store, &error);
    if (status == PB_E_NOT_STORE && !life->ledger->is_created)
        return false;
    if (status != PB_OK)
        fail_life(life, "opening after a cut", status, &error);
    return true;
}

/* The power comes back: nothing is lost, and life goes on until the next cut. */
static void
live_on(struct life *life, unsigned damage, struct totals *totals)
{
    struct pb_error error = { .message = "" };

    sim_fs_set_damage(life->fs, damage);
    sim_fs_power_cut(life->fs, life->seed);
    totals->cuts++;
    if (life->ledger->is_created)
        check_verify(life, path);
    check_backup(life);
    if (!recover(life, damage, totals))
        return;
    life->ledger->is_created = true;
    totals->reads_found += check_store(life, true);
    life->backups = 1000; /* an unfinished one is in the way */
    for (uint32_t i = 0; i < 4; i++)
        assert_true(append(life) && (i % 2 == 0 || step(life)));
    assert_int_equal(PB_OK, pb_store_merge(life->store, true, NULL, &error));
    close_store(life);
    totals->lives++;
    if (life->seed % 2 == 0)
        return;
    sim_fs_power_cut(life->fs, life->seed);
    check_verify(life, path);
    assert_true(open_store(life));
    (void)check_store(life, true);
    close_store(life);
}

/* Lives until the cut, then comes back in several ways. Returns whether the cut came. */
static bool
cut_at(uint64_t seed, uint32_t steps, bool has_load, uint64_t call, uint32_t endings,
       struct totals *totals)
{
    static struct ledger ledger;
    static struct ledger copy;
    struct sim_fs *fs = new_disk();
    struct life life;
    bool is_cut;

    begin_ledger(&ledger);
    begin(&life, &ledger, fs, seed);
    sim_fs_cut_after(fs, call);
    live(&life, steps, has_load);
    is_cut = sim_fs_is_cut(fs);
    for (uint32_t ending = 0; ending < endings; ending++) {
        struct sim_fs *clone = sim_fs_clone(fs);
        struct life after;

        copy = ledger;
        begin(&after, &copy, clone, seed * 1000 + call * 10 + ending);
        after.backups = life.backups;
        live_on(&after, ending % 4, totals);
        sim_fs_free(clone);
    }
    sim_fs_free(fs);
    return is_cut;
}

/* ---- the tests ---- */

static void
a_cut_within_any_call_of_a_life_loses_nothing(void **state)
{
    struct totals *totals = *state;
    uint32_t endings = night_factor();

    for (uint64_t seed = 1; seed <= 2; seed++) {
        uint64_t call = 1;

        while (cut_at(seed, 14, false, call, endings, totals))
            call++;
        assert_in_range(call, 40, 2000);
    }
}

static void
a_cut_within_any_call_of_a_load_loses_nothing(void **state)
{
    struct totals *totals = *state;
    uint64_t call = 1;

    while (cut_at(7, 3, true, call, 1, totals))
        call++;
    assert_in_range(call, 30, 2000);
}

static void
a_cut_at_a_random_moment_of_a_random_life_loses_nothing(void **state)
{
    struct totals *totals = *state;
    uint32_t lives = 280 * night_factor();

    for (uint64_t seed = 1000; seed < 1000 + lives; seed++) {
        uint64_t random = seed;
        uint32_t steps = 4 + below(&random, 30);

        (void)cut_at(seed, steps, false, 12 + below(&random, 12 * steps), 2, totals);
    }
}

/* A failed sync loses what was unsynced though it is still seen: the log must not go on. */
static void
after_a_failed_sync_nothing_is_answered_for_that_could_be_lost(void **state)
{
    static struct ledger ledger;
    struct totals *totals = *state;
    uint32_t lives = 120 * night_factor();

    for (uint64_t seed = 1; seed <= lives; seed++) {
        struct sim_fs *fs = new_disk();
        uint64_t random = seed;
        struct life life;
        bool has_failed = false;

        begin_ledger(&ledger);
        begin(&life, &ledger, fs, seed);
        assert_int_equal(PB_OK, pb_store_create(&life.env, path, NULL));
        ledger.is_created = true;
        assert_true(open_store(&life));
        for (uint32_t i = 0; i < 3; i++)
            assert_true(append(&life));
        life.may_fail = true;
        sim_fs_fail_sync_at(fs, 1 + below(&random, 12));
        /* Life goes on after failures, as a server's would: it may not be told a lie. */
        for (uint32_t i = 0; i < 20; i++) {
            if (!step(&life))
                has_failed = true;
            if (life.store == NULL)
                break;
        }
        close_store(&life);
        (void)has_failed;
        sim_fs_fail_sync_at(fs, 0);
        life.may_fail = false;
        ledger.pending_count = 0;
        if (below(&random, 2) == 0) {
            sim_fs_process_end(fs);
            assert_true(open_store(&life));
            (void)check_store(&life, false);
            assert_true(append(&life));
            close_store(&life);
        }
        begin(&life, &ledger, fs, seed + 5000);
        life.backups = 1000;
        live_on(&life, (unsigned)(seed % 4), totals);
        sim_fs_free(fs);
    }
}

/* A process died between write and sync, or its sync failed: what the next one finds in the log
 * need not be on disk. Whoever sends it again is told "duplicate" only when it is. */
static void
a_duplicate_is_answered_for_only_when_it_is_on_disk(void **state)
{
    static struct ledger ledger;
    struct totals *totals = *state;

    for (uint64_t seed = 1; seed <= 40 * night_factor(); seed++) {
        struct sim_fs *fs = new_disk();
        struct numbered_read made[3];
        struct pb_read reads[3];
        enum pb_status answers[3];
        struct pb_error error = { .message = "" };
        struct life life;
        uint32_t wanted = seed % 2 == 0 ? 1 : 3;

        begin_ledger(&ledger);
        begin(&life, &ledger, fs, seed);
        assert_int_equal(PB_OK, pb_store_create(&life.env, path, NULL));
        assert_true(open_store(&life));
        if (seed % 3 == 0)
            assert_true(append(&life));
        for (uint32_t i = 0; i < 3; i++) {
            numbered_read_make(&made[i], 8000 + i * 8, EXPIRES_US);
            reads[i] = made[i].read;
        }
        sim_fs_fail_sync_at(fs, seed % 3 == 0 ? 1 : 3); /* of the log */
        assert_true(pb_store_append(life.store, reads, 3, answers, &error) != PB_OK);
        close_store(&life);
        sim_fs_fail_sync_at(fs, 0);
        sim_fs_process_end(fs);
        assert_true(open_store(&life));
        assert_int_equal(PB_OK, pb_store_append(life.store, reads, wanted, answers, &error));
        if (seed % 4 == 0) {
            assert_int_equal(PB_OK, pb_store_flush(life.store, &error));
            assert_int_equal(PB_OK, pb_store_append(life.store, &reads[2], 1, answers, &error));
        }
        if (seed % 5 == 0)
            close_store(&life);
        sim_fs_power_cut(fs, seed);
        totals->cuts++;
        close_store(&life);
        assert_true(open_store(&life));
        for (uint32_t i = 0; i < wanted; i++) {
            struct pb_query query = any_time();
            struct pb_cursor *cursor = NULL;
            struct pb_result result;

            query.plate = reads[i].plate;
            assert_int_equal(PB_OK, pb_store_search(life.store, &query, &cursor, &error));
            if (pb_cursor_next(cursor, &result, &error) != PB_OK)
                fail_msg("seed %llu: a read was answered for (%s) and is lost",
                         (unsigned long long)seed, pb_status_name(answers[i]));
            assert_int_equal(PB_END, pb_cursor_next(cursor, &result, &error));
            pb_cursor_free(cursor);
        }
        close_store(&life);
        sim_fs_free(fs);
    }
}

static int
print_totals(void **state)
{
    const struct totals *totals = *state;

    print_message("# %llu power cuts, %llu more while recovering, %llu stores lived on, "
                  "%llu reads found again\n",
                  (unsigned long long)totals->cuts, (unsigned long long)totals->cuts_in_recovery,
                  (unsigned long long)totals->lives, (unsigned long long)totals->reads_found);
    return 0;
}

static int
give_totals(void **state)
{
    static struct totals totals;

    *state = &totals;
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_within_any_call_of_a_life_loses_nothing),
        cmocka_unit_test(a_cut_within_any_call_of_a_load_loses_nothing),
        cmocka_unit_test(a_cut_at_a_random_moment_of_a_random_life_loses_nothing),
        cmocka_unit_test(after_a_failed_sync_nothing_is_answered_for_that_could_be_lost),
        cmocka_unit_test(a_duplicate_is_answered_for_only_when_it_is_on_disk),
    };

    return cmocka_run_group_tests(tests, give_totals, print_totals);
}
