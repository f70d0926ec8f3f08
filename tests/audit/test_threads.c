/*
 * Threads: many append, read, prove, publish, keep and add logs at once. Every acknowledged leaf
 * has an index of its own, is where it was said to be, and stands under the last checkpoint.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "support/sim_fs.h"

#define WRITERS 6u
#define PAIRS 120u
#define LOGS 3u

static const char *const names[LOGS] = { "a42", "operator", "b7" };

struct crowd {
    struct pb_env env;
    struct pb_audit *audit;
    _Atomic bool is_over;
    _Atomic uint32_t next_number;
    _Atomic uint64_t acked[LOGS];
    /* number of the leaf that was told to have that index, plus 1 */
    _Atomic uint32_t numbers[LOGS][WRITERS * PAIRS * 2 + 1];
};

static void
append_one(struct crowd *crowd, uint32_t which)
{
    struct pb_error error = { .message = "" };
    uint32_t number = atomic_fetch_add(&crowd->next_number, 1);
    uint64_t index = UINT64_MAX;

    must(room_append(crowd->audit, names[which], number, &index, &error), &error);
    assert_true(index < WRITERS * PAIRS * 2);
    assert_int_equal(0, atomic_exchange(&crowd->numbers[which][index], number + 1));
    (void)atomic_fetch_add(&crowd->acked[which], 1);
}

static void *
write_pairs(void *context)
{
    struct crowd *crowd = context;

    for (uint32_t i = 0; i < PAIRS; i++) {
        append_one(crowd, i % LOGS);
        append_one(crowd, i % 2);
    }
    return NULL;
}

struct reading_along {
    struct crowd *crowd;
    uint32_t which;
    uint64_t next;
};

static bool
check_number(void *context, const struct pb_audit_entry *entry)
{
    struct reading_along *reading = context;
    struct pb_str digits;
    uint32_t number = 0, told;

    assert_int_equal(reading->next++, entry->index);
    assert_int_equal(PB_OK, pb_leaf_member(entry->leaf, "n", &digits));
    for (uint32_t i = 0; i < digits.bytes; i++)
        number = number * 10 + (uint32_t)(digits.text[i] - '0');
    told = atomic_load(&reading->crowd->numbers[reading->which][entry->index]);
    assert_true(told == 0 || told == number + 1); /* not told yet, or just so */
    assert_int_equal(ROOM_SECRETS, entry->secret_count);
    return true;
}

static void
read_log(struct crowd *crowd, uint32_t which)
{
    struct reading_along reading = { crowd, which, 0 };
    struct pb_audit_filter filter = { .log = names[which], .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    uint64_t acked = atomic_load(&crowd->acked[which]);

    must(pb_audit_read(crowd->audit, &filter, check_number, &reading, &error), &error);
    assert_true(reading.next >= acked);
}

static void *
read_along(void *context)
{
    struct crowd *crowd = context;

    for (uint32_t i = 0; !atomic_load(&crowd->is_over); i++)
        read_log(crowd, i % LOGS);
    return NULL;
}

static bool
ignore_log(void *context, const struct pb_audit_log_info *info)
{
    (void)context;
    assert_true(info->published_count <= info->leaf_count);
    return true;
}

static void *
prove_along(void *context)
{
    struct crowd *crowd = context;
    struct pb_error error = { .message = "" };

    for (uint32_t i = 0; !atomic_load(&crowd->is_over); i++) {
        uint64_t acked = atomic_load(&crowd->acked[0]);
        char *text = NULL;

        must(pb_audit_each_log(crowd->audit, ignore_log, NULL, &error), &error);
        if (acked == 0)
            continue;
        must(pb_audit_prove(crowd->audit, names[0], i % acked, true, &text, &error), &error);
        pb_free(&crowd->env, text);
    }
    return NULL;
}

static void *
keep_along(void *context)
{
    struct crowd *crowd = context;
    struct pb_error error = { .message = "" };
    uint64_t terms = 0;

    for (uint32_t i = 0; !atomic_load(&crowd->is_over); i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "c%u", i);
        if (i < 5)
            must(pb_audit_log_add(crowd->audit, id, NULL, &error), &error);
        (void)pthread_mutex_lock(&crowd->audit->integrating);
        must(pb_publish_locked(crowd->audit, NULL, i % 3 == 0, &error), &error);
        (void)pthread_mutex_unlock(&crowd->audit->integrating);
        must(pb_audit_destroy_expired(crowd->audit, 0, &terms, &error), &error);
        (void)sched_yield();
    }
    return NULL;
}

