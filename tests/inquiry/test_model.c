/*
 * Random reads and questions against a model in plain memory: what an answer holds is what
 * agreements, laws and dates leave, and nothing else.
 */
#include "inquiry/site_room.h"

#define READS 600u
#define QUESTIONS 120u
#define PLATES 12u

struct readers {
    const char *id;
    bool is_seen;      /* by doe of kansas-pd */
    int64_t keep_days; /* by law */
    const char *owner;
};
static const struct readers readers[] = {
    { "k1", true, 1827, "kansas-pd" }, { "k2", true, 1827, "kansas-pd" },
    { "k3", false, 0, "kansas-pd" },   { "r1", true, 1827, "river-pd" },
    { "r2", false, 0, "river-pd" },    { "m1", true, 21, "pine-pd" },
    { "c1", false, 0, "coast-pd" },    { "stray", false, 0, "" },
};
#define READERS (sizeof(readers) / sizeof(readers[0]))

struct model_read {
    char plate[8];
    unsigned reader;
    int64_t captured_us, delete_us;
};

static uint64_t
next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Reads of a month and a half, some stored with a date of their own. */
static void
make_reads(struct site_room *room, uint64_t *seed, struct model_read *model)
{
    for (unsigned i = 0; i < READS; i++) {
        struct model_read *made = &model[i];
        struct pb_read read;

        (void)snprintf(made->plate, sizeof(made->plate), "KS%c%u", (char)('A' + next(seed) % 3),
                       (unsigned)(next(seed) % (PLATES / 3)));
        made->reader = (unsigned)(next(seed) % READERS);
        made->captured_us = room->now_us - (int64_t)(next(seed) % (45 * 86400)) * PB_SECOND_US;
        made->delete_us = next(seed) % 4 == 0
                              ? made->captured_us + (int64_t)(next(seed) % 60) * PB_DAY_US
                              : PB_NEVER;
        read = room_read(room, made->plate, readers[made->reader].id, 0);
        read.captured_at_us = made->captured_us;
        read.delete_after_us = made->delete_us;
        if (room_append(room, &read) != PB_OK)
            made->reader = READERS - 1; /* over already, or there: in no answer */
    }
}

static bool
is_visible(const struct model_read *read, int64_t now_us)
{
    const struct readers *reader = &readers[read->reader];

    return reader->is_seen && now_us < read->delete_us &&
           now_us - read->captured_us < reader->keep_days * PB_DAY_US;
}

static bool
is_asked(const struct model_read *read, const struct pb_inquiry *inquiry, bool is_place)
{
    const char *pattern = inquiry->query.plate.text;

    if (read->captured_us < inquiry->query.from_us || read->captured_us >= inquiry->query.to_us)
        return false;
    if (is_place)
        return strcmp(readers[read->reader].id, "k2") != 0;
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        if (pattern[i] != '?' && pattern[i] != read->plate[i])
            return false;
    }
    return strlen(pattern) == strlen(read->plate);
}

static unsigned
count_model(const struct model_read *model, const struct pb_inquiry *inquiry, int64_t now_us,
            bool is_place, const char *owner)
{
    unsigned count = 0;

    for (unsigned i = 0; i < READS; i++) {
        count += is_visible(&model[i], now_us) && is_asked(&model[i], inquiry, is_place) &&
                 (owner == NULL || strcmp(readers[model[i].reader].owner, owner) == 0);
    }
    return count;
}

static void
check_rows(const struct pb_answer *answer, const struct pb_inquiry *inquiry)
{
    int64_t before_us = INT64_MAX;

    for (uint64_t i = 0; i < pb_answer_rows(answer); i++) {
        const struct pb_row *row = pb_answer_row(answer, i);
        bool is_known = false;

        for (unsigned j = 0; j < READERS; j++) {
            if (pb_str_equal(row->result.read.reader, pb_str_from(readers[j].id))) {
                assert_true(readers[j].is_seen);
                assert_true(pb_str_equal(row->owner, pb_str_from(readers[j].owner)));
                is_known = true;
            }
        }
        assert_true(is_known);
        assert_true(row->result.read.captured_at_us <= before_us);
        assert_true(row->result.read.captured_at_us >= inquiry->query.from_us);
        assert_true(row->result.read.captured_at_us < inquiry->query.to_us);
        before_us = row->result.read.captured_at_us;
    }
}

static void
check_question(struct site_room *room, const struct model_read *model, uint64_t *seed)
{
    enum pb_inquiry_kind kind = (enum pb_inquiry_kind)(next(seed) % 3);
    char plate[8];
    struct pb_inquiry inquiry;
    const struct pb_answer *answer = NULL;
    unsigned expected = 0;
    uint64_t counted = 0;

    (void)snprintf(plate, sizeof(plate), "KS%c%c",
                   kind == PB_INQUIRY_PATTERN && next(seed) % 2 == 0 ? '?'
                                                                     : (char)('A' + next(seed) % 3),
                   (char)('0' + next(seed) % (PLATES / 3)));
    inquiry = room_inquiry(room, kind, kind == PB_INQUIRY_PLACE ? "" : plate);
    inquiry.query.from_us = room->now_us - (int64_t)(next(seed) % 40 + 5) * PB_DAY_US;
    inquiry.query.to_us = room->now_us - (int64_t)(next(seed) % 5) * PB_DAY_US;
    inquiry.counts_plates = kind == PB_INQUIRY_PATTERN && next(seed) % 2 == 0;
    answer = room_ask(room, &inquiry);
    expected = count_model(model, &inquiry, room->now_us, kind == PB_INQUIRY_PLACE, NULL);
    counted = pb_answer_rows(answer);
    if (inquiry.counts_plates) {
        counted = 0;
        for (uint64_t i = 0; i < pb_answer_rows(answer); i++)
            counted += pb_answer_row(answer, i)->reads;
    } else {
        assert_int_equal(counted, pb_answer_count(answer));
        check_rows(answer, &inquiry);
    }
    assert_int_equal(expected, counted);
}

/* What the owner's log says was given is what the model says. */
static void
check_disclosed(struct site_room *room, const struct model_read *model)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLACE, "");
    struct room_found found;
    unsigned expected = 0;
    char text[32];

    inquiry.query.from_us = room->now_us - 40 * PB_DAY_US;
    (void)room_ask(room, &inquiry);
    expected = count_model(model, &inquiry, room->now_us, true, "river-pd");
    assert_true(expected > 0);
    (void)snprintf(text, sizeof(text), "\"n\":%u", expected);
    (void)room_leaves(room, "river-pd", "disclosed", &found);
    assert_says(found.leaf, text);
}

static void
answers_equal_the_model(void **state)
{
    static struct model_read model[READS];
    struct site_room room;
    uint64_t seed = 4711;

    (void)state;
    room_init(&room);
    make_reads(&room, &seed, model);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        check_question(&room, model, &seed);
        if (i % 20 == 19)
            room.now_us += PB_DAY_US; /* dates come */
        if (i % 50 == 49)
            room_reopen(&room); /* from segments as from the buffer */
    }
    check_disclosed(&room, model);
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_equal_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
