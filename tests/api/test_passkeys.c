/*
 * Passkeys over HTTP: added, used to sign in and to prove anew, removed; and what is refused.
 */
#include "api/ways.h"

#include "api/authenticator.h"
#include "api/passkey.h"

static struct ways *
start(void **state)
{
    struct ways *ways = *state;

    service_start(&ways->service);
    return ways;
}

static int
setup(void **state)
{
    struct ways *ways = calloc(1, sizeof(*ways));

    assert_non_null(ways);
    ways_init(ways);
    ways_account(ways, "doe");
    ways_account(ways, "low");
    *state = ways;
    return 0;
}

static int
teardown(void **state)
{
    struct ways *ways = *state;

    ways_done(ways);
    free(ways);
    return 0;
}

/* ---- the browser's side ---- */

static void
text_of(const void *bytes, size_t count, char *ret_text, size_t room)
{
    assert_non_null(
        sodium_bin2base64(ret_text, room, bytes, count, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
}

static void
bytes_of(const char *text, uint8_t *ret_bytes, size_t count)
{
    size_t got = 0;

    assert_int_equal(0, sodium_base642bin(ret_bytes, count, text, strlen(text), NULL, &got, NULL,
                                          sodium_base64_VARIANT_URLSAFE_NO_PADDING));
    assert_int_equal(count, got);
}

static void
take_challenge(const struct ways *ways, uint8_t ret_challenge[PB_WEBAUTHN_CHALLENGE_BYTES])
{
    bytes_of(browsed_text(ways, "challenge"), ret_challenge, PB_WEBAUTHN_CHALLENGE_BYTES);
}

/* { "credential": ..., more } of an answer that was made. */
static void
body_of_made(const struct answer *answer, const struct authenticator *authenticator,
             const char *more, char body[16384])
{
    char id[64], client_data[4096], attestation[8192];

    text_of(authenticator->id, sizeof(authenticator->id), id, sizeof(id));
    text_of(answer->client_data.bytes, answer->client_data.count, client_data, sizeof(client_data));
    text_of(answer->attestation.bytes, answer->attestation.count, attestation, sizeof(attestation));
    (void)snprintf(body, 16384,
                   "{%s\"credential\":{\"id\":\"%s\",\"rawId\":\"%s\",\"type\":\"public-key\","
                   "\"authenticatorAttachment\":\"platform\",\"clientExtensionResults\":{},"
                   "\"response\":{\"clientDataJSON\":\"%s\",\"attestationObject\":\"%s\","
                   "\"transports\":[\"internal\"],\"publicKeyAlgorithm\":-7}}}",
                   more, id, id, client_data, attestation);
}

/* user NULL: without one. */
static void
body_of_used(const struct answer *answer, const struct authenticator *authenticator,
             const char *user, const char *more, char body[16384])
{
    char id[64], client_data[4096], data[4096], signature[1024], handle[128] = "";
    uint8_t bytes[PB_PASSKEY_USER_BYTES];

    text_of(authenticator->id, sizeof(authenticator->id), id, sizeof(id));
    text_of(answer->client_data.bytes, answer->client_data.count, client_data, sizeof(client_data));
    text_of(answer->data.bytes, answer->data.count, data, sizeof(data));
    text_of(answer->signature.bytes, answer->signature.count, signature, sizeof(signature));
    if (user != NULL) {
        pb_api_passkey_user(SITE, pb_str_from(user), bytes);
        (void)snprintf(handle, sizeof(handle), ",\"userHandle\":\"");
        text_of(bytes, sizeof(bytes), handle + strlen(handle), sizeof(handle) - strlen(handle));
        (void)snprintf(handle + strlen(handle), 4, "\"");
    }
    (void)snprintf(body, 16384,
                   "{%s\"credential\":{\"id\":\"%s\",\"rawId\":\"%s\",\"type\":\"public-key\","
                   "\"clientExtensionResults\":{},\"response\":{\"clientDataJSON\":\"%s\","
                   "\"authenticatorData\":\"%s\",\"signature\":\"%s\"%s}}}",
                   more, id, id, client_data, data, signature, handle);
}

static int
add(struct ways *ways, const struct authenticator *authenticator, const char *name)
{
    uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES];
    char body[16384], more[128];
    struct answer answer;

    expect_browse(ways, 200, "POST", "/v1/passkeys/options", NULL);
    take_challenge(ways, challenge);
    answer = answer_usual("webauthn.create", challenge);
    answer_made(&answer, authenticator, "none");
    (void)snprintf(more, sizeof(more), "\"name\":\"%s\",", name);
    body_of_made(&answer, authenticator, more, body);
    return browse(ways, "POST", "/v1/passkeys", body);
}

/* Signs in; spoil may change the answer before it is signed. */
static int
sign_in(struct ways *ways, struct authenticator *authenticator, const char *user,
        void (*spoil)(struct answer *))
{
    uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES];
    char body[16384], more[128];
    struct answer answer;

    if (ways->browser.consent[0] == '\0')
        ways_read_splash(ways);
    expect_browse(ways, 200, "POST", "/v1/session/passkey/options", NULL);
    take_challenge(ways, challenge);
    answer = answer_usual("webauthn.get", challenge);
    if (spoil != NULL)
        spoil(&answer);
    answer_used(&answer, authenticator);
    (void)snprintf(more, sizeof(more), "\"consent\":\"%s\",", ways->browser.consent);
    body_of_used(&answer, authenticator, user, more, body);
    return browse(ways, "POST", "/v1/session/passkey", body);
}

