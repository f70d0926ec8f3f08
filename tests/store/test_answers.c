/*
 * Answers: what a question leaves out by the vehicle, by time that passes, and by tokens that are
 * not its own.
 */
#include "store/moves.h"
#include "store/store_room.h"

#include <stdio.h>

#include "base/bytes.h"
#include "store/local/token.h"

static const struct {
    const char *make, *model, *color, *body;
} vehicles[] = {
    { "ford", "focus", "red", "estate" },   { "ford", "focus", "red", "van" },
    { "ford", "focus", "blue", "estate" },  { "ford", "fiesta", "red", "estate" },
    { "toyota", "focus", "red", "estate" }, { "", "", "", "" },
};
#define VEHICLES (sizeof(vehicles) / sizeof(vehicles[0]))

static void
each_word_of_the_vehicle_is_looked_at(void **state)
{
    static const struct {
        const char *make, *model, *color, *body;
        uint32_t found;
    } cases[] = {
        { "", "", "", "", VEHICLES },
        { "FORD", "", "", "", 4 },
        { "", "Focus", "", "", 4 },
        { "", "", "Red", "", 4 },
        { "", "", "", "Estate", 4 },
        { "ford", "focus", "red", "estate", 1 },
        { "ford", "focus", "red", "", 2 },
        { "ford", "focus", "", "estate", 2 },
        { "ford", "", "red", "estate", 2 },
        { "", "focus", "red", "estate", 2 },
        { "seat", "focus", "red", "estate", 0 },
        { "for", "", "", "", 0 },
    };

    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;

        room_init(&room);
        for (uint32_t i = 0; i < VEHICLES; i++) {
            struct pb_read read = room_read("AB12", "gate-1", i);

            read.make = pb_str_from(vehicles[i].make);
            read.model = pb_str_from(vehicles[i].model);
            read.color = pb_str_from(vehicles[i].color);
            read.body = pb_str_from(vehicles[i].body);
            assert_int_equal(PB_OK, room_append(&room, &read));
        }
        moves[m].move(&room);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct pb_query query = room_query("AB12");
            uint32_t found = 0;

            query.make = pb_str_from(cases[i].make);
            query.model = pb_str_from(cases[i].model);
            query.color = pb_str_from(cases[i].color);
            query.body = pb_str_from(cases[i].body);
            found = room_count_query(&room, &query);
            if (found != cases[i].found)
                fail_msg("%s: case %zu: %u", moves[m].name, i, found);
        }
        room_done(&room);
    }
}

/* Both were captured at one moment, so both were looked at when the first one was given. */
static void
a_read_that_expires_between_two_results_is_not_given(void **state)
{
    (void)state;
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;
        struct pb_query query = room_query("AB12");
        struct pb_cursor *cursor = NULL;
        struct pb_result result;

        room_init(&room);
        for (uint32_t i = 0; i < 2; i++) {
            struct pb_read read = room_read("AB12", i == 0 ? "gate-1" : "gate-2", -60);

            read.delete_after_us = ROOM_START_US + 10 * ROOM_SECOND_US;
            assert_int_equal(PB_OK, room_append(&room, &read));
        }
        moves[m].move(&room);
        room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error),
                    "search");
        assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, &room.error));
        room.now_us += 11 * ROOM_SECOND_US;
        assert_int_equal(PB_END, pb_cursor_next(cursor, &result, &room.error));
        pb_cursor_free(cursor);
        room_done(&room);
    }
}

static enum pb_status
resume_with(struct store_room *room, struct pb_str token)
{
    struct pb_query query = room_query("AB12");
    struct pb_cursor *cursor = NULL;
    enum pb_status status = PB_OK;

    query.resume = token;
    status = pb_store_search(room->store, &query, &cursor, &room->error);
    assert_int_equal(status == PB_OK, cursor != NULL);
    pb_cursor_free(cursor);
    return status;
}

static void
a_token_that_was_changed_anywhere_is_refused(void **state)
{
    static const char others[] = { '!', '\0', 'A', '_', ' ', '\x7f' };
    struct store_room room;
    struct pb_query query = room_query("AB12");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    char token[PB_TOKEN_BYTES_MAX];
    uint32_t bytes = 0;

    (void)state;
    room_init(&room);
    for (uint32_t i = 0; i < 3; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error), "search");
    assert_int_equal(PB_NOT_FOUND, pb_cursor_token(cursor, token));
    assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, &room.error));
    assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
    pb_cursor_free(cursor);
    bytes = (uint32_t)strlen(token);
    assert_int_equal(PB_OK, resume_with(&room, (struct pb_str){ token, bytes }));
    assert_int_equal(PB_BAD_INPUT, resume_with(&room, (struct pb_str){ token, bytes - 1 }));
    assert_int_equal(PB_BAD_INPUT, resume_with(&room, (struct pb_str){ token, bytes + 1 }));
    for (uint32_t i = 0; i < bytes; i++) {
        for (size_t other = 0; other < sizeof(others); other++) {
            char kept = token[i];

            if (others[other] == kept)
                continue;
            token[i] = others[other];
            assert_int_equal(PB_BAD_INPUT, resume_with(&room, (struct pb_str){ token, bytes }));
            token[i] = kept;
        }
    }
    room_done(&room);
}

