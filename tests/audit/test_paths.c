/*
 * Paths near the longest: whatever a log does with files works, or is refused whole with a word
 * why, and what was acknowledged before is still there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "audit/witness.h"

/* Longer than the longest name within a directory of logs, or of keys. */
#define SUFFIX_BYTES_MAX 120u

struct life {
    struct sim_fs *fs;
    struct pb_env env;
    char path[PB_PATH_BYTES_MAX + 64], keys[PB_PATH_BYTES_MAX + 64],
        outside[PB_PATH_BYTES_MAX + 64];
    struct pb_audit *audit;
    struct pb_error error;
    uint32_t acked;
    int64_t now_us;
};

static int64_t
life_now_us(void *context)
{
    return ((struct life *)context)->now_us;
}

/* A path of so many bytes below data/, of which all but the last directory is made. */
static void
make_path(struct life *life, char *path, char letter, size_t bytes)
{
    size_t used = (size_t)snprintf(path, 16, "data/");

    assert_true(bytes > used && bytes < PB_PATH_BYTES_MAX);
    memset(path + used, letter, bytes - used);
    path[bytes] = '\0';
    for (used += 100; used + 1 < bytes; used += 101) {
        path[used] = '\0';
        must(life->env.files->mkdir(life->env.file_context, path, &life->error), &life->error);
        path[used] = '/';
    }
}

static void
begin(struct life *life, size_t path_bytes, size_t keys_bytes, size_t outside_bytes)
{
    memset(life, 0, sizeof(*life));
    life->fs = sim_fs_new();
    life->env = sim_fs_env(life->fs);
    life->env.now_us = life_now_us;
    life->env.clock_context = life;
    life->now_us = INT64_C(1767225600) * 1000000;
    must(life->env.files->mkdir(life->env.file_context, "data", &life->error), &life->error);
    make_path(life, life->path, 'a', path_bytes);
    make_path(life, life->keys, 'k', keys_bytes);
    make_path(life, life->outside, 'o', outside_bytes);
    must(life->env.files->mkdir(life->env.file_context, life->outside, &life->error), &life->error);
}

static enum pb_status
open_it(struct life *life)
{
    struct pb_audit_options options = { .publishes_by_hand = true,
                                        .checkpoint_copies = life->outside };

    return pb_audit_open(&life->env, life->path, life->keys, &options, &life->audit, &life->error);
}

static enum pb_status
close_it(struct life *life)
{
    enum pb_status status = pb_audit_close(life->audit, &life->error);

    life->audit = NULL;
    return status;
}

static enum pb_status
append(struct life *life, uint32_t count)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < count && status == PB_OK; i++) {
        uint64_t index = 0;

        status = room_append(life->audit, "a42", life->acked, &index, &life->error);
        life->acked += status == PB_OK;
    }
    return status;
}

static enum pb_status
prove(struct life *life)
{
    char *text = NULL;
    enum pb_status status = pb_audit_prove(life->audit, "a42", 0, true, &text, &life->error);

    pb_free(&life->env, text);
    return status;
}

static enum pb_status
keep(struct life *life)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&life->audit->integrating);
    status = pb_publish_locked(life->audit, NULL, true, &life->error);
    (void)pthread_mutex_unlock(&life->audit->integrating);
    return status;
}

static enum pb_status
destroy(struct life *life)
{
    uint64_t terms = 0;

    life->now_us += INT64_C(86400000000) * 800;
    return pb_audit_destroy_expired(life->audit, life->now_us, &terms, &life->error);
}

static enum pb_status
restart(struct life *life)
{
    struct pb_audit_options options = { .publishes_by_hand = true,
                                        .checkpoint_copies = life->outside };

    life->acked = 0;
    return pb_audit_restart(&life->env, life->path, life->keys, &options, "a42", &life->error);
}

static enum pb_status
stop(struct life *life)
{
    struct pb_audit_log *log = pb_audit_find(life->audit, pb_str_from("a42"));
    enum pb_status status;

    (void)pthread_mutex_lock(&life->audit->integrating);
    status = pb_publish_stop_log(life->audit, log, "a test", &life->error);
    (void)pthread_mutex_unlock(&life->audit->integrating);
    if (status != PB_OK)
        return status;
    return close_it(life) == PB_E_CORRUPT ? PB_OK : PB_E_IO;
}

/* Everything that has to do with files, until something is refused. */
static enum pb_status
live(struct life *life)
{
    struct pb_audit_check check;
    enum pb_status status = pb_audit_create(&life->env, life->path, life->keys, &life->error);

    if (status == PB_OK)
        status = open_it(life);
    if (status == PB_OK)
        status = pb_audit_log_add(life->audit, "a42", "logs.example/a42", &life->error);
    if (status == PB_OK)
        status = append(life, 3);
    if (status == PB_OK)
        status = pb_audit_publish(life->audit, NULL, &life->error);
    if (status == PB_OK)
        status = append(life, 258);
    if (status == PB_OK)
        status = prove(life);
    if (status == PB_OK)
        status = keep(life);
    if (status == PB_OK)
        status = pb_audit_backup(life->audit, "data/backup", &life->error);
    if (status == PB_OK)
        status = destroy(life);
    if (status == PB_OK)
        status = close_it(life);
    if (status == PB_OK)
        status = restart(life);
    if (status == PB_OK)
        status = open_it(life);
    if (status == PB_OK)
        status = append(life, 1);
    if (status == PB_OK)
        status = stop(life);
    if (status == PB_OK)
        status = restart(life);
    if (status == PB_OK)
        status = pb_audit_verify_log(&life->env, life->path, "logs.example/a42+00000000+AQAA", NULL,
                                     NULL, NULL, &check, &life->error) == PB_BAD_INPUT
                     ? PB_OK
                     : PB_E_IO;
    return status;
}

static void
end(struct life *life)
{
    if (life->audit != NULL) {
        enum pb_status status = pb_audit_close(life->audit, NULL);

        (void)status;
    }
    sim_fs_free(life->fs);
}

/* Of a path that grows by a byte each time, until nothing at all can be made of it. */
static void
sweep(int which)
{
    unsigned refused = 0, lived = 0;

    for (size_t bytes = PB_PLACE_PATH_BYTES_MAX - SUFFIX_BYTES_MAX;
         bytes < PB_PLACE_PATH_BYTES_MAX + 3; bytes++) {
        struct life life;
        enum pb_status status;

        begin(&life, which == 0 ? bytes : 40, which == 1 ? bytes : 40, which == 2 ? bytes : 40);
        status = live(&life);
        if (status == PB_OVER_LIMIT)
            refused++;
        else if (status == PB_OK)
            lived++;
        else
            fail_msg("%zu bytes: %s: %s", bytes, pb_status_name(status), life.error.message);
        end(&life);
    }
    assert_true(lived > 0 && refused > 0);
}

static void
logs_in_deep_directories_work_or_are_refused(void **state)
{
    (void)state;
    sweep(0);
}

static void
keys_in_deep_directories_work_or_are_refused(void **state)
{
    (void)state;
    sweep(1);
}

static void
copies_in_deep_directories_work_or_are_refused(void **state)
{
    (void)state;
    sweep(2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_in_deep_directories_work_or_are_refused),
        cmocka_unit_test(keys_in_deep_directories_work_or_are_refused),
        cmocka_unit_test(copies_in_deep_directories_work_or_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
