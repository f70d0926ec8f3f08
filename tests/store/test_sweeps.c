/*
 * Each operation of a store with some of everything, with each allocation and each file call
 * failing in turn: what it holds stays what it was, and what was begun can be done again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/ops.h"
#include "store/sweep.h"

static struct {
    struct sim_fs *fs;
    uint32_t found; /* by "*" */
    uint32_t ones;  /* by "*1", without alternates */
    uint64_t removed;
} whole;

static int
make_whole(void **state)
{
    struct store_room room;

    (void)state;
    whole.fs = make_store();
    room_init_on(&room, sim_fs_clone(whole.fs));
    room_open(&room);
    whole.found = room_count(&room, "*");
    assert_in_range(whole.found, OPS_READS / 2, 2 * OPS_READS);
    room_done(&room);
    return 0;
}

static int
free_whole(void **state)
{
    (void)state;
    sim_fs_free(whole.fs);
    return 0;
}

static void
note_removed(void *context, const struct pb_removed *removed)
{
    (void)context;
    whole.removed += removed->reads;
}

static enum pb_status
open_whole(struct store_room *room)
{
    struct pb_store_options options = { .memory_bytes = 1, .on_removed = note_removed };

    return pb_store_open(room->env, ROOM_PATH, &options, &room->store, &room->error);
}

static void
prepare(struct store_room *room, void *context)
{
    (void)context;
    whole.removed = 0;
    room_expect(room, PB_OK, open_whole(room), "open");
}

/* A segment that cannot be read now looks damaged. */
static enum pb_status
op_verify_now(struct store_room *room)
{
    enum pb_status status = op_verify(room);

    return status == PB_E_CORRUPT && room->fault.failure_count != 0 ? PB_E_IO : status;
}

/* All that was found before is found, at once and after the store was opened again. */
static void
check(struct store_room *room, void *context, enum pb_status status)
{
    struct pb_verify_counts counts;

    (void)context;
    /* Where there was no memory to hide what an append revised, the store takes no more, and shows
     * both until it is opened again. */
    if (room->store != NULL)
        assert_in_range(room_count(room, "*"), whole.found, whole.found + (status != PB_OK));
    room_reopen(room);
    assert_int_equal(whole.found, room_count(room, "*"));
    room_expect(room, PB_OK,
                pb_store_verify(room->env, ROOM_PATH, NULL, NULL, NULL, &counts, &room->error),
                "verify");
    assert_int_equal(0, counts.damaged);
}

/* ---- asking ---- */

/* In pages, so that tokens are made and taken. */
static enum pb_status
ask_in_pages(struct store_room *room, struct pb_query *query)
{
    char token[PB_TOKEN_BYTES_MAX];
    enum pb_status status = PB_OK;

    for (int page = 0; page < 3 && status == PB_OK; page++) {
        struct pb_cursor *cursor = NULL;
        struct pb_result result;

        status = pb_store_search(room->store, query, &cursor, &room->error);
        for (int i = 0; i < 4 && status == PB_OK; i++)
            status = pb_cursor_next(cursor, &result, &room->error);
        if (status == PB_OK) {
            assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
            query->resume = pb_str_from(token);
        }
        pb_cursor_free(cursor);
    }
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
act_ask(struct store_room *room, void *context)
{
    static const char *const plates[] = { "P01?", "*ALTER*", "LONGPLATES011", "" };
    enum pb_status status = PB_OK;

    (void)context;
    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]) && status == PB_OK; i++) {
        struct pb_query query = room_query(plates[i]);
        struct pb_geo_area *area = NULL;

        query.make = pb_str_from(i == 0 ? "Ford" : "");
        query.edits = i == 2;
        assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), 378749000, -1224194000,
                                                        30000, &area, NULL));
        query.area = query.plate.bytes == 0 ? area : NULL;
        status = ask_in_pages(room, &query);
        pb_geo_area_free(pb_env_system(), area);
    }
    return status;
}

static void
a_question_that_fails_says_so_and_leaves_nothing(void **state)
{
    static struct sweep sweep = { .name = "ask", .prepare = prepare, .act = act_ask };

    (void)state;
    sweep.fs = whole.fs;
    sweep_all(&sweep);
}

static enum pb_status
act_plates(struct store_room *room, void *context)
{
    (void)context;
    return pb_store_plates(room->store, pb_str_from("*1*"), 0, false, 0, take_plate, NULL, NULL,
                           &room->error);
}

static void
a_list_of_plates_that_fails_says_so_and_leaves_nothing(void **state)
{
    static struct sweep sweep = { .name = "plates", .prepare = prepare, .act = act_plates };

    (void)state;
    sweep.fs = whole.fs;
    sweep_all(&sweep);
}

