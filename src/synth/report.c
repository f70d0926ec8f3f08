/*
 * Report: what a reader tells of what it saw, by its make and set-up, and how wrongly.
 */
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "synth/synth_private.h"

#define UUID_BYTES 36u

static uint16_t
read_state(const struct pb_synth *synth, const struct synth_sight *sight, struct synth_dice *dice)
{
    uint32_t luck = synth_below(dice, 100);
    const struct synth_state *state = &synth->states[sight->state];

    if (luck < 95)
        return state->jurisdiction;
    if (luck < 98)
        return 0;
    if (sight->state != sight->metro->state)
        return synth->states[sight->metro->state].jurisdiction;
    return synth->states[state->neighbours[synth_below(dice, state->neighbour_count)]]
        .jurisdiction;
}

/* What is right mostly has a high figure and what is wrong a low one, but they overlap. */
static void
report_confidence(const struct synth_sight *sight, struct synth_dice *dice, struct pb_read *read)
{
    uint32_t bits = synth_square(synth_roll32(dice));
    const struct synth_post *post = sight->post;
    uint32_t permille;

    if (post->has_percent) {
        permille = sight->is_misread ? 730 + synth_scale(bits, 180)
                                     : 949 - synth_scale(synth_square(bits), 130);
        if (!post->has_tenths)
            permille -= permille % 10;
        read->confidence_scale = PB_SCALE_PERCENT;
        read->confidence_e6 = permille * 100000;
        return;
    }
    permille = sight->is_misread ? 450 + synth_scale(bits, 480)
                                 : 999 - synth_scale(synth_square(bits), 430);
    read->confidence_scale = PB_SCALE_UNIT;
    read->confidence_e6 = permille * 1000;
}

static struct pb_str
word(const char *text)
{
    return (struct pb_str){ text, (uint32_t)strlen(text) };
}

static const struct synth_model *
model_of(const struct pb_synth *synth, const struct synth_sight *sight, uint64_t bits,
         const char **ret_color)
{
    uint32_t count = synth_model_count, fleets = synth_fleet_model_count;

    if (sight->class_of == PB_SYNTH_FLEET) {
        uint64_t company = synth_hash(synth_salted(synth, SALT_COMPANY), sight->vehicle / 16);

        *ret_color = synth_colors[company & 3 ? 0 : synth_columns_draw(synth->color_columns,
                                                                       synth_color_count, bits)]
                         .name;
        return &synth_models[count - fleets + synth_columns_draw(synth->model_columns + count,
                                                                 fleets, company)];
    }
    *ret_color =
        synth_colors[synth_columns_draw(synth->color_columns, synth_color_count, synth_mix(bits))]
            .name;
    return &synth_models[synth_columns_draw(synth->model_columns, count, bits)];
}

static void
report_looks(const struct pb_synth *synth, const struct synth_sight *sight, struct synth_dice *dice,
             struct pb_read *read)
{
    uint64_t bits = synth_hash(synth_salted(synth, SALT_LOOKS), sight->vehicle);
    uint64_t luck = synth_roll(dice);
    const char *color;
    const struct synth_model *model = model_of(synth, sight, bits, &color);

    /* Classifiers err: every twelfth model, every fourteenth colour. */
    if ((luck & 0xffff) < 65536 / 12)
        model = &synth_models[synth_columns_draw(synth->model_columns, synth_model_count,
                                                 synth_mix(luck))];
    if ((luck >> 16 & 0xffff) < 65536 / 14)
        color = synth_colors[(luck >> 32) % 6].name;

    read->color = word(color);
    read->body = word(model->body);
    if (sight->post->attributes >= ATTRIBUTES_MAKE_COLOR_BODY)
        read->make = word(model->make);
    if (sight->post->attributes == ATTRIBUTES_ALL)
        read->model = word(model->model);
    if (sight->post->has_year) {
        /* Ages of 0 to 25 years, most of them about 12. */
        uint32_t age = synth_scale((uint32_t)(bits >> 16), 13) + (uint32_t)(bits & 0xffff) % 14;

        read->year = (uint16_t)(synth->newest_year - age);
    }
}

static void
report_speed(const struct synth_sight *sight, struct synth_dice *dice, struct pb_read *read)
{
    uint32_t percent = 70 + synth_below(dice, 24) + synth_below(dice, 24);
    uint32_t ckmh;

    if (sight->is_rush)
        percent = percent * 3 / 4;
    ckmh = sight->post->speed_limit_kmh * percent;
    read->speed_ckmh = (uint16_t)(ckmh - ckmh % (sight->post->has_speed_tenths ? 10 : 100));
}

static void
write_uuid(struct synth_dice *dice, char *text)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t words[2] = { synth_roll(dice), synth_roll(dice) };

    for (uint32_t i = 0; i < UUID_BYTES; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            text[i] = '-';
            continue;
        }
        text[i] = hex[words[i / 18] & 15];
        words[i / 18] >>= 4;
    }
    text[14] = '4'; /* RFC 9562: random */
    text[19] = "89ab"[words[1] & 3];
}

