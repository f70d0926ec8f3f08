/*
 * Sessions: who has signed in, at this server, until they leave, are away too long, or are ended.
 *
 * Kept in memory alone: a restart ends them all. What the browser holds is a cookie
 *
 *     <place>_<secret>     place: 4 hexadecimal digits; secret: 256 random bits in base64url
 *
 * of which only the SHA-256 is kept. A session that nobody used for PB_SESSION_IDLE_NS is locked:
 * it keeps its place but may do nothing until its person proves to be there. It ends for good
 * PB_SESSION_LIFE_NS after it began. To prove anew gives it a new cookie.
 *
 * Threads: every call is safe from any thread; `lock` is held for a few instructions, but for
 *          calls that look at every session (of one person).
 */
#ifndef PB_API_SESSION_H
#define PB_API_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "base/limits.h"

struct pb_env;

#define PB_SESSIONS_MAX 4096u
#define PB_SESSIONS_OF_PERSON_MAX 8u
#define PB_SESSION_IDLE_NS (INT64_C(15) * 60 * 1000000000)
#define PB_SESSION_LIFE_NS (INT64_C(12) * 3600 * 1000000000)
#define PB_SESSION_STEP_UP_NS (INT64_C(5) * 60 * 1000000000)
#define PB_SESSION_SECRET_CHARACTERS 43u
#define PB_SESSION_COOKIE_BYTES (4u + 1u + PB_SESSION_SECRET_CHARACTERS + 1u) /* with its NUL */
#define PB_SESSION_CSRF_BYTES 44u                                             /* with its NUL */
#define PB_SESSION_ID_BYTES 12u
#define PB_TOTP_SECRET_BYTES 20u

/* How somebody proved who they are. */
enum pb_sign_in_method {
    PB_BY_PASSWORD = 1u << 0,
    PB_BY_TOTP = 1u << 1,
    PB_BY_RECOVERY_CODE = 1u << 2,
    PB_BY_PASSKEY = 1u << 3,
    PB_BY_PROVIDER = 1u << 4, /* an OpenID provider of the agency's */
    PB_BY_LINK = 1u << 5,     /* a link that the operator or an administrator gave */
};
#define PB_SIGN_IN_METHODS 6u
/* "password", "totp", "recovery-code", "passkey", "provider", "link". */
const char *pb_api_sign_in_method_name(unsigned index);

struct pb_api_session {
    char id[PB_SESSION_ID_BYTES + 1]; /* told to its person; opens nothing */
    char person[PB_CATALOG_ID_BYTES_MAX + 1];
    unsigned methods;           /* of enum pb_sign_in_method: how it began */
    bool is_enrolling;          /* may only set how its person signs in */
    bool is_locked;             /* since it was idle */
    uint8_t consent_sha256[32]; /* of the text that its person agreed to */
    int64_t consented_at_us, began_at_us;
    int64_t began_ns, used_ns; /* monotonic, as below */
    int64_t proved_ns;         /* when its person was last proved to be there; 0: not so */
    bool has_pending;          /* a secret for one-time codes was made and not yet confirmed */
    uint8_t pending[PB_TOTP_SECRET_BYTES];
};

struct pb_api_sessions {
    pthread_mutex_t lock;
    struct pb_api_session_place *places; /* owned: PB_SESSIONS_MAX; guarded by lock */
    const struct pb_env *env;            /* borrowed */
};

PB_MUST_CHECK enum pb_status pb_api_sessions_init(struct pb_api_sessions *sessions,
                                                  const struct pb_env *env, struct pb_error *error);
void pb_api_sessions_done(struct pb_api_sessions *sessions); /* of zeroes is fine */

/*
 * Begins one; its id and monotonic times but proved_ns are set here. Where its person has
 * PB_SESSIONS_OF_PERSON_MAX, the one used longest ago ends. ret_cookie is set on PB_OK.
 * PB_E_FULL: there is no place.
 */
PB_MUST_CHECK enum pb_status pb_api_sessions_begin(struct pb_api_sessions *sessions,
                                                   const struct pb_api_session *session,
                                                   char ret_cookie[PB_SESSION_COOKIE_BYTES],
                                                   struct pb_error *error);

/*
 * A copy of the session of a cookie; false: there is none, or it has ended. uses: this is something
 * that its person does; looking at whether it is locked is not.
 */
bool pb_api_sessions_find(struct pb_api_sessions *sessions, struct pb_str cookie, bool uses,
                          struct pb_api_session *ret_session);

/*
 * What came of a proof: session (a copy that was found, then changed) takes the place of the one
 * with the same id, unlocked and used now, under a new cookie.
 * PB_NOT_FOUND: it has ended meanwhile.
 */
PB_MUST_CHECK enum pb_status pb_api_sessions_renew(struct pb_api_sessions *sessions,
                                                   struct pb_api_session *session,
                                                   char ret_cookie[PB_SESSION_COOKIE_BYTES],
                                                   struct pb_error *error);
/* Keeps a secret with the session that is being enrolled; false: it has ended. */
bool pb_api_sessions_set_pending(struct pb_api_sessions *sessions, const char *id,
                                 const uint8_t secret[PB_TOTP_SECRET_BYTES]);

/* Ends one by its id, where it is the person's; false: it is not there. */
bool pb_api_sessions_end(struct pb_api_sessions *sessions, struct pb_str person, struct pb_str id);
/* Ends all of a person but the one with id `but` (NULL: none is spared). Returns how many. */
unsigned pb_api_sessions_end_all(struct pb_api_sessions *sessions, struct pb_str person,
                                 const char *but);
/* Copies of a person's sessions that have not ended; returns how many. */
unsigned pb_api_sessions_of(struct pb_api_sessions *sessions, struct pb_str person,
                            struct pb_api_session ret_sessions[PB_SESSIONS_OF_PERSON_MAX]);

/* What has to come with everything that a session changes: it follows from the cookie, and the
 * cookie does not follow from it. */
void pb_api_session_csrf(struct pb_str cookie, char ret_text[PB_SESSION_CSRF_BYTES]);

/* Whether its person was proved to be there a moment ago. */
bool pb_api_session_has_stepped_up(const struct pb_api_session *session, int64_t now_ns);

#endif
