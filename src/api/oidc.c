/*
 * OIDC: what is known of each provider, and the two requests of a sign-in.
 *
 * What is known (addresses and keys) never changes once it is made; it is counted by references,
 * and a newer one takes its place. Whoever finds it too old fetches it, others go on with what is
 * there, or, where there is nothing, are told to come again.
 */
#include "api/oidc.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "api/attempts.h"
#include "api/jwt.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog.h"

#define SECOND_NS INT64_C(1000000000)
#define KNOWN_NS (3600 * SECOND_NS)
#define RELEARN_NS (60 * SECOND_NS) /* at the soonest, for a key that is not known */
#define FAILED_NS (5 * SECOND_NS)   /* before a provider that failed is asked again */
#define TOTAL_MS 8000L
#define FORM_BYTES_MAX 16384u
#define SECRET_TEXT_BYTES 44u /* 32 bytes in base64url, with a NUL */
#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

struct known {
    struct pb_oidc_addresses addresses;
    struct pb_jwks *keys; /* owned */
    int64_t learned_ns;
    unsigned references; /* guarded by the lock */
};

struct place {
    struct pb_oidc_provider provider;
    struct known *known; /* owned reference; NULL: nothing yet; guarded, as what follows */
    bool is_learning;
    int64_t failed_ns; /* 0: it did not */
};

struct pb_oidc {
    const struct pb_env *env; /* borrowed */
    const char *origin;       /* borrowed */
    unsigned count;
    _Atomic unsigned busy; /* requests to providers */
    pthread_mutex_t lock;  /* held for a few instructions */
    struct place places[PB_OIDC_PROVIDERS_MAX];
};

/* ---- configuration ---- */

static bool
is_name(const char *name)
{
    size_t bytes = strlen(name);

    return bytes > 0 && bytes <= 32 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == bytes;
}

static enum pb_status
check_provider(const struct pb_oidc *oidc, const struct pb_oidc_provider *provider,
               struct pb_error *error)
{
    struct pb_str issuer = pb_str_from(provider->issuer);

    if (!is_name(provider->name))
        return pb_fail(error, PB_BAD_INPUT, "provider '%.40s': name: a-z, 0-9 and -",
                       provider->name);
    if (pb_oidc_find(oidc, pb_str_from(provider->name)) < oidc->count)
        return pb_fail(error, PB_BAD_INPUT, "provider '%s': there are two", provider->name);
    if (!pb_fetch_is_allowed(issuer) || issuer.bytes > PB_FETCH_URL_BYTES_MAX - 64 ||
        strchr(provider->issuer, '?') != NULL)
        return pb_fail(error, PB_BAD_INPUT,
                       "provider '%s': issuer: an address that begins with https://",
                       provider->name);
    if (provider->client[0] == '\0' || provider->agency[0] == '\0' ||
        strstr(provider->scopes, "openid") == NULL)
        return pb_fail(error, PB_BAD_INPUT,
                       "provider '%s': client, agency, and openid among scopes are wanted",
                       provider->name);
    if (provider->adds_people && provider->roles[0].group == NULL)
        return pb_fail(error, PB_BAD_INPUT,
                       "provider '%s': to add people it must be said which groups have which role",
                       provider->name);
    return PB_OK;
}

