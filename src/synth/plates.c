/*
 * Plates: serials in the shape of each state, vanity plates, and what readers make of them.
 */
#include <assert.h>
#include <string.h>

#include <platebase/plate.h>

#include "synth/synth_private.h"

#define VANITY_PERMILLE 40u
#define PLATE_SHORTEST 3u /* an error leaves at least so much */

static const char all_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char plain_letters[] = "ABCDEFGHJKLMNPRSTUVWXYZ"; /* no I, O, Q */
static const char digits[] = "0123456789";

/* ---- states ---- */

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static void
compile_pattern(struct synth_pattern *pattern, const char *text, size_t length, uint32_t letters)
{
    assert(length > 0 && length <= PATTERN_CHARS_MAX);
    pattern->length = (uint8_t)length;
    pattern->space = 1;
    pattern->is_number = text[0] == '#';
    if (pattern->is_number) {
        pattern->space = 999999;
        return;
    }
    memcpy(pattern->classes, text, length);
    for (size_t i = 0; i < length; i++)
        pattern->space *= text[i] == 'A' ? letters : 10;
}

static uint8_t
state_index(const char *code)
{
    uint8_t state = 0;

    while (memcmp(synth_states[state].code, code, 2) != 0) {
        state++;
        assert(state < SYNTH_STATES);
    }
    return state;
}

static void
init_state(struct synth_state *state, const struct synth_state_fact *fact, uint64_t key)
{
    char name[6] = { 'U', 'S', '-', fact->code[0], fact->code[1], '\0' };
    const char *text = fact->patterns;

    state->has_all_letters = fact->has_all_letters;
    state->jurisdiction = pb_jurisdiction_from_text((struct pb_str){ name, 5 });
    while (*text != '\0') {
        size_t length = strcspn(text, ";");
        struct synth_pattern *pattern = &state->patterns[state->pattern_count++];

        assert(state->pattern_count <= PATTERNS_MAX);
        compile_pattern(pattern, text, length, fact->has_all_letters ? 26 : 23);
        state->space += pattern->space;
        text += length + (text[length] == ';');
    }
    for (const char *code = fact->neighbours; *code != '\0'; code += 2) {
        assert(state->neighbour_count < NEIGHBOURS_MAX);
        state->neighbours[state->neighbour_count++] = state_index(code);
    }

    /* Any multiplier without a common divisor makes a permutation; one near the golden section
     * spreads neighbours far apart. Spaces stay below 2^30, so products fit. */
    assert(state->space < (UINT64_C(1) << 30));
    state->multiplier = state->space / 1000 * 618 + synth_hash(key, 1) % 1000;
    while (common_divisor(state->space, state->multiplier) != 1)
        state->multiplier++;
    state->addend = synth_hash(key, 2) % state->space;
}

void
synth_states_init(struct pb_synth *synth)
{
    uint32_t weights[SYNTH_STATES];
    uint64_t scratch[2 * SYNTH_STATES];

    for (uint32_t i = 0; i < SYNTH_STATES; i++) {
        init_state(&synth->states[i], &synth_states[i], synth_hash(synth->key, 1000 + i));
        weights[i] = synth_states[i].share;
    }
    synth_columns_build(weights, SYNTH_STATES, synth->state_columns, scratch);
}

/* ---- writing ---- */

