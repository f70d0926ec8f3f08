/*
 * Signing in: who may, how often, for how long; each limit a second before, at it and after.
 */
#include "api/browser.h"

#include <sodium.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

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
    room_import(&people->room,
                "people:\n"
                "  - { id: adm2, agency: kansas-pd, name: A. Dmin, role: administrator,"
                " status: active, training_valid_until: 2027-06-01 }\n");
    service_init(&people->service);
    people->service.env = people->room.env;
    people->service.options.site = people->room.site;
    people->service.options.takes_inquiries = true;
    people->service.options.password_memory_bytes = 8192;
    people->service.options.password_passes = 1;
    room_account(&people->room, "doe", "adm");
    room_account(&people->room, "adm", "sup");
    browser_init(&people->doe, &people->service, &people->room.now_us, "doe");
    browser_init(&people->adm, &people->service, &people->room.now_us, "adm");
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

static void
start(struct people *people)
{
    service_start(&people->service);
    browser_enrol(&people->doe, &people->room);
}

/* The last sign-in leaf of an agency. */
static void
expect_leaf(struct people *people, const char *log, const char *says)
{
    struct room_found found;

    assert_true(room_leaves(&people->room, log, "sign-in", &found) > 0);
    assert_says(found.leaf, says);
    assert_null(strstr(found.leaf, "doe"));
}

/* All that was logged; the server has ended. */
static const char *
logged(struct people *people)
{
    (void)pb_server_stop(people->service.fixture.server, 0);
    people->service.fixture.server = NULL;
    return people->service.fixture.logged;
}

/* ---- agreeing ---- */

static void
nobody_signs_in_before_they_agree(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char code[8], other[65];

    start(people);
    memcpy(other, doe->consent, sizeof(other));
    other[0] = other[0] == '0' ? '1' : '0';
    doe->cookie[0] = '\0';
    memcpy(doe->consent, other, sizeof(other));
    browser_expect(doe, 403, browser_sign_in(doe));
    expect_in(client_body(&doe->last), "\"field\":\"consent\"");
    browser_expect(doe, 400, browser_send(doe, "POST", "/v1/session", "{\"person\":\"doe\"}"));
    browser_agree(doe);
    browser_expect(doe, 201,
                   browser_sign_in_with(doe, "doe", PASSWORD, "totp", browser_code(doe, 0, code)));
    expect_leaf(people, "kansas-pd", "\"verb\":\"in\",\"by\":\"password,totp\",\"agreed\":\"");
    expect_leaf(people, "kansas-pd", doe->consent);
}

static void
a_site_has_its_own_text(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;

    service_mkdir(&people->service, "rules");
    service_write(&people->service, "rules/sign-in.txt", "Ask <only> what you \"must\" & may.\n");
    start(people);
    browser_agree(doe);
    expect_in(client_body(&doe->last), "Ask \\u003conly> what you \\\"must\\\" & may.");
    assert_int_equal(200, service_get(&people->service, "/sign-in", "/sign-in"));
    (void)browser_get(doe, "/sign-in");
    expect_in(client_body(&doe->last), "Ask &lt;only> what you &quot;must&quot; &amp; may.");
}

static void
a_text_that_is_none_keeps_the_server_from_starting(void **state)
{
    struct people *people = *state;
    struct pb_api_options options = people->service.options;
    struct pb_api *api = NULL;
    char large[PB_SPLASH_BYTES_MAX + 2];

    options.data_path = people->service.directory;
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    service_mkdir(&people->service, "rules");
    service_write(&people->service, "rules/sign-in.txt", large);
    room_expect(&people->room, PB_BAD_INPUT,
                pb_api_new(people->room.env, &options, &api, &people->room.error), "large");
    service_write(&people->service, "rules/sign-in.txt", "");
    room_expect(&people->room, PB_BAD_INPUT,
                pb_api_new(people->room.env, &options, &api, &people->room.error), "empty");
    service_write(&people->service, "rules/sign-in.txt", "\xff\xfe");
    room_expect(&people->room, PB_BAD_INPUT,
                pb_api_new(people->room.env, &options, &api, &people->room.error), "not UTF-8");
    large[PB_SPLASH_BYTES_MAX] = '\0';
    service_write(&people->service, "rules/sign-in.txt", large);
    room_expect(&people->room, PB_OK,
                pb_api_new(people->room.env, &options, &api, &people->room.error),
                "as large as may");
    pb_api_free(api);
}

/* ---- links ---- */

static void
a_link_is_used_by_who_sends_it_and_once(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char code[PB_ACCOUNT_CODE_BYTES], path[128];

    service_start(&people->service);
    browser_agree(doe);
    room_link(&people->room, "doe", code);
    (void)snprintf(path, sizeof(path), "/sign-in?code=%s", code);
    for (int i = 0; i < 3; i++) {
        browser_expect(doe, 200, browser_ask(doe, "GET", path, "/sign-in", NULL));
        expect_in(client_body(&doe->last), code);
        expect_in(doe->last.text,
                  "Content-Security-Policy: default-src 'none'; style-src 'sha256-");
        expect_in(doe->last.text, "Referrer-Policy: no-referrer");
    }
    browser_expect(doe, 201, browser_follow(doe, code));
    expect_in(client_body(&doe->last), "\"state\":\"enrolling\",\"methods\":[\"link\"]");
    expect_in(client_body(&doe->last), "\"verbs\":[]");
    doe->cookie[0] = '\0';
    browser_expect(doe, 401, browser_follow(doe, code));
    assert_null(strstr(logged(people), code));
}

static void
a_link_holds_for_a_quarter_of_an_hour(void **state)
{
    static const struct {
        int64_t later;
        int status;
    } cases[] = { { 15 * MINUTE - SECOND, 201 },
                  { 15 * MINUTE, 401 },
                  { 15 * MINUTE + SECOND, 401 } };
    struct people *people = *state;
    struct browser *doe = &people->doe;

    service_start(&people->service);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char code[PB_ACCOUNT_CODE_BYTES];

        doe->cookie[0] = '\0';
        browser_agree(doe);
        room_link(&people->room, "doe", code);
        people->room.now_us += cases[i].later;
        browser_expect(doe, cases[i].status, browser_follow(doe, code));
    }
}

static void
a_new_link_voids_the_one_before_and_what_signed_in(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char first[PB_ACCOUNT_CODE_BYTES], second[PB_ACCOUNT_CODE_BYTES];

    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    room_link(&people->room, "doe", first);
    room_link(&people->room, "doe", second);
    doe->cookie[0] = '\0';
    browser_expect(doe, 401, browser_follow(doe, first));
    people->room.now_us += PB_TOTP_STEP_US;
    browser_expect(doe, 401, browser_sign_in(doe));
    browser_expect(doe, 201, browser_follow(doe, second));
}

static void
a_form_without_scripts_signs_in(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char code[PB_ACCOUNT_CODE_BYTES], body[256], more[256];
    struct client client;

    service_start(&people->service);
    browser_agree(doe);
    room_link(&people->room, "doe", code);
    (void)snprintf(body, sizeof(body), "code=%s&consent=%s", code, doe->consent);
    (void)snprintf(more, sizeof(more),
                   "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n"
                   "Origin: null\r\n",
                   strlen(body));
    assert_int_equal(403, service_ask(&people->service, &client, "POST", "/sign-in", "/sign-in",
                                      more, body));
    client_close(&client);
    (void)snprintf(more, sizeof(more),
                   "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n"
                   "Origin: http://test\r\nSec-Fetch-Site: same-origin\r\n",
                   strlen(body));
    assert_int_equal(303, service_ask(&people->service, &client, "POST", "/sign-in", "/sign-in",
                                      more, body));
    expect_in(client.text, "Location: /\r\n");
    expect_in(client.text, "Set-Cookie: platebase=");
    client_close(&client);
}

/* In a directory of the demonstration the link is enough. */
static void
a_link_of_the_demonstration_signs_in_as_it_is(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char code[PB_ACCOUNT_CODE_BYTES];

    room_expect(&people->room, PB_OK,
                pb_api_account_mark_demonstration(people->room.site, &people->room.error), "mark");
    start(people); /* enrols, which a link of the demonstration may as well */
    room_link(&people->room, "doe", code);
    doe->cookie[0] = '\0';
    browser_expect(doe, 201, browser_follow(doe, code));
    expect_in(client_body(&doe->last), "\"state\":\"open\"");
    expect_in(client_body(&doe->last), "\"stepped_up_until\"");
    browser_expect(doe, 201, browser_sign_in(doe)); /* nothing was voided */
}

/* ---- enrolling ---- */

