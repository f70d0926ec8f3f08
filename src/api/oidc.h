/*
 * OIDC: signing in at somebody else's server (OpenID Connect), by authorization code and PKCE.
 *
 * What is believed of a provider is little: that it knows the person who holds the browser, under
 * the name that one claim gives. Of which agency they are, and which groups stand for which
 * roles, is said by our configuration alone; what they may do, by the catalog.
 *
 * What a provider says of itself (its addresses, its keys) is fetched when it is needed, kept for
 * an hour, and fetched anew where a token names a key that is not known. How many ask
 * providers at once is bounded, so that a slow provider does not take all workers.
 *
 * Threads: every call is safe from any thread. begin and finish may block for as long as a provider
 *          takes to answer, at most some seconds.
 * Source:  OpenID Connect Core 1.0, 3.1; Discovery 1.0; RFC 6749, 7636 (PKCE), 9207 (iss).
 */
#ifndef PB_API_OIDC_H
#define PB_API_OIDC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#include "net/fetch.h"

struct pb_arena;
struct pb_attempt;
struct pb_env;

#define PB_OIDC_PROVIDERS_MAX 16u
#define PB_OIDC_ROLES_MAX 32u
#define PB_OIDC_WORDS_MAX 8u /* of acr, and of amr */
#define PB_OIDC_ANSWER_BYTES_MAX (64u << 10)
#define PB_OIDC_CODE_BYTES_MAX 4096u
#define PB_OIDC_URL_BYTES (2u * PB_FETCH_URL_BYTES_MAX) /* to send a browser to, with its NUL */
#define PB_OIDC_BUSY_MAX 8u                             /* requests to providers at once */

struct pb_oidc_role {
    const char *group, *role;
};

/* A provider, as configured. Lists end where a text is NULL, or with the array. */
struct pb_oidc_provider {
    const char *name;         /* in addresses: a-z, 0-9 and - */
    const char *label;        /* for people */
    const char *issuer;       /* https://..., exactly as it calls itself */
    const char *client;       /* who we are to it */
    const char *secret;       /* NULL: none */
    const char *scopes;       /* "openid profile" */
    const char *person_claim; /* whose value is a person's id: "preferred_username" */
    const char *suffix; /* what the value must end with, and the id goes without; NULL: none */
    const char *agency; /* whose people it knows */
    const char *groups_claim;                     /* "groups" */
    struct pb_oidc_role roles[PB_OIDC_ROLES_MAX]; /* none: groups are not looked at */
    const char *acr[PB_OIDC_WORDS_MAX];           /* each says: more than one factor */
    const char *amr[PB_OIDC_WORDS_MAX];
    const char *trusted_path; /* PEM of who signs its certificate; NULL: whom the system trusts */
    bool adds_people;         /* who is not in the catalog is added, to be approved */
};

struct pb_oidc; /* opaque */

/* providers are copied, their texts borrowed. origin: ours, "https://plates.example.org".
 * PB_BAD_INPUT: error names the provider and what is wrong. */
PB_MUST_CHECK enum pb_status pb_oidc_new(const struct pb_env *env,
                                         const struct pb_oidc_provider *providers, unsigned count,
                                         const char *origin, struct pb_oidc **ret_oidc,
                                         struct pb_error *error);
void pb_oidc_free(struct pb_oidc *oidc); /* NULL is fine */

unsigned pb_oidc_count(const struct pb_oidc *oidc); /* NULL: 0 */
const struct pb_oidc_provider *pb_oidc_provider(const struct pb_oidc *oidc, unsigned index);
/* The index of a name; pb_oidc_count where there is none. */
unsigned pb_oidc_find(const struct pb_oidc *oidc, struct pb_str name);

/* Where to send a browser for an attempt.
 * PB_E_IO: the provider does not answer as one. PB_E_BUSY: too many ask at once. */
PB_MUST_CHECK enum pb_status pb_oidc_begin(struct pb_oidc *oidc, const struct pb_attempt *attempt,
                                           char ret_url[PB_OIDC_URL_BYTES], struct pb_error *error);

/* Who came back. Views are of an arena. */
struct pb_oidc_identity {
    struct pb_str subject; /* who they are to the provider, for good */
    struct pb_str person;  /* the value of the person's claim: an id */
    uint32_t roles;        /* a bit for each of the provider's roles whose group they are in */
    bool is_mfa;           /* more than one factor, says the provider */
};

/* What a browser brought back. Texts are as in the query; empty where they were not there. */
struct pb_oidc_return {
    struct pb_str code, state, issuer, wrong; /* wrong: the parameter `error` */
};
/*
 * Fetches and verifies what the code stands for.
 *
 * PB_BAD_INPUT: nobody is signed in, *ret_why says why, static. PB_E_IO, PB_E_BUSY: as begin.
 */
PB_MUST_CHECK enum pb_status pb_oidc_finish(struct pb_oidc *oidc, const struct pb_attempt *attempt,
                                            const struct pb_oidc_return *brought,
                                            struct pb_arena *arena,
                                            struct pb_oidc_identity *ret_identity,
                                            const char **ret_why, struct pb_error *error);

/* Whether groups say that somebody may have a role of the catalog. */
bool pb_oidc_gives(const struct pb_oidc_provider *provider, const struct pb_oidc_identity *identity,
                   struct pb_str role);

/* ---- what providers answer, for tests and fuzzing ---- */

struct pb_oidc_addresses {
    char authorization[PB_FETCH_URL_BYTES_MAX + 1];
    char token[PB_FETCH_URL_BYTES_MAX + 1];
    char keys[PB_FETCH_URL_BYTES_MAX + 1];
    bool takes_basic; /* the secret in a header; otherwise in the form */
    bool says_issuer; /* beside each code */
};
/* A discovery document. False: *ret_why, static. */
bool pb_oidc_read_addresses(struct pb_str json, const char *issuer,
                            struct pb_oidc_addresses *ret_addresses, const char **ret_why);

/* Claims of a verified ID token to an identity. PB_BAD_INPUT: *ret_why. PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_oidc_read_identity(const struct pb_oidc_provider *provider,
                                                   const json_t *claims, struct pb_arena *arena,
                                                   struct pb_oidc_identity *ret_identity,
                                                   const char **ret_why);

#endif
