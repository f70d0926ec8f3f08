/*
 * Signing in at a provider over HTTP: who is let in, who has to wait, who is refused.
 */
#include "api/ways.h"

#include "api/provider.h"
#include "api/secret.h"

#include <liboath/oath.h>

struct journey {
    struct ways ways;
    struct provider provider;
    struct pb_oidc_provider configured[2];
    char url[PB_OIDC_URL_BYTES];
    char state[64];
};

static int64_t
now_s(const struct journey *journey)
{
    return journey->ways.room.now_us / 1000000;
}

static int
setup(void **state)
{
    struct journey *journey = calloc(1, sizeof(*journey));

    assert_non_null(journey);
    provider_start(&journey->provider, "ES256");
    ways_init(&journey->ways);
    ways_account(&journey->ways, "doe");
    journey->configured[0] = (struct pb_oidc_provider){
        .name = "county",
        .label = "County sign-in",
        .issuer = journey->provider.issuer,
        .client = "platebase",
        .secret = "secret",
        .scopes = "openid profile",
        .person_claim = "preferred_username",
        .agency = "kansas-pd",
        .groups_claim = "groups",
        .roles = { { "g-inv", "investigator" }, { "g-adm", "administrator" } },
        .amr = { "mfa" },
    };
    journey->configured[1] = journey->configured[0];
    journey->configured[1].name = "state";
    journey->ways.service.options.providers = journey->configured;
    journey->ways.service.options.provider_count = 2;
    *state = journey;
    return 0;
}

static int
teardown(void **state)
{
    struct journey *journey = *state;

    ways_done(&journey->ways);
    provider_stop(&journey->provider);
    free(journey);
    return 0;
}

static struct journey *
start(void **state)
{
    struct journey *journey = *state;

    service_start(&journey->ways.service);
    return journey;
}

/* ---- the browser's way ---- */

static int
leave_for(struct journey *journey, const char *provider)
{
    struct ways *ways = &journey->ways;
    char body[128], target[64];
    int status;

    if (ways->browser.consent[0] == '\0')
        ways_read_splash(ways);
    (void)snprintf(body, sizeof(body), "{\"consent\":\"%s\"}", ways->browser.consent);
    (void)snprintf(target, sizeof(target), "/v1/session/oidc/%s", provider);
    status = browse_as(ways, &ways->browser, "POST", target, "/v1/session/oidc/{provider}",
                       "application/json", body);
    if (status == 200) {
        (void)snprintf(journey->url, sizeof(journey->url), "%s", browsed_text(ways, "url"));
        assert_true(form_value(strchr(journey->url, '?') + 1, "state", journey->state,
                               sizeof(journey->state)));
    }
    return status;
}

static int
come_back(struct journey *journey, const char *query)
{
    struct ways *ways = &journey->ways;
    char target[8192];

    (void)snprintf(target, sizeof(target), "/v1/session/oidc/county/return?%s", query);
    return browse_as(ways, &ways->browser, "GET", target, "/v1/session/oidc/{provider}/return",
                     NULL, NULL);
}

/* There, where somebody signs in, and back. */
static int
travel(struct journey *journey, const char *person, const char *more)
{
    char query[256];

    assert_int_equal(200, leave_for(journey, "county"));
    provider_claim(&journey->provider, journey->url, now_s(journey), person, more);
    (void)snprintf(query, sizeof(query), "code=%s&state=%s", PROVIDER_CODE, journey->state);
    return come_back(journey, query);
}

static void
expect_travel(struct journey *journey, int wanted, const char *person, const char *more,
              const char *has)
{
    int status = travel(journey, person, more);

    if (status != wanted || strstr(journey->ways.browser.text, has) == NULL)
        fail_msg("wanted %d (%s), got %d: %s", wanted, has, status, journey->ways.browser.text);
}

#define INVESTIGATOR ",\"groups\":[\"g-inv\"],\"amr\":[\"pwd\",\"mfa\"]"
#define ONE_FACTOR ",\"groups\":[\"g-inv\"],\"amr\":[\"pwd\"]"

static bool
is_signed_in(struct journey *journey)
{
    return browse(&journey->ways, "GET", "/v1/session", NULL) == 200;
}

