/*
 * Every allocation and every file call of a store's whole life fails, once and for good.
 *
 * Whatever fails: nothing leaks, what was acknowledged is there when the store is opened again
 * without faults, what was erased is not, and nothing is there that was not sent. The sweep
 * takes steps in the suite and every single call with PB_NIGHT=1.
 */
#include "store/store_room.h"

#include <stdio.h>
#include <stdlib.h>

#include "geo/geo.h"

#define SENT_MAX 64u
#define FILLER_READS 1030u
#define RUNS_OF_SUITE 120u /* of each kind of fault */

/* What one run of the scenario sent, and what it was told. */
struct sent {
    char plate[16];
    int64_t second;
    bool is_acked;
};

enum maybe { NO, YES, UNKNOWN };

struct ledger {
    struct sent reads[SENT_MAX];
    uint32_t count;
    bool is_created;
    enum maybe is_erased;    /* plates that begin with ER */
    enum pb_status copy;     /* of the backup */
    enum pb_status restored; /* of the restored store */
    uint32_t acked_at_copy;
    enum pb_status restamped;
    uint32_t acked_at_restamp; /* reads of lower numbers that were acknowledged have new dates */
};

static struct pb_read
read_of(const struct sent *sent)
{
    struct pb_read read = room_read(sent->plate, "gate-1", sent->second);

    if (sent->second % 3 == 0)
        read.event_id = pb_str_from(sent->plate);
    return read;
}

static void
check_status(const struct store_room *room, enum pb_status status, const char *what)
{
    if (status == PB_OK || status == PB_E_POISONED)
        return;
    if (room->fault.fail_allocation_at != 0 && status == PB_E_NOMEM)
        return;
    if (room->fault.fail_file_call_at != 0 && status == room->fault.fail_file_status)
        return;
    fail_msg("%s, allocation %llu, file call %llu: %s: %s", what,
             (unsigned long long)room->fault.fail_allocation_at,
             (unsigned long long)room->fault.fail_file_call_at, pb_status_name(status),
             room->error.message);
}

static void
note_removed(void *context, const struct pb_removed *removed)
{
    *(uint64_t *)context += removed->reads;
}

/* Into two classes, both far off. */
static int64_t
date_of(void *context, const struct pb_read *read)
{
    (void)context;
    return read->captured_at_us + (read->captured_at_us / ROOM_SECOND_US % 2 ? 300 : 1000)
                                      * ROOM_DAY_US;
}

/* Opens where it is not open; a fault that happens once lets the second try pass. */
static bool
need_store(struct store_room *room)
{
    static uint64_t told;
    struct pb_store_options options = { .memory_bytes = 1,
                                        .on_removed = note_removed,
                                        .removed_context = &told };

    for (int i = 0; i < 2 && room->store == NULL; i++)
        check_status(room, pb_store_open(room->env, ROOM_PATH, &options, &room->store,
                                         &room->error), "open");
    return room->store != NULL;
}

static void
send(struct store_room *room, struct ledger *ledger, const char *prefix, uint32_t count)
{
    for (uint32_t i = 0; i < count && need_store(room); i++) {
        struct sent *sent = &ledger->reads[ledger->count];
        struct pb_read read;
        enum pb_status answer = PB_E_IO;
        enum pb_status status;

        assert_true(ledger->count < SENT_MAX);
        (void)snprintf(sent->plate, sizeof(sent->plate), "%s%u", prefix, (unsigned)ledger->count);
        sent->second = (int64_t)ledger->count;
        ledger->count++;
        read = read_of(sent);
        status = pb_store_append(room->store, &read, 1, &answer, &room->error);
        check_status(room, status, "append");
        sent->is_acked = status == PB_OK;
        if (status == PB_OK)
            assert_int_equal(PB_OK, answer);
        if (status == PB_E_POISONED || status == PB_E_IO || status == PB_E_FULL)
            room_close(room);
    }
}

static void
load_many(struct store_room *room, struct ledger *ledger)
{
    struct pb_loader *loader = NULL;
    struct sent *sent = &ledger->reads[ledger->count];
    struct pb_read read;
    enum pb_status status;

    if (!need_store(room))
        return;
    (void)snprintf(sent->plate, sizeof(sent->plate), "LOAD%u", (unsigned)ledger->count);
    sent->second = (int64_t)ledger->count++;
    read = read_of(sent);
    status = pb_loader_new(room->store, 256, NULL, NULL, &loader, &room->error);
    for (uint32_t i = 0; i < FILLER_READS && status == PB_OK; i++)
        status = pb_lane_add(pb_loader_lane(loader, 0), &read, 1, &room->error);
    if (status == PB_OK)
        status = pb_lane_finish(pb_loader_lane(loader, 0), &room->error);
    check_status(room, status, "load");
    sent->is_acked = status == PB_OK;
    pb_loader_free(loader);
}

