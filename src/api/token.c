/*
 * Tokens: notes of the catalog, looked up at each use.
 */
#include "api/token.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/note_lines.h"
#include "api/token_cache.h"
#include "audit/audit.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "inquiry/site.h"

#define NOTE "token"
#define SECRET_BYTES 32u
#define HASH_BYTES 32u
#define NOTE_BYTES_MAX 32768u                             /* with all readers that one may have */
#define KEEP_OPENINGS_US (7 * 366 * INT64_C(86400000000)) /* as of other changes */

static_assert(HASH_BYTES == crypto_hash_sha256_BYTES, "SHA-256");

static const char *const verb_names[PB_TOKEN_VERBS] = { "reads", "ask", "administer", "audit" };

const char *
pb_api_token_verb_name(unsigned index)
{
    return verb_names[index];
}

unsigned
pb_api_token_verb(struct pb_str name)
{
    for (unsigned i = 0; i < PB_TOKEN_VERBS; i++) {
        if (pb_str_equal(name, pb_str_from(verb_names[i])))
            return 1u << i;
    }
    return 0;
}

const char *
pb_api_token_via_name(enum pb_api_token_via via)
{
    static const char *const names[PB_TOKEN_VIAS] = { "header", "path", "certificate" };

    return names[via];
}

/* ---- notes ---- */