/* ---- cases ---- */

static void
who_comes_back_with_more_than_one_factor_is_in(void **state)
{
    struct journey *journey = start(state);
    struct ways *ways = &journey->ways;

    expect_browse(ways, 200, "GET", "/v1/session/providers", NULL);
    assert_string_equal("{\"passkeys\":true,\"providers\":["
                        "{\"name\":\"county\",\"label\":\"County sign-in\"},"
                        "{\"name\":\"state\",\"label\":\"County sign-in\"}]}\n",
                        ways->browser.text);
    expect_travel(journey, 200, "doe", INVESTIGATOR, "You are signed in");
    expect_in(ways->browser.text, "http-equiv=\"refresh\"");
    assert_true(is_signed_in(journey));
    expect_in(ways->browser.text, "\"methods\":[\"provider\"]");
    expect_in(ways->browser.text, "\"person\":\"doe\"");
    assert_null(
        strstr(ways->browser.text, "stepped_up_until")); /* when they proved it is not known */
    /* The other provider's answers are not for this one. */
    browser_done(&ways->browser);
    assert_int_equal(200, leave_for(journey, "state"));
    provider_claim(&journey->provider, journey->url, now_s(journey), "doe", INVESTIGATOR);
    {
        char query[256];

        (void)snprintf(query, sizeof(query), "code=%s&state=%s", PROVIDER_CODE, journey->state);
        assert_int_equal(401, come_back(journey, query));
    }
    assert_false(is_signed_in(journey));
}

static void
who_the_provider_may_not_speak_for_is_refused(void **state)
{
    static const struct {
        const char *person, *more;
    } cases[] = {
        { "nobody", INVESTIGATOR },                             /* not in the catalog */
        { "roe", INVESTIGATOR },                                /* of coast-pd */
        { "agent", INVESTIGATOR },                              /* of the bureau */
        { "doe", ",\"amr\":[\"mfa\"]" },                        /* in no group */
        { "doe", ",\"groups\":[\"g-adm\"],\"amr\":[\"mfa\"]" }, /* of another role */
        { "doe", ",\"groups\":[\"other\"],\"role\":\"investigator\"" },
        { "doe@example.org", INVESTIGATOR },
        { "", INVESTIGATOR },
    };
    struct journey *journey = start(state);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        expect_travel(journey, 401, cases[i].person, cases[i].more, "signs nobody in here");
        assert_false(is_signed_in(journey));
    }
}

static void
ways_back_that_are_none(void **state)
{
    struct journey *journey = start(state);
    struct ways *ways = &journey->ways;
    char query[512], attempt[64];

    /* Nobody was sent. */
    (void)snprintf(query, sizeof(query), "code=%s&state=%s", PROVIDER_CODE, "x");
    assert_int_equal(401, come_back(journey, query));
    /* From a browser that was not sent: somebody else's code and state. */
    assert_int_equal(200, leave_for(journey, "county"));
    provider_claim(&journey->provider, journey->url, now_s(journey), "doe", INVESTIGATOR);
    (void)snprintf(query, sizeof(query), "code=%s&state=%s", PROVIDER_CODE, journey->state);
    memcpy(attempt, ways->browser.attempt, sizeof(attempt));
    ways->browser.attempt[0] = '\0';
    assert_int_equal(401, come_back(journey, query));
    memcpy(ways->browser.attempt, attempt, sizeof(attempt));
    assert_int_equal(200, come_back(journey, query));
    /* Twice. */
    ways->browser.session[0] = '\0';
    assert_int_equal(401, come_back(journey, query));
    /* Another state; the attempt is used up by it. */
    assert_int_equal(200, leave_for(journey, "county"));
    assert_int_equal(401, come_back(journey, "code=a&state=b"));
    (void)snprintf(query, sizeof(query), "code=%s&state=%s", PROVIDER_CODE, journey->state);
    assert_int_equal(401, come_back(journey, query));
    /* Said no; with words of its own that nobody here knows. */
    assert_int_equal(200, leave_for(journey, "county"));
    (void)snprintf(query, sizeof(query),
                   "error=access_denied&error_description=no&state=%s&session_state=1&x=2",
                   journey->state);
    assert_int_equal(401, come_back(journey, query));
    /* Too late. */
    assert_int_equal(200, leave_for(journey, "county"));
    provider_claim(&journey->provider, journey->url, now_s(journey) + 300, "doe", INVESTIGATOR);
    (void)snprintf(query, sizeof(query), "code=%s&state=%s", PROVIDER_CODE, journey->state);
    ways->room.now_us += 5 * MINUTE_US;
    assert_int_equal(401, come_back(journey, query));
    assert_false(is_signed_in(journey));
}