/* What a question finds while faults go on is right or an error. */
static void
search_all(struct store_room *room, const struct ledger *ledger)
{
    struct pb_query query = room_query("*");
    struct pb_geo_area *area = NULL;

    assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), 377749000, -1224194000, 500,
                                                    &area, &room->error));
    for (int by_place = 0; by_place < 2 && need_store(room); by_place++) {
        struct pb_cursor *cursor = NULL;
        struct pb_result result;
        uint32_t found = 0;
        uint32_t acked = 0;
        enum pb_status status;

        query.area = by_place ? area : NULL;
        query.plate = by_place ? (struct pb_str){ NULL, 0 } : pb_str_from("*");
        status = pb_store_search(room->store, &query, &cursor, &room->error);
        while (status == PB_OK) {
            status = pb_cursor_next(cursor, &result, &room->error);
            found += status == PB_OK;
        }
        pb_cursor_free(cursor);
        if (status != PB_END) {
            check_status(room, status, "search");
            continue;
        }
        for (uint32_t i = 0; i < ledger->count; i++)
            acked += ledger->reads[i].is_acked
                     && (ledger->is_erased == NO || strncmp(ledger->reads[i].plate, "ER", 2) != 0);
        assert_in_range(found, acked, ledger->count);
    }
    pb_geo_area_free(pb_env_system(), area);
}

static void
erase_some(struct store_room *room, struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count && need_store(room); i++) {
        struct pb_erasure erasure = { .plate = pb_str_from(ledger->reads[i].plate),
                                      .from_us = 0, .to_us = PB_TIME_MAX_US };
        enum pb_status status;

        if (strncmp(ledger->reads[i].plate, "ER", 2) != 0)
            continue;
        status = pb_store_erase(room->store, &erasure, &room->error);
        check_status(room, status, "erase");
        ledger->is_erased = status != PB_OK ? UNKNOWN
                            : ledger->is_erased == UNKNOWN ? UNKNOWN : YES;
    }
}

static void
run_scenario(struct store_room *room, struct ledger *ledger)
{
    struct pb_purge_counts purged;
    struct pb_restamp_counts restamped;
    struct pb_verify_counts verified;
    struct pb_store_stats stats;
    enum pb_status status = pb_store_create(room->env, ROOM_PATH, &room->error);

    memset(ledger, 0, sizeof(*ledger));
    check_status(room, status, "create");
    ledger->is_created = status == PB_OK;
    ledger->copy = PB_E_IO;
    ledger->restored = PB_E_IO;
    ledger->restamped = PB_E_IO;
    if (status != PB_OK)
        return;
    send(room, ledger, "AB", 4);
    if (need_store(room))
        check_status(room, pb_store_flush(room->store, &room->error), "flush");
    send(room, ledger, "ER", 2);
    room_close(room);
    send(room, ledger, "LONGPLATES", 2);
    search_all(room, ledger);
    load_many(room, ledger);
    if (need_store(room))
        check_status(room, pb_store_merge(room->store, true, NULL, &room->error), "merge");
    send(room, ledger, "CD", 2);
    erase_some(room, ledger);
    search_all(room, ledger);
    if (need_store(room))
        check_status(room, pb_store_purge(room->store, NULL, &purged, &room->error), "purge");
    if (need_store(room)) {
        ledger->acked_at_restamp = ledger->count;
        ledger->restamped = pb_store_restamp(room->store, date_of, NULL, NULL, &restamped,
                                             &room->error);
        check_status(room, ledger->restamped, "restamp");
    }
    search_all(room, ledger);
    send(room, ledger, "EF", 2);
    if (need_store(room)) {
        for (uint32_t i = 0; i < ledger->count; i++)
            ledger->acked_at_copy += ledger->reads[i].is_acked
                                     && strncmp(ledger->reads[i].plate, "ER", 2) != 0;
        ledger->copy = pb_store_backup(room->store, "copy", NULL, &room->error);
        check_status(room, ledger->copy, "backup");
    }
    if (need_store(room))
        check_status(room, pb_store_stats(room->store, &stats, &room->error), "stats");
    send(room, ledger, "GH", 1);
    room_close(room);
    status = pb_store_verify(room->env, ROOM_PATH, NULL, NULL, NULL, &verified, &room->error);
    check_status(room, status, "verify");
    if (ledger->copy == PB_OK) {
        ledger->restored = pb_store_restore(room->env, "copy", "restored", NULL, &room->error);
        /* A backup that cannot be read now looks damaged. */
        if (ledger->restored != PB_E_CORRUPT)
            check_status(room, ledger->restored, "restore");
    }
}

