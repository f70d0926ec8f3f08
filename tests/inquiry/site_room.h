/*
 * A data directory with some agencies, in a directory of its own, with a clock that the test
 * drives. Memory and files are counted, so that a test can tell that nothing is left behind.
 *
 *   kansas-pd   Kansas; readers k1, k2 (US-KS) and k3 (captured in California); the askers are its
 *               people: doe (investigator who may do everything), sup (supervisor), aud (auditor),
 *               adm (administrator), low (a plate at a time)
 *   river-pd    Kansas; r1 and r2; lets kansas-pd ask over r1
 *   pine-pd     Maine, 21 days; m1; lets kansas-pd ask
 *   coast-pd    California; c1; lets kansas-pd ask, which its state's law does not; publishes
 *               its figures
 *   granite-pd  New Hampshire, 3 minutes; n1
 *   bureau      federal, only asks, under pia-039; agent and chief; kansas-pd lets it ask
 */
#ifndef PB_TESTS_INQUIRY_SITE_ROOM_H
#define PB_TESTS_INQUIRY_SITE_ROOM_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fts.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <platebase/plate.h>

#include "audit/audit.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/inquiry.h"
#include "inquiry/review.h"
#include "inquiry/site.h"
#include "support/fault_env.h"

#define ROOM_NOW_US INT64_C(1780315200000000) /* 2026-06-01T12:00:00Z */
#define ROOM_LAT_E7 385000000
#define ROOM_LON_E7 (-980000000)

static const char room_catalog[] =
    "agencies:\n"
    "  - { id: kansas-pd, name: Example Kansas Police, class: local, jurisdiction: US-KS,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: river-pd, name: Example River Police, class: local, jurisdiction: US-KS,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: pine-pd, name: Example Pine Police, class: local, jurisdiction: US-ME,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: coast-pd, name: Example Coast Police, class: local, jurisdiction: US-CA,"
    " contributes: yes, publishes_figures: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: granite-pd, name: Example Granite Police, class: local, jurisdiction: US-NH,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: bureau, name: Example Bureau, class: federal, jurisdiction: US,"
    " contributes: no, packs: pia-039, reviewed_at: 2026-05-15 }\n"
    "people:\n"
    "  - { id: doe, agency: kansas-pd, name: J. Doe, role: investigator, status: active,"
    " training_valid_until: 2027-06-01,"
    " permissions: \"pattern,place,common,associates,export,correct,break-glass\" }\n"
    "  - { id: sup, agency: kansas-pd, name: S. Upper, role: supervisor, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: aud, agency: kansas-pd, name: A. Udit, role: auditor, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: adm, agency: kansas-pd, name: A. Dmin, role: administrator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: low, agency: kansas-pd, name: L. Ow, role: officer, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: roe, agency: coast-pd, name: R. Oe, role: investigator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: rivaud, agency: river-pd, name: R. Audit, role: auditor, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: agent, agency: bureau, name: A. Gent, role: investigator, status: active,"
    " training_valid_until: 2027-06-01, permissions: \"pattern,place,common\" }\n"
    "  - { id: chief, agency: bureau, name: C. Hief, role: supervisor, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "readers:\n"
    "  - { id: k1, agency: kansas-pd, capture_state: US-KS, lat: 38.5, lon: -98.0 }\n"
    "  - { id: k2, agency: kansas-pd, capture_state: US-KS, lat: 38.6, lon: -98.0 }\n"
    "  - { id: k3, agency: kansas-pd, capture_state: US-CA, lat: 38.5, lon: -98.0 }\n"
    "  - { id: r1, agency: river-pd, capture_state: US-KS, lat: 38.5, lon: -98.0 }\n"
    "  - { id: r2, agency: river-pd, capture_state: US-KS, lat: 38.5, lon: -98.0 }\n"
    "  - { id: m1, agency: pine-pd, capture_state: US-ME, lat: 38.5, lon: -98.0 }\n"
    "  - { id: c1, agency: coast-pd, capture_state: US-CA, lat: 38.5, lon: -98.0 }\n"
    "  - { id: n1, agency: granite-pd, capture_state: US-NH, lat: 38.5, lon: -98.0 }\n"
    "offences:\n"
    "  - { id: burglary, title: Burglary, jurisdiction: US-KS, class: felony,"
    " limitation_years: 5 }\n"
    "cases:\n"
    "  - { id: \"kansas-pd:26-00471\", offence: burglary }\n"
    "  - { id: \"kansas-pd:26-00999\", offence: burglary }\n"
    "agreements:\n"
    "  - { id: river-kansas, owner: river-pd, asker: kansas-pd, readers: r1,"
    " purposes: \"criminal-investigation,emergency\", starts_at: 2026-01-01,"
    " ends_at: 2027-01-01 }\n"
    "  - { id: pine-kansas, owner: pine-pd, asker: kansas-pd,"
    " purposes: \"criminal-investigation,emergency\", starts_at: 2026-01-01,"
    " ends_at: 2027-01-01 }\n"
    "  - { id: coast-kansas, owner: coast-pd, asker: kansas-pd,"
    " purposes: \"criminal-investigation,emergency\", starts_at: 2026-01-01,"
    " ends_at: 2027-01-01 }\n"
    "  - { id: kansas-bureau, owner: kansas-pd, asker: bureau, purposes: criminal-investigation,"
    " starts_at: 2026-01-01, ends_at: 2027-01-01 }\n";