static void
nobody_is_sent_without_agreeing_or_to_nowhere(void **state)
{
    struct journey *journey = start(state);
    struct ways *ways = &journey->ways;

    assert_int_equal(404, leave_for(journey, "nowhere"));
    (void)snprintf(ways->browser.consent, sizeof(ways->browser.consent), "no");
    assert_int_equal(403, leave_for(journey, "county"));
    ways->browser.consent[0] = '\0';
    assert_int_equal(400, browse_as(ways, &ways->browser, "POST", "/v1/session/oidc/county",
                                    "/v1/session/oidc/{provider}", "application/json", "{}"));
    assert_string_equal("", ways->browser.attempt);
    assert_int_equal(0, journey->provider.documents);
}

static void
a_provider_that_does_not_answer_is_said_to_be_so(void **state)
{
    struct journey *journey = start(state);

    journey->provider.status = 500;
    assert_int_equal(502, leave_for(journey, "county"));
    expect_in(journey->ways.browser.text, "\"title\":\"Bad Gateway\"");
    assert_int_equal(503, leave_for(journey, "county"));
    journey->ways.room.now_us += MINUTE_US;
    journey->provider.status = 200;
    assert_int_equal(200, leave_for(journey, "county"));
}

static void
who_has_no_account_has_one_requested(void **state)
{
    struct journey *journey = start(state);
    struct site_room *room = &journey->ways.room;
    struct pb_api_account account;
    struct pb_arena arena;

    pb_arena_init(&arena, pb_env_system(), 4096);
    room_expect(room, PB_NOT_FOUND,
                pb_api_account_find(room->site, pb_str_from("sup"), &arena, &account, &room->error),
                "no account yet");
    expect_travel(journey, 401, "sup", INVESTIGATOR, "signs nobody in"); /* a supervisor */
    expect_travel(journey, 403, "adm", ",\"groups\":[\"g-adm\"],\"amr\":[\"mfa\"]",
                  "approve your account");
    room_expect(room, PB_OK,
                pb_api_account_find(room->site, pb_str_from("adm"), &arena, &account, &room->error),
                "requested");
    assert_int_equal(PB_ACCOUNT_REQUESTED, account.state);
    /* And again, until somebody approves. */
    expect_travel(journey, 403, "adm", ",\"groups\":[\"g-adm\"],\"amr\":[\"mfa\"]",
                  "approve your account");
    assert_false(is_signed_in(journey));
    room_expect(room, PB_OK,
                pb_api_account_disable(room->env, room->site, (struct pb_str){ NULL, 0 },
                                       pb_str_from("doe"), pb_str_from("left"), &room->error),
                "disable");
    expect_travel(journey, 403, "doe", INVESTIGATOR, "approve");
    assert_false(is_signed_in(journey));
    pb_arena_clear(&arena);
}

static bool
on_person(void *context, const struct pb_record *record)
{
    char *text = context;

    for (unsigned i = 0; i < record->entity->field_count; i++)
        (void)snprintf(text + strlen(text), 512 - strlen(text), "%s=%s;",
                       record->entity->fields[i].name,
                       record->values[i] != NULL ? record->values[i] : "");
    return true;
}

