/*
 * API: from a route to a handler, past what the description demands.
 */
#include "api/api.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/api_private.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "inquiry/site.h"
#include "net/listen.h"

#define INLINE_BYTES_MAX 4096u /* some reads: they are parsed in less time than a hand-over takes */

/* The context of one route. */
struct pb_api_binding {
    struct pb_api *api;
    const struct pb_api_endpoint *endpoint;
};

enum pb_status
pb_api_problem(const struct pb_api_call *call, struct pb_reply *reply, unsigned status,
               const char *detail, const char *field)
{
    struct pb_problem problem = { .status = status, .detail = detail, .field = field };

    pb_reply_problem(reply, call->request, &problem);
    return PB_OK;
}

static enum pb_status
refuse_query(const struct pb_api_call *call, struct pb_reply *reply, struct pb_str field,
             const char *why)
{
    const char *name = pb_arena_text(call->request->arena, field);

    return name != NULL ? pb_api_problem(call, reply, 400, why, name) : PB_E_NOMEM;
}

static enum pb_status
dispatch(void *context, const struct pb_request *request, struct pb_reply *reply)
{
    struct pb_api_binding *binding = context;
    const struct pb_api_endpoint *endpoint = binding->endpoint;
    struct pb_api_call call = { .request = request, .endpoint = endpoint };
    struct pb_api_caller caller;
    struct pb_str field;
    const char *why;
    enum pb_status status = PB_OK;

    if (endpoint->permission == PB_API_LOOPBACK && !pb_listen_is_loopback(&request->peer))
        return pb_api_problem(&call, reply, 404, "there is nothing at this address", NULL);
    if (request->must_not_wait && !pb_api_is_at_hand(binding->api, &call))
        return PB_NOT_FOUND;
    if (!pb_api_may_try(binding->api, &call, reply))
        return PB_OK;
    if (endpoint->permission >= PB_API_CALLER) {
        if (!pb_api_authenticate(binding->api, &call, &caller, reply, &status)) {
            pb_api_note_try(binding->api, &call, reply);
            return status;
        }
        call.caller = &caller;
    }
    if (!pb_api_take_request(binding->api, &call, reply))
        return PB_OK;
    if (!endpoint->takes_any_query && !pb_api_query_check(endpoint->query, request, &field, &why))
        return refuse_query(&call, reply, field, why);
    status = endpoint->handle(binding->api, &call, reply);
    if (status == PB_NOT_FOUND && request->must_not_wait)
        pb_api_give_request_back(binding->api, &call);
    return status;
}

static struct pb_route
make_route(const struct pb_api_endpoint *endpoint, struct pb_api_binding *binding)
{
    struct pb_route route = {
        .name = endpoint->name,
        .method = endpoint->method,
        .path = endpoint->path,
        .handle = dispatch,
        .context = binding,
        .body_bytes_max = endpoint->body_bytes_max,
        .is_quick = endpoint->is_quick,
    };

    if (endpoint->handle == pb_api_handle_reads_send ||
        endpoint->handle == pb_api_handle_reads_send_by_key)
        route.inline_bytes_max = INLINE_BYTES_MAX;

    static_assert(sizeof(route.body_types) == sizeof(endpoint->body_types), "the same lists");
    memcpy(route.body_types, endpoint->body_types, sizeof(route.body_types));
    return route;
}

static enum pb_status
open_audit(struct pb_api *api, struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof(path), "%s/audit/public", api->options.data_path);

    if (length < 0 || (size_t)length >= sizeof(path))
        return pb_fail(error, PB_E_IO, "the path of the data directory is too long");
    api->audit_directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (api->audit_directory < 0 && errno != ENOENT)
        return pb_fail(error, PB_E_IO, "%s: %s", path, strerrordesc_np(errno));
    return PB_OK;
}

