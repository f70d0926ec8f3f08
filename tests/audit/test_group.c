/*
 * Groups: what waits while a group is being synced becomes the next one, within its limits; and
 * what a worker is told while it works is done once, afterwards.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "audit/fake_witness.h"
#include "support/fault_env.h"

/* ---- a disk that waits for the test ---- */

struct gate {
    const struct pb_file_ops *below;
    struct pb_file_ops files;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool is_shut, has_one; /* somebody waits in front of it */
    uint32_t syncs;
};
static struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static enum pb_status
sync_behind_gate(void *context, struct pb_file *file, struct pb_error *error)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.syncs++;
    gate.has_one = true;
    (void)pthread_cond_broadcast(&gate.moved);
    while (gate.is_shut)
        (void)pthread_cond_wait(&gate.moved, &gate.lock);
    (void)pthread_mutex_unlock(&gate.lock);
    return gate.below->sync(context, file, error);
}

static void
shut_gate(struct room *room)
{
    gate.below = room->env.files;
    gate.files = *room->env.files;
    gate.files.sync = sync_behind_gate;
    gate.is_shut = true;
    gate.has_one = false;
    gate.syncs = 0;
    room->env.files = &gate.files;
}

static void
wait_at_gate(void)
{
    (void)pthread_mutex_lock(&gate.lock);
    while (!gate.has_one)
        (void)pthread_cond_wait(&gate.moved, &gate.lock);
    (void)pthread_mutex_unlock(&gate.lock);
}

static void
open_gate(void)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.is_shut = false;
    (void)pthread_cond_broadcast(&gate.moved);
    (void)pthread_mutex_unlock(&gate.lock);
}

/* ---- those who append ---- */

#define LEAVES_MAX 1400u

struct writer {
    struct room *room;
    uint32_t leaves;
    struct pb_str text; /* of each leaf's reason */
    enum pb_status status;
    uint64_t first, last;
};

static void *
append_some(void *context)
{
    struct writer *writer = context;
    struct room_leaf leaf;
    struct pb_audit_leaf leaves[LEAVES_MAX];
    uint64_t indices[LEAVES_MAX];

    room_leaf_init(&leaf, "a42", 0);
    if (writer->text.bytes > 0)
        leaf.secrets[2].value = writer->text;
    for (uint32_t i = 0; i < writer->leaves; i++)
        leaves[i] = leaf.leaf;
    writer->status = pb_audit_append(writer->room->audit, leaves, writer->leaves, indices, NULL);
    writer->first = indices[0];
    writer->last = indices[writer->leaves - 1];
    return NULL;
}

static pthread_t
start(struct writer *writer)
{
    pthread_attr_t small;
    pthread_t thread;

    assert_int_equal(0, pthread_attr_init(&small));
    assert_int_equal(0, pthread_attr_setstacksize(&small, 1u << 20));
    assert_int_equal(0, pthread_create(&thread, &small, append_some, writer));
    assert_int_equal(0, pthread_attr_destroy(&small));
    return thread;
}

/* Starts one, and waits until it stands at the end of the queue. */
static pthread_t
start_behind(struct writer *writer)
{
    struct pb_audit *audit = writer->room->audit;
    const struct pb_append_request *before, *now;
    pthread_t thread;

    (void)pthread_mutex_lock(&audit->queue_lock);
    before = audit->queue_last;
    (void)pthread_mutex_unlock(&audit->queue_lock);
    thread = start(writer);
    do {
        (void)sched_yield();
        (void)pthread_mutex_lock(&audit->queue_lock);
        now = audit->queue_last;
        (void)pthread_mutex_unlock(&audit->queue_lock);
    } while (now == before);
    return thread;
}

/* The first is being synced while the others come; returns how many syncs all of them took. */
static uint32_t
append_behind(struct room *room, struct writer *writers, pthread_t *threads, uint32_t count)
{
    shut_gate(room);
    for (uint32_t i = 0; i < count; i++)
        writers[i].room = room;
    threads[0] = start(&writers[0]);
    wait_at_gate();
    for (uint32_t i = 1; i < count; i++)
        threads[i] = start_behind(&writers[i]);
    open_gate();
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
        assert_int_equal(PB_OK, writers[i].status);
        assert_int_equal(i == 0 ? 0 : writers[i - 1].last + 1, writers[i].first);
    }
    room->env.files = gate.below;
    return gate.syncs;
}

/* The journal's file is synced by the first append of a session already. */
static void
begin_journal(struct room *room)
{
    struct pb_error error = { .message = "" };
    uint64_t index;

    must(room_append(room->audit, PB_AUDIT_OPERATOR, 0, &index, &error), &error);
}