/* A token of one question says nothing to another, and one from within the answer of an older
 * window goes on below it. */
static void
a_token_belongs_to_its_question(void **state)
{
    struct store_room room;
    struct pb_query query = room_query("AB12");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    char token[PB_TOKEN_BYTES_MAX];

    (void)state;
    room_init(&room);
    for (uint32_t i = 0; i < 3; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error), "search");
    assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, &room.error));
    assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
    pb_cursor_free(cursor);
    query.resume = pb_str_from(token);
    assert_int_equal(2, room_count_query(&room, &query));
    query.plate = pb_str_from("AB1?");
    assert_int_equal(PB_BAD_INPUT, pb_store_search(room.store, &query, &cursor, &room.error));
    room_done(&room);
}

/* The question that a token belongs to, which stands in it for anybody to see. */
static uint64_t
question_of(const char *token)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[33] = { 0 };

    for (size_t i = 0; i < 44; i++) {
        const char *found = strchr(alphabet, token[i]);
        uint32_t six = 0;

        assert_non_null(found);
        six = (uint32_t)(found - alphabet);
        for (size_t bit = 0; bit < 6; bit++) {
            if (six >> (5 - bit) & 1)
                bytes[(6 * i + bit) / 8] |= (uint8_t)(0x80 >> (6 * i + bit) % 8);
        }
    }
    return pb_get_le64(bytes + 21);
}

/* Who makes a token himself gets no more by it than what was asked. */
static void
a_token_of_a_moment_outside_the_window_gives_nothing_outside_it(void **state)
{
    static const struct {
        int64_t seconds; /* of the token's moment */
        uint32_t found;
    } cases[] = { { -100, 0 }, { 9, 0 }, { 10, 0 }, { 11, 1 }, { 14, 4 }, { 15, 5 }, { 16, 5 },
                  { 25, 5 }, { 1000, 5 } };
    struct store_room room;
    struct pb_query query = room_query("AB12");
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    char token[PB_TOKEN_BYTES_MAX];
    uint64_t question = 0;

    (void)state;
    room_init(&room);
    for (uint32_t i = 0; i < 30; i++) {
        struct pb_read read = room_read("AB12", "gate-1", i);

        assert_int_equal(PB_OK, room_append(&room, &read));
    }
    query.from_us = ROOM_START_US + 10 * ROOM_SECOND_US;
    query.to_us = ROOM_START_US + 15 * ROOM_SECOND_US;
    room_expect(&room, PB_OK, pb_store_search(room.store, &query, &cursor, &room.error), "search");
    assert_int_equal(PB_OK, pb_cursor_next(cursor, &result, &room.error));
    assert_int_equal(PB_OK, pb_cursor_token(cursor, token));
    pb_cursor_free(cursor);
    question = question_of(token);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_position position = { .captured_us = ROOM_START_US +
                                                       cases[i].seconds * ROOM_SECOND_US,
                                        .identity = UINT64_MAX };

        pb_token_encode(&position, question, token);
        query.resume = pb_str_from(token);
        assert_int_equal(cases[i].found, room_count_query(&room, &query));
    }
    room_done(&room);
}

/* Bytes of a token, its checksum put right, as text. */
static struct pb_str
token_of(uint8_t *bytes, size_t count, char ret_token[PB_TOKEN_BYTES_MAX])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t chars = 0;

    pb_put_le32(bytes + count - 4, (uint32_t)pb_hash_bytes(bytes, count - 4));
    for (size_t i = 0; i < count / 3 * 3; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            ret_token[chars++] = alphabet[three >> shift & 63];
    }
    return (struct pb_str){ ret_token, (uint32_t)chars };
}

