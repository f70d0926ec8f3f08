/*
 * Rights: who sees and changes which records. What belongs to another agency is not there, and no
 * refusal tells of it.
 *
 *   adm   administers kansas-pd         adm2  the same      radm  administers river-pd
 *   oper  operates, of kansas-pd        doe   asks, and has nothing to do with the catalog
 */
#include "inquiry/site_room.h"

static const char more_people[] =
    "people:\n"
    "  - { id: adm2, agency: kansas-pd, name: A. Second, role: administrator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: radm, agency: river-pd, name: R. Admin, role: administrator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: oper, agency: kansas-pd, name: O. Per, role: operator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: boss, agency: kansas-pd, name: B. Oss, role: supervisor, status: active,"
    " permissions: operate, training_valid_until: 2027-06-01 }\n"
    "cases:\n"
    "  - { id: \"river-pd:26-1\" }\n"
    "holds:\n"
    "  - { id: h-1, agency: kansas-pd, case: \"kansas-pd:26-00471\", authority: request,"
    " facts: Seen, readers: k1, from: 2026-05-01, to: 2026-05-02, expires_at: 2026-07-01 }\n";

static void
begin(struct site_room *room)
{
    room_init(room);
    room_import(room, more_people);
}

/* Fields of a record as "name=value;name=value". */
static void
fill(struct pb_record *record, char *text)
{
    for (char *at = text, *next = NULL; *at != '\0'; at = next) {
        char *value = strchr(at, '=');
        unsigned field = 0;

        next = strchr(at, ';');
        next = next != NULL ? next : at + strlen(at);
        assert_non_null(value);
        *value++ = '\0';
        if (*next != '\0')
            *next++ = '\0';
        while (strcmp(record->entity->fields[field].name, at) != 0)
            assert_true(++field < record->entity->field_count);
        record->values[field] = value;
    }
}

struct attempt {
    const char *person, *entity;
    char verb; /* '+' add, '~' change, '-' remove */
    const char *fields;
    enum pb_status expected;
    const char *says; /* part of the refusal */
};

static void
try(struct site_room *room, const struct attempt *attempt)
{
    struct pb_actor actor = { .person = attempt->person };
    struct pb_record record = { .entity = pb_catalog_entity(attempt->entity) };
    char text[600];
    enum pb_status status;

    (void)snprintf(text, sizeof(text), "%s", attempt->fields);
    fill(&record, text);
    room->error.message[0] = '\0';
    status = attempt->verb == '-'
                 ? pb_site_remove(room->site, &actor, record.entity, record.values[0], &room->error)
                 : pb_site_put(room->site, &actor, &record,
                               attempt->verb == '+' ? PB_PUT_ADD : PB_PUT_CHANGE, &room->error);
    if (status != attempt->expected || strstr(room->error.message, attempt->says) == NULL)
        fail_msg("%s %c %s %s: %s, \"%s\"", attempt->person, attempt->verb, attempt->entity,
                 attempt->fields, pb_status_name(status), room->error.message);
}

static void
try_all(const struct attempt *attempts, size_t count)
{
    struct site_room room;

    begin(&room);
    for (size_t i = 0; i < count; i++)
        try(&room, &attempts[i]);
    room_done(&room);
}

/* ---- changing ---- */

