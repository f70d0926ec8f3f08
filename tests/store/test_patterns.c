/*
 * Patterns, edits and look-alikes find plates and alternates of any length and script, in the
 * buffer, in segments and after merges: compared with the plain matcher of the plate room's tests.
 */
#include "store/store_room.h"

#include <stdio.h>

#include "plate/pattern_oracle.h"
#include "plate/plate_code.h"
#include "store/moves.h"

#define READS 260u
#define PATTERNS 400u
#define LETTERS_MAX 16u

struct word {
    char text[4 * LETTERS_MAX];
    struct pb_str str;
    uint32_t letters[LETTERS_MAX];
    unsigned count;
};

struct sample {
    struct word plates[READS];
    struct word alternates[READS][3];
    uint32_t alternate_counts[READS];
};

/* Letters that patterns take as they are; some have no place in a plate code. */
static const uint32_t letters[] = { 'A', 'B', '8', '0', 'O', 'Z', '2', 0xD6, 0x4EAC, '#' };
#define LETTER_COUNT (sizeof(letters) / sizeof(letters[0]))

/* kind 0: ordinary; 1: with letters of any script; 2: too long for a code. */
static void
make_word(struct oracle_random *random, uint32_t kind, struct word *ret_word)
{
    uint32_t bytes = 0;

    ret_word->count = kind == 2 ? 11 + oracle_below(random, 3) : 1 + oracle_below(random, 5);
    for (unsigned i = 0; i < ret_word->count; i++) {
        uint32_t letter = letters[oracle_below(random, kind == 1 ? LETTER_COUNT : 7)];

        /* Not only of unread characters. */
        if (i == 0 && letter == '#')
            letter = 'A';
        ret_word->letters[i] = letter;
        bytes += (uint32_t)pb_utf8_encode(letter, ret_word->text + bytes);
    }
    ret_word->str = (struct pb_str){ ret_word->text, bytes };
}

static void
make_sample(struct sample *sample)
{
    struct oracle_random random = { 77 };

    for (uint32_t i = 0; i < READS; i++) {
        make_word(&random, oracle_below(&random, 3), &sample->plates[i]);
        sample->alternate_counts[i] = oracle_below(&random, 4);
        for (uint32_t j = 0; j < sample->alternate_counts[i]; j++)
            make_word(&random, oracle_below(&random, 3), &sample->alternates[i][j]);
    }
}

static void
append_sample(struct store_room *room, const struct sample *sample, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        struct pb_alternate alternates[3];
        struct pb_read read = room_read("X", "gate-1", i);

        read.plate = sample->plates[i].str;
        read.jurisdiction = (uint16_t)(i % 3);
        for (uint32_t j = 0; j < sample->alternate_counts[i]; j++)
            alternates[j] = (struct pb_alternate){ sample->alternates[i][j].str, j };
        read.alternates = alternates;
        read.alternate_count = sample->alternate_counts[i];
        assert_int_equal(PB_OK, room_append(room, &read));
    }
}

static bool
oracle_finds(const struct oracle_pattern *pattern, const struct word *word, unsigned edits,
             bool with_lookalikes)
{
    return oracle_distance(pattern, word->letters, word->count, with_lookalikes) <= edits;
}

/* 0: by its plate; n: by its n-th alternate; -1: not at all. */
static int
expected_of(const struct sample *sample, uint32_t i, const struct oracle_pattern *pattern,
            unsigned edits, bool with_lookalikes)
{
    if (oracle_finds(pattern, &sample->plates[i], edits, with_lookalikes))
        return 0;
    for (uint32_t j = 0; j < sample->alternate_counts[i]; j++) {
        if (oracle_finds(pattern, &sample->alternates[i][j], edits, with_lookalikes))
            return (int)j + 1;
    }
    return -1;
}