static void
forget(struct ways *ways)
{
    browser_done(&ways->browser);
}

/* ---- cases ---- */

static void
a_passkey_signs_its_person_in_with_both_factors(void **state)
{
    static const int algorithms[] = { PB_WEBAUTHN_ES256, PB_WEBAUTHN_EDDSA, PB_WEBAUTHN_RS256 };
    struct ways *ways = start(state);

    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        struct authenticator authenticator;

        authenticator_init(&authenticator, algorithms[i]);
        forget(ways);
        ways_sign_in(ways, "doe");
        if (add(ways, &authenticator, "key") != 201)
            fail_msg("%s", ways->browser.text);
        forget(ways);
        if (sign_in(ways, &authenticator, "doe", NULL) != 201)
            fail_msg("%s", ways->browser.text);
        assert_string_equal("doe", browsed_text(ways, "person"));
        assert_string_equal("open", browsed_text(ways, "state"));
        expect_in(ways->browser.text, "\"methods\":[\"passkey\"]");
        expect_in(ways->browser.text, "\"stepped_up_until\"");
        expect_browse(ways, 200, "GET", "/v1/session", NULL);
        authenticator_done(&authenticator);
    }
}

static void
what_is_asked_is_for_this_site_and_verified(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    expect_browse(ways, 200, "POST", "/v1/passkeys/options", NULL);
    expect_in(ways->browser.text, "\"rp\":{\"name\":\"Platebase\",\"id\":\"" SITE "\"}");
    expect_in(ways->browser.text, "\"userVerification\":\"required\"");
    expect_in(ways->browser.text, "\"residentKey\":\"required\"");
    expect_in(ways->browser.text, "\"attestation\":\"none\",\"excludeCredentials\":[]");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    expect_browse(ways, 200, "POST", "/v1/passkeys/options", NULL);
    expect_in(ways->browser.text, "\"excludeCredentials\":[{\"type\":\"public-key\",\"id\":\"");
    expect_browse(ways, 200, "POST", "/v1/session/step-up/passkey/options", NULL);
    expect_in(ways->browser.text, "\"allowCredentials\":[{\"type\":\"public-key\",\"id\":\"");
    forget(ways);
    expect_browse(ways, 200, "POST", "/v1/session/passkey/options", NULL);
    expect_in(ways->browser.text, "\"allowCredentials\":[]"); /* nobody is told of any */
    assert_int_equal(43, strlen(ways->browser.attempt));
    authenticator_done(&authenticator);
}

static void
spoil_origin(struct answer *answer)
{
    answer->origin = "https://plates.example.com";
}

static void
spoil_site(struct answer *answer)
{
    answer->site = "example.org";
}

static void
spoil_challenge(struct answer *answer)
{
    answer->challenge[0] ^= 1;
}

static void
spoil_verified(struct answer *answer)
{
    answer->flags &= ~(unsigned)PB_WEBAUTHN_VERIFIED;
}

static void
spoil_present(struct answer *answer)
{
    answer->flags &= ~(unsigned)PB_WEBAUTHN_PRESENT;
}

static void
spoil_crossing(struct answer *answer)
{
    answer->more = ",\"crossOrigin\":true";
}

static void
spoil_kind(struct answer *answer)
{
    answer->kind = "webauthn.create";
}

