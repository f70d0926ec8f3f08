/*
 * OIDC: to a provider and back, and what is not believed on the way.
 */
#include "api/provider.h"

#include "api/attempts.h"
#include "support/fault_env.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND INT64_C(1000000000)

struct trip {
    struct provider provider;
    struct pb_oidc_provider configured;
    struct pb_env env;
    int64_t now_ns;
    struct pb_oidc *oidc;
    struct pb_attempt attempt;
    char url[PB_OIDC_URL_BYTES], state[64];
    struct pb_arena arena;
    struct pb_oidc_identity identity;
    const char *why;
    struct pb_error error;
};

static int64_t
trip_now(void *context)
{
    return ((struct trip *)context)->now_ns;
}

static int64_t
trip_now_us(void *context)
{
    return 1800000000000000 + ((struct trip *)context)->now_ns / 1000;
}

static int64_t
now_s(struct trip *trip)
{
    return trip_now_us(trip) / 1000000;
}

static void
trip_open(struct trip *trip)
{
    if (pb_oidc_new(&trip->env, &trip->configured, 1, "https://plates.example.org", &trip->oidc,
                    &trip->error) != PB_OK)
        fail_msg("%s", trip->error.message);
}

static void
trip_start(struct trip *trip, const char *algorithm)
{
    memset(trip, 0, sizeof(*trip));
    trip->env = *pb_env_system();
    trip->env.monotonic_ns = trip_now;
    trip->env.now_us = trip_now_us;
    trip->env.clock_context = trip;
    trip->now_ns = 5000 * SECOND;
    provider_start(&trip->provider, algorithm);
    trip->configured = (struct pb_oidc_provider){
        .name = "county",
        .label = "County",
        .issuer = trip->provider.issuer,
        .client = "platebase",
        .secret = "s3cret & more",
        .scopes = "openid profile",
        .person_claim = "preferred_username",
        .agency = "kansas-pd",
        .groups_claim = "groups",
        .roles = { { "plates-investigators", "investigator" }, { "plates-auditors", "auditor" } },
        .amr = { "mfa", "hwk" },
    };
    trip_open(trip);
    pb_arena_init(&trip->arena, pb_env_system(), 1024);
}

static void
trip_end(struct trip *trip)
{
    pb_oidc_free(trip->oidc);
    pb_arena_clear(&trip->arena);
    provider_stop(&trip->provider);
}

/* To the provider, where somebody signs in. */
static enum pb_status
trip_begin(struct trip *trip)
{
    enum pb_status status;

    trip->attempt = (struct pb_attempt){ .kind = PB_ATTEMPT_OIDC };
    assert_int_equal(PB_OK, pb_attempt_fill(pb_env_system(), &trip->attempt));
    status = pb_oidc_begin(trip->oidc, &trip->attempt, trip->url, &trip->error);
    if (status == PB_OK) {
        assert_true(
            form_value(strchr(trip->url, '?') + 1, "state", trip->state, sizeof(trip->state)));
        provider_claim(&trip->provider, trip->url, now_s(trip), "doe", "");
    }
    return status;
}

static enum pb_status
trip_return(struct trip *trip, const char *code, const char *state, const char *issuer,
            const char *wrong)
{
    struct pb_oidc_return brought = { pb_str_from(code), pb_str_from(state), pb_str_from(issuer),
                                      pb_str_from(wrong) };

    trip->why = "";
    return pb_oidc_finish(trip->oidc, &trip->attempt, &brought, &trip->arena, &trip->identity,
                          &trip->why, &trip->error);
}

static enum pb_status
trip_finish(struct trip *trip)
{
    return trip_return(trip, PROVIDER_CODE, trip->state, NULL, NULL);
}

static void
expect_refused(struct trip *trip, enum pb_status status, const char *has)
{
    if (status != PB_BAD_INPUT || strstr(trip->why, has) == NULL)
        fail_msg("wanted '%s', got %s: %s %s", has, pb_status_name(status), trip->why,
                 trip->error.message);
}

/* ---- the way that is right ---- */

