/*
 * Damage to any byte of a store's files is found and named by verify, and what a question finds
 * nevertheless is right.
 */
#include "store/store_room.h"

#include <stdio.h>
#include <stdlib.h>

#include "geo/geo.h"
#include "support/model.h"

#define PATHS_MAX 16u
#define OLD_READS 150
#define NEW_READS 150
#define LOG_READS 20

struct sample {
    struct sim_fs *fs; /* owned; nothing open in it */
    struct model model;
    char paths[PATHS_MAX][64];
    uint64_t sizes[PATHS_MAX];
    uint32_t path_count;
};

static void
note_path(void *context, const char *path, uint64_t size)
{
    struct sample *sample = context;

    assert_true(sample->path_count < PATHS_MAX);
    (void)snprintf(sample->paths[sample->path_count], sizeof(sample->paths[0]), "%s", path);
    sample->sizes[sample->path_count++] = size;
}

static void
put(struct store_room *room, struct sample *sample, const char *prefix, int i, int64_t second)
{
    struct pb_alternate alternate = { .plate = pb_str_from("ALTER8"), .confidence_e6 = 5 };
    char plate[40];
    char event[16];
    struct pb_read read;

    (void)snprintf(plate, sizeof(plate), i % 5 == 0 ? "%sTÖLONGPLATE%d" : "%s%d", prefix, i % 40);
    (void)snprintf(event, sizeof(event), "%s-%d", prefix, i);
    read = room_read(plate, i % 2 == 0 ? "gate-1" : "gate-2", second);
    read.speed_ckmh = (uint16_t)(i * 37);
    read.make = pb_str_from(i % 3 == 0 ? "ford" : "");
    read.jurisdiction = (uint16_t)(i % 3);
    if (i % 4 == 0)
        read.event_id = pb_str_from(event);
    if (i % 6 == 0) {
        read.alternates = &alternate;
        read.alternate_count = 1;
    }
    if (i % 7 == 0)
        read.delete_after_us = read.captured_at_us + 400 * ROOM_DAY_US;
    assert_int_equal(PB_OK, room_append(room, &read));
    model_store(&sample->model, &read, room->now_us, false);
}

/* Two months in segments, some reads in the log only, an erasure of nothing. */
static void
make_sample(struct sample *sample)
{
    struct store_room room;
    struct pb_erasure erasure = { .plate = pb_str_from("NOBODY"), .from_us = 0, .to_us = 1 };

    memset(sample, 0, sizeof(*sample));
    model_init(&sample->model, pb_env_system());
    room_init(&room);
    for (int i = 0; i < OLD_READS; i++)
        put(&room, sample, "OLD", i, -40 * 86400 + i * 60);
    room_flush(&room);
    for (int i = 0; i < NEW_READS; i++)
        put(&room, sample, "NEW", i, i * 60);
    room_flush(&room);
    assert_int_equal(PB_OK, pb_store_erase(room.store, &erasure, &room.error));
    for (int i = 0; i < LOG_READS; i++)
        put(&room, sample, "LOG", i, 20000 + i);
    room_close(&room);
    sample->fs = sim_fs_clone(room.fs);
    room_done(&room);
    sim_fs_each_file(sample->fs, note_path, sample);
}

static void
drop_sample(struct sample *sample)
{
    sim_fs_free(sample->fs);
    model_done(&sample->model);
}

/* ---- damage ---- */

enum damage_kind { FLIP, TRUNCATE, ZERO };

struct found {
    const char *path;
    uint32_t count, named;
};

static void
note_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    struct found *found = context;

    (void)offset;
    assert_true(what[0] != '\0');
    found->count++;
    /* Either may be given with the store's directory. */
    found->named += strstr(found->path, file) != NULL || strstr(file, found->path) != NULL;
}

/* Whether the damage changed anything. */
static bool
apply(struct sim_fs *fs, const char *path, enum damage_kind kind, uint64_t at)
{
    switch (kind) {
    case FLIP:
        return sim_fs_flip_bit(fs, path, at * 8 + at * 5 % 8);
    case TRUNCATE:
        return sim_fs_truncate(fs, path, at);
    case ZERO:
        return sim_fs_zero(fs, path, at, 64);
    }
    return false;
}