static uint32_t
compare(struct store_room *room, const struct sample *sample, const struct oracle_pattern *pattern,
        unsigned edits, bool with_lookalikes, const char *where)
{
    struct pb_query query = { .plate = { pattern->text, pattern->bytes },
                              .edits = edits,
                              .with_lookalikes = with_lookalikes,
                              .from_us = PB_TIME_MIN_US,
                              .to_us = PB_TIME_MAX_US };
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    uint32_t found = 0;
    enum pb_status status = pb_store_search(room->store, &query, &cursor, &room->error);

    if (status == PB_BAD_INPUT)
        return 0; /* only stars, with edits */
    room_expect(room, PB_OK, status, "search");
    for (uint32_t i = READS; i-- > 0;) {
        int expected = expected_of(sample, i, pattern, edits, with_lookalikes);

        if (expected < 0)
            continue;
        status = pb_cursor_next(cursor, &result, &room->error);
        if (status != PB_OK || result.read.captured_at_us != ROOM_START_US + i * ROOM_SECOND_US
            || result.alternate != (unsigned)expected)
            fail_msg("%.*s, %u edits%s, %s: read %u, alternate %d, is not what is found (%s)",
                     (int)pattern->bytes, pattern->text, edits,
                     with_lookalikes ? ", look-alikes" : "", where, i, expected,
                     pb_status_name(status));
        found++;
    }
    room_expect(room, PB_END, pb_cursor_next(cursor, &result, &room->error), "one more");
    pb_cursor_free(cursor);
    return found;
}

static void
any_plate_and_alternate_is_found_by_what_fits_it(void **state)
{
    static struct sample sample;

    (void)state;
    make_sample(&sample);
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct oracle_random random = { 5 + m };
        struct store_room room;
        uint64_t found = 0;

        room_init(&room);
        append_sample(&room, &sample, 0, READS / 2);
        moves[m].move(&room);
        append_sample(&room, &sample, READS / 2, READS);
        moves[m].move(&room);
        for (uint32_t i = 0; i < PATTERNS; i++) {
            struct oracle_pattern pattern;

            oracle_make(&random, letters, LETTER_COUNT, i % 4 == 0 ? 12 : 5, &pattern);
            found += compare(&room, &sample, &pattern, oracle_below(&random, 3),
                             oracle_below(&random, 2) == 0, moves[m].name);
        }
        assert_true(found > PATTERNS);
        room_done(&room);
    }
}

/* Each by itself, exactly: nothing else is taken for it. */
static void
each_long_alternate_is_found_exactly_and_by_its_beginning(void **state)
{
    static struct sample sample;
    uint32_t tried = 0;

    (void)state;
    make_sample(&sample);
    for (size_t m = 0; m < MOVE_COUNT; m++) {
        struct store_room room;

        room_init(&room);
        append_sample(&room, &sample, 0, READS);
        moves[m].move(&room);
        for (uint32_t i = 0; i < READS; i += 7) {
            for (uint32_t j = 0; j < sample.alternate_counts[i]; j++) {
                const struct word *word = &sample.alternates[i][j];
                struct oracle_pattern pattern = { .bytes = 0 };

                if (pb_plate_code(word->str) != 0 || word->count > ORACLE_STEPS_MAX - 1)
                    continue;
                for (unsigned l = 0; l < word->count; l++) {
                    pattern.steps[pattern.count++].letters[0] = word->letters[l];
                    oracle_put(&pattern, word->letters[l]);
                }
                assert_true(compare(&room, &sample, &pattern, 0, false, moves[m].name) > 0);
                pattern.steps[pattern.count++].kind = ORACLE_STAR;
                oracle_put(&pattern, '*');
                assert_true(compare(&room, &sample, &pattern, 0, false, moves[m].name) > 0);
                tried++;
            }
        }
        room_done(&room);
    }
    assert_true(tried > 50);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_plate_and_alternate_is_found_by_what_fits_it),
        cmocka_unit_test(each_long_alternate_is_found_exactly_and_by_its_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
