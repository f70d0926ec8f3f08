/*
 * A provider of sign-ins in this process: it describes itself, shows its keys, and turns the code
 * that a test put in its place into the ID token that the test wants.
 */
#ifndef PB_TESTS_API_PROVIDER_H
#define PB_TESTS_API_PROVIDER_H

#include "net/client.h"

#include "api/oidc.h"
#include "api/signer.h"
#include "base/text.h"

#define PROVIDER_CODE "SplxlOBeZQQYbYS6WxSbIA"

struct provider {
    struct fixture fixture;
    struct signer signer;
    char kid[32];
    char issuer[64];

    /* What it answers with; a test may put anything in its place. */
    char document[4096];
    char keys[4096];
    char claims[2048];
    char header[128];                     /* of the token; empty: the usual */
    char reply[SIGNER_TOKEN_BYTES + 256]; /* of /token; empty: the usual */
    unsigned status;                      /* of all answers */
    bool wants_basic;

    /* What it was asked. */
    char challenge[64]; /* of PKCE, from the address that a browser was sent to */
    _Atomic unsigned documents, key_sets, codes;
    char form[8192], authorization[512]; /* of the last code */
};

static inline enum pb_status
provider_say(struct provider *provider, struct pb_reply *reply, const char *text)
{
    reply->status = provider->status;
    reply->content_type = "application/json";
    pb_reply_put_text(reply, text);
    return PB_OK;
}

static inline enum pb_status
answer_document(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    struct provider *provider = context;

    (void)request;
    provider->documents++;
    return provider_say(provider, reply, provider->document);
}

static inline enum pb_status
answer_keys(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    struct provider *provider = context;

    (void)request;
    provider->key_sets++;
    return provider_say(provider, reply, provider->keys);
}

/* The value of a form's field, as it stands. */
static inline bool
form_value(const char *form, const char *name, char *ret_value, size_t room)
{
    size_t bytes = strlen(name);

    for (const char *at = form; at != NULL; at = strchr(at, '&')) {
        at += *at == '&';
        if (strncmp(at, name, bytes) == 0 && at[bytes] == '=') {
            size_t count = strcspn(at + bytes + 1, "&");

            assert_true(count < room);
            memcpy(ret_value, at + bytes + 1, count);
            ret_value[count] = '\0';
            return true;
        }
    }
    return false;
}

/* Does the code's verifier fit the challenge? */
static inline bool
provider_has_proof(const struct provider *provider)
{
    uint8_t sha256[32];
    char verifier[128], text[64];

    if (!form_value(provider->form, "code_verifier", verifier, sizeof(verifier)))
        return false;
    (void)crypto_hash_sha256(sha256, (const uint8_t *)verifier, strlen(verifier));
    base64url(sha256, sizeof(sha256), text, sizeof(text));
    return strcmp(text, provider->challenge) == 0;
}

static inline void
provider_token(const struct provider *provider, char ret_text[SIGNER_TOKEN_BYTES])
{
    char header[128];

    (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}",
                   provider->signer.algorithm, provider->kid);
    signer_token(&provider->signer, provider->header[0] != '\0' ? provider->header : header,
                 provider->claims, ret_text);
}

static inline enum pb_status
answer_token(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    struct provider *provider = context;
    const struct pb_str *authorization = pb_request_header(request, "Authorization");
    char code[64], token[SIGNER_TOKEN_BYTES];

    provider->codes++;
    (void)snprintf(provider->form, sizeof(provider->form), "%.*s", (int)request->body.bytes,
                   request->body.text);
    (void)snprintf(provider->authorization, sizeof(provider->authorization), "%.*s",
                   authorization != NULL ? (int)authorization->bytes : 0,
                   authorization != NULL ? authorization->text : "");
    if (provider->reply[0] != '\0')
        return provider_say(provider, reply, provider->reply);
    if (!form_value(provider->form, "code", code, sizeof(code)) ||
        strcmp(code, PROVIDER_CODE) != 0 || !provider_has_proof(provider) ||
        (authorization != NULL) != provider->wants_basic) {
        provider_say(provider, reply, "{\"error\":\"invalid_grant\"}");
        reply->status = 400;
        return PB_OK;
    }
    provider_token(provider, token);
    provider_say(provider, reply,
                 "{\"access_token\":\"SlAV32hkKG\",\"token_type\":\"Bearer\","
                 "\"expires_in\":60,\"id_token\":\"");
    pb_reply_put_text(reply, token);
    pb_reply_put_text(reply, "\"}");
    return PB_OK;
}

