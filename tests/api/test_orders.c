/*
 * Orders of the operator's: as messages, and what a service does at one.
 */
#include "api/browser.h"

#include <assert.h>

#include "api/api_private.h"
#include "api/order.h"
#include "base/text.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CODE "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

/* ---- messages ---- */

static struct pb_api_order
order_of(enum pb_order_verb verb, const char *by, const char *person, const char *why)
{
    return (struct pb_api_order){
        .verb = verb, .by = pb_str_from(by), .person = pb_str_from(person), .why = pb_str_from(why)
    };
}

static void
set(struct pb_api_order *order, const char *field, const char *value)
{
    order->sets[order->set_count++] =
        (struct pb_api_order_set){ pb_str_from(field), pb_str_from(value) };
}

static void
an_order_says_in_one_way_what_is_to_be_done(void **state)
{
    static const struct {
        enum pb_order_verb verb;
        const char *by, *person, *why, *message;
    } cases[] = {
        { PB_ORDER_ADD, "", "doe", "", "order 1\nverb add\nperson doe\n" },
        { PB_ORDER_APPROVE, "sup", "doe", "", "order 1\nverb approve\nby sup\nperson doe\n" },
        { PB_ORDER_DISABLE, "", "doe", "left the agency",
          "order 1\nverb disable\nperson doe\nwhy left the agency\n" },
        { PB_ORDER_LINK, "adm", "doe", "", "order 1\nverb link\nby adm\nperson doe\n" },
        { PB_ORDER_UNLOCK, "", "doe", "", "order 1\nverb unlock\nperson doe\n" },
    };

    (void)state;
    static_assert(COUNT_OF(cases) == PB_ORDER_VERBS - 1, "each verb but change");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_api_order order =
            order_of(cases[i].verb, cases[i].by, cases[i].person, cases[i].why);
        struct pb_api_order read;
        char room[PB_ORDER_BYTES_MAX];
        struct pb_str message;

        assert_int_equal(PB_OK, pb_api_order_encode(&order, room, &message, NULL));
        assert_true(pb_str_equal(message, pb_str_from(cases[i].message)));
        assert_int_equal(PB_OK, pb_api_order_decode(message, &read));
        assert_int_equal(order.verb, read.verb);
        assert_true(pb_str_equal(order.by, read.by));
        assert_true(pb_str_equal(order.person, read.person));
        assert_true(pb_str_equal(order.why, read.why));
    }
}

static void
an_order_says_each_field_that_a_person_s_record_gets(void **state)
{
    static const char text[] = "order 1\nverb change\nby adm\nperson doe\n"
                               "set name=J. Doe = opal\nset permissions=\n";
    struct pb_api_order order = order_of(PB_ORDER_CHANGE, "adm", "doe", ""), read;
    char room[PB_ORDER_BYTES_MAX];
    struct pb_str message;

    (void)state;
    set(&order, "name", "J. Doe = opal");
    set(&order, "permissions", "");
    assert_int_equal(PB_OK, pb_api_order_encode(&order, room, &message, NULL));
    assert_true(pb_str_equal(message, pb_str_from(text)));
    assert_int_equal(PB_OK, pb_api_order_decode(message, &read));
    assert_int_equal(PB_ORDER_CHANGE, read.verb);
    assert_int_equal(2, read.set_count);
    for (unsigned i = 0; i < read.set_count; i++) {
        assert_true(pb_str_equal(order.sets[i].field, read.sets[i].field));
        assert_true(pb_str_equal(order.sets[i].value, read.sets[i].value));
    }
}

static void
an_order_with_more_fields_than_a_record_has_is_none(void **state)
{
    char room[PB_ORDER_BYTES_MAX];
    struct pb_text_out text = pb_text_out(room, sizeof(room));
    struct pb_api_order order;

    (void)state;
    pb_put_text(&text, "order 1\nverb change\nperson doe\n");
    for (unsigned i = 0; i < PB_ENTITY_FIELDS_MAX; i++)
        pb_put_text(&text, "set a=b\n");
    assert_int_equal(PB_OK, pb_api_order_decode((struct pb_str){ room, (uint32_t)(text.at - room) },
                                                &order));
    pb_put_text(&text, "set a=b\n");
    assert_int_equal(PB_BAD_INPUT,
                     pb_api_order_decode((struct pb_str){ room, (uint32_t)(text.at - room) },
                                         &order));
}

