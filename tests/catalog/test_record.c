/* Records: what is taken and given back, what is refused and why, what may be removed. */
#include "catalog/catalog_room.h"

static void
every_entity_keeps_what_it_is_given(void **state)
{
    struct catalog_room *room = *state;

    room_furnish(room);
    room_expect_field(room, "agency", "ks", "packs", "us-ks,pia-039");
    room_expect_field(room, "agency", "ks", "retention_days", "180");
    room_expect_field(room, "agency", "ks", "reviewed_at", "2025-12-01T00:00:00.000Z");
    room_expect_field(room, "agency", "ks", "created_at", "2026-01-01T00:00:00.000Z");
    room_expect_field(room, "agency", "mo", "retention_days", NULL);
    room_expect_field(room, "agency", "mo", "status", "active");
    room_expect_field(room, "agency", "fed", "contributes", "no");
    room_expect_field(room, "person", "fed.agent", "training_valid_until",
                      "2026-06-30T17:00:00.000Z");
    room_expect_field(room, "person", "fed.agent", "permissions", "pattern,place");
    room_expect_field(room, "reader", "cam-1", "lat", "39.1");
    room_expect_field(room, "reader", "cam-1", "lon", "-94.6");
    room_expect_field(room, "reader", "car 2", "lat", NULL);
    room_expect_field(room, "reader", "car 2", "kind", "mobile");
    room_expect_field(room, "offence", "ks-5402", "limitation_years", "none");
    room_expect_field(room, "case", "ks:2026-1", "agency", "ks");
    room_expect_field(room, "case", "ks:2026-1", "status", "open");
    room_expect_field(room, "agreement", "a-1", "readers", "cam-1,car 2");
    room_expect_field(room, "declaration", "d-1", "text_sha256", ROOM_HASH);
    room_expect_field(room, "hold", "h-1", "plate", "AB12C");
    room_expect_field(room, "hold", "h-1", "released", "no");

    room_close(room);
    room_open(room);
    room_expect_field(room, "hold", "h-1", "case", "ks:2026-1");
}

static void
values_are_kept_in_one_form(void **state)
{
    static const struct {
        const char *entity, *id, *field, *given, *kept;
    } cases[] = {
        { "agency", "ks", "name", "  Example \t", "Example" },
        { "agency", "ks", "name", "O'Hara; DROP TABLE agency; --",
          "O'Hara; DROP TABLE agency; --" },
        { "agency", "ks", "name", "%s%n$1?1:id@id", "%s%n$1?1:id@id" },
        { "agency", "ks", "name", "\"quoted\" \\ back", "\"quoted\" \\ back" },
        { "agency", "ks", "name", "=cmd|'/C calc'!A0", "=cmd|'/C calc'!A0" },
        { "agency", "ks", "name", "\xD9\x85\xE2\x80\x8F\xD8\xB1", "\xD9\x85\xE2\x80\x8F\xD8\xB1" },
        { "agency", "ks", "name", "\xF0\x9F\x9A\x97", "\xF0\x9F\x9A\x97" },
        { "agency", "ks", "jurisdiction", "us_mo", "US-MO" },
        { "agency", "ks", "jurisdiction", "US", "US" },
        { "agency", "ks", "packs", "a,  b ,c", "a,b,c" },
        { "agency", "ks", "packs", "", NULL },
        { "agency", "ks", "retention_days", "0001", "1" },
        { "agency", "ks", "retention_days", "36500", "36500" },
        { "agency", "ks", "retention_days", " ", NULL },
        { "agency", "ks", "reviewed_at", "now", "2026-01-01T00:00:00.000Z" },
        { "agency", "ks", "reviewed_at", "1767225600", "2026-01-01T00:00:00.000Z" },
        { "agency", "ks", "status", "", "active" },
        { "agency", "ks", "case_pattern", "^(?:A|B)\\d{2,4}$", "^(?:A|B)\\d{2,4}$" },
        { "agency", "ks", "zones", "school:38.5:-98.0:150, food-bank:-90:180:5000",
          "school:38.5:-98.0:150,food-bank:-90:180:5000" },
        { "person", "ks.boss", "permissions", "break-glass , plate", "break-glass,plate" },
        { "person", "ks.boss", "consent_sha256",
          "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF", ROOM_HASH },
        { "reader", "cam-1", "lat", "-90", "-90" },
        { "reader", "cam-1", "lat", "90.0000000", "90" },
        { "reader", "cam-1", "lat", "0.00000019", "0.0000001" },
        { "reader", "cam-1", "lon", "-180", "-180" },
        { "reader", "cam-1", "lon", "-0.5", "-0.5" },
        { "case", "ks:2026-1", "verified", "true", "yes" },
        { "case", "ks:2026-1", "verified", "false", "no" },
        { "offence", "ks-5801", "limitation_years", "0", "0" },
        { "offence", "ks-5801", "limitation_years", "99", "99" },
        { "hold", "h-1", "plate", "a-b 1", "AB1" },
    };
    struct catalog_room *room = *state;

    room_furnish(room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        room_expect(room, PB_OK,
                    room_try(room, PB_PUT_CHANGE, cases[i].entity,
                             PAIRS("id", cases[i].id, cases[i].field, cases[i].given)),
                    cases[i].given);
        room_expect_field(room, cases[i].entity, cases[i].id, cases[i].field, cases[i].kept);
    }
    assert_int_equal(3, room_count(room, "agency"));
}