static void
answers_that_do_not_sign_in_are_all_answered_alike(void **state)
{
    static void (*const spoils[])(
        struct answer *) = { spoil_origin,   spoil_site, spoil_verified, spoil_present,
                             spoil_crossing, spoil_kind, spoil_challenge };
    static const char same[] = "that passkey does not sign anybody in";
    struct ways *ways = start(state);
    struct authenticator authenticator, stranger;

    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    authenticator_init(&stranger, PB_WEBAUTHN_ES256);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    forget(ways);
    for (size_t i = 0; i < COUNT_OF(spoils); i++) {
        assert_int_equal(401, sign_in(ways, &authenticator, "doe", spoils[i]));
        expect_in(ways->browser.text, same);
        assert_string_equal("", ways->browser.session);
        ways->room.now_us += 31 * MINUTE_US; /* nothing is locked */
    }
    assert_int_equal(401, sign_in(ways, &stranger, "doe", NULL));
    expect_in(ways->browser.text, same);
    assert_int_equal(401, sign_in(ways, &authenticator, "low", NULL));
    expect_in(ways->browser.text, same);
    assert_int_equal(401, sign_in(ways, &authenticator, NULL, NULL));
    expect_in(ways->browser.text, same);
    /* Another key under the same id. */
    memcpy(stranger.id, authenticator.id, sizeof(stranger.id));
    assert_int_equal(401, sign_in(ways, &stranger, "doe", NULL));
    ways->room.now_us += 31 * MINUTE_US;
    assert_int_equal(201, sign_in(ways, &authenticator, "doe", NULL));
    authenticator_done(&authenticator);
    authenticator_done(&stranger);
}

static void
an_answer_is_taken_once_from_the_browser_that_was_asked_in_time(void **state)
{
    struct ways *ways = start(state);
    uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES];
    char body[16384], more[128], attempt[64];
    struct authenticator authenticator;
    struct answer answer;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    forget(ways);
    ways_read_splash(ways);
    (void)snprintf(more, sizeof(more), "\"consent\":\"%s\",", ways->browser.consent);
    expect_browse(ways, 200, "POST", "/v1/session/passkey/options", NULL);
    take_challenge(ways, challenge);
    answer = answer_usual("webauthn.get", challenge);
    answer_used(&answer, &authenticator);
    body_of_used(&answer, &authenticator, "doe", more, body);
    /* Without the cookie, and with one of another attempt. */
    memcpy(attempt, ways->browser.attempt, sizeof(attempt));
    ways->browser.attempt[0] = '\0';
    expect_browse(ways, 401, "POST", "/v1/session/passkey", body);
    expect_browse(ways, 200, "POST", "/v1/session/passkey/options", NULL);
    expect_browse(ways, 401, "POST", "/v1/session/passkey", body);
    memcpy(ways->browser.attempt, attempt, sizeof(attempt));
    expect_browse(ways, 201, "POST", "/v1/session/passkey", body);
    ways->browser.session[0] = '\0';
    memcpy(ways->browser.attempt, attempt, sizeof(attempt));
    expect_browse(ways, 401, "POST", "/v1/session/passkey", body);
    /* And too late. */
    expect_browse(ways, 200, "POST", "/v1/session/passkey/options", NULL);
    take_challenge(ways, challenge);
    answer = answer_usual("webauthn.get", challenge);
    answer_used(&answer, &authenticator);
    body_of_used(&answer, &authenticator, "doe", more, body);
    ways->room.now_us += 5 * MINUTE_US;
    expect_browse(ways, 401, "POST", "/v1/session/passkey", body);
    authenticator_done(&authenticator);
}

static void
nobody_signs_in_without_agreeing(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    forget(ways);
    (void)snprintf(ways->browser.consent, sizeof(ways->browser.consent), "no");
    assert_int_equal(403, sign_in(ways, &authenticator, "doe", NULL));
    assert_string_equal("", ways->browser.session);
    authenticator_done(&authenticator);
}

static void
a_copy_is_noticed_by_its_counter(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator;

    authenticator_init(&authenticator, PB_WEBAUTHN_ES256);
    authenticator.counter = 10;
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    forget(ways);
    authenticator.counter = 12;
    assert_int_equal(201, sign_in(ways, &authenticator, "doe", NULL));
    ways->browser.session[0] = '\0';
    authenticator.counter = 12;
    assert_int_equal(401, sign_in(ways, &authenticator, "doe", NULL));
    authenticator.counter = 11;
    assert_int_equal(401, sign_in(ways, &authenticator, "doe", NULL));
    authenticator.counter = 13;
    assert_int_equal(201, sign_in(ways, &authenticator, "doe", NULL));
    authenticator_done(&authenticator);
}

static void
five_failures_lock_the_passkey_and_nothing_else(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator, other;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    authenticator_init(&other, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    assert_int_equal(201, add(ways, &other, "other key"));
    forget(ways);
    for (int i = 0; i < 5; i++)
        assert_int_equal(401, sign_in(ways, &authenticator, "doe", spoil_origin));
    assert_int_equal(429, sign_in(ways, &authenticator, "doe", NULL));
    assert_int_equal(201, sign_in(ways, &other, "doe", NULL));
    ways->room.now_us += 31 * MINUTE_US;
    ways->browser.session[0] = '\0';
    assert_int_equal(201, sign_in(ways, &authenticator, "doe", NULL));
    authenticator_done(&authenticator);
    authenticator_done(&other);
}

static int
step_up(struct ways *ways, struct authenticator *authenticator, void (*spoil)(struct answer *))
{
    uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES];
    struct answer answer;
    char body[16384];

    expect_browse(ways, 200, "POST", "/v1/session/step-up/passkey/options", NULL);
    take_challenge(ways, challenge);
    answer = answer_usual("webauthn.get", challenge);
    if (spoil != NULL)
        spoil(&answer);
    answer_used(&answer, authenticator);
    body_of_used(&answer, authenticator, NULL, "", body);
    return browse(ways, "POST", "/v1/session/step-up/passkey", body);
}