static void
who_enrols_may_do_nothing_else(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm;
    char code[PB_ACCOUNT_CODE_BYTES];

    service_start(&people->service);
    browser_agree(adm);
    room_link(&people->room, "adm", code);
    browser_expect(adm, 201, browser_follow(adm, code));
    browser_expect(adm, 403, browser_get(adm, "/v1/accounts"));
    browser_expect(adm, 403, browser_send(adm, "POST", "/v1/inquiries", "{}"));
    browser_expect(adm, 409,
                   browser_send(adm, "PUT", "/v1/session/enrolment",
                                "{\"password\":\"" PASSWORD "\",\"totp\":\"123456\"}"));
}

static void
passwords_that_others_would_try_are_not_taken(void **state)
{
    static const struct {
        const char *password;
        bool is_good;
    } cases[] = {
        { "", false },
        { "short", false },
        { "elevenchars", false },
        { "twelve chars", true },
        { "aaaaaaaaaaaaaaaa", false },
        { "1212 1212 1212", false },
        { "Password1234", false },
        { "correct horse battery staple", false },
        { "Platebase 2026", false },
        { "kansas-pd-2026", false },
        { "KANSAS PD kansas pd", false },
        { "P@ssw0rd P@ssw0rd", false },
        { "qwertyuiop123", false },
        { "1q2w3e4r5t6y", false },
        { "zyxwvutsrqpo", false },
        { "Summer-2026-Summer!", false },
        { "iloveyou1234", false },
        { "Welcome to kansas-pd", false },
        { "trunkstrunks", false },
        { "welcome my old bicycle", true },
        { "Tr0ub4dor&3 and more", true },
        { "doe doe doe doe", false }, /* four letters of which three are doe's */
        { "no rule about digits or capitals", true },
        { "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9\xc3\xa8\xc3\xaa\xc3\xab\xc3\xa7\xc3\xb1",
          false },
        { "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9\xc3\xa8\xc3\xaa\xc3\xab\xc3\xa7\xc3\xb1\xc3\xa0"
          "\xc3\xa1",
          true },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", false },
    };
    const struct pb_str context[] = { pb_str_from("doe"), pb_str_from("kansas-pd") };
    char large[PB_PASSWORD_BYTES_MAX + 2];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *why = pb_password_refuse(pb_str_from(cases[i].password), context, 2);

        if ((why == NULL) != cases[i].is_good)
            fail_msg("%s: %s", cases[i].password, why != NULL ? why : "taken");
    }
    for (size_t i = 0; i < sizeof(large) - 1; i++)
        large[i] = (char)('a' + (i * 7 + i / 26) % 26);
    large[sizeof(large) - 1] = '\0';
    assert_non_null(pb_password_refuse(pb_str_from(large), context, 2));
    large[PB_PASSWORD_BYTES_MAX] = '\0';
    assert_null(pb_password_refuse(pb_str_from(large), context, 2));
    large[128] = '\0';
    assert_null(pb_password_refuse(pb_str_from(large), context, 2));
    assert_non_null(pb_password_refuse((struct pb_str){ "twelve\0chars", 12 }, context, 2));
}

static void
enrolling_needs_a_code_of_the_secret_and_a_good_password(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char code[PB_ACCOUNT_CODE_BYTES];

    service_start(&people->service);
    browser_agree(doe);
    room_link(&people->room, "doe", code);
    browser_expect(doe, 201, browser_follow(doe, code));
    browser_expect(doe, 200, browser_send(doe, "POST", "/v1/session/enrolment", NULL));
    expect_in(client_body(&doe->last), "\"uri\":\"otpauth://totp/Platebase:doe?secret=");
    assert_true(browser_text(doe, "secret", doe->totp, sizeof(doe->totp)));
    browser_expect(doe, 400,
                   browser_send(doe, "PUT", "/v1/session/enrolment",
                                "{\"password\":\"short\",\"totp\":\"123456\"}"));
    expect_in(client_body(&doe->last), "\"field\":\"password\"");
    browser_expect(doe, 401,
                   browser_send(doe, "PUT", "/v1/session/enrolment",
                                "{\"password\":\"" PASSWORD "\",\"totp\":\"12345\"}"));
    browser_expect(doe, 200, browser_get(doe, "/v1/session"));
    expect_in(client_body(&doe->last), "\"state\":\"enrolling\"");
}

#define BREACHED "a breached plain sentence"
#define BREACHED_LINE "349B61CE06DD8E6C391F7AA81C9472E312143403:42\n"

/* Puts a password where its browser's secret was given, with a right code. */
static int
put_password(struct browser *browser, const char *password)
{
    char code[8], body[256];

    (void)snprintf(body, sizeof(body), "{\"password\":\"%s\",\"totp\":\"%s\"}", password,
                   browser_code(browser, 0, code));
    return browser_send(browser, "PUT", "/v1/session/enrolment", body);
}

/* Neither that one was refused nor that nobody could look is a wrong proof. */
static void
breached_passwords_are_not_taken(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char code[PB_ACCOUNT_CODE_BYTES], path[128], kept[128];

    service_write(&people->service, "breached", BREACHED_LINE);
    (void)snprintf(path, sizeof(path), "%s/breached", people->service.directory);
    (void)snprintf(kept, sizeof(kept), "%s/kept", people->service.directory);
    people->service.options.breached_passwords = path;
    service_start(&people->service);
    browser_agree(doe);
    room_link(&people->room, "doe", code);
    browser_expect(doe, 201, browser_follow(doe, code));
    browser_expect(doe, 200, browser_send(doe, "POST", "/v1/session/enrolment", NULL));
    assert_true(browser_text(doe, "secret", doe->totp, sizeof(doe->totp)));
    for (unsigned i = 0; i < 6; i++) {
        browser_expect(doe, 400, put_password(doe, BREACHED));
        expect_in(client_body(&doe->last), "\"field\":\"password\"");
        expect_in(client_body(&doe->last), "found in a breach");
    }
    assert_int_equal(0, rename(path, kept));
    for (unsigned i = 0; i < 6; i++)
        browser_expect(doe, 500, put_password(doe, PASSWORD));
    service_write(&people->service, "breached", "what is no list\n");
    browser_expect(doe, 500, put_password(doe, PASSWORD));
    assert_int_equal(0, rename(kept, path));
    browser_expect(doe, 200, put_password(doe, PASSWORD));
    assert_null(strstr(logged(people), "breached plain"));
}

static void
a_list_of_breached_passwords_that_is_none_is_not_started_with(void **state)
{
    struct people *people = *state;
    struct pb_api_options options = people->service.options;
    struct pb_api *api = NULL;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/breached", people->service.directory);
    options.data_path = people->service.directory;
    options.breached_passwords = path;
    assert_int_equal(PB_BAD_INPUT,
                     pb_api_new(people->room.env, &options, &api, &people->room.error));
    expect_in(people->room.error.message, "there is no such file");
    service_write(&people->service, "breached", "password\n");
    assert_int_equal(PB_BAD_INPUT,
                     pb_api_new(people->room.env, &options, &api, &people->room.error));
    expect_in(people->room.error.message, "a SHA-1, a colon and a count");
    assert_null(api);
    service_start(&people->service);
}

static void
enrolling_anew_needs_a_fresh_proof_and_ends_other_sessions(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe, other;

    start(people);
    browser_init(&other, &people->service, &people->room.now_us, "doe");
    memcpy(other.totp, doe->totp, sizeof(other.totp));
    browser_agree(&other);
    browser_expect(&other, 201, browser_sign_in(&other));
    people->room.now_us += 5 * MINUTE;
    browser_expect(doe, 403, browser_send(doe, "POST", "/v1/session/enrolment", NULL));
    browser_expect(doe, 200, browser_totp(doe, "/v1/session/step-up"));
    browser_expect(doe, 200, browser_send(doe, "POST", "/v1/session/enrolment", NULL));
    assert_true(browser_text(doe, "secret", doe->totp, sizeof(doe->totp)));
    {
        char code[8], body[256];

        (void)snprintf(body, sizeof(body),
                       "{\"password\":\"another plain sentence\",\"totp\":\"%s\"}",
                       browser_code(doe, 0, code));
        browser_expect(doe, 401, browser_send(doe, "PUT", "/v1/session/enrolment", body));
        (void)snprintf(body, sizeof(body),
                       "{\"password\":\"another plain sentence\",\"totp\":\"%s\","
                       "\"current_password\":\"" PASSWORD "\"}",
                       browser_code(doe, 0, code));
        browser_expect(doe, 200, browser_send(doe, "PUT", "/v1/session/enrolment", body));
    }
    browser_expect(doe, 200, browser_get(doe, "/v1/session"));
    browser_expect(&other, 401, browser_get(&other, "/v1/session"));
    browser_done(&other);
}