static uint32_t
write_number(uint32_t number, char *ret_plate)
{
    char reversed[PLATE_ROOM_BYTES];
    uint32_t length = 0;

    do {
        reversed[length++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (uint32_t i = 0; i < length; i++)
        ret_plate[i] = reversed[length - 1 - i];
    return length;
}

static uint32_t
write_serial(const struct synth_state *state, uint64_t serial, char *ret_plate)
{
    const struct synth_pattern *pattern = state->patterns;
    const char *letters = state->has_all_letters ? all_letters : plain_letters;
    uint32_t letter_count = state->has_all_letters ? 26 : 23;
    uint32_t rest;

    while (serial >= pattern->space) {
        serial -= pattern->space;
        pattern++;
    }
    rest = (uint32_t)serial;
    if (pattern->is_number)
        return write_number(rest + 1, ret_plate);
    for (uint32_t i = pattern->length; i-- > 0;) {
        if (pattern->classes[i] == 'A') {
            ret_plate[i] = letters[rest % letter_count];
            rest /= letter_count;
        } else {
            ret_plate[i] = digits[rest % 10];
            rest /= 10;
        }
    }
    return pattern->length;
}

/* Something that could be a word, and perhaps a number: DALEK, RUMIT7, COVAX42. */
static uint32_t
write_vanity(uint64_t choice, char *ret_plate)
{
    static const char consonants[] = "BCDFHJKLMNPRSTVWXZ";
    static const char vowels[] = "AEIOU";
    uint32_t rest = (uint32_t)(choice % (18u * 5 * 18 * 5 * 18 * 100));
    uint32_t number = rest % 100;

    rest /= 100;
    for (uint32_t i = 0; i < 5; i++) {
        if (i % 2 == 0) {
            ret_plate[i] = consonants[rest % 18];
            rest /= 18;
        } else {
            ret_plate[i] = vowels[rest % 5];
            rest /= 5;
        }
    }
    return 5 + (number == 0 ? 0 : write_number(number, ret_plate + 5));
}

uint32_t
synth_plate_write(const struct pb_synth *synth, uint32_t state, uint64_t vehicle,
                  char ret_plate[PLATE_ROOM_BYTES], bool *ret_is_vanity)
{
    const struct synth_state *home = &synth->states[state];
    uint64_t bits = synth_hash(synth->key ^ 0x76616e, vehicle);

    *ret_is_vanity = synth_scale((uint32_t)bits, 1000) < VANITY_PERMILLE;
    if (*ret_is_vanity)
        return write_vanity(vehicle * 8191 + state, ret_plate);
    return write_serial(
        home, (vehicle % home->space * home->multiplier + home->addend) % home->space, ret_plate);
}

/* ---- errors ---- */

static uint32_t
weight_of(const struct synth_confusion *table, char character, uint32_t otherwise)
{
    uint32_t weight = 0;

    for (; table->from != 0; table++)
        weight += table->from == character ? table->weight : 0u;
    return weight > 0 ? weight : otherwise;
}

/* Draws a place with the weights that table gives to its character. */
static uint32_t
draw_place(struct synth_dice *dice, const struct synth_confusion *table, const char *plate,
           uint32_t length, uint32_t end_factor)
{
    uint32_t weights[PLATE_ROOM_BYTES];
    uint32_t sum = 0, place = 0, drawn;

    for (uint32_t i = 0; i < length; i++) {
        weights[i] = weight_of(table, plate[i], 1);
        if (i == 0 || i + 1 == length)
            weights[i] *= end_factor;
        sum += weights[i];
    }
    drawn = synth_below(dice, sum);
    while (drawn >= weights[place])
        drawn -= weights[place++];
    return place;
}

static void
substitute(struct synth_dice *dice, char *plate, uint32_t length)
{
    uint32_t place = draw_place(dice, synth_confusions, plate, length, 1);
    const struct synth_confusion *entry = synth_confusions;
    uint32_t sum = weight_of(synth_confusions, plate[place], 0);
    uint32_t drawn;

    if (sum == 0) { /* '5', say: nothing was seen to stand for it */
        plate[place] = plate[place] == '5' ? 'S' : '7';
        return;
    }
    drawn = synth_below(dice, sum);
    for (;; entry++) {
        if (entry->from != plate[place])
            continue;
        if (drawn < entry->weight)
            break;
        drawn -= entry->weight;
    }
    plate[place] = entry->to;
}

static uint32_t
drop(struct synth_dice *dice, char *plate, uint32_t length)
{
    uint32_t place = draw_place(dice, synth_deletions, plate, length, 3);

    memmove(plate + place, plate + place + 1, length - place - 1);
    return length - 1;
}

static uint32_t
insert(struct synth_dice *dice, char *plate, uint32_t length)
{
    const struct synth_confusion *entry = synth_insertions;
    uint32_t sum = 0, drawn, place;

    for (const struct synth_confusion *each = entry; each->from != 0; each++)
        sum += each->weight;
    drawn = synth_below(dice, sum);
    while (drawn >= entry->weight)
        drawn -= (entry++)->weight;

    /* Borders of the plate are what is mostly taken for a character. */
    place = synth_below(dice, 10);
    place = place < 4 ? 0 : place < 8 ? length : synth_below(dice, length + 1);
    memmove(plate + place + 1, plate + place, length - place);
    plate[place] = entry->from;
    return length + 1;
}

uint32_t
synth_plate_spoil(struct synth_dice *dice, char plate[PLATE_ROOM_BYTES], uint32_t length)
{
    uint32_t kind = synth_below(dice, 100);

    if (kind < 48 && length > PLATE_SHORTEST)
        return drop(dice, plate, length);
    if (kind >= 88 && length + 1 < PLATE_ROOM_BYTES)
        return insert(dice, plate, length);
    substitute(dice, plate, length);
    return length;
}

uint32_t
synth_plate_rival(struct synth_dice *dice, char plate[PLATE_ROOM_BYTES], uint32_t length)
{
    if (synth_below(dice, 10) < 7) {
        substitute(dice, plate, length);
        return length;
    }
    return synth_plate_spoil(dice, plate, length);
}
