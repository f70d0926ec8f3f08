/*
 * Authentication: by token or by session.
 */
#include "api/api_private.h"
#include "api/cookie.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"

unsigned
pb_api_verbs_needed(enum pb_api_permission permission)
{
    switch (permission) {
    case PB_API_READS:
    case PB_API_READER_KEY:
        return PB_TOKEN_READS;
    case PB_API_ASK:
        return PB_TOKEN_ASK;
    case PB_API_AUDIT:
        return PB_TOKEN_AUDIT;
    case PB_API_ADMINISTER:
        return PB_TOKEN_ADMINISTER;
    case PB_API_PUBLIC:
    case PB_API_LOOPBACK:
    case PB_API_CALLER:
    case PB_API_TOKEN:
    case PB_API_SESSION:
        break;
    }
    return 0;
}

static void
refuse(const struct pb_api_call *call, struct pb_reply *reply, unsigned status, const char *detail,
       const char *challenge)
{
    (void)pb_api_problem(call, reply, status, detail, NULL);
    if (challenge != NULL)
        pb_reply_header(reply, "WWW-Authenticate", pb_str_from(challenge));
}

static bool
by_token(struct pb_api *api, const struct pb_api_call *call, struct pb_api_caller *ret_caller,
         struct pb_reply *reply, enum pb_status *ret_status)
{
    static const char challenge[] = "Bearer realm=\"platebase\"";
    struct pb_api_shown shown = pb_api_shown(call);
    unsigned needed = pb_api_verbs_needed(call->endpoint->permission);
    struct pb_api_token *token = pb_arena_alloc(call->request->arena, sizeof(*token));
    struct pb_error error = { "" };
    enum pb_status status = PB_NOT_FOUND;

    *ret_status = token != NULL ? PB_OK : PB_E_NOMEM;
    if (token == NULL)
        return false;
    if (shown.text.bytes > 0)
        status = pb_api_token_check(api->env, api->options.site, &api->token_cache, shown.via,
                                    shown.text, call->request->arena, token, &error);
    if (status == PB_NOT_FOUND) {
        refuse(call, reply, 401,
               shown.text.bytes > 0 ? "this token is none, or holds no longer"
                               : "a token is wanted, in Authorization: Bearer",
               challenge);
        return false;
    }
    if (status != PB_OK) {
        *ret_status = status < 0 ? status : PB_E_CORRUPT;
        return false;
    }
    if ((token->verbs & needed) != needed) {
        refuse(call, reply, 403, "this token may not do that", NULL);
        return false;
    }
    *ret_caller = (struct pb_api_caller){
        .token = token,
        .agency = token->agency,
        .person = token->person,
        .verbs = token->verbs,
        .client = "api",
    };
    return true;
}

bool
pb_api_authenticate(struct pb_api *api, const struct pb_api_call *call,
                    struct pb_api_caller *ret_caller, struct pb_reply *reply,
                    enum pb_status *ret_status)
{
    struct pb_str cookie;
    unsigned cookies = pb_api_cookie_find(call->request, api->people.is_secure, &cookie);
    bool has_authorization = pb_request_header(call->request, "Authorization") != NULL;

    *ret_status = PB_OK;
    if (api->options.site == NULL) {
        refuse(call, reply, 503, "this server was not started to take tokens or sign-ins", NULL);
        return false;
    }
    if (call->endpoint->permission == PB_API_READER_KEY)
        return by_token(api, call, ret_caller, reply, ret_status);
    /* Whose rights would count must not depend on which of two is looked at. */
    if (cookies > 1 || (cookies > 0 && has_authorization)) {
        refuse(call, reply, 400, "a token or one session, not both", NULL);
        return false;
    }
    if (cookies == 0 && call->endpoint->permission != PB_API_SESSION)
        return by_token(api, call, ret_caller, reply, ret_status);
    return pb_api_authenticate_session(api, call, cookie, ret_caller, reply, ret_status);
}