static bool
is_in_model(const struct model *model, const struct pb_read *read)
{
    uint64_t identity = pb_read_identity(read);

    for (uint32_t i = 0; i < model->row_count; i++) {
        if (model->rows[i].identity == identity)
            return model_difference(&model->rows[i].read, read, true) == NULL;
    }
    return false;
}

/* Everything found is right; returns PB_END, or what stopped the question. */
static enum pb_status
ask(struct store_room *room, const struct sample *sample, struct pb_query *query,
    uint32_t *ret_count)
{
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    enum pb_status status = pb_store_search(room->store, query, &cursor, &room->error);

    *ret_count = 0;
    while (status == PB_OK) {
        status = pb_cursor_next(cursor, &result, &room->error);
        if (status != PB_OK)
            break;
        if (!is_in_model(&sample->model, &result.read))
            fail_msg("a read that was not stored is found: %.*s", (int)result.read.plate.bytes,
                     result.read.plate.text);
        ++*ret_count;
    }
    pb_cursor_free(cursor);
    return status;
}

static void
ask_all(struct store_room *room, const struct sample *sample, const char *path)
{
    struct pb_query query = room_query("*");
    struct pb_geo_area *area = NULL;
    uint32_t count = 0;
    enum pb_status status = room_open_skipping(room);

    if (status != PB_OK) {
        /* A damaged segment keeps nobody from the others. */
        if (strstr(path, "segments/") != NULL)
            fail_msg("%s: not opened: %s", path, room->error.message);
        assert_true(status == PB_E_CORRUPT || status == PB_E_VERSION || status == PB_E_NOT_STORE);
        return;
    }
    query.with_superseded = true;
    status = ask(room, sample, &query, &count);
    assert_true(status == PB_END || status == PB_E_CORRUPT);
    assert_int_equal(PB_OK, pb_geo_area_from_circle(pb_env_system(), 377749000, -1224194000, 500,
                                                    &area, &room->error));
    query = (struct pb_query){ .area = area, .from_us = 0, .to_us = PB_TIME_MAX_US };
    status = ask(room, sample, &query, &count);
    assert_true(status == PB_END || status == PB_E_CORRUPT);
    query = room_query("ALTER8");
    status = ask(room, sample, &query, &count);
    assert_true(status == PB_END || status == PB_E_CORRUPT);
    /* Another month's segments and the log are as before. */
    if (strstr(path, "segments/") != NULL) {
        query = room_query("LOG*");
        query.from_us = ROOM_START_US + 20000 * ROOM_SECOND_US;
        status = ask(room, sample, &query, &count);
        assert_int_equal(PB_END, status);
        assert_int_equal(LOG_READS, count);
    }
    pb_geo_area_free(pb_env_system(), area);
    pb_store_close(room->store);
    room->store = NULL;
}

/* A mark that is empty or all zeros says that nothing was noted yet, which a power cut may leave:
 * records say themselves what was synced. */
static bool
is_no_damage(const char *path, enum damage_kind kind, uint64_t at)
{
    return strstr(path, "acked") != NULL && kind != FLIP && at == 0;
}

/* Returns whether verify told of the damage, and by name. */
static bool
is_found(struct sample *sample, uint32_t path, enum damage_kind kind, uint64_t at, bool asks)
{
    struct store_room *room = calloc(1, sizeof(*room));
    struct pb_verify_counts counts = { 0 };
    struct found found = { .path = sample->paths[path] };
    bool result;
    enum pb_status status;

    assert_non_null(room);
    room_init_on(room, sim_fs_clone(sample->fs));
    if (!apply(room->fs, found.path, kind, at))
        fail_msg("%s has no byte %llu", found.path, (unsigned long long)at);
    status = pb_store_verify(room->env, ROOM_PATH, note_damage, &found, NULL, &counts,
                             &room->error);
    if (status == PB_OK) {
        assert_int_equal(found.count, counts.damaged);
        result = found.named > 0;
    } else {
        result = strstr(room->error.message, found.path) != NULL
                 || strstr(room->error.message, "manifest") != NULL;
    }
    if (asks)
        ask_all(room, sample, found.path);
    room_done(room);
    free(room);
    return result || is_no_damage(found.path, kind, at);
}

