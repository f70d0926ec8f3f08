/*
 * People at a browser: they enrol, sign in, and ask with cookie and csrf.
 */
#ifndef PB_TESTS_API_BROWSER_H
#define PB_TESTS_API_BROWSER_H

#include "api/service.h"
#include "inquiry/site_room.h"

#include <liboath/oath.h>

#include "api/account.h"
#include "api/people.h"

#define PASSWORD "a long and plain sentence"

struct browser {
    const struct service *service;
    const int64_t *now_us;
    char person[32];
    char cookie[128]; /* "name=value" */
    char csrf[64];
    char totp[64]; /* base32 */
    char recovery[PB_RECOVERY_CODES][PB_RECOVERY_CODE_BYTES];
    char consent[65];
    char more[256]; /* headers of its own, each with its line end */
    struct client last;
};

static inline void
browser_init(struct browser *browser, const struct service *service, const int64_t *now_us,
             const char *person)
{
    memset(browser, 0, sizeof(*browser));
    browser->service = service;
    browser->now_us = now_us;
    browser->last.file = -1;
    (void)snprintf(browser->person, sizeof(browser->person), "%s", person);
}

static inline void
browser_done(struct browser *browser)
{
    client_close(&browser->last);
}

/* The text of a member of the last reply; false: there is none. */
static inline bool
browser_text(const struct browser *browser, const char *key, char *ret_text, size_t room)
{
    json_t *body = json_loads(client_body(&browser->last), 0, NULL);
    const char *text = json_string_value(json_object_get(body, key));
    bool is_there = text != NULL;

    if (is_there)
        (void)snprintf(ret_text, room, "%s", text);
    json_decref(body);
    return is_there;
}

/* What a reply sets is kept, as a browser does. */
static inline void
browser_keep(struct browser *browser)
{
    const char *set = strstr(browser->last.text, "Set-Cookie: ");

    if (set != NULL) {
        size_t bytes = strcspn(set + 12, ";\r");

        assert_true(bytes < sizeof(browser->cookie));
        memcpy(browser->cookie, set + 12, bytes);
        browser->cookie[bytes] = '\0';
    }
    (void)browser_text(browser, "csrf", browser->csrf, sizeof(browser->csrf));
}