struct site_room {
    char directory[128];      /* temporary, removed at the end */
    char path[160];           /* of the site */
    struct pb_file_ops files; /* the system's, but for waiting for the disk */
    struct pb_env base;
    struct fault_env fault;
    const struct pb_env *env;
    int64_t now_us;
    int64_t tick_ns;   /* that each look at the time for durations takes */
    int64_t ticked_ns; /* so far */
    _Atomic int64_t paused_us; /* asked for since somebody set it to 0; nobody waits */
    bool publishes;    /* on a thread of the log's own, as outside tests */
    struct pb_site *site;
    struct pb_error error;
    struct pb_geo_area *area;       /* around k1; owned */
    struct pb_geo_area *other_area; /* around k2; owned */
    struct pb_place places[2];
    struct pb_answer *answer; /* owned: of the last room_ask */
};

static inline int64_t
room_now_us(void *context)
{
    const struct site_room *room = context;

    return room->now_us;
}

static inline int64_t
room_monotonic_ns(void *context)
{
    struct site_room *room = context;

    if (room->tick_ns != 0)
        room->ticked_ns += room->tick_ns;
    return room->now_us * 1000 + room->ticked_ns;
}

static inline void
room_pause_us(void *context, int64_t us)
{
    struct site_room *room = context;

    room->paused_us += us;
}

/* Says what was said before it fails. */
static inline void
room_expect(struct site_room *room, enum pb_status expected, enum pb_status status,
            const char *what)
{
    if (status != expected)
        fail_msg("%s: %s instead of %s: %s", what, pb_status_name(status), pb_status_name(expected),
                 status == PB_OK ? "" : room->error.message);
}

static inline int
room_remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* The power never fails here, so nothing needs to wait for the disk; that a sync fails is the fault
 * environment's to say, which stands above. */
static inline enum pb_status
room_sync(void *context, struct pb_file *file, struct pb_error *error)
{
    (void)context;
    (void)file;
    (void)error;
    return PB_OK;
}

static inline enum pb_status
room_sync_directory(void *context, const char *path, struct pb_error *error)
{
    (void)context;
    (void)path;
    (void)error;
    return PB_OK;
}

static inline void
room_init_env(struct site_room *room)
{
    room->files = *pb_env_system()->files;
    room->files.sync = room_sync;
    room->files.sync_directory = room_sync_directory;
    room->base = *pb_env_system();
    room->base.files = &room->files;
    fault_env_init(&room->fault, &room->base);
    room->fault.env.now_us = room_now_us;
    room->fault.env.monotonic_ns = room_monotonic_ns;
    room->fault.env.pause_us = room_pause_us;
    room->fault.env.clock_context = room;
    room->env = &room->fault.env;
}

static inline void
room_init_directory(struct site_room *room)
{
    const char *temporary = getenv("TMPDIR");

    memset(room, 0, sizeof(*room));
    (void)snprintf(room->directory, sizeof(room->directory), "%s/pb-inquiry-XXXXXX",
                   temporary != NULL ? temporary : "/tmp");
    assert_non_null(mkdtemp(room->directory));
    (void)snprintf(room->path, sizeof(room->path), "%s/site", room->directory);
    room->now_us = ROOM_NOW_US;
    room_init_env(room);
}

static inline void
room_open_as(struct site_room *room, enum pb_site_mode mode)
{
    struct pb_site_options options = { .mode = mode,
                                       .publishes_by_hand = !room->publishes,
                                       .memory_bytes = 64u << 20 };

    room_expect(room, PB_OK,
                pb_site_open(room->env, room->path, &options, &room->site, &room->error), "open");
}

static inline void
room_close(struct site_room *room)
{
    pb_answer_free(room->answer);
    room->answer = NULL;
    room_expect(room, PB_OK, pb_site_close(room->site, &room->error), "close");
    room->site = NULL;
}

