/* View: everything that decisions look at, unchanging, and made anew only where that matters. */
#include "catalog/catalog_room.h"

#include <platebase/plate.h>

#include "base/arena.h"

static const struct pb_catalog_view *
taken(struct catalog_room *room)
{
    const struct pb_catalog_view *view = NULL;

    room_expect(room, PB_OK, pb_catalog_view_take(room->catalog, &view, &room->error), "view");
    return view;
}

static struct pb_str
text(const char *words)
{
    return pb_str_from(words);
}

#define assert_str(expected, str)                               \
    do {                                                        \
        assert_int_equal(strlen(expected), (str).bytes);        \
        assert_memory_equal(expected, (str).text, (str).bytes); \
    } while (0)

static uint16_t
state_number(const char *name)
{
    return pb_jurisdiction_from_text(text(name));
}

static void
an_empty_catalog_has_an_empty_view(void **state)
{
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view = taken(room);

    assert_int_equal(0, view->agency_count + view->person_count + view->reader_count +
                            view->origin_count + view->agreement_count + view->declaration_count +
                            view->offence_count + view->hold_count);
    assert_int_equal(PB_NO_INDEX, pb_view_agency(view, text("ks")));
    assert_int_equal(PB_NO_INDEX, pb_view_person(view, text("")));
    assert_int_equal(PB_NO_INDEX, pb_view_reader(view, text("cam-1")));
    assert_int_equal(PB_NO_INDEX, pb_view_reader(view, (struct pb_str){ NULL, 0 }));
    assert_int_equal(PB_NO_INDEX, pb_view_offence(view, text("x")));
    pb_catalog_view_drop(view);
    pb_catalog_view_drop(NULL);
}

static void
agencies_and_people_stand_by_id_with_their_facts(void **state)
{
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view;
    const struct pb_agency *ks, *fed;
    const struct pb_person *agent, *boss;

    room_furnish(room);
    view = taken(room);
    assert_int_equal(3, view->agency_count);
    assert_str("fed", view->agencies[0].id);
    assert_str("ks", view->agencies[1].id);
    assert_str("mo", view->agencies[2].id);
    ks = &view->agencies[pb_view_agency(view, text("ks"))];
    assert_str("Example County Sheriff", ks->name);
    assert_str("KS0000000", ks->ori);
    assert_int_equal(PB_AGENCY_LOCAL, ks->class);
    assert_int_equal(state_number("US-KS"), ks->jurisdiction);
    assert_true(ks->contributes && ks->is_active);
    assert_int_equal(180, ks->retention_days);
    assert_str("[0-9]{4}-[0-9]+", ks->case_pattern);
    assert_int_equal(2, ks->pack_count);
    assert_str("us-ks", ks->packs[0]);
    assert_str("pia-039", ks->packs[1]);
    assert_true(ks->reviewed_at_us == ROOM_NOW_US - 31 * INT64_C(86400000000));
    assert_true(ks->created_at_us == ROOM_NOW_US);
    fed = &view->agencies[0];
    assert_int_equal(PB_AGENCY_FEDERAL, fed->class);
    assert_int_equal(state_number("US"), fed->jurisdiction);
    assert_false(fed->contributes);
    assert_int_equal(-1, fed->retention_days);
    assert_int_equal(0, fed->pack_count);
    assert_true(fed->reviewed_at_us == 0);

    assert_int_equal(2, view->person_count);
    agent = &view->people[pb_view_person(view, text("fed.agent"))];
    assert_str("A. Example", agent->name);
    assert_int_equal(0, agent->agency);
    assert_int_equal(PB_PERSON_ACTIVE, agent->status);
    assert_str("investigator", agent->role);
    assert_true(agent->training_valid_until_us > ROOM_NOW_US);
    assert_int_equal(PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT | PB_MAY_PATTERN | PB_MAY_PLACE,
                     agent->permissions);
    boss = &view->people[pb_view_person(view, text("ks.boss"))];
    assert_int_equal(PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT | PB_MAY_APPROVE,
                     boss->permissions);
    assert_int_equal(PB_NO_INDEX, pb_view_person(view, text("fed.agen")));
    pb_catalog_view_drop(view);
}

