/*
 * Request target: "/audit/operator/tile/0/001?x=%20" to segments and pairs, strictly.
 *
 * Only origin-form is taken. What other servers read in different ways is refused rather than
 * mended: escapes that are cut short or hide a slash or a control character, "." and "..",
 * bytes that RFC 3986 does not allow, text that is not UTF-8.
 *
 * Threads: everything here is pure.
 * Source:  RFC 9112 section 3.2.1, RFC 3986; queries as HTML forms write them ("+" is a space).
 */
#ifndef PB_NET_TARGET_H
#define PB_NET_TARGET_H

#include "base/limits.h"
#include "net/http.h"

struct pb_target {
    struct pb_str path;            /* decoded; "/" and its segments */
    const struct pb_str *segments; /* decoded, each a part of path; an empty one only where the
                                    * path ends with a slash or has two in a row */
    uint32_t segment_count;        /* 0 for "/" */
    const struct pb_pair *query;
    uint32_t query_count;
};

/*
 * text  borrowed for the call; what is returned lives in arena
 *
 * Returns  PB_OK
 *          PB_BAD_INPUT   see above
 *          PB_OVER_LIMIT  more than PB_NET_SEGMENTS_MAX segments or PB_NET_QUERY_MAX pairs
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_target_parse(struct pb_arena *arena, struct pb_str text,
                                             struct pb_target *ret_target);

#endif
