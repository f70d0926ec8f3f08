/*
 * Sweeps over the handlers of people: signing in and all that a session does, and what
 * administrators do with accounts.
 */
#include "api/sweep.h"

#include <liboath/oath.h>

#define PASSWORD "a long and plain sentence"

static const uint8_t secret[PB_TOTP_SECRET_BYTES] = "12345678901234567890";

/* ---- what is done with accounts, behind the back of the handlers ---- */

static struct pb_api_account
account_of(struct sweep *sweep, const char *person, struct pb_arena *arena)
{
    struct pb_api_account account;

    room_expect(&sweep->room, PB_OK,
                pb_api_account_find(sweep->room.site, pb_str_from(person), arena, &account,
                                    &sweep->room.error),
                person);
    return account;
}

static void
put_code(struct sweep *sweep, const uint8_t *of, int64_t at_us)
{
    char code[PB_TOTP_DIGITS + 1];

    assert_int_equal(OATH_OK, oath_totp_generate((const char *)of, PB_TOTP_SECRET_BYTES,
                                                 (time_t)(at_us / PB_SECOND_US), 30, 0,
                                                 PB_TOTP_DIGITS, code));
    (void)snprintf(sweep->code, sizeof(sweep->code), "%s", code);
}

/* Of the five tries that doe has, in signing in and within sessions, one is left; what failed in
 * the turn before has not used it up. */
static void
leave_one_try(struct sweep *sweep)
{
    struct pb_api_people *people = &sweep->api->people;
    struct pb_api_lockout *const counts[] = { &people->names, &people->proofs };
    const struct pb_str doe = pb_str_from("doe");
    bool is_last = false;

    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        unsigned wait_s = pb_api_lockout_take(counts[i], doe, &is_last);

        /* That a success clears the count may not have reached the file, which a restart reads. */
        if (wait_s > 0 && sweep->answer.status >= 500)
            fail_msg("a failure of the server's was counted as a wrong proof");
        pb_api_lockout_clear(counts[i], doe);
        for (unsigned at = 0; at < 4; at++) {
            assert_int_equal(0, pb_api_lockout_take(counts[i], doe, &is_last));
            assert_false(is_last);
        }
    }
}

/* Password, secret and recovery codes, none of which was used. The first code is kept. */
static void
have_ways_in(struct sweep *sweep)
{
    const struct pb_password_cost cost = { 8192, 1 };
    struct site_room *room = &sweep->room;
    char password[PB_PASSWORD_HASH_BYTES], totp[PB_TOTP_SEALED_BYTES];
    char codes[PB_RECOVERY_CODES][PB_RECOVERY_CODE_BYTES], list[PB_RECOVERY_LIST_BYTES];
    struct pb_api_account account;
    struct pb_arena arena;

    leave_one_try(sweep);
    pb_arena_init(&arena, pb_env_system(), 1024);
    account = account_of(sweep, "doe", &arena);
    room_expect(room, PB_OK, pb_password_hash(&cost, pb_str_from(PASSWORD), password, &room->error),
                "hash");
    room_expect(room, PB_OK,
                pb_totp_seal(room->env, room->site, account.person, secret, totp, &room->error),
                "seal");
    room_expect(room, PB_OK, pb_recovery_make(room->env, codes, list, &room->error), "codes");
    account.password = pb_str_from(password);
    account.totp = pb_str_from(totp);
    account.totp_step = 0;
    account.codes = pb_str_from(list);
    room_expect(room, PB_OK, pb_api_account_swap(room->site, &account, &room->error), "swap");
    pb_arena_clear(&arena);
    (void)snprintf(sweep->code, sizeof(sweep->code), "%s", codes[0]);
    (void)snprintf(sweep->held, sizeof(sweep->held), "%s", list);
}

static void
have_one_time_code(struct sweep *sweep)
{
    have_ways_in(sweep);
    put_code(sweep, secret, sweep->room.now_us);
}

static void
have_link(struct sweep *sweep)
{
    const struct pb_str by_operator = { NULL, 0 };
    char code[PB_ACCOUNT_CODE_BYTES];

    room_expect(&sweep->room, PB_OK,
                pb_api_account_link(sweep->room.env, sweep->room.site, by_operator,
                                    pb_str_from("doe"), code, &sweep->room.error),
                "link");
    (void)snprintf(sweep->code, sizeof(sweep->code), "%s", code);
}

/* The session was given another secret, and the code is one of it. */
static void
have_new_secret(struct sweep *sweep)
{
    static const uint8_t other[PB_TOTP_SECRET_BYTES] = "abcdefghijklmnopqrst";
    struct pb_api_session session;

    have_ways_in(sweep);
    put_code(sweep, other, sweep->room.now_us);
    assert_true(pb_api_sessions_find(&sweep->api->people.sessions, pb_str_from(sweep->cookie),
                                     false, &session));
    assert_true(pb_api_sessions_set_pending(&sweep->api->people.sessions, session.id, other));
}