static void
somebody_signs_in_with_each_algorithm(void **state)
{
    static const char *const algorithms[] = { "RS256", "PS256", "ES256", "EdDSA" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        struct trip trip;

        trip_start(&trip, algorithms[i]);
        assert_int_equal(PB_OK, trip_begin(&trip));
        if (trip_finish(&trip) != PB_OK)
            fail_msg("%s: %s %s", algorithms[i], trip.why, trip.error.message);
        assert_true(pb_str_equal(trip.identity.person, pb_str_from("doe")));
        assert_true(pb_str_equal(trip.identity.subject, pb_str_from("sub-doe")));
        assert_int_equal(0, trip.identity.roles);
        assert_false(trip.identity.is_mfa);
        trip_end(&trip);
    }
}

static void
a_browser_is_sent_with_all_that_binds_it(void **state)
{
    static const char *const parts[] = {
        "/authorize?response_type=code&client_id=platebase&scope=openid%20profile&",
        "redirect_uri=https%3A%2F%2Fplates.example.org%2Fv1%2Fsession%2Foidc%2Fcounty%2Freturn",
        "&code_challenge_method=S256",
    };
    char before[PB_OIDC_URL_BYTES], text[64];
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    assert_int_equal(PB_OK, trip_begin(&trip));
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        expect_in(trip.url, parts[i]);
    assert_int_equal(43, strlen(trip.state));
    assert_true(form_value(strchr(trip.url, '?') + 1, "nonce", text, sizeof(text)));
    assert_int_equal(43, strlen(text));
    assert_null(strstr(trip.url, "s3cret"));
    /* Nothing of it is the same the next time. */
    memcpy(before, trip.url, sizeof(before));
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_string_not_equal(before, trip.url);
    assert_int_equal(1, trip.provider.documents);
    trip_end(&trip);
}

static void
an_address_with_a_query_is_gone_on_with(void **state)
{
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    trip.configured.acr[0] = "urn:example:gold";
    pb_oidc_free(trip.oidc);
    trip_open(&trip);
    (void)snprintf(trip.provider.document, sizeof(trip.provider.document),
                   "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/a?p=policy\","
                   "\"token_endpoint\":\"%s/token\",\"jwks_uri\":\"%s/keys\"}",
                   trip.provider.issuer, trip.provider.issuer, trip.provider.issuer,
                   trip.provider.issuer);
    assert_int_equal(PB_OK, trip_begin(&trip));
    expect_in(trip.url, "/a?p=policy&response_type=code&");
    expect_in(trip.url, "&acr_values=urn%3Aexample%3Agold");
    trip_end(&trip);
}

static void
the_secret_goes_in_the_header_or_where_the_provider_wants_it(void **state)
{
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_int_equal(PB_OK, trip_finish(&trip));
    /* platebase:s3cret%20%26%20more */
    assert_string_equal("Basic cGxhdGViYXNlOnMzY3JldCUyMCUyNiUyMG1vcmU=",
                        trip.provider.authorization);
    assert_null(strstr(trip.provider.form, "s3cret"));
    expect_in(trip.provider.form, "grant_type=authorization_code&code=" PROVIDER_CODE
                                  "&redirect_uri=https%3A%2F%2Fplates.example.org%2F");

    provider_describe(&trip.provider,
                      ",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]");
    trip.provider.wants_basic = false;
    trip.now_ns += 3601 * SECOND;
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_int_equal(PB_OK, trip_finish(&trip));
    expect_in(trip.provider.form, "&client_id=platebase&client_secret=s3cret%20%26%20more");

    trip.configured.secret = NULL;
    pb_oidc_free(trip.oidc);
    trip_open(&trip);
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_int_equal(PB_OK, trip_finish(&trip));
    expect_in(trip.provider.form, "&client_id=platebase");
    assert_null(strstr(trip.provider.form, "client_secret"));
    trip_end(&trip);
}