/* The cookie of the browser, which the last sign-in set. */
static void
keep_device(const struct browser *browser, char *cookie, size_t room)
{
    const char *set = strstr(browser->last.text, "Set-Cookie: platebase-device=");

    assert_non_null(set);
    (void)snprintf(cookie, room, "Cookie: %.*s\r\n", (int)strcspn(set + 12, ";"), set + 12);
}

/* ---- codes ---- */

static void
a_code_signs_in_once_and_a_step_to_either_side(void **state)
{
    static const struct {
        int steps, status;
    } cases[] = { { -2, 401 }, { 2, 401 }, { -1, 201 }, { -1, 401 }, { 0, 201 },
                  { 0, 401 },  { 1, 201 }, { 0, 401 },  { 1, 401 } };
    struct people *people = *state;
    struct browser *doe = &people->doe;

    start(people);
    people->room.now_us += 2 * PB_TOTP_STEP_US;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char code[8];
        int status;

        doe->cookie[0] = '\0';
        status = browser_sign_in_with(doe, "doe", PASSWORD, "totp",
                                      browser_code(doe, cases[i].steps, code));
        if (status != cases[i].status)
            fail_msg("case %zu: %d: %s", i, status, client_body(&doe->last));
    }
}

static void
a_recovery_code_signs_in_once(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char small[PB_RECOVERY_CODE_BYTES];
    size_t used = 0;

    start(people);
    browser_expect(doe, 201,
                   browser_sign_in_with(doe, "doe", PASSWORD, "recovery_code", doe->recovery[3]));
    expect_in(client_body(&doe->last), "\"methods\":[\"password\",\"recovery-code\"]");
    assert_null(strstr(client_body(&doe->last), "stepped_up_until"));
    doe->cookie[0] = '\0';
    browser_expect(doe, 401,
                   browser_sign_in_with(doe, "doe", PASSWORD, "recovery_code", doe->recovery[3]));
    for (size_t i = 0; doe->recovery[0][i] != '\0'; i++) {
        if (doe->recovery[0][i] != '-')
            small[used++] = (char)(doe->recovery[0][i] | 0x20); /* digits stay what they are */
    }
    small[used] = '\0';
    browser_expect(doe, 201, browser_sign_in_with(doe, "doe", PASSWORD, "recovery_code", small));
    doe->cookie[0] = '\0';
    browser_expect(doe, 401,
                   browser_sign_in_with(doe, "doe", "another password", "recovery_code",
                                        doe->recovery[1]));
    browser_expect(doe, 201,
                   browser_sign_in_with(doe, "doe", PASSWORD, "recovery_code", doe->recovery[1]));
}

/* Of 24 letters: whoever has written one down can use it. */
static void
recovery_codes_of_before_are_taken(void **state)
{
    static const char code[] = "ABCDEF-GHIJKL-MNOPQR-STUVWX",
                      letters[] = "ABCDEFGHIJKLMNOPQRSTUVWX";
    char list[65], left[PB_RECOVERY_LIST_BYTES];
    uint8_t sha256[crypto_hash_sha256_BYTES];

    (void)state;
    (void)crypto_hash_sha256(sha256, (const unsigned char *)letters, sizeof(letters) - 1);
    (void)sodium_bin2hex(list, sizeof(list), sha256, sizeof(sha256));
    assert_false(
        pb_recovery_use(pb_str_from(list), pb_str_from("ABCDEF-GHIJKL-MNOPQR-STUVW"), left));
    assert_false(
        pb_recovery_use(pb_str_from(list), pb_str_from("ABCDEF-GHIJKL-MNOPQR-STUVWXY"), left));
    assert_false(
        pb_recovery_use(pb_str_from(list), pb_str_from("ABCDEFG-HIJKLMN-OPQRSTU-VWXYZ23"), left));
    assert_true(pb_recovery_use(pb_str_from(list), pb_str_from(code), left));
    assert_string_equal("", left);
}

struct at_once {
    struct browser browser;
    pthread_t thread;
    char code[8];
    int status;
};

static void *
sign_in_at_once(void *context)
{
    struct at_once *one = context;

    one->status = browser_sign_in_with(&one->browser, "doe", PASSWORD, "totp", one->code);
    return NULL;
}

/* One from a browser that is known and one from a stranger's: they are hashed side by side. */
static void
of_two_at_once_with_one_code_one_signs_in(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    struct at_once both[2];
    char device[256];

    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    keep_device(doe, device, sizeof(device));
    for (int round = 0; round < 10; round++) {
        people->room.now_us += PB_TOTP_STEP_US;
        for (int i = 0; i < 2; i++) {
            browser_init(&both[i].browser, &people->service, &people->room.now_us, "doe");
            memcpy(both[i].browser.consent, doe->consent, sizeof(doe->consent));
            (void)browser_code(doe, 0, both[i].code);
        }
        (void)snprintf(both[0].browser.more, sizeof(both[0].browser.more), "%s", device);
        for (int i = 0; i < 2; i++)
            assert_int_equal(0, pthread_create(&both[i].thread, NULL, sign_in_at_once, &both[i]));
        for (int i = 0; i < 2; i++)
            assert_int_equal(0, pthread_join(both[i].thread, NULL));
        assert_int_equal(201 + 401, both[0].status + both[1].status);
        for (int i = 0; i < 2; i++)
            browser_done(&both[i].browser);
        /* Failures must not add up: the window of counting goes by. */
        people->room.now_us += 15 * MINUTE;
    }
}

/* ---- failures ---- */

/* A reply without what differs each time. */
static void
plain_reply(const struct browser *browser, char *text, size_t room)
{
    const char *body = strstr(client_body(&browser->last), ",\"request_id\"");

    assert_non_null(body);
    (void)snprintf(text, room, "%.*s", (int)(body - client_body(&browser->last)),
                   client_body(&browser->last));
}

static void
who_does_not_sign_in_is_not_told_why(void **state)
{
    static const struct {
        const char *person, *password, *totp;
    } cases[] = {
        { "doe", "another password", "123456" },
        { "doe", PASSWORD, "123456" },
        { "doe", PASSWORD, "x" },
        { "nobody-at-all", PASSWORD, "123456" },
        { "low", PASSWORD, "123456" },
        { "adm", PASSWORD, "123456" },
        { "' or 1=1 --", PASSWORD, "123456" },
    };
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char first[512] = "";

    start(people);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[512];

        doe->cookie[0] = '\0';
        browser_expect(doe, 401,
                       browser_sign_in_with(doe, cases[i].person, cases[i].password, "totp",
                                            cases[i].totp));
        assert_null(strstr(doe->last.text, "Set-Cookie"));
        plain_reply(doe, text, sizeof(text));
        if (i == 0)
            memcpy(first, text, sizeof(first));
        assert_string_equal(first, text);
    }
}

static void
five_failures_lock_a_name_whether_or_not_it_exists(void **state)
{
    static const char *const names[] = { "doe", "nobody" };
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char code[8];

    start(people);
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        for (int i = 0; i < 5; i++)
            browser_expect(doe, 401,
                           browser_sign_in_with(doe, names[n], "a wrong one", "totp", "123456"));
        browser_expect(doe, 429,
                       browser_sign_in_with(doe, names[n], PASSWORD, "totp",
                                            browser_code(doe, 0, code)));
        expect_in(doe->last.text, "Retry-After: 900\r\n");
    }
    expect_leaf(people, "kansas-pd", "\"verb\":\"locked\",\"at\":\"sign-in\"");
    expect_leaf(people, "operator", "\"verb\":\"locked\"");
    people->room.now_us += 15 * MINUTE - SECOND;
    browser_expect(doe, 429, browser_sign_in(doe));
    expect_in(doe->last.text, "Retry-After: 1\r\n");
    people->room.now_us += SECOND;
    browser_expect(doe, 201, browser_sign_in(doe));
}

