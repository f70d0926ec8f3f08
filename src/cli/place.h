/*
 * Place: where and when, as a person gives it: one text "LAT,LON,RADIUS_M,FROM,TO", or a file of
 * such lines. Polygons come from cli/polygon.h.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_PLACE_H
#define PB_CLI_PLACE_H

#include "cli/cli.h"
#include "inquiry/area.h"

#define PB_CLI_RADIUS_MAX_M 1e6

struct pb_cli_place {
    struct pb_area area; /* owned */
    int64_t from_us, to_us;
};
void pb_cli_place_done(const struct pb_env *env, struct pb_cli_place *place);
/* What an inquiry takes; borrowed from place. */
struct pb_place pb_cli_place_view(const struct pb_cli_place *place);

/* "37.77,-122.41,500,2026-03-01T08:00Z,2026-03-01T09:00Z". PB_BAD_INPUT: error says what it is
 * not. */
PB_MUST_CHECK enum pb_status pb_cli_place_parse(const struct pb_env *env, const char *text,
                                                struct pb_cli_place *place, struct pb_error *error);

/* Several of them. */
struct pb_cli_places {
    struct pb_cli_place items[PB_PLACES_MAX];
    struct pb_place views[PB_PLACES_MAX];
    unsigned count;
};
PB_MUST_CHECK enum pb_status pb_cli_places_add(const struct pb_env *env,
                                               struct pb_cli_places *places, const char *text,
                                               struct pb_error *error);
/* Lines as above; empty ones and those that begin with # do not count. error names the line. */
PB_MUST_CHECK enum pb_status pb_cli_places_load(const struct pb_env *env,
                                                struct pb_cli_places *places, const char *path,
                                                struct pb_error *error);
void pb_cli_places_done(const struct pb_env *env, struct pb_cli_places *places);

#endif
