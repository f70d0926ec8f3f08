/*
 * Passkeys: notes of the catalog, a word and its value a line.
 */
#include "api/passkey.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "api/leaf.h"
#include "api/note_lines.h"
#include "base/arena.h"
#include "base/base64.h"
#include "base/env.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "inquiry/site.h"

#define NOTE "passkey"
#define NOTE_BYTES_MAX 4096u
#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

static_assert(sodium_base64_ENCODED_LEN(PB_WEBAUTHN_ID_BYTES_MAX, BASE64) +
                      sodium_base64_ENCODED_LEN(PB_WEBAUTHN_KEY_BYTES_MAX, BASE64) + 512 <
                  NOTE_BYTES_MAX,
              "room for the longest credential");

void
pb_api_passkey_key(struct pb_str id, char ret_key[PB_PASSKEY_KEY_BYTES])
{
    uint8_t sha256[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(sha256, (const unsigned char *)id.text, id.bytes);
    (void)sodium_bin2hex(ret_key, PB_PASSKEY_KEY_BYTES, sha256, (PB_PASSKEY_KEY_BYTES - 1) / 2);
}

void
pb_api_passkey_user(const char *site, struct pb_str person, uint8_t ret_user[PB_PASSKEY_USER_BYTES])
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)"platebase user", 15);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)site, strlen(site) + 1);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)person.text, person.bytes);
    (void)crypto_hash_sha256_final(&state, ret_user);
}

/* ---- notes ---- */

