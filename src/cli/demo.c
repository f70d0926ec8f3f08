/*
 * Demo: catalog, then three feeds, each through the stamper as any other import.
 */
#include "cli/demo.h"

#include <string.h>

#include "api/account.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/samples.h"
#include "ingest/ingest.h"
#include "synth/synth.h"

#define BATCH_READS 4096u
#define TOWN_DAYS 14
#define PICTURE_STEP_US (7 * PB_MINUTE_US) /* between two pictures that say no time */
#define TOWN_LAT_E7 386400000
#define TOWN_LON_E7 (-983100000)

struct demo {
    const struct pb_env *env;
    struct pb_site *site;
    struct pb_synth *town;      /* owned */
    struct pb_stamper *stamper; /* owned */
    int64_t midnight_us;        /* of today, UTC */
    struct pb_cli_demo_counts counts;
    struct pb_error *error;

    /* Of the feed at hand: how its times are moved. */
    int64_t shift_us;
    int64_t next_us; /* of a feed without times; 0: it has them */
};

/* ---- dates in the catalog ---- */

/* "@+365@" at the beginning of text: its length and days, or 0. */
static size_t
date_mark(const char *text, const char *end, int64_t *ret_days)
{
    int64_t days = 0;
    size_t length = 2;

    if (end - text < 4 || text[0] != '@' || (text[1] != '+' && text[1] != '-'))
        return 0;
    while (text + length < end && length < 8 && text[length] >= '0' && text[length] <= '9')
        days = days * 10 + (text[length++] - '0');
    if (length == 2 || text + length == end || text[length] != '@')
        return 0;
    *ret_days = text[1] == '+' ? days : -days;
    return length + 1;
}

char *
pb_cli_demo_dates(const struct pb_env *env, struct pb_str text, int64_t now_us, size_t *ret_bytes)
{
    /* A date is ten characters, a mark at least four. */
    size_t room = (size_t)text.bytes * 3 + 1;
    char *made = pb_alloc(env, room);
    const char *end = text.text + text.bytes;
    size_t used = 0;

    if (made == NULL)
        return NULL;
    for (const char *at = text.text; at < end;) {
        char date[PB_TIME_BYTES_MAX];
        int64_t days = 0;
        size_t mark = date_mark(at, end, &days);

        if (mark == 0) {
            made[used++] = *at++;
            continue;
        }
        (void)pb_time_format(now_us + days * PB_DAY_US, PB_NO_UTC_OFFSET, date);
        memcpy(made + used, date, 10);
        used += 10;
        at += mark;
    }
    made[used] = '\0';
    *ret_bytes = used;
    return made;
}

static struct pb_str
sample(const char *name)
{
    size_t count = 0;
    const struct pb_cli_sample *samples = pb_cli_samples(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(samples[i].name, name) == 0)
            return samples[i].text;
    }
    return (struct pb_str){ 0 };
}

static enum pb_status
fill_catalog(struct demo *demo)
{
    const struct pb_actor actor = { .person = NULL };
    struct pb_catalog_changes changes;
    size_t bytes = 0;
    char *text =
        pb_cli_demo_dates(demo->env, sample("demo_catalog.yaml"), demo->midnight_us, &bytes);
    enum pb_status status;

    if (text == NULL)
        return pb_fail(demo->error, PB_E_NOMEM, "no memory for the catalog");
    status = pb_site_import_yaml(demo->site, &actor, text, bytes, &changes, demo->error);
    pb_free(demo->env, text);
    return status;
}

/* ---- accounts ---- */

/* Who approves an account: an administrator of the agency, and theirs a supervisor. */
static struct pb_str
approver_of(const struct pb_catalog_view *view, const struct pb_person *person)
{
    uint32_t wanted = (person->permissions & PB_MAY_ADMINISTER) != 0 ? (uint32_t)PB_MAY_APPROVE
                                                                     : (uint32_t)PB_MAY_ADMINISTER;

    for (uint32_t i = 0; i < view->person_count; i++) {
        if (view->people[i].agency == person->agency && (view->people[i].permissions & wanted) != 0)
            return view->people[i].id;
    }
    return (struct pb_str){ 0 };
}

