/*
 * Router: which route does a path mean?
 *
 * The table is checked and sorted once. A path of literals is found by halving; of routes with
 * parameters the one whose first parameter comes latest wins, so that what a path means does
 * not depend on the order of the table.
 *
 * Threads: a router never changes.
 */
#ifndef PB_NET_ROUTER_H
#define PB_NET_ROUTER_H

#include "net/http.h"

struct pb_router; /* opaque */
struct pb_target;

/* routes: borrowed, must outlive the router. PB_BAD_INPUT: a malformed path, or two routes with
 * the same method and shape; error names it. */
PB_MUST_CHECK enum pb_status pb_router_new(const struct pb_env *env, const struct pb_route *routes,
                                           uint32_t count, struct pb_router **ret_router,
                                           struct pb_error *error);
void pb_router_free(struct pb_router *router); /* NULL is fine */

struct pb_match {
    const struct pb_route *route;
    uint32_t route_index;         /* in the table given */
    const struct pb_pair *params; /* in the arena */
    uint32_t param_count;
};
/*
 * Returns  PB_OK         ret_match
 *          PB_NOT_FOUND  no route has such a path
 *          PB_CONFLICT   some have, but not with this method; ret_allowed has a bit for each
 *                        method that would do (1 << PB_METHOD_GET...)
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_router_find(const struct pb_router *router, struct pb_arena *arena,
                                            enum pb_method method, const struct pb_target *target,
                                            struct pb_match *ret_match, unsigned *ret_allowed);

#endif