static void
a_passkey_proves_to_be_there_and_unlocks(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator, stranger;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    authenticator_init(&stranger, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "low");
    assert_int_equal(201, add(ways, &stranger, "of another"));
    forget(ways);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    ways->room.now_us += 6 * MINUTE_US;
    expect_browse(ways, 403, "POST", "/v1/passkeys/options", NULL);
    assert_int_equal(200, step_up(ways, &authenticator, NULL));
    expect_in(ways->browser.text, "\"stepped_up_until\"");
    expect_browse(ways, 200, "POST", "/v1/passkeys/options", NULL);
    /* Idle: locked, and open again. */
    ways->room.now_us += 16 * MINUTE_US;
    expect_browse(ways, 401, "GET", "/v1/passkeys", NULL);
    assert_int_equal(401, step_up(ways, &stranger, NULL));
    assert_int_equal(401, step_up(ways, &authenticator, spoil_origin));
    assert_int_equal(200, step_up(ways, &authenticator, NULL));
    assert_string_equal("open", browsed_text(ways, "state"));
    expect_browse(ways, 200, "GET", "/v1/passkeys", NULL);
    /* Who fails too often is out. */
    for (int i = 0; i < 5; i++)
        assert_int_equal(401, step_up(ways, &authenticator, spoil_verified));
    expect_browse(ways, 401, "GET", "/v1/session", NULL);
    authenticator_done(&authenticator);
    authenticator_done(&stranger);
}

static void
passkeys_are_listed_and_removed_by_their_person(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator;
    char path[64], missing[64];

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    expect_browse(ways, 200, "GET", "/v1/passkeys", NULL);
    assert_string_equal("{\"passkeys\":[]}\n", ways->browser.text);
    assert_int_equal(201, add(ways, &authenticator, "the blue key"));
    (void)snprintf(path, sizeof(path), "/v1/passkeys/%s", browsed_text(ways, "id"));
    expect_browse(ways, 200, "GET", "/v1/passkeys", NULL);
    expect_in(ways->browser.text, "\"name\":\"the blue key\",\"may_be_copied\":false");
    assert_null(strstr(ways->browser.text, "used_at"));
    assert_int_equal(200, step_up(ways, &authenticator, NULL));
    expect_browse(ways, 200, "GET", "/v1/passkeys", NULL);
    expect_in(ways->browser.text, "\"used_at\":\"2026-");
    /* Another person's is none of theirs. */
    forget(ways);
    ways_sign_in(ways, "low");
    expect_browse(ways, 200, "GET", "/v1/passkeys", NULL);
    assert_string_equal("{\"passkeys\":[]}\n", ways->browser.text);
    assert_int_equal(404, browse_as(ways, &ways->browser, "DELETE", path, "/v1/passkeys/{id}", NULL,
                                    NULL));
    forget(ways);
    ways_sign_in(ways, "doe");
    (void)snprintf(missing, sizeof(missing), "/v1/passkeys/x");
    assert_int_equal(404, browse_as(ways, &ways->browser, "DELETE", missing, "/v1/passkeys/{id}",
                                    NULL, NULL));
    ways->room.now_us += 6 * MINUTE_US;
    assert_int_equal(403, browse_as(ways, &ways->browser, "DELETE", path, "/v1/passkeys/{id}", NULL,
                                    NULL));
    assert_int_equal(200, step_up(ways, &authenticator, NULL));
    assert_int_equal(200, browse_as(ways, &ways->browser, "DELETE", path, "/v1/passkeys/{id}", NULL,
                                    NULL));
    forget(ways);
    assert_int_equal(401, sign_in(ways, &authenticator, "doe", NULL));
    authenticator_done(&authenticator);
}