static void
what_is_no_order_is_not_taken_for_one(void **state)
{
    static const char *const messages[] = {
        "",
        "order 2\nverb add\nperson doe\n",
        "order 01\nverb add\nperson doe\n",
        "ordered 1\nverb add\nperson doe\n",
        "order 1\nperson doe\n",
        "order 1\nverb remove\nperson doe\n",
        "order 1\nverb add\n",
        "order 1\nverb add\nperson doe",
        "order 1\nverb add\nperson \n",
        "order 1\nverb add\nperson doe\nby sup\n",
        "order 1\nverb add\nperson doe\nperson opal\n",
        "order 1\nverb add\nperson doe\nand more\n",
        "order 1\nverb add\nby \x01\nperson doe\n",
        "order 1\nverb add\nperson \x80\n",
        "order 1\nverb add\nperson doe\nwhy \x7f\n",
        "order 1\nverb add\nperson doe\nset name=x\n",
        "order 1\nverb change\nperson doe\n",
        "order 1\nverb change\nperson doe\nset name\n",
        "order 1\nverb change\nperson doe\nset =x\n",
        "order 1\nverb change\nperson doe\nset name=x\nwhy left\n",
        "order 1\nverb change\nperson doe\nset name=\x01\n",
        "order 1\nverb change\nperson doe\nset \x01=x\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct pb_api_order order;

        if (pb_api_order_decode(pb_str_from(messages[i]), &order) != PB_BAD_INPUT)
            fail_msg("an order: %s", messages[i]);
    }
}

