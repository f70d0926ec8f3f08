/*
 * account: how people sign in to the service.
 */
#include <string.h>

#include "api/account.h"
#include "api/order.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/at_site.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/options.h"
#include "cli/sub.h"
#include "cli/table.h"

#define ORIGIN_USUAL "http://127.0.0.1:8080"

struct args {
    const char *by, *why, *origin;
    struct pb_api_order order;
};

static enum pb_status
no_account(const char *person, struct pb_error *error)
{
    return pb_fail(error, PB_NOT_FOUND, "%s has no account: see 'platebase account list'", person);
}

/* ---- changes ---- */

static void
put_link(const struct pb_cli *cli, const char *origin, const char *code)
{
    pb_cli_put_text(cli->out, origin);
    pb_cli_put_text(cli->out, "/sign-in?code=");
    pb_cli_put_text(cli->out, code);
    pb_cli_put_text(cli->out, "\n");
    pb_cli_say(cli, "this works once, for 15 minutes");
}

/* What came of an order, for the person. */
static enum pb_status
tell(const struct pb_cli *cli, const struct args *args, struct pb_api_ordered *ordered,
     struct pb_error *error)
{
    if (ordered->status == PB_NOT_FOUND)
        return no_account(args->order.person.text, error);
    if (ordered->status != PB_OK) {
        *error = ordered->error;
        return ordered->status;
    }
    switch (args->order.verb) {
    case PB_ORDER_ADD:
        pb_cli_say(cli, "asked for; now somebody else approves it: platebase account approve");
        break;
    case PB_ORDER_APPROVE:
        pb_cli_say(cli, "approved; now they need a link: platebase account link");
        break;
    case PB_ORDER_DISABLE:
        pb_cli_say(cli, "disabled");
        break;
    case PB_ORDER_LINK:
        put_link(cli, args->origin, ordered->code);
        break;
    case PB_ORDER_UNLOCK:
        pb_cli_say(cli, "wrong passwords and codes of before are forgotten");
        break;
    case PB_ORDER_CHANGE: /* of 'platebase person' */
        break;
    }
    explicit_bzero(ordered, sizeof(*ordered));
    return PB_OK;
}

static enum pb_status
change_account(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
               struct pb_error *error)
{
    const struct args *args = context;
    struct pb_api_ordered ordered;

    (void)arguments;
    if (args->order.verb == PB_ORDER_UNLOCK)
        return pb_fail(error, PB_BAD_INPUT,
                       "no service runs here, which alone counts wrong passwords: start it, or "
                       "give them a link");
    pb_api_order_run(cli->env, site, &args->order, &ordered);
    return tell(cli, args, &ordered, error);
}

/* Through the service where one runs, which is the only writer then. */
static int
run_change(struct pb_cli *cli, int argc, char **argv, struct pb_cli_usage *usage, struct args *args,
           enum pb_order_verb verb)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };
    struct pb_api_ordered ordered;
    struct pb_error error = { "" };
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first;

    pb_cli_usage_add_data(usage, &usage->data);
    parsed = pb_cli_parse(cli, usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    args->order = (struct pb_api_order){
        .verb = verb,
        .by = pb_str_from(args->by),
        .person = pb_str_from(argv[first]),
        .why = pb_str_from(args->why),
    };
    status = pb_cli_control_ask(usage->data, &args->order, &ordered, &error);
    if (status == PB_NOT_FOUND)
        return pb_cli_at_parsed_site(cli, usage->data, &site_options, argv + first, change_account,
                                     args);
    if (status == PB_OK)
        status = tell(cli, args, &ordered, &error);
    return status == PB_OK ? PB_CLI_EXIT_OK : pb_cli_failure(cli, status, &error);
}

static void
add_by(struct pb_cli_usage *usage, struct args *args, bool is_required, const char *help)
{
    const struct pb_cli_option by = { .name = "by",
                                      .placeholder = "ID",
                                      .help = help,
                                      .is_required = is_required,
                                      .example = "police.administrator",
                                      .text = &args->by };

    pb_cli_usage_add(usage, &by, 1);
}

static int
run_add(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .by = NULL };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Asks for an account for a person of the catalog. It does nothing before a "
                      "second person approved it.");
    add_by(&usage, &args, false, "the administrator who asks; by default the operator");
    return run_change(cli, argc, argv, &usage, &args, PB_ORDER_ADD);
}

static int
run_approve(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .by = NULL };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Approves an account, also one that was disabled: as an administrator of "
                      "the agency who did not ask for it and whose it is not. An administrator's "
                      "account may also be approved by who approves inquiries.");
    add_by(&usage, &args, true, "who approves");
    return run_change(cli, argc, argv, &usage, &args, PB_ORDER_APPROVE);
}

static int
run_disable(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .by = NULL };
    struct pb_cli_usage usage;
    const struct pb_cli_option why = { .name = "why",
                                       .placeholder = "TEXT",
                                       .help = "the reason, for the record",
                                       .is_required = true,
                                       .example = "left the agency",
                                       .text = &args.why };

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Disables an account at once, and ends its sessions where a service runs.");
    add_by(&usage, &args, false, "the administrator who does; by default the operator");
    pb_cli_usage_add(&usage, &why, 1);
    return run_change(cli, argc, argv, &usage, &args, PB_ORDER_DISABLE);
}

