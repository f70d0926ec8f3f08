/*
 * Ways to sign in: the service with the site of site_room.h, and a browser that keeps cookies.
 */
#ifndef PB_TESTS_API_WAYS_H
#define PB_TESTS_API_WAYS_H

#include "api/service.h"
#include "inquiry/site_room.h"

#include "api/account.h"
#include "api/oidc.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ORIGIN "https://plates.example.org"
#define SITE "plates.example.org"
#define MINUTE_US (INT64_C(60) * 1000000)

/* A browser: what it holds, and the last answer. */
struct browser {
    char session[64], attempt[64], csrf[64];
    char consent[65];
    char *text;   /* owned: the body of the last answer */
    json_t *json; /* owned; NULL where it was none */
};

struct ways {
    struct site_room room;
    struct service service;
    struct browser browser;
};

static inline void
browser_done(struct browser *browser)
{
    free(browser->text);
    json_decref(browser->json);
    memset(browser, 0, sizeof(*browser));
}

/* An account that may sign in, of somebody of kansas-pd. */
static inline void
ways_account(struct ways *ways, const char *person)
{
    struct site_room *room = &ways->room;

    room_expect(room, PB_OK,
                pb_api_account_add(room->env, room->site, (struct pb_str){ NULL, 0 },
                                   pb_str_from(person), &room->error),
                person);
    room_expect(room, PB_OK,
                pb_api_account_approve(room->env, room->site, pb_str_from("adm"),
                                       pb_str_from(person), &room->error),
                person);
}

static inline void
ways_init(struct ways *ways)
{
    memset(ways, 0, sizeof(*ways));
    room_init(&ways->room);
    service_init(&ways->service);
    ways->service.env = ways->room.env;
    ways->service.options.site = ways->room.site;
    ways->service.options.takes_inquiries = true;
    ways->service.options.password_memory_bytes = 8192 * 1024;
    ways->service.options.password_passes = 1;
    ways->service.options.origin = ORIGIN;
    room_expect(&ways->room, PB_OK,
                pb_api_account_mark_demonstration(ways->room.site, &ways->room.error), "mark");
}

static inline void
ways_done(struct ways *ways)
{
    browser_done(&ways->browser);
    service_done(&ways->service);
    room_done(&ways->room);
}

/* Keeps the cookie of a name that an answer sets. */
static inline void
keep_cookie(const char *text, const char *name, char value[64])
{
    char start[64];
    const char *at;

    (void)snprintf(start, sizeof(start), "Set-Cookie: %s=", name);
    at = strstr(text, start);
    if (at == NULL)
        return;
    at += strlen(start);
    assert_true(strcspn(at, ";") < 64);
    (void)snprintf(value, 64, "%.*s", (int)strcspn(at, ";"), at);
}

/* Asks as a page of the service does; target may have a query, template is the endpoint's path. */
static inline int
browse_as(struct ways *ways, struct browser *browser, const char *method, const char *target,
          const char *template, const char *type, const char *body)
{
    char more[1024];
    struct client client;
    int status, used = 0;

    if (browser->session[0] != '\0' || browser->attempt[0] != '\0')
        used += snprintf(more, sizeof(more), "Cookie: %s%s%s%s%s\r\n",
                         browser->session[0] != '\0' ? "platebase=" : "", browser->session,
                         browser->session[0] != '\0' && browser->attempt[0] != '\0' ? "; " : "",
                         browser->attempt[0] != '\0' ? "platebase-attempt=" : "", browser->attempt);
    if (browser->csrf[0] != '\0')
        used += snprintf(more + used, sizeof(more) - (size_t)used, "X-CSRF-Token: %s\r\n",
                         browser->csrf);
    if (body != NULL)
        used += snprintf(more + used, sizeof(more) - (size_t)used,
                         "Content-Type: %s\r\nContent-Length: %zu\r\n", type, strlen(body));
    more[used] = '\0';
    status = service_ask(&ways->service, &client, method, target, template, more, body);
    keep_cookie(client.text, "platebase", browser->session);
    keep_cookie(client.text, "platebase-attempt", browser->attempt);
    free(browser->text);
    browser->text = strdup(client_body(&client));
    json_decref(browser->json);
    browser->json = json_loads(browser->text, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_string(json_object_get(browser->json, "csrf")))
        (void)snprintf(browser->csrf, sizeof(browser->csrf), "%s",
                       json_string_value(json_object_get(browser->json, "csrf")));
    client_close(&client);
    return status;
}

static inline int
browse(struct ways *ways, const char *method, const char *path, const char *body)
{
    return browse_as(ways, &ways->browser, method, path, path, "application/json", body);
}

static inline const char *
browsed_text(const struct ways *ways, const char *key)
{
    const char *text = json_string_value(json_object_get(ways->browser.json, key));

    if (text == NULL)
        fail_msg("no %s in: %s", key, ways->browser.text);
    return text;
}

static inline void
expect_browse(struct ways *ways, int wanted, const char *method, const char *path, const char *body)
{
    int status = browse(ways, method, path, body);

    if (status != wanted)
        fail_msg("%s %s: wanted %d, got %d: %s", method, path, wanted, status, ways->browser.text);
}

/* What they agree to. */
static inline void
ways_read_splash(struct ways *ways)
{
    expect_browse(ways, 200, "GET", "/v1/session/splash", NULL);
    (void)snprintf(ways->browser.consent, sizeof(ways->browser.consent), "%s",
                   browsed_text(ways, "sha256"));
}

/* Signs somebody in by a link, with all rights, a moment ago. */
static inline void
ways_sign_in(struct ways *ways, const char *person)
{
    struct site_room *room = &ways->room;
    char code[PB_ACCOUNT_CODE_BYTES], body[256];

    ways_read_splash(ways);
    room_expect(room, PB_OK,
                pb_api_account_link(room->env, room->site, (struct pb_str){ NULL, 0 },
                                    pb_str_from(person), code, &room->error),
                "link");
    (void)snprintf(body, sizeof(body), "{\"code\":\"%s\",\"consent\":\"%s\"}", code,
                   ways->browser.consent);
    expect_browse(ways, 201, "POST", "/v1/session", body);
}

#endif