/* Nor by who has not just proved to be there, or is of another agency. */
static void
an_administrator_unlocks_whom_others_have_locked_out(void **state)
{
    static const char target[] = "/v1/accounts/doe/unlock",
                      template[] = "/v1/accounts/{person}/unlock";
    struct people *people = *state;
    struct browser *doe = &people->doe, *adm = &people->adm;
    uint64_t leaves;

    start(people);
    browser_enrol(adm, &people->room);
    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, browser_sign_in_with(doe, "doe", "a wrong one", "totp", "123456"));
    browser_expect(doe, 429, browser_sign_in(doe));
    people->room.now_us += 5 * MINUTE; /* since adm proved to be there */
    browser_expect(adm, 403, browser_ask(adm, "POST", target, template, NULL));
    browser_expect(adm, 200, browser_totp(adm, "/v1/session/step-up"));
    browser_expect(adm, 404,
                   browser_ask(adm, "POST", "/v1/accounts/nobody/unlock", template, NULL));
    browser_expect(doe, 429, browser_sign_in(doe));
    leaves = room_leaves(&people->room, "kansas-pd", "change", NULL);
    browser_expect(adm, 200, browser_ask(adm, "POST", target, template, NULL));
    expect_in(client_body(&adm->last), "\"state\":\"active\"");
    assert_int_equal(leaves + 1, room_leaves(&people->room, "kansas-pd", "change", NULL));
    browser_expect(doe, 201, browser_sign_in(doe));
    /* Failures within a session, too: they are counted by person. */
    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401,
                       browser_send(doe, "POST", "/v1/session/step-up", "{\"totp\":\"1\"}"));
    people->room.now_us += PB_TOTP_STEP_US;
    browser_expect(doe, 201, browser_sign_in(doe));
    people->room.now_us += PB_TOTP_STEP_US;
    browser_expect(doe, 429, browser_totp(doe, "/v1/session/step-up"));
    browser_expect(adm, 200, browser_ask(adm, "POST", target, template, NULL));
    browser_expect(doe, 200, browser_totp(doe, "/v1/session/step-up"));
}

static void
each_lock_is_longer_until_somebody_signs_in(void **state)
{
    static const int64_t minutes[] = { 15, 30, 60, 120, 240, 480, 960, 1440, 1440 };
    const struct pb_api_lockout_rule rule = { 5, 15 * MINUTE * 1000, 15 * MINUTE * 1000, true };
    struct people *people = *state;
    struct pb_str name = pb_str_from("doe");
    struct pb_api_lockout lockout = { .places = NULL };
    bool is_last;

    room_expect(&people->room, PB_OK,
                pb_api_lockout_init(&lockout, people->room.env, &rule, &people->room.error),
                "lockout");
    for (size_t i = 0; i < 8; i++) {
        for (int at = 0; at < 5; at++) {
            assert_int_equal(0, pb_api_lockout_take(&lockout, name, &is_last));
            assert_true(is_last == (at == 4));
        }
        assert_int_equal(60 * minutes[i], pb_api_lockout_take(&lockout, name, &is_last));
        people->room.now_us += minutes[i] * MINUTE;
    }
    pb_api_lockout_clear(&lockout, name);
    for (int at = 0; at < 5; at++)
        assert_int_equal(0, pb_api_lockout_take(&lockout, name, &is_last));
    assert_int_equal(900, pb_api_lockout_take(&lockout, name, &is_last));
    /* What is given back was never made, also where it locked. */
    pb_api_lockout_give_back(&lockout, name);
    assert_int_equal(0, pb_api_lockout_take(&lockout, name, &is_last));
    assert_true(is_last);
    pb_api_lockout_done(&lockout);
}

static void
four_failures_are_forgotten_after_a_quarter_of_an_hour(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;

    start(people);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++)
            browser_expect(doe, 401,
                           browser_sign_in_with(doe, "doe", "a wrong one", "totp", "123456"));
        people->room.now_us += 15 * MINUTE;
    }
    for (int i = 0; i < 4; i++)
        browser_expect(doe, 401, browser_sign_in_with(doe, "doe", "a wrong one", "totp", "1"));
    browser_expect(doe, 201, browser_sign_in(doe));
    for (int i = 0; i < 4; i++)
        browser_expect(doe, 401, browser_sign_in_with(doe, "doe", "a wrong one", "totp", "1"));
}

static void
an_address_that_tries_many_names_has_to_wait(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    struct room_found found;
    char name[16];

    start(people);
    for (int i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof(name), "name%d", i);
        browser_expect(doe, 401, browser_sign_in_with(doe, name, PASSWORD, "totp", "123456"));
    }
    browser_expect(doe, 429, browser_sign_in_with(doe, "more", PASSWORD, "totp", "123456"));
    people->room.now_us += 5 * MINUTE;
    browser_expect(doe, 201, browser_sign_in(doe));
    assert_int_equal(60, room_leaves(&people->room, "operator", "sign-in", &found));
    assert_null(strstr(found.secrets, "name"));
}

static void
a_browser_that_is_known_is_not_locked_out_by_others(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char device[256], name[16];

    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    keep_device(doe, device, sizeof(device));
    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, browser_sign_in_with(doe, "doe", "a wrong one", "totp", "1"));
    for (int i = 0; i < 55; i++) { /* and their address is locked, too */
        (void)snprintf(name, sizeof(name), "name%d", i);
        browser_expect(doe, 401, browser_sign_in_with(doe, name, PASSWORD, "totp", "1"));
    }
    people->room.now_us += MINUTE;
    browser_expect(doe, 429, browser_sign_in(doe));
    (void)snprintf(doe->more, sizeof(doe->more), "%s", device);
    browser_expect(doe, 201, browser_sign_in(doe));
    /* It has five failures of its own, and is nobody else's. */
    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, browser_sign_in_with(doe, "doe", "a wrong one", "totp", "1"));
    people->room.now_us += MINUTE;
    browser_expect(doe, 429, browser_sign_in(doe));
    browser_expect(doe, 429, browser_sign_in_with(doe, "adm", PASSWORD, "totp", "1"));
    doe->more[0] = '\0';
}

static void
a_browser_is_known_for_thirty_days(void **state)
{
    static const struct {
        int64_t later;
        int status;
    } cases[] = { { 30 * DAY - 13 * HOUR, 201 }, { 30 * DAY - 12 * HOUR, 429 } };
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char device[256];

    start(people);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        /* The room's clock begins at noon: a day ends after twelve hours. */
        people->room.now_us = ROOM_NOW_US + (int64_t)i * 30 * DAY + 5 * MINUTE;
        doe->more[0] = '\0';
        browser_expect(doe, 201, browser_sign_in(doe));
        keep_device(doe, device, sizeof(device));
        people->room.now_us = ROOM_NOW_US + (int64_t)i * 30 * DAY + cases[i].later;
        for (int at = 0; at < 5; at++)
            browser_expect(doe, 401, browser_sign_in_with(doe, "doe", "a wrong one", "totp", "1"));
        (void)snprintf(doe->more, sizeof(doe->more), "%s", device);
        browser_expect(doe, cases[i].status, browser_sign_in(doe));
    }
    doe->more[0] = '\0';
}

static void
what_is_no_cookie_of_a_browser_counts_for_nothing(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char device[256];

    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    keep_device(doe, device, sizeof(device));
    for (int i = 0; i < 5; i++)
        browser_expect(doe, 401, browser_sign_in_with(doe, "doe", "a wrong one", "totp", "1"));
    people->room.now_us += MINUTE;
    for (size_t at = strlen("Cookie: platebase-device="); at + 2 < strlen(device); at += 7) {
        (void)snprintf(doe->more, sizeof(doe->more), "%s", device);
        doe->more[at] = doe->more[at] == 'a' ? 'b' : 'a';
        if (strcmp(doe->more, device) == 0 || doe->more[at] == '_')
            continue;
        browser_expect(doe, 429, browser_sign_in(doe));
    }
    (void)snprintf(doe->more, sizeof(doe->more), "Cookie: platebase-device=\r\n");
    browser_expect(doe, 429, browser_sign_in(doe));
    (void)snprintf(doe->more, sizeof(doe->more), "%.120s%s", device,
                   "Cookie: platebase-device=x\r\n");
    browser_expect(doe, 429, browser_sign_in(doe));
    doe->more[0] = '\0';
}

/* From one address 60 may be tried, then none for a while; so this asks where they are counted. */
static void
failures_do_not_flood_the_log(void **state)
{
    struct people *people = *state;
    struct site_room *room = &people->room;
    struct pb_str nobody = { NULL, 0 };
    struct room_found found;

    start(people);
    for (int i = 0; i < 100; i++)
        room_expect(room, PB_OK,
                    pb_api_attempt_failed(people->service.api, nobody, "sign-in", false,
                                          &room->error),
                    "failed");
    assert_int_equal(60, room_leaves(room, "operator", "sign-in", &found));
    room->now_us += MINUTE;
    room_expect(room, PB_OK,
                pb_api_attempt_failed(people->service.api, nobody, "sign-in", false, &room->error),
                "failed");
    assert_int_equal(61, room_leaves(room, "operator", "sign-in", &found));
    assert_says(found.leaf, "\"unrecorded\":40");
}

/* ---- sessions ---- */