static enum pb_status
report_event(const struct synth_sight *sight, uint64_t index, struct synth_dice *dice,
             struct pb_arena *arena, struct pb_read *read)
{
    struct pb_text_out out;
    char *text = pb_arena_alloc(arena, UUID_BYTES);

    if (text == NULL)
        return PB_E_NOMEM;
    read->event_id = (struct pb_str){ text, UUID_BYTES };
    if (sight->post->event_kind == 1) {
        write_uuid(dice, text);
        return PB_OK;
    }
    out = pb_text_out(text, UUID_BYTES);
    pb_put_u64(&out, index + 1);
    read->event_id.bytes = (uint32_t)(out.at - text);
    return PB_OK;
}

/* ---- alternates ---- */

/* Where the truth stood among the candidates of plates misread, second to ninth. */
static uint32_t
draw_truth_rank(struct synth_dice *dice)
{
    static const uint8_t counts[PB_ALTERNATES_MAX] = { 21, 12, 10, 8, 3, 1, 2, 4 };
    uint32_t drawn = synth_below(dice, 61), rank = 0;

    while (drawn >= counts[rank])
        drawn -= counts[rank++];
    return rank;
}

static bool
is_new(const struct pb_read *read, const struct pb_alternate *alternates, uint32_t count,
       struct pb_str plate)
{
    if (pb_str_equal(read->plate, plate))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (pb_str_equal(alternates[i].plate, plate))
            return false;
    return true;
}

static enum pb_status
report_alternates(const struct synth_sight *sight, struct synth_dice *dice, struct pb_arena *arena,
                  struct pb_read *read)
{
    struct pb_str truth = { sight->true_plate, sight->true_bytes };
    uint32_t truth_rank = UINT32_MAX;
    uint32_t wanted = synth_below(dice, 10) < 4
                          ? 0
                          : 1 + synth_scale(synth_cube(synth_roll32(dice)), PB_ALTERNATES_MAX);
    struct pb_alternate *alternates;
    uint32_t unit_e6 = read->confidence_scale == PB_SCALE_UNIT ? 1000
                       : sight->post->has_tenths              ? 100000
                                                              : 1000000;
    uint32_t confidence = read->confidence_e6;
    char *texts;

    if (sight->is_misread) {
        wanted = 2 + synth_below(dice, PB_ALTERNATES_MAX - 1);
        if (synth_permille(dice, 570))
            truth_rank = draw_truth_rank(dice);
        if (truth_rank != UINT32_MAX && truth_rank >= wanted)
            wanted = truth_rank + 1;
    }
    if (wanted == 0)
        return PB_OK;
    alternates = pb_arena_alloc(arena, wanted * sizeof(*alternates));
    texts = pb_arena_alloc(arena, wanted * PLATE_ROOM_BYTES);
    if (alternates == NULL || texts == NULL)
        return PB_E_NOMEM;

    read->alternates = alternates;
    for (uint32_t i = 0; i < wanted; i++) {
        char *text = texts + (size_t)i * PLATE_ROOM_BYTES;
        struct pb_str plate = { text, sight->read_bytes };

        if (i == truth_rank) {
            memcpy(text, truth.text, PLATE_ROOM_BYTES);
            plate.bytes = truth.bytes;
        } else {
            memcpy(text, sight->read_plate, PLATE_ROOM_BYTES);
            plate.bytes = synth_plate_rival(dice, text, plate.bytes);
            if (pb_str_equal(plate, truth))
                continue;
        }
        if (!is_new(read, alternates, read->alternate_count, plate))
            continue;
        confidence -= confidence * (1 + synth_below(dice, 5)) / 100;
        confidence -= confidence % unit_e6;
        alternates[read->alternate_count++] =
            (struct pb_alternate){ .plate = plate, .confidence_e6 = confidence };
    }
    return PB_OK;
}

enum pb_status
synth_report(const struct pb_synth *synth, uint64_t index, const struct synth_sight *sight,
             struct synth_dice *dice, struct pb_arena *arena, struct pb_read *read)
{
    const struct synth_post *post = sight->post;
    enum pb_status status = PB_OK;

    read->jurisdiction = read_state(synth, sight, dice);
    read->captured_at_us = sight->captured_us;
    if (post->has_utc_offset)
        read->utc_offset_min = sight->offset_minutes;
    read->reader = post->id;
    /* A car that has no fix sends no position. */
    if (!post->is_mobile || !synth_permille(dice, 40)) {
        read->lat_e7 = sight->lat_e7;
        read->lon_e7 = sight->lon_e7;
    }
    if (post->has_heading)
        read->heading_cdeg = sight->heading_cdeg;
    if (post->has_speed)
        report_speed(sight, dice, read);
    report_confidence(sight, dice, read);
    if (post->attributes != ATTRIBUTES_NONE)
        report_looks(synth, sight, dice, read);
    if (synth->with_event_ids && post->event_kind != 0)
        status = report_event(sight, index, dice, arena, read);
    if (status == PB_OK && synth->with_alternates && post->has_alternates)
        status = report_alternates(sight, dice, arena, read);
    return status;
}