/* Everybody gets one; a link of platebase account link signs them in. */
static enum pb_status
make_accounts(struct demo *demo)
{
    const struct pb_catalog_view *view = NULL;
    const struct pb_str operator= { 0 };
    enum pb_status status = pb_catalog_view_take(pb_site_catalog(demo->site), &view, demo->error);

    for (uint32_t i = 0; status == PB_OK && i < view->person_count; i++) {
        const struct pb_person *person = &view->people[i];

        status = pb_api_account_add(demo->env, demo->site, operator, person->id, demo->error);
        if (status == PB_OK)
            status = pb_api_account_approve(demo->env, demo->site, approver_of(view, person),
                                            person->id, demo->error);
    }
    pb_catalog_view_drop(view);
    return status == PB_OK ? pb_api_account_mark_demonstration(demo->site, demo->error) : status;
}

/* ---- reads ---- */

#define READER_YAML_BYTES 200u

/* The town's readers with their positions, so that coverage of a place can be told. */
static enum pb_status
name_readers(struct demo *demo, const struct pb_synth *synth)
{
    const struct pb_actor actor = { .person = NULL };
    uint32_t count = pb_synth_reader_count(synth);
    size_t room = 16 + (size_t)count * READER_YAML_BYTES;
    char *text = pb_alloc(demo->env, room);
    struct pb_text_out out = pb_text_out(text, room);
    struct pb_catalog_changes changes;
    enum pb_status status;

    if (text == NULL)
        return PB_E_NOMEM;
    pb_put_text(&out, "readers:\n");
    for (uint32_t i = 0; i < count; i++) {
        struct pb_synth_reader reader;

        pb_synth_reader_at(synth, i, &reader);
        pb_put_text(&out, "  - { id: ");
        pb_put_str(&out, reader.id);
        pb_put_text(&out, ", agency: plains-police, capture_state: US-KS, time_zone: "
                          "America/Chicago, kind: ");
        pb_put_text(&out, reader.is_mobile ? "mobile" : "fixed");
        if (!reader.is_mobile) {
            pb_put_text(&out, ", lat: ");
            pb_put_fixed(&out, reader.lat_e7, 7, 1);
            pb_put_text(&out, ", lon: ");
            pb_put_fixed(&out, reader.lon_e7, 7, 1);
        }
        pb_put_text(&out, " }\n");
    }
    status = pb_site_import_yaml(demo->site, &actor, text, (size_t)(out.at - text), &changes,
                                 demo->error);
    pb_free(demo->env, text);
    return status;
}

/* Stamps and stores what may be kept, many at a time. */
static enum pb_status
store_reads(struct demo *demo, struct pb_read *reads, size_t count)
{
    enum pb_status outcomes[BATCH_READS];
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        const char *reason = "";
        enum pb_status status = pb_stamper_stamp(demo->stamper, &reads[i], &reason, demo->error);

        if (status < 0)
            return status;
        if (status == PB_OK)
            reads[kept++] = reads[i];
    }
    demo->counts.stored += kept;
    demo->counts.left_out += count - kept;
    if (kept == 0)
        return PB_OK;
    return pb_store_append(pb_site_store(demo->site), reads, kept, outcomes, demo->error);
}

static enum pb_status
on_reads(void *context, struct pb_read *reads, size_t count)
{
    struct demo *demo = context;

    for (size_t i = 0; i < count; i++) {
        if (demo->next_us != 0) {
            reads[i].captured_at_us = demo->next_us;
            demo->next_us += PICTURE_STEP_US;
        } else {
            reads[i].captured_at_us += demo->shift_us;
        }
    }
    return store_reads(demo, reads, count);
}

static enum pb_status
on_reject(void *context, const struct pb_rejection *rejection)
{
    struct demo *demo = context;

    (void)rejection;
    demo->counts.left_out++;
    return PB_OK;
}

/* One sample of OpenALPR's, whole. */
static enum pb_status
feed_sample(struct demo *demo, const char *name, const struct pb_ingest_defaults *defaults)
{
    const struct pb_ingest_sink sink = {
        .on_reads = on_reads,
        .on_reject = on_reject,
        .context = demo,
    };
    const struct pb_str text = sample(name);
    const uint8_t *bytes = (const uint8_t *)text.text;
    struct pb_input_head *head = NULL;
    struct pb_parser *parser = NULL;
    size_t head_bytes = 0;
    enum pb_status status;

    status = pb_input_head_new(demo->env, PB_FORMAT_OPENALPR, bytes, text.bytes, defaults, &head,
                               &head_bytes, demo->error);
    if (status == PB_OK)
        status = pb_parser_new(demo->env, head, &parser, demo->error);
    if (status == PB_OK)
        status = pb_parser_chunk(parser, bytes + head_bytes, text.bytes - head_bytes, 1, true,
                                 &sink, demo->error);
    pb_parser_free(parser);
    pb_input_head_free(demo->env, head);
    return status;
}