static void
what_is_wrong_is_refused_with_entity_id_and_field(void **state)
{
    static const struct {
        const char *entity, *id, *field, *given;
        const char *message; /* begins so */
    } cases[] = {
        { "agency", "ks", "name", "", "agency ks: name: must be given" },
        { "agency", "ks", "name", "a\x1b[2Jb", "agency ks: name: must be UTF-8 without control" },
        { "agency", "ks", "name", "a\nb", "agency ks: name: must be UTF-8 without control" },
        { "agency", "ks", "name", "a\xC2\x85", "agency ks: name: must be UTF-8 without control" },
        { "agency", "ks", "name", "\xFF", "agency ks: name: must be UTF-8" },
        { "agency", "ks", "name", "x\xE2\x80\xAEgnp.exe", "agency ks: name: must be UTF-8" },
        { "agency", "ks", "name", "x\xE2\x81\xA6y", "agency ks: name: must be UTF-8" },
        { "agency", "ks", "name", "x\xEF\xBB\xBFy", "agency ks: name: must be UTF-8" },
        { "agency", "ks", "name", "x\xEF\xB7\x90y", "agency ks: name: must be UTF-8" },
        { "agency", "ks", "name", "x\xEF\xBF\xBEy", "agency ks: name: must be UTF-8" },
        { "agency", "ks", "class", "city", "agency ks: class: must be one of local, state, fed" },
        { "agency", "ks", "class", "Local", "agency ks: class: must be one of" },
        { "agency", "ks", "jurisdiction", "Kansas", "agency ks: jurisdiction: must be a state" },
        { "agency", "ks", "jurisdiction", "US-XX", "agency ks: jurisdiction: must be a state" },
        { "agency", "ks", "ori", "-x", "agency ks: ori: must be letters" },
        { "agency", "ks", "ori", "a b", "agency ks: ori: must be letters" },
        { "agency", "ks", "contributes", "maybe", "agency ks: contributes: must be yes or no" },
        { "agency", "ks", "contributes", "no", "agency ks: contributes: cannot be changed" },
        { "agency", "ks", "created_at", "2020-01-01", "agency ks: created_at: cannot be changed" },
        { "agency", "ks", "retention_days", "0", "agency ks: retention_days: must be a whole" },
        { "agency", "ks", "retention_days", "36501", "agency ks: retention_days: must be a whole" },
        { "agency", "ks", "retention_days", "-1", "agency ks: retention_days: must be a whole" },
        { "agency", "ks", "retention_days", "1.5", "agency ks: retention_days: must be a whole" },
        { "agency", "ks", "retention_days", "1e3", "agency ks: retention_days: must be a whole" },
        { "agency", "ks", "retention_days", "9999999999999999999",
          "agency ks: retention_days: must be a whole" },
        { "agency", "ks", "case_pattern", "(unclosed", "agency ks: case_pattern: not a regular" },
        { "agency", "ks", "zones", "school:38.5:-98.0:150,gym:38.5:-98.0:150",
          "agency ks: zones: gym:38.5:-98.0:150 must be a kind of place" },
        { "agency", "ks", "zones", "school", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:38.5:-98.0", "agency ks: zones: " },
        { "agency", "ks", "zones", "school::-98.0:150", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:38.5::150", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:38.5:-98.0:150:1", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:38.5:-98.0:0", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:38.5:-98.0:5001", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:90.0000001:-98.0:5", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:-90.0000001:-98.0:5", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:38.5:180.0000001:5", "agency ks: zones: " },
        { "agency", "ks", "zones", "school:38.5:-180.0000001:5", "agency ks: zones: " },
        { "agency", "ks", "zones", "School:38.5:-98.0:150", "agency ks: zones: " },
        { "agency", "ks", "case_pattern", "a{99999}", "agency ks: case_pattern: not a regular" },
        { "agency", "ks", "packs", "a,,b", "agency ks: packs: must be names" },
        { "agency", "ks", "packs", "a,", "agency ks: packs: must be names" },
        { "agency", "ks", "packs", ",", "agency ks: packs: must be names" },
        { "agency", "ks", "packs", "a,b,a", "agency ks: packs: names the same twice" },
        { "agency", "ks", "reviewed_at", "yesterday", "agency ks: reviewed_at: must be a date" },
        { "agency", "ks", "reviewed_at", "2026-02-30", "agency ks: reviewed_at: must be a date" },
        { "person", "ks.boss", "agency", "mo", "person ks.boss: agency: cannot be changed" },
        { "person", "ks.boss", "role", "", "person ks.boss: role: must be given" },
        { "person", "ks.boss", "role", "chief", "person ks.boss: role: must be one of" },
        { "person", "ks.boss", "permissions", "plate,everything",
          "person ks.boss: permissions: must be some of" },
        { "person", "ks.boss", "permissions", "plate,plate",
          "person ks.boss: permissions: names the same twice" },
        { "person", "ks.boss", "approved_by", "ks.boss",
          "person ks.boss: approved_by: must be another person" },
        { "person", "ks.boss", "approved_by", "nobody",
          "person ks.boss: approved_by: there is no person nobody" },
        { "person", "ks.boss", "status", "requested",
          "person ks.boss: status: must not become requested again" },
        { "person", "ks.boss", "consent_sha256", "00", "person ks.boss: consent_sha256: must be" },
        { "person", "ks.boss", "consent_sha256",
          "0011223344556677889xaabbccddeeff00112233445566778899aabbccddeeff",
          "person ks.boss: consent_sha256: must be" },
        { "reader", "cam-1", "lat", "90.0000001", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lat", "999999999999999999", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lat", "-999999999999999999", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lat", "39,1", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lat", "nan", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lat", "1.2.3", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lat", ".5", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lat", "5.", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lat", "-", "reader cam-1: lat: must be degrees" },
        { "reader", "cam-1", "lon", "180.1", "reader cam-1: lon: must be degrees from -180 to" },
        { "reader", "cam-1", "lon", "", "reader cam-1: lon: must be given too" },
        { "reader", "cam-1", "lat", "", "reader cam-1: lat: must be given too" },
        { "reader", "cam-1", "time_zone", "a b", "reader cam-1: time_zone: must be a name" },
        { "reader", "cam-1", "time_zone", "/etc", "reader cam-1: time_zone: must be a name" },
        { "reader", "cam-1", "kind", "drone", "reader cam-1: kind: must be one of" },
        { "case", "ks:2026-1", "agency", "mo", "case ks:2026-1: agency: cannot be changed" },
        { "case", "ks:2026-1", "offence", "none", "case ks:2026-1: offence: there is no offence" },
        { "offence", "ks-5801", "limitation_years", "", "offence ks-5801: limitation_years: must" },
        { "offence", "ks-5801", "limitation_years", "None", "offence ks-5801: limitation_years:" },
        { "offence", "ks-5801", "limitation_years", "100", "offence ks-5801: limitation_years:" },
        { "offence", "ks-5801", "limitation_years", "-1", "offence ks-5801: limitation_years:" },
        { "agreement", "a-1", "ends_at", "2026-01-01", "agreement a-1: ends_at: must be later" },
        { "agreement", "a-1", "ends_at", "2025-01-01", "agreement a-1: ends_at: must be later" },
        { "agreement", "a-1", "readers", "cam-1,cam-3",
          "agreement a-1: readers: cam-3 belongs to another agency than owner says" },
        { "agreement", "a-1", "readers", "cam-9", "agreement a-1: readers: there is no reader" },
        { "declaration", "d-1", "expires_at", "2026-01-01", "declaration d-1: expires_at: must" },
        { "declaration", "d-1", "subject", "not an id", "declaration d-1: subject: must be lett" },
        { "hold", "h-1", "to", "2025-06-01", "hold h-1: to: must be later than from" },
        { "hold", "h-1", "plate", "AB*", "hold h-1: plate: must be one plate" },
        { "hold", "h-1", "plate", "---", "hold h-1: plate: must be one plate" },
        { "hold", "h-1", "plate",
          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          "hold h-1: plate: must be one plate" },
        { "hold", "h-1", "owner", "ks", "hold h-1: readers: cam-3 belongs to another" },
        { "hold", "h-1", "authority", "curiosity", "hold h-1: authority: must be one of" },
    };
    struct catalog_room *room = *state;

    room_furnish(room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        room_expect(room, PB_BAD_INPUT,
                    room_try(room, PB_PUT_CHANGE, cases[i].entity,
                             PAIRS("id", cases[i].id, cases[i].field, cases[i].given)),
                    cases[i].given);
        if (strncmp(cases[i].message, room->error.message, strlen(cases[i].message)) != 0)
            fail_msg("\"%s\", not \"%s\"", room->error.message, cases[i].message);
    }
}

static void
a_record_that_is_wrong_as_a_whole_is_not_added(void **state)
{
    static const struct {
        const char *entity;
        const char *pairs[24];
        const char *message;
    } cases[] = {
        { "agency", { NULL }, "agency: id: must be given" },
        { "agency", { "id", "a b" }, "agency: id: must be letters" },
        { "agency", { "id", "x" }, "agency x: name: must be given" },
        { "agency",
          { "id", "x:y", "name", "n", "class", "state", "jurisdiction", "US-KS" },
          "agency x:y: id: must hold no colon" },
        { "agency",
          { "id", "operator", "name", "n", "class", "state", "jurisdiction", "US-KS" },
          "agency operator: id: must not be operator" },
        { "agency",
          { "id", "0123456789012345678901234567890123456789012345678901234567890123456789" },
          "agency: id: must be letters" },
        { "person",
          { "id", "p", "name", "n", "role", "analyst", "agency", "none" },
          "person p: agency: there is no agency none" },
        { "person",
          { "id", "p", "name", "n", "role", "analyst", "agency", "ks", "approved_by", "p" },
          "person p: approved_by: there is no person p" },
        { "reader",
          { "id", "r", "agency", "fed" },
          "reader r: agency: must be an agency that contributes reads" },
        { "reader", { "id", "r,s", "agency", "ks" }, "reader: id: must be at most 64 bytes" },
        { "reader", { "id", "r\xE2\x80\xAE", "agency", "ks" }, "reader: id: must be UTF-8" },
        { "reader", { "id", "r", "agency", "ks", "lat", "1" }, "reader r: lon: must be given too" },
        { "case", { "id", "2026-2" }, "case 2026-2: id: must be its agency, a colon" },
        { "case", { "id", "ks:" }, "case ks:: id: must be its agency, a colon" },
        { "case", { "id", ":1" }, "case :1: agency: there is no agency" },
        { "case", { "id", "nobody:1" }, "case nobody:1: agency: there is no agency nobody" },
        { "case", { "id", "mo:1", "agency", "ks" }, "case mo:1: id: must be its agency" },
        { "case", { "id", "kss:1", "agency", "ks" }, "case kss:1: id: must be its agency" },
        { "agreement",
          { "id", "b", "owner", "ks", "asker", "ks", "ends_at", "2027-01-01" },
          "agreement b: asker: must be another agency" },
        { "agreement",
          { "id", "b", "owner", "fed", "asker", "ks", "ends_at", "2027-01-01" },
          "agreement b: owner: must be an agency that contributes reads" },
        { "agreement", { "id", "b", "owner", "ks", "asker", "mo" }, "agreement b: ends_at: must" },
        { "hold",
          { "id", "i", "agency", "mo", "case", "ks:2026-1", "authority", "request", "facts", "f",
            "from", "2025-01-01", "to", "2025-02-01", "expires_at", "2026-02-01" },
          "hold i: case: must be a case of the hold's agency" },
    };
    struct catalog_room *room = *state;

    room_furnish(room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        room_expect(room, PB_BAD_INPUT, room_try(room, PB_PUT_ADD, cases[i].entity, cases[i].pairs),
                    cases[i].message);
        if (strncmp(cases[i].message, room->error.message, strlen(cases[i].message)) != 0)
            fail_msg("\"%s\", not \"%s\"", room->error.message, cases[i].message);
    }
    assert_int_equal(3, room_count(room, "agency"));
    assert_int_equal(3, room_count(room, "reader"));
    assert_int_equal(1, room_count(room, "case"));
}

static void
a_query_only_agency_makes_no_hold(void **state)
{
    struct catalog_room *room = *state;
    const char *const hold[] = { "id",         "i",          "agency",     "fed",        "case",
                                 "fed:1",      "plate",      "AB12C",      "authority",  "request",
                                 "facts",      "f",          "from",       "2025-01-01", "to",
                                 "2025-02-01", "expires_at", "2026-02-01", "released",   "no",
                                 NULL };
    const char *released[sizeof(hold) / sizeof(hold[0])];

    room_furnish(room);
    room_put(room, "case", PAIRS("id", "fed:1"));
    room_expect(room, PB_BAD_INPUT, room_try(room, PB_PUT_ADD, "hold", hold), "hold");
    assert_non_null(strstr(room->error.message, "hold i: agency: must be an agency that contri"));
    /* One from before that rule can be released, which is how it looks when it is. */
    memcpy(released, hold, sizeof(released));
    released[sizeof(hold) / sizeof(hold[0]) - 2] = "yes";
    room_expect(room, PB_OK, room_try(room, PB_PUT_ADD, "hold", released), "released");
}

static void
texts_end_at_their_limits(void **state)
{
    static char text[20001];
    struct catalog_room *room = *state;

    room_furnish(room);
    memset(text, 'x', sizeof(text) - 1);
    for (size_t bytes = 1023; bytes <= 1025; bytes++) {
        char end = text[bytes];

        text[bytes] = '\0';
        room_expect(room, bytes <= 1024 ? PB_OK : PB_BAD_INPUT,
                    room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", "ks", "contact", text)),
                    "a long text");
        text[bytes] = end;
    }
    /* 10 kB and more, in a text, an id and a list. */
    assert_int_equal(PB_BAD_INPUT,
                     room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", "ks", "name", text)));
    assert_int_equal(PB_BAD_INPUT,
                     room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", text, "name", "x")));
    assert_int_equal(PB_BAD_INPUT,
                     room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", "ks", "packs", text)));
    for (size_t i = 6; i < sizeof(text); i += 7)
        text[i] = ',';
    assert_int_equal(PB_BAD_INPUT,
                     room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", "ks", "packs", text)));
    room_expect_field(room, "agency", "ks", "packs", "us-ks,pia-039");
}

static void
a_list_may_be_long(void **state)
{
    static char list[16385];
    struct catalog_room *room = *state;
    size_t at = 0;

    room_furnish(room);
    for (unsigned i = 0; at + 20 < sizeof(list); i++)
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%spack-%u", i == 0 ? "" : ",", i);
    room_put(room, "agency", PAIRS("id", "ks", "packs", list));
    room_expect_field(room, "agency", "ks", "packs", list);
}

static void
modes_tell_adding_from_changing(void **state)
{
    struct catalog_room *room = *state;
    const char *const *pairs =
        PAIRS("id", "x", "name", "One", "class", "state", "jurisdiction", "US-KS");

    assert_int_equal(PB_NOT_FOUND, room_try(room, PB_PUT_CHANGE, "agency", pairs));
    assert_string_equal("there is no agency x", room->error.message);
    assert_int_equal(PB_OK, room_try(room, PB_PUT_ADD, "agency", pairs));
    assert_int_equal(PB_CONFLICT, room_try(room, PB_PUT_ADD, "agency", pairs));
    assert_string_equal("agency x is there already", room->error.message);
    assert_int_equal(PB_OK, room_try(room, PB_PUT_ANY, "agency", pairs));
    /* What is not given stays; ids tell upper from lower case. */
    assert_int_equal(PB_OK,
                     room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", "x", "contact", "c")));
    room_expect_field(room, "agency", "x", "name", "One");
    room_expect_field(room, "agency", "x", "contact", "c");
    assert_int_equal(PB_NOT_FOUND,
                     room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", "X", "contact", "c")));
    assert_int_equal(PB_NOT_FOUND,
                     pb_catalog_show(room->catalog, pb_catalog_entity("agency"), "nobody",
                                     room_count_one, &(unsigned){ 0 }, &room->error));
}

static void
what_is_referred_to_or_took_part_stays(void **state)
{
    static const struct {
        const char *entity, *id;
        enum pb_status status;
        const char *message;
    } steps[] = {
        { "agency", "ks", PB_CONFLICT, "agency ks is referred to by person ks.boss (agency)" },
        { "agency", "mo", PB_CONFLICT, "agency mo is referred to by reader cam-3 (agency)" },
        { "person", "ks.boss", PB_CONFLICT,
          "person ks.boss is referred to by person fed.agent (approved_by)" },
        { "person", "fed.agent", PB_CONFLICT, "person fed.agent stays, so that audit records" },
        { "reader", "cam-1", PB_CONFLICT,
          "reader cam-1 is referred to by agreement a-1 (readers)" },
        { "reader", "car 2", PB_CONFLICT,
          "reader car 2 is referred to by agreement a-1 (readers)" },
        { "reader", "cam-3", PB_CONFLICT, "reader cam-3 is referred to by hold h-1 (readers)" },
        { "offence", "ks-5801", PB_CONFLICT, "offence ks-5801 is referred to by case ks:2026-1" },
        { "case", "ks:2026-1", PB_CONFLICT, "case ks:2026-1 is referred to by hold h-1 (case)" },
        { "case", "ks:2026", PB_NOT_FOUND, "there is no such case" },
        { "case", "' OR 1=1 --", PB_NOT_FOUND, "there is no such case" },
        { "hold", "h-1", PB_OK, "" },
        { "hold", "h-1", PB_NOT_FOUND, "there is no such hold" },
        { "case", "ks:2026-1", PB_OK, "" },
        { "offence", "ks-5801", PB_OK, "" },
        { "reader", "cam-3", PB_CONFLICT, "reader cam-3 stays" },
        { "agreement", "a-1", PB_OK, "" },
        { "declaration", "d-1", PB_OK, "" },
        { "person", "ks.new", PB_OK, "" },
        { "agency", "lone", PB_CONFLICT, "agency lone stays" },
    };
    struct catalog_room *room = *state;

    room_furnish(room);
    room_put(room, "person",
             PAIRS("id", "ks.new", "agency", "ks", "name", "N. Example", "role", "analyst"));
    room_put(room, "agency",
             PAIRS("id", "lone", "name", "n", "class", "private", "jurisdiction", "US-KS"));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        room->error.message[0] = '\0';
        room_expect(room, steps[i].status,
                    pb_catalog_remove(room->catalog, pb_catalog_entity(steps[i].entity),
                                      steps[i].id, &room->error),
                    steps[i].id);
        if (strncmp(steps[i].message, room->error.message, strlen(steps[i].message)) != 0)
            fail_msg("\"%s\", not \"%s\"", room->error.message, steps[i].message);
    }
}

/* "cam" must not be found in "cam-1", nor "1" in "cam-1,1a". */
static void
a_name_within_another_is_no_reference(void **state)
{
    struct catalog_room *room = *state;

    room_furnish(room);
    room_put(room, "offence",
             PAIRS("id", "ks", "title", "t", "jurisdiction", "US", "class", "civil",
                   "limitation_years", "1"));
    room_expect(room, PB_OK,
                pb_catalog_remove(room->catalog, pb_catalog_entity("offence"), "ks", &room->error),
                "an offence that is named like an agency");
    room_put(room, "reader", PAIRS("id", "cam", "agency", "ks"));
    assert_int_equal(PB_CONFLICT, pb_catalog_remove(room->catalog, pb_catalog_entity("reader"),
                                                    "cam", &room->error));
    assert_non_null(strstr(room->error.message, "stays")); /* and not "is referred to" */
}

struct ids {
    char text[8192];
    unsigned count, stop_at;
    struct catalog_room *room;
};

static bool
keep_id(void *context, const struct pb_record *record)
{
    struct ids *ids = context;

    if (ids->count > 0)
        assert_true(strcmp(ids->text, record->values[0]) < 0);
    (void)snprintf(ids->text, sizeof(ids->text), "%s", record->values[0]);
    return ++ids->count != ids->stop_at;
}

static void
a_list_goes_by_id_through_many_pages_and_stops_when_told(void **state)
{
    struct catalog_room *room = *state;
    const struct pb_entity *readers = pb_catalog_entity("reader");

    room_put(room, "agency",
             PAIRS("id", "ks", "name", "n", "class", "local", "jurisdiction", "US-KS",
                   "contributes", "yes"));
    assert_int_equal(0, room_count(room, "reader"));
    for (unsigned i = 0; i < 513; i++) {
        struct ids ids = { .count = 0 };
        char id[32];

        (void)snprintf(id, sizeof(id), "r%u", i * 7919 % 1000);
        room_put(room, "reader", PAIRS("id", id, "agency", "ks"));
        if (i < 254 || (i > 257 && i < 510))
            continue;
        assert_int_equal(PB_OK, pb_catalog_list(room->catalog, readers, keep_id, &ids, NULL));
        assert_int_equal(i + 1, ids.count);
        ids = (struct ids){ .stop_at = i };
        assert_int_equal(PB_OK, pb_catalog_list(room->catalog, readers, keep_id, &ids, NULL));
        assert_int_equal(i, ids.count);
    }
}

static bool
write_while_listing(void *context, const struct pb_record *record)
{
    struct ids *ids = context;

    room_put(ids->room, "agency", PAIRS("id", record->values[0], "contact", "changed"));
    room_expect_field(ids->room, "agency", record->values[0], "contact", "changed");
    ids->count += room_count(ids->room, "agency");
    return true;
}

static void
a_listener_may_call_the_catalog(void **state)
{
    struct catalog_room *room = *state;
    struct ids ids = { .room = room };

    room_furnish(room);
    assert_int_equal(PB_OK, pb_catalog_list(room->catalog, pb_catalog_entity("agency"),
                                            write_while_listing, &ids, NULL));
    assert_int_equal(9, ids.count);
}

static void
entities_are_described_consistently(void **state)
{
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);

    (void)state;
    assert_int_equal(8, count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(&entities[i], pb_catalog_entity(entities[i].name));
        assert_in_range(entities[i].field_count, 2, PB_ENTITY_FIELDS_MAX);
        assert_string_equal("id", entities[i].fields[0].name);
        for (unsigned j = 0; j < entities[i].field_count; j++) {
            const struct pb_field *field = &entities[i].fields[j];
            bool has_choices = field->kind == PB_FIELD_CHOICE || field->kind == PB_FIELD_CHOICES;

            assert_non_null(field->name);
            assert_non_null(field->help);
            assert_int_equal(has_choices, field->choices != NULL);
            assert_false(field->is_required && field->fallback != NULL);
            if (field->kind == PB_FIELD_BOOL)
                assert_string_equal("no", field->fallback);
            if (field->refers_to != NULL) /* leads backwards, or to its own kind */
                assert_true(pb_catalog_entity(field->refers_to) <= &entities[i]);
        }
    }
    assert_null(pb_catalog_entity("agencies"));
    assert_null(pb_catalog_entity(""));
}

static void
a_catalog_that_is_open_to_read_takes_nothing(void **state)
{
    struct catalog_room *room = *state;

    room_furnish(room);
    room_close(room);
    assert_int_equal(PB_OK, pb_catalog_open(room->env, room->path, true, &room->catalog, NULL));
    room_expect_field(room, "agency", "ks", "contributes", "yes");
    assert_int_equal(PB_E_IO,
                     room_try(room, PB_PUT_CHANGE, "agency", PAIRS("id", "ks", "name", "x")));
    assert_int_equal(PB_E_IO, pb_catalog_remove(room->catalog, pb_catalog_entity("hold"), "h-1",
                                                &room->error));
    assert_string_equal("the catalog is open to read only", room->error.message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_entity_keeps_what_it_is_given, room_setup,
                                        room_teardown),
        cmocka_unit_test_setup_teardown(values_are_kept_in_one_form, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_with_entity_id_and_field,
                                        room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(a_record_that_is_wrong_as_a_whole_is_not_added, room_setup,
                                        room_teardown),
        cmocka_unit_test_setup_teardown(a_query_only_agency_makes_no_hold, room_setup,
                                        room_teardown),
        cmocka_unit_test_setup_teardown(texts_end_at_their_limits, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(a_list_may_be_long, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(modes_tell_adding_from_changing, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(what_is_referred_to_or_took_part_stays, room_setup,
                                        room_teardown),
        cmocka_unit_test_setup_teardown(a_name_within_another_is_no_reference, room_setup,
                                        room_teardown),
        cmocka_unit_test_setup_teardown(a_list_goes_by_id_through_many_pages_and_stops_when_told,
                                        room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(a_listener_may_call_the_catalog, room_setup, room_teardown),
        cmocka_unit_test(entities_are_described_consistently),
        cmocka_unit_test_setup_teardown(a_catalog_that_is_open_to_read_takes_nothing, room_setup,
                                        room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