/* The codes that were there are no longer. */
static bool
is_enrolled(struct sweep *sweep)
{
    struct pb_arena arena;
    bool is_other;

    pb_arena_init(&arena, pb_env_system(), 1024);
    is_other = !pb_str_equal(account_of(sweep, "doe", &arena).codes, pb_str_from(sweep->held));
    pb_arena_clear(&arena);
    return is_other;
}

static void
add_person(struct sweep *sweep, const char *approver)
{
    char yaml[256];

    (void)snprintf(yaml, sizeof(yaml),
                   "people:\n  - { id: %s, agency: kansas-pd, name: N. Ew, role: officer,"
                   " training_valid_until: 2027-06-01, status: active }\n",
                   sweep->id);
    room_import(&sweep->room, yaml);
    sweep_add_account(sweep, sweep->id, approver);
}

static void
have_requested_account(struct sweep *sweep)
{
    add_person(sweep, NULL);
}

static void
have_account(struct sweep *sweep)
{
    add_person(sweep, "adm");
}

static bool
is_in_state(struct sweep *sweep, enum pb_account_state state)
{
    struct pb_arena arena;
    bool is_so;

    pb_arena_init(&arena, pb_env_system(), 1024);
    is_so = account_of(sweep, sweep->id, &arena).state == state;
    pb_arena_clear(&arena);
    return is_so;
}

static bool
is_approved(struct sweep *sweep)
{
    return is_in_state(sweep, PB_ACCOUNT_ACTIVE);
}

static bool
is_disabled(struct sweep *sweep)
{
    return is_in_state(sweep, PB_ACCOUNT_DISABLED);
}

/* ---- the table ---- */

static const struct sweep_request requests[] = {
    /* Signing in. */
    { "session.splash", NOBODY, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "sign_in.page", NOBODY, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "session.begin", NOBODY, NULL, NULL, NULL,
      "{\"person\":\"doe\",\"password\":\"" PASSWORD "\",\"totp\":\"~\",\"consent\":\"#\"}", 201,
      have_one_time_code, NULL },
    { "session.begin", NOBODY, NULL, NULL, NULL,
      "{\"person\":\"doe\",\"password\":\"" PASSWORD
      "\",\"recovery_code\":\"~\",\"consent\":\"#\"}",
      201, have_ways_in, NULL },
    { "session.begin", NOBODY, NULL, NULL, NULL, "{\"code\":\"~\",\"consent\":\"#\"}", 201,
      have_link, NULL },
    { "sign_in.send", NOBODY, NULL, NULL, NULL,
      "person=doe&password=a+long+and+plain+sentence&totp=~&consent=#", 303, have_one_time_code,
      NULL },
    /* A session. */
    { "session.show", DOE_HERE, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "session.step_up", DOE_HERE, NULL, NULL, NULL, "{\"totp\":\"~\"}", 200, have_one_time_code,
      NULL },
    { "session.unlock", DOE_HERE, NULL, NULL, NULL, "{\"totp\":\"~\"}", 200, have_one_time_code,
      NULL },
    { "session.unlock", DOE_HERE, NULL, NULL, NULL, "{\"password\":\"" PASSWORD "\"}", 200,
      have_ways_in, NULL },
    { "session.enrol_begin", DOE_HERE, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "session.enrol", DOE_HERE, NULL, NULL, NULL,
      "{\"password\":\"another plain sentence\",\"totp\":\"~\",\"current_password\":\"" PASSWORD
      "\"}",
      200, have_new_secret, is_enrolled },
    { "sessions.list", DOE_HERE, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "sessions.end", DOE_HERE, "others", NULL, NULL, NULL, 200, NULL, NULL },
    { "session.end", DOE_HERE, NULL, NULL, NULL, NULL, 200, NULL, NULL },
    { "people.list", ADM_HERE, NULL, "limit", "3", NULL, 200, NULL, NULL },
    /* Accounts. */
    { "accounts.show", ADM, "doe", NULL, NULL, NULL, 200, NULL, NULL },
    { "accounts.approve", ADM_HERE, "%", NULL, NULL, NULL, 200, have_requested_account,
      is_approved },
    { "accounts.link", ADM_HERE, "%", NULL, NULL, NULL, 201, have_account, NULL },
    { "accounts.unlock", ADM_HERE, "%", NULL, NULL, NULL, 200, have_account, NULL },
    { "accounts.disable", ADM_HERE, "%", NULL, NULL, "{\"why\":\"left\"}", 200, have_account,
      is_disabled },
};

static void
without_memory_nobody_is_told_a_wrong_password(void **state)
{
    sweep_all(*state, requests, COUNT_OF(requests), OF_MEMORY);
}

static void
without_a_file_nobody_is_told_a_wrong_password(void **state)
{
    sweep_all(*state, requests, COUNT_OF(requests), OF_FILES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, sweep_setup, sweep_teardown)
        CASE(without_memory_nobody_is_told_a_wrong_password),
        CASE(without_a_file_nobody_is_told_a_wrong_password),
    };

    /* It is not the disk that is tested. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
