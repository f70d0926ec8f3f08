/*
 * Orders: what the operator of the machine has done with an account, by a command or through the
 * service that holds the data directory (cli/control.h); and what keeps all of an agency out, which
 * the catalog says of its people.
 *
 * Through the service an order and what came of it are one message each, of words and values as
 * api/note_lines.h has them:
 *
 *     order 1            ordered 1
 *     verb link          status ok
 *     person doe         code WkY...
 *
 * The fields of a change are lines of their own: "set training_valid_until=2027-06-30", and "set
 * unit=" for one that is put back to its default.
 *
 * Threads: every call is safe from any thread.
 */
#ifndef PB_API_ORDER_H
#define PB_API_ORDER_H

#include <platebase/read.h>
#include <platebase/status.h>

#include "api/account.h"
#include "catalog/catalog.h"

struct pb_api;
struct pb_env;
struct pb_site;

#define PB_ORDER_BYTES_MAX 1024u

enum pb_order_verb {
    PB_ORDER_ADD,
    PB_ORDER_APPROVE,
    PB_ORDER_DISABLE,
    PB_ORDER_LINK,
    PB_ORDER_UNLOCK, /* only of a service: it alone counts what somebody got wrong */
    PB_ORDER_CHANGE, /* only of a service: a person's record */
};
#define PB_ORDER_VERBS 6u

struct pb_api_order_set {
    struct pb_str field, value; /* value empty: back to the default */
};

/* Views are of whoever made it. */
struct pb_api_order {
    enum pb_order_verb verb;
    struct pb_str by; /* empty: the operator */
    struct pb_str person;
    struct pb_str why; /* of disable */
    /* Of change, which has one at least. */
    struct pb_api_order_set sets[PB_ENTITY_FIELDS_MAX];
    unsigned set_count;
};

struct pb_api_ordered {
    enum pb_status status;
    char code[PB_ACCOUNT_CODE_BYTES]; /* of a link that was made; a secret. Else "" */
    struct pb_error error;            /* where status is not PB_OK */
};

/* Does it, as api/account.h and pb_site_put() say; the status is in ret_ordered. unlock only leaves
 * its leaf. */
void pb_api_order_run(const struct pb_env *env, struct pb_site *site,
                      const struct pb_api_order *order, struct pb_api_ordered *ret_ordered);
/* As above in a service: sessions end, and wrong proofs are forgotten. */
void pb_api_order_take(struct pb_api *api, const struct pb_api_order *order,
                       struct pb_api_ordered *ret_ordered);

/* ---- as messages ---- */

/* PB_BAD_INPUT: a text is not plain; PB_OVER_LIMIT: they are too long. ret_message is of room. */
PB_MUST_CHECK enum pb_status pb_api_order_encode(const struct pb_api_order *order,
                                                 char room[PB_ORDER_BYTES_MAX],
                                                 struct pb_str *ret_message,
                                                 struct pb_error *error);
/* PB_BAD_INPUT: it is none. Views are of message. */
PB_MUST_CHECK enum pb_status pb_api_order_decode(struct pb_str message,
                                                 struct pb_api_order *ret_order);
/* A message that is not plain text of one line is left out. */
struct pb_str pb_api_ordered_encode(const struct pb_api_ordered *ordered,
                                    char room[PB_ORDER_BYTES_MAX]);
/* PB_BAD_INPUT: it is none. */
PB_MUST_CHECK enum pb_status pb_api_ordered_decode(struct pb_str message,
                                                   struct pb_api_ordered *ret_ordered);

#endif