/* ---- what must hold afterwards ---- */

static void
tell_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    (void)context;
    print_error("%s: byte %llu: %s\n", file, (unsigned long long)offset, what);
}

static void
check_store(struct store_room *room, const struct ledger *ledger)
{
    struct pb_query query = room_query("*");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    struct pb_verify_counts verified;
    struct pb_read last = room_read("LAST", "gate-1", SENT_MAX);
    uint32_t times_found[SENT_MAX] = { 0 };
    enum pb_status status;

    room_open(room);
    room_expect(room, PB_OK, pb_store_search(room->store, &query, &cursor, &room->error),
                "search");
    for (;;) {
        uint32_t i = 0;

        status = pb_cursor_next(cursor, &result, &room->error);
        if (status != PB_OK)
            break;
        while (i < ledger->count
               && !pb_str_equal(pb_str_from(ledger->reads[i].plate), result.read.plate))
            i++;
        assert_true(i < ledger->count); /* it was sent */
        assert_true(read_of(&ledger->reads[i]).captured_at_us == result.read.captured_at_us);
        if (result.read.delete_after_us != date_of(NULL, &result.read)
            && (result.read.delete_after_us != PB_NEVER
                || (ledger->restamped == PB_OK && i < ledger->acked_at_restamp
                    && ledger->reads[i].is_acked)))
            fail_msg("%s has a wrong date", ledger->reads[i].plate);
        times_found[i]++;
    }
    room_expect(room, PB_END, status, "next");
    pb_cursor_free(cursor);
    for (uint32_t i = 0; i < ledger->count; i++) {
        bool is_erasable = strncmp(ledger->reads[i].plate, "ER", 2) == 0;

        if (times_found[i] > 1)
            fail_msg("%s is there twice", ledger->reads[i].plate);
        if (is_erasable && ledger->is_erased == YES && times_found[i] != 0)
            fail_msg("%s was erased and is there", ledger->reads[i].plate);
        if (ledger->reads[i].is_acked && times_found[i] == 0
            && !(is_erasable && ledger->is_erased != NO))
            fail_msg("%s was acknowledged and is not there", ledger->reads[i].plate);
    }
    /* A mark that was torn is only mended by the next append. */
    assert_int_equal(PB_OK, room_append(room, &last));
    room_close(room);
    room_expect(room, PB_OK, pb_store_verify(room->env, ROOM_PATH, tell_damage, NULL, NULL,
                                             &verified, &room->error), "verify");
    assert_int_equal(0, verified.damaged);
}

/* A copy that was not finished must not pass for one. */
static void
check_copy(struct store_room *room, const struct ledger *ledger, const char *path,
           enum pb_status status_then)
{
    enum pb_status status = pb_store_open(room->env, path, NULL, &room->store, &room->error);

    if (status == PB_OK) {
        uint32_t found = room_count(room, "*");

        if (found < ledger->acked_at_copy)
            fail_msg("%s: %s then, opens now with %u of %u reads", path,
                     pb_status_name(status_then), found, ledger->acked_at_copy);
    } else if (status_then == PB_OK || status != PB_E_NOT_STORE) {
        fail_msg("%s: %s then, %s now: %s", path, pb_status_name(status_then),
                 pb_status_name(status), room->error.message);
    }
    room_close(room);
}

struct fault_kind {
    const char *name;
    bool is_allocation, is_lasting, is_short;
    unsigned mask;
    enum pb_status status;
};

static void
set_fault(struct store_room *room, const struct fault_kind *kind, uint64_t at)
{
    struct fault_env *fault = &room->fault;

    fault->fail_file_mask = kind->mask;
    fault->fail_file_status = kind->status;
    fault->is_write_short = kind->is_short;
    if (kind->is_allocation) {
        fault->fail_allocation_at = at;
        fault->is_allocation_failure_lasting = kind->is_lasting;
    } else {
        fault->fail_file_call_at = at;
        fault->is_file_failure_lasting = kind->is_lasting;
    }
}

