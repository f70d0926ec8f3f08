/*
 * People: what the interface keeps about those who sign in, and what it says of them.
 *
 * Threads: every call is safe from any thread.
 */
#ifndef PB_API_PEOPLE_H
#define PB_API_PEOPLE_H

#include "api/account.h"
#include "api/lockout.h"
#include "api/secret.h"
#include "api/session.h"
#include "catalog/catalog.h"

struct pb_api;
struct pb_api_call;
struct pb_arena;
struct pb_file;
struct pb_peer;
struct pb_reply;
struct pb_request;
struct pb_workers;

#define PB_SPLASH_BYTES_MAX 16384u
#define PB_SPLASH_HEX_BYTES 65u /* SHA-256 in hexadecimal digits, with a NUL */

struct pb_api_people {
    struct pb_api_sessions sessions;
    struct pb_api_lockout names;     /* tries to sign in */
    struct pb_api_lockout proofs;    /* tries within a session */
    struct pb_api_lockout addresses; /* tries to sign in from there */
    struct pb_file *lockouts;        /* owned: names and addresses outlive a restart */
    /* Owned: passwords are hashed by few threads, in turn; those of people whose browser, or
     * session, is known do not wait behind those of strangers. */
    struct pb_workers *hashers, *known_hashers;
    struct pb_password_cost cost;
    bool is_secure; /* cookies are for TLS */

    char *splash; /* owned: what everybody agrees to who signs in */
    size_t splash_bytes;
    uint8_t splash_sha256[32];
    char splash_hex[PB_SPLASH_HEX_BYTES];

    pthread_mutex_t lock; /* guards what follows; held for a few instructions */
    int64_t minute_ns;    /* leaves of failures are counted since */
    uint32_t leaves;      /* in that minute */
    uint64_t left_out;    /* failures without a leaf since the last one */
};

/* PB_BAD_INPUT: the text that people agree to is too long, or not UTF-8; or the list of breached
 * passwords is none. */
PB_MUST_CHECK enum pb_status pb_api_people_init(struct pb_api_people *people, struct pb_api *api,
                                                struct pb_error *error);
void pb_api_people_done(struct pb_api_people *people, const struct pb_env *env);

/* ---- standing ---- */

/* What catalog and account say of somebody who may sign in. */
struct pb_api_standing {
    const struct pb_catalog_view *view; /* owned reference */
    const struct pb_person *person;     /* of view */
    const struct pb_agency *agency;     /* of view */
    struct pb_api_account account;      /* of the arena */
    bool is_trained;                    /* otherwise they may sign in and do nothing */
    unsigned verbs;                     /* of enum pb_api_token_verb */
};
/* PB_NOT_FOUND: they may not, whatever the reason. drop is needed in any case. */
PB_MUST_CHECK enum pb_status pb_api_standing_take(struct pb_api *api, struct pb_str person,
                                                  struct pb_arena *arena,
                                                  struct pb_api_standing *ret_standing,
                                                  struct pb_error *error);
void pb_api_standing_drop(struct pb_api_standing *standing);

/* ---- sessions ---- */

/* Somebody has proved who they are. */
struct pb_api_sign_in {
    struct pb_str person;
    unsigned methods;      /* of enum pb_sign_in_method */
    struct pb_str consent; /* SHA-256, in hexadecimal digits, of the text that they agreed to */
    bool is_enrolling;     /* only to set how they sign in */
    bool is_fresh;         /* something that only they have was shown just now: has_stepped_up */
};
/*
 * Begins their session and fills the reply: 201 with the cookie and the session, or a problem where
 * they did not agree to the text (403), or may not sign in (401, which says no more). Leaves a leaf
 * first. To be called by whatever verified them, also on another thread that finishes the reply.
 * Returns PB_OK where the reply is filled.
 */
PB_MUST_CHECK enum pb_status pb_api_session_begin(struct pb_api *api,
                                                  const struct pb_api_call *call,
                                                  const struct pb_api_sign_in *sign_in,
                                                  struct pb_reply *reply);
/*
 * They were proved to be there once more, by methods: unlocks the call's session, and where
 * is_fresh it has stepped up; a new cookie. Leaves a leaf that says verb. Fills the reply.
 */
PB_MUST_CHECK enum pb_status pb_api_session_prove(struct pb_api *api,
                                                  const struct pb_api_call *call, unsigned methods,
                                                  const char *verb, bool is_fresh,
                                                  struct pb_reply *reply);
/* A leaf of the log of somebody's agency about their session. */
PB_MUST_CHECK enum pb_status pb_api_session_leaf(struct pb_api *api,
                                                 const struct pb_api_standing *standing,
                                                 const char *verb, unsigned methods,
                                                 struct pb_error *error);
/* Writes the session; cookie: its text. recovery: PB_RECOVERY_CODES texts to be shown once, or
 * NULL. */
void pb_api_session_put(struct pb_api *api, struct pb_reply *reply,
                        const struct pb_api_session *session,
                        const struct pb_api_standing *standing, struct pb_str cookie,
                        char (*recovery)[PB_RECOVERY_CODE_BYTES]);

/* An account that nobody used for too long is disabled, on record, when somebody tries it. */
PB_MUST_CHECK enum pb_status pb_api_retire(struct pb_api *api, struct pb_str person,
                                           struct pb_arena *arena, struct pb_error *error);
/* What the text agreed to is; otherwise fills the reply. */
bool pb_api_consents(struct pb_api *api, const struct pb_api_call *call, struct pb_str consent,
                     struct pb_reply *reply);
/* Whether a browser says that the request comes from a page of this server; where no browser says
 * anything, it does. */
bool pb_api_is_same_site(const struct pb_request *request);
/* The words of methods, comma separated. */
struct pb_str pb_api_methods_text(unsigned methods, char room[96]);

/* ---- failures ---- */

/* Tries to sign in are counted by name and by address; from a browser at which the name's person
 * has signed in before, by that browser alone. False: the reply says to wait. */
bool pb_api_attempt_take(struct pb_api *api, const struct pb_api_call *call, struct pb_str name,
                         bool *ret_is_last, struct pb_reply *reply);
void pb_api_attempt_succeeded(struct pb_api *api, const struct pb_api_call *call,
                              struct pb_str name);
/* Whatever the person got wrong, also who was not them, is forgotten: they may try at once. */
void pb_api_attempts_forget(struct pb_api *api, struct pb_str person);
void pb_api_attempt_give_back(struct pb_api *api, const struct pb_api_call *call,
                              struct pb_str name);
/* A leaf about a failure, of so many a minute; the others are counted in the next. person: who
 * was named, whether or not there is such a person. */
PB_MUST_CHECK enum pb_status pb_api_attempt_failed(struct pb_api *api, struct pb_str person,
                                                   const char *what, bool is_last,
                                                   struct pb_error *error);

#endif