static void
who_is_not_in_the_catalog_may_be_added_to_be_approved(void **state)
{
    struct journey *journey = *state;
    struct site_room *room = &journey->ways.room;
    char text[512] = "";

    journey->configured[0].adds_people = true;
    service_start(&journey->ways.service);
    expect_travel(journey, 401, "newcomer", ",\"groups\":[\"other\"]", "signs nobody in");
    room_expect(room, PB_NOT_FOUND,
                pb_catalog_show(pb_site_catalog(room->site), pb_catalog_entity("person"),
                                "newcomer", on_person, text, &room->error),
                "not added");
    expect_travel(journey, 403, "newcomer", INVESTIGATOR, "approve your account");
    room_expect(room, PB_OK,
                pb_catalog_show(pb_site_catalog(room->site), pb_catalog_entity("person"),
                                "newcomer", on_person, text, &room->error),
                "added");
    expect_in(text, "agency=kansas-pd;");
    expect_in(text, "role=investigator;");
    expect_in(text, "status=requested;");
    expect_travel(journey, 403, "newcomer", INVESTIGATOR, "approve your account");
    assert_false(is_signed_in(journey));
}

static void
another_subject_under_the_same_name_is_refused(void **state)
{
    struct journey *journey = start(state);
    struct ways *ways = &journey->ways;
    char query[256], *at;

    expect_travel(journey, 200, "doe", INVESTIGATOR, "signed in");
    browser_done(&ways->browser);
    assert_int_equal(200, leave_for(journey, "county"));
    provider_claim(&journey->provider, journey->url, now_s(journey), "doe", INVESTIGATOR);
    at = strstr(journey->provider.claims, "sub-doe");
    assert_non_null(at);
    at[0] = 'S';
    (void)snprintf(query, sizeof(query), "code=%s&state=%s", PROVIDER_CODE, journey->state);
    assert_int_equal(401, come_back(journey, query));
    assert_false(is_signed_in(journey));
    expect_travel(journey, 200, "doe", INVESTIGATOR, "signed in");
}

/* ---- a code on top ---- */

static void
make_code(const uint8_t secret[PB_TOTP_SECRET_BYTES], int64_t at_s, char code[8])
{
    assert_int_equal(OATH_OK, oath_totp_generate((const char *)secret, PB_TOTP_SECRET_BYTES,
                                                 (time_t)at_s, 30, 0, 6, code));
}

/* Gives doe a secret for one-time codes. */
static void
give_secret(struct journey *journey, uint8_t secret[PB_TOTP_SECRET_BYTES])
{
    struct site_room *room = &journey->ways.room;
    char sealed[PB_TOTP_SEALED_BYTES];
    struct pb_api_account account;
    struct pb_arena arena;

    memset(secret, 7, PB_TOTP_SECRET_BYTES);
    pb_arena_init(&arena, pb_env_system(), 4096);
    room_expect(room, PB_OK,
                pb_totp_seal(room->env, room->site, pb_str_from("doe"), secret, sealed,
                             &room->error),
                "seal");
    room_expect(room, PB_OK,
                pb_api_account_find(room->site, pb_str_from("doe"), &arena, &account, &room->error),
                "find");
    account.totp = pb_str_from(sealed);
    room_expect(room, PB_OK, pb_api_account_swap(room->site, &account, &room->error), "swap");
    pb_arena_clear(&arena);
}

static int
send_code(struct journey *journey, const char *code)
{
    struct ways *ways = &journey->ways;
    char body[64];

    (void)snprintf(body, sizeof(body), "totp=%s", code);
    return browse_as(ways, &ways->browser, "POST", "/v1/session/oidc-code", "/v1/session/oidc-code",
                     "application/x-www-form-urlencoded", body);
}

static void
one_factor_there_takes_a_code_here(void **state)
{
    struct journey *journey = start(state);
    struct ways *ways = &journey->ways;
    uint8_t secret[PB_TOTP_SECRET_BYTES];
    char code[8], wrong[8];

    expect_travel(journey, 403, "doe", ONE_FACTOR, "set one-time codes here first");
    give_secret(journey, secret);
    expect_travel(journey, 200, "doe", ONE_FACTOR, "action=\"/v1/session/oidc-code\"");
    assert_false(is_signed_in(journey));
    make_code(secret, now_s(journey), code);
    memcpy(wrong, code, sizeof(wrong));
    wrong[0] = wrong[0] == '0' ? '1' : '0';
    assert_int_equal(401, send_code(journey, wrong));
    assert_int_equal(400, send_code(journey, "1&x=2"));
    assert_int_equal(200, send_code(journey, code));
    expect_in(ways->browser.text, "You are signed in");
    assert_true(is_signed_in(journey));
    expect_in(ways->browser.text, "\"methods\":[\"totp\",\"provider\"]");
    expect_in(ways->browser.text, "\"stepped_up_until\"");
    /* The step is used up, and so is the way. */
    ways->browser.session[0] = '\0';
    assert_int_equal(401, send_code(journey, code));
    expect_travel(journey, 200, "doe", ONE_FACTOR, "oidc-code");
    assert_int_equal(401, send_code(journey, code));
    assert_false(is_signed_in(journey));
}