static void
groups_stand_for_roles_by_our_own_list(void **state)
{
    static const struct {
        const char *groups;
        bool investigator, auditor;
    } cases[] = {
        { "", false, false },
        { ",\"groups\":[]", false, false },
        { ",\"groups\":[\"plates-investigators\"]", true, false },
        { ",\"groups\":[\"x\",\"plates-auditors\",\"plates-investigators\"]", true, true },
        { ",\"groups\":\"plates-auditors\"", false, true },
        { ",\"groups\":[\"Plates-Auditors\",\"plates-auditor\",1,null]", false, false },
        { ",\"groups\":{\"plates-auditors\":true}", false, false },
        /* What a provider says of roles and agencies is not looked at. */
        { ",\"roles\":[\"auditor\"],\"role\":\"auditor\",\"agency\":\"river-pd\"", false, false },
    };
    struct trip trip;

    (void)state;
    trip_start(&trip, "EdDSA");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(PB_OK, trip_begin(&trip));
        provider_claim(&trip.provider, trip.url, now_s(&trip), "doe", cases[i].groups);
        assert_int_equal(PB_OK, trip_finish(&trip));
        if (pb_oidc_gives(&trip.configured, &trip.identity, pb_str_from("investigator")) !=
                cases[i].investigator ||
            pb_oidc_gives(&trip.configured, &trip.identity, pb_str_from("auditor")) !=
                cases[i].auditor)
            fail_msg("%s", cases[i].groups);
        assert_false(pb_oidc_gives(&trip.configured, &trip.identity, pb_str_from("administrator")));
    }
    /* Where nothing is listed, groups are not looked at. */
    memset(trip.configured.roles, 0, sizeof(trip.configured.roles));
    assert_true(pb_oidc_gives(&trip.configured, &trip.identity, pb_str_from("administrator")));
    trip_end(&trip);
}

static void
more_than_one_factor_is_what_the_configuration_names(void **state)
{
    static const struct {
        const char *more;
        bool is_mfa;
    } cases[] = {
        { "", false },
        { ",\"amr\":[\"pwd\"]", false },
        { ",\"amr\":[\"pwd\",\"mfa\"]", true },
        { ",\"amr\":[\"hwk\"]", true },
        { ",\"amr\":\"mfa\"", true },
        { ",\"amr\":[\"mfa \"]", false },
        { ",\"acr\":\"mfa\"", false },
        { ",\"acr\":\"urn:example:gold\"", true },
        { ",\"acr\":\"urn:example:golden\"", false },
        { ",\"acr\":2", false },
    };
    struct trip trip;

    (void)state;
    trip_start(&trip, "EdDSA");
    trip.configured.acr[0] = "urn:example:gold";
    pb_oidc_free(trip.oidc);
    trip_open(&trip);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(PB_OK, trip_begin(&trip));
        provider_claim(&trip.provider, trip.url, now_s(&trip), "doe", cases[i].more);
        assert_int_equal(PB_OK, trip_finish(&trip));
        if (trip.identity.is_mfa != cases[i].is_mfa)
            fail_msg("%s", cases[i].more);
    }
    trip_end(&trip);
}

static void
a_person_is_a_claim_without_its_suffix(void **state)
{
    static const struct {
        const char *suffix, *value, *person; /* person NULL: refused */
    } cases[] = {
        { NULL, "doe", "doe" },
        { NULL, "Doe.J-1", "Doe.J-1" },
        { NULL, "doe@county.example", NULL },
        { NULL, "", NULL },
        { NULL, "../doe", NULL },
        { NULL, "doe smith", NULL },
        { NULL, "d\\u00f6", NULL },
        { NULL, "doe\\u000a", NULL },
        { NULL, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
        { "@county.example", "doe@county.example", "doe" },
        { "@county.example", "doe@other.example", NULL },
        { "@county.example", "doe@evil.county.example", NULL },
        { "@county.example", "doe@county.example@other.example", NULL },
        { "@county.example", "@county.example", NULL },
        { "@county.example", "doe", NULL },
    };
    struct trip trip;

    (void)state;
    trip_start(&trip, "EdDSA");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum pb_status status;

        trip.configured.suffix = cases[i].suffix;
        pb_oidc_free(trip.oidc);
        trip_open(&trip);
        assert_int_equal(PB_OK, trip_begin(&trip));
        provider_claim(&trip.provider, trip.url, now_s(&trip), cases[i].value, "");
        status = trip_finish(&trip);
        if (cases[i].person == NULL)
            expect_refused(&trip, status, "person");
        else if (status != PB_OK ||
                 !pb_str_equal(trip.identity.person, pb_str_from(cases[i].person)))
            fail_msg("%s: %s", cases[i].value, trip.why);
    }
    trip_end(&trip);
}

/* ---- ways that are wrong ---- */