static void
a_passkey_is_added_by_a_session_that_was_asked(void **state)
{
    struct ways *ways = start(state);
    uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES];
    struct authenticator authenticator;
    char body[16384];
    struct answer answer;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    expect_browse(ways, 200, "POST", "/v1/passkeys/options", NULL);
    take_challenge(ways, challenge);
    answer = answer_usual("webauthn.create", challenge);
    answer_made(&answer, &authenticator, "none");
    body_of_made(&answer, &authenticator, "\"name\":\"key\",", body);
    /* Another session of the same person was not asked. */
    forget(ways);
    ways_sign_in(ways, "doe");
    expect_browse(ways, 400, "POST", "/v1/passkeys", body);
    expect_in(ways->browser.text, "no passkey was asked for");
    expect_browse(ways, 200, "POST", "/v1/passkeys/options", NULL);
    expect_browse(ways, 400, "POST", "/v1/passkeys", body);
    expect_in(ways->browser.text, "another challenge");
    /* It is used up by that. */
    expect_browse(ways, 400, "POST", "/v1/passkeys", body);
    expect_in(ways->browser.text, "no passkey was asked for");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    assert_int_equal(409, add(ways, &authenticator, "key again"));
    /* Nobody else can claim it either. */
    forget(ways);
    ways_sign_in(ways, "low");
    assert_int_equal(409, add(ways, &authenticator, "mine"));
    authenticator_done(&authenticator);
}

static void
ten_passkeys_are_enough(void **state)
{
    struct ways *ways = start(state);

    ways_sign_in(ways, "doe");
    for (unsigned i = 0; i <= PB_PASSKEYS_OF_PERSON_MAX; i++) {
        struct authenticator authenticator;

        authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
        assert_int_equal(i < PB_PASSKEYS_OF_PERSON_MAX ? 201 : 409,
                         add(ways, &authenticator, "key"));
        authenticator_done(&authenticator);
    }
}

static void
names_that_cannot_be(void **state)
{
    static const char *const names[] = {
        "",
        "a\\nb",
        "a\\u202eb",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    struct ways *ways = start(state);
    struct authenticator authenticator;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(400, add(ways, &authenticator, names[i]));
        expect_in(ways->browser.text, "name");
    }
    authenticator_done(&authenticator);
}

static void
bodies_that_are_no_credential(void **state)
{
    static const char *const bodies[] = {
        "",
        "[]",
        "{}",
        "{\"credential\":1}",
        "{\"credential\":{}}",
        "{\"credential\":{},\"consent\":\"x\",\"other\":1}",
        "{\"credential\":{},\"credential\":{}}",
        "{\"credential\":{\"type\":\"password\",\"id\":\"AA\",\"response\":{}}}",
        "{\"credential\":{\"type\":\"public-key\",\"id\":\"AA\",\"response\":[]}}",
        "{\"credential\":{\"type\":\"public-key\",\"response\":{}}}",
        "{\"credential\":{\"type\":\"public-key\",\"id\":\"A\",\"response\":{}}}",
        "{\"credential\":{\"type\":\"public-key\",\"id\":\"AA==\",\"response\":{}}}",
        "{\"credential\":{\"type\":\"public-key\",\"id\":\"AA\",\"rawId\":\"AQ\",\"response\":{"
        "\"clientDataJSON\":\"AA\",\"authenticatorData\":\"AA\",\"signature\":\"AA\"}}}",
        "{\"credential\":{\"type\":\"public-key\",\"id\":\"AA\",\"response\":{"
        "\"clientDataJSON\":\"AA\",\"authenticatorData\":\"\",\"signature\":\"AA\"}}}",
        "{\"consent\":1,\"credential\":{\"type\":\"public-key\",\"id\":\"AA\",\"response\":{"
        "\"clientDataJSON\":\"AA\",\"authenticatorData\":\"AA\",\"signature\":\"AA\"}}}",
    };
    struct ways *ways = start(state);

    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        expect_browse(ways, 400, "POST", "/v1/session/passkey", bodies[i]);
}

static void
a_link_makes_passkeys_void(void **state)
{
    struct ways *ways = *state;
    struct authenticator authenticator;
    char code[PB_ACCOUNT_CODE_BYTES];
    struct site_room *room = &ways->room;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    service_start(&ways->service);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    /* No longer a demonstration: the link is to set everything anew. */
    room_expect(room, PB_OK,
                pb_catalog_note_put(pb_site_catalog(room->site), "site", "demonstration",
                                    (struct pb_str){ NULL, 0 }, &room->error),
                "unmark");
    room->now_us += MINUTE_US;
    room_expect(room, PB_OK,
                pb_api_account_link(room->env, room->site, (struct pb_str){ NULL, 0 },
                                    pb_str_from("doe"), code, &room->error),
                "link");
    forget(ways);
    assert_int_equal(401, sign_in(ways, &authenticator, "doe", NULL));
    authenticator_done(&authenticator);
}

static void
who_may_no_longer_sign_in_does_not_by_a_passkey(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator;
    struct site_room *room = &ways->room;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    room_expect(room, PB_OK,
                pb_api_account_disable(room->env, room->site, (struct pb_str){ NULL, 0 },
                                       pb_str_from("doe"), pb_str_from("left"), &room->error),
                "disable");
    forget(ways);
    assert_int_equal(401, sign_in(ways, &authenticator, "doe", NULL));
    authenticator_done(&authenticator);
}

