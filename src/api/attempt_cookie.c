/*
 * The cookie of an attempt to sign in: what ties an answer to the browser that was asked.
 *
 * It opens nothing: of the attempt itself only this server knows. Unlike the session's it comes
 * along when another site sends the browser here, for that is how a provider sends it back.
 */
#include <sodium.h>

#include "api/api_private.h"
#include "api/cookie.h"
#include "base/env.h"
#include "base/text.h"
#include "net/log.h"

#define TEXT_BYTES (PB_ATTEMPT_COOKIE_CHARACTERS + 1)

enum pb_status
pb_api_attempt_cookie_make(struct pb_api *api, struct pb_reply *reply,
                           uint8_t ret_holder[PB_ATTEMPT_BYTES])
{
    uint8_t random[32];
    char text[TEXT_BYTES];
    enum pb_status status = api->env->random(api->env->random_context, random, sizeof(random));

    if (status != PB_OK)
        return status;
    (void)sodium_bin2base64(text, sizeof(text), random, sizeof(random),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    (void)crypto_hash_sha256(ret_holder, (const unsigned char *)text, sizeof(text) - 1);
    pb_api_attempt_cookie_set(reply, api->people.is_secure, pb_str_from(text));
    sodium_memzero(random, sizeof(random));
    sodium_memzero(text, sizeof(text));
    return PB_OK;
}

static bool
find_holder(struct pb_api *api, const struct pb_api_call *call,
            uint8_t ret_holder[PB_ATTEMPT_BYTES])
{
    struct pb_str text;

    if (pb_api_attempt_cookie_find(call->request, api->people.is_secure, &text) != 1 ||
        text.bytes != PB_ATTEMPT_COOKIE_CHARACTERS)
        return false;
    (void)crypto_hash_sha256(ret_holder, (const unsigned char *)text.text, text.bytes);
    return true;
}

bool
pb_api_attempt_cookie_take(struct pb_api *api, const struct pb_api_call *call,
                           enum pb_attempt_kind kind, struct pb_attempt *ret_attempt)
{
    uint8_t holder[PB_ATTEMPT_BYTES];

    return find_holder(api, call, holder) &&
           pb_attempts_take(&api->attempts, kind, holder, ret_attempt);
}

void
pb_api_log_refused(const struct pb_api *api, const struct pb_api_call *call, const char *why)
{
    struct pb_log_line line;

    pb_log_begin(&line, api->options.log, PB_LOG_WARNING, PB_WORD("sign-in refused"));
    pb_log_request_id(&line, &call->request->id);
    pb_log_route(&line, call->request->route);
    /* Every reason of webauthn.c, jwt.c, oidc.c and of the handlers is a literal of theirs. */
    pb_log_word(&line, PB_WORD("why"), (struct pb_word){ why });
    pb_log_end(&line);
}
