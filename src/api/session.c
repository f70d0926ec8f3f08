/*
 * Sessions: a table of places; a cookie says which is its own.
 *
 * Invariants:
 *   (1) no secret of a session is kept, nor anything from which it follows.
 *   (2) a place whose session has ended is wiped before the lock is let go.
 */
#include "api/session.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"

#define SECRET_BYTES 32u
#define HASH_BYTES 32u

struct pb_api_session_place {
    bool is_taken;
    uint8_t sha256[HASH_BYTES]; /* of the cookie */
    struct pb_api_session session;
};

const char *
pb_api_sign_in_method_name(unsigned index)
{
    static const char *const names[PB_SIGN_IN_METHODS] = { "password", "totp",     "recovery-code",
                                                           "passkey",  "provider", "link" };

    return names[index];
}

enum pb_status
pb_api_sessions_init(struct pb_api_sessions *sessions, const struct pb_env *env,
                     struct pb_error *error)
{
    sessions->places = pb_calloc(env, PB_SESSIONS_MAX, sizeof(*sessions->places));
    if (sessions->places == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for sessions");
    sessions->env = env;
    (void)pthread_mutex_init(&sessions->lock, NULL);
    return PB_OK;
}

void
pb_api_sessions_done(struct pb_api_sessions *sessions)
{
    if (sessions->places == NULL)
        return;
    sodium_memzero(sessions->places, PB_SESSIONS_MAX * sizeof(*sessions->places));
    pb_free(sessions->env, sessions->places);
    sessions->places = NULL;
    (void)pthread_mutex_destroy(&sessions->lock);
}

/* ---- places ---- */

static void
wipe(struct pb_api_session_place *place)
{
    sodium_memzero(place, sizeof(*place));
}

/* Whether a place has a session that goes on; one that has ended is wiped. */
static bool
is_live(struct pb_api_session_place *place, int64_t now_ns)
{
    if (place->is_taken && now_ns - place->session.began_ns >= PB_SESSION_LIFE_NS)
        wipe(place);
    return place->is_taken;
}

static bool
is_of(const struct pb_api_session_place *place, struct pb_str person)
{
    return pb_str_equal(pb_str_from(place->session.person), person);
}

static struct pb_api_session_place *
place_of_id(struct pb_api_sessions *sessions, struct pb_str id)
{
    for (unsigned i = 0; i < PB_SESSIONS_MAX; i++) {
        struct pb_api_session_place *place = &sessions->places[i];

        if (place->is_taken && pb_str_equal(pb_str_from(place->session.id), id))
            return place;
    }
    return NULL;
}

/* The first free place, after the person's oldest session made room where they have too many. */
static struct pb_api_session_place *
free_place(struct pb_api_sessions *sessions, struct pb_str person, int64_t now_ns)
{
    struct pb_api_session_place *first = NULL, *oldest = NULL;
    unsigned count = 0;

    for (unsigned i = 0; i < PB_SESSIONS_MAX; i++) {
        struct pb_api_session_place *place = &sessions->places[i];

        if (!is_live(place, now_ns)) {
            first = first != NULL ? first : place;
        } else if (is_of(place, person)) {
            count++;
            if (oldest == NULL || place->session.used_ns < oldest->session.used_ns)
                oldest = place;
        }
    }
    if (count < PB_SESSIONS_OF_PERSON_MAX)
        return first;
    wipe(oldest);
    return oldest;
}

/* The place that a cookie names, if the cookie is its own. */
static struct pb_api_session_place *
place_of_cookie(struct pb_api_sessions *sessions, struct pb_str cookie, int64_t now_ns)
{
    uint8_t sha256[HASH_BYTES];
    struct pb_api_session_place *place;
    unsigned index = 0;

    if (cookie.bytes != PB_SESSION_COOKIE_BYTES - 1 || cookie.text[4] != '_')
        return NULL;
    for (unsigned i = 0; i < 4; i++) {
        char digit = cookie.text[i];

        if (digit >= '0' && digit <= '9')
            index = index * 16 + (unsigned)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            index = index * 16 + (unsigned)(digit - 'a') + 10;
        else
            return NULL;
    }
    if (index >= PB_SESSIONS_MAX)
        return NULL;
    place = &sessions->places[index];
    (void)crypto_hash_sha256(sha256, (const unsigned char *)cookie.text, cookie.bytes);
    if (!is_live(place, now_ns) || sodium_memcmp(sha256, place->sha256, HASH_BYTES) != 0)
        return NULL;
    return place;
}

/* ---- cookies ---- */

/* Random parts are made before the lock is taken. */
static enum pb_status
make_secret(const struct pb_env *env, char ret_secret[PB_SESSION_SECRET_CHARACTERS + 1],
            struct pb_error *error)
{
    uint8_t random[SECRET_BYTES];
    enum pb_status status = env->random(env->random_context, random, sizeof(random));

