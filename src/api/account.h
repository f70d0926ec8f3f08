/*
 * Accounts: how people of the catalog sign in, and whether they may.
 *
 * An account is a note of the catalog, named after its person. Somebody asks for it, an
 * administrator who did not approves it, then a link that works once lets its person set
 * password and one-time codes. Of the password a hash is kept, of recovery codes too; the
 * secret of one-time codes lies sealed under a key that follows from DIR/keys. What was not used
 * for PB_ACCOUNT_UNUSED_US no longer signs in before it is approved anew.
 *
 * Each change leaves a leaf in the log of the person's agency before it takes effect. Who the
 * person is and what they may do stays the catalog's word alone.
 *
 * Threads: every call is safe from any thread. Two changes of one account at once: one of them gets
 *          PB_CONFLICT and may be tried again.
 * Format:  docs/formats/account.md
 */
#ifndef PB_API_ACCOUNT_H
#define PB_API_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_arena;
struct pb_catalog_view;
struct pb_env;
struct pb_site;

#define PB_ACCOUNT_UNUSED_US (INT64_C(30) * 86400000000)
#define PB_ACCOUNT_LINK_US (INT64_C(15) * 60 * 1000000)
#define PB_ACCOUNT_CODE_BYTES 44u /* of a link, with its NUL: 256 random bits in base64url */
#define PB_ACCOUNT_WHY_BYTES_MAX 200u

enum pb_account_state { PB_ACCOUNT_REQUESTED, PB_ACCOUNT_ACTIVE, PB_ACCOUNT_DISABLED };
#define PB_ACCOUNT_STATES 3u
/* "requested", "active", "disabled". */
const char *pb_api_account_state_name(enum pb_account_state state);

/* Views are of an arena. What is empty or 0 is not set. */
struct pb_api_account {
    struct pb_str person;
    enum pb_account_state state;
    struct pb_str creator, approver; /* people; empty creator: the operator */
    struct pb_str password;          /* argon2id, as libsodium writes it */
    struct pb_str totp;              /* sealed secret, in hexadecimal digits */
    int64_t totp_step;               /* newest one that was used */
    struct pb_str codes;             /* SHA-256 of recovery codes not used yet, comma separated */
    int64_t created_at_us, approved_at_us, signed_in_at_us, disabled_at_us;
    int64_t reset_at_us; /* whatever signed its person in before then does no longer */
    struct pb_str why;   /* of what was disabled */
    struct pb_str note;  /* as it was found: what a change is compared with */
};

/* Whether it could sign in now, for all that the account itself says: approved, not disabled, used
 * lately enough. */
bool pb_api_account_is_usable(const struct pb_api_account *account, int64_t now_us);

/* PB_NOT_FOUND: there is none. */
PB_MUST_CHECK enum pb_status pb_api_account_find(struct pb_site *site, struct pb_str person,
                                                 struct pb_arena *arena,
                                                 struct pb_api_account *ret_account,
                                                 struct pb_error *error);
/* account is borrowed for the call; false stops. By person. */
typedef bool pb_api_account_fn(void *context, const struct pb_api_account *account);
PB_MUST_CHECK enum pb_status pb_api_account_each(const struct pb_env *env, struct pb_site *site,
                                                 pb_api_account_fn *each, void *context,
                                                 struct pb_error *error);

/*
 * actor in the calls below: a person of the catalog, or empty for the operator of the machine.
 * All return
 *   PB_BAD_INPUT  it is not the actor's to do, or not now; error says why
 *   PB_NOT_FOUND  there is no such account
 *   PB_CONFLICT   it was changed meanwhile; of add: it is there already
 */
PB_MUST_CHECK enum pb_status pb_api_account_add(const struct pb_env *env, struct pb_site *site,
                                                struct pb_str actor, struct pb_str person,
                                                struct pb_error *error);
/* The approver is a person: an administrator of the agency, neither the account's own nor who asked
 * for it. Of an administrator's account it may also be who approves inquiries, so that an
 * agency's first administrator can be approved. Also for one that was disabled. */
PB_MUST_CHECK enum pb_status pb_api_account_approve(const struct pb_env *env, struct pb_site *site,
                                                    struct pb_str approver, struct pb_str person,
                                                    struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_api_account_disable(const struct pb_env *env, struct pb_site *site,
                                                    struct pb_str actor, struct pb_str person,
                                                    struct pb_str why, struct pb_error *error);
/* Puts on record that wrong proofs of the person are to be forgotten: they are counted elsewhere
 * (api/people.h), and the account stays as it is. */
PB_MUST_CHECK enum pb_status pb_api_account_unlock(const struct pb_env *env, struct pb_site *site,
                                                   struct pb_str actor, struct pb_str person,
                                                   struct pb_error *error);
/*
 * A link by which the person sets password and one-time codes; those of before are void from now
 * on, and so is an earlier link. In a directory of the demonstration it signs in as it is, and
 * voids nothing. ret_code is set on PB_OK.
 */
PB_MUST_CHECK enum pb_status pb_api_account_link(const struct pb_env *env, struct pb_site *site,
                                                 struct pb_str actor, struct pb_str person,
                                                 char ret_code[PB_ACCOUNT_CODE_BYTES],
                                                 struct pb_error *error);
/* Uses up a link. PB_NOT_FOUND: none, used, or too old. ret_person is in arena. */
PB_MUST_CHECK enum pb_status pb_api_account_use_link(const struct pb_env *env, struct pb_site *site,
                                                     struct pb_str code, struct pb_arena *arena,
                                                     struct pb_str *ret_person, bool *ret_signs_in,
                                                     struct pb_error *error);
/* Marks a directory as a demonstration's. */
PB_MUST_CHECK enum pb_status pb_api_account_mark_demonstration(struct pb_site *site,
                                                               struct pb_error *error);

/* Puts a changed account in the place of the one that was found; leaves no leaf. */
PB_MUST_CHECK enum pb_status pb_api_account_swap(struct pb_site *site,
                                                 const struct pb_api_account *account,
                                                 struct pb_error *error);
/* As swap, with a leaf `change` that says verb. */
PB_MUST_CHECK enum pb_status pb_api_account_change(struct pb_site *site,
                                                   const struct pb_api_account *account,
                                                   struct pb_str actor, const char *verb,
                                                   struct pb_error *error);

/* A note to and from memory, for tests and fuzzing. note: in arena. PB_E_CORRUPT: not one. */
PB_MUST_CHECK enum pb_status pb_api_account_decode(struct pb_arena *arena, struct pb_str person,
                                                   struct pb_str note,
                                                   struct pb_api_account *ret_account);

#endif