static void
each_role_begins_with_what_it_needs_and_no_more(void **state)
{
    static const struct {
        const char *role;
        uint32_t permissions;
    } cases[] = {
        { "investigator", PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT },
        { "task-force-officer", PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT },
        { "analyst", PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT },
        { "assistant", PB_MAY_PLATE | PB_MAY_CORRECT },
        { "officer", PB_MAY_PLATE | PB_MAY_CORRECT },
        { "supervisor", PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT | PB_MAY_APPROVE },
        { "auditor", PB_MAY_AUDIT },
        { "administrator", PB_MAY_ADMINISTER },
        { "operator", PB_MAY_ADMINISTER | PB_MAY_OPERATE },
    };
    static const char *const words[] = { "plate",      "pattern",    "place",      "common",
                                         "associates", "export",     "correct",    "approve",
                                         "audit",      "administer", "break-glass",
                                         "operate" };
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view;

    room_furnish(room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        room_put(room, "person",
                 PAIRS("id", "p", "agency", "ks", "name", "n", "role", cases[i].role));
        view = taken(room);
        assert_int_equal(cases[i].permissions,
                         view->people[pb_view_person(view, text("p"))].permissions);
        pb_catalog_view_drop(view);
    }
    /* The word of each bit, granted to somebody who has none of them but one. */
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        room_put(room, "person", PAIRS("id", "p", "role", "auditor", "permissions", words[i]));
        view = taken(room);
        assert_int_equal(PB_MAY_AUDIT | 1u << i,
                         view->people[pb_view_person(view, text("p"))].permissions);
        pb_catalog_view_drop(view);
    }
}

static void
readers_know_their_owner_place_and_origin(void **state)
{
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view;
    const struct pb_reader_entry *reader;
    const struct pb_origin *origin;

    room_furnish(room);
    room_put(room, "reader",
             PAIRS("id", "cam-4", "agency", "ks", "capture_state", "US-KS", "kind", "trailer"));
    room_put(room, "reader", PAIRS("id", "cam-5", "agency", "ks", "capture_state", "US-MO"));
    view = taken(room);
    assert_int_equal(5, view->reader_count);
    assert_int_equal(4, view->origin_count);

    reader = &view->readers[pb_view_reader(view, text("cam-1"))];
    assert_str("cam-1", reader->id);
    assert_str("fixed", reader->kind);
    assert_str("America/Chicago", reader->time_zone);
    assert_int_equal(391000000, reader->lat_e7);
    assert_int_equal(-946000000, reader->lon_e7);
    assert_int_equal(state_number("US-KS"), reader->capture_state);
    assert_true(reader->is_active);
    assert_int_equal(reader->origin, view->readers[pb_view_reader(view, text("cam-4"))].origin);
    origin = &view->origins[reader->origin];
    assert_str("ks", view->agencies[origin->agency].id);
    assert_int_equal(state_number("US-KS"), origin->capture_state);
    assert_int_equal(2, origin->reader_count);

    reader = &view->readers[pb_view_reader(view, text("car 2"))];
    assert_true(reader->lat_e7 == PB_NO_POSITION && reader->lon_e7 == PB_NO_POSITION);
    assert_int_equal(0, reader->time_zone.bytes);
    assert_str("mobile", reader->kind);
    origin = &view->origins[reader->origin];
    assert_int_equal(0, origin->capture_state);
    assert_int_equal(1, origin->reader_count);

    reader = &view->readers[pb_view_reader(view, text("cam-3"))];
    assert_false(reader->is_active);
    assert_str("mo", view->agencies[view->origins[reader->origin].agency].id);
    assert_int_equal(PB_NO_INDEX, pb_view_reader(view, text("cam-")));
    pb_catalog_view_drop(view);
}

