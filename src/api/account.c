/*
 * Accounts: notes of the catalog, changed only where they still are as they were found.
 */
#include "api/account.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/leaf.h"
#include "api/note_lines.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "inquiry/site.h"

#define NOTE "account"
#define NOTE_BYTES_MAX 4096u

const char *
pb_api_account_state_name(enum pb_account_state state)
{
    static const char *const names[PB_ACCOUNT_STATES] = { "requested", "active", "disabled" };

    return names[state];
}

bool
pb_api_account_is_usable(const struct pb_api_account *account, int64_t now_us)
{
    int64_t used_at_us = account->signed_in_at_us > account->approved_at_us
                             ? account->signed_in_at_us
                             : account->approved_at_us;

    return account->state == PB_ACCOUNT_ACTIVE && now_us - used_at_us < PB_ACCOUNT_UNUSED_US;
}

/* ---- notes ---- */

static struct pb_str
encode(const struct pb_api_account *account, char room[NOTE_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(room, NOTE_BYTES_MAX);

    pb_api_line_put_number(&out, "account", 1);
    pb_api_line_put(&out, "state", pb_str_from(pb_api_account_state_name(account->state)));
    pb_api_line_put(&out, "creator", account->creator);
    pb_api_line_put(&out, "approver", account->approver);
    pb_api_line_put(&out, "password", account->password);
    pb_api_line_put(&out, "totp", account->totp);
    pb_api_line_put_number(&out, "step", account->totp_step);
    pb_api_line_put(&out, "codes", account->codes);
    pb_api_line_put_number(&out, "created", account->created_at_us);
    pb_api_line_put_number(&out, "approved", account->approved_at_us);
    pb_api_line_put_number(&out, "signed-in", account->signed_in_at_us);
    pb_api_line_put_number(&out, "reset", account->reset_at_us);
    pb_api_line_put_number(&out, "disabled", account->disabled_at_us);
    pb_api_line_put(&out, "why", account->why);
    return out.is_cut ? (struct pb_str){ NULL, 0 }
                      : (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static bool
parse_state(struct pb_str word, enum pb_account_state *ret_state)
{
    for (unsigned i = 0; i < PB_ACCOUNT_STATES; i++) {
        *ret_state = (enum pb_account_state)i;
        if (pb_str_equal(word, pb_str_from(pb_api_account_state_name(*ret_state))))
            return true;
    }
    return false;
}

enum pb_status
pb_api_account_decode(struct pb_arena *arena, struct pb_str person, struct pb_str note,
                      struct pb_api_account *ret_account)
{
    struct pb_api_account account = { .state = PB_ACCOUNT_DISABLED };
    struct pb_str rest, word;
    int64_t version;
    enum pb_status status = pb_arena_copy(arena, note, &account.note);

    if (status == PB_OK)
        status = pb_arena_copy(arena, person, &account.person);
    if (status != PB_OK)
        return status;
    rest = account.note;
    if (!pb_api_line_take_number(&rest, "account", &version) || version != 1 ||
        !pb_api_line_take(&rest, "state", &word) || !parse_state(word, &account.state))
        return PB_E_CORRUPT;
    (void)pb_api_line_take(&rest, "creator", &account.creator);
    (void)pb_api_line_take(&rest, "approver", &account.approver);
    (void)pb_api_line_take(&rest, "password", &account.password);
    (void)pb_api_line_take(&rest, "totp", &account.totp);
    (void)pb_api_line_take_number(&rest, "step", &account.totp_step);
    (void)pb_api_line_take(&rest, "codes", &account.codes);
    if (!pb_api_line_take_number(&rest, "created", &account.created_at_us))
        return PB_E_CORRUPT;
    (void)pb_api_line_take_number(&rest, "approved", &account.approved_at_us);
    (void)pb_api_line_take_number(&rest, "signed-in", &account.signed_in_at_us);
    (void)pb_api_line_take_number(&rest, "reset", &account.reset_at_us);
    (void)pb_api_line_take_number(&rest, "disabled", &account.disabled_at_us);
    (void)pb_api_line_take(&rest, "why", &account.why);
    /* What is not understood might take something away: nothing is believed then. */
    if (rest.bytes > 0 || (account.state == PB_ACCOUNT_ACTIVE && account.approved_at_us == 0))
        return PB_E_CORRUPT;
    *ret_account = account;
    return PB_OK;
}

static bool
make_key(struct pb_str person, char ret_key[PB_CATALOG_ID_BYTES_MAX + 1])
{
    if (person.bytes == 0 || person.bytes > PB_CATALOG_ID_BYTES_MAX ||
        memchr(person.text, '\0', person.bytes) != NULL || !pb_text_is_plain(person))
        return false;
    memcpy(ret_key, person.text, person.bytes);
    ret_key[person.bytes] = '\0';
    return true;
}

/* ---- looking up ---- */

struct lookup {
    struct pb_arena *arena;
    struct pb_str person;
    struct pb_api_account *account;
    enum pb_status status;
};

static bool
on_found(void *context, const char *key, struct pb_str value)
{
    struct lookup *lookup = context;

    if (!pb_str_equal(pb_str_from(key), lookup->person))
        return true; /* of somebody whose id begins alike */
    lookup->status = pb_api_account_decode(lookup->arena, lookup->person, value, lookup->account);
    return false;
}

enum pb_status
pb_api_account_find(struct pb_site *site, struct pb_str person, struct pb_arena *arena,
                    struct pb_api_account *ret_account, struct pb_error *error)
{
    struct lookup lookup = { arena, person, ret_account, PB_NOT_FOUND };
    char key[PB_CATALOG_ID_BYTES_MAX + 1];
    enum pb_status status;

    if (!make_key(person, key))
        return PB_NOT_FOUND;
    status = pb_catalog_notes(pb_site_catalog(site), NOTE, key, on_found, &lookup, error);
    if (status != PB_OK)
        return status;
    if (lookup.status == PB_E_CORRUPT)
        return pb_fail(error, PB_E_CORRUPT, "account %s: its note is damaged", key);
    return lookup.status;
}

struct walk {
    const struct pb_env *env;
    pb_api_account_fn *each;
    void *context;
    enum pb_status status;
};

static bool
on_each(void *context, const char *key, struct pb_str value)
{
    struct walk *walk = context;
    struct pb_api_account account;
    struct pb_arena arena;
    bool goes_on = false;

    pb_arena_init(&arena, walk->env, NOTE_BYTES_MAX);
    walk->status = pb_api_account_decode(&arena, pb_str_from(key), value, &account);
    if (walk->status == PB_OK)
        goes_on = walk->each(walk->context, &account);
    pb_arena_clear(&arena);
    return goes_on;
}

enum pb_status
pb_api_account_each(const struct pb_env *env, struct pb_site *site, pb_api_account_fn *each,
                    void *context, struct pb_error *error)
{
    struct walk walk = { env, each, context, PB_OK };
    enum pb_status status =
        pb_catalog_notes(pb_site_catalog(site), NOTE, "", on_each, &walk, error);

    if (status == PB_OK && walk.status != PB_OK)
        status = pb_fail(error, walk.status, "an account's note cannot be read");
    return status;
}

/* ---- changing ---- */

enum pb_status
pb_api_account_swap(struct pb_site *site, const struct pb_api_account *account,
                    struct pb_error *error)
{
    char room[NOTE_BYTES_MAX], key[PB_CATALOG_ID_BYTES_MAX + 1];
    struct pb_str note = encode(account, room);
    enum pb_status status;

    if (note.bytes == 0 || !make_key(account->person, key))
        return pb_fail(error, PB_OVER_LIMIT, "the account says too much to be kept");
    status = pb_catalog_note_swap(pb_site_catalog(site), NOTE, key, account->note, note, error);
    sodium_memzero(room, sizeof(room));
    return status;
}

static enum pb_status
leave(struct pb_site *site, const struct pb_api_account *account, struct pb_str actor,
      const char *verb, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    struct pb_str agency = { NULL, 0 };
    struct pb_api_leaf leaf;
    uint32_t person;
    enum pb_status status = pb_catalog_view_take(pb_site_catalog(site), &view, error);

    if (status != PB_OK)
        return status;
    person = pb_view_person(view, account->person);
    if (person != PB_NO_INDEX)
        agency = view->agencies[view->people[person].agency].id;
    pb_api_leaf_init(&leaf, agency, "change");
    pb_api_leaf_text(&leaf, "entity", pb_str_from("account"));
    pb_api_leaf_text(&leaf, "verb", pb_str_from(verb));
    pb_api_leaf_secret(&leaf, "id", account->person);
    pb_api_leaf_secret(&leaf, "person", actor);
    pb_api_leaf_secret(&leaf, "reason", account->why);
    status = pb_api_leaf_append(&leaf, site, error);
    pb_catalog_view_drop(view);
    return status;
}

enum pb_status
pb_api_account_change(struct pb_site *site, const struct pb_api_account *account,
                      struct pb_str actor, const char *verb, struct pb_error *error)
{
    enum pb_status status = leave(site, account, actor, verb, error);

    return status == PB_OK ? pb_api_account_swap(site, account, error) : status;
}

/* ---- who may change what ---- */

/* The actor administers the person's agency, or is the operator. PB_OK, or PB_BAD_INPUT. */
static enum pb_status
check_actor(const struct pb_catalog_view *view, struct pb_str actor, uint32_t person,
            int64_t now_us, struct pb_error *error)
{
    uint32_t index = pb_view_person(view, actor);

    if (actor.bytes == 0)
        return person != PB_NO_INDEX
                   ? PB_OK
                   : pb_fail(error, PB_BAD_INPUT, "person: the catalog has nobody of that id");
    /* Whether another agency has such a person is not told. */
    if (!pb_view_may(view, index, PB_MAY_ADMINISTER, now_us) || person == PB_NO_INDEX ||
        view->people[index].agency != view->people[person].agency)
        return pb_fail(error, PB_BAD_INPUT,
                       "person: nobody of that id is the actor's to administer");
    if (index == person)
        return pb_fail(error, PB_BAD_INPUT, "person: nobody changes their own account");
    /* Who gives a link to an account could go in by it, as somebody who may do more. */
    if ((view->people[person].permissions & PB_MAY_OPERATE) != 0 &&
        !pb_view_may(view, index, PB_MAY_OPERATE, now_us))
        return pb_fail(error, PB_BAD_INPUT,
                       "person: the account of who operates is kept by who operates");
    return PB_OK;
}

static enum pb_status
check_approver(const struct pb_catalog_view *view, struct pb_str approver,
               const struct pb_api_account *account, int64_t now_us, struct pb_error *error)
{
    uint32_t person = pb_view_person(view, account->person);
    uint32_t index = pb_view_person(view, approver);
    uint32_t wanted = PB_MAY_ADMINISTER;

    if (person == PB_NO_INDEX)
        return pb_fail(error, PB_BAD_INPUT, "person: the catalog has nobody of that id");
    if ((view->people[person].permissions & PB_MAY_ADMINISTER) != 0)
        wanted |= PB_MAY_APPROVE;
    if (!pb_view_may(view, index, wanted, now_us) ||
        view->people[index].agency != view->people[person].agency)
        return pb_fail(error, PB_BAD_INPUT, "approver: an administrator of the agency");
    if (index == person || pb_str_equal(approver, account->creator))
        return pb_fail(error, PB_BAD_INPUT,
                       "approver: a second person, not whose account it is or who asked for it");
    return PB_OK;
}

enum pb_status
pb_api_account_add(const struct pb_env *env, struct pb_site *site, struct pb_str actor,
                   struct pb_str person, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    struct pb_api_account account = {
        .person = person,
        .state = PB_ACCOUNT_REQUESTED,
        .creator = actor,
        .created_at_us = pb_now_us(env),
    };
    struct pb_api_account before;
    struct pb_arena arena;
    enum pb_status status = pb_catalog_view_take(pb_site_catalog(site), &view, error);

    pb_arena_init(&arena, env, NOTE_BYTES_MAX);
    if (status == PB_OK)
        status =
            check_actor(view, actor, pb_view_person(view, person), account.created_at_us, error);
    if (status == PB_OK && view->people[pb_view_person(view, person)].status != PB_PERSON_ACTIVE)
        status = pb_fail(error, PB_BAD_INPUT, "person: is not active");
    pb_catalog_view_drop(view);
    if (status == PB_OK) {
        status = pb_api_account_find(site, person, &arena, &before, error);
        if (status == PB_OK)
            status = pb_fail(error, PB_CONFLICT, "person: has an account already");
        else if (status == PB_NOT_FOUND)
            status = pb_api_account_change(site, &account, actor, "add", error);
    }
    pb_arena_clear(&arena);
    return status;
}

enum pb_status
pb_api_account_approve(const struct pb_env *env, struct pb_site *site, struct pb_str approver,
                       struct pb_str person, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    struct pb_api_account account;
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, env, NOTE_BYTES_MAX);
    status = pb_api_account_find(site, person, &arena, &account, error);
    if (status == PB_OK)
        status = pb_catalog_view_take(pb_site_catalog(site), &view, error);
    if (status == PB_OK)
        status = check_approver(view, approver, &account, pb_now_us(env), error);
    pb_catalog_view_drop(view);
    if (status == PB_OK && pb_api_account_is_usable(&account, pb_now_us(env)))
        status = pb_fail(error, PB_BAD_INPUT, "person: the account is approved already");
    if (status == PB_OK) {
        account.state = PB_ACCOUNT_ACTIVE;
        account.approver = approver;
        account.approved_at_us = pb_now_us(env);
        account.disabled_at_us = 0;
        account.why = (struct pb_str){ NULL, 0 };
        status = pb_api_account_change(site, &account, approver, "approve", error);
    }
    pb_arena_clear(&arena);
    return status;
}

/* The account of a person, of whom the actor may decide. */
static enum pb_status
find_for(const struct pb_env *env, struct pb_site *site, struct pb_str actor, struct pb_str person,
         struct pb_arena *arena, struct pb_api_account *account, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    enum pb_status status = pb_api_account_find(site, person, arena, account, error);

    if (status == PB_OK)
        status = pb_catalog_view_take(pb_site_catalog(site), &view, error);
    if (status == PB_OK)
        status = check_actor(view, actor, pb_view_person(view, person), pb_now_us(env), error);
    pb_catalog_view_drop(view);
    return status;
}

enum pb_status
pb_api_account_disable(const struct pb_env *env, struct pb_site *site, struct pb_str actor,
                       struct pb_str person, struct pb_str why, struct pb_error *error)
{
    struct pb_api_account account;
    struct pb_arena arena;
    enum pb_status status;

    if (why.bytes == 0 || why.bytes > PB_ACCOUNT_WHY_BYTES_MAX || !pb_text_is_plain(why))
        return pb_fail(error, PB_BAD_INPUT, "why: plain text of 1 to %u bytes",
                       PB_ACCOUNT_WHY_BYTES_MAX);
    pb_arena_init(&arena, env, NOTE_BYTES_MAX);
    status = find_for(env, site, actor, person, &arena, &account, error);
    if (status == PB_OK && account.state != PB_ACCOUNT_DISABLED) {
        account.state = PB_ACCOUNT_DISABLED;
        account.disabled_at_us = pb_now_us(env);
        account.why = why;
        status = pb_api_account_change(site, &account, actor, "disable", error);
    }
    pb_arena_clear(&arena);
    return status;
}

enum pb_status
pb_api_account_unlock(const struct pb_env *env, struct pb_site *site, struct pb_str actor,
                      struct pb_str person, struct pb_error *error)
{
    struct pb_api_account account;
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, env, NOTE_BYTES_MAX);
    status = find_for(env, site, actor, person, &arena, &account, error);
    if (status == PB_OK)
        status = leave(site, &account, actor, "unlock", error);
    pb_arena_clear(&arena);
    return status;
}

/* ---- links ---- */

#define LINK "sign-in-link"
#define LINK_KEY_BYTES 65u /* SHA-256 of the code in hexadecimal digits, with a NUL */
#define LINK_NOTE_BYTES_MAX 256u

static void
link_key(struct pb_str code, char ret_key[LINK_KEY_BYTES])
{
    uint8_t sha256[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(sha256, (const unsigned char *)code.text, code.bytes);
    (void)sodium_bin2hex(ret_key, LINK_KEY_BYTES, sha256, sizeof(sha256));
}

static bool
decode_link(struct pb_str note, struct pb_str *ret_person, bool *ret_signs_in,
            int64_t *ret_expires_at_us)
{
    struct pb_str word;
    int64_t version;

    if (!pb_api_line_take_number(&note, "link", &version) || version != 1 ||
        !pb_api_line_take(&note, "person", ret_person) || !pb_api_line_take(&note, "for", &word) ||
        !pb_api_line_take_number(&note, "expires", ret_expires_at_us))
        return false;
    *ret_signs_in = pb_str_equal(word, pb_str_from("sign-in"));
    return note.bytes == 0 && (*ret_signs_in || pb_str_equal(word, pb_str_from("enrolment")));
}

/* Removes links that are too old, and all of a person. */
struct sweep {
    struct pb_site *site;
    struct pb_str person;
    int64_t now_us;
    struct pb_error *error;
    enum pb_status status;
};

static bool
on_link(void *context, const char *key, struct pb_str value)
{
    struct sweep *sweep = context;
    const struct pb_str nothing = { NULL, 0 };
    struct pb_str person;
    int64_t expires_at_us;
    bool signs_in;

    if (decode_link(value, &person, &signs_in, &expires_at_us) && sweep->now_us < expires_at_us &&
        !pb_str_equal(person, sweep->person))
        return true;
    sweep->status =
        pb_catalog_note_put(pb_site_catalog(sweep->site), LINK, key, nothing, sweep->error);
    return sweep->status == PB_OK;
}

static bool
on_mark(void *context, const char *key, struct pb_str value)
{
    *(bool *)context = strcmp(key, "demonstration") == 0 && value.bytes > 0;
    return false;
}

enum pb_status
pb_api_account_mark_demonstration(struct pb_site *site, struct pb_error *error)
{
    return pb_catalog_note_put(pb_site_catalog(site), "site", "demonstration", pb_str_from("yes"),
                               error);
}

static enum pb_status
put_link(const struct pb_env *env, struct pb_site *site, struct pb_str person, bool signs_in,
         struct pb_str code, struct pb_error *error)
{
    struct sweep sweep = { site, person, pb_now_us(env), error, PB_OK };
    char key[LINK_KEY_BYTES], room[LINK_NOTE_BYTES_MAX];
    struct pb_text_out out = pb_text_out(room, sizeof(room));
    enum pb_status status =
        pb_catalog_notes(pb_site_catalog(site), LINK, "", on_link, &sweep, error);

    if (status == PB_OK)
        status = sweep.status;
    if (status != PB_OK)
        return status;
    pb_api_line_put_number(&out, "link", 1);
    pb_api_line_put(&out, "person", person);
    pb_api_line_put(&out, "for", pb_str_from(signs_in ? "sign-in" : "enrolment"));
    pb_api_line_put_number(&out, "expires", sweep.now_us + PB_ACCOUNT_LINK_US);
    link_key(code, key);
    return pb_catalog_note_put(pb_site_catalog(site), LINK, key,
                               (struct pb_str){ room, (uint32_t)(out.at - room) }, error);
}

/* Leaf, then what the account kept is dropped, then the link. */
static enum pb_status
give_link(const struct pb_env *env, struct pb_site *site, struct pb_str actor,
          struct pb_api_account *account, struct pb_str code, struct pb_error *error)
{
    bool is_demonstration = false;
    enum pb_status status = pb_catalog_notes(pb_site_catalog(site), "site", "demonstration",
                                             on_mark, &is_demonstration, error);

    if (status != PB_OK)
        return status;
    if (!is_demonstration) {
        account->password = account->totp = account->codes = (struct pb_str){ NULL, 0 };
        account->totp_step = 0;
        account->reset_at_us = pb_now_us(env);
    }
    status = pb_api_account_change(site, account, actor, "link", error);
    return status == PB_OK ? put_link(env, site, account->person, is_demonstration, code, error)
                           : status;
}

enum pb_status
pb_api_account_link(const struct pb_env *env, struct pb_site *site, struct pb_str actor,
                    struct pb_str person, char ret_code[PB_ACCOUNT_CODE_BYTES],
                    struct pb_error *error)
{
    struct pb_api_account account;
    struct pb_arena arena;
    uint8_t random[32];
    char code[PB_ACCOUNT_CODE_BYTES];
    enum pb_status status;

    pb_arena_init(&arena, env, NOTE_BYTES_MAX);
    status = find_for(env, site, actor, person, &arena, &account, error);
    if (status == PB_OK && !pb_api_account_is_usable(&account, pb_now_us(env)))
        status = pb_fail(error, PB_BAD_INPUT, "person: the account is not approved, or disabled");
    if (status == PB_OK)
        status = env->random(env->random_context, random, sizeof(random));
    if (status == PB_OK) {
        (void)sodium_bin2base64(code, sizeof(code), random, sizeof(random),
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        status = give_link(env, site, actor, &account, pb_str_from(code), error);
    }
    if (status == PB_OK)
        memcpy(ret_code, code, sizeof(code));
    sodium_memzero(random, sizeof(random));
    sodium_memzero(code, sizeof(code));
    pb_arena_clear(&arena);
    return status;
}

struct found_link {
    struct pb_arena *arena;
    const char *key;
    struct pb_str note;
    enum pb_status status;
};

static bool
on_found_link(void *context, const char *key, struct pb_str value)
{
    struct found_link *found = context;

    if (strcmp(key, found->key) == 0)
        found->status = pb_arena_copy(found->arena, value, &found->note);
    return false;
}

enum pb_status
pb_api_account_use_link(const struct pb_env *env, struct pb_site *site, struct pb_str code,
                        struct pb_arena *arena, struct pb_str *ret_person, bool *ret_signs_in,
                        struct pb_error *error)
{
    const struct pb_str nothing = { NULL, 0 };
    char key[LINK_KEY_BYTES];
    struct found_link found = { arena, key, { NULL, 0 }, PB_NOT_FOUND };
    int64_t expires_at_us;
    enum pb_status status;

    link_key(code, key);
    status = pb_catalog_notes(pb_site_catalog(site), LINK, key, on_found_link, &found, error);
    if (status == PB_OK)
        status = found.status;
    if (status != PB_OK)
        return status;
    /* Who comes second finds another note, or none. */
    status = pb_catalog_note_swap(pb_site_catalog(site), LINK, key, found.note, nothing, error);
    if (status == PB_CONFLICT)
        return PB_NOT_FOUND;
    if (status != PB_OK)
        return status;
    if (!decode_link(found.note, ret_person, ret_signs_in, &expires_at_us) ||
        pb_now_us(env) >= expires_at_us)
        return PB_NOT_FOUND;
    return PB_OK;
}