enum pb_status
pb_oidc_new(const struct pb_env *env, const struct pb_oidc_provider *providers, unsigned count,
            const char *origin, struct pb_oidc **ret_oidc, struct pb_error *error)
{
    struct pb_oidc *oidc = NULL;
    enum pb_status status = PB_OK;

    if (count > PB_OIDC_PROVIDERS_MAX)
        return pb_fail(error, PB_BAD_INPUT, "at most %u providers", PB_OIDC_PROVIDERS_MAX);
    oidc = pb_calloc(env, 1, sizeof(*oidc));
    if (oidc == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for providers of sign-ins");
    oidc->env = env;
    oidc->origin = origin;
    (void)pthread_mutex_init(&oidc->lock, NULL);
    for (unsigned i = 0; i < count && status == PB_OK; i++) {
        status = check_provider(oidc, &providers[i], error);
        oidc->places[oidc->count++].provider = providers[i];
    }
    if (status == PB_OK) {
        *ret_oidc = oidc;
        oidc = NULL;
    }
    pb_oidc_free(oidc);
    return status;
}

static void
drop(struct pb_oidc *oidc, struct known *known)
{
    bool is_last;

    if (known == NULL)
        return;
    (void)pthread_mutex_lock(&oidc->lock);
    is_last = --known->references == 0;
    (void)pthread_mutex_unlock(&oidc->lock);
    if (!is_last)
        return;
    pb_jwks_free(known->keys);
    pb_free(oidc->env, known);
}

void
pb_oidc_free(struct pb_oidc *oidc)
{
    if (oidc == NULL)
        return;
    for (unsigned i = 0; i < oidc->count; i++)
        drop(oidc, oidc->places[i].known);
    (void)pthread_mutex_destroy(&oidc->lock);
    pb_free(oidc->env, oidc);
}

unsigned
pb_oidc_count(const struct pb_oidc *oidc)
{
    return oidc != NULL ? oidc->count : 0;
}

const struct pb_oidc_provider *
pb_oidc_provider(const struct pb_oidc *oidc, unsigned index)
{
    assert(index < oidc->count);
    return &oidc->places[index].provider;
}

unsigned
pb_oidc_find(const struct pb_oidc *oidc, struct pb_str name)
{
    unsigned i = 0;

    while (i < pb_oidc_count(oidc) &&
           !pb_str_equal(name, pb_str_from(oidc->places[i].provider.name)))
        i++;
    return i;
}

/* ---- what providers answer ---- */

static bool
refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

static bool
take_address(const json_t *document, const char *key, char ret_url[PB_FETCH_URL_BYTES_MAX + 1])
{
    struct pb_str url = pb_jwt_text(document, key);

    if (!pb_fetch_is_allowed(url))
        return false;
    memcpy(ret_url, url.text, url.bytes);
    ret_url[url.bytes] = '\0';
    return true;
}

/* Whether a list has a word; where there is no list, what then holds. */
static bool
lists(const json_t *document, const char *key, const char *word, bool otherwise)
{
    return json_object_get(document, key) == NULL ? otherwise
                                                  : pb_jwt_has(document, key, pb_str_from(word));
}

static bool
read_document(const json_t *document, const char *issuer, struct pb_oidc_addresses *addresses,
              const char **ret_why)
{
    if (!json_is_object(document))
        return refuse(ret_why, "not one JSON object");
    if (!pb_str_equal(pb_jwt_text(document, "issuer"), pb_str_from(issuer)))
        return refuse(ret_why, "of another issuer");
    if (!take_address(document, "authorization_endpoint", addresses->authorization) ||
        !take_address(document, "token_endpoint", addresses->token) ||
        !take_address(document, "jwks_uri", addresses->keys))
        return refuse(ret_why, "an address is missing, or is not https");
    if (!lists(document, "response_types_supported", "code", true))
        return refuse(ret_why, "it gives no codes");
    if (!lists(document, "code_challenge_methods_supported", "S256", true))
        return refuse(ret_why, "it knows no PKCE by S256");
    addresses->takes_basic =
        lists(document, "token_endpoint_auth_methods_supported", "client_secret_basic", true);
    addresses->says_issuer =
        json_is_true(json_object_get(document, "authorization_response_iss_parameter_supported"));
    return true;
}

bool
pb_oidc_read_addresses(struct pb_str json, const char *issuer,
                       struct pb_oidc_addresses *ret_addresses, const char **ret_why)
{
    json_t *document;
    json_error_t wrong;
    bool is_good;

    if (json.bytes > PB_OIDC_ANSWER_BYTES_MAX)
        return refuse(ret_why, "too long");
    document = json_loadb(json.text, json.bytes, JSON_REJECT_DUPLICATES, &wrong);
    is_good = read_document(document, issuer, ret_addresses, ret_why);
    json_decref(document);
    return is_good;
}

/* ---- asking ---- */

static enum pb_status
ask(struct pb_oidc *oidc, const struct pb_fetch_request *request, struct pb_fetch_reply *ret_reply,
    struct pb_error *error)
{
    enum pb_status status = PB_E_BUSY;

    if (atomic_fetch_add(&oidc->busy, 1) < PB_OIDC_BUSY_MAX)
        status = pb_fetch(oidc->env, request, ret_reply, error);
    else
        (void)pb_fail(error, PB_E_BUSY, "too many sign in by providers at once");
    (void)atomic_fetch_sub(&oidc->busy, 1);
    return status == PB_BAD_INPUT || status == PB_OVER_LIMIT ? PB_E_IO : status;
}

static enum pb_status
get(struct pb_oidc *oidc, const struct pb_oidc_provider *provider, const char *url,
    size_t bytes_max, struct pb_fetch_reply *ret_reply, struct pb_error *error)
{
    struct pb_fetch_request request = {
        .url = url,
        .trusted_path = provider->trusted_path,
        .total_ms = TOTAL_MS,
        .bytes_max = bytes_max,
    };
    enum pb_status status = ask(oidc, &request, ret_reply, error);

    if (status != PB_OK || ret_reply->status == 200)
        return status;
    pb_free(oidc->env, ret_reply->body);
    ret_reply->body = NULL;
    return pb_fail(error, PB_E_IO, "'%.200s' answers with %u", url, ret_reply->status);
}

static struct pb_str
body_of(const struct pb_fetch_reply *reply)
{
    return (struct pb_str){ reply->body, (uint32_t)reply->body_bytes };
}

static enum pb_status
fetch_addresses(struct pb_oidc *oidc, const struct pb_oidc_provider *provider,
                struct pb_oidc_addresses *ret_addresses, struct pb_error *error)
{
    char url[PB_FETCH_URL_BYTES_MAX];
    struct pb_fetch_reply reply = { .body = NULL };
    size_t bytes = strlen(provider->issuer);
    const char *slash = provider->issuer[bytes - 1] == '/' ? "" : "/", *why;
    enum pb_status status;

    /* The issuer is short enough: check_provider. */
    (void)snprintf(url, sizeof(url), "%s%s.well-known/openid-configuration", provider->issuer,
                   slash);
    status = get(oidc, provider, url, PB_OIDC_ANSWER_BYTES_MAX, &reply, error);
    if (status == PB_OK &&
        !pb_oidc_read_addresses(body_of(&reply), provider->issuer, ret_addresses, &why))
        status = pb_fail(error, PB_E_IO, "'%.200s': %s", url, why);
    pb_free(oidc->env, reply.body);
    return status;
}

static enum pb_status
fetch_keys(struct pb_oidc *oidc, const struct pb_oidc_provider *provider, const char *url,
           struct pb_jwks **ret_keys, struct pb_error *error)
{
    struct pb_fetch_reply reply = { .body = NULL };
    enum pb_status status = get(oidc, provider, url, PB_JWKS_BYTES_MAX, &reply, error);

    if (status == PB_OK)
        status = pb_jwks_parse(oidc->env, body_of(&reply), ret_keys, error);
    pb_free(oidc->env, reply.body);
    return status == PB_BAD_INPUT ? PB_E_IO : status;
}

static enum pb_status
fetch_known(struct pb_oidc *oidc, const struct pb_oidc_provider *provider, struct known **ret_known,
            struct pb_error *error)
{
    struct known *known = pb_calloc(oidc->env, 1, sizeof(*known));
    enum pb_status status;

    if (known == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for what a provider says");
    known->learned_ns = pb_monotonic_ns(oidc->env);
    known->references = 1;
    status = fetch_addresses(oidc, provider, &known->addresses, error);
    if (status == PB_OK)
        status = fetch_keys(oidc, provider, known->addresses.keys, &known->keys, error);
    if (status == PB_OK) {
        *ret_known = known;
        return PB_OK;
    }
    pb_jwks_free(known->keys);
    pb_free(oidc->env, known);
    return status;
}

enum decision { USE, LEARN, COME_AGAIN };

/* What to do about a provider; of USE, *ret_known has a reference. */
static enum decision
decide(struct pb_oidc *oidc, struct place *place, int64_t since_ns, int64_t now_ns,
       struct known **ret_known)
{
    enum decision decision = LEARN;

    (void)pthread_mutex_lock(&oidc->lock);
    if (place->known != NULL && place->known->learned_ns >= since_ns) {
        decision = USE;
        place->known->references++;
        *ret_known = place->known;
    } else if (place->is_learning ||
               (place->failed_ns != 0 && now_ns - place->failed_ns < FAILED_NS)) {
        decision = COME_AGAIN;
    } else {
        place->is_learning = true;
    }
    (void)pthread_mutex_unlock(&oidc->lock);
    return decision;
}

/* What is known of a provider since since_ns, with a reference. */
static enum pb_status
know(struct pb_oidc *oidc, struct place *place, int64_t since_ns, struct known **ret_known,
     struct pb_error *error)
{
    int64_t now_ns = pb_monotonic_ns(oidc->env);
    struct known *fresh = NULL, *old = NULL;
    enum pb_status status;

    switch (decide(oidc, place, since_ns, now_ns, ret_known)) {
    case USE:
        return PB_OK;
    case COME_AGAIN:
        return pb_fail(error, PB_E_BUSY, "provider '%s' did not answer a moment ago, or is asked",
                       place->provider.name);
    case LEARN:
        break;
    }
    status = fetch_known(oidc, &place->provider, &fresh, error);
    (void)pthread_mutex_lock(&oidc->lock);
    place->is_learning = false;
    place->failed_ns = status == PB_OK ? 0 : now_ns;
    if (status == PB_OK) {
        old = place->known;
        place->known = fresh;
        fresh->references++;
        *ret_known = fresh;
    }
    (void)pthread_mutex_unlock(&oidc->lock);
    drop(oidc, old);
    return status;
}

static enum pb_status
know_usual(struct pb_oidc *oidc, struct place *place, struct known **ret_known,
           struct pb_error *error)
{
    return know(oidc, place, pb_monotonic_ns(oidc->env) - KNOWN_NS, ret_known, error);
}

/* ---- to the provider ---- */

static void
secret_text(const uint8_t bytes[PB_ATTEMPT_BYTES], char ret_text[SECRET_TEXT_BYTES])
{
    (void)sodium_bin2base64(ret_text, SECRET_TEXT_BYTES, bytes, PB_ATTEMPT_BYTES, BASE64);
}

/* As forms and queries write a value. */
static void
put_escaped(struct pb_text_out *out, struct pb_str value)
{
    static const char digits[] = "0123456789ABCDEF";

    for (uint32_t i = 0; i < value.bytes; i++) {
        unsigned byte = (unsigned char)value.text[i];
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
                        byte == '~';

        if (is_plain) {
            pb_put_char(out, (char)byte);
        } else {
            pb_put_char(out, '%');
            pb_put_char(out, digits[byte >> 4]);
            pb_put_char(out, digits[byte & 15u]);
        }
    }
}

static void
put_parameter(struct pb_text_out *out, const char *name, struct pb_str value)
{
    pb_put_text(out, name);
    pb_put_char(out, '=');
    put_escaped(out, value);
}

/* Where the provider sends the browser back to. */
static void
put_return(const struct pb_oidc *oidc, const struct pb_oidc_provider *provider,
           struct pb_text_out *out)
{
    char url[512];

    (void)snprintf(url, sizeof(url), "%.400s/v1/session/oidc/%s/return", oidc->origin,
                   provider->name);
    put_parameter(out, "redirect_uri", pb_str_from(url));
}

static void
put_request(const struct pb_oidc *oidc, const struct pb_oidc_provider *provider,
            const struct pb_attempt *attempt, struct pb_text_out *out)
{
    char text[SECRET_TEXT_BYTES];
    uint8_t sha256[crypto_hash_sha256_BYTES];

    put_parameter(out, "response_type", pb_str_from("code"));
    put_parameter(out, "&client_id", pb_str_from(provider->client));
    put_parameter(out, "&scope", pb_str_from(provider->scopes));
    pb_put_char(out, '&');
    put_return(oidc, provider, out);
    secret_text(attempt->challenge, text);
    put_parameter(out, "&state", pb_str_from(text));
    secret_text(attempt->nonce, text);
    put_parameter(out, "&nonce", pb_str_from(text));
    /* PKCE: the provider is told a hash, and later what it is the hash of. */
    secret_text(attempt->verifier, text);
    (void)crypto_hash_sha256(sha256, (const unsigned char *)text, SECRET_TEXT_BYTES - 1);
    secret_text(sha256, text);
    put_parameter(out, "&code_challenge", pb_str_from(text));
    put_parameter(out, "&code_challenge_method", pb_str_from("S256"));
    if (provider->acr[0] != NULL)
        put_parameter(out, "&acr_values", pb_str_from(provider->acr[0]));
    sodium_memzero(text, sizeof(text));
}

enum pb_status
pb_oidc_begin(struct pb_oidc *oidc, const struct pb_attempt *attempt,
              char ret_url[PB_OIDC_URL_BYTES], struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_url, PB_OIDC_URL_BYTES - 1);
    struct place *place = &oidc->places[attempt->provider];
    struct known *known = NULL;
    enum pb_status status;

    assert(attempt->provider < oidc->count);
    status = know_usual(oidc, place, &known, error);
    if (status != PB_OK)
        return status;
    pb_put_text(&out, known->addresses.authorization);
    pb_put_char(&out, strchr(known->addresses.authorization, '?') != NULL ? '&' : '?');
    put_request(oidc, &place->provider, attempt, &out);
    *out.at = '\0';
    drop(oidc, known);
    return out.is_cut ? pb_fail(error, PB_E_IO, "the address of provider '%s' is too long",
                                place->provider.name)
                      : PB_OK;
}

/* ---- and back ---- */

/* Takes the suffix away; false: it does not end with it. */
static bool
cut_suffix(struct pb_str *text, const char *suffix)
{
    struct pb_str end = pb_str_from(suffix);

    if (text->bytes < end.bytes ||
        memcmp(text->text + text->bytes - end.bytes, end.text, end.bytes) != 0)
        return false;
    text->bytes -= end.bytes;
    return true;
}

static bool
has_word(const json_t *claims, const char *claim, const char *const words[PB_OIDC_WORDS_MAX])
{
    for (unsigned i = 0; i < PB_OIDC_WORDS_MAX && words[i] != NULL; i++) {
        if (pb_jwt_has(claims, claim, pb_str_from(words[i])))
            return true;
    }
    return false;
}

enum pb_status
pb_oidc_read_identity(const struct pb_oidc_provider *provider, const json_t *claims,
                      struct pb_arena *arena, struct pb_oidc_identity *ret_identity,
                      const char **ret_why)
{
    struct pb_oidc_identity identity = { .roles = 0 };
    struct pb_str person = pb_jwt_text(claims, provider->person_claim);
    enum pb_status status;

    if ((provider->suffix != NULL && !cut_suffix(&person, provider->suffix)) ||
        !pb_catalog_is_id(person)) {
        *ret_why = "the claim of the person's id is missing, or is no id";
        return PB_BAD_INPUT;
    }
    for (unsigned i = 0; i < PB_OIDC_ROLES_MAX && provider->roles[i].group != NULL; i++) {
        if (pb_jwt_has(claims, provider->groups_claim, pb_str_from(provider->roles[i].group)))
            identity.roles |= 1u << i;
    }
    identity.is_mfa =
        has_word(claims, "acr", provider->acr) || has_word(claims, "amr", provider->amr);
    status = pb_arena_copy(arena, person, &identity.person);
    if (status == PB_OK)
        status = pb_arena_copy(arena, pb_jwt_text(claims, "sub"), &identity.subject);
    if (status == PB_OK)
        *ret_identity = identity;
    return status;
}

bool
pb_oidc_gives(const struct pb_oidc_provider *provider, const struct pb_oidc_identity *identity,
              struct pb_str role)
{
    if (provider->roles[0].group == NULL)
        return true;
    for (unsigned i = 0; i < PB_OIDC_ROLES_MAX && provider->roles[i].group != NULL; i++) {
        if ((identity->roles & 1u << i) != 0 &&
            pb_str_equal(role, pb_str_from(provider->roles[i].role)))
            return true;
    }
    return false;
}

static bool
check_return(const struct place *place, const struct known *known, const struct pb_attempt *attempt,
             const struct pb_oidc_return *brought, const char **ret_why)
{
    char state[SECRET_TEXT_BYTES];

    secret_text(attempt->challenge, state);
    if (brought->state.bytes != sizeof(state) - 1 ||
        sodium_memcmp(brought->state.text, state, sizeof(state) - 1) != 0)
        return refuse(ret_why, "another state: not the way back from where we sent");
    if ((known->addresses.says_issuer || brought->issuer.bytes > 0) &&
        !pb_str_equal(brought->issuer, pb_str_from(place->provider.issuer)))
        return refuse(ret_why, "back from another issuer");
    if (brought->wrong.bytes > 0)
        return refuse(ret_why, "the provider did not sign anybody in");
    if (brought->code.bytes == 0 || brought->code.bytes > PB_OIDC_CODE_BYTES_MAX)
        return refuse(ret_why, "without a code of decent length");
    return true;
}

/* The form that turns a code into tokens. Basic names and passwords are escaped as forms are. */
struct form {
    char body[FORM_BYTES_MAX];
    char user[1024], password[2048];
};

static bool
fill_form(const struct pb_oidc *oidc, const struct place *place, const struct known *known,
          const struct pb_attempt *attempt, struct pb_str code, struct form *form,
          uint32_t *ret_bytes)
{
    const struct pb_oidc_provider *provider = &place->provider;
    struct pb_text_out out = pb_text_out(form->body, sizeof(form->body) - 1);
    struct pb_text_out user = pb_text_out(form->user, sizeof(form->user) - 1);
    struct pb_text_out password = pb_text_out(form->password, sizeof(form->password) - 1);
    char verifier[SECRET_TEXT_BYTES];

    put_parameter(&out, "grant_type", pb_str_from("authorization_code"));
    put_parameter(&out, "&code", code);
    pb_put_char(&out, '&');
    put_return(oidc, provider, &out);
    secret_text(attempt->verifier, verifier);
    put_parameter(&out, "&code_verifier", pb_str_from(verifier));
    sodium_memzero(verifier, sizeof(verifier));
    if (provider->secret == NULL || !known->addresses.takes_basic)
        put_parameter(&out, "&client_id", pb_str_from(provider->client));
    if (provider->secret != NULL && !known->addresses.takes_basic)
        put_parameter(&out, "&client_secret", pb_str_from(provider->secret));
    put_escaped(&user, pb_str_from(provider->client));
    put_escaped(&password, pb_str_from(provider->secret));
    *user.at = *password.at = *out.at = '\0';
    *ret_bytes = (uint32_t)(out.at - form->body);
    return !out.is_cut && !user.is_cut && !password.is_cut;
}

/* Sends a code; ret_reply->body is the caller's. */
static enum pb_status
send_code(struct pb_oidc *oidc, const struct place *place, const struct known *known,
          const struct pb_attempt *attempt, struct pb_str code, struct pb_fetch_reply *ret_reply,
          struct pb_error *error)
{
    struct form *form = pb_alloc(oidc->env, sizeof(*form));
    bool has_basic = place->provider.secret != NULL && known->addresses.takes_basic;
    struct pb_fetch_request request = {
        .url = known->addresses.token,
        .content_type = "application/x-www-form-urlencoded",
        .trusted_path = place->provider.trusted_path,
        .total_ms = TOTAL_MS,
        .bytes_max = PB_OIDC_ANSWER_BYTES_MAX,
    };
    enum pb_status status;

    if (form == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to ask a provider");
    if (fill_form(oidc, place, known, attempt, code, form, &request.body.bytes)) {
        request.body.text = form->body;
        request.user = has_basic ? form->user : NULL;
        request.password = has_basic ? form->password : NULL;
        status = ask(oidc, &request, ret_reply, error);
    } else {
        status = pb_fail(error, PB_E_IO, "what provider '%s' is to be told is too long",
                         place->provider.name);
    }
    sodium_memzero(form, sizeof(*form));
    pb_free(oidc->env, form);
    return status;
}

/* Opens an ID token, with newer keys where its key is not known. *known may become a newer one. */
static enum pb_status
open_token(struct pb_oidc *oidc, struct place *place, struct known **known, struct pb_str text,
           struct pb_jwt *ret_jwt, const char **ret_why, struct pb_error *error)
{
    enum pb_status status = pb_jwt_open(oidc->env, text, (*known)->keys, ret_jwt, ret_why);
    int64_t now_ns = pb_monotonic_ns(oidc->env);
    struct known *newer = NULL;

    if (status != PB_NOT_FOUND)
        return status;
    if (now_ns - (*known)->learned_ns < RELEARN_NS)
        return PB_BAD_INPUT;
    status = know(oidc, place, now_ns, &newer, error);
    if (status != PB_OK)
        return status;
    drop(oidc, *known);
    *known = newer;
    status = pb_jwt_open(oidc->env, text, newer->keys, ret_jwt, ret_why);
    return status == PB_NOT_FOUND ? PB_BAD_INPUT : status;
}

static enum pb_status
read_tokens(struct pb_oidc *oidc, struct place *place, struct known **known,
            const struct pb_attempt *attempt, const json_t *tokens, struct pb_arena *arena,
            struct pb_oidc_identity *ret_identity, const char **ret_why, struct pb_error *error)
{
    char nonce[SECRET_TEXT_BYTES];
    struct pb_id_token_want want = {
        .issuer = place->provider.issuer,
        .client = place->provider.client,
        .nonce = nonce,
        .access_token = pb_jwt_text(tokens, "access_token"),
        .now_s = pb_now_us(oidc->env) / 1000000,
    };
    struct pb_jwt jwt = { .claims = NULL };
    enum pb_status status =
        open_token(oidc, place, known, pb_jwt_text(tokens, "id_token"), &jwt, ret_why, error);

    secret_text(attempt->nonce, nonce);
    if (status == PB_OK && !pb_jwt_check_id_token(&jwt, &want, ret_why))
        status = PB_BAD_INPUT;
    if (status == PB_OK)
        status = pb_oidc_read_identity(&place->provider, jwt.claims, arena, ret_identity, ret_why);
    json_decref(jwt.claims);
    return status;
}

enum pb_status
pb_oidc_finish(struct pb_oidc *oidc, const struct pb_attempt *attempt,
               const struct pb_oidc_return *brought, struct pb_arena *arena,
               struct pb_oidc_identity *ret_identity, const char **ret_why, struct pb_error *error)
{
    struct place *place = &oidc->places[attempt->provider];
    struct pb_fetch_reply reply = { .body = NULL };
    struct known *known = NULL;
    json_t *tokens = NULL;
    json_error_t wrong;
    enum pb_status status;

    assert(attempt->provider < oidc->count);
    status = know_usual(oidc, place, &known, error);
    if (status != PB_OK)
        return status;
    if (!check_return(place, known, attempt, brought, ret_why)) {
        status = PB_BAD_INPUT;
        goto out;
    }
    status = send_code(oidc, place, known, attempt, brought->code, &reply, error);
    if (status != PB_OK)
        goto out;
    *ret_why = "the provider gives no tokens for the code";
    status = PB_BAD_INPUT;
    tokens = json_loadb(reply.body, reply.body_bytes, JSON_REJECT_DUPLICATES, &wrong);
    if (reply.status == 200 && json_is_object(tokens))
        status =
            read_tokens(oidc, place, &known, attempt, tokens, arena, ret_identity, ret_why, error);

out:
    json_decref(tokens);
    if (reply.body != NULL)
        sodium_memzero(reply.body, reply.body_bytes);
    pb_free(oidc->env, reply.body);
    drop(oidc, known);
    return status;
}