static void
those_who_wait_share_a_sync_up_to_256_of_them(void **state)
{
    enum { WAITING = PB_AUDIT_GROUP_REQUESTS_MAX + 2 };
    static struct writer writers[1 + WAITING];
    static pthread_t threads[1 + WAITING];
    struct room *room = *state;

    for (uint32_t i = 0; i < 1 + WAITING; i++)
        writers[i] = (struct writer){ .leaves = 1 };
    begin_journal(room);
    /* The first, 256 of those behind it, and the last two. */
    assert_int_equal(3, append_behind(room, writers, threads, 1 + WAITING));
    assert_int_equal(1 + WAITING, pb_audit_find(room->audit, pb_str_from("a42"))->size);
}

static void
those_who_wait_share_a_sync_up_to_eight_megabytes(void **state)
{
    static char text[PB_AUDIT_SECRET_BYTES_MAX];
    struct writer writers[4] = { { .leaves = 1 } };
    pthread_t threads[4];
    struct room *room = *state;
    uint32_t leaves = (5u << 20) / sizeof(text);

    assert_true(leaves <= LEAVES_MAX);
    memset(text, 'x', sizeof(text));
    for (uint32_t i = 1; i < 3; i++)
        writers[i] = (struct writer){ .leaves = leaves, .text = { text, sizeof(text) } };
    writers[3] = (struct writer){ .leaves = 1 };
    begin_journal(room);
    /* The first; the second, with which the third is too much; and the third with the last. */
    assert_int_equal(3, append_behind(room, writers, threads, 4));
}

/* ---- appending while everything is kept ---- */

static struct room *between; /* NULL: it was done */

static enum pb_status
append_and_rename(void *context, const char *from, const char *to, struct pb_error *error)
{
    struct room *room = between;

    between = NULL;
    if (room != NULL) {
        append_many(room, 3, 2);
        assert_int_equal(5, pb_audit_find(room->audit, pb_str_from("a42"))->size);
    }
    return gate.below->rename(context, from, to, error);
}

static void
what_is_appended_while_the_rest_is_kept_stays_pending(void **state)
{
    struct room *room = *state;
    struct pb_audit_log *log = pb_audit_find(room->audit, pb_str_from("a42"));
    struct pb_error error = { .message = "" };

    append_many(room, 0, 3);
    gate.below = room->env.files;
    gate.files = *room->env.files;
    gate.files.rename = append_and_rename;
    room->env.files = &gate.files;
    between = room;
    (void)pthread_mutex_lock(&room->audit->integrating);
    must(pb_publish_locked(room->audit, NULL, true, &error), &error);
    (void)pthread_mutex_unlock(&room->audit->integrating);
    room->env.files = gate.below;
    assert_null(between);
    assert_int_equal(3, log->kept_size);
    assert_int_equal(2, log->pending_count);
    assert_reads(room, 5);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_verifies(room, 5);
}

/* ---- workers ---- */

struct work {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint32_t begun, allowed;
};
static struct work work = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static void
work_when_allowed(struct pb_audit *audit)
{
    (void)audit;
    (void)pthread_mutex_lock(&work.lock);
    work.begun++;
    (void)pthread_cond_broadcast(&work.moved);
    while (work.allowed < work.begun)
        (void)pthread_cond_wait(&work.moved, &work.lock);
    (void)pthread_mutex_unlock(&work.lock);
}

static void
wait_for_work(uint32_t begun)
{
    (void)pthread_mutex_lock(&work.lock);
    while (work.begun < begun)
        (void)pthread_cond_wait(&work.moved, &work.lock);
    (void)pthread_mutex_unlock(&work.lock);
}

static void
allow_work(uint32_t allowed)
{
    (void)pthread_mutex_lock(&work.lock);
    work.allowed = allowed;
    (void)pthread_cond_broadcast(&work.moved);
    (void)pthread_mutex_unlock(&work.lock);
}

static void
what_a_worker_is_told_while_it_works_is_done_once_afterwards(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    close_room(room);
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, NULL, &room->audit, &error), &error);
    room->audit->publisher.work = work_when_allowed;
    work.begun = 0;
    work.allowed = 0;
    pb_workers_notify(room->audit, true);
    wait_for_work(1);
    pb_workers_notify(room->audit, false);
    assert_false(room->audit->publisher.is_urgent);
    pb_workers_notify(room->audit, true); /* what is urgent makes all of it urgent */
    assert_true(room->audit->publisher.is_urgent);
    pb_workers_notify(room->audit, true);
    pb_workers_notify(room->audit, false);
    assert_true(room->audit->publisher.is_urgent);
    allow_work(2);
    wait_for_work(2);
    close_room(room);
    assert_int_equal(2, work.begun);
}

static enum pb_status
nobody(void *context, const char *url, struct pb_str body, struct pb_witness_reply *ret_reply,
       struct pb_error *error)
{
    (void)context;
    (void)url;
    (void)body;
    (void)ret_reply;
    return pb_fail(error, PB_E_IO, "nobody is there");
}

