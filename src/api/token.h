/*
 * Tokens: what programs and readers show instead of a person's sign-in.
 *
 *     pb_<id>_<secret>      id: 12 hexadecimal digits; secret: 256 random bits in base64url
 *
 * Only the SHA-256 of the whole text is kept, as a note of the catalog, with what the token may do:
 * verbs, agency, readers, for whom, until when. It is shown once, when it is made. To add or
 * revoke one leaves a leaf in its agency's audit log before it takes effect. A revocation holds
 * from the next request on, and where another process made it, within a second.
 *
 * Threads: every call is safe from any thread.
 * Format:  docs/formats/api-token.md
 */
#ifndef PB_API_TOKEN_H
#define PB_API_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_arena;
struct pb_env;
struct pb_site;
struct pb_api_token_cache; /* api/token_cache.h */

enum pb_api_token_verb {
    PB_TOKEN_READS = 1u << 0,      /* send reads of the agency's readers */
    PB_TOKEN_ASK = 1u << 1,        /* ask, as a person of the agency */
    PB_TOKEN_ADMINISTER = 1u << 2, /* change what belongs to the agency, as a person of it; without
                                    * a person: revoke its tokens */
    PB_TOKEN_AUDIT = 1u << 3,      /* look at the agency's audit log, as a person of the agency */
};
#define PB_TOKEN_VERBS 4u
/* "reads", "ask", "administer", "audit"; and back, 0 for an unknown one. */
const char *pb_api_token_verb_name(unsigned index);
unsigned pb_api_token_verb(struct pb_str name);

/* How a token is shown. The latter two are for readers that can do no better, or that can: such a
 * token sends reads of one reader and does nothing else. */
enum pb_api_token_via {
    PB_TOKEN_HEADER,      /* Authorization: Bearer */
    PB_TOKEN_PATH,        /* POST /r/{key} */
    PB_TOKEN_CERTIFICATE, /* a TLS client's: its SHA-256 in hexadecimal digits is the text */
};
#define PB_TOKEN_VIAS 3u
/* "header", "path", "certificate". */
const char *pb_api_token_via_name(enum pb_api_token_via via);

#define PB_TOKEN_ID_BYTES 12u
#define PB_TOKEN_TEXT_BYTES (3u + PB_TOKEN_ID_BYTES + 1u + 43u + 1u) /* with its NUL */
#define PB_TOKEN_READERS_MAX 256u
#define PB_TOKEN_LABEL_BYTES_MAX 128u
#define PB_TOKEN_LIFE_MAX_US (90 * INT64_C(86400000000))

struct pb_api_token {
    struct pb_str id;
    struct pb_str agency;
    struct pb_str person;         /* for whom ASK asks; empty where it does not */
    struct pb_str label;          /* what it is for; empty: nothing said */
    struct pb_str maker;          /* who makes it, for the record; not kept, and empty: the
                                   * operator of the machine */
    unsigned verbs;               /* of enum pb_api_token_verb */
    const struct pb_str *readers; /* whose reads it may send; none: all of the agency's */
    uint32_t reader_count;
    enum pb_api_token_via via;
    struct pb_str certificate; /* when one is made, for PB_TOKEN_CERTIFICATE: its SHA-256 in 64
                                * lower-case hexadecimal digits; empty otherwise */
    int64_t created_at_us, expires_at_us;
    int64_t revoked_at_us; /* 0: not */
};

/*
 * Makes a token; of the one given all but id, created_at_us and revoked_at_us counts.
 * ret_text: the token, which nobody can see again, or the id of a certificate's; set on PB_OK only.
 *
 * PB_BAD_INPUT: error names the field: an agency, person or reader that is not there or belongs to
 * another agency, no verb, a life of more than 90 days, a certificate that is bound already or was
 * revoked once.
 */
PB_MUST_CHECK enum pb_status pb_api_token_add(const struct pb_env *env, struct pb_site *site,
                                              const struct pb_api_token *token,
                                              char ret_text[PB_TOKEN_TEXT_BYTES],
                                              struct pb_error *error);
/* PB_NOT_FOUND: there is none with that id; one that was revoked before stays so, with PB_OK. */
PB_MUST_CHECK enum pb_status pb_api_token_revoke(const struct pb_env *env, struct pb_site *site,
                                                 struct pb_str id, struct pb_error *error);

/* token is borrowed for the call; false stops. */
typedef bool pb_api_token_fn(void *context, const struct pb_api_token *token);
/* All tokens, also those that hold no longer, by id. */
PB_MUST_CHECK enum pb_status pb_api_token_each(const struct pb_env *env, struct pb_site *site,
                                               pb_api_token_fn *each, void *context,
                                               struct pb_error *error);

/* The token with an id, in arena; PB_NOT_FOUND. */
PB_MUST_CHECK enum pb_status pb_api_token_find(struct pb_site *site, struct pb_str id,
                                               struct pb_arena *arena,
                                               struct pb_api_token *ret_token,
                                               struct pb_error *error);
/* The id that a text begins with; empty where it is no such text. */
struct pb_str pb_api_token_id(enum pb_api_token_via via, struct pb_str text);
/*
 * What the holder of text, shown in that way, may do, now. PB_NOT_FOUND: nothing, whatever the
 * reason (malformed, unknown, another secret or way, expired, revoked, its agency closed, its
 * person not active), which nobody outside is told.
 * cache  may be NULL
 */
PB_MUST_CHECK enum pb_status
pb_api_token_check(const struct pb_env *env, struct pb_site *site, struct pb_api_token_cache *cache,
                   enum pb_api_token_via via, struct pb_str text, struct pb_arena *arena,
                   struct pb_api_token *ret_token, struct pb_error *error);

/* What a note holds, to and from memory; for tests and fuzzing. PB_E_CORRUPT: not such a text. */
PB_MUST_CHECK enum pb_status pb_api_token_decode(struct pb_arena *arena, struct pb_str id,
                                                 struct pb_str note, struct pb_api_token *ret_token,
                                                 uint8_t ret_sha256[32]);

#endif