static struct pb_str
verbs_text(unsigned verbs, char room[64])
{
    struct pb_text_out out = pb_text_out(room, 64);

    for (unsigned i = 0; i < PB_TOKEN_VERBS; i++) {
        if ((verbs & 1u << i) == 0)
            continue;
        if (out.at != room)
            pb_put_char(&out, ',');
        pb_put_text(&out, verb_names[i]);
    }
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static void
put_readers(struct pb_text_out *out, const struct pb_api_token *token)
{
    for (uint32_t i = 0; i < token->reader_count; i++) {
        pb_put_text(out, i == 0 ? "readers " : ",");
        pb_put_str(out, token->readers[i]);
    }
    if (token->reader_count > 0)
        pb_put_char(out, '\n');
}

/* The note of a token; empty where it does not fit. */
static struct pb_str
encode(const struct pb_api_token *token, const uint8_t sha256[HASH_BYTES],
       char room[NOTE_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(room, NOTE_BYTES_MAX);
    char hex[2 * HASH_BYTES + 1], verbs[64];

    (void)sodium_bin2hex(hex, sizeof(hex), sha256, HASH_BYTES);
    pb_api_line_put_number(&out, "token", 1);
    pb_api_line_put(&out, "sha256", pb_str_from(hex));
    pb_api_line_put(&out, "agency", token->agency);
    pb_api_line_put(&out, "person", token->person);
    pb_api_line_put(&out, "verbs", verbs_text(token->verbs, verbs));
    put_readers(&out, token);
    if (token->via != PB_TOKEN_HEADER)
        pb_api_line_put(&out, "via", pb_str_from(pb_api_token_via_name(token->via)));
    pb_api_line_put(&out, "label", token->label);
    pb_api_line_put_number(&out, "created", token->created_at_us);
    pb_api_line_put_number(&out, "expires", token->expires_at_us);
    pb_api_line_put_number(&out, "revoked", token->revoked_at_us);
    return out.is_cut ? (struct pb_str){ NULL, 0 }
                      : (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static struct pb_str
next_item(struct pb_str *list)
{
    const char *comma = memchr(list->text, ',', list->bytes);
    struct pb_str item = { list->text,
                           comma != NULL ? (uint32_t)(comma - list->text) : list->bytes };
    uint32_t taken = item.bytes + (comma != NULL);

    *list = (struct pb_str){ list->text + taken, list->bytes - taken };
    return item;
}

static bool
parse_verbs(struct pb_str list, unsigned *ret_verbs)
{
    unsigned verbs = 0;

    while (list.bytes > 0) {
        unsigned verb = pb_api_token_verb(next_item(&list));

        if (verb == 0)
            return false;
        verbs |= verb;
    }
    *ret_verbs = verbs;
    return verbs != 0;
}

static enum pb_status
parse_readers(struct pb_arena *arena, struct pb_str list, struct pb_api_token *token)
{
    struct pb_str *readers = pb_arena_alloc(arena, PB_TOKEN_READERS_MAX * sizeof(*readers));

    if (readers == NULL)
        return PB_E_NOMEM;
    token->readers = readers;
    while (list.bytes > 0) {
        if (token->reader_count == PB_TOKEN_READERS_MAX)
            return PB_E_CORRUPT;
        readers[token->reader_count] = next_item(&list);
        if (readers[token->reader_count].bytes == 0)
            return PB_E_CORRUPT;
        token->reader_count++;
    }
    return PB_OK;
}

/* What is shown in the header does not say so. */
static bool
parse_via(struct pb_str text, enum pb_api_token_via *ret_via)
{
    for (unsigned i = PB_TOKEN_HEADER + 1; i < PB_TOKEN_VIAS; i++) {
        if (pb_str_equal(text, pb_str_from(pb_api_token_via_name((enum pb_api_token_via)i)))) {
            *ret_via = (enum pb_api_token_via)i;
            return true;
        }
    }
    return false;
}

static bool
parse_hash(struct pb_str hex, uint8_t ret_sha256[HASH_BYTES])
{
    size_t bytes = 0;

    return hex.bytes == 2 * HASH_BYTES &&
           sodium_hex2bin(ret_sha256, HASH_BYTES, hex.text, hex.bytes, NULL, &bytes, NULL) == 0 &&
           bytes == HASH_BYTES;
}

enum pb_status
pb_api_token_decode(struct pb_arena *arena, struct pb_str id, struct pb_str note,
                    struct pb_api_token *ret_token, uint8_t ret_sha256[HASH_BYTES])
{
    struct pb_api_token token = { .id = id };
    struct pb_str rest, list;
    int64_t version;
    enum pb_status status = pb_arena_copy(arena, note, &rest);

    if (status == PB_OK)
        status = pb_arena_copy(arena, id, &token.id);
    if (status != PB_OK)
        return status;
    if (!pb_api_line_take_number(&rest, "token", &version) || version != 1 ||
        !pb_api_line_take(&rest, "sha256", &list) || !parse_hash(list, ret_sha256) ||
        !pb_api_line_take(&rest, "agency", &token.agency))
        return PB_E_CORRUPT;
    (void)pb_api_line_take(&rest, "person", &token.person);
    if (!pb_api_line_take(&rest, "verbs", &list) || !parse_verbs(list, &token.verbs))
        return PB_E_CORRUPT;
    if (pb_api_line_take(&rest, "readers", &list)) {
        status = parse_readers(arena, list, &token);
        if (status != PB_OK)
            return status;
    }
    if (pb_api_line_take(&rest, "via", &list) && !parse_via(list, &token.via))
        return PB_E_CORRUPT;
    (void)pb_api_line_take(&rest, "label", &token.label);
    if (!pb_api_line_take_number(&rest, "created", &token.created_at_us) ||
        !pb_api_line_take_number(&rest, "expires", &token.expires_at_us))
        return PB_E_CORRUPT;
    /* What is behind must be one word that is understood: a revocation is never overlooked. */
    if (rest.bytes > 0 && !pb_api_line_take_number(&rest, "revoked", &token.revoked_at_us))
        return PB_E_CORRUPT;
    if (rest.bytes > 0)
        return PB_E_CORRUPT;
    *ret_token = token;
    return PB_OK;
}

/* ---- looking up ---- */

struct lookup {
    struct pb_arena *arena;
    struct pb_str id, note; /* note: in the arena */
    enum pb_status status;
};

static bool
on_found(void *context, const char *key, struct pb_str value)
{
    struct lookup *lookup = context;

    if (pb_str_equal(pb_str_from(key), lookup->id))
        lookup->status = pb_arena_copy(lookup->arena, value, &lookup->note);
    return false;
}

static bool
is_id(struct pb_str id)
{
    for (uint32_t i = 0; i < id.bytes; i++) {
        if (!((id.text[i] >= '0' && id.text[i] <= '9') || (id.text[i] >= 'a' && id.text[i] <= 'f')))
            return false;
    }
    return id.bytes == PB_TOKEN_ID_BYTES;
}

/* The note of an id, in arena. */
static enum pb_status
load_note(struct pb_site *site, struct pb_str id, struct pb_arena *arena, struct pb_str *ret_note,
          struct pb_error *error)
{
    struct lookup lookup = { arena, id, { NULL, 0 }, PB_NOT_FOUND };
    char key[PB_TOKEN_ID_BYTES + 1];
    enum pb_status status;

    if (!is_id(id))
        return PB_NOT_FOUND;
    memcpy(key, id.text, id.bytes);
    key[id.bytes] = '\0';
    status = pb_catalog_notes(pb_site_catalog(site), NOTE, key, on_found, &lookup, error);
    if (status != PB_OK)
        return status;
    *ret_note = lookup.note;
    return lookup.status;
}

static enum pb_status
decode(struct pb_arena *arena, struct pb_str id, struct pb_str note, struct pb_api_token *ret_token,
       uint8_t ret_sha256[HASH_BYTES], struct pb_error *error)
{
    enum pb_status status = pb_api_token_decode(arena, id, note, ret_token, ret_sha256);

    if (status == PB_E_CORRUPT)
        return pb_fail(error, status, "token %.*s: its note is damaged", (int)id.bytes, id.text);
    return status;
}

static enum pb_status
find(struct pb_site *site, struct pb_str id, struct pb_arena *arena, struct pb_api_token *ret_token,
     uint8_t ret_sha256[HASH_BYTES], struct pb_error *error)
{
    struct pb_str note;
    enum pb_status status = load_note(site, id, arena, &note, error);

    return status != PB_OK ? status : decode(arena, id, note, ret_token, ret_sha256, error);
}

enum pb_status
pb_api_token_find(struct pb_site *site, struct pb_str id, struct pb_arena *arena,
                  struct pb_api_token *ret_token, struct pb_error *error)
{
    uint8_t sha256[HASH_BYTES];

    return find(site, id, arena, ret_token, sha256, error);
}

/* A token is worth nothing any more where its agency is closed, or its person not active. */
static enum pb_status
check_holder(struct pb_site *site, const struct pb_api_token *token, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    enum pb_status status = pb_catalog_view_take(pb_site_catalog(site), &view, error);
    uint32_t agency, person;

    if (status != PB_OK)
        return status;
    agency = pb_view_agency(view, token->agency);
    person = pb_view_person(view, token->person);
    if (agency == PB_NO_INDEX || !view->agencies[agency].is_active)
        status = PB_NOT_FOUND;
    else if (token->person.bytes > 0 &&
             (person == PB_NO_INDEX || view->people[person].agency != agency ||
              view->people[person].status != PB_PERSON_ACTIVE))
        status = PB_NOT_FOUND;
    pb_catalog_view_drop(view);
    return status;
}

struct pb_str
pb_api_token_id(enum pb_api_token_via via, struct pb_str text)
{
    struct pb_str id = { text.text, PB_TOKEN_ID_BYTES };

    if (via == PB_TOKEN_CERTIFICATE)
        return text.bytes == 2 * HASH_BYTES && is_id(id) ? id : (struct pb_str){ NULL, 0 };
    if (text.bytes != PB_TOKEN_TEXT_BYTES - 1 || memcmp(text.text, "pb_", 3) != 0 ||
        text.text[3 + PB_TOKEN_ID_BYTES] != '_')
        return (struct pb_str){ NULL, 0 };
    id.text += 3;
    return is_id(id) ? id : (struct pb_str){ NULL, 0 };
}

/* A note, and whether it was believed because it was found a moment ago. */
struct found {
    char room[PB_TOKEN_CACHED_BYTES];
    struct pb_str note;
    bool is_kept;
    uint64_t drops; /* see pb_api_token_cache_get */
};

static enum pb_status
find_fresh(struct pb_site *site, struct pb_api_token_cache *cache, struct pb_str id, int64_t now_ns,
           struct pb_arena *arena, struct found *ret_found, struct pb_error *error)
{
    ret_found->note = (struct pb_str){ ret_found->room, 0 };
    if (cache != NULL)
        ret_found->note.bytes =
            pb_api_token_cache_get(cache, id, now_ns, ret_found->room, &ret_found->drops);
    ret_found->is_kept = ret_found->note.bytes > 0;
    return ret_found->is_kept ? PB_OK : load_note(site, id, arena, &ret_found->note, error);
}

enum pb_status
pb_api_token_check(const struct pb_env *env, struct pb_site *site, struct pb_api_token_cache *cache,
                   enum pb_api_token_via via, struct pb_str text, struct pb_arena *arena,
                   struct pb_api_token *ret_token, struct pb_error *error)
{
    struct pb_str id = pb_api_token_id(via, text);
    int64_t now_ns = pb_monotonic_ns(env);
    uint8_t shown[HASH_BYTES], kept[HASH_BYTES] = { 0 };
    struct pb_api_token token = { .verbs = 0 };
    struct found found;
    enum pb_status status;

    if (id.bytes == 0)
        return PB_NOT_FOUND;
    (void)crypto_hash_sha256(shown, (const unsigned char *)text.text, text.bytes);
    status = find_fresh(site, cache, id, now_ns, arena, &found, error);
    if (status == PB_OK)
        status = decode(arena, id, found.note, &token, kept, error);
    if (status != PB_OK)
        return status;
    if (sodium_memcmp(shown, kept, HASH_BYTES) != 0 || token.via != via ||
        token.revoked_at_us != 0 || pb_now_us(env) >= token.expires_at_us)
        return PB_NOT_FOUND;
    /* To look at the catalog for each read that comes in would cost more than all the rest: that an
     * agency was closed is seen as late as a revocation by another process. */
    if (!found.is_kept || token.person.bytes > 0)
        status = check_holder(site, &token, error);
    if (status != PB_OK)
        return status;
    if (cache != NULL && !found.is_kept)
        pb_api_token_cache_put(cache, id, now_ns, found.note, found.drops);
    *ret_token = token;
    return PB_OK;
}

struct walk {
    const struct pb_env *env;
    pb_api_token_fn *each;
    void *context;
    enum pb_status status;
};

static bool
on_each(void *context, const char *key, struct pb_str value)
{
    struct walk *walk = context;
    uint8_t sha256[HASH_BYTES];
    struct pb_api_token token;
    struct pb_arena arena;
    bool goes_on = false;

    pb_arena_init(&arena, walk->env, 1024);
    walk->status = pb_api_token_decode(&arena, pb_str_from(key), value, &token, sha256);
    if (walk->status == PB_OK)
        goes_on = walk->each(walk->context, &token);
    pb_arena_clear(&arena);
    return goes_on;
}

enum pb_status
pb_api_token_each(const struct pb_env *env, struct pb_site *site, pb_api_token_fn *each,
                  void *context, struct pb_error *error)
{
    struct walk walk = { env, each, context, PB_OK };
    enum pb_status status =
        pb_catalog_notes(pb_site_catalog(site), NOTE, "", on_each, &walk, error);

    if (status == PB_OK && walk.status != PB_OK)
        status = pb_fail(error, walk.status, "a token's note cannot be read");
    return status;
}

/* ---- changing ---- */

static enum pb_status
leave_leaf(struct pb_site *site, const struct pb_api_token *token, const char *verb,
           struct pb_error *error)
{
    char agency[PB_CATALOG_ID_BYTES_MAX + 1], verbs[64];
    struct pb_audit_field fields[] = {
        { .name = "entity", .kind = PB_AUDIT_FIELD_TEXT, .text = pb_str_from("token") },
        { .name = "verb", .kind = PB_AUDIT_FIELD_TEXT, .text = pb_str_from(verb) },
        { .name = "may", .kind = PB_AUDIT_FIELD_TEXT, .text = verbs_text(token->verbs, verbs) },
        { .name = "readers", .kind = PB_AUDIT_FIELD_NUMBER, .number = token->reader_count },
        { .name = "via",
          .kind = PB_AUDIT_FIELD_TEXT,
          .text = pb_str_from(pb_api_token_via_name(token->via)) },
        { .name = "expires",
          .kind = PB_AUDIT_FIELD_NUMBER,
          .number = token->expires_at_us / 1000000 },
    };
    struct pb_audit_secret secrets[4] = { { "id", token->id } };
    struct pb_audit_leaf leaf = {
        .log = agency,
        .event = "change",
        .fields = fields,
        .field_count = sizeof(fields) / sizeof(fields[0]),
        .secrets = secrets,
        .secret_count = 1,
        .keep_openings_us = KEEP_OPENINGS_US,
    };
    uint64_t index;

    assert(token->agency.bytes <= PB_CATALOG_ID_BYTES_MAX);
    memcpy(agency, token->agency.text, token->agency.bytes);
    agency[token->agency.bytes] = '\0';
    if (token->person.bytes > 0)
        secrets[leaf.secret_count++] = (struct pb_audit_secret){ "person", token->person };
    if (token->label.bytes > 0)
        secrets[leaf.secret_count++] = (struct pb_audit_secret){ "label", token->label };
    if (token->maker.bytes > 0)
        secrets[leaf.secret_count++] = (struct pb_audit_secret){ "maker", token->maker };
    return pb_audit_append(pb_site_audit(site), &leaf, 1, &index, error);
}

static enum pb_status
check_readers(const struct pb_catalog_view *view, const struct pb_api_token *token, uint32_t agency,
              struct pb_error *error)
{
    if (token->reader_count > PB_TOKEN_READERS_MAX)
        return pb_fail(error, PB_BAD_INPUT, "readers: at most %u", PB_TOKEN_READERS_MAX);
    for (uint32_t i = 0; i < token->reader_count; i++) {
        uint32_t reader = pb_view_reader(view, token->readers[i]);

        if (reader == PB_NO_INDEX || view->readers[reader].agency != agency)
            return pb_fail(error, PB_BAD_INPUT, "readers: the agency has no reader '%.*s'",
                           (int)token->readers[i].bytes, token->readers[i].text);
    }
    return PB_OK;
}

static enum pb_status
check_person(const struct pb_catalog_view *view, const struct pb_api_token *token, uint32_t agency,
             struct pb_error *error)
{
    uint32_t person = pb_view_person(view, token->person);

    if (token->person.bytes == 0)
        return (token->verbs & (PB_TOKEN_ASK | PB_TOKEN_AUDIT)) == 0
                   ? PB_OK
                   : pb_fail(error, PB_BAD_INPUT,
                             "person: a token asks, and audits, for a person of its agency");
    if (token->verbs == PB_TOKEN_READS)
        return pb_fail(error, PB_BAD_INPUT, "person: a token that only sends reads has none");
    if (person == PB_NO_INDEX || view->people[person].agency != agency ||
        view->people[person].status != PB_PERSON_ACTIVE)
        return pb_fail(error, PB_BAD_INPUT, "person: the agency has no active person '%.*s'",
                       (int)token->person.bytes, token->person.text);
    return PB_OK;
}

static enum pb_status
check_via(const struct pb_api_token *token, struct pb_error *error)
{
    struct pb_str certificate = token->certificate;

    if (token->via != PB_TOKEN_HEADER &&
        (token->verbs != PB_TOKEN_READS || token->reader_count != 1))
        return pb_fail(error, PB_BAD_INPUT,
                       "readers: what is shown in a path, or a certificate, sends reads of one "
                       "reader and does nothing else");
    if ((token->via == PB_TOKEN_CERTIFICATE) != (certificate.bytes > 0) ||
        (certificate.bytes > 0 && pb_api_token_id(token->via, certificate).bytes == 0))
        return pb_fail(error, PB_BAD_INPUT, "certificate: its SHA-256 is wanted");
    return PB_OK;
}

static enum pb_status
check(const struct pb_catalog_view *view, const struct pb_api_token *token, struct pb_error *error)
{
    uint32_t agency = pb_view_agency(view, token->agency);
    int64_t life_us = token->expires_at_us - token->created_at_us;
    enum pb_status status;

    if (agency == PB_NO_INDEX || !view->agencies[agency].is_active)
        return pb_fail(error, PB_BAD_INPUT, "agency: there is no active agency '%.*s'",
                       (int)token->agency.bytes, token->agency.text);
    if (token->verbs == 0 || token->verbs >= 1u << PB_TOKEN_VERBS)
        return pb_fail(error, PB_BAD_INPUT, "verbs: some of reads, ask, administer, audit");
    if ((token->verbs & PB_TOKEN_READS) != 0 && !view->agencies[agency].contributes)
        return pb_fail(error, PB_BAD_INPUT, "verbs: the agency contributes no reads");
    if ((token->verbs & PB_TOKEN_READS) == 0 && token->reader_count > 0)
        return pb_fail(error, PB_BAD_INPUT, "readers: only a token that sends reads has them");
    if (life_us <= 0 || life_us > PB_TOKEN_LIFE_MAX_US)
        return pb_fail(error, PB_BAD_INPUT, "expires: in the future, within 90 days");
    if (token->label.bytes > PB_TOKEN_LABEL_BYTES_MAX || !pb_text_is_plain(token->label))
        return pb_fail(error, PB_BAD_INPUT, "label: plain text of at most %u bytes",
                       PB_TOKEN_LABEL_BYTES_MAX);
    status = check_person(view, token, agency, error);
    return status != PB_OK ? status : check_readers(view, token, agency, error);
}

/* A new text; its id goes to ret_id. */
static enum pb_status
make_text(const struct pb_env *env, char ret_text[PB_TOKEN_TEXT_BYTES],
          char ret_id[PB_TOKEN_ID_BYTES + 1], struct pb_error *error)
{
    uint8_t random[PB_TOKEN_ID_BYTES / 2 + SECRET_BYTES];
    char secret[44];
    enum pb_status status = env->random(env->random_context, random, sizeof(random));

    if (status != PB_OK)
        return pb_fail(error, status, "the system gives no random bytes");
    (void)sodium_bin2hex(ret_id, PB_TOKEN_ID_BYTES + 1, random, PB_TOKEN_ID_BYTES / 2);
    (void)sodium_bin2base64(secret, sizeof(secret), random + PB_TOKEN_ID_BYTES / 2, SECRET_BYTES,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    (void)snprintf(ret_text, PB_TOKEN_TEXT_BYTES, "pb_%s_%s", ret_id, secret);
    sodium_memzero(random, sizeof(random));
    sodium_memzero(secret, sizeof(secret));
    return PB_OK;
}

/* A certificate's text and id come from it: it may be bound again when its time is over, but one
 * that was revoked stays so. */
static enum pb_status
take_certificate(const struct pb_env *env, struct pb_site *site, struct pb_str certificate,
                 char ret_id[PB_TOKEN_ID_BYTES + 1], struct pb_error *error)
{
    uint8_t sha256[HASH_BYTES];
    struct pb_api_token before = { .revoked_at_us = 0 };
    struct pb_arena arena;
    enum pb_status status;

    memcpy(ret_id, certificate.text, PB_TOKEN_ID_BYTES);
    ret_id[PB_TOKEN_ID_BYTES] = '\0';
    pb_arena_init(&arena, env, 1024);
    status = find(site, pb_str_from(ret_id), &arena, &before, sha256, error);
    if (status == PB_OK && before.revoked_at_us == 0 && pb_now_us(env) >= before.expires_at_us)
        status = PB_NOT_FOUND;
    pb_arena_clear(&arena);
    if (status == PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "certificate: it is bound already, or was revoked: %s",
                       ret_id);
    return status == PB_NOT_FOUND ? PB_OK : status;
}

/* Leaf, then note. */
static enum pb_status
store(struct pb_site *site, const struct pb_api_token *token, const uint8_t sha256[HASH_BYTES],
      const char *verb, struct pb_error *error)
{
    char room[NOTE_BYTES_MAX], key[PB_TOKEN_ID_BYTES + 1];
    struct pb_str note = encode(token, sha256, room);
    enum pb_status status;

    if (note.bytes == 0)
        return pb_fail(error, PB_OVER_LIMIT, "the token says too much to be kept");
    memcpy(key, token->id.text, PB_TOKEN_ID_BYTES);
    key[PB_TOKEN_ID_BYTES] = '\0';
    status = leave_leaf(site, token, verb, error);
    return status != PB_OK ? status
                           : pb_catalog_note_put(pb_site_catalog(site), NOTE, key, note, error);
}

enum pb_status
pb_api_token_add(const struct pb_env *env, struct pb_site *site, const struct pb_api_token *given,
                 char ret_text[PB_TOKEN_TEXT_BYTES], struct pb_error *error)
{
    char text[PB_TOKEN_TEXT_BYTES] = "", id[PB_TOKEN_ID_BYTES + 1];
    const struct pb_catalog_view *view = NULL;
    struct pb_api_token token = *given;
    uint8_t sha256[HASH_BYTES];
    struct pb_str shown;
    enum pb_status status;

    token.created_at_us = pb_now_us(env);
    token.revoked_at_us = 0;
    status = pb_catalog_view_take(pb_site_catalog(site), &view, error);
    if (status == PB_OK)
        status = check(view, &token, error);
    pb_catalog_view_drop(view);
    if (status == PB_OK)
        status = check_via(&token, error);
    if (status == PB_OK)
        status = token.certificate.bytes > 0
                     ? take_certificate(env, site, token.certificate, id, error)
                     : make_text(env, text, id, error);
    if (status != PB_OK)
        return status;
    token.id = pb_str_from(id);
    shown = token.certificate.bytes > 0 ? token.certificate : pb_str_from(text);
    (void)crypto_hash_sha256(sha256, (const unsigned char *)shown.text, shown.bytes);
    status = store(site, &token, sha256, "add", error);
    if (status == PB_OK)
        (void)snprintf(ret_text, PB_TOKEN_TEXT_BYTES, "%s",
                       token.certificate.bytes > 0 ? id : text);
    sodium_memzero(text, sizeof(text));
    return status;
}

enum pb_status
pb_api_token_revoke(const struct pb_env *env, struct pb_site *site, struct pb_str id,
                    struct pb_error *error)
{
    uint8_t sha256[HASH_BYTES];
    struct pb_api_token token;
    struct pb_arena arena;
    enum pb_status status;

    pb_arena_init(&arena, env, 1024);
    status = find(site, id, &arena, &token, sha256, error);
    if (status == PB_OK && token.revoked_at_us == 0) {
        token.revoked_at_us = pb_now_us(env);
        status = store(site, &token, sha256, "revoke", error);
    }
    pb_arena_clear(&arena);
    return status;
}
