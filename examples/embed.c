/*
 * Platebase inside another program: makes a store, appends three reads, and asks where one
 * plate was and what was read near one place. All plates are invented.
 *
 * Build it against the installed library:
 *
 *     cc -std=c17 embed.c $(pkg-config --cflags --libs platebase) -o embed
 *     ./embed ./my-reads
 *
 * The directory must not exist yet, or be empty.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <platebase/geo.h>
#include <platebase/plate.h>
#include <platebase/read.h>
#include <platebase/status.h>
#include <platebase/store.h>

#define SECOND_US INT64_C(1000000)
#define MONDAY_MORNING_US (INT64_C(1795413600) * SECOND_US) /* 2026-11-23T06:00:00Z */
#define READS 3

/* What a camera would send. */
struct sighting {
    const char *plate; /* as it was read */
    const char *state;
    const char *reader;
    int64_t after_s;
    int32_t lat_e7, lon_e7;
};

static const struct sighting sightings[READS] = {
    { "7abc-123", "US-CA", "bridge-north", 0, 377749000, -1224194000 },
    { "8XYZ 987", "US-CA", "bridge-north", 40, 377749000, -1224194000 },
    { "7ABC123", "US-CA", "harbour-3", 900, 378049000, -1224101000 },
};

static struct pb_str
text(const char *from)
{
    return (struct pb_str){ from, (uint32_t)strlen(from) };
}

/* Appends what was seen; when this returns PB_OK it is on disk. */
static enum pb_status
append_sightings(struct pb_store *store, struct pb_error *error)
{
    char plates[READS][PB_PLATE_BYTES_MAX];
    struct pb_read reads[READS];
    enum pb_status answers[READS];
    enum pb_status status = PB_OK;

    for (int i = 0; i < READS && status == PB_OK; i++) {
        const struct sighting *sighting = &sightings[i];

        pb_read_init(&reads[i]);
        reads[i].plate.text = plates[i];
        status = pb_plate_fold(text(sighting->plate), plates[i], &reads[i].plate.bytes);
        reads[i].plate_raw = text(sighting->plate);
        reads[i].jurisdiction = pb_jurisdiction_from_text(text(sighting->state));
        reads[i].reader = text(sighting->reader);
        reads[i].captured_at_us = MONDAY_MORNING_US + sighting->after_s * SECOND_US;
        reads[i].lat_e7 = sighting->lat_e7;
        reads[i].lon_e7 = sighting->lon_e7;
        reads[i].confidence_scale = PB_SCALE_PERCENT;
        reads[i].confidence_e6 = 93500000; /* 93.5 % */
    }
    if (status != PB_OK)
        return pb_fail(error, status, "a plate could not be read");
    status = pb_store_append(store, reads, READS, answers, error);
    for (int i = 0; i < READS && status == PB_OK; i++)
        printf("append %.*s: %s\n", (int)reads[i].plate.bytes, reads[i].plate.text,
               pb_status_name(answers[i]));
    return status;
}

static void
print_result(const struct pb_read *read)
{
    printf("  %.*s %s %" PRId64 " s after six, %.*s, confidence %d of 1000\n",
           (int)read->plate.bytes, read->plate.text, pb_jurisdiction_name(read->jurisdiction),
           (read->captured_at_us - MONDAY_MORNING_US) / SECOND_US, (int)read->reader.bytes,
           read->reader.text, pb_read_confidence_permille(read));
}

/* Asks, and prints what is found, newest first. */
static enum pb_status
ask(struct pb_store *store, const struct pb_query *query, struct pb_error *error)
{
    struct pb_cursor *cursor = NULL;
    struct pb_result result;
    enum pb_status status = pb_store_search(store, query, &cursor, error);

    while (status == PB_OK) {
        status = pb_cursor_next(cursor, &result, error);
        if (status == PB_OK)
            print_result(&result.read);
    }
    pb_cursor_free(cursor);
    return status == PB_END ? PB_OK : status;
}

static enum pb_status
ask_questions(struct pb_store *store, struct pb_error *error)
{
    const struct pb_env *env = pb_env_system();
    struct pb_query query = { .from_us = MONDAY_MORNING_US,
                              .to_us = MONDAY_MORNING_US + 3600 * SECOND_US };
    struct pb_geo_area *area = NULL;
    enum pb_status status = PB_OK;

    printf("plates that look like 7A?C*:\n");
    query.plate = text("7A?C*");
    status = ask(store, &query, error);
    if (status != PB_OK)
        return status;

    printf("within 500 m of the bridge:\n");
    status = pb_geo_area_from_circle(env, 377749000, -1224194000, 500, &area, error);
    if (status == PB_OK) {
        query.plate = text("");
        query.area = area;
        status = ask(store, &query, error);
    }
    pb_geo_area_free(env, area);
    return status;
}

int
main(int argc, char **argv)
{
    const struct pb_env *env = pb_env_system();
    struct pb_store *store = NULL;
    struct pb_error error = { .message = "" };
    enum pb_status status = PB_OK;

    if (argc != 2) {
        fprintf(stderr, "usage: embed DIRECTORY\n");
        return 2;
    }
    status = pb_store_create(env, argv[1], &error);
    if (status == PB_OK)
        status = pb_store_open(env, argv[1], NULL, &store, &error);
    if (status == PB_OK)
        status = append_sightings(store, &error);
    if (status == PB_OK)
        status = ask_questions(store, &error);
    pb_store_close(store);
    if (status != PB_OK) {
        fprintf(stderr, "embed: %s: %s\n", pb_status_name(status), error.message);
        return 1;
    }
    return 0;
}