static void
only_the_way_back_from_where_we_sent_is_taken(void **state)
{
    static char longest[PB_OIDC_CODE_BYTES_MAX + 2];
    struct trip trip;
    char other[64];

    (void)state;
    trip_start(&trip, "ES256");
    assert_int_equal(PB_OK, trip_begin(&trip));
    memcpy(other, trip.state, sizeof(other));
    other[0] = other[0] == 'A' ? 'B' : 'A';
    expect_refused(&trip, trip_return(&trip, PROVIDER_CODE, other, NULL, NULL), "state");
    expect_refused(&trip, trip_return(&trip, PROVIDER_CODE, NULL, NULL, NULL), "state");
    other[0] = '\0';
    expect_refused(&trip, trip_return(&trip, PROVIDER_CODE, other, NULL, NULL), "state");
    expect_refused(&trip, trip_return(&trip, NULL, trip.state, NULL, NULL), "code");
    expect_refused(&trip, trip_return(&trip, NULL, trip.state, NULL, "access_denied"),
                   "did not sign");
    expect_refused(&trip, trip_return(&trip, PROVIDER_CODE, trip.state, NULL, "access_denied"),
                   "did not sign");
    expect_refused(&trip,
                   trip_return(&trip, PROVIDER_CODE, trip.state, "https://evil.example", NULL),
                   "another issuer");
    memset(longest, 'a', sizeof(longest) - 1);
    expect_refused(&trip, trip_return(&trip, longest, trip.state, NULL, NULL), "length");
    assert_int_equal(0, trip.provider.codes); /* nobody was asked about any of it */
    expect_refused(&trip, trip_return(&trip, "another", trip.state, NULL, NULL), "no tokens");
    assert_int_equal(PB_OK,
                     trip_return(&trip, PROVIDER_CODE, trip.state, trip.provider.issuer, NULL));
    trip_end(&trip);
}

static void
a_provider_that_says_its_issuer_must_say_it(void **state)
{
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    provider_describe(&trip.provider, ",\"authorization_response_iss_parameter_supported\":true");
    assert_int_equal(PB_OK, trip_begin(&trip));
    expect_refused(&trip, trip_finish(&trip), "another issuer");
    assert_int_equal(PB_OK,
                     trip_return(&trip, PROVIDER_CODE, trip.state, trip.provider.issuer, NULL));
    trip_end(&trip);
}

static void
a_code_is_of_no_use_to_another_attempt(void **state)
{
    struct pb_attempt victim;
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    assert_int_equal(PB_OK, trip_begin(&trip));
    victim = trip.attempt;
    assert_int_equal(PB_OK, trip_begin(&trip)); /* the provider knows this one's challenge */
    memcpy(trip.attempt.verifier, victim.verifier, sizeof(victim.verifier));
    expect_refused(&trip, trip_finish(&trip), "no tokens");
    /* And a token is of no use to another. */
    assert_int_equal(PB_OK, trip_begin(&trip));
    memcpy(trip.attempt.nonce, victim.nonce, sizeof(victim.nonce));
    expect_refused(&trip, trip_finish(&trip), "another sign-in");
    trip_end(&trip);
}

static void
answers_that_are_no_tokens(void **state)
{
    static const char *const replies[] = {
        "{}",
        "[]",
        "nothing",
        "{\"id_token\":\"\"}",
        "{\"id_token\":1}",
        "{\"id_token\":\"a.b.c\"}",
        "{\"access_token\":\"a\"}",
        "{\"id_token\":\"a\",\"id_token\":\"b\"}",
        "{\"id_token\":\"eyJhbGciOiJub25lIn0.e30.\"}",
    };
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        assert_int_equal(PB_OK, trip_begin(&trip));
        (void)snprintf(trip.provider.reply, sizeof(trip.provider.reply), "%s", replies[i]);
        expect_refused(&trip, trip_finish(&trip), "token");
    }
    trip.provider.reply[0] = '\0';
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_int_equal(PB_OK, trip_finish(&trip));
    trip.provider.status = 201; /* anything but 200 is none */
    assert_int_equal(PB_OK, trip_begin(&trip));
    expect_refused(&trip, trip_finish(&trip), "no tokens");
    trip_end(&trip);
}

static void
claims_for_somebody_else_are_refused(void **state)
{
    static const struct {
        const char *from, *to, *has;
    } cases[] = {
        { "\"aud\":\"platebase\"", "\"aud\":\"platebasf\"", "audience" },
        { "\"iss\":\"http", "\"iss\":\"xttp", "issuer" },
        { "\"exp\":1", "\"exp\":0.1", "over" },
        { "preferred_username", "preferred_usernamf", "person" },
    };
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char claims[2048], *at;

        assert_int_equal(PB_OK, trip_begin(&trip));
        memcpy(claims, trip.provider.claims, sizeof(claims));
        at = strstr(claims, cases[i].from);
        assert_non_null(at);
        (void)snprintf(trip.provider.claims, sizeof(trip.provider.claims), "%.*s%s%s",
                       (int)(at - claims), claims, cases[i].to, at + strlen(cases[i].from));
        expect_refused(&trip, trip_finish(&trip), cases[i].has);
    }
    trip_end(&trip);
}

