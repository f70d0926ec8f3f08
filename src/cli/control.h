/*
 * Control: how the operator of the machine reaches the service that holds a data directory, where
 * nobody can sign in any more.
 *
 * The service listens at the socket DIR/control for orders about accounts and about what the
 * catalog says of a person (api/order.h), and for nothing else. Whose process connects is known
 * from the system, not from what it says: it must be the user who owns the data directory, and
 * could do the same with the service stopped. All else is closed without an answer. One message is
 * an order, one is what came of it; nothing of them is kept, and each order is on record like the
 * same command's.
 *
 * Threads: the thread that start makes takes one order after another. start and stop are the main
 *          thread's; ask is any's.
 */
#ifndef PB_CLI_CONTROL_H
#define PB_CLI_CONTROL_H

#include <platebase/status.h>

struct pb_api;
struct pb_api_order;
struct pb_api_ordered;
struct pb_cli_control; /* opaque */
struct pb_env;
struct pb_log;

struct pb_cli_control_options {
    const char *data;         /* borrowed for the call: the data directory */
    struct pb_api *api;       /* borrowed until stop */
    const struct pb_log *log; /* borrowed until stop */
};

/* Makes the socket, also in the place of one that a process left there which was killed: to be
 * called by who holds the directory's lock. PB_E_NOMEM, or PB_E_IO. */
PB_MUST_CHECK enum pb_status pb_cli_control_start(const struct pb_env *env,
                                                  const struct pb_cli_control_options *options,
                                                  struct pb_cli_control **ret_control,
                                                  struct pb_error *error);
/* Removes the socket; an order in hand is done first. NULL is fine. */
void pb_cli_control_stop(struct pb_cli_control *control);

/*
 * Has an order done by the service of a data directory.
 *
 * Returns  PB_OK         it answered; ret_ordered says what
 *          PB_NOT_FOUND  no service takes orders there: nothing was sent
 *          PB_BAD_INPUT, PB_OVER_LIMIT  it is no order that could be sent
 *          PB_E_IO       it did not answer; whether it was done is not known
 */
PB_MUST_CHECK enum pb_status pb_cli_control_ask(const char *data, const struct pb_api_order *order,
                                                struct pb_api_ordered *ret_ordered,
                                                struct pb_error *error);

#endif