static void
without_an_origin_there_are_no_passkeys(void **state)
{
    struct ways *ways = *state;

    ways->service.options.origin = NULL;
    service_start(&ways->service);
    expect_browse(ways, 503, "POST", "/v1/session/passkey/options", NULL);
    expect_browse(ways, 200, "GET", "/v1/session/providers", NULL);
    expect_in(ways->browser.text, "\"passkeys\":false");
    ways_sign_in(ways, "doe");
    expect_browse(ways, 503, "POST", "/v1/passkeys/options", NULL);
    expect_browse(ways, 503, "GET", "/v1/passkeys", NULL);
}

static void
nothing_of_a_person_is_logged(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "bluekey"));
    forget(ways);
    assert_int_equal(401, sign_in(ways, &authenticator, "doe", spoil_origin));
    assert_int_equal(201, sign_in(ways, &authenticator, "doe", NULL));
    (void)pthread_mutex_lock(&ways->service.fixture.lock);
    expect_in(ways->service.fixture.logged, "client data: another origin");
    assert_null(strstr(ways->service.fixture.logged, "doe"));
    assert_null(strstr(ways->service.fixture.logged, "bluekey"));
    assert_null(strstr(ways->service.fixture.logged, ways->browser.attempt));
    (void)pthread_mutex_unlock(&ways->service.fixture.lock);
    authenticator_done(&authenticator);
}

/* ---- notes ---- */

static const char good_note[] = "passkey 1\nperson doe\nname the key\nid AQID\nalgorithm EdDSA\n"
                                "key 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\ncounter 7\n"
                                "backup 1\ncreated 5\nused 6\n";

static enum pb_status
decode(const char *note, struct pb_arena *arena, struct pb_api_passkey *passkey)
{
    char key[PB_PASSKEY_KEY_BYTES];

    pb_api_passkey_key((struct pb_str){ "\x01\x02\x03", 3 }, key);
    return pb_api_passkey_decode(arena, key, pb_str_from(note), passkey);
}

static void
a_note_is_read_as_it_was_written_or_not_at_all(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        { "passkey 1\n", "passkey 2\n" },
        { "passkey 1\n", "" },
        { "person doe\n", "" },
        { "name the key\n", "" },
        { "id AQID\n", "id AQIE\n" }, /* not the key's */
        { "id AQID\n", "id ****\n" },
        { "algorithm EdDSA\n", "algorithm ES256\n" }, /* of another length */
        { "algorithm EdDSA\n", "algorithm none\n" },
        { "key 11q", "key =11q" },
        { "key 11q", "kex 11q" },
        { "counter 7\n", "counter 4294967296\n" },
        { "counter 7\n", "counter -7\n" },
        { "backup 1\n", "backup 2\n" },
        { "created 5\n", "" },
        { "used 6\n", "used 6\nmore 1\n" },
        { "used 6\n", "used 6" },
    };
    struct pb_api_passkey passkey;
    struct pb_arena arena;

    (void)state;
    pb_arena_init(&arena, pb_env_system(), 4096);
    assert_int_equal(PB_OK, decode(good_note, &arena, &passkey));
    assert_true(pb_str_equal(passkey.person, pb_str_from("doe")));
    assert_true(pb_str_equal(passkey.name, pb_str_from("the key")));
    assert_int_equal(7, passkey.counter);
    assert_true(passkey.may_back_up);
    assert_int_equal(6, passkey.used_at_us);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *at = strstr(good_note, cases[i].from);
        char note[512];

        assert_non_null(at);
        (void)snprintf(note, sizeof(note), "%.*s%s%s", (int)(at - good_note), good_note,
                       cases[i].to, at + strlen(cases[i].from));
        if (decode(note, &arena, &passkey) != PB_E_CORRUPT)
            fail_msg("%s", note);
    }
    pb_arena_clear(&arena);
}

static void
a_damaged_note_signs_nobody_in(void **state)
{
    struct ways *ways = start(state);
    struct authenticator authenticator;
    struct site_room *room = &ways->room;
    char key[PB_PASSKEY_KEY_BYTES];

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    pb_api_passkey_key((struct pb_str){ (const char *)authenticator.id, sizeof(authenticator.id) },
                       key);
    room_expect(room, PB_OK,
                pb_catalog_note_put(pb_site_catalog(room->site), "passkey", key,
                                    pb_str_from(good_note), &room->error),
                "damage");
    expect_browse(ways, 500, "GET", "/v1/passkeys", NULL);
    forget(ways);
    assert_int_equal(500, sign_in(ways, &authenticator, "doe", NULL));
    assert_string_equal("", ways->browser.session);
    authenticator_done(&authenticator);
}