static void
a_session_locks_after_a_quarter_of_an_hour(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm;
    char before[128];

    service_start(&people->service);
    browser_enrol(adm, &people->room);
    browser_expect(adm, 200, browser_get(adm, "/v1/accounts"));
    people->room.now_us += 15 * MINUTE - SECOND;
    browser_expect(adm, 200, browser_get(adm, "/v1/accounts")); /* which uses it */
    people->room.now_us += 15 * MINUTE - SECOND;
    browser_expect(adm, 200, browser_get(adm, "/v1/session")); /* which does not */
    expect_in(client_body(&adm->last), "\"state\":\"open\"");
    people->room.now_us += SECOND;
    browser_expect(adm, 200, browser_get(adm, "/v1/session"));
    expect_in(client_body(&adm->last), "\"state\":\"locked\"");
    browser_expect(adm, 401, browser_get(adm, "/v1/accounts"));
    expect_in(client_body(&adm->last), "\"field\":\"session\"");
    browser_expect(adm, 401, browser_get(adm, "/v1/sessions"));
    browser_expect(adm, 401,
                   browser_ask(adm, "DELETE", "/v1/sessions/others", "/v1/sessions/{id}", NULL));
    browser_expect(adm, 403, browser_send(adm, "POST", "/v1/session/enrolment", NULL));

    memcpy(before, adm->cookie, sizeof(before));
    browser_expect(adm, 401,
                   browser_send(adm, "POST", "/v1/session/unlock",
                                "{\"password\":\"a wrong one\"}"));
    browser_expect(adm, 400, browser_send(adm, "POST", "/v1/session/unlock", "{}"));
    browser_expect(adm, 200,
                   browser_send(adm, "POST", "/v1/session/unlock",
                                "{\"password\":\"" PASSWORD "\"}"));
    expect_in(client_body(&adm->last), "\"state\":\"open\"");
    assert_null(strstr(client_body(&adm->last), "stepped_up_until"));
    assert_string_not_equal(before, adm->cookie);
    browser_expect(adm, 200, browser_get(adm, "/v1/accounts"));
    memcpy(adm->cookie, before, sizeof(before));
    browser_expect(adm, 401, browser_get(adm, "/v1/accounts"));
}

static void
a_one_time_code_unlocks_and_steps_up(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;

    start(people);
    people->room.now_us += 16 * MINUTE;
    browser_expect(doe, 200, browser_totp(doe, "/v1/session/unlock"));
    expect_in(client_body(&doe->last), "\"stepped_up_until\"");
    expect_leaf(people, "kansas-pd", "\"verb\":\"unlock\",\"by\":\"totp\"");
    browser_expect(doe, 401, browser_totp(doe, "/v1/session/step-up")); /* used */
}

static void
five_wrong_proofs_end_the_session(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;

    start(people);
    for (int i = 0; i < 4; i++)
        browser_expect(doe, 401,
                       browser_send(doe, "POST", "/v1/session/step-up", "{\"totp\":\"12345x\"}"));
    browser_expect(doe, 200, browser_get(doe, "/v1/session"));
    browser_expect(doe, 401,
                   browser_send(doe, "POST", "/v1/session/step-up", "{\"totp\":\"12345x\"}"));
    browser_expect(doe, 401, browser_get(doe, "/v1/session"));
    expect_leaf(people, "kansas-pd", "\"verb\":\"locked\",\"at\":\"step-up\"");
    browser_expect(doe, 201, browser_sign_in(doe));
    browser_expect(doe, 429, browser_totp(doe, "/v1/session/step-up"));
}

static void
a_session_ends_after_twelve_hours(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm;
    int64_t began_us;

    service_start(&people->service);
    browser_enrol(adm, &people->room);
    browser_expect(adm, 201, browser_sign_in(adm));
    began_us = people->room.now_us;
    while (people->room.now_us < began_us + 12 * HOUR - 10 * MINUTE) {
        people->room.now_us += 10 * MINUTE;
        browser_expect(adm, 200, browser_get(adm, "/v1/accounts"));
    }
    people->room.now_us = began_us + 12 * HOUR - SECOND;
    browser_expect(adm, 200, browser_get(adm, "/v1/accounts"));
    people->room.now_us += SECOND;
    browser_expect(adm, 401, browser_get(adm, "/v1/accounts"));
    browser_expect(adm, 401, browser_totp(adm, "/v1/session/unlock"));
}

#define ASK_PATTERN                                                                        \
    "{\"kind\":\"pattern\",\"plate\":\"KSA12?\",\"jurisdiction\":\"US-KS\",\"purpose\":"   \
    "\"criminal-investigation\",\"offence\":\"burglary\",\"case_number\":\"26-00471\","    \
    "\"justification\":\"Burglary series "                                                 \
    "on Elm Street, vehicle seen by a witness\",\"from\":\"2026-05-20T00:00:00Z\",\"to\":" \
    "\"2026-06-01T00:00:00Z\"}"

static void
a_fresh_code_opens_partial_plates_for_five_minutes(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    struct room_found found;

    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    people->room.now_us += 5 * MINUTE - SECOND;
    browser_expect(doe, 200, browser_send(doe, "POST", "/v1/inquiries", ASK_PATTERN));
    assert_true(room_leaves(&people->room, "kansas-pd", "query", &found) > 0);
    assert_says(found.secrets, "person=doe\n");
    assert_says(found.secrets, "client=web\n");
    people->room.now_us += SECOND;
    browser_expect(doe, 403, browser_send(doe, "POST", "/v1/inquiries", ASK_PATTERN));
    browser_expect(doe, 200, browser_totp(doe, "/v1/session/step-up"));
    browser_expect(doe, 200, browser_send(doe, "POST", "/v1/inquiries", ASK_PATTERN));
}

static void
signing_out_ends_the_session_at_once(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char cookie[128];

    start(people);
    memcpy(cookie, doe->cookie, sizeof(cookie));
    browser_expect(doe, 200, browser_send(doe, "DELETE", "/v1/session", NULL));
    expect_in(doe->last.text, "Set-Cookie: platebase=; Path=/; Max-Age=0; HttpOnly");
    expect_in(doe->last.text, "Clear-Site-Data: ");
    memcpy(doe->cookie, cookie, sizeof(cookie));
    browser_expect(doe, 401, browser_get(doe, "/v1/session"));
    expect_leaf(people, "kansas-pd", "\"verb\":\"out\"");
}

static void
people_see_and_end_their_own_sessions_alone(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe, *adm = &people->adm, other;
    char id[32], path[64];

    start(people);
    browser_enrol(adm, &people->room);
    browser_init(&other, &people->service, &people->room.now_us, "doe");
    memcpy(other.totp, doe->totp, sizeof(other.totp));
    browser_agree(&other);
    browser_expect(&other, 201, browser_sign_in(&other));
    assert_true(browser_text(&other, "id", id, sizeof(id)));
    (void)snprintf(path, sizeof(path), "/v1/sessions/%s", id);
    browser_expect(doe, 200, browser_get(doe, "/v1/sessions"));
    expect_in(client_body(&doe->last), id);
    expect_in(client_body(&doe->last), "\"is_this\":true}");
    expect_in(client_body(&doe->last), "\"is_this\":false}");
    browser_expect(adm, 404, browser_ask(adm, "DELETE", path, "/v1/sessions/{id}", NULL));
    browser_expect(&other, 200, browser_get(&other, "/v1/session"));
    browser_expect(doe, 200, browser_ask(doe, "DELETE", path, "/v1/sessions/{id}", NULL));
    browser_expect(&other, 401, browser_get(&other, "/v1/session"));
    people->room.now_us += PB_TOTP_STEP_US;
    browser_expect(&other, 201, browser_sign_in(&other));
    browser_expect(doe, 200,
                   browser_ask(doe, "DELETE", "/v1/sessions/others", "/v1/sessions/{id}", NULL));
    expect_in(client_body(&doe->last), "{\"ended\":1}");
    browser_expect(&other, 401, browser_get(&other, "/v1/session"));
    browser_expect(doe, 200, browser_get(doe, "/v1/session"));
    browser_expect(adm, 200, browser_get(adm, "/v1/session"));
    browser_done(&other);
}

static void
the_ninth_session_of_a_person_ends_the_oldest(void **state)
{
    struct people *people = *state;
    struct pb_api_sessions sessions = { .places = NULL };
    struct pb_api_session session = { .person = "doe" }, found;
    char cookies[9][PB_SESSION_COOKIE_BYTES];

    room_expect(&people->room, PB_OK,
                pb_api_sessions_init(&sessions, people->room.env, &people->room.error), "init");
    for (int i = 0; i < 9; i++) {
        people->room.now_us += SECOND;
        room_expect(&people->room, PB_OK,
                    pb_api_sessions_begin(&sessions, &session, cookies[i], &people->room.error),
                    "begin");
    }
    for (int i = 0; i < 9; i++)
        assert_true(pb_api_sessions_find(&sessions, pb_str_from(cookies[i]), false, &found) ==
                    (i > 0));
    pb_api_sessions_done(&sessions);
}

