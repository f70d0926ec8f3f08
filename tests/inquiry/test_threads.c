/*
 * Many ask at once, while reads come in and the catalog changes.
 */
#include "inquiry/site_room.h"

#include <pthread.h>

#define ASKERS 6u
#define ROUNDS 25u

struct worker {
    struct site_room *room;
    unsigned number;
    unsigned failures;
    uint64_t rows;
};

/* No assertions of the test library from here on: it knows one thread only. */
static void *
ask(void *context)
{
    struct worker *worker = context;
    struct site_room *room = worker->room;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct pb_inquiry inquiry = {
            .person = pb_str_from("doe"),
            .purpose = pb_str_from("criminal-investigation"),
            .offence = pb_str_from("burglary"),
            .case_number = pb_str_from("26-00471"),
            .justification = pb_str_from("Burglary series on Elm Street, seen by a witness"),
            .relation = PB_RELATION_SUBJECT,
            .has_stepped_up = true,
            .client = pb_str_from("test"),
            .kind = worker->number % 2 == 0 ? PB_INQUIRY_PLATE : PB_INQUIRY_PATTERN,
            .query = { .plate = pb_str_from(worker->number % 2 == 0 ? "KSA123" : "KSA1*"),
                       .jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-KS")),
                       .from_us = ROOM_NOW_US - 30 * PB_DAY_US,
                       .to_us = ROOM_NOW_US },
        };
        struct pb_answer *answer = NULL;
        struct pb_error error;

        if (pb_inquiry_ask(room->site, &inquiry, &answer, &error) != PB_OK ||
            pb_answer_decision(answer)->verdict != PB_POLICY_ALLOW || pb_answer_rows(answer) < 2)
            worker->failures++;
        else
            worker->rows += pb_answer_rows(answer);
        pb_answer_free(answer);
    }
    return NULL;
}

static void *
bring_reads(void *context)
{
    struct worker *worker = context;
    struct site_room *room = worker->room;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct pb_stamper *stamper = NULL;
        struct pb_read read = room_read(room, "KSA123", "k1", 0);
        enum pb_status answer = PB_OK;
        const char *reason = NULL;
        char reader[32];

        (void)snprintf(reader, sizeof(reader), "fresh-%u", i);
        read.captured_at_us = ROOM_NOW_US - PB_DAY_US - (int64_t)i * PB_SECOND_US;
        read.reader = pb_str_from(i % 5 == 0 ? reader : "k1");
        if (pb_stamper_new(room->site, "kansas-pd", 0, &stamper, NULL) != PB_OK ||
            pb_stamper_stamp(stamper, &read, &reason, NULL) != PB_OK ||
            pb_stamper_flush(stamper, NULL) != PB_OK ||
            pb_store_append(pb_site_store(room->site), &read, 1, &answer, NULL) != PB_OK ||
            answer != PB_OK)
            worker->failures++;
        pb_stamper_free(stamper);
    }
    return NULL;
}

static void *
change_catalog(void *context)
{
    struct worker *worker = context;
    struct pb_actor operator= { 0 };
    const struct pb_entity *entity = pb_catalog_entity("person");

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct pb_record record = { .entity = entity };
        char note[32];

        (void)snprintf(note, sizeof(note), "note %u", i);
        record.values[0] = "low";
        for (unsigned j = 0; j < entity->field_count; j++) {
            if (strcmp(entity->fields[j].name, "note") == 0)
                record.values[j] = note;
        }
        if (pb_site_put(worker->room->site, &operator, & record, PB_PUT_CHANGE, NULL) != PB_OK)
            worker->failures++;
    }
    return NULL;
}

static void
asking_storing_and_changing_go_on_side_by_side(void **state)
{
    struct site_room room;
    struct worker workers[ASKERS + 2];
    pthread_t threads[ASKERS + 2];

    (void)state;
    room_init(&room);
    room.publishes = true;
    room_reopen(&room);
    room_add(&room, "KSA123", "k1", PB_DAY_US / 2);
    room_add(&room, "KSA123", "r1", PB_DAY_US / 3);
    for (unsigned i = 0; i < ASKERS + 2; i++) {
        workers[i] = (struct worker){ .room = &room, .number = i };
        assert_int_equal(0, pthread_create(&threads[i], NULL,
                                           i < ASKERS    ? ask
                                           : i == ASKERS ? bring_reads
                                                         : change_catalog,
                                           &workers[i]));
    }
    for (unsigned i = 0; i < ASKERS + 2; i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
        assert_int_equal(0, workers[i].failures);
    }
    assert_int_equal(ASKERS * ROUNDS, room_leaves(&room, "kansas-pd", "query", NULL));
    assert_int_equal(ASKERS * ROUNDS, room_leaves(&room, "kansas-pd", "result", NULL));
    assert_int_equal(ASKERS * ROUNDS, room_leaves(&room, "river-pd", "disclosed", NULL));
    assert_int_equal(2 + ROUNDS, room_count_plate(&room, "KSA123"));
    room_done(&room);
}

struct race {
    struct site_room *room;
    const struct pb_inquiry *inquiry;
    unsigned allowed;
};

static void *
use_approval(void *context)
{
    struct race *race = context;
    struct pb_answer *answer = NULL;

    if (pb_inquiry_ask(race->room->site, race->inquiry, &answer, NULL) == PB_OK &&
        pb_answer_decision(answer)->verdict == PB_POLICY_ALLOW)
        race->allowed++;
    pb_answer_free(answer);
    return NULL;
}

static void
one_approval_lets_one_of_many_through(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct race races[ASKERS];
    pthread_t threads[ASKERS];
    unsigned allowed = 0;
    char token[1024];

    (void)state;
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.relation = PB_RELATION_ASSOCIATE;
    (void)room_ask_for(&room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON);
    (void)snprintf(token, sizeof(token), "%s", pb_answer_token(room.answer));
    room_expect(&room, PB_OK,
                pb_inquiry_approve(room.site, pb_str_from("sup"), pb_str_from(token), true,
                                   pb_str_from("Seen the case file"), &room.error),
                "approve");
    inquiry.approval = pb_str_from(token);
    for (unsigned i = 0; i < ASKERS; i++) {
        races[i] = (struct race){ .room = &room, .inquiry = &inquiry };
        assert_int_equal(0, pthread_create(&threads[i], NULL, use_approval, &races[i]));
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
        allowed += races[i].allowed;
    }
    assert_int_equal(1, allowed);
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "query", NULL));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_storing_and_changing_go_on_side_by_side),
        cmocka_unit_test(one_approval_lets_one_of_many_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