static void
the_rest_of_the_facts_are_there(void **state)
{
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view;
    const struct pb_agreement *agreement;
    const struct pb_declaration *declaration;
    const struct pb_hold *hold;

    room_furnish(room);
    room_put(room, "agreement",
             PAIRS("id", "a-2", "owner", "mo", "asker", "ks", "ends_at", "2026-06-01", "revoked",
                   "yes"));
    room_put(room, "hold",
             PAIRS("id", "h-2", "agency", "ks", "case", "ks:2026-1", "authority", "request",
                   "facts", "f", "from", "2025-01-01", "to", "2025-02-01", "expires_at",
                   "2026-02-01", "released", "yes"));
    view = taken(room);
    assert_int_equal(2, view->agreement_count);
    agreement = &view->agreements[0];
    assert_str("a-1", agreement->id);
    assert_str("ks", view->agencies[agreement->owner].id);
    assert_str("fed", view->agencies[agreement->asker].id);
    assert_int_equal(2, agreement->purpose_count);
    assert_str("criminal", agreement->purposes[0]);
    assert_int_equal(2, agreement->reader_count);
    assert_str("cam-1", view->readers[agreement->readers[0]].id);
    assert_str("car 2", view->readers[agreement->readers[1]].id);
    assert_true(agreement->starts_at_us == ROOM_NOW_US);
    assert_false(agreement->is_revoked);
    agreement = &view->agreements[1];
    assert_int_equal(0, agreement->purpose_count + agreement->reader_count);
    assert_true(agreement->is_revoked);

    declaration = &view->declarations[0];
    assert_str("d-1", declaration->id);
    assert_str("no-immigration", declaration->subject);
    assert_str("Chief Example", declaration->signer);
    assert_int_equal(state_number("US-IL"), declaration->jurisdiction);
    assert_str("fed", view->agencies[declaration->agency].id);
    assert_int_equal(0x00, declaration->text_sha256[0]);
    assert_int_equal(0x11, declaration->text_sha256[1]);
    assert_int_equal(0xff, declaration->text_sha256[31]);
    assert_true(declaration->signed_at_us == ROOM_NOW_US);
    assert_true(declaration->expires_at_us > ROOM_NOW_US);

    assert_int_equal(2, view->offence_count);
    assert_int_equal(-1, view->offences[pb_view_offence(view, text("ks-5402"))].limitation_years);
    assert_int_equal(5, view->offences[pb_view_offence(view, text("ks-5801"))].limitation_years);
    assert_str("felony", view->offences[0].class);
    assert_str("Murder", view->offences[0].title);
    assert_int_equal(state_number("US-KS"), view->offences[0].jurisdiction);

    hold = &view->holds[0];
    assert_str("h-1", hold->id);
    assert_str("2026-1", hold->case_number);
    assert_str("AB12C", hold->plate);
    assert_str("ks", view->agencies[hold->agency].id);
    assert_str("mo", view->agencies[hold->owner].id);
    assert_int_equal(1, hold->reader_count);
    assert_str("cam-3", view->readers[hold->readers[0]].id);
    assert_true(hold->from_us < hold->to_us && hold->to_us < hold->expires_at_us);
    assert_false(hold->is_released);
    hold = &view->holds[1];
    assert_int_equal(PB_NO_INDEX, hold->owner);
    assert_int_equal(0, hold->plate.bytes + hold->reader_count);
    assert_true(hold->is_released);
    pb_catalog_view_drop(view);
}

static void
a_view_never_changes_and_outlives_the_catalog(void **state)
{
    struct catalog_room *room = *state;
    const struct pb_catalog_view *before, *after;

    room_furnish(room);
    before = taken(room);
    room_put(room, "agency", PAIRS("id", "ks", "name", "Renamed"));
    after = taken(room);
    assert_ptr_not_equal(before, after);
    assert_true(after->version > before->version);
    assert_str("Example County Sheriff", before->agencies[1].name);
    assert_str("Renamed", after->agencies[1].name);
    pb_catalog_view_drop(after);
    room_close(room);
    assert_str("Example County Sheriff", before->agencies[1].name);
    assert_int_equal(1, pb_view_agency(before, text("ks")));
    pb_catalog_view_drop(before);
}

