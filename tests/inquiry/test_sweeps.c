/*
 * Sweeps: every operation of a site with each of its allocations failing in turn, and those that
 * write files with each of their file calls failing in turn. What fails says so, leaves nothing
 * behind, and can be done again.
 */
#include "audit/note.h"
#include "inquiry/site_room.h"

typedef enum pb_status operation_fn(struct site_room *room);

static struct pb_actor operator;
static char held_token[1024];
static unsigned backup_count;

/* ---- operations ---- */

static bool
skip_entry(void *context, const struct pb_audit_entry *entry)
{
    (void)entry;
    ++*(unsigned *)context;
    return true;
}

static bool
skip_item(void *context, const struct pb_review_item *item)
{
    (void)item;
    ++*(unsigned *)context;
    return true;
}

static bool
skip_notice(void *context, const char *key, struct pb_str value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)context;
    return true;
}

static enum pb_status
explain(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    struct pb_decision decision;
    struct pb_arena arena;
    enum pb_status status = PB_OK;

    pb_arena_init(&arena, pb_env_system(), 1024);
    status = pb_inquiry_explain(room->site, &inquiry, &arena, &decision, &room->error);
    pb_arena_clear(&arena);
    return status;
}

static enum pb_status
ask_on_broken_glass(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    struct pb_answer *answer = NULL;
    enum pb_status status = PB_OK;

    inquiry.is_break_glass = true;
    inquiry.purpose = pb_str_from("emergency");
    inquiry.offence = (struct pb_str){ 0 };
    inquiry.justification = pb_str_from("Child taken from a playground, silver van leaving north");
    inquiry.is_export = true;
    inquiry.export_recipient = pb_str_from("kansas-pd");
    inquiry.export_format = pb_str_from("csv");
    inquiry.query.make = pb_str_from("");
    inquiry.query.reader = pb_str_from("r1");
    status = pb_inquiry_ask(room->site, &inquiry, &answer, &room->error);
    if (status == PB_OK && pb_answer_rows(answer) != 1)
        status = PB_CONFLICT;
    pb_answer_free(answer);
    return status;
}

static enum pb_status
ask_to_be_held(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    struct pb_answer *answer = NULL;
    enum pb_status status = PB_OK;

    inquiry.relation = PB_RELATION_ASSOCIATE;
    status = pb_inquiry_ask(room->site, &inquiry, &answer, &room->error);
    if (status == PB_OK)
        (void)snprintf(held_token, sizeof(held_token), "%s", pb_answer_token(answer));
    pb_answer_free(answer);
    return status;
}

static enum pb_status
look_at_pending(struct site_room *room)
{
    unsigned count = 0;

    return pb_review_pending(room->site, pb_str_from("sup"), pb_str_from(held_token), skip_entry,
                             &count, &room->error);
}

static enum pb_status
approve(struct site_room *room)
{
    return pb_inquiry_approve(room->site, pb_str_from("sup"), pb_str_from(held_token), true,
                              pb_str_from("Seen the case file"), &room->error);
}

static enum pb_status
use_approval(struct site_room *room)
{
    struct pb_inquiry inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    struct pb_answer *answer = NULL;
    enum pb_status status = PB_OK;

    inquiry.relation = PB_RELATION_ASSOCIATE;
    inquiry.approval = pb_str_from(held_token);
    status = pb_inquiry_ask(room->site, &inquiry, &answer, &room->error);
    /* What failed after the approval was used needs another one. */
    if (status == PB_OK && pb_answer_decision(answer)->verdict != PB_POLICY_ALLOW &&
        pb_answer_decision(answer)->verdict != PB_POLICY_NEEDS_SECOND_PERSON)
        status = PB_CONFLICT;
    pb_answer_free(answer);
    return status;
}

static enum pb_status
review(struct site_room *room)
{
    struct pb_review_filter filter = { .event = "query", .plate = pb_str_from("KSA123") };
    unsigned count = 0;

    return pb_review_read(room->site, pb_str_from("aud"), &filter, skip_entry, &count,
                          &room->error);
}

static enum pb_status
prove(struct site_room *room)
{
    char *proof = NULL;
    enum pb_status status =
        pb_review_prove(room->site, pb_str_from("aud"), 0, true, &proof, &room->error);

    pb_free(room->env, proof);
    return status;
}

static enum pb_status
sample(struct site_room *room)
{
    uint32_t count = 0;

    return pb_review_sample(room->site, pb_str_from("aud"), 0, room->now_us + 1, 3, &count,
                            &room->error);
}

static enum pb_status
detect(struct site_room *room)
{
    uint32_t count = 0;

    return pb_review_detect(room->site, pb_str_from("aud"), 0, room->now_us + 1, NULL, NULL, NULL,
                            &count, &room->error);
}