/* One request as the browser sends it; the reply stays in `last`. */
static inline int
browser_ask(struct browser *browser, const char *method, const char *target, const char *template,
            const char *body)
{
    bool changes = strcmp(method, "GET") != 0;
    char more[1536];
    int length = 0, status;

    if (browser->cookie[0] != '\0')
        length += snprintf(more, sizeof(more), "Cookie: theme=dark; %s\r\n", browser->cookie);
    if (changes && browser->csrf[0] != '\0')
        length += snprintf(more + length, sizeof(more) - (size_t)length, "X-CSRF-Token: %s\r\n",
                           browser->csrf);
    if (body != NULL)
        length +=
            snprintf(more + length, sizeof(more) - (size_t)length,
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    (void)snprintf(more + length, sizeof(more) - (size_t)length, "%s", browser->more);
    client_close(&browser->last);
    status = service_ask(browser->service, &browser->last, method, target, template, more, body);
    if (status >= 200 && status < 300)
        browser_keep(browser);
    return status;
}

static inline int
browser_get(struct browser *browser, const char *target)
{
    return browser_ask(browser, "GET", target, target, NULL);
}

static inline int
browser_send(struct browser *browser, const char *method, const char *target, const char *body)
{
    return browser_ask(browser, method, target, target, body);
}

static inline void
browser_expect(struct browser *browser, int expected, int status)
{
    if (status != expected)
        fail_msg("%s: %d instead of %d: %s", browser->person, status, expected,
                 client_body(&browser->last));
}

/* The code of its secret, steps from now. */
static inline const char *
browser_code(const struct browser *browser, int steps, char ret_code[8])
{
    char *secret = NULL;
    size_t bytes = 0;

    assert_int_equal(OATH_OK,
                     oath_base32_decode(browser->totp, strlen(browser->totp), &secret, &bytes));
    assert_int_equal(OATH_OK, oath_totp_generate(secret, bytes,
                                                 (time_t)(*browser->now_us / 1000000 + 30 * steps),
                                                 30, 0, 6, ret_code));
    free(secret);
    return ret_code;
}

/* Reads the text and remembers that it was agreed to. */
static inline void
browser_agree(struct browser *browser)
{
    browser_expect(browser, 200, browser_get(browser, "/v1/session/splash"));
    assert_true(browser_text(browser, "sha256", browser->consent, sizeof(browser->consent)));
}

static inline int
browser_follow(struct browser *browser, const char *code)
{
    char body[256];

    (void)snprintf(body, sizeof(body), "{\"code\":\"%s\",\"consent\":\"%s\"}", code,
                   browser->consent);
    return browser_send(browser, "POST", "/v1/session", body);
}

static inline int
browser_sign_in_with(struct browser *browser, const char *person, const char *password,
                     const char *key, const char *code)
{
    char body[512];

    (void)snprintf(body, sizeof(body),
                   "{\"person\":\"%s\",\"password\":\"%s\",\"%s\":\"%s\",\"consent\":\"%s\"}",
                   person, password, key, code, browser->consent);
    return browser_send(browser, "POST", "/v1/session", body);
}

static inline int
browser_sign_in(struct browser *browser)
{
    char code[8];

    browser->cookie[0] = browser->csrf[0] = '\0';
    return browser_sign_in_with(browser, browser->person, PASSWORD, "totp",
                                browser_code(browser, 0, code));
}

static inline int
browser_totp(struct browser *browser, const char *target)
{
    char code[8], body[64];

    (void)snprintf(body, sizeof(body), "{\"totp\":\"%s\"}", browser_code(browser, 0, code));
    return browser_send(browser, "POST", target, body);
}

/* ---- accounts ---- */

static inline void
room_account(struct site_room *room, const char *person, const char *approver)
{
    struct pb_str operator= { NULL, 0 };

    room_expect(room, PB_OK,
                pb_api_account_add(room->env, room->site, operator, pb_str_from(person),
                                   &room->error),
                person);
    room_expect(room, PB_OK,
                pb_api_account_approve(room->env, room->site, pb_str_from(approver),
                                       pb_str_from(person), &room->error),
                person);
}

static inline void
room_link(struct site_room *room, const char *person, char code[PB_ACCOUNT_CODE_BYTES])
{
    struct pb_str operator= { NULL, 0 };

    room_expect(room, PB_OK,
                pb_api_account_link(room->env, room->site, operator, pb_str_from(person), code,
                                    &room->error),
                person);
}

/* By a link, to a session with all rights; the clock goes on by a step, so that the code of now was
 * not used. */
static inline void
browser_enrol(struct browser *browser, struct site_room *room)
{
    char code[PB_ACCOUNT_CODE_BYTES], totp[8], body[256];
    json_t *reply, *one;
    size_t at;

    browser_agree(browser);
    room_link(room, browser->person, code);
    browser_expect(browser, 201, browser_follow(browser, code));
    browser_expect(browser, 200, browser_send(browser, "POST", "/v1/session/enrolment", NULL));
    assert_true(browser_text(browser, "secret", browser->totp, sizeof(browser->totp)));
    (void)snprintf(body, sizeof(body), "{\"password\":\"%s\",\"totp\":\"%s\"}", PASSWORD,
                   browser_code(browser, 0, totp));
    browser_expect(browser, 200, browser_send(browser, "PUT", "/v1/session/enrolment", body));
    reply = json_loads(client_body(&browser->last), 0, NULL);
    assert_int_equal(PB_RECOVERY_CODES, json_array_size(json_object_get(reply, "recovery_codes")));
    json_array_foreach(json_object_get(reply, "recovery_codes"), at, one)
    {
        (void)snprintf(browser->recovery[at], sizeof(browser->recovery[at]), "%s",
                       json_string_value(one));
    }
    json_decref(reply);
    room->now_us += PB_TOTP_STEP_US;
}

#endif