/* A passkey as it is kept, without a browser. */
static enum pb_status
keep_one(struct ways *ways, const struct pb_webauthn_data *data, char key[PB_PASSKEY_KEY_BYTES])
{
    struct site_room *room = &ways->room;

    return pb_api_passkey_add(room->env, room->site, pb_str_from("doe"), pb_str_from("key"), data,
                              key, &room->error);
}

static struct pb_webauthn_data
data_of_one(void)
{
    struct pb_webauthn_data data = { .id = { "\x01\x02\x03", 3 },
                                     .counter = 3,
                                     .key = { .algorithm = PB_WEBAUTHN_EDDSA, .bytes = 32 } };

    memset(data.key.point, 9, 32);
    return data;
}

static void
memory_that_fails_leaves_a_passkey_whole_or_none(void **state)
{
    struct ways *ways = *state;
    struct site_room *room = &ways->room;
    struct pb_webauthn_data data = data_of_one();
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    while (status != PB_OK) {
        struct pb_api_passkey passkey;
        char key[PB_PASSKEY_KEY_BYTES];
        struct pb_arena arena;

        room->fault.fail_allocation_at = room->fault.allocation_count + ++fail_at;
        pb_arena_init(&arena, room->env, 256);
        status = keep_one(ways, &data, key);
        if (status == PB_OK)
            status = pb_api_passkey_find(room->site, key, &arena, &passkey, &room->error);
        if (status == PB_OK)
            status = pb_api_passkey_used(room->env, room->site, &passkey, 4, &room->error);
        if (status == PB_OK)
            status =
                pb_api_passkey_remove(room->env, room->site, pb_str_from("doe"), key, &room->error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_arena_clear(&arena);
        room->fault.fail_allocation_at = 0;
        pb_api_passkey_key(data.id, key);
        if (status != PB_OK)
            (void)!pb_api_passkey_remove(room->env, room->site, pb_str_from("doe"), key,
                                         &room->error);
    }
    assert_in_range(fail_at, 5, 500);
}

/* The body of a good answer to a question that was just asked. */
static void
prepare_sign_in(struct ways *ways, struct authenticator *authenticator, char body[16384])
{
    uint8_t challenge[PB_WEBAUTHN_CHALLENGE_BYTES];
    struct answer answer;
    char more[128];

    if (ways->browser.consent[0] == '\0')
        ways_read_splash(ways);
    expect_browse(ways, 200, "POST", "/v1/session/passkey/options", NULL);
    take_challenge(ways, challenge);
    answer = answer_usual("webauthn.get", challenge);
    answer_used(&answer, authenticator);
    (void)snprintf(more, sizeof(more), "\"consent\":\"%s\",", ways->browser.consent);
    body_of_used(&answer, authenticator, "doe", more, body);
}

static void
memory_that_fails_signs_nobody_in_by_half(void **state)
{
    struct ways *ways = start(state);
    struct site_room *room = &ways->room;
    struct authenticator authenticator;
    uint64_t fail_at = 0;
    int status = 0;

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    forget(ways);
    while (status != 201) {
        char body[16384];

        prepare_sign_in(ways, &authenticator, body);
        room->fault.fail_allocation_at = room->fault.allocation_count + ++fail_at;
        status = browse(ways, "POST", "/v1/session/passkey", body);
        room->fault.fail_allocation_at = 0;
        assert_true(status == 201 || status == 503);
        assert_true((status == 201) == (ways->browser.session[0] != '\0'));
        room->now_us += MINUTE_US;
    }
    assert_in_range(fail_at, 3, 500);
    authenticator_done(&authenticator);
}

static void
what_cannot_be_put_on_record_signs_nobody_in(void **state)
{
    struct ways *ways = start(state);
    struct site_room *room = &ways->room;
    struct authenticator authenticator;
    char body[16384];

    authenticator_init(&authenticator, PB_WEBAUTHN_EDDSA);
    ways_sign_in(ways, "doe");
    assert_int_equal(201, add(ways, &authenticator, "key"));
    forget(ways);
    prepare_sign_in(ways, &authenticator, body);
    room->fault.fail_file_mask = FAULT_MUTATING;
    room->fault.fail_file_call_at = room->fault.file_call_count + 1;
    room->fault.is_file_failure_lasting = true;
    assert_in_range(browse(ways, "POST", "/v1/session/passkey", body), 500, 503);
    assert_string_equal("", ways->browser.session);
    room->fault.fail_file_call_at = 0;
    room->fault.is_file_failure_lasting = false;
    (void)pb_server_stop(ways->service.fixture.server, 0);
    ways->service.fixture.server = NULL;
    room_expect(room, PB_E_POISONED, pb_site_close(room->site, &room->error), "close");
    room_open_as(room, PB_SITE_WRITE);
    authenticator_done(&authenticator);
}

static void
what_cannot_be_put_on_record_is_not_done(void **state)
{
    struct ways *ways = *state;
    struct site_room *room = &ways->room;
    struct pb_webauthn_data data = data_of_one();
    struct pb_api_passkey passkey;
    char key[PB_PASSKEY_KEY_BYTES];
    struct pb_arena arena;

    pb_arena_init(&arena, pb_env_system(), 4096);
    room_expect(room, PB_OK, keep_one(ways, &data, key), "add");
    room->fault.fail_file_mask = FAULT_MUTATING;
    room->fault.fail_file_call_at = room->fault.file_call_count + 1;
    room->fault.is_file_failure_lasting = true;
    assert_true(
        pb_api_passkey_remove(room->env, room->site, pb_str_from("doe"), key, &room->error) < 0);
    room_expect(room, PB_OK, pb_api_passkey_find(room->site, key, &arena, &passkey, &room->error),
                "still there");
    data.id = (struct pb_str){ "\x04", 1 };
    assert_true(keep_one(ways, &data, key) < 0);
    pb_api_passkey_key(data.id, key);
    room_expect(room, PB_NOT_FOUND,
                pb_api_passkey_find(room->site, key, &arena, &passkey, &room->error), "not there");
    room->fault.fail_file_call_at = 0;
    room->fault.is_file_failure_lasting = false;
    pb_arena_clear(&arena);
    /* A failed write is final for the log: it is opened again. */
    room_expect(room, PB_E_POISONED, pb_site_close(room->site, &room->error), "close");
    room_open_as(room, PB_SITE_WRITE);
}

static void
a_passkey_is_used_from_where_it_was(void **state)
{
    struct ways *ways = *state;
    struct site_room *room = &ways->room;
    struct pb_webauthn_data data = data_of_one();
    struct pb_api_passkey passkey, again;
    char key[PB_PASSKEY_KEY_BYTES];
    struct pb_arena arena;

    pb_arena_init(&arena, pb_env_system(), 4096);
    room_expect(room, PB_OK, keep_one(ways, &data, key), "add");
    room_expect(room, PB_OK, pb_api_passkey_find(room->site, key, &arena, &passkey, &room->error),
                "find");
    room_expect(room, PB_OK, pb_api_passkey_used(room->env, room->site, &passkey, 4, &room->error),
                "used");
    room_expect(room, PB_CONFLICT,
                pb_api_passkey_used(room->env, room->site, &passkey, 5, &room->error), "twice");
    room_expect(room, PB_OK, pb_api_passkey_find(room->site, key, &arena, &again, &room->error),
                "find");
    assert_int_equal(4, again.counter);
    assert_int_equal(room->now_us, again.used_at_us);
    room_expect(room, PB_NOT_FOUND,
                pb_api_passkey_remove(room->env, room->site, pb_str_from("low"), key, &room->error),
                "of another");
    room_expect(room, PB_BAD_INPUT,
                pb_api_passkey_add(room->env, room->site, pb_str_from("nobody"), pb_str_from("key"),
                                   &(struct pb_webauthn_data){ .id = { "x", 1 }, .key = data.key },
                                   key, &room->error),
                "of nobody");
    pb_arena_clear(&arena);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_passkey_signs_its_person_in_with_both_factors),
        CASE(what_is_asked_is_for_this_site_and_verified),
        CASE(answers_that_do_not_sign_in_are_all_answered_alike),
        CASE(an_answer_is_taken_once_from_the_browser_that_was_asked_in_time),
        CASE(nobody_signs_in_without_agreeing),
        CASE(a_copy_is_noticed_by_its_counter),
        CASE(five_failures_lock_the_passkey_and_nothing_else),
        CASE(a_passkey_proves_to_be_there_and_unlocks),
        CASE(passkeys_are_listed_and_removed_by_their_person),
        CASE(a_passkey_is_added_by_a_session_that_was_asked),
        CASE(ten_passkeys_are_enough),
        CASE(names_that_cannot_be),
        CASE(bodies_that_are_no_credential),
        CASE(a_link_makes_passkeys_void),
        CASE(who_may_no_longer_sign_in_does_not_by_a_passkey),
        CASE(without_an_origin_there_are_no_passkeys),
        CASE(nothing_of_a_person_is_logged),
        cmocka_unit_test(a_note_is_read_as_it_was_written_or_not_at_all),
        CASE(a_damaged_note_signs_nobody_in),
        CASE(memory_that_fails_leaves_a_passkey_whole_or_none),
        CASE(memory_that_fails_signs_nobody_in_by_half),
        CASE(what_cannot_be_put_on_record_signs_nobody_in),
        CASE(what_cannot_be_put_on_record_is_not_done),
        CASE(a_passkey_is_used_from_where_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