static enum pb_status
list(struct site_room *room)
{
    unsigned count = 0;
    enum pb_status status =
        pb_review_items(room->site, pb_str_from("aud"), true, skip_item, &count, &room->error);

    if (status == PB_OK)
        status =
            pb_review_notices(room->site, pb_str_from("aud"), skip_notice, &count, &room->error);
    return status == PB_OK ? pb_review_disclosures(room->site, pb_str_from("aud"), skip_notice,
                                                   &count, &room->error)
                           : status;
}

static enum pb_status
correct(struct site_room *room)
{
    struct pb_correction correction = {
        .person = pb_str_from("doe"),
        .why = pb_str_from("The picture shows a B, not an 8"),
        .reader = pb_str_from("r1"),
        .wrong_plate = pb_str_from("KS8123"),
        .captured_at_us = room->now_us - PB_HOUR_US,
        .plate = pb_str_from("KSB123"),
    };

    return pb_inquiry_correct(room->site, &correction, &room->error);
}

/* California's read, which Kansas may not have. */
static enum pb_status
be_refused_a_correction(struct site_room *room)
{
    struct pb_correction correction = {
        .person = pb_str_from("doe"),
        .why = pb_str_from("The picture shows a B, not an 8"),
        .reader = pb_str_from("c1"),
        .wrong_plate = pb_str_from("KS8123"),
        .captured_at_us = room->now_us - PB_HOUR_US,
    };
    enum pb_status status = pb_inquiry_correct(room->site, &correction, &room->error);

    return status == PB_DENIED ? PB_OK : status;
}

static enum pb_status
put_case(struct site_room *room)
{
    const struct pb_entity *entity = pb_catalog_entity("case");
    struct pb_record record = { .entity = entity, .values = { "kansas-pd:26-01234" } };

    return pb_site_put(room->site, &operator, & record, PB_PUT_ANY, &room->error);
}

static enum pb_status
put_agency(struct site_room *room)
{
    static const char yaml[] = "agencies:\n  - { id: lake-pd, name: Example Lake Police, class:"
                               " local, jurisdiction: US-KS, contributes: yes }\n";
    struct pb_catalog_changes changes;

    return pb_site_import_yaml(room->site, &operator, yaml, strlen(yaml), &changes, &room->error);
}

static enum pb_status
put_pack(struct site_room *room)
{
    static const char pack[] =
        "pack: us-ks\nversion: 1\ntitle: Example Kansas rule\nvalid_from: 2020-01-01\n"
        "binds: capture_state\njurisdiction: US-KS\nrules:\n"
        "  - { id: us-ks.retention, text: Ten days., source: Example, verified: true,"
        " kind: retention, keep: 10 days }\n";

    return pb_site_put_pack(room->site, &operator, "us-ks.yaml", pack, strlen(pack), &room->error);
}

static enum pb_status
stamp(struct site_room *room)
{
    struct pb_stamper *stamper = NULL;
    struct pb_read read =
        room_read(room, "KSA123", "a-reader-with-a-name-of-forty-characters", PB_HOUR_US);
    const char *reason = NULL;
    enum pb_status status = pb_stamper_new(room->site, "kansas-pd", 0, &stamper, &room->error);

    for (unsigned i = 0; i < 700 && status == PB_OK; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "reader %u", i);
        if (i > 0)
            read.reader = pb_str_from(name);
        status = pb_stamper_stamp(stamper, &read, &reason, &room->error);
    }
    if (status == PB_OK)
        status = pb_stamper_flush(stamper, &room->error);
    pb_stamper_free(stamper);
    return status;
}

static enum pb_status
purge(struct site_room *room)
{
    struct pb_purge_counts counts;

    return pb_site_purge(room->site, &operator, NULL, NULL, NULL, &counts, &room->error);
}

static enum pb_status
back_up(struct site_room *room)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/backup-%u", room->directory, backup_count++);
    return pb_site_backup(room->site, path, NULL, &room->error);
}

/* In an order in which each finds what it needs. */
static enum pb_status
ask_kind(struct site_room *room, enum pb_inquiry_kind kind, const char *plate, bool counts_plates)
{
    struct pb_inquiry inquiry = room_inquiry(room, kind, plate);
    struct pb_answer *answer = NULL;
    enum pb_status status;

    inquiry.counts_plates = counts_plates;
    inquiry.rows_wanted = 1;
    inquiry.together_min = 1;
    status = pb_inquiry_ask(room->site, &inquiry, &answer, &room->error);
    pb_answer_free(answer);
    return status;
}

static enum pb_status
ask_pattern(struct site_room *room)
{
    return ask_kind(room, PB_INQUIRY_PATTERN, "KSA1?3", false);
}