/* ---- documents and keys ---- */

static void
documents_that_are_refused(void **state)
{
    static const struct {
        const char *json, *has;
    } cases[] = {
        { "", "object" },
        { "[]", "object" },
        { "{}", "issuer" },
        { "{\"issuer\":\"https://a.example/\"}", "issuer" },
        { "{\"issuer\":\"https://a.example\"}", "address" },
        { "{\"issuer\":\"https://a.example\",\"authorization_endpoint\":\"http://a.example/a\","
          "\"token_endpoint\":\"https://a.example/t\",\"jwks_uri\":\"https://a.example/k\"}",
          "address" },
        { "{\"issuer\":\"https://a.example\",\"authorization_endpoint\":\"https://a.example/a\","
          "\"token_endpoint\":\"file:///etc/passwd\",\"jwks_uri\":\"https://a.example/k\"}",
          "address" },
        { "{\"issuer\":\"https://a.example\",\"authorization_endpoint\":\"https://a.example/a\","
          "\"token_endpoint\":\"https://a.example/t\",\"jwks_uri\":1}",
          "address" },
        { "{\"issuer\":\"https://a.example\",\"authorization_endpoint\":\"https://a.example/a\","
          "\"token_endpoint\":\"https://a.example/t\",\"jwks_uri\":\"https://a.example/k\","
          "\"response_types_supported\":[\"id_token\"]}",
          "codes" },
        { "{\"issuer\":\"https://a.example\",\"authorization_endpoint\":\"https://a.example/a\","
          "\"token_endpoint\":\"https://a.example/t\",\"jwks_uri\":\"https://a.example/k\","
          "\"code_challenge_methods_supported\":[\"plain\"]}",
          "PKCE" },
    };
    static char longest[PB_OIDC_ANSWER_BYTES_MAX + 2];
    struct pb_oidc_addresses addresses;
    const char *why;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        why = "";
        if (pb_oidc_read_addresses(pb_str_from(cases[i].json), "https://a.example", &addresses,
                                   &why) ||
            strstr(why, cases[i].has) == NULL)
            fail_msg("%s: %s", cases[i].json, why);
    }
    memset(longest, ' ', sizeof(longest) - 1);
    assert_false(
        pb_oidc_read_addresses(pb_str_from(longest), "https://a.example", &addresses, &why));
    assert_string_equal("too long", why);
}

static void
what_a_provider_says_is_kept_for_an_hour(void **state)
{
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(PB_OK, trip_begin(&trip));
        assert_int_equal(PB_OK, trip_finish(&trip));
    }
    assert_int_equal(1, trip.provider.documents);
    assert_int_equal(1, trip.provider.key_sets);
    trip.now_ns += 3600 * SECOND;
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_int_equal(1, trip.provider.documents);
    trip.now_ns += 1;
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_int_equal(2, trip.provider.documents);
    trip_end(&trip);
}

static void
a_key_that_is_not_known_is_looked_for_once_a_minute(void **state)
{
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    assert_int_equal(PB_OK, trip_begin(&trip));
    trip.now_ns += 60 * SECOND;
    provider_roll(&trip.provider, "second");
    assert_int_equal(PB_OK, trip_finish(&trip));
    assert_int_equal(2, trip.provider.key_sets);
    /* The next one comes too soon: whoever sends tokens with odd keys makes us ask for nothing. */
    trip.now_ns += 59 * SECOND;
    assert_int_equal(PB_OK, trip_begin(&trip));
    provider_roll(&trip.provider, "third");
    expect_refused(&trip, trip_finish(&trip), "not known");
    assert_int_equal(2, trip.provider.key_sets);
    trip.now_ns += SECOND;
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_int_equal(PB_OK, trip_finish(&trip));
    assert_int_equal(3, trip.provider.key_sets);
    /* One that nobody knows stays unknown. */
    trip.now_ns += 60 * SECOND;
    assert_int_equal(PB_OK, trip_begin(&trip));
    (void)snprintf(trip.provider.header, sizeof(trip.provider.header),
                   "{\"alg\":\"ES256\",\"kid\":\"none\"}");
    expect_refused(&trip, trip_finish(&trip), "not known");
    assert_int_equal(4, trip.provider.key_sets);
    trip_end(&trip);
}