/* More reads in the buffer than a question has room for at first, half of them found by their
 * alternates only, and all of one moment. */
static void
prepare_buffered(struct store_room *room, void *context)
{
    const struct pb_alternate alternate = { pb_str_from("AB12"), PB_NO_CONFIDENCE };

    (void)context;
    room_create(room);
    for (uint32_t i = 0; i < 80; i++) {
        char reader[16];
        struct pb_read read;

        (void)snprintf(reader, sizeof(reader), "gate-%u", i);
        read = room_read(i < 40 ? "AB12" : "CD34", reader, 0);
        read.alternates = &alternate;
        read.alternate_count = i < 40 ? 0 : 1;
        assert_int_equal(PB_OK, room_append(room, &read));
    }
}

static enum pb_status
act_ask_buffered(struct store_room *room, void *context)
{
    static const char *const plates[] = { "AB12", "AB*" };
    enum pb_status status = PB_OK;

    (void)context;
    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]) && status == PB_OK; i++) {
        struct pb_query query = room_query(plates[i]);
        struct pb_cursor *cursor = NULL;
        struct pb_result result;
        uint32_t count = 0;

        status = pb_store_search(room->store, &query, &cursor, &room->error);
        for (; status == PB_OK; count++)
            status = pb_cursor_next(cursor, &result, &room->error);
        pb_cursor_free(cursor);
        if (status == PB_END) {
            assert_int_equal(80 + 1, count);
            status = PB_OK;
        }
    }
    return status;
}

static void
a_question_about_what_is_buffered_says_so_when_it_fails(void **state)
{
    static struct sweep sweep = { .name = "ask the buffer",
                                  .prepare = prepare_buffered,
                                  .act = act_ask_buffered };

    (void)state;
    sweep_all(&sweep);
}

/* ---- what changes the store ---- */

static enum pb_status
op_common(struct store_room *room)
{
    struct pb_segment *segments[2] = { NULL, NULL };
    enum pb_status status = open_segments(room, segments);

    if (status == PB_OK)
        status = find_common(room, segments[0], segments[1]);
    pb_segment_close(segments[0]);
    pb_segment_close(segments[1]);
    return status;
}

static const struct changing {
    const char *name;
    enum pb_status (*run)(struct store_room *room);
} changing[] = {
    { "common rows", op_common }, { "removals", op_removals }, { "verify", op_verify_now },
    { "merge", op_merge },        { "purge", op_purge },       { "restamp", op_restamp },
};

static enum pb_status
act_changing(struct store_room *room, void *context)
{
    return ((const struct changing *)context)->run(room);
}

static void
what_fails_on_its_way_changes_nothing_of_what_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(changing) / sizeof(changing[0]); i++) {
        struct sweep sweep = { .name = changing[i].name,
                               .fs = whole.fs,
                               .prepare = prepare,
                               .act = act_changing,
                               .check = check,
                               .context = (void *)(uintptr_t)&changing[i],
                               .is_once_only = true };

        sweep_all(&sweep);
    }
}

/* New reads, the same ones, a revision and a correction, in one append and in several. */
static enum pb_status
act_append(struct store_room *room, void *context)
{
    enum pb_status status = PB_OK;

    (void)context;
    for (uint32_t i = 0; i < 8 && status == PB_OK; i++) {
        struct pb_alternate alternates[2];
        char text[64];
        struct pb_read reads[2] = { some_read(i, text, alternates),
                                    some_read(i, text, alternates) };
        enum pb_status answers[2];

        reads[1].revision += i % 4 == 2 ? 7 : 0;
        if (i % 4 == 3) {
            reads[1].identity_plate = reads[1].plate;
            reads[1].is_correction = true;
            reads[1].revision = 1;
        }
        status = pb_store_append(room->store, reads, 2, answers, &room->error);
    }
    return status;
}

static void
an_append_that_fails_can_be_sent_again(void **state)
{
    static struct sweep sweep = { .name = "append",
                                  .prepare = prepare,
                                  .act = act_append,
                                  .check = check,
                                  .is_once_only = true };

    (void)state;
    sweep.fs = whole.fs;
    sweep_all(&sweep);
}

static enum pb_status
act_open(struct store_room *room, void *context)
{
    (void)context;
    return open_whole(room);
}

static void
a_store_that_does_not_open_can_be_opened_again(void **state)
{
    static struct sweep sweep = {
        .name = "open", .act = act_open, .check = check, .is_once_only = true
    };

    (void)state;
    sweep.fs = whole.fs;
    sweep_all(&sweep);
}

/* ---- dates ---- */

static bool is_revision_due;

static void
prepare_revision(struct store_room *room, void *context)
{
    prepare(room, context);
    room->now_us += ROOM_DAY_US; /* all were captured before that */
    is_revision_due = true;
}