static enum pb_status
ask_counts(struct site_room *room)
{
    return ask_kind(room, PB_INQUIRY_PATTERN, "KSA1?3", true);
}

static enum pb_status
ask_place(struct site_room *room)
{
    return ask_kind(room, PB_INQUIRY_PLACE, "", false);
}

static enum pb_status
ask_common(struct site_room *room)
{
    return ask_kind(room, PB_INQUIRY_COMMON, "", false);
}

static enum pb_status
ask_associates(struct site_room *room)
{
    return ask_kind(room, PB_INQUIRY_ASSOCIATES, "KSA123", false);
}

/* A policy of which nobody has to sign, and nobody can be asked; then none. */
static enum pb_status
put_witnesses(struct site_room *room)
{
    uint8_t public_key[32] = { 7 };
    char vkey[PB_VKEY_BYTES_MAX], text[PB_VKEY_BYTES_MAX + 64];
    struct pb_vkey key;
    enum pb_status status;

    pb_vkey_make(pb_str_from("w.example"), PB_KEY_COSIGNATURE, public_key, &key);
    pb_vkey_format(&key, vkey);
    (void)snprintf(text, sizeof(text), "witness w %s\nquorum none\n", vkey);
    status = pb_site_put_witnesses(room->site, pb_str_from(text), &room->error);
    if (status == PB_OK)
        status = pb_site_put_witnesses(room->site, pb_str_from(""), &room->error);
    return status;
}

static enum pb_status
put_copies(struct site_room *room)
{
    enum pb_status status = pb_site_put_copies(room->site, room->directory, &room->error);

    if (status == PB_OK)
        status = pb_site_put_copies(room->site, NULL, &room->error);
    return status;
}

/* Of a plate that no other operation asks for. */
static enum pb_status
erase(struct site_room *room)
{
    const struct pb_erasure erasure = { .plate = pb_str_from("KSZ999"),
                                        .from_us = 0,
                                        .to_us = room->now_us };

    return pb_site_erase(room->site, &operator, pb_str_from("court order 17"), &erasure,
                         &room->error);
}

/* A read of a place that then turns out to be a school. */
static enum pb_status
bring_out(struct site_room *room)
{
    static const char *const zones[] = { "", "school:48.5:-98.0:100" };
    struct pb_purge_counts counts;
    struct pb_read read = room_read(room, "KSZ777", "k1", PB_HOUR_US);
    enum pb_status status = PB_OK;
    enum pb_status answer = PB_OK;

    read.lat_e7 += 100000000;
    for (size_t i = 0; i < 2 && status == PB_OK; i++) {
        struct pb_catalog_changes changes;
        char yaml[300];

        (void)snprintf(yaml, sizeof(yaml),
                       "agencies:\n  - { id: kansas-pd, name: Example Kansas Police, class: local,"
                       " jurisdiction: US-KS, contributes: yes, reviewed_at: 2026-05-15,"
                       " zones: \"%s\" }\n",
                       zones[i]);
        status =
            pb_site_import_yaml(room->site, &operator, yaml, strlen(yaml), &changes, &room->error);
        if (status == PB_OK && i == 0)
            status = pb_store_append(pb_site_store(room->site), &read, 1, &answer, &room->error);
    }
    return status == PB_OK
               ? pb_site_purge(room->site, &operator, NULL, NULL, NULL, &counts, &room->error)
               : status;
}

/* Of a month that was over long ago. */
static enum pb_status
destroy(struct site_room *room)
{
    char path[sizeof(room->path) + 32];
    FILE *key = NULL;
    uint64_t terms = 0;

    (void)snprintf(path, sizeof(path), "%s/keys/terms/1971-03", room->path);
    key = fopen(path, "w");
    assert_non_null(key);
    assert_int_equal(0, fclose(key));
    return pb_site_destroy_expired(room->site, &terms, &room->error);
}