static void
a_table_that_is_full_takes_no_more_people(void **state)
{
    struct people *people = *state;
    struct pb_api_sessions sessions = { .places = NULL };
    struct pb_api_session session = { .person = "" };
    char cookie[PB_SESSION_COOKIE_BYTES];

    room_expect(&people->room, PB_OK,
                pb_api_sessions_init(&sessions, people->room.env, &people->room.error), "init");
    for (unsigned i = 0; i < PB_SESSIONS_MAX; i++) {
        (void)snprintf(session.person, sizeof(session.person), "p%u", i);
        room_expect(&people->room, PB_OK,
                    pb_api_sessions_begin(&sessions, &session, cookie, &people->room.error),
                    "begin");
    }
    (void)snprintf(session.person, sizeof(session.person), "one more");
    room_expect(&people->room, PB_E_FULL,
                pb_api_sessions_begin(&sessions, &session, cookie, &people->room.error), "full");
    assert_int_equal(1, pb_api_sessions_end_all(&sessions, pb_str_from("p77"), NULL));
    room_expect(&people->room, PB_OK,
                pb_api_sessions_begin(&sessions, &session, cookie, &people->room.error), "begin");
    pb_api_sessions_done(&sessions);
}

/* ---- cookies ---- */

static void
cookies_have_the_flags_that_keep_them(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;

    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    expect_in(doe->last.text, "Set-Cookie: platebase=");
    expect_in(doe->last.text, "; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict\r\n");
    expect_in(doe->last.text, "Cache-Control: no-store\r\n");
    expect_in(doe->last.text, "X-Content-Type-Options: nosniff\r\n");
    expect_in(doe->last.text, "Referrer-Policy: no-referrer\r\n");
    expect_in(doe->last.text, "Content-Security-Policy: default-src 'none'");
}

static void
over_tls_the_cookie_is_for_this_host_alone(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char cookie[128];

    people->service.options.is_secure = true;
    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    expect_in(doe->last.text, "Set-Cookie: __Host-platebase=");
    expect_in(doe->last.text, "; HttpOnly; SameSite=Strict; Secure\r\n");
    browser_expect(doe, 200, browser_get(doe, "/v1/session"));
    (void)snprintf(cookie, sizeof(cookie), "%s", doe->cookie + strlen("__Host-"));
    memcpy(doe->cookie, cookie, sizeof(cookie)); /* the name of the clear counts for nothing */
    browser_expect(doe, 401, browser_get(doe, "/v1/session"));
}

static void
cookies_that_are_none_open_nothing(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char good[128], other[128];

    start(people);
    memcpy(good, doe->cookie, sizeof(good));
    {
        const char *const wrong[] = {
            "platebase=",
            "platebase=0000_",
            "platebase=ffff_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "platebase=1000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "platebase=000g_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "platebase=0000-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "platebase=0000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "platebase=0000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "Platebase=0000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "platebase",
            ";;; =; =x; platebase",
        };

        for (size_t i = 0; i < COUNT_OF(wrong); i++) {
            (void)snprintf(doe->cookie, sizeof(doe->cookie), "%s", wrong[i]);
            browser_expect(doe, 401, browser_get(doe, "/v1/session"));
        }
    }
    (void)snprintf(other, sizeof(other), "%s", good);
    other[strlen(other) - 1] = other[strlen(other) - 1] == 'A' ? 'Q' : 'A';
    memcpy(doe->cookie, other, sizeof(other));
    browser_expect(doe, 401, browser_get(doe, "/v1/session"));
    /* Two at once are refused, whichever is right. */
    (void)snprintf(doe->more, sizeof(doe->more), "Cookie: %s\r\n", good);
    browser_expect(doe, 400, browser_get(doe, "/v1/session"));
    doe->more[0] = '\0';
    memcpy(doe->cookie, good, sizeof(good));
    browser_expect(doe, 200, browser_get(doe, "/v1/session"));
}

/* A cookie that was there before is not taken over. */
static void
signing_in_never_keeps_the_cookie_of_before(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char planted[128], code[8];

    start(people);
    memcpy(planted, doe->cookie, sizeof(planted));
    browser_expect(doe, 201,
                   browser_sign_in_with(doe, "doe", PASSWORD, "totp", browser_code(doe, 0, code)));
    assert_string_not_equal(planted, doe->cookie);
}

static void
a_token_beside_a_cookie_is_refused(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm;

    service_start(&people->service);
    browser_enrol(adm, &people->room);
    (void)snprintf(adm->more, sizeof(adm->more), "Authorization: Bearer pb_x\r\n");
    browser_expect(adm, 400, browser_get(adm, "/v1/accounts"));
    browser_expect(adm, 400, browser_get(adm, "/v1/session"));
    adm->more[0] = '\0';
    browser_expect(adm, 200, browser_get(adm, "/v1/accounts"));
    browser_expect(adm, 403, browser_get(adm, "/v1/token"));
}

/* ---- requests that other sites make ---- */

static void
what_changes_anything_needs_the_csrf_and_comes_from_here(void **state)
{
    static const struct {
        const char *csrf; /* NULL: the right one */
        const char *more;
        int status;
    } cases[] = {
        { "", "", 403 },
        { "x", "", 403 },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", 403 },
        { NULL, "Sec-Fetch-Site: cross-site\r\n", 403 },
        { NULL, "Sec-Fetch-Site: same-site\r\n", 403 },
        { NULL, "Origin: https://evil.example\r\n", 403 },
        { NULL, "Origin: null\r\n", 403 },
        { NULL, "Origin: http://test.evil.example\r\n", 403 },
        { "", "Origin: http://test\r\nSec-Fetch-Site: same-origin\r\n", 403 },
        { NULL, "Origin: http://test\r\nSec-Fetch-Site: same-origin\r\n", 404 },
        { NULL, "Origin: https://test\r\n", 404 },
        { NULL, "", 404 },
    };
    struct people *people = *state;
    struct browser *doe = &people->doe;
    char csrf[64];

    start(people);
    memcpy(csrf, doe->csrf, sizeof(csrf));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status;

        (void)snprintf(doe->csrf, sizeof(doe->csrf), "%s",
                       cases[i].csrf != NULL ? cases[i].csrf : csrf);
        (void)snprintf(doe->more, sizeof(doe->more), "%s", cases[i].more);
        status = browser_ask(doe, "DELETE", "/v1/sessions/0123456789ab", "/v1/sessions/{id}", NULL);
        if (status != cases[i].status)
            fail_msg("case %zu: %d: %s", i, status, client_body(&doe->last));
    }
    doe->more[0] = '\0';
    memcpy(doe->csrf, csrf, sizeof(csrf));
    (void)snprintf(doe->more, sizeof(doe->more), "Sec-Fetch-Site: cross-site\r\n");
    browser_expect(doe, 403, browser_sign_in(doe));
}

/* ---- accounts ---- */

static void
a_second_administrator_approves_what_one_asked_for(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm, second;
    char of_others[512], of_none[512];

    service_start(&people->service);
    room_account(&people->room, "adm2", "sup");
    browser_enrol(adm, &people->room);
    browser_init(&second, &people->service, &people->room.now_us, "adm2");
    browser_enrol(&second, &people->room);
    browser_expect(adm, 200, browser_totp(adm, "/v1/session/step-up"));

    browser_expect(adm, 201, browser_send(adm, "POST", "/v1/accounts", "{\"person\":\"low\"}"));
    expect_in(client_body(&adm->last), "\"state\":\"requested\",\"creator\":\"adm\"");
    browser_expect(adm, 409, browser_send(adm, "POST", "/v1/accounts", "{\"person\":\"low\"}"));
    browser_expect(adm, 403, browser_send(adm, "POST", "/v1/accounts", "{\"person\":\"roe\"}"));
    plain_reply(adm, of_others, sizeof(of_others));
    browser_expect(adm, 403, browser_send(adm, "POST", "/v1/accounts", "{\"person\":\"none\"}"));
    plain_reply(adm, of_none, sizeof(of_none));
    assert_string_equal(of_others, of_none);
    browser_expect(adm, 403, browser_send(adm, "POST", "/v1/accounts", "{\"person\":\"adm\"}"));
    browser_expect(adm, 403,
                   browser_ask(adm, "POST", "/v1/accounts/low/approve",
                               "/v1/accounts/{person}/approve", NULL));
    browser_expect(adm, 403,
                   browser_ask(adm, "POST", "/v1/accounts/low/link", "/v1/accounts/{person}/link",
                               NULL));
    browser_expect(&second, 200,
                   browser_ask(&second, "POST", "/v1/accounts/low/approve",
                               "/v1/accounts/{person}/approve", NULL));
    expect_in(client_body(&second.last), "\"state\":\"active\"");
    browser_expect(&second, 403,
                   browser_ask(&second, "POST", "/v1/accounts/low/approve",
                               "/v1/accounts/{person}/approve", NULL));
    browser_expect(adm, 201,
                   browser_ask(adm, "POST", "/v1/accounts/low/link", "/v1/accounts/{person}/link",
                               NULL));
    expect_in(client_body(&adm->last), "\"path\":\"/sign-in?code=");
    /* To give access takes a fresh proof. */
    people->room.now_us += 5 * MINUTE;
    browser_expect(adm, 403,
                   browser_ask(adm, "POST", "/v1/accounts/low/link", "/v1/accounts/{person}/link",
                               NULL));
    browser_expect(adm, 200,
                   browser_ask(adm, "GET", "/v1/accounts/low", "/v1/accounts/{person}", NULL));
    browser_done(&second);
}