static inline void
room_reopen(struct site_room *room)
{
    room_close(room);
    room_open_as(room, PB_SITE_WRITE);
}

static inline void
room_import(struct site_room *room, const char *yaml)
{
    struct pb_actor operator= { 0 };
    struct pb_catalog_changes changes;

    room_expect(room, PB_OK,
                pb_site_import_yaml(room->site, &operator, yaml, strlen(yaml), &changes,
                                    &room->error),
                "import");
}

static inline void
room_init(struct site_room *room)
{
    room_init_directory(room);
    room_expect(room, PB_OK, pb_site_create(room->env, room->path, &room->error), "create");
    room_open_as(room, PB_SITE_WRITE);
    room_import(room, room_catalog);
    room_expect(room, PB_OK,
                pb_geo_area_from_circle(room->env, ROOM_LAT_E7, ROOM_LON_E7, 170.0, &room->area,
                                        &room->error),
                "area");
    room_expect(room, PB_OK,
                pb_geo_area_from_circle(room->env, ROOM_LAT_E7 + 1000000, ROOM_LON_E7, 170.0,
                                        &room->other_area, &room->error),
                "area");
}

/* Closes everything; nothing may be left behind. */
static inline void
room_done(struct site_room *room)
{
    if (room->site != NULL)
        room_close(room);
    pb_geo_area_free(room->env, room->area);
    pb_geo_area_free(room->env, room->other_area);
    assert_true(fault_env_is_clean(&room->fault));
    (void)nftw(room->directory, room_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- reads ---- */

/* A read of a plate of Kansas, captured before_us ago, where the reader stands. */
static inline struct pb_read
room_read(const struct site_room *room, const char *plate, const char *reader, int64_t before_us)
{
    struct pb_read read;

    pb_read_init(&read);
    read.plate = pb_str_from(plate);
    read.reader = pb_str_from(reader);
    read.jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-KS"));
    read.captured_at_us = room->now_us - before_us;
    read.lat_e7 = ROOM_LAT_E7 + (strcmp(reader, "k2") == 0 ? 1000000 : 0);
    read.lon_e7 = ROOM_LON_E7;
    return read;
}

static inline enum pb_status
room_append(struct site_room *room, const struct pb_read *read)
{
    enum pb_status answer = PB_E_IO;

    room_expect(room, PB_OK,
                pb_store_append(pb_site_store(room->site), read, 1, &answer, &room->error),
                "append");
    return answer;
}

/* As reads come in: stamped, then appended. */
static inline enum pb_status
room_take(struct site_room *room, const struct pb_read *read)
{
    struct pb_read stamped = *read;
    struct pb_stamper *stamper = NULL;
    const char *reason = NULL;
    enum pb_status status = PB_OK;

    room_expect(room, PB_OK, pb_stamper_new(room->site, NULL, 0, &stamper, &room->error),
                "stamper");
    status = pb_stamper_stamp(stamper, &stamped, &reason, &room->error);
    if (status == PB_OK)
        status = room_append(room, &stamped);
    pb_stamper_free(stamper);
    return status;
}

static inline void
room_add(struct site_room *room, const char *plate, const char *reader, int64_t before_us)
{
    struct pb_read read = room_read(room, plate, reader, before_us);

    room_expect(room, PB_OK, room_take(room, &read), reader);
}

/* ---- asking ---- */

/* What doe may ask: the last month, about a burglary. */
static inline struct pb_inquiry
room_inquiry(struct site_room *room, enum pb_inquiry_kind kind, const char *plate)
{
    struct pb_inquiry inquiry = {
        .person = pb_str_from("doe"),
        .purpose = pb_str_from("criminal-investigation"),
        .offence = pb_str_from("burglary"),
        .case_number = pb_str_from("26-00471"),
        .justification = pb_str_from("Burglary series on Elm Street, vehicle seen by a witness"),
        .relation = PB_RELATION_SUBJECT,
        .has_stepped_up = true,
        .client = pb_str_from("test"),
        .kind = kind,
        .query = { .plate = pb_str_from(plate),
                   .from_us = room->now_us - 30 * PB_DAY_US,
                   .to_us = room->now_us + PB_SECOND_US },
    };

    if (kind == PB_INQUIRY_PLACE || kind == PB_INQUIRY_COMMON) {
        room->places[0] = (struct pb_place){ .area = room->area,
                                             .area_text = pb_str_from("circle 38.5,-98 170 m") };
        room->places[1] = (struct pb_place){ .area = room->other_area,
                                             .area_text = pb_str_from("circle 38.6,-98 170 m") };
        inquiry.places = room->places;
        inquiry.place_count = kind == PB_INQUIRY_PLACE ? 1 : 2;
        inquiry.query.from_us = room->now_us - 10 * PB_DAY_US;
    } else {
        inquiry.query.jurisdiction = pb_jurisdiction_from_text(pb_str_from("US-KS"));
    }
    return inquiry;
}

static inline void
room_say_rules(const struct pb_answer *answer)
{
    const struct pb_decision *decision = pb_answer_decision(answer);

    for (uint32_t i = 0; i < decision->rule_count; i++)
        print_error("  rule %.*s: %s (%s)\n", (int)decision->rules[i].id.bytes,
                    decision->rules[i].id.text, pb_policy_verdict_name(decision->rules[i].verdict),
                    decision->rules[i].field);
}

/* Asks, and says which rules spoke where the verdict is another one. */
static inline const struct pb_answer *
room_ask_for(struct site_room *room, const struct pb_inquiry *inquiry,
             enum pb_policy_verdict verdict)
{
    pb_answer_free(room->answer);
    room->answer = NULL;
    room_expect(room, PB_OK, pb_inquiry_ask(room->site, inquiry, &room->answer, &room->error),
                "ask");
    if (pb_answer_decision(room->answer)->verdict != verdict) {
        room_say_rules(room->answer);
        fail_msg("the verdict is %s",
                 pb_policy_verdict_name(pb_answer_decision(room->answer)->verdict));
    }
    return room->answer;
}

static inline const struct pb_answer *
room_ask(struct site_room *room, const struct pb_inquiry *inquiry)
{
    return room_ask_for(room, inquiry, PB_POLICY_ALLOW);
}

/* Rows that an allowed inquiry gives. */
static inline uint64_t
room_rows(struct site_room *room, const struct pb_inquiry *inquiry)
{
    return pb_answer_rows(room_ask(room, inquiry));
}

static inline uint64_t
room_count_plate(struct site_room *room, const char *plate)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, plate);

    return room_rows(room, &inquiry);
}