static void
sweep(enum damage_kind kind, uint64_t step, uint64_t ask_step)
{
    struct sample sample;
    uint64_t tried = 0;
    uint64_t missed = 0;

    make_sample(&sample);
    for (uint32_t p = 0; p < sample.path_count; p++) {
        uint64_t first = sample.sizes[p];
        uint64_t last = 0;
        uint64_t missed_before = missed;

        for (uint64_t at = 0; at < sample.sizes[p]; at += step, tried++) {
            if (is_found(&sample, p, kind, at, tried % ask_step == 0))
                continue;
            first = at < first ? at : first;
            last = at;
            missed++;
        }
        if (missed != missed_before)
            print_error("%s: %llu of %llu bytes not found, from byte %llu to %llu\n",
                        sample.paths[p], (unsigned long long)(missed - missed_before),
                        (unsigned long long)sample.sizes[p], (unsigned long long)first,
                        (unsigned long long)last);
    }
    print_message("%llu damages, %llu not found\n", (unsigned long long)tried,
                  (unsigned long long)missed);
    drop_sample(&sample);
    assert_true(tried > 100);
    assert_int_equal(0, missed);
}

static uint64_t
step_of(uint64_t suite)
{
    const char *night = getenv("PB_NIGHT");

    return night != NULL && night[0] == '1' ? 1 : suite;
}

static void
a_flipped_bit_in_any_byte_is_found_and_never_served(void **state)
{
    (void)state;
    sweep(FLIP, step_of(3), 4);
}

static void
a_file_cut_short_anywhere_is_found(void **state)
{
    (void)state;
    sweep(TRUNCATE, step_of(61), 1);
}

static void
a_missing_file_is_found(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    for (uint32_t p = 0; p < sample.path_count; p++) {
        struct store_room room;
        struct found found = { .path = sample.paths[p] };
        struct pb_verify_counts counts = { 0 };
        enum pb_status status;

        /* Without the mark or the lock nothing is lost. */
        if (sample.sizes[p] == 0 || strstr(sample.paths[p], "acked") != NULL)
            continue;
        room_init_on(&room, sim_fs_clone(sample.fs));
        assert_int_equal(PB_OK, room.env->files->unlink(room.env->file_context, sample.paths[p],
                                                        NULL));
        status = pb_store_verify(room.env, ROOM_PATH, note_damage, &found, NULL, &counts,
                                 &room.error);
        if (status == PB_OK && counts.damaged == 0)
            fail_msg("%s is missing and verify does not tell", sample.paths[p]);
        ask_all(&room, &sample, sample.paths[p]);
        room_done(&room);
    }
    drop_sample(&sample);
}

/* Zeros where other bytes were. */
static void
a_zeroed_block_is_found(void **state)
{
    struct sample sample;
    uint64_t tried = 0;

    (void)state;
    make_sample(&sample);
    for (uint32_t p = 0; p < sample.path_count; p++) {
        for (uint64_t at = 0; at + 64 <= sample.sizes[p]; at += step_of(53), tried++) {
            if (!is_found(&sample, p, ZERO, at, tried % 3 == 0))
                fail_msg("%s: 64 bytes of zeros at %llu are not found", sample.paths[p],
                         (unsigned long long)at);
        }
    }
    print_message("%llu zeroed blocks\n", (unsigned long long)tried);
    drop_sample(&sample);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_in_any_byte_is_found_and_never_served),
        cmocka_unit_test(a_file_cut_short_anywhere_is_found),
        cmocka_unit_test(a_missing_file_is_found),
        cmocka_unit_test(a_zeroed_block_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
