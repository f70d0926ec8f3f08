/* Threads: views are whole, only get newer, and nobody waits for good. */
#include "catalog/catalog_room.h"

#include <pthread.h>

#include "base/arena.h"

#define ASKERS 8
#define LOOKS 300
#define CHANGES 40

struct shared {
    struct catalog_room *room;
    _Atomic unsigned wrong;
    pthread_barrier_t start;
};

/* Agency and person are renamed in one transaction, so a view shows the same name twice. */
static bool
is_whole(const struct pb_catalog_view *view)
{
    uint32_t agency = pb_view_agency(view, pb_str_from("ks"));
    uint32_t person = pb_view_person(view, pb_str_from("ks.boss"));
    uint32_t reader = pb_view_reader(view, pb_str_from("cam-1"));

    return agency != PB_NO_INDEX && person != PB_NO_INDEX && reader != PB_NO_INDEX &&
           pb_str_equal(view->agencies[agency].name, view->people[person].name) &&
           view->people[person].agency == agency && view->readers[reader].agency == agency;
}

static bool
finds_case(struct pb_catalog *catalog)
{
    struct pb_case found = { .is_open = false };
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, pb_env_system(), 256);
    status =
        pb_catalog_case(catalog, pb_str_from("ks"), pb_str_from("2026-1"), &arena, &found, NULL);
    pb_arena_clear(&arena);
    return status == PB_OK && found.is_open;
}

static void *
ask(void *context)
{
    struct shared *shared = context;
    struct pb_catalog *catalog = shared->room->catalog;
    const struct pb_catalog_view *held = NULL;
    uint64_t version = 0;

    (void)pthread_barrier_wait(&shared->start);
    for (unsigned i = 0; i < LOOKS; i++) {
        const struct pb_catalog_view *view = NULL;

        if (pb_catalog_view_take(catalog, &view, NULL) != PB_OK || view->version < version ||
            !is_whole(view) || !finds_case(catalog)) {
            shared->wrong++;
            pb_catalog_view_drop(view);
            break;
        }
        version = view->version;
        if (i % 10 == 0) { /* some are held for long */
            pb_catalog_view_drop(held);
            held = view;
        } else {
            pb_catalog_view_drop(view);
        }
    }
    if (held != NULL && !is_whole(held))
        shared->wrong++;
    pb_catalog_view_drop(held);
    return NULL;
}

static void *
change(void *context)
{
    struct shared *shared = context;
    struct pb_catalog *catalog = shared->room->catalog;

    (void)pthread_barrier_wait(&shared->start);
    for (unsigned i = 0; i < CHANGES; i++) {
        char text[200];
        struct pb_catalog_changes changes;
        int bytes = snprintf(text, sizeof(text),
                             "agencies: [{id: ks, name: v%u}]\n"
                             "people: [{id: ks.boss, name: v%u}]\n",
                             i, i);

        if (pb_catalog_from_yaml(catalog, text, (size_t)bytes, &changes, NULL) != PB_OK ||
            changes.changed != 2)
            shared->wrong++;
    }
    return NULL;
}

/* Many want to use up the same approval; one may. */
static void *
use_up(void *context)
{
    struct shared *shared = context;
    unsigned won = 0;

    (void)pthread_barrier_wait(&shared->start);
    for (unsigned i = 0; i < 20; i++) {
        char key[16];
        enum pb_status status;

        (void)snprintf(key, sizeof(key), "k%u", i);
        status = pb_catalog_note_swap(shared->room->catalog, "approval", key, pb_str_from(""),
                                      pb_str_from("used"), NULL);
        if (status != PB_OK && status != PB_CONFLICT)
            shared->wrong++;
        won += status == PB_OK;
    }
    return (void *)(uintptr_t)won;
}

static void
views_are_whole_and_only_get_newer(void **state)
{
    struct catalog_room *room = *state;
    struct shared shared = { .room = room };
    pthread_t threads[ASKERS + 3];
    uintptr_t won = 0;

    room_furnish(room);
    room_put(room, "agency", PAIRS("id", "ks", "name", "v"));
    room_put(room, "person", PAIRS("id", "ks.boss", "name", "v"));
    assert_int_equal(0, pthread_barrier_init(&shared.start, NULL, ASKERS + 3));
    for (unsigned i = 0; i < ASKERS + 3; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL,
                                           i < ASKERS    ? ask
                                           : i == ASKERS ? change
                                                         : use_up,
                                           &shared));
    for (unsigned i = 0; i < ASKERS + 3; i++) {
        void *result = NULL;

        assert_int_equal(0, pthread_join(threads[i], &result));
        won += (uintptr_t)result;
    }
    (void)pthread_barrier_destroy(&shared.start);
    assert_int_equal(0, shared.wrong);
    assert_int_equal(20, won);
    room_expect_field(room, "agency", "ks", "name", "v39");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(views_are_whole_and_only_get_newer, room_setup,
                                        room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