static void
what_cannot_be_sent_is_not_cut(void **state)
{
    struct pb_error error;
    char room[PB_ORDER_BYTES_MAX], large[PB_ORDER_BYTES_MAX];
    struct pb_str message;
    struct pb_api_order order;
    const struct pb_api_order torn[] = {
        order_of(PB_ORDER_DISABLE, "a\nb", "doe", "left"),
        order_of(PB_ORDER_DISABLE, "adm", "doe\nwhy x", "left"),
        order_of(PB_ORDER_DISABLE, "adm", "doe", "left\nthe agency"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(torn); i++)
        assert_int_equal(PB_BAD_INPUT, pb_api_order_encode(&torn[i], room, &message, &error));
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    order = order_of(PB_ORDER_DISABLE, "adm", "doe", large);
    assert_int_equal(PB_OVER_LIMIT, pb_api_order_encode(&order, room, &message, &error));
    order = order_of(PB_ORDER_CHANGE, "adm", "doe", "");
    set(&order, "name", large);
    assert_int_equal(PB_OVER_LIMIT, pb_api_order_encode(&order, room, &message, &error));
    order.sets[0].value = pb_str_from("J.\nDoe");
    assert_int_equal(PB_BAD_INPUT, pb_api_order_encode(&order, room, &message, &error));
    order.sets[0] = (struct pb_api_order_set){ pb_str_from("na\nme"), pb_str_from("J. Doe") };
    assert_int_equal(PB_BAD_INPUT, pb_api_order_encode(&order, room, &message, &error));
}

static void
what_came_of_an_order_is_said_in_full(void **state)
{
    static const struct {
        enum pb_status status;
        const char *code, *message;
        bool is_told;
    } cases[] = {
        { PB_OK, CODE, "", true },
        { PB_OK, "", "", true },
        { PB_NOT_FOUND, "", "", true },
        { PB_DENIED, "", "who asks may not", true },
        { PB_E_POISONED, "", "an earlier sync failed", true },
        { PB_BAD_INPUT, "", "a message\nof two lines", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_api_ordered ordered = { .status = cases[i].status }, read;
        char room[PB_ORDER_BYTES_MAX];

        (void)snprintf(ordered.code, sizeof(ordered.code), "%s", cases[i].code);
        (void)snprintf(ordered.error.message, sizeof(ordered.error.message), "%s",
                       cases[i].message);
        assert_int_equal(PB_OK,
                         pb_api_ordered_decode(pb_api_ordered_encode(&ordered, room), &read));
        assert_int_equal(cases[i].status, read.status);
        assert_string_equal(cases[i].code, read.code);
        assert_string_equal(cases[i].is_told ? cases[i].message : "", read.error.message);
    }
}

static void
the_longest_message_is_told(void **state)
{
    struct pb_api_ordered ordered = { .status = PB_E_IO, .code = CODE }, read;
    char room[PB_ORDER_BYTES_MAX];

    (void)state;
    memset(ordered.error.message, 'x', sizeof(ordered.error.message) - 1);
    assert_int_equal(PB_OK, pb_api_ordered_decode(pb_api_ordered_encode(&ordered, room), &read));
    assert_string_equal(ordered.error.message, read.error.message);
}

static void
what_is_no_answer_is_not_taken_for_one(void **state)
{
    static const char *const messages[] = {
        "",
        "ordered 2\nstatus ok\n",
        "order 1\nstatus ok\n",
        "ordered 1\n",
        "ordered 1\nstatus done\n",
        "ordered 1\nstatus ok\ncode " CODE "H\n",
        "ordered 1\nstatus ok\ncode \x01\n",
        "ordered 1\nstatus ok\nmessage \x01\n",
        "ordered 1\nstatus ok\nmessage done\ncode " CODE "\n",
        "ordered 1\nstatus ok\nand more\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct pb_api_ordered ordered;

        if (pb_api_ordered_decode(pb_str_from(messages[i]), &ordered) != PB_BAD_INPUT)
            fail_msg("an answer: %s", messages[i]);
    }
}

/* ---- at a service ---- */

struct people {
    struct site_room room;
    struct service service;
    struct browser doe, adm;
};

static int
setup(void **state)
{
    struct people *people = calloc(1, sizeof(*people));

    assert_non_null(people);
    room_init(&people->room);
    service_init(&people->service);
    people->service.env = people->room.env;
    people->service.options.site = people->room.site;
    people->service.options.password_memory_bytes = 8192;
    people->service.options.password_passes = 1;
    room_account(&people->room, "doe", "adm");
    room_account(&people->room, "adm", "sup");
    browser_init(&people->doe, &people->service, &people->room.now_us, "doe");
    browser_init(&people->adm, &people->service, &people->room.now_us, "adm");
    service_start(&people->service);
    browser_enrol(&people->adm, &people->room);
    *state = people;
    return 0;
}

static int
teardown(void **state)
{
    struct people *people = *state;

    browser_done(&people->doe);
    browser_done(&people->adm);
    service_done(&people->service);
    room_done(&people->room);
    free(people);
    return 0;
}

static struct pb_api_ordered
take(struct people *people, enum pb_order_verb verb, const char *by, const char *person,
     const char *why)
{
    const struct pb_api_order order = order_of(verb, by, person, why);
    struct pb_api_ordered ordered;

    pb_api_order_take(people->service.api, &order, &ordered);
    return ordered;
}

/* The newest change on record is of somebody's account, and the operator's. */
static void
expect_on_record(struct people *people, const char *verb, const char *person)
{
    struct room_found found;
    char says[64];

    assert_true(room_leaves(&people->room, "kansas-pd", "change", &found) > 0);
    (void)snprintf(says, sizeof(says), "\"entity\":\"account\",\"verb\":\"%s\"", verb);
    assert_says(found.leaf, says);
    (void)snprintf(says, sizeof(says), "id=%s\n", person);
    assert_says(found.secrets, says);
    assert_null(strstr(found.secrets, "person="));
}

static void
an_agency_without_anybody_who_can_sign_in_is_let_in_again(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm;
    struct pb_api_ordered ordered;

    ordered = take(people, PB_ORDER_DISABLE, "", "adm", "lost the telephone");
    assert_int_equal(PB_OK, ordered.status);
    expect_on_record(people, "disable", "adm");
    browser_expect(adm, 401, browser_get(adm, "/v1/session"));
    browser_expect(adm, 401, browser_sign_in(adm));

    ordered = take(people, PB_ORDER_LINK, "", "adm", "");
    assert_int_equal(PB_BAD_INPUT, ordered.status);
    assert_string_equal("", ordered.code);
    assert_int_equal(PB_OK, take(people, PB_ORDER_APPROVE, "sup", "adm", "").status);
    ordered = take(people, PB_ORDER_LINK, "", "adm", "");
    assert_int_equal(PB_OK, ordered.status);
    expect_on_record(people, "link", "adm");
    adm->cookie[0] = adm->csrf[0] = '\0';
    browser_expect(adm, 201, browser_follow(adm, ordered.code));
    browser_expect(adm, 401, browser_follow(adm, ordered.code));
}

static struct pb_api_ordered
change(struct people *people, const char *by, const char *person, const char *field,
       const char *value)
{
    struct pb_api_order order = order_of(PB_ORDER_CHANGE, by, person, "");
    struct pb_api_ordered ordered;

    set(&order, field, value);
    pb_api_order_take(people->service.api, &order, &ordered);
    return ordered;
}

static void
who_is_kept_out_by_the_catalog_is_let_in_again(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm;
    struct room_found found;

    assert_int_equal(PB_OK, change(people, "", "adm", "status", "suspended").status);
    browser_expect(adm, 401, browser_get(adm, "/v1/session"));
    browser_expect(adm, 401, browser_sign_in(adm));
    assert_int_equal(PB_OK, change(people, "", "adm", "status", "active").status);
    browser_expect(adm, 201, browser_sign_in(adm));
    assert_true(room_leaves(&people->room, "kansas-pd", "change", &found) > 0);
    assert_says(found.leaf, "\"entity\":\"person\",\"verb\":\"change\"");
    assert_says(found.secrets, "id=adm\n");
    assert_null(strstr(found.secrets, "person="));
}

static bool
take_mark(void *context, const struct pb_record *record)
{
    pb_site_record_mark(record, context);
    return true;
}

static void
mark_of(struct people *people, const char *person, char ret_mark[PB_RECORD_MARK_BYTES])
{
    const struct pb_actor machine = { .person = NULL };

    assert_int_equal(PB_OK, pb_site_show(people->room.site, &machine, pb_catalog_entity("person"),
                                         person, take_mark, ret_mark, NULL));
}

static void
what_no_record_takes_is_not_changed(void **state)
{
    static const struct {
        const char *by, *person, *field, *value;
        enum pb_status status;
    } cases[] = {
        { "", "adm", "id", "opal", PB_BAD_INPUT },
        { "", "adm", "agency", "kansas-pd", PB_BAD_INPUT },
        { "", "adm", "shoe_size", "44", PB_BAD_INPUT },
        { "", "adm", "status", "asleep", PB_BAD_INPUT },
        { "", "nobody", "name", "N. Obody", PB_NOT_FOUND },
        { "doe", "adm", "name", "A. Dmin", PB_DENIED },
        { "nobody", "adm", "name", "A. Dmin", PB_DENIED },
    };
    struct people *people = *state;
    struct pb_api_order twice = order_of(PB_ORDER_CHANGE, "", "adm", "");
    struct pb_api_ordered ordered;
    char large[2 * PB_ORDER_BYTES_MAX];
    char before[PB_RECORD_MARK_BYTES], after[PB_RECORD_MARK_BYTES];

    mark_of(people, "adm", before);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ordered = change(people, cases[i].by, cases[i].person, cases[i].field, cases[i].value);
        if (ordered.status != cases[i].status)
            fail_msg("case %zu: %s: %s", i, pb_status_name(ordered.status), ordered.error.message);
    }
    set(&twice, "name", "A. Dmin");
    set(&twice, "name", "B. Dmin");
    pb_api_order_take(people->service.api, &twice, &ordered);
    assert_int_equal(PB_BAD_INPUT, ordered.status);
    /* What no message could bring. */
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(PB_OVER_LIMIT, change(people, "", large, "name", "x").status);
    assert_int_equal(PB_OVER_LIMIT, change(people, large, "adm", "name", "x").status);
    assert_int_equal(PB_OVER_LIMIT, change(people, "", "adm", "name", large).status);
    mark_of(people, "adm", after);
    assert_string_equal(before, after);
}

static void
a_link_ends_the_sessions_of_before(void **state)
{
    struct people *people = *state;

    browser_expect(&people->adm, 200, browser_get(&people->adm, "/v1/session"));
    assert_int_equal(PB_OK, take(people, PB_ORDER_LINK, "", "adm", "").status);
    browser_expect(&people->adm, 401, browser_get(&people->adm, "/v1/session"));
}

static void
who_was_locked_out_by_others_may_try_again(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm, *other = &people->doe;

    browser_agree(other);
    for (unsigned i = 0; i < 5; i++)
        browser_expect(other, 401,
                       browser_sign_in_with(other, "adm", "a wrong sentence", "totp", "000000"));
    browser_expect(other, 429,
                   browser_sign_in_with(other, "adm", "a wrong sentence", "totp", "000000"));
    assert_int_equal(PB_OK, take(people, PB_ORDER_UNLOCK, "", "adm", "").status);
    expect_on_record(people, "unlock", "adm");
    (void)snprintf(other->totp, sizeof(other->totp), "%s", adm->totp);
    (void)snprintf(other->person, sizeof(other->person), "adm");
    browser_expect(other, 201, browser_sign_in(other));
}

static void
what_may_not_be_done_is_not_done_and_leaves_nothing(void **state)
{
    static const struct {
        enum pb_order_verb verb;
        const char *by, *person, *why;
        enum pb_status status;
    } cases[] = {
        { PB_ORDER_ADD, "", "adm", "", PB_CONFLICT },
        { PB_ORDER_ADD, "", "nobody", "", PB_BAD_INPUT },
        { PB_ORDER_APPROVE, "adm", "adm", "", PB_BAD_INPUT },
        { PB_ORDER_APPROVE, "", "adm", "", PB_BAD_INPUT },
        { PB_ORDER_DISABLE, "", "adm", "", PB_BAD_INPUT },
        { PB_ORDER_DISABLE, "", "nobody", "gone", PB_NOT_FOUND },
        { PB_ORDER_LINK, "doe", "adm", "", PB_BAD_INPUT },
        { PB_ORDER_LINK, "", "nobody", "", PB_NOT_FOUND },
        { PB_ORDER_UNLOCK, "adm", "adm", "", PB_BAD_INPUT },
        { PB_ORDER_UNLOCK, "", "nobody", "", PB_NOT_FOUND },
    };
    struct people *people = *state;
    uint64_t before = room_leaves(&people->room, "kansas-pd", "change", NULL);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_api_ordered ordered =
            take(people, cases[i].verb, cases[i].by, cases[i].person, cases[i].why);

        if (ordered.status != cases[i].status)
            fail_msg("case %zu: %s: %s", i, pb_status_name(ordered.status), ordered.error.message);
        assert_string_equal("", ordered.code);
    }
    assert_int_equal(before, room_leaves(&people->room, "kansas-pd", "change", NULL));
    browser_expect(&people->adm, 200, browser_get(&people->adm, "/v1/session"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        cmocka_unit_test(an_order_says_in_one_way_what_is_to_be_done),
        cmocka_unit_test(an_order_says_each_field_that_a_person_s_record_gets),
        cmocka_unit_test(an_order_with_more_fields_than_a_record_has_is_none),
        cmocka_unit_test(what_is_no_order_is_not_taken_for_one),
        cmocka_unit_test(what_cannot_be_sent_is_not_cut),
        cmocka_unit_test(what_came_of_an_order_is_said_in_full),
        cmocka_unit_test(the_longest_message_is_told),
        cmocka_unit_test(what_is_no_answer_is_not_taken_for_one),
        CASE(an_agency_without_anybody_who_can_sign_in_is_let_in_again),
        CASE(who_is_kept_out_by_the_catalog_is_let_in_again),
        CASE(what_no_record_takes_is_not_changed),
        CASE(a_link_ends_the_sessions_of_before),
        CASE(who_was_locked_out_by_others_may_try_again),
        CASE(what_may_not_be_done_is_not_done_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