static inline void
provider_show_key(struct provider *provider, const char *kid)
{
    (void)snprintf(provider->kid, sizeof(provider->kid), "%s", kid);
    (void)snprintf(provider->keys, sizeof(provider->keys),
                   "{\"keys\":[{%s,\"kid\":\"%s\",\"use\":\"sig\"}]}", provider->signer.jwk, kid);
}

/* A new key in the place of the one of before. */
static inline void
provider_roll(struct provider *provider, const char *kid)
{
    const char *algorithm = provider->signer.algorithm;

    signer_done(&provider->signer);
    signer_init(&provider->signer, algorithm);
    provider_show_key(provider, kid);
}

/* Its document; more: members with a comma before them. */
static inline void
provider_describe(struct provider *provider, const char *more)
{
    (void)snprintf(provider->document, sizeof(provider->document),
                   "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/authorize\","
                   "\"token_endpoint\":\"%s/token\",\"jwks_uri\":\"%s/keys\","
                   "\"response_types_supported\":[\"code\"],"
                   "\"code_challenge_methods_supported\":[\"S256\"]%s}",
                   provider->issuer, provider->issuer, provider->issuer, provider->issuer, more);
}

static inline void
provider_start(struct provider *provider, const char *algorithm)
{
    const struct pb_route table[] = {
        { .name = "document",
          .path = "/.well-known/openid-configuration",
          .handle = answer_document,
          .context = provider },
        { .name = "keys", .path = "/keys", .handle = answer_keys, .context = provider },
        { .name = "token",
          .method = PB_METHOD_POST,
          .path = "/token",
          .handle = answer_token,
          .context = provider,
          .body_bytes_max = 8000,
          .body_types = { "application/x-www-form-urlencoded" } },
    };
    struct pb_route *routes = malloc(sizeof(table));

    memset(provider, 0, sizeof(*provider));
    fixture_init(&provider->fixture, pb_env_system());
    free((void *)(uintptr_t)provider->fixture.options.routes);
    assert_non_null(routes);
    memcpy(routes, table, sizeof(table));
    provider->fixture.options.routes = routes;
    provider->fixture.options.route_count = sizeof(table) / sizeof(table[0]);
    fixture_start(&provider->fixture);
    (void)snprintf(provider->issuer, sizeof(provider->issuer), "http://127.0.0.1:%u",
                   pb_server_address(provider->fixture.server).port);
    provider->status = 200;
    provider->wants_basic = true;
    signer_init(&provider->signer, algorithm);
    provider_show_key(provider, "first");
    provider_describe(provider, "");
}

static inline void
provider_stop(struct provider *provider)
{
    fixture_done(&provider->fixture);
    signer_done(&provider->signer);
}

/* Claims for whom a browser was sent with this address. more: members, with a comma before. */
static inline void
provider_claim(struct provider *provider, const char *url, int64_t now_s, const char *person,
               const char *more)
{
    const char *query = strchr(url, '?');
    char nonce[64];

    assert_non_null(query);
    assert_true(form_value(query + 1, "nonce", nonce, sizeof(nonce)));
    assert_true(
        form_value(query + 1, "code_challenge", provider->challenge, sizeof(provider->challenge)));
    (void)snprintf(provider->claims, sizeof(provider->claims),
                   "{\"iss\":\"%s\",\"aud\":\"platebase\",\"sub\":\"sub-%s\",\"exp\":%lld,"
                   "\"iat\":%lld,\"nonce\":\"%s\",\"preferred_username\":\"%s\"%s}",
                   provider->issuer, person, (long long)now_s + 300, (long long)now_s, nonce,
                   person, more);
}

#endif