/* What alprd sent on 2026-11-23, as if it were yesterday. */
static enum pb_status
feed_daemon(struct demo *demo)
{
    const struct pb_ingest_defaults defaults = {
        .lat_e7 = TOWN_LAT_E7,
        .lon_e7 = TOWN_LON_E7,
        .country = "US",
        .delete_after_us = PB_NEVER,
        .retention_days = -1,
    };
    const int64_t sent_us = INT64_C(1795392000000000); /* midnight of that day */

    demo->shift_us = demo->midnight_us - PB_DAY_US - sent_us;
    demo->next_us = 0;
    return feed_sample(demo, "openalpr_daemon.ndjson", &defaults);
}

/* What OpenALPR printed for pictures that say neither who read nor when. */
static enum pb_status
feed_pictures(struct demo *demo)
{
    static const char reader[] = "drawn-pictures";
    const struct pb_ingest_defaults defaults = {
        .reader = pb_str_from(reader),
        .lat_e7 = PB_NO_POSITION,
        .lon_e7 = PB_NO_POSITION,
        .country = "US",
        .captured_at_us = demo->midnight_us - 2 * PB_DAY_US,
        .delete_after_us = PB_NEVER,
        .retention_days = -1,
    };

    demo->next_us = defaults.captured_at_us;
    return feed_sample(demo, "openalpr_printed.ndjson", &defaults);
}

static enum pb_status
make_town(struct demo *demo)
{
    const struct pb_synth_options options = {
        .is_town = true,
        .days = TOWN_DAYS,
        .from_us = demo->midnight_us - TOWN_DAYS * PB_DAY_US,
        .with_alternates = true,
    };
    enum pb_status status = pb_synth_new(demo->env, &options, &demo->town, demo->error);

    return status == PB_OK ? name_readers(demo, demo->town) : status;
}

static enum pb_status
feed_town(struct demo *demo, const struct pb_progress *progress)
{
    uint64_t total = pb_synth_read_count(demo->town);
    struct pb_read *reads = pb_calloc(demo->env, BATCH_READS, sizeof(*reads));
    enum pb_status status = reads != NULL ? PB_OK : PB_E_NOMEM;
    struct pb_arena arena;

    pb_arena_init(&arena, demo->env, 1u << 20);
    for (uint64_t first = 0; first < total && status == PB_OK; first += BATCH_READS) {
        uint64_t count = total - first < BATCH_READS ? total - first : BATCH_READS;

        if (!progress->report(progress->context, "town", first, total))
            break;
        pb_arena_reset(&arena);
        status = pb_synth_fill(demo->town, first, count, reads, &arena);
        if (status == PB_OK)
            status = store_reads(demo, reads, (size_t)count);
    }
    pb_arena_clear(&arena);
    pb_free(demo->env, reads);
    return status == PB_E_NOMEM ? pb_fail(demo->error, status, "no memory for the town") : status;
}

/* The three feeds, and what they leave in the log, as segments. */
static enum pb_status
feed_all(struct demo *demo, const struct pb_progress *progress)
{
    struct pb_store *store = pb_site_store(demo->site);
    enum pb_status status = feed_daemon(demo);

    if (status == PB_OK)
        status = feed_pictures(demo);
    if (status == PB_OK)
        status = feed_town(demo, progress);
    if (status == PB_OK)
        status = pb_stamper_flush(demo->stamper, demo->error);
    if (status == PB_OK)
        status = pb_store_flush(store, demo->error);
    if (status == PB_OK)
        status = pb_store_merge(store, false, progress, demo->error);
    return status;
}

enum pb_status
pb_cli_demo_fill(const struct pb_env *env, struct pb_site *site, const struct pb_progress *progress,
                 struct pb_cli_demo_counts *ret_counts, struct pb_error *error)
{
    struct demo demo = {
        .env = env,
        .site = site,
        .midnight_us = pb_now_us(env) / PB_DAY_US * PB_DAY_US,
        .error = error,
    };
    enum pb_status status;

    status = fill_catalog(&demo);
    if (status == PB_OK)
        status = make_accounts(&demo);
    if (status == PB_OK)
        status = make_town(&demo);
    /* The stamper knows the readers that were named before it. */
    if (status == PB_OK)
        status = pb_stamper_new(site, "plains-police", 0, &demo.stamper, error);
    if (status == PB_OK)
        status = feed_all(&demo, progress);
    pb_stamper_free(demo.stamper);
    pb_synth_free(demo.town);
    *ret_counts = demo.counts;
    return status;
}