static uint64_t
run_once(const struct fault_kind *kind, uint64_t at)
{
    struct store_room *room = calloc(1, sizeof(*room));
    struct ledger ledger;
    uint64_t count;

    assert_non_null(room);
    room_init_on(room, sim_fs_new());
    set_fault(room, kind, at);
    run_scenario(room, &ledger);
    room_close(room);
    if (!fault_env_is_clean(&room->fault))
        fail_msg("%s %llu: %llu blocks, %llu files, %llu maps are left", kind->name,
                 (unsigned long long)at, (unsigned long long)room->fault.live_count,
                 (unsigned long long)room->fault.open_file_count,
                 (unsigned long long)room->fault.live_map_count);
    count = kind->is_allocation ? room->fault.allocation_count : room->fault.file_call_count;
    assert_true(at == 0 || at > count || room->fault.failure_count > 0);
    room->fault.fail_allocation_at = 0;
    room->fault.fail_file_call_at = 0;
    if (ledger.is_created) {
        check_store(room, &ledger);
        check_copy(room, &ledger, "copy", ledger.copy);
        check_copy(room, &ledger, "restored", ledger.restored);
    } else {
        enum pb_status status = pb_store_open(room->env, ROOM_PATH, NULL, &room->store,
                                              &room->error);

        assert_true(status == PB_OK || status == PB_E_NOT_STORE);
    }
    room_done(room);
    free(room);
    return count;
}

static void
sweep(const struct fault_kind *kind)
{
    const char *night = getenv("PB_NIGHT");
    uint64_t count = run_once(kind, 0);
    uint64_t stride = night != NULL && night[0] == '1' ? 1 : 1 + count / RUNS_OF_SUITE;
    uint64_t runs = 0;

    for (uint64_t at = 1; at <= count; at += stride, runs++) {
        if (getenv("PB_FAULT_TRACE") != NULL)
            print_message("%s: %llu\n", kind->name, (unsigned long long)at);
        (void)run_once(kind, at);
    }
    print_message("%s: %llu of %llu calls failed in turn\n", kind->name,
                  (unsigned long long)runs, (unsigned long long)count);
    assert_true(runs > 50);
}

static void
any_allocation_may_fail_once(void **state)
{
    static const struct fault_kind kind = { "allocation once", true, false, false, FAULT_ANY,
                                            PB_E_IO };

    (void)state;
    sweep(&kind);
}

static void
any_allocation_may_fail_with_all_after_it(void **state)
{
    static const struct fault_kind kind = { "allocation lasting", true, true, false, FAULT_ANY,
                                            PB_E_IO };

    (void)state;
    sweep(&kind);
}

static void
any_file_call_may_fail_once(void **state)
{
    static const struct fault_kind kind = { "file call once", false, false, false, FAULT_ANY,
                                            PB_E_IO };

    (void)state;
    sweep(&kind);
}

static void
any_file_call_may_fail_with_all_after_it(void **state)
{
    static const struct fault_kind kind = { "file call lasting", false, true, false, FAULT_ANY,
                                            PB_E_IO };

    (void)state;
    sweep(&kind);
}

static void
the_disk_may_be_full_at_any_call(void **state)
{
    static const struct fault_kind kinds[] = {
        { "full once", false, false, true, FAULT_CREATE | FAULT_WRITE | FAULT_MKDIR | FAULT_LINK,
          PB_E_FULL },
        { "full lasting", false, true, true,
          FAULT_CREATE | FAULT_WRITE | FAULT_MKDIR | FAULT_LINK, PB_E_FULL },
    };

    (void)state;
    for (size_t i = 0; i < 2; i++)
        sweep(&kinds[i]);
}

static void
any_sync_and_rename_may_fail(void **state)
{
    static const struct fault_kind kinds[] = {
        { "sync once", false, false, false, FAULT_SYNC | FAULT_SYNC_DIRECTORY | FAULT_RENAME,
          PB_E_IO },
        { "sync lasting", false, true, false, FAULT_SYNC | FAULT_SYNC_DIRECTORY | FAULT_RENAME,
          PB_E_IO },
    };

    (void)state;
    for (size_t i = 0; i < 2; i++)
        sweep(&kinds[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail_once),
        cmocka_unit_test(any_allocation_may_fail_with_all_after_it),
        cmocka_unit_test(any_file_call_may_fail_once),
        cmocka_unit_test(any_file_call_may_fail_with_all_after_it),
        cmocka_unit_test(the_disk_may_be_full_at_any_call),
        cmocka_unit_test(any_sync_and_rename_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