static const struct {
    const char *name;
    enum pb_webauthn_algorithm algorithm;
    uint32_t bytes;
} algorithms[] = {
    { "ES256", PB_WEBAUTHN_ES256, 64 },
    { "EdDSA", PB_WEBAUTHN_EDDSA, 32 },
    { "RS256", PB_WEBAUTHN_RS256, 259 },
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static const char *
name_of(enum pb_webauthn_algorithm algorithm)
{
    unsigned i = 0;

    while (i + 1 < ALGORITHMS && algorithms[i].algorithm != algorithm)
        i++;
    return algorithms[i].name;
}

static void
put_bytes(struct pb_text_out *out, const char *word, const void *bytes, size_t count)
{
    char text[sodium_base64_ENCODED_LEN(PB_WEBAUTHN_ID_BYTES_MAX, BASE64)];

    (void)sodium_bin2base64(text, sizeof(text), bytes, count, BASE64);
    pb_api_line_put(out, word, pb_str_from(text));
}

static struct pb_str
encode(const struct pb_api_passkey *passkey, char room[NOTE_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(room, NOTE_BYTES_MAX);

    pb_api_line_put_number(&out, "passkey", 1);
    pb_api_line_put(&out, "person", passkey->person);
    pb_api_line_put(&out, "name", passkey->name);
    put_bytes(&out, "id", passkey->id.text, passkey->id.bytes);
    pb_api_line_put(&out, "algorithm", pb_str_from(name_of(passkey->public_key.algorithm)));
    put_bytes(&out, "key", passkey->public_key.point, passkey->public_key.bytes);
    pb_api_line_put_number(&out, "counter", passkey->counter);
    pb_api_line_put_number(&out, "backup", passkey->may_back_up);
    pb_api_line_put_number(&out, "created", passkey->created_at_us);
    pb_api_line_put_number(&out, "used", passkey->used_at_us);
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

/* Takes the line of bytes of a word; room: as many as there may be. */
static bool
take_bytes(struct pb_str *rest, const char *word, uint8_t *room, size_t bytes_max,
           uint32_t *ret_bytes)
{
    struct pb_str text;
    size_t count = 0;

    if (!pb_api_line_take(rest, word, &text) ||
        pb_base64url_decode(text, room, bytes_max, &count) != PB_OK)
        return false;
    *ret_bytes = (uint32_t)count;
    return true;
}

static bool
take_key(struct pb_str *rest, struct pb_webauthn_key *key)
{
    struct pb_str name;

    if (!pb_api_line_take(rest, "algorithm", &name) ||
        !take_bytes(rest, "key", key->point, sizeof(key->point), &key->bytes))
        return false;
    for (unsigned i = 0; i < ALGORITHMS; i++) {
        if (pb_str_equal(name, pb_str_from(algorithms[i].name))) {
            key->algorithm = algorithms[i].algorithm;
            return key->bytes == algorithms[i].bytes;
        }
    }
    return false;
}

static bool
take_numbers(struct pb_str *rest, struct pb_api_passkey *passkey)
{
    int64_t counter = 0, backup = 0;

    (void)pb_api_line_take_number(rest, "counter", &counter);
    (void)pb_api_line_take_number(rest, "backup", &backup);
    if (!pb_api_line_take_number(rest, "created", &passkey->created_at_us))
        return false;
    (void)pb_api_line_take_number(rest, "used", &passkey->used_at_us);
    passkey->counter = (uint32_t)counter;
    passkey->may_back_up = backup == 1;
    return rest->bytes == 0 && counter <= UINT32_MAX && backup <= 1;
}

enum pb_status
pb_api_passkey_decode(struct pb_arena *arena, const char *key, struct pb_str note,
                      struct pb_api_passkey *ret_passkey)
{
    struct pb_api_passkey passkey = { .note = note };
    uint8_t *id = pb_arena_alloc(arena, PB_WEBAUTHN_ID_BYTES_MAX);
    char right[PB_PASSKEY_KEY_BYTES];
    int64_t version;

    if (id == NULL)
        return PB_E_NOMEM;
    passkey.id.text = (const char *)id;
    if (!pb_api_line_take_number(&note, "passkey", &version) || version != 1 ||
        !pb_api_line_take(&note, "person", &passkey.person) ||
        !pb_api_line_take(&note, "name", &passkey.name) ||
        !take_bytes(&note, "id", id, PB_WEBAUTHN_ID_BYTES_MAX, &passkey.id.bytes) ||
        !take_key(&note, &passkey.public_key) || !take_numbers(&note, &passkey))
        return PB_E_CORRUPT;
    pb_api_passkey_key(passkey.id, right);
    if (strcmp(right, key) != 0)
        return PB_E_CORRUPT;
    memcpy(passkey.key, right, sizeof(right));
    *ret_passkey = passkey;
    return PB_OK;
}

/* ---- looking ---- */

struct lookup {
    struct pb_arena *arena;
    const char *key;
    struct pb_str note;
    enum pb_status status;
};

static bool
on_found(void *context, const char *key, struct pb_str value)
{
    struct lookup *lookup = context;

    if (strcmp(key, lookup->key) == 0)
        lookup->status = pb_arena_copy(lookup->arena, value, &lookup->note);
    return false;
}

enum pb_status
pb_api_passkey_find(struct pb_site *site, const char *key, struct pb_arena *arena,
                    struct pb_api_passkey *ret_passkey, struct pb_error *error)
{
    struct lookup lookup = { arena, key, { NULL, 0 }, PB_NOT_FOUND };
    enum pb_status status;

    if (strlen(key) != PB_PASSKEY_KEY_BYTES - 1)
        return PB_NOT_FOUND;
    status = pb_catalog_notes(pb_site_catalog(site), NOTE, key, on_found, &lookup, error);
    if (status == PB_OK)
        status = lookup.status;
    if (status == PB_OK)
        status = pb_api_passkey_decode(arena, key, lookup.note, ret_passkey);
    return status == PB_E_CORRUPT ? pb_fail(error, status, "the note of a passkey is damaged")
                                  : status;
}

struct walk {
    const struct pb_env *env;
    struct pb_str person;
    pb_api_passkey_fn *each;
    void *context;
    enum pb_status status;
};

static bool
on_each(void *context, const char *key, struct pb_str value)
{
    struct walk *walk = context;
    struct pb_api_passkey passkey;
    struct pb_arena arena;
    struct pb_str note;
    bool goes_on = true;

    pb_arena_init(&arena, walk->env, NOTE_BYTES_MAX);
    walk->status = pb_arena_copy(&arena, value, &note);
    if (walk->status == PB_OK)
        walk->status = pb_api_passkey_decode(&arena, key, note, &passkey);
    if (walk->status == PB_OK && pb_str_equal(passkey.person, walk->person))
        goes_on = walk->each(walk->context, &passkey);
    pb_arena_clear(&arena);
    return goes_on && walk->status == PB_OK;
}

enum pb_status
pb_api_passkey_each(const struct pb_env *env, struct pb_site *site, struct pb_str person,
                    pb_api_passkey_fn *each, void *context, struct pb_error *error)
{
    struct walk walk = { env, person, each, context, PB_OK };
    enum pb_status status =
        pb_catalog_notes(pb_site_catalog(site), NOTE, "", on_each, &walk, error);

    if (status == PB_OK && walk.status != PB_OK)
        status = pb_fail(error, walk.status, "the note of a passkey cannot be read");
    return status;
}

/* ---- changing ---- */

static enum pb_status
leave_leaf(struct pb_site *site, const struct pb_api_passkey *passkey, const char *verb,
           struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    struct pb_api_leaf leaf;
    uint32_t index;
    enum pb_status status = pb_catalog_view_take(pb_site_catalog(site), &view, error);

    if (status != PB_OK)
        return status;
    index = pb_view_person(view, passkey->person);
    if (index == PB_NO_INDEX) {
        status = pb_fail(error, PB_BAD_INPUT, "person: there is none with that id");
    } else {
        pb_api_leaf_init(&leaf, view->agencies[view->people[index].agency].id, "change");
        pb_api_leaf_text(&leaf, "entity", pb_str_from("passkey"));
        pb_api_leaf_text(&leaf, "verb", pb_str_from(verb));
        pb_api_leaf_text(&leaf, "algorithm", pb_str_from(name_of(passkey->public_key.algorithm)));
        pb_api_leaf_secret(&leaf, "id", pb_str_from(passkey->key));
        pb_api_leaf_secret(&leaf, "person", passkey->person);
        pb_api_leaf_secret(&leaf, "name", passkey->name);
        status = pb_api_leaf_append(&leaf, site, error);
    }
    pb_catalog_view_drop(view);
    return status;
}

static bool
count_one(void *context, const struct pb_api_passkey *passkey)
{
    (void)passkey;
    ++*(unsigned *)context;
    return true;
}

static enum pb_status
check(const struct pb_env *env, struct pb_site *site, const struct pb_api_passkey *passkey,
      struct pb_error *error)
{
    struct pb_api_passkey other;
    struct pb_arena arena;
    unsigned count = 0;
    enum pb_status status;

    if (passkey->name.bytes == 0 || passkey->name.bytes > PB_PASSKEY_NAME_BYTES_MAX ||
        !pb_text_is_plain(passkey->name))
        return pb_fail(error, PB_BAD_INPUT, "name: plain text of 1 to %u bytes",
                       PB_PASSKEY_NAME_BYTES_MAX);
    pb_arena_init(&arena, env, NOTE_BYTES_MAX);
    status = pb_api_passkey_find(site, passkey->key, &arena, &other, error);
    pb_arena_clear(&arena);
    if (status == PB_OK)
        return pb_fail(error, PB_CONFLICT, "this passkey is known already");
    if (status == PB_NOT_FOUND)
        status = pb_api_passkey_each(env, site, passkey->person, count_one, &count, error);
    if (status == PB_OK && count >= PB_PASSKEYS_OF_PERSON_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "at most %u passkeys: remove one first",
                       PB_PASSKEYS_OF_PERSON_MAX);
    return status;
}

enum pb_status
pb_api_passkey_add(const struct pb_env *env, struct pb_site *site, struct pb_str person,
                   struct pb_str name, const struct pb_webauthn_data *data,
                   char ret_key[PB_PASSKEY_KEY_BYTES], struct pb_error *error)
{
    const struct pb_str nothing = { NULL, 0 };
    struct pb_api_passkey passkey = {
        .person = person,
        .name = name,
        .id = data->id,
        .public_key = data->key,
        .counter = data->counter,
        .may_back_up = (data->flags & PB_WEBAUTHN_MAY_BACK_UP) != 0,
        .created_at_us = pb_now_us(env),
    };
    char room[NOTE_BYTES_MAX];
    enum pb_status status;

    pb_api_passkey_key(data->id, passkey.key);
    status = check(env, site, &passkey, error);
    if (status == PB_OK)
        status = leave_leaf(site, &passkey, "add", error);
    /* Whoever adds the same at the same time comes second. */
    if (status == PB_OK)
        status = pb_catalog_note_swap(pb_site_catalog(site), NOTE, passkey.key, nothing,
                                      encode(&passkey, room), error);
    if (status == PB_OK)
        memcpy(ret_key, passkey.key, sizeof(passkey.key));
    return status;
}

enum pb_status
pb_api_passkey_remove(const struct pb_env *env, struct pb_site *site, struct pb_str person,
                      const char *key, struct pb_error *error)
{
    const struct pb_str nothing = { NULL, 0 };
    struct pb_api_passkey passkey;
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, env, NOTE_BYTES_MAX);
    status = pb_api_passkey_find(site, key, &arena, &passkey, error);
    if (status == PB_OK && !pb_str_equal(passkey.person, person))
        status = PB_NOT_FOUND;
    if (status == PB_OK)
        status = leave_leaf(site, &passkey, "remove", error);
    if (status == PB_OK)
        status = pb_catalog_note_put(pb_site_catalog(site), NOTE, key, nothing, error);
    pb_arena_clear(&arena);
    return status;
}

enum pb_status
pb_api_passkey_used(const struct pb_env *env, struct pb_site *site,
                    const struct pb_api_passkey *passkey, uint32_t counter, struct pb_error *error)
{
    struct pb_api_passkey used = *passkey;
    char room[NOTE_BYTES_MAX];

    used.counter = counter;
    used.used_at_us = pb_now_us(env);
    return pb_catalog_note_swap(pb_site_catalog(site), NOTE, passkey->key, passkey->note,
                                encode(&used, room), error);
}