    if (status != PB_OK)
        return pb_fail(error, status, "the system gives no random bytes");
    (void)sodium_bin2base64(ret_secret, PB_SESSION_SECRET_CHARACTERS + 1, random, sizeof(random),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof(random));
    return PB_OK;
}

static enum pb_status
make_id(const struct pb_env *env, char ret_id[PB_SESSION_ID_BYTES + 1], struct pb_error *error)
{
    uint8_t random[PB_SESSION_ID_BYTES / 2];
    enum pb_status status = env->random(env->random_context, random, sizeof(random));

    if (status != PB_OK)
        return pb_fail(error, status, "the system gives no random bytes");
    (void)sodium_bin2hex(ret_id, PB_SESSION_ID_BYTES + 1, random, sizeof(random));
    return PB_OK;
}

/* Fills a place, whose cookie is its number with the secret. */
static void
settle(struct pb_api_sessions *sessions, struct pb_api_session_place *place,
       const struct pb_api_session *session, const char *secret,
       char ret_cookie[PB_SESSION_COOKIE_BYTES])
{
    unsigned index = (unsigned)(place - sessions->places);

    (void)snprintf(ret_cookie, PB_SESSION_COOKIE_BYTES, "%04x_%s", index & 0xFFFFu, secret);
    place->is_taken = true;
    place->session = *session;
    (void)crypto_hash_sha256(place->sha256, (const unsigned char *)ret_cookie,
                             PB_SESSION_COOKIE_BYTES - 1);
}

enum pb_status
pb_api_sessions_begin(struct pb_api_sessions *sessions, const struct pb_api_session *session,
                      char ret_cookie[PB_SESSION_COOKIE_BYTES], struct pb_error *error)
{
    char secret[PB_SESSION_SECRET_CHARACTERS + 1];
    struct pb_api_session begun = *session;
    struct pb_api_session_place *place;
    enum pb_status status = make_secret(sessions->env, secret, error);

    if (status == PB_OK)
        status = make_id(sessions->env, begun.id, error);
    if (status != PB_OK)
        return status;
    begun.is_locked = false;
    begun.began_ns = begun.used_ns = pb_monotonic_ns(sessions->env);
    (void)pthread_mutex_lock(&sessions->lock);
    place = free_place(sessions, pb_str_from(begun.person), begun.began_ns);
    if (place != NULL)
        settle(sessions, place, &begun, secret, ret_cookie);
    else
        status = pb_fail(error, PB_E_FULL, "as many sessions as there may be");
    (void)pthread_mutex_unlock(&sessions->lock);
    sodium_memzero(secret, sizeof(secret));
    return status;
}

bool
pb_api_sessions_find(struct pb_api_sessions *sessions, struct pb_str cookie, bool uses,
                     struct pb_api_session *ret_session)
{
    int64_t now_ns = pb_monotonic_ns(sessions->env);
    struct pb_api_session_place *place;