static void
a_provider_that_fails_is_left_alone_for_a_moment(void **state)
{
    static const char *const broken[] = { "document", "keys", "status" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct trip trip;

        trip_start(&trip, "ES256");
        if (i == 0)
            trip.provider.document[0] = '[';
        else if (i == 1)
            trip.provider.keys[0] = '[';
        else
            trip.provider.status = 503;
        assert_int_equal(PB_E_IO, trip_begin(&trip));
        assert_int_equal(PB_E_BUSY, trip_begin(&trip));
        assert_int_equal(1, trip.provider.documents);
        trip.now_ns += 5 * SECOND;
        provider_describe(&trip.provider, "");
        provider_show_key(&trip.provider, "first");
        trip.provider.status = 200;
        assert_int_equal(PB_OK, trip_begin(&trip));
        assert_int_equal(PB_OK, trip_finish(&trip));
        trip_end(&trip);
    }
}

#define TRAVELLERS 8u

struct crowd {
    struct trip *trip;
    pthread_barrier_t start;
    _Atomic unsigned good, busy, other;
};

static void *
begin_at_once(void *context)
{
    struct crowd *crowd = context;
    struct pb_attempt attempt = { .kind = PB_ATTEMPT_OIDC };
    char url[PB_OIDC_URL_BYTES];
    struct pb_error error;
    enum pb_status status = pb_attempt_fill(pb_env_system(), &attempt);

    (void)pthread_barrier_wait(&crowd->start);
    if (status == PB_OK)
        status = pb_oidc_begin(crowd->trip->oidc, &attempt, url, &error);
    if (status == PB_OK)
        crowd->good++;
    else if (status == PB_E_BUSY)
        crowd->busy++;
    else
        crowd->other++;
    return NULL;
}

static void
of_many_who_come_at_once_one_asks_the_provider(void **state)
{
    pthread_t travellers[TRAVELLERS];
    struct trip trip;
    struct crowd crowd = { .trip = &trip };

    (void)state;
    trip_start(&trip, "EdDSA");
    assert_int_equal(0, pthread_barrier_init(&crowd.start, NULL, TRAVELLERS));
    for (unsigned i = 0; i < TRAVELLERS; i++)
        assert_int_equal(0, pthread_create(&travellers[i], NULL, begin_at_once, &crowd));
    for (unsigned i = 0; i < TRAVELLERS; i++)
        assert_int_equal(0, pthread_join(travellers[i], NULL));
    assert_int_equal(TRAVELLERS, crowd.good + crowd.busy);
    assert_true(crowd.good > 0);
    assert_int_equal(1, trip.provider.documents);
    assert_int_equal(PB_OK, trip_begin(&trip));
    assert_int_equal(1, trip.provider.documents);
    (void)pthread_barrier_destroy(&crowd.start);
    trip_end(&trip);
}

static void
a_document_that_is_too_long_is_not_read(void **state)
{
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    memset(trip.provider.keys, ' ', sizeof(trip.provider.keys) - 1);
    assert_int_equal(PB_E_IO, trip_begin(&trip));
    trip_end(&trip);
}

/* ---- configuration ---- */