static void
what_a_worker_could_not_do_for_lack_of_memory_it_tries_again(void **state)
{
    struct room *room = *state;
    struct pb_witnesses witnesses = { .post = nobody };
    struct pb_audit_options options = { .publishes_by_hand = true, .witnesses = &witnesses };
    struct pb_error error = { .message = "" };
    struct fault_env fault;

    close_room(room);
    assert_int_equal(PB_OK, pb_witness_policy_parse(pb_str_from("quorum none\n"), &witnesses.policy,
                                                    &error));
    fault_env_init(&fault, &room->env);
    must(pb_audit_open(&fault.env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    room->audit->cosigner.work(room->audit);
    assert_false(room->audit->cosigner.tries_again);
    fault.fail_allocation_at = fault.allocation_count + 1;
    room->audit->cosigner.work(room->audit);
    assert_true(room->audit->cosigner.tries_again);
    close_room(room);
    assert_true(fault_env_is_clean(&fault));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_room, drop_room)

/* ---- publishing that fails ---- */

struct told {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned times;
    char why[sizeof(((struct pb_error *)0)->message)];
};

static void
hear(void *context, const char *why)
{
    struct told *told = context;

    (void)pthread_mutex_lock(&told->lock);
    told->times++;
    (void)snprintf(told->why, sizeof(told->why), "%s", why);
    (void)pthread_cond_broadcast(&told->moved);
    (void)pthread_mutex_unlock(&told->lock);
}

static void
that_publishing_begins_to_fail_is_told_each_time(void **state)
{
    struct room *room = *state;
    struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    struct pb_audit_options options = { .checkpoint_copies = "data/outside",
                                        .fails_to_publish = hear,
                                        .fails_context = &told };
    const struct pb_file_ops *files = room->env.files;
    struct pb_error error = { .message = "" };

    must(files->mkdir(room->env.file_context, "data/outside", &error), &error);
    close_room(room);
    for (unsigned times = 1; times <= 2; times++) {
        must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error),
             &error);
        must(files->rename(room->env.file_context, "data/outside", "data/away", &error), &error);
        append_many(room, 2 * (times - 1), 2);
        (void)pthread_mutex_lock(&told.lock);
        while (told.times < times)
            (void)pthread_cond_wait(&told.moved, &told.lock);
        assert_int_equal(times, told.times);
        assert_non_null(strstr(told.why, "data/outside"));
        (void)pthread_mutex_unlock(&told.lock);
        must(files->rename(room->env.file_context, "data/away", "data/outside", &error), &error);
        must(pb_audit_close(room->audit, &error), &error);
        room->audit = NULL;
    }
    assert_int_equal(2, told.times);
}

/* Publishes as the thread does, where it can or cannot, and says how often it was told so far. */
static unsigned
publish_where(struct room *room, struct told *told, uint32_t leaf, const char *copies)
{
    const struct pb_file_ops *files = room->env.files;
    struct pb_error error = { .message = "" };

    must(files->rename(room->env.file_context, "data/outside", copies, &error), &error);
    append_many(room, leaf, 1);
    room->audit->publisher.work(room->audit);
    must(files->rename(room->env.file_context, copies, "data/outside", &error), &error);
    return told->times;
}

static void
that_publishing_goes_on_failing_is_told_once_and_to_nobody_where_nobody_listens(void **state)
{
    struct room *room = *state;
    struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    struct pb_audit_options options = { .publishes_by_hand = true,
                                        .checkpoint_copies = "data/outside",
                                        .fails_to_publish = hear,
                                        .fails_context = &told };
    struct pb_error error = { .message = "" };

    must(room->env.files->mkdir(room->env.file_context, "data/outside", &error), &error);
    close_room(room);
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    assert_int_equal(1, publish_where(room, &told, 0, "data/away"));
    assert_int_equal(1, publish_where(room, &told, 1, "data/away"));
    assert_int_equal(1, publish_where(room, &told, 2, "data/outside"));
    assert_int_equal(2, publish_where(room, &told, 3, "data/away"));
    close_room(room);
    options.fails_to_publish = NULL;
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    assert_int_equal(2, publish_where(room, &told, 4, "data/away"));
    assert_true(room->audit->has_failed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(those_who_wait_share_a_sync_up_to_256_of_them),
        TEST(those_who_wait_share_a_sync_up_to_eight_megabytes),
        TEST(what_is_appended_while_the_rest_is_kept_stays_pending),
        TEST(what_a_worker_is_told_while_it_works_is_done_once_afterwards),
        TEST(what_a_worker_could_not_do_for_lack_of_memory_it_tries_again),
        TEST(that_publishing_begins_to_fail_is_told_each_time),
        TEST(that_publishing_goes_on_failing_is_told_once_and_to_nobody_where_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
