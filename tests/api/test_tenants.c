/*
 * Tenants: every endpoint, asked in every method by every kind of caller for what is the agency's
 * own, another's, shared, shared no longer. What must come of it stands in cells/, one file for
 * each endpoint, and is not made from what the server reads.
 */
#include "api/service.h"
#include "inquiry/site_room.h"

#include "api/account.h"
#include "api/api_private.h"
#include "api/session.h"
#include "api/token.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CALLERS_MAX 256u
#define CELLS_MIN 10000u

/* One of each for an agency: kansas-pd.d, kansas-pd.h. */
#define DECLARATION(agency)                                                              \
    "  - { id: " agency ".d, agency: " agency ", jurisdiction: US-IL, subject: il-test," \
    " signer: S. Igner, signed_at: 2026-01-01, expires_at: 2027-01-01, text_sha256: "    \
    "0000000000000000000000000000000000000000000000000000000000000000 }\n"
#define HOLD(agency)                                                                       \
    "  - { id: " agency ".h, agency: " agency ", case: \"" agency ":1\", facts: an order," \
    " authority: court-order, plate: HELD001, from: 2026-05-01, to: 2026-05-02,"           \
    " expires_at: 2026-06-05 }\n"

static const char more_catalog[] =
    "agencies:\n"
    "  - { id: lake-pd, name: Example Lake Police, class: local, jurisdiction: US-KS,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: hill-pd, name: Example Hill Police, class: local, jurisdiction: US-KS,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "  - { id: gone-pd, name: Example Gone Police, class: local, jurisdiction: US-KS,"
    " contributes: yes, reviewed_at: 2026-05-15 }\n"
    "people:\n"
    "  - { id: rivdoe, agency: river-pd, name: R. Doe, role: investigator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: rivadm, agency: river-pd, name: R. Dmin, role: administrator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: buradm, agency: bureau, name: B. Dmin, role: administrator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: spare, agency: kansas-pd, name: S. Pare, role: officer, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: rivspare, agency: river-pd, name: R. Spare, role: officer, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: lakex, agency: lake-pd, name: L. Ake, role: officer }\n"
    "  - { id: hillx, agency: hill-pd, name: H. Ill, role: officer }\n"
    "  - { id: left, agency: kansas-pd, name: L. Eft, role: investigator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "  - { id: gonedoe, agency: gone-pd, name: G. Doe, role: investigator, status: active,"
    " training_valid_until: 2027-06-01 }\n"
    "readers:\n"
    "  - { id: l1, agency: lake-pd, capture_state: US-KS, lat: 38.5, lon: -98.0 }\n"
    "  - { id: h1, agency: hill-pd, capture_state: US-KS, lat: 38.5, lon: -98.0 }\n"
    "agreements:\n"
    "  - { id: lake-kansas, owner: lake-pd, asker: kansas-pd, purposes: criminal-investigation,"
    " starts_at: 2025-01-01, ends_at: 2026-05-31 }\n"
    "  - { id: hill-kansas, owner: hill-pd, asker: kansas-pd, purposes: criminal-investigation,"
    " starts_at: 2026-01-01, ends_at: 2027-01-01 }\n"
    "  - { id: coast-pine, owner: coast-pd, asker: pine-pd, starts_at: 2026-01-01,"
    " ends_at: 2027-01-01 }\n"
    "cases:\n"
    "  - { id: \"kansas-pd:1\" }\n  - { id: \"coast-pd:1\" }\n  - { id: \"river-pd:1\" }\n"
    "  - { id: \"lake-pd:1\" }\n  - { id: \"hill-pd:1\" }\n"
    "declarations:\n" DECLARATION("kansas-pd") DECLARATION("coast-pd") DECLARATION("river-pd")
        DECLARATION("lake-pd") DECLARATION("hill-pd") "holds:\n" HOLD("kansas-pd") HOLD("coast-pd")
            HOLD("river-pd") HOLD("lake-pd") HOLD("hill-pd");

/* How somebody calls. */
enum kind {
    BY_TOKEN,
    BY_SESSION,
    BY_LOCKED_SESSION,
    BY_ENROLLING_SESSION, /* has not said yet how they will sign in */
    BY_ENDED_SESSION,
    WITHOUT_CSRF,      /* a session, but not what its pages know */
    FROM_ANOTHER_SITE, /* a session's cookie, sent by a page of another site */
    WITH_BOTH,         /* a session and a token */
};

/* One who calls. */
struct caller {
    char name[48]; /* for messages */
    enum kind kind;
    char agency[16], person[16];
    unsigned verbs;
    bool is_valid;                       /* its credential holds */
    char token[PB_TOKEN_TEXT_BYTES + 8]; /* as shown; empty: none */
};

struct tenants {
    struct site_room room;
    struct service service;
    struct caller callers[CALLERS_MAX];
    unsigned caller_count;
    struct client client; /* kept alive from cell to cell */
    unsigned number;      /* of $n */
    unsigned cells;
    unsigned wrong;
};

static void
append(char *text, size_t room, const char *more)
{
    size_t used = strlen(text);

    (void)snprintf(text + used, room - used, "%s", more);
}

/* ---- callers ---- */

static struct caller *
add_caller(struct tenants *tenants, const char *agency, const char *person, unsigned verbs,
           const char *reader)
{
    struct site_room *room = &tenants->room;
    struct caller *caller = &tenants->callers[tenants->caller_count++];
    struct pb_str readers[1] = { pb_str_from(reader) };
    struct pb_api_token token = {
        .agency = pb_str_from(agency),
        .person = pb_str_from(person),
        .verbs = verbs,
        .readers = readers,
        .reader_count = reader != NULL ? 1 : 0,
        .expires_at_us = room->now_us + 30 * PB_DAY_US,
    };

    assert_true(tenants->caller_count <= CALLERS_MAX);
    (void)snprintf(caller->name, sizeof(caller->name), "%s/%s/%u%s", agency,
                   person != NULL ? person : "-", verbs, reader != NULL ? "/one reader" : "");
    (void)snprintf(caller->agency, sizeof(caller->agency), "%s", agency);
    (void)snprintf(caller->person, sizeof(caller->person), "%s", person != NULL ? person : "");
    caller->verbs = verbs;
    caller->is_valid = true;
    room_expect(room, PB_OK,
                pb_api_token_add(room->env, room->site, &token, caller->token, &room->error),
                caller->name);
    return caller;
}

/* A credential that does not hold, made of one that does. */
static struct caller *
add_broken(struct tenants *tenants, const struct caller *from, const char *how)
{
    struct caller *caller = &tenants->callers[tenants->caller_count++];

    assert_true(tenants->caller_count <= CALLERS_MAX);
    *caller = *from;
    caller->is_valid = false;
    (void)snprintf(caller->name, sizeof(caller->name), "%.24s %s", from->name, how);
    return caller;
}

static void
add_verbs(struct tenants *tenants)
{
    static const struct {
        const char *agency, *person;
        bool contributes;
    } people[] = {
        { "kansas-pd", "doe", true },   { "kansas-pd", "sup", true },
        { "kansas-pd", "aud", true },   { "kansas-pd", "adm", true },
        { "kansas-pd", "low", true },   { "river-pd", "rivdoe", true },
        { "river-pd", "rivaud", true }, { "river-pd", "rivadm", true },
        { "coast-pd", "roe", true },    { "bureau", "agent", false },
        { "bureau", "chief", false },
    };
    static const unsigned some[] = { PB_TOKEN_ASK, PB_TOKEN_AUDIT, PB_TOKEN_ADMINISTER,
                                     PB_TOKEN_ASK | PB_TOKEN_AUDIT | PB_TOKEN_ADMINISTER };

    for (size_t i = 0; i < COUNT_OF(people); i++) {
        for (size_t at = 0; at < COUNT_OF(some); at++)
            (void)add_caller(tenants, people[i].agency, people[i].person, some[at], NULL);
        if (people[i].contributes)
            (void)add_caller(tenants, people[i].agency, NULL, PB_TOKEN_READS, NULL);
        (void)add_caller(tenants, people[i].agency, NULL, PB_TOKEN_ADMINISTER, NULL);
    }
    (void)add_caller(tenants, "kansas-pd", NULL, PB_TOKEN_READS, "k1");
    (void)add_caller(tenants, "river-pd", NULL, PB_TOKEN_READS, "r1");
}

static void
revoke_token(struct tenants *tenants, const struct caller *caller)
{
    struct site_room *room = &tenants->room;
    struct pb_str id = { caller->token + 3, PB_TOKEN_ID_BYTES };

    room_expect(room, PB_OK, pb_api_token_revoke(room->env, room->site, id, &room->error),
                "revoke");
}

/* Who shows nothing, or what holds no longer. */
static void
add_invalid(struct tenants *tenants)
{
    static const unsigned all = PB_TOKEN_ASK | PB_TOKEN_AUDIT | PB_TOKEN_ADMINISTER;
    struct caller *whole = add_caller(tenants, "kansas-pd", "doe", all, NULL), *broken;
    struct caller *one;
    char *last;

    (void)snprintf(add_broken(tenants, whole, "no token")->token, 1, "%s", "");
    broken = add_broken(tenants, whole, "other secret");
    last = broken->token + strlen(broken->token) - 1;
    *last = *last == 'A' ? 'Q' : 'A';
    broken = add_broken(tenants, whole, "other id");
    broken->token[3] = broken->token[3] == '0' ? '1' : '0';
    broken = add_broken(tenants, whole, "longer");
    append(broken->token, sizeof(broken->token), "A");
    broken = add_broken(tenants, whole, "shorter");
    broken->token[strlen(broken->token) - 1] = '\0';
    broken = add_broken(tenants, whole, "no token at all");
    (void)snprintf(broken->token, sizeof(broken->token), "%s", "pb_");
    one = add_caller(tenants, "kansas-pd", "doe", all, NULL);
    revoke_token(tenants, one);
    one->is_valid = false;
    append(one->name, sizeof(one->name), " revoked");
    one = add_caller(tenants, "kansas-pd", NULL, PB_TOKEN_READS, NULL);
    revoke_token(tenants, one);
    one->is_valid = false;
    append(one->name, sizeof(one->name), " revoked");
}

/* Tokens that end before the first cell. */
static void
add_expiring(struct tenants *tenants)
{
    static const unsigned verbs[] = { PB_TOKEN_READS, PB_TOKEN_ASK, PB_TOKEN_AUDIT,
                                      PB_TOKEN_ADMINISTER };
    struct site_room *room = &tenants->room;
    unsigned first = tenants->caller_count;

    room->now_us -= 30 * PB_DAY_US;
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        (void)add_caller(tenants, "kansas-pd", verbs[i] == PB_TOKEN_READS ? NULL : "doe", verbs[i],
                         NULL);
    room->now_us += 30 * PB_DAY_US;
    for (unsigned i = first; i < tenants->caller_count; i++) {
        tenants->callers[i].is_valid = false;
        append(tenants->callers[i].name, sizeof(tenants->callers[i].name), " expired");
    }
}

/* Tokens of a person, and of an agency, that are none any more. */
static void
add_closed(struct tenants *tenants)
{
    struct caller *left = add_caller(tenants, "kansas-pd", "left",
                                     PB_TOKEN_ASK | PB_TOKEN_AUDIT | PB_TOKEN_ADMINISTER, NULL);
    struct caller *gone = add_caller(tenants, "gone-pd", "gonedoe",
                                     PB_TOKEN_ASK | PB_TOKEN_AUDIT | PB_TOKEN_ADMINISTER, NULL);
    struct caller *sends = add_caller(tenants, "gone-pd", NULL, PB_TOKEN_READS, NULL);

    room_import(
        &tenants->room,
        "people:\n  - { id: left, agency: kansas-pd, name: L. Eft, role: investigator,"
        " status: suspended, training_valid_until: 2027-06-01 }\n"
        "agencies:\n  - { id: gone-pd, name: Example Gone Police, class: local,"
        " jurisdiction: US-KS, contributes: yes, reviewed_at: 2026-05-15, status: closed }\n");
    left->is_valid = gone->is_valid = sends->is_valid = false;
    append(left->name, sizeof(left->name), " suspended");
    append(gone->name, sizeof(gone->name), " closed");
    append(sends->name, sizeof(sends->name), " closed");
}

/* Sessions are begun anew for each cell, since cells end them. */
static void
add_session(struct tenants *tenants, const char *agency, const char *person, unsigned verbs,
            enum kind kind)
{
    static const char *const names[] = {
        [BY_SESSION] = "session",
        [BY_LOCKED_SESSION] = "locked",
        [BY_ENROLLING_SESSION] = "enrolling",
        [BY_ENDED_SESSION] = "ended",
        [WITHOUT_CSRF] = "no csrf",
        [FROM_ANOTHER_SITE] = "another site",
        [WITH_BOTH] = "session and token",
    };
    struct caller *caller = &tenants->callers[tenants->caller_count++];

    assert_true(tenants->caller_count <= CALLERS_MAX);
    (void)snprintf(caller->name, sizeof(caller->name), "%s %s", person, names[kind]);
    (void)snprintf(caller->agency, sizeof(caller->agency), "%s", agency);
    (void)snprintf(caller->person, sizeof(caller->person), "%s", person);
    caller->kind = kind;
    caller->verbs = verbs;
    caller->is_valid = true;
}

static void
add_sessions(struct tenants *tenants)
{
    static const struct {
        const char *agency, *person;
        unsigned verbs;
    } people[] = {
        { "kansas-pd", "doe", PB_TOKEN_ASK },        { "kansas-pd", "low", PB_TOKEN_ASK },
        { "kansas-pd", "aud", PB_TOKEN_AUDIT },      { "kansas-pd", "sup", PB_TOKEN_ASK },
        { "kansas-pd", "adm", PB_TOKEN_ADMINISTER }, { "river-pd", "rivdoe", PB_TOKEN_ASK },
        { "river-pd", "rivaud", PB_TOKEN_AUDIT },    { "bureau", "agent", PB_TOKEN_ASK },
        { "bureau", "chief", PB_TOKEN_ASK },
    };

    for (size_t i = 0; i < COUNT_OF(people); i++)
        add_session(tenants, people[i].agency, people[i].person, people[i].verbs, BY_SESSION);
    for (enum kind kind = BY_LOCKED_SESSION; kind <= WITH_BOTH; kind++) {
        add_session(tenants, "kansas-pd", "doe", PB_TOKEN_ASK, kind);
        add_session(tenants, "kansas-pd", "aud", PB_TOKEN_AUDIT, kind);
        add_session(tenants, "kansas-pd", "adm", PB_TOKEN_ADMINISTER, kind);
    }
}

/* ---- the site ---- */

static void
remove_agreement(struct tenants *tenants, const char *id)
{
    struct site_room *room = &tenants->room;
    struct pb_actor operator= { 0 };

    room_expect(room, PB_OK,
                pb_site_remove(room->site, &operator, pb_catalog_entity("agreement"), id,
                               &room->error),
                id);
}

static void
add_accounts(struct tenants *tenants)
{
    static const struct {
        const char *person, *approver;
    } accounts[] = {
        { "doe", "adm" },       { "low", "adm" },         { "aud", "adm" },
        { "sup", "adm" },       { "adm", "sup" },         { "rivdoe", "rivadm" },
        { "rivaud", "rivadm" }, { "agent", "buradm" },    { "chief", "buradm" },
        { "spare", "adm" },     { "rivspare", "rivadm" },
    };
    struct site_room *room = &tenants->room;
    struct pb_str operator= { 0 };

    for (size_t i = 0; i < COUNT_OF(accounts); i++) {
        struct pb_str person = pb_str_from(accounts[i].person);

        room_expect(room, PB_OK,
                    pb_api_account_add(room->env, room->site, operator, person, &room->error),
                    "account");
        room_expect(room, PB_OK,
                    pb_api_account_approve(room->env, room->site, pb_str_from(accounts[i].approver),
                                           person, &room->error),
                    "approve");
    }
    room_expect(room, PB_OK,
                pb_api_account_add(room->env, room->site, operator, pb_str_from("roe"),
                                   &room->error),
                "account");
}

static int
setup(void **state)
{
    struct tenants *tenants = calloc(1, sizeof(*tenants));
    struct site_room *room;

    assert_non_null(tenants);
    room = &tenants->room;
    room_init(room);
    service_init(&tenants->service);
    tenants->service.env = room->env;
    tenants->service.options.site = room->site;
    tenants->service.options.audit = pb_site_audit(room->site);
    tenants->service.options.takes_inquiries = true;
    tenants->service.options.takes_reads = true;
    tenants->service.options.origin = "https://plates.example.org";
    tenants->client.file = -1;
    room_import(room, more_catalog);
    add_verbs(tenants);
    add_invalid(tenants);
    add_expiring(tenants);
    add_closed(tenants);
    add_sessions(tenants);
    add_accounts(tenants);
    room_add(room, "OWN0001", "k1", PB_DAY_US);
    room_add(room, "OTHER01", "r2", PB_DAY_US);
    room_add(room, "SHARED1", "r1", PB_DAY_US);
    room_add(room, "LAPSED1", "l1", PB_DAY_US);
    room_add(room, "REVOKE1", "h1", PB_DAY_US);
    remove_agreement(tenants, "hill-kansas");
    room_expect(room, PB_OK, pb_audit_publish(pb_site_audit(room->site), NULL, &room->error),
                "publish");
    (void)rmdir(tenants->service.directory);
    assert_true(strlen(room->path) < sizeof(tenants->service.directory));
    (void)snprintf(tenants->service.directory, sizeof(tenants->service.directory), "%.*s",
                   (int)sizeof(tenants->service.directory) - 1, room->path);
    *state = tenants;
    return 0;
}

static int
teardown(void **state)
{
    struct tenants *tenants = *state;

    client_close(&tenants->client);
    tenants->service.directory[0] = '\0'; /* the room's, which removes it */
    service_done(&tenants->service);
    room_done(&tenants->room);
    free(tenants);
    return 0;
}

/* ---- one request ---- */

/* $n and $token:AGENCY, written out; the caller frees it. */
static char *
written_out(struct tenants *tenants, const char *text)
{
    size_t room = strlen(text) * 2 + 1024, used = 0;
    char *out = malloc(room);

    assert_non_null(out);
    while (*text != '\0') {
        if (strncmp(text, "$token:", 7) == 0) {
            char agency[32] = "";
            size_t bytes = strspn(text + 7, "abcdefghijklmnopqrstuvwxyz-");

            assert_true(bytes < sizeof(agency));
            memcpy(agency, text + 7, bytes);
            text += 7 + bytes;
            used += (size_t)
                snprintf(out + used, room - used, "%.12s",
                         add_caller(tenants, agency, NULL, PB_TOKEN_ADMINISTER, NULL)->token + 3);
            tenants->caller_count--;
        } else if (strncmp(text, "$n", 2) == 0) {
            text += 2;
            used += (size_t)snprintf(out + used, room - used, "%u", tenants->number);
        } else {
            out[used++] = *text++;
        }
        assert_true(used < room);
    }
    out[used] = '\0';
    return out;
}

/* A session as the caller's kind wants it. */
static void
begin_session(struct tenants *tenants, const struct caller *caller,
              char cookie[PB_SESSION_COOKIE_BYTES])
{
    const struct pb_env *env = tenants->room.env;
    struct pb_api_sessions *sessions = &tenants->service.api->people.sessions;
    struct pb_api_session session = {
        .methods = PB_BY_PASSWORD | PB_BY_TOTP,
        .is_enrolling = caller->kind == BY_ENROLLING_SESSION,
        .consented_at_us = pb_now_us(env),
        .began_at_us = pb_now_us(env),
        .proved_ns = pb_monotonic_ns(env),
    };

    (void)snprintf(session.person, sizeof(session.person), "%s", caller->person);
    (void)pb_api_sessions_end_all(sessions, pb_str_from(caller->person), NULL);
    room_expect(&tenants->room, PB_OK,
                pb_api_sessions_begin(sessions, &session, cookie, &tenants->room.error),
                caller->name);
    if (caller->kind == BY_ENDED_SESSION)
        (void)pb_api_sessions_end_all(sessions, pb_str_from(caller->person), NULL);
}

/* The lines of the head that say who calls. */
static void
credentials(struct tenants *tenants, const struct caller *caller, char *text, size_t room)
{
    char cookie[PB_SESSION_COOKIE_BYTES], csrf[PB_SESSION_CSRF_BYTES];

    text[0] = '\0';
    if (caller->kind == BY_TOKEN && caller->token[0] != '\0')
        (void)snprintf(text, room, "Authorization: Bearer %s\r\n", caller->token);
    if (caller->kind == BY_TOKEN)
        return;
    begin_session(tenants, caller, cookie);
    pb_api_session_csrf(pb_str_from(cookie), csrf);
    (void)snprintf(text, room, "Cookie: platebase=%s\r\n", cookie);
    if (caller->kind != WITHOUT_CSRF) {
        append(text, room, "X-CSRF-Token: ");
        append(text, room, csrf);
        append(text, room, "\r\n");
    }
    if (caller->kind == FROM_ANOTHER_SITE)
        append(text, room, "Sec-Fetch-Site: cross-site\r\n");
    if (caller->kind == WITH_BOTH)
        append(text, room, "Authorization: Bearer pb_\r\n");
}

static int
request(struct tenants *tenants, const char *method, const char *target, const char *type,
        const char *more, const struct caller *caller, const char *body)
{
    size_t room = strlen(target) + strlen(body) + 1024;
    char *whole = malloc(room), who[512];
    int status = 0;

    assert_non_null(whole);
    credentials(tenants, caller, who, sizeof(who));
    if (caller->kind == BY_LOCKED_SESSION)
        tenants->room.now_us += PB_SESSION_IDLE_NS / 1000;
    (void)snprintf(whole, room,
                   "%s %s HTTP/1.1\r\n" HOST "%s%sContent-Type: %s\r\nContent-Length: %zu\r\n"
                   "\r\n%s",
                   method, target, who, more, type, strlen(body), body);
    /* The server may have ended the connection after the request before. */
    for (int attempt = 0; attempt < 2 && status == 0; attempt++) {
        if (tenants->client.file < 0 || tenants->client.is_at_end) {
            client_close(&tenants->client);
            tenants->client = client_connect(&tenants->service.fixture);
        }
        client_forget(&tenants->client);
        if (client_say(&tenants->client, whole))
            status = client_reply(&tenants->client);
        else
            tenants->client.is_at_end = true;
        if (status != 0 && strstr(tenants->client.text, "Connection: close") != NULL)
            tenants->client.is_at_end = true;
    }
    if (caller->kind == BY_LOCKED_SESSION)
        tenants->room.now_us -= PB_SESSION_IDLE_NS / 1000;
    free(whole);
    return status;
}

static char *
body_text(struct tenants *tenants, const json_t *body)
{
    char *text, *out;

    if (body == NULL)
        return calloc(1, 1);
    if (json_is_string(body))
        return written_out(tenants, json_string_value(body));
    text = json_dumps(body, JSON_COMPACT);
    assert_non_null(text);
    out = written_out(tenants, text);
    free(text);
    return out;
}

static const char *
text_of(const json_t *object, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(object, key);

    return value != NULL ? json_string_value(value) : otherwise;
}

/* ---- what must come of it ---- */

struct expected {
    int status;
    const json_t *has, *lacks;
};

static bool
needs_nothing(const char *needs)
{
    return strcmp(needs, "public") == 0 || strcmp(needs, "loopback") == 0 ||
           strcmp(needs, "reader-key") == 0;
}

static unsigned
verb_of(const char *needs)
{
    /* caller, token, session: no verb has such a name. */
    return needs_nothing(needs) ? 0 : pb_api_token_verb(pb_str_from(needs));
}

/* Of a session "session:person" and "session" first; then person, agency+verb, agency, others. */
static const json_t *
expectation_of(const json_t *expect, const struct caller *caller)
{
    const json_t *one = NULL;
    char key[64];

    if (caller->kind != BY_TOKEN) {
        (void)snprintf(key, sizeof(key), "session:%s", caller->person);
        one = json_object_get(expect, key);
        one = one != NULL ? one : json_object_get(expect, "session");
    }
    if (one == NULL && caller->kind == FROM_ANOTHER_SITE)
        one = json_object_get(expect, "another-site");
    if (one == NULL && caller->person[0] != '\0')
        one = json_object_get(expect, caller->person);
    for (unsigned i = 0; i < PB_TOKEN_VERBS && one == NULL; i++) {
        if ((caller->verbs & 1u << i) == 0)
            continue;
        (void)snprintf(key, sizeof(key), "%s+%s", caller->agency, pb_api_token_verb_name(i));
        one = json_object_get(expect, key);
    }
    one = one != NULL ? one : json_object_get(expect, caller->agency);
    one = one != NULL ? one : json_object_get(expect, "*");
    assert_non_null(one);
    return one;
}

/* What a session comes to before anybody looks at what it asks for; 0: it is looked at. */
static int
refusal_of_session(const char *method, const char *needs, const struct caller *caller)
{
    bool is_own = strcmp(needs, "session") == 0;

    switch (caller->kind) {
    case BY_ENDED_SESSION:
        return 401;
    case WITH_BOTH:
        return 400;
    case WITHOUT_CSRF:
    case FROM_ANOTHER_SITE:
        if (strcmp(method, "GET") != 0)
            return 403;
        break;
    case BY_LOCKED_SESSION:
        if (!is_own && strcmp(needs, "token") != 0)
            return 401;
        break;
    case BY_ENROLLING_SESSION:
        if (!is_own)
            return 403;
        break;
    case BY_TOKEN:
    case BY_SESSION:
        break;
    }
    return caller->kind != BY_TOKEN && strcmp(needs, "token") == 0 ? 403 : 0;
}

static struct expected
expected_of(const char *method, const char *needs, const json_t *cell, const struct caller *caller)
{
    unsigned verb = verb_of(needs);
    const json_t *expect = json_object_get(cell, "expect"), *one;

    if (!needs_nothing(needs) && !caller->is_valid)
        return (struct expected){ .status = 401 };
    if (!needs_nothing(needs) && refusal_of_session(method, needs, caller) != 0)
        return (struct expected){ .status = refusal_of_session(method, needs, caller) };
    if ((caller->verbs & verb) != verb && !needs_nothing(needs))
        return (struct expected){ .status = 403 };
    one = expectation_of(expect, caller);
    if (json_is_integer(one))
        return (struct expected){ .status = (int)json_integer_value(one) };
    return (struct expected){ (int)json_integer_value(json_object_get(one, "status")),
                              json_object_get(one, "has"), json_object_get(one, "lacks") };
}

static bool
is_as_expected(const struct expected *expected, int status, const char *body)
{
    const json_t *text;
    size_t at;

    if (status != expected->status)
        return false;
    json_array_foreach(expected->has, at, text)
    {
        if (strstr(body, json_string_value(text)) == NULL)
            return false;
    }
    json_array_foreach(expected->lacks, at, text)
    {
        if (strstr(body, json_string_value(text)) != NULL)
            return false;
    }
    return true;
}

static void
complain(struct tenants *tenants, const char *what, const char *object, const struct caller *caller,
         int expected, int status)
{
    if (tenants->wrong++ < 40)
        print_error("%s of %s by %s: %d instead of %d: %.300s\n", what, object, caller->name,
                    status, expected, client_body(&tenants->client));
}

/* ---- the cells of one endpoint ---- */

static void
prepare(struct tenants *tenants, const json_t *before)
{
    const json_t *step;
    size_t at;

    json_array_foreach(before, at, step)
    {
        const char *as = text_of(step, "as", "");
        char *target = written_out(tenants, text_of(step, "target", ""));
        char *body = body_text(tenants, json_object_get(step, "body"));
        const struct caller *caller = NULL;
        int status;

        for (unsigned i = 0; i < tenants->caller_count && caller == NULL; i++) {
            const struct caller *one = &tenants->callers[i];

            if (one->is_valid && strcmp(one->person, as) == 0 &&
                one->verbs == (PB_TOKEN_ASK | PB_TOKEN_AUDIT | PB_TOKEN_ADMINISTER))
                caller = one;
        }
        if (caller == NULL)
            fail_msg("before: no caller %s", as);
        status = request(tenants, text_of(step, "method", "POST"), target,
                         text_of(step, "type", "application/json"), text_of(step, "headers", ""),
                         caller, body);
        if (status < 200 || status > 299)
            fail_msg("before: %s %s: %d: %s", text_of(step, "method", "POST"), target, status,
                     client_body(&tenants->client));
        free(target);
        free(body);
    }
}

static void
ask_cell(struct tenants *tenants, const char *method, const char *template, const json_t *cells,
         const char *object, const json_t *cell)
{
    const char *needs = text_of(cells, "needs", "");
    char what[160];

    (void)snprintf(what, sizeof(what), "%s %s", method, template);
    for (unsigned i = 0; i < tenants->caller_count; i++) {
        const struct caller *caller = &tenants->callers[i];
        struct expected expected = expected_of(method, needs, cell, caller);
        char *target, *body;
        int status;

        /* What a locked or enrolling session may do for itself has tests of its own. */
        if ((caller->kind == BY_LOCKED_SESSION || caller->kind == BY_ENROLLING_SESSION) &&
            strcmp(needs, "session") == 0)
            continue;
        tenants->number++;
        prepare(tenants, json_object_get(cells, "before"));
        target = written_out(tenants, text_of(cell, "target", ""));
        body = body_text(tenants, json_object_get(cell, "body"));
        status = request(tenants, method, target, text_of(cells, "type", "application/json"),
                         text_of(cells, "headers", ""), caller, body);
        tenants->cells++;
        if (!is_as_expected(&expected, status, client_body(&tenants->client)))
            complain(tenants, what, object, caller, expected.status, status);
        else
            service_check(&tenants->service, method, template, &tenants->client, status);
        free(target);
        free(body);
    }
}

/* Methods that no endpoint has at this path. */
static void
ask_other_methods(struct tenants *tenants, const char *template, const json_t *methods,
                  const char *target)
{
    static const char *const all[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
    char *written = written_out(tenants, target);

    for (size_t at = 0; at < COUNT_OF(all); at++) {
        char small[8] = "";

        for (size_t i = 0; all[at][i] != '\0'; i++)
            small[i] = (char)(all[at][i] + 32);
        for (unsigned i = 0; i < tenants->caller_count; i++) {
            const struct caller *caller = &tenants->callers[i];
            int status;

            if (json_object_get(methods, small) != NULL)
                break;
            status = request(tenants, all[at], written, "application/json", "", caller, "{}");
            tenants->cells++;
            if (status != 405)
                complain(tenants, all[at], template, caller, 405, status);
        }
    }
    free(written);
}

static json_t *
cells_of(const char *name)
{
    const char *source = getenv("PB_SOURCE_DIR");
    char path[512];
    json_error_t error;
    json_t *cells;
    int length =
        snprintf(path, sizeof(path), "%s/tests/api/cells/%s", source != NULL ? source : ".", name);

    assert_true(length > 0 && (size_t)length + 5 < sizeof(path));
    for (char *dot = path + length - strlen(name); *dot != '\0'; dot++)
        *dot = *dot == '.' ? '_' : *dot;
    append(path, sizeof(path), ".json");
    cells = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (cells == NULL)
        fail_msg("%s: line %d: %s", path, error.line, error.text);
    return cells;
}

static void
every_caller_gets_at_every_endpoint_what_is_theirs_and_no_more(void **state)
{
    struct tenants *tenants = *state;
    const char *template, *method, *object;
    json_t *methods, *operation, *cell;

    service_start(&tenants->service);
    json_object_foreach(json_object_get(tenants->service.document, "paths"), template, methods)
    {
        const char *target = NULL;
        json_t *cells = NULL;

        json_object_foreach(methods, method, operation)
        {
            char large[8] = "";

            for (size_t i = 0; method[i] != '\0' && i < sizeof(large) - 1; i++)
                large[i] = (char)(method[i] - 32);
            json_decref(cells);
            cells = cells_of(text_of(operation, "operationId", ""));
            json_object_foreach(json_object_get(cells, "cells"), object, cell)
            {
                ask_cell(tenants, large, template, cells, object, cell);
                target = text_of(cell, "target", "");
            }
        }
        ask_other_methods(tenants, template, methods, target);
        json_decref(cells);
    }
    print_message("%u cells, %u callers, %u wrong\n", tenants->cells, tenants->caller_count,
                  tenants->wrong);
    assert_int_equal(0, tenants->wrong);
    assert_true(tenants->cells >= CELLS_MIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            every_caller_gets_at_every_endpoint_what_is_theirs_and_no_more, setup, teardown),
    };

    return cmocka_run_group_tests_name("api/tenants", tests, NULL, NULL);
}
