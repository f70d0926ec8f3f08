/*
 * API: the endpoints that api/ describes, as routes for net/server.h.
 *
 * One file in api/ for each endpoint is the source of the table of routes, the OpenAPI document and
 * the reference page (scripts/make-api). What a description says of permission and query is
 * checked before a handler runs, so that no handler can forget it.
 *
 * Threads: a pb_api is made and freed on one thread; handlers run on any.
 */
#ifndef PB_API_API_H
#define PB_API_API_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/status.h>

#include "api/quota.h"

struct pb_api; /* opaque */
struct pb_audit;
struct pb_env;
struct pb_log;
struct pb_metrics;
struct pb_oidc_provider; /* api/oidc.h */
struct pb_route;
struct pb_site;

struct pb_api_options {
    const char *data_path;      /* borrowed: the data directory */
    struct pb_metrics *metrics; /* borrowed */
    const struct pb_log *log;   /* borrowed; NULL: none */

    struct pb_audit *audit; /* borrowed; NULL: nobody is told the keys of the logs */
    struct pb_site *site;   /* borrowed; NULL: nothing that needs a token is served */
    bool takes_inquiries;   /* it is open to ask */
    bool takes_reads;       /* it is open to write */
    struct pb_api_quota_limits quotas;
    const char *origin; /* borrowed; where people find it, for passkeys; NULL: nowhere */
    const struct pb_oidc_provider *providers; /* of sign-ins; texts are borrowed */
    unsigned provider_count;
    bool counts_later; /* figures are told after pb_api_set_counted */
    /* Borrowed; a list of passwords that nobody may choose (api/breached.h); NULL: none. */
    const char *breached_passwords;
    bool is_secure;    /* clients come over TLS: cookies are for it alone */
    /* What hashing a password costs; 0: as usual (src/api/secret.h). For tests. */
    uint32_t password_memory_bytes, password_passes;
};

/* PB_E_NOMEM, or PB_E_IO where the public side of the audit logs cannot be looked at; that there is
 * none yet is fine. PB_BAD_INPUT: a file of the options is not what it should be. */
PB_MUST_CHECK enum pb_status pb_api_new(const struct pb_env *env,
                                        const struct pb_api_options *options,
                                        struct pb_api **ret_api, struct pb_error *error);
void pb_api_free(struct pb_api *api); /* NULL is fine */

/* The routes, valid as long as the api is. */
const struct pb_route *pb_api_routes(const struct pb_api *api, uint32_t *ret_count);

/* The figures were counted (inquiry/figures.h), so that a call has little left to do. */
void pb_api_set_counted(struct pb_api *api);

/* What /readyz says. */
void pb_api_set_ready(struct pb_api *api, bool is_ready);

#endif