static void
approving_needs_somebody_else_of_the_agency(void **state)
{
    static const struct {
        const char *person, *creator, *approver;
        enum pb_status status;
    } cases[] = {
        { "low", "", "adm", PB_OK },
        { "low", "adm", "adm", PB_BAD_INPUT },
        { "low", "adm", "adm2", PB_OK },
        { "low", "", "sup", PB_BAD_INPUT }, /* approves inquiries, not people */
        { "low", "", "doe", PB_BAD_INPUT },
        { "low", "", "rivaud", PB_BAD_INPUT },
        { "low", "", "", PB_BAD_INPUT },
        { "low", "", "nobody", PB_BAD_INPUT },
        { "adm2", "", "adm", PB_OK },
        { "adm2", "", "sup", PB_OK },
        { "adm2", "", "adm2", PB_BAD_INPUT },
        { "adm2", "", "doe", PB_BAD_INPUT },
    };
    struct people *people = *state;
    struct site_room *room = &people->room;
    struct pb_str nothing = { NULL, 0 };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum pb_status status;

        room_expect(room, PB_OK,
                    pb_api_account_add(room->env, room->site, pb_str_from(cases[i].creator),
                                       pb_str_from(cases[i].person), &room->error),
                    "add");
        status = pb_api_account_approve(room->env, room->site, pb_str_from(cases[i].approver),
                                        pb_str_from(cases[i].person), &room->error);
        if (status != cases[i].status)
            fail_msg("case %zu: %s: %s", i, pb_status_name(status), room->error.message);
        room_expect(room, PB_OK,
                    pb_catalog_note_put(pb_site_catalog(room->site), "account", cases[i].person,
                                        nothing, &room->error),
                    "forget");
    }
}

/* An administrator who could would go in as who operates. */
static void
accounts_of_who_operates_are_kept_by_who_operates(void **state)
{
    struct people *people = *state;
    struct site_room *room = &people->room;
    struct pb_str nothing = { NULL, 0 }, target = pb_str_from("opr"), adm = pb_str_from("adm");
    char code[PB_ACCOUNT_CODE_BYTES];

    room_import(room, "people:\n"
                      "  - { id: opr, agency: kansas-pd, name: O. Pr, role: operator,"
                      " status: active, training_valid_until: 2027-06-01 }\n"
                      "  - { id: opr2, agency: kansas-pd, name: O. Pr, role: operator,"
                      " status: active, training_valid_until: 2027-06-01 }\n");
    room_expect(room, PB_BAD_INPUT,
                pb_api_account_add(room->env, room->site, adm, target, &room->error), "add");
    room_expect(room, PB_OK,
                pb_api_account_add(room->env, room->site, nothing, target, &room->error), "add");
    room_expect(room, PB_OK,
                pb_api_account_approve(room->env, room->site, pb_str_from("sup"), target,
                                       &room->error),
                "approve");
    room_expect(room, PB_BAD_INPUT,
                pb_api_account_link(room->env, room->site, adm, target, code, &room->error),
                "link by an administrator");
    room_expect(room, PB_BAD_INPUT,
                pb_api_account_disable(room->env, room->site, adm, target, pb_str_from("no"),
                                       &room->error),
                "disable by an administrator");
    room_expect(room, PB_OK,
                pb_api_account_link(room->env, room->site, pb_str_from("opr2"), target, code,
                                    &room->error),
                "link by who operates");
}

static void
who_is_disabled_is_out_with_the_next_request(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe, *adm = &people->adm;

    start(people);
    browser_enrol(adm, &people->room);
    browser_expect(doe, 200, browser_get(doe, "/v1/session"));
    browser_expect(adm, 400,
                   browser_ask(adm, "POST", "/v1/accounts/doe/disable",
                               "/v1/accounts/{person}/disable", "{}"));
    browser_expect(adm, 403,
                   browser_ask(adm, "POST", "/v1/accounts/adm/disable",
                               "/v1/accounts/{person}/disable", "{\"why\":\"x\"}"));
    browser_expect(adm, 200,
                   browser_ask(adm, "POST", "/v1/accounts/doe/disable",
                               "/v1/accounts/{person}/disable", "{\"why\":\"left\"}"));
    expect_in(client_body(&adm->last), "\"state\":\"disabled\"");
    browser_expect(doe, 401, browser_get(doe, "/v1/session"));
    browser_expect(doe, 401, browser_sign_in(doe));
    browser_expect(adm, 200, browser_get(adm, "/v1/session"));
}

static void
who_is_no_longer_active_in_the_catalog_is_out(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;

    start(people);
    room_import(&people->room, "people:\n  - { id: doe, agency: kansas-pd, name: J. Doe, role: "
                               "investigator, status: suspended }\n");
    browser_expect(doe, 401, browser_get(doe, "/v1/session"));
    room_import(&people->room, "people:\n  - { id: doe, agency: kansas-pd, name: J. Doe, role: "
                               "investigator, status: active }\n");
    browser_expect(doe, 401, browser_get(doe, "/v1/session")); /* it has ended */
    browser_expect(doe, 201, browser_sign_in(doe));
}

static void
an_account_that_nobody_uses_is_disabled_after_thirty_days(void **state)
{
    struct people *people = *state;
    struct site_room *room = &people->room;
    struct browser *doe = &people->doe;
    struct room_found found;
    uint64_t before;

    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    room->now_us += 30 * DAY - SECOND;
    browser_expect(doe, 201, browser_sign_in(doe));
    before = room_leaves(room, "kansas-pd", "change", NULL);
    room->now_us += 30 * DAY;
    browser_expect(doe, 401, browser_sign_in(doe));
    assert_int_equal(before + 1, room_leaves(room, "kansas-pd", "change", &found));
    assert_says(found.leaf, "\"entity\":\"account\",\"verb\":\"disable\"");
    assert_says(found.secrets, "reason=not used for 30 days\n");
    browser_expect(doe, 401, browser_sign_in(doe));
    assert_int_equal(before + 1, room_leaves(room, "kansas-pd", "change", NULL));
    room_expect(room, PB_OK,
                pb_api_account_approve(room->env, room->site, pb_str_from("adm"),
                                       pb_str_from("doe"), &room->error),
                "approve");
    browser_expect(doe, 201, browser_sign_in(doe));
}

static void
without_training_one_may_sign_in_and_do_nothing(void **state)
{
    struct people *people = *state;
    struct browser *adm = &people->adm;

    service_start(&people->service);
    browser_enrol(adm, &people->room);
    room_import(&people->room,
                "people:\n  - { id: adm, agency: kansas-pd, name: A. Dmin, role: administrator,"
                " status: active, training_valid_until: 2026-06-02 }\n");
    browser_expect(adm, 200, browser_get(adm, "/v1/accounts"));
    people->room.now_us = ROOM_NOW_US + 12 * HOUR - SECOND;
    browser_expect(adm, 201, browser_sign_in(adm));
    expect_in(client_body(&adm->last), "\"verbs\":[\"administer\"]");
    browser_expect(adm, 200, browser_get(adm, "/v1/accounts"));
    people->room.now_us += SECOND;
    browser_expect(adm, 403, browser_get(adm, "/v1/accounts"));
    expect_in(client_body(&adm->last), "\"field\":\"training\"");
    people->room.now_us += PB_TOTP_STEP_US;
    browser_expect(adm, 201, browser_sign_in(adm));
    expect_in(client_body(&adm->last), "\"verbs\":[]");
}