static void
providers_that_cannot_be_configured(void **state)
{
    static const struct {
        const char *name, *issuer, *client, *scopes, *agency, *has;
        bool adds_people;
    } cases[] = {
        { "", "https://a.example", "c", "openid", "a", "name", false },
        { "A", "https://a.example", "c", "openid", "a", "name", false },
        { "a/b", "https://a.example", "c", "openid", "a", "name", false },
        { "good", "https://a.example", "c", "openid", "a", "two", false },
        { "a", "http://a.example", "c", "openid", "a", "issuer", false },
        { "a", "https://a.example?x", "c", "openid", "a", "issuer", false },
        { "a", "a.example", "c", "openid", "a", "issuer", false },
        { "a", "https://a.example", "", "openid", "a", "client", false },
        { "a", "https://a.example", "c", "profile", "a", "scopes", false },
        { "a", "https://a.example", "c", "openid", "", "agency", false },
        { "a", "https://a.example", "c", "openid", "a", "groups", true },
    };
    static const struct pb_oidc_provider good = { .name = "good",
                                                  .issuer = "https://a.example",
                                                  .client = "c",
                                                  .scopes = "openid",
                                                  .agency = "a" };
    static struct pb_oidc_provider many[PB_OIDC_PROVIDERS_MAX + 1];
    struct pb_oidc *oidc = NULL;
    struct pb_error error;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pb_oidc_provider both[2] = { good, good };

        both[1].name = cases[i].name;
        both[1].issuer = cases[i].issuer;
        both[1].client = cases[i].client;
        both[1].scopes = cases[i].scopes;
        both[1].agency = cases[i].agency;
        both[1].adds_people = cases[i].adds_people;
        assert_int_equal(PB_BAD_INPUT,
                         pb_oidc_new(pb_env_system(), both, 2, "https://b.example", &oidc, &error));
        expect_in(error.message, cases[i].has);
    }
    assert_int_equal(PB_BAD_INPUT, pb_oidc_new(pb_env_system(), many, PB_OIDC_PROVIDERS_MAX + 1,
                                               "https://b.example", &oidc, &error));
    assert_null(oidc);
    assert_int_equal(0, pb_oidc_count(NULL));
    assert_int_equal(PB_OK,
                     pb_oidc_new(pb_env_system(), &good, 1, "https://b.example", &oidc, &error));
    assert_int_equal(0, pb_oidc_find(oidc, pb_str_from("good")));
    assert_int_equal(1, pb_oidc_find(oidc, pb_str_from("goo")));
    assert_string_equal("good", pb_oidc_provider(oidc, 0)->name);
    pb_oidc_free(oidc);
}

static void
without_memory_nothing_is_left(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;
    struct trip trip;

    (void)state;
    trip_start(&trip, "ES256");
    while (status != PB_OK) {
        struct fault_env fault;
        struct pb_env env = trip.env;
        struct pb_oidc *usual = trip.oidc;

        fault_env_init(&fault, &env);
        fault.fail_allocation_at = ++fail_at;
        trip.oidc = NULL;
        pb_arena_clear(&trip.arena);
        pb_arena_init(&trip.arena, &fault.env, 256);
        status = pb_oidc_new(&fault.env, &trip.configured, 1, "https://plates.example.org",
                             &trip.oidc, &trip.error);
        if (status == PB_OK)
            status = trip_begin(&trip);
        if (status == PB_OK)
            status = trip_finish(&trip);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_oidc_free(trip.oidc);
        pb_arena_clear(&trip.arena);
        assert_true(fault_env_is_clean(&fault));
        trip.oidc = usual;
    }
    assert_in_range(fail_at, 5, 100);
    trip_end(&trip);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(somebody_signs_in_with_each_algorithm),
        cmocka_unit_test(a_browser_is_sent_with_all_that_binds_it),
        cmocka_unit_test(an_address_with_a_query_is_gone_on_with),
        cmocka_unit_test(the_secret_goes_in_the_header_or_where_the_provider_wants_it),
        cmocka_unit_test(groups_stand_for_roles_by_our_own_list),
        cmocka_unit_test(more_than_one_factor_is_what_the_configuration_names),
        cmocka_unit_test(a_person_is_a_claim_without_its_suffix),
        cmocka_unit_test(only_the_way_back_from_where_we_sent_is_taken),
        cmocka_unit_test(a_provider_that_says_its_issuer_must_say_it),
        cmocka_unit_test(a_code_is_of_no_use_to_another_attempt),
        cmocka_unit_test(answers_that_are_no_tokens),
        cmocka_unit_test(claims_for_somebody_else_are_refused),
        cmocka_unit_test(documents_that_are_refused),
        cmocka_unit_test(what_a_provider_says_is_kept_for_an_hour),
        cmocka_unit_test(a_key_that_is_not_known_is_looked_for_once_a_minute),
        cmocka_unit_test(a_provider_that_fails_is_left_alone_for_a_moment),
        cmocka_unit_test(of_many_who_come_at_once_one_asks_the_provider),
        cmocka_unit_test(a_document_that_is_too_long_is_not_read),
        cmocka_unit_test(providers_that_cannot_be_configured),
        cmocka_unit_test(without_memory_nothing_is_left),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
