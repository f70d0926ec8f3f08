/*
 * Place: words between commas.
 */
#include "cli/place.h"

#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/load.h"
#include "cli/options.h"

#define WORD_BYTES_MAX 48u
#define FILE_BYTES_MAX (UINT64_C(1) << 20)

enum { WORD_LAT, WORD_LON, WORD_RADIUS, WORD_FROM, WORD_TO, WORD_COUNT };

void
pb_cli_place_done(const struct pb_env *env, struct pb_cli_place *place)
{
    pb_area_done(env, &place->area);
}

struct pb_place
pb_cli_place_view(const struct pb_cli_place *place)
{
    struct pb_place view = pb_area_place(&place->area);

    view.from_us = place->from_us;
    view.to_us = place->to_us;
    return view;
}

/* Cuts text at commas, without the spaces around them. false: not so many words, or too long. */
static bool
cut_words(const char *text, char words[WORD_COUNT][WORD_BYTES_MAX])
{
    for (unsigned i = 0; i < WORD_COUNT; i++) {
        size_t length, trimmed;

        text += strspn(text, " \t");
        length = strcspn(text, ",");
        if (text[length] != (i + 1 < WORD_COUNT ? ',' : '\0'))
            return false;
        for (trimmed = length; trimmed > 0 && strchr(" \t\r", text[trimmed - 1]) != NULL;)
            trimmed--;
        if (trimmed == 0 || trimmed >= WORD_BYTES_MAX)
            return false;
        memcpy(words[i], text, trimmed);
        words[i][trimmed] = '\0';
        text += length + 1;
    }
    return true;
}

enum pb_status
pb_cli_place_parse(const struct pb_env *env, const char *text, struct pb_cli_place *place,
                   struct pb_error *error)
{
    char words[WORD_COUNT][WORD_BYTES_MAX];
    int32_t lat_e7, lon_e7;
    int16_t offset_min;
    double radius_m;

    if (!cut_words(text, words))
        return pb_fail(error, PB_BAD_INPUT,
                       "'%.100s' is not LAT,LON,RADIUS_M,FROM,TO, such as "
                       "37.7749,-122.4194,500,2026-03-01T08:00Z,2026-03-01T09:00Z",
                       text);
    if (!pb_cli_degrees(words[WORD_LAT], 90, &lat_e7) ||
        !pb_cli_degrees(words[WORD_LON], 180, &lon_e7))
        return pb_fail(error, PB_BAD_INPUT, "'%s,%s' is not a latitude and a longitude",
                       words[WORD_LAT], words[WORD_LON]);
    if (!pb_cli_real(words[WORD_RADIUS], &radius_m) || radius_m < 0.1 ||
        radius_m > PB_CLI_RADIUS_MAX_M)
        return pb_fail(error, PB_BAD_INPUT,
                       "radius '%s' is not a number of metres from 0.1 to "
                       "1000000",
                       words[WORD_RADIUS]);
    if (pb_time_parse_utc(pb_str_from(words[WORD_FROM]), &place->from_us, &offset_min) != PB_OK ||
        pb_time_parse_utc(pb_str_from(words[WORD_TO]), &place->to_us, &offset_min) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "'%s' or '%s' is not a time from 1970 to 2199",
                       words[WORD_FROM], words[WORD_TO]);
    if (place->from_us >= place->to_us)
        return pb_fail(error, PB_BAD_INPUT, "'%s' is not before '%s'", words[WORD_FROM],
                       words[WORD_TO]);
    return pb_area_circle(env, lat_e7, lon_e7, radius_m, &place->area, error);
}

/* ---- several ---- */

enum pb_status
pb_cli_places_add(const struct pb_env *env, struct pb_cli_places *places, const char *text,
                  struct pb_error *error)
{
    struct pb_cli_place *place = &places->items[places->count];
    enum pb_status status;

    if (places->count == PB_PLACES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "more than %u places", PB_PLACES_MAX);
    status = pb_cli_place_parse(env, text, place, error);
    if (status != PB_OK)
        return status;
    places->views[places->count] = pb_cli_place_view(place);
    places->count++;
    return PB_OK;
}

enum pb_status
pb_cli_places_load(const struct pb_env *env, struct pb_cli_places *places, const char *path,
                   struct pb_error *error)
{
    struct pb_error why = { "" };
    char *text = NULL;
    size_t bytes = 0;
    unsigned line = 0;
    enum pb_status status = pb_cli_load(env, path, FILE_BYTES_MAX, &text, &bytes, error);

    if (status != PB_OK)
        return status;
    for (char *at = text; *at != '\0' && status == PB_OK;) {
        size_t length = strcspn(at, "\n");
        char *next = at + length + (at[length] != '\0' ? 1 : 0);

        at[length] = '\0';
        line++;
        if (at[strspn(at, " \t\r")] != '\0' && at[0] != '#')
            status = pb_cli_places_add(env, places, at, &why);
        at = next;
    }
    if (status != PB_OK)
        (void)pb_fail(error, status, "%.200s:%u: %.280s", path, line, why.message);
    pb_free(env, text);
    return status;
}

void
pb_cli_places_done(const struct pb_env *env, struct pb_cli_places *places)
{
    for (unsigned i = 0; i < places->count; i++)
        pb_cli_place_done(env, &places->items[i]);
    places->count = 0;
}