/* Reads of plates that end so; not those that an alternate makes such. */
static uint32_t
count_ones(struct store_room *room)
{
    struct pb_query query = room_query("*1");

    query.without_alternates = true;
    return room_count_query(room, &query);
}

/* Those of some plates are over at once. Meanwhile an event is revised twice, so that there is
 * history of it in the buffer. */
static int64_t
none_left_of_some(void *context, const struct pb_read *read)
{
    struct store_room *room = context;

    for (uint32_t revision = 6; is_revision_due && revision < 8; revision++) {
        struct pb_alternate alternates[2];
        char text[64];
        struct pb_read revised = some_read(2, text, alternates);
        enum pb_status answer = PB_E_IO;

        revised.revision = revision;
        (void)!pb_store_append(room->store, &revised, 1, &answer, NULL); /* it may fail */
    }
    is_revision_due = false;
    return read->plate.text[read->plate.bytes - 1] == '1' ? read->captured_at_us
                                                          : read->delete_after_us;
}

static enum pb_status
act_restamp(struct store_room *room, void *context)
{
    struct pb_restamp_counts counts;

    (void)context;
    return pb_store_restamp(room->store, none_left_of_some, room, NULL, &counts, &room->error);
}

static void
check_restamped(struct store_room *room, void *context, enum pb_status status)
{
    struct pb_verify_counts counts;

    (void)context;
    room_reopen(room);
    if (status == PB_OK)
        assert_int_equal(0, count_ones(room));
    assert_int_equal(whole.found - whole.ones, room_count(room, "*") - count_ones(room));
    room_expect(room, PB_OK,
                pb_store_verify(room->env, ROOM_PATH, NULL, NULL, NULL, &counts, &room->error),
                "verify");
    assert_int_equal(0, counts.damaged);
}

static void
dates_that_cannot_be_changed_leave_what_was(void **state)
{
    struct sweep sweep = { .name = "restamp that removes",
                           .fs = whole.fs,
                           .prepare = prepare_revision,
                           .act = act_restamp,
                           .check = check_restamped,
                           .is_once_only = true };
    struct store_room room;

    (void)state;
    room_init_on(&room, sim_fs_clone(whole.fs));
    room_open(&room);
    whole.ones = count_ones(&room);
    assert_true(whole.ones > 0);
    room_done(&room);
    sweep_all(&sweep);
}

/* ---- copies ---- */

static enum pb_status
act_copy(struct store_room *room, void *context)
{
    enum pb_status status = pb_store_backup(room->store, "copy", NULL, &room->error);

    (void)context;
    if (status == PB_OK)
        status = pb_store_restore(room->env, "copy", "restored", NULL, &room->error);
    /* A file of the copy that cannot be read now looks damaged. */
    return status == PB_E_CORRUPT && room->fault.failure_count != 0 ? PB_E_IO : status;
}

static void
check_copy(struct store_room *room, void *context, enum pb_status status)
{
    static const char *const paths[] = { "copy", "restored" };

    check(room, context, status);
    for (int i = 0; i < 2; i++) {
        struct pb_store *copy = NULL;
        enum pb_status opened = PB_OK;

        room_close(room);
        opened = pb_store_open(room->env, paths[i], NULL, &copy, &room->error);
        if (status == PB_OK || opened == PB_OK) {
            room_expect(room, PB_OK, opened, "open the copy");
            room->store = copy;
            assert_int_equal(whole.found, room_count(room, "*"));
        } else {
            assert_int_equal(PB_E_NOT_STORE, opened);
        }
    }
}

static void
a_copy_that_is_not_whole_is_no_store(void **state)
{
    static struct sweep sweep = { .name = "copy",
                                  .prepare = prepare,
                                  .act = act_copy,
                                  .check = check_copy,
                                  .is_once_only = true };

    (void)state;
    sweep.fs = whole.fs;
    sweep_all(&sweep);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_that_fails_says_so_and_leaves_nothing),
        cmocka_unit_test(a_question_about_what_is_buffered_says_so_when_it_fails),
        cmocka_unit_test(a_list_of_plates_that_fails_says_so_and_leaves_nothing),
        cmocka_unit_test(what_fails_on_its_way_changes_nothing_of_what_is_found),
        cmocka_unit_test(an_append_that_fails_can_be_sent_again),
        cmocka_unit_test(a_store_that_does_not_open_can_be_opened_again),
        cmocka_unit_test(dates_that_cannot_be_changed_leave_what_was),
        cmocka_unit_test(a_copy_that_is_not_whole_is_no_store),
    };

    return cmocka_run_group_tests(tests, make_whole, free_whole);
}