static int
run_link(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .origin = ORIGIN_USUAL };
    struct pb_cli_usage usage;
    const struct pb_cli_option origin = { .name = "origin",
                                          .placeholder = "URL",
                                          .help = "how people reach the service; by "
                                                  "default " ORIGIN_USUAL,
                                          .text = &args.origin };

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Makes a link by which a person sets password and one-time codes, and prints "
                      "it, alone, on standard output. What they had before is void. In a directory "
                      "of 'platebase demo' it signs them in as it is.");
    add_by(&usage, &args, false, "the administrator who gives it; by default the operator");
    pb_cli_usage_add(&usage, &origin, 1);
    return run_change(cli, argc, argv, &usage, &args, PB_ORDER_LINK);
}

static int
run_unlock(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .by = NULL };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Has the service that runs forget the wrong passwords and codes of a person, "
                      "who may then try again at once.");
    add_by(&usage, &args, false, "the administrator who does; by default the operator");
    return run_change(cli, argc, argv, &usage, &args, PB_ORDER_UNLOCK);
}

/* ---- list and show ---- */

static const struct pb_cli_column columns[] = {
    { "person", false },    { "state", false }, { "enrolled", false },
    { "signed in", false }, { "why", false },
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

struct list {
    struct pb_cli *cli;
    struct pb_cli_table table;
    const char *person; /* only theirs; NULL: all */
    bool is_json, is_found;
    enum pb_status status;
};

static void
put_field(struct pb_cli_out *out, const char *key, struct pb_str value)
{
    if (value.bytes == 0)
        return;
    pb_cli_put_text(out, ",\"");
    pb_cli_put_text(out, key);
    pb_cli_put_text(out, "\":");
    pb_cli_put_json(out, value.text, value.bytes);
}

static void
put_json(struct pb_cli_out *out, const struct pb_api_account *account, const char *state,
         const char *signed_in)
{
    pb_cli_put_text(out, "{\"person\":");
    pb_cli_put_json(out, account->person.text, account->person.bytes);
    put_field(out, "state", pb_str_from(state));
    put_field(out, "creator", account->creator);
    put_field(out, "approver", account->approver);
    put_field(out, "enrolled", pb_str_from(account->password.bytes > 0 ? "yes" : "no"));
    put_field(out, "signed_in", pb_str_from(signed_in));
    put_field(out, "why", account->why);
    pb_cli_put_text(out, "}\n");
}

static enum pb_status
put_row(struct pb_cli_table *table, const struct pb_api_account *account, const char *state,
        const char *signed_in)
{
    const struct pb_str cells[COLUMN_COUNT] = {
        account->person,
        pb_str_from(state),
        pb_str_from(account->password.bytes > 0 ? "yes" : "no"),
        pb_str_from(signed_in),
        account->why,
    };

    return pb_cli_table_row(table, cells);
}

static bool
put_account(void *context, const struct pb_api_account *account)
{
    struct list *list = context;
    enum pb_account_state state = account->state;
    char signed_in[PB_TIME_BYTES_MAX] = "";
    const char *word;

    if (list->person != NULL && !pb_str_equal(account->person, pb_str_from(list->person)))
        return true;
    list->is_found = true;
    if (state == PB_ACCOUNT_ACTIVE && !pb_api_account_is_usable(account, pb_now_us(list->cli->env)))
        state = PB_ACCOUNT_DISABLED;
    word = pb_api_account_state_name(state);
    if (account->signed_in_at_us != 0)
        (void)pb_time_format(account->signed_in_at_us, PB_NO_UTC_OFFSET, signed_in);
    if (list->is_json)
        put_json(list->cli->out, account, word, signed_in);
    else
        list->status = put_row(&list->table, account, word, signed_in);
    return list->status == PB_OK;
}

static enum pb_status
list_accounts(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
              struct pb_error *error)
{
    struct list *list = context;
    enum pb_status status = PB_OK;

    list->person = arguments[0]; /* NULL: all */
    if (!list->is_json)
        status = pb_cli_table_init(&list->table, cli->env, cli->out, columns, COLUMN_COUNT);
    if (status == PB_OK)
        status = pb_api_account_each(cli->env, site, put_account, list, error);
    pb_cli_table_done(&list->table);
    if (status == PB_OK)
        status = list->status;
    if (status == PB_OK && list->person != NULL && !list->is_found)
        return no_account(list->person, error);
    return status;
}

static int
run_listing(struct pb_cli *cli, int argc, char **argv, struct pb_cli_usage *usage)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct list list = { .cli = cli };
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a line",
                                        .flag = &list.is_json };

    pb_cli_usage_add_data(usage, &usage->data);
    pb_cli_usage_add(usage, &json, 1);
    return pb_cli_at_site(cli, usage, &site_options, argc, argv, list_accounts, &list);
}

static int
run_list(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Lists accounts. What was not used for 30 days counts as disabled.");
    return run_listing(cli, argc, argv, &usage);
}

static int
run_show(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "PERSON", 1, 1, "Shows one account.");
    return run_listing(cli, argc, argv, &usage);
}

int
pb_cmd_account(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "account add", "ask for an account", run_add },
        { "account approve", "approve it, as a second person", run_approve },
        { "account link", "let somebody set how they sign in", run_link },
        { "account unlock", "let somebody try again who was wrong too often", run_unlock },
        { "account disable", "end one", run_disable },
        { "account list", "show which there are", run_list },
        { "account show", "show one", run_show },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text = "People of the catalog sign in to the service by an account. One person asks for "
                "it, another approves it, and a link lets its person set password and one-time "
                "codes.",
        .example = "platebase account add --data DIR police.investigator",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}
