/*
 * Memory that comes in chunks: an answer's small allocations fail only where a chunk is full. What
 * is looked at grows a little from round to round, so that each of them is once the first that no
 * longer fits.
 */
#include "inquiry/inquiry_private.h"
#include "inquiry/site_room.h"

#define CHUNK_BYTES 4096u
#define LARGE_BYTES 1024u
#define ROUNDS 150
#define READERS_A_ROUND 3

/* Fails one of the large allocations, as chunks are. */
struct chunks {
    void *(*resize)(void *context, void *memory, size_t old_bytes, size_t bytes);
    void *(*zeroed)(void *context, size_t bytes);
    void *context;
    uint64_t count, fail_at, failed;
};

static void *
resize_chunk(void *context, void *memory, size_t old_bytes, size_t bytes)
{
    struct chunks *chunks = context;

    if (bytes >= LARGE_BYTES && ++chunks->count == chunks->fail_at) {
        chunks->failed++;
        return NULL;
    }
    return chunks->resize(chunks->context, memory, old_bytes, bytes);
}

static void *
zeroed_chunk(void *context, size_t bytes)
{
    void *memory = resize_chunk(context, NULL, 0, bytes);

    return memory == NULL ? NULL : memset(memory, 0, bytes);
}

/* ---- what is asked ---- */

static enum pb_status
ask(struct site_room *room, const struct pb_inquiry *inquiry)
{
    struct pb_answer *answer = NULL;
    enum pb_status status = pb_inquiry_ask(room->site, inquiry, &answer, &room->error);

    if (status == PB_OK)
        (void)pb_answer_coverage(answer);
    pb_answer_free(answer);
    return status;
}

static enum pb_status
ask_plate(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");

    inquiry.query.reader = pb_str_from("k1");
    return ask(room, &inquiry);
}

static enum pb_status
ask_on_broken_glass(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");

    inquiry.is_break_glass = true;
    inquiry.purpose = pb_str_from("emergency");
    inquiry.offence = (struct pb_str){ 0 };
    inquiry.justification = pb_str_from("Child taken from a playground, silver van leaving north");
    inquiry.is_export = true;
    inquiry.export_recipient = pb_str_from("kansas-pd");
    inquiry.export_format = pb_str_from("csv");
    return ask(room, &inquiry);
}

static enum pb_status
ask_place(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLACE, "");

    return ask(room, &inquiry);
}

static enum pb_status
ask_common(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_COMMON, "");

    room->places[0].from_us = room->now_us - 2 * PB_DAY_US;
    room->places[0].to_us = room->now_us;
    room->places[1].from_us = room->now_us - PB_DAY_US;
    room->places[1].to_us = room->now_us + 1;
    return ask(room, &inquiry);
}

static enum pb_status
ask_associates(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_ASSOCIATES, "KSA123");

    inquiry.together_min = 1;
    return ask(room, &inquiry);
}

static enum pb_status
ask_counts(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PATTERN, "KSA*");

    inquiry.counts_plates = true;
    inquiry.query.edits = 0;
    return ask(room, &inquiry);
}

static enum pb_status
ask_to_be_denied(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");

    inquiry.purpose = pb_str_from("immigration");
    inquiry.case_number = (struct pb_str){ 0 };
    return ask(room, &inquiry);
}

static enum pb_status
ask_to_be_held(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");

    inquiry.relation = PB_RELATION_ASSOCIATE;
    return ask(room, &inquiry);
}

static enum pb_status
explain(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    struct pb_decision decision;
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, room->env, CHUNK_BYTES);
    status = pb_inquiry_explain(room->site, &inquiry, &arena, &decision, &room->error);
    pb_arena_clear(&arena);
    return status;
}

static enum pb_status
correct(struct site_room *room)
{
    const struct pb_correction correction = { .person = pb_str_from("doe"),
                                              .why = pb_str_from("The picture shows a B"),
                                              .reader = pb_str_from("r1"),
                                              .wrong_plate = pb_str_from("NOBODY1"),
                                              .captured_at_us = room->now_us - PB_HOUR_US };
    enum pb_status status = pb_inquiry_correct(room->site, &correction, &room->error);

    return status == PB_NOT_FOUND ? PB_OK : status;
}

static const struct {
    const char *name;
    enum pb_status (*run)(struct site_room *room);
} operations[] = {
    { "plate", ask_plate },           { "broken glass", ask_on_broken_glass },
    { "place", ask_place },           { "common", ask_common },
    { "associates", ask_associates }, { "counts", ask_counts },
    { "denied", ask_to_be_denied },   { "held", ask_to_be_held },
    { "explain", explain },           { "correct", correct },
};

/* One of them in a state of its own, while there are any: so that there are more origins.
 * Not in Vermont, whose older reads need a second person. */
static void
add_readers(struct site_room *room, int round)
{
    static const char states[] =
        "ALAKAZARCOCTDEFLGAHIIDILINIAKYLAMDMAMIMNMSMOMTNENVNJNMNYNCNDOHOKOR"
        "PARISCSDTNTXUTVAWAWVWIWY";
    int count = (int)(sizeof(states) - 1) / 2;
    char yaml[1024];
    int used = snprintf(yaml, sizeof(yaml), "readers:\n");

    for (int i = 0; i < READERS_A_ROUND; i++)
        used += snprintf(yaml + used, sizeof(yaml) - (size_t)used,
                         "  - { id: x%d, agency: kansas-pd, capture_state: US-%.2s }\n",
                         round * READERS_A_ROUND + i,
                         i == 0 && round < count ? states + 2 * round : "KS");
    room_import(room, yaml);
}

static void
where_no_chunk_is_to_be_had_nothing_is_answered_and_nothing_harmed(void **state)
{
    struct chunks chunks = { .fail_at = 0 };
    struct site_room room;
    uint64_t failures = 0;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", PB_HOUR_US);
    room_add(&room, "KSA124", "k1", PB_HOUR_US);
    room_add(&room, "KSA123", "k2", PB_HOUR_US);
    room_add(&room, "KSA123", "r1", 2 * PB_HOUR_US);
    chunks.resize = room.fault.env.resize;
    chunks.zeroed = room.fault.env.zeroed;
    chunks.context = room.fault.env.memory_context;
    room.fault.env.memory_context = &chunks;
    room.fault.env.resize = resize_chunk;
    room.fault.env.zeroed = zeroed_chunk;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
            bool goes_on = true;

            room_expect(&room, PB_OK, operations[i].run(&room), operations[i].name);
            for (uint64_t at = 1; goes_on; at++) {
                enum pb_status status;

                chunks.count = 0;
                chunks.failed = 0;
                chunks.fail_at = at;
                status = operations[i].run(&room);
                chunks.fail_at = 0;
                goes_on = chunks.failed > 0;
                failures += goes_on;
                /* What only publishes in the background, or may do without, does not fail. */
                if (status != PB_OK && status != PB_E_NOMEM)
                    fail_msg("%s, round %d, chunk %llu: %s: %s", operations[i].name, round,
                             (unsigned long long)at, pb_status_name(status), room.error.message);
            }
        }
        add_readers(&room, round);
    }
    assert_true(failures > ROUNDS * sizeof(operations) / sizeof(operations[0]));
    room.fault.env.resize = chunks.resize;
    room.fault.env.zeroed = chunks.zeroed;
    room.fault.env.memory_context = chunks.context;
    assert_int_equal(3, room_count_plate(&room, "KSA123"));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_no_chunk_is_to_be_had_nothing_is_answered_and_nothing_harmed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
