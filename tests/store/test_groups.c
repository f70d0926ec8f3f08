/*
 * Appends that wait for one another are written together, as many as one write may hold.
 */
#include "store/store_room.h"
#include "store/sweep.h"

#include <pthread.h>
#include <sched.h>

#include "base/limits.h"
#include "store/local/local.h"

#define WRITERS 4u

struct writer {
    struct store_room *room;
    pthread_t thread;
    const char *plate;
    size_t count;
    const struct pb_image_ref *images; /* of each read, PB_IMAGES_MAX; NULL: none */
    enum pb_status status;
};

static void *
append_reads(void *context)
{
    struct writer *writer = context;
    const struct pb_env *env = pb_env_system();
    struct pb_read *reads = pb_calloc(env, writer->count, sizeof(*reads));
    enum pb_status *answers = pb_calloc(env, writer->count, sizeof(*answers));

    for (size_t i = 0; i < writer->count; i++) {
        reads[i] = room_read(writer->plate, "gate", (int64_t)i);
        reads[i].images = writer->images;
        reads[i].image_count = writer->images == NULL ? 0 : PB_IMAGES_MAX;
    }
    writer->status = pb_store_append(writer->room->store, reads, writer->count, answers, NULL);
    pb_free(env, reads);
    pb_free(env, answers);
    return NULL;
}

static bool
is_last(struct pb_store *store, const struct pb_append_request *last)
{
    bool is = false;

    (void)pthread_mutex_lock(&store->queue_lock);
    is = store->queue_last == last && store->has_leader;
    (void)pthread_mutex_unlock(&store->queue_lock);
    return is;
}

/* The first writer leads, and waits for `writing`; the others come one after another. */
static void
begin_writer(struct store_room *room, struct writer *writer, bool is_first)
{
    const struct pb_append_request *last = NULL;

    (void)pthread_mutex_lock(&room->store->queue_lock);
    last = room->store->queue_last;
    (void)pthread_mutex_unlock(&room->store->queue_lock);
    assert_int_equal(0, pthread_create(&writer->thread, NULL, append_reads, writer));
    while (is_first ? !is_last(room->store, NULL) : is_last(room->store, last))
        (void)sched_yield();
}

/* How many groups were written when all of them waited, the first alone. */
static uint64_t
count_groups(struct store_room *room, struct writer *writers)
{
    uint64_t before = 0;

    (void)pthread_mutex_lock(&room->store->writing);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i].room = room;
        begin_writer(room, &writers[i], i == 0);
    }
    room->fault.fail_file_mask = FAULT_SYNC;
    before = atomic_load(&room->fault.file_call_count);
    (void)pthread_mutex_unlock(&room->store->writing);
    for (uint32_t i = 0; i < WRITERS; i++) {
        assert_int_equal(0, pthread_join(writers[i].thread, NULL));
        assert_int_equal(PB_OK, writers[i].status);
        assert_int_equal(writers[i].count, room_count(room, writers[i].plate));
    }
    return atomic_load(&room->fault.file_call_count) - before;
}

static void
what_waits_together_is_written_together_up_to_the_limits(void **state)
{
    static char text[PB_IMAGE_REF_BYTES_MAX];
    struct pb_image_ref images[PB_IMAGES_MAX];
    static const struct {
        size_t counts[WRITERS]; /* of reads */
        bool has_images;
        uint64_t groups;
    } cases[] = {
        { { 1, 1, 1, 1 }, false, 2 },
        { { 1, 1, PB_APPEND_READS_MAX, 1 }, false, 4 },
        { { 1, PB_APPEND_READS_MAX - 1, 1, 1 }, false, 3 },
        { { 1, 13000, 13000, 13000 }, true, 3 }, /* of 15 MB each */
    };

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < PB_IMAGES_MAX; i++)
        images[i] = (struct pb_image_ref){ PB_IMAGE_OTHER, { text, sizeof(text) } };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        static const char *const plates[WRITERS] = { "W1", "W2", "W3", "W4" };
        struct writer writers[WRITERS];
        struct pb_read first = room_read("FIRST", "gate", 1);
        struct store_room room;

        memset(writers, 0, sizeof(writers));
        for (uint32_t i = 0; i < WRITERS; i++) {
            writers[i].plate = plates[i];
            writers[i].count = cases[c].counts[i];
            writers[i].images = cases[c].has_images ? images : NULL;
        }
        room_init(&room);
        assert_int_equal(PB_OK, room_append(&room, &first)); /* so that there is a log */
        assert_int_equal(cases[c].groups, count_groups(&room, writers));
        room_reopen(&room);
        for (uint32_t i = 0; i < WRITERS; i++)
            assert_int_equal(writers[i].count, room_count(&room, writers[i].plate));
        room_done(&room);
    }
}

/* ---- no memory ---- */

#define LARGE 400

static void
prepare_log(struct store_room *room, void *context)
{
    struct pb_read read = room_read("FIRST", "gate", 1);

    (void)context;
    room_create(room);
    assert_int_equal(PB_OK, room_append(room, &read));
}

/* More than the log has written at one time so far. */
static enum pb_status
act_append(struct store_room *room, void *context)
{
    static char text[PB_IMAGE_REF_BYTES_MAX];
    static struct pb_read reads[LARGE];
    struct pb_image_ref image = { PB_IMAGE_OTHER, { text, sizeof(text) } };
    enum pb_status answers[LARGE];

    (void)context;
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < LARGE; i++) {
        reads[i] = room_read("LARGE", "gate", i);
        reads[i].images = &image;
        reads[i].image_count = 1;
    }
    return pb_store_append(room->store, reads, LARGE, answers, &room->error);
}

static void
check_append(struct store_room *room, void *context, enum pb_status status)
{
    assert_int_equal(status == PB_OK ? LARGE : 0, room_count(room, "LARGE"));
    /* Where a file call failed nobody knows what a restart finds. */
    if (status != PB_OK && room->store->is_poisoned)
        room_reopen(room);
    room_expect(room, PB_OK, act_append(room, context), "again");
    assert_int_equal(LARGE, room_count(room, "LARGE"));
    assert_int_equal(1, room_count(room, "FIRST"));
}

static void
an_append_that_the_log_has_no_memory_for_can_be_sent_again(void **state)
{
    static const struct sweep sweep = {
        .name = "a large append", .prepare = prepare_log, .act = act_append, .check = check_append
    };

    (void)state;
    sweep_all(&sweep);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_together_is_written_together_up_to_the_limits),
        cmocka_unit_test(an_append_that_the_log_has_no_memory_for_can_be_sent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