static void
an_administrator_changes_what_is_ones_own(void **state)
{
    static const struct attempt attempts[] = {
        { "adm", "reader", '+', "id=k9;agency=kansas-pd;capture_state=US-KS", PB_OK, "" },
        { "adm", "reader", '~', "id=k9;note=by the bridge", PB_OK, "" },
        { "adm", "case", '+', "id=kansas-pd:26-7", PB_OK, "" },
        { "adm", "case", '-', "id=kansas-pd:26-7", PB_OK, "" },
        { "adm", "agreement", '+',
          "id=x-1;owner=kansas-pd;asker=river-pd;purposes=emergency;readers= k1 , k2;"
          "ends_at=2027-01-01",
          PB_OK, "" },
        { "adm", "agreement", '-', "id=x-1", PB_OK, "" },
        { "adm", "hold", '~', "id=h-1;released=yes", PB_OK, "" },
        { "radm", "case", '+', "id=river-pd:26-2", PB_OK, "" },
    };

    (void)state;
    try_all(attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static void
what_is_anothers_is_not_there_and_nothing_is_added_to_it(void **state)
{
    static const char nothing[] = "there is no ";
    static const struct attempt attempts[] = {
        { "adm", "reader", '~', "id=r1;note=mine", PB_NOT_FOUND, nothing },
        { "adm", "reader", '-', "id=r1", PB_NOT_FOUND, nothing },
        { "adm", "reader", '~', "id=nowhere;note=mine", PB_NOT_FOUND, nothing },
        { "adm", "reader", '+', "id=r9;agency=river-pd", PB_DENIED, "agency: only what belongs" },
        { "adm", "reader", '+', "id=r1;agency=kansas-pd", PB_CONFLICT, "id: taken already" },
        { "adm", "case", '+', "id=river-pd:26-3", PB_DENIED, "id: only what belongs" },
        { "adm", "case", '-', "id=river-pd:26-1", PB_NOT_FOUND, nothing },
        { "adm", "agreement", '+',
          "id=x-2;owner=river-pd;asker=kansas-pd;purposes=emergency;ends_at=2027-01-01", PB_DENIED,
          "owner: only what belongs" },
        /* One that lets them ask is seen, and is the owner's to change. */
        { "adm", "agreement", '~', "id=river-kansas;ends_at=2029-01-01", PB_DENIED,
          "owner: only what belongs" },
        { "adm", "agreement", '-', "id=river-kansas", PB_DENIED, "owner: only what belongs" },
        { "adm", "agency", '~', "id=kansas-pd;retention_days=9", PB_DENIED, "only who operates" },
        { "adm", "agency", '~', "id=river-pd;retention_days=9", PB_NOT_FOUND, nothing },
        { "adm", "offence", '+', "id=o;title=O;jurisdiction=US-KS;class=felony;limitation_years=1",
          PB_DENIED, "only who operates changes offences" },
        { "doe", "reader", '~', "id=k1;note=mine", PB_DENIED, "person: may not look" },
        { "nobody", "reader", '~', "id=k1;note=mine", PB_DENIED, "person: may not look" },
    };

    (void)state;
    try_all(attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static void
a_record_names_nothing_of_others(void **state)
{
    static const char no_case[] = "case: there is no such case of the agency";
    static const struct attempt attempts[] = {
        { "adm", "agreement", '+',
          "id=x-3;owner=kansas-pd;asker=river-pd;purposes=emergency;readers=k1,r1;"
          "ends_at=2027-01-01",
          PB_BAD_INPUT, "readers: the agency has no reader 'r1'" },
        { "adm", "agreement", '+',
          "id=x-3;owner=kansas-pd;asker=river-pd;purposes=emergency;readers=k1,nowhere;"
          "ends_at=2027-01-01",
          PB_BAD_INPUT, "readers: the agency has no reader 'nowhere'" },
        { "adm", "hold", '+',
          "id=h-2;agency=kansas-pd;case=river-pd:26-1;authority=request;facts=F;from=2026-05-01;"
          "to=2026-05-02;expires_at=2026-07-01",
          PB_BAD_INPUT, no_case },
        { "adm", "hold", '+',
          "id=h-2;agency=kansas-pd;case=kansas-pd26;authority=request;facts=F;from=2026-05-01;"
          "to=2026-05-02;expires_at=2026-07-01",
          PB_BAD_INPUT, no_case },
        { "adm", "hold", '+',
          "id=h-2;agency=kansas-pd;case=kansas-pd:26-00471;authority=request;facts=F;"
          "readers=k1;from=2026-05-01;to=2026-05-02;expires_at=2026-07-01",
          PB_OK, "" },
    };

    (void)state;
    try_all(attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static void
nobody_makes_themselves_more_and_accounts_take_two(void **state)
{
    static const char oneself[] = "id: of their own account";
    static const char operate[] = "role: only who operates";
    static const struct attempt attempts[] = {
        { "adm", "person", '~', "id=adm;name=A. Other;contact=desk", PB_OK, "" },
        { "adm", "person", '~', "id=adm;permissions=audit", PB_DENIED, oneself },
        { "adm", "person", '~', "id=adm;status=suspended", PB_DENIED, oneself },
        { "adm", "person", '-', "id=adm", PB_DENIED, oneself },
        { "adm", "person", '~', "id=doe;role=operator", PB_DENIED, operate },
        { "adm", "person", '~', "id=doe;permissions=plate, operate", PB_DENIED, operate },
        { "adm", "person", '~', "id=oper;status=closed", PB_DENIED, operate },
        { "adm", "person", '~', "id=boss;status=closed", PB_DENIED, operate },
        { "adm", "person", '+', "id=n1;agency=kansas-pd;name=N;role=operator", PB_DENIED, operate },
        { "adm", "person", '+', "id=n1;agency=kansas-pd;name=N;role=officer;status=active",
          PB_DENIED, "status: an account is requested first" },
        { "adm", "person", '+', "id=n1;agency=kansas-pd;name=N;role=officer;approved_by=adm2",
          PB_DENIED, "approved_by: people approve in their own name only" },
        { "adm", "person", '+', "id=n1;agency=kansas-pd;name=N;role=officer;status=requested",
          PB_OK, "" },
        { "adm", "person", '+', "id=n2;agency=kansas-pd;name=N;role=officer;status=", PB_OK, "" },
        { "adm", "person", '+', "id=n3;agency=kansas-pd;name=N;role=officer;approved_by=", PB_OK,
          "" },
        { "adm2", "person", '~', "id=n1;status=active;approved_by=adm2", PB_OK, "" },
        { "adm", "person", '-', "id=n2", PB_OK, "" },
        { "oper", "person", '+', "id=n4;agency=river-pd;name=N;role=administrator;status=active",
          PB_OK, "" },
        { "boss", "person", '~', "id=oper;contact=desk", PB_OK, "" },
        { "oper", "agency", '~', "id=river-pd;retention_days=90", PB_OK, "" },
    };

    (void)state;
    try_all(attempts, sizeof(attempts) / sizeof(attempts[0]));
}

/* What was changed meanwhile is not changed by who saw it before. */
static void
a_change_counts_for_what_was_seen(void **state)
{
    struct site_room room;
    char seen[PB_RECORD_MARK_BYTES];
    struct pb_actor actor = { .person = "adm", .seen = seen };
    struct pb_record record = { .entity = pb_catalog_entity("reader") };
    char text[64] = "id=k1;agency=kansas-pd;note=first";

    (void)state;
    begin(&room);
    memset(seen, '0', sizeof(seen) - 1);
    seen[sizeof(seen) - 1] = '\0';
    fill(&record, text);
    assert_int_equal(PB_EXPIRED,
                     pb_site_put(room.site, &actor, &record, PB_PUT_CHANGE, &room.error));
    record.values[0] = "k-new";
    assert_int_equal(PB_EXPIRED, pb_site_put(room.site, &actor, &record, PB_PUT_ANY, &room.error));
    record.values[0] = NULL;
    assert_int_equal(PB_BAD_INPUT,
                     pb_site_put(room.site, &actor, &record, PB_PUT_ANY, &room.error));
    room_done(&room);
}

/* ---- seeing ---- */

struct listed {
    char ids[512];
    unsigned count, enough;
};

static bool
note_id(void *context, const struct pb_record *record)
{
    struct listed *listed = context;
    size_t used = strlen(listed->ids);

    (void)snprintf(listed->ids + used, sizeof(listed->ids) - used, "%s%s", used > 0 ? " " : "",
                   record->values[0]);
    return ++listed->count != listed->enough;
}

static void
assert_lists(struct site_room *room, const char *person, const char *entity, const char *after,
             unsigned enough, const char *ids)
{
    struct pb_actor actor = { .person = person };
    struct listed listed = { .enough = enough };

    room_expect(room, PB_OK,
                pb_site_list(room->site, &actor, pb_catalog_entity(entity), pb_str_from(after),
                             note_id, &listed, &room->error),
                entity);
    assert_string_equal(ids, listed.ids);
}

static void
lists_hold_what_is_ones_own(void **state)
{
    struct site_room room;
    struct pb_actor doe = { .person = "doe" };
    struct listed listed = { .enough = 0 };

    (void)state;
    begin(&room);
    assert_lists(&room, "radm", "agency", "", 0, "river-pd");
    assert_lists(&room, "radm", "reader", "", 0, "r1 r2");
    assert_lists(&room, "radm", "reader", "r1", 0, "r2");
    assert_lists(&room, "radm", "reader", "", 1, "r1");
    assert_lists(&room, "radm", "case", "", 0, "river-pd:26-1");
    assert_lists(&room, "adm", "case", "", 0, "kansas-pd:26-00471 kansas-pd:26-00999");
    assert_lists(&room, "adm", "case", "kansas-pd:26-00471", 0, "kansas-pd:26-00999");
    assert_lists(&room, "adm", "case", "kansas-pd:26-00999", 0, "");
    assert_lists(&room, "radm", "agreement", "", 0, "river-kansas");
    assert_lists(&room, "adm", "agreement", "", 0,
                 "coast-kansas kansas-bureau pine-kansas river-kansas");
    assert_lists(&room, "radm", "offence", "", 0, "burglary");
    assert_lists(&room, "radm", "hold", "", 0, "");
    assert_lists(&room, "oper", "case", "", 0,
                 "kansas-pd:26-00471 kansas-pd:26-00999 river-pd:26-1");
    assert_lists(&room, NULL, "reader", "k3", 3, "m1 n1 r1");
    assert_int_equal(PB_DENIED, pb_site_list(room.site, &doe, pb_catalog_entity("reader"),
                                             pb_str_from(""), note_id, &listed, &room.error));
    room_done(&room);
}

static void
what_is_anothers_is_shown_like_what_is_not_there(void **state)
{
    static const struct {
        const char *person, *entity, *id;
        enum pb_status expected;
    } cases[] = {
        { "adm", "reader", "k1", PB_OK },
        { "adm", "reader", "r1", PB_NOT_FOUND },
        { "adm", "reader", "nowhere", PB_NOT_FOUND },
        { "adm", "case", "river-pd:26-1", PB_NOT_FOUND },
        { "radm", "case", "river-pd:26-1", PB_OK },
        { "oper", "reader", "r1", PB_OK },
        { "doe", "reader", "k1", PB_DENIED },
        { NULL, "hold", "h-1", PB_OK },
        { "radm", "hold", "h-1", PB_NOT_FOUND },
    };
    struct site_room room;

    (void)state;
    begin(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_actor actor = { .person = cases[i].person };
        struct listed listed = { .enough = 0 };
        enum pb_status status = pb_site_show(room.site, &actor, pb_catalog_entity(cases[i].entity),
                                             cases[i].id, note_id, &listed, &room.error);

        if (status != cases[i].expected || listed.count != (status == PB_OK ? 1 : 0))
            fail_msg("case %zu: %s", i, pb_status_name(status));
    }
    room_done(&room);
}

static void
who_administers_or_operates_is_known(void **state)
{
    static const struct {
        const char *person, *agency;
        enum pb_status administers, operates;
    } cases[] = {
        { "adm", "kansas-pd", PB_OK, PB_DENIED }, { "adm", "river-pd", PB_DENIED, PB_DENIED },
        { "oper", "river-pd", PB_OK, PB_OK },     { "doe", "kansas-pd", PB_DENIED, PB_DENIED },
        { NULL, "river-pd", PB_OK, PB_OK },
    };
    struct site_room room;

    (void)state;
    begin(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_actor actor = { .person = cases[i].person };

        assert_int_equal(cases[i].administers,
                         pb_site_may_administer(room.site, &actor, pb_str_from(cases[i].agency),
                                                &room.error));
        assert_int_equal(cases[i].operates, pb_site_may_operate(room.site, &actor, &room.error));
    }
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_administrator_changes_what_is_ones_own),
        cmocka_unit_test(what_is_anothers_is_not_there_and_nothing_is_added_to_it),
        cmocka_unit_test(a_record_names_nothing_of_others),
        cmocka_unit_test(nobody_makes_themselves_more_and_accounts_take_two),
        cmocka_unit_test(a_change_counts_for_what_was_seen),
        cmocka_unit_test(lists_hold_what_is_ones_own),
        cmocka_unit_test(what_is_anothers_is_shown_like_what_is_not_there),
        cmocka_unit_test(who_administers_or_operates_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