static const struct {
    const char *name;
    operation_fn *run;
    bool writes_files; /* of its own, beside the log's */
} operations[] = {
    { "explain", explain, false },
    { "break glass and export", ask_on_broken_glass, false },
    { "be held", ask_to_be_held, false },
    { "look at what is pending", look_at_pending, false },
    { "approve", approve, false },
    { "use the approval", use_approval, false },
    { "review", review, false },
    { "prove", prove, false },
    { "sample", sample, false },
    { "detect", detect, false },
    { "list", list, false },
    { "correct", correct, false },
    { "be refused a correction", be_refused_a_correction, false },
    { "put a case", put_case, false },
    { "import an agency", put_agency, false },
    { "stamp", stamp, false },
    { "ask for a pattern", ask_pattern, false },
    { "count plates", ask_counts, false },
    { "ask for a place", ask_place, false },
    { "ask for common plates", ask_common, false },
    { "ask who travels with whom", ask_associates, false },
    { "put witnesses", put_witnesses, true },
    { "put copies", put_copies, true },
    { "put a pack", put_pack, true },
    { "purge", purge, true },
    { "bring out reads of a zone", bring_out, true },
    { "erase", erase, true },
    { "destroy keys", destroy, true },
    { "back up", back_up, true },
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void
room_init_filled(struct site_room *room)
{
    static const char law[] =
        "pack: us-ks-zones\nversion: 1\ntitle: \"Kansas, as the tests have it\"\n"
        "valid_from: 2026-01-01\nbinds: capture_state\njurisdiction: US-KS\nrules:\n"
        "  - { id: us-ks-zones.zones, text: Nobody captures at schools., source: none,\n"
        "      verified: no, kind: no_capture_zone, places: [school] }\n";

    room_init(room);
    room_expect(room, PB_OK,
                pb_site_put_pack(room->site, &operator, "us-ks-zones.yaml", law, strlen(law),
                                 &room->error),
                "pack");
    room_add(room, "KSA123", "k1", PB_DAY_US);
    room_add(room, "KSA123", "r1", PB_HOUR_US);
    room_add(room, "KS8123", "r1", PB_HOUR_US);
    room_add(room, "KSA123", "m1", 20 * PB_DAY_US);
}

/* By night each of them fails; by day the first ones, then one in some. */
static uint64_t
stride(uint64_t n, uint64_t first, uint64_t step)
{
    return n < first || getenv("PB_NIGHT") != NULL ? 1 : step;
}

/* ---- memory ---- */

static void
sweep_allocations(struct site_room *room, size_t operation)
{
    uint64_t failures = 0;
    uint64_t injected = 1;

    for (uint64_t n = 1; injected > 0; n += stride(n, 150, 41)) {
        enum pb_status status = PB_OK;

        assert_true(n < 100000);
        room->fault.failure_count = 0;
        room->fault.allocation_count = 0;
        room->fault.fail_allocation_at = n;
        status = operations[operation].run(room);
        room->fault.fail_allocation_at = 0;
        injected = room->fault.failure_count;
        failures += status == PB_E_NOMEM;
        /* What had been done before it failed need not be there to be done again. */
        if (status != PB_OK && status != PB_E_NOMEM &&
            !(n > 1 && (status == PB_BAD_INPUT || status == PB_NOT_FOUND)))
            fail_msg("%s, allocation %llu: %s: %s", operations[operation].name,
                     (unsigned long long)n, pb_status_name(status), room->error.message);
        if (status != PB_OK && status != PB_E_NOMEM)
            break;
    }
    if (failures == 0)
        fail_msg("%s: no allocation failed", operations[operation].name);
}

static void
each_operation_survives_each_failing_allocation(void **state)
{
    struct site_room room;

    (void)state;
    room_init_filled(&room);
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (operations[i].run == purge)
            room.now_us += 2 * PB_DAY_US; /* Maine's read is over */
        sweep_allocations(&room, i);
    }
    assert_true(room_count_plate(&room, "KSA123") > 0);
    room_reopen(&room);
    assert_true(room_count_plate(&room, "KSA123") > 0);
    room_done(&room);
}

/* ---- files ---- */

/* Each file call fails once; what was poisoned by it is opened again. */
static void
sweep_files(size_t operation)
{
    unsigned failures = 0;
    uint64_t injected = 1;
    struct site_room room;

    room_init_filled(&room);
    room.now_us += 2 * PB_DAY_US;
    for (uint64_t n = 1; injected > 0; n += stride(n, 8, 5)) {
        enum pb_status status = PB_OK;

        assert_true(n < 1000);
        room.fault.failure_count = 0;
        room.fault.fail_file_mask = FAULT_ANY;
        room.fault.file_call_count = 0;
        room.fault.fail_file_call_at = n;
        status = operations[operation].run(&room);
        room.fault.fail_file_call_at = 0;
        injected = room.fault.failure_count;
        failures += status != PB_OK;
        if (status > 0)
            fail_msg("%s, file call %llu: %s: %s", operations[operation].name,
                     (unsigned long long)n, pb_status_name(status), room.error.message);
        if (status == PB_OK)
            continue;
        status = pb_site_close(room.site, NULL);
        (void)status;
        room.site = NULL;
        room_open_as(&room, PB_SITE_WRITE);
    }
    assert_true(failures > 2);
    assert_true(room_count_plate(&room, "KSA123") > 0);
    room_done(&room);
}

static void
what_writes_files_survives_each_failing_file_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (operations[i].writes_files)
            sweep_files(i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_survives_each_failing_allocation),
        cmocka_unit_test(what_writes_files_survives_each_failing_file_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