static void
nothing_secret_is_logged_or_kept_in_the_clear(void **state)
{
    struct people *people = *state;
    struct browser *doe = &people->doe;
    const char *lines;

    start(people);
    browser_expect(doe, 201, browser_sign_in(doe));
    browser_expect(doe, 401, browser_sign_in_with(doe, "doe", "mistyped secret", "totp", "1"));
    lines = logged(people);
    expect_in(lines, "session.begin");
    assert_null(strstr(lines, PASSWORD));
    assert_null(strstr(lines, "mistyped secret"));
    assert_null(strstr(lines, doe->cookie + strlen("platebase=")));
    assert_null(strstr(lines, doe->csrf));
    assert_null(strstr(lines, "doe"));
}

/* ---- without memory ---- */

/* Signing in while the n-th allocation fails: signed in, or a failure of the server's, and never
 * half of it; nor is it a wrong password, or a name would be locked by five of them. */
static void
signing_in_without_memory_fails_as_a_whole(void **state)
{
    struct people *people = *state;
    struct site_room *room = &people->room;
    struct browser *doe = &people->doe;
    int status = 0;

    people->service.fixture.options.io_threads = 1;
    people->service.fixture.options.worker_threads = 1;
    start(people);
    for (uint64_t n = 1; status != 201; n++) {
        assert_true(n < 400);
        room->now_us += PB_TOTP_STEP_US;
        room->fault.fail_allocation_at = room->fault.allocation_count + n;
        status = browser_sign_in(doe);
        room->fault.fail_allocation_at = 0;
        if (status != 201 && status != 503 && status != 500)
            fail_msg("allocation %llu: %d: %s", (unsigned long long)n, status,
                     client_body(&doe->last));
        if (status != 201)
            assert_null(strstr(doe->last.text, "Set-Cookie"));
    }
    browser_expect(doe, 200, browser_get(doe, "/v1/session"));
}

static void
an_interface_for_people_needs_memory_or_says_so(void **state)
{
    struct people *people = *state;
    struct site_room *room = &people->room;
    enum pb_status status = PB_E_NOMEM;
    uint64_t n = 0;

    while (status != PB_OK) {
        struct pb_api_options options = people->service.options;
        struct pb_api *api = NULL;

        options.data_path = people->service.directory;
        room->fault.fail_allocation_at = room->fault.allocation_count + ++n;
        status = pb_api_new(room->env, &options, &api, &room->error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_api_free(api);
    }
    room->fault.fail_allocation_at = 0;
    assert_in_range(n, 8, 40);
}

static void
accounts_change_wholly_or_not_at_all(void **state)
{
    struct people *people = *state;
    struct site_room *room = &people->room;
    struct pb_str operator= { NULL, 0 }, low = pb_str_from("low");
    enum pb_status status = PB_E_NOMEM;
    uint64_t n = 0;

    while (status != PB_OK) {
        room->fault.fail_allocation_at = room->fault.allocation_count + ++n;
        status = pb_api_account_add(room->env, room->site, operator, low, &room->error);
        room->fault.fail_allocation_at = 0;
        assert_true(status == PB_OK || status == PB_E_NOMEM);
    }
    assert_in_range(n, 2, 200);
    status = PB_E_NOMEM;
    for (n = 1; status != PB_OK; n++) {
        char code[PB_ACCOUNT_CODE_BYTES] = "";

        if (n == 1)
            room_expect(room, PB_OK,
                        pb_api_account_approve(room->env, room->site, pb_str_from("adm"), low,
                                               &room->error),
                        "approve");
        room->fault.fail_allocation_at = room->fault.allocation_count + n;
        status = pb_api_account_link(room->env, room->site, operator, low, code, &room->error);
        room->fault.fail_allocation_at = 0;
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true((status == PB_OK) == (code[0] != '\0'));
    }
    assert_in_range(n, 2, 300);
}

/* What cannot be put on record is not done. */
static void
without_a_record_nobody_signs_in(void **state)
{
    struct people *people = *state;
    struct site_room *room = &people->room;
    struct browser *doe = &people->doe;

    start(people);
    room->fault.fail_file_mask = FAULT_SYNC;
    room->fault.fail_file_call_at = room->fault.file_call_count + 1;
    room->fault.is_file_failure_lasting = true;
    browser_expect(doe, 500, browser_sign_in(doe));
    assert_null(strstr(doe->last.text, "Set-Cookie"));
    room->fault.fail_file_call_at = 0;
    room->fault.is_file_failure_lasting = false;
    room->fault.fail_file_mask = FAULT_ANY;
    room->now_us += PB_TOTP_STEP_US;
    browser_expect(doe, 503, browser_sign_in(doe)); /* and none after it */
    (void)pb_server_stop(people->service.fixture.server, 0);
    people->service.fixture.server = NULL;
    pb_api_free(people->service.api);
    people->service.api = NULL;
    room_expect(room, PB_E_POISONED, pb_site_close(room->site, &room->error), "close");
    room->site = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(nobody_signs_in_before_they_agree),
        CASE(a_site_has_its_own_text),
        CASE(a_text_that_is_none_keeps_the_server_from_starting),
        CASE(a_link_is_used_by_who_sends_it_and_once),
        CASE(a_link_holds_for_a_quarter_of_an_hour),
        CASE(a_new_link_voids_the_one_before_and_what_signed_in),
        CASE(a_form_without_scripts_signs_in),
        CASE(a_link_of_the_demonstration_signs_in_as_it_is),
        CASE(who_enrols_may_do_nothing_else),
        cmocka_unit_test(passwords_that_others_would_try_are_not_taken),
        CASE(enrolling_needs_a_code_of_the_secret_and_a_good_password),
        CASE(breached_passwords_are_not_taken),
        CASE(a_list_of_breached_passwords_that_is_none_is_not_started_with),
        CASE(enrolling_anew_needs_a_fresh_proof_and_ends_other_sessions),
        CASE(a_code_signs_in_once_and_a_step_to_either_side),
        CASE(a_recovery_code_signs_in_once),
        cmocka_unit_test(recovery_codes_of_before_are_taken),
        CASE(of_two_at_once_with_one_code_one_signs_in),
        CASE(who_does_not_sign_in_is_not_told_why),
        CASE(five_failures_lock_a_name_whether_or_not_it_exists),
        CASE(an_administrator_unlocks_whom_others_have_locked_out),
        CASE(each_lock_is_longer_until_somebody_signs_in),
        CASE(four_failures_are_forgotten_after_a_quarter_of_an_hour),
        CASE(an_address_that_tries_many_names_has_to_wait),
        CASE(a_browser_that_is_known_is_not_locked_out_by_others),
        CASE(a_browser_is_known_for_thirty_days),
        CASE(what_is_no_cookie_of_a_browser_counts_for_nothing),
        CASE(failures_do_not_flood_the_log),
        CASE(a_session_locks_after_a_quarter_of_an_hour),
        CASE(a_one_time_code_unlocks_and_steps_up),
        CASE(five_wrong_proofs_end_the_session),
        CASE(a_session_ends_after_twelve_hours),
        CASE(a_fresh_code_opens_partial_plates_for_five_minutes),
        CASE(signing_out_ends_the_session_at_once),
        CASE(people_see_and_end_their_own_sessions_alone),
        CASE(the_ninth_session_of_a_person_ends_the_oldest),
        CASE(a_table_that_is_full_takes_no_more_people),
        CASE(cookies_have_the_flags_that_keep_them),
        CASE(over_tls_the_cookie_is_for_this_host_alone),
        CASE(cookies_that_are_none_open_nothing),
        CASE(signing_in_never_keeps_the_cookie_of_before),
        CASE(a_token_beside_a_cookie_is_refused),
        CASE(what_changes_anything_needs_the_csrf_and_comes_from_here),
        CASE(a_second_administrator_approves_what_one_asked_for),
        CASE(approving_needs_somebody_else_of_the_agency),
        CASE(accounts_of_who_operates_are_kept_by_who_operates),
        CASE(who_is_disabled_is_out_with_the_next_request),
        CASE(who_is_no_longer_active_in_the_catalog_is_out),
        CASE(an_account_that_nobody_uses_is_disabled_after_thirty_days),
        CASE(without_training_one_may_sign_in_and_do_nothing),
        CASE(nothing_secret_is_logged_or_kept_in_the_clear),
        CASE(signing_in_without_memory_fails_as_a_whole),
        CASE(an_interface_for_people_needs_memory_or_says_so),
        CASE(accounts_change_wholly_or_not_at_all),
        CASE(without_a_record_nobody_signs_in),
    };

    /* A site is made for each, and it is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