static void
codes_can_be_tried_five_times(void **state)
{
    struct journey *journey = start(state);
    uint8_t secret[PB_TOTP_SECRET_BYTES];
    char code[8], wrong[8];

    give_secret(journey, secret);
    expect_travel(journey, 200, "doe", ONE_FACTOR, "oidc-code");
    make_code(secret, now_s(journey), code);
    memcpy(wrong, code, sizeof(wrong));
    wrong[0] = wrong[0] == '0' ? '1' : '0';
    for (int i = 0; i < 5; i++)
        assert_int_equal(401, send_code(journey, wrong));
    assert_int_equal(401, send_code(journey, code)); /* the way is used up */
    expect_travel(journey, 200, "doe", ONE_FACTOR, "oidc-code");
    assert_int_equal(429, send_code(journey, code));
    assert_false(is_signed_in(journey));
}

static void
memory_that_fails_signs_nobody_in_by_half(void **state)
{
    struct journey *journey = start(state);
    struct site_room *room = &journey->ways.room;
    uint64_t fail_at = 0;
    int status = 0;

    while (status != 200) {
        char query[256];

        assert_int_equal(200, leave_for(journey, "county"));
        provider_claim(&journey->provider, journey->url, now_s(journey), "doe", INVESTIGATOR);
        (void)snprintf(query, sizeof(query), "code=%s&state=%s", PROVIDER_CODE, journey->state);
        room->fault.fail_allocation_at = room->fault.allocation_count + ++fail_at;
        status = come_back(journey, query);
        room->fault.fail_allocation_at = 0;
        assert_true(status == 200 || status == 503);
        assert_true((status == 200) == (journey->ways.browser.session[0] != '\0'));
        room->now_us += MINUTE_US;
    }
    assert_in_range(fail_at, 5, 500);
    assert_true(is_signed_in(journey));
}

static void
without_providers_nobody_is_sent_anywhere(void **state)
{
    struct journey *journey = *state;

    journey->ways.service.options.provider_count = 0;
    service_start(&journey->ways.service);
    assert_int_equal(503, leave_for(journey, "county"));
    assert_int_equal(503, come_back(journey, "code=a&state=b"));
    assert_int_equal(503, send_code(journey, "123456"));
}

static void
nothing_of_a_person_or_a_code_is_logged(void **state)
{
    struct journey *journey = start(state);
    struct fixture *fixture = &journey->ways.service.fixture;

    expect_travel(journey, 401, "nobody", INVESTIGATOR, "");
    expect_travel(journey, 200, "doe", INVESTIGATOR, "");
    (void)pthread_mutex_lock(&fixture->lock);
    expect_in(fixture->logged, "nobody of the catalog");
    assert_null(strstr(fixture->logged, "doe"));
    assert_null(strstr(fixture->logged, PROVIDER_CODE));
    assert_null(strstr(fixture->logged, journey->state));
    (void)pthread_mutex_unlock(&fixture->lock);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(who_comes_back_with_more_than_one_factor_is_in),
        CASE(who_the_provider_may_not_speak_for_is_refused),
        CASE(ways_back_that_are_none),
        CASE(nobody_is_sent_without_agreeing_or_to_nowhere),
        CASE(a_provider_that_does_not_answer_is_said_to_be_so),
        CASE(who_has_no_account_has_one_requested),
        CASE(who_is_not_in_the_catalog_may_be_added_to_be_approved),
        CASE(another_subject_under_the_same_name_is_refused),
        CASE(one_factor_there_takes_a_code_here),
        CASE(codes_can_be_tried_five_times),
        CASE(memory_that_fails_signs_nobody_in_by_half),
        CASE(without_providers_nobody_is_sent_anywhere),
        CASE(nothing_of_a_person_or_a_code_is_logged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