static bool
note_key(void *context, const struct pb_audit_log_info *info)
{
    char *vkey = context;

    if (strcmp(info->id, "a42") == 0)
        (void)snprintf(vkey, PB_VKEY_BYTES_MAX, "%s", info->vkey);
    return true;
}

static void
a_crowd_loses_nothing(void **state)
{
    static struct crowd crowd;
    struct sim_fs *fs = sim_fs_new();
    struct pb_error error = { .message = "" };
    pthread_t writers[WRITERS], others[3];
    struct pb_audit_check check;
    char vkey[PB_VKEY_BYTES_MAX] = "";

    (void)state;
    memset(&crowd, 0, sizeof(crowd));
    crowd.env = sim_fs_env(fs);
    must(crowd.env.files->mkdir(crowd.env.file_context, "data", &error), &error);
    must(pb_audit_create(&crowd.env, ROOM_PATH, ROOM_KEYS, &error), &error);
    must(pb_audit_open(&crowd.env, ROOM_PATH, ROOM_KEYS, NULL, &crowd.audit, &error), &error);
    for (uint32_t i = 0; i < LOGS; i++)
        must(pb_audit_log_add(crowd.audit, names[i], NULL, &error), &error);
    must(pb_audit_each_log(crowd.audit, note_key, vkey, &error), &error);

    assert_int_equal(0, pthread_create(&others[0], NULL, read_along, &crowd));
    assert_int_equal(0, pthread_create(&others[1], NULL, prove_along, &crowd));
    assert_int_equal(0, pthread_create(&others[2], NULL, keep_along, &crowd));
    for (uint32_t i = 0; i < WRITERS; i++)
        assert_int_equal(0, pthread_create(&writers[i], NULL, write_pairs, &crowd));
    for (uint32_t i = 0; i < WRITERS; i++)
        assert_int_equal(0, pthread_join(writers[i], NULL));
    atomic_store(&crowd.is_over, true);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(0, pthread_join(others[i], NULL));

    for (uint32_t i = 0; i < LOGS; i++)
        read_log(&crowd, i);
    assert_int_equal(WRITERS * PAIRS * 2, crowd.acked[0] + crowd.acked[1] + crowd.acked[2]);
    must(pb_audit_close(crowd.audit, &error), &error);
    must(pb_audit_verify_log(&crowd.env, ROOM_PATH "/public/a42", vkey, NULL, tell_wrong, NULL,
                             &check, &error),
         &error);
    assert_int_equal(0, check.wrong);
    assert_int_equal(crowd.acked[0], check.size);
    sim_fs_free(fs);
}

struct published {
    uint64_t count;
};

static bool
note_published(void *context, const struct pb_audit_log_info *info)
{
    struct published *published = context;

    if (strcmp(info->id, "a42") == 0)
        published->count = info->published_count;
    return true;
}

/* Nobody asks for it: the thread does it by itself. */
static void
what_is_appended_is_published_before_long(void **state)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_env env = sim_fs_env(fs);
    struct pb_audit *audit = NULL;
    struct pb_error error = { .message = "" };
    struct published published = { 0 };
    uint64_t index;

    (void)state;
    must(env.files->mkdir(env.file_context, "data", &error), &error);
    must(pb_audit_create(&env, ROOM_PATH, ROOM_KEYS, &error), &error);
    must(pb_audit_open(&env, ROOM_PATH, ROOM_KEYS, NULL, &audit, &error), &error);
    must(pb_audit_log_add(audit, "a42", NULL, &error), &error);
    for (uint32_t round = 1; round <= 2; round++) {
        must(room_append(audit, "a42", round, &index, &error), &error);
        while (published.count < round) { /* the test run's own limit ends it otherwise */
            must(pb_audit_each_log(audit, note_published, &published, &error), &error);
            (void)sched_yield();
        }
    }
    must(pb_audit_close(audit, &error), &error);
    sim_fs_free(fs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_loses_nothing),
        cmocka_unit_test(what_is_appended_is_published_before_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