/* ---- the log ---- */

struct room_found {
    uint64_t count;
    char leaf[PB_AUDIT_LEAF_BYTES_MAX + 1]; /* of the last one */
    char secrets[16384];                    /* of the last one: name=value lines */
    uint64_t index;
};

static inline bool
room_note_entry(void *context, const struct pb_audit_entry *entry)
{
    struct room_found *found = context;
    size_t used = 0;

    found->count++;
    found->index = entry->index;
    assert_true(entry->leaf.bytes <= PB_AUDIT_LEAF_BYTES_MAX);
    memcpy(found->leaf, entry->leaf.text, entry->leaf.bytes);
    found->leaf[entry->leaf.bytes] = '\0';
    found->secrets[0] = '\0';
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        int written = snprintf(found->secrets + used, sizeof(found->secrets) - used, "%s=%.*s\n",
                               entry->secrets[i].name, (int)entry->secrets[i].value.bytes,
                               entry->secrets[i].value.text);

        assert_true(written > 0 && used + (size_t)written < sizeof(found->secrets));
        used += (size_t)written;
    }
    return true;
}

/* Entries of one event; the last one is kept. */
static inline uint64_t
room_leaves(struct site_room *room, const char *log, const char *event, struct room_found *found)
{
    struct room_found unused;
    struct pb_audit_filter filter = { .log = log, .last = UINT64_MAX, .event = event };

    found = found == NULL ? &unused : found;
    memset(found, 0, sizeof(*found));
    room_expect(room, PB_OK,
                pb_audit_read(pb_site_audit(room->site), &filter, room_note_entry, found,
                              &room->error),
                "audit");
    return found->count;
}

static inline bool
room_file_holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    long size = 0;
    bool holds = false;

    assert_non_null(file);
    assert_int_equal(0, fseek(file, 0, SEEK_END));
    size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(size, fread(bytes, 1, (size_t)size, file));
    holds = memmem(bytes, (size_t)size, text, strlen(text)) != NULL;
    free(bytes);
    (void)fclose(file);
    return holds;
}

/* How many files under directory hold the text. */
static inline unsigned
room_files_with(const char *directory, const char *text)
{
    char *const paths[] = { (char *)(uintptr_t)directory, NULL };
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    unsigned count = 0;

    assert_non_null(walk);
    for (FTSENT *entry = fts_read(walk); entry != NULL; entry = fts_read(walk)) {
        if (entry->fts_info == FTS_F)
            count += room_file_holds(entry->fts_path, text);
    }
    (void)fts_close(walk);
    return count;
}

static inline void
assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

#endif