/* What each change does to the view: a new one, or the one that everybody holds. */
static void
a_view_is_made_anew_only_by_what_it_shows(void **state)
{
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view, *next;
    struct {
        const char *entity;
        const char *const *pairs;
        bool is_new;
    } steps[] = {
        { "case", PAIRS("id", "ks:2026-1", "status", "closed"), false },
        { "case", PAIRS("id", "ks:2026-2"), false },
        { "reader", PAIRS("id", "cam-1", "heartbeat_at", "2026-02-01"), false },
        { "reader", PAIRS("id", "cam-1", "heartbeat_at", "2026-02-02", "status", "closed"), true },
        { "reader", PAIRS("id", "cam-9", "agency", "ks"), true },
        { "agency", PAIRS("id", "ks", "name", "Example County Sheriff"), false }, /* as it was */
        { "agency", PAIRS("id", "ks", "reviewed_at", "2026-01-01"), true },
        { "person", PAIRS("id", "fed.agent", "status", "suspended"), true },
    };

    room_furnish(room);
    view = taken(room);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        room_put(room, steps[i].entity, steps[i].pairs);
        next = taken(room);
        if ((next != view) != steps[i].is_new)
            fail_msg("step %zu", i);
        pb_catalog_view_drop(view);
        view = next;
    }
    room_expect(room, PB_OK,
                pb_catalog_note_put(room->catalog, "approval", "k", text("v"), &room->error),
                "note");
    next = taken(room);
    assert_ptr_equal(view, next);
    pb_catalog_view_drop(next);
    room_expect(room, PB_OK,
                pb_catalog_remove(room->catalog, pb_catalog_entity("hold"), "h-1", &room->error),
                "remove");
    next = taken(room);
    assert_ptr_not_equal(view, next);
    assert_int_equal(0, next->hold_count);
    pb_catalog_view_drop(next);
    pb_catalog_view_drop(view);
}

static void
another_connection_s_changes_are_seen_at_once(void **state)
{
    struct catalog_room *room = *state;
    struct catalog_room other = *room;
    const struct pb_catalog_view *view, *next;

    room_furnish(room);
    other.catalog = NULL;
    other.env = pb_env_system();
    room_open(&other);
    view = taken(room);
    next = taken(room);
    assert_ptr_equal(view, next);
    pb_catalog_view_drop(next);
    for (unsigned i = 0; i < 3; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "new-%u", i);
        room_put(&other, "reader", PAIRS("id", id, "agency", "ks"));
        next = taken(room);
        assert_int_equal(view->reader_count + 1, next->reader_count);
        assert_int_not_equal(PB_NO_INDEX, pb_view_reader(next, text(id)));
        pb_catalog_view_drop(view);
        view = next;
        room_put(room, "person", PAIRS("id", "ks.boss", "name", id));
        next = taken(&other);
        assert_true(
            pb_str_equal(text(id), next->people[pb_view_person(next, text("ks.boss"))].name));
        pb_catalog_view_drop(next);
        next = taken(room);
        pb_catalog_view_drop(view);
        view = next;
    }
    pb_catalog_view_drop(view);
    room_close(&other);
}