    (void)pthread_mutex_lock(&sessions->lock);
    place = place_of_cookie(sessions, cookie, now_ns);
    if (place != NULL) {
        struct pb_api_session *session = &place->session;

        session->is_locked |= now_ns - session->used_ns >= PB_SESSION_IDLE_NS;
        if (uses && !session->is_locked)
            session->used_ns = now_ns;
        *ret_session = *session;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    return place != NULL;
}

enum pb_status
pb_api_sessions_renew(struct pb_api_sessions *sessions, struct pb_api_session *session,
                      char ret_cookie[PB_SESSION_COOKIE_BYTES], struct pb_error *error)
{
    char secret[PB_SESSION_SECRET_CHARACTERS + 1];
    struct pb_api_session_place *place;
    enum pb_status status = make_secret(sessions->env, secret, error);

    if (status != PB_OK)
        return status;
    session->is_locked = false;
    session->used_ns = pb_monotonic_ns(sessions->env);
    (void)pthread_mutex_lock(&sessions->lock);
    place = place_of_id(sessions, pb_str_from(session->id));
    if (place != NULL && is_live(place, session->used_ns))
        settle(sessions, place, session, secret, ret_cookie);
    else
        status = PB_NOT_FOUND;
    (void)pthread_mutex_unlock(&sessions->lock);
    sodium_memzero(secret, sizeof(secret));
    return status;
}

bool
pb_api_sessions_set_pending(struct pb_api_sessions *sessions, const char *id,
                            const uint8_t secret[PB_TOTP_SECRET_BYTES])
{
    struct pb_api_session_place *place;

    (void)pthread_mutex_lock(&sessions->lock);
    place = place_of_id(sessions, pb_str_from(id));
    if (place != NULL) {
        memcpy(place->session.pending, secret, PB_TOTP_SECRET_BYTES);
        place->session.has_pending = true;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    return place != NULL;
}

/* ---- ending and listing ---- */

bool
pb_api_sessions_end(struct pb_api_sessions *sessions, struct pb_str person, struct pb_str id)
{
    struct pb_api_session_place *place;
    bool is_ended = false;

    (void)pthread_mutex_lock(&sessions->lock);
    place = place_of_id(sessions, id);
    if (place != NULL && is_of(place, person)) {
        wipe(place);
        is_ended = true;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    return is_ended;
}

unsigned
pb_api_sessions_end_all(struct pb_api_sessions *sessions, struct pb_str person, const char *but)
{
    unsigned count = 0;

    (void)pthread_mutex_lock(&sessions->lock);
    for (unsigned i = 0; i < PB_SESSIONS_MAX; i++) {
        struct pb_api_session_place *place = &sessions->places[i];

        if (!place->is_taken || !is_of(place, person) ||
            (but != NULL && strcmp(place->session.id, but) == 0))
            continue;
        wipe(place);
        count++;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    return count;
}

unsigned
pb_api_sessions_of(struct pb_api_sessions *sessions, struct pb_str person,
                   struct pb_api_session ret_sessions[PB_SESSIONS_OF_PERSON_MAX])
{
    int64_t now_ns = pb_monotonic_ns(sessions->env);
    unsigned count = 0;

    (void)pthread_mutex_lock(&sessions->lock);
    for (unsigned i = 0; i < PB_SESSIONS_MAX && count < PB_SESSIONS_OF_PERSON_MAX; i++) {
        struct pb_api_session_place *place = &sessions->places[i];

        if (is_live(place, now_ns) && is_of(place, person))
            ret_sessions[count++] = place->session;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    return count;
}

void
pb_api_session_csrf(struct pb_str cookie, char ret_text[PB_SESSION_CSRF_BYTES])
{
    static const char label[] = "platebase/csrf/v1";
    crypto_hash_sha256_state state;
    uint8_t sha256[HASH_BYTES];

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)label, sizeof(label));
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)cookie.text, cookie.bytes);
    (void)crypto_hash_sha256_final(&state, sha256);
    (void)sodium_bin2base64(ret_text, PB_SESSION_CSRF_BYTES, sha256, sizeof(sha256),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool
pb_api_session_has_stepped_up(const struct pb_api_session *session, int64_t now_ns)
{
    return session->proved_ns != 0 && now_ns - session->proved_ns < PB_SESSION_STEP_UP_NS;
}