static void
tokens_of_both_versions_are_taken_and_no_others(void **state)
{
    static const struct {
        size_t count;
        uint8_t version, tie, rest; /* the byte behind the tie */
        enum pb_status status;
    } cases[] = {
        { 33, 1, 0, 0, PB_OK },        { 42, 2, 7, 0, PB_OK },        { 42, 2, 0, 0, PB_BAD_INPUT },
        { 42, 2, 7, 1, PB_BAD_INPUT }, { 42, 1, 7, 0, PB_BAD_INPUT }, { 33, 2, 0, 0, PB_BAD_INPUT },
        { 33, 0, 0, 0, PB_BAD_INPUT }, { 42, 3, 7, 0, PB_BAD_INPUT }, { 36, 1, 0, 0, PB_BAD_INPUT },
        { 39, 2, 7, 0, PB_BAD_INPUT }, { 45, 2, 7, 0, PB_BAD_INPUT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[PB_TOKEN_BYTES_MAX], again[PB_TOKEN_BYTES_MAX];
        uint8_t bytes[48] = { cases[i].version, 1 };
        struct pb_position position = { .tie = 1 };
        struct pb_str token;

        bytes[9] = 2;
        bytes[17] = 3;
        bytes[21] = 4; /* the question */
        if (cases[i].count > 33) {
            bytes[29] = cases[i].tie;
            bytes[37] = cases[i].rest;
        }
        token = token_of(bytes, cases[i].count, text);
        if (pb_token_decode(token, 4, &position) != cases[i].status)
            fail_msg("case %zu", i);
        assert_int_equal(PB_BAD_INPUT, pb_token_decode(token, 5, &position));
        token.bytes--;
        assert_int_equal(PB_BAD_INPUT, pb_token_decode(token, 4, &position));
        token.bytes++;
        if (cases[i].status != PB_OK)
            continue;
        assert_int_equal(PB_OK, pb_token_decode(token, 4, &position));
        assert_true(position.captured_us == 1 && position.identity == 2 && position.revision == 3 &&
                    position.tie == cases[i].tie);
        pb_token_encode(&position, 4, again);
        assert_true(pb_str_equal(token, pb_str_from(again)));
    }
}

static void
positions_are_in_the_order_of_results(void **state)
{
    static const struct pb_position positions[] = { { 2, 9, 0, 0 }, { 1, 1, 0, 0 },
                                                    { 1, 2, 7, 0 }, { 1, 2, 6, 0 },
                                                    { 1, 2, 6, 1 }, { 1, 2, 6, UINT64_MAX } };
    const int count = sizeof(positions) / sizeof(positions[0]);

    (void)state;
    for (int a = 0; a < count; a++) {
        for (int b = 0; b < count; b++) {
            int order = pb_position_compare(&positions[a], &positions[b]);

            assert_int_equal((a > b) - (a < b), (order > 0) - (order < 0));
        }
    }
}

/* A store whose clock, when it is looked at, has one more read come. */
static struct {
    struct store_room room;
    bool is_due;
    struct pb_read read;
} busy;

static int64_t
append_and_tell_the_time(void *context)
{
    if (busy.is_due) {
        busy.is_due = false;
        assert_int_equal(PB_OK, room_append(&busy.room, &busy.read));
    }
    return *(const int64_t *)context;
}

static void
a_read_that_comes_while_a_question_begins_is_not_of_its_answer(void **state)
{
    static const char *const plates[] = { "AB12", "CD34", "*" };
    const struct pb_alternate alternate = { pb_str_from("CD34"), PB_NO_CONFIDENCE };

    (void)state;
    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]); i++) {
        room_init(&busy.room);
        for (int64_t seconds = 0; seconds < 3; seconds++) {
            busy.read = room_read("AB12", "gate-1", seconds);
            busy.read.alternates = &alternate;
            busy.read.alternate_count = 1;
            if (seconds < 2)
                assert_int_equal(PB_OK, room_append(&busy.room, &busy.read));
        }
        busy.room.fault.env.now_us = append_and_tell_the_time;
        busy.is_due = true;
        assert_int_equal(2, room_count(&busy.room, plates[i]));
        assert_false(busy.is_due);
        assert_int_equal(3, room_count(&busy.room, plates[i]));
        room_done(&busy.room);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_of_the_vehicle_is_looked_at),
        cmocka_unit_test(a_read_that_expires_between_two_results_is_not_given),
        cmocka_unit_test(a_token_that_was_changed_anywhere_is_refused),
        cmocka_unit_test(a_token_belongs_to_its_question),
        cmocka_unit_test(a_token_of_a_moment_outside_the_window_gives_nothing_outside_it),
        cmocka_unit_test(tokens_of_both_versions_are_taken_and_no_others),
        cmocka_unit_test(positions_are_in_the_order_of_results),
        cmocka_unit_test(a_read_that_comes_while_a_question_begins_is_not_of_its_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