static void
many_readers_of_many_agencies_are_all_found(void **state)
{
    enum { AGENCIES = 40, READERS = 3000 };
    static const char *const states[] = { "US-KS", "US-MO", "US-CA", "CA-ON", "" };
    struct catalog_room *room = *state;
    const struct pb_catalog_view *view;
    char *yaml = malloc(1 << 20);
    struct pb_catalog_changes changes;
    uint32_t readers = 0;
    size_t at = 0;

    assert_non_null(yaml);
    at += (size_t)snprintf(yaml + at, 100, "agencies:\n");
    for (unsigned i = 0; i < AGENCIES; i++)
        at += (size_t)snprintf(yaml + at, 200,
                               "  - {id: a%u, name: n, class: local, jurisdiction: US-KS, "
                               "contributes: yes}\n",
                               i);
    at += (size_t)snprintf(yaml + at, 100, "readers:\n");
    for (unsigned i = 0; i < READERS; i++)
        at += (size_t)snprintf(yaml + at, 200, "  - {id: r%u, agency: a%u, capture_state: %s}\n", i,
                               i * 7 % AGENCIES, states[i % 5]);
    room_expect(room, PB_OK, pb_catalog_from_yaml(room->catalog, yaml, at, &changes, &room->error),
                "import");
    free(yaml);
    assert_int_equal(AGENCIES + READERS, changes.added);

    view = taken(room);
    assert_int_equal(READERS, view->reader_count);
    for (unsigned i = 0; i < READERS; i++) {
        const struct pb_reader_entry *reader;
        char id[16], agency[16];
        uint32_t index;

        (void)snprintf(id, sizeof(id), "r%u", i);
        (void)snprintf(agency, sizeof(agency), "a%u", i * 7 % AGENCIES);
        index = pb_view_reader(view, text(id));
        assert_in_range(index, 0, READERS - 1);
        reader = &view->readers[index];
        assert_str(id, reader->id);
        assert_str(agency, view->agencies[reader->agency].id);
        assert_int_equal(reader->agency, view->origins[reader->origin].agency);
        assert_int_equal(state_number(states[i % 5]), reader->capture_state);
        assert_int_equal(reader->capture_state, view->origins[reader->origin].capture_state);
    }
    for (uint32_t i = 0; i < view->origin_count; i++)
        readers += view->origins[i].reader_count;
    assert_int_equal(READERS, readers);
    pb_catalog_view_drop(view);
}

static void
cases_are_looked_up_by_agency_and_number(void **state)
{
    static const struct {
        const char *agency, *number;
        enum pb_status status;
    } misses[] = {
        { "ks", "2026-2", PB_NOT_FOUND },
        { "mo", "2026-1", PB_NOT_FOUND },
        { "ks", "", PB_NOT_FOUND },
        { "", "ks:2026-1", PB_NOT_FOUND },
        { "k", "s:2026-1", PB_NOT_FOUND },
        { "ks", "2026-1' OR '1'='1", PB_NOT_FOUND },
        { "ks", "%", PB_NOT_FOUND },
        { "ks", "0123456789012345678901234567890123456789012345678901234567890123456789",
          PB_NOT_FOUND },
    };
    struct catalog_room *room = *state;
    struct pb_case found = { .is_open = false };
    struct pb_arena arena;

    room_furnish(room);
    room_put(room, "case", PAIRS("id", "mo:7/8 B", "status", "closed", "opened_at", "2020-01-01"));
    pb_arena_init(&arena, room->env, 512);
    assert_int_equal(PB_OK, pb_catalog_case(room->catalog, text("ks"), text("2026-1"), &arena,
                                            &found, NULL));
    assert_str("2026-1", found.number);
    assert_str("ks-5801", found.offence);
    assert_true(found.is_open && found.is_verified);
    assert_true(found.opened_at_us == ROOM_NOW_US);
    assert_int_equal(PB_OK, pb_catalog_case(room->catalog, text("mo"), text("7/8 B"), &arena,
                                            &found, NULL));
    assert_str("7/8 B", found.number);
    assert_int_equal(0, found.offence.bytes);
    assert_false(found.is_open || found.is_verified);
    for (size_t i = 0; i < sizeof(misses) / sizeof(misses[0]); i++)
        assert_int_equal(misses[i].status,
                         pb_catalog_case(room->catalog, text(misses[i].agency),
                                         text(misses[i].number), &arena, &found, NULL));
    pb_arena_clear(&arena);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_empty_catalog_has_an_empty_view),
        CASE(agencies_and_people_stand_by_id_with_their_facts),
        CASE(each_role_begins_with_what_it_needs_and_no_more),
        CASE(readers_know_their_owner_place_and_origin),
        CASE(the_rest_of_the_facts_are_there),
        CASE(a_view_never_changes_and_outlives_the_catalog),
        CASE(a_view_is_made_anew_only_by_what_it_shows),
        CASE(another_connection_s_changes_are_seen_at_once),
        CASE(many_readers_of_many_agencies_are_all_found),
        CASE(cases_are_looked_up_by_agency_and_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