/* Passkeys and providers, where there is an origin that they are for. */
static enum pb_status
open_ways_in(struct pb_api *api, struct pb_error *error)
{
    const struct pb_api_options *options = &api->options;
    const char *host = options->origin != NULL ? strstr(options->origin, "://") : NULL;
    size_t bytes = host != NULL ? strcspn(host + 3, ":/") : 0;
    enum pb_status status;

    if (options->origin == NULL)
        return PB_OK;
    if (bytes == 0 || bytes >= sizeof(api->origin_host))
        return pb_fail(error, PB_BAD_INPUT, "origin: '%.100s' has no host", options->origin);
    memcpy(api->origin_host, host + 3, bytes);
    status = pb_attempts_init(&api->attempts, api->env);
    if (status != PB_OK)
        return pb_fail(error, status, "no memory for those who sign in");
    return pb_oidc_new(api->env, options->providers, options->provider_count, options->origin,
                       &api->oidc, error);
}

enum pb_status
pb_api_new(const struct pb_env *env, const struct pb_api_options *options, struct pb_api **ret_api,
           struct pb_error *error)
{
    struct pb_api *api = pb_calloc(env, 1, sizeof(*api));
    enum pb_status status = PB_E_NOMEM;

    if (api == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the interface");
    api->env = env;
    api->options = *options;
    api->audit_directory = -1;
    atomic_init(&api->is_counted, !options->counts_later);
    pb_api_quota_init(&api->quota, &options->quotas, 0);
    pb_api_token_cache_init(&api->token_cache);
    (void)pthread_mutex_init(&api->takers_lock, NULL);
    api->routes = pb_calloc(env, pb_api_endpoint_count, sizeof(*api->routes));
    api->bindings = pb_calloc(env, pb_api_endpoint_count, sizeof(*api->bindings));
    if (api->routes == NULL || api->bindings == NULL) {
        (void)pb_fail(error, PB_E_NOMEM, "no memory for the interface");
        goto out;
    }
    for (unsigned i = 0; i < pb_api_endpoint_count; i++) {
        api->bindings[i] = (struct pb_api_binding){ api, &pb_api_endpoints[i] };
        api->routes[i] = make_route(&pb_api_endpoints[i], &api->bindings[i]);
    }
    status = env->random(env->random_context, &api->quota.seed, sizeof(api->quota.seed));
    if (status != PB_OK)
        (void)pb_fail(error, status, "the system gives no random bytes");
    else
        status = open_audit(api, error);
    if (status == PB_OK)
        status = open_ways_in(api, error);
    if (status == PB_OK && options->site != NULL)
        status = pb_api_people_init(&api->people, api, error);
    if (status == PB_OK && options->takes_reads)
        status = pb_api_committer_new(env, pb_site_store(options->site), &api->committer, error);
    if (status != PB_OK)
        goto out;
    *ret_api = api;
    api = NULL;

out:
    pb_api_free(api);
    return status;
}

void
pb_api_free(struct pb_api *api)
{
    if (api == NULL)
        return;
    if (api->audit_directory >= 0)
        (void)close(api->audit_directory);
    pb_api_people_done(&api->people, api->env);
    pb_attempts_done(&api->attempts);
    pb_oidc_free(api->oidc);
    pb_api_committer_free(api->committer);
    pb_api_free_takers(api);
    (void)pthread_mutex_destroy(&api->takers_lock);
    pb_api_token_cache_done(&api->token_cache);
    pb_api_quota_done(&api->quota);
    pb_free(api->env, api->routes);
    pb_free(api->env, api->bindings);
    pb_free(api->env, api);
}

const struct pb_route *
pb_api_routes(const struct pb_api *api, uint32_t *ret_count)
{
    *ret_count = pb_api_endpoint_count;
    return api->routes;
}

void
pb_api_set_ready(struct pb_api *api, bool is_ready)
{
    atomic_store(&api->is_ready, is_ready);
}

void
pb_api_set_counted(struct pb_api *api)
{
    atomic_store(&api->is_counted, true);
}
